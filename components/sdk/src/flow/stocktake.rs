//! Receiving levels: what a counterpart has in a store becomes the stock of a warehouse here.
//!
//! A level that the counterpart is still working out stays as it is, and one that its report does not
//! have stays, too. Levels of goods that a store never had become zero once, when a warehouse is given
//! the store; where those are more than a few, people are asked first. A card with modifications has
//! its own stock and theirs.

use std::collections::{BTreeMap, HashSet};

use rust_decimal::Decimal;
use uuid::Uuid;

use super::cards;
use crate::brake;
use crate::erp::{catalog, stock};
use crate::import::{Tally, bound, fingerprint, saved};
use crate::model::{
    Decimal as Exact, Fault, Key, Origin, ProductKind, ProductLookup, Reason, StockLevel, Subject,
};

/// Kind of the records, as people see it in lists.
const STOCK: &str = "stock";

/// Levels in one call.
const BATCH: usize = 1_000;

/// Levels and cards that are read at a time.
const PAGE: usize = 100;

/// What a store has of a product: what lies there, what of it is reserved, and whether the counterpart is
/// still working it out. There may be hundreds of thousands in memory, so it is small.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    units: [i64; 2],
    scales: [Option<u8>; 2],
    /// The counterpart is still working it out.
    pub is_open: bool,
}

impl Level {
    /// Of figures as they were told.
    pub fn of(stock: Option<Decimal>, reserve: Option<Decimal>, is_open: bool) -> Level {
        let mut level = Level {
            is_open,
            ..Level::default()
        };
        stock.into_iter().for_each(|stock| level.set_stock(stock));
        reserve.into_iter().for_each(|one| level.set_reserve(one));
        level
    }

    /// What lies there; none where nobody told it.
    pub fn stock(&self) -> Option<Decimal> {
        self.get(0)
    }

    /// What of it is reserved; none where nobody told it.
    pub fn reserve(&self) -> Option<Decimal> {
        self.get(1)
    }

    /// Takes note of what lies there.
    pub fn set_stock(&mut self, stock: Decimal) {
        self.put(0, stock);
    }

    /// Takes note of what is reserved.
    pub fn set_reserve(&mut self, reserve: Decimal) {
        self.put(1, reserve);
    }

    fn get(&self, place: usize) -> Option<Decimal> {
        let scale = self.scales[place]?;
        Some(Decimal::new(self.units[place], scale.into()))
    }

    /// A figure that no stock has is none that was told.
    fn put(&mut self, place: usize, figure: Decimal) {
        if let Ok(exact) = Exact::try_from(figure.normalize()) {
            (self.units[place], self.scales[place]) = (exact.units, Some(exact.scale));
        }
    }
}

/// Keys of which it is only asked whether they are there, by their digests.
#[derive(Debug, Default)]
pub struct Reported(HashSet<u64>);

impl Reported {
    fn digest(key: &str) -> u64 {
        let print = fingerprint(0, &key);
        u64::from_le_bytes(print.last_chunk().copied().unwrap_or_default())
    }

    fn insert(&mut self, key: &str) {
        self.0.insert(Reported::digest(key));
    }

    fn contains(&self, key: &str) -> bool {
        self.0.contains(&Reported::digest(key))
    }
}

/// What became of the levels of a warehouse.
#[derive(Debug, Default)]
pub struct Levelled {
    /// The products that the report has.
    pub products: Reported,
    /// Levels that were set.
    pub written: u64,
    /// Rows of what the platform does not know.
    pub unknown: u64,
    /// Levels that the counterpart is still working out.
    pub open: u64,
}

/// Sets the levels of a warehouse, given by the ids of products and modifications, whose origins are of
/// the kinds [`cards::PRODUCT`] and [`cards::VARIANT`].
///
/// # Errors
/// The fault of a call as a whole.
pub fn set(
    warehouse: &Key,
    own: impl Iterator<Item = (Uuid, Level)>,
    origin: impl Fn(&str, Uuid) -> Origin,
    tally: &mut Tally,
) -> Result<Levelled, Fault> {
    let mut done = Levelled::default();
    let mut own = own.peekable();
    while own.peek().is_some() {
        let some: Vec<(Uuid, Level)> = own.by_ref().take(BATCH).collect();
        set_some(warehouse, &some, &origin, &mut done, tally)?;
    }
    Ok(done)
}

fn set_some(
    warehouse: &Key,
    some: &[(Uuid, Level)],
    origin: &impl Fn(&str, Uuid) -> Origin,
    done: &mut Levelled,
    tally: &mut Tally,
) -> Result<(), Fault> {
    let mut levels = Levelling::default();
    done.unknown += levels.add(some, origin);
    let own = (levels.own.iter()).map(|(product, level)| (product, None, level));
    let variants = levels.variants.iter();
    let variants = variants.map(|((product, variant), level)| (product, Some(variant), level));
    let mut new = Vec::with_capacity(levels.own.len() + levels.variants.len());
    for (product, variant, level) in own.chain(variants) {
        done.products.insert(product);
        match stock_level(warehouse, product, variant, *level) {
            Some(Ok(level)) => new.push(level),
            Some(Err(reason)) => reject(product, reason, tally),
            None => done.open += u64::from(level.is_open),
        }
    }
    let new = added_up(warehouse, new)?;
    for (level, outcome) in new.iter().zip(stock::set(&new)?) {
        match saved(outcome)? {
            Ok(saved) => {
                done.written += 1;
                tally.count(saved.effect);
            }
            Err(reason) => reject(&level.product, reason, tally),
        }
    }
    Ok(())
}

