//! Records as people and tools read them: JSON with the contract's names, and beside an order or
//! a partner what the platform alone knows of it.

use rusqlite::Connection;
use serde::Serialize;
use serde_json::{Value, json};
use tenon_host::model::{Category, Order, Partner, Product};
use tenon_host::reason::Reason;

use crate::book::{Halt, refuse};
use crate::record::{self, Filed, Record};
use crate::{Kind, directories, orders, partners, sql, state, stock};

/// Some records of a kind, in the order they were made; of runs, in the order they began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The records.
    pub records: Vec<Value>,
    /// Where the next page begins; none after the last.
    pub next: Option<String>,
}

/// A record and its place among those of its kind.
type Placed = (String, Value);

/// Records of a kind after a place that an earlier page named.
pub(crate) fn page(
    db: &Connection,
    kind: Kind,
    after: Option<&str>,
    limit: u32,
) -> Result<Page, Halt> {
    let limit = limit.max(1);
    // One more than asked tells whether there is a next page.
    let probe = i64::from(limit) + 1;
    let mut rows: Vec<Placed> = match kind {
        Kind::Orders => filed(db, place(after)?, probe, |id, order| {
            order_value(db, id, order)
        }),
        Kind::Products => filed(db, place(after)?, probe, |_, product: Product| {
            Ok(serde_json::to_value(product)?)
        }),
        Kind::Partners => filed(db, place(after)?, probe, |id, partner| {
            partner_value(db, id, partner)
        }),
        Kind::Categories => filed(db, place(after)?, probe, |_, category: Category| {
            Ok(serde_json::to_value(category)?)
        }),
        Kind::Stock => placed(stock::page(db, sql::STOCK_PAGE, place(after)?, probe)?),
        Kind::Entries(directory) => placed(directories::page(db, directory, place(after)?, probe)?),
        Kind::Bindings => bindings(db, place(after)?, probe),
        Kind::Runs => runs(db, after.unwrap_or_default(), probe),
    }?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|(place, _)| place.clone());
    Ok(Page {
        records: rows.into_iter().map(|(_, record)| record).collect(),
        next,
    })
}

fn place(after: Option<&str>) -> Result<i64, Halt> {
    match after.map(str::parse) {
        None => Ok(0),
        Some(Ok(place)) => Ok(place),
        Some(Err(_)) => refuse(Reason::new("platform.not-a-page")),
    }
}

fn placed<T: Serialize>(rows: Vec<(i64, T)>) -> Result<Vec<Placed>, Halt> {
    rows.into_iter()
        .map(|(id, record)| Ok((id.to_string(), serde_json::to_value(record)?)))
        .collect()
}

fn filed<R: Record>(
    db: &Connection,
    after: i64,
    limit: i64,
    value: impl Fn(i64, R) -> Result<Value, Halt>,
) -> Result<Vec<Placed>, Halt> {
    record::many(db, R::LOOKUPS.page, &[&after, &limit])?
        .into_iter()
        .map(|filed: Filed<R>| {
            let id = filed.id;
            Ok((id.to_string(), value(id, filed.whole())?))
        })
        .collect()
}

fn order_value(db: &Connection, id: i64, order: Order) -> Result<Value, Halt> {
    let total = order.total();
    let mut value = serde_json::to_value(order)?;
    value["total"] = json!(total);
    let told = orders::error_of(db, id)?;
    value["error"] = json!(told.as_ref().map(|told| &told.text));
    value["why"] = json!(told.map(|told| told.why));
    value["attachments"] = db
        .prepare_cached(sql::ATTACHMENTS)?
        .query_map([id], |row| row.get::<_, String>(0))?
        .collect::<Result<_, _>>()?;
    Ok(value)
}

fn partner_value(db: &Connection, id: i64, partner: Partner) -> Result<Value, Halt> {
    let balance = partners::balance_of(db, id)?;
    let mut value = serde_json::to_value(partner)?;
    value["balance"] = json!(balance);
    Ok(value)
}

fn bindings(db: &Connection, after: i64, limit: i64) -> Result<Vec<Placed>, Halt> {
    let mut statement = db.prepare_cached(sql::BINDINGS_PAGE)?;
    let rows = statement.query_map([after, limit], |row| {
        let id: i64 = row.get(0)?;
        let connection: String = row.get(1)?;
        let binding = state::binding(row, 2)?;
        // Behind it stands the account of what was put aside, which the origin tells, too.
        let connection = connection.split('/').next();
        let record = json!({
            "connection": connection,
            "kind": binding.kind,
            "key": binding.key,
            "origin": binding.origin,
            "fingerprint": binding.fingerprint.as_deref().map(hex::encode),
        });
        Ok((id.to_string(), record))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn runs(db: &Connection, after: &str, limit: i64) -> Result<Vec<Placed>, Halt> {
    let mut statement = db.prepare_cached(sql::RUNS_PAGE)?;
    let mut rows = statement.query(rusqlite::params![after, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let doc = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        found.push((row.get(0)?, serde_json::from_str(doc)?));
    }
    Ok(found)
}

/// A file that lies on an order.
pub(crate) fn attachment(db: &Connection, order: &str, file_name: &str) -> Result<Vec<u8>, Halt> {
    let filed: Filed<Order> = record::existing(db, order)?;
    match record::value(db, sql::ATTACHMENT, &[&filed.id, &file_name])? {
        Some(content) => Ok(content),
        None => {
            let reason = Reason::new("platform.no-such-file");
            refuse(reason.arg("order", order).arg("file", file_name))
        }
    }
}
