//! Sets one timer after the other, to keep the host busy for ever after.

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::model::{Fault, Progress};
use tenon_sdk::runtime::{run, schedule};

guest!(Guest);

impl Attack for Guest {
    fn run(argument: &str) -> Result<(), Fault> {
        for number in 0..10_000_u32 {
            // The same names again replace their timers and are no more than before.
            schedule::after(&format!("timer{}", number % 10), "run", 0, None);
        }
        run::checkpoint(Progress::default());
        if argument == "many" {
            for number in 10..10_000_u32 {
                schedule::after(&format!("timer{number}"), "run", u64::MAX, None);
            }
        }
        Ok(())
    }
}
