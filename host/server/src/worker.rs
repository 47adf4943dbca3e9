//! Runs what was asked for: claims requests while there is room, and sees each run to its end.
//!
//! A run tells its progress, log and changes while it goes on; they are written together about once
//! a second, and the lease is renewed on the way. What a run did at the platform is durable at its
//! checkpoints whatever becomes of this process; its record here is written before the request is
//! given back, so a request that is given back has its record, and one that is not runs again.
//!
//! A run that has had its slice is cut at a checkpoint when something waits that can only go on then, and
//! else not. One that nobody wants any longer, or that is in the way, is ended at once.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use tenon_host::manifest::Manifest;
use tenon_host::observe::{Ending, Exchange, Level, LogLine, Observer, Progress, Stop, Written};
use tenon_host::reason::Reason;
use tenon_host::report::{Outcome, RejectedRecord, RunReport, Subject};
use tenon_host::{Cause, Connection, JobRequest, Mode};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::control::connections::{State, Stored};
use crate::control::runs::Begun;
use crate::control::{connections, failed, log, questions, runs};
use crate::failures::{Failures, News};
use crate::observe;
use crate::queue::{Claim, Ended, Leases, Next, QueueFailure, Suspension, cause};
use crate::service::{Alone, Completeness, Error, Place, Service, Watched, What};
use crate::told::Told;

/// Between two looks at a run that is under way.
const LOOK: Duration = Duration::from_secs(1);

/// Longest sleep without work: the clock of the machine may be set meanwhile.
const SLEEP: Duration = Duration::from_secs(5);

/// Changes of a run that are kept on each side; a first exchange writes more than anybody reads.
const CHANGES: usize = 10_000;

/// Bytes of them.
const CHANGED_BYTES: usize = 8 << 20;

/// Runs requests until the service stops and its runs have ended, or have had their time for that.
pub async fn run(service: Service) {
    tokio::join!(run_all(&service), take_back(&service), service.keep_still());
}

