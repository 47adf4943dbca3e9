//! Shoplite ↔ ERP: the example connector as an author elsewhere would write it, through the real
//! component, real HTTP and a real ERP file.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenon_host::report::Outcome;
use tenon_scenarios::{Shop, example, target};
use tenon_simulators::shoplite::{self, BAD_ORDER, Config, KEY, Simulator};

fn simulator() -> Simulator {
    shoplite::start(Config::default()).expect("a simulator")
}

fn shop(sim: &Simulator) -> Shop {
    Shop::with(&example("shoplite"), sim.url(), KEY)
}

/// A shop whose warehouse and price type are there.
fn furnished(sim: &Simulator) -> (Shop, Value) {
    let shop = shop(sim);
    shop.load("warehouses", json!([{ "key": "main", "name": "Main" }]));
    shop.load(
        "price-types",
        json!([{ "key": "retail", "name": "Retail" }]),
    );
    (shop, json!({ "warehouse": "main", "price_type": "retail" }))
}

fn number(order: u64) -> String {
    format!("S-{order}")
}

#[test]
fn orders_come_with_their_buyers_and_goods_and_the_bad_one_is_listed() {
    let sim = simulator();
    let shop = shop(&sim);
    let run = shop.run("orders", json!({}));
    assert_eq!(Outcome::Done, run.report.outcome, "{:?}", run.report);
    assert_eq!((229, 0, 0, 1), run.counts(), "{:?}", run.report);
    let bad = &run.report.records[0];
    assert_eq!(BAD_ORDER.to_string(), bad.id);
    assert!(bad.reason.contains("items[0].price"), "{}", bad.reason);
    assert_eq!(3, sim.requests_to("GET /orders"), "{:?}", sim.requests());
    assert_eq!(90, shop.records("partners").len());
    assert_eq!(229, shop.records("orders").len());

    // What the shop asks for each order is what stands in the ERP, to the kopeck.
    for order in shop.records("orders") {
        let id: u64 = order["number"].as_str().expect("a number")[2..]
            .parse()
            .expect("an id");
        let total = sim
            .account(|account| account.order(id).total())
            .expect("a total");
        let lines = order["lines"].as_array().expect("lines").iter();
        let sum: rust_decimal::Decimal = lines
            .map(|line| {
                let number = |field: &str| -> rust_decimal::Decimal {
                    line[field]
                        .as_str()
                        .expect("text")
                        .parse()
                        .expect("a number")
                };
                number("price") * number("quantity")
            })
            .sum();
        assert_eq!(total, sum, "order {id}");
    }

    sim.reset_counts();
    let run = shop.run("orders", json!({}));
    assert_eq!((0, 0), (run.report.created, run.report.updated));
    assert!(sim.total_requests() <= 2, "{:?}", sim.requests());
}

#[test]
fn the_bad_order_is_taken_once_it_is_mended_though_that_counts_as_no_change() {
    let sim = simulator();
    let shop = shop(&sim);
    shop.run("orders", json!({}));
    sim.account(shoplite::Account::mend);
    let run = shop.run("orders", json!({}));
    assert_eq!(
        (1, 0),
        (run.report.created, run.report.failed),
        "{:?}",
        run.report
    );
    assert_eq!(230, shop.records("orders").len());
}

#[test]
fn changes_are_followed_while_orders_move_under_the_reader() {
    let sim = simulator();
    let shop = shop(&sim);
    // While the first page is on its way, an order of it moves behind the last.
    sim.after_nth("GET /orders", 1, |account| {
        account.touch(5, |order| order.status = "paid".to_owned());
    });
    let run = shop.run("orders", json!({}));
    assert_eq!(229, shop.records("orders").len(), "{:?}", run.report);
    sim.account(|account| account.touch(9, |order| order.status = "shipped".to_owned()));
    let run = shop.run("orders", json!({}));
    assert_eq!(
        (0, 1),
        (run.report.created, run.report.updated),
        "{:?}",
        run.report
    );
    for (order, stage) in [(5, "paid"), (9, "shipped")] {
        let found = shop.record("orders", "number", &number(order));
        assert_eq!(stage, shop.name("order-stages", &found["stage"]));
    }
}

