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

    /// Name of the connector: `Mine::NAME`.
    const SYSTEM: &'static str;

    /// Kind of the records, as people see it in lists, and as their origins have it.
    const KIND: &'static str;

    /// Version of the mapping; another one makes all records changed.
    const VERSION: u8 = 1;

    /// What the list is like.
    const LIST: List;

    /// Where it is.
    ///
    /// # Errors
    /// `configuration` when the settings hold no address.
    fn api(&self) -> Result<Api, Fault>;

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
    since: Option<Instant>,
    page: u64,
    total: Option<u64>,
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
    let seal = hex(&fingerprint(S::VERSION, &run::settings()));
    let key = format!("{}/cursor", S::KIND);
    let kept = kept(&key, &seal);
    let is_cut = kept.as_ref().is_some_and(|cursor| cursor.is_under_way);
    let mut cursor = kept.unwrap_or(Cursor {
        seal,
        since: None,
        page: 1,
        total: None,
        done: 0,
        is_under_way: true,
    });
    if !cursor.is_under_way {
        let since = cursor.since.map(|since| since - OVERLAP);
        cursor = Cursor {
            since: since.filter(|_| S::LIST.changed.is_some()),
            page: 1,
            total: None,
            done: 0,
            is_under_way: true,
            ..cursor
        };
    }
    let following = Following {
        source,
        api: source.api()?,
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
pub fn each<S: Source>(source: &S, mut take: impl FnMut(S::Row<'_>)) -> Result<(), Fault> {
    let api = source.api()?;
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
        match S::LIST.changed {
            Some(_) => self.try_again()?,
            None if !is_cut => self.forget_gone(),
            None => {}
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
        self.cursor.done = self.tally.done();
        self.rejected.save()?;
        state::save(&self.key, &self.cursor)?;
        Ok(self.tally.checkpoint())
    }

    /// Reads records again that could not be taken: where each of them had changed, it still stands.
    fn try_again(&mut self) -> Result<(), Fault> {
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
        }
        Ok(())
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
                let subject = Subject::Origin(origin(S::SYSTEM, S::KIND, &label));
                let reason = row.record.err();
                let reason = reason.unwrap_or_else(|| reason!("sdk.pull.no-id"));
                self.tally.reject(S::KIND, subject, &label, reason);
                continue;
            };
            if only.is_some_and(|only| !only.contains(&id)) {
                continue;
            }
            self.met.insert(id.clone());
            match row.record {
                Ok(record) => {
                    // Of a row that is there twice the later counts.
                    match page.insert(id.clone(), read.len()) {
                        Some(earlier) => read[earlier] = (id, row.changed, record),
                        None => read.push((id, row.changed, record)),
                    }
                }
                Err(reason) => self.reject(&id, row.changed, reason),
            }
        }
        self.save(read)
    }

    /// Brings records to the platform.
    fn save(&mut self, rows: Vec<(String, Option<Instant>, S::Row<'_>)>) -> Result<(), Fault> {
        let origins: Vec<Origin> = rows
            .iter()
            .map(|(id, ..)| origin(S::SYSTEM, S::KIND, id))
            .collect();
        let known = bound(S::KIND, &origins);
        let keys = known.values().map(|binding| binding.key.clone()).collect();
        let mut drafts = Vec::new();
        for ((id, changed, row), origin) in rows.into_iter().zip(origins) {
            let print = fingerprint(S::VERSION, &(&self.cursor.seal, &row));
            match known.get(&origin) {
                Some(binding) if binding.fingerprint.as_ref() == Some(&print) => {
                    self.tally.count(Effect::Unchanged);
                    self.rejected.settle(&id);
                }
                None if !self.source.wants(&row) => {
                    self.tally.passed();
                    self.rejected.settle(&id);
                }
                binding => {
                    self.source.needs(&row, &mut self.needs);
                    let key = binding.map(|binding| binding.key.clone());
                    drafts.push((id, changed, row, origin, print, key));
                }
            }
        }
        if drafts.is_empty() {
            return Ok(());
        }
        self.needs.settle()?;
        let present = <S::Record as Target>::present(keys)?;
        let mut records = Vec::new();
        let mut saving = Vec::new();
        for (id, changed, row, origin, print, key) in drafts {
            let is_removed = key.as_ref().is_some_and(|key| !present.contains(key));
            if is_removed && !self.asks_again {
                self.reject(&id, changed, reason!("sdk.follow.removed"));
                continue;
            }
            let key: Option<Key> = key.filter(|_| !is_removed);
            match self.source.map(&row, &self.needs) {
                Ok(record) => {
                    records.push(record.named(key, origin.clone()));
                    saving.push((id, changed, origin, print));
                }
                Err(reason) => self.reject(&id, changed, reason),
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        let mut pairs = Vec::new();
        let outcomes = <S::Record as Target>::save(&records, self.source.owned())?;
        for ((id, changed, origin, print), outcome) in saving.into_iter().zip(outcomes) {
            match import::verdict(outcome)? {
                Verdict::Saved(saved) => {
                    self.tally.count(saved.effect);
                    self.rejected.settle(&id);
                    pairs.push(Binding {
                        kind: S::KIND.to_owned(),
                        key: saved.key,
                        origin,
                        fingerprint: Some(print),
                    });
                }
                Verdict::Refused(reason) => self.reject(&id, changed, reason),
                Verdict::Changed => self.reject(&id, changed, reason!("sdk.changed-meanwhile")),
            }
        }
        if !pairs.is_empty() {
            bindings::bind(&pairs);
        }
        Ok(())
    }

    fn reject(&mut self, id: &str, changed: Option<Instant>, reason: Reason) {
        let subject = Subject::Origin(origin(S::SYSTEM, S::KIND, id));
        self.rejected
            .reject(id, subject, id, reason, &mut self.tally);
        if let Some(changed) = changed {
            self.rejected.date(id, changed);
        }
    }
}
