//! Which requests may be sent while nothing is to be changed at the counterpart: in a preview, in a
//! comparison, and when a connection is only looked at.
//!
//! The threat: a connector forgets what its run is for, or is hostile, and writes to the counterpart
//! although people were promised that it does not. So GET and HEAD pass, and of all others those that the
//! manifest declares as reads, by method and path. A server must not take such a request for another
//! one, whatever it makes of odd spellings: the path is compared as it is, segment by segment, and
//! where the manifest leaves a segment open, nothing in it could end the segment or climb out of it.
//! Headers, and names in the query or the body, by which some servers put another method or another path
//! in place of what was sent are refused altogether.

use http::{HeaderMap, HeaderName, Method, header};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use url::Url;

use super::policy::Refusal;
use crate::manifest::Read;

/// A request that the manifest declares as one that changes nothing.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    method: Method,
    /// None stands for any one.
    segments: Vec<Option<String>>,
}

impl Declared {
    /// None for a method that cannot be: the manifest was checked.
    pub fn new(read: &Read) -> Option<Declared> {
        let segments = read.path.strip_prefix('/')?.split('/');
        let segment = |segment: &str| (segment != "*").then(|| segment.to_owned());
        Some(Declared {
            method: read.method.parse().ok()?,
            segments: segments.map(segment).collect(),
        })
    }

    fn is(&self, method: &Method, path: &str) -> bool {
        let mut given = path.strip_prefix('/').unwrap_or(path).split('/');
        let same = self.segments.iter().all(|segment| {
            let given = given.next();
            match segment {
                Some(segment) => given == Some(segment.as_str()),
                None => given.is_some_and(is_one_segment),
            }
        });
        *method == self.method && same && given.next().is_none()
    }
}

/// Whether a segment is one for every server, however often it decodes it.
fn is_one_segment(segment: &str) -> bool {
    let Ok(decoded) = percent_decode_str(segment).decode_utf8() else {
        return false;
    };
    let odd = |letter: char| letter.is_control() || matches!(letter, '/' | '\\' | '%' | ';');
    !matches!(&*decoded, "" | "." | "..") && !decoded.contains(odd)
}

/// Passes a request, whose body comes later, that only reads.
pub(super) fn admit(
    declared: &[Declared],
    method: &Method,
    url: &Url,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if !reads && !declared.iter().any(|read| read.is(method, url.path())) {
        return Err(Refusal::NotARead {
            method: method.to_string(),
            path: url.path().to_owned(),
        });
    }
    if let Some(name) = headers.keys().find(|name| replaces(name)) {
        return Err(Refusal::Replaces(name.to_string()));
    }
    let mut names = url.query_pairs().map(|(name, _)| name);
    match names.find(|name| names_a_method(name)) {
        Some(name) => Err(Refusal::Replaces(name.into_owned())),
        None => Ok(()),
    }
}

/// Passes the body of such a request.
pub(super) fn admit_body(headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let named = |name: &String| names_a_method(name);
    if kind.to_ascii_lowercase().contains("multipart") {
        // Its parts are named in many ways, so the word alone counts.
        let text = String::from_utf8_lossy(body).to_lowercase();
        return match text.contains("_method") {
            true => Err(Refusal::Replaces("_method".to_owned())),
            false => Ok(()),
        };
    }
    let found = match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => members.into_iter().map(|(name, _)| name).find(named),
        Ok(_) => None,
        Err(_) => url::form_urlencoded::parse(body)
            .map(|(name, _)| name.into_owned())
            .find(named),
    };
    found.map_or(Ok(()), |name| Err(Refusal::Replaces(name)))
}

/// Whether servers or proxies take a header for another method or another path.
fn replaces(name: &HeaderName) -> bool {
    const WORDS: [&str; 5] = ["method", "override", "original", "rewrite", "forwarded"];
    WORDS.iter().any(|word| name.as_str().contains(word))
}

