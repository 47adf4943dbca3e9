//! A host whose lease ran out, and which does not know it yet, changes nothing any more.

use tenon_host::model::{Fault, OrderFields};
use tenon_host::platform::{Answer, Platform, Timer, UnitOfWork};

use crate::support::{Shop, connection, english, order, tenant};

async fn write_all_kinds(unit: &mut Box<dyn UnitOfWork>) {
    let saved = unit
        .save_orders(vec![order("o:late")], OrderFields::all())
        .await;
    saved.unwrap().remove(0).unwrap();
    unit.set(vec![("late".into(), vec![1])]).await.unwrap();
    let timer = Timer {
        name: "late".into(),
        job: "orders".into(),
        due: jiff::Timestamp::UNIX_EPOCH,
        argument: None,
    };
    unit.set_timer(timer).await.unwrap();
}

fn assert_taken_over(answer: Answer<()>) {
    match answer {
        Err(Fault::Transient(why)) => assert!(english(&why).contains("taken over"), "{why}"),
        other => panic!("{other:?}"),
    }
}

/// What the unit of another host sees of [`write_all_kinds`].
async fn traces(shop: &Shop) -> (usize, u64, u64) {
    let mut unit = shop.unit().await;
    let stored = unit.stored_bytes().await.unwrap();
    let timers = unit.timers().await.unwrap();
    (shop.all("orders").len(), stored, timers)
}

#[tokio::test]
async fn a_unit_whose_lease_was_taken_over_cannot_commit_anything() {
    let shop = Shop::new();
    let mut old = shop.unit().await;
    old.fence(1).await.unwrap();
    old.set(vec![("early".into(), vec![1])]).await.unwrap();
    old.commit().await.unwrap();

    let mut new = shop.unit().await;
    new.fence(2).await.unwrap();
    write_all_kinds(&mut old).await;
    assert_taken_over(old.commit().await);
    assert_eq!(traces(&shop).await, (0, 6, 0), "what was early stays");
    // It holds nobody up, and has no second try either.
    write_all_kinds(&mut new).await;
    new.rollback().await.unwrap();
    write_all_kinds(&mut old).await;
    assert_taken_over(old.commit().await);
    assert_eq!(traces(&shop).await, (0, 6, 0));

    write_all_kinds(&mut new).await;
    new.commit().await.unwrap();
    assert_eq!(traces(&shop).await, (1, 11, 1));
}

#[tokio::test]
async fn a_token_below_the_one_that_is_kept_is_refused_also_after_a_restart() {
    let shop = Shop::new();
    shop.unit().await.fence(7).await.unwrap();
    let erp = tenon_erp::EmbeddedErp::open(shop.dir.path()).unwrap();
    let mut late = erp.begin(&tenant(), &connection()).await.unwrap();
    assert_taken_over(late.fence(6).await);
    write_all_kinds(&mut late).await;
    assert_taken_over(late.commit().await);
    assert_eq!(traces(&shop).await, (0, 0, 0));

    let mut again = shop.unit().await;
    again.fence(7).await.unwrap();
    write_all_kinds(&mut again).await;
    again.commit().await.unwrap();
    assert_eq!(traces(&shop).await, (1, 5, 1));
}

#[tokio::test]
async fn without_a_fence_and_in_other_connections_nothing_is_checked() {
    let shop = Shop::new();
    shop.unit().await.fence(7).await.unwrap();
    let branch = "branch".parse().unwrap();
    let mut other = shop.erp.begin(&tenant(), &branch).await.unwrap();
    other.fence(1).await.unwrap();
    other.set(vec![("a".into(), vec![1])]).await.unwrap();
    other.commit().await.unwrap();

    let mut unit = shop.unit().await;
    write_all_kinds(&mut unit).await;
    unit.commit().await.unwrap();
    assert_eq!(traces(&shop).await, (1, 5, 1));
}
