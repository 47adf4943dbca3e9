//! The control database as a server uses it: many write at once, and each of them is durable when it
//! is answered.
//!
//! A durable commit waits for the disk, and SQLite has one writer. So one thread writes for all: what
//! waits meanwhile goes into one transaction and shares one wait. Each piece of work has a savepoint
//! of its own, so a refused one leaves no trace and spoils nobody else's. Few read at one time: more
//! would only share the same cores, with an open file and a thread each.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{Semaphore, oneshot};

use super::{Control, retention};

/// Statements that stay prepared: those that runs, webhooks and schedules need.
const STATEMENTS: usize = 128;

/// Pieces of work that share a commit at most.
const TOGETHER: usize = 256;

/// Readers at one time, for each core and at least.
const READERS_OF_CORE: usize = 2;
const READERS: usize = 4;

/// The control database, or a file beside it, did not do what it was asked to. Nothing of it was
/// written.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(Arc<str>);

impl Failure {
    /// For a reason.
    pub fn new(reason: impl std::fmt::Display) -> Failure {
        Failure(reason.to_string().into())
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Failure::new(format!("the control database: {error}"))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Failure::new(format!("the control database: {error}"))
    }
}

/// Tells whoever waits how the commit went.
type Answer = Box<dyn FnOnce(Result<(), Failure>) + Send>;
type Work = Box<dyn FnOnce(&Connection) -> Answer + Send>;

/// The control database of a server. Clones share it.
#[derive(Clone)]
pub struct SharedControl {
    writer: mpsc::Sender<Work>,
    readers: Arc<Readers>,
    counted: Arc<Counted>,
}

#[derive(Default)]
struct Counted {
    reads: AtomicU64,
    writes: AtomicU64,
}

/// How often the control database was used since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// Calls of [`SharedControl::read`].
    pub reads: u64,
    /// Calls of [`SharedControl::write`]. Several may share a commit.
    pub writes: u64,
}

struct Readers {
    data: Box<Path>,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl SharedControl {
    /// Opens the database of a data folder; makes both when they are not there.
    pub fn open(data: &Path) -> anyhow::Result<SharedControl> {
        let Control { db, .. } = Control::open(data)?;
        if !retention::gives_back(&db)?
            && let Err(error) = retention::make_anew(&db)
        {
            // It works as it is, and this is tried again at the next start.
            tracing::warn!("the control database cannot be made smaller: {error}");
        }
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        let (writer, work) = mpsc::channel();
        std::thread::Builder::new()
            .name("control-writer".to_owned())
            .spawn(move || write_all(&db, &work))?;
        Ok(SharedControl {
            writer,
            readers: Arc::new(Readers {
                data: data.into(),
                places: Arc::new(Semaphore::new(readers())),
                idle: Mutex::default(),
            }),
            counted: Arc::default(),
        })
    }

    /// How often it was used so far.
    pub fn uses(&self) -> Uses {
        Uses {
            reads: self.counted.reads.load(Ordering::Relaxed),
            writes: self.counted.writes.load(Ordering::Relaxed),
        }
    }

    /// Writes: all that `work` does, or nothing when it answers with an error. When this answers, it
    /// is durable.
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Failure> + Send + 'static,
    {
        self.counted.writes.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |db| {
            let done = saved(db, work);
            Box::new(move |committed| {
                let result = done.and_then(|value| committed.map(|()| value).map_err(E::from));
                // Whoever asked may have gone.
                let _ = answer.send(result);
            })
        });
        let gone = || {
            E::from(Failure::new(
                "the control database cannot be written to; the log of the server says why",
            ))
        };
        self.writer.send(work).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Reads, as of one moment.
    pub async fn read<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Failure> + Send + 'static,
    {
        self.counted.reads.fetch_add(1, Ordering::Relaxed);
        let readers = Arc::clone(&self.readers);
        let place = Arc::clone(&readers.places).acquire_owned().await;
        let place = place.map_err(|error| E::from(Failure::new(error)))?;
        tokio::task::spawn_blocking(move || {
            // Who asked may be gone by the end; the place is taken until then.
            let _place = place;
            let mut db = readers.take().map_err(E::from)?;
            let result = {
                let moment = db
                    .transaction_with_behavior(TransactionBehavior::Deferred)
                    .map_err(|error| E::from(error.into()))?;
                work(&moment)
            };
            readers.put_back(db);
            result
        })
        .await
        .map_err(|error| E::from(Failure::new(error)))?
    }
}

/// How many read at one time.
fn readers() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (READERS_OF_CORE * cores).max(READERS)
}

