//! What people do in the account: enter goods, partners and orders, change them, move stock.
//!
//! ```
//! use tenon_simulators::moysklad::{Account, NewOrder, NewProduct};
//!
//! let mut account = Account::empty();
//! let filter = account.add_product(
//!     NewProduct::new("Фильтр масляный").code("MAHLE OC90").article("OC90").price("350.50"),
//! );
//! let store = account.home.store;
//! account.set_stock(filter, store, "12");
//! let buyer = account.add_counterparty(Default::default());
//! let order = account.add_order(NewOrder::of(buyer).store(store).line(filter, "2", "350.50"));
//! assert_eq!(account.get(order).number("sum").to_string(), "70100");
//! ```
//!
//! Money is given in roubles and as text, because text is exact. What is no number, or what
//! MoySklad would refuse, is a mistake in the scenario and panics.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::account::Account;
use super::id::Id;
use super::kind::Kind;
use super::moscow;
use super::record::Record;
use super::stock::Level;
use super::value::{Barcode, Price, Ref, Value};

fn quantity(text: &str) -> Decimal {
    text.parse()
        .unwrap_or_else(|_| panic!("`{text}` is not a number"))
}

/// Hundredths of roubles.
fn money(roubles: &str) -> Decimal {
    (quantity(roubles) * Decimal::ONE_HUNDRED).normalize()
}

