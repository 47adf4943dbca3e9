//! A `tenon serve` process over a data folder that outlives it, and its API as a program uses it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::target;

/// How long something that happens by itself may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A data folder and the server that works on it.
pub struct Server {
    folder: PathBuf,
    /// Removes the folder at the end when it is a temporary one.
    _temporary: Option<TempDir>,
    arguments: Vec<String>,
    process: Option<Child>,
    url: String,
    token: String,
    client: reqwest::Client,
}

/// An answer of the API.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body; null when that is no JSON.
    pub body: Value,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Server {
    /// Starts a server on a new folder; `arguments` are more of its command line.
    pub fn start(arguments: &[&str]) -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        Server::begin(folder.path().to_owned(), Some(folder), arguments)
    }

    /// Starts a server on an empty folder that stays.
    pub fn start_on(folder: &Path, arguments: &[&str]) -> Server {
        Server::begin(folder.to_owned(), None, arguments)
    }

    fn begin(folder: PathBuf, temporary: Option<TempDir>, arguments: &[&str]) -> Server {
        static CRYPTOGRAPHY: Once = Once::new();
        CRYPTOGRAPHY.call_once(|| {
            // Another test may have been first.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let mut server = Server {
            folder,
            _temporary: temporary,
            arguments: arguments.iter().map(|&one| one.to_owned()).collect(),
            process: None,
            url: String::new(),
            token: String::new(),
            client: reqwest::Client::new(),
        };
        server.resume();
        server
    }

    /// Starts a server on the folder again.
    pub fn resume(&mut self) {
        self.run(Command::new(target().join("release/tenon")));
    }

    /// The same, with so many open files and no more.
    pub fn resume_with_files(&mut self, most: u32) {
        let mut limited = Command::new("prlimit");
        limited
            .arg(format!("--nofile={most}:{most}"))
            .arg(target().join("release/tenon"));
        self.run(limited);
    }

    fn run(&mut self, mut program: Command) {
        let mut process = program
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&self.folder)
            .args(&self.arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("`tenon serve`; run `cargo xtask build`");
        let mut said = BufReader::new(process.stdout.take().expect("its output")).lines();
        let console = said.next().expect("the address").expect("text");
        let place = console.strip_prefix("console").expect("the address").trim();
        let url = place.strip_suffix("/console/").expect("the address");
        url.clone_into(&mut self.url);
        if self.token.is_empty() {
            let token = said.next().expect("the first token").expect("text");
            let secret = token.strip_prefix("token").expect("the first token").trim();
            secret.clone_into(&mut self.token);
        }
        self.process = Some(process);
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where it listens, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The token that the first start showed.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("a running server").id()
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Asks it to stop, and waits for that.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("a running server");
        let sent = Command::new("kill")
            .args(["-TERM", &process.id().to_string()])
            .status();
        assert!(sent.expect("kill").success());
        process.wait().expect("its end")
    }

    /// A client, which signs nothing by itself.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Asks the API with a body of this media type.
    pub async fn send(&self, method: &str, path: &str, kind: &str, body: Vec<u8>) -> Answer {
        let url = format!("{}/v1{path}", self.url);
        let request = (self.client)
            .request(method.parse().expect("a method"), url)
            .bearer_auth(&self.token)
            .header("content-type", kind)
            .header("accept-language", "en")
            .body(body);
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("text");
        Answer {
            status,
            body: serde_json::from_str(&text).unwrap_or_default(),
        }
    }

    /// Asks the API.
    pub async fn try_api(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = match body {
            Value::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        };
        self.send(method, path, "application/json", body).await
    }

    /// Asks the API; an answer that is no success fails the test.
    pub async fn api(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.try_api(method, path, body).await;
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
        answer.body
    }

    /// Reads from the API.
    pub async fn get(&self, path: &str) -> Value {
        self.api("GET", path, Value::Null).await
    }

    /// Posts to the API.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.api("POST", path, body).await
    }

    /// Installs a component; answers with its digest.
    pub async fn install(&self, wasm: Vec<u8>) -> String {
        let answer = self
            .send("POST", "/versions", "application/wasm", wasm)
            .await;
        assert!(answer.status < 300, "{answer:?}");
        answer.body["digest"].as_str().expect("a digest").to_owned()
    }

    /// Makes a tenant.
    pub async fn tenant(&self, id: &str) {
        let tenant = json!({
            "id": id, "name": id, "time_zone": "Europe/Kyiv", "language": "uk", "currency": "UAH",
        });
        self.post("/tenants", tenant).await;
    }

    /// Asks again and again until the answer is as wanted.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let answer = self.get(path).await;
            if wanted(&answer) {
                return answer;
            }
            assert!(began.elapsed() < PATIENCE, "never: {answer:#}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Runs the program on the data folder.
    pub fn tenon(&self, arguments: &[&str]) -> std::process::Output {
        Command::new(target().join("release/tenon"))
            .args(arguments)
            .arg("--data")
            .arg(&self.folder)
            .output()
            .expect("`tenon`")
    }
}
