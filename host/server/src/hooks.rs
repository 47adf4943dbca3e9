//! Webhooks of counterparts: stored and answered before any connector runs, then turned into
//! requests.
//!
//! The threats: who knows an address can make a connector work, so the address holds a secret of 32
//! random bytes, of which only the digest is kept; guessing it takes as long as finding it, since it
//! is looked up by its digest either way. A flood is cut by size and by merging. And a counterpart
//! gives up after a moment (MoySklad after 1.5 s), so nothing but one durable write stands between a
//! webhook and its answer.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::model::Fault;
use tenon_host::{CallError, Cause, Webhook};

use crate::control::webhooks::{self, Kept, Sameness, Waiting};
use crate::control::{Failure, connections};
use crate::observe::{self, WebhookResult};
use crate::queue::{NewRequest, Priority};
use crate::service::{Error, Service};

/// Longest body. What counterparts send names records and is small.
const BODY: usize = 1 << 20;

/// Bytes of headers that are kept.
const HEADERS: usize = 16 << 10;

/// Longest topic.
const TOPIC: usize = 200;

/// Webhooks that are looked at together.
const BATCH: u32 = 200;

/// Attempts after which a webhook waits for people.
const ATTEMPTS: u32 = 6;

/// Longest sleep: the clock of the machine may be set meanwhile.
const SLEEP: Duration = Duration::from_secs(1);

