use serde_json::json;
use tenon_sdk::http::{Request, Response};
use tenon_sdk::testing::{self, Host, survives};

use crate::MyShop;

/// A shop with an order of each status.
fn shop(request: &Request) -> Response {
    let order = |id: u64, status: &str, price: &str| {
        json!({
            "id": id, "number": format!("S-{id}"), "status": status,
            "items": [{ "sku": "A-1", "name": "Cup", "qty": 2, "price": price }],
            "customer": { "name": "Олена", "phone": "+380671112233" },
            "updated_at": format!("2026-03-0{id}T10:00:00Z"),
        })
    };
    match request.url.split(['?', '/']).nth(3) {
        Some("orders") => testing::json(
            200,
            &json!({ "data": [order(1, "new", "10.00"), order(2, "paid", "ten"), order(3, "paid", "7")] }),
        ),
        Some("statuses") => testing::json(200, &json!([{ "id": "new", "title": "New" }])),
        _ => testing::refused(404),
    }
}

#[test]
fn it_describes_itself_as_the_host_wants_it() {
    let problems = testing::problems::<MyShop>(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(problems, [""; 0]);
}

#[test]
fn orders_come_in_once_and_a_bad_one_is_listed() {
    let host = Host::<MyShop>::new(json!({}), shop);
    let run = host.run("orders");
    assert_eq!(run.counts(), (2, 0, 0, 1), "{run:#?}");
    assert_eq!(run.rejected[0].label, "2");
    let run = host.run("orders");
    assert_eq!(run.progress.created, 0);
    host.books(|books| {
        let made = (
            books.orders.len(),
            books.partners.len(),
            books.products.len(),
        );
        assert_eq!(made, (2, 1, 1));
    });
}

#[test]
fn only_chosen_statuses_are_loaded() {
    let host = Host::<MyShop>::new(json!({ "statuses": ["new"] }), shop);
    host.run("orders");
    assert_eq!(host.books(|books| books.orders.len()), 1);
}

#[test]
fn a_preview_keeps_nothing_and_kills_cost_nothing() {
    let host = || Host::<MyShop>::new(json!({}), shop);
    let preview = host();
    preview.preview("orders");
    assert!(preview.books(|books| books.orders.is_empty()));
    survives(host, "orders");
}
