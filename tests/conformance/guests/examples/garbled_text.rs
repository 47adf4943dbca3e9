//! Passes bytes that are no text where the contract says text, to spoil what people see and what
//! the host stores.

use tenon_hostile_guests::{Attack, guest, write_and_leave_half};
use tenon_sdk::model::{Choice, Fault, Level, Rejection, Subject};
use tenon_sdk::runtime::{bindings, run, schedule, storage};

guest!(Guest);

fn garbled() -> String {
    // SAFETY: none. Nothing in this component reads it as text, and the host must not take it.
    unsafe { String::from_utf8_unchecked(b"gar\xff\xfe\xc0bled".to_vec()) }
}

impl Attack for Guest {
    fn choices(_option: &str) -> Result<Vec<Choice>, Fault> {
        Ok(vec![Choice {
            value: "1".to_owned(),
            label: garbled(),
        }])
    }

    fn check() -> Result<String, Fault> {
        Ok(garbled())
    }

    fn run(argument: &str) -> Result<(), Fault> {
        write_and_leave_half()?;
        match argument {
            "log" => run::log(Level::Info, &garbled().into(), None),
            "record" => run::log(Level::Info, &"fine".into(), Some(&garbled())),
            "reason" => run::reject(&[Rejection {
                record_kind: "order".to_owned(),
                subject: Subject::Origin("1".to_owned()),
                label: "1".to_owned(),
                reason: garbled().into(),
            }]),
            "key" => drop(storage::set(&[(garbled(), Vec::new())])),
            "prefix" => drop(storage::scan(&garbled(), None, 10)),
            "kind" => bindings::unbind(&garbled(), &[]),
            "timer" => schedule::after(&garbled(), "run", 0, None),
            _ => return Err(Fault::Transient(garbled().into())),
        }
        Ok(())
    }
}
