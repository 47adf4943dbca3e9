//! What Tenon costs, each figure beside a baseline that was measured in the same run.
//!
//! Times are the median of several runs. A target is printed next to the figure; it is for people
//! to look at, and nothing fails when it is missed.

mod egress;
mod epoch;
mod hostile;
mod native;
mod operate;
mod shops;

use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use comfy_table::{Table, presets};
use serde_json::{Value, json};
use tenon_erp::EmbeddedErp;
use tenon_host::observe::NoObserver;
use tenon_host::{
    Connection, ConnectionSpec, Connector, EgressSettings, Host, HostOptions, JobRequest, Limits,
    Secret,
};
use tenon_scenarios::{compiler, component, target};
use tenon_sdk::Connector as _;
use tenon_simulators::keycrm::{self, Config, Simulator};
use wait4::Wait4 as _;

use crate::native::NativeWorld;

/// That of the program `tenon`, whose work this measures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEY: &str = "simulated-keycrm-key";
const ORDERS: usize = 5_000;
const ROUNDS: usize = 5;

/// Measures, prints a table and writes target/bench.json.
#[derive(Parser)]
struct Args {
    /// Which to run: sandbox, python, start, memory, egress, epoch, hostile, operate,
    /// shops, slow. All but the last two, which take a quarter of an hour, by default.
    names: Vec<String>,
}

/// One line of the table.
struct Figure {
    what: String,
    measured: f64,
    unit: &'static str,
    baseline: Option<(String, f64)>,
    /// The highest value of the ratio, or of the figure when there is no baseline.
    target: Option<f64>,
}

type Benchmark = fn() -> Result<Vec<Figure>>;

impl Figure {
    fn ratio(&self) -> Option<f64> {
        self.baseline.as_ref().map(|(_, base)| self.measured / base)
    }

