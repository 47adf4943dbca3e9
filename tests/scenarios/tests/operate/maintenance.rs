//! Maintenance: everything, a connector or a tenant is held, and goes on with nothing lost or doubled.

use serde_json::{Value, json};
use tenon_scenarios::server::Server;

use crate::ledger::{LEDGER, add, connect, entries, server};

const OTHER: &str = "/tenants/other/connections/ledger";

async fn begin(server: &Server, scope: &str, name: Option<&str>) {
    let body = match name {
        Some(name) => json!({ "scope": scope, "name": name, "note": "a new disk" }),
        None => json!({ "scope": scope, "note": "a new disk" }),
    };
    let begun = server.api("PUT", "/maintenance", body).await;
    assert_eq!(
        (json!(scope), json!(name)),
        (begun["scope"].clone(), begun["name"].clone())
    );
}

async fn end(server: &Server, query: &str) {
    let path = format!("/maintenance?{query}");
    server.api("DELETE", &path, Value::Null).await;
}

/// Waits until a run is under way.
async fn runs(server: &Server, connection: &str) {
    let is_running = |connection: &Value| !connection["running"].is_null();
    server.until(connection, is_running).await;
}

/// Waits until nothing is under way.
async fn stands_still(server: &Server, connection: &str) {
    let still = |connection: &Value| connection["running"].is_null();
    server.until(connection, still).await;
}

