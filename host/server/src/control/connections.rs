//! Connectors switched on in tenants: their version, settings and state.
//!
//! Changes go through [`change`], which reads, edits and writes in one transaction of the caller's,
//! so that two of them never undo each other.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Time;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::Value;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::reason::Reason;
use tenon_host::{BadLimit, Limits};

use super::columns;
use super::search::Sought;
use crate::told::Told;

/// A connection as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name within the tenant.
    pub id: ConnectionId,
    /// Its name for people.
    pub title: String,
    /// Name of the connector.
    pub connector: String,
    /// The version that it runs.
    pub digest: String,
    /// The version that a rollback goes back to.
    pub previous: Option<String>,
    /// The first runs of a new version, while they are watched.
    pub trial: Option<Trial>,
    /// Whether it runs.
    pub state: State,
    /// What the connector reads.
    pub settings: Value,
    /// Grows with each change of the settings; [`change`] sees to that.
    pub revision: u64,
    /// Origins that an admin opened although the defaults refuse them.
    pub grants: Vec<String>,
    /// Whether the manifest's request budget is lifted.
    pub no_budget: bool,
    /// The limits that differ from the defaults, by their names.
    pub limits: BTreeMap<String, u64>,
    /// Schedules that an admin gave, by job: a cron expression, or none to run only when asked.
    pub schedules: BTreeMap<String, Option<String>>,
    /// When scheduled runs begin; at any time when none.
    pub window: Option<Window>,
    /// SHA-256 of the secret in the address of its webhooks.
    pub hook: Option<[u8; 32]>,
    /// The same of the address that they had before, while they are being set up at the new one.
    pub hook_before: Option<[u8; 32]>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was switched on last.
    pub enabled_at: Option<Timestamp>,
    /// When the first of its timers comes due.
    pub wake_at: Option<Timestamp>,
    /// While its state is brought from one version to another: the version that it runs, with its
    /// state as that was, when the process dies meanwhile.
    pub fallback: Option<String>,
}

/// Whether a connection runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Made, and not running.
    Off,
    /// Running.
    On,
    /// Stopped by the host until an admin switches it on again.
    Paused {
        /// What the admin has to mend.
        reason: Told,
    },
}

/// The first runs of a new version are watched, so that a bad one is rolled back by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Runs that are still watched; above 0.
    pub left: u32,
    /// Watched runs that failed.
    pub failed: u32,
}

/// Hours of the tenant's day; one that ends before it begins goes over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first minute.
    pub from: Time,
    /// The minute after the last.
    pub to: Time,
}

impl NotATimeOfDay {
    /// Why, for people.
    pub fn reason(&self) -> Reason {
        Reason::new("server.not-a-time").arg("text", &self.0)
    }
}

/// The text is not a time of day such as `08:00`.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a time of day such as 08:00")]
pub struct NotATimeOfDay(String);

/// A time of day, to the minute.
pub fn time_of_day(text: &str) -> Result<Time, NotATimeOfDay> {
    let bad = || NotATimeOfDay(text.chars().take(20).collect());
    let number = |part: &str| {
        let plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| i8::from_str(part).ok()).flatten()
    };
    let (hour, minute) = text.split_once(':').ok_or_else(bad)?;
    let (hour, minute) = (
        number(hour).ok_or_else(bad)?,
        number(minute).ok_or_else(bad)?,
    );
    Time::new(hour, minute, 0, 0).map_err(|_| bad())
}

