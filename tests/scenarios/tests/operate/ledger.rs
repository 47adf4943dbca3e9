//! A server with connections of the ledger, whose entries tell what was lost or doubled.

use serde_json::{Value, json};
use tenon_scenarios::ledger;
use tenon_scenarios::server::{Answer, Server};

/// A server with the first version of the ledger, and one connection of it in the tenant `shop`.
pub async fn server(arguments: &[&str]) -> Server {
    let server = Server::start(arguments);
    server.install(ledger("1_0")).await;
    server.tenant("shop").await;
    connect(&server, "shop", "ledger").await;
    server
}

/// Makes a connection and switches it on.
pub async fn connect(server: &Server, tenant: &str, connection: &str) {
    let new = json!({ "id": connection, "connector": "ledger" });
    let path = format!("/tenants/{tenant}/connections");
    server.post(&path, new).await;
    let path = format!("{path}/{connection}/enable");
    server.post(&path, Value::Null).await;
}

/// The connection that [`server`] makes.
pub const LEDGER: &str = "/tenants/shop/connections/ledger";

/// Asks for an entry.
pub async fn add(server: &Server, connection: &str, argument: &str) -> Answer {
    let path = format!("{connection}/jobs/add/run");
    let body = json!({ "argument": argument });
    server.try_api("POST", &path, body).await
}

/// Waits until a connection has nothing to do.
pub async fn idle(server: &Server, connection: &str) -> Value {
    let requests = format!("{connection}/requests?limit=500");
    let given_up = |request: &Value| request["state"] == "dead";
    server
        .until(&requests, |requests| {
            let mut requests = requests["items"].as_array().into_iter().flatten();
            requests.all(given_up)
        })
        .await;
    server.get(connection).await
}

/// All entries of a connection, in the order they were made, and the version that told them.
pub async fn entries(server: &Server, connection: &str) -> (String, Vec<String>) {
    idle(server, connection).await;
    let path = format!("{connection}/jobs/tell/run");
    server.post(&path, json!({})).await;
    let told = idle(server, connection).await;
    let run = told["last_run"]["id"].as_str().expect("a run");
    let log = server.get(&format!("{connection}/log?run={run}")).await;
    let line = log["items"][0]["message"].as_str().expect("a line");
    let (head, entries) = line.split_once(": ").expect("entries");
    let (_, version) = head.split_once(" of ").expect("a version");
    let entries = entries.split_whitespace().map(str::to_owned);
    (version.to_owned(), entries.collect())
}
