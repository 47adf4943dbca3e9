//! Reads the JSON of requests into objects, as strictly as the real API does.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json};

use super::account::Account;
use super::config::UnknownFields;
use super::id::Id;
use super::kind::Kind;
use super::moscow;
use super::record::Record;
use super::refusal::Refusal;
use super::schema::{self, ADDRESS_PARTS, Access, Field, Shape};
use super::value::{Barcode, Image, Pack, Price, Rate, Ref, Value};

/// The most elements of an array.
pub const MOST_ELEMENTS: usize = 1000;

const MOST_IMAGES: usize = 10;

/// How deep a body may be nested.
const DEEPEST: usize = 10;

/// Whether an object is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is being made.
    Creating,
    /// It is there already.
    Updating,
}

/// Reads a body.
pub fn body(bytes: &[u8]) -> Result<Json, Refusal> {
    let json: Json = serde_json::from_slice(bytes).map_err(|error| {
        let code = if error.is_eof() && bytes.is_empty() {
            2005
        } else {
            2001
        };
        Refusal::code(code).place(error.line(), error.column())
    })?;
    if !json.is_object() && !json.is_array() {
        return Err(Refusal::code(2005).place(1, 1));
    }
    if depth(&json) > DEEPEST {
        return Err(Refusal::code(2006));
    }
    if json.as_array().is_some_and(|all| all.len() > MOST_ELEMENTS) {
        return Err(Refusal::code(2007));
    }
    Ok(json)
}

