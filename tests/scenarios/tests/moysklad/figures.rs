//! How many requests large accounts take.

use jiff::SignedDuration;
use serde_json::json;
use tenon_simulators::moysklad::{Account, Config, Kind};

use crate::orders::line;
use crate::world::{ACCOUNT, World, config};

#[test]
fn ten_thousand_products_take_at_most_twelve_requests_and_their_stock_three() {
    let world = World::seeded(Config {
        products: 10_000,
        counterparties: 0,
        orders: 0,
        ..config()
    });
    let run = world.run("products", json!({}));
    assert_eq!(9_996, run.report.created, "{:?}", run.report);
    let pages = world.sim.requests_to("GET /entity/product");
    assert!(pages <= 12, "{:?}", world.sim.requests());
    // Besides them only currencies, units, and the numbers of services, sets and modifications.
    assert!(
        world.sim.total_requests() <= pages + 5 + ACCOUNT,
        "{:?}",
        world.sim.requests()
    );

    world.sim.reset_counts();
    let run = world.run("products", json!({}));
    assert_eq!((0, 0, 9_996, 3), run.counts(), "{:?}", run.report);
    let pages = world.sim.requests_to("GET /entity/product");
    assert!(pages <= 12, "{:?}", world.sim.requests());

    let stores = world.objects(Kind::Store, |_, store| store.id.to_string());
    assert_eq!(3, stores.len());
    let lists: Vec<_> = (stores.iter().enumerate())
        .map(|(number, store)| json!({ "price_list": format!("w{number}"), "store": store }))
        .collect();
    for number in 0..3 {
        let key = format!("w{number}");
        world.load("warehouses", json!([{ "key": key, "name": key }]));
    }
    world.sim.reset_counts();
    let run = world.run("stock", json!({ "price_lists": lists })).clean();
    assert!(
        world.sim.total_requests() <= 3,
        "{:?}",
        world.sim.requests()
    );
    let levels = world.records("stock").len();
    assert!(levels > 22_000, "{levels}: {:#?}", run.log);
}

#[test]
fn a_hundred_orders_of_a_hundred_new_customers_take_at_most_eight_writes() {
    let world = World::of(Account::empty());
    let (_, part) = world.product("MAHLE A1");
    for number in 0..100 {
        let customer = format!("c{number}");
        world.load(
            "partners",
            json!([{ "key": customer, "name": customer, "phones": [format!("+79121{number:06}")] }]),
        );
        let order = (1_000 + number).to_string();
        world.load(
            "orders",
            json!([{
                "key": order, "number": order, "partner": customer, "currency": "RUB",
                "lines": [line("1", &part, "1", "100"), line("2", &part, "2", "90")],
            }]),
        );
    }
    world.sim.reset_counts();
    let run = world.run("orders", json!({})).clean();
    assert_eq!(200, run.report.created, "{:?}", run.report);
    assert!(world.writes() <= 8, "{:?}", world.sim.requests());
    assert!(
        world.sim.total_requests() <= 12,
        "{:?}",
        world.sim.requests()
    );
    let orders = world.objects(Kind::CustomerOrder, |_, order| {
        order.rows("positions").len()
    });
    assert_eq!(vec![2; 100], orders);

    world.sim.reset_counts();
    let run = world.run("orders", json!({})).clean();
    assert_eq!((0, 0, 100, 0), run.counts());
    assert_eq!(0, world.sim.total_requests());
}

