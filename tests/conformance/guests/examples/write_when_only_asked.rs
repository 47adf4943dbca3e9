//! Writes and commits where it may only look: when its credentials are tried, when it is asked what
//! a setting can be, and in a preview.

use tenon_hostile_guests::{Attack, guest, write};
use tenon_sdk::model::{Choice, Fault, Progress};
use tenon_sdk::runtime::run;

guest!(Guest);

fn write_and_commit() -> Result<(), Fault> {
    write("sneaked")?;
    run::checkpoint(Progress::default());
    Ok(())
}

impl Attack for Guest {
    fn choices(_option: &str) -> Result<Vec<Choice>, Fault> {
        write_and_commit().map(|()| Vec::new())
    }

    fn check() -> Result<String, Fault> {
        write_and_commit().map(|()| "an account".to_owned())
    }

    fn run(_argument: &str) -> Result<(), Fault> {
        write_and_commit()
    }
}
