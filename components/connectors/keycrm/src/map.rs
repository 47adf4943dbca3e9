//! Every rule about one record: KeyCRM's → the ERP's. Pure functions, no I/O.

use rust_decimal::Decimal;
use tenon_sdk::decimal::round_money;
use tenon_sdk::lenient::Text;
use tenon_sdk::model::{
    self, Attribute, Charge, Delivery, Instant, Key, OrderFields, OrderLine, Payment, ProductKind,
    ProductVariant, Reason,
};
use tenon_sdk::{reason, time};

use crate::api;
use crate::catalogue::{Listed, ListedOffer};
use crate::settings::Chosen;

/// Raised when orders come out otherwise than before, so that all of them are written again.
pub const MAPPING_VERSION: u8 = 1;

/// Group of the statuses that mean an order was cancelled.
pub const CANCELLED: i64 = 6;

/// What KeyCRM means by no unit.
const PIECE: &str = "шт";

/// Begins the line of a comment that this connector keeps.
const SOURCE_NUMBER: &str = "KeyCRM №: ";

const BUYER_COMMENT: &str = "buyer_comment";
const MANAGER_COMMENT: &str = "manager_comment";
const PROMOCODE: &str = "promocode";

/// Origins: what a KeyCRM record is called everywhere outside of KeyCRM.
pub mod origin {
    use std::fmt::Display;

    const SYSTEM: &str = "keycrm";

    /// An order.
    pub fn order(id: i64) -> String {
        of("order", id)
    }

    /// A buyer.
    pub fn buyer(id: i64) -> String {
        of("buyer", id)
    }

    /// A product of the catalogue.
    pub fn product(id: i64) -> String {
        of("product", id)
    }

    /// An offer: a product without variants, or one variant.
    pub fn offer(id: i64) -> String {
        of("offer", id)
    }

    /// A payment.
    pub fn payment(id: i64) -> String {
        of("payment", id)
    }

    /// A record of any other kind.
    pub fn of(kind: &str, id: impl Display) -> String {
        tenon_sdk::origin::origin(SYSTEM, kind, id)
    }

    /// Whether it is a record of this account.
    pub fn is_ours(origin: &str) -> bool {
        origin.starts_with(&tenon_sdk::origin::owner(SYSTEM))
    }
}

/// What an order's line is in the ERP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pick {
    /// Product.
    pub product: Key,
    /// Its variant, of a good with variants.
    pub variant: Option<Key>,
}

/// What an order points at, found or made in the ERP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Places {
    /// Who buys.
    pub partner: Key,
    /// Stage of the order.
    pub stage: Option<Key>,
    /// Where it came from.
    pub source: Option<Key>,
    /// Carrier.
    pub service: Option<Key>,
    /// Who answers for it; none leaves that to people.
    pub manager: Option<Key>,
    /// Who is its author.
    pub author: Option<Key>,
    /// The author's organization.
    pub organization: Option<Key>,
    /// The author's warehouse.
    pub warehouse: Option<Key>,
    /// ISO 4217 code.
    pub currency: String,
    /// One for each line.
    pub picks: Vec<Pick>,
}

/// An order as it is to stand in the ERP.
#[derive(Clone, Debug, PartialEq)]
pub struct Booked {
    /// The order.
    pub order: model::Order,
    /// The fields that KeyCRM speaks for.
    pub owned: OrderFields,
    /// What people should know about it.
    pub remarks: Vec<Reason>,
}

