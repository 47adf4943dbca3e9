//! Egress against real HTTP and TLS on loopback.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use url::Url;
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpHooks as _};

use super::*;
use crate::limits::Limits;
use crate::manifest::{self, AuthScheme};
use crate::observe::{Ending, Exchange, LogLine, Observer, RunLog};
use crate::options::NetworkOptions;
use crate::reason::HOST;
use crate::watch::{Exhausted, Pulse};

/// A request as the counterpart saw it.
#[derive(Clone, Debug)]
struct Seen {
    at: std::time::Instant,
    peer: SocketAddr,
    path: String,
    headers: HeaderMap,
}

/// A server that remembers what it was asked.
struct Counterpart {
    origin: String,
    hits: Arc<AtomicU64>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Counterpart {
    async fn start(routes: impl FnOnce(Arc<AtomicU64>) -> Router) -> Counterpart {
        let hits = Arc::new(AtomicU64::new(0));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let record = axum::middleware::from_fn(
            move |ConnectInfo(peer): ConnectInfo<SocketAddr>,
                  request: axum::extract::Request,
                  next: axum::middleware::Next| {
                log.lock().unwrap().push(Seen {
                    at: std::time::Instant::now(),
                    peer,
                    path: request.uri().path().to_owned(),
                    headers: request.headers().clone(),
                });
                next.run(request)
            },
        );
        let app = routes(Arc::clone(&hits))
            .layer(tower_http::compression::CompressionLayer::new())
            .layer(record)
            .into_make_service_with_connect_info::<SocketAddr>();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Counterpart { origin, hits, seen }
    }

    fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// A tenant's way to a counterpart, with a log.
struct Way {
    egress: Arc<Egress>,
    origin: String,
    limits: Limits,
    heard: Arc<Heard>,
    pulse: Arc<Pulse>,
    reads_only: bool,
}

#[derive(Default)]
struct Heard {
    log: Mutex<Vec<String>>,
    exchanges: Mutex<Vec<Exchange>>,
}

impl Observer for Heard {
    fn log(&self, line: LogLine) {
        self.log.lock().unwrap().push(line.message);
    }

    fn requested(&self, exchange: &Exchange) {
        self.exchanges.lock().unwrap().push(exchange.clone());
    }
}

struct Plan<'a> {
    tenant: &'a str,
    origin: &'a str,
    /// In the words of the manifest, where that is not the origin.
    declared: Option<&'a str>,
    scheme: AuthScheme,
    secret: &'a str,
    settings: EgressSettings,
    network: &'a NetworkOptions,
    budgets: Vec<manifest::Budget>,
    redirects: bool,
}

/// So many units in so many milliseconds.
fn budget(units: u32, window_ms: u64) -> manifest::Budget {
    manifest::Budget {
        units,
        setting: None,
        window_ms,
        credential: None,
    }
}

const DAY: u64 = 24 * 60 * 60 * 1000;

impl Plan<'_> {
    fn to(origin: &str) -> Plan<'_> {
        static PLAIN: NetworkOptions = NetworkOptions {
            hosts: None,
            name_servers: Vec::new(),
            trusted_roots: Vec::new(),
        };
        Plan {
            tenant: "shop",
            origin,
            declared: None,
            scheme: AuthScheme::Bearer,
            secret: "s3cret-k3y",
            settings: EgressSettings {
                grants: vec![Url::parse(origin).unwrap().origin()],
                retry: RetryPolicy {
                    first_wait: Duration::from_millis(1),
                    ..RetryPolicy::default()
                },
                ..EgressSettings::default()
            },
            network: &PLAIN,
            budgets: vec![budget(100, 1000)],
            redirects: false,
        }
    }

    fn open(self, accounts: &Accounts) -> Way {
        let manifest = Manifest {
            name: "test".to_owned(),
            version: "1.0.0".to_owned(),
            title: manifest::Text::default(),
            settings_schema: serde_json::json!({}).into(),
            credentials: vec![manifest::Credential {
                name: "key".to_owned(),
                title: manifest::Text::default(),
                scheme: self.scheme,
            }],
            endpoints: vec![manifest::Endpoint {
                origin: self.declared.unwrap_or(self.origin).to_owned(),
                credentials: vec!["key".to_owned()],
                budgets: self.budgets,
                parallel: 2,
                costs: vec![("/report".to_owned(), 60)],
                reads: vec![manifest::Read {
                    method: "POST".to_owned(),
                    path: "/search".to_owned(),
                }],
                redirects: self.redirects,
            }],
            options: Vec::new(),
            webhooks: None,
            jobs: Vec::new(),
            actions: Vec::new(),
            state_version: 0,
            reasons: Default::default(),
        };
        let secret = Secret::new(self.secret.to_owned());
        let egress = Egress::new(
            &self.tenant.parse().unwrap(),
            &manifest,
            &serde_json::json!({ "base_url": self.origin }),
            &[("key".to_owned(), secret)].into(),
            self.settings,
            &Network::new(self.network).unwrap(),
            accounts,
        );
        Way {
            egress: Arc::new(egress.unwrap()),
            origin: self.origin.to_owned(),
            limits: Limits {
                response: 1 << 20,
                requests: 50,
                ..Limits::default()
            },
            heard: Arc::default(),
            pulse: Pulse::begin(),
            reads_only: false,
        }
    }
}

impl Way {
    fn to(server: &Counterpart) -> Way {
        Plan::to(&server.origin).open(&Accounts::default())
    }

    fn run(&self) -> RunEgress {
        let log = RunLog::new(self.heard.clone(), &self.limits, Arc::new(HOST.clone()));
        let egress = Some(Arc::clone(&self.egress));
        RunEgress::new(
            egress,
            self.heard.clone(),
            log,
            &self.limits,
            Arc::clone(&self.pulse),
            self.reads_only,
        )
    }

