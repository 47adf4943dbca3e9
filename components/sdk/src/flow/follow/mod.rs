//! Following a list: of what changed since, whose rows move to its end when they change, or a short one
//! that is read as a whole each time. Each of its records becomes one of the platform.
//!
//! A run reads page by page, and after each page commits its records together with where to go on. So a
//! run that is stopped or dies at any moment is gone on with by the next, and nothing is lost or done
//! twice. What this flow promises:
//!
//! - of a list by changes no record is missed: each page begins where the last row of the one before had
//!   changed, so what moves is met further on. The counterpart takes that moment and later ones for
//!   "since", and sorts by it. What is deleted there such a list does not tell;
//! - of a whole list that shrinks while it is read, pages are read again as far as rows can have moved;
//! - a record that did not change since it was taken is not written again;
//! - one that cannot be read or taken keeps no other back, is listed, and is tried again;
//! - other settings, or a new [`Source::VERSION`], have all of it read again, and people are told;
//! - a record that people removed on the platform is not made again unless they ask for it.

mod list;
mod rows;
mod target;

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use serde::{Deserialize, Serialize};

pub use list::List;
pub use target::Target;

use rows::Row;

use super::needs::Needs;
use crate::declare::Declared;
use crate::http::Api;
use crate::import::{self, Tally, Verdict, bound, fingerprint};
use crate::model::{
    Binding, Directive, Effect, Fault, Instant, Key, Origin, Outcome, Reason, Subject,
};
use crate::origin::origin;
use crate::paging::{self, Facts, Step};
use crate::rejected::{Rejected, Retry};
use crate::runtime::{bindings, run, storage};
use crate::time::MINUTE;
use crate::{info, reason, state};

/// How far a run reaches back behind what the last one saw: a counterpart's clocks and transactions are
/// never quite in order.
const OVERLAP: Instant = 10 * MINUTE;

/// At most so many pages are read again in a scheduled run for records that could not be taken.
const RETRIES: usize = 5;

/// A list of the counterpart.
pub trait Source {
    /// A record of the list, made by [`#[record]`](macro@crate::record).
    type Row<'a>: Deserialize<'a> + Hash;

    /// What it becomes.
    type Record: Target;

    /// The connector whose list it is: at the API of its first endpoint.
    type Connector: Declared;

    /// Kind of the records, as people see it in lists, and as their origins have it.
    const KIND: &'static str;

    /// Version of the mapping; another one makes all records changed.
    const VERSION: u8 = 1;

    /// What the list is like.
    const LIST: List;

    /// The fields that the connector speaks for.
    fn owned(&self) -> <Self::Record as Target>::Fields;

    /// Whether a record is wanted that is not there yet. One that was loaded is followed in any case.
    fn wants(&self, _row: &Self::Row<'_>) -> bool {
        true
    }

