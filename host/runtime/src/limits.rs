//! What one run may use.
//!
//! The threat: a connector that is broken or hostile takes memory, time, disk or attention from the
//! other tenants of a host. Each limit has a default that suits a shop's daily exchange and can be
//! set for a connection; going over one ends the run, or is answered to the guest, with a reason
//! that names the limit.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine;
use crate::reason::Reason;

/// Limits of a run. As JSON, sizes are bytes and times milliseconds; an absent one is the default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Linear memory of the guest, in bytes; at most [`engine::MAX_MEMORY`]. A guest in Rust takes a few
    /// MiB. One in JavaScript begins with 11, and frees what it passed to the host when its job
    /// returns: an import of 5,000 orders takes 50 MiB, one of 25,000 takes 128.
    pub memory: usize,
    /// Time the guest may compute between two checkpoints; waiting for the host does not count.
    #[serde(rename = "compute_ms", with = "millis")]
    pub compute: Duration,
    /// Time between two checkpoints in all, waiting included.
    #[serde(rename = "elapsed_ms", with = "millis")]
    pub elapsed: Duration,
    /// Bytes of all keys and values in the storage of a connection.
    pub storage: u64,
    /// Timers that a connection may have set.
    pub timers: u64,
    /// Lines in the log of a run, printed ones included; further ones are left out.
    pub log_lines: u64,
    /// Bytes in the log of a run.
    pub log_bytes: u64,
    /// Bytes of one log line; the rest is cut.
    pub log_line: usize,
    /// Requests of a run, repeats included.
    pub requests: u64,
    /// Longest wait for one answer of the counterpart, read whole.
    #[serde(rename = "answer_ms", with = "millis")]
    pub answer: Duration,
    /// Bytes of the body of one request.
    pub request: usize,
    /// Bytes of one answer of the counterpart, decoded.
    pub response: usize,
    /// Bytes of all bodies that the host holds for the run at one time.
    pub bodies: usize,
    /// Records, keys or entries in one call to the host, and in one answer of the component.
    pub records: usize,
    /// Bytes of the texts of one record that is saved; a larger one is rejected.
    pub record: usize,
    /// Bytes that one call to the host carries, as they lie in the host's memory.
    pub call: usize,
    /// Handles, such as requests under way, that a run has open at one time. Each costs the host about
    /// 300 bytes, and up to 16 KiB where it is for headers. A guest with a garbage collector returns
    /// them late or when its job returns: one in JavaScript takes five with each request.
    pub handles: usize,
    /// Rejected records listed in the report; further ones are only counted.
    pub listed_rejects: usize,
    /// So many records of a kind may be removed, archived or zeroed in a run without asking people.
    pub brake_records: u64,
    /// And more where they are no more than so many percent of all.
    pub brake_percent: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: 128 << 20,
            compute: Duration::from_secs(30),
            elapsed: Duration::from_secs(30 * 60),
            storage: 64 << 20,
            timers: 1_000,
            log_lines: 100_000,
            log_bytes: 16 << 20,
            log_line: 4 << 10,
            requests: 100_000,
            // The slowest known counterpart reports take about a minute.
            answer: Duration::from_secs(120),
            request: 32 << 20,
            response: 32 << 20,
            bodies: 96 << 20,
            records: 10_000,
            record: 1 << 20,
            call: 64 << 20,
            handles: 10_000,
            listed_rejects: 1_000,
            brake_records: 10,
            brake_percent: 10,
        }
    }
}

/// A limit that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.reason())]
pub enum BadLimit {
    /// More memory than the engine has.
    TooMuchMemory(usize),
    /// There is none of this name.
    Unknown(String),
}

impl BadLimit {
    /// Why, for people.
    pub fn reason(&self) -> Reason {
        match self {
            BadLimit::TooMuchMemory(bytes) => Reason::new("host.limit.too-much-memory")
                .arg("bytes", bytes)
                .arg("most", engine::MAX_MEMORY),
            BadLimit::Unknown(name) => Reason::new("host.limit.unknown")
                .arg("name", name)
                .arg("known", NAMES.join(", ")),
        }
    }
}

/// As they are written in JSON.
const NAMES: [&str; 20] = [
    "memory",
    "compute_ms",
    "elapsed_ms",
    "storage",
    "timers",
    "log_lines",
    "log_bytes",
    "log_line",
    "requests",
    "answer_ms",
    "request",
    "response",
    "bodies",
    "records",
    "record",
    "call",
    "handles",
    "listed_rejects",
    "brake_records",
    "brake_percent",
];

