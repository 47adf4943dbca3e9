//! What a connection keeps: storage, bindings, timers and the reports of its runs.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tenon_host::ids::ConnectionId;
use tenon_host::model::{Key, Origin};
use tenon_host::platform::{Binding, Timer};
use tenon_host::report::RunReport;

use crate::book::Halt;
use crate::{record, sql};

pub(crate) fn get(
    db: &Connection,
    connection: &str,
    keys: &[String],
) -> Result<Vec<Option<Vec<u8>>>, Halt> {
    keys.iter()
        .map(|key| Ok(record::value(db, sql::STORED, &[&connection, key])?))
        .collect()
}

pub(crate) fn set(
    db: &Connection,
    connection: &str,
    entries: &[(String, Vec<u8>)],
) -> Result<(), Halt> {
    let mut statement = db.prepare_cached(sql::STORE)?;
    for (key, value) in entries {
        statement.execute(params![connection, key, value])?;
    }
    Ok(())
}

pub(crate) fn delete(db: &Connection, connection: &str, keys: &[String]) -> Result<(), Halt> {
    let mut statement = db.prepare_cached(sql::UNSTORE)?;
    for key in keys {
        statement.execute([connection, key])?;
    }
    Ok(())
}

pub(crate) fn scan(
    db: &Connection,
    connection: &str,
    prefix: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<(String, Vec<u8>)>, Halt> {
    // Keys with a prefix lie side by side, so the first without it ends the scan.
    let (sql, from) = match after {
        Some(after) if after >= prefix => (sql::SCAN_AFTER, after),
        _ => (sql::SCAN_FROM, prefix),
    };
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![connection, from, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        if !key.starts_with(prefix) {
            break;
        }
        found.push((key, row.get(1)?));
    }
    Ok(found)
}

pub(crate) fn stored_bytes(db: &Connection, connection: &str) -> Result<u64, Halt> {
    let bytes: Option<i64> = record::value(db, sql::STORED_BYTES, &[&connection])?;
    Ok(bytes.unwrap_or(0).unsigned_abs())
}

pub(crate) fn binding(row: &Row<'_>, first: usize) -> rusqlite::Result<Binding> {
    Ok(Binding {
        kind: row.get(first)?,
        key: row.get(first + 1)?,
        origin: row.get(first + 2)?,
        fingerprint: row.get(first + 3)?,
    })
}

fn bindings(
    db: &Connection,
    sql: &str,
    connection: &str,
    kind: &str,
    by: &[String],
) -> Result<Vec<Option<Binding>>, Halt> {
    let mut statement = db.prepare_cached(sql)?;
    by.iter()
        .map(|by| {
            let found = statement
                .query_row([connection, kind, by], |row| binding(row, 0))
                .optional()?;
            Ok(found)
        })
        .collect()
}

pub(crate) fn bindings_by_origin(
    db: &Connection,
    connection: &str,
    kind: &str,
    origins: &[Origin],
) -> Result<Vec<Option<Binding>>, Halt> {
    bindings(db, sql::BINDING_BY_ORIGIN, connection, kind, origins)
}

pub(crate) fn bindings_by_key(
    db: &Connection,
    connection: &str,
    kind: &str,
    keys: &[Key],
) -> Result<Vec<Option<Binding>>, Halt> {
    bindings(db, sql::BINDING_BY_KEY, connection, kind, keys)
}

pub(crate) fn bind(db: &Connection, connection: &str, bindings: &[Binding]) -> Result<(), Halt> {
    let mut statement = db.prepare_cached(sql::BIND)?;
    for binding in bindings {
        statement.execute(params![
            connection,
            binding.kind,
            binding.origin,
            binding.key,
            binding.fingerprint
        ])?;
    }
    Ok(())
}

pub(crate) fn unbind(
    db: &Connection,
    connection: &str,
    kind: &str,
    keys: &[Key],
) -> Result<(), Halt> {
    let mut statement = db.prepare_cached(sql::UNBIND)?;
    for key in keys {
        statement.execute([connection, kind, key])?;
    }
    Ok(())
}

pub(crate) fn set_timer(db: &Connection, connection: &str, timer: &Timer) -> Result<(), Halt> {
    db.prepare_cached(sql::SET_TIMER)?.execute(params![
        connection,
        timer.name,
        timer.job,
        timer.due.as_millisecond(),
        timer.argument
    ])?;
    Ok(())
}

pub(crate) fn timers(db: &Connection, connection: &str) -> Result<u64, Halt> {
    let count: Option<i64> = record::value(db, sql::COUNT_TIMERS, &[&connection])?;
    Ok(count.unwrap_or(0).unsigned_abs())
}

pub(crate) fn cancel_timer(db: &Connection, connection: &str, name: &str) -> Result<(), Halt> {
    db.prepare_cached(sql::CANCEL_TIMER)?
        .execute([connection, name])?;
    Ok(())
}

pub(crate) fn keep_report(
    db: &Connection,
    connection: &str,
    report: &RunReport,
) -> Result<(), Halt> {
    let doc = serde_json::to_string(report)?;
    db.prepare_cached(sql::KEEP_RUN)?
        .execute(params![report.id, connection, doc])?;
    Ok(())
}

/// Timers that have come due, of all connections, the earliest first.
pub(crate) fn due_timers(
    db: &Connection,
    now: jiff::Timestamp,
) -> Result<Vec<(ConnectionId, Timer)>, Halt> {
    let mut statement = db.prepare_cached(sql::DUE_TIMERS)?;
    let timers = statement.query_map([now.as_millisecond()], |row| {
        let connection: String = row.get(0)?;
        let timer = Timer {
            name: row.get(1)?,
            job: row.get(2)?,
            due: instant(row, 3)?,
            argument: row.get(4)?,
        };
        Ok((
            connection.parse().map_err(|error| damaged(0, error))?,
            timer,
        ))
    })?;
    Ok(timers.collect::<Result<_, _>>()?)
}

fn instant(row: &Row<'_>, column: usize) -> rusqlite::Result<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(row.get(column)?).map_err(|error| damaged(column, error))
}

fn damaged(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Null, Box::new(error))
}
