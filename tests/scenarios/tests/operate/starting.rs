//! What a server makes good that a process left undone which died between two writes.

use rusqlite::Connection;
use serde_json::{Value, json};
use tenon_scenarios::server::Server;

use crate::ledger::{LEDGER, add, idle, server};

/// When a job runs next.
fn next_of<'a>(schedules: &'a Value, job: &str) -> &'a Value {
    let mut jobs = schedules["items"].as_array().expect("jobs").iter();
    let found = jobs.find(|one| one["job"] == job);
    &found.expect("the job")["next_at"]
}

/// Changes the control database of a server that is gone.
fn edit(server: &Server, sql: &str) {
    let file = server.folder().join("control.sqlite");
    let db = Connection::open(file).expect("the database");
    db.execute_batch(sql).expect("an edit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_on_has_its_schedules_and_timers_after_a_start_and_keeps_them() {
    let mut server = server(&[]).await;
    let path = format!("{LEDGER}/schedules");
    let nightly = json!({ "add": "10 0 * * *", "tell": "20 0 * * *" });
    server.api("PUT", &path, nightly).await;
    let before = server.get(&path).await;
    add(&server, LEDGER, "later:5000").await;
    idle(&server, LEDGER).await;
    server.kill();
    // As if the process had died before it wrote them, and one had been planned by a wrong clock.
    edit(
        &server,
        "UPDATE connections SET wake_at = NULL;
         DELETE FROM schedules WHERE job = 'tell';
         UPDATE schedules SET next_at = 4102444800000 WHERE job = 'add';",
    );
    server.resume();
    let after = server
        .until(&path, |schedules| !next_of(schedules, "tell").is_null())
        .await;
    assert_eq!(next_of(&before, "tell"), next_of(&after, "tell"));
    assert_eq!(next_of(&before, "add"), next_of(&after, "add"));
    server
        .until(&format!("{LEDGER}/runs"), |runs| {
            runs["items"][0]["argument"] == "timer"
        })
        .await;
}
