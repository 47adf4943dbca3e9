//! The SDK as authors elsewhere get it: packed crates, which bring the contract along.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{cargo, run, target};

/// The SDK with what it needs beside crates that everybody can get, and what simulators are made of.
const CRATES: [&str; 3] = ["tenon-sdk", "tenon-sdk-macros", "tenon-simulator"];

/// Packs the SDK, and leaves each of its crates in a folder of its name below `to`.
pub fn pack(root: &Path, to: &Path) -> Result<()> {
    let packages = CRATES.iter().flat_map(|name| ["--package", name]);
    run(cargo(root)
        .args(["package", "--no-verify", "--allow-dirty", "--quiet"])
        // Whoever builds with it has versions of their own; and one of the crates is in no registry
        // where the other's could be looked up.
        .arg("--exclude-lockfile")
        .args(packages))?;
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for name in CRATES {
        let packed = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
        let archive = target(root).join(format!("package/{packed}.crate"));
        let folder = to.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        run(Command::new("tar")
            .arg("-xf")
            .arg(&archive)
            .arg("-C")
            .arg(to))?;
        fs::rename(to.join(packed), &folder)?;
    }
    Ok(())
}
