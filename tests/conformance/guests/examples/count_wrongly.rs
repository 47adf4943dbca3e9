//! Makes three records at the platform and one at the counterpart, and counts as its argument says.

use tenon_hostile_guests::{Attack, guest, said, write};
use tenon_sdk::model::{Change, Fault, Progress, Written};
use tenon_sdk::runtime::run;

guest!(Guest);

fn write_all() -> Result<(), Fault> {
    for name in ["one", "two", "three"] {
        write(name)?;
    }
    run::wrote(&[Written {
        record_kind: "contact".to_owned(),
        origin: "crm:1:contact:4".to_owned(),
        key: None,
        label: None,
        change: Change::Created,
        fields: Vec::new(),
    }]);
    Ok(())
}

/// Counts so many new and changed records.
fn count(created: u64, updated: u64) {
    run::checkpoint(Progress {
        done: created + updated,
        created,
        updated,
        ..Progress::default()
    });
}

impl Attack for Guest {
    fn run(argument: &str) -> Result<(), Fault> {
        if argument == "before" {
            count(0, 0);
        }
        write_all()?;
        match argument {
            "right" => count(3, 0),
            "all" => count(4, 0),
            "none" => count(0, 0),
            "less" => count(2, 0),
            "more" => count(50, 7),
            "fault" => return Err(Fault::Transient(said("the counterpart sleeps"))),
            // `silent` and `before` say nothing.
            _ => {}
        }
        Ok(())
    }
}
