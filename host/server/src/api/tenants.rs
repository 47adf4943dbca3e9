//! `/v1/tenants`: the customers of the platform.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tenon_host::ids::TenantId;
use utoipa::{IntoParams, ToSchema};

use super::access::{Access, Platform, Read, ToTenant};
use super::connections::Whole;
use super::extract::{Json, Query};
use super::page::{self, Page, PageQuery};
use super::problem::Problem;
use super::texts::Language;
use super::{Created, Reply, created, reply};
use crate::control::tenants::{self, Keep};
use crate::service::{NewTenant, Service, TenantChange};

/// A customer of the platform.
#[derive(Serialize, ToSchema)]
#[schema(as = Tenant)]
pub struct TenantView {
    /// Identifier.
    #[schema(value_type = String)]
    id: TenantId,
    /// Its name for people.
    name: String,
    /// IANA name of the time zone that schedules are meant in.
    time_zone: String,
    /// The language of its people.
    language: String,
    /// ISO 4217 code of its home currency.
    currency: String,
    /// How many days its log, its runs with their changes, failed records, questions and webhooks that
    /// were given up are kept.
    #[schema(minimum = 1, maximum = 3650)]
    keep_days: u32,
    /// How many lines of its log are kept, the newest.
    #[schema(minimum = 1000, maximum = 100_000_000)]
    keep_log_lines: u32,
    /// When it was created.
    created_at: Timestamp,
}

/// Which tenants are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TenantFilter {
    /// With this in the identifier or the name, ignoring case.
    #[param(min_length = 1, max_length = 200, nullable = false)]
    q: Option<String>,
}

/// A tenant to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTenant)]
pub struct NewTenantBody {
    /// Identifier; it stands in addresses and names files.
    #[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
    id: TenantId,
    /// Its name for people.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// IANA name of its time zone, such as `Europe/Kyiv`.
    #[schema(min_length = 1, max_length = 100)]
    time_zone: String,
    /// The language of its people.
    language: Language,
    /// ISO 4217 code of its home currency, such as `UAH`.
    #[schema(pattern = "^[A-Z]{3}$")]
    currency: String,
    /// How many days what went on in it is kept; 90 by default.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 3650, nullable = false)]
    keep_days: Option<Whole>,
    /// How many lines of its log are kept; a million by default.
    #[schema(value_type = Option<u32>, minimum = 1000, maximum = 100_000_000, nullable = false)]
    keep_log_lines: Option<Whole>,
}

/// Changes to a tenant; absent members stay as they are.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TenantChange)]
pub struct TenantChangeBody {
    /// Its name for people.
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    /// IANA name of its time zone.
    #[schema(min_length = 1, max_length = 100, nullable = false)]
    time_zone: Option<String>,
    /// The language of its people.
    language: Option<Language>,
    /// ISO 4217 code of its home currency. Records that are there keep theirs.
    #[schema(pattern = "^[A-Z]{3}$", nullable = false)]
    currency: Option<String>,
    /// How many days what went on in it is kept.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 3650, nullable = false)]
    keep_days: Option<Whole>,
    /// How many lines of its log are kept.
    #[schema(value_type = Option<u32>, minimum = 1000, maximum = 100_000_000, nullable = false)]
    keep_log_lines: Option<Whole>,
}

impl From<tenants::Tenant> for TenantView {
    fn from(tenant: tenants::Tenant) -> Self {
        TenantView {
            id: tenant.id,
            name: tenant.name,
            time_zone: tenant.time_zone,
            language: tenant.language,
            currency: tenant.currency,
            keep_days: tenant.keep.days,
            keep_log_lines: tenant.keep.log_lines,
            created_at: tenant.created_at,
        }
    }
}

/// The tenants, ordered by identifier, for tokens that are not limited to one.
#[utoipa::path(get, path = "/v1/tenants", tag = "tenants", params(TenantFilter, PageQuery),
    responses((status = 200, description = "Tenants", body = Page<TenantView>)))]
pub async fn list_tenants(
    State(service): State<Service>,
    access: Access<Read>,
    Query(filter): Query<TenantFilter>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<TenantView>> {
    access.caller.require_all_tenants()?;
    let after: Option<TenantId> = page::place(query.after.as_deref())?;
    let rows = service
        .control()
        .read(move |db| {
            let (text, rows) = (filter.q.as_deref(), page::rows(query.limit));
            Ok::<_, Problem>(tenants::list(db, text, after.as_ref(), rows)?)
        })
        .await?;
    reply(page::page(
        query.limit,
        rows,
        |tenant| tenant.id.clone(),
        TenantView::from,
    ))
}

/// Creates a tenant.
#[utoipa::path(post, path = "/v1/tenants", tag = "tenants", request_body = NewTenantBody,
    responses((status = 201, description = "The new tenant", body = TenantView)))]
pub async fn create_tenant(
    State(service): State<Service>,
    access: Access<Platform>,
    Json(body): Json<NewTenantBody>,
) -> Created<TenantView> {
    let (id, usual) = (body.id.clone(), Keep::default());
    let new = NewTenant {
        id: body.id,
        name: body.name,
        time_zone: body.time_zone,
        language: body.language.tag().to_owned(),
        currency: body.currency,
        keep: Keep {
            days: body.keep_days.map_or(usual.days, Whole::small),
            log_lines: body.keep_log_lines.map_or(usual.log_lines, Whole::small),
        },
    };
    service.create_tenant(access.actor(), new).await?;
    created(service.tenant(&id).await?.into())
}

/// A tenant.
#[utoipa::path(get, path = "/v1/tenants/{tenant}", tag = "tenants",
    responses((status = 200, description = "The tenant", body = TenantView)))]
pub async fn get_tenant(
    State(service): State<Service>,
    access: ToTenant<Read>,
) -> Reply<TenantView> {
    reply(service.tenant(&access.tenant).await?.into())
}

/// Changes a tenant.
#[utoipa::path(patch, path = "/v1/tenants/{tenant}", tag = "tenants",
    request_body = TenantChangeBody,
    responses((status = 200, description = "The tenant as it is now", body = TenantView)))]
pub async fn change_tenant(
    State(service): State<Service>,
    access: ToTenant<Platform>,
    Json(body): Json<TenantChangeBody>,
) -> Reply<TenantView> {
    let change = TenantChange {
        name: body.name,
        time_zone: body.time_zone,
        language: body.language.map(|language| language.tag().to_owned()),
        currency: body.currency,
        keep_days: body.keep_days.map(Whole::small),
        keep_log_lines: body.keep_log_lines.map(Whole::small),
    };
    let (actor, tenant) = (access.actor(), &access.tenant);
    service.change_tenant(actor, tenant, change).await?;
    reply(service.tenant(tenant).await?.into())
}

/// Removes a tenant whose connections are off, with everything that belongs to it.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}", tag = "tenants",
    responses((status = 204, description = "It is removed")))]
pub async fn delete_tenant(
    State(service): State<Service>,
    access: ToTenant<Platform>,
) -> Result<StatusCode, Problem> {
    service
        .delete_tenant(access.actor(), &access.tenant)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
