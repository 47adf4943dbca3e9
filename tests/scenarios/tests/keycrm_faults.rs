//! KeyCRM → ERP when things go wrong: nothing is lost, nothing is doubled, and people are told.

use std::time::Duration;

use serde_json::{Value, json};
use tenon_host::report::Outcome;
use tenon_host::{Limits, Mend};
use tenon_scenarios::{Shop, written};
use tenon_simulators::faults::{Fault, Rule};
use tenon_simulators::keycrm::{self, Account, Config, NewBuyer, NewLine, NewOrder, Simulator};

const KEY: &str = "simulated-keycrm-key";

fn config(orders: usize) -> Config {
    Config {
        orders,
        requests_per_minute: None,
        ordered_to: "2026-03-31T12:00:00Z".parse().expect("a moment"),
        ..Config::default()
    }
}

fn shop(sim: &Simulator) -> Shop {
    let shop = Shop::new("keycrm", sim.url(), KEY);
    shop.load(
        "partners",
        json!([{ "key": "walk-in", "name": "Роздрібний покупець" }]),
    );
    shop
}

fn year() -> Value {
    json!({
        "period": { "from": "2026-01-01", "to": "2026-12-31" },
        "default_partner": "walk-in",
    })
}

fn state(shop: &Shop) -> Vec<(&'static str, Vec<Value>)> {
    written(|kind| shop.records(kind))
}

#[test]
fn a_wrong_key_is_a_matter_for_the_admin_and_names_the_credential() {
    let sim = keycrm::start(config(10)).unwrap();
    let shop = Shop::new("keycrm", sim.url(), "wrong");
    let run = shop.run("orders", json!({ "last_days": 3 }));
    assert_eq!(Outcome::Configuration, run.report.outcome, "{run:?}");
    assert!(!format!("{:?}", run.report).contains("wrong"), "{run:?}");
    let mend = run.report.why.unwrap().mend;
    assert_eq!(Some(Mend::Credential("api_key".to_owned())), mend);
    assert_eq!(1, sim.total_requests());
    assert!(shop.check(json!({ "last_days": 3 })).is_err());
}

#[test]
fn settings_that_break_the_schema_are_refused_with_every_path_and_reason() {
    let sim = keycrm::start(config(1)).unwrap();
    let shop = shop(&sim);
    for (settings, expected) in [
        (json!({}), vec![""]),
        (
            json!({ "last_days": 0, "author": 5, "colour": "red" }),
            vec!["/last_days", "/author", "colour"],
        ),
        (
            json!({ "last_days": 1, "period": { "from": "2026-01-01", "to": "2026-02-01" } }),
            vec![""],
        ),
        (
            json!({ "period": { "from": "yesterday", "to": 3 } }),
            vec!["/period"],
        ),
    ] {
        let error = match shop.connect(settings.clone()) {
            Ok(_) => panic!("{settings} was taken"),
            Err(error) => error.to_string(),
        };
        for path in expected {
            assert!(
                error.contains(&format!("settings{path}")) || error.contains(path),
                "{error}"
            );
        }
        assert!(!error.contains('\n'), "{error}");
    }
    assert_eq!(0, sim.total_requests());
}

#[test]
fn an_order_that_cannot_be_read_is_listed_and_all_others_are_loaded() {
    let sim = keycrm::start(config(120)).unwrap();
    let (first, second) = sim.account(|account| {
        let ids: Vec<i64> = account.orders.keys().copied().collect();
        account.spoil_order(ids[30], "products", "\"oops\"");
        account.spoil_order(ids[70], "grand_total", "\"abc\"");
        (ids[30], ids[70])
    });
    let shop = shop(&sim);
    let run = shop.run("orders", year());
    assert_eq!((118, 0, 0, 2), run.counts(), "{:?}", run.report);
    assert_eq!(Outcome::Done, run.report.outcome);
    let listed: Vec<_> = (run.report.records.iter())
        .map(|record| record.id.as_str())
        .collect();
    assert_eq!(vec![first.to_string(), second.to_string()], listed);
    for record in &run.report.records {
        assert!(
            !record.reason.is_empty() && !record.reason.contains('\n'),
            "{record:?}"
        );
    }

    // Mended at the CRM, they are taken by the next run.
    sim.account(|account| {
        account.change_order(first).spoiled.clear();
        account.change_order(second).spoiled.clear();
    });
    let run = shop.run("orders", year());
    assert_eq!((2, 0, 118, 0), run.counts(), "{:?}", run.report);
}

