//! Refused lines, shop → MoySklad.

use serde_json::{Value, json};
use tenon_simulators::moysklad::Kind;

use crate::orders::{Shop, line, shop};

/// An order of two lines of which some are refused.
fn order(shop: &Shop, refused: [bool; 2]) {
    let mut lines = [
        line("1", &shop.keys[0], "1", "100"),
        line("2", &shop.keys[1], "2", "200"),
    ];
    for (line, refused) in lines.iter_mut().zip(refused) {
        line["refused"] = json!(refused);
    }
    shop.order("42", json!(lines));
}

fn sent(settings: Value) -> Shop {
    let shop = shop();
    order(&shop, [false, false]);
    shop.world.run("orders", settings).clean();
    assert_eq!(2, shop.positions().len());
    shop
}

#[test]
fn a_refused_line_is_deleted_once_and_only_when_that_is_switched_on() {
    let shop = sent(json!({}));
    order(&shop, [true, false]);
    shop.world.run("orders", json!({})).clean();
    assert_eq!(2, shop.positions().len());

    let on = json!({ "delete_refused": true });
    let shop = sent(on.clone());
    order(&shop, [true, false]);
    let run = shop.world.run("orders", on.clone()).clean();
    assert_eq!((0, 1, 0, 0), run.counts());
    let left = shop.positions();
    assert_eq!(1, left.len());
    assert_eq!(shop.parts[1], left[0].2);
    let change = &run.written[0].changes[0];
    assert_eq!(
        ("line 1", None),
        (change.field.as_str(), change.after.as_deref())
    );

    shop.world.sim.reset_counts();
    let run = shop.world.run("orders", on).clean();
    assert_eq!((0, 0, 1, 0), run.counts());
    assert_eq!(0, shop.world.writes());
}

#[test]
fn a_line_that_is_wanted_again_comes_back() {
    let on = json!({ "delete_refused": true });
    let shop = sent(on.clone());
    order(&shop, [true, false]);
    shop.world.run("orders", on.clone()).clean();
    order(&shop, [false, false]);
    shop.world.run("orders", on).clean();
    assert_eq!(2, shop.positions().len());
}

#[test]
fn of_an_order_whose_lines_are_all_refused_an_empty_one_is_kept() {
    let on = json!({ "delete_refused": true, "all_refused": "keep" });
    let shop = sent(on.clone());
    order(&shop, [true, true]);
    shop.world.run("orders", on.clone()).clean();
    assert!(shop.positions().is_empty());
    shop.world.sim.reset_counts();
    shop.world.run("orders", on).clean();
    assert_eq!(0, shop.world.writes());
}

#[test]
fn or_it_is_deleted_and_made_anew_should_somebody_want_something_of_it() {
    let on = json!({ "delete_refused": true, "all_refused": "delete" });
    let shop = sent(on.clone());
    order(&shop, [true, true]);
    shop.world.run("orders", on.clone()).clean();
    assert_eq!(0, shop.world.objects(Kind::CustomerOrder, |_, _| ()).len());
    assert_eq!(
        json!([]),
        shop.world.record("orders", "key", "42")["documents"]
    );
    let run = shop.world.run("orders", on.clone()).clean();
    assert_eq!((0, 0), (run.report.created, run.report.updated));

    order(&shop, [false, true]);
    shop.world.run("orders", on).clean();
    assert_eq!(1, shop.positions().len());
}

#[test]
fn or_it_gets_the_state_that_is_chosen_for_that() {
    let shop = shop();
    let state = shop
        .world
        .sim
        .account(|account| account.states(Kind::CustomerOrder)[6].id);
    let on = json!({
        "delete_refused": true, "all_refused": "state", "refused_state": state.to_string(),
    });
    order(&shop, [false, false]);
    shop.world.run("orders", on.clone()).clean();
    order(&shop, [true, true]);
    shop.world.run("orders", on.clone()).clean();
    let states = shop.world.objects(Kind::CustomerOrder, |_, order| {
        (
            order.rows("positions").len(),
            order.refers("state").map(|state| state.id),
        )
    });
    assert_eq!(vec![(0, Some(state))], states);
    shop.world.sim.reset_counts();
    shop.world.run("orders", on).clean();
    assert_eq!(0, shop.world.writes());
}

#[test]
fn an_order_refused_before_it_was_ever_sent_is_not_sent() {
    let shop = shop();
    order(&shop, [true, true]);
    let run = shop.world.run("orders", json!({})).clean();
    assert_eq!(2, run.report.created, "the partners alone");
    assert_eq!(0, shop.world.objects(Kind::CustomerOrder, |_, _| ()).len());
}

/// Quantity, reserve and shipped quantity of each position of the only order.
fn figures(shop: &Shop) -> Vec<(String, String, String)> {
    let mut orders = shop.world.objects(Kind::CustomerOrder, |_, order| {
        let rows = order.rows("positions").iter();
        rows.map(|row| {
            let number = |name: &str| row.number(name).normalize().to_string();
            (number("quantity"), number("reserve"), number("shipped"))
        })
        .collect()
    });
    assert_eq!(1, orders.len());
    orders.remove(0)
}

