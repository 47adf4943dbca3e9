//! The data folder, and the host that works on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use tenon_erp::EmbeddedErp;
use tenon_host::ids::TenantId;
use tenon_host::{Compiler, CompilerProcess, Connector, Host, HostOptions};

use super::args::COMPILE_COMPONENT;
use crate::control::{Control, tenants};
use crate::spending::Spending;

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

/// This program again, as a child that only compiles.
pub fn compiler() -> anyhow::Result<Compiler> {
    let program = std::env::current_exe().context("cannot find the program `tenon` itself")?;
    Ok(Compiler::Child(CompilerProcess {
        arguments: vec![COMPILE_COMPONENT.into()],
        ..CompilerProcess::new(program)
    }))
}

/// The embedded ERP of a data folder.
pub fn erp(data: &Path) -> anyhow::Result<EmbeddedErp> {
    EmbeddedErp::open(data)
        .with_context(|| format!("cannot use the data folder {}", data.display()))
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
    let wasm = std::fs::read(&file).with_context(|| format!("component {}", file.display()))?;
    let connector =
        (host.install(&wasm).await).with_context(|| format!("component {}", file.display()))?;
    let found = &connector.manifest.name;
    anyhow::ensure!(
        found == name,
        "component {} is the connector `{found}`, not `{name}`",
        file.display()
    );
    Ok(connector)
}

fn find(name: &str) -> anyhow::Result<PathBuf> {
    let folder = std::env::var_os(COMPONENTS).map_or("target/components".into(), PathBuf::from);
    let file = folder.join("connectors").join(format!("{name}.wasm"));
    anyhow::ensure!(
        file.is_file(),
        "no connector `{name}`: there is no {}; name the component with --component or its folder \
         with {COMPONENTS}",
        file.display()
    );
    Ok(file)
}
