//! Categories, MoySklad → shop.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Value, json};
use tenon_host::report::Outcome;
use tenon_simulators::moysklad::{Account, Id, Kind, NewProduct, Ref, Value as Field};

use crate::world::{World, timeless};

fn on() -> Value {
    json!({ "categories": true })
}

/// Engine / Filters / Oil filters, and Body.
fn tree() -> (Account, [Id; 4]) {
    let mut account = Account::empty();
    let engine = account.add_folder("Двигатель", None);
    let filters = account.add_folder("Фильтры", Some(engine));
    let oil = account.add_folder("Масляные", Some(filters));
    let body = account.add_folder("Кузов", None);
    (account, [engine, filters, oil, body])
}

/// The name of each category with that of the one above it.
fn shown(world: &World) -> BTreeMap<String, Option<String>> {
    let all = world.records("categories");
    let name = |key: &Value| {
        let found = all.iter().find(|one| one["key"] == *key);
        found.map(|one| one["name"].as_str().unwrap().to_owned())
    };
    let live = all.iter().filter(|one| one["archived"] == false);
    live.map(|one| (name(&one["key"]).unwrap(), name(&one["parent"])))
        .collect()
}

fn is(tree: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
    tree.iter()
        .map(|(name, parent)| ((*name).to_owned(), parent.map(str::to_owned)))
        .collect()
}

#[test]
fn the_tree_is_taken_over_when_that_is_switched_on() {
    let (account, _) = tree();
    let world = World::of(account);
    world.run("categories", json!({})).clean();
    assert!(world.records("categories").is_empty());
    let run = world.run("categories", on()).clean();
    assert_eq!((4, 0, 0, 0), run.counts());
    let whole = is(&[
        ("Двигатель", None),
        ("Фильтры", Some("Двигатель")),
        ("Масляные", Some("Фильтры")),
        ("Кузов", None),
    ]);
    assert_eq!(whole, shown(&world));
    let before = world.records("categories");
    let run = world.run("categories", on()).clean();
    assert_eq!((0, 0, 4, 0), run.counts());
    assert_eq!(before, world.records("categories"));
}

#[test]
fn one_branch_is_put_under_the_chosen_category_of_the_site() {
    let (account, [engine, ..]) = tree();
    let world = World::of(account);
    world.load(
        "categories",
        json!([{ "key": "parts", "name": "Запчасти" }]),
    );
    let branch = json!({
        "categories": true,
        "root_category": engine.to_string(),
        "site_category": "parts",
    });
    world.run("categories", branch).clean();
    let expected = is(&[
        ("Запчасти", None),
        ("Фильтры", Some("Запчасти")),
        ("Масляные", Some("Фильтры")),
    ]);
    assert_eq!(expected, shown(&world));
}

#[test]
fn a_category_of_the_site_that_is_not_there_is_a_matter_for_the_admin() {
    let (account, _) = tree();
    let world = World::of(account);
    let run = world.run(
        "categories",
        json!({ "categories": true, "site_category": "none" }),
    );
    assert_eq!(Outcome::Configuration, run.report.outcome);
    assert_eq!(Some("site_category"), run.setting());
}

#[test]
fn folders_that_cannot_be_seen_any_more_archive_nothing() {
    let (mut account, [engine, ..]) = tree();
    for number in 0..8 {
        account.add_folder(&format!("Разное {number}"), None);
    }
    let world = World::of(account);
    world.run("categories", on()).clean();
    let before = shown(&world);
    world.sim.account(|account| {
        let folders: Vec<_> = account
            .all(Kind::ProductFolder)
            .iter()
            .map(|one| one.id)
            .collect();
        for folder in folders {
            account.delete(folder);
        }
    });
    let run = world.run("categories", on()).clean();
    assert!(run.report.questions[0].text.contains("check the rights"));
    let mut rooted = on();
    rooted["root_category"] = json!(engine.to_string());
    let run = world.run("categories", rooted);
    assert_eq!(Some("root_category"), run.setting());
    assert_eq!(before, shown(&world));
    let archived = world.records("categories");
    assert!(
        archived.iter().all(|one| one["archived"] == false),
        "{archived:?}"
    );
}

#[test]
fn moves_and_renames_are_followed_and_folders_that_are_gone_are_archived() {
    let (account, [_, filters, oil, body]) = tree();
    let world = World::of(account);
    world.run("categories", on()).clean();
    let keys = |world: &World| -> Vec<Value> {
        world
            .records("categories")
            .into_iter()
            .map(|one| one["key"].clone())
            .collect()
    };
    let before = keys(&world);
    world.sim.account(|account| {
        account.set_text(oil, "name", "Фильтры масла");
        account.change(oil, |folder| {
            let parent = Ref {
                kind: Kind::ProductFolder,
                id: body,
            };
            folder.set("productFolder", Field::Ref(parent));
        });
        account.delete(filters);
    });
    world.run("categories", on()).clean();
    let expected = is(&[
        ("Двигатель", None),
        ("Кузов", None),
        ("Фильтры масла", Some("Кузов")),
    ]);
    assert_eq!(expected, shown(&world));
    assert_eq!(before, keys(&world), "nothing was made twice or deleted");
}

