//! The moments that this database keeps and that time passes towards, and how they move when the clock
//! of the machine is set. What has happened stays as it was written down.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _};

use super::columns;

/// What is due after a span, or since one.
const SPANS: [&str; 7] = [
    "UPDATE requests SET due_at = due_at + ?1, lease_until = lease_until + ?1",
    "UPDATE line SET since = since + ?1, rises_at = rises_at + ?1",
    "UPDATE turns SET since = since + ?1",
    "UPDATE webhooks SET due_at = due_at + ?1",
    "UPDATE webhooks_seen SET until = until + ?1",
    "UPDATE repeats SET at = at + ?1",
    "UPDATE connections SET wake_at = wake_at + ?1 WHERE wake_at IS NOT NULL",
];

/// Moves all that is due after a span by as much as the clock was set.
pub fn shift(db: &Connection, by: SignedDuration) -> rusqlite::Result<()> {
    let by = i64::try_from(by.as_millis()).unwrap_or_default();
    for sql in SPANS {
        db.execute(sql, [by])?;
    }
    Ok(())
}

/// Keeps that a server was at work at this moment.
pub fn keep_alive(db: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE alive SET at = ?1")?
        .execute([now.as_millisecond()])
        .map(drop)
}

/// When a server was last at work here; none before the first one.
pub fn last_alive(db: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    db.prepare_cached("SELECT at FROM alive WHERE at IS NOT NULL")?
        .query_row([], |row| columns::time(row, "at"))
        .optional()
}
