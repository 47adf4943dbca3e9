//! The host signs requests; the guest neither sees the credential nor puts another in its place,
//! and finds nothing else of the host's either.

use serde_json::json;
use tenon_conformance::{Counterpart, SECRET, Sandbox};

#[test]
fn send_own_headers_in_place_of_the_hosts_is_refused() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let attempt = |header: &str, value: &str| {
        let guest = sandbox
            .guest("send_own_headers")
            .allowed(&counterpart.url("/"));
        let run = guest
            .settings(json!({ "header": header, "value": value }))
            .run();
        run.assert_done();
        run
    };
    for header in ["authorization", "Authorization", "AUTHORIZATION"] {
        let run = attempt(header, "Bearer mine");
        assert!(run.logged(&["no answer", "HttpRequestDenied"]), "{run:?}");
        let named = ["request refused", "may not set the header `authorization`"];
        assert_eq!(1, run.lines_with(&named), "{run:?}");
    }
    for (header, value) in [
        ("Proxy-Authorization", "Basic bWluZQ=="),
        ("Host", "collector.example"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "upgrade"),
        ("Content-Length", "1000"),
        ("X-Note", "a\r\nAuthorization: Bearer mine"),
        ("X-Note: a\r\nAuthorization", "Bearer mine"),
    ] {
        let run = attempt(header, value);
        assert!(run.logged(&["no answer"]), "{header}: {run:?}");
    }
    assert_eq!(0, counterpart.hits());

    let run = attempt("X-Note", "harmless");
    assert!(run.logged(&["answered 200"]), "{run:?}");
    let seen = &counterpart.seen()[0];
    assert_eq!("harmless", seen.header("x-note"));
    let credentials: Vec<_> = seen.headers.get_all("authorization").iter().collect();
    assert_eq!(vec![&format!("Bearer {SECRET}")], credentials);
}

#[test]
fn steal_credential_finds_it_nowhere_although_the_counterpart_tells_it() {
    let counterpart = Counterpart::start();
    for place in ["body", "gzip", "header", "redirect", "refusal"] {
        let sandbox = Sandbox::new();
        let url = counterpart.url(&format!("/echo/{place}"));
        let run = sandbox.guest("steal_credential").allowed(&url).run();
        run.assert_done();
        let seen = counterpart.seen();
        let last = seen.last().expect("a request");
        assert_eq!(format!("Bearer {SECRET}"), last.header("authorization"));
        assert!(run.logged(&["loot"]), "{run:?}");

        let everything = format!("{run:?} {:?}", sandbox.contents("shop"));
        assert!(everything.len() > 500, "{everything}");
        assert!(!everything.contains(SECRET), "{place}: {everything}");
        assert!(run.logged(&["no answer"]), "{place}: {run:?}");
        assert!(run.logged(&["repeats the credential"]), "{place}: {run:?}");
    }
}

#[test]
fn steal_credential_gets_an_answer_that_does_not_tell_it() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let run = sandbox
        .guest("steal_credential")
        .allowed(&counterpart.url("/"))
        .run();
    run.assert_done();
    assert!(run.logged(&["answered 200"]), "{run:?}");
    assert_eq!(vec!["storage"], sandbox.tables_with("shop", "hello"));
}

#[test]
fn look_around_prints_to_the_log_and_finds_nothing() {
    let run = Sandbox::new().guest("look_around").run();
    run.assert_done();
    assert!(run.logged(&["printed to stdout"]) && run.logged(&["printed to stderr"]));
    assert!(run.logged(&["looked everywhere"]), "{run:?}");
    assert_eq!(0, run.lines_with(&["found"]), "{run:?}");
}
