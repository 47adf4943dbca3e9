//! Webhooks of one tenant, and what they do to those of others.

use std::time::{Duration, Instant};

use serde_json::Value;
use tenon_scenarios::server::Server;

use crate::ledger::{LEDGER, connect, server};

const OTHER: &str = "/tenants/other/connections/ledger";

/// Another address for the webhooks of a connection.
async fn callback(server: &Server, connection: &str) -> String {
    let path = format!("{connection}/hook/rotate");
    let rotated = server.post(&path, Value::Null).await;
    rotated["url"].as_str().expect("an address").to_owned()
}

async fn send(server: &Server, url: &str, body: impl Into<reqwest::Body>) {
    let sent = server.client().post(format!("{url}orders")).body(body);
    let answer = sent.send().await.expect("an answer");
    assert_eq!(200, answer.status().as_u16());
}

async fn runs(server: &Server, connection: &str) -> usize {
    let runs = server.get(&format!("{connection}/runs")).await;
    runs["items"].as_array().expect("runs").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_is_slow_to_read_holds_back_its_own_webhooks_alone() {
    const SLOW: usize = 5;
    let server = server(&[]).await;
    server.tenant("other").await;
    connect(&server, "other", "ledger").await;
    let slow = callback(&server, LEDGER).await;
    let quick = callback(&server, OTHER).await;
    for number in 0..SLOW {
        send(&server, &slow, format!("nap:{}", 4_000 + number)).await;
    }
    send(&server, &quick, "order").await;
    server
        .until(OTHER, |connection| !connection["last_run"].is_null())
        .await;
    assert!(runs(&server, LEDGER).await < SLOW, "it came last");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_was_given_up_is_counted_and_tried_again_when_people_say_so() {
    let server = server(&[]).await;
    let url = callback(&server, LEDGER).await;
    // No text, which is what the ledger takes.
    send(&server, &url, vec![0xff_u8]).await;
    let figure = r#"tenon_webhooks_kept{state="given_up"} 1"#;
    let began = Instant::now();
    loop {
        let metrics = format!("{}/metrics", server.url());
        let answer = server.client().get(metrics).send().await;
        let text = answer.expect("an answer").text().await.expect("text");
        if text.lines().any(|line| line == figure) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{text}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let path = format!("{LEDGER}/requests/retry");
    let retried = server.post(&path, Value::Null).await;
    assert_eq!(1, retried["retried"]);
}
