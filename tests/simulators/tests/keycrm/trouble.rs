//! What the simulator does to a client on purpose, and what it tells about the client.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::client::{KEY, config, get, ids, json, listed, over, rows};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use tenon_simulators::faults::{Fault, Rule};
use tenon_simulators::keycrm::{self, Account, Config, Event, NewOrder, Simulator, Webhook};

fn many(orders: usize) -> Result<Simulator> {
    let mut account = Account::empty();
    for _ in 0..orders {
        account.add_order(NewOrder::new());
    }
    over(account)
}

/// The bytes that come for a request until the server ends the connection.
fn raw(sim: &Simulator, path: &str) -> Result<(Vec<u8>, Option<std::io::Error>)> {
    let mut connection = TcpStream::connect(sim.address())?;
    write!(
        connection,
        "GET /v1{path} HTTP/1.1\r\nhost: simulator\r\nauthorization: Bearer {KEY}\r\n\
         connection: close\r\n\r\n"
    )?;
    let mut bytes = Vec::new();
    let error = connection.read_to_end(&mut bytes).err();
    Ok((bytes, error))
}

#[test]
fn a_cut_body_promises_more_than_it_holds() -> Result<()> {
    let sim = many(20)?;
    let (whole, _) = raw(&sim, "/order")?;
    sim.faults().fail_next(1, Fault::CutBody);
    let (cut, _) = raw(&sim, "/order")?;
    let text = String::from_utf8(cut)?.to_lowercase();
    let (head, body) = text.split_once("\r\n\r\n").context("no body")?;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let promised: usize = head
        .split_once("content-length: ")
        .and_then(|(_, rest)| rest.lines().next())
        .context("no length")?
        .parse()?;
    assert!(whole.ends_with(b"}"));
    assert_eq!(body.len(), promised / 2);
    assert!(serde_json::from_str::<Value>(body).is_err());

    sim.faults().fail_next(1, Fault::CutBody);
    assert!(get(&sim, "/order").is_err());
    assert_eq!(get(&sim, "/order")?.status, 200);
    Ok(())
}

#[test]
fn a_reset_connection_brings_no_answer_at_all() -> Result<()> {
    let sim = many(1)?;
    sim.faults().fail_next(1, Fault::ConnectionReset);
    let (bytes, error) = raw(&sim, "/order")?;
    assert_eq!(bytes, b"");
    let kind = error.map(|error| error.kind());
    assert_eq!(kind, Some(std::io::ErrorKind::ConnectionReset));
    assert_eq!(sim.recent_requests()[0].status, None);
    assert_eq!(get(&sim, "/order")?.status, 200);
    Ok(())
}

#[test]
fn error_answers_look_like_the_vendor_s_and_like_a_proxy_s() -> Result<()> {
    let sim = many(1)?;
    let faults = sim.faults();
    faults.add(Rule::new(Fault::Status(500)));
    faults.add(Rule::new(Fault::HtmlBadGateway));
    faults.add(Rule::new(Fault::HtmlOk));
    faults.add(Rule::new(Fault::TooManyRequests {
        retry_after: Some(7),
    }));
    faults.add(Rule::new(Fault::TooManyRequests { retry_after: None }));
    assert_eq!(faults.pending(), 5);
    let failed = get(&sim, "/order")?;
    assert_eq!(failed.status, 500);
    assert_eq!(failed.json()?, json!({ "message": "Server Error" }));
    let gateway = get(&sim, "/order")?;
    assert_eq!(gateway.status, 502);
    assert!(gateway.text.starts_with("<html>"));
    let page = get(&sim, "/order")?;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html"));
    let told = get(&sim, "/order")?;
    assert_eq!(told.status, 429);
    assert_eq!(told.header("retry-after"), Some("7"));
    let untold = get(&sim, "/order")?;
    assert_eq!(untold.status, 429);
    assert_eq!(untold.header("retry-after"), None);
    assert_eq!(get(&sim, "/order")?.status, 200);
    Ok(())
}

