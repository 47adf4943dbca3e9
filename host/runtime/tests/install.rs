//! What is refused when a component is installed.

use std::sync::Arc;

use async_trait::async_trait;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::model::Fault;
use tenon_host::platform::{Answer, UnitOfWork};
use tenon_host::{Host, HostOptions, InstallError, Platform};

/// Installing never opens a unit of work.
struct NoPlatform;

#[async_trait]
impl Platform for NoPlatform {
    async fn begin(&self, _: &TenantId, _: &ConnectionId) -> Answer<Box<dyn UnitOfWork>> {
        Err(Fault::Unsupported("no platform".to_owned()))
    }
}

async fn install(wasm: &[u8]) -> InstallError {
    let cache = tempfile::tempdir().unwrap();
    let host = Host::new(Arc::new(NoPlatform), HostOptions::new(cache.path())).unwrap();
    host.install(wasm).await.unwrap_err()
}

#[tokio::test]
async fn imports_outside_the_contract_are_refused_by_name() {
    let component = wat::parse_str(
        r#"(component
            (import "wasi:sockets/tcp@0.2.3" (instance))
            (import "wasi:filesystem/preopens@0.2.3" (instance))
            (import "wasi:clocks/wall-clock@0.2.3" (instance)))"#,
    );
    let error = install(&component.unwrap()).await;
    assert!(
        matches!(&error, InstallError::ForbiddenImports(names)
            if names == &["wasi:sockets/tcp@0.2.3", "wasi:filesystem/preopens@0.2.3"]),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.contains("wasi:sockets/tcp") && !text.contains("clocks"),
        "{text}"
    );
}

#[tokio::test]
async fn a_component_that_is_not_a_connector_is_refused() {
    let error = install(&wat::parse_str("(component)").unwrap()).await;
    assert!(matches!(error, InstallError::NotAConnector), "{error}");
}

#[tokio::test]
async fn what_is_not_a_component_is_refused_in_one_line() {
    for wasm in [
        b"\0asm".as_slice(),
        b"MZ",
        b"",
        &wat::parse_str("(module)").unwrap(),
    ] {
        let error = install(wasm).await;
        assert!(matches!(error, InstallError::Unusable(_)), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[tokio::test]
async fn a_connector_whose_exports_differ_from_the_contract_is_refused() {
    let component = wat::parse_str(
        r#"(component
            (component $c (type $t (func)) (export "x" (type $t)))
            (instance $i (instantiate $c))
            (export "tenon:connector/sync@0.1.0" (instance $i)))"#,
    );
    let error = install(&component.unwrap()).await;
    assert!(matches!(error, InstallError::Unusable(_)), "{error}");
}
