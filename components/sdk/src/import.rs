//! The steps that every importing job is composed of, in the order they come in.
//!
//! A job reads a page of the counterpart's records, then
//! 1. asks which of them are known: [`bound`];
//! 2. drops those whose [`fingerprint`] is that of the last agreed state;
//! 3. tries its rules on the unknown ones, one after the other: [`match_by`];
//! 4. saves in batches, judging each answer by [`verdict`]; records that might turn out to be one
//!    and the same are saved in rounds: [`split_rivals`];
//! 5. binds what it saved, and commits all of it with [`Tally::checkpoint`].
//!
//! Requests to the counterpart come first and writes afterwards, so that the write transaction,
//! which begins with the first write, stays short.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

use siphasher::sip128::SipHasher13;

use crate::model::{
    Binding, Directive, Effect, Fault, Key, Origin, Progress, Reason, Rejection, RunMode, Saved,
    Subject,
};
use crate::reason;
use crate::runtime::{bindings, run};
use crate::text::one_line;

/// Counts what a run did. Each call of a job counts its own part: of a job that was suspended,
/// the parts add up.
#[derive(Debug, Default)]
pub struct Tally(Progress);

impl Tally {
    /// A tally of a job of which `done` records were passed in earlier calls.
    pub fn after(done: u64) -> Self {
        Tally(Progress {
            done,
            ..Progress::default()
        })
    }

    /// Sets how many records there are in all.
    pub fn expect(&mut self, total: u64) {
        self.0.total = Some(total);
    }

    /// How many records were passed.
    pub fn done(&self) -> u64 {
        self.0.done
    }

    /// Counts a record that was read and is not meant for the ERP.
    pub fn passed(&mut self) {
        self.0.done += 1;
    }

    /// Counts a record by what saving it did.
    pub fn count(&mut self, effect: Effect) {
        self.0.done += 1;
        match effect {
            Effect::Created => self.0.created += 1,
            Effect::Updated => self.0.updated += 1,
            Effect::Unchanged => self.0.unchanged += 1,
        }
    }

    /// Counts and lists a record that could not be taken: one of the counterpart by its origin, as
    /// it is bound by, one of the platform by its key. `label` is what people know it by.
    pub fn reject(&mut self, kind: &str, subject: Subject, label: &str, reason: Reason) {
        self.0.done += 1;
        self.0.failed += 1;
        run::reject(&[Rejection {
            record_kind: kind.to_owned(),
            subject,
            label: one_line(label),
            reason,
        }]);
    }

    /// Commits all that was written since the last checkpoint, as one.
    pub fn checkpoint(&self) -> Directive {
        run::checkpoint(self.0)
    }
}

/// What is known about the given counterpart records, by origin. In a comparison without
/// fingerprints: what was agreed once is looked at again.
pub fn bound(kind: &str, origins: &[Origin]) -> HashMap<Origin, Binding> {
    if origins.is_empty() {
        return HashMap::new();
    }
    let compares = run::mode() == RunMode::Compare;
    bindings::by_origin(kind, origins)
        .into_iter()
        .flatten()
        .map(|mut binding| {
            if compares {
                binding.fingerprint = None;
            }
            (binding.origin.clone(), binding)
        })
        .collect()
}

/// What is known about the given counterpart records, by origin, where the platform still has what they
/// are paired with: `find` looks the keys up. What was removed there, or merged into another, is as
/// good as unknown, and its pair is replaced once the rules have found or made another.
///
/// # Errors
/// The fault of the look-up as a whole.
pub fn bound_and_there<R>(
    kind: &str,
    origins: &[Origin],
    find: impl FnOnce(&[Key]) -> Result<Vec<Option<R>>, Fault>,
) -> Result<HashMap<Origin, Binding>, Fault> {
    let mut known = bound(kind, origins);
    if known.is_empty() {
        return Ok(known);
    }
    let mut keys: Vec<Key> = known.values().map(|one| one.key.clone()).collect();
    keys.sort_unstable();
    keys.dedup();
    let found = find(&keys)?;
    let gone: HashSet<Key> = keys
        .into_iter()
        .zip(found)
        .filter(|(_, found)| found.is_none())
        .map(|(key, _)| key)
        .collect();
    known.retain(|_, one| !gone.contains(&one.key));
    Ok(known)
}

