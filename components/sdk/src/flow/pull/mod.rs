//! Pulling: a list of the counterpart's records, sorted by ascending id and filtered by time, into the
//! platform.
//!
//! A run reads the windows of its legs page by page, and after each page commits its records together
//! with where to go on. So a run that is stopped or dies at any moment is gone on with by the next, and
//! nothing is lost or done twice. What this flow promises:
//!
//! - no record of a window is missed while others come and go (`walk`);
//! - a record that the counterpart cannot give, or that cannot be read, keeps no other back: the page
//!   is read in smaller ones, and the record is listed by its id or by its neighbours;
//! - what could not be taken is tried again, and so is what may have changed without a trace;
//! - another setting, or whatever else decides what a record looks like, has all of it read again, and
//!   people are told;
//! - what is gone is asked for by its id before anybody is told so, and when much seems to be gone people
//!   are asked first.

mod kept;
mod named;
mod pieces;
mod walk;
mod window;

pub use kept::Facts;
pub use window::{By, Span, Window};

use std::collections::HashSet;

use kept::{Again, Kept, PLACE, Progress};
use pieces::Piece;
use walk::Walk;
use window::{Cursor, Leg};

use crate::http::Answer;
use crate::import::Tally;
use crate::model::{Directive, Effect, Fault, Instant, Origin, Outcome, Reason, Subject};
use crate::paging;
use crate::rejected::Retry;
use crate::time::{self, DAY};
use crate::{brake, reason};

/// Up to so many records are read again one by one without looking for a cheaper way.
const SINGLES: usize = 4;

/// So many single records are read between two checkpoints.
const BATCH: usize = 25;

/// At most so many records that could not be taken are tried again by one call of a scheduled run.
const RETRIES: usize = 50;

/// At most so many records that a window lacks are asked for by their ids in one call.
const MISSING: usize = 20;

/// What became of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It stands on the platform.
    Taken(Effect),
    /// It is none that is wanted.
    Passed,
    /// It cannot be taken, for this reason.
    Refused(Reason),
}

/// A record as the flow sees it.
pub trait Row {
    /// Its id; none where it has none.
    fn id(&self) -> Option<String>;
    /// When it was placed.
    fn placed(&self) -> Option<Instant>;
    /// When it changed last.
    fn changed(&self) -> Option<Instant>;
    /// Whether nothing more is expected to happen to it.
    fn is_final(&self) -> bool;
    /// Whether it says of itself that it was deleted.
    fn is_deleted(&self) -> bool;
}

/// A record that could not be read.
#[derive(Debug, PartialEq)]
pub struct Unreadable {
    /// Its id, where at least that can be read.
    pub id: Option<String>,
    /// What is wrong, and where.
    pub reason: Box<Reason>,
}

/// A page of records, each readable or not.
pub struct Page<R> {
    /// What the page says about itself.
    pub facts: paging::Facts,
    /// The records.
    pub rows: Vec<Result<R, Unreadable>>,
}

/// A list of the counterpart's records, and what its records become.
pub trait Feed {
    /// A record of the list; it may borrow from the answer.
    type Row<'a>: Row;

    /// Kind of the records, as people see it in lists.
    const KIND: &'static str;

    /// Sizes of a page, the largest first; each divides the one before.
    const SIZES: &'static [u64];

    /// What a record is called everywhere else.
    fn origin(&self, id: &str) -> Origin;

    /// Facts that records are read by besides the settings. A fact that changes has everything read
    /// again.
    ///
    /// # Errors
    /// The fault of a request.
    fn facts(&mut self) -> Result<Facts, Fault>;

    /// A page of the records in a window, sorted by ascending id.
    ///
    /// # Errors
    /// The fault that the answer came to.
    fn page(&self, window: &Window, page: u64, size: u64) -> Result<Answer, Fault>;

    /// One record; none when it is gone.
    ///
    /// # Errors
    /// The fault that the answer came to.
    fn one(&self, id: &str) -> Result<Option<Answer>, Fault>;

