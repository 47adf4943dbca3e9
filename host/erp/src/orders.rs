//! Orders, and what connectors put on them for people to see.

use rusqlite::{Connection, params};
use tenon_host::model::{
    Directory, Effect, FieldChange, Image, LinkedDocument, Order, OrderFields, OrderLine,
    OrderLookup, Payment, Reason, RecordKind, Saved,
};
use tenon_host::parts;
use tenon_host::reason::Told;

use crate::book::{Halt, Target, Writer, refuse};
use crate::feed::Stream;
use crate::record::{self, Filed, Head, Identity, Lookups, Record};
use crate::{check, normal, reasons, sql};

impl Record for Order {
    const KIND: RecordKind = RecordKind::Order;
    const LOOKUPS: Lookups = Lookups {
        row: sql::ORDER_ROW,
        by_id: sql::ORDER_BY_ID,
        by_key: sql::ORDER_BY_KEY,
        by_origin: sql::ORDER_BY_ORIGIN,
        page: sql::ORDERS_PAGE,
    };
    const HEAR: &'static str = sql::HEAR_ORDER;

    fn every_field() -> OrderFields {
        OrderFields::all()
    }

    fn identity(&mut self) -> Identity<'_> {
        Identity {
            key: &mut self.key,
            origin: &mut self.origin,
            stamp: Some((&mut self.version, &mut self.changed_at)),
        }
    }

    /// Whoever reads one direction would never learn that an order went over to the other.
    fn adopt_fixed(&mut self, given: &Order) -> Result<Vec<FieldChange>, Halt> {
        if self.direction == given.direction {
            Ok(Vec::new())
        } else {
            let reason = Reason::new("platform.direction-stays").arg("field", "direction");
            refuse(reason.arg("direction", self.direction.name()))
        }
    }

    fn check(&self, owned: OrderFields, writer: &mut Writer<'_>) -> Result<(), Halt> {
        check_shape(self)?;
        check_references(self, owned, writer)
    }

    fn stream(&self) -> Option<Stream> {
        Some(Stream::Orders(self.direction))
    }

    fn write(&self, db: &Connection, head: &Head, doc: &str) -> rusqlite::Result<()> {
        db.prepare_cached(sql::WRITE_ORDER)?
            .execute(params![
                head.id,
                head.key,
                head.origin,
                head.version,
                head.changed_at,
                head.position,
                head.said,
                doc,
                self.direction.name(),
                normal::code(self.number.as_deref()),
            ])
            .map(drop)
    }
}

fn check_shape(order: &Order) -> Result<(), Halt> {
    check::currency(&order.currency, "currency")?;
    check::instant(order.created_at, "created_at")?;
    check::decimal(order.discount, "discount")?;
    for (i, line) in order.lines.iter().enumerate() {
        check_line(line, i)?;
        // Orders are short: comparing all pairs costs less than a set.
        if order.lines[..i].iter().any(|other| other.id == line.id) {
            return refuse(reasons::twice(format_args!("lines[{i}].id"), &line.id));
        }
    }
    for (i, charge) in order.charges.iter().enumerate() {
        check::decimal(charge.amount, format_args!("charges[{i}].amount"))?;
    }
    if let Some(cost) = order.delivery.as_ref().and_then(|delivery| delivery.cost) {
        check::decimal(cost, "delivery.cost")?;
    }
    for (i, payment) in order.payments.iter().enumerate() {
        check_payment(payment, i)?;
    }
    match order.total() {
        Some(_) => Ok(()),
        None => refuse(Reason::new("platform.total-too-large").arg("field", "total")),
    }
}

fn check_line(line: &OrderLine, i: usize) -> Result<(), Halt> {
    if line.id.is_empty() {
        return refuse(reasons::empty(format_args!("lines[{i}].id")));
    }
    for (value, field) in [
        (line.quantity, "quantity"),
        (line.reserved, "reserved"),
        (line.shipped, "shipped"),
        (line.price, "price"),
        (line.discount, "discount"),
        (line.vat.unwrap_or_default(), "vat"),
    ] {
        check::decimal(value, format_args!("lines[{i}].{field}"))?;
    }
    Ok(())
}

fn check_payment(payment: &Payment, i: usize) -> Result<(), Halt> {
    check::decimal(payment.amount, format_args!("payments[{i}].amount"))?;
    check::instant(payment.paid_at, format_args!("payments[{i}].paid_at"))
}

