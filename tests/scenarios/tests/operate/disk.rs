//! A disk that takes no more, and a process that ends after it has committed: what was done is told.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};
use tenon_scenarios::ledger;
use tenon_scenarios::server::Server;

use crate::ledger::{LEDGER, add, connect, idle, server};

/// How many entries the ledger has committed.
fn committed(folder: &Path) -> u64 {
    // SQLite finds no file on a disk that only the server sees, so a copy is read.
    let copy = tempfile::tempdir().expect("a folder");
    for name in ["shop.sqlite", "shop.sqlite-wal"] {
        let file = folder.join("tenants").join(name);
        std::fs::copy(file, copy.path().join(name)).expect("the file of the tenant");
    }
    let db = Connection::open(copy.path().join("shop.sqlite")).expect("the file of the tenant");
    let sql = "SELECT count(*) FROM storage WHERE key GLOB 'entry/*'";
    let count: i64 = db.query_row(sql, [], |row| row.get(0)).expect("entries");
    count.unsigned_abs()
}

async fn runs(server: &Server) -> Vec<Value> {
    let runs = server.get(&format!("{LEDGER}/runs")).await;
    runs["items"].as_array().expect("runs").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_process_dies_is_recorded_with_what_it_had_committed() {
    let mut server = server(&[]).await;
    add(&server, LEDGER, "many:400").await;
    server
        .until(LEDGER, |connection| {
            connection["running"]["progress"]["done"].as_u64() >= Some(20)
        })
        .await;
    server.kill();
    let written = committed(&server.folder());
    server.resume();
    let runs = runs(&server).await;
    let died = runs.last().expect("a run");
    assert_eq!(
        (json!("crashed"), json!(written)),
        (died["outcome"].clone(), died["created"].clone()),
        "{died:#}"
    );
    let error = died["error"].as_str().expect("a reason");
    assert!(
        error.contains("the server ended before the run did"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_record_cannot_be_written_is_recorded_as_it_ended_once_it_can() {
    let server = server(&[]).await;
    add(&server, LEDGER, "many:100").await;
    server
        .until(LEDGER, |connection| {
            connection["running"]["progress"]["done"].as_u64() >= Some(2)
        })
        .await;
    let db = Connection::open(server.folder().join("control.sqlite")).expect("the database");
    db.execute_batch(
        "CREATE TRIGGER full_disk BEFORE UPDATE ON runs
         BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
    )
    .expect("a trigger");
    while committed(&server.folder()) < 100 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // Nobody is told that it failed, or that it did nothing.
    assert_eq!("running", runs(&server).await[0]["outcome"]);
    db.execute_batch("DROP TRIGGER full_disk")
        .expect("no trigger");
    let connection = idle(&server, LEDGER).await;
    assert_eq!(0, connection["dead"], "{connection:#}");
    let runs = runs(&server).await;
    assert_eq!(1, runs.len(), "{runs:#?}");
    assert_eq!(
        (json!("done"), json!(100)),
        (runs[0]["outcome"].clone(), runs[0]["created"].clone())
    );
}

/// The status of a path that wants no token.
async fn status(server: &Server, path: &str) -> (u16, String) {
    let url = format!("{}{path}", server.url());
    let answer = server.client().get(url).send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.text().await.expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_a_full_disk_is_not_ready_tells_what_runs_committed_and_goes_on_with_room() {
    let Some(mut server) = Server::start_on_small_disk(48) else {
        eprintln!("skipped: this machine lets nobody mount a small disk");
        return;
    };
    server.install(ledger("1_0")).await;
    server.tenant("shop").await;
    connect(&server, "shop", "ledger").await;
    let ready = (200, "ready\n".to_owned());
    assert_eq!(ready, status(&server, "/readyz").await);
    add(&server, LEDGER, "many:2000").await;
    server
        .until(LEDGER, |connection| {
            connection["running"]["progress"]["done"].as_u64() >= Some(20)
        })
        .await;
    let filling = server.fill_disk();
    let full = loop {
        let full = status(&server, "/readyz").await;
        if full.0 == 503 {
            break full;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert!(full.1.contains("make room"), "{full:?}");
    assert_eq!(200, status(&server, "/healthz").await.0);
    // The run fails as soon as it cannot commit; the record of that waits for room.
    let mut written = json!(null);
    loop {
        let connection = server.get(LEDGER).await;
        let progress = &connection["running"]["progress"]["created"];
        if *progress == written {
            break;
        }
        written = progress.clone();
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    }
    let kept = committed(&server.folder());
    std::fs::remove_file(filling).expect("room");
    let ended = server
        .until(&format!("{LEDGER}/runs"), |runs| {
            let runs = runs["items"].as_array().expect("runs");
            runs.last().is_some_and(|run| run["outcome"] != "running")
        })
        .await;
    let first = ended["items"].as_array().expect("runs").last().cloned();
    let first = first.expect("a run");
    assert_eq!("transient", first["outcome"], "{first:#}");
    // The ledger says of each entry that it was written at the counterpart, where it stays: the one
    // that could not be committed counts, too.
    let created = first["created"].as_u64().expect("a number");
    assert!([kept, kept + 1].contains(&created), "{kept}: {first:#}");
    let error = first["error"].as_str().expect("a reason");
    assert!(error.contains("disk"), "{error}");
    let began = std::time::Instant::now();
    while status(&server, "/readyz").await != ready {
        assert!(began.elapsed().as_secs() < 60, "it stays not ready");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    server.kill();
}
