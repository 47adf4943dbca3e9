//! A server at work with many connections: how many webhooks it takes and how many jobs it runs in a
//! second, what a connection that does nothing costs, and how long a run waits while versions change.
//!
//! Everything goes over HTTP to a `tenon serve` process, as a platform and its counterparts would
//! have it, and everything that is answered is durable by then. Client and server share the machine;
//! the baselines do, too.

use std::cell::Cell;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};
use tenon_scenarios::ledger;
use tenon_scenarios::server::Server;
use tokio::task::JoinSet;

use crate::{Figure, resident_kib};

/// Requests that are under way at one time.
const SENDERS: usize = 64;

const WEBHOOKS: usize = 5_000;
/// Connections that take them.
const RECEIVERS: usize = 20;

/// Connections that compute all the time: as many as a server runs at once.
const BUSY: usize = 16;
/// Webhooks that come in meanwhile, evenly, in a second.
const RATE: usize = 200;

/// How the server tells how many runs are under way.
const RUNNING: &str = r#"tenon_queue_waiting{state="running"} "#;

const TENANTS: usize = 1_000;
const CONNECTIONS: usize = 10_000;
/// Runs over them, and over one of each tenant.
const RUNS: usize = 5_000;

/// Connections whose versions are swapped.
const SWAPPED: usize = 10;
/// Runs that are asked for meanwhile, one after the other.
const ASKED: usize = 500;

/// For a platform that sets up thousands of connections at once.
const EAGER: &[&str] = &["--requests-per-token", "100000"];

/// After that long without work the memory is what the server keeps.
const QUIET: Duration = Duration::from_secs(2);
/// Between two looks at what goes on.
const LOOK: Duration = Duration::from_millis(2);
/// How long something may take before it is taken for stuck.
const PATIENCE: Duration = Duration::from_secs(120);

/// Webhooks, runs, memory and swaps.
pub fn operate() -> Result<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut figures = runtime.block_on(webhooks())?;
    figures.extend(runtime.block_on(webhooks_beside_busy_runs())?);
    figures.extend(runtime.block_on(connections())?);
    figures.extend(runtime.block_on(swaps())?);
    Ok(figures)
}

/// How many webhooks are stored in a second, while the runs that they ask for go on.
async fn webhooks() -> Result<Vec<Figure>> {
    let server = Server::start(&[]);
    let addresses = receivers(&server).await?;
    let health = format!("{}/healthz", server.url());
    let client = server.client().clone();
    let alive = pace(WEBHOOKS, move |_| answered(client.get(&health), 200)).await?;
    let client = server.client().clone();
    let taken = pace(WEBHOOKS, move |number| {
        let address = &addresses[number % addresses.len()];
        let url = format!("{address}orders?requestId={number}");
        // The same from all, so that those that wait for a run become one.
        answered(client.post(url).body("order"), 200)
    })
    .await?;
    let meanwhile = runs(&server).await?;
    ensure!(meanwhile > 0, "no connection ran meanwhile");
    eprintln!("  {meanwhile} runs while {WEBHOOKS} webhooks came in");
    let baseline = || "GET /healthz of the same server".to_owned();
    Ok(vec![
        Figure {
            what: format!("webhooks stored and answered, by {SENDERS} senders"),
            measured: taken.each_second,
            unit: "/s",
            baseline: Some((baseline(), alive.each_second)),
            target: None,
        },
        Figure {
            what: "answer to a webhook while connections run, p99".to_owned(),
            measured: taken.p99,
            unit: "ms",
            baseline: Some((baseline(), alive.p99)),
            target: None,
        },
    ])
}

