//! The host: installs connectors, opens connections, runs jobs.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use wasmtime::component::Linker;
use wasmtime::{Engine, Store, Trap, UpdateDeadline};

use crate::capability::{self, Checkpoint, Run, RunState};
use crate::compiler::Compiler;
use crate::connector::{self, Connector, InstallError};
use crate::contract::ConnectorPre;
use crate::contract::exports::tenon::connector::sync;
use crate::egress::{Accounts, Egress, EgressError, EgressSettings, Network, NetworkError};
use crate::engine;
use crate::ids::{ConnectionId, TenantId};
use crate::limits::{BadLimit, Breach, Limits};
use crate::manifest::{Manifest, SettingsError, check_settings, one_line};
use crate::model::{Fault, Origin};
use crate::observe::{Level, NoObserver, Observer, tidy};
use crate::options::HostOptions;
use crate::place::Place;
use crate::platform::{Binding, Platform, Timer};
use crate::reason::{self, LANGUAGES, Reason};
use crate::report::{Outcome, RunReport};
use crate::request::{JobRequest, Mode, WantedJob, Webhook};
use crate::secret::Secret;
use crate::seen::Seen;
use crate::threads::Threads;

/// Runs connectors for the tenants of a platform.
pub struct Host {
    engine: Engine,
    linker: Linker<RunState>,
    cache: PathBuf,
    compiler: Compiler,
    /// One compilation at a time, so that several never take more than the limits of one.
    compiling: Mutex<()>,
    component_size: usize,
    platform: Arc<dyn Platform>,
    network: Network,
    accounts: Accounts,
    /// One for each run that the engine has room for.
    places: Arc<Semaphore>,
    threads: Threads,
}

/// What an admin decides about a connection.
#[derive(Clone, Debug)]
pub struct ConnectionSpec {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name within the tenant.
    pub id: ConnectionId,
    /// Settings that fit the schema of the manifest.
    pub settings: Value,
    /// Secrets by the names of the manifest's credentials.
    pub credentials: HashMap<String, Secret>,
    /// Where and for whom it works.
    pub place: Place,
    /// How its requests are sent.
    pub egress: EgressSettings,
    /// What its runs may use.
    pub limits: Limits,
}

/// Why a host cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system does not give the engine what it needs, such as address space or a thread.
    #[error("the WebAssembly engine cannot be started: {0:#}")]
    Engine(wasmtime::Error),
    /// The network options cannot be used.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The system gives no threads to compute on.
    #[error("the host's threads cannot be started: {0}")]
    Threads(#[source] std::io::Error),
}

/// Why a connection cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The settings break the schema.
    #[error("{}", join(.0))]
    Settings(Vec<SettingsError>),
    /// None of the credentials that an endpoint is signed with was given.
    #[error("the credential `{}` is missing", .0.join("` or `"))]
    MissingCredential(Vec<String>),
    /// A credential was given that the manifest does not have.
    #[error("this connector has no credential `{0}`; it has: {1}")]
    UnknownCredential(String, String),
    /// The way to the counterpart is misconfigured.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// A limit cannot be kept.
    #[error(transparent)]
    Limit(#[from] BadLimit),
}

fn join(errors: &[SettingsError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

/// One connector switched on in one tenant.
pub struct Connection {
    tenant: TenantId,
    id: ConnectionId,
    connector: Arc<Connector>,
    settings: Arc<str>,
    egress: Arc<Egress>,
    place: Place,
    limits: Limits,
}

impl Connection {
    /// The version that it runs.
    pub fn connector(&self) -> &Connector {
        &self.connector
    }
}

/// Why a call into a connector that is not a run failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// The connector said why.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The component trapped or broke a limit.
    #[error("{0}")]
    Crashed(String),
}

impl CallError {
    /// Why, for people.
    pub fn reason(&self) -> Reason {
        match self {
            CallError::Fault(fault) => fault.reason(),
            CallError::Crashed(text) => Reason::new("host.said").arg("text", text),
        }
    }
}

/// What a check learnt of the account at the counterpart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundAccount {
    /// The counterpart's own id; none where it tells none.
    pub id: Option<String>,
    /// For people.
    pub name: String,
    /// Names and values by which the account is known again.
    pub facts: Vec<(String, String)>,
    /// What people should know before they switch the connection on.
    pub notes: Vec<Reason>,
}

