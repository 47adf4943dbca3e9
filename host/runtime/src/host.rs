//! The host: installs connectors, opens connections, runs jobs.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Engine, FrameInfo, Store, Trap, UpdateDeadline, WasmBacktrace};

use crate::account::{self, Asking, FoundAccount, Recognised};
use crate::brake::Brake;
use crate::capability::{self, Run, RunState};
use crate::compiler::Compiler;
use crate::connector::{self, Connector, InstallError};
use crate::contract::ConnectorPre;
use crate::contract::exports::tenon::connector::sync;
use crate::egress::{
    Accounts, BudgetUse, Egress, EgressError, EgressSettings, Network, NetworkError,
};
use crate::engine;
use crate::ids::{ConnectionId, TenantId};
use crate::limits::{BadLimit, Breach, Limits};
use crate::manifest::{Manifest, SettingsError, check_settings, one_line};
use crate::model::{Fault, Origin};
use crate::observe::{Level, NoObserver, Observer, tidy};
use crate::options::HostOptions;
use crate::place::{BadPlace, Place};
use crate::platform::{Binding, Platform, Timer, UnitOfWork};
use crate::reason::{self, LANGUAGES, Mend, Reason};
use crate::report::{Outcome, Question, RunReport};
use crate::request::{JobRequest, Mode, WantedJob, Webhook};
use crate::secret::Secret;
use crate::seen::Seen;
use crate::signed;
use crate::threads::Threads;
use crate::watch::{Cut, Exhausted, Stage, Watch};

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
    /// The place means nothing.
    #[error(transparent)]
    Place(#[from] BadPlace),
}

impl ConnectError {
    /// Why, for people; of several settings, the first that is wrong.
    pub fn reason(&self) -> Reason {
        match self {
            ConnectError::Settings(errors) => match errors.first() {
                Some(error) => error.reason(),
                None => Reason::new("host.settings.wrong"),
            },
            ConnectError::MissingCredential(names) => {
                let reason = Reason::new("host.credential.missing");
                let reason = reason.arg("names", names.join("`, `"));
                match names.first() {
                    Some(name) => reason.mend(Mend::Credential(name.clone())),
                    None => reason,
                }
            }
            ConnectError::UnknownCredential(name, known) => {
                let reason = Reason::new("host.credential.unknown");
                reason.arg("name", name).arg("known", known)
            }
            ConnectError::Egress(error) => error.reason(),
            ConnectError::Limit(error) => error.reason(),
            ConnectError::Place(error) => error.reason(),
        }
    }
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
    /// Where it goes and what it signs with: see [`account::way`].
    way: [u8; 32],
    /// The credential that says whose account it is; none where nothing is signed.
    credential: Option<String>,
    /// By which the counterpart signs its webhooks.
    webhook_secret: Option<Secret>,
    place: Place,
    limits: Limits,
}

impl Connection {
    /// Passes a webhook that is taken and signed as the manifest says.
    fn admit_webhook(&self, webhook: &Webhook) -> Result<(), Fault> {
        let Some(webhooks) = &self.connector.manifest.webhooks else {
            return Err(Fault::Rejected(Reason::new("host.no-webhooks")));
        };
        let Some(signature) = &webhooks.signature else {
            return Ok(());
        };
        let is_signed = self.webhook_secret.as_ref().is_some_and(|secret| {
            signed::is_signed(signature, secret, &webhook.headers, &webhook.body)
        });
        if is_signed {
            return Ok(());
        }
        let mend = Mend::Credential(signature.credential.clone());
        Err(Fault::Rejected(
            Reason::new("host.webhook-not-signed").mend(mend),
        ))
    }

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
    Crashed(Reason),
    /// People have to agree first.
    #[error("{}", .0.text)]
    Question(Box<Question>),
    /// The component wanted to change its counterpart although nothing was to be changed.
    #[error("{0}")]
    Overstepped(Reason),
}

