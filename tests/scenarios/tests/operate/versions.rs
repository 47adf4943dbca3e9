//! Versions change while everything runs, and go back when they are bad.

use serde_json::{Value, json};
use tenon_scenarios::ledger;
use tenon_scenarios::server::Server;

use crate::ledger::{LEDGER, add, connect, entries, idle, server};

/// Moves the connection to a version of the ledger.
async fn upgrade(server: &Server, version: &str) {
    let digest = server.install(ledger(version)).await;
    let path = format!("{LEDGER}/upgrade");
    server.post(&path, json!({ "digest": digest })).await;
}

async fn roll_back(server: &Server) {
    let path = format!("{LEDGER}/rollback");
    server.post(&path, Value::Null).await;
}

/// What [`entries`] answers with.
fn told(version: &str, entries: &[&str]) -> (String, Vec<String>) {
    let entries = entries.iter().map(|&entry| entry.to_owned());
    (version.to_owned(), entries.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_connections_swap_back_and_forth_twenty_times_without_a_failed_run() {
    const CONNECTIONS: usize = 200;
    let server = server(&[]).await;
    let first = server.get(LEDGER).await["version"]["digest"].clone();
    let second = json!(server.install(ledger("1_1")).await);
    for number in 1..CONNECTIONS {
        connect(&server, "shop", &format!("ledger-{number}")).await;
    }
    let path = |number: usize| match number {
        0 => LEDGER.to_owned(),
        number => format!("{LEDGER}-{number}"),
    };
    let mut asked = 0;
    for swap in 0..20 {
        for number in (swap % 7..CONNECTIONS).step_by(7) {
            let entry = format!("{swap}");
            assert_eq!(202, add(&server, &path(number), &entry).await.status);
            asked += 1;
        }
        let digest = if swap % 2 == 0 { &second } else { &first };
        let upgrade = format!("/versions/{}/upgrade", digest.as_str().expect("a digest"));
        let done = server.post(&upgrade, json!({ "all": true })).await;
        assert_eq!(json!([]), done["failed"]);
    }
    let mut done = 0;
    for number in 0..CONNECTIONS {
        let connection = idle(&server, &path(number)).await;
        assert_eq!(first, connection["version"]["digest"], "{connection:#}");
        assert_eq!(0, connection["dead"]);
        let runs = server
            .get(&format!("{}/runs?limit=100", path(number)))
            .await;
        for run in runs["items"].as_array().expect("runs") {
            let outcome = &run["outcome"];
            assert!(outcome == "done" || outcome == "suspended", "{run:#}");
            done += usize::from(outcome == "done");
        }
    }
    assert_eq!(asked, done);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_fails_its_first_runs_is_rolled_back_by_itself() {
    let server = server(&[]).await;
    let good = server.get(LEDGER).await["version"]["digest"].clone();
    let bad = server.install(ledger("bad")).await;
    server
        .post(&format!("{LEDGER}/upgrade"), json!({ "digest": bad }))
        .await;
    add(&server, LEDGER, "one").await;
    add(&server, LEDGER, "two").await;
    let connection = server
        .until(LEDGER, |connection| connection["version"]["digest"] == good)
        .await;
    assert_eq!("on", connection["state"]);
    let audit = server.get("/tenants/shop/audit").await;
    let back = audit["items"].as_array().expect("notes").iter();
    let by_itself = |note: &&Value| note["action"] == "version.rollback" && note["actor"] == "host";
    assert_eq!(1, back.filter(by_itself).count(), "{audit:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_brings_the_state_over_and_a_rollback_brings_it_back() {
    let server = server(&[]).await;
    add(&server, LEDGER, "one").await;
    idle(&server, LEDGER).await;
    let second = server.install(ledger("2_0")).await;
    server
        .post(&format!("{LEDGER}/upgrade"), json!({ "digest": second }))
        .await;
    let told = entries(&server, LEDGER).await;
    assert_eq!(("2.0.0".to_owned(), vec!["one@1".to_owned()]), told);
    server
        .post(&format!("{LEDGER}/rollback"), Value::Null)
        .await;
    let told = entries(&server, LEDGER).await;
    assert_eq!(("1.0.0".to_owned(), vec!["one".to_owned()]), told);
    let nowhere = server
        .try_api("POST", &format!("{LEDGER}/rollback"), Value::Null)
        .await;
    assert_eq!(409, nowhere.status);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_fails_leaves_version_and_state_as_they_were() {
    let server = server(&[]).await;
    add(&server, LEDGER, "one").await;
    idle(&server, LEDGER).await;
    add(&server, LEDGER, "stays").await;
    idle(&server, LEDGER).await;
    let second = server.install(ledger("2_0")).await;
    let refused = server
        .try_api(
            "POST",
            &format!("{LEDGER}/upgrade"),
            json!({ "digest": second }),
        )
        .await;
    assert_eq!(422, refused.status, "{refused:?}");
    let told = entries(&server, LEDGER).await;
    let before = vec!["one".to_owned(), "stays".to_owned()];
    assert_eq!(("1.0.0".to_owned(), before), told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_upgrade_leaves_the_way_back_to_the_version_before() {
    let server = server(&[]).await;
    add(&server, LEDGER, "one").await;
    idle(&server, LEDGER).await;
    upgrade(&server, "2_0").await;
    add(&server, LEDGER, "stays").await;
    idle(&server, LEDGER).await;
    let third = server.install(ledger("3_0")).await;
    let path = format!("{LEDGER}/upgrade");
    let refused = server
        .try_api("POST", &path, json!({ "digest": third }))
        .await;
    assert_eq!(422, refused.status, "{refused:?}");
    let second = entries(&server, LEDGER).await;
    assert_eq!(told("2.0.0", &["one@1", "stays"]), second);
    roll_back(&server).await;
    assert_eq!(told("1.0.0", &["one"]), entries(&server, LEDGER).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_upgrades_at_the_same_time_bring_the_state_over_once() {
    let server = server(&[]).await;
    add(&server, LEDGER, "one").await;
    idle(&server, LEDGER).await;
    let second = server.install(ledger("2_0")).await;
    // Both wait for this to stop.
    add(&server, LEDGER, "slow:200").await;
    server
        .until(LEDGER, |connection| !connection["running"].is_null())
        .await;
    let path = format!("{LEDGER}/upgrade");
    let body = json!({ "digest": second });
    let (one, other) = tokio::join!(
        server.try_api("POST", &path, body.clone()),
        server.try_api("POST", &path, body),
    );
    assert_eq!((200, 200), (one.status, other.status), "{one:?} {other:?}");
    let second = entries(&server, LEDGER).await;
    assert_eq!(told("2.0.0", &["one@1", "slow-200"]), second);
    roll_back(&server).await;
    assert_eq!(told("1.0.0", &["one"]), entries(&server, LEDGER).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_needs_an_admin_is_rolled_back_by_itself_with_its_state() {
    let server = server(&[]).await;
    let good = server.get(LEDGER).await["version"]["digest"].clone();
    add(&server, LEDGER, "one").await;
    idle(&server, LEDGER).await;
    upgrade(&server, "stuck").await;
    add(&server, LEDGER, "two").await;
    // One run may fail for another reason: the connection stays on, and the version is watched.
    server
        .until(LEDGER, |connection| connection["trial"]["failed"] == 1)
        .await;
    add(&server, LEDGER, "three").await;
    let connection = server
        .until(LEDGER, |connection| connection["version"]["digest"] == good)
        .await;
    assert_eq!("on", connection["state"], "{connection:#}");
    // The first one waits for its next attempt.
    let later = server.get(&format!("{LEDGER}/requests?state=later")).await;
    assert_eq!("two", later["items"][0]["argument"], "{later:#}");
    let request = later["items"][0]["id"].as_i64().expect("a request");
    let path = format!("{LEDGER}/requests/{request}");
    server.api("DELETE", &path, Value::Null).await;
    let first = entries(&server, LEDGER).await;
    assert_eq!(told("1.0.0", &["one", "three"]), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_on_its_version_and_the_next_one_begins_on_the_new() {
    let server = server(&[]).await;
    add(&server, LEDGER, "slow:200").await;
    server
        .until(LEDGER, |connection| !connection["running"].is_null())
        .await;
    let second = server.install(ledger("1_1")).await;
    server
        .post(&format!("{LEDGER}/upgrade"), json!({ "digest": second }))
        .await;
    let (version, entries) = entries(&server, LEDGER).await;
    assert_eq!(
        ("1.1.0".to_owned(), vec!["slow-200".to_owned()]),
        (version, entries)
    );
    let runs = server.get(&format!("{LEDGER}/runs")).await;
    let slow: Vec<&Value> = (runs["items"].as_array().expect("runs").iter())
        .filter(|run| run["argument"] == "slow:200")
        .collect();
    assert_eq!("1.1.0", slow[0]["version"]);
    let first = slow.last().expect("the first");
    assert_eq!(
        json!(["1.0.0", "suspended"]),
        json!([first["version"], first["outcome"]])
    );
}
