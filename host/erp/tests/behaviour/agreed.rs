//! A save writes only what changed at its source since the account's last save of the record.

use serde_json::json;
use tenon_host::model::{
    Category, Effect, Fault, Order, OrderFields, Partner, PartnerFields, Product, ProductFields,
};

use crate::support::{Shop, effect, line, only, order, partner, product};

const ORDER: &str = "keycrm:k1:order:7";

fn told(manager: &str, comment: &str) -> Order {
    Order {
        manager: Some(manager.into()),
        comment: Some(comment.into()),
        ..order(ORDER)
    }
}

async fn shop() -> Shop {
    let shop = Shop::new();
    let users = json!([{ "key": "ann", "name": "Ann" }, { "key": "bob", "name": "Bob" },
                       { "key": "cid", "name": "Cid" }]);
    shop.load("users", users).await;
    shop
}

/// People change a field of the only order.
async fn set(shop: &Shop, field: &str, value: serde_json::Value) {
    let mut order = shop.all("orders").remove(0);
    order[field] = value;
    assert_eq!(1, shop.load("orders", order).await.updated);
}

fn field(shop: &Shop, field: &str) -> serde_json::Value {
    shop.all("orders").remove(0)[field].clone()
}

#[tokio::test]
async fn what_people_changed_stays_while_the_source_says_the_same() {
    let shop = shop().await;
    shop.save_order(told("ann", "one")).await.unwrap();
    set(&shop, "manager", json!("bob")).await;
    let saved = shop.save_order(told("ann", "two")).await.unwrap();
    assert_eq!(vec!["comment"], fields(&saved));
    assert_eq!(json!("bob"), field(&shop, "manager"));
    // The source changes, and so does the order.
    shop.save_order(told("cid", "two")).await.unwrap();
    assert_eq!(json!("cid"), field(&shop, "manager"));
    // And back to what it once said: that is news again.
    shop.save_order(told("ann", "two")).await.unwrap();
    assert_eq!(json!("ann"), field(&shop, "manager"));
}

fn fields(saved: &tenon_host::model::Saved) -> Vec<&str> {
    let changes = saved.changes.iter();
    changes.map(|change| change.field.as_str()).collect()
}

#[tokio::test]
async fn both_sides_that_came_to_the_same_by_themselves_agree() {
    let shop = shop().await;
    shop.save_order(told("ann", "one")).await.unwrap();
    set(&shop, "manager", json!("bob")).await;
    let before = shop.all("orders");
    let saved = shop.save_order(told("bob", "one")).await;
    assert_eq!(Effect::Unchanged, effect(&saved));
    assert_eq!(before, shop.all("orders"), "nor does its version change");
    set(&shop, "manager", json!("cid")).await;
    shop.save_order(told("bob", "two")).await.unwrap();
    assert_eq!(json!("cid"), field(&shop, "manager"));
}

#[tokio::test]
async fn a_new_account_says_everything_for_the_first_time() {
    let shop = shop().await;
    let key = shop.save_order(told("ann", "one")).await.unwrap().key;
    set(&shop, "manager", json!("bob")).await;
    let other = Order {
        key: Some(key),
        origin: Some("keycrm:k2:order:7".into()),
        ..told("ann", "one")
    };
    let saved = shop.save_order_fields(other, OrderFields::MANAGER).await;
    assert_eq!(Effect::Updated, effect(&saved));
    assert_eq!(json!("ann"), field(&shop, "manager"));
    // The first one has not changed its mind meanwhile.
    set(&shop, "manager", json!("cid")).await;
    shop.save_order(told("ann", "two")).await.unwrap();
    assert_eq!(json!("cid"), field(&shop, "manager"));
}

#[tokio::test]
async fn connections_of_one_account_speak_with_one_voice() {
    let shop = shop().await;
    shop.save_order(told("ann", "one")).await.unwrap();
    set(&shop, "manager", json!("bob")).await;
    let second = "second".parse().unwrap();
    let mut unit = tenon_host::Platform::begin(&shop.erp, &crate::support::tenant(), &second)
        .await
        .unwrap();
    let saved = only(
        unit.save_orders(vec![told("ann", "one")], OrderFields::all())
            .await,
    );
    unit.commit().await.unwrap();
    assert_eq!(Effect::Unchanged, effect(&saved));
    assert_eq!(json!("bob"), field(&shop, "manager"));
}

#[tokio::test]
async fn a_field_that_is_spoken_for_again_is_news_only_if_it_changed_meanwhile() {
    let shop = shop().await;
    shop.save_order(told("ann", "one")).await.unwrap();
    let without = OrderFields::COMMENT;
    set(&shop, "manager", json!("bob")).await;
    shop.save_order_fields(told("ann", "two"), without)
        .await
        .unwrap();
    shop.save_order(told("ann", "three")).await.unwrap();
    assert_eq!(json!("bob"), field(&shop, "manager"));
    shop.save_order_fields(told("cid", "four"), without)
        .await
        .unwrap();
    assert_eq!(json!("bob"), field(&shop, "manager"));
    shop.save_order(told("cid", "four")).await.unwrap();
    assert_eq!(json!("cid"), field(&shop, "manager"));
}

