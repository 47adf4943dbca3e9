//! How long what grows with time is kept, and how the room is given back.
//!
//! All of it goes in small pieces: whoever else writes waits for one of them at most.

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tenon_host::ids::TenantId;

use super::tenants::Keep;
use super::{audit, columns, failed, log, questions, repeats, runs, webhooks};

/// How long it is kept who changed what.
const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Free pages that stay for what is written next.
const SPARE: i64 = 256;

/// All tenants, and how long each of them keeps what went on.
pub fn kept(db: &Connection) -> rusqlite::Result<Vec<(TenantId, Keep)>> {
    db.prepare("SELECT id, keep_days, keep_log_lines FROM tenants")?
        .query_map([], |row| {
            let keep = Keep {
                days: row.get("keep_days")?,
                log_lines: row.get("keep_log_lines")?,
            };
            Ok((columns::parsed(row, "id")?, keep))
        })?
        .collect()
}

/// Forgets up to so many rows of each kind of what a tenant keeps no longer; tells whether there may be
/// more.
pub fn forget_of(
    db: &Connection,
    tenant: &TenantId,
    keep: Keep,
    now: Timestamp,
    limit: u32,
) -> rusqlite::Result<bool> {
    let age = SignedDuration::from_hours(24 * i64::from(keep.days));
    let before = now - age;
    let newest = log::newest_since(db, tenant, keep.log_lines)?;
    let lines_before = newest.map_or(before, |newest| newest.max(before));
    let gone = [
        log::forget(db, tenant, lines_before, limit)?,
        runs::forget(db, tenant, before, limit)?,
        failed::forget(db, tenant, before, limit)?,
        questions::forget(db, tenant, before, limit)?,
        webhooks::forget(db, tenant, before, limit)?,
    ];
    Ok(gone.into_iter().any(|gone| gone >= limit as usize))
}

/// The same of what is kept for all tenants alike.
pub fn forget_common(db: &Connection, now: Timestamp, limit: u32) -> rusqlite::Result<bool> {
    let gone = [
        audit::forget(db, now - YEAR, limit)?,
        repeats::forget(db, now - repeats::KEPT, limit)?,
    ];
    Ok(gone.into_iter().any(|gone| gone >= limit as usize))
}

/// Gives up to so many pages that are free back to the disk; tells whether there are more.
pub fn give_back(db: &Connection, pages: u32) -> rusqlite::Result<bool> {
    let free = || db.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0));
    let most = i64::from(pages).min(free()? - SPARE);
    if most <= 0 || !gives_back(db)? {
        return Ok(false);
    }
    let mut giving = db.prepare(&format!("PRAGMA incremental_vacuum({most})"))?;
    let mut rows = giving.raw_query();
    while rows.next()?.is_some() {}
    drop(rows);
    Ok(free()? > SPARE)
}

/// Whether the file can give room back. One from before this was thought of is made anew once.
pub fn gives_back(db: &Connection) -> rusqlite::Result<bool> {
    const INCREMENTAL: i64 = 2;
    let kind: i64 = db.query_row("PRAGMA auto_vacuum", [], |row| row.get(0))?;
    Ok(kind == INCREMENTAL)
}

