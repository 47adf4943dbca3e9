//! The answers of the registry, its token service and its storage.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use serde_json::json;

use super::{Access, Login, Part, Registry, Repository};
use crate::{Counterpart, Shared, lock};

const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const SERVICE: &str = "simulated registry";

type Registries = Arc<Shared<Registry>>;

pub fn registry(shared: Registries) -> Router {
    let base = Registry::BASE_PATH;
    Router::new()
        .route(&format!("{base}/"), get(version))
        .route(&format!("{base}/{{*path}}"), get(content))
        .with_state(shared)
}

pub fn token_service(shared: Registries) -> Router {
    Router::new().route("/token", get(token)).with_state(shared)
}

pub fn storage(shared: Registries) -> Router {
    let route = "/stored/{digest}/{*repository}";
    Router::new().route(route, get(stored)).with_state(shared)
}

async fn version(State(shared): State<Registries>, headers: HeaderMap) -> Response {
    let registry = lock(&shared.account);
    match registry.admits(&headers, "") {
        true => StatusCode::OK.into_response(),
        false => registry.challenge(""),
    }
}

async fn content(
    State(shared): State<Registries>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response {
    let registry = lock(&shared.account);
    let (name, part, reference) = match (path.split_once("/manifests/"), path.split_once("/blobs/"))
    {
        (Some((name, reference)), _) => (name, Part::Manifests, reference),
        (None, Some((name, reference))) => (name, Part::Blobs, reference),
        (None, None) => return refusal(StatusCode::NOT_FOUND),
    };
    let scope = scope(name);
    if !registry.admits(&headers, &scope) {
        return registry.challenge(&scope);
    }
    let Some(repository) = registry.repositories.get(name) else {
        return refusal(StatusCode::NOT_FOUND);
    };
    match part {
        _ if registry.behaviour.endless == Some(part) => endless(),
        Part::Blobs if registry.behaviour.blobs_redirected => {
            let storage = registry.storage;
            let address = format!("http://{storage}/stored/{reference}/{name}");
            (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, address)]).into_response()
        }
        Part::Blobs => repository.blob(reference),
        Part::Manifests | Part::Tokens => {
            repository.manifest(reference, !registry.behaviour.digests_untold)
        }
    }
}

/// The storage knows who may have a blob by the address, and refuses requests that bring a login as
/// well, as such storages do.
async fn stored(
    State(shared): State<Registries>,
    Path((digest, repository)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if headers.contains_key(AUTHORIZATION) {
        return refusal(StatusCode::BAD_REQUEST);
    }
    let registry = lock(&shared.account);
    match registry.repositories.get(&repository) {
        Some(repository) => repository.blob(&digest),
        None => refusal(StatusCode::NOT_FOUND),
    }
}

async fn token(
    State(shared): State<Registries>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let mut registry = lock(&shared.account);
    if registry.behaviour.endless == Some(Part::Tokens) {
        return endless();
    }
    let known = match &registry.access {
        Access::Token(Some(login)) => shown(&headers) == Some(login.header().as_str()),
        Access::Token(None) => !headers.contains_key(AUTHORIZATION),
        Access::Open | Access::Basic(_) => false,
    };
    let parameter = |name: &str| {
        let found = query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    };
    if !known || parameter("service").as_deref() != Some(SERVICE) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    let token = format!("simulated-token-{}", registry.tokens.len());
    let scope = parameter("scope").unwrap_or_default();
    registry.tokens.insert(token.clone(), scope);
    axum::Json(json!({ "token": token, "expires_in": 300 })).into_response()
}

impl Registry {
    /// Whether a request may have what a scope covers.
    fn admits(&self, headers: &HeaderMap, scope: &str) -> bool {
        match &self.access {
            Access::Open => true,
            Access::Basic(login) => shown(headers) == Some(login.header().as_str()),
            Access::Token(_) => shown(headers)
                .and_then(|shown| shown.strip_prefix("Bearer "))
                .and_then(|token| self.tokens.get(token))
                .is_some_and(|given| given == scope),
        }
    }

    fn challenge(&self, scope: &str) -> Response {
        let wanted = match self.access {
            Access::Open | Access::Basic(_) => format!("Basic realm=\"{SERVICE}\""),
            Access::Token(_) => format!(
                "Bearer realm=\"http://{}/token\",service=\"{SERVICE}\",scope=\"{scope}\"",
                self.token_service
            ),
        };
        let refusal = refusal(StatusCode::UNAUTHORIZED);
        ([(WWW_AUTHENTICATE, wanted)], refusal).into_response()
    }
}

impl Repository {
    fn manifest(&self, reference: &str, digest_told: bool) -> Response {
        let digest = self.tags.get(reference).map_or(reference, String::as_str);
        let Some(manifest) = self.manifests.get(digest) else {
            return refusal(StatusCode::NOT_FOUND);
        };
        let kind = [(CONTENT_TYPE, manifest.media_type.clone())];
        let mut response = (kind, manifest.bytes.clone()).into_response();
        if digest_told && let Ok(digest) = HeaderValue::from_str(digest) {
            response.headers_mut().insert(DIGEST, digest);
        }
        response
    }

    fn blob(&self, digest: &str) -> Response {
        match self.blobs.get(digest) {
            Some(bytes) => bytes.clone().into_response(),
            None => refusal(StatusCode::NOT_FOUND),
        }
    }
}

impl Login {
    /// What a client shows of it.
    fn header(&self) -> String {
        let both = format!("{}:{}", self.user, self.password);
        format!("Basic {}", STANDARD.encode(both))
    }
}

fn shown(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()
}

fn scope(repository: &str) -> String {
    format!("repository:{repository}:pull")
}

/// An answer that goes on for as long as somebody reads it.
fn endless() -> Response {
    static PIECE: [u8; 16 << 10] = [b' '; 16 << 10];
    let pieces = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&PIECE)));
    Body::from_stream(pieces).into_response()
}

/// An error as the specification has it.
pub fn refusal(status: StatusCode) -> Response {
    let code = match status {
        StatusCode::UNAUTHORIZED => "UNAUTHORIZED",
        StatusCode::FORBIDDEN => "DENIED",
        StatusCode::NOT_FOUND => "MANIFEST_UNKNOWN",
        StatusCode::TOO_MANY_REQUESTS => "TOOMANYREQUESTS",
        _ => "UNSUPPORTED",
    };
    let message = "what a registry says\nin its own words";
    let body = json!({ "errors": [{ "code": code, "message": message }] });
    (status, axum::Json(body)).into_response()
}
