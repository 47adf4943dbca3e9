//! Stock per store into the shop's price lists. In between only what changed is read; at times, and
//! when somebody asks for it, everything.
//!
//! The short report gives one figure at a time, so what lies in a store and what of it is reserved
//! are two requests, for all stores at once. What MoySklad is still working out stands there as
//! `null`: such a level stays as it is, and is asked for again. What does not stand there at all stays,
//! too: with noughts asked for, only what never moved is left out. Levels of goods that the store
//! never had become zero once, when a price list is given the store; where those are more than a few,
//! people are asked first.

use std::collections::{BTreeMap, HashMap, HashSet};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use tenon_sdk::erp::directories;
use tenon_sdk::flow::cards;
use tenon_sdk::flow::stocktake::{self, Level, Levelled};
use tenon_sdk::import::Tally;
use tenon_sdk::model::{Cause, Directive, Directory, Fault, Instant, Key, Outcome};
use tenon_sdk::time::{self, MINUTE, SECOND};
use tenon_sdk::{Call, info, reason, state, warn};
use uuid::Uuid;

use super::Context;
use crate::api::TOKEN;
use crate::api::meta::origin;
use crate::api::moscow::{self, OVERLAP};
use crate::api::records::StockRow;
use crate::settings::{PriceList, Settings};

const REPORT: &str = "/report/stock/bystore/current";

/// Asks for noughts, too.
const ZEROS: (&str, &str) = ("include", "zeroLines");

/// Everything is read again after so long; the report of changes goes back no more than a day.
const WHOLE_EVERY: Instant = 20 * 60 * MINUTE;

/// A run that comes a little early counts as in time.
const EARLY: Instant = 30 * SECOND;

/// Products that a filter of the report names at most, and how many are asked for so at most.
const NAMED: usize = 100;
const MOST_NAMED: usize = 300;

/// Price lists that a run which was cut has done, and when its call began.
const DONE: &str = "stock-done";

/// When a price list was synchronised.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Synchronised {
    /// By MoySklad's clock: what changed later is read next time.
    at: Instant,
    /// By MoySklad's clock: when everything was read; [`AGAIN`] when that has to be done with the next
    /// run.
    whole: Instant,
    /// By ours.
    looked: Instant,
    /// Cards that were bound then: the stock of later ones may never have been read.
    cards: u64,
    /// The store whose goods alone the price list shows; none while people are asked whether the
    /// levels of others become zero.
    #[serde(default)]
    store: Option<Uuid>,
}

impl Synchronised {
    /// Whether everything is read again with the next run, due or not: a question to people is asked
    /// by each run, and what MoySklad was working out is known soon.
    fn is_open(&self) -> bool {
        self.whole == AGAIN
    }

    /// Whether so many minutes have passed. A clock that was set back makes it due, too.
    fn is_due(&self, minutes: u32, now: Instant) -> bool {
        let wait = Instant::from(minutes) * MINUTE - EARLY;
        now - self.looked >= wait || self.looked > now
    }
}

/// In the place of when everything was read: as if that had never been.
const AGAIN: Instant = 0;

/// By store and product.
type Levels = HashMap<Uuid, BTreeMap<Uuid, Level>>;

