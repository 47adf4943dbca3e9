//! One open file of a tenant and the transaction on it.
//!
//! A book is read until its first write, and each call then sees the last committed state. The
//! first write takes the tenant's turn and SQLite's write lock; commit and rollback give both back.
//! When SQLite fails within a transaction, part of the work may be gone already, so the book
//! refuses everything until it is rolled back: half of a unit can never be committed.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use phonenumber::country::Id as Country;
use rusqlite::{Connection, ErrorCode, OptionalExtension};
use tenon_host::model::{Directory, Fault, Reason, RecordKind};
use tenon_host::platform::Answer;
use tokio::sync::OwnedMutexGuard;

use crate::sqlite_file::is_damage;
use crate::tenant::Lease;
use crate::{directories, settings, sql};

/// The file failed, not the request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the tenant's file failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("a stored record cannot be read: {0}")]
    Document(#[from] serde_json::Error),
    #[error("the tenant's file was kept locked by another writer for {0:?}")]
    Locked(Duration),
}

/// Why something was not done.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The request cannot be taken; others can.
    Refused(Fault),
    /// The file failed.
    Store(StoreError),
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Halt::Refused(fault)
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Halt::Store(error)
    }
}

impl From<rusqlite::Error> for Halt {
    fn from(error: rusqlite::Error) -> Self {
        Halt::Store(error.into())
    }
}

impl From<serde_json::Error> for Halt {
    fn from(error: serde_json::Error) -> Self {
        Halt::Store(error.into())
    }
}

/// What cannot be taken as it is.
pub(crate) fn refuse<T>(reason: Reason) -> Result<T, Halt> {
    Err(Halt::Refused(Fault::Rejected(reason)))
}

/// Does `act` with each of a list: a refused one leaves the others alone, a failing file ends all.
pub(crate) fn each<I, T>(
    list: Vec<I>,
    mut act: impl FnMut(I) -> Result<T, Halt>,
) -> Result<Vec<Result<T, Fault>>, Halt> {
    list.into_iter()
        .map(|one| match act(one) {
            Ok(done) => Ok(Ok(done)),
            Err(Halt::Refused(fault)) => Ok(Err(fault)),
            Err(halt @ Halt::Store(_)) => Err(halt),
        })
        .collect()
}

/// An open file and where its transaction stands. Dropping it undoes what is not committed.
pub(crate) struct Book {
    lease: Lease,
    phase: Phase,
    /// Saves answer all that differs, see [`Writer::compares`].
    pub(crate) compares: bool,
}

enum Phase {
    Reading,
    Writing(Transaction),
    /// Nothing of the unit is left, and it has not been told to forget yet.
    Failed(Fault),
}

/// What a write transaction holds and remembers.
struct Transaction {
    /// Given back at the end, when others may write.
    _turn: OwnedMutexGuard<()>,
    position: i64,
    committed_position: i64,
    country: Option<Country>,
    known: Known,
}

/// Rows of keys that were seen to exist. Nobody else writes while the transaction is open, so they
/// go on existing.
#[derive(Default)]
struct Known {
    rows: HashMap<Target, HashMap<String, i64>>,
    variants: HashMap<String, i64>,
}

/// What a record may point at by key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Product,
    Category,
    Partner,
    Entry(Directory),
}

impl Book {
    pub(crate) fn new(lease: Lease) -> Book {
        Book {
            lease,
            phase: Phase::Reading,
            compares: false,
        }
    }

    /// Reads within one state of the file.
    pub(crate) fn read<T>(
        &mut self,
        act: impl FnOnce(&Connection) -> Result<T, Halt>,
    ) -> Answer<T> {
        match &self.phase {
            Phase::Failed(why) => Err(why.clone()),
            Phase::Writing(_) => {
                let outcome = act(&self.lease);
                self.settle(outcome)
            }
            Phase::Reading => snapshot(&self.lease, act).map_err(|halt| match halt {
                Halt::Refused(fault) => fault,
                Halt::Store(error) => self.told(&error),
            }),
        }
    }

