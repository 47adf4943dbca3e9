//! Runs what was asked for: claims requests while there is room, and sees each run to its end.
//!
//! A run tells its progress, log and changes while it goes on; they are written together about once
//! a second, and the lease is renewed on the way. What a run did at the platform is durable at its
//! checkpoints whatever becomes of this process; its record here is written before the request is
//! given back, so a request that is given back has its record, and one that is not runs again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tenon_host::manifest::Manifest;
use tenon_host::observe::{Exchange, Level, LogLine, Observer, Progress, Written};
use tenon_host::report::{Outcome, RejectedRecord, RunReport};
use tenon_host::{Connection, JobRequest};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::control::connections::{State, Stored};
use crate::control::runs::Begun;
use crate::control::{failed, log, runs};
use crate::observe;
use crate::queue::{Claim, Ended, Fence, Leases, RequestId, cause};
use crate::service::{Error, Service, Watched};

/// Between two looks at a run that is under way.
const LOOK: Duration = Duration::from_secs(1);

/// Longest sleep without work: the clock of the machine may be set meanwhile.
const SLEEP: Duration = Duration::from_secs(5);

/// Changes of a run that are kept; a first exchange writes more than anybody reads.
const CHANGES: usize = 10_000;

/// Runs requests until the service stops and its runs have ended, or have had their time for that.
pub async fn run(service: Service) {
    let places = Arc::new(Semaphore::new(service.options().runs as usize));
    let mut runs = JoinSet::new();
    let mut changed = service.queue().changed();
    while !service.stopping() {
        while runs.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            service.set_pressed(true);
            tokio::select! {
                _ = runs.join_next() => {}
                () = service.stopped() => {}
            }
            continue;
        };
        service.set_pressed(false);
        changed.mark_unchanged();
        let now = Timestamp::now();
        match service.queue().claim(now, service.options().lease).await {
            Ok(Some(claim)) => {
                let service = service.clone();
                runs.spawn(async move {
                    perform(&service, claim).await;
                    drop(place);
                });
            }
            Ok(None) => {
                drop(place);
                let wait = until_due(&service, now).await;
                tokio::select! {
                    _ = changed.changed() => {}
                    _ = runs.join_next(), if !runs.is_empty() => {}
                    () = tokio::time::sleep(wait) => {}
                    () = service.stopped() => {}
                }
                if let Err(error) = service.queue().recover(Leases::RanOut, now).await {
                    tracing::error!("leases that ran out: {error}");
                }
            }
            Err(error) => {
                tracing::error!("claiming a request: {error}");
                tokio::time::sleep(SLEEP).await;
            }
        }
    }
    for watched in service.all_running().values() {
        watched.stop.store(true, Ordering::Relaxed);
    }
    let ended = async { while runs.join_next().await.is_some() {} };
    if tokio::time::timeout(service.options().patience, ended)
        .await
        .is_err()
    {
        // They go on from their last checkpoints when a server starts again.
        tracing::warn!("{} runs did not stop in time", runs.len());
        runs.shutdown().await;
    }
}

async fn until_due(service: &Service, now: Timestamp) -> Duration {
    match service.queue().next_due().await {
        Ok(Some(due)) => {
            let wait = Duration::try_from(now.duration_until(due)).unwrap_or_default();
            wait.min(SLEEP)
        }
        _ => SLEEP,
    }
}

/// What a run is for.
pub(crate) struct Work {
    /// The run that comes of it.
    pub run: String,
    pub job: String,
    pub argument: Option<String>,
    pub preview: bool,
    pub cause: tenon_host::Cause,
    /// None for what did not have to wait.
    pub request: Option<RequestId>,
    pub fence: Option<Fence>,
}

/// A name for a run: a UUID of version 7, which sorts by start.
pub(crate) fn new_run() -> String {
    Uuid::now_v7().to_string()
}

/// Runs a claim and gives it back.
async fn perform(service: &Service, claim: Claim) {
    let work = Work {
        run: new_run(),
        job: claim.job.clone(),
        argument: claim.argument.clone(),
        preview: claim.preview,
        cause: claim.cause.clone(),
        request: Some(claim.id),
        fence: Some(claim.fence),
    };
    let alone = service.place(&claim.tenant, &claim.connection);
    let occupied = async {
        let _alone = alone.lock_owned().await;
        execute(service, &claim, work).await
    };
    let ended = match keep_lease(service, &claim, occupied).await {
        Some(Ok(ended)) => ended,
        Some(Err(error)) => {
            tracing::warn!(
                "connection {} of tenant {}: {error}",
                claim.connection,
                claim.tenant
            );
            ended_before_it_began(error)
        }
        // Another worker has the request; what it does is none of this one's business.
        None => return,
    };
    let reason = match &ended {
        Ended::Paused { reason } => Some(reason.clone()),
        _ => None,
    };
    let (tenant, connection) = (&claim.tenant, &claim.connection);
    let finished = (service.queue())
        .finish(claim.id, claim.fence, ended, Timestamp::now())
        .await;
    if let Err(error) = finished {
        tracing::error!("request {}: {error}", claim.id.0);
    }
    if let Some(reason) = reason
        && let Err(error) = service.paused(tenant, connection, &reason).await
    {
        tracing::error!("pausing connection {connection} of tenant {tenant}: {error}");
    }
    if let Err(error) = service.note_timers(tenant, connection).await {
        tracing::error!("the timers of connection {connection} of tenant {tenant}: {error}");
    }
}

