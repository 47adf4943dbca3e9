//! When things go wrong nothing is lost, nothing is doubled, and nobody is banned.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tenon_host::report::Outcome;
use tenon_simulators::faults::{Fault, Rule};
use tenon_simulators::limit::Windows;
use tenon_simulators::moysklad::{
    Archived, Config, Kind, KnownSyncId, LimitHeaders, LimitOverMax, UnknownFields,
};

use crate::orders::line;
use crate::world::{Ask, World, config, timeless};

/// A shop with everything in it: products, pictures, categories, price lists, partners, orders.
fn shop() -> (World, Value) {
    let world = World::seeded(Config {
        products: 30,
        counterparties: 12,
        orders: 3,
        ..config()
    });
    world.load(
        "warehouses",
        json!([{ "key": "main", "name": "Центральный" }]),
    );
    world.load(
        "partners",
        json!([
            { "key": "k1", "name": "Новый", "phones": ["+79990000001"] },
            { "key": "k2", "name": "Известный", "phones": ["+79161000003"] },
        ]),
    );
    let store = world.sim.account(|account| account.home.store);
    let settings = json!({
        "photos": true, "categories": true, "reserve": true, "delete_refused": true,
        "price_lists": [{ "price_list": "main", "store": store.to_string() }],
    });
    (world, settings)
}

/// Everything once; the order is placed when the parts are there.
fn exchange(world: &World, settings: &Value) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for job in ["categories", "products", "images", "stock"] {
        outcomes.push(world.run(job, settings.clone()).report.outcome);
    }
    let cards = world.records("products");
    let key = |place: usize| cards[place]["key"].as_str().unwrap_or_default().to_owned();
    for (order, partner) in [("1", "k1"), ("2", "k2")] {
        world.load(
            "orders",
            json!([{
                "key": order, "number": format!("N-{order}"), "partner": partner, "currency": "RUB",
                "lines": [line("1", &key(0), "1", "100"), line("2", &key(1), "2", "50.50")],
            }]),
        );
    }
    outcomes.push(world.run("orders", settings.clone()).report.outcome);
    let changed = json!([line("1", &key(0), "3", "100")]);
    world.edit("orders", "1", json!({ "lines": changed }));
    outcomes.push(world.run("orders", settings.clone()).report.outcome);
    outcomes
}

/// The shop without what depends on the clock and on ids, and MoySklad's side of it.
fn state(world: &World) -> BTreeMap<String, Value> {
    let mut state = BTreeMap::new();
    for kind in ["products", "categories", "stock", "partners"] {
        let mut records = timeless(world.records(kind));
        records.iter_mut().for_each(without_origins);
        // Levels come in the order of ids, which differ from account to account.
        records.sort_by_key(Value::to_string);
        state.insert(kind.to_owned(), json!(records));
    }
    let mut bindings: Vec<String> = (world.records("bindings").into_iter())
        .map(|one| format!("{} {}", one["kind"], one["key"]))
        .collect();
    bindings.sort();
    state.insert("bindings".to_owned(), json!(bindings));
    let orders = world.objects(Kind::CustomerOrder, |account, order| {
        let agent = account
            .get(order.refers("agent").expect("an agent").id)
            .name()
            .to_owned();
        let rows = order.rows("positions").iter();
        let rows: Vec<String> = rows
            .map(|row| format!("{} x {}", row.number("quantity"), row.number("price")))
            .collect();
        json!([order.name(), agent, rows, order.number("sum").to_string()])
    });
    state.insert("their orders".to_owned(), json!(orders));
    let agents = world.objects(Kind::Counterparty, |_, one| json!(one.name()));
    state.insert("their partners".to_owned(), json!(agents));
    state
}

/// A record and its parts come from another account's records in each world.
fn without_origins(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("origin");
            fields.values_mut().for_each(without_origins);
        }
        Value::Array(values) => values.iter_mut().for_each(without_origins),
        _ => {}
    }
}

