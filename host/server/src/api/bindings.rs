//! `…/bindings`: which record of the platform is which one of the counterpart, for people to mend.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tenon_host::platform::Binding;
use utoipa::{IntoParams, ToSchema};

use super::access::{Manage, Read, ToConnection};
use super::extract::{Json, Query};
use super::page::{self, Page, PageQuery};
use super::problem::{Problem, ProblemBody};
use super::{Reply, reply};
use crate::service::{Error, Service};

/// A pair of records.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Binding)]
pub struct BindingView {
    /// Kind of record, as the connector names it.
    #[schema(min_length = 1, max_length = 200)]
    kind: String,
    /// Key on the platform.
    #[schema(min_length = 1, max_length = 500)]
    key: String,
    /// The counterpart's record.
    #[schema(min_length = 1, max_length = 500)]
    origin: String,
}

/// Which bindings are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BindingFilter {
    /// Of this kind of record.
    #[param(min_length = 1, max_length = 200, nullable = false)]
    kind: Option<String>,
    /// With this in the key or the origin.
    #[param(min_length = 1, max_length = 200, nullable = false)]
    q: Option<String>,
}

/// Names a binding.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BindingName {
    /// Kind of record.
    #[param(min_length = 1, max_length = 200)]
    kind: String,
    /// The counterpart's record.
    #[param(min_length = 1, max_length = 500)]
    origin: String,
}

/// The bindings of a connection.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}/bindings",
    tag = "records", params(BindingFilter, PageQuery),
    responses(
        (status = 200, description = "Bindings", body = Page<BindingView>),
        (status = 422, description = "The platform cannot be reached", body = ProblemBody,
            content_type = "application/problem+json"),
    ))]
pub async fn list_bindings(
    State(service): State<Service>,
    access: ToConnection<Read>,
    Query(filter): Query<BindingFilter>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<BindingView>> {
    let after: Option<String> = page::place(query.after.as_deref())?;
    let limit = query.limit.unwrap_or(page::USUAL);
    let (tenant, connection) = (&access.tenant, &access.connection);
    let (found, next) = service
        .host()
        .search_bindings(tenant, connection, filter.kind, filter.q, after, limit)
        .await
        .map_err(Error::from)?;
    let items = found.into_iter().map(|binding| BindingView {
        kind: binding.kind,
        key: binding.key,
        origin: binding.origin,
    });
    reply(Page {
        items: items.collect(),
        next: next.map(|place| page::cursor(&place)),
    })
}

/// Pairs a counterpart's record with a record of the platform, in place of any earlier pair of it.
#[utoipa::path(put, path = "/v1/tenants/{tenant}/connections/{connection}/bindings",
    tag = "records", request_body = BindingView,
    responses((status = 204, description = "They are paired")))]
pub async fn put_binding(
    State(service): State<Service>,
    access: ToConnection<Manage>,
    Json(body): Json<BindingView>,
) -> Result<StatusCode, Problem> {
    let binding = Binding {
        kind: body.kind,
        key: body.key,
        origin: body.origin,
        fingerprint: None,
    };
    service
        .rebind(access.actor(), &access.tenant, &access.connection, binding)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a binding.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/connections/{connection}/bindings",
    tag = "records", params(BindingName),
    responses((status = 204, description = "It is removed")))]
pub async fn delete_binding(
    State(service): State<Service>,
    access: ToConnection<Manage>,
    Query(name): Query<BindingName>,
) -> Result<StatusCode, Problem> {
    let (tenant, connection) = (&access.tenant, &access.connection);
    service
        .unbind(access.actor(), tenant, connection, &name.kind, &name.origin)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