/// Bindings in one call.
const BINDINGS: usize = 5_000;

/// What is known about the given records of the platform, by key, however many there are.
pub fn by_key(kind: &str, keys: Vec<Key>) -> HashMap<Key, Binding> {
    let mut known = HashMap::new();
    for some in keys.chunks(BINDINGS) {
        let found = bindings::by_key(kind, some).into_iter().flatten();
        known.extend(found.map(|binding| (binding.key.clone(), binding)));
    }
    known
}

/// Binds pairs, however many there are.
pub fn bind_all(pairs: &[Binding]) {
    pairs.chunks(BINDINGS).for_each(bindings::bind);
}

/// Each key once.
pub fn unique(keys: impl Iterator<Item = Key>) -> Vec<Key> {
    let keys: HashSet<Key> = keys.collect();
    keys.into_iter().collect()
}

/// A pair without a fingerprint.
pub fn pair(kind: &str, key: &str, origin: &str) -> Binding {
    Binding {
        kind: kind.to_owned(),
        key: key.to_owned(),
        origin: origin.to_owned(),
        fingerprint: None,
    }
}

/// Looks all records up by one rule, in one call. For each record that has a match, `matched` gets
/// it with the first one found that fits; the others are returned, for the next rule.
///
/// # Errors
/// The fault of the look-up as a whole.
pub fn match_by<T, L, R>(
    records: Vec<T>,
    lookups: impl Fn(&T) -> Vec<L>,
    find: impl FnOnce(&[L]) -> Result<Vec<Option<R>>, Fault>,
    fits: impl Fn(&T, &R) -> bool,
    mut matched: impl FnMut(T, R),
) -> Result<Vec<T>, Fault> {
    let mut all = Vec::new();
    let mut asked = Vec::with_capacity(records.len());
    for record in &records {
        let own = lookups(record);
        asked.push(own.len());
        all.extend(own);
    }
    if all.is_empty() {
        return Ok(records);
    }
    let mut found = find(&all)?.into_iter();
    let mut open = Vec::new();
    for (record, count) in records.into_iter().zip(asked) {
        // All of the record's answers are consumed, even behind the first match.
        let hits: Vec<Option<R>> = found.by_ref().take(count).collect();
        match hits.into_iter().flatten().find(|hit| fits(&record, hit)) {
            Some(hit) => matched(record, hit),
            None => open.push(record),
        }
    }
    Ok(open)
}

/// Takes whatever a rule of [`match_by`] finds.
pub fn always<T, R>(_: &T, _: &R) -> bool {
    true
}

/// Splits records that are to be made into those that can be made at once and those that share
/// an identifying key with an earlier one: they are looked up again once that one is saved, so
/// that two records of one page never become twins.
pub fn split_rivals<T, K: Hash + Eq>(
    records: Vec<T>,
    keys: impl Fn(&T) -> Vec<K>,
) -> (Vec<T>, Vec<T>) {
    let mut claimed = HashSet::new();
    records.into_iter().partition(|record| {
        let own = keys(record);
        let free = own.iter().all(|key| !claimed.contains(key));
        if free {
            claimed.extend(own);
        }
        free
    })
}

/// What became of one record that was given to a save.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It stands in the ERP.
    Saved(Saved),
    /// Somebody else changed it meanwhile.
    Changed,
    /// It cannot be taken, for this reason.
    Refused(Reason),
}

/// Tells a fault of one record from one that no record would survive.
///
/// # Errors
/// A `transient` or `configuration` fault: it is the run's, not the record's.
pub fn verdict(outcome: Result<Saved, Fault>) -> Result<Verdict, Fault> {
    match outcome {
        Ok(saved) => Ok(Verdict::Saved(saved)),
        Err(Fault::Rejected(reason) | Fault::Unsupported(reason)) => Ok(Verdict::Refused(reason)),
        Err(Fault::Conflict(_)) => Ok(Verdict::Changed),
        Err(fault @ (Fault::Transient(_) | Fault::Configuration(_))) => Err(fault),
    }
}