/// Makes the file anew, so that it can give room back from then on. It takes about as much room again
/// meanwhile, and a second for each hundred megabytes.
pub fn make_anew(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Control, SharedControl};
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn now() -> Timestamp {
        Timestamp::from_millisecond(400 * DAY).unwrap()
    }

    fn tenant(db: &Connection, name: &str, keep: Keep) -> TenantId {
        let sql = "INSERT INTO tenants (id, name, time_zone, language, created_at, keep_days,
                       keep_log_lines)
                   VALUES (?1, '', 'UTC', 'en', 0, ?2, ?3)";
        db.execute(sql, rusqlite::params![name, keep.days, keep.log_lines])
            .unwrap();
        name.parse().unwrap()
    }

    /// So many lines of a tenant, an hour apart, the newest an hour ago.
    fn log(db: &Connection, tenant: &TenantId, lines: u32) {
        db.execute(
            "WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < ?2)
             INSERT INTO run_log (tenant, connection, job, at, level, message)
             SELECT ?1, 'crm', 'orders', ?3 - n * 3600000, 'info', hex(randomblob(100)) FROM n",
            rusqlite::params![tenant.as_str(), lines, now().as_millisecond()],
        )
        .unwrap();
    }

    fn lines(db: &Connection, tenant: &TenantId) -> u32 {
        let sql = "SELECT count(*) FROM run_log WHERE tenant = ?1";
        db.query_row(sql, [tenant.as_str()], |row| row.get(0))
            .unwrap()
    }

    fn open(folder: &Path) -> Connection {
        Control::open(folder).unwrap().db
    }

    /// Pages of the file, and of the log beside it, after all that is written is in the file.
    fn size(db: &Connection, folder: &Path) -> (u64, u64) {
        db.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))
            .unwrap();
        db.execute_batch("BEGIN IMMEDIATE; UPDATE fence SET last = last + 1; COMMIT")
            .unwrap();
        let bytes = |name| std::fs::metadata(folder.join(name)).unwrap().len();
        (bytes("control.sqlite"), bytes("control.sqlite-wal"))
    }

    #[test]
    fn each_tenant_keeps_as_many_days_and_lines_as_it_was_given() {
        let folder = tempfile::tempdir().unwrap();
        let db = open(folder.path());
        let usual = Keep::default();
        let keeps = [
            ("usual", usual, 90 * 24),
            ("short", Keep { days: 2, ..usual }, 48),
            (
                "long",
                Keep {
                    days: 3_650,
                    ..usual
                },
                3_000,
            ),
            (
                "few",
                Keep {
                    log_lines: 1_000,
                    ..usual
                },
                1_000,
            ),
        ];
        for (name, keep, _) in keeps {
            let tenant = tenant(&db, name, keep);
            log(&db, &tenant, 3_000);
        }
        for (tenant, keep) in kept(&db).unwrap() {
            while forget_of(&db, &tenant, keep, now(), 500).unwrap() {}
        }
        for (name, _, left) in keeps {
            assert_eq!(left, lines(&db, &name.parse().unwrap()), "{name}");
        }
    }

    #[test]
    fn what_is_forgotten_goes_in_small_pieces_and_its_room_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let db = open(folder.path());
        let shop = tenant(
            &db,
            "shop",
            Keep {
                days: 1,
                ..Keep::default()
            },
        );
        log(&db, &shop, 50_000);
        let (full, _) = size(&db, folder.path());
        let keep = kept(&db).unwrap()[0].1;
        let mut pieces = 0;
        let mut before = lines(&db, &shop);
        while forget_of(&db, &shop, keep, now(), 500).unwrap() {
            let after = lines(&db, &shop);
            assert!(before - after <= 500, "a piece of {}", before - after);
            (before, pieces) = (after, pieces + 1);
        }
        assert_eq!((99, 24), (pieces, lines(&db, &shop)));
        let mut given = 0;
        while give_back(&db, 500).unwrap() {
            given += 1;
        }
        assert!(given > 1, "all at once");
        let (empty, beside) = size(&db, folder.path());
        assert!(empty < full / 5, "{full} bytes before, {empty} after");
        assert!(beside <= 16 << 20, "{beside} bytes beside it");
    }

    #[test]
    fn a_file_that_could_give_nothing_back_is_made_anew_when_a_server_starts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("control.sqlite");
        let old = Connection::open(&file).unwrap();
        old.execute_batch("CREATE TABLE before (x); DROP TABLE before; PRAGMA journal_mode = WAL")
            .unwrap();
        drop(old);
        let db = open(folder.path());
        log(&db, &"shop".parse().unwrap(), 100);
        assert!(!gives_back(&db).unwrap());
        drop(db);
        drop(SharedControl::open(folder.path()).unwrap());
        let db = open(folder.path());
        assert!(gives_back(&db).unwrap());
        assert_eq!(100, lines(&db, &"shop".parse().unwrap()));
    }
}
