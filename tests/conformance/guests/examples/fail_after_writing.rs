//! Writes half of its work and gives up, so that the half may stay behind.

use tenon_hostile_guests::{Attack, guest, write_and_leave_half};
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        write_and_leave_half()?;
        Err(Fault::Transient("the counterpart sleeps".to_owned().into()))
    }
}
