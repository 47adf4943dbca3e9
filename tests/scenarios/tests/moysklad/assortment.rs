//! What is in MoySklad's assortment beside products: sets are cards without stock, modifications are
//! variants of their product's card, and services are neither cards nor errors.

use jiff::SignedDuration;
use serde_json::{Value as Json, json};
use tenon_simulators::faults::{Fault, Rule};
use tenon_simulators::moysklad::{Account, Id, Kind, NewOrder, NewProduct, Value as Field};

use crate::orders::{line, shop};
use crate::world::{Ask, World};

/// A service, a set and a modification of a product.
fn others(account: &mut Account, product: Id) -> [Id; 3] {
    let size = account.add_characteristic("Размер");
    [
        account.add_named(Kind::Service, "Шиномонтаж"),
        account.add_bundle("Набор для ТО", &[(product, "2")]),
        account.add_variant(product, &[(size, "XL")]),
    ]
}

/// A shop with one price list of an account with a part, and more that `fill` enters.
fn shop_of<T>(fill: impl FnOnce(&mut Account, Id) -> T) -> (World, Json, T) {
    let mut account = Account::empty();
    let part = NewProduct::new("Фильтр").code("MAHLE A1").article("A1");
    let part = account.add_product(part);
    let store = account.home.store;
    account.set_stock(part, store, "5");
    let more = fill(&mut account, part);
    let world = World::of(account);
    world.load("warehouses", json!([{ "key": "main", "name": "Главный" }]));
    let lists = json!({ "price_lists": [
        { "price_list": "main", "store": store.to_string(), "minutes": 5 },
    ]});
    (world, lists, more)
}

fn card(world: &World) -> Json {
    world.record("products", "sku", "A1")
}

/// What lies there of a card by itself (empty) and of each of its variants, by article.
fn on_hand(world: &World) -> Vec<(String, String)> {
    let card = card(world);
    let sku = |key: &Json| {
        let variants = card["variants"].as_array().expect("variants").iter();
        let mut named = variants.filter(|variant| variant["key"] == *key);
        let variant = named.next().expect("a variant of the card");
        variant["sku"].as_str().unwrap_or_default().to_owned()
    };
    let levels = world.records("stock").into_iter();
    let levels = levels.filter(|level| level["product"] == card["key"]);
    let mut levels: Vec<(String, String)> = levels
        .map(|level| {
            let variant = &level["product_variant"];
            let name = if variant.is_null() {
                String::new()
            } else {
                sku(variant)
            };
            let number = crate::world::decimal(&level["on_hand"]);
            (name, number.normalize().to_string())
        })
        .collect();
    levels.sort();
    levels
}

fn level(variant: &str, on_hand: &str) -> (String, String) {
    (variant.to_owned(), on_hand.to_owned())
}

fn modified(account: &mut Account, part: Id) -> [Id; 2] {
    let size = account.add_characteristic("Размер");
    ["M", "L"].map(|value| {
        let variant = account.add_variant(part, &[(size, value)]);
        account.set_text(variant, "article", &format!("A1-{value}"));
        variant
    })
}

fn at_once() -> Ask {
    Ask {
        argument: Some("main".to_owned()),
        ..Ask::default()
    }
}

#[test]
fn a_set_with_code_and_article_is_a_card_without_a_level_of_its_own() {
    let (world, lists, set) = shop_of(|account, part| {
        let set = account.add_bundle("Набор для ТО", &[(part, "2")]);
        account.set_text(set, "code", "MAHLE KIT1");
        account.set_text(set, "article", "KIT1");
        set
    });
    world.run("products", json!({})).clean();
    let set_card = world.record("products", "sku", "KIT1");
    assert_eq!(
        ("bundle", "MAHLE"),
        (
            set_card["kind"].as_str().expect("a kind"),
            set_card["brand"].as_str().expect("a brand"),
        )
    );
    assert_eq!("good", card(&world)["kind"]);
    // What the platform works out for the set stays.
    world.load(
        "stock",
        json!([{
            "product": set_card["key"], "warehouse": "main",
            "on_hand": "2", "reserved": "0", "available": "2",
        }]),
    );
    for _ in 0..2 {
        world.ask("stock", lists.clone(), &at_once()).clean();
    }
    let levels = world.records("stock").into_iter();
    let of_set = levels.filter(|level| level["product"] == set_card["key"]);
    let of_set: Vec<Json> = of_set.map(|level| level["on_hand"].clone()).collect();
    assert_eq!(vec![json!("2")], of_set);

    world.sim.account(|account| {
        account.wait(SignedDuration::from_hours(1));
        account.set_text(set, "name", "Набор для большого ТО");
    });
    world.run("changes", json!({})).clean();
    let renamed = world.record("products", "sku", "KIT1");
    assert_eq!("Набор для большого ТО", renamed["name"]);
    world.sim.account(|account| account.delete(set));
    world.run("products", json!({})).clean();
    assert_eq!(true, world.record("products", "sku", "KIT1")["archived"]);
    assert_eq!(false, card(&world)["archived"]);
}

