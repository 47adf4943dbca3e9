//! The console: the reference UI for admins and people of shops, as static files.
//!
//! There is no build step: `assets/` are plain ES modules that the browser loads as they are, with
//! preact and htm beside them. Everything they show they ask the HTTP API for, with the bearer token
//! of whoever looks, so these files hold nothing that is worth protecting.
//!
//! The threat is what a browser may be talked into: script from elsewhere, a page that frames the
//! console and steals clicks, a token that leaks in an address. The policy below allows scripts,
//! styles and requests of this origin alone, and frames of one named origin or none; a token comes
//! from the person or, by message, from that origin, never in an address.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tower_http::compression::CompressionLayer;

pub use crate::origin::{NotAnOrigin, Origin};

/// All files, by their path below `assets/`.
macro_rules! assets {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("assets/", $path)))),*]
    };
}

const ASSETS: &[(&str, &[u8])] = assets![
    "api.js",
    "app.js",
    "chart.js",
    "embedding.js",
    "i18n.js",
    "icon.svg",
    "index.html",
    "memory.js",
    "named.js",
    "names.js",
    "pages/audit.js",
    "pages/components.js",
    "pages/connection-frame.js",
    "pages/connection-lists.js",
    "pages/connection-settings.js",
    "pages/connection.js",
    "pages/connections.js",
    "pages/log.js",
    "pages/maintenance.js",
    "pages/questions.js",
    "pages/records.js",
    "pages/run.js",
    "pages/setup.js",
    "pages/sign-in.js",
    "pages/tenants.js",
    "pages/tokens.js",
    "route.js",
    "schedule.js",
    "settings-form.js",
    "style.css",
    "text/en.json",
    "text/ru.json",
    "text/uk.json",
    "ui.js",
    "unsaved.js",
    "vendor/htm-3.1.1.mjs",
    "vendor/htm-LICENSE.txt",
    "vendor/inter-5.3.0-cyrillic.woff2",
    "vendor/inter-5.3.0-latin-ext.woff2",
    "vendor/inter-5.3.0-latin.woff2",
    "vendor/inter-LICENSE.txt",
    "vendor/preact-11.2.0.mjs",
    "vendor/preact-LICENSE.txt",
    "vendor/preact-hooks-11.2.0.mjs",
];

/// The page that everything else is loaded by.
const INDEX: &str = "index.html";

/// What this server tells the console.
const CONFIG: &str = "config.json";

/// How the console is served.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The one origin that may show the console in a frame, and hand it a token.
    pub origin: Option<Origin>,
}

/// Serves the console under `/console/`, for an API under `/v1` beside it. To be merged, not nested,
/// into a router, which may itself be nested under any prefix.
pub fn router(options: &Options) -> Router {
    let site = Arc::new(Site::new(options));
    let file =
        |site: Arc<Site>| move |path: Option<Path<String>>, headers| answer(site, path, headers);
    Router::new()
        // Relative, so that it holds under a prefix too.
        .route(
            "/console",
            get(|| async { (StatusCode::PERMANENT_REDIRECT, [(LOCATION, "console/")]) }),
        )
        .route("/console/", get(file(Arc::clone(&site))))
        .route("/console/{*path}", get(file(site)))
        .layer(CompressionLayer::new())
}

/// The files as they are sent, and what is sent with each.
struct Site {
    files: Vec<File>,
    policy: HeaderValue,
}

struct File {
    path: &'static str,
    kind: &'static str,
    tag: HeaderValue,
    bytes: axum::body::Bytes,
}

impl Site {
    fn new(options: &Options) -> Self {
        let origin = options.origin.as_ref().map(Origin::to_string);
        let config = serde_json::json!({ "console_origin": origin }).to_string();
        let mut files: Vec<File> = (ASSETS.iter())
            .map(|(path, bytes)| File::new(path, (*bytes).into()))
            .collect();
        files.push(File::new(CONFIG, config.into()));
        Site {
            files,
            policy: header(&policy(origin.as_deref())),
        }
    }
}

impl File {
    fn new(path: &'static str, bytes: axum::body::Bytes) -> Self {
        let digest = STANDARD.encode(Sha256::digest(&bytes));
        File {
            path,
            kind: kind(path),
            tag: header(&format!("\"{digest}\"")),
            bytes,
        }
    }
}

async fn answer(site: Arc<Site>, path: Option<Path<String>>, asked: HeaderMap) -> Response {
    let path = path.as_ref().map_or(INDEX, |Path(path)| path.as_str());
    let mut answer = match site.files.iter().find(|file| file.path == path) {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(file) if asked.get(IF_NONE_MATCH) == Some(&file.tag) => {
            (StatusCode::NOT_MODIFIED, [(ETAG, file.tag.clone())]).into_response()
        }
        Some(file) => {
            let headers = [
                (CONTENT_TYPE, HeaderValue::from_static(file.kind)),
                (ETAG, file.tag.clone()),
            ];
            (headers, Body::from(file.bytes.clone())).into_response()
        }
    };
    let always = [
        (CONTENT_SECURITY_POLICY, site.policy.clone()),
        // Asked each time, so that an upgraded server is not shown by old files.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ];
    answer.headers_mut().extend(always);
    answer
}

/// What a browser may do on behalf of the console. The import map, which has to stand in the page,
/// is the only script there and is named by its digest.
fn policy(frames: Option<&str>) -> String {
    let map = STANDARD.encode(Sha256::digest(import_map()));
    let frames = frames.unwrap_or("'none'");
    format!(
        "default-src 'none'; script-src 'self' 'sha256-{map}'; style-src 'self'; img-src 'self'; font-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {frames}; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

/// What stands in the page between the tags of the import map; empty when there is none.
fn import_map() -> &'static str {
    let page = include_str!("assets/index.html");
    let after = page.split_once("<script type=\"importmap\">");
    (after.and_then(|(_, after)| after.split_once("</script>"))).map_or("", |(map, _)| map)
}

fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        _ => "text/plain; charset=utf-8",
    }
}

/// A header of our own making: digests, our words and an origin, which are all plain ASCII.
fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("ASCII without control characters")
}

#[cfg(test)]
mod tests;
