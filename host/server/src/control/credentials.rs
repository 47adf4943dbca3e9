//! Sealed credentials by their places. Nothing here has a key: to this table they are bytes.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use tenon_host::CredentialPlace;
use tenon_host::ids::{ConnectionId, TenantId};

/// A stored credential.
pub struct Stored {
    tenant: TenantId,
    connection: ConnectionId,
    name: String,
    /// What is stored.
    pub sealed: Vec<u8>,
}

impl Stored {
    /// Where it is.
    pub fn place(&self) -> CredentialPlace<'_> {
        CredentialPlace {
            tenant: &self.tenant,
            connection: &self.connection,
            name: &self.name,
        }
    }
}

/// What people see of a stored credential.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// The connection that uses it.
    pub connection: String,
    /// Its name in the connector's manifest.
    pub name: String,
    /// When it was set.
    pub changed_at: Timestamp,
}

/// Stores a credential in place of the one that is there.
pub fn put(
    db: &Connection,
    place: CredentialPlace<'_>,
    sealed: &[u8],
    now: Timestamp,
) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO credentials VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET sealed = excluded.sealed, changed_at = excluded.changed_at",
        params![
            place.tenant.as_str(),
            place.connection.as_str(),
            place.name,
            sealed,
            now.as_millisecond(),
        ],
    )
    .map(drop)
}

/// The sealed credential of a place.
pub fn get(db: &Connection, place: CredentialPlace<'_>) -> rusqlite::Result<Option<Vec<u8>>> {
    db.prepare_cached(
        "SELECT sealed FROM credentials WHERE tenant = ?1 AND connection = ?2 AND name = ?3",
    )?
    .query_row(key(&place), |row| row.get(0))
    .optional()
}

/// The sealed credentials of a connection, by name.
pub fn of_connection(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> rusqlite::Result<Vec<(String, Vec<u8>)>> {
    db.prepare_cached("SELECT name, sealed FROM credentials WHERE tenant = ?1 AND connection = ?2")?
        .query_map([tenant.as_str(), connection.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect()
}

/// Puts the same credential, sealed anew, in its place.
pub fn replace(db: &Connection, place: CredentialPlace<'_>, sealed: &[u8]) -> rusqlite::Result<()> {
    let [tenant, connection, name] = key(&place);
    db.prepare_cached(
        "UPDATE credentials SET sealed = ?4 WHERE tenant = ?1 AND connection = ?2 AND name = ?3",
    )?
    .execute(params![tenant, connection, name, sealed])
    .map(drop)
}

/// Removes a credential; tells whether there was one.
pub fn remove(db: &Connection, place: CredentialPlace<'_>) -> rusqlite::Result<bool> {
    let removed = db.execute(
        "DELETE FROM credentials WHERE tenant = ?1 AND connection = ?2 AND name = ?3",
        key(&place),
    )?;
    Ok(removed > 0)
}

/// The credentials of a tenant, by connection and name.
pub fn list(db: &Connection, tenant: &TenantId) -> anyhow::Result<Vec<Listed>> {
    let mut statement = db.prepare(
        "SELECT connection, name, changed_at FROM credentials WHERE tenant = ?1
         ORDER BY connection, name",
    )?;
    let mut rows = statement.query([tenant.as_str()])?;
    let mut listed = Vec::new();
    while let Some(row) = rows.next()? {
        listed.push(Listed {
            connection: row.get(0)?,
            name: row.get(1)?,
            changed_at: Timestamp::from_millisecond(row.get(2)?)?,
        });
    }
    Ok(listed)
}

/// All credentials of all tenants.
pub fn all(db: &Connection) -> anyhow::Result<Vec<Stored>> {
    select(
        db,
        "SELECT tenant, connection, name, sealed FROM credentials",
    )
}

/// One of the stored credentials; none where there is none.
pub fn any(db: &Connection) -> anyhow::Result<Option<Stored>> {
    let sql = "SELECT tenant, connection, name, sealed FROM credentials LIMIT 1";
    Ok(select(db, sql)?.pop())
}

fn select(db: &Connection, sql: &str) -> anyhow::Result<Vec<Stored>> {
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut stored = Vec::new();
    while let Some(row) = rows.next()? {
        stored.push(Stored {
            tenant: row.get::<_, String>(0)?.parse()?,
            connection: row.get::<_, String>(1)?.parse()?,
            name: row.get(2)?,
            sealed: row.get(3)?,
        });
    }
    Ok(stored)
}

/// Whether there are none.
pub fn is_empty(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("SELECT NOT EXISTS (SELECT 1 FROM credentials)", [], |row| {
        row.get(0)
    })
}

fn key<'a>(place: &CredentialPlace<'a>) -> [&'a str; 3] {
    [place.tenant.as_str(), place.connection.as_str(), place.name]
}
