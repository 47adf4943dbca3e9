//! The requests that were carried out, whole, for whoever wants to look at what a client sends.

use serde_json::Value as Json;

use super::account::Account;
use super::endpoints::Call;

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its method.
    pub method: String,
    /// Its path below the API's address.
    pub path: String,
    /// The decoded parameters of its query.
    pub query: Vec<(String, String)>,
    /// Its body; none where there is none.
    pub body: Option<Json>,
}

impl Account {
    /// Writes requests down from now on.
    pub fn keep_journal(&mut self) {
        self.journal.get_or_insert_default();
    }

    /// The requests since then, oldest first.
    pub fn journal(&self) -> &[Entry] {
        self.journal.as_deref().unwrap_or_default()
    }

    /// Writes a request down.
    pub(super) fn write_down(&mut self, method: &str, call: &Call<'_>) {
        if let Some(journal) = &mut self.journal {
            journal.push(Entry {
                method: method.to_owned(),
                path: call.path.to_owned(),
                query: call.query.to_vec(),
                body: serde_json::from_slice(call.body).ok(),
            });
        }
    }
}
