//! A shop with its ERP, a host that runs the connector for it, and the MoySklad it talks to.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_erp::EmbeddedErp;
use tenon_host::ids::TenantId;
use tenon_host::observe::{LogLine, Observer, Progress, Written};
use tenon_host::report::{Outcome, RejectedRecord, RunReport, Subject};
use tenon_host::{
    Cause, Connection, ConnectionSpec, Connector, EgressSettings, FoundAccount, Host, HostOptions,
    JobRequest, Limits, Mend, Mode, Reason, RetryPolicy, Secret, Webhook,
};
use tenon_scenarios::{all_records, compiler, component, target};
use tenon_simulators::moysklad::{self, Account, Config, Id, Kind, NewProduct, Record, Simulator};

/// Requests by which the host learns whose the credential is, before the first run with it.
pub const ACCOUNT: u64 = 2;

/// Everything of one scenario.
pub struct World {
    runtime: tokio::runtime::Runtime,
    pub folder: TempDir,
    tenant: TenantId,
    erp: EmbeddedErp,
    host: Host,
    connector: Arc<Connector>,
    pub sim: Simulator,
    credential: (String, String),
    budget: bool,
    limits: Limits,
    /// Where pictures may be fetched from.
    pub files: Vec<String>,
}

/// A finished run.
#[derive(Debug)]
pub struct Run {
    pub report: RunReport,
    pub log: Vec<LogLine>,
    pub written: Vec<Written>,
    /// Failed records of which it said that nothing is wrong with them any more, by kind.
    pub settled: Vec<(String, Subject)>,
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

    /// The run, which has to have come to its end without a rejected record.
    pub fn clean(self) -> Run {
        assert_eq!(Outcome::Done, self.report.outcome, "{self:#?}");
        assert_eq!(0, self.report.failed, "{:#?}", self.report.records);
        self
    }

    /// Whether a line of the log holds all of these words.
    pub fn logged(&self, words: &[&str]) -> bool {
        (self.log.iter()).any(|line| words.iter().all(|word| line.message.contains(word)))
    }

    /// A rejected record, by its key in the shop or its id in MoySklad.
    pub fn rejected(&self, id: &str) -> &RejectedRecord {
        let mut listed = self.report.records.iter();
        let record = listed.find(|record| match &record.subject {
            Subject::Origin(origin) => origin.rsplit(':').next() == Some(id),
            Subject::Key(key) => key == id,
        });
        record.unwrap_or_else(|| panic!("{id}: {:#?}", self.report.records))
    }

    /// The reason why a record was rejected.
    pub fn reason(&self, id: &str) -> &str {
        &self.rejected(id).reason
    }

    /// The setting that puts the run right.
    pub fn setting(&self) -> Option<&str> {
        setting(self.report.why.as_ref()?)
    }
}

/// The setting that a reason names.
pub fn setting(reason: &Reason) -> Option<&str> {
    match &reason.mend {
        Some(Mend::Setting(path)) => Some(path),
        _ => None,
    }
}

/// How a run is asked for.
#[derive(Clone)]
pub struct Ask {
    pub connection: &'static str,
    pub argument: Option<String>,
    pub cause: Cause,
    pub preview: bool,
    pub checkpoints: u64,
    /// Questions of earlier runs that people agree to.
    pub confirmed: Vec<String>,
}

impl Default for Ask {
    fn default() -> Self {
        Ask {
            connection: "moysklad",
            argument: None,
            cause: Cause::Scheduled,
            preview: false,
            checkpoints: u64::MAX,
            confirmed: Vec::new(),
        }
    }
}

/// A MoySklad with the vendor's limits in a window of a few hundredths of a second, so that nobody waits
/// long. All of them begin at the same moment.
pub fn config() -> Config {
    static BEGIN: OnceLock<jiff::Timestamp> = OnceLock::new();
    let usual = Config::default();
    Config {
        limits: moysklad::Limits {
            window: Duration::from_millis(40),
            failures: Some(200),
            ..moysklad::Limits::default()
        },
        now: *BEGIN.get_or_init(|| usual.now),
        ..usual
    }
}

