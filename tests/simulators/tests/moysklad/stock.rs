//! Reports on stock, short and extended.

use anyhow::Result;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tenon_simulators::moysklad::{Account, Id, Kind, NewOrder, NewProduct, Simulator};

use crate::client::{behaving, delete, get, json, over, path, put, rows, text};

struct Goods {
    account: Account,
    first: Id,
    second: Id,
    main: Id,
    shop: Id,
}

/// Two products: ten and four pieces of the first in two warehouses, the second sold out.
fn goods() -> Goods {
    let mut account = Account::empty();
    account.set_now("2026-03-10T09:00:00Z".parse().expect("a moment"));
    let first = account.add_product(
        NewProduct::new("A")
            .code("MAHLE OC90")
            .article("OC90")
            .price("10")
            .buy_price("7"),
    );
    let second = account.add_product(NewProduct::new("B"));
    account.add_product(NewProduct::new("never moved"));
    let main = account.home.store;
    let shop = account.add_named(Kind::Store, "Магазин");
    account.set_stock(first, main, "10");
    account.set_stock(first, shop, "4.5");
    account.set_stock(second, main, "0");
    Goods {
        account,
        first,
        second,
        main,
        shop,
    }
}

/// The rows of a short report as (thing, place, figure), in alphabetical order.
fn short(sim: &Simulator, query: &str, figure: &str) -> Result<Vec<(String, Value, Value)>> {
    let report = json(sim, query)?;
    let mut rows: Vec<_> = report
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| {
            (
                text(&row["assortmentId"]),
                row["storeId"].clone(),
                row[figure].clone(),
            )
        })
        .collect();
    rows.sort_by_key(|row| format!("{row:?}"));
    Ok(rows)
}

fn row(item: Id, store: Option<Id>, figure: Value) -> (String, Value, Value) {
    let store = store.map_or(Value::Null, |store| json!(store.to_string()));
    (item.to_string(), store, figure)
}

fn sorted(mut rows: Vec<(String, Value, Value)>) -> Vec<(String, Value, Value)> {
    rows.sort_by_key(|row| format!("{row:?}"));
    rows
}

#[test]
fn the_short_report_adds_up_warehouses_and_leaves_noughts_out() -> Result<()> {
    let goods = goods();
    let (first, second) = (goods.first, goods.second);
    let sim = over(goods.account)?;
    let at = "/report/stock/all/current";
    assert_eq!(short(&sim, at, "stock")?, [row(first, None, json!(14.5))]);
    let zeros = short(&sim, &format!("{at}?include=zeroLines"), "stock")?;
    assert_eq!(
        zeros,
        sorted(vec![
            row(first, None, json!(14.5)),
            row(second, None, json!(0))
        ])
    );
    assert_eq!(get(&sim, &format!("{at}?stockType=nonsense"))?.code(), 1040);
    Ok(())
}

#[test]
fn the_report_by_warehouses_knows_each_figure_by_its_name() -> Result<()> {
    let mut goods = goods();
    let (first, main, shop) = (goods.first, goods.main, goods.shop);
    let buyer = goods.account.add_counterparty(Default::default());
    goods.account.add_order(
        NewOrder::of(buyer)
            .store(main)
            .line(first, "3", "1")
            .reserve("3"),
    );
    goods
        .account
        .add_order(NewOrder::of(buyer).line(first, "1", "1").reserve("1"));
    goods
        .account
        .add_order(NewOrder::to(buyer).store(shop).line(first, "20", "1"));
    goods.account.add_order(
        NewOrder::of(buyer)
            .store(shop)
            .draft()
            .line(first, "2", "1")
            .reserve("2"),
    );
    let sim = over(goods.account)?;
    let by = |figure: &str| {
        short(
            &sim,
            &format!("/report/stock/bystore/current?stockType={figure}"),
            figure,
        )
    };
    assert_eq!(
        by("stock")?,
        sorted(vec![
            row(first, Some(main), json!(10)),
            row(first, Some(shop), json!(4.5)),
        ])
    );
    assert_eq!(
        by("freeStock")?,
        sorted(vec![
            row(first, Some(main), json!(7)),
            row(first, None, json!(-1)),
            row(first, Some(shop), json!(4.5)),
        ])
    );
    assert_eq!(
        by("quantity")?,
        sorted(vec![
            row(first, Some(main), json!(7)),
            row(first, None, json!(-1)),
            row(first, Some(shop), json!(24.5)),
        ])
    );
    assert_eq!(
        by("reserve")?,
        sorted(vec![
            row(first, Some(main), json!(3)),
            row(first, None, json!(1)),
        ])
    );
    assert_eq!(by("inTransit")?, [row(first, Some(shop), json!(20))]);
    Ok(())
}

