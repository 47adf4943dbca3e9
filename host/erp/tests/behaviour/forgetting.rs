//! What is left of a connection or a tenant that was removed: nothing.

use std::path::PathBuf;
use std::time::Duration;

use tenon_erp::EmbeddedErp;
use tenon_host::ids::ConnectionId;
use tenon_host::model::Fault;
use tenon_host::platform::{Binding, Platform, Timer};
use tenon_host::report::{Outcome, RunReport};

use crate::support::{Shop, connection, english, order, tenant};

fn branch() -> ConnectionId {
    "branch".parse().unwrap()
}

fn report(connection: &ConnectionId) -> RunReport {
    RunReport {
        outcome: Outcome::Done,
        ..RunReport::begun(
            format!("run-{connection}"),
            connection.clone(),
            "crm 1.0.0",
            "orders",
            jiff::Timestamp::UNIX_EPOCH,
        )
    }
}

/// A shop whose two connections keep something in every way.
async fn shop() -> Shop {
    let shop = Shop::new();
    shop.save_order(order("o:1")).await.unwrap();
    for connection in [connection(), branch()] {
        let mut unit = shop.erp.begin(&tenant(), &connection).await.unwrap();
        unit.fence(7).await.unwrap();
        unit.set(vec![("a".into(), vec![1])]).await.unwrap();
        let timer = Timer {
            name: "a".into(),
            job: "orders".into(),
            due: jiff::Timestamp::UNIX_EPOCH,
            argument: None,
        };
        unit.set_timer(timer).await.unwrap();
        let binding = Binding {
            kind: "order".into(),
            key: "1".into(),
            origin: "o:1".into(),
            fingerprint: None,
        };
        unit.bind(vec![binding]).await.unwrap();
        unit.keep_report(&report(&connection)).await.unwrap();
        unit.snapshot(1).await.unwrap();
        unit.commit().await.unwrap();
    }
    shop
}

/// The tables that have rows of a connection.
fn tables_of(shop: &Shop, connection: &ConnectionId) -> Vec<String> {
    let db = rusqlite::Connection::open(shop.file()).unwrap();
    let mut tables = db
        .prepare(
            "SELECT m.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c
            WHERE m.type = 'table' AND c.name = 'connection' ORDER BY m.name",
        )
        .unwrap();
    let mut names: Vec<String> = tables
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    names.retain(|name| {
        let count = format!("SELECT count(*) FROM {name} WHERE connection = ?1");
        let rows: i64 = db
            .query_row(&count, [connection.as_str()], |row| row.get(0))
            .unwrap();
        rows > 0
    });
    names
}

#[tokio::test]
async fn all_that_a_connection_keeps_is_removed_and_nothing_else() {
    let shop = shop().await;
    let theirs = tables_of(&shop, &branch());
    assert_eq!(theirs.len(), 10, "each of its kinds: {theirs:?}");
    assert_eq!(tables_of(&shop, &connection()), theirs);

    let ours = connection();
    shop.erp.forget(&tenant(), Some(&ours)).await.unwrap();
    assert!(tables_of(&shop, &connection()).is_empty());
    assert_eq!(tables_of(&shop, &branch()), theirs);
    assert_eq!(shop.all("orders").len(), 1, "records are the tenant's");
    // What is not there counts as removed.
    shop.erp.forget(&tenant(), Some(&ours)).await.unwrap();
}

#[tokio::test]
async fn a_unit_with_a_fence_writes_nothing_for_a_connection_that_was_removed() {
    let shop = shop().await;
    let mut late = shop.unit().await;
    late.fence(8).await.unwrap();
    let ours = connection();
    shop.erp.forget(&tenant(), Some(&ours)).await.unwrap();
    late.set(vec![("a".into(), vec![1])]).await.unwrap();
    assert!(matches!(late.commit().await, Err(Fault::Transient(_))));
    assert!(tables_of(&shop, &connection()).is_empty());
}

fn files(shop: &Shop) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(shop.dir.path().join("tenants")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn the_file_of_a_tenant_goes_and_its_name_can_be_given_again() {
    let shop = shop().await;
    assert!(files(&shop).len() > 1, "a log lies beside the file");
    shop.erp.forget(&tenant(), None).await.unwrap();
    assert!(files(&shop).is_empty(), "{:?}", files(&shop));
    assert!(shop.erp.tenants().unwrap().is_empty());

    shop.save_order(order("o:2")).await.unwrap();
    let orders = shop.all("orders");
    assert_eq!(1, orders.len());
    assert_eq!(orders[0]["origin"], "o:2");
}

#[tokio::test]
async fn forgetting_makes_no_tenant() {
    let shop = Shop::new();
    let ours = connection();
    shop.erp.forget(&tenant(), Some(&ours)).await.unwrap();
    shop.erp.forget(&tenant(), None).await.unwrap();
    assert!(files(&shop).is_empty());
}

#[tokio::test]
async fn a_tenant_whose_file_is_in_use_is_waited_for_and_then_left_alone() {
    let shop = shop().await;
    let patience = Duration::from_millis(30);
    let erp = EmbeddedErp::open_with_patience(shop.dir.path(), patience).unwrap();
    let mut unit = erp.begin(&tenant(), &connection()).await.unwrap();
    match erp.forget(&tenant(), None).await {
        Err(Fault::Transient(why)) => assert!(english(&why).contains("in use"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(unit.get(vec!["a".into()]).await, Ok(vec![Some(vec![1])]));
    drop(unit);
    erp.forget(&tenant(), None).await.unwrap();
    assert!(!shop.file().exists());
}
