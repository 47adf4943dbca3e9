//! Goods: prices, barcodes, folders, variants, bundles, and what is defined for them.

use anyhow::Result;
use serde_json::{Value, json};
use tenon_simulators::moysklad::{self, Account, Config, Kind, NewOrder, NewProduct, Simulator};

use crate::client::{
    behaving, config, delete, get, good, json, meta, names, of, over, path, post, put, request,
    rows, text,
};

fn price_type(sim: &Simulator, name: &str) -> Result<Value> {
    let types = json(sim, "/context/companysettings/pricetype")?;
    let mut all = types.as_array().into_iter().flatten();
    let found = all.find(|one| one["name"] == name);
    Ok(found.cloned().unwrap_or_default())
}

#[test]
fn a_product_needs_a_name_and_gets_what_the_server_makes_up() -> Result<()> {
    let sim = over(Account::empty())?;
    let refused = post(&sim, "/entity/product", &json!({ "code": "X" }))?;
    assert_eq!(refused.refusal(), (412, 3000));
    assert_eq!(refused.json()?["errors"][0]["parameter"], "name");
    let body = json!({ "name": "Фильтр", "vat": 20, "unknown": 1, "id": "mine", "updated": "x" });
    let product = good(post(&sim, "/entity/product", &body)?)?;
    assert_eq!(text(&product["externalCode"]).len(), 22);
    let barcode = text(&product["barcodes"][0]["ean13"]);
    assert_eq!(barcode.len(), 13);
    assert_eq!(product["effectiveVat"], 20);
    assert_eq!(product["effectiveVatEnabled"], true);
    assert_eq!(product["archived"], false);
    assert_eq!(product["pathName"], "");
    assert_eq!(product["syncId"], Value::Null);
    assert_eq!(product["images"]["meta"]["size"], 0);
    assert_eq!(product["images"]["rows"], Value::Null);
    assert_ne!(product["id"], "mine");
    Ok(())
}

#[test]
fn wrong_values_are_refused_with_the_code_of_what_is_wrong() -> Result<()> {
    let sim = over(Account::empty())?;
    for (body, status, code) in [
        (json!({ "name": 5 }), 400, 2016),
        (json!({ "name": "x".repeat(256) }), 412, 3040),
        (json!({ "name": "A", "weight": "1" }), 400, 2016),
        (json!({ "name": "A", "archived": 1 }), 400, 2016),
        (
            json!({ "name": "A", "buyPrice": { "value": -1 } }),
            412,
            3002,
        ),
        (json!({ "name": "A", "uom": {} }), 400, 2014),
        (json!({ "name": "A", "uom": { "meta": {} } }), 400, 2010),
        (
            json!({ "name": "A", "barcodes": [{ "gtin": "x" }] }),
            412,
            3014,
        ),
        (json!({ "name": "A", "syncId": "x" }), 400, 1052),
        (
            json!({ "name": "A", "vat": 20, "vatEnabled": false }),
            412,
            16010,
        ),
        (json!({ "name": "A", "taxSystem": "x" }), 412, 3005),
    ] {
        let answer = post(&sim, "/entity/product", &body)?;
        assert_eq!(answer.refusal(), (status, code), "{body}");
    }
    assert_eq!(json(&sim, "/entity/product")?["meta"]["size"], 0);
    Ok(())
}

#[test]
fn references_have_to_lead_to_something_of_the_right_kind_here() -> Result<()> {
    let account = Account::empty();
    let (store, uom) = (account.home.store, account.home.piece);
    let sim = over(account)?;
    let with = |reference: &Value| {
        post(
            &sim,
            "/entity/product",
            &json!({ "name": "A", "uom": reference }),
        )
    };
    assert_eq!(with(&meta(&sim, Kind::Uom, uom))?.status, 200);
    assert_eq!(
        with(&meta(&sim, Kind::Store, store))?.refusal(),
        (400, 2027)
    );
    let mut wrong = meta(&sim, Kind::Uom, uom);
    wrong["meta"]["type"] = json!("store");
    assert_eq!(with(&wrong)?.refusal(), (400, 2024));
    wrong["meta"]["type"] = json!("spaceship");
    assert_eq!(with(&wrong)?.refusal(), (400, 2012));
    let mut foreign = meta(&sim, Kind::Uom, uom);
    foreign["meta"]["href"] = json!(format!("https://online.moysklad.ru/entity/uom/{uom}"));
    assert_eq!(with(&foreign)?.refusal(), (400, 1059));
    assert_eq!(with(&meta(&sim, Kind::Uom, store))?.refusal(), (404, 1021));
    Ok(())
}

