//! Outgoing HTTP: what stands behind `wasi:http` for a guest.
//!
//! One pooled client for each connection of a tenant, so that no socket and no TLS session crosses
//! tenants. The guest names a URL; the host decides whether it may ([`policy`], [`address`]), when
//! ([`budget`]), signs it, sends it, repeats it where that is safe ([`retry`]), decodes the body
//! and hands over the whole answer. Redirects go to the guest as they are: following one with
//! a credential would give the credential away.

mod address;
mod budget;
mod policy;
mod retry;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use url::Url;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::ids::TenantId;
use crate::limits::Limits;
use crate::manifest::{AuthScheme, BadOrigin, Manifest};
use crate::observe::{Level, LogLine, Observer};
use crate::secret::Secret;

pub use address::Forbidden;
pub use policy::Refusal;
pub use retry::RetryPolicy;

/// Longest wait for a TCP and TLS connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a whole answer; the slowest known counterpart reports take about a minute.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// The origins that an admin opened although the defaults refuse them.
pub type Grants = Vec<url::Origin>;

/// How requests of a connection are sent.
#[derive(Clone, Debug, Default)]
pub struct EgressSettings {
    /// Origins opened beyond the defaults.
    pub grants: Grants,
    /// Lifts the request budget of the manifest.
    pub no_budget: bool,
    /// How often and how long failed requests are repeated.
    pub retry: RetryPolicy,
}

