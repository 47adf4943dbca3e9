//! Keeping cards that a counterpart is the master of: once a day all of them, and in between what changed.
//!
//! The full pass saves what the counterpart has, and what it does not have any more goes into the archive
//! here, when people agree to it where that is much. Between two passes changes are found by their time,
//! and what could not be taken by its id; what a webhook says is gone is looked for before anything is
//! done. A lost webhook costs time alone: changes are found here anyway, and deletions by the full pass.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::cards::{self, PRODUCT};
use super::moving::{Place, Row, Walked};
use crate::erp::catalog;
use crate::http::Answer;
use crate::ids::Ids;
use crate::import::{Tally, fingerprint};
use crate::model::{Directive, Fault, Instant, Origin, Outcome, Reason};
use crate::rejected::{Rejected, Retry};
use crate::runtime::bindings;
use crate::time::MINUTE;
use crate::{info, state, warn};

/// How far the pass has come.
const PASS: &str = "pass";
/// The settings that the last pass was made with, as [`Source::seal`] gives them.
const SEAL: &str = "sealed";
/// Up to where changes were read, and how far a run under way has come.
const CURSOR: &str = "changes";
/// Up to where changes on the platform were read.
const PLATFORM: &str = "shop-products";
/// Cards that could not be taken.
const REJECTED: &str = "failed/product/";

/// Cards in a page of changes on the platform.
const CARDS: u32 = 100;

/// So many that seem to be gone are asked for one by one where a list is empty.
const FEW: usize = 10;

/// So many rows are known again, at most, that a look has met already.
const MOST_MET: usize = 2_000;

/// As many rejected ones are kept to be tried again between two full passes, which meet all.
const MOST_REJECTED: usize = 10_000;

/// So long a rejected one rests until a scheduled run tries it again: webhooks start such runs many
/// times an hour.
const REST: Instant = 60 * MINUTE;

/// What a run has put aside while it took cards.
#[derive(Debug)]
pub struct Aside {
    /// Those that could not be taken.
    pub rejected: Rejected,
    /// Origins of cards that the counterpart has put into the archive.
    pub archived: Vec<Origin>,
    /// Origins of what the settings leave out.
    pub outside: Vec<Origin>,
}

impl Aside {
    /// Nothing yet, beside what earlier runs could not take.
    pub fn open(retry: &Retry) -> Aside {
        Aside {
            rejected: Rejected::load(PRODUCT, REJECTED, retry).at_most(MOST_REJECTED),
            archived: Vec::new(),
            outside: Vec::new(),
        }
    }
}

/// Why cards go into the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The counterpart does not have them any more.
    Gone,
    /// The settings leave them out.
    Outside,
    /// The counterpart has archived them.
    Archived,
}

/// The cards of a counterpart: lists of them, and lists of what belongs to a card, such as modifications.
pub trait Source {
    /// How many lists of cards there are.
    const CARDS: usize;
    /// How many lists behind them hold what belongs to the cards of the first.
    const PARTS: usize;
    /// So many are asked for by their ids at once.
    const NAMED: usize;

    /// A page of a list, oldest change first; none where the account or its rights do not show it.
    ///
    /// # Errors
    /// The fault of the request.
    fn page(&self, list: usize, place: &Place) -> Result<Option<Answer>, Fault>;

    /// Those of a list that have these ids.
    ///
    /// # Errors
    /// The fault of the request.
    fn named(&self, list: usize, ids: &[Uuid]) -> Result<Answer, Fault>;

