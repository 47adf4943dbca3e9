//! What a webhook costs from its arrival until its run is wanted, with the real MoySklad connector.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;
use tenon_erp::EmbeddedErp;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::{Compiler, Secret};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use super::{digest, router, run};
use crate::control::{Uses, connections};
use crate::service::{Component, Error, NewConnection, NewTenant, Service, ServiceOptions};

const ACTOR: &str = "test";

/// What is in the address of the webhooks.
const SECRET: &str = "a-secret";

/// A server that reads webhooks and does nothing else.
struct House {
    service: Service,
    folder: TempDir,
}

impl House {
    async fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        let erp = EmbeddedErp::open(folder.path()).unwrap();
        let public = "http://127.0.0.1/".parse().unwrap();
        let options = ServiceOptions::new(folder.path(), Compiler::InProcess, public);
        let service = Service::open(Arc::new(erp), None, options).await.unwrap();
        let wasm = std::fs::read(component()).expect("run `cargo xtask build`");
        let component = Component::Bytes {
            wasm,
            signature: None,
        };
        service.install(ACTOR, component).await.unwrap();
        let (tenant, connection): (TenantId, ConnectionId) =
            ("shop".parse().unwrap(), "warehouse".parse().unwrap());
        let new = NewTenant {
            id: tenant.clone(),
            name: "Shop".to_owned(),
            time_zone: "UTC".to_owned(),
            language: "en".to_owned(),
            currency: "UAH".to_owned(),
            keep: Default::default(),
        };
        service.create_tenant(ACTOR, new).await.unwrap();
        let new = NewConnection {
            id: connection.clone(),
            connector: "moysklad".to_owned(),
            title: None,
            digest: None,
            settings: json!({}),
            grants: Vec::new(),
            no_budget: false,
            limits: Default::default(),
        };
        let made = service.create_connection(ACTOR, &tenant, new).await;
        made.unwrap();
        let token = Secret::new("a-token".to_owned());
        let put = service.put_credential(ACTOR, &tenant, &connection, "token", token);
        put.await.unwrap();
        let addressed = service.control().write(move |db| {
            connections::change(db, &tenant, &connection, |stored| {
                stored.hook = Some(digest(SECRET));
                Ok::<_, Error>(())
            })
        });
        addressed.await.unwrap();
        tokio::spawn(run(service.clone()));
        let house = House { service, folder };
        // The component is loaded once, and what was left behind is looked for once.
        house.send(0).await;
        house.all_read().await;
        house
    }

    /// Sends that a product has changed.
    async fn send(&self, number: u32) {
        let router = router(self.service.clone());
        let body = json!({ "events": [{ "meta": { "type": "product" }, "action": "UPDATE" }] });
        let request = Request::post(format!("/hooks/{SECRET}/products?requestId={number}"))
            .body(Body::from(body.to_string()))
            .unwrap();
        let answer = router.oneshot(request).await.unwrap();
        assert_eq!(StatusCode::OK, answer.status());
    }

    /// Waits until every webhook became a request. Looks past the server, so that it does not count.
    async fn all_read(&self) {
        let db = Connection::open(self.folder.path().join("control.sqlite")).unwrap();
        let waiting = || -> u32 {
            let sql = "SELECT count(*) FROM webhooks";
            db.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        let began = Timestamp::now();
        while waiting() > 0 {
            let waited = Timestamp::now().duration_since(began).as_secs();
            assert!(waited < 60, "a webhook is not read");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let requests: u32 = db
            .query_row("SELECT count(*) FROM requests", [], |row| row.get(0))
            .unwrap();
        assert_eq!(1, requests, "equal requests merge");
    }

    /// How often the control database is used from here on.
    fn since(&self, before: Uses) -> Uses {
        let now = self.service.control().uses();
        Uses {
            reads: now.reads - before.reads,
            writes: now.writes - before.writes,
        }
    }
}

fn component() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => workspace.join(folder),
        None => workspace.join("target"),
    };
    target.join("components/connectors/moysklad.wasm")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_costs_two_reads_and_two_writes_until_its_run_is_wanted() {
    let house = House::new().await;
    let before = house.service.control().uses();
    house.send(1).await;
    house.all_read().await;
    let uses = house.since(before);
    assert_eq!((2, 2), (uses.reads, uses.writes));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_webhooks_at_once_costs_no_more_than_one() {
    const MANY: u32 = 30;
    let house = Arc::new(House::new().await);
    let before = house.service.control().uses();
    let mut sent = JoinSet::new();
    for number in 1..=MANY {
        let house = Arc::clone(&house);
        sent.spawn(async move { house.send(number).await });
    }
    while let Some(sent) = sent.join_next().await {
        sent.unwrap();
    }
    house.all_read().await;
    let uses = house.since(before);
    assert!(uses.reads <= 2 * u64::from(MANY), "{uses:?}");
    assert!(uses.writes <= 2 * u64::from(MANY), "{uses:?}");
}