/// How long a webhook waits for its answer while all places are taken by runs that compute.
async fn webhooks_beside_busy_runs() -> Result<Vec<Figure>> {
    // The runs do not give way.
    let server = Server::start(&["--slice", "600"]);
    let addresses = Arc::new(receivers(&server).await?);
    let wave = |name: &'static str| {
        let (client, addresses) = (server.client().clone(), Arc::clone(&addresses));
        steadily(move |number| {
            let address = &addresses[number % addresses.len()];
            let url = format!("{address}orders?requestId={name}-{number}");
            answered(client.post(url).body("order"), 200)
        })
    };
    let quiet = wave("quiet").await?;
    server.tenant("busy").await;
    for number in 0..BUSY {
        let connection = connect(&server, "busy", &number.to_string()).await;
        let run = format!("{connection}/jobs/add/run");
        server.post(&run, json!({ "argument": "busy:60000" })).await;
    }
    while under_way(&server).await? < BUSY {
        tokio::time::sleep(LOOK).await;
    }
    let busy = wave("busy").await?;
    ensure!(
        under_way(&server).await? >= BUSY,
        "the runs ended too early"
    );
    Ok(vec![
        Figure {
            what: format!("answer to one of {RATE} webhooks in a second, p99"),
            measured: quiet,
            unit: "ms",
            baseline: None,
            target: Some(50.0),
        },
        Figure {
            what: format!("the same while {BUSY} runs compute, p99"),
            measured: busy,
            unit: "ms",
            baseline: None,
            target: Some(50.0),
        },
    ])
}

/// Makes connections that webhooks come to; answers with their addresses.
async fn receivers(server: &Server) -> Result<Vec<String>> {
    server.install(ledger("1_0")).await;
    server.tenant("shop").await;
    let mut addresses = Vec::new();
    for number in 0..RECEIVERS {
        let connection = connect(server, "shop", &number.to_string()).await;
        let rotate = format!("{connection}/hook/rotate");
        let rotated = server.post(&rotate, Value::Null).await;
        let address = rotated["url"].as_str().context("an address")?;
        addresses.push(address.to_owned());
    }
    Ok(addresses)
}

/// Runs that are under way.
async fn under_way(server: &Server) -> Result<usize> {
    let text = metrics(server).await?;
    let line = text.lines().find_map(|line| line.strip_prefix(RUNNING));
    Ok(line.context("the queue's figures")?.trim().parse()?)
}

/// What ten thousand connections cost when they are made, when they run and when they do nothing.
async fn connections() -> Result<Vec<Figure>> {
    let server = Arc::new(Server::start(EAGER));
    server.install(ledger("1_0")).await;
    for number in 0..TENANTS {
        server.tenant(&tenant(number)).await;
    }
    make(&server, 0, TENANTS).await?;
    let few = run_all(&server, TENANTS).await?;
    tokio::time::sleep(QUIET).await;
    let before = resident_kib(server.pid())?;
    let added = CONNECTIONS - TENANTS;
    let started = Instant::now();
    make(&server, TENANTS, added).await?;
    let took = started.elapsed();
    tokio::time::sleep(QUIET).await;
    let after = resident_kib(server.pid())?;
    let many = run_all(&server, CONNECTIONS).await?;
    Ok(vec![
        Figure {
            what: format!("{added} connections made and switched on through the API"),
            measured: took.as_secs_f64(),
            unit: "s",
            baseline: None,
            target: None,
        },
        Figure {
            what: format!("runs that do nothing, with {CONNECTIONS} connections on"),
            measured: many,
            unit: "/s",
            baseline: Some((format!("with {TENANTS} connections"), few)),
            target: None,
        },
        Figure {
            what: format!("memory of a connection that is idle, of {CONNECTIONS}"),
            measured: (after - before) / added as f64,
            unit: "KiB",
            baseline: None,
            target: Some(20.0),
        },
    ])
}

