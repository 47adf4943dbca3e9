//! Writes a flood of lines, to fill the disk that keeps logs and to bury the one that matters.

use tenon_hostile_guests::{Attack, guest, info};
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn run(argument: &str) -> Result<(), Fault> {
        for number in 0..1_000_000 {
            match argument {
                "stdout" => println!("flood {number}"),
                "stderr" => eprintln!("flood {number}"),
                _ => info!("flood {number}"),
            }
        }
        Ok(())
    }
}
