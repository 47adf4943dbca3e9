//! Where the bytes of a component come from: a file, a directory, or an artifact in an OCI registry.
//!
//! A token of the platform names the place, and may be in other hands than the machine. So the
//! operators say which folder components lie in and which registries are asked; a path leads nowhere
//! else, an error repeats nothing of what was read, and a registry that they have not named is asked
//! only at an address that a connector could reach as well. What is at the place is not trusted. A
//! registry, or whoever has taken it over,
//! - may send without end: nothing is read past the size that is allowed for it;
//! - may send other bytes than were asked for: whatever is named by a digest is checked against it;
//! - may send requests elsewhere: they go on over https, or to a registry that the operators named
//!   for plain http, and the login is shown to nobody but the registry and the token service that
//!   the registry itself names;
//! - may put somebody else's component in the place of the right one: see
//!   [`signature`](super::signature).

mod artifact;
mod files;
mod login;
mod registry;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use oci_client::Reference;

use super::MOST_COMPONENT_BYTES;
use super::signature::{KeyId, SignatureError, SignaturePolicy};
use artifact::Digest;
pub use artifact::Unsuitable;

const REGISTRY: &str = "oci://";

/// What WebAssembly begins with.
const MAGIC: &[u8] = b"\0asm";

/// The place of a component, as operators write it:
/// - `./keycrm.wasm`, a file; its signature is beside it in `./keycrm.wasm.minisig`;
/// - `./components`, a directory with one file `*.wasm`, or one that is an OCI image layout;
/// - `oci://registry.example/ns/name:tag`, an artifact in a registry; in place of the tag or after
///   it may stand its digest, `@sha256:…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source(Place);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Path(PathBuf),
    Registry(Reference),
}

/// How components are fetched.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// Largest component that is read.
    pub max_bytes: u64,
    /// Registries (`host` or `host:port`) that are asked over plain http, and hosts that they may
    /// send requests on to in the same way. All others are asked over https.
    pub plain_http: Vec<String>,
    /// Registries (`host` or `host:port`) that are asked at all, those of `plain_http` beside them. They
    /// may be at private addresses. When empty, any at a public address is asked.
    pub registries: Vec<String>,
    /// The folder in which components lie; paths are taken from there. Without one no path is read.
    pub root: Option<PathBuf>,
    /// A file with logins for registries, in the format of Docker's `config.json`. Without one,
    /// registries are asked without a login.
    pub logins: Option<PathBuf>,
    /// Which signatures are good.
    pub signatures: SignaturePolicy,
}

/// A component, checked as far as the options want it.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The component.
    pub bytes: Vec<u8>,
    /// Where it was: a path from the root, or the artifact with its digest. It is a [`Source`] again,
    /// and of an artifact it names these bytes for ever.
    pub source: String,
    /// The trusted key that signed it.
    pub signed_by: Option<KeyId>,
}

