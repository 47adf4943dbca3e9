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
use tenon_sdk::erp::{catalog, directories, stock};
use tenon_sdk::import::{Tally, bound, saved};
use tenon_sdk::model::{
    self, Cause, Directive, Directory, Fault, Instant, Key, Outcome, ProductKind, ProductLookup,
    Reason, StockLevel, Subject,
};
use tenon_sdk::rejected::Retry;
use tenon_sdk::time::{self, MINUTE, SECOND};
use tenon_sdk::{brake, info, reason, state, warn};
use uuid::Uuid;

use super::{Context, PRODUCT, VARIANT, importer};
use crate::api::TOKEN;
use crate::api::meta::origin;
use crate::api::moscow::{self, OVERLAP};
use crate::api::records::StockRow;
use crate::settings::PriceList;

const REPORT: &str = "/report/stock/bystore/current";

/// Asks for noughts, too.
const ZEROS: (&str, &str) = ("include", "zeroLines");

/// Everything is read again after so long; the report of changes goes back no more than a day.
const WHOLE_EVERY: Instant = 20 * 60 * MINUTE;

/// A run that comes a little early counts as in time.
const EARLY: Instant = 30 * SECOND;

/// Levels in one call.
const BATCH: usize = 1_000;

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

/// What a store has of a product.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Level {
    stock: Option<Decimal>,
    reserve: Option<Decimal>,
    /// MoySklad is still working it out.
    is_open: bool,
}

type Levels = HashMap<(Uuid, Uuid), Level>;

