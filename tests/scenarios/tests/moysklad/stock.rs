//! Stock per store → price lists of the shop.

use jiff::SignedDuration;
use serde_json::{Value, json};
use tenon_host::report::Outcome;
use tenon_host::{Cause, RecordRef};
use tenon_simulators::moysklad::{Account, Id, Kind, NewCounterparty, NewOrder, NewProduct};

use crate::world::{Ask, Run, World, decimal};

/// A shop with two price lists, and two parts in two stores.
struct Shop {
    world: World,
    parts: [Id; 2],
    stores: [Id; 2],
}

fn shop() -> Shop {
    let mut account = Account::empty();
    let part = |code: &str| {
        NewProduct::new(code)
            .code(&format!("MAHLE {code}"))
            .article(code)
    };
    let parts = [
        account.add_product(part("A1")),
        account.add_product(part("B2")),
    ];
    let stores = [
        account.home.store,
        account.add_named(Kind::Store, "Магазин"),
    ];
    account.set_stock(parts[0], stores[0], "12");
    account.set_stock(parts[1], stores[0], "1.5");
    account.set_stock(parts[0], stores[1], "3");
    let world = World::of(account);
    world.load(
        "warehouses",
        json!([{ "key": "main", "name": "Центральный" }, { "key": "second", "name": "Филиал" }]),
    );
    world.run("products", json!({})).clean();
    Shop {
        world,
        parts,
        stores,
    }
}

impl Shop {
    fn lists(&self) -> Value {
        json!({ "price_lists": [
            { "price_list": "main", "store": self.stores[0].to_string(), "minutes": 5 },
            { "price_list": "second", "store": self.stores[1].to_string(), "minutes": 60 },
        ]})
    }

    /// On hand, reserved and free of a part in a price list; none where it has no level.
    fn level(&self, sku: &str, list: &str) -> Option<(String, String, String)> {
        let key = self.world.record("products", "sku", sku)["key"].clone();
        let mut levels = self.world.records("stock");
        levels.retain(|level| level["product"] == key && level["warehouse"] == list);
        let level = levels.pop()?;
        let text = |name: &str| decimal(&level[name]).normalize().to_string();
        Some((text("on_hand"), text("reserved"), text("available")))
    }

    fn now(&self) -> Run {
        self.world.asked("stock", self.lists()).clean()
    }

    /// A run of the schedule, when all price lists are due.
    fn in_time(&self) -> Run {
        self.let_pass(60);
        self.world.run("stock", self.lists()).clean()
    }
}

impl Shop {
    /// So many minutes go by for the connector.
    fn let_pass(&self, minutes: i64) {
        let file = self.world.folder.path().join("tenants/shop.sqlite");
        let file = rusqlite::Connection::open(file).expect("the file of the tenant");
        let mut kept = file
            .prepare("SELECT key, value FROM storage WHERE key LIKE 'stock/%'")
            .expect("a table");
        let kept: Vec<(String, Vec<u8>)> = kept
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("what is kept")
            .collect::<Result<_, _>>()
            .expect("what is kept");
        for (key, value) in kept {
            let mut moments: Value = serde_json::from_slice(&value).expect("JSON");
            for name in ["at", "whole", "looked"] {
                let moment = moments[name].as_i64().expect("a moment");
                // Nought is no moment: all is read again.
                if moment > 0 {
                    moments[name] = json!(moment - minutes * 60_000);
                }
            }
            let changed = file.execute(
                "UPDATE storage SET value = ?1 WHERE key = ?2",
                (moments.to_string().into_bytes(), key),
            );
            assert_eq!(Ok(1), changed);
        }
    }
}

fn level(on_hand: &str, reserved: &str, available: &str) -> Option<(String, String, String)> {
    Some((
        on_hand.to_owned(),
        reserved.to_owned(),
        available.to_owned(),
    ))
}

