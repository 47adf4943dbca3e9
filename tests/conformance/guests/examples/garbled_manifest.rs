//! Describes itself in bytes that are no text.

use tenon_hostile_guests::{Attack, guest, manifest};
use tenon_sdk::model::ConnectorManifest;

guest!(Guest);

impl Attack for Guest {
    fn describe(name: &str) -> ConnectorManifest {
        // SAFETY: none. Nothing in this component reads it as text, and the host must not take it.
        let title = unsafe { String::from_utf8_unchecked(b"gar\xff\xfe\xc0bled".to_vec()) };
        ConnectorManifest {
            title: vec![("en".to_owned(), title)],
            ..manifest(name)
        }
    }
}