    /// Says what a record points at.
    fn needs(&self, _row: &Self::Row<'_>, _needs: &mut Needs) {}

    /// What a record becomes, without its origin. Pure.
    ///
    /// # Errors
    /// The reason why it cannot be taken.
    fn map(&self, row: &Self::Row<'_>, needs: &Needs) -> Result<Self::Record, Reason>;
}

/// Where to go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cursor {
    /// Of the settings and the mapping that it was read by.
    seal: String,
    /// When the run under way began.
    started: Instant,
    /// Where its next page begins, and the number of that page.
    since: Option<Instant>,
    page: u64,
    total: Option<u64>,
    /// The latest change that was read.
    reached: Option<Instant>,
    /// Records passed by the run under way.
    done: u64,
    /// Whether a run is under way.
    is_under_way: bool,
}

/// Runs a job that follows a list, or goes on with it.
///
/// # Errors
/// The fault that keeps it from going on.
pub fn run<S: Source>(source: &S, retry: &Retry) -> Result<Outcome, Fault> {
    let seal = hex::encode(fingerprint(S::VERSION, &run::settings()));
    let key = format!("{}/cursor", S::KIND);
    let kept = kept(&key, &seal);
    let is_cut = kept.as_ref().is_some_and(|cursor| cursor.is_under_way);
    let cursor = match kept {
        Some(cursor) if cursor.is_under_way => cursor,
        kept => {
            let reached = kept.and_then(|cursor| cursor.reached);
            Cursor {
                seal,
                started: retry.now(),
                since: reached.map(|at| at - OVERLAP),
                page: 1,
                total: None,
                reached,
                done: 0,
                is_under_way: true,
            }
        }
    };
    let following = Following {
        source,
        api: S::Connector::api()?,
        key,
        rejected: Rejected::load(S::KIND, &format!("{}/failed/", S::KIND), retry),
        asks_again: retry.is_of_all(),
        met: HashSet::new(),
        needs: Needs::default(),
        tally: Tally::after(cursor.done),
        cursor,
    };
    following.go(is_cut)
}

/// Reads a whole list once more, for what it shows beside its records' own job. Rows that cannot be read
/// are left out: that job tells of them.
///
/// # Errors
/// The fault that an answer came to.
pub fn each<S: Source>(mut take: impl FnMut(S::Row<'_>)) -> Result<(), Fault> {
    let api = S::Connector::api()?;
    let (mut page, mut before) = (1, None);
    loop {
        let answer = S::LIST.page(&api, None, page)?;
        let (rows, total) = rows::read::<S::Row<'_>>(&answer, &S::LIST)?;
        let facts = facts(&S::LIST, page, rows.len() as u64, total);
        rows.into_iter()
            .filter_map(|row| row.record.ok())
            .for_each(&mut take);
        match paging::next(&facts, before) {
            Step::Read(next) => page = next,
            Step::End => return Ok(()),
        }
        before = total;
    }
}

fn facts(list: &List, page: u64, rows: u64, total: Option<u64>) -> Facts {
    Facts {
        page,
        asked: list.size,
        rows,
        total,
        ..Facts::default()
    }
}

/// Where the last run ended, while it went by the same settings. People are told when it did not.
fn kept(key: &str, seal: &str) -> Option<Cursor> {
    let stored = storage::get(&[key.to_owned()]).pop().flatten()?;
    match serde_json::from_slice::<Cursor>(&stored) {
        Ok(cursor) if cursor.seal == seal => Some(cursor),
        Ok(_) => {
            info!("sdk.pull.read-again");
            None
        }
        Err(_) => {
            info!("sdk.pull.other-shape");
            None
        }
    }
}

/// A record on its way to the platform.
struct Draft<R> {
    id: String,
    origin: Origin,
    changed: Option<Instant>,
    row: R,
    /// Whether this call meets it for the first time.
    is_new: bool,
}

struct Following<'s, S: Source> {
    source: &'s S,
    api: Api,
    key: String,
    cursor: Cursor,
    rejected: Rejected,
    /// Whether people asked for the whole job.
    asks_again: bool,
    /// Ids that this call has met.
    met: HashSet<String>,
    needs: Needs,
    tally: Tally,
}

impl<S: Source> Following<'_, S> {
    fn go(mut self, is_cut: bool) -> Result<Outcome, Fault> {
        loop {
            let answer = S::LIST.page(&self.api, self.cursor.since, self.cursor.page)?;
            let (rows, total) = rows::read(&answer, &S::LIST)?;
            let newest = rows.iter().filter_map(|row| row.changed).max();
            let count = rows.len() as u64;
            self.take(rows, None)?;
            let is_end = self.step(count, newest, total);
            if is_end {
                break;
            }
            if self.commit()? == Directive::Stop {
                return Ok(Outcome::Suspended);
            }
        }
        let is_by_change = S::LIST.changed.is_some();
        if is_by_change && self.try_again()? == Directive::Stop {
            return Ok(Outcome::Suspended);
        }
        if !is_by_change && !is_cut {
            self.forget_gone();
        }
        self.cursor.is_under_way = false;
        self.rejected.name_untried();
        // There is nothing left that a stop could cut.
        self.commit()?;
        Ok(Outcome::Done)
    }

    /// Goes on behind a page; says whether it was the last.
    fn step(&mut self, rows: u64, newest: Option<Instant>, total: Option<u64>) -> bool {
        let cursor = &mut self.cursor;
        if S::LIST.changed.is_some() {
            let is_end = rows < S::LIST.size;
            // Never behind the beginning of the run: one that is dated ahead must not blind later runs.
            let seen = newest.map(|at| at.min(cursor.started));
            cursor.reached = cursor.reached.max(seen);
            if newest > cursor.since {
                cursor.since = newest;
                cursor.page = 1;
            } else {
                // Very many changed at one moment.
                cursor.page += 1;
            }
            return is_end;
        }
        let facts = facts(&S::LIST, cursor.page, rows, total);
        let step = paging::next(&facts, cursor.total);
        cursor.total = total;
        if let Some(total) = total {
            self.tally.expect(total);
        }
        match step {
            Step::Read(next) => cursor.page = next,
            Step::End => return true,
        }
        false
    }

    fn commit(&mut self) -> Result<Directive, Fault> {
        self.needs.forget_much();
        self.cursor.done = self.tally.done();
        self.rejected.save()?;
        state::save(&self.key, &self.cursor)?;
        Ok(self.tally.checkpoint())
    }

