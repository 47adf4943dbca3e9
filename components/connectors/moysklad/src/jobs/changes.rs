//! Products between two full passes: what changed since the last look, found by time of change, those
//! that could not be taken, by their ids, and what a webhook says is gone. A lost webhook costs time
//! alone: changes are found here anyway, and deletions by the full pass.

use serde::{Deserialize, Serialize};
use tenon_sdk::import::Tally;
use tenon_sdk::model::{Directive, Fault, Outcome};
use tenon_sdk::rejected::Retry;
use tenon_sdk::state;
use uuid::Uuid;

use super::importer::{self, Importer};
use super::{Context, REST, products};
use crate::api::NAMED;
use crate::api::meta::Kind;
use crate::api::moscow;
use crate::api::records::PRODUCTS;
use crate::api::walk::Place;
use crate::known::Known;

/// Up to where changes were read, and how far a run under way has come.
const CURSOR: &str = "changes";

#[derive(Serialize, Deserialize)]
struct Cursor {
    /// The latest change that was seen, in MoySklad's words.
    seen: String,
    /// Where a run that was cut goes on.
    under_way: Option<Place>,
}

/// Takes note that a full pass has read everything up to a change. Changes that were read beyond it
/// count further on.
///
/// # Errors
/// `configuration` when storage is full.
pub fn read_up_to(newest: Option<String>) -> Result<(), Fault> {
    let before: Option<Cursor> = state::load(CURSOR);
    let seen = newest.max(before.map(|cursor| cursor.seen));
    match seen {
        Some(seen) => state::save(
            CURSOR,
            &Cursor {
                seen,
                under_way: None,
            },
        ),
        None => Ok(()),
    }
}

/// Runs the job, or goes on with it. An argument names products that are said to be gone.
///
/// # Errors
/// The fault that keeps it from going on.
pub fn run(context: &Context, argument: Option<&str>, retry: &Retry) -> Result<Outcome, Fault> {
    if let Some(ids) = argument {
        return confirm(context, ids);
    }
    let Some(mut cursor) = state::load::<Cursor>(CURSOR) else {
        // Nothing was ever read: the first synchronisation is a full pass.
        return products::run(context, retry);
    };
    let mut tally = Tally::default();
    let mut importer = Importer::open(context, retry);
    if try_again(context, &mut importer, &mut tally)? == Directive::Stop {
        return Ok(Outcome::Suspended);
    }
    let mut next = match &cursor.under_way {
        Some(place) => Some(place.clone()),
        None => moscow::before(&cursor.seen).map(Place::since),
    };
    let mut known = Known::load(products::KNOWN);
    while let Some(place) = next {
        let answer = context.api.page(&PRODUCTS, &place)?;
        let page = context.api.rows(&PRODUCTS, &place, &answer)?;
        importer.import(&page.rows, &mut tally)?;
        for id in page.rows.iter().filter_map(|row| row.id) {
            known.insert(id);
        }
        if let Some(newest) = page.newest
            && newest > cursor.seen
        {
            cursor.seen = newest;
        }
        next = page.next;
        cursor.under_way.clone_from(&next);
        known.save()?;
        importer.rejected.save()?;
        state::save(CURSOR, &cursor)?;
        if tally.checkpoint() == Directive::Stop && next.is_some() {
            return Ok(Outcome::Suspended);
        }
    }
    importer.rejected.name_untried();
    Ok(Outcome::Done)
}

/// Tries products again that could not be taken: some, or all when people asked for it. What keeps
/// one back is not always mended on its own card.
fn try_again(
    context: &Context,
    importer: &mut Importer<'_>,
    tally: &mut Tally,
) -> Result<Directive, Fault> {
    let due = importer.rejected.due(NAMED, REST);
    let due: Vec<Uuid> = due.iter().filter_map(|id| id.parse().ok()).collect();
    for some in due.chunks(NAMED) {
        let answer = context.api.named(&PRODUCTS, some)?;
        let page = context.api.rows(&PRODUCTS, &Place::default(), &answer)?;
        // Those that are not there any more are tried no more.
        for id in some {
            importer.rejected.settle(&id.to_string());
        }
        importer.import(&page.rows, tally)?;
        importer.rejected.save()?;
        // In a run of the schedule there is one such page, which goes along with the next.
        if importer.rejected.is_of_all() && tally.checkpoint() == Directive::Stop {
            return Ok(Directive::Stop);
        }
    }
    Ok(Directive::Proceed)
}

/// Archives those of the named products that are really gone: anybody could send a webhook.
fn confirm(context: &Context, ids: &str) -> Result<Outcome, Fault> {
    let mut known = Known::load(products::KNOWN);
    let named: Vec<Uuid> = ids
        .split(',')
        .filter_map(|id| id.parse().ok())
        .filter(|id| known.contains(*id))
        .collect();
    let alive = context.api.alive(Kind::Product, &named)?;
    let gone: Vec<Uuid> = named.into_iter().filter(|id| !alive.contains(id)).collect();
    let mut tally = Tally::default();
    if importer::archive(&gone, known.iter().count(), &mut tally)? {
        for id in gone {
            known.remove(id);
        }
    }
    known.save()?;
    tally.checkpoint();
    Ok(Outcome::Done)
}
