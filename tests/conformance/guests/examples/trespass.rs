//! Reaches for the records and the state of somebody else, whose keys, origins, versions, cursors,
//! digests and names it has learnt, through every import that takes one. It tells all that it is
//! answered, and stores it.
//!
//! With the argument `state` it leaves the ERP alone, which connections of one tenant share.

use std::fmt::{Debug, Write as _};

use tenon_hostile_guests::{Attack, guest, settings};
use tenon_sdk::erp::{catalog, directories, orders, partners, stock};
use tenon_sdk::info;
use tenon_sdk::model::{
    Binding, Category, Decimal, Directory, DocumentKind, Fault, Image, LinkedDocument, Money,
    Order, OrderDirection, OrderFields, OrderLine, OrderLookup, Partner, PartnerFields,
    PartnerLookup, Product, ProductFields, ProductLookup, Progress, StockLevel,
};
use tenon_sdk::runtime::{bindings, run, schedule, storage};

guest!(Guest);

/// What it knows of the other, by the names of its settings.
struct Stolen(serde_json::Value);

/// What it was answered.
struct Loot(String);

impl Attack for Guest {
    fn run(argument: &str) -> Result<(), Fault> {
        let stolen = Stolen(settings()["stolen"].take());
        let mut loot = Loot(String::new());
        reach_for_state(&stolen, &mut loot);
        if argument != "state" {
            reach_for_products(&stolen, &mut loot);
            reach_for_partners(&stolen, &mut loot);
            reach_for_orders(&stolen, &mut loot);
        }
        run::checkpoint(Progress::default());
        let stored = storage::set(&[("loot".to_owned(), loot.0.into_bytes())]);
        stored.map_err(|_| Fault::Rejected("the loot is too large".to_owned().into()))
    }
}

impl Stolen {
    fn get(&self, name: &str) -> String {
        self.0[name].as_str().unwrap_or_default().to_owned()
    }
}

impl Loot {
    fn take(&mut self, from: &str, answer: impl Debug) {
        info!("{from}: {answer:?}");
        // Writing into a text cannot fail.
        let _ = writeln!(self.0, "{from}: {answer:?}");
    }
}

fn reach_for_state(stolen: &Stolen, loot: &mut Loot) {
    let (key, timer) = (stolen.get("storage_key"), stolen.get("timer"));
    let (origin, product) = (stolen.get("product_origin"), stolen.get("product"));
    let keys = [key.clone()];
    loot.take("get", storage::get(&keys));
    loot.take("scan", storage::scan("", None, 10_000));
    loot.take("scan", storage::scan(&key, Some(""), 10_000));
    loot.take("set", storage::set(&[(key, b"trespassed".to_vec())]));
    storage::delete(&keys);
    let found = bindings::by_origin("product", std::slice::from_ref(&origin));
    loot.take("by-origin", found);
    let found = bindings::by_key("product", std::slice::from_ref(&product));
    loot.take("by-key", found);
    bindings::bind(&[Binding {
        kind: "product".to_owned(),
        key: "trespassed".to_owned(),
        origin,
        fingerprint: None,
    }]);
    bindings::unbind("product", &[product]);
    schedule::after(&timer, "trespassed", 0, None);
    schedule::cancel(&timer);
}

fn reach_for_products(stolen: &Stolen, loot: &mut Loot) {
    let (key, origin) = (stolen.get("product"), stolen.get("product_origin"));
    let lookups = [
        ProductLookup::Key(key.clone()),
        ProductLookup::Origin(origin.clone()),
        ProductLookup::Sku(stolen.get("sku")),
        ProductLookup::BrandAndSku((stolen.get("brand"), stolen.get("sku"))),
        ProductLookup::Name(stolen.get("product_name")),
    ];
    loot.take("products", catalog::find(&lookups));
    for after in [
        None,
        Some(""),
        Some("0"),
        Some(stolen.get("cursor").as_str()),
    ] {
        loot.take("changed products", catalog::changed(after, u32::MAX));
        loot.take("changed stock", stock::changed(after, u32::MAX));
    }
    let taken_over = |key: Option<String>, origin: Option<String>| Product {
        key,
        origin,
        name: "trespassed".to_owned(),
        category: Some(stolen.get("category")),
        version: Some(stolen.get("version")),
        ..Product::default()
    };
    for product in [
        taken_over(Some(key.clone()), None),
        taken_over(None, Some(origin.clone())),
        taken_over(Some(key.clone()), Some(origin)),
    ] {
        loot.take(
            "save product",
            catalog::save(&[product], ProductFields::all()),
        );
    }
    loot.take("categories", catalog::categories());
    let category = |key: Option<String>, origin: Option<String>| Category {
        key,
        origin,
        name: "trespassed".to_owned(),
        parent: Some(stolen.get("category")),
        archived: true,
    };
    let categories = [
        category(Some(stolen.get("category")), None),
        category(None, Some(stolen.get("category_origin"))),
    ];
    loot.take("save categories", catalog::save_categories(&categories));
    loot.take("image", catalog::read_image(&key, &stolen.get("digest")));
    let image = Image {
        origin: None,
        file_name: "cup.png".to_owned(),
        digest: stolen.get("digest"),
    };
    loot.take(
        "save image",
        catalog::save_image(&key, &image, b"trespassed"),
    );
    let level = StockLevel {
        product: key,
        product_variant: None,
        warehouse: stolen.get("warehouse"),
        on_hand: Decimal::default(),
        reserved: Decimal::default(),
        available: Decimal::default(),
    };
    loot.take("stock", stock::set(&[level]));
}

