//! Records that could not be taken, until they are.
//!
//! Nothing but a reason takes a record off the list, because nobody else will tell of it: a run took
//! it, or said that nothing is wanted of it any more; people removed it; or it is so old that nobody
//! will look at it any more. That a run came to its end is no reason, whoever asked for it. Most read
//! only what changed since the last one, some no more than an argument says, and a long one is cut
//! into several.
//!
//! A record is known by its kind and by the name that it has on the side it comes from.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::observe::Side;
use tenon_host::report::Subject;

use super::columns;
use crate::told::Told;

/// A record that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRecord {
    /// Kind of record, as the connector names it.
    pub kind: String,
    /// Which record it is.
    pub subject: Subject,
    /// Number or name that people know it by.
    pub label: String,
    /// What is wrong with it.
    pub reason: Told,
    /// The job that met it.
    pub job: String,
    /// The run that met it.
    pub run: String,
    /// When.
    pub at: Timestamp,
}

/// The side that a record comes from, and its name there.
pub fn place(subject: &Subject) -> (Side, &str) {
    match subject {
        Subject::Key(key) => (Side::Platform, key),
        Subject::Origin(origin) => (Side::Counterpart, origin),
    }
}

fn subject(side: Side, id: String) -> Subject {
    match side {
        Side::Platform => Subject::Key(id),
        Side::Counterpart => Subject::Origin(id),
    }
}

/// Takes note of a failed record, in place of what is known of it.
pub fn put(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    record: &FailedRecord,
) -> rusqlite::Result<()> {
    let (side, id) = place(&record.subject);
    db.prepare_cached(
        "INSERT INTO failed_records (tenant, connection, kind, side, id, label, reason, job, run, at,
             why)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT DO UPDATE SET label = excluded.label, reason = excluded.reason,
             why = excluded.why, job = excluded.job, run = excluded.run, at = excluded.at",
    )?
    .execute(params![
        tenant.as_str(),
        connection.as_str(),
        record.kind,
        columns::to_word(&side)?,
        id,
        record.label,
        record.reason.text,
        record.job,
        record.run,
        record.at.as_millisecond(),
        record.reason.why_json()?,
    ])
    .map(drop)
}

/// Forgets a record that was taken after all, or that people know of; tells whether it was there.
pub fn remove(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    kind: &str,
    subject: &Subject,
) -> rusqlite::Result<bool> {
    let (side, id) = place(subject);
    let side = columns::to_word(&side)?;
    let removed = db
        .prepare_cached(
            "DELETE FROM failed_records
             WHERE tenant = ?1 AND connection = ?2 AND kind = ?3 AND side = ?4 AND id = ?5",
        )?
        .execute([tenant.as_str(), connection.as_str(), kind, &side, id])?;
    Ok(removed > 0)
}

/// Forgets some of a tenant's records that were met before a moment and never since; tells how many.
pub fn forget(
    db: &Connection,
    tenant: &TenantId,
    before: Timestamp,
    limit: u32,
) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "DELETE FROM failed_records WHERE (tenant, connection, kind, side, id) IN (
             SELECT tenant, connection, kind, side, id FROM failed_records
             WHERE tenant = ?1 AND at < ?2 ORDER BY at LIMIT ?3)",
    )?
    .execute(params![tenant.as_str(), before.as_millisecond(), limit])
}