#[test]
fn only_chosen_statuses_are_loaded_and_their_list_comes_from_the_shop() {
    let sim = simulator();
    let shop = shop(&sim);
    let choices = shop.choices_with("statuses", json!({})).expect("choices");
    assert_eq!(("paid".to_owned(), "Paid".to_owned()), choices[1]);
    let settings = json!({ "statuses": ["paid"] });
    shop.run("orders", settings.clone());
    assert_eq!(46, shop.records("orders").len());
    sim.account(|account| account.touch(1, |order| order.status = "shipped".to_owned()));
    let run = shop.run("orders", settings);
    assert_eq!(1, run.report.updated, "{:?}", run.report);
    // Other settings have everything read again, and people are told.
    let run = shop.run("orders", json!({}));
    assert!(run.logged(&["read again"]), "{:#?}", run.log);
    assert_eq!(229, shop.records("orders").len());
}

#[test]
fn products_come_in_once_and_a_deleted_one_is_archived() {
    let sim = simulator();
    let (shop, settings) = furnished(&sim);
    shop.load(
        "products",
        json!([{ "key": "mine", "kind": "good", "name": "Річ", "sku": "SKU-0007" }]),
    );
    let run = shop.run("products", settings.clone());
    assert_eq!(245, shop.records("products").len(), "{:?}", run.report);
    let known = shop.record("products", "sku", "SKU-0007");
    assert_eq!("mine", known["key"]);
    assert_eq!(json!("7.07"), known["prices"][0]["value"]["amount"]);
    sim.account(|account| account.products[6].deleted = true);
    let run = shop.run("products", settings);
    assert_eq!(
        (0, 1),
        (run.report.created, run.report.updated),
        "{:?}",
        run.report
    );
    assert_eq!(
        json!(true),
        shop.record("products", "sku", "SKU-0007")["archived"]
    );
}

#[test]
fn stock_goes_to_the_shop_only_where_it_differs_and_nowhere_in_a_preview() {
    let sim = simulator();
    let (shop, settings) = furnished(&sim);
    shop.run("products", settings.clone());
    let level = |sku: &str, available: &str| {
        let product = shop.record("products", "sku", sku)["key"].clone();
        json!({
            "product": product, "warehouse": "main", "on_hand": available, "reserved": "0",
            "available": available,
        })
    };
    // The shop shows 1 of the first and 2 of the second.
    let levels = json!([
        level("SKU-0001", "14"),
        level("SKU-0002", "2"),
        level("SKU-0003", "-4")
    ]);
    shop.load("stock", levels);
    sim.reset_counts();
    let preview = shop.preview("stock", settings.clone());
    assert_eq!(2, preview.written.len(), "{:#?}", preview.written);
    assert_eq!(0, sim.requests_to("PUT /products/{sku}/stock"));

    let run = shop.run("stock", settings.clone());
    assert_eq!(2, run.report.updated, "{:?}", run.report);
    assert_eq!(2, sim.requests_to("PUT /products/{sku}/stock"));
    let shown = sim.account(|account| [0, 1, 2].map(|place| account.products[place].stock));
    assert_eq!([14, 2, 0], shown);

    sim.reset_counts();
    let run = shop.run("stock", settings);
    assert_eq!(
        (0, 0),
        (run.report.updated, sim.total_requests()),
        "{:?}",
        run.report
    );
}

#[test]
fn a_webhook_has_the_orders_read_and_goes_when_the_connection_is_switched_off() {
    let sim = simulator();
    let shop = shop(&sim);
    shop.run("orders", json!({}));
    shop.enable("https://tenon.example/hooks/secret/", json!({}));
    // Switched on again, it is still one.
    shop.enable("https://tenon.example/hooks/secret/", json!({}));
    let notices = sim.account(|account| {
        account.touch(3, |order| order.status = "cancelled".to_owned());
        account.take_notices()
    });
    assert_eq!(1, notices.len());
    let topic = notices[0]
        .url
        .strip_prefix("https://tenon.example/hooks/secret/");
    let runs = shop.receive(topic.expect("our address"), &notices[0].body, json!({}));
    assert_eq!(1, runs[0].report.updated, "{:?}", runs[0].report);
    shop.disable(json!({}));
    assert_eq!(0, sim.account(|account| account.webhooks.len()));
}

