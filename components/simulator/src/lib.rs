//! What simulators of counterparts are made of.
//!
//! A connector is only as good as the server it was tried against. A simulator behaves like the vendor's
//! server down to its oddities, holds an account that tests change while the connector reads it, fails on
//! demand, and tells afterwards what it was asked. What is the same for every vendor is here: the
//! [`Simulator`] handle, the [`faults`], the request [`traffic`] and the rate [`limit`]. Whoever makes one
//! brings an account, which is a [`Counterpart`], and the routes that answer from it:
//!
//! ```
//! use axum::extract::State;
//! use axum::http::StatusCode;
//! use axum::response::{IntoResponse, Response};
//! use std::sync::Arc;
//! use tenon_simulator::{Counterpart, Shared, Simulator, lock};
//!
//! struct Orders(Vec<u64>);
//!
//! impl Counterpart for Orders {
//!     const BASE_PATH: &'static str = "/v1";
//!
//!     fn refusal(status: StatusCode, _retry_after: Option<u64>) -> Response {
//!         status.into_response()
//!     }
//!
//!     fn changed(&mut self) {}
//! }
//!
//! async fn orders(State(shared): State<Arc<Shared<Orders>>>) -> String {
//!     format!("{:?}", lock(&shared.account).0)
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! let shared = Shared::new(Orders(vec![1, 2]));
//! let listen = ([127, 0, 0, 1], 0).into();
//! let sim = Simulator::start(listen, shared.clone(), |_url| {
//!     let orders = axum::routing::get(orders);
//!     axum::Router::new().route("/v1/orders", orders).with_state(shared)
//! })?;
//! sim.account(|account| account.0.push(3));
//! assert_eq!(sim.requests_to("GET /orders"), 0);
//! # Ok(())
//! # }
//! ```

pub mod faults;
pub mod limit;
pub mod traffic;

mod server;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;

use faults::Faults;
use traffic::{Hooks, Seen, Traffic};

pub use server::{Bound, Server, bind};

/// What a vendor's account must tell the common machinery.
pub trait Counterpart: Send + 'static {
    /// The path prefix under which the API lives, such as `/v1`.
    const BASE_PATH: &'static str;

    /// The answer of this vendor to a request it fails on purpose.
    fn refusal(status: StatusCode, retry_after: Option<u64>) -> Response;

    /// The answer of this vendor that carries a code of its error table. A vendor without such a
    /// table fails as it does otherwise.
    fn coded(_code: u32) -> Response {
        Self::refusal(StatusCode::INTERNAL_SERVER_ERROR, None)
    }

    /// Called after somebody had mutable access to the account.
    fn changed(&mut self);
}

/// A running simulator. It stops when dropped.
pub struct Simulator<A: Counterpart> {
    shared: Arc<Shared<A>>,
    server: Server,
    /// Servers under other addresses that belong to the same counterpart.
    beside: Vec<Server>,
    url: String,
}

impl<A: Counterpart> Simulator<A> {
    /// Serves `router` on `listen`, by the URL of the API that it is given. The router's state has to be
    /// the same `shared`.
    ///
    /// # Errors
    /// When the address is taken.
    pub fn start(
        listen: SocketAddr,
        shared: Arc<Shared<A>>,
        router: impl FnOnce(&str) -> Router,
    ) -> io::Result<Self> {
        let traffic = shared.clone();
        let bound = server::bind(listen)?;
        let url = format!("http://{}{}", bound.address(), A::BASE_PATH);
        let routes = router(&url).layer(axum::middleware::from_fn_with_state(
            traffic,
            traffic::observe::<A>,
        ));
        Ok(Self {
            server: bound.serve(routes)?,
            beside: Vec::new(),
            shared,
            url,
        })
    }

    /// Serves more routes of the counterpart under an address of their own. Their requests are
    /// noted, and fail, together with the others.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn serve_beside(&mut self, bound: Bound, routes: Router) -> io::Result<()> {
        let traffic = self.shared.clone();
        let routes = routes.layer(axum::middleware::from_fn_with_state(
            traffic,
            traffic::observe::<A>,
        ));
        self.beside.push(bound.serve(routes)?);
        Ok(())
    }

    /// The base URL of the API, with the version prefix and without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The socket address the simulator listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Reads or changes the account while no request is being answered.
    pub fn account<T>(&self, action: impl FnOnce(&mut A) -> T) -> T {
        let mut account = lock(&self.shared.account);
        let result = action(&mut account);
        account.changed();
        result
    }

    /// The faults to come.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// How many requests were received per endpoint since the start or the last reset.
    /// The key is the method with the path template, such as `GET /order/{id}`.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        lock(&self.shared.traffic).counts().clone()
    }

    /// How many requests one endpoint received since the start or the last reset.
    pub fn requests_to(&self, endpoint: &str) -> u64 {
        let traffic = lock(&self.shared.traffic);
        traffic.counts().get(endpoint).copied().unwrap_or(0)
    }

    /// How many requests were received since the start or the last reset.
    pub fn total_requests(&self) -> u64 {
        lock(&self.shared.traffic).counts().values().sum()
    }

    /// The latest requests, oldest first. The log keeps the last [`traffic::LOG_LENGTH`].
    pub fn recent_requests(&self) -> Vec<Seen> {
        lock(&self.shared.traffic).log()
    }

    /// Forgets the counts and the log.
    pub fn reset_counts(&self) {
        lock(&self.shared.traffic).reset();
    }

    /// Runs `hook` before each request is answered. It must not call back into the simulator:
    /// it is given the account.
    pub fn on_request(&self, hook: impl FnMut(&Seen, &mut A) + Send + 'static) {
        lock(&self.shared.hooks).before_each(hook);
    }

    /// Runs `change` once, after the `n`-th answer of `endpoint` from now, and so between two
    /// requests of a client that pages.
    ///
    /// # Panics
    /// When `n` is zero: nothing can run after an answer that has already been given.
    pub fn after_nth(&self, endpoint: &str, n: u64, change: impl FnOnce(&mut A) + Send + 'static) {
        assert!(n > 0, "answers are counted from one");
        lock(&self.shared.hooks).after_nth(endpoint, n, change);
    }
}

/// What the handle and the requests share.
pub struct Shared<A> {
    /// What the counterpart holds.
    pub account: Mutex<A>,
    faults: Faults,
    traffic: Mutex<Traffic>,
    hooks: Mutex<Hooks<A>>,
}

impl<A> Shared<A> {
    /// Of a counterpart that was not asked yet.
    pub fn new(account: A) -> Arc<Self> {
        Arc::new(Self {
            account: Mutex::new(account),
            faults: Faults::default(),
            traffic: Mutex::default(),
            hooks: Mutex::new(Hooks::default()),
        })
    }
}

/// What a lock holds. A panic in a test's closure must not turn every later request into another panic.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
