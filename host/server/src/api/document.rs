//! The description of the API: generated from the handlers, then completed with what is the same for
//! all of them, so that no handler can forget it.

use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::problem::{PROBLEM_JSON, ProblemBody};
use super::texts::{self, Language, STATUSES};

/// The header by which a repeated write is known.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tenon",
        description = "Runs connectors for tenants. JSON in snake_case; instants are RFC 3339. Lists \
                       come in pages: `limit` entries, and `next` for the parameter `after` of the \
                       next page. Problems are `application/problem+json` with a stable `code`. Texts \
                       are in the language of `Accept-Language` (en, uk, ru), else in that of the \
                       tenant; beside them, `why` tells the same to programs. Writes take an \
                       `Idempotency-Key`: for 24 hours the same token with the same key gets the \
                       answer of the first request that was done, with `Idempotency-Replayed: true`. \
                       Answers that hold a secret are not kept: their repetition is answered with 409 \
                       `idempotency_answer_gone`."
    ),
    components(schemas(ProblemBody))
)]
struct Base;

/// What the description begins with.
pub fn base() -> utoipa::openapi::OpenApi {
    Base::openapi()
}

/// What is in the place of a word in braces in a path.
const PATH_PARAMETERS: &[(&str, &str, &str, u64)] = &[
    ("tenant", "A tenant.", NAME, 63),
    ("connection", "A connection of the tenant.", NAME, 63),
    ("connector", "A connector.", WORD, 63),
    ("job", "A job of the connector.", WORD, 63),
    ("action", "An action of the connector.", WORD, 63),
    ("credential", "A credential of the connector.", WORD, 63),
    (
        "option",
        "A choice that the settings schema names with `x-options`.",
        "^[^/]+$",
        200,
    ),
    (
        "digest",
        "SHA-256 of a component, in hex.",
        "^[0-9a-f]{64}$",
        64,
    ),
    ("run", "A run.", UUID, 36),
    ("token", "A token.", UUID, 36),
    ("request", "A request.", "^[1-9][0-9]{0,17}$", 18),
    ("webhook", "A webhook.", "^[1-9][0-9]{0,17}$", 18),
    ("question", "A question.", NAME, 63),
    ("kind", "A kind of record.", "^[a-z][a-z_-]*$", 63),
];

/// What names of tenants and connections look like.
pub const NAME: &str = "^[a-z0-9][a-z0-9._-]{0,62}$";
/// What names in a manifest look like.
pub const WORD: &str = "^[a-z0-9][a-z0-9_-]{0,62}$";
const UUID: &str = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";

/// Bodies that may be left out: an object without members is as good.
const OPTIONAL: &[&str] = &["#/components/schemas/RunJob"];

/// Completes the description.
pub fn complete(openapi: &utoipa::openapi::OpenApi) -> Value {
    // What comes out of a serializer of maps and texts is JSON.
    let mut document = serde_json::to_value(openapi).unwrap_or_default();
    document["components"]["securitySchemes"] = json!({
        "token": { "type": "http", "scheme": "bearer", "description": "`tnn_` and 43 characters." }
    });
    let schemas = document["components"]["schemas"].as_object_mut();
    for (_, schema) in schemas.into_iter().flatten() {
        close_variants(schema);
    }
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in paths {
        let methods = item.as_object_mut().into_iter().flatten();
        for (method, operation) in methods {
            if let Some(operation) = operation.as_object_mut() {
                complete_operation(path, method, operation);
            }
        }
    }
    document
}

/// Says that the variants of a tagged type have no members but their own, which serde holds to.
fn close_variants(schema: &mut Value) {
    let variants = schema.get_mut("oneOf").and_then(Value::as_array_mut);
    for variant in variants.into_iter().flatten() {
        if variant["properties"]["type"]["enum"].is_array() {
            variant["additionalProperties"] = json!(false);
        }
    }
}

fn complete_operation(path: &str, method: &str, operation: &mut Map<String, Value>) {
    operation.insert("security".to_owned(), json!([{ "token": [] }]));
    let writes = method != "get";
    let has_body = operation.contains_key("requestBody");
    if let Some(body) = operation.get_mut("requestBody") {
        let schema = body["content"]["application/json"]["schema"]["$ref"].as_str();
        body["required"] = schema
            .is_none_or(|schema| !OPTIONAL.contains(&schema))
            .into();
    }
    let parameters = operation
        .entry("parameters")
        .or_insert_with(|| json!([]))
        .as_array_mut();
    let mut is_list = false;
    if let Some(parameters) = parameters {
        is_list = parameters
            .iter()
            .any(|parameter| parameter["name"] == "after");
        let in_path = PATH_PARAMETERS
            .iter()
            .filter(|(name, ..)| path.contains(&format!("{{{name}}}")))
            .map(|(name, description, pattern, most)| {
                let schema = json!({ "type": "string", "pattern": pattern, "minLength": 1, "maxLength": most });
                json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema })
            });
        parameters.splice(0..0, in_path.collect::<Vec<_>>());
        if writes {
            parameters.push(json!({
                "name": IDEMPOTENCY_KEY,
                "in": "header",
                "required": false,
                "description": "Tells a repeated request from a new one, for 24 hours.",
                "schema": { "type": "string", "pattern": "^[!-~]{1,200}$", "minLength": 1, "maxLength": 200 },
            }));
        }
    }
    let mut statuses = vec![400, 401, 403, 429, 500];
    // What is held for maintenance is named by the query or the body.
    if path.contains('{') || (writes && path.ends_with("/maintenance")) {
        statuses.push(404);
    }
    if is_list {
        statuses.push(422);
    }
    if writes {
        statuses.extend([409, 413, 422]);
    }
    if has_body {
        statuses.push(415);
    }
    let responses = operation
        .entry("responses")
        .or_insert_with(|| json!({}))
        .as_object_mut();
    if let Some(responses) = responses {
        for status in &statuses {
            responses
                .entry(status.to_string())
                .or_insert_with(|| problem_response(*status));
        }
    }
}

/// The response of a status, with the codes that it may have.
fn problem_response(status: u16) -> Value {
    let codes: Vec<String> = STATUSES
        .iter()
        .filter(|(_, known)| known.as_u16() == status)
        .map(|(code, _)| format!("- `{code}`: {}", texts::title(code, Language::En)))
        .collect();
    json!({
        "description": codes.join("\n"),
        "content": { PROBLEM_JSON: { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

/// The description as it is served below a prefix.
pub fn below(document: &Value, prefix: &str) -> Value {
    let mut document = document.clone();
    let url = if prefix.is_empty() { "/" } else { prefix };
    document["servers"] = json!([{ "url": url }]);
    document
}
