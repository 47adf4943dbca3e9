//! Webhooks: who may be told of what, what is told, and how often it is tried.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tenon_simulators::moysklad::{self, Account, Config, Kind, NewOrder, NewProduct, Simulator};

use crate::client::{config, delete, good, json, over, path, post, put, request, rows, text};

/// A receiver that answers each request with the next status, and tells what it got. It takes as
/// many requests as there are statuses.
struct Shop {
    url: String,
    got: Receiver<(String, String)>,
}

fn shop(statuses: &'static [u16]) -> Result<Shop> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/hook?token=1", listener.local_addr()?);
    let (told, got) = channel();
    std::thread::spawn(move || -> Result<()> {
        for status in statuses {
            let (mut stream, _) = listener.accept()?;
            let mut reader = BufReader::new(stream.try_clone()?);
            let (mut target, mut length) = (String::new(), 0);
            reader.read_line(&mut target)?;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line)?;
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse()?;
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            told.send((target, String::from_utf8(body)?))?;
            write!(
                stream,
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )?;
        }
        Ok(())
    });
    Ok(Shop { url, got })
}

fn webhook(sim: &Simulator, url: &str, kind: &str, action: &str) -> Result<Value> {
    let body = json!({ "url": url, "entityType": kind, "action": action });
    good(post(sim, "/entity/webhook", &body)?)
}

fn bodies(sim: &Simulator) -> Result<Vec<Value>> {
    let notices = sim.account(|account| account.waiting_webhooks().to_vec());
    let bodies = notices
        .iter()
        .map(|one| Ok(serde_json::from_str(&one.body)?));
    bodies.collect()
}

#[test]
fn one_address_is_told_of_one_thing_once() -> Result<()> {
    let sim = over(Account::empty())?;
    let url = "https://shop.example/hook";
    let made = webhook(&sim, url, "product", "UPDATE")?;
    assert_eq!(
        (&made["method"], &made["enabled"]),
        (&json!("POST"), &json!(true))
    );
    assert_eq!(made["diffType"], "NONE");
    let refused = |kind: &str, action: &str, url: &str| -> Result<u64> {
        let body = json!({ "url": url, "entityType": kind, "action": action });
        Ok(post(&sim, "/entity/webhook", &body)?.code())
    };
    assert_eq!(refused("product", "UPDATE", url)?, 30003);
    assert_eq!(refused("product", "CREATE", url)?, 0);
    assert_eq!(refused("webhook", "CREATE", url)?, 30000);
    assert_eq!(refused("product", "EXPLODE", url)?, 30002);
    assert_eq!(refused("product", "CREATE", "ftp://x")?, 30005);
    assert_eq!(
        refused("product", "CREATE", &format!("https://{}", "x".repeat(255)))?,
        30010
    );
    for number in 1..5 {
        assert_eq!(refused("product", "UPDATE", &format!("{url}/{number}"))?, 0);
    }
    assert_eq!(refused("product", "UPDATE", &format!("{url}/5"))?, 30007);
    let diff =
        json!({ "url": url, "entityType": "store", "action": "CREATE", "diffType": "FIELDS" });
    assert_eq!(post(&sim, "/entity/webhook", &diff)?.code(), 30009);
    let at = format!("/entity/webhook/{}", text(&made["id"]));
    let off = good(put(&sim, &at, &json!({ "enabled": false }))?)?;
    assert_eq!(off["enabled"], false);
    assert_eq!(delete(&sim, &at)?.status, 200);
    assert_eq!(rows(&sim, "/entity/webhook")?.len(), 5);
    Ok(())
}

#[test]
fn changes_are_told_whoever_makes_them() -> Result<()> {
    let mut account = Account::empty();
    let product = account.add_product(NewProduct::new("A"));
    let sim = over(account)?;
    for action in ["CREATE", "UPDATE", "DELETE"] {
        webhook(&sim, "https://shop.example/hook", "product", action)?;
    }
    let at = path(Kind::Product, product);
    put(&sim, &at, &json!({ "name": "B" }))?;
    sim.account(|account| account.archive(product));
    post(
        &sim,
        "/entity/product",
        &json!([{ "name": "C" }, { "name": "D" }]),
    )?;
    delete(&sim, &at)?;
    let told = bodies(&sim)?;
    let actions: Vec<(String, usize)> = told
        .iter()
        .map(|body| {
            let events = body["events"].as_array().map_or(0, Vec::len);
            (text(&body["events"][0]["action"]), events)
        })
        .collect();
    let expected = [("UPDATE", 1), ("UPDATE", 1), ("CREATE", 2), ("DELETE", 1)];
    assert_eq!(
        actions,
        expected.map(|(action, events)| (action.to_owned(), events))
    );
    let event = &told[0]["events"][0];
    assert_eq!(event["meta"]["href"], format!("{}{at}", sim.url()));
    assert_eq!(event["meta"]["type"], "product");
    assert_eq!(event["updatedFields"], Value::Null);
    assert_eq!(told[0]["auditContext"]["uid"], "tenon.simulated@test");
    assert_eq!(told[1]["auditContext"]["uid"], "admin");
    Ok(())
}