/// Two states have to be equal, record by record.
fn assert_same(expected: &BTreeMap<String, Value>, got: &BTreeMap<String, Value>, why: &str) {
    for (part, expected) in expected {
        let (expected, got) = (expected.as_array().unwrap(), got[part].as_array().unwrap());
        for (expected, got) in expected.iter().zip(got) {
            assert_eq!(expected, got, "{why}: {part}");
        }
        assert_eq!(expected.len(), got.len(), "{why}: {part}");
    }
}

#[test]
fn every_request_failing_once_leads_to_the_same_state() {
    let (unbroken, settings) = shop();
    exchange(&unbroken, &settings);
    let expected = state(&unbroken);
    assert_eq!(5, expected["their orders"].as_array().unwrap().len());
    for fault in [
        Fault::Status(500),
        Fault::HtmlBadGateway,
        Fault::LostAnswer,
        Fault::TooManyRequests {
            retry_after: Some(1),
        },
        Fault::TooManyRequests { retry_after: None },
        Fault::Code(1065),
        Fault::CutBody,
        Fault::ConnectionReset,
    ] {
        let (world, mut settings) = shop();
        world.sim.faults().fail_first_of_each(fault.clone());
        // The storage of pictures is not the API and has no such code.
        let of_the_api = fault == Fault::Code(1065);
        settings["photos"] = json!(!of_the_api);
        let outcomes = exchange(&world, &settings);
        if of_the_api {
            world.sim.faults().clear();
            settings["photos"] = json!(true);
            world.run("images", settings).clean();
        }
        assert!(
            outcomes.iter().all(|one| *one == Outcome::Done),
            "{fault:?}: {outcomes:?}"
        );
        assert_same(&expected, &state(&world), &format!("{fault:?}"));
    }
}

#[test]
fn a_failure_that_lasts_ends_the_run_and_the_next_one_goes_on() {
    let (world, settings) = shop();
    let rule = Rule::new(Fault::Status(503))
        .on("POST /entity/customerorder")
        .times(1_000);
    world.sim.faults().add(rule);
    let outcomes = exchange(&world, &settings);
    assert_eq!(Some(&Outcome::Transient), outcomes.last());
    world.sim.faults().clear();
    let run = world.run("orders", settings).clean();
    assert_eq!(2, run.report.created, "{run:#?}");
    let names = world.objects(Kind::CustomerOrder, |_, order| order.name().to_owned());
    assert_eq!(
        2,
        names.iter().filter(|name| name.starts_with("N-")).count(),
        "{names:?}"
    );
}

#[test]
fn one_bad_order_among_many_spoils_no_other() {
    let (world, settings) = shop();
    exchange(&world, &settings);
    let key = world.records("products")[2]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    for order in 10..15 {
        let long = "x".repeat(if order == 12 { 300 } else { 3 });
        world.load(
            "orders",
            json!([{
                "key": order.to_string(), "number": format!("M-{order}"), "partner": "k1",
                "currency": "RUB",
                "lines": [line(&long, &key, if order == 12 { "0" } else { "1" }, "10")],
            }]),
        );
    }
    let run = world.run("orders", settings.clone());
    assert_eq!((4, 1), (run.report.created, run.report.failed), "{run:#?}");
    assert!(run.reason("12").contains("quantity"), "{run:#?}");
    // However often it is tried, it is not said to be right.
    for _ in 0..2 {
        let run = world.asked("orders", settings.clone());
        assert_eq!(1, run.report.failed, "{run:#?}");
        assert!(run.settled.is_empty(), "{:?}", run.settled);
    }
}

#[test]
fn the_request_budget_of_the_manifest_is_never_over_the_vendors() {
    let world = World::seeded(Config {
        products: 300,
        ..Config::default()
    })
    .signed("login", "admin@autoparts:simulated-moysklad-password")
    .budgeted();
    let settings = json!({ "photos": true, "categories": true });
    for job in ["categories", "products", "images"] {
        let run = world.run(job, settings.clone());
        assert_eq!(Outcome::Done, run.report.outcome, "{run:#?}");
    }
    assert!(world.sim.total_requests() > 60);
    assert_eq!((0, 0), world.sim.turned_away());
}

