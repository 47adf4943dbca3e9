//! Writes half of its work and then asks its counterpart again and again, whatever comes of it: there is
//! no checkpoint at which it could be told to stop.

use tenon_hostile_guests::{Attack, guest, http, setting, write_and_leave_half};
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        write_and_leave_half()?;
        let url = setting("url");
        loop {
            let _ = http::get(&url, &[]);
        }
    }
}
