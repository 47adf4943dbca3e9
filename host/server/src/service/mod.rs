//! What can be done here, whoever asks: the HTTP API, the console through it, the command line, or a
//! platform that embeds this library.
//!
//! An operation checks what it is given, does it as one, and notes in the audit who did it. Nothing
//! here waits for a connector except where that is the operation.

mod connections;
mod error;
mod events;
mod health;
pub mod maintenance;
mod opening;
mod place;
mod questions;
mod records;
mod requests;
mod switching;
mod tenants;
#[cfg(test)]
mod tests;
mod time;
mod upgrading;
mod waits;

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use tenon_erp::EmbeddedErp;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::observe::Progress;
use tenon_host::reason::{Catalogue, Reason};
use tenon_host::{Compiler, Connector, Host, HostOptions, NetworkOptions, Platform};
use tokio::sync::{Notify, OnceCell, OwnedSemaphorePermit, Semaphore, watch};

pub use crate::key::KeyTrouble;
pub use connections::{ConnectionChange, NewConnection};
pub use error::{Error, Violation, What};
pub use events::Event;
use health::Health;
pub use health::NotReady;
pub(crate) use opening::Completeness;
pub(crate) use place::{Alone, Place};
pub use questions::Answer;
pub use requests::{Asked, Named};
pub use tenants::{LANGUAGES, NewTenant, TenantChange};
pub use upgrading::{Component, Upgraded, Which};
pub use waits::{For, Wait};

use crate::api::Rates;
use crate::belonging;
use crate::clock::Clock;
use crate::control::{Failure, SharedControl, audit, runs, tokens};
use crate::hooks::Inbox;
use crate::observe::Metrics;
use crate::queue::{Fence, Leases, Queue, SqliteQueue};
use crate::spending::Spending;
use crate::told::TEXTS;
use crate::vault;
use crate::versions::{SignaturePolicy, Store};

/// How a server works. Every number has a default that fits two cores.
#[derive(Clone, Debug)]
pub struct ServiceOptions {
    /// Folder of the control database, the components and the compiled code.
    pub data: PathBuf,
    /// How components are compiled.
    pub compiler: Compiler,
    /// The way to the counterparts.
    pub network: NetworkOptions,
    /// The address under which counterparts reach this server, for webhooks.
    pub public_url: url::Url,
    /// Requests of one token a second; those of ten seconds may come at once.
    pub requests_per_token: NonZeroU32,
    /// Runs at one time.
    pub runs: u32,
    /// How long a run goes on while others wait.
    pub slice: Duration,
    /// How long a claim is good for without a sign of life.
    pub lease: Duration,
    /// How long runs may take to stop when the server does.
    pub patience: Duration,
    /// How long a request may wait that any free place could run before the server is not ready.
    pub overdue: Duration,
    /// What tells the time.
    pub clock: Clock,
    /// Runs of a new version that are watched.
    pub trial_runs: u32,
    /// Failed ones among them that make the host go back by itself.
    pub trial_failures: u32,
    /// Whose components are taken.
    pub signatures: SignaturePolicy,
    /// Registries that are asked over plain http, as `host:port`; for local testing.
    pub plain_registries: Vec<String>,
    /// Registries that are asked at all, as `host` or `host:port`; any at a public address when empty.
    pub registries: Vec<String>,
    /// The folder from which components are installed by their paths; none are without it.
    pub source_root: Option<PathBuf>,
    /// A file with logins for registries, in the format of Docker's `config.json`.
    pub registry_logins: Option<PathBuf>,
}

impl ServiceOptions {
    /// The defaults for a data folder.
    pub fn new(data: impl Into<PathBuf>, compiler: Compiler, public_url: url::Url) -> Self {
        ServiceOptions {
            data: data.into(),
            compiler,
            network: NetworkOptions::default(),
            public_url,
            requests_per_token: NonZeroU32::new(300).unwrap_or(NonZeroU32::MIN),
            runs: 128,
            slice: Duration::from_secs(10),
            lease: Duration::from_secs(60),
            patience: Duration::from_secs(8),
            overdue: Duration::from_secs(10 * 60),
            clock: Clock::default(),
            trial_runs: 5,
            trial_failures: 2,
            signatures: SignaturePolicy::default(),
            plain_registries: Vec::new(),
            registries: Vec::new(),
            source_root: None,
            registry_logins: None,
        }
    }
}