#[test]
fn connections_on_one_login_stay_inside_its_budget_together() {
    let world = World::seeded(Config {
        products: 1_500,
        ..Config::default()
    })
    .signed("login", "admin@autoparts:simulated-moysklad-password")
    .budgeted();
    let reports = world.run_together(&["north", "south", "west"], "products", json!({}));
    for report in &reports {
        assert_eq!(Outcome::Done, report.outcome, "{report:#?}");
    }
    // More than one window has room for.
    assert!(
        world.sim.total_requests() > 11,
        "{:?}",
        world.sim.requests()
    );
    assert_eq!((0, 0), world.sim.turned_away());
    // One login, one token: another one would have revoked the first.
    assert_eq!(1, world.sim.requests_to("POST /security/token"));
}

/// Exchanges everything with a MoySklad that behaves in another way, and expects the same in the end.
fn comes_to_the_same(why: &str, other: impl FnOnce(&mut Config)) {
    let (usual, settings) = shop();
    exchange(&usual, &settings);
    let expected = state(&usual);
    let mut config = Config {
        products: 30,
        counterparties: 12,
        orders: 3,
        ..config()
    };
    other(&mut config);
    let other = World::seeded(config);
    other.load(
        "warehouses",
        json!([{ "key": "main", "name": "Центральный" }]),
    );
    other.load("partners", json!(timeless(usual.records("partners"))));
    let store = other.sim.account(|account| account.home.store);
    let mut settings = settings;
    settings["price_lists"][0]["store"] = json!(store.to_string());
    let outcomes = exchange(&other, &settings);
    assert!(
        outcomes.iter().all(|one| *one == Outcome::Done),
        "{why}: {outcomes:?}"
    );
    assert_same(&expected, &state(&other), why);
}

#[test]
fn where_the_vendors_answers_may_differ_both_are_taken() {
    comes_to_the_same("the other behaviour", |config| {
        config.behaviour.archived = Archived::LeftOutOfAssortment;
        config.behaviour.known_sync_id = KnownSyncId::Updated;
        config.behaviour.unknown_fields = UnknownFields::RefusedOnUpdate;
        config.behaviour.mixed_bulk_status = 200;
        config.behaviour.sync_id_filled = true;
    });
}

#[test]
fn lists_numbers_prices_and_files_may_be_the_vendors_other_choice() {
    comes_to_the_same("the other choices", |config| {
        config.behaviour.limit_over_max = LimitOverMax::Refuse;
        config.behaviour.positions_in_rows = false;
        config.behaviour.unique_numbers = false;
        config.behaviour.prices_rounded = false;
        config.behaviour.archiving_updates = false;
        config.behaviour.prices_update_variants = true;
        config.behaviour.unknown_keys = false;
        config.behaviour.storage_refuses_credentials = false;
        config.compression = false;
    });
}

#[test]
fn tighter_limits_that_are_told_only_when_they_are_passed_are_kept_to() {
    comes_to_the_same("the tighter limits", |config| {
        config.behaviour.limit_headers = LimitHeaders::OnlyOver;
        config.behaviour.limit_divided = true;
        config.published = false;
        config.limits.units = Some(24);
        config.limits.window = Duration::from_millis(50);
        config.limits.windows = Windows::Fixed;
        config.limits.draft_cost = 6;
        config.limits.stock_report_cost = 8;
        config.limits.parallel = Some(2);
    });
}

#[test]
fn a_login_that_pays_as_little_as_an_application_works_as_well() {
    let mut config = config();
    config.limits.user_cost = 1;
    let world =
        World::seeded(config).signed("login", "admin@autoparts:simulated-moysklad-password");
    let run = world.run("products", json!({}));
    assert_eq!(Outcome::Done, run.report.outcome, "{run:#?}");
}

