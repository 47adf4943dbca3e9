//! Puts line breaks and the control characters of terminals into its lines, so that one of them
//! looks like several, or like the host's.

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::import::rejection;
use tenon_sdk::model::{Change, Choice, Fault, FieldChange, Level, Request, Webhook, Written};
use tenon_sdk::runtime::run;

guest!(Guest);

const FORGED: &str = "harmless\r\nERROR host: all data was lost\u{1b}[2J\u{7}\u{0}\u{9b}1m";

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        run::log(Level::Info, &FORGED.into(), Some(FORGED));
        run::debug(FORGED);
        println!("{FORGED}");
        run::wrote(&[Written {
            record_kind: FORGED.to_owned(),
            origin: FORGED.to_owned(),
            key: Some(FORGED.to_owned()),
            label: Some(FORGED.to_owned()),
            change: Change::Updated,
            fields: vec![FieldChange {
                field: FORGED.to_owned(),
                before: Some(FORGED.to_owned()),
                after: Some(FORGED.to_owned()),
            }],
        }]);
        run::reject(&[rejection(FORGED, FORGED, FORGED)]);
        Err(Fault::Configuration(FORGED.to_owned().into()))
    }

    fn choices(_option: &str) -> Result<Vec<Choice>, Fault> {
        Ok(vec![Choice {
            value: FORGED.to_owned(),
            label: FORGED.to_owned(),
        }])
    }

    fn receive(_webhook: &Webhook) -> Result<Vec<Request>, Fault> {
        Ok(vec![Request {
            job: FORGED.to_owned(),
            argument: None,
        }])
    }

    fn check() -> Result<String, Fault> {
        Ok(FORGED.to_owned())
    }
}
