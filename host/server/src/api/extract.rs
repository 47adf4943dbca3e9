//! What a handler takes from a request that was checked, with problems in place of axum's own
//! answers.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use tenon_host::reason::Reason;
use tenon_host::rules::member;

use super::checks::CheckedJson;
use super::problem::{Problem, Refused};

/// The JSON body.
pub struct Json<T>(pub T);

/// Parameters of the path, by their names.
pub struct Path<T>(pub T);

/// Parameters of the query.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let CheckedJson(value) = (request.extensions().get::<CheckedJson>())
            .ok_or_else(|| Problem::new("json_malformed").with("reason", "it is empty"))?;
        serde_path_to_error::deserialize(&**value)
            .map(Json)
            .map_err(|error| {
                let path = pointer(error.path());
                Problem::refused(vec![Refused::reason(path, unreadable(error.inner()))])
            })
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(value)| Path(value))
            .map_err(|error| {
                Problem::refused(vec![Refused::reason("path", unreadable(error.body_text()))])
            })
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        query
            .map(|axum::extract::Query(value)| Query(value))
            .map_err(|error| {
                Problem::refused(vec![Refused::reason(
                    "query",
                    unreadable(error.body_text()),
                )])
            })
    }
}

/// A value that is not of the form that is expected there.
pub fn unreadable(detail: impl std::fmt::Display) -> Reason {
    Reason::new("server.unreadable").detail(detail)
}

/// A place in JSON as a JSON Pointer.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;

    (path.iter()).fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } => member(&pointer, key),
        Segment::Enum { .. } | Segment::Unknown => pointer,
    })
}
