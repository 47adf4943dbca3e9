//! KeyCRM → ERP: what the integration promises to its users, each promise through the real
//! component, real HTTP and a real ERP file.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use tenon_host::observe::{Change, Side, Written};
use tenon_host::report::Outcome;
use tenon_host::{Mend, Mode};
use tenon_scenarios::Shop;
use tenon_simulators::keycrm::{
    self, Account, Behaviour, Config, LineDiscount, NewBuyer, NewLine, NewOrder, NewProduct,
    Numbers, PaymentState, Purpose, Shipping, Simulator, Timestamps,
};

const KEY: &str = "simulated-keycrm-key";

/// A KeyCRM without request limit that holds this account.
fn crm(account: Account) -> Simulator {
    keycrm::start_with(unlimited(), account).expect("a simulator")
}

fn unlimited() -> Config {
    Config {
        requests_per_minute: None,
        ordered_to: "2026-03-31T12:00:00Z".parse().expect("a moment"),
        ..Config::default()
    }
}

fn shop(sim: &Simulator) -> Shop {
    Shop::new("keycrm", sim.url(), KEY)
}

/// All of 2026, the account's present included.
fn year() -> Value {
    json!({ "period": { "from": "2026-01-01", "to": "2026-12-31" } })
}

/// The settings of a year with more.
fn year_with(more: Value) -> Value {
    let mut settings = year();
    for (name, value) in more.as_object().expect("an object") {
        settings[name] = value.clone();
    }
    settings
}

fn decimal(value: &Value) -> Decimal {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is not a decimal"));
    text.parse().expect("a decimal")
}

/// An account with one buyer, and an order of theirs for one thing.
fn with_buyer() -> (Account, i64) {
    let mut account = Account::empty();
    let buyer = account.add_buyer(
        NewBuyer::named("Олена Коваль")
            .phone("+380501112233")
            .email("olena@example.test"),
    );
    (account, buyer)
}