/// How long a run that somebody asks for takes to its end while versions are swapped.
async fn swaps() -> Result<Vec<Figure>> {
    let server = Server::start(&[]);
    let first = server.install(ledger("1_0")).await;
    server.tenant("shop").await;
    let mut connections = Vec::new();
    for number in 0..SWAPPED {
        connections.push(connect(&server, "shop", &number.to_string()).await);
    }
    let second = server.install(ledger("1_1")).await;
    // The first runs load the components.
    for digest in [&second, &first] {
        swap(&server, digest).await?;
        latencies(&server, &connections, SWAPPED).await?;
    }
    let quiet = p99(latencies(&server, &connections, ASKED).await?);
    let swapped = Cell::new(0);
    let all = tokio::select! {
        all = latencies(&server, &connections, ASKED) => all?,
        broken = swap_for_ever(&server, [&second, &first], &swapped) => match broken? {},
    };
    let swapped = swapped.get();
    ensure!(swapped > 0, "no version was swapped meanwhile");
    eprintln!("  {swapped} swaps of {SWAPPED} connections while {ASKED} runs were asked for");
    let stalled = p99(all);
    Ok(vec![
        Figure {
            what: "from asking for a run to its end while versions are swapped, p99".to_owned(),
            measured: stalled,
            unit: "ms",
            baseline: Some(("without swaps".to_owned(), quiet)),
            target: None,
        },
        Figure {
            what: "the same, by itself".to_owned(),
            measured: stalled,
            unit: "ms",
            baseline: None,
            target: Some(50.0),
        },
    ])
}

/// Moves all connections to a version.
async fn swap(server: &Server, digest: &str) -> Result<()> {
    let path = format!("/versions/{digest}/upgrade");
    let done = server.post(&path, json!({ "all": true })).await;
    ensure!(done["failed"] == json!([]), "not all were moved: {done}");
    Ok(())
}

/// Moves all connections back and forth and counts how often.
async fn swap_for_ever(
    server: &Server,
    digests: [&str; 2],
    count: &Cell<usize>,
) -> Result<Infallible> {
    loop {
        for digest in digests {
            swap(server, digest).await?;
            count.set(count.get() + 1);
        }
    }
}

/// Asks for runs of a quick job, one after the other; milliseconds from asking to the end of each.
async fn latencies(server: &Server, connections: &[String], count: usize) -> Result<Vec<f64>> {
    let mut all = Vec::with_capacity(count);
    for connection in connections.iter().cycle().take(count) {
        let asked = Timestamp::now();
        let run = format!("{connection}/jobs/tell/run");
        server.post(&run, json!({})).await;
        let ended = ended(server, connection, asked).await?;
        let took = ended.duration_since(asked).as_secs_f64() * 1000.0;
        all.push(took.max(0.0));
    }
    Ok(all)
}

/// When the run ended that was asked for at a moment.
async fn ended(server: &Server, connection: &str, asked: Timestamp) -> Result<Timestamp> {
    let began = Instant::now();
    let newest = format!("{connection}/runs?limit=1&outcome=done");
    loop {
        let runs = server.get(&newest).await;
        let moment = |name: &str| runs["items"][0][name].as_str().map(str::parse::<Timestamp>);
        // The server keeps times in milliseconds.
        let started = moment("started_at").transpose()?;
        if started.is_some_and(|started| started.as_millisecond() >= asked.as_millisecond()) {
            let finished = moment("finished_at").transpose()?;
            return finished.context("a run that is done has an end");
        }
        ensure!(began.elapsed() < PATIENCE, "a run never ended: {runs}");
        tokio::time::sleep(LOOK).await;
    }
}

fn tenant(number: usize) -> String {
    format!("shop-{}", number % TENANTS)
}

/// The path of one of the many connections; they are dealt out to the tenants in turn.
fn path(number: usize) -> String {
    let tenant = tenant(number);
    format!("/tenants/{tenant}/connections/{}", number / TENANTS)
}

/// Makes a connection and switches it on; answers with its path.
async fn connect(server: &Server, tenant: &str, id: &str) -> String {
    let all = format!("/tenants/{tenant}/connections");
    let new = json!({ "id": id, "connector": "ledger" });
    server.post(&all, new).await;
    let connection = format!("{all}/{id}");
    let enable = format!("{connection}/enable");
    server.post(&enable, Value::Null).await;
    connection
}

/// Makes so many of the many connections.
async fn make(server: &Arc<Server>, first: usize, count: usize) -> Result<()> {
    let server = Arc::clone(server);
    pace(count, move |number| {
        let server = Arc::clone(&server);
        async move {
            let number = first + number;
            let id = (number / TENANTS).to_string();
            connect(&server, &tenant(number), &id).await;
            anyhow::Ok(())
        }
    })
    .await
    .map(drop)
}

