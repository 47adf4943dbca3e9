//! KeyCRM's lists as a client meets them: pages, filters, includes, sorts, the key and the limit.

use std::time::{Duration, Instant};

use crate::client::{KEY, config, fetch, get, get_as, ids, json, listed, over, rows};
use anyhow::Result;
use serde_json::{Value, json};
use tenon_simulators::keycrm::{
    self, Account, Behaviour, Config, LimitOverMax, NewBuyer, NewLine, NewOrder, Shipping,
    UnknownFilter,
};

fn many(orders: usize) -> Account {
    let mut account = Account::empty();
    for _ in 0..orders {
        account.add_order(NewOrder::new());
    }
    account
}

#[test]
fn a_list_is_walked_page_by_page_to_its_end() -> Result<()> {
    let sim = over(many(7))?;
    let first = json(&sim, "/order?limit=3&sort=id&page=1")?;
    assert_eq!(first["total"], 7);
    assert_eq!(first["current_page"], 1);
    assert_eq!(first["per_page"], 3);
    assert_eq!(first["last_page"], 3);
    assert_eq!(first["prev_page_url"], Value::Null);
    assert_eq!(
        first["next_page_url"],
        format!("{}/order?page=2", sim.url())
    );
    assert_eq!(
        first["last_page_url"],
        format!("{}/order?page=3", sim.url())
    );
    let last = json(&sim, "/order?limit=3&sort=id&page=3")?;
    assert_eq!(last["next_page_url"], Value::Null);
    assert_eq!(last["data"].as_array().map(Vec::len), Some(1));
    let past = json(&sim, "/order?limit=3&sort=id&page=4")?;
    assert_eq!(past["data"], json!([]));
    assert_eq!(rows(&sim, "/order?sort=id")?.len(), 7);
    Ok(())
}

#[test]
fn without_a_limit_fifteen_rows_come_newest_first() -> Result<()> {
    let sim = over(many(20))?;
    let newest: Vec<i64> = (6..=20).rev().collect();
    assert_eq!(listed(&sim, "/order")?, newest);
    assert_eq!(listed(&sim, "/order?limit=2&sort=id")?, [1, 2]);
    assert_eq!(listed(&sim, "/order?limit=2&sort=-updated_at")?, [20, 19]);
    assert_eq!(get(&sim, "/order?sort=grand_total")?.status, 400);
    Ok(())
}

#[test]
fn a_page_over_fifty_rows_is_clamped_or_refused() -> Result<()> {
    let sim = over(many(60))?;
    assert_eq!(listed(&sim, "/order?limit=500")?.len(), 50);
    sim.account(|account| account.behaviour.limit_over_max = LimitOverMax::Refuse);
    let refused = get(&sim, "/order?limit=51")?;
    assert_eq!(refused.status, 422);
    assert!(refused.json()?["errors"]["limit"].is_array());
    assert_eq!(listed(&sim, "/order?limit=50")?.len(), 50);
    Ok(())
}

#[test]
fn the_envelope_follows_the_behaviour() -> Result<()> {
    let sim = over(many(7))?;
    sim.account(|account| {
        account.behaviour.last_page = false;
        account.behaviour.paginator_extras = false;
        account.behaviour.page_urls_keep_query = true;
    });
    let path = "/order?limit=3&sort=id&filter[created_between]=2026-01-01, 2026-12-31";
    let page = json(&sim, &path.replace(' ', "%20"))?;
    assert_eq!(page.get("last_page"), None);
    assert_eq!(page.get("from"), None);
    let next = page["next_page_url"].as_str().unwrap_or_default();
    let second = fetch(next, Some(KEY))?.json()?;
    assert_eq!(
        ids(second["data"].as_array().map_or(&[], Vec::as_slice)),
        [4, 5, 6]
    );
    Ok(())
}

