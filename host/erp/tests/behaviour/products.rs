use serde_json::json;
use tenon_host::model::{
    Attribute, Effect, Image, Product, ProductFields, ProductLookup, ProductVariant,
};

use crate::support::{Shop, effect, product, reason};

fn variant(origin: Option<&str>, sku: Option<&str>, name: &str) -> ProductVariant {
    ProductVariant {
        origin: origin.map(str::to_owned),
        sku: sku.map(str::to_owned),
        name: name.into(),
        ..ProductVariant::default()
    }
}

fn shirt(variants: Vec<ProductVariant>) -> Product {
    Product {
        variants,
        ..product("p:1", "Shirt")
    }
}

async fn variants(shop: &Shop) -> Vec<ProductVariant> {
    let mut unit = shop.unit().await;
    let found = unit
        .find_products(vec![ProductLookup::Origin("p:1".into())])
        .await;
    found.unwrap().remove(0).unwrap().variants
}

async fn keys(shop: &Shop) -> Vec<String> {
    variants(shop)
        .await
        .into_iter()
        .flat_map(|variant| variant.key)
        .collect()
}

#[tokio::test]
async fn variants_keep_their_keys_from_save_to_save() {
    let shop = Shop::new();
    let by_name = || ProductVariant {
        characteristics: vec![Attribute {
            origin: None,
            name: "Size".into(),
            value: "M".into(),
        }],
        ..variant(None, None, "Medium")
    };
    let given = vec![
        variant(Some("v:1"), None, "Red"),
        variant(None, Some("S"), "Small"),
        by_name(),
    ];
    shop.save_product(shirt(given.clone())).await.unwrap();
    let first = keys(&shop).await;
    assert_eq!(first.len(), 3);

    assert_eq!(
        effect(&shop.save_product(shirt(given)).await),
        Effect::Unchanged
    );

    // Another order, another name, an origin that was not known before: the same variants.
    let given = vec![
        by_name(),
        variant(Some("v:2"), Some(" S "), "Small size"),
        variant(Some("v:1"), Some("R"), "Crimson"),
        variant(Some("v:3"), Some("S"), "Another with that SKU"),
    ];
    shop.save_product(shirt(given)).await.unwrap();
    let second = keys(&shop).await;
    assert_eq!(
        second[..3],
        [first[2].clone(), first[1].clone(), first[0].clone()]
    );
    assert!(!first.contains(&second[3]));

    // A key says it all.
    let known = ProductVariant {
        key: Some(first[0].clone()),
        ..variant(None, None, "Pink")
    };
    shop.save_product(shirt(vec![known])).await.unwrap();
    let left = variants(&shop).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].key.as_ref(), Some(&first[0]));
    assert_eq!(left[0].origin.as_deref(), Some("v:1"));
}

#[tokio::test]
async fn variants_that_are_not_in_an_owned_list_go_with_their_stock() {
    let shop = Shop::new();
    let small = || variant(None, Some("S"), "Small");
    shop.save_product(shirt(vec![small(), variant(None, Some("L"), "Large")]))
        .await
        .unwrap();
    shop.load("warehouses", json!({ "key": "main", "name": "Main" }))
        .await;
    let product_key = shop.all("products")[0]["key"].clone();
    let levels: Vec<_> = keys(&shop)
        .await
        .iter()
        .map(|key| json!({ "product": product_key, "product_variant": key, "warehouse": "main" }))
        .collect();
    shop.load("stock", json!(levels)).await;

    // Who does not own the list takes nothing away.
    shop.save_product_fields(shirt(Vec::new()), ProductFields::NAME)
        .await
        .unwrap();
    assert_eq!(shop.all("stock").len(), 2);

    shop.save_product(shirt(vec![small()])).await.unwrap();
    assert_eq!(shop.all("stock").len(), 1);
    let mut unit = shop.unit().await;
    let gone = unit
        .find_products(vec![ProductLookup::Sku("L".into())])
        .await
        .unwrap();
    assert_eq!(gone, [None]);
    assert!(
        shop.refused("stock", levels[1].clone())
            .await
            .contains("product_variant")
    );
}

#[tokio::test]
async fn a_connector_cannot_make_up_a_variants_key() {
    let shop = Shop::new();
    let made_up = ProductVariant {
        key: Some("mine".into()),
        ..ProductVariant::default()
    };
    let why = reason(shop.save_product(shirt(vec![made_up])).await);
    assert!(why.contains("variants[0]") && why.contains("mine"), "{why}");
    assert!(shop.all("products").is_empty());
}

#[tokio::test]
async fn the_key_of_a_variant_is_unique_among_all_products() {
    let shop = Shop::new();
    let shirt = |name: &str, variants| json!({ "name": name, "variants": variants });
    shop.load("products", shirt("A", json!([{ "key": "red" }])))
        .await;
    let taken = shop
        .refused("products", shirt("B", json!([{ "key": "red" }])))
        .await;
    assert!(taken.contains("`red` is not free"), "{taken}");
    let twice = shop
        .refused(
            "products",
            shirt("C", json!([{ "key": "blue" }, { "key": "blue" }])),
        )
        .await;
    assert!(twice.contains("`blue`"), "{twice}");
}

#[tokio::test]
async fn a_picture_is_read_by_its_digest_and_replaced_by_its_name() {
    let shop = Shop::new();
    let key = shop.save_product(product("p:1", "Cup")).await.unwrap().key;
    let image = |name: &str, digest: &str| Image {
        origin: None,
        file_name: name.into(),
        digest: digest.into(),
    };
    let mut unit = shop.unit().await;
    for (name, digest) in [("a.png", "1"), ("b.png", "2"), ("a.png", "3")] {
        unit.save_image(key.clone(), image(name, digest), digest.into())
            .await
            .unwrap();
    }
    unit.commit().await.unwrap();
    assert_eq!(
        unit.read_image(key.clone(), "3".into()).await.unwrap(),
        b"3"
    );
    assert_eq!(
        unit.read_image(key.clone(), "2".into()).await.unwrap(),
        b"2"
    );
    let replaced = unit.read_image(key.clone(), "1".into()).await;
    assert!(reason(replaced).contains("digest `1`"));
    let shown = &shop.all("products")[0]["images"];
    let a = json!({ "origin": "p:1", "file_name": "a.png", "digest": "3" });
    let b = json!({ "origin": "p:1", "file_name": "b.png", "digest": "2" });
    assert_eq!(*shown, json!([a, b]));

    // Saving the list without one drops its content.
    let mut given = product("p:1", "Cup");
    given.images = vec![image("a.png", "3")];
    shop.save_product(given).await.unwrap();
    reason(unit.read_image(key.clone(), "2".into()).await);
    assert_eq!(unit.read_image(key, "3".into()).await.unwrap(), b"3");
}

#[tokio::test]
async fn the_same_picture_again_is_no_change_of_the_product() {
    let shop = Shop::new();
    let key = shop.save_product(product("p:1", "Cup")).await.unwrap().key;
    let image = Image {
        origin: None,
        file_name: "a.png".into(),
        digest: "1".into(),
    };
    let mut unit = shop.unit().await;
    unit.save_image(key.clone(), image.clone(), b"x".to_vec())
        .await
        .unwrap();
    let page = unit.changed_products(None, 10).await.unwrap();
    unit.save_image(key, image, b"x".to_vec()).await.unwrap();
    let later = unit.changed_products(Some(page.next), 10).await.unwrap();
    assert!(later.products.is_empty());
}