#[test]
fn each_price_list_shows_the_stock_of_its_store_with_reserve_and_free_apart() {
    let shop = shop();
    shop.world.sim.account(|account| {
        let buyer = account.add_counterparty(NewCounterparty::new("Иванов"));
        let order = NewOrder::of(buyer)
            .store(shop.stores[0])
            .line(shop.parts[0], "5", "100");
        account.add_order(order.reserve("4"));
    });
    shop.world.sim.reset_counts();
    let run = shop.world.run("stock", shop.lists()).clean();
    assert_eq!(level("12", "4", "8"), shop.level("A1", "main"));
    assert_eq!(level("1.5", "0", "1.5"), shop.level("B2", "main"));
    assert_eq!(level("3", "0", "3"), shop.level("A1", "second"));
    assert_eq!(
        2,
        shop.world.sim.total_requests(),
        "{:?}",
        shop.world.sim.requests()
    );
    let line = |name: &str| {
        let mut lines = run.log.iter();
        lines
            .find(|line| line.message.contains(name))
            .expect("a line per price list")
    };
    assert_eq!(Some("main"), line("“Центральный”").record.as_deref());
    assert!(
        line("“Центральный”")
            .message
            .contains("2 levels set, 0 products unknown")
    );
    assert_eq!(Some("second"), line("“Филиал”").record.as_deref());
}

#[test]
fn between_times_only_changes_are_read() {
    let shop = shop();
    shop.now();
    shop.world.sim.account(|account| {
        account.wait(SignedDuration::from_mins(30));
        account.set_stock(shop.parts[0], shop.stores[0], "0");
    });
    shop.world.sim.reset_counts();
    let run = shop.in_time();
    assert_eq!(level("0", "0", "0"), shop.level("A1", "main"));
    assert!(run.logged(&["“Центральный”", "changes read"]), "{run:#?}");
    for seen in shop.world.sim.recent_requests() {
        assert!(seen.parameter("changedSince").is_some(), "{seen:?}");
    }
}

#[test]
fn each_price_list_has_its_own_frequency() {
    let shop = shop();
    shop.world.run("stock", shop.lists()).clean();
    shop.world.sim.reset_counts();
    // Nothing is due so soon.
    shop.world.run("stock", shop.lists()).clean();
    assert_eq!(0, shop.world.sim.total_requests());

    let on_hand = |list: &str| shop.level("A1", list).map(|(on_hand, ..)| on_hand);
    shop.world.sim.account(|account| {
        account.set_stock(shop.parts[0], shop.stores[0], "7");
        account.set_stock(shop.parts[0], shop.stores[1], "8");
    });
    shop.let_pass(10);
    shop.world.run("stock", shop.lists()).clean();
    assert_eq!(Some("7".to_owned()), on_hand("main"), "every 5 minutes");
    assert_eq!(Some("3".to_owned()), on_hand("second"), "every hour");
    shop.let_pass(50);
    shop.world.run("stock", shop.lists()).clean();
    assert_eq!(Some("8".to_owned()), on_hand("second"));
}

#[test]
fn whoever_asks_for_a_price_list_gets_it_though_a_run_that_was_cut_has_done_it() {
    let shop = shop();
    let cut = Ask {
        cause: Cause::Asked,
        checkpoints: 1,
        ..Ask::default()
    };
    let run = shop.world.ask("stock", shop.lists(), &cut);
    assert_eq!(Outcome::Suspended, run.report.outcome);
    shop.world
        .sim
        .account(|account| account.set_stock(shop.parts[0], shop.stores[0], "7"));
    let named = Ask {
        argument: Some("main".to_owned()),
        ..Ask::default()
    };
    shop.world.ask("stock", shop.lists(), &named).clean();
    assert_eq!(level("7", "0", "7"), shop.level("A1", "main"));
    // And the run that was cut goes on with the other one.
    shop.world.sim.reset_counts();
    shop.now();
    assert_eq!(level("3", "0", "3"), shop.level("A1", "second"));
}

#[test]
fn an_empty_report_empties_no_price_list() {
    let mut account = Account::empty();
    account.add_product(NewProduct::new("A1").code("MAHLE A1").article("A1"));
    let store = account.home.store.to_string();
    let world = World::of(account);
    world.load(
        "warehouses",
        json!([{ "key": "main", "name": "Центральный" }]),
    );
    world.run("products", json!({})).clean();
    let key = world.records("products")[0]["key"].clone();
    world.load(
        "stock",
        json!([{
            "product": key, "warehouse": "main",
            "on_hand": "9", "reserved": "0", "available": "9",
        }]),
    );
    // It is what an account answers to who may see no stock.
    let lists = json!({ "price_lists": [{ "price_list": "main", "store": store }] });
    let run = world.run("stock", lists).clean();
    assert!(run.logged(&["report on stock is empty"]), "{run:#?}");
    assert_eq!("9", world.records("stock")[0]["on_hand"]);
}

