//! What a run has written, as the host saw it.
//!
//! The threat: a connector that counts wrongly or not at all, so that a run which wrote a thousand
//! records says that it did nothing. The host sees every save to the platform with what it did, and
//! hears of every record at the counterpart; all of that is in the report by side and kind. A connector
//! counts in its own way, mostly the records that its job is about and not those that they need. So
//! its counts stand beside that, unless it counted nothing, or more than was written at all.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use crate::model::Effect;
use crate::observe::{Change, Progress, Side};
use crate::reason::Reason;
use crate::report::{RunReport, Subject, WrittenRecords};

/// Most records that are known by name, so that each is counted once.
const KNOWN: usize = 100_000;

/// Most kinds of records that are told apart; of any more, records are counted as [`OTHER`].
const KINDS: usize = 100;

/// Stands for all kinds beyond that.
const OTHER: &str = "other";

/// How many records of each kind were written on each side.
type Counts = BTreeMap<(Side, String), Effects>;

/// What became of the records of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Effects {
    created: u64,
    updated: u64,
    removed: u64,
    unchanged: u64,
    /// How often one of them was written, which may be several times.
    writes: u64,
}

impl Effects {
    /// New ones, and those that are other than before.
    fn pair(self) -> (u64, u64) {
        (self.created, self.updated + self.removed)
    }
}

/// What one run has written so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What lasts.
    done: Counts,
    /// What lasts from the next commit on.
    pending: Counts,
    known: HashSet<u64>,
    told: Option<Told>,
    /// What the connector says at the checkpoint that is being made.
    telling: Option<Progress>,
}

/// What the connector said at its last checkpoint.
#[derive(Clone, Debug)]
struct Told {
    progress: Progress,
    /// What was seen by then.
    seen: Counts,
}

impl Told {
    /// Whether the connector counted anything, or there was nothing to count.
    fn says_something(&self) -> bool {
        let told = &self.progress;
        told.created + told.updated + told.unchanged + told.failed > 0 || writes(&self.seen) == 0
    }
}

impl Seen {
    /// A record of the platform was saved; `name` tells it from all others of its kind.
    pub fn saved(&mut self, kind: &str, name: &[&str], effect: Effect) {
        let side = Side::Platform;
        let is_new = effect == Effect::Unchanged || self.is_new(side, kind, name);
        let effects = slot(&mut self.pending, side, kind);
        effects.writes += u64::from(effect != Effect::Unchanged);
        match effect {
            _ if !is_new => {}
            Effect::Created => effects.created += 1,
            Effect::Updated => effects.updated += 1,
            Effect::Unchanged => effects.unchanged += 1,
        }
    }

    /// A record was written at the counterpart, where it is whatever becomes of the run.
    pub fn wrote(&mut self, kind: &str, origin: &str, change: Change) {
        let side = Side::Counterpart;
        // A preview has no name yet for what it would make.
        let is_new = origin.is_empty()
            || match change {
                Change::Removed => self.is_new(side, kind, &[origin, "removed"]),
                Change::Created | Change::Updated => self.is_new(side, kind, &[origin]),
            };
        let effects = slot(&mut self.done, side, kind);
        effects.writes += 1;
        match change {
            _ if !is_new => {}
            Change::Created => effects.created += 1,
            Change::Updated => effects.updated += 1,
            Change::Removed => effects.removed += 1,
        }
    }

    /// A record could not be taken. Tells whether it is the first time in this run.
    pub fn rejected(&mut self, kind: &str, subject: &Subject) -> bool {
        match subject {
            Subject::Key(key) => self.is_new(Side::Platform, kind, &[key, "rejected"]),
            Subject::Origin(origin) => self.is_new(Side::Counterpart, kind, &[origin, "rejected"]),
        }
    }

    /// Whether a record is met for the first time.
    fn is_new(&mut self, side: Side, kind: &str, name: &[&str]) -> bool {
        if self.known.len() >= KNOWN {
            return true;
        }
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        self.known.insert(hasher.hash_one((side, kind, name)))
    }

