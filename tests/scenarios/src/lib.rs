//! What the scenarios share: a shop with its ERP in a folder of its own, and a host that runs the
//! built components for it against the simulators, over real HTTP.

pub mod server;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tenon_erp::EmbeddedErp;
use tenon_host::ids::TenantId;
use tenon_host::observe::{LogLine, Observer, Progress, Written};
use tenon_host::platform::Binding;
use tenon_host::report::{Question, RunReport};
use tenon_host::{
    CallError, Compiler, CompilerProcess, ConnectError, Connection, ConnectionSpec, Connector,
    EgressSettings, FoundAccount, Host, HostOptions, JobRequest, Limits, Mode, Place, RetryPolicy,
    Secret, Webhook,
};

/// Where the build puts its results.
pub fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => workspace.join(folder),
        None => workspace.join("target"),
    }
}

/// A built connector.
///
/// # Panics
/// When it has not been built.
pub fn component(name: &str) -> Vec<u8> {
    built(&format!("connectors/{name}.wasm"))
}

/// A built example of a connector.
///
/// # Panics
/// When it has not been built.
pub fn example(name: &str) -> Vec<u8> {
    built(&format!("examples/{name}.wasm"))
}

/// A built component that breaks, or tries to break, what the sandbox promises.
///
/// # Panics
/// When it has not been built.
pub fn hostile_component(name: &str) -> Vec<u8> {
    built(&format!("conformance/{name}.wasm"))
}

/// A built version of the connector without a counterpart that operating is tried on.
///
/// # Panics
/// When it has not been built.
pub fn ledger(version: &str) -> Vec<u8> {
    built(&format!("scenarios/ledger_{version}.wasm"))
}

/// The built connector that asks its counterpart for what it is told to.
///
/// # Panics
/// When it has not been built.
pub fn caller() -> Vec<u8> {
    built("scenarios/caller.wasm")
}

