//! What an engineer asks at night: why is this late, who keeps the server busy, and what the log says.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};
use tenon_scenarios::server::Server;

use crate::counterpart::{self, CALLER, Counterpart, call};
use crate::ledger::{LEDGER, add, connect, idle, server};

/// Waits until the newest request of a connection waits for this; answers how.
async fn waits(server: &Server, connection: &str, wanted: &str) -> Value {
    let path = format!("{connection}/waits");
    let reached = |waits: &Value| {
        let last = waits["items"].as_array().and_then(|items| items.last());
        last.is_some_and(|wait| wait["waits_for"] == wanted)
    };
    let waits = server.until(&path, reached).await;
    let last = waits["items"].as_array().and_then(|items| items.last());
    last.expect("a wait").clone()
}

/// Lets every run of a ledger that is asked for nothing special need an admin.
async fn spoil(server: &Server, connection: &str) {
    let put = (server.client())
        .put(format!("{}/v1{connection}/settings", server.url()))
        .bearer_auth(server.token())
        .header("if-match", "*")
        .header("content-type", "application/json")
        .body(json!({ "note": "wrong" }).to_string());
    assert_eq!(200, put.send().await.expect("an answer").status());
    server
        .post(&format!("{connection}/jobs/add/run"), json!({}))
        .await;
}

