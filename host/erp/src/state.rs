//! What a connection keeps: storage, bindings, timers and the reports of its runs.

use jiff::SignedDuration;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tenon_host::model::{Fault, Key, Origin, Reason};
use tenon_host::platform::{Account, Binding, Timer};
use tenon_host::report::RunReport;

use crate::book::{Halt, refuse};
use crate::feed::bounds;
use crate::{record, sql};

pub(crate) fn account(db: &Connection, connection: &str) -> Result<Option<Account>, Halt> {
    let doc: Option<String> = record::value(db, sql::ACCOUNT, &[&connection])?;
    Ok(doc.map(|doc| serde_json::from_str(&doc)).transpose()?)
}

/// The accounts that connections of the tenant have or had.
pub(crate) fn accounts(db: &Connection) -> Result<Vec<Account>, Halt> {
    let mut statement = db.prepare_cached(sql::ACCOUNTS)?;
    let mut rows = statement.query([])?;
    let mut accounts = Vec::new();
    while let Some(row) = rows.next()? {
        let doc = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        accounts.push(serde_json::from_str(doc)?);
    }
    Ok(accounts)
}

/// Keeps the account of a connection; what the connection keeps of another one is put aside.
pub(crate) fn set_account(
    db: &Connection,
    connection: &str,
    account: &Account,
) -> Result<(), Halt> {
    let before = self::account(db, connection)?;
    if let Some(before) = before.filter(|before| before.id != account.id) {
        move_kept(db, connection, &aside(connection, &before.id))?;
        move_kept(db, &aside(connection, &account.id), connection)?;
        drop_snapshot(db, connection)?;
    }
    let doc = serde_json::to_string(account)?;
    db.prepare_cached(sql::LEAVE_ACCOUNT)?
        .execute([connection, &account.id])?;
    db.prepare_cached(sql::ENTER_ACCOUNT)?
        .execute([connection, &account.id, &doc])?;
    Ok(())
}

/// Where a connection keeps what is another account's. No connection has such a name.
fn aside(connection: &str, account: &str) -> String {
    format!("{connection}/{account}")
}

fn move_kept(db: &Connection, from: &str, to: &str) -> Result<(), Halt> {
    let all = [
        sql::MOVE_STORAGE,
        sql::MOVE_STORAGE_SIZE,
        sql::MOVE_BINDINGS,
        sql::MOVE_TIMERS,
    ];
    for sql in all {
        db.prepare_cached(sql)?.execute([from, to])?;
    }
    Ok(())
}

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

pub(crate) fn unbind_origins(
    db: &Connection,
    connection: &str,
    kind: &str,
    origins: &[Origin],
) -> Result<(), Halt> {
    let mut statement = db.prepare_cached(sql::UNBIND_ORIGIN)?;
    for origin in origins {
        statement.execute([connection, kind, origin])?;
    }
    Ok(())
}

/// What people look for among bindings.
pub(crate) struct Search {
    pub(crate) kind: Option<String>,
    /// Part of a key or an origin, in any case; empty is part of all.
    pub(crate) text: String,
    pub(crate) after: Option<String>,
    pub(crate) limit: u32,
}

