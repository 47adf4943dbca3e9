//! Origins: what a record of the counterpart is called everywhere outside of it.
//!
//! The account that the run works for is part of each, so that order 1 of one account is never taken
//! for order 1 of another.

use std::fmt::Display;

/// The origin of a record: `SYSTEM:ACCOUNT:KIND:ID`. `system` is the connector's name.
///
/// # Panics
/// Where no account is known: in `check` and `choices`, which have no records.
pub fn origin(system: &str, kind: &str, id: impl Display) -> String {
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
