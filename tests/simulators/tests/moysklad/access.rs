//! Who is let in, how often, and with which headers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tenon_simulators::limit::Windows;
use tenon_simulators::moysklad::{self, Account, Config, LimitHeaders, Limits, Simulator};

use crate::client::{
    Answer, LOGIN, PASSWORD, TOKEN, behaving, config, get, json, over, post, request,
};

fn basic(password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{LOGIN}:{password}")))
}

fn as_who(sim: &Simulator, method: &str, path: &str, who: &str) -> Result<Answer> {
    request(method, &format!("{}{path}", sim.url()))
        .header("Authorization", who)
        .send("")
}

fn limited(limits: Limits) -> Result<Simulator> {
    let config = Config { limits, ..config() };
    Ok(moysklad::start_with(config, Account::empty())?)
}

/// The head of the answer to a request with these headers.
fn head(sim: &Simulator, headers: &str) -> Result<(String, Vec<u8>)> {
    let mut connection = TcpStream::connect(sim.address())?;
    write!(
        connection,
        "GET /api/remap/1.2/entity/currency HTTP/1.1\r\nhost: simulator\r\n\
         authorization: Bearer {TOKEN}\r\nconnection: close\r\n{headers}\r\n"
    )?;
    let mut bytes = Vec::new();
    connection.read_to_end(&mut bytes)?;
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or(bytes.len());
    let body = bytes.split_off((end + 4).min(bytes.len()));
    Ok((String::from_utf8_lossy(&bytes).to_lowercase(), body))
}

#[test]
fn a_client_that_cannot_read_gzip_gets_a_bare_415() -> Result<()> {
    let sim = over(Account::empty())?;
    for headers in [
        "",
        "accept-encoding: identity\r\n",
        "accept-encoding: br, deflate\r\n",
        "accept-encoding: gzip;q=0\r\n",
    ] {
        let (head, body) = head(&sim, headers)?;
        assert!(head.starts_with("http/1.1 415"), "{headers}: {head}");
        assert_eq!(body, b"", "{headers}");
    }
    let (head, body) = head(&sim, "accept-encoding: br, gzip\r\n")?;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("content-encoding: gzip"), "{head}");
    assert!(!body.is_empty());
    let token = request("POST", &format!("{}/security/token", sim.url()))
        .header("Authorization", &basic(PASSWORD))
        .header("Accept-Encoding", "identity")
        .send("")?;
    assert_eq!((token.status, token.text.as_str()), (415, ""));
    Ok(())
}

#[test]
fn a_new_token_revokes_the_one_before() -> Result<()> {
    let sim = over(Account::empty())?;
    let token = || -> Result<String> {
        let answer = as_who(&sim, "POST", "/security/token", &basic(PASSWORD))?;
        let token = answer.json()?["access_token"].as_str().map(str::to_owned);
        Ok(token.unwrap_or_default())
    };
    let employee =
        |token: &str| as_who(&sim, "GET", "/context/employee", &format!("Bearer {token}"));
    let first = token()?;
    assert_eq!(first.len(), 40);
    assert_eq!(employee(&first)?.status, 200);
    let second = token()?;
    assert_ne!(first, second);
    assert_eq!(employee(&first)?.refusal(), (401, 1056));
    assert_eq!(employee(&second)?.json()?["uid"], LOGIN);
    let by_token = as_who(&sim, "POST", "/security/token", &format!("Bearer {second}"))?;
    assert_eq!(by_token.refusal(), (401, 1056));
    Ok(())
}

#[test]
fn wrong_credentials_are_told_in_the_body_and_in_headers() -> Result<()> {
    let sim = over(Account::empty())?;
    let url = format!("{}/entity/store", sim.url());
    let nobody = request("GET", &url).anonymous().send("")?;
    assert_eq!(nobody.refusal(), (401, 1056));
    let wrong = as_who(&sim, "GET", "/entity/store", &basic("wrong"))?;
    assert_eq!(wrong.refusal(), (401, 1056));
    assert_eq!(wrong.header("x-lognex-auth"), Some("401001"));
    let message = wrong.header("x-lognex-auth-message");
    assert!(
        message.is_some_and(|text| text.starts_with("%D0%BD")),
        "{message:?}"
    );
    let right = as_who(&sim, "GET", "/entity/store", &basic(PASSWORD))?;
    assert_eq!(right.status, 200);
    sim.account(|account| account.access.application_token = None);
    assert_eq!(get(&sim, "/entity/store")?.refusal(), (401, 1056));
    Ok(())
}

