use tenon_host::platform::{Binding, Platform};

use crate::support::{Shop, tenant};

fn texts(found: Vec<Option<Vec<u8>>>) -> Vec<Option<String>> {
    found
        .into_iter()
        .map(|value| value.map(|value| String::from_utf8(value).unwrap()))
        .collect()
}

#[tokio::test]
async fn storage_gives_back_what_was_set_and_not_deleted() {
    let shop = Shop::new();
    let mut unit = shop.unit().await;
    unit.set(vec![
        ("a".into(), b"1".to_vec()),
        ("b".into(), b"2".to_vec()),
    ])
    .await
    .unwrap();
    unit.set(vec![("a".into(), b"3".to_vec())]).await.unwrap();
    unit.delete(vec!["b".into(), "never".into()]).await.unwrap();
    let found = unit.get(vec!["b".into(), "a".into()]).await.unwrap();
    assert_eq!(texts(found), [None, Some("3".into())]);
}

#[tokio::test]
async fn a_scan_gives_keys_with_the_prefix_in_order_and_goes_on_after_a_key() {
    let shop = Shop::new();
    let mut unit = shop.unit().await;
    let keys = ["p", "p/2", "p/1", "p/є", "q", "o"];
    let entries = keys.map(|key| (key.to_owned(), key.as_bytes().to_vec()));
    unit.set(entries.to_vec()).await.unwrap();
    let mut scan = async |prefix: &str, after: Option<&str>, limit| -> Vec<String> {
        let found = unit
            .scan(prefix.into(), after.map(str::to_owned), limit)
            .await;
        found.unwrap().into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(scan("p/", None, 10).await, ["p/1", "p/2", "p/є"]);
    assert_eq!(scan("p/", None, 2).await, ["p/1", "p/2"]);
    assert_eq!(scan("p/", Some("p/2"), 10).await, ["p/є"]);
    assert_eq!(scan("p/", Some("a"), 10).await, ["p/1", "p/2", "p/є"]);
    assert_eq!(scan("p/", Some("z"), 10).await, [""; 0]);
    assert_eq!(
        scan("", None, 10).await,
        ["o", "p", "p/1", "p/2", "p/є", "q"]
    );
}

#[tokio::test]
async fn stored_bytes_follow_every_change() {
    let shop = Shop::new();
    let mut unit = shop.unit().await;
    assert_eq!(unit.stored_bytes().await.unwrap(), 0);
    unit.set(vec![("ключ".into(), vec![0; 10]), ("b".into(), vec![])])
        .await
        .unwrap();
    assert_eq!(unit.stored_bytes().await.unwrap(), 8 + 10 + 1);
    unit.set(vec![("ключ".into(), vec![0; 3])]).await.unwrap();
    assert_eq!(unit.stored_bytes().await.unwrap(), 8 + 3 + 1);
    unit.delete(vec!["ключ".into()]).await.unwrap();
    assert_eq!(unit.stored_bytes().await.unwrap(), 1);
    unit.rollback().await.unwrap();
    assert_eq!(unit.stored_bytes().await.unwrap(), 0);
}

#[tokio::test]
async fn connections_of_a_tenant_do_not_see_each_others_state() {
    let shop = Shop::new();
    let mut one = shop.unit().await;
    one.set(vec![("a".into(), b"1".to_vec())]).await.unwrap();
    one.bind(vec![binding("1", "o:1")]).await.unwrap();
    one.commit().await.unwrap();
    let branch = "branch".parse().unwrap();
    let mut other = shop.erp.begin(&tenant(), &branch).await.unwrap();
    assert_eq!(other.get(vec!["a".into()]).await.unwrap(), [None]);
    assert_eq!(other.scan(String::new(), None, 10).await.unwrap(), []);
    assert_eq!(other.stored_bytes().await.unwrap(), 0);
    let bound = other
        .bindings_by_origin("order".into(), vec!["o:1".into()])
        .await;
    assert_eq!(bound.unwrap(), [None]);
    other
        .unbind("order".into(), vec!["1".into()])
        .await
        .unwrap();
    other.commit().await.unwrap();
    let bound = one
        .bindings_by_origin("order".into(), vec!["o:1".into()])
        .await;
    assert!(bound.unwrap()[0].is_some());
}

fn binding(key: &str, origin: &str) -> Binding {
    Binding {
        kind: "order".into(),
        key: key.into(),
        origin: origin.into(),
        fingerprint: Some(vec![0xab, 0x01]),
    }
}

#[tokio::test]
async fn several_origins_may_share_a_key_and_the_first_answers_for_it() {
    let shop = Shop::new();
    let mut unit = shop.unit().await;
    let order = || "order".to_owned();
    unit.bind(vec![
        binding("1", "o:z"),
        binding("1", "o:a"),
        binding("2", "o:b"),
    ])
    .await
    .unwrap();
    let by_key = unit
        .bindings_by_key(order(), vec!["2".into(), "3".into(), "1".into()])
        .await;
    assert_eq!(
        by_key.unwrap(),
        [Some(binding("2", "o:b")), None, Some(binding("1", "o:z"))]
    );

    // The same origin again replaces the pair.
    unit.bind(vec![binding("2", "o:z")]).await.unwrap();
    let by_origin = unit.bindings_by_origin(order(), vec!["o:z".into()]).await;
    assert_eq!(by_origin.unwrap(), [Some(binding("2", "o:z"))]);
    let by_key = unit.bindings_by_key(order(), vec!["1".into()]).await;
    assert_eq!(by_key.unwrap(), [Some(binding("1", "o:a"))]);

    unit.unbind(order(), vec!["2".into()]).await.unwrap();
    let left = unit
        .bindings_by_origin(order(), vec!["o:z".into(), "o:b".into(), "o:a".into()])
        .await;
    assert_eq!(left.unwrap(), [None, None, Some(binding("1", "o:a"))]);
    let other_kind = unit
        .bindings_by_origin("product".into(), vec!["o:a".into()])
        .await;
    assert_eq!(other_kind.unwrap(), [None]);
}
