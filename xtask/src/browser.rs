//! The browser that the tests of the console drive.

use std::process::Command;

use anyhow::{Result, bail};

use super::find;

/// Its programs, and the Debian packages that hold them.
const PROGRAMS: [(&str, &str); 2] = [
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
];

/// Installs Chromium and its driver where they are missing and the system is one that can be asked to.
pub fn ensure_browser() -> Result<()> {
    let missing: Vec<&str> = (PROGRAMS.iter())
        .filter(|(program, _)| find(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if find("apt-get").is_none() {
        bail!(
            "the tests of the console need {}; install chromium and chromedriver",
            missing.join(" and ")
        );
    }
    super::run(Command::new("apt-get").args(["update", "--quiet"]))?;
    super::run(
        Command::new("apt-get")
            .args(["install", "--yes", "--quiet", "--no-install-recommends"])
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}