/// The connection cannot talk to its counterpart as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// An endpoint has no address.
    #[error(transparent)]
    BadOrigin(#[from] BadOrigin),
    /// The secret of a credential cannot stand in a header.
    #[error("the credential `{0}` holds characters that cannot be sent in a header")]
    UnsendableCredential(String),
    /// The manifest names a header that cannot exist.
    #[error("the credential `{0}` names a header that is not a header name")]
    BadHeaderName(String),
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made: {0}")]
    Client(#[from] reqwest::Error),
}

/// The budgets of all connections of a host, by tenant, origin and credential.
#[derive(Debug, Default)]
pub(crate) struct Budgets(Mutex<HashMap<BudgetKey, Arc<budget::Budget>>>);

/// The credential is held as its digest.
type BudgetKey = (TenantId, String, Option<[u8; 32]>);

impl Budgets {
    fn of(&self, key: BudgetKey, endpoint: &crate::manifest::Endpoint) -> Arc<budget::Budget> {
        let mut budgets = self.0.lock().unwrap_or_else(|e| e.into_inner());
        Arc::clone(budgets.entry(key).or_insert_with(|| {
            Arc::new(budget::Budget::new(
                endpoint.units_per_window,
                Duration::from_millis(endpoint.window_ms.into()),
                endpoint.parallel,
            ))
        }))
    }
}

/// An endpoint with all that the host needs to talk to it.
struct Endpoint {
    client: reqwest::Client,
    signature: Option<(HeaderName, HeaderValue)>,
    budget: Option<Arc<budget::Budget>>,
    costs: Vec<(String, u32)>,
}

/// The way out of one connection.
pub(crate) struct Egress {
    allowed: Vec<policy::AllowedOrigin>,
    endpoints: Vec<Endpoint>,
    retry: RetryPolicy,
}

impl Egress {
    pub fn new(
        tenant: &TenantId,
        manifest: &Manifest,
        settings: &serde_json::Value,
        credentials: &HashMap<String, Secret>,
        egress: EgressSettings,
        budgets: &Budgets,
    ) -> Result<Egress, EgressError> {
        let mut allowed = Vec::with_capacity(manifest.endpoints.len());
        let mut endpoints = Vec::with_capacity(manifest.endpoints.len());
        for endpoint in &manifest.endpoints {
            let origin = endpoint.resolve(settings, &manifest.settings_schema)?;
            let name = (endpoint.credentials.iter()).find(|name| credentials.contains_key(*name));
            let credential = name.and_then(|name| {
                manifest
                    .credentials
                    .iter()
                    .find(|known| known.name == *name)
            });
            let secret = credential.and_then(|known| credentials.get(&known.name));
            let signature = match (credential, secret) {
                (Some(credential), Some(secret)) => Some(sign(credential, secret)?),
                _ => None,
            };
            let key = (
                tenant.clone(),
                origin.ascii_serialization(),
                secret.map(|secret| {
                    use sha2::Digest as _;
                    sha2::Sha256::digest(secret.expose().as_bytes()).into()
                }),
            );
            let granted = egress.grants.contains(&origin);
            allowed.push(policy::AllowedOrigin {
                granted,
                origin,
                signed_with: signature.as_ref().map(|(name, _)| name.clone()),
            });
            endpoints.push(Endpoint {
                client: client(granted)?,
                signature,
                budget: (!egress.no_budget).then(|| budgets.of(key, endpoint)),
                costs: endpoint.costs.clone(),
            });
        }
        Ok(Egress {
            allowed,
            endpoints,
            retry: egress.retry,
        })
    }
}

fn sign(
    credential: &crate::manifest::Credential,
    secret: &Secret,
) -> Result<(HeaderName, HeaderValue), EgressError> {
    let (name, value) = match &credential.scheme {
        AuthScheme::Bearer => (AUTHORIZATION, format!("Bearer {}", secret.expose())),
        AuthScheme::Token(_) | AuthScheme::Basic => (
            AUTHORIZATION,
            format!("Basic {}", BASE64.encode(secret.expose())),
        ),
        AuthScheme::Header(name) => (
            name.parse()
                .map_err(|_| EgressError::BadHeaderName(credential.name.clone()))?,
            secret.expose().to_owned(),
        ),
    };
    let value = zeroize::Zeroizing::new(value);
    let mut value = HeaderValue::from_str(&value)
        .map_err(|_| EgressError::UnsendableCredential(credential.name.clone()))?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// The pool of one endpoint.
fn client(granted: bool) -> Result<reqwest::Client, reqwest::Error> {
    // Fails only when a provider is in place already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .dns_resolver(Arc::new(address::CheckedResolver { granted }))
        .pool_idle_timeout(Duration::from_secs(60))
        .tcp_nodelay(true)
        .build()
}

/// The hooks of one run.
pub(crate) struct RunEgress {
    egress: Option<Arc<Egress>>,
    observer: Arc<dyn Observer>,
    requests: Arc<AtomicU64>,
    response_limit: usize,
    request_limit: u64,
}

impl RunEgress {
    /// Without an [`Egress`] every request is refused: the component is only asked to describe
    /// itself.
    pub fn new(
        egress: Option<Arc<Egress>>,
        observer: Arc<dyn Observer>,
        limits: &Limits,
    ) -> RunEgress {
        RunEgress {
            egress,
            observer,
            requests: Arc::default(),
            response_limit: limits.response,
            request_limit: limits.requests,
        }
    }

    /// Requests sent so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for RunEgress {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Io), Error>> + Send> {
        let exchange = self.egress.clone().map(|egress| Exchange {
            egress,
            observer: Arc::clone(&self.observer),
            requests: Arc::clone(&self.requests),
            response_limit: self.response_limit,
            request_limit: self.request_limit,
        });
        Box::new(async move {
            let exchange = exchange.ok_or(Error::HttpRequestDenied)?;
            let response = exchange.perform(request, options).await?;
            let nothing_left: Io = Box::new(async { Ok(()) });
            Ok((response, nothing_left))
        })
    }
}

/// One request of a guest with all its repetitions.
struct Exchange {
    egress: Arc<Egress>,
    observer: Arc<dyn Observer>,
    requests: Arc<AtomicU64>,
    response_limit: usize,
    request_limit: u64,
}

/// An answer, read whole.
struct Answer {
    status: http::StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Exchange {
    async fn perform(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<WasiBody>, Error> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|_| Error::HttpRequestUriInvalid)?;
        let endpoint = policy::admit(&self.egress.allowed, &url, &parts.headers)
            .map(|index| &self.egress.endpoints[index])
            .map_err(|refusal| {
                self.warn(format!("request refused: {refusal}"));
                Error::HttpRequestDenied
            })?;

        // The guest writes the body after it has the handle of the answer, so this waits for it.
        let body = body.collect().await?.to_bytes();
        let mut headers = parts.headers;
        headers.remove(http::header::HOST);
        headers.remove(http::header::CONTENT_LENGTH);
        headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(concat!(
                "tenon/",
                env!("CARGO_PKG_VERSION")
            )));
        if let Some((name, value)) = &endpoint.signature {
            headers.insert(name, value.clone());
        }
        let timeout = options
            .and_then(|options| options.first_byte_timeout)
            .map_or(ANSWER_TIMEOUT, |asked| asked.min(ANSWER_TIMEOUT));
        let cost = (endpoint.costs.iter())
            .filter(|(prefix, _)| url.path().starts_with(prefix.as_str()))
            .max_by_key(|(prefix, _)| prefix.len())
            .map_or(1, |(_, cost)| *cost);

        let mut attempt = 1;
        loop {
            let permit = match &endpoint.budget {
                Some(budget) => Some(budget.acquire(cost).await),
                None => None,
            };
            if self.requests.fetch_add(1, Ordering::Relaxed) >= self.request_limit {
                self.warn(format!(
                    "the run used up its {} requests",
                    self.request_limit
                ));
                return Err(Error::HttpRequestDenied);
            }
            let mut attempt_request = reqwest::Request::new(parts.method.clone(), url.clone());
            *attempt_request.headers_mut() = headers.clone();
            *attempt_request.timeout_mut() = Some(timeout);
            if !body.is_empty() {
                *attempt_request.body_mut() = Some(body.clone().into());
            }
            let result = self.attempt(&endpoint.client, attempt_request).await;
            drop(permit);

            let (failure, wanted) = match &result {
                Ok(answer) => (
                    retry::Failure::of(answer.status),
                    wanted_wait(&answer.headers),
                ),
                Err(error) => (failure_of(error), None),
            };
            let again = failure.and_then(|failure| {
                let jitter = fastrand::f64();
                let policy = &self.egress.retry;
                retry::next(policy, &parts.method, failure, attempt, wanted, jitter)
                    .map(|wait| (failure, wait))
            });
            let Some((failure, wait)) = again else {
                return result.map(deliver);
            };
            self.observer.log(LogLine {
                level: Level::Info,
                message: repetition(&parts.method, &url, failure, wait),
                record: None,
            });
            match &endpoint.budget {
                // Whoever shares the credential would be answered the same.
                Some(budget) if failure == BUSY => budget.pause(wait),
                _ => tokio::time::sleep(wait).await,
            }
            attempt += 1;
        }
    }

    /// Sends once and reads the answer whole.
    async fn attempt(
        &self,
        client: &reqwest::Client,
        request: reqwest::Request,
    ) -> Result<Answer, Error> {
        let mut response = client.execute(request).await.map_err(|error| {
            if let Some(forbidden) = forbidden(&error) {
                self.warn(format!("request refused: {forbidden}"));
                Error::DestinationIpProhibited
            } else if error.is_connect() {
                Error::ConnectionRefused
            } else if error.is_timeout() {
                Error::HttpResponseTimeout
            } else if error.is_builder() {
                Error::HttpRequestUriInvalid
            } else {
                Error::ConnectionTerminated
            }
        })?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut body = BytesMut::new();
        while let Some(chunk) =
            (response.chunk().await).map_err(|_| Error::HttpResponseIncomplete)?
        {
            if body.len() + chunk.len() > self.response_limit {
                let limit = self.response_limit;
                self.warn(format!("an answer of more than {limit} bytes was refused"));
                return Err(Error::HttpResponseBodySize(Some(limit as u64)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            headers,
            body: body.freeze(),
        })
    }

    fn warn(&self, message: String) {
        self.observer.log(LogLine {
            level: Level::Warn,
            message,
            record: None,
        });
    }
}

const BUSY: retry::Failure = retry::Failure::Status(http::StatusCode::TOO_MANY_REQUESTS);

/// The address that the resolver refused, if that is what went wrong.
fn forbidden(error: &reqwest::Error) -> Option<&Forbidden> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(forbidden) = error.downcast_ref() {
            return Some(forbidden);
        }
        cause = error.source();
    }
    None
}

/// None when trying again cannot help.
fn failure_of(error: &Error) -> Option<retry::Failure> {
    match error {
        Error::ConnectionRefused => Some(retry::Failure::NotSent),
        Error::ConnectionTerminated
        | Error::HttpResponseTimeout
        | Error::HttpResponseIncomplete => Some(retry::Failure::Broken),
        _ => None,
    }
}

fn wanted_wait(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    retry::retry_after(value, jiff::Timestamp::now())
}

/// A log line without the query, which may hold personal data.
fn repetition(method: &Method, url: &Url, failure: retry::Failure, wait: Duration) -> String {
    let what = match failure {
        retry::Failure::NotSent => "found no connection".to_owned(),
        retry::Failure::Broken => "broke off".to_owned(),
        retry::Failure::Status(status) => format!("was answered {status}"),
    };
    let seconds = wait.as_secs_f64();
    format!("{method} {} {what}; again in {seconds:.1} s", url.path())
}

fn deliver(answer: Answer) -> Response<WasiBody> {
    let body = Full::new(answer.body)
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}