    /// Reads the answer to [`Feed::page`]. A record that is malformed spoils no other.
    ///
    /// # Errors
    /// `transient` when it is no list at all.
    fn read_page<'a>(
        &self,
        answer: &'a Answer,
        page: u64,
        size: u64,
    ) -> Result<Page<Self::Row<'a>>, Fault>;

    /// Reads the answer to [`Feed::one`].
    ///
    /// # Errors
    /// `transient` when it is no JSON at all.
    fn read_one<'a>(
        &self,
        id: &str,
        answer: &'a Answer,
    ) -> Result<Result<Self::Row<'a>, Unreadable>, Fault>;

    /// Brings records to the platform, all of which have an id; answers with the fate of each, in
    /// their order.
    ///
    /// # Errors
    /// The fault of a call as a whole; nothing of them is kept then.
    fn take(&mut self, rows: &[&Self::Row<'_>]) -> Result<Vec<Fate>, Fault>;

    /// Marks for people what stands on the platform for a record that was deleted at the counterpart;
    /// gives what they are told, unless nothing stands there or they know.
    ///
    /// # Errors
    /// The fault of a call as a whole.
    fn mark_deleted(&mut self, id: &str) -> Result<Option<Reason>, Fault>;

    /// Those of the ids that would be refused again without being asked for.
    ///
    /// # Errors
    /// The fault of a call as a whole.
    fn held_back(&mut self, _ids: &[String]) -> Result<HashSet<String>, Fault> {
        Ok(HashSet::new())
    }

    /// Once a day: closed records that are not on the platform as they are at the counterpart, with the
    /// time they were placed.
    ///
    /// # Errors
    /// The fault of a request.
    fn look_back(&mut self, _now: Instant) -> Result<Vec<(String, Option<Instant>)>, Fault> {
        Ok(Vec::new())
    }
}

/// Runs a job that pulls, or goes on with it. `settings` is a digest of all that an admin has set and of
/// the mapping.
///
/// # Errors
/// The fault that keeps it from going on.
pub fn run<F: Feed>(
    mut feed: F,
    span: Span,
    settings: &str,
    retry: &Retry,
) -> Result<Outcome, Fault> {
    let mut facts = feed.facts()?;
    facts.insert("settings".to_owned(), settings.to_owned());
    let (kept, cut) = Kept::load(F::KIND, facts, retry);
    let progress = cut.unwrap_or_else(|| {
        let first = if kept.needs_whole() {
            Leg::Whole
        } else {
            Leg::first(span, kept.cursor.as_ref())
        };
        Progress::new(first, time::now())
    });
    let run = Run {
        feed,
        span,
        kept,
        tally: Tally::after(progress.done),
        progress,
        gone: Vec::new(),
    };
    run.go()
}

struct Run<F> {
    feed: F,
    span: Span,
    kept: Kept,
    progress: Progress,
    tally: Tally,
    /// Records that were asked for by id and are not there.
    gone: Vec<String>,
}

/// What a run does after a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    GoOn,
    Suspend,
    Finish,
}

impl<F: Feed> Run<F> {
    fn go(mut self) -> Result<Outcome, Fault> {
        loop {
            let window = Window::of(
                self.progress.leg,
                self.span,
                self.kept.cursor.as_ref(),
                self.progress.started,
            );
            let after = match window {
                Some(window) => self.read_window(&window)?,
                None => self.read_again()?,
            };
            match after {
                After::GoOn => {}
                After::Suspend => return Ok(Outcome::Suspended),
                After::Finish => return Ok(Outcome::Done),
            }
        }
    }