#[test]
fn an_order_that_failed_is_tried_again_by_an_incremental_run_although_it_did_not_change() {
    let mut account = Account::empty();
    // A day lies between the two, so that no overlap of windows finds the first again.
    account.set_now(jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24));
    let order = account.add_order(NewOrder::new().line(NewLine::named("Чашка").price("1")));
    let done = account.add_status("Виконано", 5);
    account.set_status(order, done);
    account.set_now(jiff::Timestamp::now());
    let buyer = account.add_buyer(NewBuyer::named("Олена").phone("+380501112233"));
    account.add_order(NewOrder::new().buyer(buyer).status(done));
    let sim = keycrm::start_with(config(0), account).unwrap();
    let shop = shop(&sim);
    let run = shop.run("orders", json!({ "last_days": 5 }));
    assert_eq!((1, 0, 0, 1), run.counts(), "{:?}", run.report);
    let run = shop.run(
        "orders",
        json!({ "last_days": 5, "default_partner": "walk-in" }),
    );
    assert_eq!(
        (1, 0),
        (run.report.created, run.report.failed),
        "{:?}",
        run.report
    );
    assert_eq!("walk-in", shop.order(order)["partner"]);
}

/// So many final orders of yesterday that have no buyer, and a buyer with an order of today: by the
/// times of orders no run after the first meets those of yesterday again.
fn without_buyers(orders: usize) -> (Simulator, Vec<i64>, i64) {
    let mut account = Account::empty();
    let done = account.add_status("Виконано", 5);
    account.set_now(jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24));
    let yesterday = (0..orders)
        .map(|_| {
            let cup = NewLine::named("Чашка").price("1");
            account.add_order(NewOrder::new().status(done).line(cup))
        })
        .collect();
    account.set_now(jiff::Timestamp::now());
    let buyer = account.add_buyer(NewBuyer::named("Олена").phone("+380501112233"));
    account.add_order(NewOrder::new().buyer(buyer).status(done));
    let sim = keycrm::start_with(config(0), account).unwrap();
    (sim, yesterday, buyer)
}

/// Gives orders a buyer, which their time of change does not tell.
fn name_buyer(sim: &Simulator, orders: &[i64], buyer: i64) {
    sim.account(|account| {
        for order in orders {
            account.order_mut(*order).buyer_id = Some(buyer);
        }
    });
}

#[test]
fn people_who_ask_get_all_rejected_orders_tried_again_in_pages() {
    let (sim, orders, buyer) = without_buyers(130);
    let shop = shop(&sim);
    let settings = json!({ "last_days": 5 });
    let run = shop.run("orders", settings.clone());
    assert_eq!((1, 0, 0, 130), run.counts(), "{:?}", run.report);
    let run = shop.run("orders", settings.clone());
    assert_eq!((0, 130), (run.report.created, run.report.failed));

    name_buyer(&sim, &orders, buyer);
    sim.reset_counts();
    let run = shop.run("orders", settings.clone());
    assert_eq!((130, 0), (run.report.created, run.report.failed));
    // What came since, and three pages of those of yesterday.
    assert!(sim.requests_to("GET /order") <= 6, "{:?}", sim.requests());
    assert_eq!(0, sim.requests_to("GET /order/{id}"));

    sim.reset_counts();
    let run = shop.run("orders", settings);
    assert_eq!((0, 0), (run.report.created, run.report.failed));
    assert!(sim.requests_to("GET /order") <= 3, "{:?}", sim.requests());
}

