//! The page that lists what the sandbox promises names a test for each promise, and each of them is
//! there.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// Names in backticks that look like tests: words joined by underscores.
fn named(page: &str) -> impl Iterator<Item = &str> {
    let quoted = page.split('`').skip(1).step_by(2);
    quoted.filter(|name| name.matches('_').count() >= 3 && !name.contains(['/', '.', ' ']))
}

/// The functions behind a test attribute in all sources below a folder.
fn tests_below(folder: &Path, found: &mut HashSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let mut lines = source.lines().map(str::trim);
            // What stands between the parentheses of `#[tokio::test(…)]` is of no interest.
            let is_test = |line: &str| line == "#[test]" || line.starts_with("#[tokio::test");
            while lines.any(is_test) {
                let head = lines.find_map(|line| line.split_once("fn "));
                let name = head.and_then(|(_, rest)| rest.split('(').next());
                found.extend(name.map(str::to_owned));
            }
        }
    }
}

#[test]
fn every_promise_of_the_page_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("host/SECURITY.md")).unwrap();
    let mut tests = HashSet::new();
    for folder in ["host", "tests", "components"] {
        tests_below(&root.join(folder), &mut tests);
    }
    let names: Vec<&str> = named(&page).collect();
    assert!(names.len() > 50, "{names:?}");
    for name in names {
        assert!(tests.contains(name), "there is no test `{name}`");
    }
    let rows = page.lines().filter(|line| line.starts_with("| "));
    for row in rows.filter(|row| !row.starts_with("| promise |")) {
        assert!(named(row).count() > 0, "a promise without a test: {row}");
    }
}
