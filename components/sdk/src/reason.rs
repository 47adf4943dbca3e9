//! Why something is not as it should be, or what was done: [`Reason`], made by
//! [`reason!`](crate::reason!).
//!
//! A reason names a text by its code and gives the values of the text's placeholders, so that people
//! read it in their language. The texts are data: `texts/en.json`, `texts/uk.json` and
//! `texts/ru.json` beside a crate's manifest, each one object of codes and texts. A connector puts
//! them into its own manifest with [`reasons!`](crate::reasons!), and its tests hold them against its
//! sources with [`texts::problems`](crate::texts::problems). Codes of this crate begin with `sdk.`.

use std::fmt::{self, Display};

use crate::decimal::OutOfRange;
use crate::model::{Mend, Reason, RecordKind, RecordRef};
use crate::text::one_line;
use crate::time::NotATime;

/// A reason: `reason!("order.no-buyer", number = order.number)`. What puts it right and what a
/// technician wants to know are added to it: `.setting("default_partner")`, `.detail(error)`.
#[macro_export]
macro_rules! reason {
    ($code:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::model::Reason::new($code)$(.arg(::core::stringify!($name), &$value))*
    };
}

impl Reason {
    /// The reason of a code, without anything else; [`reason!`](crate::reason!) leads here.
    pub fn new(code: &str) -> Reason {
        Reason {
            code: code.to_owned(),
            args: Vec::new(),
            mend: None,
            detail: None,
        }
    }

    /// With the value of a placeholder, which is kept to one line.
    #[must_use]
    pub fn arg(mut self, name: &str, value: impl Display) -> Reason {
        let value = one_line(&value.to_string());
        self.args.push((name.to_owned(), value));
        self
    }

    /// With what a technician wants to know, which is kept to one line.
    #[must_use]
    pub fn detail(self, detail: impl Display) -> Reason {
        Reason {
            detail: Some(one_line(&detail.to_string())),
            ..self
        }
    }

    /// With what puts it right.
    #[must_use]
    pub fn mend(self, mend: Mend) -> Reason {
        Reason {
            mend: Some(mend),
            ..self
        }
    }

    /// The setting at this path puts it right, such as `period.from`.
    #[must_use]
    pub fn setting(self, path: impl Into<String>) -> Reason {
        self.mend(Mend::Setting(path.into()))
    }

    /// The credential of this name puts it right.
    #[must_use]
    pub fn credential(self, name: &str) -> Reason {
        self.mend(Mend::Credential(name.to_owned()))
    }

    /// This record of the platform puts it right.
    #[must_use]
    pub fn record(self, kind: RecordKind, key: &str) -> Reason {
        let key = key.to_owned();
        self.mend(Mend::Record(RecordRef { kind, key }))
    }

    /// It is so for another reason: what puts that one right puts this one right, too.
    #[must_use]
    pub fn because(self, other: &Reason) -> Reason {
        Reason {
            mend: other.mend.clone(),
            ..self.detail(other)
        }
    }
}

/// Code, values and detail, for technicians: a component has its texts in no language at hand.
impl Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)?;
        for (name, value) in &self.args {
            write!(f, " {name}: {value}")?;
        }
        match &self.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl From<OutOfRange> for Reason {
    fn from(OutOfRange(number): OutOfRange) -> Reason {
        reason!("sdk.digits", number = number)
    }
}

impl From<rust_decimal::Error> for Reason {
    fn from(error: rust_decimal::Error) -> Reason {
        reason!("sdk.number").detail(error)
    }
}

impl From<NotATime> for Reason {
    fn from(NotATime(text): NotATime) -> Reason {
        reason!("sdk.date", text = text)
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{Mend, Reason};

    #[test]
    fn a_reason_carries_its_values_on_one_line_and_what_puts_it_right() {
        let inner = reason!("order.no-buyer", number = 7)
            .setting("default_partner")
            .detail("first\nsecond");
        assert_eq!(
            inner,
            Reason {
                code: "order.no-buyer".to_owned(),
                args: vec![("number".to_owned(), "7".to_owned())],
                mend: Some(Mend::Setting("default_partner".to_owned())),
                detail: Some("first second".to_owned()),
            }
        );
        let outer = reason!("order.refused").because(&inner);
        assert_eq!(outer.mend, inner.mend);
        assert_eq!(
            outer.detail.as_deref(),
            Some("order.no-buyer number: 7 (first second)")
        );
    }

    #[test]
    fn every_code_of_this_crate_has_its_texts() {
        assert_eq!(crate::texts::problems(env!("CARGO_MANIFEST_DIR")), [""; 0]);
    }
}
