//! Making, changing and deleting in arrays, and knowing again what was made.

use anyhow::Result;
use serde_json::{Value, json};
use tenon_simulators::moysklad::{
    Account, DeletedDocuments, Kind, KnownSyncId, NewCounterparty, NewOrder, NewProduct,
    UnknownFields,
};

use crate::client::{behaving, delete, get, good, json, meta, names, over, path, post, put, text};

const SYNC_ID: &str = "0f0e0d0c-0b0a-4908-8706-050403020100";

#[test]
fn an_array_makes_what_is_new_and_changes_what_has_a_meta() -> Result<()> {
    let mut account = Account::empty();
    let known = account.add_product(NewProduct::new("A").article("OC90"));
    let sim = over(account)?;
    let mut change = meta(&sim, Kind::Product, known);
    change["name"] = json!("AA");
    let answer = post(&sim, "/entity/product", &json!([{ "name": "B" }, change]))?;
    assert_eq!(answer.status, 200);
    let saved = answer.json()?;
    assert_eq!(
        (&saved[0]["name"], &saved[1]["name"]),
        (&json!("B"), &json!("AA"))
    );
    assert_eq!(saved[1]["id"], known.to_string());
    assert_eq!(saved[1]["article"], "OC90");
    assert_eq!(saved[0]["updated"], saved[1]["updated"]);
    assert_eq!(names(&sim, "/entity/product")?, ["AA", "B"]);
    Ok(())
}

#[test]
fn a_failed_element_stands_at_its_place_and_the_others_are_saved() -> Result<()> {
    let sim = over(Account::empty())?;
    let body = json!([{ "name": "A" }, { "code": "no name" }, "text", { "name": "B" }]);
    let answer = post(&sim, "/entity/product", &body)?;
    assert_eq!(answer.status, 400);
    let saved = answer.json()?;
    assert_eq!(saved[0]["name"], "A");
    assert_eq!(saved[1]["errors"][0]["code"], 3000);
    assert_eq!(saved[2]["errors"][0]["code"], 2000);
    assert_eq!(saved[3]["name"], "B");
    assert_eq!(names(&sim, "/entity/product")?, ["A", "B"]);
    sim.account(|account| account.behaviour.mixed_bulk_status = 200);
    assert_eq!(
        post(&sim, "/entity/product", &json!([{ "code": "x" }]))?.status,
        200
    );
    let alias = post(&sim, "/entity/product/batch", &json!([{ "name": "C" }]))?;
    assert_eq!(alias.json()?[0]["name"], "C");
    Ok(())
}

#[test]
fn an_array_holds_a_thousand_elements_and_no_more() -> Result<()> {
    let sim = over(Account::empty())?;
    let many = |number: usize| {
        let all: Vec<Value> = (0..number)
            .map(|one| json!({ "name": format!("U{one}") }))
            .collect();
        post(&sim, "/entity/uom", &Value::Array(all))
    };
    let over = many(1001)?;
    assert_eq!(over.refusal(), (413, 2007));
    assert_eq!(json(&sim, "/entity/uom")?["meta"]["size"], 1);
    assert_eq!(many(1000)?.status, 200);
    assert_eq!(json(&sim, "/entity/uom")?["meta"]["size"], 1001);
    Ok(())
}

#[test]
fn a_repeated_creation_with_one_sync_id_makes_one_object() -> Result<()> {
    let sim = over(Account::empty())?;
    let make = |name: &str| {
        let body = json!({ "name": name, "syncId": SYNC_ID });
        good(post(&sim, "/entity/counterparty", &body)?)
    };
    let first = make("Первый")?;
    let second = make("Второй")?;
    assert_eq!(first["id"], second["id"]);
    assert_eq!(second["name"], "Первый");
    assert_eq!(json(&sim, "/entity/counterparty")?["meta"]["size"], 1);
    let found = names(
        &sim,
        &format!("/entity/counterparty?filter=syncId={SYNC_ID}"),
    )?;
    assert_eq!(found, ["Первый"]);
    sim.account(|account| account.behaviour.known_sync_id = KnownSyncId::Updated);
    assert_eq!(make("Второй")?["name"], "Второй");
    let at = format!("/entity/counterparty/{}", text(&first["id"]));
    let other = json!({ "syncId": "11111111-1111-4111-8111-111111111111" });
    assert_eq!(put(&sim, &at, &other)?.refusal(), (412, 1047));
    assert_eq!(put(&sim, &at, &json!({ "syncId": SYNC_ID }))?.status, 200);
    let by_sync_id = format!("/entity/counterparty/syncid/{SYNC_ID}");
    assert_eq!(delete(&sim, &by_sync_id)?.status, 200);
    assert_eq!(delete(&sim, &by_sync_id)?.code(), 1057);
    Ok(())
}

#[test]
fn what_is_deleted_is_gone_unless_something_needs_it() -> Result<()> {
    let mut account = Account::empty();
    let free = account.add_product(NewProduct::new("A"));
    let sold = account.add_product(NewProduct::new("B"));
    let buyer = account.add_counterparty(NewCounterparty::new("Покупатель"));
    account.add_order(NewOrder::of(buyer).line(sold, "1", "10"));
    let sim = over(account)?;
    let at = path(Kind::Product, free);
    let gone = delete(&sim, &at)?;
    assert_eq!((gone.status, gone.text.as_str()), (200, ""));
    assert_eq!(get(&sim, &at)?.refusal(), (404, 1021));
    let again = delete(&sim, &at)?;
    assert_eq!((again.status, again.text.as_str()), (404, ""));
    let needed = delete(&sim, &path(Kind::Product, sold))?;
    assert_eq!(needed.refusal(), (409, 1028));
    let dependency = &needed.json()?["errors"][0]["dependencies"][0];
    assert_eq!(dependency["type"], "customerorder");
    assert_eq!(delete(&sim, &path(Kind::Counterparty, buyer))?.status, 409);
    Ok(())
}