/// Runs the job. An argument or an action names one price list, which is done at once.
pub fn run(context: &Context, call: &Call<'_, Settings>) -> Result<Outcome, Fault> {
    let retry = &call.retry;
    let only = match (call.argument, call.cause) {
        (Some(key), _) => Some(key),
        (None, Cause::Action(action)) => Some(action.target.key.as_str()),
        _ => None,
    };
    let at_once = only.is_some() || retry.is_of_all();
    let names = names(context, only)?;
    // Whoever asks for one price list means now, whatever a run that was cut has done.
    let mut done: Vec<Key> = Vec::new();
    if only.is_none() {
        let before: Option<(Instant, Vec<Key>)> = state::load(DONE);
        // What was done before people asked was rejected before they did.
        let counts = |at: Instant| retry.since().is_none_or(|since| at >= since);
        done = before
            .filter(|(at, _)| counts(*at))
            .map_or_else(Vec::new, |(_, lists)| lists);
        state::forget(DONE);
    }
    let now = time::now();
    let mut due: Vec<(&PriceList, Option<Synchronised>)> = Vec::new();
    for list in &context.settings.price_lists {
        let chosen = only.is_none_or(|only| only == list.price_list);
        let last: Option<Synchronised> = state::load(&kept(list));
        let in_time = last.is_none_or(|last| last.is_due(list.minutes, now) || last.is_open());
        if chosen && !done.contains(&list.price_list) && (at_once || in_time) {
            due.push((list, last));
        }
    }
    let mut tally = Tally::default();
    if due.is_empty() {
        return Ok(Outcome::Done);
    }
    let cards = cards::ever_bound();
    let stores: HashSet<Uuid> = due.iter().map(|(list, _)| list.store).collect();
    // A price list with a store of its own choosing, or cards whose stock was never read.
    let more = due.iter().any(|(list, last)| {
        last.is_some_and(|last| last.cards != cards || last.store != Some(list.store))
    });
    // Levels that were rejected need not have changed since.
    let at_large = only.is_some() || retry.is_of_all() || more;
    let reading = read(context, &due, &stores, at_large, now)?;
    if reading.is_nothing && cards > 0 {
        // A credential that may see no stock gets an empty report and no error.
        for (list, _) in &due {
            warn!(
                record = list.price_list,
                reason!("stock.empty").credential(TOKEN)
            );
        }
        return Ok(Outcome::Done);
    }
    let last = due.len();
    for (number, (list, before)) in (1..).zip(&due) {
        let name = names.get(&list.price_list).unwrap_or(&list.price_list);
        let written = write(list, name, &reading, &mut tally)?;
        let mut store = before.and_then(|before| before.store);
        if reading.whole && store != Some(list.store) {
            let gone = |number, total| {
                reason!(
                    "stock.gone",
                    number = number,
                    total = total,
                    price_list = name
                )
                .credential(TOKEN)
            };
            let reported = &written.products;
            let zeroed = stocktake::zero(&list.price_list, reported, gone, &mut tally)?;
            store = zeroed.map(|_| list.store);
            if let Some(zeroed) = zeroed.filter(|zeroed| *zeroed > 0) {
                info!(record = list.price_list, "stock.zeroed", number = zeroed);
            }
        }
        let whole = match before {
            _ if written.open > 0 || store.is_none() => AGAIN,
            Some(before) if !reading.whole => before.whole,
            _ => reading.at,
        };
        let kept_now = Synchronised {
            at: reading.at,
            whole,
            looked: now,
            cards,
            store,
        };
        state::save(&kept(list), &kept_now)?;
        done.push(list.price_list.clone());
        if only.is_none() && number < last {
            state::save(DONE, &(retry.now(), &done))?;
        } else if only.is_none() {
            state::forget(DONE);
        }
        if tally.checkpoint() == Directive::Stop && number < last {
            return Ok(Outcome::Suspended);
        }
    }
    Ok(Outcome::Done)
}

fn kept(list: &PriceList) -> String {
    format!("stock/{}", list.price_list)
}

/// Names of the price lists.
fn names(context: &Context, only: Option<&str>) -> Result<HashMap<Key, String>, Fault> {
    let names: HashMap<Key, String> = directories::list(Directory::Warehouses)?
        .into_iter()
        .map(|entry| (entry.key, entry.name))
        .collect();
    let lists = &context.settings.price_lists;
    if let Some(only) = only
        && !lists.iter().any(|list| list.price_list == only)
    {
        // The button stands on every warehouse; the others are none the worse for it.
        let reason = reason!("stock.no-store", key = only);
        return Err(Fault::Rejected(reason.setting("price_lists")));
    }
    Ok(names)
}

/// What was read.
struct Reading {
    levels: Levels,
    whole: bool,
    /// Everything was asked for, and no store had anything.
    is_nothing: bool,
    at: Instant,
}

fn read(
    context: &Context,
    due: &[(&PriceList, Option<Synchronised>)],
    stores: &HashSet<Uuid>,
    at_large: bool,
    now: Instant,
) -> Result<Reading, Fault> {
    let oldest = |pick: fn(&Synchronised) -> Instant| {
        let times = due.iter().map(|(_, last)| last.as_ref().map(pick));
        times.min().flatten()
    };
    let since = oldest(|last| last.at);
    let stale = oldest(|last| last.whole).is_none_or(|whole| now - whole >= WHOLE_EVERY);
    let late = since.is_none_or(|since| now - since >= WHOLE_EVERY);
    if let Some(since) = since
        && !at_large
        && !stale
        && !late
        && let Some(reading) = read_changes(context, stores, since)?
    {
        return Ok(reading);
    }
    let mut levels = Levels::new();
    let (at, rows) = figure(context, "stock", &[ZEROS], stores, &mut levels)?;
    let (_, reserves) = figure(context, "reserve", &[ZEROS], stores, &mut levels)?;
    Ok(Reading {
        levels,
        whole: true,
        is_nothing: rows + reserves == 0,
        at,
    })
}

