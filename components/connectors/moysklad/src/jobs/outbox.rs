//! What could not be sent: kept by key, and tried again with the next run, because nobody else will
//! tell of it.

use tenon_sdk::model::{Fault, Key};
use tenon_sdk::runtime::storage;
use tenon_sdk::state;

/// Records of one kind that wait for another try. They take turns: however many of them cannot be
/// sent for long, none keeps another from its try.
#[derive(Debug)]
pub struct Outbox {
    prefix: String,
    turn: String,
}

/// At most so many are tried again in one run.
const MOST: u32 = 100;

impl Outbox {
    /// Of a kind.
    pub fn of(kind: &str) -> Outbox {
        Outbox {
            prefix: format!("failed/{kind}/"),
            turn: format!("failed-turn/{kind}"),
        }
    }

    /// Those whose turn it is.
    ///
    /// # Errors
    /// `configuration` when storage is full.
    pub fn waiting(&self) -> Result<Vec<Key>, Fault> {
        let after: Option<String> = state::load(&self.turn);
        let entries = storage::scan(&self.prefix, after.as_deref(), MOST);
        match entries.last() {
            Some((last, _)) if entries.len() == MOST as usize => state::save(&self.turn, last)?,
            _ if after.is_some() => state::forget(&self.turn),
            _ => {}
        }
        let keys = entries.iter().map(|(key, _)| key);
        Ok(keys
            .filter_map(|key| key.strip_prefix(&self.prefix).map(str::to_owned))
            .collect())
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
