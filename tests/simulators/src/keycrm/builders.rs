//! Records for hand-made accounts: say what matters to a scenario, leave the rest out.
//!
//! ```
//! use tenon_simulators::keycrm::{Account, NewLine, NewOrder};
//!
//! let mut account = Account::empty();
//! let order = account.add_order(
//!     NewOrder::new()
//!         .line(NewLine::named("Футболка").price("600").quantity("2"))
//!         .discount_percent("10")
//!         .shipping_price("50"),
//! );
//! let totals = account.totals(order).expect("just added");
//! assert_eq!(totals.grand_total.to_string(), "1130.00");
//! ```
//!
//! Amounts are given as text, because text is exact. Text that is not a number is a mistake in the
//! scenario and panics.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::account::{Account, next_key};
use super::records::{
    Buyer, CustomValue, Line, Offer, Order, Payment, PaymentState, Product, Property, Purpose,
    Shipping,
};

fn amount(text: &str) -> Decimal {
    text.parse()
        .unwrap_or_else(|_| panic!("`{text}` is not an amount"))
}

fn moment(text: &str) -> Timestamp {
    text.parse()
        .unwrap_or_else(|_| panic!("`{text}` is not a moment such as 2026-03-01T10:00:00Z"))
}

fn properties(pairs: &[(&str, &str)]) -> Vec<Property> {
    pairs
        .iter()
        .map(|(name, value)| Property {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        })
        .collect()
}

/// An order to enter. Without further words it has status 1, source 1, no buyer and no lines, and
/// is placed at the account's present.
#[derive(Clone, Debug, Default)]
pub struct NewOrder {
    id: Option<i64>,
    source: Option<i64>,
    source_uuid: Option<String>,
    status: Option<i64>,
    buyer: Option<i64>,
    manager: Option<i64>,
    lines: Vec<NewLine>,
    payments: Vec<(Purpose, PaymentState, Decimal)>,
    discount_percent: Option<Decimal>,
    discount_amount: Option<Decimal>,
    shipping_price: Option<Decimal>,
    wrap_price: Option<Decimal>,
    taxes: Option<Decimal>,
    shipping: Option<Shipping>,
    manager_comment: Option<String>,
    buyer_comment: Option<String>,
    tags: Vec<i64>,
    custom_values: Vec<CustomValue>,
    ordered_at: Option<Timestamp>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
}

impl NewOrder {
    /// An order with nothing said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Its key, instead of the next free one.
    pub fn id(mut self, id: i64) -> Self {
        self.id = Some(id);
        self
    }

    /// Its source.
    pub fn source(mut self, source: i64) -> Self {
        self.source = Some(source);
        self
    }

    /// Its number at the source.
    pub fn source_uuid(mut self, number: &str) -> Self {
        self.source_uuid = Some(number.to_owned());
        self
    }

    /// Its status.
    pub fn status(mut self, status: i64) -> Self {
        self.status = Some(status);
        self
    }

    /// Its buyer.
    pub fn buyer(mut self, buyer: i64) -> Self {
        self.buyer = Some(buyer);
        self
    }

    /// Its manager.
    pub fn manager(mut self, manager: i64) -> Self {
        self.manager = Some(manager);
        self
    }

    /// One more line.
    pub fn line(mut self, line: NewLine) -> Self {
        self.lines.push(line);
        self
    }

    /// One more payment that came, by the way to pay 1.
    pub fn paid(self, sum: &str) -> Self {
        self.payment(Purpose::Receipt { method_id: 1 }, PaymentState::Paid, sum)
    }

    /// One more payment or expense.
    pub fn payment(mut self, purpose: Purpose, state: PaymentState, sum: &str) -> Self {
        self.payments.push((purpose, state, amount(sum)));
        self
    }

    /// Discount on the order in percent.
    pub fn discount_percent(mut self, percent: &str) -> Self {
        self.discount_percent = Some(amount(percent));
        self
    }

    /// Discount on the order in money.
    pub fn discount_amount(mut self, sum: &str) -> Self {
        self.discount_amount = Some(amount(sum));
        self
    }

    /// Charge for delivery.
    pub fn shipping_price(mut self, sum: &str) -> Self {
        self.shipping_price = Some(amount(sum));
        self
    }

