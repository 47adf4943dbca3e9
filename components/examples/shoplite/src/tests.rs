use std::cell::Cell;
use std::rc::Rc;

use serde_json::{Value, json};
use tenon_sdk::http::{Request, Response};
use tenon_sdk::model::{Cause, Directory, Outcome, Partner, PartnerRole, StockLevel};
use tenon_sdk::testing::{self, Host, survives};

use crate::Shoplite;

/// A shop of three orders, of which the second is bad until it is mended, and two products.
fn shop(request: &Request, is_mended: bool) -> Response {
    let path = request.url.strip_prefix("https://api.shoplite.example");
    let path = path.unwrap_or_default().split('?').next();
    let order = |id: u64, price: &str| {
        json!({
            "id": id, "number": format!("S-{id}"), "status": "new",
            "items": [{ "sku": "A-1", "name": "Cup", "qty": 2, "price": price }],
            "customer": { "name": "Олена", "phone": "+380671112233" },
            "updated_at": format!("2026-03-0{id}T10:00:00Z"),
        })
    };
    let bad = if is_mended { "10.00" } else { "ten" };
    let products = json!([
        { "id": 1, "sku": "A-1", "name": "Cup", "price": "10.00", "stock": 5 },
        { "id": 2, "sku": "B-2", "name": "Plate", "price": "7", "stock": 3, "deleted": true },
    ]);
    let list = |rows: Value| json!({ "total": rows.as_array().map(Vec::len), "data": rows });
    match path {
        Some("/orders") => {
            let all = [order(1, "10.00"), order(2, bad), order(3, "9.5")];
            let since = request
                .url
                .split("updated_since=")
                .nth(1)
                .unwrap_or_default();
            let since = since.replace("%3A", ":");
            let rows = all.into_iter();
            let rows = rows.filter(|row| row["updated_at"].as_str() >= Some(since.as_str()));
            testing::json(200, &list(rows.collect()))
        }
        Some("/products") => testing::json(200, &list(products)),
        Some("/products/A-1/stock") => testing::json(200, &json!({})),
        _ => testing::refused(404),
    }
}

fn host(settings: Value) -> Host<Shoplite> {
    Host::new(settings, |request| shop(request, false))
}

#[test]
fn it_describes_itself_as_the_host_wants_it() {
    let problems = testing::problems::<Shoplite>(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(problems, [""; 0]);
}

#[test]
fn an_order_brings_its_buyer_and_goods_once() {
    let host = host(json!({}));
    let known = host.books(|books| {
        books.put_partner(Partner {
            name: "Olena".to_owned(),
            phones: vec!["067 111 22 33".to_owned()],
            ..Partner::default()
        });
        books.put_partner(Partner {
            name: "The supplier".to_owned(),
            role: PartnerRole::Supplier,
            phones: vec!["+380671112233".to_owned()],
            ..Partner::default()
        })
    });
    let run = host.run("orders");
    assert_eq!(run.counts(), (2, 0, 0, 1), "{run:#?}");
    assert_eq!(run.rejected[0].label, "2");
    let detail = run.rejected[0].reason.detail.clone().unwrap_or_default();
    assert!(detail.contains("`ten` is not a decimal number"), "{detail}");
    host.books(|books| {
        assert_eq!((books.partners.len(), books.products.len()), (2, 1));
        assert_ne!(books.orders[0].partner.as_ref(), Some(&known));
    });
}

#[test]
fn a_bad_order_is_taken_once_it_is_mended_although_that_counts_as_no_change() {
    let is_mended = Rc::new(Cell::new(false));
    let mended = Rc::clone(&is_mended);
    let host = Host::<Shoplite>::new(json!({}), move |request| shop(request, mended.get()));
    host.run("orders");
    is_mended.set(true);
    let run = host.run("orders");
    assert_eq!(
        (run.progress.created, run.progress.failed),
        (1, 0),
        "{run:#?}"
    );
    assert_eq!(host.books(|books| books.orders.len()), 3);
    let run = host.run("orders");
    assert_eq!((run.progress.created, run.sent.len()), (0, 1));
}

#[test]
fn an_order_that_people_removed_comes_back_only_when_they_ask() {
    let host = host(json!({}));
    host.run("orders");
    host.books(|books| books.orders.remove(0));
    // Everything is read again, because another setting may make another order of it.
    host.set(json!({ "statuses": ["new"] }));
    let run = host.run("orders");
    let removed = run.rejected.iter().find(|one| one.label == "1");
    let code = removed.map(|one| one.reason.code.as_str());
    assert_eq!(code, Some("sdk.follow.removed"));
    assert_eq!(host.books(|books| books.orders.len()), 1);
    assert!(run.codes().contains(&"sdk.pull.read-again"));
    host.asked("orders", None, &Cause::Asked);
    assert_eq!(host.books(|books| books.orders.len()), 2);
}

#[test]
fn nothing_is_lost_or_doubled_wherever_a_run_is_killed() {
    survives(|| host(json!({})), "orders");
    survives(|| host(json!({})), "products");
}

#[test]
fn stock_is_sent_where_the_shop_shows_another_number_and_not_in_a_preview() {
    let host = host(json!({}));
    host.run("products");
    let warehouse = host.books(|books| books.enter(Directory::Warehouses, "Main"));
    host.set(json!({ "warehouse": warehouse }));
    host.books(|books| {
        let units = |units| tenon_sdk::model::Decimal { units, scale: 0 };
        let product = books.products[0].key.clone().expect("a key");
        books.put_level(StockLevel {
            product,
            product_variant: None,
            warehouse,
            on_hand: units(9),
            reserved: units(2),
            available: units(7),
        });
    });
    let preview = host.preview("stock");
    assert_eq!(preview.written.len(), 1);
    let run = host.run("stock");
    assert_eq!(run.outcome, Ok(Outcome::Done));
    let sent = run.sent.last().expect("a request");
    assert_eq!(sent.body, br#"{"stock":7}"#);
    assert_eq!(host.run("stock").sent.len(), 0);
}
