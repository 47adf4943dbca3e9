//! What runs changed and would change, as the API tells it.

use serde_json::{Value, json};
use tenon_scenarios::component;
use tenon_scenarios::server::Server;
use tenon_simulators::keycrm::{self, Config, Simulator};

const CRM: &str = "/tenants/shop/connections/keycrm";
const ORDERS: &str = "/tenants/shop/connections/keycrm/jobs/orders/run";

/// A server with a connection to a KeyCRM of some orders, which is set up and still off.
async fn server(orders: usize) -> (Server, Simulator) {
    let crm = keycrm::start(Config {
        orders,
        requests_per_minute: None,
        ordered_to: "2026-03-31T12:00:00Z".parse().expect("a moment"),
        ..Config::default()
    })
    .expect("a simulator");
    let server = Server::start(&[]);
    server.install(component("keycrm")).await;
    server.tenant("shop").await;
    load(
        &server,
        "partners",
        json!([{ "key": "walk-in", "name": "Walk-in" }]),
    );
    let settings = json!({
        "base_url": crm.url(), "last_days": 3650, "default_partner": "walk-in",
    });
    let connection = json!({
        "id": "keycrm", "connector": "keycrm", "settings": settings, "no_budget": true,
        "grants": [crm.url().trim_end_matches("/v1")],
    });
    server.post("/tenants/shop/connections", connection).await;
    let secret = json!({ "secret": "simulated-keycrm-key" });
    let path = format!("{CRM}/credentials/api_key");
    server.api("PUT", &path, secret).await;
    let never = json!({ "orders": null });
    server.api("PUT", &format!("{CRM}/schedules"), never).await;
    (server, crm)
}

/// People put records into the ERP.
fn load(server: &Server, kind: &str, records: Value) {
    let file = server.folder().join("records.json");
    std::fs::write(&file, records.to_string()).expect("a file");
    let file = file.to_str().expect("a path");
    let output = server.tenon(&["load", kind, file, "--tenant", "shop"]);
    assert!(output.status.success(), "{output:?}");
}

