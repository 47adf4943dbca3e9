//! Every save says what it changed, before and after.

use serde_json::json;
use tenon_host::model::{
    Category, Directory, DocumentKind, Effect, FieldChange, Image, LinkedDocument, Money, Order,
    Partner, Payment, Product, ProductKind, Reason, Saved, StockLevel,
};
use tenon_host::reason::Told;

use crate::support::{Shop, line, only, order, partner, product};

fn change(field: &str, before: Option<&str>, after: Option<&str>) -> FieldChange {
    FieldChange {
        field: field.into(),
        before: before.map(Into::into),
        after: after.map(Into::into),
    }
}

fn none() -> Vec<FieldChange> {
    Vec::new()
}

#[tokio::test]
async fn an_order_tells_every_field_that_changed_in_the_form_of_its_json() {
    let shop = Shop::new();
    let stages = json!([{ "key": "new", "name": "New" }, { "key": "paid", "name": "Paid" }]);
    shop.load("order-stages", stages).await;
    let first = Order {
        stage: Some("new".into()),
        created_at: Some(1_772_359_811_000),
        comment: Some("call\n\"first\"".into()),
        ..order("o:1")
    };
    assert_eq!(
        none(),
        shop.save_order(first.clone()).await.unwrap().changes
    );
    assert_eq!(
        none(),
        shop.save_order(first.clone()).await.unwrap().changes
    );
    let mut second = first;
    second.stage = Some("paid".into());
    second.created_at = Some(1_772_359_812_000);
    second.comment = None;
    second.discount = "1.50".parse().unwrap();
    second.reserve = true;
    second.lines.push(line("2", "1", "3"));
    second.payments.push(Payment {
        origin: Some("o:1:payment:1".into()),
        amount: "5".parse().unwrap(),
        paid_at: Some(1_772_359_812_000),
        ..Payment::default()
    });
    let one = r#"{"id":"1","origin":"o:1","name":"Line 1","quantity":"2","price":"12.50"}"#;
    let two = r#"{"id":"2","origin":"o:1","name":"Line 2","quantity":"1","price":"3"}"#;
    let paid = r#"[{"origin":"o:1:payment:1","amount":"5","paid_at":"2026-03-01T10:10:12Z"}]"#;
    let expected = vec![
        change(
            "created_at",
            Some("2026-03-01T10:10:11Z"),
            Some("2026-03-01T10:10:12Z"),
        ),
        change("stage", Some("new"), Some("paid")),
        change(
            "lines",
            Some(&format!("[{one}]")),
            Some(&format!("[{one},{two}]")),
        ),
        change("discount", Some("0"), Some("1.50")),
        change("payments", None, Some(paid)),
        change("reserve", Some("false"), Some("true")),
        change("comment", Some("call\n\"first\""), None),
    ];
    assert_eq!(expected, shop.save_order(second).await.unwrap().changes);
}

