//! What outlives a run: where to go on, which orders to look at again, which ones cannot be taken.
//!
//! Everything is read once when a run begins. Changes are gathered and written with the page that
//! caused them, so that they become durable together with its orders.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use tenon_sdk::model::{Fault, Instant};
use tenon_sdk::runtime::storage;
use tenon_sdk::state::{each, set};

use crate::plan::{Cursor, Leg, Newest, OVERLAP, Window};

const CURSOR: &str = "cursor";
const PROGRESS: &str = "progress";
const OPEN: &str = "open/";
const FAILED: &str = "failed/";
const SEEN: &str = "seen/";

/// How far a run has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// When the run began.
    pub started: Instant,
    /// The leg under way.
    pub leg: Leg,
    /// Pages of it that are done.
    pub pages: u64,
    /// How many orders it had in all when it was looked at last.
    pub total: Option<u64>,
    /// Orders passed before this leg.
    pub before: u64,
    /// Orders passed.
    pub done: u64,
    /// Latest moments seen.
    pub newest: Newest,
}

impl Progress {
    /// A run that begins.
    pub fn new(leg: Leg, started: Instant) -> Progress {
        Progress {
            started,
            leg,
            pages: 0,
            total: None,
            before: 0,
            done: 0,
            newest: Newest::default(),
        }
    }

    /// Begins the next leg.
    pub fn enter(&mut self, leg: Leg) {
        self.leg = leg;
        self.pages = 0;
        self.total = None;
        self.before = self.done;
    }
}

/// Where a run ended.
#[derive(Serialize, Deserialize)]
struct End {
    cursor: Cursor,
    /// The orders that changed shortly before, and when.
    recent: Vec<(i64, Instant)>,
}

/// A stored value that is good only for the settings it was made under: with other settings,
/// other orders count, and in another way.
#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    settings: String,
    value: T,
}

/// The state of a run.
#[derive(Debug, Default)]
pub struct State {
    settings: String,
    /// Where the last run ended; none when it had other settings, or never was.
    pub cursor: Option<Cursor>,
    recent: HashMap<i64, Instant>,
    latest: Option<Instant>,
    open: BTreeMap<i64, Instant>,
    failed: BTreeSet<i64>,
    seen: HashSet<i64>,
    newly_seen: Vec<u8>,
    seen_entries: u32,
    writes: Vec<(String, Vec<u8>)>,
    deletes: Vec<String>,
}

impl State {
    /// Reads what earlier runs left. `settings` is the digest of the present ones. The progress is
    /// that of a run that was cut, if there was one.
    pub fn load(settings: String) -> (State, Option<Progress>) {
        let mut stored = storage::get(&[CURSOR.to_owned(), PROGRESS.to_owned()]).into_iter();
        let end = stored
            .next()
            .flatten()
            .and_then(|stored| unseal::<End>(&settings, &stored));
        let progress = stored
            .next()
            .flatten()
            .and_then(|stored| unseal::<Progress>(&settings, &stored));
        let mut state = State {
            settings,
            cursor: end.as_ref().map(|end| end.cursor),
            ..State::default()
        };
        // What the run has learned of changes before it was cut is not kept.
        if let (Some(end), None) = (end, &progress) {
            state.recent = end.recent.into_iter().collect();
        }
        each(OPEN, |id, placed| {
            let placed = std::str::from_utf8(placed)
                .ok()
                .and_then(|at| at.parse().ok());
            if let (Ok(id), Some(placed)) = (id.parse(), placed) {
                state.open.insert(id, placed);
            }
        });
        each(FAILED, |id, _| state.failed.extend(id.parse::<i64>()));
        let mut seen_keys = Vec::new();
        each(SEEN, |entry, ids| {
            seen_keys.push(format!("{SEEN}{entry}"));
            if progress.is_some() {
                let (ids, _) = ids.as_chunks();
                state
                    .seen
                    .extend(ids.iter().map(|id| i64::from_le_bytes(*id)));
            }
        });
        match progress {
            Some(_) => state.seen_entries = u32::try_from(seen_keys.len()).unwrap_or(u32::MAX),
            None => state.deletes = seen_keys,
        }
        (state, progress)
    }

    /// Whether this run meets the order for the first time. From then on it has met it.
    pub fn meets(&mut self, id: i64) -> bool {
        let first = self.seen.insert(id);
        if first {
            self.newly_seen.extend(id.to_le_bytes());
        }
        first
    }

