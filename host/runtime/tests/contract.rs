//! The contract as a folder: other tools read `wit/` as it is, and it explains itself.

use std::path::Path;

use wit_parser::{Docs, PackageId, Resolve, TypeDefKind, WorldItem};

fn contract() -> (Resolve, PackageId) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let mut contract = Resolve::default();
    let (package, _) = contract.push_dir(&folder).expect("a package in `wit/`");
    (contract, package)
}

/// Names of what has no docs.
#[derive(Default)]
struct Silent(Vec<String>);

impl Silent {
    fn check(&mut self, docs: &Docs, name: impl FnOnce() -> String) {
        if docs
            .contents
            .as_deref()
            .is_none_or(|text| text.trim().is_empty())
        {
            self.0.push(name());
        }
    }
}

#[test]
fn the_folder_is_one_package_with_both_worlds() {
    let (contract, package) = contract();
    let package = &contract.packages[package];
    assert_eq!("tenon:connector@0.2.0", package.name.to_string());
    for world in ["connector", "platform"] {
        assert!(package.worlds.contains_key(world), "{world}");
    }
}

#[test]
fn every_item_of_the_contract_is_documented() {
    let (contract, _) = contract();
    let mut silent = Silent::default();
    let own = |package: Option<PackageId>| {
        package.is_some_and(|package| contract.packages[package].name.namespace == "tenon")
    };
    for (_, interface) in contract
        .interfaces
        .iter()
        .filter(|(_, one)| own(one.package))
    {
        let of = interface.name.clone().unwrap_or_default();
        silent.check(&interface.docs, || of.clone());
        for (name, function) in &interface.functions {
            silent.check(&function.docs, || format!("{of}.{name}"));
        }
        for (name, id) in &interface.types {
            let kind = &contract.types[*id];
            // What is used from elsewhere is documented there.
            if matches!(kind.kind, TypeDefKind::Type(wit_parser::Type::Id(_))) {
                continue;
            }
            silent.check(&kind.docs, || format!("{of}.{name}"));
        }
    }
    for (_, world) in contract.worlds.iter().filter(|(_, one)| own(one.package)) {
        silent.check(&world.docs, || world.name.clone());
        for item in world.imports.values().chain(world.exports.values()) {
            assert!(
                matches!(item, WorldItem::Interface { .. }),
                "{}",
                world.name
            );
        }
    }
    assert_eq!(Vec::<String>::new(), silent.0);
}
