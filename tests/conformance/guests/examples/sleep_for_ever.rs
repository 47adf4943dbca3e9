//! Waits for a clock for centuries: it computes nothing, and holds its place and its tenant's lock.

use tenon_hostile_guests::{Attack, guest, write_and_leave_half};
use tenon_sdk::contract::wasi::clocks::monotonic_clock::subscribe_duration;
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        write_and_leave_half()?;
        subscribe_duration(u64::MAX).block();
        Ok(())
    }
}
