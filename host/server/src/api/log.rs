//! `/v1/…/log`: what runs logged.

use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tenon_host::ids::{ConnectionId, TenantId};
use utoipa::{IntoParams, ToSchema};

use super::access::{Read, ToConnection, ToTenant};
use super::extract::Query;
use super::page::{self, Page};
use super::problem::Problem;
use super::{Reply, reply};
use crate::control::log::{self, Line, Place};
use crate::service::Service;

/// Which lines are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// About one record.
    #[param(min_length = 1, max_length = 500, nullable = false)]
    record: Option<String>,
    /// Of one run.
    #[param(min_length = 1, max_length = 64, nullable = false)]
    run: Option<String>,
    /// This grave or graver: `info`, `warn` or `error`.
    #[param(pattern = "^(info|warn|error)$", nullable = false)]
    level: Option<String>,
    /// Most lines of the page.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(min_length = 1, max_length = 1000, nullable = false)]
    after: Option<String>,
}

/// Of which connection lines are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfConnection {
    /// Of one connection.
    #[param(value_type = String, required = false, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
    connection: Option<ConnectionId>,
}

/// A line of the log.
#[derive(Serialize, ToSchema)]
#[schema(as = LogLine)]
pub struct LineView {
    /// When it was written.
    at: Timestamp,
    /// The connection.
    connection: String,
    /// The job that ran.
    job: String,
    /// `info`, `warn` or `error`.
    level: String,
    /// The record that it is about.
    record: Option<String>,
    /// What happened.
    message: String,
    /// The run.
    run: Option<String>,
}

impl From<Line> for LineView {
    fn from(line: Line) -> Self {
        LineView {
            at: line.at,
            connection: line.connection,
            job: line.job,
            level: line.level,
            record: line.record,
            message: line.message,
            run: line.run,
        }
    }
}

/// What the runs of a connection logged, the newest first.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}/log", tag = "runs",
    params(LogQuery),
    responses((status = 200, description = "Lines", body = Page<LineView>)))]
pub async fn list_log(
    State(service): State<Service>,
    access: ToConnection<Read>,
    Query(query): Query<LogQuery>,
) -> Reply<Page<LineView>> {
    lines(&service, access.tenant, Some(access.connection), query).await
}

/// What the runs of a tenant logged, the newest first.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/log", tag = "runs",
    params(LogQuery, OfConnection),
    responses((status = 200, description = "Lines", body = Page<LineView>)))]
pub async fn list_tenant_log(
    State(service): State<Service>,
    access: ToTenant<Read>,
    Query(query): Query<LogQuery>,
    Query(of): Query<OfConnection>,
) -> Reply<Page<LineView>> {
    lines(&service, access.tenant, of.connection, query).await
}

async fn lines(
    service: &Service,
    tenant: TenantId,
    connection: Option<ConnectionId>,
    query: LogQuery,
) -> Reply<Page<LineView>> {
    let after: Option<Place> = page::place(query.after.as_deref())?;
    let limit = query.limit;
    let rows = service
        .control()
        .read(move |db| {
            let filter = log::Filter {
                tenant: &tenant,
                connection: connection.as_ref(),
                record: query.record.as_deref(),
                run: query.run.as_deref(),
                level: query.level.as_deref(),
                after,
                limit: page::rows(limit),
            };
            Ok::<_, Problem>(log::page(db, filter)?)
        })
        .await?;
    reply(page::page(
        limit,
        rows,
        |(place, _)| *place,
        |(_, line)| line.into(),
    ))
}