    /// Reads the next page of the leg's window.
    fn read_window(&mut self, window: &Window) -> Result<After, Fault> {
        let walk = self.progress.walk;
        let Some(page) = walk.page() else {
            return self.leave_leg();
        };
        let known = self.kept.known_changes(window);
        let (facts, new) = self.read_page(window, page, None)?;
        let leg = self.progress.leg;
        // As many as were known: the other pages hold nothing new.
        let is_counted = matches!(leg, Leg::Recent | Leg::Late) && walk == Walk::Begin;
        if is_counted && facts.total == Some(known) {
            return self.leave_leg();
        }
        self.progress.walk = walk.next(&facts, new);
        if self.progress.walk != Walk::End {
            if leg == Leg::Recent {
                self.progress.enter(Leg::Changed);
            }
            return self.commit();
        }
        // A record that came into the window may have moved another onto a page that was read already.
        let moved = self.progress.moved && window.by == By::Changed;
        if moved && !self.progress.repeated {
            self.progress.walk = Walk::default();
            self.progress.repeated = true;
            return self.commit();
        }
        self.leave_leg()
    }

    /// Reads a page of a window: all of it, or no more than some records, which are taken out of
    /// `only`. Gives what the page says of itself, and how many were met for the first time.
    fn read_page(
        &mut self,
        window: &Window,
        page: u64,
        only: Option<&mut Again>,
    ) -> Result<(paging::Facts, u64), Fault> {
        let feed = &self.feed;
        let pieces = pieces::read(
            F::SIZES,
            page,
            |page, size| feed.page(window, page, size),
            |answer, page, size| Ok(feed.read_page(answer, page, size)?.rows.len() as u64),
        )?;
        let mut rows = Vec::new();
        let mut facts = paging::Facts::default();
        let whole = F::SIZES.first().copied().unwrap_or(1);
        let is_whole = matches!(&pieces[..], [Piece::Read(_, _, size)] if *size == whole);
        for piece in &pieces {
            match piece {
                Piece::Read(answer, page, size) => {
                    if self.progress.walk == Walk::Begin && only.is_none() {
                        self.progress.began = answer.date().unwrap_or_else(time::now);
                    }
                    let read = feed.read_page(answer, *page, *size)?;
                    rows.extend(read.rows);
                    facts = read.facts;
                }
                Piece::Broken(reason) => {
                    let reason = reason!("sdk.pull.broken").because(reason);
                    let reason = Box::new(reason);
                    rows.push(Err(Unreadable { id: None, reason }));
                }
            }
        }
        if !is_whole {
            facts = paging::Facts {
                page,
                asked: whole,
                rows: rows.len() as u64,
                total: facts.total,
                ..paging::Facts::default()
            };
        }
        if let Some(total) = facts.total {
            self.tally.expect(self.progress.before + total);
        }
        let new = self.take(rows, only)?;
        Ok((facts, new))
    }

    /// Reads again the records that may have changed unnoticed, those that seem to be gone, and those
    /// that could not be taken before.
    fn read_again(&mut self) -> Result<After, Fault> {
        let mut open = self.kept.open_unmet();
        if self.is_time_to_look_back() {
            open.extend(self.feed.look_back(self.progress.started)?);
        }
        let mut missing = self.missing();
        let mut failed = self.kept.failed_due(RETRIES);
        let ids: Vec<String> = failed.keys().cloned().collect();
        let held_back = self.feed.held_back(&ids)?;
        failed.retain(|id, _| !open.contains_key(id) && !held_back.contains(id));
        // Apart, because those that failed may lie far back.
        for left in [&mut open, &mut missing, &mut failed] {
            if self.read_listed(left)? == After::Suspend {
                return Ok(After::Suspend);
            }
        }
        self.leave_leg()
    }

    /// Whether a day has passed since closed records were last looked at. Whoever reads everything in
    /// every run need not look back.
    fn is_time_to_look_back(&self) -> bool {
        let looked = self.kept.looked.filter(|at| *at <= self.progress.started);
        matches!(self.span, Span::LastDays(_))
            && self.kept.cursor.is_some()
            && looked.is_none_or(|at| self.progress.started - at >= DAY)
    }

    /// Some of those that the last run met in the span and this one did not.
    fn missing(&self) -> Again {
        let missing = self.kept.missing.iter().take(MISSING);
        missing.map(|id| (id.clone(), None)).collect()
    }

