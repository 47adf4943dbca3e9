//! Whose the parts of a record are, and what each account and people may do to them.

use serde_json::{Value, json};
use tenon_host::model::{
    Attribute, Charge, Delivery, Effect, Image, Order, OrderFields, OrderLookup, Payment, Price,
    Product, ProductFields, ProductVariant,
};

use crate::support::{Shop, effect, line, order, product, reason};

const ORDER: &str = "keycrm:k1:order:7";
const OTHER: &str = "moysklad:m1:customerorder:9";

/// The order as KeyCRM tells it: two lines, 120 in all.
fn told() -> Order {
    Order {
        lines: vec![line("1", "1", "100"), line("2", "2", "10")],
        ..order(ORDER)
    }
}

fn with_note(text: &str) -> Order {
    Order {
        attributes: vec![attribute("note", text)],
        ..told()
    }
}

fn attribute(name: &str, value: &str) -> Attribute {
    Attribute {
        name: name.into(),
        value: value.into(),
        ..Attribute::default()
    }
}

/// What people do with a record: they read it, change it, and load it.
async fn edit(shop: &Shop, kind: &str, change: impl FnOnce(&mut Value)) {
    let mut record = shop.all(kind).remove(0);
    change(&mut record);
    assert_eq!(1, shop.load(kind, record).await.updated);
}

fn push(list: &mut Value, part: Value) {
    list.as_array_mut().unwrap().push(part);
}

