use serde_json::json;
use tenon_host::model::{
    Category, Directory, Effect, Fault, Money, Order, OrderFields, OrderLookup, Partner,
    PartnerFields, Product, ProductFields, ProductLookup, StockLevel,
};

use crate::support::{Shop, effect, only, order, partner, product, reason};

#[tokio::test]
async fn a_save_tells_created_from_updated_from_unchanged() {
    let shop = Shop::new();
    let first = shop.save_order(order("o:1")).await;
    let again = shop.save_order(order("o:1")).await;
    let mut changed = order("o:1");
    changed.comment = Some("Call first".into());
    let third = shop.save_order(changed).await;
    assert_eq!(effect(&first), Effect::Created);
    assert_eq!(effect(&again), Effect::Unchanged);
    assert_eq!(effect(&third), Effect::Updated);
    let [first, again, third] = [first, again, third].map(Result::unwrap);
    assert_eq!(first.key, third.key);
    assert_eq!(first.version, again.version);
    assert_ne!(first.version, third.version);
}

#[tokio::test]
async fn an_equal_number_of_another_scale_is_no_change() {
    let shop = Shop::new();
    let priced = |price: &str| {
        let mut order = order("o:1");
        order.lines[0].price = price.parse().unwrap();
        order
    };
    shop.save_order(priced("1.5")).await.unwrap();
    assert_eq!(
        effect(&shop.save_order(priced("1.50")).await),
        Effect::Unchanged
    );
    assert_eq!(
        effect(&shop.save_order(priced("1.51")).await),
        Effect::Updated
    );

    shop.load("warehouses", json!([{ "key": "main", "name": "Main" }]))
        .await;
    let product = shop.save_product(product("p:1", "Cup")).await.unwrap().key;
    let level = |on_hand: &str| {
        json!({ "product": product, "warehouse": "main", "on_hand": on_hand, "reserved": "0",
                "available": on_hand })
    };
    assert_eq!(shop.load("stock", level("2.0")).await.created, 1);
    assert_eq!(shop.load("stock", level("2")).await.unchanged, 1);
    assert_eq!(shop.load("stock", level("2.5")).await.updated, 1);
}

#[tokio::test]
async fn only_owned_fields_are_written_to_a_known_record() {
    let shop = Shop::new();
    shop.save_product(Product {
        description: Some("By people".into()),
        ..product("p:1", "Cup")
    })
    .await
    .unwrap();
    let given = Product {
        description: None,
        archived: true,
        ..product("p:1", "Mug")
    };
    let saved = shop.save_product_fields(given, ProductFields::NAME).await;
    assert_eq!(effect(&saved), Effect::Updated);
    let mut unit = shop.unit().await;
    let found = unit
        .find_products(vec![ProductLookup::Origin("p:1".into())])
        .await;
    let found = found.unwrap().remove(0).unwrap();
    assert_eq!(found.name, "Mug");
    assert_eq!(found.description.as_deref(), Some("By people"));
    assert!(!found.archived);
}

#[tokio::test]
async fn a_new_record_takes_fields_that_are_not_owned_too() {
    let shop = Shop::new();
    let given = Product {
        description: Some("From the shop".into()),
        ..product("p:1", "Cup")
    };
    shop.save_product_fields(given, ProductFields::NAME)
        .await
        .unwrap();
    assert_eq!(shop.all("products")[0]["description"], "From the shop");
}

#[tokio::test]
async fn what_is_not_owned_is_not_judged_either() {
    let shop = Shop::new();
    shop.load("order-stages", json!([{ "key": "paid", "name": "Paid" }]))
        .await;
    shop.save_order(order("o:1")).await.unwrap();
    let given = Order {
        origin: Some("o:1".into()),
        stage: Some("paid".into()),
        partner: Some("nobody".into()),
        ..Order::default()
    };
    let saved = shop.save_order_fields(given, OrderFields::STAGE).await;
    assert_eq!(effect(&saved), Effect::Updated);
    assert_eq!(shop.all("orders")[0]["currency"], "UAH");
}

#[tokio::test]
async fn a_record_without_origin_takes_the_first_one_it_is_given() {
    let shop = Shop::new();
    shop.load(
        "partners",
        json!([{ "key": "7", "name": "Olena" }, { "key": "8", "name": "Ivan" }]),
    )
    .await;
    let with_key = |key: &str, origin: &str, name: &str| Partner {
        key: Some(key.into()),
        ..partner(origin, name)
    };
    let adopted = shop.save_partner(with_key("7", "p:1", "Olena")).await;
    assert_eq!(effect(&adopted), Effect::Updated);
    // It keeps the first, and a second one changes nothing.
    let second = shop.save_partner(with_key("7", "p:2", "Olena")).await;
    assert_eq!(effect(&second), Effect::Unchanged);
    assert_eq!(
        shop.save_partner(partner("p:1", "Olena"))
            .await
            .unwrap()
            .key,
        "7"
    );
    let taken = reason(shop.save_partner(with_key("8", "p:1", "Ivan")).await);
    assert!(
        taken.contains("`p:1` belongs to the partner `7`"),
        "{taken}"
    );
}

