//! A guest reaches its counterpart and nothing else, by whatever name, spelling or detour. It gets
//! an error, the log names the rule, and nobody else sees a connection.

use std::net::{IpAddr, UdpSocket};

use serde_json::json;
use tenon_conformance::{Bystander, Counterpart, NameServer, Run, Sandbox};
use tenon_host::NetworkOptions;

/// Passes a run whose only request the host refused by the rule with these words.
fn assert_refused(run: &Run, rule: &str) {
    run.assert_done();
    assert!(run.logged(&["no answer"]), "{run:?}");
    let denied = run.logged(&["HttpRequestDenied"]) || run.logged(&["DestinationIpProhibited"]);
    assert!(denied, "{run:?}");
    assert_eq!(1, run.lines_with(&["request refused", rule]), "{run:?}");
}

/// A sandbox that asks this name server.
fn told_by(names: &NameServer) -> Sandbox {
    Sandbox::in_network(NetworkOptions {
        name_servers: vec![names.address()],
        ..NetworkOptions::default()
    })
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

// ---- addresses

#[test]
fn fetch_from_this_machine_is_refused_by_address_and_by_name() {
    let sandbox = Sandbox::new();
    let bystander = Bystander::on("127.0.0.1");
    let port = bystander.address().port();
    for host in ["127.0.0.1", "localhost", "127.8.9.10", "[::1]", "0.0.0.0"] {
        let run = sandbox
            .guest("fetch")
            .at(&format!("https://{host}:{port}"))
            .run();
        let rule = if host == "0.0.0.0" {
            "reserved"
        } else {
            "this machine"
        };
        assert_refused(&run, rule);
        assert_eq!(0, bystander.connections(), "{host}");
    }
}

#[test]
fn fetch_from_this_machine_is_possible_with_a_grant() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    for host in ["127.0.0.1", "localhost"] {
        let url = counterpart.url("/").replace("127.0.0.1", host);
        let run = sandbox.guest("fetch").allowed(&url).run();
        assert!(run.logged(&["200 with 5 bytes"]), "{host}: {run:?}");
    }
    assert_eq!(2, counterpart.hits());
}

#[test]
fn fetch_over_plain_http_is_refused() {
    let sandbox = Sandbox::new();
    let bystander = Bystander::on("127.0.0.1");
    let url = format!("http://{}", bystander.address());
    assert_refused(&sandbox.guest("fetch").at(&url).run(), "not https");
    assert_eq!(0, bystander.connections());
}

#[test]
fn fetch_from_a_metadata_service_is_refused_even_with_a_grant() {
    let sandbox = Sandbox::new();
    for url in [
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254",
        "http://169.254.170.2",
        "http://100.100.100.200",
        "http://[fd00:ec2::254]",
        "http://[::ffff:169.254.169.254]",
        "http://[64:ff9b::a9fe:a9fe]",
        "http://2852039166",
    ] {
        let run = sandbox.guest("fetch").allowed(url).run();
        assert_refused(&run, "metadata service");
    }
}

#[test]
fn fetch_from_an_address_inside_another_is_refused() {
    let sandbox = Sandbox::new();
    let bystander = Bystander::on("127.0.0.1");
    let port = bystander.address().port();
    for (host, rule) in [
        ("[::ffff:127.0.0.1]", "this machine"),
        ("[::ffff:10.0.0.1]", "private network"),
        ("[::127.0.0.1]", "this machine"),
        ("[64:ff9b::a00:1]", "private network"),
        ("[64:ff9b::7f00:1]", "this machine"),
        ("[64:ff9b:1::7f00:1]", "tunnel"),
        ("[2002:7f00:1::]", "tunnel"),
        ("[2001:0:7f00:1::]", "tunnel"),
    ] {
        let run = sandbox
            .guest("fetch")
            .at(&format!("https://{host}:{port}"))
            .run();
        assert_refused(&run, rule);
        assert_eq!(0, bystander.connections(), "{host}");
    }
}

// ---- names