#[test]
fn modifications_are_variants_with_their_own_stock_which_adds_up_on_the_card() {
    let (world, lists, [medium, large]) = shop_of(|account, part| {
        let both = modified(account, part);
        account.set_stock(both[0], account.home.store, "2");
        account.set_stock(both[1], account.home.store, "3");
        both
    });
    world.run("products", json!({})).clean();
    let variants = card(&world)["variants"]
        .as_array()
        .expect("variants")
        .clone();
    let skus: Vec<&str> = variants
        .iter()
        .filter_map(|one| one["sku"].as_str())
        .collect();
    assert_eq!(2, skus.len());
    assert!(skus.contains(&"A1-M") && skus.contains(&"A1-L"), "{skus:?}");
    let size = &variants[0]["characteristics"][0];
    assert_eq!("Размер", size["name"]);
    world.ask("stock", lists.clone(), &at_once()).clean();
    assert_eq!(
        vec![level("", "10"), level("A1-L", "3"), level("A1-M", "2")],
        on_hand(&world)
    );

    // One of them changes.
    world
        .sim
        .account(|account| account.set_stock(large, account.home.store, "1"));
    world.ask("stock", lists.clone(), &at_once()).clean();
    assert_eq!(
        vec![level("", "8"), level("A1-L", "1"), level("A1-M", "2")],
        on_hand(&world)
    );

    // A modification alone is changed, and one is gone.
    world.sim.account(|account| {
        account.wait(SignedDuration::from_hours(1));
        account.set_text(medium, "article", "A1-MM");
    });
    world.run("changes", json!({})).clean();
    let skus: Vec<Json> = (card(&world)["variants"]
        .as_array()
        .expect("variants")
        .iter())
    .map(|one| one["sku"].clone())
    .collect();
    assert!(skus.contains(&json!("A1-MM")), "{skus:?}");
    world.sim.account(|account| account.delete(large));
    world.run("products", json!({})).clean();
    assert_eq!(
        1,
        card(&world)["variants"].as_array().expect("variants").len()
    );
    let run = world.run("products", json!({})).clean();
    assert_eq!((0, 0, 1, 0), run.counts(), "nothing is written again");
}

#[test]
fn an_order_of_a_modification_and_a_set_names_just_those() {
    let shop = shop();
    let [part, _] = shop.parts;
    let (variant, set) = shop.world.sim.account(|account| {
        let size = account.add_characteristic("Размер");
        let variant = account.add_variant(part, &[(size, "XL")]);
        let set = account.add_bundle("Набор", &[(part, "2")]);
        account.set_text(set, "code", "MAHLE KIT1");
        account.set_text(set, "article", "KIT1");
        (variant, set)
    });
    shop.world.run("products", json!({})).clean();
    let modified = shop.world.record("products", "key", &shop.keys[0]);
    let set_card = shop.world.record("products", "sku", "KIT1");
    let mut first = line("1", &shop.keys[0], "2", "100");
    first["product_variant"] = modified["variants"][0]["key"].clone();
    let second = line("2", set_card["key"].as_str().expect("a key"), "1", "500");
    let third = line("3", &shop.keys[0], "1", "90");
    shop.order("42", json!([first, second, third]));
    shop.world.run("orders", json!({})).clean();
    let items: Vec<Id> = shop
        .positions()
        .into_iter()
        .map(|(_, _, item)| item)
        .collect();
    assert_eq!(vec![variant, set, part], items);
}

#[test]
fn a_service_is_no_card() {
    let (world, _, _) = shop_of(|account, _| account.add_named(Kind::Service, "Шиномонтаж"));
    world.run("products", json!({})).clean();
    assert_eq!(1, world.records("products").len());
}

#[test]
fn a_credential_that_may_not_see_services_still_gets_all_cards() {
    let mut account = Account::empty();
    account.add_product(NewProduct::new("A").code("MAHLE A1").article("A1"));
    let world = World::of(account);
    for kind in ["service", "bundle", "variant"] {
        let rule = Rule::new(Fault::Status(403)).on(&format!("GET /entity/{kind}"));
        world.sim.faults().add(rule);
    }
    world.run("products", json!({})).clean();
    assert_eq!(1, world.records("products").len());
}

#[test]
fn a_webhook_about_a_service_asks_for_nothing() {
    let world = World::of(Account::empty());
    let event = json!({ "events": [{
        "meta": {
            "type": "service",
            "href": "https://api.moysklad.ru/api/remap/1.2/entity/service/7d6f8c02-1f4c-4a4b-9d0e-000000000001",
        },
        "action": "DELETE",
    }]});
    assert!(world.receive(&event.to_string(), json!({})).is_empty());
}

#[test]
fn positions_with_services_sets_and_modifications_that_people_enter_stay_as_they_are() {
    let shop = shop();
    let [part, _] = shop.parts;
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    shop.world.run("orders", json!({})).clean();
    let entered = shop.world.sim.account(|account| {
        let order = account.all(Kind::CustomerOrder)[0].id;
        let agent = account.get(order).refers("agent").expect("an agent").id;
        let all = others(account, part);
        let sample = all.iter().fold(NewOrder::of(agent), |order, item| {
            order.line(*item, "3", "55")
        });
        let sample = account.add_order(sample);
        let rows = account.get(sample).rows("positions").to_vec();
        account.delete(sample);
        account.change(order, |record| {
            let mut all = record.rows("positions").to_vec();
            all.extend(rows);
            record.set("positions", Field::Rows(all));
        });
        all
    });
    shop.order(
        "42",
        json!([
            line("1", &shop.keys[0], "2", "100"),
            line("2", &shop.keys[1], "1", "60")
        ]),
    );
    shop.world.run("orders", json!({})).clean();
    let positions = shop.positions();
    assert_eq!(5, positions.len(), "{positions:?}");
    for item in entered {
        let kept = ("3".to_owned(), "55".to_owned(), item);
        assert!(positions.contains(&kept), "{positions:?}");
    }
}
