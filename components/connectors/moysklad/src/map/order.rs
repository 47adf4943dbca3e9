//! An order of the shop as a document of MoySklad.
//!
//! MoySklad takes discounts in percent of a position; so a line's own discount and its share of the
//! order's become one percentage, exact enough that sums agree to the kopeck.

use std::collections::HashMap;

use rust_decimal::Decimal;
use tenon_sdk::decimal::round_money;
use tenon_sdk::import::fingerprint;
use tenon_sdk::model::{Key, Order, OrderDirection, OrderLine, Reason, RecordKind};
use tenon_sdk::push::lines;
use tenon_sdk::reason;
use uuid::Uuid;

use super::partner::short;
use super::product::to_minor;
use crate::api::fields::Fields;
use crate::api::meta::{self, Kind};
use crate::api::moscow;

/// Longest comment that MoySklad takes, in characters.
const LONGEST: usize = 4_096;

/// Digits of a percentage behind the point: enough for a kopeck of a billion.
const PERCENT_DIGITS: u32 = 12;

/// The line that has delivery and other charges, when they are sent. No shop names its own so.
pub const ON_TOP: &str = "+charges";

/// The two streams of orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Orders of customers.
    Sale,
    /// Orders to suppliers.
    Purchase,
}

impl Flow {
    /// The shop's stream.
    pub fn direction(self) -> OrderDirection {
        match self {
            Flow::Sale => OrderDirection::Sale,
            Flow::Purchase => OrderDirection::Purchase,
        }
    }

    /// The documents.
    pub fn kind(self) -> Kind {
        match self {
            Flow::Sale => Kind::CustomerOrder,
            Flow::Purchase => Kind::PurchaseOrder,
        }
    }

    /// The documents' states.
    pub fn state_kind(self) -> Kind {
        match self {
            Flow::Sale => Kind::CustomerOrderState,
            Flow::Purchase => Kind::PurchaseOrderState,
        }
    }

    /// Its name in storage, bindings and reports.
    pub fn name(self) -> &'static str {
        match self {
            Flow::Sale => "order",
            Flow::Purchase => "supplier-order",
        }
    }

    /// The name of its positions.
    pub fn position(self) -> &'static str {
        match self {
            Flow::Sale => "order-line",
            Flow::Purchase => "supplier-order-line",
        }
    }
}

/// What an order points at, at MoySklad.
#[derive(Debug)]
pub struct Places<'p> {
    /// Address of the API, which references are made of.
    pub base: &'p str,
    /// The partner.
    pub agent: Uuid,
    /// Products and sets by their keys in the shop.
    pub products: &'p HashMap<Key, (Kind, Uuid)>,
    /// Modifications by their keys in the shop.
    pub variants: &'p HashMap<Key, Uuid>,
    /// Whether goods are reserved.
    pub reserve: bool,
    /// The service under which delivery and other charges are booked.
    pub delivery: Option<Uuid>,
    /// The order's currency, where it is not the one that books are kept in.
    pub currency: Option<Uuid>,
}

/// A line on its way.
pub type Line = lines::Line<Uuid>;

/// An order on its way.
#[derive(Debug)]
pub struct Draft {
    /// What of the document is kept up.
    pub header: Fields,
    /// Its lines.
    pub lines: Vec<Line>,
    /// What people should know.
    pub remarks: Vec<Reason>,
}

impl Draft {
    /// Whether somebody still wants something of it.
    pub fn is_wanted(&self) -> bool {
        self.lines.iter().any(|line| !line.refused)
    }

    /// What is kept of the order: the header, and by a digest, however many there are, which lines
    /// it has.
    pub fn kept(&self) -> Fields {
        let lines: Vec<&str> = self.lines.iter().map(|line| line.id.as_str()).collect();
        self.header.clone().with("lines", fingerprint(0, &lines))
    }
}

/// Maps an order.
///
/// # Errors
/// Why it cannot be sent.
pub fn draft(order: &Order, flow: Flow, places: &Places<'_>) -> Result<Draft, Reason> {
    let agent = meta::meta(places.base, Kind::Counterparty, places.agent);
    let comment: String = order
        .comment
        .as_deref()
        .unwrap_or_default()
        .trim()
        .chars()
        .take(LONGEST)
        .collect();
    let mut header = Fields::default()
        .with_raw("agent", agent)
        .with("description", comment)
        .with(
            "vatEnabled",
            order.lines.iter().any(|line| line.vat.is_some()),
        );
    let delivery = order.delivery.as_ref();
    if flow == Flow::Sale {
        let address = delivery.and_then(|delivery| delivery.address.as_deref());
        header.set("shipmentAddress", address.map(short).unwrap_or_default());
    }
    if let Some(currency) = places.currency {
        let currency = meta::meta(places.base, Kind::Currency, currency);
        header.set("rate", Fields::default().with_raw("currency", currency));
    }
    let off = discounts(order)?;
    let lines = order.lines.iter().zip(off);
    let lines = lines.map(|(given, off)| line(given, off, flow, places));
    let mut lines: Vec<Line> = lines.collect::<Result<_, _>>()?;
    let mut remarks = Vec::new();
    let amount = on_top(order)?;
    match places.delivery {
        _ if amount.is_zero() => {}
        Some(service) if amount > Decimal::ZERO => {
            let wanted = lines.iter().any(|line| !line.refused);
            lines.push(charges(service, amount, wanted, places));
        }
        Some(_) => remarks.push(reason!("order.charges-negative", amount = amount)),
        None => remarks.push(reason!("order.charges-left").setting("delivery_service")),
    }
    Ok(Draft {
        header,
        lines,
        remarks,
    })
}

