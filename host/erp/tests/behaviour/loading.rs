use serde_json::json;
use tenon_erp::{Kind, Loaded};
use tenon_host::model::{Directory, OrderLookup};

use crate::support::{Shop, order, order_json, product};

#[tokio::test]
async fn a_loaded_record_keeps_its_key_and_is_replaced_by_it() {
    let shop = Shop::new();
    let given = json!([
        { "key": "42", "name": "Cup", "sku": "C-1" },
        { "key": "mug", "name": "Mug" },
    ]);
    let loaded = shop.load("products", given.clone()).await;
    assert_eq!(
        loaded,
        Loaded {
            created: 2,
            updated: 0,
            unchanged: 0
        }
    );
    assert_eq!(shop.load("products", given).await.unchanged, 2);
    let replaced = shop
        .load("products", json!({ "key": "42", "name": "Cup" }))
        .await;
    assert_eq!(replaced.updated, 1);
    let products = shop.all("products");
    assert_eq!(
        (&products[0]["key"], &products[0]["sku"]),
        (&json!("42"), &json!(null))
    );
    assert_eq!(products[1]["key"], "mug");
}

#[tokio::test]
async fn keys_that_people_chose_never_meet_those_that_follow() {
    let shop = Shop::new();
    shop.load(
        "orders",
        json!([order_json("500"), order_json("name"), order_json("007")]),
    )
    .await;
    let mut keys: Vec<String> = Vec::new();
    for n in 0..3 {
        keys.push(shop.save_order(order(&format!("o:{n}"))).await.unwrap().key);
    }
    assert_eq!(shop.all("orders").len(), 6);
    assert!(
        keys.iter().all(|key| key.parse::<i64>().unwrap() > 500),
        "{keys:?}"
    );
    let mut unit = shop.unit().await;
    let lookups = ["500", "name", "007", "7"].map(|key| OrderLookup::Key(key.into()));
    let found = unit.find_orders(lookups.to_vec()).await.unwrap();
    let found: Vec<_> = found.into_iter().map(|order| order?.key).collect();
    assert_eq!(
        found,
        [
            Some("500".into()),
            Some("name".into()),
            Some("007".into()),
            None
        ]
    );

    // Each directory has keys of its own.
    for kind in ["users", "order_stages"] {
        shop.load(
            kind,
            json!([{ "key": "1", "name": "One" }, { "key": "900", "name": "900" }]),
        )
        .await;
    }
    let next = shop.ensure(Directory::Users, "Olena", "u:1").await;
    assert!(next.parse::<i64>().unwrap() > 900);
    let too_big = shop
        .refused("orders", order_json("9000000000000000000"))
        .await;
    assert!(too_big.contains("cannot be a key"), "{too_big}");
}

#[tokio::test]
async fn a_number_is_a_key_of_its_own_whatever_row_a_named_record_has() {
    let shop = Shop::new();
    let named = ["0", "name", "1", "2", "3"].map(order_json);
    shop.load("orders", json!(named)).await;
    let again = shop.load("orders", json!(named)).await;
    assert_eq!((again.created, again.unchanged), (0, 5), "{again:?}");
    let saved = shop.save_order(order("o:1")).await.unwrap();
    let orders = shop.all("orders");
    let mut keys: Vec<&str> = (orders.iter())
        .map(|order| order["key"].as_str().unwrap())
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, ["0", "1", "2", "3", &saved.key, "name"]);

    shop.load("partners", json!([{ "key": "ivanov", "name": "Иванов" }]))
        .await;
    let unknown = json!({ "key": "4", "number": "4", "currency": "UAH", "partner": "1" });
    let reason = shop.refused("orders", unknown).await;
    assert!(
        reason.contains("partner"),
        "the row is not the key: {reason}"
    );
}

