//! Who lets go for whom, and who need not.

use serde_json::{Value, json};
use tenon_scenarios::server::Server;

use crate::counterpart::{self, Counterpart, call};
use crate::ledger::{LEDGER, add, connect, entries, idle, server};

const OTHER: &str = "/tenants/other/connections/ledger";

/// How the runs of a connection ended, the newest first.
async fn outcomes(server: &Server, connection: &str) -> Vec<String> {
    let runs = server.get(&format!("{connection}/runs?limit=100")).await;
    let runs = runs["items"].as_array().expect("runs").iter();
    let outcome = |run: &Value| run["outcome"].as_str().expect("an outcome").to_owned();
    runs.map(outcome).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_ask_for_in_one_tenant_does_not_hold_back_the_events_of_another() {
    const MANY: usize = 12;
    let server = server(&["--runs", "1"]).await;
    server.tenant("other").await;
    connect(&server, "other", "ledger").await;
    for number in 0..MANY {
        connect(&server, "shop", &format!("ledger-{number}")).await;
    }
    for number in 0..MANY {
        add(&server, &format!("{LEDGER}-{number}"), "slow:25").await;
    }
    let changed = json!({ "type": "changed", "records": [{ "kind": "order", "key": "7" }] });
    server.post("/tenants/other/events", changed).await;
    server
        .until(OTHER, |connection| !connection["last_run"].is_null())
        .await;
    let mut left = 0;
    for number in 0..MANY {
        let connection = server.get(&format!("{LEDGER}-{number}")).await;
        left += usize::from(connection["last_run"].is_null());
    }
    assert!(left > 0, "it came last");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_shops_whose_counterparts_do_not_answer_hold_no_other_shop_back() {
    const SLOW: usize = 100;
    const FAST: usize = 20;
    let slow = Counterpart::start().await;
    let fast = Counterpart::start().await;
    let server = counterpart::server(&slow, true).await;
    for number in 0..SLOW + FAST {
        let tenant = format!("shop-{number}");
        let counterpart = if number < SLOW { &slow } else { &fast };
        server.tenant(&tenant).await;
        counterpart::connect_of(&server, counterpart, &tenant, "caller", true).await;
    }
    let connection = |number| format!("/tenants/shop-{number}/connections/caller");
    for number in 0..SLOW {
        call(&server, &connection(number), "/held").await;
    }
    slow.holds(SLOW).await;
    for number in SLOW..SLOW + FAST {
        call(&server, &connection(number), "/one").await;
    }
    for number in SLOW..SLOW + FAST {
        let done = |connection: &Value| connection["last_run"]["outcome"] == "done";
        server.until(&connection(number), done).await;
    }
    // All that while nobody was answered.
    slow.holds(SLOW).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_run_is_not_cut_while_nobody_waits() {
    let server = server(&["--runs", "1", "--slice", "1"]).await;
    add(&server, LEDGER, "slow:150").await;
    idle(&server, LEDGER).await;
    assert_eq!(vec!["done"], outcomes(&server, LEDGER).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_run_lets_go_of_its_connection_for_what_else_waits_for_it() {
    let server = server(&["--runs", "4", "--slice", "1"]).await;
    add(&server, LEDGER, "slow:300").await;
    server
        .until(LEDGER, |connection| !connection["running"].is_null())
        .await;
    add(&server, LEDGER, "short").await;
    let told = entries(&server, LEDGER).await.1;
    assert_eq!(vec!["short", "slow-300"], told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_a_person_stops_does_not_go_on_by_itself() {
    let server = server(&[]).await;
    add(&server, LEDGER, "slow:100000").await;
    server
        .until(LEDGER, |connection| !connection["running"].is_null())
        .await;
    let stopping = server.post(&format!("{LEDGER}/stop"), Value::Null).await;
    assert_eq!(true, stopping["stopping"]);
    idle(&server, LEDGER).await;
    assert_eq!(vec!["suspended"], outcomes(&server, LEDGER).await);
    // What else is asked of the connection is done.
    assert_eq!(Vec::<String>::new(), entries(&server, LEDGER).await.1);
}
