//! Webhooks that came and that no connector has looked at yet.
//!
//! A webhook that is sent again must not be worked off twice. One with an id of its vendor's is
//! dropped when that id was there before. One without is told by its content, and the same content
//! may well be news: so of several in a short while the first is looked at at once, and one more at
//! the end of that while.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};
use tenon_host::Webhook;
use tenon_host::ids::{ConnectionId, TenantId};

use super::{Failure, columns};

/// How long an id of a vendor is remembered: MoySklad and KeyCRM send again within minutes, others
/// within a day.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(48);

/// In which the same content is looked at twice at most.
const AGAIN: SignedDuration = SignedDuration::from_secs(10);

/// What tells that two webhooks are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sameness {
    /// Digest of topic and the id that its sender gave it.
    Id([u8; 32]),
    /// Digest of all of it.
    Content([u8; 32]),
}

/// A webhook that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its number.
    pub id: i64,
    /// Whose.
    pub tenant: TenantId,
    /// To which connection it was sent.
    pub connection: ConnectionId,
    /// What was sent.
    pub webhook: Webhook,
    /// How often a connector was asked about it in vain.
    pub attempts: u32,
}

/// What became of a webhook that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is stored.
    New,
    /// It was here before.
    Duplicate,
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
    db.prepare_cached("DELETE FROM webhooks_seen WHERE until <= ?1")?
        .execute([at])?;
    let seen: Option<i64> = db
        .prepare_cached(
            "SELECT until FROM webhooks_seen
             WHERE tenant = ?1 AND connection = ?2 AND key = ?3",
        )?
        .query_row(params![names.0, names.1, key], |row| row.get(0))
        .optional()?;
    let due = match (sameness, seen) {
        (Sameness::Id(_), Some(_)) => return Ok(Kept::Duplicate),
        (Sameness::Content(_), Some(until)) => until,
        (_, None) => {
            let until = (now + remembered).as_millisecond();
            db.prepare_cached("INSERT INTO webhooks_seen VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![names.0, names.1, key, until])?;
            at
        }
    };
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
            due
        ])?;
    Ok(if stored == 0 {
        Kept::Duplicate
    } else {
        Kept::New
    })
}

/// Up to `limit` webhooks that a connector can be asked about now, the oldest first.
pub fn due(db: &Connection, now: Timestamp, limit: u32) -> Result<Vec<Waiting>, Failure> {
    let mut select = db.prepare_cached(
        "SELECT id, tenant, connection, topic, headers, query, body, attempts FROM webhooks
         WHERE error IS NULL AND due_at <= ?1 ORDER BY due_at, id LIMIT ?2",
    )?;
    let mut rows = select.query(params![now.as_millisecond(), limit])?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        let headers: String = row.get(4)?;
        due.push(Waiting {
            id: row.get(0)?,
            tenant: columns::parsed(row, "tenant")?,
            connection: columns::parsed(row, "connection")?,
            webhook: Webhook {
                topic: row.get(3)?,
                headers: serde_json::from_str(&headers)?,
                query: row.get(5)?,
                body: row.get(6)?,
            },
            attempts: row.get(7)?,
        });
    }
    Ok(due)
}

/// When the next one that waits for its time comes due.
pub fn next_due(db: &Connection) -> Result<Option<Timestamp>, Failure> {
    let due: Option<i64> = db
        .prepare_cached("SELECT min(due_at) FROM webhooks WHERE error IS NULL")?
        .query_row([], |row| row.get(0))?;
    due.map(Timestamp::from_millisecond)
        .transpose()
        .map_err(Failure::new)
}

