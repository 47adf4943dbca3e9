//! Products, sets and modifications between two full passes: what changed since the last look, found by
//! time of change, those that could not be taken, by their ids, and what a webhook says is gone. A
//! lost webhook costs time alone: changes are found here anyway, and deletions by the full pass.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tenon_sdk::ids::Ids;
use tenon_sdk::import::{Tally, fingerprint};
use tenon_sdk::model::{Directive, Fault, Outcome};
use tenon_sdk::rejected::Retry;
use tenon_sdk::state;
use uuid::Uuid;

use super::importer::Importer;
use super::{Context, REST, products};
use crate::api::NAMED;
use crate::api::meta::{Kind, origin};
use crate::api::moscow;
use crate::api::records::{self, Listed, PRODUCTS, SETS, VARIANTS};
use crate::api::walk::{Place, Row};

/// Up to where changes were read, and how far a run under way has come.
const CURSOR: &str = "changes";

/// The lists that changes are read of.
const LISTS: [Listed<'static>; 3] = [PRODUCTS, SETS, VARIANTS];

/// So many rows are known again, at most, that a look has met already.
const MOST_MET: usize = 2_000;

#[derive(Default, Serialize, Deserialize)]
struct Cursor {
    lists: [Looked; 3],
    /// Origins of cards that wait for people to agree to their archiving.
    aside: Vec<String>,
}

/// How far a list was looked at.
#[derive(Default, Serialize, Deserialize)]
struct Looked {
    /// The latest change that was seen, in MoySklad's words.
    seen: Option<String>,
    /// Where a run that was cut goes on.
    under_way: Option<Place>,
    /// Digests of the rows that the last look has met: looks overlap.
    met: BTreeSet<u64>,
}

/// Takes note that a full pass has read products and sets up to a change, and their modifications with
/// them. Changes that were read beyond it count further on.
pub fn read_up_to(newest: [Option<String>; 2]) -> Result<(), Fault> {
    let kept: Option<Cursor> = state::load(CURSOR);
    let is_first = kept.is_none();
    let mut cursor = kept.unwrap_or_default();
    let [product, set] = newest;
    let variant = product.clone().filter(|_| is_first);
    for (list, newest) in cursor.lists.iter_mut().zip([product, set, variant]) {
        list.seen = list.seen.take().max(newest);
        list.under_way = None;
    }
    state::save(CURSOR, &cursor)
}

/// Runs the job, or goes on with it. An argument names products that are said to be gone.
pub fn run(context: &Context, argument: Option<&str>, retry: &Retry) -> Result<Outcome, Fault> {
    if let Some(ids) = argument {
        return confirm(context, ids, retry);
    }
    let kept: Option<Cursor> = state::load(CURSOR);
    let Some(mut cursor) = kept.filter(|_| !products::is_outdated(context)) else {
        // Nothing was ever read, or another folder is chosen: that takes a full pass.
        return products::run(context, retry);
    };
    let mut tally = Tally::default();
    let mut importer = Importer::open(context, retry);
    if try_again(context, &mut importer, &mut tally)? == Directive::Stop {
        return Ok(Outcome::Suspended);
    }
    importer.archived = std::mem::take(&mut cursor.aside);
    for (place, list) in LISTS.iter().enumerate() {
        if look(context, place, list, &mut cursor, &mut importer, &mut tally)? == Directive::Stop {
            return Ok(Outcome::Suspended);
        }
    }
    let of = products::LISTS.map(|(_, known, _)| Ids::load(known).iter().count());
    cursor.aside = importer.archive(Vec::new(), of.iter().sum(), &mut tally)?;
    state::save(CURSOR, &cursor)?;
    importer.rejected.name_untried();
    tally.checkpoint();
    Ok(Outcome::Done)
}

/// Looks at what changed of one list.
fn look(
    context: &Context,
    number: usize,
    list: &Listed<'_>,
    cursor: &mut Cursor,
    importer: &mut Importer<'_>,
    tally: &mut Tally,
) -> Result<Directive, Fault> {
    let looked = &mut cursor.lists[number];
    let since = looked.seen.as_deref().and_then(moscow::before);
    let since = since.map(Place::since).unwrap_or_default();
    let mut next = Some(looked.under_way.take().unwrap_or(since));
    let mut met = BTreeSet::new();
    while let Some(place) = next {
        let Some(answer) = context.api.page_if_shown(list, &place)? else {
            return Ok(Directive::Proceed);
        };
        let page = context.api.rows(list, &place, &answer)?;
        let looked = &mut cursor.lists[number];
        let digests: Vec<u64> = page.rows.iter().map(digest).collect();
        let rows = page.rows.into_iter().zip(&digests);
        let rows = rows.filter(|(_, digest)| !looked.met.contains(digest));
        let rows: Vec<Row<'_>> = rows.map(|(row, _)| row).collect();
        met.extend(digests);
        looked.seen = looked.seen.take().max(page.newest.clone());
        next = page.next;
        looked.under_way.clone_from(&next);
        if next.is_none() {
            looked.met = std::mem::take(&mut met);
            if looked.met.len() > MOST_MET {
                looked.met.clear();
            }
        }
        match list.kind {
            Kind::Variant => of_variants(context, &rows, importer, tally)?,
            _ => take(list, &rows, importer, tally)?,
        }
        importer.rejected.save()?;
        // What is put aside is settled at the end of the run.
        cursor.aside.clone_from(&importer.archived);
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

/// Takes rows into the shop, and notes what is there.
fn take(
    list: &Listed<'_>,
    rows: &[Row<'_>],
    importer: &mut Importer<'_>,
    tally: &mut Tally,
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let met = importer.import(list, rows, tally)?;
    let place = usize::from(list.kind == Kind::Bundle);
    let mut known = Ids::load(products::LISTS[place].1);
    for id in met {
        known.insert(id);
    }
    known.save()
}

/// Takes the products whose modifications have changed.
fn of_variants(
    context: &Context,
    rows: &[Row<'_>],
    importer: &mut Importer<'_>,
    tally: &mut Tally,
) -> Result<(), Fault> {
    let read = rows.iter().filter_map(|row| {
        let read: records::Variant<'_> = serde_json::from_str(row.json.get()).ok()?;
        read.product.get()?.id()
    });
    let products: BTreeSet<Uuid> = read.collect();
    let products: Vec<Uuid> = products.into_iter().collect();
    for some in products.chunks(NAMED) {
        let answer = context.api.named(&PRODUCTS, some)?;
        let page = context.api.rows(&PRODUCTS, &Place::default(), &answer)?;
        take(&PRODUCTS, &page.rows, importer, tally)?;
    }
    Ok(())
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
        let mut left = some.to_vec();
        for list in [PRODUCTS, SETS] {
            if left.is_empty() {
                break;
            }
            let answer = context.api.named(&list, &left)?;
            let page = context.api.rows(&list, &Place::default(), &answer)?;
            left.retain(|id| !page.rows.iter().any(|row| row.id == Some(*id)));
            take(&list, &page.rows, importer, tally)?;
        }
        // Those that are not there any more are tried no more.
        for id in left {
            importer.rejected.settle(&id.to_string());
        }
        importer.rejected.save()?;
        // In a run of the schedule there is one such page, which goes along with the next.
        if importer.rejected.is_of_all() && tally.checkpoint() == Directive::Stop {
            return Ok(Directive::Stop);
        }
    }
    Ok(Directive::Proceed)
}

/// Archives those of the named products that are really gone: anybody could send a webhook.
fn confirm(context: &Context, ids: &str, retry: &Retry) -> Result<Outcome, Fault> {
    let known = Ids::load(products::LISTS[0].1);
    let named: Vec<Uuid> = ids
        .split(',')
        .filter_map(|id| id.parse().ok())
        .filter(|id| known.contains(*id))
        .collect();
    let alive = context.api.alive(Kind::Product, &named)?;
    let gone = named.into_iter().filter(|id| !alive.contains(id));
    let gone: Vec<String> = gone.map(|id| origin(Kind::Product.word(), id)).collect();
    let mut tally = Tally::default();
    let mut importer = Importer::open(context, retry);
    let stays = importer.archive(gone.clone(), known.iter().count(), &mut tally)?;
    let gone = gone.into_iter().filter(|origin| !stays.contains(origin));
    products::forget(gone, &mut importer)?;
    importer.rejected.save()?;
    tally.checkpoint();
    Ok(Outcome::Done)
}
