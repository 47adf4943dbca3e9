//! One request of a guest on its way to the counterpart and back, with all its repetitions.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;
use url::Url;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::breaker::{Open, Trouble};
use super::budget::Patience;
use super::redirects::Named;
use super::signature::{Signature, Signer, token};
use super::{Egress, Endpoint, Forbidden, Refusal, hints, reads, retry};
use crate::limits::Limits;
use crate::observe::{self, Ending, Level, Observer, RunLog, method_name};
use crate::reason::Reason;
use crate::watch::{Exhausted, Pulse};

/// By this header a guest says that the counterpart recognises a repeated request.
const REPEATABLE: HeaderName = HeaderName::from_static("tenon-repeatable");
/// Most bytes of the headers of an answer. A guest may keep those of as many answers as it has handles.
const MOST_HEADERS: usize = 16 << 10;
const BUSY: retry::Failure = retry::Failure::Status(StatusCode::TOO_MANY_REQUESTS);

/// The hooks of one run.
pub(crate) struct RunEgress {
    egress: Option<Arc<Egress>>,
    run: Arc<RunShare>,
}

/// What all requests of one run share.
struct RunShare {
    observer: Arc<dyn Observer>,
    log: RunLog,
    requests: AtomicU64,
    bodies: AtomicUsize,
    limits: Limits,
    /// Whether nothing is to be changed at the counterpart,
    reads_only: bool,
    /// and why the first request that could have was refused.
    overstepped: OnceLock<Reason>,
    /// Where answers have led to.
    named: Named,
    pulse: Arc<Pulse>,
}

impl RunEgress {
    /// Without an [`Egress`] every request is refused: the component is only asked to describe
    /// itself. With `reads_only` all but requests that change nothing are.
    pub fn new(
        egress: Option<Arc<Egress>>,
        observer: Arc<dyn Observer>,
        log: RunLog,
        limits: &Limits,
        pulse: Arc<Pulse>,
        reads_only: bool,
    ) -> RunEgress {
        let run = Arc::new(RunShare {
            observer,
            log,
            requests: AtomicU64::new(0),
            bodies: AtomicUsize::new(0),
            limits: limits.clone(),
            reads_only,
            overstepped: OnceLock::new(),
            named: Named::default(),
            pulse,
        });
        RunEgress { egress, run }
    }

    /// Why the call is no good, when it wanted to change the counterpart although nothing was to be
    /// changed.
    pub fn overstepped(&self) -> Option<&Reason> {
        self.run.overstepped.get()
    }

    /// Requests sent so far.
    pub fn requests(&self) -> u64 {
        let sent = self.run.requests.load(Ordering::Relaxed);
        sent.min(self.run.limits.requests)
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
        let egress = self.egress.clone();
        let run = Arc::clone(&self.run);
        let exchanging = run.pulse.exchanging();
        Box::new(async move {
            let _exchanging = exchanging;
            let egress = egress.ok_or(Error::HttpRequestDenied)?;
            let response = Exchange { egress, run }.perform(request, options).await?;
            let nothing_left: Io = Box::new(async { Ok(()) });
            Ok((response, nothing_left))
        })
    }
}

/// Bytes of bodies that the host holds for a run.
struct Held {
    run: Arc<RunShare>,
    bytes: usize,
}

impl Held {
    fn nothing(run: &Arc<RunShare>) -> Held {
        Held {
            run: Arc::clone(run),
            bytes: 0,
        }
    }

