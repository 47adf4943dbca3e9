//! What is wrong with a request is said with its place, in the language of the one who asks.

use serde_json::{Value, json};

use super::support::Server;

fn new_tenant(change: impl FnOnce(&mut Value)) -> Value {
    let mut body = json!({
        "id": "shop", "name": "Shop", "time_zone": "UTC", "language": "en", "currency": "UAH"
    });
    change(&mut body);
    body
}

#[test]
fn a_bad_body_is_refused_with_every_place() {
    let server = Server::new();
    let refused = |body: Value| {
        let problem = server
            .post("/v1/tenants", &body)
            .problem(400, "request_invalid");
        let errors = problem["errors"].as_array().unwrap().iter();
        errors
            .map(|error| {
                let text = |name: &str| error[name].as_str().unwrap().to_owned();
                assert!(!text("reason").is_empty());
                (text("path"), text("code"))
            })
            .collect::<Vec<_>>()
    };
    let one = |path: &str, code: &str| vec![(path.to_owned(), code.to_owned())];
    assert_eq!(
        one("/color", "unknown"),
        refused(new_tenant(|b| b["color"] = json!("red")))
    );
    assert_eq!(
        one("/id", "pattern"),
        refused(new_tenant(|b| b["id"] = json!("../x")))
    );
    assert_eq!(
        one("/name", "too_short"),
        refused(new_tenant(|b| b["name"] = json!("")))
    );
    assert_eq!(
        one("/name", "too_long"),
        refused(new_tenant(|b| b["name"] = json!("x".repeat(201))))
    );
    assert_eq!(
        one("/name", "type"),
        refused(new_tenant(|b| b["name"] = json!(7)))
    );
    assert_eq!(
        one("/language", "not_one_of"),
        refused(new_tenant(|b| b["language"] = json!("de")))
    );
    assert_eq!(one("", "type"), refused(json!([])));
    let missing = refused(json!({ "id": "shop", "name": "Shop" }));
    assert_eq!(
        [
            one("/currency", "required"),
            one("/language", "required"),
            one("/time_zone", "required")
        ]
        .concat(),
        {
            let mut missing = missing;
            missing.sort();
            missing
        }
    );
    assert_eq!(
        one("/currency", "pattern"),
        refused(new_tenant(|b| b["currency"] = json!("uah")))
    );
    let currency = server.post("/v1/tenants", &new_tenant(|b| b["currency"] = json!("RUR")));
    assert_eq!(
        "/currency",
        currency.problem(422, "invalid")["errors"][0]["path"]
    );
    let zone = server.post(
        "/v1/tenants",
        &new_tenant(|b| b["time_zone"] = json!("Europe/Odesa")),
    );
    assert_eq!(
        "/time_zone",
        zone.problem(422, "invalid")["errors"][0]["path"]
    );
    assert!(
        server.get("/v1/tenants")["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_token_that_has_expired_already_and_a_grant_that_opens_nothing_are_refused() {
    let server = Server::new();
    server.make_tenant("shop");
    server.install("keycrm");
    let path = |problem: Value| problem["errors"][0]["path"].clone();
    let token = json!({ "name": "old", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z" });
    let problem = server.post("/v1/tokens", &token).problem(422, "invalid");
    assert_eq!("/expires_at", path(problem));
    for metadata in [
        "http://169.254.169.254",
        "http://[fd00:ec2::254]",
        "https://168.63.129.16",
    ] {
        let connection = json!({ "id": "crm", "connector": "keycrm", "grants": [metadata] });
        let made = server.post("/v1/tenants/shop/connections", &connection);
        assert_eq!("/grants", path(made.problem(422, "invalid")), "{metadata}");
    }
    let limits = json!({ "id": "crm", "connector": "keycrm", "limits": { "memmory": 1 } });
    let made = server.post("/v1/tenants/shop/connections", &limits);
    let problem = made.problem(422, "invalid");
    let why = problem["errors"][0]["reason"].as_str().unwrap_or_default();
    assert!(
        why.contains("memmory") && why.contains("compute_ms"),
        "{problem}"
    );
}

#[test]
fn a_bad_parameter_is_refused_by_its_name() {
    let server = Server::new();
    for (query, name, code) in [
        ("limit=0", "limit", "too_small"),
        ("limit=501", "limit", "too_large"),
        ("limit=ten", "limit", "type"),
        ("limit=1&limit=2", "limit", "twice"),
        ("color=red", "color", "unknown"),
        ("after=", "after", "too_short"),
    ] {
        let answer = server.ask("GET", &format!("/v1/tenants?{query}")).send();
        let error = &answer.problem(400, "request_invalid")["errors"][0];
        assert_eq!(
            (name, code),
            (
                error["path"].as_str().unwrap(),
                error["code"].as_str().unwrap()
            )
        );
    }
    let cursor = server.ask("GET", "/v1/tenants?after=nonsense").send();
    assert_eq!(
        "cursor",
        cursor.problem(422, "invalid")["errors"][0]["code"]
    );
    for path in [
        "/v1/tenants/Shop",
        "/v1/tenants/%2e%2e",
        "/v1/tenants/%ff",
        "/v1/versions/x",
    ] {
        let answer = server.ask("GET", path).send();
        answer.problem(400, "request_invalid");
    }
}

#[test]
fn what_is_not_http_as_described_has_a_status_of_its_own() {
    let server = Server::new();
    let json = |body: &str| {
        server
            .ask("POST", "/v1/tenants")
            .body("application/json", body)
            .send()
    };
    json("{").problem(400, "json_malformed");
    json("").problem(400, "json_malformed");
    let text = server
        .ask("POST", "/v1/tenants")
        .body("text/plain", "{}")
        .send();
    text.problem(415, "content_type_unsupported");
    server
        .ask("POST", "/v1/tenants")
        .send()
        .problem(415, "content_type_unsupported");
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    json(&large).problem(413, "body_too_large");
    let method = server.ask("DELETE", "/v1/tenants").send();
    method.problem(405, "method_not_allowed");
    let mut allowed: Vec<_> = method.header("allow").unwrap().split(',').collect();
    allowed.sort_unstable();
    assert_eq!(vec!["GET", "HEAD", "POST"], allowed);
    let keyed = server.ask("TRACE", "/v1/tenants");
    let traced = keyed.header("idempotency-key", "k").send();
    traced.problem(405, "method_not_allowed");
    server
        .ask("GET", "/v1/nothing")
        .send()
        .problem(404, "no_such_path");
    let charset = server.ask("POST", "/v1/tenants");
    let body = new_tenant(|_| ()).to_string();
    charset
        .body("Application/JSON; charset=utf-8", body)
        .send()
        .expect(201);
}

#[test]
fn a_refusal_is_said_in_the_language_that_is_asked_for() {
    let server = Server::new();
    let said = |language: &str| {
        let asking = server.ask("GET", "/v1/tenants/nobody");
        let answer = asking.header("accept-language", language).send();
        let problem = answer.problem(404, "not_found");
        let language = answer.header("content-language").unwrap().to_owned();
        (language, problem["detail"].as_str().unwrap().to_owned())
    };
    let expected = |language: &str, text: &str| (language.to_owned(), text.to_owned());
    assert_eq!(expected("en", "There is no tenant `nobody`."), said("de"));
    assert_eq!(
        expected("uk", "Не знайдено: клієнт `nobody`."),
        said("uk-UA,en;q=0.5")
    );
    assert_eq!(expected("ru", "Не найдено: клиент `nobody`."), said("ru"));
    let reason = server
        .ask("GET", "/v1/tenants?limit=0")
        .header("accept-language", "uk")
        .send()
        .problem(400, "request_invalid");
    assert_eq!("менше за 1", reason["errors"][0]["reason"]);
}
