//! Webhooks: stored before they are answered, worked off once, from nobody without the secret.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tenon_scenarios::server::Server;

use crate::ledger::{LEDGER, add, entries, idle, server};

async fn callback(server: &Server) -> String {
    let rotated = server
        .post(&format!("{LEDGER}/hook/rotate"), Value::Null)
        .await;
    rotated["url"].as_str().expect("an address").to_owned()
}

async fn send(server: &Server, url: &str, query: &str, body: &str) -> u16 {
    let url = format!("{url}orders?{query}");
    let request = server.client().post(url).body(body.to_owned());
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_becomes_a_run_and_one_that_is_sent_again_does_not() {
    let server = server(&[]).await;
    let url = callback(&server).await;
    assert_eq!(200, send(&server, &url, "requestId=1", "first").await);
    assert_eq!(200, send(&server, &url, "requestId=1", "first").await);
    assert_eq!(200, send(&server, &url, "requestId=2", "second").await);
    server
        .until(&format!("{LEDGER}/runs"), |runs| {
            runs["items"].as_array().is_some_and(|runs| runs.len() == 2)
        })
        .await;
    let (_, mut entries) = entries(&server, LEDGER).await;
    entries.sort();
    assert_eq!(vec!["first", "second"], entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_was_answered_survives_a_kill_at_once() {
    let mut server = server(&[]).await;
    let url = callback(&server).await;
    let path = url
        .strip_prefix(server.url())
        .expect("its address")
        .to_owned();
    for number in 0..20 {
        let url = format!("{}{path}", server.url());
        let query = format!("requestId={number}");
        assert_eq!(
            200,
            send(&server, &url, &query, &format!("w{number}")).await
        );
        if number % 5 == 4 {
            server.kill();
            server.resume();
        }
    }
    // Each of them: a kill may have come between the end of a run and that of its request, which then
    // runs again.
    let wanted = |runs: &Value| {
        let runs = runs["items"].as_array().into_iter().flatten();
        let done = runs.filter(|run| run["outcome"] == "done");
        let all: BTreeSet<String> = done.map(|run| run["argument"].to_string()).collect();
        all.len() >= 20
    };
    server
        .until(&format!("{LEDGER}/runs?limit=100"), wanted)
        .await;
    let (_, mut entries) = entries(&server, LEDGER).await;
    entries.sort();
    let mut all: Vec<String> = (0..20).map(|number| format!("w{number}")).collect();
    all.sort();
    assert_eq!(all, entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_an_old_and_a_switched_off_address_are_all_not_found() {
    let server = server(&[]).await;
    let old = callback(&server).await;
    let new = callback(&server).await;
    assert_eq!(404, send(&server, &old, "", "a").await);
    assert_eq!(200, send(&server, &new, "", "a").await);
    let guess = format!("{}/hooks/{}/", server.url(), "a".repeat(43));
    assert_eq!(404, send(&server, &guess, "", "a").await);
    idle(&server, LEDGER).await;
    server.post(&format!("{LEDGER}/disable"), Value::Null).await;
    assert_eq!(404, send(&server, &new, "", "a").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_switched_off_while_it_is_switched_on_stays_off() {
    let server = server(&[]).await;
    add(&server, LEDGER, "slow-hooks").await;
    idle(&server, LEDGER).await;
    server.post(&format!("{LEDGER}/disable"), Value::Null).await;
    let addresses = |audit: &Value| {
        let notes = audit["items"].as_array().into_iter().flatten();
        let given = notes.filter(|note| note["action"] == "connection.hook");
        given.count()
    };
    let audit = "/tenants/shop/audit";
    let before = addresses(&server.get(audit).await);
    let path = format!("{LEDGER}/enable");
    let enabled = server.try_api("POST", &path, Value::Null);
    let disabled = async {
        // The connector sets up the counterpart now, which takes a while.
        server.until(audit, |audit| addresses(audit) > before).await;
        server.post(&format!("{LEDGER}/disable"), Value::Null).await
    };
    let (enabled, disabled) = tokio::join!(enabled, disabled);
    assert_eq!(409, enabled.status, "{enabled:?}");
    assert_eq!("off", disabled["state"]);
    assert_eq!("off", server.get(LEDGER).await["state"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_and_one_that_no_connector_reads_waits_for_people() {
    let server = server(&[]).await;
    let url = callback(&server).await;
    assert_eq!(
        413,
        send(&server, &url, "", &"x".repeat((1 << 20) + 1)).await
    );
    let garbage = server
        .client()
        .post(format!("{url}orders"))
        .body(vec![0xff]);
    assert_eq!(
        200,
        garbage.send().await.expect("an answer").status().as_u16()
    );
    assert_eq!(200, send(&server, &url, "", "after").await);
    server
        .until(&format!("{LEDGER}/runs"), |runs| {
            !runs["items"][0].is_null()
        })
        .await;
    assert_eq!(vec!["after"], entries(&server, LEDGER).await.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn given_up_webhooks_are_listed_counted_read_again_and_removed() {
    let server = server(&[]).await;
    let url = callback(&server).await;
    let garbage = async |byte| {
        let sent = server
            .client()
            .post(format!("{url}orders"))
            .body(vec![0xff, byte]);
        assert!(sent.send().await.expect("an answer").status().is_success());
    };
    garbage(1).await;
    garbage(2).await;
    let count = |wanted: u64| move |connection: &Value| connection["given_up_webhooks"] == wanted;
    let connection = server.until(LEDGER, count(2)).await;
    assert_eq!(0, connection["dead"], "{connection:#}");
    let path = format!("{LEDGER}/webhooks");
    let first = server.get(&format!("{path}?limit=1")).await;
    let webhook = &first["items"][0];
    assert_eq!(
        json!(["orders", 1]),
        json!([webhook["topic"], webhook["attempts"]])
    );
    let error = webhook["error"].as_str().expect("a reason");
    assert!(error.contains("the body is not text"), "{error}");
    let next = first["next"].as_str().expect("more");
    let second = server.get(&format!("{path}?limit=1&after={next}")).await;
    let second = second["items"][0]["id"].as_i64().expect("a webhook");
    // It is no better the second time, and so it is given up again.
    let retried = server
        .post(&format!("{path}/{second}/retry"), Value::Null)
        .await;
    assert_eq!(1, retried["retried"]);
    server.until(LEDGER, count(2)).await;
    let retried = server.post(&format!("{path}/retry"), Value::Null).await;
    assert_eq!(2, retried["retried"]);
    server.until(LEDGER, count(2)).await;
    let path = format!("{path}/{second}");
    server.api("DELETE", &path, Value::Null).await;
    assert_eq!(1, server.get(LEDGER).await["given_up_webhooks"]);
    for (method, path) in [("DELETE", path.clone()), ("POST", format!("{path}/retry"))] {
        let gone = server.try_api(method, &path, Value::Null).await;
        assert_eq!(
            (404, "not_found"),
            (gone.status, gone.body["code"].as_str().expect("a code"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_the_platform_reach_the_jobs_that_listen_to_them() {
    let server = server(&[]).await;
    let events = "/tenants/shop/events";
    let changed = json!({
        "type": "changed",
        "records": [{ "kind": "order", "key": "7" }, { "kind": "product", "key": "8" }],
    });
    assert_eq!(1, server.post(events, changed).await["requests"]);
    idle(&server, LEDGER).await;
    let visited = json!({ "type": "visited", "record": { "kind": "partner", "key": "9" } });
    assert_eq!(1, server.post(events, visited).await["requests"]);
    idle(&server, LEDGER).await;
    let pressed = json!({
        "type": "pressed",
        "connection": "ledger",
        "action": "add",
        "target": { "kind": "order", "key": "10" },
    });
    assert_eq!(1, server.post(events, pressed).await["requests"]);
    let nobody = json!({ "type": "changed", "records": [{ "kind": "stock", "key": "1" }] });
    assert_eq!(0, server.post(events, nobody).await["requests"]);
    let told = entries(&server, LEDGER).await.1;
    assert_eq!(vec!["changed-7", "visited-9", "pressed-10"], told);
}