/// Removes a webhook that became requests.
pub fn remove(db: &Connection, id: i64) -> Result<(), Failure> {
    db.prepare_cached("DELETE FROM webhooks WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}

/// Keeps a webhook for another attempt at that time, or for good, with the reason.
pub fn put_off(
    db: &Connection,
    id: i64,
    again: Option<Timestamp>,
    reason: &str,
) -> Result<(), Failure> {
    let sql = "UPDATE webhooks SET attempts = attempts + 1, due_at = coalesce(?2, due_at),
                   error = CASE WHEN ?2 IS NULL THEN ?3 END WHERE id = ?1";
    let again = again.map(|again| again.as_millisecond());
    db.prepare_cached(sql)?
        .execute(params![id, again, reason])?;
    Ok(())
}

/// Gives the webhooks of a connection that were given up another chance.
pub fn retry(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> Result<u64, Failure> {
    let sql = "UPDATE OR IGNORE webhooks SET attempts = 0, due_at = 0, error = NULL
               WHERE tenant = ?1 AND connection = ?2 AND error IS NOT NULL";
    let retried = db.execute(sql, [tenant.as_str(), connection.as_str()])?;
    Ok(retried as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::schema::MIGRATIONS;

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
            let webhook = Webhook {
                topic: "orders".to_owned(),
                headers: vec![("x-a".to_owned(), "1".to_owned())],
                query: "a=1".to_owned(),
                body: b"{}".to_vec(),
            };
            let (tenant, connection) = (&self.tenant, &self.connection);
            keep(&self.db, tenant, connection, &webhook, sameness, at(second)).unwrap()
        }

        fn due(&self, second: i64) -> Vec<Waiting> {
            due(&self.db, at(second), 100).unwrap()
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn an_id_that_was_there_before_is_dropped_also_after_it_was_worked_off() {
        let inbox = Inbox::new();
        assert_eq!(Kept::New, inbox.keep(Sameness::Id([1; 32]), 0));
        remove(&inbox.db, inbox.due(0)[0].id).unwrap();
        assert_eq!(Kept::Duplicate, inbox.keep(Sameness::Id([1; 32]), 3_600));
        assert_eq!(Kept::New, inbox.keep(Sameness::Id([2; 32]), 3_600));
        assert_eq!(1, inbox.due(3_600).len());
    }

    #[test]
    fn the_same_content_in_a_short_while_is_looked_at_at_once_and_once_more_at_its_end() {
        let inbox = Inbox::new();
        let content = Sameness::Content([1; 32]);
        assert_eq!(Kept::New, inbox.keep(content, 0));
        remove(&inbox.db, inbox.due(0)[0].id).unwrap();
        // News of something that changed after the first was worked off.
        assert_eq!(Kept::New, inbox.keep(content, 1));
        assert_eq!(Kept::Duplicate, inbox.keep(content, 2));
        assert!(inbox.due(2).is_empty());
        assert_eq!(Some(at(10)), next_due(&inbox.db).unwrap());
        assert_eq!(1, inbox.due(10).len());
        remove(&inbox.db, inbox.due(10)[0].id).unwrap();
        assert_eq!(Kept::New, inbox.keep(content, 20));
        assert_eq!(1, inbox.due(20).len());
    }

    #[test]
    fn one_that_waits_already_is_enough() {
        let inbox = Inbox::new();
        let content = Sameness::Content([1; 32]);
        assert_eq!(Kept::New, inbox.keep(content, 0));
        assert_eq!(Kept::Duplicate, inbox.keep(content, 1));
        assert_eq!(1, inbox.due(20).len());
    }

    #[test]
    fn what_is_given_up_waits_for_people_and_is_kept_as_it_came() {
        let inbox = Inbox::new();
        inbox.keep(Sameness::Content([1; 32]), 0);
        let first = inbox.due(0).remove(0);
        put_off(&inbox.db, first.id, Some(at(5)), "busy").unwrap();
        assert!(inbox.due(4).is_empty());
        let second = inbox.due(5).remove(0);
        assert_eq!(1, second.attempts);
        assert_eq!(first.webhook, second.webhook);
        put_off(&inbox.db, first.id, None, "it crashed").unwrap();
        assert!(inbox.due(1_000).is_empty());
        assert_eq!(
            1,
            retry(&inbox.db, &inbox.tenant, &inbox.connection).unwrap()
        );
        assert_eq!(0, inbox.due(1_000)[0].attempts);
    }
}
