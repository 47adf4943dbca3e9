//! One door to a data folder: while a server works on it, commands that write go through the server, or
//! are refused. So nothing is done there that is not in its audit and among its runs.
//!
//! Whoever works on the folder holds its lock: a server alone, commands with each other. A server writes
//! beside it where it answers, with a token that is good for as long as its process lives.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenon_erp::sqlite_file::make_private;
use zeroize::Zeroizing;

use super::language::Language;
use std::time::Duration;

use crate::control::make_folder;
use crate::told::refusal;

const LOCK: &str = "serve.lock";
/// How long a server may take to say that it works.
const PATIENCE: Duration = Duration::from_secs(5);

const DOOR: &str = "door.json";

/// The way to a data folder.
pub enum Door {
    /// Nobody serves it, and nobody will for as long as this is held.
    Open(File),
    /// A server works on it.
    Served(Served),
}

/// The server of a data folder.
#[derive(Serialize, Deserialize)]
pub struct Served {
    url: String,
    token: String,
}

/// What a server wrote down of itself, until it ends.
pub struct Sign(PathBuf);

impl Drop for Sign {
    fn drop(&mut self) {
        // One that stays says nothing: the lock does.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The way to a data folder for a command that writes.
pub fn enter(data: &Path) -> anyhow::Result<Door> {
    let (file, path) = lock_file(data)?;
    match file.try_lock_shared() {
        Ok(()) => Ok(Door::Open(file)),
        Err(std::fs::TryLockError::WouldBlock) => {
            let sign = data.join(DOOR);
            let text = std::fs::read_to_string(&sign).map(Zeroizing::new);
            let text = text.with_context(|| sign.display().to_string());
            let text = text.map_err(|error| {
                let why = refusal("server.door-unknown").arg("data", data.display());
                why.because(error)
            })?;
            let served = serde_json::from_str(&text).with_context(|| sign.display().to_string());
            served.map(Door::Served)
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| path.display().to_string())
        }
    }
}

/// Locks a data folder for one who is alone in it.
pub fn lock_out(data: &Path) -> anyhow::Result<File> {
    let (file, path) = lock_file(data)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            anyhow::bail!(refusal("server.folder-taken").arg("data", data.display()))
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| path.display().to_string())
        }
    }
}

fn lock_file(data: &Path) -> anyhow::Result<(File, PathBuf)> {
    make_folder(data).with_context(|| data.display().to_string())?;
    let path = data.join(LOCK);
    let file = make_private(&path).and_then(|()| File::options().write(true).open(&path));
    let file = file.with_context(|| path.display().to_string())?;
    Ok((file, path))
}

/// Writes down where the server of a data folder answers.
pub fn put_up(data: &Path, mut address: SocketAddr, token: String) -> anyhow::Result<Sign> {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let served = Served {
        url: format!("http://{address}/"),
        token,
    };
    let path = data.join(DOOR);
    let write = || -> anyhow::Result<()> {
        let mut draft = tempfile::NamedTempFile::new_in(data)?;
        let text = Zeroizing::new(serde_json::to_string(&served)?);
        draft.write_all(text.as_bytes())?;
        draft.persist(&path)?;
        Ok(())
    };
    write().with_context(|| path.display().to_string())?;
    Ok(Sign(path))
}

impl Served {
    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks the API; `path` is what follows `/v1`, in parts.
    pub async fn ask(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
        language: Language,
    ) -> anyhow::Result<Value> {
        let mut url: url::Url = self.url.parse()?;
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().push("v1").extend(path);
        }
        let silent = |error: reqwest::Error| {
            (refusal("server.no-answer").arg("url", &self.url)).because(error)
        };
        // Another one may have been chosen already. Nothing is encrypted here: it is this machine's,
        // and asked through nobody else.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build()?;
        let mut request = (client.request(method, url))
            .bearer_auth(&self.token)
            .header("accept-language", language);
        if let Some(body) = body {
            request = (request.header("content-type", "application/json")).body(body.to_string());
        }
        // What is asked for may take its time; that it works at all does not.
        let alive = format!("{}healthz", self.url);
        let alive = client.get(alive).timeout(PATIENCE).send().await;
        alive.map_err(silent)?;
        let answer = request.send().await.map_err(silent)?;
        let done = answer.status().is_success();
        let text = answer.text().await.map_err(silent)?;
        let answer: Value = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text)?,
        };
        if !done {
            anyhow::bail!(refusal("server.asked").because(anyhow::anyhow!(said(&answer))));
        }
        Ok(answer)
    }
}

/// What a problem says, with each value that is refused.
fn said(problem: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut told = text(&problem["detail"]);
    for error in problem["errors"].as_array().into_iter().flatten() {
        told += &format!("; {}: {}", text(&error["path"]), text(&error["reason"]));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_alone_and_commands_are_with_each_other() {
        let data = tempfile::tempdir().unwrap();
        let one = enter(data.path()).unwrap();
        let other = enter(data.path()).unwrap();
        assert!(matches!((&one, &other), (Door::Open(_), Door::Open(_))));
        assert!(lock_out(data.path()).is_err());
        drop((one, other));
        let server = lock_out(data.path()).unwrap();
        let error = enter(data.path()).err().unwrap().to_string();
        assert!(error.contains("a server works on"), "{error}");
        let address = "0.0.0.0:7070".parse().unwrap();
        let sign = put_up(data.path(), address, "tnn_x".to_owned()).unwrap();
        match enter(data.path()).unwrap() {
            Door::Served(served) => assert_eq!("http://127.0.0.1:7070/", served.url()),
            Door::Open(_) => panic!("the server is in the folder"),
        }
        drop((sign, server));
        assert!(!data.path().join(DOOR).exists());
    }

    #[test]
    fn a_refusal_names_each_value() {
        let problem = serde_json::json!({
            "detail": "It breaks rules.", "errors": [{ "path": "/0", "reason": "is no record" }],
        });
        assert_eq!("It breaks rules.; /0: is no record", said(&problem));
    }
}
