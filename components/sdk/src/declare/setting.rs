//! The types that a setting can have.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::keys::{Named, member};
use super::{Schema, Source, Words};
use crate::lenient::Id;

/// A type that a setting can have.
pub trait Setting: Sized {
    /// What JSON Schema says of its values. A type of several values passes the words on to them.
    fn schema(words: &Words) -> Schema;

    /// What a setting of it is where an admin says nothing; none where it has to be given.
    fn absent() -> Option<Self> {
        None
    }

    /// The same as JSON, where the form should show it.
    fn absent_json() -> Option<Value> {
        None
    }

    /// Adds all keys in it, where it has keys of a source, or settings of its own that do.
    fn keys<'a>(&'a self, path: &str, source: Option<Source>, found: &mut Vec<Named<'a>>) {
        let _ = (path, source, found);
    }
}

/// A schema of these members.
fn schema(members: Value, words: &Words) -> Schema {
    let Value::Object(mut schema) = members else {
        return Schema::new();
    };
    let mut add = |word: &str, value: Option<Value>| {
        if let Some(value) = value {
            schema.insert(word.to_owned(), value);
        }
    };
    add("pattern", words.pattern.map(Value::from));
    add("minimum", words.min.map(Value::from));
    add("maximum", words.max.map(Value::from));
    add(
        "enum",
        (!words.among.is_empty()).then(|| words.among.into()),
    );
    add("x-options", words.options.map(Value::from));
    match words.source {
        Some(Source::Directory(_, name)) => add("x-directory", Some(name.into())),
        Some(Source::Record(_, name)) => add("x-record", Some(name.into())),
        None => {}
    }
    schema
}

impl Setting for bool {
    fn schema(words: &Words) -> Schema {
        schema(json!({ "type": "boolean" }), words)
    }

    fn absent() -> Option<bool> {
        Some(false)
    }

    fn absent_json() -> Option<Value> {
        Some(false.into())
    }
}

impl Setting for String {
    fn schema(words: &Words) -> Schema {
        schema(json!({ "type": "string" }), words)
    }

    fn keys<'a>(&'a self, path: &str, source: Option<Source>, found: &mut Vec<Named<'a>>) {
        if let Some(source) = source {
            let path = path.to_owned();
            let key = self.as_str();
            found.push(Named { path, key, source });
        }
    }
}

macro_rules! numbers {
    ($($number:ty),*) => { $(
        impl Setting for $number {
            fn schema(words: &Words) -> Schema {
                let least = i64::try_from(<$number>::MIN).unwrap_or(i64::MIN);
                let words = Words {
                    // What fits into no other number need not be said.
                    min: words.min.or((least == 0).then_some(0)),
                    ..*words
                };
                schema(json!({ "type": "integer" }), &words)
            }
        }
    )* };
}

numbers!(u8, u16, u32, u64, i32, i64);

/// An id of the counterpart; forms give some as numbers and others as text.
impl Setting for Id {
    fn schema(words: &Words) -> Schema {
        let words = Words {
            pattern: words.pattern.or(<i64 as Name>::PATTERN),
            ..*words
        };
        schema(json!({ "type": ["integer", "string"] }), &words)
    }
}

/// An id of the counterpart.
impl Setting for uuid::Uuid {
    fn schema(words: &Words) -> Schema {
        schema(json!({ "type": "string" }), words)
    }
}

impl<T: Setting> Setting for Option<T> {
    fn schema(words: &Words) -> Schema {
        T::schema(words)
    }

    fn absent() -> Option<Option<T>> {
        Some(None)
    }

    fn keys<'a>(&'a self, path: &str, source: Option<Source>, found: &mut Vec<Named<'a>>) {
        if let Some(inner) = self {
            inner.keys(path, source, found);
        }
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn schema(words: &Words) -> Schema {
        schema(
            json!({ "type": "array", "items": T::schema(words) }),
            &Words::default(),
        )
    }

    fn absent() -> Option<Vec<T>> {
        Some(Vec::new())
    }

    fn absent_json() -> Option<Value> {
        Some(json!([]))
    }

    fn keys<'a>(&'a self, path: &str, source: Option<Source>, found: &mut Vec<Named<'a>>) {
        for (place, inner) in self.iter().enumerate() {
            inner.keys(&member(path, &place.to_string()), source, found);
        }
    }
}

impl<T: Setting + Ord> Setting for BTreeSet<T> {
    fn schema(words: &Words) -> Schema {
        schema(
            json!({ "type": "array", "uniqueItems": true, "items": T::schema(words) }),
            &Words::default(),
        )
    }

    fn absent() -> Option<BTreeSet<T>> {
        Some(BTreeSet::new())
    }

    fn absent_json() -> Option<Value> {
        Some(json!([]))
    }

    fn keys<'a>(&'a self, path: &str, source: Option<Source>, found: &mut Vec<Named<'a>>) {
        for (place, inner) in self.iter().enumerate() {
            inner.keys(&member(path, &place.to_string()), source, found);
        }
    }
}

/// What can be a name in a map of settings.
pub trait Name: Ord + ToString {
    /// What it looks like, where not every text is one.
    const PATTERN: Option<&'static str>;
}

impl Name for String {
    const PATTERN: Option<&'static str> = None;
}

impl Name for i64 {
    const PATTERN: Option<&'static str> = Some("^[0-9]+$");
}

/// Ids or names of the counterpart, and what each stands for on the platform.
impl<K: Name, V: Setting> Setting for BTreeMap<K, V> {
    fn schema(words: &Words) -> Schema {
        let names = Words {
            options: words.options,
            pattern: words.pattern.or(K::PATTERN),
            ..Words::default()
        };
        let values = Words {
            options: None,
            pattern: None,
            ..*words
        };
        let members = json!({
            "type": "object",
            "propertyNames": schema(json!({}), &names),
            "additionalProperties": V::schema(&values),
        });
        schema(members, &Words::default())
    }

    fn absent() -> Option<BTreeMap<K, V>> {
        Some(BTreeMap::new())
    }

    fn absent_json() -> Option<Value> {
        Some(json!({}))
    }

    fn keys<'a>(&'a self, path: &str, source: Option<Source>, found: &mut Vec<Named<'a>>) {
        for (name, inner) in self {
            inner.keys(&member(path, &name.to_string()), source, found);
        }
    }
}

/// The value of a setting, or what it is where nothing is said.
pub fn or_absent<T: Setting, E: Error>(given: Option<T>, name: &'static str) -> Result<T, E> {
    given
        .or_else(T::absent)
        .ok_or_else(|| E::missing_field(name))
}

/// Reads a value. A form may send what was left open as `null` or as an empty text.
pub fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(Given(PhantomData))
}

struct Given<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Given<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a setting")
    }

    fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Option<T>, E> {
        T::deserialize(Present(flag.into_deserializer())).map(Some)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Option<T>, E> {
        T::deserialize(Present(number.into_deserializer())).map(Some)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<T>, E> {
        T::deserialize(Present(number.into_deserializer())).map(Some)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Option<T>, E> {
        T::deserialize(Present(number.into_deserializer())).map(Some)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<T>, E> {
        if text.is_empty() {
            return Ok(None);
        }
        T::deserialize(Present(text.into_deserializer())).map(Some)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Option<T>, A::Error> {
        T::deserialize(Present(SeqAccessDeserializer::new(list))).map(Some)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
        T::deserialize(Present(MapAccessDeserializer::new(map))).map(Some)
    }
}

/// A value that is there, also for a type that could be none.
struct Present<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Present<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_some(self.0)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
