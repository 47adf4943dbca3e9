//! The guide shows the files of the template: whoever types them word for word gets what is built and
//! tried in `contract`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// The files of the template that an author types.
const NAMES: [&str; 8] = [
    "Cargo.toml",
    ".cargo/config.toml",
    "src/lib.rs",
    "src/orders.rs",
    "src/tests.rs",
    "texts/en.json",
    "texts/uk.json",
    "texts/ru.json",
];

/// The blocks of code, by the name that stands in a line before, with a colon.
fn shown(guide: &str) -> HashMap<&str, &str> {
    let mut shown = HashMap::new();
    let mut parts = guide.split("```");
    while let (Some(before), Some(block)) = (parts.next(), parts.next()) {
        let name = before.trim_end().rsplit('\n').next().unwrap_or_default();
        let name = name
            .strip_prefix('`')
            .and_then(|name| name.strip_suffix("`:"));
        if let (Some(name), Some((_, text))) = (name, block.split_once('\n')) {
            shown.insert(name, text);
        }
    }
    shown
}

#[test]
fn the_guide_shows_the_files_of_the_template_as_they_are() {
    let components = Path::new(env!("CARGO_MANIFEST_DIR")).join("../components");
    let guide = fs::read_to_string(components.join("GUIDE.md")).expect("the guide");
    let shown = shown(&guide);
    for name in NAMES {
        let file = components.join("template").join(name);
        let text = fs::read_to_string(&file).expect("a file of the template");
        assert_eq!(shown.get(name), Some(&text.as_str()), "{name}");
    }
}
