//! A connection from its component to its settings, with the real KeyCRM connector.

use serde_json::{Value, json};
use tenon::control::tokens::Scope;
use tenon_simulators::registry::{self, Access, Config, Login, WASM};

use super::support::{Server, component, hostile};

const CRM: &str = "/v1/tenants/shop/connections/crm";
const SECRET: &str = "correct-horse-battery-staple";

fn with_connection() -> Server {
    let server = Server::new();
    server.make_tenant("shop");
    server.install("keycrm");
    let new = json!({ "id": "crm", "connector": "keycrm", "grants": ["http://127.0.0.1:1"] });
    server
        .post("/v1/tenants/shop/connections", &new)
        .expect(201);
    server
}

fn put_settings(server: &Server, tag: &str, settings: &Value) -> super::support::Answer {
    let asking = server.ask("PUT", &format!("{CRM}/settings"));
    asking.header("if-match", tag).json(settings).send()
}

#[test]
fn an_installed_component_is_listed_with_what_it_says_about_itself() {
    let server = Server::new();
    let digest = server.install("keycrm");
    assert_eq!(digest, server.install("keycrm"));
    let version = server.get(&format!("/v1/versions/{digest}"));
    assert_eq!("keycrm", version["connector"]);
    assert_eq!("keycrm", version["manifest"]["name"]);
    assert!(version["size"].as_u64().unwrap() > 100_000);
    let connectors = server.get("/v1/connectors");
    let keycrm = &connectors["items"][0];
    assert_eq!(json!(digest), keycrm["current"]);
    assert!(keycrm["title"]["uk"].is_string());
    assert_eq!(
        1,
        server.get("/v1/versions")["items"]
            .as_array()
            .unwrap()
            .len()
    );

    let asking = server.ask("POST", "/v1/versions");
    let broken = asking.body("application/wasm", b"not wasm".to_vec()).send();
    broken.problem(422, "bad_component");
    let mistyped = hostile("mistype_settings");
    let asking = server.ask("POST", "/v1/versions");
    let refused = asking.body("application/wasm", mistyped).send();
    let problem = refused.problem(422, "bad_component");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("settings_schema.properties.warehouse.x-directory: "),
        "{detail}"
    );
    let missing = server.post("/v1/versions", &json!({ "source": "/nowhere/at/all.wasm" }));
    assert_eq!(
        "/source",
        missing.problem(422, "invalid")["errors"][0]["path"]
    );
}

#[test]
fn a_component_is_pulled_with_the_login_that_the_operators_gave() {
    let access = Access::Basic(Login {
        user: "ci".to_owned(),
        password: "s3cret".to_owned(),
    });
    let config = Config {
        access,
        ..Config::default()
    };
    let registry = registry::start(config).unwrap();
    let wasm = component("keycrm");
    registry.account(|registry| registry.push("ns/keycrm", "1", &[(WASM, wasm.as_slice())]));
    let address = registry.address().to_string();
    let source = json!({ "source": format!("oci://{address}/ns/keycrm:1") });

    let server = Server::with(|options| options.plain_registries.push(address.clone()));
    let refused = server.post("/v1/versions", &source);
    let problem = refused.problem(422, "invalid");
    let reason = problem["errors"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("--registry-logins"), "{reason}");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    let login = json!({ "username": "ci", "password": "s3cret" });
    let logins = json!({ "auths": { address.as_str(): login } });
    std::fs::write(&file, logins.to_string()).unwrap();
    let server = Server::with(|options| {
        options.plain_registries.push(address);
        options.registry_logins = Some(file);
    });
    let version = server.post("/v1/versions", &source).expect(201);
    assert_eq!("keycrm", version["connector"]);
}

#[test]
fn a_version_that_connections_run_stays() {
    let server = with_connection();
    let digest = server.get("/v1/connectors")["items"][0]["current"].clone();
    let path = format!("/v1/versions/{}", digest.as_str().unwrap());
    server
        .ask("DELETE", &path)
        .send()
        .problem(409, "version_in_use");
    server.ask("DELETE", CRM).send().expect(204);
    server.ask("DELETE", &path).send().expect(204);
    server.ask("GET", &path).send().problem(404, "not_found");
}

