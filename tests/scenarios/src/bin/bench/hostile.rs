//! Components that try to break the sandbox, run in a row: what one of them costs, and whether
//! anything of them stays behind.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tenon_erp::EmbeddedErp;
use tenon_host::observe::NoObserver;
use tenon_host::report::Outcome;
use tenon_host::{
    Connection, ConnectionSpec, EgressSettings, Host, HostOptions, JobRequest, Limits, Secret,
};
use tenon_scenarios::{compiler, hostile_component};

use crate::{Figure, resident_kib};

const RUNS: usize = 1_000;
/// After these, every pool and cache has the size that it keeps.
const WARM: usize = 100;

/// Guests that end their run by a trap or a limit, in as many ways as there are.
const CRASHING: [&str; 8] = [
    "spin_for_ever",
    "spin_in_host_calls",
    "grow_memory",
    "recurse",
    "trap_in_run",
    "panic_in_run",
    "pass_aliased_list",
    "wrong_list_length",
];

/// A host with hostile connections.
pub struct Ring {
    runtime: tokio::runtime::Runtime,
    host: Host,
    _folder: tempfile::TempDir,
}

impl Ring {
    /// An empty one.
    pub fn new() -> Result<Ring> {
        let folder = tempfile::tempdir()?;
        let erp = EmbeddedErp::open(folder.path())?;
        let options = HostOptions::new(folder.path().join("compiled"), compiler());
        Ok(Ring {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            host: Host::new(Arc::new(erp), options)?,
            _folder: folder,
        })
    }

    /// A connection of a hostile component to the address in its settings.
    pub fn connect(
        &self,
        guest: &str,
        settings: serde_json::Value,
        limits: Limits,
    ) -> Result<Connection> {
        let wasm = hostile_component(guest);
        let connector = self.runtime.block_on(self.host.install(&wasm))?;
        let url = settings["url"].as_str().context("the setting `url`")?;
        let spec = ConnectionSpec {
            place: tenon_host::Place::default(),
            tenant: "hostile".parse()?,
            id: guest.replace('_', "-").parse()?,
            credentials: [("api_key".to_owned(), Secret::new("secret-key".to_owned()))].into(),
            egress: EgressSettings {
                grants: vec![url::Url::parse(url)?.origin()],
                no_budget: true,
                ..EgressSettings::default()
            },
            settings,
            limits,
        };
        Ok(self.host.connect(connector, spec)?)
    }

    /// Runs a connection's job.
    pub fn run(&self, connection: &Connection) -> Outcome {
        let request = JobRequest::asked("run");
        let run = self.host.run(connection, &request, Arc::new(NoObserver));
        self.runtime.block_on(run).outcome
    }
}

/// Memory of this process after some and after many hostile runs.
pub fn hostile() -> Result<Vec<Figure>> {
    let ring = Ring::new()?;
    let nowhere = json!({ "url": "https://counterpart.example" });
    let connections = (CRASHING.iter())
        .map(|guest| {
            let limits = Limits {
                compute: Duration::from_millis(20),
                ..Limits::default()
            };
            ring.connect(guest, nowhere.clone(), limits)
        })
        .collect::<Result<Vec<_>>>()?;
    let mut early = 0.0;
    let started = Instant::now();
    for run in 0..RUNS {
        let connection = &connections[run % connections.len()];
        let outcome = ring.run(connection);
        let guest = CRASHING[run % CRASHING.len()];
        ensure!(outcome == Outcome::Crashed, "{guest} ended as {outcome:?}");
        if run + 1 == WARM {
            early = resident_kib(std::process::id())? / 1024.0;
        }
    }
    let took = started.elapsed().as_secs_f64();
    eprintln!("  {:.0} hostile runs/s", RUNS as f64 / took);
    Ok(vec![Figure {
        what: format!("memory after {RUNS} hostile runs in a row"),
        measured: resident_kib(std::process::id())? / 1024.0,
        unit: "MiB",
        baseline: Some((format!("after {WARM} of them"), early)),
        target: Some(1.1),
    }])
}