fn depth(json: &Json) -> usize {
    match json {
        Json::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        Json::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// The object that an element of an array has to be.
pub fn object(json: &Json) -> Result<&Map<String, Json>, Refusal> {
    json.as_object().ok_or_else(|| Refusal::code(2000))
}

/// An exact number.
pub fn number(json: &Json) -> Option<Decimal> {
    let text = json.as_number()?.to_string();
    text.parse()
        .or_else(|_| Decimal::from_scientific(&text))
        .ok()
        .map(|number: Decimal| number.normalize())
}

impl Account {
    /// The object that an address leads to. What follows a question mark does not count.
    pub(super) fn parse_href(&self, href: &str, field: &str) -> Result<Ref, Refusal> {
        let Some(path) = href.strip_prefix(&self.base) else {
            return Err(Refusal::about(1059, href));
        };
        let path = path.split('?').next().unwrap_or_default();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let (kind, id) = match parts[..] {
            ["context", "companysettings", "pricetype", id] => (Kind::PriceType, id),
            ["entity", "variant", "metadata", "characteristics", id] => (Kind::Characteristic, id),
            ["entity", _, "metadata", "states", id] => (Kind::State, id),
            ["entity", _, "metadata", "attributes", id] => (Kind::AttributeMetadata, id),
            ["entity", word, id] => {
                let kind = Kind::of_word(word).filter(|kind| kind.is_entity());
                (kind.ok_or_else(|| Refusal::about(1005, word))?, id)
            }
            ["entity", word, _, collection, id] => {
                let kind = Kind::of_word(word).and_then(|kind| {
                    let mut all = kind.collections().iter();
                    all.find(|(name, _)| *name == collection)
                });
                (kind.ok_or_else(|| Refusal::field(2013, field))?.1, id)
            }
            _ => return Err(Refusal::field(2013, field)),
        };
        let id = id.parse().map_err(|_| Refusal::field(2013, field))?;
        Ok(Ref { kind, id })
    }

    /// The existing object that a `{"meta":…}` refers to.
    pub(super) fn reference(&self, json: &Json, field: &str) -> Result<Ref, Refusal> {
        let meta = json.get("meta").filter(|meta| meta.is_object());
        let meta = meta.ok_or_else(|| Refusal::field(2014, field))?;
        let text = |name: &str| meta.get(name).and_then(Json::as_str);
        let href = text("href").ok_or_else(|| Refusal::field(2010, field))?;
        let word = text("type").ok_or_else(|| Refusal::field(2011, field))?;
        let known = Kind::ALL.iter().any(|kind| kind.meta_type() == word);
        if !known {
            return Err(Refusal::field(2012, field));
        }
        let reference = self.parse_href(href, field)?;
        if reference.kind.meta_type() != word {
            return Err(Refusal::about(2024, word));
        }
        match self.resolve(reference) {
            Some(_) => Ok(reference),
            None => Err(Refusal::about(1021, reference.id.to_string())),
        }
    }

    fn reference_to(&self, json: &Json, field: &str, kinds: &[Kind]) -> Result<Id, Refusal> {
        let reference = self.reference(json, field)?;
        if !kinds.contains(&reference.kind) {
            return Err(Refusal::field(2027, field));
        }
        Ok(reference.id)
    }

    /// Puts what a body says into an object.
    pub(super) fn apply(
        &mut self,
        record: &mut Record,
        body: &Map<String, Json>,
        mode: Mode,
    ) -> Result<(), Refusal> {
        let kind = record.kind;
        if mode == Mode::Updating
            && self.behaviour.unknown_fields == UnknownFields::RefusedOnUpdate
            && let Some(unknown) = body.keys().find(|key| {
                !matches!(key.as_str(), "meta" | "id" | "accountId" | "_simulated")
                    && schema::find(kind, key).is_none()
            })
        {
            return Err(Refusal::field(1007, unknown));
        }
        for field in schema::fields(kind) {
            let Some(json) = body.get(field.name) else {
                continue;
            };
            match field.access {
                Access::Shown => continue,
                Access::Once if mode == Mode::Updating => {
                    let same = matches!(
                        (record.get(field.name), json.as_str().map(str::parse)),
                        (Some(Value::Id(have)), Some(Ok(sent))) if *have == sent
                    );
                    if same || json.is_null() {
                        continue;
                    }
                    return Err(Refusal::field(1047, field.name));
                }
                _ => {}
            }
            if json.is_null() {
                self.nullify(record, field)?;
            } else {
                self.read_field(record, field, json)?;
            }
        }
        // A rate of VAT on a line means that there is VAT on it.
        if record.kind.collection() == Some("positions")
            && body.contains_key("vat")
            && !body.contains_key("vatEnabled")
        {
            record.set("vatEnabled", Value::Flag(record.int("vat") > 0));
        }
        for field in schema::fields(kind) {
            if field.access == Access::Required && record.get(field.name).is_none() {
                return Err(Refusal::field(3000, field.name));
            }
        }
        Ok(())
    }

    fn nullify(&self, record: &mut Record, field: &Field) -> Result<(), Refusal> {
        match field.shape {
            _ if field.access == Access::Required => Err(Refusal::field(3000, field.name)),
            Shape::Rate => {
                record.set(field.name, Value::Rate(self.no_rate()));
                Ok(())
            }
            Shape::Barcodes => {
                record.set(field.name, Value::Barcodes(Vec::new()));
                Ok(())
            }
            Shape::AddressText(parts) => {
                record.clear(field.name);
                record.clear(parts);
                Ok(())
            }
            Shape::AddressParts(_)
            | Shape::Flag
            | Shape::Minute
            | Shape::Rows(_)
            | Shape::Images
            | Shape::Prices
            | Shape::Attributes
            | Shape::Words => Ok(()),
            _ => {
                record.clear(field.name);
                Ok(())
            }
        }
    }

    fn read_field(
        &mut self,
        record: &mut Record,
        field: &Field,
        json: &Json,
    ) -> Result<(), Refusal> {
        let name = field.name;
        let wrong = || Refusal::field(2016, name);
        let array = || json.as_array().ok_or_else(wrong);
        let whole_collection = matches!(field.shape, Shape::Rows(_) | Shape::Images);
        if whole_collection && json.is_object() && json.get("rows").is_none() {
            // The reference to the collection, as answers have it, says nothing of what is in it.
            return Ok(());
        }
        let value = match field.shape {
            Shape::Text(_) | Shape::Email | Shape::Url | Shape::Word(_) => {
                let text = json.as_str().ok_or_else(wrong)?;
                check_text(field, text)?;
                if text.is_empty() {
                    return self.nullify(record, field);
                }
                Value::Text(text.to_owned())
            }
            Shape::Flag => Value::Flag(json.as_bool().ok_or_else(wrong)?),
            Shape::Int => Value::Int(int(json).ok_or_else(wrong)?),
            Shape::Number => Value::Number(number(json).ok_or_else(wrong)?),
            Shape::Money => Value::Money(amount(json, name)?),
            Shape::Moment | Shape::Minute => {
                let moment = json.as_str().and_then(moscow::read).ok_or_else(wrong)?;
                Value::Moment(match field.shape {
                    Shape::Minute => moscow::minute(moment),
                    _ => moment,
                })
            }
            Shape::Uuid => {
                let id = json.as_str().and_then(|text| text.parse().ok());
                Value::Id(id.ok_or_else(|| Refusal::about(1052, name))?)
            }
            Shape::Ref(kinds) => {
                let reference = self.reference(json, name)?;
                if !kinds.contains(&reference.kind) {
                    return Err(Refusal::field(2027, name));
                }
                Value::Ref(reference)
            }
            Shape::RowOf(kind) => {
                let id = self.reference_to(json, name, &[kind])?;
                Value::Ref(Ref { kind, id })
            }
            Shape::Refs(kind) => {
                let ids = array()?.iter().map(|one| {
                    let id = self.reference_to(one, name, &[kind])?;
                    Ok(Ref { kind, id })
                });
                Value::Refs(ids.collect::<Result<_, Refusal>>()?)
            }
            Shape::Price => Value::Price(self.price(json, name)?),
            Shape::Prices => {
                let mut prices = match record.get(name) {
                    Some(Value::Prices(prices)) => prices.clone(),
                    _ => BTreeMap::new(),
                };
                for one in array()? {
                    let price_type = one.get("priceType");
                    let price_type = price_type.ok_or_else(|| Refusal::field(3000, "priceType"))?;
                    let price_type =
                        self.reference_to(price_type, "priceType", &[Kind::PriceType])?;
                    prices.insert(price_type, self.price(one, name)?);
                }
                Value::Prices(prices)
            }
            Shape::Barcodes => Value::Barcodes(barcodes(array()?, name)?),
            Shape::Packs => {
                let packs = array()?.iter().map(|one| self.pack(one));
                Value::Packs(packs.collect::<Result<_, Refusal>>()?)
            }
            Shape::Words => {
                let words = array()?.iter().map(|one| one.as_str().map(str::to_owned));
                Value::Words(words.collect::<Option<_>>().ok_or_else(wrong)?)
            }
            Shape::AddressText(parts) => {
                let text = json.as_str().ok_or_else(wrong)?;
                if text.is_empty() {
                    return self.nullify(record, field);
                }
                let whole = BTreeMap::from([("addInfo", text.to_owned())]);
                record.set(parts, Value::Address(whole));
                Value::Text(text.to_owned())
            }
            Shape::AddressParts(whole) => {
                let parts = address(json.as_object().ok_or_else(wrong)?)?;
                let order = ADDRESS_PARTS.iter().filter(|(part, _)| *part != "comment");
                let text: Vec<&str> = order
                    .filter_map(|(part, _)| parts.get(part).map(String::as_str))
                    .collect();
                record.set(whole, Value::Text(text.join(", ")));
                Value::Address(parts)
            }
            Shape::Rate => {
                let currency = json.get("currency").ok_or_else(wrong)?;
                Value::Rate(Rate {
                    currency: self.reference_to(currency, name, &[Kind::Currency])?,
                    value: json.get("value").and_then(number),
                })
            }
            Shape::Characteristics => Value::Characteristics(self.characteristics(array()?)?),
            Shape::Attributes => {
                let mut attributes = match record.get(name) {
                    Some(Value::Attributes(attributes)) => attributes.clone(),
                    _ => BTreeMap::new(),
                };
                for one in array()? {
                    self.attribute(record.kind, one, &mut attributes)?;
                }
                Value::Attributes(attributes)
            }
            Shape::Rows(kind) => {
                let rows = match json {
                    Json::Object(inner) if self.behaviour.positions_in_rows => {
                        inner.get("rows").and_then(Json::as_array)
                    }
                    other => other.as_array(),
                };
                let before = record.rows(name).to_vec();
                Value::Rows(self.rows(kind, before, rows.ok_or_else(wrong)?)?)
            }
            Shape::Images => {
                let before = record.images().to_vec();
                let images = array()?.iter().map(|one| self.image(one, &before));
                let images = images.collect::<Result<Vec<_>, Refusal>>()?;
                if images.len() > MOST_IMAGES {
                    return Err(Refusal::code(51006));
                }
                Value::Images(images)
            }
            Shape::Nothing(_) => return Ok(()),
        };
        record.set(name, value);
        Ok(())
    }

    fn price(&self, json: &Json, field: &str) -> Result<Price, Refusal> {
        let value = json
            .get("value")
            .ok_or_else(|| Refusal::field(3000, field))?;
        let currency = match json.get("currency") {
            Some(currency) => self.reference_to(currency, "currency", &[Kind::Currency])?,
            None => self.home.currency,
        };
        Ok(Price {
            value: amount(value, field)?,
            currency,
        })
    }

    fn pack(&mut self, json: &Json) -> Result<Pack, Refusal> {
        let uom = json.get("uom").ok_or_else(|| Refusal::field(3000, "uom"))?;
        let quantity = json.get("quantity").and_then(number);
        let codes = json.get("barcodes").and_then(Json::as_array);
        let id = json.get("id").and_then(Json::as_str);
        Ok(Pack {
            uom: self.reference_to(uom, "uom", &[Kind::Uom])?,
            quantity: quantity.ok_or_else(|| Refusal::field(3000, "quantity"))?,
            barcodes: codes.map_or_else(|| Ok(Vec::new()), |all| barcodes(all, "barcodes"))?,
            id: match id.and_then(|text| text.parse().ok()) {
                Some(id) => id,
                None => self.allot_id(),
            },
        })
    }

    fn characteristics(&mut self, values: &[Json]) -> Result<BTreeMap<Id, String>, Refusal> {
        let mut read = BTreeMap::new();
        for one in values {
            let value = one.get("value").and_then(Json::as_str).unwrap_or_default();
            if value.is_empty() {
                return Err(Refusal::code(10000));
            }
            let id = one.get("id").and_then(Json::as_str);
            let name = one.get("name").and_then(Json::as_str);
            let definition = match (id, name) {
                (Some(id), _) => {
                    let known = id.parse().ok().and_then(|id| self.peek(id));
                    known.filter(|one| one.kind == Kind::Characteristic)
                }
                (None, Some(name)) => self.find(Kind::Characteristic, "name", name),
                (None, None) => return Err(Refusal::code(15001)),
            };
            let unknown = || Refusal::about(10001, id.or(name).unwrap_or_default());
            read.insert(definition.ok_or_else(unknown)?.id, value.to_owned());
        }
        Ok(read)
    }

    fn attribute(
        &self,
        kind: Kind,
        json: &Json,
        attributes: &mut BTreeMap<Id, Value>,
    ) -> Result<(), Refusal> {
        let definition = match json.get("id").and_then(Json::as_str) {
            Some(id) if json.get("meta").is_none() => {
                id.parse().map_err(|_| Refusal::about(14003, id))?
            }
            _ => match self.reference_to(json, "attributes", &[Kind::AttributeMetadata]) {
                Ok(id) => id,
                Err(refusal) if refusal.is_not_found() => {
                    return Err(Refusal::about(14003, "attributes"));
                }
                Err(refusal) => return Err(refusal),
            },
        };
        let definition = self
            .peek(definition)
            .ok_or_else(|| Refusal::about(14003, definition.to_string()))?;
        if Some(definition.text("entityType")) != kind.attributes().map(Kind::word) {
            return Err(Refusal::about(14000, definition.name()));
        }
        let Some(json) = json.get("value") else {
            return Err(Refusal::about(14009, definition.name()));
        };
        if json.is_null() || json.as_str() == Some("") {
            attributes.remove(&definition.id);
            return Ok(());
        }
        let wrong = || Refusal::field(2016, definition.name());
        let attribute_type = definition.text("type");
        let value = match attribute_type {
            "string" | "text" | "link" => {
                let text = json.as_str().ok_or_else(wrong)?;
                let most = if attribute_type == "text" { 4096 } else { 255 };
                if text.chars().count() > most {
                    return Err(Refusal::field(3040, definition.name()));
                }
                Value::Text(text.to_owned())
            }
            "long" => Value::Int(int(json).ok_or_else(wrong)?),
            "double" => Value::Number(number(json).ok_or_else(wrong)?),
            "boolean" => Value::Flag(json.as_bool().ok_or_else(wrong)?),
            "time" => {
                let moment = json.as_str().and_then(moscow::read).ok_or_else(wrong)?;
                Value::Moment(moscow::minute(moment))
            }
            word => {
                let kind = schema::attribute_target(word).ok_or_else(wrong)?;
                let id = self.reference_to(json, definition.name(), &[kind])?;
                Value::Ref(Ref { kind, id })
            }
        };
        attributes.insert(definition.id, value);
        Ok(())
    }

    /// The rows of a collection after an update: those that are named by their keys change, others
    /// are new, and what is not named goes, but for the parts of a bundle.
    pub(super) fn rows(
        &mut self,
        kind: Kind,
        before: Vec<Record>,
        sent: &[Json],
    ) -> Result<Vec<Record>, Refusal> {
        if sent.len() > MOST_ELEMENTS {
            return Err(Refusal::code(2022));
        }
        let mut rows = if kind == Kind::BundleComponent {
            before.clone()
        } else {
            Vec::new()
        };
        for json in sent {
            let body = object(json)?;
            match row_key(body) {
                Some(id) => {
                    let old = before.iter().find(|row| Some(row.id) == id);
                    let unknown = || {
                        let id = id.map_or_else(String::new, |id| id.to_string());
                        Refusal::about(1021, id)
                    };
                    let mut row = old.ok_or_else(unknown)?.clone();
                    self.apply(&mut row, body, Mode::Updating)?;
                    rows.retain(|other| other.id != row.id);
                    rows.push(row);
                }
                None => rows.push(self.new_row(kind, body)?),
            }
        }
        Ok(rows)
    }

    /// A new row of a collection.
    pub(super) fn new_row(
        &mut self,
        kind: Kind,
        body: &Map<String, Json>,
    ) -> Result<Record, Refusal> {
        let mut row = self.begin(kind);
        self.apply(&mut row, body, Mode::Creating)?;
        Ok(row)
    }

    /// A picture that is sent, or one that is there already.
    pub(super) fn image(&mut self, json: &Json, before: &[Image]) -> Result<Image, Refusal> {
        if let Some(href) = json.pointer("/meta/href").and_then(Json::as_str) {
            let last = href
                .split('?')
                .next()
                .and_then(|path| path.rsplit('/').next());
            let id: Option<Id> = last.and_then(|id| id.parse().ok());
            let known = before.iter().find(|image| Some(image.id) == id);
            return known.cloned().ok_or_else(|| Refusal::about(1021, href));
        }
        let filename = json
            .get("filename")
            .and_then(Json::as_str)
            .unwrap_or_default();
        if filename.is_empty() {
            return Err(Refusal::code(51005));
        }
        let content = json.get("content").and_then(Json::as_str);
        let content = content.ok_or_else(|| Refusal::code(51001))?;
        let content = STANDARD.decode(content).map_err(|_| Refusal::code(51002))?;
        if Image::media_type(&content).is_none() {
            return Err(Refusal::code(51002));
        }
        Ok(self.new_image(filename, content))
    }
}

/// The key by which a body names a row; none in it for a new one.
fn row_key(body: &Map<String, Json>) -> Option<Option<Id>> {
    if let Some(id) = body.get("id").and_then(Json::as_str) {
        return Some(id.parse().ok());
    }
    let href = body.get("meta")?.get("href")?.as_str()?;
    let path = href.split('?').next()?;
    Some(path.rsplit('/').next().and_then(|id| id.parse().ok()))
}

fn check_text(field: &Field, text: &str) -> Result<(), Refusal> {
    match field.shape {
        Shape::Text(most) if text.chars().count() > most => Err(Refusal::field(3040, field.name)),
        Shape::Email if !text.is_empty() && !is_email(text) => Err(Refusal::about(3015, text)),
        Shape::Url if text.chars().count() > 255 => Err(Refusal::code(30010)),
        Shape::Url if !text.starts_with("http://") && !text.starts_with("https://") => {
            Err(Refusal::code(30005))
        }
        Shape::Word(words) if !words.contains(&text) => Err(Refusal::field(3005, field.name)),
        _ => Ok(()),
    }
}

fn is_email(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && !text.contains(char::is_whitespace)
    })
}

