//! Which requests of a guest may leave the host.
//!
//! The threat: a connector that was tampered with, or tricked by its counterpart's answers, sends a
//! tenant's data or credential somewhere else, or reaches into the host's own network. So a
//! request goes only to an endpoint of the manifest; plain http and addresses that are not global
//! also need a grant by an admin; and the header that carries the credential is the host's alone.
//! Here an address stands in the URL itself; those behind a name are checked when it is resolved.

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName};
use url::{Origin, Url};

use super::address::Forbidden;
use super::network::check_literal;
use crate::reason::Reason;

/// An endpoint of a connection, with its address known.
#[derive(Clone, Debug)]
pub(super) struct AllowedOrigin {
    pub origin: Origin,
    /// Opened by an admin although the defaults refuse it.
    pub granted: bool,
    /// The header that the host signs with.
    pub signed_with: Option<HeaderName>,
    /// The path at which the host gets tokens.
    pub token_path: Option<String>,
}

/// The rule that a request broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not an endpoint of the manifest.
    NotAnEndpoint(String),
    /// A host that an answer named is not among those that the connection may go to.
    HostNotAllowed(String),
    /// Plain http without a grant.
    NotHttps(String),
    /// An address that is not dialled.
    Address {
        /// The endpoint.
        origin: String,
        /// Its address, and why.
        forbidden: Forbidden,
    },
    /// The guest set a header that carries credentials.
    OwnCredential(HeaderName),
    /// The guest put a login into the URL.
    LoginInUrl,
    /// The guest asked for a token.
    TokenPath(String),
    /// Nothing is to be changed now, and this request is not known to change nothing.
    NotARead {
        /// Its method.
        method: String,
        /// Its path, without the query.
        path: String,
    },
    /// Nothing is to be changed now, and a server may take this request for another one.
    Replaces(String),
}

impl Refusal {
    /// Whether a run ends that sent such a request: it tried to change the counterpart although nothing
    /// was to be changed. From other rules only the request suffers.
    pub(super) fn ends_run(&self) -> bool {
        matches!(self, Refusal::NotARead { .. } | Refusal::Replaces(_))
    }

    /// Why the request is refused, for people.
    pub fn reason(&self) -> Reason {
        match self {
            Refusal::NotAnEndpoint(origin) => {
                Reason::new("host.request.not-an-endpoint").arg("origin", origin)
            }
            Refusal::HostNotAllowed(origin) => {
                Reason::new("host.endpoint.host-not-allowed").arg("origin", origin)
            }
            Refusal::NotHttps(origin) => {
                Reason::new("host.request.not-https").arg("origin", origin)
            }
            Refusal::Address { origin, forbidden } => forbidden.reason(origin),
            Refusal::OwnCredential(header) => {
                Reason::new("host.request.own-credential").arg("header", header)
            }
            Refusal::LoginInUrl => Reason::new("host.request.login-in-url"),
            Refusal::TokenPath(path) => Reason::new("host.request.token-path").arg("path", path),
            Refusal::NotARead { method, path } => Reason::new("host.not-a-read")
                .arg("method", method)
                .arg("path", path),
            Refusal::Replaces(name) => Reason::new("host.replaces-request").arg("name", name),
        }
    }
}

/// The index of the endpoint that the request belongs to, or the rule that it breaks.
pub(super) fn admit(
    allowed: &[AllowedOrigin],
    url: &Url,
    headers: &HeaderMap,
) -> Result<usize, Refusal> {
    let origin = url.origin();
    let name = origin.ascii_serialization();
    let Some(index) = allowed.iter().position(|known| known.origin == origin) else {
        return Err(Refusal::NotAnEndpoint(name));
    };
    let endpoint = &allowed[index];
    if !endpoint.granted && url.scheme() != "https" {
        return Err(Refusal::NotHttps(name));
    }
    if let Err(forbidden) = check_literal(url, endpoint.granted) {
        let origin = name;
        return Err(Refusal::Address { origin, forbidden });
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::LoginInUrl);
    }
    if let Some(token) = &endpoint.token_path
        && plain(token) == plain(url.path())
    {
        return Err(Refusal::TokenPath(token.clone()));
    }
    // A connector has no credential of its own, so what it sets is somebody's whom it does not say.
    let carriers = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];
    let set = carriers
        .iter()
        .chain(&endpoint.signed_with)
        .find(|name| headers.contains_key(*name));
    match set {
        Some(header) => Err(Refusal::OwnCredential(header.clone())),
        None => Ok(index),
    }
}

