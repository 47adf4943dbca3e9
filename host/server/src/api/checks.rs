//! Holds every request against the description of the API before a handler sees it.
//!
//! The threat: a member, a parameter or a length that the description does not have reaches a
//! handler that was not written for it; or the description promises what no handler checks. Here the
//! description itself is what checks, so the two cannot differ.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts as _, MatchedPath, RawPathParams, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Value, json};
use tenon_host::rules;

use super::problem::{Problem, Refused};
use crate::versions::MOST_COMPONENT_BYTES;

/// Bytes that are read of a body that is too large.
const THROWN_AWAY: usize = 8 << 20;

/// Most bytes of a JSON body.
const JSON: usize = 1 << 20;
/// Most refused values that one answer lists.
const LISTED: usize = 50;

/// The media type of components.
pub const WASM: &str = "application/wasm";

/// What the description allows, by path and method.
pub struct Checks {
    operations: HashMap<(String, String), Operation>,
}

struct Operation {
    path: Vec<Parameter>,
    query: Vec<Parameter>,
    headers: Vec<Parameter>,
    /// What the body may be, by media type.
    bodies: Vec<(String, Option<Validator>)>,
    /// Whether there has to be one.
    needs_body: bool,
    /// Most bytes of a body, where the description says so.
    most: Option<usize>,
    writes: bool,
}

struct Parameter {
    name: String,
    required: bool,
    kind: Kind,
    validator: Validator,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Integer,
    Boolean,
}

/// A JSON body that is as the description says.
#[derive(Clone)]
pub struct CheckedJson(pub Arc<Value>);

/// The description cannot be checked against: a fault of this program.
#[derive(Debug, thiserror::Error)]
#[error("the description of the API: {method} {path}: {reason}")]
pub struct BadDescription {
    method: String,
    path: String,
    reason: String,
}

impl Checks {
    /// From the description.
    pub fn new(document: &Value) -> Result<Checks, BadDescription> {
        let mut operations = HashMap::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let known = Operation::new(operation, &document["components"], method != "get");
                let known = known.map_err(|reason| BadDescription {
                    method: method.clone(),
                    path: path.clone(),
                    reason,
                })?;
                operations.insert((path.clone(), method.to_uppercase()), known);
            }
        }
        Ok(Checks { operations })
    }

    /// The operation of a route, which may be mounted below a prefix.
    fn operation(&self, route: &str, method: &Method) -> Option<&Operation> {
        let method = if method == Method::HEAD {
            "GET"
        } else {
            method.as_str()
        };
        let known = |(start, _)| {
            let key = (route[start..].to_owned(), method.to_owned());
            self.operations.get(&key)
        };
        route.match_indices("/v1").find_map(known)
    }
}

impl Operation {
    fn new(operation: &Value, components: &Value, writes: bool) -> Result<Operation, String> {
        let parameters = operation["parameters"].as_array();
        let all = |place: &str| {
            let of_place = parameters.into_iter().flatten();
            of_place
                .filter(|parameter| parameter["in"] == place)
                .map(|parameter| Parameter::new(parameter, components))
                .collect::<Result<Vec<_>, _>>()
        };
        let contents = operation["requestBody"]["content"].as_object();
        let bodies = contents.into_iter().flatten().map(|(media, content)| {
            let schema = &content["schema"];
            let validator = (media == "application/json")
                .then(|| validator(schema, components))
                .transpose()?;
            Ok((media.clone(), validator))
        });
        Ok(Operation {
            path: all("path")?,
            query: all("query")?,
            headers: all("header")?,
            bodies: bodies.collect::<Result<_, String>>()?,
            needs_body: operation["requestBody"]["required"] != false,
            most: (operation["x-most-bytes"].as_u64()).map(|most| most as usize),
            writes,
        })
    }

    fn most(&self) -> usize {
        let takes_components = self.bodies.iter().any(|(media, _)| media == WASM);
        if takes_components {
            MOST_COMPONENT_BYTES as usize
        } else {
            self.most.unwrap_or(JSON)
        }
    }