#[tokio::test]
async fn a_line_that_people_changed_or_took_away_stays_so_when_another_changes_at_the_source() {
    let shop = shop().await;
    let told = |first: &str, third: bool| {
        let mut lines = vec![line("1", first, "10"), line("2", "1", "20")];
        lines.extend(third.then(|| line("3", "1", "5")));
        Order {
            lines,
            ..order(ORDER)
        }
    };
    shop.save_order(told("1", true)).await.unwrap();
    let mut lines = field(&shop, "lines");
    lines[1]["quantity"] = json!("7");
    lines.as_array_mut().unwrap().pop();
    set(&shop, "lines", lines).await;
    shop.save_order(told("4", true)).await.unwrap();
    let lines = field(&shop, "lines");
    let shown: Vec<_> = (lines.as_array().unwrap().iter())
        .map(|line| {
            (
                line["id"].as_str().unwrap(),
                line["quantity"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(vec![("1", "4"), ("2", "7")], shown);
}

#[tokio::test]
async fn what_was_refused_was_not_said() {
    let shop = shop().await;
    shop.save_order(told("ann", "one")).await.unwrap();
    let bad = shop.save_order(told("nobody", "two")).await;
    assert!(matches!(bad, Err(Fault::Rejected(_))));
    shop.load("users", json!({ "key": "nobody", "name": "Nobody" }))
        .await;
    shop.save_order(told("nobody", "two")).await.unwrap();
    assert_eq!(json!("nobody"), field(&shop, "manager"));
}

#[tokio::test]
async fn a_comparison_tells_what_people_changed_and_leaves_it() {
    let shop = shop().await;
    shop.save_order(told("ann", "one")).await.unwrap();
    set(&shop, "manager", json!("bob")).await;
    let mut unit = shop.unit().await;
    unit.compare().await.unwrap();
    let given = vec![told("ann", "one")];
    let saved = only(unit.save_orders(given, OrderFields::all()).await).unwrap();
    assert_eq!(vec!["manager"], fields(&saved));
    drop(unit);
    assert_eq!(json!("bob"), field(&shop, "manager"));
    let saved = shop.save_order(told("ann", "one")).await;
    assert_eq!(Effect::Unchanged, effect(&saved), "nor is it forgotten");
}

#[tokio::test]
async fn what_was_rolled_back_was_not_said() {
    let shop = shop().await;
    shop.save_order(told("ann", "one")).await.unwrap();
    let mut unit = shop.unit().await;
    only(
        unit.save_orders(vec![told("bob", "one")], OrderFields::all())
            .await,
    )
    .unwrap();
    unit.rollback().await.unwrap();
    shop.save_order(told("bob", "one")).await.unwrap();
    assert_eq!(json!("bob"), field(&shop, "manager"));
}

#[tokio::test]
async fn a_save_that_does_not_say_who_speaks_writes_all_that_it_owns() {
    let shop = shop().await;
    let key = shop.save_order(told("ann", "one")).await.unwrap().key;
    set(&shop, "manager", json!("bob")).await;
    let unnamed = Order {
        key: Some(key),
        origin: None,
        ..told("ann", "one")
    };
    shop.save_order_fields(unnamed, OrderFields::MANAGER)
        .await
        .unwrap();
    assert_eq!(json!("ann"), field(&shop, "manager"));
}

#[tokio::test]
async fn products_partners_and_categories_keep_what_people_changed_too() {
    let shop = Shop::new();
    let cup = |name: &str, code: &str| Product {
        code: Some(code.into()),
        ..product("moysklad:m1:product:1", name)
    };
    let buyer = |name: &str, address: &str| Partner {
        address: Some(address.into()),
        ..partner("keycrm:k1:buyer:1", name)
    };
    let folder = |name: &str, archived: bool| Category {
        origin: Some("moysklad:m1:productfolder:1".into()),
        name: name.into(),
        archived,
        ..Category::default()
    };
    let save = async |product: Product, partner: Partner, category: Category| {
        let mut unit = shop.unit().await;
        only(
            unit.save_products(vec![product], ProductFields::all())
                .await,
        )
        .unwrap();
        only(
            unit.save_partners(vec![partner], PartnerFields::all())
                .await,
        )
        .unwrap();
        only(unit.save_categories(vec![category]).await).unwrap();
        unit.commit().await.unwrap();
    };
    save(
        cup("Cup", "1"),
        buyer("Olena", "Kyiv"),
        folder("Cups", false),
    )
    .await;
    for kind in ["products", "partners", "categories"] {
        let mut record = shop.all(kind).remove(0);
        record["name"] = json!("By people");
        shop.load(kind, record).await;
    }
    save(
        cup("Cup", "2"),
        buyer("Olena", "Lviv"),
        folder("Cups", true),
    )
    .await;
    for (kind, field, value) in [
        ("products", "code", json!("2")),
        ("partners", "address", json!("Lviv")),
        ("categories", "archived", json!(true)),
    ] {
        let record = shop.all(kind).remove(0);
        assert_eq!("By people", record["name"], "{kind}");
        assert_eq!(value, record[field], "{kind}");
    }
}

/// Figures of the README; run with `--nocapture`.
#[tokio::test]
async fn what_accounts_said_takes_little_room() {
    let shop = Shop::new();
    let mut given = told("ann", "one");
    given.manager = None;
    given.origin = Some("keycrm:0f8fad5b-d9cb-469f-a165-70867728950e:order:7".into());
    given.lines = vec![
        line("1", "1", "10"),
        line("2", "1", "20"),
        line("3", "1", "5"),
    ];
    shop.save_order(given).await.unwrap();
    let db = rusqlite::Connection::open(shop.file()).unwrap();
    let (said, doc): (i64, i64) = db
        .query_row("SELECT length(said), length(doc) FROM orders", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    println!("{said} bytes of digests beside {doc} of the order");
    assert!(said <= 300, "{said}");
}
