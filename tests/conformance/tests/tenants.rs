//! Tenants, and the connections of one tenant, do not learn of each other and do not touch each
//! other: not through the contract, not through the sockets that their requests share.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::{Value, json};
use tenon_conformance::{Counterpart, Guest, Sandbox};

/// Fills a tenant with records and state that carry these words.
fn fill(guest: Guest<'_>, counterpart: &Counterpart, mark: &str, secret: &str) {
    let words = json!({ "mark": mark, "secret": secret, "id": "known" });
    let filled = guest.allowed(&counterpart.url("/")).settings(words).run();
    filled.assert_done();
}

/// All that an intruder could know of a tenant that was filled with a mark.
fn stolen(sandbox: &Sandbox, tenant: &str, mark: &str) -> Value {
    let id = tenant.parse().expect("a name");
    let key = |kind: &str| {
        let kind = kind.parse().expect("a kind");
        let mut records = sandbox.erp().records(&id, kind).expect("a tenant");
        let record = records.next().expect("a record").expect("a record");
        record["key"].clone()
    };
    json!({
        "product": key("products"),
        "product_origin": "known:product",
        "product_name": format!("Cup {mark}"),
        "sku": format!("SKU {mark}"),
        "brand": format!("Brand {mark}"),
        "digest": "known:digest",
        "category": key("categories"),
        "category_origin": "known:category",
        "warehouse": key("warehouses"),
        "warehouse_origin": "known:warehouse",
        "partner": key("partners"),
        "partner_origin": "known:partner",
        "tax_id": format!("tax {mark}"),
        "email": format!("{mark}@example.test"),
        "phone": "+380501112233",
        "order": key("orders"),
        "order_origin": "known:order",
        "number": format!("No {mark}"),
        "version": "1",
        "cursor": "3",
        "storage_key": "known:key",
        "timer": "known:timer",
    })
}

/// A sandbox with a tenant `victim` in it.
fn with_victim(counterpart: &Counterpart) -> Sandbox {
    let sandbox = Sandbox::new();
    let victim = sandbox.guest("a_well_behaved").tenant("victim");
    fill(victim, counterpart, "indigo", "saffron");
    let filled = sandbox.tables_with("victim", "indigo");
    for table in [
        "products",
        "partners",
        "orders",
        "entries",
        "images",
        "attachments",
    ] {
        assert!(filled.iter().any(|name| name == table), "{filled:?}");
    }
    let state = sandbox.tables_with("victim", "saffron");
    assert_eq!(vec!["bindings", "storage", "timers"], state);
    sandbox
}

#[test]
fn trespass_in_another_tenant_learns_nothing_and_changes_nothing() {
    let counterpart = Counterpart::start();
    let sandbox = with_victim(&counterpart);
    let before = sandbox.contents("victim");
    let intruder = sandbox
        .guest("trespass")
        .settings(json!({ "stolen": stolen(&sandbox, "victim", "indigo") }));

    // An empty tenant of its own first, then one whose records have the very keys of the victim's.
    let empty = intruder.clone().tenant("empty").run();
    fill(
        sandbox.guest("a_well_behaved"),
        &counterpart,
        "ochre",
        "cobalt",
    );
    let like_it = intruder.connection("other").run();

    for (run, tenant) in [(&empty, "empty"), (&like_it, "shop")] {
        run.assert_done();
        assert!(run.heard.log.len() > 30, "{run:?}");
        let learnt = format!("{run:?} {:?}", sandbox.contents(tenant));
        assert!(learnt.contains("trespassed"), "{learnt}");
        for word in ["indigo", "saffron"] {
            assert!(!learnt.contains(word), "{tenant}: {learnt}");
        }
    }
    // It does read what is its own tenant's.
    assert!(
        like_it.logged(&["changed products", "ochre"]),
        "{like_it:?}"
    );
    assert_eq!(before, sandbox.contents("victim"));
}

#[test]
fn trespass_in_another_connection_of_the_tenant_finds_none_of_its_state() {
    let counterpart = Counterpart::start();
    let sandbox = with_victim(&counterpart);
    let state = |tables: &[&str]| -> Vec<Vec<String>> {
        let contents = sandbox.contents("victim");
        let of_victim = |table: &&str| {
            let rows = contents[*table].iter();
            rows.filter(|row| row.contains("hostile|"))
                .cloned()
                .collect()
        };
        tables.iter().map(of_victim).collect()
    };
    let tables = ["storage", "bindings", "timers"];
    let before = state(&tables);
    assert!(before.iter().all(|rows| rows.len() == 1), "{before:?}");

    let intruder = sandbox
        .guest("trespass")
        .tenant("victim")
        .connection("other");
    let run = intruder
        .settings(json!({ "stolen": stolen(&sandbox, "victim", "indigo") }))
        .argument("state")
        .run();
    run.assert_done();
    assert!(run.logged(&["by-origin: [None]"]), "{run:?}");
    assert!(run.logged(&["get: [None]"]), "{run:?}");
    assert!(!format!("{run:?}").contains("saffron"), "{run:?}");
    assert_eq!(before, state(&tables));
}

#[test]
fn fetch_by_two_tenants_never_goes_over_one_socket() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let guest = |tenant: &str, id: &str, key: &str| {
        let guest = sandbox
            .guest("fetch")
            .tenant(tenant)
            .connection(id)
            .key(key);
        let guest = guest.allowed(&counterpart.url("/"));
        guest.settings(json!({ "times": 3 }))
    };
    let guests = [
        (guest("first", "one", "key-of-first"), "key-of-first"),
        // The same credential in another tenant, and another connection of one tenant.
        (guest("second", "one", "key-of-both"), "key-of-both"),
        (guest("third", "one", "key-of-both"), "key-of-both"),
        (guest("third", "two", "key-of-two"), "key-of-two"),
    ];
    let connections: Vec<_> = (guests.iter())
        .map(|(guest, _)| guest.connect().expect("a connection"))
        .collect();
    // By turns, so that every pool holds an idle socket when another has need of one.
    let mut sockets = vec![BTreeSet::<SocketAddr>::new(); guests.len()];
    for _ in 0..3 {
        for (index, (guest, key)) in guests.iter().enumerate() {
            let before = counterpart.hits();
            let run = sandbox.block_on(guest.start_over(&connections[index]));
            assert_eq!(3, run.lines_with(&["200"]), "{run:?}");
            for seen in &counterpart.seen()[before..] {
                assert_eq!(format!("Bearer {key}"), seen.header("authorization"));
                sockets[index].insert(seen.peer);
            }
        }
    }
    for (index, mine) in sockets.iter().enumerate() {
        // Nine requests over fewer sockets: they are pooled, or this would prove nothing.
        assert!(mine.len() < 9, "{mine:?}");
        for others in &sockets[index + 1..] {
            assert!(mine.is_disjoint(others), "{mine:?} {others:?}");
        }
    }
}

#[test]
fn fetch_with_a_cookie_set_before_sends_none() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    for tenant in ["first", "first", "second"] {
        let guest = sandbox.guest("fetch").tenant(tenant);
        let guest = guest.allowed(&counterpart.url("/cookie"));
        let run = guest.settings(json!({ "times": 3 })).run();
        assert_eq!(3, run.lines_with(&["200"]), "{run:?}");
    }
    let seen = counterpart.seen();
    assert_eq!(9, seen.len());
    assert!(seen.iter().all(|seen| !seen.headers.contains_key("cookie")));
}