#[test]
fn an_account_whose_api_was_switched_off_for_abuse_pauses_the_connection_and_is_told() {
    let (world, settings) = shop();
    world
        .sim
        .account(|account| account.access.switched_off = true);
    let run = world.run("products", settings.clone());
    assert_eq!(Outcome::Configuration, run.report.outcome, "{run:#?}");
    // Nothing hammers a door that is closed.
    assert!(
        world.sim.total_requests() <= 3,
        "{:?}",
        world.sim.requests()
    );
    world
        .sim
        .account(|account| account.access.switched_off = false);
    let run = world.run("products", settings);
    assert_eq!(Outcome::Done, run.report.outcome, "{run:#?}");
}

/// The fields of a struct in the source of the simulator.
fn fields(name: &str) -> Vec<String> {
    let source = include_str!("../../../simulators/src/moysklad/config.rs");
    let body = source.split(&format!("pub struct {name} {{")).nth(1);
    let body = body.and_then(|rest| rest.split("\n}").next());
    let fields = body.expect("a struct").lines();
    let field = |line: &str| {
        Some(
            line.trim()
                .strip_prefix("pub ")?
                .split(':')
                .next()?
                .to_owned(),
        )
    };
    fields.filter_map(field).collect()
}

#[test]
fn every_switch_of_the_simulator_is_turned_by_a_scenario() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/moysklad");
    let files = std::fs::read_dir(folder).expect("the scenarios");
    let files = files.map(|file| std::fs::read_to_string(file.expect("a file").path()));
    let scenarios: String = files.map(|text| text.expect("a text")).collect();
    let is_turned = |owner: &str, field: &str| {
        let assigned = format!("{owner}.{field} = ");
        let given = format!(" {field}: ");
        scenarios.contains(&assigned) || scenarios.contains(&given)
    };
    // Who receives a webhook late is seen by a receiver on the wire alone, as the simulator's own tests do.
    let elsewhere = ["behaviour.late_webhooks_repeated"];
    let left: Vec<String> = [("Behaviour", "behaviour"), ("Limits", "limits")]
        .into_iter()
        .flat_map(|(name, owner)| fields(name).into_iter().map(move |field| (owner, field)))
        .filter(|(owner, field)| !is_turned(owner, field))
        .map(|(owner, field)| format!("{owner}.{field}"))
        .filter(|name| !elsewhere.contains(&name.as_str()))
        .collect();
    assert_eq!([""; 0], left[..], "no scenario turns these");
}

#[test]
fn an_order_run_that_is_stopped_at_each_checkpoint_ends_as_one_that_is_not() {
    let (whole, settings) = shop();
    exchange(&whole, &settings);
    let (cut, settings) = shop();
    for job in ["categories", "products", "images", "stock"] {
        cut.run(job, settings.clone());
    }
    let cards = cut.records("products");
    let key = |place: usize| cards[place]["key"].as_str().unwrap().to_owned();
    for (order, partner) in [("1", "k1"), ("2", "k2")] {
        cut.load(
            "orders",
            json!([{
                "key": order, "number": format!("N-{order}"), "partner": partner, "currency": "RUB",
                "lines": [line("1", &key(0), "1", "100"), line("2", &key(1), "2", "50.50")],
            }]),
        );
    }
    let ask = Ask {
        checkpoints: 1,
        ..Ask::default()
    };
    let finish = || {
        for _ in 0..20 {
            if cut.ask("orders", settings.clone(), &ask).report.outcome == Outcome::Done {
                return;
            }
        }
        panic!("it never comes to its end");
    };
    finish();
    cut.edit(
        "orders",
        "1",
        json!({ "lines": [line("1", &key(0), "3", "100")] }),
    );
    finish();
    assert_eq!(state(&whole)["their orders"], state(&cut)["their orders"]);
}

#[test]
fn nothing_secret_is_in_the_report_the_log_or_the_files() {
    let (world, settings) = shop();
    world.sim.faults().fail_next(2, Fault::Status(500));
    let mut everything = String::new();
    for job in ["products", "images", "orders"] {
        everything += &format!("{:?}", world.run(job, settings.clone()));
    }
    for file in std::fs::read_dir(world.folder.path().join("tenants")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        everything += &String::from_utf8_lossy(&bytes);
    }
    assert!(everything.len() > 10_000);
    assert!(!everything.contains(&Config::default().token));
}