/// Levels as they came, by what the platform knows them as.
#[derive(Default)]
struct Levelling {
    own: BTreeMap<Key, Level>,
    variants: BTreeMap<(Key, Key), Level>,
}

impl Levelling {
    /// Finds products and modifications; reports do not tell which of them a row is of. Answers with
    /// how many the platform does not know.
    fn add(&mut self, rows: &[(Uuid, Level)], origin: &impl Fn(&str, Uuid) -> Origin) -> u64 {
        let origins =
            |word: &str| -> Vec<String> { rows.iter().map(|(id, _)| origin(word, *id)).collect() };
        let mut products = bound(cards::PRODUCT, &origins(cards::PRODUCT));
        let mut variants = bound(cards::VARIANT, &origins(cards::VARIANT));
        let mut unknown = 0;
        for (id, level) in rows {
            let variant = variants.remove(&origin(cards::VARIANT, *id));
            if let Some(binding) = products.remove(&origin(cards::PRODUCT, *id)) {
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
        unknown
    }
}

/// The levels, with those of cards that have modifications: what a card has is its own and theirs.
fn added_up(list: &Key, new: Vec<StockLevel>) -> Result<Vec<StockLevel>, Fault> {
    let varied = cards::varied();
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
        let read = |wire: Exact| Decimal::try_from(wire).ok();
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
        Exact::try_from(total.normalize()).ok()
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
    tally.reject(STOCK, Subject::Key(product.clone()), product, reason);
}

/// The level of a product; none while the counterpart does not know it. What lies there is shown as it is,
/// also below zero; what is for sale is never less than nothing.
fn stock_level(
    warehouse: &Key,
    product: &Key,
    variant: Option<&Key>,
    level: Level,
) -> Option<Result<StockLevel, Reason>> {
    let stock = level.stock().filter(|_| !level.is_open)?;
    let reserve = level.reserve().unwrap_or_default();
    let free = (stock - reserve).max(Decimal::ZERO);
    let wire = |number: Decimal| Exact::try_from(number.normalize());
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

/// Makes the levels of a warehouse zero that the counterpart's whole report did not have, and tells how
/// many those are; none when people have to agree to it first. `why` says what is about to happen to so
/// many of so many.
///
/// # Errors
/// The fault of a call as a whole.
pub fn zero(
    warehouse: &Key,
    reported: &Reported,
    why: impl FnOnce(usize, u64) -> Reason,
    tally: &mut Tally,
) -> Result<Option<u64>, Fault> {
    let nothing = Exact::default();
    let is_nothing = |level: &StockLevel| {
        [level.on_hand, level.reserved, level.available]
            .iter()
            .all(|number| number.units == 0)
    };
    let mut cursor: Option<String> = None;
    let (mut stale, mut of) = (Vec::new(), 0);
    loop {
        let page = stock::changed(cursor.as_deref(), PAGE as u32)?;
        let own = page.levels.into_iter();
        for level in own.filter(|level| level.warehouse == *warehouse && !is_nothing(level)) {
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
        named(warehouse, stale)?.into_iter().unzip();
    let reason = why(stale.len(), of);
    if !brake::confirmed(STOCK, reason, &mut products, of) {
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

/// Levels of a warehouse with what people know them by: what tells them from all others, and their
/// names. Sets and services are left out: they have no level that anybody could know.
fn named(warehouse: &str, levels: Vec<StockLevel>) -> Result<Vec<(StockLevel, Sample)>, Fault> {
    let mut cards = Vec::with_capacity(levels.len());
    for some in levels.chunks(PAGE) {
        let lookups: Vec<ProductLookup> = (some.iter())
            .map(|level| ProductLookup::Key(level.product.clone()))
            .collect();
        for (level, card) in some.iter().zip(catalog::find(&lookups)?) {
            let kind = card.as_ref().map(|card| card.kind);
            if matches!(kind, Some(ProductKind::Bundle | ProductKind::Service)) {
                continue;
            }
            let variant = level.product_variant.as_deref().unwrap_or_default();
            let id = format!("{warehouse}/{}/{variant}", level.product);
            let name = card.map_or_else(|| level.product.clone(), |card| card.name);
            cards.push((level.clone(), (id, name)));
        }
    }
    Ok(cards)
}

#[cfg(test)]
mod tests {
    use super::{Level, stock_level};
    use rust_decimal::Decimal;

    #[test]
    fn what_is_free_is_what_lies_there_less_what_is_reserved() {
        let figures = |stock: Option<Decimal>, reserve: i64, is_open: bool| {
            let level = Level::of(stock, Some(Decimal::from(reserve)), is_open);
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
}
