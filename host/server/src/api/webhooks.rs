//! `/v1/tenants/{tenant}/connections/{connection}/webhooks`: webhooks of counterparts that no run came
//! of.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{Operate, Read, ToConnection};
use super::extract::{Path, Query};
use super::page::{self, Page, PageQuery};
use super::problem::Problem;
use super::words::{Why, Words};
use super::work::Retried;
use super::{Reply, reply};
use crate::control::webhooks::{self, GivenUp};
use crate::service::Service;

/// A webhook that was given up: the connector refused it, failed each time that it read it, or took the
/// server down by that.
#[derive(Serialize, ToSchema)]
#[schema(as = GivenUpWebhook)]
pub struct GivenUpView {
    /// Identifier.
    id: i64,
    /// What the counterpart put behind the address.
    topic: String,
    /// When it came.
    received_at: Timestamp,
    /// How often the connector began to read it.
    attempts: u32,
    /// Why no run came of it.
    error: String,
    /// The same for programs and for who is to mend it.
    why: Option<Why>,
}

/// The webhook of a path.
#[derive(Deserialize)]
pub struct WebhookPath {
    webhook: i64,
}

impl GivenUpView {
    fn new(webhook: GivenUp, words: &Words) -> GivenUpView {
        let (error, why) = words.told(Some(webhook.error));
        GivenUpView {
            id: webhook.id,
            topic: webhook.topic,
            received_at: webhook.received_at,
            attempts: webhook.attempts,
            error: error.unwrap_or_default(),
            why,
        }
    }
}

/// The webhooks of a connection that were given up, oldest first; the last thousand are kept, for 90
/// days.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}/webhooks", tag = "work",
    params(PageQuery),
    responses((status = 200, description = "Webhooks", body = Page<GivenUpView>)))]
pub async fn list_webhooks(
    State(service): State<Service>,
    access: ToConnection<Read>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<GivenUpView>> {
    let after: Option<i64> = page::place(query.after.as_deref())?;
    let words = access.words(&service).await?;
    let rows = service
        .control()
        .read(move |db| {
            let (tenant, connection) = (&access.tenant, &access.connection);
            let rows = page::rows(query.limit);
            Ok::<_, Problem>(webhooks::given_up(db, tenant, connection, after, rows)?)
        })
        .await?;
    reply(page::page(
        query.limit,
        rows,
        |webhook| webhook.id,
        |webhook| GivenUpView::new(webhook, &words),
    ))
}

/// Lets the connector read all webhooks again that were given up.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/connections/{connection}/webhooks/retry",
    tag = "work",
    responses((status = 200, description = "How many webhooks are read again", body = Retried)))]
pub async fn retry_webhooks(
    State(service): State<Service>,
    access: ToConnection<Operate>,
) -> Reply<Retried> {
    let (tenant, connection) = (&access.tenant, &access.connection);
    let retried = service
        .retry_given_up(access.actor(), tenant, connection, None)
        .await?;
    reply(Retried { retried })
}

/// Lets the connector read a webhook again that was given up.
#[utoipa::path(post,
    path = "/v1/tenants/{tenant}/connections/{connection}/webhooks/{webhook}/retry", tag = "work",
    responses((status = 200, description = "It is read again", body = Retried)))]
pub async fn retry_webhook(
    State(service): State<Service>,
    access: ToConnection<Operate>,
    Path(path): Path<WebhookPath>,
) -> Reply<Retried> {
    let (tenant, connection) = (&access.tenant, &access.connection);
    let retried = service
        .retry_given_up(access.actor(), tenant, connection, Some(path.webhook))
        .await?;
    reply(Retried { retried })
}

/// Removes a webhook that was given up.
#[utoipa::path(delete,
    path = "/v1/tenants/{tenant}/connections/{connection}/webhooks/{webhook}", tag = "work",
    responses((status = 204, description = "It is removed")))]
pub async fn delete_webhook(
    State(service): State<Service>,
    access: ToConnection<Operate>,
    Path(path): Path<WebhookPath>,
) -> Result<StatusCode, Problem> {
    let (tenant, connection) = (&access.tenant, &access.connection);
    service
        .remove_given_up(access.actor(), tenant, connection, path.webhook)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
