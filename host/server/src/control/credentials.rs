//! Sealed credentials by their places. Nothing here has a key: to this table they are bytes.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::Serialize;
use tenon_host::CredentialPlace;
use tenon_host::ids::{ConnectionId, TenantId};

use super::columns;
use crate::belonging::Belongs;

/// A stored credential.
pub struct Stored {
    tenant: TenantId,
    connection: ConnectionId,
    name: String,
    /// What is stored.
    pub sealed: Vec<u8>,
    /// Where it may be sent; none when that is not known yet.
    pub belongs: Option<Belongs>,
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
    /// Where it may be sent; none when that is not known yet.
    #[serde(skip)]
    pub belongs: Option<Belongs>,
}

/// A stored credential of a connection.
pub struct Named {
    /// Its name in the connector's manifest.
    pub name: String,
    /// What is stored.
    pub sealed: Vec<u8>,
    /// Where it may be sent; none when that is not known yet.
    pub belongs: Option<Belongs>,
}

/// Stores a credential in place of the one that is there.
pub fn put(
    db: &Connection,
    place: CredentialPlace<'_>,
    sealed: &[u8],
    belongs: Option<&Belongs>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO credentials (tenant, connection, name, sealed, changed_at, belongs)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET sealed = excluded.sealed, changed_at = excluded.changed_at,
             belongs = excluded.belongs",
        params![
            place.tenant.as_str(),
            place.connection.as_str(),
            place.name,
            sealed,
            now.as_millisecond(),
            belongs.map(columns::to_json).transpose()?,
        ],
    )
    .map(drop)
}

/// Takes down where a credential may be sent.
pub fn set_belongs(
    db: &Connection,
    place: CredentialPlace<'_>,
    belongs: &Belongs,
) -> rusqlite::Result<()> {
    let [tenant, connection, name] = key(&place);
    db.prepare_cached(
        "UPDATE credentials SET belongs = ?4 WHERE tenant = ?1 AND connection = ?2 AND name = ?3",
    )?
    .execute([tenant, connection, name, &columns::to_json(belongs)?])?;
    Ok(())
}

/// The sealed credential of a place.
pub fn get(db: &Connection, place: CredentialPlace<'_>) -> rusqlite::Result<Option<Named>> {
    db.prepare_cached(
        "SELECT name, sealed, belongs FROM credentials
         WHERE tenant = ?1 AND connection = ?2 AND name = ?3",
    )?
    .query_row(key(&place), named)
    .optional()
}

/// The sealed credentials of a connection.
pub fn of_connection(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> rusqlite::Result<Vec<Named>> {
    db.prepare_cached(
        "SELECT name, sealed, belongs FROM credentials WHERE tenant = ?1 AND connection = ?2",
    )?
    .query_map([tenant.as_str(), connection.as_str()], named)?
    .collect()
}

fn named(row: &Row<'_>) -> rusqlite::Result<Named> {
    Ok(Named {
        name: row.get("name")?,
        sealed: row.get("sealed")?,
        belongs: belongs(row)?,
    })
}

fn belongs(row: &Row<'_>) -> rusqlite::Result<Option<Belongs>> {
    match row.get::<_, Option<String>>("belongs")? {
        Some(_) => columns::json(row, "belongs").map(Some),
        None => Ok(None),
    }
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
        "SELECT connection, name, changed_at, belongs FROM credentials WHERE tenant = ?1
         ORDER BY connection, name",
    )?;
    let mut rows = statement.query([tenant.as_str()])?;
    let mut listed = Vec::new();
    while let Some(row) = rows.next()? {
        listed.push(Listed {
            connection: row.get(0)?,
            name: row.get(1)?,
            changed_at: Timestamp::from_millisecond(row.get(2)?)?,
            belongs: belongs(row)?,
        });
    }
    Ok(listed)
}

/// All credentials of all tenants.
pub fn all(db: &Connection) -> anyhow::Result<Vec<Stored>> {
    let sql = "SELECT tenant, connection, name, sealed, belongs FROM credentials";
    let mut statement = db.prepare(sql)?;
    let rows = statement.query_map([], stored)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The one that was set last.
pub fn latest(db: &Connection) -> rusqlite::Result<Option<Stored>> {
    let sql = "SELECT tenant, connection, name, sealed, belongs FROM credentials
        ORDER BY changed_at DESC LIMIT 1";
    db.query_row(sql, [], stored).optional()
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        tenant: columns::parsed(row, "tenant")?,
        connection: columns::parsed(row, "connection")?,
        name: row.get("name")?,
        sealed: row.get("sealed")?,
        belongs: belongs(row)?,
    })
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
