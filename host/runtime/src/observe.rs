//! Watching a run from outside: its log, its progress, and the wish to stop it.

use serde::Serialize;

use crate::report::RejectedRecord;

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For who looks for a fault in the connector.
    Debug,
    /// What was decided, such as the rule that matched a record.
    Info,
    /// Something an admin may want to mend.
    Warn,
    /// Something failed.
    Error,
}

/// A line in the log of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// What happened, without secrets.
    pub message: String,
    /// The record that it is about.
    pub record: Option<String>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Records handled.
    pub done: u64,
    /// Records in all; none while that is not known.
    pub total: Option<u64>,
    /// New records.
    pub created: u64,
    /// Changed records.
    pub updated: u64,
    /// Records that were right already.
    pub unchanged: u64,
    /// Records that could not be taken.
    pub failed: u64,
}

/// One field of a record at the counterpart, before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Name of the field.
    pub field: String,
    /// Value before; none when the record is new.
    pub before: Option<String>,
    /// Value after; none when the record is gone.
    pub after: Option<String>,
}

/// A record written, or in a preview to be written, at the counterpart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Kind of record.
    pub record_kind: String,
    /// The counterpart's record.
    pub origin: String,
    /// What changed.
    pub changes: Vec<FieldChange>,
}

/// Watches a run. Every method has a default that does nothing.
pub trait Observer: Send + Sync {
    /// A line was logged.
    fn log(&self, line: LogLine) {
        let _ = line;
    }

    /// A checkpoint was committed.
    fn progress(&self, progress: Progress) {
        let _ = progress;
    }

    /// A record could not be taken.
    fn rejected(&self, record: &RejectedRecord) {
        let _ = record;
    }

    /// Something was written to the counterpart.
    fn wrote(&self, written: &Written) {
        let _ = written;
    }

    /// Asked at each checkpoint: whether the run should stop there.
    fn wants_stop(&self) -> bool {
        false
    }
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {}