impl FoundAccount {
    fn tidied(account: sync::Account, most: usize) -> FoundAccount {
        let shown = |mut text: String| {
            tidy(&mut text, most);
            text
        };
        let mut notes = account.notes;
        for note in &mut notes {
            note.tidy(most);
        }
        FoundAccount {
            id: account.id.map(shown),
            name: shown(account.name),
            facts: (account.facts.into_iter())
                .map(|(name, value)| (shown(name), shown(value)))
                .collect(),
            notes,
        }
    }
}

/// Makes an instance and calls one of its exports, on the threads for guests; what the call leaves,
/// and its answer.
macro_rules! export {
    ($call:ident, $export:ident $(, $argument:expr)*) => {{
        let Call { mut store, pre, watch, place, threads } = $call;
        let made = async move {
            let answering = async {
                let guest = pre.instantiate_async(&mut store).await?;
                let sync = guest.tenon_connector_sync();
                sync.$export(&mut store $(, $argument)*).await
            };
            let answer = watch.within(answering).await;
            let state = store.into_data();
            // The instance is gone, and with it what it took of the engine.
            drop(place);
            (state, answer)
        };
        threads.run(made).await
    }};
}

impl Host {
    /// A host over a platform.
    pub fn new(platform: Arc<dyn Platform>, options: HostOptions) -> Result<Host, StartError> {
        let engine = engine::new(options.runs).map_err(StartError::Engine)?;
        let mut linker = Linker::new(&engine);
        capability::link(&mut linker).map_err(StartError::Engine)?;
        Ok(Host {
            engine,
            linker,
            cache: options.cache,
            compiler: options.compiler,
            compiling: Mutex::default(),
            component_size: options.component_size,
            platform,
            network: Network::new(&options.network)?,
            accounts: Accounts::default(),
            places: Arc::new(Semaphore::new(options.runs as usize)),
            threads: Threads::new().map_err(StartError::Threads)?,
        })
    }

    /// Checks and compiles a component, and asks it for its manifest.
    pub async fn install(&self, wasm: &[u8]) -> Result<Arc<Connector>, InstallError> {
        if wasm.len() > self.component_size {
            return Err(InstallError::TooLarge {
                size: wasm.len(),
                most: self.component_size,
            });
        }
        let compiling = self.compiling.lock().await;
        let checked = connector::check(
            &self.engine,
            &self.linker,
            &self.compiler,
            &self.cache,
            wasm,
        )
        .await?;
        drop(compiling);
        let limits = Limits::to_describe();
        let texts = Arc::new(reason::HOST.clone());
        let nothing = Arc::from("{}");
        let state = RunState::new(&limits, None, None, nothing, Arc::new(NoObserver), texts);
        let call = Call {
            watch: Watch::new(&state),
            store: self.store(state),
            pre: checked.pre.clone(),
            place: self.place().await,
            threads: &self.threads,
        };
        let (_, described) = export!(call, call_describe);
        let manifest = described.map_err(|error| InstallError::crashed(crash(&limits, &error)))?;
        let manifest = Manifest::try_from(manifest)?;
        let platforms = self.platform.catalogue();
        let catalogue = manifest.catalogue().with(&platforms).with(&reason::HOST);
        Ok(Arc::new(Connector {
            pre: checked.pre,
            digest: checked.digest,
            manifest,
            imports: checked.imports,
            catalogue: Arc::new(catalogue),
        }))
    }

