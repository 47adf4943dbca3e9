use serde_json::json;

use super::Needs;
use crate::model::{
    Account, Directory, Fault, Key, Outcome, Partner, PartnerRole, Product, ProductVariant,
};
use crate::testing::{self, Host};
use crate::{Call, Settings};

#[derive(Settings)]
struct Chosen {
    #[setting(title(en: "Active", uk: "Активна", ru: "Активна"))]
    active: bool,
}

crate::connector! {
    struct Crm = "crm", title(en: "CRM", uk: "CRM", ru: "CRM");
    settings Chosen;
    endpoint crm = "https://crm.test", budget(60 per 60 s);
    check => check;
    job orders = title(en: "Orders", uk: "Замовлення", ru: "Заказы") => orders;
}

fn check() -> Result<Account, Fault> {
    Crm::crm()?.get("/").send()?;
    Err(Fault::Configuration(crate::reason!("sdk.settings")))
}

fn orders(call: &Call<'_, Chosen>) -> Result<Outcome, Fault> {
    assert!(!call.settings.active);
    Ok(Outcome::Done)
}

fn host() -> Host<Crm> {
    Host::new(json!({}), |_| testing::refused(404))
}

/// A buyer of this number with such a phone and e-mail.
fn buyer(id: u32, phone: &str, email: &str) -> Partner {
    Partner {
        origin: Some(Crm::origin("buyer", id)),
        name: format!("Buyer {id}"),
        phones: vec![phone.to_owned()],
        emails: vec![email.to_owned()],
        ..Partner::default()
    }
}

fn good(id: u32, sku: Option<&str>, name: &str) -> Product {
    Product {
        origin: Some(Crm::origin("product", id)),
        name: name.to_owned(),
        sku: sku.map(str::to_owned),
        ..Product::default()
    }
}

/// What the buyers are on the platform.
fn partners(host: &Host<Crm>, buyers: &[Partner]) -> Vec<Key> {
    host.within(|| {
        let mut needs = Needs::default();
        for buyer in buyers {
            needs.partner(buyer.clone());
        }
        needs.settle().expect("a platform");
        let origins = buyers.iter().filter_map(|buyer| buyer.origin.as_ref());
        let keys = origins.map(|origin| needs.partner_of(origin).expect("a partner"));
        keys.collect()
    })
}

/// What the goods are on the platform.
fn products(host: &Host<Crm>, goods: &[Product]) -> Vec<Key> {
    host.within(|| {
        let mut needs = Needs::default();
        for good in goods {
            needs.product(good.clone());
        }
        needs.settle().expect("a platform");
        let origins = goods.iter().filter_map(|good| good.origin.as_ref());
        let keys = origins.map(|origin| needs.product_of(origin).expect("a product").key);
        keys.collect()
    })
}

fn distinct(mut keys: Vec<Key>) -> usize {
    keys.sort_unstable();
    keys.dedup();
    keys.len()
}

#[test]
fn what_only_fills_a_field_makes_no_two_buyers_one() {
    let buyers = [
        buyer(1, "+380000000000", "no@mail.ru"),
        buyer(2, "0000000000", "no@mail.ru"),
        buyer(3, "+380000000000", "none"),
    ];
    assert_eq!(distinct(partners(&host(), &buyers)), 3);
}

#[test]
fn one_phone_is_one_partner_however_it_is_written() {
    let host = host();
    let known = buyer(0, "+380671112233", "");
    let known = host.books(|books| {
        books.put_partner(Partner {
            origin: None,
            ..known
        })
    });
    let buyers = [
        buyer(1, "80671112233", ""),
        buyer(2, "050 999 88 77, 067 111 22 33", ""),
        buyer(3, "067 111 22 33 доб. 5", ""),
        buyer(4, "0671112233 (Viber)", ""),
    ];
    let found = partners(&host, &buyers);
    assert!(found.iter().all(|key| *key == known), "{found:?}");
}

#[test]
fn two_new_buyers_of_one_page_who_share_a_phone_are_one() {
    let buyers = [
        buyer(1, "0671112233", "a@shop.ua"),
        buyer(2, "+38 067 111-22-33", "b@shop.ua"),
        buyer(3, "0501112233", "B@shop.ua"),
    ];
    assert_eq!(distinct(partners(&host(), &buyers)), 2);
}