#[tokio::test]
async fn a_product_a_partner_and_a_category_tell_too() {
    let shop = Shop::new();
    shop.save_product(product("p:1", "Cup")).await.unwrap();
    let given = Product {
        kind: ProductKind::GoodWithVariants,
        barcodes: vec!["46".into()],
        vat: Some("20".parse().unwrap()),
        ..product("p:1", "Mug")
    };
    let expected = vec![
        change("kind", Some("good"), Some("good_with_variants")),
        change("name", Some("Cup"), Some("Mug")),
        change("barcodes", None, Some(r#"["46"]"#)),
        change("vat", None, Some("20")),
    ];
    assert_eq!(expected, shop.save_product(given).await.unwrap().changes);

    shop.load("partners", json!({ "key": "7", "name": "Olena" }))
        .await;
    let adopted = Partner {
        key: Some("7".into()),
        ..partner("b:1", "Olena")
    };
    let expected = vec![change("origin", None, Some("b:1"))];
    assert_eq!(expected, shop.save_partner(adopted).await.unwrap().changes);

    let category = |name: &str| Category {
        origin: Some("c:1".into()),
        name: name.into(),
        ..Category::default()
    };
    let mut unit = shop.unit().await;
    let made = only(unit.save_categories(vec![category("Cups")]).await).unwrap();
    assert_eq!(none(), made.changes);
    let saved = only(unit.save_categories(vec![category("Mugs")]).await).unwrap();
    assert_eq!(
        vec![change("name", Some("Cups"), Some("Mugs"))],
        saved.changes
    );
}

#[tokio::test]
async fn levels_balances_and_entries_tell_too() {
    let shop = Shop::new();
    shop.load("warehouses", json!({ "key": "main", "name": "Main" }))
        .await;
    let product = shop.save_product(product("p:1", "Cup")).await.unwrap().key;
    let level = |on_hand: &str, available: &str| StockLevel {
        product: product.clone(),
        warehouse: "main".into(),
        on_hand: on_hand.parse().unwrap(),
        available: available.parse().unwrap(),
        ..StockLevel::default()
    };
    let mut unit = shop.unit().await;
    let levels = vec![
        level("5", "5"),
        level("5.0", "4"),
        level("5", "4"),
        level("0", "-1"),
    ];
    let saved = unit.set_stock(levels).await.unwrap();
    let changes: Vec<_> = saved
        .into_iter()
        .map(|saved| saved.unwrap().changes)
        .collect();
    let expected = vec![
        none(),
        vec![change("available", Some("5"), Some("4"))],
        none(),
        vec![
            change("on_hand", Some("5.0"), Some("0")),
            change("available", Some("4"), Some("-1")),
        ],
    ];
    assert_eq!(expected, changes);
    unit.commit().await.unwrap();

    let buyer = shop
        .save_partner(partner("b:1", "Olena"))
        .await
        .unwrap()
        .key;
    let mut unit = shop.unit().await;
    let mut set = async |amount: &str| -> Saved {
        let money = Money {
            amount: amount.parse().unwrap(),
            currency: "UAH".into(),
        };
        only(unit.set_balances(vec![(buyer.clone(), money)]).await).unwrap()
    };
    let ten = r#"{"amount":"10","currency":"UAH"}"#;
    let less = r#"{"amount":"-3.50","currency":"UAH"}"#;
    assert_eq!(
        vec![change("balance", None, Some(ten))],
        set("10").await.changes
    );
    assert_eq!(
        vec![change("balance", Some(ten), Some(less))],
        set("-3.50").await.changes
    );
    let again = set("-3.5").await;
    assert_eq!((Effect::Unchanged, none()), (again.effect, again.changes));
    unit.commit().await.unwrap();

    let mut unit = shop.unit().await;
    let mut ensure = async |name: &str, origin: &str| -> Saved {
        let (name, origin) = (name.into(), origin.into());
        unit.ensure(Directory::Warehouses, name, origin)
            .await
            .unwrap()
    };
    let expected = vec![change("origin", None, Some("w:1"))];
    assert_eq!(expected, ensure("Main", "w:1").await.changes);
    assert_eq!(none(), ensure("Main", "w:1").await.changes);
    assert_eq!(none(), ensure("Second", "w:2").await.changes);
}

#[tokio::test]
async fn pictures_notes_and_files_tell_too() {
    let shop = Shop::new();
    let product = shop.save_product(product("p:1", "Cup")).await.unwrap().key;
    let order = shop.save_order(order("o:1")).await.unwrap().key;
    let mut unit = shop.unit().await;
    let image = |digest: &str| Image {
        file_name: "a.png".into(),
        digest: digest.into(),
        ..Image::default()
    };
    let shown =
        |digest: &str| format!(r#"[{{"origin":"p:1","file_name":"a.png","digest":"{digest}"}}]"#);
    let mut put = async |digest: &str| -> Saved {
        unit.save_image(product.clone(), image(digest), digest.into())
            .await
            .unwrap()
    };
    assert_eq!(
        vec![change("images", None, Some(&shown("1")))],
        put("1").await.changes
    );
    assert_eq!(none(), put("1").await.changes);
    let expected = vec![change("images", Some(&shown("1")), Some(&shown("2")))];
    assert_eq!(expected, put("2").await.changes);

    let document = LinkedDocument {
        kind: DocumentKind::Invoice,
        origin: "d:1".into(),
        ..LinkedDocument::default()
    };
    let mut note = async |documents: Vec<LinkedDocument>, error: Option<&str>| -> Saved {
        let error = error.map(|text| Told {
            text: text.to_owned(),
            why: Reason::new("test.bad"),
        });
        unit.annotate_order(order.clone(), documents, error)
            .await
            .unwrap()
    };
    let saved = note(vec![document.clone()], Some("No such good")).await;
    let fields: Vec<_> = saved.changes.iter().map(|change| &change.field).collect();
    assert_eq!(vec!["error", "documents"], fields);
    let error = saved.changes[0].after.as_deref();
    assert_eq!(Some("No such good"), error);
    let documents = r#"[{"kind":"invoice","origin":"d:1"}]"#;
    assert_eq!(Some(documents), saved.changes[1].after.as_deref());
    let again = note(vec![document.clone()], error).await;
    assert_eq!(none(), again.changes);
    let saved = note(vec![document], None).await;
    assert_eq!(vec![change("error", error, None)], saved.changes);

    let mut attach = async |content: &str| -> Saved {
        unit.attach_to_order(order.clone(), "a.pdf".into(), content.into())
            .await
            .unwrap()
    };
    let first = attach("one").await.changes;
    assert_eq!(
        ("attachments", None),
        (first[0].field.as_str(), first[0].before.as_deref())
    );
    assert_eq!(none(), attach("one").await.changes);
    let second = attach("two").await.changes;
    assert_eq!(first[0].after, second[0].before);
    assert_ne!(second[0].before, second[0].after);
}