#[test]
fn a_fault_finds_its_endpoint_and_its_turn() -> Result<()> {
    let sim = many(60)?;
    let rule = Rule::new(Fault::Status(503))
        .on("GET /order")
        .after(1)
        .times(2);
    sim.faults().add(rule);
    let status = |path: &str| -> Result<u16> { Ok(get(&sim, path)?.status) };
    assert_eq!(status("/order/status")?, 200);
    assert_eq!(status("/order?page=1")?, 200);
    assert_eq!(status("/order/1")?, 200);
    assert_eq!(status("/order?page=2")?, 503);
    assert_eq!(status("/order?page=2")?, 503);
    assert_eq!(status("/order?page=2")?, 200);
    sim.faults().fail_first_of_each(Fault::Status(500));
    for path in ["/order?page=1", "/order?page=2", "/users"] {
        assert_eq!(status(path)?, 500, "{path}");
        assert_eq!(status(path)?, 200, "{path}");
    }
    sim.faults().clear();
    assert_eq!(status("/order?page=3")?, 200);
    Ok(())
}

#[test]
fn a_slow_answer_is_late_and_right() -> Result<()> {
    let sim = many(1)?;
    let delay = Duration::from_millis(120);
    sim.faults().fail_next(1, Fault::Slow(delay));
    let started = Instant::now();
    assert_eq!(listed(&sim, "/order")?, [1]);
    assert!(started.elapsed() >= delay);
    Ok(())
}

#[test]
fn orders_inserted_and_deleted_between_pages_shift_the_rest() -> Result<()> {
    let sim = many(100)?;
    sim.after_nth("GET /order", 1, |account| {
        account.add_order(NewOrder::new());
    });
    let newest_first = ids(&rows(&sim, "/order")?);
    assert_eq!(
        newest_first.iter().filter(|id| **id == 51).count(),
        2,
        "one comes twice"
    );
    assert!(!newest_first.contains(&101), "the new one came too late");

    sim.after_nth("GET /order", 1, |account| {
        account.add_order(NewOrder::new());
    });
    let oldest_first = ids(&rows(&sim, "/order?sort=id")?);
    assert_eq!(oldest_first, (1..=102).collect::<Vec<_>>());

    sim.after_nth("GET /order", 1, |account| account.delete_order(1));
    let shortened = ids(&rows(&sim, "/order?sort=id")?);
    assert!(!shortened.contains(&51), "one slips through");
    assert_eq!(shortened.len(), 101);
    Ok(())
}

#[test]
fn a_hook_sees_each_request_before_it_is_answered() -> Result<()> {
    let sim = many(1)?;
    let mut renamed = 0;
    sim.on_request(move |seen, account| {
        if seen.endpoint == "GET /order/status" {
            renamed += 1;
            if let Some(status) = account.statuses.get_mut(&1) {
                status.name = format!("new {renamed}");
            }
        }
    });
    get(&sim, "/order")?;
    for name in ["new 1", "new 2"] {
        assert_eq!(json(&sim, "/order/status")?["data"][0]["name"], name);
    }
    Ok(())
}

#[test]
fn the_log_tells_what_was_asked() -> Result<()> {
    let sim = many(3)?;
    get(
        &sim,
        "/order?filter[created_between]=2026-03-01%2000:00:00,2026-03-02&limit=2",
    )?;
    get(&sim, "/order/1")?;
    get(&sim, "/order/2")?;
    get(&sim, "/order/9")?;
    assert_eq!(sim.total_requests(), 4);
    assert_eq!(sim.requests_to("GET /order/{id}"), 3);
    assert_eq!(sim.requests().get("GET /order"), Some(&1));
    let log = sim.recent_requests();
    let period = "2026-03-01 00:00:00,2026-03-02";
    assert_eq!(log[0].parameter("filter[created_between]"), Some(period));
    assert_eq!(log[0].parameter("limit"), Some("2"));
    assert_eq!(log[0].header("authorization"), Some("Bearer test-key"));
    assert_eq!(log[0].header("accept-encoding"), Some("gzip"));
    assert_eq!(log[3].path, "/order/9");
    assert_eq!(log[3].status.map(|status| status.as_u16()), Some(404));
    sim.reset_counts();
    assert_eq!(sim.total_requests(), 0);
    assert!(sim.recent_requests().is_empty());
    get(&sim, "/order")?;
    assert_eq!(
        sim.recent_requests()[0]
            .status
            .map(|status| status.as_u16()),
        Some(200)
    );
    Ok(())
}

