//! Records that could not be taken, until they are.
//!
//! Nothing but a reason takes a record off the list, because nobody else will tell of it: a run took
//! it; people asked for it again, and the run that they asked for came to its end without naming it;
//! people removed it; or it is so old that nobody will look at it any more. That a run came to its end
//! is no reason. Most read only what changed since the last one, some no more than an argument says,
//! and a long one is cut into several.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use tenon_host::ids::{ConnectionId, TenantId};

use super::columns;
use crate::told::Told;

/// A record that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRecord {
    /// Kind of record, as the connector names it.
    pub kind: String,
    /// Number or id that people know it by.
    pub id: String,
    /// What is wrong with it.
    pub reason: Told,
    /// The job that met it.
    pub job: String,
    /// The run that met it.
    pub run: String,
    /// When.
    pub at: Timestamp,
}

/// Takes note of a failed record, in place of what is known of it. That people asked for it again is
/// answered by that.
pub fn put(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    record: &FailedRecord,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO failed_records (tenant, connection, kind, id, reason, job, run, at, why)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT DO UPDATE SET reason = excluded.reason, why = excluded.why,
             job = excluded.job, run = excluded.run, at = excluded.at, asked_at = NULL",
    )?
    .execute(params![
        tenant.as_str(),
        connection.as_str(),
        record.kind,
        record.id,
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
    id: &str,
) -> rusqlite::Result<bool> {
    let removed = db
        .prepare_cached(
            "DELETE FROM failed_records
             WHERE tenant = ?1 AND connection = ?2 AND kind = ?3 AND id = ?4",
        )?
        .execute([tenant.as_str(), connection.as_str(), kind, id])?;
    Ok(removed > 0)
}

/// Takes note that people ask for records again, by kind and id.
pub fn ask_again<'a>(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    names: impl IntoIterator<Item = (&'a str, &'a str)>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let mut update = db.prepare_cached(
        "UPDATE failed_records SET asked_at = ?5
         WHERE tenant = ?1 AND connection = ?2 AND kind = ?3 AND id = ?4",
    )?;
    for (kind, id) in names {
        update.execute(params![
            tenant.as_str(),
            connection.as_str(),
            kind,
            id,
            now.as_millisecond()
        ])?;
    }
    Ok(())
}

/// Forgets what a job met before and people asked for again, because what they asked for at
/// `answered` has come to its end, and has not named it.
pub fn settle(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    job: &str,
    answered: Timestamp,
) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "DELETE FROM failed_records
         WHERE tenant = ?1 AND connection = ?2 AND job = ?3 AND asked_at <= ?4",
    )?
    .execute(params![
        tenant.as_str(),
        connection.as_str(),
        job,
        answered.as_millisecond()
    ])
}

/// Keeps what a job met before although people asked for it again: there were more records that it
/// could not take than it could name.
pub fn doubt(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    job: &str,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE failed_records SET asked_at = NULL
         WHERE tenant = ?1 AND connection = ?2 AND job = ?3",
    )?
    .execute([tenant.as_str(), connection.as_str(), job])
    .map(drop)
}

/// Forgets some of the records that were met before a moment and never since; tells how many.
pub fn forget(db: &Connection, before: Timestamp, limit: u32) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "DELETE FROM failed_records WHERE (tenant, connection, kind, id) IN (
             SELECT tenant, connection, kind, id FROM failed_records WHERE at < ?1
             ORDER BY at LIMIT ?2)",
    )?
    .execute(params![before.as_millisecond(), limit])
}

/// The failed records of a connection, each by kind and id.
pub fn names(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
) -> rusqlite::Result<Vec<(String, String)>> {
    db.prepare_cached("SELECT kind, id FROM failed_records WHERE tenant = ?1 AND connection = ?2")?
        .query_map([tenant.as_str(), connection.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect()
}

/// The failed records of a connection by kind and id, those after one.
pub fn list(
    db: &Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    after: Option<(&str, &str)>,
    limit: u32,
) -> rusqlite::Result<Vec<FailedRecord>> {
    let (kind, id) = after.unwrap_or_default();
    db.prepare_cached(
        "SELECT kind, id, reason, why, job, run, at FROM failed_records
         WHERE tenant = ?1 AND connection = ?2 AND (kind, id) > (?3, ?4)
         ORDER BY kind, id LIMIT ?5",
    )?
    .query_map(
        params![tenant.as_str(), connection.as_str(), kind, id, limit],
        record,
    )?
    .collect()
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
        id: row.get("id")?,
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

        fn put(&self, id: &str, job: &str, second: i64) {
            let record = FailedRecord {
                kind: "order".to_owned(),
                id: id.to_owned(),
                reason: Told::new(Reason::new("order.no-partner")),
                job: job.to_owned(),
                run: "1".to_owned(),
                at: at(second),
            };
            put(&self.db, &self.tenant, &self.connection, &record).unwrap();
        }

        fn ask_again(&self, ids: &[&str], second: i64) {
            let names = ids.iter().map(|id| ("order", *id));
            ask_again(&self.db, &self.tenant, &self.connection, names, at(second)).unwrap();
        }

        fn settle(&self, job: &str, answered: i64) {
            settle(&self.db, &self.tenant, &self.connection, job, at(answered)).unwrap();
        }

        fn ids(&self) -> Vec<String> {
            let names = names(&self.db, &self.tenant, &self.connection).unwrap();
            names.into_iter().map(|(_, id)| id).collect()
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn only_what_people_asked_for_leaves_with_the_run_that_they_asked_for() {
        let list = List::new();
        for id in ["1", "2", "3"] {
            list.put(id, "orders", 0);
        }
        list.put("4", "partners", 0);
        list.ask_again(&["1", "2", "4"], 10);
        // One that was asked for before: it may have been past them by then.
        list.settle("orders", 9);
        assert_eq!(vec!["1", "2", "3", "4"], list.ids());
        // A slice of the run names one of them again.
        list.put("2", "orders", 11);
        list.settle("orders", 10);
        assert_eq!(vec!["2", "3", "4"], list.ids());
        list.settle("partners", 12);
        assert_eq!(vec!["2", "3"], list.ids());
    }

    #[test]
    fn a_run_that_could_not_name_all_settles_nothing() {
        let list = List::new();
        list.put("1", "orders", 0);
        list.ask_again(&["1"], 1);
        doubt(&list.db, &list.tenant, &list.connection, "orders").unwrap();
        list.settle("orders", 1);
        assert_eq!(vec!["1"], list.ids());
    }

    #[test]
    fn old_records_are_forgotten_by_the_time_they_were_met_last() {
        let list = List::new();
        for id in ["1", "2", "3"] {
            list.put(id, "orders", 0);
        }
        list.put("2", "orders", 10);
        assert_eq!(1, forget(&list.db, at(10), 1).unwrap());
        assert_eq!(1, forget(&list.db, at(10), 10).unwrap());
        assert_eq!(vec!["2"], list.ids());
    }
}
