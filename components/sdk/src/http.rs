//! Requests to the counterpart.
//!
//! The host resolves, signs, paces and repeats requests; this module writes them, reads JSON
//! answers and says what a failure means: what may pass by itself is `transient`, what an admin
//! must mend is `configuration`, and a refusal of the request itself is a [`Status`] for the
//! caller to judge. A reason names the counterpart's address; method, path and its own words stand in
//! the detail, on one line, never a body, a query or a secret. Only this module knows the HTTP library.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::{DeserializeOwned, Deserializer as _, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::{Fault, Instant, Mend, Reason};
use crate::text::one_line;
use crate::{reason, time};

/// What RFC 3986 leaves as it is in a query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or acts.
    Post,
    /// Replaces.
    Put,
    /// Changes a part.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// As it stands in a request.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// A request on its way to the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Whole URL, query included.
    pub url: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body, empty for none.
    pub body: Vec<u8>,
}

/// An answer as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Whole body, decoded.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// The host does not let this connector reach that place.
    #[error("the host refused the request")]
    Refused,
    /// The run has sent as many requests as it may.
    #[error("the run has sent as many requests as it may")]
    TooMany,
    /// The answer has more bytes than a run takes.
    #[error("the answer has more bytes than a run takes")]
    TooLarge,
    /// The connection failed, or broke before the answer was complete.
    #[error("{0}")]
    Failed(String),
}

/// The counterpart understood the request and does not take it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place} answered {code}{message}")]
pub struct Status {
    /// HTTP status: 400, 403, 404, 409, 422…
    pub code: u16,
    /// `: ` and the counterpart's own words, or nothing.
    pub message: String,
    /// Method and URL without the query.
    pub place: String,
    /// Whole body, for counterparts that tell more in it than a status can. It may hold personal
    /// data, so it belongs into no message.
    pub body: Vec<u8>,
    credential: Option<&'static str>,
}

impl Status {
    /// What people are told of it.
    pub fn reason(&self) -> Reason {
        let address = address(&self.place);
        let reason = match self.code {
            401 => reason!("sdk.http.credential", address = address),
            403 => reason!("sdk.http.forbidden", address = address),
            code => {
                return reason!("sdk.http.refused", address = address, status = code).detail(self);
            }
        };
        let credential = self.credential.map(str::to_owned);
        Reason {
            mend: credential.map(Mend::Credential),
            ..reason.detail(self)
        }
    }
}

/// Why a call brought no usable answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// Nothing the caller could mend.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The caller may know what this status means for this request.
    #[error(transparent)]
    Status(#[from] Status),
}

/// A status that nobody expected does not go away by itself, so an admin gets to see it.
impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Fault(fault) => fault,
            Error::Status(status) => Fault::Configuration(status.reason()),
        }
    }
}

/// A counterpart's API: where it is, and which credential the host signs its requests with.
#[derive(Clone, Debug)]
pub struct Api {
    base: String,
    credential: Option<&'static str>,
    accept: &'static str,
    explained_by: &'static [&'static str],
}

impl Api {
    /// `base` is what all paths are put behind; `credential` is its name in the manifest, that of the
    /// first where there are several, none where nothing is signed.
    pub fn new(base: &str, credential: impl Into<Option<&'static str>>) -> Self {
        Api {
            base: base.trim_end_matches('/').to_owned(),
            credential: credential.into(),
            accept: "application/json",
            explained_by: &["message", "errors"],
        }
    }

    /// The same API, whose refusals hold its own words in these members; none leaves it at `message` and
    /// `errors`. Nothing else of a refusal is ever shown: the rest of a body may hold personal data.
    pub fn explained_by(self, members: &'static [&'static str]) -> Self {
        match members {
            [] => self,
            explained_by => Api {
                explained_by,
                ..self
            },
        }
    }

    /// The same API, asked for another kind of answer than plain `application/json`.
    pub fn accepting(self, accept: &'static str) -> Self {
        Api { accept, ..self }
    }

    /// What all paths are put behind, without a slash at its end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A call that reads `path`.
    pub fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::Get, path)
    }

    /// A call to `path`.
    pub fn call(&self, method: Method, path: &str) -> Call<'_> {
        Call {
            api: self,
            path_end: self.base.len() + path.len(),
            request: Request {
                method,
                url: format!("{}{path}", self.base),
                headers: vec![("accept".to_owned(), self.accept.to_owned())],
                body: Vec::new(),
            },
        }
    }
}