    /// The connector says how far it is. That counts from the next commit on.
    pub fn tell(&mut self, progress: Progress) {
        self.telling = Some(progress);
    }

    /// All that was written and told lasts.
    pub fn commit(&mut self) {
        self.told = self.last_word();
        self.telling = None;
        self.done = self.all();
        self.pending.clear();
    }

    /// What was written and told since the last commit is undone.
    pub fn roll_back(&mut self) {
        self.pending.clear();
        self.telling = None;
    }

    fn last_word(&self) -> Option<Told> {
        let telling = self.telling.map(|progress| Told {
            progress,
            seen: self.all(),
        });
        telling.or_else(|| self.told.clone())
    }

    fn all(&self) -> Counts {
        let mut all = self.done.clone();
        for ((side, kind), more) in &self.pending {
            let effects = slot(&mut all, *side, kind);
            effects.created += more.created;
            effects.updated += more.updated;
            effects.removed += more.removed;
            effects.unchanged += more.unchanged;
            effects.writes += more.writes;
        }
        all
    }

    /// Writes down what was written. Answers what is wrong with the connector's own counts.
    pub fn count(&self, report: &mut RunReport) -> Option<Reason> {
        let all = self.all();
        let (created, updated) = sum(&all);
        report.written = all
            .iter()
            .filter(|(_, effects)| effects.pair() != (0, 0))
            .map(|((side, kind), effects)| WrittenRecords {
                side: *side,
                kind: kind.clone(),
                created: effects.created,
                updated: effects.updated,
                removed: effects.removed,
            })
            .collect();
        let last_word = self.last_word().filter(Told::says_something);
        let Some(Told { progress, seen }) = last_word else {
            report.created = created;
            report.updated = updated;
            report.unchanged = all.values().map(|effects| effects.unchanged).sum();
            let reason = Reason::new("host.not-counted")
                .arg("created", created)
                .arg("updated", updated);
            return ((created, updated) != (0, 0)).then_some(reason);
        };
        report.unchanged = progress.unchanged;
        if report.mode.writes() && progress.created + progress.updated > writes(&seen) {
            report.created = created;
            report.updated = updated;
            let reason = Reason::new("host.counted-otherwise")
                .arg("created", created)
                .arg("updated", updated)
                .arg("told-created", progress.created)
                .arg("told-updated", progress.updated);
            return Some(reason);
        }
        // What came after the connector's last word.
        let by_then = sum(&seen);
        report.created = progress.created + created.saturating_sub(by_then.0);
        report.updated = progress.updated + updated.saturating_sub(by_then.1);
        None
    }
}

/// The counts of a kind.
fn slot<'a>(counts: &'a mut Counts, side: Side, kind: &str) -> &'a mut Effects {
    let name = (side, kind.to_owned());
    if counts.len() >= KINDS && !counts.contains_key(&name) {
        return counts.entry((side, OTHER.to_owned())).or_default();
    }
    counts.entry(name).or_default()
}

fn sum(counts: &Counts) -> (u64, u64) {
    counts.values().fold((0, 0), |(created, updated), effects| {
        let (more_created, more_updated) = effects.pair();
        (created + more_created, updated + more_updated)
    })
}

