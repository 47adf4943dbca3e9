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
    /// What its processes wrote to standard error.
    log: tempfile::NamedTempFile,
    arguments: Vec<String>,
    /// A disk of its own of so many megabytes.
    disk: Option<u32>,
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
        Server::begin(folder.path().to_owned(), Some(folder), None, arguments)
    }

    /// Starts a server whose folder is a disk of its own of so many megabytes, which ends with it; none
    /// where nobody may mount one.
    pub fn start_on_small_disk(megabytes: u32) -> Option<Server> {
        let mut mounting = Command::new("unshare");
        mounting.args(["-Urm", "mount", "-t", "tmpfs", "tmpfs", "/tmp"]);
        mounting.stderr(Stdio::null());
        mounting.status().ok().filter(ExitStatus::success)?;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_owned();
        Some(Server::begin(path, Some(folder), Some(megabytes), &[]))
    }

    /// Fills the disk of its own; answers with the file that does.
    pub fn fill_disk(&self) -> PathBuf {
        let file = self.folder().join("filling");
        let mut filling = std::fs::File::create(&file).expect("a file");
        let piece = vec![1; 4096];
        while std::io::Write::write_all(&mut filling, &piece).is_ok() {}
        file
    }

    /// Starts a server on an empty folder that stays.
    pub fn start_on(folder: &Path, arguments: &[&str]) -> Server {
        Server::begin(folder.to_owned(), None, None, arguments)
    }

    fn begin(
        folder: PathBuf,
        temporary: Option<TempDir>,
        disk: Option<u32>,
        arguments: &[&str],
    ) -> Server {
        let mut server = Server::new(folder, temporary, disk, arguments);
        server.resume();
        server
    }

    fn new(
        folder: PathBuf,
        temporary: Option<TempDir>,
        disk: Option<u32>,
        arguments: &[&str],
    ) -> Server {
        static CRYPTOGRAPHY: Once = Once::new();
        CRYPTOGRAPHY.call_once(|| {
            // Another test may have been first.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        Server {
            folder,
            _temporary: temporary,
            log: tempfile::NamedTempFile::new().expect("a file"),
            arguments: arguments.iter().map(|&one| one.to_owned()).collect(),
            disk,
            process: None,
            url: String::new(),
            token: String::new(),
            client: reqwest::Client::new(),
        }
    }

    /// Starts a server on a folder that was put back from a backup of this one's.
    pub fn start_on_copy(&self, folder: &Path) -> Server {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let mut server = Server::new(folder.to_owned(), None, None, &arguments);
        server.token.clone_from(&self.token);
        server.resume();
        server
    }

    /// Starts a server on the folder again.
    pub fn resume(&mut self) {
        let program = target().join("release/tenon");
        let command = match self.disk {
            None => Command::new(program),
            Some(megabytes) => {
                let mount =
                    format!("mount -t tmpfs -o size={megabytes}m tmpfs \"$0\" && exec \"$@\"");
                let mut command = Command::new("unshare");
                command.args(["-Urm", "sh", "-c", &mount]);
                command.arg(&self.folder).arg(program);
                command
            }
        };
        self.run(command);
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
            .stderr(self.log.reopen().expect("a file"))
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

    /// What its present process has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).expect("text")
    }

    /// The data folder.
    pub fn folder(&self) -> PathBuf {
        match (self.disk, &self.process) {
            // Nobody but the process sees its disk.
            (Some(_), Some(process)) => {
                let root = PathBuf::from(format!("/proc/{}/root", process.id()));
                root.join(self.folder.strip_prefix("/").unwrap_or(&self.folder))
            }
            _ => self.folder.clone(),
        }
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
