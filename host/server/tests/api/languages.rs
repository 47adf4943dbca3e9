//! What is told, in the language of who asks.

use serde_json::{Value, json};
use tenon_host::reason::{Mend, Reason};

use super::support::Server;

const LOG: &str = "/v1/tenants/shop/log";

/// A server whose tenant `shop`, which speaks Ukrainian, has some lines in its log.
fn with_lines(lines: &[(&str, Option<Reason>)]) -> Server {
    let server = Server::new();
    server.make_tenant("shop");
    let db = rusqlite::Connection::open(server.data().join("control.sqlite")).unwrap();
    for (message, why) in lines {
        let why = why.as_ref().map(|why| serde_json::to_string(why).unwrap());
        db.execute(
            "INSERT INTO run_log (tenant, connection, job, at, level, message, why)
             VALUES ('shop', 'crm', 'orders', 1700000000000, 'warn', ?1, ?2)",
            rusqlite::params![message, why],
        )
        .unwrap();
    }
    server
}

/// The lines in a language, and which that is.
fn lines(server: &Server, accepted: &str) -> (Vec<Value>, String) {
    let answer = server.ask("GET", LOG).header("accept-language", accepted);
    let answer = answer.send();
    let language = answer.header("content-language").unwrap_or_default();
    let items = answer.expect(200)["items"].as_array().unwrap().clone();
    (items, language.to_owned())
}

#[test]
fn a_line_is_told_in_the_language_of_who_asks_else_in_that_of_the_tenant() {
    let why = Reason::new("host.limit.requests").arg("most", 20);
    let server = with_lines(&[("the run used up its 20 requests", Some(why))]);
    for (accepted, language, text) in [
        ("en", "en", "the run used up its 20 requests"),
        ("ru-RU", "ru", "запуск исчерпал свои 20 запросов"),
        ("uk", "uk", "запуск вичерпав свої 20 запитів"),
        ("de", "uk", "запуск вичерпав свої 20 запитів"),
    ] {
        let (lines, spoken) = lines(&server, accepted);
        assert_eq!(text, lines[0]["message"], "{accepted}");
        assert_eq!(language, spoken, "{accepted}");
        assert_eq!("host.limit.requests", lines[0]["why"]["code"]);
        assert_eq!(json!({ "most": "20" }), lines[0]["why"]["args"]);
    }
}

#[test]
fn what_has_no_text_any_more_is_told_as_it_was_kept_then() {
    let why = Reason::new("order.of-an-older-version")
        .mend(Mend::Setting("period.from".to_owned()))
        .detail("HTTP 418");
    let server = with_lines(&[("kept then", Some(why)), ("older still", None)]);
    let (lines, _) = lines(&server, "uk");
    let line = |text: &str| lines.iter().find(|line| line["message"] == text).unwrap();
    assert_eq!(Value::Null, line("older still")["why"]);
    let why = &line("kept then")["why"];
    assert_eq!(json!({ "setting": "period.from" }), why["mend"]);
    assert_eq!("HTTP 418", why["detail"]);
}

#[test]
fn a_refusal_tells_its_code_and_arguments_beside_the_text() {
    let server = Server::new();
    let asking = server.ask("GET", "/v1/tenants/nobody");
    let problem = asking.send().problem(404, "not_found");
    let why = json!({
        "code": "server.not_found",
        "args": { "what": "tenant", "name": "nobody" },
        "mend": null,
        "detail": null,
    });
    assert_eq!(why, problem["why"]);
}

#[test]
fn a_component_that_is_none_is_refused_in_three_languages() {
    let server = Server::new();
    for (language, text) in [
        ("en", "the component cannot be used"),
        ("uk", "компонент непридатний"),
        ("ru", "компонент непригоден"),
    ] {
        let asking = server.ask("POST", "/v1/versions");
        let asking = asking.header("accept-language", language);
        let sent = asking.body("application/wasm", *b"no component").send();
        let problem = sent.problem(422, "bad_component");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with(text), "{detail}");
        assert_eq!("host.install.unusable", problem["why"]["code"]);
        assert!(problem["why"]["detail"].is_string(), "{problem}");
    }
}