    /// Why its requests came to nothing: the counterpart takes none for long.
    async fn exhausted(&self, path: &str) -> Exhausted {
        tokio::select! {
            biased;
            exhausted = self.pulse.exhausted() => exhausted,
            answer = self.get(path) => panic!("{answer:?}"),
        }
    }

    async fn get(&self, path: &str) -> Result<(StatusCode, Bytes), Error> {
        self.ask(Method::GET, path, &[]).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<(StatusCode, Bytes), Error> {
        let uri = format!("{}{path}", self.origin);
        send(&mut self.run(), method, &uri, headers).await
    }

    fn heard(&self, words: &str) -> bool {
        (self.heard.log.lock().unwrap().iter()).any(|line| line.contains(words))
    }

    /// The requests that its observer was told of since it was last asked.
    fn told(&self) -> Vec<Exchange> {
        std::mem::take(&mut *self.heard.exchanges.lock().unwrap())
    }
}

async fn send(
    run: &mut RunEgress,
    method: Method,
    uri: &str,
    headers: &[(&str, &str)],
) -> Result<(StatusCode, Bytes), Error> {
    let body: WasiBody = Full::new(Bytes::new())
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let done = Box::new(async { Ok(()) });
    let sent = run.send_request(request.body(body).unwrap(), None, done);
    let (response, _) = Box::into_pin(sent).await?;
    let status = response.status();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

#[tokio::test]
async fn a_compressed_answer_arrives_decoded_and_the_host_signs() {
    let server =
        Counterpart::start(|_| Router::new().route("/", get(|| async { "x".repeat(100_000) })))
            .await;
    let (status, body) = Way::to(&server).get("/").await.unwrap();
    assert_eq!((StatusCode::OK, 100_000), (status, body.len()));
    let seen = &server.seen()[0].headers;
    assert_eq!("Bearer s3cret-k3y", seen[AUTHORIZATION]);
    assert!(seen["accept-encoding"].to_str().unwrap().contains("gzip"));
}

#[tokio::test]
async fn an_answer_larger_than_the_limit_is_refused_after_decoding() {
    let server =
        Counterpart::start(|_| Router::new().route("/", get(|| async { "x".repeat(2 << 20) })))
            .await;
    let error = Way::to(&server).get("/").await.unwrap_err();
    assert!(matches!(error, Error::HttpResponseBodySize(_)), "{error}");
}

#[tokio::test]
async fn bodies_count_until_the_guest_drops_them() {
    let server =
        Counterpart::start(|_| Router::new().route("/", get(|| async { "x".repeat(600_000) })))
            .await;
    let mut way = Way::to(&server);
    way.limits.bodies = 1_000_000;
    let (mut run, uri) = (way.run(), format!("{}/", way.origin));
    let (_, kept) = send(&mut run, Method::GET, &uri, &[]).await.unwrap();
    let error = send(&mut run, Method::GET, &uri, &[]).await.unwrap_err();
    assert!(matches!(error, Error::HttpResponseBodySize(_)), "{error}");
    drop(kept);
    assert!(send(&mut run, Method::GET, &uri, &[]).await.is_ok());
}

#[tokio::test]
async fn a_redirect_goes_to_the_guest_and_is_not_followed() {
    let server = Counterpart::start(|hits| {
        Router::new()
            .route(
                "/",
                get(|| async { axum::response::Redirect::temporary("/secret") }),
            )
            .route(
                "/secret",
                get(move || async move { hits.fetch_add(1, Ordering::Relaxed).to_string() }),
            )
    })
    .await;
    let (status, _) = Way::to(&server).get("/").await.unwrap();
    assert_eq!(StatusCode::TEMPORARY_REDIRECT, status);
    assert_eq!(0, server.hits());
}

/// A storage of files, and an API whose answers lead to its `/file`.
async fn files_elsewhere() -> (Counterpart, Counterpart) {
    let files = Counterpart::start(|_| {
        Router::new()
            .route("/file", get(|| async { "a picture" }))
            .route("/other", get(|| async { "another picture" }))
    })
    .await;
    let file = format!("{}/file?signed=1", files.origin);
    let api = Counterpart::start(move |_| {
        let to = move || async move { axum::response::Redirect::temporary(&file) };
        Router::new().route("/download", get(to))
    })
    .await;
    (api, files)
}

fn origin(server: &Counterpart) -> url::Origin {
    Url::parse(&server.origin).unwrap().origin()
}

#[tokio::test]
async fn what_an_answer_leads_to_can_be_read_without_the_credential_and_nothing_else_there() {
    let (api, files) = files_elsewhere().await;
    let mut plan = Plan {
        redirects: true,
        ..Plan::to(&api.origin)
    };
    plan.settings.grants.push(origin(&files));
    let way = plan.open(&Accounts::default());
    let (download, file) = (
        format!("{}/download", api.origin),
        format!("{}/file?signed=1", files.origin),
    );
    let mut run = way.run();
    let early = send(&mut run, Method::GET, &file, &[]).await;
    assert!(matches!(early, Err(Error::HttpRequestDenied)), "{early:?}");
    send(&mut run, Method::GET, &download, &[]).await.unwrap();
    let (status, body) = send(&mut run, Method::GET, &file, &[]).await.unwrap();
    assert_eq!((StatusCode::OK, &b"a picture"[..]), (status, &body[..]));
    let seen = files.seen();
    assert_eq!(1, seen.len());
    assert!(seen[0].headers.get(AUTHORIZATION).is_none());

    for (method, uri) in [
        (Method::POST, file.clone()),
        (Method::GET, format!("{}/other", files.origin)),
        (Method::GET, format!("{file}&carried=off")),
    ] {
        let refused = send(&mut run, method, &uri, &[]).await;
        assert!(matches!(refused, Err(Error::HttpRequestDenied)), "{uri}");
    }
    let own = [("authorization", "mine")];
    assert!(send(&mut run, Method::GET, &file, &own).await.is_err());
    // What one run was told is nothing to the next one.
    let later = send(&mut way.run(), Method::GET, &file, &[]).await;
    assert!(matches!(later, Err(Error::HttpRequestDenied)), "{later:?}");
    assert_eq!(1, files.seen().len());
}

#[tokio::test]
async fn where_an_answer_leads_to_the_rules_for_addresses_hold() {
    let (api, files) = files_elsewhere().await;
    let hosts = |server: &Counterpart| server.origin.replace("http://", "").parse().unwrap();
    let only_api = NetworkOptions {
        hosts: Some(vec![hosts(&api)]),
        ..NetworkOptions::default()
    };
    let open_network = NetworkOptions::default();
    let to = |network, redirects| Plan {
        redirects,
        network,
        ..Plan::to(&api.origin)
    };
    // No grant for plain http there; a host that this machine goes to no more; no word of redirects.
    let not_granted = to(&open_network, true);
    let mut not_of_network = to(&only_api, true);
    not_of_network.settings.grants.push(origin(&files));
    let mut not_of_connection = to(&open_network, true);
    not_of_connection.settings.grants.push(origin(&files));
    not_of_connection.settings.hosts = Some(vec![hosts(&api)]);
    let mut not_declared = to(&open_network, false);
    not_declared.settings.grants.push(origin(&files));
    for (plan, words) in [
        (not_granted, "is not https"),
        (not_of_network, "not among the hosts"),
        (not_of_connection, "not among the hosts"),
        (not_declared, "is not an endpoint"),
    ] {
        let way = plan.open(&Accounts::default());
        let mut run = way.run();
        let download = format!("{}/download", api.origin);
        send(&mut run, Method::GET, &download, &[]).await.unwrap();
        let file = format!("{}/file?signed=1", files.origin);
        assert!(
            send(&mut run, Method::GET, &file, &[]).await.is_err(),
            "{words}"
        );
        assert!(way.heard(words), "{words}: {:?}", way.heard.log);
        assert!(!way.heard("signed"), "the address is signed");
    }
    assert!(files.seen().is_empty());
}

/// Fails the first `n` times, whatever the method.
fn failing(status: StatusCode, n: u64) -> impl FnOnce(Arc<AtomicU64>) -> Router {
    move |hits| {
        let handler = move || async move {
            let hit = hits.fetch_add(1, Ordering::Relaxed);
            if hit < n { status } else { StatusCode::OK }
        };
        Router::new()
            .route("/", get(handler.clone()))
            .route("/post", post(handler))
    }
}

#[tokio::test]
async fn reading_is_repeated_until_it_succeeds() {
    for status in [500, 502, 503, 504, 429] {
        let status = StatusCode::from_u16(status).unwrap();
        let server = Counterpart::start(failing(status, 3)).await;
        let (answer, _) = Way::to(&server).get("/").await.unwrap();
        assert_eq!((StatusCode::OK, 4), (answer, server.hits()));
    }
}

#[tokio::test]
async fn a_failure_that_stays_is_passed_on_after_a_bound() {
    let server = Counterpart::start(failing(StatusCode::BAD_GATEWAY, u64::MAX)).await;
    let (answer, _) = Way::to(&server).get("/").await.unwrap();
    assert_eq!((StatusCode::BAD_GATEWAY, 5), (answer, server.hits()));
}

#[tokio::test]
async fn writing_is_repeated_only_when_the_guest_says_that_it_is_safe() {
    let server = Counterpart::start(failing(StatusCode::BAD_GATEWAY, 1)).await;
    let way = Way::to(&server);
    let (answer, _) = way.ask(Method::POST, "/post", &[]).await.unwrap();
    assert_eq!((StatusCode::BAD_GATEWAY, 1), (answer, server.hits()));

    let server = Counterpart::start(failing(StatusCode::BAD_GATEWAY, 1)).await;
    let way = Way::to(&server);
    let marked = [("tenon-repeatable", "true")];
    let (answer, _) = way.ask(Method::POST, "/post", &marked).await.unwrap();
    assert_eq!((StatusCode::OK, 2), (answer, server.hits()));
    let seen = server.seen();
    assert!(
        seen.iter()
            .all(|seen| !seen.headers.contains_key("tenon-repeatable"))
    );
}

#[tokio::test]
async fn identical_failures_open_the_breaker_for_every_connection_of_the_account() {
    let server = Counterpart::start(failing(StatusCode::UNAUTHORIZED, u64::MAX)).await;
    let accounts = Accounts::default();
    let plan = || {
        let mut plan = Plan::to(&server.origin);
        plan.settings.breaker.failures = 3;
        plan
    };
    let (one, other) = (plan().open(&accounts), plan().open(&accounts));
    for _ in 0..3 {
        assert_eq!(StatusCode::UNAUTHORIZED, one.get("/").await.unwrap().0);
    }
    let Err(Error::InternalError(Some(reason))) = other.get("/").await else {
        panic!("the breaker let a request through");
    };
    assert!(
        reason.contains("until 20") && reason.contains("answered 401 3 times"),
        "{reason}"
    );
    assert!(one.heard("nothing is sent to"));
    assert_eq!(3, server.hits());

    let mut elsewhere = plan();
    elsewhere.tenant = "other";
    assert!(elsewhere.open(&accounts).get("/").await.is_ok());
}

/// The least time between two requests after which the counterpart saw the second.
fn gap(server: &Counterpart) -> Duration {
    let seen = server.seen();
    seen[1].at - seen[0].at
}

#[tokio::test]
async fn a_path_costs_what_the_manifest_says() {
    let answer = || async { "stock" };
    let server = Counterpart::start(|_| Router::new().route("/report/stock", get(answer))).await;
    let way = Way::to(&server);
    for _ in 0..2 {
        way.get("/report/stock").await.unwrap();
    }
    // 60 of 100 units each: the second has to wait for the next window.
    assert!(
        gap(&server) >= Duration::from_millis(500),
        "{:?}",
        gap(&server)
    );
}

#[tokio::test]
async fn a_counterpart_that_asks_for_a_pause_gets_it() {
    let busy = |hits: Arc<AtomicU64>| async move {
        let first = hits.fetch_add(1, Ordering::Relaxed) == 0;
        let status = if first {
            StatusCode::TOO_MANY_REQUESTS
        } else {
            StatusCode::OK
        };
        (status, [("x-lognex-retry-after", "300")])
    };
    let server = Counterpart::start(|hits| Router::new().route("/", get(move || busy(hits)))).await;
    assert_eq!(StatusCode::OK, Way::to(&server).get("/").await.unwrap().0);
    assert!(
        gap(&server) >= Duration::from_millis(290),
        "{:?}",
        gap(&server)
    );
}

#[tokio::test]
async fn an_answer_that_leaves_no_unit_holds_back_the_next_request() {
    let last = || async { [("x-ratelimit-remaining", "0"), ("x-lognex-reset", "300")] };
    let server = Counterpart::start(|_| Router::new().route("/", get(last))).await;
    let way = Way::to(&server);
    for _ in 0..2 {
        way.get("/").await.unwrap();
    }
    assert!(
        gap(&server) >= Duration::from_millis(290),
        "{:?}",
        gap(&server)
    );
}

#[tokio::test]
async fn an_answer_that_repeats_the_credential_is_withheld() {
    let echo = |headers: HeaderMap| async move { format!("{:?}", headers[AUTHORIZATION].to_str()) };
    let server = Counterpart::start(|_| Router::new().route("/", get(echo))).await;
    let way = Way::to(&server);
    let error = way.get("/").await.unwrap_err();
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    assert!(way.heard("withheld"));
}

#[tokio::test]
async fn a_refusal_that_repeats_the_credential_is_passed_on_without_its_words() {
    let echo = |headers: HeaderMap| async move {
        let key = headers[AUTHORIZATION].clone();
        let words = format!("no such key: {key:?}");
        (StatusCode::UNAUTHORIZED, [("x-key", key)], words)
    };
    let server = Counterpart::start(|_| Router::new().route("/", get(echo))).await;
    let way = Way::to(&server);
    let answer = way.get("/").await.unwrap();
    assert_eq!((StatusCode::UNAUTHORIZED, Bytes::new()), answer);
    assert!(way.heard("withheld"));
}

/// A counterpart whose tokens are good for some requests each; a new one revokes the others.
fn with_tokens(good_for: u64) -> impl FnOnce(Arc<AtomicU64>) -> Router {
    move |logins| {
        let asked = Arc::new(AtomicU64::new(0));
        let login = {
            let (logins, asked) = (Arc::clone(&logins), Arc::clone(&asked));
            move |headers: HeaderMap| async move {
                if headers[AUTHORIZATION] != "Basic bWU6cGFzc3dvcmQ=" {
                    return (StatusCode::UNAUTHORIZED, "wrong password".to_owned());
                }
                asked.store(0, Ordering::Relaxed);
                let number = logins.fetch_add(1, Ordering::Relaxed) + 1;
                (
                    StatusCode::CREATED,
                    format!(r#"{{"access_token":"token-{number}"}}"#),
                )
            }
        };
        let read = move |headers: HeaderMap| async move {
            let present = format!("Bearer token-{}", logins.load(Ordering::Relaxed));
            let count = asked.fetch_add(1, Ordering::Relaxed);
            if headers[AUTHORIZATION] == present && count < good_for {
                StatusCode::OK
            } else {
                StatusCode::UNAUTHORIZED
            }
        };
        Router::new()
            .route("/token", post(login))
            .route("/", get(read))
    }
}

fn by_login(origin: &str) -> Plan<'_> {
    Plan {
        scheme: AuthScheme::Token(manifest::TokenExchange {
            path: "/token".to_owned(),
            member: "access_token".to_owned(),
        }),
        secret: "me:password",
        ..Plan::to(origin)
    }
}

#[tokio::test]
async fn a_token_is_got_once_and_shared_and_renewed_when_it_is_refused() {
    let server = Counterpart::start(with_tokens(4)).await;
    let accounts = Accounts::default();
    let ways = [
        by_login(&server.origin).open(&accounts),
        by_login(&server.origin).open(&accounts),
    ];
    for way in ways.iter().cycle().take(4) {
        assert_eq!(StatusCode::OK, way.get("/").await.unwrap().0);
    }
    assert_eq!(1, server.hits());
    assert_eq!(StatusCode::OK, ways[0].get("/").await.unwrap().0);
    assert_eq!(StatusCode::OK, ways[1].get("/").await.unwrap().0);
    assert_eq!(2, server.hits());
}

#[tokio::test]
async fn a_token_that_is_refused_at_once_is_not_renewed_for_ever() {
    let server = Counterpart::start(with_tokens(0)).await;
    let way = by_login(&server.origin).open(&Accounts::default());
    assert_eq!(StatusCode::UNAUTHORIZED, way.get("/").await.unwrap().0);
    assert_eq!(2, server.hits());
}

#[tokio::test]
async fn a_refused_login_is_told_to_the_guest_and_the_token_path_is_not_for_it() {
    let server = Counterpart::start(with_tokens(9)).await;
    let mut plan = by_login(&server.origin);
    plan.secret = "me:wrong-password";
    let (status, body) = plan.open(&Accounts::default()).get("/").await.unwrap();
    assert_eq!(
        (StatusCode::UNAUTHORIZED, &b"wrong password"[..]),
        (status, &body[..])
    );

    let way = by_login(&server.origin).open(&Accounts::default());
    let error = way.ask(Method::POST, "/token", &[]).await.unwrap_err();
    assert!(matches!(error, Error::HttpRequestDenied), "{error}");
    assert_eq!(0, server.hits());
}

#[tokio::test]
async fn without_a_grant_this_machine_is_not_reached() {
    let server = Counterpart::start(failing(StatusCode::OK, 0)).await;
    let mut plan = Plan::to(&server.origin);
    plan.settings.grants.clear();
    let way = plan.open(&Accounts::default());
    let error = way.get("/").await.unwrap_err();
    assert!(matches!(error, Error::HttpRequestDenied), "{error}");
    assert!(way.heard("is not https"));
    assert_eq!(0, server.hits());
}

#[tokio::test]
async fn a_name_of_this_machine_is_dialled_only_with_a_grant() {
    let server = Counterpart::start(failing(StatusCode::OK, 0)).await;
    let named = server.origin.replace("127.0.0.1", "localhost");
    let way = Plan::to(&named).open(&Accounts::default());
    assert_eq!(StatusCode::OK, way.get("/").await.unwrap().0);

    let mut plan = Plan::to(&named);
    let secure = named.replace("http://", "https://");
    plan.origin = &secure;
    let way = plan.open(&Accounts::default());
    let error = way.get("/").await.unwrap_err();
    assert!(matches!(error, Error::DestinationIpProhibited), "{error}");
    assert!(way.heard("is an address of this machine"));
    assert_eq!(1, server.hits());
}

#[tokio::test]
async fn no_socket_and_no_cookie_is_shared_between_connections() {
    let set = || async { [("set-cookie", "session=abc")] };
    let server = Counterpart::start(|_| Router::new().route("/", get(set))).await;
    let accounts = Accounts::default();
    let mut other = Plan::to(&server.origin);
    other.tenant = "other";
    let ways = [
        Plan::to(&server.origin).open(&accounts),
        Plan::to(&server.origin).open(&accounts),
        other.open(&accounts),
    ];
    for way in ways.iter().cycle().take(9) {
        way.get("/").await.unwrap();
    }
    let seen = server.seen();
    let peers: std::collections::HashSet<_> = seen.iter().map(|seen| seen.peer).collect();
    assert_eq!(3, peers.len(), "one socket each: {peers:?}");
    for (index, request) in seen.iter().enumerate() {
        assert_eq!(seen[index % 3].peer, request.peer);
        assert!(!request.headers.contains_key(COOKIE), "{}", request.path);
    }
}

/// A TLS server that closes each connection after one answer, and the certificate to trust.
async fn secure_server() -> (String, Vec<u8>, Arc<Mutex<Vec<rustls::HandshakeKind>>>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private.unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let handshakes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&handshakes);
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(socket).await else {
                continue;
            };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let kind = stream.get_ref().1.handshake_kind().unwrap();
            seen.lock().unwrap().push(kind);
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        }
    });
    (origin, key.cert.pem().into_bytes(), handshakes)
}

