//! What the fields of objects hold.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::id::Id;
use super::kind::Kind;
use super::record::Record;

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text, and words of a fixed set.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Int(i64),
    /// A quantity, a percentage or a weight.
    Number(Decimal),
    /// An amount of money in hundredths of the currency.
    Money(Decimal),
    /// A moment.
    Moment(Timestamp),
    /// A UUID that refers to nothing.
    Id(Id),
    /// A reference.
    Ref(Ref),
    /// References to other documents.
    Refs(Vec<Ref>),
    /// A price without a type.
    Price(Price),
    /// Prices by their types.
    Prices(BTreeMap<Id, Price>),
    /// Barcodes.
    Barcodes(Vec<Barcode>),
    /// Packs.
    Packs(Vec<Pack>),
    /// Words such as a counterparty's tags.
    Words(Vec<String>),
    /// An address by its parts.
    Address(BTreeMap<&'static str, String>),
    /// The currency of a document.
    Rate(Rate),
    /// What sets a variant apart: values by characteristics.
    Characteristics(BTreeMap<Id, String>),
    /// Additional fields by their definitions.
    Attributes(BTreeMap<Id, Value>),
    /// Rows of a collection that the object owns.
    Rows(Vec<Record>),
    /// Pictures.
    Images(Vec<Image>),
    /// A collection that is always empty here, with the type of what it would hold.
    Nothing(&'static str),
}

/// A reference to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ref {
    /// Kind of the object.
    pub kind: Kind,
    /// Key of the object.
    pub id: Id,
}

/// A price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Amount in hundredths of the currency.
    pub value: Decimal,
    /// The currency.
    pub currency: Id,
}

/// The currency of a document and its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The currency.
    pub currency: Id,
    /// Its rate; none for the currency of account.
    pub value: Option<Decimal>,
}

/// A barcode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barcode {
    /// One of [`Barcode::KINDS`].
    pub kind: &'static str,
    /// What the bars say.
    pub code: String,
}

impl Barcode {
    /// The kinds of barcodes.
    pub const KINDS: &[&'static str] = &["ean13", "ean8", "code128", "gtin", "upc"];

    /// An EAN-13 with the right check digit for twelve digits, as the vendor makes them up.
    pub fn made_up(number: u64) -> Self {
        let digits = format!("2{:011}", number % 100_000_000_000);
        let sum: u32 = digits
            .bytes()
            .enumerate()
            .map(|(place, digit)| u32::from(digit - b'0') * if place % 2 == 0 { 1 } else { 3 })
            .sum();
        Self {
            kind: "ean13",
            code: format!("{digits}{}", (10 - sum % 10) % 10),
        }
    }
}

/// A pack in which goods are traded.
#[derive(Clone, Debug, PartialEq)]
pub struct Pack {
    /// Key.
    pub id: Id,
    /// Unit of the pack.
    pub uom: Id,
    /// How much is in it.
    pub quantity: Decimal,
    /// At most one barcode.
    pub barcodes: Vec<Barcode>,
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Key; the same for the same name and content.
    pub id: Id,
    /// File name.
    pub filename: String,
    /// The file.
    pub content: Vec<u8>,
    /// When it was uploaded.
    pub updated: Timestamp,
}

impl Image {
    /// The file name without its extension.
    pub fn title(&self) -> &str {
        self.filename
            .rsplit_once('.')
            .map_or(&self.filename, |(title, _)| title)
    }

    /// What the file's first bytes tell of its type.
    pub fn media_type(content: &[u8]) -> Option<&'static str> {
        match content {
            [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
            [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
            [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => Some("image/webp"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_barcode_that_is_made_up_has_the_right_check_digit() {
        assert_eq!(Barcode::made_up(0).code, "2000000000008");
        assert_eq!(Barcode::made_up(1).code, "2000000000015");
        assert_eq!(Barcode::made_up(14).code, "2000000000145");
    }
}