fn reach_for_partners(stolen: &Stolen, loot: &mut Loot) {
    let (key, origin) = (stolen.get("partner"), stolen.get("partner_origin"));
    let lookups = [
        PartnerLookup::Key(key.clone()),
        PartnerLookup::Origin(origin.clone()),
        PartnerLookup::TaxId(stolen.get("tax_id")),
        PartnerLookup::Email(stolen.get("email")),
        PartnerLookup::Phone(stolen.get("phone")),
    ];
    loot.take("partners", partners::find(&lookups));
    for after in [None, Some("0"), Some(stolen.get("cursor").as_str())] {
        loot.take("changed partners", partners::changed(after, u32::MAX));
    }
    let taken_over = |key: Option<String>, origin: Option<String>| Partner {
        key,
        origin,
        name: "trespassed".to_owned(),
        version: Some(stolen.get("version")),
        ..Partner::default()
    };
    let taken = [
        taken_over(Some(key.clone()), None),
        taken_over(None, Some(origin)),
    ];
    loot.take(
        "save partners",
        partners::save(&taken, PartnerFields::all()),
    );
    let owed = Money {
        amount: Decimal::default(),
        currency: "UAH".to_owned(),
    };
    loot.take("balances", partners::set_balances(&[(key, owed)]));
}

fn reach_for_orders(stolen: &Stolen, loot: &mut Loot) {
    for directory in [
        Directory::Organizations,
        Directory::Warehouses,
        Directory::Users,
        Directory::OrderStages,
    ] {
        loot.take("directory", directories::list(directory));
    }
    let origin = stolen.get("warehouse_origin");
    let ensured = directories::ensure(Directory::Warehouses, "trespassed", &origin);
    loot.take("ensure", ensured);

    let (key, origin) = (stolen.get("order"), stolen.get("order_origin"));
    let lookups = [
        OrderLookup::Key(key.clone()),
        OrderLookup::Origin(origin.clone()),
        OrderLookup::Number(stolen.get("number")),
    ];
    loot.take("orders", orders::find(&lookups));
    for direction in [OrderDirection::Sale, OrderDirection::Purchase] {
        for after in [None, Some("0"), Some(stolen.get("cursor").as_str())] {
            let changed = orders::changed(direction, after, u32::MAX);
            loot.take("changed orders", changed);
        }
    }
    let taken_over = |key: Option<String>, origin: Option<String>| Order {
        key,
        origin,
        currency: "UAH".to_owned(),
        partner: Some(stolen.get("partner")),
        warehouse: Some(stolen.get("warehouse")),
        lines: vec![OrderLine {
            id: "1".to_owned(),
            product: Some(stolen.get("product")),
            name: "trespassed".to_owned(),
            ..OrderLine::default()
        }],
        version: Some(stolen.get("version")),
        ..Order::default()
    };
    for order in [
        taken_over(Some(key.clone()), None),
        taken_over(None, Some(origin)),
    ] {
        loot.take("save order", orders::save(&[order], OrderFields::all()));
    }
    let document = LinkedDocument {
        kind: DocumentKind::Invoice,
        origin: "trespassed".to_owned(),
        number: None,
        url: None,
    };
    let annotated = orders::annotate(&key, &[document], Some(&"trespassed".into()));
    loot.take("annotate", annotated);
    loot.take("attach", orders::attach(&key, "invoice.pdf", b"trespassed"));
}
