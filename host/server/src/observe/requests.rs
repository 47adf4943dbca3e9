//! Requests that the server answers, by the route that they matched.
//!
//! The threat: the address of a webhook is its secret, and queries hold what people search for. So a
//! request is known by the pattern of its route alone, and one without a route by no word of its own.

use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use tenon_host::observe::method_name;
use tracing::Instrument as _;

use super::Metrics;
use super::spans;

/// What has no route of its own: what is not there, and what a nested service answers.
const OTHER: &str = "other";

/// The router with all that it answers counted and traced, also what matches none of its routes.
/// Routes that are added to it afterwards are not.
pub fn watched<S>(router: Router<S>, metrics: Metrics) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    router.layer(from_fn_with_state(metrics, watch))
}

async fn watch(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or(OTHER, MatchedPath::as_str);
    let method = method_name(request.method());
    let span = spans::request(method, route);
    let began = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status().as_u16();
    spans::answered(&span, status);
    metrics.answered(method, route, status, began.elapsed());
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::{get, post};
    use tower::ServiceExt as _;

    use super::*;

    fn server(metrics: &Metrics) -> Router {
        let api = Router::new().route("/tenants/{tenant}", get(|| async { "shop" }));
        let router = Router::new()
            .nest("/v1", api)
            .route(
                "/hooks/{secret}/{*topic}",
                post(|| async { StatusCode::ACCEPTED }),
            )
            .nest_service("/console", get(|| async { "page" }));
        watched(router, metrics.clone())
    }

    async fn ask(router: &Router, method: &str, path: &str) -> StatusCode {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn requests_are_counted_by_route_and_never_by_what_stood_in_its_place() {
        let metrics = Metrics::new();
        let router = server(&metrics);
        for shop in ["private-one", "private-two"] {
            let path = format!("/v1/tenants/{shop}?q=private-query");
            assert_eq!(200, ask(&router, "GET", &path).await);
        }
        let hook = "/hooks/private-secret/orders/private-topic";
        assert_eq!(202, ask(&router, "POST", hook).await);
        assert_eq!(404, ask(&router, "GET", "/private-guess?a=b").await);
        assert_eq!(404, ask(&router, "GET", "/v1/private-guess").await);
        assert_eq!(200, ask(&router, "GET", "/console/private-page").await);
        assert_eq!(405, ask(&router, "PRIVATE", "/v1/tenants/private").await);

        let text = metrics.render();
        let tenant = r#"route="/v1/tenants/{tenant}""#;
        let hook = r#"route="/hooks/{secret}/{*topic}""#;
        for line in [
            format!("tenon_http_requests_total{{method=\"GET\",{tenant},status=\"200\"}} 2"),
            format!("tenon_http_request_seconds_count{{method=\"GET\",{tenant}}} 2"),
            format!("tenon_http_requests_total{{method=\"other\",{tenant},status=\"405\"}} 1"),
            format!("tenon_http_requests_total{{method=\"POST\",{hook},status=\"202\"}} 1"),
            r#"tenon_http_requests_total{method="GET",route="other",status="404"} 2"#.to_owned(),
            r#"tenon_http_requests_total{method="GET",route="other",status="200"} 1"#.to_owned(),
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
        assert!(!text.to_lowercase().contains("private"), "{text}");
    }
}
