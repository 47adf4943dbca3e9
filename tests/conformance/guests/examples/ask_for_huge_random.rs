//! Asks for a tebibyte of random bytes.

use tenon_hostile_guests::{Attack, guest, info};
use tenon_sdk::contract::wasi::random::random::get_random_bytes;
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        info!("{} random bytes", get_random_bytes(1 << 40).len());
        Ok(())
    }
}