    /// Takes note of more bytes, unless the run holds too many already.
    fn more(&mut self, bytes: usize) -> Result<(), Error> {
        let most = self.run.limits.bodies;
        let before = self.run.bodies.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before + bytes > most {
            let reason = Reason::new("host.limit.bodies");
            self.run.warn(reason.arg("most", most));
            return Err(Error::HttpResponseBodySize(Some(most as u64)));
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.run.bodies.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A body that counts as held until the guest has dropped it.
struct HeldBody {
    body: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for HeldBody {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// An answer, read whole.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    held: Held,
}

impl Answer {
    fn deliver(self) -> Response<WasiBody> {
        let body = Bytes::from_owner(HeldBody {
            body: self.body,
            _held: self.held,
        });
        let body = Full::new(body)
            .map_err(|never| match never {})
            .boxed_unsync();
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// A request that passed the policy.
struct Outgoing {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
    timeout: Duration,
    repeatable: bool,
    /// It was sent before, with a token that was not taken any longer.
    renewed: bool,
}

/// A request under way. The observer hears of it however it ends, even when its run ends before it.
struct UnderWay<'a> {
    run: &'a RunShare,
    sent_at: Instant,
    told: observe::Exchange,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.told.took = self.sent_at.elapsed();
        self.run.observer.requested(&self.told);
    }
}

struct Exchange {
    egress: Arc<Egress>,
    run: Arc<RunShare>,
}

impl Exchange {
    async fn perform(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<WasiBody>, Error> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|_| Error::HttpRequestUriInvalid)?;
        let refused = |refusal| self.run.refuse(refusal);
        let endpoint = (self.egress)
            .way(&parts.method, &url, &parts.headers, &self.run.named)
            .map_err(refused)?;
        if self.run.reads_only {
            reads::admit(&endpoint.reads, &parts.method, &url, &parts.headers).map_err(refused)?;
        }

        // The guest writes the body after it has the handle of the answer, so this waits for it.
        let mut held = Held::nothing(&self.run);
        let body = self.collect(body, &mut held).await?;
        if self.run.reads_only {
            reads::admit_body(&parts.headers, &body).map_err(refused)?;
        }
        let mut headers = parts.headers;
        headers.remove(HOST);
        headers.remove(CONTENT_LENGTH);
        let said = headers
            .remove(REPEATABLE)
            .is_some_and(|value| value == "true");
        headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(concat!(
                "tenon/",
                env!("CARGO_PKG_VERSION")
            )));
        let most = self.run.limits.answer;
        let outgoing = Outgoing {
            repeatable: retry::is_repeatable(&parts.method, said),
            renewed: false,
            method: parts.method,
            url,
            headers,
            body,
            timeout: options
                .and_then(|options| options.first_byte_timeout)
                .map_or(most, |asked| asked.min(most)),
        };
        let asked = endpoint.redirects.then(|| outgoing.url.clone());
        let answer = self.send_signed(&endpoint, outgoing).await?;
        if let Some(asked) = asked {
            self.run.named.hear(&asked, answer.status, &answer.headers);
        }
        drop(held);
        Ok(answer.deliver())
    }

    /// The body of a request, read whole.
    async fn collect(&self, mut body: WasiBody, held: &mut Held) -> Result<Bytes, Error> {
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            let most = self.run.limits.request;
            if whole.len() + data.len() > most {
                let reason = Reason::new("host.limit.request-body");
                self.run.warn(reason.arg("most", most));
                return Err(Error::HttpRequestBodySize(Some(most as u64)));
            }
            held.more(data.len())?;
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }

    /// Signs, sends, and does so once more when the counterpart does not take the token any longer.
    async fn send_signed(
        &self,
        endpoint: &Endpoint,
        mut outgoing: Outgoing,
    ) -> Result<Answer, Error> {
        loop {
            let signature = match &endpoint.signer {
                None => None,
                Some(Signer::Credential(signature)) => Some(signature.clone()),
                Some(Signer::Token { login, url, member }) => {
                    match self.token(endpoint, login, url, member).await? {
                        Ok(token) => Some(token),
                        // The login was refused: that is what the guest has to know.
                        Err(answer) => return self.withhold(endpoint, login, answer),
                    }
                }
            };
            let Some(signature) = signature else {
                return self.send(endpoint, &outgoing).await;
            };
            signature.sign(&mut outgoing.headers);
            let answer = self.send(endpoint, &outgoing).await?;
            let has_token = matches!(endpoint.signer, Some(Signer::Token { .. }));
            if has_token && answer.status == StatusCode::UNAUTHORIZED && !outgoing.renewed {
                let mut token = endpoint.account.token.lock().await;
                // Unless another request has got a new one meanwhile.
                if token.as_ref().is_some_and(|token| token.is(&signature)) {
                    *token = None;
                }
                outgoing.renewed = true;
                continue;
            }
            return self.withhold(endpoint, &signature, answer);
        }
    }

    /// The account's token, got anew when there is none; else the answer that refused the login.
    async fn token(
        &self,
        endpoint: &Endpoint,
        login: &Signature,
        url: &Url,
        member: &str,
    ) -> Result<Result<Signature, Answer>, Error> {
        let mut known = endpoint.account.token.lock().await;
        if let Some(token) = &*known {
            return Ok(Ok(token.clone()));
        }
        let mut headers = HeaderMap::new();
        login.sign(&mut headers);
        let outgoing = Outgoing {
            method: Method::POST,
            url: url.clone(),
            headers,
            body: Bytes::new(),
            timeout: self.run.limits.answer,
            repeatable: true,
            renewed: false,
        };
        let answer = self.send(endpoint, &outgoing).await?;
        if answer.status.is_client_error() {
            return Ok(Err(answer));
        }
        let signature = token(&answer.body, member).and_then(Signature::bearer);
        let Some(signature) = signature.filter(|_| answer.status.is_success()) else {
            let origin = &endpoint.origin;
            let reason = Reason::new("host.request.no-token").arg("origin", origin);
            let reason = reason.arg("status", answer.status.as_u16());
            self.run.warn(reason.clone());
            return Err(Error::InternalError(Some(reason.to_string())));
        };
        *known = Some(signature.clone());
        Ok(Ok(signature))
    }

    /// Passes an answer on unless it repeats the credential. Of a refusal that does, the status is passed
    /// on, because that is all that a guest needs of it.
    fn withhold(
        &self,
        endpoint: &Endpoint,
        signature: &Signature,
        answer: Answer,
    ) -> Result<Answer, Error> {
        let mut signatures = vec![signature];
        if let Some(Signer::Token { login, .. }) = &endpoint.signer {
            signatures.push(login);
        }
        let repeated = (signatures.iter())
            .any(|signature| signature.is_repeated_in(&answer.headers, &answer.body));
        if !repeated {
            return Ok(answer);
        }
        let origin = &endpoint.origin;
        let reason = Reason::new("host.request.answer-withheld").arg("origin", origin);
        self.run.warn(reason.clone());
        if answer.status.is_client_error() || answer.status.is_server_error() {
            return Ok(Answer {
                headers: HeaderMap::new(),
                body: Bytes::new(),
                ..answer
            });
        }
        Err(Error::InternalError(Some(reason.to_string())))
    }

    /// Sends as often as it takes and is safe.
    async fn send(&self, endpoint: &Endpoint, outgoing: &Outgoing) -> Result<Answer, Error> {
        let Outgoing { method, url, .. } = outgoing;
        let account = &endpoint.account;
        let policy = &self.egress.retry;
        let patience = Patience {
            turn: policy.longest_turn,
            silence: policy.longest_wait,
        };
        let cost = (endpoint.costs.iter())
            .filter(|(prefix, _)| url.path().starts_with(prefix.as_str()))
            .max_by_key(|(prefix, _)| prefix.len())
            .map_or(1, |(_, cost)| *cost);
        let mut attempt = 1;
        loop {
            let admitted = account.breaker.admit(Instant::now());
            admitted.map_err(|open| self.unsent(endpoint, open))?;
            let asked_at = Instant::now();
            let admitted = if self.egress.no_budget {
                let passed = account.budget.pass(cost, patience.silence).await;
                passed.map(|waited| (None, waited))
            } else {
                let turn = &endpoint.turnstile;
                let permit = account.budget.acquire(turn, cost, patience).await;
                permit.map(|permit| (Some(permit), asked_at.elapsed()))
            };
            let (permit, waited) = match admitted {
                Ok(admitted) => admitted,
                Err(used_up) => return self.give_up(endpoint, used_up.wait).await,
            };
            if self.run.requests.fetch_add(1, Ordering::Relaxed) >= self.run.limits.requests {
                let most = self.run.limits.requests;
                self.run
                    .warn(Reason::new("host.limit.requests").arg("most", most));
                return Err(Error::ConnectionLimitReached);
            }
            self.run.observer.requesting();
            let mut under_way = UnderWay {
                run: &self.run,
                sent_at: Instant::now(),
                told: observe::Exchange {
                    endpoint: Arc::clone(&endpoint.declared),
                    method: method_name(method),
                    ending: Ending::Abandoned,
                    waited,
                    took: Duration::ZERO,
                    received: 0,
                    repeat: attempt > 1 || outgoing.renewed,
                    units: cost,
                },
            };
            let received = &mut under_way.told.received;
            let result = self.attempt(&endpoint.client, outgoing, received).await;
            under_way.told.ending = ending_of(&result);
            drop(under_way);

            let now = jiff::Timestamp::now();
            let (failure, trouble, wanted) = match &result {
                Ok(answer) => {
                    let wanted = hints::retry_after(&answer.headers, now);
                    let mut hints = hints::allowances(&answer.headers, now);
                    for hint in hints.iter_mut().filter(|hint| hint.left == 0) {
                        hint.resets = hint.resets.or(wanted);
                    }
                    if let Some(permit) = &permit {
                        permit.hear(&hints);
                    }
                    // Some say so with the status of a server that is down.
                    let spent = hints.iter().any(|hint| hint.left == 0) && wanted.is_some();
                    if answer.status == StatusCode::SERVICE_UNAVAILABLE && spent {
                        (Some(BUSY), None, wanted)
                    } else {
                        (
                            retry::Failure::of(answer.status),
                            Trouble::of(answer.status, method, url),
                            wanted,
                        )
                    }
                }
                // What the host itself refused says nothing about the counterpart.
                Err(error) => match failure_of(error) {
                    Some(failure) => (Some(failure), Some(Trouble::NoAnswer), None),
                    None => return result,
                },
            };
            let paced = failure == Some(BUSY) && permit.is_some();
            drop(permit);
            // Whoever shares the account would be answered the same.
            let wanted = failure.and(wanted).map(|wait| account.budget.pause(wait));
            let breaker = &self.egress.breaker;
            if let Some(open) = account.breaker.record(breaker, trouble, Instant::now()) {
                self.run.warn(open.explain(&endpoint.origin, now));
                return result;
            }
            let Some(failure) = failure else {
                return result;
            };
            let safe = retry::is_safe(outgoing.repeatable, failure);
            if let Some(wait) = wanted
                && safe
                && wait > patience.silence
            {
                drop(result);
                return self.give_up(endpoint, wait).await;
            }
            let again = retry::next(policy, safe, attempt, wanted, fastrand::f64());
            let Some(wait) = again else {
                return result;
            };
            drop(result);
            self.run
                .log
                .line(Level::Info, repetition(method, url, failure, wait));
            if paced {
                account.budget.pause(wait);
            } else {
                tokio::time::sleep(wait).await;
            }
            attempt += 1;
        }
    }

    /// Ends the call: no request can be sent to the endpoint for so long. Comes to no end itself.
    async fn give_up<T>(&self, endpoint: &Endpoint, wait: Duration) -> T {
        let now = jiff::Timestamp::now();
        let until = now.checked_add(wait).unwrap_or(now);
        let origin = endpoint.origin.clone();
        self.run.pulse.exhaust(Exhausted { origin, until }).await
    }

    fn unsent(&self, endpoint: &Endpoint, open: Open) -> Error {
        let reason = open.explain(&endpoint.origin, jiff::Timestamp::now());
        self.run.warn(reason.clone());
        Error::InternalError(Some(reason.to_string()))
    }

    /// Sends once and reads the answer whole; counts its bytes as they come.
    async fn attempt(
        &self,
        client: &reqwest::Client,
        outgoing: &Outgoing,
        received: &mut u64,
    ) -> Result<Answer, Error> {
        let mut request = reqwest::Request::new(outgoing.method.clone(), outgoing.url.clone());
        *request.headers_mut() = outgoing.headers.clone();
        *request.timeout_mut() = Some(outgoing.timeout);
        if !outgoing.body.is_empty() {
            *request.body_mut() = Some(outgoing.body.clone().into());
        }
        let mut response = client.execute(request).await.map_err(|error| {
            if let Some(forbidden) = forbidden(&error) {
                let name = outgoing.url.origin().ascii_serialization();
                self.run.warn(forbidden.reason(&name));
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
        let sizes = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len());
        if sizes.sum::<usize>() > MOST_HEADERS {
            let reason = Reason::new("host.limit.response-headers");
            self.run.warn(reason.arg("most", MOST_HEADERS));
            return Err(Error::HttpResponseHeaderSectionSize(Some(
                MOST_HEADERS as u32,
            )));
        }
        let mut body = BytesMut::new();
        let mut held = Held::nothing(&self.run);
        let broken = |error: reqwest::Error| {
            if error.is_timeout() {
                Error::HttpResponseTimeout
            } else {
                Error::HttpResponseIncomplete
            }
        };
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            *received += chunk.len() as u64;
            let most = self.run.limits.response;
            if body.len() + chunk.len() > most {
                let reason = Reason::new("host.limit.response-body");
                self.run.warn(reason.arg("most", most));
                return Err(Error::HttpResponseBodySize(Some(most as u64)));
            }
            held.more(chunk.len())?;
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            headers,
            body: body.freeze(),
            held,
        })
    }
}

impl RunShare {
    /// What a guest is told of a request that breaks a rule.
    fn refuse(&self, refusal: Refusal) -> Error {
        let reason = refusal.reason();
        if refusal.ends_run() {
            // The first one tells enough.
            let _ = self.overstepped.set(reason.clone());
        }
        self.warn(reason);
        match refusal {
            Refusal::Address { .. } => Error::DestinationIpProhibited,
            _ => Error::HttpRequestDenied,
        }
    }

    fn warn(&self, reason: Reason) {
        self.log.line(Level::Warn, reason);
    }
}

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

/// For the observer.
fn ending_of(result: &Result<Answer, Error>) -> Ending {
    match result {
        Ok(answer) => Ending::Status(answer.status.as_u16()),
        Err(Error::ConnectionRefused) => Ending::NoConnection,
        Err(Error::HttpResponseTimeout) => Ending::TimedOut,
        Err(Error::ConnectionTerminated | Error::HttpResponseIncomplete) => Ending::BrokenOff,
        Err(_) => Ending::Refused,
    }
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

/// A log line without the query, which may hold personal data.
fn repetition(method: &Method, url: &Url, failure: retry::Failure, wait: Duration) -> Reason {
    let reason = match failure {
        retry::Failure::NotSent => Reason::new("host.again.no-connection"),
        retry::Failure::Broken => Reason::new("host.again.broke-off"),
        retry::Failure::Status(status) => Reason::new("host.again.answered").arg("status", status),
    };
    let reason = reason.arg("method", method).arg("path", url.path());
    reason.arg("seconds", format_args!("{:.1}", wait.as_secs_f64()))
}
