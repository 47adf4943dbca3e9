//! Panics when its credentials are tried.

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn check() -> Result<String, Fault> {
        panic!("the account is not to be looked at");
    }
}