async fn run_all(service: &Service) {
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
        let now = service.now();
        match service.queue().claim(now, service.options().lease).await {
            Ok(Some(claim)) => {
                let service = service.clone();
                let held = service.hold_claim(claim.fence);
                runs.spawn(async move {
                    perform(&service, claim).await;
                    drop((held, place));
                });
            }
            Ok(None) => {
                drop(place);
                let wait = until_due(service, now).await;
                tokio::select! {
                    _ = changed.changed() => {}
                    _ = runs.join_next(), if !runs.is_empty() => {}
                    () = tokio::time::sleep(wait) => {}
                    () = service.stopped() => {}
                }
            }
            Err(error) => {
                tracing::error!("claiming a request: {error}");
                tokio::select! {
                    () = tokio::time::sleep(SLEEP) => {}
                    () = service.stopped() => {}
                }
            }
        }
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

/// Takes back what workers have that are gone, however busy this one is.
async fn take_back(service: &Service) {
    while !service.stopping() {
        tokio::select! {
            () = tokio::time::sleep(service.options().lease / 3) => {}
            () = service.stopped() => return,
        }
        let (now, but) = (service.now(), service.held());
        if let Err(error) = (service.queue()).recover(Leases::RanOut { but }, now).await {
            tracing::error!("leases that ran out: {error}");
        }
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
    pub mode: Mode,
    pub cause: Cause,
    /// None for what did not have to wait.
    pub claim: Option<Claim>,
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
        mode: claim.mode,
        cause: claim.cause.clone(),
        claim: Some(claim.clone()),
    };
    let (tenant, connection) = (&claim.tenant, &claim.connection);
    let run = work.run.clone();
    let place = service.place(tenant, connection);
    let occupied = async {
        let alone = place.take().await;
        let ended = execute(service, &alone, &claim, work).await;
        if ended.is_ok() {
            service.note_timers(tenant, connection).await;
        }
        ended
    };
    let ended = match keep_lease(service, &claim, occupied).await {
        Some(Ok(ended)) => ended,
        Some(Err(error)) => {
            let reason = error.told();
            // What the machine lacks says nothing of a record.
            let detail = matches!(error, Error::Failure(_)).then(|| error.to_string());
            let reason = reason.code();
            tracing::warn!(%tenant, %connection, run, reason, detail, "a run could not begin");
            ended_before_it_began(&error)
        }
        // Another worker has the request; what it does is none of this one's business.
        None => return,
    };
    let reason = match &ended {
        Ended::Paused { reason } => Some(reason.code().to_owned()),
        _ => None,
    };
    match give_back(service, &claim, ended).await {
        Ok(Next::Waits) => {
            tracing::warn!(%tenant, %connection, run, reason, "a connection is paused: it needs an admin");
            if let Err(error) = service.paused(tenant, connection).await {
                tracing::error!(%tenant, %connection, run, "pausing a connection: {error}");
            }
        }
        Ok(Next::Dead) => {
            tracing::warn!(%tenant, %connection, run, request = claim.id.0, "a request is given up");
        }
        Ok(Next::Gone | Next::Again(_)) => {}
        Err(error) => {
            tracing::error!(%tenant, %connection, run, request = claim.id.0, "{error}");
        }
    }
}

/// Gives a claim back. While the database fails, such as on a full disk, it is asked again, as long as
/// this process lives: what is not given back runs once more.
async fn give_back(service: &Service, claim: &Claim, ended: Ended) -> Result<Next, QueueFailure> {
    let mut trouble = Trouble::default();
    loop {
        let given = service
            .queue()
            .finish(claim.id, claim.fence, ended.clone(), service.now())
            .await;
        match given {
            Err(QueueFailure::Database(error)) => {
                let what = format!("giving back request {}", claim.id.0);
                trouble.passes(&what, &error).await;
            }
            given => return given,
        }
    }
}

/// A database that fails what has to be written, and is asked again until it does not.
#[derive(Default)]
struct Trouble {
    waited: bool,
}

impl Trouble {
    /// Says so once, and waits for a moment.
    async fn passes(&mut self, what: &str, error: &impl std::fmt::Display) {
        if !std::mem::replace(&mut self.waited, true) {
            tracing::error!("{what}: {error}; it is tried again until that is written");
        }
        tokio::time::sleep(LOOK).await;
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
                let now = service.now();
                if let Err(error) = service.queue().renew(claim.id, claim.fence, now, lease).await {
                    tracing::error!("request {}: {error}", claim.id.0);
                    if matches!(error, QueueFailure::Superseded) {
                        return None;
                    }
                }
            }
        }
    }
}

/// A request whose run could not even be opened.
fn ended_before_it_began(error: &Error) -> Ended {
    let told = error.told();
    match error {
        // It runs when the key is back: nobody has to switch anything on again.
        Error::Failure(_) | Error::Key(_) | Error::Unavailable(_) | Error::Busy => Ended::Failed {
            error: told,
            retry: true,
        },
        _ => Ended::Paused { reason: told },
    }
}

async fn execute(
    service: &Service,
    alone: &Alone,
    claim: &Claim,
    work: Work,
) -> Result<Ended, Error> {
    let (tenant, connection) = (&claim.tenant, &claim.connection);
    let stored = service.settled(alone, tenant, connection).await?;
    if stored.state != State::On || service.is_held(tenant, connection).await? {
        // Switched off or held since the claim: the request waits until it is on again.
        return Ok(Ended::Suspended(Suspension::Interrupted));
    }
    let watched = stored.trial.is_some() && work.mode.writes();
    let opened = service.open_stored(&stored, Completeness::Whole).await;
    let (ended, failed, for_one) = match opened {
        Ok(opened) => {
            let for_one = is_for_one(&work);
            let (report, stopped) = go(service, alone, &stored, &opened, work).await?;
            let failed = matches!(report.outcome, Outcome::Crashed | Outcome::Configuration);
            // What people have to be asked first is about the connection.
            let for_one = for_one && !report.questions.iter().any(|one| report.waits_for(one));
            (ended(report, stopped), failed, for_one)
        }
        // A version whose component or settings do not even open is a bad version, too. What the
        // machine lacks, or an admin took away, says nothing about the version.
        Err(error) if watched && error.is_of_version() => {
            (ended_before_it_began(&error), true, false)
        }
        Err(error) => return Err(error),
    };
    if !watched {
        return Ok(alone_if(for_one, ended));
    }
    let after = match service.judge(alone, &stored, failed).await {
        Ok(after) => after,
        Err(error) => {
            tracing::error!("watching connection {connection} of tenant {tenant}: {error}");
            stored.clone()
        }
    };
    Ok(match ended {
        // The host went back to the version before: that one shall do the work.
        _ if failed && after.digest != stored.digest => Ended::Suspended(Suspension::Interrupted),
        // Paused, it would have no further run by which it is seen whether the version is to blame.
        Ended::Paused { reason } if after.trial.is_some() => Ended::Failed {
            error: reason,
            retry: true,
        },
        ended => alone_if(for_one, ended),
    })
}

