//! KeyCRM → ERP while either side, the settings or the list itself change: nothing is lost or doubled,
//! what people did stays, and they are told.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use tenon_host::report::Outcome;
use tenon_scenarios::{Run, Shop};
use tenon_simulators::faults::{Fault, Rule};
use tenon_simulators::keycrm::{
    self, Account, Config, DeletedOrders, NewBuyer, NewLine, NewOrder, Numbers, Simulator,
};

const KEY: &str = "simulated-keycrm-key";

fn config() -> Config {
    Config {
        requests_per_minute: None,
        ordered_to: "2026-03-31T12:00:00Z".parse().expect("a moment"),
        ..Config::default()
    }
}

fn crm(account: Account) -> Simulator {
    let behaviour = account.behaviour.clone();
    let config = Config {
        behaviour,
        ..config()
    };
    keycrm::start_with(config, account).expect("a simulator")
}

fn shop(sim: &Simulator) -> Shop {
    Shop::new("keycrm", sim.url(), KEY)
}

fn year() -> Value {
    json!({ "period": { "from": "2026-01-01", "to": "2026-12-31" } })
}

fn year_with(more: Value) -> Value {
    let mut settings = year();
    for (name, value) in more.as_object().expect("an object") {
        settings[name] = value.clone();
    }
    settings
}

fn with_buyer() -> (Account, i64) {
    let mut account = Account::empty();
    let buyer = account.add_buyer(NewBuyer::named("Олена Коваль").phone("+380501112233"));
    (account, buyer)
}

/// An order of the buyer for a cup.
fn cup(buyer: i64) -> NewOrder {
    let line = NewLine::named("Чашка").sku("CUP-1").price("120.50");
    NewOrder::new().buyer(buyer).line(line)
}

/// An account with so many orders, and their numbers.
fn with_orders(count: usize) -> (Account, i64, Vec<i64>) {
    let (mut account, buyer) = with_buyer();
    let orders = (0..count).map(|_| account.add_order(cup(buyer))).collect();
    (account, buyer, orders)
}

fn decimal(value: &Value) -> Decimal {
    value
        .as_str()
        .expect("a decimal")
        .parse()
        .expect("a decimal")
}

/// Numbers of the records that a run could not take.
fn listed(run: &Run) -> Vec<&str> {
    let records = run.report.records.iter();
    records.map(|record| record.id.as_str()).collect()
}

fn key(record: &Value) -> String {
    record["key"].as_str().expect("a key").to_owned()
}

