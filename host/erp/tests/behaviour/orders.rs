use serde_json::json;
use tenon_erp::Kind;
use tenon_host::model::{
    Charge, Decimal, Delivery, DocumentKind, Effect, Fault, LinkedDocument, Order, OrderLookup,
    Payment,
};
use tenon_host::reason::{Reason, Told};

use crate::support::{Shop, effect, line, order, reason, tenant};

#[tokio::test]
async fn an_order_that_makes_no_sense_is_refused_with_its_field() {
    let shop = Shop::new();
    let beyond = Decimal {
        units: 1,
        scale: 29,
    };
    let huge = Decimal {
        units: i64::MAX,
        scale: 0,
    };
    let with = |change: &dyn Fn(&mut Order)| {
        let mut order = order("o:1");
        change(&mut order);
        order
    };
    for (bad, field) in [
        (with(&|o| o.currency = "hrn".into()), "currency"),
        (with(&|o| o.currency.clear()), "currency"),
        (with(&|o| o.discount = beyond), "discount"),
        (with(&|o| o.lines[0].shipped = beyond), "lines[0].shipped"),
        (with(&|o| o.lines[0].vat = Some(beyond)), "lines[0].vat"),
        (with(&|o| o.lines.push(line("1", "1", "1"))), "lines[1].id"),
        (with(&|o| o.lines[0].id.clear()), "lines[0].id"),
        (
            with(&|o| {
                o.charges.push(Charge {
                    origin: None,
                    name: "Wrap".into(),
                    amount: beyond,
                })
            }),
            "charges[0].amount",
        ),
        (
            with(&|o| {
                o.delivery = Some(Delivery {
                    cost: Some(beyond),
                    ..Delivery::default()
                })
            }),
            "delivery.cost",
        ),
        (
            with(&|o| {
                o.payments.push(Payment {
                    amount: beyond,
                    ..Payment::default()
                })
            }),
            "payments[0].amount",
        ),
        (
            with(&|o| {
                o.payments.push(Payment {
                    paid_at: Some(i64::MAX),
                    ..Payment::default()
                })
            }),
            "payments[0].paid_at",
        ),
        (with(&|o| o.created_at = Some(i64::MIN)), "created_at"),
        (
            with(&|o| (o.lines[0].price, o.lines[0].quantity) = (huge, huge)),
            "total",
        ),
    ] {
        let why = reason(shop.save_order(bad).await);
        assert!(why.starts_with(&format!("{field}: ")), "{field}: {why}");
        assert!(!why.contains('\n'), "{why}");
    }
    assert!(shop.all("orders").is_empty());
}

#[tokio::test]
async fn a_bad_change_leaves_the_order_as_it_was() {
    let shop = Shop::new();
    let saved = shop.save_order(order("o:1")).await.unwrap();
    let mut bad = order("o:1");
    bad.comment = Some("half of a change".into());
    bad.stage = Some("404".into());
    reason(shop.save_order(bad).await);
    let kept = &shop.all("orders")[0];
    assert_eq!(kept["comment"], json!(null));
    assert_eq!(kept["version"], json!(saved.version));
}

#[tokio::test]
async fn a_variant_in_a_line_has_to_be_of_the_lines_product() {
    let shop = Shop::new();
    shop.load(
        "products",
        json!([
            { "key": "1", "name": "Shirt", "variants": [{ "key": "1-red", "name": "Red" }] },
            { "key": "2", "name": "Cup" },
        ]),
    )
    .await;
    let with = |product: &str, variant: &str| {
        let mut order = order("o:1");
        order.lines[0].product = Some(product.into());
        order.lines[0].product_variant = Some(variant.into());
        order
    };
    let strange = reason(shop.save_order(with("2", "1-red")).await);
    assert!(strange.contains("another product"), "{strange}");
    assert_eq!(
        effect(&shop.save_order(with("1", "1-red")).await),
        Effect::Created
    );
}