impl World {
    /// A shop beside an account.
    pub fn of(account: Account) -> World {
        World::with(config(), Some(account))
    }

    /// A shop beside the account that a configuration describes.
    pub fn seeded(config: Config) -> World {
        World::with(config, None)
    }

    pub fn with(config: Config, account: Option<Account>) -> World {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let erp = EmbeddedErp::open(folder.path()).expect("an ERP");
        let options = HostOptions::new(target().join("compiled"), compiler());
        let host = Host::new(Arc::new(erp.clone()), options).expect("a host");
        let connector = runtime
            .block_on(host.install(&component("moysklad")))
            .expect("a component that installs");
        let credential = ("token".to_owned(), config.token.clone());
        let sim = match account {
            Some(mut account) => {
                account.set_now(config.now);
                moysklad::start_with(config, account)
            }
            None => moysklad::start(config),
        };
        let tenant: TenantId = "shop".parse().expect("a name");
        runtime
            .block_on(erp.set_country(&tenant, "RU"))
            .expect("a country");
        let sim = sim.expect("a simulator");
        World {
            runtime,
            folder,
            tenant,
            erp,
            host,
            connector,
            files: sim.storage_urls().into(),
            sim,
            credential,
            budget: false,
            limits: Limits::default(),
        }
    }

    /// The same with another credential.
    pub fn signed(mut self, name: &str, secret: &str) -> World {
        self.credential = (name.to_owned(), secret.to_owned());
        self
    }

    /// The same, kept to the request budget of the manifest.
    pub fn budgeted(mut self) -> World {
        self.budget = true;
        self
    }

    /// The same, with so many bytes of memory for the connector.
    pub fn in_memory(mut self, bytes: usize) -> World {
        self.limits.memory = bytes;
        self
    }

    /// The same, with room for larger answers.
    pub fn hearing(mut self, bytes: u64) -> World {
        self.limits.response = bytes.try_into().expect("a size");
        self
    }

    /// Settings that let everything work, with more.
    pub fn settings(&self, more: Value) -> Value {
        let organization = self.sim.account(|account| account.home.organization);
        let mut settings = json!({
            "organization": organization.to_string(),
            "active": true,
            "base_url": self.sim.url(),
        });
        for (name, value) in more.as_object().expect("an object") {
            settings[name] = value.clone();
        }
        settings
    }

    pub fn connect(&self, id: &str, settings: &Value) -> Connection {
        let origin = |url: &str| url::Url::parse(url).expect("a URL").origin();
        let (name, secret) = &self.credential;
        let spec = ConnectionSpec {
            tenant: self.tenant.clone(),
            id: id.parse().expect("a name"),
            settings: settings.clone(),
            credentials: HashMap::from([(name.clone(), Secret::new(secret.clone()))]),
            place: tenon_host::Place::default(),
            egress: EgressSettings {
                grants: std::iter::once(self.sim.url())
                    .chain(self.files.iter().map(String::as_str))
                    .map(origin)
                    .collect(),
                no_budget: !self.budget,
                retry: RetryPolicy {
                    first_wait: Duration::from_millis(2),
                    ..RetryPolicy::default()
                },
                ..EgressSettings::default()
            },
            limits: self.limits.clone(),
        };
        self.host
            .connect(Arc::clone(&self.connector), spec)
            .expect("settings that fit")
    }

    /// Runs a job with more settings than those that let everything work.
    pub fn run(&self, job: &str, more: Value) -> Run {
        self.ask(job, more, &Ask::default())
    }

    /// Runs a whole job because people asked for it.
    pub fn asked(&self, job: &str, more: Value) -> Run {
        let ask = Ask {
            cause: Cause::Asked,
            ..Ask::default()
        };
        self.ask(job, more, &ask)
    }

