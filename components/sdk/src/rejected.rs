//! Records that could not be taken, kept until they are.
//!
//! A job that reads what changed since its last look meets a record once, and what keeps the record
//! back is often mended elsewhere: nobody will tell of it again. So its id is kept in storage.
//!
//! A scheduled run tries some of them again, those first that have waited longest: however many
//! cannot be taken, none keeps another from its try. A run that people asked for tries all. The host
//! lists a record until it was taken or the job says that nothing is wanted of it any more, so a job
//! that keeps one no longer says so.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::import::Tally;
use crate::model::{Cause, Fault, Instant, Outcome, Reason, Rejection, Subject};
use crate::runtime::{run, storage};
use crate::{state, time};

/// Which rejected records a call of a job is to try again.
#[derive(Debug)]
pub struct Retry {
    key: String,
    now: Instant,
    since: Option<Instant>,
    is_kept: bool,
}

impl Retry {
    /// For a call of a job. One that goes on with a run that people asked for leaves alone what the
    /// calls before it have tried.
    pub fn of(job: &str, argument: Option<&str>, cause: &Cause) -> Retry {
        let key = format!("asked/{job}");
        let now = time::now();
        let begun: Option<Instant> = state::load(&key);
        let is_of_all = argument.is_none() && matches!(cause, Cause::Asked);
        Retry {
            key,
            now,
            since: is_of_all.then(|| begun.filter(|at| *at <= now).unwrap_or(now)),
            // What is asked for with an argument is apart from all that.
            is_kept: begun.is_some() && argument.is_none(),
        }
    }

    /// Whether people asked for the whole job, and so for all that it rejected.
    pub fn is_of_all(&self) -> bool {
        self.since.is_some()
    }

    /// When the run began that people asked for; none for any other run.
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// When this call began.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Ends the call, and passes its outcome on.
    ///
    /// # Errors
    /// `configuration` when storage is full.
    pub fn end(&self, outcome: Outcome) -> Result<Outcome, Fault> {
        match (self.since, outcome) {
            (Some(since), Outcome::Suspended) => state::save(&self.key, &since)?,
            _ if self.is_kept => state::forget(&self.key),
            _ => {}
        }
        Ok(outcome)
    }
}

/// The rejected records of one kind that a job, or several, keep.
#[derive(Debug)]
pub struct Rejected {
    kind: String,
    prefix: String,
    most: usize,
    now: Instant,
    since: Option<Instant>,
    waiting: BTreeMap<String, Waiting>,
    changed: BTreeSet<String>,
    /// What the host is to be told with the next write.
    settled: Vec<Subject>,
}

/// A record that waits for its next try.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Waiting {
    /// When the call began that tried it last.
    tried: Instant,
    /// A time by which the counterpart can be asked for it.
    dated: Option<Instant>,
    /// What was rejected of it.
    listed: Vec<Listed>,
}

/// What was rejected of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Listed {
    subject: Subject,
    label: String,
    reason: Reason,
}

impl Rejected {
    /// Reads what is kept below a prefix.
    pub fn load(kind: &str, prefix: &str, retry: &Retry) -> Rejected {
        let mut waiting = BTreeMap::new();
        state::each(prefix, |id, stored| {
            waiting.insert(
                id.to_owned(),
                serde_json::from_slice(stored).unwrap_or_default(),
            );
        });
        Rejected {
            kind: kind.to_owned(),
            prefix: prefix.to_owned(),
            most: usize::MAX,
            now: retry.now,
            since: retry.since,
            waiting,
            changed: BTreeSet::new(),
            settled: Vec::new(),
        }
    }

    /// The same, keeping no more than so many: for a job beside one that reads everything anyway.
    pub fn at_most(mut self, most: usize) -> Rejected {
        self.most = most;
        self
    }

    /// Whether all are tried again, because people asked for it.
    pub fn is_of_all(&self) -> bool {
        self.since.is_some()
    }

    /// The ids to try again now, those first that have waited longest: so many of those whose last
    /// try is longer ago than `pause`, or all, when people asked for it.
    pub fn due(&self, most: usize, pause: Instant) -> Vec<String> {
        let before = self.since.unwrap_or(self.now - pause);
        let mut due: Vec<(Instant, &String)> = self
            .waiting
            .iter()
            // A clock that was set back must not keep records waiting.
            .map(|(id, one)| (if one.tried > self.now { 0 } else { one.tried }, id))
            .filter(|(tried, _)| *tried < before)
            .collect();
        due.sort_unstable();
        if self.since.is_none() {
            due.truncate(most);
        }
        due.into_iter().map(|(_, id)| id.clone()).collect()
    }

    /// Lists a record that could not be taken, and keeps it by this id. Several subjects may be
    /// rejected of one record, such as its pictures.
    pub fn reject(
        &mut self,
        id: &str,
        subject: Subject,
        label: &str,
        reason: Reason,
        tally: &mut Tally,
    ) {
        tally.reject(&self.kind, subject.clone(), label, reason.clone());
        // It was settled while it was tried.
        self.settled.retain(|settled| *settled != subject);
        if let Some(waiting) = self.keep(id) {
            waiting.listed.retain(|known| known.subject != subject);
            waiting.listed.push(Listed {
                subject,
                label: label.to_owned(),
                reason,
            });
        }
    }

    /// Keeps a record to be looked at again although nothing is wrong with it.
    pub fn wait(&mut self, id: &str) {
        self.keep(id);
    }

    fn keep(&mut self, id: &str) -> Option<&mut Waiting> {
        if self.waiting.len() >= self.most && !self.waiting.contains_key(id) {
            return None;
        }
        self.changed.insert(id.to_owned());
        let waiting = self.waiting.entry(id.to_owned()).or_default();
        // What an earlier call has said of it is out of date.
        if waiting.tried != self.now {
            waiting.tried = self.now;
            waiting.listed.clear();
        }
        Some(waiting)
    }

