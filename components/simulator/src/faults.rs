//! Failures on demand: what a client must survive, and which request meets it.

use std::collections::HashSet;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, Response as HttpResponse, StatusCode};
use axum::response::Response;
use futures_util::stream;

use crate::lock;

/// One way in which a request goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The vendor's own error answer with this status.
    Status(u16),
    /// A proxy's page in HTML with status 502.
    HtmlBadGateway,
    /// A page in HTML where JSON belongs, with status 200.
    HtmlOk,
    /// The vendor's answer over the limit, with or without the seconds to wait.
    TooManyRequests {
        /// The time to wait, in the vendor's own header and unit.
        retry_after: Option<u64>,
    },
    /// The vendor's own error answer with this code of its error table, for vendors that have one.
    Code(u32),
    /// The request is carried out, and its answer is lost: a proxy's page with status 504.
    LostAnswer,
    /// The right answer, late.
    Slow(Duration),
    /// The right headers and half of the right body, then the connection ends.
    CutBody,
    /// The connection is reset instead of an answer.
    ConnectionReset,
}

/// A fault together with the requests that meet it.
#[derive(Clone, Debug)]
pub struct Rule {
    fault: Fault,
    endpoint: Option<String>,
    skip: u64,
    times: u64,
}

impl Rule {
    /// The very next request meets `fault`.
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            endpoint: None,
            skip: 0,
            times: 1,
        }
    }

    /// Only requests of this endpoint count, such as `GET /order`.
    pub fn on(mut self, endpoint: &str) -> Self {
        self.endpoint = Some(endpoint.to_owned());
        self
    }

    /// So many requests pass first.
    pub fn after(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// So many requests in a row meet the fault.
    pub fn times(mut self, requests: u64) -> Self {
        self.times = requests;
        self
    }

    fn concerns(&self, endpoint: &str) -> bool {
        self.endpoint.as_deref().is_none_or(|only| only == endpoint)
    }
}

/// The faults waiting for requests. Where several rules concern a request, the oldest strikes and
/// the others do not count it.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    rules: Vec<Rule>,
    first_of_each: Option<FirstOfEach>,
}

#[derive(Debug)]
struct FirstOfEach {
    fault: Fault,
    met: HashSet<String>,
}

impl Faults {
    /// Adds a rule behind those that wait already.
    pub fn add(&self, rule: Rule) {
        lock(&self.0).rules.push(rule);
    }

    /// The next `n` requests of whatever endpoint meet `fault`.
    pub fn fail_next(&self, n: u64, fault: Fault) {
        self.add(Rule::new(fault).times(n));
    }

    /// Every distinct request meets `fault` the first time it is sent, until cleared.
    pub fn fail_first_of_each(&self, fault: Fault) {
        lock(&self.0).first_of_each = Some(FirstOfEach {
            fault,
            met: HashSet::new(),
        });
    }

    /// No request fails any more.
    pub fn clear(&self) {
        *lock(&self.0) = Waiting::default();
    }

    /// How many requests are still to fail by rules.
    pub fn pending(&self) -> u64 {
        lock(&self.0).rules.iter().map(|rule| rule.times).sum()
    }

    /// The fault that a request meets. Asking uses it up.
    pub(crate) fn strike(&self, endpoint: &str, url: &str) -> Option<Fault> {
        let mut waiting = lock(&self.0);
        if let Some(first) = &mut waiting.first_of_each
            && first.met.insert(format!("{endpoint} {url}"))
        {
            return Some(first.fault.clone());
        }
        let index = waiting
            .rules
            .iter()
            .position(|rule| rule.concerns(endpoint))?;
        let rule = &mut waiting.rules[index];
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        let fault = (rule.times > 0).then(|| rule.fault.clone());
        rule.times = rule.times.saturating_sub(1);
        if rule.times == 0 {
            waiting.rules.remove(index);
        }
        fault
    }
}

/// An HTML page as proxies send it.
pub fn html(status: StatusCode, title: &str) -> Response {
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n\
         <center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    let mut response = HttpResponse::new(Body::from(page));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

/// Promises the whole body, sends half of it and breaks off.
pub(crate) async fn cut(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = axum::body::to_bytes(body, usize::MAX)
        .await
        .unwrap_or_default();
    parts
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let half = whole.slice(..whole.len() / 2);
    let pieces = stream::unfold(Some(half), |next| async move {
        match next {
            Some(half) => Some((Ok::<Bytes, io::Error>(half), None)),
            None => {
                // The half has to be on the wire before the connection ends.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Some((Err(io::ErrorKind::BrokenPipe.into()), None))
            }
        }
    });
    Response::from_parts(parts, Body::from_stream(pieces))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_waits_for_its_endpoint_and_its_turn() {
        let faults = Faults::default();
        faults.add(
            Rule::new(Fault::Status(500))
                .on("GET /order")
                .after(1)
                .times(2),
        );
        assert_eq!(faults.strike("GET /users", "/users"), None);
        assert_eq!(faults.strike("GET /order", "/order?page=1"), None);
        assert_eq!(faults.pending(), 2);
        for _ in 0..2 {
            assert_eq!(
                faults.strike("GET /order", "/order?page=2"),
                Some(Fault::Status(500))
            );
        }
        assert_eq!(faults.strike("GET /order", "/order?page=2"), None);
        assert_eq!(faults.pending(), 0);
    }

    #[test]
    fn each_distinct_request_fails_only_the_first_time() {
        let faults = Faults::default();
        faults.fail_first_of_each(Fault::CutBody);
        assert_eq!(
            faults.strike("GET /order", "/order?page=1"),
            Some(Fault::CutBody)
        );
        assert_eq!(faults.strike("GET /order", "/order?page=1"), None);
        assert_eq!(
            faults.strike("GET /order", "/order?page=2"),
            Some(Fault::CutBody)
        );
        faults.clear();
        assert_eq!(faults.strike("GET /order", "/order?page=3"), None);
    }
}
