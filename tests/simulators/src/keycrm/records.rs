//! The records of a KeyCRM account and the arithmetic of an order.
//!
//! A record holds what a person entered; whatever KeyCRM computes from it (totals, the price after
//! discounts, the payment status) is computed here and never stored.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::{Decimal, RoundingStrategy};

use super::config::{Behaviour, LineDiscount};

/// An order status.
#[derive(Clone, Debug)]
pub struct Status {
    /// Key.
    pub id: i64,
    /// Title.
    pub name: String,
    /// Transliterated title.
    pub alias: String,
    /// One of the six fixed groups, 1 to 6.
    pub group_id: i64,
    /// Inactive statuses are not listed, though orders may still be in them.
    pub is_active: bool,
    /// Whether the status closes the order.
    pub is_closing_order: bool,
    /// Whether KeyCRM keeps the status from being changed.
    pub is_reserved: bool,
    /// Seconds after which an order in it counts as overdue.
    pub expiration_period: Option<i64>,
}

/// Where orders come from.
#[derive(Clone, Debug)]
pub struct Source {
    /// Key.
    pub id: i64,
    /// Title.
    pub name: String,
    /// Transliterated title.
    pub alias: String,
    /// Kind of the source, such as `opencart`.
    pub driver: String,
    /// The shop's own id.
    pub source_uuid: Option<String>,
    /// The shop's own name.
    pub source_name: Option<String>,
    /// Currency of its orders.
    pub currency_code: String,
}

/// A way to pay.
#[derive(Clone, Debug)]
pub struct PaymentMethod {
    /// Key.
    pub id: i64,
    /// Title.
    pub name: Option<String>,
    /// Transliterated title.
    pub alias: Option<String>,
    /// Whether it may be chosen.
    pub is_active: bool,
}

/// A kind of expense.
#[derive(Clone, Debug)]
pub struct ExpenseType {
    /// Key.
    pub id: i64,
    /// Title.
    pub name: Option<String>,
    /// Transliterated title.
    pub alias: Option<String>,
    /// Whether it may be chosen.
    pub is_active: bool,
    /// Whether KeyCRM keeps it from being changed.
    pub is_reserved: bool,
    /// Whether it belongs to orders.
    pub by_order: bool,
}

/// A carrier.
#[derive(Clone, Debug)]
pub struct DeliveryService {
    /// Key.
    pub id: i64,
    /// Title.
    pub name: String,
    /// Kind of the carrier, such as `novaposhta`.
    pub source_name: String,
    /// The account's own short name.
    pub alias: String,
}

/// A mark on orders.
#[derive(Clone, Debug)]
pub struct Tag {
    /// Key.
    pub id: i64,
    /// Title.
    pub name: String,
    /// Transliterated title.
    pub alias: String,
    /// `#RRGGBB`.
    pub color: String,
}

/// A status of an order's line.
#[derive(Clone, Debug)]
pub struct ProductStatus {
    /// Key.
    pub id: i64,
    /// Title.
    pub name: String,
    /// Transliterated title.
    pub alias: String,
    /// Place in the list.
    pub position: i64,
    /// Whether it may be chosen.
    pub is_active: bool,
    /// Whether KeyCRM keeps it from being changed.
    pub is_reserved: bool,
}

/// Somebody who works in the account.
#[derive(Clone, Debug)]
pub struct User {
    /// Key.
    pub id: i64,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: Option<String>,
    /// Login name.
    pub username: String,
    /// Address.
    pub email: String,
    /// Phone.
    pub phone: Option<String>,
    /// Role.
    pub role_id: i64,
    /// `active`, `pending` or `blocked`.
    pub status: String,
    /// Last sign-in.
    pub last_logged_at: Option<Timestamp>,
}

impl User {
    /// Given and family name.
    pub fn full_name(&self) -> String {
        match &self.last_name {
            Some(last) => format!("{} {last}", self.first_name),
            None => self.first_name.clone(),
        }
    }
}

/// A warehouse. The API lists them only inside lines and stock rows.
#[derive(Clone, Debug)]
pub struct Warehouse {
    /// Key.
    pub id: i64,
    /// Title.
    pub name: String,
    /// Note.
    pub description: String,
    /// Whether it is in use.
    pub is_active: bool,
}

/// A node of the catalogue's tree.
#[derive(Clone, Debug)]
pub struct Category {
    /// Key.
    pub id: i64,
    /// Title.
    pub name: String,
    /// The node above it.
    pub parent_id: Option<i64>,
}