/// A path as a server may read it, whatever of it is percent-encoded, doubled or left hanging.
fn plain(path: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let segments = decoded
        .split(['/', '\\'])
        .filter(|segment| !segment.is_empty());
    segments.collect::<Vec<_>>().join("/").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origin: &str, granted: bool) -> Vec<AllowedOrigin> {
        vec![AllowedOrigin {
            origin: Url::parse(origin).unwrap().origin(),
            granted,
            signed_with: Some(HeaderName::from_static("x-api-key")),
            token_path: Some("/security/token".to_owned()),
        }]
    }

    fn ask(allowed: &[AllowedOrigin], url: &str) -> Result<usize, Refusal> {
        admit(allowed, &Url::parse(url).unwrap(), &HeaderMap::new())
    }

    #[test]
    fn only_an_endpoint_of_the_manifest_is_reached() {
        let allowed = allowed("https://api.example", false);
        assert_eq!(Ok(0), ask(&allowed, "https://api.example/v1/order?x=1"));
        for other in [
            "https://evil.example/v1",
            "https://api.example:8443/v1",
            "https://api.example.evil.example/",
            "https://user@evil.example/#api.example",
        ] {
            assert!(
                matches!(ask(&allowed, other), Err(Refusal::NotAnEndpoint(_))),
                "{other}"
            );
        }
    }

    #[test]
    fn plain_http_and_private_addresses_need_a_grant() {
        let plain = "http://api.example";
        assert!(matches!(
            ask(&allowed(plain, false), plain),
            Err(Refusal::NotHttps(_))
        ));
        for here in [
            "https://127.0.0.1:1",
            "https://2130706433",
            "https://0x7f.1",
            "https://[::1]",
            "https://[::ffff:127.0.0.1]",
            "https://10.1.2.3",
        ] {
            assert!(
                matches!(
                    ask(&allowed(here, false), here),
                    Err(Refusal::Address { .. })
                ),
                "{here}"
            );
            assert_eq!(Ok(0), ask(&allowed(here, true), here));
        }
    }

    #[test]
    fn no_grant_opens_a_metadata_service() {
        let metadata = "http://169.254.169.254";
        assert!(matches!(
            ask(&allowed(metadata, true), metadata),
            Err(Refusal::Address { .. })
        ));
    }

    #[test]
    fn headers_that_carry_credentials_are_the_hosts_alone() {
        let allowed = allowed("https://api.example", false);
        let url = Url::parse("https://api.example").unwrap();
        for name in [
            "x-api-key",
            "Authorization",
            "proxy-authorization",
            "cookie",
        ] {
            let name: HeaderName = name.parse().unwrap();
            let headers = [(name.clone(), "mine".parse().unwrap())]
                .into_iter()
                .collect();
            assert_eq!(
                Err(Refusal::OwnCredential(name)),
                admit(&allowed, &url, &headers)
            );
        }
    }

    #[test]
    fn a_login_in_the_url_and_the_place_of_tokens_are_refused() {
        let allowed = allowed("https://api.example", false);
        for url in ["https://me@api.example/", "https://:pw@api.example/"] {
            assert_eq!(Err(Refusal::LoginInUrl), ask(&allowed, url), "{url}");
        }
        for path in [
            "/security/token",
            "/security/./token",
            "/x/../security/token?a=1",
            "/%73ecurity/tok%65n",
            "/security%2ftoken",
            "//security//token/",
            "/Security/Token",
        ] {
            let asked = ask(&allowed, &format!("https://api.example{path}"));
            assert!(matches!(asked, Err(Refusal::TokenPath(_))), "{path}");
        }
    }
}
