//! Keeps guests and tests together: an attack that nothing tries, or that is not even built, is no
//! evidence of anything, so this crate does not compile with one.
//!
//! The test of a guest is a function in `tests/` whose name begins with the guest's. Where the
//! names of several guests fit, the longest counts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let (examples, list, tests) = ("guests/examples", "guests/Cargo.toml", "tests");
    for watched in [examples, list, tests] {
        println!("cargo::rerun-if-changed={watched}");
    }
    let guests: BTreeSet<String> = sources(Path::new(examples))?
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let listed = listed(&fs::read_to_string(list)?);
    let mut tested = BTreeSet::new();
    for (_, source) in sources(Path::new(tests))? {
        tested.extend(test_names(&source).filter_map(|test| guest_of(test, &guests)));
    }

    for name in guests.difference(&listed) {
        println!("cargo::error={examples}/{name}.rs is not listed in {list}");
    }
    for name in guests.difference(&tested) {
        println!("cargo::error=no test in {tests} has a name that begins with `{name}_`");
    }
    Ok(())
}

/// The names of the Rust files of a folder, with what is in them.
fn sources(folder: &Path) -> std::io::Result<Vec<(String, String)>> {
    let mut sources = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        if let (Some("rs"), Some(name)) = (
            path.extension().and_then(|ending| ending.to_str()),
            path.file_stem().and_then(|name| name.to_str()),
        ) {
            sources.push((name.to_owned(), fs::read_to_string(&path)?));
        }
    }
    Ok(sources)
}

/// The names of the examples in a manifest.
fn listed(manifest: &str) -> BTreeSet<String> {
    let names = manifest.split("[[example]]").skip(1);
    names
        .filter_map(|example| example.split('"').nth(1))
        .map(str::to_owned)
        .collect()
}

fn test_names(source: &str) -> impl Iterator<Item = &str> {
    let bodies = source.split("#[test]").skip(1);
    bodies.filter_map(|body| body.split_once("fn ")?.1.split('(').next())
}

fn guest_of(test: &str, guests: &BTreeSet<String>) -> Option<String> {
    let fitting = guests.iter().filter(|guest| {
        let rest = test.strip_prefix(guest.as_str());
        rest.is_some_and(|rest| rest.starts_with('_'))
    });
    fitting.max_by_key(|guest| guest.len()).cloned()
}
