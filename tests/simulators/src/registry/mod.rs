//! An OCI registry in memory, with a token service and a storage that are servers of their own.
//!
//! ```no_run
//! use tenon_simulators::registry::{self, Config, WASM};
//!
//! # fn main() -> std::io::Result<()> {
//! let sim = registry::start(Config::default())?;
//! sim.account(|registry| registry.push("ns/keycrm", "1.0.0", &[(WASM, b"\0asm")]));
//! println!("oci://{}/ns/keycrm:1.0.0", sim.address());
//! # Ok(())
//! # }
//! ```
//!
//! It follows the pull half of the OCI Distribution Specification 1.1, and the token authentication of
//! the CNCF Distribution registry. It keeps what it is told to keep: also what a registry that is
//! broken, or that somebody has broken into, would hand out.

mod serve;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use tenon_simulator::bind;

use crate::{Counterpart, Shared};

/// The media type of a layer that is a component.
pub const WASM: &str = "application/wasm";
/// The media type of the configuration that goes with it.
pub const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// The media type of an image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A running registry.
pub type Simulator = crate::Simulator<Registry>;

/// How to serve a registry.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 takes a free one. The token service and the storage take free ports
    /// beside it.
    pub listen: SocketAddr,
    /// Who may pull.
    pub access: Access,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            access: Access::Open,
        }
    }
}

/// Who may pull, and how they show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody, without more ado.
    Open,
    /// Who shows this login with each request.
    Basic(Login),
    /// Who shows a token. Tokens are given to those with this login, or to everybody.
    Token(Option<Login>),
}

/// A user's name and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
}

/// Something that a registry hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Manifests and indexes.
    Manifests,
    /// Layers and configurations.
    Blobs,
    /// Tokens.
    Tokens,
}

/// Where registries differ, and how they go wrong.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// Blobs are at the storage: the registry sends requests on.
    pub blobs_redirected: bool,
    /// Answers with this part begin and do not end.
    pub endless: Option<Part>,
    /// Answers do not tell the digest of what they hold.
    pub digests_untold: bool,
}

/// What a registry has.
pub struct Registry {
    /// Who may pull.
    pub access: Access,
    /// How it goes about it.
    pub behaviour: Behaviour,
    repositories: BTreeMap<String, Repository>,
    /// Scopes by the tokens that were given for them.
    tokens: HashMap<String, String>,
    token_service: SocketAddr,
    storage: SocketAddr,
}

#[derive(Default)]
struct Repository {
    tags: BTreeMap<String, String>,
    manifests: BTreeMap<String, Manifest>,
    blobs: BTreeMap<String, Vec<u8>>,
}

struct Manifest {
    media_type: String,
    bytes: Vec<u8>,
}

impl Counterpart for Registry {
    const BASE_PATH: &'static str = "/v2";

    fn refusal(status: StatusCode, _retry_after: Option<u64>) -> Response {
        serve::refusal(status)
    }

    fn changed(&mut self) {}
}

impl Registry {
    /// Pushes an artifact of the form that the wasm tools make. Answers the digest of its manifest.
    pub fn push(&mut self, repository: &str, tag: &str, layers: &[(&str, &[u8])]) -> String {
        let config = self.push_blob(repository, WASM_CONFIG, b"{}");
        let layers: Vec<Json> = layers
            .iter()
            .map(|(media_type, bytes)| self.push_blob(repository, media_type, bytes))
            .collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": layers,
        });
        self.push_manifest(repository, tag, &manifest)
    }

    /// Stores a blob. Answers its descriptor.
    pub fn push_blob(&mut self, repository: &str, media_type: &str, bytes: &[u8]) -> Json {
        let digest = digest(bytes);
        let descriptor = json!({
            "mediaType": media_type,
            "digest": digest,
            "size": bytes.len(),
        });
        let blobs = &mut self.repository(repository).blobs;
        blobs.insert(digest, bytes.to_owned());
        descriptor
    }

    /// Stores a manifest or an index under a tag. Answers its digest.
    pub fn push_manifest(&mut self, repository: &str, tag: &str, manifest: &Json) -> String {
        let media_type = manifest["mediaType"].as_str().unwrap_or(MANIFEST);
        let manifest = Manifest {
            media_type: media_type.to_owned(),
            bytes: manifest.to_string().into_bytes(),
        };
        let digest = digest(&manifest.bytes);
        let repository = self.repository(repository);
        repository.tags.insert(tag.to_owned(), digest.clone());
        repository.manifests.insert(digest.clone(), manifest);
        digest
    }

    /// Puts other bytes in the place of those with a digest, which stays as it was.
    ///
    /// # Panics
    /// When nothing has the digest.
    pub fn corrupt(&mut self, repository: &str, digest: &str, bytes: &[u8]) {
        let repository = self.repository(repository);
        let blob = repository.blobs.get_mut(digest);
        let manifest = repository.manifests.get_mut(digest);
        let kept = blob.or(manifest.map(|manifest| &mut manifest.bytes));
        *kept.expect("the digest is of something that was pushed") = bytes.to_owned();
    }

    fn repository(&mut self, name: &str) -> &mut Repository {
        self.repositories.entry(name.to_owned()).or_default()
    }
}

impl Simulator {
    /// Where the token service is.
    pub fn token_service(&self) -> SocketAddr {
        self.account(|registry| registry.token_service)
    }

    /// Where blobs are when they are redirected.
    pub fn storage(&self) -> SocketAddr {
        self.account(|registry| registry.storage)
    }
}

/// Serves an empty registry.
pub fn start(config: Config) -> io::Result<Simulator> {
    let beside = SocketAddr::new(config.listen.ip(), 0);
    let (token_service, storage) = (bind(beside)?, bind(beside)?);
    let shared = Shared::new(Registry {
        access: config.access,
        behaviour: Behaviour::default(),
        repositories: BTreeMap::new(),
        tokens: HashMap::new(),
        token_service: token_service.address(),
        storage: storage.address(),
    });
    let mut sim = Simulator::start(config.listen, shared.clone(), |_| {
        serve::registry(shared.clone())
    })?;
    sim.serve_beside(token_service, serve::token_service(shared.clone()))?;
    sim.serve_beside(storage, serve::storage(shared))?;
    Ok(sim)
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
