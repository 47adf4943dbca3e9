//! One build for all commands. Cargo gives a crate the features that anything selected wants of it,
//! the dev-dependencies of tests included. So a feature that only a test wants makes `cargo test`
//! compile that crate and all above it a second time, wasmtime with them: minutes, and nobody asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::{cargo, programs, tests};

/// Fails when the tests want other features of a crate than the programs that were built before them.
pub fn check(root: &Path) -> Result<()> {
    let of_programs = tree(root, &programs(), "normal,build")?;
    let of_tests = tree(root, &tests(), "all")?;
    let drifted = drifted(&of_programs, &of_tests);
    ensure!(
        drifted.is_empty(),
        "the tests want other features than `tenon` and the demo, so cargo compiles these crates \
         and all above them twice; name the missing features in [workspace.dependencies], or do \
         without the test's dependency:\n{}",
        drifted.join("\n")
    );
    Ok(())
}

/// The crates that a selection of packages is built from, a line each: `NAME VERSION|FEATURES`.
fn tree(root: &Path, selection: &[&str], edges: &str) -> Result<String> {
    let output = cargo(root)
        .args(["tree", "--quiet", "--prefix", "none"])
        .args(["--format", "{p}|{f}", "--edges", edges])
        .args(selection)
        .output()
        .context("cannot start cargo")?;
    ensure!(
        output.status.success(),
        "cargo tree: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// The crates of the programs that the tests do not want as they are, with both wishes.
///
/// One crate may be there with several: build scripts and macros have features of their own.
fn drifted(programs: &str, tests: &str) -> Vec<String> {
    let tests = crates(tests);
    let nothing = BTreeSet::new();
    let mut drifted = Vec::new();
    for (name, wanted) in crates(programs) {
        let also = tests.get(name).unwrap_or(&nothing);
        let lost = wanted.difference(also).copied();
        drifted.extend(lost.map(|features| {
            let also: Vec<&str> = also.iter().copied().collect();
            format!("  {name}: {features} became {}", also.join(" or "))
        }));
    }
    drifted
}

/// The features of each crate by its name and version.
fn crates(tree: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut crates: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, features) in tree.lines().filter_map(|line| line.split_once('|')) {
        // Marks one that was listed before.
        let features = features.trim_end_matches(" (*)");
        crates.entry(name).or_default().insert(features);
    }
    crates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_that_only_tests_want_is_named() {
        let programs = "tenon v0.1.0|\nserde v1.0.0|std\nsyn v2.0.0|full\nsyn v2.0.0|\n";
        let same =
            "syn v2.0.0|\nsyn v2.0.0|full\ntenon v0.1.0|\nserde v1.0.0|std (*)\nwat v1.0.0|\n";
        assert_eq!(Vec::<String>::new(), drifted(programs, same));
        let other = same.replace("syn v2.0.0|full", "syn v2.0.0|fold,full");
        assert_eq!(
            vec!["  syn v2.0.0: full became  or fold,full"],
            drifted(programs, &other)
        );
    }
}