/// A page of bindings by kind and origin. A cursor names the first of the next page, or what will
/// stand in its place by then.
pub(crate) fn search_bindings(
    db: &Connection,
    connection: &str,
    search: &Search,
) -> Result<(Vec<Binding>, Option<String>), Halt> {
    let (limit, probe) = bounds(search.limit);
    let (from_kind, from_origin) = match search.after.as_deref().map(serde_json::from_str) {
        None => (String::new(), String::new()),
        Some(Ok(place)) => place,
        Some(Err(_)) => return refuse(Reason::new("platform.not-a-page")),
    };
    let (sql, kind) = match &search.kind {
        Some(kind) => (sql::SEARCH_BINDINGS_OF_KIND, kind),
        None => (sql::SEARCH_BINDINGS, &from_kind),
    };
    let mut statement = db.prepare_cached(sql)?;
    let from = params![connection, kind, from_origin, search.text, probe];
    let mut found = statement
        .query_map(from, |row| binding(row, 0))?
        .collect::<Result<Vec<_>, _>>()?;
    let next = match found.get(limit) {
        Some(first) => Some(serde_json::to_string(&(&first.kind, &first.origin))?),
        None => None,
    };
    found.truncate(limit);
    Ok((found, next))
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

/// How long reports are kept.
const REPORTS_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Old reports that go at one time, so that no commit takes long for that.
const FORGOTTEN: u32 = 500;

/// Keeps a report, and forgets some that are old. An id begins with the time when its run did.
pub(crate) fn keep_report(
    db: &Connection,
    connection: &str,
    report: &RunReport,
) -> Result<(), Halt> {
    let doc = serde_json::to_string(report)?;
    db.prepare_cached(sql::KEEP_RUN)?
        .execute(params![report.id, connection, doc])?;
    if let Ok(before) = report.started_at.checked_sub(REPORTS_KEPT) {
        let before = before.strftime("%Y%m%dT%H%M%S").to_string();
        db.prepare_cached(sql::FORGET_RUNS)?
            .execute(params![before, FORGOTTEN])?;
    }
    Ok(())
}

/// The report of the run with this fence. Its id begins with the time when the run did, which was not
/// before `begun`.
pub(crate) fn kept_report(
    db: &Connection,
    connection: &str,
    begun: jiff::Timestamp,
    fence: u64,
) -> Result<Option<RunReport>, Halt> {
    let from = begun.strftime("%Y%m%dT%H%M%S").to_string();
    let fence = i64::try_from(fence).unwrap_or(i64::MAX);
    let doc: Option<String> = record::value(db, sql::KEPT_RUN, &[&from, &connection, &fence])?;
    Ok(doc.map(|doc| serde_json::from_str(&doc)).transpose()?)
}

/// Timers that have come due, the earliest first.
pub(crate) fn due_timers(
    db: &Connection,
    connection: &str,
    now: jiff::Timestamp,
    limit: u32,
) -> Result<Vec<Timer>, Halt> {
    let mut statement = db.prepare_cached(sql::DUE_TIMERS)?;
    let now = now.as_millisecond();
    let timers = statement.query_map(params![connection, now, limit], |row| {
        Ok(Timer {
            name: row.get(0)?,
            job: row.get(1)?,
            due: instant(row, 2)?,
            argument: row.get(3)?,
        })
    })?;
    Ok(timers.collect::<Result<_, _>>()?)
}

pub(crate) fn next_timer(
    db: &Connection,
    connection: &str,
) -> Result<Option<jiff::Timestamp>, Halt> {
    let mut statement = db.prepare_cached(sql::NEXT_TIMER)?;
    let due = statement.query_row([connection], |row| instant(row, 0));
    Ok(due.optional()?)
}

/// Moves all timers of a connection by a span.
pub(crate) fn move_timers(
    db: &Connection,
    connection: &str,
    by: SignedDuration,
) -> Result<(), Halt> {
    let by = i64::try_from(by.as_millis()).unwrap_or_default();
    db.prepare_cached(sql::MOVE_DUE)?
        .execute(params![connection, by])?;
    Ok(())
}

pub(crate) fn drop_timers(db: &Connection, connection: &str, timers: &[Timer]) -> Result<(), Halt> {
    let mut statement = db.prepare_cached(sql::DROP_TIMER)?;
    for timer in timers {
        statement.execute(params![
            connection,
            timer.name,
            timer.job,
            timer.due.as_millisecond(),
            timer.argument
        ])?;
    }
    Ok(())
}

/// Keeps the token of who does the work of the connection from now on, unless a higher one is kept.
pub(crate) fn raise_fence(db: &Connection, connection: &str, token: i64) -> Result<(), Halt> {
    let raised = db
        .prepare_cached(sql::RAISE_FENCE)?
        .execute(params![connection, token])?;
    if raised == 0 {
        return Err(taken_over().into());
    }
    Ok(())
}

pub(crate) fn fence(db: &Connection, connection: &str) -> Result<Option<i64>, Halt> {
    Ok(record::value(db, sql::FENCE, &[&connection])?)
}

/// Why somebody whose token is not the one that is kept changes nothing.
pub(crate) fn taken_over() -> Fault {
    Fault::Transient(Reason::new("platform.taken-over"))
}

/// Does these with the connection, in their order.
fn each_of(db: &Connection, connection: &str, statements: &[&str]) -> Result<(), Halt> {
    for sql in statements {
        db.prepare_cached(sql)?.execute([connection])?;
    }
    Ok(())
}

pub(crate) fn snapshot(db: &Connection, connection: &str, state_version: u32) -> Result<(), Halt> {
    drop_snapshot(db, connection)?;
    db.prepare_cached(sql::OPEN_SNAPSHOT)?
        .execute(params![connection, state_version])?;
    let keep = [sql::KEEP_STORAGE, sql::KEEP_BINDINGS, sql::KEEP_TIMERS];
    each_of(db, connection, &keep)
}

pub(crate) fn drop_snapshot(db: &Connection, connection: &str) -> Result<(), Halt> {
    each_of(db, connection, &[sql::REMOVE_SNAPSHOT])
}

pub(crate) fn restore(db: &Connection, connection: &str, state_version: u32) -> Result<bool, Halt> {
    let snapshot: Option<u32> = record::value(db, sql::SNAPSHOT, &[&connection])?;
    if snapshot != Some(state_version) {
        return Ok(false);
    }
    let restore = [
        sql::REMOVE_STORAGE,
        sql::RESTORE_STORAGE,
        sql::DOUBT_BINDINGS,
        sql::RESTORE_BINDINGS,
        sql::REMOVE_TIMERS,
        sql::RESTORE_TIMERS,
        sql::REMOVE_SNAPSHOT,
    ];
    each_of(db, connection, &restore)?;
    Ok(true)
}

/// Removes all that a connection keeps. Which accounts it had is remembered: their records are still
/// there.
pub(crate) fn forget(db: &Connection, connection: &str) -> Result<(), Halt> {
    let kept = [
        sql::REMOVE_STORAGE,
        sql::REMOVE_STORAGE_SIZE,
        sql::REMOVE_BINDINGS,
        sql::REMOVE_TIMERS,
    ];
    let accounts: Vec<String> = db
        .prepare_cached(sql::OWN_ACCOUNTS)?
        .query_map([connection], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for account in accounts {
        each_of(db, &aside(connection, &account), &kept)?;
    }
    each_of(db, connection, &kept)?;
    let rest = [
        sql::REMOVE_SNAPSHOT,
        sql::DISOWN_ACCOUNTS,
        sql::REMOVE_RUNS,
        sql::REMOVE_FENCE,
    ];
    each_of(db, connection, &rest)
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
