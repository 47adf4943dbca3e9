//! `/v1/maintenance`: holding connections while people work on something.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tenon_host::reason::Reason;
use utoipa::{IntoParams, ToSchema};

use super::access::{Access, Platform};
use super::extract::{Json, Query};
use super::problem::Problem;
use super::{Reply, reply};
use crate::control::maintenance::{Held, Maintenance};
use crate::service::{Error, Service};

/// What is held.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeldScope {
    /// All connections.
    All,
    /// Those of a connector, in all tenants.
    Connector,
    /// Those of a tenant.
    Tenant,
}

/// A maintenance that is under way. Connections that it holds stay on and run nothing.
#[derive(Serialize, ToSchema)]
#[schema(as = Maintenance)]
pub struct MaintenanceView {
    /// What is held.
    scope: HeldScope,
    /// The connector or the tenant; null for all.
    name: Option<String>,
    /// What for. Tenants see it.
    note: String,
    /// Who began it.
    actor: String,
    /// Since when.
    since: Timestamp,
}

/// All that are under way.
#[derive(Serialize, ToSchema)]
pub struct MaintenancesView {
    /// By scope and name.
    items: Vec<MaintenanceView>,
}

/// A maintenance to begin.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMaintenance)]
pub struct NewMaintenanceBody {
    /// What is held.
    scope: HeldScope,
    /// The connector or the tenant; absent for all.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 63, nullable = false)]
    name: Option<String>,
    /// What for. Tenants see it.
    #[serde(default)]
    #[schema(required = false, max_length = 500)]
    note: String,
}

/// Names a maintenance.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MaintenanceName {
    /// What is held.
    #[param(inline)]
    scope: HeldScope,
    /// The connector or the tenant; absent for all.
    #[param(min_length = 1, max_length = 63, nullable = false)]
    name: Option<String>,
}

/// What is held, by its parts.
fn held(scope: HeldScope, name: Option<String>) -> Result<Held, Error> {
    match (scope, name) {
        (HeldScope::All, None) => Ok(Held::All),
        (HeldScope::Connector, Some(name)) => Ok(Held::Connector(name)),
        (HeldScope::Tenant, Some(name)) => {
            let tenant = name.parse();
            Ok(Held::Tenant(tenant.map_err(|_| {
                Error::not_found(crate::service::What::Tenant, name)
            })?))
        }
        _ => Err(Error::invalid(
            "/name",
            Reason::new("server.maintenance-name"),
        )),
    }
}

impl From<Maintenance> for MaintenanceView {
    fn from(one: Maintenance) -> Self {
        let (scope, name) = match one.held {
            Held::All => (HeldScope::All, None),
            Held::Connector(name) => (HeldScope::Connector, Some(name)),
            Held::Tenant(tenant) => (HeldScope::Tenant, Some(tenant.to_string())),
        };
        MaintenanceView {
            scope,
            name,
            note: one.note,
            actor: one.actor,
            since: one.since,
        }
    }
}

/// What is held for maintenance.
#[utoipa::path(get, path = "/v1/maintenance", tag = "maintenance",
    responses((status = 200, description = "What is held", body = MaintenancesView)))]
pub async fn list_maintenance(
    State(service): State<Service>,
    _: Access<Platform>,
) -> Reply<MaintenancesView> {
    let all = service.maintenance().await?.into_iter();
    reply(MaintenancesView {
        items: all.map(MaintenanceView::from).collect(),
    })
}

/// Holds connections. Runs under way end at once and go on from their last checkpoints later; schedules,
/// webhooks and requests wait, and nothing of them is lost.
#[utoipa::path(put, path = "/v1/maintenance", tag = "maintenance", request_body = NewMaintenanceBody,
    responses((status = 200, description = "It is under way", body = MaintenanceView)))]
pub async fn begin_maintenance(
    State(service): State<Service>,
    access: Access<Platform>,
    Json(body): Json<NewMaintenanceBody>,
) -> Reply<MaintenanceView> {
    let held = held(body.scope, body.name)?;
    let begun = service.hold(access.actor(), held, body.note).await?;
    reply(begun.into())
}

/// Lets connections go on. What came due meanwhile runs once.
#[utoipa::path(delete, path = "/v1/maintenance", tag = "maintenance", params(MaintenanceName),
    responses((status = 204, description = "It has ended")))]
pub async fn end_maintenance(
    State(service): State<Service>,
    access: Access<Platform>,
    Query(name): Query<MaintenanceName>,
) -> Result<StatusCode, Problem> {
    let held = held(name.scope, name.name)?;
    service.let_go(access.actor(), held).await?;
    Ok(StatusCode::NO_CONTENT)
}
