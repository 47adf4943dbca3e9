//! The languages that the API speaks, and the status of each kind of problem. What is said stands in
//! `host/server/texts`, one file for each language: a problem with the code `busy` has the texts
//! `server.busy.title` and `server.busy`.

use axum::http::StatusCode;
use serde::Deserialize;
use tenon_host::reason::Reason;
use utoipa::ToSchema;

use crate::service::LANGUAGES;
use crate::told;

/// A language of people.
// In the order of `LANGUAGES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    En,
    /// Ukrainian.
    Uk,
    /// Russian.
    Ru,
}

impl Language {
    const ALL: [Language; 3] = [Language::En, Language::Uk, Language::Ru];

    /// The language that an `Accept-Language` header likes best; none when it likes none of them.
    pub fn accepted(header: &str) -> Option<Language> {
        let mut best = (0.0, None);
        for range in header.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default();
            let quality = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
            let primary = tag.split('-').next().unwrap_or_default();
            if let Some(known) = Language::tagged(primary)
                && quality > best.0
            {
                best = (quality, Some(known));
            }
        }
        best.1
    }

    /// The language of a tag.
    pub fn tagged(tag: &str) -> Option<Language> {
        let mut all = Language::ALL.into_iter();
        all.find(|known| known.tag().eq_ignore_ascii_case(tag))
    }

    /// Its tag.
    pub fn tag(self) -> &'static str {
        LANGUAGES[self as usize]
    }
}

/// What kind of problem a code is, in a few words.
pub fn title(code: &str, language: Language) -> String {
    let title = Reason::new(format!("server.{code}.title"));
    told::SERVER.text(&title, language.tag())
}

/// The status that a code is answered with. A code without one is a fault of this program, which a
/// test finds.
pub fn status(code: &str) -> StatusCode {
    let known = STATUSES.iter().find(|(known, _)| *known == code);
    known.map_or(StatusCode::INTERNAL_SERVER_ERROR, |(_, status)| *status)
}

/// All kinds of problems. Status 400 is for what the description of the API already forbids, 422 for
/// what only the present state of things does.
pub const STATUSES: &[(&str, StatusCode)] = &[
    ("request_invalid", StatusCode::BAD_REQUEST),
    ("json_malformed", StatusCode::BAD_REQUEST),
    ("body_unreadable", StatusCode::BAD_REQUEST),
    ("token_missing", StatusCode::UNAUTHORIZED),
    ("token_invalid", StatusCode::UNAUTHORIZED),
    ("too_many_requests", StatusCode::TOO_MANY_REQUESTS),
    ("scope_missing", StatusCode::FORBIDDEN),
    ("no_such_path", StatusCode::NOT_FOUND),
    ("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED),
    (
        "content_type_unsupported",
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
    ),
    ("body_too_large", StatusCode::PAYLOAD_TOO_LARGE),
    ("idempotency_key_reused", StatusCode::UNPROCESSABLE_ENTITY),
    ("idempotency_under_way", StatusCode::CONFLICT),
    ("idempotency_answer_gone", StatusCode::CONFLICT),
    ("not_found", StatusCode::NOT_FOUND),
    ("no_embedded_erp", StatusCode::NOT_FOUND),
    ("exists", StatusCode::CONFLICT),
    ("invalid", StatusCode::UNPROCESSABLE_ENTITY),
    ("settings_invalid", StatusCode::UNPROCESSABLE_ENTITY),
    ("etag_missing", StatusCode::PRECONDITION_REQUIRED),
    ("etag_mismatch", StatusCode::PRECONDITION_FAILED),
    ("connection_on", StatusCode::CONFLICT),
    ("connection_not_on", StatusCode::CONFLICT),
    ("no_webhooks", StatusCode::CONFLICT),
    ("busy", StatusCode::CONFLICT),
    ("version_in_use", StatusCode::CONFLICT),
    ("no_previous_version", StatusCode::CONFLICT),
    ("other_connector", StatusCode::UNPROCESSABLE_ENTITY),
    ("older_state", StatusCode::CONFLICT),
    ("tenant_in_use", StatusCode::CONFLICT),
    ("last_platform_token", StatusCode::CONFLICT),
    ("question_expired", StatusCode::CONFLICT),
    ("question_answered", StatusCode::CONFLICT),
    ("credential_missing", StatusCode::UNPROCESSABLE_ENTITY),
    ("key_unusable", StatusCode::UNPROCESSABLE_ENTITY),
    ("held", StatusCode::CONFLICT),
    ("leftover", StatusCode::CONFLICT),
    ("credential_again", StatusCode::UNPROCESSABLE_ENTITY),
    ("bad_component", StatusCode::UNPROCESSABLE_ENTITY),
    ("check_failed", StatusCode::UNPROCESSABLE_ENTITY),
    ("refused", StatusCode::UNPROCESSABLE_ENTITY),
    ("unavailable", StatusCode::UNPROCESSABLE_ENTITY),
    ("internal", StatusCode::INTERNAL_SERVER_ERROR),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_problem_has_a_title_and_a_text_and_is_there_once() {
        for (code, _) in STATUSES {
            let same = STATUSES.iter().filter(|(other, _)| other == code);
            assert_eq!(1, same.count(), "{code}");
            assert!(told::SERVER.knows(&format!("server.{code}")), "{code}");
            assert!(
                told::SERVER.knows(&format!("server.{code}.title")),
                "{code}"
            );
        }
    }

    #[test]
    fn the_language_that_is_liked_best_is_spoken() {
        for (header, language) in [
            ("uk", Some(Language::Uk)),
            ("ru-RU,ru;q=0.9,en;q=0.8", Some(Language::Ru)),
            ("de, uk;q=0.5, en;q=0.7", Some(Language::En)),
            ("en;q=0.1, UK-ua;q=0.2", Some(Language::Uk)),
            ("fr", None),
            ("", None),
            ("ru;q=nonsense", None),
        ] {
            assert_eq!(language, Language::accepted(header), "{header}");
        }
    }
}
