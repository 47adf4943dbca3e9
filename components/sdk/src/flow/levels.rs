//! Sending levels: what changed on the platform in one warehouse goes to the counterpart where it shows
//! another number.
//!
//! The changes are read from where the last run ended, and after each batch the place is kept. A run
//! that dies sends the batch again, which is no harm: levels are absolute. The counterpart is asked what
//! it shows only when something changed. A level that it refuses keeps no other back, is listed by its
//! product, and is tried again. Less than nothing is shown as nothing, and no part of a piece.

use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;

use crate::declare::Declared;
use crate::erp::stock;
use crate::http::Error;
use crate::import::Tally;
use crate::model::{
    Change, Directive, Effect, Fault, FieldChange, Key, Outcome, Reason, RunMode, StockLevel,
    Subject, Written,
};
use crate::origin::origin;
use crate::rejected::{Rejected, Retry};
use crate::runtime::{bindings, run};
use crate::{info, state};

/// Kind of the records, as people see it in lists.
const STOCK: &str = "stock";

/// Levels that are sent between two checkpoints.
const BATCH: u32 = 50;

const CURSOR: &str = "stock/cursor";

/// What the counterpart shows.
pub trait Shelf {
    /// The connector whose counterpart it is.
    type Connector: Declared;

    /// Kind of the pairs of products.
    const PRODUCT: &'static str;

    /// All that it shows, by the id in the origins of products.
    ///
    /// # Errors
    /// The fault that an answer came to.
    fn shown(&self) -> Result<HashMap<String, Decimal>, Fault>;

    /// Has it show another number.
    ///
    /// # Errors
    /// A status that refuses this level alone, or the fault that the answer came to.
    fn put(&self, id: &str, number: Decimal) -> Result<(), Error>;
}

/// Where to go on in the changes of the platform, and for which warehouse that was.
type Cursor = (Key, Option<String>);

/// Runs a job that sends the levels of a warehouse, or goes on with it.
///
/// # Errors
/// The fault that keeps it from going on.
pub fn run<S: Shelf>(shelf: &S, warehouse: &str, retry: &Retry) -> Result<Outcome, Fault> {
    let kept: Option<Cursor> = state::load(CURSOR);
    if kept.as_ref().is_some_and(|(of, _)| of != warehouse) {
        info!("sdk.pull.read-again");
    }
    let kept = kept.filter(|(of, _)| of == warehouse);
    let mut after = kept.and_then(|(_, after)| after);
    let mut sending = Sending {
        shelf,
        shown: None,
        rejected: Rejected::load(STOCK, "stock/failed/", retry),
        tally: Tally::default(),
    };
    let due = sending.rejected.due(BATCH as usize, 0);
    sending.send(&due, warehouse)?;
    loop {
        let page = stock::changed(after.as_deref(), BATCH)?;
        let own = page.levels.iter();
        let own = own.filter(|level| level.warehouse == warehouse);
        let mut changed: Vec<Key> = own.map(|level| level.product.clone()).collect();
        changed.dedup();
        sending.send(&changed, warehouse)?;
        after = Some(page.next);
        state::save(CURSOR, &(warehouse, &after))?;
        sending.rejected.save()?;
        let directive = sending.tally.checkpoint();
        if !page.more {
            sending.rejected.name_untried();
            return Ok(Outcome::Done);
        }
        if directive == Directive::Stop {
            return Ok(Outcome::Suspended);
        }
    }
}

struct Sending<'s, S> {
    shelf: &'s S,
    /// Read when there is anything to send.
    shown: Option<HashMap<String, Decimal>>,
    rejected: Rejected,
    tally: Tally,
}

impl<S: Shelf> Sending<'_, S> {
    /// Sends what there is of products that the counterpart has.
    fn send(&mut self, products: &[Key], warehouse: &str) -> Result<(), Fault> {
        if products.is_empty() {
            return Ok(());
        }
        let levels = stock::levels(products, Some(warehouse))?;
        let there: BTreeMap<&Key, Vec<StockLevel>> = products.iter().zip(levels).collect();
        let keys: Vec<Key> = there.keys().map(|key| (*key).clone()).collect();
        let prefix = origin(S::Connector::NAME, S::PRODUCT, "");
        for pair in bindings::by_key(S::PRODUCT, &keys).into_iter().flatten() {
            let Some(id) = pair.origin.strip_prefix(&prefix) else {
                continue;
            };
            let levels = there.get(&pair.key).map_or(&[][..], Vec::as_slice);
            if levels.is_empty() {
                // That no level is told does not mean that there is nothing.
                self.rejected.settle(&pair.key);
                continue;
            }
            let number = for_sale(levels);
            match self.shown(id)? {
                Some(shown) if shown != number => self.put(&pair.key, id, shown, number)?,
                // It shows it already, or has no such thing.
                _ => {
                    self.tally.count(Effect::Unchanged);
                    self.rejected.settle(&pair.key);
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, key: &str, id: &str, shown: Decimal, number: Decimal) -> Result<(), Fault> {
        if run::mode() == RunMode::Live {
            match self.shelf.put(id, number) {
                Ok(()) => {}
                Err(Error::Fault(fault)) => return Err(fault),
                Err(Error::Status(status)) => {
                    self.reject(key, id, status.reason());
                    return Ok(());
                }
            }
        }
        self.tally.count(Effect::Updated);
        self.rejected.settle(key);
        run::wrote(&[Written {
            record_kind: STOCK.to_owned(),
            origin: origin(S::Connector::NAME, S::PRODUCT, id),
            key: Some(key.to_owned()),
            label: Some(id.to_owned()),
            change: Change::Updated,
            fields: vec![FieldChange {
                field: STOCK.to_owned(),
                before: Some(shown.to_string()),
                after: Some(number.to_string()),
            }],
        }]);
        Ok(())
    }

    fn reject(&mut self, key: &str, label: &str, reason: Reason) {
        let subject = Subject::Key(key.to_owned());
        self.rejected
            .reject(key, subject, label, reason, &mut self.tally);
    }

    fn shown(&mut self, id: &str) -> Result<Option<Decimal>, Fault> {
        let shown = match self.shown.take() {
            Some(shown) => shown,
            None => self.shelf.shown()?,
        };
        Ok(self.shown.insert(shown).get(id).copied())
    }
}

/// What can be sold of all variants together.
fn for_sale(levels: &[StockLevel]) -> Decimal {
    let available = levels.iter();
    let available = available.filter_map(|level| Decimal::try_from(level.available).ok());
    available.sum::<Decimal>().max(Decimal::ZERO).floor()
}

#[cfg(all(test, feature = "testing"))]
mod tests;