    /// Charge for gift wrap.
    pub fn wrap_price(mut self, sum: &str) -> Self {
        self.wrap_price = Some(amount(sum));
        self
    }

    /// Taxes.
    pub fn taxes(mut self, sum: &str) -> Self {
        self.taxes = Some(amount(sum));
        self
    }

    /// Delivery.
    pub fn shipping(mut self, shipping: Shipping) -> Self {
        self.shipping = Some(shipping);
        self
    }

    /// The manager's words.
    pub fn manager_comment(mut self, words: &str) -> Self {
        self.manager_comment = Some(words.to_owned());
        self
    }

    /// The buyer's words.
    pub fn buyer_comment(mut self, words: &str) -> Self {
        self.buyer_comment = Some(words.to_owned());
        self
    }

    /// One more tag.
    pub fn tag(mut self, tag: i64) -> Self {
        self.tags.push(tag);
        self
    }

    /// A filled custom field.
    pub fn custom_value(mut self, field_id: i64, values: &[&str]) -> Self {
        self.custom_values.push(CustomValue {
            field_id,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        });
        self
    }

    /// When it was placed, as RFC 3339. It counts as entered and changed then, too, unless said
    /// otherwise.
    pub fn ordered_at(mut self, at: &str) -> Self {
        self.ordered_at = Some(moment(at));
        self
    }

    /// When it was entered, as RFC 3339.
    pub fn created_at(mut self, at: &str) -> Self {
        self.created_at = Some(moment(at));
        self
    }

    /// When it was last changed, as RFC 3339.
    pub fn updated_at(mut self, at: &str) -> Self {
        self.updated_at = Some(moment(at));
        self
    }

    pub(super) fn enter(self, account: &mut Account) -> Order {
        let ordered_at = self.ordered_at.unwrap_or_else(|| account.next_moment());
        let created_at = self.created_at.unwrap_or(ordered_at);
        let updated_at = self.updated_at.unwrap_or(created_at);
        let status_id = self.status.unwrap_or(1);
        let closes = account
            .statuses
            .get(&status_id)
            .is_some_and(|status| status.is_closing_order);
        Order {
            id: self.id.unwrap_or_else(|| next_key(&account.orders)),
            parent_id: None,
            source_id: self.source.unwrap_or(1),
            source_uuid: self.source_uuid,
            global_source_uuid: None,
            status_on_source: None,
            status_id,
            status_changed_at: updated_at,
            buyer_id: self.buyer,
            manager_id: self.manager,
            assigned: Vec::new(),
            discount_percent: self.discount_percent,
            discount_amount: self.discount_amount,
            shipping_price: self.shipping_price,
            wrap_price: self.wrap_price,
            taxes: self.taxes,
            promocode: None,
            manager_comment: self.manager_comment,
            buyer_comment: self.buyer_comment,
            gift_message: None,
            is_gift: false,
            ordered_at,
            created_at,
            updated_at,
            closed_at: closes.then_some(updated_at),
            deleted_at: None,
            lines: self
                .lines
                .into_iter()
                .map(|line| line.enter(account))
                .collect(),
            payments: self
                .payments
                .into_iter()
                .map(|(purpose, state, amount)| Payment {
                    id: account.allot_payment_id(),
                    purpose,
                    amount,
                    status: Some(state),
                    paid_at: (state == PaymentState::Paid).then_some(updated_at),
                    description: None,
                    transaction_uuid: None,
                    created_at: updated_at,
                })
                .collect(),
            shipping: self.shipping,
            tag_ids: self.tags,
            marketing: None,
            custom_values: self.custom_values,
            spoiled: BTreeMap::new(),
        }
    }
}

/// A line to enter. Without further words it is one piece, undiscounted, from warehouse 1.
#[derive(Clone, Debug)]
pub struct NewLine {
    what: What,
    sku: Option<String>,
    price: Option<Decimal>,
    quantity: Decimal,
    unit_type: Option<String>,
    discount_percent: Option<Decimal>,
    discount_amount: Option<Decimal>,
    individual_discount: Decimal,
    loyalty_discount: Decimal,
    properties: Option<Vec<Property>>,
    comment: Option<String>,
}

#[derive(Clone, Debug)]
enum What {
    Offer(i64),
    OneOff(String),
}

