//! Lists: pages, filters, order, search, and what is followed.

use anyhow::Result;
use serde_json::json;
use tenon_simulators::moysklad::{
    Account, Archived, Kind, LimitOverMax, NewCounterparty, NewOrder, NewProduct,
};

use crate::client::{behaving, filter, get, json, meta, names, over, path, rows, text};

fn products(names: &[&str]) -> Account {
    let mut account = Account::empty();
    for name in names {
        account.add_product(NewProduct::new(name).code(name));
    }
    account
}

#[test]
fn pages_are_followed_by_their_own_addresses_to_the_end() -> Result<()> {
    let mut account = Account::empty();
    for number in 0..25 {
        account.add_product(NewProduct::new(&format!("P{number:02}")));
    }
    let sim = over(account)?;
    let first = json(&sim, "/entity/product?limit=10&filter=name~P")?;
    let page = &first["meta"];
    assert_eq!(
        (&page["size"], &page["limit"], &page["offset"]),
        (&json!(25), &json!(10), &json!(0))
    );
    assert_eq!(page["previousHref"], json!(null));
    let next = text(&page["nextHref"]);
    assert!(
        next.contains("limit=10") && next.contains("offset=10"),
        "{next}"
    );
    assert!(next.contains("filter=name~P"), "{next}");
    assert_eq!(first["context"]["employee"]["meta"]["type"], "employee");
    let all = names(&sim, "/entity/product?limit=10&filter=name~P")?;
    assert_eq!(all.len(), 25);
    assert_eq!(all[24], "P24");
    assert_eq!(sim.requests_to("GET /entity/product"), 4);
    let last = json(&sim, "/entity/product?limit=10&offset=20")?;
    assert_eq!(last["rows"].as_array().map(Vec::len), Some(5));
    assert_eq!(last["meta"]["nextHref"], json!(null));
    assert_eq!(json(&sim, "/entity/product?offset=100")?["rows"], json!([]));
    Ok(())
}

#[test]
fn a_page_is_a_thousand_rows_at_most_and_by_default() -> Result<()> {
    let sim = over(Account::empty())?;
    assert_eq!(json(&sim, "/entity/product")?["meta"]["limit"], 1000);
    assert_eq!(
        json(&sim, "/entity/product?limit=5000")?["meta"]["limit"],
        1000
    );
    assert_eq!(get(&sim, "/entity/product?limit=0")?.code(), 1040);
    assert_eq!(get(&sim, "/entity/product?limit=x")?.code(), 1040);
    let strict = behaving(Account::empty(), |behaviour| {
        behaviour.limit_over_max = LimitOverMax::Refuse;
    })?;
    assert_eq!(get(&strict, "/entity/product?limit=5000")?.code(), 1040);
    Ok(())
}

#[test]
fn references_are_followed_only_on_pages_of_a_hundred() -> Result<()> {
    let mut account = Account::empty();
    let folder = account.add_folder("Фильтры", None);
    account.add_product(NewProduct::new("A").folder(folder));
    let sim = over(account)?;
    let folder_of = |query: &str| -> Result<serde_json::Value> {
        Ok(json(&sim, &format!("/entity/product?{query}"))?["rows"][0]["productFolder"].take())
    };
    assert_eq!(
        folder_of("expand=productFolder&limit=100")?["name"],
        "Фильтры"
    );
    let bare = folder_of("expand=productFolder")?;
    assert_eq!(bare["name"], json!(null));
    assert_eq!(bare["meta"]["type"], "productfolder");
    assert_eq!(
        folder_of("expand=productFolder&limit=101")?["name"],
        json!(null)
    );
    Ok(())
}

#[test]
fn references_are_followed_three_levels_deep_and_no_deeper() -> Result<()> {
    let mut account = Account::empty();
    let supplier = account.add_counterparty(NewCounterparty::new("Поставщик"));
    let product = account.add_product(NewProduct::new("A").supplier(supplier));
    let side = account.add_characteristic("Сторона");
    let variant = account.add_variant(product, &[(side, "левая")]);
    let order = account.add_order(NewOrder::of(supplier).line(variant, "1", "10"));
    let sim = over(account)?;
    let at = path(Kind::CustomerOrder, order);
    let query = "expand=agent,positions.assortment.product.supplier";
    let order = json(&sim, &format!("{at}?{query}"))?;
    assert_eq!(order["agent"]["name"], "Поставщик");
    let item = &order["positions"]["rows"][0]["assortment"];
    assert_eq!(item["name"], "A (левая)");
    assert_eq!(item["product"]["meta"]["type"], "product");
    assert_eq!(item["product"]["name"], "A");
    assert_eq!(item["product"]["supplier"]["name"], json!(null));
    Ok(())
}

