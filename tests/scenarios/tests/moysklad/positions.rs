//! The positions of an order: whose they are, and that none is lost or doubled, however many there
//! are and whatever happens meanwhile.

use serde_json::{Value, json};
use tenon_host::report::Outcome;
use tenon_simulators::faults::{Fault, Rule};
use tenon_simulators::moysklad::{Account, Id, Kind, NewOrder, Record, Value as Field};

use crate::orders::{Shop, line, shop};
use crate::world::Ask;

/// A manager enters one more position in an order.
fn enter_position(account: &mut Account, order: Id, item: Id, pieces: &str) {
    let agent = account.get(order).refers("agent").expect("an agent").id;
    let sample = account.add_order(NewOrder::of(agent).line(item, pieces, "55"));
    let row = account.get(sample).rows("positions")[0].clone();
    account.delete(sample);
    change_rows(account, order, |rows| rows.push(row));
}

fn change_rows(account: &mut Account, order: Id, change: impl FnOnce(&mut Vec<Record>)) {
    account.change(order, |record| {
        let mut rows = record.rows("positions").to_vec();
        change(&mut rows);
        record.set("positions", Field::Rows(rows));
    });
}

fn only_order(account: &Account) -> Id {
    let orders = account.all(Kind::CustomerOrder);
    assert_eq!(1, orders.len());
    orders[0].id
}

/// Quantities of the only order's positions.
fn quantities(shop: &Shop) -> Vec<String> {
    let positions = shop.positions().into_iter();
    positions.map(|(quantity, _, _)| quantity).collect()
}

#[test]
fn a_position_that_a_manager_enters_while_the_order_is_changed_stays() {
    let shop = shop();
    let [_, b] = shop.parts;
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    shop.world.run("orders", json!({})).clean();
    // Between the look at the positions and the change of one.
    shop.world
        .sim
        .after_nth("GET /entity/customerorder", 1, move |account| {
            let order = only_order(account);
            enter_position(account, order, b, "7");
        });
    shop.order("42", json!([line("1", &shop.keys[0], "2", "100")]));
    shop.world.run("orders", json!({})).clean();
    assert_eq!(vec!["2", "7"], quantities(&shop));
}

#[test]
fn what_a_manager_changes_on_another_position_meanwhile_stays() {
    let shop = shop();
    let lines = |first: &str| {
        json!([
            line("1", &shop.keys[0], first, "100"),
            line("2", &shop.keys[1], "5", "60"),
        ])
    };
    shop.order("42", lines("1"));
    shop.world.run("orders", json!({})).clean();
    shop.world
        .sim
        .after_nth("GET /entity/customerorder", 1, |account| {
            let order = only_order(account);
            change_rows(account, order, |rows| {
                rows[1].set("quantity", Field::Number(4.into()));
            });
        });
    shop.order("42", lines("2"));
    shop.world.run("orders", json!({})).clean();
    assert_eq!(vec!["2", "4"], quantities(&shop));
}

#[test]
fn a_position_that_people_took_away_and_that_came_back_comes_back_once() {
    let shop = shop();
    let lines = |first: &str, second: &str| {
        json!([
            line("1", &shop.keys[0], first, "100"),
            line("2", &shop.keys[1], second, "60"),
        ])
    };
    shop.order("42", lines("1", "1"));
    shop.world.run("orders", json!({})).clean();
    shop.world.sim.account(|account| {
        let order = only_order(account);
        change_rows(account, order, |rows| {
            rows.remove(0);
        });
    });
    shop.order("42", lines("2", "1"));
    shop.world.run("orders", json!({})).clean();
    assert_eq!(2, shop.positions().len());
    shop.order("42", lines("2", "3"));
    shop.world.run("orders", json!({})).clean();
    let mut quantities = quantities(&shop);
    quantities.sort();
    assert_eq!(vec!["2", "3"], quantities);
}