impl CallError {
    /// Why, for people.
    pub fn reason(&self) -> Reason {
        match self {
            CallError::Fault(fault) => fault.reason(),
            CallError::Crashed(reason) | CallError::Overstepped(reason) => reason.clone(),
            CallError::Question(question) => question.why.clone(),
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
            accounts: Accounts::new(options.ledger),
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
            watch: watch(&state),
            store: self.store(state),
            pre: checked.pre.clone(),
            place: self.place().await,
            threads: &self.threads,
        };
        let (left, described) = export!(call, call_describe);
        let crashed = |error| InstallError::Crashed(crash(&left, &error));
        let manifest = described.map_err(crashed)?;
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
        spec.place.check()?;
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
        let signature = (manifest.webhooks.as_ref()).and_then(|one| one.signature.as_ref());
        let webhook_secret = match signature.map(|one| &one.credential) {
            None => None,
            Some(name) => match spec.credentials.get(name) {
                Some(secret) => Some(secret.clone()),
                None => return Err(ConnectError::MissingCredential(vec![name.clone()])),
            },
        };
        let egress = Egress::new(
            &spec.tenant,
            manifest,
            &spec.settings,
            &spec.credentials,
            spec.egress,
            &self.network,
            &self.accounts,
        )?;
        let way = account::way(manifest, egress.addresses(), &spec.credentials);
        let mut signing = (manifest.endpoints.iter()).flat_map(|endpoint| &endpoint.credentials);
        let credential = signing.find(|name| spec.credentials.contains_key(*name));
        let credential = credential.cloned();
        Ok(Connection {
            settings: Arc::from(spec.settings.to_string()),
            egress: Arc::new(egress),
            way,
            credential,
            webhook_secret,
            tenant: spec.tenant,
            id: spec.id,
            place: spec.place,
            limits: spec.limits,
            connector,
        })
    }

    /// Tries the credentials; answers with the account at the counterpart that they belong to. Its notes
    /// say so where that is not, or may not be, whose records the connection exchanges. Nothing is kept
    /// of it.
    pub async fn check(&self, connection: &Connection) -> Result<FoundAccount, CallError> {
        let observer = Arc::new(NoObserver);
        let (_, found, run) = self.find_account(connection, observer).await?;
        let mut found = found?;
        if let Some(mut run) = run
            && let Recognised::Doubtful(doubtful) =
                run.hold_against_known(connection, &found).await?
        {
            found.notes.push(doubtful.1.why);
        }
        Ok(found)
    }

    /// Asks whose the credentials are, with how many requests it took, and with what is known in the
    /// tenant.
    async fn find_account(
        &self,
        connection: &Connection,
        observer: Arc<dyn Observer>,
    ) -> Result<(u64, Result<FoundAccount, CallError>, Option<Run>), Fault> {
        let egress = Some(Arc::clone(&connection.egress));
        let (limits, request) = (&connection.limits, looking("check"));
        let call = self
            .open(connection, limits, egress, &request, observer)
            .await?;
        let (left, answer) = export!(call, call_check);
        let found = looked(&left, answer);
        let found = found.and_then(|account| FoundAccount::read(account, limits.log_line));
        Ok((left.egress.requests(), found, left.run))
    }