/// Headers that never reach a connector: they are between the counterpart and this server.
const PRIVATE: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Where vendors put an id that is the same when they send a webhook again: in the query (MoySklad,
/// Webhooks, "requestId") or a header (Standard Webhooks, and common ones).
const ID_PARAMETER: &str = "requestId";
const ID_HEADERS: [&str; 4] = [
    "webhook-id",
    "x-request-id",
    "x-webhook-id",
    "idempotency-key",
];

/// `POST /hooks/{secret}/{topic}`.
pub fn router(service: Service) -> Router {
    Router::new()
        .route("/hooks/{secret}", post(receive_without_topic))
        .route("/hooks/{secret}/", post(receive_without_topic))
        .route("/hooks/{secret}/{*topic}", post(receive))
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(service)
}

async fn receive_without_topic(
    state: State<Service>,
    Path(secret): Path<String>,
    query: RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    receive(state, Path((secret, String::new())), query, headers, body).await
}

async fn receive(
    State(service): State<Service>,
    Path((secret, topic)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if topic.len() > TOPIC {
        return StatusCode::NOT_FOUND;
    }
    let webhook = Webhook {
        topic,
        headers: kept_headers(&headers),
        query: query.unwrap_or_default(),
        body: body.into(),
    };
    match store(&service, &secret, webhook).await {
        Ok(Some(kept)) => {
            tracing::debug!("a webhook came in: {kept:?}");
            service.metrics().webhook(WebhookResult::Accepted);
            StatusCode::ACCEPTED
        }
        Ok(None) => {
            service.metrics().webhook(WebhookResult::Unknown);
            StatusCode::NOT_FOUND
        }
        Err(error) => {
            service.metrics().webhook(WebhookResult::Failed);
            tracing::error!("a webhook could not be stored: {error}");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

/// Stores a webhook; none when no connection has this secret.
async fn store(service: &Service, secret: &str, webhook: Webhook) -> Result<Option<Kept>, Failure> {
    let hook = digest(secret);
    let found = (service.control())
        .read(move |db| Ok::<_, Failure>(connections::by_hook(db, &hook)?))
        .await?;
    // One that is being switched on has an address already, and its counterpart may try it.
    let Some(stored) = found else {
        return Ok(None);
    };
    let (tenant, connection) = (stored.tenant, stored.id);
    let sameness = sameness(&webhook);
    let kept = (service.control())
        .write(move |db| {
            let now = Timestamp::now();
            webhooks::keep(db, &tenant, &connection, &webhook, sameness, now)
        })
        .await?;
    service.inbox().notify_one();
    Ok(Some(kept))
}

/// What a secret is known by.
pub(crate) fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut left = HEADERS;
    let mut kept = Vec::new();
    for (name, value) in headers {
        let Ok(value) = value.to_str() else { continue };
        let size = name.as_str().len() + value.len();
        if PRIVATE.contains(&name.as_str()) || size > left {
            continue;
        }
        left -= size;
        kept.push((name.as_str().to_owned(), value.to_owned()));
    }
    kept
}

fn sameness(webhook: &Webhook) -> Sameness {
    let in_query = url::form_urlencoded::parse(webhook.query.as_bytes())
        .find_map(|(name, value)| (name == ID_PARAMETER).then(|| value.into_owned()));
    let in_headers = || {
        let mut headers = webhook.headers.iter();
        headers.find_map(|(name, value)| ID_HEADERS.contains(&name.as_str()).then(|| value.clone()))
    };
    let mut hasher = Sha256::new();
    let mut add = |part: &[u8]| {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    };
    add(webhook.topic.as_bytes());
    match in_query.or_else(in_headers) {
        Some(id) => {
            add(id.as_bytes());
            Sameness::Id(hasher.finalize().into())
        }
        None => {
            add(webhook.query.as_bytes());
            add(&webhook.body);
            Sameness::Content(hasher.finalize().into())
        }
    }
}

/// Turns webhooks into requests, until the service stops.
pub async fn run(service: Service) {
    while !service.stopping() {
        let wait = match work_off(&service, Timestamp::now()).await {
            Ok(true) => Duration::ZERO,
            Ok(false) => SLEEP,
            Err(error) => {
                tracing::error!("webhooks: {error}");
                SLEEP
            }
        };
        if !wait.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = service.inbox().notified() => {}
                () = service.stopped() => {}
            }
        }
    }
}

/// Works off what is due; tells whether there may be more.
pub(crate) async fn work_off(service: &Service, now: Timestamp) -> Result<bool, Error> {
    let due = (service.control())
        .read(move |db| webhooks::due(db, now, BATCH))
        .await?;
    let more = due.len() >= BATCH as usize;
    for waiting in due {
        if service.stopping() {
            break;
        }
        let id = waiting.id;
        match ask(service, &waiting).await {
            // The requests are durable before the webhook is gone: a process that dies in between
            // asks twice, and equal requests merge.
            Ok(()) => {
                (service.control())
                    .write(move |db| webhooks::remove(db, id))
                    .await?;
            }
            Err(Trouble { reason, passes }) => {
                let attempt = waiting.attempts + 1;
                let again = (passes && attempt < ATTEMPTS)
                    .then(|| now + SignedDuration::from_secs(5 << (2 * attempt.min(8))));
                tracing::warn!(
                    "a webhook of connection {} of tenant {}: {reason}",
                    waiting.connection,
                    waiting.tenant
                );
                (service.control())
                    .write(move |db| webhooks::put_off(db, id, again, &reason))
                    .await?;
            }
        }
    }
    Ok(more)
}

/// Why a webhook did not become requests.
struct Trouble {
    reason: String,
    passes: bool,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble {
            passes: true,
            reason: error.to_string(),
        }
    }
}

async fn ask(service: &Service, waiting: &Waiting) -> Result<(), Trouble> {
    let Waiting {
        tenant, connection, ..
    } = waiting;
    let opened = service.opened(tenant, connection).await?;
    let reading = service.host().receive(&opened, waiting.webhook.clone());
    let manifest = &opened.connector().manifest;
    let wanted = observe::receive(service.metrics(), manifest, reading)
        .await
        .map_err(|error| Trouble {
            passes: matches!(error, CallError::Fault(Fault::Transient(_))),
            reason: error.to_string(),
        })?;
    let requests = wanted.into_iter().map(|wanted| NewRequest {
        tenant: TenantId::clone(tenant),
        connection: ConnectionId::clone(connection),
        job: wanted.job,
        argument: wanted.argument,
        preview: false,
        cause: Cause::Webhook,
        priority: Priority::Webhook,
        due: None,
    });
    let asked = service
        .queue()
        .ask(requests.collect(), Timestamp::now())
        .await;
    asked.map(drop).map_err(|error| Error::from(error).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(query: &str, headers: &[(&str, &str)], body: &str) -> Webhook {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Webhook {
            topic: "orders".to_owned(),
            headers: headers.iter().map(owned).collect(),
            query: query.to_owned(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_webhook_that_is_sent_again_is_known_by_its_id_whatever_else_differs() {
        let first = sameness(&webhook("requestId=7", &[("date", "1")], "a"));
        assert!(matches!(first, Sameness::Id(_)));
        assert_eq!(first, sameness(&webhook("requestId=7&x=1", &[], "a")));
        assert_ne!(first, sameness(&webhook("requestId=8", &[], "a")));
        let header = sameness(&webhook("", &[("webhook-id", "msg_1")], "a"));
        assert!(matches!(header, Sameness::Id(_)));
    }

    #[test]
    fn without_an_id_content_tells_webhooks_apart_and_headers_do_not() {
        let first = sameness(&webhook("a=1", &[("date", "1")], "{}"));
        assert!(matches!(first, Sameness::Content(_)));
        assert_eq!(first, sameness(&webhook("a=1", &[("date", "2")], "{}")));
        assert_ne!(first, sameness(&webhook("a=1", &[], "{ }")));
        assert_ne!(first, sameness(&webhook("a=2", &[], "{}")));
    }

    #[test]
    fn secrets_in_headers_and_floods_of_headers_are_not_kept() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Basic x".parse().unwrap());
        headers.insert("x-signature", "abc".parse().unwrap());
        headers.insert("x-flood", "y".repeat(HEADERS + 1).parse().unwrap());
        let kept = kept_headers(&headers);
        assert_eq!(vec![("x-signature".to_owned(), "abc".to_owned())], kept);
    }
}
