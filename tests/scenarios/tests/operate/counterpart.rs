//! A counterpart that is slow, busy or down as a test wants it, and connections that ask it for what they
//! are told to.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tenon_scenarios::caller;
use tenon_scenarios::server::Server;

/// The connection that [`server`] makes.
pub const CALLER: &str = "/tenants/shop/connections/caller";

/// A counterpart that may hold requests for ever.
///
/// | path | answer |
/// |---|---|
/// | `/held`, `/clean` | nothing, while it holds requests |
/// | `/down` | that it is down, and will be up in a minute; nothing bad when it holds no requests |
/// | `/busy` | that it had too many requests, and that the next one may come in two hours |
/// | `/closed` | that it is down, and will be up in two hours |
/// | all else | nothing bad |
pub struct Counterpart {
    /// Where it is.
    pub url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    holds: AtomicBool,
    held: AtomicUsize,
    seen: Mutex<Vec<String>>,
}

impl Counterpart {
    /// Starts one that holds requests.
    pub async fn start() -> Counterpart {
        let shared = Arc::new(Shared::default());
        shared.holds.store(true, Ordering::Relaxed);
        let routes = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Counterpart { url, shared }
    }

    /// From now on it answers.
    pub fn let_go(&self) {
        self.shared.holds.store(false, Ordering::Relaxed);
    }

    /// The paths that it was asked for, in order.
    pub fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().expect("no panic").clone()
    }

    /// Waits until it is so.
    pub async fn until(&self, what: &str, reached: impl Fn(&Counterpart) -> bool) {
        let began = Instant::now();
        while !reached(self) {
            assert!(began.elapsed() < Duration::from_secs(60), "never {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until it holds a request.
    pub async fn holds_one(&self) {
        self.holds(1).await;
    }

    /// Waits until it holds so many requests.
    pub async fn holds(&self, number: usize) {
        let held = |one: &Counterpart| one.shared.held.load(Ordering::Relaxed) == number;
        self.until("asked", held).await;
    }

    /// Waits until whoever waited for an answer is gone.
    pub async fn is_left(&self) {
        let left = |one: &Counterpart| one.shared.held.load(Ordering::Relaxed) == 0;
        self.until("left", left).await;
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    (shared.seen.lock().expect("no panic")).push(path.clone());
    if !shared.holds.load(Ordering::Relaxed) {
        return "good".into_response();
    }
    match path.as_str() {
        "/held" | "/clean" => {
            let _held = Held::new(shared);
            std::future::pending().await
        }
        "/down" => {
            let later = [(header::RETRY_AFTER, "60")];
            (StatusCode::SERVICE_UNAVAILABLE, later).into_response()
        }
        "/busy" => {
            let later = [(header::RETRY_AFTER, "7200")];
            (StatusCode::TOO_MANY_REQUESTS, later).into_response()
        }
        "/closed" => {
            let later = [(header::RETRY_AFTER, "7200")];
            (StatusCode::SERVICE_UNAVAILABLE, later).into_response()
        }
        _ => "good".into_response(),
    }
}

/// A request that is held; dropped when the other side goes away.
struct Held(Arc<Shared>);

impl Held {
    fn new(shared: Arc<Shared>) -> Held {
        shared.held.fetch_add(1, Ordering::Relaxed);
        Held(shared)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A server with a connection that asks this counterpart.
pub async fn server(counterpart: &Counterpart, no_budget: bool) -> Server {
    let server = Server::start(&[]);
    server.install(caller()).await;
    server.tenant("shop").await;
    connect(&server, counterpart, "caller", no_budget).await;
    server
}

/// Makes a connection that asks this counterpart, and switches it on.
pub async fn connect(server: &Server, counterpart: &Counterpart, id: &str, no_budget: bool) {
    connect_of(server, counterpart, "shop", id, no_budget).await;
}

/// The same, in any tenant.
pub async fn connect_of(
    server: &Server,
    counterpart: &Counterpart,
    tenant: &str,
    id: &str,
    no_budget: bool,
) {
    let new = json!({
        "id": id,
        "connector": "caller",
        "settings": { "url": counterpart.url },
        "grants": [counterpart.url],
        "no_budget": no_budget,
    });
    let path = format!("/tenants/{tenant}/connections");
    server.post(&path, new).await;
    server
        .post(&format!("{path}/{id}/enable"), Value::Null)
        .await;
}

/// Asks for these paths.
pub async fn call(server: &Server, connection: &str, paths: &str) {
    let path = format!("{connection}/jobs/call/run");
    server.post(&path, json!({ "argument": paths })).await;
}
