//! Watching a run from outside: its log, its progress, its requests, and the wish to stop it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use serde::{Deserialize, Serialize};

use crate::limits::Limits;
pub use crate::model::FieldChange;
use crate::model::Keep as _;
use crate::reason::{Catalogue, LANGUAGES, Reason};
use crate::report::{RejectedRecord, Subject};

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
    /// What happened, without secrets, in English.
    pub message: String,
    /// The same for every language; none of lines for developers.
    pub why: Option<Reason>,
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

/// Which side of an integration a record is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The platform's.
    Platform,
    /// The other system's.
    Counterpart,
}

/// What happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is new.
    Created,
    /// Some of its fields changed.
    Updated,
    /// It is gone.
    Removed,
}

/// A record written, or in a preview to be written, on one of the sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Written {
    /// Where.
    pub side: Side,
    /// Kind of record.
    pub record_kind: String,
    /// The counterpart's record; empty where it has none.
    pub origin: String,
    /// The platform's record.
    pub key: Option<String>,
    /// Number or name that people know it by.
    pub label: Option<String>,
    /// What happened to it.
    pub change: Change,
    /// Every field that changed.
    pub changes: Vec<FieldChange>,
}

impl Written {
    /// About how many bytes of memory it takes, texts included.
    pub fn weight(&self) -> usize {
        let names = [Some(&self.origin), self.key.as_ref(), self.label.as_ref()];
        let names: usize = names.into_iter().flatten().map(String::len).sum();
        size_of::<Written>() + self.record_kind.len() + names + self.changes.weight()
    }
}

/// One HTTP request that was sent; a repeated one is one more.
///
/// Operators count these and send the figures elsewhere, so nothing in it can be secret or personal:
/// of the address only what the manifest says, no path, no query, no header, nothing of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The endpoint in the words of the manifest: an origin, or `{settings.NAME}` for that of a
    /// setting, which may name a shop.
    pub endpoint: Arc<str>,
    /// The method, by [`method_name`].
    pub method: &'static str,
    /// How it ended.
    pub ending: Ending,
    /// How long it waited for its turn in the request budget.
    pub waited: Duration,
    /// How long it took from there.
    pub took: Duration,
    /// Bytes of the answer's body that came, decoded.
    pub received: u64,
    /// Whether the same request was sent before.
    pub repeat: bool,
    /// Units of the request budget that it took.
    pub units: u32,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// With an answer of this status.
    Status(u16),
    /// No connection came about.
    NoConnection,
    /// The answer was not whole in time.
    TimedOut,
    /// The connection broke before the answer was whole.
    BrokenOff,
    /// The host did not dial the address, or did not take an answer of that size.
    Refused,
    /// Nobody waited for the answer any longer: the guest dropped the request, or its run ended.
    Abandoned,
}

/// The status, or a name.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ending::Status(status) => return status.fmt(f),
            Ending::NoConnection => "no_connection",
            Ending::TimedOut => "timed_out",
            Ending::BrokenOff => "broken_off",
            Ending::Refused => "refused",
            Ending::Abandoned => "abandoned",
        })
    }
}

/// The name of a method that RFC 9110 and RFC 5789 know; `other` for all that somebody may make up.
pub fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => "other",
    }
}

/// Who or what wants a run to end although its work is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A person.
    Person,
    /// Something else is to be done with its connection, such as switching it off.
    Change,
    /// The process that runs it ends.
    Shutdown,
}

/// Watches a run. Every method has a default that does nothing.
#[async_trait]
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

    /// These records are none that could not be taken, any more. It lasts from the next checkpoint on.
    fn settled(&self, kind: &str, subjects: &[Subject]) {
        let _ = (kind, subjects);
    }

    /// Both sides agree on a record: the connector bound the two with a fingerprint, or the platform has
    /// saved it; `key` or `origin` is empty where that side has none. It lasts from the next checkpoint
    /// on.
    fn agreed(&self, kind: &str, key: &str, origin: &str) {
        let _ = (kind, key, origin);
    }

    /// A record was written. Of the platform's this tells once they are committed, in a preview at its
    /// checkpoints, and names them by kind: that of the contract, or the directory of an entry. Of the
    /// counterpart's it tells what the connector says.
    fn wrote(&self, written: &Written) {
        let _ = written;
    }

    /// A request is sent now. [`Observer::requested`] tells of its end.
    fn requesting(&self) {}

    /// A request was sent, and has ended. Of one that was abandoned this tells at times only after
    /// the run has ended.
    fn requested(&self, exchange: &Exchange) {
        let _ = exchange;
    }

    /// Asked at each checkpoint: whether the run should stop there.
    fn wants_stop(&self) -> bool {
        false
    }

    /// Comes to its end when the run is to end at once, and else never. A request under way is then
    /// dropped, as is the wait for one; a guest at work has a second to come to a checkpoint. A run
    /// that does not is undone back to its last one, and its report is
    /// [`Suspended`](crate::report::Outcome::Suspended) with the reason in its error.
    async fn stopped(&self) -> Stop {
        std::future::pending().await
    }
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {}

