//! Says that it is whose account the settings say, and tells what it is told of where and for whom it
//! works. The argument of its job is an origin that it binds, unless it is bound already.

use serde_json::json;
use tenon_hostile_guests::{Attack, guest, info, settings};
use tenon_sdk::import::{bound, pair};
use tenon_sdk::model::{Account, Fault};
use tenon_sdk::runtime::{bindings, run};

guest!(Guest);

impl Attack for Guest {
    fn account() -> Result<Account, Fault> {
        let account = settings()["account"].take();
        let facts = account["facts"].as_object().into_iter().flatten();
        Ok(Account {
            id: account["id"].as_str().map(str::to_owned),
            name: account["name"].as_str().unwrap_or_default().to_owned(),
            facts: facts
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect(),
            notes: Vec::new(),
        })
    }

    fn enable(_callback: &str) -> Result<(), Fault> {
        bindings::bind(&[pair("hook", "1", "hook")]);
        Ok(())
    }

    fn run(argument: &str) -> Result<(), Fault> {
        let context = run::context();
        info!(
            "{}",
            json!({
                "time_zone": context.time_zone,
                "language": context.language,
                "currency": context.currency,
                "books": context.books,
                "account": context.account,
            })
        );
        if !argument.is_empty() {
            let known = bound("order", &[argument.to_owned()]);
            info!("{argument} was bound: {}", !known.is_empty());
            bindings::bind(&[pair("order", "1", argument)]);
        }
        Ok(())
    }
}
