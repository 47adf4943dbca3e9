//! What runs ask people, and what comes of the answers.

use serde_json::{Value, json};
use tenon_scenarios::server::{Answer, Server};

use crate::ledger::{LEDGER, add, entries, idle, server};

/// Runs the job that clears away what is lost.
async fn clear(server: &Server) -> Value {
    let path = format!("{LEDGER}/jobs/heard/run");
    server.post(&path, json!({})).await;
    idle(server, LEDGER).await
}

async fn lose(server: &Server, argument: &str) -> Value {
    assert_eq!(202, add(server, LEDGER, argument).await.status);
    idle(server, LEDGER).await;
    clear(server).await
}

/// The questions of the connection in a state.
async fn questions(server: &Server, state: &str) -> Vec<Value> {
    let path = format!("{LEDGER}/questions?state={state}");
    let page = server.get(&path).await;
    page["items"].as_array().expect("a list").clone()
}

/// The only question in a state.
async fn only(server: &Server, state: &str) -> Value {
    let mut all = questions(server, state).await;
    assert_eq!(1, all.len(), "{state}: {all:#?}");
    all.remove(0)
}

fn path(question: &Value) -> String {
    let id = question["id"].as_str().expect("an id");
    format!("{LEDGER}/questions/{id}")
}

async fn answer(server: &Server, question: &Value, word: &str) -> Answer {
    let path = format!("{}/answer", path(question));
    let answer = json!({ "answer": word });
    server.try_api("POST", &path, answer).await
}