#[tokio::test]
async fn no_tls_session_is_resumed_by_another_connection() {
    use rustls::HandshakeKind::Resumed;

    let (origin, root, handshakes) = secure_server().await;
    let network = NetworkOptions {
        trusted_roots: vec![root],
        ..NetworkOptions::default()
    };
    let open = |tenant| {
        let mut plan = Plan::to(&origin);
        plan.tenant = tenant;
        plan.network = &network;
        plan.open(&Accounts::default())
    };
    let (one, other) = (open("one"), open("other"));
    for way in [&one, &one, &other] {
        assert_eq!(StatusCode::OK, way.get("/").await.unwrap().0);
    }
    let handshakes = handshakes.lock().unwrap().clone();
    assert_eq!(
        Resumed, handshakes[1],
        "a connection resumes its own session"
    );
    assert_ne!(Resumed, handshakes[2], "and nobody else's");

    let distrusting = Plan::to(&origin).open(&Accounts::default());
    assert!(distrusting.get("/").await.is_err());
}

#[tokio::test]
async fn the_credential_is_not_in_any_debug_text() {
    let way = Plan::to("http://127.0.0.1:1").open(&Accounts::default());
    let endpoint = &way.egress.endpoints[0];
    let text = format!("{:?} {:?}", way.egress.allowed, endpoint.signer);
    assert!(!text.contains("s3cret"), "{text}");
}

