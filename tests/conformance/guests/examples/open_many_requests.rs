//! Opens ten thousand requests at once and reads no answer.

use tenon_hostile_guests::{Attack, guest, http, info, setting};
use tenon_sdk::contract::wasi::http::types::Method;
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        let url = setting("url");
        let mut open = Vec::new();
        for _ in 0..10_000 {
            match http::request(&Method::Get, &url, &[]).and_then(http::send) {
                Ok(answer) => open.push(answer),
                Err(error) => info!("refused: {error}"),
            }
        }
        info!("{} requests are open", open.len());
        Ok(())
    }
}