#[test]
fn changed_fields_are_named_only_when_wanted() -> Result<()> {
    let mut account = Account::empty();
    let buyer = account.add_counterparty(Default::default());
    let item = account.add_product(NewProduct::new("A"));
    let order = account.add_order(NewOrder::of(buyer));
    let state = account.states(Kind::CustomerOrder)[1].id;
    let sim = over(account)?;
    let body = json!({
        "url": "https://shop.example/hook", "entityType": "customerorder", "action": "UPDATE",
        "diffType": "FIELDS",
    });
    good(post(&sim, "/entity/webhook", &body)?)?;
    sim.account(|account| account.set_state(order, state));
    let told = bodies(&sim)?;
    assert_eq!(told[0]["events"][0]["updatedFields"], json!(["state"]));
    let line = json!([{ "assortment": crate::client::meta(&sim, Kind::Product, item), "quantity": 1, "price": 5 }]);
    put(
        &sim,
        &path(Kind::CustomerOrder, order),
        &json!({ "positions": line }),
    )?;
    let fields = bodies(&sim)?[1]["events"][0]["updatedFields"].clone();
    assert_eq!(fields, json!(["positions", "sum"]));
    Ok(())
}

#[test]
fn a_client_may_keep_its_own_changes_from_being_told() -> Result<()> {
    let sim = over(Account::empty())?;
    webhook(&sim, "https://shop.example/hook", "store", "CREATE")?;
    webhook(&sim, "https://other.example/hook", "store", "CREATE")?;
    let make = |name: &str, header: &str, value: &str| {
        request("POST", &format!("{}/entity/store", sim.url()))
            .header("Content-Type", "application/json")
            .header(header, value)
            .send(&json!({ "name": name }).to_string())
    };
    let prefix = "X-Lognex-WebHook-DisableByPrefix";
    assert_eq!(make("A", prefix, "https://shop.example")?.status, 200);
    let told = sim.account(|account| account.waiting_webhooks().to_vec());
    let urls: Vec<&str> = told.iter().map(|one| one.url.as_str()).collect();
    assert_eq!(urls, ["https://other.example/hook"]);
    assert_eq!(make("B", prefix, "https://")?.code(), 3030);
    assert_eq!(make("C", "X-Lognex-WebHook-Disable", "true")?.status, 200);
    assert_eq!(sim.lose_webhooks(), 1);
    assert_eq!(sim.lose_webhooks(), 0);
    Ok(())
}

#[test]
fn a_notice_is_tried_four_times_under_one_key_and_then_dropped() -> Result<()> {
    let sim = over(Account::empty())?;
    let shop = shop(&[500, 404, 302, 503])?;
    webhook(&sim, &shop.url, "store", "CREATE")?;
    sim.account(|account| account.add_named(Kind::Store, "Новый"));
    let deliveries = sim.deliver_webhooks();
    assert_eq!(deliveries.len(), 1);
    assert!(!deliveries[0].succeeded());
    assert_eq!(deliveries[0].attempts.len(), 4);
    let got: Vec<(String, String)> = shop.got.iter().collect();
    assert_eq!(got.len(), 4);
    assert!(got.iter().all(|one| *one == got[0]));
    let key = format!("requestId={}", deliveries[0].notice.request_id);
    assert!(got[0].0.starts_with("POST /hook?token=1&"), "{}", got[0].0);
    assert!(got[0].0.contains(&key), "{}", got[0].0);
    assert!(sim.deliver_webhooks().is_empty());
    Ok(())
}

