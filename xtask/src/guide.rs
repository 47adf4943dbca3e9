//! The guide shows the files of the template: whoever types them word for word gets what is built and
//! tested here.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

/// The files of the template.
const NAMES: &[&str] = &[
    "Cargo.toml",
    ".cargo/config.toml",
    "src/lib.rs",
    "src/orders.rs",
    "src/tests.rs",
    "texts/en.json",
    "texts/uk.json",
    "texts/ru.json",
];

/// Fails where a file that the guide shows is another one than the template's, or is not shown.
pub fn check(root: &Path, template: &Path) -> Result<()> {
    let guide = root.join("components/GUIDE.md");
    let guide = fs::read_to_string(&guide).with_context(|| guide.display().to_string())?;
    let shown = shown(&guide);
    for name in NAMES {
        let file = template.join(name);
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let in_guide = shown.iter().find(|(known, _)| known == name);
        let (_, in_guide) = in_guide.with_context(|| format!("the guide does not show {name}"))?;
        ensure!(
            *in_guide == text,
            "the guide shows another {name} than the template has"
        );
    }
    Ok(())
}

/// The blocks of code that a line with a name and a colon stands before.
fn shown(guide: &str) -> Vec<(&str, &str)> {
    let mut shown = Vec::new();
    let mut rest = guide;
    while let Some(start) = rest.find("\n\n```") {
        let name = rest[..start].rsplit('\n').next().unwrap_or_default();
        let name = name
            .strip_prefix('`')
            .and_then(|name| name.strip_suffix("`:"));
        let block = &rest[start + 5..];
        let Some((_, block)) = block.split_once('\n') else {
            break;
        };
        let Some(end) = block.find("```") else { break };
        if let Some(name) = name {
            shown.push((name, &block[..end]));
        }
        rest = &block[end + 3..];
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_file_is_what_stands_behind_its_name() {
        let guide = "Type:\n\n```\ncargo test\n```\n\n`a.rs`:\n\n```rust\nfn a() {}\n```\n";
        assert_eq!(shown(guide), [("a.rs", "fn a() {}\n")]);
    }
}
