//! Shows records as the API shows them, oddities included.
//!
//! The shapes are those of KeyCRM's OpenAPI 1.2.0 with what live answers add: two forms of
//! timestamps in one object, numbers that are strings here and there, `[]` for an empty object,
//! keys that are null in one record and absent in the next.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use rust_decimal::Decimal;

use super::account::Account;
use super::config::{Numbers, Timestamps};
use super::query::Includes;
use super::records::{
    Buyer, Category, Company, CustomField, CustomValue, DeliveryService, ExpenseType, Line, Offer,
    Order, Payment, PaymentMethod, PaymentState, Product, ProductStatus, Property, Purpose,
    Shipping, Source, Status, Tag, Totals, User, Warehouse,
};
use crate::json::{self, Null, Object, Raw, Value, object};

static ISO: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
static SPACED: DateTimePrinter = DateTimePrinter::new().separator(b' ').precision(Some(0));

/// A moment in one of the API's two forms.
#[derive(Clone, Copy)]
enum Moment {
    Iso(Timestamp),
    Spaced(Timestamp),
}

impl Value for Moment {
    fn write(&self, out: &mut String) {
        out.push('"');
        // Printing into a string cannot fail.
        match self {
            Self::Iso(at) => {
                let _ = ISO.print_timestamp(at, &mut *out);
            }
            Self::Spaced(at) => {
                let _ = SPACED.print_timestamp(at, &mut *out);
                out.pop();
            }
        }
        out.push('"');
    }
}

/// A number that may be written as a string.
#[derive(Clone, Copy)]
enum Figure {
    Number(Decimal),
    Quoted(Decimal),
    /// As a float that a computation has left beside its number: `19.989999999999998`.
    Noisy(Decimal),
}

impl Value for Figure {
    fn write(&self, out: &mut String) {
        match *self {
            Self::Number(number) => number.write(out),
            Self::Noisy(number) => {
                let float: f64 = number.to_string().parse().unwrap_or_default();
                let beside = if number.is_zero() {
                    float
                } else {
                    f64::from_bits(float.to_bits() - 1)
                };
                json::append(out, format_args!("{beside:?}"));
            }
            Self::Quoted(number) => {
                let mut number = number;
                if number.scale() < 2 {
                    number.rescale(2);
                }
                json::append(out, format_args!("\"{number}\""));
            }
        }
    }
}

/// Shows the records of one account.
#[derive(Clone, Copy)]
pub struct Wire<'a> {
    account: &'a Account,
}

impl<'a> Wire<'a> {
    /// Shows the records of `account`.
    pub fn new(account: &'a Account) -> Self {
        Self { account }
    }

    fn at(&self, at: Timestamp) -> Moment {
        match self.account.behaviour.timestamps {
            Timestamps::Mixed | Timestamps::Iso => Moment::Iso(at),
            Timestamps::Spaced => Moment::Spaced(at),
        }
    }

    /// A moment that live answers write with a space.
    fn at_spaced(&self, at: Timestamp) -> Moment {
        match self.account.behaviour.timestamps {
            Timestamps::Mixed | Timestamps::Spaced => Moment::Spaced(at),
            Timestamps::Iso => Moment::Iso(at),
        }
    }

    fn figure(&self, number: Decimal) -> Figure {
        match self.account.behaviour.numbers {
            Numbers::Mixed | Numbers::Plain => Figure::Number(number),
            Numbers::Strings => Figure::Quoted(number),
            Numbers::Noisy => Figure::Noisy(number),
        }
    }

    /// A number that live answers quote in some records.
    fn figure_quoted_if(&self, quoted: bool, number: Decimal) -> Figure {
        match self.account.behaviour.numbers {
            Numbers::Plain => Figure::Number(number),
            Numbers::Strings => Figure::Quoted(number),
            Numbers::Noisy => Figure::Noisy(number),
            Numbers::Mixed if quoted => Figure::Quoted(number),
            Numbers::Mixed => Figure::Number(number),
        }
    }

    /// Writes a key that, without a value, is null in one record and absent in the next.
    fn sparse(&self, out: &mut Object<'_>, id: i64, key: &str, value: Option<impl Value>) {
        let absent =
            self.account.behaviour.missing_nulls && (id + key.len() as i64).rem_euclid(2) == 0;
        if value.is_some() || !absent {
            out.put(key, value);
        }
    }

    fn opened(&self, out: &mut Object<'_>) {
        out.put("created_at", self.at(self.account.opened_at));
        out.put("updated_at", self.at(self.account.opened_at));
    }

    fn unknown(&self, out: &mut Object<'_>, key: &str, json: &str) {
        if self.account.behaviour.unknown_keys {
            out.put(key, Raw(json));
        }
    }

