use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rust_decimal::Decimal;
use serde_json::json;

use super::Shelf;
use crate::http::{Error, Method};
use crate::import::pair;
use crate::model::{
    self, Account, Directory, Fault, Key, Outcome, Product, ProductVariant, StockLevel,
};
use crate::runtime::bindings;
use crate::testing::{self, Host, survives};
use crate::{Call, Settings};

#[derive(Settings)]
struct Chosen {
    #[setting(title(en: "Warehouse", uk: "Склад", ru: "Склад"), directory = Warehouses)]
    warehouse: Option<String>,
}

crate::connector! {
    struct Shop = "shop", title(en: "Shop", uk: "Магазин", ru: "Магазин");
    settings Chosen;
    endpoint api = "https://shop.test", budget(60 per 60 s);
    check => check;
    job stock = title(en: "Stock", uk: "Залишки", ru: "Остатки") => stock;
}

fn check() -> Result<Account, Fault> {
    Err(Fault::Configuration(crate::reason!("sdk.settings")))
}

fn stock(call: &Call<'_, Chosen>) -> Result<Outcome, Fault> {
    super::run(
        &Shown,
        call.settings.warehouse.as_deref().unwrap_or_default(),
        &call.retry,
    )
}

struct Shown;

impl Shelf for Shown {
    type Connector = Shop;

    const PRODUCT: &'static str = "product";

    fn shown(&self) -> Result<HashMap<String, Decimal>, Fault> {
        let answer = Shop::api()?.get("/shown").send()?;
        let shown: HashMap<String, i64> = answer.json()?;
        let shown = shown.into_iter();
        Ok(shown.map(|(id, number)| (id, number.into())).collect())
    }

    fn put(&self, id: &str, number: Decimal) -> Result<(), Error> {
        let call = Shop::api()?;
        let call = call.call(Method::Put, &format!("/shown/{id}"));
        call.json(&number.to_string())?.send().map(drop)
    }
}

/// What the shop shows, and the things of which it takes no number.
#[derive(Default)]
struct Showcase {
    shown: HashMap<String, i64>,
    refused: Vec<String>,
}

struct World {
    host: Host<Shop>,
    showcase: Rc<RefCell<Showcase>>,
    products: Vec<Key>,
    warehouse: Key,
}

/// A shop that shows five of each of three things, all of which the books have.
fn world() -> World {
    let shown = ["a", "b", "c"].map(|id| (id.to_owned(), 5));
    let showcase = Rc::new(RefCell::new(Showcase {
        shown: shown.into(),
        refused: Vec::new(),
    }));
    let behind = Rc::clone(&showcase);
    let host = Host::<Shop>::new(json!({}), move |request| {
        let mut showcase = behind.borrow_mut();
        match request.url.strip_prefix("https://shop.test/shown/") {
            None => testing::json(200, &showcase.shown),
            Some(id) if showcase.refused.iter().any(|refused| refused == id) => {
                testing::refused(422)
            }
            Some(id) => {
                let number: String = serde_json::from_slice(&request.body).expect("a number");
                let number = number.parse().expect("a whole number");
                showcase.shown.insert(id.to_owned(), number);
                testing::json(200, &json!({}))
            }
        }
    });
    let warehouse = host.books(|books| books.enter(Directory::Warehouses, "Main"));
    host.set(json!({ "warehouse": warehouse }));
    let products: Vec<Key> = ["a", "b", "c"]
        .map(|id| {
            let key = host.books(|books| books.put_product(Product::default()));
            host.keeping(|| {
                // Outside of the host no account is known.
                let origin = Shop::origin("product", id);
                bindings::bind(&[pair("product", &key, &origin)]);
                Ok(())
            })
            .expect("a pair");
            key
        })
        .into();
    World {
        host,
        showcase,
        products,
        warehouse,
    }
}

impl World {
    fn level(&self, product: usize, variant: Option<&str>, available: i64) {
        let units = |units| model::Decimal { units, scale: 0 };
        let level = StockLevel {
            product: self.products[product].clone(),
            product_variant: variant.map(str::to_owned),
            warehouse: self.warehouse.clone(),
            on_hand: units(available),
            reserved: units(0),
            available: units(available),
        };
        self.host.books(|books| books.put_level(level));
    }

    fn shown(&self) -> [i64; 3] {
        ["a", "b", "c"].map(|id| self.showcase.borrow().shown[id])
    }
}

#[test]
fn only_what_differs_is_sent_and_less_than_nothing_is_shown_as_nothing() {
    let world = world();
    world.level(0, None, 5);
    world.level(1, None, -4);
    let run = world.host.run("stock");
    assert_eq!(run.counts(), (0, 1, 1, 0), "{run:#?}");
    assert_eq!(world.shown(), [5, 0, 5]);
    assert_eq!(run.written[0].fields[0].before.as_deref(), Some("5"));
    // Nothing changed: nothing is asked.
    assert_eq!(world.host.run("stock").sent.len(), 0);
}

#[test]
fn what_the_books_tell_no_level_of_stays_as_it_is_shown() {
    let world = world();
    world.level(0, None, 9);
    world.host.books(|books| books.levels.clear());
    world.host.run("stock");
    assert_eq!(world.shown(), [5, 5, 5]);
}

#[test]
fn the_variants_of_a_product_are_shown_together() {
    let world = world();
    world.host.books(|books| {
        books.products[0].variants = vec![ProductVariant::default()];
    });
    world.level(0, Some("m"), 3);
    world.level(0, Some("l"), 4);
    world.host.run("stock");
    assert_eq!(world.shown(), [7, 5, 5]);
}

#[test]
fn a_level_that_is_refused_keeps_no_other_back_and_is_tried_again() {
    let world = world();
    world.showcase.borrow_mut().refused.push("a".to_owned());
    world.level(0, None, 1);
    world.level(1, None, 2);
    let run = world.host.run("stock");
    assert_eq!(
        (run.progress.updated, run.progress.failed),
        (1, 1),
        "{run:#?}"
    );
    assert_eq!(run.rejected[0].label, "a");
    assert_eq!(world.shown(), [5, 2, 5]);
    world.showcase.borrow_mut().refused.clear();
    let run = world.host.run("stock");
    assert_eq!(
        (run.progress.updated, run.settled.len()),
        (1, 1),
        "{run:#?}"
    );
    assert_eq!(world.shown(), [1, 2, 5]);
}

#[test]
fn another_warehouse_is_read_from_the_start_and_people_are_told() {
    let world = world();
    world.level(0, None, 1);
    world.host.run("stock");
    let other = world.host.books(|books| {
        let other = books.enter(Directory::Warehouses, "Other");
        let mut level = books.levels[0].clone();
        level.warehouse.clone_from(&other);
        level.available.units = 8;
        books.put_level(level);
        other
    });
    world.host.run("stock");
    assert_eq!(world.shown()[0], 1);
    world.host.set(json!({ "warehouse": other }));
    let run = world.host.run("stock");
    assert_eq!(run.codes(), ["sdk.pull.read-again"]);
    assert_eq!(world.shown()[0], 8);
}

#[test]
fn nothing_is_lost_or_doubled_wherever_a_run_is_killed() {
    survives(
        || {
            let world = world();
            for (product, available) in [(0, 1), (1, 2), (2, 3)] {
                world.level(product, None, available);
            }
            world.host
        },
        "stock",
    );
}