    /// The ids of all that are kept.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.waiting.keys().map(String::as_str)
    }

    /// Takes note of a time by which the counterpart can be asked for a record that is kept.
    pub fn date(&mut self, id: &str, at: Instant) {
        if let Some(waiting) = self.waiting.get_mut(id) {
            waiting.dated = Some(at);
            self.changed.insert(id.to_owned());
        }
    }

    /// The time by which the counterpart can be asked for a record.
    pub fn dated(&self, id: &str) -> Option<Instant> {
        self.waiting.get(id)?.dated
    }

    /// Keeps a record no longer: it was taken, or is gone.
    pub fn settle(&mut self, id: &str) {
        if let Some(waiting) = self.waiting.remove(id) {
            self.changed.insert(id.to_owned());
            self.settled
                .extend(waiting.listed.into_iter().map(|one| one.subject));
        }
    }

    /// At the end of a run that people asked for, names those again that this call has not tried:
    /// calls before it have, or those of a run that was given up. So its report names all of them.
    pub fn name_untried(&self) {
        for one in self.untried() {
            run::reject(&[Rejection {
                record_kind: self.kind.clone(),
                subject: one.subject.clone(),
                label: one.label.clone(),
                reason: one.reason.clone(),
            }]);
        }
    }

    fn untried(&self) -> impl Iterator<Item = &Listed> {
        let waiting = self.waiting.values();
        waiting
            .filter(|one| self.since.is_some() && one.tried != self.now)
            .flat_map(|one| &one.listed)
    }

    /// Writes what has changed, and tells the host what is settled.
    ///
    /// # Errors
    /// `configuration` when storage is full.
    pub fn save(&mut self) -> Result<(), Fault> {
        let settled = std::mem::take(&mut self.settled);
        if !settled.is_empty() {
            run::settle(&self.kind, &settled);
        }
        let mut writes = Vec::new();
        let mut deletes = Vec::new();
        for id in std::mem::take(&mut self.changed) {
            let key = format!("{}{id}", self.prefix);
            match self.waiting.get(&id) {
                Some(waiting) => {
                    writes.push((key, serde_json::to_vec(waiting).unwrap_or_default()));
                }
                None => deletes.push(key),
            }
        }
        if !deletes.is_empty() {
            storage::delete(&deletes);
        }
        state::set(&writes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{Listed, Rejected, Waiting};
    use crate::model::{Instant, Reason, Subject};

    const NOW: Instant = 1_000;

    /// Records that were tried at these times, in a call that began at [`NOW`].
    fn kept(since: Option<Instant>, tried: &[(&str, Instant)]) -> Rejected {
        let waiting = tried.iter().map(|(id, tried)| {
            let waiting = Waiting {
                tried: *tried,
                dated: None,
                listed: vec![Listed {
                    subject: Subject::Origin((*id).to_owned()),
                    label: (*id).to_owned(),
                    reason: Reason::new("order.no-partner"),
                }],
            };
            ((*id).to_owned(), waiting)
        });
        Rejected {
            kind: "order".to_owned(),
            prefix: "failed/".to_owned(),
            most: usize::MAX,
            now: NOW,
            since,
            waiting: waiting.collect::<BTreeMap<_, _>>(),
            changed: BTreeSet::new(),
            settled: Vec::new(),
        }
    }

    #[test]
    fn a_scheduled_run_tries_those_first_that_have_waited_longest() {
        let mut rejected = kept(None, &[("a", 30), ("b", 10), ("c", 20)]);
        assert_eq!(rejected.due(2, 0), ["b", "c"]);
        // They fail again; the next ones have their turn.
        rejected.wait("b");
        rejected.wait("c");
        assert_eq!(rejected.due(2, 0), ["a"]);
        assert!(rejected.due(0, 0).is_empty());
    }

    #[test]
    fn a_scheduled_run_leaves_alone_what_was_tried_lately() {
        let rejected = kept(None, &[("late", NOW - 10), ("long ago", NOW - 100)]);
        assert_eq!(rejected.due(9, 50), ["long ago"]);
    }

    #[test]
    fn a_run_that_people_asked_for_tries_all_once_however_it_is_cut() {
        let mut rejected = kept(Some(500), &[("a", 499), ("b", 500), ("c", 7), ("d", 999)]);
        assert_eq!(rejected.due(1, 50), ["c", "a"]);
        rejected.wait("c");
        rejected.settle("a");
        assert!(rejected.due(1, 50).is_empty());
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_no_record_waiting() {
        assert_eq!(kept(None, &[("a", NOW + 1)]).due(1, 0), ["a"]);
        assert_eq!(kept(Some(500), &[("a", NOW + 1)]).due(1, 0), ["a"]);
    }

    #[test]
    fn what_calls_before_have_tried_is_named_again_when_people_asked() {
        let tried = [("a", 600), ("b", NOW)];
        let named = |rejected: &Rejected| -> Vec<String> {
            rejected.untried().map(|one| one.label.clone()).collect()
        };
        assert_eq!(named(&kept(Some(500), &tried)), ["a"]);
        assert!(named(&kept(None, &tried)).is_empty());
    }

    #[test]
    fn no_more_are_kept_than_there_may_be() {
        let mut rejected = kept(None, &[("a", 1), ("b", 2)]).at_most(2);
        rejected.wait("c");
        rejected.wait("b");
        assert_eq!(rejected.due(9, 0), ["a"]);
        rejected.settle("a");
        rejected.wait("c");
        assert_eq!(rejected.waiting.len(), 2);
    }
}