/// A product card. Its SKU, price and stock are those of its [`Offer`]s: a card without variants
/// has exactly one.
#[derive(Clone, Debug)]
pub struct Product {
    /// Key.
    pub id: i64,
    /// Title.
    pub name: String,
    /// Description.
    pub description: Option<String>,
    /// Address of the picture.
    pub thumbnail_url: Option<String>,
    /// Unit; none is the piece.
    pub unit_type: Option<String>,
    /// Currency of its prices.
    pub currency_code: String,
    /// Whether it has variants.
    pub has_offers: bool,
    /// Whether it is out of the catalogue.
    pub is_archived: bool,
    /// Category.
    pub category_id: Option<i64>,
    /// Its offers.
    pub offer_ids: Vec<i64>,
    /// Values of custom fields.
    pub custom_values: Vec<CustomValue>,
    /// When it was entered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A thing that can be sold: a variant, or the product itself where it has none.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Key.
    pub id: i64,
    /// Product card.
    pub product_id: i64,
    /// Article; may be absent, empty or not unique.
    pub sku: Option<String>,
    /// Barcode.
    pub barcode: Option<String>,
    /// Price.
    pub price: Decimal,
    /// Cost.
    pub purchased_price: Decimal,
    /// In stock.
    pub quantity: Decimal,
    /// Of that, in reserve.
    pub in_reserve: Decimal,
    /// Weight.
    pub weight: Option<Decimal>,
    /// Length, width and height.
    pub size: Option<[Decimal; 3]>,
    /// What makes the variant.
    pub properties: Vec<Property>,
    /// Whether it stands for a product without variants.
    pub is_default: bool,
    /// Whether it is out of the catalogue.
    pub is_archived: bool,
    /// When it was entered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A named attribute of a variant or a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Name, such as a colour.
    pub name: String,
    /// Value.
    pub value: String,
}

/// A field that the account's owner added to a kind of record.
#[derive(Clone, Debug)]
pub struct CustomField {
    /// Key.
    pub id: i64,
    /// Public key, such as `OR_1008`.
    pub uuid: String,
    /// Title.
    pub name: String,
    /// `order`, `lead`, `client` or `crm_product`.
    pub model: String,
    /// Kind of value, such as `text` or `select`.
    pub kind: String,
    /// Whether it must be filled.
    pub required: bool,
    /// Place in the list.
    pub position: i64,
    /// Choices of a `select`.
    pub options: Vec<String>,
}

/// A filled custom field of a record.
#[derive(Clone, Debug)]
pub struct CustomValue {
    /// Which field.
    pub field_id: i64,
    /// One value, or the chosen ones of a `select`.
    pub values: Vec<String>,
}

/// A customer.
#[derive(Clone, Debug)]
pub struct Buyer {
    /// Key.
    pub id: i64,
    /// Name as entered.
    pub full_name: String,
    /// Phones as entered; an order shows the first.
    pub phones: Vec<String>,
    /// Addresses as entered; an order shows the first.
    pub emails: Vec<String>,
    /// `YYYY-MM-DD`.
    pub birthday: Option<String>,
    /// Note.
    pub note: Option<String>,
    /// Company.
    pub company_id: Option<i64>,
    /// Manager of the buyer.
    pub manager_id: Option<i64>,
    /// Where to deliver.
    pub addresses: Vec<Address>,
    /// Share of the loyalty programme in percent, when a member.
    pub loyalty_percent: Option<u8>,
    /// Values of custom fields.
    pub custom_values: Vec<CustomValue>,
    /// When entered.
    pub created_at: Timestamp,
    /// When last changed.
    pub updated_at: Timestamp,
}

/// A delivery address on a buyer's card.
#[derive(Clone, Debug)]
pub struct Address {
    /// Street and house.
    pub address: Option<String>,
    /// City.
    pub city: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Postal code.
    pub zip_code: Option<String>,
}

/// A company a buyer belongs to.
#[derive(Clone, Debug)]
pub struct Company {
    /// Key.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Full name.
    pub title: Option<String>,
    /// Note.
    pub notes: Option<String>,
    /// IBAN.
    pub bank_account: Option<String>,
    /// Manager.
    pub manager_id: Option<i64>,
    /// When entered.
    pub created_at: Timestamp,
    /// When last changed.
    pub updated_at: Timestamp,
}

