//! HTTP without the manners of the SDK: `wasi:http` as it is, with whatever the attack puts into
//! it. Failures are texts that name the error code, because a guest only reports them.

use tenon_sdk::contract::wasi::http::outgoing_handler::handle;
use tenon_sdk::contract::wasi::http::types::{
    Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, Scheme, http_error_code,
};
use tenon_sdk::contract::wasi::io::streams::StreamError;

/// An answer, read whole.
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers as they came.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut named = self.headers.iter().filter(|(known, _)| known == name);
        named.next().map(|(_, value)| value.as_str())
    }
}

/// Writes a request to a URL that is cut into its parts and not looked at any closer.
///
/// # Errors
/// What the host does not take as a part of a request.
pub fn request(
    method: &Method,
    url: &str,
    headers: &[(&str, &str)],
) -> Result<OutgoingRequest, String> {
    let (scheme, rest) = url.split_once("://").ok_or("a URL without a scheme")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let fields: Vec<(String, Vec<u8>)> = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect();
    let fields = Fields::from_list(&fields).map_err(|error| format!("headers: {error:?}"))?;
    let request = OutgoingRequest::new(fields);
    let refused = |part: &str| format!("the host takes no such {part}");
    (request.set_method(method)).map_err(|()| refused("method"))?;
    (request.set_scheme(Some(&scheme))).map_err(|()| refused("scheme"))?;
    (request.set_authority(Some(authority))).map_err(|()| refused("authority"))?;
    let path = if path.is_empty() { "/" } else { path };
    (request.set_path_with_query(Some(path))).map_err(|()| refused("path"))?;
    Ok(request)
}

/// Writes the whole body of a request that was sent.
///
/// # Errors
/// That the host took no more of it.
pub fn write(body: OutgoingBody, content: &[u8]) -> Result<(), String> {
    let stream = body.write().map_err(|()| "no stream")?;
    for piece in content.chunks(4096) {
        let written = stream.blocking_write_and_flush(piece);
        written.map_err(|error| format!("{error:?}"))?;
    }
    drop(stream);
    OutgoingBody::finish(body, None).map_err(|code| format!("{code:?}"))
}

/// Sends a request; its answer is still to come.
///
/// # Errors
/// The error code.
pub fn send(request: OutgoingRequest) -> Result<FutureIncomingResponse, String> {
    handle(request, None).map_err(|code| format!("{code:?}"))
}

/// Waits for an answer to begin.
///
/// # Errors
/// The error code.
pub fn wait(answer: &FutureIncomingResponse) -> Result<IncomingResponse, String> {
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(answer)) => answer.map_err(|code| format!("{code:?}")),
        Some(Err(())) | None => Err("the host gave no answer".to_owned()),
    }
}

/// Reads an answer to its end.
///
/// # Errors
/// The error code, or that the body broke off.
pub fn read(response: &IncomingResponse) -> Result<Answer, String> {
    let headers = response
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
        .collect();
    let incoming = response.consume().map_err(|()| "no body")?;
    Ok(Answer {
        status: response.status(),
        headers,
        body: drain(&incoming)?,
    })
}

fn drain(incoming: &IncomingBody) -> Result<Vec<u8>, String> {
    let stream = incoming.stream().map_err(|()| "no stream")?;
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(1 << 20) {
            Ok(chunk) => body.extend(chunk),
            Err(StreamError::Closed) => return Ok(body),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(match http_error_code(&error) {
                    Some(code) => format!("{code:?}"),
                    None => "the answer broke off".to_owned(),
                });
            }
        }
    }
}

/// Reads what is at a URL.
///
/// # Errors
/// Where it failed.
pub fn get(url: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
    let answer = send(request(&Method::Get, url, headers)?)?;
    read(&wait(&answer)?)
}
