//! Computes for ever before it is even installed.

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::model::ConnectorManifest;

guest!(Guest);

impl Attack for Guest {
    fn describe(_name: &str) -> ConnectorManifest {
        loop {
            std::hint::spin_loop();
        }
    }
}
