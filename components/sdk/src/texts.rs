//! The texts of reasons: how a manifest gets them, and what is wrong with them.

use std::collections::BTreeMap;

use crate::model::ReasonText;

/// Languages and their texts.
type Files = [(&'static str, &'static str); 3];

/// The texts of this crate's own reasons.
const OWN: Files = [
    ("en", include_str!("../texts/en.json")),
    ("uk", include_str!("../texts/uk.json")),
    ("ru", include_str!("../texts/ru.json")),
];

/// All codes of reasons that a connector can give, for its manifest: those of its own files
/// `texts/en.json`, `texts/uk.json` and `texts/ru.json`, and those of this crate.
#[macro_export]
macro_rules! reasons {
    () => {
        $crate::texts::reasons([
            ("en", $crate::texts_of!("en")),
            ("uk", $crate::texts_of!("uk")),
            ("ru", $crate::texts_of!("ru")),
        ])
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! texts_of {
    ($language:literal) => {
        ::core::include_str!(::core::concat!(
            ::core::env!("CARGO_MANIFEST_DIR"),
            "/texts/",
            $language,
            ".json"
        ))
    };
}

/// What [`reasons!`](crate::reasons!) comes to.
///
/// # Panics
/// When a file is not an object of texts.
#[doc(hidden)]
pub fn reasons(files: Files) -> Vec<ReasonText> {
    let mut texts: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (language, json) in files.into_iter().chain(OWN) {
        for (code, text) in read(json).expect("texts are one JSON object") {
            let text = (language.to_owned(), text);
            texts.entry(code).or_default().push(text);
        }
    }
    let texts = texts.into_iter();
    texts
        .map(|(code, text)| ReasonText { code, text })
        .collect()
}

fn read(json: &str) -> serde_json::Result<BTreeMap<String, String>> {
    serde_json::from_str(json)
}

#[cfg(not(target_family = "wasm"))]
pub use audit::problems;

#[cfg(not(target_family = "wasm"))]
mod audit {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;
    use std::{fs, io};

    use proc_macro2::{Delimiter, LexError, TokenStream, TokenTree};

    use super::{OWN, read};

    /// Codes with their placeholders.
    type Codes = BTreeMap<String, BTreeSet<String>>;

    /// The macros that name codes.
    const MACROS: [&str; 4] = ["reason", "info", "warn", "error"];

    /// What is wrong with the texts of the crate whose manifest lies in this folder, one line for
    /// each fault: a code that its sources give and that has no text in a language, values that are
    /// not the placeholders of the text, a text that nothing gives. For a test of that crate.
    ///
    /// # Panics
    /// When the sources or the texts cannot be read.
    pub fn problems(crate_dir: impl AsRef<Path>) -> Vec<String> {
        let dir = crate_dir.as_ref();
        let mut used: Vec<(String, BTreeSet<String>)> = Vec::new();
        visit(&dir.join("src"), &mut used).expect("the sources can be read");
        let mut problems = Vec::new();
        for (language, own) in OWN {
            let file = dir.join(format!("texts/{language}.json"));
            let json = fs::read_to_string(&file).expect("the texts can be read");
            let texts = codes(&json);
            for (code, args) in &used {
                match texts.get(code).or(codes(own).get(code)) {
                    None => problems.push(format!("`{code}` has no text in `{language}`")),
                    Some(names) if names != args => problems.push(format!(
                        "`{code}` has the placeholders {names:?} in `{language}` and is given {args:?}"
                    )),
                    Some(_) => {}
                }
            }
            let unused = texts.keys();
            let unused = unused.filter(|code| !used.iter().any(|(given, _)| given == *code));
            problems.extend(unused.map(|code| format!("nothing gives `{code}` ({language})")));
        }
        problems
    }

    fn codes(json: &str) -> Codes {
        let texts = read(json).expect("texts are one JSON object");
        texts
            .into_iter()
            .map(|(code, text)| {
                let names = text.split('{').skip(1);
                let names = names.filter_map(|rest| Some(rest.split_once('}')?.0.to_owned()));
                (code, names.collect())
            })
            .collect()
    }

    /// Gathers the codes of all sources but those of tests.
    fn visit(dir: &Path, used: &mut Vec<(String, BTreeSet<String>)>) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                visit(&path, used)?;
            } else if path.extension().is_some_and(|ending| ending == "rs")
                && !path.ends_with("tests.rs")
            {
                let tokens = fs::read_to_string(&path)?.parse();
                let bad = |error: LexError| io::Error::other(error.to_string());
                gather(tokens.map_err(bad)?, used);
            }
        }
        Ok(())
    }

    fn gather(tokens: TokenStream, used: &mut Vec<(String, BTreeSet<String>)>) {
        let mut name = String::new();
        let mut is_macro = false;
        let mut is_test = false;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    name = ident.to_string();
                    is_macro = false;
                }
                TokenTree::Punct(punct) => is_macro = punct.as_char() == '!',
                TokenTree::Group(group) => {
                    if is_macro && MACROS.contains(&name.as_str()) {
                        used.extend(given(group.stream()));
                    }
                    is_macro = false;
                    match group.delimiter() {
                        Delimiter::Bracket if is_cfg_test(&group.stream()) => {
                            is_test = true;
                        }
                        Delimiter::Brace if is_test => is_test = false,
                        _ => gather(group.stream(), used),
                    }
                }
                TokenTree::Literal(_) => {}
            }
        }
    }

    fn is_cfg_test(attribute: &TokenStream) -> bool {
        let words = attribute.to_string();
        words.split_whitespace().collect::<String>() == "cfg(test)"
    }

    /// The code that a macro is given, with the names of the values; none where it is given a whole
    /// reason.
    fn given(tokens: TokenStream) -> Option<(String, BTreeSet<String>)> {
        let mut code = None;
        let mut names = BTreeSet::new();
        let mut part: Vec<TokenTree> = Vec::new();
        let comma = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == ',');
        let end = ",".parse::<TokenStream>().ok()?;
        for token in tokens.into_iter().chain(end) {
            if !comma(&token) {
                part.push(token);
                continue;
            }
            match std::mem::take(&mut part).as_slice() {
                [TokenTree::Literal(literal)] if code.is_none() => {
                    code = serde_json::from_str::<String>(&literal.to_string()).ok();
                }
                [TokenTree::Ident(name), TokenTree::Punct(sign), _, ..]
                    if sign.as_char() == '=' && code.is_some() =>
                {
                    names.insert(name.to_string());
                }
                _ => {}
            }
        }
        Some((code?, names))
    }

    #[cfg(test)]
    mod tests {
        use super::gather;

        #[test]
        fn codes_are_found_wherever_they_are_given_but_in_tests() {
            let source = r#"
                fn a() -> Reason { reason!("a.b", x = f(1, 2), y = z).detail("c") }
                fn b() { info!(record = key, "c", n = reason!("d")); warn!(reason); debug!("e"); }
                #[cfg(test)] mod tests { fn c() { reason!("f"); } }
                fn d() { error!("g"); }
            "#;
            let mut used = Vec::new();
            gather(source.parse().expect("tokens"), &mut used);
            let used: Vec<String> = used
                .into_iter()
                .map(|(code, names)| format!("{code} {}", Vec::from_iter(names).join(" ")))
                .collect();
            assert_eq!(used, ["a.b x y", "c n", "d ", "g "]);
        }
    }
}
