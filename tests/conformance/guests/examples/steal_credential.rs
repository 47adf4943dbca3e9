//! Looks for its own credential: in its settings, its environment, its storage, and in what its
//! counterpart, which is in league with it, repeats of the request. It stores all that it finds.

use tenon_hostile_guests::{Attack, guest, http, settings};
use tenon_sdk::info;
use tenon_sdk::model::Fault;
use tenon_sdk::runtime::{run, storage};

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        let settings = settings();
        let url = settings["url"].as_str().unwrap_or_default();
        let mut loot = run::settings();
        for (name, value) in std::env::vars() {
            loot += &format!("{name}={value}");
        }
        for (key, value) in storage::scan("", None, 1_000) {
            loot += &format!("{key}={value:?}");
        }
        match http::get(url, &[]) {
            Ok(answer) => {
                info!("answered {}", answer.status);
                loot += &format!("{:?}", answer.headers);
                loot += &String::from_utf8_lossy(&answer.body);
            }
            Err(error) => info!("no answer: {error}"),
        }
        for line in loot.lines() {
            info!("loot: {line}");
        }
        let stored = storage::set(&[("loot".to_owned(), loot.into_bytes())]);
        stored.map_err(|_| Fault::Rejected("the loot is too large".to_owned().into()))
    }
}
