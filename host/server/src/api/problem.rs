//! What the API answers when it does not do what it was asked: `application/problem+json` of
//! RFC 9457, with a stable code for programs and texts for people.
//!
//! Where a problem arises nobody knows the language of the one who asked. So a response carries the
//! [`Problem`] itself, and [`speak`], the outermost layer, writes it down.

use std::borrow::Cow;

use axum::extract::Request;
use axum::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tenon_host::rules::Broken;
use utoipa::ToSchema;

use super::texts::{self, Language};
use crate::control::Failure;
use crate::control::tokens::Scope;
use crate::service::{Error, Violation, What};

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Why something was not done.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Its stable name.
    pub code: &'static str,
    parameters: Vec<(&'static str, String)>,
    errors: Vec<Refused>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A value that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// JSON Pointer into the body, or the name of a parameter.
    pub path: String,
    /// Why.
    pub why: Why,
}

/// Why a value is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// A rule that has texts.
    Rule {
        /// Its code in the table of texts.
        code: &'static str,
        /// What it expects.
        expected: String,
    },
    /// In words.
    Words(String),
}

/// A problem as it is sent.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// The URN of the code.
    #[schema(example = "urn:tenon:problem:not_found", max_length = 200)]
    r#type: String,
    /// The kind of problem, in the language of the one who asked.
    title: String,
    /// The HTTP status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong this time, and what to do.
    detail: String,
    /// Stable name of the kind of problem.
    #[schema(example = "not_found", pattern = "^[a-z_]+$")]
    code: &'static str,
    /// The values that are refused.
    errors: Vec<RefusedBody>,
}

/// A value that is refused.
#[derive(Serialize, ToSchema)]
#[schema(as = RefusedValue)]
struct RefusedBody {
    /// JSON Pointer into the body, or the name of a parameter.
    path: String,
    /// Stable name of the rule, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    code: Option<&'static str>,
    /// What is wrong.
    reason: String,
}

impl Problem {
    /// A problem of the table.
    pub fn new(code: &'static str) -> Problem {
        Problem {
            code,
            parameters: Vec::new(),
            errors: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// With a parameter of its texts.
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Problem {
        self.parameters.push((name, value.to_string()));
        self
    }

    /// With a header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Problem {
        self.headers.push((name, value));
        self
    }

    /// Values that the description of the API does not allow.
    pub fn refused(errors: Vec<Refused>) -> Problem {
        Problem {
            errors,
            ..Problem::new("request_invalid")
        }
    }

    /// With a value that is refused.
    pub fn refusing(mut self, refused: Refused) -> Problem {
        self.errors.push(refused);
        self
    }

    /// The token lacks a scope.
    pub fn scope_missing(scope: Scope) -> Problem {
        Problem::new("scope_missing").with("scope", scope.name())
    }

    /// The same under another name, where it is the consequence of one particular thing.
    pub fn known_as(mut self, from: &str, code: &'static str) -> Problem {
        if self.code == from {
            self.code = code;
        }
        self
    }

    fn body(&self, language: Language) -> ProblemBody {
        let row = texts::row(self.code);
        let parameters: Vec<_> = (self.parameters.iter())
            .map(|(name, value)| match *name {
                "what" => (*name, texts::thing(value, language)),
                _ => (*name, value.clone()),
            })
            .collect();
        ProblemBody {
            r#type: format!("urn:tenon:problem:{}", row.code),
            title: language.of(&row.title).to_owned(),
            status: row.status.as_u16(),
            detail: texts::fill(language.of(&row.detail), &parameters),
            code: row.code,
            errors: self
                .errors
                .iter()
                .map(|error| error.body(language))
                .collect(),
        }
    }
}

impl Refused {
    /// By a rule that has texts.
    pub fn rule(path: impl Into<String>, code: &'static str, expected: impl ToString) -> Refused {
        Refused {
            path: path.into(),
            why: Why::Rule {
                code,
                expected: expected.to_string(),
            },
        }
    }

    /// For a reason in words.
    pub fn words(path: impl Into<String>, reason: impl ToString) -> Refused {
        Refused {
            path: path.into(),
            why: Why::Words(reason.to_string()),
        }
    }