/// What was told of each request: method, ending, whether it was a repeat.
fn shape(told: &[Exchange]) -> Vec<(&'static str, Ending, bool)> {
    told.iter()
        .map(|exchange| (exchange.method, exchange.ending, exchange.repeat))
        .collect()
}

#[tokio::test]
async fn the_observer_is_told_of_each_request_and_each_repetition() {
    let flaky = |hits: Arc<AtomicU64>| async move {
        match hits.fetch_add(1, Ordering::Relaxed) {
            0 => (StatusCode::BAD_GATEWAY, ""),
            _ => (StatusCode::OK, "seven b"),
        }
    };
    let routes = |hits| Router::new().route("/", get(move || flaky(hits)));
    let server = Counterpart::start(routes).await;
    let way = Way::to(&server);
    way.get("/").await.unwrap();
    let told = way.told();
    let expected = [
        ("GET", Ending::Status(502), false),
        ("GET", Ending::Status(200), true),
    ];
    assert_eq!(expected.to_vec(), shape(&told));
    assert_eq!([0, 7], [told[0].received, told[1].received]);
    assert_eq!(server.origin, *told[1].endpoint);
    assert!(told.iter().all(|exchange| !exchange.took.is_zero()));
}

#[tokio::test]
async fn logins_are_told_of_and_a_request_with_a_renewed_token_is_a_repeat() {
    let server = Counterpart::start(with_tokens(1)).await;
    let way = by_login(&server.origin).open(&Accounts::default());
    way.get("/").await.unwrap();
    way.get("/").await.unwrap();
    let expected = [
        ("POST", Ending::Status(201), false),
        ("GET", Ending::Status(200), false),
        ("GET", Ending::Status(401), false),
        ("POST", Ending::Status(201), false),
        ("GET", Ending::Status(200), true),
    ];
    assert_eq!(expected.to_vec(), shape(&way.told()));
}

