//! The files of the tenants, and the open connections to them.

use std::collections::{HashMap, VecDeque};
use std::fs::DirBuilder;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tenon_host::ids::TenantId;

use crate::schema::{self, Absent};
use crate::sqlite_file::{self, beside};
use crate::{Error, sql};

const ENDING: &str = ".sqlite";

/// Open connections kept for the next unit, over all tenants, unless [`Folder::keep_open`] says less:
/// opening costs about a hundred times more than taking one from here, and each holds three file
/// descriptors.
const IDLE: usize = 64;

/// The folder of all tenants' files.
pub(crate) struct Folder {
    path: PathBuf,
    pub(crate) patience: Duration,
    /// Nothing is written: the folder may lie where nothing can be.
    read_only: bool,
    /// A file that is not there was lost.
    expects_files: AtomicBool,
    tenants: Mutex<HashMap<TenantId, Arc<Tenant>>>,
    /// Least recently used first. A connection is closed before its tenant is let go, by which
    /// [`Folder::remove`] knows that nobody uses the file.
    idle: Mutex<VecDeque<(Connection, Arc<Tenant>)>>,
    /// How many of them.
    most_idle: AtomicUsize,
}

/// One tenant's file.
pub(crate) struct Tenant {
    pub(crate) path: PathBuf,
    /// Whose turn it is to write. Units of this process wait here, without blocking a thread.
    pub(crate) turn: Arc<tokio::sync::Mutex<()>>,
    /// Tables are made by one opener at a time.
    opening: Mutex<()>,
}

impl Folder {
    pub(crate) fn open(dir: &Path, patience: Duration) -> Result<Folder, Error> {
        let path = dir.join("tenants");
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(|source| Error::Folder {
            path: path.clone(),
            source,
        })?;
        Ok(Folder::over(path, patience, false))
    }

    /// To read what is there; nothing is made.
    pub(crate) fn open_to_read(dir: &Path, patience: Duration) -> Folder {
        Folder::over(dir.join("tenants"), patience, true)
    }

    fn over(path: PathBuf, patience: Duration, read_only: bool) -> Folder {
        Folder {
            path,
            patience,
            read_only,
            expects_files: AtomicBool::new(false),
            tenants: Mutex::default(),
            idle: Mutex::default(),
            most_idle: AtomicUsize::new(IDLE),
        }
    }

    /// From now on a file is made by [`Folder::create`] alone.
    pub(crate) fn expect_files(&self) {
        self.expects_files.store(true, Ordering::Relaxed);
    }

    /// Keeps fewer connections for the next unit.
    pub(crate) fn keep_open(&self, connections: usize) {
        self.most_idle
            .store(connections.min(IDLE), Ordering::Relaxed);
    }

    /// The tenants that have a file, by name.
    pub(crate) fn names(&self) -> Result<Vec<TenantId>, Error> {
        let folder = |source| Error::Folder {
            path: self.path.clone(),
            source,
        };
        let mut names = Vec::new();
        for file in std::fs::read_dir(&self.path).map_err(folder)? {
            let name = file.map_err(folder)?.file_name();
            // What is not named as a tenant's file is somebody else's.
            names.extend(
                name.to_str()
                    .and_then(|name| name.strip_suffix(ENDING))
                    .and_then(|name| name.parse().ok()),
            );
        }
        names.sort();
        Ok(names)
    }

    pub(crate) fn file(&self, name: &TenantId) -> PathBuf {
        self.path.join(format!("{name}{ENDING}"))
    }

    /// Makes the file of a tenant that has none, or goes on making one that a dead process began.
    pub(crate) fn create(self: &Arc<Self>, name: &TenantId) -> Result<(), Error> {
        self.lease_or(name, Absent::Made).map(drop)
    }

    /// The highest fence in the files. One that cannot be read now has no part in it: nothing can be
    /// written to it either.
    pub(crate) fn highest_fence(&self) -> Result<i64, Error> {
        let mut highest = 0;
        for name in self.names()? {
            let path = self.file(&name);
            // Whatever version wrote it.
            let found = sqlite_file::open_to_read(&path, self.patience)
                .and_then(|db| db.query_row(sql::HIGHEST_FENCE, [], |row| row.get(0)));
            match found {
                Ok(found) => highest = highest.max(found),
                Err(error) => {
                    let file = path.display();
                    tracing::error!(%file, "the fences of a tenant are not known: {error}");
                }
            }
        }
        Ok(highest)
    }

