//! `/v1/…/log`: what runs logged.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tenon_host::ids::{ConnectionId, TenantId};
use utoipa::{IntoParams, ToSchema};

use super::access::{Read, ToConnection, ToTenant};
use super::extract::Query;
use super::page::{self, Page, PageQuery};
use super::problem::Problem;
use super::words::{Spoken, Why, Words};
use super::{Reply, reply};
use crate::control::connections;
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
    /// The same for programs and for who is to mend it; null of lines for developers.
    why: Option<Why>,
    /// The run.
    run: Option<String>,
}

impl LineView {
    fn new(line: Line, words: &Words) -> Self {
        LineView {
            at: line.at,
            connection: line.connection,
            job: line.job,
            level: line.level,
            record: line.record,
            message: words.text(&line.message, line.why.as_ref()),
            why: line.why.map(Why::from),
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
    let words = Several {
        known: HashMap::from([(access.connection.to_string(), access.words(&service).await?)]),
        other: access.spoken.words(Arc::clone(service.texts())),
    };
    let connection = Some(access.connection);
    lines(&service, access.tenant, connection, filter, query, words).await
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
    let words = several(&service, &access.spoken, &access.tenant).await?;
    lines(&service, access.tenant, of.connection, filter, query, words).await
}

/// What tells things of several connections, by name, and of those that are gone.
pub(super) struct Several {
    known: HashMap<String, Words>,
    other: Words,
}

impl Several {
    /// What tells things of a connection.
    pub(super) fn of(&self, connection: &str) -> &Words {
        self.known.get(connection).unwrap_or(&self.other)
    }
}

/// For all connections of a tenant.
pub(super) async fn several(
    service: &Service,
    spoken: &Spoken,
    tenant: &TenantId,
) -> Result<Several, Problem> {
    let tenant = tenant.clone();
    let digests = service
        .control()
        .read(move |db| Ok::<_, Problem>(connections::digests(db, &tenant)?))
        .await?;
    let mut known = HashMap::new();
    for (connection, digest) in digests {
        let texts = service.texts_of(&digest).await?;
        known.insert(connection, spoken.words(texts));
    }
    Ok(Several {
        known,
        other: spoken.words(Arc::clone(service.texts())),
    })
}

async fn lines(
    service: &Service,
    tenant: TenantId,
    connection: Option<ConnectionId>,
    filter: LogFilter,
    query: PageQuery,
    words: Several,
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
        |(_, line)| {
            let words = words.of(&line.connection);
            LineView::new(line, words)
        },
    ))
}
