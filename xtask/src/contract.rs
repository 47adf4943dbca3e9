//! Holds the contract's folder and the SDK to what authors elsewhere need of them: other languages'
//! tools take `wit/` as it is, and the packed SDK is all that a connector outside of this workspace
//! is built with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{WASM, cargo, find, run, target, venv};

/// Releases that are known to work.
const JCO: &str = "@bytecodealliance/jco@1.31.0";
const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";

const WORLDS: [&str; 2] = ["connector", "platform"];

/// What a crate outside of the workspace says of itself.
const OUTSIDE: &str = r#"[package]
name = "outside"
version = "1.0.0"
edition = "2024"

[lib]
crate-type = ["cdylib"]

[dependencies]
tenon-sdk = { path = "PACKED" }

[workspace]
"#;

/// All of it; fails when one of them does not take the contract.
pub fn check(root: &Path) -> Result<()> {
    let folder = target(root).join("contract");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    javascript(root, &folder)?;
    python(root, &folder)?;
    outside(root, &folder)
}

/// Types for JavaScript. A machine without npm goes without.
fn javascript(root: &Path, folder: &Path) -> Result<()> {
    if find("npm").is_none() {
        eprintln!("xtask: there is no npm here: the contract's types for JavaScript are not tried");
        return Ok(());
    }
    let tools = folder.join("node");
    fs::create_dir_all(&tools)?;
    let install = ["install", "--silent", "--no-audit", "--no-fund", "--prefix"];
    run(Command::new("npm").args(install).arg(&tools).arg(JCO))?;
    for world in WORLDS {
        run(Command::new(tools.join("node_modules/.bin/jco"))
            .arg("types")
            .arg(root.join("wit"))
            .args(["--quiet", "--world-name", world, "--out-dir"])
            .arg(emptied(folder, &format!("javascript-{world}"))?))?;
    }
    Ok(())
}

/// Bindings for Python.
fn python(root: &Path, folder: &Path) -> Result<()> {
    let programs = venv(&folder.join("python"), COMPONENTIZE_PY)?;
    for world in WORLDS {
        run(Command::new(programs.join("componentize-py"))
            .arg("--wit-path")
            .arg(root.join("wit"))
            .args(["--world", world, "bindings"])
            .arg(emptied(folder, &format!("python-{world}"))?))?;
    }
    Ok(())
}

/// A connector that has nothing but the packed SDK, which brings the contract along. The host takes
/// what comes out.
fn outside(root: &Path, folder: &Path) -> Result<()> {
    let pack = [
        "package",
        "--package",
        "tenon-sdk",
        "--no-verify",
        "--allow-dirty",
        "--quiet",
    ];
    run(cargo(root).args(pack))?;
    let name = format!("tenon-sdk-{}", env!("CARGO_PKG_VERSION"));
    let archive = target(root).join("package").join(format!("{name}.crate"));
    let packed = folder.join(&name);
    if packed.exists() {
        fs::remove_dir_all(&packed)?;
    }
    run(Command::new("tar")
        .arg("-xf")
        .arg(&archive)
        .arg("-C")
        .arg(folder))?;

    let package = folder.join("outside");
    fs::create_dir_all(package.join("src"))?;
    let manifest = OUTSIDE.replace("PACKED", &format!("../{name}"));
    fs::write(package.join("Cargo.toml"), manifest)?;
    fs::write(
        package.join("src/lib.rs"),
        include_str!("../outside/lib.rs"),
    )?;
    // The versions that everything here is tried with.
    fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock"))?;
    run(cargo(&package)
        .args(["build", "--quiet", "--target", WASM, "--target-dir"])
        .arg(folder.join("built")))?;
    let component = folder.join("built").join(WASM).join("debug/outside.wasm");
    run(Command::new(target(root).join("release/tenon"))
        .arg("inspect")
        .arg(component)
        .stdout(std::process::Stdio::null()))
}

/// A folder that is there and has nothing in it.
fn emptied(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    if path.exists() {
        fs::remove_dir_all(&path)?;
    }
    fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
    Ok(path)
}