fn names<'a>(list: &'a Value, name: &str) -> Vec<&'a str> {
    let parts = list.as_array().unwrap().iter();
    parts.map(|part| part[name].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_people_entered_on_an_order_stays_when_its_source_changes() {
    let shop = Shop::new();
    shop.load("accounts", json!({ "key": "cash", "name": "Cash" }))
        .await;
    shop.save_order(with_note("one")).await.unwrap();
    assert_eq!("120.00", shop.all("orders")[0]["total"]);
    edit(&shop, "orders", |order| {
        push(
            &mut order["lines"],
            json!({ "id": "own", "name": "Bag", "quantity": "1", "price": "15" }),
        );
        push(
            &mut order["charges"],
            json!({ "name": "Gift wrap", "amount": "10" }),
        );
        push(
            &mut order["payments"],
            json!({ "account": "cash", "amount": "50" }),
        );
        order["delivery"] = json!({ "address": "Lviv", "cost": "50" });
    })
    .await;
    assert_eq!("195.00", shop.all("orders")[0]["total"]);

    let saved = shop.save_order(with_note("two")).await.unwrap();
    let changed: Vec<_> = saved.changes.iter().map(|change| &change.field).collect();
    assert_eq!(vec!["attributes"], changed);
    let after = shop.all("orders").remove(0);
    assert_eq!("195.00", after["total"]);
    assert_eq!("50", after["payments"][0]["amount"]);
    assert_eq!("Lviv", after["delivery"]["address"]);
    assert_eq!("two", after["attributes"][0]["value"]);

    // A line changes and another goes there: those of people are as they were.
    let mut fewer = with_note("two");
    fewer.lines = vec![line("2", "3", "10")];
    shop.save_order(fewer).await.unwrap();
    let after = shop.all("orders").remove(0);
    assert_eq!(vec!["2", "own"], names(&after["lines"], "id"));
    assert_eq!("105.00", after["total"]);
}

#[tokio::test]
async fn each_account_replaces_its_own_parts_alone() {
    let shop = Shop::new();
    let charge = |origin: Option<&str>, name: &str| Charge {
        origin: origin.map(Into::into),
        name: name.into(),
        amount: "1".parse().unwrap(),
    };
    let with = |origin: &str, key: Option<&str>, charges: Vec<Charge>| Order {
        key: key.map(Into::into),
        charges,
        ..order(origin)
    };
    let key = shop
        .save_order(with(
            ORDER,
            None,
            vec![charge(None, "tax"), charge(None, "fee")],
        ))
        .await
        .unwrap()
        .key;
    let key = Some(key.as_str());
    let fields = OrderFields::CHARGES;
    let theirs = with(OTHER, key, vec![charge(None, "packing")]);
    shop.save_order_fields(theirs, fields).await.unwrap();
    let shown = || shop.all("orders").remove(0)["charges"].clone();
    assert_eq!(vec!["tax", "fee", "packing"], names(&shown(), "name"));
    assert_eq!(ORDER, shown()[0]["origin"]);
    assert_eq!(OTHER, shown()[2]["origin"]);

    shop.save_order_fields(with(ORDER, None, vec![charge(None, "fee")]), fields)
        .await
        .unwrap();
    assert_eq!(vec!["fee", "packing"], names(&shown(), "name"));
    shop.save_order_fields(with(OTHER, key, Vec::new()), fields)
        .await
        .unwrap();
    assert_eq!(vec!["fee"], names(&shown(), "name"));
    // Another account of the same system is another owner, too.
    let second = with("keycrm:k2:order:7", key, Vec::new());
    shop.save_order_fields(second, fields).await.unwrap();
    assert_eq!(vec!["fee"], names(&shown(), "name"));
}

#[tokio::test]
async fn lines_of_the_shops_people_take_what_a_two_way_exchange_says_and_stay_theirs() {
    let shop = Shop::new();
    shop.load(
        "cancel-reasons",
        json!({ "key": "none", "name": "Not in stock" }),
    )
    .await;
    shop.load(
        "orders",
        json!({ "key": "5", "currency": "UAH", "lines": [
            { "id": "1", "name": "Cup", "quantity": "2", "price": "10" },
            { "id": "2", "name": "Mug", "quantity": "1", "price": "20" },
        ] }),
    )
    .await;
    // It reads the order and gives it back with what happened there, under its document's origin.
    let exchange = async |origin: Option<&str>, change: &dyn Fn(&mut Order)| {
        let mut unit = shop.unit().await;
        let found = unit.find_orders(vec![OrderLookup::Key("5".into())]).await;
        let mut order = found.unwrap().remove(0).unwrap();
        order.origin = origin.map(Into::into);
        change(&mut order);
        shop.save_order_fields(order, OrderFields::LINES)
            .await
            .unwrap()
    };
    for origin in [Some(OTHER), None] {
        let saved = exchange(origin, &|order| {
            order.lines[0].reserved = "2".parse().unwrap();
            order.lines[1].refused = true;
            order.lines[1].cancel_reason = Some("none".into());
        })
        .await;
        assert_eq!(Effect::Updated, saved.effect);
        let lines = shop.all("orders").remove(0)["lines"].clone();
        assert_eq!(
            ("2", json!(true)),
            (
                lines[0]["reserved"].as_str().unwrap(),
                lines[1]["refused"].clone()
            )
        );
        assert_eq!(
            [json!(null), json!(null)],
            [lines[0]["origin"].clone(), lines[1]["origin"].clone()]
        );
        // What it does not name any more goes on, for it is not its own.
        exchange(origin, &|order| {
            order.lines.remove(1);
            order.lines[0].reserved = "0".parse().unwrap();
        })
        .await;
        let lines = shop.all("orders").remove(0)["lines"].clone();
        assert_eq!(vec!["1", "2"], names(&lines, "id"));
        exchange(origin, &|order| {
            order.lines[1].refused = false;
            order.lines[1].cancel_reason = None;
        })
        .await;
    }
}

#[tokio::test]
async fn a_new_part_that_would_be_nobodys_is_refused_with_its_place() {
    let shop = Shop::new();
    let key = shop.save_order(told()).await.unwrap().key;
    let mut given = Order {
        key: Some(key.clone()),
        origin: None,
        ..told()
    };
    given.lines.push(line("3", "1", "5"));
    let before = shop.all("orders");
    let why = reason(shop.save_order(given.clone()).await);
    assert!(why.contains("lines[2]"), "{why}");
    assert_eq!(before, shop.all("orders"));
    // It may bring an origin of its own.
    given.lines[2].origin = Some("keycrm:k1:line:3".into());
    shop.save_order(given).await.unwrap();
    let lines = shop.all("orders").remove(0)["lines"].clone();
    assert_eq!(vec!["1", "2", "3"], names(&lines, "id"));
    assert_eq!(ORDER, lines[0]["origin"]);

    // A new record without an origin is the people's, and so are its parts.
    let mut strange = told();
    strange.origin = None;
    shop.save_order(strange).await.unwrap();
    assert_eq!(json!(null), shop.all("orders")[1]["lines"][0]["origin"]);
}

#[tokio::test]
async fn a_delivery_changes_through_its_owner_alone() {
    let shop = Shop::new();
    let delivery = |address: &str| {
        Some(Delivery {
            address: Some(address.into()),
            ..Delivery::default()
        })
    };
    let told = |address: Option<&str>| Order {
        delivery: address.and_then(delivery),
        ..order(ORDER)
    };
    let address = || shop.all("orders").remove(0)["delivery"]["address"].clone();
    let key = shop.save_order(told(Some("Kyiv"))).await.unwrap().key;
    let theirs = Order {
        key: Some(key),
        delivery: delivery("Odesa"),
        ..order(OTHER)
    };
    let saved = shop.save_order_fields(theirs, OrderFields::DELIVERY).await;
    assert_eq!(Effect::Unchanged, effect(&saved));
    assert_eq!("Kyiv", address());
    shop.save_order(told(Some("Lviv"))).await.unwrap();
    assert_eq!("Lviv", address());
    shop.save_order(told(None)).await.unwrap();
    assert_eq!(json!(null), address());

    edit(&shop, "orders", |order| {
        order["delivery"] = json!({ "address": "Own" })
    })
    .await;
    for told in [told(Some("Rivne")), told(None)] {
        shop.save_order(told).await.unwrap();
        assert_eq!("Own", address());
    }
}

#[tokio::test]
async fn payments_of_the_source_come_and_go_beside_those_of_people() {
    let shop = Shop::new();
    let payment = |origin: Option<&str>, amount: &str| Payment {
        origin: origin.map(Into::into),
        amount: amount.parse().unwrap(),
        ..Payment::default()
    };
    let with = |payments: Vec<Payment>| Order {
        payments,
        ..order(ORDER)
    };
    let first = Some("keycrm:k1:payment:1");
    shop.save_order(with(vec![
        payment(first, "10"),
        payment(None, "5"),
        payment(None, "5"),
    ]))
    .await
    .unwrap();
    edit(&shop, "orders", |order| {
        push(&mut order["payments"], json!({ "amount": "70" }))
    })
    .await;
    let amounts = || {
        let order = shop.all("orders").remove(0);
        let amounts = names(&order["payments"], "amount");
        amounts.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(["10", "5", "5", "70"].as_slice(), amounts());
    shop.save_order(with(vec![payment(first, "11"), payment(None, "5")]))
        .await
        .unwrap();
    assert_eq!(["11", "5", "70"].as_slice(), amounts());
    shop.save_order(with(Vec::new())).await.unwrap();
    assert_eq!(["70"].as_slice(), amounts());
}

#[tokio::test]
async fn prices_pictures_and_attributes_of_a_product_have_owners_and_its_variants_prices_too() {
    let shop = Shop::new();
    let types = json!([
        { "key": "retail", "name": "Retail" },
        { "key": "own", "name": "Own" },
        { "key": "bulk", "name": "Bulk" },
    ]);
    shop.load("price-types", types).await;
    let price = |kind: &str, amount: &str| Price {
        price_type: kind.into(),
        value: tenon_host::model::Money {
            amount: amount.parse().unwrap(),
            currency: "UAH".into(),
        },
        ..Price::default()
    };
    let told = |prices: Vec<Price>| Product {
        prices: prices.clone(),
        attributes: vec![attribute("colour", "red")],
        variants: vec![ProductVariant {
            origin: Some("moysklad:m1:variant:1".into()),
            name: "L".into(),
            prices,
            ..ProductVariant::default()
        }],
        ..product("moysklad:m1:product:1", "Cup")
    };
    let key = shop
        .save_product(told(vec![price("retail", "10"), price("bulk", "8")]))
        .await
        .unwrap()
        .key;
    let mut unit = shop.unit().await;
    let image = |name: &str| Image {
        file_name: name.into(),
        digest: name.into(),
        ..Image::default()
    };
    unit.save_image(key.clone(), image("theirs.png"), b"1".to_vec())
        .await
        .unwrap();
    unit.commit().await.unwrap();
    edit(&shop, "products", |product| {
        let own = json!({ "price_type": "own", "value": { "amount": "9", "currency": "UAH" } });
        push(&mut product["prices"], own.clone());
        push(&mut product["variants"][0]["prices"], own);
        push(
            &mut product["attributes"],
            json!({ "name": "shelf", "value": "A" }),
        );
        push(
            &mut product["images"],
            json!({ "file_name": "own.png", "digest": "x" }),
        );
    })
    .await;

    let mut changed = told(vec![price("retail", "11")]);
    changed.attributes = vec![attribute("colour", "blue")];
    shop.save_product_fields(changed, ProductFields::all())
        .await
        .unwrap();
    let after = shop.all("products").remove(0);
    assert_eq!(vec!["retail", "own"], names(&after["prices"], "price_type"));
    let of_variant = &after["variants"][0]["prices"];
    assert_eq!(vec!["retail", "own"], names(of_variant, "price_type"));
    assert_eq!("11", of_variant[0]["value"]["amount"]);
    assert_eq!(vec!["blue", "A"], names(&after["attributes"], "value"));
    // It named no picture: its own is gone, with its content, and that of people stays.
    assert_eq!(vec!["own.png"], names(&after["images"], "file_name"));
    let unit = shop.unit().await.read_image(key, "theirs.png".into()).await;
    assert!(unit.is_err());
}

#[tokio::test]
async fn a_picture_keeps_its_owner_whoever_renews_it() {
    let shop = Shop::new();
    let key = shop
        .save_product(product("moysklad:m1:product:1", "Cup"))
        .await
        .unwrap()
        .key;
    edit(&shop, "products", |product| {
        push(
            &mut product["images"],
            json!({ "file_name": "a.png", "digest": "own" }),
        );
    })
    .await;
    let mut unit = shop.unit().await;
    let image = Image {
        origin: Some("moysklad:m1:product:1".into()),
        file_name: "a.png".into(),
        digest: "new".into(),
    };
    let saved = unit.save_image(key, image, b"1".to_vec()).await.unwrap();
    unit.commit().await.unwrap();
    assert_eq!("images", saved.changes[0].field);
    let shown = shop.all("products").remove(0)["images"].clone();
    assert_eq!(
        json!([{ "origin": null, "file_name": "a.png", "digest": "new" }]),
        shown
    );
}

#[tokio::test]
async fn people_speak_for_the_whole_record_and_leave_owners_as_they_are() {
    let shop = Shop::new();
    shop.save_order(told()).await.unwrap();
    let key = shop.all("orders")[0]["key"].clone();
    // As people write it by hand, without origins.
    let lines = json!([{ "id": "2", "name": "Mug", "quantity": "9", "price": "10" },
                       { "id": "own", "name": "Bag", "quantity": "1", "price": "15" }]);
    shop.load(
        "orders",
        json!({ "key": key, "currency": "UAH", "lines": lines }),
    )
    .await;
    let shown = || shop.all("orders").remove(0)["lines"].clone();
    assert_eq!(vec!["2", "own"], names(&shown(), "id"));
    assert_eq!(
        [json!(ORDER), json!(null)],
        [shown()[0]["origin"].clone(), shown()[1]["origin"].clone()]
    );
    // So its source still takes it away.
    let mut fewer = told();
    fewer.lines.pop();
    shop.save_order(fewer).await.unwrap();
    assert_eq!(vec!["own"], names(&shown(), "id"));
}

#[tokio::test]
async fn the_first_save_after_the_upgrade_takes_what_was_nobodys() {
    let shop = Shop::new();
    shop.save_order(told()).await.unwrap();
    shop.load(
        "orders",
        json!({ "key": "own", "currency": "UAH", "lines": [
        { "id": "1", "name": "Cup", "quantity": "1", "price": "1" }] }),
    )
    .await;
    // As an earlier version has left it.
    let db = rusqlite::Connection::open(shop.file()).unwrap();
    db.execute_batch(
        "UPDATE orders SET said = NULL, doc = replace(doc, '\"origin\":\"keycrm:k1:order:7\",', '')",
    )
    .unwrap();
    drop(db);
    assert_eq!(json!(null), shop.all("orders")[0]["lines"][0]["origin"]);
    // Nothing has changed since, so nothing is told; but whose they are is known from now on.
    let version = shop.all("orders")[0]["version"].clone();
    let saved = shop.save_order(told()).await;
    assert_eq!(Effect::Unchanged, effect(&saved));
    let shown = shop.all("orders").remove(0);
    assert_eq!(
        (&json!(ORDER), &version),
        (&shown["lines"][0]["origin"], &shown["version"])
    );
    let mut fewer = told();
    fewer.lines.pop();
    shop.save_order(fewer).await.unwrap();
    assert_eq!(vec!["1"], names(&shop.all("orders")[0]["lines"], "id"));
    // What no account has saved stays people's.
    assert_eq!(json!(null), shop.all("orders")[1]["lines"][0]["origin"]);
}

#[tokio::test]
async fn a_picture_that_came_by_itself_goes_when_its_source_names_its_list_without_it() {
    let shop = Shop::new();
    let image = |name: &str| Image {
        file_name: name.into(),
        digest: name.into(),
        ..Image::default()
    };
    let given = |names: &[&str]| Product {
        images: names.iter().map(|name| image(name)).collect(),
        ..product("moysklad:m1:product:1", "Cup")
    };
    let key = shop.save_product(given(&["a.png"])).await.unwrap().key;
    let mut unit = shop.unit().await;
    unit.save_image(key.clone(), image("b.png"), b"2".to_vec())
        .await
        .unwrap();
    unit.commit().await.unwrap();
    // The list is the one that it named last, before the second picture came.
    shop.save_product_fields(given(&["a.png"]), ProductFields::IMAGES)
        .await
        .unwrap();
    let shown = shop.all("products").remove(0)["images"].clone();
    assert_eq!(vec!["a.png"], names(&shown, "file_name"));
    let gone = shop.unit().await.read_image(key, "b.png".into()).await;
    assert!(gone.is_err());
}

#[tokio::test]
async fn a_part_that_people_name_otherwise_becomes_theirs() {
    let shop = Shop::new();
    let given = |comment: &str, fee: &str| {
        let charge = |name: &str, amount: &str| Charge {
            name: name.into(),
            amount: amount.parse().unwrap(),
            ..Charge::default()
        };
        Order {
            comment: Some(comment.into()),
            charges: vec![charge("tax", "5"), charge("fee", fee)],
            ..order(ORDER)
        }
    };
    shop.save_order(given("one", "1")).await.unwrap();
    edit(&shop, "orders", |order| {
        order["charges"][0]["name"] = json!("VAT");
    })
    .await;
    shop.save_order(given("two", "2")).await.unwrap();
    let shown = shop.all("orders").remove(0)["charges"].clone();
    assert_eq!(vec!["VAT", "fee"], names(&shown, "name"));
    assert_eq!(json!(null), shown[0]["origin"]);
    assert_eq!("2", shown[1]["amount"]);
}

#[tokio::test]
async fn what_people_add_to_a_record_from_before_stays_theirs() {
    let shop = Shop::new();
    shop.save_order(told()).await.unwrap();
    let db = rusqlite::Connection::open(shop.file()).unwrap();
    db.execute_batch(
        "UPDATE orders SET said = NULL, doc = replace(doc, '\"origin\":\"keycrm:k1:order:7\",', '')",
    )
    .unwrap();
    drop(db);
    edit(&shop, "orders", |order| {
        push(
            &mut order["lines"],
            json!({ "id": "own", "name": "Bag", "quantity": "1", "price": "15" }),
        );
    })
    .await;
    let mut fewer = told();
    fewer.lines.pop();
    shop.save_order(fewer).await.unwrap();
    let shown = shop.all("orders").remove(0)["lines"].clone();
    assert_eq!(vec!["1", "own"], names(&shown, "id"));
}
