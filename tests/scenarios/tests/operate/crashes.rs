//! Whatever happens to the process, nothing is lost.

use std::time::{Duration, Instant};

use serde_json::json;
use tenon_scenarios::ledger;
use tenon_scenarios::server::Server;

use crate::ledger::{LEDGER, add, entries, idle, server};

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_loses_no_request() {
    let mut server = server(&["--runs", "4"]).await;
    let mut wanted = Vec::new();
    for round in 0..12 {
        for number in 0..10 {
            let entry = format!("{round}-{number}");
            assert_eq!(202, add(&server, LEDGER, &entry).await.status);
            wanted.push(entry);
        }
        // Somewhere in the middle of that work, each time somewhere else.
        tokio::time::sleep(Duration::from_millis(7 * round)).await;
        server.kill();
        server.resume();
    }
    let (_, mut entries) = entries(&server, LEDGER).await;
    entries.sort();
    wanted.sort();
    assert_eq!(wanted, entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_an_upgrade_leaves_a_version_with_its_own_state() {
    let mut server = server(&[]).await;
    add(&server, LEDGER, "one").await;
    idle(&server, LEDGER).await;
    let path = format!("{LEDGER}/upgrade");
    let second = server.install(ledger("2_0")).await;
    server.post(&path, json!({ "digest": second })).await;
    let third = server.install(ledger("3_0")).await;
    for round in 0..10 {
        let asking = (server.client())
            .post(format!("{}/v1{path}", server.url()))
            .bearer_auth(server.token())
            .header("content-type", "application/json")
            .body(json!({ "digest": third }).to_string());
        let asked = tokio::spawn(asking.send());
        // Somewhere in the middle of that, each time somewhere else.
        tokio::time::sleep(Duration::from_millis(3 * round)).await;
        server.kill();
        // It was answered, or cut off.
        let _ = asked.await.expect("a task");
        server.resume();
        let (version, told) = entries(&server, LEDGER).await;
        if version == "2.0.0" {
            assert_eq!(vec!["one@1"], told);
        } else {
            assert_eq!(("3.0.0", vec!["one@1@2"]), (&*version, as_texts(&told)));
            server
                .post(&format!("{LEDGER}/rollback"), json!(null))
                .await;
            let (version, told) = entries(&server, LEDGER).await;
            assert_eq!(("2.0.0", vec!["one@1"]), (&*version, as_texts(&told)));
        }
    }
}

fn as_texts(entries: &[String]) -> Vec<&str> {
    entries.iter().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_cuts_a_run_at_a_checkpoint_and_it_goes_on_afterwards() {
    let mut server = server(&[]).await;
    // Far longer than a server has to stop.
    add(&server, LEDGER, "slow:2000").await;
    let slow = |connection: &serde_json::Value| connection["running"]["progress"]["done"] != 0;
    server
        .until(LEDGER, |connection| {
            !connection["running"].is_null() && slow(connection)
        })
        .await;
    let began = Instant::now();
    let ended = server.terminate();
    assert!(ended.success(), "{ended}");
    // That is a promise to who stops a server, not a measurement.
    assert!(began.elapsed() < Duration::from_secs(10));
    server.resume();
    let running = server
        .until(LEDGER, |connection| {
            !connection["running"].is_null() && slow(connection)
        })
        .await;
    let runs = server.get(&format!("{LEDGER}/runs")).await;
    let cut = &runs["items"][1];
    assert_eq!("suspended", cut["outcome"], "{runs:#}");
    let done = running["running"]["progress"]["done"]
        .as_u64()
        .expect("a number");
    assert!(done > 1, "it began anew: {running:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_takes_its_host_down_is_given_up_instead_of_looping() {
    let mut server = server(&[]).await;
    add(&server, LEDGER, "slow:100000").await;
    let mut deaths = 0;
    loop {
        let connection = server
            .until(LEDGER, |connection| {
                !connection["running"].is_null() || connection["dead"] == 1
            })
            .await;
        if connection["dead"] == 1 {
            break;
        }
        server.kill();
        deaths += 1;
        assert!(deaths <= 8, "it is never given up");
        server.resume();
        // From the second time on its next attempt is later; a person does not wait for that.
        let later = server.get(&format!("{LEDGER}/requests?state=later")).await;
        if later["items"] != json!([]) {
            add(&server, LEDGER, "slow:100000").await;
        }
    }
    assert!(deaths > 1, "one bad moment is no reason to give up");
    // Everything else goes on.
    add(&server, LEDGER, "other").await;
    let (_, entries) = entries(&server, LEDGER).await;
    assert_eq!(vec!["other"], entries);
    let dead = server.get(&format!("{LEDGER}/requests?state=dead")).await;
    assert_eq!("slow:100000", dead["items"][0]["argument"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_folder_is_refused_in_one_line() {
    let server = Server::start(&[]);
    let second = server.tenon(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(Some(2), second.status.code());
    let error = String::from_utf8_lossy(&second.stderr);
    assert_eq!(1, error.lines().count(), "{error}");
    assert!(error.contains("another `tenon serve`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_needs_an_admin_is_paused_with_the_reason_and_goes_on_afterwards() {
    let server = server(&[]).await;
    note(&server, "wrong").await;
    let whole = format!("{LEDGER}/jobs/add/run");
    server.post(&whole, json!({})).await;
    let paused = server
        .until(LEDGER, |connection| connection["state"] == "paused")
        .await;
    let reason = paused["paused_reason"].as_str().expect("a reason");
    assert!(reason.contains("a setting is wrong"), "{reason}");
    let refused = add(&server, LEDGER, "while-paused").await;
    assert_eq!(409, refused.status, "{refused:?}");
    // The request waits; whoever mends the setting may drop it.
    let waiting = server.get(&format!("{LEDGER}/requests")).await;
    let request = waiting["items"][0]["id"].as_i64().expect("a request");
    let path = format!("{LEDGER}/requests/{request}");
    server.api("DELETE", &path, serde_json::Value::Null).await;
    note(&server, "right").await;
    server.post(&format!("{LEDGER}/enable"), json!(null)).await;
    add(&server, LEDGER, "after").await;
    idle(&server, LEDGER).await;
    assert_eq!(vec!["after"], entries(&server, LEDGER).await.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_or_an_argument_that_cannot_be_done_fails_alone_and_stops_nothing_else() {
    let server = server(&[]).await;
    add(&server, LEDGER, "refuse").await;
    let press = format!("{LEDGER}/actions/add");
    let target = json!({ "kind": "order", "key": "refuse" });
    server.post(&press, target).await;
    add(&server, LEDGER, "after").await;
    let connection = idle(&server, LEDGER).await;
    assert_eq!("on", connection["state"], "{connection:#}");
    let requests = server.get(&format!("{LEDGER}/requests")).await;
    let given_up = requests["items"].as_array().expect("requests").iter();
    let mut reasons: Vec<&str> = given_up
        .map(|request| {
            assert_eq!("dead", request["state"], "{request:#}");
            request["error"].as_str().expect("a reason")
        })
        .collect();
    reasons.sort_unstable();
    assert_eq!(2, reasons.len(), "{requests:#}");
    assert!(reasons[0].contains("a setting is wrong"), "{reasons:?}");
    assert!(reasons[1].contains("it cannot be done"), "{reasons:?}");
    assert_eq!(vec!["after"], entries(&server, LEDGER).await.1);
    // Switching on again finds nothing that would pause it.
    for way in ["disable", "enable"] {
        server.post(&format!("{LEDGER}/{way}"), json!(null)).await;
    }
    assert_eq!("on", idle(&server, LEDGER).await["state"]);
}

/// Puts a note into the settings.
async fn note(server: &Server, text: &str) {
    let url = format!("{}/v1{LEDGER}/settings", server.url());
    let put = (server.client().put(url))
        .bearer_auth(server.token())
        .header("if-match", "*")
        .header("content-type", "application/json")
        .body(json!({ "note": text }).to_string());
    let answer = put.send().await.expect("an answer");
    assert_eq!(200, answer.status().as_u16());
}
