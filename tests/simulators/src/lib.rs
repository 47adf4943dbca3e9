//! The counterparts' web APIs, served on loopback, for tests, demos and benchmarks.
//!
//! A connector is only as good as the server it was tried against. The simulators here behave like
//! the vendors' servers down to their oddities, hold an account that tests change while the
//! connector reads it, fail on demand, and tell afterwards what they were asked.
//!
//! Everything that is the same for every vendor sits at this level: the [`Simulator`] handle, the
//! [`faults`], the request [`traffic`] and the rate [`limit`]. One module per vendor describes its
//! account and its answers: [`keycrm`], [`moysklad`], and [`shoplite`], which is invented. A [`registry`] of components is served in the
//! same way.

pub mod description;
pub mod faults;
pub mod keycrm;
pub mod limit;
pub mod moysklad;
pub mod registry;
pub mod shoplite;
pub mod traffic;

mod json;
mod server;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;

use faults::Faults;
use server::{Bound, Server};
use traffic::{Hooks, Seen, Traffic};

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
    /// Serves `router` on `listen`. The router's state has to be the same `shared`.
    pub(crate) fn start(
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
    pub(crate) fn serve_beside(&mut self, bound: Bound, routes: Router) -> io::Result<()> {
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
pub(crate) struct Shared<A> {
    pub account: Mutex<A>,
    pub faults: Faults,
    pub traffic: Mutex<Traffic>,
    pub hooks: Mutex<Hooks<A>>,
}

impl<A> Shared<A> {
    pub fn new(account: A) -> Arc<Self> {
        Arc::new(Self {
            account: Mutex::new(account),
            faults: Faults::default(),
            traffic: Mutex::default(),
            hooks: Mutex::new(Hooks::default()),
        })
    }
}

/// A panic in a test's closure must not turn every later request into another panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
