//! A version of a connector, checked and compiled: what comes out of installing a component.

use std::fmt::Write as _;
use std::hash::{Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::Digest as _;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, error::Context as _};

use crate::capability::{self, RunState};
use crate::contract::ConnectorPre;
use crate::manifest::{BadManifest, Manifest};

/// The interface that every connector exports.
const SYNC: &str = "tenon:connector/sync@0.1.0";

/// Why a component cannot be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// It imports something that no connector gets.
    #[error("the component imports what no connector may use: {}", .0.join(", "))]
    ForbiddenImports(Vec<String>),
    /// It does not export the contract.
    #[error("the component is not a connector: it does not export {SYNC}")]
    NotAConnector,
    /// It is not a WebAssembly component, or its interfaces differ from the contract's.
    #[error("the component cannot be used: {0}")]
    Unusable(String),
    /// What it says about itself cannot be used.
    #[error("the connector's manifest cannot be used: {0}")]
    Manifest(#[from] BadManifest),
    /// The cache folder cannot be written.
    #[error("compiled code cannot be kept in {path}: {source}")]
    Cache {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl InstallError {
    /// It did not even say what it is.
    pub(crate) fn crashed(error: crate::host::CallError) -> InstallError {
        InstallError::Unusable(error.to_string())
    }

    pub(crate) fn unusable(error: wasmtime::Error) -> InstallError {
        let mut text = String::new();
        for (depth, cause) in error.chain().enumerate() {
            let separator = if depth == 0 { "" } else { ": " };
            // Backtraces and hints of the engine take several lines; the first says what is wrong.
            let line = cause.to_string();
            let line = line.lines().next().unwrap_or_default();
            let _ = write!(text, "{separator}{line}");
        }
        InstallError::Unusable(text)
    }
}

/// An installed version of a connector. Runs share it; each has an instance of its own.
pub struct Connector {
    pub(crate) pre: ConnectorPre<RunState>,
    /// SHA-256 of the component, in hex: what a version is stored and pinned by.
    pub digest: String,
    /// What it says about itself.
    pub manifest: Manifest,
    /// Interfaces it imports, with versions.
    pub imports: Vec<String>,
}

impl Connector {
    /// Name and version, e.g. `keycrm 0.1.0`.
    pub fn title(&self) -> String {
        format!("{} {}", self.manifest.name, self.manifest.version)
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector")
            .field("title", &self.title())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// A component that passed the checks which need no call into it.
pub(crate) struct Checked {
    pub pre: ConnectorPre<RunState>,
    pub digest: String,
    pub imports: Vec<String>,
}

/// Compiles a component, or takes its code from the cache, and checks what it imports and exports.
pub(crate) fn check(
    engine: &Engine,
    linker: &Linker<RunState>,
    cache: &Path,
    wasm: &[u8],
) -> Result<Checked, InstallError> {
    let digest = hex(&sha2::Sha256::digest(wasm));
    let component = compiled(engine, cache, &digest, wasm)?;
    let kind = component.component_type();
    let imports: Vec<String> = (kind.imports(engine))
        .map(|(name, _)| name.to_owned())
        .collect();
    let forbidden: Vec<String> = (imports.iter())
        .filter(|name| !capability::is_allowed(name))
        .cloned()
        .collect();
    if !forbidden.is_empty() {
        return Err(InstallError::ForbiddenImports(forbidden));
    }
    if !kind.exports(engine).any(|(name, _)| name == SYNC) {
        return Err(InstallError::NotAConnector);
    }
    let pre = linker
        .instantiate_pre(&component)
        .and_then(ConnectorPre::new)
        .map_err(InstallError::unusable)?;
    Ok(Checked {
        pre,
        digest,
        imports,
    })
}

fn compiled(
    engine: &Engine,
    cache: &Path,
    digest: &str,
    wasm: &[u8],
) -> Result<Component, InstallError> {
    let mut hasher = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let file = cache.join(format!("{digest}-{:016x}.cwasm", hasher.finish()));
    if file.exists() {
        // SAFETY: the folder is written by this function alone, with owner-only rights, and the
        // name ties the code to the component and the engine. wasmtime checks the engine again.
        match unsafe { Component::deserialize_file(engine, &file) } {
            Ok(component) => return Ok(component),
            Err(error) => {
                tracing::warn!(file = %file.display(), "compiled code is not usable: {error}");
            }
        }
    }
    let code = engine
        .precompile_component(wasm)
        .context("it is not a WebAssembly component")
        .map_err(InstallError::unusable)?;
    keep(cache, &file, &code).map_err(|source| InstallError::Cache {
        path: cache.to_owned(),
        source,
    })?;
    // SAFETY: this code was made by this engine a moment ago.
    unsafe { Component::deserialize(engine, &code) }.map_err(InstallError::unusable)
}

/// Writes whole or not at all, whatever else writes the same file.
fn keep(cache: &Path, file: &Path, code: &[u8]) -> std::io::Result<()> {
    let mut folder = std::fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(cache)?;
    let mut new = tempfile::NamedTempFile::new_in(cache)?;
    new.write_all(code)?;
    new.persist(file)?;
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