#[test]
fn a_product_takes_its_variants_with_it_unless_one_is_needed() -> Result<()> {
    let mut account = Account::empty();
    let product = account.add_product(NewProduct::new("A"));
    let side = account.add_characteristic("Сторона");
    let variant = account.add_variant(product, &[(side, "левая")]);
    let buyer = account.add_counterparty(Default::default());
    let order = account.add_order(NewOrder::of(buyer).line(variant, "1", "10"));
    let sim = over(account)?;
    let at = path(Kind::Product, product);
    assert_eq!(delete(&sim, &at)?.status, 409);
    assert_eq!(delete(&sim, &path(Kind::CustomerOrder, order))?.status, 200);
    assert_eq!(delete(&sim, &at)?.status, 200);
    assert_eq!(get(&sim, &path(Kind::Variant, variant))?.status, 404);
    Ok(())
}

#[test]
fn an_array_of_deletions_tells_of_each_element() -> Result<()> {
    let mut account = Account::empty();
    let product = account.add_product(NewProduct::new("A"));
    let store = account.home.store;
    let sim = over(account)?;
    let one = meta(&sim, Kind::Product, product);
    let body = json!([one, one, meta(&sim, Kind::Store, store)]);
    let answer = post(&sim, "/entity/product/delete", &body)?;
    assert_eq!(answer.status, 400);
    let told = answer.json()?;
    assert!(text(&told[0]["info"]).contains(&product.to_string()));
    assert_eq!(told[1]["errors"][0]["code"], 1021);
    assert_eq!(told[2]["errors"][0]["code"], 2024);
    assert_eq!(json(&sim, "/entity/product")?["meta"]["size"], 0);
    Ok(())
}

#[test]
fn fields_that_nobody_knows_are_passed_over_or_refused_on_update() -> Result<()> {
    let mut account = Account::empty();
    let product = account.add_product(NewProduct::new("A"));
    let sim = over(account)?;
    let at = path(Kind::Product, product);
    assert_eq!(put(&sim, &at, &json!({ "nonsense": 1 }))?.status, 200);
    sim.account(|account| {
        account.behaviour.unknown_fields = UnknownFields::RefusedOnUpdate;
    });
    assert_eq!(put(&sim, &at, &json!({ "nonsense": 1 }))?.code(), 1007);
    assert_eq!(
        post(
            &sim,
            "/entity/product",
            &json!({ "name": "B", "nonsense": 1 })
        )?
        .status,
        200
    );
    Ok(())
}

#[test]
fn a_document_goes_into_the_bin_or_for_good() -> Result<()> {
    let mut account = Account::empty();
    let buyer = account.add_counterparty(Default::default());
    let orders: Vec<_> = (0..3)
        .map(|_| account.add_order(NewOrder::of(buyer)))
        .collect();
    let sim = behaving(account, |behaviour| {
        behaviour.deleted_documents = DeletedDocuments::Binned;
    })?;
    let list = "/entity/customerorder";
    let at = |place: usize| path(Kind::CustomerOrder, orders[place]);
    assert_eq!(
        post(&sim, &format!("{}/trash", at(0)), &json!({}))?.status,
        200
    );
    assert_eq!(delete(&sim, &at(1))?.status, 200);
    assert_eq!(names(&sim, list)?, ["00003"]);
    let binned = "filter=isDeleted=true";
    assert_eq!(
        names(&sim, &format!("{list}?{binned}"))?,
        ["00001", "00002"]
    );
    assert_eq!(
        names(&sim, &format!("{list}?{binned};isDeleted=false"))?.len(),
        3
    );
    assert!(json(&sim, &at(0))?["deleted"].is_string());
    sim.account(|account| {
        account.behaviour.deleted_documents = DeletedDocuments::Gone;
        account.settings.recycle_bin = false;
    });
    assert_eq!(
        post(&sim, &format!("{}/trash", at(2)), &json!({}))?.code(),
        1067
    );
    assert_eq!(delete(&sim, &at(2))?.status, 200);
    assert_eq!(get(&sim, &at(2))?.status, 404);
    let store = sim.account(|account| account.home.store);
    let trash = format!("{}/trash", path(Kind::Store, store));
    assert_eq!(post(&sim, &trash, &json!({}))?.code(), 1066);
    Ok(())
}

#[test]
fn archiving_may_leave_the_moment_of_change_alone() -> Result<()> {
    let mut account = Account::empty();
    let product = account.add_product(NewProduct::new("A"));
    let sim = behaving(account, |behaviour| behaviour.archiving_updates = false)?;
    let at = path(Kind::Product, product);
    let before = json(&sim, &at)?["updated"].clone();
    let after = good(put(&sim, &at, &json!({ "archived": true }))?)?;
    assert_eq!(
        (&after["archived"], &after["updated"]),
        (&json!(true), &before)
    );
    Ok(())
}

#[test]
fn what_a_sync_id_is_filled_with_is_the_account_s_own_choice() -> Result<()> {
    let sim = behaving(Account::empty(), |behaviour| {
        behaviour.sync_id_filled = true
    })?;
    let made = good(post(&sim, "/entity/product", &json!({ "name": "A" }))?)?;
    assert_eq!(text(&made["syncId"]).len(), 36);
    Ok(())
}
