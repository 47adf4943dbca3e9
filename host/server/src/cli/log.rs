//! `tenon log`: what runs logged, for a shop's people.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;

use comfy_table::{Table, presets};
use tenon_host::reason::Catalogue;

use super::language::Language;
use super::{Exit, args, site};
use crate::control::Control;
use crate::control::log::{self, Wanted};
use crate::control::{connections, versions};
use crate::told::{self, TEXTS};

/// `tenon log`.
pub fn log(args: &args::Log, language: Language) -> anyhow::Result<Exit> {
    let wanted = Wanted {
        tenant: &args.place.tenant,
        connection: args.connection.as_ref(),
        record: args.record.as_deref(),
        most: args.lines,
    };
    let (lines, texts) = match Control::open_to_read(&args.place.data)? {
        Some(mut control) => {
            control.alone(|db| Ok((log::read(db, wanted)?, texts(db, wanted)?)))?
        }
        None => Default::default(),
    };
    site::expect_tenant(&args.place)?;
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
        let texts = texts.get(&line.connection).unwrap_or(&TEXTS);
        let message = told::kept(texts, &line.message, line.why.as_ref(), language);
        table.add_row([at, line.connection, line.job, line.level, record, message]);
    }
    writeln!(out, "{table}")?;
    Ok(Exit::Done)
}

/// The texts of the connectors that a server runs here, by connection.
fn texts(
    db: &rusqlite::Connection,
    wanted: Wanted<'_>,
) -> rusqlite::Result<HashMap<String, Arc<Catalogue>>> {
    let mut texts = HashMap::new();
    for (connection, digest) in connections::digests(db, wanted.tenant)? {
        if let Some(version) = versions::get(db, &digest)? {
            texts.insert(connection, told::texts_of(&version.manifest, &TEXTS));
        }
    }
    Ok(texts)
}
