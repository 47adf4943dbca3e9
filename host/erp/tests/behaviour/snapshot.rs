//! Going back after an upgrade: the older version finds its state again, and makes nothing twice.

use tenon_host::platform::{Binding, Timer, UnitOfWork};

use crate::support::{Shop, connection, tenant};

const ORDER: &str = "order";

fn binding(key: &str, origin: &str, fingerprint: Option<u8>) -> Binding {
    Binding {
        kind: ORDER.into(),
        key: key.into(),
        origin: origin.into(),
        fingerprint: fingerprint.map(|byte| vec![byte]),
    }
}

fn timer(name: &str, second: i64) -> Timer {
    Timer {
        name: name.into(),
        job: "orders".into(),
        due: jiff::Timestamp::from_second(second).unwrap(),
        argument: Some("again".into()),
    }
}

async fn set(unit: &mut Box<dyn UnitOfWork>, key: &str, value: &[u8]) {
    unit.set(vec![(key.into(), value.into())]).await.unwrap();
}

async fn storage(unit: &mut Box<dyn UnitOfWork>) -> Vec<(String, Vec<u8>)> {
    unit.scan(String::new(), None, 100).await.unwrap()
}

async fn timers(unit: &mut Box<dyn UnitOfWork>) -> Vec<Timer> {
    unit.due_timers(jiff::Timestamp::MAX, 100).await.unwrap()
}

async fn bindings(unit: &mut Box<dyn UnitOfWork>) -> Vec<Binding> {
    let found = unit.search_bindings(None, None, None, 100).await;
    found.unwrap().0
}

/// A shop whose connection has worked, and was then given a snapshot.
async fn before_upgrade() -> Shop {
    let shop = Shop::new();
    let mut unit = shop.unit().await;
    set(&mut unit, "cursor", b"old").await;
    set(&mut unit, "only-old", b"1").await;
    unit.set_timer(timer("old", 10)).await.unwrap();
    unit.set_timer(timer("both", 20)).await.unwrap();
    let bound = vec![
        binding("1", "o:same", Some(1)),
        binding("2", "o:changed", Some(1)),
        binding("3", "o:moved", Some(1)),
        binding("4", "o:gone", Some(1)),
        binding("5", "o:plain", None),
    ];
    unit.bind(bound).await.unwrap();
    unit.snapshot(1).await.unwrap();
    unit.commit().await.unwrap();
    shop
}

/// What the newer version does until it is taken back.
async fn upgraded(unit: &mut Box<dyn UnitOfWork>) {
    set(unit, "cursor", b"a longer one of the new form").await;
    set(unit, "only-new", b"1").await;
    unit.delete(vec!["only-old".into()]).await.unwrap();
    unit.set_timer(timer("both", 21)).await.unwrap();
    unit.set_timer(timer("new", 22)).await.unwrap();
    unit.cancel_timer("old".into()).await.unwrap();
    unit.unbind(ORDER.into(), vec!["4".into()]).await.unwrap();
    let bound = vec![
        binding("2", "o:changed", Some(2)),
        binding("33", "o:moved", Some(1)),
        binding("5", "o:plain", Some(2)),
        binding("6", "o:new", Some(2)),
    ];
    unit.bind(bound).await.unwrap();
}

#[tokio::test]
async fn storage_and_timers_come_back_as_they_were() {
    let shop = before_upgrade().await;
    let mut unit = shop.unit().await;
    let before = (
        storage(&mut unit).await,
        timers(&mut unit).await,
        unit.stored_bytes().await.unwrap(),
    );
    assert_eq!((2, 2), (before.0.len(), before.1.len()));
    upgraded(&mut unit).await;
    unit.commit().await.unwrap();
    assert_ne!(storage(&mut unit).await, before.0);

    let restored = shop.host().restore(&tenant(), &connection(), 1).await;
    assert_eq!(restored, Ok(true));
    let after = (
        storage(&mut unit).await,
        timers(&mut unit).await,
        unit.stored_bytes().await.unwrap(),
    );
    assert_eq!(before, after);
}

