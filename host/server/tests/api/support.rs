//! A server on a folder of its own, and a client for it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tenon::control::tokens::{self, NewToken, Scope};
use tenon::control::{Failure, Uses};
use tenon::service::{Service, ServiceOptions};
use tenon_erp::EmbeddedErp;
use tenon_host::Compiler;
use tokio::runtime::Runtime;
use ureq::http::HeaderMap;

/// A server that answers as long as this lives.
pub struct Server {
    /// A token for everything.
    pub token: String,
    service: Service,
    runtime: Runtime,
    url: String,
    folder: Option<TempDir>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

/// A request that is being put together.
pub struct Asking<'a> {
    server: &'a Server,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Server {
    /// On an empty folder.
    pub fn new() -> Server {
        Server::below("")
    }

    /// On an empty folder, with the API nested under a prefix.
    pub fn below(prefix: &str) -> Server {
        Server::on_new_folder(prefix, |_| ())
    }

    /// On an empty folder, with other options than the defaults.
    pub fn with(change: impl FnOnce(&mut ServiceOptions)) -> Server {
        Server::on_new_folder("", change)
    }

    fn on_new_folder(prefix: &str, change: impl FnOnce(&mut ServiceOptions)) -> Server {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut server = Server::over(folder.path(), prefix, change);
        server.folder = Some(folder);
        server
    }

    /// The same folder, served by another process.
    pub fn restarted(mut self) -> Server {
        let (folder, token) = (self.folder.take(), self.token.clone());
        drop(self);
        let folder = folder.expect("a server has its folder");
        let mut server = Server::over(folder.path(), "", |_| ());
        server.folder = Some(folder);
        server.token = token;
        server
    }

    fn over(data: &Path, prefix: &str, change: impl FnOnce(&mut ServiceOptions)) -> Server {
        let runtime = Runtime::new().expect("a runtime");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        listener.set_nonblocking(true).expect("a socket");
        let public = format!("http://{address}/").parse().expect("a URL");
        let mut options = ServiceOptions::new(data, Compiler::InProcess, public);
        change(&mut options);
        let service = runtime.block_on(async {
            let erp = EmbeddedErp::open(data).expect("an ERP");
            Service::open(Arc::new(erp.clone()), Some(erp), options)
                .await
                .expect("a service")
        });
        let api = tenon::api::router(service.clone());
        let app = match prefix {
            "" => api,
            prefix => Router::new().nest(prefix, api),
        };
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            axum::serve(listener, app).await.expect("a server");
        });
        let mut server = Server {
            token: String::new(),
            service,
            runtime,
            url: format!("http://{address}{prefix}"),
            folder: None,
        };
        server.token = server.issue(NewToken::platform("admin"));
        server
    }

    /// A token, made beside the API.
    pub fn issue(&self, new: NewToken) -> String {
        let control = self.service.control().clone();
        let issued = self.runtime.block_on(
            control.write(move |db| Ok::<_, Failure>(tokens::issue(db, &new, Timestamp::now())?)),
        );
        issued.expect("a token").secret
    }

    /// A token of a tenant, or of the platform, with some scopes.
    pub fn token(&self, tenant: Option<&str>, scopes: &[Scope]) -> String {
        self.issue(NewToken {
            name: "somebody".to_owned(),
            tenant: tenant.map(|tenant| tenant.parse().expect("a name")),
            scopes: scopes.to_vec(),
            expires_at: None,
        })
    }

    /// How often its control database was used so far.
    pub fn uses(&self) -> Uses {
        self.service.control().uses()
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        self.folder.as_ref().expect("a folder").path()
    }

    /// All that the control database holds on disk, with what it is still writing.
    pub fn kept(&self) -> Vec<u8> {
        let read = |file: &str| std::fs::read(self.data().join(file));
        let mut bytes = read("control.sqlite").expect("the control database");
        // While the server runs, it is there, unless all of it was just moved over.
        bytes.extend(read("control.sqlite-wal").unwrap_or_default());
        bytes
    }

    /// A request with the token for everything.
    pub fn ask(&self, method: &str, path: &str) -> Asking<'_> {
        let token = self.token.clone();
        self.ask_as(&token, method, path)
    }

    /// A request with some token.
    pub fn ask_as(&self, token: &str, method: &str, path: &str) -> Asking<'_> {
        self.anonymous(method, path)
            .header("authorization", &format!("Bearer {token}"))
    }

    /// A request without a token.
    pub fn anonymous(&self, method: &str, path: &str) -> Asking<'_> {
        Asking {
            server: self,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// The JSON of something that is there.
    pub fn get(&self, path: &str) -> Value {
        self.ask("GET", path).send().expect(200)
    }

    /// Posts JSON.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path).json(body).send()
    }

    /// Puts records into a tenant's ERP.
    pub fn load(&self, tenant: &str, kind: &str, records: Value) {
        let erp = self.service.erp().expect("an embedded ERP");
        let tenant = tenant.parse().expect("a name");
        let kind = kind.parse().expect("a kind");
        let loaded = self.runtime.block_on(erp.load(&tenant, kind, records));
        loaded.expect("good records");
    }

    /// Makes a tenant.
    pub fn make_tenant(&self, id: &str) -> Value {
        let body = serde_json::json!({
            "id": id, "name": "Shop", "time_zone": "Europe/Kyiv", "language": "uk",
            "currency": "UAH"
        });
        self.post("/v1/tenants", &body).expect(201)
    }

    /// Installs a built connector; answers with its digest.
    pub fn install(&self, name: &str) -> String {
        let sent = self.ask("POST", "/v1/versions");
        let sent = sent.body("application/wasm", component(name)).send();
        let version = sent.expect(201);
        version["digest"].as_str().expect("a digest").to_owned()
    }
}

impl Asking<'_> {
    /// With a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body.
    pub fn body(mut self, media: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", media)
    }

    /// With a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Sends it.
    pub fn send(self) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .build()
            .into();
        let url = format!("{}{}", self.server.url, self.path);
        let mut request = ureq::http::Request::builder()
            .method(self.method.as_str())
            .uri(url);
        if !self
            .headers
            .iter()
            .any(|(name, _)| name == "accept-language")
        {
            request = request.header("accept-language", "en");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = match self.body {
            Some(body) => agent.run(request.body(body).expect("a request")),
            None => agent.run(request.body(()).expect("a request")),
        };
        let mut answer = answer.expect("an answer");
        Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            text: answer.body_mut().read_to_string().expect("text"),
        }
    }
}

/// Whether bytes hold a text.
pub fn holds(bytes: &[u8], text: &str) -> bool {
    let text = text.as_bytes();
    bytes.windows(text.len()).any(|part| part == text)
}

impl Answer {
    /// The JSON of an answer with this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(status, self.status, "{}", self.text);
        match self.text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).expect("JSON"),
        }
    }

    /// Asserts that it is a problem with this status and code; answers with it.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(
            Some("application/problem+json"),
            self.header("content-type")
        );
        assert_eq!(code, problem["code"], "{problem}");
        assert_eq!(status, problem["status"], "{problem}");
        problem
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A built connector.
pub fn component(name: &str) -> Vec<u8> {
    built(&format!("connectors/{name}.wasm"))
}

/// A built component that no host is to take.
pub fn hostile(name: &str) -> Vec<u8> {
    built(&format!("conformance/{name}.wasm"))
}

fn built(file: &str) -> Vec<u8> {
    let file = target().join("components").join(file);
    std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask build`", file.display()))
}

fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => workspace.join(folder),
        None => workspace.join("target"),
    }
}
