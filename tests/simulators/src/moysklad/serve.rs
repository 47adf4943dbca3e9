//! What happens to every request before and after it is carried out: who sends it, what it costs,
//! what it is told about that, and who is told of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, RawPathParams, Request, State};
use axum::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use super::access::{Accepts, Caller};
use super::account::Account;
use super::audit::Act;
use super::config::{LimitHeaders, Limits};
use super::endpoints::{Answer, Call, Route, TOKEN_PATH, routes};
use super::kind::Kind;
use super::refusal::Refusal;
use super::webhook;
use crate::limit::{Limit, Verdict};
use crate::{Counterpart, Shared, faults, lock};

/// The largest body of a request.
const LARGEST_BODY: usize = 20 * 1024 * 1024;

/// The longest address of a request.
const LONGEST_URL: usize = 8 * 1024;

/// What the routes share.
pub struct Api {
    shared: Arc<Shared<Account>>,
    url: String,
    limits: Limits,
    limit: Option<Limit>,
    under_way: Mutex<HashMap<&'static str, usize>>,
    latency: Duration,
    webhooks_at_once: bool,
}

/// A place among the requests that a caller has under way.
struct UnderWay<'a> {
    api: &'a Api,
    caller: &'static str,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(number) = lock(&self.api.under_way).get_mut(self.caller) {
            *number -= 1;
        }
    }
}

impl Api {
    /// What serves an account at an address.
    pub fn new(shared: Arc<Shared<Account>>, url: &str, limits: Limits) -> Self {
        Self {
            shared,
            url: url.to_owned(),
            limit: limits
                .units
                .map(|units| Limit::new(units, limits.window).windows(limits.windows)),
            limits,
            under_way: Mutex::default(),
            latency: Duration::ZERO,
            webhooks_at_once: false,
        }
    }

    /// Every answer takes at least so long.
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Whether webhooks go as soon as a request has changed something.
    pub fn webhooks_at_once(mut self, at_once: bool) -> Self {
        self.webhooks_at_once = at_once;
        self
    }

    /// The routes of the API.
    pub fn router(self, compression: bool) -> Router {
        let api = Arc::new(self);
        let mut router = Router::new();
        for route in routes() {
            let path = format!("{}{}", Account::BASE_PATH, route.path);
            let route = Arc::new(route);
            let answer = move |api, places, query, request| {
                respond(route.clone(), api, places, query, request)
            };
            router = router.route(&path, any(answer));
        }
        let router = router
            .fallback(unknown_path)
            .layer(from_fn_with_state(api.clone(), admit))
            .with_state(api);
        if compression {
            let gzip = CompressionLayer::new().no_br();
            router.layer(gzip.quality(CompressionLevel::Fastest))
        } else {
            router
        }
    }

    fn enter(&self, caller: &'static str) -> Option<UnderWay<'_>> {
        let mut under_way = lock(&self.under_way);
        let number = under_way.entry(caller).or_default();
        if self.limits.parallel.is_some_and(|most| *number >= most) {
            return None;
        }
        *number += 1;
        Some(UnderWay { api: self, caller })
    }
}

async fn respond(
    route: Arc<Route>,
    State(api): State<Arc<Api>>,
    places: RawPathParams,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
    request: Request,
) -> Response {
    let Ok(Query(query)) = query else {
        return Refusal::code(1058).into_response();
    };
    let (parts, body) = request.into_parts();
    let Some(caller) = parts.extensions.get::<Caller>().copied() else {
        return Refusal::code(1056).into_response();
    };
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return Refusal::code(1044).into_response();
    };
    if !body.is_empty() && !is_json(&parts.headers) {
        return Refusal::code(1037).into_response();
    }
    let places: Vec<String> = places.iter().map(|(_, value)| value.to_owned()).collect();
    let path = parts.uri.path();
    let call = Call {
        base: &api.url,
        path: path.strip_prefix(Account::BASE_PATH).unwrap_or(path),
        query: &query,
        places: &places,
        headers: &parts.headers,
        body: &body,
        caller,
        precise: header(&parts.headers, "x-lognex-precision") == Some("true"),
    };
    let answer = carry_out(&api, &route, &parts.method, &call);
    answer.map_or_else(IntoResponse::into_response, IntoResponse::into_response)
}

