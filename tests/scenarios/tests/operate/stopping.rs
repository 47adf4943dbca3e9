//! Stop means stop, also for a run whose counterpart holds the request: it is dropped, the run ends
//! within moments, and the next one goes on from its last checkpoint.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenon_scenarios::server::Server;
use tenon_scenarios::{caller, target};

use crate::counterpart::{CALLER, Counterpart, call, connect, server};

/// The promise: so long may a run go on that is to end.
const MOMENTS: Duration = Duration::from_secs(2);

/// Why a run is ended.
const PERSON: &str = "by a person";
const CHANGE: &str = "because its connection was to be changed";

/// Waits until nothing of a connection runs; answers with how its last run ended. That has to be so
/// within moments after `began`.
async fn ended(server: &Server, connection: &str, began: Instant) -> Value {
    let idle = |connection: &Value| connection["running"].is_null();
    let seen = server.until(connection, idle).await;
    assert!(began.elapsed() < MOMENTS, "{:?}", began.elapsed());
    let run = seen["last_run"]["id"].as_str().expect("a run").to_owned();
    server.get(&format!("{connection}/runs/{run}")).await
}

/// Passes a run that was ended and undone back to its last checkpoint.
fn assert_suspended(run: &Value, by: &str) {
    assert_eq!("suspended", run["outcome"], "{run:#}");
    let error = run["error"].as_str().expect("a reason");
    for words in ["while it waited for the counterpart", by] {
        assert!(error.contains(words), "{error}");
    }
}

/// What waits of a connection, which is nothing that failed.
async fn waiting(server: &Server, connection: &str) -> Vec<Value> {
    let requests = server.get(&format!("{connection}/requests")).await;
    let requests = requests["items"].as_array().expect("requests").clone();
    for request in &requests {
        assert_eq!(0, request["attempts"], "{request:#}");
        assert_ne!("dead", request["state"], "{request:#}");
        assert!(request["error"].is_null(), "{request:#}");
    }
    requests
}