#[test]
fn a_notice_that_arrives_is_not_repeated() -> Result<()> {
    let sim = over(Account::empty())?;
    let shop = shop(&[500, 204])?;
    webhook(&sim, &shop.url, "store", "CREATE")?;
    sim.account(|account| account.add_named(Kind::Store, "Новый"));
    let deliveries = sim.deliver_webhooks();
    assert!(deliveries[0].succeeded());
    assert_eq!(deliveries[0].attempts, [Some(500), Some(204)]);
    let (_, body) = shop.got.recv()?;
    let body: Value = serde_json::from_str(&body)?;
    assert_eq!(body["events"][0]["meta"]["type"], "store");
    Ok(())
}

#[test]
fn a_receiver_that_does_not_answer_is_given_up() -> Result<()> {
    let config = Config {
        webhook_patience: Duration::from_millis(100),
        ..config()
    };
    let sim = moysklad::start_with(config, Account::empty())?;
    // Connections to it are made, and never answered.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    webhook(
        &sim,
        &format!("http://{}/", silent.local_addr()?),
        "store",
        "CREATE",
    )?;
    sim.account(|account| account.add_named(Kind::Store, "A"));
    assert_eq!(sim.deliver_webhooks()[0].attempts, [None, None, None, None]);
    sim.account(|account| {
        account.behaviour.late_webhooks_repeated = false;
        account.add_named(Kind::Store, "B");
    });
    assert_eq!(sim.deliver_webhooks()[0].attempts, [None]);
    Ok(())
}

#[test]
fn webhooks_may_go_as_soon_as_something_changes() -> Result<()> {
    let config = Config {
        webhooks_at_once: true,
        ..config()
    };
    let sim = moysklad::start_with(config, Account::empty())?;
    let shop = shop(&[200])?;
    webhook(&sim, &shop.url, "store", "CREATE")?;
    good(post(&sim, "/entity/store", &json!({ "name": "Новый" }))?)?;
    let (target, _) = shop
        .got
        .recv_timeout(Duration::from_secs(60))
        .context("nothing came")?;
    assert!(target.contains("requestId="), "{target}");
    Ok(())
}

#[test]
fn changes_of_stock_are_told_with_the_address_of_a_report() -> Result<()> {
    let mut account = Account::empty();
    let product = account.add_product(NewProduct::new("A"));
    let sim = over(account)?;
    let body = json!({ "url": "https://shop.example/stock", "reportType": "bystore", "stockType": "stock" });
    good(post(&sim, "/entity/webhookstock", &body)?)?;
    assert_eq!(post(&sim, "/entity/webhookstock", &body)?.code(), 30003);
    sim.account(|account| {
        account.tell_stock();
        assert!(account.waiting_webhooks().is_empty());
        let store = account.home.store;
        account.set_stock(product, store, "5");
        account.tell_stock();
        account.tell_stock();
    });
    let told = bodies(&sim)?;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["stockType"], &told[0]["reportType"]),
        (&json!("stock"), &json!("bystore"))
    );
    let url = text(&told[0]["reportUrl"]).replace(' ', "%20");
    let report = good(request("GET", &url).send("")?)?;
    assert_eq!(report[0]["stock"], 5);
    Ok(())
}

#[test]
fn the_audit_remembers_what_lists_no_longer_show() -> Result<()> {
    let mut account = Account::empty();
    let product = account.add_product(NewProduct::new("A"));
    let sim = over(account)?;
    let at = path(Kind::Product, product);
    put(&sim, &at, &json!({ "name": "B" }))?;
    delete(&sim, &at)?;
    let deleted = json(&sim, "/audit?filter=eventType=delete;entityType=product")?;
    assert_eq!(deleted["meta"]["limit"], 25);
    assert_eq!(deleted["meta"]["size"], 1);
    let entry = &deleted["rows"][0];
    assert_eq!(
        (&entry["source"], &entry["objectCount"]),
        (&json!("jsonapi"), &json!(1))
    );
    let events = text(&entry["events"]["meta"]["href"]).replace(sim.url(), "");
    let event = json(&sim, &events)?["rows"][0].clone();
    assert_eq!(
        event["entity"]["meta"]["href"],
        format!("{}{at}", sim.url())
    );
    assert_eq!(event["name"], "B");
    let history = json(&sim, &format!("{at}/audit"))?;
    assert_eq!(history["meta"]["size"], 3);
    assert_eq!(
        history["rows"][1]["diff"]["name"],
        json!({ "oldValue": "A", "newValue": "B" })
    );
    assert_eq!(json(&sim, "/audit?limit=1000")?["meta"]["limit"], 100);
    let later = json(&sim, "/audit?filter=moment%3E=2030-01-01%2000:00:00")?;
    assert_eq!(later["meta"]["size"], 0);
    Ok(())
}
