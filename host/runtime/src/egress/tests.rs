//! Egress against real HTTP on loopback.

use std::sync::Mutex;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use wasmtime_wasi_http::WasiBody;

use super::*;
use crate::manifest;

/// A server that fails, and counts.
struct Counterpart {
    origin: String,
    hits: Arc<AtomicU64>,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Counterpart {
    async fn start(routes: impl FnOnce(Arc<AtomicU64>) -> Router) -> Counterpart {
        let hits = Arc::new(AtomicU64::new(0));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let record = axum::middleware::from_fn(
            move |request: axum::extract::Request, next: axum::middleware::Next| {
                log.lock().unwrap().push(request.headers().clone());
                next.run(request)
            },
        );
        let app = routes(Arc::clone(&hits))
            .layer(tower_http::compression::CompressionLayer::new())
            .layer(record);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Counterpart { origin, hits, seen }
    }

    fn egress(&self, granted: bool) -> Egress {
        let manifest = Manifest {
            name: "test".to_owned(),
            version: "1".to_owned(),
            title: manifest::Text::default(),
            settings_schema: serde_json::json!({}),
            credentials: vec![manifest::Credential {
                name: "key".to_owned(),
                title: manifest::Text::default(),
                scheme: AuthScheme::Bearer,
            }],
            endpoints: vec![manifest::Endpoint {
                origin: self.origin.clone(),
                credentials: vec!["key".to_owned()],
                units_per_window: 100,
                window_ms: 1000,
                parallel: 2,
                costs: Vec::new(),
            }],
            jobs: Vec::new(),
            actions: Vec::new(),
            state_version: 0,
        };
        let settings = EgressSettings {
            grants: granted
                .then(|| Url::parse(&self.origin).unwrap().origin())
                .into_iter()
                .collect(),
            no_budget: false,
            retry: RetryPolicy {
                first_wait: Duration::from_millis(1),
                ..RetryPolicy::default()
            },
        };
        let credentials = [("key".to_owned(), Secret::new("s3cret".to_owned()))].into();
        let tenant = "shop".parse().unwrap();
        let budgets = Budgets::default();
        Egress::new(
            &tenant,
            &manifest,
            &serde_json::json!({}),
            &credentials,
            settings,
            &budgets,
        )
        .unwrap()
    }

    async fn ask(&self, method: Method, path: &str) -> Result<(StatusCode, Bytes), Error> {
        let limits = Limits {
            response: 1 << 20,
            requests: 20,
            ..Limits::default()
        };
        send(
            self.egress(true),
            &limits,
            method,
            &format!("{}{path}", self.origin),
        )
        .await
    }
}

async fn send(
    egress: Egress,
    limits: &Limits,
    method: Method,
    uri: &str,
) -> Result<(StatusCode, Bytes), Error> {
    let observer: Arc<dyn Observer> = Arc::new(crate::observe::NoObserver);
    let mut hooks = RunEgress::new(Some(Arc::new(egress)), observer, limits);
    let body: WasiBody = Full::new(Bytes::new())
        .map_err(|never| match never {})
        .boxed_unsync();
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .body(body)
        .unwrap();
    let done: Io = Box::new(async { Ok(()) });
    let (response, _) = Box::into_pin(hooks.send_request(request, None, done)).await?;
    let status = response.status();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

#[tokio::test]
async fn a_compressed_answer_arrives_decoded_and_the_host_signs() {
    let server =
        Counterpart::start(|_| Router::new().route("/", get(|| async { "x".repeat(100_000) })))
            .await;
    let (status, body) = server.ask(Method::GET, "/").await.unwrap();
    assert_eq!((StatusCode::OK, 100_000), (status, body.len()));
    let seen = server.seen.lock().unwrap();
    assert_eq!("Bearer s3cret", seen[0][AUTHORIZATION]);
    assert!(
        seen[0]["accept-encoding"]
            .to_str()
            .unwrap()
            .contains("gzip")
    );
}

#[tokio::test]
async fn an_answer_larger_than_the_limit_is_refused_after_decoding() {
    let server =
        Counterpart::start(|_| Router::new().route("/", get(|| async { "x".repeat(2 << 20) })))
            .await;
    let error = server.ask(Method::GET, "/").await.unwrap_err();
    assert!(matches!(error, Error::HttpResponseBodySize(_)), "{error}");
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
    let (status, _) = server.ask(Method::GET, "/").await.unwrap();
    assert_eq!(StatusCode::TEMPORARY_REDIRECT, status);
    assert_eq!(0, server.hits.load(Ordering::Relaxed));
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
        let (answer, _) = server.ask(Method::GET, "/").await.unwrap();
        assert_eq!(
            (StatusCode::OK, 4),
            (answer, server.hits.load(Ordering::Relaxed))
        );
    }
}

#[tokio::test]
async fn a_failure_that_stays_is_passed_on_after_a_bound() {
    let server = Counterpart::start(failing(StatusCode::BAD_GATEWAY, u64::MAX)).await;
    let (answer, _) = server.ask(Method::GET, "/").await.unwrap();
    let hits = server.hits.load(Ordering::Relaxed);
    assert_eq!((StatusCode::BAD_GATEWAY, 5), (answer, hits));
}

#[tokio::test]
async fn writing_is_not_repeated_when_it_may_have_been_done() {
    let server = Counterpart::start(failing(StatusCode::BAD_GATEWAY, 1)).await;
    let (answer, _) = server.ask(Method::POST, "/post").await.unwrap();
    let hits = server.hits.load(Ordering::Relaxed);
    assert_eq!((StatusCode::BAD_GATEWAY, 1), (answer, hits));
}

#[tokio::test]
async fn without_a_grant_this_machine_is_not_reached() {
    let server = Counterpart::start(failing(StatusCode::OK, 0)).await;
    let uri = format!("{}/", server.origin);
    let error = send(server.egress(false), &Limits::default(), Method::GET, &uri)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::HttpRequestDenied), "{error}");
    assert_eq!(0, server.hits.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_name_of_this_machine_is_dialled_only_with_a_grant() {
    let server = Counterpart::start(failing(StatusCode::OK, 0)).await;
    let named = Counterpart {
        origin: server.origin.replace("127.0.0.1", "localhost"),
        ..server
    };
    let uri = format!("{}/", named.origin);
    let mut egress = named.egress(true);
    let limits = Limits::default();
    let (status, _) = send(egress, &limits, Method::GET, &uri).await.unwrap();
    assert_eq!(StatusCode::OK, status);

    // As if it were https: the name passes the policy and meets the resolver.
    egress = named.egress(true);
    egress.endpoints[0].client = client(false).unwrap();
    let error = send(egress, &limits, Method::GET, &uri).await.unwrap_err();
    assert!(matches!(error, Error::DestinationIpProhibited), "{error}");
    assert_eq!(1, named.hits.load(Ordering::Relaxed));
}

#[tokio::test]
async fn the_credential_is_not_in_any_debug_text() {
    let server = Counterpart::start(failing(StatusCode::OK, 0)).await;
    let egress = server.egress(true);
    let text = format!("{:?} {:?}", egress.allowed, egress.endpoints[0].signature);
    assert!(!text.contains("s3cret"), "{text}");
}