    /// A status.
    pub fn status(&self, out: &mut Object<'_>, status: &Status) {
        out.put("id", status.id);
        out.put("name", &status.name);
        out.put("alias", &status.alias);
        out.put("is_active", status.is_active);
        out.put("group_id", status.group_id);
        out.put("is_closing_order", status.is_closing_order);
        out.put("is_reserved", status.is_reserved);
        out.put("expiration_period", status.expiration_period);
        self.opened(out);
        self.sparse(out, status.id, "deleted_at", None::<i64>);
    }

    /// A source.
    pub fn source(&self, out: &mut Object<'_>, source: &Source) {
        out.put("id", source.id);
        out.put("name", &source.name);
        out.put("alias", &source.alias);
        out.put("driver", &source.driver);
        self.sparse(out, source.id, "source_uuid", source.source_uuid.as_ref());
        self.sparse(out, source.id, "source_name", source.source_name.as_ref());
        out.put("currency_code", &source.currency_code);
        self.opened(out);
    }

    /// A way to pay.
    pub fn payment_method(&self, out: &mut Object<'_>, method: &PaymentMethod) {
        out.put("id", method.id);
        out.put("name", method.name.as_ref());
        out.put("alias", method.alias.as_ref());
        out.put("is_active", method.is_active);
    }

    /// A kind of expense.
    pub fn expense_type(&self, out: &mut Object<'_>, expense: &ExpenseType) {
        out.put("id", expense.id);
        out.put("name", expense.name.as_ref());
        out.put("alias", expense.alias.as_ref());
        out.put("is_active", expense.is_active);
        out.put("is_reserved", expense.is_reserved);
        out.put("by_order", expense.by_order);
    }

    /// A carrier.
    pub fn delivery_service(&self, out: &mut Object<'_>, service: &DeliveryService) {
        out.put("id", service.id);
        out.put("name", &service.name);
        out.put("source_name", &service.source_name);
        out.put("alias", &service.alias);
    }

    /// A tag.
    pub fn tag(&self, out: &mut Object<'_>, tag: &Tag) {
        out.put("id", tag.id);
        out.put("name", &tag.name);
        out.put("alias", &tag.alias);
        out.put("color", &tag.color);
        self.opened(out);
    }

    /// A status of lines.
    pub fn product_status(&self, out: &mut Object<'_>, status: &ProductStatus) {
        out.put("id", status.id);
        out.put("name", &status.name);
        out.put("alias", &status.alias);
        out.put("position", status.position);
        out.put("is_active", status.is_active);
        out.put("is_reserved", status.is_reserved);
        self.opened(out);
    }

    fn person(&self, out: &mut Object<'_>, user: &User) {
        out.put("id", user.id);
        out.put("first_name", &user.first_name);
        self.sparse(out, user.id, "last_name", user.last_name.as_ref());
        out.put("full_name", user.full_name());
        out.put("username", &user.username);
        out.put("email", &user.email);
        self.sparse(out, user.id, "phone", user.phone.as_ref());
        out.put("status", &user.status);
        self.opened(out);
        let logged = user.last_logged_at.map(|at| self.at_spaced(at));
        self.sparse(out, user.id, "last_logged_at", logged);
        self.unknown(out, "use_2fa", "false");
    }

    /// A user.
    pub fn user(&self, out: &mut Object<'_>, user: &User) {
        self.person(out, user);
        out.put("role_id", user.role_id);
    }

    /// A user as assigned to an order: with the role spelt out.
    fn assignee(&self, out: &mut Object<'_>, user: &User) {
        self.person(out, user);
        out.object("role", |role| {
            let (name, alias) = match user.role_id {
                1 => ("Адміністратор", "administrator"),
                _ => ("Менеджер", "manager"),
            };
            role.put("id", user.role_id);
            role.put("name", name);
            role.put("alias", alias);
        });
    }

    fn user_or_null(&self, out: &mut Object<'_>, key: &str, id: Option<i64>) {
        match id.and_then(|id| self.account.users.get(&id)) {
            Some(user) => out.object(key, |out| self.user(out, user)),
            None => out.put(key, Null),
        }
    }

    /// A category.
    pub fn category(&self, out: &mut Object<'_>, category: &Category) {
        out.put("id", category.id);
        out.put("name", &category.name);
        out.put("parent_id", category.parent_id);
    }

    /// A custom field.
    pub fn custom_field(&self, out: &mut Object<'_>, field: &CustomField, options: bool) {
        out.put("id", field.id);
        out.put("name", &field.name);
        out.put("uuid", &field.uuid);
        out.put("model", &field.model);
        out.put("type", &field.kind);
        out.put("required", field.required);
        out.put("position", field.position);
        out.put("is_multiple", false);
        if options {
            out.objects("options", (1..).zip(&field.options), |out, (n, value)| {
                out.put("id", field.id * 100 + n);
                out.put("field_id", field.id);
                out.put("value", value);
            });
        }
    }

