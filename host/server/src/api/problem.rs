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
use tenon_host::reason::Reason;
use tenon_host::rules::Broken;
use utoipa::ToSchema;

use super::texts::{self, Language};
use super::words::{Spoken, Why};
use crate::control::Failure;
use crate::control::tokens::Scope;
use crate::service::{Error, Violation, What};
use crate::told::{self, Explained};

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Why something was not done.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Its stable name.
    pub code: &'static str,
    why: Box<Reason>,
    /// What a connector, the platform or the host says about it.
    cause: Option<Explained>,
    errors: Vec<Refused>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A value that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// JSON Pointer into the body, or the name of a parameter.
    pub path: String,
    /// The rule that it breaks, where there is one.
    pub rule: Option<&'static str>,
    /// Why.
    pub why: Reason,
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
    /// The reason, for programs and for who is to mend it.
    why: Why,
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
    /// What the rule expects, such as the most characters, where its name does not say it all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expected: Option<String>,
    /// What is wrong.
    reason: String,
    /// The same for programs and for who is to mend it, where there is no rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    why: Option<Why>,
}

impl Problem {
    /// A problem of the table.
    pub fn new(code: &'static str) -> Problem {
        Problem {
            code,
            why: Box::new(Reason::new(format!("server.{code}"))),
            cause: None,
            errors: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// With a parameter of its texts.
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Problem {
        self.why = Box::new(self.why.arg(name, value.to_string()));
        self
    }

    /// With what a connector, the platform or the host says about it.
    pub fn because(self, cause: Explained) -> Problem {
        Problem {
            cause: Some(cause),
            ..self
        }
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
            self.why.code = format!("server.{code}");
        }
        self
    }

    fn body(&self, language: Language) -> ProblemBody {
        let mut why = Reason::clone(&self.why);
        if let Some(cause) = &self.cause {
            // Who installs a component is its author, or knows one.
            let text = match self.code {
                "bad_component" => cause.whole(language.tag()),
                _ => cause.text(language.tag()),
            };
            why = why.arg("reason", text);
        }
        let detail = told::text(&told::TEXTS, &why, language.tag());
        let told = self.cause.as_ref().map_or(&self.why, |cause| &cause.why);
        ProblemBody {
            r#type: format!("urn:tenon:problem:{}", self.code),
            title: texts::title(self.code, language),
            status: texts::status(self.code).as_u16(),
            detail,
            code: self.code,
            why: Reason::clone(told).into(),
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
        let expected = expected.to_string();
        let why = match worded(code, &expected) {
            Some(text) => Reason::new(text),
            None => Reason::new(format!("server.rule.{code}")),
        };
        Refused {
            path: path.into(),
            rule: Some(code),
            why: match expected {
                expected if expected.is_empty() => why,
                expected => why.arg("expected", expected),
            },
        }
    }

    /// For a reason.
    pub fn reason(path: impl Into<String>, why: Reason) -> Refused {
        Refused {
            path: path.into(),
            rule: None,
            why,
        }
    }

    fn body(&self, language: Language) -> RefusedBody {
        RefusedBody {
            path: self.path.clone(),
            code: self.rule,
            expected: (self.why.args.iter())
                .find(|(name, _)| self.rule.is_some() && name == "expected")
                .map(|(_, expected)| expected.clone()),
            reason: Explained::from(self.why.clone()).whole(language.tag()),
            why: (self.rule.is_none()).then(|| self.why.clone().into()),
        }
    }
}

/// The text that says to people what a rule expects, where the rule itself is for programs: a pattern,
/// the name of a type, and that an empty text is too short.
fn worded(code: &str, expected: &str) -> Option<&'static str> {
    let text = match (code, expected.trim_start_matches("null / ")) {
        ("too_short", "1") => "server.rule.required",
        ("type", "integer") => "server.rule.whole-number",
        ("type", "number") => "server.rule.number",
        ("type", "string") => "server.rule.text",
        ("type", "boolean") => "server.rule.yes-or-no",
        ("type", "array") => "server.rule.list",
        ("pattern", "^[a-z0-9][a-z0-9._-]{0,62}$") => "server.rule.identifier",
        ("pattern", "^[a-z0-9][a-z0-9_-]{0,62}$") => "server.rule.connector-name",
        ("pattern", "^[A-Z]{3}$") => "server.rule.currency",
        ("pattern", "^([01][0-9]|2[0-3]):[0-5][0-9]$") => "server.rule.time-of-day",
        ("pattern", "^[0-9]+$") => "server.rule.digits",
        ("pattern", pattern) if pattern.starts_with("^https?://") => "server.rule.address",
        ("pattern", pattern) if pattern.starts_with("^https://") => "server.rule.https-address",
        ("pattern", pattern) if pattern.contains(r"\d{4}-\d{2}-\d{2}") => "server.rule.date",
        _ => return None,
    };
    Some(text)
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match &error {
            Error::Failure(failure) => tracing::error!("{failure}"),
            Error::Key(trouble) => tracing::error!("{trouble}"),
            _ => {}
        }
        let code = match &error {
            Error::Changed { .. } => "etag_mismatch",
            other => other.code(),
        };
        match error {
            Error::Invalid(violations) => Problem {
                errors: violations.into_iter().flat_map(refused).collect(),
                ..Problem::new(code)
            },
            Error::BadComponent(why) | Error::Refused(why) | Error::Unavailable(why) => {
                Problem::new(code).because(why)
            }
            Error::Failure(_) => Problem::new(code),
            other => Problem {
                why: Box::new(other.reason()),
                ..Problem::new(code)
            },
        }
    }
}