#[test]
fn overlapping_pages_repeat_a_row_and_lose_none() -> Result<()> {
    let sim = over(many(120))?;
    sim.account(|account| account.behaviour.overlapping_pages = true);
    let seen = ids(&rows(&sim, "/order?sort=id")?);
    assert_eq!(seen.iter().filter(|id| **id == 50).count(), 2);
    let mut distinct = seen;
    distinct.dedup();
    assert_eq!(distinct, (1..=120).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn only_the_account_s_key_is_let_in() -> Result<()> {
    let sim = over(many(1))?;
    for key in [None, Some("another"), Some("")] {
        let refused = get_as(&sim, "/order", key)?;
        assert_eq!(refused.status, 401);
        assert_eq!(refused.json()?, json!({ "message": "Unauthenticated." }));
    }
    assert_eq!(get(&sim, "/order")?.status, 200);
    sim.account(|account| account.api_key = "renewed".to_owned());
    assert_eq!(get(&sim, "/order")?.status, 401);
    assert_eq!(get_as(&sim, "/order", Some("renewed"))?.status, 200);
    Ok(())
}

#[test]
fn a_request_over_the_limit_waits_until_the_window_has_slid() -> Result<()> {
    let window = Duration::from_millis(700);
    let started = Instant::now();
    let sim = keycrm::start(Config {
        orders: 1,
        requests_per_minute: Some(2),
        window,
        ..config()
    })?;
    let first = get(&sim, "/order")?;
    assert_eq!(first.header("x-ratelimit-limit"), Some("2"));
    assert_eq!(first.header("x-ratelimit-remaining"), Some("1"));
    assert_eq!(get_as(&sim, "/order", Some("another"))?.status, 401);
    assert_eq!(get(&sim, "/users")?.status, 200);
    let refused = get(&sim, "/order")?;
    anyhow::ensure!(started.elapsed() < window, "too slow to fill the window");
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    assert_eq!(refused.json()?, json!({ "message": "Too Many Attempts." }));
    std::thread::sleep(window);
    assert_eq!(get(&sim, "/order")?.status, 200);
    Ok(())
}

#[test]
fn relations_come_only_when_asked_for_and_only_known_ones() -> Result<()> {
    let mut account = Account::empty();
    let buyer = account.add_buyer(NewBuyer::named("Олена Коваль").phone("0501112233"));
    account.add_order(
        NewOrder::new()
            .buyer(buyer)
            .line(NewLine::named("Чашка").price("12.10"))
            .paid("12.10"),
    );
    let sim = over(account)?;
    let bare = json(&sim, "/order/1")?;
    for relation in [
        "buyer", "products", "status", "payments", "shipping", "tags",
    ] {
        assert_eq!(bare.get(relation), None, "{relation}");
    }
    let full = json(
        &sim,
        "/order/1?include=buyer,%20products.offer,status,payments,shipping.deliveryService,\
         tags,custom_fields,productsCount,paymentsExists",
    )?;
    assert_eq!(full["buyer"]["full_name"], "Олена Коваль");
    assert_eq!(full["buyer"]["phone"], "0501112233");
    assert_eq!(full["products"][0]["name"], "Чашка");
    assert_eq!(full["status"]["group_id"], 1);
    assert_eq!(full["payments"][0]["amount"].to_string(), "12.1");
    assert_eq!(full["shipping"], Value::Null);
    assert_eq!(full["products_count"], 1);
    assert_eq!(full["payments_exists"], true);
    for unknown in [
        "source",
        "products.warehouse",
        "products.offer.product",
        "category",
    ] {
        let refused = get(&sim, &format!("/order?include=buyer,{unknown}"))?;
        assert_eq!(refused.status, 400, "{unknown}");
        let message = refused.json()?["message"].to_string();
        assert!(message.contains(&format!("`{unknown}`")), "{message}");
        assert!(message.contains("shipping.deliveryService"), "{message}");
    }
    assert_eq!(get(&sim, "/offers?include=category")?.status, 400);
    assert_eq!(get(&sim, "/users?include=whatever")?.status, 200);
    Ok(())
}

#[test]
fn a_period_chooses_by_the_time_on_the_source_with_both_ends() -> Result<()> {
    let mut account = Account::empty();
    for (ordered, created) in [
        ("2026-02-28T23:59:59Z", "2026-03-01T12:00:00Z"),
        ("2026-03-01T00:00:00Z", "2026-03-09T00:00:00Z"),
        ("2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z"),
        ("2026-03-02T00:00:01Z", "2026-03-02T00:00:01Z"),
    ] {
        account.add_order(NewOrder::new().ordered_at(ordered).created_at(created));
    }
    let sim = over(account)?;
    for form in [
        "2026-03-01%2000:00:00,2026-03-02%2000:00:00",
        "2026-03-01,%202026-03-02",
        "2026-03-01T00:00:00Z,2026-03-02T00:00:00.000000Z",
    ] {
        let path = format!("/order?sort=id&filter[created_between]={form}");
        assert_eq!(listed(&sim, &path)?, [2, 3], "{form}");
    }
    let updated = "/order?sort=id&filter[updated_between]=2026-03-09,2026-03-10";
    assert_eq!(listed(&sim, updated)?, [2, 3]);
    assert_eq!(
        get(&sim, "/order?filter[created_between]=soon,later")?.status,
        422
    );
    Ok(())
}

#[test]
fn orders_are_filtered_by_everything_the_description_names() -> Result<()> {
    let mut account = Account::empty();
    let packing = account.add_status("Пакування", 3);
    let done = account.add_status("Виконано", 5);
    let shop = account.add_source("Магазин", "opencart");
    let phoned = account.add_buyer(NewBuyer::named("А").phone("+38 (050) 111-22-33"));
    let mailed = account.add_buyer(NewBuyer::named("Б").email("b@mail.example"));
    account.add_order(NewOrder::new().buyer(phoned).source(shop).source_uuid("№7"));
    account.add_order(
        NewOrder::new()
            .status(packing)
            .buyer(mailed)
            .line(NewLine::named("Плед").price("100"))
            .paid("100"),
    );
    account.add_order(
        NewOrder::new()
            .status(done)
            .line(NewLine::named("Плед").price("100"))
            .paid("30")
            .shipping(Shipping {
                tracking_code: Some("20450000000001".to_owned()),
                shipped_at: Some("2026-03-05T10:00:00Z".parse()?),
                ..Shipping::default()
            }),
    );
    let sim = over(account)?;
    let cases: &[(&str, &[i64])] = &[
        ("status_id]=2", &[2]),
        ("status_id]=2,3", &[2, 3]),
        ("status_id]=77", &[]),
        ("source_id]=2", &[1]),
        ("source_uuid]=%E2%84%967", &[1]),
        ("buyer_phone]=380501112233", &[1]),
        ("buyer_phone]=0671112233,%2B380501112233", &[1]),
        ("buyer_email]=b@mail.example", &[2]),
        ("payment_status]=paid,overpaid", &[2]),
        ("payment_status]=part_paid", &[3]),
        ("has_tracking_code]=true", &[3]),
        ("has_tracking_code]=0", &[1, 2]),
        ("shipping_between]=2026-03-05,2026-03-06", &[3]),
    ];
    for (filter, expected) in cases {
        let path = format!("/order?sort=id&filter[{filter}");
        assert_eq!(listed(&sim, &path)?, *expected, "{filter}");
    }
    sim.account(|account| account.behaviour.id_lists = false);
    assert_eq!(listed(&sim, "/order?filter[status_id]=2,3")?, [2]);
    Ok(())
}

#[test]
fn an_unknown_filter_is_refused_or_does_nothing() -> Result<()> {
    let sim = over(many(2))?;
    let path = "/order?filter[manager_id]=1";
    let refused = get(&sim, path)?;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("`manager_id`"), "{}", refused.text);
    sim.account(|account| account.behaviour.unknown_filter = UnknownFilter::Ignore);
    assert_eq!(listed(&sim, path)?, [2, 1]);
    assert_eq!(
        get(&sim, "/offers/stocks?filter[warehouse_id]=9")?.status,
        200
    );
    Ok(())
}

#[test]
fn inactive_statuses_vanish_from_the_list_and_stay_on_orders() -> Result<()> {
    let mut account = Account::empty();
    let old = account.add_status("Старий", 2);
    account.add_order(NewOrder::new().status(old));
    let sim = over(account)?;
    assert_eq!(listed(&sim, "/order/status")?, [1, old]);
    sim.account(|account| account.deactivate_status(old));
    assert_eq!(listed(&sim, "/order/status")?, [1]);
    let order = json(&sim, "/order/1?include=status")?;
    assert_eq!(order["status"]["name"], "Старий");
    assert_eq!(order["status"]["is_active"], false);
    Ok(())
}

#[test]
fn single_records_and_custom_fields_come_without_an_envelope() -> Result<()> {
    let sim = keycrm::start(config())?;
    let (order, buyer) = sim.account(|account| {
        (
            account.orders.keys().next().copied().unwrap_or_default(),
            account.buyers.keys().next().copied().unwrap_or_default(),
        )
    });
    assert_eq!(json(&sim, &format!("/order/{order}"))?["id"], order);
    assert_eq!(json(&sim, &format!("/buyer/{buyer}"))?["id"], buyer);
    assert_eq!(json(&sim, "/products/1")?["id"], 1);
    assert_eq!(json(&sim, "/companies/1")?["id"], 1);
    let fields = json(&sim, "/custom-fields?filter[model]=order&include=options")?;
    assert_eq!(fields[0]["model"], "order");
    assert_eq!(fields[1]["options"][0]["field_id"], fields[1]["id"]);
    assert_eq!(fields.as_array().map(Vec::len), Some(2));
    for unknown in ["/order/999999", "/order/abc", "/buyer/1", "/nowhere"] {
        let answer = get(&sim, unknown)?;
        assert_eq!(answer.status, 404, "{unknown}");
        assert_eq!(answer.json()?, json!({ "message": "Not found" }));
    }
    Ok(())
}

#[test]
fn outside_the_prefix_a_plain_web_server_answers() -> Result<()> {
    let sim = over(many(1))?;
    let answer = fetch(&format!("http://{}/order", sim.address()), Some(KEY))?;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("content-type"), Some("text/html"));
    assert!(answer.text.contains("404 Not Found"));
    Ok(())
}

