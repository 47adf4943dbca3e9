//! Webhooks of counterparts: stored and answered before any connector runs, then turned into
//! requests.
//!
//! The threats: who knows an address can make a connector work, so the address holds a secret of 32
//! random bytes, of which only the digest is kept; guessing it takes as long as finding it, since it
//! is looked up by its digest either way. A flood is cut by size, by merging and by the number that
//! may wait for one connection. A counterpart gives up after a moment (MoySklad after 1.5 s), so
//! nothing but one durable write stands between a webhook and its answer. A connector that is slow to
//! read holds back its own webhooks alone: several connections read at one time, one webhook each,
//! and tenants take turns. And one that takes the process down by reading is given up: an attempt is
//! counted durably before it is made.

use std::collections::HashSet;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::model::Fault;
use tenon_host::reason::Reason;
use tenon_host::{CallError, Cause, Webhook};

use crate::control::webhooks::{self, Due, Kept, Sameness};
use crate::control::{Failure, connections};
use crate::observe::{self, WebhookResult};
use crate::one_each::OneEach;
use crate::queue::{NewRequest, Priority};
use crate::service::{Error, Service};
use crate::told::Told;

/// Longest body. What counterparts send names records and is small.
const BODY: usize = 1 << 20;

/// Bytes of headers that are kept.
const HEADERS: usize = 16 << 10;

/// Longest topic.
const TOPIC: usize = 200;

/// Webhooks that are read at one time, of a connection each.
const AT_ONCE: usize = 8;

/// Attempts after which a webhook waits for people.
const ATTEMPTS: u32 = 6;

/// After so many seconds a counterpart may send again what was not taken in.
const LATER: &str = "60";

/// Longest sleep: the clock of the machine may be set meanwhile.
const SLEEP: Duration = Duration::from_secs(1);

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
    body: Bytes,
) -> Response {
    receive(state, Path((secret, String::new())), query, headers, body).await
}

