//! What runs logged, so that a shop's people can read it afterwards, for a connection or a record.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::observe::Level;
use tenon_host::reason::Reason;

use super::columns;
use crate::told;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When it was written.
    pub at: Timestamp,
    /// The connection.
    pub connection: String,
    /// The job that ran.
    pub job: String,
    /// `info`, `warn` or `error`.
    pub level: String,
    /// The record that it is about.
    pub record: Option<String>,
    /// What happened, in English.
    pub message: String,
    /// The same for every language; none of lines for developers.
    pub why: Option<Reason>,
    /// The run, when a server started it.
    pub run: Option<String>,
}

/// Which lines are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Whose.
    pub tenant: &'a TenantId,
    /// Of one connection only.
    pub connection: Option<&'a ConnectionId>,
    /// About one record only.
    pub record: Option<&'a str>,
    /// The newest so many.
    pub most: u32,
}

/// The name of a level in the log.
pub fn level(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

/// Writes lines.
pub fn append(db: &Connection, tenant: &TenantId, lines: &[Line]) -> rusqlite::Result<()> {
    let mut insert = db.prepare_cached(
        "INSERT INTO run_log (tenant, connection, job, at, level, record, message, run, why)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for line in lines {
        insert.execute(params![
            tenant.as_str(),
            line.connection,
            line.job,
            line.at.as_millisecond(),
            line.level,
            line.record,
            line.message,
            line.run,
            told::why_json(line.why.as_ref())?,
        ])?;
    }
    Ok(())
}

/// Forgets some of a tenant's lines from before a moment, the oldest first; tells how many.
pub fn forget(
    db: &Connection,
    tenant: &TenantId,
    before: Timestamp,
    limit: u32,
) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "DELETE FROM run_log WHERE rowid IN (
             SELECT rowid FROM run_log WHERE tenant = ?1 AND at < ?2 ORDER BY at LIMIT ?3)",
    )?
    .execute(params![tenant.as_str(), before.as_millisecond(), limit])
}

/// From when on a tenant's newest `most` lines are; none when it has no more than those.
pub fn newest_since(
    db: &Connection,
    tenant: &TenantId,
    most: u32,
) -> rusqlite::Result<Option<Timestamp>> {
    let last = "SELECT at FROM run_log WHERE tenant = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2 - 1";
    let more = "SELECT 1 FROM run_log WHERE tenant = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2";
    if !db
        .prepare_cached(more)?
        .exists(params![tenant.as_str(), most])?
    {
        return Ok(None);
    }
    db.prepare_cached(last)?
        .query_row(params![tenant.as_str(), most], |row| {
            columns::time(row, "at")
        })
        .map(Some)
}

/// Which lines of a server's log are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a> {
    /// Whose.
    pub tenant: &'a TenantId,
    /// Of one connection only.
    pub connection: Option<&'a ConnectionId>,
    /// About one record only.
    pub record: Option<&'a str>,
    /// Of one run only.
    pub run: Option<&'a str>,
    /// This grave or graver.
    pub level: Option<&'a str>,
    /// Older than this line.
    pub after: Option<Place>,
    /// So many at most.
    pub limit: u32,
}

/// Where a line stands: its time and its number.
pub type Place = (i64, i64);

/// The wanted lines, the newest first, each with its place.
pub fn page(db: &Connection, filter: Filter<'_>) -> rusqlite::Result<Vec<(Place, Line)>> {
    let (at, number) = filter.after.unwrap_or((i64::MAX, i64::MAX));
    // Which index serves depends on what is asked for; each of them is of few lines.
    let place = match filter {
        Filter { run: Some(_), .. } => "run = ?4",
        Filter {
            record: Some(_), ..
        } => "tenant = ?1 AND record = ?3",
        Filter {
            connection: Some(_),
            ..
        } => "tenant = ?1 AND connection = ?2",
        Filter { .. } => "tenant = ?1",
    };
    db.prepare_cached(&format!(
        "SELECT at, connection, job, level, record, message, run, why, rowid FROM run_log
         WHERE {place} AND tenant = ?1 AND (?2 IS NULL OR connection = ?2)
             AND (?3 IS NULL OR record = ?3) AND (?4 IS NULL OR run = ?4)
             AND CASE ?5 WHEN 'error' THEN level = 'error'
                         WHEN 'warn' THEN level IN ('warn', 'error') ELSE TRUE END
             AND (at, rowid) < (?6, ?7)
         ORDER BY at DESC, rowid DESC LIMIT ?8"
    ))?
    .query_map(
        params![
            filter.tenant.as_str(),
            filter.connection.map(ConnectionId::as_str),
            filter.record,
            filter.run,
            filter.level,
            at,
            number,
            filter.limit,
        ],
        |row| Ok(((row.get(0)?, row.get("rowid")?), line(row)?)),
    )?
    .collect()
}

