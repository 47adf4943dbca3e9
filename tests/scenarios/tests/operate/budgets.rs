//! What counterparts allow: how much of it is spent is shown, and when nothing is left for hours, no run
//! waits for it and none is given up.

use serde_json::{Value, json};

use crate::counterpart::{CALLER, Counterpart, call, server};

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