impl Limits {
    /// These limits, by their names in JSON, and the defaults of the others.
    ///
    /// # Errors
    /// There is none of such a name.
    pub fn with<'a>(
        given: impl IntoIterator<Item = (&'a String, &'a u64)>,
    ) -> Result<Limits, BadLimit> {
        let mut all = serde_json::Map::new();
        for (name, number) in given {
            if !NAMES.contains(&name.as_str()) {
                return Err(BadLimit::Unknown(name.clone()));
            }
            all.insert(name.clone(), (*number).into());
        }
        Ok(serde_json::from_value(all.into()).expect("names of limits, with numbers"))
    }

    /// What a component gets while it only says what it is: nobody waits longer for that.
    pub(crate) fn to_describe() -> Limits {
        Limits {
            compute: Duration::from_secs(5),
            elapsed: Duration::from_secs(10),
            log_lines: 100,
            requests: 0,
            ..Limits::default()
        }
    }

    /// What a component gets to read a webhook: less than for a run, because it makes no request, and
    /// others wait behind it.
    pub(crate) fn to_receive(&self) -> Limits {
        let most = Limits::to_describe();
        Limits {
            compute: self.compute.min(most.compute),
            elapsed: self.elapsed.min(most.elapsed),
            ..self.clone()
        }
    }

    /// Passes limits that the engine can keep.
    pub fn check(&self) -> Result<(), BadLimit> {
        if self.memory > engine::MAX_MEMORY {
            return Err(BadLimit::TooMuchMemory(self.memory));
        }
        Ok(())
    }
}

/// A limit that a guest broke in a call to the host. It ends the run.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.reason())]
pub(crate) enum Breach {
    /// Too many elements.
    Records(usize, usize),
    /// Too many elements in an answer of the component.
    Returned(usize, usize),
    /// The guest asked for more than it may be given at once.
    Answer(usize),
    /// A key, an origin or a name that is none; the code of the reason says what it names.
    Name(&'static str, usize, usize),
    /// Too many timers.
    Timers(u64),
    /// Too long without a checkpoint.
    Elapsed(Duration),
    /// It did not stop at a checkpoint that told it to.
    WentOn,
}

impl Breach {
    /// Why the run ended, for people.
    pub fn reason(&self) -> Reason {
        match self {
            Breach::Records(count, most) => Reason::new("host.limit.records")
                .arg("count", count)
                .arg("most", most),
            Breach::Returned(count, most) => Reason::new("host.limit.entries")
                .arg("count", count)
                .arg("most", most),
            Breach::Answer(most) => Reason::new("host.limit.answer").arg("kib", most >> 10),
            Breach::Name(code, bytes, most) => {
                Reason::new(*code).arg("bytes", bytes).arg("most", most)
            }
            Breach::Timers(most) => Reason::new("host.limit.timers").arg("most", most),
            Breach::Elapsed(most) => {
                Reason::new("host.limit.elapsed").arg("seconds", most.as_secs_f64())
            }
            Breach::WentOn => Reason::new("host.crash.went-on"),
        }
    }
}

/// Durations as whole milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_limits_are_the_defaults_and_unknown_ones_are_an_error() {
        let limits: Limits = serde_json::from_str(r#"{"compute_ms": 1500}"#).unwrap();
        assert_eq!(Duration::from_millis(1500), limits.compute);
        assert_eq!(Limits::default().memory, limits.memory);
        let error = serde_json::from_str::<Limits>(r#"{"memmory": 1}"#).unwrap_err();
        assert!(error.to_string().contains("memmory"), "{error}");
    }

    #[test]
    fn limits_are_known_by_their_names() {
        let all = serde_json::to_value(Limits::default()).unwrap();
        let mut all: Vec<_> = all.as_object().unwrap().keys().cloned().collect();
        let mut names = NAMES.map(str::to_owned);
        all.sort();
        names.sort();
        assert_eq!(all, names);
        let of = |name: &str, number| Limits::with([(&name.to_owned(), &number)]);
        assert_eq!(Duration::from_millis(7), of("answer_ms", 7).unwrap().answer);
        let error = of("memmory", 1).unwrap_err().to_string();
        assert!(
            error.contains("`memmory`") && error.contains("memory, compute_ms"),
            "{error}"
        );
    }

    #[test]
    fn more_memory_than_the_engine_has_is_refused() {
        let limits = Limits {
            memory: engine::MAX_MEMORY + 1,
            ..Limits::default()
        };
        assert!(limits.check().unwrap_err().to_string().contains("memory"));
        assert!(Limits::default().check().is_ok());
    }
}
