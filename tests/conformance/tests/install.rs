//! What a component is refused for before it runs for anybody.

use tenon_conformance::{Sandbox, memory};
use tenon_host::InstallError;

fn refusal(guest: &str) -> String {
    match Sandbox::new().install(guest) {
        Ok(_) => panic!("{guest} was installed"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn trap_in_describe_is_refused() {
    let refusal = refusal("trap_in_describe");
    assert!(refusal.contains("cannot be used"), "{refusal}");
}

#[test]
fn spin_in_describe_is_refused_after_seconds() {
    let refusal = refusal("spin_in_describe");
    assert!(refusal.contains("cannot be used"), "{refusal}");
}

#[test]
fn write_in_describe_finds_no_platform() {
    let refusal = refusal("write_in_describe");
    assert!(refusal.contains("no platform"), "{refusal}");
}

#[test]
fn garbled_manifest_is_refused() {
    let refusal = refusal("garbled_manifest");
    assert!(refusal.contains("utf-8"), "{refusal}");
}

#[test]
fn mistype_settings_is_refused_with_the_place_in_the_schema() {
    let refusal = refusal("mistype_settings");
    let place = "settings_schema.properties.warehouse.x-directory: there is no directory \
                 `warehouse`; there are ";
    assert!(refusal.contains(place), "{refusal}");
    assert!(refusal.contains("`warehouses`"), "{refusal}");
}

#[test]
fn return_huge_manifest_is_refused() {
    memory::bounded(512 << 20, || refusal("return_huge_manifest"));
}

#[test]
fn use_files_is_refused_with_the_names_of_its_imports() {
    let refused = Sandbox::new().install("use_files").unwrap_err();
    let InstallError::ForbiddenImports(names) = refused else {
        panic!("{refused}");
    };
    let files = |name: &String| name.starts_with("wasi:filesystem/");
    assert!(!names.is_empty() && names.iter().all(files), "{names:?}");
}

#[test]
fn use_sockets_is_refused_with_the_names_of_its_imports() {
    let refused = Sandbox::new().install("use_sockets").unwrap_err();
    let InstallError::ForbiddenImports(names) = refused else {
        panic!("{refused}");
    };
    let sockets = |name: &String| name.starts_with("wasi:sockets/tcp");
    assert!(names.iter().any(sockets), "{names:?}");
}
