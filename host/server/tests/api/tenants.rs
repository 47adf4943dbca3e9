//! Tenants, lists in pages, and the audit.

use serde_json::{Value, json};

use super::support::Server;

#[test]
fn a_tenant_is_made_changed_and_removed() {
    let server = Server::new();
    let made = server.make_tenant("shop");
    assert_eq!(made, server.get("/v1/tenants/shop"));
    let again = json!({
        "id": "shop", "name": "Shop", "time_zone": "UTC", "language": "en", "currency": "EUR"
    });
    server.post("/v1/tenants", &again).problem(409, "exists");

    let change = json!({ "name": "Крамниця", "language": "ru" });
    let asking = server.ask("PATCH", "/v1/tenants/shop");
    let changed = asking.json(&change).send().expect(200);
    assert_eq!("Крамниця", changed["name"]);
    assert_eq!("ru", changed["language"]);
    assert_eq!("Europe/Kyiv", changed["time_zone"]);
    assert_eq!("UAH", changed["currency"]);
    let change = json!({ "currency": "PLN" });
    let asking = server.ask("PATCH", "/v1/tenants/shop");
    let changed = asking.json(&change).send().expect(200);
    assert_eq!("PLN", changed["currency"]);
    assert_eq!(changed, server.get("/v1/tenants/shop"));

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
fn how_long_a_tenant_keeps_what_went_on_is_set_for_it_alone() {
    let server = Server::new();
    server.make_tenant("other");
    let made = server.make_tenant("shop");
    assert_eq!((90, 1_000_000), kept(&made));
    let change = |change: Value| server.ask("PATCH", "/v1/tenants/shop").json(&change).send();
    let changed = change(json!({ "keep_days": 14, "keep_log_lines": 20_000 })).expect(200);
    assert_eq!((14, 20_000), kept(&changed));
    assert_eq!((14, 20_000), kept(&server.get("/v1/tenants/shop")));
    assert_eq!((90, 1_000_000), kept(&server.get("/v1/tenants/other")));
    for wrong in [
        json!({ "keep_days": 0 }),
        json!({ "keep_days": 3_651 }),
        json!({ "keep_log_lines": 999 }),
    ] {
        change(wrong).problem(400, "request_invalid");
    }
}

/// Days and lines of a log that a tenant keeps.
fn kept(tenant: &Value) -> (u64, u64) {
    let number = |member: &str| tenant[member].as_u64().unwrap();
    (number("keep_days"), number("keep_log_lines"))
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
fn tenants_are_found_by_a_part_of_a_name_in_capitals_or_not() {
    let server = Server::new();
    server.make_tenant("north");
    let renamed = server.ask("PATCH", "/v1/tenants/north");
    let name = json!({ "name": "Їжакова крамниця" });
    renamed.json(&name).send().expect(200);
    server.make_tenant("south");
    let found = |q: &str| -> Vec<String> {
        let page = server.get(&format!("/v1/tenants?q={q}"));
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    // `їжак` and `КРАМ`.
    assert_eq!(vec!["north"], found("%D1%97%D0%B6%D0%B0%D0%BA"));
    assert_eq!(vec!["north"], found("%D0%9A%D0%A0%D0%90%D0%9C"));
    assert_eq!(vec!["north", "south"], found("TH"));
    assert!(found("west").is_empty());
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
    for query in ["key=nobody", "q=nobody"] {
        let none = server.get(&format!("/v1/tenants/shop/records/orders?{query}"));
        assert!(none["items"].as_array().unwrap().is_empty());
    }
}

#[test]
fn records_are_found_by_what_people_know_them_by() {
    let server = Server::new();
    server.make_tenant("shop");
    let load = |kind: &str, records: Value| server.load("shop", kind, records);
    load(
        "partners",
        json!([
            { "key": "1", "name": "Їжак", "phones": ["+380501234567"] },
            { "key": "2", "name": "Лис", "emails": ["fox@mail.example"] },
        ]),
    );
    load(
        "products",
        json!([{ "key": "3", "name": "Чашка", "sku": "CUP-1" }]),
    );
    load("warehouses", json!([{ "key": "main", "name": "Склад" }]));
    load(
        "stock",
        json!([{ "product": "3", "warehouse": "main", "on_hand": "5" }]),
    );
    let found = |kind: &str, q: &str| {
        let page = server.get(&format!("/v1/tenants/shop/records/{kind}?q={q}"));
        page["items"].as_array().unwrap().len()
    };
    // `їжак`
    assert_eq!(1, found("partners", "%D1%97%D0%B6%D0%B0%D0%BA"));
    assert_eq!(1, found("partners", "50123"));
    assert_eq!(1, found("partners", "FOX@"));
    assert_eq!(0, found("partners", "bear"));
    assert_eq!(1, found("products", "cup-1"));
    assert_eq!(1, found("stock", "MAIN"));
}

#[test]
fn records_are_loaded_all_or_none_and_noted_in_the_audit() {
    let server = Server::new();
    server.make_tenant("shop");
    let path = "/v1/tenants/shop/records/partners";
    let good = json!([{ "key": "a", "name": "A" }, { "key": "b", "name": "B" }]);
    let loaded = server.post(path, &good).expect(200);
    let counts = |loaded: &Value| (loaded["created"].clone(), loaded["unchanged"].clone());
    assert_eq!((json!(2), json!(0)), counts(&loaded));
    let again = server.post(path, &good).expect(200);
    assert_eq!((json!(0), json!(2)), counts(&again));
    let bad = json!([{ "key": "c", "name": "C" }, { "key": "d", "surprise": 1 }]);
    let refused = server.post(path, &bad).expect(422);
    assert_eq!("/1", refused["errors"][0]["path"], "{refused}");
    assert_eq!(2, server.get(path)["items"].as_array().unwrap().len());
    let unknown = "/v1/tenants/shop/records/unicorns";
    server.post(unknown, &good).expect(404);
    let audit = server.get("/v1/tenants/shop/audit");
    assert_eq!("records.load", audit["items"][0]["action"]);
    assert_eq!(
        json!({ "kind": "partners", "records": 2 }),
        audit["items"][0]["detail"]
    );
}
