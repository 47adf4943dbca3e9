//! Names of tenants and connections. They become file names and log fields, so only harmless
//! characters pass.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name is not 1 to 63 of `a-z 0-9 . _ -`, beginning with a letter or a digit.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a name: use 1 to 63 characters of a-z 0-9 . _ - and begin with a letter or digit"
)]
pub struct BadName(pub String);

fn checked(name: &str) -> Result<String, BadName> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let good = name.len() <= 63
        && name.starts_with(plain)
        && name.chars().all(|c| plain(c) || "._-".contains(c));
    good.then(|| name.to_owned())
        .ok_or_else(|| BadName(name.to_owned()))
}

macro_rules! names {
    ($($(#[$meta:meta])* $name:ident)*) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(name: &str) -> Result<Self, BadName> {
                checked(name).map($name)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(name: String) -> Result<Self, BadName> {
                name.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )* };
}

names! {
    /// One customer of the platform.
    TenantId
    /// One connector switched on in one tenant.
    ConnectionId
}

#[cfg(test)]
mod tests {
    use super::TenantId;

    #[test]
    fn a_name_that_could_leave_its_folder_is_refused() {
        for bad in [
            "",
            "../x",
            "a/b",
            ".hidden",
            "Shop",
            "a b",
            "x\0",
            &"a".repeat(64),
        ] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad:?}");
        }
        assert_eq!("shop-1".parse::<TenantId>().unwrap().as_str(), "shop-1");
    }
}
