//! Writes the account's objects as the API's JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::{Decimal, RoundingStrategy};

use super::account::Account;
use super::id::Id;
use super::kind::Kind;
use super::moscow;
use super::record::Record;
use super::schema::{self, Shape};
use super::value::{Barcode, Image, Pack, Price, Rate, Ref, Value};
use crate::json::{Double, Object, object};

/// How deep references may be followed.
const DEEPEST_EXPAND: usize = 3;

/// How many rows of a collection come with its owner.
const MOST_ROWS: usize = 1000;

/// Which references of an object are to be followed, and which of theirs.
#[derive(Debug, Default)]
pub struct Expand(BTreeMap<String, Expand>);

impl Expand {
    /// Reads `agent,positions.assortment`. What lies too deep is left out.
    pub fn parse(text: &str) -> Self {
        let mut root = Self::default();
        for path in text.split(',').filter(|path| !path.is_empty()) {
            let mut at = &mut root;
            for name in path.trim().split('.').take(DEEPEST_EXPAND) {
                at = at.0.entry(name.to_owned()).or_default();
            }
        }
        root
    }

    /// What is to be followed beyond a field; none when the field itself is not.
    pub fn get(&self, field: &str) -> Option<&Self> {
        self.0.get(field)
    }

    /// Whether nothing is to be followed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What comes only when it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// Stock in positions of documents.
    Stock,
    /// Lasting addresses of pictures.
    PermanentHref,
    /// Something the simulator has no figures for.
    Other,
}

/// A writer for one answer.
pub struct Wire<'a> {
    account: &'a Account,
    precise: bool,
    extra: Option<Extra>,
}

impl<'a> Wire<'a> {
    /// A writer that rounds prices, unless the client or the account wants them as they are.
    pub fn new(account: &'a Account, precise: bool, extra: Option<Extra>) -> Self {
        Self {
            account,
            precise: precise || !account.behaviour.prices_rounded,
            extra,
        }
    }

    /// Writes an object.
    pub fn record(&self, out: &mut String, record: &Record, expand: &Expand) {
        // Rows change with their owner, which alone is watched for changes.
        let whole = record.kind.collection().is_none();
        if !whole || !expand.is_empty() || self.extra.is_some() || self.precise {
            object(out, |inner| self.fields(inner, record, expand));
            return;
        }
        let prepared = self.account.texts.borrow().get(&record.id).cloned();
        if let Some(text) = prepared {
            out.push_str(&text);
            return;
        }
        let mut text = String::new();
        object(&mut text, |inner| self.fields(inner, record, expand));
        out.push_str(&text);
        let mut texts = self.account.texts.borrow_mut();
        texts.insert(record.id, Arc::from(text));
    }

    /// Writes the fields of an object into one that is open.
    pub fn fields(&self, out: &mut Object<'_>, record: &Record, expand: &Expand) {
        out.object("meta", |meta| self.meta(meta, record.reference()));
        out.put("id", record.id.to_string());
        if has_account(record.kind) {
            out.put("accountId", self.account.id.to_string());
        }
        for field in schema::fields(record.kind) {
            if let Some(value) = self.account.shown(record, field) {
                let expand = expand.get(field.name);
                self.value(out, record, field.name, field.shape, &value, expand);
            }
        }
        if self.extra == Some(Extra::Stock) && record.kind.collection() == Some("positions") {
            self.position_stock(out, record);
        }
        if self.account.behaviour.unknown_keys && record.kind.is_entity() {
            out.put("_simulated", true);
        }
    }