fn simple_order(buyer: i64) -> NewOrder {
    NewOrder::new()
        .buyer(buyer)
        .line(NewLine::named("Чашка").sku("CUP-1").price("120.50"))
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

// ---- which orders

/// Requests by which the host learns whose the key is, before the first run with it.
const ACCOUNT: u64 = 2;

#[test]
fn only_orders_of_the_period_are_loaded() {
    let (mut account, buyer) = with_buyer();
    let before = account.add_order(simple_order(buyer).ordered_at("2026-02-28T23:59:59Z"));
    let first = account.add_order(simple_order(buyer).ordered_at("2026-03-01T00:00:00Z"));
    let last = account.add_order(simple_order(buyer).ordered_at("2026-03-31T23:59:59Z"));
    let after = account.add_order(simple_order(buyer).ordered_at("2026-04-01T00:00:01Z"));
    let sim = crm(account);
    let shop = shop(&sim);
    let march = json!({ "period": { "from": "2026-03-01", "to": "2026-03-31" } });
    let run = shop.run("orders", march);
    assert_eq!((2, 0, 0, 0), run.counts(), "{run:#?}");
    let numbers: Vec<String> = (shop.records("orders").iter())
        .map(|order| order["number"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(vec![first.to_string(), last.to_string()], numbers);
    assert!(
        ![before, after]
            .iter()
            .any(|id| numbers.contains(&id.to_string()))
    );
}

#[test]
fn only_chosen_statuses_are_loaded_but_a_loaded_order_is_followed_into_any_status() {
    let (mut account, buyer) = with_buyer();
    let packing = account.add_status("Пакування", 2);
    let done = account.add_status("Виконано", 5);
    let chosen = account.add_order(simple_order(buyer).status(packing));
    let other = account.add_order(simple_order(buyer).status(1));
    let sim = crm(account);
    let shop = shop(&sim);
    let settings = year_with(json!({ "statuses": [packing] }));
    let run = shop.run("orders", settings.clone());
    assert_eq!((1, 0, 0, 0), run.counts(), "{run:#?}");

    sim.account(|account| {
        account.set_status(chosen, done);
        account.set_status(other, done);
    });
    let run = shop.run("orders", settings);
    assert_eq!((0, 1, 0, 0), run.counts(), "{run:#?}");
    let order = shop.order(chosen);
    assert_eq!("Виконано", shop.name("order-stages", &order["stage"]));
    assert_eq!(1, shop.records("orders").len());
}

#[test]
fn pages_are_read_from_the_last_to_the_first_fifty_at_a_time_with_what_the_api_really_includes() {
    let sim = keycrm::start(Config {
        orders: 120,
        ..unlimited()
    })
    .unwrap();
    let shop = shop(&sim);
    let run = shop.run(
        "orders",
        year_with(json!({ "default_partner": partner(&shop) })),
    );
    assert_eq!(Outcome::Done, run.report.outcome, "{:?}", run.report);
    let pages: Vec<_> = (sim.recent_requests().into_iter())
        .filter(|seen| seen.endpoint == "GET /order")
        .collect();
    // The first tells how many there are; what goes meanwhile moves others onto it.
    let numbers: Vec<_> = pages.iter().map(|page| page.parameter("page")).collect();
    assert_eq!(["1", "3", "2", "1"].map(Some).to_vec(), numbers);
    for page in &pages {
        assert_eq!(Some("id"), page.parameter("sort"));
        assert_eq!(Some("50"), page.parameter("limit"));
        assert_eq!(
            Some("Bearer simulated-keycrm-key"),
            page.header("authorization")
        );
        assert!(page.header("accept").unwrap().contains("application/json"));
        assert!(page.header("accept-encoding").unwrap().contains("gzip"));
    }
}

/// Makes a partner for orders that have none; answers with its key.
fn partner(shop: &Shop) -> String {
    shop.load(
        "partners",
        json!([{ "key": "walk-in", "name": "Роздрібний покупець" }]),
    );
    "walk-in".to_owned()
}

#[test]
fn with_a_period_every_run_reads_it_whole_and_finds_nothing_to_do() {
    let sim = keycrm::start(Config {
        orders: 130,
        ..unlimited()
    })
    .unwrap();
    let shop = shop(&sim);
    let settings = year_with(json!({ "default_partner": partner(&shop) }));
    let first = shop.run("orders", settings.clone());
    assert_eq!((130, 0, 0, 0), first.counts(), "{:?}", first.report);
    let before = shop.records("orders");
    sim.reset_counts();
    let second = shop.run("orders", settings);
    assert_eq!((0, 0, 130, 0), second.counts(), "{:?}", second.report);
    assert_eq!(4, sim.requests_to("GET /order"));
    assert_eq!(before, shop.records("orders"));
}

// ---- incremental runs

#[test]
fn the_first_incremental_run_reads_the_window_and_later_ones_only_what_changed() {
    let sim = keycrm::start(Config {
        orders: 400,
        share_final: 1.0,
        ordered_to: jiff::Timestamp::now(),
        ..unlimited()
    })
    .unwrap();
    let shop = shop(&sim);
    let settings = json!({ "last_days": 60, "default_partner": partner(&shop) });
    let first = shop.run("orders", settings.clone());
    assert_eq!((400, 0, 0, 0), first.counts(), "{:?}", first.report);

    sim.reset_counts();
    let second = shop.run("orders", settings.clone());
    let (created, updated, ..) = second.counts();
    assert_eq!((0, 0), (created, updated), "{:?}", second.report);
    assert!(sim.total_requests() <= 6, "{:?}", sim.requests());

    let (changed, new) = sim.account(|account| {
        let changed = *account.orders.keys().nth(20).unwrap();
        let status = account.add_status("Повернення", 6);
        account.set_status(changed, status);
        let buyer = *account.buyers.keys().next().unwrap();
        (changed, account.add_order(simple_order(buyer)))
    });
    let third = shop.run("orders", settings);
    let (created, updated, ..) = third.counts();
    assert_eq!((1, 1), (created, updated), "{:?}", third.report);
    let order = shop.order(changed);
    assert_eq!("Повернення", shop.name("order-stages", &order["stage"]));
    shop.order(new);
}

#[test]
fn an_order_entered_late_with_an_old_date_is_found_by_its_change() {
    let (mut account, buyer) = with_buyer();
    let done = account.add_status("Виконано", 5);
    let now = jiff::Timestamp::now();
    account.set_now(now);
    account.add_order(simple_order(buyer).status(done));
    let sim = crm(account);
    let shop = shop(&sim);
    let settings = json!({ "last_days": 3 });
    shop.run("orders", settings.clone());
    // Placed on the source a month ago, imported into the CRM only now.
    let late = sim.account(|account| {
        let ordered = now - jiff::SignedDuration::from_hours(24 * 30);
        let entered = account.next_moment();
        let order = simple_order(buyer)
            .status(done)
            .ordered_at(&ordered.to_string())
            .created_at(&entered.to_string())
            .updated_at(&entered.to_string());
        account.add_order(order)
    });
    let run = shop.run("orders", settings);
    assert_eq!(1, run.report.created, "{:?}", run.report);
    shop.order(late);
}

#[test]
fn a_status_change_that_leaves_no_trace_in_updated_at_is_found_on_open_orders() {
    for open_orders in [1, 12] {
        let (mut account, buyer) = with_buyer();
        // A day lies between them and the last one, so that no overlap of windows finds them.
        account.set_now(jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24));
        let done = account.add_status("Виконано", 5);
        let orders: Vec<i64> = (0..open_orders)
            .map(|_| account.add_order(simple_order(buyer)))
            .collect();
        account.set_now(jiff::Timestamp::now());
        account.add_order(simple_order(buyer).status(done));
        account.behaviour.status_bumps_updated_at = false;
        let behaviour = account.behaviour.clone();
        let config = Config {
            behaviour,
            ..unlimited()
        };
        let sim = keycrm::start_with(config, account).unwrap();
        let shop = shop(&sim);
        let settings = json!({ "last_days": 5 });
        shop.run("orders", settings.clone());
        sim.account(|account| account.set_status(orders[0], done));
        let run = shop.run("orders", settings.clone());
        assert_eq!(
            1, run.report.updated,
            "{open_orders} open: {:?}",
            run.report
        );
        let order = shop.order(orders[0]);
        assert_eq!("Виконано", shop.name("order-stages", &order["stage"]));

        // An open order that is gone in the CRM stays in the ERP and is not asked for again.
        if let Some(gone) = orders.get(1) {
            sim.account(|account| account.delete_order(*gone));
            let run = shop.run("orders", settings);
            assert_eq!(Outcome::Done, run.report.outcome, "{:?}", run.report);
            shop.order(*gone);
        }
    }
}

#[test]
fn orders_deleted_or_entered_while_pages_are_read_are_not_lost_and_not_doubled() {
    let sim = keycrm::start(Config {
        orders: 230,
        ..unlimited()
    })
    .unwrap();
    let shop = shop(&sim);
    let settings = year_with(json!({ "default_partner": partner(&shop) }));
    sim.after_nth("GET /order", 2, |account| {
        let gone: Vec<i64> = account.orders.keys().take(7).copied().collect();
        for order in gone {
            account.delete_order(order);
        }
        let buyer = *account.buyers.keys().next().unwrap();
        account.add_order(simple_order(buyer));
    });
    let run = shop.run("orders", settings);
    assert_eq!(Outcome::Done, run.report.outcome, "{:?}", run.report);
    // The seven were read before they went; the new one came last.
    assert_eq!((231, 0, 0, 0), run.counts(), "{:?}", run.report);
    let left: Vec<i64> = sim.account(|account| account.orders.keys().copied().collect());
    for order in left {
        shop.order(order);
    }
}

#[test]
fn a_run_that_is_stopped_goes_on_where_it_stopped_and_adds_up() {
    let sim = keycrm::start(Config {
        orders: 230,
        ..unlimited()
    })
    .unwrap();
    let shop = shop(&sim);
    let settings = year_with(json!({ "default_partner": partner(&shop) }));
    let stopped = shop.run_until("orders", settings.clone(), 2);
    assert_eq!(Outcome::Suspended, stopped.report.outcome);
    let so_far = shop.records("orders").len();
    assert!((1..230).contains(&so_far), "{so_far}");
    sim.reset_counts();
    let rest = shop.run("orders", settings);
    assert_eq!(Outcome::Done, rest.report.outcome);
    assert_eq!(230, shop.records("orders").len());
    assert!(sim.requests_to("GET /order") < 5, "{:?}", sim.requests());
}

#[test]
fn every_listing_style_of_the_vendor_leads_to_the_same_orders() {
    let styles = [
        Behaviour {
            last_page: false,
            ..Behaviour::default()
        },
        Behaviour {
            overlapping_pages: true,
            ..Behaviour::default()
        },
        Behaviour {
            inclusive_between: false,
            missing_nulls: true,
            ..Behaviour::default()
        },
    ];
    for behaviour in styles {
        let sim = keycrm::start(Config {
            orders: 150,
            behaviour: behaviour.clone(),
            ..unlimited()
        })
        .unwrap();
        let shop = shop(&sim);
        let settings = year_with(json!({ "default_partner": partner(&shop) }));
        let run = shop.run("orders", settings);
        assert_eq!(
            (150, 0, 0, 0),
            run.counts(),
            "{behaviour:?}: {:?}",
            run.report
        );
        assert_eq!(150, shop.records("orders").len());
    }
}

// ---- delivery

fn delivered() -> (Account, i64) {
    let (mut account, buyer) = with_buyer();
    let carrier = account.add_delivery_service("Нова Пошта", "novaposhta");
    let order = account.add_order(simple_order(buyer).shipping_price("70").shipping(Shipping {
        delivery_service_id: Some(carrier),
        tracking_code: Some("20450000000001".to_owned()),
        country: Some("Україна".to_owned()),
        city: Some("Київ".to_owned()),
        receive_point: Some("Відділення 12".to_owned()),
        recipient_full_name: Some("Іван Коваль".to_owned()),
        recipient_phone: Some("+380670000000".to_owned()),
        ..Shipping::default()
    }));
    (account, order)
}

#[test]
fn the_delivery_address_is_on_the_order_and_never_on_the_partner() {
    let (account, order) = delivered();
    let sim = crm(account);
    let shop = shop(&sim);
    shop.run("orders", year());
    let delivery = &shop.order(order)["delivery"];
    let address = delivery["address"].as_str().unwrap();
    assert!(
        address.contains("Київ") && address.contains("Відділення 12"),
        "{address}"
    );
    assert_eq!("Іван Коваль", delivery["recipient"]);
    assert_eq!("+380670000000", delivery["phone"]);
    assert_eq!("20450000000001", delivery["tracking"]);
    assert_eq!(
        "Нова Пошта",
        shop.name("delivery-services", &delivery["service"])
    );
    let partner = shop.record("partners", "name", "Олена Коваль");
    assert!(partner["address"].is_null(), "{partner}");
    assert!(!partner.to_string().contains("Відділення"), "{partner}");
}

#[test]
fn the_delivery_fee_is_booked_under_the_configured_service_and_is_no_line() {
    let (account, order) = delivered();
    let sim = crm(account);
    let shop = shop(&sim);
    shop.load(
        "products",
        json!([{ "key": "delivery", "kind": "service", "name": "Доставка" }]),
    );
    shop.run(
        "orders",
        year_with(json!({ "delivery_product": "delivery" })),
    );
    let order = shop.order(order);
    assert_eq!("delivery", order["delivery"]["product"]);
    assert_eq!(Decimal::from(70), decimal(&order["delivery"]["cost"]));
    let lines = order["lines"].as_array().unwrap();
    assert_eq!(1, lines.len(), "{lines:?}");
    assert_eq!("Чашка", lines[0]["name"]);
    assert_eq!(
        "190.5".parse::<Decimal>().unwrap(),
        decimal(&order["total"]).normalize()
    );
}

// ---- partners

#[test]
fn a_missing_partner_is_made_with_name_phone_and_mail_once() {
    let (mut account, buyer) = with_buyer();
    account.add_order(simple_order(buyer));
    account.add_order(simple_order(buyer));
    let sim = crm(account);
    let shop = shop(&sim);
    shop.run("orders", year());
    let partners = shop.records("partners");
    assert_eq!(1, partners.len(), "{partners:#?}");
    assert_eq!("Олена Коваль", partners[0]["name"]);
    assert_eq!(vec!["+380501112233"], texts(&partners[0]["phones"]));
    assert_eq!(vec!["olena@example.test"], texts(&partners[0]["emails"]));
    for order in shop.records("orders") {
        assert_eq!(partners[0]["key"], order["partner"]);
    }
}

#[test]
fn a_partner_is_matched_by_normalised_phone_then_by_mail_and_keeps_their_card() {
    let mut account = Account::empty();
    let by_phone = account.add_buyer(
        NewBuyer::named("Інше Ім'я")
            .phone("+380501112233")
            .email("second@example.test"),
    );
    let by_mail = account.add_buyer(NewBuyer::named("Хтось").email("Second@Example.test"));
    let first = account.add_order(simple_order(by_phone));
    let second = account.add_order(simple_order(by_mail));
    let sim = crm(account);
    let shop = shop(&sim);
    shop.load(
        "partners",
        json!([
            { "key": "mail", "name": "За поштою", "emails": ["second@example.test"] },
            { "key": "phone", "name": "За телефоном", "phones": ["050 111-22-33"] },
        ]),
    );
    let run = shop.run("orders", year());
    assert_eq!("phone", shop.order(first)["partner"]);
    assert_eq!("mail", shop.order(second)["partner"]);
    assert_eq!(2, shop.records("partners").len());
    assert_eq!(
        "За телефоном",
        shop.record("partners", "key", "phone")["name"]
    );
    assert!(
        run.logged(&["phone"]) && run.logged(&["mail"]),
        "{:#?}",
        run.log
    );

    // From now on only the binding counts.
    sim.account(|account| {
        account.change_buyer(by_phone).phones = vec!["+380990000000".to_owned()];
        account.change_order(first);
    });
    shop.run("orders", year());
    assert_eq!("phone", shop.order(first)["partner"]);
    assert_eq!(2, shop.records("partners").len());
}

#[test]
fn one_person_under_two_buyers_becomes_one_partner() {
    let mut account = Account::empty();
    let buyers = ["+380501112233", "+38 (050) 111-22-33"]
        .map(|phone| account.add_buyer(NewBuyer::named("Олена").phone(phone)));
    for buyer in buyers {
        account.add_order(simple_order(buyer));
    }
    let sim = crm(account);
    let shop = shop(&sim);
    shop.run("orders", year());
    assert_eq!(
        1,
        shop.records("partners").len(),
        "{:#?}",
        shop.records("partners")
    );
    assert_eq!(2, shop.records("orders").len());
}

#[test]
fn an_order_without_a_buyer_gets_the_default_partner_or_is_listed() {
    let mut account = Account::empty();
    let order = account.add_order(NewOrder::new().line(NewLine::named("Чашка").price("1")));
    let sim = crm(account);
    let shop = shop(&sim);
    let run = shop.run("orders", year());
    assert_eq!((0, 0, 0, 1), run.counts(), "{run:?}");
    assert_eq!(order.to_string(), run.report.records[0].id);
    let mend = run.report.records[0].why.mend.clone();
    assert_eq!(Some(Mend::Setting("default_partner".to_owned())), mend);

    let walk_in = partner(&shop);
    let run = shop.run("orders", year_with(json!({ "default_partner": walk_in })));
    assert_eq!((1, 0, 0, 0), run.counts(), "{run:?}");
    assert_eq!("walk-in", shop.order(order)["partner"]);
}

#[test]
fn phones_and_addresses_that_only_fill_a_field_make_nobody_one() {
    let mut account = Account::empty();
    for name in ["Олена", "Ірина", "Марко"] {
        for contact in ["+380000000000", "0000000000", "no@mail.ru"] {
            let buyer = NewBuyer::named(&format!("{name} {contact}"));
            let buyer = match contact.contains('@') {
                true => buyer.email(contact),
                false => buyer.phone(contact),
            };
            let buyer = account.add_buyer(buyer);
            account.add_order(simple_order(buyer));
        }
    }
    let sim = crm(account);
    let shop = shop(&sim);
    let run = shop.run("orders", year());
    assert_eq!((9, 0, 0, 0), run.counts(), "{run:#?}");
    assert_eq!(9, shop.records("partners").len());
}

#[test]
fn a_phone_is_known_however_the_crm_has_it_written() {
    let mut account = Account::empty();
    let written = [
        "80671112233",
        "0501112233, 067 111 22 33",
        "0671112233,0501112233",
        "067 111 22 33 доб. 5",
        "+38 (067) 111-22-33 (Viber)",
    ];
    for (number, phone) in written.into_iter().enumerate() {
        let buyer = account.add_buyer(NewBuyer::named(&format!("Олена {number}")).phone(phone));
        account.add_order(simple_order(buyer));
    }
    let sim = crm(account);
    let shop = shop(&sim);
    shop.load(
        "partners",
        json!([{ "key": "olena", "name": "Олена", "phones": ["+380671112233"] }]),
    );
    let run = shop.run("orders", year());
    assert_eq!((5, 0, 0, 0), run.counts(), "{run:#?}");
    let partners = shop.records("partners");
    assert_eq!(1, partners.len(), "{partners:#?}");
}

#[test]
fn several_phones_in_one_field_are_several_on_the_card() {
    let mut account = Account::empty();
    let buyer = NewBuyer::named("Олена").phone("0501112233, 067 111 22 33 доб. 5");
    let buyer = account.add_buyer(buyer);
    account.add_order(simple_order(buyer));
    let sim = crm(account);
    let shop = shop(&sim);
    shop.run("orders", year());
    let partner = shop.record("partners", "name", "Олена");
    assert_eq!(
        vec!["0501112233", "067 111 22 33"],
        texts(&partner["phones"])
    );
}

#[test]
fn a_buyer_is_no_supplier_who_has_the_same_phone() {
    let mut account = Account::empty();
    let contact = |name: &str| {
        let buyer = NewBuyer::named(name).phone("+380501112233");
        buyer.email("office@example.test")
    };
    let buyer = account.add_buyer(contact("Олена"));
    let order = account.add_order(simple_order(buyer));
    let sim = crm(account);
    let shop = shop(&sim);
    let phones = ["+380501112233"];
    let emails = ["office@example.test"];
    shop.load(
        "partners",
        json!([{ "key": "supplier", "name": "Постачальник", "role": "supplier",
            "phones": phones, "emails": emails }]),
    );
    shop.run("orders", year());
    let partner = shop.record("partners", "name", "Олена");
    assert_eq!("customer", partner["role"]);
    assert_eq!(partner["key"], shop.order(order)["partner"]);

    // The next buyer of that phone is the customer, who stands behind the supplier.
    let later = sim.account(|account| {
        let buyer = account.add_buyer(contact("Олена Коваль"));
        account.add_order(simple_order(buyer))
    });
    shop.run("orders", year());
    assert_eq!(partner["key"], shop.order(later)["partner"]);
    assert_eq!(2, shop.records("partners").len());
}

// ---- products

#[test]
fn a_good_of_the_same_name_and_another_article_is_another_good() {
    let (mut account, buyer) = with_buyer();
    let line = |sku: &str| NewLine::named("Футболка").sku(sku).price("10");
    let order = account.add_order(
        (NewOrder::new().buyer(buyer))
            .line(line("Y-9"))
            .line(line("Z-3"))
            .line(line("Z-3"))
            .line(NewLine::named("Футболка").price("10")),
    );
    let sim = crm(account);
    let shop = shop(&sim);
    shop.load(
        "products",
        json!([{ "key": "known", "name": "Футболка", "sku": "X-1" }]),
    );
    shop.run("orders", year());
    let order = shop.order(order);
    let skus: Vec<_> = (order["lines"].as_array().unwrap().iter())
        .map(|line| {
            let key = line["product"].as_str().unwrap();
            shop.record("products", "key", key)["sku"].clone()
        })
        .collect();
    assert_eq!(json!(["Y-9", "Z-3", "Z-3", "X-1"]), json!(skus));
    assert_eq!(3, shop.records("products").len());
}

#[test]
fn one_name_with_other_apostrophes_is_one_good() {
    let (mut account, buyer) = with_buyer();
    let written = ["М'яч", "М’яч", "Мʼяч", "м&#39;яч", "  М`яч "];
    let orders = written.map(|name| {
        let line = NewLine::named(name).price("10");
        account.add_order(NewOrder::new().buyer(buyer).line(line))
    });
    let sim = crm(account);
    let shop = shop(&sim);
    let run = shop.run("orders", year());
    assert_eq!((5, 0, 0, 0), run.counts(), "{run:#?}");
    let products = shop.records("products");
    assert_eq!(1, products.len(), "{products:#?}");
    for order in orders {
        assert_eq!(products[0]["key"], shop.order(order)["lines"][0]["product"]);
    }
}

#[test]
fn a_product_is_matched_by_sku_of_variants_then_of_items_then_by_exact_name() {
    let (mut account, buyer) = with_buyer();
    let line = |name: &str| NewLine::named(name).price("10");
    let order = account.add_order(
        NewOrder::new()
            .buyer(buyer)
            .line(line("Будь-яка назва").sku("V-RED"))
            .line(line("Ще якась").sku("ITEM-7"))
            .line(line("Точна Назва"))
            .line(line("Двічі названа")),
    );
    let sim = crm(account);
    let shop = shop(&sim);
    shop.load(
        "products",
        json!([
            { "key": "100", "name": "Футболка як товар", "sku": "V-RED" },
            { "key": "101", "kind": "good_with_variants", "name": "Футболка", "variants": [
                { "name": "Червона", "sku": "V-RED" }, { "name": "Синя", "sku": "V-BLUE" }] },
            { "key": "102", "name": "Гачок", "sku": "ITEM-7" },
            { "key": "103", "name": "точна назва" },
            { "key": "104", "name": "Двічі названа" },
            { "key": "105", "name": "Двічі названа" },
        ]),
    );
    let run = shop.run("orders", year());
    let order = shop.order(order);
    let products: Vec<_> = (order["lines"].as_array().unwrap().iter())
        .map(|line| line["product"].as_str().unwrap())
        .collect();
    assert_eq!(vec!["101", "102", "103", "104"], products);
    let variant = &shop.record("products", "key", "101")["variants"][0];
    assert_eq!(variant["key"], order["lines"][0]["product_variant"]);
    assert_eq!(6, shop.records("products").len());
    assert!(
        run.logged(&["SKU"]) && run.logged(&["name"]),
        "{:#?}",
        run.log
    );
}

#[test]
fn missing_products_are_made_as_goods_variants_or_services() {
    let (mut account, buyer) = with_buyer();
    let services = account.add_category("Послуги", None);
    let fitting = account.add_category("Монтаж", Some(services));
    let plain = account.add_product(NewProduct::named("Чашка").sku("CUP").price("100"));
    let shirt = account.add_product(
        NewProduct::named("Футболка")
            .variant(
                Some("TS-R"),
                "600",
                &[("Колір", "Червоний"), ("Розмір", "M")],
            )
            .variant(Some("TS-B"), "650", &[("Колір", "Синій"), ("Розмір", "L")]),
    );
    let ribbon = account.add_product(
        NewProduct::named("Стрічка")
            .variant(None, "20", &[("Колір", "Біла")])
            .variant(None, "20", &[("Колір", "Чорна")]),
    );
    let scarf = account.add_product(
        NewProduct::named("Шарф")
            .variant(Some("SC"), "90", &[("Колір", "Сірий")])
            .variant(Some("SC"), "90", &[("Колір", "Бежевий")]),
    );
    let install = account.add_product(NewProduct::named("Встановлення").category(fitting));
    let mut order = NewOrder::new().buyer(buyer);
    for product in [plain, shirt, ribbon, scarf, install] {
        order = order.line(NewLine::of(account.offer_of(product)).price("50"));
    }
    let order = account.add_order(order.line(NewLine::named("Разова річ").price("5")));
    let sim = crm(account);
    let shop = shop(&sim);
    let settings = year_with(json!({ "service_categories": [services] }));
    let run = shop.run("orders", settings.clone());
    assert_eq!((1, 0, 0, 0), run.counts(), "{run:#?}");
    let kind = |name: &str| shop.record("products", "name", name)["kind"].clone();
    assert_eq!("good", kind("Чашка"));
    assert_eq!("good_with_variants", kind("Футболка"));
    assert_eq!("good", kind("Стрічка"));
    assert_eq!("good", kind("Шарф"));
    assert_eq!("service", kind("Встановлення"));
    assert_eq!("good", kind("Разова річ"));

    let shirt = shop.record("products", "name", "Футболка");
    let skus: Vec<_> = (shirt["variants"].as_array().unwrap().iter())
        .map(|variant| variant["sku"].as_str().unwrap())
        .collect();
    assert_eq!(vec!["TS-R", "TS-B"], skus);
    let characteristics = &shirt["variants"][0]["characteristics"];
    assert_eq!(
        &json!([{ "origin": null, "name": "Колір", "value": "Червоний" }, { "origin": null, "name": "Розмір", "value": "M" }]),
        characteristics
    );
    let line = &shop.order(order)["lines"][1];
    assert_eq!(shirt["variants"][0]["key"], line["product_variant"]);
    assert_eq!("шт", shop.record("products", "name", "Чашка")["unit"]);

    let again = shop.run("orders", settings);
    assert_eq!((0, 0, 1, 0), again.counts());
    assert_eq!(6, shop.records("products").len());
}

#[test]
fn a_variant_that_the_crm_adds_later_joins_its_product() {
    let (mut account, buyer) = with_buyer();
    let shirt = account.add_product(
        NewProduct::named("Футболка")
            .variant(Some("TS-R"), "600", &[("Колір", "Червоний")])
            .variant(Some("TS-B"), "600", &[("Колір", "Синій")]),
    );
    let offer = account.offer_of(shirt);
    account.add_order(NewOrder::new().buyer(buyer).line(NewLine::of(offer)));
    let sim = crm(account);
    let shop = shop(&sim);
    shop.run("orders", year());
    let later = sim.account(|account| {
        let mut green = account.offers[&offer].clone();
        green.id = 9_000;
        green.sku = Some("TS-G".to_owned());
        green.properties[0].value = "Зелений".to_owned();
        account.offers.insert(green.id, green);
        account.change_product(shirt).offer_ids.push(9_000);
        account.add_order(NewOrder::new().buyer(buyer).line(NewLine::of(9_000)))
    });
    let run = shop.run("orders", year());
    assert_eq!(1, run.report.created, "{run:#?}");
    let products = shop.records("products");
    assert_eq!(1, products.len(), "{products:#?}");
    let variants = products[0]["variants"].as_array().unwrap();
    assert_eq!(3, variants.len(), "{variants:#?}");
    assert_eq!(
        variants[2]["key"],
        shop.order(later)["lines"][0]["product_variant"]
    );
}

#[test]
fn people_own_product_cards_after_they_are_made() {
    let (mut account, buyer) = with_buyer();
    let cup = account.add_product(NewProduct::named("Чашка").sku("CUP"));
    let offer = account.offer_of(cup);
    let order = account.add_order(NewOrder::new().buyer(buyer).line(NewLine::of(offer)));
    let sim = crm(account);
    let shop = shop(&sim);
    shop.run("orders", year());
    let mut card = shop.record("products", "name", "Чашка");
    card["name"] = "Чашка біла 300 мл".into();
    card["sku"] = "OUR-CUP".into();
    shop.load("products", json!([card]));
    sim.account(|account| account.change_order(order).manager_comment = Some("!".to_owned()));
    shop.run("orders", year());
    assert_eq!("Чашка біла 300 мл", shop.records("products")[0]["name"]);
    assert_eq!(card["key"], shop.order(order)["lines"][0]["product"]);
}

// ---- stages, sources, comment

#[test]
fn explicit_stages_win_and_others_are_made_by_name_and_bound_by_id() {
    let (mut account, buyer) = with_buyer();
    let packing = account.add_status("Пакування", 2);
    let ready = account.add_status("Готово", 3);
    let mapped = account.add_order(simple_order(buyer).status(packing));
    let made = account.add_order(simple_order(buyer).status(ready));
    let found = account.add_order(simple_order(buyer).status(1));
    let sim = crm(account);
    let shop = shop(&sim);
    shop.load(
        "order-stages",
        json!([{ "key": "assembly", "name": "Комплектація" }, { "key": "fresh", "name": "New" }]),
    );
    let settings = year_with(json!({ "stages": { packing.to_string(): "assembly" } }));
    shop.run("orders", settings.clone());
    assert_eq!("assembly", shop.order(mapped)["stage"]);
    assert_eq!("fresh", shop.order(found)["stage"]);
    let stage = shop.order(made)["stage"].clone();
    assert_eq!("Готово", shop.name("order-stages", &stage));

    // Renamed at the CRM: it is still the same stage.
    sim.account(|account| {
        account.statuses.get_mut(&ready).unwrap().name = "Зібрано".to_owned();
        account.change_order(made);
    });
    shop.run("orders", settings);
    assert_eq!(stage, shop.order(made)["stage"]);
    assert_eq!(3, shop.records("order-stages").len());
}

#[test]
fn a_repeated_download_moves_the_order_to_its_new_stage() {
    let (mut account, buyer) = with_buyer();
    let ready = account.add_status("Готово", 3);
    let order = account.add_order(simple_order(buyer));
    let sim = crm(account);
    let shop = shop(&sim);
    shop.run("orders", year());
    assert_eq!(
        "new",
        shop.name("order-stages", &shop.order(order)["stage"])
    );
    sim.account(|account| account.set_status(order, ready));
    let run = shop.run("orders", year());
    assert_eq!((0, 1, 0, 0), run.counts());
    assert_eq!(
        "Готово",
        shop.name("order-stages", &shop.order(order)["stage"])
    );
}

#[test]
fn sources_are_made_once_and_every_run_asks_for_them_once() {
    let (mut account, buyer) = with_buyer();
    let site = account.add_source("Сайт", "opencart");
    let order = account.add_order(simple_order(buyer).source(site));
    let sim = crm(account);
    let shop = shop(&sim);
    shop.run("orders", year());
    assert_eq!(
        "Сайт",
        shop.name("order-sources", &shop.order(order)["source"])
    );
    // Once to know the account by, once for their names.
    assert_eq!(2, sim.requests_to("GET /order/source"));
    sim.account(|account| account.add_order(simple_order(buyer).source(site)));
    shop.run("orders", year());
    assert_eq!(3, sim.requests_to("GET /order/source"));
    let named = shop.records("order-sources");
    assert_eq!(
        1,
        named.iter().filter(|entry| entry["name"] == "Сайт").count()
    );
}

#[test]
fn the_number_of_the_source_stands_in_the_comment_once_beside_peoples_words() {
    let (mut account, buyer) = with_buyer();
    let order = account.add_order(simple_order(buyer).source_uuid("№20155"));
    let sim = crm(account);
    let shop = shop(&sim);
    let settings = year_with(json!({ "write_source_number": true }));
    shop.run("orders", settings.clone());
    let comment = |shop: &Shop| shop.order(order)["comment"].as_str().unwrap().to_owned();
    assert_eq!(1, comment(&shop).matches("№20155").count());

    let mut edited = shop.order(order);
    edited["comment"] = format!("Подзвонити після 18:00\n{}", comment(&shop)).into();
    shop.load("orders", json!([edited]));
    sim.account(|account| account.add_payment(order, Decimal::from(5)));
    let run = shop.run("orders", settings.clone());
    assert_eq!((0, 1, 0, 0), run.counts());
    assert_eq!(
        1,
        comment(&shop).matches("№20155").count(),
        "{}",
        comment(&shop)
    );
    assert!(comment(&shop).contains("Подзвонити після 18:00"));

    sim.account(|account| {
        account.change_order(order).source_uuid = Some("№30000".to_owned());
    });
    shop.run("orders", settings);
    assert!(!comment(&shop).contains("№20155") && comment(&shop).contains("№30000"));
    assert!(comment(&shop).contains("Подзвонити після 18:00"));
}

#[test]
fn without_the_switch_the_comment_is_peoples_alone() {
    let (mut account, buyer) = with_buyer();
    let order = account.add_order(simple_order(buyer).source_uuid("№20155"));
    let sim = crm(account);
    let shop = shop(&sim);
    shop.run("orders", year());
    assert!(shop.order(order)["comment"].is_null());
}

// ---- money

#[test]
fn the_erps_total_is_keycrms_grand_total_for_every_order() {
    let behaviours = [
        Behaviour::default(),
        Behaviour {
            taxes_in_total: false,
            ..Behaviour::default()
        },
        Behaviour {
            wrap_in_total: false,
            numbers: Numbers::Strings,
            ..Behaviour::default()
        },
        Behaviour {
            taxes_in_total: false,
            wrap_in_total: false,
            line_discount: LineDiscount::PerRow,
            timestamps: Timestamps::Spaced,
            ..Behaviour::default()
        },
    ];
    for (seed, behaviour) in behaviours.into_iter().enumerate() {
        let sim = keycrm::start(Config {
            seed: seed as u64,
            orders: 500,
            behaviour: behaviour.clone(),
            ..unlimited()
        })
        .unwrap();
        let shop = shop(&sim);
        let settings = year_with(json!({ "default_partner": partner(&shop) }));
        let run = shop.run("orders", settings);
        assert_eq!(
            (500, 0, 0, 0),
            run.counts(),
            "{behaviour:?}: {:?}",
            run.report
        );
        let expected = sim.account(|account| account.grand_totals());
        assert_eq!(500, expected.len());
        for order in shop.records("orders") {
            let id: i64 = order["number"].as_str().unwrap().parse().unwrap();
            assert_eq!(
                expected[&id],
                decimal(&order["total"]),
                "{behaviour:?}: {order:#}"
            );
        }
    }
}

#[test]
fn discounts_taxes_and_charges_stand_where_they_belong() {
    let (mut account, buyer) = with_buyer();
    let order = account.add_order(
        NewOrder::new()
            .buyer(buyer)
            .line(
                NewLine::named("Тканина")
                    .price("199.99")
                    .quantity("1.5")
                    .discount_percent("10"),
            )
            .line(
                NewLine::named("Нитки")
                    .price("35")
                    .quantity("3")
                    .discount_amount("2"),
            )
            .discount_percent("5")
            .shipping_price("60")
            .wrap_price("25.50")
            .taxes("12.30"),
    );
    let sim = crm(account);
    let shop = shop(&sim);
    shop.run("orders", year());
    let totals = sim.account(|account| account.totals(order)).unwrap();
    let order = shop.order(order);
    assert_eq!(totals.grand_total, decimal(&order["total"]));
    assert_eq!(totals.total_discount, decimal(&order["discount"]));
    let lines = order["lines"].as_array().unwrap();
    assert_eq!(
        "199.99".parse::<Decimal>().unwrap(),
        decimal(&lines[0]["price"])
    );
    assert_eq!(
        "1.5".parse::<Decimal>().unwrap(),
        decimal(&lines[0]["quantity"])
    );
    assert_eq!(Decimal::from(6), decimal(&lines[1]["discount"]));
    let charges: Vec<Decimal> = (order["charges"].as_array().unwrap().iter())
        .map(|charge| decimal(&charge["amount"]))
        .collect();
    assert_eq!(
        vec![
            "12.30".parse::<Decimal>().unwrap(),
            "25.50".parse().unwrap()
        ],
        charges
    );
}

// ---- people and money accounts

#[test]
fn author_manager_account_and_payments_are_carried_over() {
    let (mut account, buyer) = with_buyer();
    let olena = account.add_user("Олена", "Г");
    let petro = account.add_user("Петро", "Д");
    let mapped = account.add_order(
        simple_order(buyer)
            .manager(olena)
            .paid("100")
            .payment(
                Purpose::Receipt { method_id: 1 },
                PaymentState::NotPaid,
                "20.50",
            )
            .payment(
                Purpose::Receipt { method_id: 1 },
                PaymentState::Canceled,
                "999",
            )
            .payment(Purpose::Expense { type_id: 1 }, PaymentState::Paid, "45"),
    );
    let unmapped = account.add_order(simple_order(buyer).manager(petro));
    let sim = crm(account);
    let shop = shop(&sim);
    shop.load(
        "users",
        json!([{ "key": "bot", "name": "Обмін" }, { "key": "olena", "name": "Олена" }]),
    );
    shop.load("accounts", json!([{ "key": "cash", "name": "Каса" }]));
    let settings = year_with(json!({
        "author": "bot", "account": "cash", "users": { olena.to_string(): "olena" },
    }));
    let run = shop.run("orders", settings.clone());
    let order = shop.order(mapped);
    // Whoever answers for an order in the CRM is its author, where that user is known here.
    assert_eq!("olena", order["author"]);
    assert_eq!("olena", order["manager"]);
    let payments = order["payments"].as_array().unwrap();
    let amounts: Vec<Decimal> = payments
        .iter()
        .map(|paid| decimal(&paid["amount"]))
        .collect();
    assert_eq!(vec![Decimal::from(100), "20.50".parse().unwrap()], amounts);
    assert!(payments.iter().all(|payment| payment["account"] == "cash"));
    assert!(payments[0]["paid_at"].is_string() && payments[1]["paid_at"].is_null());

    let order = shop.order(unmapped);
    assert_eq!("bot", order["author"]);
    assert!(order["manager"].is_null());
    assert!(run.logged(&["Петро Д", "manager"]), "{:#?}", run.log);

    // A manager chosen by people in the ERP is not taken away by the next download.
    let mut edited = order;
    edited["manager"] = "olena".into();
    shop.load("orders", json!([edited]));
    sim.account(|account| account.add_payment(unmapped, Decimal::from(1)));
    shop.run("orders", settings);
    assert_eq!("olena", shop.order(unmapped)["manager"]);
}

#[test]
fn settings_that_name_records_the_erp_does_not_have_are_refused_by_name() {
    let (account, _) = with_buyer();
    let sim = crm(account);
    let shop = shop(&sim);
    for (field, settings) in [
        ("default_partner", json!({ "default_partner": "ghost" })),
        ("delivery_product", json!({ "delivery_product": "ghost" })),
        ("author", json!({ "author": "ghost" })),
        ("account", json!({ "account": "ghost" })),
        ("stages", json!({ "stages": { "1": "ghost" } })),
        ("users", json!({ "users": { "1": "ghost" } })),
    ] {
        let run = shop.run("orders", year_with(settings));
        assert_eq!(Outcome::Configuration, run.report.outcome, "{field}");
        let error = run.report.error.unwrap();
        assert!(error.contains(field) && error.contains("ghost"), "{error}");
    }
}

// ---- last exchange, choices, preview

#[test]
fn the_last_exchange_is_kept_with_time_outcome_and_counters() {
    let (mut account, buyer) = with_buyer();
    account.add_order(simple_order(buyer));
    let sim = crm(account);
    let shop = shop(&sim);
    let run = shop.run("orders", year());
    let runs = shop.records("runs");
    assert_eq!(1, runs.len(), "{runs:#?}");
    assert_eq!(serde_json::to_value(&run.report).unwrap(), runs[0]);
    assert_eq!("done", runs[0]["outcome"]);
    assert_eq!(1, runs[0]["created"]);
    assert!(runs[0]["finished_at"].is_string());
    assert_eq!(sim.total_requests(), runs[0]["requests"].as_u64().unwrap());
}

#[test]
fn choices_come_from_the_crm() {
    let mut account = Account::empty();
    let packing = account.add_status("Пакування", 2);
    let olena = account.add_user("Олена", "Гнатюк");
    let services = account.add_category("Послуги", None);
    let fitting = account.add_category("Монтаж", Some(services));
    let sim = crm(account);
    let shop = shop(&sim);
    let has = |option: &str, id: i64, label: &str| {
        let choices = shop.choices(option).unwrap();
        let found = choices.iter().find(|(value, _)| *value == id.to_string());
        assert!(found.unwrap().1.contains(label), "{choices:?}");
    };
    has("statuses", packing, "Пакування");
    has("managers", olena, "Гнатюк");
    has("categories", fitting, "Послуги");
    has("categories", fitting, "Монтаж");
    assert!(shop.choices("weather").is_err());
    assert!(shop.check(json!({ "last_days": 1 })).is_ok());
}

#[test]
fn a_preview_changes_nothing() {
    let (mut account, buyer) = with_buyer();
    account.add_order(simple_order(buyer));
    let sim = crm(account);
    let shop = shop(&sim);
    partner(&shop);
    let run = shop.preview("orders", year());
    assert_eq!((1, 0, 0, 0), run.counts());
    for kind in ["orders", "products", "bindings", "runs", "order-stages"] {
        assert!(shop.records(kind).is_empty(), "{kind}");
    }
    assert_eq!((1, 0, 0, 0), shop.run("orders", year()).counts());
}

// ---- how many requests

#[test]
fn a_first_load_of_five_thousand_orders_takes_at_most_110_requests() {
    for products in [60, 200] {
        for services in [false, true] {
            let sim = keycrm::start(Config {
                orders: 5_000,
                products,
                share_final: 1.0,
                ordered_to: jiff::Timestamp::now(),
                ..unlimited()
            })
            .unwrap();
            let shop = shop(&sim);
            let mut settings = json!({ "last_days": 60, "default_partner": partner(&shop) });
            if services {
                settings["service_categories"] = json!([keycrm::SERVICES_CATEGORY]);
            }
            let run = shop.run("orders", settings.clone());
            assert_eq!((5_000, 0, 0, 0), run.counts(), "{:?}", run.report);
            assert!(
                sim.total_requests() <= 110 + ACCOUNT,
                "{products}: {:?}",
                sim.requests()
            );

            sim.reset_counts();
            let run = shop.run("orders", settings);
            let (created, updated, ..) = run.counts();
            assert_eq!((0, 0), (created, updated), "{:?}", run.report);
            assert!(
                sim.total_requests() <= 3,
                "{products}: {:?}",
                sim.requests()
            );
        }
    }
}

// ---- what people did stays, and what changed is told

/// The order as people find it in the ERP, changed and put back.
fn edit(shop: &Shop, id: i64, change: impl FnOnce(&mut Value)) {
    let mut order = shop.order(id);
    change(&mut order);
    shop.load("orders", order);
}

#[test]
fn what_people_entered_on_an_order_stays_when_its_note_changes_in_the_crm() {
    let (mut account, buyer) = with_buyer();
    let cup = NewLine::named("Чашка").sku("CUP-1").price("120");
    let id = account.add_order(NewOrder::new().buyer(buyer).line(cup));
    let sim = crm(account);
    let shop = shop(&sim);
    shop.load("accounts", json!([{ "key": "cash", "name": "Cash" }]));
    shop.run("orders", year());
    assert_eq!(Decimal::from(120), decimal(&shop.order(id)["total"]));
    let entered = [
        (
            "lines",
            json!({ "id": "own", "name": "Bag", "quantity": "1", "price": "15" }),
        ),
        ("charges", json!({ "name": "Gift wrap", "amount": "10" })),
        ("payments", json!({ "account": "cash", "amount": "50" })),
    ];
    edit(&shop, id, |order| {
        for (parts, part) in &entered {
            order[*parts].as_array_mut().unwrap().push(part.clone());
        }
        order["delivery"] = json!({ "address": "Львів", "cost": "50" });
    });
    let before = shop.order(id);
    assert_eq!(Decimal::from(195), decimal(&before["total"]));

    sim.account(|account| {
        account.change_order(id).manager_comment = Some("call first".to_owned());
    });
    let run = shop.run("orders", year());
    assert_eq!((0, 1, 0, 0), run.counts(), "{run:#?}");
    let after = shop.order(id);
    assert_eq!(Decimal::from(195), decimal(&after["total"]));
    for parts in ["lines", "charges", "payments", "delivery"] {
        assert_eq!(before[parts], after[parts], "{parts}");
    }
    // What it changed is told, and nothing else was changed.
    let told: Vec<&Written> = (run.written.iter())
        .filter(|written| written.record_kind == "order")
        .collect();
    assert_eq!(1, told.len(), "{:?}", run.written);
    assert_eq!(
        (Side::Platform, Change::Updated),
        (told[0].side, told[0].change)
    );
    assert_eq!(Some(id.to_string()), told[0].label);
    assert_eq!(after["key"].as_str(), told[0].key.as_deref());
    assert_eq!(after["origin"], told[0].origin);
    let fields: Vec<_> = (told[0].changes.iter())
        .map(|change| change.field.as_str())
        .collect();
    assert_eq!(vec!["attributes"], fields);
    let changed = told[0].changes[0].after.as_deref().unwrap_or_default();
    assert!(changed.contains("call first"), "{changed}");
}

#[test]
fn a_manager_that_people_changed_stays_until_the_crm_names_another() {
    let (mut account, buyer) = with_buyer();
    let [olena, petro] = [("Олена", "Гнатюк"), ("Петро", "Бондар")]
        .map(|(first, last)| account.add_user(first, last));
    let id = account.add_order(simple_order(buyer).manager(olena));
    let sim = crm(account);
    let shop = shop(&sim);
    let users = ["olena", "petro", "own"].map(|key| json!({ "key": key, "name": key }));
    shop.load("users", json!(users));
    let settings = || {
        let users = json!({ olena.to_string(): "olena", petro.to_string(): "petro" });
        year_with(json!({ "users": users }))
    };
    shop.run("orders", settings());
    assert_eq!("olena", shop.order(id)["manager"]);
    edit(&shop, id, |order| order["manager"] = "own".into());

    let change = |text: &str, manager: i64| {
        sim.account(|account| {
            let order = account.change_order(id);
            order.manager_comment = Some(text.to_owned());
            order.manager_id = Some(manager);
        });
        shop.run("orders", settings())
    };
    let run = change("one", olena);
    assert_eq!((0, 1, 0, 0), run.counts(), "{run:#?}");
    assert_eq!("own", shop.order(id)["manager"]);
    change("two", petro);
    assert_eq!("petro", shop.order(id)["manager"]);
    // Both connections of an account and a second run of the same say nothing new.
    edit(&shop, id, |order| order["manager"] = "own".into());
    change("three", petro);
    assert_eq!("own", shop.order(id)["manager"]);
    // A comparison tells it, and leaves it.
    let compared = shop.compare("orders", settings());
    let told = (compared.written.iter()).find(|one| one.record_kind == "order");
    let fields: Vec<_> = (told.expect("a difference").changes.iter())
        .map(|change| change.field.as_str())
        .collect();
    assert_eq!(vec!["manager"], fields);
    assert_eq!("own", shop.order(id)["manager"]);
}

#[test]
fn a_preview_tells_what_it_would_write_and_a_live_run_tells_the_same() {
    let (mut account, buyer) = with_buyer();
    let id = account.add_order(simple_order(buyer));
    let sim = crm(account);
    let shop = shop(&sim);
    let told = |run: &tenon_scenarios::Run| -> Vec<(String, String, Change)> {
        let written = run.written.iter();
        let mut told: Vec<_> = written
            .map(|one| {
                assert_eq!(Side::Platform, one.side);
                let label = one.label.clone().unwrap_or_default();
                (one.record_kind.clone(), label, one.change)
            })
            .collect();
        told.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
        told
    };
    let preview = shop.preview("orders", year());
    assert!(shop.records("orders").is_empty());
    let order = ("order".to_owned(), id.to_string(), Change::Created);
    assert!(told(&preview).contains(&order), "{:?}", preview.written);
    let live = shop.run("orders", year());
    assert_eq!(told(&preview), told(&live));
    assert_eq!(Vec::<Written>::new(), shop.run("orders", year()).written);
}

#[test]
fn a_comparison_changes_nothing_and_says_that_it_was_one() {
    let (mut account, buyer) = with_buyer();
    let id = account.add_order(simple_order(buyer));
    let sim = crm(account);
    let shop = shop(&sim);
    let run = shop.compare("orders", year());
    assert_eq!(Mode::Compare, run.report.mode);
    let labels: Vec<_> = run.written.iter().map(|one| one.label.clone()).collect();
    assert!(labels.contains(&Some(id.to_string())), "{labels:?}");
    for kind in ["orders", "products", "bindings", "runs", "order-stages"] {
        assert!(shop.records(kind).is_empty(), "{kind}");
    }
}

#[test]
fn a_comparison_goes_over_what_was_agreed_long_ago_and_loses_no_place() {
    let sim = keycrm::start(Config {
        orders: 400,
        share_final: 1.0,
        ordered_to: jiff::Timestamp::now(),
        ..unlimited()
    })
    .unwrap();
    let shop = shop(&sim);
    let settings = json!({ "last_days": 60, "default_partner": partner(&shop) });
    let (loaded, ..) = shop.run("orders", settings.clone()).counts();
    assert_eq!(400, loaded);
    let kept = shop.records("bindings");
    let compared = shop.compare("orders", settings.clone());
    // Each was saved again, and found to be as it is.
    let (created, updated, unchanged, failed) = compared.counts();
    assert_eq!((0, 0, 0), (created, updated, failed), "{compared:?}");
    assert!(unchanged >= loaded, "{compared:?}");
    assert_eq!(Vec::<Written>::new(), compared.written);
    assert_eq!(kept, shop.records("bindings"));
    // And the next run goes on where the first one ended.
    let (created, updated, unchanged, failed) = shop.run("orders", settings).counts();
    assert_eq!((0, 0, 0), (created, updated, failed));
    assert!(unchanged < loaded, "{unchanged}");
}

#[test]
fn what_a_run_undid_is_not_told() {
    let (mut account, buyer) = with_buyer();
    account.add_order(simple_order(buyer));
    let sim = crm(account);
    // So little that the run breaks off after it has saved and before it has committed.
    for storage in [1, 60, 200] {
        let shop = shop(&sim).limited(tenon_host::Limits {
            storage,
            ..tenon_host::Limits::default()
        });
        let run = shop.run("orders", year());
        let committed: Vec<&str> = (run.written.iter())
            .filter(|one| one.record_kind == "order")
            .map(|one| one.record_kind.as_str())
            .collect();
        assert_eq!(
            shop.records("orders").len(),
            committed.len(),
            "{:?}",
            run.report
        );
    }
}
