//! Origins: what a record of the counterpart is called everywhere outside of it.
//!
//! The account that the run works for is part of each, so that order 1 of one account is never taken
//! for order 1 of another.

use std::fmt::Display;

use siphasher::sip128::SipHasher13;

/// Longest id that stands in an origin as it is, in bytes.
const LONGEST: usize = 400;

/// The origin of a record: `SYSTEM:ACCOUNT:KIND:ID`. `system` is the connector's name. An id may be of
/// any length, such as the name of a good: a digest stands for a long one.
///
/// # Panics
/// Where no account is known: in `check` and `choices`, which have no records.
pub fn origin(system: &str, kind: &str, id: impl Display) -> String {
    let mut id = id.to_string();
    if id.len() > LONGEST {
        let digest = u128::from(SipHasher13::new().hash(id.as_bytes()));
        id = format!("~{digest:032x}");
    }
    with_account(|account| format!("{system}:{account}:{kind}:{id}"))
}

/// What the origins of all records of the run's account begin with: `SYSTEM:ACCOUNT:`.
///
/// # Panics
/// As [`origin`].
pub fn owner(system: &str) -> String {
    with_account(|account| format!("{system}:{account}:"))
}

const NONE: &str = "the host knows the account of every run";

/// One instance serves one call, so the host is asked once.
#[cfg(target_family = "wasm")]
fn with_account<R>(use_it: impl FnOnce(&str) -> R) -> R {
    static ACCOUNT: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    use_it(ACCOUNT.get_or_init(|| crate::runtime::run::context().account.expect(NONE)))
}

#[cfg(not(target_family = "wasm"))]
fn with_account<R>(use_it: impl FnOnce(&str) -> R) -> R {
    use_it(&crate::native::account().expect(NONE))
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn an_id_of_any_length_makes_an_origin_of_its_own() {
        let names = ["є".repeat(505), format!("{}є", "є".repeat(505))];
        let origins = names.each_ref().map(|name| origin("shop", "name", name));
        assert_ne!(origins[0], origins[1]);
        assert_eq!(origins[0], origin("shop", "name", &names[0]));
        assert!(origins.iter().all(|origin| origin.len() < 100));
        assert_eq!(origin("shop", "name", "cup"), "shop:any:name:cup");
    }
}