#[test]
fn every_type_of_price_has_a_row_and_an_update_changes_only_the_ones_sent() -> Result<()> {
    let mut account = Account::empty();
    account.add_named(Kind::PriceType, "Оптовая");
    let product = account.add_product(NewProduct::new("A").price("120.50"));
    let sim = over(account)?;
    let at = path(Kind::Product, product);
    let shown = json(&sim, &at)?;
    assert_eq!(shown["salePrices"][0]["value"], json!(12050.0));
    assert!(shown.to_string().contains("12050.0"));
    assert_eq!(shown["salePrices"][1]["value"], json!(0.0));
    let wholesale = price_type(&sim, "Оптовая")?;
    let change = json!({ "salePrices": [{ "value": 9999.0, "priceType": of(&wholesale) }] });
    let after = good(put(&sim, &at, &change)?)?;
    assert_eq!(after["salePrices"][0]["value"], json!(12050.0));
    assert_eq!(after["salePrices"][1]["value"], json!(9999.0));
    assert_eq!(after["salePrices"][1]["priceType"]["name"], "Оптовая");
    let untyped = json!({ "salePrices": [{ "value": 1.0 }] });
    assert_eq!(put(&sim, &at, &untyped)?.code(), 3000);
    Ok(())
}

#[test]
fn prices_are_rounded_for_clients_that_do_not_ask_for_precision() -> Result<()> {
    let mut account = Account::empty();
    let product = account.add_product(NewProduct::new("A").price("1.005"));
    let sim = over(account)?;
    let url = format!("{}{}", sim.url(), path(Kind::Product, product));
    let plain = request("GET", &url).send("")?.json()?;
    assert_eq!(plain["salePrices"][0]["value"], json!(101.0));
    let precise = request("GET", &url).header("X-Lognex-Precision", "true");
    assert_eq!(
        precise.send("")?.json()?["salePrices"][0]["value"],
        json!(100.5)
    );
    sim.account(|account| account.behaviour.prices_rounded = false);
    let always = request("GET", &url).send("")?.json()?;
    assert_eq!(always["salePrices"][0]["value"], json!(100.5));
    Ok(())
}

#[test]
fn barcodes_are_replaced_as_a_whole_and_found_one_by_one() -> Result<()> {
    let mut account = Account::empty();
    let product = account.add_product(NewProduct::new("A").barcode("ean13", "4011558704018"));
    let sim = over(account)?;
    assert_eq!(
        names(&sim, "/entity/product?filter=barcode=4011558704018")?,
        ["A"]
    );
    let at = path(Kind::Product, product);
    let codes = json!([{ "code128": "X-1" }, { "ean8": "20000000" }]);
    let after = good(put(&sim, &at, &json!({ "barcodes": codes }))?)?;
    assert_eq!(after["barcodes"], codes);
    assert!(names(&sim, "/entity/product?filter=barcode=4011558704018")?.is_empty());
    let none = good(put(&sim, &at, &json!({ "barcodes": [] }))?)?;
    assert_eq!(none["barcodes"], Value::Null);
    Ok(())
}