#[test]
fn a_short_report_is_filtered_by_keys_and_not_by_addresses() -> Result<()> {
    let goods = goods();
    let (first, second, main, shop) = (goods.first, goods.second, goods.main, goods.shop);
    let sim = over(goods.account)?;
    let at = "/report/stock/bystore/current?include=zeroLines";
    let one = short(&sim, &format!("{at}&filter=assortmentId={second}"), "stock")?;
    assert_eq!(one, [row(second, Some(main), json!(0))]);
    let two = short(
        &sim,
        &format!("{at}&filter=assortmentId={first},{second};storeId={shop}"),
        "stock",
    )?;
    assert_eq!(two, [row(first, Some(shop), json!(4.5))]);
    let several = format!("{at}&filter=assortmentId={first}&filter=assortmentId={second}");
    assert_eq!(short(&sim, &several, "stock")?.len(), 3);
    let href = format!(
        "{at}&filter=assortmentId={}/entity/product/{first}",
        sim.url()
    );
    assert_eq!(get(&sim, &href)?.code(), 1052);
    assert_eq!(
        get(&sim, &format!("{at}&filter=store.id={shop}"))?.refusal(),
        (412, 1034)
    );
    Ok(())
}

#[test]
fn what_changed_since_a_moment_comes_with_its_present_figures() -> Result<()> {
    let mut goods = goods();
    let (first, second) = (goods.first, goods.second);
    goods.account.wait(SignedDuration::from_mins(30));
    goods.account.set_stock(first, goods.shop, "0");
    let sim = over(goods.account)?;
    let at = "/report/stock/bystore/current?changedSince=";
    let since = |moment: &str| short(&sim, &format!("{at}{moment}"), "stock");
    let changed = since("2026-03-10%2012:15:00")?;
    assert_eq!(changed, [row(first, Some(goods.shop), json!(0))]);
    assert_eq!(since("2026-03-10%2011:00:00")?.len(), 3);
    for wrong in ["2026-03-10%2013:00:00", "2026-03-09%2012:00:00"] {
        assert_eq!(get(&sim, &format!("{at}{wrong}"))?.code(), 1040, "{wrong}");
    }
    assert_eq!(get(&sim, &format!("{at}yesterday"))?.code(), 1035);
    let all = "/report/stock/all/current?changedSince=2026-03-10%2012:15:00";
    assert_eq!(short(&sim, all, "stock")?, [row(first, None, json!(10))]);
    assert_ne!(first, second);
    Ok(())
}

#[test]
fn what_is_archived_or_deleted_has_noughts_under_a_key_that_leads_nowhere() -> Result<()> {
    let mut goods = goods();
    let (first, second, main) = (goods.first, goods.second, goods.main);
    goods.account.set_stock(second, main, "3");
    let sim = over(goods.account)?;
    assert_eq!(delete(&sim, &path(Kind::Product, first))?.status, 200);
    put(
        &sim,
        &path(Kind::Product, second),
        &json!({ "archived": true }),
    )?;
    let at = "/report/stock/all/current";
    assert!(short(&sim, at, "stock")?.is_empty());
    let zeros = short(&sim, &format!("{at}?include=zeroLines"), "stock")?;
    assert_eq!(
        zeros,
        sorted(vec![
            row(first, None, json!(0)),
            row(second, None, json!(0))
        ])
    );
    assert_eq!(get(&sim, &path(Kind::Product, first))?.status, 404);
    put(
        &sim,
        &path(Kind::Product, second),
        &json!({ "archived": false }),
    )?;
    assert_eq!(short(&sim, at, "stock")?, [row(second, None, json!(3))]);
    Ok(())
}

#[test]
fn reports_may_lag_behind_until_they_are_recalculated() -> Result<()> {
    let goods = goods();
    let (first, main) = (goods.first, goods.main);
    let sim = behaving(goods.account, |behaviour| behaviour.stock_at_once = false)?;
    sim.account(|account| account.set_stock(first, main, "1"));
    let at = "/report/stock/bystore/current";
    let here = format!("{at}?filter=storeId={main}");
    assert_eq!(short(&sim, &here, "stock")?, [], "it is left out");
    let honest = format!("{here}&withRecalculate=true");
    assert_eq!(
        short(&sim, &honest, "stock")?,
        [row(first, Some(main), Value::Null)]
    );
    sim.account(Account::recalculate_stock);
    assert_eq!(
        short(&sim, &honest, "stock")?,
        [row(first, Some(main), json!(1))]
    );
    Ok(())
}

