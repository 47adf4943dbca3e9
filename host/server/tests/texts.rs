//! Every code that the host, the ERP and the server give has its text in three languages, with the same
//! placeholders, and there is no text that nobody gives.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use tenon::api::STATUSES;
use tenon::control::tokens::Scope;
use tenon_host::reason::{LANGUAGES, placeholders};

/// Part of the codes that come from one crate.
struct Source {
    /// What its codes begin with.
    prefix: &'static str,
    folder: &'static str,
}

const SOURCES: [Source; 3] = [
    Source {
        prefix: "host.",
        folder: "runtime",
    },
    Source {
        prefix: "platform.",
        folder: "erp",
    },
    Source {
        prefix: "server.",
        folder: "server",
    },
];

type Texts = BTreeMap<String, String>;

impl Source {
    fn path(&self) -> PathBuf {
        let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        host.join(self.folder)
    }

    fn texts(&self, language: &str) -> Texts {
        let path = self.path().join(format!("texts/{language}.json"));
        let text = fs::read_to_string(&path).expect("a file of texts");
        serde_json::from_str(&text).expect("an object of texts")
    }

    /// Its sources without their tests.
    fn code(&self) -> String {
        let mut code = String::new();
        read_below(&self.path().join("src"), &mut code);
        code
    }
}

fn read_below(folder: &Path, code: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str());
        if path.is_dir() {
            read_below(&path, code);
        } else if path.extension().is_some_and(|ending| ending == "rs") && name != Some("tests.rs")
        {
            let text = fs::read_to_string(&path).expect("a source");
            let end = text.find("\nmod tests {").unwrap_or(text.len());
            code.push_str(&text[..end]);
        }
    }
}

/// The quoted words that begin with a prefix and are codes.
fn quoted<'a>(code: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    code.split('"')
        .filter(move |word| word.len() > prefix.len() && word.starts_with(prefix))
        .filter(|word| {
            word.chars()
                .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
        })
}

/// The codes that are put together: problems with their titles, broken rules, and kinds of things.
fn composed(code: &str) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for (name, _) in STATUSES {
        codes.insert(format!("server.{name}"));
        codes.insert(format!("server.{name}.title"));
    }
    let rules = code
        .split("Refused::rule(")
        .skip(1)
        .chain(code.split("Broken::new(").skip(1));
    for call in rules {
        let arguments = call
            .split_once(';')
            .map_or(call, |(arguments, _)| arguments);
        for word in arguments.split('"').skip(1).step_by(2) {
            codes.insert(format!("server.rule.{word}"));
        }
    }
    for scope in Scope::ALL {
        codes.insert(format!("server.scope.{}", scope.name()));
    }
    let things = code
        .split("impl fmt::Display for What")
        .nth(1)
        .expect("kinds of things");
    let things = things.split("\n}\n").next().expect("their names");
    for word in things.split('"').skip(1).step_by(2) {
        codes.insert(format!("server.thing.{}", word.replace(' ', "-")));
    }
    codes
}

#[test]
fn every_code_has_its_text_in_three_languages_with_the_same_placeholders() {
    let code: String = SOURCES.iter().map(Source::code).collect();
    for source in &SOURCES {
        let english = source.texts(LANGUAGES[0]);
        for code in quoted(&code, source.prefix) {
            assert!(english.contains_key(code), "there is no text for `{code}`");
        }
        for language in LANGUAGES {
            let texts = source.texts(language);
            let codes: Vec<&String> = texts.keys().collect();
            assert_eq!(english.keys().collect::<Vec<_>>(), codes, "{language}");
            for (code, text) in &texts {
                let names = |text| placeholders(text).into_iter().collect::<BTreeSet<_>>();
                assert_eq!(names(&english[code]), names(text), "`{code}` in {language}");
                assert!(!text.trim().is_empty(), "`{code}` in {language}");
            }
        }
    }
}

#[test]
fn every_text_is_given_and_every_placeholder_is_filled() {
    let code: String = SOURCES.iter().map(Source::code).collect();
    let composed = composed(&code);
    for source in &SOURCES {
        let given: BTreeSet<&str> = quoted(&code, source.prefix).collect();
        for (name, text) in source.texts(LANGUAGES[0]) {
            let is_given = given.contains(name.as_str()) || composed.contains(&name);
            assert!(is_given, "nobody gives `{name}`");
            for placeholder in placeholders(&text) {
                let filled = [".arg(", ".with("].iter().any(|call| {
                    let fills =
                        |rest: &str| rest.trim_start().starts_with(&format!("\"{placeholder}\""));
                    code.split(call).skip(1).any(fills)
                });
                assert!(filled, "nothing fills {{{placeholder}}} of `{name}`");
            }
        }
    }
}