    /// Opens a connection: checks its settings and credentials without calling the component.
    pub fn connect(
        &self,
        connector: Arc<Connector>,
        spec: ConnectionSpec,
    ) -> Result<Connection, ConnectError> {
        self.connect_unless(connector, spec, |_| true)
    }

    /// Opens a connection whose settings are not filled in yet, for [`Host::check`] and
    /// [`Host::choices`]: what is missing is no error, what is wrong is.
    pub fn connect_to_look(
        &self,
        connector: Arc<Connector>,
        spec: ConnectionSpec,
    ) -> Result<Connection, ConnectError> {
        self.connect_unless(connector, spec, |error| !error.missing)
    }

    fn connect_unless(
        &self,
        connector: Arc<Connector>,
        spec: ConnectionSpec,
        counts: impl Fn(&SettingsError) -> bool,
    ) -> Result<Connection, ConnectError> {
        spec.limits.check()?;
        let manifest = &connector.manifest;
        let mut errors = check_settings(manifest, &spec.settings);
        errors.retain(counts);
        if !errors.is_empty() {
            return Err(ConnectError::Settings(errors));
        }
        let declared = || manifest.credentials.iter().map(|known| known.name.as_str());
        let unsigned = manifest.endpoints.iter().find(|endpoint| {
            let given = |name| spec.credentials.contains_key(name);
            !endpoint.credentials.is_empty() && !endpoint.credentials.iter().any(given)
        });
        if let Some(endpoint) = unsigned {
            let names = endpoint.credentials.clone();
            return Err(ConnectError::MissingCredential(names));
        }
        if let Some(name) = (spec.credentials.keys()).find(|name| !declared().any(|d| d == *name)) {
            let known = declared().collect::<Vec<_>>().join(", ");
            return Err(ConnectError::UnknownCredential(name.clone(), known));
        }
        let egress = Egress::new(
            &spec.tenant,
            manifest,
            &spec.settings,
            &spec.credentials,
            spec.egress,
            &self.network,
            &self.accounts,
        )?;
        Ok(Connection {
            settings: Arc::from(spec.settings.to_string()),
            egress: Arc::new(egress),
            tenant: spec.tenant,
            id: spec.id,
            place: spec.place,
            limits: spec.limits,
            connector,
        })
    }

    /// Tries the credentials; answers with the account at the counterpart that they belong to.
    pub async fn check(&self, connection: &Connection) -> Result<FoundAccount, CallError> {
        let call = self.look(connection, "check").await?;
        let (_, answer) = export!(call, call_check);
        let account = said(&connection.limits, answer)?;
        Ok(FoundAccount::tidied(account, connection.limits.log_line))
    }

    /// Values for a setting that only the counterpart knows, with their labels.
    pub async fn choices(
        &self,
        connection: &Connection,
        option: &str,
    ) -> Result<Vec<(String, String)>, CallError> {
        let call = self.look(connection, "choices").await?;
        let option = option.to_owned();
        let (_, answer) = export!(call, call_choices, &option);
        let choices = said(&connection.limits, answer)?;
        admit(&connection.limits, &choices)?;
        let most = connection.limits.log_line;
        Ok(choices
            .into_iter()
            .map(|mut choice| {
                tidy(&mut choice.value, most);
                tidy(&mut choice.label, most);
                (choice.value, choice.label)
            })
            .collect())
    }

    /// Turns a message of the counterpart into jobs. The connector makes no request for that.
    pub async fn receive(
        &self,
        connection: &Connection,
        webhook: Webhook,
    ) -> Result<Vec<WantedJob>, CallError> {
        let limits = connection.limits.to_receive();
        let observer = Arc::new(NoObserver);
        let call = self
            .open(connection, &limits, None, &looking("receive"), observer)
            .await?;
        let webhook = webhook.into();
        let (_, answer) = export!(call, call_receive, &webhook);
        let wanted = said(&limits, answer)?;
        admit(&connection.limits, &wanted)?;
        let jobs = &connection.connector.manifest.jobs;
        let is_unknown = |wanted: &&sync::Request| !jobs.iter().any(|job| job.id == wanted.job);
        if let Some(unknown) = wanted.iter().find(is_unknown) {
            let job = one_line(&unknown.job);
            let reason = format!("the component asked for `{job}`, which is no job of its own");
            return Err(CallError::Crashed(reason));
        }
        Ok(wanted.into_iter().map(WantedJob::from).collect())
    }