impl NewLine {
    fn new(what: What) -> Self {
        Self {
            what,
            sku: None,
            price: None,
            quantity: Decimal::ONE,
            unit_type: None,
            discount_percent: None,
            discount_amount: None,
            individual_discount: Decimal::ZERO,
            loyalty_discount: Decimal::ZERO,
            properties: None,
            comment: None,
        }
    }

    /// A line of the catalogue: name, SKU, price and attributes are the offer's unless said
    /// otherwise.
    pub fn of(offer: i64) -> Self {
        Self::new(What::Offer(offer))
    }

    /// A one-off line that the catalogue does not know.
    pub fn named(name: &str) -> Self {
        Self::new(What::OneOff(name.to_owned()))
    }

    /// Its SKU.
    pub fn sku(mut self, sku: &str) -> Self {
        self.sku = Some(sku.to_owned());
        self
    }

    /// Its price before discounts.
    pub fn price(mut self, price: &str) -> Self {
        self.price = Some(amount(price));
        self
    }

    /// Its quantity.
    pub fn quantity(mut self, quantity: &str) -> Self {
        self.quantity = amount(quantity);
        self
    }

    /// Its unit.
    pub fn unit_type(mut self, unit: &str) -> Self {
        self.unit_type = Some(unit.to_owned());
        self
    }

    /// Manual discount in percent.
    pub fn discount_percent(mut self, percent: &str) -> Self {
        self.discount_percent = Some(amount(percent));
        self
    }

    /// Manual discount in money.
    pub fn discount_amount(mut self, sum: &str) -> Self {
        self.discount_amount = Some(amount(sum));
        self
    }

    /// The buyer's personal discount in money.
    pub fn individual_discount(mut self, sum: &str) -> Self {
        self.individual_discount = amount(sum);
        self
    }

    /// The loyalty programme's discount in money.
    pub fn loyalty_discount(mut self, sum: &str) -> Self {
        self.loyalty_discount = amount(sum);
        self
    }

    /// Its attributes.
    pub fn properties(mut self, pairs: &[(&str, &str)]) -> Self {
        self.properties = Some(properties(pairs));
        self
    }

    /// Words on it.
    pub fn comment(mut self, words: &str) -> Self {
        self.comment = Some(words.to_owned());
        self
    }

    fn enter(self, account: &mut Account) -> Line {
        let id = account.allot_line_id();
        let (offer, name, unit_type) = match self.what {
            What::OneOff(name) => (None, name, None),
            What::Offer(offer) => {
                let offer = account
                    .offers
                    .get(&offer)
                    .unwrap_or_else(|| panic!("the account has no offer {offer}"));
                let product = account.products.get(&offer.product_id);
                let name = product.map(|product| product.name.clone());
                let unit = product.and_then(|product| product.unit_type.clone());
                (Some(offer), name.unwrap_or_default(), unit)
            }
        };
        Line {
            id,
            offer_id: offer.map(|offer| offer.id),
            sku: self
                .sku
                .or_else(|| offer.and_then(|offer| offer.sku.clone())),
            name,
            price: self
                .price
                .or(offer.map(|offer| offer.price))
                .unwrap_or_default(),
            purchased_price: offer.map(|offer| offer.purchased_price).unwrap_or_default(),
            quantity: self.quantity,
            unit_type: self.unit_type.or(unit_type),
            discount_percent: self.discount_percent,
            discount_amount: self.discount_amount,
            individual_discount: self.individual_discount,
            loyalty_discount: self.loyalty_discount,
            properties: self
                .properties
                .or(offer.map(|offer| offer.properties.clone()))
                .unwrap_or_default(),
            product_status_id: None,
            warehouse_id: Some(1),
            upsale: false,
            comment: self.comment,
        }
    }
}

/// A product to enter. Without variants it gets one default offer.
#[derive(Clone, Debug)]
pub struct NewProduct {
    name: String,
    sku: Option<String>,
    barcode: Option<String>,
    price: Decimal,
    purchased_price: Decimal,
    unit_type: Option<String>,
    category: Option<i64>,
    variants: NewVariants,
}

/// SKU, price and attributes of each variant.
pub(super) type NewVariants = Vec<(Option<String>, Decimal, Vec<Property>)>;