fn numbers(shop: &Shop) -> Vec<i64> {
    let orders = shop.records("orders").into_iter();
    let mut numbers: Vec<i64> = orders
        .map(|order| order["number"].as_str().unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

// ---- the list changes while it is read

#[test]
fn no_order_is_lost_when_one_is_deleted_and_another_placed_while_pages_are_read() {
    for request in 1..=4 {
        let (account, buyer, orders) = with_orders(120);
        let sim = crm(account);
        let shop = shop(&sim);
        let gone = orders[4];
        sim.after_nth("GET /order", request, move |account| {
            account.delete_order(gone);
            account.add_order(cup(buyer));
        });
        let run = shop.run("orders", year());
        assert_eq!(Outcome::Done, run.report.outcome, "{:?}", run.report);
        // One more than there are pages.
        assert_eq!(4, sim.requests_to("GET /order"), "{:?}", sim.requests());
        let loaded = numbers(&shop);
        let left = orders.iter().filter(|order| **order != orders[4]);
        let lost: Vec<_> = left.filter(|order| !loaded.contains(order)).collect();
        assert!(lost.is_empty(), "after request {request}: {lost:?}");
        // What comes after the last page was read is for the next run.
        shop.run("orders", year());
        let new: i64 = sim.account(|account| *account.orders.keys().last().unwrap());
        shop.order(new);
    }
}

#[test]
fn no_change_is_lost_when_many_orders_change_and_one_is_deleted_while_pages_are_read() {
    let (mut account, _, orders) = with_orders(160);
    account.set_now(jiff::Timestamp::now() - jiff::SignedDuration::from_hours(2));
    let done = account.add_status("Виконано", 5);
    for order in &orders {
        account.set_status(*order, done);
    }
    let sim = crm(account);
    let shop = shop(&sim);
    let settings = json!({ "last_days": 3650 });
    shop.run("orders", settings.clone());
    sim.account(|account| {
        account.set_now(jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1));
        let back = account.add_status("Повернення", 6);
        for order in &orders[..150] {
            account.set_status(*order, back);
        }
    });
    let (gone, late) = (orders[3], orders[155]);
    sim.reset_counts();
    sim.after_nth("GET /order", 2, move |account| {
        account.delete_order(gone);
        account.set_now(jiff::Timestamp::now());
        account.change_order(late).manager_comment = Some("call".to_owned());
    });
    let run = shop.run("orders", settings);
    assert_eq!(Outcome::Done, run.report.outcome, "{:?}", run.report);
    for order in orders[..150].iter().filter(|order| **order != gone) {
        let stage = shop.order(*order)["stage"].clone();
        assert_eq!("Повернення", shop.name("order-stages", &stage), "{order}");
    }
}

// ---- one bad record

#[test]
fn half_an_emoji_spoils_neither_its_order_nor_the_others() {
    let (mut account, _, orders) = with_orders(3);
    account.spoil_order(orders[1], "buyer_comment", r#""Дякую \ud83d""#);
    let sim = crm(account);
    let shop = shop(&sim);
    let run = shop.run("orders", year());
    assert_eq!((3, 0, 0, 0), run.counts(), "{:?}", run.report);
    let words = &shop.order(orders[1])["attributes"];
    assert!(words.to_string().contains("Дякую \u{fffd}"), "{words}");
}

#[test]
fn an_order_over_which_the_crm_breaks_is_listed_and_all_others_of_its_page_are_loaded() {
    let (mut account, _, orders) = with_orders(120);
    // In the middle of a page, at its beginning, two side by side, and the last of all.
    let broken = [orders[50], orders[76], orders[90], orders[91], orders[119]];
    account.broken_orders.extend(broken);
    let sim = crm(account);
    let shop = shop(&sim);
    let run = shop.run("orders", year());
    assert_eq!(Outcome::Done, run.report.outcome, "{:?}", run.report);
    assert_eq!((115, 0, 0, 5), run.counts(), "{:?}", run.report);
    let mut named = listed(&run);
    named.sort_unstable();
    // Nothing stands before the first one of its page, or behind the last of all, to tell their numbers
    // by.
    let first = format!("{}-1", orders[51]);
    let last = format!("{}+1", orders[118]);
    let mut expected: Vec<String> = broken[1..4].iter().map(i64::to_string).collect();
    expected.extend([first, last]);
    expected.sort_unstable();
    assert_eq!(expected, named);

    // Once the CRM can give them, they are taken, and nothing is listed any more.
    sim.account(|account| account.broken_orders.clear());
    let run = shop.run("orders", year());
    assert_eq!((5, 0, 115, 0), run.counts(), "{:?}", run.report);
}

#[test]
fn an_open_order_over_which_the_crm_breaks_keeps_no_other_back() {
    let (mut account, buyer, orders) = with_orders(2);
    account.set_now(jiff::Timestamp::now());
    let done = account.add_status("Виконано", 5);
    account.add_order(cup(buyer).status(done));
    let sim = crm(account);
    let shop = shop(&sim);
    let settings = json!({ "last_days": 3650 });
    shop.run("orders", settings.clone());
    sim.account(|account| {
        account.broken_orders.insert(orders[0]);
        account.order_mut(orders[1]).manager_comment = Some("call".to_owned());
    });
    let run = shop.run("orders", settings);
    assert_eq!(Outcome::Done, run.report.outcome, "{:?}", run.report);
    assert_eq!(vec![orders[0].to_string()], listed(&run));
    assert_eq!(1, run.report.updated, "{:?}", run.report);
}

#[test]
fn a_crm_that_answers_nothing_but_failures_is_no_matter_of_single_orders() {
    let (account, _, _) = with_orders(120);
    let sim = crm(account);
    let shop = shop(&sim);
    shop.run("orders", json!({ "last_days": 1 }));
    sim.reset_counts();
    sim.faults()
        .add(Rule::new(Fault::Status(500)).on("GET /order").times(1_000));
    let run = shop.run("orders", year());
    assert_eq!(Outcome::Transient, run.report.outcome, "{:?}", run.report);
    assert_eq!(0, run.report.failed);
    // Each request is tried a few times by the host.
    assert!(
        sim.requests_to("GET /order") <= 7 * 6,
        "{:?}",
        sim.requests()
    );
}

#[test]
fn an_item_with_a_name_of_any_length_is_bound_and_known_again() {
    let (mut account, buyer) = with_buyer();
    let long = "Ж".repeat(505);
    for _ in 0..2 {
        let line = NewLine::named(&long).price("5");
        account.add_order(NewOrder::new().buyer(buyer).line(line));
    }
    let sim = crm(account);
    let shop = shop(&sim);
    let run = shop.run("orders", year());
    assert_eq!((2, 0, 0, 0), run.counts(), "{:?}", run.report);
    assert_eq!(1, shop.records("products").len());
    let run = shop.run("orders", year());
    assert_eq!((0, 0, 2, 0), run.counts(), "{:?}", run.report);
}

// ---- deleted in the CRM

#[test]
fn an_order_that_is_deleted_in_the_crm_is_marked_for_people_once_and_stays() {
    for deleted_orders in [DeletedOrders::Gone, DeletedOrders::Marked] {
        let (mut account, _, orders) = with_orders(12);
        account.behaviour.deleted_orders = deleted_orders;
        let sim = crm(account);
        let shop = shop(&sim);
        shop.run("orders", year());
        sim.account(|account| account.delete_order(orders[5]));
        let run = shop.run("orders", year());
        assert_eq!((0, 0, 11, 1), run.counts(), "{:?}", run.report);
        assert_eq!(vec![orders[5].to_string()], listed(&run));
        assert!(
            run.logged(&["deleted", &orders[5].to_string()]),
            "{:?}",
            run.log
        );
        shop.order(orders[5]);
        let run = shop.run("orders", year());
        assert_eq!(0, run.report.failed, "{:?}", run.report);
    }
}

#[test]
fn an_open_order_that_is_deleted_in_the_crm_is_noticed_between_changes() {
    let (mut account, buyer, orders) = with_orders(3);
    account.set_now(jiff::Timestamp::now());
    account.add_order(cup(buyer));
    let sim = crm(account);
    let shop = shop(&sim);
    let settings = json!({ "last_days": 3650 });
    shop.run("orders", settings.clone());
    sim.account(|account| account.delete_order(orders[1]));
    let run = shop.run("orders", settings.clone());
    assert_eq!(
        vec![orders[1].to_string()],
        listed(&run),
        "{:?}",
        run.report
    );
    let run = shop.run("orders", settings);
    assert_eq!(0, run.report.failed, "{:?}", run.report);
}

#[test]
fn many_orders_that_seem_to_be_gone_are_a_question_and_no_order_is_marked_before_the_answer() {
    let (account, _, orders) = with_orders(60);
    let sim = crm(account);
    let mut shop = shop(&sim);
    shop.run("orders", year());
    sim.account(|account| {
        for order in &orders[..15] {
            account.delete_order(*order);
        }
    });
    let run = shop.run("orders", year());
    assert_eq!(0, run.report.failed, "{:?}", run.report);
    assert_eq!(1, run.report.questions.len(), "{:?}", run.report);
    shop.confirm(&run.report.questions);
    let run = shop.run("orders", year());
    assert_eq!(15, run.report.failed, "{:?}", run.report);
    let run = shop.run("orders", year());
    assert_eq!(0, run.report.failed, "{:?}", run.report);
}

#[test]
fn an_order_that_comes_back_in_the_crm_is_no_longer_marked() {
    let (mut account, _, orders) = with_orders(2);
    account.behaviour.deleted_orders = DeletedOrders::Marked;
    let sim = crm(account);
    let shop = shop(&sim);
    shop.run("orders", year());
    sim.account(|account| account.delete_order(orders[0]));
    shop.run("orders", year());
    sim.account(|account| {
        let order = account.change_order(orders[0]);
        order.deleted_at = None;
        order.manager_comment = Some("back".to_owned());
    });
    let run = shop.run("orders", year());
    assert_eq!((0, 1, 1, 0), run.counts(), "{:?}", run.report);
}

// ---- removed or mended in the ERP

#[test]
fn an_order_that_people_removed_stays_removed_and_is_listed_until_they_ask_for_it() {
    let (account, _, orders) = with_orders(3);
    let sim = crm(account);
    let shop = shop(&sim);
    shop.run("orders", year());
    let removed = shop.order(orders[1]);
    shop.remove("orders", &key(&removed));
    for change in [None, Some("call")] {
        sim.account(|account| {
            account.change_order(orders[1]).manager_comment = change.map(str::to_owned);
        });
        let run = shop.run("orders", year());
        assert_eq!((0, 0, 2, 1), run.counts(), "{:?}", run.report);
        assert_eq!(vec![orders[1].to_string()], listed(&run));
        assert_eq!(2, shop.records("orders").len());
    }
    shop.unpair("order", removed["origin"].as_str().unwrap());
    let run = shop.run("orders", year());
    assert_eq!((1, 0, 2, 0), run.counts(), "{:?}", run.report);
}

#[test]
fn what_an_order_points_at_is_found_or_made_again_after_people_removed_it() {
    for kind in ["products", "partners", "order-stages", "order-sources"] {
        let (account, buyer, orders) = with_orders(1);
        let sim = crm(account);
        let shop = shop(&sim);
        shop.run("orders", year());
        // An order that points at it keeps people from removing it, so that goes first.
        let pointing = shop.order(orders[0]);
        shop.remove("orders", &key(&pointing));
        let pointed = shop.records(kind).remove(0);
        shop.remove(kind, &key(&pointed));
        let later = sim.account(|account| account.add_order(cup(buyer)));
        let run = shop.run("orders", year());
        assert_eq!((1, 0, 0, 1), run.counts(), "{kind}: {:?}", run.report);
        shop.order(later);
        assert_eq!(1, shop.records(kind).len(), "{kind}");
    }
}

#[test]
fn what_hangs_on_a_pair_that_people_mended_is_written_again() {
    let (account, buyer, orders) = with_orders(2);
    let sim = crm(account);
    let shop = shop(&sim);
    shop.run("orders", year());
    let order = shop.order(orders[0]);
    let partner = shop.record("partners", "key", order["partner"].as_str().unwrap());
    let product = shop.records("products").remove(0);
    shop.load("partners", json!([{ "key": "other", "name": "Інша" }]));
    shop.load(
        "products",
        json!([{ "key": "mug", "kind": "good", "name": "Кухоль" }]),
    );
    let origin = partner["origin"].as_str().unwrap();
    assert!(origin.ends_with(&format!(":buyer:{buyer}")), "{origin}");
    shop.pair("partner", "other", origin);
    let run = shop.run("orders", year());
    assert_eq!((0, 2, 0, 0), run.counts(), "{:?}", run.report);
    assert_eq!("other", shop.order(orders[0])["partner"]);

    shop.pair("product", "mug", product["origin"].as_str().unwrap());
    let run = shop.run("orders", year());
    assert_eq!((0, 2, 0, 0), run.counts(), "{:?}", run.report);
    assert_eq!("mug", shop.order(orders[1])["lines"][0]["product"]);
    let run = shop.run("orders", year());
    assert_eq!((0, 0, 2, 0), run.counts(), "{:?}", run.report);
}

// ---- settings, and what else decides what an order looks like

#[test]
fn a_currency_that_is_set_on_a_source_later_has_its_orders_read_again() {
    let (mut account, buyer) = with_buyer();
    let done = account.add_status("Виконано", 5);
    account.sources.get_mut(&1).unwrap().currency_code = String::new();
    let order = account.add_order(cup(buyer).status(done));
    let sim = crm(account);
    let shop = shop(&sim);
    let settings = json!({ "last_days": 3650 });
    shop.run("orders", settings.clone());
    assert_eq!("UAH", shop.order(order)["currency"]);
    sim.account(|account| {
        account.sources.get_mut(&1).unwrap().currency_code = "USD".to_owned();
    });
    let run = shop.run("orders", settings.clone());
    assert_eq!((0, 1, 0, 0), run.counts(), "{:?}", run.report);
    assert_eq!("USD", shop.order(order)["currency"]);
    assert!(run.logged(&["read again"]), "{:?}", run.log);

    // A new source has nothing read again.
    sim.account(|account| account.add_source("Сайт", "opencart"));
    let run = shop.run("orders", settings);
    assert!(!run.logged(&["read again"]), "{:?}", run.log);
}

#[test]
fn a_source_that_is_not_listed_any_more_has_the_currency_that_it_had() {
    let (mut account, buyer) = with_buyer();
    let abroad = account.add_source("Etsy", "etsy");
    account.sources.get_mut(&abroad).unwrap().currency_code = "USD".to_owned();
    let order = account.add_order(cup(buyer).source(abroad));
    let sim = crm(account);
    let shop = shop(&sim);
    shop.run("orders", year());
    assert_eq!("USD", shop.order(order)["currency"]);
    sim.account(|account| {
        account.sources.remove(&abroad);
        account.change_order(order).manager_comment = Some("call".to_owned());
    });
    let run = shop.run("orders", year());
    assert_eq!((0, 1, 0, 0), run.counts(), "{:?}", run.report);
    assert_eq!("USD", shop.order(order)["currency"]);
}

#[test]
fn a_setting_that_is_changed_later_has_all_orders_read_again_and_people_are_told() {
    let (mut account, buyer) = with_buyer();
    let done = account.add_status("Виконано", 5);
    let order = account.add_order(cup(buyer).status(done));
    let sim = crm(account);
    let shop = shop(&sim);
    shop.load("users", json!([{ "key": "bot", "name": "Обмін" }]));
    let settings = json!({ "last_days": 3650 });
    let first = shop.run("orders", settings);
    assert!(!first.logged(&["read again"]), "{:?}", first.log);
    let run = shop.run("orders", json!({ "last_days": 3650, "author": "bot" }));
    assert_eq!((0, 1, 0, 0), run.counts(), "{:?}", run.report);
    assert_eq!("bot", shop.order(order)["author"]);
    assert!(run.logged(&["read again"]), "{:?}", run.log);
}

#[test]
fn days_of_a_period_are_those_of_the_tenant() {
    let (mut account, buyer) = with_buyer();
    // Half past midnight in Kyiv, on both borders.
    let first = account.add_order(cup(buyer).ordered_at("2026-10-31T22:30:00Z"));
    let last = account.add_order(cup(buyer).ordered_at("2026-11-30T21:30:00Z"));
    let before = account.add_order(cup(buyer).ordered_at("2026-10-31T21:30:00Z"));
    let after = account.add_order(cup(buyer).ordered_at("2026-11-30T22:30:00Z"));
    let sim = crm(account);
    let shop = shop(&sim).placed("Europe/Kyiv", "uk", "UAH");
    let november = json!({ "period": { "from": "2026-11-01", "to": "2026-11-30" } });
    shop.run("orders", november);
    assert_eq!(vec![first, last], numbers(&shop), "not {before}, {after}");
}

#[test]
fn an_order_that_is_cancelled_after_it_was_closed_is_found_without_a_trace_in_updated_at() {
    let (mut account, buyer) = with_buyer();
    account.set_now(jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * 5));
    let done = account.add_status("Виконано", 5);
    let cancelled = account.add_status("Скасовано", 6);
    let orders: Vec<i64> = (0..3)
        .map(|_| account.add_order(cup(buyer).status(done)))
        .collect();
    account.add_order(cup(buyer).status(cancelled));
    account.set_now(jiff::Timestamp::now());
    account.add_order(cup(buyer).status(done));
    account.behaviour.status_bumps_updated_at = false;
    let sim = crm(account);
    let shop = shop(&sim);
    // With other settings than before closed orders are looked at again in the next run; else once a day.
    let settings = json!({ "last_days": 30 });
    shop.run("orders", settings.clone());
    sim.account(|account| account.set_status(orders[1], cancelled));
    sim.reset_counts();
    let run = shop.run("orders", json!({ "last_days": 30, "look_back_days": 10 }));
    assert_eq!(1, run.report.updated, "{:?}", run.report);
    let stage = shop.order(orders[1])["stage"].clone();
    assert_eq!("Скасовано", shop.name("order-stages", &stage));
    let run = shop.run("orders", json!({ "last_days": 30, "look_back_days": 10 }));
    assert_eq!(0, run.report.updated, "{:?}", run.report);
}

// ---- money

#[test]
fn noise_of_floats_is_no_money() {
    let (mut account, buyer) = with_buyer();
    account.behaviour.numbers = Numbers::Noisy;
    let line = NewLine::named("Чашка").sku("CUP-1").price("19.99");
    let order = NewOrder::new()
        .buyer(buyer)
        .line(line.quantity("3"))
        .shipping_price("50")
        .paid("109.97");
    let order = account.add_order(order);
    let sim = crm(account);
    let shop = shop(&sim);
    let run = shop.run("orders", year());
    assert_eq!((1, 0, 0, 0), run.counts(), "{:?}", run.report);
    let order = shop.order(order);
    let line = &order["lines"][0];
    assert_eq!("19.99".parse(), Ok(decimal(&line["price"])));
    assert_eq!(Decimal::from(3), decimal(&line["quantity"]));
    assert_eq!(Decimal::ZERO, decimal(&line["discount"]));
    assert_eq!(Decimal::ZERO, decimal(&order["discount"]));
    assert_eq!(0, order["charges"].as_array().unwrap().len(), "{order}");
    assert_eq!("109.97".parse(), Ok(decimal(&order["total"])));
    assert_eq!(
        "109.97".parse(),
        Ok(decimal(&order["payments"][0]["amount"]))
    );
}

#[test]
fn the_account_stands_on_an_order_before_any_payment_and_leaves_with_the_last() {
    let (mut account, buyer) = with_buyer();
    let cancelled = account.add_status("Скасовано", 6);
    let order = account.add_order(cup(buyer));
    let refused = account.add_order(cup(buyer).status(cancelled));
    let sim = crm(account);
    let shop = shop(&sim);
    shop.load("accounts", json!([{ "key": "cash", "name": "Каса" }]));
    let settings = year_with(json!({ "account": "cash" }));
    shop.run("orders", settings.clone());
    let payments = shop.order(order)["payments"].clone();
    assert_eq!(1, payments.as_array().unwrap().len(), "{payments}");
    assert_eq!("cash", payments[0]["account"]);
    assert!(payments[0]["paid_at"].is_null());
    assert_eq!("120.50".parse(), Ok(decimal(&payments[0]["amount"])));
    assert_eq!(json!([]), shop.order(refused)["payments"]);

    sim.account(|account| account.add_payment(order, Decimal::new(12_050, 2)));
    shop.run("orders", settings);
    let payments = shop.order(order)["payments"].clone();
    assert_eq!(1, payments.as_array().unwrap().len(), "{payments}");
    assert!(payments[0]["paid_at"].is_string(), "{payments}");
}

#[test]
fn the_organization_and_the_warehouse_of_an_order_are_those_of_its_author() {
    let (mut account, buyer) = with_buyer();
    let olena = account.add_user("Олена", "Г");
    let own = account.add_order(cup(buyer).manager(olena));
    let other = account.add_order(cup(buyer));
    let sim = crm(account);
    let shop = shop(&sim);
    shop.load(
        "organizations",
        json!([{ "key": "main", "name": "ФОП Коваль" }]),
    );
    shop.load("warehouses", json!([{ "key": "kyiv", "name": "Київ" }]));
    shop.load(
        "users",
        json!([
            { "key": "bot", "name": "Обмін", "organization": "main" },
            { "key": "olena", "name": "Олена", "organization": "main", "warehouse": "kyiv" },
        ]),
    );
    let users = json!({ "author": "bot", "users": { olena.to_string(): "olena" } });
    let run = shop.run("orders", year_with(users.clone()));
    assert_eq!((2, 0, 0, 0), run.counts(), "{:?}", run.report);
    for (number, author, warehouse) in [(own, "olena", json!("kyiv")), (other, "bot", json!(null))]
    {
        let order = shop.order(number);
        assert_eq!(author, order["author"]);
        assert_eq!("main", order["organization"]);
        assert_eq!(warehouse, order["warehouse"]);
    }

    // Other defaults are for all orders, as if they had been so from the beginning.
    shop.load(
        "users",
        json!([{ "key": "bot", "name": "Обмін", "organization": "main", "warehouse": "kyiv" }]),
    );
    let run = shop.run("orders", year_with(users));
    assert_eq!((0, 1, 1, 0), run.counts(), "{:?}", run.report);
    assert_eq!("kyiv", shop.order(other)["warehouse"]);
}

#[test]
fn charges_are_named_in_the_language_of_the_tenant() {
    for (language, wrap) in [
        ("uk", "Подарункова упаковка"),
        ("ru", "Подарочная упаковка"),
        ("en", "Gift wrap"),
    ] {
        let (mut account, buyer) = with_buyer();
        let order = account.add_order(cup(buyer));
        account.order_mut(order).wrap_price = Some(Decimal::from(15));
        let sim = crm(account);
        let shop = shop(&sim).placed("Europe/Kyiv", language, "UAH");
        shop.run("orders", year());
        assert_eq!(wrap, shop.order(order)["charges"][0]["name"]);
    }
}

#[test]
fn what_tells_the_item_of_a_line_stands_on_the_line_where_it_is_no_variant() {
    let (mut account, buyer) = with_buyer();
    let line = NewLine::named("Футболка").price("300");
    let line = line.properties(&[("Колір", "Червоний"), ("Розмір", "M")]);
    let order = account.add_order(NewOrder::new().buyer(buyer).line(line));
    let sim = crm(account);
    let shop = shop(&sim);
    shop.run("orders", year());
    let told = shop.order(order)["lines"][0]["attributes"].to_string();
    assert!(
        told.contains("Червоний") && told.contains("Розмір"),
        "{told}"
    );
}