#[test]
fn a_retry_that_is_cut_tries_each_order_once_and_names_at_its_end_all_that_it_could_not_take() {
    let (sim, orders, buyer) = without_buyers(60);
    name_buyer(&sim, &orders, buyer);
    sim.account(|account| {
        for order in &orders {
            account.spoil_order(*order, "products", "\"oops\"");
        }
    });
    let shop = shop(&sim);
    let settings = json!({ "last_days": 5 });
    let run = shop.run("orders", settings.clone());
    assert_eq!((1, 0, 0, 60), run.counts(), "{:?}", run.report);

    let (mended, spoiled) = orders.split_at(25);
    sim.account(|account| {
        for order in mended {
            account.order_mut(*order).spoiled.clear();
        }
    });
    sim.reset_counts();
    let mut created = 0;
    let last = loop {
        let run = shop.run_until("orders", settings.clone(), 1);
        created += run.report.created;
        if run.report.outcome == Outcome::Done {
            break run;
        }
        assert_eq!(Outcome::Suspended, run.report.outcome, "{:?}", run.report);
    };
    assert_eq!(25, created);
    assert_eq!(60, sim.requests_to("GET /order/{id}"));
    let mut named: Vec<i64> = (last.report.records.iter())
        .map(|record| record.id.parse().expect("a number"))
        .collect();
    named.sort_unstable();
    assert_eq!(spoiled, named);
}

#[test]
fn a_rejected_order_outside_of_the_period_is_not_tried_again() {
    let mut account = Account::empty();
    let cup = NewLine::named("Чашка").price("1");
    let order = NewOrder::new().ordered_at("2026-03-05T10:00:00Z").line(cup);
    account.add_order(order);
    let sim = keycrm::start_with(config(0), account).unwrap();
    let shop = shop(&sim);
    let march = json!({ "period": { "from": "2026-03-01", "to": "2026-03-31" } });
    let run = shop.run("orders", march);
    assert_eq!((0, 0, 0, 1), run.counts(), "{:?}", run.report);
    let april = json!({
        "period": { "from": "2026-04-01", "to": "2026-04-30" }, "default_partner": "walk-in",
    });
    let run = shop.run("orders", april);
    assert_eq!((0, 0, 0, 0), run.counts(), "{:?}", run.report);
    assert!(shop.records("orders").is_empty());
}

#[test]
fn every_request_failing_once_leads_to_the_same_state() {
    let sim = keycrm::start(config(120)).unwrap();
    let unbroken = shop(&sim);
    unbroken.run("orders", year());
    let expected = state(&unbroken);
    for fault in [
        Fault::Status(500),
        Fault::HtmlBadGateway,
        Fault::TooManyRequests {
            retry_after: Some(0),
        },
        Fault::CutBody,
        Fault::ConnectionReset,
        Fault::Slow(Duration::from_millis(50)),
    ] {
        let sim = keycrm::start(config(120)).unwrap();
        sim.faults().fail_first_of_each(fault.clone());
        let shop = shop(&sim);
        let run = shop.run("orders", year());
        assert_eq!(
            Outcome::Done,
            run.report.outcome,
            "{fault:?}: {:?}",
            run.report
        );
        assert_eq!(expected, state(&shop), "{fault:?}");
    }
}

#[test]
fn a_failure_that_lasts_is_transient_after_a_bound_and_the_next_run_goes_on() {
    for fault in [Fault::Status(503), Fault::CutBody, Fault::HtmlOk] {
        let sim = keycrm::start(config(180)).unwrap();
        let shop = shop(&sim);
        let rule = Rule::new(fault.clone())
            .on("GET /order")
            .after(2)
            .times(1_000);
        sim.faults().add(rule);
        let run = shop.run("orders", year());
        assert_eq!(
            Outcome::Transient,
            run.report.outcome,
            "{fault:?}: {:?}",
            run.report
        );
        let error = run.report.error.unwrap();
        assert!(
            !error.is_empty() && !error.contains('\n') && error.len() < 400,
            "{error}"
        );
        assert!(sim.total_requests() < 20, "{fault:?}: {:?}", sim.requests());
        // The first page and the last.
        assert_eq!(80, shop.records("orders").len(), "{fault:?}");

        sim.faults().clear();
        sim.reset_counts();
        let run = shop.run("orders", year());
        assert_eq!(
            Outcome::Done,
            run.report.outcome,
            "{fault:?}: {:?}",
            run.report
        );
        assert_eq!(180, shop.records("orders").len(), "{fault:?}");
        assert!(sim.requests_to("GET /order") <= 3, "{:?}", sim.requests());
    }
}

