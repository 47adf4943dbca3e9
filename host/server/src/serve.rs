//! The server at work: everything that goes on by itself, and everything that is answered over HTTP.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};

use crate::control::{repeats, runs};
use crate::observe::{self, QueueFigures};
use crate::service::{Error, Service};
use crate::{api, console, hooks, scheduler, worker};

/// Between two looks at the queue for the figures.
const FIGURES: Duration = Duration::from_secs(5);

/// Between two times that old records are forgotten.
const TIDY: Duration = Duration::from_secs(60 * 60);

/// How long runs are kept.
const RUNS_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Runs what is due and what is asked for, until [`Service::stop`]. Runs that are under way then end
/// at their next checkpoint.
pub async fn serve(service: Service) {
    tokio::join!(
        worker::run(service.clone()),
        scheduler::run(service.clone()),
        hooks::run(service.clone()),
        look_after(service),
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

async fn ready(State(service): State<Service>) -> (StatusCode, &'static str) {
    if service.stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match service.ready().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::error!("not ready: {error}");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the control database cannot be written\n",
            )
        }
    }
}

async fn metrics(State(service): State<Service>) -> impl IntoResponse {
    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, TEXT)], service.metrics().render())
}

/// Keeps the figures fresh and the records short.
async fn look_after(service: Service) {
    let mut figures = tokio::time::interval(FIGURES);
    let mut tidy = tokio::time::interval(TIDY);
    loop {
        let looked = tokio::select! {
            _ = figures.tick() => look(&service).await,
            _ = tidy.tick() => forget(&service).await,
            () = service.stopped() => return,
        };
        if let Err(error) = looked {
            tracing::error!("{error}");
        }
    }
}

async fn look(service: &Service) -> Result<(), Error> {
    let figures = service.queue().figures(Timestamp::now()).await?;
    service.metrics().queue(&QueueFigures {
        ready: figures.counts.ready,
        later: figures.counts.later,
        running: figures.counts.running,
        dead: figures.counts.dead,
        oldest: figures.oldest,
    });
    Ok(())
}

async fn forget(service: &Service) -> Result<(), Error> {
    (service.control())
        .write(|db| {
            let now = Timestamp::now();
            runs::forget(db, now - RUNS_KEPT)?;
            repeats::forget(db, now)?;
            Ok::<_, Error>(())
        })
        .await
}
