//! Who changed what, and when. A detail never holds a secret.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde_json::Value;
use tenon_host::ids::{ConnectionId, TenantId};

use super::columns;

/// Who acts when nobody asked: the host itself.
pub const HOST: &str = "host";

/// Who acts with a command on the machine of the server.
pub const COMMAND_LINE: &str = "command line";

/// Something that is to be remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// Name of the token that asked, or [`HOST`].
    pub actor: String,
    /// The tenant that it is about.
    pub tenant: Option<TenantId>,
    /// The connection that it is about.
    pub connection: Option<ConnectionId>,
    /// What was done, such as `connection.enable`.
    pub action: &'static str,
    /// More of it, without secrets.
    pub detail: Value,
}

/// Something that is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Grows with time.
    pub id: i64,
    /// When it was done.
    pub at: Timestamp,
    /// Who did it.
    pub actor: String,
    /// The tenant that it is about.
    pub tenant: Option<String>,
    /// The connection that it is about.
    pub connection: Option<String>,
    /// What was done.
    pub action: String,
    /// More of it.
    pub detail: Value,
}

/// Remembers something.
pub fn note(db: &Connection, note: &Note, now: Timestamp) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO audit (at, actor, tenant, connection, action, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        now.as_millisecond(),
        note.actor,
        note.tenant.as_ref().map(TenantId::as_str),
        note.connection.as_ref().map(ConnectionId::as_str),
        note.action,
        columns::to_json(&note.detail)?,
    ])
    .map(drop)
}

/// What is remembered, of one tenant or of all, the newest first; what is older than an entry. What a
/// tenant did that had the same name before is nothing to the present one.
pub fn list(
    db: &Connection,
    tenant: Option<&TenantId>,
    after: Option<i64>,
    limit: u32,
) -> rusqlite::Result<Vec<Entry>> {
    let after = after.unwrap_or(i64::MAX);
    match tenant {
        Some(tenant) => db
            .prepare_cached(
                "SELECT * FROM audit WHERE tenant = ?1 AND id < ?2
                     AND at >= coalesce((SELECT created_at FROM tenants WHERE id = ?1), 0)
                 ORDER BY id DESC LIMIT ?3",
            )?
            .query_map(params![tenant.as_str(), after, limit], entry)?
            .collect(),
        None => db
            .prepare_cached("SELECT * FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2")?
            .query_map(params![after, limit], entry)?
            .collect(),
    }
}

/// Forgets some of what was noted before a moment, the oldest; tells how much.
pub fn forget(db: &Connection, before: Timestamp, limit: u32) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "DELETE FROM audit
         WHERE id IN (SELECT id FROM audit ORDER BY id LIMIT ?2) AND at < ?1",
    )?
    .execute(params![before.as_millisecond(), limit])
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: row.get("id")?,
        at: columns::time(row, "at")?,
        actor: row.get("actor")?,
        tenant: row.get("tenant")?,
        connection: row.get("connection")?,
        action: row.get("action")?,
        detail: columns::json(row, "detail")?,
    })
}
