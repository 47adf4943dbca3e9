//! The program as a server: tenants and connections that are made through its API, and exchanges that
//! it begins by itself.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use comfy_table::{Table, presets};
use serde_json::{Value, json};
use tenon_scenarios::component;
use tenon_scenarios::server::Server;

/// A tenant with one connection to a simulator.
pub struct Tenant {
    /// Its name in addresses.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// Where its schedules are meant.
    pub time_zone: &'static str,
    /// What its people read.
    pub language: &'static str,
    /// What its amounts are in.
    pub currency: &'static str,
    /// The connector; the connection has the same name.
    pub connector: &'static str,
    /// Records that are in its ERP before.
    pub books: Vec<(&'static str, Value)>,
    /// What the connector reads.
    pub settings: Value,
    /// The simulator's origin.
    pub grant: String,
    /// Name and secret.
    pub credential: (&'static str, String),
}

impl Tenant {
    /// Where its connection is in the API.
    fn path(&self) -> String {
        format!("/tenants/{}/connections/{}", self.id, self.connector)
    }

    /// Makes the tenant and its connection, and switches that on.
    async fn set_up(&self, server: &Server) -> Result<()> {
        let tenant = json!({
            "id": self.id,
            "name": self.name,
            "time_zone": self.time_zone,
            "language": self.language,
            "currency": self.currency,
        });
        server.post("/tenants", tenant).await;
        for (kind, records) in &self.books {
            let file = server.folder().join(format!("{}-{kind}.json", self.id));
            std::fs::write(&file, records.to_string())?;
            let file = file.to_str().context("a path that is not UTF-8")?;
            let loaded = server.tenon(&["load", kind, file, "--tenant", self.id]);
            let said = String::from_utf8_lossy(&loaded.stderr);
            ensure!(loaded.status.success(), "{said}");
        }
        let connection = json!({
            "id": self.connector,
            "connector": self.connector,
            "settings": self.settings,
            "grants": [self.grant],
        });
        let connections = format!("/tenants/{}/connections", self.id);
        server.post(&connections, connection).await;
        let path = self.path();
        let (name, secret) = &self.credential;
        let credential = format!("{path}/credentials/{name}");
        let secret = json!({ "secret": secret });
        server.api("PUT", &credential, secret).await;
        let enable = format!("{path}/enable");
        server.post(&enable, Value::Null).await;
        Ok(())
    }

    /// Waits until nothing of its connection is left to do, and tells how that went.
    async fn first_exchange(&self, server: &Server) -> Result<Value> {
        let path = self.path();
        // A request is there until its run has ended and is recorded; given up, it stays.
        let settled = |requests: &Value| {
            let mut requests = requests["items"].as_array().into_iter().flatten();
            requests.all(|request| request["state"] == "dead")
        };
        server.until(&format!("{path}/requests"), settled).await;
        let connection = server.get(&path).await;
        let outcome = &connection["last_run"]["outcome"];
        ensure!(
            *outcome == "done" && connection["dead"] == 0,
            "the connection of {} did not come to its end: {connection:#}",
            self.id
        );
        let runs = server.get(&format!("{path}/runs?limit=500")).await;
        let runs = runs["items"].as_array().context("a list of runs")?;
        let count = |run: &Value, name: &str| run[name].as_u64().unwrap_or(0);
        let written = (runs.iter()).map(|run| count(run, "created") + count(run, "updated"));
        Ok(json!({
            "tenant": self.name,
            "connection": self.connector,
            "runs": runs.len(),
            "outcome": outcome,
            "records": written.sum::<u64>(),
        }))
    }
}

/// A server with connections that are on.
pub struct Served {
    runtime: tokio::runtime::Runtime,
    server: Server,
    tenants: Vec<Tenant>,
}

impl Served {
    /// Starts a server on an empty folder and sets everything up. Switched on, a connection begins
    /// its first exchange.
    pub fn start(folder: &Path, tenants: Vec<Tenant>) -> Result<Served> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let server = Server::start_on(folder, &[]);
        runtime.block_on(async {
            for connector in ["keycrm", "moysklad"] {
                server.install(component(connector)).await;
            }
            for tenant in &tenants {
                tenant.set_up(&server).await?;
            }
            anyhow::Ok(())
        })?;
        Ok(Served {
            runtime,
            server,
            tenants,
        })
    }

    /// Waits for the first exchange of each connection; one row for each.
    pub fn first_exchanges(&self) -> Result<Vec<Value>> {
        self.runtime.block_on(async {
            let mut rows = Vec::new();
            for tenant in &self.tenants {
                rows.push(tenant.first_exchange(&self.server).await?);
            }
            anyhow::Ok(rows)
        })
    }

    /// Where it is, and a token for it.
    pub fn place(&self) -> Value {
        json!({ "url": self.server.url(), "token": self.server.token() })
    }

    /// Says what to look at and where.
    pub fn show(&self) {
        let url = self.server.url();
        println!(
            "\nA server runs connections of three tenants. Its console, and a token for it:\n"
        );
        println!("  {url}/console/");
        println!("  {}\n", self.server.token());
        println!(
            "Open a tenant, then its connection: the overview shows what runs, with the log, failed"
        );
        println!("records, settings, schedule and versions beside it. For programs:\n");
        println!("  {url}/openapi.json");
        println!("  {url}/metrics");
        for tenant in &self.tenants {
            println!("  {url}/v1{}", tenant.path());
        }
    }

    /// Leaves the server alone until Ctrl-C, and then stops it.
    pub fn until_interrupted(self) -> Result<()> {
        self.runtime.block_on(tokio::signal::ctrl_c())?;
        self.stop()
    }

    /// Asks the server to stop, as whoever runs services does.
    pub fn stop(mut self) -> Result<()> {
        let ended = self.server.terminate();
        ensure!(ended.success(), "the server did not stop well: {ended}");
        Ok(())
    }
}

/// The rows for people.
pub fn table(rows: &[Value]) -> Table {
    let columns = ["tenant", "connection", "runs", "outcome", "records"];
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(columns);
    for row in rows {
        table.add_row(columns.map(|column| crate::cell(&row[column])));
    }
    table
}
