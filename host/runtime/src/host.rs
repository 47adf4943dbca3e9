//! The host: installs connectors, opens connections, runs jobs.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use wasmtime::component::Linker;
use wasmtime::{Engine, Store, Trap, UpdateDeadline};

use crate::capability::{self, Run, RunState};
use crate::compiler::Compiler;
use crate::connector::{self, Connector, InstallError};
use crate::contract::Connector as Guest;
use crate::contract::exports::tenon::connector::sync;
use crate::egress::{Budgets, Egress, EgressError, EgressSettings};
use crate::engine;
use crate::ids::{ConnectionId, TenantId};
use crate::limits::{BadLimit, Limits};
use crate::manifest::{Manifest, SettingsError, check_settings};
use crate::model::Fault;
use crate::observe::{NoObserver, Observer};
use crate::options::HostOptions;
use crate::platform::Platform;
use crate::report::{Outcome, RunReport};
use crate::secret::Secret;

/// Runs connectors for the tenants of a platform.
pub struct Host {
    engine: Engine,
    linker: Linker<RunState>,
    cache: PathBuf,
    compiler: Compiler,
    component_size: usize,
    platform: Arc<dyn Platform>,
    budgets: Budgets,
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
    /// How its requests are sent.
    pub egress: EgressSettings,
    /// What its runs may use.
    pub limits: Limits,
}

/// The system does not give the engine what it needs, such as address space or a thread.
#[derive(Debug, thiserror::Error)]
#[error("the WebAssembly engine cannot be started: {0:#}")]
pub struct StartError(wasmtime::Error);

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
    limits: Limits,
}

impl Connection {
    /// The version that it runs.
    pub fn connector(&self) -> &Connector {
        &self.connector
    }
}

/// What is to be run.
#[derive(Clone, Debug)]
pub struct JobRequest {
    /// Name of a job of the manifest.
    pub job: String,
    /// Argument of the job.
    pub argument: Option<String>,
    /// Change neither side.
    pub preview: bool,
}

/// Why a call into a connector that is not a run failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The connector said why.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The component trapped or broke a limit.
    #[error("{0}")]
    Crashed(String),
}

