//! `/v1/tenants/{tenant}/connections/{connection}/waits`: why something is late.

use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::{Read, ToConnection};
use super::words::{Why, Words};
use super::{Reply, reply};
use crate::service::{For, Service, Wait};

/// What a request or a schedule waits for.
#[derive(Serialize, ToSchema)]
#[schema(as = Wait)]
pub struct WaitView {
    /// The job.
    job: String,
    /// The request; null for a schedule.
    request: Option<i64>,
    /// The run that is under way: that of the request, or the one that it waits for.
    run: Option<String>,
    /// What it waits for.
    waits_for: For,
    /// Since when the request was due; null for one that is not due yet, and for a schedule.
    since: Option<Timestamp>,
    /// Until when it waits, where that is known.
    until: Option<Timestamp>,
    /// The same for people.
    text: String,
    /// The same for programs.
    why: Why,
}

/// What a connection waits for.
#[derive(Serialize, ToSchema)]
#[schema(as = Waits)]
pub struct WaitsView {
    /// By request, the oldest first, at most a hundred; then schedules that wait for the hours of
    /// exchange.
    items: Vec<WaitView>,
}

impl WaitView {
    fn new(wait: Wait, words: &Words) -> WaitView {
        let why = match words.told(wait.because) {
            (Some(because), _) => wait.text.arg("reason", because),
            (None, _) => wait.text,
        };
        WaitView {
            job: wait.job,
            request: wait.request.map(|request| request.0),
            run: wait.run,
            waits_for: wait.waits_for,
            since: wait.since,
            until: wait.until,
            text: words.said(&why),
            why: why.into(),
        }
    }
}

/// Why something of a connection is late.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}/waits", tag = "work",
    responses((status = 200, description = "What it waits for", body = WaitsView)))]
pub async fn list_waits(
    State(service): State<Service>,
    access: ToConnection<Read>,
) -> Reply<WaitsView> {
    let waits = service.waits(&access.tenant, &access.connection).await?;
    let words = access.words(&service).await?;
    reply(WaitsView {
        items: (waits.into_iter())
            .map(|wait| WaitView::new(wait, &words))
            .collect(),
    })
}
