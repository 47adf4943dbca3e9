//! JSON as it is really met. Servers answer with numbers in quotes, empty objects as `[]`, a string
//! where a list belongs, `null` for a missing key and the other way round. These types take all of
//! that, and borrow from the answer instead of copying it.
//!
//! They are made for fields of structs with `#[serde(default)]`: absent and `null` are the default.
//! [`Number`] keeps the text of a number and so works only on JSON text, not on a parsed value.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use rust_decimal::Decimal;
use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer, StrDeserializer};
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::decimal;
use crate::text::one_line;

/// An exact number from a JSON number or a string; never read through a float.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Number(Option<Decimal>);

impl Number {
    /// The number, unless it is absent.
    pub fn get(self) -> Option<Decimal> {
        self.0
    }

    /// The number, or zero when it is absent.
    pub fn or_zero(self) -> Decimal {
        self.0.unwrap_or_default()
    }
}

impl From<Decimal> for Number {
    fn from(exact: Decimal) -> Self {
        Number(Some(exact))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let text = raw
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(raw)
            .trim();
        if text.is_empty() || raw == "null" {
            return Ok(Number(None));
        }
        match decimal::parse(text) {
            Some(exact) => Ok(Number(Some(exact))),
            None => Err(Error::custom(format_args!(
                "`{}` is not a decimal number",
                one_line(text)
            ))),
        }
    }
}

/// A number of so many decimals, such as money. What a counterpart computes with floats it writes as
/// `19.989999999999998`: it is rounded, halves away from zero, so that no noise is taken for money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rounded<const DECIMALS: u32>(Number);

impl<const DECIMALS: u32> Rounded<DECIMALS> {
    /// The number, unless it is absent.
    pub fn get(self) -> Option<Decimal> {
        self.0.get()
    }

    /// The number, or zero when it is absent.
    pub fn or_zero(self) -> Decimal {
        self.0.or_zero()
    }
}

impl<const DECIMALS: u32> From<Decimal> for Rounded<DECIMALS> {
    fn from(exact: Decimal) -> Self {
        Rounded(Number(Some(decimal::round(exact, DECIMALS))))
    }
}

impl<'de, const DECIMALS: u32> Deserialize<'de> for Rounded<DECIMALS> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Number(read) = Number::deserialize(deserializer)?;
        Ok(read.map_or(Rounded(Number(None)), Self::from))
    }
}

