//! The spans of a server: one for a run, a message of a counterpart, a request that it answers.
//!
//! Their fields are in this file and nowhere else, and only they are sent to a collector: whatever a
//! library, or another part of the server, traces stays in the log.

use tenon_host::manifest::Manifest;
use tenon_host::report::{Outcome, RunReport};
use tracing::field::Empty;
use tracing::{Instrument as _, Metadata, Span, info_span};

use super::{Metrics, WebhookResult, known_job};

/// Tells these spans from all others.
pub(super) const TARGET: &str = "tenon::spans";

/// Whether a collector gets to see it.
pub(super) fn is_for_collectors(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TARGET
}

/// Counts and traces a run of a job of this connector; answers with its report.
pub async fn run(
    metrics: &Metrics,
    manifest: &Manifest,
    job: &str,
    running: impl Future<Output = RunReport>,
) -> RunReport {
    let span = info_span!(
        target: TARGET,
        "run",
        connector = manifest.name,
        job = known_job(manifest, job),
        run = Empty,
        outcome = Empty,
        otel.status_code = Empty,
    );
    let report = running.instrument(span.clone()).await;
    span.record("run", &*report.id);
    span.record("outcome", report.outcome.as_str());
    if !matches!(report.outcome, Outcome::Done | Outcome::Suspended) {
        span.record("otel.status_code", "ERROR");
    }
    metrics.ran(manifest, &report);
    report
}

/// Counts and traces how a connector reads a message of its counterpart; answers as it does.
pub async fn receive<T, E>(
    metrics: &Metrics,
    manifest: &Manifest,
    reading: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let span = info_span!(
        target: TARGET,
        "webhook",
        connector = manifest.name,
        result = Empty,
        otel.status_code = Empty,
    );
    let read = reading.instrument(span.clone()).await;
    let result = match &read {
        Ok(_) => WebhookResult::Handled,
        Err(_) => WebhookResult::Failed,
    };
    span.record("result", result.as_str());
    if read.is_err() {
        span.record("otel.status_code", "ERROR");
    }
    metrics.webhook(result);
    read
}

/// The span of a request that the server answers, by the names of OpenTelemetry's conventions.
pub(super) fn request(method: &'static str, route: &str) -> Span {
    info_span!(
        target: TARGET,
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        otel.status_code = Empty,
    )
}

/// The request was answered.
pub(super) fn answered(span: &Span, status: u16) {
    span.record("http.response.status_code", status);
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}
