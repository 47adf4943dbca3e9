//! A version of a connector, checked and compiled: what comes out of installing a component.
//!
//! The threat: a component is untrusted bytes. So what it imports and exports is read from its
//! outline, which costs next to nothing, and only what may run here is compiled ([`compiler`]).
//! Compiled code is run as it is; so the cache is written by its owner alone, and code that others
//! could have changed is not loaded but made anew.
//!
//! [`compiler`]: crate::compiler

use std::hash::{Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use std::sync::Arc;

use sha2::Digest as _;
use wasmparser::{Encoding, Parser, Payload};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::capability::{self, RunState};
use crate::compiler::{CompileError, Compiler};
use crate::contract::ConnectorPre;
use crate::engine;
use crate::host::CallError;
use crate::manifest::{BadManifest, Manifest, one_line};
use crate::reason::{Catalogue, Reason};

/// The interface that every connector exports.
const SYNC: &str = "tenon:connector/sync@0.2.0";

/// The version of the contract that this host speaks.
pub const CONTRACT: &str = "0.2.0";

/// What a component exports or imports of the contract, whatever its version.
const OWN: [&str; 3] = ["tenon:connector/", "tenon:erp/", "tenon:runtime/"];

/// Most forbidden imports that an error lists.
const LISTED_IMPORTS: usize = 10;

/// Why a component cannot be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// It is larger than this host takes.
    #[error("the component has {size} bytes; this host takes at most {most}")]
    TooLarge {
        /// Its bytes.
        size: usize,
        /// [`HostOptions::component_size`](crate::HostOptions::component_size).
        most: usize,
    },
    /// It imports something that no connector gets; the first such imports.
    #[error("the component imports what no connector may use: {}", .0.join(", "))]
    ForbiddenImports(Vec<String>),
    /// It is made of more than a run gets.
    #[error("{}", self.reason())]
    Excess {
        /// The code of the reason, which says of what.
        code: &'static str,
        /// How much it has.
        found: usize,
        /// How much it may have.
        most: usize,
    },
    /// It was written for another version of the contract.
    #[error(
        "the component speaks version {0} of the contract, this host {CONTRACT}: build it with the \
         `tenon-sdk` of this host"
    )]
    OtherContract(String),
    /// It does not export the contract.
    #[error("the component is not a connector: it does not export {SYNC}")]
    NotAConnector,
    /// It is not a WebAssembly component, or its interfaces differ from the contract's.
    #[error("the component cannot be used: {0}")]
    Unusable(String),
    /// It did not even say what it is.
    #[error("the component cannot be used: {0}")]
    Crashed(#[from] CallError),
    /// It could not be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
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
    /// Why, for people. What its author needs to know, in the host's own words, is its detail.
    pub fn reason(&self) -> Reason {
        match self {
            InstallError::TooLarge { size, most } => Reason::new("host.install.too-large")
                .arg("bytes", size)
                .arg("most", most),
            InstallError::ForbiddenImports(imports) => {
                Reason::new("host.install.forbidden-imports").arg("imports", imports.join(", "))
            }
            InstallError::OtherContract(version) => Reason::new("host.install.other-contract")
                .arg("version", version)
                .arg("own", CONTRACT),
            InstallError::NotAConnector => Reason::new("host.install.not-a-connector"),
            InstallError::Unusable(detail) => Reason::new("host.install.unusable").detail(detail),
            InstallError::Excess { code, found, most } => {
                Reason::new(*code).arg("found", found).arg("most", most)
            }
            InstallError::Crashed(error) => error.reason(),
            InstallError::Compile(error) => error.reason(),
            InstallError::Manifest(error) => error.reason(),
            InstallError::Cache { .. } => Reason::new("host.install.no-cache").detail(self),
        }
    }

    pub(crate) fn unusable(error: wasmtime::Error) -> InstallError {
        // Backtraces and hints of the engine take several lines; the first says what is wrong.
        let causes =
            (error.chain()).filter_map(|cause| Some(cause.to_string().lines().next()?.to_owned()));
        InstallError::Unusable(one_line(&causes.collect::<Vec<_>>().join(": ")))
    }

    fn not_a_component(reason: impl std::fmt::Display) -> InstallError {
        InstallError::Unusable(one_line(&format!(
            "it is not a WebAssembly component: {reason}"
        )))
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
    /// The texts of all reasons that come from it: its own, the platform's and the host's.
    pub catalogue: Arc<Catalogue>,
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

/// Checks what a component imports and exports, and compiles it or takes its code from the cache.
pub(crate) async fn check(
    engine: &Engine,
    linker: &Linker<RunState>,
    compiler: &Compiler,
    cache: &Path,
    wasm: &[u8],
) -> Result<Checked, InstallError> {
    let imports = outline(wasm)?;
    let digest = hex::encode(sha2::Sha256::digest(wasm));
    let component = compiled(engine, compiler, cache, &digest, wasm).await?;
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

/// The version in the name of one of the contract's interfaces, when it is not this host's.
fn other_contract(interface: &str) -> Option<String> {
    if !OWN.iter().any(|own| interface.starts_with(own)) {
        return None;
    }
    let (_, version) = interface.rsplit_once('@')?;
    (version != CONTRACT).then(|| one_line(version))
}

/// The imports of a component that may be compiled: it asks for nothing that is forbidden, and
/// exports the contract. Whether their types fit is seen when it is linked.
fn outline(wasm: &[u8]) -> Result<Vec<String>, InstallError> {
    let mut imports = Vec::new();
    let mut forbidden = Vec::new();
    let mut is_connector = false;
    let mut other = None;
    // Nested modules and components have sections of their own.
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(InstallError::not_a_component)? {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => {
                return Err(InstallError::not_a_component("it is a core module"));
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(InstallError::not_a_component)?.name.name;
                    other = other.or_else(|| other_contract(import));
                    if capability::is_allowed(import) {
                        imports.push(import.to_owned());
                    } else if forbidden.len() < LISTED_IMPORTS {
                        forbidden.push(one_line(import));
                    }
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(InstallError::not_a_component)?;
                    other = other.or_else(|| other_contract(export.name.name));
                    is_connector |= export.name.name == SYNC;
                }
            }
            _ => {}
        }
    }
    if let Some(version) = other {
        Err(InstallError::OtherContract(version))
    } else if !forbidden.is_empty() {
        Err(InstallError::ForbiddenImports(forbidden))
    } else if !is_connector {
        Err(InstallError::NotAConnector)
    } else {
        Ok(imports)
    }
}

async fn compiled(
    engine: &Engine,
    compiler: &Compiler,
    cache: &Path,
    digest: &str,
    wasm: &[u8],
) -> Result<Component, InstallError> {
    let mut hasher = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let file = cache.join(format!("{digest}-{:016x}.cwasm", hasher.finish()));
    if file.exists() {
        match load(engine, cache, &file) {
            Ok(component) => return Ok(component),
            Err(reason) => {
                let file = file.display();
                tracing::warn!(%file, "compiled code is not usable and made anew: {reason:#}");
            }
        }
    }
    let code = compiler.compile(engine, wasm).await?;
    // SAFETY: the compiler that this host was given made the code a moment ago.
    let component = unsafe { Component::deserialize(engine, &code) }.map_err(|error| {
        excess(&error.root_cause().to_string())
            .unwrap_or_else(|| CompileError::foreign(&error).into())
    })?;
    keep(cache, &file, &code).map_err(|source| InstallError::Cache {
        path: cache.to_owned(),
        source,
    })?;
    Ok(component)
}

/// What a component has too much of, by the engine's words: it has no types for that.
fn excess(words: &str) -> Option<InstallError> {
    let things = [
        (
            "core module instances",
            "host.install.excess.core-instances",
            engine::CORE_INSTANCES as usize,
        ),
        (
            "linear memories",
            "host.install.excess.memories",
            engine::MEMORIES as usize,
        ),
        (
            "minimum element size",
            "host.install.excess.table-elements",
            engine::TABLE_ELEMENTS,
        ),
        (
            "tables",
            "host.install.excess.tables",
            engine::TABLES as usize,
        ),
        (
            "minimum byte size",
            "host.install.excess.first-memory",
            engine::MAX_MEMORY,
        ),
        (
            "VMComponentContext",
            "host.install.excess.descriptions",
            engine::DESCRIPTIONS,
        ),
    ];
    let (before, _) = words.split_once("exceeds")?;
    let (_, code, most) = things.iter().find(|(thing, ..)| before.contains(thing))?;
    let mut numbers = before.rsplit(|c: char| !c.is_ascii_digit());
    Some(InstallError::Excess {
        code,
        found: numbers.find_map(|digits| digits.parse().ok())?,
        most: *most,
    })
}

/// Loads code from the cache.
fn load(engine: &Engine, cache: &Path, file: &Path) -> wasmtime::Result<Component> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;

        let (cache, file) = (cache.metadata()?, file.symlink_metadata()?);
        trust((cache.mode(), cache.uid()), (file.mode(), file.uid())).map_err(io::Error::other)?;
    }
    // SAFETY: nobody but the owner of the folder can have written the file, which `keep` does; its
    // name ties the code to the component and the engine. wasmtime checks the engine again.
    unsafe { Component::deserialize_file(engine, file) }
}

