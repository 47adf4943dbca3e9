//! Passes lists and texts that end, or begin, beyond its memory.

use std::mem::ManuallyDrop;

use tenon_hostile_guests::{Attack, guest, write_and_leave_half};
use tenon_sdk::model::{Choice, Fault};
use tenon_sdk::runtime::{run, storage};

guest!(Guest);

const GIBIBYTE: usize = 1 << 30;

/// A text that begins in its memory and ends far beyond.
fn endless() -> String {
    let start = Box::leak(Box::new(b'x'));
    // SAFETY: none. Nothing in this component reads it, and the host must not take it.
    unsafe { String::from_raw_parts(start, GIBIBYTE, GIBIBYTE) }
}

/// A text whose last byte comes before its first.
fn wrapped() -> String {
    let start = (usize::MAX - 15) as *mut u8;
    // SAFETY: none. Nothing in this component reads it, and the host must not take it.
    unsafe { String::from_raw_parts(start, 4096, 4096) }
}

impl Attack for Guest {
    fn choices(_option: &str) -> Result<Vec<Choice>, Fault> {
        Ok(vec![Choice {
            value: wrapped(),
            label: wrapped(),
        }])
    }

    fn check() -> Result<String, Fault> {
        Ok(endless())
    }

    fn run(argument: &str) -> Result<(), Fault> {
        write_and_leave_half()?;
        let (endless, wrapped) = (ManuallyDrop::new(endless()), ManuallyDrop::new(wrapped()));
        match argument {
            "message" => run::debug(&endless),
            "wrapped" => run::debug(&wrapped),
            _ => {
                let value = ManuallyDrop::into_inner(endless).into_bytes();
                let entry = ManuallyDrop::new(("key".to_owned(), value));
                // Nothing comes back from this.
                let _ = storage::set(std::slice::from_ref(&*entry));
            }
        }
        Ok(())
    }
}
