//! The files, their policy, and that all texts are there in all languages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use axum::http::Request;
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console/assets")
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Our own scripts as one text.
fn scripts() -> String {
    (ASSETS.iter())
        .filter(|(path, _)| path.ends_with(".js"))
        .map(|(_, bytes)| std::str::from_utf8(bytes).expect("UTF-8"))
        .collect()
}

type Catalogue = BTreeMap<String, Value>;

fn catalogue(language: &str) -> Catalogue {
    let path = folder().join(format!("text/{language}.json"));
    let text = std::fs::read_to_string(path).expect("a catalogue");
    serde_json::from_str(&text).expect("an object of texts")
}

/// The text of a key in each plural form; one form for a text that does not count.
fn forms(text: &Value) -> Vec<(&str, &str)> {
    match text {
        Value::String(text) => vec![("", text)],
        Value::Object(forms) => (forms.iter())
            .map(|(form, text)| (form.as_str(), text.as_str().expect("a text")))
            .collect(),
        other => panic!("{other} is no text"),
    }
}

fn placeholders(text: &str) -> BTreeSet<&str> {
    (text.split('{').skip(1))
        .map(|rest| rest.split_once('}').expect("a closed placeholder").0)
        .collect()
}

/// The text that follows each occurrence of a word, up to the closing quote or the first `${`, and
/// whether it goes on there.
fn after<'a>(scripts: &'a str, word: &'a str) -> impl Iterator<Item = (&'a str, bool)> {
    scripts.match_indices(word).filter_map(move |(at, _)| {
        // `split(` ends in `t(`, too.
        let whole_word = !scripts[..at].ends_with(|c: char| c.is_alphanumeric());
        let rest = &scripts[at + word.len()..];
        let quote = rest
            .chars()
            .next()
            .filter(|c| whole_word && matches!(c, '"' | '`'))?;
        let text = rest[1..].split_once(quote)?.0;
        Some(match text.split_once("${") {
            Some((prefix, _)) => (prefix, true),
            None => (text, false),
        })
    })
}

/// Keys that scripts name, and beginnings of keys whose end is known only when they run.
fn used(scripts: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut keys = BTreeSet::new();
    let mut prefixes = BTreeSet::new();
    for (key, open) in after(scripts, "t(") {
        if open { &mut prefixes } else { &mut keys }.insert(key.to_owned());
    }
    for word in ["named(", "group="] {
        for (group, _) in after(scripts, word) {
            prefixes.insert(format!("{group}."));
        }
    }
    (keys, prefixes)
}

#[test]
fn all_files_of_the_folder_are_served() {
    let mut found = Vec::new();
    files_below(&folder(), &mut found);
    let found: BTreeSet<String> = (found.iter())
        .map(|path| {
            path.strip_prefix(folder())
                .expect("a path below")
                .display()
                .to_string()
        })
        .collect();
    let served: BTreeSet<String> = ASSETS.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(found, served);
}

#[test]
fn every_text_is_there_in_all_languages() {
    let english = catalogue("en");
    for (language, plurals) in [
        ("en", ["one", "other"].as_slice()),
        ("uk", &["one", "few", "many", "other"]),
        ("ru", &["one", "few", "many", "other"]),
    ] {
        let texts = catalogue(language);
        let keys = |texts: &Catalogue| texts.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(keys(&english), keys(&texts), "keys in {language}");
        for (key, text) in &texts {
            let given = forms(text);
            let counts = english[key].is_object();
            assert_eq!(counts, text.is_object(), "{key} in {language}");
            if counts {
                let names: Vec<&str> = given.iter().map(|(form, _)| *form).collect();
                assert_eq!(plurals, names, "plural forms of {key} in {language}");
            }
            let wanted = placeholders(forms(&english[key])[0].1);
            for (form, text) in given {
                assert!(!text.trim().is_empty(), "{key} {form} in {language}");
                assert_eq!(wanted, placeholders(text), "{key} {form} in {language}");
            }
        }
    }
}

