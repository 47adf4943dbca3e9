//! Declaring a connector: settings by `#[derive(Settings)]`, the manifest and who does what by
//! [`connector!`](crate::connector!), records of the counterpart by
//! [`#[record]`](macro@crate::record).
//!
//! What the macros cannot say at compile time they leave to the types here: [`Setting`] is a type that
//! a setting can have, [`Settings`] a struct of them, [`Call`] what a job is called with.

mod call;
mod keys;
mod members;
mod setting;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::http::Api;
use crate::model::{Choice, Directory, Fault, RecordKind};

pub use call::Call;
pub use keys::Named;
pub use setting::Setting;

/// What JSON Schema says of a value.
pub type Schema = Map<String, Value>;

/// What the address of a counterpart looks like: paths are put behind it.
pub const ADDRESS: &str = r"^https?://[^/?#@\s]+(/[^?#\s]*)?$";

/// What a setting says of its values beside their type.
#[derive(Clone, Copy, Debug, Default)]
pub struct Words {
    /// The choice of the connector that they come from.
    pub options: Option<&'static str>,
    /// What they are keys of.
    pub source: Option<Source>,
    /// What texts look like.
    pub pattern: Option<&'static str>,
    /// The least number.
    pub min: Option<i64>,
    /// The greatest number.
    pub max: Option<i64>,
    /// The only numbers; none allows all.
    pub among: &'static [i64],
}

/// What keys in settings are keys of, with its name in a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory of the platform.
    Directory(Directory, &'static str),
    /// Records of the platform.
    Record(RecordKind, &'static str),
}

/// All settings of a connection; `#[derive(Settings)]` makes a struct that.
pub trait Settings: Setting + DeserializeOwned {
    /// The schema for the manifest.
    fn json_schema() -> String {
        let mut schema = Schema::new();
        schema.insert(
            "$schema".to_owned(),
            "https://json-schema.org/draft/2020-12/schema".into(),
        );
        schema.extend(Self::schema(&Words::default()));
        Value::Object(schema).to_string()
    }

    /// Checks that the platform has all records that the settings name: a key that is not there would
    /// make every record fail, one by one.
    ///
    /// # Errors
    /// `configuration`, naming the setting and the key; else the fault of a look-up.
    fn verify(&self) -> Result<(), Fault> {
        let mut found = Vec::new();
        self.keys("", None, &mut found);
        keys::verify(&found)
    }
}

/// A declared connector: what the flows need to know of it.
pub trait Declared {
    /// Its name, the first part of all origins.
    const NAME: &'static str;

    /// The API at its first endpoint.
    ///
    /// # Errors
    /// `configuration` when the settings hold no address, or there is no endpoint.
    fn api() -> Result<Api, Fault>;
}

/// Values for a setting, each with what people know it by; those without a value are left out.
pub fn choices(entries: impl Iterator<Item = (Option<String>, Option<String>)>) -> Vec<Choice> {
    let choice = |(value, label): (Option<String>, Option<String>)| {
        let value = value?;
        let label = label.unwrap_or_else(|| value.clone());
        Some(Choice { value, label })
    };
    entries.filter_map(choice).collect()
}

/// What the macros write uses, and nobody else.
#[doc(hidden)]
pub mod private {
    pub use super::call::{api, call, migrated, no_endpoint, unknown_topic, whole};
    pub use super::keys::member;
    pub use super::members::{Members, words};
    pub use super::setting::{given, or_absent};
    pub use {serde, serde_json};
}

#[cfg(test)]
mod tests;
