//! What counterparts allow: how much of it is spent is shown, and when nothing is left for hours, no run
//! waits for it and none is given up.

use serde_json::{Value, json};
use tenon_scenarios::server::Server;
use tenon_scenarios::target;

use crate::counterpart::{CALLER, Counterpart, call, connect, server};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_spent_of_a_budget_is_shown_and_counted_without_naming_a_tenant() {
    let counterpart = Counterpart::start().await;
    let server = server(&counterpart, false).await;
    let path = format!("{CALLER}/budgets");
    let budget = |used: u64| {
        json!({
            "endpoint": counterpart.url,
            "credential": null,
            "window_ms": 240_000,
            "units": 2,
            "used": used,
            "left": 2 - used,
            "told": false,
            "free_at": null,
        })
    };
    assert_eq!(json!([budget(0)]), server.get(&path).await["items"]);
    call(&server, CALLER, "/one").await;
    let done = |connection: &Value| connection["last_run"]["outcome"] == "done";
    server.until(CALLER, done).await;
    assert_eq!(json!([budget(1)]), server.get(&path).await["items"]);
    let metrics = server.client().get(format!("{}/metrics", server.url()));
    let metrics = metrics.send().await.expect("an answer").text().await;
    let metrics = metrics.expect("text");
    let labels = r#"connector="caller",endpoint="{settings.url}""#;
    let units = format!("tenon_budget_units_total{{{labels}}} 1");
    assert!(metrics.contains(&units), "{metrics}");
    assert!(!metrics.contains("shop"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_counterpart_takes_no_more_requests_for_hours_goes_on_after_them() {
    let counterpart = Counterpart::start().await;
    let server = server(&counterpart, false).await;
    call(&server, CALLER, "/one /busy").await;
    let path = format!("{CALLER}/requests");
    let later = |requests: &Value| requests["items"][0]["state"] == "later";
    let requests = server.until(&path, later).await;
    let request = &requests["items"][0];
    let error = request["error"].as_str().expect("a reason");
    assert!(error.contains("takes no more requests before 2"), "{error}");
    let in_two_hours = |moment: &Value| {
        let moment: jiff::Timestamp = moment.as_str().expect("text").parse().expect("a moment");
        let wait = moment.duration_since(jiff::Timestamp::now());
        assert!((115..=120).contains(&wait.as_mins()), "{wait:?}");
    };
    in_two_hours(&request["due_at"]);
    let connection = server.get(CALLER).await;
    assert_eq!("on", connection["state"], "{connection:#}");
    assert_eq!(0, connection["dead"], "{connection:#}");
    assert_eq!("transient", connection["last_run"]["outcome"]);
    let budgets = server.get(&format!("{CALLER}/budgets")).await;
    in_two_hours(&budgets["items"][0]["free_at"]);
    // Who asks all the same gets the same answer, and the counterpart is left alone.
    call(&server, CALLER, "/one /busy").await;
    let runs = format!("{CALLER}/runs");
    let ran_twice = |runs: &Value| {
        let runs = runs["items"].as_array().expect("runs");
        runs.len() == 2 && runs.iter().all(|run| run["outcome"] == "transient")
    };
    server.until(&runs, ran_twice).await;
    server.until(&path, later).await;
    assert_eq!(vec!["/one", "/busy"], counterpart.seen());
    let metrics = server.client().get(format!("{}/metrics", server.url()));
    let metrics = metrics.send().await.expect("an answer").text().await;
    let used_up = r#"tenon_budget_used_up_total{connector="caller"} 2"#;
    let metrics = metrics.expect("text");
    assert!(metrics.contains(used_up), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counterpart_that_is_down_until_a_time_is_asked_again_then_and_people_see_when() {
    let counterpart = Counterpart::start().await;
    let mut server = server(&counterpart, true).await;
    connect(&server, &counterpart, "second", true).await;
    let second = "/tenants/shop/connections/second";
    let later = |requests: &Value| requests["items"][0]["state"] == "later";
    let waits = async |server: &Server, connection: &str| {
        let requests = server.until(&format!("{connection}/requests"), later).await;
        let request = &requests["items"][0];
        let error = request["error"].as_str().expect("a reason");
        assert!(error.contains("takes no more requests before 2"), "{error}");
        let due: jiff::Timestamp = request["due_at"]
            .as_str()
            .expect("text")
            .parse()
            .expect("it");
        let wait = due.duration_since(jiff::Timestamp::now());
        assert!((115..=120).contains(&wait.as_mins()), "{wait:?}");
    };
    call(&server, CALLER, "/closed").await;
    waits(&server, CALLER).await;
    // The other connection of the account learns it without asking, and so does the next process.
    call(&server, second, "/one").await;
    waits(&server, second).await;
    server.kill();
    server.resume();
    call(&server, second, "/two").await;
    let two_wait = |requests: &Value| {
        let requests = requests["items"].as_array().expect("requests");
        requests.len() == 2 && requests.iter().all(|one| one["state"] == "later")
    };
    server.until(&format!("{second}/requests"), two_wait).await;
    assert_eq!(vec!["/closed"], counterpart.seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_spent_of_a_budget_is_known_after_a_crash_and_shared_with_tenon_run() {
    let counterpart = Counterpart::start().await;
    let mut server = server(&counterpart, false).await;
    call(&server, CALLER, "/one").await;
    let done = |connection: &Value| connection["last_run"]["outcome"] == "done";
    server.until(CALLER, done).await;
    server.kill();
    let component = target().join("components/scenarios/caller.wasm");
    let settings = server.folder().join("settings.json");
    let text = json!({ "url": counterpart.url }).to_string();
    std::fs::write(&settings, text).expect("a file");
    let ran = server.tenon(&[
        "run",
        "caller",
        "call",
        "--argument",
        "/two",
        "--tenant",
        "shop",
        "--component",
        component.to_str().expect("a path"),
        "--settings",
        settings.to_str().expect("a path"),
        "--grant",
        &counterpart.url,
    ]);
    assert!(ran.status.success(), "{ran:?}");
    server.resume();
    let budgets = server.get(&format!("{CALLER}/budgets")).await;
    let budget = &budgets["items"][0];
    assert_eq!(
        json!([2, 0]),
        json!([budget["used"], budget["left"]]),
        "{budget}"
    );
    assert!(budget["free_at"].is_string(), "{budget}");
    assert_eq!(vec!["/one", "/two"], counterpart.seen());
}
