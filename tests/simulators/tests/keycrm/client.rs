//! A plain HTTP client for trying the simulator from outside.

use anyhow::{Context, Result};
use rust_decimal::Decimal;
use serde_json::Value;
use tenon_simulators::keycrm::{self, Account, Config, Simulator};

/// The key that [`config`] sets.
pub const KEY: &str = "test-key";

/// A configuration without a request limit whose account is always the same.
pub fn config() -> Config {
    Config {
        api_key: KEY.to_owned(),
        requests_per_minute: None,
        ordered_to: "2026-03-31T12:00:00Z".parse().expect("a moment"),
        ..Config::default()
    }
}

/// A simulator over a hand-made account.
pub fn over(account: Account) -> Result<Simulator> {
    Ok(keycrm::start_with(config(), account)?)
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
}

/// Sends a GET with the right key.
pub fn get(sim: &Simulator, path: &str) -> Result<Answer> {
    get_as(sim, path, Some(KEY))
}

/// Sends a GET with some key or none. Each request has a connection of its own.
pub fn get_as(sim: &Simulator, path: &str, key: Option<&str>) -> Result<Answer> {
    fetch(&format!("{}{path}", sim.url()), key)
}

/// Sends a GET to a URL.
pub fn fetch(url: &str, key: Option<&str>) -> Result<Answer> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let mut request = agent.get(url).header("Accept", "application/json");
    if let Some(key) = key {
        request = request.header("Authorization", format!("Bearer {key}"));
    }
    let mut response = request.call()?;
    Ok(Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.body_mut().read_to_string()?,
    })
}

/// The JSON of a GET that is expected to succeed.
pub fn json(sim: &Simulator, path: &str) -> Result<Value> {
    let answer = get(sim, path)?;
    anyhow::ensure!(answer.status == 200, "{path}: {}", answer.text);
    answer.json()
}

/// All rows of a list, page by page as a client reads them.
pub fn rows(sim: &Simulator, path: &str) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    for page in 1.. {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut answer = json(sim, &format!("{path}{separator}limit=50&page={page}"))?;
        let Value::Array(data) = answer["data"].take() else {
            anyhow::bail!("{path} has no data");
        };
        rows.extend(data);
        if answer["next_page_url"].is_null() {
            break;
        }
    }
    Ok(rows)
}

/// The keys of rows, in their order.
pub fn ids(rows: &[Value]) -> Vec<i64> {
    rows.iter().filter_map(|row| row["id"].as_i64()).collect()
}

/// The keys of a list's one page.
pub fn listed(sim: &Simulator, path: &str) -> Result<Vec<i64>> {
    let answer = json(sim, path)?;
    Ok(ids(answer["data"].as_array().map_or(&[], Vec::as_slice)))
}

/// A number, a string with a number in it, or null for nothing.
pub fn decimal(value: &Value) -> Decimal {
    let text = match value {
        Value::Null => return Decimal::ZERO,
        Value::String(text) => text.clone(),
        number => number.to_string(),
    };
    text.parse()
        .unwrap_or_else(|_| panic!("{value} is no number"))
}