/// How often records were written.
fn writes(counts: &Counts) -> u64 {
    counts.values().map(|effects| effects.writes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;
    use crate::request::Mode;

    fn told(created: u64, updated: u64, unchanged: u64) -> Progress {
        Progress {
            created,
            updated,
            unchanged,
            ..Progress::default()
        }
    }

    /// The counts of a report, and the code of what is wrong with the connector's own.
    fn counted(seen: &Seen) -> ((u64, u64, u64), Option<String>) {
        let mut report = report();
        let wrong = seen.count(&mut report);
        let counts = (report.created, report.updated, report.unchanged);
        (counts, wrong.map(|reason| reason.code))
    }

    /// A run that saved two new orders with their buyer.
    fn orders() -> Seen {
        let mut seen = Seen::default();
        seen.saved("partner", &["p"], Effect::Created);
        seen.saved("order", &["1"], Effect::Created);
        seen.saved("order", &["2"], Effect::Created);
        seen
    }

    fn code(code: &str) -> Option<String> {
        Some(code.to_owned())
    }

    #[test]
    fn what_was_written_is_counted_although_the_connector_says_nothing() {
        let mut seen = orders();
        seen.saved("order", &["3"], Effect::Unchanged);
        assert_eq!(((3, 0, 1), code("host.not-counted")), counted(&seen));
        assert_eq!(((0, 0, 0), None), counted(&Seen::default()));
    }

    #[test]
    fn counts_of_the_kinds_that_a_job_is_about_stand() {
        for (created, unchanged) in [(2, 0), (3, 7), (1, 0), (0, 5)] {
            let mut seen = orders();
            seen.tell(told(created, 0, unchanged));
            assert_eq!(((created, 0, unchanged), None), counted(&seen));
        }
    }

    #[test]
    fn counts_of_more_than_was_written_give_way_to_what_was_seen() {
        for (created, updated) in [(4, 0), (2, 2)] {
            let mut seen = orders();
            seen.tell(told(created, updated, 0));
            assert_eq!(((3, 0, 0), code("host.counted-otherwise")), counted(&seen));
        }
    }

    #[test]
    fn a_word_that_counts_nothing_although_something_was_written_is_none() {
        let mut seen = orders();
        seen.tell(told(0, 0, 0));
        assert_eq!(((3, 0, 0), code("host.not-counted")), counted(&seen));
    }

    #[test]
    fn a_preview_may_count_what_it_would_write() {
        let mut seen = orders();
        seen.tell(told(9, 0, 0));
        let mut report = report();
        report.mode = Mode::Preview;
        assert_eq!(None, seen.count(&mut report));
        assert_eq!(9, report.created);
    }

    #[test]
    fn what_comes_after_the_last_word_is_added() {
        let mut seen = orders();
        seen.tell(told(2, 0, 4));
        seen.commit();
        seen.saved("order", &["3"], Effect::Created);
        seen.wrote("customerorder", "c1", Change::Removed);
        assert_eq!(((3, 1, 4), None), counted(&seen));
    }

    #[test]
    fn what_is_undone_does_not_count_and_what_the_counterpart_has_does() {
        let mut seen = orders();
        seen.commit();
        seen.saved("order", &["3"], Effect::Created);
        seen.wrote("customerorder", "c1", Change::Created);
        seen.roll_back();
        assert_eq!((4, 0, 0), counted(&seen).0);
    }

    #[test]
    fn what_is_told_with_a_commit_that_fails_was_not_told() {
        let mut seen = orders();
        seen.tell(told(2, 0, 0));
        seen.roll_back();
        assert_eq!(((0, 0, 0), None), counted(&seen));
    }

    #[test]
    fn a_record_that_is_written_twice_counts_once() {
        let mut seen = orders();
        seen.saved("order", &["1"], Effect::Updated);
        seen.wrote("customerorder", "c1", Change::Updated);
        seen.wrote("customerorder", "c1", Change::Updated);
        seen.tell(told(2, 1, 0));
        assert_eq!(((2, 1, 0), None), counted(&seen));
    }

    #[test]
    fn kinds_that_a_connector_makes_up_do_not_fill_the_report() {
        let mut seen = Seen::default();
        for number in 0..1_000 {
            seen.wrote(&format!("kind-{number}"), "1", Change::Created);
        }
        let mut report = report();
        seen.count(&mut report);
        assert_eq!(KINDS + 1, report.written.len());
        assert_eq!(1_000, report.created);
    }
}
