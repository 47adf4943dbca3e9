//! Webhooks of counterparts: stored and answered before any connector runs, then turned into
//! requests, see [`reading`].
//!
//! The threats: who knows an address can make a connector work, so the address holds a secret of 32
//! random bytes, of which only the digest is kept; guessing it takes as long as finding it, since it
//! is looked up by its digest either way. A flood is cut by size, by merging and by the number that
//! may wait for one connection. A counterpart gives up after a moment (MoySklad after 1.5 s), so
//! nothing but one durable write stands between a webhook and its answer. A body is read only where
//! there is somebody for it, and only for so long: a stranger fills no memory with bodies that never
//! end.

mod reading;
#[cfg(test)]
mod walk;

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
pub(crate) use reading::Inbox;
pub use reading::run;
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use tenon_host::Webhook;

use crate::control::connections::Stored;
use crate::control::webhooks::{self, Kept, Sameness};
use crate::control::{Failure, connections, versions};
use crate::observe::WebhookResult;
use crate::service::Service;

/// Longest body. What counterparts send names records and is small.
const BODY: usize = 1 << 20;

/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Bytes of headers that are kept.
const HEADERS: usize = 16 << 10;

/// Longest topic.
const TOPIC: usize = 200;

/// After so many seconds a counterpart may send again what was not taken in.
const LATER: &str = "60";

/// Headers that never reach a connector: they are between the counterpart and this server.
const PRIVATE: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Where vendors put an id that is the same when they send a webhook again: in the query (MoySklad,
/// Webhooks, "requestId") or a header (Standard Webhooks, and common ones), the surest first. Not
/// `x-request-id`: proxies on the way give every request one.
const ID_PARAMETER: &str = "requestId";
const ID_HEADERS: [&str; 3] = ["webhook-id", "x-webhook-id", "idempotency-key"];

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
    request: Request,
) -> Response {
    let place = Path((secret, String::new()));
    receive(state, place, query, headers, request).await
}

async fn receive(
    State(service): State<Service>,
    Path((secret, topic)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    request: Request,
) -> Response {
    if topic.len() > TOPIC {
        return StatusCode::NOT_FOUND.into_response();
    }
    let hook = digest(&secret);
    let found = (service.control())
        .read(move |db| Ok::<_, Failure>(owner(db, &hook)?.is_some()))
        .await;
    match found {
        Ok(true) => {}
        Ok(false) => return unknown(&service),
        Err(error) => return failed(&service, &error),
    }
    let reading = Bytes::from_request(request, &());
    let body = match tokio::time::timeout(BODY_TIME, reading).await {
        Ok(Ok(body)) => body,
        Ok(Err(refused)) => return refused.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let webhook = Webhook {
        topic,
        headers: kept_headers(&headers),
        query: query.unwrap_or_default(),
        body: body.into(),
    };
    match store(&service, hook, webhook).await {
        Ok(Some(Kept::Full)) => {
            service.metrics().webhook(WebhookResult::Full);
            busy()
        }
        Ok(Some(kept)) => {
            tracing::debug!("a webhook came in: {kept:?}");
            service.metrics().webhook(WebhookResult::Accepted);
            // Some vendors take nothing else for an answer (MoySklad: 200 or 204) and send it again.
            StatusCode::OK.into_response()
        }
        Ok(None) => unknown(&service),
        Err(error) => failed(&service, &error),
    }
}

fn unknown(service: &Service) -> Response {
    service.metrics().webhook(WebhookResult::Unknown);
    StatusCode::NOT_FOUND.into_response()
}

fn failed(service: &Service, error: &Failure) -> Response {
    service.metrics().webhook(WebhookResult::Failed);
    tracing::error!("a webhook could not be stored: {error}");
    busy()
}

/// The connection whose webhooks come to a secret, if its connector takes any.
///
/// One that is being switched on has an address already, and its counterpart may try it.
fn owner(db: &Connection, hook: &[u8; 32]) -> rusqlite::Result<Option<Stored>> {
    match connections::by_hook(db, hook)? {
        Some(stored) if versions::takes_webhooks(db, &stored.digest)? => Ok(Some(stored)),
        _ => Ok(None),
    }
}

/// Lets the counterpart send it again.
fn busy() -> Response {
    let later = [(header::RETRY_AFTER, LATER)];
    (StatusCode::SERVICE_UNAVAILABLE, later).into_response()
}

/// Stores a webhook; none when no connection has this secret any more.
async fn store(
    service: &Service,
    hook: [u8; 32],
    webhook: Webhook,
) -> Result<Option<Kept>, Failure> {
    let sameness = sameness(&webhook);
    let inbox = service.inbox().clone();
    let stored = (service.control())
        .write(move |db| {
            let Some(stored) = owner(db, &hook)? else {
                return Ok(None);
            };
            let (tenant, connection) = (stored.tenant, stored.id);
            let now = inbox.now();
            let kept = webhooks::keep(db, &tenant, &connection, &webhook, sameness, now)?;
            let taken = match kept {
                Kept::New { id, due_at } => {
                    let place = (tenant, connection);
                    reading::take_new(db, &inbox, id, due_at, place, webhook, now)?
                }
                Kept::Duplicate | Kept::Full => None,
            };
            Ok::<_, Failure>(Some((kept, taken)))
        })
        .await?;
    let Some((kept, taken)) = stored else {
        return Ok(None);
    };
    if let Some(taken) = taken {
        reading::begin(service, taken);
    }
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
    let header = |wanted: &&str| {
        let mut headers = webhook.headers.iter();
        headers.find_map(|(name, value)| (name == wanted).then(|| value.clone()))
    };
    let id = in_query.or_else(|| ID_HEADERS.iter().find_map(header));
    let mut hasher = Sha256::new();
    let mut add = |part: &[u8]| {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    };
    add(webhook.topic.as_bytes());
    // An id that is no id of its content, such as that of a subscription, loses nothing so.
    add(&webhook.body);
    match id {
        Some(id) => {
            add(id.as_bytes());
            Sameness::Id(hasher.finalize().into())
        }
        None => {
            add(webhook.query.as_bytes());
            Sameness::Content(hasher.finalize().into())
        }
    }
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
    fn a_webhook_that_is_sent_again_is_known_by_its_id_and_its_body() {
        let first = sameness(&webhook("requestId=7", &[("date", "1")], "a"));
        assert!(matches!(first, Sameness::Id(_)));
        assert_eq!(first, sameness(&webhook("requestId=7&x=1", &[], "a")));
        assert_ne!(first, sameness(&webhook("requestId=8", &[], "a")));
        assert_ne!(first, sameness(&webhook("requestId=7", &[], "b")));
        let header = sameness(&webhook("", &[("webhook-id", "msg_1")], "a"));
        assert!(matches!(header, Sameness::Id(_)));
    }

    #[test]
    fn the_surest_id_counts_and_that_of_a_proxy_does_not() {
        let both = [("idempotency-key", "1"), ("webhook-id", "msg_1")];
        let swapped = [("webhook-id", "msg_1"), ("idempotency-key", "2")];
        let first = sameness(&webhook("", &both, "a"));
        assert_eq!(first, sameness(&webhook("", &swapped, "a")));
        let proxied = |id: &str| sameness(&webhook("", &[("x-request-id", id)], "a"));
        assert!(matches!(proxied("1"), Sameness::Content(_)));
        assert_eq!(proxied("1"), proxied("2"));
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