#[test]
fn a_new_connection_is_off_and_says_what_it_lacks() {
    let server = with_connection();
    let crm = server.get(CRM);
    assert_eq!("off", crm["state"]);
    assert_eq!(json!([["api_key"]]), crm["missing_credentials"]);
    assert_eq!(json!(["http://127.0.0.1:1"]), crm["grants"]);
    for none in [
        "previous",
        "trial",
        "paused_reason",
        "enabled_at",
        "window",
        "running",
        "last_run",
    ] {
        assert!(crm[none].is_null(), "{none}: {crm}");
    }
    let listed = server.get("/v1/tenants/shop/connections");
    assert_eq!(crm, listed["items"][0]);
    let again = json!({ "id": "crm", "connector": "keycrm" });
    server
        .post("/v1/tenants/shop/connections", &again)
        .problem(409, "exists");
    let unknown = json!({ "id": "x", "connector": "nothing" });
    server
        .post("/v1/tenants/shop/connections", &unknown)
        .problem(404, "not_found");
}

#[test]
fn connections_of_all_tenants_are_found_by_name_state_connector_and_version() {
    let server = with_connection();
    server.make_tenant("other");
    let digest = server.install("keycrm");
    let new = json!({ "id": "site", "connector": "keycrm", "title": "Сайт «Їжак»" });
    server
        .post("/v1/tenants/other/connections", &new)
        .expect(201);
    let found = |query: &str| -> (Vec<String>, Option<String>) {
        let page = server.get(&format!("/v1/connections?{query}"));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let items = page["items"].as_array().unwrap().iter();
        let names = items.map(|one| format!("{}/{}", text(&one["tenant"]), text(&one["id"])));
        (names.collect(), page["next"].as_str().map(str::to_owned))
    };
    let all = |query: &str| {
        let (names, next) = found(query);
        assert_eq!(None, next, "{query}");
        names
    };
    let both = vec!["other/site", "shop/crm"];
    assert_eq!(both, all(""));
    // `їжак`
    assert_eq!(vec!["other/site"], all("q=%D1%97%D0%B6%D0%B0%D0%BA"));
    assert_eq!(vec!["shop/crm"], all("q=SHOP"));
    assert_eq!(both, all("q=keycrm&state=off"));
    assert!(all("state=paused").is_empty());
    assert_eq!(both, all(&format!("digest={digest}&connector=keycrm")));
    assert!(all("connector=moysklad").is_empty());
    let (first, next) = found("limit=1");
    assert_eq!(vec!["other/site"], first);
    let rest = all(&format!("limit=1&after={}", next.unwrap()));
    assert_eq!(vec!["shop/crm"], rest);

    let of_shop = |query: &str| {
        let page = server.get(&format!("/v1/tenants/shop/connections?{query}"));
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(1, of_shop("q=KEY&state=off"));
    assert_eq!(0, of_shop("q=shop"));
    assert_eq!(0, of_shop("state=on"));
}

#[test]
fn what_the_host_allows_beyond_the_defaults_is_for_the_platform_to_say() {
    let server = with_connection();
    let scopes = [Scope::Read, Scope::Operate, Scope::Manage];
    let token = server.token(Some("shop"), &scopes);
    let connections = "/v1/tenants/shop/connections";
    for (member, value) in [
        ("grants", json!(["http://127.0.0.1:2"])),
        ("no_budget", json!(true)),
        ("limits", json!({ "timers": 7 })),
    ] {
        let mut change = json!({ "title": "x" });
        change[member] = value.clone();
        let mut new = json!({ "id": "new", "connector": "keycrm" });
        new[member] = value.clone();
        for (method, path, body) in [("PATCH", CRM, &change), ("POST", connections, &new)] {
            let refused = server.ask_as(&token, method, path).json(body).send();
            let problem = refused.problem(403, "scope_missing");
            let error = &problem["errors"][0];
            assert_eq!(format!("/{member}"), error["path"].as_str().unwrap());
            assert!(error["reason"].as_str().unwrap().contains("platform"));
        }
        assert_eq!("keycrm", server.get(CRM)["title"]);
        let changed = server.ask("PATCH", CRM).json(&change).send().expect(200);
        assert_eq!(value, changed[member]);
        let back = server.ask("PATCH", CRM).json(&json!({ "title": "keycrm" }));
        back.send().expect(200);
    }
    let plain = json!({ "id": "new", "connector": "keycrm" });
    let made = server.ask_as(&token, "POST", connections).json(&plain);
    made.send().expect(201);
}

#[test]
fn settings_are_replaced_by_who_saw_the_present_ones() {
    let server = with_connection();
    let path = format!("{CRM}/settings");
    let read = server.ask("GET", &path).send();
    assert_eq!(json!({}), read.expect(200));
    let tag = read.header("etag").unwrap().to_owned();
    assert_eq!("\"1\"", tag);
    let settings = json!({ "last_days": 7 });
    let blind = server.ask("PUT", &path).json(&settings).send();
    blind.problem(428, "etag_missing");
    let put = put_settings(&server, &tag, &settings);
    assert_eq!(settings, put.expect(200));
    assert_eq!(Some("\"2\""), put.header("etag"));
    let late = put_settings(&server, &tag, &json!({ "last_days": 8 }));
    late.problem(412, "etag_mismatch");
    put_settings(&server, "nonsense", &settings).problem(412, "etag_mismatch");
    assert_eq!(settings, server.get(&path));
    // As a proxy that compresses leaves it.
    put_settings(&server, "W/\"2\"", &settings).expect(200);
}

#[test]
fn replacing_settings_reads_the_connection_once() {
    let server = with_connection();
    put_settings(&server, "\"1\"", &json!({ "last_days": 7 })).expect(200);
    let before = server.uses();
    put_settings(&server, "\"2\"", &json!({ "last_days": 8 })).expect(200);
    let after = server.uses();
    // Who asks, and the connection. The write sees whether it still is what was read.
    assert_eq!(2, after.reads - before.reads);
    assert_eq!(1, after.writes - before.writes);
}

#[test]
fn settings_that_break_the_schema_are_refused_with_their_places() {
    let server = with_connection();
    let settings = json!({ "last_days": "seven", "color": "red" });
    let problem = put_settings(&server, "\"1\"", &settings).problem(422, "settings_invalid");
    let places: Vec<_> = (problem["errors"].as_array().unwrap().iter())
        .map(|error| error["path"].as_str().unwrap())
        .collect();
    assert!(places.contains(&"/last_days"), "{problem}");
    assert!(places.contains(&"/color"), "{problem}");
    assert_eq!(json!({}), server.get(&format!("{CRM}/settings")));

    let asking = server.ask("PUT", &format!("{CRM}/settings"));
    let asking = asking.header("accept-language", "uk");
    let asking = asking.header("if-match", "\"1\"");
    let problem = asking.json(&json!({ "last_days": 0 })).send();
    let problem = problem.problem(422, "settings_invalid");
    assert_eq!(
        json!([{
            "path": "/last_days", "code": "too_small", "expected": "1", "reason": "менше за 1",
        }]),
        problem["errors"]
    );
}

#[test]
fn a_pattern_and_a_type_are_for_programs_and_people_are_told_in_words() {
    let server = with_connection();
    for (settings, code, words) in [
        (json!({ "base_url": "ftp://crm" }), "pattern", "https://"),
        (json!({ "last_days": "seven" }), "type", "a whole number"),
        (json!({ "currency": "uah" }), "pattern", "such as UAH"),
    ] {
        let problem = put_settings(&server, "\"1\"", &settings).problem(422, "settings_invalid");
        let mut errors = problem["errors"].as_array().expect("errors").iter();
        let error = errors.find(|error| error["code"] == code);
        let error = error.expect("the rule");
        let expected = error["expected"].as_str().expect("what is expected");
        let reason = error["reason"].as_str().expect("a reason");
        assert!(reason.contains(words), "{problem}");
        assert!(!reason.contains(expected), "{problem}");
    }
}

#[test]
fn a_credential_goes_in_and_never_comes_out() {
    let server = with_connection();
    let path = format!("{CRM}/credentials/api_key");
    let secret = json!({ "secret": SECRET });
    server.ask("PUT", &path).json(&secret).send().expect(204);
    let unknown = server.ask("PUT", &format!("{CRM}/credentials/password"));
    unknown.json(&secret).send().problem(404, "not_found");
    let two_lines = server
        .ask("PUT", &path)
        .json(&json!({ "secret": "a\nb" }))
        .send();
    two_lines.problem(422, "invalid");

    let listed = server.get(&format!("{CRM}/credentials"));
    assert_eq!("api_key", listed["items"][0]["name"]);
    assert_eq!(json!([]), server.get(CRM)["missing_credentials"]);
    for (method, path) in super::description::operations(&server) {
        if method == "GET" {
            let answer = server.ask(&method, &path).send();
            assert!(!answer.text.contains(SECRET), "{path}");
        }
    }
    server.ask("DELETE", &path).send().expect(204);
    server.ask("DELETE", &path).send().problem(404, "not_found");
}

#[test]
fn a_check_says_why_the_counterpart_is_not_reached() {
    let server = with_connection();
    let settings = json!({ "last_days": 7, "base_url": "http://127.0.0.1:1/v1" });
    put_settings(&server, "\"1\"", &settings).expect(200);
    let check = format!("{CRM}/check");
    server
        .ask("POST", &check)
        .send()
        .problem(422, "credential_missing");
    let key = server.ask("PUT", &format!("{CRM}/credentials/api_key"));
    key.json(&json!({ "secret": SECRET })).send().expect(204);
    let problem = server
        .ask("POST", &check)
        .send()
        .problem(422, "unavailable");
    assert!(!problem["detail"].as_str().unwrap().is_empty());
    assert!(!problem.to_string().contains(SECRET));
}

#[test]
fn schedules_are_the_manifests_own_until_an_admin_gives_others() {
    let server = with_connection();
    let path = format!("{CRM}/schedules");
    let own = server.get(&path);
    let orders = own["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["job"] == "orders");
    let orders = orders.unwrap();
    assert_eq!(orders["cron"], orders["default_cron"]);
    assert!(orders["next_at"].is_null());
    let put = |body: &Value| server.ask("PUT", &path).json(body).send();
    let given = put(&json!({ "orders": "*/7 * * * *" })).expect(200);
    let orders = given["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["job"] == "orders");
    assert_eq!("*/7 * * * *", orders.unwrap()["cron"]);
    let bad = put(&json!({ "orders": "often" })).problem(422, "invalid");
    assert_eq!("/orders", bad["errors"][0]["path"]);
    put(&json!({ "unicorns": null })).problem(422, "invalid");
    let only_asked = put(&json!({ "orders": null })).expect(200);
    assert!(only_asked.to_string().contains(r#""cron":null"#));
}

#[test]
fn hours_of_exchange_are_set_and_lifted() {
    let server = with_connection();
    let patch = |body: &Value| server.ask("PATCH", CRM).json(body).send();
    let hours = json!({ "from": "22:00", "to": "06:30" });
    let crm = patch(&json!({ "window": hours })).expect(200);
    assert_eq!(hours, crm["window"]);
    let titled = patch(&json!({ "title": "Магазин" })).expect(200);
    assert_eq!(hours, titled["window"]);
    assert_eq!("Магазин", titled["title"]);
    assert!(patch(&json!({ "window": null })).expect(200)["window"].is_null());
    let bad = patch(&json!({ "window": { "from": "24:00", "to": "06:30" } }));
    let problem = bad.problem(400, "request_invalid");
    assert_eq!("/window/from", problem["errors"][0]["path"]);
    let limits = patch(&json!({ "limits": { "memmory": 1 } })).problem(422, "invalid");
    assert_eq!("/limits", limits["errors"][0]["path"]);
    let grants = patch(&json!({ "grants": ["not an origin"] })).problem(422, "invalid");
    assert_eq!("/grants", grants["errors"][0]["path"]);
}

#[test]
fn what_only_a_running_connection_can_do_is_refused_while_it_is_off() {
    let server = with_connection();
    let post = |path: &str, body: &Value| server.post(&format!("{CRM}{path}"), body);
    post("/jobs/unicorns/run", &json!({})).problem(404, "not_found");
    post("/jobs/orders/run", &json!({})).problem(409, "connection_not_on");
    post("/failed/retry", &json!({ "all": true })).problem(409, "connection_not_on");
    post("/failed/retry", &json!({ "all": false })).problem(422, "invalid");
    post("/failed/retry", &json!({})).problem(400, "request_invalid");
    let none = server
        .ask("POST", &format!("{CRM}/stop"))
        .send()
        .expect(200);
    assert_eq!(json!({ "stopping": false }), none);
    let retried = server.ask("POST", &format!("{CRM}/requests/retry")).send();
    assert_eq!(json!({ "retried": 0 }), retried.expect(200));
    server
        .ask("POST", &format!("{CRM}/rollback"))
        .send()
        .problem(409, "no_previous_version");
    let event = json!({ "type": "changed", "records": [{ "kind": "order", "key": "1" }] });
    let told = server.post("/v1/tenants/shop/events", &event).expect(202);
    assert_eq!(json!({ "requests": 0 }), told);
}

#[test]
fn bindings_are_paired_found_and_parted() {
    let server = with_connection();
    let path = format!("{CRM}/bindings");
    let pair = json!({ "kind": "order", "key": "17", "origin": "keycrm:order:123" });
    server.ask("PUT", &path).json(&pair).send().expect(204);
    let found = server.get(&format!("{path}?kind=order&q=123"));
    assert_eq!(json!([pair]), found["items"]);
    assert_eq!(json!([]), server.get(&format!("{path}?q=nothing"))["items"]);
    let parted = format!("{path}?kind=order&origin=keycrm:order:123");
    server.ask("DELETE", &parted).send().expect(204);
    assert_eq!(json!([]), server.get(&path)["items"]);
}
