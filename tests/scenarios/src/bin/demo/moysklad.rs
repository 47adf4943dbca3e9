//! MoySklad ↔ a shop of car parts: cards and stock in, orders of new customers out.

use anyhow::{Context as _, Result, ensure};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tenon_simulators::moysklad::{self, Account, Config, Kind, Simulator};

use crate::Shop;
use crate::served::Tenant;

/// A shop that keeps its books in a MoySklad.
pub struct MoySklad<'a> {
    shop: Shop<'a>,
    sim: Simulator,
    token: String,
    /// Orders that are there already.
    before: usize,
}

impl<'a> MoySklad<'a> {
    /// A MoySklad with 300 parts, and a shop with three customers.
    pub fn start(shop: Shop<'a>) -> Result<MoySklad<'a>> {
        let config = Config {
            products: 300,
            ..Config::default()
        };
        let token = config.token.clone();
        let sim = moysklad::start(config)?;
        Ok(MoySklad {
            before: sim.account(|account| orders(account).count()),
            shop,
            sim,
            token,
        })
    }

    /// Cards, stock, then orders, and once more to show that nothing is sent twice.
    pub fn exchange(&self) -> Result<Vec<Value>> {
        let Self { shop, sim, .. } = self;
        let (kind, records) = price_list();
        shop.load(kind, &records)?;
        let settings = shop.write("moysklad.json", &settings(sim))?;
        let grant = grant(sim)?;
        let run = |job: &str, title: &str| {
            let command = [
                "run",
                "moysklad",
                job,
                "--settings",
                &settings,
                "--credential",
                "token=env:DEMO_KEY",
                "--grant",
                &grant,
                "--json",
            ];
            let mut report = shop.tenon(&command, &self.token)?;
            report["title"] = title.into();
            anyhow::Ok(report)
        };
        let cards = run("products", "MoySklad → shop, cards of parts")?;
        let stock = run("stock", "MoySklad → shop, stock of a price list")?;
        self.order()?;
        let first = run("orders", "shop → MoySklad, orders of new customers")?;
        let again = run("orders", "shop → MoySklad, once more")?;
        Ok(vec![cards, stock, first, again])
    }

    /// Three customers order two parts each.
    fn order(&self) -> Result<()> {
        let parts = self.shop.records("products")?;
        let part = |index: usize| parts.get(index).context("too few parts");
        let mut customers = Vec::new();
        let mut orders = Vec::new();
        for (number, name) in ["Иванов", "Петров", "Сидорова"].into_iter().enumerate()
        {
            customers.push(json!({
                "key": format!("customer-{number}"),
                "name": name,
                "phones": [format!("+7912345678{number}")],
            }));
            let line = |id: &str, index: usize, price: &str| {
                let part = part(index)?;
                anyhow::Ok(json!({
                    "id": id, "product": part["key"], "name": part["name"],
                    "quantity": "2", "price": price,
                }))
            };
            orders.push(json!({
                "key": format!("order-{number}"),
                "number": format!("{}", 1001 + number),
                "partner": format!("customer-{number}"),
                "currency": "RUB",
                "created_at": jiff::Timestamp::now().to_string(),
                "lines": [line("1", number, "1250.40")?, line("2", number + 3, "99.90")?],
            }));
        }
        self.shop.load("partners", &customers.into())?;
        self.shop.load("orders", &orders.into())
    }

    /// Compares the sums of the orders; answers with how many there are and their sum.
    pub fn compare(&self) -> Result<(usize, Decimal)> {
        let (count, sum) = self.sim.account(|account| {
            let new: Vec<Decimal> = orders(account).skip(self.before).collect();
            let sum: Decimal = new.iter().sum();
            (new.len(), sum / Decimal::ONE_HUNDRED)
        });
        let records = self.shop.records("orders")?;
        let mut expected = Decimal::ZERO;
        for order in &records {
            expected += order["total"]
                .as_str()
                .context("a total")?
                .parse::<Decimal>()?;
        }
        ensure!(
            (count, sum) == (records.len(), expected),
            "{count} orders of {sum} in MoySklad, {} of {expected} in the shop",
            records.len()
        );
        Ok((count, sum.normalize()))
    }

    /// The same account for a tenant of a server.
    pub fn tenant(&self) -> Result<Tenant> {
        Ok(Tenant {
            id: "parts",
            name: "Автозапчасти",
            time_zone: "Europe/Moscow",
            language: "ru",
            currency: "RUB",
            connector: "moysklad",
            books: vec![price_list()],
            settings: settings(&self.sim),
            grant: grant(&self.sim)?,
            credential: ("token", self.token.clone()),
        })
    }

    /// Says what to look at and where.
    pub fn show(&self) -> Result<()> {
        println!(
            "\nThe simulated MoySklad is at {}, its shop:\n",
            self.sim.url()
        );
        self.shop
            .show(&["products", "stock", "orders", "bindings", "runs"])
    }
}

/// The price list that the stock goes to.
fn price_list() -> (&'static str, Value) {
    let main = json!([{ "key": "main", "name": "Основной прайс-лист" }]);
    ("warehouses", main)
}

fn settings(sim: &Simulator) -> Value {
    let (organization, store) =
        sim.account(|account| (account.home.organization, account.home.store));
    json!({
        "base_url": sim.url(),
        "organization": organization.to_string(),
        "active": true,
        "price_lists": [{ "price_list": "main", "store": store.to_string() }],
        "reserve": true,
    })
}

fn grant(sim: &Simulator) -> Result<String> {
    Ok(url::Url::parse(sim.url())?.origin().ascii_serialization())
}

/// The sums of all customers' orders in kopecks, oldest first.
fn orders(account: &Account) -> impl Iterator<Item = Decimal> {
    let orders = account.all(Kind::CustomerOrder).into_iter();
    orders.map(|order| order.number("sum"))
}