/// Whether servers take a name in a query or a form for another method: `_method`, `X-HTTP-Method`
/// and what becomes one of these where signs in names are replaced. A plain `method` names one of
/// the counterpart's own procedures.
fn names_a_method(name: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let bare = letters.collect::<String>().to_ascii_lowercase();
    let decorated = bare == "method" && !name.eq_ignore_ascii_case("method");
    decorated || bare.ends_with("httpmethod") || bare.contains("methodoverride")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared() -> Vec<Declared> {
        let read = |(method, path): (&str, &str)| Read {
            method: method.to_owned(),
            path: path.to_owned(),
        };
        let reads = [
            ("POST", "/search"),
            ("POST", "/entity/*/list"),
            ("REPORT", "/calendar/"),
        ];
        reads
            .into_iter()
            .map(|known| Declared::new(&read(known)).unwrap())
            .collect()
    }

    fn ask(method: &str, path: &str, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let url = Url::parse("https://api.example").unwrap().join(path);
        let headers = headers.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        });
        admit(
            &declared(),
            &method.parse().unwrap(),
            &url.unwrap(),
            &headers.collect(),
        )
    }

    #[test]
    fn what_is_declared_passes_with_any_query_and_get_and_head_always() {
        for (method, path) in [
            ("GET", "/orders"),
            ("HEAD", "/orders/1"),
            ("GET", "/rpc?method=orders.list"),
            ("POST", "/search"),
            ("POST", "/search?text=method&page=2"),
            ("POST", "/entity/customerorder/list"),
            ("POST", "/entity/%D0%B7%D0%B0%D0%BA%D0%B0%D0%B7%201/list"),
            ("REPORT", "/calendar/"),
            // This is what is sent, too.
            ("POST", "/orders/../search"),
        ] {
            assert_eq!(Ok(()), ask(method, path, &[]), "{method} {path}");
        }
    }

    #[test]
    fn everything_else_is_refused_by_method_and_path() {
        let refused = ask("POST", "/orders?secret=1", &[]);
        let told = Refusal::NotARead {
            method: "POST".to_owned(),
            path: "/orders".to_owned(),
        };
        assert_eq!(Err(told), refused);
        for (method, path) in [
            ("POST", "/orders"),
            ("PUT", "/search"),
            ("PATCH", "/search"),
            ("DELETE", "/search"),
            ("OPTIONS", "/search"),
            ("get", "/orders"),
            ("post", "/search"),
            ("POST", "/"),
            ("POST", "/search/"),
            ("POST", "//search"),
            ("POST", "/Search"),
            ("POST", "/searches"),
            ("POST", "/search/../orders"),
            ("POST", "/search/%2e%2e/orders"),
            ("POST", "/search/%2E./orders"),
            ("POST", "/search\\..\\orders"),
            ("POST", "/search%2f..%2forders"),
            ("POST", "/search%00"),
            ("POST", "/sear%63h"),
            ("POST", "/search;/../orders"),
            ("POST", "/entity/list"),
            ("POST", "/entity//list"),
            ("POST", "/entity/a/b/list"),
            ("POST", "/entity/a/list/b"),
            ("POST", "/entity/a%2Fb/list"),
            ("POST", "/entity/..%2Forders/list"),
            ("POST", "/entity/..%5Corders/list"),
            ("POST", "/entity/%252e%252e/list"),
            ("POST", "/entity/..;/list"),
            ("POST", "/entity/a%3Bb/list"),
            ("POST", "/entity/a%0d%0ab/list"),
            ("POST", "/entity/%ff/list"),
            ("REPORT", "/calendar"),
        ] {
            let refused = matches!(ask(method, path, &[]), Err(Refusal::NotARead { .. }));
            assert!(refused, "{method} {path}");
        }
    }

    #[test]
    fn nothing_that_puts_another_method_or_path_in_place_is_sent() {
        for header in [
            "X-HTTP-Method-Override",
            "x-http-method",
            "X-Method-Override",
            "X-Original-URL",
            "X-Rewrite-Url",
            "X-Forwarded-Uri",
            "Forwarded",
        ] {
            let refused = ask("GET", "/orders", &[(header, "DELETE")]);
            assert_eq!(Err(Refusal::Replaces(header.to_lowercase())), refused);
        }
        assert_eq!(Ok(()), ask("GET", "/orders", &[("accept", "x/method")]));
        for query in [
            "_method=DELETE",
            "a=1&%5fmethod=DELETE",
            "_METHOD=delete",
            ".method=PUT",
            "+method=PUT",
            "_method[]=PUT",
            "X-HTTP-Method-Override=PUT",
            "http_method=PUT",
        ] {
            for (method, path) in [("GET", "/orders"), ("POST", "/search")] {
                let refused = ask(method, &format!("{path}?{query}"), &[]);
                assert!(matches!(refused, Err(Refusal::Replaces(_))), "{query}");
            }
        }
    }

    #[test]
    fn nor_does_a_body_say_so() {
        let body = |kind: &str, body: &str| {
            let headers = [(header::CONTENT_TYPE, kind.parse().unwrap())];
            admit_body(&headers.into_iter().collect(), body.as_bytes())
        };
        let json = "application/json";
        let form = "application/x-www-form-urlencoded";
        let parts = "multipart/form-data; boundary=x";
        for (kind, text) in [
            (json, r#"{"_method": "DELETE"}"#),
            (json, r#"{"a": 1, "\u005fmethod": "DELETE"}"#),
            ("text/plain", r#"{"_method": "DELETE"}"#),
            (form, "a=1&_method=DELETE"),
            (form, "%5Fmethod=DELETE"),
            ("", "_method=DELETE"),
            (
                parts,
                "--x\r\nContent-Disposition: form-data; name=\"_Method\"\r\n\r\nPUT",
            ),
        ] {
            assert!(body(kind, text).is_err(), "{text}");
        }
        for (kind, text) in [
            (json, r#"{"fields": "payment_method", "method": "list"}"#),
            (json, r#"{"filter": {"payment_method": 1}}"#),
            (form, "payment_method=cash&q=_method"),
            (
                parts,
                "--x\r\nContent-Disposition: form-data; name=\"method\"\r\n\r\nlist",
            ),
            ("", ""),
        ] {
            assert_eq!(Ok(()), body(kind, text), "{text}");
        }
    }
}