/// A value that breaks rules of a schema is refused by those, which have texts in all languages.
fn refused(violation: Violation) -> Vec<Refused> {
    if violation.rules.is_empty() {
        return vec![Refused::reason(violation.path, violation.why)];
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
        let mut response = texts::status(self.code).into_response();
        for (name, value) in &self.headers {
            response.headers_mut().append(name.clone(), value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes problems down in the language of the one who asked, and says which that is.
pub async fn speak(mut request: Request, next: Next) -> Response {
    let accepted: Vec<Cow<'_, str>> = (request.headers().get_all(ACCEPT_LANGUAGE).iter())
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    let spoken = Spoken::accepting(Language::accepted(&accepted.join(",")));
    request.extensions_mut().insert(spoken.clone());
    let mut response = next.run(request).await;
    // Answers are of one token and one moment, and never a page.
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.append(VARY, HeaderValue::from_static("accept-language"));
    let language = spoken.language();
    let tag = HeaderValue::from_static(language.tag());
    let Some(problem) = response.extensions_mut().remove::<Problem>() else {
        if spoken.is_known() {
            response.headers_mut().insert(CONTENT_LANGUAGE, tag);
        }
        return response;
    };
    let body = serde_json::to_vec(&problem.body(language)).unwrap_or_default();
    let (mut parts, _) = response.into_parts();
    let headers = &mut parts.headers;
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    headers.insert(CONTENT_LANGUAGE, tag);
    Response::from_parts(parts, body.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyTrouble;

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
                Error::invalid("/a", Reason::new("host.limit.unknown")),
                Error::Changed { revision: 7 },
                Error::ConnectionOn,
                Error::ConnectionNotOn,
                Error::NoWebhooks,
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
                Error::CredentialAgain("x".to_owned()),
                Error::BadComponent(Reason::new("host.crash.stack-in-memory").into()),
                Error::Refused(Reason::new("host.crash.stack-in-memory").into()),
                Error::Unavailable(Reason::new("host.crash.stack-in-memory").into()),
                Error::Key(KeyTrouble::new(Reason::new("server.key-missing"))),
                Error::Held {
                    since: jiff::Timestamp::UNIX_EPOCH,
                    actor: "x".to_owned(),
                },
                Error::Leftover {
                    name: "x".to_owned(),
                },
                Error::Failure(Failure::new("x")),
            ]
        };
        for language in [Language::En, Language::Uk, Language::Ru] {
            for error in errors() {
                let problem = Problem::from(error);
                let body = problem.body(language);
                assert!(!body.detail.contains(['{', '}']), "{}", body.detail);
                assert!(!body.detail.starts_with("server."), "{}", body.detail);
                assert!(!body.title.starts_with("server."), "{}", body.title);
                for error in body.errors {
                    assert!(!error.reason.starts_with("server."), "{}", error.reason);
                }
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