/// A whole number, with or without a fraction of nought.
fn int(json: &Json) -> Option<i64> {
    let number = number(json).filter(|number| number.scale() == 0)?;
    i64::try_from(number).ok()
}

/// An amount of money, which is not below nought.
fn amount(json: &Json, field: &str) -> Result<Decimal, Refusal> {
    let amount = number(json).ok_or_else(|| Refusal::field(2016, field))?;
    if amount < Decimal::ZERO {
        return Err(Refusal::field(3002, field));
    }
    Ok(amount)
}

fn barcodes(sent: &[Json], field: &str) -> Result<Vec<Barcode>, Refusal> {
    let wrong = || Refusal::field(2016, field);
    let mut codes = Vec::new();
    for one in sent {
        let known = Barcode::KINDS
            .iter()
            .find_map(|kind| Some((*kind, one.get(kind)?)));
        let (kind, code) = known.ok_or_else(wrong)?;
        let code = code.as_str().ok_or_else(wrong)?;
        if code.chars().count() > 255 {
            return Err(Refusal::code(3011));
        }
        let digits = code.bytes().all(|byte| byte.is_ascii_digit());
        if kind == "gtin" && !(digits && matches!(code.len(), 8 | 12 | 13 | 14)) {
            return Err(Refusal::code(3014));
        }
        codes.push(Barcode {
            kind,
            code: code.to_owned(),
        });
    }
    Ok(codes)
}

fn address(json: &Map<String, Json>) -> Result<BTreeMap<&'static str, String>, Refusal> {
    let mut parts = BTreeMap::new();
    for (part, most) in ADDRESS_PARTS {
        match json.get(*part) {
            None | Some(Json::Null) => {}
            Some(value) => {
                let text = value.as_str().ok_or_else(|| Refusal::field(2016, part))?;
                if text.chars().count() > *most {
                    return Err(Refusal::field(3040, part));
                }
                if !text.is_empty() {
                    parts.insert(*part, text.to_owned());
                }
            }
        }
    }
    Ok(parts)
}