#[test]
fn the_vendors_request_limit_is_waited_out() {
    let sim = keycrm::start(Config {
        requests_per_minute: Some(2),
        window: Duration::from_secs(1),
        ..config(300)
    })
    .unwrap();
    let shop = shop(&sim);
    let run = shop.run("orders", year());
    assert_eq!((300, 0, 0, 0), run.counts(), "{:?}", run.report);
    let refused = (sim.recent_requests().iter())
        .filter(|seen| seen.status.is_some_and(|status| status == 429))
        .count();
    assert!(refused > 0, "the limit was never met, so nothing was shown");
}

#[test]
fn a_component_that_breaks_a_limit_is_stopped_and_keeps_what_it_committed() {
    let no_time = Limits {
        compute: Duration::ZERO,
        ..Limits::default()
    };
    let no_memory = Limits {
        memory: 3 << 19,
        ..Limits::default()
    };
    let small_answers = Limits {
        response: 10 << 10,
        ..Limits::default()
    };
    let few_requests = Limits {
        requests: 4,
        ..Limits::default()
    };
    for (limits, outcome, word) in [
        (no_time, Outcome::Crashed, "checkpoint"),
        (no_memory, Outcome::Crashed, "memory"),
        (small_answers, Outcome::Transient, "limit `response`"),
        (few_requests, Outcome::Configuration, "limit `requests`"),
    ] {
        let sim = keycrm::start(config(300)).unwrap();
        let shop = shop(&sim).limited(limits.clone());
        let run = shop.run("orders", year());
        assert_eq!(outcome, run.report.outcome, "{limits:?}: {:?}", run.report);
        let error = run.report.error.clone().unwrap();
        let why = run.report.why.clone().unwrap();
        let told = format!("{error} {}", why.detail.unwrap_or_default());
        assert!(told.contains(word) && !told.contains('\n'), "{told}");
        let committed = shop.records("orders").len() as u64;
        assert_eq!(run.report.created, committed, "{:?}", run.report);
        let kept = &shop.records("runs")[0];
        assert_eq!(serde_json::to_value(&run.report).unwrap(), *kept);

        let shop = shop.limited(Limits::default());
        let rest = shop.run("orders", year());
        assert_eq!(Outcome::Done, rest.report.outcome, "{:?}", rest.report);
        assert_eq!(300, shop.records("orders").len());
    }
}

#[test]
fn a_run_may_send_more_requests_than_it_may_have_handles() {
    let handles = 24;
    let sim = keycrm::start(config(2_000)).unwrap();
    let shop = shop(&sim).limited(Limits {
        handles,
        ..Limits::default()
    });
    let run = shop.run("orders", year());
    assert_eq!((2_000, 0, 0, 0), run.counts(), "{:?}", run.report);
    assert!(
        sim.total_requests() > handles as u64,
        "{:?}",
        sim.requests()
    );
}

#[test]
fn nothing_secret_is_in_the_report_the_log_or_the_files() {
    let sim = keycrm::start(config(60)).unwrap();
    sim.faults().fail_next(2, Fault::Status(500));
    let shop = shop(&sim);
    let run = shop.run("orders", year());
    let mut everything = format!("{run:?}");
    for file in std::fs::read_dir(shop.folder().join("tenants")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        everything += &String::from_utf8_lossy(&bytes);
    }
    assert!(everything.len() > 10_000);
    assert!(!everything.contains(KEY));
}
