//! Computes for ever, to keep a core from everybody else.

use tenon_hostile_guests::{Attack, guest, write_and_leave_half};
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        write_and_leave_half()?;
        loop {
            std::hint::spin_loop();
        }
    }
}