/// An order.
#[derive(Clone, Debug)]
pub struct Order {
    /// Key.
    pub id: i64,
    /// The order it was copied or split from.
    pub parent_id: Option<i64>,
    /// Where it came from.
    pub source_id: i64,
    /// Its number there.
    pub source_uuid: Option<String>,
    /// Its technical id there.
    pub global_source_uuid: Option<String>,
    /// Its status there.
    pub status_on_source: Option<String>,
    /// Status.
    pub status_id: i64,
    /// Since when.
    pub status_changed_at: Timestamp,
    /// Customer.
    pub buyer_id: Option<i64>,
    /// Responsible.
    pub manager_id: Option<i64>,
    /// Further people.
    pub assigned: Vec<i64>,
    /// Discount on the order, percent.
    pub discount_percent: Option<Decimal>,
    /// Discount on the order, money.
    pub discount_amount: Option<Decimal>,
    /// Charged for delivery.
    pub shipping_price: Option<Decimal>,
    /// Charged for gift wrap.
    pub wrap_price: Option<Decimal>,
    /// Charged as taxes.
    pub taxes: Option<Decimal>,
    /// Promotional code.
    pub promocode: Option<String>,
    /// The manager's words.
    pub manager_comment: Option<String>,
    /// The buyer's words.
    pub buyer_comment: Option<String>,
    /// Words on the gift.
    pub gift_message: Option<String>,
    /// Whether it is a gift.
    pub is_gift: bool,
    /// When placed at the source. Periods are chosen by it.
    pub ordered_at: Timestamp,
    /// When entered into KeyCRM.
    pub created_at: Timestamp,
    /// When last changed.
    pub updated_at: Timestamp,
    /// When closed.
    pub closed_at: Option<Timestamp>,
    /// When deleted, where deleted orders stay visible.
    pub deleted_at: Option<Timestamp>,
    /// Lines.
    pub lines: Vec<Line>,
    /// Payments and expenses.
    pub payments: Vec<Payment>,
    /// Delivery.
    pub shipping: Option<Shipping>,
    /// Tags.
    pub tag_ids: Vec<i64>,
    /// Campaign the buyer came by.
    pub marketing: Option<Marketing>,
    /// Values of custom fields.
    pub custom_values: Vec<CustomValue>,
    /// Top-level keys whose JSON text is replaced on the wire.
    pub spoiled: BTreeMap<String, String>,
}

/// A line of an order.
#[derive(Clone, Debug)]
pub struct Line {
    /// Key.
    pub id: i64,
    /// What of the catalogue it is; none for a one-off line.
    pub offer_id: Option<i64>,
    /// Article as it was when ordered.
    pub sku: Option<String>,
    /// Name as it was when ordered.
    pub name: String,
    /// Unit price before discounts.
    pub price: Decimal,
    /// Unit cost.
    pub purchased_price: Decimal,
    /// Quantity.
    pub quantity: Decimal,
    /// Unit; none is the piece.
    pub unit_type: Option<String>,
    /// Manual discount, percent.
    pub discount_percent: Option<Decimal>,
    /// Manual discount, money.
    pub discount_amount: Option<Decimal>,
    /// The buyer's personal discount, money.
    pub individual_discount: Decimal,
    /// The loyalty programme's discount, money.
    pub loyalty_discount: Decimal,
    /// What makes the variant, and what the source added.
    pub properties: Vec<Property>,
    /// Status of the line.
    pub product_status_id: Option<i64>,
    /// The warehouse that ships it; none when it is made to order.
    pub warehouse_id: Option<i64>,
    /// Sold on top.
    pub upsale: bool,
    /// Words on the line.
    pub comment: Option<String>,
}

/// Money that moved, or should, for an order.
#[derive(Clone, Debug)]
pub struct Payment {
    /// Key.
    pub id: i64,
    /// What it is for.
    pub purpose: Purpose,
    /// How much.
    pub amount: Decimal,
    /// State; the API shows null for none.
    pub status: Option<PaymentState>,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// Words on it.
    pub description: Option<String>,
    /// The bank's id.
    pub transaction_uuid: Option<String>,
    /// When entered.
    pub created_at: Timestamp,
}

/// Which way money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// From the buyer.
    Receipt {
        /// How it was paid.
        method_id: i64,
    },
    /// To somebody else.
    Expense {
        /// What for.
        type_id: i64,
    },
}

/// State of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentState {
    /// The money came.
    Paid,
    /// The money is awaited.
    NotPaid,
    /// It will not come.
    Canceled,
}

impl PaymentState {
    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::NotPaid => "not_paid",
            Self::Canceled => "canceled",
        }
    }
}

/// Delivery of an order.
#[derive(Clone, Debug, Default)]
pub struct Shipping {
    /// Carrier.
    pub delivery_service_id: Option<i64>,
    /// Parcel number.
    pub tracking_code: Option<String>,
    /// Where the parcel is.
    pub shipping_status: Option<String>,
    /// Country.
    pub country: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// City.
    pub city: Option<String>,
    /// Postal code.
    pub zip: Option<String>,
    /// Street and house.
    pub secondary_line: Option<String>,
    /// Branch or parcel locker.
    pub receive_point: Option<String>,
    /// Who receives, when it is not the buyer.
    pub recipient_full_name: Option<String>,
    /// The recipient's phone.
    pub recipient_phone: Option<String>,
    /// When shipped.
    pub shipped_at: Option<Timestamp>,
    /// Whether it goes to a branch.
    pub is_warehouse: bool,
}