    /// Writes, after waiting for others who write. What `act` refuses it must not have begun.
    pub(crate) async fn write<T>(
        &mut self,
        act: impl FnOnce(&mut Writer<'_>) -> Result<T, Halt> + Send,
    ) -> Answer<T> {
        if let Phase::Reading = self.phase {
            let transaction = self.begin().await.map_err(|error| self.told(&error))?;
            self.phase = Phase::Writing(transaction);
        }
        match &mut self.phase {
            Phase::Writing(transaction) => {
                let outcome = act(&mut Writer {
                    db: &self.lease,
                    now: jiff::Timestamp::now().as_millisecond(),
                    compares: self.compares,
                    transaction,
                });
                self.settle(outcome)
            }
            Phase::Failed(why) => Err(why.clone()),
            Phase::Reading => unreachable!("the transaction has begun"),
        }
    }

    /// Makes all since the last commit durable and visible, as one.
    pub(crate) fn commit(&mut self) -> Answer<()> {
        match &self.phase {
            Phase::Failed(why) => Err(why.clone()),
            Phase::Reading => Ok(()),
            Phase::Writing(transaction) => {
                let outcome = end(&self.lease, transaction);
                if outcome.is_ok() {
                    self.phase = Phase::Reading;
                }
                self.settle(outcome)
            }
        }
    }

    /// Forgets all since the last commit.
    pub(crate) fn rollback(&mut self) -> Answer<()> {
        self.undo().map_err(|error| self.told(&error.into()))?;
        self.phase = Phase::Reading;
        Ok(())
    }

    fn settle<T>(&mut self, outcome: Result<T, Halt>) -> Answer<T> {
        outcome.map_err(|halt| match halt {
            Halt::Refused(fault) => fault,
            Halt::Store(error) => {
                let why = self.told(&error);
                if let Err(error) = self.undo() {
                    tracing::error!("what is left of the transaction stays: {error}");
                }
                self.phase = Phase::Failed(why.clone());
                why
            }
        })
    }

    /// What the tenant's people are told of a failure of its file. What SQLite says of it, and where it
    /// lies, is for the log of who runs the host.
    fn told(&self, error: &StoreError) -> Fault {
        let file = self.lease.tenant.path.display();
        tracing::error!(%file, "{error}");
        Fault::Transient(match error {
            StoreError::Sqlite(error) if is_damage(error) => {
                return Fault::Configuration(Reason::new("platform.file-damaged"));
            }
            StoreError::Locked(time) => {
                Reason::new("platform.locked").arg("time", format_args!("{time:?}"))
            }
            StoreError::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                Reason::new("platform.disk-full")
            }
            StoreError::Sqlite(_) | StoreError::Document(_) => Reason::new("platform.file-failed"),
        })
    }

    /// SQLite undoes by itself after some errors, such as a full disk.
    fn undo(&self) -> rusqlite::Result<()> {
        if self.lease.is_autocommit() {
            return Ok(());
        }
        self.lease.prepare_cached("ROLLBACK")?.execute([]).map(drop)
    }

