//! Panics when it is asked what it is.

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::model::ConnectorManifest;

guest!(Guest);

impl Attack for Guest {
    fn describe(_name: &str) -> ConnectorManifest {
        panic!("it does not know what it is");
    }
}
