//! Goes on and on from checkpoint to checkpoint, and is deaf to the wish that it stop.

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::model::{Fault, Progress};
use tenon_sdk::runtime::run;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        loop {
            run::checkpoint(Progress::default());
        }
    }
}
