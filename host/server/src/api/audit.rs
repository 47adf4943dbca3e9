//! `/v1/audit`: who changed what.

use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tenon_host::ids::TenantId;
use utoipa::ToSchema;

use super::access::{Access, Platform, Read, ToTenant};
use super::extract::Query;
use super::page::{self, Page, PageQuery};
use super::problem::Problem;
use super::{Reply, reply};
use crate::control::audit::{self, Entry};
use crate::service::Service;

/// Something that was done.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct EntryView {
    /// When it was done.
    at: Timestamp,
    /// Name of the token that asked, or `host`.
    actor: String,
    /// The tenant that it is about.
    tenant: Option<String>,
    /// The connection that it is about.
    connection: Option<String>,
    /// What was done, such as `connection.enable`.
    action: String,
    /// Details, depending on the action.
    #[schema(value_type = Object)]
    detail: Value,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        EntryView {
            at: entry.at,
            actor: entry.actor,
            tenant: entry.tenant,
            connection: entry.connection,
            action: entry.action,
            detail: entry.detail,
        }
    }
}

/// What was done on the whole platform, newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(PageQuery),
    responses((status = 200, description = "What was done", body = Page<EntryView>)))]
pub async fn list_audit(
    State(service): State<Service>,
    _: Access<Platform>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<EntryView>> {
    entries(&service, None, query).await
}

/// What was done in a tenant, newest first.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/audit", tag = "audit", params(PageQuery),
    responses((status = 200, description = "What was done", body = Page<EntryView>)))]
pub async fn list_tenant_audit(
    State(service): State<Service>,
    access: ToTenant<Read>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<EntryView>> {
    entries(&service, Some(access.tenant), query).await
}

async fn entries(
    service: &Service,
    tenant: Option<TenantId>,
    query: PageQuery,
) -> Reply<Page<EntryView>> {
    let after: Option<i64> = page::place(query.after.as_deref())?;
    let rows = service
        .control()
        .read(move |db| {
            let rows = page::rows(query.limit);
            Ok::<_, Problem>(audit::list(db, tenant.as_ref(), after, rows)?)
        })
        .await?;
    reply(page::page(
        query.limit,
        rows,
        |entry| entry.id,
        EntryView::from,
    ))
}