/// Whether code is the work of whom the folder belongs to, by the modes and owners of the two.
#[cfg(unix)]
fn trust(folder: (u32, u32), file: (u32, u32)) -> Result<(), &'static str> {
    const OTHERS_WRITE: u32 = 0o022;
    const ROOT: u32 = 0;
    if folder.0 & OTHERS_WRITE != 0 {
        Err("others may write to its folder; take that right from them with chmod go-w")
    } else if file.0 & OTHERS_WRITE != 0 {
        Err("others may write to it")
    } else if file.1 != folder.1 && file.1 != ROOT {
        Err("it belongs to another than its folder does")
    } else {
        Ok(())
    }
}

/// Writes whole or not at all, whatever else writes the same file.
fn keep(cache: &Path, file: &Path, code: &[u8]) -> io::Result<()> {
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

#[cfg(all(test, unix))]
mod tests {
    use super::trust;

    #[test]
    fn only_code_that_nobody_else_could_write_is_trusted() {
        let (folder, file) = (0o40_700, 0o100_600);
        assert!(trust((folder, 7), (file, 7)).is_ok());
        assert!(trust((folder | 0o055, 7), (file | 0o044, 0)).is_ok());
        for (folder, file) in [
            ((folder | 0o020, 7), (file, 7)),
            ((folder | 0o002, 7), (file, 7)),
            ((folder, 7), (file | 0o020, 7)),
            ((folder, 7), (file | 0o002, 7)),
            ((folder, 7), (0o120_777, 7)),
            ((folder, 7), (file, 8)),
            ((folder, 0), (file, 8)),
        ] {
            assert!(trust(folder, file).is_err(), "{folder:?} {file:?}");
        }
    }
}