impl Host {
    /// A host over a platform.
    pub fn new(platform: Arc<dyn Platform>, options: HostOptions) -> Result<Host, StartError> {
        let engine = engine::new(options.runs).map_err(StartError)?;
        let mut linker = Linker::new(&engine);
        capability::link(&mut linker).map_err(StartError)?;
        Ok(Host {
            engine,
            linker,
            cache: options.cache,
            compiler: options.compiler,
            component_size: options.component_size,
            platform,
            budgets: Budgets::default(),
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
        let checked = connector::check(
            &self.engine,
            &self.linker,
            &self.compiler,
            &self.cache,
            wasm,
        )
        .await?;
        let state = RunState::new(
            &Limits::to_describe(),
            None,
            None,
            Arc::from("{}"),
            Arc::new(NoObserver),
        );
        let mut store = self.store(state);
        let described = async {
            let guest = checked.pre.instantiate_async(&mut store).await?;
            guest.tenon_connector_sync().call_describe(&mut store).await
        };
        let manifest = Manifest::try_from(described.await.map_err(InstallError::unusable)?)?;
        Ok(Arc::new(Connector {
            pre: checked.pre,
            digest: checked.digest,
            manifest,
            imports: checked.imports,
        }))
    }

    /// Opens a connection: checks its settings and credentials without calling the component.
    pub fn connect(
        &self,
        connector: Arc<Connector>,
        spec: ConnectionSpec,
    ) -> Result<Connection, ConnectError> {
        spec.limits.check()?;
        let manifest = &connector.manifest;
        let errors = check_settings(manifest, &spec.settings);
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
            &self.budgets,
        )?;
        Ok(Connection {
            settings: Arc::from(spec.settings.to_string()),
            egress: Arc::new(egress),
            tenant: spec.tenant,
            id: spec.id,
            limits: spec.limits,
            connector,
        })
    }

    /// Tries the credentials; answers with the name of the account at the counterpart.
    pub async fn check(&self, connection: &Connection) -> Result<String, CallError> {
        let (mut store, guest) = self
            .open(connection, "check", true, Arc::new(NoObserver))
            .await?;
        let answer = guest.tenon_connector_sync().call_check(&mut store).await;
        Ok(answer.map_err(|error| crash(&connection.limits, &error))??)
    }

    /// Values for a setting that only the counterpart knows, with their labels.
    pub async fn choices(
        &self,
        connection: &Connection,
        option: &str,
    ) -> Result<Vec<(String, String)>, CallError> {
        let (mut store, guest) = self
            .open(connection, "choices", true, Arc::new(NoObserver))
            .await?;
        let sync = guest.tenon_connector_sync();
        let answer = sync.call_choices(&mut store, option).await;
        let choices = answer.map_err(|error| crash(&connection.limits, &error))??;
        Ok(choices
            .into_iter()
            .map(|choice| (choice.value, choice.label))
            .collect())
    }

    /// Runs a job until it is done, cut or failed. What its last checkpoint committed stays
    /// whatever happens after it; returning without a fault is a checkpoint, too.
    pub async fn run(
        &self,
        connection: &Connection,
        request: &JobRequest,
        observer: Arc<dyn Observer>,
    ) -> RunReport {
        let opened = self
            .open(connection, &request.job, request.preview, observer)
            .await;
        let (mut store, guest) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let mut report = begin_report(connection, &request.job, request.preview);
                conclude(&mut report, Err(error));
                return report;
            }
        };
        let called = guest
            .tenon_connector_sync()
            .call_run(
                &mut store,
                &request.job,
                request.argument.as_deref(),
                &sync::Cause::Asked,
            )
            .await;
        let ended = match called {
            Ok(Ok(sync::Outcome::Done)) => Ok(Outcome::Done),
            Ok(Ok(sync::Outcome::Suspended)) => Ok(Outcome::Suspended),
            Ok(Err(fault)) => Err(CallError::Fault(fault)),
            Err(error) => Err(crash(&connection.limits, &error)),
        };
        finish(store.into_data(), connection, ended).await
    }

    async fn open(
        &self,
        connection: &Connection,
        job: &str,
        preview: bool,
        observer: Arc<dyn Observer>,
    ) -> Result<(Store<RunState>, Guest), CallError> {
        let work = (self.platform)
            .begin(&connection.tenant, &connection.id)
            .await?;
        let report = begin_report(connection, job, preview);
        let state = RunState::new(
            &connection.limits,
            Some(Arc::clone(&connection.egress)),
            Some(Run { work, report }),
            Arc::clone(&connection.settings),
            observer,
        );
        let mut store = self.store(state);
        let guest = (connection.connector.pre.instantiate_async(&mut store).await)
            .map_err(|error| crash(&connection.limits, &error))?;
        Ok((store, guest))
    }

    fn store(&self, state: RunState) -> Store<RunState> {
        let most = state.limits.compute.as_millis() / engine::TICK.as_millis();
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.memory);
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

/// Commits what a run that ended well has left, or undoes it, and keeps the report.
async fn finish(
    mut state: RunState,
    connection: &Connection,
    ended: Result<Outcome, CallError>,
) -> RunReport {
    let mut committed = Ok(());
    if let Some(run) = state.run.as_mut() {
        if ended.is_err() {
            committed = run.work.rollback().await.map_err(wasmtime::Error::from);
        }
        conclude(&mut run.report, ended);
    }
    if committed.is_ok() {
        committed = state.commit().await;
    }
    let Some(Run { mut report, .. }) = state.run else {
        unreachable!("a run has its report until here");
    };
    if let Err(error) = committed {
        conclude(&mut report, Err(crash(&connection.limits, &error)));
    }
    report
}

fn begin_report(connection: &Connection, job: &str, preview: bool) -> RunReport {
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
        preview,
        started_at,
        finished_at: None,
        outcome: Outcome::Running,
        created: 0,
        updated: 0,
        unchanged: 0,
        failed: 0,
        requests: 0,
        error: None,
        records: Vec::new(),
    }
}

fn conclude(report: &mut RunReport, ended: Result<Outcome, CallError>) {
    report.finished_at = Some(jiff::Timestamp::now());
    match ended {
        Ok(outcome) => report.outcome = outcome,
        Err(error) => {
            report.outcome = match &error {
                CallError::Crashed(_) => Outcome::Crashed,
                CallError::Fault(Fault::Transient(_) | Fault::Conflict(_)) => Outcome::Transient,
                CallError::Fault(_) => Outcome::Configuration,
            };
            report.error = Some(error.to_string());
        }
    }
}

/// What a trap means to people.
fn crash(limits: &Limits, error: &wasmtime::Error) -> CallError {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return CallError::Fault(fault.clone());
    }
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
        None if error.root_cause().to_string().contains("growing memory") => {
            let mib = limits.memory >> 20;
            format!("the component wanted more than its {mib} MiB of memory")
        }
        None => format!("the component was stopped: {}", error.root_cause()),
    })
}
