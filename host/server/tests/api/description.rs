//! `/openapi.json`, and what it promises about every operation.

use serde_json::Value;

use super::support::Server;

/// All operations of the description, with names that fit in their paths.
pub fn operations(server: &Server) -> Vec<(String, String)> {
    let description = server.anonymous("GET", "/openapi.json").send().expect(200);
    let mut operations = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        let path = path
            .replace("{tenant}", "shop")
            .replace("{connection}", "crm")
            .replace("{digest}", &"0".repeat(64))
            .replace("{run}", "00000000-0000-7000-8000-000000000000")
            .replace("{token}", "00000000-0000-7000-8000-000000000000")
            .replace("{request}", "1")
            .replace("{kind}", "orders")
            .replace(['{', '}'], "");
        for method in item.as_object().unwrap().keys() {
            operations.push((method.to_uppercase(), path.clone()));
        }
    }
    assert!(operations.len() > 50, "{operations:?}");
    operations
}

#[test]
fn it_is_openapi_3_1_and_complete() {
    let server = Server::new();
    let description = server.anonymous("GET", "/openapi.json").send().expect(200);
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!("/", description["servers"][0]["url"]);
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{name} has no summary");
            assert_eq!(
                "token",
                operation["security"][0]
                    .as_object()
                    .unwrap()
                    .keys()
                    .next()
                    .unwrap()
            );
            let responses = operation["responses"].as_object().unwrap();
            assert!(
                responses.keys().any(|status| status.starts_with('2')),
                "{name}"
            );
            for (status, response) in responses
                .iter()
                .filter(|(status, _)| status.starts_with('4'))
            {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!("#/components/schemas/Problem", schema, "{name} {status}");
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                limited(
                    &parameter["schema"],
                    &format!("{name}: {}", parameter["name"]),
                );
            }
            let in_path = operation["parameters"].as_array().into_iter().flatten();
            let in_path = in_path
                .filter(|parameter| parameter["in"] == "path")
                .count();
            assert_eq!(path.matches('{').count(), in_path, "{name}");
        }
    }
    let schemas = description["components"]["schemas"].as_object().unwrap();
    let used = description["paths"].to_string();
    let bodies = schemas.iter().filter(|(name, schema)| {
        schema["additionalProperties"] == false && used.contains(&format!("schemas/{name}\""))
    });
    for (name, schema) in bodies {
        for (member, schema) in schema["properties"].as_object().unwrap() {
            limited(schema, &format!("{name}.{member}"));
        }
    }
}

/// Asserts that a text or a list that is sent has a limit.
fn limited(schema: &Value, name: &str) {
    let is = |wanted: &str| match &schema["type"] {
        Value::Array(types) => types.iter().any(|one| one == wanted),
        one => one == wanted,
    };
    if is("string") {
        let limit = ["maxLength", "pattern", "enum", "format"];
        assert!(
            limit.iter().any(|key| schema.get(key).is_some()),
            "{name}: {schema}"
        );
    }
    if is("array") {
        assert!(schema.get("maxItems").is_some(), "{name}: {schema}");
    }
}

#[test]
fn the_api_works_below_a_prefix() {
    let server = Server::below("/integrations/v1/tenon");
    let description = server.anonymous("GET", "/openapi.json").send().expect(200);
    assert_eq!("/integrations/v1/tenon", description["servers"][0]["url"]);
    server.make_tenant("shop");
    let refused = server.ask("GET", "/v1/tenants?color=red").send();
    assert_eq!(
        "color",
        refused.problem(400, "request_invalid")["errors"][0]["path"]
    );
    server
        .ask("GET", "/v1/nothing")
        .send()
        .problem(404, "no_such_path");
    server
        .anonymous("GET", "/v1/me")
        .send()
        .problem(401, "token_missing");
}
