//! A guest gets so much of each thing and no more, and is told, or stopped, by the name of the
//! limit.

use serde_json::json;
use tenon_conformance::{Counterpart, Sandbox};
use tenon_host::observe::LogLine;
use tenon_host::report::Outcome;

// ---- time, memory, stack

#[test]
fn spin_in_host_calls_is_stopped_at_its_deadline() {
    let sandbox = Sandbox::new();
    for argument in ["settings", "storage"] {
        let guest = sandbox.guest("spin_in_host_calls").argument(argument);
        let limits = json!({ "compute_ms": 200, "elapsed_ms": 1_000 });
        let run = guest.limits(limits).run();
        run.assert_crashed(&["without a checkpoint"]);
    }
}

#[test]
fn grow_memory_ends_at_its_limit() {
    let sandbox = Sandbox::new();
    let run = sandbox
        .guest("grow_memory")
        .limits(json!({ "memory": 16 << 20 }))
        .run();
    run.assert_crashed(&["wanted more than its 16 MiB of memory"]);
}

#[test]
fn hoard_answers_ends_at_the_limit_of_memory_too() {
    let sandbox = Sandbox::new();
    let run = sandbox
        .guest("hoard_answers")
        .limits(json!({ "memory": 16 << 20 }))
        .run();
    run.assert_crashed(&["wanted more than its 16 MiB of memory"]);
}

#[test]
fn recurse_ends_with_its_stack_and_is_told_so() {
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("recurse");
    let run = guest.run();
    run.assert_crashed(&["recursed too deep", "used up its stack of 1 MiB"]);
    let run = guest.argument("data").run();
    run.assert_crashed(&["recursed too deep", "used up the stack in its memory"]);
}

// ---- the log and the report

#[test]
fn flood_log_is_cut_at_the_most_lines_and_ends_well() {
    let sandbox = Sandbox::new();
    for way in ["log", "stdout", "stderr"] {
        let guest = sandbox.guest("flood_log").argument(way);
        let run = guest.limits(json!({ "log_lines": 1_000 })).run();
        run.assert_done();
        let kept = run.lines_with(&["flood"]);
        assert!((990..=1_000).contains(&kept), "{way}: {kept}");
        assert_eq!(1, run.lines_with(&["the log of this run is full"]), "{way}");
    }
}

#[test]
fn flood_log_is_cut_at_the_most_bytes_too() {
    let sandbox = Sandbox::new();
    for way in ["log", "stdout", "stderr"] {
        let guest = sandbox.guest("flood_log").argument(way);
        let run = guest.limits(json!({ "log_bytes": 10_000 })).run();
        run.assert_done();
        let lines = run.heard.log.iter();
        let guests = lines.filter(|line| line.message.contains("flood"));
        let kept: usize = guests.map(|line| line.message.len()).sum();
        assert!((9_000..=10_000).contains(&kept), "{way}: {kept}");
        assert_eq!(1, run.lines_with(&["the log of this run is full"]), "{way}");
    }
}

#[test]
fn long_log_line_is_cut_between_two_characters() {
    let sandbox = Sandbox::new();
    let run = sandbox
        .guest("long_log_line")
        .limits(json!({ "log_line": 1_000 }))
        .run();
    run.assert_done();
    assert_eq!(4, run.heard.log.len(), "{run:.1000?}");
    for line in &run.heard.log {
        let texts = [Some(&line.message), line.record.as_ref()];
        for text in texts.into_iter().flatten() {
            assert!(text.len() <= 1_000 + '…'.len_utf8(), "{}", text.len());
            assert!(!text.contains(char::REPLACEMENT_CHARACTER), "{text}");
        }
    }
    let cut = |text: &str| text.ends_with('…');
    assert_eq!(
        3,
        run.heard
            .log
            .iter()
            .filter(|line| cut(&line.message))
            .count()
    );
}

#[test]
fn forge_log_lines_makes_no_line_and_no_colour() {
    let run = Sandbox::new().guest("forge_log_lines").run();
    let lines = run.heard.log.iter();
    let mut texts: Vec<&str> = lines.clone().map(|line| line.message.as_str()).collect();
    texts.extend(lines.filter_map(|line| line.record.as_deref()));
    for record in run.heard.rejected.iter().chain(&run.report.records) {
        texts.extend([&record.kind, &record.id, &record.reason].map(String::as_str));
    }
    assert_fit_for_people(&texts);
}

#[test]
fn forge_log_lines_makes_none_in_the_history_of_what_was_written() {
    let run = Sandbox::new().guest("forge_log_lines").run();
    let mut texts = Vec::new();
    for written in &run.heard.written {
        texts.extend([&written.record_kind, &written.origin].map(String::as_str));
        for change in &written.changes {
            texts.push(&change.field);
            texts.extend(change.before.as_deref());
            texts.extend(change.after.as_deref());
        }
    }
    assert_fit_for_people(&texts);
}