fn check_references(
    order: &Order,
    owned: OrderFields,
    writer: &mut Writer<'_>,
) -> Result<(), Halt> {
    use Directory::{
        Accounts, Agreements, CancelReasons, DeliveryServices, OrderSources, OrderStages,
        Organizations, Users, Warehouses,
    };
    for (field, name, target, key) in [
        (
            OrderFields::STAGE,
            "stage",
            Target::Entry(OrderStages),
            &order.stage,
        ),
        (
            OrderFields::SOURCE,
            "source",
            Target::Entry(OrderSources),
            &order.source,
        ),
        (
            OrderFields::PARTNER,
            "partner",
            Target::Partner,
            &order.partner,
        ),
        (
            OrderFields::ORGANIZATION,
            "organization",
            Target::Entry(Organizations),
            &order.organization,
        ),
        (
            OrderFields::WAREHOUSE,
            "warehouse",
            Target::Entry(Warehouses),
            &order.warehouse,
        ),
        (
            OrderFields::MANAGER,
            "manager",
            Target::Entry(Users),
            &order.manager,
        ),
        (
            OrderFields::AUTHOR,
            "author",
            Target::Entry(Users),
            &order.author,
        ),
        (
            OrderFields::AGREEMENT,
            "agreement",
            Target::Entry(Agreements),
            &order.agreement,
        ),
    ] {
        if let Some(key) = key
            && owned.contains(field)
        {
            writer.require(target, key, name)?;
        }
    }
    if owned.contains(OrderFields::LINES) {
        for (i, line) in order.lines.iter().enumerate() {
            let mut product = None;
            if let Some(key) = &line.product {
                let field = format_args!("lines[{i}].product");
                product = Some(writer.require(Target::Product, key, field)?);
            }
            if let Some(key) = &line.product_variant {
                let field = format_args!("lines[{i}].product_variant");
                writer.require_variant(product, key, field)?;
            }
            if let Some(key) = &line.cancel_reason {
                let field = format_args!("lines[{i}].cancel_reason");
                writer.require(Target::Entry(CancelReasons), key, field)?;
            }
        }
    }
    if owned.contains(OrderFields::DELIVERY)
        && let Some(delivery) = &order.delivery
    {
        if let Some(key) = &delivery.service {
            writer.require(Target::Entry(DeliveryServices), key, "delivery.service")?;
        }
        if let Some(key) = &delivery.product {
            writer.require(Target::Product, key, "delivery.product")?;
        }
    }
    if owned.contains(OrderFields::PAYMENTS) {
        for (i, payment) in order.payments.iter().enumerate() {
            if let Some(key) = &payment.account {
                let field = format_args!("payments[{i}].account");
                writer.require(Target::Entry(Accounts), key, field)?;
            }
        }
    }
    Ok(())
}

/// Finds one order for each look-up.
pub(crate) fn find(db: &Connection, lookups: &[OrderLookup]) -> Result<Vec<Option<Order>>, Halt> {
    lookups
        .iter()
        .map(|lookup| {
            let found: Option<Filed<Order>> = match lookup {
                OrderLookup::Key(key) => record::by_key(db, key)?,
                OrderLookup::Origin(origin) => record::by_origin(db, origin)?,
                OrderLookup::Number(number) => {
                    record::one(db, sql::ORDER_BY_NUMBER, &[&number.trim()])?
                }
            };
            Ok(found.map(Filed::whole))
        })
        .collect()
}

/// Replaces the documents of an order and its last error. The list is the whole of them; of two
/// with one origin the later counts. The error is for people: the version of the order stays.
pub(crate) fn annotate(
    writer: &mut Writer<'_>,
    order: &str,
    given: Vec<LinkedDocument>,
    error: Option<&Told>,
) -> Result<Saved, Halt> {
    let mut filed: Filed<Order> = record::existing(writer.db, order)?;
    let mut documents: Vec<LinkedDocument> = Vec::with_capacity(given.len());
    for document in given {
        match documents
            .iter_mut()
            .find(|known| known.origin == document.origin)
        {
            Some(known) => *known = document,
            None => documents.push(document),
        }
    }
    let before = error_of(writer.db, filed.id)?;
    let mut changes = Vec::new();
    if before.as_ref() != error {
        let doc = error.map(serde_json::to_string).transpose()?;
        writer
            .db
            .prepare_cached(sql::SET_ORDER_ERROR)?
            .execute(params![filed.id, doc])?;
        let text = |told: &Told| told.text.clone();
        let (before, after) = (before.as_ref().map(text), error.map(text));
        changes.push(FieldChange::of("error", &before, &after));
    }
    if filed.record.documents != documents {
        let known = &filed.record.documents;
        changes.push(FieldChange::of("documents", known, &documents));
        filed.record.documents = documents;
        record::rewrite(writer, &mut filed)?;
    }
    let effect = if changes.is_empty() {
        Effect::Unchanged
    } else {
        Effect::Updated
    };
    Ok(filed.saved_with(effect, changes))
}

/// The last error of an order.
pub(crate) fn error_of(db: &Connection, order: i64) -> Result<Option<Told>, Halt> {
    let doc = record::value::<Option<String>>(db, sql::ORDER_ERROR, &[&order])?.flatten();
    Ok(doc.map(|doc| serde_json::from_str(&doc)).transpose()?)
}

/// Puts a file on an order, or replaces the one of the same name. It is told by name and digest.
pub(crate) fn attach(
    writer: &mut Writer<'_>,
    order: &str,
    file_name: &str,
    content: &[u8],
) -> Result<Saved, Halt> {
    if file_name.is_empty() {
        return refuse(reasons::empty("file_name"));
    }
    let filed: Filed<Order> = record::existing(writer.db, order)?;
    let known: Option<Vec<u8>> =
        record::value(writer.db, sql::ATTACHMENT, &[&filed.id, &file_name])?;
    if known.as_deref() == Some(content) {
        return Ok(filed.saved(Effect::Unchanged));
    }
    writer
        .db
        .prepare_cached(sql::WRITE_ATTACHMENT)?
        .execute(params![filed.id, file_name, content])?;
    let file = |content: &[u8]| Image {
        file_name: file_name.to_owned(),
        digest: parts::digest_of(content),
        ..Image::default()
    };
    let changes = vec![FieldChange::of(
        "attachments",
        &known.as_deref().map(file),
        &Some(file(content)),
    )];
    Ok(filed.saved_with(Effect::Updated, changes))
}