async fn receive(
    State(service): State<Service>,
    Path((secret, topic)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if topic.len() > TOPIC {
        return StatusCode::NOT_FOUND.into_response();
    }
    let webhook = Webhook {
        topic,
        headers: kept_headers(&headers),
        query: query.unwrap_or_default(),
        body: body.into(),
    };
    match store(&service, &secret, webhook).await {
        Ok(Some(Kept::Full)) => {
            service.metrics().webhook(WebhookResult::Full);
            busy()
        }
        Ok(Some(kept)) => {
            tracing::debug!("a webhook came in: {kept:?}");
            service.metrics().webhook(WebhookResult::Accepted);
            StatusCode::ACCEPTED.into_response()
        }
        Ok(None) => {
            service.metrics().webhook(WebhookResult::Unknown);
            StatusCode::NOT_FOUND.into_response()
        }
        Err(error) => {
            service.metrics().webhook(WebhookResult::Failed);
            tracing::error!("a webhook could not be stored: {error}");
            busy()
        }
    }
}

/// Lets the counterpart send it again.
fn busy() -> Response {
    let later = [(header::RETRY_AFTER, LATER)];
    (StatusCode::SERVICE_UNAVAILABLE, later).into_response()
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

/// Turns webhooks into requests, until the service stops. What is under way then is read again by the
/// next server.
pub async fn run(service: Service) {
    let mut reading: OneEach<Place> = OneEach::at_most(AT_ONCE);
    let mut last = String::new();
    while !service.stopping() {
        while !reading.is_full() {
            let busy = reading.keys().cloned().collect();
            match next(&service, last.clone(), busy).await {
                Ok(Some(due)) => {
                    last = due.tenant.to_string();
                    let place = (due.tenant.clone(), due.connection.clone());
                    reading.begin(place, read(service.clone(), due));
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::error!("webhooks: {error}");
                    break;
                }
            }
        }
        tokio::select! {
            () = reading.ended() => {}
            () = tokio::time::sleep(SLEEP) => {}
            () = service.inbox().notified() => {}
            () = service.stopped() => {}
        }
    }
}

/// A connection of a tenant.
type Place = (TenantId, ConnectionId);

async fn next(
    service: &Service,
    after: String,
    busy: HashSet<Place>,
) -> Result<Option<Due>, Failure> {
    let now = Timestamp::now();
    (service.control())
        .read(move |db| {
            let is_busy = |tenant: &TenantId, connection: &ConnectionId| {
                busy.contains(&(tenant.clone(), connection.clone()))
            };
            webhooks::next(db, now, &after, is_busy)
        })
        .await
}

async fn read(service: Service, due: Due) {
    if let Err(error) = work_off(&service, &due).await {
        tracing::error!("webhooks: {error}");
        // The database failed, so it would be this one's turn again at once.
        tokio::time::sleep(SLEEP).await;
    }
}

/// Lets the connector read a webhook, and asks for what it wants.
async fn work_off(service: &Service, due: &Due) -> Result<(), Error> {
    let id = due.id;
    let Some((attempt, webhook)) = begin(service, id).await? else {
        return Ok(());
    };
    match ask(service, due, webhook).await {
        // The requests are durable before the webhook is gone: a process that dies in between
        // asks twice, and equal requests merge.
        Ok(()) => {
            (service.control())
                .write(move |db| webhooks::remove(db, id))
                .await?;
        }
        Err(Trouble { reason, passes }) => {
            tracing::warn!(
                "a webhook of connection {} of tenant {}: {reason}",
                due.connection,
                due.tenant
            );
            let again = (passes && attempt < ATTEMPTS)
                .then(|| Timestamp::now() + pause(attempt, fastrand::f64()));
            (service.control())
                .write(move |db| match again {
                    Some(again) => webhooks::put_off(db, id, again),
                    None => webhooks::give_up(db, id, &reason),
                })
                .await?;
        }
    }
    Ok(())
}

/// Counts an attempt, before it is made; answers with that and the webhook. None when it was given
/// up, because the process ended each time that the connector read it, or is gone.
async fn begin(service: &Service, id: i64) -> Result<Option<(u32, Webhook)>, Error> {
    let (now, chance) = (Timestamp::now(), fastrand::f64());
    let attempt = (service.control())
        .write(move |db| begin_in(db, id, now, chance))
        .await?;
    let Some(attempt) = attempt else {
        return Ok(None);
    };
    let webhook = (service.control())
        .read(move |db| webhooks::content(db, id))
        .await?;
    Ok(webhook.map(|webhook| (attempt, webhook)))
}

fn begin_in(
    db: &rusqlite::Connection,
    id: i64,
    now: Timestamp,
    chance: f64,
) -> Result<Option<u32>, Failure> {
    match webhooks::begin(db, id)? {
        Some(attempt) if attempt > ATTEMPTS => {
            let reason = Told::new(Reason::new("server.webhook-ends-server"));
            webhooks::give_up(db, id, &reason)?;
            Ok(None)
        }
        // Should the process end once more, those that were read together come at different times,
        // so that the one which ends it is alone.
        Some(attempt) if attempt > 1 => {
            webhooks::put_off(db, id, now + pause(attempt, chance))?;
            Ok(Some(attempt))
        }
        attempt => Ok(attempt),
    }
}

/// How long a webhook waits for its next attempt. `chance` is a random number from 0 to 1.
fn pause(attempt: u32, chance: f64) -> SignedDuration {
    // From 20 seconds to six hours.
    let most = 5_000_i64 << (2 * attempt.clamp(1, 6));
    // At least half of it; the product is below the other half.
    let more = (most as f64 / 2.0 * chance.clamp(0.0, 1.0)) as i64;
    SignedDuration::from_millis(most / 2 + more)
}

/// Why a webhook did not become requests.
struct Trouble {
    reason: Told,
    passes: bool,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble {
            passes: true,
            reason: error.told(),
        }
    }
}

async fn ask(service: &Service, due: &Due, webhook: Webhook) -> Result<(), Trouble> {
    let Due {
        tenant, connection, ..
    } = due;
    let opened = service.opened(tenant, connection).await?;
    let reading = service.host().receive(&opened, webhook);
    let manifest = &opened.connector().manifest;
    let wanted = observe::receive(service.metrics(), manifest, reading)
        .await
        .map_err(|error| Trouble {
            passes: matches!(error, CallError::Fault(Fault::Transient(_))),
            reason: Error::of_call(error, opened.connector()).told(),
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
    fn attempts_are_ever_further_apart_and_at_different_times() {
        let seconds = |attempt, chance| pause(attempt, chance).as_secs();
        assert_eq!((10, 20), (seconds(1, 0.0), seconds(1, 1.0)));
        assert_eq!((40, 80), (seconds(2, 0.0), seconds(2, 1.0)));
        assert_eq!(20_480, seconds(u32::MAX, 1.0));
    }

    #[test]
    fn a_webhook_that_ends_the_process_each_time_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        drop(crate::control::Control::open(folder.path()).unwrap());
        let db = rusqlite::Connection::open(folder.path().join("control.sqlite")).unwrap();
        let (tenant, connection) = ("shop".parse().unwrap(), "crm".parse().unwrap());
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        let sent = webhook("", &[], "a");
        db.pragma_update(None, "foreign_keys", false).unwrap();
        webhooks::keep(&db, &tenant, &connection, &sent, sameness(&sent), start).unwrap();
        let due = |at| webhooks::next(&db, at, "", |_, _| false).unwrap();
        let id = due(start).unwrap().id;
        let mut now = start;
        for attempt in 1..=ATTEMPTS {
            assert_eq!(Some(attempt), begin_in(&db, id, now, 1.0).unwrap());
            // Here the process is gone. The first time it is read again at once, then later.
            let next = match attempt {
                1 => now,
                attempt => now + pause(attempt, 1.0),
            };
            assert_eq!(attempt == 1, due(now).is_some());
            assert!(due(next).is_some());
            now = next;
        }
        assert_eq!(None, begin_in(&db, id, now, 1.0).unwrap());
        assert_eq!(None, due(now + SignedDuration::from_hours(24)));
        assert_eq!(1, webhooks::counts(&db).unwrap().given_up);
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
