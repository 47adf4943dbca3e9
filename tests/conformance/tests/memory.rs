//! Attacks on the host's own memory: what is small in the guest, or on the wire, and huge in the
//! host. Each would take gigabytes; the host must not even take a part of them.
//!
//! The process is measured as a whole, so these tests run one after the other.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;
use tenon_conformance::memory::bounded;
use tenon_conformance::{Counterpart, Sandbox};

/// More than a host needs for one guest that behaves, and far less than any attack takes.
const BOUND: u64 = 128 << 20;

fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn return_huge_list_is_refused() {
    let _alone = alone();
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("return_huge_list");
    for (option, reason) in [
        ("many", "answered with 1000000 entries; 10000 are allowed"),
        (
            "aliased",
            "passed more than 65536 KiB to the host in one call",
        ),
    ] {
        let choices = bounded(BOUND, || guest.choices(option).map(drop));
        let wanted = bounded(BOUND, || guest.receive(option).map(drop));
        for answer in [choices, wanted] {
            let error = answer.unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}

#[test]
fn pass_aliased_list_is_stopped_before_it_is_unfolded() {
    let _alone = alone();
    let sandbox = Sandbox::new();
    // All those names are allowed here; their bytes are not.
    let limits = json!({ "records": 10_000_000, "call": 32 << 20 });
    let guest = sandbox.guest("pass_aliased_list").limits(limits);
    let run = bounded(BOUND, || guest.run());
    run.assert_crashed(&["passed more than 32768 KiB to the host in one call"]);
}

#[test]
fn ask_for_huge_random_is_refused() {
    let _alone = alone();
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("ask_for_huge_random");
    bounded(BOUND, || guest.run()).assert_crashed(&["exceeds limit"]);
}

/// Asks a question whose answer has 25 MiB or more, where 8 are allowed. The guest has room for all of
/// it, so that it is not its own memory that ends it.
fn ask(sandbox: &Sandbox, question: &str) {
    let guest = sandbox.guest("ask_for_huge_answer").argument(question);
    let limits = json!({ "call": 8 << 20, "memory": 256 << 20 });
    let guest = guest.tenant(question).limits(limits);
    let run = bounded(BOUND, || guest.run());
    run.assert_crashed(&["asked for more than 8192 KiB in one call"]);
}

#[test]
fn ask_for_huge_answer_by_naming_one_record_often_is_refused() {
    let _alone = alone();
    let sandbox = Sandbox::new();
    for question in ["get", "products", "partners", "orders"] {
        ask(&sandbox, question);
    }
}

#[test]
fn ask_for_huge_answer_by_a_page_of_large_records_is_refused() {
    let _alone = alone();
    let sandbox = Sandbox::new();
    for question in ["scan", "changed"] {
        ask(&sandbox, question);
    }
}

#[test]
fn ask_for_huge_answer_by_a_list_without_pages_is_refused() {
    let _alone = alone();
    let sandbox = Sandbox::new();
    for question in ["categories", "directory"] {
        ask(&sandbox, question);
    }
}

#[test]
fn hold_bodies_is_answered_with_an_error_at_the_limit() {
    let _alone = alone();
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let guest = sandbox
        .guest("hold_bodies")
        .allowed(&counterpart.url("/mebibyte"));
    let run = bounded(BOUND, || guest.limits(json!({ "bodies": 8 << 20 })).run());
    run.assert_done();
    assert!(run.logged(&["held 8, then:"]), "{run:?}");
    assert!(run.logged(&["afterwards: Ok(1048576)"]), "{run:?}");
}

#[test]
fn fetch_of_a_gzip_bomb_is_cut_at_the_limit() {
    let _alone = alone();
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let guest = sandbox.guest("fetch").allowed(&counterpart.url("/bomb"));
    let run = bounded(BOUND, || guest.limits(json!({ "response": 4 << 20 })).run());
    run.assert_done();
    assert!(run.logged(&["HttpResponseBodySize"]), "{run:?}");
}

#[test]
fn hold_headers_ends_at_the_limit_of_handles_before_it_fills_the_host() {
    let _alone = alone();
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("hold_headers");
    let run = bounded(BOUND, || guest.run());
    run.assert_crashed(&["more than 10000 handles"]);
}
