//! The settings schema of a manifest: JSON Schema, and the words `x-…` by which it says what the form
//! of the settings shows and where values come from.
//!
//! The threat: an author mistypes a word, names a list that nobody serves, or writes a setting twice.
//! JSON Schema passes over all of that, and what comes of it is a form without a title or a list that
//! stays empty, found by the first customer. So every such word is known here with what it takes, and a
//! schema with any other is refused with the place in it.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value};

use crate::manifest::one_line;
use crate::model::{Directory, RecordKind};
use crate::reason::Reason;

/// A settings schema.
#[derive(Clone, Default, Serialize)]
#[serde(transparent)]
pub struct SettingsSchema {
    schema: Value,
    #[serde(skip)]
    validator: Arc<OnceLock<Result<jsonschema::Validator, String>>>,
}

impl SettingsSchema {
    /// What checks settings, made once; or why the schema is none.
    pub(crate) fn validator(
        &self,
        make: impl FnOnce(&Value) -> Result<jsonschema::Validator, String>,
    ) -> Result<&jsonschema::Validator, String> {
        let made = self.validator.get_or_init(|| make(&self.schema));
        made.as_ref().map_err(Clone::clone)
    }
}

impl From<Value> for SettingsSchema {
    fn from(schema: Value) -> Self {
        SettingsSchema {
            schema,
            validator: Arc::default(),
        }
    }
}

impl Deref for SettingsSchema {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.schema
    }
}

impl PartialEq for SettingsSchema {
    fn eq(&self, other: &Self) -> bool {
        self.schema == other.schema
    }
}

impl fmt::Debug for SettingsSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.schema.fmt(f)
    }
}

/// Where every path begins.
const ROOT: &str = "settings_schema";

/// A step behind a path.
fn member(path: &str, name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$');
    if !name.is_empty() && name.chars().all(plain) {
        format!("{path}.{name}")
    } else {
        format!("{path}[{}]", Value::from(name))
    }
}

/// Reads a schema in which no object has a member twice.
pub(crate) fn read(json: &str) -> Result<SettingsSchema, Reason> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut reader, &mut track);
    let read = Once::deserialize(tracked).and_then(|once| {
        // What stands behind it, if anything.
        reader.end().map(|()| once.0)
    });
    read.map(SettingsSchema::from).map_err(|error| {
        let place = track.path();
        let path = place.iter().fold(ROOT.to_owned(), |path, segment| {
            use serde_path_to_error::Segment;
            match segment {
                Segment::Map { key } => member(&path, key),
                Segment::Seq { index } => format!("{path}[{index}]"),
                Segment::Enum { variant } => member(&path, variant),
                Segment::Unknown => path,
            }
        });
        let reason = Reason::new("host.schema.unreadable").arg("path", one_line(&path));
        reason.detail(one_line(&error.to_string()))
    })
}

/// JSON in which no object has a member twice.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;

        impl<'de> Visitor<'de> for Reading {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
                let number = Number::from_f64(value);
                number
                    .map(Value::from)
                    .ok_or_else(|| E::custom("no number"))
            }

            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(Once(item)) = items.next_element()? {
                    list.push(item);
                }
                Ok(list.into())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
                let mut map = Map::new();
                while let Some(name) = members.next_key::<String>()? {
                    let Once(value) = members.next_value()?;
                    if map.contains_key(&name) {
                        return Err(de::Error::custom(format_args!("`{name}` is there twice")));
                    }
                    map.insert(name, value);
                }
                Ok(map.into())
            }
        }

        deserializer.deserialize_any(Reading).map(Once)
    }
}

/// The words that a schema may have beside those of JSON Schema.
const WORDS: [&str; 6] = [
    "x-titles",
    "x-descriptions",
    "x-enum-titles",
    "x-options",
    "x-directory",
    "x-record",
];

/// Words whose members are schemas, by name.
const NAMED: [&str; 5] = [
    "properties",
    "patternProperties",
    "$defs",
    "definitions",
    "dependentSchemas",
];

/// Words that are one schema.
const ONE: [&str; 9] = [
    "items",
    "additionalProperties",
    "contains",
    "propertyNames",
    "contentSchema",
    "not",
    "if",
    "then",
    "else",
];

/// Words that are a list of schemas.
const LISTS: [&str; 4] = ["prefixItems", "allOf", "anyOf", "oneOf"];

/// Passes a schema whose words `x-…` all mean something. `options` are the choices that the connector
/// serves.
pub(crate) fn check_words(schema: &Value, options: &[String]) -> Result<(), Reason> {
    walk(schema, ROOT, options)
}