/// Renews the lease while something goes on; none when the lease was lost.
async fn keep_lease<T>(
    service: &Service,
    claim: &Claim,
    work: impl Future<Output = T>,
) -> Option<T> {
    let lease = service.options().lease;
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Some(done),
            () = tokio::time::sleep(lease / 3) => {
                let now = Timestamp::now();
                if let Err(error) = service.queue().renew(claim.id, claim.fence, now, lease).await {
                    tracing::error!("request {}: {error}", claim.id.0);
                    if matches!(error, crate::queue::QueueFailure::Superseded) {
                        return None;
                    }
                }
            }
        }
    }
}

/// A request whose run could not even be opened.
fn ended_before_it_began(error: Error) -> Ended {
    match error {
        Error::Failure(_) | Error::Unavailable(_) | Error::Busy => Ended::Failed {
            error: error.to_string(),
            retry: true,
        },
        error => Ended::Paused {
            reason: error.to_string(),
        },
    }
}

async fn execute(service: &Service, claim: &Claim, work: Work) -> Result<Ended, Error> {
    let stored = service.stored(&claim.tenant, &claim.connection).await?;
    let opened = match service.opened(&claim.tenant, &claim.connection).await {
        Ok(opened) => opened,
        Err(error) => {
            // A version whose component or settings do not even open is a bad version, too.
            service
                .judge(&claim.tenant, &claim.connection, &stored.digest, true)
                .await?;
            return Err(error);
        }
    };
    let preview = work.preview;
    let (report, stopped) = go(service, &stored, &opened, work).await?;
    let failed = matches!(report.outcome, Outcome::Crashed | Outcome::Configuration);
    if !preview && stored.trial.is_some() && stored.state == State::On {
        service
            .judge(&claim.tenant, &claim.connection, &stored.digest, failed)
            .await?;
        let after = service.stored(&claim.tenant, &claim.connection).await?;
        if failed && after.digest != stored.digest {
            // The host went back to the version before: that one shall do the work.
            return Ok(Ended::Suspended { slice_over: false });
        }
    }
    Ok(ended(report, stopped))
}

/// What becomes of a request, by the report of its run.
fn ended(report: RunReport, stopped: Stopped) -> Ended {
    let error = |report: RunReport| report.error.unwrap_or_default();
    match report.outcome {
        Outcome::Done => Ended::Done,
        // A preview leaves nothing from which it could go on.
        Outcome::Suspended | Outcome::Running if report.preview => Ended::Done,
        Outcome::Suspended | Outcome::Running => Ended::Suspended {
            slice_over: stopped == Stopped::SliceOver,
        },
        Outcome::Transient | Outcome::Crashed => Ended::Failed {
            error: error(report),
            retry: true,
        },
        Outcome::Configuration => Ended::Paused {
            reason: error(report),
        },
    }
}

/// Why a run was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Somebody asked for it, or it was not cut.
    Asked,
    /// Others wait.
    SliceOver,
}

/// Runs a job to its end and keeps the record of it.
pub(crate) async fn go(
    service: &Service,
    stored: &Stored,
    opened: &Connection,
    work: Work,
) -> Result<(RunReport, Stopped), Error> {
    let manifest = &opened.connector().manifest;
    let begun = Begun {
        id: work.run.clone(),
        tenant: stored.tenant.clone(),
        connection: stored.id.clone(),
        job: work.job.clone(),
        argument: work.argument.clone(),
        cause: cause::serialize(&work.cause, serde_json::value::Serializer)?,
        preview: work.preview,
        digest: stored.digest.clone(),
        version: manifest.version.clone(),
        request: work.request.map_or(0, |request| request.0),
        fence: work.fence.map_or(0, |fence| fence.0),
        started_at: Timestamp::now(),
    };
    let watched = Arc::new(Watched {
        run: begun.id.clone(),
        job: work.job.clone(),
        started_at: begun.started_at,
        progress: Mutex::default(),
        stop: AtomicBool::new(service.stopping()),
    });
    let noted = begun.clone();
    (service.control())
        .write(move |db| Ok::<_, Error>(runs::begin(db, &noted)?))
        .await?;
    let _listed = Listed::new(service, stored, &watched);
    let recorder = Arc::new(Recorder {
        service: service.clone(),
        watched,
        manifest: manifest.clone(),
        preview: work.preview,
        began: Instant::now(),
        slice_over: AtomicBool::new(false),
        heard: Mutex::default(),
        stored: stored.clone(),
        begun: begun.clone(),
    });
    let request = JobRequest {
        job: work.job,
        argument: work.argument,
        cause: work.cause,
        preview: work.preview,
        fence: work.fence.map(|fence| fence.0.unsigned_abs()),
    };
    let report = {
        let running = service.host().run(opened, &request, recorder.clone());
        let running = observe::run(service.metrics(), manifest, &request.job, running);
        let mut running = std::pin::pin!(running);
        loop {
            tokio::select! {
                report = &mut running => break report,
                () = tokio::time::sleep(LOOK) => {
                    if let Err(error) = recorder.keep(None).await {
                        tracing::error!("the record of run {}: {error}", begun.id);
                    }
                }
            }
        }
    };
    recorder.keep(Some(report.clone())).await?;
    let stopped = if recorder.slice_over.load(Ordering::Relaxed) {
        Stopped::SliceOver
    } else {
        Stopped::Asked
    };
    Ok((report, stopped))
}

