//! The data folder, and the host that works on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use tenon_erp::EmbeddedErp;
use tenon_host::ids::TenantId;
use tenon_host::{Compiler, CompilerProcess, Connector, Host, HostOptions, HostPattern};

use super::args::{COMPILE_COMPONENT, Place};
use crate::control::{Control, tenants, versions};
use crate::service::{Error, What};
use crate::spending::Spending;
use crate::told::refusal;

/// Variable that names the folder of built components.
const COMPONENTS: &str = "TENON_COMPONENTS";

/// A host over the embedded ERP of a data folder, for work on one tenant.
pub fn host(data: &Path, tenant: &TenantId) -> anyhow::Result<Host> {
    let options = HostOptions {
        ledger: Some(Arc::new(Spending::open(data)?)),
        ..HostOptions::new(data.join("compiled"), compiler()?)
    };
    Ok(Host::new(Arc::new(erp_of(data, tenant)?), options)?)
}

/// The embedded ERP of a data folder, for work on one tenant. Whom a server knows has a file already.
pub fn erp_of(data: &Path, tenant: &TenantId) -> anyhow::Result<EmbeddedErp> {
    let erp = erp(data)?;
    let known = match Control::open_existing(data)? {
        Some(mut control) => control.alone(|db| Ok(tenants::get(db, tenant)?))?,
        None => None,
    };
    if known.is_some() {
        erp.expect_files();
    }
    Ok(erp)
}

/// Whether a server knows a tenant, by what can be read.
pub fn knows(data: &Path, tenant: &TenantId) -> anyhow::Result<bool> {
    Ok(match Control::open_to_read(data)? {
        Some(mut control) => control.alone(|db| Ok(tenants::get(db, tenant)?))?.is_some(),
        None => false,
    })
}

/// Refuses a tenant of which there is nothing here: a name that was mistyped has no empty history.
pub fn expect_tenant(place: &Place) -> anyhow::Result<()> {
    let Place { data, tenant } = place;
    let is_here = EmbeddedErp::open_to_read(data).has_file(tenant) || knows(data, tenant)?;
    anyhow::ensure!(is_here, Error::not_found(What::Tenant, tenant));
    Ok(())
}

/// The hosts that a platform has fixed for the connections of a connector, if it has.
pub fn hosts(data: &Path, connector: &str) -> anyhow::Result<Option<Vec<HostPattern>>> {
    match Control::open_existing(data)? {
        Some(mut control) => control.alone(|db| Ok(versions::hosts(db, connector)?)),
        None => Ok(None),
    }
}

/// This program again, as a child that only compiles.
pub fn compiler() -> anyhow::Result<Compiler> {
    let program = std::env::current_exe();
    let program = program.map_err(|error| refusal("server.no-program").because(error))?;
    Ok(Compiler::Child(CompilerProcess {
        arguments: vec![COMPILE_COMPONENT.into()],
        ..CompilerProcess::new(program)
    }))
}

/// The embedded ERP of a data folder.
pub fn erp(data: &Path) -> anyhow::Result<EmbeddedErp> {
    let erp = EmbeddedErp::open(data).map_err(|error| {
        (refusal("server.folder-unusable").arg("data", data.display())).because(error)
    });
    Ok(erp?)
}

/// Finds and installs a connector.
pub async fn install(
    host: &Host,
    name: &str,
    component: Option<&Path>,
) -> anyhow::Result<Arc<Connector>> {
    let file = match component {
        Some(file) => file.to_owned(),
        None => find(name)?,
    };
    let place = || file.display().to_string();
    let wasm = std::fs::read(&file).with_context(place)?;
    let connector = (host.install(&wasm).await).with_context(place)?;
    let found = &connector.manifest.name;
    anyhow::ensure!(
        found == name,
        refusal("server.other-connector-file")
            .arg("file", file.display())
            .arg("found", found)
            .arg("wanted", name)
    );
    Ok(connector)
}

fn find(name: &str) -> anyhow::Result<PathBuf> {
    let folder = std::env::var_os(COMPONENTS).map_or("target/components".into(), PathBuf::from);
    let file = folder.join("connectors").join(format!("{name}.wasm"));
    anyhow::ensure!(
        file.is_file(),
        refusal("server.no-connector-file")
            .arg("name", name)
            .arg("file", file.display())
    );
    Ok(file)
}