/// Whether a run does one thing that somebody asked for, so that what cannot be done says nothing about
/// the connection.
fn is_for_one(work: &Work) -> bool {
    let is_of_record = matches!(work.cause, Cause::Action { .. } | Cause::Visited(_));
    !work.mode.writes() || work.argument.is_some() || is_of_record
}

/// Lets a request that is for one thing fail by itself instead of pausing its connection, which would
/// be paused again by the same request whenever it is switched on.
fn alone_if(for_one: bool, ended: Ended) -> Ended {
    match ended {
        Ended::Paused { reason } if for_one => Ended::Failed {
            error: reason,
            retry: false,
        },
        ended => ended,
    }
}

/// What becomes of a request, by the report of its run.
fn ended(report: RunReport, stopped: Option<Stopped>) -> Ended {
    let is_over = stopped == Some(Stopped::ByPerson);
    match report.outcome {
        Outcome::Done => Ended::Done,
        // A preview leaves nothing from which it could go on.
        Outcome::Suspended | Outcome::Running if !report.mode.writes() => Ended::Done,
        // It has said what is wrong, and the connection is none the worse for that.
        Outcome::Crashed | Outcome::Configuration if !report.mode.writes() => Ended::Done,
        // What is left comes with the next run that somebody asks for or that is due.
        Outcome::Suspended | Outcome::Running if is_over => Ended::Done,
        Outcome::Suspended | Outcome::Running => Ended::Suspended(match stopped {
            Some(Stopped::ByServer) => Suspension::Interrupted,
            Some(Stopped::SliceOver) => Suspension::SliceOver,
            Some(Stopped::ByPerson) | None => Suspension::Unasked,
        }),
        Outcome::Transient if !is_over && report.not_before.is_some() => Ended::Deferred {
            until: report.not_before.unwrap_or_default(),
            error: Told::of(report),
        },
        Outcome::Transient | Outcome::Crashed => Ended::Failed {
            error: Told::of(report),
            retry: !is_over,
        },
        Outcome::Configuration => Ended::Paused {
            reason: Told::of(report),
        },
    }
}

/// Why a run was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// A person wants no more of it.
    ByPerson,
    /// The server stops, or something has to be done with the connection while nothing runs.
    ByServer,
    /// It has had its slice, and others wait.
    SliceOver,
}

