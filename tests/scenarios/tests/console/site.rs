//! A server as an admin starts it, with a tenant that is or is to be connected to a simulated KeyCRM.

use std::ops::Deref;

use serde_json::{Value, json};
use tenon_scenarios::server::Server;
use tenon_scenarios::{component, ledger};
use tenon_simulators::keycrm::{self, Config, Simulator};

/// The key that the simulated KeyCRM takes.
pub const KEY: &str = "simulated-keycrm-key";
/// The tenant of these tests.
pub const TENANT: &str = "shop";
/// Its connection.
pub const CONNECTION: &str = "/tenants/shop/connections/keycrm";

/// Another one, of a connector without a counterpart.
pub const LEDGER: &str = "/tenants/shop/connections/ledger";

/// A KeyCRM with so many orders and no limit of requests.
pub fn crm(orders: usize) -> Simulator {
    keycrm::start(Config {
        orders,
        requests_per_minute: None,
        ordered_to: "2026-03-31T12:00:00Z".parse().expect("a moment"),
        ..Config::default()
    })
    .expect("a simulator")
}

/// Settings that load everything from a simulator.
pub fn settings(crm: &Simulator) -> Value {
    json!({ "base_url": crm.url(), "last_days": 3650, "default_partner": "walk-in" })
}

/// A running server.
pub struct Site(Server);

impl Deref for Site {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

impl Site {
    /// Starts a server; `arguments` are more of its command line.
    pub fn start(arguments: &[&str]) -> Site {
        Site(Server::start(arguments))
    }

    /// Puts a partner for orders without a buyer into the tenant's ERP.
    pub fn load_partner(&self) {
        self.load_partners(json!([{ "key": "walk-in", "name": "Роздрібний покупець" }]));
    }

    /// Puts partners into the tenant's ERP.
    pub fn load_partners(&self, partners: Value) {
        let file = self.folder().join("partners.json");
        std::fs::write(&file, partners.to_string()).expect("a file");
        let file = file.to_str().expect("a path");
        let output = self.tenon(&["load", "partners", file, "--tenant", TENANT]);
        assert!(output.status.success(), "{output:?}");
    }

    /// A tenant with a connection to a KeyCRM, switched on.
    pub async fn connected(&self, crm: &Simulator, settings: Value, no_budget: bool) {
        let tenant = json!({
            "id": TENANT, "name": "Крамниця", "time_zone": "Europe/Kyiv", "language": "uk",
            "currency": "UAH",
        });
        self.post("/tenants", tenant).await;
        self.load_partner();
        self.install(component("keycrm")).await;
        let grant = crm.url().trim_end_matches("/v1");
        let connection = json!({
            "id": "keycrm",
            "connector": "keycrm",
            "title": "KeyCRM",
            "settings": settings,
            "grants": [grant],
            "no_budget": no_budget,
        });
        let connections = format!("/tenants/{TENANT}/connections");
        self.post(&connections, connection).await;
        let credential = format!("{CONNECTION}/credentials/api_key");
        self.api("PUT", &credential, json!({ "secret": KEY })).await;
        // Only when asked, so that nothing runs in between what a test does.
        let schedules = format!("{CONNECTION}/schedules");
        self.api("PUT", &schedules, json!({ "orders": null })).await;
        self.post(&format!("{CONNECTION}/enable"), Value::Null)
            .await;
    }

    /// A connection of the tenant whose run asks people something; answers with the run.
    pub async fn asking(&self) -> String {
        self.ledger("lose:180").await;
        self.post(&format!("{LEDGER}/jobs/heard/run"), json!({}))
            .await;
        let asked = |connection: &Value| connection["open_questions"] == 1;
        let connection = self.until(LEDGER, asked).await;
        let run = connection["last_run"]["id"].as_str().expect("a run");
        run.to_owned()
    }

    /// A connection that is on and gave so many webhooks up.
    pub async fn unread_webhooks(&self, count: u8) {
        self.ledger("first").await;
        let rotate = format!("{LEDGER}/hook/rotate");
        let url = self.post(&rotate, Value::Null).await["url"].clone();
        let url = url.as_str().expect("an address").to_owned();
        for byte in 0..count {
            // No text, which the connector cannot read.
            let sent = self.client().post(format!("{url}orders"));
            let answer = sent.body(vec![0xff, byte]).send().await;
            assert!(answer.expect("an answer").status().is_success());
        }
        let given_up = |connection: &Value| connection["given_up_webhooks"] == count;
        self.until(LEDGER, given_up).await;
    }

    /// A connection of the ledger that is on and has such an entry.
    pub async fn ledger(&self, entry: &str) {
        self.install(ledger("1_0")).await;
        let connection = json!({ "id": "ledger", "connector": "ledger", "title": "Ledger" });
        let connections = format!("/tenants/{TENANT}/connections");
        self.post(&connections, connection).await;
        self.post(&format!("{LEDGER}/enable"), Value::Null).await;
        let entry = json!({ "argument": entry });
        self.post(&format!("{LEDGER}/jobs/add/run"), entry).await;
        self.until(LEDGER, |connection| !connection["last_run"].is_null())
            .await;
    }

    /// Another tenant, with a connection to the same connector that is off and was never set up.
    pub async fn neighbour(&self, id: &str, title: &str) {
        let tenant = json!({
            "id": id, "name": id, "time_zone": "Europe/Kyiv", "language": "ru",
            "currency": "UAH",
        });
        self.post("/tenants", tenant).await;
        let connection = json!({ "id": "keycrm", "connector": "keycrm", "title": title });
        let connections = format!("/tenants/{id}/connections");
        self.post(&connections, connection).await;
    }

    /// A token to see and change a tenant.
    pub async fn token_of(&self, tenant: &str, name: &str) -> String {
        let token = json!({ "name": name, "tenant": tenant, "scopes": ["read", "manage"] });
        let made = self.post("/tokens", token).await;
        made["secret"].as_str().expect("a token").to_owned()
    }

    /// A token with these members beside its name.
    pub async fn token_with(&self, name: &str, mut members: Value) -> String {
        members["name"] = name.into();
        let made = self.post("/tokens", members).await;
        made["secret"].as_str().expect("a token").to_owned()
    }

    /// Replaces the settings of the connection, whatever they are.
    pub async fn put_settings(&self, settings: &Value) {
        let url = format!("{}/v1{CONNECTION}/settings", self.url());
        let request = (self.client().put(url))
            .bearer_auth(self.token())
            .header("content-type", "application/json")
            .header("if-match", "*")
            .body(settings.to_string());
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// Runs the job and waits for its end.
    pub async fn exchange(&self) -> Value {
        let before = self.connection().await["last_run"]["id"].clone();
        let run = format!("{CONNECTION}/jobs/orders/run");
        self.post(&run, json!({})).await;
        let ended = |connection: &Value| {
            let last = &connection["last_run"]["id"];
            *last != before && !last.is_null() && connection["running"].is_null()
        };
        self.until(CONNECTION, ended).await["last_run"].clone()
    }

    /// The connection as the API shows it.
    pub async fn connection(&self) -> Value {
        self.get(CONNECTION).await
    }

    /// Number of records of a kind in the tenant's ERP.
    pub async fn count(&self, kind: &str) -> usize {
        let page = self
            .get(&format!("/tenants/{TENANT}/records/{kind}?limit=500"))
            .await;
        page["items"].as_array().map_or(0, Vec::len)
    }
}