#[test]
fn an_update_changes_only_what_is_sent_and_null_takes_it_away() -> Result<()> {
    let mut account = Account::empty();
    let folder = account.add_folder("Фильтры", None);
    let product = account.add_product(
        NewProduct::new("A")
            .article("OC90")
            .description("текст")
            .folder(folder),
    );
    let sim = over(account)?;
    let at = path(Kind::Product, product);
    let before = json(&sim, &at)?;
    let after = good(put(
        &sim,
        &at,
        &json!({ "name": "B", "description": null }),
    )?)?;
    assert_eq!(after["name"], "B");
    assert_eq!(after["article"], "OC90");
    assert_eq!(after["description"], Value::Null);
    assert_eq!(after["pathName"], "Фильтры");
    assert!(text(&after["updated"]) > text(&before["updated"]));
    let out = good(put(&sim, &at, &json!({ "productFolder": null }))?)?;
    assert_eq!(out["productFolder"], Value::Null);
    assert_eq!(put(&sim, &at, &json!({ "name": null }))?.code(), 3000);
    assert_eq!(put(&sim, &at, &json!([{ "name": "C" }]))?.code(), 2009);
    Ok(())
}

#[test]
fn what_a_list_answers_can_be_sent_back_without_changing_anything() -> Result<()> {
    let sim = moysklad::start(Config {
        products: 20,
        ..config()
    })?;
    for kind in [
        "product",
        "variant",
        "bundle",
        "service",
        "counterparty",
        "customerorder",
        "purchaseorder",
        "store",
        "organization",
        "productfolder",
    ] {
        let list = json(&sim, &format!("/entity/{kind}?limit=1"))?;
        let mut before = list["rows"][0].clone();
        let href = text(&before["meta"]["href"]);
        let at = href.trim_start_matches(sim.url());
        let mut after = good(put(&sim, at, &before)?)?;
        before["updated"].take();
        after["updated"].take();
        assert_eq!(after, before, "{kind}");
    }
    Ok(())
}

#[test]
fn folders_make_a_tree_without_circles_and_name_the_way_to_their_goods() -> Result<()> {
    let mut account = Account::empty();
    let root = account.add_folder("Двигатель", None);
    let inner = account.add_folder("Фильтры", Some(root));
    let product = account.add_product(NewProduct::new("A").folder(inner).vat(10));
    let sim = over(account)?;
    let at = path(Kind::ProductFolder, root);
    assert_eq!(
        json(&sim, &path(Kind::ProductFolder, inner))?["pathName"],
        "Двигатель"
    );
    assert_eq!(json(&sim, &at)?["pathName"], "");
    let product = path(Kind::Product, product);
    assert_eq!(json(&sim, &product)?["pathName"], "Двигатель/Фильтры");
    good(put(&sim, &at, &json!({ "name": "Мотор" }))?)?;
    assert_eq!(json(&sim, &product)?["pathName"], "Мотор/Фильтры");
    let within = json!({ "productFolder": meta(&sim, Kind::ProductFolder, inner) });
    assert_eq!(put(&sim, &at, &within)?.code(), 23001);
    let itself = json!({ "productFolder": meta(&sim, Kind::ProductFolder, root) });
    assert_eq!(put(&sim, &at, &itself)?.code(), 23000);
    let refused = delete(&sim, &path(Kind::ProductFolder, inner))?;
    assert_eq!(refused.refusal(), (409, 1028));
    assert_eq!(
        refused.json()?["errors"][0]["dependencies"][0]["type"],
        "product"
    );
    Ok(())
}

#[test]
fn the_rate_of_vat_comes_from_the_nearest_folder_that_has_one() -> Result<()> {
    let mut account = Account::empty();
    let folder = account.add_folder("Фильтры", None);
    let product = account.add_product(NewProduct::new("A").folder(folder));
    let sim = over(account)?;
    let at = path(Kind::Product, product);
    assert_eq!(json(&sim, &at)?["effectiveVat"], Value::Null);
    good(put(
        &sim,
        &path(Kind::ProductFolder, folder),
        &json!({ "vat": 10 }),
    )?)?;
    let shown = json(&sim, &at)?;
    assert_eq!(
        (&shown["effectiveVat"], &shown["useParentVat"]),
        (&json!(10), &json!(true))
    );
    let own = good(put(
        &sim,
        &at,
        &json!({ "vat": 20, "vatEnabled": true, "useParentVat": false }),
    )?)?;
    assert_eq!(own["effectiveVat"], 20);
    Ok(())
}

