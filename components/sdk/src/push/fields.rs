//! The fields of an object that is written, each as the JSON that the counterpart gets. What was sent
//! last is kept in this form, so that only what differs is sent, and people see what changed.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::decimal;
use crate::import::fingerprint;
use crate::model::FieldChange;

/// A binding keeps no longer ones.
const LONGEST: usize = 4 << 10;

/// Digests of fields that are too long to be kept begin so; JSON does not.
const DIGEST: u8 = 1;

/// Fields by name.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Fields(BTreeMap<&'static str, Box<RawValue>>);

/// A value as JSON.
pub fn raw(value: &impl Serialize) -> Box<RawValue> {
    // Only maps with keys that are no texts cannot be written, and none is here.
    serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

impl Fields {
    /// The same with one more.
    pub fn with(mut self, name: &'static str, value: impl Serialize) -> Fields {
        self.set(name, value);
        self
    }

    /// The same with one more that is JSON already.
    pub fn with_raw(mut self, name: &'static str, value: Box<RawValue>) -> Fields {
        self.0.insert(name, value);
        self
    }

    /// The same with a number more, written digit by digit.
    pub fn with_number(mut self, name: &'static str, number: Decimal) -> Fields {
        if let Ok(exact) = RawValue::from_string(number.normalize().to_string()) {
            self.0.insert(name, exact);
        }
        self
    }

    /// Puts a value in.
    pub fn set(&mut self, name: &'static str, value: impl Serialize) {
        self.0.insert(name, raw(&value));
    }

    /// Puts all of the others in.
    pub fn extend(&mut self, others: Fields) {
        self.0.extend(others.0);
    }

    /// Takes one out.
    pub fn without(mut self, name: &str) -> Fields {
        self.0.remove(name);
        self
    }

    /// The number of this name.
    pub fn number(&self, name: &str) -> Option<Decimal> {
        decimal::parse(self.get(name)?.get())
    }

    /// The JSON of the one of this name.
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name).map(|value| &**value)
    }

    /// Whether there is one of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// About how many bytes they take in a request.
    pub fn size(&self) -> usize {
        let fields = self.0.iter();
        fields
            .map(|(name, value)| name.len() + value.get().len() + 4)
            .sum()
    }

    /// What is kept of them.
    pub fn print(&self) -> Vec<u8> {
        let json = serde_json::to_vec(&self.0).unwrap_or_default();
        if json.len() <= LONGEST {
            return json;
        }
        fingerprint(DIGEST, &json)
    }

    /// Those that differ from what was kept.
    pub fn since(&self, kept: Option<&[u8]>) -> Fields {
        if kept == Some(&self.print()) {
            return Fields::default();
        }
        let before = read(kept);
        let differs = |name: &str, value: &RawValue| {
            before
                .get(name)
                .is_none_or(|kept| kept.get() != value.get())
        };
        let changed = self.0.iter().filter(|(name, value)| differs(name, value));
        Fields(
            changed
                .map(|(name, value)| (*name, value.clone()))
                .collect(),
        )
    }

    /// What people are told of a change from what was kept. `named` says it of a value that is neither a
    /// text nor a number, such as a reference.
    pub fn changes(
        &self,
        kept: Option<&[u8]>,
        named: impl Fn(&RawValue) -> Option<String>,
    ) -> Vec<FieldChange> {
        let before = read(kept);
        let shown = |value: &RawValue| {
            let text = serde_json::from_str::<String>(value.get()).ok();
            let text = text.or_else(|| named(value));
            text.or_else(|| (value.get() != "null").then(|| value.get().to_owned()))
        };
        self.0
            .iter()
            .map(|(name, value)| FieldChange {
                field: (*name).to_owned(),
                before: before.get(*name).and_then(|kept| shown(kept)),
                after: shown(value),
            })
            .collect()
    }
}

fn read(kept: Option<&[u8]>) -> BTreeMap<String, Box<RawValue>> {
    kept.and_then(|kept| serde_json::from_slice(kept).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Fields;
    use crate::decimal;

    fn card(name: &str) -> Fields {
        Fields::default().with("name", name).with("tags", ["a"])
    }

    #[test]
    fn only_what_differs_from_what_was_kept_is_left() {
        let kept = card("Old").print();
        let changed = card("New").since(Some(&kept));
        assert_eq!(
            serde_json::to_string(&changed).expect("JSON"),
            r#"{"name":"New"}"#
        );
        assert!(card("Old").since(Some(&kept)).is_empty());
        let told = changed.changes(Some(&kept), |_| None);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].before.as_deref(), Some("Old"));
        assert_eq!(told[0].after.as_deref(), Some("New"));
    }

    #[test]
    fn fields_too_long_to_be_kept_are_still_known_to_be_equal() {
        let long = card(&"я".repeat(4_000));
        let kept = long.print();
        assert!(kept.len() < 100);
        assert!(long.since(Some(&kept)).is_empty());
        assert!(!card("short").since(Some(&kept)).is_empty());
    }

    #[test]
    fn numbers_are_written_digit_by_digit() {
        let price = decimal::parse("19990.10").expect("a number");
        let fields = Fields::default().with_number("price", price);
        assert_eq!(
            serde_json::to_string(&fields).expect("JSON"),
            r#"{"price":19990.1}"#
        );
    }
}
