//! An invented, ordinary shop, over an account in memory: what the example connector talks to.
//!
//! ```no_run
//! use tenon_simulators::shoplite::{self, Config};
//!
//! # fn main() -> std::io::Result<()> {
//! let shop = shoplite::start(Config::default())?;
//! println!("{} takes the key {}", shop.url(), shoplite::KEY);
//! # Ok(())
//! # }
//! ```
//!
//! Lists come in pages of a hundred. Orders are sorted by when they changed, so that one that changes
//! moves to the end; `updated_since` asks for what changed at that moment or later. No order can be asked
//! for by itself, and nothing tells whose account it is. A key may send 60 requests in any minute.

mod account;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{collections::HashMap, io};

use axum::extract::{Path, Query, Request, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

pub use account::{Account, BAD_ORDER, Item, Notice, Order, Product, STATUSES};

use crate::limit::{Limit, Verdict};
use crate::{Counterpart, Shared, faults, lock};

/// A running shop.
pub type Simulator = crate::Simulator<Account>;

/// The only key that is let in.
pub const KEY: &str = "shopkey";

/// Rows of a page.
const PAGE: usize = 100;

/// Set-up of a shop. The default is like the real one.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Requests a key may send per window; none lifts the limit.
    pub requests_per_minute: Option<u32>,
    /// Length of that window. Tests shorten it.
    pub window: Duration,
    /// Number of seeded products.
    pub products: usize,
    /// Number of seeded orders.
    pub orders: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            requests_per_minute: Some(60),
            window: Duration::from_secs(60),
            products: 250,
            orders: 230,
        }
    }
}

/// Serves a seeded account on a free port of loopback.
pub fn start(config: Config) -> io::Result<Simulator> {
    let shared = Shared::new(Account::seeded(config.products, config.orders));
    let limit = (config.requests_per_minute).map(|requests| Limit::new(requests, config.window));
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Simulator::start(listen, shared.clone(), |_| {
        router(Arc::new(Api { shared, limit }))
    })
}

impl Counterpart for Account {
    const BASE_PATH: &'static str = "";

    fn refusal(status: StatusCode, retry_after: Option<u64>) -> Response {
        let words = match status {
            StatusCode::UNAUTHORIZED => "bad key",
            StatusCode::NOT_FOUND => "no such thing",
            StatusCode::TOO_MANY_REQUESTS => "slow down",
            _ => "it does not work",
        };
        let mut answer = (status, Json(json!({ "error": words }))).into_response();
        if let Some(seconds) = retry_after {
            let seconds = HeaderValue::from(seconds);
            answer.headers_mut().insert(RETRY_AFTER, seconds);
        }
        answer
    }

    fn changed(&mut self) {}
}

struct Api {
    shared: Arc<Shared<Account>>,
    limit: Option<Limit>,
}

type Parameters = Query<HashMap<String, String>>;

fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/products", get(products))
        .route("/products/{sku}/stock", put(set_stock))
        .route("/orders", get(orders))
        .route("/statuses", get(statuses))
        .route("/webhooks", post(add_webhook))
        .route("/webhooks/{id}", delete(remove_webhook))
        .fallback(|| async { faults::html(StatusCode::NOT_FOUND, "404 Not Found") })
        .layer(from_fn_with_state(api.clone(), admit))
        .with_state(api)
}

/// Lets a request pass that carries the key and keeps the limit.
async fn admit(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let presented = request.headers().get(AUTHORIZATION);
    let presented = presented.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if presented != Some(KEY) {
        return Account::refusal(StatusCode::UNAUTHORIZED, None);
    }
    match api
        .limit
        .as_ref()
        .map(|limit| limit.judge(KEY, 1, Instant::now()))
    {
        Some(Verdict::Wait { wait }) => {
            let seconds = (wait.as_secs_f64().ceil() as u64).max(1);
            Account::refusal(StatusCode::TOO_MANY_REQUESTS, Some(seconds))
        }
        _ => next.run(request).await,
    }
}

/// The page that is asked for.
fn page(rows: Vec<Value>, parameters: &HashMap<String, String>) -> Response {
    let page: usize = match parameters.get("page").map_or(Ok(1), |page| page.parse()) {
        Ok(page @ 1..) => page,
        _ => return Account::refusal(StatusCode::BAD_REQUEST, None),
    };
    let total = rows.len();
    let rows: Vec<Value> = rows
        .into_iter()
        .skip((page - 1) * PAGE)
        .take(PAGE)
        .collect();
    Json(json!({ "data": rows, "page": page, "total": total })).into_response()
}

async fn products(State(api): State<Arc<Api>>, Query(query): Parameters) -> Response {
    let rows = lock(&api.shared.account)
        .products
        .iter()
        .map(Product::json)
        .collect();
    page(rows, &query)
}

async fn orders(State(api): State<Arc<Api>>, Query(query): Parameters) -> Response {
    let since = query.get("updated_since").map(String::as_str);
    let rows = lock(&api.shared.account).orders_since(since.unwrap_or_default());
    page(rows, &query)
}

async fn statuses() -> Response {
    let all = STATUSES.map(|(id, title)| json!({ "id": id, "title": title }));
    Json(all).into_response()
}

async fn set_stock(
    State(api): State<Arc<Api>>,
    Path(sku): Path<String>,
    Json(body): Json<Value>,
) -> Response {
    let mut account = lock(&api.shared.account);
    let product = account
        .products
        .iter_mut()
        .find(|product| product.sku == sku);
    match (product, body["stock"].as_u64()) {
        (Some(product), Some(stock)) => {
            product.stock = stock;
            Json(product.json()).into_response()
        }
        (None, _) => Account::refusal(StatusCode::NOT_FOUND, None),
        (_, None) => Account::refusal(StatusCode::UNPROCESSABLE_ENTITY, None),
    }
}

async fn add_webhook(State(api): State<Arc<Api>>, Json(body): Json<Value>) -> Response {
    let Some(url) = body["url"].as_str() else {
        return Account::refusal(StatusCode::UNPROCESSABLE_ENTITY, None);
    };
    let id = lock(&api.shared.account).add_webhook(url);
    (StatusCode::CREATED, Json(json!({ "id": id }))).into_response()
}

async fn remove_webhook(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Response {
    match lock(&api.shared.account).webhooks.remove(&id) {
        Some(_) => Json(json!({})).into_response(),
        None => Account::refusal(StatusCode::NOT_FOUND, None),
    }
}