#[test]
fn variants_bear_their_product_s_name_and_prices_and_differ_in_values() -> Result<()> {
    let mut account = Account::empty();
    let product = account.add_product(NewProduct::new("Рычаг").price("100"));
    let side = account.add_characteristic("Сторона");
    let left = account.add_variant(product, &[(side, "левая")]);
    let sim = over(account)?;
    let at = path(Kind::Variant, left);
    let variant = json(&sim, &at)?;
    assert_eq!(variant["name"], "Рычаг (левая)");
    assert_eq!(variant["salePrices"][0]["value"], json!(10000.0));
    assert_eq!(variant["characteristics"][0]["name"], "Сторона");
    assert_eq!(
        variant["characteristics"][0]["meta"]["type"],
        "attributemetadata"
    );
    for absent in ["uom", "productFolder", "attributes", "syncId"] {
        assert_eq!(variant[absent], Value::Null, "{absent}");
    }
    let product_at = path(Kind::Product, product);
    assert_eq!(json(&sim, &product_at)?["variantsCount"], 1);
    good(put(&sim, &product_at, &json!({ "name": "Тяга" }))?)?;
    assert_eq!(json(&sim, &at)?["name"], "Тяга (левая)");
    let new = |values: Value| {
        let product = meta(&sim, Kind::Product, product);
        post(
            &sim,
            "/entity/variant",
            &json!({ "product": product, "characteristics": values }),
        )
    };
    assert_eq!(
        new(json!([{ "name": "Сторона", "value": "левая" }]))?.code(),
        15000
    );
    assert_eq!(
        new(json!([{ "name": "Цвет", "value": "левая" }]))?.code(),
        10001
    );
    assert_eq!(new(json!([]))?.code(), 15001);
    let right = good(new(json!([{ "id": side.to_string(), "value": "правая" }]))?)?;
    assert_eq!(right["name"], "Тяга (правая)");
    let own = json!({ "salePrices": [{ "value": 1.0, "priceType": of(&price_type(&sim, "Цена продажи")?) }] });
    assert_eq!(
        good(put(&sim, &at, &own)?)?["salePrices"][0]["value"],
        json!(1.0)
    );
    let of_product = format!("/entity/variant?filter=productid={product}");
    assert_eq!(names(&sim, &of_product)?.len(), 2);
    let defined = rows(&sim, "/entity/variant/metadata/characteristics")?;
    assert_eq!(defined[0]["name"], "Сторона");
    let twice = post(
        &sim,
        "/entity/variant/metadata/characteristics",
        &json!({ "name": "Сторона" }),
    )?;
    assert_eq!(twice.code(), 10002);
    Ok(())
}

#[test]
fn a_change_of_a_product_s_price_may_be_a_change_of_its_variants() -> Result<()> {
    let mut account = Account::empty();
    let product = account.add_product(NewProduct::new("Рычаг").price("100"));
    let side = account.add_characteristic("Сторона");
    let variant = account.add_variant(product, &[(side, "левая")]);
    let price_type = account.home.price_type;
    let sim = over(account)?;
    let updated =
        || -> Result<String> { Ok(text(&json(&sim, &path(Kind::Variant, variant))?["updated"])) };
    let reprice = |roubles: &str| {
        sim.account(|account| account.set_price(product, price_type, roubles));
    };
    let first = updated()?;
    reprice("110");
    assert_eq!(updated()?, first);
    sim.account(|account| account.behaviour.prices_update_variants = true);
    reprice("120");
    assert!(updated()? > first);
    Ok(())
}