/// The operations. Clones share everything.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    options: ServiceOptions,
    control: SharedControl,
    queue: Arc<dyn Queue>,
    host: Host,
    erp: Option<EmbeddedErp>,
    store: Store,
    metrics: Metrics,
    connectors: Mutex<Loaded>,
    /// Of the platform, the server and the host.
    texts: Arc<Catalogue>,
    /// Of the versions that were asked about, by digest.
    texts_of: Mutex<HashMap<String, Arc<Catalogue>>>,
    running: Mutex<ByConnection<Watched>>,
    /// One thing at a time is done with what a connection keeps.
    places: Mutex<ByConnection<Place>>,
    /// Room for calls into connectors beside runs, and what of it a tenant may take.
    looks: Arc<Semaphore>,
    looking: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
    /// Whether all places for runs are taken.
    pressed: AtomicBool,
    /// The claims that workers have.
    held: Mutex<HashSet<Fence>>,
    health: Health,
    /// When it was last kept that this server is at work.
    alive: Mutex<Option<Duration>>,
    /// Until when the clock is doubted, which was set.
    doubted: Mutex<Option<Duration>>,
    inbox: Inbox,
    /// Something is held for maintenance, or goes on.
    maintained: Notify,
    /// How long things are kept has changed.
    kept: Notify,
    rates: Rates,
    stop: watch::Sender<bool>,
    /// What the token of commands on this machine is known by.
    door: OnceLock<[u8; 32]>,
}

/// Something of each connection.
type ByConnection<T> = HashMap<(TenantId, ConnectionId), Arc<T>>;

/// Components by digest. One that is being loaded keeps only those waiting who need it.
type Loaded = HashMap<String, Arc<OnceCell<Arc<Connector>>>>;

/// Room for a call into a connector beside runs, for as long as it is held.
pub(crate) struct Room {
    _of_tenant: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

/// A claim that a worker has.
pub(crate) struct Held(Service, Fence);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.all_held().remove(&self.1);
    }
}

/// A run that is under way.
#[derive(Clone, Debug, Serialize)]
pub struct Running {
    /// The run.
    pub run: String,
    /// Its job.
    pub job: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How far it is.
    pub progress: Progress,
}

/// The runs that are under way at one moment.
pub(crate) struct UnderWay(ByConnection<Watched>);

impl UnderWay {
    /// That of a connection.
    pub fn of(&self, tenant: &TenantId, connection: &ConnectionId) -> Option<Running> {
        let watched = self.0.get(&(tenant.clone(), connection.clone()))?;
        let progress = watched.progress.lock();
        Some(Running {
            run: watched.run.clone(),
            job: watched.job.clone(),
            started_at: watched.started_at,
            progress: *progress.unwrap_or_else(PoisonError::into_inner),
        })
    }
}

/// A run that is under way, for those who look at it or want it to stop.
pub(crate) struct Watched {
    pub run: String,
    pub job: String,
    pub connector: String,
    pub started_at: Timestamp,
    pub progress: Mutex<Progress>,
    /// Whether a person wants no more of it.
    pub enough: watch::Sender<bool>,
    /// Whether its connection is held for maintenance.
    pub held: watch::Sender<bool>,
    /// Requests to the counterpart that are on their way.
    pub asking: AtomicUsize,
}

impl Service {
    /// Opens the data folder. Requests that a dead process left are ready again; nothing runs before
    /// [`crate::serve`].
    ///
    /// `erp` is given when the platform is the embedded ERP: its records can then be looked at.
    pub async fn open(
        platform: Arc<dyn Platform>,
        erp: Option<EmbeddedErp>,
        options: ServiceOptions,
    ) -> anyhow::Result<Service> {
        let texts = Arc::new(Catalogue::clone(&TEXTS).with(&platform.catalogue()));
        let control = SharedControl::open(&options.data)?;
        if let Some(erp) = &erp {
            erp.expect_files();
        }
        let store = Store::open(&options.data)?;
        let host = Host::new(
            platform,
            HostOptions {
                network: options.network.clone(),
                ledger: Some(Arc::new(Spending::open(&options.data)?)),
                runs: options.runs + LOOKS + MOMENTS,
                ..HostOptions::new(options.data.join("compiled"), options.compiler.clone())
            },
        )?;
        let queue = Arc::new(SqliteQueue::new(control.clone()).sharing(options.runs));
        let service = Service(Arc::new(Inner {
            control,
            queue,
            host,
            erp,
            store,
            metrics: Metrics::new(),
            connectors: Mutex::default(),
            texts,
            texts_of: Mutex::default(),
            running: Mutex::default(),
            places: Mutex::default(),
            looks: Arc::new(Semaphore::new(LOOKS as usize)),
            looking: Mutex::default(),
            pressed: AtomicBool::new(false),
            held: Mutex::default(),
            health: Health::new(options.clock.passed()),
            alive: Mutex::default(),
            doubted: Mutex::default(),
            inbox: Inbox::by(options.clock.clone()),
            maintained: Notify::new(),
            kept: Notify::new(),
            rates: Rates::new(options.requests_per_token),
            stop: watch::Sender::new(false),
            door: OnceLock::new(),
            options,
        }));
        service.recover().await?;
        Ok(service)
    }

