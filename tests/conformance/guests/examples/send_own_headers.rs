//! Sets headers that are the host's to set: another credential in place of the tenant's, another
//! host, another end of the request.

use tenon_hostile_guests::{Attack, guest, http, info, settings};
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        let settings = settings();
        let text = |name: &str| settings[name].as_str().unwrap_or_default();
        match http::get(text("url"), &[(text("header"), text("value"))]) {
            Ok(answer) => info!("answered {}", answer.status),
            Err(error) => info!("no answer: {error}"),
        }
        Ok(())
    }
}