    /// A connection to the file of a tenant, which is made when it is not there and none is expected.
    pub(crate) fn lease(self: &Arc<Self>, name: &TenantId) -> Result<Lease, Error> {
        let absent = match self.expects_files.load(Ordering::Relaxed) {
            true => Absent::Lost,
            false => Absent::Made,
        };
        self.lease_or(name, absent)
    }

    fn lease_or(self: &Arc<Self>, name: &TenantId, absent: Absent) -> Result<Lease, Error> {
        let tenant = Arc::clone(
            locked(&self.tenants)
                .entry(name.clone())
                .or_insert_with(|| {
                    Arc::new(Tenant {
                        path: self.file(name),
                        turn: Arc::default(),
                        opening: Mutex::default(),
                    })
                }),
        );
        // What an open connection writes into a file that was removed is lost.
        if absent == Absent::Lost && schema::is_empty(&tenant.path) {
            while self.take_idle(&tenant).is_some() {}
        }
        let connection = match self.take_idle(&tenant) {
            Some(connection) => connection,
            None if self.read_only => schema::open_to_read(&tenant.path, self.patience)?,
            None => {
                let _alone = locked(&tenant.opening);
                schema::open(&tenant.path, self.patience, absent)?
            }
        };
        Ok(Lease {
            connection: Some(connection),
            tenant,
            folder: Arc::clone(self),
        })
    }

    /// A connection to a file that is there already: reading makes no tenants.
    pub(crate) fn lease_existing(self: &Arc<Self>, name: &TenantId) -> Result<Lease, Error> {
        if self.expects_files.load(Ordering::Relaxed) || self.file(name).exists() {
            self.lease(name)
        } else {
            Err(Error::NoTenant(name.clone()))
        }
    }

    /// Removes the file of a tenant, after waiting for who uses it.
    pub(crate) async fn remove(&self, name: &TenantId) -> Result<(), Error> {
        let deadline = Instant::now() + self.patience;
        while !self.remove_unused(name)? {
            if Instant::now() >= deadline {
                return Err(Error::InUse(name.clone()));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Whether nobody used the file, so that it is gone now. SQLite finds the files beside it by
    /// name: with a connection still open to it, those of a later tenant of that name would suffer.
    fn remove_unused(&self, name: &TenantId) -> Result<bool, Error> {
        // Whoever wants the file from here on waits until it is gone.
        let mut tenants = locked(&self.tenants);
        if let Some(tenant) = tenants.get(name) {
            while let Some(connection) = self.take_idle(tenant) {
                drop(connection);
            }
            if Arc::strong_count(tenant) > 1 {
                return Ok(false);
            }
        }
        // The file goes last: a log without its file would be taken for that of the next one.
        let file = self.file(name);
        for ending in ["-wal", "-shm", ""] {
            let path = beside(&file, ending);
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::Folder { path, source });
                }
                _ => {}
            }
        }
        tenants.remove(name);
        Ok(true)
    }

    fn take_idle(&self, tenant: &Arc<Tenant>) -> Option<Connection> {
        let mut idle = locked(&self.idle);
        let place = idle
            .iter()
            .rposition(|(_, owner)| Arc::ptr_eq(owner, tenant))?;
        idle.remove(place).map(|(connection, _)| connection)
    }

    fn put_idle(&self, tenant: Arc<Tenant>, connection: Connection) {
        let surplus = {
            let mut idle = locked(&self.idle);
            idle.push_back((connection, tenant));
            if idle.len() > self.most_idle.load(Ordering::Relaxed) {
                idle.pop_front()
            } else {
                None
            }
        };
        // Closing may write the journal back, which nobody else should wait for.
        drop(surplus);
    }
}

/// What these locks guard is whole between any two statements, so a panic elsewhere spoils nothing.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection on loan; it goes back when dropped.
pub(crate) struct Lease {
    connection: Option<Connection>,
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) folder: Arc<Folder>,
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("only dropping the lease takes it")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            // One whose transaction could not be ended is closed, which ends it.
            && connection.is_autocommit()
        {
            self.folder.put_idle(Arc::clone(&self.tenant), connection);
        }
    }
}
