//! Records that people put into the embedded ERP.

use serde_json::{Value, json};
use tenon_erp::{Kind, Loaded};
use tenon_host::ids::TenantId;
use tokio::runtime::Handle;

use super::{Error, Service, What, note};
use crate::control::Failure;

impl Service {
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
