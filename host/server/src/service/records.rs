//! The records of the embedded ERP: whether anything can be done with them, and what people put there.

use std::collections::HashSet;

use serde_json::{Value, json};
use tenon_erp::{Kind, Loaded};
use tenon_host::ids::TenantId;
use tenon_host::model::Fault;
use tokio::runtime::Handle;

use super::{Error, Service, What, note, nothing};
use crate::control::audit::HOST;
use crate::control::connections::State;
use crate::control::{Failure, connections, tenants};
use crate::told::Told;

/// Why nothing can be done with a tenant's file, before somebody has put a good one in its place.
const UNUSABLE: [&str; 3] = [
    "platform.file-lost",
    "platform.file-damaged",
    "platform.newer",
];

impl Service {
    /// Whether anything can be done with the records of a tenant; those of another platform than the
    /// embedded ERP are its own affair.
    pub(super) async fn look_at_records(&self, tenant: &TenantId) -> Result<(), Error> {
        let Some(erp) = self.erp().cloned() else {
            return Ok(());
        };
        let tenant = tenant.clone();
        let looked = tokio::task::spawn_blocking(move || erp.look(&tenant)).await;
        Ok(looked.map_err(Failure::new)??)
    }

    /// Pauses what is on of tenants whose files nothing can be done with, so that people learn of it now
    /// and not by the next runs, and lets go on what was paused for that when the file is good again.
    pub(super) async fn look_at_all_records(&self) -> Result<(), Error> {
        let Some(erp) = self.erp().cloned() else {
            return Ok(());
        };
        let tenants = (self.control())
            .read(|db| Ok::<_, Error>(tenants::list(db, None, None, u32::MAX)?))
            .await?;
        let look = move || -> Vec<(TenantId, Option<Fault>)> {
            let looked = tenants.into_iter().map(|tenant| {
                let fault = erp.look(&tenant.id).err().map(Fault::from);
                (tenant.id, fault)
            });
            looked.collect()
        };
        let looked = tokio::task::spawn_blocking(look).await;
        let (mut good, mut bad) = (HashSet::new(), Vec::new());
        for (tenant, fault) in looked.map_err(Failure::new)? {
            match fault {
                None => drop(good.insert(tenant)),
                Some(Fault::Configuration(why)) => bad.push((tenant, Told::new(why))),
                // It may pass, and a run will see.
                Some(_) => {}
            }
        }
        for (tenant, reason) in bad {
            self.pause_tenant(&tenant, reason).await?;
        }
        self.let_go_on(good).await
    }

    async fn pause_tenant(&self, tenant: &TenantId, reason: Told) -> Result<(), Error> {
        let owner = tenant.clone();
        let code = reason.code().to_owned();
        let paused = (self.control())
            .write(move |db| Ok::<_, Error>(connections::pause_all(db, &owner, &reason)?))
            .await?;
        for connection in paused {
            tracing::warn!(%tenant, %connection, reason = code, "a connection is paused: it needs an admin");
            self.paused(tenant, &connection).await?;
        }
        Ok(())
    }

    /// Lets go on what was paused for want of a good file and belongs to one of these tenants.
    async fn let_go_on(&self, good: HashSet<TenantId>) -> Result<(), Error> {
        let paused = (self.control())
            .read(|db| Ok::<_, Error>(connections::paused_for(db, &UNUSABLE)?))
            .await?;
        for (tenant, connection) in paused {
            if !good.contains(&tenant) {
                continue;
            }
            tracing::warn!(%tenant, %connection, "a connection goes on: the tenant's file is good again");
            let place = (Some(&tenant), Some(&connection));
            let note = note(HOST, place, "connection.enable", nothing());
            self.change(&tenant, &connection, note, |stored| {
                stored.state = State::On;
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// Puts a list of records into a tenant's file: all, or none when one is bad. The audit notes it
    /// before, so no record is there without a note.
    ///
    /// There is nothing where the platform is another one than the embedded ERP.
    pub async fn load_records(
        &self,
        actor: &str,
        tenant: &TenantId,
        kind: Kind,
        records: Vec<Value>,
    ) -> Result<Loaded, Error> {
        let nowhere = || Error::not_found(What::Kind, kind);
        let erp = self.erp().cloned().ok_or_else(nowhere)?;
        let detail = json!({ "kind": kind.name(), "records": records.len() });
        self.audit(note(actor, (Some(tenant), None), "records.load", detail))
            .await?;
        // Many records are written without a pause: that is no work for a thread that others wait for.
        let (here, tenant) = (Handle::current(), tenant.clone());
        let load = move || here.block_on(erp.load(&tenant, kind, Value::Array(records)));
        let loaded = tokio::task::spawn_blocking(load).await;
        loaded.map_err(Failure::new)?.map_err(|error| match error {
            tenon_erp::Error::Record { number, reason } => {
                Error::invalid(format!("/{}", number.saturating_sub(1)), reason)
            }
            error => error.into(),
        })
    }
}
