//! Loads orders: reads the windows of the plan page by page, and after each page commits its
//! orders together with where to go on. So a run that is stopped or dies at any moment is gone on
//! with by the next, and nothing is lost or done twice.

use tenon_sdk::import::{Tally, fingerprint};
use tenon_sdk::model::{Directive, Fault, Instant, Outcome, Subject};
use tenon_sdk::paging::{self, Facts, Step};
use tenon_sdk::rejected::Retry;
use tenon_sdk::{info, reason, time};

use crate::api::{self, Crm, Order, Unreadable};
use crate::importer::{Fate, Importer};
use crate::keys;
use crate::map::{MAPPING_VERSION, origin};
use crate::plan::{Cursor, Leg, Window};
use crate::settings::{Settings, Span};
use crate::state::{Again, ORDER, Progress, State};

/// Up to so many orders are read again one by one without looking for a cheaper way.
const SINGLES: usize = 4;

/// So many single orders are read between two checkpoints.
const BATCH: usize = 25;

/// At most so many orders that could not be taken are tried again by one call of a scheduled run.
const RETRIES: usize = 50;

/// Runs the job, or goes on with it.
///
/// # Errors
/// The fault that keeps it from going on.
pub fn run(retry: &Retry) -> Result<Outcome, Fault> {
    let settings = Settings::load()?;
    keys::verify(&settings.booking)?;
    let crm = Crm::new(&settings.base_url);
    Run::open(&settings, &crm, retry).go()
}

struct Run<'s> {
    settings: &'s Settings,
    crm: &'s Crm,
    importer: Importer<'s>,
    state: State,
    progress: Progress,
    tally: Tally,
}

/// What a run does after a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    GoOn,
    Suspend,
    Finish,
}

