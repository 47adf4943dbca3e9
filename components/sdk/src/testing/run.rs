//! What a run did.

use crate::http::Request;
use crate::model::{
    Fault, Level, Outcome, Progress, Question, Reason, Rejection, Subject, Written,
};

/// A finished run.
#[derive(Clone, Debug)]
pub struct Run {
    /// How it ended; a killed one with a `transient` fault.
    pub outcome: Result<Outcome, Fault>,
    /// What it told at its last checkpoint.
    pub progress: Progress,
    /// Records that it could not take.
    pub rejected: Vec<Rejection>,
    /// Records of which it said that nothing is wanted any more.
    pub settled: Vec<(String, Subject)>,
    /// What it wrote at the counterpart, or would have.
    pub written: Vec<Written>,
    /// What it asked people for.
    pub questions: Vec<Question>,
    /// The log, with the key of the record that a line is tied to.
    pub log: Vec<(Level, Reason, Option<String>)>,
    /// The requests that the counterpart got.
    pub sent: Vec<Request>,
    /// The requests that the host did not let pass, because they write in a preview.
    pub forbidden: Vec<Request>,
    /// How often it committed.
    pub checkpoints: u64,
}

impl Run {
    pub(super) fn new() -> Run {
        Run {
            outcome: Err(Fault::Transient(Reason::new("testing.killed"))),
            progress: Progress::default(),
            rejected: Vec::new(),
            settled: Vec::new(),
            written: Vec::new(),
            questions: Vec::new(),
            log: Vec::new(),
            sent: Vec::new(),
            forbidden: Vec::new(),
            checkpoints: 0,
        }
    }

    /// Created, updated, unchanged and failed records.
    pub fn counts(&self) -> (u64, u64, u64, u64) {
        let progress = &self.progress;
        (
            progress.created,
            progress.updated,
            progress.unchanged,
            progress.failed,
        )
    }

    /// The codes of the log, in their order.
    pub fn codes(&self) -> Vec<&str> {
        let lines = self.log.iter();
        lines.map(|(_, reason, _)| reason.code.as_str()).collect()
    }
}
