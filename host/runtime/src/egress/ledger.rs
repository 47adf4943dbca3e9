//! What was spent of request budgets, and until when counterparts want to be left alone, where it
//! outlives this process and where others on the same data see it.

use std::fmt::Debug;

use jiff::Timestamp;

/// Something that was noted of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// When.
    pub at: Timestamp,
    /// Units that were spent; none when the counterpart wants to be left alone.
    pub units: u32,
    /// Until when it matters.
    pub until: Timestamp,
}

/// The ledger could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("what was spent of request budgets cannot be kept: {0}")]
pub struct LedgerError(Box<dyn std::error::Error + Send + Sync>);

impl LedgerError {
    /// Because of that.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LedgerError {
        LedgerError(error.into())
    }
}

/// Keeps what is noted of accounts. It is asked with each request of a run, and answers at once: what it
/// keeps need not survive a power cut.
pub trait Ledger: Debug + Send + Sync {
    /// Shows what was noted of an account behind the entry `after`, and notes what `decide` makes of it.
    /// Nobody else notes anything of it in between. Answers the number of its last entry; 0 is before
    /// all.
    fn note(
        &self,
        account: &str,
        after: i64,
        decide: &mut dyn FnMut(&[Noted]) -> Option<Noted>,
    ) -> Result<i64, LedgerError>;
}