impl<'s> Run<'s> {
    fn open(settings: &'s Settings, crm: &'s Crm, retry: &Retry) -> Run<'s> {
        let (state, cut) = State::load(digest(settings), retry);
        let progress = cut.unwrap_or_else(|| {
            let first = Leg::first(settings.span, state.cursor.as_ref());
            Progress::new(first, time::now())
        });
        Run {
            settings,
            crm,
            importer: Importer::new(settings, crm),
            state,
            tally: Tally::after(progress.done),
            progress,
        }
    }

    fn go(mut self) -> Result<Outcome, Fault> {
        loop {
            let window = Window::of(
                self.progress.leg,
                self.settings.span,
                self.state.cursor.as_ref(),
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

    /// Reads one page of the leg's window.
    fn read_window(&mut self, window: &Window) -> Result<After, Fault> {
        let facts = self.read_page(window, self.progress.pages + 1, None)?;
        let step = paging::next(&facts, self.progress.total);
        self.progress.total = facts.total.or(self.progress.total);
        // As many as were known: the other pages hold nothing new.
        if self.progress.leg == Leg::Late && facts.total == Some(self.state.known_changes(window)) {
            return self.leave_leg();
        }
        match step {
            Step::Read(next) => {
                self.progress.pages = next - 1;
                self.commit()
            }
            Step::End => self.leave_leg(),
        }
    }

    /// Reads a page of a window: all of it, or no more than some orders, which are taken out of
    /// `only`.
    fn read_page(
        &mut self,
        window: &Window,
        page: u64,
        only: Option<&mut Again>,
    ) -> Result<Facts, Fault> {
        let answer = self.crm.orders(window, page)?;
        let read = api::order_page(&answer, page)?;
        if let Some(total) = read.facts.total {
            self.tally.expect(self.progress.before + total);
        }
        let place = |row| format!("?{page}/{}", row + 1);
        self.take(read.orders, place, only)?;
        Ok(read.facts)
    }

    /// Reads again the orders that may have changed unnoticed and those that could not be taken
    /// before.
    fn read_again(&mut self) -> Result<After, Fault> {
        let mut open = self.state.open_unmet();
        let mut failed = self.state.failed_due(RETRIES);
        failed.retain(|id, _| !open.contains_key(id));
        // Apart, because those that failed may lie far back.
        for left in [&mut open, &mut failed] {
            if self.read_listed(left)? == After::Suspend {
                return Ok(After::Suspend);
            }
        }
        self.leave_leg()
    }

    /// Reads some orders, which are taken out of `left`: page by page where that takes fewer
    /// requests, else one by one.
    fn read_listed(&mut self, left: &mut Again) -> Result<After, Fault> {
        let placed: Vec<Instant> = left.values().flatten().copied().collect();
        if placed.len() > SINGLES
            && let Some(window) = Window::around(&placed)
        {
            let mut page = 1;
            let mut total = None;
            loop {
                let before = left.len();
                let facts = self.read_page(&window, page, Some(&mut *left))?;
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
                    Step::Read(next) if cheaper => page = next,
                    _ => break,
                }
            }
        }
        let single: Vec<i64> = left.keys().copied().collect();
        for batch in single.chunks(BATCH) {
            self.read_singly(batch, left)?;
            if self.commit()? == After::Suspend {
                return Ok(After::Suspend);
            }
        }
        Ok(After::GoOn)
    }

    fn read_singly(&mut self, ids: &[i64], left: &mut Again) -> Result<(), Fault> {
        let mut answers = Vec::with_capacity(ids.len());
        for id in ids {
            match self.crm.order(*id)? {
                Some(answer) => answers.push((*id, answer)),
                None => {
                    info!("order.gone", number = id);
                    self.state.forget(*id);
                }
            }
        }
        let orders = answers
            .iter()
            .map(|(id, answer)| api::single_order(*id, answer))
            .collect::<Result<Vec<_>, _>>()?;
        self.take(orders, |row| format!("?{}", row + 1), Some(left))
    }

    /// Imports orders that were read: those that this run meets for the first time, or those of
    /// `only`, which they are taken out of. `place` tells people where one without an id stands.
    fn take(
        &mut self,
        orders: Vec<Result<Order<'_>, Unreadable>>,
        place: impl Fn(usize) -> String,
        mut only: Option<&mut Again>,
    ) -> Result<(), Fault> {
        let again = only.is_some();
        let mut wants = |state: &mut State, id: i64| {
            let listed = only.as_mut().is_none_or(|left| left.remove(&id).is_some());
            listed && (state.meets(id) || again)
        };
        let mut page = Vec::with_capacity(orders.len());
        for (row, order) in orders.into_iter().enumerate() {
            let order = order.and_then(|order| match order.id.get() {
                Some(id) => Ok((id, order)),
                None => Err(Unreadable {
                    id: None,
                    reason: reason!("order.no-id"),
                }),
            });
            match order {
                Ok((id, order)) => {
                    if !wants(&mut self.state, id) {
                        continue;
                    }
                    if again && !self.settings.span.holds(order.placed()) {
                        self.state.forget(id);
                        self.tally.passed();
                        continue;
                    }
                    page.push((id, order));
                }
                Err(Unreadable {
                    id: Some(id),
                    reason,
                }) => {
                    if wants(&mut self.state, id) {
                        self.state.reject(id, None, reason, &mut self.tally);
                    }
                }
                Err(Unreadable { id: None, reason }) => {
                    let place = place(row);
                    let subject = Subject::Origin(origin::of(ORDER, &place));
                    self.tally.reject(ORDER, subject, &place, reason);
                }
            }
        }
        let read: Vec<&Order<'_>> = page.iter().map(|(_, order)| order).collect();
        let fates = self.importer.import(&read)?;
        for ((id, order), fate) in page.iter().zip(fates) {
            let (updated, placed) = (order.updated(), order.placed());
            self.progress.newest.note(updated, placed);
            if let Some(updated) = updated {
                self.state.note_change(*id, updated);
            }
            let open = (!order.is_final()).then(|| placed.unwrap_or(self.progress.started));
            self.state.note_open(*id, open);
            match fate {
                Fate::Refused(reason) => {
                    self.state.reject(*id, placed, reason, &mut self.tally);
                    continue;
                }
                Fate::Taken(effect) => self.tally.count(effect),
                Fate::Passed => self.tally.passed(),
            }
            self.state.settle(*id);
        }
        Ok(())
    }

    fn leave_leg(&mut self) -> Result<After, Fault> {
        self.progress.done = self.tally.done();
        match self.progress.leg.next() {
            Some(next) => {
                self.progress.enter(next);
                self.commit()
            }
            None => {
                let cursor = match self.settings.span {
                    Span::Period { .. } => None,
                    Span::LastDays(_) => Cursor::after(
                        self.state.cursor,
                        self.progress.newest,
                        self.progress.started,
                    ),
                };
                self.state.name_untried();
                self.state.finish(cursor)?;
                // There is nothing left that a stop could cut.
                self.tally.checkpoint();
                Ok(After::Finish)
            }
        }
    }

    fn commit(&mut self) -> Result<After, Fault> {
        self.progress.done = self.tally.done();
        self.state.save(&self.progress)?;
        Ok(match self.tally.checkpoint() {
            Directive::Proceed => After::GoOn,
            Directive::Stop => After::Suspend,
        })
    }
}

/// Of all settings and the mapping: under another digest, nothing that an earlier run left on its
/// way is good any more.
fn digest(settings: &Settings) -> String {
    fingerprint(MAPPING_VERSION, settings)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
