//! Webhooks that came and that no connector has looked at yet.
//!
//! A webhook that is sent again must not be worked off twice. One with an id of its vendor's is
//! dropped when that id was there before. One without is told by its content, and the same content
//! may well be news: so of several in a short while the first is looked at at once, and one more at
//! the end of that while.
//!
//! The threats: a counterpart that sends faster than its connector reads, and a connector that reads
//! none at all or ends the process by reading one. So a connection has so many that wait and so many
//! that were given up, tenants take turns, and an attempt counts before it is made.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};
use tenon_host::Webhook;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::reason::Reason;

use super::log::{self, Line};
use super::{Failure, columns};
use crate::told::Told;

/// How long an id of a vendor is remembered: MoySklad and KeyCRM send again within minutes, others
/// within a day.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(48);

/// In which the same content is looked at twice at most.
const AGAIN: SignedDuration = SignedDuration::from_secs(10);

/// Webhooks of a connection that wait at most, and that are kept for people.
const MOST: u32 = 1_000;

/// Remembered ones that are forgotten when one comes in.
const FORGOTTEN: u32 = 100;

/// What tells that two webhooks are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sameness {
    /// Digest of its topic, the id that its sender gave it, and its body.
    Id([u8; 32]),
    /// Digest of all of it.
    Content([u8; 32]),
}

/// A webhook that a connector can be asked about now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its number.
    pub id: i64,
    /// Whose.
    pub tenant: TenantId,
    /// To which connection it was sent.
    pub connection: ConnectionId,
}

/// A webhook that waits for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// Its number.
    pub id: i64,
    /// What its sender put behind the address.
    pub topic: String,
    /// When it came.
    pub received_at: Timestamp,
    /// How often a connector began to read it.
    pub attempts: u32,
    /// Why no run came of it.
    pub error: Told,
}

/// How many webhooks there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// That a connector is asked about sooner or later.
    pub waiting: u64,
    /// That wait for people.
    pub given_up: u64,
}

/// What became of a webhook that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is stored.
    New {
        /// Its number.
        id: i64,
        /// When it is its turn.
        due_at: Timestamp,
    },
    /// It was here before.
    Duplicate,
    /// It is not stored, because too many of its connection wait. Its sender sends it again.
    Full,
}

/// Stores a webhook.
pub fn keep(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    webhook: &Webhook,
    sameness: Sameness,
    now: Timestamp,
) -> Result<Kept, Failure> {
    let at = now.as_millisecond();
    let (key, remembered) = match sameness {
        Sameness::Id(key) => (key, REMEMBERED),
        Sameness::Content(key) => (key, AGAIN),
    };
    let names = (tenant.as_str(), connection.as_str());
    // A few of those that are over, so that they become fewer and nobody waits for that.
    db.prepare_cached(
        "DELETE FROM webhooks_seen WHERE (tenant, connection, key) IN (
             SELECT tenant, connection, key FROM webhooks_seen WHERE until <= ?1
             ORDER BY until LIMIT ?2)",
    )?
    .execute(params![at, FORGOTTEN])?;
    let seen: Option<i64> = db
        .prepare_cached(
            "SELECT until FROM webhooks_seen
             WHERE tenant = ?1 AND connection = ?2 AND key = ?3 AND until > ?4",
        )?
        .query_row(params![names.0, names.1, key, at], |row| row.get(0))
        .optional()?;
    if matches!((sameness, seen), (Sameness::Id(_), Some(_))) {
        return Ok(Kept::Duplicate);
    }
    let waiting: u32 = db
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM webhooks
                 WHERE tenant = ?1 AND connection = ?2 AND error IS NULL LIMIT ?3)",
        )?
        .query_row(params![names.0, names.1, MOST], |row| row.get(0))?;
    if waiting >= MOST {
        return Ok(Kept::Full);
    }
    if seen.is_none() {
        let until = (now + remembered).as_millisecond();
        db.prepare_cached("INSERT OR REPLACE INTO webhooks_seen VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![names.0, names.1, key, until])?;
    }
    let due_at = seen.unwrap_or(at);
    let stored = db
        .prepare_cached(
            "INSERT INTO webhooks
                 (tenant, connection, key, topic, headers, query, body, received_at, due_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            names.0,
            names.1,
            key,
            webhook.topic,
            serde_json::to_string(&webhook.headers)?,
            webhook.query,
            webhook.body,
            at,
            due_at
        ])?;
    Ok(match stored {
        0 => Kept::Duplicate,
        _ => Kept::New {
            id: db.last_insert_rowid(),
            due_at: Timestamp::from_millisecond(due_at).map_err(Failure::new)?,
        },
    })
}