    /// The rows of an answer.
    ///
    /// # Errors
    /// `transient` when it is no list.
    fn rows<'a>(&self, list: usize, place: &Place, answer: &'a Answer)
    -> Result<Walked<'a>, Fault>;

    /// Those of these ids that are still there, whatever became of them.
    ///
    /// # Errors
    /// The fault of the request.
    fn alive(&self, list: usize, ids: &[Uuid]) -> Result<Vec<Uuid>, Fault>;

    /// Whether one is really gone, and not only hidden from the credential.
    ///
    /// # Errors
    /// The fault of the request.
    fn is_gone(&self, list: usize, id: Uuid) -> Result<bool, Fault>;

    /// Takes rows; answers with the ids of those that belong onto the platform.
    ///
    /// # Errors
    /// A fault that has nothing to do with one row.
    fn take(
        &mut self,
        list: usize,
        rows: &[Row<'_>],
        tally: &mut Tally,
    ) -> Result<Vec<Uuid>, Fault>;

    /// The card that a row of a list of parts belongs to.
    fn card_of(&self, row: &Row<'_>) -> Option<Uuid>;

    /// The origin of a card.
    fn origin(list: usize, id: Uuid) -> Origin;

    /// The list and the id in an origin.
    fn id_of(origin: &str) -> Option<(usize, Uuid)>;

    /// Where to read on after a change that was seen: some become visible late, and clocks differ.
    fn before(seen: &str) -> Option<String>;

    /// What of the settings decides which cards there are.
    fn seal(&self) -> String;

    /// What people are told before so many of so many cards go into the archive.
    fn why(&self, why: Why, number: usize, total: usize) -> Reason;

    /// What they are told where a list shows nothing that is still there.
    fn hidden(&self) -> Reason;

    /// What was put aside.
    fn aside(&mut self) -> &mut Aside;

    /// Does what is due before a pass begins, once a day.
    ///
    /// # Errors
    /// The fault that keeps the pass from beginning.
    fn begin(&self) -> Result<(), Fault>;

    /// Takes note that a pass has come to its end.
    fn end(&self);
}

fn known<S: Source>(list: usize) -> Ids {
    debug_assert!(list < S::CARDS);
    Ids::load(&format!("known/{list}/"))
}

fn seen(list: usize) -> Ids {
    Ids::load(&format!("seen/{list}/"))
}

/// How many cards the platform has from there.
fn number<S: Source>() -> usize {
    let lists = (0..S::CARDS).map(|list| known::<S>(list).iter().count());
    lists.sum()
}

#[derive(Default, Serialize, Deserialize)]
struct Pass {
    /// Whether people asked for it.
    is_asked: bool,
    /// Which of the lists is read.
    list: usize,
    place: Place,
    done: u64,
    newest: Vec<Option<String>>,
    /// Origins of what the settings leave out, and of what the counterpart has archived.
    aside: [Vec<Origin>; 2],
    /// Origins of what is gone.
    gone: Vec<Origin>,
}

/// Runs the full pass, or goes on with it: from the beginning, when people ask for it who want cards
/// tried again that the pass under way has rejected already.
///
/// # Errors
/// The fault that keeps it from going on.
pub fn pass<S: Source>(source: &mut S, retry: &Retry) -> Result<Outcome, Fault> {
    let cut: Option<Pass> = state::load(PASS);
    let mut pass = match cut.filter(|pass| pass.is_asked || !retry.is_of_all()) {
        Some(pass) => pass,
        None => {
            source.begin()?;
            begin::<S>(retry)?
        }
    };
    let mut tally = Tally::after(pass.done);
    let aside = source.aside();
    [aside.outside, aside.archived] = std::mem::take(&mut pass.aside);
    while pass.list < S::CARDS {
        let list = pass.list;
        let (mut known, mut seen) = (known::<S>(list), seen(list));
        let mut next = Some(pass.place.clone());
        let mut is_shown = true;
        while let Some(place) = next {
            let Some(answer) = source.page(list, &place)? else {
                is_shown = false;
                break;
            };
            let page = source.rows(list, &place, &answer)?;
            if let Some(left) = page.left {
                tally.expect(tally.done() + left);
            }
            for id in source.take(list, &page.rows, &mut tally)? {
                seen.insert(id);
            }
            pass.newest[list] = pass.newest[list].take().max(page.newest);
            next = page.next;
            if let Some(place) = &next {
                pass.place = place.clone();
                pass.done = tally.done();
                let aside = source.aside();
                pass.aside = [aside.outside.clone(), aside.archived.clone()];
                seen.save()?;
                aside.rejected.save()?;
                state::save(PASS, &pass)?;
                if tally.checkpoint() == Directive::Stop {
                    return Ok(Outcome::Suspended);
                }
            }
        }
        if is_shown {
            let gone = missing(source, list, &known, &seen)?;
            let gone = gone.into_iter().map(|id| S::origin(list, id));
            pass.gone.extend(gone);
        }
        for id in seen.iter() {
            known.insert(id);
        }
        seen.clear();
        known.save()?;
        seen.save()?;
        pass.place = Place::default();
        pass.list += 1;
    }
    let gone = pass.gone.len();
    let outside = source.aside().outside.iter().cloned();
    let goes: Vec<Origin> = pass.gone.iter().cloned().chain(outside).collect();
    let stays = archive(source, pass.gone, &mut tally)?;
    let goes = goes.into_iter().filter(|origin| !stays.contains(origin));
    forget(source, goes)?;
    source.aside().rejected.name_untried();
    source.aside().rejected.save()?;
    state::forget(PASS);
    state::save(SEAL, &source.seal())?;
    read_up_to::<S>(pass.newest)?;
    source.end();
    info!("sdk.keep.passed", number = tally.done(), gone = gone);
    // There is nothing left that a stop could cut.
    tally.checkpoint();
    Ok(Outcome::Done)
}

/// A pass from the beginning. What one that never came to its end has met is on the platform nevertheless.
fn begin<S: Source>(retry: &Retry) -> Result<Pass, Fault> {
    for list in 0..S::CARDS {
        let (mut known, mut seen) = (known::<S>(list), seen(list));
        for id in seen.iter() {
            known.insert(id);
        }
        seen.clear();
        known.save()?;
        seen.save()?;
    }
    unbind_removed()?;
    Ok(Pass {
        is_asked: retry.is_of_all(),
        newest: vec![None; S::CARDS],
        ..Pass::default()
    })
}

/// Cards that people removed from the platform are made again, or found.
fn unbind_removed() -> Result<(), Fault> {
    let mut cursor: Option<String> = state::load(PLATFORM);
    loop {
        let page = catalog::changed(cursor.as_deref(), CARDS)?;
        if !page.removed.is_empty() {
            bindings::unbind(PRODUCT, &page.removed);
        }
        cursor = Some(page.next);
        if !page.more {
            return state::save(PLATFORM, &cursor);
        }
    }
}

/// What the platform has of a list and the pass has not met, and what is really not there any more. An
/// empty list is doubted: the few that it had are asked for one by one.
fn missing<S: Source>(
    source: &S,
    list: usize,
    known: &Ids,
    seen: &Ids,
) -> Result<Vec<Uuid>, Fault> {
    let missed: Vec<Uuid> = known.iter().filter(|id| !seen.contains(*id)).collect();
    let alive = source.alive(list, &missed)?;
    let mut gone = Vec::new();
    let is_doubted = seen.iter().next().is_none() && missed.len() <= FEW;
    for id in missed.into_iter().filter(|id| !alive.contains(id)) {
        if !is_doubted || source.is_gone(list, id)? {
            gone.push(id);
        } else {
            warn!(source.hidden());
        }
    }
    Ok(gone)
}

/// Knows cards no longer that went into the archive.
fn forget<S: Source>(source: &mut S, origins: impl Iterator<Item = Origin>) -> Result<(), Fault> {
    let mut all: Vec<Ids> = (0..S::CARDS).map(known::<S>).collect();
    for origin in origins {
        let Some((list, id)) = S::id_of(&origin) else {
            continue;
        };
        all[list].remove(id);
        source.aside().rejected.settle(&id.to_string());
    }
    all.iter_mut().try_for_each(Ids::save)
}

/// Archives the cards that are to go: those that are gone, those that the settings leave out, and those
/// that the counterpart has archived. Answers with what stays until people agree.
fn archive<S: Source>(
    source: &mut S,
    gone: Vec<Origin>,
    tally: &mut Tally,
) -> Result<Vec<Origin>, Fault> {
    let of = number::<S>();
    let mut stays = Vec::new();
    let outside = std::mem::take(&mut source.aside().outside);
    let archived = std::mem::take(&mut source.aside().archived);
    for (origins, why) in [
        (gone, Why::Gone),
        (outside, Why::Outside),
        (archived, Why::Archived),
    ] {
        if !cards::archive(&origins, |number| source.why(why, number, of), of, tally)? {
            stays.extend(origins);
        }
    }
    Ok(stays)
}

#[derive(Default, Serialize, Deserialize)]
struct Cursor {
    lists: Vec<Looked>,
    /// Origins of cards that wait for people to agree to their archiving.
    aside: Vec<Origin>,
}

/// How far a list was looked at.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Looked {
    /// The latest change that was seen, in the counterpart's words.
    seen: Option<String>,
    /// Where a run that was cut goes on.
    under_way: Option<Place>,
    /// Digests of the rows that the last look has met: looks overlap.
    met: BTreeSet<u64>,
}