#[test]
fn values_of_one_field_are_alternatives_and_fields_restrict_each_other() -> Result<()> {
    let mut account = products(&["A", "B", "C"]);
    account.add_product(NewProduct::new("A").code("other"));
    let sim = over(account)?;
    let found = |text: &str| names(&sim, &format!("/entity/product?{}", filter(text)));
    assert_eq!(found("name=A;name=B")?, ["A", "A", "B"]);
    assert_eq!(found("name=A;code=other")?, ["A"]);
    assert_eq!(found("name!=A;name!=B")?, ["C"]);
    assert_eq!(found("code!=other")?, ["A", "B", "C"]);
    assert_eq!(found("article=")?.len(), 4);
    assert!(found("article!=")?.is_empty());
    Ok(())
}

#[test]
fn likeness_ignores_case_and_a_semicolon_is_escaped() -> Result<()> {
    let sim = over(products(&[
        "Фильтр масляный",
        "фильтр; салонный",
        "Насос",
        "a=b",
    ]))?;
    let found = |text: &str| names(&sim, &format!("/entity/product?{}", filter(text)));
    assert_eq!(found("name~ФИЛЬТР")?.len(), 2);
    assert_eq!(found("name~=нас")?, ["Насос"]);
    assert_eq!(found("name=~ный")?.len(), 2);
    assert_eq!(found(r"name=фильтр\; салонный")?, ["фильтр; салонный"]);
    assert_eq!(found("name=a=b")?, ["a=b"]);
    assert!(found("name=фильтр масляный")?.is_empty());
    Ok(())
}

#[test]
fn filters_that_the_list_does_not_know_are_refused_with_412() -> Result<()> {
    let sim = over(Account::empty())?;
    for (path, text, code) in [
        ("/entity/product", "nonsense=1", 1034),
        ("/entity/product", "productFolder=", 1034),
        ("/entity/product", "salePrices=1", 1034),
        ("/entity/product", "name", 1034),
        ("/entity/product", "name>1", 1034),
        ("/entity/product", "weight~1", 1034),
        ("/entity/product", "weight=1;weight>0", 1034),
        ("/entity/product", "updated>=yesterday", 1035),
        ("/entity/product", "archived=maybe", 1014),
        ("/entity/customerorder", "archived=true", 1034),
    ] {
        let answer = get(&sim, &format!("{path}?{}", filter(text)))?;
        assert_eq!(answer.refusal(), (412, code), "{path} {text}");
    }
    let order = get(&sim, "/entity/product?order=nonsense,asc")?;
    assert_eq!(order.refusal(), (412, 1063));
    Ok(())
}

#[test]
fn what_changed_since_a_moment_of_moscow_is_found_in_the_order_of_change() -> Result<()> {
    let mut account = products(&["A", "B", "C"]);
    account.set_now("2026-03-10T09:00:00Z".parse()?);
    let first = account.find(Kind::Product, "name", "A").map(|one| one.id);
    account.set_text(first.expect("A"), "description", "новое");
    account.set_now("2026-03-10T10:00:00Z".parse()?);
    account.add_product(NewProduct::new("D"));
    let sim = over(account)?;
    let since = |moment: &str, order: &str| -> Result<Vec<String>> {
        let query = filter(&format!("updated>={moment}"));
        let rows = rows(&sim, &format!("/entity/product?{query}&order={order}"))?;
        Ok(rows.iter().map(|row| text(&row["name"])).collect())
    };
    assert_eq!(since("2026-03-10 12:00:00", "updated,asc")?, ["A", "D"]);
    assert_eq!(since("2026-03-10 12:00:00", "updated,desc")?, ["D", "A"]);
    assert_eq!(since("2026-03-10 12:00:00.002", "updated")?, ["D"]);
    assert_eq!(since("2026-03-10 13:00", "updated;id,asc")?, ["D"]);
    let moments = rows(&sim, "/entity/product?order=updated,desc")?;
    assert_eq!(moments[0]["updated"], "2026-03-10 13:00:00.001");
    Ok(())
}

#[test]
fn archived_objects_come_only_when_asked_for() -> Result<()> {
    let mut account = products(&["A"]);
    account.add_product(NewProduct::new("Старый").archived());
    account.add_counterparty(NewCounterparty::new("Бывший").archived());
    let both = filter("archived=true;archived=false");
    let sim = over(account)?;
    assert_eq!(names(&sim, "/entity/product")?, ["A"]);
    assert_eq!(
        names(&sim, "/entity/product?filter=archived=true")?,
        ["Старый"]
    );
    assert_eq!(
        names(&sim, &format!("/entity/product?{both}"))?,
        ["A", "Старый"]
    );
    assert!(names(&sim, "/entity/counterparty")?.is_empty());
    sim.account(|account| {
        account.behaviour.archived = Archived::LeftOutOfAssortment;
    });
    assert_eq!(names(&sim, "/entity/counterparty")?, ["Бывший"]);
    assert_eq!(names(&sim, "/entity/assortment")?, ["A"]);
    Ok(())
}

