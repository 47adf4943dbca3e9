//! Orders of customers and orders to suppliers: numbers, positions, sums, statuses.

use anyhow::Result;
use serde_json::{Value, json};
use tenon_simulators::moysklad::{
    Account, Id, Kind, NewCounterparty, NewOrder, NewProduct, Simulator,
};

use crate::client::{delete, get, good, json, meta, names, of, over, path, post, put, rows, text};

struct Shop {
    sim: Simulator,
    buyer: Id,
    item: Id,
}

fn shop() -> Result<Shop> {
    let mut account = Account::empty();
    let buyer = account.add_counterparty(NewCounterparty::new("Покупатель"));
    let item = account.add_product(NewProduct::new("Фильтр"));
    let sim = over(account)?;
    Ok(Shop { sim, buyer, item })
}

impl Shop {
    fn order(&self, more: Value) -> Value {
        let organization = self.sim.account(|account| account.home.organization);
        let mut order = json!({
            "agent": meta(&self.sim, Kind::Counterparty, self.buyer),
            "organization": meta(&self.sim, Kind::Organization, organization),
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            order[field] = value.clone();
        }
        order
    }

    fn line(&self, more: Value) -> Value {
        let mut line =
            json!({ "assortment": meta(&self.sim, Kind::Product, self.item), "quantity": 1 });
        for (field, value) in more.as_object().into_iter().flatten() {
            line[field] = value.clone();
        }
        line
    }

    fn place(&self, more: Value) -> Result<Value> {
        good(post(&self.sim, "/entity/customerorder", &self.order(more))?)
    }
}

fn at(order: &Value) -> String {
    format!("/entity/customerorder/{}", text(&order["id"]))
}

#[test]
fn an_order_needs_an_agent_and_a_legal_entity() -> Result<()> {
    let shop = shop()?;
    let post = |body: &Value| post(&shop.sim, "/entity/customerorder", body);
    let refused = post(&json!({}))?;
    assert_eq!(refused.refusal(), (412, 3000));
    let mut order = shop.order(json!({}));
    order["agent"] = meta(&shop.sim, Kind::Product, shop.item);
    assert_eq!(post(&order)?.refusal(), (400, 2027));
    let made = good(post(&shop.order(json!({})))?)?;
    assert_eq!(made["name"], "00001");
    assert_eq!(made["applicable"], true);
    assert_eq!(made["rate"]["currency"]["meta"]["type"], "currency");
    assert_eq!(made["positions"]["meta"]["size"], 0);
    assert_eq!(made["positions"]["meta"]["type"], "customerorderposition");
    Ok(())
}

#[test]
fn a_number_may_be_given_once_and_is_found_otherwise() -> Result<()> {
    let shop = shop()?;
    shop.place(json!({ "name": "SHOP-1" }))?;
    let same = shop.order(json!({ "name": "SHOP-1" }));
    let refused = post(&shop.sim, "/entity/customerorder", &same)?;
    assert_eq!(refused.refusal(), (412, 3006));
    assert_eq!(refused.json()?["errors"][0]["parameter"], "name");
    assert_eq!(shop.place(json!({}))?["name"], "00001");
    shop.place(json!({ "name": "00002" }))?;
    assert_eq!(shop.place(json!({}))?["name"], "00003");
    shop.sim
        .account(|account| account.behaviour.unique_numbers = false);
    assert_eq!(shop.place(json!({ "name": "SHOP-1" }))?["name"], "SHOP-1");
    Ok(())
}

#[test]
fn sums_follow_from_the_positions() -> Result<()> {
    let shop = shop()?;
    let order = shop.place(json!({ "positions": [
        shop.line(json!({ "quantity": 3, "price": 10000, "discount": 10, "vat": 20 })),
        shop.line(json!({ "quantity": 0.5, "price": 333.0, "reserve": 0.5 })),
    ] }))?;
    assert_eq!(order["sum"], json!(27167.0));
    assert_eq!(order["vatSum"], json!(4500.0));
    assert_eq!(order["reservedSum"], json!(167.0));
    assert_eq!(order["positions"]["rows"], Value::Null);
    let without = good(put(
        &shop.sim,
        &at(&order),
        &json!({ "vatIncluded": false }),
    )?)?;
    assert_eq!(without["vatSum"], json!(5400.0));
    assert_eq!(without["sum"], json!(32567.0));
    Ok(())
}

#[test]
fn positions_that_cannot_be_are_refused() -> Result<()> {
    let shop = shop()?;
    for (line, code) in [
        (json!({ "quantity": 0 }), 3003),
        (json!({ "quantity": null }), 3000),
        (json!({ "price": -1 }), 3002),
        (json!({ "discount": 101 }), 17008),
        (json!({ "reserve": 2 }), 17003),
        (json!({ "vat": 20, "vatEnabled": false }), 17021),
        (json!({ "assortment": { "meta": {} } }), 2010),
    ] {
        let order = shop.order(json!({ "positions": [shop.line(line.clone())] }));
        let answer = post(&shop.sim, "/entity/customerorder", &order)?;
        assert_eq!(answer.code(), code, "{line}");
    }
    assert_eq!(json(&shop.sim, "/entity/customerorder")?["meta"]["size"], 0);
    Ok(())
}

#[test]
fn positions_sent_replace_those_there_and_positions_not_sent_stay() -> Result<()> {
    let shop = shop()?;
    let order = shop.place(json!({ "positions": [
        shop.line(json!({ "price": 100 })),
        shop.line(json!({ "price": 200 })),
    ] }))?;
    let at = at(&order);
    let positions = format!("{at}/positions");
    good(put(&shop.sim, &at, &json!({ "description": "срочно" }))?)?;
    let before = rows(&shop.sim, &positions)?;
    assert_eq!(before.len(), 2);
    let sent = json!({ "positions": [
        { "id": before[1]["id"], "quantity": 5 },
        shop.line(json!({ "price": 300 })),
    ] });
    let after = good(put(&shop.sim, &format!("{at}?expand=positions"), &sent)?)?;
    let rows_after = &after["positions"]["rows"];
    assert_eq!(rows_after.as_array().map(Vec::len), Some(2));
    assert_eq!(rows_after[0]["id"], before[1]["id"]);
    assert_eq!(rows_after[0]["price"], json!(200.0));
    assert_eq!(rows_after[0]["quantity"], json!(5.0));
    assert_eq!(rows_after[1]["price"], json!(300.0));
    assert_eq!(after["sum"], json!(1300.0));
    let unknown = json!({ "positions": [{ "id": before[0]["id"], "quantity": 1 }] });
    assert_eq!(put(&shop.sim, &at, &unknown)?.refusal(), (404, 1021));
    let empty = good(put(&shop.sim, &at, &json!({ "positions": [] }))?)?;
    assert_eq!(empty["sum"], json!(0.0));
    Ok(())
}

#[test]
fn positions_may_come_as_an_object_with_rows() -> Result<()> {
    let shop = shop()?;
    let rows = json!({ "positions": { "rows": [shop.line(json!({ "price": 100 }))] } });
    assert_eq!(shop.place(rows.clone())?["sum"], json!(100.0));
    shop.sim
        .account(|account| account.behaviour.positions_in_rows = false);
    let refused = post(&shop.sim, "/entity/customerorder", &shop.order(rows))?;
    assert_eq!(refused.code(), 2016);
    Ok(())
}

#[test]
fn positions_are_added_changed_and_deleted_on_their_own() -> Result<()> {
    let shop = shop()?;
    let order = shop.place(json!({ "positions": [shop.line(json!({ "price": 100 }))] }))?;
    let at = at(&order);
    let positions = format!("{at}/positions");
    let added = good(post(
        &shop.sim,
        &positions,
        &json!([
            shop.line(json!({ "price": 200 })),
            shop.line(json!({ "price": 300 })),
        ]),
    )?)?;
    assert_eq!(added.as_array().map(Vec::len), Some(2));
    assert_eq!(json(&shop.sim, &at)?["sum"], json!(600.0));
    let second = format!("{positions}/{}", text(&added[0]["id"]));
    let changed = good(put(
        &shop.sim,
        &second,
        &json!({ "quantity": 2, "reserve": 2 }),
    )?)?;
    assert_eq!(changed["reserve"], json!(2.0));
    assert_eq!(json(&shop.sim, &at)?["reservedSum"], json!(400.0));
    assert_eq!(json(&shop.sim, &second)?["price"], json!(200.0));
    assert_eq!(delete(&shop.sim, &second)?.status, 200);
    assert_eq!(get(&shop.sim, &second)?.status, 404);
    assert_eq!(json(&shop.sim, &at)?["sum"], json!(400.0));
    let gone = json!([of(&added[1]), of(&added[0])]);
    let told = post(&shop.sim, &format!("{positions}/delete"), &gone)?;
    assert_eq!(told.status, 400);
    assert!(told.json()?[0]["info"].is_string());
    assert_eq!(told.json()?[1]["errors"][0]["code"], 1021);
    assert_eq!(rows(&shop.sim, &positions)?.len(), 1);
    let refused = post(
        &shop.sim,
        &positions,
        &json!([shop.line(json!({})), shop.line(json!({ "quantity": 0 }))]),
    )?;
    assert_eq!(refused.code(), 3003);
    assert_eq!(rows(&shop.sim, &positions)?.len(), 1);
    Ok(())
}

#[test]
fn the_seconds_of_a_document_s_moment_do_not_count() -> Result<()> {
    let shop = shop()?;
    let order = shop.place(json!({ "moment": "2026-05-04 12:30:59.999", "deliveryPlannedMoment": "2026-05-05 10:00:30" }))?;
    assert_eq!(order["moment"], "2026-05-04 12:30:00.000");
    assert_eq!(order["deliveryPlannedMoment"], "2026-05-05 10:00:00.000");
    let wrong = shop.order(json!({ "moment": "2026-05-04T12:30:00Z" }));
    assert_eq!(
        post(&shop.sim, "/entity/customerorder", &wrong)?.code(),
        2016
    );
    Ok(())
}

#[test]
fn statuses_are_listed_set_and_cleared() -> Result<()> {
    let shop = shop()?;
    let metadata = json(&shop.sim, "/entity/customerorder/metadata")?;
    assert_eq!(metadata["states"].as_array().map(Vec::len), Some(7));
    assert_eq!(metadata["states"][0]["name"], "Новый");
    assert_eq!(metadata["states"][0]["stateType"], "Regular");
    let order = shop.place(json!({ "state": of(&metadata["states"][1]) }))?;
    let at = at(&order);
    let shown = json(&shop.sim, &format!("{at}?expand=state"))?;
    assert_eq!(shown["state"]["name"], "Подтвержден");
    assert_eq!(
        good(put(&shop.sim, &at, &json!({ "state": null }))?)?["state"],
        Value::Null
    );
    let states = "/entity/customerorder/metadata/states";
    let new = good(post(
        &shop.sim,
        states,
        &json!({ "name": "Ждет", "color": 255, "stateType": "Regular" }),
    )?)?;
    assert_eq!(new["entityType"], "customerorder");
    let one = format!("{states}/{}", text(&new["id"]));
    assert_eq!(
        good(put(&shop.sim, &one, &json!({ "name": "Ждём" }))?)?["name"],
        "Ждём"
    );
    good(put(&shop.sim, &at, &json!({ "state": of(&new) }))?)?;
    assert_eq!(delete(&shop.sim, &one)?.refusal(), (409, 1028));
    let foreign = of(&json(&shop.sim, "/entity/purchaseorder/metadata")?["states"][0]);
    assert_eq!(
        put(&shop.sim, &at, &json!({ "state": foreign }))?.code(),
        11002
    );
    Ok(())
}

#[test]
fn a_bank_account_has_to_belong_to_the_agent() -> Result<()> {
    let shop = shop()?;
    let with_account = |name: &str| -> Result<Value> {
        let body = json!({ "name": name, "accounts": [{ "accountNumber": "1" }] });
        good(post(&shop.sim, "/entity/counterparty", &body)?)
    };
    let (own, other) = (with_account("A")?, with_account("B")?);
    let account = |agent: &Value| -> Result<Value> {
        let at = format!("/entity/counterparty/{}/accounts", text(&agent["id"]));
        Ok(of(&rows(&shop.sim, &at)?[0]))
    };
    let order = shop.place(json!({ "agent": of(&own), "agentAccount": account(&own)? }))?;
    assert_eq!(order["agentAccount"]["meta"]["type"], "account");
    let change = json!({ "agentAccount": account(&other)? });
    assert_eq!(put(&shop.sim, &at(&order), &change)?.code(), 17001);
    let both = json!({ "agent": of(&other), "agentAccount": account(&other)? });
    assert_eq!(put(&shop.sim, &at(&order), &both)?.status, 200);
    Ok(())
}

#[test]
fn orders_to_suppliers_refer_to_the_orders_they_are_for() -> Result<()> {
    let shop = shop()?;
    let order = shop.place(json!({}))?;
    let purchase = shop.order(json!({
        "customerOrders": [of(&order)],
        "positions": [shop.line(json!({ "quantity": 4, "price": 50 }))],
    }));
    let made = good(post(&shop.sim, "/entity/purchaseorder", &purchase)?)?;
    assert_eq!(made["waitSum"], json!(200.0));
    assert_eq!(made["positions"]["meta"]["type"], "purchaseorderposition");
    assert_eq!(
        made["customerOrders"][0]["meta"]["href"],
        order["meta"]["href"]
    );
    let shown = json(&shop.sim, &at(&order))?;
    assert_eq!(
        shown["purchaseOrders"][0]["meta"]["href"],
        made["meta"]["href"]
    );
    let bundle = shop
        .sim
        .account(|account| account.add_bundle("Набор", &[(shop.item, "1")]));
    let line = shop.line(json!({ "assortment": meta(&shop.sim, Kind::Bundle, bundle) }));
    let refused = shop.order(json!({ "positions": [line] }));
    assert_eq!(
        post(&shop.sim, "/entity/purchaseorder", &refused)?.code(),
        17016
    );
    Ok(())
}

#[test]
fn what_people_do_to_an_order_shows_in_it() -> Result<()> {
    let shop = shop()?;
    let (store, order) = shop.sim.account(|account| {
        let store = account.home.store;
        account.set_stock(shop.item, store, "10");
        let order = NewOrder::of(shop.buyer)
            .store(store)
            .line(shop.item, "2", "15")
            .reserve("2");
        (store, account.add_order(order))
    });
    let at = path(Kind::CustomerOrder, order);
    let before = json(&shop.sim, &at)?;
    assert_eq!(
        (&before["sum"], &before["reservedSum"]),
        (&json!(3000.0), &json!(3000.0))
    );
    shop.sim.account(|account| {
        account.pay(order, "10.50");
        account.ship(order);
    });
    let after = json(&shop.sim, &at)?;
    assert_eq!(after["payedSum"], json!(1050.0));
    assert_eq!(after["shippedSum"], json!(3000.0));
    assert_eq!(after["reservedSum"], json!(0.0));
    assert!(text(&after["updated"]) > text(&before["updated"]));
    let level = shop
        .sim
        .account(|account| account.stock_level(shop.item, store));
    assert_eq!(
        (level.stock.to_string(), level.reserve.to_string()),
        ("8".to_owned(), "0".to_owned())
    );
    Ok(())
}

#[test]
fn stock_comes_with_positions_only_when_asked_for() -> Result<()> {
    let shop = shop()?;
    let store = shop.sim.account(|account| {
        let store = account.home.store;
        account.set_stock(shop.item, store, "10");
        store
    });
    let order = shop.place(json!({
        "store": meta(&shop.sim, Kind::Store, store),
        "positions": [shop.line(json!({ "quantity": 2, "reserve": 2 }))],
    }))?;
    let at = at(&order);
    let plain = json(&shop.sim, &format!("{at}?expand=positions"))?;
    assert_eq!(plain["positions"]["rows"][0]["stock"], Value::Null);
    let shown = json(&shop.sim, &format!("{at}?expand=positions&fields=stock"))?;
    let stock = &shown["positions"]["rows"][0]["stock"];
    assert_eq!(
        (&stock["quantity"], &stock["available"]),
        (&json!(10.0), &json!(8.0))
    );
    assert_eq!(
        get(&shop.sim, &format!("{at}?fields=nonsense"))?.code(),
        3043
    );
    assert_eq!(
        get(&shop.sim, &format!("{at}?fields=stock,declaration"))?.code(),
        3042
    );
    assert_eq!(names(&shop.sim, "/entity/customerorder")?, ["00001"]);
    Ok(())
}
