//! Writes half of its work and panics wherever else the host calls it: when it is switched on or
//! off, for a webhook, and when it has a new version.

use tenon_hostile_guests::{Attack, guest, write_and_leave_half};
use tenon_sdk::model::{Fault, Request, Webhook};

guest!(Guest);

impl Attack for Guest {
    fn enable(_callback: &str) -> Result<(), Fault> {
        write_and_leave_half()?;
        panic!("it does not want to be switched on");
    }

    fn disable() -> Result<(), Fault> {
        write_and_leave_half()?;
        panic!("it does not want to be switched off");
    }

    fn receive(_webhook: &Webhook) -> Result<Vec<Request>, Fault> {
        write_and_leave_half()?;
        panic!("it does not want to hear of it");
    }

    fn migrate(_from_version: u32) -> Result<(), Fault> {
        write_and_leave_half()?;
        panic!("it does not want to change");
    }
}