/// A request that is being written.
#[derive(Clone, Debug)]
#[must_use = "a call does nothing before it is sent"]
pub struct Call<'a> {
    api: &'a Api,
    path_end: usize,
    request: Request,
}

impl Call<'_> {
    /// Adds a pair to the query, everything special in it percent-encoded.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        let url = &mut self.request.url;
        url.push(if url.len() == self.path_end { '?' } else { '&' });
        url.extend(utf8_percent_encode(name, QUERY));
        url.push('=');
        url.extend(utf8_percent_encode(value, QUERY));
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request
            .headers
            .push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts a JSON body into the request.
    ///
    /// # Errors
    /// `rejected` when the value cannot be written as JSON.
    pub fn json(mut self, body: &impl Serialize) -> Result<Self, Fault> {
        self.request.body = serde_json::to_vec(body)
            .map_err(|error| Fault::Rejected(reason!("sdk.http.unwritable").detail(error)))?;
        Ok(self.header("content-type", "application/json"))
    }

    /// Says that the counterpart recognises a repetition of this request, so that the host may send
    /// it again when its outcome is unknown. Only for methods that are not idempotent by themselves.
    pub fn repeatable(self) -> Self {
        self.header("tenon-repeatable", "true")
    }

    /// Sends the request and waits for the whole answer.
    ///
    /// # Errors
    /// [`Error::Status`] for a refusal of the request itself, [`Error::Fault`] for all else.
    pub fn send(self) -> Result<Answer, Error> {
        let place = self.place();
        let outcome = exchange(self.request);
        let mut response = judge(&place, self.api, outcome)?;
        if header(&response, "content-type").is_some_and(|kind| kind.contains("json")) {
            mend(&mut response.body);
        }
        Ok(Answer { place, response })
    }

    /// Sends a request that is answered with a JSON list, and gives its elements one by one: however many
    /// there are, no more than a piece of the answer is in memory. The answer that is left has no body.
    ///
    /// # Errors
    /// As [`Call::send`]; `transient` when the answer breaks off, or an element has another shape.
    pub fn each<T: DeserializeOwned>(self, take: impl FnMut(T)) -> Result<Answer, Error> {
        let place = self.place();
        let api = self.api;
        let (head, body) = match open(self.request) {
            Ok(opened) => opened,
            Err(unsent) => {
                let response = judge(&place, api, Err(unsent))?;
                return Ok(Answer { place, response });
            }
        };
        if !(200..300).contains(&head.status) {
            let response = judge(&place, api, whole(head, body))?;
            return Ok(Answer { place, response });
        }
        let response = judge(&place, api, Ok(head))?;
        let answer = Answer { place, response };
        let pieces = std::io::BufReader::with_capacity(PIECE, Pieces::of(body));
        let mut json = serde_json::Deserializer::from_reader(pieces);
        let read = json.deserialize_seq(Each(take, PhantomData));
        read.and_then(|()| json.end())
            .map_err(|error| answer.misread(&error))?;
        Ok(answer)
    }

    /// Sends a request about a thing that may be gone; none when it is.
    ///
    /// # Errors
    /// What the answer came to, unless that is 404 or 410.
    pub fn find(self) -> Result<Option<Answer>, Fault> {
        match self.send() {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Status(status)) if matches!(status.code, 404 | 410) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a request that is answered with a redirect; gives the address that it leads to. The
    /// host follows none: another place may be another endpoint, or none of this connector's.
    ///
    /// # Errors
    /// As [`Call::send`]; `transient` when the answer leads nowhere.
    pub fn location(self) -> Result<String, Error> {
        let place = self.place();
        let outcome = exchange(self.request);
        if let Ok(response) = &outcome
            && matches!(response.status, 301 | 302 | 303 | 307 | 308)
            && let Some(location) = header(response, "location")
        {
            return Ok(location.to_owned());
        }
        judge(&place, self.api, outcome)?;
        Err(Fault::Transient(unreadable(&place, "the address of a file is missing")).into())
    }

    /// Method and URL without the query.
    fn place(&self) -> String {
        let url = &self.request.url[..self.path_end];
        format!(
            "{} {}",
            self.request.method.name(),
            url.split('?').next().unwrap_or(url)
        )
    }
}

