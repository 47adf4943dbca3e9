//! The API's error answers.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use thiserror::Error;

use crate::json::{self, object};

/// Why a request gets no data.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// An include, filter or sort that is not allowed.
    #[error("{0}")]
    BadRequest(String),
    /// No key or a wrong one.
    #[error("Unauthenticated.")]
    Unauthenticated,
    /// The plan does not have it.
    #[error("This action is unauthorized.")]
    Forbidden,
    /// No such record or route.
    #[error("Not found")]
    NotFound,
    /// The route takes other methods only.
    #[error("The method is not supported for this route.")]
    MethodNotAllowed,
    /// A parameter's value is wrong.
    #[error("The given data was invalid.")]
    Invalid {
        /// Which parameter.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// Over the limit.
    #[error("Too Many Attempts.")]
    TooManyRequests {
        /// Seconds to wait, when told.
        retry_after: Option<u64>,
    },
    /// The server's own failure.
    #[error("Server Error")]
    Failure(StatusCode),
}

impl Refusal {
    /// A parameter's value is wrong.
    pub fn invalid(field: &str, message: &str) -> Self {
        Self::Invalid {
            field: field.to_owned(),
            message: message.to_owned(),
        }
    }

    /// The refusal that goes with a status.
    pub fn of(status: StatusCode, retry_after: Option<u64>) -> Self {
        match status {
            StatusCode::BAD_REQUEST => Self::BadRequest("Bad request".to_owned()),
            StatusCode::UNAUTHORIZED => Self::Unauthenticated,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::TOO_MANY_REQUESTS => Self::TooManyRequests { retry_after },
            other => Self::Failure(other),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Failure(status) => *status,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = String::new();
        object(&mut body, |inner| {
            inner.put("message", self.to_string());
            if let Self::Invalid { field, message } = &self {
                inner.object("errors", |errors| {
                    errors.put(field, [message.as_str()].as_slice());
                });
            }
        });
        let mut response = json::answer(body);
        *response.status_mut() = self.status();
        if let Self::TooManyRequests {
            retry_after: Some(seconds),
        } = self
        {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
