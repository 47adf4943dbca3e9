//! One object of an account, with the fields that the schema of its kind names.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::id::Id;
use super::kind::Kind;
use super::value::{Image, Price, Ref, Value};

/// An object: a product, an order, a line of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Key.
    pub id: Id,
    /// Kind.
    pub kind: Kind,
    /// Place in the order in which the account's objects were made.
    pub(super) sequence: u64,
    fields: BTreeMap<&'static str, Value>,
}

impl Record {
    pub(super) fn new(kind: Kind, id: Id, sequence: u64) -> Self {
        Self {
            id,
            kind,
            sequence,
            fields: BTreeMap::new(),
        }
    }

    /// A reference to it.
    pub fn reference(&self) -> Ref {
        Ref {
            kind: self.kind,
            id: self.id,
        }
    }

    /// The value of a field.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field)
    }

    /// Gives a field a value. The field must be one that the kind has.
    pub fn set(&mut self, field: &'static str, value: Value) {
        self.fields.insert(field, value);
    }

    /// Takes the value of a field away.
    pub fn clear(&mut self, field: &str) {
        self.fields.remove(field);
    }

    /// The fields with a value.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.fields.iter().map(|(field, value)| (*field, value))
    }

    /// The text in a field; empty without a value.
    pub fn text(&self, field: &str) -> &str {
        match self.get(field) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// The yes or no in a field; no without a value.
    pub fn flag(&self, field: &str) -> bool {
        matches!(self.get(field), Some(Value::Flag(true)))
    }

    /// The whole number in a field; nought without a value.
    pub fn int(&self, field: &str) -> i64 {
        match self.get(field) {
            Some(Value::Int(number)) => *number,
            _ => 0,
        }
    }

    /// The quantity or the money in a field; nought without a value.
    pub fn number(&self, field: &str) -> Decimal {
        match self.get(field) {
            Some(Value::Number(number) | Value::Money(number)) => *number,
            _ => Decimal::ZERO,
        }
    }

    /// The moment in a field.
    pub fn moment(&self, field: &str) -> Option<Timestamp> {
        match self.get(field) {
            Some(Value::Moment(moment)) => Some(*moment),
            _ => None,
        }
    }

    /// What a field refers to.
    pub fn refers(&self, field: &str) -> Option<Ref> {
        match self.get(field) {
            Some(Value::Ref(reference)) => Some(*reference),
            _ => None,
        }
    }

    /// The references to other documents in a field.
    pub fn references(&self, field: &str) -> &[Ref] {
        match self.get(field) {
            Some(Value::Refs(references)) => references,
            _ => &[],
        }
    }

    /// The rows of a collection.
    pub fn rows(&self, collection: &str) -> &[Record] {
        match self.get(collection) {
            Some(Value::Rows(rows)) => rows,
            _ => &[],
        }
    }

    /// The sale price of a type.
    pub fn sale_price(&self, price_type: Id) -> Option<Price> {
        match self.get("salePrices") {
            Some(Value::Prices(prices)) => prices.get(&price_type).copied(),
            _ => None,
        }
    }

    /// The value of an additional field.
    pub fn attribute(&self, definition: Id) -> Option<&Value> {
        match self.get("attributes") {
            Some(Value::Attributes(attributes)) => attributes.get(&definition),
            _ => None,
        }
    }

    /// The pictures.
    pub fn images(&self) -> &[Image] {
        match self.get("images") {
            Some(Value::Images(images)) => images,
            _ => &[],
        }
    }

    /// Everything that the object and its rows refer to.
    pub(super) fn all_references(&self) -> Vec<Ref> {
        let mut found = Vec::new();
        for value in self.fields.values() {
            collect(value, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn collect(value: &Value, found: &mut Vec<Ref>) {
    let of = |kind, id: &Id| Ref { kind, id: *id };
    match value {
        Value::Ref(reference) => found.push(*reference),
        Value::Refs(references) => found.extend(references),
        Value::Price(price) => found.push(of(Kind::Currency, &price.currency)),
        Value::Prices(prices) => {
            for (price_type, price) in prices {
                found.push(of(Kind::PriceType, price_type));
                found.push(of(Kind::Currency, &price.currency));
            }
        }
        Value::Packs(packs) => found.extend(packs.iter().map(|pack| of(Kind::Uom, &pack.uom))),
        Value::Rate(rate) => found.push(of(Kind::Currency, &rate.currency)),
        Value::Characteristics(values) => {
            found.extend(values.keys().map(|id| of(Kind::Characteristic, id)));
        }
        Value::Attributes(attributes) => {
            for value in attributes.values() {
                collect(value, found);
            }
        }
        Value::Rows(rows) => {
            for row in rows {
                found.extend(row.all_references());
            }
        }
        Value::Text(_)
        | Value::Flag(_)
        | Value::Int(_)
        | Value::Number(_)
        | Value::Money(_)
        | Value::Moment(_)
        | Value::Id(_)
        | Value::Barcodes(_)
        | Value::Words(_)
        | Value::Address(_)
        | Value::Images(_)
        | Value::Nothing(_) => {}
    }
}