/// What changed since a moment; none when that is so much that all is read sooner.
fn read_changes(
    context: &Context,
    stores: &HashSet<Uuid>,
    since: Instant,
) -> Result<Option<Reading>, Fault> {
    let since = moscow::text(since - OVERLAP);
    let changed = ("changedSince", since.as_str());
    let mut levels = Levels::new();
    let (at, _) = figure(context, "stock", &[changed], stores, &mut levels)?;
    figure(context, "reserve", &[changed], stores, &mut levels)?;
    // A product whose stock changed may be missing where only its reserve is told, and vice versa.
    for (name, missing) in [
        ("stock", half_known(&levels, Level::stock)),
        ("reserve", half_known(&levels, Level::reserve)),
    ] {
        if missing.len() > MOST_NAMED {
            return Ok(None);
        }
        for some in missing.chunks(NAMED) {
            let ids: Vec<String> = some.iter().map(Uuid::to_string).collect();
            let filter = format!("assortmentId={}", ids.join(","));
            let query = [ZEROS, ("filter", filter.as_str())];
            figure(context, name, &query, stores, &mut levels)?;
        }
    }
    Ok(Some(Reading {
        levels,
        whole: false,
        is_nothing: false,
        at,
    }))
}

/// Products of which a figure was not told in some store.
fn half_known(levels: &Levels, figure: fn(&Level) -> Option<Decimal>) -> Vec<Uuid> {
    let missing = levels.values().flatten();
    let missing = missing.filter(|(_, level)| figure(level).is_none() && !level.is_open);
    let mut products: Vec<Uuid> = missing.map(|(product, _)| *product).collect();
    products.sort_unstable();
    products.dedup();
    products
}

/// Reads one figure of the stores; answers with the time by MoySklad's clock, and how many rows the
/// report has.
fn figure(
    context: &Context,
    name: &str,
    query: &[(&str, &str)],
    stores: &HashSet<Uuid>,
    levels: &mut Levels,
) -> Result<(Instant, usize), Fault> {
    let mut all = vec![("stockType", name), ("withRecalculate", "true")];
    all.extend_from_slice(query);
    let begun = time::now();
    let mut number = 0;
    let answer = context.api.each(REPORT, &all, |row: StockRow| {
        number += 1;
        let (Some(store), Some(product)) = (row.store_id, row.assortment_id) else {
            return;
        };
        if !stores.contains(&store) {
            return;
        }
        let of_store = levels.entry(store).or_default();
        let level = of_store.entry(product).or_default();
        let told = match name {
            "reserve" => row.reserve.get(),
            _ => row.stock.get(),
        };
        match told {
            Some(told) if name == "reserve" => level.set_reserve(told),
            Some(told) => level.set_stock(told),
            None => level.is_open = true,
        }
    })?;
    // Cut to the second, so it is never ahead of what was read.
    Ok((answer.date().unwrap_or(begun).min(begun), number))
}

/// Sets the levels of one price list, and tells people.
fn write(
    list: &PriceList,
    name: &str,
    reading: &Reading,
    tally: &mut Tally,
) -> Result<Levelled, Fault> {
    let own = reading.levels.get(&list.store).into_iter().flatten();
    let own = own.map(|(product, level)| (*product, *level));
    let done = stocktake::set(&list.price_list, own, origin, tally)?;
    let (price_list, levels, unknown) = (name, done.written, done.unknown);
    let told = match reading.whole {
        true => reason!(
            "stock.read-all",
            price_list = price_list,
            levels = levels,
            unknown = unknown
        ),
        false => reason!(
            "stock.read-changes",
            price_list = price_list,
            levels = levels,
            unknown = unknown
        ),
    };
    let key = &list.price_list;
    info!(record = key, told);
    if done.open > 0 {
        warn!(
            record = key,
            "stock.open",
            price_list = name,
            number = done.open
        );
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::{EARLY, Level, Levels, MINUTE, Synchronised, half_known};
    use rust_decimal::Decimal;
    use std::collections::BTreeMap;
    use uuid::Uuid;

    #[test]
    fn a_price_list_is_due_by_its_own_frequency() {
        let looked = 1_000 * MINUTE;
        let last = Synchronised {
            at: 0,
            whole: 0,
            looked,
            cards: 0,
            store: None,
        };
        assert!(!last.is_due(60, looked + 15 * MINUTE));
        assert!(last.is_due(15, looked + 15 * MINUTE));
        assert!(
            last.is_due(15, looked + 15 * MINUTE - EARLY),
            "a little early"
        );
        assert!(!last.is_due(15, looked + 14 * MINUTE));
        assert!(last.is_due(15, looked - 1), "the clock was set back");
    }

    #[test]
    fn a_product_of_which_half_is_told_is_asked_for_again() {
        let (store, whole, half) = (Uuid::nil(), Uuid::from_u128(1), Uuid::from_u128(2));
        let one = Some(Decimal::ONE);
        let own = BTreeMap::from([
            (whole, Level::of(one, one, false)),
            (half, Level::of(one, None, false)),
        ]);
        let levels = Levels::from([(store, own)]);
        assert!(half_known(&levels, Level::stock).is_empty());
        assert_eq!(half_known(&levels, Level::reserve), [half]);
    }
}
