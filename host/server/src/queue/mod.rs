//! The durable queue: the runs that are wanted, and who runs which of them.
//!
//! What was asked for is on disk when [`Queue::ask`] answers, and stays until it was run, was given
//! up or was removed: processes may end at any moment. A claim is good for a lease. Who holds it names
//! its [`Fence`] with whatever comes next, so a worker that was away too long finds out instead of
//! speaking for a request that another one runs by then.
//!
//! [`Queue`] is all that the rest of the server knows, so that another database can take the
//! place of [`SqliteQueue`].
//!
//! The crate apalis was looked at first. It knows neither one run per key nor merging nor turns of
//! tenants, and the SQLite of its back end cannot be linked beside the one of rusqlite.

pub mod cause;
mod rules;
mod sqlite;
#[cfg(test)]
mod tests;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::{Cause, Mode};
use tokio::sync::watch;

pub use sqlite::SqliteQueue;

use crate::control::Failure;
use crate::told::Told;

/// Tells a request from all others, also from those that are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub i64);

/// Tells a claim from all earlier ones: it only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(pub i64);

/// Who goes first. Waiting raises a request, one priority per five minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// A person waits for it.
    Action,
    /// A webhook, or something that happened on the platform.
    Webhook,
    /// It is time.
    Schedule,
    /// Work that goes on for hours.
    Backfill,
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Runs as soon as its connection is on and idle, and a worker is.
    Ready,
    /// Becomes ready at a time.
    Later,
    /// A worker has it.
    Running,
    /// Given up; a person may retry it.
    Dead,
}

/// A wanted run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRequest {
    /// Whose.
    pub tenant: TenantId,
    /// What is to run.
    pub connection: ConnectionId,
    /// Name of a job of its manifest.
    pub job: String,
    /// Argument of the job.
    pub argument: Option<String>,
    /// What for.
    pub mode: Mode,
    /// Why.
    pub cause: Cause,
    /// Who goes first.
    pub priority: Priority,
    /// Not before; none is at once.
    pub due: Option<Timestamp>,
}

/// A request that a worker has, for as long as it renews the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The request.
    pub id: RequestId,
    /// Names this claim.
    pub fence: Fence,
    /// Whose.
    pub tenant: TenantId,
    /// What is to run.
    pub connection: ConnectionId,
    /// Name of a job of its manifest.
    pub job: String,
    /// Argument of the job.
    pub argument: Option<String>,
    /// What for.
    pub mode: Mode,
    /// Why.
    pub cause: Cause,
    /// How often it was claimed since it last got on, this time included.
    pub attempts: u32,
    /// As it was asked for.
    pub priority: Priority,
    /// When it was first asked for.
    pub created_at: Timestamp,
    /// When it was first claimed: what it goes on with began then.
    pub began_at: Timestamp,
    /// Since when it was ready.
    pub due_at: Timestamp,
}

/// How the run of a claim ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// At the end of its work, or a person wants no more of it.
    Done,
    /// Before its work was done; it goes on from its last checkpoint.
    Suspended(Suspension),
    /// Without getting on.
    Failed {
        /// For people.
        error: Told,
        /// Whether it may succeed later. Otherwise it is given up now.
        retry: bool,
    },
    /// Nothing can be done before this time, and it goes on then. That is no failure.
    Deferred {
        /// For people.
        error: Told,
        /// When.
        until: Timestamp,
    },
    /// Only an admin can help. The connection becomes `paused`, and the request waits until it is on.
    Paused {
        /// For people.
        reason: Told,
    },
}

/// Why a run ended before its work was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspension {
    /// The server wants it so, because it stops or because the version changes. It goes on as before.
    Interrupted,
    /// It has had its slice: others come first from now on.
    SliceOver,
    /// Nobody asked it to: others come first from now on, and it rests for a moment.
    Unasked,
}

/// What became of a request whose run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is gone.
    Gone,
    /// It runs again, not before this time.
    Again(Timestamp),
    /// It waits until its connection is on.
    Waits,
    /// It is given up.
    Dead,
}

/// Which leases [`Queue::recover`] takes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leases {
    /// Those that ran out, but for these, whose workers are at work: a database that could not be
    /// written for long keeps no lease.
    RanOut {
        /// Claims that are held.
        but: Vec<Fence>,
    },
    /// Every one: the process that starts is the only one, so nobody holds any.
    All,
}

/// A claim that was taken back because its worker is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The request.
    pub id: RequestId,
    /// The claim, which is void now.
    pub fence: Fence,
    /// Whose.
    pub tenant: TenantId,
    /// What ran.
    pub connection: ConnectionId,
    /// [`Next::Again`] or [`Next::Dead`].
    pub next: Next,
}

/// A request as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The request.
    pub id: RequestId,
    /// Name of a job.
    pub job: String,
    /// Argument of the job.
    pub argument: Option<String>,
    /// What for.
    pub mode: Mode,
    /// Why.
    #[serde(with = "cause")]
    pub cause: Cause,
    /// Where it stands.
    pub state: State,
    /// Who goes first.
    pub priority: Priority,
    /// When it became or becomes ready.
    pub due_at: Timestamp,
    /// How often it was claimed since it last got on.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub error: Option<Told>,
    /// When it was first asked for.
    pub created_at: Timestamp,
}

