//! Origins, as people write them: of counterparts that the defaults refuse, and of a page that may
//! show the console.
//!
//! The threat: a text passes for one place and stands for another or for many, such as
//! `https://good.example@bad.example` or `https://*.example`. So what is more than a scheme of the web,
//! a host and a port is none.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// Scheme, host and port of an address on the web.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(url::Origin);

/// A text is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an origin; write it as https://api.example.com")]
pub struct NotAnOrigin(pub String);

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Origin, NotAnOrigin> {
        match Url::parse(text) {
            Ok(url) if is_bare(&url) => Ok(Origin(url.origin())),
            _ => Err(NotAnOrigin(text.to_owned())),
        }
    }
}

fn is_bare(url: &Url) -> bool {
    // The last ones are those of IPv6.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    matches!(url.scheme(), "http" | "https")
        && url.host_str().is_some_and(|host| host.chars().all(plain))
        && url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.ascii_serialization())
    }
}

impl From<Origin> for url::Origin {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_of_the_web_and_a_host_and_nothing_else() {
        for (good, shown) in [
            ("https://erp.example.com", "https://erp.example.com"),
            ("https://ERP.example.com:443/", "https://erp.example.com"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("https://münchen.example", "https://xn--mnchen-3ya.example"),
        ] {
            let origin: Origin = good.parse().expect("an origin");
            assert_eq!(shown, origin.to_string());
        }
        for bad in [
            "*",
            "erp.example.com",
            "127.0.0.1:8080",
            "https://*.example.com",
            "https://erp.example.com/shop",
            "https://erp.example.com?x",
            "https://erp.example.com#x",
            "https://erp.example.com; script-src *",
            "https://erp.example.com;script-src",
            "https://a.example https://b.example",
            "https://user@erp.example.com",
            "https://:secret@erp.example.com",
            "ftp://erp.example.com",
            "file:///x",
            "javascript:alert(1)",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
