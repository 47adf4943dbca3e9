//! From what is stored to what the host runs: the component of a connection, its credentials, its
//! settings and limits.

use std::collections::HashMap;
use std::sync::Arc;

use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::{Connection, ConnectionSpec, Connector, EgressSettings, Secret};

use super::{Error, Service, What};
use crate::control::connections::{self, Stored};
use crate::control::tenants;
use crate::vault;

/// How complete a connection has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completeness {
    /// To run: all settings that the schema requires.
    Whole,
    /// To look at the counterpart while the settings are still filled in.
    Begun,
}

impl Service {
    /// A connection as it is stored.
    pub async fn stored(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Stored, Error> {
        let (tenant, connection) = (tenant.clone(), connection.clone());
        self.control()
            .read(move |db| {
                if let Some(stored) = connections::get(db, &tenant, &connection)? {
                    return Ok(stored);
                }
                Err(match tenants::get(db, &tenant)? {
                    Some(_) => Error::not_found(What::Connection, &connection),
                    None => Error::not_found(What::Tenant, &tenant),
                })
            })
            .await
    }

    /// An installed component, ready to run.
    pub async fn connector(&self, digest: &str) -> Result<Arc<Connector>, Error> {
        let mut loaded = self.0.connectors.lock().await;
        if let Some(connector) = loaded.get(digest) {
            return Ok(Arc::clone(connector));
        }
        let wasm = self.store().read(digest)?;
        let connector = self.host().install(&wasm).await?;
        loaded.insert(digest.to_owned(), Arc::clone(&connector));
        Ok(connector)
    }

    /// Forgets a component that was removed.
    pub(super) async fn unload(&self, digest: &str) {
        self.0.connectors.lock().await.remove(digest);
    }

    /// A connection as the host runs it.
    pub(crate) async fn opened(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Connection, Error> {
        let stored = self.stored(tenant, connection).await?;
        self.open_stored(&stored, Completeness::Whole).await
    }

    /// The same, of what was read.
    pub(crate) async fn open_stored(
        &self,
        stored: &Stored,
        completeness: Completeness,
    ) -> Result<Connection, Error> {
        let connector = self.connector(&stored.digest).await?;
        self.open_with(stored, connector, completeness).await
    }

    /// The same, with another version.
    pub(super) async fn open_with(
        &self,
        stored: &Stored,
        connector: Arc<Connector>,
        completeness: Completeness,
    ) -> Result<Connection, Error> {
        let credentials = self.secrets(stored, &connector).await?;
        let grants = stored.grants.iter().map(|grant| origin(grant));
        let spec = ConnectionSpec {
            tenant: stored.tenant.clone(),
            id: stored.id.clone(),
            settings: stored.settings.clone(),
            credentials,
            egress: EgressSettings {
                grants: grants.collect::<Result<_, _>>()?,
                no_budget: stored.no_budget,
                ..EgressSettings::default()
            },
            limits: (stored.all_limits()).map_err(|error| Error::invalid("/limits", error))?,
        };
        Ok(match completeness {
            Completeness::Whole => self.host().connect(connector, spec)?,
            Completeness::Begun => self.host().connect_to_look(connector, spec)?,
        })
    }

    /// The stored credentials of a connection that its connector knows.
    async fn secrets(
        &self,
        stored: &Stored,
        connector: &Connector,
    ) -> Result<HashMap<String, Secret>, Error> {
        let declared = connector.manifest.credentials.iter();
        let names: Vec<String> = declared.map(|known| known.name.clone()).collect();
        if names.is_empty() {
            return Ok(HashMap::new());
        }
        let (tenant, connection) = (stored.tenant.clone(), stored.id.clone());
        let data = self.options().data.clone();
        Ok(vault::shared(self.control(), &data, tenant, connection, names).await?)
    }
}

/// An origin that an admin wrote.
pub(super) fn origin(text: &str) -> Result<url::Origin, Error> {
    let bad = || {
        let reason = format!("`{text}` is not an origin; write it as https://api.example.com");
        Error::invalid("/grants", reason)
    };
    let url = url::Url::parse(text).map_err(|_| bad())?;
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    let origin = url.origin();
    if !(plain && anonymous && origin.is_tuple()) {
        return Err(bad());
    }
    Ok(origin)
}
