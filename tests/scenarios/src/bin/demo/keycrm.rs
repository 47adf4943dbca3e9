//! KeyCRM → ERP: a first load, a day's changes at the CRM, and the run that follows.

use anyhow::{Context as _, Result, ensure};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tenon_simulators::keycrm::{self, Config, NewLine, NewOrder, Simulator};

use crate::Shop;
use crate::served::Tenant;

const KEY: &str = "simulated-keycrm-key";

/// A shop that takes its orders from a KeyCRM.
pub struct KeyCrm<'a> {
    shop: Shop<'a>,
    sim: Simulator,
}

impl<'a> KeyCrm<'a> {
    /// A KeyCRM with 200 orders, and an empty ERP.
    pub fn start(shop: Shop<'a>) -> Result<KeyCrm<'a>> {
        let sim = keycrm::start(Config {
            orders: 200,
            ..Config::default()
        })?;
        Ok(KeyCrm { shop, sim })
    }

    /// Both runs.
    pub fn exchange(&self) -> Result<Vec<Value>> {
        let Self { shop, sim } = self;
        for (kind, records) in books() {
            shop.load(kind, &records)?;
        }
        let settings = shop.write("keycrm.json", &settings(sim))?;
        let run = || {
            let command = [
                "run",
                "keycrm",
                "orders",
                "--settings",
                &settings,
                "--credential",
                "api_key=env:DEMO_KEY",
                "--grant",
                sim.url().trim_end_matches("/v1"),
                "--json",
            ];
            shop.tenon(&command, KEY)
        };
        let mut first = run()?;
        sim.account(|account| {
            let orders: Vec<i64> = account.orders.keys().copied().collect();
            let status = account.add_status("Повернення", 6);
            for order in &orders[orders.len() - 3..] {
                account.set_status(*order, status);
            }
            let buyer = account.buyers.keys().next().copied();
            let mut order = NewOrder::new()
                .line(
                    NewLine::named("Подарунковий набір")
                        .price("1250.40")
                        .quantity("2"),
                )
                .discount_percent("5")
                .shipping_price("80");
            if let Some(buyer) = buyer {
                order = order.buyer(buyer);
            }
            account.add_order(order);
        });
        let mut second = run()?;
        first["title"] = "KeyCRM → ERP, first load".into();
        second["title"] = "KeyCRM → ERP, after a day's changes".into();
        Ok(vec![first, second])
    }

    /// Compares every order's total; answers with how many there are and their sum.
    pub fn compare(&self) -> Result<(usize, Decimal)> {
        let expected = self.sim.account(|account| account.grand_totals());
        let records = self.shop.records("orders")?;
        ensure!(records.len() == expected.len(), "some orders are missing");
        let mut sum = Decimal::ZERO;
        for order in &records {
            let number: i64 = order["number"].as_str().context("a number")?.parse()?;
            let total: Decimal = order["total"].as_str().context("a total")?.parse()?;
            ensure!(
                expected.get(&number) == Some(&total),
                "order {number} is {total} in the ERP and {:?} in KeyCRM",
                expected.get(&number)
            );
            sum += total;
        }
        Ok((records.len(), sum))
    }

    /// The same account for a tenant of a server.
    pub fn tenant(&self) -> Tenant {
        tenant("kyiv", "Київська крамниця", &self.sim)
    }

    /// Says what to look at and where.
    pub fn show(&self) -> Result<()> {
        println!(
            "\nThe simulated KeyCRM is at {}, its ERP:\n",
            self.sim.url()
        );
        self.shop
            .show(&["orders", "products", "partners", "bindings", "runs"])
    }
}

/// Another account, smaller, for a second shop.
pub fn second() -> Result<Simulator> {
    Ok(keycrm::start(Config {
        orders: 60,
        seed: 2,
        ..Config::default()
    })?)
}

/// A tenant of a server that takes its orders from an account.
pub fn tenant(id: &'static str, name: &'static str, sim: &Simulator) -> Tenant {
    Tenant {
        id,
        name,
        time_zone: "Europe/Kyiv",
        language: "uk",
        currency: "UAH",
        connector: "keycrm",
        books: books().into(),
        settings: settings(sim),
        grant: sim.url().trim_end_matches("/v1").to_owned(),
        credential: ("api_key", KEY.to_owned()),
    }
}

/// What is in the ERP before, because the settings name it.
fn books() -> [(&'static str, Value); 4] {
    [
        ("users", json!([{ "key": "exchange", "name": "Обмін" }])),
        (
            "accounts",
            json!([{ "key": "bank", "name": "ПриватБанк UAH" }]),
        ),
        (
            "partners",
            json!([{ "key": "walk-in", "name": "Роздрібний покупець" }]),
        ),
        (
            "products",
            json!([{ "key": "delivery", "kind": "service", "name": "Доставка" }]),
        ),
    ]
}

fn settings(sim: &Simulator) -> Value {
    json!({
        "base_url": sim.url(),
        "last_days": 45,
        "requests_per_minute": 60,
        "author": "exchange",
        "account": "bank",
        "default_partner": "walk-in",
        "delivery_product": "delivery",
        "write_source_number": true,
        "service_categories": [keycrm::SERVICES_CATEGORY],
    })
}
