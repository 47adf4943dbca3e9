//! What the conformance tests share: a host with an embedded ERP in a folder of its own, hostile
//! guests in it, and a neighbour who must not notice.
//!
//! A test sets a guest up, runs it and looks at what came of it:
//!
//! ```no_run
//! # use tenon_conformance::Sandbox;
//! # use tenon_host::report::Outcome;
//! # use serde_json::json;
//! let sandbox = Sandbox::new();
//! let run = sandbox.guest("spin_for_ever").limits(json!({ "compute_ms": 100 })).run();
//! assert_eq!(Outcome::Crashed, run.report.outcome);
//! ```
//!
//! What every test wants is not said in each: after each call into a guest another tenant's job
//! runs well on the same host, whatever error there is is one clear line, and no call goes on for
//! ever.

mod bystander;
mod counterpart;
pub mod memory;
mod names;
pub mod proposals;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_erp::EmbeddedErp;
use tenon_host::observe::{Exchange, LogLine, Observer, Progress, Stop, Written};
use tenon_host::report::{Outcome, RejectedRecord, RunReport};
use tenon_host::{
    CallError, ConnectError, Connection, ConnectionSpec, Connector, EgressSettings, FoundAccount,
    Host, HostOptions, InstallError, JobRequest, Limits, Mode, NetworkOptions, Place, RetryPolicy,
    Secret, WantedJob, Webhook,
};
use tenon_scenarios::{compiler, hostile_component, target};

pub use bystander::Bystander;
pub use counterpart::{Counterpart, Seen, TOKEN};
pub use names::NameServer;

/// What the credential of a guest is unless a test gives another.
pub const SECRET: &str = "conformance-s3cret-0a1b2c3d";

/// Longer than any call in these tests may take on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longest error that a person reads, in bytes.
const READABLE: usize = 5_000;

/// A host over an embedded ERP, with a neighbour in it.
pub struct Sandbox {
    runtime: tokio::runtime::Runtime,
    folder: TempDir,
    erp: EmbeddedErp,
    host: Host,
    neighbour: Arc<Connector>,
    counterpart: Counterpart,
}

impl Default for Sandbox {
    fn default() -> Sandbox {
        Sandbox::new()
    }
}

impl Sandbox {
    /// Runs that its host has room for.
    pub const PLACES: u32 = 8;

    /// A host with the defaults.
    pub fn new() -> Sandbox {
        Sandbox::in_network(NetworkOptions::default())
    }

    /// A host in a network of the test's own.
    ///
    /// # Panics
    /// When the host cannot be set up, or is no good.
    pub fn in_network(network: NetworkOptions) -> Sandbox {
        // One thread for all runs: whoever does not give it back is noticed.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let erp = EmbeddedErp::open(folder.path()).expect("an ERP");
        // Compiled code is shared by all tests, as it would be in one host.
        let options = HostOptions {
            runs: Sandbox::PLACES,
            network,
            ..HostOptions::new(target().join("compiled"), compiler())
        };
        let host = Host::new(Arc::new(erp.clone()), options).expect("a host");
        let neighbour = runtime.block_on(host.install(&hostile_component("a_well_behaved")));
        Sandbox {
            neighbour: neighbour.expect("a component that installs"),
            counterpart: Counterpart::start(),
            runtime,
            folder,
            erp,
            host,
        }
    }

    /// Installs a guest, if it can be.
    ///
    /// # Errors
    /// Why it cannot; always in one line.
    pub fn install(&self, name: &str) -> Result<Arc<Connector>, InstallError> {
        self.install_bytes(&hostile_component(name))
    }

    /// Installs a component, if it can be.
    ///
    /// # Errors
    /// Why it cannot; always in one line.
    pub fn install_bytes(&self, component: &[u8]) -> Result<Arc<Connector>, InstallError> {
        let installed = self.block_on(self.host.install(component));
        if let Err(error) = &installed {
            assert_readable(&error.to_string());
            self.neighbour_is_well();
        }
        installed
    }

