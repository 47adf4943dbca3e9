//! KeyCRM's records as a client meets them: the arithmetic, the oddities, the catalogue, changes.

use std::collections::BTreeSet;

use crate::client::{config, decimal, get, ids, json, listed, over, rows};
use anyhow::Result;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tenon_simulators::keycrm::{
    self, Account, Config, DeletedOrders, LineDiscount, NewBuyer, NewLine, NewOrder, NewProduct,
    Numbers, PaymentState, Purpose, SERVICES_CATEGORY, Timestamps,
};

const ALL: &str = "include=buyer,products.offer,manager,status,payments,expenses,tags,assigned,\
                   marketing,shipping.deliveryService,shipping.lastHistory,custom_fields";

fn amount(text: &str) -> Decimal {
    text.parse().expect("an amount")
}

#[test]
fn the_documented_example_comes_to_1130() -> Result<()> {
    let mut account = Account::empty();
    let order = account.add_order(
        NewOrder::new()
            .line(NewLine::named("Футболка").price("600").quantity("2"))
            .discount_percent("10")
            .shipping_price("50")
            .paid("500"),
    );
    let totals = account.totals(order).expect("just added");
    assert_eq!(totals.grand_total, amount("1130"));
    let sim = over(account)?;
    let shown = json(&sim, &format!("/order/{order}"))?;
    assert_eq!(decimal(&shown["products_total"]), amount("1200"));
    assert_eq!(decimal(&shown["total_discount"]), amount("120"));
    assert_eq!(decimal(&shown["grand_total"]), amount("1130"));
    assert_eq!(decimal(&shown["payments_total"]), amount("500"));
    assert_eq!(shown["payment_status"], "part_paid");
    Ok(())
}

#[test]
fn discounts_of_a_line_are_added_and_those_of_the_order_follow() -> Result<()> {
    let mut account = Account::empty();
    account.add_order(
        NewOrder::new()
            .line(
                NewLine::named("Плед")
                    .price("200")
                    .quantity("1.5")
                    .discount_percent("10")
                    .discount_amount("3")
                    .individual_discount("2")
                    .loyalty_discount("1"),
            )
            .line(NewLine::named("Подарунок").price("5").discount_amount("9"))
            .discount_percent("2")
            .discount_amount("1")
            .wrap_price("35")
            .taxes("12.05"),
    );
    let sim = over(account)?;
    let read = || json(&sim, "/order/1?include=products");
    let order = read()?;
    // 200 − 20 − 3 − 2 − 1; a price never falls below zero.
    assert_eq!(decimal(&order["products"][0]["price_sold"]), amount("174"));
    assert_eq!(
        decimal(&order["products"][0]["total_discount"]),
        amount("26")
    );
    assert_eq!(decimal(&order["products"][1]["price_sold"]), Decimal::ZERO);
    assert_eq!(decimal(&order["products_total"]), amount("261"));
    assert_eq!(decimal(&order["total_discount"]), amount("6.22"));
    assert_eq!(decimal(&order["grand_total"]), amount("301.83"));

    sim.account(|account| {
        account.behaviour.taxes_in_total = false;
        account.behaviour.wrap_in_total = false;
    });
    assert_eq!(decimal(&read()?["grand_total"]), amount("254.78"));

    sim.account(|account| account.behaviour.line_discount = LineDiscount::PerRow);
    let order = read()?;
    // 200 − 20 − (3 + 2 + 1) / 1.5
    assert_eq!(decimal(&order["products"][0]["price_sold"]), amount("176"));
    assert_eq!(
        decimal(&order["products"][0]["total_discount"]),
        amount("36")
    );
    Ok(())
}

#[test]
fn only_money_that_came_counts_as_paid() -> Result<()> {
    let mut account = Account::empty();
    let receipt = Purpose::Receipt { method_id: 1 };
    let order = account.add_order(
        NewOrder::new()
            .line(NewLine::named("Чашка").price("100"))
            .payment(receipt, PaymentState::Canceled, "100")
            .payment(receipt, PaymentState::NotPaid, "100")
            .payment(Purpose::Expense { type_id: 1 }, PaymentState::Paid, "40"),
    );
    let sim = over(account)?;
    let read = || json(&sim, "/order/1?include=payments,expenses");
    let shown = read()?;
    assert_eq!(shown["payment_status"], "not_paid");
    assert_eq!(decimal(&shown["expenses_sum"]), amount("40"));
    assert_eq!(shown["payments"].as_array().map(Vec::len), Some(2));
    assert_eq!(shown["expenses"][0]["is_expense"], true);
    for (sum, state) in [("99.99", "part_paid"), ("0.01", "paid"), ("1", "overpaid")] {
        sim.account(|account| account.add_payment(order, amount(sum)));
        assert_eq!(read()?["payment_status"], state);
    }
    sim.account(|account| account.behaviour.expenses_among_payments = true);
    assert_eq!(read()?["payments"].as_array().map(Vec::len), Some(6));
    Ok(())
}