async fn runs(server: &Server, connection: &str) {
    let is_running = |connection: &Value| !connection["running"].is_null();
    server.until(connection, is_running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn why_it_is_late_is_told_for_places_other_runs_and_connections_that_need_an_admin() {
    let server = server(&["--runs", "1", "--slice", "600"]).await;
    server.tenant("other").await;
    connect(&server, "other", "ledger").await;
    const OTHER: &str = "/tenants/other/connections/ledger";
    add(&server, LEDGER, "slow:10000").await;
    runs(&server, LEDGER).await;
    waits(&server, LEDGER, "nothing").await;
    add(&server, OTHER, "short").await;
    let place = waits(&server, OTHER, "place").await;
    assert!(
        place["text"].as_str().expect("text").contains("a place"),
        "{place}"
    );
    assert!(
        place["since"].is_string() && place["run"].is_null(),
        "{place}"
    );
    add(&server, LEDGER, "next").await;
    let lease = waits(&server, LEDGER, "lease").await;
    let running = server.get(LEDGER).await["running"]["run"].clone();
    assert_eq!(running, lease["run"]);
    server.post(&format!("{LEDGER}/stop"), Value::Null).await;
    idle(&server, LEDGER).await;
    add(&server, LEDGER, "fail").await;
    let retry = waits(&server, LEDGER, "retry").await;
    assert!(retry["until"].is_string(), "{retry}");
    idle(&server, OTHER).await;
    spoil(&server, OTHER).await;
    let paused = waits(&server, OTHER, "paused").await;
    assert!(
        paused["text"]
            .as_str()
            .expect("text")
            .contains("a setting is wrong"),
        "{paused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn why_it_is_late_is_told_for_the_hours_of_exchange() {
    let server = server(&[]).await;
    let here = Timestamp::now().to_zoned(TimeZone::get("Europe/Kyiv").expect("a zone"));
    let later = |hours: i64| (&here + hours.hours()).strftime("%H:%M").to_string();
    let window = json!({ "window": { "from": later(2), "to": later(3) } });
    server.api("PATCH", LEDGER, window).await;
    let schedules = format!("{LEDGER}/schedules");
    server
        .api("PUT", &schedules, json!({ "tell": "* * * * *" }))
        .await;
    let wait = waits(&server, LEDGER, "window").await;
    assert_eq!(
        (json!("tell"), Value::Null),
        (wait["job"].clone(), wait["request"].clone())
    );
    let planned = server.get(&schedules).await;
    let planned = planned["items"].as_array().expect("schedules").iter();
    let next: Vec<_> = planned
        .filter(|one| one["job"] == "tell")
        .map(|one| &one["next_at"])
        .collect();
    assert_eq!(vec![&wait["until"]], next);
}

#[tokio::test(flavor = "multi_thread")]
async fn why_it_is_late_is_told_for_counterparts_and_budgets() {
    let counterpart = Counterpart::start().await;
    let server = counterpart::server(&counterpart, false).await;
    // Its budget is two requests in four minutes.
    call(&server, CALLER, "/held").await;
    counterpart.holds_one().await;
    let answer = waits(&server, CALLER, "counterpart").await;
    assert!(answer["run"].is_string(), "{answer}");
    server.post(&format!("{CALLER}/stop"), Value::Null).await;
    idle(&server, CALLER).await;
    call(&server, CALLER, "/one /two").await;
    let budget = waits(&server, CALLER, "budget").await;
    assert!(
        budget["until"].is_string() && budget["run"].is_string(),
        "{budget}"
    );
    let impatient = Counterpart::start().await;
    counterpart::connect(&server, &impatient, "impatient", true).await;
    let connection = "/tenants/shop/connections/impatient";
    call(&server, connection, "/closed").await;
    let silent = waits(&server, connection, "counterpart").await;
    assert!(
        silent["run"].is_null() && silent["until"].is_string(),
        "{silent}"
    );
    assert!(
        silent["text"]
            .as_str()
            .expect("text")
            .contains(&impatient.url),
        "{silent}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_names_tenant_connection_and_run_of_what_fails_pauses_and_is_refused() {
    let counterpart = Counterpart::start().await;
    let server = Server::start(&["--log-json"]);
    server.install(tenon_scenarios::caller()).await;
    server.install(tenon_scenarios::ledger("1_0")).await;
    server.tenant("shop").await;
    counterpart::connect(&server, &counterpart, "caller", false).await;
    connect(&server, "shop", "ledger").await;
    call(&server, CALLER, "/busy").await;
    waits(&server, CALLER, "counterpart").await;
    spoil(&server, LEDGER).await;
    server
        .until(LEDGER, |connection| connection["state"] == "paused")
        .await;
    let run = async |connection: &str| {
        let connection = server.get(connection).await;
        connection["last_run"]["id"].clone()
    };
    let (caller, ledger) = (run(CALLER).await, run(LEDGER).await);
    let log = server.log();
    let lines = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let lines: Vec<Value> = lines.collect();
    let line = |message: &str, connection: &str, run: &Value| {
        let found = lines.iter().find(|line| {
            line["message"] == message && line["connection"] == connection && line["run"] == *run
        });
        let found = found.unwrap_or_else(|| panic!("{message} of {connection}: {log}"));
        assert_eq!(
            (json!("shop"), json!("WARN")),
            (found["tenant"].clone(), found["level"].clone())
        );
        found.clone()
    };
    let refused = line("the counterpart refuses", "caller", &caller);
    assert_eq!("429", refused["status"]);
    let failed = line("a run failed", "caller", &caller);
    assert_eq!(
        json!(["call", "transient", "host.budget-used-up"]),
        json!([failed["job"], failed["outcome"], failed["reason"]])
    );
    assert!(failed["until"].is_string(), "{failed}");
    let failed = line("a run failed", "ledger", &ledger);
    assert_eq!("configuration", failed["outcome"]);
    line(
        "a connection is paused: it needs an admin",
        "ledger",
        &ledger,
    );
    // What the connector said may name somebody.
    assert!(!log.contains("a setting is wrong"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_busiest_tenants_are_told_by_the_api_and_figures_name_none() {
    let server = server(&[]).await;
    for tenant in ["calm", "idle"] {
        server.tenant(tenant).await;
        connect(&server, tenant, "ledger").await;
    }
    for number in 0..3 {
        add(&server, LEDGER, &number.to_string()).await;
        idle(&server, LEDGER).await;
    }
    let calm = "/tenants/calm/connections/ledger";
    add(&server, calm, "reject:1").await;
    idle(&server, calm).await;
    let usage = server.get("/usage?by=runs&hours=1").await;
    let tenants: Vec<_> = usage["items"]
        .as_array()
        .expect("tenants")
        .iter()
        .map(|one| json!([one["tenant"], one["runs"], one["failed_runs"]]))
        .collect();
    assert_eq!(vec![json!(["shop", 3, 0]), json!(["calm", 1, 0])], tenants);
    let first = server.get("/usage?by=runs&limit=1").await;
    assert_eq!(1, first["items"].as_array().expect("tenants").len());
    let figures = server
        .client()
        .get(format!("{}/metrics", server.url()))
        .send()
        .await;
    let figures = figures.expect("an answer").text().await.expect("text");
    assert!(figures.contains("tenon_last_success_seconds "), "{figures}");
    assert!(
        figures.contains("tenon_database_bytes{database=\"control\"}"),
        "{figures}"
    );
    assert!(figures.contains("tenon_disk_free_bytes "), "{figures}");
    assert!(!figures.contains("calm"), "{figures}");
}
