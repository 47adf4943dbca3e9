//! A plain HTTP client for trying the simulator from outside.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tenon_simulators::moysklad::{self, Account, Behaviour, Config, Id, Kind, Limits, Simulator};

/// The token that [`config`] sets.
pub const TOKEN: &str = "test-token";

/// The login that [`config`] sets.
pub const LOGIN: &str = "admin@test";

/// The password that [`config`] sets.
pub const PASSWORD: &str = "secret";

/// A configuration without limits whose account is always the same.
pub fn config() -> Config {
    Config {
        login: LOGIN.to_owned(),
        password: PASSWORD.to_owned(),
        token: TOKEN.to_owned(),
        limits: Limits::none(),
        now: "2026-03-31T12:00:00Z".parse().expect("a moment"),
        behaviour: Behaviour {
            unknown_keys: false,
            ..Behaviour::default()
        },
        ..Config::default()
    }
}

/// A simulator over a hand-made account.
pub fn over(account: Account) -> Result<Simulator> {
    Ok(moysklad::start_with(config(), account)?)
}

/// A simulator over a hand-made account that behaves in its own way.
pub fn behaving(account: Account, change: impl FnOnce(&mut Behaviour)) -> Result<Simulator> {
    let mut config = config();
    change(&mut config.behaviour);
    Ok(moysklad::start_with(config, account)?)
}

/// An answer, whatever its status.
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.text).with_context(|| format!("not JSON: {}", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The first error's code; nought when there is none.
    pub fn code(&self) -> u64 {
        let json = self.json().unwrap_or_default();
        json["errors"][0]["code"].as_u64().unwrap_or(0)
    }

    /// The status and the first error's code.
    pub fn refusal(&self) -> (u16, u64) {
        (self.status, self.code())
    }
}

/// A request that is being put together.
pub struct Request {
    builder: ureq::http::request::Builder,
    authorized: bool,
}

/// A request to a whole URL.
pub fn request(method: &str, url: &str) -> Request {
    let builder = ureq::http::Request::builder().method(method).uri(url);
    Request {
        builder,
        authorized: true,
    }
}

impl Request {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.authorized &= !name.eq_ignore_ascii_case("authorization");
        self.builder = self.builder.header(name, value);
        self
    }

    pub fn anonymous(mut self) -> Self {
        self.authorized = false;
        self
    }

    /// Sends it without following redirects. Each request has a connection of its own.
    pub fn send(mut self, body: &str) -> Result<Answer> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build()
            .into();
        if self.authorized {
            let bearer = format!("Bearer {TOKEN}");
            self.builder = self.builder.header("Authorization", bearer);
        }
        let mut response = if body.is_empty() {
            agent.run(self.builder.body(())?)?
        } else {
            agent.run(self.builder.body(body.to_owned())?)?
        };
        // Pictures are no text, and catalogues are long.
        let bytes = response
            .body_mut()
            .with_config()
            .limit(100_000_000)
            .read_to_vec()?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }
}

/// Sends a request to a path of the API.
pub fn send(sim: &Simulator, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
    let request = request(method, &format!("{}{path}", sim.url()));
    match body {
        None => request.send(""),
        Some(json) => request
            .header("Content-Type", "application/json")
            .send(&json.to_string()),
    }
}

pub fn get(sim: &Simulator, path: &str) -> Result<Answer> {
    send(sim, "GET", path, None)
}

pub fn post(sim: &Simulator, path: &str, body: &Value) -> Result<Answer> {
    send(sim, "POST", path, Some(body))
}

pub fn put(sim: &Simulator, path: &str, body: &Value) -> Result<Answer> {
    send(sim, "PUT", path, Some(body))
}

pub fn delete(sim: &Simulator, path: &str) -> Result<Answer> {
    send(sim, "DELETE", path, None)
}

/// The JSON of an answer that is expected to succeed.
pub fn good(answer: Answer) -> Result<Value> {
    anyhow::ensure!(answer.status == 200, "{}: {}", answer.status, answer.text);
    answer.json()
}

/// The JSON of a GET that is expected to succeed.
pub fn json(sim: &Simulator, path: &str) -> Result<Value> {
    good(get(sim, path)?)
}

/// All rows of a list, page by page as a client reads them.
pub fn rows(sim: &Simulator, path: &str) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    let mut next = Some(format!("{}{path}", sim.url()));
    while let Some(url) = next {
        let mut page = good(request("GET", &url).send("")?)?;
        let Value::Array(data) = page["rows"].take() else {
            anyhow::bail!("{url} has no rows");
        };
        rows.extend(data);
        next = page["meta"]["nextHref"].as_str().map(str::to_owned);
    }
    Ok(rows)
}

/// The names of a list's rows, in alphabetical order.
pub fn names(sim: &Simulator, path: &str) -> Result<Vec<String>> {
    let mut names: Vec<String> = rows(sim, path)?
        .iter()
        .map(|row| text(&row["name"]))
        .collect();
    names.sort();
    Ok(names)
}

/// A string.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The path of an object.
pub fn path(kind: Kind, id: Id) -> String {
    format!("/entity/{}/{id}", kind.word())
}

/// A reference to an object, as requests have it.
pub fn meta(sim: &Simulator, kind: Kind, id: Id) -> Value {
    let href = format!("{}/entity/{}/{id}", sim.url(), kind.word());
    json!({ "meta": { "href": href, "type": kind.word(), "mediaType": "application/json" } })
}

/// A reference to what an answer is.
pub fn of(object: &Value) -> Value {
    json!({ "meta": object["meta"] })
}

/// A filter, with everything in it that may not stand in a URL.
pub fn filter(text: &str) -> String {
    let mut encoded = String::from("filter=");
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
