//! What a component is refused for before it runs for anybody.

use tenon_conformance::{Sandbox, memory};

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
    let panic = "panicked: it does not know what it is, ";
    assert!(
        refusal.contains(panic) && refusal.contains("trap_in_describe.rs:"),
        "{refusal}"
    );
}

#[test]
fn recurse_in_describe_is_refused_and_told_so() {
    let refusal = refusal("recurse_in_describe");
    assert!(refusal.contains("recursed too deep"), "{refusal}");
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