/// How many requests stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// In [`State::Ready`].
    pub ready: u64,
    /// In [`State::Later`].
    pub later: u64,
    /// In [`State::Running`].
    pub running: u64,
    /// In [`State::Dead`].
    pub dead: u64,
}

/// What operators watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Of all tenants.
    pub counts: Counts,
    /// How many of those that are ready wait for a connection that is off, paused or held for
    /// maintenance: no worker is missing for them.
    pub held: u64,
    /// How long the oldest request has waited that any idle worker could run: it grows when there are
    /// too few workers, and not because of a connection that is off or busy.
    pub oldest: Option<Duration>,
}

/// Why the queue refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum QueueFailure {
    /// The claim is void: its lease ran out, and the request was given to another or is gone.
    #[error("this run lost its lease: the request is run by another worker or is gone; stop")]
    Superseded,
    /// Something was asked of a connection that is not there.
    #[error("the tenant {tenant} has no connection {connection}")]
    NoConnection {
        /// Whose.
        tenant: TenantId,
        /// The connection.
        connection: ConnectionId,
    },
    /// The database failed. Nothing was changed.
    #[error(transparent)]
    Database(#[from] Failure),
}

/// What is written together with a wish.
pub type Also = Box<dyn FnOnce(&rusqlite::Connection) -> Result<(), Failure> + Send>;

/// The runs that are wanted. Each operation is done as a whole or not at all, and is durable when it
/// answers.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Wants runs. One that equals a waiting one of its connection becomes one with it, so an id may
    /// be that of an older request. An id for each, in the same order.
    async fn ask(
        &self,
        requests: Vec<NewRequest>,
        now: Timestamp,
    ) -> Result<Vec<RequestId>, QueueFailure>;

    /// The same, and something else after it: both are done, or nothing is.
    async fn ask_with(
        &self,
        requests: Vec<NewRequest>,
        also: Also,
        now: Timestamp,
    ) -> Result<Vec<RequestId>, QueueFailure>;

    /// Takes the request whose turn it is, among those whose connection is on and runs nothing. A
    /// tenant that holds its share of the places comes after the others.
    async fn claim(&self, now: Timestamp, lease: Duration) -> Result<Option<Claim>, QueueFailure>;

    /// Whether a run of this priority that has had its slice is to give way: something as important
    /// waits for its connection or, when all places are taken, anything that could run in this one.
    async fn gives_way(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        priority: Priority,
        full: bool,
        now: Timestamp,
    ) -> Result<bool, QueueFailure>;

    /// Keeps a claim for another lease from now.
    async fn renew(
        &self,
        id: RequestId,
        fence: Fence,
        now: Timestamp,
        lease: Duration,
    ) -> Result<(), QueueFailure>;

    /// Gives a claim back. The record of its run is written before.
    async fn finish(
        &self,
        id: RequestId,
        fence: Fence,
        ended: Ended,
        now: Timestamp,
    ) -> Result<Next, QueueFailure>;

    /// Takes back what workers have that are gone. [`Leases::All`] is for the start of a server.
    async fn recover(&self, leases: Leases, now: Timestamp)
    -> Result<Vec<Recovered>, QueueFailure>;

    /// Looks anew at a connection after its state was written: what waits for it may run, or may not.
    async fn switched(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        now: Timestamp,
    ) -> Result<(), QueueFailure>;

    /// The same for all connections, after a maintenance was ended.
    async fn resumed(&self, now: Timestamp) -> Result<(), QueueFailure>;

    /// Lets dead requests of a connection run again, all or one, with all attempts before them.
    /// Answers how many.
    async fn retry(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        only: Option<RequestId>,
        now: Timestamp,
    ) -> Result<u64, QueueFailure>;

    /// Forgets a request of a connection that does not run. Answers whether it was there.
    async fn remove(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        id: RequestId,
        now: Timestamp,
    ) -> Result<bool, QueueFailure>;

    /// Requests of a connection, oldest first: those behind `after`, at most `limit`.
    async fn list(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        state: Option<State>,
        after: Option<RequestId>,
        limit: u32,
    ) -> Result<Vec<Waiting>, QueueFailure>;

    /// One request of a connection.
    async fn get(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        id: RequestId,
    ) -> Result<Option<Waiting>, QueueFailure>;

    /// How many requests a connection has.
    async fn counts(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Counts, QueueFailure>;

    /// What operators watch.
    async fn figures(&self, now: Timestamp) -> Result<Figures, QueueFailure>;

    /// When the first request that is not ready becomes so. An idle worker claims again then.
    async fn next_due(&self) -> Result<Option<Timestamp>, QueueFailure>;

    /// Tells when there may be something to claim, or an earlier [`Queue::next_due`]. Take it before
    /// the claim that finds nothing; then no change is missed.
    fn changed(&self) -> watch::Receiver<()>;
}
