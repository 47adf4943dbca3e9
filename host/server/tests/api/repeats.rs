//! Writes that are sent again with their `Idempotency-Key`.

use serde_json::{Value, json};

use super::support::{Answer, Server, holds};

fn send(server: &Server, key: &str, path: &str, body: &Value) -> Answer {
    let asking = server.ask("POST", path).header("idempotency-key", key);
    asking.json(body).send()
}

fn tenant(id: &str) -> Value {
    json!({ "id": id, "name": "Shop", "time_zone": "UTC", "language": "en", "currency": "UAH" })
}

#[test]
fn a_repeated_write_is_done_once_and_answered_the_same() {
    let server = Server::new();
    let first = send(&server, "k1", "/v1/tenants", &tenant("shop"));
    first.expect(201);
    assert_eq!(None, first.header("idempotency-replayed"));
    let again = send(&server, "k1", "/v1/tenants", &tenant("shop"));
    again.expect(201);
    assert_eq!(Some("true"), again.header("idempotency-replayed"));
    assert_eq!(first.text, again.text);
    assert_eq!(Some("application/json"), again.header("content-type"));
    // Without the key it is a second one.
    server
        .post("/v1/tenants", &tenant("shop"))
        .problem(409, "exists");

    let server = server.restarted();
    let later = send(&server, "k1", "/v1/tenants", &tenant("shop"));
    assert_eq!((201, &first.text), (later.status, &later.text));
}

#[test]
fn a_key_belongs_to_one_request_of_one_token() {
    let server = Server::new();
    send(&server, "k1", "/v1/tenants", &tenant("shop")).expect(201);
    let other_body = send(&server, "k1", "/v1/tenants", &tenant("shop-2"));
    other_body.problem(422, "idempotency_key_reused");
    let other_path = send(
        &server,
        "k1",
        "/v1/tokens",
        &json!({ "name": "x", "scopes": ["read"] }),
    );
    other_path.problem(422, "idempotency_key_reused");
    let stranger = server.issue(tenon::control::tokens::NewToken::platform("other"));
    let asking = server.ask_as(&stranger, "POST", "/v1/tenants");
    let theirs = asking
        .header("idempotency-key", "k1")
        .json(&tenant("shop-2"))
        .send();
    theirs.expect(201);
}

#[test]
fn a_write_that_was_refused_leaves_its_key_free() {
    let server = Server::new();
    let token = json!({ "name": "x", "tenant": "shop", "scopes": ["read"] });
    send(&server, "k1", "/v1/tokens", &token).problem(422, "invalid");
    server.make_tenant("shop");
    send(&server, "k1", "/v1/tokens", &token).expect(201);
}

#[test]
fn an_answer_with_a_secret_is_given_once() {
    let server = Server::new();
    let token = json!({ "name": "x", "scopes": ["read"] });
    let made = send(&server, "k1", "/v1/tokens", &token).expect(201);
    let again = send(&server, "k1", "/v1/tokens", &token);
    again.problem(409, "idempotency_answer_gone");
    let tokens = server.get("/v1/tokens");
    let named = tokens["items"].as_array().unwrap().iter();
    assert_eq!(1, named.filter(|token| token["name"] == "x").count());
    let kept = server.kept();
    assert!(holds(&kept, made["id"].as_str().unwrap()));
    assert!(!holds(&kept, made["secret"].as_str().unwrap()));
}

#[test]
fn of_writes_at_the_same_time_with_one_key_one_is_done() {
    let server = Server::new();
    let body = json!({ "name": "x", "scopes": ["read"] });
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| send(&server, "k1", "/v1/tokens", &body).status))
            .collect();
        senders
            .into_iter()
            .map(|sender| sender.join().unwrap())
            .collect()
    });
    assert_eq!(
        1,
        statuses.iter().filter(|status| **status == 201).count(),
        "{statuses:?}"
    );
    assert_eq!(
        7,
        statuses.iter().filter(|status| **status == 409).count(),
        "{statuses:?}"
    );
}

#[test]
fn a_key_that_cannot_be_one_is_refused() {
    let server = Server::new();
    let long = "k".repeat(201);
    for key in [long.as_str(), "with space"] {
        let refused = send(&server, key, "/v1/tenants", &tenant("shop"));
        let problem = refused.problem(400, "request_invalid");
        assert_eq!("idempotency-key", problem["errors"][0]["path"]);
    }
}