fn word(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A product to enter. Without further words it has no code, no article, no folder and no price.
#[derive(Clone, Debug, Default)]
pub struct NewProduct {
    texts: Vec<(&'static str, String)>,
    folder: Option<Id>,
    prices: Vec<(Option<Id>, Decimal)>,
    buy_price: Option<Decimal>,
    barcodes: Option<Vec<Barcode>>,
    weight: Option<Decimal>,
    archived: bool,
    supplier: Option<Id>,
    vat: Option<i64>,
    attributes: BTreeMap<Id, Value>,
}

impl NewProduct {
    /// A product with a name.
    pub fn new(name: &str) -> Self {
        Self::default().text("name", name)
    }

    /// The text of any field.
    pub fn text(mut self, field: &'static str, text: &str) -> Self {
        self.texts.push((field, text.to_owned()));
        self
    }

    /// Its code.
    pub fn code(self, code: &str) -> Self {
        self.text("code", code)
    }

    /// Its article.
    pub fn article(self, article: &str) -> Self {
        self.text("article", article)
    }

    /// Its description.
    pub fn description(self, description: &str) -> Self {
        self.text("description", description)
    }

    /// Its external code, instead of one that is made up.
    pub fn external_code(self, code: &str) -> Self {
        self.text("externalCode", code)
    }

    /// The folder it lies in.
    pub fn folder(mut self, folder: Id) -> Self {
        self.folder = Some(folder);
        self
    }

    /// Its price of the first type, in roubles.
    pub fn price(mut self, roubles: &str) -> Self {
        self.prices.push((None, money(roubles)));
        self
    }

    /// Its price of another type, in roubles.
    pub fn price_of(mut self, price_type: Id, roubles: &str) -> Self {
        self.prices.push((Some(price_type), money(roubles)));
        self
    }

    /// What it is bought for, in roubles.
    pub fn buy_price(mut self, roubles: &str) -> Self {
        self.buy_price = Some(money(roubles));
        self
    }

    /// A barcode, of one of the kinds of [`Barcode::KINDS`].
    pub fn barcode(mut self, kind: &'static str, code: &str) -> Self {
        self.barcodes.get_or_insert_default().push(Barcode {
            kind,
            code: code.to_owned(),
        });
        self
    }

    /// Its weight.
    pub fn weight(mut self, weight: &str) -> Self {
        self.weight = Some(quantity(weight));
        self
    }

    /// Its rate of VAT in per cent.
    pub fn vat(mut self, percent: i64) -> Self {
        self.vat = Some(percent);
        self
    }

    /// Who supplies it.
    pub fn supplier(mut self, counterparty: Id) -> Self {
        self.supplier = Some(counterparty);
        self
    }

    /// The value of an additional field.
    pub fn attribute(mut self, definition: Id, value: Value) -> Self {
        self.attributes.insert(definition, value);
        self
    }

    /// In the archive from the beginning.
    pub fn archived(mut self) -> Self {
        self.archived = true;
        self
    }
}

/// A counterparty to enter. Without further words it is a company with a name and nothing else.
#[derive(Clone, Debug, Default)]
pub struct NewCounterparty {
    texts: Vec<(&'static str, String)>,
    tags: Vec<String>,
    archived: bool,
}

impl NewCounterparty {
    /// A counterparty with a name.
    pub fn new(name: &str) -> Self {
        Self::default().text("name", name)
    }

    /// The text of any field.
    pub fn text(mut self, field: &'static str, text: &str) -> Self {
        self.texts.push((field, text.to_owned()));
        self
    }

    /// Its number as a taxpayer.
    pub fn inn(self, inn: &str) -> Self {
        self.text("inn", inn)
    }

    /// Its e-mail.
    pub fn email(self, email: &str) -> Self {
        self.text("email", email)
    }

    /// Its phone, written in any way.
    pub fn phone(self, phone: &str) -> Self {
        self.text("phone", phone)
    }

    /// `legal`, `entrepreneur` or `individual`.
    pub fn company_type(self, company_type: &str) -> Self {
        self.text("companyType", company_type)
    }

    /// One more tag.
    pub fn tag(mut self, tag: &str) -> Self {
        self.tags.push(tag.to_owned());
        self
    }

    /// In the archive from the beginning.
    pub fn archived(mut self) -> Self {
        self.archived = true;
        self
    }
}

/// A document to enter. Without further words it is a customer's order without lines, placed at
/// the account's present with the account's legal entity.
#[derive(Clone, Debug)]
pub struct NewOrder {
    kind: Kind,
    agent: Id,
    organization: Option<Id>,
    store: Option<Id>,
    state: Option<Id>,
    texts: Vec<(&'static str, String)>,
    moment: Option<Timestamp>,
    posted: bool,
    lines: Vec<(Id, Decimal, Decimal, Decimal)>,
}

impl NewOrder {
    /// An order of a customer.
    pub fn of(agent: Id) -> Self {
        Self {
            kind: Kind::CustomerOrder,
            agent,
            organization: None,
            store: None,
            state: None,
            texts: Vec::new(),
            moment: None,
            posted: true,
            lines: Vec::new(),
        }
    }

    /// An order to a supplier.
    pub fn to(agent: Id) -> Self {
        Self {
            kind: Kind::PurchaseOrder,
            ..Self::of(agent)
        }
    }

    /// The text of any field.
    pub fn text(mut self, field: &'static str, text: &str) -> Self {
        self.texts.push((field, text.to_owned()));
        self
    }

    /// Its number, instead of the next one.
    pub fn name(self, name: &str) -> Self {
        self.text("name", name)
    }

    /// Its external code, instead of one that is made up.
    pub fn external_code(self, code: &str) -> Self {
        self.text("externalCode", code)
    }

    /// The legal entity.
    pub fn organization(mut self, organization: Id) -> Self {
        self.organization = Some(organization);
        self
    }

    /// The warehouse.
    pub fn store(mut self, store: Id) -> Self {
        self.store = Some(store);
        self
    }

    /// Its status.
    pub fn state(mut self, state: Id) -> Self {
        self.state = Some(state);
        self
    }

    /// When it was placed.
    pub fn moment(mut self, moment: Timestamp) -> Self {
        self.moment = Some(moment);
        self
    }

    /// Not posted: it reserves nothing.
    pub fn draft(mut self) -> Self {
        self.posted = false;
        self
    }

    /// One more line: what, how much, and the price of one in roubles.
    pub fn line(mut self, item: Id, pieces: &str, roubles: &str) -> Self {
        let line = (item, quantity(pieces), money(roubles), Decimal::ZERO);
        self.lines.push(line);
        self
    }

    /// Of the last line so much is promised to the customer.
    ///
    /// # Panics
    /// When there is no line yet.
    pub fn reserve(mut self, pieces: &str) -> Self {
        match self.lines.last_mut() {
            Some(line) => line.3 = quantity(pieces),
            None => panic!("there is no line to reserve"),
        }
        self
    }
}

impl Account {
    /// Enters an object that is filled in by hand, and answers its key.
    ///
    /// # Panics
    /// When MoySklad would refuse it.
    pub fn add(&mut self, kind: Kind, fill: impl FnOnce(&mut Record)) -> Id {
        let mut record = self.begin(kind);
        fill(&mut record);
        if let Err(refusal) = self.complete(&mut record, None) {
            panic!("the {} is refused: {refusal:?}", kind.word());
        }
        let id = record.id;
        self.put(record);
        self.settle();
        id
    }

    /// Changes an object as an employee would: `updated` moves, sums are computed anew.
    ///
    /// # Panics
    /// When there is no such object, or MoySklad would refuse the change.
    pub fn change(&mut self, id: Id, change: impl FnOnce(&mut Record)) {
        let before = self.get(id).clone();
        let mut record = before.clone();
        change(&mut record);
        if let Err(refusal) = self.replace(record, &before) {
            panic!("the change is refused: {refusal:?}");
        }
        self.settle();
    }

    /// Gives a field of an object another text.
    ///
    /// # Panics
    /// When there is no such object, or MoySklad would refuse the change.
    pub fn set_text(&mut self, id: Id, field: &'static str, text: &str) {
        self.change(id, |record| record.set(field, word(text)));
    }

    /// Gives an object another moment of change, as an import does that enters many at once.
    ///
    /// # Panics
    /// When there is no such object.
    pub fn backdate(&mut self, id: Id, moment: Value) {
        let mut record = self.get(id).clone();
        record.set("updated", moment);
        self.put(record);
    }

    /// Puts an object into the archive.
    ///
    /// # Panics
    /// When there is no such object.
    pub fn archive(&mut self, id: Id) {
        self.change(id, |record| record.set("archived", Value::Flag(true)));
    }

    /// Takes an object out of the archive.
    ///
    /// # Panics
    /// When there is no such object.
    pub fn unarchive(&mut self, id: Id) {
        self.change(id, |record| record.set("archived", Value::Flag(false)));
    }

    /// Deletes an object for good, whatever refers to it.
    ///
    /// # Panics
    /// When there is no such object.
    pub fn delete(&mut self, id: Id) {
        self.get(id);
        self.take(id);
        self.settle();
    }

    /// Puts a document into the bin.
    ///
    /// # Panics
    /// When there is no such document.
    pub fn delete_to_bin(&mut self, document: Id) {
        self.get(document);
        self.bin(document);
        self.settle();
    }

    /// People take a document out of the bin.
    ///
    /// # Panics
    /// When there is no such document.
    pub fn take_out_of_bin(&mut self, document: Id) {
        self.change(document, |record| record.clear("deleted"));
    }

    /// Enters a bank account of a counterparty; answers with the reference to it.
    ///
    /// # Panics
    /// When there is no such counterparty.
    pub fn add_bank_account(&mut self, counterparty: Id, number: &str) -> Value {
        let mut account = self.begin(Kind::BankAccount);
        account.set("accountNumber", word(number));
        let reference = account.reference();
        self.change(counterparty, |record| {
            let mut accounts = record.rows("accounts").to_vec();
            accounts.push(account);
            record.set("accounts", Value::Rows(accounts));
        });
        Value::Ref(reference)
    }

    /// Enters a product.
    pub fn add_product(&mut self, product: NewProduct) -> Id {
        let (price_type, currency) = (self.home.price_type, self.home.currency);
        let piece = self.home.piece;
        let price = |value| Price { value, currency };
        self.add(Kind::Product, |record| {
            record.set("uom", reference(Kind::Uom, piece));
            for (field, text) in product.texts {
                record.set(field, Value::Text(text));
            }
            if let Some(folder) = product.folder {
                record.set("productFolder", reference(Kind::ProductFolder, folder));
            }
            if let Some(supplier) = product.supplier {
                record.set("supplier", reference(Kind::Counterparty, supplier));
            }
            let prices = product.prices.into_iter();
            let prices = prices.map(|(kind, value)| (kind.unwrap_or(price_type), price(value)));
            record.set("salePrices", Value::Prices(prices.collect()));
            if let Some(value) = product.buy_price {
                record.set("buyPrice", Value::Price(price(value)));
            }
            if let Some(barcodes) = product.barcodes {
                record.set("barcodes", Value::Barcodes(barcodes));
            }
            if let Some(weight) = product.weight {
                record.set("weight", Value::Number(weight));
            }
            if let Some(vat) = product.vat {
                record.set("vat", Value::Int(vat));
            }
            if !product.attributes.is_empty() {
                record.set("attributes", Value::Attributes(product.attributes));
            }
            record.set("archived", Value::Flag(product.archived));
        })
    }

    /// Puts a product into another folder.
    ///
    /// # Panics
    /// When there is no such product.
    pub fn move_to_folder(&mut self, product: Id, folder: Id) {
        self.change(product, |record| {
            record.set("productFolder", reference(Kind::ProductFolder, folder));
        });
    }

    /// Gives something another price of a type, in roubles.
    ///
    /// # Panics
    /// When there is no such thing, or it has no prices.
    pub fn set_price(&mut self, item: Id, price_type: Id, roubles: &str) {
        let price = Price {
            value: money(roubles),
            currency: self.home.currency,
        };
        self.change(item, |record| match record.get("salePrices") {
            Some(Value::Prices(prices)) => {
                let mut prices = prices.clone();
                prices.insert(price_type, price);
                record.set("salePrices", Value::Prices(prices));
            }
            _ => panic!("a {} has no prices", record.kind.word()),
        });
    }

    /// Enters a variant of a product.
    ///
    /// # Panics
    /// When the product has a variant with the same values.
    pub fn add_variant(&mut self, product: Id, values: &[(Id, &str)]) -> Id {
        let values = values.iter().map(|(id, text)| (*id, (*text).to_owned()));
        let values = Value::Characteristics(values.collect());
        self.add(Kind::Variant, |record| {
            record.set("product", reference(Kind::Product, product));
            record.set("characteristics", values);
        })
    }

    /// Defines a property by which variants differ.
    pub fn add_characteristic(&mut self, name: &str) -> Id {
        self.add_named(Kind::Characteristic, name)
    }

    /// Enters an object that needs nothing but a name: a folder at the root, a warehouse, a legal
    /// entity, a service, a type of price, a project.
    ///
    /// # Panics
    /// When MoySklad would refuse the name.
    pub fn add_named(&mut self, kind: Kind, name: &str) -> Id {
        self.add(kind, |record| record.set("name", word(name)))
    }

    /// Enters a folder, in another one or at the root.
    pub fn add_folder(&mut self, name: &str, parent: Option<Id>) -> Id {
        self.add(Kind::ProductFolder, |record| {
            record.set("name", word(name));
            if let Some(parent) = parent {
                record.set("productFolder", reference(Kind::ProductFolder, parent));
            }
        })
    }

    /// Enters a bundle of other things.
    ///
    /// # Panics
    /// When nothing is in it, or something that may not be.
    pub fn add_bundle(&mut self, name: &str, parts: &[(Id, &str)]) -> Id {
        let rows = parts.iter().map(|(item, pieces)| {
            let mut row = self.begin(Kind::BundleComponent);
            row.set("assortment", Value::Ref(self.get(*item).reference()));
            row.set("quantity", Value::Number(quantity(pieces)));
            row
        });
        let rows = Value::Rows(rows.collect());
        self.add(Kind::Bundle, |record| {
            record.set("name", word(name));
            record.set("components", rows);
        })
    }

    /// Enters an employee.
    pub fn add_employee(&mut self, last_name: &str, first_name: &str) -> Id {
        let group = self.home.group;
        self.add(Kind::Employee, |record| {
            record.set("lastName", word(last_name));
            record.set("firstName", word(first_name));
            record.set("group", reference(Kind::Group, group));
        })
    }

    /// Adds a status of a kind.
    ///
    /// # Panics
    /// When the kind has a status of this name.
    pub fn add_state(&mut self, kind: Kind, name: &str) -> Id {
        self.add(Kind::State, |record| {
            record.set("entityType", word(kind.word()));
            record.set("name", word(name));
        })
    }

    /// Defines an additional field of a kind; its type is one of the API's words.
    ///
    /// # Panics
    /// When the kind has a field of this name.
    pub fn add_attribute(&mut self, kind: Kind, name: &str, attribute_type: &str) -> Id {
        self.add(Kind::AttributeMetadata, |record| {
            record.set("entityType", word(kind.word()));
            record.set("name", word(name));
            record.set("type", word(attribute_type));
        })
    }

    /// Enters a counterparty.
    pub fn add_counterparty(&mut self, counterparty: NewCounterparty) -> Id {
        self.add(Kind::Counterparty, |record| {
            record.set("name", word("Покупатель"));
            for (field, text) in counterparty.texts {
                record.set(field, Value::Text(text));
            }
            record.set("tags", Value::Words(counterparty.tags));
            record.set("archived", Value::Flag(counterparty.archived));
        })
    }

    /// What a counterparty owes, in roubles; below zero what it is owed.
    ///
    /// # Panics
    /// When there is no such counterparty.
    pub fn set_debt(&mut self, counterparty: Id, roubles: &str) {
        let mut figures = self.figures(counterparty);
        figures.debt = money(roubles);
        self.set_figures(counterparty, figures);
    }

    /// Enters an order.
    ///
    /// # Panics
    /// When MoySklad would refuse it.
    pub fn add_order(&mut self, order: NewOrder) -> Id {
        let row_kind = order.kind.collections()[0].1;
        let rows = order.lines.iter().map(|(item, pieces, price, reserve)| {
            let mut row = self.begin(row_kind);
            row.set("assortment", Value::Ref(self.get(*item).reference()));
            row.set("quantity", Value::Number(*pieces));
            row.set("price", Value::Money(*price));
            if row_kind == Kind::CustomerOrderPosition {
                row.set("reserve", Value::Number(*reserve));
            }
            row
        });
        let rows = Value::Rows(rows.collect());
        let agent = self.get(order.agent).reference();
        let organization = order.organization.unwrap_or(self.home.organization);
        self.add(order.kind, |record| {
            record.set("agent", Value::Ref(agent));
            record.set("organization", reference(Kind::Organization, organization));
            for (field, kind, id) in [
                ("store", Kind::Store, order.store),
                ("state", Kind::State, order.state),
            ] {
                if let Some(id) = id {
                    record.set(field, reference(kind, id));
                }
            }
            for (field, text) in order.texts {
                record.set(field, Value::Text(text));
            }
            if let Some(moment) = order.moment {
                record.set("moment", Value::Moment(moscow::minute(moment)));
            }
            record.set("applicable", Value::Flag(order.posted));
            record.set("positions", rows);
        })
    }

    /// Moves an order to a status.
    ///
    /// # Panics
    /// When there is no such order, or the status is of another kind.
    pub fn set_state(&mut self, order: Id, state: Id) {
        self.change(order, |record| {
            record.set("state", reference(Kind::State, state));
        });
    }

    /// Ships a customer's order: what it reserved leaves its warehouse.
    ///
    /// # Panics
    /// When there is no such order.
    pub fn ship(&mut self, order: Id) {
        let record = self.get(order);
        let store = record.refers("store").map(|store| store.id);
        let rows = record.rows("positions").to_vec();
        for row in &rows {
            let left = row.number("quantity") - row.number("shipped");
            if let Some(item) = row.refers("assortment").filter(|one| one.kind.is_stored()) {
                self.move_stock(item.id, store, -left);
            }
        }
        self.change(order, |record| {
            let mut rows = rows;
            for row in &mut rows {
                let shipped = row.number("quantity");
                row.set("shipped", Value::Number(shipped));
                row.set("reserve", Value::Number(Decimal::ZERO));
            }
            record.set("positions", Value::Rows(rows));
        });
    }

    /// Ships so much of one position of a customer's order.
    ///
    /// # Panics
    /// When there is no such order or position.
    pub fn ship_of(&mut self, order: Id, position: usize, pieces: &str) {
        let pieces = quantity(pieces);
        let record = self.get(order);
        let store = record.refers("store").map(|store| store.id);
        let mut rows = record.rows("positions").to_vec();
        let row = &mut rows[position];
        let shipped = row.number("shipped") + pieces;
        let reserve = (row.number("reserve") - pieces).max(Decimal::ZERO);
        row.set("shipped", Value::Number(shipped));
        row.set("reserve", Value::Number(reserve));
        let item = row.refers("assortment").filter(|one| one.kind.is_stored());
        if let Some(item) = item {
            self.move_stock(item.id, store, -pieces);
        }
        self.change(order, |record| record.set("positions", Value::Rows(rows)));
    }

    /// Enters a payment of an order, in roubles.
    ///
    /// # Panics
    /// When there is no such order.
    pub fn pay(&mut self, order: Id, roubles: &str) {
        self.change(order, |record| {
            let paid = record.number("payedSum") + money(roubles);
            record.set("payedSum", Value::Money(paid));
        });
    }

    /// Says how much of something lies in a warehouse.
    pub fn set_stock(&mut self, item: Id, store: Id, pieces: &str) {
        let moment = self.stamp();
        let pieces = quantity(pieces);
        self.stock.set(item, Some(store), pieces, moment);
        self.after_stock();
    }

    fn move_stock(&mut self, item: Id, store: Option<Id>, stock: Decimal) {
        let moment = self.stamp();
        let change = Level {
            stock,
            ..Level::default()
        };
        self.stock.change(item, store, change, moment);
        self.after_stock();
    }

    fn after_stock(&mut self) {
        if self.behaviour.stock_at_once {
            self.stock.recalculate();
        }
        self.settle();
    }

    /// Reports on stock show from now on what is true.
    pub fn recalculate_stock(&mut self) {
        self.stock.recalculate();
    }

    /// What reports show of something in a warehouse.
    pub fn stock_level(&self, item: Id, store: Id) -> Level {
        self.stock.level(item, Some(store))
    }

    /// Hangs a picture on a product.
    ///
    /// # Panics
    /// When there is no such product.
    pub fn add_image(&mut self, product: Id, filename: &str, content: &[u8]) {
        let image = self.new_image(filename, content.to_vec());
        self.change(product, |record| {
            let images = record.images().iter().cloned().chain([image]).collect();
            record.set("images", Value::Images(images));
        });
    }

    /// Takes all pictures off a product.
    ///
    /// # Panics
    /// When there is no such product.
    pub fn remove_images(&mut self, product: Id) {
        self.change(product, |record| {
            record.set("images", Value::Images(Vec::new()));
        });
    }
}

fn reference(kind: Kind, id: Id) -> Value {
    Value::Ref(Ref { kind, id })
}
