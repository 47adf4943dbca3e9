//! What a save does to one record: it writes the owned fields only, of those what changed at the source,
//! and of lists of parts those of its own owner.

use std::collections::HashMap;
use std::fmt::Debug;

use crate::model::{
    Attribute, Charge, FieldChange, Image, Order, OrderFields, OrderLine, Partner, PartnerFields,
    Payment, Price, Product, ProductFields, ProductVariant,
};

/// What each account gave for each field of each record, as it was written last.
pub type Given = HashMap<(String, &'static str), String>;

/// A record that can be saved.
pub trait Record: Clone {
    /// The fields that a connector speaks for.
    type Fields: Copy;

    /// Its key.
    fn key(&mut self) -> &mut Option<String>;
    /// Its version.
    fn version(&mut self) -> Option<&mut Option<String>>;
    /// Makes all parts its own that bring no origin.
    fn own_parts(&mut self);
    /// Takes the fields that changed at the source.
    fn take(&mut self, new: &Self, owned: Self::Fields, given: &mut Given) -> Vec<FieldChange>;
    /// Notes what was given for a new record.
    fn note(&self, given: &mut Given);
}

/// The system and the account in an origin.
fn owner(origin: &str) -> &str {
    let mut colons = origin.match_indices(':');
    colons.nth(1).map_or(origin, |(end, _)| &origin[..end])
}

/// A part of a record.
trait Part: Clone + PartialEq {
    fn origin(&mut self) -> &mut Option<String>;
    fn is(&self, other: &Self) -> bool;
}

macro_rules! parts {
    ($($part:ident by $id:ident),*) => { $(
        impl Part for $part {
            fn origin(&mut self) -> &mut Option<String> {
                &mut self.origin
            }

            fn is(&self, other: &Self) -> bool {
                self.$id == other.$id
            }
        }
    )* };
}

parts!(
    OrderLine by id, Charge by name, Payment by origin, Price by price_type, Image by file_name,
    Attribute by name, ProductVariant by origin
);

/// The parts after a save: its own as they are given, those of others as they were, or with new values
/// where the save names them.
fn merged<P: Part>(old: &[P], new: &[P], own: &str) -> Vec<P> {
    let is_own = |part: &P| {
        let mut part = part.clone();
        part.origin().as_deref().map(owner) == Some(own)
    };
    let given = new.iter().map(|part| {
        let mut part = part.clone();
        if let Some(known) = old.iter().find(|known| known.is(&part)) {
            *part.origin() = known.clone().origin().clone();
        }
        part
    });
    let others = old
        .iter()
        .filter(|known| !is_own(known) && !new.iter().any(|part| part.is(known)));
    given.chain(others.cloned()).collect()
}

fn set_origin<P: Part>(parts: &mut [P], origin: Option<&str>) {
    for part in parts {
        let own = part.origin();
        if own.is_none() {
            *own = origin.map(str::to_owned);
        }
    }
}

fn shown(value: &impl Debug) -> String {
    format!("{value:?}")
}

macro_rules! records {
    ($($record:ident, $fields:ident, $($version:ident)?; $($flag:ident $field:ident),*; $($part_flag:ident $part:ident),*;)*) => { $(
        impl Record for $record {
            type Fields = $fields;

            fn key(&mut self) -> &mut Option<String> {
                &mut self.key
            }

            fn version(&mut self) -> Option<&mut Option<String>> {
                $(return Some(&mut self.$version);)?
                #[allow(unreachable_code)]
                None
            }

            fn own_parts(&mut self) {
                let origin = self.origin.clone();
                $(set_origin(&mut self.$part, origin.as_deref());)*
            }

            fn take(&mut self, new: &Self, owned: $fields, given: &mut Given) -> Vec<FieldChange> {
                let own = new.origin.as_deref().map_or("", owner).to_owned();
                let mut changes = Vec::new();
                let mut change = |field: &str, before: String, after: String| {
                    changes.push(FieldChange {
                        field: field.to_owned(),
                        before: Some(before),
                        after: Some(after),
                    });
                };
                $(
                    if owned.contains($fields::$flag) {
                        let said = shown(&new.$field);
                        let before = given.insert((own.clone(), stringify!($field)), said.clone());
                        if before.as_ref() != Some(&said) && self.$field != new.$field {
                            change(stringify!($field), shown(&self.$field), said);
                            self.$field = new.$field.clone();
                        }
                    }
                )*
                $(
                    if owned.contains($fields::$part_flag) {
                        let parts = merged(&self.$part, &new.$part, &own);
                        let said = shown(&new.$part);
                        let before = given.insert((own.clone(), stringify!($part)), said.clone());
                        if before.as_ref() != Some(&said) && self.$part != parts {
                            change(stringify!($part), shown(&self.$part), shown(&parts));
                            self.$part = parts;
                        }
                    }
                )*
                changes
            }

            fn note(&self, given: &mut Given) {
                let own = self.origin.as_deref().map_or("", owner).to_owned();
                $(given.insert((own.clone(), stringify!($field)), shown(&self.$field));)*
                $(given.insert((own.clone(), stringify!($part)), shown(&self.$part));)*
            }
        }
    )* };
}

records! {
    Product, ProductFields, version;
    KIND kind, NAME name, CODE code, SKU sku, BRAND brand, EXTERNAL_CODE external_code,
    BARCODES barcodes, UNIT unit, DESCRIPTION description, CATEGORY category, VAT vat,
    ARCHIVED archived;
    PRICES prices, VARIANTS variants, IMAGES images, ATTRIBUTES attributes;

    Partner, PartnerFields, version;
    NAME name, TAX_ID tax_id, EMAILS emails, PHONES phones, ADDRESS address;
    ATTRIBUTES attributes;

    Order, OrderFields, version;
    NUMBER number, CREATED_AT created_at, STAGE stage, SOURCE source, PARTNER partner,
    ORGANIZATION organization, WAREHOUSE warehouse, MANAGER manager, AUTHOR author,
    AGREEMENT agreement, CURRENCY currency, DISCOUNT discount, DELIVERY delivery, RESERVE reserve,
    COMMENT comment, DOCUMENTS documents;
    LINES lines, CHARGES charges, PAYMENTS payments, ATTRIBUTES attributes;
}
