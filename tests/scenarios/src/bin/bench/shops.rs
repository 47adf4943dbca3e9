//! A platform with many shops, whose orders are read each minute: what that costs, and how late runs
//! are, also beside shops whose counterparts are slow.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};
use tenon_scenarios::component;
use tenon_scenarios::server::Server;
use tenon_simulators::faults::{Fault, Rule};
use tenon_simulators::keycrm::Simulator;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::operate::{metrics, p99};
use crate::{Figure, KEY, crm, memory_kib, named_records, settings};

/// Shops of the platform.
const SHOPS: usize = 500;
/// Shops whose counterpart takes [`SLOW_ANSWER`] for each answer,
const SLOW: usize = 100;
/// and shops beside them.
const FAST: usize = 20;
const SLOW_ANSWER: Duration = Duration::from_secs(2);

/// Orders of a shop.
const ORDERS: usize = 50;
/// How often each shop is read while this is measured.
const MINUTES: u32 = 5;
const MINUTE: Duration = Duration::from_secs(60);

/// How many shops are set up at one time.
const HANDS: usize = 16;
/// How long the first exchange of all shops may take.
const PATIENCE: Duration = Duration::from_secs(900);

/// Many shops alike.
pub fn shops() -> Result<Vec<Figure>> {
    runtime()?.block_on(many())
}

/// Slow shops beside fast ones.
pub fn slow() -> Result<Vec<Figure>> {
    runtime()?.block_on(slow_beside_fast())
}

fn runtime() -> Result<Runtime> {
    let mut runtime = Builder::new_multi_thread();
    Ok(runtime.enable_all().build()?)
}

async fn many() -> Result<Vec<Figure>> {
    let server = Arc::new(Server::start(&[]));
    server.install(component("keycrm")).await;
    let sim = crm(ORDERS)?;
    set_up(&server, "shop", SHOPS, &sim).await?;
    settle(&server, "shop", SHOPS).await?;
    let began = processor_seconds(server.pid())?;
    let watched = watch(&server).await?;
    let used = processor_seconds(server.pid())? - began;
    let late = lateness(&server, "shop", SHOPS, watched.from).await?;
    let figure = |what: &str, measured, unit| Figure {
        what: format!("{SHOPS} shops each minute: {what}"),
        measured,
        unit,
        baseline: None,
        target: None,
    };
    let share = used / (MINUTE * MINUTES).as_secs_f64();
    let peak = memory_kib(server.pid(), "VmHWM:").context("the memory of the server")?;
    Ok(vec![
        figure("processors used", share, ""),
        figure("memory at its peak", peak / 1024.0, "MiB"),
        figure("from the minute to the end of its run, p99", late, "s"),
        figure("oldest request that was ready", watched.oldest, "s"),
    ])
}

async fn slow_beside_fast() -> Result<Vec<Figure>> {
    let server = Arc::new(Server::start(&[]));
    server.install(component("keycrm")).await;
    let (slow, fast) = (crm(ORDERS)?, crm(ORDERS)?);
    set_up(&server, "slow", SLOW, &slow).await?;
    set_up(&server, "fast", FAST, &fast).await?;
    settle(&server, "slow", SLOW).await?;
    settle(&server, "fast", FAST).await?;
    slow.faults()
        .add(Rule::new(Fault::Slow(SLOW_ANSWER)).times(u64::MAX));
    // Until the slow ones stand in each other's way.
    tokio::time::sleep(MINUTE).await;
    let watched = watch(&server).await?;
    let late = lateness(&server, "fast", FAST, watched.from).await?;
    let peak = memory_kib(server.pid(), "VmHWM:").context("the memory of the server")?;
    let beside = format!("{FAST} shops beside {SLOW} slow ones");
    Ok(vec![
        Figure {
            what: format!("{beside}: from the minute to the end of its run, p99"),
            measured: late,
            unit: "s",
            baseline: None,
            target: Some(5.0),
        },
        Figure {
            what: format!("{beside}: memory at its peak"),
            measured: peak / 1024.0,
            unit: "MiB",
            baseline: None,
            target: None,
        },
    ])
}

