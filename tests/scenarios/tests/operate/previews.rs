//! A preview changes nothing at the counterpart, whatever the connector does.

use std::process::Command;

use serde_json::{Value, json};
use tenon_scenarios::{caller, target};

use crate::counterpart::{CALLER, Counterpart, server};

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_of_a_connector_that_writes_all_the_same_says_so_and_harms_nothing() {
    let counterpart = Counterpart::start().await;
    counterpart.let_go();
    let server = server(&counterpart, true).await;
    let path = format!("{CALLER}/jobs/call/run");
    let preview = json!({ "argument": "/one !/orders /two", "mode": "preview" });
    server.post(&path, preview).await;
    let runs = format!("{CALLER}/runs?mode=preview");
    let ended = |runs: &Value| runs["items"][0]["outcome"] == "crashed";
    let runs = server.until(&runs, ended).await;
    let error = runs["items"][0]["error"].as_str().expect("a reason");
    assert!(error.contains("POST /orders "), "{error}");
    assert!(error.contains("declare it in `reads`"), "{error}");
    let over = |connection: &Value| connection["running"].is_null() && connection["waiting"] == 0;
    let connection = server.until(CALLER, over).await;
    assert_eq!("on", connection["state"], "{connection:#}");
    assert_eq!(0, connection["dead"], "{connection:#}");
    assert_eq!(vec!["/one"], counterpart.seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_of_the_command_line_that_would_write_ends_with_2_and_one_line() {
    let counterpart = Counterpart::start().await;
    counterpart.let_go();
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("caller.wasm"), caller()).expect("a file");
    let settings = json!({ "url": counterpart.url }).to_string();
    std::fs::write(file("settings.json"), settings).expect("a file");
    let output = Command::new(target().join("release/tenon"))
        .args([
            "run",
            "caller",
            "call",
            "--tenant",
            "shop",
            "--preview",
            "--json",
        ])
        .args(["--no-budget", "--grant", &counterpart.url])
        .args(["--argument", "!/orders", "--data"])
        .arg(file("data"))
        .arg("--component")
        .arg(file("caller.wasm"))
        .arg("--settings")
        .arg(file("settings.json"))
        .output()
        .expect("tenon starts");
    assert_eq!(Some(2), output.status.code(), "{output:?}");
    let error = String::from_utf8(output.stderr).expect("text");
    let lines: Vec<&str> = error
        .lines()
        .filter(|line| line.starts_with("tenon: "))
        .collect();
    assert_eq!(1, lines.len(), "{error}");
    assert!(lines[0].contains("POST /orders "), "{error}");
    assert_eq!(Vec::<String>::new(), counterpart.seen());
}
