//! Panics in the middle of its work.

use tenon_hostile_guests::{Attack, guest, write_and_leave_half};
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        write_and_leave_half()?;
        panic!("the marble fell off the table");
    }
}
