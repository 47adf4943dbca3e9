//! What is in MoySklad's assortment and is no product: services, sets and modifications. None of
//! them is a card or an error.

use serde_json::json;
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

#[test]
fn services_sets_and_modifications_are_counted_and_are_no_cards() {
    let mut account = Account::empty();
    let part = NewProduct::new("Фильтр").code("MAHLE A1").article("A1");
    let part = account.add_product(part);
    let [_, _, variant] = others(&mut account, part);
    let store = account.home.store;
    account.set_stock(part, store, "5");
    account.set_stock(variant, store, "2");
    let world = World::of(account);
    let run = world.run("products", json!({})).clean();
    assert_eq!(1, world.records("products").len());
    for what in ["1 services", "1 sets", "1 modifications"] {
        assert!(run.logged(&[what, "no cards"]), "{what}: {run:#?}");
    }

    world.load("warehouses", json!([{ "key": "main", "name": "Главный" }]));
    let lists = json!({ "price_lists": [{ "price_list": "main", "store": store.to_string() }] });
    let ask = Ask {
        argument: Some("main".to_owned()),
        ..Ask::default()
    };
    let run = world.ask("stock", lists, &ask).clean();
    assert!(
        run.logged(&["1 levels set", "1 products unknown"]),
        "{run:#?}"
    );
    assert_eq!("5", world.records("stock")[0]["on_hand"]);
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
