//! Writes with an `Idempotency-Key`: done once, however often they are sent.
//!
//! Only what was done is remembered. A write that was refused did nothing, so its key is free again
//! and the next one is tried on its own. An answer that holds a secret is remembered without its body:
//! a secret is shown once, and a copy of the database must not hold one in clear. Nor must it serve to
//! try which secret was sent: what a write is known again by is made with the text of the token, which
//! is stored nowhere.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{OriginalUri, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
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
        let secret = bearer(request.headers())?;
        let key = request.headers().get(IDEMPOTENCY_KEY)?.to_str().ok()?;
        let uri = match request.extensions().get() {
            Some(OriginalUri(uri)) => uri,
            None => request.uri(),
        };
        let header = |name| {
            let value = request.headers().get(name);
            value.map_or(&b""[..], HeaderValue::as_bytes)
        };
        let body = request.extensions().get::<Bytes>();
        let parts = [
            request.method().as_str().as_bytes(),
            uri.path_and_query()
                .map_or("", |uri| uri.as_str())
                .as_bytes(),
            header(IF_MATCH),
            header(CONTENT_TYPE),
            body.map_or(&b""[..], |body| body),
        ];
        Some(Keyed {
            token: token.id.clone(),
            key: key.to_owned(),
            request: digest(secret, &parts),
        })
    }

    async fn once(
        self,
        service: &Service,
        request: Request,
        next: Next,
    ) -> Result<Response, Problem> {
        let now = service.now();
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
        let response = self.watched(service, next.run(request)).await;
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

    /// Waits for a write, and says meanwhile that it is under way. The write goes on whether or not
    /// that can be said: it may be half done.
    async fn watched(&self, service: &Service, write: impl Future<Output = Response>) -> Response {
        let mut write = std::pin::pin!(write);
        loop {
            tokio::select! {
                response = &mut write => return response,
                () = tokio::time::sleep(SIGN_OF_LIFE) => {
                    let now = service.now();
                    let renewed = self.write(service, move |db, keyed| {
                        repeats::renew(db, &keyed.token, &keyed.key, &keyed.request, now)
                    });
                    if renewed.await.is_err() {
                        tracing::error!("the key of a write that is under way was not renewed");
                    }
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

/// The text of the token that a request came with.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (_, text) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    Some(text.trim())
}

/// What a write is known again by: a digest of its parts, which nobody can make without the secret.
fn digest(secret: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut content = Sha256::new();
    for part in parts {
        // Lengths keep one part from running into the next.
        content.update((part.len() as u64).to_le_bytes());
        content.update(part);
    }
    // Secrets are of one length, and so are digests: none of this can be read in another way.
    Sha256::new_with_prefix(secret)
        .chain_update(content.finalize())
        .finalize()
        .into()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_known_again_by_its_parts_and_only_with_the_token() {
        let put = digest("tnn_a", &[b"PUT", b"/x", b"secret"]);
        assert_eq!(put, digest("tnn_a", &[b"PUT", b"/x", b"secret"]));
        assert_ne!(put, digest("tnn_b", &[b"PUT", b"/x", b"secret"]));
        assert_ne!(put, digest("tnn_a", &[b"PUT", b"/xs", b"ecret"]));
    }

    #[test]
    fn the_token_is_read_as_it_is_checked() {
        let mut headers = HeaderMap::new();
        assert_eq!(None, bearer(&headers));
        headers.insert(AUTHORIZATION, HeaderValue::from_static("bearer  tnn_a "));
        assert_eq!(Some("tnn_a"), bearer(&headers));
    }
}