fn carry_out(api: &Api, route: &Route, method: &Method, call: &Call<'_>) -> Answer {
    let muted = webhook::muted(call)?;
    let mut account = lock(&api.shared.account);
    account.act = Act {
        uid: match call.caller {
            Caller::User => account.access.login.clone(),
            Caller::Application { .. } => account.access.application_uid(),
        },
        source: "jsonapi",
        muted,
    };
    account.write_down(method.as_str(), call);
    let answer = route.answer(&mut account, method, call);
    account.settle();
    if api.webhooks_at_once {
        let (notices, patience) = (account.take_notices(), account.patience);
        let late_again = account.behaviour.late_webhooks_repeated;
        if !notices.is_empty() {
            tokio::task::spawn_blocking(move || {
                for notice in notices {
                    notice.send(patience, late_again);
                }
            });
        }
    }
    answer
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn is_json(headers: &HeaderMap) -> bool {
    header(headers, CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("application/json"))
}

/// Outside the API's prefix a plain web server answers, in HTML.
async fn unknown_path(uri: Uri) -> Response {
    match uri.path().strip_prefix(Account::BASE_PATH) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            let mut parts = rest.split('/').skip(1);
            match (parts.next(), parts.next()) {
                (Some("entity"), Some(word)) if Kind::of_word(word).is_none() => {
                    Refusal::about(1005, word).into_response()
                }
                _ => Refusal::about(1002, rest).into_response(),
            }
        }
        _ => faults::html(StatusCode::NOT_FOUND, "404 Not Found"),
    }
}

/// Lets a request pass that can read the answer, shows who sends it, and keeps the limits.
async fn admit(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !offers_gzip(headers) {
        return Refusal::bare(StatusCode::UNSUPPORTED_MEDIA_TYPE).into_response();
    }
    let url = request.uri().to_string();
    if url.len() > LONGEST_URL {
        return Refusal::code(1038).into_response();
    }
    if !matches!(
        header(headers, ACCEPT.as_str()),
        None | Some("*/*" | "application/json" | "application/json;charset=utf-8")
    ) {
        return Refusal::code(1062).into_response();
    }
    let path = request.uri().path();
    let accepts = if path.ends_with(TOKEN_PATH) {
        Accepts::Password
    } else {
        Accepts::Anything
    };
    let stock_report = request.method() == Method::GET
        && (path.ends_with("/report/stock/all") || path.ends_with("/report/stock/bystore"));
    let caller = match lock(&api.shared.account).access.caller(headers, accepts) {
        Ok(caller) => caller,
        Err(refusal) => return refusal.into_response(),
    };
    let cost = if stock_report {
        api.limits.stock_report_cost
    } else {
        caller.cost(&api.limits)
    };
    let told = match judge(&api, caller, cost) {
        Ok(told) => told,
        Err(refusal) => return refusal.into_response(),
    };
    let Some(_place) = api.enter(caller.name()) else {
        lock(&api.shared.account).access.over_parallel += 1;
        return Refusal::over_parallel().into_response();
    };
    if !api.latency.is_zero() {
        tokio::time::sleep(api.latency).await;
    }
    let method = request.method().clone();
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    if response.status().is_client_error() || response.status().is_server_error() {
        let access = &mut lock(&api.shared.account).access;
        access.failed(&method, &url, &api.limits, Instant::now());
    }
    for (name, value) in told {
        response
            .headers_mut()
            .insert(name, HeaderValue::from(value));
    }
    response
}

/// The headers that tell what is left of the limit.
type Told = Vec<(&'static str, u64)>;

/// What is left of the limit after a request, or why it is one too many.
fn judge(api: &Api, caller: Caller, cost: u32) -> Result<Told, Refusal> {
    let Some(limit) = &api.limit else {
        return Ok(Told::new());
    };
    let mut account = lock(&api.shared.account);
    let divisor = if account.behaviour.limit_divided {
        caller.cost(&api.limits)
    } else {
        1
    };
    let told = |remaining: u32, reset: Duration| {
        vec![
            ("x-ratelimit-limit", u64::from(limit.units() / divisor)),
            ("x-ratelimit-remaining", u64::from(remaining / divisor)),
            ("x-lognex-retry-timeinterval", milliseconds(limit.window())),
            ("x-lognex-reset", milliseconds(reset)),
        ]
    };
    match limit.judge(caller.name(), cost, Instant::now()) {
        Verdict::Pass { remaining, reset } => Ok(match account.behaviour.limit_headers {
            // There is nothing to reset yet.
            LimitHeaders::Always if remaining > 0 => told(remaining, Duration::ZERO),
            LimitHeaders::Always => told(remaining, reset),
            LimitHeaders::OnlyOver => Told::new(),
        }),
        Verdict::Wait { wait } => {
            account.access.over_rate += 1;
            let refusal = Refusal::over_rate(wait);
            let told = told(0, wait).into_iter();
            Err(told.fold(refusal, |refusal, (name, value)| {
                refusal.header(name, value)
            }))
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whether a client can read answers that are compressed by gzip.
fn offers_gzip(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(ACCEPT_ENCODING).into_iter();
    offers
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let refused = matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
            name.trim().eq_ignore_ascii_case("gzip") && !refused
        })
}
