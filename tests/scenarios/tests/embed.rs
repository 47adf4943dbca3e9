//! A platform of somebody else's takes orders: the example that shows how to embed the host, against
//! the simulator.

use std::process::Command;

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
        let order = &answer["orders"][format!("keycrm:order:{id}")];
        assert_eq!(order["number"], id.to_string(), "{answer:#}");
        assert_eq!(order["currency"], "UAH");
        assert_eq!(order["lines"][0]["price"], "120.50", "{order:#}");
        assert!(order["partner"].is_string(), "{order:#}");
    }
}
