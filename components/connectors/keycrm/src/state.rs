//! What outlives a run: where to go on, which orders to look at again, which ones were rejected.
//!
//! Everything is read once when a run begins. Changes are gathered and written with the page that
//! caused them, so that they become durable together with its orders.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use tenon_sdk::import::Tally;
use tenon_sdk::model::{Fault, Instant, Reason, Subject};
use tenon_sdk::rejected::{Rejected, Retry};
use tenon_sdk::runtime::storage;
use tenon_sdk::state::{each, set};

use crate::map::origin;
use crate::plan::{Cursor, Leg, Newest, OVERLAP, Window};

/// Kind of what is rejected.
pub const ORDER: &str = "order";

const CURSOR: &str = "cursor";
const PROGRESS: &str = "progress";
const OPEN: &str = "open/";
const FAILED: &str = "failed/";
const SEEN: &str = "seen/";

/// Orders that are read again, with the time they were placed where it is known.
pub type Again = BTreeMap<i64, Option<Instant>>;

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
#[derive(Debug)]
pub struct State {
    settings: String,
    /// Where the last run ended; none when it had other settings, or never was.
    pub cursor: Option<Cursor>,
    recent: HashMap<i64, Instant>,
    latest: Option<Instant>,
    open: BTreeMap<i64, Instant>,
    failed: Rejected,
    seen: HashSet<i64>,
    newly_seen: Vec<u8>,
    seen_entries: u32,
    writes: Vec<(String, Vec<u8>)>,
    deletes: Vec<String>,
}

impl State {
    /// Reads what earlier runs left. `settings` is the digest of the present ones. The progress is
    /// that of a run that was cut, if there was one.
    pub fn load(settings: String, retry: &Retry) -> (State, Option<Progress>) {
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
            recent: HashMap::new(),
            latest: None,
            open: BTreeMap::new(),
            failed: Rejected::load(ORDER, FAILED, retry),
            seen: HashSet::new(),
            newly_seen: Vec::new(),
            seen_entries: 0,
            writes: Vec::new(),
            deletes: Vec::new(),
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

    /// Lists an order that could not be taken, and keeps it to be tried again.
    pub fn reject(&mut self, id: i64, placed: Option<Instant>, reason: Reason, tally: &mut Tally) {
        let subject = Subject::Origin(origin::order(id));
        let id = id.to_string();
        self.failed.reject(&id, subject, &id, reason, tally);
        if let Some(placed) = placed {
            self.failed.date(&id, placed);
        }
    }

    /// Takes note that the order was taken, or need not be.
    pub fn settle(&mut self, id: i64) {
        self.failed.settle(&id.to_string());
    }

    /// Forgets an order that is gone in the CRM, or that the settings do not mean any more.
    pub fn forget(&mut self, id: i64) {
        self.note_open(id, None);
        self.settle(id);
    }

    /// Orders that are not final and that this run has not met. None without a cursor: all that is
    /// meant was read just now.
    pub fn open_unmet(&self) -> Again {
        let open = self.open.iter().filter(|_| self.cursor.is_some());
        open.filter(|(id, _)| !self.seen.contains(id))
            .map(|(id, placed)| (*id, Some(*placed)))
            .collect()
    }

    /// Orders that could not be taken before: all of them when people asked for it, else so many of
    /// those that this run has not met.
    pub fn failed_due(&self, most: usize) -> Again {
        let due = self.failed.due(most, 0).into_iter();
        due.filter_map(|id| {
            let number: i64 = id.parse().ok()?;
            let wanted = self.failed.is_of_all() || !self.seen.contains(&number);
            wanted.then(|| (number, self.failed.dated(&id)))
        })
        .collect()
    }

    /// At the end of a run that people asked for, names the orders again that were not tried by now.
    pub fn name_untried(&self) {
        self.failed.name_untried();
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
        self.failed.save()?;
        set(&std::mem::take(&mut self.writes))
    }
}

fn unseal<T: for<'de> Deserialize<'de>>(settings: &str, stored: &[u8]) -> Option<T> {
    let sealed: Sealed<T> = serde_json::from_slice(stored).ok()?;
    (sealed.settings == settings).then_some(sealed.value)
}