    /// Lets the connector set up the counterpart. Messages will be sent to `callback` with a topic
    /// behind it.
    pub async fn enable(&self, connection: &Connection, callback: &str) -> Result<(), CallError> {
        let call = self.act(connection, "enable").await?;
        let callback = callback.to_owned();
        let (left, answer) = export!(call, call_enable, &callback);
        settle(left, connection, answer).await
    }

    /// Lets the connector clean up the counterpart.
    pub async fn disable(&self, connection: &Connection) -> Result<(), CallError> {
        let call = self.act(connection, "disable").await?;
        let (left, answer) = export!(call, call_disable);
        settle(left, connection, answer).await
    }

    /// Prepares a connection for a version that has just taken the place of another: keeps a
    /// snapshot of its state for [`Host::restore`], and lets the connector bring the state to its own
    /// version when it was of `from_version`. Both are kept as one, or neither: a checkpoint of the
    /// connector commits nothing here.
    pub async fn migrate(
        &self,
        connection: &Connection,
        from_version: u32,
    ) -> Result<(), CallError> {
        if from_version == connection.connector.manifest.state_version {
            let mut work = self
                .platform
                .begin(&connection.tenant, &connection.id)
                .await?;
            work.snapshot(from_version).await?;
            return Ok(work.commit().await?);
        }
        let mut call = self.act(connection, "migrate").await?;
        if let Some(run) = call.store.data_mut().run.as_mut() {
            run.as_one = true;
            run.work.snapshot(from_version).await?;
        }
        let (left, answer) = export!(call, call_migrate, from_version);
        settle(left, connection, answer).await
    }

    /// Takes a connection back to what it kept before its last [`Host::migrate`], when that was of this
    /// state version, and answers whether there was something to go back to. No binding is lost by
    /// that, as [`State::restore`](crate::platform::State::restore) tells: the next run may do
    /// work again, and doubles no record.
    pub async fn restore(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        state_version: u32,
    ) -> Result<bool, Fault> {
        let mut work = self.platform.begin(tenant, connection).await?;
        let restored = work.restore(state_version).await?;
        work.commit().await?;
        Ok(restored)
    }

    /// Runs a job until it is done, cut or failed. What its last checkpoint committed stays
    /// whatever happens after it; returning without a fault is a checkpoint, too.
    pub async fn run(
        &self,
        connection: &Connection,
        request: &JobRequest,
        observer: Arc<dyn Observer>,
    ) -> RunReport {
        let egress = Some(Arc::clone(&connection.egress));
        let opened = self
            .open(connection, &connection.limits, egress, request, observer)
            .await;
        let fenced = match opened {
            Ok(call) => call.fenced(request.fence).await,
            Err(fault) => Err(fault),
        };
        let call = match fenced {
            Ok(call) => call,
            Err(fault) => {
                let mut report = begin_report(connection, &request.job, request.mode);
                conclude(&mut report, connection, Err(CallError::Fault(fault)));
                return report;
            }
        };
        let JobRequest {
            job,
            argument,
            cause,
            ..
        } = request.clone();
        let cause = cause.into();
        let (left, answer) = export!(call, call_run, &job, argument.as_deref(), &cause);
        let ended = said(&connection.limits, answer).map(|outcome| match outcome {
            sync::Outcome::Done => Outcome::Done,
            sync::Outcome::Suspended => Outcome::Suspended,
        });
        finish(left, connection, ended).await
    }

