//! What one run may use.

use std::time::Duration;

/// Limits of a run, each with the default that suits a shop's daily exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Linear memory of the guest, in bytes; at most [`crate::engine::MAX_MEMORY`].
    pub memory: usize,
    /// Time the guest may compute between two checkpoints; waiting for the host does not count.
    pub compute: Duration,
    /// Bytes of all keys and values in the storage of a connection.
    pub storage: u64,
    /// Lines in the log of a run; further ones are counted and left out.
    pub log_lines: u64,
    /// Bytes of one log line; the rest is cut.
    pub log_line: usize,
    /// Bytes of one answer of the counterpart, decoded.
    pub response: usize,
    /// Requests of a run, repeats included.
    pub requests: u64,
    /// Rejected records listed in the report; further ones are only counted.
    pub listed_rejects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: 64 << 20,
            compute: Duration::from_secs(30),
            storage: 64 << 20,
            log_lines: 100_000,
            log_line: 4 << 10,
            response: 32 << 20,
            requests: 100_000,
            listed_rejects: 1_000,
        }
    }
}