/// Campaign marks of the visit in which the order was placed.
#[derive(Clone, Debug)]
pub struct Marketing {
    /// `utm_source`.
    pub source: Option<String>,
    /// `utm_medium`.
    pub medium: Option<String>,
    /// `utm_campaign`.
    pub campaign: Option<String>,
}

/// What KeyCRM computes of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// The lines after their discounts.
    pub products_total: Decimal,
    /// The order's own discount.
    pub total_discount: Decimal,
    /// To pay.
    pub grand_total: Decimal,
    /// Received so far.
    pub payments_total: Decimal,
    /// Spent so far.
    pub expenses_sum: Decimal,
    /// What remains after cost and expenses.
    pub margin_sum: Decimal,
    /// How far it is paid.
    pub payment_status: PaymentStatus,
}

/// How far an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentStatus {
    /// Nothing came.
    NotPaid,
    /// Less than asked came.
    PartPaid,
    /// As much as asked came.
    Paid,
    /// More than asked came.
    Overpaid,
}

impl PaymentStatus {
    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotPaid => "not_paid",
            Self::PartPaid => "part_paid",
            Self::Paid => "paid",
            Self::Overpaid => "overpaid",
        }
    }
}

/// Rounds money as PHP does: to cents, halves away from zero.
pub(super) fn cents(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

impl Line {
    /// All discounts of one unit. They are added, each from the full price.
    pub fn discount_per_unit(&self, unit: LineDiscount) -> Decimal {
        let percent = self.price * self.discount_percent.unwrap_or_default() / Decimal::ONE_HUNDRED;
        let entered = self.discount_amount.unwrap_or_default()
            + self.individual_discount
            + self.loyalty_discount;
        let entered = match unit {
            LineDiscount::PerUnit => entered,
            LineDiscount::PerRow if self.quantity.is_zero() => Decimal::ZERO,
            LineDiscount::PerRow => entered / self.quantity,
        };
        percent + entered
    }

    /// `total_discount` of the line as the API shows it.
    pub fn total_discount(&self, unit: LineDiscount) -> Decimal {
        let per_unit = self.discount_per_unit(unit);
        cents(match unit {
            LineDiscount::PerUnit => per_unit,
            LineDiscount::PerRow => per_unit * self.quantity,
        })
    }

    /// Unit price after the line's discounts.
    pub fn price_sold(&self, unit: LineDiscount) -> Decimal {
        cents(self.price - self.discount_per_unit(unit)).max(Decimal::ZERO)
    }
}

impl Order {
    /// What KeyCRM computes of the order.
    pub fn totals(&self, behaviour: &Behaviour) -> Totals {
        let products_total = cents(
            self.lines
                .iter()
                .map(|line| line.price_sold(behaviour.line_discount) * line.quantity)
                .sum(),
        );
        let percent = self.discount_percent.unwrap_or_default() / Decimal::ONE_HUNDRED;
        let total_discount =
            cents(self.discount_amount.unwrap_or_default() + products_total * percent);
        let wrap = self
            .wrap_price
            .filter(|_| behaviour.wrap_in_total)
            .unwrap_or_default();
        let taxes = self
            .taxes
            .filter(|_| behaviour.taxes_in_total)
            .unwrap_or_default();
        let shipping = self.shipping_price.unwrap_or_default();
        let grand_total = cents(products_total - total_discount + shipping + wrap + taxes);
        let payments_total = self.paid(|purpose| matches!(purpose, Purpose::Receipt { .. }));
        let expenses_sum = self.paid(|purpose| matches!(purpose, Purpose::Expense { .. }));
        let cost: Decimal = self
            .lines
            .iter()
            .map(|line| line.purchased_price * line.quantity)
            .sum();
        Totals {
            products_total,
            total_discount,
            grand_total,
            payments_total,
            expenses_sum,
            margin_sum: cents(products_total - total_discount - cost - expenses_sum),
            payment_status: match payments_total {
                paid if paid <= Decimal::ZERO => PaymentStatus::NotPaid,
                paid if paid < grand_total => PaymentStatus::PartPaid,
                paid if paid == grand_total => PaymentStatus::Paid,
                _ => PaymentStatus::Overpaid,
            },
        }
    }

    fn paid(&self, counts: impl Fn(Purpose) -> bool) -> Decimal {
        self.payments
            .iter()
            .filter(|payment| payment.status == Some(PaymentState::Paid) && counts(payment.purpose))
            .map(|payment| payment.amount)
            .sum()
    }
}
