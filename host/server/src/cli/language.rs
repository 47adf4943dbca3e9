//! The language of what connectors, the platform and the host tell on the command line.

use std::io::{self, ErrorKind};
use std::net::AddrParseError;
use std::num::ParseIntError;

use tenon_erp::sqlite_file::Unsound;
use tenon_host::ids::BadName;
use tenon_host::model::Fault;
use tenon_host::reason::{LANGUAGES, Reason};
use tenon_host::{BadLimit, BadPlace, CallError, ConnectError, InstallError};

use crate::backup;
use crate::key::KeyTrouble;
use crate::origin::NotAnOrigin;
use crate::service::Error;
use crate::told::{self, Refusal, TEXTS};

/// One of [`LANGUAGES`].
pub type Language = &'static str;

/// The language that was asked for, else that of the environment, else English.
pub fn choose(asked: Option<&str>) -> Language {
    let of_environment = || {
        let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
        names.into_iter().find_map(|name| {
            let value = std::env::var(name).ok();
            value.filter(|value| !value.is_empty())
        })
    };
    let wanted = asked.map(str::to_owned).or_else(of_environment);
    known(wanted.as_deref().unwrap_or_default())
}

/// The language of a tag such as `uk`, `uk-UA` or `uk_UA.UTF-8`.
fn known(tag: &str) -> Language {
    let primary = tag.split(['-', '_', '.']).next().unwrap_or_default();
    let mut all = LANGUAGES.into_iter();
    all.find(|known| known.eq_ignore_ascii_case(primary))
        .unwrap_or(LANGUAGES[0])
}

/// What a command has to say.
pub fn say(what: &Reason, language: Language) -> String {
    TEXTS.text(what, language)
}

/// An error of a command with its causes, each once. What has a reason is told in the language, and the
/// first one tells all that led to it, unless it names that as its cause; the rest is as it is.
pub fn error(error: &anyhow::Error, language: Language) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        if language != LANGUAGES[0]
            && let Some(why) = reason(cause)
            && TEXTS.knows(&why.code)
        {
            parts.push(told::whole(&TEXTS, &why, language));
            if cause.is::<Refusal>() {
                continue;
            }
            break;
        }
        let text = cause.to_string();
        // Many an error says its cause itself, and that of SQLite does so without its number.
        let said = cause.is::<rusqlite::ffi::Error>()
            || parts.last().is_some_and(|last| last.contains(&text));
        if !said {
            parts.push(text);
        }
    }
    parts.join(": ")
}

/// Why, where an error tells.
pub fn reason(cause: &(dyn std::error::Error + 'static)) -> Option<Reason> {
    if let Some(refusal) = cause.downcast_ref::<Refusal>() {
        return Some(refusal.why.clone());
    }
    if let Some(error) = cause.downcast_ref::<Error>() {
        return Some(error.reason());
    }
    if let Some(trouble) = cause.downcast_ref::<KeyTrouble>() {
        return Some(trouble.reason().clone());
    }
    if let Some(unsound) = cause.downcast_ref::<Unsound>() {
        return backup::reason(unsound);
    }
    if let Some(error) = cause.downcast_ref::<CallError>() {
        return Some(error.reason());
    }
    if let Some(error) = cause.downcast_ref::<ConnectError>() {
        return Some(error.reason());
    }
    if let Some(error) = cause.downcast_ref::<InstallError>() {
        return Some(error.reason());
    }
    if let Some(error) = cause.downcast_ref::<tenon_erp::Error>() {
        return Some(error.reason());
    }
    if let Some(error) = cause.downcast_ref::<BadPlace>() {
        return Some(error.reason());
    }
    if let Some(BadName(name)) = cause.downcast_ref::<BadName>() {
        return Some(Reason::new("server.not-a-name").arg("text", name));
    }
    if let Some(NotAnOrigin(text)) = cause.downcast_ref::<NotAnOrigin>() {
        return Some(Reason::new("server.not-an-origin").arg("text", text));
    }
    if let Some(error) = cause.downcast_ref::<BadLimit>() {
        return Some(error.reason());
    }
    if cause.is::<ParseIntError>() {
        return Some(Reason::new("server.usage.not-a-number"));
    }
    if cause.is::<AddrParseError>() {
        return Some(Reason::new("server.usage.not-an-address"));
    }
    if cause.is::<url::ParseError>() {
        return Some(Reason::new("server.usage.not-a-url"));
    }
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        return system(error.kind());
    }
    cause.downcast_ref::<Fault>().map(Fault::reason)
}

/// What the system says.
fn system(kind: ErrorKind) -> Option<Reason> {
    Some(Reason::new(match kind {
        ErrorKind::NotFound => "server.system.not-found",
        ErrorKind::PermissionDenied => "server.system.not-permitted",
        ErrorKind::AlreadyExists => "server.system.exists",
        ErrorKind::IsADirectory => "server.system.is-a-folder",
        ErrorKind::NotADirectory => "server.system.not-a-folder",
        ErrorKind::DirectoryNotEmpty => "server.system.not-empty",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "server.system.full",
        ErrorKind::ReadOnlyFilesystem => "server.system.read-only",
        ErrorKind::InvalidData => "server.system.not-text",
        ErrorKind::AddrInUse => "server.system.address-in-use",
        ErrorKind::AddrNotAvailable => "server.system.no-such-address",
        ErrorKind::ConnectionRefused => "server.system.nobody-listens",
        ErrorKind::TimedOut => "server.system.timed-out",
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use tenon_host::PlacePart;

    use super::*;

    #[test]
    fn an_error_with_a_reason_is_told_in_the_language_and_what_led_to_it_as_it_is() {
        let error = PlacePart::Currency.check("RUR").unwrap_err();
        let error = anyhow::Error::from(error).context("--currency");
        assert_eq!(
            "--currency: `RUR` — не валюта; вкажіть код ISO 4217 на зразок UAH",
            super::error(&error, "uk")
        );
        let english = "--currency: `RUR` is not a currency; use a code of ISO 4217 such as UAH";
        assert_eq!(english, super::error(&error, "en"));
        let other = anyhow::anyhow!("no such file");
        assert_eq!("no such file", super::error(&other, "uk"));
    }

    #[test]
    fn an_error_that_says_its_cause_itself_says_it_once() {
        let cause = std::io::Error::other("no space left");
        let error = tenon_erp::Error::Folder {
            path: "/data".into(),
            source: cause,
        };
        let error = anyhow::Error::from(error).context("cannot use it");
        let told = "cannot use it: /data: no space left";
        assert_eq!(told, super::error(&error, "en"));
    }

    #[test]
    fn a_locale_names_a_language_and_any_other_is_english() {
        for (tag, language) in [
            ("uk_UA.UTF-8", "uk"),
            ("ru", "ru"),
            ("en-GB", "en"),
            ("C.UTF-8", "en"),
            ("de_DE", "en"),
            ("", "en"),
        ] {
            assert_eq!(language, known(tag), "{tag}");
        }
    }
}
