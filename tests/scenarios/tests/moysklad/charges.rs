//! What an order costs on top of its goods, and in which money.

use serde_json::{Value, json};
use tenon_simulators::moysklad::{Id, Kind, Value as Field};

use crate::orders::{Shop, line, shop};
use crate::world::setting;

/// An order with delivery and gift wrap.
fn order(shop: &Shop, delivery: &str, lines: Value) {
    shop.order("42", lines);
    shop.world.edit(
        "orders",
        "42",
        json!({
            "delivery": { "cost": delivery },
            "charges": [{ "name": "Упаковка", "amount": "49.50" }],
        }),
    );
}

fn service(shop: &Shop) -> (Id, Value) {
    let service = shop
        .world
        .sim
        .account(|account| account.add_named(Kind::Service, "Доставка"));
    let settings = json!({ "delivery_service": service.to_string(), "delete_refused": true });
    (service, settings)
}

/// Price and item of the only order's positions.
fn positions(shop: &Shop) -> Vec<(String, Id)> {
    let positions = shop.positions().into_iter();
    positions.map(|(_, price, item)| (price, item)).collect()
}

#[test]
fn delivery_and_charges_are_a_position_with_the_chosen_service() {
    let shop = shop();
    let [a, _] = shop.parts;
    let (service, settings) = service(&shop);
    let choices = shop.world.choices("services");
    assert_eq!(vec![(service.to_string(), "Доставка".to_owned())], choices);

    let goods = json!([line("1", &shop.keys[0], "2", "100")]);
    order(&shop, "300", goods.clone());
    shop.world.run("orders", settings.clone()).clean();
    let made = vec![("100".to_owned(), a), ("349.5".to_owned(), service)];
    assert_eq!(made, positions(&shop));
    let sum = |shop: &Shop| {
        let sums = shop.world.objects(Kind::CustomerOrder, |_, order| {
            order.number("sum").normalize().to_string()
        });
        sums.into_iter().next().expect("an order")
    };
    assert_eq!("54950", sum(&shop), "what the shop shows, in kopecks");
    shop.world.sim.reset_counts();
    shop.world.run("orders", settings.clone()).clean();
    assert_eq!(0, shop.world.writes());

    order(&shop, "500", goods.clone());
    shop.world.run("orders", settings.clone()).clean();
    assert_eq!(("549.5".to_owned(), service), positions(&shop)[1]);

    // Somebody fetches it, and it needs no wrap.
    shop.order("42", goods);
    shop.world.run("orders", settings).clean();
    assert_eq!(vec![("100".to_owned(), a)], positions(&shop));
}

#[test]
fn with_the_last_of_the_goods_delivery_is_refused_too() {
    let shop = shop();
    let (_, settings) = service(&shop);
    let mut goods = json!([line("1", &shop.keys[0], "2", "100")]);
    order(&shop, "300", goods.clone());
    shop.world.run("orders", settings.clone()).clean();
    assert_eq!(2, shop.positions().len());
    goods[0]["refused"] = json!(true);
    order(&shop, "300", goods);
    shop.world.run("orders", settings).clean();
    assert!(shop.positions().is_empty());
}

#[test]
fn without_a_service_the_order_is_sent_and_the_log_says_what_is_missing() {
    let shop = shop();
    order(&shop, "300", json!([line("1", &shop.keys[0], "2", "100")]));
    let run = shop.world.run("orders", json!({})).clean();
    assert_eq!(1, shop.positions().len());
    let mut lines = run.log.iter();
    let line = lines.find(|line| line.why.as_ref().and_then(setting) == Some("delivery_service"));
    assert_eq!(Some("42"), line.and_then(|line| line.record.as_deref()));
}

#[test]
fn an_order_in_another_currency_names_it_or_waits_until_moysklad_has_it() {
    let shop = shop();
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    shop.world
        .edit("orders", "42", json!({ "currency": "USD" }));
    let run = shop.world.run("orders", json!({}));
    assert!(run.reason("42").contains("currency USD"), "{run:#?}");
    assert_eq!(0, shop.world.objects(Kind::CustomerOrder, |_, _| ()).len());

    let dollar = shop.world.sim.account(|account| {
        let text = |text: &str| Field::Text(text.to_owned());
        account.add(Kind::Currency, |record| {
            record.set("name", text("доллар"));
            record.set("code", text("840"));
            record.set("isoCode", text("USD"));
        })
    });
    shop.world.run("orders", json!({})).clean();
    let rates = shop
        .world
        .objects(Kind::CustomerOrder, |_, order| match order.get("rate") {
            Some(Field::Rate(rate)) => rate.currency,
            other => panic!("{other:?}"),
        });
    assert_eq!(vec![dollar], rates);
}