/// What saving a record did where no concurrent edit is possible.
///
/// # Errors
/// A fault of the run; the inner error is the reason why this record cannot be taken.
pub fn saved(outcome: Result<Saved, Fault>) -> Result<Result<Saved, Reason>, Fault> {
    Ok(match verdict(outcome)? {
        Verdict::Saved(saved) => Ok(saved),
        Verdict::Refused(reason) => Err(reason),
        Verdict::Changed => Err(reason!("sdk.changed-meanwhile")),
    })
}

/// A digest of what was read: equal content, equal digest, on every machine and in every release.
/// `version` is that of the mapping; a new mapping makes all records changed.
pub fn fingerprint(version: u8, content: &impl Hash) -> Vec<u8> {
    let mut bytes = Stable(Vec::with_capacity(4096));
    content.hash(&mut bytes);
    let mut print = Vec::with_capacity(17);
    print.push(version);
    print.extend_from_slice(&SipHasher13::new().hash(&bytes.0).as_bytes());
    print
}

/// Gathers content to be digested in one go, as the same bytes wherever it runs: lengths are 64
/// bits wide on wasm too.
struct Stable(Vec<u8>);

impl Hasher for Stable {
    fn finish(&self) -> u64 {
        SipHasher13::new().hash(&self.0).as_u64().0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn write_u8(&mut self, value: u8) {
        self.0.push(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_i64(value as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, fingerprint, match_by, split_rivals, verdict};
    use crate::model::Fault;
    use crate::reason;

    #[test]
    fn a_fingerprint_depends_on_content_and_version_alone() {
        let order = ("keycrm", 7_i64, vec![Some("A"), None]);
        assert_eq!(fingerprint(1, &order), fingerprint(1, &order.clone()));
        assert_ne!(fingerprint(1, &order), fingerprint(2, &order));
        assert_ne!(
            fingerprint(1, &order),
            fingerprint(1, &("keycrm", 7_i64, vec![Some("A")]))
        );
    }

    #[test]
    fn a_fingerprint_is_the_same_in_every_release() {
        let print = fingerprint(1, &("order", 7_i64, vec![Some("A"), None]));
        assert_eq!(hex::encode(print), "011159d5086e4f0cbf78e515c15d11bfe0");
    }

    #[test]
    fn the_first_hit_of_a_record_that_fits_counts_and_no_answer_goes_to_another() {
        let phones = vec![vec!["x", "b"], vec!["c", "y"], vec![], vec!["z"]];
        let mut hits = Vec::new();
        let open = match_by(
            phones,
            |own| own.clone(),
            |all| {
                assert_eq!(all, ["x", "b", "c", "y", "z"]);
                let known = ["b", "c", "y"];
                Ok(all
                    .iter()
                    .map(|phone| known.contains(phone).then_some(*phone))
                    .collect())
            },
            |record, hit| (record[0], *hit) != ("c", "c"),
            |record, hit| hits.push((record[0], hit)),
        );
        assert_eq!(open, Ok(vec![vec![], vec!["z"]]));
        assert_eq!(hits, [("x", "b"), ("c", "y")]);
    }

    #[test]
    fn of_two_records_that_share_a_key_the_later_waits() {
        let (now, later) = split_rivals(vec![("a", 1), ("b", 2), ("c", 1)], |(_, key)| vec![*key]);
        assert_eq!(now, [("a", 1), ("b", 2)]);
        assert_eq!(later, [("c", 1)]);
    }

    #[test]
    fn a_bad_record_is_its_own_problem_and_a_lost_database_is_not() {
        assert_eq!(
            verdict(Err(Fault::Rejected(reason!("sdk.number")))),
            Ok(Verdict::Refused(reason!("sdk.number")))
        );
        assert!(verdict(Err(Fault::Transient(reason!("sdk.number")))).is_err());
    }
}
