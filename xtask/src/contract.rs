//! Holds the contract's folder and the SDK to what authors elsewhere need of them: other languages'
//! tools take `wit/` as it is, and the packed SDK is all that a connector outside of this workspace
//! is built with, as the guide says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::{WASM, cargo, find, run, sdk, target, venv};

/// Releases that are known to work.
const JCO: &str = "@bytecodealliance/jco@1.31.0";
const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";

const WORLDS: [&str; 2] = ["connector", "platform"];

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

/// The template of a connector has nothing but the packed SDK, which brings the contract along: it is
/// tested and built as its author would, and the host takes what comes out.
fn outside(root: &Path, folder: &Path) -> Result<()> {
    let template = root.join("components/template");
    let package = emptied(folder, "template")?;
    run(Command::new("cp")
        .arg("-r")
        .arg(template.join("."))
        .arg(&package))?;
    sdk::pack(root, &package.join("sdk"))?;
    // The versions that everything here is tried with.
    fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock"))?;
    let built = folder.join("built");
    run(cargo(&package)
        .args(["test", "--quiet", "--target-dir"])
        .arg(&built))?;
    run(cargo(&package)
        .args(["build", "--release", "--quiet", "--target", WASM])
        .arg("--target-dir")
        .arg(&built))?;
    let component = built.join(WASM).join("release/my_shop.wasm");
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
