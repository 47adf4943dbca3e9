//! What a run wrote at the platform, told to its observer with the commit that makes it so.
//!
//! Until then it is held here: what is rolled back is never told. A run that commits nothing tells at
//! its checkpoints what it would have done.
//!
//! The threat: a guest writes large records over and over and never passes a checkpoint. So what is
//! held has a largest size; what is beyond it is written all the same, and the log says that it is not
//! told.

use super::RunState;
use crate::model::{
    Category, Effect, Keep as _, Order, Origin, Partner, Product, RecordKind, Saved, StockLevel,
};
use crate::observe::{Change, Level, Side, Written};
use crate::reason::Reason;

/// What people know a record by.
#[derive(Default)]
pub(super) struct Name {
    pub origin: Option<Origin>,
    pub label: Option<String>,
}

/// Records that are told of.
pub(super) trait Named {
    const KIND: RecordKind;

    fn name(&self) -> Name;
}

macro_rules! named {
    ($($record:ident: |$it:ident| $origin:expr, $label:expr;)*) => { $(
        impl Named for $record {
            const KIND: RecordKind = RecordKind::$record;

            fn name(&self) -> Name {
                let $it = self;
                Name {
                    origin: $origin,
                    label: $label,
                }
            }
        }
    )* };
}

named! {
    Product: |it| it.origin.clone(), Some(it.name.clone());
    Category: |it| it.origin.clone(), Some(it.name.clone());
    Partner: |it| it.origin.clone(), Some(it.name.clone());
    Order: |it| it.origin.clone(), it.number.clone();
}

/// A level is known by its warehouse, and by its variant where it has one.
impl Named for StockLevel {
    const KIND: RecordKind = RecordKind::Stock;

    fn name(&self) -> Name {
        let label = match &self.product_variant {
            Some(variant) => format!("{}/{variant}", self.warehouse),
            None => self.warehouse.clone(),
        };
        Name {
            origin: None,
            label: Some(label),
        }
    }
}

/// What was written since the last commit.
#[derive(Default)]
pub(crate) struct Told {
    written: Vec<Written>,
    bytes: usize,
    is_full: bool,
}

impl RunState {
    /// Holds that a record was written.
    pub(super) fn tell(&mut self, kind: &str, name: Name, saved: &Saved) {
        let change = match saved.effect {
            Effect::Created => Change::Created,
            Effect::Updated => Change::Updated,
            Effect::Unchanged => return,
        };
        let most = self.limits.call;
        let Some(run) = self.run.as_mut() else { return };
        let told = &mut run.told;
        if told.is_full {
            return;
        }
        told.bytes = told
            .bytes
            .saturating_add(size_of::<Written>() + saved.weight());
        if told.bytes > most {
            told.is_full = true;
            self.log
                .line(Level::Warn, Reason::new("host.changes-untold"));
            return;
        }
        told.written.push(Written {
            side: Side::Platform,
            record_kind: kind.to_owned(),
            origin: name.origin.unwrap_or_default(),
            key: Some(saved.key.clone()),
            label: name.label.filter(|label| !label.is_empty()),
            change,
            changes: saved.changes.clone(),
        });
    }

    /// Tells what was written: it is committed now.
    pub(super) fn tell_all(&mut self) {
        if let Some(run) = self.run.as_mut() {
            for written in std::mem::take(&mut run.told).written {
                self.observer.wrote(&written);
            }
        }
    }
}
