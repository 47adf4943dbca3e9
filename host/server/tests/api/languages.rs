//! What is told, in the language of who asks.

use serde_json::{Value, json};
use tenon_host::reason::{Mend, Reason};

use super::support::Server;

const RUN: &str = "01890000-0000-7000-8000-000000000001";
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

/// A paused connection with a run that ended with an error, a warning, a failed record and a question,
/// a request that waits, and the record in the list of failed ones. All of it is kept in English as
/// `kept then`, with one reason.
fn with_trouble(why: &Reason) -> Server {
    let server = with_lines(&[]);
    let db = rusqlite::Connection::open(server.data().join("control.sqlite")).unwrap();
    let why = serde_json::to_value(why).unwrap();
    let record = json!({ "kind": "order", "id": "7", "subject": { "origin": "7" },
        "reason": "kept then", "why": why });
    let question = json!({ "id": "q", "text": "kept then", "why": why, "kind": "product",
        "affected": 18, "total": 20, "samples": ["Filter"] });
    let warning = json!({ "text": "kept then", "why": why });
    let list = |one: Value| Value::Array(vec![one]).to_string();
    // The version is of no matter here.
    db.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    db.execute(
        "INSERT INTO connections (tenant, id, title, connector, digest, state, paused_reason,
             paused_why, settings, created_at)
         VALUES ('shop', 'crm', 'CRM', 'crm', 'd', 'paused', 'kept then', ?1, '{}', 0)",
        [why.to_string()],
    )
    .unwrap();
    db.execute(
        "INSERT INTO runs (id, tenant, connection, job, cause, mode, digest, version, request,
             fence, started_at, finished_at, outcome, error, why, records, warnings, questions)
         VALUES (?5, 'shop', 'crm', 'orders', '{\"type\":\"asked\"}', 'live', 'd', '1.0.0', 0, 0, 0, 1,
             'configuration', 'kept then', ?1, ?2, ?3, ?4)",
        [
            why.to_string(),
            list(record),
            list(warning),
            list(question),
            RUN.to_owned(),
        ],
    )
    .unwrap();
    db.execute(
        "INSERT INTO failed_records (tenant, connection, kind, side, id, label, reason, why, job, run,
             at)
         VALUES ('shop', 'crm', 'order', 'counterpart', '7', '7', 'kept then', ?1, 'orders', '1', 0)",
        [why.to_string()],
    )
    .unwrap();
    db.execute(
        "INSERT INTO questions (tenant, connection, id, job, cause, run, kind, affected, total,
             samples, text, why, asked_at, seen_at, pauses, state)
         VALUES ('shop', 'crm', 'q', 'orders', '{\"type\":\"asked\"}', '1', 'product', 18, 20, '[]',
             'kept then', ?1, 0, 0, 0, 'open')",
        [why.to_string()],
    )
    .unwrap();
    server
}

#[test]
fn errors_warnings_questions_and_failed_records_are_told_in_the_language_of_who_asks() {
    let why = Reason::new("host.limit.requests")
        .arg("most", 20)
        .mend(Mend::Credential("token".to_owned()));
    let server = with_trouble(&why);
    for (accepted, text) in [
        ("en", "kept then"),
        ("uk", "запуск вичерпав свої 20 запитів"),
        ("ru", "запуск исчерпал свои 20 запросов"),
        ("de", "запуск вичерпав свої 20 запитів"),
    ] {
        let get = |path: &str| {
            let asking = server.ask("GET", path);
            let mut body = asking
                .header("accept-language", accepted)
                .send()
                .expect(200);
            match body["items"].as_array_mut() {
                Some(items) => items.remove(0),
                None => body,
            }
        };
        const CONNECTION: &str = "/v1/tenants/shop/connections/crm";
        let run = get(&format!("{CONNECTION}/runs/{RUN}"));
        let tellings = [
            (&run, "error", "why"),
            (&run["warnings"][0], "text", "why"),
            (&run["questions"][0], "text", "why"),
            (&run["records"][0], "reason", "why"),
            (&get(&format!("{CONNECTION}/runs")), "error", "why"),
            (&get(&format!("{CONNECTION}/failed")), "reason", "why"),
            (&get(&format!("{CONNECTION}/questions")), "text", "why"),
            (&get(&format!("{CONNECTION}/questions/q")), "text", "why"),
            (&get("/v1/tenants/shop/questions"), "text", "why"),
            (
                &get("/v1/tenants/shop/connections"),
                "paused_reason",
                "paused_why",
            ),
            (&get(CONNECTION), "paused_reason", "paused_why"),
        ];
        for (told, in_words, as_code) in tellings {
            assert_eq!(text, told[in_words], "{accepted}: {told:#}");
            assert_eq!("host.limit.requests", told[as_code]["code"]);
            assert_eq!(json!({ "most": "20" }), told[as_code]["args"]);
            assert_eq!(json!({ "credential": "token" }), told[as_code]["mend"]);
        }
    }
}
