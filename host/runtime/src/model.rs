//! The records of a host ERP: the Rust face of `tenon:erp/model`.
//!
//! Written by hand instead of generated, so that one set of types crosses the component boundary
//! and the JSON of the command line and of stored records. In JSON a decimal is a string
//! (`"12.50"`), an instant is RFC 3339 in UTC, and an absent field is none or empty.
//! wasmtime compares every type here with the contract when a component is linked.

use std::fmt;
use std::str::FromStr;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use wasmtime::component::{ComponentType, Lift, Lower};

use crate::observe::tidy;
use crate::parts;
pub use crate::reason::{Mend, Reason, RecordRef};

/// Identifies a record in the host ERP.
pub type Key = String;
/// Identifies the same record in the counterpart: `SYSTEM:ACCOUNT:KIND:ID`. Its first two segments
/// are its owner, [`owner_of`].
pub type Origin = String;
/// Milliseconds since the Unix epoch, UTC.
pub type Instant = i64;
/// Where to go on reading a stream of changes; only its issuer reads it.
pub type Cursor = String;

/// An exact number: `units` × 10^-`scale`. Equal when the numbers are, whatever the scale.
#[derive(ComponentType, Lift, Lower, Clone, Copy, Default)]
#[component(record)]
pub struct Decimal {
    /// The number without its decimal point.
    pub units: i64,
    /// Digits after the decimal point.
    pub scale: u8,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Decimal = Decimal { units: 0, scale: 0 };

    /// The same number for arithmetic; none when the scale is beyond 28 digits.
    pub fn exact(self) -> Option<rust_decimal::Decimal> {
        rust_decimal::Decimal::try_from_i128_with_scale(self.units.into(), self.scale.into()).ok()
    }

    /// None when the number does not fit 64 bits.
    pub fn from_exact(value: rust_decimal::Decimal) -> Option<Decimal> {
        let value = value.normalize();
        Some(Decimal {
            units: value.mantissa().try_into().ok()?,
            scale: value.scale().try_into().ok()?,
        })
    }

    fn normal(self) -> (i64, u8) {
        let (mut units, mut scale) = (self.units, self.scale);
        if units == 0 {
            return (0, 0);
        }
        while scale > 0 && units % 10 == 0 {
            units /= 10;
            scale -= 1;
        }
        (units, scale)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.normal() == other.normal()
    }
}

impl Eq for Decimal {}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exact() {
            Some(exact) => write!(f, "{exact}"),
            None => write!(f, "{}e-{}", self.units, self.scale),
        }
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a decimal number that fits.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a decimal number of at most 18 digits")]
pub struct NotADecimal(String);

impl FromStr for Decimal {
    type Err = NotADecimal;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotADecimal(text.to_owned());
        let exact = rust_decimal::Decimal::from_str_exact(text).map_err(|_| wrong())?;
        Ok(Decimal {
            units: exact.mantissa().try_into().map_err(|_| wrong())?,
            scale: exact.scale().try_into().map_err(|_| wrong())?,
        })
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// [`Instant`]s as RFC 3339 text in JSON; milliseconds are read as well.
mod instant {
    use super::{Deserialize, Deserializer, Instant, Serializer, de};

    pub fn serialize<S: Serializer>(
        value: &Option<Instant>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()) {
            Some(at) => serializer.collect_str(&at),
            None => serializer.serialize_none(),
        }
    }

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected an instant in RFC 3339")]
    enum Written<'a> {
        Milliseconds(Instant),
        Text(#[serde(borrow)] std::borrow::Cow<'a, str>),
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Instant>, D::Error> {
        match Option::<Written>::deserialize(deserializer)? {
            None => Ok(None),
            Some(Written::Milliseconds(at)) => Ok(Some(at)),
            Some(Written::Text(text)) => text
                .parse::<jiff::Timestamp>()
                .map(|at| Some(at.as_millisecond()))
                .map_err(de::Error::custom),
        }
    }
}

/// A record in the JSON that platforms keep: what is none, empty, zero or false is left out, and
/// instants are milliseconds. It is read back like any other JSON of the record, in half the bytes.
pub struct Compact<'a, T: ?Sized>(pub &'a T);

impl<T: Keep + ?Sized> Serialize for Compact<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.keep(serializer, Form::Kept)
    }
}

/// What a value without its absent fields is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For a platform's store: instants are milliseconds.
    Kept,
    /// For people: instants are RFC 3339.
    Told,
    /// To be compared: equal values are written the same.
    Compared,
}

/// A value in a form.
pub(crate) struct In<'a, T: ?Sized>(pub &'a T, pub Form);

impl<T: Keep + ?Sized> Serialize for In<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.keep(serializer, self.1)
    }
}

/// How a value is kept: as it stands in [`Compact`] JSON, and how much room it takes.
pub trait Keep {
    /// Whether it is what an absent field is read as.
    fn is_absent(&self) -> bool {
        false
    }

    /// Writes it.
    fn keep<S: Serializer>(&self, serializer: S, form: Form) -> Result<S::Ok, S::Error>;

    /// About how many bytes of memory it takes, texts included.
    fn weight(&self) -> usize {
        size_of_val(self)
    }
}

impl<T: Keep> Keep for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn keep<S: Serializer>(&self, serializer: S, form: Form) -> Result<S::Ok, S::Error> {
        match self {
            Some(value) => value.keep(serializer, form),
            None => serializer.serialize_none(),
        }
    }

    fn weight(&self) -> usize {
        self.as_ref().map_or(0, Keep::weight)
    }
}