#[tokio::test]
async fn without_a_key_a_record_is_known_by_its_origin() {
    let shop = Shop::new();
    shop.save_product(product("p:1", "Cup")).await.unwrap();
    let given = json!([{ "origin": "p:1", "name": "Mug" }, { "name": "New" }]);
    let loaded = shop.load("products", given).await;
    assert_eq!(
        loaded,
        Loaded {
            created: 1,
            updated: 1,
            unchanged: 0
        }
    );
    shop.load("users", json!({ "origin": "u:1", "name": "Olena" }))
        .await;
    shop.load("users", json!({ "origin": "u:1", "name": "Olena K." }))
        .await;
    let users = shop.all("users");
    assert_eq!(users.len(), 1);
    assert_eq!(users[0]["name"], "Olena K.");
}

#[tokio::test]
async fn an_origin_outlives_a_load_that_does_not_name_it() {
    let shop = Shop::new();
    let key = shop.ensure(Directory::Users, "Olena", "u:1").await;
    shop.load("users", json!({ "key": key, "name": "Olena K." }))
        .await;
    assert_eq!(shop.ensure(Directory::Users, "Other", "u:1").await, key);
}

#[tokio::test]
async fn nothing_is_written_when_any_record_is_bad() {
    let shop = Shop::new();
    for bad in [
        json!([{ "name": "Cup" }, { "name": "" }]),
        json!([{ "name": "Cup" }, { "nmae": "Mug" }]),
        json!([{ "name": "Cup" }, { "name": "Mug", "category": "404" }]),
    ] {
        let why = shop.refused("products", bad).await;
        assert!(why.starts_with("record 2: "), "{why}");
        assert!(shop.all("products").is_empty());
    }
    // The failed loads hold nobody up.
    assert_eq!(
        shop.load("products", json!({ "name": "Cup" }))
            .await
            .created,
        1
    );
}

#[tokio::test]
async fn a_slip_of_the_pen_is_shown_with_its_place() {
    let shop = Shop::new();
    let lines = json!({ "currency": "UAH", "lines": [{ "id": "1", "price": "cheap" }] });
    let why = shop
        .refused("orders", json!([order_json("1"), lines]))
        .await;
    assert!(why.starts_with("record 2: lines[0].price: "), "{why}");
    assert!(why.contains("cheap"), "{why}");
    let misspelt = shop.refused("partners", json!({ "nmae": "Olena" })).await;
    assert!(misspelt.contains("unknown field `nmae`"), "{misspelt}");
    let number = shop.refused("orders", json!(5)).await;
    assert!(number.starts_with("record 1: "), "{number}");
}

#[tokio::test]
async fn every_directory_can_be_loaded_and_listed() {
    let shop = Shop::new();
    for directory in Directory::ALL {
        let kind = Kind::Entries(*directory).name();
        let entry = json!({
            "key": "k", "name": format!("In {kind}"), "code": "c", "origin": null, "archived": true,
            "organization": "main", "warehouse": null,
        });
        shop.load(&kind.replace('-', "_"), entry.clone()).await;
        assert_eq!(shop.all(kind), [entry]);
        let mut unit = shop.unit().await;
        assert_eq!(unit.list(*directory).await.unwrap()[0].key, "k");
    }
}

#[tokio::test]
async fn bindings_and_runs_are_not_for_loading() {
    let shop = Shop::new();
    for kind in ["bindings", "runs"] {
        assert!(shop.refused(kind, json!([])).await.contains(kind));
    }
}

#[tokio::test]
async fn what_is_shown_can_be_loaded_again_and_changes_nothing() {
    let shop = Shop::new();
    shop.load(
        "partners",
        json!({ "key": "p", "name": "Olena", "phones": ["0501112233"] }),
    )
    .await;
    shop.load("orders", json!([order_json("1"), order_json("2")]))
        .await;
    for kind in ["partners", "orders"] {
        let shown = shop.all(kind);
        let count = shown.len() as u64;
        assert_eq!(shop.load(kind, json!(shown)).await.unchanged, count);
        assert_eq!(shop.all(kind), shown);
    }
}
