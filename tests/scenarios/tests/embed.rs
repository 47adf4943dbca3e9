//! Platforms of somebody else's: the examples that show how to embed the host, and how to mount the
//! server into a server of one's own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tenon_scenarios::target;
use tenon_simulators::keycrm::{self, Account, Config, NewBuyer, NewLine, NewOrder};

const KEY: &str = "simulated-keycrm-key";

#[test]
fn a_platform_in_a_hundred_lines_takes_orders_from_keycrm() {
    let mut account = Account::empty();
    let buyer = account.add_buyer(NewBuyer::named("Олена Коваль").phone("+380501112233"));
    let order = NewOrder::new()
        .buyer(buyer)
        .line(NewLine::named("Чашка").sku("CUP-1").price("120.50"))
        .ordered_at("2026-03-01T10:00:00Z");
    let ids = [account.add_order(order.clone()), account.add_order(order)];
    let config = Config {
        requests_per_minute: None,
        api_key: KEY.to_owned(),
        ..Config::default()
    };
    let sim = keycrm::start_with(config, account).expect("a simulator");
    let settings = json!({
        "base_url": sim.url(),
        "period": { "from": "2026-03-01", "to": "2026-03-31" },
    });

    let ended = Command::new(target().join("release/examples/own_platform"))
        .arg(target().join("components/connectors/keycrm.wasm"))
        .args(["orders", &settings.to_string()])
        .env("API_KEY", KEY)
        .output()
        .expect("the example; `cargo test --workspace` builds it");
    let complaint = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{complaint}");
    let answer: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    assert_eq!(answer["report"]["outcome"], "done", "{answer:#}");
    assert_eq!(answer["report"]["created"], 2, "{answer:#}");
    for id in ids {
        let orders = answer["orders"].as_object().expect("orders by origin");
        let (_, order) = (orders.iter())
            .find(|(origin, _)| origin.ends_with(&format!(":order:{id}")))
            .expect("the order");
        assert_eq!(order["number"], id.to_string(), "{answer:#}");
        assert_eq!(order["currency"], "UAH");
        assert_eq!(order["lines"][0]["price"], "120.50", "{order:#}");
        assert!(order["partner"].is_string(), "{order:#}");
    }
}

/// Ends a process whatever becomes of the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_platform_answers_for_its_own_pages_and_for_tenon_below_a_prefix() {
    let folder = tempfile::tempdir().expect("a folder");
    let started = Command::new(target().join("release/examples/mount"))
        .arg(folder.path())
        .arg("127.0.0.1:0")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example; `cargo test --workspace` builds it");
    let mut platform = Ends(started);
    let said = platform.0.stdout.take().expect("what it says");
    let mut lines = BufReader::new(said).lines();
    let mut said = |name: &str| {
        let line = lines.next().expect("a line").expect("text");
        let value = line.strip_prefix(name).expect(name);
        value.trim().to_owned()
    };
    let console = said("console");
    let token = said("token");
    let mounted = console.strip_suffix("/console/").expect("an address");
    let own = mounted.strip_suffix("/integrations").expect("a prefix");

    // Fails only when a provider is in place already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let text = async |url: &str| {
        let answer = client.get(url).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{url}");
        answer.text().await.expect("text")
    };
    assert_eq!(text(own).await, "the platform's own page\n");
    assert!(text(&console).await.contains("<html"), "the console");
    assert_eq!(text(&format!("{mounted}/readyz")).await, "ready\n");

    let ask = async |method: reqwest::Method, path: &str, body: Value| {
        let mut request = client.request(method, format!("{mounted}/v1{path}"));
        request = request.bearer_auth(&token);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    };
    let post = async |path: &str, body: Value| ask(reqwest::Method::POST, path, body).await;
    let component = std::fs::read(target().join("components/scenarios/ledger_1_0.wasm"));
    let sent = client
        .post(format!("{mounted}/v1/versions"))
        .bearer_auth(&token)
        .header("content-type", "application/wasm")
        .body(component.expect("a component"));
    assert_eq!(201, sent.send().await.expect("an answer").status());
    let tenant = json!({
        "id": "shop", "name": "Shop", "time_zone": "UTC", "language": "en", "currency": "UAH"
    });
    post("/tenants", tenant).await;
    let connection = json!({ "id": "ledger", "connector": "ledger" });
    post("/tenants/shop/connections", connection).await;
    let at = "/tenants/shop/connections/ledger";
    post(&format!("{at}/enable"), Value::Null).await;
    let address = post(&format!("{at}/hook/rotate"), Value::Null).await;
    let address = address["url"].as_str().expect("an address").to_owned();
    assert!(
        address.starts_with(mounted),
        "webhooks come below the prefix"
    );
    let hook = client.post(format!("{address}orders")).body("heard");
    assert_eq!(hook.send().await.expect("an answer").status(), 200);
    loop {
        let runs = ask(reqwest::Method::GET, &format!("{at}/runs"), Value::Null).await;
        if runs["items"][0]["outcome"] == "done" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