fn built(file: &str) -> Vec<u8> {
    let file = target().join("components").join(file);
    std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask build`", file.display()))
}

/// The compiler of the built `tenon`.
pub fn compiler() -> Compiler {
    Compiler::Child(CompilerProcess {
        arguments: vec!["compile-component".into()],
        ..CompilerProcess::new(target().join("release/tenon"))
    })
}

/// A tenant with the embedded ERP, and a host that runs one connector for it.
pub struct Shop {
    runtime: tokio::runtime::Runtime,
    folder: TempDir,
    tenant: TenantId,
    erp: EmbeddedErp,
    host: Host,
    connector: Arc<Connector>,
    connection: String,
    key: String,
    base_url: String,
    confirmed: HashSet<String>,
    limits: Limits,
    place: Place,
}

/// A finished run.
#[derive(Debug)]
pub struct Run {
    /// How it went.
    pub report: RunReport,
    /// What it logged.
    pub log: Vec<LogLine>,
    /// What it wrote, or would have written.
    pub written: Vec<Written>,
}

impl Run {
    /// Created, updated, unchanged and failed records.
    pub fn counts(&self) -> (u64, u64, u64, u64) {
        let report = &self.report;
        (
            report.created,
            report.updated,
            report.unchanged,
            report.failed,
        )
    }

    /// Whether a line of the log holds all of these words.
    pub fn logged(&self, words: &[&str]) -> bool {
        (self.log.iter()).any(|line| words.iter().all(|word| line.message.contains(word)))
    }
}

impl Shop {
    /// A shop without records, for a connector whose counterpart is at `base_url`.
    pub fn new(connector: &str, base_url: &str, key: &str) -> Shop {
        Shop::with(&component(connector), base_url, key)
    }

    /// A shop without records, for the connector that this component is.
    ///
    /// # Panics
    /// When it does not install.
    pub fn with(component: &[u8], base_url: &str, key: &str) -> Shop {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let erp = EmbeddedErp::open(folder.path()).expect("an ERP");
        // Compiled code is shared by all shops, as it would be in one host.
        let cache = target().join("compiled");
        let options = HostOptions::new(cache, compiler());
        let host = Host::new(Arc::new(erp.clone()), options).expect("a host");
        let connector = runtime.block_on(host.install(component));
        let connector = connector.expect("a component that installs");
        Shop {
            runtime,
            folder,
            tenant: "shop".parse().expect("a name"),
            erp,
            host,
            connector,
            connection: "test".to_owned(),
            key: key.to_owned(),
            base_url: base_url.to_owned(),
            confirmed: HashSet::new(),
            place: Place::default(),
            limits: Limits::default(),
        }
    }

    /// From here on, another connection: its name, where its counterpart is, and its key.
    pub fn switch_to(&mut self, connection: &str, base_url: &str, key: &str) {
        connection.clone_into(&mut self.connection);
        base_url.clone_into(&mut self.base_url);
        key.clone_into(&mut self.key);
    }

    /// From here on, another key of the same connection.
    pub fn sign(&mut self, key: &str) {
        key.clone_into(&mut self.key);
    }

    /// Agrees to what a run asked.
    pub fn confirm(&mut self, questions: &[Question]) {
        let ids = questions.iter().map(|question| question.id.clone());
        self.confirmed.extend(ids);
    }

    /// Removes the connection with all that it keeps.
    pub fn remove_connection(&self) {
        let connection = self.connection.parse().expect("a name");
        let forgotten = self.host.forget(&self.tenant, Some(&connection));
        self.runtime.block_on(forgotten).expect("a platform");
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Puts records into the ERP.
    pub fn load(&self, kind: &str, records: Value) {
        let kind = kind.parse().expect("a kind of record");
        self.runtime
            .block_on(self.erp.load(&self.tenant, kind, records))
            .expect("records that load");
    }

    /// Removes a record from the ERP, as people do.
    pub fn remove(&self, kind: &str, key: &str) {
        let kind = kind.parse().expect("a kind of record");
        self.runtime
            .block_on(self.erp.remove(&self.tenant, kind, key))
            .expect("a record that can be removed");
    }

    /// Pairs a record of the counterpart with another one of the ERP, as an admin does by hand.
    pub fn pair(&self, kind: &str, key: &str, origin: &str) {
        let connection = self.connection.parse().expect("a name");
        let pair = Binding {
            kind: kind.to_owned(),
            key: key.to_owned(),
            origin: origin.to_owned(),
            fingerprint: None,
        };
        let paired = self.host.rebind(&self.tenant, &connection, pair);
        self.runtime.block_on(paired).expect("a platform");
    }

    /// Removes the pair of a record of the counterpart, as an admin does by hand.
    pub fn unpair(&self, kind: &str, origin: &str) {
        let connection = self.connection.parse().expect("a name");
        let (kind, origin) = (kind.to_owned(), origin.to_owned());
        let unpaired = self
            .host
            .unbind_origin(&self.tenant, &connection, kind, origin);
        self.runtime.block_on(unpaired).expect("a platform");
    }

    /// From here on, the tenant is there: time zone, language and home currency.
    pub fn placed(mut self, time_zone: &str, language: &str, currency: &str) -> Shop {
        self.place = Place {
            time_zone: time_zone.to_owned(),
            language: language.to_owned(),
            currency: currency.to_owned(),
        };
        self
    }

    /// All records of a kind, in the order they were made.
    pub fn records(&self, kind: &str) -> Vec<Value> {
        all_records(&self.erp, &self.tenant, kind)
    }

    /// The only record of a kind whose field has this value.
    ///
    /// # Panics
    /// When there is none or several.
    pub fn record(&self, kind: &str, field: &str, value: &str) -> Value {
        let mut found = self.records(kind);
        found.retain(|record| record[field] == value);
        assert_eq!(1, found.len(), "{kind} with {field} {value}: {found:#?}");
        found.remove(0)
    }

    /// The order of this number.
    pub fn order(&self, number: i64) -> Value {
        self.record("orders", "number", &number.to_string())
    }

    /// The name of a directory entry by its key.
    pub fn name(&self, directory: &str, key: &Value) -> String {
        let key = key.as_str().expect("a key");
        let entry = self.record(directory, "key", key);
        entry["name"].as_str().expect("a name").to_owned()
    }

    /// A connection with these settings; `base_url` is added.
    pub fn connect(&self, mut settings: Value) -> Result<Connection, ConnectError> {
        settings["base_url"] = self.base_url.clone().into();
        let origin = url::Url::parse(&self.base_url).expect("a URL").origin();
        let spec = ConnectionSpec {
            tenant: self.tenant.clone(),
            id: self.connection.parse().expect("a name"),
            settings,
            credentials: [("api_key".to_owned(), Secret::new(self.key.clone()))].into(),
            place: self.place.clone(),
            egress: EgressSettings {
                grants: vec![origin],
                no_budget: true,
                retry: RetryPolicy {
                    first_wait: Duration::from_millis(2),
                    ..RetryPolicy::default()
                },
                ..EgressSettings::default()
            },
            limits: self.limits.clone(),
        };
        self.host.connect(Arc::clone(&self.connector), spec)
    }

    /// The same shop with other limits for its runs.
    pub fn limited(mut self, limits: Limits) -> Shop {
        self.limits = limits;
        self
    }

    /// Runs a job to its end.
    pub fn run(&self, job: &str, settings: Value) -> Run {
        self.run_until(job, settings, u64::MAX)
    }

    /// Runs a job and asks it to stop at its `checkpoints`-th checkpoint.
    pub fn run_until(&self, job: &str, settings: Value, checkpoints: u64) -> Run {
        self.perform(job, settings, Mode::Live, checkpoints)
    }

    /// Runs a job so that neither side changes.
    pub fn preview(&self, job: &str, settings: Value) -> Run {
        self.perform(job, settings, Mode::Preview, u64::MAX)
    }

    /// Runs a job over everything, so that neither side changes.
    pub fn compare(&self, job: &str, settings: Value) -> Run {
        self.perform(job, settings, Mode::Compare, u64::MAX)
    }

    fn perform(&self, job: &str, settings: Value, mode: Mode, checkpoints: u64) -> Run {
        let connection = self.connect(settings).expect("settings that fit");
        let observer = Arc::new(Recorder {
            checkpoints,
            ..Recorder::default()
        });
        let request = JobRequest {
            mode,
            confirmed: self.confirmed.clone(),
            ..JobRequest::asked(job)
        };
        let running = self.host.run(&connection, &request, observer.clone());
        let report = self.runtime.block_on(running);
        let log = std::mem::take(&mut *observer.log.lock().expect("no panic"));
        assert!(report.warnings.is_empty(), "{:#?}", report.warnings);
        let written = std::mem::take(&mut *observer.written.lock().expect("no panic"));
        Run {
            report,
            log,
            written,
        }
    }

    /// Tries the credentials.
    pub fn check(&self, settings: Value) -> Result<FoundAccount, CallError> {
        let connection = self.connect(settings).expect("settings that fit");
        self.runtime.block_on(self.host.check(&connection))
    }

    /// Values that a setting can have, with their labels.
    pub fn choices(&self, option: &str) -> Result<Vec<(String, String)>, CallError> {
        self.choices_with(option, serde_json::json!({ "last_days": 1 }))
    }

    /// Values that a setting can have, where these are the others.
    pub fn choices_with(
        &self,
        option: &str,
        settings: Value,
    ) -> Result<Vec<(String, String)>, CallError> {
        let connection = self.connect(settings).expect("settings that fit");
        self.runtime
            .block_on(self.host.choices(&connection, option))
    }

    /// Switches the connection on.
    pub fn enable(&self, callback: &str, settings: Value) {
        let connection = self.connect(settings).expect("settings that fit");
        let confirmed = HashSet::new();
        let enabled = self.host.enable(&connection, callback, &confirmed);
        self.runtime.block_on(enabled).expect("a counterpart");
    }

    /// Switches the connection off.
    pub fn disable(&self, settings: Value) {
        let connection = self.connect(settings).expect("settings that fit");
        let disabled = self.host.disable(&connection);
        self.runtime.block_on(disabled).expect("a counterpart");
    }

    /// Hands a webhook to the connector, and runs what it asks for.
    pub fn receive(&self, topic: &str, body: &str, settings: Value) -> Vec<Run> {
        let connection = self.connect(settings.clone()).expect("settings that fit");
        let webhook = Webhook {
            topic: topic.to_owned(),
            headers: Vec::new(),
            query: String::new(),
            body: body.as_bytes().to_vec(),
        };
        let asked = self.host.receive(&connection, webhook);
        let asked = self.runtime.block_on(asked).expect("work").into_iter();
        asked
            .map(|one| self.run(&one.job, settings.clone()))
            .collect()
    }
}

/// What an exchange of orders writes, by kind, without what depends on the clock: two exchanges
/// that end in the same state have it equal. `records` reads all records of a kind. The identity of an
/// account that tells none is made up for each tenant, so it is left out, too.
pub fn written(records: impl Fn(&str) -> Vec<Value>) -> Vec<(&'static str, Vec<Value>)> {
    written_by("keycrm", records)
}

/// What an exchange of orders by this connector writes, in the same way.
pub fn written_by(
    system: &str,
    records: impl Fn(&str) -> Vec<Value>,
) -> Vec<(&'static str, Vec<Value>)> {
    const KINDS: [&str; 7] = [
        "orders",
        "products",
        "partners",
        "bindings",
        "order-stages",
        "order-sources",
        "delivery-services",
    ];
    let without_clock = |kind| {
        let mut records = without_account(system, &records(kind));
        for fields in records.iter_mut().filter_map(Value::as_object_mut) {
            fields.remove("changed_at");
        }
        (kind, records)
    };
    KINDS.map(without_clock).into()
}

/// Records with the same word for the account in all origins of a system.
fn without_account(system: &str, records: &[Value]) -> Vec<Value> {
    let system = format!("\"{system}:");
    let json = serde_json::to_string(records).expect("JSON");
    let mut parts = json.split(system.as_str());
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once(':').expect("an account");
        plain += &system;
        plain += "ACCOUNT:";
        plain += rest;
    }
    serde_json::from_str(&plain).expect("JSON")
}

/// All records of a kind, in the order they were made.
pub fn all_records(erp: &EmbeddedErp, tenant: &TenantId, kind: &str) -> Vec<Value> {
    let kind = kind.parse().expect("a kind of record");
    let records = erp.records(tenant, kind).expect("a tenant");
    records.map(|record| record.expect("a record")).collect()
}

/// Keeps what a run tells, and stops it after some checkpoints.
#[derive(Default)]
struct Recorder {
    log: Mutex<Vec<LogLine>>,
    written: Mutex<Vec<Written>>,
    passed: std::sync::atomic::AtomicU64,
    checkpoints: u64,
}

impl Observer for Recorder {
    fn log(&self, line: LogLine) {
        self.log.lock().expect("no panic").push(line);
    }

    fn wrote(&self, written: &Written) {
        let mut all = self.written.lock().expect("no panic");
        all.push(written.clone());
    }

    fn progress(&self, _: Progress) {
        self.passed
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    fn wants_stop(&self) -> bool {
        self.passed.load(std::sync::atomic::Ordering::Relaxed) >= self.checkpoints
    }
}