    /// Takes up what a process left that died.
    async fn recover(&self) -> Result<(), Error> {
        self.take_up_time().await?;
        self.go_above_fences(self.now()).await?;
        self.finish_tenants().await?;
        self.control()
            .write(|db| Ok::<_, Error>(belonging::settle(db).map_err(Failure::new)?))
            .await?;
        self.end_runs_left_behind().await?;
        if let Err(error) = self.check_key().await {
            tracing::error!("{error}");
        }
        self.look_at_all_records().await?;
        self.queue().recover(Leases::All, self.now()).await?;
        self.end_broken_upgrades().await
    }

    /// Lets the next fence be above all that were ever given out. The control database may be older
    /// than the files of tenants, as when it was put back from a backup.
    async fn go_above_fences(&self, now: Timestamp) -> Result<(), Error> {
        let known = match self.erp().cloned() {
            Some(erp) => tokio::task::spawn_blocking(move || erp.highest_fence())
                .await
                .map_err(Failure::new)??,
            None => 0,
        };
        // Fewer than one is given out in a millisecond, so the time is above those of a platform that
        // cannot be asked.
        let above = known.max(now.as_millisecond());
        let raise = "UPDATE fence SET last = max(last, ?1)";
        self.control()
            .write(move |db| Ok::<_, Error>(db.execute(raise, [above]).map(drop)?))
            .await
    }

    /// Whether the stored credentials can be opened.
    async fn check_key(&self) -> Result<(), Error> {
        let data = self.options().data.clone();
        let look = move |db: &rusqlite::Connection| Ok::<_, Error>(vault::check(db, &data)?);
        // Without the lock a rotation may come between the rows and the keys.
        match self.control().read(look.clone()).await {
            Err(_) => self.control().write(look).await,
            Ok(()) => Ok(()),
        }
    }

    /// Writes down how runs ended whose process did not live to say so, with what they had committed.
    async fn end_runs_left_behind(&self) -> Result<(), Error> {
        let left = (self.control())
            .read(|db| Ok::<_, Error>(runs::left_behind(db)?))
            .await?;
        for run in left {
            let (tenant, connection) = (&run.tenant, &run.connection);
            // Its clock may have been set a little on the way.
            let begun = run.started_at - SignedDuration::from_mins(1);
            let fence = run.fence.unsigned_abs();
            let kept = (self.host())
                .kept_report(tenant, connection, begun, fence)
                .await;
            let kept = kept.unwrap_or_else(|error| {
                tracing::error!("what run {} of tenant {tenant} committed: {error}", run.id);
                None
            });
            let now = self.now();
            (self.control())
                .write(move |db| Ok::<_, Error>(runs::end_left_behind(db, &run, kept, now)?))
                .await?;
        }
        Ok(())
    }

    /// Holds a claim: its lease does not run out as long as this lives.
    pub(crate) fn hold_claim(&self, fence: Fence) -> Held {
        self.all_held().insert(fence);
        Held(self.clone(), fence)
    }

    /// The claims that are held.
    pub(crate) fn held(&self) -> Vec<Fence> {
        self.all_held().iter().copied().collect()
    }

