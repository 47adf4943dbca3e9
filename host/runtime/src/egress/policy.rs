//! Which requests of a guest may leave the host.
//!
//! The threat: a connector that was tampered with, or tricked by its counterpart's answers, sends a
//! tenant's data or credential somewhere else, or reaches into the host's own network. So a
//! request goes only to an endpoint of the manifest; plain http and addresses that are not global
//! also need a grant by an admin; and the header that carries the credential is the host's alone.
//! Here an address stands in the URL itself; those behind a name are checked when it is resolved.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use url::{Host, Origin, Url};

use super::address::{self, Forbidden};

/// An endpoint of a connection, with its address known.
#[derive(Clone, Debug)]
pub(super) struct AllowedOrigin {
    pub origin: Origin,
    /// Opened by an admin although the defaults refuse it.
    pub granted: bool,
    /// The header that the host signs with.
    pub signed_with: Option<HeaderName>,
}

/// The rule that a request broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not an endpoint of the manifest.
    #[error("{0} is not an endpoint of this connector")]
    NotAnEndpoint(String),
    /// Plain http without a grant.
    #[error("{0} is not https; an admin can grant it (--grant {0})")]
    NotHttps(String),
    /// An address that is not dialled.
    #[error(
        "{origin}: {forbidden}; an admin can grant it unless it is a metadata service (--grant {origin})"
    )]
    Address {
        /// The endpoint.
        origin: String,
        /// Its address, and why.
        forbidden: Forbidden,
    },
    /// The guest set the header that carries the credential.
    #[error("a connector may not set the header `{0}`: the host adds the credential")]
    OwnCredential(HeaderName),
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
    let literal = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        Some(Host::Domain(_)) | None => None,
    };
    if let Some(Err(forbidden)) = literal.map(|ip| address::check(ip, endpoint.granted)) {
        let origin = name;
        return Err(Refusal::Address { origin, forbidden });
    }
    match &endpoint.signed_with {
        Some(header) if headers.contains_key(header) => Err(Refusal::OwnCredential(header.clone())),
        _ => Ok(index),
    }
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;

    use super::*;

    fn allowed(origin: &str, granted: bool) -> Vec<AllowedOrigin> {
        vec![AllowedOrigin {
            origin: Url::parse(origin).unwrap().origin(),
            granted,
            signed_with: Some(AUTHORIZATION),
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
    fn the_header_of_the_credential_is_the_hosts_alone() {
        let allowed = allowed("https://api.example", false);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, "Bearer mine".parse().unwrap());
        let url = Url::parse("https://api.example").unwrap();
        assert_eq!(
            Err(Refusal::OwnCredential(AUTHORIZATION)),
            admit(&allowed, &url, &headers)
        );
    }
}
