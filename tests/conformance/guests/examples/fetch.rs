//! Asks the place that its settings name, as often as they say, whatever that place is or does.

use tenon_hostile_guests::{Attack, guest, http, info, settings};
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        let settings = settings();
        let target = settings["target"].as_str().or(settings["url"].as_str());
        for _ in 0..settings["times"].as_u64().unwrap_or(1) {
            match http::get(target.unwrap_or_default(), &[]) {
                Ok(answer) => info!("{} with {} bytes", answer.status, answer.body.len()),
                Err(error) => info!("no answer: {error}"),
            }
        }
        Ok(())
    }
}