#[test]
fn documents_are_found_by_what_they_refer_to() -> Result<()> {
    let mut account = Account::empty();
    let item = account.add_product(NewProduct::new("A"));
    let other = account.add_product(NewProduct::new("B"));
    let (one, two) = (
        account.add_counterparty(NewCounterparty::new("Один")),
        account.add_counterparty(NewCounterparty::new("Два")),
    );
    let state = account.states(Kind::CustomerOrder)[1].id;
    account.add_order(
        NewOrder::of(one)
            .name("1")
            .line(item, "1", "5")
            .state(state),
    );
    account.add_order(NewOrder::of(two).name("2").line(other, "1", "7"));
    let sim = over(account)?;
    let base = sim.url();
    let found = |text: &str| names(&sim, &format!("/entity/customerorder?{}", filter(text)));
    assert_eq!(
        found(&format!("agent={base}/entity/counterparty/{one}"))?,
        ["1"]
    );
    assert_eq!(
        found(&format!("agent!={base}/entity/counterparty/{one}"))?,
        ["2"]
    );
    assert_eq!(
        found(&format!("assortment={base}/entity/product/{other}"))?,
        ["2"]
    );
    assert_eq!(found("state.name=Подтвержден")?, ["1"]);
    assert_eq!(found("state=")?, ["2"]);
    assert_eq!(found("sum>=700")?, ["2"]);
    let foreign = get(
        &sim,
        "/entity/customerorder?filter=agent=https://elsewhere.example/entity/counterparty/1",
    )?;
    assert_eq!(foreign.refusal(), (400, 1059));
    Ok(())
}

#[test]
fn a_search_finds_the_beginnings_of_words_in_goods_and_any_part_in_partners() -> Result<()> {
    let mut account = products(&["Фильтр масляный", "Насос"]);
    account.add_counterparty(
        NewCounterparty::new("ООО Радуга")
            .phone("+7 495 123-45-67")
            .inn("7701"),
    );
    let sim = over(account)?;
    assert_eq!(
        names(&sim, "/entity/product?search=масл")?,
        ["Фильтр масляный"]
    );
    assert!(names(&sim, "/entity/product?search=ляный")?.is_empty());
    assert_eq!(
        names(&sim, "/entity/counterparty?search=123-45")?,
        ["ООО Радуга"]
    );
    assert!(names(&sim, "/entity/counterparty?search=7701")?.is_empty());
    Ok(())
}

#[test]
fn the_assortment_has_all_kinds_and_figures_of_stock_beside_them() -> Result<()> {
    let mut account = Account::empty();
    let root = account.add_folder("Двигатель", None);
    let inner = account.add_folder("Фильтры", Some(root));
    let product = account.add_product(NewProduct::new("A").folder(inner));
    let side = account.add_characteristic("Сторона");
    let variant = account.add_variant(product, &[(side, "левая")]);
    account.add_named(Kind::Service, "Монтаж");
    account.add_bundle("Набор", &[(product, "2")]);
    let store = account.home.store;
    account.set_stock(variant, store, "4");
    let sim = over(account)?;
    let all = names(&sim, "/entity/assortment")?;
    assert_eq!(all, ["A", "A (левая)", "Монтаж", "Набор"]);
    let grouped = names(&sim, "/entity/assortment?groupBy=product")?;
    assert_eq!(grouped, ["A", "Монтаж", "Набор"]);
    let row = json(
        &sim,
        &format!("/entity/assortment?{}", filter("type=variant")),
    )?;
    assert_eq!(row["rows"][0]["stock"], json!(4.0));
    assert_eq!(row["rows"][0]["quantity"], json!(4.0));
    let folder = format!("productFolder={}/entity/productfolder/{root}", sim.url());
    let within = names(&sim, &format!("/entity/assortment?{}", filter(&folder)))?;
    assert_eq!(within, ["A", "A (левая)"]);
    let only = filter(&format!("{folder};withSubFolders=false"));
    assert!(names(&sim, &format!("/entity/assortment?{only}"))?.is_empty());
    let plain = crate::client::request("GET", &format!("{}/entity/assortment", sim.url()))
        .header("X-Lognex-Remap-Beta-Feature", "assortmentWithoutStock")
        .send("")?;
    assert!(!plain.text.contains("\"stock\""));
    let gone = json!([meta(&sim, Kind::Variant, variant)]);
    let answer = crate::client::post(&sim, "/entity/assortment/delete", &gone)?;
    assert_eq!(answer.status, 200);
    assert_eq!(names(&sim, "/entity/assortment?groupBy=product")?.len(), 3);
    Ok(())
}

#[test]
fn a_page_follows_changes_made_between_two_requests() -> Result<()> {
    let sim = over(products(&["A", "B"]))?;
    sim.after_nth("GET /entity/product", 1, |account| {
        account.add_product(NewProduct::new("C"));
    });
    assert_eq!(json(&sim, "/entity/product")?["meta"]["size"], 2);
    assert_eq!(json(&sim, "/entity/product")?["meta"]["size"], 3);
    Ok(())
}