    /// Reads some records, which are taken out of `left`: page by page where that takes fewer
    /// requests, else one by one.
    fn read_listed(&mut self, left: &mut Again) -> Result<After, Fault> {
        let placed: Vec<Instant> = left.values().flatten().copied().collect();
        let mut most = usize::MAX;
        if placed.len() > SINGLES
            && let Some(window) = Window::around(&placed)
        {
            let mut page = 1;
            let mut total = None;
            loop {
                let before = left.len();
                let (facts, _) = self.read_page(&window, page, Some(&mut *left))?;
                if left.len() == before {
                    // They lie elsewhere among the others.
                    break;
                }
                let step = paging::next(&facts, total);
                total = facts.total;
                if self.commit()? == After::Suspend {
                    return Ok(After::Suspend);
                }
                let singles = left.values().flatten().count() as u64;
                let cheaper = facts
                    .pages()
                    .is_none_or(|pages| pages.saturating_sub(page) <= singles);
                match step {
                    paging::Step::Read(next) if cheaper => page = next,
                    paging::Step::Read(_) => break,
                    // What is left is not in the window any more.
                    paging::Step::End => {
                        most = MISSING;
                        break;
                    }
                }
            }
        }
        let single: Vec<String> = left.keys().take(most).cloned().collect();
        for batch in single.chunks(BATCH) {
            self.read_singly(batch, left)?;
            if self.commit()? == After::Suspend {
                return Ok(After::Suspend);
            }
        }
        Ok(After::GoOn)
    }

    fn read_singly(&mut self, ids: &[String], left: &mut Again) -> Result<(), Fault> {
        let mut answers = Vec::with_capacity(ids.len());
        let mut broken = Vec::new();
        for id in ids {
            match self.feed.one(id) {
                Ok(Some(answer)) => answers.push((id, answer)),
                Ok(None) => self.gone.push(id.clone()),
                Err(fault) => match pieces::of_one_record(&fault) {
                    Some(reason) => broken.push((id, reason.clone())),
                    None => return Err(fault),
                },
            }
        }
        // Of several, one may be broken; none of them is when all are.
        if broken.len() > 1 && broken.len() == ids.len() {
            let (_, reason) = broken.remove(0);
            return Err(Fault::Transient(reason));
        }
        let mut rows = Vec::with_capacity(ids.len());
        for (id, reason) in broken {
            let id = Some(id.clone());
            let reason = reason!("sdk.pull.broken").because(&reason);
            let reason = Box::new(reason);
            rows.push(Err(Unreadable { id, reason }));
        }
        for (id, answer) in &answers {
            rows.push(self.feed.read_one(id, answer)?);
        }
        self.take(rows, Some(left)).map(drop)
    }

    /// Takes records that were read: those that this run meets for the first time, or those of
    /// `only`, which they are taken out of. Gives how many were met for the first time.
    fn take(
        &mut self,
        rows: Vec<Result<F::Row<'_>, Unreadable>>,
        mut only: Option<&mut Again>,
    ) -> Result<u64, Fault> {
        let is_again = only.is_some();
        let ids: Vec<Option<String>> = rows
            .iter()
            .map(|row| match row {
                Ok(row) => row.id(),
                Err(unreadable) => unreadable.id.clone(),
            })
            .collect();
        let mut new = 0;
        let mut taken = Vec::with_capacity(rows.len());
        for (row, id) in rows.into_iter().zip(named::named(&ids)) {
            let is_listed = only.as_mut().is_none_or(|left| left.remove(&id).is_some());
            let is_new = is_listed && self.kept.meets(&id);
            new += u64::from(is_new);
            if !is_listed || !(is_new || is_again) {
                continue;
            }
            match row {
                Ok(row) if row.id().is_none() => self.reject(&id, None, reason!("sdk.pull.no-id")),
                Ok(row) if is_again && !self.span.holds(row.placed()) => {
                    self.kept.forget(&id);
                    self.tally.passed();
                }
                Ok(row) if row.is_deleted() => self.bury(&id)?,
                Ok(row) => taken.push((id, row)),
                Err(unreadable) => self.reject(&id, None, *unreadable.reason),
            }
        }
        let read: Vec<&F::Row<'_>> = taken.iter().map(|(_, row)| row).collect();
        let fates = self.feed.take(&read)?;
        let is_walking = matches!(self.progress.walk, Walk::Down(..) | Walk::Up(_));
        for ((id, row), fate) in taken.iter().zip(fates) {
            let (changed, placed) = (row.changed(), row.placed());
            self.progress.newest.note(changed, placed);
            if let Some(changed) = changed {
                self.kept.note_change(id, changed);
                self.progress.moved |= is_walking && changed > self.progress.began;
            }
            let open = (!row.is_final()).then(|| placed.unwrap_or(self.progress.started));
            self.kept.note_open(id, open);
            match fate {
                Fate::Refused(reason) => {
                    self.reject(id, placed, reason);
                    continue;
                }
                Fate::Taken(effect) => self.tally.count(effect),
                Fate::Passed => self.tally.passed(),
            }
            self.kept.settle(id);
        }
        Ok(new)
    }

