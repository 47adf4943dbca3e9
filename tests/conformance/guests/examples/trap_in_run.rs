//! Reads beyond its memory in the middle of its work.

use tenon_hostile_guests::{Attack, guest, write_and_leave_half};
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        write_and_leave_half()?;
        let beyond = std::hint::black_box(usize::MAX) as *const u8;
        // SAFETY: none. There is nothing at that address, which is the attack.
        unsafe { beyond.read_volatile() };
        Ok(())
    }
}