#[tokio::test]
async fn one_bad_record_never_stops_the_others() {
    let shop = Shop::new();
    let mut unit = shop.unit().await;
    let unknown = Product {
        key: Some("404".into()),
        ..product("p:9", "Unknown key")
    };
    let batch = vec![
        product("p:1", "Cup"),
        product("p:2", " "),
        unknown,
        product("p:3", "Mug"),
    ];
    let results = unit
        .save_products(batch, ProductFields::all())
        .await
        .unwrap();
    unit.commit().await.unwrap();
    assert_eq!(effect(&results[0]), Effect::Created);
    assert!(reason(results[1].clone()).contains("name"));
    assert!(reason(results[2].clone()).contains("404"));
    assert_eq!(effect(&results[3]), Effect::Created);
    assert_eq!(shop.all("products").len(), 2);
}

#[tokio::test]
async fn one_origin_twice_in_a_batch_makes_one_record() {
    let shop = Shop::new();
    let mut unit = shop.unit().await;
    let batch = vec![order("o:1"), order("o:1")];
    let results = unit.save_orders(batch, OrderFields::all()).await.unwrap();
    unit.commit().await.unwrap();
    assert_eq!(effect(&results[0]), Effect::Created);
    assert_eq!(effect(&results[1]), Effect::Unchanged);
    assert_eq!(shop.all("orders").len(), 1);
}

#[tokio::test]
async fn a_stale_version_is_a_conflict_and_names_the_present_one() {
    let shop = Shop::new();
    let first = shop.save_order(order("o:1")).await.unwrap();
    let edited = |version: &str, comment: &str| Order {
        version: Some(version.into()),
        comment: Some(comment.into()),
        ..order("o:1")
    };
    let second = shop
        .save_order(edited(&first.version, "mine"))
        .await
        .unwrap();
    let stale = shop.save_order(edited(&first.version, "theirs")).await;
    assert_eq!(stale, Err(Fault::Conflict(second.version)));
    assert_eq!(shop.all("orders")[0]["comment"], "mine");
}

#[tokio::test]
async fn a_reference_to_nothing_is_refused_with_its_field_and_key() {
    let shop = Shop::new();
    let refusals = [
        (
            "orders",
            json!({ "currency": "UAH", "partner": "9" }),
            "partner",
        ),
        (
            "orders",
            json!({ "currency": "UAH", "stage": "9" }),
            "stage",
        ),
        (
            "orders",
            json!({ "currency": "UAH", "source": "9" }),
            "source",
        ),
        (
            "orders",
            json!({ "currency": "UAH", "organization": "9" }),
            "organization",
        ),
        (
            "orders",
            json!({ "currency": "UAH", "warehouse": "9" }),
            "warehouse",
        ),
        (
            "orders",
            json!({ "currency": "UAH", "manager": "9" }),
            "manager",
        ),
        (
            "orders",
            json!({ "currency": "UAH", "author": "9" }),
            "author",
        ),
        (
            "orders",
            json!({ "currency": "UAH", "agreement": "9" }),
            "agreement",
        ),
        (
            "orders",
            json!({ "currency": "UAH", "lines": [{ "id": "1", "product": "9" }] }),
            "lines[0].product",
        ),
        (
            "orders",
            json!({ "currency": "UAH", "lines": [{ "id": "1", "product_variant": "9" }] }),
            "lines[0].product_variant",
        ),
        (
            "orders",
            json!({ "currency": "UAH", "lines": [{ "id": "1", "cancel_reason": "9" }] }),
            "lines[0].cancel_reason",
        ),
        (
            "orders",
            json!({ "currency": "UAH", "delivery": { "service": "9" } }),
            "delivery.service",
        ),
        (
            "orders",
            json!({ "currency": "UAH", "delivery": { "product": "9" } }),
            "delivery.product",
        ),
        (
            "orders",
            json!({ "currency": "UAH", "payments": [{ "account": "9" }] }),
            "payments[0].account",
        ),
        (
            "products",
            json!({ "name": "Cup", "category": "9" }),
            "category",
        ),
        (
            "products",
            json!({ "name": "Cup", "prices": [
                { "price_type": "9", "value": { "amount": "1", "currency": "UAH" } }
            ] }),
            "prices[0].price_type",
        ),
        (
            "products",
            json!({ "name": "Cup", "variants": [{ "prices": [
                { "price_type": "9", "value": { "amount": "1", "currency": "UAH" } }
            ] }] }),
            "variants[0].prices[0].price_type",
        ),
        (
            "categories",
            json!({ "name": "Cups", "parent": "9" }),
            "parent",
        ),
        (
            "stock",
            json!({ "product": "9", "warehouse": "9" }),
            "product",
        ),
    ];
    for (kind, record, field) in refusals {
        let why = shop.refused(kind, record).await;
        assert!(
            why.contains(&format!("{field}: there is no")),
            "{kind}: {why}"
        );
        assert!(why.contains("`9`"), "{why}");
        assert!(shop.all(kind).is_empty());
    }
    let product = shop.save_product(product("p:1", "Cup")).await.unwrap().key;
    let level = json!({ "product": product, "warehouse": "9" });
    assert!(
        shop.refused("stock", level)
            .await
            .contains("warehouse: there is no")
    );
}