/// What the oldest request of a connection waits for.
async fn waits_for(server: &Server, connection: &str) -> Value {
    let waits = server.get(&format!("{connection}/waits")).await;
    waits["items"][0]["waits_for"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_for_maintenance_stands_still_and_goes_on_with_nothing_lost() {
    let mut server = server(&[]).await;
    server.tenant("other").await;
    connect(&server, "other", "ledger").await;
    let scopes = [
        ("all", None, "scope=all", "slow:100"),
        (
            "connector",
            Some("ledger"),
            "scope=connector&name=ledger",
            "slow:101",
        ),
        ("tenant", Some("shop"), "scope=tenant&name=shop", "slow:102"),
    ];
    for (scope, name, query, slow) in scopes {
        add(&server, LEDGER, slow).await;
        runs(&server, LEDGER).await;
        begin(&server, scope, name).await;
        stands_still(&server, LEDGER).await;
        let held = server.get(LEDGER).await;
        assert_eq!("on", held["state"]);
        assert_eq!(json!(scope), held["maintenance"]["scope"]);
        assert_eq!("a new disk", held["maintenance"]["note"]);
        // What people ask for meanwhile is taken, and waits with the rest, also when the process dies.
        assert_eq!(202, add(&server, LEDGER, scope).await.status);
        server.kill();
        server.resume();
        assert_eq!("maintenance", waits_for(&server, LEDGER).await);
        // Another tenant is held by all but the maintenance of this one.
        add(&server, OTHER, scope).await;
        if scope == "tenant" {
            assert_eq!(
                vec!["all", "connector", "tenant"],
                entries(&server, OTHER).await.1
            );
        } else {
            assert_eq!("maintenance", waits_for(&server, OTHER).await);
        }
        let waiting = server.get(LEDGER).await["waiting"].clone();
        assert_eq!(
            2, waiting,
            "the run that was ended, and the one that was asked for"
        );
        end(&server, query).await;
        let (_, all) = entries(&server, LEDGER).await;
        assert!(all.contains(&scope.to_owned()), "{all:?}");
        assert!(server.get(LEDGER).await["maintenance"].is_null());
    }
    let (_, mut all) = entries(&server, LEDGER).await;
    all.sort();
    let each = [
        "all",
        "connector",
        "slow-100",
        "slow-101",
        "slow-102",
        "tenant",
    ];
    assert_eq!(each, *all);
    let audit = server.get("/audit?limit=100").await;
    let done = |action: &str| {
        let entries = audit["items"].as_array().expect("entries").iter();
        entries.filter(|entry| entry["action"] == action).count()
    };
    assert_eq!((3, 3), (done("maintenance.begin"), done("maintenance.end")));
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_timers_and_webhooks_that_come_during_a_maintenance_run_once_after_it() {
    let server = server(&[]).await;
    let rotated = server
        .post(&format!("{LEDGER}/hook/rotate"), Value::Null)
        .await;
    let hook = rotated["url"].as_str().expect("an address");
    let schedules = format!("{LEDGER}/schedules");
    server
        .api("PUT", &schedules, json!({ "heard": "* * * * *" }))
        .await;
    add(&server, LEDGER, "later:1000").await;
    let ran = |connection: &Value| connection["last_run"]["outcome"] == "done";
    server.until(LEDGER, ran).await;
    begin(&server, "tenant", Some("shop")).await;
    let sent = server.client().post(format!("{hook}orders")).body("hook");
    assert_eq!(200, sent.send().await.expect("an answer").status());
    let requests = format!("{LEDGER}/requests");
    let both_wait = |requests: &Value| {
        let requests = requests["items"].as_array().expect("requests");
        let ready =
            |job: &str| (requests.iter()).any(|one| one["job"] == job && one["state"] == "ready");
        ready("heard") && ready("add")
    };
    server.until(&requests, both_wait).await;
    let metrics = |text: &'static str| {
        let asked = server
            .client()
            .get(format!("{}/metrics", server.url()))
            .send();
        async move {
            asked
                .await
                .expect("an answer")
                .text()
                .await
                .expect("text")
                .contains(text)
        }
    };
    // Nothing of it is missing a worker.
    while !metrics("tenon_queue_waiting{state=\"held\"} 2").await {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(metrics("tenon_queue_waiting{state=\"ready\"} 0").await);
    assert!(metrics("tenon_connections{state=\"held\"} 1").await);
    let before = server.get(&format!("{LEDGER}/runs")).await;
    assert_eq!(
        1,
        before["items"].as_array().expect("runs").len(),
        "{before:#}"
    );
    end(&server, "scope=tenant&name=shop").await;
    server.api("PUT", &schedules, json!({})).await;
    server
        .until(&format!("{LEDGER}/runs"), |runs| {
            let runs = runs["items"].as_array().expect("runs");
            runs.iter()
                .any(|run| run["argument"] == "hook" && run["outcome"] == "done")
                && runs
                    .iter()
                    .any(|run| run["cause"]["type"] == "scheduled" && run["outcome"] == "done")
        })
        .await;
    let (_, mut all) = entries(&server, LEDGER).await;
    all.sort();
    let of_schedule = all.iter().filter(|entry| *entry == "nothing").count();
    assert_eq!((1, 3), (of_schedule, all.len()), "{all:?}");
    assert!(
        all.contains(&"hook".to_owned()) && all.contains(&"timer".to_owned()),
        "{all:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_holds_a_serving_folder_and_lets_it_go_on() {
    let server = server(&[]).await;
    add(&server, LEDGER, "slow:100").await;
    runs(&server, LEDGER).await;
    let tenon = |arguments: &[&str]| {
        let done = server.tenon(&[&["maintenance"], arguments].concat());
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).expect("text")
    };
    tenon(&["begin", "--tenant", "shop", "--note", "a new disk"]);
    stands_still(&server, LEDGER).await;
    assert_eq!("maintenance", waits_for(&server, LEDGER).await);
    let listed: Value = serde_json::from_str(&tenon(&["list", "--json"])).expect("JSON");
    let one = &listed[0];
    assert_eq!(
        json!(["tenant", "shop", "a new disk"]),
        json!([one["scope"], one["name"], one["note"]])
    );
    // Whoever holds it for something else learns of this one, which stays as it is.
    let again = [
        "maintenance",
        "begin",
        "--tenant",
        "shop",
        "--note",
        "a new roof",
    ];
    let refused = server.tenon(&again);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(Some(2), refused.status.code(), "{said}");
    assert!(said.contains("held already"), "{said}");
    tenon(&["begin", "--tenant", "shop", "--note", "a new disk"]);
    tenon(&["end", "--tenant", "shop"]);
    assert_eq!(vec!["slow-100"], entries(&server, LEDGER).await.1);
    for wrong in [["end", "--tenant", "shop"], ["begin", "--tenant", "nobody"]] {
        let failed = server.tenon(&[&["maintenance"], &wrong[..]].concat());
        assert_eq!(Some(2), failed.status.code(), "{failed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maintenance_needs_its_name_and_something_that_is_there() {
    let server = server(&[]).await;
    for (body, status) in [
        (json!({ "scope": "all", "name": "shop" }), 422),
        (json!({ "scope": "tenant" }), 422),
        (json!({ "scope": "tenant", "name": "nobody" }), 404),
        (json!({ "scope": "connector", "name": "nothing" }), 404),
        (json!({ "scope": "world" }), 400),
    ] {
        let answer = server.try_api("PUT", "/maintenance", body.clone()).await;
        assert_eq!(status, answer.status, "{body} {answer:?}");
    }
    let path = "/maintenance?scope=all";
    assert_eq!(
        404,
        server.try_api("DELETE", path, Value::Null).await.status
    );
    assert_eq!(json!([]), server.get("/maintenance").await["items"]);
}