fn refused(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.body["code"].as_str().expect("a code"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_agree_to_is_done_once_by_a_run_that_is_asked_for_at_once() {
    let server = server(&[]).await;
    let connection = lose(&server, "lose:180").await;
    assert_eq!(1, connection["open_questions"]);
    let question = only(&server, "open").await;
    assert_eq!(
        (json!(180), json!(200), json!("entry")),
        (
            question["affected"].clone(),
            question["total"].clone(),
            question["kind"].clone()
        )
    );
    assert_eq!(20, question["samples"].as_array().expect("a list").len());
    assert_eq!("180 entries of 200 are lost", question["text"]);
    assert!(question["why"]["code"].is_string(), "{question:#}");
    assert_eq!(question, server.get(&path(&question)).await);
    let run = question["run"].as_str().expect("a run");
    let run = server.get(&format!("{LEDGER}/runs/{run}")).await;
    assert_eq!(question["id"], run["questions"][0]["id"]);
    for list in ["/questions", "/tenants/shop/questions"] {
        let page = server.get(&format!("{list}?state=open")).await;
        assert_eq!(json!([question]), page["items"], "{list}");
    }

    let agreed = answer(&server, &question, "yes").await;
    assert_eq!(200, agreed.status, "{agreed:?}");
    assert!(agreed.body["answered_by"].is_string());
    idle(&server, LEDGER).await;
    let done = server.get(&path(&question)).await;
    assert_eq!("done", done["state"], "{done:#}");
    assert_eq!(vec!["cleared-180"], entries(&server, LEDGER).await.1);
    let audit = server.get("/tenants/shop/audit").await;
    let noted = audit["items"].as_array().expect("a list").iter();
    let mut noted = noted.filter(|entry| entry["action"] == "question.answer");
    let detail = &noted.next().expect("a note")["detail"];
    assert_eq!(
        (&question["id"], &json!("yes")),
        (&detail["question"], &detail["answer"])
    );
    assert!(noted.next().is_none());
    let again = answer(&server, &question, "yes").await;
    assert_eq!((409, "question_answered"), refused(&again));

    // The same once more is another matter.
    lose(&server, "lose:180").await;
    assert_eq!(question["id"], only(&server, "open").await["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_stands_until_the_facts_change_and_an_old_question_takes_no_answer() {
    let server = server(&[]).await;
    lose(&server, "lose:180").await;
    let first = only(&server, "open").await;
    assert_eq!(200, answer(&server, &first, "no").await.status);
    let connection = clear(&server).await;
    assert_eq!(
        0, connection["open_questions"],
        "the same is not shown again"
    );
    assert_eq!(first["id"], only(&server, "declined").await["id"]);
    let again = answer(&server, &first, "no").await;
    assert_eq!((409, "question_answered"), refused(&again));

    lose(&server, "lose:181").await;
    let second = only(&server, "open").await;
    assert_ne!(first["id"], second["id"]);
    for word in ["yes", "no"] {
        let old = answer(&server, &first, word).await;
        assert_eq!((409, "question_expired"), refused(&old));
    }
    // Who said no may still say yes.
    assert_eq!(200, answer(&server, &second, "no").await.status);
    assert_eq!(200, answer(&server, &second, "yes").await.status);
    idle(&server, LEDGER).await;
    assert_eq!(vec!["cleared-181"], entries(&server, LEDGER).await.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn few_records_and_those_that_a_limit_allows_are_not_asked_about() {
    let server = server(&[]).await;
    let connection = lose(&server, "lose:10").await;
    assert_eq!(0, connection["open_questions"]);
    let limits = json!({ "limits": { "brake_percent": 95 } });
    server.api("PATCH", LEDGER, limits).await;
    lose(&server, "lose:180").await;
    let limits = json!({ "limits": { "brake_records": 5, "brake_percent": 0 } });
    server.api("PATCH", LEDGER, limits).await;
    lose(&server, "lose:6").await;
    assert_eq!(json!(6), only(&server, "open").await["affected"]);
    let told = vec!["cleared-10", "cleared-180"];
    assert_eq!(told, entries(&server, LEDGER).await.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_shows_what_it_would_ask_and_opens_no_question() {
    let server = server(&[]).await;
    add(&server, LEDGER, "lose:180").await;
    idle(&server, LEDGER).await;
    let preview = json!({ "mode": "preview" });
    server
        .post(&format!("{LEDGER}/jobs/heard/run"), preview)
        .await;
    let connection = idle(&server, LEDGER).await;
    assert_eq!(0, connection["open_questions"]);
    let runs = server.get(&format!("{LEDGER}/runs?mode=preview")).await;
    let run = runs["items"][0]["id"].as_str().expect("a run");
    let run = server.get(&format!("{LEDGER}/runs/{run}")).await;
    assert_eq!(json!(180), run["questions"][0]["affected"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_paused_its_connection_switches_it_on_again() {
    let server = server(&[]).await;
    let connection = lose_and_pause(&server).await;
    assert_eq!("paused", connection["state"], "{connection:#}");
    let question = only(&server, "open").await;
    assert_eq!(json!(true), question["pauses"]);
    let operator = token(&server, Some("shop"), &["read", "operate"]).await;
    let path = format!("{}/answer", path(&question));
    let kept = ask_as(
        &server,
        &operator,
        "POST",
        &path,
        json!({ "answer": "yes" }),
    )
    .await;
    assert_eq!((403, "scope_missing"), refused(&kept));

    assert_eq!(200, answer(&server, &question, "yes").await.status);
    let connection = idle(&server, LEDGER).await;
    assert_eq!("on", connection["state"]);
    assert_eq!(vec!["cleared-180"], entries(&server, LEDGER).await.1);
    assert_eq!("done", server.get(&self::path(&question)).await["state"]);
}

async fn lose_and_pause(server: &Server) -> Value {
    assert_eq!(202, add(server, LEDGER, "hold:180").await.status);
    idle(server, LEDGER).await;
    server
        .post(&format!("{LEDGER}/jobs/heard/run"), json!({}))
        .await;
    server
        .until(LEDGER, |connection| connection["state"] == "paused")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_before_a_connection_is_switched_on_waits_for_an_answer_that_switches_it_on()
{
    let server = server(&[]).await;
    add(&server, LEDGER, "taken-hooks").await;
    idle(&server, LEDGER).await;
    server.post(&format!("{LEDGER}/disable"), Value::Null).await;

    let enable = format!("{LEDGER}/enable");
    let on = server.try_api("POST", &enable, Value::Null).await;
    assert_eq!((422, "refused"), refused(&on));
    let connection = server.get(LEDGER).await;
    let shown = (&connection["state"], &connection["open_questions"]);
    assert_eq!((&json!("off"), &json!(1)), shown);
    let question = only(&server, "open").await;
    assert_eq!(
        "20 webhooks of somebody else are replaced",
        question["text"]
    );
    assert_eq!(
        (&Value::Null, &Value::Null),
        (&question["job"], &question["run"])
    );

    // A no leaves it off, however often somebody tries.
    assert_eq!(200, answer(&server, &question, "no").await.status);
    let on = server.try_api("POST", &enable, Value::Null).await;
    assert_eq!((422, "refused"), refused(&on));
    assert_eq!(question["id"], only(&server, "declined").await["id"]);
    assert_eq!("off", server.get(LEDGER).await["state"]);

    assert_eq!(200, answer(&server, &question, "yes").await.status);
    assert_eq!("on", server.get(LEDGER).await["state"]);
    assert_eq!(question["id"], only(&server, "done").await["id"]);

    // It is asked again when it comes to that again.
    let hook = format!("{LEDGER}/hook/rotate");
    let rotated = server.try_api("POST", &hook, Value::Null).await;
    assert_eq!((422, "refused"), refused(&rotated), "{rotated:?}");
    assert_eq!(200, answer(&server, &question, "yes").await.status);
    assert_eq!(question["id"], only(&server, "done").await["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_webhooks_is_good_until_people_have_agreed_to_another() {
    let server = server(&[]).await;
    let rotate = format!("{LEDGER}/hook/rotate");
    let rotated = server.post(&rotate, Value::Null).await;
    let old = rotated["url"].as_str().expect("an address").to_owned();
    let send = async |url: &str, body: &'static str| {
        let url = format!("{url}new");
        let sent = server.client().post(url).body(body).send().await;
        sent.expect("an answer").status().as_u16()
    };
    add(&server, LEDGER, "taken-hooks").await;
    idle(&server, LEDGER).await;
    let asked = server.try_api("POST", &rotate, Value::Null).await;
    assert_eq!((422, "refused"), refused(&asked));
    assert_eq!(200, send(&old, "still").await);
    let question = only(&server, "open").await;
    let answered = answer(&server, &question, "yes").await;
    assert_eq!(200, answered.status, "{answered:?}");
    let new = answered.body["hook_url"].as_str().expect("an address");
    assert_eq!(404, send(&old, "no more").await);
    assert_eq!(200, send(new, "now").await);
    idle(&server, LEDGER).await;
    let (_, found) = entries(&server, LEDGER).await;
    for (body, is_there) in [("still", true), ("no more", false), ("now", true)] {
        let found = found.iter().any(|entry| entry == body);
        assert_eq!(is_there, found, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_that_cannot_be_done_now_leaves_the_question_open() {
    let server = server(&[]).await;
    add(&server, LEDGER, "taken-hooks").await;
    idle(&server, LEDGER).await;
    server.post(&format!("{LEDGER}/disable"), Value::Null).await;
    let enable = format!("{LEDGER}/enable");
    server.try_api("POST", &enable, Value::Null).await;
    let question = only(&server, "open").await;
    let file = server.folder().join("tenants/shop.sqlite");
    let away = server.folder().join("away");
    std::fs::rename(&file, &away).expect("a file");
    let not_now = answer(&server, &question, "yes").await;
    assert_eq!((422, "refused"), refused(&not_now));
    assert_eq!(question["id"], only(&server, "open").await["id"]);
    std::fs::rename(&away, &file).expect("a file");
    // Nobody has agreed to it.
    let on = server.try_api("POST", &enable, Value::Null).await;
    assert_eq!((422, "refused"), refused(&on));
    assert_eq!(200, answer(&server, &question, "yes").await.status);
    assert_eq!("on", server.get(LEDGER).await["state"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_not_there_for_others_and_needs_its_scope() {
    let server = server(&[]).await;
    lose(&server, "lose:180").await;
    let question = only(&server, "open").await;
    let path = format!("{}/answer", path(&question));
    let yes = || json!({ "answer": "yes" });
    server.tenant("other").await;
    let foreign = token(&server, Some("other"), &["read", "operate", "manage"]).await;
    let answer = ask_as(&server, &foreign, "POST", &path, yes()).await;
    assert_eq!((404, "not_found"), refused(&answer));
    let reader = token(&server, Some("shop"), &["read"]).await;
    let answer = ask_as(&server, &reader, "POST", &path, yes()).await;
    assert_eq!((403, "scope_missing"), refused(&answer));
    let answer = ask_as(&server, &reader, "GET", "/questions", Value::Null).await;
    assert_eq!((403, "scope_missing"), refused(&answer));
    let missing = format!("{LEDGER}/questions/{}/answer", "0".repeat(24));
    let answer = server.try_api("POST", &missing, yes()).await;
    assert_eq!((404, "not_found"), refused(&answer));
    let answer = server
        .try_api("POST", &path, json!({ "answer": "maybe" }))
        .await;
    assert_eq!((400, "request_invalid"), refused(&answer));
    assert_eq!(question, only(&server, "open").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_after_the_answer_loses_neither_it_nor_its_run() {
    let mut server = server(&[]).await;
    let mut told = Vec::new();
    for round in 0..6_u64 {
        let lost = 100 + round;
        lose(&server, &format!("lose:{lost}")).await;
        let question = only(&server, "open").await;
        assert_eq!(200, answer(&server, &question, "yes").await.status);
        // Somewhere in the middle of the run, each time somewhere else.
        tokio::time::sleep(std::time::Duration::from_millis(4 * round)).await;
        server.kill();
        server.resume();
        idle(&server, LEDGER).await;
        let done = server.get(&path(&question)).await;
        assert_eq!("done", done["state"], "{done:#}");
        told.push(format!("cleared-{lost}"));
    }
    assert_eq!(told, entries(&server, LEDGER).await.1);
}

async fn token(server: &Server, tenant: Option<&str>, scopes: &[&str]) -> String {
    let token = json!({ "name": "other", "tenant": tenant, "scopes": scopes });
    let made = server.post("/tokens", token).await;
    made["secret"].as_str().expect("a token").to_owned()
}

async fn ask_as(server: &Server, token: &str, method: &str, path: &str, body: Value) -> Answer {
    let request = (server.client())
        .request(
            method.parse().expect("a method"),
            format!("{}/v1{path}", server.url()),
        )
        .bearer_auth(token)
        .header("content-type", "application/json");
    let request = match body {
        Value::Null => request,
        body => request.body(body.to_string()),
    };
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("text");
    Answer {
        status,
        body: serde_json::from_str(&text).unwrap_or_default(),
    }
}
