//! What was spent of request budgets, in `budgets.sqlite` of a data folder: the server, the next one and
//! `tenon run` count each other's requests.
//!
//! Each request of a run waits for a row here, so nothing waits for the disk: a process that is killed
//! leaves its rows, a power cut takes the last ones along, and no window of a counterpart outlasts the
//! start of a machine by much. Nothing here is worth a backup.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Row, TransactionBehavior, params};
use tenon_erp::sqlite_file::{Unsound, beside, check_pages, is_damage, log_ahead, make_private};
use tenon_host::{Ledger, LedgerError, Noted};

const FILE: &str = "budgets.sqlite";

/// How long a request waits for another process.
const PATIENCE: Duration = Duration::from_secs(5);

/// Rows that are over and go with one that is written.
const FORGOTTEN: u32 = 16;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS noted (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    at INTEGER NOT NULL,
    units INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS noted_by_account ON noted (account, id);
CREATE INDEX IF NOT EXISTS noted_by_end ON noted (until);
";

/// The ledger of a data folder.
#[derive(Debug)]
pub struct Spending(Mutex<Connection>);

impl Spending {
    /// Opens it; makes it when it is not there. One that is damaged is made anew: it holds nothing that
    /// anybody would miss for longer than a window of a counterpart.
    pub fn open(data: &Path) -> anyhow::Result<Spending> {
        let path = data.join(FILE);
        let opened = match open(&path) {
            Err(error) if error.is_damage() => {
                tracing::warn!(
                    "{}: {error}; it is made anew, and what was spent of request budgets is not \
                     known",
                    path.display()
                );
                remove(&path).and_then(|()| open(&path))
            }
            opened => opened,
        };
        let db = opened.with_context(|| path.display().to_string())?;
        Ok(Spending(Mutex::new(db)))
    }
}

/// Why the file cannot be opened.
#[derive(Debug, thiserror::Error)]
enum Unopened {
    #[error(transparent)]
    File(#[from] std::io::Error),
    #[error(transparent)]
    Unsound(#[from] Unsound),
}

impl From<rusqlite::Error> for Unopened {
    fn from(error: rusqlite::Error) -> Self {
        Unopened::Unsound(error.into())
    }
}

impl Unopened {
    fn is_damage(&self) -> bool {
        match self {
            Unopened::Unsound(Unsound::Sqlite(error)) => is_damage(error),
            Unopened::Unsound(Unsound::Damaged(_)) => true,
            Unopened::Unsound(_) | Unopened::File(_) => false,
        }
    }
}

/// Removes the file with what lies beside it.
fn remove(path: &Path) -> Result<(), Unopened> {
    for ending in ["-wal", "-shm", ""] {
        match std::fs::remove_file(beside(path, ending)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<Connection, Unopened> {
    make_private(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(PATIENCE)?;
    db.set_transaction_behavior(TransactionBehavior::Immediate);
    log_ahead(&db, PATIENCE)?;
    db.execute_batch("PRAGMA synchronous = OFF; PRAGMA trusted_schema = OFF;")?;
    db.execute_batch(TABLES)?;
    // It is small: rows go as their windows end.
    check_pages(&db)?;
    Ok(db)
}

impl Ledger for Spending {
    fn note(
        &self,
        account: &str,
        after: i64,
        decide: &mut dyn FnMut(&[Noted]) -> Option<Noted>,
    ) -> Result<i64, LedgerError> {
        let mut db = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        note(&mut db, account, after, decide).map_err(LedgerError::new)
    }
}

fn note(
    db: &mut Connection,
    account: &str,
    after: i64,
    decide: &mut dyn FnMut(&[Noted]) -> Option<Noted>,
) -> rusqlite::Result<i64> {
    let transaction = db.transaction()?;
    let mut last = after;
    let mut noted = Vec::new();
    {
        let mut select = transaction.prepare_cached(
            "SELECT id, at, units, until FROM noted WHERE account = ?1 AND id > ?2 ORDER BY id",
        )?;
        let mut rows = select.query(params![account, after])?;
        while let Some(row) = rows.next()? {
            last = row.get("id")?;
            noted.push(read(row)?);
        }
    }
    if let Some(new) = decide(&noted) {
        transaction
            .prepare_cached(
                "DELETE FROM noted WHERE id IN (
                     SELECT id FROM noted WHERE until <= ?1 ORDER BY until LIMIT ?2)",
            )?
            .execute(params![Timestamp::now().as_millisecond(), FORGOTTEN])?;
        last = transaction
            .prepare_cached(
                "INSERT INTO noted (account, at, units, until) VALUES (?1, ?2, ?3, ?4)",
            )?
            .insert(params![
                account,
                new.at.as_millisecond(),
                new.units,
                new.until.as_millisecond()
            ])?;
    }
    transaction.commit()?;
    Ok(last)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Noted> {
    let time = |milliseconds| Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    Ok(Noted {
        at: time(row.get("at")?),
        units: row.get("units")?,
        until: time(row.get("until")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap()
    }

    fn spent(units: u32, for_seconds: i64) -> Noted {
        let at = now();
        Noted {
            at,
            units,
            until: at + jiff::SignedDuration::from_secs(for_seconds),
        }
    }

    /// What is behind an entry, with the last number.
    fn behind(ledger: &Spending, account: &str, after: i64) -> (Vec<Noted>, i64) {
        let mut found = Vec::new();
        let last = ledger.note(account, after, &mut |noted| {
            found = noted.to_vec();
            None
        });
        (found, last.unwrap())
    }

    #[test]
    fn each_process_sees_what_the_others_noted_of_an_account_and_of_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let one = Spending::open(folder.path()).unwrap();
        let other = Spending::open(folder.path()).unwrap();
        let (first, second) = (spent(1, 60), spent(2, 60));
        let seen = one.note("shop a", 0, &mut |_| Some(first)).unwrap();
        assert_eq!((vec![], seen), behind(&one, "shop a", seen));
        assert_eq!((vec![first], seen), behind(&other, "shop a", 0));
        let last = other.note("shop a", seen, &mut |_| Some(second)).unwrap();
        assert_eq!((vec![second], last), behind(&one, "shop a", seen));
        assert_eq!((vec![], 0), behind(&one, "shop b", 0));
        drop((one, other));
        let next = Spending::open(folder.path()).unwrap();
        assert_eq!((vec![first, second], last), behind(&next, "shop a", 0));
    }

    #[test]
    fn what_is_over_is_forgotten_and_no_number_comes_again() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Spending::open(folder.path()).unwrap();
        let over = ledger.note("a", 0, &mut |_| Some(spent(1, -1))).unwrap();
        let fresh = spent(1, 60);
        let last = ledger.note("a", over, &mut |_| Some(fresh)).unwrap();
        assert!(last > over);
        assert_eq!((vec![fresh], last), behind(&ledger, "a", 0));
    }

    #[test]
    fn a_damaged_file_keeps_nobody_waiting() {
        let folder = tempfile::tempdir().unwrap();
        drop(Spending::open(folder.path()).unwrap());
        let file = folder.path().join(FILE);
        let whole = std::fs::read(&file).unwrap();
        for damaged in [b"no database".to_vec(), whole[..whole.len() / 2].to_vec()] {
            std::fs::write(&file, damaged).unwrap();
            let ledger = Spending::open(folder.path()).unwrap();
            assert_eq!((vec![], 0), behind(&ledger, "a", 0));
        }
    }
}
