//! The server at work: everything that goes on by itself, and everything that is answered over HTTP.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use crate::control::{failed, retention, runs, schedules, webhooks};
use crate::observe::{self, ConnectionFigures, QueueFigures, Sizes, WebhookFigures};
use crate::service::{Error, Service};
use crate::{api, console, hooks, scheduler, worker};

/// Between two looks at the queue for the figures.
const FIGURES: Duration = Duration::from_secs(5);

/// Between two looks at the sizes of databases and disk.
const SIZES: Duration = Duration::from_secs(60);

/// A schedule that is later than this is overdue: the scheduler looks every second.
const OVERDUE: SignedDuration = SignedDuration::from_mins(1);

/// Between two times that old records are forgotten.
const TIDY: Duration = Duration::from_secs(60 * 60);

/// Between two times that the control database is read from its beginning to its end.
const CHECK: Duration = Duration::from_secs(6 * 60 * 60);

/// Rows that are forgotten in one write: nobody who writes waits long for that.
const AT_ONCE: u32 = 500;

/// Pages that are given back to the disk in one write.
const PAGES: u32 = 500;

/// Runs what is due and what is asked for, until [`Service::stop`]. Runs that are under way then end
/// at once, and go on from their last checkpoints when a server starts again.
pub async fn serve(service: Service) {
    tokio::join!(
        worker::run(service.clone()),
        scheduler::run(service.clone()),
        hooks::run(service.clone()),
        look_after(service.clone()),
        check_now_and_then(service),
    );
}

/// Everything that this server answers over HTTP. A platform may nest it in its own.
pub fn router(service: Service, console: &console::Options) -> Router {
    let own = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(service.clone());
    let all = own
        .merge(api::router(service.clone()))
        .merge(hooks::router(service.clone()))
        .merge(console::router(console));
    observe::watched(all, service.metrics().clone())
}

async fn ready(State(service): State<Service>) -> (StatusCode, String) {
    match service.ready().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn metrics(State(service): State<Service>) -> impl IntoResponse {
    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, TEXT)], service.metrics().render())
}

/// Keeps the figures fresh and the records short.
async fn look_after(service: Service) {
    let mut figures = tokio::time::interval(FIGURES);
    let mut sizes = tokio::time::interval(SIZES);
    let mut tidy = tokio::time::interval(TIDY);
    match service.control().read(runs::last_success).await {
        Ok(Some(at)) => service.metrics().succeeded(at),
        Ok(None) => {}
        Err(error) => tracing::error!("the last run that was done: {error}"),
    }
    loop {
        let looked = tokio::select! {
            _ = figures.tick() => look(&service).await,
            _ = sizes.tick() => measure(&service).await,
            _ = tidy.tick() => forget(&service).await,
            () = service.less_is_kept() => forget(&service).await,
            () = service.stopped() => return,
        };
        if let Err(error) = looked {
            tracing::error!("{error}");
        }
    }
}

async fn check_now_and_then(service: Service) {
    let mut checks = tokio::time::interval(CHECK);
    loop {
        tokio::select! {
            _ = checks.tick() => service.check_control().await,
            () = service.stopped() => return,
        }
    }
}

async fn look(service: &Service) -> Result<(), Error> {
    let figures = service.queue().figures(service.now()).await?;
    service.metrics().queue(&QueueFigures {
        ready: figures.counts.ready.saturating_sub(figures.held),
        held: figures.held,
        later: figures.counts.later,
        running: figures.counts.running,
        dead: figures.counts.dead,
        oldest: figures.oldest,
    });
    let now = service.now();
    let (webhooks, connections) = (service.control())
        .read(move |db| Ok::<_, Error>((webhooks::counts(db)?, connection_figures(db, now)?)))
        .await?;
    service.metrics().connections(&connections);
    service.metrics().webhooks(&WebhookFigures {
        waiting: webhooks.waiting,
        given_up: webhooks.given_up,
    });
    service.metrics().control(&service.control().uses());
    Ok(())
}

/// How the connections stand, by small indexes.
fn connection_figures(db: &Connection, now: Timestamp) -> Result<ConnectionFigures, Error> {
    let count = |sql: &str| -> rusqlite::Result<u64> {
        let count: i64 = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    };
    let on = count("SELECT count(*) FROM at_work")?;
    let all_on = count("SELECT count(*) FROM connections WHERE state = 'on'")?;
    Ok(ConnectionFigures {
        on,
        held: all_on.saturating_sub(on),
        off: count("SELECT count(*) FROM connections WHERE state = 'off'")?,
        paused: count("SELECT count(*) FROM connections WHERE state = 'paused'")?,
        failed_records: failed::count_all(db)?,
        overdue: schedules::overdue(db, now - OVERDUE)?,
    })
}

async fn measure(service: &Service) -> Result<(), Error> {
    let data = service.options().data.clone();
    let sizes = tokio::task::spawn_blocking(move || Sizes::of(&data)).await;
    match sizes {
        Ok(Ok(sizes)) => service.metrics().sizes(&sizes),
        Ok(Err(error)) => tracing::error!("the sizes of the data folder: {error}"),
        Err(error) => tracing::error!("the sizes of the data folder: {error}"),
    }
    Ok(())
}

async fn forget(service: &Service) -> Result<(), Error> {
    if service.doubts_clock() {
        return Ok(());
    }
    let now = service.now();
    let tenants = (service.control())
        .read(|db| Ok::<_, Error>(retention::kept(db)?))
        .await?;
    for (tenant, keep) in tenants {
        again_and_again(service, move |db| {
            retention::forget_of(db, &tenant, keep, now, AT_ONCE)
        })
        .await?;
    }
    again_and_again(service, move |db| {
        retention::forget_common(db, now, AT_ONCE)
    })
    .await?;
    again_and_again(service, |db| retention::give_back(db, PAGES)).await
}

/// Writes one piece after the other, as long as there are more.
async fn again_and_again(
    service: &Service,
    piece: impl Fn(&Connection) -> rusqlite::Result<bool> + Clone + Send + 'static,
) -> Result<(), Error> {
    let mut more = true;
    while more && !service.stopping() {
        let piece = piece.clone();
        more = (service.control())
            .write(move |db| Ok::<_, Error>(piece(db)?))
            .await?;
    }
    Ok(())
}