#[test]
fn categories_that_are_there_already_are_taken_by_name_and_place() {
    let (account, _) = tree();
    let world = World::of(account);
    world.load(
        "categories",
        json!([
            { "key": "e", "name": "двигатель" },
            { "key": "f", "name": "Фильтры", "parent": "e" },
        ]),
    );
    world.run("categories", on()).clean();
    assert_eq!(4, world.records("categories").len());
    assert_eq!("Двигатель", world.record("categories", "key", "e")["name"]);
}

#[test]
fn products_lie_in_the_categories_of_their_folders() {
    let (mut account, [_, _, oil, body]) = tree();
    let part = |code: &str| {
        NewProduct::new(code)
            .code(&format!("MAHLE {code}"))
            .article(code)
    };
    let id = account.add_product(part("OC90").folder(oil));
    let world = World::of(account);
    world.run("categories", on()).clean();
    world.run("products", on()).clean();
    let category = |name: &str| world.record("categories", "name", name)["key"].clone();
    assert_eq!(
        category("Масляные"),
        world.record("products", "sku", "OC90")["category"]
    );
    world.sim.account(|account| {
        account.change(id, |product| {
            let folder = Ref {
                kind: Kind::ProductFolder,
                id: body,
            };
            product.set("productFolder", Field::Ref(folder));
        });
    });
    world.run("changes", on()).clean();
    assert_eq!(
        category("Кузов"),
        world.record("products", "sku", "OC90")["category"]
    );
    let before = timeless(world.records("products"));
    let run = world.run("products", on()).clean();
    assert_eq!((0, 0, 1, 0), run.counts());
    assert_eq!(before, timeless(world.records("products")));
}

#[test]
fn while_categories_are_off_people_sort_products_themselves() {
    let (mut account, [_, _, oil, _]) = tree();
    account.add_product(
        NewProduct::new("A")
            .code("MAHLE A1")
            .article("A1")
            .folder(oil),
    );
    let world = World::of(account);
    world.load("categories", json!([{ "key": "own", "name": "Своя" }]));
    world.run("products", json!({})).clean();
    let key = world.record("products", "sku", "A1")["key"]
        .as_str()
        .unwrap()
        .to_owned();
    world.edit("products", &key, json!({ "category": "own" }));
    world.run("products", json!({})).clean();
    assert_eq!("own", world.record("products", "key", &key)["category"]);
}

#[test]
fn only_products_of_the_chosen_folder_are_cards_also_when_it_is_chosen_later() {
    let (mut account, [engine, filters, oil, body]) = tree();
    for (number, folder) in [(0, engine), (1, filters), (2, oil), (3, body)] {
        let (code, article) = (format!("MAHLE P{number}"), format!("P{number}"));
        let product = NewProduct::new(&code).code(&code).article(&article);
        account.add_product(product.folder(folder));
    }
    let nowhere = NewProduct::new("P4").code("MAHLE P4").article("P4");
    account.add_product(nowhere);
    let world = World::of(account);
    let live = |world: &World| {
        let cards = world.records("products").into_iter();
        let live = cards.filter(|card| card["archived"] == false);
        let mut live: Vec<String> = live
            .map(|card| card["sku"].as_str().expect("an article").to_owned())
            .collect();
        live.sort();
        live
    };
    world.run("products", json!({})).clean();
    assert_eq!(vec!["P0", "P1", "P2", "P3", "P4"], live(&world));
    let chosen = json!({ "root_category": filters.to_string() });
    // The next look at changes heeds it.
    world.run("changes", chosen.clone()).clean();
    assert_eq!(vec!["P1", "P2"], live(&world));
    world.run("products", chosen.clone()).clean();
    assert_eq!(vec!["P1", "P2"], live(&world));
    // A product that is moved into it comes, and one that is moved out of it goes.
    world.sim.account(|account| {
        account.wait(SignedDuration::from_hours(1));
        for product in account
            .all(Kind::Product)
            .into_iter()
            .map(|one| one.id)
            .collect::<Vec<_>>()
        {
            let folder = match account.get(product).text("article") {
                "P0" => filters,
                "P1" => body,
                _ => continue,
            };
            account.move_to_folder(product, folder);
        }
    });
    world.run("changes", chosen).clean();
    assert_eq!(vec!["P0", "P2"], live(&world));
    world.run("changes", json!({})).clean();
    assert_eq!(vec!["P0", "P1", "P2", "P3", "P4"], live(&world));
}