#[test]
fn users_may_be_out_of_the_plan() -> Result<()> {
    let sim = keycrm::start(config())?;
    assert_eq!(listed(&sim, "/users")?, [1, 2, 3, 4, 5]);
    assert_eq!(listed(&sim, "/users?filter[status]=blocked")?, [4]);
    sim.account(|account| account.behaviour.users_endpoint = false);
    assert_eq!(get(&sim, "/users")?.status, 403);
    Ok(())
}

#[test]
fn the_same_seed_makes_the_same_account() -> Result<()> {
    let everything = |seed: u64| -> Result<String> {
        let sim = keycrm::start(Config { seed, ..config() })?;
        let paths = [
            "/order?limit=50&sort=id&include=buyer,products.offer,payments,shipping,custom_fields",
            "/products?limit=50",
            "/buyer?limit=50",
        ];
        let texts: Result<String> = paths
            .iter()
            .map(|path| Ok(get(&sim, path)?.text.replace(sim.url(), "")))
            .collect();
        texts
    };
    assert_eq!(everything(7)?, everything(7)?);
    assert_ne!(everything(7)?, everything(8)?);
    Ok(())
}

#[test]
fn the_default_behaviour_is_that_of_a_started_simulator() -> Result<()> {
    let sim = keycrm::start(Config::default())?;
    let behaviour = sim.account(|account| account.behaviour.clone());
    assert_eq!(behaviour, Behaviour::default());
    assert_eq!(
        get_as(&sim, "/order", Some("simulated-keycrm-key"))?.status,
        200
    );
    Ok(())
}