/// Maps an order. `present` is what stands in the ERP for it: what people and warehouses have
/// entered there is kept. Names that KeyCRM does not give are in `language`.
///
/// # Errors
/// The reason why it cannot be taken.
pub fn order(
    read: &api::Order<'_>,
    places: &Places,
    booking: &Chosen,
    language: &str,
    present: Option<&model::Order>,
) -> Result<Booked, Reason> {
    let id = read.id.get().ok_or_else(|| reason!("order.no-id"))?;
    let mut remarks = Vec::new();

    let (lines, goods) = lines(read, places, present)?;
    let shipping = read.shipping_price.or_zero().max(Decimal::ZERO);
    let grand_total = (read.grand_total.get()).ok_or_else(|| reason!("order.no-total"))?;
    let fractional = lines
        .iter()
        .filter(|line| line.quantity.scale > 0 || line.price.scale > 2)
        .count();
    let sums = Sums {
        goods,
        shipping,
        taxes: read.taxes.or_zero(),
        wrap: read.wrap_price.or_zero(),
        discount: read.total_discount.get(),
        grand_total,
        // A fraction of the smallest coin may be lost on each fractional line.
        tolerance: Decimal::new(10 + 5 * i64::try_from(fractional).unwrap_or(0), 3),
    };
    let settled = settle(&sums).ok_or_else(|| reason!("order.digits"))?;
    if let Some(gap) = settled.gap {
        remarks.push(reason!(
            "order.sums-differ",
            number = id,
            rest = settled.residual.normalize(),
            discount = (settled.residual - gap).normalize()
        ));
    }
    let charges = settled
        .charges
        .into_iter()
        .map(|(extra, amount)| {
            Ok(Charge {
                origin: None,
                name: extra.name(language).to_owned(),
                amount: wire(amount)?,
            })
        })
        .collect::<Result<Vec<_>, Reason>>()?;

    let mut owned = OrderFields::NUMBER
        | OrderFields::CREATED_AT
        | OrderFields::STAGE
        | OrderFields::SOURCE
        | OrderFields::PARTNER
        | OrderFields::CURRENCY
        | OrderFields::LINES
        | OrderFields::DISCOUNT
        | OrderFields::CHARGES
        | OrderFields::DELIVERY
        | OrderFields::PAYMENTS
        | OrderFields::ATTRIBUTES;
    for (place, field) in [
        (&places.author, OrderFields::AUTHOR),
        (&places.manager, OrderFields::MANAGER),
        (&places.organization, OrderFields::ORGANIZATION),
        (&places.warehouse, OrderFields::WAREHOUSE),
    ] {
        if place.is_some() {
            owned |= field;
        }
    }
    // An order that is not known by its key may stand there all the same, with a comment that was
    // not read; a new one takes what is given in any case.
    if booking.write_source_number && present.is_some() {
        owned |= OrderFields::COMMENT;
    }
    let own_comment = present.and_then(|order| order.comment.as_deref());
    let order = model::Order {
        key: present.and_then(|order| order.key.clone()),
        origin: Some(origin::order(id)),
        number: Some(id.to_string()),
        created_at: moment("ordered_at", &read.ordered_at)?
            .or(moment("created_at", &read.created_at)?),
        stage: places.stage.clone(),
        source: places.source.clone(),
        partner: Some(places.partner.clone()),
        manager: places.manager.clone(),
        author: places.author.clone(),
        organization: places.organization.clone(),
        warehouse: places.warehouse.clone(),
        currency: places.currency.clone(),
        lines,
        discount: wire(settled.discount)?,
        charges,
        delivery: delivery(read, places, booking, shipping)?,
        payments: payments(read, places, booking, grand_total, present, &mut remarks)?,
        comment: if booking.write_source_number {
            comment(own_comment, read.source_uuid.get())
        } else {
            None
        },
        attributes: attributes(read, present),
        version: present.and_then(|order| order.version.clone()),
        ..model::Order::default()
    };
    Ok(Booked {
        order,
        owned,
        remarks,
    })
}

fn wire(exact: Decimal) -> Result<model::Decimal, Reason> {
    Ok(exact.try_into()?)
}

fn moment(field: &str, text: &Text<'_>) -> Result<Option<Instant>, Reason> {
    text.get()
        .map(|text| {
            time::parse(text).map_err(|_| reason!("order.no-date", field = field, text = text))
        })
        .transpose()
}

// ---- lines and money

/// The lines, and what they come to in all.
fn lines(
    read: &api::Order<'_>,
    places: &Places,
    present: Option<&model::Order>,
) -> Result<(Vec<OrderLine>, Decimal), Reason> {
    let mut goods = Decimal::ZERO;
    let mut lines = Vec::with_capacity(read.products.len());
    for (place, (line, pick)) in read.products.iter().zip(&places.picks).enumerate() {
        let id = match line.id.get() {
            Some(id) => id.to_string(),
            None => format!("#{}", place + 1),
        };
        let name = line_name(line).unwrap_or_default();
        let money = line_money(line).ok_or_else(|| reason!("order.line-digits", line = name))?;
        goods = goods
            .checked_add(money.total)
            .ok_or_else(|| reason!("order.digits"))?;
        // What the warehouse has entered on this line is not KeyCRM's to say.
        let own = present.and_then(|order| order.lines.iter().find(|own| own.id == id));
        let own = own.cloned().unwrap_or_default();
        // A size or a colour that is no variant of its own is told on the line.
        let told = if pick.variant.is_none() {
            characteristics(&line.properties)
        } else {
            Vec::new()
        };
        lines.push(OrderLine {
            product: Some(pick.product.clone()),
            product_variant: pick.variant.clone(),
            name: name.to_owned(),
            sku: line_sku(line).map(str::to_owned),
            unit: Some(line.unit_type.get().unwrap_or(PIECE).to_owned()),
            quantity: wire(money.quantity)?,
            price: wire(money.price)?,
            discount: wire(money.discount)?,
            attributes: beside(&own.attributes, told),
            id,
            ..own
        });
    }
    Ok((lines, goods))
}

/// What people call the item of a line.
pub fn line_name<'a>(line: &'a api::Line<'_>) -> Option<&'a str> {
    line.name.get().or(line_sku(line))
}

/// The SKU of a line's item: the catalogue's, else what the source has sent.
pub fn line_sku<'a>(line: &'a api::Line<'_>) -> Option<&'a str> {
    line.offer
        .get()
        .and_then(|offer| offer.sku.get())
        .or(line.sku.get())
}

struct LineMoney {
    quantity: Decimal,
    price: Decimal,
    discount: Decimal,
    total: Decimal,
}

/// The sold price decides: it holds all of a line's discounts, whichever way they are given. None
/// when a number is out of range.
fn line_money(line: &api::Line<'_>) -> Option<LineMoney> {
    let quantity = line.quantity.get().unwrap_or(Decimal::ONE);
    let listed = line.price.get();
    let sold = match (line.price_sold.get(), listed) {
        (Some(sold), _) => sold,
        (None, Some(price)) => price.checked_sub(line.total_discount.or_zero())?,
        (None, None) => Decimal::ZERO,
    };
    // A surcharge is a higher price, not a negative discount.
    let price = listed.unwrap_or(sold).max(sold);
    // A line comes to whole kopecks. With a fractional quantity the discount holds what rounding
    // takes or, by less than half a kopeck, gives.
    let total = round_money(sold.checked_mul(quantity)?);
    Some(LineMoney {
        quantity,
        price,
        discount: price.checked_mul(quantity)?.checked_sub(total)?,
        total,
    })
}