/// Asks for runs that do nothing, in turn of so many connections; answers how many there were in a
/// second, from the first request to the last end.
async fn run_all(server: &Arc<Server>, connections: usize) -> Result<f64> {
    let before = runs(server).await?;
    let started = Instant::now();
    let asking = Arc::clone(server);
    pace(RUNS, move |number| {
        let server = Arc::clone(&asking);
        async move {
            let run = format!("{}/jobs/tell/run", path(number % connections));
            // Equal requests that wait would become one run.
            let body = json!({ "argument": number.to_string() });
            server.post(&run, body).await;
            anyhow::Ok(())
        }
    })
    .await?;
    while runs(server).await? < before + RUNS {
        ensure!(started.elapsed() < PATIENCE, "some runs never ended");
        tokio::time::sleep(LOOK).await;
    }
    Ok(RUNS as f64 / started.elapsed().as_secs_f64())
}

/// Runs that ended, as the server counts them.
async fn runs(server: &Server) -> Result<usize> {
    let text = metrics(server).await?;
    let mut done = 0;
    for line in text.lines() {
        let Some(of) = line.strip_prefix("tenon_runs_total{") else {
            continue;
        };
        ensure!(of.contains("outcome=\"done\""), "a run went wrong: {of}");
        let (_, count) = of.rsplit_once(' ').context("a figure")?;
        done += count.parse::<usize>()?;
    }
    Ok(done)
}

pub(crate) async fn metrics(server: &Server) -> Result<String> {
    let url = format!("{}/metrics", server.url());
    Ok(server.client().get(url).send().await?.text().await?)
}

/// Sends a request that has to be answered like this.
async fn answered(request: reqwest::RequestBuilder, status: u16) -> Result<()> {
    let answer = request.send().await?;
    let found = answer.status().as_u16();
    // Read to its end, so that the socket is used again.
    answer.bytes().await?;
    ensure!(found == status, "answered {found} instead of {status}");
    Ok(())
}

/// How fast something was done many times.
struct Pace {
    each_second: f64,
    p99: f64,
}

/// Does something with each number below `count`, as many at a time as there are senders.
async fn pace<W, F>(count: usize, work: W) -> Result<Pace>
where
    W: Fn(usize) -> F + Send + Sync + 'static,
    F: Future<Output = Result<()>> + Send + 'static,
{
    let work = Arc::new(work);
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (work, next) = (Arc::clone(&work), Arc::clone(&next));
        senders.spawn(async move {
            let mut took = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return anyhow::Ok(took);
                }
                let started = Instant::now();
                work(number).await?;
                took.push(started.elapsed().as_secs_f64() * 1000.0);
            }
        });
    }
    let mut took = Vec::with_capacity(count);
    while let Some(sender) = senders.join_next().await {
        took.extend(sender??);
    }
    Ok(Pace {
        each_second: count as f64 / started.elapsed().as_secs_f64(),
        p99: p99(took),
    })
}

/// Does something [`RATE`] times a second for ten seconds, whether what came before is answered or not;
/// milliseconds from when it was due to its end, p99.
async fn steadily<W, F>(work: W) -> Result<f64>
where
    W: Fn(usize) -> F,
    F: Future<Output = Result<()>> + Send + 'static,
{
    let between = Duration::from_secs(1) / RATE as u32;
    let started = Instant::now();
    let mut senders = JoinSet::new();
    for number in 0..10 * RATE {
        let due = started + between * number as u32;
        tokio::time::sleep_until(due.into()).await;
        let work = work(number);
        senders.spawn(async move {
            work.await?;
            anyhow::Ok(due.elapsed().as_secs_f64() * 1000.0)
        });
    }
    let mut took = Vec::new();
    while let Some(sender) = senders.join_next().await {
        took.push(sender??);
    }
    Ok(p99(took))
}

/// What 99 of 100 values do not exceed.
pub(crate) fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * 99).div_ceil(100) - 1]
}
