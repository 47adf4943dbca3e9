//! Keys stay where they belong: who may change settings does not thereby send a stored key elsewhere.

use std::net::TcpListener;

use serde_json::{Value, json};
use tenon::control::tokens::Scope;

use super::support::{Answer, Server};

const CRM: &str = "/v1/tenants/shop/connections/crm";
const HOSTS: &str = "/v1/connectors/keycrm/hosts";
const SECRET: &str = "correct-horse-battery-staple";

/// Somebody who waits for keys.
struct Thief(TcpListener);

impl Thief {
    fn new() -> Thief {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        Thief(listener)
    }

    fn origin(&self) -> String {
        format!("http://{}", self.0.local_addr().expect("an address"))
    }

    /// Whether anybody came. What was sent is not looked at: nobody is to come at all.
    fn was_met(&self) -> bool {
        self.0.accept().is_ok()
    }
}

/// A server with a connection to `own`, of which the key is stored; `also` may be reached, too.
fn server(own: &str, also: &str) -> Server {
    let server = Server::new();
    server.make_tenant("shop");
    server.install("keycrm");
    let new = json!({
        "id": "crm", "connector": "keycrm", "settings": { "base_url": format!("{own}/v1") },
        "grants": [own, also],
    });
    let made = server.post("/v1/tenants/shop/connections", &new);
    made.expect(201);
    give_key(&server);
    server
}

fn give_key(server: &Server) {
    let key = server.ask("PUT", &format!("{CRM}/credentials/api_key"));
    key.json(&json!({ "secret": SECRET })).send().expect(204);
}

/// Changes the settings as somebody of the tenant who may manage it.
fn change(server: &Server, settings: &Value) -> Answer {
    let token = server.token(Some("shop"), &[Scope::Manage]);
    let asking = server.ask_as(&token, "PUT", &format!("{CRM}/settings"));
    asking.header("if-match", "*").json(settings).send()
}

fn check(server: &Server) -> Answer {
    server.ask("POST", &format!("{CRM}/check")).send()
}

#[test]
fn a_changed_address_gets_no_stored_key_until_it_is_given_again() {
    const OWN: &str = "http://127.0.0.1:1";
    let thief = Thief::new();
    let server = server(OWN, &thief.origin());
    check(&server).problem(422, "unavailable");

    let elsewhere = json!({ "base_url": format!("{}/v1", thief.origin()) });
    change(&server, &elsewhere).expect(200);
    let problem = check(&server).problem(422, "credential_again");
    let mend = json!({ "credential": "api_key" });
    assert_eq!(mend, problem["why"]["mend"], "{problem}");
    let choices = server.ask("GET", &format!("{CRM}/choices/statuses")).send();
    assert_eq!(422, choices.status, "{}", choices.text);
    let enabled = server.ask("POST", &format!("{CRM}/enable")).send();
    enabled.problem(422, "credential_again");
    let missing = &server.get(CRM)["missing_credentials"];
    assert_eq!(&json!([["api_key"]]), missing);
    assert_eq!(json!([]), server.get(&format!("{CRM}/budgets"))["items"]);
    assert!(!thief.was_met());

    // It waits for its own address, on whatever path.
    change(&server, &json!({ "base_url": format!("{OWN}/v2") })).expect(200);
    check(&server).problem(422, "unavailable");
    assert_eq!(json!([]), server.get(CRM)["missing_credentials"]);

    change(&server, &elsewhere).expect(200);
    give_key(&server);
    assert_eq!(json!([]), server.get(CRM)["missing_credentials"]);
    // What answers nothing is asked until the check gives up, so that it is asked is seen beside it.
    std::thread::scope(|scope| {
        scope.spawn(|| check(&server));
        while !thief.was_met() {
            std::thread::yield_now();
        }
        drop(thief);
    });
}

#[test]
fn a_key_from_before_belongs_where_the_settings_led_when_the_server_started() {
    let thief = Thief::new();
    let server = server("http://127.0.0.1:1", &thief.origin());
    let db = rusqlite::Connection::open(server.data().join("control.sqlite")).expect("a database");
    let changed = db.execute("UPDATE credentials SET belongs = NULL", []);
    assert_eq!(Ok(1), changed);
    drop(db);
    let server = server.restarted();
    check(&server).problem(422, "unavailable");
    change(&server, &json!({ "base_url": thief.origin() })).expect(200);
    check(&server).problem(422, "credential_again");
    assert!(!thief.was_met());
}

