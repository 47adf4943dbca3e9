//! What crosses the border between guest and host is what the contract says, or the guest is
//! stopped before anybody sees it.

use serde_json::json;
use tenon_conformance::{Counterpart, Sandbox};
use tenon_host::CallError;

/// Passes an answer that was not taken for a reason with these words.
fn assert_refused<T: std::fmt::Debug>(answer: Result<T, CallError>, words: &str) {
    let Err(CallError::Crashed(reason)) = &answer else {
        panic!("{answer:?}");
    };
    assert!(reason.to_string().contains(words), "{reason}");
}

/// What the host says of a text or a list that is not where it is said to be. A guest that reads
/// there itself is told of in other words.
const OUT_OF_BOUNDS: &str = "pointer/length out of bounds of memory";

#[test]
fn garbled_text_is_not_passed_on() {
    for argument in [
        "log", "record", "reason", "key", "prefix", "kind", "timer", "fault",
    ] {
        let sandbox = Sandbox::new();
        let run = sandbox.guest("garbled_text").argument(argument).run();
        run.assert_crashed(&["utf-8"]);
        assert!(run.heard.log.is_empty() && run.heard.rejected.is_empty());
        assert!(sandbox.tables_with("shop", "gar").is_empty(), "{argument}");
        assert!(sandbox.tables_with("shop", "lost").is_empty(), "{argument}");
    }
}

#[test]
fn garbled_text_is_no_answer_either() {
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("garbled_text");
    assert_refused(guest.check(), "utf-8");
    assert_refused(guest.choices("any"), "utf-8");
}

#[test]
fn wrong_list_length_is_found_out() {
    for argument in ["message", "wrapped", "value"] {
        let sandbox = Sandbox::new();
        let run = sandbox.guest("wrong_list_length").argument(argument).run();
        run.assert_crashed(&[OUT_OF_BOUNDS]);
        assert!(sandbox.tables_with("shop", "lost").is_empty(), "{argument}");
    }
}

#[test]
fn wrong_list_length_is_no_answer_either() {
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("wrong_list_length");
    assert_refused(guest.check(), OUT_OF_BOUNDS);
    assert_refused(guest.choices("any"), OUT_OF_BOUNDS);
}

#[test]
fn answer_webhooks_with_requests_sends_none() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let guest = sandbox.guest("answer_webhooks_with_requests");
    let wanted = guest
        .allowed(&counterpart.url("/"))
        .receive("orders")
        .unwrap();
    let arguments: Vec<_> = wanted
        .iter()
        .filter_map(|job| job.argument.as_deref())
        .collect();
    assert_eq!(vec!["orders: ErrorCode::HttpRequestDenied"], arguments);
    assert_eq!(0, counterpart.hits());
}

#[test]
fn pass_huge_list_is_stopped_whatever_the_call() {
    let sandbox = Sandbox::new();
    for call in [
        "products",
        "save-products",
        "save-categories",
        "stock",
        "partners",
        "save-partners",
        "balances",
        "orders",
        "save-orders",
        "annotate",
        "get",
        "set",
        "delete",
        "by-origin",
        "by-key",
        "bind",
        "unbind",
        "wrote",
    ] {
        let guest = sandbox.guest("pass_huge_list").argument(call);
        let run = guest.limits(json!({ "records": 999 })).run();
        let error = run.report.error.as_deref().unwrap_or_default();
        assert!(
            error.contains("put 1000 records into one call"),
            "{call}: {error}"
        );
        run.assert_crashed(&["999 are allowed"]);
    }
}