#[test]
fn positions_are_told_apart_by_their_figures_in_whatever_order_they_come() {
    let shop = shop();
    let lines = |second: &str| {
        json!([
            line("1", &shop.keys[0], "1", "100"),
            line("2", &shop.keys[0], second, "100"),
        ])
    };
    shop.world
        .sim
        .after_nth("POST /entity/customerorder", 1, |account| {
            let order = only_order(account);
            change_rows(account, order, |rows| rows.reverse());
        });
    shop.order("42", lines("5"));
    shop.world.run("orders", json!({})).clean();
    shop.order("42", lines("6"));
    shop.world.run("orders", json!({})).clean();
    let mut quantities = quantities(&shop);
    quantities.sort();
    assert_eq!(vec!["1", "6"], quantities);
}

#[test]
fn an_order_that_was_sent_before_another_organization_was_chosen_is_changed_in_place() {
    let shop = shop();
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    shop.world.run("orders", json!({})).clean();
    let other = shop
        .world
        .sim
        .account(|account| account.add_named(Kind::Organization, "ООО Нева"));
    shop.order("42", json!([line("1", &shop.keys[0], "2", "100")]));
    let settings = json!({ "organization": other.to_string() });
    shop.world.run("orders", settings).clean();
    assert_eq!(vec!["2"], quantities(&shop));
}

#[test]
fn orders_that_cannot_be_sent_for_long_keep_no_other_from_its_turn() {
    let shop = shop();
    shop.world.load(
        "products",
        json!([
            { "key": "tyre", "name": "Шина", "brand": "NOKIAN", "sku": "R16" },
            { "key": "rim", "name": "Диск", "brand": "REPLAY", "sku": "D1" },
        ]),
    );
    for number in 100..250 {
        let key = format!("a{number}");
        shop.order(&key, json!([line("1", "tyre", "4", "5000")]));
    }
    shop.order("z", json!([line("1", "rim", "4", "5000")]));
    let run = shop.world.run("orders", json!({}));
    assert_eq!(151, run.report.failed);
    shop.world.product("REPLAY D1");
    for _ in 0..2 {
        shop.world.run("orders", json!({}));
    }
    assert_eq!(1, shop.positions().len(), "the last of 151 was sent");
}

// ---- more positions than one request can hold

/// Lines that take turns in two parts; the quantity tells one from another.
fn many(shop: &Shop, lines: usize, more: usize) -> Value {
    let lines = (0..lines).map(|number| {
        let quantity = (number + 1 + more).to_string();
        line(&number.to_string(), &shop.keys[number % 2], &quantity, "10")
    });
    lines.collect()
}