fn document(origin: &str, number: &str) -> LinkedDocument {
    LinkedDocument {
        kind: DocumentKind::Invoice,
        origin: origin.into(),
        number: Some(number.into()),
        url: None,
    }
}

#[tokio::test]
async fn an_annotation_replaces_the_documents_and_the_error() {
    let shop = Shop::new();
    let saved = shop.save_order(order("o:1")).await.unwrap();
    let mut unit = shop.unit().await;
    let documents = vec![
        document("d:1", "old"),
        document("d:2", "2"),
        document("d:1", "1"),
    ];
    let error = Told {
        text: "No such good".to_owned(),
        why: Reason::new("order.no-good").arg("name", "Cup"),
    };
    unit.annotate_order(saved.key.clone(), documents, Some(error))
        .await
        .unwrap();
    unit.commit().await.unwrap();
    let shown = shop.all("orders").remove(0);
    assert_eq!(shown["error"], "No such good");
    assert_eq!(shown["why"]["code"], "order.no-good");
    let numbers: Vec<_> = shown["documents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| &d["number"])
        .collect();
    assert_eq!(numbers, ["1", "2"]);
    assert_ne!(shown["version"], json!(saved.version));

    // The error alone is for people: readers of changes learn nothing new from it.
    let documents = vec![document("d:1", "1"), document("d:2", "2")];
    unit.annotate_order(saved.key, documents, None)
        .await
        .unwrap();
    unit.commit().await.unwrap();
    let later = shop.all("orders").remove(0);
    assert_eq!([&later["error"], &later["why"]], [&json!(null); 2]);
    assert_eq!(later["version"], shown["version"]);

    let unknown = unit.annotate_order("404".into(), Vec::new(), None).await;
    assert!(reason(unknown).contains("404"));
}

#[tokio::test]
async fn a_file_is_put_on_an_order_once_per_name() {
    let shop = Shop::new();
    let key = shop.save_order(order("o:1")).await.unwrap().key;
    let mut unit = shop.unit().await;
    for content in ["old", "new"] {
        unit.attach_to_order(key.clone(), "invoice.pdf".into(), content.into())
            .await
            .unwrap();
    }
    unit.commit().await.unwrap();
    assert_eq!(shop.all("orders")[0]["attachments"], json!(["invoice.pdf"]));
    let content = shop.erp.attachment(&tenant(), &key, "invoice.pdf").unwrap();
    assert_eq!(content, b"new");
    assert!(shop.erp.attachment(&tenant(), &key, "other.pdf").is_err());
    let unknown = unit
        .attach_to_order("404".into(), "a".into(), Vec::new())
        .await;
    assert!(matches!(unknown, Err(Fault::Rejected(_))));
}

#[tokio::test]
async fn the_direction_of_an_order_is_fixed() {
    let shop = Shop::new();
    shop.load("orders", json!({ "key": "1", "currency": "UAH" }))
        .await;
    let turned = json!({ "key": "1", "currency": "UAH", "direction": "purchase" });
    assert!(shop.refused("orders", turned).await.contains("direction"));
}

#[tokio::test]
async fn a_removed_order_takes_its_files_along() {
    let shop = Shop::new();
    let key = shop.save_order(order("o:1")).await.unwrap().key;
    let mut unit = shop.unit().await;
    unit.attach_to_order(key.clone(), "a.pdf".into(), b"a".to_vec())
        .await
        .unwrap();
    unit.commit().await.unwrap();
    shop.erp
        .remove(&tenant(), Kind::Orders, &key)
        .await
        .unwrap();
    assert!(
        shop.erp
            .remove(&tenant(), Kind::Orders, &key)
            .await
            .is_err()
    );
    let db = rusqlite::Connection::open(shop.file()).unwrap();
    let left: i64 = db
        .query_row("SELECT count(*) FROM attachments", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
    let mut unit = shop.unit().await;
    let found = unit
        .find_orders(vec![OrderLookup::Origin("o:1".into())])
        .await;
    assert_eq!(found.unwrap(), [None]);
}
