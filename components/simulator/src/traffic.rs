//! What a simulator was asked, and what happens around a request: counting, hooks, faults.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use axum::extract::{ConnectInfo, MatchedPath, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::faults::{self, Fault};
use crate::server::Severing;
use crate::{Counterpart, Shared, lock};

/// How many requests the log keeps.
pub const LOG_LENGTH: usize = 20_000;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method with the path template, such as `GET /order/{id}`. A path the vendor does not
    /// know stands as it is.
    pub endpoint: String,
    /// The path without the API's prefix.
    pub path: String,
    /// The query as sent.
    pub raw_query: String,
    /// The query's parameters, decoded, in the order sent.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The status answered; none while the request is being answered, and for a connection that
    /// was reset instead.
    pub status: Option<StatusCode>,
}

impl Seen {
    /// The value of a query parameter, decoded.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value of a header, when it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn new(request: &Request, base_path: &str) -> Self {
        let within = |path: &str| path.strip_prefix(base_path).unwrap_or(path).to_owned();
        let path = within(request.uri().path());
        let template = request
            .extensions()
            .get::<MatchedPath>()
            .map_or_else(|| path.clone(), |matched| within(matched.as_str()));
        Self {
            endpoint: format!("{} {template}", request.method()),
            path,
            raw_query: request.uri().query().unwrap_or_default().to_owned(),
            query: Query::try_from_uri(request.uri())
                .map(|Query(pairs)| pairs)
                .unwrap_or_default(),
            headers: request.headers().clone(),
            status: None,
        }
    }
}

/// Counts and the log.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    counts: BTreeMap<String, u64>,
    log: VecDeque<Seen>,
    /// Sequence number of the log's first entry, by which an answer finds its request again.
    first: u64,
}

impl Traffic {
    pub fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    pub fn log(&self) -> Vec<Seen> {
        self.log.iter().cloned().collect()
    }

    pub fn reset(&mut self) {
        self.first += self.log.len() as u64;
        self.counts.clear();
        self.log.clear();
    }

    fn record(&mut self, seen: &Seen) -> u64 {
        *self.counts.entry(seen.endpoint.clone()).or_default() += 1;
        if self.log.len() == LOG_LENGTH {
            self.log.pop_front();
            self.first += 1;
        }
        self.log.push_back(seen.clone());
        self.first + self.log.len() as u64 - 1
    }

    fn answered(&mut self, number: u64, status: StatusCode) {
        if let Some(index) = number.checked_sub(self.first)
            && let Some(seen) = self.log.get_mut(index as usize)
        {
            seen.status = Some(status);
        }
    }
}

type BeforeEach<A> = Box<dyn FnMut(&Seen, &mut A) + Send>;
type Change<A> = Box<dyn FnOnce(&mut A) + Send>;

/// What tests asked to happen around requests.
pub(crate) struct Hooks<A> {
    before_each: Vec<BeforeEach<A>>,
    after_nth: Vec<AfterNth<A>>,
}

struct AfterNth<A> {
    endpoint: String,
    left: u64,
    change: Change<A>,
}

impl<A> Default for Hooks<A> {
    fn default() -> Self {
        Self {
            before_each: Vec::new(),
            after_nth: Vec::new(),
        }
    }
}

impl<A> Hooks<A> {
    pub fn before_each(&mut self, hook: impl FnMut(&Seen, &mut A) + Send + 'static) {
        self.before_each.push(Box::new(hook));
    }

    pub fn after_nth(
        &mut self,
        endpoint: &str,
        n: u64,
        change: impl FnOnce(&mut A) + Send + 'static,
    ) {
        self.after_nth.push(AfterNth {
            endpoint: endpoint.to_owned(),
            left: n,
            change: Box::new(change),
        });
    }

    fn due_after(&mut self, endpoint: &str) -> Vec<Change<A>> {
        for hook in &mut self.after_nth {
            if hook.endpoint == endpoint {
                hook.left -= 1;
            }
        }
        self.after_nth
            .extract_if(.., |hook| hook.left == 0)
            .map(|hook| hook.change)
            .collect()
    }
}

/// Notes the request, lets hooks and faults have their way with it, and notes the answer.
pub(crate) async fn observe<A: Counterpart>(
    State(shared): State<Arc<Shared<A>>>,
    ConnectInfo(connection): ConnectInfo<Severing>,
    request: Request,
    next: Next,
) -> Response {
    let seen = Seen::new(&request, A::BASE_PATH);
    let number = lock(&shared.traffic).record(&seen);
    {
        let mut hooks = lock(&shared.hooks);
        if !hooks.before_each.is_empty() {
            let mut account = lock(&shared.account);
            for hook in &mut hooks.before_each {
                hook(&seen, &mut account);
            }
            account.changed();
        }
    }
    let url = format!("{}?{}", seen.path, seen.raw_query);
    let fault = shared.faults.strike(&seen.endpoint, &url);
    let severed = fault == Some(Fault::ConnectionReset);
    let response = match fault {
        None => next.run(request).await,
        Some(Fault::Slow(delay)) => {
            tokio::time::sleep(delay).await;
            next.run(request).await
        }
        Some(Fault::CutBody) => faults::cut(next.run(request).await).await,
        Some(Fault::Status(status)) => A::refusal(
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            None,
        ),
        Some(Fault::TooManyRequests { retry_after }) => {
            A::refusal(StatusCode::TOO_MANY_REQUESTS, retry_after)
        }
        Some(Fault::Code(code)) => A::coded(code),
        Some(Fault::LostAnswer) => {
            next.run(request).await;
            faults::html(StatusCode::GATEWAY_TIMEOUT, "504 Gateway Time-out")
        }
        Some(Fault::HtmlBadGateway) => faults::html(StatusCode::BAD_GATEWAY, "502 Bad Gateway"),
        Some(Fault::HtmlOk) => faults::html(StatusCode::OK, "Checking your browser"),
        Some(Fault::ConnectionReset) => {
            connection.sever();
            StatusCode::OK.into_response()
        }
    };
    if !severed {
        lock(&shared.traffic).answered(number, response.status());
    }
    let due = lock(&shared.hooks).due_after(&seen.endpoint);
    if !due.is_empty() {
        let mut account = lock(&shared.account);
        for change in due {
            change(&mut account);
        }
        account.changed();
    }
    response
}