#[test]
fn fetch_by_a_name_asks_the_given_servers() {
    let names = NameServer::start(|_| addresses(&["127.0.0.1"]));
    let (sandbox, counterpart) = (told_by(&names), Counterpart::start());
    let port = counterpart.address().port();
    let url = format!("http://counterpart.example.com:{port}/");
    let run = sandbox.guest("fetch").allowed(&url).run();
    assert!(run.logged(&["200 with 5 bytes"]), "{run:?}");
    assert!(names.questions() > 0);
    assert_eq!(1, counterpart.hits());
}

#[test]
fn fetch_by_a_name_with_a_private_address_is_refused() {
    let bystander = Bystander::on("127.0.0.1");
    let port = bystander.address().port();
    for (answer, rule) in [
        (&["127.0.0.1"][..], "this machine"),
        (&["10.0.0.1"], "private network"),
        (&["::ffff:127.0.0.1"], "this machine"),
        (&["169.254.169.254"], "metadata"),
        // One good address does not excuse the other.
        (&["3ffe::1", "127.0.0.1"], "this machine"),
        (&["192.31.196.1", "127.0.0.1"], "this machine"),
        (&["127.0.0.1", "192.31.196.1"], "this machine"),
    ] {
        let names = NameServer::start(move |_| addresses(answer));
        let sandbox = told_by(&names);
        let url = format!("https://counterpart.example.com:{port}");
        assert_refused(&sandbox.guest("fetch").at(&url).run(), rule);
        assert!(names.questions() > 0);
        assert_eq!(0, bystander.connections(), "{answer:?}");
    }
}

#[test]
fn fetch_by_a_name_of_a_metadata_service_is_refused_even_with_a_grant() {
    let names = NameServer::start(|_| addresses(&["169.254.169.254"]));
    let sandbox = told_by(&names);
    let url = "http://counterpart.example.com";
    let run = sandbox.guest("fetch").allowed(url).run();
    assert_refused(&run, "metadata");
}

#[test]
fn fetch_by_a_name_that_changes_its_mind_is_refused() {
    // An address that is global and nobody's, and at every later look-up this machine.
    let names = NameServer::start(|before| {
        addresses(if before == 0 {
            &["3ffe::1"]
        } else {
            &["127.0.0.1"]
        })
    });
    let sandbox = told_by(&names);
    let bystander = Bystander::on("127.0.0.1");
    let port = bystander.address().port();
    let guest = sandbox.guest("fetch").settings(json!({ "times": 2 }));
    let guest = guest.at(&format!("https://counterpart.example.com:{port}"));
    let run = guest.limits(json!({ "answer_ms": 1_000 })).run();
    run.assert_done();
    assert_eq!(2, run.lines_with(&["no answer"]), "{run:?}");
    assert!(run.logged(&["request refused", "this machine"]), "{run:?}");
    assert!(names.questions() >= 2);
    assert_eq!(0, bystander.connections());
}

// ---- other places, other spellings

#[test]
fn fetch_from_another_origin_is_refused() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let other = Counterpart::start();
    let port = counterpart.address().port();
    for target in [
        other.url("/"),
        format!("https://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://127.0.0.1.nip.example:{port}/"),
        "https://collector.example/?loot=all".to_owned(),
        format!("http://127.0.0.1:{port}@{}/", other.address()),
    ] {
        let guest = sandbox.guest("fetch").allowed(&counterpart.url("/"));
        let run = guest.settings(json!({ "target": target })).run();
        assert_refused(&run, "not an endpoint");
    }
    assert_eq!((0, 0), (counterpart.hits(), other.hits()));
}

#[test]
fn fetch_in_odd_spellings_comes_to_the_same() {
    let sandbox = Sandbox::new();
    let bystander = Bystander::on("127.0.0.1");
    let port = bystander.address().port();
    for host in [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
        "localhost.",
        "LOCALHOST",
        "LocalHost",
        "someone@127.0.0.1",
        "[0:0:0:0:0:0:0:1]",
        "[::FFFF:7f00:1]",
    ] {
        let run = sandbox
            .guest("fetch")
            .at(&format!("https://{host}:{port}/"))
            .run();
        assert_refused(&run, "this machine");
        assert_eq!(0, bystander.connections(), "{host}");
    }
}

