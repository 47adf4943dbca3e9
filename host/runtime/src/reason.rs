//! Why something is not as it should be, in a form that is shown to people in their language.
//!
//! A reason names a text by its code and carries the values of the text's placeholders. Three
//! catalogues hold the texts: that of the component, in its manifest; that of the platform, whose
//! codes begin with `platform.`; and that of the host, whose codes begin with `host.`. Nothing is kept
//! or sent as a sentence alone, because that would be of one language.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

use crate::model::{Key, RecordKind};
use crate::observe::tidy;

/// The languages that every text is in; the first stands in for any other.
pub const LANGUAGES: [&str; 3] = ["en", "uk", "ru"];

/// A record of the platform.
#[derive(ComponentType, Lift, Lower, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[component(record)]
pub struct RecordRef {
    /// Kind of record.
    pub kind: RecordKind,
    /// Its key.
    pub key: Key,
}

/// What puts a thing right.
#[derive(ComponentType, Lift, Lower, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[component(variant)]
#[serde(rename_all = "snake_case")]
pub enum Mend {
    /// The setting at this path, such as `period.from`.
    #[component(name = "setting")]
    Setting(String),
    /// The credential of this name.
    #[component(name = "credential")]
    Credential(String),
    /// A record of the platform.
    #[component(name = "record")]
    Record(RecordRef),
}

/// Why something is not as it should be, or what was done.
#[derive(ComponentType, Lift, Lower, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[component(record)]
pub struct Reason {
    /// Names the text.
    pub code: String,
    /// Values of the text's placeholders, by name.
    #[serde(with = "pairs", default)]
    pub args: Vec<(String, String)>,
    /// What puts it right.
    #[serde(default)]
    pub mend: Option<Mend>,
    /// What a technician wants to know.
    #[serde(default)]
    pub detail: Option<String>,
}

/// A reason with its text in one language, for a platform that shows it to its people and does not
/// know the texts of components.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// In the language of the tenant's people.
    pub text: String,
    /// The same for every language.
    pub why: Reason,
}

impl Reason {
    /// The reason of a code, without anything else.
    pub fn new(code: impl Into<String>) -> Reason {
        Reason {
            code: code.into(),
            args: Vec::new(),
            mend: None,
            detail: None,
        }
    }

    /// With the value of a placeholder.
    pub fn arg(mut self, name: &str, value: impl fmt::Display) -> Reason {
        self.args.push((name.to_owned(), value.to_string()));
        self
    }

    /// With what puts it right.
    pub fn mend(mut self, mend: Mend) -> Reason {
        self.mend = Some(mend);
        self
    }

    /// With what a technician wants to know.
    pub fn detail(mut self, detail: impl fmt::Display) -> Reason {
        self.detail = Some(detail.to_string());
        self
    }

    /// Makes all texts of a guest fit for people, each at most so many bytes long.
    pub(crate) fn tidy(&mut self, most: usize) {
        const MOST_ARGS: usize = 50;
        tidy(&mut self.code, most);
        self.args.truncate(MOST_ARGS);
        for (name, value) in &mut self.args {
            tidy(name, most);
            tidy(value, most);
        }
        match &mut self.mend {
            Some(Mend::Setting(text) | Mend::Credential(text)) => tidy(text, most),
            Some(Mend::Record(record)) => tidy(&mut record.key, most),
            None => {}
        }
        if let Some(detail) = &mut self.detail {
            tidy(detail, most);
        }
    }
}

/// In English, where the text is one of the host's own; else the code with its values.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HOST.text(self, LANGUAGES[0]))
    }
}