/// Runs a job to its end and keeps the record of it.
pub(crate) async fn go(
    service: &Service,
    alone: &Alone,
    stored: &Stored,
    opened: &Connection,
    work: Work,
) -> Result<(RunReport, Option<Stopped>), Error> {
    let manifest = &opened.connector().manifest;
    let begun = Begun {
        id: work.run.clone(),
        tenant: stored.tenant.clone(),
        connection: stored.id.clone(),
        job: work.job.clone(),
        argument: work.argument.clone(),
        cause: cause::serialize(&work.cause, serde_json::value::Serializer)?,
        mode: work.mode,
        digest: stored.digest.clone(),
        version: manifest.version.clone(),
        request: work.claim.as_ref().map_or(0, |claim| claim.id.0),
        fence: work.claim.as_ref().map_or(0, |claim| claim.fence.0),
        started_at: service.now(),
    };
    let watched = Arc::new(Watched {
        run: begun.id.clone(),
        job: work.job.clone(),
        connector: stored.connector.clone(),
        started_at: begun.started_at,
        progress: Mutex::default(),
        enough: watch::Sender::new(false),
        held: watch::Sender::new(false),
        asking: AtomicUsize::new(0),
    });
    let noted = begun.clone();
    let (listed, confirmed) = (service.control())
        .write(move |db| {
            if !connections::is_there(db, &noted.tenant, &noted.connection)? {
                return Err(Error::not_found(What::Connection, &noted.connection));
            }
            runs::begin(db, &noted)?;
            let (tenant, connection) = (&noted.tenant, &noted.connection);
            let listed = failed::names(db, tenant, connection)?;
            let confirmed = questions::agreed(db, tenant, connection, &noted.job)?;
            Ok((listed, confirmed))
        })
        .await?;
    let _listed = Listed::new(service, stored, &watched);
    let recorder = Arc::new(Recorder {
        service: service.clone(),
        place: Arc::clone(alone.place()),
        watched,
        manifest: manifest.clone(),
        mode: work.mode,
        began: Instant::now(),
        others_wait: AtomicBool::new(false),
        stopped: OnceLock::new(),
        heard: Mutex::new(Heard {
            failures: Failures::new(listed),
            ..Heard::default()
        }),
        stored: stored.clone(),
        begun: begun.clone(),
        cause: work.cause.clone(),
        claim: work.claim.clone(),
    });
    let request = JobRequest {
        job: work.job,
        argument: work.argument,
        cause: work.cause,
        mode: work.mode,
        confirmed: confirmed.into_iter().collect(),
        fence: (work.claim.as_ref()).map(|claim| claim.fence.0.unsigned_abs()),
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
                    recorder.see_who_waits().await;
                }
            }
        }
    };
    if matches!(report.outcome, Outcome::Done | Outcome::Suspended) && report.error.is_none() {
        recorder.heard().failures.committed();
    }
    tell_failure(&begun, &report);
    recorder.keep_all(&report).await?;
    let stopped = recorder.stopped.get().copied();
    Ok((report, stopped))
}

/// Says in the log that a run failed. Why in full is in its record, which tenants see; the log names no
/// record.
fn tell_failure(begun: &Begun, report: &RunReport) {
    if !matches!(
        report.outcome,
        Outcome::Transient | Outcome::Configuration | Outcome::Crashed
    ) {
        return;
    }
    let reason = report.why.as_ref().map(|why| why.code.as_str());
    tracing::warn!(
        tenant = %begun.tenant,
        connection = %begun.connection,
        run = begun.id,
        job = begun.job,
        outcome = report.outcome.as_str(),
        reason,
        until = report.not_before.map(tracing::field::display),
        "a run failed"
    );
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
    place: Arc<Place>,
    watched: Arc<Watched>,
    manifest: Manifest,
    mode: Mode,
    began: Instant,
    /// Whether something waits that can only go on when this run lets go.
    others_wait: AtomicBool,
    /// Why the run was asked to stop, once it was.
    stopped: OnceLock<Stopped>,
    heard: Mutex<Heard>,
    stored: Stored,
    begun: Begun,
    cause: Cause,
    claim: Option<Claim>,
}

/// What is not written yet.
#[derive(Default)]
struct Heard {
    progress: Option<Progress>,
    lines: Vec<log::Line>,
    written: Vec<Written>,
    /// Of the platform, then of the counterpart.
    room: [Room; 2],
    failures: Failures,
    /// How requests ended that the counterpart refused.
    refusals: HashSet<Ending>,
}

impl Heard {
    /// What could not be written comes before what was heard since.
    fn put_back(&mut self, piece: Piece) {
        let Piece {
            progress,
            mut lines,
            mut written,
            news,
        } = piece;
        self.progress = self.progress.or(progress);
        lines.append(&mut self.lines);
        self.lines = lines;
        written.append(&mut self.written);
        self.written = written;
        self.failures.put_back(news);
    }
}

/// What is written at one time.
#[derive(Clone)]
struct Piece {
    progress: Option<Progress>,
    lines: Vec<log::Line>,
    written: Vec<Written>,
    news: Vec<News>,
}

impl Piece {
    fn is_empty(&self) -> bool {
        self.progress.is_none()
            && self.lines.is_empty()
            && self.written.is_empty()
            && self.news.is_empty()
    }
}

/// What more of a run's changes on a side is kept.
struct Room {
    changes: usize,
    bytes: usize,
}

impl Default for Room {
    fn default() -> Room {
        Room {
            changes: CHANGES,
            bytes: CHANGED_BYTES,
        }
    }
}