    fn custom_values(&self, out: &mut Object<'_>, values: &[CustomValue]) {
        let known = values.iter().filter_map(|value| {
            let field = self.account.custom_fields.get(&value.field_id)?;
            Some((field, &value.values))
        });
        out.objects("custom_fields", known, |out, (field, values)| {
            out.put("id", field.id);
            out.put("uuid", &field.uuid);
            out.put("name", &field.name);
            out.put("type", &field.kind);
            match values.first() {
                _ if field.kind == "select" => out.put("value", values.as_slice()),
                first => out.put("value", first),
            }
        });
    }

    fn properties(&self, out: &mut Object<'_>, properties: &[Property]) {
        out.objects("properties", properties, |out, property| {
            out.put("name", &property.name);
            out.put("value", &property.value);
        });
    }

    /// Stock and reserve of an offer at this moment.
    fn stock(&self, offer: &Offer) -> (Decimal, Decimal) {
        if !self.account.behaviour.volatile_stock {
            return (offer.quantity, offer.in_reserve);
        }
        let moved = self.account.tick.wrapping_add(offer.id.unsigned_abs());
        (
            offer.quantity + Decimal::from(moved % 5),
            offer.in_reserve + Decimal::from(moved % 3),
        )
    }

    fn measures(&self, out: &mut Object<'_>, offer: Option<&Offer>) {
        let weight = offer.and_then(|offer| offer.weight);
        out.put("weight", weight.map(|weight| self.figure(weight)));
        let size = offer.and_then(|offer| offer.size);
        for (index, side) in ["length", "width", "height"].into_iter().enumerate() {
            out.put(side, size.map(|size| self.figure(size[index])));
        }
    }

    fn thumbnail(&self, out: &mut Object<'_>, product: Option<&Product>) {
        let url = product.and_then(|product| product.thumbnail_url.as_ref());
        out.put("thumbnail_url", url);
    }

