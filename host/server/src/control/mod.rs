//! The control database of a data folder, `control.sqlite`: what the host itself has to know, as
//! opposed to the records of tenants, which lie in a file each.
//!
//! Every use of it is one transaction that holds the write lock from its start, also one that only
//! reads: so what a transaction sees beside the database, such as the key file, belongs to what it
//! sees inside.

pub mod credentials;
pub mod log;

use std::fs::{DirBuilder, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use rusqlite_migration::{Error, M, MigrationDefinitionError, Migrations};

/// Steps are only ever added: databases stand at any of them.
const STEPS: &[M<'static>] = &[M::up(credentials::TABLE), M::up(log::TABLE)];
const MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);

const FILE: &str = "control.sqlite";

/// How long a transaction waits for those of other processes.
const PATIENCE: Duration = Duration::from_secs(30);

/// An open control database.
pub struct Control {
    path: PathBuf,
    db: Connection,
}

impl Control {
    /// Opens the database of a data folder; makes both when they are not there.
    pub fn open(data: &Path) -> anyhow::Result<Control> {
        make_folder(data)
            .with_context(|| format!("cannot use the data folder {}", data.display()))?;
        let path = data.join(FILE);
        let db = connect(&path).with_context(|| path.display().to_string())?;
        Ok(Control { path, db })
    }

    /// Opens the database of a data folder that has one: reading makes none.
    pub fn open_existing(data: &Path) -> anyhow::Result<Option<Control>> {
        if data.join(FILE).exists() {
            Control::open(data).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Does some work as one transaction, which nobody else's overlaps. An error undoes it.
    pub fn alone<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let place = || self.path.display().to_string();
        let transaction = self.db.transaction().with_context(place)?;
        let done = work(&transaction)?;
        transaction.commit().with_context(place)?;
        Ok(done)
    }

    /// Empties the journal, where rows stand as they were before they were changed or removed.
    ///
    /// As long as another process reads, it keeps them; whoever closes the database last deletes it.
    pub fn empty_journal(&self) -> anyhow::Result<()> {
        (self.db)
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .with_context(|| self.path.display().to_string())
    }
}

fn connect(path: &Path) -> anyhow::Result<Connection> {
    make_private(path)?;
    // Without SQLITE_OPEN_URI a folder named `file:…` stays a folder.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(PATIENCE)?;
    db.set_transaction_behavior(TransactionBehavior::Immediate);
    journal(&db)?;
    // - synchronous FULL: what was answered for is durable, also when power fails.
    // - secure_delete: what was removed, or sealed with a key that was replaced, is overwritten.
    // - no memory map: a disk error seen through one would end the whole process.
    // - trusted_schema off: a file from elsewhere cannot call functions through its views.
    db.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON;
         PRAGMA mmap_size = 0;
         PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF;",
    )?;
    if let Err(error) = MIGRATIONS.to_latest(&mut db)
        // Another process may have made the same tables in between.
        && MIGRATIONS.pending_migrations(&db) != Ok(0)
    {
        return Err(match error {
            Error::MigrationDefinition(MigrationDefinitionError::DatabaseTooFarAhead) => {
                anyhow::anyhow!("a newer version of this program wrote it; update this one")
            }
            error => error.into(),
        });
    }
    Ok(db)
}

/// Sets write-ahead logging. The file keeps it, so this waits only while several processes make one
/// file; SQLite itself does not wait for them here.
fn journal(db: &Connection) -> rusqlite::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match db.execute_batch("PRAGMA journal_mode = WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(2));
            }
            outcome => return outcome,
        }
    }
}

fn make_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// SQLite gives its own files the mode of this one, so it is made before SQLite sees it.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
