//! Strangers at the door: what they hold open costs nobody else anything.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tenon_scenarios::server::Server;
use tokio::net::TcpSocket;

use crate::ledger::{LEDGER, add, connect, entries, idle, server};

fn address(server: &Server) -> SocketAddr {
    let address = server.url().strip_prefix("http://").expect("an address");
    address.parse().expect("an address")
}

/// Connections of strangers of whom each says so much and then no more.
fn strangers(server: &Server, many: usize, said: &str) -> Vec<TcpStream> {
    // Each is an open file here, too.
    rlimit::increase_nofile_limit(u64::MAX).expect("open files");
    let come = |_| {
        let mut stream = TcpStream::connect(address(server)).ok()?;
        stream.write_all(said.as_bytes()).ok()?;
        Some(stream)
    };
    (0..many).filter_map(come).collect()
}

/// Bytes of memory that the server has.
fn memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
    let status = status.expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.expect("VmRSS").trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().expect("a number") << 10
}

#[tokio::test(flavor = "multi_thread")]
async fn three_thousand_half_open_connections_and_few_open_files_stop_neither_api_nor_runs() {
    let mut server = Server::start(&[]);
    server.install(tenon_scenarios::ledger("1_0")).await;
    server.tenant("shop").await;
    connect(&server, "shop", "ledger").await;
    server.terminate();
    server.resume_with_files(256);
    let half = "GET /healthz HTTP/1.1\r\nhost: x\r\nx-never";
    let held = strangers(&server, 3_000, half);
    assert!(held.len() > 1_000, "{}", held.len());
    for argument in ["a", "b", "c"] {
        assert_eq!(202, add(&server, LEDGER, argument).await.status);
    }
    let (_, mut entries) = entries(&server, LEDGER).await;
    entries.sort();
    assert_eq!(vec!["a", "b", "c"], entries);
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_tenants_than_open_files_take_their_turns() {
    let mut server = Server::start(&[]);
    server.install(tenon_scenarios::ledger("1_0")).await;
    let shops: Vec<String> = (0..90).map(|number| format!("shop-{number}")).collect();
    for shop in &shops {
        server.tenant(shop).await;
        connect(&server, shop, "ledger").await;
    }
    server.terminate();
    server.resume_with_files(256);
    let paths = shops
        .iter()
        .map(|shop| format!("/tenants/{shop}/connections/ledger"));
    let paths: Vec<String> = paths.collect();
    for path in &paths {
        assert_eq!(202, add(&server, path, "a").await.status);
    }
    for path in &paths {
        idle(&server, path).await;
    }
    // By now as many files are open as ever will be.
    let ready = reqwest::get(format!("{}/readyz", server.url())).await;
    let ready = ready.expect("an answer");
    assert_eq!(200, ready.status().as_u16(), "{:?}", ready.text().await);
    for path in &paths {
        let (_, entries) = entries(&server, path).await;
        assert_eq!(vec!["a"], entries, "{path}");
        let runs = server.get(&format!("{path}/runs")).await;
        let ended = |run: &Value| run["outcome"] == "done";
        let runs = runs["items"].as_array().expect("runs");
        assert!(runs.iter().all(ended), "{runs:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_read_only_where_there_is_somebody_for_it() {
    let server = server(&[]).await;
    let before = memory(&server);
    let head = format!(
        "POST /hooks/{}/orders HTTP/1.1\r\nhost: x\r\ncontent-length: 1048576\r\n\r\n{}",
        "a".repeat(43),
        "x".repeat(4 << 10)
    );
    let mut held = strangers(&server, 400, &head);
    // They are answered while their bodies have not come.
    let last = held.last_mut().expect("a stranger");
    last.set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a socket");
    let mut answer = [0; 12];
    last.read_exact(&mut answer).expect("an answer");
    assert_eq!(b"HTTP/1.1 404", &answer);
    let grown = memory(&server).saturating_sub(before);
    assert!(grown < 100 << 20, "{grown} bytes for strangers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_or_a_body_that_never_ends_is_given_up() {
    let server = server(&[]).await;
    let rotated = server
        .post(&format!("{LEDGER}/hook/rotate"), Value::Null)
        .await;
    let url: url::Url = rotated["url"]
        .as_str()
        .expect("an address")
        .parse()
        .expect("a URL");
    let known = format!(
        "POST {}orders HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf",
        url.path()
    );
    let [nothing, head, body] = ["", "GET / HTTP/1.1\r\n", known.as_str()].map(|said| {
        let one = strangers(&server, 1, said).pop();
        std::thread::spawn(move || {
            let mut one = one.expect("a stranger");
            let patience = Some(Duration::from_secs(60));
            one.set_read_timeout(patience).expect("a socket");
            let mut rest = Vec::new();
            one.read_to_end(&mut rest)
                .expect("the end of the connection");
            rest
        })
    });
    let end = |stranger: JoinHandle<Vec<u8>>| stranger.join().expect("an end");
    assert!(end(body).starts_with(b"HTTP/1.1 408"));
    end(nothing);
    end(head);
    assert!(entries(&server, LEDGER).await.1.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_connections_from_one_address_leave_room_for_others() {
    let server = server(&["--connections", "20", "--connections-per-address", "10"]).await;
    let mut quiet = TcpStream::connect(address(&server)).expect("a connection");
    // From another address of this machine.
    let mut held = Vec::new();
    for _ in 0..30 {
        let socket = TcpSocket::new_v4().expect("a socket");
        let from = "127.0.0.2:0".parse().expect("an address");
        socket.bind(from).expect("an address");
        let stream = socket.connect(address(&server)).await;
        held.push(stream.expect("a connection"));
    }
    quiet
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .expect("a request");
    let mut answer = String::new();
    quiet.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(held);
}