#[test]
fn a_user_and_an_application_have_contexts_of_their_own() -> Result<()> {
    let sim = over(Account::empty())?;
    let application = json(&sim, "/context/application")?;
    assert_eq!(application["appUid"], "tenon.simulated@test");
    assert_eq!(get(&sim, "/context/employee")?.code(), 55006);
    let user = basic(PASSWORD);
    assert_eq!(as_who(&sim, "GET", "/context/employee", &user)?.status, 200);
    assert_eq!(
        as_who(&sim, "GET", "/context/application", &user)?.code(),
        55005
    );
    Ok(())
}

#[test]
fn the_limit_weighs_requests_by_who_sends_them_and_what_they_cost() -> Result<()> {
    let sim = limited(Limits {
        units: Some(45),
        window: Duration::from_secs(3600),
        ..Limits::default()
    })?;
    let left = |answer: Answer| answer.header("x-ratelimit-remaining").map(str::to_owned);
    let plain = get(&sim, "/entity/store")?;
    assert_eq!(plain.header("x-ratelimit-limit"), Some("45"));
    assert_eq!(plain.header("x-lognex-retry-timeinterval"), Some("3600000"));
    assert_eq!(plain.header("x-lognex-reset"), Some("0"));
    assert_eq!(plain.header("x-lognex-retry-after"), None);
    assert_eq!(left(plain).as_deref(), Some("44"));
    assert_eq!(left(get(&sim, "/report/stock/all")?).as_deref(), Some("39"));
    assert_eq!(
        left(get(&sim, "/report/stock/all/current")?).as_deref(),
        Some("38")
    );
    // The administrator is counted apart, and pays more.
    let user = as_who(&sim, "GET", "/entity/store", &basic(PASSWORD))?;
    assert_eq!(left(user).as_deref(), Some("41"));
    sim.account(|account| account.access.published = false);
    assert_eq!(left(get(&sim, "/entity/store")?).as_deref(), Some("34"));
    Ok(())
}

#[test]
fn a_request_over_the_limit_is_told_how_many_milliseconds_to_wait() -> Result<()> {
    let sim = limited(Limits {
        units: Some(1),
        window: Duration::from_secs(3600),
        windows: Windows::Fixed,
        ..Limits::default()
    })?;
    assert_eq!(sim.turned_away(), (0, 0));
    assert_eq!(get(&sim, "/entity/store")?.status, 200);
    let over = get(&sim, "/entity/store")?;
    assert_eq!(over.refusal(), (429, 1049));
    let wait: u64 = over
        .header("x-lognex-retry-after")
        .unwrap_or_default()
        .parse()?;
    assert!((3_000_000..=3_600_000).contains(&wait), "{wait}");
    assert_eq!(over.header("x-ratelimit-remaining"), Some("0"));
    assert_eq!(sim.turned_away(), (1, 0));
    Ok(())
}

#[test]
fn headers_of_the_limit_may_come_only_with_the_answer_over_it() -> Result<()> {
    let limits = Limits {
        units: Some(1),
        window: Duration::from_secs(3600),
        ..Limits::default()
    };
    let mut config = Config { limits, ..config() };
    config.behaviour.limit_headers = LimitHeaders::OnlyOver;
    let sim = moysklad::start_with(config, Account::empty())?;
    assert_eq!(
        get(&sim, "/entity/store")?.header("x-ratelimit-limit"),
        None
    );
    assert_eq!(
        get(&sim, "/entity/store")?.header("x-ratelimit-limit"),
        Some("1")
    );
    Ok(())
}

#[test]
fn the_limit_that_is_told_may_be_divided_by_what_the_caller_pays() -> Result<()> {
    let mut config = Config {
        limits: Limits {
            window: Duration::from_secs(3600),
            ..Limits::default()
        },
        ..config()
    };
    config.behaviour.limit_divided = true;
    let sim = moysklad::start_with(config, Account::empty())?;
    let user = as_who(&sim, "GET", "/entity/store", &basic(PASSWORD))?;
    assert_eq!(user.header("x-ratelimit-limit"), Some("11"));
    assert_eq!(user.header("x-ratelimit-remaining"), Some("10"));
    assert_eq!(
        get(&sim, "/entity/store")?.header("x-ratelimit-limit"),
        Some("45")
    );
    Ok(())
}