impl Readers {
    fn take(&self) -> Result<Connection, Failure> {
        let idle = self.lock().pop();
        match idle {
            Some(db) => Ok(db),
            None => {
                let control =
                    Control::open(&self.data).map_err(|e| Failure::new(format!("{e:#}")))?;
                control.db.pragma_update(None, "query_only", true)?;
                Ok(control.db)
            }
        }
    }

    fn put_back(&self, db: Connection) {
        self.lock().push(db);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_all(db: &Connection, work: &mpsc::Receiver<Work>) {
    while let Ok(first) = work.recv() {
        let mut answers = Vec::new();
        let committed = (|| -> Result<(), Failure> {
            db.execute_batch("BEGIN IMMEDIATE")?;
            answers.push(first(db));
            while answers.len() < TOGETHER
                && let Ok(next) = work.try_recv()
            {
                answers.push(next(db));
            }
            db.execute_batch("COMMIT")?;
            Ok(())
        })();
        if let Err(error) = &committed {
            tracing::error!("{error}");
            if !db.is_autocommit() {
                // What cannot be undone here is undone when the file is opened next.
                let _ = db.execute_batch("ROLLBACK");
            }
        }
        for answer in answers {
            answer(committed.clone());
        }
    }
}

/// Work in a savepoint.
fn saved<T, E: From<Failure>>(
    db: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    let database = |error: rusqlite::Error| E::from(error.into());
    db.execute_batch("SAVEPOINT work").map_err(database)?;
    let done = work(db);
    let end = if done.is_ok() {
        "RELEASE work"
    } else {
        "ROLLBACK TO work; RELEASE work"
    };
    db.execute_batch(end).map_err(database)?;
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn count(control: &SharedControl) -> i64 {
        let count = |db: &Connection| {
            Ok::<_, Failure>(db.query_row("SELECT count(*) FROM audit", [], |row| row.get(0))?)
        };
        control.read(count).await.unwrap()
    }

    fn note(db: &Connection, action: &str) -> Result<(), Failure> {
        let sql = "INSERT INTO audit (at, actor, action, detail) VALUES (0, 'test', ?1, '{}')";
        db.execute(sql, [action])?;
        Ok(())
    }

    #[tokio::test]
    async fn what_was_answered_for_is_there_after_the_process_ends() {
        let folder = tempfile::tempdir().unwrap();
        let control = SharedControl::open(folder.path()).unwrap();
        let writes = (0..100).map(|number| {
            let control = control.clone();
            tokio::spawn(
                async move { control.write(move |db| note(db, &number.to_string())).await },
            )
        });
        for write in writes.collect::<Vec<_>>() {
            write.await.unwrap().unwrap();
        }
        // A second one opens the file as a new process would, while the first has it open.
        let later = SharedControl::open(folder.path()).unwrap();
        assert_eq!(100, count(&later).await);
    }

    #[tokio::test]
    async fn a_refused_piece_of_work_leaves_no_trace_and_spoils_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let control = SharedControl::open(folder.path()).unwrap();
        let refused = control.write(|db| {
            note(db, "half")?;
            Err::<(), _>(Failure::new("no"))
        });
        let (refused, good) = tokio::join!(refused, control.write(|db| note(db, "whole")));
        assert!(refused.unwrap_err().to_string().ends_with("no"));
        good.unwrap();
        assert_eq!(1, count(&control).await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_who_read_at_once_share_a_few_readers() {
        let folder = tempfile::tempdir().unwrap();
        let control = SharedControl::open(folder.path()).unwrap();
        let reads = (0..200).map(|_| {
            let control = control.clone();
            tokio::spawn(async move { count(&control).await })
        });
        for read in reads.collect::<Vec<_>>() {
            assert_eq!(0, read.await.unwrap());
        }
        assert!(control.readers.lock().len() <= readers());
        assert_eq!(readers(), control.readers.places.available_permits());
    }

    #[tokio::test]
    async fn readers_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let control = SharedControl::open(folder.path()).unwrap();
        assert!(control.read(|db| note(db, "from a reader")).await.is_err());
        assert_eq!(0, count(&control).await);
    }
}
