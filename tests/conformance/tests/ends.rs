//! However a run ends, what it committed stays, what it did not is gone, people are told why in one
//! line, and everybody else goes on.

use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tenon_conformance::{Counterpart, Guest, Heard, Run, Sandbox};
use tenon_host::observe::Side;
use tenon_host::report::Outcome;
use tokio::sync::Semaphore;

/// Where guests leave traces of what they write.
const TRACES: [&str; 4] = ["bindings", "products", "storage", "timers"];

/// Runs a guest that writes and commits `kept`, writes `lost` and comes to its end; passes when the
/// one is there and the other is not.
fn ended_half_way(guest: &str, limits: serde_json::Value) -> Run {
    half_way(guest, |guest| guest.limits(limits))
}

/// The same, of a guest that is set up first.
fn half_way(guest: &str, set_up: impl FnOnce(Guest<'_>) -> Guest<'_>) -> Run {
    let sandbox = Sandbox::new();
    let run = set_up(sandbox.guest(guest)).run();
    assert_eq!(TRACES.as_slice(), sandbox.tables_with("shop", "kept"));
    assert!(sandbox.tables_with("shop", "lost").is_empty());
    let kept = &sandbox.contents("shop")["runs"];
    let outcome = serde_json::to_string(&run.report.outcome).unwrap();
    assert!(kept.len() == 1 && kept[0].contains(&outcome), "{kept:?}");
    run
}

#[test]
fn a_well_behaved_guest_uses_the_whole_contract_and_is_done() {
    let sandbox = Sandbox::new();
    let counterpart = tenon_conformance::Counterpart::start();
    let guest = sandbox
        .guest("a_well_behaved")
        .allowed(&counterpart.url(""));
    for attempt in 0..2 {
        let run = guest.run();
        run.assert_done();
        let counts = (run.report.created, run.report.failed, run.report.requests);
        assert_eq!((1, 1, 2), counts, "{run:?}");
        assert!(run.logged(&["all is well"]));
        assert_eq!(1, run.heard.rejected.len());
        let of = |side: Side| run.heard.written.iter().filter(move |one| one.side == side);
        assert_eq!(1, of(Side::Counterpart).count());
        // The second one finds all as it is to be.
        assert_eq!(
            attempt == 0,
            of(Side::Platform).any(|one| one.record_kind == "order")
        );
        assert_eq!(2 * (attempt + 1), counterpart.hits());
    }
    let contents = sandbox.contents("shop");
    for table in ["products", "orders", "partners", "bindings", "timers"] {
        assert_eq!(1, contents[table].len(), "{table}: {:?}", contents[table]);
    }
}

/// Lets the guest that makes four records count them in some way; answers with what is reported, and
/// with the code of the warning.
fn counted(argument: &str) -> ((u64, u64), Option<String>) {
    let sandbox = Sandbox::new();
    let run = sandbox.guest("count_wrongly").argument(argument).run();
    let report = &run.report;
    let written: Vec<(&str, u64)> = (report.written.iter())
        .map(|written| (written.kind.as_str(), written.created))
        .collect();
    match argument {
        // What was written to the platform was undone; the counterpart has what it has.
        "fault" => assert_eq!(vec![("contact", 1)], written),
        _ => assert_eq!(vec![("product", 3), ("contact", 1)], written),
    }
    // What is kept is what is reported, and people find the warning in the log.
    let kept = &sandbox.contents("shop")["runs"];
    let counts = format!(
        "\"created\":{},\"updated\":{}",
        report.created, report.updated
    );
    assert!(kept[0].contains(&counts), "{kept:?}");
    let warning = report.warnings.first();
    assert_eq!(warning.is_some(), run.logged(&["the connector counted"]));
    if let Some(warning) = warning {
        assert!(run.logged(&[&warning.text]), "{run:?}");
    }
    let code = warning.map(|warning| warning.why.code.clone());
    ((report.created, report.updated), code)
}

#[test]
fn count_wrongly_and_say_nothing_is_counted_by_the_host_with_a_warning() {
    let silent = Some("host.not-counted".to_owned());
    assert_eq!(((4, 0), silent.clone()), counted("silent"));
    assert_eq!(((1, 0), silent), counted("fault"));
    // What comes after its last word is added to that.
    assert_eq!(((4, 0), None), counted("before"));
}

#[test]
fn count_wrongly_gives_way_to_what_the_host_saw_with_a_warning() {
    let otherwise = Some("host.counted-otherwise".to_owned());
    assert_eq!(((4, 0), otherwise), counted("more"));
    let not_counted = Some("host.not-counted".to_owned());
    assert_eq!(((4, 0), not_counted), counted("none"));
    // Its own way to count, which says more than nothing.
    assert_eq!(((2, 0), None), counted("less"));
    assert_eq!(((3, 0), None), counted("right"));
    assert_eq!(((4, 0), None), counted("all"));
}

#[test]
fn spin_for_ever_is_stopped_at_its_deadline() {
    let run = ended_half_way("spin_for_ever", json!({ "compute_ms": 200 }));
    run.assert_crashed(&["computed for more than 0.2 s without a checkpoint"]);
}

/// Runs a guest that does not end by itself; passes when another tenant's job, begun beside it on the
/// same thread, is done while the guest still runs.
fn runs_beside_a_neighbour(guest: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let an_hour = json!({ "compute_ms": 3_600_000, "elapsed_ms": 3_600_000 });
    let hostile = sandbox.guest(guest).limits(an_hour);
    sandbox.block_on(async {
        tokio::select! {
            biased;
            run = hostile.start() => panic!("it ended: {run:?}"),
            run = sandbox.neighbours_job() => run.assert_done(),
        }
    });
    sandbox.neighbour_is_well();
    sandbox
}

#[test]
fn spin_for_ever_lets_another_tenants_job_finish_beside_it() {
    let sandbox = runs_beside_a_neighbour("spin_for_ever");
    // It was dropped where it stood, as when the host is shut down.
    assert_eq!(TRACES.as_slice(), sandbox.tables_with("shop", "kept"));
    assert!(sandbox.tables_with("shop", "lost").is_empty());
}

#[test]
fn spin_in_host_calls_lets_another_tenants_job_finish_beside_it() {
    runs_beside_a_neighbour("spin_in_host_calls");
}

#[test]
fn checkpoint_for_ever_lets_another_tenants_job_finish_beside_it() {
    runs_beside_a_neighbour("checkpoint_for_ever");
}

#[test]
fn sleep_for_ever_is_stopped_although_it_computes_nothing() {
    let limits = json!({ "compute_ms": 30_000, "elapsed_ms": 200 });
    let run = ended_half_way("sleep_for_ever", limits);
    run.assert_crashed(&["took more than 0.2 s without a checkpoint"]);
}

#[test]
fn trap_in_run_leaves_what_was_committed_and_nothing_else() {
    ended_half_way("trap_in_run", json!({})).assert_crashed(&["trapped", "out of bounds"]);
}

#[test]
fn panic_in_run_is_told_with_its_message_and_its_place() {
    let run = ended_half_way("panic_in_run", json!({}));
    let message = "the component panicked: the marble fell off the table, ";
    run.assert_crashed(&[message, "panic_in_run.rs:"]);
    assert!(run.logged(&["panic_in_run.rs:"]), "{run:?}");
    assert!(run.logged(&["the marble fell off the table"]), "{run:?}");
}

#[test]
fn exit_the_process_ends_the_run_and_no_process() {
    ended_half_way("exit_the_process", json!({})).assert_crashed(&["exit"]);
}

#[test]
fn fail_after_writing_leaves_what_was_committed_and_nothing_else() {
    let run = ended_half_way("fail_after_writing", json!({}));
    assert_eq!(Outcome::Transient, run.report.outcome, "{run:?}");
    let error = run.report.error.unwrap_or_default();
    assert!(error.contains("the counterpart sleeps"), "{error}");
}

#[test]
fn checkpoint_for_ever_is_stopped_when_it_does_not_stop_by_itself() {
    let sandbox = Sandbox::new();
    let run = sandbox.guest("checkpoint_for_ever").stopped_at(3).run();
    run.assert_crashed(&["went on after it was asked to stop"]);
}

/// Ends a run as soon as what was heard of it is enough, while it asks for this path.
fn ended_while_asking(path: &str, enough: fn(&Heard, usize) -> bool) -> (Run, Counterpart) {
    let counterpart = Counterpart::start();
    let hits = counterpart.counter();
    let run = half_way("wait_for_answer", |guest| {
        let guest = guest.allowed(&counterpart.url(path)).budgeted();
        guest.ended_when(move |heard| enough(heard, hits()))
    });
    (run, counterpart)
}

#[test]
fn wait_for_answer_is_ended_at_once_with_its_request() {
    let (run, counterpart) = ended_while_asking("/silent", |_, hits| hits == 1);
    run.assert_ended("stopped by a person while it waited for the counterpart");
    assert_eq!(1, counterpart.hits());
}

#[test]
fn wait_for_answer_is_ended_at_once_while_its_repetition_waits() {
    let waits = |heard: &Heard, _| {
        let mut lines = heard.log.iter();
        lines.any(|line| line.message.contains("again in 60.0 s"))
    };
    for path in ["/down", "/busy"] {
        let (run, counterpart) = ended_while_asking(path, waits);
        run.assert_ended("stopped by a person while it waited for the counterpart");
        assert_eq!(1, counterpart.hits());
    }
}

#[test]
fn wait_for_answer_is_ended_at_once_while_it_waits_for_its_turn() {
    let sandbox = Sandbox::new();
    let counterpart = Counterpart::start();
    let guest = |path: &str| {
        let guest = sandbox.guest("wait_for_answer");
        guest.allowed(&counterpart.url(path)).budgeted()
    };
    // Whoever shares the account is told to be silent for a minute.
    let refused = |heard: &Heard| !heard.exchanges.is_empty();
    guest("/busy").ended_when(refused).run().assert_ended("");
    let began = Instant::now();
    let for_a_moment = move |_: &Heard| began.elapsed() > Duration::from_secs(1);
    let run = guest("/")
        .connection("other")
        .ended_when(for_a_moment)
        .run();
    run.assert_ended("while it waited for the counterpart");
    assert_eq!((1, 0), (counterpart.hits(), run.report.requests));
}

#[test]
fn spin_for_ever_is_ended_within_moments() {
    let run = half_way("spin_for_ever", |guest| {
        guest.ended_when(|heard| heard.passed > 0)
    });
    run.assert_ended("stopped by a person between two checkpoints");
}

#[test]
fn sleep_for_ever_is_ended_within_moments() {
    let run = half_way("sleep_for_ever", |guest| {
        guest.ended_when(|heard| heard.passed > 0)
    });
    run.assert_ended("stopped by a person between two checkpoints");
}

#[test]
fn sleep_for_ever_in_every_place_keeps_no_run_waiting_that_is_to_end() {
    let sandbox = Sandbox::new();
    let asleep = Arc::new(Semaphore::new(0));
    let sleepers: Vec<_> = (0..Sandbox::PLACES)
        .map(|number| {
            let (asleep, told) = (Arc::clone(&asleep), Once::new());
            let guest = sandbox.guest("sleep_for_ever");
            (guest.tenant(&format!("sleeper-{number}"))).ended_when(move |heard| {
                if heard.passed > 0 {
                    told.call_once(|| asleep.add_permits(1));
                }
                false
            })
        })
        .collect();
    let late = sandbox.guest("sleep_for_ever").ended_when(|_| true);
    let late = async {
        let _ = asleep.acquire_many(Sandbox::PLACES).await;
        late.start().await
    };
    sandbox.block_on(async {
        tokio::select! {
            biased;
            runs = join_all(sleepers.iter().map(Guest::start)) => panic!("{runs:?}"),
            run = late => run.assert_ended("stopped by a person before it began"),
        }
    });
}

#[test]
fn checkpoint_for_ever_is_told_to_stop_before_it_is_ended() {
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("checkpoint_for_ever");
    let run = guest.ended_when(|heard| heard.passed > 2).run();
    run.assert_crashed(&["went on after it was asked to stop"]);
}

#[test]
fn trap_in_check_is_told_to_who_asked() {
    let error = Sandbox::new().guest("trap_in_check").check().unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("panicked: ") && error.contains("trap_in_check.rs:"),
        "{error}"
    );
}

