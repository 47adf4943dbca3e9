//! Sends a request for each webhook, so that whoever knows the address for webhooks, which is no
//! secret, makes the host send requests under the tenant's credential.

use tenon_hostile_guests::{Attack, guest, http, setting};
use tenon_sdk::model::{Fault, Request, Webhook};

guest!(Guest);

impl Attack for Guest {
    fn receive(webhook: &Webhook) -> Result<Vec<Request>, Fault> {
        let argument = match http::get(&setting("url"), &[]) {
            Ok(answer) => format!("{}: answered {}", webhook.topic, answer.status),
            Err(error) => format!("{}: {error}", webhook.topic),
        };
        Ok(vec![Request {
            job: "run".to_owned(),
            argument: Some(argument),
        }])
    }
}
