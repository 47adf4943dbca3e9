//! Holds a served API against its own description, with requests that Schemathesis makes up: good
//! and bad ones for each operation, and sequences of them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::{run, target, venv};

/// The release that the checks are known from; a later one may find more.
const RELEASE: &str = "4.32.5";

/// Cases per operation, so that a run takes minutes and not hours.
const CASES: &str = "25";

/// The same cases in every run.
const SEED: &str = "20260101";

/// A server that ends with this.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // One that ended by itself is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves an empty data folder and runs Schemathesis against it; fails when it finds something.
pub fn check(root: &Path) -> Result<()> {
    let programs = venv(
        &target(root).join("schemathesis"),
        &format!("schemathesis=={RELEASE}"),
    )?;
    let data = tempfile::tempdir()?;
    let (_server, url, token) = serve(root, data.path())?;
    fill(root, &url, &token)?;
    let config = root.join("xtask/schemathesis.toml");
    run(Command::new(programs.join("schemathesis"))
        .current_dir(data.path())
        .arg("--config-file")
        .arg(config)
        .args(["run", "--checks", "all"])
        .args(["--max-examples", CASES, "--seed", SEED])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--generation-database", "none"])
        .args(["--url", &url])
        .arg(format!("{url}/openapi.json")))
}

/// A server on a port of its own, with its address and the token of its first start.
fn serve(root: &Path, data: &Path) -> Result<(Server, String, String)> {
    let mut child = Command::new(target(root).join("release/tenon"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start `tenon serve`")?;
    let output = child.stdout.take().context("`tenon serve` has no output")?;
    let server = Server(child);
    let (mut url, mut token) = (None, None);
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next().transpose()? {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("console"), Some(address)) => {
                url = address.strip_suffix("/console/").map(str::to_owned);
            }
            (Some("token"), Some(secret)) => token = Some(secret.to_owned()),
            _ => {}
        }
        if let (Some(url), Some(token)) = (&url, &token) {
            // A program whose output nobody reads any more may end.
            std::thread::spawn(move || lines.for_each(drop));
            return Ok((server, url.clone(), token.clone()));
        }
    }
    anyhow::bail!("`tenon serve` ended before it said its address and token")
}

/// A tenant with a connection, so that the cases meet something.
fn fill(root: &Path, url: &str, token: &str) -> Result<()> {
    let post = |path: &str, media: &str, body: &[u8]| {
        let answer = ureq::post(format!("{url}{path}"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", media)
            .send(body)
            .with_context(|| format!("POST {path}"))?;
        ensure!(answer.status() == 201, "POST {path}: {}", answer.status());
        Ok(())
    };
    let component = target(root).join("components/connectors/keycrm.wasm");
    let wasm = fs::read(&component).with_context(|| component.display().to_string())?;
    post("/v1/versions", "application/wasm", &wasm)?;
    let tenant = br#"{"id": "shop", "name": "Shop", "time_zone": "UTC", "language": "en", "currency": "UAH"}"#;
    post("/v1/tenants", "application/json", tenant)?;
    let connection = br#"{"id": "crm", "connector": "keycrm"}"#;
    let connections = "/v1/tenants/shop/connections";
    post(connections, "application/json", connection)
}