    /// The timers of a connection that have come due, the earliest first. Whoever has started their
    /// work removes them with [`Host::drop_timers`].
    pub async fn due_timers(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        now: jiff::Timestamp,
        limit: u32,
    ) -> Result<Vec<Timer>, Fault> {
        let mut work = self.platform.begin(tenant, connection).await?;
        work.due_timers(now, limit).await
    }

    /// When the earliest timer of a connection comes due; none without timers.
    pub async fn next_timer(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Option<jiff::Timestamp>, Fault> {
        let mut work = self.platform.begin(tenant, connection).await?;
        work.next_timer().await
    }

    /// Removes timers that are still exactly these: one that was set anew meanwhile stays.
    pub async fn drop_timers(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        timers: &[Timer],
    ) -> Result<(), Fault> {
        let mut work = self.platform.begin(tenant, connection).await?;
        work.drop_timers(timers.to_vec()).await?;
        work.commit().await
    }

    /// Bindings of a connection: of one kind or of all, whose key or origin has `text` in it, by kind
    /// and origin; and where the next page begins, none after the last.
    pub async fn search_bindings(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        kind: Option<String>,
        text: Option<String>,
        after: Option<String>,
        limit: u32,
    ) -> Result<(Vec<Binding>, Option<String>), Fault> {
        let mut work = self.platform.begin(tenant, connection).await?;
        work.search_bindings(kind, text, after, limit).await
    }

    /// Pairs a counterpart record with an ERP record, whatever it was paired with. Its fingerprint
    /// is forgotten, so that the next exchange compares both sides anew.
    pub async fn rebind(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        binding: Binding,
    ) -> Result<(), Fault> {
        let mut work = self.platform.begin(tenant, connection).await?;
        let unknown = Binding {
            fingerprint: None,
            ..binding
        };
        work.bind(vec![unknown]).await?;
        work.commit().await
    }

    /// Removes all that a connection keeps, or all that a tenant has.
    pub async fn forget(
        &self,
        tenant: &TenantId,
        connection: Option<&ConnectionId>,
    ) -> Result<(), Fault> {
        self.platform.forget(tenant, connection).await
    }

    /// Takes a counterpart record out of its pair.
    pub async fn unbind_origin(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        kind: String,
        origin: Origin,
    ) -> Result<(), Fault> {
        let mut work = self.platform.begin(tenant, connection).await?;
        work.unbind_origins(kind, vec![origin]).await?;
        work.commit().await
    }

    /// A call of which nothing is kept.
    async fn look(&self, connection: &Connection, name: &str) -> Result<Call<'_>, Fault> {
        let egress = Some(Arc::clone(&connection.egress));
        let observer = Arc::new(NoObserver);
        let request = looking(name);
        self.open(connection, &connection.limits, egress, &request, observer)
            .await
    }

    /// A call whose writes are kept when it succeeds.
    async fn act(&self, connection: &Connection, name: &str) -> Result<Call<'_>, Fault> {
        let egress = Some(Arc::clone(&connection.egress));
        let observer = Arc::new(NoObserver);
        let request = JobRequest::asked(name);
        self.open(connection, &connection.limits, egress, &request, observer)
            .await
    }

    async fn open(
        &self,
        connection: &Connection,
        limits: &Limits,
        egress: Option<Arc<Egress>>,
        request: &JobRequest,
        observer: Arc<dyn Observer>,
    ) -> Result<Call<'_>, Fault> {
        let place = self.place().await;
        let mut work = (self.platform)
            .begin(&connection.tenant, &connection.id)
            .await?;
        let run = Run {
            report: begin_report(connection, &request.job, request.mode),
            seen: Seen::default(),
            place: connection.place.clone(),
            books: work.about().await?,
            account: work.account().await?.map(|account| account.id),
            confirmed: request.confirmed.clone(),
            work,
            as_one: false,
        };
        let state = RunState::new(
            limits,
            egress,
            Some(run),
            Arc::clone(&connection.settings),
            observer,
            Arc::clone(&connection.connector.catalogue),
        );
        Ok(Call {
            watch: Watch::new(&state),
            store: self.store(state),
            pre: connection.connector.pre.clone(),
            place,
            threads: &self.threads,
        })
    }

    /// Waits until the engine has room for one more instance.
    async fn place(&self) -> OwnedSemaphorePermit {
        (Arc::clone(&self.places).acquire_owned().await)
            .unwrap_or_else(|_| unreachable!("the semaphore is never closed"))
    }

    fn store(&self, state: RunState) -> Store<RunState> {
        let most = state.limits.compute.as_millis() / engine::TICK.as_millis();
        let (call, handles) = (state.limits.call, state.limits.handles);
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(call);
        store.set_max_component_handles(handles);
        store.set_epoch_deadline(1);
        // Called only while the guest computes: a wait inside the host counts as one tick.
        store.epoch_deadline_callback(move |mut store| {
            let state = store.data_mut();
            state.ticks += 1;
            Ok(if u128::from(state.ticks) > most {
                UpdateDeadline::Interrupt
            } else {
                UpdateDeadline::Yield(1)
            })
        });
        store
    }
}