    fn reject(&mut self, id: &str, placed: Option<Instant>, reason: Reason) {
        let origin = self.feed.origin(id);
        if id.starts_with(PLACE) && !self.progress.places.iter().any(|known| known == id) {
            self.progress.places.push(id.to_owned());
        }
        let named = (id, id.trim_start_matches(PLACE));
        self.kept
            .reject(named, origin, placed, reason, &mut self.tally);
    }

    /// Tells people that a record was deleted at the counterpart, once.
    fn bury(&mut self, id: &str) -> Result<(), Fault> {
        self.kept.forget(id);
        match self.feed.mark_deleted(id)? {
            Some(reason) => {
                let subject = Subject::Origin(self.feed.origin(id));
                self.tally.reject(F::KIND, subject, id, reason);
            }
            None => self.tally.passed(),
        }
        Ok(())
    }

    /// Buries the records that are gone. When many seem to be, people are asked first: it may be the
    /// key that does not see them any more.
    fn bury_gone(&mut self) -> Result<(), Fault> {
        let mut gone = std::mem::take(&mut self.gone);
        let mut named: Vec<_> = gone.iter().map(|id| (id.clone(), id.clone())).collect();
        let reason = reason!("sdk.pull.many-gone");
        if !brake::confirmed(F::KIND, reason, &mut named, self.kept.expected()) {
            gone.clear();
        }
        for id in &gone {
            self.bury(id)?;
        }
        if matches!(self.span, Span::Period { .. }) {
            self.kept.note_whole(&gone);
        }
        Ok(())
    }

    fn leave_leg(&mut self) -> Result<After, Fault> {
        self.progress.done = self.tally.done();
        let left = self.progress.leg;
        if left == Leg::Whole {
            self.kept.settle_places(&self.progress.places);
            self.kept.close_whole();
        }
        if let Some(next) = left.next() {
            self.progress.enter(next);
            return self.commit();
        }
        let is_look = self.kept.cursor.is_none() || self.is_time_to_look_back();
        self.bury_gone()?;
        let cursor = match self.span {
            Span::Period { .. } => None,
            Span::LastDays(_) => Cursor::after(
                self.kept.cursor,
                self.progress.newest,
                self.progress.started,
            ),
        };
        if is_look && cursor.is_some() {
            self.kept.note_look(self.progress.started);
        }
        self.kept.name_untried();
        self.kept.finish(cursor)?;
        // There is nothing left that a stop could cut.
        self.tally.checkpoint();
        Ok(After::Finish)
    }

    fn commit(&mut self) -> Result<After, Fault> {
        self.progress.done = self.tally.done();
        self.kept.save(&self.progress)?;
        Ok(match self.tally.checkpoint() {
            Directive::Proceed => After::GoOn,
            Directive::Stop => After::Suspend,
        })
    }
}