#[test]
fn trap_in_choices_is_told_to_who_asked() {
    let sandbox = Sandbox::new();
    let error = sandbox.guest("trap_in_choices").choices("any").unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
}

#[test]
fn trap_elsewhere_leaves_what_was_committed_and_nothing_else() {
    let sandbox = Sandbox::new();
    let guest = |tenant: &str| sandbox.guest("trap_elsewhere").tenant(tenant);
    for (tenant, answer) in [
        ("enabled", guest("enabled").enable()),
        ("disabled", guest("disabled").disable()),
    ] {
        let error = answer.unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
        let kept = sandbox.tables_with(tenant, "kept");
        assert_eq!(TRACES.as_slice(), kept, "{tenant}");
        assert!(sandbox.tables_with(tenant, "lost").is_empty(), "{tenant}");
    }
    // A migration is kept as a whole or not at all, whatever the component takes for a checkpoint.
    let error = guest("migrated").migrate(0).unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    for word in ["kept", "lost"] {
        assert!(sandbox.tables_with("migrated", word).is_empty(), "{word}");
    }
    assert!(sandbox.contents("migrated")["snapshots"].is_empty());
    // A webhook is only looked at; the jobs that it leads to do the work.
    let error = guest("told").receive("orders").unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    assert!(sandbox.tables_with("told", "kept").is_empty());
}