#[test]
fn scripts_name_texts_that_there_are_and_no_text_is_left_over() {
    let scripts = scripts();
    let (keys, prefixes) = used(&scripts);
    let texts = catalogue("en");
    assert!(keys.len() > 200, "the scripts were not read: {keys:?}");
    for key in &keys {
        assert!(texts.contains_key(key), "there is no text `{key}`");
    }
    for prefix in &prefixes {
        let known = texts.keys().any(|key| key.starts_with(prefix));
        assert!(known, "there is no text that begins with `{prefix}`");
    }
    for key in texts.keys() {
        let known = scripts.contains(&format!("\"{key}\""))
            || prefixes
                .iter()
                .any(|prefix| key.starts_with(prefix.as_str()));
        assert!(known, "no script names the text `{key}`");
    }
}

#[test]
fn everything_that_the_audit_names_has_a_text() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![source.join("api/tokens.rs")];
    files_below(&source.join("service"), &mut files);
    let texts = catalogue("en");
    let mut known = BTreeSet::new();
    for file in files {
        let code = std::fs::read_to_string(&file).expect("a source");
        // The action is the first text that a note is given.
        let notes = code.split("note(").skip(1);
        for action in notes.filter_map(|rest| rest.split('"').nth(1)) {
            let word = |word: &str| {
                !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            };
            let is_action = action
                .split_once('.')
                .is_some_and(|(thing, done)| word(thing) && word(done));
            if is_action {
                let key = format!("did.{action}");
                assert!(texts.contains_key(&key), "there is no text `{key}`");
                known.insert(key);
            }
        }
    }
    assert!(known.len() > 25, "the sources were not read: {known:?}");
    for key in texts.keys().filter(|key| key.starts_with("did.")) {
        assert!(known.contains(key), "nobody does `{key}`");
    }
}

#[test]
fn the_import_map_is_named_in_the_policy_and_is_the_only_script_in_the_page() {
    assert!(import_map().starts_with('{'));
    let page = include_str!("assets/index.html");
    let inline = page.matches("<script").count() - page.matches(" src=\"").count();
    assert_eq!(1, inline);
    for forbidden in ["<style", " style=", " onclick=", "javascript:"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}

#[tokio::test]
async fn every_file_comes_with_the_policy() {
    let origin = "https://erp.example.com".parse().expect("an origin");
    let router = router(&Options {
        origin: Some(origin),
    });
    for path in ["", "app.js", "style.css", CONFIG, "missing.js", "../api.js"] {
        let request = Request::get(format!("/console/{path}")).body(Body::empty());
        let answer =
            (router.clone().oneshot(request.expect("a request")).await).expect("an answer");
        let wanted = match path {
            "missing.js" | "../api.js" => StatusCode::NOT_FOUND,
            _ => StatusCode::OK,
        };
        assert_eq!(wanted, answer.status(), "{path}");
        let headers = answer.headers();
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().expect("text");
        assert!(
            policy.contains("frame-ancestors https://erp.example.com;"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!("nosniff", headers[X_CONTENT_TYPE_OPTIONS]);
        assert_eq!("no-referrer", headers[REFERRER_POLICY]);
    }
}

#[tokio::test]
async fn a_file_that_did_not_change_is_not_sent_again() {
    let router = router(&Options::default());
    let ask = |tag: Option<HeaderValue>| {
        let mut request = Request::get("/console/app.js");
        if let Some(tag) = tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        router
            .clone()
            .oneshot(request.body(Body::empty()).expect("a request"))
    };
    let first = ask(None).await.expect("an answer");
    let second = ask(Some(first.headers()[ETAG].clone()))
        .await
        .expect("an answer");
    assert_eq!(StatusCode::NOT_MODIFIED, second.status());
}

#[test]
fn nobody_frames_the_console_unless_told_so() {
    assert!(policy(None).contains("frame-ancestors 'none'"));
}