    fn all_held(&self) -> MutexGuard<'_, HashSet<Fence>> {
        (self.0.held.lock()).unwrap_or_else(PoisonError::into_inner)
    }

    /// The control database.
    pub fn control(&self) -> &SharedControl {
        &self.0.control
    }

    /// The runs that are wanted.
    pub fn queue(&self) -> &dyn Queue {
        &*self.0.queue
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.0.host
    }

    /// The embedded ERP, when that is the platform.
    pub fn erp(&self) -> Option<&EmbeddedErp> {
        self.0.erp.as_ref()
    }

    /// What operators watch.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// How this server works.
    pub fn options(&self) -> &ServiceOptions {
        &self.0.options
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// How many requests each token has sent.
    pub(crate) fn rates(&self) -> &Rates {
        &self.0.rates
    }

    /// The webhooks that are being read.
    pub(crate) fn inbox(&self) -> &Inbox {
        &self.0.inbox
    }

    /// A token for commands on this machine, good for as long as this process lives. It may see and
    /// change what tenants have; it is in no list, and a later one takes its place nowhere.
    pub fn open_door(&self) -> String {
        let (secret, hash) = tokens::unstored();
        let _ = self.0.door.set(hash);
        secret
    }

    /// Whether this is what the token of commands is known by.
    pub(crate) fn is_door(&self, hash: &[u8; 32]) -> bool {
        self.0.door.get() == Some(hash)
    }

    /// Asks everything to stop. Runs end at once, and go on from their last checkpoints when a server
    /// starts again.
    pub fn stop(&self) {
        self.0.stop.send_replace(true);
    }

    /// Whether it was asked to stop.
    pub fn stopping(&self) -> bool {
        *self.0.stop.borrow()
    }

    /// Waits until it is asked to stop.
    pub async fn stopped(&self) {
        // The sender lives as long as `self`.
        let _ = self.0.stop.subscribe().wait_for(|stop| *stop).await;
    }

    pub(crate) fn set_pressed(&self, pressed: bool) {
        self.0.pressed.store(pressed, Ordering::Relaxed);
    }

    pub(crate) fn is_pressed(&self) -> bool {
        self.0.pressed.load(Ordering::Relaxed)
    }

    /// The runs that are under way. Who shows them beside what is stored asks for them first: else one
    /// that ends in between would be neither under way nor the last one.
    pub(crate) fn under_way(&self) -> UnderWay {
        UnderWay(self.all_running().clone())
    }

    pub(crate) fn watched(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Option<Arc<Watched>> {
        let key = (tenant.clone(), connection.clone());
        self.all_running().get(&key).cloned()
    }

    /// Where whoever works on what a connection keeps is alone.
    pub(crate) fn place(&self, tenant: &TenantId, connection: &ConnectionId) -> Arc<Place> {
        let mut places = (self.0.places.lock()).unwrap_or_else(PoisonError::into_inner);
        if places.len() > PLACES {
            // Those that nobody holds or waits for.
            places.retain(|_, place| Arc::strong_count(place) > 1);
        }
        let key = (tenant.clone(), connection.clone());
        Arc::clone(places.entry(key).or_default())
    }

    /// Waits for room for a call into a connector of a tenant beside runs.
    pub(crate) async fn room(&self, tenant: &TenantId) -> Result<Room, Error> {
        let of_tenant = {
            let mut looking = (self.0.looking.lock()).unwrap_or_else(PoisonError::into_inner);
            if looking.len() > PLACES {
                looking.retain(|_, room| Arc::strong_count(room) > 1);
            }
            let room = || Arc::new(Semaphore::new(LOOKS_OF_TENANT));
            Arc::clone(looking.entry(tenant.clone()).or_insert_with(room))
        };
        let of_all = Arc::clone(&self.0.looks);
        let waiting = async {
            // One's own come first: who waits for those keeps nothing from other tenants.
            let of_tenant = of_tenant.acquire_owned().await.ok()?;
            let of_all = of_all.acquire_owned().await.ok()?;
            Some(Room {
                _of_tenant: of_tenant,
                _of_all: of_all,
            })
        };
        match tokio::time::timeout(CROWD, waiting).await {
            Ok(Some(room)) => Ok(room),
            _ => Err(Error::Unavailable(Reason::new("server.crowded").into())),
        }
    }

    fn connectors(&self) -> MutexGuard<'_, Loaded> {
        (self.0.connectors.lock()).unwrap_or_else(PoisonError::into_inner)
    }

    /// The texts of all reasons that are of no connector.
    pub fn texts(&self) -> &Arc<Catalogue> {
        &self.0.texts
    }

    fn known_texts(&self) -> MutexGuard<'_, HashMap<String, Arc<Catalogue>>> {
        (self.0.texts_of.lock()).unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn all_running(&self) -> MutexGuard<'_, ByConnection<Watched>> {
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls into connectors beside runs at one time, such as checks.
const LOOKS: u32 = 32;

/// How many of them are of one tenant, so that none takes the room of all.
const LOOKS_OF_TENANT: usize = 2;

/// How long such a call waits for room.
const CROWD: Duration = Duration::from_secs(30);

/// Room for calls of a moment: reading webhooks, and asking a component what it is.
const MOMENTS: u32 = 10;

/// Locks, and tenants that look, that are kept before unused ones are let go.
const PLACES: usize = 1_000;

/// A note for the audit.
fn note(
    actor: &str,
    place: (Option<&TenantId>, Option<&ConnectionId>),
    action: &'static str,
    detail: Value,
) -> audit::Note {
    audit::Note {
        actor: actor.to_owned(),
        tenant: place.0.cloned(),
        connection: place.1.cloned(),
        action,
        detail,
    }
}

/// No detail.
fn nothing() -> Value {
    json!({})
}
