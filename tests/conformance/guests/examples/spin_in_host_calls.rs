//! Asks the host for something all the time, in the hope that only its own code is counted.

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::model::Fault;
use tenon_sdk::runtime::{run, storage};

guest!(Guest);

impl Attack for Guest {
    fn run(argument: &str) -> Result<(), Fault> {
        let keys = ["nothing".to_owned()];
        loop {
            match argument {
                "storage" => drop(storage::get(&keys)),
                _ => drop(run::settings()),
            }
        }
    }
}