impl NewProduct {
    /// A product of this name, without SKU and price.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            sku: None,
            barcode: None,
            price: Decimal::ZERO,
            purchased_price: Decimal::ZERO,
            unit_type: None,
            category: None,
            variants: Vec::new(),
        }
    }

    /// SKU of a product without variants.
    pub fn sku(mut self, sku: &str) -> Self {
        self.sku = Some(sku.to_owned());
        self
    }

    /// Barcode of a product without variants.
    pub fn barcode(mut self, barcode: &str) -> Self {
        self.barcode = Some(barcode.to_owned());
        self
    }

    /// Price of a product without variants.
    pub fn price(mut self, price: &str) -> Self {
        self.price = amount(price);
        self
    }

    /// Cost, of the variants as well.
    pub fn purchased_price(mut self, price: &str) -> Self {
        self.purchased_price = amount(price);
        self
    }

    /// Unit.
    pub fn unit_type(mut self, unit: &str) -> Self {
        self.unit_type = Some(unit.to_owned());
        self
    }

    /// Category.
    pub fn category(mut self, category: i64) -> Self {
        self.category = Some(category);
        self
    }

    /// One more variant, with or without its own SKU.
    pub fn variant(mut self, sku: Option<&str>, price: &str, pairs: &[(&str, &str)]) -> Self {
        let sku = sku.map(str::to_owned);
        self.variants.push((sku, amount(price), properties(pairs)));
        self
    }

    pub(super) fn variants(mut self, variants: NewVariants) -> Self {
        self.variants = variants;
        self
    }

    pub(super) fn priced(mut self, price: Decimal, purchased_price: Decimal) -> Self {
        self.price = price;
        self.purchased_price = purchased_price;
        self
    }

    pub(super) fn enter(self, account: &mut Account) -> i64 {
        let id = next_key(&account.products);
        let now = account.next_moment();
        let has_offers = !self.variants.is_empty();
        let variants = if has_offers {
            self.variants
        } else {
            vec![(self.sku, self.price, Vec::new())]
        };
        let mut offer_ids = Vec::with_capacity(variants.len());
        for (sku, price, properties) in variants {
            let offer_id = next_key(&account.offers);
            offer_ids.push(offer_id);
            account.offers.insert(
                offer_id,
                Offer {
                    id: offer_id,
                    product_id: id,
                    sku,
                    barcode: self.barcode.clone(),
                    price,
                    purchased_price: self.purchased_price,
                    quantity: Decimal::TEN,
                    in_reserve: Decimal::ZERO,
                    weight: None,
                    size: None,
                    properties,
                    is_default: !has_offers,
                    is_archived: false,
                    created_at: now,
                    updated_at: now,
                },
            );
        }
        account.products.insert(
            id,
            Product {
                id,
                name: self.name,
                description: None,
                thumbnail_url: None,
                unit_type: self.unit_type,
                currency_code: "UAH".to_owned(),
                has_offers,
                is_archived: false,
                category_id: self.category,
                offer_ids,
                custom_values: Vec::new(),
                created_at: now,
                updated_at: now,
            },
        );
        id
    }
}

/// A buyer to enter.
#[derive(Clone, Debug)]
pub struct NewBuyer {
    name: String,
    phones: Vec<String>,
    emails: Vec<String>,
    company: Option<i64>,
}

impl NewBuyer {
    /// A buyer of this name.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            phones: Vec::new(),
            emails: Vec::new(),
            company: None,
        }
    }

    /// One more phone.
    pub fn phone(mut self, phone: &str) -> Self {
        self.phones.push(phone.to_owned());
        self
    }

    /// One more address.
    pub fn email(mut self, email: &str) -> Self {
        self.emails.push(email.to_owned());
        self
    }

    /// The company.
    pub fn company(mut self, company: i64) -> Self {
        self.company = Some(company);
        self
    }

    pub(super) fn enter(self, account: &mut Account) -> Buyer {
        let now = account.next_moment();
        Buyer {
            id: next_key(&account.buyers),
            full_name: self.name,
            phones: self.phones,
            emails: self.emails,
            birthday: None,
            note: None,
            company_id: self.company,
            manager_id: None,
            addresses: Vec::new(),
            loyalty_percent: None,
            custom_values: Vec::new(),
            created_at: now,
            updated_at: now,
        }
    }
}