    /// A guest that installs, in the tenant `shop`, with a counterpart that it may not reach.
    ///
    /// # Panics
    /// When it does not install.
    pub fn guest(&self, name: &str) -> Guest<'_> {
        let connector = self.install(name).expect("a component that installs");
        self.connection_of(connector, "shop", "hostile")
    }

    fn connection_of(&self, connector: Arc<Connector>, tenant: &str, id: &str) -> Guest<'_> {
        Guest {
            sandbox: self,
            connector,
            tenant: tenant.to_owned(),
            id: id.to_owned(),
            settings: json!({ "url": "https://counterpart.invalid" }),
            key: SECRET.to_owned(),
            limits: Limits::default(),
            egress: EgressSettings {
                grants: Vec::new(),
                no_budget: true,
                retry: RetryPolicy {
                    attempts: 2,
                    first_wait: Duration::from_millis(1),
                    ..RetryPolicy::default()
                },
                ..EgressSettings::default()
            },
            argument: None,
            mode: Mode::Live,
            fence: None,
            place: Place::default(),
            confirmed: HashSet::new(),
            checkpoints: u64::MAX,
            enough: Arc::new(|_| false),
        }
    }

    /// Waits for what goes on in the host.
    ///
    /// # Panics
    /// When it goes on for ever.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        let patient = async { tokio::time::timeout(PATIENCE, work).await };
        (self.runtime.block_on(patient)).expect("the host ends every call at its deadline")
    }

    /// Lets another tenant's job run.
    ///
    /// # Panics
    /// When it does not go well.
    pub fn neighbour_is_well(&self) {
        self.block_on(self.neighbours_job()).assert_done();
    }

    /// The run of another tenant's job.
    pub async fn neighbours_job(&self) -> Run {
        let neighbour = Arc::clone(&self.neighbour);
        let job = self.connection_of(neighbour, "neighbour", "good");
        job.allowed(&self.counterpart.url("")).start().await
    }

    /// The ERP.
    pub fn erp(&self) -> &EmbeddedErp {
        &self.erp
    }

    /// All that is in the file of a tenant: the rows of each table as text.
    ///
    /// # Panics
    /// When the tenant has no file.
    pub fn contents(&self, tenant: &str) -> BTreeMap<String, Vec<String>> {
        let file = self.folder.path().join(format!("tenants/{tenant}.sqlite"));
        contents(&file).expect("the file of a tenant")
    }

    /// The tables of a tenant that have this text somewhere, reports of runs aside.
    pub fn tables_with(&self, tenant: &str, text: &str) -> Vec<String> {
        let mut tables = self.contents(tenant);
        tables.remove("runs");
        tables.retain(|_, rows| rows.iter().any(|row| row.contains(text)));
        tables.into_keys().collect()
    }
}

fn contents(file: &Path) -> rusqlite::Result<BTreeMap<String, Vec<String>>> {
    let db = rusqlite::Connection::open(file)?;
    let mut tables = BTreeMap::new();
    let mut names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let mut found = names.query([])?;
    while let Some(row) = found.next()? {
        let name: String = row.get(0)?;
        let mut select = db.prepare(&format!("SELECT * FROM \"{name}\""))?;
        let columns = select.column_count();
        let mut rows = select.query([])?;
        let mut texts = Vec::new();
        while let Some(row) = rows.next()? {
            let mut text = String::new();
            for column in 0..columns {
                use rusqlite::types::ValueRef;
                text += &match row.get_ref(column)? {
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                        String::from_utf8_lossy(bytes).into_owned()
                    }
                    other => format!("{other:?}"),
                };
                text.push('|');
            }
            texts.push(text);
        }
        tables.insert(name, texts);
    }
    Ok(tables)
}

/// A guest and how it is to be called.
#[derive(Clone)]
pub struct Guest<'a> {
    sandbox: &'a Sandbox,
    connector: Arc<Connector>,
    tenant: String,
    id: String,
    settings: Value,
    key: String,
    limits: Limits,
    egress: EgressSettings,
    argument: Option<String>,
    mode: Mode,
    fence: Option<u64>,
    place: Place,
    confirmed: HashSet<String>,
    checkpoints: u64,
    enough: Arc<Enough>,
}

