//! What outlives a run: where to go on, which records to look at again, which ones were rejected.
//!
//! Everything is read once when a run begins. Changes are gathered and written with the page that
//! caused them, so that they become durable together with its records.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::walk::Walk;
use super::window::{Cursor, Leg, Newest, OVERLAP, Window};
use crate::import::Tally;
use crate::model::{Fault, Instant, Origin, Reason, Subject};
use crate::rejected::{Rejected, Retry};
use crate::runtime::storage;
use crate::state::{each, set};
use crate::{info, reason};

const CURSOR: &str = "cursor";
const PROGRESS: &str = "progress";
const FACTS: &str = "facts";
const LOOKED: &str = "looked";
const WHOLE: &str = "whole";
const OPEN: &str = "open/";
const FAILED: &str = "failed/";
const SEEN: &str = "seen/";

/// What the id of a rejected record begins with that is known by its neighbours alone.
pub const PLACE: &str = "@";

/// Facts that records are read by, by name: a digest of the settings, and what else decides what a
/// record looks like.
pub type Facts = BTreeMap<String, String>;

/// Records that are read again, with the time they were placed where it is known.
pub type Again = BTreeMap<String, Option<Instant>>;

/// How far a run has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// When the run began.
    pub started: Instant,
    /// The leg under way.
    pub leg: Leg,
    /// Where the reading of its window stands.
    pub walk: Walk,
    /// When it was begun to be read, by the counterpart's clock.
    pub began: Instant,
    /// Whether a record came into it meanwhile.
    pub moved: bool,
    /// Whether that made it be read a second time.
    pub repeated: bool,
    /// Records passed before this leg.
    pub before: u64,
    /// Records passed.
    pub done: u64,
    /// Latest moments seen.
    pub newest: Newest,
    /// Records rejected that are known by their neighbours alone.
    pub places: Vec<String>,
}

impl Progress {
    /// A run that begins.
    pub fn new(leg: Leg, started: Instant) -> Progress {
        Progress {
            started,
            leg,
            walk: Walk::default(),
            began: started,
            moved: false,
            repeated: false,
            before: 0,
            done: 0,
            newest: Newest::default(),
            places: Vec::new(),
        }
    }

    /// Begins a leg.
    pub fn enter(&mut self, leg: Leg) {
        self.leg = leg;
        self.walk = Walk::default();
        self.moved = false;
        self.repeated = false;
        self.before = self.done;
    }
}

/// Where a run ended.
#[derive(Serialize, Deserialize)]
struct End {
    cursor: Cursor,
    /// The records that changed shortly before, and when.
    recent: Vec<(String, Instant)>,
}

/// The state of a run.
#[derive(Debug)]
pub struct Kept {
    facts: Facts,
    /// Where the last run ended; none when it went by other facts, or never was.
    pub cursor: Option<Cursor>,
    /// When closed records were last looked at again.
    pub looked: Option<Instant>,
    /// Records that the last run met in the span and this one did not.
    pub missing: Vec<String>,
    /// All records of the span that a run met; empty where not every run reads the whole of it.
    whole: Vec<String>,
    recent: HashMap<String, Instant>,
    latest: Option<Instant>,
    open: BTreeMap<String, Instant>,
    failed: Rejected,
    seen: HashSet<String>,
    newly_seen: Vec<String>,
    seen_entries: u32,
    writes: Vec<(String, Vec<u8>)>,
    deletes: Vec<String>,
}

