//! KeyCRM's Open API over an account in memory.
//!
//! ```no_run
//! use tenon_simulators::keycrm::{self, Config};
//!
//! # fn main() -> std::io::Result<()> {
//! let sim = keycrm::start(Config { orders: 500, ..Config::default() })?;
//! println!("{} takes the key {}", sim.url(), sim.account(|account| account.api_key.clone()));
//! # Ok(())
//! # }
//! ```
//!
//! It follows KeyCRM's OpenAPI 1.2.0 and, where that is silent or wrong, what live accounts were
//! seen to answer. What neither settles is a switch in [`Behaviour`].

mod account;
mod builders;
mod config;
mod endpoints;
mod query;
mod records;
mod refusal;
mod seed;
mod webhook;
mod wire;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, OriginalUri, Query, RawPathParams, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

pub use account::Account;
pub use builders::{NewBuyer, NewLine, NewOrder, NewProduct};
pub use config::{
    Behaviour, Config, DateOnlyEnd, DeletedOrders, LimitOverMax, LineDiscount, Numbers, Timestamps,
    UnknownFilter,
};
pub use records::*;
pub use seed::SERVICES_CATEGORY;
pub use webhook::{Event, Webhook};

use crate::limit::{Limit, Verdict};
use crate::{Counterpart, Shared, faults, json, lock};
use endpoints::{Call, ENDPOINTS, Endpoint};
use refusal::Refusal;

/// A running KeyCRM.
pub type Simulator = crate::Simulator<Account>;

impl Counterpart for Account {
    const BASE_PATH: &'static str = "/v1";

    fn refusal(status: StatusCode, retry_after: Option<u64>) -> Response {
        Refusal::of(status, retry_after).into_response()
    }

    fn changed(&mut self) {
        self.choices.clear();
    }
}

impl Account {
    /// The account that a configuration describes: always the same for the same seed, numbers and
    /// period.
    pub fn seeded(config: &Config) -> Self {
        seed::account(config)
    }
}

/// Serves a seeded account.
pub fn start(config: Config) -> io::Result<Simulator> {
    let account = Account::seeded(&config);
    start_with(config, account)
}

/// Serves a hand-made account. It gets the configuration's key and behaviour.
pub fn start_with(config: Config, mut account: Account) -> io::Result<Simulator> {
    account.api_key = config.api_key;
    account.behaviour = config.behaviour;
    let shared = Shared::new(account);
    let limit = config
        .requests_per_minute
        .map(|requests| Limit::new(requests, config.window));
    let compression = config.compression;
    Simulator::start(config.listen, shared.clone(), |url| {
        let api = Arc::new(Api {
            shared,
            limit,
            url: url.to_owned(),
        });
        router(api, compression)
    })
}

/// What the routes share.
struct Api {
    shared: Arc<Shared<Account>>,
    limit: Option<Limit>,
    url: String,
}

fn router(api: Arc<Api>, compression: bool) -> Router {
    let mut router = Router::new();
    for &(path, endpoint) in ENDPOINTS {
        let answer = move |state, uri, path, query| respond(endpoint, state, uri, path, query);
        router = router.route(&format!("{}{path}", Account::BASE_PATH), get(answer));
    }
    let router = router
        .method_not_allowed_fallback(|| async { Refusal::MethodNotAllowed })
        .fallback(unknown_path)
        .layer(from_fn_with_state(api.clone(), admit))
        .with_state(api);
    if compression {
        router.layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
    } else {
        router
    }
}

async fn respond(
    endpoint: Endpoint,
    State(api): State<Arc<Api>>,
    OriginalUri(uri): OriginalUri,
    path: RawPathParams,
    query: Result<Query<Vec<(String, String)>>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Ok(Query(parameters)) = query else {
        return Refusal::BadRequest("The query cannot be read.".to_owned()).into_response();
    };
    let call = Call {
        base: &api.url,
        path: uri
            .path()
            .strip_prefix(Account::BASE_PATH)
            .unwrap_or(uri.path()),
        parameters: &parameters,
        id: path.iter().next().map(|(_, value)| value),
    };
    let answer = {
        let mut account = lock(&api.shared.account);
        account.tick = account.tick.wrapping_add(1);
        endpoint(&mut account, &call)
    };
    answer.map_or_else(IntoResponse::into_response, json::answer)
}

/// Outside the API's prefix a plain web server answers, in HTML.
async fn unknown_path(uri: Uri) -> Response {
    match uri.path().strip_prefix(Account::BASE_PATH) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => Refusal::NotFound.into_response(),
        _ => faults::html(StatusCode::NOT_FOUND, "404 Not Found"),
    }
}

/// Lets a request pass that carries the key and keeps the limit.
async fn admit(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    if request.extensions().get::<MatchedPath>().is_none() {
        return next.run(request).await;
    }
    let (key, headers_told) = {
        let account = lock(&api.shared.account);
        (account.api_key.clone(), account.behaviour.limit_headers)
    };
    let presented = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if presented != Some(&key) {
        return Refusal::Unauthenticated.into_response();
    }
    let Some(limit) = &api.limit else {
        return next.run(request).await;
    };
    let (mut response, remaining) = match limit.judge(&key, 1, Instant::now()) {
        Verdict::Pass { remaining, .. } => (next.run(request).await, remaining),
        Verdict::Wait { wait } => {
            let refusal = Refusal::TooManyRequests {
                retry_after: Some((wait.as_secs_f64().ceil() as u64).max(1)),
            };
            (refusal.into_response(), 0)
        }
    };
    if headers_told {
        let headers = response.headers_mut();
        headers.insert("x-ratelimit-limit", HeaderValue::from(limit.units()));
        headers.insert("x-ratelimit-remaining", HeaderValue::from(remaining));
    }
    response
}