#[test]
fn a_bundle_keeps_its_parts_once_it_has_been_sold() -> Result<()> {
    let mut account = Account::empty();
    let part = account.add_product(NewProduct::new("Фильтр"));
    let other = account.add_product(NewProduct::new("Масло"));
    let bundle = account.add_bundle("ТО", &[(part, "1")]);
    let buyer = account.add_counterparty(Default::default());
    let sim = over(account)?;
    let at = path(Kind::Bundle, bundle);
    let parts = format!("{at}/components");
    let more = json!({ "assortment": meta(&sim, Kind::Product, other), "quantity": 4 });
    good(post(&sim, &parts, &json!([more]))?)?;
    assert_eq!(rows(&sim, &parts)?.len(), 2);
    // An update names only the parts that change.
    let twice = json!({ "components": [more] });
    assert_eq!(put(&sim, &at, &twice)?.code(), 29002);
    let nested = json!({ "components": [{ "assortment": meta(&sim, Kind::Bundle, bundle), "quantity": 1 }] });
    assert_eq!(put(&sim, &at, &nested)?.code(), 29003);
    assert_eq!(
        post(
            &sim,
            "/entity/bundle",
            &json!({ "name": "X", "components": [] })
        )?
        .code(),
        29000
    );
    sim.account(|account| account.add_order(NewOrder::of(buyer).line(bundle, "1", "10")));
    let row = text(&rows(&sim, &parts)?[0]["id"]);
    assert_eq!(delete(&sim, &format!("{parts}/{row}"))?.code(), 29001);
    Ok(())
}

#[test]
fn the_list_of_price_types_is_an_array_that_is_replaced_as_a_whole() -> Result<()> {
    let sim = over(Account::empty())?;
    let at = "/context/companysettings/pricetype";
    let usual = price_type(&sim, "Цена продажи")?;
    let wanted = json!([{ "meta": usual["meta"], "name": "Розничная" }, { "name": "Оптовая" }]);
    let after = good(post(&sim, at, &wanted)?)?;
    assert_eq!(after[0]["id"], usual["id"]);
    assert_eq!(
        (&after[0]["name"], &after[1]["name"]),
        (&json!("Розничная"), &json!("Оптовая"))
    );
    assert_eq!(json(&sim, &format!("{at}/default"))?["name"], "Розничная");
    let one = good(post(&sim, at, &json!([{ "meta": usual["meta"] }]))?)?;
    assert_eq!(one.as_array().map(Vec::len), Some(1));
    assert_eq!(
        get(&sim, &format!("{at}/{}", text(&after[1]["id"])))?.refusal(),
        (404, 1021)
    );
    Ok(())
}

#[test]
fn codes_have_to_differ_only_when_the_account_says_so() -> Result<()> {
    let mut account = Account::empty();
    account.add_product(NewProduct::new("A").code("X"));
    let sim = over(account)?;
    let same = json!({ "name": "B", "code": "X" });
    assert_eq!(post(&sim, "/entity/product", &same)?.status, 200);
    let rules = json!({ "uniqueCodeRules": { "checkUniqueCode": true } });
    good(put(&sim, "/entity/assortment/settings", &rules)?)?;
    let refused = post(&sim, "/entity/service", &same)?;
    assert_eq!(refused.refusal(), (412, 3006));
    assert_eq!(refused.json()?["errors"][0]["parameter"], "code");
    let company = json(&sim, "/context/companysettings")?;
    assert_eq!(company["currency"]["meta"]["type"], "currency");
    Ok(())
}