#[test]
fn one_request_too_many_at_once_is_refused_without_a_time_to_wait() -> Result<()> {
    let sim = limited(Limits {
        parallel: Some(1),
        ..Limits::none()
    })?;
    // The server waits for the body that this request promises, and so has it under way.
    let mut slow = TcpStream::connect(sim.address())?;
    write!(
        slow,
        "POST /api/remap/1.2/entity/store HTTP/1.1\r\nhost: simulator\r\n\
         authorization: Bearer {TOKEN}\r\naccept-encoding: gzip\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: 10000\r\n\r\n"
    )?;
    // Before that another request could be the first, and this one the refused.
    while sim.requests().is_empty() {
        std::thread::yield_now();
    }
    let mut refused = None;
    for _ in 0..10_000 {
        let answer = get(&sim, "/entity/store")?;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("the first request is never under way");
    assert_eq!(refused.refusal(), (429, 1073));
    assert_eq!(refused.header("x-lognex-retry-after"), None);
    assert_eq!(refused.header("x-lognex-auth"), Some("429005"));
    assert_eq!(sim.turned_away(), (0, 1));
    Ok(())
}

#[test]
fn too_many_identical_failures_switch_the_api_off() -> Result<()> {
    let sim = limited(Limits {
        failures: Some(3),
        ..Limits::none()
    })?;
    for _ in 0..3 {
        assert_eq!(get(&sim, "/entity/nonsense")?.refusal(), (412, 1005));
    }
    assert_eq!(get(&sim, "/entity/store")?.status, 200);
    get(&sim, "/entity/nonsense")?;
    assert_eq!(get(&sim, "/entity/store")?.refusal(), (401, 1061));
    Ok(())
}

#[test]
fn wrong_paths_methods_headers_and_bodies_have_codes_of_their_own() -> Result<()> {
    let sim = over(Account::empty())?;
    let url = |path: &str| format!("{}{path}", sim.url());
    assert_eq!(get(&sim, "/nothing/here")?.refusal(), (404, 1002));
    assert_eq!(
        get(&sim, "/entity/product/not-a-key")?.refusal(),
        (400, 1000)
    );
    let method = request("PATCH", &url("/entity/product")).send("")?;
    assert_eq!(method.refusal(), (405, 1039));
    let put = request("PUT", &url("/entity/product")).send("")?;
    assert_eq!(put.refusal(), (400, 1012));
    let accept = request("GET", &url("/entity/product")).header("Accept", "text/xml");
    assert_eq!(accept.send("")?.refusal(), (400, 1062));
    let kind = request("POST", &url("/entity/product")).header("Content-Type", "text/plain");
    assert_eq!(kind.send("{}")?.refusal(), (415, 1037));
    let broken = request("POST", &url("/entity/product"))
        .header("Content-Type", "application/json")
        .send("{\"name\":\n oops}")?;
    assert_eq!(broken.refusal(), (400, 2001));
    assert_eq!(broken.json()?["errors"][0]["line"], 2);
    let mut deep = json!("x");
    for _ in 0..11 {
        deep = json!([deep]);
    }
    assert_eq!(post(&sim, "/entity/product", &deep)?.refusal(), (400, 2006));
    let long = format!("/entity/product?search={}", "a".repeat(9000));
    assert_eq!(get(&sim, &long)?.status, 414);
    Ok(())
}

#[test]
fn a_missing_tariff_closes_what_it_does_not_have() -> Result<()> {
    let sim = behaving(Account::empty(), |behaviour| {
        behaviour.crm = false;
        behaviour.webhooks = false;
    })?;
    assert_eq!(get(&sim, "/report/counterparty")?.refusal(), (403, 1043));
    let webhook =
        json!({ "url": "https://shop.example/x", "action": "CREATE", "entityType": "product" });
    assert_eq!(
        post(&sim, "/entity/webhook", &webhook)?.refusal(),
        (403, 30006)
    );
    Ok(())
}