#[test]
fn a_buyer_is_never_a_supplier() {
    let host = host();
    let supplier = host.books(|books| {
        books.put_partner(Partner {
            role: PartnerRole::Supplier,
            origin: None,
            ..buyer(0, "0671112233", "a@shop.ua")
        })
    });
    let found = partners(&host, &[buyer(1, "0671112233", "a@shop.ua")]);
    assert_ne!(found[0], supplier);
}

#[test]
fn an_article_that_differs_forbids_that_one_name_makes_one_good() {
    let host = host();
    let known = host.books(|books| {
        books.put_product(Product {
            origin: None,
            ..good(0, Some("X-1"), "Футболка")
        })
    });
    let goods = [
        good(1, Some("Y-9"), "Футболка"),
        good(2, Some("Z-3"), "Футболка"),
        good(3, None, "Футболка"),
    ];
    let found = products(&host, &goods);
    assert_eq!(found[2], known);
    assert_eq!(distinct(found), 3);
}

#[test]
fn one_name_with_other_apostrophes_is_one_good() {
    let names = ["М'яч", "М’яч", "Мʼяч"];
    let goods: Vec<Product> = (1..)
        .zip(names)
        .map(|(id, name)| good(id, None, name))
        .collect();
    assert_eq!(distinct(products(&host(), &goods)), 1);
}

#[test]
fn a_variant_is_found_by_its_own_article_whatever_the_card_has() {
    let host = host();
    host.books(|books| {
        books.put_product(Product {
            origin: None,
            variants: vec![ProductVariant {
                key: Some("m".to_owned()),
                sku: Some("X-1-M".to_owned()),
                ..ProductVariant::default()
            }],
            ..good(0, Some("X-1"), "Футболка")
        })
    });
    host.within(|| {
        let mut needs = Needs::default();
        let wanted = good(1, Some("X-1-M"), "Футболка M");
        needs.product(wanted.clone());
        needs.settle().expect("a platform");
        let origin = wanted.origin.expect("an origin");
        let pick = needs.product_of(&origin).expect("a product");
        assert_eq!(pick.variant.as_deref(), Some("m"));
    });
}

#[test]
fn a_card_that_people_removed_is_found_again_by_the_rules_or_made_again() {
    let host = host();
    let goods = [good(1, Some("A-1"), "Cup"), good(2, Some("B-2"), "Plate")];
    let buyers = [buyer(1, "0671112233", "")];
    let before = (products(&host, &goods), partners(&host, &buyers));
    let other = host.books(|books| {
        books.products.clear();
        books.partners.clear();
        books.put_product(Product {
            origin: None,
            ..good(0, Some("A-1"), "Another cup")
        })
    });
    let after = (products(&host, &goods), partners(&host, &buyers));
    assert_eq!(after.0[0], other);
    assert_ne!(after.0[1], before.0[1]);
    assert_ne!(after.1, before.1);
}

#[test]
fn what_only_is_looked_for_is_not_made() {
    let host = host();
    host.within(|| {
        let mut needs = Needs::default();
        let card = good(1, Some("A-1"), "Cup");
        needs.same_product(card.clone());
        needs.settle().expect("a platform");
        assert!(needs.product_of(&card.origin.expect("an origin")).is_err());
    });
    assert!(host.books(|books| books.products.is_empty()));
}

#[test]
fn an_entry_is_made_once_and_found_by_its_name() {
    let host = host();
    let known = host.books(|books| books.enter(Directory::OrderStages, "Новий"));
    host.within(|| {
        let mut needs = Needs::default();
        let (new, paid) = (Crm::origin("status", 1), Crm::origin("status", 2));
        needs.entry(Directory::OrderStages, "новий", new.clone());
        needs.entry(Directory::OrderStages, "Оплачено", paid.clone());
        needs.entry(Directory::OrderStages, "Оплачено", paid.clone());
        needs.settle().expect("a platform");
        assert_eq!(needs.entry_of(&new), Some(known));
        assert!(needs.entry_of(&paid).is_some());
    });
    let stages = host.books(|books| books.directories[&Directory::OrderStages].len());
    assert_eq!(stages, 2);
}