#[test]
fn a_preview_of_a_first_load_keeps_and_sends_nothing() {
    let sim = simulator();
    let shop = shop(&sim);
    let run = shop.preview("orders", json!({}));
    assert_eq!(229, run.report.created, "{:?}", run.report);
    assert!(shop.records("orders").is_empty());
    assert!(
        sim.requests()
            .keys()
            .all(|endpoint| endpoint.starts_with("GET "))
    );
}

#[test]
fn a_wrong_key_is_named_in_the_shops_own_words() {
    let sim = simulator();
    let shop = Shop::with(&example("shoplite"), sim.url(), "wrong");
    let run = shop.run("orders", json!({}));
    assert_eq!(
        Outcome::Configuration,
        run.report.outcome,
        "{:?}",
        run.report
    );
    let why = run.report.why.expect("a reason");
    let detail = why.detail.unwrap_or_default();
    assert!(detail.contains("bad key"), "{detail}");
}

/// A data folder on which the program runs as it does for people.
struct Site<'s> {
    folder: tempfile::TempDir,
    sim: &'s Simulator,
}

impl Site<'_> {
    fn new(sim: &Simulator) -> Site<'_> {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = json!({ "base_url": sim.url() }).to_string();
        std::fs::write(folder.path().join("settings.json"), settings).expect("a file");
        Site { folder, sim }
    }

    fn tenon(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(target().join("release/tenon"));
        command
            .args(arguments)
            .args(["--tenant", "shop", "--json", "--data"]);
        command.arg(self.folder.path().join("data"));
        command
    }

    fn exchange(&self) -> Command {
        let mut command = self.tenon(&["run", "shoplite", "orders", "--no-budget"]);
        command
            .args([
                "--credential",
                "api_key=env:SHOP_KEY",
                "--grant",
                self.sim.url(),
            ])
            .arg("--settings")
            .arg(self.folder.path().join("settings.json"))
            .arg("--component")
            .arg(target().join("components/examples/shoplite.wasm"))
            .env("SHOP_KEY", KEY)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// What was written, without what the clock has a part in.
    fn written(&self) -> Vec<(&'static str, Vec<Value>)> {
        tenon_scenarios::written_by("shoplite", |kind| {
            let output = self
                .tenon(&["records", kind])
                .output()
                .expect("tenon starts");
            serde_json::from_slice(&output.stdout).unwrap_or_default()
        })
    }
}

#[test]
fn killed_at_any_moment_the_next_run_ends_as_an_unbroken_one() {
    const KILLS: usize = 12;
    let sim = shoplite::start(Config {
        requests_per_minute: None,
        orders: 1_000,
        ..Config::default()
    });
    let sim = sim.expect("a simulator");
    let unbroken = Site::new(&sim);
    let finished = |site: &Site<'_>| {
        // One order is bad, which is told by the status.
        let status = site.exchange().status().expect("tenon starts");
        assert_eq!(Some(1), status.code());
    };
    finished(&unbroken);
    let expected = unbroken.written();
    assert_eq!(999, expected[0].1.len());
    let took = Instant::now();
    let again = Site::new(&sim);
    finished(&again);
    let whole = took.elapsed();

    let mut killed = 0;
    for _ in 0..5 * KILLS {
        if killed >= KILLS {
            break;
        }
        let site = Site::new(&sim);
        let mut child = site.exchange().spawn().expect("tenon starts");
        std::thread::sleep(whole.mul_f64(fastrand::f64()) + Duration::from_millis(1));
        killed += usize::from(child.try_wait().expect("a child").is_none());
        child.kill().expect("a child");
        child.wait().expect("a child");
        finished(&site);
        assert_eq!(expected, site.written());
    }
    assert!(killed >= KILLS, "only {killed} runs were killed");
}
