//! A folder on which a server works has one door: commands that write go through the server.

use serde_json::{Value, json};
use tenon_scenarios::component;
use tenon_scenarios::server::Server;

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn partners(server: &Server) -> String {
    let file = server.folder().join("partners.json");
    let partners = json!([{ "key": "walk-in", "name": "Buyer" }]);
    std::fs::write(&file, partners.to_string()).expect("a file");
    file.to_str().expect("a path").to_owned()
}

/// What the audit says was done by commands, the newest first.
async fn by_commands(server: &Server) -> Vec<String> {
    let audit = server.get("/tenants/shop/audit").await;
    let notes = audit["items"].as_array().expect("notes").iter();
    let notes = notes.filter(|note| note["actor"] == "command line");
    notes
        .map(|note| note["action"].as_str().expect("an action").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_and_credentials_of_the_command_line_go_through_the_server_into_its_audit() {
    let mut server = Server::start(&[]);
    server.install(component("keycrm")).await;
    server.tenant("shop").await;
    let connection = json!({ "id": "keycrm", "connector": "keycrm" });
    server.post("/tenants/shop/connections", connection).await;

    let file = partners(&server);
    let load = ["load", "partners", &file, "--tenant", "shop"];
    let loaded = server.tenon(&load);
    assert!(loaded.status.success(), "{loaded:?}");
    assert!(
        String::from_utf8_lossy(&loaded.stdout).contains("created 1"),
        "{loaded:?}"
    );
    let records = server.get("/tenants/shop/records/partners").await;
    assert_eq!("walk-in", records["items"][0]["key"]);
    // A bad one is named, and nothing of them is there.
    std::fs::write(
        &file,
        json!([{ "key": "b", "name": "B" }, { "nonsense": 1 }]).to_string(),
    )
    .expect("a file");
    let refused = server.tenon(&load);
    assert_eq!(Some(2), refused.status.code(), "{refused:?}");
    assert!(said(&refused).contains("/1"), "{refused:?}");

    let secret = server.folder().join("secret");
    std::fs::write(&secret, "s3cret").expect("a file");
    let source = format!("file:{}", secret.display());
    let set = [
        "credential",
        "set",
        "keycrm",
        "api_key",
        "--tenant",
        "shop",
        "--from",
        &source,
    ];
    let stored = server.tenon(&set);
    assert!(stored.status.success(), "{stored:?}");
    let listed = server
        .get("/tenants/shop/connections/keycrm/credentials")
        .await;
    assert!(listed.to_string().contains("api_key"), "{listed}");
    let remove = [
        "credential",
        "remove",
        "keycrm",
        "api_key",
        "--tenant",
        "shop",
    ];
    let removed = server.tenon(&remove);
    assert!(removed.status.success(), "{removed:?}");
    let expected = [
        "credential.remove",
        "credential.put",
        "records.load",
        "records.load",
    ];
    assert_eq!(expected, *by_commands(&server).await);

    // Without a server the commands note it themselves.
    server.terminate();
    assert!(server.tenon(&set).status.success());
    server.resume();
    assert_eq!("credential.put", by_commands(&server).await[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_beside_a_server_is_refused_and_says_where_to_ask_for_it() {
    let server = Server::start(&[]);
    server.tenant("shop").await;
    let run = server.tenon(&["run", "keycrm", "orders", "--tenant", "shop"]);
    assert_eq!(Some(2), run.status.code(), "{run:?}");
    let told = said(&run);
    assert!(told.contains(server.url()), "{told}");
    assert!(
        told.contains("/v1/tenants/shop/connections/keycrm/jobs/orders/run"),
        "{told}"
    );
    assert_eq!(1, told.lines().count(), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_tenant_inherits_nothing_that_was_put_under_its_name_before() {
    let mut server = Server::start(&[]);
    let file = partners(&server);
    let load = ["load", "partners", &file, "--tenant", "shop"];
    let through = server.tenon(&load);
    assert_eq!(
        Some(2),
        through.status.code(),
        "no such tenant: {through:?}"
    );
    server.terminate();
    assert!(server.tenon(&load).status.success());
    let secret = server.folder().join("secret");
    std::fs::write(&secret, "s3cret").expect("a file");
    let source = format!("file:{}", secret.display());
    let set = [
        "credential",
        "set",
        "keycrm",
        "api_key",
        "--tenant",
        "other",
        "--from",
        &source,
    ];
    assert!(server.tenon(&set).status.success());
    server.resume();
    for id in ["shop", "other"] {
        let tenant = json!({
            "id": id, "name": id, "time_zone": "Europe/Kyiv", "language": "uk", "currency": "UAH",
        });
        let refused = server.try_api("POST", "/tenants", tenant).await;
        assert_eq!(
            (409, &json!("leftover")),
            (refused.status, &refused.body["code"])
        );
        let none = server
            .try_api("GET", &format!("/tenants/{id}"), Value::Null)
            .await;
        assert_eq!(404, none.status);
    }
    server.tenant("third").await;
    let records = server.get("/tenants/third/records/partners").await;
    assert_eq!(json!([]), records["items"]);
}