    /// Takes note of when an order changed last.
    pub fn note_change(&mut self, id: i64, at: Instant) {
        self.latest = self.latest.max(Some(at));
        // Too old ones among them fall out at the end of the run.
        if self.latest.is_some_and(|latest| at >= latest - OVERLAP) {
            self.recent.insert(id, at);
        } else {
            self.recent.remove(&id);
        }
    }

    /// How many orders are known to have changed last in a window.
    pub fn known_changes(&self, window: &Window) -> u64 {
        self.recent.values().filter(|at| window.holds(**at)).count() as u64
    }

    /// Takes note that the order was placed then and is not final, or that it is.
    pub fn note_open(&mut self, id: i64, placed: Option<Instant>) {
        match placed {
            Some(placed) => {
                if self.open.insert(id, placed) != Some(placed) {
                    self.writes
                        .push((format!("{OPEN}{id}"), placed.to_string().into_bytes()));
                }
            }
            None => {
                if self.open.remove(&id).is_some() {
                    self.deletes.push(format!("{OPEN}{id}"));
                }
            }
        }
    }

    /// Takes note whether the order could be taken.
    pub fn note_failed(&mut self, id: i64, failed: bool) {
        if failed {
            if self.failed.insert(id) {
                self.writes.push((format!("{FAILED}{id}"), Vec::new()));
            }
        } else if self.failed.remove(&id) {
            self.deletes.push(format!("{FAILED}{id}"));
        }
    }

    /// Forgets an order that is gone in the CRM.
    pub fn forget(&mut self, id: i64) {
        self.note_open(id, None);
        self.note_failed(id, false);
    }

    /// Orders that are not final and that this run has not met, with the time they were placed.
    pub fn open_unmet(&self) -> impl Iterator<Item = (i64, Instant)> {
        self.open
            .iter()
            .filter(|(id, _)| !self.seen.contains(id))
            .map(|(id, placed)| (*id, *placed))
    }

    /// Orders that could not be taken before and that this run has not met.
    pub fn failed_unmet(&self) -> impl Iterator<Item = i64> {
        self.failed
            .iter()
            .filter(|id| !self.seen.contains(id))
            .copied()
    }

    /// Writes what has changed, and how far the run has come.
    ///
    /// # Errors
    /// `configuration` when storage is full.
    pub fn save(&mut self, progress: &Progress) -> Result<(), Fault> {
        if !self.newly_seen.is_empty() {
            self.seen_entries += 1;
            let entry = format!("{SEEN}{:08}", self.seen_entries);
            self.writes
                .push((entry, std::mem::take(&mut self.newly_seen)));
        }
        let sealed = self.seal(progress);
        self.writes.push((PROGRESS.to_owned(), sealed));
        self.flush()
    }

    /// Writes what has changed, and that the run is at its end.
    ///
    /// # Errors
    /// `configuration` when storage is full.
    pub fn finish(&mut self, cursor: Option<Cursor>) -> Result<(), Fault> {
        self.deletes.push(PROGRESS.to_owned());
        let entries = 1..=self.seen_entries;
        self.deletes
            .extend(entries.map(|entry| format!("{SEEN}{entry:08}")));
        if let Some(cursor) = cursor {
            self.recent
                .retain(|_, at| *at >= cursor.updated_at - OVERLAP);
            let recent = self.recent.iter().map(|(id, at)| (*id, *at)).collect();
            let sealed = self.seal(&End { cursor, recent });
            self.writes.push((CURSOR.to_owned(), sealed));
        }
        self.flush()
    }

    fn seal(&self, value: &impl Serialize) -> Vec<u8> {
        let sealed = Sealed {
            settings: self.settings.clone(),
            value,
        };
        serde_json::to_vec(&sealed).unwrap_or_default()
    }

    fn flush(&mut self) -> Result<(), Fault> {
        if !self.deletes.is_empty() {
            storage::delete(&std::mem::take(&mut self.deletes));
        }
        set(&std::mem::take(&mut self.writes))
    }
}

fn unseal<T: for<'de> Deserialize<'de>>(settings: &str, stored: &[u8]) -> Option<T> {
    let sealed: Sealed<T> = serde_json::from_slice(stored).ok()?;
    (sealed.settings == settings).then_some(sealed.value)
}
