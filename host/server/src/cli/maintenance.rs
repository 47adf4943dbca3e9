//! `tenon maintenance`: holds connections of a data folder, whether a server is at work on it or not.

use std::io::Write as _;
use std::path::Path;

use comfy_table::{Table, presets};
use jiff::Timestamp;
use serde_json::json;

use super::{Exit, args, no_server_yet};
use crate::control::Control;
use crate::control::maintenance::{self, Held, Maintenance};
use crate::service::maintenance::{hold, let_go};

/// In the audit.
const ACTOR: &str = "tenon maintenance";

pub fn maintenance(args: args::Maintenance) -> anyhow::Result<Exit> {
    match args {
        args::Maintenance::Begin(args) => {
            let (data, held) = which(args.which);
            let new = Maintenance {
                held,
                note: args.note,
                actor: ACTOR.to_owned(),
                since: Timestamp::now(),
            };
            control(&data)?.alone(|db| Ok(hold(db, &new)?))?;
        }
        args::Maintenance::End(args) => {
            let (data, held) = which(args);
            control(&data)?.alone(|db| Ok(let_go(db, &held, ACTOR, Timestamp::now())?))?;
        }
        args::Maintenance::List(args) => list(&args)?,
    }
    Ok(Exit::Done)
}

fn which(args: args::WhichMaintenance) -> (std::path::PathBuf, Held) {
    let held = match (args.connector, args.tenant) {
        (Some(connector), _) => Held::Connector(connector),
        (None, Some(tenant)) => Held::Tenant(tenant),
        (None, None) => Held::All,
    };
    (args.data, held)
}

fn control(data: &Path) -> anyhow::Result<Control> {
    Ok(Control::open_existing(data)?.ok_or_else(|| no_server_yet(data))?)
}

fn list(args: &args::ListMaintenance) -> anyhow::Result<()> {
    let control = Control::open_to_read(&args.data)?;
    let mut control = control.ok_or_else(|| no_server_yet(&args.data))?;
    let all = control.alone(|db| Ok(maintenance::list(db)?))?;
    let mut out = std::io::stdout().lock();
    if args.json {
        let all = all.iter().map(|one| {
            let (scope, name) = one.held.parts();
            let name = (!name.is_empty()).then_some(name);
            json!({
                "scope": scope, "name": name, "note": one.note, "actor": one.actor,
                "since": one.since,
            })
        });
        writeln!(out, "{}", serde_json::Value::from_iter(all))?;
        return Ok(());
    }
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_header(["held", "since", "actor", "note"]);
    for one in all {
        let held = one.held.to_string();
        table.add_row([held, one.since.to_string(), one.actor, one.note]);
    }
    writeln!(out, "{table}")?;
    Ok(())
}