/// Asks for a run and waits for its end.
async fn run(server: &Server, body: Value) -> Value {
    let runs = format!("{CRM}/runs");
    let before = server.get(&runs).await["items"][0]["id"].clone();
    // The run before may hold its place for a moment after its end.
    for _ in 0..100 {
        if server.try_api("POST", ORDERS, body.clone()).await.status == 202 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let ended = |runs: &Value| {
        let last = &runs["items"][0];
        last["id"] != before && !last["finished_at"].is_null()
    };
    server.until(&runs, ended).await["items"][0].clone()
}

/// What a run wrote on a side, by kind.
async fn changes(server: &Server, run: &Value, filter: &str) -> Vec<Value> {
    let id = run["id"].as_str().expect("a run");
    let path = format!("{CRM}/runs/{id}/changes?limit=500{filter}");
    let page = server.get(&path).await;
    page["items"].as_array().expect("changes").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_has_the_mode_that_was_asked_for_and_only_a_live_one_writes() {
    let (server, _crm) = server(3).await;
    for mode in ["preview", "compare"] {
        let run = run(&server, json!({ "mode": mode })).await;
        assert_eq!(
            ("done", mode),
            (
                run["outcome"].as_str().unwrap(),
                run["mode"].as_str().unwrap()
            )
        );
        let told = changes(&server, &run, "&side=platform").await;
        let orders = told.iter().filter(|one| one["record_kind"] == "order");
        assert_eq!(3, orders.count(), "{told:#?}");
        let orders = server.get("/tenants/shop/records/orders").await;
        assert_eq!(json!([]), orders["items"]);
    }
    for (strange, named) in [
        (json!({ "preview": true }), "/preview"),
        (json!({ "mode": "rehearsal" }), "/mode"),
    ] {
        let answer = server.try_api("POST", ORDERS, strange).await;
        assert_eq!(400, answer.status, "{answer:?}");
        assert!(answer.body.to_string().contains(named), "{answer:?}");
    }

    server.post(&format!("{CRM}/enable"), Value::Null).await;
    for (body, mode) in [
        (json!({ "mode": "compare" }), "compare"),
        (json!({}), "live"),
    ] {
        let run = run(&server, body).await;
        assert_eq!(
            ("done", mode),
            (
                run["outcome"].as_str().unwrap(),
                run["mode"].as_str().unwrap()
            )
        );
    }
    let orders = server.get("/tenants/shop/records/orders").await;
    assert_eq!(3, orders["items"].as_array().map_or(0, Vec::len));
    for (mode, count) in [("live", 1), ("preview", 1), ("compare", 2)] {
        let only = server.get(&format!("{CRM}/runs?mode={mode}")).await;
        assert_eq!(count, only["items"].as_array().map_or(0, Vec::len));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_changed_field_stands_beside_the_run_with_what_people_know_the_record_by() {
    let (server, crm) = server(2).await;
    server.post(&format!("{CRM}/enable"), Value::Null).await;
    let first = run(&server, json!({})).await;
    let told = changes(&server, &first, "").await;
    let orders: Vec<_> = (told.iter())
        .filter(|one| one["record_kind"] == "order")
        .collect();
    assert_eq!(2, orders.len(), "{told:#?}");
    for order in &orders {
        assert_eq!(
            ("platform", "created"),
            (
                order["side"].as_str().unwrap(),
                order["change"].as_str().unwrap()
            )
        );
        assert!(
            order["key"].is_string() && order["label"].is_string(),
            "{order}"
        );
        assert_eq!(json!([]), order["changes"]);
    }
    assert_eq!(
        Vec::<Value>::new(),
        changes(&server, &first, "&side=counterpart").await
    );

    // People take the order over, and one word changes in the CRM.
    let mut order = server.get("/tenants/shop/records/orders").await["items"][0].clone();
    let number: i64 = order["number"].as_str().unwrap().parse().unwrap();
    let total = order["total"]
        .as_str()
        .unwrap()
        .parse::<rust_decimal::Decimal>()
        .unwrap();
    let own = json!({ "name": "Gift wrap", "amount": "75" });
    order["charges"].as_array_mut().unwrap().push(own);
    load(&server, "orders", order.clone());
    crm.account(|account| {
        account.change_order(number).manager_comment = Some("call first".to_owned());
    });
    let second = run(&server, json!({})).await;
    let told = changes(&server, &second, "&side=platform").await;
    assert_eq!(1, told.len(), "{told:#?}");
    assert_eq!(json!(number.to_string()), told[0]["label"]);
    assert_eq!(order["key"], told[0]["key"]);
    assert_eq!(order["origin"], told[0]["origin"]);
    assert_eq!("updated", told[0]["change"]);
    let fields: Vec<_> = told[0]["changes"].as_array().unwrap().iter().collect();
    assert_eq!(1, fields.len(), "{fields:?}");
    assert_eq!("attributes", fields[0]["field"]);
    assert!(fields[0]["after"].as_str().unwrap().contains("call first"));
    // The same on the command line.
    let output = server.tenon(&[
        "changes",
        "--tenant",
        "shop",
        "--record",
        &number.to_string(),
    ]);
    let shown = String::from_utf8(output.stdout).expect("text");
    assert!(shown.contains("changed\n    attributes: "), "{shown}");
    assert!(shown.contains("call first"), "{shown}");
    let after = server.get("/tenants/shop/records/orders").await;
    let mut after = after["items"].as_array().unwrap().iter();
    let after = after.find(|one| one["key"] == order["key"]).unwrap();
    let seventy_five = rust_decimal::Decimal::from(75);
    assert_eq!(
        total + seventy_five,
        after["total"].as_str().unwrap().parse().unwrap()
    );
}