#[test]
fn additional_fields_are_defined_once_and_merged_into_objects() -> Result<()> {
    let mut account = Account::empty();
    let product = account.add_product(NewProduct::new("A"));
    let store = account.home.store;
    let sim = over(account)?;
    let at = "/entity/product/metadata/attributes";
    let defined = json!([
        { "name": "ID магазина", "type": "string" },
        { "name": "Вес нетто", "type": "double" },
        { "name": "Склад", "type": "store" },
    ]);
    let fields = good(post(&sim, at, &defined)?)?;
    assert_eq!(rows(&sim, at)?.len(), 3);
    let twice = json!({ "name": "Склад", "type": "text" });
    assert_eq!(post(&sim, at, &twice)?.code(), 3006);
    let value =
        |index: usize, value: Value| json!({ "meta": fields[index]["meta"], "value": value });
    let product_at = path(Kind::Product, product);
    let set = |values: Value| put(&sim, &product_at, &json!({ "attributes": values }));
    let first = good(set(json!([
        value(0, json!("shop-1")),
        value(2, meta(&sim, Kind::Store, store))
    ]))?)?;
    assert_eq!(first["attributes"][0]["value"], "shop-1");
    assert_eq!(first["attributes"][1]["value"]["name"], "Основной склад");
    let second = good(set(json!([value(1, json!(2))]))?)?;
    assert_eq!(second["attributes"].as_array().map(Vec::len), Some(3));
    assert_eq!(second["attributes"][1]["value"], json!(2.0));
    let third = good(set(json!([value(0, Value::Null)]))?)?;
    assert_eq!(third["attributes"].as_array().map(Vec::len), Some(2));
    assert_eq!(set(json!([{ "meta": fields[0]["meta"] }]))?.code(), 14009);
    assert_eq!(set(json!([value(1, json!("two"))]))?.code(), 2016);
    let href = text(&fields[1]["meta"]["href"]);
    let found = names(&sim, &format!("/entity/product?filter={href}%3E=2"))?;
    assert_eq!(found, ["A"]);
    assert_eq!(fields[0]["meta"]["type"], "attributemetadata");
    let one = format!("{at}/{}", text(&fields[1]["id"]));
    assert_eq!(delete(&sim, &one)?.status, 200);
    assert_eq!(
        json(&sim, &product_at)?["attributes"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    Ok(())
}

#[test]
fn the_interface_s_key_of_a_product_leads_to_the_api_s() -> Result<()> {
    let mut account = Account::empty();
    let product = account.add_product(NewProduct::new("A"));
    let sim = over(account)?;
    let shown = json(&sim, &path(Kind::Product, product))?;
    let page = text(&shown["meta"]["uuidHref"]);
    let key = page.rsplit('=').next().unwrap_or_default();
    assert_ne!(key, product.to_string());
    let answer = get(&sim, &format!("/entity/product/{key}"))?;
    assert_eq!(answer.status, 308);
    let there = format!("{}{}", sim.url(), path(Kind::Product, product));
    assert_eq!(answer.header("location"), Some(there.as_str()));
    Ok(())
}

#[test]
fn the_seeded_shop_is_the_same_each_time_and_odd_from_the_start() -> Result<()> {
    let (one, two) = (moysklad::start(config())?, moysklad::start(config())?);
    let products = |sim: &Simulator| -> Result<Vec<Value>> {
        let both = "filter=archived=true;archived=false";
        rows(sim, &format!("/entity/product?{both}&order=code"))
    };
    let shown = products(&one)?;
    assert_eq!(shown.len(), 120);
    let strip = |text: String, sim: &Simulator| {
        let text = text.replace(sim.url(), "");
        (sim.storage_urls().iter()).fold(text, |text, place| text.replace(place, ""))
    };
    let other = serde_json::to_string(&products(&two)?)?;
    assert_eq!(
        strip(serde_json::to_string(&shown)?, &one),
        strip(other, &two)
    );
    let follows = |product: &&Value| {
        let (code, article) = (text(&product["code"]), text(&product["article"]));
        !article.is_empty() && code.ends_with(&format!(" {article}"))
    };
    assert!(shown.iter().filter(follows).count() > 100);
    assert!(shown.iter().any(|one| one["code"].is_null()));
    assert!(shown.iter().any(|one| one["article"].is_null()));
    assert!(
        shown
            .iter()
            .any(|one| text(&one["code"]).starts_with("Febi Bilstein "))
    );
    assert!(shown.iter().any(|one| text(&one["article"]).contains(' ')));
    assert!(shown.iter().any(|one| one["productFolder"].is_null()));
    assert!(shown.iter().any(|one| one["archived"] == true));
    assert!(shown.iter().any(|one| one["images"]["meta"]["size"] == 2));
    assert_eq!(json(&one, "/entity/store")?["meta"]["size"], 3);
    Ok(())
}

#[test]
fn keys_that_no_document_names_may_come() -> Result<()> {
    let sim = behaving(Account::empty(), |behaviour| behaviour.unknown_keys = true)?;
    let store = json(&sim, "/entity/store")?;
    assert_eq!(store["rows"][0]["_simulated"], true);
    Ok(())
}
