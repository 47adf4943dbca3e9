//! Writes before it is installed for anybody.

use tenon_hostile_guests::{Attack, guest, manifest};
use tenon_sdk::model::ConnectorManifest;
use tenon_sdk::runtime::storage;

guest!(Guest);

impl Attack for Guest {
    fn describe(name: &str) -> ConnectorManifest {
        let stored = storage::set(&[("seed".to_owned(), b"planted".to_vec())]);
        manifest(if stored.is_ok() { name } else { "unlucky" })
    }
}