impl<T: Keep> Keep for Vec<T> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn keep<S: Serializer>(&self, serializer: S, form: Form) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(|item| In(item, form)))
    }

    fn weight(&self) -> usize {
        self.iter().map(Keep::weight).sum()
    }
}

impl Keep for String {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn keep<S: Serializer>(&self, serializer: S, _: Form) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }

    fn weight(&self) -> usize {
        size_of::<String>() + self.len()
    }
}

/// Values that are kept as they are always written, and are absent when they are the default.
macro_rules! plain {
    ($($type:ty),*) => { $(
        impl Keep for $type {
            fn is_absent(&self) -> bool {
                *self == <$type>::default()
            }

            fn keep<S: Serializer>(&self, serializer: S, _: Form) -> Result<S::Ok, S::Error> {
                self.serialize(serializer)
            }
        }
    )* };
}

plain!(bool);

impl Keep for Instant {
    fn is_absent(&self) -> bool {
        *self == 0
    }

    fn keep<S: Serializer>(&self, serializer: S, form: Form) -> Result<S::Ok, S::Error> {
        match form {
            Form::Told => instant::serialize(&Some(*self), serializer),
            Form::Kept | Form::Compared => self.serialize(serializer),
        }
    }
}

impl Keep for Decimal {
    fn is_absent(&self) -> bool {
        *self == Decimal::ZERO
    }

    fn keep<S: Serializer>(&self, serializer: S, form: Form) -> Result<S::Ok, S::Error> {
        match form {
            Form::Compared => self.normal().serialize(serializer),
            Form::Kept | Form::Told => self.serialize(serializer),
        }
    }
}

/// Derives what every plain record of the contract has.
macro_rules! records {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident : $type:ty,)* })*) => { $(
        $(#[$meta])*
        #[derive(ComponentType, Lift, Lower, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
        #[component(record)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }

        impl Keep for $name {
            fn keep<S: Serializer>(&self, serializer: S, form: Form) -> Result<S::Ok, S::Error> {
                // The number of fields is not known before they were looked at; JSON needs none.
                let mut record = serializer.serialize_map(None)?;
                $(
                    if !self.$field.is_absent() {
                        record.serialize_entry(stringify!($field), &In(&self.$field, form))?;
                    }
                )*
                record.end()
            }

            fn weight(&self) -> usize {
                0 $(+ self.$field.weight())*
            }
        }
    )* };
}