#[tokio::test]
async fn no_pair_of_before_or_after_the_upgrade_is_lost_and_what_changed_is_compared_anew() {
    let shop = before_upgrade().await;
    let mut unit = shop.unit().await;
    upgraded(&mut unit).await;
    assert!(unit.restore(1).await.unwrap());
    unit.commit().await.unwrap();
    assert_eq!(
        bindings(&mut unit).await,
        [
            binding("2", "o:changed", None),
            binding("4", "o:gone", None),
            binding("33", "o:moved", None),
            binding("6", "o:new", None),
            binding("5", "o:plain", None),
            binding("1", "o:same", Some(1)),
        ]
    );
}

#[tokio::test]
async fn a_pair_that_comes_back_stands_behind_the_present_one_of_its_key() {
    let shop = before_upgrade().await;
    let mut unit = shop.unit().await;
    // The record was made anew at the counterpart: its key leads to the new one.
    unit.unbind(ORDER.into(), vec!["1".into()]).await.unwrap();
    unit.bind(vec![binding("1", "o:anew", None)]).await.unwrap();
    unit.restore(1).await.unwrap();
    let by_key = unit.bindings_by_key(ORDER.into(), vec!["1".into()]).await;
    assert_eq!(by_key, Ok(vec![Some(binding("1", "o:anew", None))]));
    let by_origin = unit
        .bindings_by_origin(ORDER.into(), vec!["o:same".into()])
        .await;
    assert_eq!(by_origin, Ok(vec![Some(binding("1", "o:same", None))]));
}

#[tokio::test]
async fn a_snapshot_is_used_once_and_a_newer_one_replaces_it() {
    let shop = before_upgrade().await;
    let mut unit = shop.unit().await;
    set(&mut unit, "cursor", b"newer").await;
    unit.snapshot(1).await.unwrap();
    set(&mut unit, "cursor", b"newest").await;
    assert!(unit.restore(1).await.unwrap());
    let cursor = unit.get(vec!["cursor".into()]).await.unwrap();
    assert_eq!(cursor, [Some(b"newer".to_vec())]);

    set(&mut unit, "cursor", b"later").await;
    assert!(!unit.restore(1).await.unwrap());
    let cursor = unit.get(vec!["cursor".into()]).await.unwrap();
    assert_eq!(cursor, [Some(b"later".to_vec())]);
}

#[tokio::test]
async fn a_snapshot_is_for_the_state_version_that_it_is_of() {
    let shop = before_upgrade().await;
    let mut unit = shop.unit().await;
    set(&mut unit, "cursor", b"new").await;
    assert!(!unit.restore(2).await.unwrap());
    let cursor = unit.get(vec!["cursor".into()]).await.unwrap();
    assert_eq!(cursor, [Some(b"new".to_vec())]);
    assert!(unit.restore(1).await.unwrap(), "it is still there");
    let cursor = unit.get(vec!["cursor".into()]).await.unwrap();
    assert_eq!(cursor, [Some(b"old".to_vec())]);
}

#[tokio::test]
async fn a_snapshot_without_anything_in_it_is_one_all_the_same() {
    let shop = Shop::new();
    let mut unit = shop.unit().await;
    assert!(!unit.restore(1).await.unwrap());
    unit.snapshot(1).await.unwrap();
    set(&mut unit, "cursor", b"new").await;
    assert!(unit.restore(1).await.unwrap());
    assert_eq!(unit.stored_bytes().await.unwrap(), 0);
}

#[tokio::test]
async fn a_snapshot_belongs_to_its_unit_until_that_commits_and_to_its_connection_alone() {
    use tenon_host::platform::Platform;
    let shop = before_upgrade().await;
    let branch = "branch".parse().unwrap();
    let mut other = shop.erp.begin(&tenant(), &branch).await.unwrap();
    set(&mut other, "cursor", b"of the branch").await;
    assert!(!other.restore(1).await.unwrap());
    other.commit().await.unwrap();

    let mut unit = shop.unit().await;
    set(&mut unit, "cursor", b"new").await;
    unit.commit().await.unwrap();
    unit.restore(1).await.unwrap();
    unit.rollback().await.unwrap();
    let cursor = unit.get(vec!["cursor".into()]).await.unwrap();
    assert_eq!(cursor, [Some(b"new".to_vec())]);
    assert!(unit.restore(1).await.unwrap(), "it is still there");
    unit.commit().await.unwrap();
    let cursor = other.get(vec!["cursor".into()]).await.unwrap();
    assert_eq!(cursor, [Some(b"of the branch".to_vec())]);
}
