//! Streams of changes: what changed after a position, oldest change first.

use rusqlite::{Connection, params};
use tenon_host::model::{Cursor, Key, OrderDirection, Reason};

use crate::book::{Halt, refuse};
use crate::record::{self, Record};
use crate::sql;

/// What a page holds at most, whatever its reader asks for.
const MOST: u32 = 1000;

/// A stream that tells of removals.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Products,
    Partners,
    Orders(OrderDirection),
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Stream::Products => "products",
            Stream::Partners => "partners",
            Stream::Orders(OrderDirection::Sale) => "sales",
            Stream::Orders(OrderDirection::Purchase) => "purchases",
        }
    }

    fn changed(self) -> &'static str {
        match self {
            Stream::Products => sql::PRODUCTS_CHANGED,
            Stream::Partners => sql::PARTNERS_CHANGED,
            Stream::Orders(OrderDirection::Sale) => sql::SALES_CHANGED,
            Stream::Orders(OrderDirection::Purchase) => sql::PURCHASES_CHANGED,
        }
    }
}

/// A part of a stream.
pub(crate) struct Page<R> {
    pub(crate) records: Vec<R>,
    pub(crate) removed: Vec<Key>,
    pub(crate) next: Cursor,
    pub(crate) more: bool,
}

enum Change<R> {
    Is(R),
    Removed(Key),
}

/// What changed after a cursor; none reads from the start.
pub(crate) fn changed<R: Record>(
    db: &Connection,
    stream: Stream,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<R>, Halt> {
    let after = position(after)?;
    let (limit, probe) = bounds(limit);
    let mut changes: Vec<(i64, Change<R>)> = record::many(db, stream.changed(), &[&after, &probe])?
        .into_iter()
        .map(|filed| (filed.head.position, Change::Is(filed.whole())))
        .collect();
    let mut removed = db.prepare_cached(sql::REMOVED)?;
    let mut rows = removed.query(params![stream.name(), after, probe])?;
    while let Some(row) = rows.next()? {
        changes.push((row.get(0)?, Change::Removed(row.get(1)?)));
    }
    changes.sort_by_key(|(position, _)| *position);
    let more = changes.len() > limit;
    changes.truncate(limit);
    let mut page = Page {
        records: Vec::with_capacity(changes.len()),
        removed: Vec::new(),
        next: changes.last().map_or(after, |(last, _)| *last).to_string(),
        more,
    };
    for (_, change) in changes {
        match change {
            Change::Is(record) => page.records.push(record),
            Change::Removed(key) => page.removed.push(key),
        }
    }
    Ok(page)
}

/// The position that a cursor stands for.
pub(crate) fn position(cursor: Option<&str>) -> Result<i64, Halt> {
    match cursor.map(str::parse) {
        None => Ok(0),
        Some(Ok(position)) if position >= 0 => Ok(position),
        Some(_) => {
            let cursor = cursor.unwrap_or_default();
            refuse(Reason::new("platform.not-a-cursor").arg("cursor", cursor))
        }
    }
}

/// The size of a page, and one more, which tells whether there is a next one.
pub(crate) fn bounds(limit: u32) -> (usize, i64) {
    let limit = limit.clamp(1, MOST);
    (limit as usize, i64::from(limit) + 1)
}

/// Tells the stream that a record is gone.
pub(crate) fn bury(
    db: &Connection,
    stream: Stream,
    position: i64,
    key: &str,
) -> rusqlite::Result<()> {
    db.prepare_cached(sql::BURY)?
        .execute(params![stream.name(), position, key])
        .map(drop)
}

/// A record of this key is there again: a page must not tell of both.
pub(crate) fn unbury(db: &Connection, stream: Stream, key: &str) -> rusqlite::Result<()> {
    db.prepare_cached(sql::UNBURY)?
        .execute(params![stream.name(), key])
        .map(drop)
}