#[tokio::test]
async fn a_request_without_an_answer_is_told_by_what_went_wrong() {
    let nobody = Plan::to("http://127.0.0.1:1").open(&Accounts::default());
    nobody.get("/").await.unwrap_err();
    let told = shape(&nobody.told());
    assert_eq!(5, told.len());
    assert_eq!(("GET", Ending::NoConnection, false), told[0]);
    assert_eq!(("GET", Ending::NoConnection, true), told[4]);

    let routes = |_| {
        Router::new()
            .route("/never", get(std::future::pending::<()>))
            .route("/large", get(|| async { "x".repeat(2 << 20) }))
    };
    let server = Counterpart::start(routes).await;
    let mut way = Way::to(&server);
    way.get("/large").await.unwrap_err();
    let told = way.told();
    assert_eq!(vec![("GET", Ending::Refused, false)], shape(&told));
    assert!(told[0].received > 1 << 20, "{told:?}");

    way.limits.answer = Duration::from_millis(20);
    way.get("/never").await.unwrap_err();
    let told = shape(&way.told());
    assert_eq!(5, told.len());
    assert_eq!(("GET", Ending::TimedOut, true), told[4]);
}

#[tokio::test]
async fn a_request_that_its_guest_drops_is_told_of_too() {
    let came = Arc::new(tokio::sync::Notify::new());
    let handler = {
        let came = Arc::clone(&came);
        move || async move {
            came.notify_one();
            std::future::pending::<()>().await;
        }
    };
    let server = Counterpart::start(|_| Router::new().route("/", get(handler))).await;
    let way = Way::to(&server);
    tokio::select! {
        answer = way.get("/") => panic!("{answer:?}"),
        () = came.notified() => {}
    }
    let expected = vec![("GET", Ending::Abandoned, false)];
    assert_eq!(expected, shape(&way.told()));
}

