//! Records that the last run which met them could not take.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use tenon_host::ids::{ConnectionId, TenantId};

use super::columns;

/// A record that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRecord {
    /// Kind of record, as the connector names it.
    pub kind: String,
    /// Number or id that people know it by.
    pub id: String,
    /// What is wrong with it.
    pub reason: String,
    /// The job that met it.
    pub job: String,
    /// The run that met it.
    pub run: String,
    /// When.
    pub at: Timestamp,
}

/// Takes note of a failed record, in place of what is known of it.
pub fn put(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    record: &FailedRecord,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO failed_records (tenant, connection, kind, id, reason, job, run, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT DO UPDATE SET reason = excluded.reason, job = excluded.job,
             run = excluded.run, at = excluded.at",
    )?
    .execute(params![
        tenant.as_str(),
        connection.as_str(),
        record.kind,
        record.id,
        record.reason,
        record.job,
        record.run,
        record.at.as_millisecond(),
    ])
    .map(drop)
}

/// Forgets a record that was taken after all; tells whether it was there.
pub fn remove(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    kind: &str,
    id: &str,
) -> rusqlite::Result<bool> {
    let removed = db
        .prepare_cached(
            "DELETE FROM failed_records
             WHERE tenant = ?1 AND connection = ?2 AND kind = ?3 AND id = ?4",
        )?
        .execute([tenant.as_str(), connection.as_str(), kind, id])?;
    Ok(removed > 0)
}

/// Forgets the records that a job met, because it has met all of its records anew.
pub fn remove_of_job(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    job: &str,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "DELETE FROM failed_records WHERE tenant = ?1 AND connection = ?2 AND job = ?3",
    )?
    .execute([tenant.as_str(), connection.as_str(), job])
    .map(drop)
}

/// The failed records of a connection by kind and id, those after one.
pub fn list(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    after: Option<(&str, &str)>,
    limit: u32,
) -> rusqlite::Result<Vec<FailedRecord>> {
    let (kind, id) = after.unwrap_or_default();
    db.prepare_cached(
        "SELECT kind, id, reason, job, run, at FROM failed_records
         WHERE tenant = ?1 AND connection = ?2 AND (kind, id) > (?3, ?4)
         ORDER BY kind, id LIMIT ?5",
    )?
    .query_map(
        params![tenant.as_str(), connection.as_str(), kind, id, limit],
        record,
    )?
    .collect()
}

/// How many there are of a connection.
pub fn count(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> rusqlite::Result<u64> {
    let count: i64 = db
        .prepare_cached(
            "SELECT count(*) FROM failed_records WHERE tenant = ?1 AND connection = ?2",
        )?
        .query_row([tenant.as_str(), connection.as_str()], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

fn record(row: &Row<'_>) -> rusqlite::Result<FailedRecord> {
    Ok(FailedRecord {
        kind: row.get("kind")?,
        id: row.get("id")?,
        reason: row.get("reason")?,
        job: row.get("job")?,
        run: row.get("run")?,
        at: columns::time(row, "at")?,
    })
}
