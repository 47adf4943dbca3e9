//! The log of runs: kept while they go on, and shown to a shop's people by `tenon log`.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use comfy_table::{Table, presets};
use jiff::Timestamp;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::observe::Level;

use crate::control::Control;
use crate::control::log::{self, Line, Wanted};
use crate::{Exit, args};

/// Lines that wait at most until the next checkpoint writes them.
const WAITING: usize = 500;

/// Keeps the log of one run.
pub struct Journal {
    /// The data folder.
    pub data: PathBuf,
    /// Whose run.
    pub tenant: TenantId,
    /// Whose connection.
    pub connection: ConnectionId,
    /// The job that runs.
    pub job: String,
    lines: Mutex<Vec<Line>>,
}

impl Journal {
    /// Of a run that begins.
    pub fn new(data: PathBuf, tenant: TenantId, connection: ConnectionId, job: String) -> Journal {
        Journal {
            data,
            tenant,
            connection,
            job,
            lines: Mutex::default(),
        }
    }

    /// Takes note of a line. What is for who looks for a fault in the connector is not kept.
    pub fn note(&self, level: Level, message: &str, record: Option<&str>) {
        if level < Level::Info {
            return;
        }
        self.lines().push(Line {
            at: Timestamp::now(),
            connection: self.connection.to_string(),
            job: self.job.clone(),
            level: log::level(level).to_owned(),
            record: record.map(str::to_owned),
            message: message.to_owned(),
        });
    }

    /// Writes what waits, when that is enough to be worth it.
    pub fn write_some(&self) -> anyhow::Result<()> {
        if self.lines().len() < WAITING {
            return Ok(());
        }
        self.write()
    }

    /// Writes what waits.
    pub fn write(&self) -> anyhow::Result<()> {
        let lines = std::mem::take(&mut *self.lines());
        if lines.is_empty() {
            return Ok(());
        }
        let now = Timestamp::now();
        let mut control = Control::open(&self.data)?;
        control.alone(|db| Ok(log::append(db, &self.tenant, &lines, now)?))
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