#[test]
fn fetch_in_spellings_of_another_alphabet_is_no_request() {
    let sandbox = Sandbox::new();
    let bystander = Bystander::on("127.0.0.1");
    let port = bystander.address().port();
    for host in [
        "１２７.0.0.1",
        "ⓛocalhost",
        "127。0。0。1",
        "loc\u{ad}alhost",
    ] {
        let run = sandbox
            .guest("fetch")
            .at(&format!("https://{host}:{port}/"))
            .run();
        run.assert_done();
        assert!(run.logged(&["no answer"]), "{host}: {run:?}");
        assert_eq!((0, 0), (bystander.connections(), run.report.requests));
    }
}

#[test]
fn fetch_with_a_login_in_the_url_is_refused() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    for login in ["someone", "someone:else", ":else"] {
        let url = counterpart.url("/").replace("://", &format!("://{login}@"));
        let run = sandbox.guest("fetch").allowed(&url).run();
        assert_refused(&run, "login into a URL");
    }
    assert_eq!(0, counterpart.hits());
}

// ---- redirects

#[test]
fn follow_redirect_to_a_forbidden_place_is_refused() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let (other, bystander) = (Counterpart::start(), Bystander::on("127.0.0.1"));
    for place in [
        other.url("/"),
        format!("http://{}", bystander.address()),
        format!("https://localhost:{}", bystander.address().port()),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "https://10.0.0.1/".to_owned(),
        "https://collector.example/".to_owned(),
    ] {
        let url = counterpart.url(&format!("/redirect?to={place}"));
        let run = sandbox.guest("follow_redirect").allowed(&url).run();
        run.assert_done();
        assert!(run.logged(&["302: sent to", &place]), "{run:?}");
        let refused = run.logged(&["did not arrive", "HttpRequestDenied"]);
        assert!(refused, "{place}: {run:?}");
        assert!(
            run.logged(&["request refused", "not an endpoint"]),
            "{run:?}"
        );
    }
    assert_eq!(6, counterpart.hits());
    assert_eq!((0, 0), (other.hits(), bystander.connections()));
}

#[test]
fn follow_redirect_within_the_endpoint_is_possible() {
    let (sandbox, counterpart) = (Sandbox::new(), Counterpart::start());
    let url = counterpart.url(&format!("/redirect?to={}", counterpart.url("/")));
    let run = sandbox.guest("follow_redirect").allowed(&url).run();
    assert!(run.logged(&["arrived: 200"]), "{run:?}");
    assert_eq!(2, counterpart.hits());
}

// ---- past HTTP

/// Passes a run that tried ways into the system, and found none.
fn assert_inert(run: &Run) {
    run.assert_done();
    assert!(run.logged(&["tried", "ways"]), "{run:?}");
    assert_eq!(0, run.lines_with(&["got in"]), "{run:?}");
}

#[test]
fn use_sockets_gets_none_and_nobody_hears_of_it() {
    let sandbox = Sandbox::new();
    let bystander = Bystander::on("127.0.0.1");
    let datagrams = UdpSocket::bind(bystander.address()).unwrap();
    datagrams.set_nonblocking(true).unwrap();
    let listening = bystander.address().to_string();
    let guest = sandbox.guest("use_sockets");
    let run = guest.settings(json!({ "listening": listening })).run();
    assert_inert(&run);
    assert_eq!(0, bystander.connections());
    assert!(datagrams.recv(&mut [0; 16]).is_err());
}

#[test]
fn use_files_gets_none_and_leaves_none() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let sandbox = Sandbox::new();
    let guest = sandbox.guest("use_files").argument(trace.to_str().unwrap());
    assert_inert(&guest.run());
    assert!(!trace.exists());
}