/// A run's place in the list of those that are under way, for as long as it is.
struct Listed<'a> {
    service: &'a Service,
    stored: &'a Stored,
}

impl<'a> Listed<'a> {
    fn new(service: &'a Service, stored: &'a Stored, watched: &Arc<Watched>) -> Listed<'a> {
        let key = (stored.tenant.clone(), stored.id.clone());
        service.all_running().insert(key, Arc::clone(watched));
        Listed { service, stored }
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let key = (self.stored.tenant.clone(), self.stored.id.clone());
        self.service.all_running().remove(&key);
    }
}

/// Hears what a run tells and writes it down.
struct Recorder {
    service: Service,
    watched: Arc<Watched>,
    manifest: Manifest,
    preview: bool,
    began: Instant,
    slice_over: AtomicBool,
    heard: Mutex<Heard>,
    stored: Stored,
    begun: Begun,
}

/// What is not written yet.
#[derive(Default)]
struct Heard {
    lines: Vec<log::Line>,
    written: Vec<Written>,
    kept_changes: usize,
}

impl Recorder {
    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, level: Level, message: String, record: Option<String>) {
        if level < Level::Info {
            return;
        }
        let line = log::Line {
            at: Timestamp::now(),
            connection: self.stored.id.to_string(),
            job: self.begun.job.clone(),
            level: log::level(level).to_owned(),
            record,
            message,
            run: Some(self.begun.id.clone()),
        };
        self.heard().lines.push(line);
    }

    /// Writes what was heard; with a report, also how the run ended.
    async fn keep(&self, report: Option<RunReport>) -> Result<(), Error> {
        let Heard { lines, written, .. } = {
            let mut heard = self.heard();
            let kept = heard.kept_changes + heard.written.len();
            Heard {
                kept_changes: std::mem::replace(&mut heard.kept_changes, kept),
                lines: std::mem::take(&mut heard.lines),
                written: std::mem::take(&mut heard.written),
            }
        };
        if lines.is_empty() && written.is_empty() && report.is_none() {
            return Ok(());
        }
        let begun = self.begun.clone();
        (self.service.control())
            .write(move |db| {
                let now = Timestamp::now();
                log::append(db, &begun.tenant, &lines, now)?;
                runs::append_changes(db, &begun.id, &written)?;
                if let Some(report) = &report {
                    runs::finish(db, &begun.id, report)?;
                    if !begun.preview {
                        list_failed(db, &begun, report)?;
                    }
                }
                Ok::<_, Error>(())
            })
            .await
    }
}

/// Lists the records that a run could not take. A job that came to its end met all that it had to
/// do, so what it could not take before and did not name again is taken or gone.
fn list_failed(
    db: &rusqlite::Connection,
    begun: &Begun,
    report: &RunReport,
) -> rusqlite::Result<()> {
    let (tenant, connection) = (&begun.tenant, &begun.connection);
    if report.outcome == Outcome::Done {
        failed::remove_of_job(db, tenant, connection, &begun.job)?;
    }
    for RejectedRecord { kind, id, reason } in &report.records {
        let record = failed::FailedRecord {
            kind: kind.clone(),
            id: id.clone(),
            reason: reason.clone(),
            job: begun.job.clone(),
            run: begun.id.clone(),
            at: report.finished_at.unwrap_or(begun.started_at),
        };
        failed::put(db, tenant, connection, &record)?;
    }
    Ok(())
}

impl Observer for Recorder {
    fn log(&self, line: LogLine) {
        self.note(line.level, line.message, line.record);
    }

    fn progress(&self, progress: Progress) {
        let mut shown = (self.watched.progress)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *shown = progress;
    }

    fn rejected(&self, record: &RejectedRecord) {
        let RejectedRecord { kind, id, reason } = record;
        let message = format!("{kind} {id} was not taken: {reason}");
        self.note(Level::Warn, message, Some(id.clone()));
    }

    fn wrote(&self, written: &Written) {
        let mut heard = self.heard();
        if heard.kept_changes + heard.written.len() < CHANGES {
            heard.written.push(written.clone());
        }
    }

    fn requested(&self, exchange: &Exchange) {
        self.service.metrics().requested(&self.manifest, exchange);
    }

    fn wants_stop(&self) -> bool {
        if self.watched.stop.load(Ordering::Relaxed) {
            return true;
        }
        let over = !self.preview
            && self.service.is_pressed()
            && self.began.elapsed() >= self.service.options().slice;
        if over {
            self.slice_over.store(true, Ordering::Relaxed);
        }
        over
    }
}
