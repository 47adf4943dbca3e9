//! What connectors keep from run to run, on top of the plain [`storage`]: values as JSON, and
//! entries that lie side by side under one prefix.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::Fault;
use crate::runtime::storage;

/// How many entries are read from storage at a time.
const SCAN: u32 = 1_000;

/// Writes entries.
///
/// # Errors
/// `configuration` when storage is full.
pub fn set(entries: &[(String, Vec<u8>)]) -> Result<(), Fault> {
    if entries.is_empty() {
        return Ok(());
    }
    storage::set(entries).map_err(|full| {
        Fault::Configuration(
            format!(
                "the connector's storage is full: {} of {} bytes are in use",
                full.used, full.limit
            )
            .into(),
        )
    })
}

/// Gives every entry below `prefix`, by the rest of its key.
pub fn each(prefix: &str, mut take: impl FnMut(&str, &[u8])) {
    let mut after = None;
    loop {
        let entries = storage::scan(prefix, after.as_deref(), SCAN);
        for (key, value) in &entries {
            take(key.strip_prefix(prefix).unwrap_or_default(), value);
        }
        match entries.into_iter().nth(SCAN as usize - 1) {
            Some((last, _)) => after = Some(last),
            None => return,
        }
    }
}

/// A value that was kept as JSON. One that an older version has written in another shape is as
/// good as none.
pub fn load<T: DeserializeOwned>(key: &str) -> Option<T> {
    let stored = storage::get(&[key.to_owned()]).pop().flatten()?;
    serde_json::from_slice(&stored).ok()
}

/// Keeps a value as JSON.
///
/// # Errors
/// `configuration` when storage is full.
pub fn save(key: &str, value: &impl Serialize) -> Result<(), Fault> {
    let json = serde_json::to_vec(value)
        .map_err(|error| Fault::Rejected(format!("`{key}` cannot be kept: {error}").into()))?;
    set(&[(key.to_owned(), json)])
}

/// Forgets a value.
pub fn forget(key: &str) {
    storage::delete(&[key.to_owned()]);
}