#[test]
fn write_when_only_asked_leaves_no_trace() {
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("write_when_only_asked");
    guest.check().unwrap();
    assert!(guest.choices("any").unwrap().is_empty());
    guest.clone().preview().run().assert_done();
    assert!(sandbox.tables_with("shop", "sneaked").is_empty());
    assert!(sandbox.contents("shop")["runs"].is_empty());

    guest.run().assert_done();
    assert_eq!(TRACES.as_slice(), sandbox.tables_with("shop", "sneaked"));
}

#[test]
fn a_migration_is_called_for_another_version_only_and_can_be_taken_back_in_both_cases() {
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("write_when_only_asked");
    guest.run().assert_done();
    assert!(!guest.restore(0), "there is nothing to go back to");
    let snapshot = ["snapshot_bindings", "snapshot_storage", "snapshot_timers"];
    for from_version in [0, 1] {
        guest.migrate(from_version).unwrap();
        let mut tables = sandbox.tables_with("shop", "sneaked");
        tables.retain(|table| table.starts_with("snapshot"));
        assert_eq!(snapshot.as_slice(), tables);
        assert!(guest.restore(from_version));
        assert_eq!(TRACES.as_slice(), sandbox.tables_with("shop", "sneaked"));
    }
    // It panics whenever it is asked to migrate, and is not asked by its own version.
    let guest = sandbox.guest("trap_elsewhere");
    guest.migrate(1).unwrap();
    guest.migrate(0).unwrap_err();
}

#[test]
fn a_run_of_a_host_whose_lease_was_taken_over_changes_nothing() {
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("write_when_only_asked");
    // A preview changes nothing either, but it takes the work over.
    let preview = guest.clone().preview().fenced(2).run();
    preview.assert_done();

    let late = guest.clone().fenced(1).run();
    assert_eq!(Outcome::Transient, late.report.outcome);
    let error = late.report.error.unwrap_or_default();
    assert!(error.contains("taken over"), "{error}");
    assert!(sandbox.tables_with("shop", "sneaked").is_empty());
    assert!(sandbox.contents("shop")["runs"].is_empty());

    guest.fenced(2).run().assert_done();
    assert_eq!(TRACES.as_slice(), sandbox.tables_with("shop", "sneaked"));
}
