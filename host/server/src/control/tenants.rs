//! The customers of the platform that run connectors here.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tenon_host::Place;
use tenon_host::ids::TenantId;

use super::search::Sought;
use super::{columns, maintenance};

/// How long what went on in a tenant is kept: its log, its runs with their changes, what could not be
/// taken, what was asked and what was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Days.
    pub days: u32,
    /// Lines of its log, if they are not older than that.
    pub log_lines: u32,
}

impl Default for Keep {
    /// As long as a shop's people look back.
    fn default() -> Keep {
        Keep {
            days: 90,
            log_lines: 1_000_000,
        }
    }
}

/// One customer of the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its name in addresses and files.
    pub id: TenantId,
    /// Its name for people.
    pub name: String,
    /// The IANA name of the time zone that schedules are meant in.
    pub time_zone: String,
    /// The language of its people: `en`, `uk` or `ru`.
    pub language: String,
    /// The ISO 4217 code of its home currency.
    pub currency: String,
    /// How long what went on in it is kept.
    pub keep: Keep,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Tenant {
    /// Where and for whom its connections work.
    pub fn place(self) -> Place {
        Place {
            time_zone: self.time_zone,
            language: self.language,
            currency: self.currency,
        }
    }
}

/// Adds a tenant; tells whether the name was free.
pub fn insert(db: &Connection, tenant: &Tenant) -> rusqlite::Result<bool> {
    let added = db.execute(
        "INSERT INTO tenants (id, name, time_zone, language, currency, created_at, keep_days,
             keep_log_lines)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
        params![
            tenant.id.as_str(),
            tenant.name,
            tenant.time_zone,
            tenant.language,
            tenant.currency,
            tenant.created_at.as_millisecond(),
            tenant.keep.days,
            tenant.keep.log_lines,
        ],
    )?;
    Ok(added > 0)
}

/// Takes note that the file of a tenant is made.
pub fn has_file(db: &Connection, id: &TenantId) -> rusqlite::Result<()> {
    db.execute(
        "UPDATE tenants SET has_file = 1 WHERE id = ?1",
        [id.as_str()],
    )
    .map(drop)
}

/// Tenants whose file was not made, as far as this database knows, and whether anything ever ran that
/// would have made it.
pub fn without_file(db: &Connection) -> rusqlite::Result<Vec<(TenantId, bool)>> {
    let sql = "SELECT id, EXISTS (SELECT 1 FROM runs WHERE tenant = tenants.id) AS ran
        FROM tenants WHERE NOT has_file ORDER BY id";
    let mut select = db.prepare(sql)?;
    let rows = select.query_map([], |row| Ok((columns::parsed(row, "id")?, row.get("ran")?)))?;
    rows.collect()
}

/// A tenant by its name.
pub fn get(db: &Connection, id: &TenantId) -> rusqlite::Result<Option<Tenant>> {
    db.prepare_cached("SELECT * FROM tenants WHERE id = ?1")?
        .query_row([id.as_str()], tenant)
        .optional()
}

/// Tenants by name, those after one; of all, or with a text in one of their names.
pub fn list(
    db: &Connection,
    text: Option<&str>,
    after: Option<&TenantId>,
    limit: u32,
) -> rusqlite::Result<Vec<Tenant>> {
    let sought = Sought::new(text);
    let mut select = db.prepare_cached("SELECT * FROM tenants WHERE id > ?1 ORDER BY id")?;
    let rows = select.query_map([after.map_or("", TenantId::as_str)], tenant)?;
    let found = rows.filter(|row| match row {
        Ok(found) => sought.is_in(&[found.id.as_str(), &found.name]),
        Err(_) => true,
    });
    found.take(limit as usize).collect()
}

/// Changes what people may change of a tenant, in the transaction that the caller has begun; none
/// when it is not there.
pub fn change<E: From<rusqlite::Error>>(
    db: &Connection,
    id: &TenantId,
    edit: impl FnOnce(&mut Tenant) -> Result<(), E>,
) -> Result<Option<Tenant>, E> {
    let Some(mut tenant) = get(db, id)? else {
        return Ok(None);
    };
    edit(&mut tenant)?;
    db.execute(
        "UPDATE tenants SET name = ?2, time_zone = ?3, language = ?4, currency = ?5, keep_days = ?6,
             keep_log_lines = ?7
         WHERE id = ?1",
        params![
            id.as_str(),
            tenant.name,
            tenant.time_zone,
            tenant.language,
            tenant.currency,
            tenant.keep.days,
            tenant.keep.log_lines,
        ],
    )?;
    Ok(Some(tenant))
}

/// How many connections of the tenant are on, or are paused and would go on.
pub fn active_connections(db: &Connection, id: &TenantId) -> rusqlite::Result<u64> {
    let count: i64 = db.query_row(
        "SELECT count(*) FROM connections WHERE tenant = ?1 AND state <> 'off'",
        [id.as_str()],
        |row| row.get(0),
    )?;
    Ok(count.unsigned_abs())
}

/// Removes a tenant with everything that this database knows of it but the audit; tells whether it
/// was there.
pub fn remove(db: &Connection, id: &TenantId) -> rusqlite::Result<bool> {
    let tables = [
        "connections",
        "credentials",
        "runs",
        "run_log",
        "webhooks_seen",
    ];
    for table in tables {
        db.execute(
            &format!("DELETE FROM {table} WHERE tenant = ?1"),
            [id.as_str()],
        )?;
    }
    maintenance::forget(db, id)?;
    let removed = db.execute("DELETE FROM tenants WHERE id = ?1", [id.as_str()])?;
    Ok(removed > 0)
}

fn tenant(row: &Row<'_>) -> rusqlite::Result<Tenant> {
    Ok(Tenant {
        id: columns::parsed(row, "id")?,
        name: row.get("name")?,
        time_zone: row.get("time_zone")?,
        language: row.get("language")?,
        currency: row.get("currency")?,
        keep: Keep {
            days: row.get("keep_days")?,
            log_lines: row.get("keep_log_lines")?,
        },
        created_at: columns::time(row, "created_at")?,
    })
}