    /// The offers of a product.
    fn offers_of(&self, product: &Product) -> impl Iterator<Item = &'a Offer> {
        let offers = &self.account.offers;
        product.offer_ids.iter().filter_map(|id| offers.get(id))
    }

    /// A product card.
    pub fn product(&self, out: &mut Object<'_>, product: &Product, includes: &Includes<'_>) {
        self.product_core(out, product);
        if includes.has("custom_fields") {
            self.custom_values(out, &product.custom_values);
        }
    }

    fn product_core(&self, out: &mut Object<'_>, product: &Product) {
        let first = self.offers_of(product).next();
        out.put("id", product.id);
        out.put("name", &product.name);
        let description = product.description.as_ref();
        self.sparse(out, product.id, "description", description);
        self.thumbnail(out, Some(product));
        out.put("attachments_data", Raw("[]"));
        if let Some(offer) = first.filter(|_| !product.has_offers) {
            out.put("sku", offer.sku.as_ref());
            out.put("barcode", offer.barcode.as_ref());
            out.put("price", self.figure(offer.price));
            out.put("purchased_price", self.figure(offer.purchased_price));
        }
        let (quantity, reserve) = self
            .offers_of(product)
            .map(|offer| self.stock(offer))
            .fold((Decimal::ZERO, Decimal::ZERO), |sum, stock| {
                (sum.0 + stock.0, sum.1 + stock.1)
            });
        out.put("quantity", self.figure(quantity));
        out.put("in_reserve", self.figure(reserve));
        self.sparse(out, product.id, "unit_type", product.unit_type.as_ref());
        out.put("currency_code", &product.currency_code);
        let prices = || self.offers_of(product).map(|offer| offer.price);
        out.put("min_price", prices().min().map(|price| self.figure(price)));
        out.put("max_price", prices().max().map(|price| self.figure(price)));
        self.measures(out, first);
        out.put("has_offers", product.has_offers);
        out.put("is_archived", product.is_archived);
        self.sparse(out, product.id, "category_id", product.category_id);
        out.put("created_at", self.at(product.created_at));
        out.put("updated_at", self.at(product.updated_at));
        self.unknown(out, "marketplace_state", "[]");
    }

    fn offer_core(&self, out: &mut Object<'_>, offer: &Offer) {
        let (quantity, reserve) = self.stock(offer);
        out.put("id", offer.id);
        out.put("product_id", offer.product_id);
        out.put("sku", offer.sku.as_ref());
        self.sparse(out, offer.id, "barcode", offer.barcode.as_ref());
        self.thumbnail(out, self.account.products.get(&offer.product_id));
        out.put("price", self.figure(offer.price));
        out.put("purchased_price", self.figure(offer.purchased_price));
        out.put("quantity", self.figure(quantity));
        out.put("in_reserve", self.figure(reserve));
        self.measures(out, Some(offer));
        self.properties(out, &offer.properties);
        out.put("is_default", offer.is_default);
        out.put("is_archived", offer.is_archived);
        out.put("created_at", self.at(offer.created_at));
        out.put("updated_at", self.at(offer.updated_at));
    }

    /// An offer.
    pub fn offer(&self, out: &mut Object<'_>, offer: &Offer, includes: &Includes<'_>) {
        self.offer_core(out, offer);
        if !includes.has("product") {
            return;
        }
        let Some(product) = self.account.products.get(&offer.product_id) else {
            return out.put("product", Null);
        };
        out.object("product", |out| {
            self.product_core(out, product);
            let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for property in self.offers_of(product).flat_map(|offer| &offer.properties) {
                let known = values.entry(&property.name).or_default();
                if !known.contains(&property.value.as_str()) {
                    known.push(&property.value);
                }
            }
            if values.is_empty() {
                out.put("properties_agg", Raw("[]"));
            } else {
                out.object("properties_agg", |out| {
                    for (name, values) in values {
                        out.put(name, values.as_slice());
                    }
                });
            }
        });
    }

    /// A row of stock.
    pub fn stock_row(&self, out: &mut Object<'_>, offer: &Offer, details: bool) {
        let (quantity, reserve) = self.stock(offer);
        out.put("id", offer.id);
        out.put("sku", offer.sku.as_ref());
        out.put("price", self.figure(offer.price));
        out.put("purchased_price", self.figure(offer.purchased_price));
        out.put("quantity", self.figure(quantity));
        out.put("reserve", self.figure(reserve));
        if details {
            // The first warehouse keeps everything: the API has no way to tell how a sum is split.
            let warehouses = self.account.warehouses.values().enumerate();
            out.objects("warehouse", warehouses, |out, (index, warehouse)| {
                let share = |sum: Decimal| if index == 0 { sum } else { Decimal::ZERO };
                out.put("id", warehouse.id);
                out.put("name", &warehouse.name);
                out.put("quantity", self.figure(share(quantity)));
                out.put("reserve", self.figure(share(reserve)));
            });
        }
    }

    /// A buyer's card, with lists of phones and addresses.
    pub fn buyer(&self, out: &mut Object<'_>, buyer: &Buyer, includes: &Includes<'_>) {
        out.put("id", buyer.id);
        out.put("full_name", &buyer.full_name);
        self.sparse(out, buyer.id, "birthday", buyer.birthday.as_ref());
        out.put("email", buyer.emails.as_slice());
        out.put("phone", buyer.phones.as_slice());
        self.sparse(out, buyer.id, "note", buyer.note.as_ref());
        out.put("created_at", self.at(buyer.created_at));
        out.put("updated_at", self.at(buyer.updated_at));
        self.unknown(out, "score", "0");
        if includes.has("company") {
            match buyer
                .company_id
                .and_then(|id| self.account.companies.get(&id))
            {
                None => out.put("company", Null),
                Some(company) => out.object("company", |out| {
                    out.put("id", company.id);
                    out.put("name", &company.name);
                    out.put("full_name", company.title.as_ref());
                    out.put("address", Null);
                    // The misspelling is the API's.
                    out.put("banking_detailse", company.bank_account.as_ref());
                    out.put("note", company.notes.as_ref());
                    out.put("created_at", self.at(company.created_at));
                    out.put("updated_at", self.at(company.updated_at));
                }),
            }
        }
        if includes.has("manager") {
            self.user_or_null(out, "manager", buyer.manager_id);
        }
        if includes.has("loyalty") {
            out.objects("loyalty", buyer.loyalty_percent, |out, percent| {
                out.put("loyalty_program_name", "Програма лояльності");
                out.put("loyalty_program_id", 10_i64);
                out.put("loyalty_program_level_name", "Перший рівень");
                out.put("loyalty_program_level_id", 20_i64);
                out.put("amount", 0_i64);
                out.put("discount", percent);
            });
        }
        if includes.has("shipping") {
            out.objects("shipping", &buyer.addresses, |out, address| {
                out.put("address", address.address.as_ref());
                out.put("additional_address", "");
                out.put("city", address.city.as_ref());
                out.put("region", address.region.as_ref());
                out.put("zip_code", address.zip_code.as_ref());
                out.put("country", "Україна");
                out.put("recipient_full_name", &buyer.full_name);
                out.put("recipient_phone", buyer.phones.first());
                out.put("warehouse_ref", Null);
            });
        }
        if includes.has("custom_fields") {
            self.custom_values(out, &buyer.custom_values);
        }
    }

    /// A buyer as an order or a company shows it, with one phone and one address.
    fn buyer_of(&self, out: &mut Object<'_>, buyer: &Buyer) {
        out.put("id", buyer.id);
        out.put("full_name", &buyer.full_name);
        out.put("phone", first_or_nothing(&buyer.phones, buyer.id));
        out.put("email", first_or_nothing(&buyer.emails, buyer.id));
        self.sparse(out, buyer.id, "company_id", buyer.company_id);
        self.sparse(out, buyer.id, "manager_id", buyer.manager_id);
        self.sparse(out, buyer.id, "birthday", buyer.birthday.as_ref());
        self.sparse(out, buyer.id, "note", buyer.note.as_ref());
        out.put("currency", "UAH");
        out.put("discount", Null);
        out.put("orders_sum", self.figure_quoted_if(true, Decimal::ZERO));
        out.put("orders_count", 0_i64);
        out.put("has_duplicates", 0_i64);
        out.put("picture", Raw("[]"));
        out.put("created_at", self.at(buyer.created_at));
        out.put("updated_at", self.at(buyer.updated_at));
    }

    /// A company.
    pub fn company(&self, out: &mut Object<'_>, company: &Company, includes: &Includes<'_>) {
        out.put("id", company.id);
        out.put("name", &company.name);
        out.put("title", company.title.as_ref());
        out.put("notes", company.notes.as_ref());
        out.put("bank_account", company.bank_account.as_ref());
        out.put("manager_id", company.manager_id);
        out.put("created_at", self.at(company.created_at));
        out.put("updated_at", self.at(company.updated_at));
        if includes.has("manager") {
            self.user_or_null(out, "manager", company.manager_id);
        }
        if includes.has("buyer") {
            let mut buyers = self.account.buyers.values();
            let first = buyers.find(|buyer| buyer.company_id == Some(company.id));
            match first {
                Some(buyer) => out.object("buyer", |out| self.buyer_of(out, buyer)),
                None => out.put("buyer", Null),
            }
        }
        if includes.has("custom_fields") {
            self.custom_values(out, &[]);
        }
    }

    /// An order.
    pub fn order(&self, out: &mut String, order: &Order, includes: &Includes<'_>) {
        if order.spoiled.is_empty() {
            return object(out, |out| self.order_whole(out, order, includes));
        }
        let mut text = String::new();
        object(&mut text, |out| self.order_whole(out, order, includes));
        let fields: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&text).unwrap_or_default();
        let mut fields: BTreeMap<String, String> = fields
            .into_iter()
            .map(|(key, value)| (key, value.to_string()))
            .collect();
        fields.extend(order.spoiled.clone());
        object(out, |out| {
            for (key, json) in &fields {
                out.put(key, Raw(json));
            }
        });
    }

    /// An event's text: the order without relations, but with its manager's key.
    pub fn webhook(&self, event: &str, order: &Order) -> String {
        let mut text = String::new();
        object(&mut text, |out| {
            out.put("event", event);
            out.object("context", |out| {
                let totals = order.totals(&self.account.behaviour);
                self.order_core(out, order, &totals);
                self.order_dates(out, order);
                out.put("manager_id", order.manager_id);
            });
        });
        text
    }

    fn order_whole(&self, out: &mut Object<'_>, order: &Order, includes: &Includes<'_>) {
        let totals = order.totals(&self.account.behaviour);
        self.order_core(out, order, &totals);
        self.order_dates(out, order);
        self.order_people(out, order, includes);
        self.order_relations(out, order, includes);
        for name in includes.names() {
            if let Some(relation) = name.strip_suffix("Count") {
                let key = format!("{}_count", snake_case(relation));
                out.put(&key, related(order, relation));
            } else if let Some(relation) = name.strip_suffix("Exists") {
                let key = format!("{}_exists", snake_case(relation));
                out.put(&key, related(order, relation) > 0);
            }
        }
    }

    fn order_core(&self, out: &mut Object<'_>, order: &Order, totals: &Totals) {
        let id = order.id;
        let quoted = id % 3 == 0;
        let amount =
            |sum: Option<Decimal>, quoted| sum.map(|sum| self.figure_quoted_if(quoted, sum));
        let group = self
            .account
            .statuses
            .get(&order.status_id)
            .map(|status| status.group_id);
        out.put("id", id);
        self.sparse(out, id, "parent_id", order.parent_id);
        out.put("source_id", order.source_id);
        out.put("source_uuid", order.source_uuid.as_ref());
        let global = order.global_source_uuid.as_ref();
        self.sparse(out, id, "global_source_uuid", global);
        let on_source = order.status_on_source.as_ref();
        self.sparse(out, id, "status_on_source", on_source);
        out.put("status_id", order.status_id);
        out.put("status_group_id", group);
        out.put("client_id", order.buyer_id);
        out.put("grand_total", self.figure(totals.grand_total));
        out.put("products_total", self.figure(totals.products_total));
        out.put("total_discount", self.figure(totals.total_discount));
        let money = order.discount_amount.map(|sum| self.figure(sum));
        self.sparse(out, id, "discount_amount", money);
        let percent = order.discount_percent.map(|percent| self.figure(percent));
        self.sparse(out, id, "discount_percent", percent);
        if order
            .lines
            .iter()
            .any(|line| !line.individual_discount.is_zero())
        {
            out.object("discount_data", |out| {
                out.object("individual", |out| {
                    out.put("discount", 0_i64);
                    out.put("client_id", order.buyer_id);
                    out.put("auto_apply", true);
                });
            });
        } else {
            out.put("discount_data", Raw(if quoted { "null" } else { "[]" }));
        }
        out.put("shipping_price", amount(order.shipping_price, quoted));
        self.sparse(out, id, "wrap_price", amount(order.wrap_price, quoted));
        self.sparse(out, id, "taxes", amount(order.taxes, id % 2 == 0));
        out.put("expenses_sum", self.figure(totals.expenses_sum));
        out.put("margin_sum", self.figure(totals.margin_sum));
        out.put("payments_total", self.figure(totals.payments_total));
        out.put("payment_status", totals.payment_status.as_str());
        self.sparse(out, id, "promocode", order.promocode.as_ref());
        out.put("manager_comment", order.manager_comment.as_ref());
        out.put("buyer_comment", order.buyer_comment.as_ref());
        let comment = order.buyer_comment.as_ref();
        self.sparse(out, id, "client_comment", comment);
        self.sparse(out, id, "gift_message", order.gift_message.as_ref());
        out.put("is_gift", order.is_gift);
        out.put("gift_wrap", order.wrap_price.is_some());
        out.put("is_expired", false);
        out.put("has_reserves", group.is_some_and(|group| group < 5));
        for key in ["register_id", "shipping_type_id", "closed_from"] {
            self.sparse(out, id, key, None::<i64>);
        }
        out.put("fiscal_result", Raw("[]"));
        self.sparse(out, id, "fiscal_status", None::<i64>);
        let warehouse = order.lines.iter().find_map(|line| self.warehouse_of(line));
        match warehouse {
            Some(warehouse) if quoted => {
                out.object("warehouse", |out| self.warehouse(out, warehouse));
            }
            _ => self.sparse(out, id, "warehouse", None::<i64>),
        }
        self.unknown(out, "beta_flags", r#"{"kit":[1,2],"note":null}"#);
    }

    fn order_dates(&self, out: &mut Object<'_>, order: &Order) {
        let id = order.id;
        out.put("ordered_at", self.at(order.ordered_at));
        out.put("created_at", self.at(order.created_at));
        out.put("updated_at", self.at(order.updated_at));
        out.put("status_changed_at", self.at(order.status_changed_at));
        self.sparse(out, id, "status_expired_at", None::<i64>);
        out.put("closed_at", order.closed_at.map(|at| self.at_spaced(at)));
        out.put("last_synced_at", self.at_spaced(order.created_at));
        self.sparse(out, id, "source_updated_at", None::<i64>);
        let deleted = order.deleted_at.map(|at| self.at(at));
        self.sparse(out, id, "deleted_at", deleted);
    }

    fn order_people(&self, out: &mut Object<'_>, order: &Order, includes: &Includes<'_>) {
        if includes.has("buyer") {
            match order.buyer_id.and_then(|id| self.account.buyers.get(&id)) {
                Some(buyer) => out.object("buyer", |out| self.buyer_of(out, buyer)),
                None => out.put("buyer", Null),
            }
        }
        if includes.has("manager") {
            self.user_or_null(out, "manager", order.manager_id);
        }
        if includes.has("assigned") {
            let users = order
                .assigned
                .iter()
                .filter_map(|id| self.account.users.get(id));
            out.objects("assigned", users, |out, user| self.assignee(out, user));
        }
    }

    fn order_relations(&self, out: &mut Object<'_>, order: &Order, includes: &Includes<'_>) {
        if includes.has("products") {
            let offers = includes.has("products.offer");
            out.objects("products", &order.lines, |out, line| {
                self.line(out, line, order, offers);
            });
        }
        if includes.has("status") {
            match self.account.statuses.get(&order.status_id) {
                Some(status) => out.object("status", |out| self.status(out, status)),
                None => out.put("status", Null),
            }
        }
        let of_kind = |payment: &&Payment, expenses, receipts| match payment.purpose {
            Purpose::Expense { .. } => expenses,
            Purpose::Receipt { .. } => receipts,
        };
        if includes.has("payments") {
            let both = self.account.behaviour.expenses_among_payments;
            let payments = order
                .payments
                .iter()
                .filter(|payment| of_kind(payment, both, true));
            out.objects("payments", payments, |out, payment| {
                self.payment(out, payment, order);
            });
        }
        if includes.has("expenses") {
            let expenses = order
                .payments
                .iter()
                .filter(|payment| of_kind(payment, true, false));
            out.objects("expenses", expenses, |out, payment| {
                self.payment(out, payment, order);
            });
        }
        if includes.has("shipping") {
            match &order.shipping {
                Some(shipping) => out.object("shipping", |out| {
                    self.shipping(out, shipping, order, includes);
                }),
                None => out.put("shipping", Null),
            }
        }
        if includes.has("tags") {
            let tags = order
                .tag_ids
                .iter()
                .filter_map(|id| self.account.tags.get(id));
            out.objects("tags", tags, |out, tag| self.tag(out, tag));
        }
        if includes.has("marketing") {
            match &order.marketing {
                None => out.put("marketing", Null),
                Some(marketing) => out.object("marketing", |out| {
                    out.put("utm_source", marketing.source.as_ref());
                    out.put("utm_medium", marketing.medium.as_ref());
                    out.put("utm_campaign", marketing.campaign.as_ref());
                    out.put("utm_term", Null);
                    out.put("utm_content", Null);
                    out.put("created_at", self.at(order.created_at));
                    out.put("updated_at", self.at(order.created_at));
                }),
            }
        }
        if includes.has("custom_fields") || includes.has("customFields") {
            self.custom_values(out, &order.custom_values);
        }
        if includes.has("attachments") {
            out.put("attachments", Raw("[]"));
        }
    }

    fn warehouse_of(&self, line: &Line) -> Option<&'a Warehouse> {
        self.account.warehouses.get(&line.warehouse_id?)
    }

    fn warehouse(&self, out: &mut Object<'_>, warehouse: &Warehouse) {
        out.put("id", warehouse.id);
        out.put("name", &warehouse.name);
        out.put("description", &warehouse.description);
        out.put("is_active", warehouse.is_active);
        self.opened(out);
    }

    fn line(&self, out: &mut Object<'_>, line: &Line, order: &Order, with_offer: bool) {
        let id = line.id;
        let unit = self.account.behaviour.line_discount;
        out.put("id", id);
        out.put("sku", line.sku.as_ref());
        out.put("name", &line.name);
        out.put("price", self.figure(line.price));
        out.put("price_sold", self.figure(line.price_sold(unit)));
        out.put("purchased_price", self.figure(line.purchased_price));
        let percent = line.discount_percent.map(|percent| self.figure(percent));
        self.sparse(out, id, "discount_percent", percent);
        let money = line.discount_amount.map(|sum| self.figure(sum));
        self.sparse(out, id, "discount_amount", money);
        out.put("individual_discount", self.figure(line.individual_discount));
        out.put("loyalty_discount", self.figure(line.loyalty_discount));
        out.put("total_discount", self.figure(line.total_discount(unit)));
        out.put("quantity", self.figure(line.quantity));
        self.sparse(out, id, "unit_type", line.unit_type.as_ref());
        out.put("upsale", line.upsale);
        self.sparse(out, id, "comment", line.comment.as_ref());
        self.sparse(out, id, "product_status_id", line.product_status_id);
        match id % 3 {
            0 => out.put("picture", Raw("[]")),
            1 => out.put("picture", Null),
            _ => out.object("picture", |out| {
                out.put("thumbnail", "https://shop.example/images/thumbnail.jpg");
            }),
        }
        self.properties(out, &line.properties);
        out.put("stock_status", Null);
        match self.warehouse_of(line) {
            Some(warehouse) => {
                out.put("shipment_type", "warehouse");
                out.object("warehouse", |out| self.warehouse(out, warehouse));
            }
            None => {
                out.put("shipment_type", "manufacturing");
                self.sparse(out, id, "warehouse", None::<i64>);
            }
        }
        out.put("created_at", self.at(order.created_at));
        out.put("updated_at", self.at(order.updated_at));
        if with_offer {
            match line.offer_id.and_then(|id| self.account.offers.get(&id)) {
                Some(offer) => out.object("offer", |out| self.offer_core(out, offer)),
                None => self.sparse(out, id, "offer", None::<i64>),
            }
        }
    }

    fn payment(&self, out: &mut Object<'_>, payment: &Payment, order: &Order) {
        let id = payment.id;
        let (method, expense) = match payment.purpose {
            Purpose::Receipt { method_id } => (Some(method_id), None),
            Purpose::Expense { type_id } => (None, Some(type_id)),
        };
        out.put("id", id);
        out.put("destination_id", order.id);
        out.put("destination_type", "order");
        self.sparse(out, id, "payment_method_id", method);
        self.sparse(out, id, "expense_type_id", expense);
        out.put("amount", self.figure(payment.amount));
        out.put("source_currency", "UAH");
        out.put("actual_amount", self.figure(payment.amount));
        out.put("actual_currency", "UAH");
        out.put("is_expense", expense.is_some());
        out.put("status", payment.status.map(PaymentState::as_str));
        let paid_at = payment.paid_at.map(|at| self.at_spaced(at));
        self.sparse(out, id, "payment_date", paid_at);
        self.sparse(out, id, "description", payment.description.as_ref());
        let transaction = payment.transaction_uuid.as_ref();
        self.sparse(out, id, "transaction_uuid", transaction);
        out.put(
            "fiscal_result",
            Raw(if id % 2 == 0 { "[]" } else { "null" }),
        );
        out.put("created_at", self.at(payment.created_at));
        out.put("updated_at", self.at(payment.created_at));
    }

    fn shipping(
        &self,
        out: &mut Object<'_>,
        shipping: &Shipping,
        order: &Order,
        includes: &Includes<'_>,
    ) {
        let id = order.id;
        out.put("delivery_service_id", shipping.delivery_service_id);
        out.put("tracking_code", shipping.tracking_code.as_ref());
        self.sparse(out, id, "return_tracking_code", None::<i64>);
        let status = shipping.shipping_status.as_ref();
        self.sparse(out, id, "shipping_status", status);
        out.put("shipping_address_country", shipping.country.as_ref());
        let country_code = shipping.country.as_ref().map(|_| "UA");
        out.put("shipping_address_country_code", country_code);
        let region = shipping.region.as_ref();
        self.sparse(out, id, "shipping_address_region", region);
        out.put("shipping_address_city", shipping.city.as_ref());
        let zip = shipping.zip.as_ref();
        self.sparse(out, id, "shipping_address_zip", zip);
        let line = shipping.secondary_line.as_ref();
        out.put("shipping_secondary_line", line);
        let point = shipping.receive_point.as_ref();
        out.put("shipping_receive_point", point);
        let address: Vec<&str> = [
            &shipping.country,
            &shipping.region,
            &shipping.city,
            &shipping.secondary_line,
            &shipping.receive_point,
        ]
        .into_iter()
        .filter_map(|part| part.as_deref())
        .collect();
        out.put("full_address", address.join(", "));
        let recipient = shipping.recipient_full_name.as_ref();
        self.sparse(out, id, "recipient_full_name", recipient);
        let phone = shipping.recipient_phone.as_ref();
        self.sparse(out, id, "recipient_phone", phone);
        let shipped = shipping.shipped_at;
        self.sparse(
            out,
            id,
            "shipping_date_actual",
            shipped.map(|at| self.at(at)),
        );
        self.sparse(out, id, "shipping_date", None::<i64>);
        if shipping.is_warehouse && id % 2 == 0 {
            out.object("address_payload", |out| {
                out.put("city_desc", shipping.city.as_ref());
                out.put("warehouse_ref", "00000000-0000-0000-0000-000000000000");
            });
        } else {
            out.put("address_payload", Raw("[]"));
        }
        out.put("shipment_payload", Raw("[]"));
        out.put("is_warehouse", shipping.is_warehouse);
        out.put("was_shipped", shipped.is_some());
        let price = order.shipping_price.map(|price| self.figure(price));
        self.sparse(out, id, "shipping_price", price);
        if includes.has("shipping.deliveryService") {
            let services = &self.account.delivery_services;
            match shipping
                .delivery_service_id
                .and_then(|id| services.get(&id))
            {
                Some(service) => out.object("delivery_service", |out| {
                    self.delivery_service(out, service);
                }),
                None => out.put("delivery_service", Null),
            }
        }
        if includes.has("shipping.lastHistory") {
            match shipping.tracking_code.as_ref() {
                None => out.put("last_history", Null),
                Some(code) => out.object("last_history", |out| {
                    out.put("id", id);
                    out.put("tracking_code", code);
                    out.put("status_code", "1");
                    out.put("description", "Відправлення прийнято");
                    out.put("shipping_status", shipping.shipping_status.as_ref());
                }),
            }
        }
    }
}

/// The first of a list. For nothing, live answers have null here and an empty string there.
fn first_or_nothing(list: &[String], id: i64) -> Option<&str> {
    let nothing = (id % 4 < 2).then_some("");
    list.first().map(String::as_str).or(nothing)
}

/// How many records of a relation an order has.
fn related(order: &Order, relation: &str) -> usize {
    let receipts = order
        .payments
        .iter()
        .filter(|payment| matches!(payment.purpose, Purpose::Receipt { .. }))
        .count();
    match relation {
        "products" => order.lines.len(),
        "payments" => receipts,
        "expenses" => order.payments.len() - receipts,
        "tags" => order.tag_ids.len(),
        "assigned" => order.assigned.len(),
        "buyer" => usize::from(order.buyer_id.is_some()),
        "manager" => usize::from(order.manager_id.is_some()),
        "shipping" => usize::from(order.shipping.is_some()),
        "marketing" => usize::from(order.marketing.is_some()),
        "status" => 1,
        "customFields" => order.custom_values.len(),
        _ => 0,
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 1);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