    /// Runs a job of several connections at the same time.
    pub fn run_together(&self, ids: &[&str], job: &str, more: Value) -> Vec<RunReport> {
        let settings = self.settings(more);
        let connections: Vec<_> = ids.iter().map(|id| self.connect(id, &settings)).collect();
        let request = JobRequest::asked(job);
        let runs = connections.iter().map(|connection| {
            let observer = Arc::new(Recorder {
                most: u64::MAX,
                ..Recorder::default()
            });
            self.host.run(connection, &request, observer)
        });
        self.runtime.block_on(futures_util::future::join_all(runs))
    }

    /// Runs a job in a certain way.
    pub fn ask(&self, job: &str, more: Value, ask: &Ask) -> Run {
        let connection = self.connect(ask.connection, &self.settings(more));
        let observer = Arc::new(Recorder {
            most: ask.checkpoints,
            ..Recorder::default()
        });
        let request = JobRequest {
            job: job.to_owned(),
            argument: ask.argument.clone(),
            cause: ask.cause.clone(),
            mode: if ask.preview {
                Mode::Preview
            } else {
                Mode::Live
            },
            confirmed: ask.confirmed.iter().cloned().collect(),
            fence: None,
        };
        let running = self.host.run(&connection, &request, observer.clone());
        let report = self.runtime.block_on(running);
        // It counts what the host sees.
        assert!(report.warnings.is_empty(), "{:#?}", report.warnings);
        let take = |list: &Mutex<Vec<LogLine>>| std::mem::take(&mut *list.lock().expect("a list"));
        Run {
            report,
            log: take(&observer.log),
            written: std::mem::take(&mut *observer.written.lock().expect("a list")),
            settled: std::mem::take(&mut *observer.settled.lock().expect("a list")),
        }
    }

    /// The account behind the credential.
    pub fn found(&self) -> FoundAccount {
        let connection = self.connect("moysklad", &self.settings(json!({})));
        let checked = self.runtime.block_on(self.host.check(&connection));
        checked.expect("a credential that is accepted")
    }

    pub fn check(&self) -> Result<String, String> {
        let connection = self.connect("moysklad", &self.settings(json!({})));
        let checked = self.runtime.block_on(self.host.check(&connection));
        checked
            .map(|account| account.name)
            .map_err(|error| error.to_string())
    }

    /// The labels of the values that a setting can have.
    pub fn choices(&self, option: &str) -> Vec<(String, String)> {
        let connection = self.connect("moysklad", &json!({ "base_url": self.sim.url() }));
        let choices = self.host.choices(&connection, option);
        self.runtime.block_on(choices).expect("choices")
    }