/// Runs the job. An argument or an action names one price list, which is done at once.
///
/// # Errors
/// The fault that keeps it from going on.
pub fn run(
    context: &Context,
    argument: Option<&str>,
    cause: &Cause,
    retry: &Retry,
) -> Result<Outcome, Fault> {
    let only = match (argument, cause) {
        (Some(key), _) => Some(key),
        (None, Cause::Action(call)) => Some(call.target.key.as_str()),
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
    let cards = importer::cards_bound();
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
        let written = write(list, &names, &reading, &mut tally)?;
        let mut store = before.and_then(|before| before.store);
        if reading.whole && store != Some(list.store) {
            let zeroed = zero(list, &names, &written.products, &mut tally)?;
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
    if let Some(list) = lists
        .iter()
        .find(|list| !names.contains_key(&list.price_list))
    {
        let reason = reason!("stock.no-price-list", key = list.price_list);
        return Err(Fault::Configuration(reason.setting("price_lists")));
    }
    if let Some(only) = only
        && !lists.iter().any(|list| list.price_list == only)
    {
        let reason = reason!("stock.no-store", key = only);
        return Err(Fault::Configuration(reason.setting("price_lists")));
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
        ("stock", half_known(&levels, |level| level.stock)),
        ("reserve", half_known(&levels, |level| level.reserve)),
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
    let missing = levels.iter();
    let missing = missing.filter(|(_, level)| figure(level).is_none() && !level.is_open);
    let mut products: Vec<Uuid> = missing.map(|((_, product), _)| *product).collect();
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
    let answer = context.api.get(REPORT, &all)?;
    let rows: Vec<StockRow> = answer.json()?;
    let number = rows.len();
    for row in rows {
        let (Some(store), Some(product)) = (row.store_id, row.assortment_id) else {
            continue;
        };
        if !stores.contains(&store) {
            continue;
        }
        let level = levels.entry((store, product)).or_default();
        let (told, kept) = match name {
            "reserve" => (row.reserve.get(), &mut level.reserve),
            _ => (row.stock.get(), &mut level.stock),
        };
        *kept = told.or(*kept);
        level.is_open |= told.is_none();
    }
    // Cut to the second, so it is never ahead of what was read.
    Ok((answer.date().unwrap_or(begun).min(begun), number))
}

/// What became of the levels of a price list.
#[derive(Default)]
struct Levelled {
    /// The products that the report has.
    products: HashSet<Key>,
    /// Levels that MoySklad is still working out.
    open: u64,
}

/// Writes the levels of one price list.
fn write(
    list: &PriceList,
    names: &HashMap<Key, String>,
    reading: &Reading,
    tally: &mut Tally,
) -> Result<Levelled, Fault> {
    let mut own: Vec<(Uuid, Level)> = reading
        .levels
        .iter()
        .filter(|((store, _), _)| *store == list.store)
        .map(|((_, product), level)| (*product, *level))
        .collect();
    own.sort_unstable_by_key(|(product, _)| *product);
    let (mut written, mut unknown) = (0_u64, 0_u64);
    let mut done = Levelled::default();
    let mut levels = Levelling::default();
    for some in own.chunks(BATCH) {
        unknown += levels.add(some)?;
    }
    let mut given = Vec::with_capacity(levels.own.len());
    for (product, level) in &levels.own {
        done.products.insert(product.clone());
        given.push((product, None, *level));
    }
    for ((product, variant), level) in &levels.variants {
        done.products.insert(product.clone());
        given.push((product, Some(variant), *level));
    }
    let mut new = Vec::with_capacity(given.len());
    for (product, variant, level) in given {
        match stock_level(&list.price_list, product, variant, level) {
            Some(Ok(level)) => new.push(level),
            Some(Err(reason)) => reject(product, reason, tally),
            None => done.open += u64::from(level.is_open),
        }
    }
    let new = added_up(&list.price_list, new)?;
    for some in new.chunks(BATCH) {
        for (level, outcome) in some.iter().zip(stock::set(some)?) {
            match saved(outcome)? {
                Ok(saved) => {
                    written += 1;
                    tally.count(saved.effect);
                }
                Err(reason) => reject(&level.product, reason, tally),
            }
        }
    }
    let key = &list.price_list;
    let name = names.get(key).map_or(key.as_str(), String::as_str);
    let (price_list, levels) = (name, written);
    info!(
        record = key,
        match reading.whole {
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
        }
    );
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

/// Rows of the report, as the shop knows them.
#[derive(Default)]
struct Levelling {
    own: BTreeMap<Key, Level>,
    variants: BTreeMap<(Key, Key), Level>,
}

impl Levelling {
    /// Finds products and modifications in the shop; the report does not tell which of them a row is
    /// of. Answers with how many the shop does not know.
    fn add(&mut self, rows: &[(Uuid, Level)]) -> Result<u64, Fault> {
        let origins =
            |word: &str| -> Vec<String> { rows.iter().map(|(id, _)| origin(word, *id)).collect() };
        let mut products = bound(PRODUCT, &origins(PRODUCT));
        let mut variants = bound(VARIANT, &origins(VARIANT));
        let mut unknown = 0;
        for (id, level) in rows {
            let variant = variants.remove(&origin(VARIANT, *id));
            if let Some(binding) = products.remove(&origin(PRODUCT, *id)) {
                self.own.insert(binding.key, *level);
            } else if let Some((product, variant)) =
                variant.as_ref().and_then(|one| one.key.rsplit_once('/'))
            {
                let key = (product.to_owned(), variant.to_owned());
                self.variants.insert(key, *level);
            } else {
                unknown += 1;
            }
        }
        Ok(unknown)
    }
}

/// The levels, with those of cards that have modifications: what a card has is its own and theirs.
fn added_up(list: &Key, new: Vec<StockLevel>) -> Result<Vec<StockLevel>, Fault> {
    let varied = importer::varied();
    let (of_varied, mut levels): (Vec<StockLevel>, Vec<StockLevel>) =
        (new.into_iter()).partition(|level| varied.contains(&level.product));
    let mut cards: BTreeMap<Key, Vec<StockLevel>> = BTreeMap::new();
    for level in of_varied {
        cards.entry(level.product.clone()).or_default().push(level);
    }
    let keys: Vec<Key> = cards.keys().cloned().collect();
    for some in keys.chunks(BATCH) {
        let before = stock::levels(some, Some(list))?;
        for (key, before) in some.iter().zip(before) {
            let new = cards.remove(key).unwrap_or_default();
            let sum = sum(list, key, &before, &new);
            levels.extend(
                new.into_iter()
                    .filter(|level| level.product_variant.is_some()),
            );
            levels.extend(sum);
        }
    }
    Ok(levels)
}

/// The level of a card with modifications, from what was there before and what is new.
fn sum(list: &Key, product: &Key, before: &[StockLevel], new: &[StockLevel]) -> Option<StockLevel> {
    let figures = |level: &StockLevel| -> Option<[Decimal; 3]> {
        let read = |wire: model::Decimal| Decimal::try_from(wire).ok();
        Some([
            read(level.on_hand)?,
            read(level.reserved)?,
            read(level.available)?,
        ])
    };
    let (mut own, mut variants) = ([Decimal::ZERO; 3], BTreeMap::new());
    for level in before {
        match &level.product_variant {
            Some(variant) => drop(variants.insert(variant, figures(level)?)),
            None => own = figures(level)?,
        }
    }
    let all = |variants: &BTreeMap<&Key, [Decimal; 3]>, place: usize| -> Decimal {
        variants.values().map(|figures| figures[place]).sum()
    };
    for (place, own) in own.iter_mut().enumerate() {
        *own -= all(&variants, place);
    }
    for level in new {
        match &level.product_variant {
            Some(variant) => drop(variants.insert(variant, figures(level)?)),
            None => own = figures(level)?,
        }
    }
    let total = |place: usize| {
        let total = own[place].max(Decimal::ZERO) + all(&variants, place);
        model::Decimal::try_from(total.normalize()).ok()
    };
    Some(StockLevel {
        product: product.clone(),
        product_variant: None,
        warehouse: list.clone(),
        on_hand: total(0)?,
        reserved: total(1)?,
        available: total(2)?,
    })
}

fn reject(product: &Key, reason: Reason, tally: &mut Tally) {
    tally.reject("stock", Subject::Key(product.clone()), product, reason);
}

/// The level of a product; none while MoySklad does not know it. What lies there is shown as it is,
/// also below zero; what is for sale is never less than nothing.
fn stock_level(
    warehouse: &Key,
    product: &Key,
    variant: Option<&Key>,
    level: Level,
) -> Option<Result<StockLevel, Reason>> {
    let stock = level.stock.filter(|_| !level.is_open)?;
    let reserve = level.reserve.unwrap_or_default();
    let free = (stock - reserve).max(Decimal::ZERO);
    let wire = |number: Decimal| model::Decimal::try_from(number.normalize());
    let figures = || Ok((wire(stock)?, wire(reserve)?, wire(free)?));
    Some(figures().map(|(on_hand, reserved, available)| StockLevel {
        product: product.clone(),
        product_variant: variant.cloned(),
        warehouse: warehouse.clone(),
        on_hand,
        reserved,
        available,
    }))
}

/// Makes the levels of a price list zero that the report on its new store did not have, and tells how
/// many those are; none when people have to agree to it first.
fn zero(
    list: &PriceList,
    names: &HashMap<Key, String>,
    reported: &HashSet<Key>,
    tally: &mut Tally,
) -> Result<Option<u64>, Fault> {
    let nothing = model::Decimal::default();
    let is_nothing = |level: &StockLevel| {
        [level.on_hand, level.reserved, level.available]
            .iter()
            .all(|number| number.units == 0)
    };
    let mut cursor: Option<String> = None;
    let (mut stale, mut of) = (Vec::new(), 0);
    loop {
        let page = stock::changed(cursor.as_deref(), 100)?;
        let own = page.levels.into_iter();
        for level in own.filter(|level| level.warehouse == list.price_list && !is_nothing(level)) {
            of += 1;
            if !reported.contains(&level.product) {
                stale.push(StockLevel {
                    on_hand: nothing,
                    reserved: nothing,
                    available: nothing,
                    ..level
                });
            }
        }
        cursor = Some(page.next);
        if !page.more {
            break;
        }
    }
    let (stale, mut products): (Vec<StockLevel>, Vec<Sample>) =
        cards(&list.price_list, stale)?.into_iter().unzip();
    let name = names.get(&list.price_list).unwrap_or(&list.price_list);
    let reason = reason!(
        "stock.gone",
        number = stale.len(),
        total = of,
        price_list = name
    )
    .credential(TOKEN);
    if !brake::confirmed("stock", reason, &mut products, of) {
        return Ok(None);
    }
    for some in stale.chunks(BATCH) {
        for outcome in stock::set(some)? {
            tally.count(outcome?.effect);
        }
    }
    Ok(Some(stale.len() as u64))
}

/// What tells a level from all others, and its name for people.
type Sample = (String, String);

/// Levels of a price list with what people know them by: what tells them from all others, and their
/// names. Sets and services are left out: they have no level that MoySklad could know.
fn cards(list: &str, levels: Vec<StockLevel>) -> Result<Vec<(StockLevel, Sample)>, Fault> {
    let mut cards = Vec::with_capacity(levels.len());
    for some in levels.chunks(NAMED) {
        let lookups: Vec<ProductLookup> = (some.iter())
            .map(|level| ProductLookup::Key(level.product.clone()))
            .collect();
        for (level, card) in some.iter().zip(catalog::find(&lookups)?) {
            let kind = card.as_ref().map(|card| card.kind);
            if matches!(kind, Some(ProductKind::Bundle | ProductKind::Service)) {
                continue;
            }
            let variant = level.product_variant.as_deref().unwrap_or_default();
            let id = format!("{list}/{}/{variant}", level.product);
            let name = card.map_or_else(|| level.product.clone(), |card| card.name);
            cards.push((level.clone(), (id, name)));
        }
    }
    Ok(cards)
}

#[cfg(test)]
mod tests {
    use super::{EARLY, Level, Levels, MINUTE, Synchronised, half_known, stock_level};
    use rust_decimal::Decimal;
    use uuid::Uuid;

    #[test]
    fn what_is_free_is_what_lies_there_less_what_is_reserved() {
        let figures = |stock: Option<Decimal>, reserve: i64, is_open: bool| {
            let level = Level {
                stock,
                reserve: Some(Decimal::from(reserve)),
                is_open,
            };
            stock_level(&"w".to_owned(), &"p".to_owned(), None, level)
        };
        let level = figures(Some(Decimal::new(125, 1)), 2, false);
        let level = level.expect("known").expect("a level");
        assert_eq!((level.on_hand.units, level.on_hand.scale), (125, 1));
        assert_eq!((level.reserved.units, level.reserved.scale), (2, 0));
        assert_eq!((level.available.units, level.available.scale), (105, 1));
        let level = figures(Some(Decimal::from(-4)), 0, false);
        let level = level.expect("known").expect("a level");
        assert_eq!((level.on_hand.units, level.available.units), (-4, 0));
        assert!(figures(Some(Decimal::ONE), 0, true).is_none());
        assert!(figures(None, 0, false).is_none());
    }

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
        let levels: Levels = [
            (
                (store, whole),
                Level {
                    stock: one,
                    reserve: one,
                    is_open: false,
                },
            ),
            (
                (store, half),
                Level {
                    stock: one,
                    reserve: None,
                    is_open: false,
                },
            ),
        ]
        .into();
        assert!(half_known(&levels, |level| level.stock).is_empty());
        assert_eq!(half_known(&levels, |level| level.reserve), [half]);
    }
}
