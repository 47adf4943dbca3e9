//! `/v1/tenants/{tenant}/connections/{connection}/waits`: why something is late.

use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::{Read, ToConnection};
use super::words::{Why, Words};
use super::{Reply, reply};
use crate::service::{For, Service, Wait};

/// What something waits for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// Nothing: it is running.
    Nothing,
    /// A place among the runs of the server.
    Place,
    /// Room in the request budget.
    Budget,
    /// The connection's hours of exchange.
    Window,
    /// The counterpart: its answer, or the time before which it takes no requests.
    Counterpart,
    /// Another run of the connection, or something that people do with it.
    Lease,
    /// Somebody who switches the connection on: it is paused.
    Paused,
    /// Somebody who switches the connection on: it is off.
    Off,
    /// The end of a maintenance.
    Maintenance,
    /// The next attempt after one that failed.
    Retry,
    /// The time for which it was requested.
    Time,
    /// Somebody who retries it: it was given up.
    Dead,
}

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
    waits_for: WaitsFor,
    /// Since when the request was due; null for a schedule.
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
        WaitView {
            job: wait.job,
            request: wait.request.map(|request| request.0),
            run: wait.run,
            waits_for: match wait.waits_for {
                For::Nothing => WaitsFor::Nothing,
                For::Place => WaitsFor::Place,
                For::Budget => WaitsFor::Budget,
                For::Window => WaitsFor::Window,
                For::Counterpart => WaitsFor::Counterpart,
                For::Lease => WaitsFor::Lease,
                For::Paused => WaitsFor::Paused,
                For::Off => WaitsFor::Off,
                For::Maintenance => WaitsFor::Maintenance,
                For::Retry => WaitsFor::Retry,
                For::Time => WaitsFor::Time,
                For::Dead => WaitsFor::Dead,
            },
            since: wait.since,
            until: wait.until,
            text: words.said(&wait.text),
            why: wait.text.into(),
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
