//! Answers with lists that are small in its own memory and huge in the host's.

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::model::{Choice, Fault, Request, Webhook};

guest!(Guest);

/// One more owner of a text that has many.
fn alias(text: &'static [u8]) -> String {
    let start = text.as_ptr().cast_mut();
    // SAFETY: none. Nobody owns the text, and the host ends the call before anything frees it.
    unsafe { String::from_raw_parts(start, text.len(), text.len()) }
}

fn many<T>(one: impl FnMut() -> T, count: usize) -> Vec<T> {
    std::iter::repeat_with(one).take(count).collect()
}

impl Attack for Guest {
    fn choices(option: &str) -> Result<Vec<Choice>, Fault> {
        let (text, count): (&'static [u8], _) = match option {
            "many" => (b"x", 1_000_000),
            _ => (vec![b'x'; 1 << 20].leak(), 500_000),
        };
        let choice = || Choice {
            value: alias(text),
            label: alias(text),
        };
        Ok(many(choice, count))
    }

    fn receive(webhook: &Webhook) -> Result<Vec<Request>, Fault> {
        let (text, count): (&'static [u8], _) = match webhook.topic.as_str() {
            "many" => (b"x", 1_000_000),
            _ => (vec![b'x'; 1 << 20].leak(), 500_000),
        };
        let request = || Request {
            job: alias(text),
            argument: Some(alias(text)),
        };
        Ok(many(request, count))
    }
}
