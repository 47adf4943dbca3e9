//! Panics when it is asked what a setting can be.

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::model::{Choice, Fault};

guest!(Guest);

impl Attack for Guest {
    fn choices(_option: &str) -> Result<Vec<Choice>, Fault> {
        panic!("there is no choice");
    }
}