#[tokio::test]
async fn a_reference_to_a_record_of_the_same_transaction_holds() {
    let shop = Shop::new();
    let mut unit = shop.unit().await;
    let buyer = only(
        unit.save_partners(vec![partner("b:1", "Olena")], PartnerFields::all())
            .await,
    );
    let mut given = order("o:1");
    given.partner = Some(buyer.unwrap().key);
    only(
        unit.save_orders(vec![given.clone()], OrderFields::all())
            .await,
    )
    .unwrap();
    unit.rollback().await.unwrap();
    // After the rollback the partner is gone, and so is the memory of it.
    reason(only(
        unit.save_orders(vec![given], OrderFields::all()).await,
    ));
}

#[tokio::test]
async fn a_stock_level_replaces_the_one_before_it() {
    let shop = Shop::new();
    let warehouse = shop.ensure(Directory::Warehouses, "Main", "w:1").await;
    let product = shop.save_product(product("p:1", "Cup")).await.unwrap().key;
    let level = |product: &str, on_hand: &str| StockLevel {
        product: product.into(),
        warehouse: warehouse.clone(),
        on_hand: on_hand.parse().unwrap(),
        ..StockLevel::default()
    };
    let mut unit = shop.unit().await;
    let levels = vec![
        level(&product, "5"),
        level("404", "5"),
        level(&product, "3"),
    ];
    let results = unit.set_stock(levels).await.unwrap();
    unit.commit().await.unwrap();
    assert!(results[0].is_ok());
    assert!(reason(results[1].clone()).contains("404"));
    assert!(results[2].is_ok());
    let stock = shop.all("stock");
    assert_eq!(stock.len(), 1);
    assert_eq!(stock[0]["on_hand"], "3");
    assert_eq!(stock[0]["product_variant"], json!(null));
}

#[tokio::test]
async fn a_category_never_lies_under_itself() {
    let shop = Shop::new();
    let mut unit = shop.unit().await;
    let category = |origin: &str, parent: Option<&str>| Category {
        origin: Some(origin.into()),
        name: origin.into(),
        parent: parent.map(str::to_owned),
        ..Category::default()
    };
    let top = only(unit.save_categories(vec![category("top", None)]).await)
        .unwrap()
        .key;
    let low = only(
        unit.save_categories(vec![category("low", Some(&top))])
            .await,
    )
    .unwrap()
    .key;
    for parent in [&low, &top] {
        let closed = only(
            unit.save_categories(vec![category("top", Some(parent))])
                .await,
        );
        assert!(reason(closed).contains("under itself"));
    }
    let again = only(
        unit.save_categories(vec![category("low", Some(&top))])
            .await,
    );
    assert_eq!(effect(&again), Effect::Unchanged);
    let parents: Vec<_> = unit
        .categories()
        .await
        .unwrap()
        .into_iter()
        .map(|c| c.parent)
        .collect();
    assert_eq!(parents, [None, Some(top)]);
}

#[tokio::test]
async fn a_balance_is_set_for_a_known_partner_only() {
    let shop = Shop::new();
    let key = shop
        .save_partner(partner("p:1", "Olena"))
        .await
        .unwrap()
        .key;
    let money = |amount: &str, currency: &str| Money {
        amount: amount.parse().unwrap(),
        currency: currency.into(),
    };
    let mut unit = shop.unit().await;
    let results = unit
        .set_balances(vec![
            (key.clone(), money("-10.50", "UAH")),
            ("404".into(), money("1", "UAH")),
            (key, money("1", "hryvnia")),
        ])
        .await
        .unwrap();
    unit.commit().await.unwrap();
    assert!(results[0].is_ok());
    assert!(reason(results[1].clone()).contains("404"));
    assert!(reason(results[2].clone()).contains("hryvnia"));
    let balance = &shop.all("partners")[0]["balance"];
    assert_eq!(*balance, json!({ "amount": "-10.50", "currency": "UAH" }));
}

#[tokio::test]
async fn a_removed_number_is_never_a_key_again() {
    let shop = Shop::new();
    let first = shop.save_order(order("o:1")).await.unwrap().key;
    shop.erp
        .remove(&crate::support::tenant(), tenon_erp::Kind::Orders, &first)
        .await
        .unwrap();
    let second = shop.save_order(order("o:1")).await.unwrap();
    assert_eq!(second.effect, Effect::Created);
    assert_ne!(second.key, first);
    let mut unit = shop.unit().await;
    let found = unit
        .find_orders(vec![OrderLookup::Key(first)])
        .await
        .unwrap();
    assert_eq!(found, [None]);
}
