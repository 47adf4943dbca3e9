//! Lists of the hosts that connections may go to.
//!
//! The threat: an address that stands in a setting leads wherever who may change settings wants, with
//! the credential of a connection. So a platform may say for all connections of a host, or for each
//! one, which hosts there are; an endpoint elsewhere keeps its connection from being opened.

use std::fmt;
use std::str::FromStr;

use url::{Host, Origin};

/// Hosts that may be reached: `api.example.com`, that name alone; `*.example.com`, all names below
/// that one; with `:PORT` only at that port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    host: Host,
    below: bool,
    port: Option<u16>,
}

/// A text is no pattern of hosts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` names no host; write it as api.example.com, *.example.com or 10.0.0.5:8080", .0.escape_debug())]
pub struct BadHostPattern(String);

impl HostPattern {
    /// Whether an origin is one of these hosts.
    pub fn holds(&self, origin: &Origin) -> bool {
        let Origin::Tuple(_, host, port) = origin else {
            return false;
        };
        let is_named = match (&self.host, host) {
            (Host::Domain(parent), Host::Domain(name)) if self.below => (name.strip_suffix(parent))
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|rest| !rest.is_empty()),
            (named, host) => named == host,
        };
        is_named && self.port.is_none_or(|named| named == *port)
    }
}

impl FromStr for HostPattern {
    type Err = BadHostPattern;

    fn from_str(text: &str) -> Result<HostPattern, BadHostPattern> {
        let bad = || BadHostPattern(text.chars().take(100).collect());
        let (below, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        // What ends an IPv6 address is no port.
        let (name, port) = match rest.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => {
                let plain = port.bytes().all(|byte| byte.is_ascii_digit());
                let port = plain.then(|| port.parse().ok()).flatten();
                (name, Some(port.ok_or_else(bad)?))
            }
            _ => (rest, None),
        };
        let host = Host::parse(name).map_err(|_| bad())?;
        let plain = match &host {
            Host::Domain(name) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
                name.chars().all(plain) && !name.starts_with('.') && !name.ends_with('.')
            }
            Host::Ipv4(_) | Host::Ipv6(_) => !below,
        };
        (plain.then_some(HostPattern { host, below, port })).ok_or_else(bad)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.below {
            f.write_str("*.")?;
        }
        write!(f, "{}", self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// Whether a list lets an origin through; without a list all pass.
pub(super) fn admits(list: Option<&[HostPattern]>, origin: &Origin) -> bool {
    list.is_none_or(|list| list.iter().any(|pattern| pattern.holds(origin)))
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    #[test]
    fn a_pattern_holds_the_hosts_that_it_names_and_no_other() {
        for (pattern, origin, expected) in [
            ("api.example.com", "https://api.example.com", true),
            ("API.example.com", "https://api.example.com:8443", true),
            (
                "api.example.com",
                "https://api.example.com.evil.example",
                false,
            ),
            ("api.example.com", "https://xapi.example.com", false),
            ("api.example.com:443", "https://api.example.com", true),
            ("api.example.com:443", "https://api.example.com:8443", false),
            ("*.example.com", "https://shop.example.com", true),
            ("*.example.com", "https://a.b.example.com", true),
            ("*.example.com", "https://example.com", false),
            ("*.example.com", "https://evilexample.com", false),
            ("10.0.0.5:8080", "http://10.0.0.5:8080", true),
            ("10.0.0.5", "http://0x0a000005/", true),
            ("10.0.0.5", "http://10.0.0.50", false),
            ("[::1]:8080", "http://[0:0::1]:8080", true),
            ("[::1]", "http://[::1]:9", true),
            ("münchen.example", "https://xn--mnchen-3ya.example", true),
        ] {
            let read: HostPattern = pattern.parse().unwrap();
            let origin = Url::parse(origin).unwrap().origin();
            assert_eq!(expected, read.holds(&origin), "{pattern} {origin:?}");
            assert_eq!(Ok(read.clone()), read.to_string().parse());
        }
    }

    #[test]
    fn what_names_no_host_is_refused() {
        for text in [
            "",
            "*",
            "*.",
            "*.*.example.com",
            "a.*.example.com",
            "https://api.example.com",
            "api.example.com/v1",
            "user@api.example.com",
            "api.example.com:",
            "api.example.com:+1",
            "api.example.com:99999",
            "*.10.0.0.5",
            "a b",
            ".example.com",
        ] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }
}