#[test]
fn a_price_list_can_be_synchronised_at_once() {
    let shop = shop();
    shop.world.run("stock", shop.lists()).clean();
    shop.world.sim.account(|account| {
        account.set_stock(shop.parts[0], shop.stores[0], "7");
        account.set_stock(shop.parts[0], shop.stores[1], "8");
    });
    let action = Ask {
        cause: Cause::Action {
            action: "stock".to_owned(),
            target: RecordRef {
                kind: tenon_host::model::RecordKind::Warehouse,
                key: "second".to_owned(),
            },
        },
        ..Ask::default()
    };
    shop.world.ask("stock", shop.lists(), &action).clean();
    assert_eq!(level("8", "0", "8"), shop.level("A1", "second"));
    assert_eq!(
        level("12", "0", "12"),
        shop.level("A1", "main"),
        "only the one that was asked for"
    );

    let named = Ask {
        argument: Some("main".to_owned()),
        ..Ask::default()
    };
    shop.world.ask("stock", shop.lists(), &named).clean();
    assert_eq!(level("7", "0", "7"), shop.level("A1", "main"));
}

#[test]
fn a_product_that_the_shop_does_not_know_is_counted_and_is_no_error() {
    let shop = shop();
    shop.world.sim.account(|account| {
        let strange = account.add_product(NewProduct::new("Без кода"));
        account.set_stock(strange, shop.stores[0], "5");
    });
    let run = shop.now();
    assert!(
        run.logged(&["“Центральный”", "2 levels set, 1 products unknown"]),
        "{run:#?}"
    );
}

#[test]
fn levels_that_moysklad_does_not_know_become_zero() {
    let shop = shop();
    let key = shop.world.record("products", "sku", "B2")["key"].clone();
    let stale = json!([{
        "product": key, "warehouse": "second",
        "on_hand": "9", "reserved": "0", "available": "9",
    }]);
    shop.world.load("stock", stale);
    let run = shop.now();
    assert_eq!(level("0", "0", "0"), shop.level("B2", "second"));
    assert!(
        run.logged(&["1 levels that MoySklad does not know are zero now"]),
        "{run:#?}"
    );
}

#[test]
fn a_reserve_that_changes_alone_is_seen_with_the_stock_that_did_not() {
    let shop = shop();
    shop.now();
    shop.world.sim.account(|account| {
        account.wait(SignedDuration::from_mins(30));
        let buyer = account.add_counterparty(NewCounterparty::new("Иванов"));
        let order = NewOrder::of(buyer)
            .store(shop.stores[0])
            .line(shop.parts[0], "5", "100");
        account.add_order(order.reserve("5"));
    });
    shop.in_time();
    assert_eq!(level("12", "5", "7"), shop.level("A1", "main"));
}

#[test]
fn a_product_that_came_into_the_shop_later_gets_the_stock_it_had_all_along() {
    let shop = shop();
    let late = shop.world.sim.account(|account| {
        let late = account.add_product(NewProduct::new("C3").article("C3"));
        account.set_stock(late, shop.stores[0], "5");
        late
    });
    shop.now();
    shop.world.sim.account(|account| {
        account.wait(SignedDuration::from_hours(2));
        account.set_text(late, "code", "MAHLE C3");
    });
    shop.world.run("changes", json!({})).clean();
    shop.in_time();
    assert_eq!(level("5", "0", "5"), shop.level("C3", "main"));
}

#[test]
fn a_level_that_was_rejected_is_set_when_people_ask_although_it_did_not_change() {
    let shop = shop();
    let key = shop.world.record("products", "sku", "B2")["key"].clone();
    let key = key.as_str().expect("a key");
    shop.world.remove("products", key);
    let run = shop.world.asked("stock", shop.lists());
    assert_eq!(1, run.report.failed, "{:#?}", run.report.records);
    run.reason(key);
    // The card comes back; its stock was as it is long before anybody looked.
    shop.world.load(
        "products",
        json!([{ "key": key, "name": "B2", "brand": "MAHLE", "sku": "B2" }]),
    );
    shop.world
        .sim
        .account(|account| account.wait(SignedDuration::from_hours(1)));
    shop.let_pass(-30);
    shop.world.sim.reset_counts();
    let run = shop.now();
    assert_eq!(level("1.5", "0", "1.5"), shop.level("B2", "main"));
    assert!(
        run.logged(&["“Центральный”", "all levels read"]),
        "{run:#?}"
    );
    assert_eq!(2, shop.world.sim.total_requests());
}