fn walk(schema: &Value, path: &str, options: &[String]) -> Result<(), Reason> {
    let Value::Object(words) = schema else {
        return Ok(());
    };
    let mut source = None;
    for (word, value) in words {
        let path = member(path, word);
        if word.starts_with("x-") {
            let bad = |reason: Reason| reason.arg("path", one_line(&path));
            check_word(word, value, options).map_err(bad)?;
            if matches!(word.as_str(), "x-options" | "x-directory" | "x-record")
                && let Some(first) = source.replace(word)
            {
                let reason = Reason::new("host.schema.two-sources");
                return Err(bad(reason.arg("first", first)));
            }
        }
        match value {
            Value::Object(members) if NAMED.contains(&word.as_str()) => {
                for (name, inner) in members {
                    walk(inner, &member(&path, name), options)?;
                }
            }
            Value::Array(inner) if LISTS.contains(&word.as_str()) => {
                for (index, inner) in inner.iter().enumerate() {
                    walk(inner, &format!("{path}[{index}]"), options)?;
                }
            }
            inner if ONE.contains(&word.as_str()) => walk(inner, &path, options)?,
            // A value, such as that of `default` or `enum`.
            _ => {}
        }
    }
    Ok(())
}

/// What is wrong with the value of a word.
fn check_word(word: &str, value: &Value, options: &[String]) -> Result<(), Reason> {
    match word {
        "x-titles" | "x-descriptions" => check_text(value),
        "x-enum-titles" => match value {
            Value::Object(titles) => titles.values().try_for_each(check_text),
            _ => Err(Reason::new("host.schema.titles-no-object")),
        },
        "x-options" => {
            let options = options.iter().map(String::as_str);
            one_of(value, options, "host.schema.no-such-choice")
        }
        "x-directory" => {
            let directories = Directory::ALL.iter().map(|directory| directory.name());
            one_of(value, directories, "host.schema.no-such-directory")
        }
        "x-record" => one_of(value, choosable(), "host.schema.no-such-kind"),
        _ => Err(Reason::new("host.schema.no-such-word").arg("known", listed(WORDS))),
    }
}

/// Kinds of records that have a name by which one is chosen.
fn choosable() -> impl Iterator<Item = &'static str> {
    let kinds = RecordKind::ALL.iter();
    kinds
        .filter(|kind| **kind != RecordKind::Stock)
        .map(|kind| kind.name())
}

fn one_of<'a>(
    value: &Value,
    known: impl IntoIterator<Item = &'a str>,
    code: &str,
) -> Result<(), Reason> {
    let known: Vec<&str> = known.into_iter().collect();
    let Some(name) = value.as_str() else {
        return Err(Reason::new("host.schema.no-name"));
    };
    if known.contains(&name) {
        return Ok(());
    }
    let reason = Reason::new(code).arg("name", one_line(name));
    Err(reason.arg("known", listed(known)))
}

fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = (names.into_iter())
        .map(|name| format!("`{name}`"))
        .collect();
    match quoted.is_empty() {
        true => "–".to_owned(),
        false => quoted.join(", "),
    }
}