/// An enum of the contract; in JSON its names are in snake_case.
macro_rules! enums {
    ($($(#[$meta:meta])* $name:ident {
        $(#[$first_meta:meta])* $first:ident = $first_wit:literal,
        $($(#[$case_meta:meta])* $case:ident = $wit:literal,)*
    })*) => { $(
        $(#[$meta])*
        #[derive(ComponentType, Lift, Lower, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        #[component(enum)]
        #[repr(u8)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $(#[$first_meta])* #[default] #[component(name = $first_wit)] $first,
            $($(#[$case_meta])* #[component(name = $wit)] $case,)*
        }

        plain!($name);

        impl $name {
            /// All values, in the order of the contract.
            pub const ALL: &[$name] = &[$name::$first, $($name::$case),*];

            /// The name that the contract gives it.
            pub fn name(self) -> &'static str {
                match self { $name::$first => $first_wit, $($name::$case => $wit),* }
            }
        }
    )* };
}

enums! {
    /// What a save did.
    Effect {
        /// The record is new.
        Created = "created",
        /// At least one owned field changed.
        Updated = "updated",
        /// Every owned field had its value already.
        Unchanged = "unchanged",
    }

    /// Kinds of records that changes are told of, that have buttons, and that settings may name.
    RecordKind {
        /// A product.
        Product = "product",
        /// A folder of products.
        Category = "category",
        /// A level of stock.
        Stock = "stock",
        /// A partner.
        Partner = "partner",
        /// An order.
        Order = "order",
        /// A warehouse.
        Warehouse = "warehouse",
    }

    /// A short list that other records point at.
    Directory {
        /// Own legal entities.
        Organizations = "organizations",
        /// Warehouses.
        Warehouses = "warehouses",
        /// Kinds of price.
        PriceTypes = "price-types",
        /// Currencies.
        Currencies = "currencies",
        /// Units of measure.
        Units = "units",
        /// People who work in the ERP.
        Users = "users",
        /// Bank accounts and cash desks.
        Accounts = "accounts",
        /// Stages of an order.
        OrderStages = "order-stages",
        /// Where orders come from.
        OrderSources = "order-sources",
        /// Agreements with partners.
        Agreements = "agreements",
        /// Why a line was refused.
        CancelReasons = "cancel-reasons",
        /// Carriers.
        DeliveryServices = "delivery-services",
        /// Additional fields of products.
        ProductFields = "product-fields",
        /// Additional fields of orders.
        OrderFields = "order-fields",
    }

    /// What a product is.
    ProductKind {
        /// An ordinary good.
        Good = "good",
        /// A good that is sold only as one of its variants.
        GoodWithVariants = "good-with-variants",
        /// A service.
        Service = "service",
        /// A set of other products.
        Bundle = "bundle",
    }

    /// Which side of trade a partner is on.
    PartnerRole {
        /// Buys.
        Customer = "customer",
        /// Sells.
        Supplier = "supplier",
    }

    /// Which way an order goes.
    OrderDirection {
        /// From a customer.
        Sale = "sale",
        /// To a supplier.
        Purchase = "purchase",
    }

    /// Kinds of document that a counterpart keeps for an order.
    DocumentKind {
        /// An order.
        Order = "order",
        /// An invoice.
        Invoice = "invoice",
        /// A shipment.
        Shipment = "shipment",
        /// Goods that came back.
        SalesReturn = "sales-return",
    }
}

records! {
    /// An amount in an ISO 4217 currency.
    Money {
        /// How much.
        amount: Decimal,
        /// ISO 4217 code.
        currency: String,
    }

    /// A field that only this platform or this counterpart has.
    Attribute {
        /// Whose it is.
        origin: Option<Origin>,
        /// Name of the field.
        name: String,
        /// Its value as text.
        value: String,
    }

    /// One line of a directory.
    Entry {
        /// Key of the entry.
        key: Key,
        /// Name that people see.
        name: String,
        /// A code that people match by.
        code: Option<String>,
        /// The counterpart's record it was made for.
        origin: Option<Origin>,
        /// Not offered for new records.
        archived: bool,
        /// Of a user: the organization of their documents.
        organization: Option<Key>,
        /// Of a user: the warehouse of their documents.
        warehouse: Option<Key>,
    }

    /// A price of one type.
    Price {
        /// Whose it is.
        origin: Option<Origin>,
        /// Key in the `price-types` directory.
        #[component(name = "price-type")]
        price_type: Key,
        /// The price of one unit.
        value: Money,
    }

    /// A picture of a product.
    Image {
        /// Whose it is.
        origin: Option<Origin>,
        /// Its file name.
        #[component(name = "file-name")]
        file_name: String,
        /// Changes whenever the picture does.
        digest: String,
    }

    /// One form of a good: a size, a colour.
    ProductVariant {
        /// Key of the variant.
        key: Option<Key>,
        /// The counterpart's variant.
        origin: Option<Origin>,
        /// Name of the variant.
        name: String,
        /// Its own SKU.
        sku: Option<String>,
        /// Its barcodes.
        barcodes: Vec<String>,
        /// What tells it from its siblings.
        characteristics: Vec<Attribute>,
        /// Its prices.
        prices: Vec<Price>,
    }

    /// A good, a service or a bundle.
    Product {
        /// Key of the product; none for a new one.
        key: Option<Key>,
        /// The counterpart's product.
        origin: Option<Origin>,
        /// What it is.
        kind: ProductKind,
        /// Name.
        name: String,
        /// Internal code.
        code: Option<String>,
        /// Article number, without the brand.
        sku: Option<String>,
        /// Brand.
        brand: Option<String>,
        /// Code that an exchange gave it.
        #[component(name = "external-code")]
        external_code: Option<String>,
        /// Barcodes.
        barcodes: Vec<String>,
        /// Unit of measure.
        unit: Option<String>,
        /// Text for buyers.
        description: Option<String>,
        /// Key of its category.
        category: Option<Key>,
        /// VAT rate in percent; none means without VAT.
        vat: Option<Decimal>,
        /// Prices by type.
        prices: Vec<Price>,
        /// Variants of a good with variants.
        variants: Vec<ProductVariant>,
        /// Pictures.
        images: Vec<Image>,
        /// Additional fields.
        attributes: Vec<Attribute>,
        /// Not offered any more.
        archived: bool,
        /// Changes whenever the record does.
        version: Option<String>,
        /// When it changed last.
        #[component(name = "changed-at")]
        #[serde(with = "instant")]
        changed_at: Option<Instant>,
    }

    /// A folder of products.
    Category {
        /// Key of the category.
        key: Option<Key>,
        /// The counterpart's category.
        origin: Option<Origin>,
        /// Name.
        name: String,
        /// Key of the category above.
        parent: Option<Key>,
        /// Not offered any more.
        archived: bool,
    }

    /// Products that changed.
    ProductPage {
        /// Changed ones, oldest change first.
        products: Vec<Product>,
        /// Keys of deleted ones.
        removed: Vec<Key>,
        /// Where the next page begins.
        next: Cursor,
        /// Whether there is a next page now.
        more: bool,
    }

    /// How much of a product lies in a warehouse.
    StockLevel {
        /// Key of the product.
        product: Key,
        /// Key of its variant.
        #[component(name = "product-variant")]
        product_variant: Option<Key>,
        /// Key in the `warehouses` directory.
        warehouse: Key,
        /// Physically there.
        #[component(name = "on-hand")]
        on_hand: Decimal,
        /// Promised to orders.
        reserved: Decimal,
        /// Free for sale, as its owner computes it.
        available: Decimal,
    }

    /// Levels that changed.
    StockPage {
        /// Changed levels, oldest change first.
        levels: Vec<StockLevel>,
        /// Where the next page begins.
        next: Cursor,
        /// Whether there is a next page now.
        more: bool,
    }

    /// A customer or a supplier.
    Partner {
        /// Key of the partner; none for a new one.
        key: Option<Key>,
        /// The counterpart's partner.
        origin: Option<Origin>,
        /// Customer or supplier.
        role: PartnerRole,
        /// Name.
        name: String,
        /// ИНН, ЄДРПОУ, VAT number.
        #[component(name = "tax-id")]
        tax_id: Option<String>,
        /// E-mail addresses.
        emails: Vec<String>,
        /// Phones as their owner wrote them.
        phones: Vec<String>,
        /// Postal address.
        address: Option<String>,
        /// Additional fields.
        attributes: Vec<Attribute>,
        /// Changes whenever the record does.
        version: Option<String>,
        /// When it changed last.
        #[component(name = "changed-at")]
        #[serde(with = "instant")]
        changed_at: Option<Instant>,
    }

    /// Partners that changed.
    PartnerPage {
        /// Changed ones, oldest change first.
        partners: Vec<Partner>,
        /// Where the next page begins.
        next: Cursor,
        /// Whether there is a next page now.
        more: bool,
    }

    /// A line of an order, known by its `id`.
    OrderLine {
        /// Tells the line from the others of its order.
        id: String,
        /// Whose it is.
        origin: Option<Origin>,
        /// Key of the product.
        product: Option<Key>,
        /// Key of its variant.
        #[component(name = "product-variant")]
        product_variant: Option<Key>,
        /// Name as ordered.
        name: String,
        /// SKU as ordered.
        sku: Option<String>,
        /// Unit of measure.
        unit: Option<String>,
        /// How many units.
        quantity: Decimal,
        /// Reserved units.
        reserved: Decimal,
        /// Shipped units.
        shipped: Decimal,
        /// For one unit, before the discount.
        price: Decimal,
        /// For the whole line.
        discount: Decimal,
        /// VAT rate in percent.
        vat: Option<Decimal>,
        /// Refused lines stay in the order.
        refused: bool,
        /// Key in the `cancel-reasons` directory.
        #[component(name = "cancel-reason")]
        cancel_reason: Option<Key>,
        /// Additional fields.
        attributes: Vec<Attribute>,
    }

    /// How an order reaches its buyer.
    Delivery {
        /// Whose it is.
        origin: Option<Origin>,
        /// Key in the `delivery-services` directory.
        service: Option<Key>,
        /// The service product that `cost` is booked under.
        product: Option<Key>,
        /// What the customer pays for it, part of the order's total.
        cost: Option<Decimal>,
        /// Where to.
        address: Option<String>,
        /// Who receives it.
        recipient: Option<String>,
        /// Phone of the recipient.
        phone: Option<String>,
        /// Tracking number.
        tracking: Option<String>,
    }

    /// An amount on top of goods and delivery, such as a tax or gift wrap.
    Charge {
        /// Whose it is.
        origin: Option<Origin>,
        /// What it is for.
        name: String,
        /// How much.
        amount: Decimal,
    }

    /// Money for an order.
    Payment {
        /// The counterpart's payment.
        origin: Option<Origin>,
        /// Key in the `accounts` directory.
        account: Option<Key>,
        /// How much, in the order's currency.
        amount: Decimal,
        /// None while the payment is only expected.
        #[component(name = "paid-at")]
        #[serde(with = "instant")]
        paid_at: Option<Instant>,
        /// Note.
        comment: Option<String>,
    }

    /// A document that the counterpart keeps for an order.
    LinkedDocument {
        /// What it is.
        kind: DocumentKind,
        /// The counterpart's document.
        origin: Origin,
        /// Its number.
        number: Option<String>,
        /// Where people open it.
        url: Option<String>,
    }

    /// An order from a customer or to a supplier; see [`Order::total`].
    Order {
        /// Key of the order; none for a new one.
        key: Option<Key>,
        /// The counterpart's order.
        origin: Option<Origin>,
        /// Sale or purchase.
        direction: OrderDirection,
        /// Number that people know it by.
        number: Option<String>,
        /// When it was placed.
        #[component(name = "created-at")]
        #[serde(with = "instant")]
        created_at: Option<Instant>,
        /// Key in the `order-stages` directory.
        stage: Option<Key>,
        /// Key in the `order-sources` directory.
        source: Option<Key>,
        /// Key of the partner.
        partner: Option<Key>,
        /// Key in the `organizations` directory.
        organization: Option<Key>,
        /// Key in the `warehouses` directory.
        warehouse: Option<Key>,
        /// Key in the `users` directory of who answers for it.
        manager: Option<Key>,
        /// Key in the `users` directory of who made it.
        author: Option<Key>,
        /// Key in the `agreements` directory.
        agreement: Option<Key>,
        /// ISO 4217 code.
        currency: String,
        /// Lines.
        lines: Vec<OrderLine>,
        /// For the whole order, on top of the lines' own.
        discount: Decimal,
        /// Amounts on top of goods and delivery.
        charges: Vec<Charge>,
        /// Delivery.
        delivery: Option<Delivery>,
        /// Payments.
        payments: Vec<Payment>,
        /// Whether goods are reserved for it.
        reserve: bool,
        /// Note.
        comment: Option<String>,
        /// Documents at the counterpart.
        documents: Vec<LinkedDocument>,
        /// Additional fields.
        attributes: Vec<Attribute>,
        /// Changes whenever the record does.
        version: Option<String>,
        /// When it changed last.
        #[component(name = "changed-at")]
        #[serde(with = "instant")]
        changed_at: Option<Instant>,
    }

    /// Orders that changed.
    OrderPage {
        /// Changed ones, oldest change first.
        orders: Vec<Order>,
        /// Keys of deleted ones.
        removed: Vec<Key>,
        /// Where the next page begins.
        next: Cursor,
        /// Whether there is a next page now.
        more: bool,
    }

    /// One field of a record, before and after. Numbers, dates and keys are in the form that JSON of
    /// the record has; a list or a part is JSON.
    FieldChange {
        /// Name of the field.
        field: String,
        /// None where it was empty.
        before: Option<String>,
        /// None where it is empty now.
        after: Option<String>,
    }

    /// The record that a save wrote or found equal.
    Saved {
        /// Key of the record.
        key: Key,
        /// What the save did.
        effect: Effect,
        /// Changes whenever the record does.
        version: String,
        /// Every field that the save changed; empty for a record that it made.
        changes: Vec<FieldChange>,
    }
}

impl Order {
    /// What the customer owes in all: the sum over the lines that are not refused of
    /// `quantity × price − discount`, less the order's own discount, plus charges and delivery.
    /// It has at least two digits after the point. None when a number is out of range.
    pub fn total(&self) -> Option<Decimal> {
        let mut total = rust_decimal::Decimal::ZERO;
        for line in self.lines.iter().filter(|line| !line.refused) {
            let goods = line.quantity.exact()?.checked_mul(line.price.exact()?)?;
            total = total
                .checked_add(goods)?
                .checked_sub(line.discount.exact()?)?;
        }
        total = total.checked_sub(self.discount.exact()?)?;
        for charge in &self.charges {
            total = total.checked_add(charge.amount.exact()?)?;
        }
        if let Some(cost) = self.delivery.as_ref().and_then(|delivery| delivery.cost) {
            total = total.checked_add(cost.exact()?)?;
        }
        let total = Decimal::from_exact(total)?;
        match total.scale {
            0 | 1 => Some(Decimal {
                units: (total.units).checked_mul(10i64.pow(2 - u32::from(total.scale)))?,
                scale: 2,
            }),
            _ => Some(total),
        }
    }
}

impl FieldChange {
    /// A change of a field, by its name in JSON: texts, numbers, dates and keys as they stand in
    /// JSON of the record, without quotes; lists and parts as JSON, without what is none, empty,
    /// zero or false.
    pub fn of<T: Keep + ?Sized>(field: &str, before: &T, after: &T) -> FieldChange {
        FieldChange {
            field: field.to_owned(),
            before: told(before),
            after: told(after),
        }
    }
}

/// None for what is none or has nothing in it.
fn told<T: Keep + ?Sized>(value: &T) -> Option<String> {
    let json = serde_json::to_string(&In(value, Form::Told)).ok()?;
    match json.as_str() {
        "null" | "[]" | "\"\"" => None,
        text if text.starts_with('"') => serde_json::from_str(text).ok(),
        _ => Some(json),
    }
}

/// The owner of a record or of a part: the first two segments of its origin, `SYSTEM:ACCOUNT`.
pub fn owner_of(origin: &str) -> &str {
    let mut ends = origin.match_indices(':').map(|(end, _)| end);
    match ends.nth(1) {
        Some(end) => &origin[..end],
        None => origin,
    }
}

/// Why a call failed, named by what can be done about it.
#[derive(ComponentType, Lift, Lower, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[component(variant)]
pub enum Fault {
    /// Nothing is wrong with the request: try again later.
    #[component(name = "transient")]
    #[error("{0}")]
    Transient(Reason),
    /// An admin has to change a setting, a right or a credential.
    #[component(name = "configuration")]
    #[error("{0}")]
    Configuration(Reason),
    /// This record cannot be taken as it is: report it, go on with the next.
    #[component(name = "rejected")]
    #[error("{0}")]
    Rejected(Reason),
    /// Somebody else changed the record; the value is its present version.
    #[component(name = "conflict")]
    #[error("changed by somebody else; its version is now {0}")]
    Conflict(String),
    /// This platform has no such record kind or field.
    #[component(name = "unsupported")]
    #[error("{0}")]
    Unsupported(Reason),
}

impl Fault {
    /// Why, for people.
    pub fn reason(&self) -> Reason {
        match self {
            Fault::Transient(reason)
            | Fault::Configuration(reason)
            | Fault::Rejected(reason)
            | Fault::Unsupported(reason) => reason.clone(),
            Fault::Conflict(version) => Reason::new("host.conflict").arg("version", version),
        }
    }

    /// The same fault with its texts made fit for people.
    pub(crate) fn tidied(mut self, most: usize) -> Fault {
        match &mut self {
            Fault::Transient(reason)
            | Fault::Configuration(reason)
            | Fault::Rejected(reason)
            | Fault::Unsupported(reason) => reason.tidy(most),
            Fault::Conflict(version) => tidy(version, most),
        }
        self
    }
}

/// How to find a product.
#[derive(ComponentType, Lift, Lower, Clone, Debug, PartialEq, Eq)]
#[component(variant)]
pub enum ProductLookup {
    /// By key.
    #[component(name = "key")]
    Key(Key),
    /// By the counterpart's record.
    #[component(name = "origin")]
    Origin(Origin),
    /// By SKU; a variant's own counts before that of a whole product, and of several cards one that is
    /// not archived before the others; so it is with all that follow.
    #[component(name = "sku")]
    Sku(String),
    /// By brand and SKU.
    #[component(name = "brand-and-sku")]
    BrandAndSku((String, String)),
    /// By the whole name, ignoring case, spaces around and between words, and the kind of an apostrophe;
    /// a letter composed of signs is the letter, an entity of HTML its sign.
    #[component(name = "name")]
    Name(String),
}

/// How to find a partner.
#[derive(ComponentType, Lift, Lower, Clone, Debug, PartialEq, Eq)]
#[component(variant)]
pub enum PartnerLookup {
    /// By key.
    #[component(name = "key")]
    Key(Key),
    /// By the counterpart's record.
    #[component(name = "origin")]
    Origin(Origin),
    /// By tax number.
    #[component(name = "tax-id")]
    TaxId(String),
    /// By e-mail, ignoring case.
    #[component(name = "email")]
    Email(String),
    /// By phone, normalised.
    #[component(name = "phone")]
    Phone(String),
}

/// How to find an order.
#[derive(ComponentType, Lift, Lower, Clone, Debug, PartialEq, Eq)]
#[component(variant)]
pub enum OrderLookup {
    /// By key.
    #[component(name = "key")]
    Key(Key),
    /// By the counterpart's record.
    #[component(name = "origin")]
    Origin(Origin),
    /// By number.
    #[component(name = "number")]
    Number(String),
}

pub use owned::{Capabilities, CategoryFields, OrderFields, PartnerFields, ProductFields};

/// The fields of a record that a connector speaks for when it saves (people and other connectors
/// keep the rest), and what a platform can do.
mod owned {
    #![expect(missing_docs, reason = "`flags!` takes no doc comments")]

    use wasmtime::component::flags;

    flags! {
        Capabilities {
            #[component(name = "directories")] const DIRECTORIES;
            #[component(name = "products")] const PRODUCTS;
            #[component(name = "product-changes")] const PRODUCT_CHANGES;
            #[component(name = "variants")] const VARIANTS;
            #[component(name = "categories")] const CATEGORIES;
            #[component(name = "images")] const IMAGES;
            #[component(name = "stock")] const STOCK;
            #[component(name = "stock-changes")] const STOCK_CHANGES;
            #[component(name = "partners")] const PARTNERS;
            #[component(name = "partner-changes")] const PARTNER_CHANGES;
            #[component(name = "balances")] const BALANCES;
            #[component(name = "orders")] const ORDERS;
            #[component(name = "order-changes")] const ORDER_CHANGES;
            #[component(name = "order-notes")] const ORDER_NOTES;
            #[component(name = "order-files")] const ORDER_FILES;
        }
    }

    flags! {
        ProductFields {
            #[component(name = "kind")] const KIND;
            #[component(name = "name")] const NAME;
            #[component(name = "code")] const CODE;
            #[component(name = "sku")] const SKU;
            #[component(name = "brand")] const BRAND;
            #[component(name = "external-code")] const EXTERNAL_CODE;
            #[component(name = "barcodes")] const BARCODES;
            #[component(name = "unit")] const UNIT;
            #[component(name = "description")] const DESCRIPTION;
            #[component(name = "category")] const CATEGORY;
            #[component(name = "vat")] const VAT;
            #[component(name = "prices")] const PRICES;
            #[component(name = "variants")] const VARIANTS;
            #[component(name = "images")] const IMAGES;
            #[component(name = "attributes")] const ATTRIBUTES;
            #[component(name = "archived")] const ARCHIVED;
        }
    }

    flags! {
        CategoryFields {
            #[component(name = "name")] const NAME;
            #[component(name = "parent")] const PARENT;
            #[component(name = "archived")] const ARCHIVED;
        }
    }

    flags! {
        PartnerFields {
            #[component(name = "name")] const NAME;
            #[component(name = "tax-id")] const TAX_ID;
            #[component(name = "emails")] const EMAILS;
            #[component(name = "phones")] const PHONES;
            #[component(name = "address")] const ADDRESS;
            #[component(name = "attributes")] const ATTRIBUTES;
        }
    }

    flags! {
        OrderFields {
            #[component(name = "number")] const NUMBER;
            #[component(name = "created-at")] const CREATED_AT;
            #[component(name = "stage")] const STAGE;
            #[component(name = "source")] const SOURCE;
            #[component(name = "partner")] const PARTNER;
            #[component(name = "organization")] const ORGANIZATION;
            #[component(name = "warehouse")] const WAREHOUSE;
            #[component(name = "manager")] const MANAGER;
            #[component(name = "author")] const AUTHOR;
            #[component(name = "agreement")] const AGREEMENT;
            #[component(name = "currency")] const CURRENCY;
            #[component(name = "lines")] const LINES;
            #[component(name = "discount")] const DISCOUNT;
            #[component(name = "charges")] const CHARGES;
            #[component(name = "delivery")] const DELIVERY;
            #[component(name = "payments")] const PAYMENTS;
            #[component(name = "reserve")] const RESERVE;
            #[component(name = "comment")] const COMMENT;
            #[component(name = "documents")] const DOCUMENTS;
            #[component(name = "attributes")] const ATTRIBUTES;
        }
    }
}

/// A kind of record whose fields are owned and whose parts have owners, for platforms that do the same
/// with each kind. The records have all of it as methods of their own.
pub trait Owned: Sized {
    /// The fields that a connector may speak for.
    type Fields: Copy;

    /// Gives parts without an origin that of the record.
    fn claim(&mut self, origin: Option<&str>);

    /// Gives parts without an origin that of the known part that they are.
    fn inherit(&mut self, known: &Self);

    /// Brings the parts of `given` in line with the record; answers which of the owned fields are to
    /// be replaced.
    ///
    /// # Errors
    /// A new part has no origin, and neither has the record.
    fn reconcile(
        &self,
        given: &mut Self,
        origin: Option<&str>,
        owned: Self::Fields,
        said: Option<&mut parts::Said>,
    ) -> Result<Self::Fields, parts::Unowned>;

    /// Notes what an account says of a new record.
    fn note(&self, owned: Self::Fields, said: &mut parts::Said);

    /// Takes over what is owned and differs; answers every field that did.
    fn replace(&mut self, given: Self, owned: Self::Fields) -> Vec<FieldChange>;
}

/// What a platform does to a record that it has when a connector saves it.
///
/// A field's number tells it from the others in what is kept of an account, see
/// [`Said`](crate::parts::Said): it stays as it is, and a new field takes the next.
macro_rules! adopt {
    ($($record:ident $fields:ident { $($number:literal $kind:ident $flag:ident $field:ident,)* })*) => { $(
        impl $record {
            /// Takes over the owned fields of `given` as [the rules of parts](crate::parts) say;
            /// answers every field that changed.
            ///
            /// # Errors
            /// A new part has no origin, and neither has `given`. Then nothing is taken over.
            pub fn adopt(
                &mut self,
                mut given: $record,
                owned: $fields,
            ) -> Result<Vec<FieldChange>, parts::Unowned> {
                let origin = given.origin.clone();
                given.claim(origin.as_deref());
                let owned = self.reconcile(&mut given, origin.as_deref(), owned, None)?;
                Ok(self.replace(given, owned))
            }

            /// Takes over the owned fields of `given` that differ, parts of others included;
            /// answers every field that changed.
            pub fn replace(&mut self, given: $record, owned: $fields) -> Vec<FieldChange> {
                let mut changes = Vec::new();
                $(
                    if owned.contains($fields::$flag) && self.$field != given.$field {
                        changes.push(FieldChange::of(
                            stringify!($field),
                            &self.$field,
                            &given.$field,
                        ));
                        self.$field = given.$field;
                    }
                )*
                changes
            }

            /// Brings `given`, whose parts are claimed, in line with the record: its parts become
            /// those that the record is to have, and the fields that are answered are those of
            /// `owned` that are to be replaced. `origin` is that of the record as it was given, which
            /// says who speaks; what that account says is noted in `said`, and a field of which it
            /// says what it said last is left out.
            ///
            /// # Errors
            /// A new part has no origin, and neither has the record.
            pub fn reconcile(
                &self,
                given: &mut $record,
                origin: Option<&str>,
                owned: $fields,
                mut said: Option<&mut parts::Said>,
            ) -> Result<$fields, parts::Unowned> {
                let mut writes = owned;
                let owner = origin.map(owner_of);
                $(
                    if owned.contains($fields::$flag) {
                        let news = parts::$kind(
                            &self.$field,
                            &mut given.$field,
                            owner,
                            said.as_deref_mut().map(|said| said.field($number)),
                        );
                        let news = news.map_err(|place| parts::Unowned {
                            field: stringify!($field),
                            place,
                        })?;
                        if !news {
                            writes &= !$fields::$flag;
                        }
                    }
                )*
                Ok(writes)
            }

            /// Notes what an account says of the owned fields of a new record.
            pub fn note(&self, owned: $fields, said: &mut parts::Said) {
                $(
                    if owned.contains($fields::$flag) {
                        *said.field($number) = Some(parts::Digests::$kind(&self.$field));
                    }
                )*
            }

            /// Forgets what an account said of these fields: whatever it says next is news.
            pub fn forget(fields: $fields, said: &mut parts::Said) {
                $(
                    if fields.contains($fields::$flag) {
                        *said.field($number) = None;
                    }
                )*
            }
        }

        impl Owned for $record {
            type Fields = $fields;

            fn claim(&mut self, origin: Option<&str>) {
                $record::claim(self, origin);
            }

            fn inherit(&mut self, known: &$record) {
                $record::inherit(self, known);
            }

            fn reconcile(
                &self,
                given: &mut $record,
                origin: Option<&str>,
                owned: $fields,
                said: Option<&mut parts::Said>,
            ) -> Result<$fields, parts::Unowned> {
                $record::reconcile(self, given, origin, owned, said)
            }

            fn note(&self, owned: $fields, said: &mut parts::Said) {
                $record::note(self, owned, said);
            }

            fn replace(&mut self, given: $record, owned: $fields) -> Vec<FieldChange> {
                $record::replace(self, given, owned)
            }
        }
    )* };
}

adopt! {
    Product ProductFields {
        0 plain KIND kind,
        1 plain NAME name,
        2 plain CODE code,
        3 plain SKU sku,
        4 plain BRAND brand,
        5 plain EXTERNAL_CODE external_code,
        6 plain BARCODES barcodes,
        7 plain UNIT unit,
        8 plain DESCRIPTION description,
        9 plain CATEGORY category,
        10 plain VAT vat,
        11 several PRICES prices,
        12 plain VARIANTS variants,
        13 several IMAGES images,
        14 several ATTRIBUTES attributes,
        15 plain ARCHIVED archived,
    }

    Category CategoryFields {
        0 plain NAME name,
        1 plain PARENT parent,
        2 plain ARCHIVED archived,
    }

    Partner PartnerFields {
        0 plain NAME name,
        1 plain TAX_ID tax_id,
        2 plain EMAILS emails,
        3 plain PHONES phones,
        4 plain ADDRESS address,
        5 several ATTRIBUTES attributes,
    }

    Order OrderFields {
        0 plain NUMBER number,
        1 plain CREATED_AT created_at,
        2 plain STAGE stage,
        3 plain SOURCE source,
        4 plain PARTNER partner,
        5 plain ORGANIZATION organization,
        6 plain WAREHOUSE warehouse,
        7 plain MANAGER manager,
        8 plain AUTHOR author,
        9 plain AGREEMENT agreement,
        10 plain CURRENCY currency,
        11 several LINES lines,
        12 plain DISCOUNT discount,
        13 several CHARGES charges,
        14 single DELIVERY delivery,
        15 several PAYMENTS payments,
        16 plain RESERVE reserve,
        17 plain COMMENT comment,
        18 plain DOCUMENTS documents,
        19 several ATTRIBUTES attributes,
    }
}

impl Product {
    /// Gives parts without an origin that of the record: they become its owner's.
    pub fn claim(&mut self, origin: Option<&str>) {
        parts::claim(&mut self.prices, origin);
        parts::claim(&mut self.images, origin);
        parts::claim(&mut self.attributes, origin);
        for variant in &mut self.variants {
            parts::claim(&mut variant.prices, origin);
        }
    }

    /// Owners of parts as people give them, see [`parts::inherit`]. Prices of variants are left
    /// alone.
    pub fn inherit(&mut self, known: &Product) {
        parts::inherit(&mut self.prices, &known.prices);
        parts::inherit(&mut self.images, &known.images);
        parts::inherit(&mut self.attributes, &known.attributes);
    }
}

impl Category {
    /// A category has no parts.
    pub fn claim(&mut self, _: Option<&str>) {}

    /// A category has no parts.
    pub fn inherit(&mut self, _: &Category) {}
}

impl Partner {
    /// Gives parts without an origin that of the record: they become its owner's.
    pub fn claim(&mut self, origin: Option<&str>) {
        parts::claim(&mut self.attributes, origin);
    }

    /// Owners of parts as people give them, see [`parts::inherit`].
    pub fn inherit(&mut self, known: &Partner) {
        parts::inherit(&mut self.attributes, &known.attributes);
    }
}

impl Order {
    /// Gives parts without an origin that of the record: they become its owner's.
    pub fn claim(&mut self, origin: Option<&str>) {
        parts::claim(&mut self.lines, origin);
        parts::claim(&mut self.charges, origin);
        parts::claim(self.delivery.as_mut_slice(), origin);
        parts::claim(&mut self.payments, origin);
        parts::claim(&mut self.attributes, origin);
    }

    /// Owners of parts as people give them, see [`parts::inherit`].
    pub fn inherit(&mut self, known: &Order) {
        parts::inherit(&mut self.lines, &known.lines);
        parts::inherit(&mut self.charges, &known.charges);
        parts::inherit(self.delivery.as_mut_slice(), known.delivery.as_slice());
        parts::inherit(&mut self.payments, &known.payments);
        parts::inherit(&mut self.attributes, &known.attributes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_record_is_small_and_reads_back_equal() {
        let order = Order {
            currency: "UAH".to_owned(),
            created_at: Some(1_772_359_811_000),
            discount: Decimal {
                units: 150,
                scale: 2,
            },
            lines: vec![OrderLine {
                id: "7".to_owned(),
                quantity: Decimal { units: 2, scale: 0 },
                ..OrderLine::default()
            }],
            ..Order::default()
        };
        let kept = serde_json::to_string(&Compact(&order)).unwrap();
        let small = r#"{"created_at":1772359811000,"currency":"UAH","lines":[{"id":"7","quantity":"2"}],"discount":"1.50"}"#;
        assert_eq!(small, kept);
        assert_eq!(order, serde_json::from_str(&kept).unwrap());
        let shown = serde_json::to_string(&order).unwrap();
        assert!(
            shown.contains(r#""created_at":"2026-03-01T10:10:11Z""#),
            "{shown}"
        );
        assert!(shown.contains(r#""stage":null"#), "{shown}");
        assert_eq!(order, serde_json::from_str(&shown).unwrap());
    }

    #[test]
    fn a_total_is_the_sum_of_its_parts_and_shows_its_kopecks() {
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        let line = |quantity, price, discount, refused| OrderLine {
            quantity: decimal(quantity),
            price: decimal(price),
            discount: decimal(discount),
            refused,
            ..OrderLine::default()
        };
        let order = Order {
            lines: vec![
                line("2", "600", "0.1", false),
                line("0.333", "3", "0.999", false),
                line("1", "1000", "0", true),
            ],
            discount: decimal("120"),
            charges: vec![Charge {
                origin: None,
                name: "tax".to_owned(),
                amount: decimal("0.2"),
            }],
            delivery: Some(Delivery {
                cost: Some(decimal("50")),
                ..Delivery::default()
            }),
            ..Order::default()
        };
        assert_eq!("1130.10", order.total().unwrap().to_string());
        assert_eq!("0.00", Order::default().total().unwrap().to_string());
    }

    #[test]
    fn an_instant_that_is_none_of_both_is_refused_in_words() {
        let error = serde_json::from_str::<Order>(r#"{"created_at": [1]}"#).unwrap_err();
        assert!(error.to_string().contains("RFC 3339"), "{error}");
    }
}