    fn value(
        &self,
        out: &mut Object<'_>,
        record: &Record,
        name: &'static str,
        shape: Shape,
        value: &Value,
        expand: Option<&Expand>,
    ) {
        match value {
            Value::Text(text) => out.put(name, text),
            Value::Flag(flag) => out.put(name, *flag),
            Value::Int(number) => out.put(name, *number),
            Value::Number(number) => out.put(name, Double(*number)),
            Value::Money(money) => out.put(name, self.money(*money)),
            Value::Moment(moment) => out.put(name, moscow::written(*moment)),
            Value::Id(id) => out.put(name, id.to_string()),
            Value::Ref(reference) => out.object(name, |out| self.referred(out, *reference, expand)),
            Value::Refs(references) => {
                out.objects(name, references, |out, one| {
                    self.referred(out, *one, expand)
                });
            }
            Value::Price(price) => out.object(name, |out| self.price(out, *price)),
            // Every type of price is told, whether the object has one or not.
            Value::Prices(prices) => {
                let types = self.account.price_types();
                out.objects(name, types, |out, price_type| {
                    let none = self.account.no_price();
                    self.price(out, prices.get(price_type).copied().unwrap_or(none));
                    out.object("priceType", |out| {
                        if let Some(record) = self.account.peek(*price_type) {
                            self.fields(out, record, &Expand::default());
                        }
                    });
                });
            }
            Value::Barcodes(barcodes) => barcodes_into(out, barcodes),
            Value::Packs(packs) => out.objects(name, packs, |out, pack| self.pack(out, pack)),
            Value::Words(words) => out.put(name, words.as_slice()),
            Value::Address(parts) => out.object(name, |out| {
                for (part, text) in parts {
                    out.put(part, text);
                }
            }),
            Value::Rate(rate) => out.object(name, |out| self.rate(out, rate)),
            Value::Characteristics(values) => {
                out.objects(name, values, |out, (definition, text)| {
                    self.characteristic(out, *definition, text);
                });
            }
            Value::Attributes(attributes) => self.attributes(out, record.kind, attributes),
            Value::Rows(rows) => {
                let Shape::Rows(kind) = shape else { return };
                self.collection(out, record, name, kind.meta_type(), rows.len(), |out| {
                    if let Some(expand) = expand {
                        let rows = rows.iter().take(MOST_ROWS);
                        out.objects("rows", rows, |out, row| self.fields(out, row, expand));
                    }
                });
            }
            Value::Images(images) => {
                self.collection(out, record, name, "image", images.len(), |out| {
                    if expand.is_some() {
                        out.objects("rows", images, |out, image| {
                            self.image(out, record.reference(), image);
                        });
                    }
                });
            }
            Value::Nothing(kind) => self.collection(out, record, name, kind, 0, |_| {}),
        }
    }