/// Whether what was heard of a run is enough.
type Enough = dyn Fn(&Heard) -> bool + Send + Sync;

impl Guest<'_> {
    /// In another tenant.
    pub fn tenant(mut self, tenant: &str) -> Self {
        tenant.clone_into(&mut self.tenant);
        self
    }

    /// As another connection of its tenant.
    pub fn connection(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    /// With more settings.
    ///
    /// # Panics
    /// When they are not an object.
    pub fn settings(mut self, more: Value) -> Self {
        for (name, value) in more.as_object().expect("an object") {
            self.settings[name] = value.clone();
        }
        self
    }

    /// With a counterpart at this URL, which the defaults may refuse.
    pub fn at(self, url: &str) -> Self {
        self.settings(json!({ "url": url }))
    }

    /// With a counterpart at this URL, which an admin has opened.
    pub fn allowed(self, url: &str) -> Self {
        self.granted(url).at(url)
    }

    /// With the origin of this URL opened by an admin.
    ///
    /// # Panics
    /// When it is no URL.
    pub fn granted(mut self, url: &str) -> Self {
        let url = url::Url::parse(url).expect("a URL");
        self.egress.grants.push(url.origin());
        self
    }

    /// With another credential.
    pub fn key(mut self, key: &str) -> Self {
        key.clone_into(&mut self.key);
        self
    }

    /// With these limits, the others being the defaults.
    ///
    /// # Panics
    /// When there is no such limit.
    pub fn limits(mut self, limits: Value) -> Self {
        self.limits = serde_json::from_value(limits).expect("limits");
        self
    }

    /// With an argument for its job.
    pub fn argument(mut self, argument: &str) -> Self {
        self.argument = Some(argument.to_owned());
        self
    }

    /// Without a change on either side.
    pub fn preview(mut self) -> Self {
        self.mode = Mode::Preview;
        self
    }

    /// As a comparison of everything, without a change on either side.
    pub fn compare(mut self) -> Self {
        self.mode = Mode::Compare;
        self
    }

    /// Of a tenant with this time zone, language and home currency.
    pub fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// With what people agreed to.
    pub fn confirmed(mut self, question: &str) -> Self {
        self.confirmed.insert(question.to_owned());
        self
    }

    /// By a host that holds this token.
    pub fn fenced(mut self, token: u64) -> Self {
        self.fence = Some(token);
        self
    }

    /// Asked to stop at its checkpoint of this number.
    pub fn stopped_at(mut self, checkpoints: u64) -> Self {
        self.checkpoints = checkpoints;
        self
    }

    /// To be ended by a person once that is so of what was heard of it.
    pub fn ended_when(mut self, enough: impl Fn(&Heard) -> bool + Send + Sync + 'static) -> Self {
        self.enough = Arc::new(enough);
        self
    }

    /// Within the budget of its manifest, and with the silences that its counterpart asks for.
    pub fn budgeted(mut self) -> Self {
        self.egress.no_budget = false;
        self
    }

    /// Its connection, if it can have one.
    ///
    /// # Errors
    /// Why it cannot.
    ///
    /// # Panics
    /// When the name of the tenant or the connection is none.
    pub fn connect(&self) -> Result<Connection, ConnectError> {
        let spec = ConnectionSpec {
            place: self.place.clone(),
            tenant: self.tenant.parse().expect("a name"),
            id: self.id.parse().expect("a name"),
            settings: self.settings.clone(),
            credentials: [("api_key".to_owned(), Secret::new(self.key.clone()))].into(),
            egress: self.egress.clone(),
            limits: self.limits.clone(),
        };
        (self.sandbox.host).connect(Arc::clone(&self.connector), spec)
    }

    fn connected(&self) -> Connection {
        self.connect().expect("a connection")
    }

    /// Runs its job.
    pub fn run(&self) -> Run {
        let run = self.sandbox.block_on(self.start());
        if let Some(error) = &run.report.error {
            assert_readable(error);
        }
        self.sandbox.neighbour_is_well();
        run
    }

    /// Its job, to be run together with something else.
    pub async fn start(&self) -> Run {
        self.start_over(&self.connected()).await
    }

    /// Its job, over a connection that is there already.
    pub async fn start_over(&self, connection: &Connection) -> Run {
        let recorder = Arc::new(Recorder {
            checkpoints: self.checkpoints,
            enough: Arc::clone(&self.enough),
            heard: Mutex::default(),
            stopped_at: OnceLock::new(),
        });
        let request = JobRequest {
            argument: self.argument.clone(),
            mode: self.mode,
            fence: self.fence,
            confirmed: self.confirmed.clone(),
            ..JobRequest::asked("run")
        };
        let host = &self.sandbox.host;
        let report = host.run(connection, &request, recorder.clone()).await;
        let heard = std::mem::take(&mut *lock(&recorder.heard));
        Run {
            report,
            heard,
            went_on: recorder.stopped_at.get().map(Instant::elapsed),
        }
    }

    /// Tries its credentials.
    ///
    /// # Errors
    /// What came of it; always in one line.
    pub fn check(&self) -> Result<FoundAccount, CallError> {
        let connection = self.connected();
        let checked = self.sandbox.block_on(self.sandbox.host.check(&connection));
        self.after_a_question(checked)
    }

    /// Asks it for the values of a setting.
    ///
    /// # Errors
    /// What came of it; always in one line.
    pub fn choices(&self, option: &str) -> Result<Vec<(String, String)>, CallError> {
        let connection = self.connected();
        let choices = self.sandbox.host.choices(&connection, option);
        self.after_a_question(self.sandbox.block_on(choices))
    }

    /// Switches it on.
    ///
    /// # Errors
    /// What came of it; always in one line.
    pub fn enable(&self) -> Result<(), CallError> {
        let connection = self.connected();
        let callback = "https://shop.example/hooks/";
        let enabled = (self.sandbox.host).enable(&connection, callback, &self.confirmed);
        self.after_a_question(self.sandbox.block_on(enabled).map(drop))
    }

    /// Switches it off.
    ///
    /// # Errors
    /// What came of it; always in one line.
    pub fn disable(&self) -> Result<(), CallError> {
        let connection = self.connected();
        let disabled = self.sandbox.host.disable(&connection);
        self.after_a_question(self.sandbox.block_on(disabled))
    }

    /// Gives it a message of its counterpart.
    ///
    /// # Errors
    /// What came of it; always in one line.
    pub fn receive(&self, topic: &str) -> Result<Vec<WantedJob>, CallError> {
        self.receive_signed(topic, &[], b"")
    }

    /// The same with headers and a body.
    ///
    /// # Errors
    /// What came of it; always in one line.
    pub fn receive_signed(
        &self,
        topic: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Vec<WantedJob>, CallError> {
        let connection = self.connected();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let webhook = Webhook {
            topic: topic.to_owned(),
            headers: headers.iter().map(owned).collect(),
            query: String::new(),
            body: body.to_vec(),
        };
        let received = self.sandbox.host.receive(&connection, webhook);
        self.after_a_question(self.sandbox.block_on(received))
    }

    /// Has it take over from a version whose state was of `from_version`.
    ///
    /// # Errors
    /// What came of it; always in one line.
    pub fn migrate(&self, from_version: u32) -> Result<(), CallError> {
        let connection = self.connected();
        let migrated = self.sandbox.host.migrate(&connection, from_version);
        self.after_a_question(self.sandbox.block_on(migrated))
    }

    /// Takes its connection back to before its last migration, which was from `version`.
    ///
    /// # Panics
    /// When the platform fails.
    pub fn restore(&self, version: u32) -> bool {
        let (tenant, id) = (
            self.tenant.parse().expect("a name"),
            self.id.parse().expect("a name"),
        );
        let restored = self.sandbox.host.restore(&tenant, &id, version);
        (self.sandbox.block_on(restored)).expect("a platform that goes back")
    }

    fn after_a_question<T>(&self, answer: Result<T, CallError>) -> Result<T, CallError> {
        if let Err(error) = &answer {
            assert_readable(&error.to_string());
        }
        self.sandbox.neighbour_is_well();
        answer
    }
}

/// A finished run.
#[derive(Debug)]
pub struct Run {
    /// How it went.
    pub report: RunReport,
    /// What was told about it.
    pub heard: Heard,
    /// How long it went on after it was to end at once; none when it was not.
    pub went_on: Option<Duration>,
}

/// All that a run told its observer.
#[derive(Debug, Default)]
pub struct Heard {
    /// Lines of its log.
    pub log: Vec<LogLine>,
    /// Its rejected records.
    pub rejected: Vec<RejectedRecord>,
    /// What it wrote at its counterpart.
    pub written: Vec<Written>,
    /// Its requests.
    pub exchanges: Vec<Exchange>,
    /// Checkpoints that it passed.
    pub passed: u64,
}

impl Run {
    /// Passes a run that the host ended because of what the guest did, for a reason with these
    /// words.
    ///
    /// # Panics
    /// When it ended otherwise.
    pub fn assert_crashed(&self, words: &[&str]) {
        assert_eq!(Outcome::Crashed, self.report.outcome, "{self:?}");
        let error = self.report.error.as_deref().unwrap_or_default();
        let told = words.iter().all(|word| error.contains(word));
        assert!(told, "{words:?} in: {error}");
    }

    /// Passes a run that came to its end.
    ///
    /// # Panics
    /// When it did not.
    pub fn assert_done(&self) {
        assert_eq!(Outcome::Done, self.report.outcome, "{self:?}");
    }

    /// Passes a run that ended soon after it was to, for a reason with these words.
    ///
    /// # Panics
    /// When it ended otherwise, or went on for too long.
    pub fn assert_ended(&self, words: &str) {
        assert_eq!(Outcome::Suspended, self.report.outcome, "{self:?}");
        let error = self.report.error.as_deref().unwrap_or_default();
        assert!(error.contains(words), "{words} in: {error}");
        let went_on = self.went_on.expect("a run that was to end");
        assert!(went_on < Duration::from_secs(2), "{went_on:?}");
    }

    /// Whether a line of the log holds all of these words.
    pub fn logged(&self, words: &[&str]) -> bool {
        self.lines_with(words) > 0
    }

    /// How many lines of the log hold all of these words.
    pub fn lines_with(&self, words: &[&str]) -> usize {
        let all = |line: &&LogLine| words.iter().all(|word| line.message.contains(word));
        self.heard.log.iter().filter(all).count()
    }
}

/// What people are shown is one line, neither empty nor longer than they read, and does nothing to
/// their terminal.
fn assert_readable(text: &str) {
    assert!(!text.is_empty() && text.len() <= READABLE, "{text:.300}");
    assert!(!text.contains(char::is_control), "{text:?}");
}

/// Keeps what a run tells, and stops it after some checkpoints, or when it has heard enough.
struct Recorder {
    heard: Mutex<Heard>,
    checkpoints: u64,
    enough: Arc<Enough>,
    stopped_at: OnceLock<Instant>,
}

fn lock(heard: &Mutex<Heard>) -> std::sync::MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Observer for Recorder {
    fn log(&self, line: LogLine) {
        lock(&self.heard).log.push(line);
    }

    fn progress(&self, _: Progress) {
        lock(&self.heard).passed += 1;
    }

    fn rejected(&self, record: &RejectedRecord) {
        lock(&self.heard).rejected.push(record.clone());
    }

    fn wrote(&self, written: &Written) {
        lock(&self.heard).written.push(written.clone());
    }

    fn requested(&self, exchange: &Exchange) {
        lock(&self.heard).exchanges.push(exchange.clone());
    }

    fn wants_stop(&self) -> bool {
        lock(&self.heard).passed >= self.checkpoints
    }

    async fn stopped(&self) -> Stop {
        while !(self.enough)(&lock(&self.heard)) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.stopped_at.get_or_init(Instant::now);
        Stop::Person
    }
}