    fn check_query(&self, query: &str, refused: &mut Vec<Refused>) {
        let mut seen = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match self.query.iter().find(|known| known.name == name) {
                None => refused.push(Refused::rule(name.clone(), "unknown", "")),
                Some(_) if seen.contains(&name) => {
                    refused.push(Refused::rule(name.clone(), "twice", ""));
                }
                Some(known) => known.check(&value, refused),
            }
            seen.push(name);
        }
        for known in self.query.iter().filter(|known| known.required) {
            if !seen.iter().any(|name| *name == known.name) {
                refused.push(Refused::rule(&known.name, "required", ""));
            }
        }
    }

    /// Whether a required header is there is for its handler to say, which has a status of its own.
    fn check_headers(&self, headers: &HeaderMap, refused: &mut Vec<Refused>) {
        for known in &self.headers {
            let mut values = headers.get_all(known.name.as_str()).iter();
            match values.next().map(|value| value.to_str()) {
                None => {}
                Some(Ok(value)) => known.check(value, refused),
                Some(Err(_)) => refused.push(Refused::rule(&known.name, "not_text", "")),
            }
            if values.next().is_some() {
                refused.push(Refused::rule(&known.name, "twice", ""));
            }
        }
    }

    /// The JSON of a body that is allowed; none of one that is not JSON or not wanted.
    fn check_body(&self, headers: &HeaderMap, bytes: &Bytes) -> Result<Option<Value>, Problem> {
        if self.bodies.is_empty() {
            return Ok(None);
        }
        if bytes.is_empty() && !self.needs_body {
            return Ok(Some(json!({})));
        }
        let media = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .map(|value| value.split(';').next().unwrap_or_default().trim())
            .map(str::to_ascii_lowercase);
        let known = self
            .bodies
            .iter()
            .find(|(known, _)| Some(known) == media.as_ref());
        let Some((_, validator)) = known else {
            let expected: Vec<_> = self
                .bodies
                .iter()
                .map(|(media, _)| media.as_str())
                .collect();
            return Err(
                Problem::new("content_type_unsupported").with("expected", expected.join(" / "))
            );
        };
        let Some(validator) = validator else {
            return Ok(None);
        };
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|error| Problem::new("json_malformed").with("reason", error))?;
        let errors = validator.iter_errors(&value);
        let rules = errors.flat_map(|error| rules::broken(&error));
        let refused: Vec<_> = rules.take(LISTED).map(Refused::from).collect();
        if refused.is_empty() {
            Ok(Some(value))
        } else {
            Err(Problem::refused(refused))
        }
    }
}

impl Parameter {
    fn new(parameter: &Value, components: &Value) -> Result<Parameter, String> {
        let schema = &parameter["schema"];
        let is = |name: &str| match &schema["type"] {
            Value::String(one) => one == name,
            Value::Array(several) => several.iter().any(|one| one == name),
            _ => false,
        };
        Ok(Parameter {
            name: parameter["name"].as_str().unwrap_or_default().to_owned(),
            required: parameter["required"] == true,
            kind: if is("integer") {
                Kind::Integer
            } else if is("boolean") {
                Kind::Boolean
            } else {
                Kind::Text
            },
            validator: validator(schema, components)?,
        })
    }

    fn check(&self, text: &str, refused: &mut Vec<Refused>) {
        let value = match self.kind {
            Kind::Text => None,
            Kind::Integer => text.parse::<i64>().ok().map(Value::from),
            Kind::Boolean => text.parse::<bool>().ok().map(Value::from),
        };
        let value = value.unwrap_or_else(|| Value::from(text));
        let errors = self.validator.iter_errors(&value);
        let rules = errors.flat_map(|error| rules::broken(&error));
        refused.extend(rules.map(|rule| Refused::rule(&self.name, rule.code, rule.expected)));
    }
}

fn validator(schema: &Value, components: &Value) -> Result<Validator, String> {
    let root = json!({ "allOf": [schema], "components": components });
    jsonschema::options()
        .offline()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .with_pattern_options(PatternOptions::regex())
        .build(&root)
        .map_err(|error| error.to_string())
}

/// Lets only requests through that are as the description says, with their bodies read.
pub async fn check(State(checks): State<Arc<Checks>>, request: Request, next: Next) -> Response {
    match checked(&checks, request).await {
        Ok(request) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn checked(checks: &Checks, request: Request) -> Result<Request, Problem> {
    let (mut parts, body) = request.into_parts();
    let route = parts.extensions.get::<MatchedPath>().cloned();
    let operation =
        (route.as_ref()).and_then(|route| checks.operation(route.as_str(), &parts.method));
    // An address or a method that is not there is refused behind this.
    let Some(operation) = operation else {
        return Ok(Request::from_parts(parts, body));
    };
    let mut refused = Vec::new();
    match RawPathParams::from_request_parts(&mut parts, &()).await {
        Ok(given) => {
            for (name, value) in &given {
                if let Some(known) = operation.path.iter().find(|known| known.name == name) {
                    known.check(value, &mut refused);
                }
            }
        }
        Err(_) => refused.push(Refused::rule("path", "not_text", "")),
    }
    operation.check_query(parts.uri.query().unwrap_or_default(), &mut refused);
    operation.check_headers(&parts.headers, &mut refused);
    if !refused.is_empty() {
        return Err(Problem::refused(refused));
    }
    if !operation.writes {
        return Ok(Request::from_parts(parts, Body::empty()));
    }
    let bytes = read(&parts.headers, body, operation.most()).await?;
    if let Some(value) = operation.check_body(&parts.headers, &bytes)? {
        parts.extensions.insert(CheckedJson(Arc::new(value)));
    }
    parts.extensions.insert(bytes.clone());
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

async fn read(headers: &HeaderMap, mut body: Body, most: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::new("body_too_large").with("most", most);
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > most as u64) {
        // Who still writes does not read the answer, so some of it is taken and thrown away.
        let mut left = THROWN_AWAY;
        while left > 0
            && let Some(Ok(frame)) = body.frame().await
        {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        }
        return Err(too_large());
    }
    to_bytes(body, most).await.map_err(|error| {
        let cause = error.into_inner();
        if cause.is::<http_body_util::LengthLimitError>() {
            too_large()
        } else {
            Problem::new("body_unreadable")
        }
    })
}