impl Room {
    /// Whether there is room for one more. The first that finds none ends it.
    fn take(&mut self, written: &Written) -> bool {
        let bytes = self.bytes.checked_sub(written.weight());
        match (self.changes.checked_sub(1), bytes) {
            (Some(changes), Some(bytes)) => {
                *self = Room { changes, bytes };
                true
            }
            _ => {
                self.changes = 0;
                false
            }
        }
    }
}

impl Recorder {
    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, level: Level, message: String, why: Option<Reason>, record: Option<String>) {
        if level < Level::Info {
            return;
        }
        let line = log::Line {
            at: self.service.now(),
            connection: self.stored.id.to_string(),
            job: self.begun.job.clone(),
            level: log::level(level).to_owned(),
            record,
            message,
            why,
            run: Some(self.begun.id.clone()),
        };
        self.heard().lines.push(line);
    }

    /// Whether its connection is held for maintenance. What a person looks at meanwhile goes on.
    fn is_held(&self) -> bool {
        self.claim.is_some() && *self.watched.held.borrow()
    }

    /// Writes what was heard and how the run ended. While the database fails it is asked again, as long
    /// as this process lives: nobody else knows what the run did.
    async fn keep_all(&self, report: &RunReport) -> Result<(), Error> {
        let mut trouble = Trouble::default();
        loop {
            match self.keep(Some(report.clone())).await {
                Err(Error::Failure(error)) => {
                    let what = format!("the record of run {}", self.begun.id);
                    trouble.passes(&what, &error).await;
                }
                kept => return kept,
            }
        }
    }

    /// Writes what was heard; with a report, also how the run ended. What could not be written is heard
    /// still.
    async fn keep(&self, report: Option<RunReport>) -> Result<(), Error> {
        let heard = {
            let mut heard = self.heard();
            Piece {
                progress: heard.progress.take(),
                lines: std::mem::take(&mut heard.lines),
                written: std::mem::take(&mut heard.written),
                news: heard.failures.take(),
            }
        };
        if heard.is_empty() && report.is_none() {
            return Ok(());
        }
        let heard = Arc::new(heard);
        let begun = self.begun.clone();
        let cause = self.cause.clone();
        let began_at = (self.claim.as_ref()).map_or(begun.started_at, |claim| claim.began_at);
        let now = self.service.now();
        let told = Arc::clone(&heard);
        let kept = (self.service.control())
            .write(move |db| {
                // A connection that was removed took its runs along.
                if !runs::is_there(db, &begun.id)? {
                    return Ok(());
                }
                log::append(db, &begun.tenant, &told.lines)?;
                runs::append_changes(db, &begun.id, &told.written)?;
                match (&report, &told.progress) {
                    (Some(report), _) => runs::finish(db, &begun.id, report)?,
                    (None, Some(progress)) => runs::keep_progress(db, &begun.id, progress)?,
                    (None, None) => {}
                }
                if !begun.mode.writes() {
                    return Ok(());
                }
                note_failures(db, &begun, &told.news, now)?;
                if let Some(report) = &report {
                    let run = questions::Heard {
                        tenant: &begun.tenant,
                        connection: &begun.connection,
                        run: &begun.id,
                        argument: begun.argument.as_deref(),
                        cause: &cause,
                        started_at: begun.started_at,
                        began_at,
                    };
                    questions::heard(db, run, report, now)?;
                }
                Ok::<_, Error>(())
            })
            .await;
        if kept.is_err() {
            let heard = Arc::unwrap_or_clone(heard);
            self.heard().put_back(heard);
        }
        kept
    }

    /// Says in the log that the counterpart refuses, once for each way in which it does.
    fn tell_refusal(&self, exchange: &Exchange) {
        let refuses = match exchange.ending {
            Ending::Status(status) => matches!(status, 401 | 402 | 403 | 429 | 500..),
            Ending::NoConnection | Ending::TimedOut | Ending::BrokenOff => true,
            Ending::Refused | Ending::Abandoned => false,
        };
        if refuses && self.heard().refusals.insert(exchange.ending) {
            tracing::warn!(
                tenant = %self.begun.tenant,
                connection = %self.begun.connection,
                run = self.begun.id,
                job = self.begun.job,
                endpoint = &*exchange.endpoint,
                status = %exchange.ending,
                "the counterpart refuses"
            );
        }
    }

    /// Sees whether the run is to let go, once it has had its slice.
    async fn see_who_waits(&self) {
        let Some(claim) = &self.claim else { return };
        if !self.mode.writes() || self.began.elapsed() < self.service.options().slice {
            return;
        }
        let (tenant, connection) = (&claim.tenant, &claim.connection);
        let (full, now) = (self.service.is_pressed(), self.service.now());
        let waits = (self.service.queue())
            .gives_way(tenant, connection, claim.priority, full, now)
            .await;
        match waits {
            Ok(waits) => self.others_wait.store(waits, Ordering::Relaxed),
            Err(error) => tracing::error!("who waits for run {}: {error}", self.begun.id),
        }
    }
}