#[test]
fn forge_log_lines_makes_none_in_its_answers() {
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("forge_log_lines");
    assert_fit_for_people(&[&guest.check().unwrap().name]);
    let (value, label) = &guest.choices("any").unwrap()[0];
    assert_fit_for_people(&[value, label]);
}

#[test]
fn forge_log_lines_is_no_job_that_a_webhook_asks_for() {
    let sandbox = Sandbox::new();
    let wanted = sandbox.guest("forge_log_lines").receive("orders");
    let error = wanted.unwrap_err().to_string();
    assert!(error.contains("no job of its own"), "{error}");
}

/// Passes texts of the guest that do nothing to who reads them but tell what they say.
fn assert_fit_for_people(texts: &[&str]) {
    assert!(texts.iter().any(|text| text.contains("harmless")));
    for text in texts {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

#[test]
fn reject_for_ever_lists_so_many_and_counts_all() {
    let sandbox = Sandbox::new();
    let limits = json!({ "listed_rejects": 50, "log_line": 500 });
    let run = sandbox.guest("reject_for_ever").limits(limits).run();
    run.assert_done();
    assert_eq!(2_000, run.report.failed);
    assert_eq!(50, run.report.records.len());
    for record in run.heard.rejected.iter().chain(&run.report.records) {
        for text in [&record.kind, &record.id, &record.reason] {
            assert!(text.len() <= 500 + '…'.len_utf8(), "{}", text.len());
        }
    }
}

// ---- what people are asked

#[test]
fn ask_for_ever_is_answered_no_and_people_see_a_few_short_questions() {
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("ask_for_ever");
    let run = guest.limits(json!({ "log_line": 500 })).run();
    run.assert_done();
    assert_eq!(1, run.lines_with(&["0 agreed"]));
    assert_eq!(1, run.lines_with(&["more questions than people are shown"]));
    assert_eq!(20, run.report.questions.len());
    for question in &run.report.questions {
        assert_eq!(20, question.samples.len());
        let arguments = question.why.args.iter().map(|(_, value)| value);
        let texts = question
            .samples
            .iter()
            .chain([&question.text])
            .chain(arguments);
        for text in texts {
            assert!(text.len() <= 500 + '…'.len_utf8(), "{}", text.len());
            assert!(!text.contains('\n'), "{text}");
        }
    }
}

#[test]
fn ask_for_ever_in_small_portions_is_counted_as_one_large_one() {
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("ask_for_ever").argument("portions");
    let run = guest.clone().run();
    run.assert_done();
    // Two of them are the tenth part of all.
    assert_eq!(1, run.lines_with(&["2 portions may go"]));
    assert_eq!(18, run.report.questions.len());
    let strict = json!({ "brake_records": 0, "brake_percent": 0 });
    let run = guest.clone().limits(strict).run();
    assert_eq!(1, run.lines_with(&["0 portions may go"]));
    let run = guest.limits(json!({ "brake_percent": 100 })).run();
    assert_eq!(1, run.lines_with(&["20 portions may go"]));
    assert!(run.report.questions.is_empty());
}

#[test]
fn ask_for_ever_about_made_up_kinds_gets_no_further_than_a_hundred() {
    let sandbox = Sandbox::new();
    let run = sandbox.guest("ask_for_ever").argument("kinds").run();
    run.assert_done();
    assert_eq!(1, run.lines_with(&["110 records may go"]));
    assert_eq!(20, run.report.questions.len());
}

#[test]
fn ask_for_ever_gets_a_yes_for_what_people_agreed_to_and_for_nothing_else() {
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("ask_for_ever").argument("once");
    let asked = guest.clone().preview().run();
    assert_eq!(1, asked.lines_with(&["it may: false"]));
    let question = &asked.report.questions[0];
    assert_eq!((180, 200), (question.affected, question.total));
    let other = guest.clone().confirmed(&"0".repeat(24)).run();
    assert_eq!(asked.report.questions, other.report.questions);
    for guest in [guest.clone(), guest.preview()] {
        let agreed = guest.confirmed(&question.id).run();
        assert_eq!(1, agreed.lines_with(&["it may: true"]));
        assert!(agreed.report.questions.is_empty());
    }
}

#[test]
fn fault_of_a_mebibyte_is_cut() {
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("fault_of_a_mebibyte");
    assert_eq!(Outcome::Configuration, guest.run().report.outcome);
    assert!(guest.check().is_err());
    assert!(guest.choices("any").is_err());
}

// ---- what a connection keeps

#[test]
fn fill_storage_is_refused_at_the_quota_and_keeps_what_was_there() {
    const QUOTA: usize = 100_000;
    let sandbox = Sandbox::new();
    let run = sandbox
        .guest("fill_storage")
        .limits(json!({ "storage": QUOTA }))
        .run();
    run.assert_done();
    assert!(
        run.logged(&["large: refused at", "of 100000 bytes"]),
        "{run:?}"
    );
    assert!(run.logged(&["larger: true"]) && run.logged(&["several: true"]));
    let stored = &sandbox.contents("shop")["storage"];
    // Each row is `connection|key|value|`.
    let bytes: usize = (stored.iter())
        .map(|row| row.len() - "hostile|||".len())
        .sum();
    assert!((QUOTA - 100..=QUOTA).contains(&bytes), "{bytes}");
    let first = stored.iter().find(|row| row.contains("|large0|"));
    assert_eq!(
        Some("hostile|large0||".len() + 10_000),
        first.map(String::len)
    );
}

#[test]
fn set_many_timers_ends_at_the_limit_of_timers() {
    let sandbox = Sandbox::new();
    let guest = sandbox
        .guest("set_many_timers")
        .limits(json!({ "timers": 10 }));
    guest.run().assert_done();
    assert_eq!(10, sandbox.contents("shop")["timers"].len());
    let run = guest.argument("many").run();
    run.assert_crashed(&["more than 10 timers"]);
    assert_eq!(10, sandbox.contents("shop")["timers"].len());
}

#[test]
fn save_huge_record_is_rejected_and_the_others_are_saved() {
    let sandbox = Sandbox::new();
    let run = sandbox.guest("save_huge_record").run();
    run.assert_done();
    for saved in ["first", "last"] {
        assert!(run.logged(&[saved, "Created"]), "{run:?}");
    }
    for refused in ["one large field", "many small ones"] {
        assert!(run.logged(&[refused, "Rejected"]), "{run:?}");
    }
    assert_eq!(2, sandbox.contents("shop")["products"].len());
}

// ---- requests

#[test]
fn spend_requests_is_refused_after_the_last() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let guest = sandbox
        .guest("spend_requests")
        .allowed(&counterpart.url("/"));
    let run = guest.limits(json!({ "requests": 20 })).run();
    run.assert_done();
    assert!(run.logged(&["20 answered, 10 refused"]), "{run:?}");
    assert!(run.logged(&["used up its 20 requests"]), "{run:?}");
    assert_eq!(20, counterpart.hits());
}

#[test]
fn open_many_requests_ends_at_the_limit_of_handles() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let guest = sandbox
        .guest("open_many_requests")
        .allowed(&counterpart.url("/"));
    let run = guest.limits(json!({ "handles": 100 })).run();
    run.assert_crashed(&["more than 100 handles"]);
    assert!(counterpart.hits() <= 100);
}

