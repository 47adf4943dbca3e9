//! Tokens by who has the data folder, and whose that folder is.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tenon_scenarios::server::Server;
use tenon_scenarios::target;

use crate::ledger::server;

const TOKEN: &str = "tnn_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

fn text(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The status of a request with a token.
async fn status(server: &Server, token: &str) -> u16 {
    let request = server.client().get(format!("{}/v1/me", server.url()));
    let answer = request.bearer_auth(token).send().await;
    answer.expect("an answer").status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_listed_and_revoked_beside_a_server_and_the_last_one_stays() {
    let server = Server::start(&[]);
    let made = server.tenon(&["token", "create", "night", "--scope", "platform"]);
    let secret = text(&made);
    assert_eq!(200, status(&server, &secret).await, "{made:?}");
    let listed = server.tenon(&["token", "list", "--json"]);
    let listed: Value = serde_json::from_str(&text(&listed)).expect("JSON");
    assert!(!listed.to_string().contains("tnn_"));
    let id = |name: &str| {
        let mut all = listed.as_array().expect("tokens").iter();
        let found = all.find(|token| token["name"] == name).expect("the token");
        found["id"].as_str().expect("an id").to_owned()
    };
    let revoke = |id: &str| server.tenon(&["token", "revoke", id]);
    assert!(revoke(&id("night")).status.success());
    assert_eq!(401, status(&server, &secret).await);
    let last = revoke(&id("first"));
    assert_eq!(Some(2), last.status.code());
    let said = String::from_utf8_lossy(&last.stderr).into_owned();
    assert!(said.contains("the last token of the platform"), "{said}");
    assert_eq!(200, status(&server, server.token()).await);
    let audit = server.get("/audit").await;
    let notes = audit["items"].as_array().expect("notes").iter();
    let by_hand = notes.filter(|note| note["actor"] == "command line");
    assert_eq!(2, by_hand.count(), "{audit}");

    let nowhere = server.folder().join("nowhere");
    let place = nowhere.to_str().expect("a path");
    let tenon = tenon_scenarios::target().join("release/tenon");
    let mistyped = Command::new(tenon)
        .args(["token", "create", "x", "--scope", "read", "--data", place])
        .output()
        .expect("`tenon`");
    assert_eq!(Some(2), mistyped.status.code(), "{mistyped:?}");
    assert!(!nowhere.exists());
    let of_nobody = [
        "token", "create", "x", "--scope", "read", "--tenant", "nobody",
    ];
    assert_eq!(Some(2), server.tenon(&of_nobody).status.code());
}

#[test]
fn the_first_token_comes_from_where_the_operators_put_it_and_is_not_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = |token: &str| {
        let mut command = Command::new(target().join("release/tenon"));
        command
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--first-token",
                "env:FIRST",
                "--data",
            ])
            .arg(folder.path())
            .env("FIRST", token)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    };
    let refused = start("hunter2-hunter2").output().expect("`tenon serve`");
    assert_eq!(Some(2), refused.status.code());
    assert!(!String::from_utf8_lossy(&refused.stderr).contains("hunter2"));

    let mut process = start(TOKEN).spawn().expect("`tenon serve`");
    let mut said = BufReader::new(process.stdout.take().expect("its output"));
    let mut console = String::new();
    said.read_line(&mut console).expect("a line");
    let url = console.strip_prefix("console").expect("the address").trim();
    let address = url.strip_prefix("http://").expect("the address");
    let address = address.strip_suffix("/console/").expect("the address");
    let mut asked = TcpStream::connect(address).expect("a connection");
    let request = format!(
        "GET /v1/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\r\n"
    );
    asked.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    asked.read_to_string(&mut answer).expect("an answer");
    process.kill().expect("its end");
    let output = process.wait_with_output().expect("its end");
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("text");
    assert!(answer.contains("\"first\""), "{answer}");
    for told in [
        &console,
        &rest,
        &String::from_utf8_lossy(&output.stderr).into_owned(),
    ] {
        assert!(!told.contains("tnn_"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_keeps_is_its_users_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    fn look(path: &Path, seen: &mut usize) {
        let mode = std::fs::metadata(path)
            .expect("metadata")
            .permissions()
            .mode();
        assert_eq!(0, mode & 0o077, "{}: {mode:o}", path.display());
        *seen += 1;
        if path.is_dir() {
            for entry in std::fs::read_dir(path).expect("a folder") {
                look(&entry.expect("an entry").path(), seen);
            }
        }
    }

    let server = server(&[]).await;
    crate::ledger::add(&server, crate::ledger::LEDGER, "a").await;
    crate::ledger::idle(&server, crate::ledger::LEDGER).await;
    let mut seen = 0;
    for entry in std::fs::read_dir(server.folder()).expect("a folder") {
        look(&entry.expect("an entry").path(), &mut seen);
    }
    assert!(seen > 5, "{seen}");
}