    /// Waits for the units of this process by the tenant's turn, then for other processes by
    /// asking again: SQLite's own waiting would block the thread.
    async fn begin(&mut self) -> Result<Transaction, StoreError> {
        let patience = self.lease.folder.patience;
        let deadline = Instant::now() + patience;
        let turn = Arc::clone(&self.lease.tenant.turn);
        let turn = tokio::time::timeout(patience, turn.lock_owned())
            .await
            .map_err(|_| StoreError::Locked(patience))?;
        let mut pause = Duration::from_millis(1);
        while !self.lock_file(patience)? {
            if Instant::now() >= deadline {
                return Err(StoreError::Locked(patience));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        let position = self
            .lease
            .prepare_cached(sql::POSITION)
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        match position {
            Ok(position) => Ok(Transaction {
                _turn: turn,
                position,
                committed_position: position,
                country: None,
                known: Known::default(),
            }),
            Err(error) => {
                self.undo()?;
                Err(error.into())
            }
        }
    }

    /// Whether the write lock was free.
    fn lock_file(&self, patience: Duration) -> rusqlite::Result<bool> {
        self.lease.busy_timeout(Duration::ZERO)?;
        let begun = self
            .lease
            .prepare_cached("BEGIN IMMEDIATE")
            .and_then(|mut statement| statement.execute([]));
        self.lease.busy_timeout(patience)?;
        match begun {
            Ok(_) => Ok(true),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Book {
    fn drop(&mut self) {
        if let Err(error) = self.undo() {
            tracing::warn!(%error, "closing a connection whose transaction could not be undone");
        }
    }
}

fn snapshot<T>(
    db: &Connection,
    act: impl FnOnce(&Connection) -> Result<T, Halt>,
) -> Result<T, Halt> {
    db.prepare_cached("BEGIN")?.execute([])?;
    let outcome = act(db);
    if !db.is_autocommit() {
        db.prepare_cached("ROLLBACK")?.execute([])?;
    }
    outcome
}

fn end(db: &Connection, transaction: &Transaction) -> Result<(), Halt> {
    if transaction.position != transaction.committed_position {
        db.prepare_cached(sql::SET_POSITION)?
            .execute([transaction.position])?;
    }
    db.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}

/// A book within its write transaction.
pub(crate) struct Writer<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) now: i64,
    /// What accounts said before does not count.
    pub(crate) compares: bool,
    transaction: &'a mut Transaction,
}

impl Writer<'_> {
    /// The next place in the stream of changes. Also numbers what needs a number of its own.
    pub(crate) fn next_position(&mut self) -> i64 {
        self.transaction.position += 1;
        self.transaction.position
    }

    /// The country whose phone numbers need no country code.
    pub(crate) fn country(&mut self) -> Result<Country, Halt> {
        match self.transaction.country {
            Some(country) => Ok(country),
            None => {
                let country = settings::country(self.db)?;
                Ok(*self.transaction.country.insert(country))
            }
        }
    }

    /// The tenant lies in another country from now on.
    pub(crate) fn set_country(&mut self, country: Country) -> Result<(), Halt> {
        settings::set_country(self.db, country)?;
        self.transaction.country = Some(country);
        Ok(())
    }

    /// The row of the record that `field` points at, which has to exist.
    pub(crate) fn require(
        &mut self,
        target: Target,
        key: &str,
        field: impl Display,
    ) -> Result<i64, Halt> {
        let rows = self.transaction.known.rows.entry(target).or_default();
        if let Some(row) = rows.get(key) {
            return Ok(*row);
        }
        match target.find(self.db, key)? {
            Some(row) => {
                rows.insert(key.to_owned(), row);
                Ok(row)
            }
            None => refuse(target.missing(key).arg("field", field)),
        }
    }

    /// The variant that `field` points at has to exist, and to be of `product` when that is given.
    pub(crate) fn require_variant(
        &mut self,
        product: Option<i64>,
        key: &str,
        field: impl Display,
    ) -> Result<(), Halt> {
        let variants = &mut self.transaction.known.variants;
        let owner = match variants.get(key) {
            Some(owner) => *owner,
            None => match variant_owner(self.db, key)? {
                Some(owner) => *variants.entry(key.to_owned()).or_insert(owner),
                None => {
                    let reason = Reason::new("platform.no-such-variant");
                    return refuse(reason.arg("field", field).arg("key", key));
                }
            },
        };
        match product {
            Some(product) if product != owner => {
                let reason = Reason::new("platform.variant-of-another");
                refuse(reason.arg("field", field).arg("key", key))
            }
            _ => Ok(()),
        }
    }

    /// The variant is no longer there.
    pub(crate) fn forget_variant(&mut self, key: &str) {
        self.transaction.known.variants.remove(key);
    }
}

/// The row of the product that a variant belongs to.
pub(crate) fn variant_owner(db: &Connection, key: &str) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached(sql::VARIANT_OWNER)?
        .query_row([key], |row| row.get(0))
        .optional()
}

impl Target {
    /// Why nothing can point at a key that is not there; the field is to be added.
    fn missing(self, key: &str) -> Reason {
        let kind = match self {
            Target::Product => RecordKind::Product,
            Target::Category => RecordKind::Category,
            Target::Partner => RecordKind::Partner,
            Target::Entry(directory) => {
                let reason = Reason::new("platform.no-such-entry");
                return reason.arg("directory", directory.name()).arg("key", key);
            }
        };
        let reason = Reason::new("platform.no-such-record");
        reason.arg("kind", kind.name()).arg("key", key)
    }

