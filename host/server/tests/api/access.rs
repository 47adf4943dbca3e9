//! Tokens, scopes and tenants.

use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tenon::control::tokens::{NewToken, Scope};

use super::description::operations;
use super::support::{Server, holds};

#[test]
fn no_operation_answers_without_a_good_token() {
    let server = Server::new();
    let stranger = format!("tnn_{}", "A".repeat(43));
    for (method, path) in operations(&server) {
        let answer = server.anonymous(&method, &path).send();
        answer.problem(401, "token_missing");
        assert_eq!(
            Some(r#"Bearer realm="tenon""#),
            answer.header("www-authenticate")
        );
        for token in [stranger.as_str(), "tnn_short", "", "tnn_%%%"] {
            let answer = server.ask_as(token, &method, &path).send();
            answer.problem(401, "token_invalid");
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.contains("invalid_token"), "{challenge}");
        }
    }
}

#[test]
fn to_a_token_of_one_tenant_the_others_are_not_there() {
    let server = Server::new();
    server.make_tenant("shop");
    server.make_tenant("other");
    let token = server.token(Some("shop"), &[Scope::Read, Scope::Operate, Scope::Manage]);
    server
        .ask_as(&token, "GET", "/v1/tenants/shop")
        .send()
        .expect(200);
    let mut seen = 0;
    for (method, path) in operations(&server) {
        let Some(rest) = path.strip_prefix("/v1/tenants/shop") else {
            continue;
        };
        if method != "GET" {
            continue;
        }
        // As if it were not there at all.
        let other = format!("/v1/tenants/other{rest}");
        let missing = format!("/v1/tenants/missing{rest}");
        let other = server.ask_as(&token, &method, &other).send();
        let missing = server.ask_as(&token, &method, &missing).send();
        other.problem(404, "not_found");
        assert_eq!(missing.text.replace("missing", "other"), other.text);
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
    for path in ["/v1/tenants", "/v1/connections", "/v1/tokens", "/v1/audit"] {
        let answer = server.ask_as(&token, "GET", path).send();
        answer.problem(403, "scope_missing");
    }
    let write = server.ask_as(&token, "DELETE", "/v1/tenants/other").send();
    write.problem(404, "not_found");
    server.get("/v1/tenants/other");
}

#[test]
fn each_operation_needs_its_scope() {
    let server = Server::new();
    server.make_tenant("shop");
    server.install("keycrm");
    let connection = json!({ "id": "crm", "connector": "keycrm" });
    let connections = "/v1/tenants/shop/connections";
    server.post(connections, &connection).expect(201);
    let crm = format!("{connections}/crm");
    let cases = [
        ("GET", crm.clone(), None, Scope::Read),
        ("GET", "/v1/connectors".to_owned(), None, Scope::Read),
        ("POST", format!("{crm}/enable"), None, Scope::Operate),
        ("POST", format!("{crm}/stop"), None, Scope::Operate),
        (
            "POST",
            format!("{crm}/requests/retry"),
            None,
            Scope::Operate,
        ),
        (
            "POST",
            format!("{crm}/jobs/orders/run"),
            Some(json!({})),
            Scope::Operate,
        ),
        (
            "POST",
            "/v1/tenants/shop/events".to_owned(),
            Some(json!({ "type": "changed", "records": [{ "kind": "order", "key": "1" }] })),
            Scope::Operate,
        ),
        (
            "POST",
            "/v1/tenants/shop/records/partners".to_owned(),
            Some(json!([{ "key": "b", "name": "Buyer" }])),
            Scope::Manage,
        ),
        ("POST", format!("{crm}/check"), None, Scope::Manage),
        ("POST", format!("{crm}/rollback"), None, Scope::Manage),
        (
            "PUT",
            format!("{crm}/schedules"),
            Some(json!({})),
            Scope::Manage,
        ),
        (
            "PATCH",
            crm.clone(),
            Some(json!({ "title": "x" })),
            Scope::Manage,
        ),
        (
            "PUT",
            format!("{crm}/credentials/api_key"),
            Some(json!({ "secret": "x" })),
            Scope::Manage,
        ),
        ("GET", "/v1/tenants".to_owned(), None, Scope::Read),
        ("GET", "/v1/connections".to_owned(), None, Scope::Read),
        ("GET", "/v1/audit".to_owned(), None, Scope::Platform),
        (
            "PUT",
            "/v1/connectors/keycrm/hosts".to_owned(),
            Some(json!({ "hosts": null })),
            Scope::Platform,
        ),
        (
            "PATCH",
            "/v1/tenants/shop".to_owned(),
            Some(json!({ "name": "x" })),
            Scope::Platform,
        ),
    ];
    for (method, path, body, scope) in cases {
        let ask = |token: &str| {
            let asking = server.ask_as(token, method, &path);
            match &body {
                Some(body) => asking.json(body).send(),
                None => asking.send(),
            }
        };
        for given in Scope::ALL {
            let answer = ask(&server.token(None, &[given]));
            if given < scope {
                let refused = answer.problem(403, "scope_missing");
                assert!(
                    refused["detail"].as_str().unwrap().contains(scope.name()),
                    "{refused}"
                );
            } else {
                assert!(
                    ![401, 403, 404].contains(&answer.status),
                    "{path}: {}",
                    answer.text
                );
            }
        }
    }
}

#[test]
fn a_scope_includes_those_before_it() {
    let server = Server::new();
    server.make_tenant("shop");
    let scopes = |scope| {
        let token = server.token(Some("shop"), &[scope]);
        server.ask_as(&token, "GET", "/v1/me").send().expect(200)["scopes"].clone()
    };
    assert_eq!(json!(["read"]), scopes(Scope::Read));
    assert_eq!(json!(["read", "operate"]), scopes(Scope::Operate));
    assert_eq!(json!(["read", "operate", "manage"]), scopes(Scope::Manage));
}

#[test]
fn the_last_token_of_the_platform_cannot_be_revoked() {
    let server = Server::new();
    server.make_tenant("shop");
    let tokens = server.get("/v1/tokens");
    let own = tokens["items"][0]["id"].as_str().expect("a token");
    let revoke = |id: &str| {
        let path = format!("/v1/tokens/{id}");
        server.ask("DELETE", &path).send()
    };
    // Those of tenants, with less, and from the past make no other one.
    server.token(Some("shop"), &[Scope::Manage]);
    server.token(None, &[Scope::Manage]);
    server.issue(NewToken {
        expires_at: Some(Timestamp::UNIX_EPOCH),
        ..NewToken::platform("past")
    });
    revoke(own).problem(409, "last_platform_token");
    // One that ends takes the place of none that does not, and can go itself.
    server.issue(NewToken {
        expires_at: Some(Timestamp::now() + SignedDuration::from_hours(24)),
        ..NewToken::platform("ends")
    });
    revoke(own).problem(409, "last_platform_token");
    let tokens = server.get("/v1/tokens");
    let mut all = tokens["items"].as_array().expect("tokens").iter();
    let ends = all.find(|token| token["name"] == "ends").expect("one");
    revoke(ends["id"].as_str().expect("an id")).expect(204);
    server.get("/v1/me");
    server.issue(NewToken::platform("other"));
    revoke(own).expect(204);
}

#[test]
fn a_token_that_asks_without_end_is_told_when_to_go_on_and_others_are_answered() {
    let server = Server::with(|options| options.requests_per_token = NonZeroU32::MIN);
    let greedy = server.token(None, &[Scope::Read]);
    let mut refused = None;
    for _ in 0..100 {
        let answer = server.ask_as(&greedy, "GET", "/v1/me").send();
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("an end");
    refused.problem(429, "too_many_requests");
    assert_eq!(Some("1"), refused.header("retry-after"));
    server.get("/v1/me");
}

#[test]
fn a_token_is_made_used_and_withdrawn() {
    let server = Server::new();
    server.make_tenant("shop");
    let new = json!({ "name": "till", "tenant": "shop", "scopes": ["read", "operate", "read"] });
    let made = server.post("/v1/tokens", &new).expect(201);
    assert_eq!(json!(["read", "operate"]), made["scopes"]);
    assert!(made["last_used_at"].is_null());
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("tnn_") && secret.len() == 47, "{secret}");

    let me = server.ask_as(secret, "GET", "/v1/me").send().expect(200);
    let expected = json!({ "name": "till", "tenant": "shop", "scopes": ["read", "operate"] });
    assert_eq!(expected, me);
    let listed = server.get("/v1/tokens");
    let till = listed["items"].as_array().unwrap().last().unwrap();
    assert!(till["last_used_at"].is_string() && till.get("secret").is_none());

    let path = format!("/v1/tokens/{}", made["id"].as_str().unwrap());
    server.ask("DELETE", &path).send().expect(204);
    server.ask("DELETE", &path).send().problem(404, "not_found");
    let gone = server.ask_as(secret, "GET", "/v1/me").send();
    gone.problem(401, "token_invalid");

    let kept = server.kept();
    assert!(holds(&kept, made["id"].as_str().unwrap()));
    assert!(!holds(&kept, secret), "the token is on disk");
}

#[test]
fn a_token_ends_when_it_is_due() {
    let server = Server::new();
    let token = |seconds| {
        server.issue(NewToken {
            expires_at: Some(Timestamp::now() + SignedDuration::from_secs(seconds)),
            ..NewToken::platform("brief")
        })
    };
    server
        .ask_as(&token(600), "GET", "/v1/me")
        .send()
        .expect(200);
    let ended = server.ask_as(&token(-1), "GET", "/v1/me").send();
    ended.problem(401, "token_invalid");
}

#[test]
fn a_token_of_a_tenant_cannot_be_one_of_the_platform() {
    let server = Server::new();
    server.make_tenant("shop");
    let refused = server.post(
        "/v1/tokens",
        &json!({ "name": "x", "tenant": "shop", "scopes": ["platform"] }),
    );
    assert_eq!(
        "/scopes",
        refused.problem(422, "invalid")["errors"][0]["path"]
    );
    let refused = server.post(
        "/v1/tokens",
        &json!({ "name": "x", "tenant": "nobody", "scopes": ["read"] }),
    );
    assert_eq!(
        "/tenant",
        refused.problem(422, "invalid")["errors"][0]["path"]
    );
}