/// The amounts of an order.
struct Sums {
    goods: Decimal,
    shipping: Decimal,
    taxes: Decimal,
    wrap: Decimal,
    /// What KeyCRM gives as the discount of the order.
    discount: Option<Decimal>,
    grand_total: Decimal,
    /// How far amounts may be apart and still agree.
    tolerance: Decimal,
}

/// What is on top of goods and delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extra {
    Taxes,
    GiftWrap,
    Rounding,
    Surcharge,
}

impl Extra {
    /// What people call it.
    fn name(self, language: &str) -> &'static str {
        let [en, uk, ru] = match self {
            Extra::Taxes => ["Taxes", "Податки", "Налоги"],
            Extra::GiftWrap => ["Gift wrap", "Подарункова упаковка", "Подарочная упаковка"],
            Extra::Rounding => ["Rounding", "Округлення", "Округление"],
            Extra::Surcharge => ["Surcharge", "Доплата", "Доплата"],
        };
        match language {
            "uk" => uk,
            "ru" => ru,
            _ => en,
        }
    }
}

/// How an order's total comes about.
#[derive(Debug, PartialEq)]
struct Settled {
    discount: Decimal,
    charges: Vec<(Extra, Decimal)>,
    /// What remains of the parts once `grand_total` is taken off.
    residual: Decimal,
    /// How far that is from the discount that KeyCRM gives, where they do not agree.
    gap: Option<Decimal>,
}

/// Makes the order's parts come to exactly `grand_total`: whatever they are above it is the
/// order's discount. KeyCRM does not tell whether its total holds taxes and gift wrap, so the
/// first reading is taken under which the discount is the one it gives. None when a number is out
/// of range.
fn settle(sums: &Sums) -> Option<Settled> {
    let none = Decimal::ZERO;
    let readings = [
        (sums.taxes, sums.wrap),
        (none, sums.wrap),
        (sums.taxes, none),
        (none, none),
    ];
    let mut first = None;
    let mut agreeing = None;
    for (taxes, wrap) in readings {
        let residual = sums
            .goods
            .checked_add(sums.shipping)?
            .checked_add(taxes)?
            .checked_add(wrap)?
            .checked_sub(sums.grand_total)?;
        let gap = match sums.discount {
            Some(said) => residual.checked_sub(said)?,
            None => none,
        };
        let reading = (taxes, wrap, residual, gap);
        first = first.or(Some(reading));
        if gap.abs() <= sums.tolerance {
            agreeing = Some(reading);
            break;
        }
    }
    let (taxes, wrap, residual, gap) = agreeing.or(first)?;
    let mut charges = vec![(Extra::Taxes, taxes), (Extra::GiftWrap, wrap)];
    if residual < none {
        let name = if residual > -Decimal::ONE {
            Extra::Rounding
        } else {
            Extra::Surcharge
        };
        charges.push((name, -residual));
    }
    charges.retain(|(_, amount)| !amount.is_zero());
    Some(Settled {
        discount: residual.max(none),
        charges,
        residual,
        gap: agreeing.is_none().then_some(gap),
    })
}

// ---- delivery, payments, comments