/// A text by language, which English stands in for.
fn check_text(value: &Value) -> Result<(), Reason> {
    let Value::Object(texts) = value else {
        return Err(Reason::new("host.schema.texts-no-object"));
    };
    if let Some((language, _)) = texts.iter().find(|(_, text)| !text.is_string()) {
        let reason = Reason::new("host.schema.no-text");
        return Err(reason.arg("language", one_line(language)));
    }
    match texts.get("en").and_then(Value::as_str) {
        Some(text) if !text.trim().is_empty() => Ok(()),
        _ => Err(Reason::new("host.schema.no-english")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is wrong with a schema of one setting, `shop`, as one line.
    fn wrong(setting: Value) -> String {
        let schema = json!({ "type": "object", "properties": { "shop": setting } });
        let options = ["stores".to_owned(), "states".to_owned()];
        match check_words(&schema, &options) {
            Ok(()) => String::new(),
            Err(reason) => reason.to_string(),
        }
    }

    #[test]
    fn words_that_mean_something_pass() {
        let text = json!({ "en": "Shop", "uk": "Магазин" });
        assert_eq!(
            "",
            wrong(json!({ "x-titles": text, "x-descriptions": text }))
        );
        assert_eq!(
            "",
            wrong(json!({ "enum": ["a"], "x-enum-titles": { "a": text } }))
        );
        assert_eq!("", wrong(json!({ "x-options": "stores" })));
        assert_eq!(
            "",
            wrong(json!({ "items": { "x-directory": "price-types" } }))
        );
        for kind in ["product", "category", "partner", "order", "warehouse"] {
            assert_eq!("", wrong(json!({ "x-record": kind })));
        }
        // Values are nobody's words, and neither are names of settings.
        assert_eq!(
            "",
            wrong(json!({ "default": { "x-any": 1 }, "const": { "x-any": 1 } }))
        );
        assert_eq!(
            "",
            wrong(json!({ "properties": { "x-any": { "type": "string" } } }))
        );
    }

    #[test]
    fn a_word_that_nobody_knows_is_refused_with_its_place() {
        let said = wrong(json!({ "x-title": { "en": "Shop" } }));
        let place = "settings_schema.properties.shop.x-title: there is no such word; there are ";
        assert!(said.starts_with(place), "{said}");
        assert!(said.contains("`x-titles`"), "{said}");
        for (inside, place) in [
            (json!({ "items": { "x-a": 1 } }), "shop.items.x-a"),
            (json!({ "anyOf": [{}, { "x-a": 1 }] }), "shop.anyOf[1].x-a"),
            (
                json!({ "$defs": { "a b": { "not": { "x-a": 1 } } } }),
                "shop.$defs[\"a b\"].not.x-a",
            ),
            (
                json!({ "patternProperties": { "^a": { "x-a": 1 } } }),
                "shop.patternProperties[\"^a\"].x-a",
            ),
        ] {
            let said = wrong(inside);
            let place = format!("settings_schema.properties.{place}: ");
            assert!(said.starts_with(&place), "{said}");
        }
    }

    #[test]
    fn a_list_that_nobody_serves_is_refused_with_those_that_there_are() {
        assert_eq!(
            "settings_schema.properties.shop.x-options: there is no choice `shops`; there are \
             `stores`, `states`",
            wrong(json!({ "x-options": "shops" }))
        );
        let said = wrong(json!({ "x-directory": "warehouse" }));
        assert!(
            said.contains("x-directory: there is no directory `warehouse`; there are"),
            "{said}"
        );
        assert!(said.contains("`warehouses`"), "{said}");
        let said = wrong(json!({ "x-record": "stock" }));
        assert!(
            said.contains("x-record: there is no kind of record `stock`"),
            "{said}"
        );
        assert!(wrong(json!({ "x-record": 7 })).contains("x-record: it is not a name"));
        let none = check_words(&json!({ "x-options": "a" }), &[]).unwrap_err();
        assert_eq!(
            "settings_schema.x-options: there is no choice `a`; there are –",
            none.to_string()
        );
    }

    #[test]
    fn the_values_of_a_setting_come_from_one_place() {
        let said = wrong(json!({ "x-options": "stores", "x-directory": "warehouses" }));
        assert_eq!(
            "settings_schema.properties.shop.x-directory: its values come from `x-options` already",
            said
        );
    }

    #[test]
    fn texts_are_by_language_with_english_among_them() {
        for (text, reason) in [
            (json!("Shop"), "it is not an object of texts by language"),
            (
                json!({ "uk": "Магазин" }),
                "it is missing in English (`en`)",
            ),
            (json!({ "en": " " }), "it is missing in English (`en`)"),
            (
                json!({ "en": "Shop", "uk": 1 }),
                "its text in `uk` is not text",
            ),
        ] {
            let said = wrong(json!({ "x-titles": text }));
            assert_eq!(
                format!("settings_schema.properties.shop.x-titles: {reason}"),
                said
            );
            let said = wrong(json!({ "x-enum-titles": { "a": text } }));
            assert!(said.ends_with(reason), "{said}");
        }
    }

    #[test]
    fn a_member_that_is_there_twice_is_refused_with_its_place() {
        let json = r#"{ "properties": { "shop": { "type": "string", "type": "integer" } } }"#;
        let reason = read(json).unwrap_err();
        let text = "settings_schema.properties.shop: it cannot be read";
        assert_eq!(text, reason.to_string());
        let detail = reason.detail.unwrap_or_default();
        assert!(detail.starts_with("`type` is there twice"), "{detail}");
        let json = r#"{ "anyOf": [{ "a": 1 }, { "b": 1, "b": 2 }] }"#;
        let reason = read(json).unwrap_err();
        let text = "settings_schema.anyOf[1]: it cannot be read";
        assert_eq!(text, reason.to_string());
        for broken in ["", "{", "{} {}", "{\"a\": }"] {
            assert!(read(broken).is_err(), "{broken}");
        }
        let whole = r#"{ "a": [1, -2, 0.5, true, null, "x", { "b": {} }] }"#;
        let value: Value = serde_json::from_str(whole).unwrap();
        assert_eq!(value, *read(whole).unwrap());
    }
}
