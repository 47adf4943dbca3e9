//! Tenants, lists in pages, and the audit.

use serde_json::json;

use super::support::Server;

#[test]
fn a_tenant_is_made_changed_and_removed() {
    let server = Server::new();
    let made = server.make_tenant("shop");
    assert_eq!(made, server.get("/v1/tenants/shop"));
    let again = json!({ "id": "shop", "name": "Shop", "time_zone": "UTC", "language": "en" });
    server.post("/v1/tenants", &again).problem(409, "exists");

    let change = json!({ "name": "Крамниця", "language": "ru" });
    let asking = server.ask("PATCH", "/v1/tenants/shop");
    let changed = asking.json(&change).send().expect(200);
    assert_eq!("Крамниця", changed["name"]);
    assert_eq!("ru", changed["language"]);
    assert_eq!("Europe/Kyiv", changed["time_zone"]);

    server.ask("DELETE", "/v1/tenants/shop").send().expect(204);
    server
        .ask("GET", "/v1/tenants/shop")
        .send()
        .problem(404, "not_found");
    server
        .ask("DELETE", "/v1/tenants/shop")
        .send()
        .problem(404, "not_found");
}

#[test]
fn a_list_is_read_page_by_page() {
    let server = Server::new();
    let names: Vec<String> = (0..5).map(|number| format!("shop-{number}")).collect();
    for name in &names {
        server.make_tenant(name);
    }
    let (mut seen, mut query) = (Vec::new(), "limit=2".to_owned());
    loop {
        let page = server.get(&format!("/v1/tenants?{query}"));
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        seen.extend(
            items
                .iter()
                .map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => query = format!("limit=2&after={next}"),
            None => break,
        }
        // What is gone by the next page shifts nothing.
        server
            .ask("DELETE", &format!("/v1/tenants/{}", seen[0]))
            .send();
    }
    assert_eq!(names, seen);
}

#[test]
fn each_write_is_in_the_audit_with_who_did_it() {
    let server = Server::new();
    server.make_tenant("shop");
    server.make_tenant("other");
    server.ask("DELETE", "/v1/tenants/other").send().expect(204);
    let token = json!({ "name": "till", "tenant": "shop", "scopes": ["read"] });
    let secret = server.post("/v1/tokens", &token).expect(201)["secret"].clone();

    let audit = server.get("/v1/audit");
    let noted: Vec<_> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            assert_eq!("admin", entry["actor"]);
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            (text("action"), text("tenant"))
        })
        .collect();
    let expected = [
        ("token.create", "shop"),
        ("tenant.delete", "other"),
        ("tenant.create", "other"),
        ("tenant.create", "shop"),
    ];
    assert_eq!(
        expected.map(|(a, t)| (a.to_owned(), t.to_owned())).to_vec(),
        noted
    );
    assert!(!audit.to_string().contains(secret.as_str().unwrap()));

    let own = server.ask_as(secret.as_str().unwrap(), "GET", "/v1/tenants/shop/audit");
    let own = own.send().expect(200);
    assert_eq!(2, own["items"].as_array().unwrap().len());
}

#[test]
fn records_of_the_embedded_erp_are_shown_by_kind_and_key() {
    let server = Server::new();
    server.make_tenant("shop");
    let list = server.get("/v1/tenants/shop/records/orders");
    assert_eq!(json!({ "items": [], "next": null }), list);
    let unknown = server
        .ask("GET", "/v1/tenants/shop/records/unicorns")
        .send();
    unknown.problem(404, "not_found");
    let one = server.get("/v1/tenants/shop/records/orders?key=nobody");
    assert!(one["items"].as_array().unwrap().is_empty());
}