#[test]
fn a_client_can_add_up_every_seeded_order() -> Result<()> {
    let sim = keycrm::start(config())?;
    let expected = sim.account(|account| account.grand_totals());
    let orders = rows(&sim, "/order?sort=id&include=products")?;
    assert_eq!(orders.len(), expected.len());
    for order in &orders {
        let lines: Decimal = order["products"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|line| decimal(&line["price_sold"]) * decimal(&line["quantity"]))
            .sum();
        let sum = lines - decimal(&order["total_discount"])
            + decimal(&order["shipping_price"])
            + decimal(&order["wrap_price"])
            + decimal(&order["taxes"]);
        let id = order["id"].as_i64().unwrap_or_default();
        let grand_total = decimal(&order["grand_total"]);
        assert_eq!(Some(&grand_total), expected.get(&id), "{id}");
        assert!(
            (sum - grand_total).abs() <= amount("0.01"),
            "{id}: {sum} {grand_total}"
        );
        assert!(grand_total >= Decimal::ZERO, "{id}");
    }
    Ok(())
}

#[test]
fn money_reaches_the_client_digit_by_digit() -> Result<()> {
    let mut account = Account::empty();
    let line = NewLine::named("Сіль")
        .price("79228162514264337.12")
        .quantity("0.333");
    account.add_order(NewOrder::new().line(line).shipping_price("12.10"));
    let sim = over(account)?;
    let path = "/order/1?include=products";
    let text = get(&sim, path)?.text;
    for exact in [
        r#""price":79228162514264337.12"#,
        r#""quantity":0.333"#,
        r#""shipping_price":12.10"#,
    ] {
        assert!(text.contains(exact), "{exact} in {text}");
    }
    sim.account(|account| account.behaviour.numbers = Numbers::Strings);
    let text = get(&sim, path)?.text;
    assert!(text.contains(r#""quantity":"0.333""#), "{text}");
    assert!(text.contains(r#""shipping_price":"12.10""#), "{text}");
    assert!(text.contains(r#""individual_discount":"0.00""#), "{text}");
    Ok(())
}

/// The kinds of value a key has over all records, with `absent` for none.
fn kinds(records: &[&Value], key: &str) -> BTreeSet<&'static str> {
    records
        .iter()
        .map(|record| match record.get(key) {
            None => "absent",
            Some(Value::Null) => "null",
            Some(Value::Bool(_)) => "bool",
            Some(Value::Number(_)) => "number",
            Some(Value::String(_)) => "string",
            Some(Value::Array(_)) => "array",
            Some(Value::Object(_)) => "object",
        })
        .collect()
}

/// The records of one relation over all orders.
fn nested<'a>(orders: &'a [Value], key: &str) -> Vec<&'a Value> {
    orders
        .iter()
        .filter_map(|order| order[key].as_array())
        .flatten()
        .collect()
}

#[test]
fn the_seeded_orders_have_every_oddity() -> Result<()> {
    let sim = keycrm::start(config())?;
    let orders = rows(&sim, &format!("/order?sort=id&{ALL}"))?;
    let whole: Vec<_> = orders.iter().collect();
    let lines = nested(&orders, "products");
    let payments = nested(&orders, "payments");
    let some = |key: &str| -> Vec<&Value> { orders.iter().map(|order| &order[key]).collect() };
    let buyers: Vec<_> = some("buyer")
        .into_iter()
        .filter(|buyer| !buyer.is_null())
        .collect();
    let shippings: Vec<_> = some("shipping")
        .into_iter()
        .filter(|one| !one.is_null())
        .collect();
    let expected: &[(&[&Value], &str, &[&str])] = &[
        (&whole, "buyer", &["null", "object"]),
        (&whole, "manager", &["null", "object"]),
        (&whole, "shipping", &["null", "object"]),
        (&whole, "shipping_price", &["null", "number", "string"]),
        (&whole, "taxes", &["absent", "null", "number", "string"]),
        (&whole, "discount_data", &["array", "null", "object"]),
        (&whole, "discount_percent", &["absent", "null", "number"]),
        (&whole, "source_uuid", &["null", "string"]),
        (&whole, "promocode", &["absent", "null", "string"]),
        (&whole, "marketing", &["null", "object"]),
        (&whole, "manager_id", &["absent"]),
        (&whole, "fiscal_result", &["array"]),
        (&lines, "offer", &["absent", "null", "object"]),
        (&lines, "sku", &["null", "string"]),
        (&lines, "unit_type", &["absent", "null", "string"]),
        (&lines, "picture", &["array", "null", "object"]),
        (&lines, "warehouse", &["absent", "null", "object"]),
        (&payments, "fiscal_result", &["array", "null"]),
        (&buyers, "phone", &["null", "string"]),
        (&buyers, "orders_sum", &["string"]),
        (&shippings, "address_payload", &["array", "object"]),
        (&shippings, "tracking_code", &["null", "string"]),
        (
            &shippings,
            "recipient_full_name",
            &["absent", "null", "string"],
        ),
    ];
    for (records, key, kinds_of_value) in expected {
        let expected: BTreeSet<_> = kinds_of_value.iter().copied().collect();
        assert_eq!(kinds(records, key), expected, "{key}");
    }
    let fractional = |line: &&&Value| decimal(&line["quantity"]).fract() != Decimal::ZERO;
    assert!(lines.iter().any(|line| fractional(&line)));
    assert!(lines.iter().any(|line| line["sku"] == ""));
    for state in ["paid", "not_paid", "canceled"] {
        assert!(
            payments.iter().any(|payment| payment["status"] == state),
            "{state}"
        );
    }
    for state in ["paid", "part_paid", "not_paid", "overpaid"] {
        assert!(
            whole.iter().any(|order| order["payment_status"] == state),
            "{state}"
        );
    }
    assert!(!nested(&orders, "expenses").is_empty());
    let numbers = || {
        orders
            .iter()
            .filter_map(|order| order["source_uuid"].as_str())
    };
    assert!(numbers().any(|number| number.starts_with('№')));
    let groups: BTreeSet<_> = some("status_group_id")
        .into_iter()
        .map(Value::as_i64)
        .collect();
    assert_eq!(groups, (1..=6).map(Some).collect());
    let hidden = |order: &&&Value| order["status"]["is_active"] == false;
    assert!(whole.iter().any(|order| hidden(&order)));
    let mut customers = ids(&buyers.into_iter().cloned().collect::<Vec<_>>());
    customers.sort_unstable();
    assert!(
        customers.windows(2).any(|pair| pair[0] == pair[1]),
        "nobody came again"
    );
    Ok(())
}

#[test]
fn two_forms_of_timestamps_stand_in_one_order() -> Result<()> {
    let mut account = Account::empty();
    let done = account.add_status("Виконано", 5);
    account.add_order(
        NewOrder::new()
            .status(done)
            .ordered_at("2026-03-01T09:10:11Z"),
    );
    let sim = over(account)?;
    for (form, ordered, closed) in [
        (
            Timestamps::Mixed,
            "2026-03-01T09:10:11.000000Z",
            "2026-03-01 09:10:11",
        ),
        (
            Timestamps::Iso,
            "2026-03-01T09:10:11.000000Z",
            "2026-03-01T09:10:11.000000Z",
        ),
        (
            Timestamps::Spaced,
            "2026-03-01 09:10:11",
            "2026-03-01 09:10:11",
        ),
    ] {
        sim.account(|account| account.behaviour.timestamps = form);
        let order = json(&sim, "/order/1")?;
        assert_eq!(order["ordered_at"], ordered);
        assert_eq!(order["closed_at"], closed);
    }
    Ok(())
}

#[test]
fn a_buyer_has_one_phone_in_an_order_and_a_list_on_the_card() -> Result<()> {
    let mut account = Account::empty();
    let buyer = account.add_buyer(
        NewBuyer::named("Тарас Бондаренко")
            .phone("+380501112233")
            .phone("0671112233")
            .email("t@mail.example"),
    );
    account.add_order(NewOrder::new().buyer(buyer));
    let sim = over(account)?;
    let order = json(&sim, "/order/1?include=buyer")?;
    assert_eq!(order["buyer"]["phone"], "+380501112233");
    let card = json(&sim, &format!("/buyer/{buyer}"))?;
    assert_eq!(card["phone"], json!(["+380501112233", "0671112233"]));
    assert_eq!(card["email"], json!(["t@mail.example"]));
    assert_eq!(
        listed(&sim, "/buyer?filter[buyer_phone]=380501112233")?,
        [buyer]
    );
    Ok(())
}

#[test]
fn the_catalogue_has_every_kind_of_product() -> Result<()> {
    let sim = keycrm::start(config())?;
    let products = rows(&sim, "/products")?;
    let offers = rows(&sim, "/offers?include=product")?;
    let categories = rows(&sim, "/products/categories")?;
    let services: Vec<i64> = categories
        .iter()
        .filter(|one| one["id"] == SERVICES_CATEGORY || one["parent_id"] == SERVICES_CATEGORY)
        .filter_map(|one| one["id"].as_i64())
        .collect();
    assert_eq!(services.len(), 2);
    for category in services {
        let path = format!("/products?filter[category_id]={category}");
        assert!(!listed(&sim, &path)?.is_empty(), "{category}");
    }
    let mut names = BTreeSet::new();
    assert!(
        products
            .iter()
            .any(|product| !names.insert(product["name"].to_string()))
    );
    let mut seen = BTreeSet::new();
    for product in &products {
        let own: Vec<_> = offers
            .iter()
            .filter(|offer| offer["product_id"] == product["id"])
            .collect();
        let skus: BTreeSet<_> = own.iter().map(|offer| offer["sku"].to_string()).collect();
        if product["has_offers"] == false {
            assert_eq!(own.len(), 1);
            assert_eq!(own[0]["is_default"], true);
            assert_eq!(own[0]["sku"], product["sku"]);
            assert_eq!(own[0]["product"]["properties_agg"], json!([]));
            seen.insert(if product["sku"].is_null() {
                "no SKU"
            } else {
                "plain"
            });
        } else {
            assert!((2..=6).contains(&own.len()), "{}", product["id"]);
            assert_eq!(product.get("sku"), None);
            assert!(own[0]["product"]["properties_agg"]["Колір"].is_array());
            let attributes: BTreeSet<_> = own
                .iter()
                .map(|offer| offer["properties"].to_string())
                .collect();
            assert_eq!(attributes.len(), own.len(), "two equal variants");
            seen.insert(match (skus.len(), skus.first().map(String::as_str)) {
                (1, Some("null")) => "variants without SKU",
                (1, Some("\"\"")) => "variants with empty SKU",
                (1, _) => "variants with one SKU",
                (several, _) => {
                    assert_eq!(several, own.len(), "{skus:?}");
                    "variants with own SKUs"
                }
            });
        }
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
    Ok(())
}

#[test]
fn offers_are_found_by_sku_and_their_stock_moves_by_itself() -> Result<()> {
    let mut account = Account::empty();
    let plain = account.add_product(NewProduct::named("Чашка").sku("CUP").price("12.10"));
    let shirt = account.add_product(
        NewProduct::named("Футболка")
            .variant(Some("TS-M"), "600", &[("Розмір", "M")])
            .variant(None, "650", &[("Розмір", "L")]),
    );
    let cup = account.offer_of(plain);
    let sim = over(account)?;
    assert_eq!(
        listed(&sim, "/offers?filter[sku]=CUP,TS-M")?,
        [cup, cup + 1]
    );
    assert_eq!(listed(&sim, "/offers?sort=-id")?, [cup + 2, cup + 1, cup]);
    assert_eq!(
        listed(&sim, &format!("/offers?filter[product_id]={shirt}"))?.len(),
        2
    );
    let product = json(&sim, &format!("/products/{shirt}"))?;
    assert_eq!(decimal(&product["min_price"]), amount("600"));
    assert_eq!(decimal(&product["max_price"]), amount("650"));

    let figures = || -> Result<BTreeSet<String>> {
        (0..5)
            .map(|_| Ok(json(&sim, "/offers/stocks")?["data"][0]["quantity"].to_string()))
            .collect()
    };
    assert!(figures()?.len() > 1);
    sim.account(|account| {
        account.behaviour.volatile_stock = false;
        account.change_offer(cup).quantity = amount("3.5");
        account.archive_product(shirt);
    });
    assert_eq!(figures()?, BTreeSet::from(["3.5".to_owned()]));
    let stock = json(
        &sim,
        "/offers/stocks?filter[offers_sku]=CUP&filter[details]=true",
    )?;
    assert_eq!(
        decimal(&stock["data"][0]["warehouse"][0]["quantity"]),
        amount("3.5")
    );
    assert_eq!(
        listed(&sim, "/offers?filter[is_archived]=1")?,
        [cup + 1, cup + 2]
    );
    assert_eq!(
        listed(&sim, "/products?filter[is_archived]=false")?,
        [plain]
    );
    Ok(())
}

#[test]
fn a_line_keeps_what_it_was_sold_as() -> Result<()> {
    let mut account = Account::empty();
    let product = account.add_product(NewProduct::named("Чашка").sku("CUP").price("100"));
    let offer = account.offer_of(product);
    account.add_order(NewOrder::new().line(NewLine::of(offer)));
    account.change_product(product).name = "Горня".to_owned();
    let changed = account.change_offer(offer);
    changed.price = amount("120");
    changed.sku = Some("MUG".to_owned());
    let sim = over(account)?;
    let order = json(&sim, "/order/1?include=products.offer")?;
    let line = &order["products"][0];
    assert_eq!(line["name"], "Чашка");
    assert_eq!(line["sku"], "CUP");
    assert_eq!(decimal(&line["price"]), amount("100"));
    assert_eq!(line["offer"]["sku"], "MUG");
    assert_eq!(decimal(&line["offer"]["price"]), amount("120"));
    Ok(())
}

#[test]
fn a_change_of_status_moves_the_date_of_change_or_does_not() -> Result<()> {
    let mut account = Account::empty();
    let done = account.add_status("Виконано", 5);
    let order = account.add_order(NewOrder::new());
    let sim = over(account)?;
    let read = || json(&sim, "/order/1");
    let before = read()?;
    sim.account(|account| {
        account.behaviour.status_bumps_updated_at = false;
        account.set_status(order, done);
    });
    let silent = read()?;
    assert_eq!(silent["status_id"], done);
    assert_eq!(silent["status_group_id"], 5);
    assert_eq!(silent["updated_at"], before["updated_at"]);
    assert_ne!(silent["status_changed_at"], before["status_changed_at"]);
    assert!(silent["closed_at"].is_string());
    sim.account(|account| {
        account.behaviour.status_bumps_updated_at = true;
        account.set_status(order, 1);
    });
    let told = read()?;
    assert_ne!(told["updated_at"], before["updated_at"]);
    assert_eq!(told["closed_at"], Value::Null);
    Ok(())
}

#[test]
fn a_deleted_order_is_gone_or_marked() -> Result<()> {
    let mut account = Account::empty();
    for _ in 0..3 {
        account.add_order(NewOrder::new());
    }
    let sim = over(account)?;
    sim.account(|account| account.delete_order(1));
    assert_eq!(get(&sim, "/order/1")?.status, 404);
    assert_eq!(listed(&sim, "/order?sort=id")?, [2, 3]);
    sim.account(|account| {
        account.behaviour.deleted_orders = DeletedOrders::Marked;
        account.delete_order(2);
    });
    assert!(json(&sim, "/order/2")?["deleted_at"].is_string());
    assert_eq!(listed(&sim, "/order?sort=id")?, [2, 3]);
    Ok(())
}

#[test]
fn a_spoilt_order_comes_as_told_among_sound_ones() -> Result<()> {
    let mut account = Account::empty();
    for _ in 0..3 {
        account.add_order(NewOrder::new().line(NewLine::named("Чашка").price("10")));
    }
    account.spoil_order(2, "products", "\"oops\"");
    account.spoil_order(2, "grand_total", "\"abc\"");
    let sim = over(account)?;
    let orders = rows(&sim, "/order?sort=id&include=products")?;
    assert_eq!(orders[1]["products"], "oops");
    assert_eq!(orders[1]["grand_total"], "abc");
    assert_eq!(orders[1]["id"], 2);
    assert_eq!(orders[0]["products"][0]["name"], "Чашка");
    Ok(())
}

#[test]
fn the_seeded_orders_lie_in_their_period_and_share_of_final_statuses() -> Result<()> {
    let sim = keycrm::start(Config {
        orders: 300,
        share_final: 1.0,
        ordered_from: Some("2026-03-01T00:00:00Z".parse()?),
        ..config()
    })?;
    let within = "/order?filter[created_between]=2026-03-01 00:00:00,2026-03-31 12:00:00";
    let orders = rows(&sim, &within.replace(' ', "%20"))?;
    assert_eq!(orders.len(), 300);
    for order in &orders {
        assert!(order["status_group_id"].as_i64() >= Some(5));
        assert!(order["closed_at"].is_string());
    }
    let imported_late = |order: &&Value| {
        order["created_at"].as_str().map(|at| &at[..10])
            > order["ordered_at"].as_str().map(|at| &at[..10])
    };
    assert!(orders.iter().filter(imported_late).count() > 3);
    Ok(())
}
