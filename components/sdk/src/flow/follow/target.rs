//! The records of the platform that a list becomes.

use std::collections::HashSet;

use crate::erp::{catalog, orders, partners};
use crate::model::{
    Fault, Key, Order, OrderFields, OrderLookup, Origin, Partner, PartnerFields, PartnerLookup,
    Product, ProductFields, ProductLookup, Saved,
};

/// A record of the platform.
pub trait Target: Sized {
    /// The fields that a connector speaks for.
    type Fields: Copy;

    /// Says which record it is, unless it says so itself.
    #[must_use]
    fn named(self, key: Option<Key>, origin: Origin) -> Self;

    /// Those of the keys that are there.
    ///
    /// # Errors
    /// The fault of the look-up as a whole.
    fn present(keys: Vec<Key>) -> Result<HashSet<Key>, Fault>;

    /// Saves records.
    ///
    /// # Errors
    /// The fault of the call as a whole.
    fn save(records: &[Self], owned: Self::Fields) -> Result<Vec<Result<Saved, Fault>>, Fault>;
}

macro_rules! targets {
    ($($record:ident, $fields:ident, $lookup:ident, $service:ident;)*) => { $(
        impl Target for $record {
            type Fields = $fields;

            fn named(self, key: Option<Key>, origin: Origin) -> Self {
                $record { key: key.or(self.key), origin: Some(origin), ..self }
            }

            fn present(keys: Vec<Key>) -> Result<HashSet<Key>, Fault> {
                if keys.is_empty() {
                    return Ok(HashSet::new());
                }
                let lookups: Vec<$lookup> = keys.into_iter().map($lookup::Key).collect();
                let found = $service::find(&lookups)?.into_iter().flatten();
                Ok(found.filter_map(|record| record.key).collect())
            }

            fn save(
                records: &[Self],
                owned: $fields,
            ) -> Result<Vec<Result<Saved, Fault>>, Fault> {
                $service::save(records, owned)
            }
        }
    )* };
}

targets! {
    Order, OrderFields, OrderLookup, orders;
    Product, ProductFields, ProductLookup, catalog;
    Partner, PartnerFields, PartnerLookup, partners;
}