#[test]
fn a_price_list_that_is_not_there_is_a_matter_for_the_admin() {
    let shop = shop();
    let wrong = json!({ "price_lists": [
        { "price_list": "none", "store": shop.stores[0].to_string() },
    ]});
    let run = shop.world.run("stock", wrong);
    assert_eq!(Outcome::Configuration, run.report.outcome);
    assert_eq!(Some("price_lists.0.price_list"), run.setting());
    assert!(run.report.error.unwrap().contains("does not have “none”"));
}

#[test]
fn a_run_that_is_stopped_after_one_price_list_goes_on_with_the_next() {
    let shop = shop();
    let ask = Ask {
        cause: Cause::Asked,
        checkpoints: 1,
        ..Ask::default()
    };
    let run = shop.world.ask("stock", shop.lists(), &ask);
    assert_eq!(Outcome::Suspended, run.report.outcome);
    assert_eq!(None, shop.level("A1", "second"));
    let run = shop.world.ask("stock", shop.lists(), &ask);
    assert_eq!(Outcome::Done, run.report.outcome);
    assert_eq!(level("3", "0", "3"), shop.level("A1", "second"));
}

#[test]
fn a_level_that_moysklad_is_still_working_out_stays_and_comes_with_the_next_run() {
    let shop = shop();
    shop.world.run("stock", shop.lists()).clean();
    shop.world.sim.account(|account| {
        account.behaviour.stock_at_once = false;
        account.set_stock(shop.parts[0], shop.stores[0], "7");
        account.set_stock(shop.parts[1], shop.stores[0], "0");
    });
    let run = shop.now();
    assert_eq!(level("12", "0", "12"), shop.level("A1", "main"));
    assert_eq!(level("1.5", "0", "1.5"), shop.level("B2", "main"));
    assert!(run.logged(&["“Центральный”", "2 levels"]), "{run:#?}");
    assert!(run.report.questions.is_empty());

    shop.world.sim.account(Account::recalculate_stock);
    // It is not due for another 5 minutes.
    shop.world.run("stock", shop.lists()).clean();
    assert_eq!(level("7", "0", "7"), shop.level("A1", "main"));
    assert_eq!(level("0", "0", "0"), shop.level("B2", "main"));
}

#[test]
fn a_change_that_moysklad_is_still_working_out_is_no_nought() {
    let shop = shop();
    shop.now();
    shop.world.sim.account(|account| {
        account.wait(SignedDuration::from_mins(30));
        account.behaviour.stock_at_once = false;
        account.set_stock(shop.parts[0], shop.stores[0], "7");
    });
    shop.in_time();
    assert_eq!(level("12", "0", "12"), shop.level("A1", "main"));
    shop.world.sim.account(Account::recalculate_stock);
    shop.world.run("stock", shop.lists()).clean();
    assert_eq!(level("7", "0", "7"), shop.level("A1", "main"));
}

#[test]
fn a_level_that_the_report_of_everything_leaves_out_stays() {
    let shop = shop();
    shop.now();
    let key = shop.world.record("products", "sku", "B2")["key"].clone();
    shop.world.load(
        "stock",
        json!([{
            "product": key, "warehouse": "second",
            "on_hand": "7", "reserved": "0", "available": "7",
        }]),
    );
    shop.now();
    assert_eq!(level("7", "0", "7"), shop.level("B2", "second"));
}

#[test]
fn a_price_list_that_is_given_another_store_shows_the_goods_of_that_one_alone() {
    let shop = shop();
    shop.now();
    let swapped = json!({ "price_lists": [
        { "price_list": "main", "store": shop.stores[1].to_string(), "minutes": 5 },
    ]});
    shop.let_pass(10);
    shop.world.run("stock", swapped).clean();
    assert_eq!(level("3", "0", "3"), shop.level("A1", "main"));
    assert_eq!(level("0", "0", "0"), shop.level("B2", "main"));
}

#[test]
fn stock_below_zero_is_shown_and_nothing_of_it_is_for_sale() {
    let shop = shop();
    shop.world
        .sim
        .account(|account| account.set_stock(shop.parts[0], shop.stores[0], "-4"));
    shop.now();
    assert_eq!(level("-4", "0", "0"), shop.level("A1", "main"));
    shop.world.sim.account(|account| {
        let buyer = account.add_counterparty(NewCounterparty::new("Иванов"));
        let order = NewOrder::of(buyer)
            .store(shop.stores[1])
            .line(shop.parts[0], "5", "100");
        account.add_order(order.reserve("5"));
    });
    shop.now();
    assert_eq!(level("3", "5", "0"), shop.level("A1", "second"));
}
