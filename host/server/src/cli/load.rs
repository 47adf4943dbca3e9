//! `tenon load`: records from a JSON file into the embedded ERP.

use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};
use tenon_erp::Kind;

use super::door::{self, Door};
use super::language::Language;
use super::{Exit, args, not_json, site};
use crate::control::Control;
use crate::control::audit::{self, COMMAND_LINE, Note};
use crate::told::refusal;

pub async fn load(args: args::Load, language: Language) -> anyhow::Result<Exit> {
    let kind: Kind = args.kind.parse()?;
    let file = args.file.display();
    let text = std::fs::read_to_string(&args.file).with_context(|| file.to_string())?;
    let records: Value =
        serde_json::from_str(&text).map_err(|error| not_json(&args.file, error))?;
    let args::Place { data, tenant } = &args.place;
    let nothing = |error: anyhow::Error| {
        (refusal("server.nothing-loaded").arg("file", args.file.display())).because(error)
    };
    let [created, updated, unchanged] = match door::enter(data)? {
        Door::Served(server) => {
            let path = ["tenants", tenant.as_str(), "records", kind.name()];
            let list = match records {
                Value::Array(list) => Value::Array(list),
                one => Value::Array(vec![one]),
            };
            let loaded = server.ask(Method::POST, &path, Some(&list), language).await;
            let loaded = loaded.map_err(nothing)?;
            let number = |name: &str| loaded[name].as_u64().unwrap_or_default();
            ["created", "updated", "unchanged"].map(number)
        }
        Door::Open(_alone) => {
            let erp = site::erp_of(data, tenant)?;
            if let Some(mut control) = Control::open_existing(data)? {
                let note = Note {
                    actor: COMMAND_LINE.to_owned(),
                    tenant: Some(tenant.clone()),
                    connection: None,
                    action: "records.load",
                    detail: json!({ "kind": kind.name() }),
                };
                control.alone(|db| Ok(audit::note(db, &note, jiff::Timestamp::now())?))?;
            }
            let loaded = erp.load(tenant, kind, records).await;
            let loaded = loaded.map_err(|error| nothing(error.into()))?;
            [loaded.created, loaded.updated, loaded.unchanged]
        }
    };
    super::say(format_args!(
        "{kind}: created {created}  updated {updated}  unchanged {unchanged}\n"
    ))?;
    Ok(Exit::Done)
}