#[test]
fn send_endless_body_is_refused_at_the_limit() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let guest = sandbox
        .guest("send_endless_body")
        .allowed(&counterpart.url("/"));
    let run = guest.limits(json!({ "request": 1 << 20 })).run();
    run.assert_done();
    assert!(run.logged(&["HttpRequestBodySize"]), "{run:?}");
    // What was written counts in steps of 4 KiB, and a few of them are on their way to the host.
    let written = |line: &LogLine| {
        let bytes = line.message.strip_prefix("wrote ")?.split(' ').next()?;
        bytes.parse::<usize>().ok()
    };
    let written = run.heard.log.iter().find_map(written).expect("a count");
    assert!(
        (1 << 20..=(1 << 20) + (64 << 10)).contains(&written),
        "{written}"
    );
    assert_eq!(0, counterpart.hits());
}

#[test]
fn fetch_of_an_endless_answer_is_cut_at_the_limit() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let guest = sandbox.guest("fetch").allowed(&counterpart.url("/endless"));
    let run = guest.limits(json!({ "response": 1 << 20 })).run();
    run.assert_done();
    assert!(run.logged(&["HttpResponseBodySize", "1048576"]), "{run:?}");
}

#[test]
fn fetch_of_an_answer_that_drips_for_ever_is_given_up() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    for path in ["/drip", "/silent"] {
        let guest = sandbox.guest("fetch").allowed(&counterpart.url(path));
        let run = guest.limits(json!({ "answer_ms": 200 })).run();
        run.assert_done();
        assert!(run.logged(&["no answer", "Timeout"]), "{path}: {run:?}");
    }
}

#[test]
fn fetch_of_an_answer_with_endless_headers_is_refused() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let guest = sandbox.guest("fetch").allowed(&counterpart.url("/headers"));
    let run = guest.run();
    run.assert_done();
    let refused = "an answer was refused: its headers have more than 16384 bytes";
    assert!(run.logged(&[refused]), "{run:?}");
    assert!(run.logged(&["HttpResponseHeaderSectionSize"]), "{run:?}");
}
