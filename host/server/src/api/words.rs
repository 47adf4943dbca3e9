//! What happened, in the language of who asks.
//!
//! A text of a connector is in the language of `Accept-Language`, else in that of the tenant, else in
//! English. It comes from the texts of the connector's present version, of the platform and of the
//! host; where none of them knows the code, the English text that was kept then is shown.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use axum::http::request::Parts;
use serde::Serialize;
use tenon_host::reason::{Catalogue, Mend, Reason};
use utoipa::ToSchema;

use super::texts::Language;
use crate::told::{self, Told};

/// The language of an answer: that of the request, else what is found out while it is worked on.
#[derive(Clone, Debug, Default)]
pub struct Spoken(Arc<OnceLock<Language>>);

impl Spoken {
    /// Of a request that accepts this language, if it says so.
    pub fn accepting(language: Option<Language>) -> Spoken {
        let spoken = Spoken::default();
        if let Some(language) = language {
            spoken.speak(language);
        }
        spoken
    }

    /// Of the request that is worked on.
    pub fn of(parts: &Parts) -> Spoken {
        parts.extensions.get().cloned().unwrap_or_default()
    }

    /// Takes a language unless there is one.
    pub fn speak(&self, language: Language) {
        let _ = self.0.set(language);
    }

    /// Takes that of a tenant unless there is one.
    pub fn speak_of_tenant(&self, tag: &str) {
        if let Some(language) = Language::tagged(tag) {
            self.speak(language);
        }
    }

    /// Whether there is one.
    pub fn is_known(&self) -> bool {
        self.0.get().is_some()
    }

    /// The language, English where nothing says which.
    pub fn language(&self) -> Language {
        self.0.get().copied().unwrap_or(Language::En)
    }

    /// What tells things in this language with some texts.
    pub fn words(&self, texts: Arc<Catalogue>) -> Words {
        let language = self.language();
        self.speak(language);
        Words { language, texts }
    }
}

/// Tells what happened in one language, with the texts of one connector.
#[derive(Clone, Debug)]
pub struct Words {
    language: Language,
    texts: Arc<Catalogue>,
}

impl Words {
    /// The text of what is told now.
    pub fn said(&self, why: &Reason) -> String {
        told::text(&self.texts, why, self.language.tag())
    }

    /// The text. English is what was kept.
    pub fn text(&self, text: &str, why: Option<&Reason>) -> String {
        told::kept(&self.texts, text, why, self.language.tag())
    }

    /// The text and the reason of what was kept.
    pub fn told(&self, told: Option<Told>) -> (Option<String>, Option<Why>) {
        match told {
            Some(Told { text, why }) => (Some(self.text(&text, why.as_ref())), why.map(Why::from)),
            None => (None, None),
        }
    }
}

/// Why something is as it is, for programs, and for people who want to mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Reason)]
pub struct Why {
    /// Names the text: of a connector, or of the host (`host.…`), the platform (`platform.…`) or the
    /// server (`server.…`).
    code: String,
    /// What fills the placeholders of the text, by name.
    args: BTreeMap<String, String>,
    /// What puts it right.
    mend: Option<WhatMends>,
    /// What a technician wants to know.
    detail: Option<String>,
}

/// What puts a thing right: one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Mend)]
pub enum WhatMends {
    /// The setting at this path, such as `period.from`.
    Setting(String),
    /// The credential of this name.
    Credential(String),
    /// A record of the platform.
    Record(MendedRecord),
}

/// A record of the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MendedRecord {
    /// Kind of record.
    kind: &'static str,
    /// Its key.
    key: String,
}

impl From<Reason> for Why {
    fn from(reason: Reason) -> Self {
        Why {
            code: reason.code,
            args: reason.args.into_iter().collect(),
            mend: reason.mend.map(|mend| match mend {
                Mend::Setting(path) => WhatMends::Setting(path),
                Mend::Credential(name) => WhatMends::Credential(name),
                Mend::Record(record) => WhatMends::Record(MendedRecord {
                    kind: record.kind.name(),
                    key: record.key,
                }),
            }),
            detail: reason.detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(language: Language) -> Words {
        let mut texts = Catalogue::default();
        texts.add("en", "order.no-buyer", "the order {number} has no buyer");
        texts.add("uk", "order.no-buyer", "замовлення {number} без покупця");
        Spoken::accepting(Some(language)).words(Arc::new(texts))
    }

    #[test]
    fn what_was_kept_is_told_in_the_language_of_who_asks() {
        let why = Reason::new("order.no-buyer").arg("number", 7);
        let kept = "order 7 has no buyer";
        assert_eq!(kept, words(Language::En).text(kept, Some(&why)));
        let uk = words(Language::Uk).text(kept, Some(&why));
        assert_eq!("замовлення 7 без покупця", uk);
    }

    #[test]
    fn a_code_that_nobody_knows_any_more_is_told_as_it_was_kept() {
        let why = Reason::new("order.renamed");
        let words = words(Language::Uk);
        assert_eq!("kept", words.text("kept", Some(&why)));
        assert_eq!("kept", words.text("kept", None));
    }
}