/// A call into a guest that is about to be made: an instance of its own, and its place.
struct Call<'a> {
    store: Store<RunState>,
    pre: ConnectorPre<RunState>,
    watch: Watch,
    place: OwnedSemaphorePermit,
    threads: &'a Threads,
}

impl Call<'_> {
    /// The same call, of a host that holds this token.
    async fn fenced(mut self, token: Option<u64>) -> Result<Self, Fault> {
        if let (Some(token), Some(run)) = (token, self.store.data_mut().run.as_mut()) {
            run.work.fence(token).await?;
        }
        Ok(self)
    }
}

/// Ends a call that goes too long without a checkpoint, whatever it waits for.
struct Watch {
    checkpoint: Checkpoint,
    most: Duration,
}

impl Watch {
    fn new(state: &RunState) -> Watch {
        Watch {
            checkpoint: state.checkpoint.clone(),
            most: state.limits.elapsed,
        }
    }

    async fn within<T>(
        &self,
        call: impl Future<Output = wasmtime::Result<T>>,
    ) -> wasmtime::Result<T> {
        let mut call = std::pin::pin!(call);
        loop {
            let end = self.checkpoint.passed_at() + self.most;
            tokio::select! {
                biased;
                answer = &mut call => return answer,
                () = tokio::time::sleep_until(end) => {
                    if self.checkpoint.passed_at() + self.most <= Instant::now() {
                        return Err(Breach::Elapsed(self.most).into());
                    }
                }
            }
        }
    }
}

/// What an export answered, or why it did not.
fn said<T>(limits: &Limits, answer: wasmtime::Result<Result<T, Fault>>) -> Result<T, CallError> {
    match answer {
        Ok(answer) => answer.map_err(|fault| CallError::Fault(fault.tidied(limits.log_line))),
        Err(error) => Err(crash(limits, &error)),
    }
}

/// Passes a list that one answer may carry.
fn admit<T>(limits: &Limits, list: &[T]) -> Result<(), CallError> {
    if list.len() > limits.records {
        let breach = Breach::Returned(list.len(), limits.records);
        return Err(CallError::Crashed(breach.to_string()));
    }
    Ok(())
}

/// Ends a call that writes but is no run: like a run, it is kept as a whole or not at all.
async fn settle(
    left: RunState,
    connection: &Connection,
    answer: wasmtime::Result<Result<(), Fault>>,
) -> Result<(), CallError> {
    let ended = said(&connection.limits, answer);
    let outcome = ended.clone().map(|()| Outcome::Done);
    let report = finish(left, connection, outcome).await;
    match report.error {
        Some(error) => ended.and(Err(CallError::Crashed(error))),
        None => ended,
    }
}

