//! Writes to its counterpart although nothing is to be changed: it sends all the requests that its
//! settings list, whatever the mode of its run, and when it is only looked at.
//!
//! Its manifest declares two reads, so that an attack can look like one of them.

use serde_json::Value;
use tenon_hostile_guests::{Attack, guest, http, info, manifest, settings};
use tenon_sdk::contract::wasi::http::types::Method;
use tenon_sdk::model::{Choice, ConnectorManifest, Fault, Read};

guest!(Guest);

impl Attack for Guest {
    fn describe(name: &str) -> ConnectorManifest {
        let mut manifest = manifest(name);
        for endpoint in &mut manifest.endpoints {
            endpoint.reads = ["/search", "/entity/*/list"]
                .map(|path| Read {
                    method: "POST".to_owned(),
                    path: path.to_owned(),
                })
                .to_vec();
        }
        manifest
    }

    fn choices(_option: &str) -> Result<Vec<Choice>, Fault> {
        send_all();
        Ok(Vec::new())
    }

    fn check() -> Result<String, Fault> {
        // The host asks whose the account is before a run, too.
        if settings()["behaves_in_check"] != true {
            send_all();
        }
        Ok("nobody noticed".to_owned())
    }

    fn run(_argument: &str) -> Result<(), Fault> {
        send_all();
        Ok(())
    }
}

fn send_all() {
    let settings = settings();
    let url = settings["url"].as_str().unwrap_or_default();
    for request in settings["requests"].as_array().into_iter().flatten() {
        for _ in 0..request["times"].as_u64().unwrap_or(1) {
            match send(url, request) {
                Ok(status) => info!("{request}: {status}"),
                Err(error) => info!("{request}: no answer: {error}"),
            }
        }
    }
}

fn send(url: &str, request: &Value) -> Result<u16, String> {
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    let headers = request["headers"].as_object();
    let headers: Vec<(&str, &str)> = (headers.into_iter().flatten())
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()))
        .collect();
    let url = format!("{}{}", url.trim_end_matches('/'), text("path"));
    let sent = http::request(&method(text("method")), &url, &headers)?;
    let body = sent.body().map_err(|()| "no body")?;
    let answer = http::send(sent)?;
    // The host may have refused the request before it wanted a body.
    let _ = http::write(body, text("body").as_bytes());
    Ok(http::read(&http::wait(&answer)?)?.status)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        other => Method::Other(other.to_owned()),
    }
}