/// Brings the list of failed records up to date.
fn note_failures(
    db: &rusqlite::Connection,
    begun: &Begun,
    news: &[News],
    now: Timestamp,
) -> rusqlite::Result<()> {
    let (tenant, connection) = (&begun.tenant, &begun.connection);
    for piece in news {
        match piece {
            News::Failed(rejected) => {
                let record = failed::FailedRecord {
                    kind: rejected.kind.clone(),
                    subject: rejected.subject.clone(),
                    label: rejected.id.clone(),
                    reason: Told {
                        text: rejected.reason.clone(),
                        why: Some(rejected.why.clone()),
                    },
                    job: begun.job.clone(),
                    run: begun.id.clone(),
                    at: now,
                };
                failed::put(db, tenant, connection, &record)?;
            }
            News::Settled((kind, subject)) => {
                failed::remove(db, tenant, connection, kind, subject)?;
            }
        }
    }
    Ok(())
}

#[async_trait]
impl Observer for Recorder {
    fn log(&self, line: LogLine) {
        self.note(line.level, line.message, line.why, line.record);
    }

    fn progress(&self, progress: Progress) {
        let mut shown = (self.watched.progress)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *shown = progress;
        // It is told at checkpoints, when they are committed.
        let mut heard = self.heard();
        heard.progress = Some(progress);
        heard.failures.committed();
    }

    fn rejected(&self, record: &RejectedRecord) {
        let RejectedRecord {
            kind,
            id,
            reason,
            why,
            ..
        } = record;
        let message = format!("{kind} {id} was not taken: {reason}");
        self.note(Level::Warn, message, Some(why.clone()), Some(id.clone()));
        self.heard().failures.rejected(record);
    }

    fn agreed(&self, kind: &str, key: &str, origin: &str) {
        self.heard().failures.agreed(kind, key, origin);
    }

    fn settled(&self, kind: &str, subjects: &[Subject]) {
        self.heard().failures.settled(kind, subjects);
    }

    fn wrote(&self, written: &Written) {
        let mut heard = self.heard();
        if heard.room[written.side as usize].take(written) {
            heard.written.push(written.clone());
        }
    }

    fn requesting(&self) {
        self.watched.asking.fetch_add(1, Ordering::Relaxed);
    }

    fn requested(&self, exchange: &Exchange) {
        self.watched.asking.fetch_sub(1, Ordering::Relaxed);
        self.tell_refusal(exchange);
        self.service.metrics().requested(&self.manifest, exchange);
    }

    fn wants_stop(&self) -> bool {
        let why = if *self.watched.enough.borrow() {
            Stopped::ByPerson
        } else if self.place.is_wanted() || self.is_held() || self.service.stopping() {
            Stopped::ByServer
        } else if self.others_wait.load(Ordering::Relaxed) {
            Stopped::SliceOver
        } else {
            return false;
        };
        // The first reason is the one that the run heard.
        let _ = self.stopped.set(why);
        true
    }

