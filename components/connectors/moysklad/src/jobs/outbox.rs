//! What could not be sent: kept by key, and tried again with the next run, because nobody else will
//! tell of it.

use tenon_sdk::model::{Fault, Key};
use tenon_sdk::runtime::storage;
use tenon_sdk::state;

/// Records of one kind that wait for another try.
#[derive(Debug)]
pub struct Outbox {
    prefix: String,
}

/// At most so many are tried again in one run.
const MOST: u32 = 100;

impl Outbox {
    /// Of a kind.
    pub fn of(kind: &str) -> Outbox {
        Outbox {
            prefix: format!("failed/{kind}/"),
        }
    }

    /// Those that wait.
    pub fn waiting(&self) -> Vec<Key> {
        let entries = storage::scan(&self.prefix, None, MOST);
        let keys = entries.into_iter().map(|(key, _)| key);
        keys.filter_map(|key| key.strip_prefix(&self.prefix).map(str::to_owned))
            .collect()
    }

    /// It waits.
    ///
    /// # Errors
    /// `configuration` when storage is full.
    pub fn keep(&self, key: &str) -> Result<(), Fault> {
        state::set(&[(format!("{}{key}", self.prefix), Vec::new())])
    }

    /// They wait no more.
    pub fn settle(&self, keys: &[Key]) {
        let keys: Vec<String> = keys
            .iter()
            .map(|key| format!("{}{key}", self.prefix))
            .collect();
        if !keys.is_empty() {
            storage::delete(&keys);
        }
    }
}
