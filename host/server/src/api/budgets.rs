//! `/v1/tenants/{tenant}/connections/{connection}/budgets`: how much is spent of what counterparts
//! allow.

use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use tenon_host::BudgetUse;
use utoipa::ToSchema;

use super::access::{Read, ToConnection};
use super::{Reply, reply};
use crate::service::Service;

/// How much is spent of a request budget within a window.
#[derive(Serialize, ToSchema)]
#[schema(as = Budget)]
pub struct BudgetView {
    /// Origin of the endpoint.
    endpoint: String,
    /// The credential whose budget it is; null where requests are not signed. All connections of the
    /// tenant that have the same secret share it.
    credential: Option<String>,
    /// Length of the window in milliseconds.
    window_ms: u64,
    /// Units that the window holds. A request takes one unit, some take more.
    units: u64,
    /// Units that were spent within the window by whatever runs on the data folder.
    used: u64,
    /// Units that may be spent now.
    left: u64,
    /// Whether the counterpart itself said how much is left; else the connector's manifest says so.
    told: bool,
    /// When the next request may be sent; null when that is now.
    free_at: Option<Timestamp>,
}

/// The request budgets of a connection.
#[derive(Serialize, ToSchema)]
#[schema(as = Budgets)]
pub struct BudgetsView {
    /// By endpoint, the shortest window first. Empty while the connection is not set up.
    items: Vec<BudgetView>,
}

impl From<BudgetUse> for BudgetView {
    fn from(one: BudgetUse) -> Self {
        BudgetView {
            endpoint: one.endpoint,
            credential: one.credential,
            window_ms: one.window_ms,
            units: one.units,
            used: one.used,
            left: one.left,
            told: one.told,
            free_at: one.free_at,
        }
    }
}

/// How much is spent of what the counterparts of a connection allow.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}/budgets",
    tag = "connections",
    responses((status = 200, description = "The budgets", body = BudgetsView)))]
pub async fn list_budgets(
    State(service): State<Service>,
    access: ToConnection<Read>,
) -> Reply<BudgetsView> {
    let budgets = service.budgets(&access.tenant, &access.connection).await?;
    reply(BudgetsView {
        items: budgets.into_iter().map(BudgetView::from).collect(),
    })
}