    async fn stopped(&self) -> Stop {
        let mut enough = self.watched.enough.subscribe();
        let mut held = self.watched.held.subscribe();
        let (why, stop) = tokio::select! {
            biased;
            _ = enough.wait_for(|enough| *enough) => (Stopped::ByPerson, Stop::Person),
            () = self.service.stopped() => (Stopped::ByServer, Stop::Shutdown),
            () = self.place.wanted() => (Stopped::ByServer, Stop::Change),
            _ = held.wait_for(|held| *held), if self.claim.is_some() => (Stopped::ByServer, Stop::Change),
        };
        let _ = self.stopped.set(why);
        stop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: Outcome, preview: bool) -> RunReport {
        RunReport {
            mode: if preview { Mode::Preview } else { Mode::Live },
            finished_at: Some(Timestamp::UNIX_EPOCH),
            outcome,
            error: Some("the counterpart is down".to_owned()),
            ..RunReport::begun(
                "1",
                "crm".parse().unwrap(),
                "crm 1.0.0",
                "orders",
                Timestamp::UNIX_EPOCH,
            )
        }
    }

    #[test]
    fn what_becomes_of_a_run_that_stopped_depends_on_who_wanted_it() {
        let stopped = |why| ended(report(Outcome::Suspended, false), why);
        assert_eq!(Ended::Done, stopped(Some(Stopped::ByPerson)));
        for (why, suspension) in [
            (Some(Stopped::ByServer), Suspension::Interrupted),
            (Some(Stopped::SliceOver), Suspension::SliceOver),
            (None, Suspension::Unasked),
        ] {
            assert_eq!(Ended::Suspended(suspension), stopped(why));
        }
        let preview = ended(report(Outcome::Suspended, true), None);
        assert_eq!(Ended::Done, preview);
    }

    #[test]
    fn what_cannot_be_done_for_one_request_pauses_nothing() {
        let work = |argument: Option<&str>, mode, cause| Work {
            run: "1".to_owned(),
            job: "orders".to_owned(),
            argument: argument.map(str::to_owned),
            mode,
            cause,
            claim: None,
        };
        let target = tenon_host::RecordRef {
            kind: tenon_host::model::RecordKind::Order,
            key: "7".to_owned(),
        };
        let press = Cause::Action {
            action: "stock".to_owned(),
            target: target.clone(),
        };
        let paused = || Ended::Paused {
            reason: Told::by_connector("it has no store"),
        };
        let failed = Ended::Failed {
            error: Told::by_connector("it has no store"),
            retry: false,
        };
        for work in [
            work(Some("warehouse-1"), Mode::Live, Cause::Asked),
            work(Some("5"), Mode::Live, Cause::Webhook),
            work(None, Mode::Live, press),
            work(None, Mode::Live, Cause::Visited(target.clone())),
            work(None, Mode::Preview, Cause::Asked),
        ] {
            assert_eq!(failed, alone_if(is_for_one(&work), paused()));
        }
        for work in [
            work(None, Mode::Live, Cause::Scheduled),
            work(None, Mode::Live, Cause::Asked),
            work(None, Mode::Live, Cause::Changed(vec![target])),
        ] {
            assert_eq!(paused(), alone_if(is_for_one(&work), paused()));
        }
    }

    #[test]
    fn of_a_runs_changes_so_many_are_kept_and_so_much_of_them() {
        let written = |bytes: usize| Written {
            side: tenon_host::observe::Side::Platform,
            record_kind: "order".to_owned(),
            origin: String::new(),
            key: None,
            label: None,
            change: tenon_host::observe::Change::Updated,
            changes: vec![tenon_host::model::FieldChange {
                field: "comment".to_owned(),
                before: None,
                after: Some("x".repeat(bytes)),
            }],
        };
        let mut many = Room::default();
        let kept = (0..20_000).filter(|_| many.take(&written(10))).count();
        assert_eq!(CHANGES, kept);
        let mut large = Room::default();
        assert!(large.take(&written(CHANGED_BYTES / 2)));
        assert!(!large.take(&written(CHANGED_BYTES)));
        assert!(!large.take(&written(1)), "what is kept is the beginning");
    }

    #[test]
    fn a_run_that_a_person_stopped_is_not_tried_again_by_itself() {
        for (why, again) in [
            (None, true),
            (Some(Stopped::ByServer), true),
            (Some(Stopped::ByPerson), false),
        ] {
            let failed = Ended::Failed {
                error: Told {
                    text: "the counterpart is down".to_owned(),
                    why: None,
                },
                retry: again,
            };
            assert_eq!(failed, ended(report(Outcome::Transient, false), why));
        }
    }
}
