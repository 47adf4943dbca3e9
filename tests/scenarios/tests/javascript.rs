//! A connector in JavaScript, built by componentize-js: it shows that the contract needs no Rust, and
//! that the limits of the host fit a guest with a garbage collector.
//!
//! A machine without npm goes without; the tests say so.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::json;
use tenon_host::Limits;
use tenon_host::report::Outcome;
use tenon_scenarios::{Shop, target};
use tenon_simulators::keycrm::{self, Config, Simulator};

const KEY: &str = "simulated-keycrm-key";
const ORDERS: usize = 5_000;

/// The built connector; none where there is no npm.
fn component() -> Option<&'static [u8]> {
    static BUILT: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    BUILT.get_or_init(|| is_there("npm").then(build)).as_deref()
}

fn is_there(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&folders).any(|folder| folder.join(program).is_file());
    if !there {
        eprintln!("there is no {program} here: the connector in JavaScript is not tried");
    }
    there
}

/// Builds in a folder below `target`, whose packages stay for the next time.
fn build() -> Vec<u8> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = here.join("guests/javascript");
    let folder = target().join("javascript");
    fs::create_dir_all(&folder).expect("a folder");
    let lock = fs::read(sources.join("package-lock.json")).expect("the locked packages");
    let installed = folder.join("node_modules/.installed");
    for source in [
        "build.js",
        "connector.js",
        "package.json",
        "package-lock.json",
    ] {
        fs::copy(sources.join(source), folder.join(source)).expect("a copy");
    }
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        let status = command.current_dir(&folder).args(arguments).status();
        assert!(status.expect(program).success(), "{program} {arguments:?}");
    };
    if fs::read(&installed).ok().as_ref() != Some(&lock) {
        run("npm", &["ci", "--silent", "--no-audit", "--no-fund"]);
        fs::write(&installed, &lock).expect("a file");
    }
    let wit = here.join("../../wit").display().to_string();
    run("node", &["build.js", "connector.wasm", &wit]);
    fs::read(folder.join("connector.wasm")).expect("the component")
}

fn crm(orders: usize) -> Simulator {
    let config = Config {
        orders,
        requests_per_minute: None,
        ordered_to: "2026-03-31T12:00:00Z".parse().expect("a moment"),
        ..Config::default()
    };
    keycrm::start(config).expect("a simulator")
}

#[test]
fn a_connector_in_javascript_imports_five_thousand_orders_within_the_default_limits() {
    let Some(component) = component() else { return };
    let sim = crm(ORDERS);
    let shop = Shop::with(component, sim.url(), KEY);
    let run = shop.run("orders", json!({}));
    assert_eq!(Outcome::Done, run.report.outcome, "{run:#?}");
    assert_eq!((ORDERS as u64, 0, 0, 0), run.counts(), "{run:#?}");
    assert!(run.logged(&["5000 orders read"]), "{run:#?}");
    let most = Limits::default().memory as u64;
    assert!(run.report.memory < most, "{} bytes", run.report.memory);

    let orders = shop.records("orders");
    assert_eq!(ORDERS, orders.len());
    for order in &orders {
        let lines = order["lines"].as_array().expect("lines");
        assert!(
            !lines.is_empty() && lines.iter().all(|line| line["name"].is_string()),
            "{order:#}"
        );
    }
    assert!(!shop.records("partners").is_empty());

    // It goes on where it was, and doubles nothing.
    let again = shop.run("orders", json!({}));
    assert_eq!(Outcome::Done, again.report.outcome, "{again:#?}");
    assert_eq!(0, again.report.created, "{again:#?}");
    assert_eq!(ORDERS, shop.records("orders").len());
}

#[test]
fn a_connector_in_javascript_that_is_stopped_goes_on_from_its_checkpoint() {
    let Some(component) = component() else { return };
    let sim = crm(180);
    let shop = Shop::with(component, sim.url(), KEY);
    let cut = shop.run_until("orders", json!({}), 2);
    assert_eq!(Outcome::Suspended, cut.report.outcome, "{cut:#?}");
    assert_eq!(100, shop.records("orders").len());
    let rest = shop.run("orders", json!({}));
    assert_eq!(Outcome::Done, rest.report.outcome, "{rest:#?}");
    assert_eq!(180, shop.records("orders").len());
}

#[test]
fn a_connector_in_javascript_gives_its_reasons_and_its_errors_with_their_place() {
    let Some(component) = component() else { return };
    let sim = crm(1);
    let shop = Shop::with(component, sim.url(), "another key");
    let refused = shop.run("orders", json!({}));
    assert_eq!(
        Outcome::Configuration,
        refused.report.outcome,
        "{refused:#?}"
    );
    let error = refused.report.error.unwrap_or_default();
    assert!(error.contains("does not accept the API key"), "{error}");
}