/// Takes note that a full pass has read cards up to a change, and their parts with them. Changes that were
/// read beyond it count further on.
fn read_up_to<S: Source>(newest: Vec<Option<String>>) -> Result<(), Fault> {
    let kept: Option<Cursor> = state::load(CURSOR);
    let is_first = kept.is_none();
    let mut cursor = kept.unwrap_or_default();
    cursor.lists.resize(S::CARDS + S::PARTS, Looked::default());
    let first = newest.first().cloned().flatten().filter(|_| is_first);
    let parts = (0..S::PARTS).map(|_| first.clone());
    let newest = newest.iter().cloned().chain(parts);
    for (list, newest) in cursor.lists.iter_mut().zip(newest) {
        list.seen = list.seen.take().max(newest);
        list.under_way = None;
    }
    state::save(CURSOR, &cursor)
}

/// Looks at what changed, or goes on with it; a full pass where there was none with these settings.
/// `gone` are ids of the first list, with commas between them, that are said to be gone.
///
/// # Errors
/// The fault that keeps it from going on.
pub fn changes<S: Source>(
    source: &mut S,
    gone: Option<&str>,
    retry: &Retry,
) -> Result<Outcome, Fault> {
    if let Some(ids) = gone {
        return confirm(source, ids);
    }
    let kept: Option<Cursor> = state::load(CURSOR);
    let sealed: Option<String> = state::load(SEAL);
    let is_outdated = sealed.is_some_and(|sealed| sealed != source.seal());
    let Some(mut cursor) = kept.filter(|_| !is_outdated) else {
        return pass(source, retry);
    };
    cursor.lists.resize(S::CARDS + S::PARTS, Looked::default());
    let mut tally = Tally::default();
    if try_again(source, &mut tally)? == Directive::Stop {
        return Ok(Outcome::Suspended);
    }
    source.aside().archived = std::mem::take(&mut cursor.aside);
    for list in 0..S::CARDS + S::PARTS {
        if look(source, list, &mut cursor, &mut tally)? == Directive::Stop {
            return Ok(Outcome::Suspended);
        }
    }
    cursor.aside = archive(source, Vec::new(), &mut tally)?;
    state::save(CURSOR, &cursor)?;
    source.aside().rejected.name_untried();
    tally.checkpoint();
    Ok(Outcome::Done)
}