#[test]
fn the_platform_fixes_the_hosts_of_a_connector_and_no_setting_leads_past_them() {
    let thief = Thief::new();
    let server = server("http://127.0.0.1:1", &thief.origin());
    let fix = |hosts: Value| {
        let asking = server.ask("PUT", HOSTS);
        asking.json(&json!({ "hosts": hosts })).send()
    };
    let fixed = fix(json!(["127.0.0.1:1", "*.keycrm.app"])).expect(200);
    assert_eq!(json!(["127.0.0.1:1", "*.keycrm.app"]), fixed["hosts"]);
    assert_eq!(
        fixed["hosts"],
        server.get("/v1/connectors")["items"][0]["hosts"]
    );
    check(&server).problem(422, "unavailable");

    let elsewhere = json!({ "base_url": thief.origin() });
    let problem = change(&server, &elsewhere).problem(422, "settings_invalid");
    assert_eq!("/base_url", problem["errors"][0]["path"]);
    // The same for one that led elsewhere before.
    fix(Value::Null).expect(200);
    change(&server, &elsewhere).expect(200);
    give_key(&server);
    fix(json!(["*.keycrm.app"])).expect(200);
    let refused = check(&server).problem(422, "invalid");
    let reason = refused["errors"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains(&thief.origin()), "{reason}");
    assert!(!thief.was_met());

    let bad = fix(json!(["api.keycrm.app", "https://api.keycrm.app"])).problem(422, "invalid");
    assert_eq!("/hosts/1", bad["errors"][0]["path"]);
    let absent = server.ask("PUT", "/v1/connectors/nobodys/hosts");
    let absent = absent.json(&json!({ "hosts": null })).send();
    absent.problem(404, "not_found");
}

#[test]
fn no_connection_goes_past_the_servers_own_list_of_hosts() {
    let thief = Thief::new();
    let server = Server::with(|options| {
        options.network.hosts = Some(vec!["127.0.0.1:1".parse().expect("a host")]);
    });
    server.make_tenant("shop");
    server.install("keycrm");
    let new = json!({
        "id": "crm", "connector": "keycrm", "settings": { "base_url": thief.origin() },
        "grants": [thief.origin(), "http://127.0.0.1:1"],
    });
    let made = server.post("/v1/tenants/shop/connections", &new);
    made.expect(201);
    give_key(&server);
    check(&server).problem(422, "invalid");
    assert!(!thief.was_met());
    let elsewhere = json!({ "base_url": "https://api.example.com" });
    let problem = change(&server, &elsewhere).problem(422, "settings_invalid");
    assert_eq!("/base_url", problem["errors"][0]["path"]);
    change(&server, &json!({ "base_url": "http://127.0.0.1:1" })).expect(200);
    give_key(&server);
    check(&server).problem(422, "unavailable");
}

#[test]
fn a_source_leads_only_into_the_folder_of_components_and_tells_nothing_of_what_it_read() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("notes.wasm"), "daemon:x:1:1").expect("a file");
    let keycrm = super::support::component("keycrm");
    std::fs::write(folder.path().join("keycrm.wasm"), keycrm).expect("a file");
    let refused = |server: &Server, source: &str| {
        let answer = server.post("/v1/versions", &json!({ "source": source }));
        let problem = answer.problem(422, "invalid");
        assert_eq!("/source", problem["errors"][0]["path"]);
        let reason = problem["errors"][0]["reason"].as_str().expect("a reason");
        assert!(!answer.text.contains("daemon"), "{}", answer.text);
        assert!(!answer.text.contains("0x64"), "{}", answer.text);
        reason.to_owned()
    };
    let without = Server::new();
    let inside = folder.path().join("keycrm.wasm");
    let inside = inside.to_str().expect("a path");
    assert!(refused(&without, inside).contains("from its disk"));

    let server = Server::with(|options| options.source_root = Some(folder.path().to_owned()));
    for elsewhere in ["/etc/passwd", "../passwd", "/nowhere/at/all.wasm"] {
        let reason = refused(&server, elsewhere);
        assert!(reason.contains("is not below the folder"), "{reason}");
    }
    let reason = refused(&server, "notes.wasm");
    assert!(reason.contains("is no WebAssembly"), "{reason}");
    for good in ["keycrm.wasm", "./keycrm.wasm", inside] {
        let answer = server.post("/v1/versions", &json!({ "source": good }));
        assert_eq!("keycrm", answer.expect(201)["connector"]);
    }
}
