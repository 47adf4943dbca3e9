//! Installed versions of connectors, by the digest of their component.

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::Value;
use tenon_host::{BadHostPattern, HostPattern};

use super::columns;

/// An installed version of a connector.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// SHA-256 of the component, in hex.
    pub digest: String,
    /// Name of the connector.
    pub connector: String,
    /// The version that its manifest gives.
    pub version: String,
    /// Bytes of the component.
    pub size: u64,
    /// What the component says about itself.
    pub manifest: Value,
    /// Interfaces that it imports.
    pub imports: Vec<String>,
    /// Where it came from.
    pub source: String,
    /// The key that its signature was checked with.
    pub signed_by: Option<String>,
    /// When it came.
    pub installed_at: Timestamp,
}

/// Where a version stands in a list, the newest first.
pub type Place = (Timestamp, String);

/// Adds a version; tells whether it was new.
pub fn insert(db: &Connection, version: &Version) -> rusqlite::Result<bool> {
    let added = db.execute(
        "INSERT INTO versions (digest, connector, version, size, manifest, imports, source,
             signed_by, installed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        params![
            version.digest,
            version.connector,
            version.version,
            i64::try_from(version.size).unwrap_or(i64::MAX),
            columns::to_json(&version.manifest)?,
            columns::to_json(&version.imports)?,
            version.source,
            version.signed_by,
            version.installed_at.as_millisecond(),
        ],
    )?;
    Ok(added > 0)
}

/// A version by its digest.
pub fn get(db: &Connection, digest: &str) -> rusqlite::Result<Option<Version>> {
    db.prepare_cached("SELECT * FROM versions WHERE digest = ?1")?
        .query_row([digest], version)
        .optional()
}

/// The newest versions of all connectors, those after one.
pub fn list(db: &Connection, after: Option<&Place>, limit: u32) -> rusqlite::Result<Vec<Version>> {
    let (at, digest) = match after {
        Some((at, digest)) => (at.as_millisecond(), digest.as_str()),
        None => (i64::MAX, ""),
    };
    db.prepare_cached(
        "SELECT * FROM versions WHERE (-installed_at, digest) > (-?1, ?2)
         ORDER BY -installed_at, digest LIMIT ?3",
    )?
    .query_map(params![at, digest, limit], version)?
    .collect()
}

/// The versions of a connector, the newest first.
pub fn of_connector(db: &Connection, connector: &str) -> rusqlite::Result<Vec<Version>> {
    db.prepare_cached(
        "SELECT * FROM versions WHERE connector = ?1 ORDER BY installed_at DESC, digest",
    )?
    .query_map([connector], version)?
    .collect()
}

/// The names of the connectors that have a version, those after one.
pub fn connectors(
    db: &Connection,
    after: Option<&str>,
    limit: u32,
) -> rusqlite::Result<Vec<String>> {
    db.prepare_cached(
        "SELECT DISTINCT connector FROM versions WHERE connector > ?1 ORDER BY connector LIMIT ?2",
    )?
    .query_map(params![after.unwrap_or_default(), limit], |row| row.get(0))?
    .collect()
}

/// Whether a version takes webhooks.
pub fn takes_webhooks(db: &Connection, digest: &str) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "SELECT 1 FROM versions WHERE digest = ?1 AND json_type(manifest, '$.webhooks') = 'object'",
    )?
    .exists([digest])
}

/// The hosts that connections of a connector may go to; any when none.
pub fn hosts(db: &Connection, connector: &str) -> rusqlite::Result<Option<Vec<HostPattern>>> {
    let texts = db
        .prepare_cached("SELECT hosts FROM connector_hosts WHERE connector = ?1")?
        .query_row([connector], |row| {
            columns::json::<Vec<String>>(row, "hosts")
        })
        .optional()?;
    let read = |text: String| {
        let cause = |error: BadHostPattern| {
            rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into())
        };
        text.parse().map_err(cause)
    };
    (texts.map(|texts| texts.into_iter().map(read).collect())).transpose()
}

/// Fixes the hosts of a connector, or frees them.
pub fn set_hosts(
    db: &Connection,
    connector: &str,
    hosts: Option<&[HostPattern]>,
) -> rusqlite::Result<()> {
    let Some(hosts) = hosts else {
        let free = "DELETE FROM connector_hosts WHERE connector = ?1";
        return db.execute(free, [connector]).map(drop);
    };
    let texts: Vec<String> = hosts.iter().map(HostPattern::to_string).collect();
    db.execute(
        "INSERT INTO connector_hosts VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET hosts = excluded.hosts",
        [connector, &columns::to_json(&texts)?],
    )
    .map(drop)
}

/// How many connections run this version.
pub fn pins(db: &Connection, digest: &str) -> rusqlite::Result<u64> {
    let count: i64 = db.query_row(
        "SELECT count(*) FROM connections WHERE digest = ?1",
        [digest],
        |row| row.get(0),
    )?;
    Ok(count.unsigned_abs())
}

/// Removes a version that no connection runs; who could roll back to it no longer can. Tells whether
/// it was there. One that is run is an error of the database.
pub fn remove(db: &Connection, digest: &str) -> rusqlite::Result<bool> {
    db.execute(
        "UPDATE connections SET previous = NULL, trial_left = 0, trial_failed = 0
         WHERE previous = ?1",
        [digest],
    )?;
    let removed = db.execute("DELETE FROM versions WHERE digest = ?1", [digest])?;
    Ok(removed > 0)
}

fn version(row: &Row<'_>) -> rusqlite::Result<Version> {
    Ok(Version {
        digest: row.get("digest")?,
        connector: row.get("connector")?,
        version: row.get("version")?,
        size: row.get::<_, i64>("size")?.unsigned_abs(),
        manifest: columns::json(row, "manifest")?,
        imports: columns::json(row, "imports")?,
        source: row.get("source")?,
        signed_by: row.get("signed_by")?,
        installed_at: columns::time(row, "installed_at")?,
    })
}