/// The text of a time of day.
pub fn time_of_day_text(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

impl Window {
    /// Whether it is open at this time of day. One that ends when it begins is always open.
    pub fn contains(&self, time: Time) -> bool {
        if self.from < self.to {
            self.from <= time && time < self.to
        } else {
            time >= self.from || time < self.to
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (time_of_day_text(self.from), time_of_day_text(self.to));
        write!(f, "{from}–{to}")
    }
}

impl State {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            State::Off => "off",
            State::On => "on",
            State::Paused { .. } => "paused",
        }
    }

    /// Why it is paused, when it is.
    pub fn reason(&self) -> Option<&Told> {
        match self {
            State::Paused { reason } => Some(reason),
            State::Off | State::On => None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Stored {
    /// Its limits, the defaults included; an error names one that does not exist.
    pub fn all_limits(&self) -> Result<Limits, BadLimit> {
        Limits::with(&self.limits)
    }
}

/// Which connections are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Of one tenant only.
    pub tenant: Option<&'a TenantId>,
    /// Of one connector only.
    pub connector: Option<&'a str>,
    /// That run one version only, by its digest.
    pub digest: Option<&'a str>,
    /// In one state only, by its name.
    pub state: Option<&'a str>,
    /// With this in one of their names.
    pub text: Option<&'a str>,
    /// Behind this one; of the same tenant where one is wanted.
    pub after: Option<(&'a TenantId, &'a ConnectionId)>,
    /// So many at most.
    pub limit: u32,
}

/// Adds a connection; tells whether the name was free.
pub fn insert(db: &Connection, new: &Stored) -> rusqlite::Result<bool> {
    let added = db.execute(
        "INSERT INTO connections (tenant, id, title, connector, digest, state, settings, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 'off', ?6, ?7) ON CONFLICT (tenant, id) DO NOTHING",
        params![
            new.tenant.as_str(),
            new.id.as_str(),
            new.title,
            new.connector,
            new.digest,
            columns::to_json(&new.settings)?,
            new.created_at.as_millisecond(),
        ],
    )?;
    if added > 0 {
        write(db, new)?;
    }
    Ok(added > 0)
}

/// A connection by its names.
pub fn get(
    db: &Connection,
    tenant: &TenantId,
    id: &ConnectionId,
) -> rusqlite::Result<Option<Stored>> {
    db.prepare_cached("SELECT * FROM connections WHERE tenant = ?1 AND id = ?2")?
        .query_row([tenant.as_str(), id.as_str()], stored)
        .optional()
}

/// Whether there is a connection of these names.
pub fn is_there(db: &Connection, tenant: &TenantId, id: &ConnectionId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM connections WHERE tenant = ?1 AND id = ?2")?
        .exists([tenant.as_str(), id.as_str()])
}

/// The connection whose webhooks come to the secret with this SHA-256.
pub fn by_hook(db: &Connection, hash: &[u8; 32]) -> rusqlite::Result<Option<Stored>> {
    db.prepare_cached("SELECT * FROM connections WHERE hook = ?1 OR hook_before = ?1")?
        .query_row([hash], stored)
        .optional()
}

/// The wanted connections, by tenant and name.
pub fn list(db: &Connection, wanted: Wanted<'_>) -> rusqlite::Result<Vec<Stored>> {
    let (tenant, id) = match wanted.after {
        Some((tenant, id)) => (tenant.as_str(), id.as_str()),
        None => (wanted.tenant.map_or("", TenantId::as_str), ""),
    };
    let place = match wanted.tenant {
        Some(_) => "tenant = ?1 AND id > ?2",
        None => "(tenant, id) > (?1, ?2)",
    };
    let sought = Sought::new(wanted.text);
    let mut select = db.prepare_cached(&format!(
        "SELECT * FROM connections WHERE {place} AND (?3 IS NULL OR connector = ?3)
             AND (?4 IS NULL OR digest = ?4) AND (?5 IS NULL OR state = ?5)
         ORDER BY tenant, id"
    ))?;
    let rows = select.query_map(
        params![tenant, id, wanted.connector, wanted.digest, wanted.state],
        stored,
    )?;
    let found = rows.filter(|row| match row {
        Ok(one) => {
            // Where all are of one tenant, its name tells them from nothing.
            let owner = wanted.tenant.map_or(one.tenant.as_str(), |_| "");
            sought.is_in(&[one.id.as_str(), &one.title, &one.connector, owner])
        }
        Err(_) => true,
    });
    found.take(wanted.limit as usize).collect()
}

/// The names of all connections of a tenant.
pub fn of_tenant(db: &Connection, tenant: &TenantId) -> rusqlite::Result<Vec<ConnectionId>> {
    db.prepare_cached("SELECT id FROM connections WHERE tenant = ?1 ORDER BY id")?
        .query_map([tenant.as_str()], |row| columns::parsed(row, "id"))?
        .collect()
}

/// The names of all connections of a connector.
pub fn of_connector(
    db: &Connection,
    connector: &str,
) -> rusqlite::Result<Vec<(TenantId, ConnectionId)>> {
    db.prepare_cached(
        "SELECT tenant, id FROM connections WHERE connector = ?1 ORDER BY tenant, id",
    )?
    .query_map([connector], names)?
    .collect()
}

/// The names of all connections that are on.
pub fn that_are_on(db: &Connection) -> rusqlite::Result<Vec<(TenantId, ConnectionId)>> {
    db.prepare_cached("SELECT tenant, id FROM connections WHERE state = 'on' ORDER BY tenant, id")?
        .query_map([], names)?
        .collect()
}

/// Pauses all connections of a tenant that are on; answers with which those are.
pub fn pause_all(
    db: &Connection,
    tenant: &TenantId,
    reason: &Told,
) -> rusqlite::Result<Vec<ConnectionId>> {
    let sql = "UPDATE connections SET state = 'paused', paused_reason = ?2, paused_why = ?3
               WHERE tenant = ?1 AND state = 'on' RETURNING id";
    db.prepare(sql)?
        .query_map(
            params![tenant.as_str(), reason.text, reason.why_json()?],
            |row| columns::parsed(row, "id"),
        )?
        .collect()
}

/// The connections that are paused for one of these reasons.
pub fn paused_for(
    db: &Connection,
    codes: &[&str],
) -> rusqlite::Result<Vec<(TenantId, ConnectionId)>> {
    let sql = "SELECT tenant, id FROM connections
               WHERE state = 'paused'
                   AND paused_why ->> 'code' IN (SELECT value FROM json_each(?1))";
    db.prepare(sql)?
        .query_map([columns::to_json(codes)?], names)?
        .collect()
}

/// The connections whose state was being brought to another version when a process died.
pub fn with_fallback(db: &Connection) -> rusqlite::Result<Vec<Stored>> {
    db.prepare("SELECT * FROM connections WHERE fallback IS NOT NULL")?
        .query_map([], stored)?
        .collect()
}

/// The connections that have a timer.
pub fn with_timers(db: &Connection) -> rusqlite::Result<Vec<(TenantId, ConnectionId)>> {
    db.prepare("SELECT tenant, id FROM connections WHERE wake_at IS NOT NULL")?
        .query_map([], names)?
        .collect()
}

/// Remembers when the first timer of a connection comes due.
pub fn set_wake(
    db: &Connection,
    tenant: &TenantId,
    id: &ConnectionId,
    wake_at: Option<Timestamp>,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE connections SET wake_at = ?3 WHERE tenant = ?1 AND id = ?2 AND wake_at IS NOT ?3",
    )?
    .execute(params![
        tenant.as_str(),
        id.as_str(),
        wake_at.map(Timestamp::as_millisecond)
    ])
    .map(drop)
}

/// Changes a connection, in the transaction that the caller has begun; none when it is not there.
/// Its names, its connector and its creation stay; its revision grows when its settings differ.
pub fn change<E: From<rusqlite::Error>>(
    db: &Connection,
    tenant: &TenantId,
    id: &ConnectionId,
    edit: impl FnOnce(&mut Stored) -> Result<(), E>,
) -> Result<Option<Stored>, E> {
    let Some(before) = get(db, tenant, id)? else {
        return Ok(None);
    };
    let mut after = before.clone();
    edit(&mut after)?;
    after.revision = before.revision + u64::from(after.settings != before.settings);
    write(db, &after)?;
    Ok(Some(after))
}

/// Puts settings in place of those of a connection as it was read. Answers with their revision, which
/// grows when they differ; none when the connection is gone, has other settings or another version by
/// now, or was switched on or off.
pub fn put_settings(
    db: &Connection,
    before: &Stored,
    settings: &Value,
) -> rusqlite::Result<Option<u64>> {
    let revision = before.revision + u64::from(before.settings != *settings);
    let number = |revision: u64| i64::try_from(revision).unwrap_or(i64::MAX);
    let put = db
        .prepare_cached(
            "UPDATE connections SET settings = ?3, revision = ?4
             WHERE tenant = ?1 AND id = ?2 AND revision = ?5 AND digest = ?6
                 AND (state = 'off') = ?7",
        )?
        .execute(params![
            before.tenant.as_str(),
            before.id.as_str(),
            columns::to_json(settings)?,
            number(revision),
            number(before.revision),
            before.digest,
            before.state == State::Off,
        ])?;
    Ok((put > 0).then_some(revision))
}

/// Removes a connection with its credentials, requests, webhooks, runs, failed records and log: a new
/// one of the same name begins from nothing. Tells whether it was there.
pub fn remove(db: &Connection, tenant: &TenantId, id: &ConnectionId) -> rusqlite::Result<bool> {
    let key = [tenant.as_str(), id.as_str()];
    for table in ["credentials", "runs", "run_log", "webhooks_seen"] {
        db.execute(
            &format!("DELETE FROM {table} WHERE tenant = ?1 AND connection = ?2"),
            key,
        )?;
    }
    let removed = db.execute("DELETE FROM connections WHERE tenant = ?1 AND id = ?2", key)?;
    Ok(removed > 0)
}

fn write(db: &Connection, connection: &Stored) -> rusqlite::Result<()> {
    let Stored { window, trial, .. } = connection;
    db.prepare_cached(
        "UPDATE connections SET title = ?3, digest = ?4, previous = ?5, trial_left = ?6,
             trial_failed = ?7, state = ?8, paused_reason = ?9, settings = ?10, revision = ?11,
             grants = ?12, no_budget = ?13, limits = ?14, schedules = ?15, window_from = ?16,
             window_to = ?17, hook = ?18, enabled_at = ?19, wake_at = ?20, fallback = ?21,
             paused_why = ?22, hook_before = ?23
         WHERE tenant = ?1 AND id = ?2",
    )?
    .execute(params![
        connection.tenant.as_str(),
        connection.id.as_str(),
        connection.title,
        connection.digest,
        connection.previous,
        trial.map_or(0, |trial| trial.left),
        trial.map_or(0, |trial| trial.failed),
        connection.state.name(),
        connection.state.reason().map(|told| &told.text),
        columns::to_json(&connection.settings)?,
        i64::try_from(connection.revision).unwrap_or(i64::MAX),
        columns::to_json(&connection.grants)?,
        connection.no_budget,
        columns::to_json(&connection.limits)?,
        columns::to_json(&connection.schedules)?,
        window.map(|window| time_of_day_text(window.from)),
        window.map(|window| time_of_day_text(window.to)),
        connection.hook,
        connection.enabled_at.map(Timestamp::as_millisecond),
        connection.wake_at.map(Timestamp::as_millisecond),
        connection.fallback,
        connection
            .state
            .reason()
            .map(Told::why_json)
            .transpose()?
            .flatten(),
        connection.hook_before,
    ])
    .map(drop)
}

/// The versions that a tenant's connections run, by their names.
pub fn digests(db: &Connection, tenant: &TenantId) -> rusqlite::Result<Vec<(String, String)>> {
    db.prepare_cached("SELECT id, digest FROM connections WHERE tenant = ?1")?
        .query_map([tenant.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn names(row: &Row<'_>) -> rusqlite::Result<(TenantId, ConnectionId)> {
    Ok((columns::parsed(row, "tenant")?, columns::parsed(row, "id")?))
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let (tenant, id) = names(row)?;
    let state: String = row.get("state")?;
    let reason = Told::read(row, "paused_reason", "paused_why")?;
    let time = |column| match row.get::<_, Option<String>>(column)? {
        Some(text) => time_of_day(&text)
            .map(Some)
            .map_err(|error| columns::unreadable(row, column, error.into())),
        None => Ok(None),
    };
    let left = row.get("trial_left")?;
    Ok(Stored {
        tenant,
        id,
        title: row.get("title")?,
        connector: row.get("connector")?,
        digest: row.get("digest")?,
        previous: row.get("previous")?,
        trial: (left > 0).then_some(Trial {
            left,
            failed: row.get("trial_failed")?,
        }),
        state: match state.as_str() {
            "on" => State::On,
            "paused" => State::Paused {
                reason: reason.unwrap_or_default(),
            },
            _ => State::Off,
        },
        settings: columns::json(row, "settings")?,
        revision: row.get::<_, i64>("revision")?.unsigned_abs(),
        grants: columns::json(row, "grants")?,
        no_budget: row.get("no_budget")?,
        limits: columns::json(row, "limits")?,
        schedules: columns::json(row, "schedules")?,
        window: time("window_from")?
            .zip(time("window_to")?)
            .map(|(from, to)| Window { from, to }),
        hook: row.get("hook")?,
        hook_before: row.get("hook_before")?,
        created_at: columns::time(row, "created_at")?,
        enabled_at: columns::maybe_time(row, "enabled_at")?,
        wake_at: columns::maybe_time(row, "wake_at")?,
        fallback: row.get("fallback")?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_connection_comes_back_as_it_was_written_and_its_revision_follows_its_settings() {
        let mut db = Connection::open_in_memory().unwrap();
        crate::control::schema::MIGRATIONS
            .to_latest(&mut db)
            .unwrap();
        let now = Timestamp::from_second(1).unwrap();
        db.execute_batch(
            "INSERT INTO tenants (id, name, time_zone, language, created_at)
             VALUES ('shop', 'Shop', 'UTC', 'en', 0);
             INSERT INTO versions
                 (digest, connector, version, size, manifest, imports, source, installed_at)
             VALUES ('d1', 'crm', '1.0.0', 1, '{}', '[]', 'x', 0),
                    ('d2', 'crm', '2.0.0', 1, '{}', '[]', 'x', 0);",
        )
        .unwrap();
        let (tenant, id): (TenantId, ConnectionId) =
            ("shop".parse().unwrap(), "crm".parse().unwrap());
        let whole = Stored {
            tenant: tenant.clone(),
            id: id.clone(),
            title: "CRM".to_owned(),
            connector: "crm".to_owned(),
            digest: "d2".to_owned(),
            previous: Some("d1".to_owned()),
            trial: Some(Trial { left: 3, failed: 1 }),
            fallback: Some("d1".to_owned()),
            state: State::Paused {
                reason: Told::new(Reason::new("order.no-key")),
            },
            settings: json!({ "days": 7 }),
            revision: 1,
            grants: vec!["https://a.example".to_owned()],
            no_budget: true,
            limits: [("records".to_owned(), 5)].into(),
            schedules: [("orders".to_owned(), None)].into(),
            window: Some(Window {
                from: time_of_day("22:00").unwrap(),
                to: time_of_day("06:30").unwrap(),
            }),
            hook: Some([7; 32]),
            hook_before: Some([8; 32]),
            created_at: now,
            enabled_at: Some(now),
            wake_at: Some(now),
        };
        assert!(insert(&db, &whole).unwrap());
        assert!(!insert(&db, &whole).unwrap());
        assert_eq!(Some(whole.clone()), get(&db, &tenant, &id).unwrap());
        for hook in [[7; 32], [8; 32]] {
            assert_eq!(Some(whole.clone()), by_hook(&db, &hook).unwrap());
        }
        assert_eq!(5, whole.all_limits().unwrap().records);

        let change = |edit: fn(&mut Stored)| {
            let edit = |stored: &mut Stored| {
                edit(stored);
                Ok::<_, rusqlite::Error>(())
            };
            change(&db, &tenant, &id, edit).unwrap().unwrap().revision
        };
        assert_eq!(1, change(|stored| stored.title = "Other".to_owned()));
        assert_eq!(2, change(|stored| stored.settings = json!({ "days": 8 })));
        assert_eq!(2, change(|stored| stored.state = State::On));
        let seen = get(&db, &tenant, &id).unwrap().unwrap();
        let put = |before: &Stored, days| put_settings(&db, before, &json!({ "days": days }));
        assert_eq!(Some(2), put(&seen, 8).unwrap());
        assert_eq!(Some(3), put(&seen, 9).unwrap());
        // What was seen is not there any more.
        assert_eq!(None, put(&seen, 10).unwrap());
        let seen = get(&db, &tenant, &id).unwrap().unwrap();
        assert_eq!(json!({ "days": 9 }), seen.settings);
        for other in [
            Stored {
                state: State::Off,
                ..seen.clone()
            },
            Stored {
                digest: "d1".to_owned(),
                ..seen.clone()
            },
        ] {
            assert_eq!(None, put(&other, 10).unwrap());
        }

        let refused = |_: &mut Stored| Err(rusqlite::Error::QueryReturnedNoRows);
        assert!(super::change(&db, &tenant, &id, refused).is_err());
        assert!(remove(&db, &tenant, &id).unwrap());
        assert_eq!(None, get(&db, &tenant, &id).unwrap());
    }

    #[test]
    fn a_time_of_day_is_read_to_the_minute() {
        for good in ["00:00", "08:05", "23:59"] {
            assert_eq!(good, time_of_day_text(time_of_day(good).unwrap()));
        }
        for bad in ["", "8:00", "24:00", "12:60", "12:00:00", "+1:00", "ab:cd"] {
            assert!(time_of_day(bad).is_err(), "{bad}");
        }
    }
}
