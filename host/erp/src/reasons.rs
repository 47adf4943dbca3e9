//! The reasons that several places of the embedded ERP give, and the texts of all of them.
//!
//! A code names a kind of problem; the field that has it is an argument. The texts are in `texts/`,
//! one file for each language.

use std::fmt::Display;
use std::sync::LazyLock;

use tenon_host::model::{Key, RecordKind};
use tenon_host::reason::{Catalogue, HOST, LANGUAGES, Mend, Reason, RecordRef};

/// The texts of the codes that begin with `platform.`.
pub static TEXTS: LazyLock<Catalogue> = LazyLock::new(|| {
    let languages = [
        ("en", include_str!("../texts/en.json")),
        ("uk", include_str!("../texts/uk.json")),
        ("ru", include_str!("../texts/ru.json")),
    ];
    Catalogue::read(languages).expect("the platform's texts are JSON")
});

/// In English and with all that is known, for logs and for programs that print an error as it is.
pub(crate) fn english(reason: &Reason) -> String {
    static ALL: LazyLock<Catalogue> = LazyLock::new(|| TEXTS.clone().with(&HOST));
    ALL.told(reason, LANGUAGES[0])
}

/// A field that must not be empty.
pub(crate) fn empty(field: impl Display) -> Reason {
    Reason::new("platform.empty").arg("field", field)
}

/// A key that no record of that kind has.
pub(crate) fn no_record(kind: &str, key: &str) -> Reason {
    Reason::new("platform.no-record")
        .arg("kind", kind)
        .arg("key", key)
}

/// What must be there once only.
pub(crate) fn twice(field: impl Display, key: &str) -> Reason {
    Reason::new("platform.twice")
        .arg("field", field)
        .arg("key", key)
}

/// A record of the ERP that is to be mended.
pub(crate) fn mend(kind: RecordKind, key: Key) -> Mend {
    Mend::Record(RecordRef { kind, key })
}