/// Placeholders and their values as one JSON object.
mod pairs {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(
        pairs: &[(String, String)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(String, String)>, D::Error> {
        let pairs = std::collections::BTreeMap::deserialize(deserializer)?;
        Ok(pairs.into_iter().collect())
    }
}

/// Texts by language and code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue(BTreeMap<String, BTreeMap<String, String>>);

impl Catalogue {
    /// A catalogue out of one JSON object for each language: codes and their texts.
    ///
    /// # Errors
    /// When one of them is not such an object.
    pub fn read<'a>(
        languages: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Catalogue, serde_json::Error> {
        let mut texts = BTreeMap::new();
        for (language, json) in languages {
            texts.insert(language.to_owned(), serde_json::from_str(json)?);
        }
        Ok(Catalogue(texts))
    }

    /// Adds a text.
    pub fn add(&mut self, language: &str, code: &str, text: &str) {
        let texts = self.0.entry(language.to_owned()).or_default();
        texts.insert(code.to_owned(), text.to_owned());
    }

    /// Adds all texts of another; its own win.
    pub fn with(mut self, other: &Catalogue) -> Catalogue {
        for (language, texts) in &other.0 {
            let own = self.0.entry(language.clone()).or_default();
            for (code, text) in texts {
                own.entry(code.clone()).or_insert_with(|| text.clone());
            }
        }
        self
    }

    /// The codes that it has a text for in a language.
    pub fn codes(&self, language: &str) -> impl Iterator<Item = &str> {
        let texts = self.0.get(language);
        texts
            .into_iter()
            .flat_map(|texts| texts.keys().map(String::as_str))
    }

    /// The text of a code as it stands there, with its placeholders.
    pub fn pattern(&self, code: &str, language: &str) -> Option<&str> {
        Some(self.0.get(language)?.get(code)?.as_str())
    }

    /// A reason in one line, with what a technician wants to know in brackets.
    pub fn told(&self, reason: &Reason, language: &str) -> String {
        let text = self.text(reason, language);
        match &reason.detail {
            Some(detail) => format!("{text} ({detail})"),
            None => text,
        }
    }

    /// Whether it has the text of a code, at least in English.
    pub fn knows(&self, code: &str) -> bool {
        self.pattern(code, LANGUAGES[0]).is_some()
    }

    /// The text of a reason in a language, else in English, else its code with its values.
    pub fn text(&self, reason: &Reason, language: &str) -> String {
        let pattern = [language, LANGUAGES[0]]
            .iter()
            .find_map(|language| self.pattern(&reason.code, language));
        match pattern {
            Some(pattern) => fill(pattern, &reason.args),
            None => bare(reason),
        }
    }
}

/// The names of a pattern's placeholders, in their order.
pub fn placeholders(pattern: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = pattern;
    while let Some((name, after)) = next_placeholder(rest) {
        names.push(name);
        rest = after;
    }
    names
}

fn next_placeholder(pattern: &str) -> Option<(&str, &str)> {
    let (_, behind) = pattern.split_once('{')?;
    behind.split_once('}')
}

/// The pattern with its placeholders filled in; one without a value stays as it is.
fn fill(pattern: &str, args: &[(String, String)]) -> String {
    let mut text = String::with_capacity(pattern.len() + 32);
    let mut rest = pattern;
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((name, after)) = behind.split_once('}') else {
            break;
        };
        text.push_str(before);
        match args.iter().find(|(known, _)| known == name) {
            Some((_, value)) => text.push_str(value),
            None => {
                text.push('{');
                text.push_str(name);
                text.push('}');
            }
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// What is left to say where no catalogue knows the code.
fn bare(reason: &Reason) -> String {
    if reason.args.is_empty() {
        return reason.code.clone();
    }
    let values: Vec<String> = (reason.args.iter())
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    format!("{} ({})", reason.code, values.join(", "))
}

/// The texts of the host's own reasons.
pub static HOST: LazyLock<Catalogue> = LazyLock::new(|| {
    let languages = [
        ("en", include_str!("../texts/en.json")),
        ("uk", include_str!("../texts/uk.json")),
        ("ru", include_str!("../texts/ru.json")),
    ];
    Catalogue::read(languages).expect("the host's texts are JSON")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_in_the_readers_language_or_in_english() {
        let mut texts = Catalogue::default();
        texts.add("en", "order.no-buyer", "order {number} has no buyer");
        texts.add("uk", "order.no-buyer", "замовлення {number} не має покупця");
        let reason = Reason::new("order.no-buyer").arg("number", 7);
        assert_eq!("замовлення 7 не має покупця", texts.text(&reason, "uk"));
        assert_eq!("order 7 has no buyer", texts.text(&reason, "ru"));
        let unknown = Reason::new("order.lost").arg("number", 7);
        assert_eq!("order.lost (number: 7)", texts.text(&unknown, "uk"));
    }

    #[test]
    fn a_value_that_looks_like_a_placeholder_stays_as_it_is() {
        let args = [
            ("a".to_owned(), "{b}".to_owned()),
            ("b".to_owned(), "x".to_owned()),
        ];
        assert_eq!("{b} x {c} {", fill("{a} {b} {c} {", &args));
        assert_eq!(vec!["a", "b"], placeholders("{a} und {b} {"));
    }
}
