//! `/v1/usage`: which tenants keep the server busy.

use axum::extract::State;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::{Access, Platform};
use super::extract::Query;
use super::problem::Problem;
use super::{Reply, reply};
use crate::control::runs::{self, Noise, Usage};
use crate::service::Service;

/// By what tenants are compared.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Runs that began.
    Runs,
    /// Runs that failed.
    Failed,
    /// Time that runs took.
    #[default]
    Time,
    /// Requests to counterparts.
    Requests,
}

/// Which usage is wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UsageQuery {
    /// By what tenants are compared; `time` when absent.
    #[serde(default)]
    #[param(inline, required = false)]
    by: Measure,
    /// Over how many hours up to now; 1 when absent.
    #[serde(default = "one")]
    #[param(minimum = 1, maximum = 168, required = false)]
    hours: u32,
    /// How many tenants at most; 10 when absent.
    #[serde(default = "ten")]
    #[param(minimum = 1, maximum = 100, required = false)]
    limit: u32,
}

fn one() -> u32 {
    1
}

fn ten() -> u32 {
    10
}

/// What the runs of a tenant did.
#[derive(Serialize, ToSchema)]
#[schema(as = Usage)]
pub struct UsageView {
    /// The tenant.
    tenant: String,
    /// Runs that began.
    runs: u64,
    /// Those of them that failed.
    failed_runs: u64,
    /// Milliseconds that those took that have ended.
    run_ms: u64,
    /// Requests that they sent to counterparts, in those that have ended.
    requests: u64,
}

/// The tenants that keep the server busiest.
#[derive(Serialize, ToSchema)]
#[schema(as = Usages)]
pub struct UsagesView {
    /// The busiest first.
    items: Vec<UsageView>,
}

impl From<Usage> for UsageView {
    fn from(usage: Usage) -> Self {
        UsageView {
            tenant: usage.tenant.to_string(),
            runs: usage.runs,
            failed_runs: usage.failed,
            run_ms: usage.took_ms,
            requests: usage.requests,
        }
    }
}

/// The tenants that keep the server busiest. Metrics name no tenant; this does.
#[utoipa::path(get, path = "/v1/usage", tag = "work", params(UsageQuery),
    responses((status = 200, description = "The busiest tenants", body = UsagesView)))]
pub async fn list_usage(
    State(service): State<Service>,
    _: Access<Platform>,
    Query(query): Query<UsageQuery>,
) -> Reply<UsagesView> {
    let by = match query.by {
        Measure::Runs => Noise::Runs,
        Measure::Failed => Noise::Failed,
        Measure::Time => Noise::Time,
        Measure::Requests => Noise::Requests,
    };
    let since = Timestamp::now() - SignedDuration::from_hours(query.hours.into());
    let found = service
        .control()
        .read(move |db| Ok::<_, Problem>(runs::usage(db, since, by, query.limit)?))
        .await?;
    reply(UsagesView {
        items: found.into_iter().map(UsageView::from).collect(),
    })
}
