//! Whether this server does its work: what whoever starts and watches it asks.

use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::{Error, Service};
use crate::control::{Control, Failure, moments};

/// What has to fit on the disk: several checkpoints, and the log of as many runs.
const ROOM: usize = 1 << 20;

/// How long an answer is given again: strangers may ask, and each look writes to the disk.
const FRESH: Duration = Duration::from_secs(1);

/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The scheduler goes round each second; a minute without is no load.
const SILENT: Duration = Duration::from_secs(60);

/// Why a server is not ready. Each says what to do, and names nobody: who asks has no token. The log
/// knows more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// It was asked to stop.
    #[error("stopping")]
    Stopping,
    /// The disk takes no more, or does not give back what it took.
    #[error("the data folder cannot be written: {0}; make room on its disk, or make it writable")]
    Disk(String),
    /// As many files are open as may be.
    #[error(
        "as many files are open as this server may have; raise the limit (`ulimit -n`, \
         `LimitNOFILE=`), or lower `--runs` and `--connections`"
    )]
    Files,
    /// The control database does not do what it is asked to.
    #[error("the control database cannot be written and read; see the log")]
    Control,
    /// What is in the control database contradicts itself.
    #[error("the control database is damaged; stop the server, restore a backup, and see the log")]
    Damaged,
    /// It takes too long.
    #[error(
        "the data folder does not answer within {} s: its disk is too slow, or another program \
         holds a lock on its `control.sqlite`",
        PATIENCE.as_secs()
    )]
    Slow,
    /// Stored credentials do not open.
    #[error(
        "the stored credentials do not open; give the server the key that they were sealed with, in \
         `TENON_KEY` or as the file `key` of the data folder with mode 600, and see the log"
    )]
    Key,
    /// Nothing is started any more when it is time.
    #[error("the scheduler has done nothing for {0} s; see the log, and start the server anew")]
    Scheduler(u64),
    /// Nothing is run any more, or too little.
    #[error(
        "a request has waited for {0} s that any free place could run; see the log, and give the \
         server more places (`--runs`) or cores"
    )]
    Overdue(u64),
}

/// What is known of the work of this server.
pub(super) struct Health {
    /// When the scheduler last came round, in milliseconds of the clock's own time.
    beat: AtomicU64,
    /// Whether the control database was found damaged.
    damaged: AtomicBool,
    /// The last look, and when that was.
    seen: Mutex<Option<(Duration, Result<(), NotReady>)>>,
}

impl Health {
    pub fn new(passed: Duration) -> Health {
        Health {
            beat: AtomicU64::new(milliseconds(passed)),
            damaged: AtomicBool::new(false),
            seen: Mutex::default(),
        }
    }
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl Service {
    /// Whether this server does its work: the disk takes and gives back what is written, the stored
    /// credentials open, the scheduler goes round, and what could run at once does not wait.
    ///
    /// # Errors
    /// What is not so, with what to do.
    pub async fn ready(&self) -> Result<(), NotReady> {
        if self.stopping() {
            return Err(NotReady::Stopping);
        }
        let mut seen = self.0.health.seen.lock().await;
        let now = self.0.options.clock.passed();
        if let Some((at, found)) = &*seen
            && now.saturating_sub(*at) < FRESH
        {
            return found.clone();
        }
        let found = tokio::time::timeout(PATIENCE, self.look_at_health()).await;
        let found = found.unwrap_or(Err(NotReady::Slow));
        if let Err(why) = &found {
            tracing::error!("not ready: {why}");
        }
        *seen = Some((now, found.clone()));
        found
    }

    /// The scheduler came round.
    pub(crate) fn beat(&self) {
        let passed = milliseconds(self.0.options.clock.passed());
        self.0.health.beat.store(passed, Ordering::Relaxed);
    }

    /// Reads the control database from its beginning to its end, and keeps whether it is sound. What
    /// nothing writes or reads at the moment would not tell.
    pub(crate) async fn check_control(&self) {
        let data = self.options().data.clone();
        let checked = tokio::task::spawn_blocking(move || Control::check_quickly(&data)).await;
        match checked {
            Ok(Ok(())) => self.0.health.damaged.store(false, Ordering::Relaxed),
            Ok(Err(error)) => {
                tracing::error!("the control database: {error}");
                self.0.health.damaged.store(true, Ordering::Relaxed);
            }
            Err(error) => tracing::error!("checking the control database: {error}"),
        }
    }

    async fn look_at_health(&self) -> Result<(), NotReady> {
        if self.0.health.damaged.load(Ordering::Relaxed) {
            return Err(NotReady::Damaged);
        }
        let data = self.options().data.clone();
        let written = tokio::task::spawn_blocking(move || write_and_read(&data)).await;
        let written = written.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        written.map_err(unwritten)?;
        let now = self.now();
        let kept = async {
            (self.control())
                .write(move |db| Ok::<_, Failure>(moments::keep_alive(db, now)?))
                .await?;
            let kept = (self.control())
                .read(|db| Ok::<_, Failure>(moments::last_alive(db)?))
                .await?;
            Ok::<_, Error>((kept, self.queue().figures(now).await?.oldest))
        };
        let (kept, oldest) = kept.await.map_err(|error| {
            tracing::error!("not ready: {error}");
            NotReady::Control
        })?;
        // Another may have written since.
        if kept.is_none_or(|kept| kept.as_millisecond() < now.as_millisecond()) {
            tracing::error!("not ready: the control database does not give back what was written");
            return Err(NotReady::Control);
        }
        self.check_key().await.map_err(|error| {
            tracing::error!("not ready: {error}");
            NotReady::Key
        })?;
        let beat = self.0.health.beat.load(Ordering::Relaxed);
        let silent = milliseconds(self.0.options.clock.passed()).saturating_sub(beat);
        if silent > milliseconds(SILENT) {
            return Err(NotReady::Scheduler(silent / 1_000));
        }
        match oldest {
            Some(oldest) if oldest > self.options().overdue => {
                Err(NotReady::Overdue(oldest.as_secs()))
            }
            _ => Ok(()),
        }
    }
}

fn unwritten(error: std::io::Error) -> NotReady {
    if is_lack_of_files(&error) {
        return NotReady::Files;
    }
    NotReady::Disk(error.to_string())
}

/// Whether no further file can be opened.
#[cfg(unix)]
fn is_lack_of_files(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE)
    )
}

#[cfg(not(unix))]
fn is_lack_of_files(_: &std::io::Error) -> bool {
    false
}

/// Writes as much as has to fit into a file of the folder and reads it back. A small change of the
/// database would not tell: it goes where the file has room already.
fn write_and_read(data: &Path) -> std::io::Result<()> {
    let mut file = tempfile::tempfile_in(data)?;
    let written: Vec<u8> = (0..ROOM).map(|place| (place % 251) as u8).collect();
    file.write_all(&written)?;
    file.sync_data()?;
    file.rewind()?;
    let mut back = Vec::with_capacity(ROOM);
    file.read_to_end(&mut back)?;
    if back != written {
        return Err(std::io::Error::other(
            "it does not give back what was written",
        ));
    }
    Ok(())
}
