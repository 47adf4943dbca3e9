//! The steps of the README, followed to the letter.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tenon_scenarios::server::Server;
use tenon_simulators::keycrm::{self, Config, Simulator};

const KEY: &str = "simulated-keycrm-key";

/// The steps, as they stand there.
fn steps() -> String {
    let readme = include_str!("../../../../README.md");
    let start = readme.find("api() {").expect("the steps");
    let (steps, _) = readme[start..].split_once("```").expect("their end");
    steps.to_owned()
}

/// What a line of the steps was answered.
struct Answered {
    line: String,
    status: u16,
    body: Value,
}

/// Follows the steps on a server of this machine, with a KeyCRM of this machine.
fn follow(server: &Server, crm: &Simulator, steps: &str) -> Vec<Answered> {
    let (origin, _) = crm.url().split_once("/v1").expect("an address");
    let settings = format!("{{\"base_url\": \"{}\", \"last_days\"", crm.url());
    let here = (steps.replace("http://127.0.0.1:7070", server.url()))
        .replace("{\"last_days\"", &settings)
        .replace(
            "\"connector\": \"keycrm\",",
            &format!("\"connector\": \"keycrm\", \"grants\": [\"{origin}\"],"),
        );
    // Tells the status behind each answer.
    let script = format!("curl() {{ command curl -w '\\n@%{{http_code}}\\n' \"$@\"; }}\n{here}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let done = Command::new("bash")
        .args(["-euc", &script])
        .env("TOKEN", server.token())
        .current_dir(root)
        .output()
        .expect("bash");
    assert!(done.status.success(), "{done:?}");
    let said = String::from_utf8(done.stdout).expect("text");
    let mut answers = Vec::new();
    let mut body = String::new();
    let mut lines = here.lines().filter(|line| line.starts_with("api "));
    for text in said.lines() {
        match text.strip_prefix('@') {
            Some(status) => answers.push(Answered {
                line: lines.next().expect("a step").to_owned(),
                status: status.parse().expect("a status"),
                body: serde_json::from_str(&std::mem::take(&mut body)).unwrap_or_default(),
            }),
            None => body += text,
        }
    }
    assert_eq!(None, lines.next(), "{said}");
    answers
}

fn crm() -> Simulator {
    keycrm::start(Config {
        orders: 5,
        ..Config::default()
    })
    .expect("a simulator")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steps_of_the_readme_are_answered_as_it_says() {
    let (server, crm) = (Server::start(&[]), crm());
    let answers = follow(&server, &crm, &steps().replace('…', KEY));
    for Answered { line, status, body } in &answers {
        assert!((200..300).contains(status), "{line}: {status} {body}");
    }
    let of = |text: &str| {
        let found = answers.iter().find(|one| one.line.contains(text));
        &found.unwrap_or_else(|| panic!("no step with {text}")).body
    };
    let readme = include_str!("../../../../README.md");
    let (_, promised) = readme
        .split_once("switched on: `")
        .expect("what check answers");
    let (promised, _) = promised.split_once('`').expect("its end");
    let promised: Value = serde_json::from_str(promised).expect("JSON");
    let keys = |value: &Value| {
        value
            .as_object()
            .map(|one| one.keys().cloned().collect::<Vec<_>>())
    };
    let checked = of("/check");
    assert_eq!(promised["notes"], checked["notes"], "{checked}");
    let account = checked["account"].as_str();
    assert!(account.is_some_and(|name| !name.is_empty()), "{checked}");
    assert_eq!(keys(&promised), keys(checked));
    assert_eq!(30, of("If-Match")["last_days"]);
    assert_eq!("on", of("/enable")["state"]);

    let token = of("/tokens")["secret"].as_str().expect("a token");
    let ask = async |method: &str, path: &str, tag: Option<&str>, token: &str| {
        let url = format!("{}/v1{path}", server.url());
        let mut request = (server.client())
            .request(method.parse().expect("a method"), url)
            .bearer_auth(token);
        if method != "GET" {
            let settings = json!({ "base_url": crm.url(), "last_days": 30 });
            request = request
                .header("content-type", "application/json")
                .body(settings.to_string());
        }
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        request.send().await.expect("an answer").status().as_u16()
    };
    let connection = "/tenants/shop/connections/keycrm";
    let settings = &format!("{connection}/settings");
    assert_eq!(428, ask("PUT", settings, None, server.token()).await);
    assert_eq!(
        412,
        ask("PUT", settings, Some("\"0\""), server.token()).await
    );
    // The token of the last step sees its tenant alone, and changes no settings.
    assert_eq!(200, ask("GET", connection, None, token).await);
    assert_eq!(403, ask("PUT", settings, Some("*"), token).await);
    assert_eq!(403, ask("GET", "/tenants", None, token).await);
    server.tenant("other").await;
    assert_eq!(
        404,
        ask("GET", "/tenants/other/connections", None, token).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_for_a_secret_in_the_readme_is_refused() {
    let (server, crm) = (Server::start(&[]), crm());
    let answers = follow(&server, &crm, &steps());
    let of = |text: &str| {
        let found = answers.iter().find(|one| one.line.contains(text));
        found.unwrap_or_else(|| panic!("no step with {text}"))
    };
    let refused = of("\"secret\": \"…\"");
    assert_eq!(422, refused.status, "{}", refused.body);
    let error = &refused.body["errors"][0];
    assert_eq!("/secret", error["path"]);
    assert_eq!("server.secret-placeholder", error["why"]["code"]);
    // So nothing was asked of the counterpart with it.
    let checked = of("/check");
    assert!((400..500).contains(&checked.status), "{}", checked.body);
    let credentials = server
        .get("/tenants/shop/connections/keycrm/credentials")
        .await;
    assert_eq!(json!([]), credentials["items"]);
    let output = std::process::Command::new(tenon_scenarios::target().join("release/tenon"))
        .args([
            "credential",
            "set",
            "keycrm",
            "api_key",
            "--tenant",
            "shop",
            "--from",
            "env:KEY",
            "--data",
        ])
        .arg(server.folder())
        .env("KEY", "…")
        .output()
        .expect("`tenon`");
    assert_eq!(Some(2), output.status.code(), "{output:?}");
}