/// The newest wanted lines, oldest first.
pub fn read(db: &Connection, wanted: Wanted<'_>) -> rusqlite::Result<Vec<Line>> {
    let mut select = db.prepare(
        "SELECT at, connection, job, level, record, message, run, why FROM run_log
         WHERE tenant = ?1 AND (?2 IS NULL OR connection = ?2) AND (?3 IS NULL OR record = ?3)
         ORDER BY at DESC, rowid DESC LIMIT ?4",
    )?;
    let connection = wanted.connection.map(ConnectionId::as_str);
    let rows = select.query_map(
        params![
            wanted.tenant.as_str(),
            connection,
            wanted.record,
            wanted.most
        ],
        line,
    )?;
    let mut lines = rows.collect::<Result<Vec<_>, _>>()?;
    lines.reverse();
    Ok(lines)
}

fn line(row: &Row<'_>) -> rusqlite::Result<Line> {
    Ok(Line {
        at: Timestamp::from_millisecond(row.get(0)?).unwrap_or(Timestamp::UNIX_EPOCH),
        connection: row.get(1)?,
        job: row.get(2)?,
        level: row.get(3)?,
        record: row.get(4)?,
        message: row.get(5)?,
        run: row.get(6)?,
        why: told::read_why(row, "why")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: i64, connection: &str, record: Option<&str>) -> Line {
        Line {
            at: Timestamp::from_millisecond(at).unwrap(),
            connection: connection.to_owned(),
            job: "orders".to_owned(),
            level: "info".to_owned(),
            record: record.map(str::to_owned),
            message: format!("at {at}"),
            why: Some(Reason::new("a.code").arg("at", at)),
            run: None,
        }
    }

    #[test]
    fn lines_are_read_by_tenant_connection_and_record_and_old_ones_are_forgotten() {
        let mut db = Connection::open_in_memory().unwrap();
        crate::control::schema::MIGRATIONS
            .to_latest(&mut db)
            .unwrap();
        let (shop, other): (TenantId, TenantId) =
            ("shop".parse().unwrap(), "other".parse().unwrap());
        let start = 1_000;
        append(&db, &other, &[line(start, "a", Some("7"))]).unwrap();
        let lines = [
            line(start, "a", None),
            line(start + 1, "a", Some("7")),
            line(start + 2, "b", Some("7")),
        ];
        let old = [0, 1, 2].map(|at| line(at, "a", None));
        append(&db, &shop, &old).unwrap();
        append(&db, &shop, &lines).unwrap();
        let before = Timestamp::from_millisecond(start).unwrap();
        let forget = |limit| forget(&db, &shop, before, limit).unwrap();
        assert_eq!((2, 1, 0), (forget(2), forget(2), forget(2)));
        let since = |most| newest_since(&db, &shop, most).unwrap();
        let begins = |at| Some(Timestamp::from_millisecond(at).unwrap());
        assert_eq!((begins(start + 1), None), (since(2), since(3)));
        let read = |connection: Option<&str>, record, most| {
            let connection = connection.map(|name| name.parse::<ConnectionId>().unwrap());
            let wanted = Wanted {
                tenant: &shop,
                connection: connection.as_ref(),
                record,
                most,
            };
            read(&db, wanted).unwrap()
        };
        assert_eq!(lines.to_vec(), read(None, None, 10));
        assert_eq!(lines[2..].to_vec(), read(None, None, 1));
        assert_eq!(lines[..2].to_vec(), read(Some("a"), None, 10));
        assert_eq!(lines[1..2].to_vec(), read(Some("a"), Some("7"), 10));
    }
}
