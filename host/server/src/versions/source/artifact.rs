//! What a component looks like as an OCI artifact, wherever the artifact lies.
//!
//! It has the form that the wasm tools push: one layer `application/wasm`. A second layer may hold
//! its signature. Nothing here reads anything: it says which part to read next, how long that part
//! is, and which digest it has.

use std::fmt;
use std::str::FromStr;

use oci_client::manifest::{OciDescriptor, OciImageManifest, OciManifest};
use sha2::{Digest as _, Sha256};

/// The type of the layer that is the component.
const COMPONENT: &str = "application/wasm";
/// The type of the layer that is its signature.
const SIGNATURE: &str = "application/vnd.tenon.minisig";
/// Types of the configuration: what the wasm tools write, and none.
const CONFIGS: [&str; 2] = [
    "application/vnd.wasm.config.v0+json",
    "application/vnd.oci.empty.v1+json",
];

/// Longest manifest or index; registries take no longer ones.
pub const MOST_MANIFEST_BYTES: u64 = 4 << 20;

/// Indexes that may stand in front of a manifest.
pub const MOST_INDEXES: usize = 2;

/// A SHA-256, written `sha256:` and 64 digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest(String);

/// The text is no such digest.
#[derive(Debug)]
pub struct BadDigest;

/// One blob of an artifact.
#[derive(Clone, Debug)]
pub struct Part {
    pub digest: Digest,
    pub size: u64,
}

/// What a manifest leads to.
#[derive(Debug)]
pub enum Manifest {
    Component {
        component: Part,
        signature: Option<Part>,
    },
    /// Another manifest.
    Index(Digest),
}

/// What stands at a source is no component that could be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsuitable {
    /// Other bytes than those of a component.
    #[error("is no WebAssembly; name a component")]
    NoWebAssembly,
    /// Neither file nor directory.
    #[error("is neither a file nor a directory; name one of them")]
    NoFile,
    /// The directory has no component.
    #[error("holds no component; put a .wasm file there, or name the file itself")]
    NoComponent,
    /// The directory has several.
    #[error("holds several components ({0}); name one of these files")]
    ManyComponents(String),
    /// Not JSON of the right form.
    #[error("is no OCI manifest; push the component with a tool for OCI artifacts")]
    NoManifest,
    /// The artifact is of another kind.
    #[error(
        "is no wasm artifact: it has {0}; push the component as one layer {COMPONENT} with a \
         configuration {config}",
        config = CONFIGS[0]
    )]
    NoWasm(String),
    /// The index does not say which manifest to take.
    #[error("is an index of {0} artifacts; name one of them by its digest, or push it alone")]
    ManyArtifacts(usize),
    /// One index leads to another without end.
    #[error("is an index of indexes; name the artifact by its digest")]
    ManyIndexes,
    /// A part is named by something else than a SHA-256 and a length.
    #[error("has a part without a sha256 digest or a length; push it anew with another tool")]
    NoDigest,
}

/// Reads a manifest or an index.
pub fn manifest(bytes: &[u8]) -> Result<Manifest, Unsuitable> {
    match serde_json::from_slice(bytes).map_err(|_| Unsuitable::NoManifest)? {
        OciManifest::Image(manifest) => component(&manifest),
        OciManifest::ImageIndex(index) => match index.manifests.as_slice() {
            [only] => {
                let digest = only
                    .digest
                    .parse()
                    .map_err(|BadDigest| Unsuitable::NoDigest)?;
                Ok(Manifest::Index(digest))
            }
            many => Err(Unsuitable::ManyArtifacts(many.len())),
        },
    }
}

fn component(manifest: &OciImageManifest) -> Result<Manifest, Unsuitable> {
    let config = manifest.config.media_type.as_str();
    if !CONFIGS.contains(&config) {
        let shown = shown(config);
        return Err(Unsuitable::NoWasm(format!("the configuration {shown}")));
    }
    let (mut components, mut signatures) = (Vec::new(), Vec::new());
    for layer in &manifest.layers {
        match layer.media_type.as_str() {
            COMPONENT => components.push(layer),
            SIGNATURE => signatures.push(layer),
            other => return Err(Unsuitable::NoWasm(format!("a layer {}", shown(other)))),
        }
    }
    match (components.as_slice(), signatures.as_slice()) {
        ([layer], [] | [_]) => Ok(Manifest::Component {
            component: part(layer)?,
            signature: signatures.first().map(|layer| part(layer)).transpose()?,
        }),
        (components, signatures) => Err(Unsuitable::NoWasm(format!(
            "{} components and {} signatures",
            components.len(),
            signatures.len()
        ))),
    }
}

/// A type as somebody wrote it, in one short line.
fn shown(media_type: &str) -> String {
    let start: String = media_type.chars().take(100).collect();
    format!("{start:?}")
}

fn part(layer: &OciDescriptor) -> Result<Part, Unsuitable> {
    Ok(Part {
        digest: layer
            .digest
            .parse()
            .map_err(|BadDigest| Unsuitable::NoDigest)?,
        size: u64::try_from(layer.size).map_err(|_| Unsuitable::NoDigest)?,
    })
}

impl Digest {
    /// Of some bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(hex::encode(Sha256::digest(bytes)))
    }

    /// The digits.
    pub fn hex(&self) -> &str {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Digest, BadDigest> {
        let hex = text.strip_prefix("sha256:").ok_or(BadDigest)?;
        let digits = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if digits && hex.len() == 64 {
            Ok(Digest(hex.to_owned()))
        } else {
            Err(BadDigest)
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}