/// The quantities as numbers, in their order.
fn sorted(shop: &Shop) -> Vec<usize> {
    let quantities = quantities(shop).into_iter();
    let mut numbers: Vec<usize> = quantities
        .map(|quantity| quantity.parse().expect("a whole number"))
        .collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn an_order_of_1200_lines_is_made_in_two_requests_and_changed_in_place() {
    let shop = shop();
    shop.order("42", many(&shop, 1_200, 0));
    let run = shop.world.run("orders", json!({})).clean();
    assert_eq!(3, run.report.created);
    assert_eq!((1..=1_200).collect::<Vec<_>>(), sorted(&shop));
    let requests = |endpoint: &str| shop.world.sim.requests_to(endpoint);
    assert_eq!(1, requests("POST /entity/customerorder"));
    assert_eq!(1, requests("POST /entity/customerorder/{id}/positions"));

    shop.world.sim.reset_counts();
    let run = shop.world.run("orders", json!({})).clean();
    assert_eq!((0, 0, 1, 0), run.counts());
    assert_eq!(0, shop.world.sim.total_requests());

    // Fifty are refused, and twenty come new.
    let mut lines = many(&shop, 1_220, 0);
    for line in lines.as_array_mut().expect("lines").iter_mut().take(50) {
        line["refused"] = json!(true);
    }
    shop.order("42", lines);
    let on = json!({ "delete_refused": true });
    shop.world.run("orders", on).clean();
    assert_eq!((51..=1_220).collect::<Vec<_>>(), sorted(&shop));
    assert_eq!(2, shop.world.writes(), "{:?}", shop.world.sim.requests());
}

#[test]
fn positions_whose_addition_was_not_answered_are_not_added_twice() {
    for fault in [
        Fault::LostAnswer,
        Fault::Status(503),
        Fault::ConnectionReset,
    ] {
        let shop = shop();
        for endpoint in [
            "POST /entity/customerorder",
            "POST /entity/customerorder/{id}/positions",
        ] {
            let rule = Rule::new(fault.clone()).on(endpoint);
            shop.world.sim.faults().add(rule);
        }
        shop.order("42", many(&shop, 1_200, 0));
        shop.world.run("orders", json!({})).clean();
        assert_eq!((1..=1_200).collect::<Vec<_>>(), sorted(&shop), "{fault:?}");
        let rule = Rule::new(fault.clone()).on("POST /entity/customerorder/{id}/positions");
        shop.world.sim.faults().add(rule);
        shop.order("42", many(&shop, 1_201, 0));
        shop.world.run("orders", json!({})).clean();
        assert_eq!((1..=1_201).collect::<Vec<_>>(), sorted(&shop), "{fault:?}");
    }
}

#[test]
fn a_run_that_ends_between_the_two_requests_is_gone_on_with() {
    let shop = shop();
    let rule = Rule::new(Fault::Status(503))
        .on("POST /entity/customerorder/{id}/positions")
        .times(1_000);
    shop.world.sim.faults().add(rule);
    shop.order("42", many(&shop, 1_200, 0));
    let run = shop.world.run("orders", json!({}));
    assert_eq!(Outcome::Transient, run.report.outcome);
    assert_eq!(1_000, shop.positions().len());
    shop.world.sim.faults().clear();
    shop.world.sim.reset_counts();
    shop.world.run("orders", json!({})).clean();
    assert_eq!((1..=1_200).collect::<Vec<_>>(), sorted(&shop));
    // What is kept up of the document itself, and the positions that are missing.
    assert_eq!(2, shop.world.writes(), "{:?}", shop.world.sim.requests());
}

#[test]
fn no_run_changes_more_positions_of_an_order_than_moysklad_bears() {
    let shop = shop();
    shop.order("42", many(&shop, 150, 0));
    shop.world.run("orders", json!({})).clean();
    shop.order("42", many(&shop, 150, 1_000));
    shop.world.sim.reset_counts();
    let (before, _) = shop.world.sim.turned_away();
    let changes = "PUT /entity/customerorder/{id}/positions/{rowId}";
    let taken = || {
        // Those that came too fast were turned away and came again.
        let (after, _) = shop.world.sim.turned_away();
        shop.world.sim.requests_to(changes) - (after - before)
    };
    let run = shop.world.run("orders", json!({})).clean();
    assert_eq!(90, taken());
    assert!(
        run.logged(&["60 of its lines change with the next run"]),
        "{run:#?}"
    );
    shop.world.run("orders", json!({})).clean();
    assert_eq!((1_001..=1_150).collect::<Vec<_>>(), sorted(&shop));
    assert_eq!(150, taken());
    shop.world.run("orders", json!({})).clean();
    assert_eq!(150, taken());
}

#[test]
fn a_preview_of_a_change_tells_of_the_lines_and_moves_no_position() {
    let shop = shop();
    shop.order("42", json!([line("1", &shop.keys[0], "1", "100")]));
    shop.world.run("orders", json!({})).clean();
    shop.world.sim.reset_counts();
    shop.order("42", json!([line("2", &shop.keys[1], "3", "100")]));
    let preview = Ask {
        preview: true,
        ..Ask::default()
    };
    let run = shop.world.ask("orders", json!({}), &preview).clean();
    let mut fields: Vec<&str> = run.written[0]
        .changes
        .iter()
        .map(|change| change.field.as_str())
        .collect();
    fields.sort_unstable();
    assert_eq!(vec!["line 1", "line 2"], fields);
    assert_eq!(0, shop.world.writes());
    assert_eq!(vec!["1"], quantities(&shop));
}
