//! The control database of a data folder, `control.sqlite`: what the host itself has to know, as
//! opposed to the records of tenants, which lie in a file each.
//!
//! [`Control`] is for one piece of work at a time: a transaction of it holds the write lock from its
//! start, also one that only reads, so what it sees beside the database, such as the key file,
//! belongs to what it sees inside. [`SharedControl`] is for a server, where many read and write at
//! once.

pub mod audit;
pub(crate) mod columns;
pub mod connections;
pub mod credentials;
pub mod failed;
pub mod log;
pub mod maintenance;
pub mod moments;
pub mod questions;
pub mod repeats;
pub mod retention;
pub mod runs;
pub mod schedules;
mod schema;
pub mod search;
mod shared;
pub mod tenants;
pub mod tokens;
pub mod versions;
pub mod webhooks;

use std::fs::DirBuilder;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use rusqlite_migration::{Error, MigrationDefinitionError};
use schema::MIGRATIONS;
pub use shared::{Failure, SharedControl, Uses};
use tenon_erp::sqlite_file::{self, Unsound, log_ahead, make_private};

use crate::told::refusal;

/// Its name in the data folder.
pub(crate) const FILE: &str = "control.sqlite";

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
        make_folder(data).map_err(|error| {
            let why = refusal("server.folder-unusable").arg("data", data.display());
            why.because(error)
        })?;
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

    /// Opens the database of a data folder that has one, to read from it alone: the folder may be a
    /// copy in which nothing can be written.
    pub fn open_to_read(data: &Path) -> anyhow::Result<Option<Control>> {
        let path = data.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let place = || path.display().to_string();
        let db = sqlite_file::open_to_read(&path, PATIENCE).with_context(place)?;
        match MIGRATIONS.pending_migrations(&db).with_context(place)? {
            0 => Ok(Some(Control { path, db })),
            waiting if waiting < 0 => Err(newer()).with_context(place),
            _ => Err(refusal("server.file-older")).with_context(place),
        }
    }

    /// Reads a control database from its beginning to its end, wherever it lies, and tells what is
    /// wrong with it.
    pub fn check_file(path: &Path) -> Result<(), Unsound> {
        sqlite_file::check(path, schema::KNOWN, PATIENCE)
    }

    /// Reads the pages of a data folder's control database and tells what is wrong with it, without
    /// comparing what its tables and indexes hold.
    pub fn check_quickly(data: &Path) -> Result<(), Unsound> {
        let db = sqlite_file::open_to_read(&data.join(FILE), PATIENCE)?;
        sqlite_file::check_pages(&db)
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
    // Before anything is in it; a file that has tables keeps what it has.
    db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    log_ahead(&db, PATIENCE)?;
    // - synchronous FULL: what was answered for is durable, also when power fails.
    // - secure_delete: what was removed, or sealed with a key that was replaced, is overwritten.
    // - journal_size_limit: what one large write took is given back.
    // - no memory map: a disk error seen through one would end the whole process.
    // - trusted_schema off: a file from elsewhere cannot call functions through its views.
    db.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON;
         PRAGMA journal_size_limit = 16777216;
         PRAGMA mmap_size = 0;
         PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF;",
    )?;
    if let Err(error) = MIGRATIONS.to_latest(&mut db)
        // Another process may have made the same tables in between.
        && MIGRATIONS.pending_migrations(&db) != Ok(0)
    {
        return Err(match error {
            Error::MigrationDefinition(MigrationDefinitionError::DatabaseTooFarAhead) => newer(),
            error => error.into(),
        });
    }
    Ok(db)
}

fn newer() -> anyhow::Error {
    refusal("server.file-newer").into()
}

/// Makes a folder for its owner alone, unless it is there.
pub(crate) fn make_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
