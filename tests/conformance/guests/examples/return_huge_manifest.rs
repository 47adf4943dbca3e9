//! Describes itself at a length that nobody can read or store.

use tenon_hostile_guests::{Attack, guest, manifest};
use tenon_sdk::model::ConnectorManifest;

guest!(Guest);

impl Attack for Guest {
    fn describe(name: &str) -> ConnectorManifest {
        ConnectorManifest {
            title: vec![("en".to_owned(), "title ".repeat(5 << 20))],
            ..manifest(name)
        }
    }
}