    /// Values for a setting that only the counterpart knows, with their labels.
    pub async fn choices(
        &self,
        connection: &Connection,
        option: &str,
    ) -> Result<Vec<(String, String)>, CallError> {
        let call = self.look(connection, "choices").await?;
        let option = option.to_owned();
        let (left, answer) = export!(call, call_choices, &option);
        let choices = looked(&left, answer)?;
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

    /// Turns a message of the counterpart into jobs. The connector makes no request for that. One
    /// that is not signed as the manifest says does not reach it.
    pub async fn receive(
        &self,
        connection: &Connection,
        webhook: Webhook,
    ) -> Result<Vec<WantedJob>, CallError> {
        connection.admit_webhook(&webhook)?;
        let limits = connection.limits.to_receive();
        let observer = Arc::new(NoObserver);
        let call = self
            .open(connection, &limits, None, &looking("receive"), observer)
            .await?;
        let webhook = webhook.into();
        let (left, answer) = export!(call, call_receive, &webhook);
        let wanted = said(&left, answer)?;
        admit(&connection.limits, &wanted)?;
        let jobs = &connection.connector.manifest.jobs;
        let is_unknown = |wanted: &&sync::Request| !jobs.iter().any(|job| job.id == wanted.job);
        if let Some(unknown) = wanted.iter().find(is_unknown) {
            let job = one_line(&unknown.job);
            let reason = Reason::new("host.crash.unknown-job").arg("job", job);
            return Err(CallError::Crashed(reason));
        }
        Ok(wanted.into_iter().map(WantedJob::from).collect())
    }

    /// Lets the connector set up the counterpart. Messages will be sent to `callback` with a topic
    /// behind it. Answers what it asked and went on without.
    ///
    /// # Errors
    /// Those of [`Host::check`], too, where the host has to make sure first whose the counterpart is.
    /// [`CallError::Question`] when it is not whose it was, or when the connector asked something
    /// before it refused, until the question's id is among those that people have `confirmed`.
    pub async fn enable(
        &self,
        connection: &Connection,
        callback: &str,
        confirmed: &HashSet<String>,
    ) -> Result<Vec<Question>, CallError> {
        let request = JobRequest {
            confirmed: confirmed.clone(),
            ..JobRequest::asked("enable")
        };
        let observer = Arc::new(NoObserver);
        let (call, sure) = self.open_sure(connection, &request, observer).await?;
        if let Err(error) = sure {
            settle(call.store.into_data(), connection, Err(error)).await?;
            return Ok(Vec::new());
        }
        let callback = callback.to_owned();
        let (left, answer) = export!(call, call_enable, &callback);
        let ended = said(&left, answer);
        let asked = left.run.as_ref().map(|run| run.report.questions.clone());
        let asked = asked.unwrap_or_default();
        match (settle(left, connection, ended).await, asked.first()) {
            (Ok(()), _) => Ok(asked),
            // A yes may be all that it needs.
            (Err(CallError::Fault(_)), Some(first)) => {
                Err(CallError::Question(Box::new(first.clone())))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Lets the connector clean up the counterpart.
    pub async fn disable(&self, connection: &Connection) -> Result<(), CallError> {
        let call = self.act(connection, "disable").await?;
        let (left, answer) = export!(call, call_disable);
        let ended = said(&left, answer);
        settle(left, connection, ended).await
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
        let ended = said(&left, answer);
        settle(left, connection, ended).await
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

    /// Runs a job until it is done, stopped or failed. What its last checkpoint committed stays
    /// whatever happens after it; returning without a fault is a checkpoint, too. The observer can
    /// stop it at a checkpoint, or at once ([`Observer::stopped`]).
    ///
    /// A run never works with another account under it. At the first run, and whenever a credential
    /// or an address has changed since, the host asks the connector whose the counterpart is. When it
    /// is not whose it was, the run ends as [`Outcome::Configuration`] with a question; once people
    /// have confirmed that, it goes on with the other account.
    pub async fn run(
        &self,
        connection: &Connection,
        request: &JobRequest,
        observer: Arc<dyn Observer>,
    ) -> RunReport {
        let begun = tokio::select! {
            biased;
            begun = self.open_sure(connection, request, Arc::clone(&observer)) => {
                begun.map_err(|fault| Ending::Failed(CallError::Fault(fault)))
            }
            stop = observer.stopped() => {
                let stage = Stage::Waiting;
                Err(Ending::Cut(Cut { stop, stage }))
            }
        };
        let (call, sure) = match begun {
            Ok(begun) => begun,
            Err(ending) => {
                let mut report = begin_report(connection, request);
                conclude(&mut report, connection, ending);
                return report;
            }
        };
        if let Err(error) = sure {
            let ending = Ending::Failed(error);
            return finish(call.store.into_data(), connection, ending).await;
        }
        let JobRequest {
            job,
            argument,
            cause,
            ..
        } = request.clone();
        let cause = cause.into();
        let (left, answer) = export!(call, call_run, &job, argument.as_deref(), &cause);
        let ending = Ending::of_run(&left, answer);
        finish(left, connection, ending).await
    }

    /// How much of the request budgets of a connection is spent, by endpoint and window. Connections of
    /// a tenant that use one credential share them. What was spent before this host began is unknown to
    /// it, until the counterpart says what is left.
    pub fn budgets(&self, connection: &Connection) -> Vec<BudgetUse> {
        connection.egress.budgets()
    }

    /// Until when a counterpart of a connection wants to be left alone, with its origin. None when that is
    /// no longer than a run waits.
    pub fn silent_until(&self, connection: &Connection) -> Option<(String, jiff::Timestamp)> {
        connection.egress.silent_until()
    }

    /// The report that the last checkpoint of a run kept whose process did not live to hand it over;
    /// none where nothing was committed, or where the platform keeps none. `begun` is when the run
    /// began at the earliest, and `fence` that of its request.
    pub async fn kept_report(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        begun: jiff::Timestamp,
        fence: u64,
    ) -> Result<Option<RunReport>, Fault> {
        let mut work = self.platform.begin(tenant, connection).await?;
        work.kept_report(begun, fence).await
    }

    /// Moves all timers of a connection by as much as the clock of the machine was set meanwhile.
    pub async fn move_timers(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        by: jiff::SignedDuration,
    ) -> Result<(), Fault> {
        let mut work = self.platform.begin(tenant, connection).await?;
        work.move_timers(by).await?;
        work.commit().await
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

    /// A call of whose account the host is certain, and the reason where it is not: nothing is called
    /// then.
    async fn open_sure(
        &self,
        connection: &Connection,
        request: &JobRequest,
        observer: Arc<dyn Observer>,
    ) -> Result<(Call<'_>, Result<(), CallError>), Fault> {
        let call = self.open_fenced(connection, request, &observer).await?;
        if call.is_sure(connection) {
            return Ok((call, Ok(())));
        }
        // The check is a call of its own, with a place and a unit of work of its own.
        drop(call);
        let (requests, found, _) = self.find_account(connection, Arc::clone(&observer)).await?;
        let mut call = self.open_fenced(connection, request, &observer).await?;
        let Some(run) = call.store.data_mut().run.as_mut() else {
            unreachable!("only a description has no run");
        };
        run.requests_before = requests;
        let sure = match found {
            Ok(found) => run.recognise(connection, request, &found).await?,
            Err(error) => Err(error),
        };
        Ok((call, sure))
    }

    async fn open_fenced(
        &self,
        connection: &Connection,
        request: &JobRequest,
        observer: &Arc<dyn Observer>,
    ) -> Result<Call<'_>, Fault> {
        let egress = Some(Arc::clone(&connection.egress));
        let observer = Arc::clone(observer);
        let call = self
            .open(connection, &connection.limits, egress, request, observer)
            .await?;
        call.fenced(request.fence).await
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
        if request.mode == Mode::Compare {
            begin_comparison(work.as_mut()).await?;
        }
        let run = Run {
            report: begin_report(connection, request),
            seen: Seen::default(),
            place: connection.place.clone(),
            books: work.about().await?,
            account: work.account().await?,
            confirmed: request.confirmed.clone(),
            brake: Brake::default(),
            asked_too_much: false,
            work,
            requests_before: 0,
            as_one: false,
            told: Default::default(),
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
            watch: watch(&state),
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

impl Run {
    /// What is to be done about an account that was found.
    async fn hold_against_known(
        &mut self,
        connection: &Connection,
        found: &FoundAccount,
    ) -> Result<Recognised, Fault> {
        let known = self.work.accounts().await?;
        let asking = Asking {
            connector: &connection.connector.manifest.name,
            books: &self.books.id,
            mark: account::mark(&self.books.id, &connection.way),
            credential: connection.credential.as_deref(),
        };
        Ok(asking.recognise(self.account.as_ref(), &known, found))
    }

    /// Takes an account that was found for that of this run, unless people have to agree first.
    async fn recognise(
        &mut self,
        connection: &Connection,
        request: &JobRequest,
        found: &FoundAccount,
    ) -> Result<Result<(), CallError>, Fault> {
        let account = match self.hold_against_known(connection, found).await? {
            Recognised::Own(account) => account,
            Recognised::Doubtful(doubtful) => match *doubtful {
                (account, question) if request.confirmed.contains(&question.id) => account,
                (_, question) => return Ok(Err(CallError::Question(Box::new(question)))),
            },
        };
        let before = self.account.replace(account.clone());
        // A preview keeps nothing, but must not see what belongs to another account.
        let is_other = before.is_some_and(|before| before.id != account.id);
        if request.mode.writes() || is_other {
            self.work.set_account(account).await?;
        }
        if request.mode.writes() {
            self.work.commit().await?;
        }
        Ok(Ok(()))
    }
}

impl Call<'_> {
    /// Whether the connection goes the way on which its account was found.
    fn is_sure(&self, connection: &Connection) -> bool {
        let Some(run) = &self.store.data().run else {
            return false;
        };
        let mark = account::mark(&run.books.id, &connection.way);
        (run.account.as_ref()).is_some_and(|account| account.mark == mark)
    }

    /// The same call, of a host that holds this token.
    async fn fenced(mut self, token: Option<u64>) -> Result<Self, Fault> {
        if let (Some(token), Some(run)) = (token, self.store.data_mut().run.as_mut()) {
            run.work.fence(token).await?;
        }
        Ok(self)
    }
}

fn watch(state: &RunState) -> Watch {
    Watch {
        pulse: Arc::clone(&state.pulse),
        observer: Arc::clone(&state.observer),
        most: state.limits.elapsed,
    }
}

/// The same of a call that may not have been allowed to change its counterpart: one that tried it is no
/// good, whatever it answered.
fn looked<T>(left: &RunState, answer: wasmtime::Result<Result<T, Fault>>) -> Result<T, CallError> {
    match left.egress.overstepped() {
        Some(reason) => {
            let mut reason = reason.clone();
            reason.tidy(left.limits.log_line);
            Err(CallError::Overstepped(reason))
        }
        None => said(left, answer),
    }
}

/// What an export answered, or why it did not.
fn said<T>(left: &RunState, answer: wasmtime::Result<Result<T, Fault>>) -> Result<T, CallError> {
    match answer {
        Ok(answer) => answer.map_err(|fault| CallError::Fault(fault.tidied(left.limits.log_line))),
        Err(error) => Err(crash(left, &error)),
    }
}

/// Passes a list that one answer may carry.
fn admit<T>(limits: &Limits, list: &[T]) -> Result<(), CallError> {
    if list.len() > limits.records {
        let breach = Breach::Returned(list.len(), limits.records);
        return Err(CallError::Crashed(breach.reason()));
    }
    Ok(())
}

/// Ends a call that writes but is no run: like a run, it is kept as a whole or not at all.
async fn settle(
    left: RunState,
    connection: &Connection,
    ended: Result<(), CallError>,
) -> Result<(), CallError> {
    let ending = match ended.clone() {
        Ok(()) => Ending::Answered(Outcome::Done),
        Err(error) => Ending::Failed(error),
    };
    let report = finish(left, connection, ending).await;
    match report.why {
        Some(why) => ended.and(Err(CallError::Crashed(why))),
        None => ended,
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
enum Ending {
    /// The component came to an end of its own.
    Answered(Outcome),
    /// It was to stop, and came to no checkpoint.
    Cut(Cut),
    /// Its counterpart takes no more requests for long.
    Exhausted(Exhausted),
    /// It failed.
    Failed(CallError),
}

impl Ending {
    /// By what a run left and what it answered.
    fn of_run(left: &RunState, answer: wasmtime::Result<Result<sync::Outcome, Fault>>) -> Ending {
        if let Err(error) = &answer {
            if let Some(cut) = error.downcast_ref() {
                return Ending::Cut(*cut);
            }
            if let Some(exhausted) = error.downcast_ref::<Exhausted>() {
                return Ending::Exhausted(exhausted.clone());
            }
        }
        match looked(left, answer) {
            Ok(sync::Outcome::Done) => Ending::Answered(Outcome::Done),
            Ok(sync::Outcome::Suspended) => Ending::Answered(Outcome::Suspended),
            Err(error) => Ending::Failed(error),
        }
    }
}

/// Lets a comparison begin as a first run does, so that it goes over everything. Nothing of it is
/// committed.
async fn begin_comparison(work: &mut dyn UnitOfWork) -> Result<(), Fault> {
    work.compare().await?;
    loop {
        let kept = work.scan(String::new(), None, 1_000).await?;
        if kept.is_empty() {
            return Ok(());
        }
        let keys = kept.into_iter().map(|(key, _)| key).collect();
        work.delete(keys).await?;
    }
}

/// Commits what a run that ended well has left, or undoes it, and keeps the report.
async fn finish(mut state: RunState, connection: &Connection, ending: Ending) -> RunReport {
    // Requests that are still under way end with their handles.
    state.table = ResourceTable::new();
    let is_cut = matches!(ending, Ending::Cut(_));
    let mut committed = Ok(());
    if let Some(run) = state.run.as_mut() {
        if !matches!(ending, Ending::Answered(_)) {
            run.roll_back();
            committed = run.work.rollback().await.map_err(wasmtime::Error::from);
        }
        conclude(&mut run.report, connection, ending);
    }
    if committed.is_ok() {
        committed = if is_cut {
            keep_report(&mut state).await;
            Ok(())
        } else {
            state.commit().await
        };
    }
    if let Err(error) = committed {
        let crashed = Ending::Failed(crash(&state, &error));
        if let Some(run) = state.run.as_mut() {
            run.roll_back();
            conclude(&mut run.report, connection, crashed);
        }
    }
    state.count();
    let Some(Run { report, .. }) = state.run else {
        unreachable!("a run has its report until here");
    };
    for warning in &report.warnings {
        state.log.line(Level::Warn, warning.why.clone());
    }
    report
}

/// Keeps the report of a run that was cut. Whoever stopped it does not wait for others who write to
/// the platform meanwhile.
async fn keep_report(state: &mut RunState) {
    match tokio::time::timeout(REPORTING, state.commit()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("the report of a run that was stopped: {error:#}"),
        Err(_) => tracing::warn!("the report of a run that was stopped is not kept: others write"),
    }
}

/// How long keeping the report of a run that was cut may take.
const REPORTING: Duration = Duration::from_millis(500);

/// A call that changes nothing.
fn looking(name: &str) -> JobRequest {
    JobRequest {
        mode: Mode::Preview,
        ..JobRequest::asked(name)
    }
}

fn begin_report(connection: &Connection, request: &JobRequest) -> RunReport {
    let started_at = jiff::Timestamp::now();
    RunReport {
        mode: request.mode,
        fence: request.fence,
        ..RunReport::begun(
            format!(
                "{}-{:08x}",
                started_at.strftime("%Y%m%dT%H%M%S.%3f"),
                fastrand::u32(..)
            ),
            connection.id.clone(),
            connection.connector.title(),
            &request.job,
            started_at,
        )
    }
}

fn conclude(report: &mut RunReport, connection: &Connection, ending: Ending) {
    report.finished_at = Some(jiff::Timestamp::now());
    (report.outcome, report.why) = match ending {
        Ending::Answered(outcome) => (outcome, None),
        Ending::Cut(cut) => (Outcome::Suspended, Some(cut.reason())),
        Ending::Exhausted(exhausted) => {
            report.not_before = Some(exhausted.until);
            (Outcome::Transient, Some(exhausted.reason()))
        }
        Ending::Failed(error) => {
            let outcome = match &error {
                CallError::Crashed(_) | CallError::Overstepped(_) => Outcome::Crashed,
                CallError::Fault(Fault::Transient(_) | Fault::Conflict(_)) => Outcome::Transient,
                CallError::Fault(_) | CallError::Question(_) => Outcome::Configuration,
            };
            let why = error.reason();
            if let CallError::Question(question) = error {
                report.questions.push(*question);
            }
            (outcome, Some(why))
        }
    };
    if report.outcome == Outcome::Transient && report.not_before.is_none() {
        // It gave up because of an answer that asks for more patience than a run has.
        let silent = connection.egress.silent_until();
        report.not_before = silent.map(|(_, until)| until);
    }
    let texts = &connection.connector.catalogue;
    report.error = (report.why.as_ref()).map(|why| texts.text(why, LANGUAGES[0]));
}

/// What a trap means to people.
fn crash(state: &RunState, error: &wasmtime::Error) -> CallError {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return CallError::Fault(fault.clone());
    }
    if let Some(exhausted) = error.downcast_ref::<Exhausted>() {
        return CallError::Fault(Fault::Transient(exhausted.reason()));
    }
    if let Some(breach) = error.downcast_ref::<Breach>() {
        return CallError::Crashed(breach.reason());
    }
    let limits = &state.limits;
    let cause = error.root_cause().to_string();
    let last_words = state.stderr.last_words();
    CallError::Crashed(match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => {
            Reason::new("host.limit.compute").arg("seconds", limits.compute.as_secs_f64())
        }
        Some(Trap::StackOverflow) => {
            Reason::new("host.crash.stack").arg("mib", engine::STACK >> 20)
        }
        // The stack of what has an address lies in memory, with its end at the first one.
        Some(Trap::MemoryOutOfBounds) if is_recursion(error) => {
            Reason::new("host.crash.stack-in-memory")
        }
        Some(Trap::UnreachableCodeReached) => match last_words {
            Some(words) => Reason::new("host.crash.panicked").arg("words", words),
            None => Reason::new("host.crash.panicked-silently"),
        },
        Some(trap) => Reason::new("host.crash.trapped").arg("trap", trap),
        // The engine has no types for these.
        None if cause.contains("growing memory") => {
            Reason::new("host.limit.memory").arg("mib", limits.memory >> 20)
        }
        None if cause.contains("growing table") => {
            Reason::new("host.limit.table").arg("most", engine::TABLE_ELEMENTS)
        }
        None if cause.contains("fuel allocated for hostcalls") => {
            Reason::new("host.limit.call").arg("kib", limits.call >> 10)
        }
        None if cause.contains("handle limit") || cause.contains("no free keys") => {
            Reason::new("host.limit.handles").arg("most", limits.handles)
        }
        None => {
            let stopped = match last_words {
                Some(words) => Reason::new("host.crash.stopped-saying").arg("words", words),
                None => Reason::new("host.crash.stopped"),
            };
            stopped.arg("cause", one_line(&cause))
        }
    })
}

/// Whether one function is under way several times among the innermost calls.
fn is_recursion(error: &wasmtime::Error) -> bool {
    const OFTEN: usize = 4;
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return false;
    };
    let functions = || backtrace.frames().iter().map(FrameInfo::func_index);
    functions().any(|one| functions().filter(|other| *other == one).count() >= OFTEN)
}