/// What an order costs on top of its goods.
fn on_top(order: &Order) -> Result<Decimal, Reason> {
    let delivery = order.delivery.as_ref().and_then(|delivery| delivery.cost);
    let charges = order.charges.iter().map(|charge| charge.amount);
    delivery.into_iter().chain(charges).map(exact).sum()
}

/// The line of what comes on top. With the last of the goods it is refused, too.
fn charges(service: Uuid, amount: Decimal, wanted: bool, places: &Places<'_>) -> Line {
    let fields = Fields::default()
        .with_raw(
            "assortment",
            meta::meta(places.base, Kind::Service, service),
        )
        .with_number("quantity", Decimal::ONE)
        .with_number("price", to_minor(amount))
        .with_number("discount", Decimal::ZERO)
        .with_number("vat", Decimal::ZERO)
        .with("vatEnabled", false);
    Line {
        id: ON_TOP.to_owned(),
        refused: !wanted,
        product: Some(service),
        fields: if wanted { fields } else { Fields::default() },
    }
}

fn line(given: &OrderLine, off: Decimal, flow: Flow, places: &Places<'_>) -> Result<Line, Reason> {
    let item = match &given.product_variant {
        Some(variant) => {
            let product = given.product.as_deref().unwrap_or_default();
            let id = places.variants.get(&format!("{product}/{variant}"));
            id.map(|id| (Kind::Variant, *id))
        }
        None => (given.product.as_ref()).and_then(|key| places.products.get(key).copied()),
    };
    let mut line = Line {
        id: given.id.clone(),
        refused: given.refused,
        product: item.map(|(_, id)| id),
        fields: Fields::default(),
    };
    if given.refused {
        // Should its position stay, it keeps no goods from others.
        if flow == Flow::Sale {
            line.fields.set("reserve", 0);
        }
        return Ok(line);
    }
    let name = called(given);
    let (kind, id) = item.ok_or_else(|| {
        let reason = reason!("order.line-product", line = name);
        match &given.product {
            Some(key) => reason.record(RecordKind::Product, key),
            None => reason,
        }
    })?;
    let (quantity, price) = (exact(given.quantity)?, exact(given.price)?);
    if quantity <= Decimal::ZERO {
        return Err(reason!(
            "order.line-quantity",
            line = name,
            quantity = quantity
        ));
    }
    let whole = quantity * price;
    let percent = if whole.is_zero() {
        Decimal::ZERO
    } else {
        (off * Decimal::ONE_HUNDRED / whole).round_dp(PERCENT_DIGITS)
    };
    let vat = given.vat.map(exact).transpose()?;
    line.fields = Fields::default()
        .with_raw("assortment", meta::meta(places.base, kind, id))
        .with_number("quantity", quantity)
        .with_number("price", to_minor(price))
        .with_number("discount", percent)
        .with_number("vat", vat.unwrap_or_default())
        .with("vatEnabled", vat.is_some());
    if flow == Flow::Sale {
        let reserve = if places.reserve {
            quantity
        } else {
            Decimal::ZERO
        };
        line.fields = std::mem::take(&mut line.fields).with_number("reserve", reserve);
    }
    Ok(line)
}

/// What people know a line by.
fn called(given: &OrderLine) -> &str {
    let words = [Some(given.name.as_str()), given.sku.as_deref()];
    let mut words = words.into_iter().flatten().map(str::trim);
    words.find(|word| !word.is_empty()).unwrap_or(&given.id)
}

/// What is taken off each line: its own discount and its share of the order's. The last line takes
/// what rounding left.
fn discounts(order: &Order) -> Result<Vec<Decimal>, Reason> {
    let mut off = Vec::with_capacity(order.lines.len());
    let mut sums = Vec::with_capacity(order.lines.len());
    for line in &order.lines {
        let own = exact(line.discount)?;
        let sum = exact(line.quantity)? * exact(line.price)? - own;
        off.push(own);
        sums.push(if line.refused { Decimal::ZERO } else { sum });
    }
    let (mut left, total) = (exact(order.discount)?, sums.iter().sum::<Decimal>());
    let mut left_total = total;
    for (off, sum) in off.iter_mut().zip(sums) {
        if left_total.is_zero() || left.is_zero() || sum.is_zero() {
            continue;
        }
        let share = round_money(left * sum / left_total);
        *off += share;
        left -= share;
        left_total -= sum;
    }
    Ok(off)
}

fn exact(wire: tenon_sdk::model::Decimal) -> Result<Decimal, Reason> {
    Ok(Decimal::try_from(wire)?)
}

/// What a new document has on top of its header.
pub fn birth(
    order: &Order,
    flow: Flow,
    base: &str,
    organization: Uuid,
    sync_id: Uuid,
    given: &Given,
) -> Fields {
    let key = order.key.as_deref().unwrap_or_default();
    let mut birth = Fields::default()
        .with("syncId", sync_id)
        .with("externalCode", short(key))
        .with("vatIncluded", true)
        .with_raw(
            "organization",
            meta::meta(base, Kind::Organization, organization),
        );
    if let Some(number) = order
        .number
        .as_deref()
        .filter(|number| !number.trim().is_empty())
    {
        birth.set("name", short(number));
    }
    if let Some(placed) = order.created_at {
        birth.set("moment", moscow::text(placed));
    }
    for (name, kind, id) in [
        ("store", Kind::Store, given.store),
        ("owner", Kind::Employee, given.owner),
        ("state", flow.state_kind(), given.state),
    ] {
        if let Some(id) = id {
            birth = birth.with_raw(name, meta::meta(base, kind, id));
        }
    }
    birth
}

/// What the settings give to new documents.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given {
    /// Store.
    pub store: Option<Uuid>,
    /// Employee who answers for it.
    pub owner: Option<Uuid>,
    /// State.
    pub state: Option<Uuid>,
}

#[cfg(test)]
mod tests;