#[test]
fn a_bundle_reserves_what_it_is_made_of() -> Result<()> {
    let mut goods = goods();
    let (first, second, main) = (goods.first, goods.second, goods.main);
    let bundle = goods
        .account
        .add_bundle("Набор", &[(first, "2"), (second, "1")]);
    let buyer = goods.account.add_counterparty(Default::default());
    let order = goods.account.add_order(
        NewOrder::of(buyer)
            .store(main)
            .line(bundle, "2", "1")
            .reserve("2"),
    );
    let sim = over(goods.account)?;
    let at = "/report/stock/all/current?stockType=reserve";
    assert_eq!(
        short(&sim, at, "reserve")?,
        sorted(vec![
            row(first, None, json!(4)),
            row(second, None, json!(2))
        ])
    );
    assert_eq!(delete(&sim, &path(Kind::CustomerOrder, order))?.status, 200);
    assert!(short(&sim, at, "reserve")?.is_empty());
    Ok(())
}

#[test]
fn an_order_gives_its_reserve_back_when_its_positions_change() -> Result<()> {
    let mut goods = goods();
    let (first, main) = (goods.first, goods.main);
    let buyer = goods.account.add_counterparty(Default::default());
    let order = goods.account.add_order(
        NewOrder::of(buyer)
            .store(main)
            .line(first, "3", "1")
            .reserve("3"),
    );
    let sim = over(goods.account)?;
    let at = path(Kind::CustomerOrder, order);
    let reserved = || {
        short(
            &sim,
            "/report/stock/all/current?stockType=reserve",
            "reserve",
        )
    };
    assert_eq!(reserved()?, [row(first, None, json!(3))]);
    let position = &rows(&sim, &format!("{at}/positions"))?[0];
    let position = format!("{at}/positions/{}", text(&position["id"]));
    put(&sim, &position, &json!({ "reserve": 1 }))?;
    assert_eq!(reserved()?, [row(first, None, json!(1))]);
    put(&sim, &at, &json!({ "applicable": false }))?;
    assert!(reserved()?.is_empty());
    Ok(())
}

#[test]
fn the_extended_report_tells_of_goods_that_are_there() -> Result<()> {
    let goods = goods();
    let (first, main) = (goods.first, goods.main);
    let sim = over(goods.account)?;
    let report = json(&sim, "/report/stock/all")?;
    assert_eq!(report["meta"]["type"], "stock");
    assert_eq!(report["meta"]["size"], 1);
    assert_eq!(report["context"]["employee"]["type"], "employee");
    let row = &report["rows"][0];
    let href = text(&row["meta"]["href"]);
    assert!(
        href.ends_with(&format!("/entity/product/{first}?expand=supplier")),
        "{href}"
    );
    assert_eq!(
        (&row["stock"], &row["quantity"]),
        (&json!(14.5), &json!(14.5))
    );
    assert_eq!(
        (&row["price"], &row["salePrice"]),
        (&json!(700.0), &json!(1000.0))
    );
    assert_eq!(
        (&row["code"], &row["article"]),
        (&json!("MAHLE OC90"), &json!("OC90"))
    );
    assert_eq!(row["uom"]["name"], "шт");
    let all = json(&sim, "/report/stock/all?filter=quantityMode=all")?;
    assert_eq!(all["meta"]["size"], 3);
    let store = format!(
        "/report/stock/all?filter=store={}/entity/store/{main}",
        sim.url()
    );
    assert_eq!(json(&sim, &store)?["rows"][0]["stock"], json!(10));
    assert_eq!(
        get(&sim, "/report/stock/all?filter=nonsense=1")?.refusal(),
        (412, 1034)
    );
    Ok(())
}

#[test]
fn the_extended_report_by_warehouses_has_every_warehouse_and_no_available_quantity() -> Result<()> {
    let goods = goods();
    let sim = over(goods.account)?;
    let report = json(&sim, "/report/stock/bystore")?;
    assert_eq!(report["meta"]["type"], "stockbystore");
    assert_eq!(report["meta"]["size"], 1);
    let stores = &report["rows"][0]["stockByStore"];
    assert_eq!(stores[0]["name"], "Основной склад");
    assert_eq!(
        (&stores[0]["stock"], &stores[1]["stock"]),
        (&json!(10), &json!(4.5))
    );
    assert_eq!(stores[0]["quantity"], Value::Null);
    Ok(())
}
