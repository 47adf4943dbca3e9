//! What the simulator does to a client on purpose, and what it tells about the client.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tenon_simulators::faults::{Fault, Rule};
use tenon_simulators::moysklad::{self, Account, Config, Kind, NewProduct};

use crate::client::{config, get, json, over, path, post, put};

#[test]
fn errors_on_demand_look_like_the_vendor_s_and_like_a_proxy_s() -> Result<()> {
    let sim = over(Account::empty())?;
    let at = "/entity/store";
    for (fault, status, code) in [
        (Fault::Status(500), 500, 0),
        (Fault::Status(503), 503, 1074),
        (Fault::Code(1065), 409, 1065),
        (Fault::Code(1095), 503, 1095),
        (
            Fault::TooManyRequests {
                retry_after: Some(700),
            },
            429,
            1049,
        ),
        (Fault::TooManyRequests { retry_after: None }, 429, 1073),
    ] {
        sim.faults()
            .add(Rule::new(fault.clone()).on("GET /entity/store"));
        assert_eq!(get(&sim, at)?.refusal(), (status, code), "{fault:?}");
        assert_eq!(get(&sim, at)?.status, 200, "{fault:?}");
    }
    sim.faults().fail_next(
        1,
        Fault::TooManyRequests {
            retry_after: Some(700),
        },
    );
    assert_eq!(get(&sim, at)?.header("x-lognex-retry-after"), Some("700"));
    sim.faults().fail_next(1, Fault::HtmlBadGateway);
    assert_eq!(get(&sim, at)?.header("content-type"), Some("text/html"));
    sim.faults().fail_next(1, Fault::CutBody);
    assert!(get(&sim, at).is_err());
    sim.faults().fail_next(1, Fault::ConnectionReset);
    assert!(get(&sim, at).is_err());
    sim.faults()
        .fail_next(1, Fault::Slow(Duration::from_millis(1)));
    assert_eq!(get(&sim, at)?.status, 200);
    Ok(())
}

#[test]
fn an_answer_may_be_lost_after_the_work_is_done() -> Result<()> {
    let sim = over(Account::empty())?;
    sim.faults()
        .add(Rule::new(Fault::LostAnswer).on("POST /entity/product"));
    let sync_id = "0f0e0d0c-0b0a-4908-8706-050403020100";
    let body = json!({ "name": "A", "syncId": sync_id });
    let lost = post(&sim, "/entity/product", &body)?;
    assert_eq!(lost.status, 504);
    assert!(lost.text.starts_with("<html>"));
    assert_eq!(json(&sim, "/entity/product")?["meta"]["size"], 1);
    assert_eq!(post(&sim, "/entity/product", &body)?.status, 200);
    assert_eq!(json(&sim, "/entity/product")?["meta"]["size"], 1);
    Ok(())
}

#[test]
fn a_fault_before_the_work_leaves_nothing_behind() -> Result<()> {
    let sim = over(Account::empty())?;
    sim.faults().fail_next(1, Fault::Code(1065));
    assert_eq!(
        post(&sim, "/entity/product", &json!({ "name": "A" }))?.status,
        409
    );
    assert_eq!(json(&sim, "/entity/product")?["meta"]["size"], 0);
    Ok(())
}

#[test]
fn requests_are_counted_by_what_they_ask_for() -> Result<()> {
    let mut account = Account::empty();
    let product = account.add_product(NewProduct::new("A"));
    let sim = over(account)?;
    get(&sim, "/entity/product?limit=1")?;
    get(&sim, &path(Kind::Product, product))?;
    put(&sim, &path(Kind::Product, product), &json!({ "name": "B" }))?;
    assert_eq!(sim.requests_to("GET /entity/product"), 1);
    assert_eq!(sim.requests_to("GET /entity/product/{id}"), 1);
    assert_eq!(sim.requests_to("PUT /entity/product/{id}"), 1);
    assert_eq!(sim.total_requests(), 3);
    let seen = sim.recent_requests();
    assert_eq!(seen[0].parameter("limit"), Some("1"));
    assert_eq!(seen[0].header("accept-encoding"), Some("gzip"));
    Ok(())
}

#[test]
fn a_running_clock_goes_on_by_itself_and_a_standing_one_with_each_change() -> Result<()> {
    let running = Config {
        clock_runs: true,
        ..config()
    };
    let sim = moysklad::start_with(running, Account::empty())?;
    let first = sim.account(|account| account.now());
    let later = (0..100_000).any(|_| sim.account(|account| account.now()) > first);
    assert!(later, "the clock stands");
    let standing = over(Account::empty())?;
    let first = standing.account(|account| account.now());
    get(&standing, "/entity/store")?;
    assert_eq!(standing.account(|account| account.now()), first);
    post(&standing, "/entity/store", &json!({ "name": "X" }))?;
    assert!(standing.account(|account| account.now()) > first);
    Ok(())
}

#[test]
fn a_large_catalogue_is_read_in_a_few_pages() -> Result<()> {
    let sim = moysklad::start(Config {
        products: 3000,
        ..config()
    })?;
    let all = crate::client::rows(
        &sim,
        "/entity/product?order=updated,asc&filter=archived=true;archived=false",
    )?;
    assert_eq!(all.len(), 3000);
    assert_eq!(sim.requests_to("GET /entity/product"), 3);
    let stock = json(&sim, "/report/stock/bystore/current")?;
    assert!(stock.as_array().is_some_and(|rows| rows.len() > 5000));
    Ok(())
}
