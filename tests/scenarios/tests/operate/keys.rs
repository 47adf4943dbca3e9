//! A stored key and an address that changes under a connection that is on.

use serde_json::{Value, json};
use tenon_scenarios::component;
use tenon_scenarios::server::Server;
use tenon_simulators::keycrm::{self, Config, Simulator};

const CRM: &str = "/tenants/shop/connections/keycrm";

fn crm() -> Simulator {
    let config = Config {
        orders: 3,
        requests_per_minute: None,
        ..Config::default()
    };
    keycrm::start(config).expect("a simulator")
}

fn origin(crm: &Simulator) -> String {
    crm.url().trim_end_matches("/v1").to_owned()
}

/// A server with a connection to a KeyCRM, which may go to another one, too.
async fn server(own: &Simulator, other: &Simulator) -> Server {
    let server = Server::start(&[]);
    server.install(component("keycrm")).await;
    server.tenant("shop").await;
    let file = server.folder().join("partners.json");
    let partners = json!([{ "key": "walk-in", "name": "Walk-in" }]);
    std::fs::write(&file, partners.to_string()).expect("a file");
    let file = file.to_str().expect("a path");
    let loaded = server.tenon(&["load", "partners", file, "--tenant", "shop"]);
    assert!(loaded.status.success(), "{loaded:?}");
    let connection = json!({
        "id": "keycrm", "connector": "keycrm", "no_budget": true,
        "settings": { "base_url": own.url(), "last_days": 3650, "default_partner": "walk-in" },
        "grants": [origin(own), origin(other)],
    });
    server.post("/tenants/shop/connections", connection).await;
    give_key(&server).await;
    server.post(&format!("{CRM}/enable"), Value::Null).await;
    server
}

async fn give_key(server: &Server) {
    let key = format!("{CRM}/credentials/api_key");
    let secret = json!({ "secret": "simulated-keycrm-key" });
    server.api("PUT", &key, secret).await;
}

async fn put_settings(server: &Server, crm: &Simulator) {
    let settings =
        json!({ "base_url": crm.url(), "last_days": 3650, "default_partner": "walk-in" });
    let request = server
        .client()
        .put(format!("{}/v1{CRM}/settings", server.url()))
        .bearer_auth(server.token())
        .header("if-match", "*")
        .header("content-type", "application/json")
        .body(settings.to_string());
    assert_eq!(200, request.send().await.expect("an answer").status());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_address_changes_is_paused_until_its_key_is_given_again() {
    let (own, other) = (crm(), crm());
    let server = server(&own, &other).await;
    server
        .until(CRM, |connection| {
            !connection["last_run"].is_null() && connection["waiting"] == 0
        })
        .await;

    put_settings(&server, &other).await;
    let orders = format!("{CRM}/jobs/orders/run");
    server.post(&orders, json!({})).await;
    let paused = server
        .until(CRM, |connection| connection["state"] == "paused")
        .await;
    assert_eq!("server.credential_again", paused["paused_why"]["code"]);
    assert_eq!(json!([["api_key"]]), paused["missing_credentials"]);
    assert!(other.recent_requests().is_empty(), "it was asked");
    let enable = format!("{CRM}/enable");
    let refused = server.try_api("POST", &enable, Value::Null).await;
    assert_eq!("credential_again", refused.body["code"], "{refused:?}");

    give_key(&server).await;
    server.post(&enable, Value::Null).await;
    while other.recent_requests().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_takes_no_stored_key_to_another_address_nor_past_fixed_hosts() {
    let (own, other) = (crm(), crm());
    let server = server(&own, &other).await;
    let check = |crm: &Simulator| {
        let settings =
            json!({ "base_url": crm.url(), "last_days": 9, "default_partner": "walk-in" });
        let file = server.folder().join("settings.json");
        std::fs::write(&file, settings.to_string()).expect("a file");
        let component = tenon_scenarios::target().join("components/connectors/keycrm.wasm");
        server.tenon(&[
            "check",
            "keycrm",
            "--tenant",
            "shop",
            "--no-budget",
            "--grant",
            &origin(crm),
            "--settings",
            file.to_str().expect("a path"),
            "--component",
            component.to_str().expect("a path"),
        ])
    };
    let home = check(&own);
    assert!(home.status.success(), "{home:?}");
    let away = check(&other);
    let said = String::from_utf8_lossy(&away.stderr).into_owned();
    assert_eq!(Some(2), away.status.code(), "{said}");
    assert!(said.contains("lead elsewhere"), "{said}");
    assert!(other.recent_requests().is_empty(), "it was asked");

    let hosts = json!({ "hosts": ["api.example.com"] });
    server.api("PUT", "/connectors/keycrm/hosts", hosts).await;
    let before = own.total_requests();
    let fixed = check(&own);
    assert_eq!(Some(2), fixed.status.code(), "{fixed:?}");
    assert_eq!(before, own.total_requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_takes_no_webhooks_has_no_address() {
    let crm = crm();
    let server = server(&crm, &crm).await;
    let rotate = format!("{CRM}/hook/rotate");
    let refused = server.try_api("POST", &rotate, Value::Null).await;
    assert_eq!("no_webhooks", refused.body["code"], "{refused:?}");
    assert_eq!("on", server.get(CRM).await["state"]);
}
