//! Opens files of the host.

use tenon_hostile_guests::{Attack, guest, info};
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        for path in ["/etc/passwd", "../tenants", "."] {
            info!("{path}: {:?}", std::fs::read(path));
        }
        Ok(())
    }
}
