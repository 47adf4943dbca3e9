//! Versions of components: where their bytes come from, who signed them, and where they are kept.

pub mod signature;
pub mod source;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
pub use signature::SignaturePolicy;

use crate::control::{Failure, make_folder};

/// Largest component that is taken, sent or fetched.
pub const MOST_COMPONENT_BYTES: u64 = 32 << 20;

/// The components of a data folder, in files named by their digests.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    folder: PathBuf,
}

impl Store {
    /// Opens the store of a data folder; makes it when it is not there.
    pub fn open(data: &Path) -> anyhow::Result<Store> {
        let folder = data.join("components");
        make_folder(&folder).with_context(|| folder.display().to_string())?;
        Ok(Store { folder })
    }

    /// The bytes of a component; none when they are not there or others are in their place.
    pub fn read(&self, digest: &str) -> Result<Option<Vec<u8>>, Failure> {
        let path = self.path(digest);
        match std::fs::read(&path) {
            Ok(wasm) => Ok(Some(wasm).filter(|wasm| is_of(digest, wasm))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure(&path, error)),
        }
    }

    /// Keeps a component; when this answers, it is durable. It takes the place of a file of its name that
    /// is damaged.
    pub fn keep(&self, digest: &str, wasm: &[u8]) -> Result<(), Failure> {
        let path = self.path(digest);
        if self.read(digest)?.is_some() {
            return Ok(());
        }
        let write = || -> std::io::Result<()> {
            let mut draft = tempfile::NamedTempFile::new_in(&self.folder)?;
            draft.write_all(wasm)?;
            draft.as_file().sync_all()?;
            draft.persist(&path).map_err(|error| error.error)?;
            #[cfg(unix)]
            std::fs::File::open(&self.folder)?.sync_all()?;
            Ok(())
        };
        write().map_err(|error| failure(&path, error))
    }

    /// Removes a component; one that is not there is no error.
    pub fn remove(&self, digest: &str) -> Result<(), Failure> {
        let path = self.path(digest);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(failure(&path, error))
            }
            _ => Ok(()),
        }
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.wasm"))
    }
}

/// Whether these bytes are the component of a digest.
fn is_of(digest: &str, wasm: &[u8]) -> bool {
    hex::encode(Sha256::digest(wasm)) == digest
}

fn failure(path: &Path, error: std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
