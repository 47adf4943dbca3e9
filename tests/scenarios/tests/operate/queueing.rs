//! Who runs when: schedules, timers, merging, turns between tenants, and failed records.

use serde_json::{Value, json};

use crate::ledger::{LEDGER, add, connect, entries, idle, server};

#[tokio::test(flavor = "multi_thread")]
async fn equal_requests_that_wait_become_one_run() {
    let server = server(&["--runs", "1"]).await;
    add(&server, LEDGER, "slow:30").await;
    server
        .until(LEDGER, |connection| !connection["running"].is_null())
        .await;
    let mut requests = Vec::new();
    for _ in 0..5 {
        requests.push(add(&server, LEDGER, "same").await.body["request"].clone());
    }
    requests.dedup();
    assert_eq!(1, requests.len(), "{requests:?}");
    let told = entries(&server, LEDGER).await.1;
    assert_eq!(vec!["slow-30", "same"], told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_run_gives_way_to_other_tenants_and_still_comes_to_its_end() {
    let server = server(&["--runs", "1", "--slice", "1"]).await;
    server.tenant("other").await;
    connect(&server, "other", "ledger").await;
    const OTHER: &str = "/tenants/other/connections/ledger";
    add(&server, LEDGER, "slow:200").await;
    server
        .until(LEDGER, |connection| !connection["running"].is_null())
        .await;
    add(&server, OTHER, "short").await;
    let other = server
        .until(OTHER, |connection| !connection["last_run"].is_null())
        .await;
    let slow = server.get(LEDGER).await;
    assert!(
        !slow["running"].is_null() || slow["waiting"] != 0,
        "{slow:#}"
    );
    assert_eq!("done", other["last_run"]["outcome"]);
    assert_eq!(vec!["slow-200"], entries(&server, LEDGER).await.1);
    let runs = server.get(&format!("{LEDGER}/runs")).await;
    let suspended = runs["items"].as_array().expect("runs").iter();
    let suspended = suspended
        .filter(|run| run["outcome"] == "suspended")
        .count();
    assert!(suspended >= 1, "{runs:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_by_its_schedule_in_the_tenants_time_zone() {
    let server = server(&[]).await;
    let path = format!("{LEDGER}/schedules");
    let nightly = json!({ "add": "10 0 * * *", "tell": "* * * * *" });
    server.api("PUT", &path, nightly).await;
    let schedules = server.get(&path).await;
    let of = |job: &str| {
        let jobs = schedules["items"].as_array().expect("jobs");
        let found = jobs.iter().find(|one| one["job"] == job);
        found.expect("the job")["next_at"]
            .as_str()
            .expect("a time")
            .to_owned()
    };
    let next: jiff::Timestamp = of("add").parse().expect("a moment");
    let local = next.in_tz("Europe/Kyiv").expect("the zone");
    // Starts are shifted by up to a minute, each connection by its own.
    assert_eq!((0, 10), (local.hour(), local.minute()));
    let ran = server
        .until(&format!("{LEDGER}/runs"), |runs| {
            runs["items"][0]["cause"]["type"] == "scheduled"
        })
        .await;
    assert_eq!("tell", ran["items"][0]["job"]);
    let bad = server
        .try_api("PUT", &path, json!({ "add": "every day" }))
        .await;
    assert_eq!(422, bad.status, "{bad:?}");
    assert_eq!("/add", bad.body["errors"][0]["path"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_that_a_connector_sets_comes_due() {
    let server = server(&[]).await;
    add(&server, LEDGER, "later:200").await;
    server
        .until(&format!("{LEDGER}/runs"), |runs| {
            runs["items"][0]["argument"] == "timer" && runs["items"][0]["outcome"] == "done"
        })
        .await;
    assert_eq!(vec!["timer"], entries(&server, LEDGER).await.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_record_is_listed_until_a_run_takes_it() {
    let server = server(&[]).await;
    add(&server, LEDGER, "reject:77").await;
    idle(&server, LEDGER).await;
    let path = format!("{LEDGER}/failed");
    let failed = server.get(&path).await;
    assert_eq!("77", failed["items"][0]["label"]);
    assert_eq!("it was meant to be rejected", failed["items"][0]["reason"]);
    let log = server.get(&format!("{LEDGER}/log?record=77")).await;
    let line = log["items"][0]["message"].as_str().expect("a line");
    assert!(line.contains("was not taken"), "{line}");
    let retried = server
        .post(&format!("{path}/retry"), json!({ "all": true }))
        .await;
    assert_eq!(1, retried["retried"]);
    idle(&server, LEDGER).await;
    // Nobody has tried it.
    let failed = server.get(&path).await;
    assert_eq!("77", failed["items"][0]["label"]);
    add(&server, LEDGER, "take:77").await;
    idle(&server, LEDGER).await;
    assert_eq!(json!([]), server.get(&path).await["items"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_tenant_sees_nothing_of_another() {
    let server = server(&[]).await;
    server.tenant("other").await;
    connect(&server, "other", "ledger").await;
    add(&server, LEDGER, "mine").await;
    idle(&server, LEDGER).await;
    let token =
        json!({ "name": "other", "tenant": "other", "scopes": ["read", "operate", "manage"] });
    let token = server.post("/tokens", token).await;
    let secret = token["secret"].as_str().expect("a secret");
    let ask = |path: &str| {
        let url = format!("{}/v1{path}", server.url());
        server.client().get(url).bearer_auth(secret).send()
    };
    let own = ask("/tenants/other/connections/ledger")
        .await
        .expect("an answer");
    assert_eq!(200, own.status().as_u16());
    for path in ["", "/log", "/runs", "/settings", "/requests", "/failed"] {
        let foreign = ask(&format!("{LEDGER}{path}")).await.expect("an answer");
        assert_eq!(404, foreign.status().as_u16(), "{path}");
    }
    let told = entries(&server, "/tenants/other/connections/ledger")
        .await
        .1;
    assert_eq!(Vec::<String>::new(), told);
    let _: Value = server.get("/tenants/shop").await;
}
