//! Keeps the log of a run while it goes on.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::observe::Level;
use tenon_host::reason::Reason;

use crate::control::Control;
use crate::control::log::{self, Line};

/// Lines that wait at most until the next checkpoint writes them.
const WAITING: usize = 500;

/// How long lines are kept, and how many old ones are forgotten in one write.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
const FORGOTTEN: u32 = 1_000;

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
    pub fn note(&self, level: Level, message: &str, why: Option<&Reason>, record: Option<&str>) {
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
            why: why.cloned(),
            run: None,
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
        let old = Timestamp::now() - KEPT;
        let mut control = Control::open(&self.data)?;
        control.alone(|db| {
            log::append(db, &self.tenant, &lines)?;
            log::forget(db, &self.tenant, old, FORGOTTEN)?;
            Ok(())
        })
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
