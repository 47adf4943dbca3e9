//! What is told of a guest's run to who counts: its memory and its requests, whatever it does.

use serde_json::json;
use tenon_conformance::{Counterpart, Sandbox};
use tenon_host::observe::Ending;

#[test]
fn grow_memory_has_its_peak_in_the_report() {
    let sandbox = Sandbox::new();
    let peak = |limit: u64| {
        let guest = sandbox.guest("grow_memory");
        guest.limits(json!({ "memory": limit })).run().report.memory
    };
    for limit in [16 << 20, 32 << 20] {
        let peak = peak(limit);
        let most_of_it = limit - (limit >> 2)..=limit;
        assert!(most_of_it.contains(&peak), "{peak} of {limit}");
    }
}

#[test]
fn a_run_in_its_bounds_has_its_peak_in_the_report_too() {
    let sandbox = Sandbox::new();
    let run = sandbox.block_on(sandbox.neighbours_job());
    run.assert_done();
    let peak = run.report.memory;
    assert!((64 << 10..16 << 20).contains(&peak), "{peak}");
}

#[test]
fn fetch_is_told_of_as_often_as_the_report_counts() {
    let sandbox = Sandbox::new();
    let counterpart = Counterpart::start();
    let url = counterpart.url("/");
    let run = sandbox.guest("fetch").allowed(&url).run();
    run.assert_done();
    let told = &run.heard.exchanges;
    assert_eq!(run.report.requests, told.len() as u64);
    assert_eq!(Ending::Status(200), told[0].ending);
}
