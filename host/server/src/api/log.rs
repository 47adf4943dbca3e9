//! `/v1/…/log`: what runs logged.

use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tenon_host::ids::{ConnectionId, TenantId};
use utoipa::{IntoParams, ToSchema};

use super::access::{Read, ToConnection, ToTenant};
use super::extract::Query;
use super::page::{self, Page, PageQuery};
use super::problem::Problem;
use super::{Reply, reply};
use crate::control::log::{self, Line, Place};
use crate::service::Service;

/// Which lines are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogFilter {
    /// About this record.
    #[param(min_length = 1, max_length = 500, nullable = false)]
    record: Option<String>,
    /// Of this run.
    #[param(min_length = 1, max_length = 64, nullable = false)]
    run: Option<String>,
    /// Of this level or a more severe one: `info`, `warn` or `error`.
    #[param(pattern = "^(info|warn|error)$", nullable = false)]
    level: Option<String>,
}

/// Of which connection lines are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfConnection {
    /// Of this connection.
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

/// What the runs of a connection logged, newest first.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}/log", tag = "runs",
    params(LogFilter, PageQuery),
    responses((status = 200, description = "Lines", body = Page<LineView>)))]
pub async fn list_log(
    State(service): State<Service>,
    access: ToConnection<Read>,
    Query(filter): Query<LogFilter>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<LineView>> {
    let connection = Some(access.connection);
    lines(&service, access.tenant, connection, filter, query).await
}

/// What the runs of a tenant logged, newest first.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/log", tag = "runs",
    params(LogFilter, OfConnection, PageQuery),
    responses((status = 200, description = "Lines", body = Page<LineView>)))]
pub async fn list_tenant_log(
    State(service): State<Service>,
    access: ToTenant<Read>,
    Query(filter): Query<LogFilter>,
    Query(of): Query<OfConnection>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<LineView>> {
    lines(&service, access.tenant, of.connection, filter, query).await
}

async fn lines(
    service: &Service,
    tenant: TenantId,
    connection: Option<ConnectionId>,
    filter: LogFilter,
    query: PageQuery,
) -> Reply<Page<LineView>> {
    let after: Option<Place> = page::place(query.after.as_deref())?;
    let limit = query.limit;
    let rows = service
        .control()
        .read(move |db| {
            let filter = log::Filter {
                tenant: &tenant,
                connection: connection.as_ref(),
                record: filter.record.as_deref(),
                run: filter.run.as_deref(),
                level: filter.level.as_deref(),
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
