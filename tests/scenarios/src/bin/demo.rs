//! The demonstration: every integration once, with the real program, against the simulators.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use comfy_table::{Table, presets};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tenon_scenarios::target;
use tenon_simulators::keycrm::{self, Config, NewLine, NewOrder, Simulator};

const KEY: &str = "simulated-keycrm-key";
const TENANT: &str = "demo-shop";

/// Runs every connector against the simulators.
#[derive(Parser)]
struct Args {
    /// End after the exchange instead of leaving the simulators running.
    #[arg(long)]
    once: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let demo = Demo::new()?;
    let sim = keycrm::start(Config {
        orders: 200,
        ..Config::default()
    })?;
    let exchanges = demo.keycrm(&sim)?;
    let (orders, total) = demo.compare(&sim)?;
    if args.json {
        let object = json!({
            "exchanges": exchanges,
            "keycrm": { "orders": orders, "total": total.to_string() },
        });
        println!("{object}");
    } else {
        println!("{}", table(&exchanges));
        println!("{orders} orders of {total} UAH in all: the ERP and KeyCRM agree to the kopeck.");
    }
    if !args.once {
        demo.wait(&sim)?;
    }
    Ok(())
}

/// The program and a data folder for it.
struct Demo {
    program: PathBuf,
    data: PathBuf,
}

impl Demo {
    /// Begins with an empty folder.
    fn new() -> Result<Demo> {
        let data = target().join("demo");
        if data.exists() {
            std::fs::remove_dir_all(&data).with_context(|| data.display().to_string())?;
        }
        std::fs::create_dir_all(&data).with_context(|| data.display().to_string())?;
        Ok(Demo {
            program: target().join("release/tenon").canonicalize()?,
            data: data.canonicalize()?,
        })
    }

    fn tenon(&self, arguments: &[&str]) -> Result<Value> {
        let output = Command::new(&self.program)
            .args(arguments)
            .args(["--tenant", TENANT, "--data"])
            .arg(&self.data)
            .env("KEYCRM_KEY", KEY)
            .env("TENON_COMPONENTS", target().join("components"))
            .stderr(std::process::Stdio::inherit())
            .output()?;
        ensure!(
            output.status.success(),
            "tenon {} failed",
            arguments.join(" ")
        );
        Ok(serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
    }

    fn load(&self, kind: &str, records: &Value) -> Result<()> {
        let file = self.write(&format!("{kind}.json"), records)?;
        self.tenon(&["load", kind, &file]).map(drop)
    }

    fn write(&self, name: &str, content: &Value) -> Result<String> {
        let file = self.data.join(name);
        std::fs::write(&file, serde_json::to_string_pretty(content)?)?;
        path(&file)
    }

    /// KeyCRM → ERP: a first load, a day's changes at the CRM, and the run that follows.
    fn keycrm(&self, sim: &Simulator) -> Result<Vec<Value>> {
        self.load("users", &json!([{ "key": "exchange", "name": "Обмін" }]))?;
        self.load(
            "accounts",
            &json!([{ "key": "bank", "name": "ПриватБанк UAH" }]),
        )?;
        self.load(
            "partners",
            &json!([{ "key": "walk-in", "name": "Роздрібний покупець" }]),
        )?;
        self.load(
            "products",
            &json!([{ "key": "delivery", "kind": "service", "name": "Доставка" }]),
        )?;
        let settings = json!({
            "base_url": sim.url(),
            "last_days": 45,
            "author": "exchange",
            "account": "bank",
            "default_partner": "walk-in",
            "delivery_product": "delivery",
            "write_source_number": true,
            "service_categories": [keycrm::SERVICES_CATEGORY],
        });
        let settings = self.write("keycrm.json", &settings)?;
        let origin = sim.url().trim_end_matches("/v1");
        let run = || {
            self.tenon(&[
                "run",
                "keycrm",
                "orders",
                "--settings",
                &settings,
                "--credential",
                "api_key=env:KEYCRM_KEY",
                "--grant",
                origin,
                "--json",
            ])
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
    fn compare(&self, sim: &Simulator) -> Result<(usize, Decimal)> {
        let expected = sim.account(|account| account.grand_totals());
        let records = self.tenon(&["records", "orders", "--json"])?;
        let records = records.as_array().context("records")?;
        ensure!(records.len() == expected.len(), "some orders are missing");
        let mut sum = Decimal::ZERO;
        for order in records {
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

    /// Says what to look at, and keeps the simulators running until Ctrl-C.
    fn wait(&self, sim: &Simulator) -> Result<()> {
        let program = path(&self.program)?;
        let data = path(&self.data)?;
        let place = format!("--data {data} --tenant {TENANT}");
        println!(
            "\nThe simulated KeyCRM runs at {} until Ctrl-C. Look at:\n",
            sim.url()
        );
        for kind in ["orders", "products", "partners", "bindings", "runs"] {
            println!("  {program} records {kind} {place}");
        }
        println!("\nRun the exchange again; it finds what changed:\n");
        println!(
            "  KEYCRM_KEY={KEY} {program} run keycrm orders {place} \\\n    \
             --settings {data}/keycrm.json --credential api_key=env:KEYCRM_KEY --grant {}",
            sim.url().trim_end_matches("/v1")
        );
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(tokio::signal::ctrl_c())?;
        Ok(())
    }
}

fn path(path: &Path) -> Result<String> {
    let text = path.to_str().context("a path that is not UTF-8")?;
    Ok(text.to_owned())
}

fn table(exchanges: &[Value]) -> Table {
    let columns = [
        "outcome",
        "created",
        "updated",
        "unchanged",
        "failed",
        "requests",
    ];
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["exchange"].into_iter().chain(columns));
    for exchange in exchanges {
        let cell = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let row = ["title"].into_iter().chain(columns);
        table.add_row(row.map(|column| cell(&exchange[column])));
    }
    table
}