/// Commits what a run that ended well has left, or undoes it, and keeps the report.
async fn finish(
    mut state: RunState,
    connection: &Connection,
    ended: Result<Outcome, CallError>,
) -> RunReport {
    let mut committed = Ok(());
    if let Some(run) = state.run.as_mut() {
        if ended.is_err() {
            run.seen.roll_back();
            committed = run.work.rollback().await.map_err(wasmtime::Error::from);
        }
        conclude(&mut run.report, connection, ended);
    }
    if committed.is_ok() {
        committed = state.commit().await;
    }
    if let (Err(error), Some(run)) = (&committed, state.run.as_mut()) {
        run.seen.roll_back();
        let crashed = Err(crash(&connection.limits, error));
        conclude(&mut run.report, connection, crashed);
        run.count(&state.log);
    }
    let Some(Run { report, .. }) = state.run else {
        unreachable!("a run has its report until here");
    };
    for warning in &report.warnings {
        state.log.line(Level::Warn, warning.why.clone());
    }
    report
}

/// A call that changes nothing.
fn looking(name: &str) -> JobRequest {
    JobRequest {
        mode: Mode::Preview,
        ..JobRequest::asked(name)
    }
}

fn begin_report(connection: &Connection, job: &str, mode: Mode) -> RunReport {
    let started_at = jiff::Timestamp::now();
    RunReport {
        id: format!(
            "{}-{:08x}",
            started_at.strftime("%Y%m%dT%H%M%S.%3f"),
            fastrand::u32(..)
        ),
        connection: connection.id.clone(),
        connector: connection.connector.title(),
        job: job.to_owned(),
        mode,
        started_at,
        finished_at: None,
        outcome: Outcome::Running,
        created: 0,
        updated: 0,
        unchanged: 0,
        failed: 0,
        requests: 0,
        memory: 0,
        error: None,
        why: None,
        written: Vec::new(),
        warnings: Vec::new(),
        records: Vec::new(),
        questions: Vec::new(),
    }
}

fn conclude(report: &mut RunReport, connection: &Connection, ended: Result<Outcome, CallError>) {
    report.finished_at = Some(jiff::Timestamp::now());
    match ended {
        Ok(outcome) => report.outcome = outcome,
        Err(error) => {
            report.outcome = match &error {
                CallError::Crashed(_) => Outcome::Crashed,
                CallError::Fault(Fault::Transient(_) | Fault::Conflict(_)) => Outcome::Transient,
                CallError::Fault(_) => Outcome::Configuration,
            };
            let why = error.reason();
            report.error = Some(connection.connector.catalogue.text(&why, LANGUAGES[0]));
            report.why = Some(why);
        }
    }
}

/// What a trap means to people.
fn crash(limits: &Limits, error: &wasmtime::Error) -> CallError {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return CallError::Fault(fault.clone());
    }
    if let Some(breach) = error.downcast_ref::<Breach>() {
        return CallError::Crashed(breach.to_string());
    }
    let cause = error.root_cause().to_string();
    CallError::Crashed(match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => format!(
            "the component computed for more than {} s without a checkpoint",
            limits.compute.as_secs_f64()
        ),
        Some(Trap::StackOverflow) => "the component used up its stack".to_owned(),
        Some(Trap::UnreachableCodeReached) => {
            "the component panicked; its log tells where".to_owned()
        }
        Some(trap) => format!("the component trapped: {trap}"),
        // The engine has no types for these.
        None if cause.contains("growing memory") => {
            let mib = limits.memory >> 20;
            format!("the component wanted more than its {mib} MiB of memory")
        }
        None if cause.contains("fuel allocated for hostcalls") => {
            let kib = limits.call >> 10;
            format!("the component passed more than {kib} KiB to the host in one call")
        }
        None if cause.contains("handle limit") || cause.contains("no free keys") => {
            let handles = limits.handles;
            format!("the component has more than {handles} handles open")
        }
        None => format!("the component was stopped: {}", one_line(&cause)),
    })
}