/// The webhook whose turn it is. Tenants take turns: the next one is that behind the tenant `after`,
/// in a circle. Of its webhooks it is the one that has waited longest, of a connection that is neither
/// busy nor held for maintenance.
pub fn next(
    db: &Connection,
    now: Timestamp,
    after: &str,
    busy: impl Fn(&TenantId, &ConnectionId) -> bool,
) -> Result<Option<Due>, Failure> {
    let mut select = db.prepare_cached(
        "SELECT tenant FROM webhooks WHERE error IS NULL AND tenant > ?1 AND due_at <= ?2
         ORDER BY tenant LIMIT 1",
    )?;
    let (mut place, mut around) = (after.to_owned(), false);
    loop {
        let found: Option<String> = select
            .query_row(params![place, now.as_millisecond()], |row| row.get(0))
            .optional()?;
        match found {
            Some(tenant) if around && tenant.as_str() > after => return Ok(None),
            Some(tenant) => {
                let due = next_of(db, now, tenant.parse().map_err(Failure::new)?, &busy)?;
                if due.is_some() {
                    return Ok(due);
                }
                place = tenant;
            }
            None if around => return Ok(None),
            None => {
                around = true;
                place.clear();
            }
        }
    }
}

fn next_of(
    db: &Connection,
    now: Timestamp,
    tenant: TenantId,
    busy: impl Fn(&TenantId, &ConnectionId) -> bool,
) -> Result<Option<Due>, Failure> {
    let mut select = db.prepare_cached(
        "SELECT id, connection FROM webhooks
         WHERE error IS NULL AND tenant = ?1 AND due_at <= ?2
             AND NOT EXISTS (SELECT 1 FROM held
                             WHERE held.tenant = ?1 AND held.id = webhooks.connection)
         ORDER BY due_at, id",
    )?;
    let mut rows = select.query(params![tenant.as_str(), now.as_millisecond()])?;
    while let Some(row) = rows.next()? {
        let connection: ConnectionId = columns::parsed(row, "connection")?;
        if !busy(&tenant, &connection) {
            return Ok(Some(Due {
                id: row.get("id")?,
                tenant,
                connection,
            }));
        }
    }
    Ok(None)
}

/// When the first of the webhooks that are not due yet is.
pub fn next_due(db: &Connection, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
    let due_at: Option<i64> = db
        .prepare_cached("SELECT min(due_at) FROM webhooks WHERE error IS NULL AND due_at > ?1")?
        .query_row([now.as_millisecond()], |row| row.get(0))?;
    let due_at = due_at.map(Timestamp::from_millisecond);
    due_at.transpose().map_err(Failure::new)
}

/// Takes note that a connector begins to read a webhook; answers how often that is by now. None when
/// it waits no more.
pub fn begin(db: &Connection, id: i64) -> Result<Option<u32>, Failure> {
    let sql = "UPDATE webhooks SET attempts = attempts + 1 WHERE id = ?1 AND error IS NULL
               RETURNING attempts";
    let attempts = db
        .prepare_cached(sql)?
        .query_row([id], |row| row.get(0))
        .optional()?;
    Ok(attempts)
}

/// What was sent.
pub fn content(db: &Connection, id: i64) -> Result<Option<Webhook>, Failure> {
    let mut select =
        db.prepare_cached("SELECT topic, headers, query, body FROM webhooks WHERE id = ?1")?;
    let mut rows = select.query([id])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(Webhook {
        topic: row.get("topic")?,
        headers: columns::json(row, "headers")?,
        query: row.get("query")?,
        body: row.get("body")?,
    }))
}

