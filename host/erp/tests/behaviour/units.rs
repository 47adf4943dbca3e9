use std::time::Duration;

use tenon_erp::EmbeddedErp;
use tenon_host::model::{Directory, Fault, OrderFields, OrderLookup};
use tenon_host::platform::{Binding, Platform, UnitOfWork};

use crate::support::{Shop, connection, english, order, tenant};

async fn sees(unit: &mut Box<dyn UnitOfWork>, origin: &str) -> bool {
    let found = unit
        .find_orders(vec![OrderLookup::Origin(origin.into())])
        .await;
    found.unwrap()[0].is_some()
}

async fn write(unit: &mut Box<dyn UnitOfWork>, origin: &str) {
    let saved = unit
        .save_orders(vec![order(origin)], OrderFields::all())
        .await;
    saved.unwrap().remove(0).unwrap();
}

/// Long enough for whatever does not wait for something else.
const SOON: Duration = Duration::from_millis(50);

#[tokio::test]
async fn uncommitted_work_is_seen_by_its_own_unit_only_and_gone_after_drop() {
    let shop = Shop::new();
    let (mut one, mut other) = (shop.unit().await, shop.unit().await);
    write(&mut one, "o:1").await;
    assert!(sees(&mut one, "o:1").await);
    assert!(!sees(&mut other, "o:1").await);
    drop(one);
    assert!(!sees(&mut other, "o:1").await);
    // The dropped unit holds nobody up.
    write(&mut other, "o:2").await;
    other.commit().await.unwrap();
    assert!(sees(&mut shop.unit().await, "o:2").await);
}

#[tokio::test]
async fn a_rollback_forgets_and_the_unit_goes_on() {
    let shop = Shop::new();
    let mut unit = shop.unit().await;
    write(&mut unit, "o:1").await;
    unit.rollback().await.unwrap();
    assert!(!sees(&mut unit, "o:1").await);
    write(&mut unit, "o:2").await;
    unit.commit().await.unwrap();
    write(&mut unit, "o:3").await;
    unit.commit().await.unwrap();
    let mut other = shop.unit().await;
    assert!(!sees(&mut other, "o:1").await);
    assert!(sees(&mut other, "o:2").await);
    assert!(sees(&mut other, "o:3").await);
}

#[tokio::test]
async fn one_commit_shows_records_storage_and_bindings_together() {
    let shop = Shop::new();
    let (mut one, mut other) = (shop.unit().await, shop.unit().await);
    write(&mut one, "o:1").await;
    one.set(vec![("cursor".into(), b"7".to_vec())])
        .await
        .unwrap();
    let binding = Binding {
        kind: "order".into(),
        key: "1".into(),
        origin: "o:1".into(),
        fingerprint: None,
    };
    one.bind(vec![binding]).await.unwrap();
    for committed in [false, true] {
        if committed {
            one.commit().await.unwrap();
        }
        let cursor = other.get(vec!["cursor".into()]).await.unwrap().remove(0);
        let bound = other
            .bindings_by_origin("order".into(), vec!["o:1".into()])
            .await;
        assert_eq!(sees(&mut other, "o:1").await, committed);
        assert_eq!(cursor.is_some(), committed);
        assert_eq!(bound.unwrap()[0].is_some(), committed);
    }
}

#[tokio::test]
async fn two_units_of_one_tenant_wait_for_each_other_without_blocking_the_thread() {
    let shop = Shop::new();
    let (mut one, mut other) = (shop.unit().await, shop.unit().await);
    write(&mut one, "o:1").await;
    // There is one thread here, so the time-out shows that waiting left it free.
    let early = tokio::time::timeout(SOON, write(&mut other, "o:2")).await;
    assert!(early.is_err());
    // Reading waits for nobody.
    assert!(!sees(&mut other, "o:1").await);
    one.commit().await.unwrap();
    write(&mut other, "o:2").await;
    assert!(sees(&mut other, "o:1").await);
    other.commit().await.unwrap();
}

#[tokio::test]
async fn ensuring_what_is_there_waits_for_nobody() {
    let shop = Shop::new();
    let key = shop.ensure(Directory::Users, "Olena", "u:1").await;
    let (mut one, mut other) = (shop.unit().await, shop.unit().await);
    write(&mut one, "o:1").await;
    let found = other.ensure(Directory::Users, "Olena".into(), "u:1".into());
    let found = tokio::time::timeout(SOON, found).await.unwrap();
    assert_eq!(found.unwrap().key, key);
}

#[tokio::test]
async fn tenants_lie_in_files_of_their_own() {
    let shop = Shop::new();
    let neighbour = "neighbour".parse().unwrap();
    let mut one = shop.unit().await;
    let mut other = shop.erp.begin(&neighbour, &connection()).await.unwrap();
    write(&mut one, "o:1").await;
    // Nor do they wait for each other.
    tokio::time::timeout(SOON, write(&mut other, "o:2"))
        .await
        .unwrap();
    one.commit().await.unwrap();
    other.commit().await.unwrap();
    assert!(!sees(&mut other, "o:1").await);
    assert!(!sees(&mut one, "o:2").await);
    assert_eq!(shop.erp.tenants().unwrap(), [neighbour, tenant()]);
    for name in ["shop", "neighbour"] {
        assert!(
            shop.dir
                .path()
                .join(format!("tenants/{name}.sqlite"))
                .exists()
        );
    }
}

#[tokio::test]
async fn a_file_locked_by_another_process_is_waited_for_and_then_a_passing_failure() {
    let shop = Shop::new();
    shop.save_order(order("o:0")).await.unwrap();
    let erp = EmbeddedErp::open_with_patience(shop.dir.path(), 10 * SOON).unwrap();
    let mut unit = erp.begin(&tenant(), &connection()).await.unwrap();
    let foreign = rusqlite::Connection::open(shop.file()).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();

    let early = tokio::time::timeout(SOON, write(&mut unit, "o:1")).await;
    assert!(early.is_err(), "waiting left the thread free");
    let locked = unit
        .save_orders(vec![order("o:1")], OrderFields::all())
        .await;
    match locked {
        Err(Fault::Transient(why)) => assert!(english(&why).contains("locked"), "{why}"),
        other => panic!("{other:?}"),
    }

    let release = async {
        tokio::time::sleep(SOON).await;
        foreign.execute_batch("COMMIT").unwrap();
    };
    tokio::join!(write(&mut unit, "o:1"), release);
    unit.commit().await.unwrap();
    assert!(sees(&mut shop.unit().await, "o:1").await);
}
