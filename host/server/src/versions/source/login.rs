//! Logins for registries, from a file as `docker login` writes it.
//!
//! Nothing of the file gets into a text but the name of a user. Programs that the file names as
//! keepers of its logins are not started: a configuration file is no reason to run something.

use std::collections::HashMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_client::Reference;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use super::{SourceError, files};

const MOST_BYTES: u64 = 1 << 20;

/// What there is to show to a registry.
#[derive(Clone)]
pub enum Login {
    /// Nothing.
    None,
    /// There is a login, but not in the file.
    Elsewhere,
    /// A user's login.
    Of {
        user: String,
        /// The header with name and password.
        header: HeaderValue,
    },
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Logins {
    auths: HashMap<String, Entry>,
    #[serde(rename = "credHelpers")]
    helpers: HashMap<String, IgnoredAny>,
    #[serde(rename = "credsStore")]
    store: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    #[serde(rename = "identitytoken")]
    identity: Option<IgnoredAny>,
}

/// The login for the registry of an artifact.
pub fn of(file: Option<&Path>, artifact: &Reference) -> Result<Login, SourceError> {
    let Some(path) = file else {
        return Ok(Login::None);
    };
    let bytes = Zeroizing::new(files::bounded(path, MOST_BYTES)?);
    choose(&bytes, artifact).map_err(|reason| SourceError::Logins {
        path: path.to_owned(),
        reason,
    })
}

fn choose(file: &[u8], artifact: &Reference) -> Result<Login, &'static str> {
    // The reader's own message may quote a password.
    let logins: Logins =
        serde_json::from_slice(file).map_err(|_| "it is not JSON of the right form")?;
    let ours = |key: &str| {
        let host = host(key);
        host == artifact.registry() || host == artifact.resolve_registry()
    };
    let entry = logins.auths.iter().find(|(key, _)| ours(key));
    let Some((_, entry)) = entry else {
        let helped = logins.helpers.keys().any(|key| ours(key));
        return Ok(if helped {
            Login::Elsewhere
        } else {
            Login::None
        });
    };
    let both = if entry.auth.is_empty() {
        Zeroizing::new(format!("{}:{}", entry.username, entry.password))
    } else {
        let decoded = STANDARD.decode(entry.auth.trim_end()).ok();
        let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        Zeroizing::new(text.ok_or("the login of the registry is not base64 of user:password")?)
    };
    match both.split_once(':') {
        Some((user, password)) if !user.is_empty() && !password.is_empty() => Ok(Login::Of {
            user: user.to_owned(),
            header: basic(&both),
        }),
        _ if entry.identity.is_some() || logins.store.is_some() || !logins.helpers.is_empty() => {
            Ok(Login::Elsewhere)
        }
        _ => Err("the login of the registry is without a name or a password"),
    }
}

fn basic(both: &str) -> HeaderValue {
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(both)));
    let mut header =
        HeaderValue::from_str(&text).expect("base64 has no character that a header refuses");
    header.set_sensitive(true);
    header
}

/// The registry that a key of the file is about; older files have an address there.
fn host(key: &str) -> &str {
    let key = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    key.split('/').next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ci:s3cret:with:colons`.
    const AUTH: &str = "Y2k6czNjcmV0OndpdGg6Y29sb25z";

    fn login(registry: &str, file: &str) -> Result<Login, &'static str> {
        let artifact = format!("{registry}/ns/keycrm:1").parse().unwrap();
        choose(file.as_bytes(), &artifact)
    }

    #[test]
    fn a_login_is_for_its_registry_alone() {
        let file = format!(
            r#"{{"auths": {{"registry.example": {{"auth": "{AUTH}"}},
                "https://old.example/v1/": {{"username": "ci", "password": "s3cret"}},
                "https://index.docker.io/v1/": {{"auth": "{AUTH}"}}}}}}"#
        );
        for (registry, expected) in [
            ("registry.example", Some(AUTH)),
            ("old.example", Some("Y2k6czNjcmV0")),
            ("docker.io", Some(AUTH)),
            ("registry.example:5000", None),
            ("registry.example.org", None),
        ] {
            let shown = match login(registry, &file).unwrap() {
                Login::Of { user, header } => {
                    assert_eq!("ci", user);
                    assert!(header.is_sensitive());
                    Some(header.to_str().unwrap().to_owned())
                }
                Login::None | Login::Elsewhere => None,
            };
            let expected = expected.map(|encoded| format!("Basic {encoded}"));
            assert_eq!(expected, shown, "{registry}");
        }
    }

    #[test]
    fn a_login_that_is_kept_elsewhere_is_told_from_none() {
        for (file, elsewhere) in [
            (
                r#"{"auths": {"a.example": {}}, "credsStore": "pass"}"#,
                true,
            ),
            (r#"{"credHelpers": {"a.example": "pass"}}"#, true),
            (r#"{"auths": {"a.example": {"identitytoken": "x"}}}"#, true),
            (r#"{"credHelpers": {"b.example": "pass"}}"#, false),
            ("{}", false),
        ] {
            let login = login("a.example", file).unwrap();
            assert_eq!(elsewhere, matches!(login, Login::Elsewhere), "{file}");
        }
    }

    #[test]
    fn a_broken_file_of_logins_is_refused_without_telling_what_is_in_it() {
        for file in [
            "",
            r#"{"auths": "hunter2"}"#,
            r#"{"auths": {"a.example": {"auth": "hunter2!"}}}"#,
            r#"{"auths": {"a.example": {"username": "hunter2"}}}"#,
        ] {
            let reason = login("a.example", file).err().unwrap();
            assert!(!reason.contains("hunter2"), "{reason}");
        }
    }
}
