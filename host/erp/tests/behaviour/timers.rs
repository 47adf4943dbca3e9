//! Work that connectors want later, as who keeps the time sees it.

use tenon_host::platform::{Platform, Timer};

use crate::support::{Shop, connection, tenant};

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(second).unwrap()
}

fn timer(name: &str, second: i64) -> Timer {
    Timer {
        name: name.into(),
        job: "retry".into(),
        due: at(second),
        argument: Some(format!("{second}")),
    }
}

async fn set(shop: &Shop, timers: impl IntoIterator<Item = Timer>) {
    let mut unit = shop.unit().await;
    for timer in timers {
        unit.set_timer(timer).await.unwrap();
    }
    unit.commit().await.unwrap();
}

#[tokio::test]
async fn a_timer_is_replaced_by_its_name_and_comes_due_in_time() {
    let shop = Shop::new();
    let host = shop.host();
    let (tenant, connection) = (tenant(), connection());
    assert_eq!(host.next_timer(&tenant, &connection).await, Ok(None));
    let a = [("a", 100), ("b", 50), ("a", 60), ("c", 10)];
    set(&shop, a.map(|(name, second)| timer(name, second))).await;
    let mut unit = shop.unit().await;
    unit.cancel_timer("c".into()).await.unwrap();
    unit.commit().await.unwrap();

    let due = async |second, limit| {
        let due = host.due_timers(&tenant, &connection, at(second), limit);
        due.await.unwrap()
    };
    assert_eq!(due(49, 10).await, []);
    assert_eq!(due(60, 10).await, [timer("b", 50), timer("a", 60)]);
    assert_eq!(due(60, 1).await, [timer("b", 50)], "the earliest first");
    let next = host.next_timer(&tenant, &connection).await;
    assert_eq!(next, Ok(Some(at(50))));
}

#[tokio::test]
async fn timers_of_another_connection_are_not_seen() {
    let shop = Shop::new();
    let branch = "branch".parse().unwrap();
    let mut unit = shop.erp.begin(&tenant(), &branch).await.unwrap();
    unit.set_timer(timer("a", 10)).await.unwrap();
    unit.commit().await.unwrap();
    let host = shop.host();
    let ours = host.due_timers(&tenant(), &connection(), at(99), 10).await;
    assert_eq!(ours, Ok(vec![]));
    assert_eq!(host.next_timer(&tenant(), &connection()).await, Ok(None));
    let dropped = [timer("a", 10)];
    host.drop_timers(&tenant(), &connection(), &dropped)
        .await
        .unwrap();
    let theirs = host.due_timers(&tenant(), &branch, at(99), 10).await;
    assert_eq!(theirs, Ok(vec![timer("a", 10)]));
}

#[tokio::test]
async fn a_timer_that_was_set_anew_meanwhile_is_not_dropped() {
    let shop = Shop::new();
    let host = shop.host();
    let (tenant, connection) = (tenant(), connection());
    let plain = Timer {
        argument: None,
        ..timer("plain", 10)
    };
    let names = ["done", "later", "other argument"];
    let all = names.map(|name| timer(name, 10)).into_iter().chain([plain]);
    set(&shop, all).await;
    let started = host.due_timers(&tenant, &connection, at(10), 10).await;
    let started = started.unwrap();
    assert_eq!(started.len(), 4);

    let other_argument = Timer {
        argument: None,
        ..timer("other argument", 10)
    };
    let anew = [timer("later", 20), other_argument.clone()];
    set(&shop, anew).await;
    let dropped = host.drop_timers(&tenant, &connection, &started).await;
    dropped.unwrap();
    let left = host.due_timers(&tenant, &connection, at(99), 10).await;
    assert_eq!(left, Ok(vec![other_argument, timer("later", 20)]));
}

#[tokio::test]
async fn timers_move_with_the_clock_of_the_machine() {
    let shop = Shop::new();
    set(&shop, [timer("a", 100), timer("b", 200)]).await;
    let (host, tenant, connection) = (shop.host(), tenant(), connection());
    let back = jiff::SignedDuration::from_secs(-60);
    host.move_timers(&tenant, &connection, back).await.unwrap();
    let next = host.next_timer(&tenant, &connection).await;
    assert_eq!(Ok(Some(at(40))), next);
    let due = host.due_timers(&tenant, &connection, at(140), 10).await;
    assert_eq!(2, due.unwrap().len());
}
