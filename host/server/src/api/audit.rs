//! `/v1/audit`: who changed what.

use std::collections::HashMap;

use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tenon_host::ids::TenantId;
use utoipa::ToSchema;

use super::access::{Access, Platform, Read, ToTenant};
use super::extract::Query;
use super::log::{Several, several};
use super::page::{self, Page, PageQuery};
use super::problem::Problem;
use super::words::Spoken;
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
    /// Details, depending on the action. A `reason` is in the language of who asks.
    #[schema(value_type = Object)]
    detail: Value,
}

impl EntryView {
    fn new(entry: Entry, words: Option<&Several>) -> Self {
        let mut detail = entry.detail;
        if let Some(words) = words
            && let Some(text) = detail["reason"].as_str()
        {
            let why = serde_json::from_value(detail["why"].clone()).ok();
            let connection = entry.connection.as_deref().unwrap_or_default();
            detail["reason"] = words.of(connection).text(text, why.as_ref()).into();
        }
        EntryView {
            at: entry.at,
            actor: entry.actor,
            tenant: entry.tenant,
            connection: entry.connection,
            action: entry.action,
            detail,
        }
    }
}

/// What was done on the whole platform, newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(PageQuery),
    responses((status = 200, description = "What was done", body = Page<EntryView>)))]
pub async fn list_audit(
    State(service): State<Service>,
    access: Access<Platform>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<EntryView>> {
    entries(&service, None, query, &access.spoken).await
}

/// What was done in a tenant, newest first.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/audit", tag = "audit", params(PageQuery),
    responses((status = 200, description = "What was done", body = Page<EntryView>)))]
pub async fn list_tenant_audit(
    State(service): State<Service>,
    access: ToTenant<Read>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<EntryView>> {
    entries(&service, Some(access.tenant), query, &access.spoken).await
}

async fn entries(
    service: &Service,
    tenant: Option<TenantId>,
    query: PageQuery,
    spoken: &Spoken,
) -> Reply<Page<EntryView>> {
    let after: Option<i64> = page::place(query.after.as_deref())?;
    let rows = service
        .control()
        .read(move |db| {
            let rows = page::rows(query.limit);
            Ok::<_, Problem>(audit::list(db, tenant.as_ref(), after, rows)?)
        })
        .await?;
    // Texts are read of those tenants alone of whose connections a reason is told.
    let mut words = HashMap::new();
    for entry in rows.iter().filter(|entry| entry.detail["why"].is_object()) {
        let owner: Option<TenantId> = entry.tenant.as_deref().and_then(|id| id.parse().ok());
        if let Some(owner) = owner.filter(|owner| !words.contains_key(owner.as_str())) {
            let several = several(service, spoken, &owner).await?;
            words.insert(owner.to_string(), several);
        }
    }
    reply(page::page(
        query.limit,
        rows,
        |entry| entry.id,
        |entry| {
            let words = entry.tenant.as_deref().and_then(|owner| words.get(owner));
            EntryView::new(entry, words)
        },
    ))
}
