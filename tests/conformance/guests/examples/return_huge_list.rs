//! Answers with lists that are small in its own memory and huge in the host's.

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::model::{Choice, Fault};

guest!(Guest);

/// The same text many times over, in one place.
fn aliases(text: &'static [u8], count: usize) -> Vec<Choice> {
    let alias = || {
        let start = text.as_ptr().cast_mut();
        // SAFETY: none. Nobody owns the text, and the host is stopped before anything frees it.
        unsafe { String::from_raw_parts(start, text.len(), text.len()) }
    };
    let choice = || Choice {
        value: alias(),
        label: alias(),
    };
    std::iter::repeat_with(choice).take(count).collect()
}

impl Attack for Guest {
    fn choices(option: &str) -> Result<Vec<Choice>, Fault> {
        Ok(match option {
            "many" => aliases(b"x", 1_000_000),
            _ => aliases(vec![b'x'; 1 << 20].leak(), 500_000),
        })
    }
}