    /// Reads records again that could not be taken: where each of them had changed, it still stands.
    fn try_again(&mut self) -> Result<Directive, Fault> {
        let mut due = self.rejected.due(usize::MAX, 0);
        due.retain(|id| !self.met.contains(id));
        let mut pages = 0;
        while let Some(first) = due.first().cloned() {
            if pages == RETRIES && !self.asks_again {
                break;
            }
            pages += 1;
            let since = self.rejected.dated(&first);
            let answer = S::LIST.page(&self.api, since, 1)?;
            let (rows, _) = rows::read(&answer, &S::LIST)?;
            // All that changed at that moment are on the page, unless it is full of them.
            let is_all = (rows.len() as u64) < S::LIST.size
                || rows.iter().any(|row: &Row<S::Row<'_>>| row.changed > since);
            self.take(rows, Some(&due))?;
            if !self.met.contains(&first) {
                if is_all {
                    // It changed, and was met as what it is now, or it is gone.
                    self.rejected.settle(&first);
                } else {
                    self.rejected.wait(&first);
                }
                self.met.insert(first);
            }
            due.retain(|id| !self.met.contains(id));
            if !due.is_empty() && self.commit()? == Directive::Stop {
                return Ok(Directive::Stop);
            }
        }
        Ok(Directive::Proceed)
    }

    /// Settles what could not be taken and is not in the list any more.
    fn forget_gone(&mut self) {
        let gone = self.rejected.due(usize::MAX, 0).into_iter();
        let gone: Vec<String> = gone.filter(|id| !self.met.contains(id)).collect();
        for id in gone {
            self.rejected.settle(&id);
        }
    }

    /// Takes the records of a page, or those of `only`.
    fn take(&mut self, rows: Vec<Row<S::Row<'_>>>, only: Option<&[String]>) -> Result<(), Fault> {
        let mut page: HashMap<String, usize> = HashMap::new();
        let mut read = Vec::new();
        for (place, row) in rows.into_iter().enumerate() {
            let Some(id) = row.id else {
                let label = format!("?{}/{}", self.cursor.page, place + 1);
                let subject = Subject::Origin(origin(S::Connector::NAME, S::KIND, &label));
                let reason = row.record.err();
                let reason = reason.unwrap_or_else(|| reason!("sdk.pull.no-id"));
                self.tally.reject(S::KIND, subject, &label, reason);
                continue;
            };
            if only.is_some_and(|only| !only.contains(&id)) {
                continue;
            }
            let is_new = self.met.insert(id.clone());
            match row.record {
                Ok(record) => {
                    // Of a row that is there twice the later counts.
                    let draft = Draft {
                        origin: origin(S::Connector::NAME, S::KIND, &id),
                        id,
                        changed: row.changed,
                        row: record,
                        is_new,
                    };
                    match page.insert(draft.id.clone(), read.len()) {
                        Some(earlier) => read[earlier] = draft,
                        None => read.push(draft),
                    }
                }
                // Where a page begins with the last row of the one before, that was told already.
                Err(_) if !is_new => {}
                Err(reason) => self.reject(&id, row.changed, reason),
            }
        }
        self.save(read)
    }

    /// Brings records to the platform.
    fn save(&mut self, drafts: Vec<Draft<S::Row<'_>>>) -> Result<(), Fault> {
        let origins: Vec<Origin> = drafts.iter().map(|draft| draft.origin.clone()).collect();
        let known = bound(S::KIND, &origins);
        let mut changed = Vec::new();
        for draft in drafts {
            let print = fingerprint(S::VERSION, &(&self.cursor.seal, &draft.row));
            match known.get(&draft.origin) {
                Some(binding) if binding.fingerprint.as_ref() == Some(&print) => {
                    if draft.is_new {
                        self.tally.count(Effect::Unchanged);
                    }
                    self.rejected.settle(&draft.id);
                }
                None if !self.source.wants(&draft.row) => {
                    self.tally.passed();
                    self.rejected.settle(&draft.id);
                }
                binding => {
                    self.source.needs(&draft.row, &mut self.needs);
                    changed.push((draft, print, binding.map(|binding| binding.key.clone())));
                }
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        self.needs.settle()?;
        let keys = changed.iter().filter_map(|(.., key)| key.clone());
        let present = <S::Record as Target>::present(keys.collect())?;
        let mut records = Vec::new();
        let mut saving = Vec::new();
        for (draft, print, key) in changed {
            let key: Option<Key> = match key {
                Some(key) if present.contains(&key) => Some(key),
                Some(_) if !self.asks_again => {
                    self.reject(&draft.id, draft.changed, reason!("sdk.follow.removed"));
                    continue;
                }
                _ => None,
            };
            match self.source.map(&draft.row, &self.needs) {
                Ok(record) => {
                    records.push(record.named(key, draft.origin.clone()));
                    saving.push((draft, print));
                }
                Err(reason) => self.reject(&draft.id, draft.changed, reason),
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        let mut pairs = Vec::new();
        let outcomes = <S::Record as Target>::save(&records, self.source.owned())?;
        for ((draft, print), outcome) in saving.into_iter().zip(outcomes) {
            let refused = match import::verdict(outcome)? {
                Verdict::Saved(saved) => {
                    self.tally.count(saved.effect);
                    self.rejected.settle(&draft.id);
                    pairs.push(Binding {
                        kind: S::KIND.to_owned(),
                        key: saved.key,
                        origin: draft.origin,
                        fingerprint: Some(print),
                    });
                    continue;
                }
                Verdict::Refused(reason) => reason,
                Verdict::Changed => reason!("sdk.changed-meanwhile"),
            };
            self.reject(&draft.id, draft.changed, refused);
        }
        if !pairs.is_empty() {
            bindings::bind(&pairs);
        }
        Ok(())
    }

    fn reject(&mut self, id: &str, changed: Option<Instant>, reason: Reason) {
        let subject = Subject::Origin(origin(S::Connector::NAME, S::KIND, id));
        self.rejected
            .reject(id, subject, id, reason, &mut self.tally);
        if let Some(changed) = changed {
            self.rejected.date(id, changed);
        }
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests;