/// Looks at what changed of one list.
fn look<S: Source>(
    source: &mut S,
    list: usize,
    cursor: &mut Cursor,
    tally: &mut Tally,
) -> Result<Directive, Fault> {
    let looked = &mut cursor.lists[list];
    let since = looked.seen.as_deref().and_then(S::before);
    let since = since.map(Place::since).unwrap_or_default();
    let mut next = Some(looked.under_way.take().unwrap_or(since));
    let mut met = BTreeSet::new();
    while let Some(place) = next {
        let Some(answer) = source.page(list, &place)? else {
            return Ok(Directive::Proceed);
        };
        let page = source.rows(list, &place, &answer)?;
        let looked = &mut cursor.lists[list];
        let digests: Vec<u64> = page.rows.iter().map(digest).collect();
        let rows = page.rows.into_iter().zip(&digests);
        let rows = rows.filter(|(_, digest)| !looked.met.contains(digest));
        let rows: Vec<Row<'_>> = rows.map(|(row, _)| row).collect();
        met.extend(digests);
        looked.seen = looked.seen.take().max(page.newest);
        next = page.next;
        looked.under_way.clone_from(&next);
        if next.is_none() {
            looked.met = std::mem::take(&mut met);
            if looked.met.len() > MOST_MET {
                looked.met.clear();
            }
        }
        match list < S::CARDS {
            true => take(source, list, &rows, tally)?,
            false => of_parts(source, &rows, tally)?,
        }
        let aside = source.aside();
        aside.rejected.save()?;
        // What is put aside is settled at the end of the run.
        cursor.aside.clone_from(&aside.archived);
        state::save(CURSOR, &*cursor)?;
        // The last page of a list goes along with what follows: a run that is stopped after each
        // checkpoint would look at the first list for ever.
        if next.is_some() && tally.checkpoint() == Directive::Stop {
            return Ok(Directive::Stop);
        }
    }
    Ok(Directive::Proceed)
}