/// The log of one run, within its share: what the guest logs and prints, and what the host has to
/// say about it. Clones write to the same log.
#[derive(Clone)]
pub(crate) struct RunLog {
    observer: Arc<dyn Observer>,
    left: Arc<Mutex<Left>>,
    longest: usize,
    catalogue: Arc<Catalogue>,
}

/// What is left of a run's share.
struct Left {
    lines: u64,
    bytes: u64,
    told: bool,
}

impl RunLog {
    pub fn new(observer: Arc<dyn Observer>, limits: &Limits, catalogue: Arc<Catalogue>) -> RunLog {
        let left = Left {
            lines: limits.log_lines,
            bytes: limits.log_bytes,
            told: false,
        };
        RunLog {
            observer,
            left: Arc::new(Mutex::new(left)),
            longest: limits.log_line,
            catalogue,
        }
    }

    /// A line for developers.
    pub fn debug(&self, message: String) {
        self.put(Level::Debug, message, None, None);
    }

    /// A line for people that is about no record.
    pub fn line(&self, level: Level, reason: Reason) {
        self.record_line(level, reason, None);
    }

    /// A line for people that may be about a record.
    pub fn record_line(&self, level: Level, mut reason: Reason, record: Option<String>) {
        reason.tidy(self.longest);
        let message = self.text(&reason, LANGUAGES[0]);
        self.put(level, message, Some(reason), record);
    }

    /// The text of a reason in a language.
    pub fn text(&self, reason: &Reason, language: &str) -> String {
        self.catalogue.text(reason, language)
    }

    fn put(
        &self,
        level: Level,
        mut message: String,
        why: Option<Reason>,
        mut record: Option<String>,
    ) {
        tidy(&mut message, self.longest);
        if let Some(record) = &mut record {
            tidy(record, self.longest);
        }
        let bytes = message.len() + record.as_ref().map_or(0, String::len);
        let line = LogLine {
            level,
            message,
            why,
            record,
        };
        let line = {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            left.take(bytes as u64, line)
        };
        if let Some(line) = line {
            self.observer.log(line);
        }
    }

    /// Longest line, in bytes.
    pub fn longest(&self) -> usize {
        self.longest
    }
}

impl Left {
    /// The line, the news that there are no more, or nothing.
    fn take(&mut self, bytes: u64, line: LogLine) -> Option<LogLine> {
        if self.told {
            return None;
        }
        match (self.lines.checked_sub(1), self.bytes.checked_sub(bytes)) {
            (Some(lines), Some(bytes)) => {
                (self.lines, self.bytes) = (lines, bytes);
                Some(line)
            }
            _ => {
                self.told = true;
                let reason = Reason::new("host.log-full");
                Some(LogLine {
                    level: Level::Warn,
                    message: reason.to_string(),
                    why: Some(reason),
                    record: None,
                })
            }
        }
    }
}

/// Makes a guest's text fit for people: cut at a character, and without the line breaks and other
/// control characters by which one line could pass for several or take over a terminal.
pub(crate) fn tidy(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes));
        text.push('…');
    }
    if text.contains(char::is_control) {
        *text = text.replace(char::is_control, " ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Observer for Heard {
        fn log(&self, line: LogLine) {
            self.0.lock().unwrap().push(line.message);
        }
    }

    fn logged(limits: Limits, lines: &[&str]) -> Vec<String> {
        let heard = Arc::new(Heard::default());
        let log = RunLog::new(heard.clone(), &limits, Arc::default());
        for line in lines {
            log.clone().debug((*line).to_owned());
        }
        std::mem::take(&mut *heard.0.lock().unwrap())
    }

    #[test]
    fn a_flood_of_lines_or_bytes_is_cut_and_that_is_said_once() {
        let full = "the log of this run is full; further lines are left out";
        let few_lines = Limits {
            log_lines: 2,
            ..Limits::default()
        };
        assert_eq!(
            vec!["a", "b", full],
            logged(few_lines, &["a", "b", "c", "d"])
        );
        let few_bytes = Limits {
            log_bytes: 4,
            ..Limits::default()
        };
        assert_eq!(vec!["abc", full], logged(few_bytes, &["abc", "de", "f"]));
    }

    #[test]
    fn control_characters_do_not_get_into_a_line() {
        let forged = "harmless\r\nERROR all is lost\u{1b}[2J";
        let clean = "harmless  ERROR all is lost [2J";
        assert_eq!(vec![clean], logged(Limits::default(), &[forged]));
    }

    #[test]
    fn a_long_line_is_cut_at_a_character() {
        let limits = Limits {
            log_line: 5,
            ..Limits::default()
        };
        assert_eq!(
            vec!["два…"],
            logged(
                Limits {
                    log_line: 6,
                    ..limits.clone()
                },
                &["двадцать"]
            )
        );
        assert_eq!(vec!["дв…"], logged(limits, &["двадцать"]));
    }
}
