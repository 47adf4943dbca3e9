use serde_json::json;
use tenon_host::model::{
    Directory, OrderLookup, Partner, PartnerLookup, PartnerRole, Product, ProductLookup,
    ProductVariant,
};

use crate::support::{Shop, order, partner, product, tenant};

async fn found(shop: &Shop, lookup: ProductLookup) -> Option<String> {
    let mut unit = shop.unit().await;
    let found = unit.find_products(vec![lookup]).await.unwrap().remove(0);
    found.map(|product| product.name)
}

async fn found_partner(shop: &Shop, lookup: PartnerLookup) -> Option<String> {
    let mut unit = shop.unit().await;
    let found = unit.find_partners(vec![lookup]).await.unwrap().remove(0);
    found.map(|partner| partner.name)
}

#[tokio::test]
async fn a_product_is_found_by_each_of_its_keys() {
    let shop = Shop::new();
    let saved = shop
        .save_product(Product {
            sku: Some(" TS-1 ".into()),
            brand: Some("Молот".into()),
            ..product("crm:product:1", "Футболка Синя")
        })
        .await
        .unwrap();
    for lookup in [
        ProductLookup::Key(saved.key),
        ProductLookup::Origin("crm:product:1".into()),
        ProductLookup::Sku("TS-1".into()),
        ProductLookup::BrandAndSku(("молот ".into(), "TS-1".into())),
        ProductLookup::Name("  ФУТБОЛКА синя ".into()),
    ] {
        let name = found(&shop, lookup.clone()).await;
        assert_eq!(name.as_deref(), Some("Футболка Синя"), "{lookup:?}");
    }
    for lookup in [
        ProductLookup::Key("77".into()),
        ProductLookup::Origin("crm:product:2".into()),
        ProductLookup::Sku("ts-1".into()),
        ProductLookup::Sku(" ".into()),
        ProductLookup::BrandAndSku(("Серп".into(), "TS-1".into())),
        ProductLookup::Name("Футболка".into()),
    ] {
        assert_eq!(found(&shop, lookup.clone()).await, None, "{lookup:?}");
    }
}

#[tokio::test]
async fn a_variants_own_sku_counts_before_that_of_a_whole_product() {
    let shop = Shop::new();
    let branded = |origin: &str, name: &str| Product {
        brand: Some("B".into()),
        ..product(origin, name)
    };
    shop.save_product(Product {
        sku: Some("A".into()),
        ..branded("p:1", "whole")
    })
    .await
    .unwrap();
    shop.save_product(Product {
        variants: vec![ProductVariant {
            sku: Some("A".into()),
            ..ProductVariant::default()
        }],
        ..branded("p:2", "with variant")
    })
    .await
    .unwrap();
    let with_variant = Some("with variant".to_owned());
    assert_eq!(
        found(&shop, ProductLookup::Sku("A".into())).await,
        with_variant
    );
    let both = ProductLookup::BrandAndSku(("b".into(), "A".into()));
    assert_eq!(found(&shop, both).await, with_variant);
}

#[tokio::test]
async fn of_several_matches_the_one_made_first_is_found() {
    let shop = Shop::new();
    for origin in ["p:1", "p:2", "p:3"] {
        shop.save_product(Product {
            sku: Some("A".into()),
            code: Some(origin.into()),
            ..product(origin, "Same")
        })
        .await
        .unwrap();
    }
    // A later change of the first does not make it the last.
    shop.save_product(Product {
        sku: Some("A".into()),
        code: Some("changed".into()),
        ..product("p:1", "Same")
    })
    .await
    .unwrap();
    let mut unit = shop.unit().await;
    let lookups = vec![
        ProductLookup::Sku("A".into()),
        ProductLookup::Name("same".into()),
    ];
    for found in unit.find_products(lookups).await.unwrap() {
        assert_eq!(found.unwrap().origin.as_deref(), Some("p:1"));
    }
}

#[tokio::test]
async fn a_partner_is_found_by_each_of_its_keys() {
    let shop = Shop::new();
    let saved = shop
        .save_partner(Partner {
            tax_id: Some("12345678".into()),
            emails: vec!["Olena@Example.com".into()],
            phones: vec!["067 123-45-67".into(), "n/a".into()],
            ..partner("crm:buyer:1", "Olena")
        })
        .await
        .unwrap();
    for lookup in [
        PartnerLookup::Key(saved.key),
        PartnerLookup::Origin("crm:buyer:1".into()),
        PartnerLookup::TaxId(" 12345678".into()),
        PartnerLookup::Email(" olena@example.COM".into()),
        PartnerLookup::Phone("+380671234567".into()),
        PartnerLookup::Phone("+38 (067) 123 45 67".into()),
        PartnerLookup::Phone("380671234567".into()),
    ] {
        let name = found_partner(&shop, lookup.clone()).await;
        assert_eq!(name.as_deref(), Some("Olena"), "{lookup:?}");
    }
    for lookup in [
        PartnerLookup::Phone("+380671234568".into()),
        PartnerLookup::Phone("n/a".into()),
        PartnerLookup::Email("+380671234567".into()),
        PartnerLookup::TaxId("".into()),
    ] {
        assert_eq!(
            found_partner(&shop, lookup.clone()).await,
            None,
            "{lookup:?}"
        );
    }
}

