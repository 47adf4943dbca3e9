//! Passes a million texts that all lie in one place of its memory: a mebibyte here, a tebibyte
//! where each has a place of its own.

use std::mem::ManuallyDrop;

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::model::Fault;
use tenon_sdk::runtime::storage;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        let text = vec![b'x'; 1 << 20].leak();
        let alias = || {
            // SAFETY: none. Nobody owns the text, and nobody frees it.
            unsafe { String::from_raw_parts(text.as_ptr().cast_mut(), text.len(), text.len()) }
        };
        let aliases: Vec<String> = std::iter::repeat_with(alias).take(1_000_000).collect();
        let aliases = ManuallyDrop::new(aliases);
        drop(storage::get(&aliases));
        Ok(())
    }
}