fn digest(row: &Row<'_>) -> u64 {
    let print = fingerprint(0, &row.json.get());
    let bytes = print.last_chunk().copied().unwrap_or_default();
    // As a number that JSON of any language holds.
    u64::from_le_bytes(bytes) >> 11
}

/// Takes rows, and notes what is there.
fn take<S: Source>(
    source: &mut S,
    list: usize,
    rows: &[Row<'_>],
    tally: &mut Tally,
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let met = source.take(list, rows, tally)?;
    let mut known = known::<S>(list);
    for id in met {
        known.insert(id);
    }
    known.save()
}

/// Takes the cards whose parts have changed.
fn of_parts<S: Source>(source: &mut S, rows: &[Row<'_>], tally: &mut Tally) -> Result<(), Fault> {
    let cards: BTreeSet<Uuid> = rows.iter().filter_map(|row| source.card_of(row)).collect();
    let cards: Vec<Uuid> = cards.into_iter().collect();
    for some in cards.chunks(S::NAMED) {
        let answer = source.named(0, some)?;
        let page = source.rows(0, &Place::default(), &answer)?;
        take(source, 0, &page.rows, tally)?;
    }
    Ok(())
}

/// Tries cards again that could not be taken: some, or all when people asked for it. What keeps one back
/// is not always mended on its own card.
fn try_again<S: Source>(source: &mut S, tally: &mut Tally) -> Result<Directive, Fault> {
    let due = source.aside().rejected.due(S::NAMED, REST);
    let due: Vec<Uuid> = due.iter().filter_map(|id| id.parse().ok()).collect();
    for some in due.chunks(S::NAMED) {
        let mut left = some.to_vec();
        for list in 0..S::CARDS {
            if left.is_empty() {
                break;
            }
            let answer = source.named(list, &left)?;
            let page = source.rows(list, &Place::default(), &answer)?;
            left.retain(|id| !page.rows.iter().any(|row| row.id == Some(*id)));
            take(source, list, &page.rows, tally)?;
        }
        let rejected = &mut source.aside().rejected;
        // Those that are not there any more are tried no more.
        for id in left {
            rejected.settle(&id.to_string());
        }
        rejected.save()?;
        // In a run of the schedule there is one such page, which goes along with the next.
        if rejected.is_of_all() && tally.checkpoint() == Directive::Stop {
            return Ok(Directive::Stop);
        }
    }
    Ok(Directive::Proceed)
}

/// Archives those of the named cards that are really gone: anybody could send a webhook.
fn confirm<S: Source>(source: &mut S, ids: &str) -> Result<Outcome, Fault> {
    let known = known::<S>(0);
    let named: Vec<Uuid> = ids
        .split(',')
        .filter_map(|id| id.parse().ok())
        .filter(|id| known.contains(*id))
        .collect();
    let alive = source.alive(0, &named)?;
    let gone = named.into_iter().filter(|id| !alive.contains(id));
    let gone: Vec<Origin> = gone.map(|id| S::origin(0, id)).collect();
    let mut tally = Tally::default();
    let stays = archive(source, gone.clone(), &mut tally)?;
    let gone = gone.into_iter().filter(|origin| !stays.contains(origin));
    forget(source, gone)?;
    source.aside().rejected.save()?;
    tally.checkpoint();
    Ok(Outcome::Done)
}