#[tokio::test]
async fn a_request_that_was_not_sent_is_not_told_of() {
    let server = Counterpart::start(failing(StatusCode::UNAUTHORIZED, u64::MAX)).await;
    let mut plan = Plan::to(&server.origin);
    plan.settings.breaker.failures = 1;
    let way = plan.open(&Accounts::default());
    way.get("/").await.unwrap();
    way.get("/").await.unwrap_err();
    let mut run = way.run();
    let foreign = "https://other.example/";
    let refused = send(&mut run, Method::GET, foreign, &[]).await;
    refused.unwrap_err();
    assert_eq!(1, way.told().len());
}

#[tokio::test]
async fn the_wait_for_the_budget_is_told_apart_from_the_request() {
    let server = Counterpart::start(failing(StatusCode::OK, 0)).await;
    let accounts = Accounts::default();
    let mut unbound = Plan::to(&server.origin);
    unbound.settings.no_budget = true;
    let (way, unbound) = (
        Plan::to(&server.origin).open(&accounts),
        unbound.open(&accounts),
    );
    let budget = &way.egress.endpoints[0].account.budget;
    budget.pause(Duration::from_secs(1));
    way.get("/").await.unwrap();
    unbound.get("/").await.unwrap();
    let waited = way.told()[0].waited;
    assert!(waited >= Duration::from_millis(200), "{waited:?}");
    assert_eq!(Duration::ZERO, unbound.told()[0].waited);
}

#[tokio::test]
async fn what_is_told_of_a_request_holds_nothing_secret_or_personal() {
    let answer = || async { ([("x-note", "their-header")], "their-body") };
    let server =
        Counterpart::start(|_| Router::new().route("/buyers/{name}", axum::routing::any(answer)))
            .await;
    let way = Way::to(&server);
    let made_up = Method::from_bytes(b"PERSONAL").unwrap();
    let headers = [("x-note", "our-header")];
    way.ask(made_up, "/buyers/olena?phone=0671234567", &headers)
        .await
        .unwrap();
    let told = way.told();
    assert_eq!(("other", Ending::Status(200), false), shape(&told)[0]);
    let text = format!("{told:?}");
    let kept = [
        "s3cret", "Bearer", "buyers", "olena", "phone", "067", "header", "body", "PERSONAL",
    ];
    for kept in kept {
        assert!(!text.contains(kept), "{kept} in {text}");
    }
}

#[tokio::test]
async fn an_endpoint_from_a_setting_is_told_by_the_settings_name() {
    let server = Counterpart::start(failing(StatusCode::OK, 0)).await;
    let mut plan = Plan::to(&server.origin);
    plan.declared = Some("{settings.base_url}");
    let way = plan.open(&Accounts::default());
    way.get("/").await.unwrap();
    assert_eq!("{settings.base_url}", &*way.told()[0].endpoint);
}