/// Removes a webhook that became requests.
pub fn remove(db: &Connection, id: i64) -> Result<(), Failure> {
    db.prepare_cached("DELETE FROM webhooks WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}

/// Keeps a webhook for another attempt, not before that time.
pub fn put_off(db: &Connection, id: i64, again: Timestamp) -> Result<(), Failure> {
    db.prepare_cached("UPDATE webhooks SET due_at = ?2 WHERE id = ?1")?
        .execute(params![id, again.as_millisecond()])?;
    Ok(())
}

/// Keeps a webhook for people, with the reason. The oldest of a connection make room when there are
/// too many, and its log says so.
pub fn give_up(db: &Connection, id: i64, reason: &Told, now: Timestamp) -> Result<(), Failure> {
    db.prepare_cached("UPDATE webhooks SET error = ?2, why = ?3 WHERE id = ?1")?
        .execute(params![id, reason.text, reason.why_json()?])?;
    // It may be the oldest itself.
    let (tenant, connection): (TenantId, ConnectionId) = db
        .prepare_cached("SELECT tenant, connection FROM webhooks WHERE id = ?1")?
        .query_row([id], |row| {
            Ok((
                columns::parsed(row, "tenant")?,
                columns::parsed(row, "connection")?,
            ))
        })?;
    let dropped = db
        .prepare_cached(
            "DELETE FROM webhooks WHERE id IN (
             SELECT id FROM webhooks
             WHERE tenant = ?1 AND connection = ?2 AND error IS NOT NULL
             ORDER BY id DESC LIMIT -1 OFFSET ?3)",
        )?
        .execute(params![tenant.as_str(), connection.as_str(), MOST])?;
    if dropped == 0 {
        return Ok(());
    }
    tracing::warn!(%tenant, %connection, dropped, "webhooks that were given up made room for later ones");
    let why = Reason::new("server.webhooks-dropped")
        .arg("number", dropped)
        .arg("most", MOST);
    let told = Told::new(why);
    let line = Line {
        at: now,
        connection: connection.to_string(),
        job: String::new(),
        level: "warn".to_owned(),
        record: None,
        message: told.text,
        why: told.why,
        run: None,
    };
    Ok(log::append(db, &tenant, &[line])?)
}

/// Gives the webhooks of a connection that were given up another chance, all or one.
pub fn retry(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    only: Option<i64>,
) -> Result<u64, Failure> {
    let sql = "UPDATE OR IGNORE webhooks SET attempts = 0, due_at = 0, error = NULL,
                   why = NULL
               WHERE tenant = ?1 AND connection = ?2 AND error IS NOT NULL
                   AND (?3 IS NULL OR id = ?3)";
    let retried = db.execute(sql, params![tenant.as_str(), connection.as_str(), only])?;
    Ok(retried as u64)
}

/// Forgets a webhook of a connection that was given up; tells whether it was there.
pub fn drop_given_up(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    id: i64,
) -> rusqlite::Result<bool> {
    let sql = "DELETE FROM webhooks
               WHERE tenant = ?1 AND connection = ?2 AND id = ?3 AND error IS NOT NULL";
    let removed = db.execute(sql, params![tenant.as_str(), connection.as_str(), id])?;
    Ok(removed > 0)
}

/// How many webhooks of a connection were given up.
pub fn count_given_up(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> rusqlite::Result<u64> {
    let count: i64 = db
        .prepare_cached(
            "SELECT count(*) FROM webhooks INDEXED BY webhooks_given_up
             WHERE tenant = ?1 AND connection = ?2 AND error IS NOT NULL",
        )?
        .query_row([tenant.as_str(), connection.as_str()], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// The webhooks of a connection that were given up, the oldest first: those behind `after`.
pub fn given_up(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    after: Option<i64>,
    limit: u32,
) -> rusqlite::Result<Vec<GivenUp>> {
    db.prepare_cached(
        "SELECT id, topic, received_at, attempts, error, why FROM webhooks
         WHERE tenant = ?1 AND connection = ?2 AND error IS NOT NULL AND id > ?3
         ORDER BY id LIMIT ?4",
    )?
    .query_map(
        params![
            tenant.as_str(),
            connection.as_str(),
            after.unwrap_or(0),
            limit
        ],
        |row| {
            Ok(GivenUp {
                id: row.get("id")?,
                topic: row.get("topic")?,
                received_at: columns::time(row, "received_at")?,
                attempts: row.get("attempts")?,
                error: Told::read(row, "error", "why")?.unwrap_or_default(),
            })
        },
    )?
    .collect()
}

/// How many there are of all connections. Counted in small indexes, because bodies are large.
pub fn counts(db: &Connection) -> rusqlite::Result<Counts> {
    let count = |sql| -> rusqlite::Result<u64> {
        let count: i64 = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    };
    Ok(Counts {
        waiting: count(
            "SELECT count(*) FROM webhooks INDEXED BY webhooks_waiting WHERE error IS NULL",
        )?,
        given_up: count(
            "SELECT count(*) FROM webhooks INDEXED BY webhooks_by_time WHERE error IS NOT NULL",
        )?,
    })
}

/// Removes some of a tenant's webhooks that were given up and came before a moment; tells how many.
pub fn forget(
    db: &Connection,
    tenant: &TenantId,
    before: Timestamp,
    limit: u32,
) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "DELETE FROM webhooks WHERE id IN (
             SELECT id FROM webhooks INDEXED BY webhooks_given_up
             WHERE tenant = ?1 AND error IS NOT NULL AND received_at < ?2 LIMIT ?3)",
    )?
    .execute(params![tenant.as_str(), before.as_millisecond(), limit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::schema::MIGRATIONS;

    /// What became of a webhook that was stored, whatever its number and turn.
    const NEW: Kept = Kept::New {
        id: 0,
        due_at: Timestamp::UNIX_EPOCH,
    };

    struct Inbox {
        db: Connection,
        tenant: TenantId,
        connection: ConnectionId,
    }

    impl Inbox {
        fn new() -> Inbox {
            let mut db = Connection::open_in_memory().unwrap();
            MIGRATIONS.to_latest(&mut db).unwrap();
            db.pragma_update(None, "foreign_keys", false).unwrap();
            Inbox {
                db,
                tenant: "shop".parse().unwrap(),
                connection: "keycrm".parse().unwrap(),
            }
        }

        fn keep(&self, sameness: Sameness, second: i64) -> Kept {
            self.keep_for("shop/keycrm", sameness, second)
        }

        fn keep_for(&self, place: &str, sameness: Sameness, second: i64) -> Kept {
            let (tenant, connection) = place.split_once('/').unwrap();
            let (tenant, connection) = (tenant.parse().unwrap(), connection.parse().unwrap());
            let webhook = webhook();
            let kept = keep(
                &self.db,
                &tenant,
                &connection,
                &webhook,
                sameness,
                at(second),
            );
            match kept.unwrap() {
                Kept::New { .. } => NEW,
                kept => kept,
            }
        }

        /// The webhook whose turn it is.
        fn due(&self, second: i64) -> Option<Due> {
            next(&self.db, at(second), "", |_, _| false).unwrap()
        }

        fn remove_due(&self, second: i64) {
            let due = self.due(second).unwrap();
            remove(&self.db, due.id).unwrap();
        }
    }

    fn webhook() -> Webhook {
        Webhook {
            topic: "orders".to_owned(),
            headers: vec![("x-a".to_owned(), "1".to_owned())],
            query: "a=1".to_owned(),
            body: b"{}".to_vec(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn id(number: u32) -> Sameness {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_le_bytes());
        Sameness::Id(key)
    }

    #[test]
    fn an_id_that_was_there_before_is_dropped_also_after_it_was_worked_off() {
        let inbox = Inbox::new();
        assert_eq!(NEW, inbox.keep(id(1), 0));
        inbox.remove_due(0);
        assert_eq!(Kept::Duplicate, inbox.keep(id(1), 3_600));
        assert_eq!(NEW, inbox.keep(id(2), 3_600));
        inbox.remove_due(3_600);
        assert_eq!(None, inbox.due(3_600));
        // After two days it is news again.
        assert_eq!(NEW, inbox.keep(id(1), 48 * 3_600));
    }

    #[test]
    fn the_same_content_in_a_short_while_is_looked_at_at_once_and_once_more_at_its_end() {
        let inbox = Inbox::new();
        let content = Sameness::Content([1; 32]);
        assert_eq!(NEW, inbox.keep(content, 0));
        inbox.remove_due(0);
        // News of something that changed after the first was worked off.
        assert_eq!(NEW, inbox.keep(content, 1));
        assert_eq!(Kept::Duplicate, inbox.keep(content, 2));
        assert_eq!(None, inbox.due(9));
        assert_eq!(Some(at(10)), next_due(&inbox.db, at(9)).unwrap());
        inbox.remove_due(10);
        assert_eq!(NEW, inbox.keep(content, 20));
        assert!(inbox.due(20).is_some());
    }

    #[test]
    fn one_that_waits_already_is_enough() {
        let inbox = Inbox::new();
        let content = Sameness::Content([1; 32]);
        assert_eq!(NEW, inbox.keep(content, 0));
        assert_eq!(Kept::Duplicate, inbox.keep(content, 1));
        inbox.remove_due(20);
        assert_eq!(None, inbox.due(20));
    }

    #[test]
    fn a_connection_with_too_many_takes_no_more_until_one_is_worked_off() {
        let inbox = Inbox::new();
        for number in 0..MOST {
            assert_eq!(NEW, inbox.keep(id(number), 0));
        }
        assert_eq!(Kept::Full, inbox.keep(id(MOST), 1));
        assert_eq!(Kept::Duplicate, inbox.keep(id(0), 1));
        let other = inbox.keep_for("shop/other", id(0), 1);
        assert_eq!(NEW, other);
        inbox.remove_due(1);
        // What was refused is no duplicate when it is sent again.
        assert_eq!(NEW, inbox.keep(id(MOST), 2));
        let counts = counts(&inbox.db).unwrap();
        assert_eq!((u64::from(MOST) + 1, 0), (counts.waiting, counts.given_up));
    }

    #[test]
    fn tenants_take_turns_and_a_busy_connection_holds_back_no_other() {
        let inbox = Inbox::new();
        for (number, place) in (0..).zip(["a/1", "a/1", "a/2", "b/1", "c/1"]) {
            inbox.keep_for(place, id(number), i64::from(number));
        }
        let mut busy: Vec<String> = Vec::new();
        let mut after = String::new();
        loop {
            let is_busy = |tenant: &TenantId, connection: &ConnectionId| {
                busy.contains(&format!("{tenant}/{connection}"))
            };
            let Some(due) = next(&inbox.db, at(9), &after, is_busy).unwrap() else {
                break;
            };
            busy.push(format!("{}/{}", due.tenant, due.connection));
            after = due.tenant.to_string();
        }
        assert_eq!(vec!["a/1", "b/1", "c/1", "a/2"], busy);
        // What is not due is in nobody's way.
        let nothing = next(&inbox.db, at(-1), "b", |_, _| false).unwrap();
        assert_eq!(None, nothing);
    }

    #[test]
    fn what_is_given_up_waits_for_people_and_is_kept_as_it_came() {
        let inbox = Inbox::new();
        let Inbox {
            db,
            tenant,
            connection,
        } = &inbox;
        inbox.keep(id(1), 0);
        let due = inbox.due(0).unwrap();
        assert_eq!(Some(1), begin(db, due.id).unwrap());
        put_off(db, due.id, at(5)).unwrap();
        assert_eq!(None, inbox.due(4));
        assert_eq!(Some(&due), inbox.due(5).as_ref());
        assert_eq!(Some(2), begin(db, due.id).unwrap());
        assert_eq!(Some(webhook()), content(db, due.id).unwrap());
        give_up(db, due.id, &Told::by_connector("it crashed"), at(6)).unwrap();
        assert_eq!(None, inbox.due(1_000));
        assert_eq!(None, begin(db, due.id).unwrap());
        let listed = given_up(db, tenant, connection, None, 10).unwrap();
        assert_eq!(Told::by_connector("it crashed"), listed[0].error);
        assert_eq!((2, at(0)), (listed[0].attempts, listed[0].received_at));
        assert_eq!(1, counts(db).unwrap().given_up);
        assert_eq!(1, retry(db, tenant, connection, None).unwrap());
        assert_eq!(Some(1), begin(db, due.id).unwrap());
        assert!(
            given_up(db, tenant, connection, None, 10)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn old_ones_that_were_given_up_are_forgotten_and_so_are_too_many() {
        let inbox = Inbox::new();
        let (tenant, connection) = (&inbox.tenant, &inbox.connection);
        for number in 0..MOST + 2 {
            inbox.keep(id(number), i64::from(number));
            let due = inbox.due(i64::from(number)).unwrap();
            give_up(&inbox.db, due.id, &Told::by_connector("no"), at(0)).unwrap();
        }
        inbox.keep(id(MOST + 2), 0);
        let left = given_up(&inbox.db, tenant, connection, None, u32::MAX).unwrap();
        assert_eq!((MOST as usize, at(2)), (left.len(), left[0].received_at));
        let log = log::Wanted {
            tenant,
            connection: Some(connection),
            record: None,
            most: 10,
        };
        let told = log::read(&inbox.db, log).unwrap();
        assert_eq!(2, told.len(), "{told:?}");
        // One that came before all of them and is given up last makes room itself.
        let old = inbox.due(10_000).unwrap();
        inbox
            .db
            .execute("UPDATE webhooks SET id = 0 WHERE id = ?1", [old.id])
            .unwrap();
        give_up(&inbox.db, 0, &Told::by_connector("no"), at(0)).unwrap();
        assert_eq!(3, log::read(&inbox.db, log).unwrap().len());
        let left = given_up(&inbox.db, tenant, connection, None, u32::MAX).unwrap();
        assert_eq!((MOST as usize, at(2)), (left.len(), left[0].received_at));
        inbox.keep(id(MOST + 3), 0);
        assert_eq!(2, forget(&inbox.db, tenant, at(10), 2).unwrap());
        assert_eq!(6, forget(&inbox.db, tenant, at(10), 100).unwrap());
        assert_eq!(1, counts(&inbox.db).unwrap().waiting);
    }
}