    fn find(self, db: &Connection, key: &str) -> rusqlite::Result<Option<i64>> {
        let (by_id, by_key) = match self {
            Target::Product => (sql::PRODUCT_ROW_BY_ID, sql::PRODUCT_ROW_BY_KEY),
            Target::Category => (sql::CATEGORY_ROW_BY_ID, sql::CATEGORY_ROW_BY_KEY),
            Target::Partner => (sql::PARTNER_ROW_BY_ID, sql::PARTNER_ROW_BY_KEY),
            Target::Entry(directory) => return directories::row(db, directory, key),
        };
        let id = |row: &rusqlite::Row<'_>| row.get(0);
        let numbered = match number(key) {
            Some(number) => db
                .prepare_cached(by_id)?
                .query_row([number], id)
                .optional()?,
            None => None,
        };
        match numbered {
            Some(row) => Ok(Some(row)),
            None => db.prepare_cached(by_key)?.query_row([key], id).optional(),
        }
    }
}

/// The row that a key names when it is a number as this ERP writes it.
pub(crate) fn number(key: &str) -> Option<i64> {
    let plain = !key.starts_with(['0', '+']);
    key.parse().ok().filter(|number| plain && *number > 0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rusqlite::params;
    use tenon_host::model::Fault;

    use super::{Book, Halt, Writer, number};
    use crate::tenant::Folder;
    use crate::{sql, state};

    fn book() -> (tempfile::TempDir, Book) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path(), Duration::from_secs(1)).unwrap();
        let lease = Arc::new(folder).lease(&"shop".parse().unwrap()).unwrap();
        (dir, Book::new(lease))
    }

    fn store(key: &str, bytes: usize) -> impl FnOnce(&mut Writer<'_>) -> Result<(), Halt> + Send {
        let entry = (key.to_owned(), vec![7; bytes]);
        move |writer| state::set(writer.db, "crm", &[entry])
    }

    fn stored(book: &mut Book) -> u64 {
        book.read(|db| state::stored_bytes(db, "crm")).unwrap()
    }

    #[tokio::test]
    async fn a_full_disk_undoes_the_unit_and_says_so_until_it_is_rolled_back() {
        let (_dir, mut book) = book();
        let pages: i64 = book
            .lease
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        let limit = |book: &Book, pages: i64| {
            let set = format!("PRAGMA max_page_count = {pages}");
            book.lease.query_row(&set, [], |_| Ok(())).unwrap();
        };
        limit(&book, pages + 2);
        book.write(store("small", 10)).await.unwrap();
        let full = book.write(store("big", 1 << 20)).await;
        assert!(
            matches!(&full, Err(Fault::Transient(why)) if why.code == "platform.disk-full"),
            "{full:?}"
        );
        // Half of the unit must not get through.
        for answer in [book.write(store("later", 1)).await, book.commit()] {
            assert_eq!(answer, full);
        }
        assert!(book.read(|db| state::stored_bytes(db, "crm")).is_err());

        limit(&book, pages + 1000);
        book.rollback().unwrap();
        assert_eq!(stored(&mut book), 0);
        book.write(store("a", 9)).await.unwrap();
        book.commit().unwrap();
        assert_eq!(stored(&mut book), 10);
    }

    #[tokio::test]
    async fn a_failed_commit_leaves_nothing_and_the_book_usable_after_rollback() {
        let (_dir, mut book) = book();
        book.write(|writer| {
            // A row that points at nothing, noticed at the end: the commit has to fail.
            writer.db.execute_batch("PRAGMA defer_foreign_keys = ON")?;
            writer
                .db
                .execute(sql::WRITE_VARIANT, params!["v", 404, None::<String>])?;
            Ok(())
        })
        .await
        .unwrap();
        book.write(store("a", 9)).await.unwrap();
        assert!(matches!(book.commit(), Err(Fault::Transient(_))));
        assert!(matches!(book.commit(), Err(Fault::Transient(_))));
        book.rollback().unwrap();
        assert_eq!(stored(&mut book), 0);
        book.write(store("b", 9)).await.unwrap();
        book.commit().unwrap();
        assert_eq!(stored(&mut book), 10);
    }

    #[test]
    fn only_a_number_as_this_erp_writes_it_names_a_row() {
        assert_eq!(number("42"), Some(42));
        for text in [
            "0",
            "042",
            "+42",
            "-42",
            "",
            "4 2",
            "99999999999999999999",
            "v1",
        ] {
            assert_eq!(number(text), None, "{text:?}");
        }
    }
}