/// A complete answer of success.
#[derive(Clone, Debug)]
pub struct Answer {
    place: String,
    response: Response,
}

impl Answer {
    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.response, name)
    }

    /// When the counterpart answered, by its own clock.
    pub fn date(&self) -> Option<Instant> {
        time::parse_http(self.header("date")?)
    }

    /// The body as it is.
    pub fn bytes(&self) -> &[u8] {
        &self.response.body
    }

    /// The body as text, to be read by [`Answer::json`] or piece by piece.
    ///
    /// # Errors
    /// `transient` when it is not UTF-8.
    pub fn text(&self) -> Result<&str, Fault> {
        std::str::from_utf8(&self.response.body)
            .map_err(|_| Fault::Transient(unreadable(&self.place, "no text")))
    }

    /// The body as a type that may borrow from it.
    ///
    /// # Errors
    /// `transient` when it is cut short, no JSON or of another shape.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Fault> {
        serde_json::from_str(self.text()?).map_err(|error| self.misread(&error))
    }

    /// What it means that the body could not be read.
    pub fn misread(&self, error: &serde_json::Error) -> Fault {
        Fault::Transient(unreadable(&self.place, error))
    }
}

/// Bytes of an answer that are read at a time.
const PIECE: usize = 64 * 1024;

/// A body that comes in pieces: the next one, none behind the last.
type Body = Box<dyn FnMut() -> Result<Option<Vec<u8>>, Unsent>>;

/// All of an answer.
fn whole(mut head: Response, mut body: Body) -> Result<Response, Unsent> {
    // The first piece, often the only one, is not copied.
    head.body = body()?.unwrap_or_default();
    while let Some(piece) = body()? {
        head.body.extend_from_slice(&piece);
    }
    Ok(head)
}

/// A body as something to read from.
struct Pieces {
    body: Body,
    piece: Vec<u8>,
    read: usize,
}

impl Pieces {
    fn of(body: Body) -> Pieces {
        Pieces {
            body,
            piece: Vec::new(),
            read: 0,
        }
    }
}

impl std::io::Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        while self.read == self.piece.len() {
            match (self.body)() {
                Ok(Some(piece)) => (self.piece, self.read) = (piece, 0),
                Ok(None) => return Ok(0),
                Err(_) => return Err(std::io::Error::other("the answer broke off")),
            }
        }
        let rest = &self.piece[self.read..];
        let taken = rest.len().min(into.len());
        into[..taken].copy_from_slice(&rest[..taken]);
        self.read += taken;
        Ok(taken)
    }
}

/// Gives the elements of a list one by one.
struct Each<T, F>(F, PhantomData<T>);

impl<'de, T: DeserializeOwned, F: FnMut(T)> Visitor<'de> for Each<T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element::<Box<RawValue>>()? {
            (self.0)(serde_json::from_str(element.get()).map_err(A::Error::custom)?);
        }
        Ok(())
    }
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response
        .headers
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

/// Puts the mark for an unknown letter in place of what is no letter and would make all of an answer
/// unreadable: half of an emoji that a counterpart has cut in two, and bytes that are no UTF-8.
fn mend(body: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(body);
    let halves = halves(&text);
    if let Cow::Owned(mended) = text {
        *body = mended.into_bytes();
    }
    for place in halves {
        body[place..place + 6].copy_from_slice(b"\\uFFFD");
    }
}

/// Where a half of a letter is escaped whose other half does not follow.
fn halves(json: &str) -> Vec<usize> {
    let mut halves = Vec::new();
    let mut place = 0;
    while let Some(next) = json.get(place..).and_then(|rest| rest.find('\\')) {
        place += next;
        place += match (unit(json, place), unit(json, place + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                halves.push(place);
                6
            }
            // Whatever is escaped, it is one byte: it may be a backslash.
            _ => 2,
        };
    }
    halves
}