impl Kept {
    /// Reads what earlier runs left. What they had on their way is good only while the facts are as
    /// they were; people are told when it is not. The progress is that of a run that was cut, if
    /// there was one.
    pub fn load(kind: &str, facts: Facts, retry: &Retry) -> (Kept, Option<Progress>) {
        let keys = [CURSOR, PROGRESS, FACTS, LOOKED, WHOLE].map(str::to_owned);
        let [end, progress, before, looked, whole] = storage::get(&keys)
            .try_into()
            .unwrap_or([None, None, None, None, None]);
        let is_begun = end.is_some() || progress.is_some() || whole.is_some();
        let before: Facts = read(before).unwrap_or_default();
        let changed = changed(&before, &facts);
        let is_good = is_begun && changed.is_empty();
        if is_begun && !is_good {
            info!(reason!("sdk.pull.read-again").detail(changed.join(", ")));
        }
        let [unread_end, unread_progress] = [end.is_some(), progress.is_some()];
        let end: Option<End> = read(end.filter(|_| is_good));
        let progress: Option<Progress> = read(progress.filter(|_| is_good));
        let is_unread = (unread_end && end.is_none()) || (unread_progress && progress.is_none());
        if is_good && is_unread {
            info!(reason!("sdk.pull.other-shape"));
        }
        let mut kept = Kept {
            cursor: end.as_ref().map(|end| end.cursor),
            looked: read(looked.filter(|_| is_good)),
            missing: Vec::new(),
            whole: read(whole.filter(|_| is_good)).unwrap_or_default(),
            recent: HashMap::new(),
            latest: None,
            open: BTreeMap::new(),
            failed: Rejected::load(kind, FAILED, retry),
            seen: HashSet::new(),
            newly_seen: Vec::new(),
            seen_entries: 0,
            writes: Vec::new(),
            deletes: Vec::new(),
            facts: before,
        };
        kept.learn(facts);
        // What the run has learned of changes before it was cut is not kept.
        if let (Some(end), None) = (end, &progress) {
            kept.recent = end.recent.into_iter().collect();
        }
        each(OPEN, |id, placed| {
            let placed = std::str::from_utf8(placed).ok();
            if let Some(placed) = placed.and_then(|at| at.parse().ok()) {
                kept.open.insert(id.to_owned(), placed);
            }
        });
        let mut seen_keys = Vec::new();
        each(SEEN, |entry, ids| {
            seen_keys.push(format!("{SEEN}{entry}"));
            if progress.is_some() {
                let ids = std::str::from_utf8(ids).unwrap_or_default().lines();
                kept.seen.extend(ids.map(str::to_owned));
            }
        });
        match progress {
            Some(_) => kept.seen_entries = u32::try_from(seen_keys.len()).unwrap_or(u32::MAX),
            None => kept.deletes = seen_keys,
        }
        if is_begun && !is_good {
            // They belong to what was before, and must not be taken for the present if this run is cut.
            let of_before = [CURSOR, LOOKED, WHOLE].map(str::to_owned);
            kept.deletes.extend(of_before);
        }
        (kept, progress)
    }

    /// What is not told any more stays known: it may be told again.
    fn learn(&mut self, facts: Facts) {
        let mut known = self.facts.clone();
        known.extend(facts);
        if known != self.facts {
            self.writes.push((FACTS.to_owned(), json(&known)));
            self.facts = known;
        }
    }

    /// Whether this run meets the record for the first time. From then on it has met it.
    pub fn meets(&mut self, id: &str) -> bool {
        let first = self.seen.insert(id.to_owned());
        if first {
            self.newly_seen.push(id.to_owned());
        }
        first
    }

    /// Takes note of when a record changed last.
    pub fn note_change(&mut self, id: &str, at: Instant) {
        self.latest = self.latest.max(Some(at));
        // Too old ones among them fall out at the end of the run.
        if self.latest.is_some_and(|latest| at >= latest - OVERLAP) {
            self.recent.insert(id.to_owned(), at);
        } else {
            self.recent.remove(id);
        }
    }

    /// How many records are known to have changed last in a window.
    pub fn known_changes(&self, window: &Window) -> u64 {
        self.recent.values().filter(|at| window.holds(**at)).count() as u64
    }

    /// Takes note that the record was placed then and is not final, or that it is.
    pub fn note_open(&mut self, id: &str, placed: Option<Instant>) {
        match placed {
            Some(placed) => {
                if self.open.insert(id.to_owned(), placed) != Some(placed) {
                    self.writes
                        .push((format!("{OPEN}{id}"), placed.to_string().into_bytes()));
                }
            }
            None => {
                if self.open.remove(id).is_some() {
                    self.deletes.push(format!("{OPEN}{id}"));
                }
            }
        }
    }

    /// Lists a record that could not be taken, and keeps it to be tried again.
    pub fn reject(
        &mut self,
        (id, label): (&str, &str),
        origin: Origin,
        placed: Option<Instant>,
        reason: Reason,
        tally: &mut Tally,
    ) {
        let subject = Subject::Origin(origin);
        self.failed.reject(id, subject, label, reason, tally);
        if let Some(placed) = placed {
            self.failed.date(id, placed);
        }
    }

    /// Takes note that the record was taken, or need not be.
    pub fn settle(&mut self, id: &str) {
        self.failed.settle(id);
    }

    /// Forgets a record that is gone at the counterpart, or that the settings do not mean any more.
    pub fn forget(&mut self, id: &str) {
        self.note_open(id, None);
        self.settle(id);
    }

    /// Records that are not final and that this run has not met. None without a cursor: all that is
    /// meant was read just now.
    pub fn open_unmet(&self) -> Again {
        let open = self.open.iter().filter(|_| self.cursor.is_some());
        open.filter(|(id, _)| !self.seen.contains(*id))
            .map(|(id, placed)| (id.clone(), Some(*placed)))
            .collect()
    }

