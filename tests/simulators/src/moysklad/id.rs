//! The identifiers of everything in an account.

use std::fmt;
use std::str::FromStr;

/// A UUID, written in small letters with dashes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u128);

/// Text that is no UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no UUID")]
pub struct NoId;

impl Id {
    /// An identifier made of a number, the bits that mark a random UUID apart.
    pub const fn new(number: u128) -> Self {
        const VERSION: u128 = 0xf << 76;
        const VARIANT: u128 = 0x3 << 62;
        Self(number & !VERSION & !VARIANT | 0x4 << 76 | 0x2 << 62)
    }

    /// The other identifier that the web interface uses for the same product.
    pub const fn in_interface(self) -> Self {
        Self(self.0 ^ 0xffff_ffff << 96)
    }

    /// The plain number.
    pub const fn number(self) -> u128 {
        self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.0);
        let (a, rest) = digits.split_at(8);
        let (b, rest) = rest.split_at(4);
        let (c, rest) = rest.split_at(4);
        let (d, e) = rest.split_at(4);
        write!(out, "{a}-{b}-{c}-{d}-{e}")
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl FromStr for Id {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        let mut number = 0_u128;
        if text.len() != 36 {
            return Err(NoId);
        }
        for (index, letter) in text.chars().enumerate() {
            if matches!(index, 8 | 13 | 18 | 23) {
                if letter != '-' {
                    return Err(NoId);
                }
                continue;
            }
            number = number << 4 | u128::from(letter.to_digit(16).ok_or(NoId)?);
        }
        Ok(Self(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_reads_back_as_it_was_written() {
        let id = Id::new(0x7944_ef04_f831_11e5_7a69_9715_0018_8b19);
        let text = id.to_string();
        assert_eq!(text, "7944ef04-f831-41e5-ba69-971500188b19");
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(text.to_uppercase().parse(), Ok(id));
        assert_ne!(id.in_interface(), id);
        assert_eq!(id.in_interface().in_interface(), id);
        for broken in [
            "",
            "7944ef04f83141e5ba69971500188b19",
            "7944ef04-f831-41e5-ba69-97150018",
        ] {
            assert_eq!(broken.parse::<Id>(), Err(NoId), "{broken}");
        }
    }
}
