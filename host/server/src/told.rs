//! Reasons with their texts, as they are kept and shown.
//!
//! What happened is kept as a reason, and beside it as the English text that was known then: a later
//! version of a connector may have no text for the code any more.

use std::fmt;
use std::sync::{Arc, LazyLock};

use rusqlite::Row;
use serde::Serialize;
use serde_json::Value;
use tenon_host::reason::{Catalogue, HOST, LANGUAGES, Reason};
use tenon_host::report::RunReport;

use crate::control::columns;

/// The texts of the server's own codes, which begin with `server.`.
pub static SERVER: LazyLock<Catalogue> = LazyLock::new(|| {
    let languages = [
        ("en", include_str!("../texts/en.json")),
        ("uk", include_str!("../texts/uk.json")),
        ("ru", include_str!("../texts/ru.json")),
    ];
    Catalogue::read(languages).expect("the server's texts are JSON")
});

/// The texts of all codes that are of no connector.
pub static TEXTS: LazyLock<Arc<Catalogue>> = LazyLock::new(|| {
    let texts = SERVER.clone().with(&tenon_erp::TEXTS).with(&HOST);
    Arc::new(texts)
});

/// What people were told, in English, with the reason that says it in every language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    /// In English.
    pub text: String,
    /// The same for every language; none of what was kept before there were reasons.
    pub why: Option<Reason>,
}

impl Told {
    /// A reason of the server itself.
    pub fn new(why: Reason) -> Told {
        Told {
            text: TEXTS.text(&why, LANGUAGES[0]),
            why: Some(why),
        }
    }

    /// Why a run could not go on.
    pub fn of(report: RunReport) -> Told {
        Told {
            text: report.error.unwrap_or_default(),
            why: report.why,
        }
    }

    /// Names the reason in the server's log, which holds no text that may name a record.
    pub fn code(&self) -> &str {
        self.why.as_ref().map_or("unknown", |why| &why.code)
    }

    /// The reason as it lies in a column.
    pub fn why_json(&self) -> rusqlite::Result<Option<String>> {
        why_json(self.why.as_ref())
    }

    /// What two columns hold; none where the first is empty.
    pub fn read(row: &Row<'_>, text: &str, why: &str) -> rusqlite::Result<Option<Told>> {
        let text: Option<String> = row.get(text)?;
        let why = read_why(row, why)?;
        Ok(text.map(|text| Told { text, why }))
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The text of a reason in a language. Where the server names a kind of thing or a right, that is in
/// the language, too.
pub fn text(texts: &Catalogue, why: &Reason, language: &str) -> String {
    texts.text(&with_things(why, language), language)
}

/// What was kept in English, in a language. English is told as it was kept, and so is what has no text
/// any more.
pub fn kept(texts: &Catalogue, english: &str, why: Option<&Reason>, language: &str) -> String {
    match why {
        Some(why) if language != LANGUAGES[0] && texts.knows(&why.code) => {
            text(texts, why, language)
        }
        _ => english.to_owned(),
    }
}

/// The texts of the reasons in a stored manifest, with others.
pub fn texts_of(manifest: &Value, others: &Catalogue) -> Arc<Catalogue> {
    let mut texts = Catalogue::default();
    for (code, languages) in manifest["reasons"].as_object().into_iter().flatten() {
        for (language, text) in languages.as_object().into_iter().flatten() {
            texts.add(language, code, text.as_str().unwrap_or_default());
        }
    }
    Arc::new(texts.with(others))
}

/// The text with what a technician wants to know, in one line.
pub fn whole(texts: &Catalogue, why: &Reason, language: &str) -> String {
    texts.told(&with_things(why, language), language)
}

fn with_things(why: &Reason, language: &str) -> Reason {
    let mut why = why.clone();
    if why.code.starts_with("server.") {
        for (name, value) in &mut why.args {
            let group = match (name.as_str(), why.code.as_str()) {
                ("what", _) => "thing",
                ("scope", _) | ("expected", "server.rule.scope") => "scope",
                _ => continue,
            };
            let thing = Reason::new(format!("server.{group}.{}", value.replace(' ', "-")));
            if SERVER.knows(&thing.code) {
                *value = SERVER.text(&thing, language);
            }
        }
    }
    why
}

/// Why something is not done, as an error for people: English where it is shown as it is.
#[derive(Debug)]
pub struct Refusal {
    /// Why.
    pub why: Reason,
    cause: Option<anyhow::Error>,
}

/// For one of the reasons of this program.
pub fn refusal(code: &'static str) -> Refusal {
    Refusal {
        why: Reason::new(code),
        cause: None,
    }
}

impl Refusal {
    /// With a value of a placeholder.
    pub fn arg(mut self, name: &str, value: impl fmt::Display) -> Refusal {
        self.why = self.why.arg(name, value);
        self
    }

    /// With what led to it.
    pub fn because(self, cause: impl Into<anyhow::Error>) -> Refusal {
        Refusal {
            cause: Some(cause.into()),
            ..self
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&whole(&TEXTS, &self.why, LANGUAGES[0]))
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        (self.cause.as_ref()).map(|cause| &**cause as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
impl Told {
    /// A text of a connector, under the code `said`.
    pub fn by_connector(text: &str) -> Told {
        Told {
            text: text.to_owned(),
            why: Some(Reason::new("said").arg("text", text)),
        }
    }
}

/// A reason as it lies in a column.
pub fn why_json(why: Option<&Reason>) -> rusqlite::Result<Option<String>> {
    why.map(columns::to_json).transpose()
}

/// The reason that a column holds, if any.
pub fn read_why(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Reason>> {
    match row.get::<_, Option<String>>(column)? {
        Some(_) => columns::json(row, column).map(Some),
        None => Ok(None),
    }
}

/// A reason together with the texts of who gave it.
#[derive(Clone, Debug)]
pub struct Explained {
    /// Why.
    pub why: Box<Reason>,
    texts: Arc<Catalogue>,
}

impl Explained {
    /// A reason that a connector may have given.
    pub fn new(why: Reason, texts: &Arc<Catalogue>) -> Explained {
        Explained {
            why: Box::new(why),
            texts: Arc::clone(texts),
        }
    }

    /// The text in a language.
    pub fn text(&self, language: &str) -> String {
        text(&self.texts, &self.why, language)
    }

    /// The text with what a technician wants to know, in one line.
    pub fn whole(&self, language: &str) -> String {
        whole(&self.texts, &self.why, language)
    }
}

/// One that no connector gave.
impl From<Reason> for Explained {
    fn from(why: Reason) -> Self {
        Explained::new(why, &TEXTS)
    }
}

/// In English.
impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(LANGUAGES[0]))
    }
}
