//! `tenon log`: what runs logged, for a shop's people.

use std::io::Write as _;

use comfy_table::{Table, presets};

use super::{Exit, args};
use crate::control::Control;
use crate::control::log::{self, Wanted};

/// `tenon log`.
pub fn log(args: &args::Log) -> anyhow::Result<Exit> {
    let wanted = Wanted {
        tenant: &args.place.tenant,
        connection: args.connection.as_ref(),
        record: args.record.as_deref(),
        most: args.lines,
    };
    let lines = match Control::open_existing(&args.place.data)? {
        Some(mut control) => control.alone(|db| Ok(log::read(db, wanted)?))?,
        None => Vec::new(),
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&lines)?)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header([
        "at",
        "connection",
        "job",
        "level",
        "record",
        "message",
    ]);
    for line in lines {
        let record = line.record.unwrap_or_default();
        let at = line.at.to_string();
        table.add_row([
            at,
            line.connection,
            line.job,
            line.level,
            record,
            line.message,
        ]);
    }
    writeln!(out, "{table}")?;
    Ok(Exit::Done)
}
