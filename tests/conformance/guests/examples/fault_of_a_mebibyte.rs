//! Fails for a reason of a mebibyte, which people would have to read.

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::model::{Choice, Fault};

guest!(Guest);

fn reason() -> Fault {
    Fault::Configuration("ї".repeat(1 << 19).into())
}

impl Attack for Guest {
    fn choices(_option: &str) -> Result<Vec<Choice>, Fault> {
        Err(reason())
    }

    fn check() -> Result<String, Fault> {
        Err(reason())
    }

    fn run(_argument: &str) -> Result<(), Fault> {
        Err(reason())
    }
}