    pub fn enable(&self, callback: &str) -> Result<(), String> {
        let connection = self.connect("moysklad", &self.settings(json!({})));
        let confirmed = HashSet::new();
        let enabled = self.host.enable(&connection, callback, &confirmed);
        self.runtime
            .block_on(enabled)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    pub fn disable(&self) {
        let connection = self.connect("moysklad", &self.settings(json!({})));
        self.runtime
            .block_on(self.host.disable(&connection))
            .expect("a clean end");
    }

    /// Hands a webhook to the connector, and runs what it asks for.
    pub fn receive(&self, body: &str, more: Value) -> Vec<Run> {
        let connection = self.connect("moysklad", &self.settings(more.clone()));
        let webhook = Webhook {
            topic: "products".to_owned(),
            headers: Vec::new(),
            query: "requestId=1".to_owned(),
            body: body.as_bytes().to_vec(),
        };
        let wanted = self
            .runtime
            .block_on(self.host.receive(&connection, webhook));
        let wanted = wanted.expect("work").into_iter();
        wanted
            .map(|one| {
                let ask = Ask {
                    argument: one.argument,
                    cause: Cause::Webhook,
                    ..Ask::default()
                };
                self.ask(&one.job, more.clone(), &ask)
            })
            .collect()
    }

    /// From here on, another tenant of the same host.
    pub fn switch_to(&mut self, tenant: &str) {
        self.tenant = tenant.parse().expect("a name");
        self.runtime
            .block_on(self.erp.set_country(&self.tenant, "RU"))
            .expect("a country");
    }

    /// What a record of MoySklad is called in the shop.
    pub fn origin(&self, word: &str, id: Id) -> String {
        let account = self.sim.account(|account| account.id());
        format!("moysklad:{account}:{word}:{id}")
    }

    /// Puts records into the shop.
    pub fn load(&self, kind: &str, records: Value) {
        let kind = kind.parse().expect("a kind of record");
        self.runtime
            .block_on(self.erp.load(&self.tenant, kind, records))
            .expect("records that load");
    }

    /// Removes a record from the shop.
    pub fn remove(&self, kind: &str, key: &str) {
        let kind = kind.parse().expect("a kind of record");
        self.runtime
            .block_on(self.erp.remove(&self.tenant, kind, key))
            .expect("a record that goes");
    }

    /// All records of a kind, in the order they were made.
    pub fn records(&self, kind: &str) -> Vec<Value> {
        all_records(&self.erp, &self.tenant, kind)
    }

    /// The only record of a kind whose field has this value.
    pub fn record(&self, kind: &str, field: &str, value: &str) -> Value {
        let mut found = self.records(kind);
        found.retain(|record| record[field] == value);
        assert_eq!(1, found.len(), "{kind} with {field} {value}: {found:#?}");
        found.remove(0)
    }

    /// Changes the fields of a record of the shop, as people do.
    pub fn edit(&self, kind: &str, key: &str, changes: Value) {
        let mut record = self.record(kind, "key", key);
        for (name, value) in changes.as_object().expect("an object") {
            record[name] = value.clone();
        }
        let fields = record.as_object_mut().expect("an object");
        fields.remove("version");
        fields.remove("changed_at");
        self.load(kind, json!([record]));
    }

    /// All objects of a kind in MoySklad.
    pub fn objects<T>(&self, kind: Kind, read: impl Fn(&Account, &Record) -> T) -> Vec<T> {
        self.sim.account(|account| {
            let all = account.all(kind).into_iter();
            all.map(|record| read(account, record)).collect()
        })
    }

    /// Requests that change something at MoySklad.
    pub fn writes(&self) -> u64 {
        let requests = self.sim.requests().into_iter();
        requests
            .filter(|(endpoint, _)| !endpoint.starts_with("GET "))
            .map(|(_, count)| count)
            .sum()
    }

    /// A shop's product that is synchronised with a new product of MoySklad, under its key.
    pub fn product(&self, code: &str) -> (Id, String) {
        let article = code.rsplit(' ').next().expect("an article");
        let id = self.sim.account(|account| {
            account.add_product(
                NewProduct::new(code)
                    .code(code)
                    .article(article)
                    .price("100"),
            )
        });
        self.run("products", json!({}));
        let card = self.record("products", "code", code);
        (id, card["key"].as_str().expect("a key").to_owned())
    }
}

/// A number that stands in a text.
pub fn decimal(value: &Value) -> Decimal {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no decimal"));
    text.parse().expect("a decimal")
}

/// Records without what depends on the clock.
pub fn timeless(mut records: Vec<Value>) -> Vec<Value> {
    for fields in records.iter_mut().filter_map(Value::as_object_mut) {
        fields.remove("changed_at");
        fields.remove("version");
    }
    records
}

#[derive(Default)]
struct Recorder {
    log: Mutex<Vec<LogLine>>,
    written: Mutex<Vec<Written>>,
    settled: Mutex<Vec<(String, Subject)>>,
    passed: AtomicU64,
    most: u64,
}

impl Observer for Recorder {
    fn log(&self, line: LogLine) {
        self.log.lock().expect("a list").push(line);
    }

    fn wrote(&self, written: &Written) {
        self.written.lock().expect("a list").push(written.clone());
    }

    fn settled(&self, kind: &str, subjects: &[Subject]) {
        let mut settled = self.settled.lock().expect("a list");
        settled.extend(subjects.iter().map(|one| (kind.to_owned(), one.clone())));
    }

    fn progress(&self, _: Progress) {
        self.passed.fetch_add(1, Ordering::Relaxed);
    }

    fn wants_stop(&self) -> bool {
        self.passed.load(Ordering::Relaxed) >= self.most
    }
}
