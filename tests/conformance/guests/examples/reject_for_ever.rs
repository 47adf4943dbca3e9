//! Rejects record after record under names and for reasons of many kibibytes, to fill the report.

use tenon_hostile_guests::{Attack, guest, said};
use tenon_sdk::model::{Fault, Rejection, Subject};
use tenon_sdk::runtime::run;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        let long = "ї".repeat(32 << 10);
        for number in 0..2_000 {
            run::reject(&[Rejection {
                record_kind: long.clone(),
                subject: Subject::Origin(format!("order:{number}")),
                label: long.clone(),
                reason: said(long.as_str()),
            }]);
        }
        Ok(())
    }
}