#[test]
fn answers_are_compressed_for_those_who_ask_unless_told_not_to() -> Result<()> {
    let size = |compression: bool, accept: &str| -> Result<(usize, bool)> {
        let sim = keycrm::start(Config {
            compression,
            ..config()
        })?;
        let mut connection = TcpStream::connect(sim.address())?;
        write!(
            connection,
            "GET /v1/order?limit=50 HTTP/1.1\r\nhost: simulator\r\nauthorization: Bearer {KEY}\r\n\
             accept-encoding: {accept}\r\nconnection: close\r\n\r\n"
        )?;
        let mut bytes = Vec::new();
        connection.read_to_end(&mut bytes)?;
        let told = format!("content-encoding: {accept}");
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(600)]).to_lowercase();
        Ok((bytes.len(), head.contains(&told)))
    };
    let (plain, told) = size(false, "gzip")?;
    assert!(!told);
    for accept in ["gzip", "br"] {
        let (compressed, told) = size(true, accept)?;
        assert!(told, "{accept}");
        assert!(compressed * 3 < plain, "{accept}: {compressed} of {plain}");
    }
    Ok(())
}

#[test]
fn a_dropped_simulator_is_gone() -> Result<()> {
    let sim = many(1)?;
    let address = sim.address();
    let mut idle = TcpStream::connect(address)?;
    drop(sim);
    assert!(TcpStream::connect(address).is_err());
    let mut rest = Vec::new();
    assert_eq!(idle.read_to_end(&mut rest).unwrap_or_default(), 0);
    Ok(())
}

/// Answers one request with 204 and gives back its path and body.
fn receive(listener: &TcpListener) -> Result<(String, Value)> {
    let (mut connection, _) = listener.accept()?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = connection.read(&mut chunk)?;
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        if let Ok(body) = serde_json::from_str(body) {
            connection.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")?;
            let path = head.split_whitespace().nth(1).unwrap_or_default();
            return Ok((path.to_owned(), body));
        }
        anyhow::ensure!(read > 0, "the webhook broke off");
    }
}

#[test]
fn a_webhook_holds_the_order_as_it_was_and_may_come_twice_and_late() -> Result<()> {
    let mut account = Account::empty();
    let packing = account.add_status("Пакування", 3);
    let manager = account.add_user("Олена", "Коваль");
    let order = account.add_order(NewOrder::new().manager(manager));
    let first = Webhook::of(&account, Event::PaymentStatus, order);
    account.set_status(order, packing);
    let second = Webhook::of(&account, Event::OrderStatus, order);
    let unknown = Webhook::of_unknown_order(&mut account, Event::OrderStatus, 999);

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/hook/secret", listener.local_addr()?);
    let receiver = std::thread::spawn(move || -> Result<Vec<(String, Value)>> {
        (0..4).map(|_| receive(&listener)).collect()
    });
    for webhook in [&second, &second, &first, &unknown] {
        assert_eq!(webhook.post(&url)?, 204);
    }
    let received = receiver.join().expect("the receiver ends")?;
    assert_eq!(received[0], received[1]);
    let (path, body) = &received[0];
    assert_eq!(path, "/hook/secret");
    assert_eq!(body["event"], "order.change_order_status");
    assert_eq!(body["context"]["status_id"], packing);
    assert_eq!(body["context"]["manager_id"], manager);
    assert_eq!(body["context"].get("products"), None);
    assert_eq!(received[2].1["event"], "order.change_payment_status");
    assert_eq!(received[2].1["context"]["status_id"], 1);
    assert_eq!(received[3].1["context"]["id"], 999);
    Ok(())
}
