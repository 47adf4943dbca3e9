//! Writes lines of a mebibyte: as a message, as the name of a record, and printed.

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::model::{Fault, Level};
use tenon_sdk::runtime::run;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        // Two bytes each: a cut at any odd place would tear one.
        let long = format!("x{}", "ї".repeat(1 << 19));
        run::log(Level::Warn, &long.as_str().into(), None);
        run::log(Level::Warn, &"short".into(), Some(&long));
        println!("{long}");
        eprintln!("{long}");
        Ok(())
    }
}