    fn money(&self, amount: Decimal) -> Double {
        Double(if self.precise {
            amount
        } else {
            amount.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero)
        })
    }

    /// Writes a reference: bare, or followed.
    pub fn referred(&self, out: &mut Object<'_>, reference: Ref, expand: Option<&Expand>) {
        match (expand, self.account.resolve(reference)) {
            (Some(expand), Some(record)) => self.fields(out, record, expand),
            _ => out.object("meta", |meta| self.meta(meta, reference)),
        }
    }

    fn reference(&self, out: &mut Object<'_>, name: &str, kind: Kind, id: Id) {
        out.object(name, |out| self.referred(out, Ref { kind, id }, None));
    }

    fn price(&self, out: &mut Object<'_>, price: Price) {
        out.put("value", self.money(price.value));
        self.reference(out, "currency", Kind::Currency, price.currency);
    }

    fn rate(&self, out: &mut Object<'_>, rate: &Rate) {
        self.reference(out, "currency", Kind::Currency, rate.currency);
        if let Some(value) = rate.value {
            out.put("value", Double(value));
        }
    }

    fn pack(&self, out: &mut Object<'_>, pack: &Pack) {
        out.put("id", pack.id.to_string());
        self.reference(out, "uom", Kind::Uom, pack.uom);
        out.put("quantity", Double(pack.quantity));
        barcodes_into(out, &pack.barcodes);
    }

    fn characteristic(&self, out: &mut Object<'_>, definition: Id, text: &str) {
        let reference = Ref {
            kind: Kind::Characteristic,
            id: definition,
        };
        out.object("meta", |meta| self.meta(meta, reference));
        out.put("id", definition.to_string());
        if let Some(record) = self.account.peek(definition) {
            out.put("name", record.name());
        }
        out.put("value", text);
    }

    fn attributes(&self, out: &mut Object<'_>, kind: Kind, attributes: &BTreeMap<Id, Value>) {
        if attributes.is_empty() {
            return;
        }
        // In the order in which the account's administrator defined them.
        let definitions = self.account.definitions(kind);
        let filled = definitions.filter_map(|one| Some((one, attributes.get(&one.id)?)));
        out.objects("attributes", filled, |out, (definition, value)| {
            out.object("meta", |meta| self.meta(meta, definition.reference()));
            out.put("id", definition.id.to_string());
            out.put("name", definition.name());
            out.put("type", definition.text("type"));
            match value {
                Value::Text(text) => out.put("value", text),
                Value::Flag(flag) => out.put("value", *flag),
                Value::Int(number) => out.put("value", *number),
                Value::Number(number) => out.put("value", Double(*number)),
                Value::Moment(moment) => out.put("value", moscow::written(*moment)),
                Value::Ref(reference) => out.object("value", |out| {
                    out.object("meta", |meta| self.meta(meta, *reference));
                    if let Some(record) = self.account.resolve(*reference) {
                        out.put("name", record.name());
                    }
                }),
                _ => {}
            }
        });
    }

    fn collection(
        &self,
        out: &mut Object<'_>,
        owner: &Record,
        name: &str,
        kind: &str,
        size: usize,
        rows: impl FnOnce(&mut Object<'_>),
    ) {
        out.object(name, |out| {
            out.object("meta", |meta| {
                let href = self.account.href(owner.reference());
                meta.put("href", format!("{href}/{name}"));
                meta.put("type", kind);
                meta.put("mediaType", "application/json");
                meta.put("size", size);
                meta.put("limit", MOST_ROWS);
                meta.put("offset", 0_usize);
            });
            rows(out);
        });
    }

    fn position_stock(&self, out: &mut Object<'_>, row: &Record) {
        let (Some(item), Some(owner)) = (row.refers("assortment"), self.account.owner_of(row.id))
        else {
            return;
        };
        let store = self
            .account
            .peek(owner)
            .and_then(|owner| owner.refers("store"));
        let level = self
            .account
            .stock
            .level(item.id, store.map(|store| store.id));
        let cost = self.account.cost(item.id);
        out.object("stock", |out| {
            out.put("cost", self.money(cost));
            out.put("quantity", Double(level.stock));
            out.put("reserve", Double(level.reserve));
            out.put("intransit", Double(level.in_transit));
            out.put("available", Double(level.available()));
        });
    }

    /// Writes the content of a `meta`.
    pub fn meta(&self, out: &mut Object<'_>, reference: Ref) {
        let kind = reference.kind;
        out.put("href", self.account.href(reference));
        if kind.has_metadata() {
            let base = &self.account.base;
            out.put(
                "metadataHref",
                format!("{base}/entity/{}/metadata", kind.word()),
            );
        }
        out.put("type", kind.meta_type());
        out.put("mediaType", "application/json");
        let page = match kind {
            Kind::Product | Kind::Service => "good",
            Kind::Counterparty => "company",
            Kind::Store => "warehouse",
            Kind::CustomerOrder | Kind::PurchaseOrder => kind.word(),
            _ => return,
        };
        let id = if kind == Kind::Product {
            reference.id.in_interface()
        } else {
            reference.id
        };
        let href = format!("https://online.moysklad.ru/app/#{page}/edit?id={id}");
        out.put("uuidHref", href);
    }

    /// Writes a picture.
    pub fn image(&self, out: &mut Object<'_>, owner: Ref, image: &Image) {
        let base = &self.account.base;
        let storage = &self.account.storage[0];
        let download = format!("{base}/download/{}", image.id);
        out.object("meta", |meta| {
            let href = self.account.href(owner);
            meta.put("href", format!("{href}/images/{}", image.id));
            meta.put("type", "image");
            meta.put("mediaType", "application/json");
            meta.put("downloadHref", &download);
            if self.extra == Some(Extra::PermanentHref) {
                let href = format!("{storage}/permanent/{}", image.id);
                meta.put("downloadPermanentHref", href);
            }
        });
        out.put("title", image.title());
        out.put("filename", &image.filename);
        out.put("size", image.content.len());
        out.put("updated", moscow::written(image.updated));
        out.object("miniature", |meta| {
            meta.put("href", format!("{download}?miniature=true"));
            meta.put("type", "image");
            meta.put("mediaType", "image/png");
            meta.put("downloadHref", format!("{storage}/miniature/{}", image.id));
        });
        out.object("tiny", |meta| {
            meta.put("href", format!("{storage}/tiny/{}", image.id));
            meta.put("type", "image");
            meta.put("mediaType", "image/png");
        });
    }

    /// Writes `context`, who asked.
    pub fn context(&self, out: &mut Object<'_>) {
        out.object("context", |out| {
            out.object("employee", |out| {
                let base = &self.account.base;
                out.object("meta", |meta| {
                    meta.put("href", format!("{base}/context/employee"));
                    meta.put("metadataHref", format!("{base}/entity/employee/metadata"));
                    meta.put("type", "employee");
                    meta.put("mediaType", "application/json");
                });
            });
        });
    }
}

/// Whether objects of a kind tell the account they belong to.
fn has_account(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Currency | Kind::PriceType | Kind::AttributeMetadata | Kind::Characteristic
    )
}

fn barcodes_into(out: &mut Object<'_>, barcodes: &[Barcode]) {
    if !barcodes.is_empty() {
        out.objects("barcodes", barcodes, |out, one| {
            out.put(one.kind, &one.code);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expand_is_a_tree_three_levels_deep() {
        let expand = Expand::parse("agent,positions.assortment.product.supplier,positions");
        assert!(expand.get("agent").is_some_and(Expand::is_empty));
        let product = expand
            .get("positions")
            .and_then(|one| one.get("assortment"))
            .and_then(|one| one.get("product"));
        assert!(product.is_some_and(Expand::is_empty));
        assert!(expand.get("store").is_none());
    }
}
