//! How a run went, as people and `tenon run --json` see it.

use serde::{Deserialize, Serialize};

use crate::ids::ConnectionId;
use crate::model::{Key, Origin};
use crate::observe::Side;
use crate::reason::Reason;
use crate::request::Mode;

/// One run of a job, finished or under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// Tells the run from all others of its tenant; sorts by start.
    pub id: String,
    /// Whose run it is.
    pub connection: ConnectionId,
    /// Name and version of the connector, e.g. `keycrm 0.1.0`.
    pub connector: String,
    /// The job.
    pub job: String,
    /// What it was for.
    #[serde(default)]
    pub mode: Mode,
    /// Of the claim that it ran under, as its request says; none where one host alone runs the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
    /// When it began.
    pub started_at: jiff::Timestamp,
    /// When it ended; none while it is under way or when its process died.
    pub finished_at: Option<jiff::Timestamp>,
    /// How it ended.
    pub outcome: Outcome,
    /// New records: of the kinds that the job is about, as the connector counts them, as long as that
    /// is what the host saw written; else all that it saw.
    pub created: u64,
    /// Changed and removed records, counted in the same way.
    pub updated: u64,
    /// Records that were right already.
    pub unchanged: u64,
    /// Records that could not be taken.
    pub failed: u64,
    /// HTTP requests sent, repeats included.
    pub requests: u64,
    /// Most linear memory that the component had, in bytes; 0 in reports of hosts that did not tell.
    #[serde(default)]
    pub memory: u64,
    /// Why it could not go on, or was ended between two checkpoints, in English; none when neither is
    /// so.
    pub error: Option<String>,
    /// The same for every language.
    #[serde(default)]
    pub why: Option<Reason>,
    /// When a next run can go on, where it is known that none can before: the counterpart takes no
    /// more requests until then.
    #[serde(default)]
    pub not_before: Option<jiff::Timestamp>,
    /// All that was written, as the host saw it, by side and kind.
    #[serde(default)]
    pub written: Vec<WrittenRecords>,
    /// What people should know although the run went on.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// The records that could not be taken.
    pub records: Vec<RejectedRecord>,
    /// What people have to agree to before it is done; none where they have. A run that ended as
    /// `configuration` with the code of one of them cannot go on before.
    #[serde(default)]
    pub questions: Vec<Question>,
}

impl RunReport {
    /// That of a live run that has done nothing yet.
    pub fn begun(
        id: impl Into<String>,
        connection: ConnectionId,
        connector: impl Into<String>,
        job: impl Into<String>,
        started_at: jiff::Timestamp,
    ) -> Self {
        RunReport {
            id: id.into(),
            connection,
            connector: connector.into(),
            job: job.into(),
            mode: Mode::Live,
            fence: None,
            started_at,
            finished_at: None,
            outcome: Outcome::Running,
            created: 0,
            updated: 0,
            unchanged: 0,
            failed: 0,
            requests: 0,
            memory: 0,
            error: None,
            why: None,
            not_before: None,
            written: Vec::new(),
            warnings: Vec::new(),
            records: Vec::new(),
            questions: Vec::new(),
        }
    }

    /// Whether it cannot go on before people have agreed to this.
    pub fn waits_for(&self, question: &Question) -> bool {
        self.outcome == Outcome::Configuration
            && (self.why.as_ref()).is_some_and(|why| why.code == question.why.code)
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Under way, or its process died.
    Running,
    /// At the end of its work.
    Done,
    /// Ended before its work was done, because that was wanted; the next run goes on from its last
    /// checkpoint. What it did after that, if the report has an error, is undone.
    Suspended,
    /// Something outside failed; the same run may succeed later.
    Transient,
    /// An admin has to change something first.
    Configuration,
    /// The component trapped or broke a limit.
    Crashed,
}

impl Outcome {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Running => "running",
            Outcome::Done => "done",
            Outcome::Suspended => "suspended",
            Outcome::Transient => "transient",
            Outcome::Configuration => "configuration",
            Outcome::Crashed => "crashed",
        }
    }
}

/// How many records of a kind were written on one side, each counted once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenRecords {
    /// Where.
    pub side: Side,
    /// Kind of record: on the platform `order`, `product` and such; at the counterpart as the connector
    /// names it.
    pub kind: String,
    /// New ones.
    pub created: u64,
    /// Those that are other than before.
    pub updated: u64,
    /// Those that are gone.
    pub removed: u64,
}

/// Something that people should know of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// In English.
    pub text: String,
    /// The same for every language.
    pub why: Reason,
}

/// A record, as the side knows it that it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Of the counterpart.
    Origin(Origin),
    /// Of the platform.
    Key(Key),
}

/// A record that could not be taken, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedRecord {
    /// Kind of record, as the connector names it.
    pub kind: String,
    /// Number or name that people know it by.
    pub id: String,
    /// Which record it is.
    pub subject: Subject,
    /// What is wrong with it, in English.
    pub reason: String,
    /// The same for every language.
    pub why: Reason,
}

impl Question {
    /// Whether it asks if the connection goes on with what may be another account.
    pub fn is_of_account(&self) -> bool {
        self.kind == ACCOUNT && self.why.code.starts_with("host.")
    }
}

/// The kind of a question about whose the account is.
pub(crate) const ACCOUNT: &str = "account";

/// Something that a run would do and that cannot easily be undone. People are asked first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Tells it from all others; the same while what is asked is the same.
    pub id: String,
    /// What is about to happen and why that may be wrong, in English.
    pub text: String,
    /// The same for every language.
    pub why: Reason,
    /// Kind of record, as the connector names it.
    pub kind: String,
    /// How many records are concerned.
    pub affected: u64,
    /// Of how many.
    pub total: u64,
    /// Some of them by name.
    pub samples: Vec<String>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The report of a run that has just begun.
    pub fn report() -> RunReport {
        let report = serde_json::json!({
            "id": "1", "connection": "keycrm", "connector": "keycrm 0.1.0", "job": "orders",
            "started_at": "2026-01-01T00:00:00Z", "finished_at": null,
            "outcome": "running", "created": 0, "updated": 0, "unchanged": 0, "failed": 0,
            "requests": 0, "error": null, "records": [],
        });
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn an_outcome_has_one_name_everywhere() {
        for outcome in [
            Outcome::Running,
            Outcome::Done,
            Outcome::Suspended,
            Outcome::Transient,
            Outcome::Configuration,
            Outcome::Crashed,
        ] {
            let json = serde_json::to_value(outcome).unwrap();
            assert_eq!(json, outcome.as_str());
        }
    }

    #[test]
    fn a_report_from_before_memory_was_told_is_read() {
        let report = report();
        assert_eq!((0, Mode::Live), (report.memory, report.mode));
    }
}