/// The UTF-16 unit that is escaped at a place: `\u` and four hexadecimal digits.
fn unit(json: &str, place: usize) -> Option<u16> {
    let digits = json.get(place..place + 6)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

/// Decides what an outcome means.
fn judge(place: &str, api: &Api, outcome: Result<Response, Unsent>) -> Result<Response, Error> {
    let address = address(place);
    let response = outcome.map_err(|unsent| match unsent {
        Unsent::Refused => Fault::Configuration(reason!("sdk.http.not-granted", address = address)),
        Unsent::TooMany => Fault::Configuration(reason!("sdk.http.too-many")),
        Unsent::TooLarge => {
            Fault::Transient(reason!("sdk.http.too-large", address = address).detail(place))
        }
        Unsent::Failed(words) => Fault::Transient(
            reason!("sdk.http.silent", address = address).detail(format_args!("{place}: {words}")),
        ),
    })?;
    if (200..300).contains(&response.status) {
        let kind = header(&response, "content-type");
        if kind.is_some_and(|kind| kind.trim_start().starts_with("text/html")) {
            return Err(Fault::Transient(unreadable(place, "HTML instead of JSON")).into());
        }
        return Ok(response);
    }
    let status = Status {
        code: response.status,
        message: match explanation(&response.body, api.explained_by) {
            Some(words) => format!(": {words}"),
            None => String::new(),
        },
        place: place.to_owned(),
        body: response.body,
        credential: api.credential,
    };
    Err(match status.code {
        401 => Fault::Configuration(status.reason()).into(),
        code @ (408 | 425 | 429 | 500..) => Fault::Transient(
            reason!("sdk.http.busy", address = address, status = code).detail(&status),
        )
        .into(),
        _ => status.into(),
    })
}

/// Why an answer is of no use.
fn unreadable(place: &str, problem: impl fmt::Display) -> Reason {
    reason!("sdk.http.unreadable", address = address(place))
        .detail(format_args!("{place}: {problem}"))
}

/// Scheme, host and port of a place.
fn address(place: &str) -> &str {
    origin(place.split_once(' ').map_or(place, |(_, url)| url))
}

/// The counterpart's own words about a failure: only the members that are meant for them.
fn explanation(body: &[u8], members: &[&str]) -> Option<String> {
    let refusal: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(body).ok()?;
    let words = members.iter().filter_map(|member| refusal.get(*member));
    let words: Vec<Cow<'_, str>> = words
        .filter(|words| words.get() != "null")
        .map(|words| match serde_json::from_str(words.get()) {
            Ok(text) => Cow::Owned(text),
            Err(_) => Cow::Borrowed(words.get()),
        })
        .collect();
    let words = one_line(&words.join(" "));
    (!words.is_empty()).then_some(words)
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    url[host..]
        .find(['/', '?', '#'])
        .map_or(url, |end| &url[..host + end])
}

fn exchange(request: Request) -> Result<Response, Unsent> {
    let (head, body) = open(request)?;
    whole(head, body)
}

/// Sends a request; gives the answer without its body, and that.
#[cfg(not(target_family = "wasm"))]
fn open(request: Request) -> Result<(Response, Body), Unsent> {
    let mut response = crate::native::world().http(request)?;
    let mut body = Some(std::mem::take(&mut response.body));
    Ok((response, Box::new(move || Ok(body.take()))))
}

/// Sends a request; gives the answer without its body, and that.
#[cfg(target_family = "wasm")]
fn open(request: Request) -> Result<(Response, Body), Unsent> {
    wasm::open(request)
}

#[cfg(target_family = "wasm")]
mod wasm {
    use super::{Body, Method, Request, Response, Unsent};
    use waki::ErrorCode;
    use waki::header::HeaderName;

    /// Asked for at a time; the host gives what it has.
    const CHUNK: u64 = 1024 * 1024;

    pub fn open(request: Request) -> Result<(Response, Body), Unsent> {
        let method = match request.method {
            Method::Get => waki::Method::Get,
            Method::Post => waki::Method::Post,
            Method::Put => waki::Method::Put,
            Method::Patch => waki::Method::Patch,
            Method::Delete => waki::Method::Delete,
        };
        let mut call = waki::Client::new().request(method, &request.url);
        for (name, value) in request.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|error| Unsent::Failed(error.to_string()))?;
            call = call.header(name, value);
        }
        let response =
            call.body(request.body)
                .send()
                .map_err(|error| match error.downcast_ref() {
                    Some(ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited) => {
                        Unsent::Refused
                    }
                    Some(ErrorCode::ConnectionLimitReached) => Unsent::TooMany,
                    Some(ErrorCode::HttpResponseBodySize(_)) => Unsent::TooLarge,
                    Some(code) => Unsent::Failed(format!("{code:?}")),
                    None => Unsent::Failed(error.to_string()),
                })?;
        let headers = response
            .headers()
            .iter()
            .filter_map(|(name, value)| {
                let value = value.to_str().ok()?;
                Some((name.as_str().to_owned(), value.to_owned()))
            })
            .collect();
        let status = response.status_code();
        let head = Response {
            status,
            headers,
            body: Vec::new(),
        };
        let next = move || {
            let broken = |_| Unsent::Failed("the answer broke off".to_owned());
            response.chunk(CHUNK).map_err(broken)
        };
        Ok((head, Box::new(next)))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Answer, Api, Body, Each, Error, Pieces, Response, Status, Unsent, judge, mend, origin,
    };
    use std::marker::PhantomData;

    use crate::model::Fault;
    use crate::reason;
    use serde::de::Deserializer as _;

    fn api() -> Api {
        Api::new("https://crm.example/v1/", "api_key")
    }

    /// The elements of a list that comes in these pieces, and how the reading ended.
    fn elements(pieces: &'static [&'static str]) -> (Vec<i64>, bool) {
        let mut pieces = pieces.iter();
        let body: Body = Box::new(move || match pieces.next() {
            Some(&"!") => Err(Unsent::Failed("gone".to_owned())),
            piece => Ok(piece.map(|piece| piece.as_bytes().to_vec())),
        });
        let mut json = serde_json::Deserializer::from_reader(Pieces::of(body));
        let mut taken = Vec::new();
        let read = json.deserialize_seq(Each(|one: i64| taken.push(one), PhantomData));
        (taken, read.and_then(|()| json.end()).is_ok())
    }

    #[test]
    fn a_long_list_is_read_as_it_comes_wherever_it_is_cut() {
        assert_eq!(elements(&["[1,2", "3,", "", "4]"]), (vec![1, 23, 4], true));
        assert_eq!(elements(&["[]"]), (vec![], true));
        assert_eq!(elements(&["[1,2", "!"]), (vec![1], false));
        assert_eq!(elements(&["[1,", "2"]), (vec![1, 2], false));
        assert_eq!(elements(&[r#"{"errors":[]}"#]), (vec![], false));
    }

    fn answered(status: u16, kind: &str, body: &str) -> Result<Response, Error> {
        let response = Response {
            status,
            headers: vec![("content-type".to_owned(), kind.to_owned())],
            body: body.as_bytes().to_vec(),
        };
        judge("GET https://crm.example/v1/order", &api(), Ok(response))
    }

    fn json(body: &str) -> Result<Vec<i64>, Fault> {
        let response = answered(200, "application/json", body)?;
        Answer {
            place: "GET /order".to_owned(),
            response,
        }
        .json()
    }

    #[test]
    fn half_a_letter_spoils_no_answer() {
        for (sent, mended) in [
            (r#""a \ud83d b""#.as_bytes(), "a \u{fffd} b"),
            (
                r#""\uDE00\ud83d\ud83d\ude00""#.as_bytes(),
                "\u{fffd}\u{fffd}\u{1f600}",
            ),
            (r#""\ud83d\n""#.as_bytes(), "\u{fffd}\n"),
            (r#""\\ud83d \\\ud83d""#.as_bytes(), "\\ud83d \\\u{fffd}"),
            (r#""Дякую \u0434 \ud83d""#.as_bytes(), "Дякую д \u{fffd}"),
            (b"\"a\xed\xa0b\"", "a\u{fffd}\u{fffd}b"),
        ] {
            let mut body = sent.to_vec();
            mend(&mut body);
            let read: Result<String, _> = serde_json::from_slice(&body);
            assert_eq!(read.ok().as_deref(), Some(mended));
        }
    }

    #[test]
    fn a_query_is_percent_encoded_with_its_brackets() {
        let api = api();
        let call = api
            .get("/order")
            .query("filter[created_between]", "2026-03-01 10:00:00,2026")
            .query("include", "buyer");
        assert_eq!(
            call.request.url,
            "https://crm.example/v1/order?filter%5Bcreated_between%5D=2026-03-01%2010%3A00%3A00%2C2026&include=buyer"
        );
    }

    #[test]
    fn a_wrong_key_names_the_credential() {
        let refused = answered(401, "application/json", r#"{"message":"Unauthenticated."}"#);
        assert_eq!(
            refused.err().map(Fault::from),
            Some(Fault::Configuration(
                reason!("sdk.http.credential", address = "https://crm.example")
                    .credential("api_key")
                    .detail("GET https://crm.example/v1/order answered 401: Unauthenticated.")
            ))
        );
    }

    #[test]
    fn what_may_pass_by_itself_is_transient() {
        for failure in [
            answered(
                429,
                "application/json",
                r#"{"message":"Too Many Attempts."}"#,
            ),
            answered(502, "text/html", "<html>Bad gateway</html>"),
            answered(200, "text/html; charset=UTF-8", "<html>Sign in</html>"),
            judge(
                "GET /",
                &api(),
                Err(Unsent::Failed("reset\nby peer".into())),
            ),
        ] {
            let fault = failure.err().map(Fault::from);
            assert!(matches!(fault, Some(Fault::Transient(_))), "{fault:?}");
        }
        for body in ["[1,2", "<html>", "[1,\"x\"]", ""] {
            assert!(matches!(json(body), Err(Fault::Transient(_))), "{body}");
        }
        assert_eq!(json("[1,2]"), Ok(vec![1, 2]));
    }

    #[test]
    fn a_refusal_tells_only_what_is_meant_to_explain_it() {
        let body = r#"{"message":"The given data was invalid.",
            "errors":{"page":["too large"]},"buyer":{"phone":"+380501112233"}}"#;
        let Err(Error::Status(Status { code, message, .. })) =
            answered(422, "application/json", body)
        else {
            panic!("422 is for the caller to judge");
        };
        assert_eq!(code, 422);
        assert_eq!(
            message,
            r#": The given data was invalid. {"page":["too large"]}"#
        );
    }

    #[test]
    fn a_missing_right_is_for_the_caller_to_judge_and_else_for_the_admin() {
        let refused = answered(403, "application/json", r#"{"message":"No right."}"#);
        let Some(Error::Status(status)) = refused.err() else {
            panic!("403 is a status");
        };
        assert_eq!(status.body, br#"{"message":"No right."}"#);
        assert_eq!(
            Fault::from(Error::Status(status)),
            Fault::Configuration(
                reason!("sdk.http.forbidden", address = "https://crm.example")
                    .credential("api_key")
                    .detail("GET https://crm.example/v1/order answered 403: No right.")
            )
        );
    }

    #[test]
    fn a_signed_address_is_told_without_its_signature() {
        let place = Api::new("https://files.example", None)
            .get("/a?sig=secret")
            .place();
        assert_eq!(place, "GET https://files.example/a");
    }

    #[test]
    fn a_run_without_requests_left_is_not_told_that_the_address_is_closed() {
        let refused = judge("GET https://crm.example/v1", &api(), Err(Unsent::TooMany));
        assert_eq!(
            refused.err().map(Fault::from),
            Some(Fault::Configuration(reason!("sdk.http.too-many")))
        );
    }

    #[test]
    fn a_place_that_is_not_granted_is_named() {
        let refused = judge("GET https://crm.example/v1", &api(), Err(Unsent::Refused));
        assert_eq!(
            refused.err().map(Fault::from),
            Some(Fault::Configuration(reason!(
                "sdk.http.not-granted",
                address = "https://crm.example"
            )))
        );
        assert_eq!(origin("http://127.0.0.1:8080"), "http://127.0.0.1:8080");
    }
}