#[test]
fn one_new_customer_beside_150_000_counterparties_takes_a_page_for_each_thousand_once_and_little_memory()
 {
    let world = World::seeded(Config {
        products: 0,
        counterparties: 150_000,
        orders: 0,
        ..config()
    });
    // One of them changed later than all others.
    world.sim.account(|account| {
        account.wait(SignedDuration::from_hours(1));
        account.add_counterparty(Default::default());
    });
    let world = world.in_memory(32 << 20);
    world.load(
        "partners",
        json!([{ "key": "k1", "name": "Иванов", "phones": ["+79990001122"] }]),
    );
    let run = world.run("partners", json!({})).clean();
    assert_eq!(1, run.report.created);
    // Some share a page with the last of the page before.
    let requests = world.sim.total_requests();
    assert!(requests <= 155 + ACCOUNT, "{requests}");
    world.sim.reset_counts();
    world.load(
        "partners",
        json!([{ "key": "k2", "name": "Петров", "phones": ["+79990001133"] }]),
    );
    let run = world.run("partners", json!({})).clean();
    assert_eq!(1, run.report.created);
    assert!(
        world.sim.total_requests() <= 3,
        "{:?}",
        world.sim.requests()
    );
}

#[test]
fn a_hundred_and_thirty_seven_orders_take_six_requests_and_nothing_new_none() {
    let world = World::of(Account::empty());
    let (_, part) = world.product("MAHLE A1");
    for number in 0..137 {
        let customer = format!("c{number}");
        world.load(
            "partners",
            json!([{ "key": customer, "name": customer, "phones": [format!("+79121{number:06}")] }]),
        );
        let order = (1_000 + number).to_string();
        world.load(
            "orders",
            json!([{
                "key": order, "number": order, "partner": customer, "currency": "RUB",
                "lines": [line("1", &part, "1", "100"), line("2", &part, "2", "90")],
            }]),
        );
    }
    world.sim.reset_counts();
    let run = world.run("orders", json!({})).clean();
    assert_eq!(274, run.report.created, "{:?}", run.report);
    assert!(
        world.sim.total_requests() <= 6,
        "{:?}",
        world.sim.requests()
    );
    world.sim.reset_counts();
    world.run("orders", json!({})).clean();
    assert_eq!(0, world.sim.total_requests());
}

#[test]
fn products_of_1_082_take_six_requests_and_changes_with_nothing_new_three() {
    let world = World::seeded(Config {
        products: 1_082,
        counterparties: 0,
        orders: 0,
        ..config()
    });
    // One of them changed later than all others.
    world.sim.account(|account| {
        account.wait(SignedDuration::from_hours(1));
        let last = account.all(Kind::Product)[7].id;
        account.set_text(last, "description", "Новое");
    });
    world.run("products", json!({}));
    world.sim.reset_counts();
    world.run("products", json!({}));
    assert!(
        world.sim.total_requests() <= 6,
        "{:?}",
        world.sim.requests()
    );
    world.run("changes", json!({}));
    world.sim.reset_counts();
    world.run("changes", json!({}));
    assert!(
        world.sim.total_requests() <= 3,
        "{:?}",
        world.sim.requests()
    );
}

#[test]
fn three_hundred_thousand_levels_take_two_requests_and_little_memory() {
    let world = World::seeded(Config {
        products: 140_000,
        counterparties: 0,
        orders: 0,
        ..config()
    })
    .in_memory(32 << 20)
    .hearing(64 << 20);
    let stores = world.objects(Kind::Store, |_, store| store.id.to_string());
    let lists: Vec<_> = (stores.iter().enumerate())
        .map(|(number, store)| json!({ "price_list": format!("w{number}"), "store": store }))
        .collect();
    for number in 0..lists.len() {
        let key = format!("w{number}");
        world.load("warehouses", json!([{ "key": key, "name": key }]));
    }
    let run = world.run("stock", json!({ "price_lists": lists })).clean();
    assert_eq!(2 + ACCOUNT, world.sim.total_requests());
    // The shop knows none of the goods, so each row is counted as that.
    let rows = run.log.iter().filter_map(|line| {
        let words = line.message.strip_suffix(" products unknown in the shop")?;
        words.rsplit(' ').next()?.parse::<u64>().ok()
    });
    let rows: u64 = rows.sum();
    assert!(rows >= 300_000, "{rows}");
}