/// Text from a string, a number or a bool. Empty is as good as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    /// The text without outer spaces, unless nothing is left.
    pub fn get(&self) -> Option<&str> {
        let text = self.0.trim();
        (!text.is_empty()).then_some(text)
    }

    /// The text without outer spaces, to keep.
    pub fn owned(&self) -> Option<String> {
        self.get().map(str::to_owned)
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Text(Cow::Borrowed(text))
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Text<'de>, E> {
        self.visit_string(number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Text<'de>, E> {
        self.visit_string(number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Text<'de>, E> {
        self.visit_string(number.to_string())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Text<'de>, E> {
        self.visit_str(if flag { "true" } else { "false" })
    }

    fn visit_unit<E: Error>(self) -> Result<Text<'de>, E> {
        Ok(Text::default())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

/// A whole number that identifies something, from a number or a string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Option<i64>);

impl Id {
    /// The id, unless it is absent.
    pub fn get(self) -> Option<i64> {
        self.0
    }
}

impl From<i64> for Id {
    fn from(id: i64) -> Self {
        Id(Some(id))
    }
}

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: Error>(self, id: i64) -> Result<Id, E> {
        Ok(Id(Some(id)))
    }

    fn visit_u64<E: Error>(self, id: u64) -> Result<Id, E> {
        i64::try_from(id)
            .map(|id| Id(Some(id)))
            .map_err(|_| E::custom(format_args!("{id} is too large for an id")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Id, E> {
        match text.trim() {
            "" => Ok(Id(None)),
            digits => digits
                .parse()
                .map(|id| Id(Some(id)))
                .map_err(|_| E::custom(format_args!("`{}` is not a whole number", one_line(text)))),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Id, E> {
        Ok(Id(None))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdVisitor)
    }
}

/// Yes or no, from a bool, 0 and 1, or their names. None when absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flag(Option<bool>);

impl Flag {
    /// What it says, unless it is absent.
    pub fn get(self) -> Option<bool> {
        self.0
    }

    /// Whether it is there and says yes.
    pub fn is_set(self) -> bool {
        self.0 == Some(true)
    }
}

impl From<bool> for Flag {
    fn from(flag: bool) -> Self {
        Flag(Some(flag))
    }
}

struct FlagVisitor;

impl Visitor<'_> for FlagVisitor {
    type Value = Flag;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or false")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Flag, E> {
        Ok(Flag(Some(flag)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Flag, E> {
        Ok(Flag(Some(number != 0)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Flag, E> {
        Ok(Flag(Some(number != 0)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Flag, E> {
        match text.trim() {
            "" => Ok(Flag(None)),
            "1" | "true" => Ok(Flag(Some(true))),
            "0" | "false" => Ok(Flag(Some(false))),
            other => Err(E::custom(format_args!(
                "`{}` is neither true nor false",
                one_line(other)
            ))),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Flag, E> {
        Ok(Flag(None))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlagVisitor)
    }
}

/// An object that may be absent, `null` or an empty list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Object<T>(Option<T>);

impl<T> Object<T> {
    /// The object, unless it is absent.
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }

    /// The object to keep, unless it is absent.
    pub fn into_inner(self) -> Option<T> {
        self.0
    }
}

impl<T> Default for Object<T> {
    fn default() -> Self {
        Object(None)
    }
}

impl<T> From<T> for Object<T> {
    fn from(object: T) -> Self {
        Object(Some(object))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|object| Object(Some(object)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Object<T>, A::Error> {
        match list.next_element::<IgnoredAny>()? {
            None => Ok(Object(None)),
            Some(_) => Err(A::Error::custom("a list stands where an object belongs")),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Object<T>, E> {
        Ok(Object(None))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

/// A list that may be absent or `null`, one bare string, or an object whose keys mean nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct List<T>(Vec<T>);

impl<T> List<T> {
    /// The list to keep.
    pub fn into_inner(self) -> Vec<T> {
        self.0
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        List(Vec::new())
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(list: Vec<T>) -> Self {
        List(list)
    }
}

impl<T> std::ops::Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<List<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(element) = list.next_element()? {
            all.push(element);
        }
        Ok(List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<List<T>, A::Error> {
        let mut all = Vec::new();
        while let Some((IgnoredAny, element)) = map.next_entry()? {
            all.push(element);
        }
        Ok(List(all))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<List<T>, E> {
        T::deserialize(BorrowedStrDeserializer::new(text)).map(|one| List(vec![one]))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<List<T>, E> {
        T::deserialize(StrDeserializer::new(text)).map(|one| List(vec![one]))
    }

    fn visit_unit<E: Error>(self) -> Result<List<T>, E> {
        Ok(List(Vec::new()))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

/// An id of the shape that RFC 9562 gives, such as `7d6f8c02-1f4c-4a4b-9d0e-000000000001`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(Option<Uuid>);

impl Uid {
    /// The id, unless it is absent.
    pub fn get(self) -> Option<Uuid> {
        self.0
    }
}

impl<'de> Deserialize<'de> for Uid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Text::deserialize(deserializer)?;
        let id = read.get().map(str::parse).transpose();
        id.map(Uid).map_err(D::Error::custom)
    }
}

/// A field that is read, but is no part of a record's fingerprint: a change of it alone is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Aside<T>(pub T);

impl<T> Hash for Aside<T> {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

#[cfg(test)]
mod tests {
    use super::{Aside, Flag, Id, List, Number, Object, Text};
    use crate::decimal;
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Offer<'a> {
        id: Id,
        #[serde(borrow)]
        sku: Text<'a>,
        price: Number,
        is_default: Flag,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Line<'a> {
        #[serde(borrow)]
        offer: Object<Offer<'a>>,
        #[serde(borrow)]
        phones: List<Text<'a>>,
        #[serde(borrow)]
        offers: List<Offer<'a>>,
        #[serde(borrow)]
        touched: Aside<Text<'a>>,
    }

    fn line(json: &str) -> Line<'_> {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    fn refusal(json: &str) -> String {
        match serde_json::from_str::<Line>(json) {
            Ok(line) => panic!("{json} was taken as {line:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn absent_null_and_empty_are_the_same() {
        let nothing = Line::default();
        assert_eq!(line("{}"), nothing);
        assert_eq!(
            line(r#"{"offer":null,"phones":null,"offers":null,"touched":null}"#),
            nothing
        );
        assert_eq!(line(r#"{"offer":[],"phones":[],"offers":{}}"#), nothing);
        assert_eq!(
            line(r#"{"offer":{"id":null,"sku":null,"price":null,"is_default":null}}"#)
                .offer
                .get(),
            Some(&Offer::default())
        );
        assert_eq!(Text::from("  ").get(), None);
    }

    #[test]
    fn a_number_keeps_its_digits_inside_any_nesting() {
        for json in [
            r#"{"offer":{"price":0.10}}"#,
            r#"{"offer":{"price":"0.10"}}"#,
            r#"{"offers":[{"price":1e-1}]}"#,
            r#"{"offers":{"7":{"price":0.1}}}"#,
        ] {
            let line = line(json);
            let price = line.offer.get().or(line.offers.first()).map(|o| o.price);
            assert_eq!(price.and_then(Number::get), decimal::parse("0.1"), "{json}");
        }
        assert!(refusal(r#"{"offer":{"price":"ten"}}"#).contains("`ten` is not a decimal number"));
        assert!(refusal(r#"{"offer":{"price":{}}}"#).contains("is not a decimal number"));
    }

    #[test]
    fn ids_and_flags_may_stand_in_quotes() {
        let line = line(r#"{"offer":{"id":"310","sku":12345,"is_default":"1"}}"#);
        let offer = line.offer.get().expect("there is an offer");
        assert_eq!(offer.id.get(), Some(310));
        assert_eq!(offer.sku.get(), Some("12345"));
        assert!(offer.is_default.is_set());
        assert!(refusal(r#"{"offer":{"id":"31x"}}"#).contains("is not a whole number"));
        assert!(refusal(r#"{"offer":{"is_default":"maybe"}}"#).contains("neither true nor false"));
    }

    #[test]
    fn a_list_may_be_one_bare_string() {
        let phones = |json| {
            line(json)
                .phones
                .iter()
                .filter_map(|phone| phone.owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(phones(r#"{"phones":"+380501112233"}"#), ["+380501112233"]);
        assert_eq!(phones(r#"{"phones":["1","2"]}"#), ["1", "2"]);
        assert!(refusal(r#"{"offers":"none"}"#).contains("invalid type"));
        assert!(refusal(r#"{"offer":[1]}"#).contains("a list stands where"));
    }
}
