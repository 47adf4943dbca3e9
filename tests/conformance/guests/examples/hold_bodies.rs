//! Asks for large answers and keeps them open unread, so that they lie in the host's memory.

use tenon_hostile_guests::{Attack, guest, http, info, setting};
use tenon_sdk::contract::wasi::http::types::Method;
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        let url = setting("url");
        let mut held = Vec::new();
        for _ in 0..100 {
            let answer = http::request(&Method::Get, &url, &[])
                .and_then(http::send)
                .and_then(|answer| http::wait(&answer));
            match answer {
                Ok(answer) => held.push(answer),
                Err(error) => {
                    info!("held {}, then: {error}", held.len());
                    break;
                }
            }
        }
        // What it lets go of is free again.
        held.clear();
        let again = http::get(&url, &[]).map(|answer| answer.body.len());
        info!("afterwards: {again:?}");
        Ok(())
    }
}