    /// How many records are expected to be there.
    pub fn expected(&self) -> u64 {
        self.open.len().max(self.whole.len()) as u64
    }

    /// Takes note that the whole span was read: what this run has met by now is all there is in it.
    pub fn close_whole(&mut self) {
        self.missing = std::mem::take(&mut self.whole);
        self.missing.retain(|id| !self.seen.contains(id));
        self.whole = self.seen.iter().cloned().collect();
    }

    /// Keeps what is in the span, and what is missed there but for those that are `gone`.
    pub fn note_whole(&mut self, gone: &[String]) {
        let missing = std::mem::take(&mut self.missing).into_iter();
        let whole = &mut self.whole;
        whole.extend(missing.filter(|id| !gone.contains(id) && !self.seen.contains(id)));
        whole.sort_unstable();
        self.writes.push((WHOLE.to_owned(), json(whole)));
    }

    /// Takes note that closed records were looked at again.
    pub fn note_look(&mut self, at: Instant) {
        self.looked = Some(at);
        self.writes.push((LOOKED.to_owned(), json(&at)));
    }

    /// Records that could not be taken before: all of them when people asked for it, else so many of
    /// those that this run has not met.
    pub fn failed_due(&self, most: usize) -> Again {
        let due = self.failed.due(most, 0).into_iter();
        due.filter(|id| !id.starts_with(PLACE))
            .filter(|id| self.failed.is_of_all() || !self.seen.contains(id))
            .map(|id| {
                let placed = self.failed.dated(&id);
                (id, placed)
            })
            .collect()
    }

    /// Whether a record waits that can only be found by reading everything, and people asked for all.
    pub fn needs_whole(&self) -> bool {
        self.failed.is_of_all() && self.failed.ids().any(|id| id.starts_with(PLACE))
    }

    /// Settles those that are known by their neighbours alone, except for these.
    pub fn settle_places(&mut self, except: &[String]) {
        let places = self.failed.ids().filter(|id| id.starts_with(PLACE));
        let settled: Vec<String> = places
            .filter(|id| !except.iter().any(|one| one == *id))
            .map(str::to_owned)
            .collect();
        for id in settled {
            self.failed.settle(&id);
        }
    }

    /// At the end of a run that people asked for, names the records again that were not tried by now.
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
            let ids = std::mem::take(&mut self.newly_seen).join("\n");
            self.writes.push((entry, ids.into_bytes()));
        }
        self.writes.push((PROGRESS.to_owned(), json(progress)));
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
        match cursor {
            Some(cursor) => {
                self.recent.retain(|_, at| *at >= cursor.changed - OVERLAP);
                let mut recent: Vec<_> = self.recent.drain().collect();
                recent.sort_unstable();
                self.writes
                    .push((CURSOR.to_owned(), json(&End { cursor, recent })));
            }
            // It belongs to other facts.
            None => self.deletes.push(CURSOR.to_owned()),
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Fault> {
        if !self.deletes.is_empty() {
            storage::delete(&std::mem::take(&mut self.deletes));
        }
        self.failed.save()?;
        set(&std::mem::take(&mut self.writes))
    }
}

/// Names of the facts that are others than before. One that was not known before is no change, unless
/// nothing at all was.
fn changed(before: &Facts, now: &Facts) -> Vec<String> {
    if before.is_empty() {
        return now.keys().cloned().collect();
    }
    let differs =
        |(name, value): &(&String, &String)| before.get(*name).is_some_and(|known| known != *value);
    let changed = now.iter().filter(differs);
    changed.map(|(name, _)| name.clone()).collect()
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn read<T: DeserializeOwned>(stored: Option<Vec<u8>>) -> Option<T> {
    serde_json::from_slice(&stored?).ok()
}

#[cfg(test)]
mod tests {
    use super::{Facts, changed};

    fn facts(facts: &[(&str, &str)]) -> Facts {
        let facts = facts.iter();
        facts
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn what_is_another_than_before_counts_and_what_comes_or_goes_does_not() {
        let before = facts(&[("settings", "a"), ("source 1", "UAH"), ("source 2", "")]);
        for (now, expected) in [
            (&[("settings", "a"), ("source 3", "USD")][..], &[][..]),
            (&[("settings", "b")], &["settings"]),
            (
                &[("settings", "a"), ("source 2", "USD"), ("source 1", "EUR")],
                &["source 1", "source 2"],
            ),
        ] {
            assert_eq!(changed(&before, &facts(now)), expected);
        }
        let nothing = Facts::new();
        assert_eq!(
            changed(&nothing, &facts(&[("settings", "a")])),
            ["settings"]
        );
    }
}