#[tokio::test]
async fn a_partner_is_no_longer_found_by_a_phone_it_gave_up() {
    let shop = Shop::new();
    let with_phone = |phone: &str| Partner {
        phones: vec![phone.into()],
        ..partner("p:1", "Olena")
    };
    shop.save_partner(with_phone("0671234567")).await.unwrap();
    shop.save_partner(with_phone("0501234567")).await.unwrap();
    let lookup = |phone: &str| PartnerLookup::Phone(phone.into());
    assert_eq!(found_partner(&shop, lookup("+380671234567")).await, None);
    assert!(
        found_partner(&shop, lookup("+380501234567"))
            .await
            .is_some()
    );
}

#[tokio::test]
async fn a_new_country_reads_the_phones_that_are_there_anew() {
    let shop = Shop::new();
    shop.save_partner(Partner {
        phones: vec!["0301234567".into()],
        ..partner("p:1", "Anna")
    })
    .await
    .unwrap();
    let german = PartnerLookup::Phone("+49301234567".into());
    assert_eq!(found_partner(&shop, german.clone()).await, None);
    shop.erp.set_country(&tenant(), "DE").await.unwrap();
    assert_eq!(found_partner(&shop, german).await.as_deref(), Some("Anna"));
    assert!(shop.erp.set_country(&tenant(), "Germany").await.is_err());
}

#[tokio::test]
async fn an_order_is_found_by_each_of_its_keys() {
    let shop = Shop::new();
    let mut given = order("crm:order:7");
    given.number = Some("A-7".into());
    let saved = shop.save_order(given).await.unwrap();
    let mut unit = shop.unit().await;
    let found = unit
        .find_orders(vec![
            OrderLookup::Key(saved.key.clone()),
            OrderLookup::Origin("crm:order:7".into()),
            OrderLookup::Number(" A-7 ".into()),
            OrderLookup::Number("A-8".into()),
            OrderLookup::Key("none".into()),
        ])
        .await
        .unwrap();
    for order in &found[..3] {
        let order = order.as_ref().unwrap();
        assert_eq!(order.key.as_ref(), Some(&saved.key));
        assert_eq!(order.origin.as_deref(), Some("crm:order:7"));
        assert_eq!(order.version.as_ref(), Some(&saved.version));
        assert!(order.changed_at.is_some());
        assert_eq!(order.lines[0].price, "12.5".parse().unwrap());
    }
    assert_eq!(found[3..], [None, None]);
}

#[tokio::test]
async fn an_entry_is_ensured_by_origin_then_by_name_then_made() {
    let shop = Shop::new();
    shop.load("users", json!([{ "key": "olena", "name": "Олена" }]))
        .await;
    let by_name = shop.ensure(Directory::Users, " ОЛЕНА", "crm:user:1").await;
    assert_eq!(by_name, "olena");
    // The name has changed at the counterpart, the person has not.
    let by_origin = shop
        .ensure(Directory::Users, "Олена К.", "crm:user:1")
        .await;
    assert_eq!(by_origin, "olena");
    let new = shop.ensure(Directory::Users, "Ivan", "crm:user:2").await;
    let namesake = shop.ensure(Directory::Users, "ivan", "crm:user:3").await;
    assert_eq!(new, namesake);
    assert_ne!(new, "olena");
    // Another directory knows nothing of them.
    shop.ensure(Directory::OrderStages, "Ivan", "crm:user:2")
        .await;
    let names: Vec<_> = shop
        .all("users")
        .iter()
        .map(|e| e["name"].clone())
        .collect();
    assert_eq!(names, ["Олена", "Ivan"]);
    assert_eq!(shop.all("order-stages").len(), 1);
}

#[tokio::test]
async fn of_two_cards_alike_the_one_in_use_is_found() {
    let shop = Shop::new();
    let card = |origin: &str, archived: bool| Product {
        sku: Some("TS-1".into()),
        brand: Some("B".into()),
        archived,
        ..product(origin, "Tee")
    };
    shop.save_product(card("crm:a:product:1", true))
        .await
        .unwrap();
    let used = shop.save_product(card("crm:a:product:2", false)).await;
    let used = used.unwrap().key;
    for lookup in [
        ProductLookup::Sku("TS-1".into()),
        ProductLookup::BrandAndSku(("B".into(), "TS-1".into())),
        ProductLookup::Name("tee".into()),
    ] {
        let mut unit = shop.unit().await;
        let found = unit.find_products(vec![lookup.clone()]).await.unwrap();
        let key = found[0].as_ref().and_then(|product| product.key.clone());
        assert_eq!(key.as_ref(), Some(&used), "{lookup:?}");
    }
}

#[tokio::test]
async fn who_buys_is_found_before_who_sells() {
    let shop = Shop::new();
    let card = |name: &str, role| Partner {
        name: name.into(),
        role,
        phones: vec!["0671234567".into()],
        emails: vec!["shared@ukr.net".into()],
        ..Partner::default()
    };
    let supplier = card("Supplier", PartnerRole::Supplier);
    shop.save_partner(supplier).await.unwrap();
    let lookups = || {
        [
            PartnerLookup::Phone("+380671234567".into()),
            PartnerLookup::Email("Shared@ukr.net".into()),
        ]
    };
    for lookup in lookups() {
        let found = found_partner(&shop, lookup).await;
        assert_eq!(found.as_deref(), Some("Supplier"));
    }
    let customer = card("Customer", PartnerRole::Customer);
    shop.save_partner(customer).await.unwrap();
    for lookup in lookups() {
        let found = found_partner(&shop, lookup).await;
        assert_eq!(found.as_deref(), Some("Customer"));
    }
}
