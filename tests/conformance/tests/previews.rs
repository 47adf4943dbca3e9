//! While nothing is to be changed, nothing is changed at the counterpart either, whatever the guest
//! sends: in a preview, in a comparison, and when it is only looked at.

use serde_json::{Value, json};
use tenon_conformance::{Counterpart, Guest, Run, Sandbox};
use tenon_host::CallError;
use tenon_host::report::Outcome;

/// A guest that sends these requests whatever it is asked for.
fn sending<'a>(sandbox: &'a Sandbox, counterpart: &Counterpart, requests: Value) -> Guest<'a> {
    let guest = sandbox.guest("write_in_preview");
    let guest = guest.allowed(&counterpart.url("/"));
    guest.settings(json!({ "requests": requests }))
}

/// The same guest, but that nothing is wrong with what it does before a run.
fn behaving<'a>(sandbox: &'a Sandbox, counterpart: &Counterpart, requests: Value) -> Guest<'a> {
    let guest = sending(sandbox, counterpart, Value::Null);
    guest.settings(json!({ "requests": requests, "behaves_in_check": true }))
}

/// Passes a run that ended because of this request, with what its author has to do.
fn assert_refused(run: &Run, request: &str) {
    assert_eq!(Outcome::Crashed, run.report.outcome, "{run:?}");
    let error = run.report.error.as_deref().unwrap_or_default();
    assert!(
        error.contains(request) && error.contains("not sent"),
        "{error}"
    );
    assert!(run.logged(&["no answer", "HttpRequestDenied"]), "{run:?}");
}

#[test]
fn write_in_preview_does_not_arrive_once_in_a_hundred_times() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let orders = json!([{
        "method": "POST", "path": "/orders?customer=1", "body": "{}", "times": 100
    }]);
    let guest = behaving(&sandbox, &counterpart, orders);
    for run in [guest.clone().preview().run(), guest.clone().compare().run()] {
        assert_refused(&run, "POST /orders ");
        let error = run.report.error.as_deref().unwrap_or_default();
        assert!(
            error.contains("`reads`") && !error.contains("customer"),
            "{error}"
        );
        assert_eq!(100, run.lines_with(&["was not sent", "POST /orders"]));
        assert_eq!(0, run.report.requests);
    }
    assert_eq!(0, counterpart.hits());
    // The counterpart has no such place, so the host gives up after some; but they are sent.
    guest.run().assert_done();
    assert!(counterpart.hits() >= 10, "{}", counterpart.hits());
}

#[test]
fn write_in_preview_does_not_arrive_by_any_other_method() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "post", "Get", "MERGE"] {
        for path in ["/orders", "/search"] {
            let request = json!([{ "method": method, "path": path }]);
            let run = sending(&sandbox, &counterpart, request).preview().run();
            assert_refused(&run, &format!("{method} {path} "));
        }
    }
    assert_eq!(0, counterpart.hits());
}

#[test]
fn write_in_preview_does_not_arrive_by_a_path_that_looks_like_a_read() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    for path in [
        "/search/../orders",
        "/search/%2e%2e/orders",
        "/search/.%2E/orders",
        "/search%2f..%2forders",
        "/search/..;/orders",
        "/search;/orders",
        "/SEARCH",
        "/sear%63h",
        "//search",
        "/search/",
        "/search//",
        "/searchorders",
        "/entity/a/b/list",
        "/entity/..%2F..%2Forders%2F/list",
        "/entity/%252e%252e/list",
        "/entity/..%5c..%5corders/list",
        "/entity/%00/list",
        "/entity//list",
    ] {
        let request = json!([{ "method": "POST", "path": path }]);
        let run = sending(&sandbox, &counterpart, request).preview().run();
        assert_refused(&run, "POST /");
    }
    assert_eq!(0, counterpart.hits());
}

#[test]
fn write_in_preview_does_not_arrive_in_the_clothes_of_another_request() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    for request in [
        json!({ "method": "GET", "path": "/orders/1",
            "headers": { "X-HTTP-Method-Override": "DELETE" } }),
        json!({ "method": "POST", "path": "/search", "headers": { "X-HTTP-Method": "PUT" } }),
        json!({ "method": "POST", "path": "/search", "headers": { "X-Method-Override": "PUT" } }),
        json!({ "method": "POST", "path": "/search", "headers": { "X-Original-URL": "/orders" } }),
        json!({ "method": "POST", "path": "/search", "headers": { "X-Rewrite-URL": "/orders" } }),
        json!({ "method": "GET", "path": "/orders/1?_method=DELETE" }),
        json!({ "method": "POST", "path": "/search?%5Fmethod=DELETE" }),
        json!({ "method": "POST", "path": "/search", "body": "_method=DELETE" }),
        json!({ "method": "POST", "path": "/search", "body": "{\"_method\": \"DELETE\"}" }),
    ] {
        let run = sending(&sandbox, &counterpart, json!([request]))
            .preview()
            .run();
        assert_refused(&run, "may stand for another request");
    }
    assert_eq!(0, counterpart.hits());
}

#[test]
fn write_in_preview_lets_reads_through_as_they_are_declared() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let reads = json!([
        { "method": "GET", "path": "/orders?method=list" },
        { "method": "HEAD", "path": "/orders" },
        { "method": "POST", "path": "/search", "body": "{\"payment_method\": 1}" },
        { "method": "POST", "path": "/search?page=2" },
        { "method": "POST", "path": "/entity/customerorder/list" },
    ]);
    let guest = behaving(&sandbox, &counterpart, reads.clone());
    for run in [guest.clone().preview().run(), guest.clone().compare().run()] {
        run.assert_done();
        assert_eq!(5, run.report.requests);
    }
    let guest = sending(&sandbox, &counterpart, reads);
    guest.check().unwrap();
    guest.choices("any").unwrap();
    assert_eq!(20, counterpart.hits());
}

#[test]
fn write_in_preview_does_not_arrive_when_it_is_only_looked_at() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let order = json!([{ "method": "DELETE", "path": "/orders/1" }]);
    let guest = sending(&sandbox, &counterpart, order);
    let errors = [guest.check().err(), guest.choices("any").err()];
    for error in errors {
        let error = error.expect("a refusal");
        assert!(matches!(error, CallError::Overstepped(_)), "{error}");
        assert!(error.to_string().contains("DELETE /orders/1 "), "{error}");
    }
    assert_eq!(0, counterpart.hits());
}
