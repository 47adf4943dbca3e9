use serde_json::json;
use tenon_erp::Kind;
use tenon_host::model::{Fault, OrderDirection, Product, ProductPage};

use crate::support::{Shop, effect, order, order_json, partner, product, tenant};

fn names(page: &ProductPage) -> Vec<&str> {
    page.products
        .iter()
        .map(|product| product.name.as_str())
        .collect()
}

#[tokio::test]
async fn changes_come_oldest_first_and_a_later_change_moves_to_the_end() {
    let shop = Shop::new();
    for (origin, name) in [("p:1", "A"), ("p:2", "B"), ("p:3", "C")] {
        shop.save_product(product(origin, name)).await.unwrap();
    }
    shop.save_product(product("p:1", "A2")).await.unwrap();
    shop.save_product(product("p:2", "B")).await.unwrap();
    let mut unit = shop.unit().await;
    let first = unit.changed_products(None, 2).await.unwrap();
    assert_eq!(names(&first), ["B", "C"]);
    assert!(first.more);
    let second = unit.changed_products(Some(first.next), 2).await.unwrap();
    assert_eq!(names(&second), ["A2"]);
    assert!(!second.more);
    let end = unit
        .changed_products(Some(second.next.clone()), 2)
        .await
        .unwrap();
    assert_eq!(names(&end), [""; 0]);
    assert_eq!(end.next, second.next);

    // What is unchanged stays where it was read; what changes is read on from there.
    shop.save_product(product("p:3", "C")).await.unwrap();
    shop.save_product(product("p:3", "C2")).await.unwrap();
    let on = unit.changed_products(Some(end.next), 2).await.unwrap();
    assert_eq!(names(&on), ["C2"]);
}

#[tokio::test]
async fn a_removed_product_is_told_in_its_place() {
    let shop = Shop::new();
    let first = shop.save_product(product("p:1", "A")).await.unwrap().key;
    shop.save_product(product("p:2", "B")).await.unwrap();
    shop.erp
        .remove(&tenant(), Kind::Products, &first)
        .await
        .unwrap();
    shop.save_product(product("p:3", "C")).await.unwrap();
    let mut unit = shop.unit().await;
    let page = unit.changed_products(None, 2).await.unwrap();
    assert_eq!((names(&page), &page.removed), (vec!["B"], &vec![first]));
    assert!(page.more);
    let rest = unit.changed_products(Some(page.next), 2).await.unwrap();
    assert_eq!((names(&rest), rest.removed.len()), (vec!["C"], 0));
}

#[tokio::test]
async fn a_record_that_is_there_again_is_not_told_as_removed() {
    let shop = Shop::new();
    shop.load("orders", order_json("7")).await;
    shop.erp.remove(&tenant(), Kind::Orders, "7").await.unwrap();
    let mut unit = shop.unit().await;
    let page = unit
        .changed_orders(OrderDirection::Sale, None, 10)
        .await
        .unwrap();
    assert_eq!((page.orders.len(), page.removed), (0, vec!["7".to_owned()]));
    shop.load("orders", order_json("7")).await;
    let page = unit
        .changed_orders(OrderDirection::Sale, None, 10)
        .await
        .unwrap();
    assert_eq!((page.orders.len(), page.removed.len()), (1, 0));
}

#[tokio::test]
async fn each_direction_of_orders_has_a_stream_of_its_own() {
    let shop = Shop::new();
    let mut purchase = order("o:2");
    purchase.direction = OrderDirection::Purchase;
    shop.save_order(order("o:1")).await.unwrap();
    let bought = shop.save_order(purchase).await.unwrap().key;
    let mut unit = shop.unit().await;
    for (direction, origin) in [
        (OrderDirection::Sale, "o:1"),
        (OrderDirection::Purchase, "o:2"),
    ] {
        let page = unit.changed_orders(direction, None, 10).await.unwrap();
        let origins: Vec<_> = page.orders.iter().flat_map(|order| &order.origin).collect();
        assert_eq!(origins, [origin]);
    }
    shop.erp
        .remove(&tenant(), Kind::Orders, &bought)
        .await
        .unwrap();
    let sales = unit
        .changed_orders(OrderDirection::Sale, None, 10)
        .await
        .unwrap();
    assert!(sales.removed.is_empty());
    let purchases = unit
        .changed_orders(OrderDirection::Purchase, None, 10)
        .await
        .unwrap();
    assert_eq!(purchases.removed, [bought]);
}

#[tokio::test]
async fn partners_and_stock_have_streams_too() {
    let shop = Shop::new();
    for origin in ["b:1", "b:2"] {
        shop.save_partner(partner(origin, origin)).await.unwrap();
    }
    shop.load("products", json!({ "key": "cup", "name": "Cup" }))
        .await;
    shop.load(
        "warehouses",
        json!([{ "key": "a", "name": "A" }, { "key": "b", "name": "B" }]),
    )
    .await;
    let level = |warehouse: &str, on_hand: &str| json!({ "product": "cup", "warehouse": warehouse, "on_hand": on_hand });
    shop.load("stock", json!([level("a", "1"), level("b", "1")]))
        .await;
    shop.load("stock", level("a", "2")).await;

    let mut unit = shop.unit().await;
    let page = unit.changed_partners(None, 1).await.unwrap();
    assert!(page.more);
    let rest = unit.changed_partners(Some(page.next), 1).await.unwrap();
    assert_eq!(rest.partners[0].name, "b:2");
    assert!(!rest.more);

    let page = unit.changed_stock(None, 1).await.unwrap();
    assert_eq!(page.levels[0].warehouse, "b");
    assert!(page.more);
    let rest = unit.changed_stock(Some(page.next), 1).await.unwrap();
    assert_eq!(rest.levels[0].product, "cup");
    assert_eq!(rest.levels[0].on_hand, "2".parse().unwrap());
    assert!(!rest.more);
}

#[tokio::test]
async fn a_cursor_that_was_never_given_out_is_refused() {
    let shop = Shop::new();
    let mut unit = shop.unit().await;
    for bad in ["", "x", "-1", "1.5", "99999999999999999999"] {
        let answer = unit.changed_products(Some(bad.into()), 10).await;
        assert!(
            matches!(answer, Err(Fault::Rejected(_))),
            "{bad:?}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_page_of_nothing_still_makes_progress() {
    let shop = Shop::new();
    for origin in ["p:1", "p:2"] {
        assert_eq!(
            effect(
                &shop
                    .save_product(Product {
                        ..product(origin, origin)
                    })
                    .await
            ),
            tenon_host::model::Effect::Created
        );
    }
    let mut unit = shop.unit().await;
    let page = unit.changed_products(None, 0).await.unwrap();
    assert_eq!(names(&page), ["p:1"]);
    assert!(page.more);
}
