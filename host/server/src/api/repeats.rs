//! Writes with an `Idempotency-Key`: done once, however often they are sent.
//!
//! Only what was done is remembered. A write that was refused did nothing, so its key is free again
//! and the next one is tried on its own. An answer that holds a secret is remembered without its body:
//! a secret is shown once, and a copy of the database must not hold one in clear.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{OriginalUri, Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tracing::Instrument as _;

use super::access::Caller;
use super::document::IDEMPOTENCY_KEY;
use super::problem::Problem;
use crate::control::Failure;
use crate::control::repeats::{self, Answer, Repeat};
use crate::service::Service;

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Headers that belong to an answer.
const KEPT: [HeaderName; 3] = [CONTENT_TYPE, ETAG, LOCATION];

/// How often the reservation of a write that is under way is renewed.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);

/// Marks an answer that holds a secret.
#[derive(Clone, Copy)]
pub struct HoldsSecret;

/// A write that came with a key.
#[derive(Clone)]
struct Keyed {
    token: String,
    key: String,
    request: [u8; 32],
}

/// Does writes once.
///
/// A write goes on when the one who asked hangs up: its parts belong together.
pub async fn once(State(service): State<Service>, request: Request, next: Next) -> Response {
    // Bodies are read of writes that the description has, and of nothing else.
    if request.extensions().get::<Bytes>().is_none() {
        return next.run(request).await;
    }
    let keyed = Keyed::of(&request);
    let write = async move {
        match keyed {
            None => Ok(next.run(request).await),
            Some(keyed) => keyed.once(&service, request, next).await,
        }
    };
    match tokio::spawn(write.in_current_span()).await {
        Ok(Ok(response)) => response,
        Ok(Err(problem)) => problem.into_response(),
        Err(panic) => Problem::from(Failure::new(panic)).into_response(),
    }
}

impl Keyed {
    fn of(request: &Request) -> Option<Keyed> {
        let Caller(token) = request.extensions().get()?;
        let key = request.headers().get(IDEMPOTENCY_KEY)?.to_str().ok()?;
        let uri = match request.extensions().get() {
            Some(OriginalUri(uri)) => uri,
            None => request.uri(),
        };
        let mut hash = Sha256::new();
        // Lengths keep one part from running into the next.
        let header = |name| {
            request
                .headers()
                .get(name)
                .map_or(&b""[..], HeaderValue::as_bytes)
        };
        let body = request.extensions().get::<Bytes>();
        for part in [
            request.method().as_str().as_bytes(),
            uri.path_and_query()
                .map_or("", |uri| uri.as_str())
                .as_bytes(),
            header(axum::http::header::IF_MATCH),
            header(CONTENT_TYPE),
            body.map_or(&b""[..], |body| body),
        ] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Some(Keyed {
            token: token.id.clone(),
            key: key.to_owned(),
            request: hash.finalize().into(),
        })
    }

    async fn once(
        self,
        service: &Service,
        request: Request,
        next: Next,
    ) -> Result<Response, Problem> {
        let now = Timestamp::now();
        let reserve = self
            .write(service, move |db, keyed| {
                repeats::reserve(db, &keyed.token, &keyed.key, &keyed.request, now)
            })
            .await?;
        match reserve {
            Repeat::UnderWay => return Err(Problem::new("idempotency_under_way")),
            Repeat::OtherRequest => return Err(Problem::new("idempotency_key_reused")),
            Repeat::Answered(answer) => return replay(answer),
            Repeat::First => {}
        }
        let response = self.watched(service, next.run(request)).await?;
        if !response.status().is_success() {
            self.write(service, |db, keyed| {
                repeats::release(db, &keyed.token, &keyed.key, &keyed.request)
            })
            .await?;
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await;
        let body = body.map_err(|error| Problem::from(Failure::new(error)))?;
        let secret = parts.extensions.get::<HoldsSecret>().is_some();
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: headers_text(&parts.headers),
            body: (!secret).then(|| body.to_vec()),
        };
        self.write(service, move |db, keyed| {
            repeats::keep(db, &keyed.token, &keyed.key, &keyed.request, &answer)
        })
        .await?;
        Ok(Response::from_parts(parts, Body::from(body)))
    }

    /// Waits for a write, and says meanwhile that it is under way.
    async fn watched(
        &self,
        service: &Service,
        write: impl Future<Output = Response>,
    ) -> Result<Response, Problem> {
        let mut write = std::pin::pin!(write);
        loop {
            tokio::select! {
                response = &mut write => return Ok(response),
                () = tokio::time::sleep(SIGN_OF_LIFE) => {
                    let now = Timestamp::now();
                    self.write(service, move |db, keyed| {
                        repeats::renew(db, &keyed.token, &keyed.key, &keyed.request, now)
                    })
                    .await?;
                }
            }
        }
    }

    async fn write<T: Send + 'static>(
        &self,
        service: &Service,
        work: impl FnOnce(&rusqlite::Connection, &Keyed) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let keyed = self.clone();
        service
            .control()
            .write(move |db| Ok(work(db, &keyed)?))
            .await
    }
}

fn headers_text(headers: &HeaderMap) -> String {
    let kept = KEPT.iter().filter_map(|name| {
        let value = headers.get(name)?.to_str().ok()?;
        Some((name.as_str(), value))
    });
    serde_json::Value::from_iter(kept).to_string()
}

fn replay(answer: Answer) -> Result<Response, Problem> {
    let Some(body) = answer.body else {
        return Err(Problem::new("idempotency_answer_gone"));
    };
    let unreadable = || Problem::from(Failure::new("a kept answer cannot be read"));
    let status = StatusCode::from_u16(answer.status).map_err(|_| unreadable())?;
    let headers: std::collections::BTreeMap<String, String> =
        serde_json::from_str(&answer.headers).map_err(|_| unreadable())?;
    let mut response = (status, body).into_response();
    response.headers_mut().clear();
    for (name, value) in headers {
        let name = HeaderName::try_from(name).map_err(|_| unreadable())?;
        let value = HeaderValue::try_from(value).map_err(|_| unreadable())?;
        response.headers_mut().insert(name, value);
    }
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}