/// Makes shops that all have such a CRM, which is read each minute, and switches them on.
async fn set_up(server: &Arc<Server>, name: &str, count: usize, sim: &Simulator) -> Result<()> {
    let mut hands = JoinSet::new();
    for hand in 0..HANDS {
        let (server, name) = (Arc::clone(server), name.to_owned());
        let (settings, grant) = (settings(sim), origin(sim)?);
        hands.spawn(async move {
            for number in (hand..count).step_by(HANDS) {
                let tenant = tenant(&name, number);
                server.tenant(&tenant).await;
                load(&server, &tenant)?;
                let all = format!("/tenants/{tenant}/connections");
                let new = json!({
                    "id": "keycrm", "connector": "keycrm", "settings": settings, "grants": [grant],
                });
                server.post(&all, new).await;
                let shop = path(&name, number);
                let credential = format!("{shop}/credentials/api_key");
                let secret = json!({ "secret": KEY });
                server.api("PUT", &credential, secret).await;
                let schedules = json!({ "orders": "* * * * *" });
                let path = format!("{shop}/schedules");
                server.api("PUT", &path, schedules).await;
                server.post(&format!("{shop}/enable"), Value::Null).await;
            }
            anyhow::Ok(())
        });
    }
    while let Some(hand) = hands.join_next().await {
        hand??;
    }
    Ok(())
}

/// Loads what the settings name.
fn load(server: &Server, tenant: &str) -> Result<()> {
    for (kind, records) in named_records() {
        let file = server.folder().join(format!("{tenant}-{kind}.json"));
        std::fs::write(&file, records.to_string())?;
        let file = file.to_str().context("a path that is not UTF-8")?;
        let loaded = server.tenon(&["load", kind, file, "--tenant", tenant]);
        let said = String::from_utf8_lossy(&loaded.stderr);
        ensure!(loaded.status.success(), "{said}");
    }
    Ok(())
}

/// Waits until the first exchange of each shop is over.
async fn settle(server: &Server, name: &str, count: usize) -> Result<()> {
    let began = Instant::now();
    for number in 0..count {
        let done = format!("{}/runs?limit=1&outcome=done", path(name, number));
        while server.get(&done).await["items"] == json!([]) {
            ensure!(began.elapsed() < PATIENCE, "{done} stays empty");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    Ok(())
}

struct Watched {
    /// From when on runs were watched.
    from: Timestamp,
    /// Seconds.
    oldest: f64,
}

/// Watches the queue for some minutes.
async fn watch(server: &Server) -> Result<Watched> {
    const OLDEST: &str = "tenon_queue_oldest_seconds ";
    let from = Timestamp::now();
    let until = Instant::now() + MINUTE * MINUTES;
    let mut oldest = 0.0_f64;
    while Instant::now() < until {
        let text = metrics(server).await?;
        let line = text.lines().find_map(|line| line.strip_prefix(OLDEST));
        oldest = oldest.max(line.context("the queue's figures")?.trim().parse()?);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(Watched { from, oldest })
}

/// Seconds from the minute at which scheduled runs were due to their end, p99.
async fn lateness(server: &Server, name: &str, count: usize, from: Timestamp) -> Result<f64> {
    let mut late = Vec::new();
    for number in 0..count {
        let runs = format!("{}/runs?limit=100&job=orders", path(name, number));
        let runs = server.get(&runs).await;
        let before = late.len();
        for run in runs["items"].as_array().context("a list of runs")? {
            let moment = |name: &str| run[name].as_str().map(str::parse::<Timestamp>);
            let began = moment("started_at").transpose()?.context("a start")?;
            let Some(ended) = moment("finished_at").transpose()? else {
                continue;
            };
            if began < from || run["cause"]["type"] != "scheduled" {
                continue;
            }
            ensure!(run["outcome"] == "done", "a run went wrong: {run:#}");
            let due = began.as_second().div_euclid(60) * 60;
            let due = Timestamp::from_second(due)?;
            late.push(ended.duration_since(due).as_secs_f64());
        }
        // A minute without a run of its own.
        let missed = (MINUTES as usize).saturating_sub(1 + late.len() - before);
        late.extend(std::iter::repeat_n(MINUTE.as_secs_f64(), missed));
    }
    Ok(p99(late))
}

/// Seconds that a process has computed.
fn processor_seconds(process: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("the figures of a process")?;
    // User and system time are the 14th and 15th field, in ticks of 10 ms.
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks = ticks.map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / 100.0)
}

fn origin(sim: &Simulator) -> Result<String> {
    Ok(format!("http://{}", sim.address()))
}

fn tenant(name: &str, number: usize) -> String {
    format!("{name}-{number}")
}

/// The path of a shop's connection.
fn path(name: &str, number: usize) -> String {
    format!("/tenants/{}/connections/keycrm", tenant(name, number))
}