    fn body(&self, language: Language) -> RefusedBody {
        let (code, reason) = match &self.why {
            Why::Words(words) => (None, words.clone()),
            Why::Rule { code, expected } => {
                let text = texts::reason(code).map_or("", |text| language.of(text));
                (
                    Some(*code),
                    texts::fill(text, &[("expected", expected.clone())]),
                )
            }
        };
        RefusedBody {
            path: self.path.clone(),
            code,
            reason,
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        if let Error::Failure(failure) = &error {
            tracing::error!("{failure}");
        }
        let code = match &error {
            Error::Changed { .. } => "etag_mismatch",
            other => other.code(),
        };
        let problem = Problem::new(code);
        match error {
            Error::NotFound { what, name } | Error::Exists { what, name } => {
                problem.with("what", what).with("name", name)
            }
            Error::Invalid(violations) => Problem {
                errors: violations.into_iter().flat_map(refused).collect(),
                ..problem
            },
            Error::Changed { revision } => problem.with("revision", revision),
            Error::VersionInUse { connections } | Error::TenantInUse { connections } => {
                problem.with("connections", connections)
            }
            Error::OtherConnector { found, wanted } => {
                problem.with("found", found).with("wanted", wanted)
            }
            Error::OlderState { kept, known } => problem.with("kept", kept).with("known", known),
            Error::MissingCredential(groups) => {
                let groups: Vec<_> = groups.iter().map(|names| names.join(" / ")).collect();
                problem.with("names", groups.join(", "))
            }
            Error::BadComponent(reason) | Error::Refused(reason) | Error::Unavailable(reason) => {
                problem.with("reason", reason)
            }
            Error::ConnectionOn
            | Error::ConnectionNotOn
            | Error::Busy
            | Error::NoPrevious
            | Error::QuestionExpired
            | Error::QuestionAnswered
            | Error::Failure(_) => problem,
        }
    }
}

/// A value that breaks rules of a schema is refused by those, which have texts in all languages.
fn refused(violation: Violation) -> Vec<Refused> {
    if violation.rules.is_empty() {
        return vec![Refused::words(violation.path, violation.reason)];
    }
    violation.rules.into_iter().map(Refused::from).collect()
}

impl From<Broken> for Refused {
    fn from(rule: Broken) -> Self {
        Refused::rule(rule.path, rule.code, rule.expected)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Error::from(failure).into()
    }
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Failure::from(error).into()
    }
}

/// Nothing of this kind and name.
pub fn not_found(what: What, name: impl std::fmt::Display) -> Problem {
    Error::not_found(what, name).into()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = texts::row(self.code).status.into_response();
        for (name, value) in &self.headers {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes problems down in the language of the one who asked.
pub async fn speak(request: Request, next: Next) -> Response {
    let accepted: Vec<Cow<'_, str>> = (request.headers().get_all(ACCEPT_LANGUAGE).iter())
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    let language = Language::accepted(&accepted.join(","));
    let mut response = next.run(request).await;
    // Answers are of one token and one moment, and never a page.
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let Some(problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    let body = serde_json::to_vec(&problem.body(language)).unwrap_or_default();
    let (mut parts, _) = response.into_parts();
    let headers = &mut parts.headers;
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.append(VARY, HeaderValue::from_static("accept-language"));
    Response::from_parts(parts, body.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(error: Error, language: Language) -> (u16, String) {
        let body = Problem::from(error).body(language);
        (body.status, body.detail)
    }

    #[test]
    fn every_error_of_the_service_has_texts_with_all_parameters() {
        let errors = || {
            [
                Error::not_found(What::Kind, "x"),
                Error::Exists {
                    what: What::Tenant,
                    name: "x".to_owned(),
                },
                Error::invalid("/a", "x"),
                Error::Changed { revision: 7 },
                Error::ConnectionOn,
                Error::ConnectionNotOn,
                Error::Busy,
                Error::VersionInUse { connections: 7 },
                Error::NoPrevious,
                Error::OtherConnector {
                    found: "x".to_owned(),
                    wanted: "y".to_owned(),
                },
                Error::OlderState { kept: 7, known: 8 },
                Error::TenantInUse { connections: 7 },
                Error::QuestionExpired,
                Error::QuestionAnswered,
                Error::MissingCredential(vec![vec!["x".to_owned()]]),
                Error::BadComponent("x".to_owned()),
                Error::Refused("x".to_owned()),
                Error::Unavailable("x".to_owned()),
                Error::Failure(Failure::new("x")),
            ]
        };
        for language in [Language::En, Language::Uk, Language::Ru] {
            for error in errors() {
                let problem = Problem::from(error);
                assert_eq!(problem.code, texts::row(problem.code).code);
                let text = language.of(&texts::row(problem.code).detail);
                for (name, value) in &problem.parameters {
                    assert!(text.contains(&format!("{{{name}}}")), "{text}: {name}");
                    assert!(!value.is_empty());
                }
                let wanted = text.matches('{').count();
                assert_eq!(wanted, problem.parameters.len(), "{text}");
            }
        }
    }

    #[test]
    fn a_problem_is_said_in_three_languages() {
        let error = || Error::not_found(What::Connection, "crm");
        let en = (404, "There is no connection `crm`.".to_owned());
        let uk = (404, "Не знайдено: підключення `crm`.".to_owned());
        let ru = (404, "Не найдено: подключение `crm`.".to_owned());
        assert_eq!(en, said(error(), Language::En));
        assert_eq!(uk, said(error(), Language::Uk));
        assert_eq!(ru, said(error(), Language::Ru));
    }

    #[test]
    fn a_failure_of_the_database_is_told_to_nobody() {
        let (status, detail) = said(Error::Failure(Failure::new("/srv/data/x")), Language::En);
        assert_eq!(500, status);
        assert!(!detail.contains("/srv"), "{detail}");
    }
}