    fn verdict(&self) -> String {
        let value = self.ratio().unwrap_or(self.measured);
        match self.target {
            None => String::new(),
            Some(target) if value <= target => format!("≤ {target} met"),
            Some(target) => format!("≤ {target} missed"),
        }
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    let benchmarks: [(&str, Benchmark); 10] = [
        ("sandbox", sandbox),
        ("python", python),
        ("start", start),
        ("memory", memory),
        ("egress", egress::egress),
        ("epoch", epoch::epoch),
        ("hostile", hostile::hostile),
        ("operate", operate::operate),
        ("shops", shops::shops),
        ("slow", shops::slow),
    ];
    for name in &args.names {
        let known = benchmarks.iter().any(|(known, _)| known == name);
        ensure!(
            known,
            "there is no benchmark `{name}`; there are {}",
            benchmarks.map(|(known, _)| known).join(", ")
        );
    }
    let mut figures = Vec::new();
    for (name, benchmark) in benchmarks {
        let is_long = matches!(name, "shops" | "slow");
        if (args.names.is_empty() && !is_long) || args.names.iter().any(|wanted| wanted == name) {
            eprintln!("measuring {name} …");
            figures.extend(benchmark()?);
        }
    }

    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .set_header(["figure", "measured", "baseline", "ratio", "target"]);
    for figure in &figures {
        table.add_row([
            figure.what.clone(),
            format!("{:.3} {}", figure.measured, figure.unit),
            (figure.baseline.as_ref()).map_or(String::new(), |(what, value)| {
                format!("{value:.3} {} ({what})", figure.unit)
            }),
            figure
                .ratio()
                .map_or(String::new(), |ratio| format!("{ratio:.2}")),
            figure.verdict(),
        ]);
    }
    println!("{table}");
    let rows: Vec<Value> = (figures.iter())
        .map(|figure| {
            json!({
                "figure": figure.what, "measured": figure.measured, "unit": figure.unit,
                "baseline": figure.baseline.as_ref().map(|(what, value)| json!({
                    "what": what, "measured": value,
                })),
                "ratio": figure.ratio(), "target": figure.target,
            })
        })
        .collect();
    let file = target().join("bench.json");
    std::fs::write(&file, serde_json::to_string_pretty(&rows)?)
        .with_context(|| file.display().to_string())
}

/// A CRM without limits; its account is the same in every call.
fn crm(orders: usize) -> Result<Simulator> {
    Ok(keycrm::start(Config {
        orders,
        products: 200,
        requests_per_minute: None,
        ordered_to: "2026-03-31T12:00:00Z".parse()?,
        ..Config::default()
    })?)
}

fn settings(sim: &Simulator) -> Value {
    json!({
        "base_url": sim.url(),
        "period": { "from": "2026-01-01", "to": "2026-12-31" },
        "default_partner": "walk-in",
        "delivery_product": "delivery",
    })
}

/// The records that the settings name.
fn named_records() -> [(&'static str, Value); 2] {
    [
        (
            "partners",
            json!([{ "key": "walk-in", "name": "Роздрібний покупець" }]),
        ),
        (
            "products",
            json!([{ "key": "delivery", "kind": "service", "name": "Доставка" }]),
        ),
    ]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A host in a folder of its own, with one connector.
struct Site {
    erp: EmbeddedErp,
    host: Host,
    connector: Arc<Connector>,
}

impl Site {
    async fn new(folder: &Path) -> Result<Site> {
        let erp = EmbeddedErp::open(folder)?;
        let host = Host::new(
            Arc::new(erp.clone()),
            HostOptions::new(folder.join("compiled"), compiler()),
        )?;
        let connector = host.install(&component("keycrm")).await?;
        Ok(Site {
            erp,
            host,
            connector,
        })
    }

    async fn prepare(&self, tenant: &str) -> Result<()> {
        for (kind, records) in named_records() {
            self.erp
                .load(&tenant.parse()?, kind.parse()?, records)
                .await?;
        }
        Ok(())
    }

    fn connect(&self, tenant: &str, sim: &Simulator) -> Result<Connection> {
        let spec = ConnectionSpec {
            place: tenon_host::Place::default(),
            tenant: tenant.parse()?,
            id: "keycrm".parse()?,
            settings: settings(sim),
            credentials: [("api_key".to_owned(), Secret::new(KEY.to_owned()))].into(),
            egress: EgressSettings {
                grants: vec![url::Url::parse(sim.url())?.origin()],
                no_budget: true,
                ..EgressSettings::default()
            },
            limits: Limits::default(),
        };
        Ok(self.host.connect(Arc::clone(&self.connector), spec)?)
    }

    async fn load(&self, connection: &Connection, orders: usize) -> Result<Duration> {
        let request = JobRequest::asked("orders");
        let started = Instant::now();
        let report = (self.host)
            .run(connection, &request, Arc::new(NoObserver))
            .await;
        let took = started.elapsed();
        ensure!(
            report.created == orders as u64,
            "not all orders were loaded: {report:?}"
        );
        Ok(took)
    }
}

/// The connector in the sandbox against the same logic natively, over the same kind of ERP.
fn sandbox() -> Result<Vec<Figure>> {
    let sim = crm(ORDERS)?;
    let runtime = Rc::new(
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?,
    );
    let (mut guests, mut natives) = (Vec::new(), Vec::new());
    // The first round warms caches on both sides and is not counted.
    for round in 0..=ROUNDS {
        let folder = tempfile::tempdir()?;
        let site = runtime.block_on(Site::new(folder.path()))?;
        runtime.block_on(site.prepare("guest"))?;
        runtime.block_on(site.prepare("native"))?;
        let connection = site.connect("guest", &sim)?;
        let guest = runtime.block_on(site.load(&connection, ORDERS))?;

        let world = NativeWorld::new(Rc::clone(&runtime), &site.erp, KEY, &settings(&sim))?;
        let world = Rc::new(world);
        let started = Instant::now();
        let cause = tenon_sdk::model::Cause::Asked;
        let outcome = tenon_sdk::native::with_world(world.clone(), || {
            tenon_keycrm::KeyCrm::run("orders", None, &cause)
        });
        world.finish()?;
        let native = started.elapsed();
        ensure!(outcome.is_ok(), "the native run failed: {outcome:?}");
        let stored = site.erp.records(&"native".parse()?, "orders".parse()?)?;
        ensure!(
            stored.count() == ORDERS,
            "not all orders were loaded natively"
        );
        if round > 0 {
            guests.push(guest.as_secs_f64());
            natives.push(native.as_secs_f64());
        }
    }
    let (guest, native) = (median(guests), median(natives));
    eprintln!(
        "  {:.0} orders/s in the sandbox, {:.0} natively",
        ORDERS as f64 / guest,
        ORDERS as f64 / native
    );
    Ok(vec![Figure {
        what: format!("first load of {ORDERS} orders through wasm, wall time"),
        measured: guest,
        unit: "s",
        baseline: Some(("the same logic natively".to_owned(), native)),
        target: Some(1.15),
    }])
}

/// What a finished process used.
struct Used {
    cpu: f64,
    peak_mib: f64,
}

fn measure(command: &mut Command) -> Result<Used> {
    let child = command.stdout(Stdio::null()).spawn()?;
    // The system's own figure would count what this process held when it started the other.
    let mut peak_kib = 0.0;
    while let Some(peak) = memory_kib(child.id(), "VmHWM:") {
        peak_kib = peak;
        std::thread::sleep(Duration::from_millis(20));
    }
    let used = child.wait4()?;
    ensure!(used.status.success(), "{command:?} failed: {}", used.status);
    Ok(Used {
        cpu: (used.rusage.utime + used.rusage.stime).as_secs_f64(),
        peak_mib: peak_kib / 1024.0,
    })
}

/// What a process holds in memory, in KiB.
fn resident_kib(process: u32) -> Result<f64> {
    memory_kib(process, "VmRSS:").context("the system does not tell a process's memory")
}

/// A figure of the system about a process's memory, in KiB; none once the process has ended.
fn memory_kib(process: u32, name: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// `tenon run`, as a user starts it, on a fresh tenant of a folder that was used before.
fn tenon_run(folder: &Path, tenant: &str, sim: &Simulator) -> Result<Used> {
    let tenon = target().join("release/tenon");
    let place = [
        "--data",
        folder.to_str().context("a path in UTF-8")?,
        "--tenant",
        tenant,
    ];
    for (kind, records) in named_records() {
        let file = folder.join(format!("{kind}.json"));
        std::fs::write(&file, records.to_string())?;
        let mut load = Command::new(&tenon);
        measure(load.args(["load", kind]).arg(&file).args(place))?;
    }
    let file = folder.join("settings.json");
    std::fs::write(&file, settings(sim).to_string())?;
    measure(
        Command::new(&tenon)
            .args(["run", "keycrm", "orders", "--json", "--no-budget"])
            .args(place)
            .args(["--credential", "api_key=env:KEYCRM_KEY", "--settings"])
            .arg(&file)
            .arg("--component")
            .arg(target().join("components/connectors/keycrm.wasm"))
            .args(["--grant", sim.url().trim_end_matches("/v1")])
            .env("KEYCRM_KEY", KEY),
    )
}

/// The CPU of the whole command against a plain script that writes the same orders to SQLite.
fn python() -> Result<Vec<Figure>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("baseline/keycrm_orders.py");
    let sim = crm(ORDERS)?;
    let folder = tempfile::tempdir()?;
    tenon_run(folder.path(), "warm", &sim)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        ours.push(tenon_run(folder.path(), &format!("round-{round}"), &sim)?.cpu);
        let mut command = Command::new("python3");
        command.arg(&script).args([sim.url(), KEY]);
        command.args(["2026-01-01 00:00:00", "2026-12-31 23:59:59"]);
        command.arg(folder.path().join(format!("plain-{round}.sqlite")));
        theirs.push(measure(&mut command).context("python3")?.cpu);
    }
    Ok(vec![Figure {
        what: format!("`tenon run` of {ORDERS} orders, CPU"),
        measured: median(ours),
        unit: "s",
        baseline: Some(("a plain Python script".to_owned(), median(theirs))),
        target: Some(0.4),
    }])
}

/// From a file to a connector that answers.
fn start() -> Result<Vec<Figure>> {
    let sim = crm(0)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let wasm = component("keycrm");
    let ms = |took: Duration| took.as_secs_f64() * 1000.0;
    let (mut cold, mut warm, mut calls, mut empty) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let folder = tempfile::tempdir()?;
        let started = Instant::now();
        let site = runtime.block_on(Site::new(folder.path()))?;
        cold.push(ms(started.elapsed()));
        let started = Instant::now();
        runtime.block_on(site.host.install(&wasm))?;
        warm.push(ms(started.elapsed()));
        runtime.block_on(site.prepare("shop"))?;
        let connection = site.connect("shop", &sim)?;
        // The connector refuses an unknown option at once, so this is the instance and one call.
        for _ in 0..200 {
            let started = Instant::now();
            let refused = runtime.block_on(site.host.choices(&connection, "none"));
            calls.push(ms(started.elapsed()));
            ensure!(refused.is_err(), "there is no such option");
        }
        for _ in 0..20 {
            empty.push(ms(runtime.block_on(site.load(&connection, 0))?));
        }
    }
    let figure = |what: &str, values| Figure {
        what: what.to_owned(),
        measured: median(values),
        unit: "ms",
        baseline: None,
        target: None,
    };
    Ok(vec![
        figure("cold load: new engine, compile, describe", cold),
        figure("warm load: compiled code from disk, describe", warm),
        figure("fresh instance and one call", calls),
        figure("empty run: two requests, one checkpoint", empty),
    ])
}

/// Memory at the peak of a long load.
fn memory() -> Result<Vec<Figure>> {
    let orders = 50_000;
    let sim = crm(orders)?;
    let folder = tempfile::tempdir()?;
    // The first run of a component compiles it, which is measured as the cold load.
    tenon_run(folder.path(), "warm", &crm(0)?)?;
    let used = tenon_run(folder.path(), "large", &sim)?;
    Ok(vec![Figure {
        what: format!("`tenon run` of {orders} orders, peak memory"),
        measured: used.peak_mib,
        unit: "MiB",
        baseline: None,
        target: Some(200.0),
    }])
}
