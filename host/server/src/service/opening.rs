//! From what is stored to what the host runs: the component of a connection, its credentials, its
//! settings and limits.

use std::collections::HashMap;
use std::sync::Arc;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::reason::{Catalogue, Reason};
use tenon_host::{Connection, ConnectionSpec, Connector, EgressSettings, HostPattern, Place};

use super::{Error, Service, What};
use crate::belonging::at_home;
use crate::control::connections::{self, Stored};
use crate::control::{tenants, versions};
use crate::origin::Origin;
use crate::vault::Kept;
use crate::{told, vault};

/// What a connection has of its tenant and of its connector.
struct Around {
    place: Place,
    hosts: Option<Vec<HostPattern>>,
}

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
            .read(move |db| stored_in(db, &tenant, &connection))
            .await
    }

    /// The same, with the language of the tenant's people.
    pub async fn stored_with_language(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<(Stored, String), Error> {
        let (tenant, connection) = (tenant.clone(), connection.clone());
        self.control()
            .read(move |db| {
                let stored = stored_in(db, &tenant, &connection)?;
                let tenant = tenants::get(db, &tenant)?;
                let language = tenant.map(|tenant| tenant.language);
                Ok((stored, language.unwrap_or_default()))
            })
            .await
    }

    /// An installed component, ready to run.
    pub async fn connector(&self, digest: &str) -> Result<Arc<Connector>, Error> {
        let loaded = Arc::clone(self.connectors().entry(digest.to_owned()).or_default());
        let load = || async {
            let wasm = self.store().read(digest)?.ok_or_else(|| {
                let why = Reason::new("server.component-lost");
                Error::trouble(
                    why,
                    format_args!("the component {digest} in the data folder"),
                )
            })?;
            let installed = self.host().install(&wasm).await;
            let connector = installed.map_err(Error::loading)?;
            Ok::<_, Error>(connector)
        };
        loaded.get_or_try_init(load).await.cloned()
    }

    /// The texts of a version's reasons, with those of the platform, the server and the host; only
    /// the latter for a version that is not there any more.
    pub async fn texts_of(&self, digest: &str) -> Result<Arc<Catalogue>, Error> {
        if let Some(known) = self.known_texts().get(digest) {
            return Ok(Arc::clone(known));
        }
        let name = digest.to_owned();
        let version = (self.control())
            .read(move |db| Ok::<_, Error>(versions::get(db, &name)?))
            .await?;
        let Some(version) = version else {
            return Ok(Arc::clone(self.texts()));
        };
        let texts = told::texts_of(&version.manifest, self.texts());
        (self.known_texts()).insert(digest.to_owned(), Arc::clone(&texts));
        Ok(texts)
    }

    /// Forgets a component that was removed.
    pub(super) fn unload(&self, digest: &str) {
        self.known_texts().remove(digest);
        self.connectors().remove(digest);
    }

    /// A connection as the host runs it, by one read.
    pub(crate) async fn opened(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Connection, Error> {
        let (tenant, connection) = (tenant.clone(), connection.clone());
        let data = self.options().data.clone();
        let (around, stored, secrets) = self
            .control()
            .read(move |db| {
                let stored = stored_in(db, &tenant, &connection)?;
                let secrets = vault::all_of(db, &data, &tenant, &connection);
                let known = tenants::get(db, &tenant)?
                    .ok_or_else(|| Error::not_found(What::Tenant, &tenant))?;
                let around = Around {
                    place: known.place(),
                    hosts: versions::hosts(db, &stored.connector)?,
                };
                Ok::<_, Error>((around, stored, secrets))
            })
            .await?;
        let connector = self.connector(&stored.digest).await?;
        let Ok(mut kept) = secrets else {
            return self
                .open_with(&stored, connector, Completeness::Whole)
                .await;
        };
        let declared = &connector.manifest.credentials;
        kept.retain(|name, _| declared.iter().any(|known| known.name == *name));
        self.connect(&stored, connector, kept, around, Completeness::Whole)
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
        let around = Around {
            place: self.tenant(&stored.tenant).await?.place(),
            hosts: self.hosts_of(&stored.connector).await?,
        };
        self.connect(stored, connector, credentials, around, completeness)
    }

    fn connect(
        &self,
        stored: &Stored,
        connector: Arc<Connector>,
        kept: HashMap<String, Kept>,
        around: Around,
        completeness: Completeness,
    ) -> Result<Connection, Error> {
        let credentials = at_home(&connector.manifest, &stored.settings, kept)?;
        let grants = stored.grants.iter().map(|grant| origin(grant));
        let spec = ConnectionSpec {
            tenant: stored.tenant.clone(),
            id: stored.id.clone(),
            settings: stored.settings.clone(),
            credentials,
            place: around.place,
            egress: EgressSettings {
                grants: grants.collect::<Result<_, _>>()?,
                hosts: around.hosts,
                no_budget: stored.no_budget,
                ..EgressSettings::default()
            },
            limits: (stored.all_limits())
                .map_err(|error| Error::invalid("/limits", error.reason()))?,
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
    ) -> Result<HashMap<String, Kept>, Error> {
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

fn stored_in(
    db: &rusqlite::Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> Result<Stored, Error> {
    if let Some(stored) = connections::get(db, tenant, connection)? {
        return Ok(stored);
    }
    Err(match tenants::get(db, tenant)? {
        Some(_) => Error::not_found(What::Connection, connection),
        None => Error::not_found(What::Tenant, tenant),
    })
}

/// An origin that an admin wrote.
pub(super) fn origin(text: &str) -> Result<url::Origin, Error> {
    let origin: Result<Origin, _> = text.parse();
    (origin.map(url::Origin::from)).map_err(|error| {
        let reason = Reason::new("server.not-an-origin");
        Error::invalid("/grants", reason.arg("text", text).detail(error))
    })
}