fn figure(quantity: &str, reserve: &str, shipped: &str) -> (String, String, String) {
    (quantity.to_owned(), reserve.to_owned(), shipped.to_owned())
}

#[test]
fn refused_lines_reserve_nothing_though_their_positions_stay() {
    let on = json!({ "reserve": true });
    let shop = sent(on.clone());
    assert_eq!(
        vec![figure("1", "1", "0"), figure("2", "2", "0")],
        figures(&shop)
    );
    order(&shop, [true, false]);
    shop.world.run("orders", on.clone()).clean();
    assert_eq!(
        vec![figure("1", "0", "0"), figure("2", "2", "0")],
        figures(&shop)
    );
    order(&shop, [true, true]);
    shop.world.run("orders", on.clone()).clean();
    assert_eq!(
        vec![figure("1", "0", "0"), figure("2", "0", "0")],
        figures(&shop)
    );
    shop.world.sim.reset_counts();
    shop.world.run("orders", on.clone()).clean();
    assert_eq!(0, shop.world.sim.total_requests());
    // Wanted again, they are reserved again.
    order(&shop, [false, true]);
    shop.world.run("orders", on).clean();
    assert_eq!(
        vec![figure("1", "1", "0"), figure("2", "0", "0")],
        figures(&shop)
    );
}

#[test]
fn what_was_refused_before_goes_once_that_is_switched_on() {
    let shop = sent(json!({}));
    order(&shop, [true, false]);
    shop.world.run("orders", json!({})).clean();
    assert_eq!(2, shop.positions().len());
    let on = json!({ "delete_refused": true });
    let run = shop.world.run("orders", on.clone()).clean();
    assert_eq!(1, shop.positions().len());
    assert!(run.logged(&["settings of orders have changed"]), "{run:#?}");
    shop.world.sim.reset_counts();
    shop.world.run("orders", on).clean();
    assert_eq!(0, shop.world.sim.total_requests());
}

#[test]
fn what_was_sent_before_is_reserved_once_that_is_switched_on_except_what_was_shipped() {
    let shop = sent(json!({}));
    shop.world.sim.account(|account| {
        let order = account.all(Kind::CustomerOrder)[0].id;
        account.ship_of(order, 1, "1");
    });
    let on = json!({ "reserve": true });
    shop.world.run("orders", on.clone()).clean();
    assert_eq!(
        vec![figure("1", "1", "0"), figure("2", "1", "1")],
        figures(&shop)
    );
    shop.world.run("orders", json!({})).clean();
    assert_eq!(
        vec![figure("1", "0", "0"), figure("2", "0", "1")],
        figures(&shop)
    );
}

#[test]
fn no_position_goes_below_what_was_shipped_of_it_and_people_are_told() {
    let on = json!({ "delete_refused": true });
    let shop = sent(on.clone());
    shop.world.sim.account(|account| {
        let order = account.all(Kind::CustomerOrder)[0].id;
        account.ship_of(order, 1, "1");
    });
    order(&shop, [true, true]);
    let run = shop.world.run("orders", on.clone()).clean();
    assert_eq!(vec![figure("1", "0", "1")], figures(&shop));
    assert!(run.logged(&["line “2”", "was shipped"]), "{run:#?}");
    shop.world.sim.reset_counts();
    shop.world.run("orders", on).clean();
    assert_eq!(0, shop.world.writes());
}

#[test]
fn an_order_that_was_shipped_or_paid_is_not_deleted_though_all_of_its_lines_are_refused() {
    let on = json!({ "delete_refused": true, "all_refused": "delete", "reserve": true });
    for is_paid in [true, false] {
        let shop = sent(on.clone());
        shop.world.sim.account(|account| {
            let order = account.all(Kind::CustomerOrder)[0].id;
            match is_paid {
                true => account.pay(order, "500"),
                false => account.ship_of(order, 1, "1"),
            }
        });
        order(&shop, [true, true]);
        let run = shop.world.run("orders", on.clone()).clean();
        assert!(run.logged(&["shipped or paid"]), "{run:#?}");
        let reserves = figures(&shop).into_iter().map(|(_, reserve, _)| reserve);
        assert_eq!(vec!["0", "0"], reserves.collect::<Vec<_>>());
    }
}

#[test]
fn a_line_without_a_name_is_told_by_its_article_or_its_number() {
    let shop = shop();
    for (sku, told) in [("", "line “7”"), ("OC90", "line “OC90”")] {
        let mut line = line("7", &shop.keys[0], "-1", "100");
        line["name"] = json!("");
        if !sku.is_empty() {
            line["sku"] = json!(sku);
        }
        shop.order("42", json!([line]));
        let run = shop.world.run("orders", json!({}));
        assert!(run.reason("42").contains(told), "{}", run.reason("42"));
    }
}