/// The component could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The text names no place.
    #[error("`{}` names no component: {reason}", text.escape_debug())]
    Text {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No path is read.
    #[error("this server takes no components from its disk; start it with `--source-root FOLDER`")]
    NoRoot,
    /// The path is not below the folder in which components lie.
    #[error(
        "{} is not below the folder that `--source-root` names; put the component there", path.display()
    )]
    Outside {
        /// The path.
        path: PathBuf,
    },
    /// The registry is none of those that are asked.
    #[error("the registry of {place} is not asked; name it with `--registry`")]
    NotListed {
        /// The source.
        place: String,
    },
    /// A file or directory cannot be read.
    #[error("cannot read {}: {error}; check the path and who may read it", path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// There is something at the place, but no component that could be taken.
    #[error("{place} {reason}")]
    Unsuitable {
        /// The source, or a part of it.
        place: String,
        /// What is wrong with it.
        reason: Unsuitable,
    },
    /// More than is read.
    #[error(
        "{place} is larger than {most} bytes, the most that is read; check that it is the right one"
    )]
    TooLarge {
        /// The source, or a part of it.
        place: String,
        /// The limit.
        most: u64,
    },
    /// The bytes are not those that were asked for.
    #[error(
        "{place} is damaged: its bytes are not those of {expected}; try again, and if it stays so, push it anew"
    )]
    Damaged {
        /// The source, or a part of it.
        place: String,
        /// The digest that the bytes should have.
        expected: String,
    },
    /// The file with the logins cannot be used.
    #[error("{} is no file with logins: {reason}; write one with `docker login`", path.display())]
    Logins {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The registry does not let this login have it.
    #[error("{place} is not given out: {reason}")]
    Refused {
        /// The source.
        place: String,
        /// What would help.
        reason: String,
    },
    /// There is nothing at the place.
    #[error("{place} is not there; check its name and tag, and whether the login may see it")]
    Absent {
        /// The source, or a part of it.
        place: String,
    },
    /// The registry cannot be asked, or does not answer as a registry does.
    #[error("{place} cannot be fetched: {reason}")]
    Unreachable {
        /// The source, or a part of it.
        place: String,
        /// What happened and what to do.
        reason: String,
    },
    /// The signature is missing or no good.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// What was at a source, before anybody asks who signed it.
struct Found {
    bytes: Vec<u8>,
    source: String,
    signature: Option<String>,
}

impl Source {
    /// Reads the component, and its signature if there is one.
    pub async fn fetch(&self, options: &SourceOptions) -> Result<Fetched, SourceError> {
        let found = match &self.0 {
            Place::Path(path) => {
                let (path, most) = (path.clone(), options.max_bytes);
                let root = options.root.clone();
                let reading = tokio::task::spawn_blocking({
                    let path = path.clone();
                    move || files::read(&files::inside(root.as_deref(), &path)?, most)
                });
                let ended = |error| SourceError::Unreadable {
                    path,
                    error: io::Error::from(error),
                };
                reading.await.map_err(ended)??
            }
            Place::Registry(reference) => registry::pull(reference, options).await?,
        };
        if !found.bytes.starts_with(MAGIC) {
            return Err(SourceError::Unsuitable {
                place: found.source,
                reason: Unsuitable::NoWebAssembly,
            });
        }
        let signed_by = (options.signatures).check(&found.bytes, found.signature.as_deref())?;
        Ok(Fetched {
            bytes: found.bytes,
            source: found.source,
            signed_by,
        })
    }
}

impl Default for SourceOptions {
    fn default() -> SourceOptions {
        SourceOptions {
            max_bytes: MOST_COMPONENT_BYTES,
            plain_http: Vec::new(),
            registries: Vec::new(),
            root: None,
            logins: None,
            signatures: SignaturePolicy::default(),
        }
    }
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Source, SourceError> {
        let wrong = |reason| SourceError::Text {
            text: text.to_owned(),
            reason,
        };
        if text.contains(char::is_control) {
            return Err(wrong("leave out the control characters"));
        }
        let place = if let Some(artifact) = text.strip_prefix(REGISTRY) {
            Place::Registry(reference(artifact).map_err(wrong)?)
        } else if text.is_empty() || text.contains("://") {
            return Err(wrong(
                "give a file such as ./keycrm.wasm, a directory, or an artifact such as \
                 oci://registry.example/ns/name:tag",
            ));
        } else {
            Place::Path(PathBuf::from(text))
        };
        Ok(Source(place))
    }
}

/// An artifact that says where it is and which one it is: nothing is filled in, because what would be
/// is somebody else's registry and whatever was pushed last.
fn reference(text: &str) -> Result<Reference, &'static str> {
    let reference: Reference = text.parse().map_err(
        |_| "write the artifact as oci://registry.example/ns/name:tag, or with @sha256:… for the tag",
    )?;
    let named = text.strip_prefix(reference.registry());
    let Some(name) = named.and_then(|rest| rest.strip_prefix('/')) else {
        return Err("name its registry, as in oci://registry.example/ns/name:tag");
    };
    if !name.contains([':', '@']) {
        return Err("say which one: add :TAG or @sha256:DIGEST");
    }
    if (reference.digest()).is_some_and(|digest| digest.parse::<Digest>().is_err()) {
        return Err("write its digest as sha256: and 64 lower-case hexadecimal digits");
    }
    Ok(reference)
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Path(path) => write!(f, "{}", path.display()),
            Place::Registry(reference) => write!(f, "{REGISTRY}{reference}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_written_as_it_was_read() {
        let digest = Digest::of(b"").to_string();
        for text in [
            "keycrm.wasm".to_owned(),
            "./components/keycrm.wasm".to_owned(),
            "oci://registry.example/ns/keycrm:1.2.0".to_owned(),
            "oci://localhost:5000/keycrm:1".to_owned(),
            "oci://127.0.0.1:5000/a/b/c:1".to_owned(),
            format!("oci://registry.example/ns/keycrm@{digest}"),
            format!("oci://registry.example/ns/keycrm:1@{digest}"),
        ] {
            let source: Source = text.parse().unwrap();
            assert_eq!(
                text.starts_with("oci:"),
                matches!(source.0, Place::Registry(_))
            );
            assert_eq!(text, source.to_string());
        }
    }

    #[test]
    fn what_a_source_leaves_open_is_not_guessed() {
        let digest = Digest::of(b"").to_string().to_uppercase();
        for (text, advice) in [
            ("", "./keycrm.wasm"),
            ("https://registry.example/keycrm.wasm", "oci://"),
            ("./keycrm\n.wasm", "control characters"),
            ("oci://", "oci://registry.example/ns/name:tag"),
            (
                "oci://registry.example/Keycrm:1",
                "registry.example/ns/name",
            ),
            ("oci://keycrm:1", "name its registry"),
            ("oci://ns/keycrm:1", "name its registry"),
            ("oci://registry.example:5000/ns/keycrm", "add :TAG"),
            (
                &format!(
                    "oci://registry.example/keycrm@{}",
                    digest.replace("SHA", "sha")
                ),
                "64 lower-case hexadecimal",
            ),
            (
                "oci://registry.example/../etc:1",
                "registry.example/ns/name",
            ),
        ] {
            let error = text.parse::<Source>().unwrap_err().to_string();
            assert!(error.contains(advice), "{text}: {error}");
            assert_eq!(1, error.lines().count());
        }
    }
}