/// Counts requests, and answers each with these headers.
fn answering(
    status: StatusCode,
    headers: &'static [(&'static str, &'static str)],
) -> impl FnOnce(Arc<AtomicU64>) -> Router {
    move |hits| {
        let answer = move || async move {
            hits.fetch_add(1, Ordering::Relaxed);
            let headers: HeaderMap = (headers.iter())
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect::<HeaderMap>();
            (status, headers)
        };
        Router::new().fallback(answer)
    }
}

/// What goes without a long wait goes within this.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_request_waits_for_room_in_every_window() {
    let server = Counterpart::start(answering(StatusCode::OK, &[])).await;
    let mut plan = Plan::to(&server.origin);
    plan.budgets = vec![budget(1, 100), budget(2, 500)];
    let way = plan.open(&Accounts::default());
    for _ in 0..3 {
        way.get("/").await.unwrap();
    }
    let seen = server.seen();
    let at = |index: usize| seen[index].at - seen[0].at;
    assert!(at(1) >= Duration::from_millis(95), "{:?}", at(1));
    assert!(at(2) >= Duration::from_millis(490), "{:?}", at(2));
}

#[tokio::test]
async fn a_budget_of_one_credential_counts_only_what_is_signed_with_it() {
    let server = Counterpart::start(answering(StatusCode::OK, &[])).await;
    for (credential, times) in [("other", 3), ("key", 1)] {
        let mut plan = Plan::to(&server.origin);
        plan.budgets = vec![manifest::Budget {
            credential: Some(credential.to_owned()),
            ..budget(1, DAY)
        }];
        let way = plan.open(&Accounts::default());
        for _ in 0..times {
            way.get("/").await.unwrap();
        }
        if credential == "key" {
            way.exhausted("/").await;
        }
    }
    assert_eq!(4, server.hits());
}

#[tokio::test]
async fn a_day_that_is_used_up_ends_the_call_with_the_time_when_it_can_go_on() {
    let server = Counterpart::start(answering(StatusCode::OK, &[])).await;
    let mut plan = Plan::to(&server.origin);
    plan.budgets = vec![budget(10, 1000), budget(2, DAY)];
    let way = plan.open(&Accounts::default());
    for _ in 0..2 {
        way.get("/").await.unwrap();
    }
    let before = jiff::Timestamp::now();
    let exhausted = way.exhausted("/").await;
    assert_eq!(server.origin, exhausted.origin);
    let wait = exhausted.until.duration_since(before).as_hours();
    assert!((23..=24).contains(&wait), "{exhausted:?}");
    assert_eq!(2, server.hits());
    let uses = way.egress.budgets();
    let shown: Vec<_> = (uses.iter())
        .map(|one| (one.window_ms, one.units, one.used, one.left, one.told))
        .collect();
    assert_eq!(vec![(1000, 10, 2, 8, false), (DAY, 2, 2, 0, false)], shown);
    assert_eq!(Some("key"), uses[1].credential.as_deref());
    assert!(uses[0].free_at.is_none() && uses[1].free_at.is_some());
}

#[tokio::test]
async fn a_counterpart_that_wants_silence_for_hours_ends_every_call() {
    let hours = &[("retry-after", "7200")];
    let busy = answering(StatusCode::TOO_MANY_REQUESTS, hours);
    let server = Counterpart::start(busy).await;
    let accounts = Accounts::default();
    for _ in 0..2 {
        // The second one learns it without asking.
        let way = Plan::to(&server.origin).open(&accounts);
        let exhausted = way.exhausted("/").await;
        let wait = exhausted.until.duration_since(jiff::Timestamp::now());
        assert_eq!(1, wait.as_hours(), "{exhausted:?}");
    }
    assert_eq!(1, server.hits());
}

#[tokio::test]
async fn a_counterpart_that_is_down_and_says_until_when_is_left_alone_by_the_whole_account() {
    let minutes = &[("retry-after", "120")];
    for no_budget in [false, true] {
        let down = answering(StatusCode::SERVICE_UNAVAILABLE, minutes);
        let server = Counterpart::start(down).await;
        let accounts = Accounts::default();
        for _ in 0..2 {
            let mut plan = Plan::to(&server.origin);
            plan.settings.no_budget = no_budget;
            let way = plan.open(&accounts);
            let exhausted = way.exhausted("/").await;
            let (origin, until) = way.egress.silent_until().unwrap();
            assert_eq!(server.origin, origin);
            for until in [exhausted.until, until] {
                let wait = until.duration_since(jiff::Timestamp::now()).as_secs();
                assert!((100..=120).contains(&wait), "{wait}");
            }
        }
        assert_eq!(1, server.hits());
    }
}

#[tokio::test]
async fn what_may_have_been_done_is_answered_and_nothing_is_sent_after_it() {
    let minutes = &[("retry-after", "120")];
    let down = answering(StatusCode::SERVICE_UNAVAILABLE, minutes);
    let server = Counterpart::start(down).await;
    let way = Way::to(&server);
    // Whether it was done only the connector can find out.
    let answer = way.ask(Method::POST, "/", &[]).await.unwrap();
    assert_eq!(StatusCode::SERVICE_UNAVAILABLE, answer.0);
    assert!(way.egress.silent_until().is_some());
    way.exhausted("/").await;
    assert_eq!(1, server.hits());
}

#[tokio::test]
async fn no_more_requests_are_sent_than_the_counterpart_says_are_left() {
    let left = |hits: Arc<AtomicU64>| async move {
        let left = 1_u64.saturating_sub(hits.fetch_add(1, Ordering::Relaxed));
        [("x-ratelimit-remaining", left.to_string())]
    };
    let server = Counterpart::start(|hits| Router::new().route("/", get(move || left(hits)))).await;
    let way = Way::to(&server);
    for _ in 0..3 {
        way.get("/").await.unwrap();
    }
    let seen = server.seen();
    // As long as the window, which began with the first of them.
    let gap = seen[2].at - seen[0].at;
    assert!(gap >= Duration::from_millis(900), "{gap:?}");
    assert!(way.egress.budgets()[0].told);
}