/// The failed records of a connection, each by kind and name.
pub fn names(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> rusqlite::Result<Vec<(String, Subject)>> {
    db.prepare_cached(
        "SELECT kind, side, id FROM failed_records WHERE tenant = ?1 AND connection = ?2",
    )?
    .query_map([tenant.as_str(), connection.as_str()], |row| {
        let subject = subject(columns::word(row, "side")?, row.get("id")?);
        Ok((row.get("kind")?, subject))
    })?
    .collect()
}

/// The failed records of a connection by kind and name, those after one.
pub fn list(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    after: Option<(&str, &Subject)>,
    limit: u32,
) -> rusqlite::Result<Vec<FailedRecord>> {
    let (kind, side, id) = match after {
        Some((kind, subject)) => {
            let (side, id) = place(subject);
            (kind, columns::to_word(&side)?, id)
        }
        None => ("", String::new(), ""),
    };
    db.prepare_cached(
        "SELECT kind, side, id, label, reason, why, job, run, at FROM failed_records
         WHERE tenant = ?1 AND connection = ?2 AND (kind, side, id) > (?3, ?4, ?5)
         ORDER BY kind, side, id LIMIT ?6",
    )?
    .query_map(
        params![tenant.as_str(), connection.as_str(), kind, side, id, limit],
        record,
    )?
    .collect()
}

/// How many there are of all connections. Counted in a small index.
pub fn count_all(db: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT count(*) FROM failed_records INDEXED BY failed_records_by_time";
    let count: i64 = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
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
        subject: subject(columns::word(row, "side")?, row.get("id")?),
        label: row.get("label")?,
        reason: Told::read(row, "reason", "why")?.unwrap_or_default(),
        job: row.get("job")?,
        run: row.get("run")?,
        at: columns::time(row, "at")?,
    })
}

#[cfg(test)]
mod tests {
    use tenon_host::reason::Reason;

    use super::*;

    struct List {
        db: Connection,
        tenant: TenantId,
        connection: ConnectionId,
    }

    impl List {
        fn new() -> List {
            let mut db = Connection::open_in_memory().unwrap();
            crate::control::schema::MIGRATIONS
                .to_latest(&mut db)
                .unwrap();
            db.pragma_update(None, "foreign_keys", false).unwrap();
            List {
                db,
                tenant: "shop".parse().unwrap(),
                connection: "crm".parse().unwrap(),
            }
        }

        fn put(&self, subject: Subject, second: i64) {
            let record = FailedRecord {
                kind: "order".to_owned(),
                subject,
                label: "an order".to_owned(),
                reason: Told::new(Reason::new("order.no-partner")),
                job: "orders".to_owned(),
                run: "1".to_owned(),
                at: at(second),
            };
            put(&self.db, &self.tenant, &self.connection, &record).unwrap();
        }

        fn remove(&self, subject: &Subject) -> bool {
            remove(&self.db, &self.tenant, &self.connection, "order", subject).unwrap()
        }

        fn subjects(&self) -> Vec<Subject> {
            let names = names(&self.db, &self.tenant, &self.connection).unwrap();
            names.into_iter().map(|(_, subject)| subject).collect()
        }
    }

    fn origin(id: &str) -> Subject {
        Subject::Origin(id.to_owned())
    }

    fn key(id: &str) -> Subject {
        Subject::Key(id.to_owned())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn the_same_name_on_each_side_is_two_records() {
        let list = List::new();
        list.put(origin("1041"), 0);
        list.put(key("1041"), 0);
        list.put(key("1041"), 1);
        assert_eq!(vec![origin("1041"), key("1041")], list.subjects());
        assert!(list.remove(&key("1041")));
        assert!(!list.remove(&key("1041")));
        assert_eq!(vec![origin("1041")], list.subjects());
    }

    #[test]
    fn a_list_goes_on_behind_any_record() {
        let list = List::new();
        for subject in [key("2"), origin("1"), key("1"), origin("2")] {
            list.put(subject, 0);
        }
        let mut listed = Vec::new();
        loop {
            let after = listed.last().map(|last| ("order", last));
            let page = super::list(&list.db, &list.tenant, &list.connection, after, 1).unwrap();
            let Some(next) = page.into_iter().next() else {
                break;
            };
            listed.push(next.subject);
        }
        assert_eq!(vec![origin("1"), origin("2"), key("1"), key("2")], listed);
    }

    #[test]
    fn old_records_are_forgotten_by_the_time_they_were_met_last() {
        let list = List::new();
        for id in ["1", "2", "3"] {
            list.put(origin(id), 0);
        }
        list.put(origin("2"), 10);
        assert_eq!(1, forget(&list.db, &list.tenant, at(10), 1).unwrap());
        assert_eq!(1, forget(&list.db, &list.tenant, at(10), 10).unwrap());
        assert_eq!(vec![origin("2")], list.subjects());
    }
}