/// Waits until all that was asked for is done.
async fn done(server: &Server, connection: &str) -> Value {
    let through = |connection: &Value| {
        let idle = connection["running"].is_null() && connection["waiting"] == 0;
        idle && connection["last_run"]["outcome"] == "done"
    };
    server.until(connection, through).await
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_ends_a_run_whose_counterpart_holds_the_request() {
    let counterpart = Counterpart::start().await;
    let server = server(&counterpart, true).await;
    call(&server, CALLER, "/one /held /two").await;
    counterpart.holds_one().await;
    let began = Instant::now();
    let path = format!("{CALLER}/stop");
    assert_eq!(true, server.post(&path, Value::Null).await["stopping"]);
    let run = ended(&server, CALLER, began).await;
    assert_suspended(&run, PERSON);
    counterpart.is_left().await;
    // Who stops a run wants no more of it.
    assert_eq!(Vec::<Value>::new(), waiting(&server, CALLER).await);
    counterpart.let_go();
    call(&server, CALLER, "/one /held /two").await;
    done(&server, CALLER).await;
    assert_eq!(vec!["/one", "/held", "/held", "/two"], counterpart.seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn switching_off_ends_a_run_whose_counterpart_holds_the_request_and_the_clean_up() {
    let counterpart = Counterpart::start().await;
    let server = server(&counterpart, true).await;
    call(&server, CALLER, "/one /held /two").await;
    counterpart.holds_one().await;
    let path = format!("{CALLER}/disable");
    let (_, run) = tokio::join!(
        server.post(&path, Value::Null),
        ended(&server, CALLER, Instant::now()),
    );
    assert_suspended(&run, CHANGE);
    assert_eq!("off", server.get(CALLER).await["state"]);
    assert_eq!(1, waiting(&server, CALLER).await.len());
    // The clean-up is held as well, and goes on by itself.
    let cleaning = |one: &Counterpart| one.seen().iter().any(|path| path == "/clean");
    counterpart.until("cleaned up", cleaning).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_ended_by_switching_off_goes_on_when_it_is_on_again() {
    let counterpart = Counterpart::start().await;
    let server = server(&counterpart, true).await;
    call(&server, CALLER, "/one /held /two").await;
    counterpart.holds_one().await;
    // From here on the clean-up is answered; the request that is held is not.
    counterpart.let_go();
    let began = Instant::now();
    server.post(&format!("{CALLER}/disable"), Value::Null).await;
    ended(&server, CALLER, began).await;
    server.post(&format!("{CALLER}/enable"), Value::Null).await;
    done(&server, CALLER).await;
    let seen = ["/one", "/held", "/clean", "/held", "/two"];
    assert_eq!(seen.as_slice(), counterpart.seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_ends_a_run_whose_counterpart_holds_the_request() {
    let counterpart = Counterpart::start().await;
    let server = server(&counterpart, true).await;
    // The same with a custom section, which makes it another version.
    let next = [caller(), vec![0, 2, 1, b'x']].concat();
    let next = server.install(next).await;
    call(&server, CALLER, "/one /held /two").await;
    counterpart.holds_one().await;
    counterpart.let_go();
    let began = Instant::now();
    let path = format!("{CALLER}/upgrade");
    server.post(&path, json!({ "digest": next })).await;
    assert!(began.elapsed() < MOMENTS, "{:?}", began.elapsed());
    let connection = done(&server, CALLER).await;
    assert_eq!(next, connection["version"]["digest"]);
    let runs = server.get(&format!("{CALLER}/runs")).await;
    assert_suspended(&runs["items"][1], CHANGE);
    assert_eq!(vec!["/one", "/held", "/held", "/two"], counterpart.seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_to_end_ends_runs_whose_counterpart_holds_the_request() {
    let counterpart = Counterpart::start().await;
    let mut server = server(&counterpart, true).await;
    call(&server, CALLER, "/one /held /two").await;
    counterpart.holds_one().await;
    // Somebody has sent half a request, and says no more.
    let address = server.url().trim_start_matches("http://");
    let mut silent = std::net::TcpStream::connect(address).expect("a connection");
    silent
        .write_all(b"POST /v1/tenants HTTP/1.1\r\nhos")
        .expect("a half");
    let began = Instant::now();
    let ended = server.terminate();
    assert!(ended.success(), "{ended}");
    // The runs, and a moment for all else.
    assert!(began.elapsed() < 2 * MOMENTS, "{:?}", began.elapsed());
    counterpart.let_go();
    server.resume();
    done(&server, CALLER).await;
    let runs = server.get(&format!("{CALLER}/runs")).await;
    assert_suspended(&runs["items"][1], "because the server was to end");
    assert_eq!(vec!["/one", "/held", "/held", "/two"], counterpart.seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_ended_while_its_repetition_or_its_turn_is_waited_for() {
    let first = Counterpart::start().await;
    let server = server(&first, true).await;
    for (id, no_budget, paths, counts) in [
        ("retrying", true, "/down", [2, 0, 0, 0]),
        ("queueing", false, "/one /two /three", [0, 1, 1, 0]),
    ] {
        // One for each: what is sent without a budget spends it, too.
        let counterpart = Counterpart::start().await;
        for (operation, by) in [("stop", PERSON), ("disable", CHANGE)] {
            let id = format!("{id}-{operation}");
            connect(&server, &counterpart, &id, no_budget).await;
            let path = format!("/tenants/shop/connections/{id}");
            let before = counterpart.seen().len();
            call(&server, &path, paths).await;
            let running = |connection: &Value| !connection["running"].is_null();
            server.until(&path, running).await;
            if no_budget {
                let asked = |one: &Counterpart| one.seen().len() > before;
                counterpart.until("asked", asked).await;
            } else {
                // The first of them spends it.
                let spent = |one: &Counterpart| {
                    let seen = one.seen();
                    seen.contains(&"/one".to_owned()) && seen.contains(&"/two".to_owned())
                };
                counterpart.until("spent", spent).await;
            }
            // Whatever it does in that time, it comes to waiting.
            tokio::time::sleep(Duration::from_millis(300)).await;
            let order = format!("{path}/{operation}");
            let (_, run) = tokio::join!(
                server.post(&order, Value::Null),
                ended(&server, &path, Instant::now()),
            );
            assert_suspended(&run, by);
            waiting(&server, &path).await;
        }
        let asked = counterpart.seen();
        let times = |path: &str| asked.iter().filter(|seen| *seen == path).count();
        let sent = ["/down", "/one", "/two", "/three"].map(times);
        assert_eq!(counts, sent, "{asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_a_run_of_the_command_line_whose_counterpart_holds_the_request() {
    let counterpart = Counterpart::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("caller.wasm"), caller()).expect("a file");
    let settings = json!({ "url": counterpart.url }).to_string();
    std::fs::write(file("settings.json"), settings).expect("a file");
    let run = || {
        let mut run = Command::new(target().join("release/tenon"));
        run.args(["run", "caller", "call", "--tenant", "shop", "--json"])
            .args(["--no-budget", "--grant", &counterpart.url])
            .args(["--argument", "/one /held /two", "--data"])
            .arg(file("data"))
            .arg("--component")
            .arg(file("caller.wasm"))
            .arg("--settings")
            .arg(file("settings.json"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        run
    };
    for signal in ["-INT", "-TERM"] {
        let process = run().spawn().expect("tenon starts");
        counterpart.holds_one().await;
        let sent = Command::new("kill")
            .args([signal, &process.id().to_string()])
            .status();
        assert!(sent.expect("kill").success());
        let began = Instant::now();
        let output = process.wait_with_output().expect("its end");
        assert!(began.elapsed() < MOMENTS, "{:?}", began.elapsed());
        assert_eq!(Some(130), output.status.code(), "{output:?}");
        let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
        assert_suspended(&report, PERSON);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(1, error.lines().count(), "{error}");
        counterpart.is_left().await;
    }
    counterpart.let_go();
    let output = run().output().expect("tenon starts");
    assert_eq!(Some(0), output.status.code(), "{output:?}");
    let seen = ["/one", "/held", "/held", "/held", "/two"];
    assert_eq!(seen.as_slice(), counterpart.seen());
}
