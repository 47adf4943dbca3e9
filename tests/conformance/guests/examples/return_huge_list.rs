//! Answers with lists that are small in its own memory and huge in the host's.

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::model::{Choice, Fault, Request, Webhook};

guest!(Guest);

/// A million texts that are empty, or half a million of a mebibyte each that lie in one place.
fn texts(way: &str) -> impl Iterator<Item = String> {
    let (text, count): (&'static [u8], _) = match way {
        "many" => (b"", 1_000_000),
        _ => (vec![b'x'; 1 << 20].leak(), 500_000),
    };
    let alias = || {
        let start = text.as_ptr().cast_mut();
        // SAFETY: none. Nobody owns the text, and the host ends the call before anything frees it.
        unsafe { String::from_raw_parts(start, text.len(), text.len()) }
    };
    std::iter::repeat_with(alias).take(count)
}

impl Attack for Guest {
    fn choices(option: &str) -> Result<Vec<Choice>, Fault> {
        let choice = |value| Choice {
            value,
            label: String::new(),
        };
        Ok(texts(option).map(choice).collect())
    }

    fn receive(webhook: &Webhook) -> Result<Vec<Request>, Fault> {
        let request = |job| Request {
            job,
            argument: None,
        };
        Ok(texts(&webhook.topic).map(request).collect())
    }
}