fn delivery(
    read: &api::Order<'_>,
    places: &Places,
    booking: &Chosen,
    cost: Decimal,
) -> Result<Option<Delivery>, Reason> {
    let shipping = read.shipping.get();
    if shipping.is_none() && cost.is_zero() {
        return Ok(None);
    }
    let buyer = read.buyer.get();
    let own = |pick: fn(&api::Shipping<'_>) -> Option<String>| shipping.and_then(pick);
    Ok(Some(Delivery {
        origin: None,
        service: places.service.clone(),
        product: if cost.is_zero() {
            None
        } else {
            booking.delivery_product.clone()
        },
        cost: if cost.is_zero() {
            None
        } else {
            Some(wire(cost)?)
        },
        address: own(address),
        recipient: own(|shipping| shipping.recipient_full_name.owned())
            .or_else(|| buyer?.full_name.owned()),
        phone: own(|shipping| shipping.recipient_phone.owned())
            .or_else(|| buyer?.phone.iter().find_map(Text::owned)),
        tracking: own(|shipping| shipping.tracking_code.owned()),
    }))
}

/// The address on one line; put together where KeyCRM does not give it so.
fn address(shipping: &api::Shipping<'_>) -> Option<String> {
    if let Some(whole) = shipping.full_address.owned() {
        return Some(whole);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in [
        &shipping.shipping_address_country,
        &shipping.shipping_address_region,
        &shipping.shipping_address_city,
        &shipping.shipping_address_zip,
        &shipping.shipping_address,
        &shipping.shipping_secondary_line,
        &shipping.shipping_receive_point,
    ] {
        if let Some(part) = part.get()
            && !parts.contains(&part)
        {
            parts.push(part);
        }
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Money received or expected. Expenses and cancelled payments are no part of what a buyer pays.
fn payments(
    read: &api::Order<'_>,
    places: &Places,
    booking: &Chosen,
    grand_total: Decimal,
    present: Option<&model::Order>,
    remarks: &mut Vec<Reason>,
) -> Result<Vec<Payment>, Reason> {
    // People may say later where the money really went.
    let account = |origin: &Option<String>| {
        let own = present.and_then(|order| order.payments.iter().find(|own| own.origin == *origin));
        let own = own.and_then(|own| own.account.clone());
        own.or_else(|| booking.account.clone())
    };
    let mut rest = grand_total;
    let mut payments = Vec::new();
    for payment in read.payments.iter() {
        let status = payment.status.get().unwrap_or_default();
        if payment.is_expense.is_set() || matches!(status, "canceled" | "cancelled") {
            continue;
        }
        let id = (payment.id.get()).ok_or_else(|| reason!("payment.no-id"))?;
        let Some(amount) = payment_amount(payment, &places.currency) else {
            remarks.push(reason!("payment.no-amount", payment = id));
            continue;
        };
        if !amount.certain {
            remarks.push(reason!(
                "payment.other-currency",
                payment = id,
                currency = places.currency
            ));
        }
        let paid_at = if status == "paid" {
            moment("payment_date", &payment.payment_date)?
                .or(moment("created_at", &payment.created_at)?)
                .or(moment("ordered_at", &read.ordered_at)?)
        } else {
            None
        };
        rest = rest.checked_sub(amount.exact).unwrap_or_default();
        let origin = Some(origin::payment(id));
        payments.push(Payment {
            account: account(&origin),
            origin,
            amount: wire(amount.exact)?,
            paid_at,
            comment: payment.description.owned(),
        });
    }
    // Where the money is to go stands on the order before any has come.
    if booking.account.is_some() && rest > Decimal::ZERO && read.group() != Some(CANCELLED) {
        let origin = read.id.get().map(|id| origin::of("expected", id));
        payments.push(Payment {
            account: account(&origin),
            origin,
            amount: wire(rest)?,
            ..Payment::default()
        });
    }
    Ok(payments)
}

struct Amount {
    exact: Decimal,
    /// Whether it is in the order's currency.
    certain: bool,
}

fn payment_amount(payment: &api::Payment<'_>, currency: &str) -> Option<Amount> {
    let certain = |number: api::Money| {
        number.get().map(|exact| Amount {
            exact,
            certain: true,
        })
    };
    match (payment.source_currency.get(), payment.actual_currency.get()) {
        (None, _) => certain(payment.amount).or_else(|| certain(payment.actual_amount)),
        (Some(source), _) if source.eq_ignore_ascii_case(currency) => certain(payment.amount),
        (_, Some(actual)) if actual.eq_ignore_ascii_case(currency) => {
            certain(payment.actual_amount)
        }
        _ => payment.amount.get().map(|exact| Amount {
            exact,
            certain: false,
        }),
    }
}

/// The comment with one line that holds the source's number, beside the user's own text. Without
/// a number the text stays as it is.
fn comment(own: Option<&str>, number: Option<&str>) -> Option<String> {
    let own = own.unwrap_or_default();
    let Some(number) = number else {
        return (!own.is_empty()).then(|| own.to_owned());
    };
    let number: Vec<&str> = number.split_whitespace().collect();
    let mark = format!("{SOURCE_NUMBER}{}", number.join(" "));
    let is_mark = |line: &str| line.starts_with(SOURCE_NUMBER.trim_end());
    if own.lines().filter(|line| is_mark(line)).eq([mark.as_str()]) {
        return Some(own.to_owned());
    }
    let mut lines: Vec<&str> = Vec::new();
    let mut marked = false;
    for line in own.lines() {
        if !is_mark(line) {
            lines.push(line);
        } else if !marked {
            lines.push(&mark);
            marked = true;
        }
    }
    if !marked {
        lines.push(&mark);
    }
    Some(lines.join("\n"))
}

/// Notes and the promo code; attributes of others stay.
fn attributes(read: &api::Order<'_>, present: Option<&model::Order>) -> Vec<Attribute> {
    let ours = [
        (BUYER_COMMENT, &read.buyer_comment),
        (MANAGER_COMMENT, &read.manager_comment),
        (PROMOCODE, &read.promocode),
    ];
    let filled = ours.iter().filter_map(|(name, text)| {
        Some(Attribute {
            origin: None,
            name: (*name).to_owned(),
            value: text.owned()?,
        })
    });
    let own = present.map(|order| order.attributes.as_slice());
    let others: Vec<Attribute> = own
        .unwrap_or_default()
        .iter()
        .filter(|other| ours.iter().all(|(name, _)| *name != other.name))
        .cloned()
        .collect();
    beside(&others, filled.collect())
}

/// Attributes beside those that are there already under other names.
fn beside(own: &[Attribute], ours: Vec<Attribute>) -> Vec<Attribute> {
    let others = own
        .iter()
        .filter(|other| ours.iter().all(|ours| ours.name != other.name));
    let mut all: Vec<Attribute> = others.cloned().collect();
    all.extend(ours);
    all
}

// ---- products

/// The characteristics of an item.
pub fn characteristics(properties: &[api::Property<'_>]) -> Vec<Attribute> {
    properties
        .iter()
        .filter_map(|property| {
            Some(Attribute {
                origin: None,
                name: property.name.owned()?,
                value: property.value.owned()?,
            })
        })
        .collect()
}

/// Whether two items have the same characteristics, in whatever order and case.
pub fn same_characteristics(one: &[Attribute], other: &[Attribute]) -> bool {
    let has = |list: &[Attribute], wanted: &Attribute| {
        list.iter().any(|own| {
            own.name.to_lowercase() == wanted.name.to_lowercase()
                && own.value.to_lowercase() == wanted.value.to_lowercase()
        })
    };
    one.len() == other.len() && one.iter().all(|wanted| has(other, wanted))
}

/// What kind of product a listed one becomes. Offers that are told apart by properties and have
/// their own SKUs are variants; without, they are one good.
fn classify(listed: &Listed, service: bool) -> ProductKind {
    if service {
        return ProductKind::Service;
    }
    let distinct = listed
        .offers
        .iter()
        .filter(|offer| !offer.properties.is_empty());
    let mut skus: Vec<String> = Vec::new();
    for offer in distinct {
        let Some(sku) = offer.sku.as_deref().map(str::to_lowercase) else {
            return ProductKind::Good;
        };
        if skus.contains(&sku) {
            return ProductKind::Good;
        }
        skus.push(sku);
    }
    if skus.is_empty() {
        ProductKind::Good
    } else {
        ProductKind::GoodWithVariants
    }
}

/// A product of the catalogue as it is made in the ERP.
pub fn listed_product(id: i64, listed: &Listed, service: bool) -> model::Product {
    let kind = classify(listed, service);
    let mut product = model::Product {
        origin: Some(origin::product(id)),
        kind,
        name: listed.name.clone(),
        unit: Some(listed.unit.clone().unwrap_or_else(|| PIECE.to_owned())),
        ..model::Product::default()
    };
    if kind == ProductKind::GoodWithVariants {
        product.variants = listed.offers.iter().map(variant).collect();
    } else {
        let only = listed.offers.first();
        product.sku = listed
            .sku
            .clone()
            .or_else(|| only.and_then(|offer| offer.sku.clone()));
        product.barcodes = only
            .and_then(|offer| offer.barcode.clone())
            .into_iter()
            .collect();
    }
    product
}

/// An offer as a variant of its product.
pub fn variant(offer: &ListedOffer) -> ProductVariant {
    let values: Vec<&str> = offer
        .properties
        .iter()
        .map(|property| property.value.as_str())
        .collect();
    ProductVariant {
        origin: Some(origin::offer(offer.id)),
        name: values.join(", "),
        sku: offer.sku.clone(),
        barcodes: offer.barcode.clone().into_iter().collect(),
        characteristics: offer.properties.clone(),
        ..ProductVariant::default()
    }
}

/// A good made from nothing but an order's line.
pub fn line_product(line: &api::Line<'_>, origin: String) -> model::Product {
    let barcode = line.offer.get().and_then(|offer| offer.barcode.owned());
    model::Product {
        origin: Some(origin),
        kind: ProductKind::Good,
        name: line_name(line).unwrap_or_default().to_owned(),
        sku: line_sku(line).map(str::to_owned),
        unit: Some(line.unit_type.get().unwrap_or(PIECE).to_owned()),
        barcodes: barcode.into_iter().collect(),
        ..model::Product::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenon_sdk::decimal;

    fn d(text: &str) -> Decimal {
        decimal::parse(text).unwrap_or_else(|| panic!("{text} is a number"))
    }

    fn read(json: &str) -> api::Order<'_> {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    fn booking() -> Chosen {
        let json = r#"{"last_days":1,"delivery_product":"delivery","account":"cash"}"#;
        tenon_sdk::settings::parse(json).expect("good settings")
    }

    fn places(lines: usize) -> Places {
        Places {
            partner: "partner".to_owned(),
            stage: Some("stage".to_owned()),
            source: None,
            service: None,
            manager: None,
            author: None,
            organization: None,
            warehouse: None,
            currency: "UAH".to_owned(),
            picks: vec![
                Pick {
                    product: "product".to_owned(),
                    variant: None,
                };
                lines
            ],
        }
    }

    fn booked(json: &str) -> Booked {
        let read = read(json);
        order(&read, &places(read.products.len()), &booking(), "en", None)
            .unwrap_or_else(|reason| panic!("{json}: {reason}"))
    }

    fn exact(wire: model::Decimal) -> Decimal {
        Decimal::try_from(wire).expect("a number")
    }

    /// The total as the contract defines it.
    fn total(order: &model::Order) -> Decimal {
        let lines: Decimal = order
            .lines
            .iter()
            .map(|line| exact(line.quantity) * exact(line.price) - exact(line.discount))
            .sum();
        let charges: Decimal = order
            .charges
            .iter()
            .map(|charge| exact(charge.amount))
            .sum();
        let cost = order.delivery.as_ref().and_then(|delivery| delivery.cost);
        lines - exact(order.discount) + charges + cost.map_or(Decimal::ZERO, exact)
    }

    fn charges(booked: &Booked) -> Vec<(&str, Decimal)> {
        booked
            .order
            .charges
            .iter()
            .map(|charge| (charge.name.as_str(), exact(charge.amount)))
            .collect()
    }

    #[test]
    fn the_total_is_grand_total_to_the_last_digit_whatever_the_amounts() {
        for json in [
            // A percentage of the order, and delivery.
            r#"{"id":1,"grand_total":1130,"total_discount":120,"shipping_price":"50.00",
                "products":[{"id":1,"price":600,"price_sold":600,"quantity":2}]}"#,
            // A discount on a line, fractional quantity, amounts in quotes.
            r#"{"id":2,"grand_total":"3.33","total_discount":0,
                "products":[{"id":1,"price":"11.10","price_sold":"10.01","quantity":"0.333"}]}"#,
            // Rounded up by less than half a kopeck.
            r#"{"id":3,"grand_total":3.34,"total_discount":0,
                "products":[{"id":1,"price":10.018,"price_sold":10.018,"quantity":0.333}]}"#,
            // Sold above its price.
            r#"{"id":4,"grand_total":30,"products":[{"id":1,"price":10,"price_sold":15,"quantity":2}]}"#,
            // Nothing adds up.
            r#"{"id":5,"grand_total":77.77,"total_discount":1,"taxes":"3","wrap_price":4,
                "products":[{"id":1,"price":10,"price_sold":9,"quantity":2}]}"#,
            // No sold price, and no price at all.
            r#"{"id":6,"grand_total":18,"products":[{"id":1,"price":10,"total_discount":1,"quantity":2},
                {"id":2,"quantity":5}]}"#,
        ] {
            let booked = booked(json);
            assert_eq!(
                total(&booked.order),
                read(json).grand_total.or_zero(),
                "{json}"
            );
            for line in &booked.order.lines {
                assert!(exact(line.discount) > d("-0.005"), "{json}");
            }
            assert!(booked.order.discount.units >= 0, "{json}");
        }
    }

    #[test]
    fn a_line_shows_its_price_before_the_discount_and_the_discount_of_the_whole_line() {
        let booked = booked(
            r#"{"id":1,"grand_total":27,"total_discount":0,
                "products":[{"id":7,"name":"Cup","price":10,"price_sold":9,"quantity":3}]}"#,
        );
        let line = &booked.order.lines[0];
        assert_eq!((exact(line.price), exact(line.discount)), (d("10"), d("3")));
        assert_eq!((line.id.as_str(), line.unit.as_deref()), ("7", Some("шт")));
        assert_eq!(booked.remarks, Vec::new());
    }

    #[test]
    fn taxes_and_wrap_are_charged_only_where_the_total_holds_them() {
        let order = |grand_total: &str| {
            format!(
                r#"{{"id":1,"grand_total":{grand_total},"total_discount":10,"taxes":"20","wrap_price":5,
                    "products":[{{"id":1,"price":100,"price_sold":100,"quantity":1}}]}}"#
            )
        };
        for (grand_total, expected) in [
            ("115", vec![("Taxes", d("20")), ("Gift wrap", d("5"))]),
            ("95", vec![("Gift wrap", d("5"))]),
            ("110", vec![("Taxes", d("20"))]),
            ("90", vec![]),
        ] {
            let booked = booked(&order(grand_total));
            assert_eq!(charges(&booked), expected, "{grand_total}");
            assert_eq!(exact(booked.order.discount), d("10"));
            assert!(booked.remarks.is_empty());
        }
    }

    #[test]
    fn a_total_that_does_not_add_up_is_taken_as_the_truth_and_remarked_on() {
        let less = booked(
            r#"{"id":1,"grand_total":80,"total_discount":5,
                "products":[{"id":1,"price":100,"price_sold":100,"quantity":1}]}"#,
        );
        assert_eq!(exact(less.order.discount), d("20"));
        assert_eq!(
            less.remarks,
            [reason!(
                "order.sums-differ",
                number = 1,
                rest = 20,
                discount = 5
            )]
        );
        let more = booked(
            r#"{"id":1,"grand_total":103.5,"total_discount":0,
                "products":[{"id":1,"price":100,"price_sold":100,"quantity":1}]}"#,
        );
        assert_eq!(charges(&more), [("Surcharge", d("3.5"))]);
        let coin = booked(
            r#"{"id":1,"grand_total":100.01,"total_discount":0,
                "products":[{"id":1,"price":100,"price_sold":100,"quantity":1}]}"#,
        );
        assert_eq!(charges(&coin), [("Rounding", d("0.01"))]);
        assert!(coin.remarks.is_empty());
    }

    #[test]
    fn an_order_without_a_total_or_with_an_endless_one_is_refused() {
        for (json, reason) in [
            (r#"{"id":1}"#, reason!("order.no-total")),
            (
                r#"{"id":1,"grand_total":1,"ordered_at":"soon"}"#,
                reason!("order.no-date", field = "ordered_at", text = "soon"),
            ),
            (
                r#"{"id":1,"grand_total":99999999999999999999}"#,
                reason!("sdk.digits", number = "99999999999999999999"),
            ),
            (
                r#"{"id":1,"grand_total":1,"products":[{"id":5,"name":"Cup","price":79228162514264337593543950335,"quantity":9}]}"#,
                reason!("order.line-digits", line = "Cup"),
            ),
        ] {
            let read = read(json);
            let refused = order(&read, &places(read.products.len()), &booking(), "en", None);
            assert_eq!(refused.err(), Some(reason), "{json}");
        }
    }

    #[test]
    fn delivery_stands_on_the_order_with_its_fee_and_never_among_the_lines() {
        let booked = booked(
            r#"{"id":1,"grand_total":150,"total_discount":0,"shipping_price":"50.00",
                "buyer":{"full_name":"Olena","phone":["+380501112233"]},
                "products":[{"id":1,"price":100,"price_sold":100,"quantity":1}],
                "shipping":{"tracking_code":"2045","shipping_address_country":"Україна",
                  "shipping_address_city":"Київ","shipping_receive_point":"Відділення 12"}}"#,
        );
        assert_eq!(booked.order.lines.len(), 1);
        assert_eq!(
            booked.order.delivery,
            Some(Delivery {
                origin: None,
                service: None,
                product: Some("delivery".to_owned()),
                cost: model::Decimal::try_from(d("50.00")).ok(),
                address: Some("Україна, Київ, Відділення 12".to_owned()),
                recipient: Some("Olena".to_owned()),
                phone: Some("+380501112233".to_owned()),
                tracking: Some("2045".to_owned()),
            })
        );
    }

    #[test]
    fn a_recipient_of_ones_own_and_a_whole_address_come_first() {
        let booked = booked(
            r#"{"id":1,"grand_total":0,"buyer":{"full_name":"Olena","phone":"1234567"},
                "shipping":{"full_address":"Kyiv, Branch 12","shipping_address_city":"Lviv",
                  "recipient_full_name":"Taras","recipient_phone":"7654321"}}"#,
        );
        let delivery = booked.order.delivery.expect("a delivery");
        assert_eq!(delivery.address.as_deref(), Some("Kyiv, Branch 12"));
        assert_eq!(delivery.recipient.as_deref(), Some("Taras"));
        assert_eq!(delivery.phone.as_deref(), Some("7654321"));
        assert_eq!((delivery.cost, delivery.product), (None, None));
    }

    #[test]
    fn expenses_and_cancelled_payments_are_left_out_and_expected_ones_have_no_date() {
        let booked = booked(
            r#"{"id":1,"grand_total":0,"ordered_at":"2026-03-01 08:00:00","payments":[
                {"id":1,"amount":"500.50","status":"paid","payment_date":"2026-03-01 09:30:00","is_expense":false},
                {"id":2,"amount":10,"status":"paid","is_expense":true},
                {"id":3,"amount":20,"status":"canceled"},
                {"id":4,"amount":30,"status":"not_paid","payment_date":"2026-03-01 09:30:00"},
                {"id":5,"amount":40,"status":"paid"},
                {"id":6,"amount":50,"status":null}]}"#,
        );
        let payments: Vec<_> = booked
            .order
            .payments
            .iter()
            .map(|payment| {
                (
                    payment.origin.as_deref(),
                    exact(payment.amount),
                    payment.paid_at.map(time::utc_text),
                )
            })
            .collect();
        assert_eq!(
            payments,
            [
                (
                    Some("keycrm:any:payment:1"),
                    d("500.5"),
                    Some("2026-03-01 09:30:00".to_owned())
                ),
                (Some("keycrm:any:payment:4"), d("30"), None),
                (
                    Some("keycrm:any:payment:5"),
                    d("40"),
                    Some("2026-03-01 08:00:00".to_owned())
                ),
                (Some("keycrm:any:payment:6"), d("50"), None),
            ]
        );
        assert_eq!(booked.order.payments[0].account.as_deref(), Some("cash"));
    }

    #[test]
    fn a_payment_counts_in_the_currency_of_the_order() {
        let booked = booked(
            r#"{"id":1,"grand_total":0,"payments":[
                {"id":1,"amount":10,"source_currency":"USD","actual_amount":"415.5","actual_currency":"UAH"},
                {"id":2,"amount":20,"source_currency":"uah","actual_amount":1,"actual_currency":"USD"},
                {"id":3,"amount":30,"source_currency":"USD","actual_amount":28,"actual_currency":"EUR"}]}"#,
        );
        let amounts: Vec<_> = booked
            .order
            .payments
            .iter()
            .map(|payment| exact(payment.amount))
            .collect();
        assert_eq!(amounts, [d("415.5"), d("20"), d("30")]);
        let remark = reason!("payment.other-currency", payment = 3, currency = "UAH");
        assert_eq!(booked.remarks, [remark]);
    }

    #[test]
    fn the_source_number_is_one_line_beside_the_users_own_text() {
        let written = |own: Option<&str>, number| comment(own, number).unwrap_or_default();
        assert_eq!(written(None, Some("№20155")), "KeyCRM №: №20155");
        let both = written(Some("Call first\n"), Some("20155"));
        assert_eq!(both, "Call first\nKeyCRM №: 20155");
        assert_eq!(written(Some(&both), Some("20155")), both);
        let moved = "KeyCRM №: 20155\nCall first\r\nKeyCRM №: 20155";
        assert_eq!(
            written(Some(moved), Some("7\n8")),
            "KeyCRM №: 7 8\nCall first"
        );
        assert_eq!(written(Some("Call first\n"), None), "Call first\n");
        assert_eq!(comment(None, None), None);
    }

    #[test]
    fn what_others_have_entered_on_an_order_stays_when_it_is_updated() {
        let present = model::Order {
            key: Some("o1".to_owned()),
            version: Some("v3".to_owned()),
            comment: Some("Fragile".to_owned()),
            lines: vec![OrderLine {
                id: "7".to_owned(),
                shipped: model::Decimal { units: 1, scale: 0 },
                refused: true,
                ..OrderLine::default()
            }],
            payments: vec![Payment {
                origin: Some("keycrm:any:payment:1".to_owned()),
                account: Some("bank".to_owned()),
                ..Payment::default()
            }],
            attributes: vec![
                Attribute {
                    origin: None,
                    name: "gift".to_owned(),
                    value: "yes".to_owned(),
                },
                Attribute {
                    origin: None,
                    name: PROMOCODE.to_owned(),
                    value: "OLD".to_owned(),
                },
            ],
            ..model::Order::default()
        };
        let read = read(
            r#"{"id":1,"grand_total":10,"source_uuid":"55","promocode":"NEW",
                "products":[{"id":7,"name":"Cup","price":10,"price_sold":10,"quantity":1}],
                "payments":[{"id":1,"amount":10,"status":"paid"}]}"#,
        );
        let booking = Chosen {
            write_source_number: true,
            ..booking()
        };
        let booked =
            order(&read, &places(1), &booking, "en", Some(&present)).expect("a good order");
        let order = booked.order;
        assert_eq!(order.key.as_deref(), Some("o1"));
        assert_eq!(order.version.as_deref(), Some("v3"));
        assert_eq!(order.comment.as_deref(), Some("Fragile\nKeyCRM №: 55"));
        assert_eq!(order.lines[0].shipped.units, 1);
        assert!(order.lines[0].refused);
        assert_eq!(order.lines[0].name, "Cup");
        assert_eq!(order.payments[0].account.as_deref(), Some("bank"));
        let attributes: Vec<_> = order
            .attributes
            .iter()
            .map(|own| (own.name.as_str(), own.value.as_str()))
            .collect();
        assert_eq!(attributes, [("gift", "yes"), (PROMOCODE, "NEW")]);
        assert!(booked.owned.contains(OrderFields::COMMENT));
    }

    #[test]
    fn only_fields_that_keycrm_speaks_for_are_owned() {
        let read = read(r#"{"id":1,"grand_total":0}"#);
        let plain = order(&read, &places(0), &booking(), "en", None).expect("a good order");
        for field in [
            OrderFields::MANAGER,
            OrderFields::AUTHOR,
            OrderFields::COMMENT,
            OrderFields::WAREHOUSE,
            OrderFields::RESERVE,
        ] {
            assert!(!plain.owned.contains(field));
        }
        let places = Places {
            manager: Some("olena".to_owned()),
            ..places(0)
        };
        let managed = order(&read, &places, &booking(), "en", None).expect("a good order");
        assert!(managed.owned.contains(OrderFields::MANAGER));
    }

    fn offer(id: i64, sku: Option<&str>, properties: &[(&str, &str)]) -> ListedOffer {
        ListedOffer {
            id,
            sku: sku.map(str::to_owned),
            barcode: None,
            properties: properties
                .iter()
                .map(|(name, value)| Attribute {
                    origin: None,
                    name: (*name).to_owned(),
                    value: (*value).to_owned(),
                })
                .collect(),
        }
    }

    fn listed(offers: Vec<ListedOffer>) -> Listed {
        Listed {
            name: "T-shirt".to_owned(),
            unit: None,
            sku: None,
            category: None,
            offers,
        }
    }

    #[test]
    fn a_product_is_what_its_offers_make_it() {
        let red = &[("Color", "Red")][..];
        let blue = &[("Color", "Blue")][..];
        for (offers, kind) in [
            (vec![offer(1, Some("A"), &[])], ProductKind::Good),
            (
                vec![offer(1, Some("A"), red), offer(2, Some("B"), blue)],
                ProductKind::GoodWithVariants,
            ),
            (
                vec![offer(1, Some("A"), red), offer(2, Some("a"), blue)],
                ProductKind::Good,
            ),
            (
                vec![offer(1, Some("A"), red), offer(2, None, blue)],
                ProductKind::Good,
            ),
            (vec![offer(1, None, red)], ProductKind::Good),
            (vec![], ProductKind::Good),
        ] {
            let listed = listed(offers);
            assert_eq!(classify(&listed, false), kind, "{listed:?}");
            assert_eq!(classify(&listed, true), ProductKind::Service);
        }
    }

    #[test]
    fn offers_with_their_own_skus_become_variants_named_by_their_characteristics() {
        let listed = listed(vec![
            offer(310, Some("TS-RED-M"), &[("Color", "Red"), ("Size", "M")]),
            offer(311, Some("TS-RED-L"), &[("Color", "Red"), ("Size", "L")]),
        ]);
        let product = listed_product(90, &listed, false);
        assert_eq!(product.origin.as_deref(), Some("keycrm:any:product:90"));
        assert_eq!(product.sku, None);
        let variants: Vec<_> = product
            .variants
            .iter()
            .map(|variant| (variant.name.as_str(), variant.sku.as_deref()))
            .collect();
        assert_eq!(
            variants,
            [("Red, M", Some("TS-RED-M")), ("Red, L", Some("TS-RED-L"))]
        );
    }

    #[test]
    fn characteristics_are_equal_in_any_order_and_case() {
        let one = offer(1, None, &[("Color", "Red"), ("Size", "M")]).properties;
        let same = offer(1, None, &[("size", "m"), ("color", "RED")]).properties;
        let more = offer(1, None, &[("Color", "Red")]).properties;
        assert!(same_characteristics(&one, &same));
        assert!(!same_characteristics(&one, &more));
        assert!(!same_characteristics(&more, &one));
    }
}
