//! What is held for maintenance: everything, all connections of a connector, or those of a tenant.
//!
//! A connection that is held stays on. Its schedules come due, its webhooks come in and people may ask
//! for runs, but nothing of it runs before the maintenance ends. The view `at_work` has the connections
//! that are on and not held, the view `held` those that are, on or not.

use std::fmt;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tenon_host::ids::{BadName, ConnectionId, TenantId};

use super::columns;

/// What is held.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Held {
    /// Everything.
    All,
    /// The connections of a connector, in all tenants.
    Connector(String),
    /// The connections of a tenant.
    Tenant(TenantId),
}

impl Held {
    /// The kind of it, and its name; empty for everything.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Held::All => ("all", ""),
            Held::Connector(name) => ("connector", name),
            Held::Tenant(tenant) => ("tenant", tenant.as_str()),
        }
    }

    /// Whether a connection of this connector in this tenant is held by it.
    pub fn covers(&self, tenant: &TenantId, connector: &str) -> bool {
        match self {
            Held::All => true,
            Held::Connector(name) => name == connector,
            Held::Tenant(held) => held == tenant,
        }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (scope, "") => f.write_str(scope),
            (scope, name) => write!(f, "{scope} {name}"),
        }
    }
}

/// A maintenance that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// What is held.
    pub held: Held,
    /// What for, in the words of who began it; may be empty.
    pub note: String,
    /// Who began it.
    pub actor: String,
    /// Since when.
    pub since: Timestamp,
}

/// Begins one, unless one of the same is under way: that stays as it is, and is answered.
pub fn begin(db: &Connection, new: &Maintenance) -> rusqlite::Result<Option<Maintenance>> {
    let (scope, name) = new.held.parts();
    let begun = db.execute(
        "INSERT INTO maintenance (scope, name, note, actor, since) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
        params![scope, name, new.note, new.actor, new.since.as_millisecond()],
    )?;
    if begun > 0 {
        return Ok(None);
    }
    db.prepare_cached("SELECT * FROM maintenance WHERE scope = ?1 AND name = ?2")?
        .query_row([scope, name], read)
        .optional()
}

/// Forgets that a tenant is held, which is removed.
pub fn forget(db: &Connection, tenant: &TenantId) -> rusqlite::Result<()> {
    end(db, &Held::Tenant(tenant.clone())).map(drop)
}

/// Ends one; tells whether it was under way.
pub fn end(db: &Connection, held: &Held) -> rusqlite::Result<bool> {
    let (scope, name) = held.parts();
    let sql = "DELETE FROM maintenance WHERE scope = ?1 AND name = ?2";
    Ok(db.execute(sql, [scope, name])? > 0)
}

/// All that are under way: that of everything, then by name.
pub fn list(db: &Connection) -> rusqlite::Result<Vec<Maintenance>> {
    db.prepare_cached("SELECT * FROM maintenance ORDER BY scope, name")?
        .query_map([], read)?
        .collect()
}

/// Whether a connection is held.
pub fn holds(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM held WHERE tenant = ?1 AND id = ?2")?
        .exists([tenant.as_str(), connection.as_str()])
}

/// The first that holds a connection of this connector in this tenant.
pub fn of(
    db: &Connection,
    tenant: &TenantId,
    connector: &str,
) -> rusqlite::Result<Option<Maintenance>> {
    let all = list(db)?.into_iter();
    Ok(all
        .into_iter()
        .find(|one| one.held.covers(tenant, connector)))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Maintenance> {
    let name: String = row.get("name")?;
    let held = match row.get::<_, String>("scope")?.as_str() {
        "connector" => Held::Connector(name),
        "tenant" => Held::Tenant(name.parse().map_err(|error: BadName| {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
        })?),
        _ => Held::All,
    };
    Ok(Maintenance {
        held,
        note: row.get("note")?,
        actor: row.get("actor")?,
        since: columns::time(row, "since")?,
    })
}
