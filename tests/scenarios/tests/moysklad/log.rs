//! The log as a shop's manager reads it: with the program itself, for one connection or one record.

use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_scenarios::target;
use tenon_simulators::moysklad::{self, Account, NewCounterparty, NewProduct, Simulator};

use crate::orders::line;
use crate::world::config;

/// A data folder and a MoySklad.
struct Site {
    folder: TempDir,
    sim: Simulator,
}

impl Site {
    fn new(account: Account) -> Site {
        let sim = moysklad::start_with(config(), account).expect("a simulator");
        let site = Site {
            folder: tempfile::tempdir().expect("a folder"),
            sim,
        };
        let organization = site.sim.account(|account| account.home.organization);
        let settings = json!({
            "active": true, "organization": organization.to_string(),
            "base_url": site.sim.url(),
        });
        std::fs::write(site.path("settings.json"), settings.to_string()).expect("a file");
        site
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn tenon(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(target().join("release/tenon"));
        command
            .env_remove("LC_ALL")
            .env_remove("LC_MESSAGES")
            .env("LANG", "C");
        command
            .env("TENON_COMPONENTS", target().join("components"))
            .env("MOYSKLAD_TOKEN", config().token)
            .args(arguments)
            .args(["--tenant", "shop", "--data", &self.path("data")]);
        command.output().expect("tenon is built")
    }

    fn load(&self, kind: &str, records: Value) {
        let file = self.path("records.json");
        std::fs::write(&file, records.to_string()).expect("a file");
        let loaded = self.tenon(&["load", kind, &file]);
        assert!(loaded.status.success(), "{loaded:?}");
    }

    fn run(&self, job: &str) -> Option<i32> {
        let origin = url::Url::parse(self.sim.url()).expect("a URL").origin();
        let output = self.tenon(&[
            "run",
            "moysklad",
            job,
            "--credential",
            "token=env:MOYSKLAD_TOKEN",
            "--no-budget",
            "--grant",
            &origin.ascii_serialization(),
            "--settings",
            &self.path("settings.json"),
        ]);
        output.status.code()
    }

    /// Job, level, record and message of each line.
    fn log(&self, more: &[&str]) -> Vec<(String, String, Option<String>, String)> {
        let output = self.tenon(&[&["log", "--json"], more].concat());
        assert!(output.status.success(), "{output:?}");
        let lines: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
        let text = |line: &Value, name: &str| line[name].as_str().map(str::to_owned);
        let lines = lines.iter();
        lines
            .map(|line| {
                let told = |name: &str| text(line, name).unwrap_or_default();
                (
                    told("job"),
                    told("level"),
                    text(line, "record"),
                    told("message"),
                )
            })
            .collect()
    }
}

#[test]
fn a_manager_reads_what_became_of_one_record_and_of_one_connection() {
    let mut account = Account::empty();
    let part = NewProduct::new("Фильтр").code("MAHLE A1").article("A1");
    account.add_product(part);
    account.add_product(NewProduct::new("Без бренда").code("A2").article("A2"));
    account.add_counterparty(NewCounterparty::new("Иванов И.").phone("8 912 345-67-89"));
    let site = Site::new(account);
    site.load(
        "products",
        json!([
            { "key": "filter", "name": "Фильтр", "brand": "MAHLE", "sku": "A1" },
            { "key": "tyre", "name": "Шина", "brand": "NOKIAN", "sku": "R16" },
        ]),
    );
    site.load(
        "partners",
        json!([{ "key": "ivanov", "name": "Иванов", "phones": ["+79123456789"] }]),
    );
    for (key, part) in [("42", "filter"), ("43", "tyre")] {
        let order = json!([{
            "key": key, "number": key, "partner": "ivanov", "currency": "RUB",
            "lines": [line("1", part, "1", "100")],
        }]);
        site.load("orders", order);
    }
    assert_eq!(Some(1), site.run("products"), "one product has no brand");
    assert_eq!(Some(1), site.run("orders"), "one order has an unknown part");

    for (record, job, words) in [
        ("filter", "products", "matched by brand and article"),
        ("ivanov", "orders", "“Иванов И.”: matched by phone"),
        ("43", "orders", "not synchronised with MoySklad"),
    ] {
        let lines = site.log(&["--record", record]);
        assert!(
            lines
                .iter()
                .any(|(of, _, _, message)| of == job && message.contains(words)),
            "{record}: {lines:#?}"
        );
        let records = lines.iter().map(|(_, _, of, _)| of.as_deref());
        assert!(
            records.into_iter().all(|of| of == Some(record)),
            "{lines:#?}"
        );
    }
    let refused = site.log(&["--record", "43"]);
    assert!(
        refused.iter().any(|(_, level, ..)| level == "warn"),
        "{refused:#?}"
    );

    let all = site.log(&["--connection", "moysklad"]);
    assert!(all.len() > 3, "{all:#?}");
    assert!(site.log(&["--connection", "another"]).is_empty());
    // As people see it: a line for each entry, with its record.
    let shown = site.tenon(&["log", "--record", "ivanov"]);
    let shown = String::from_utf8(shown.stdout).expect("text");
    assert!(
        shown.contains("ivanov") && shown.contains("matched by phone"),
        "{shown}"
    );
    assert!(!shown.contains("filter"), "{shown}");
}
