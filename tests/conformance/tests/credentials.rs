//! The host signs requests; the guest neither sees the credential nor puts another in its place,
//! and finds nothing else of the host's either.

use serde_json::json;
use tenon_conformance::{Counterpart, SECRET, Sandbox, TOKEN};
use tenon_host::{CallError, Mend};

/// A login and a password, as a credential that is exchanged for a token.
const LOGIN: &str = "login:conformance-passw0rd";

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
        ("Cookie", "session=mine"),
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
        // Of a refusal the status says enough.
        let told = if place == "refusal" {
            "answered 401"
        } else {
            "no answer"
        };
        assert!(run.logged(&[told]), "{place}: {run:?}");
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

/// Asks for a path as a connector that signs with a token; passes when the host sends nothing.
fn ask_for_a_token(path: &str) {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let guest = sandbox.guest("steal_token").key(LOGIN);
    let guest = guest.allowed(&counterpart.url("")).argument(path);
    let run = guest.run();
    run.assert_done();
    let refused = run.logged(&["request refused", "gets tokens"]);
    assert!(refused, "{path}: {run:?}");
    assert_eq!(2, run.lines_with(&["no answer"]), "{path}: {run:?}");
    assert_eq!(0, counterpart.hits(), "{path}");
}

#[test]
fn steal_token_does_not_get_where_the_host_gets_it() {
    for path in ["/token", "/token?again", "/./token", "/elsewhere/../token"] {
        ask_for_a_token(path);
    }
}

#[test]
fn steal_token_does_not_get_there_in_another_spelling_either() {
    for path in ["/%74oken", "/tok%65n"] {
        ask_for_a_token(path);
    }
}

#[test]
fn steal_token_finds_neither_token_nor_login_in_an_answer() {
    let counterpart = Counterpart::start();
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("steal_token").key(LOGIN);
    let run = guest
        .allowed(&counterpart.url(""))
        .argument("/echo/body")
        .run();
    run.assert_done();
    assert_eq!(2, run.lines_with(&["no answer"]), "{run:?}");
    assert!(run.logged(&["repeats the credential"]), "{run:?}");
    assert!(!format!("{run:?}").contains(TOKEN), "{run:?}");
    // The host got it, once, and signed with it.
    let seen = counterpart.seen();
    let paths: Vec<_> = seen.iter().map(|seen| seen.path.as_str()).collect();
    assert_eq!(vec!["/token", "/echo/body", "/echo/body"], paths);
    assert!(seen[0].header("authorization").starts_with("Basic "));
    assert_eq!(format!("Bearer {TOKEN}"), seen[2].header("authorization"));
}

#[test]
fn look_around_prints_to_the_log_and_finds_nothing() {
    let run = Sandbox::new().guest("look_around").run();
    run.assert_done();
    assert!(run.logged(&["printed to stdout"]) && run.logged(&["printed to stderr"]));
    assert!(run.logged(&["looked everywhere"]), "{run:?}");
    assert_eq!(0, run.lines_with(&["found"]), "{run:?}");
}

#[test]
fn take_signed_webhooks_gets_none_that_another_signed_and_never_the_secret() {
    // RFC 4231, test case 2.
    const TAG: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let body = b"what do ya want for nothing?";
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("take_signed_webhooks").key("Jefe");
    let wanted = guest.receive_signed("orders", &[("X-Signature", TAG)], body);
    let wanted = wanted.expect("a webhook of the counterpart");
    let repeated = wanted[0].argument.as_deref().expect("what it got");
    assert!(
        repeated.contains("orders") && !repeated.contains("Jefe"),
        "{repeated}"
    );
    for (headers, body) in [
        (&[("x-signature", TAG)][..], b"something else".as_slice()),
        (&[("x-signature", "00")][..], body.as_slice()),
        (&[][..], body.as_slice()),
    ] {
        let refused = guest.receive_signed("orders", headers, body);
        let Err(CallError::Fault(fault)) = refused else {
            panic!("{refused:?}");
        };
        let reason = fault.reason();
        assert_eq!("host.webhook-not-signed", reason.code);
        assert_eq!(Some(Mend::Credential("api_key".to_owned())), reason.mend);
    }
}
