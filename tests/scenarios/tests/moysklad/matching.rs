//! The first start with data on both sides.

use serde_json::json;
use tenon_simulators::moysklad::{Account, Kind, NewCounterparty, NewProduct};

use crate::world::{Ask, World, timeless};

fn both_sides() -> World {
    let mut account = Account::empty();
    for (code, article) in [
        ("MAHLE A1", "A1"),
        ("DOLZ B2", "B2"),
        ("SKF C3", "C3"),
        ("SKF C3", "C3"),
        ("D4", "D4"),
    ] {
        account.add_product(NewProduct::new(code).code(code).article(article));
    }
    account.add_counterparty(NewCounterparty::new("Ромашка").inn("7701234567"));
    account.add_counterparty(NewCounterparty::new("Петров А.").phone("9111234567"));
    account.add_counterparty(NewCounterparty::new("Петров Б.").phone("9111234567"));
    let world = World::of(account);
    world.load(
        "products",
        json!([{ "key": "own", "name": "Фильтр", "brand": "mahle", "sku": "A1" }]),
    );
    world.load(
        "partners",
        json!([
            { "key": "k1", "name": "ООО Ромашка", "tax_id": "7701234567" },
            { "key": "k2", "name": "Петров", "phones": ["+79111234567"] },
            { "key": "k3", "name": "Новый", "phones": ["+79221234567"] },
        ]),
    );
    world
}

#[test]
fn what_matches_is_reported_before_anything_is_written() {
    let world = both_sides();
    let before = (world.records("products"), world.records("partners"));
    // It runs also while the integration is not active.
    let run = world.run("match", json!({ "active": false }));
    assert!(
        run.logged(&["products: 0 bound, 1 matched, 2 new, 2 to be decided"]),
        "{run:#?}"
    );
    assert!(
        run.logged(&["partners: 0 bound, 1 matched, 1 new, 1 to be decided"]),
        "{run:#?}"
    );
    let line = |words: &str| {
        let line = run.log.iter().find(|line| line.message.contains(words));
        line.unwrap_or_else(|| panic!("{words}: {run:#?}"))
            .record
            .clone()
    };
    assert_eq!(
        Some("own".to_owned()),
        line("product “MAHLE A1” is in the shop")
    );
    assert_eq!(
        Some("k1".to_owned()),
        line("“Ромашка”: matched by tax number")
    );
    assert_eq!(Some("k3".to_owned()), line("“Новый” is new in MoySklad"));
    assert!(
        run.reason("k2").contains("several counterparties"),
        "{run:#?}"
    );
    assert_eq!(
        before,
        (world.records("products"), world.records("partners"))
    );
    assert!(world.records("bindings").is_empty());
    assert_eq!(0, world.writes());
}

#[test]
fn the_first_synchronisation_does_what_was_reported_and_doubles_nothing() {
    let world = both_sides();
    world.run("products", json!({}));
    world.run("partners", json!({}));
    assert_eq!(3, world.records("products").len());
    assert_eq!(4, world.objects(Kind::Counterparty, |_, _| ()).len());
    let run = world.run("match", json!({}));
    assert!(
        run.logged(&["products: 3 bound, 0 matched, 0 new"]),
        "{run:#?}"
    );
    assert!(
        run.logged(&["partners: 2 bound, 0 matched, 0 new"]),
        "{run:#?}"
    );
}

#[test]
fn a_preview_of_a_pass_leaves_both_sides_alone() {
    let world = both_sides();
    let before = timeless(world.records("products"));
    let preview = Ask {
        preview: true,
        ..Ask::default()
    };
    let run = world.ask("products", json!({}), &preview);
    assert_eq!((2, 1), (run.report.created, run.report.updated), "{run:#?}");
    assert_eq!(before, timeless(world.records("products")));
    assert!(world.records("bindings").is_empty());
}