#[tokio::test]
async fn more_requests_are_sent_than_the_manifest_says_when_the_counterpart_allows_it() {
    // The answers of MoySklad.
    let allowed = |hits: Arc<AtomicU64>| async move {
        let left = 44 - hits.fetch_add(1, Ordering::Relaxed);
        [
            ("x-ratelimit-limit", "45".to_owned()),
            ("x-ratelimit-remaining", left.to_string()),
            ("x-lognex-retry-timeinterval", "60000".to_owned()),
            ("x-lognex-reset", "0".to_owned()),
        ]
    };
    let routes = |hits| Router::new().route("/", get(move || allowed(hits)));
    let server = Counterpart::start(routes).await;
    let mut plan = Plan::to(&server.origin);
    plan.budgets = vec![budget(1, 60_000)];
    let way = plan.open(&Accounts::default());
    let requests = async {
        for _ in 0..5 {
            way.get("/").await.unwrap();
        }
    };
    tokio::time::timeout(SOON, requests).await.unwrap();
    let shown = &way.egress.budgets()[0];
    assert_eq!((45, 5, true), (shown.units, shown.used, shown.told));
}

#[tokio::test]
async fn a_quota_that_is_told_like_a_failure_is_waited_for() {
    // The answers of inSales.
    let quota = |hits: Arc<AtomicU64>| async move {
        match hits.fetch_add(1, Ordering::Relaxed) {
            0 => (
                StatusCode::SERVICE_UNAVAILABLE,
                [("api-usage-limit", "500/500"), ("retry-after", "1")],
            ),
            _ => (StatusCode::OK, [("api-usage-limit", "1/500"), ("x", "")]),
        }
    };
    let routes = |hits| Router::new().route("/post", post(move || quota(hits)));
    let server = Counterpart::start(routes).await;
    let mut plan = Plan::to(&server.origin);
    plan.budgets = vec![budget(500, 300_000)];
    plan.settings.breaker.failures = 1;
    let way = plan.open(&Accounts::default());
    let answer = tokio::time::timeout(SOON, way.ask(Method::POST, "/post", &[]));
    assert_eq!(StatusCode::OK, answer.await.unwrap().unwrap().0);
    let gap = gap(&server);
    assert!(gap >= Duration::from_millis(950), "{gap:?}");
}

#[tokio::test]
async fn what_is_spent_without_waiting_is_counted_too() {
    let server = Counterpart::start(answering(StatusCode::OK, &[])).await;
    let accounts = Accounts::default();
    let mut unbound = Plan::to(&server.origin);
    unbound.settings.no_budget = true;
    unbound.budgets = vec![budget(5, DAY)];
    let mut bound = Plan::to(&server.origin);
    bound.budgets = vec![budget(5, DAY)];
    let (unbound, bound) = (unbound.open(&accounts), bound.open(&accounts));
    for _ in 0..7 {
        unbound.get("/").await.unwrap();
    }
    assert_eq!(7, bound.egress.budgets()[0].used);
    bound.exhausted("/").await;
    assert_eq!(1, unbound.told()[0].units);
}

#[tokio::test]
async fn while_nothing_is_to_be_changed_only_reads_are_sent() {
    let server = Counterpart::start(answering(StatusCode::OK, &[])).await;
    let mut way = Way::to(&server);
    way.reads_only = true;
    for (method, path) in [
        (Method::GET, "/orders?_page=2"),
        (Method::HEAD, "/orders"),
        (Method::POST, "/search"),
        (Method::POST, "/search?page=2"),
    ] {
        let mut run = way.run();
        let uri = format!("{}{path}", way.origin);
        send(&mut run, method, &uri, &[]).await.unwrap();
        assert_eq!(None, run.overstepped());
    }
    let made_up = Method::from_bytes(b"post").unwrap();
    for (method, path, headers) in [
        (Method::POST, "/orders", &[][..]),
        (Method::PUT, "/search", &[]),
        (Method::PATCH, "/search", &[]),
        (Method::DELETE, "/search", &[]),
        (Method::OPTIONS, "/search", &[]),
        (made_up, "/search", &[]),
        (Method::POST, "/search/../orders", &[]),
        (Method::POST, "/search/%2e%2e/orders", &[]),
        (Method::POST, "/SEARCH", &[]),
        (Method::POST, "//search", &[]),
        (Method::POST, "/search/", &[]),
        (Method::POST, "/search?_method=DELETE", &[]),
        (
            Method::POST,
            "/search",
            &[("x-http-method-override", "PUT")],
        ),
        (Method::GET, "/orders", &[("x-http-method", "DELETE")]),
        (Method::POST, "/search", &[("x-original-url", "/orders")]),
    ] {
        let mut run = way.run();
        let uri = format!("{}{path}", way.origin);
        let error = send(&mut run, method.clone(), &uri, headers).await;
        assert!(matches!(error, Err(Error::HttpRequestDenied)), "{error:?}");
        assert!(run.overstepped().is_some(), "{method} {path}");
    }
    assert_eq!(4, server.hits());
    let mut run = way.run();
    let uri = format!("{}/orders?phone=067", way.origin);
    send(&mut run, Method::POST, &uri, &[]).await.unwrap_err();
    let told = run.overstepped().unwrap().to_string();
    assert!(
        told.contains("POST /orders ") && !told.contains("067"),
        "{told}"
    );
    assert!(told.contains("`reads`"), "{told}");
}
