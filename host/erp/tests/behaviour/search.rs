//! Bindings as people look for them and mend them.

use tenon_host::model::Fault;
use tenon_host::platform::{Binding, Platform};

use crate::support::{Shop, connection, tenant};

fn binding(kind: &str, key: &str, origin: &str) -> Binding {
    Binding {
        kind: kind.into(),
        key: key.into(),
        origin: origin.into(),
        fingerprint: Some(vec![1]),
    }
}

/// Bindings in another order than the one they are shown in, and one of another connection.
async fn shop() -> Shop {
    let shop = Shop::new();
    let mut unit = shop.unit().await;
    unit.bind(vec![
        binding("product", "7", "crm:product:a"),
        binding("order", "42", "crm:order:3"),
        binding("order", "41", "crm:order:1"),
        binding("order", "40", "crm:order:2"),
        binding("", "", ""),
    ])
    .await
    .unwrap();
    unit.commit().await.unwrap();
    let branch = "branch".parse().unwrap();
    let mut unit = shop.erp.begin(&tenant(), &branch).await.unwrap();
    let foreign = binding("order", "41", "crm:order:1");
    unit.bind(vec![foreign]).await.unwrap();
    unit.commit().await.unwrap();
    shop
}

/// Origins that are found, page by page.
async fn found(shop: &Shop, kind: Option<&str>, text: Option<&str>, limit: u32) -> Vec<String> {
    let host = shop.host();
    let mut origins = Vec::new();
    let mut after = None;
    loop {
        let (kind, text) = (kind.map(str::to_owned), text.map(str::to_owned));
        let page = host
            .search_bindings(&tenant(), &connection(), kind, text, after, limit)
            .await;
        let (bindings, next) = page.unwrap();
        assert!(bindings.len() <= limit as usize);
        origins.extend(bindings.into_iter().map(|binding| binding.origin));
        after = next;
        if after.is_none() {
            return origins;
        }
    }
}

#[tokio::test]
async fn bindings_come_by_kind_and_origin_whatever_the_size_of_a_page() {
    let shop = shop().await;
    let all = [
        "",
        "crm:order:1",
        "crm:order:2",
        "crm:order:3",
        "crm:product:a",
    ];
    for limit in 1..=6 {
        assert_eq!(found(&shop, None, None, limit).await, all, "{limit}");
        let orders = found(&shop, Some("order"), None, limit).await;
        assert_eq!(orders, all[1..4], "{limit}");
    }
    assert!(found(&shop, Some("partner"), None, 10).await.is_empty());
}

#[tokio::test]
async fn a_text_is_looked_for_in_keys_and_origins_in_any_case() {
    let shop = shop().await;
    assert_eq!(
        found(&shop, None, Some("2"), 1).await,
        ["crm:order:2", "crm:order:3"]
    );
    assert_eq!(
        found(&shop, None, Some("PRODUCT:A"), 9).await,
        ["crm:product:a"]
    );
    assert_eq!(
        found(&shop, Some("order"), Some("41"), 9).await,
        ["crm:order:1"]
    );
    assert!(
        found(&shop, Some("product"), Some("41"), 9)
            .await
            .is_empty()
    );
    // No sign means anything else than itself.
    assert!(found(&shop, None, Some("%"), 9).await.is_empty());
}

#[tokio::test]
async fn a_search_goes_on_when_its_next_binding_is_gone() {
    let shop = shop().await;
    let host = shop.host();
    let (tenant, connection) = (tenant(), connection());
    let page = async |after| {
        let kind = Some("order".to_owned());
        let page = host.search_bindings(&tenant, &connection, kind, None, after, 1);
        page.await.unwrap()
    };
    let (first, next) = page(None).await;
    assert_eq!(first[0].origin, "crm:order:1");
    let gone = ("order".to_owned(), "crm:order:2".to_owned());
    host.unbind_origin(&tenant, &connection, gone.0, gone.1)
        .await
        .unwrap();
    let (second, next) = page(next).await;
    assert_eq!(second[0].origin, "crm:order:3");
    assert_eq!(next, None);

    let garbled = Some("2".to_owned());
    let refused = host
        .search_bindings(&tenant, &connection, None, None, garbled, 1)
        .await;
    assert!(matches!(refused, Err(Fault::Rejected(_))), "{refused:?}");
}

#[tokio::test]
async fn a_record_that_is_bound_anew_is_compared_anew() {
    let shop = shop().await;
    let host = shop.host();
    let wanted = binding("order", "99", "crm:order:1");
    let made = binding("order", "98", "crm:order:9");
    for binding in [&wanted, &made] {
        host.rebind(&tenant(), &connection(), binding.clone())
            .await
            .unwrap();
    }
    let mut unit = shop.unit().await;
    let origins = vec!["crm:order:1".to_owned(), "crm:order:9".to_owned()];
    let bound = unit.bindings_by_origin("order".into(), origins).await;
    let unknown = |binding| {
        Some(Binding {
            fingerprint: None,
            ..binding
        })
    };
    assert_eq!(bound, Ok(vec![unknown(wanted), unknown(made)]));
}

#[tokio::test]
async fn an_origin_is_unbound_without_its_siblings() {
    let shop = shop().await;
    let mut unit = shop.unit().await;
    let sibling = binding("order", "41", "crm:order:1b");
    unit.bind(vec![sibling]).await.unwrap();
    unit.commit().await.unwrap();
    let host = shop.host();
    let origin = "crm:order:1".to_owned();
    host.unbind_origin(&tenant(), &connection(), "order".into(), origin)
        .await
        .unwrap();
    let left = found(&shop, Some("order"), None, 9).await;
    assert_eq!(left, ["crm:order:1b", "crm:order:2", "crm:order:3"]);
}
