//! The demonstration: every integration once, with the real program, against the simulators; then
//! the same program as a server, which runs them for three tenants by itself.

mod keycrm;
mod moysklad;
mod served;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use comfy_table::{Table, presets};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tenon_scenarios::target;

use crate::keycrm::KeyCrm;
use crate::moysklad::MoySklad;
use crate::served::Served;

/// Runs every connector against the simulators.
#[derive(Parser)]
struct Args {
    /// End after the exchanges instead of leaving the simulators and the server running.
    #[arg(long)]
    once: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let site = Site::new()?;
    let keycrm = KeyCrm::start(site.shop("demo-shop"))?;
    let moysklad = MoySklad::start(site.shop("demo-parts"))?;
    let mut exchanges = keycrm.exchange()?;
    exchanges.extend(moysklad.exchange()?);
    let (orders, total) = keycrm.compare()?;
    let (sent, sum) = moysklad.compare()?;
    if !args.json {
        println!("{}", table(&exchanges));
        println!("{orders} orders of {total} UAH in all: the ERP and KeyCRM agree to the kopeck.");
        println!("{sent} orders of {sum} RUB in all: the shop and MoySklad agree to the kopeck.");
    }
    let second = keycrm::second()?;
    let tenants = vec![
        keycrm.tenant(),
        keycrm::tenant("lviv", "Львівська крамниця", &second),
        moysklad.tenant()?,
    ];
    let served = Served::start(&emptied("demo-served")?, tenants)?;
    if args.once {
        let connections = served.first_exchanges()?;
        served.stop()?;
        if args.json {
            let mut object = summary(&exchanges, (orders, total), (sent, sum));
            object["connections"] = connections.into();
            println!("{object}");
        } else {
            println!("{}", served::table(&connections));
            println!("The server ran these by itself, and stopped when it was asked to.");
        }
        return Ok(());
    }
    if args.json {
        let mut object = summary(&exchanges, (orders, total), (sent, sum));
        object["server"] = served.place();
        println!("{object}");
    } else {
        keycrm.show()?;
        moysklad.show()?;
        served.show();
        println!("\nThe simulators and the server run until Ctrl-C.");
    }
    served.until_interrupted()
}

/// What the exchanges come to, each with the number of orders and their sum.
fn summary(exchanges: &[Value], keycrm: (usize, Decimal), moysklad: (usize, Decimal)) -> Value {
    let orders =
        |(orders, total): (usize, Decimal)| json!({ "orders": orders, "total": total.to_string() });
    json!({
        "exchanges": exchanges,
        "keycrm": orders(keycrm),
        "moysklad": orders(moysklad),
    })
}

/// The program and a data folder for it.
struct Site {
    program: PathBuf,
    data: PathBuf,
}

impl Site {
    /// Begins with an empty folder.
    fn new() -> Result<Site> {
        Ok(Site {
            program: target().join("release/tenon").canonicalize()?,
            data: emptied("demo")?,
        })
    }

    fn shop(&self, tenant: &'static str) -> Shop<'_> {
        Shop { site: self, tenant }
    }
}

/// An empty folder beside what is built.
fn emptied(name: &str) -> Result<PathBuf> {
    let folder = target().join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder.canonicalize()?)
}

/// A tenant of the program.
#[derive(Clone, Copy)]
struct Shop<'a> {
    site: &'a Site,
    tenant: &'static str,
}

impl Shop<'_> {
    /// Runs the program; every credential of the demonstration is in this variable.
    fn tenon(&self, arguments: &[&str], secret: &str) -> Result<Value> {
        let output = Command::new(&self.site.program)
            .args(arguments)
            .args(["--tenant", self.tenant, "--data"])
            .arg(&self.site.data)
            .env("DEMO_KEY", secret)
            .env("TENON_COMPONENTS", target().join("components"))
            .stderr(std::process::Stdio::inherit())
            .output()?;
        // 1 is a run that came to its end with records that it lists as failed.
        ensure!(
            matches!(output.status.code(), Some(0 | 1)),
            "tenon {} failed",
            arguments.join(" ")
        );
        Ok(serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
    }

    fn load(&self, kind: &str, records: &Value) -> Result<()> {
        let file = self.write(&format!("{kind}.json"), records)?;
        self.tenon(&["load", kind, &file], "").map(drop)
    }

    fn records(&self, kind: &str) -> Result<Vec<Value>> {
        match self.tenon(&["records", kind, "--json"], "")? {
            Value::Array(records) => Ok(records),
            other => anyhow::bail!("{kind}: {other}"),
        }
    }

    fn write(&self, name: &str, content: &Value) -> Result<String> {
        let file = self.site.data.join(format!("{}-{name}", self.tenant));
        std::fs::write(&file, serde_json::to_string_pretty(content)?)?;
        path(&file)
    }

    /// Says what to look at.
    fn show(&self, kinds: &[&str]) -> Result<()> {
        let program = path(&self.site.program)?;
        let place = format!("--data {} --tenant {}", path(&self.site.data)?, self.tenant);
        for kind in kinds {
            println!("  {program} records {kind} {place}");
        }
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
        let row = ["title"].into_iter().chain(columns);
        table.add_row(row.map(|column| cell(&exchange[column])));
    }
    table
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
