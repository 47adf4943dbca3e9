//! When each job of a connection that is on runs next.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, Row, params};
use sha2::{Digest as _, Sha256};
use tenon_host::ids::{ConnectionId, TenantId};

use super::connections::{Window, time_of_day};
use super::{Failure, columns};

/// A job that runs by itself, such as one that is due.
#[derive(Clone, Debug)]
pub struct Due {
    /// Whose.
    pub tenant: TenantId,
    /// Of which connection.
    pub connection: ConnectionId,
    /// The job.
    pub job: String,
    /// Its schedule.
    pub cron: String,
    /// The tenant's time zone.
    pub zone: TimeZone,
    /// When runs of the connection begin.
    pub window: Option<Window>,
    /// When it runs next.
    at: i64,
}

impl Due {
    /// Tells jobs of connections apart, and is the same for one of them always.
    pub fn seed(&self) -> u64 {
        seed(&self.tenant, &self.connection, &self.job)
    }

    /// Whether it runs next after a moment.
    pub fn is_after(&self, moment: Timestamp) -> bool {
        self.at > moment.as_millisecond()
    }
}

/// Tells jobs of connections apart, and is the same for one of them always.
pub fn seed(tenant: &TenantId, connection: &ConnectionId, job: &str) -> u64 {
    let text = format!("{}/{}/{job}", tenant.as_str(), connection.as_str());
    let digest: [u8; 32] = Sha256::digest(text).into();
    u64::from_le_bytes(digest[..8].try_into().unwrap_or_default())
}

const PLANNED: &str = "SELECT s.tenant, s.connection, s.job, s.cron, s.next_at,
        t.time_zone, c.window_from, c.window_to
    FROM schedules s
    JOIN connections c ON c.tenant = s.tenant AND c.id = s.connection
    JOIN tenants t ON t.id = s.tenant";

/// Up to `limit` jobs that are due, the longest waiting first.
pub fn due(db: &Connection, now: Timestamp, limit: u32) -> Result<Vec<Due>, Failure> {
    let sql =
        format!("{PLANNED} WHERE s.next_at <= ?1 AND c.state = 'on' ORDER BY s.next_at LIMIT ?2");
    let mut select = db.prepare_cached(&sql)?;
    select
        .query_and_then(params![now.as_millisecond(), limit], planned)?
        .collect()
}

/// All jobs that run by themselves.
pub fn all(db: &Connection) -> Result<Vec<Due>, Failure> {
    db.prepare(PLANNED)?.query_and_then([], planned)?.collect()
}

fn planned(row: &Row<'_>) -> Result<Due, Failure> {
    let zone: String = row.get(5)?;
    let hours: (Option<String>, Option<String>) = (row.get(6)?, row.get(7)?);
    Ok(Due {
        tenant: columns::parsed(row, "tenant")?,
        connection: columns::parsed(row, "connection")?,
        job: row.get(2)?,
        cron: row.get(3)?,
        at: row.get(4)?,
        zone: TimeZone::get(&zone).map_err(Failure::new)?,
        window: match hours {
            (Some(from), Some(to)) => Some(Window {
                from: time_of_day(&from).map_err(Failure::new)?,
                to: time_of_day(&to).map_err(Failure::new)?,
            }),
            _ => None,
        },
    })
}

/// How many jobs were due before a moment, of connections that are on and not held for maintenance.
pub fn overdue(db: &Connection, before: Timestamp) -> rusqlite::Result<u64> {
    let count: i64 = db
        .prepare_cached(
            "SELECT count(*) FROM schedules s
             JOIN at_work w ON w.tenant = s.tenant AND w.id = s.connection
             WHERE s.next_at <= ?1",
        )?
        .query_row([before.as_millisecond()], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Sets the next time of a job that was due; none removes it. A time that somebody set meanwhile
/// stays.
pub fn advance(db: &Connection, due: &Due, next: Option<Timestamp>) -> Result<(), Failure> {
    let (tenant, connection) = (due.tenant.as_str(), due.connection.as_str());
    match next {
        Some(next) => db
            .prepare_cached(
                "UPDATE schedules SET next_at = ?5
                 WHERE tenant = ?1 AND connection = ?2 AND job = ?3 AND next_at = ?4",
            )?
            .execute(params![
                tenant,
                connection,
                due.job,
                due.at,
                next.as_millisecond()
            ])?,
        None => db.execute(
            "DELETE FROM schedules
             WHERE tenant = ?1 AND connection = ?2 AND job = ?3 AND next_at = ?4",
            params![tenant, connection, due.job, due.at],
        )?,
    };
    Ok(())
}

/// Tenants of which a connection that is on has a timer that came due, the longest due first.
pub fn tenants_to_wake(db: &Connection, now: Timestamp) -> rusqlite::Result<Vec<TenantId>> {
    db.prepare_cached(
        "SELECT tenant FROM connections INDEXED BY connections_by_wake
         WHERE wake_at <= ?1 AND state = 'on' GROUP BY tenant ORDER BY min(wake_at)",
    )?
    .query_map([now.as_millisecond()], |row| columns::parsed(row, "tenant"))?
    .collect()
}

/// Up to `limit` connections of a tenant that are on and have a timer that came due, the longest due
/// first.
pub fn to_wake(
    db: &Connection,
    tenant: &TenantId,
    now: Timestamp,
    limit: u32,
) -> rusqlite::Result<Vec<ConnectionId>> {
    db.prepare_cached(
        "SELECT id FROM connections WHERE tenant = ?1 AND wake_at <= ?2 AND state = 'on'
         ORDER BY wake_at LIMIT ?3",
    )?
    .query_map(
        params![tenant.as_str(), now.as_millisecond(), limit],
        |row| columns::parsed(row, "id"),
    )?
    .collect()
}

/// Puts these schedules, by job with their next times, in the place of those of a connection.
pub fn replace(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    schedules: &BTreeMap<String, (String, Timestamp)>,
) -> Result<(), Failure> {
    db.execute(
        "DELETE FROM schedules WHERE tenant = ?1 AND connection = ?2",
        [tenant.as_str(), connection.as_str()],
    )?;
    let mut insert = db.prepare_cached("INSERT INTO schedules VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (job, (cron, next)) in schedules {
        insert.execute(params![
            tenant.as_str(),
            connection.as_str(),
            job,
            cron,
            next.as_millisecond()
        ])?;
    }
    Ok(())
}

/// The schedules of a connection's jobs, each with its next time.
pub fn of(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> rusqlite::Result<BTreeMap<String, (String, Timestamp)>> {
    db.prepare_cached(
        "SELECT job, cron, next_at FROM schedules WHERE tenant = ?1 AND connection = ?2",
    )?
    .query_map([tenant.as_str(), connection.as_str()], |row| {
        Ok((
            row.get("job")?,
            (row.get("cron")?, columns::time(row, "next_at")?),
        ))
    })?
    .collect()
}
