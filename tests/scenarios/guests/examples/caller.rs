//! A connector that does nothing but ask its counterpart, which may hold the request for ever.
//!
//! The argument of its job `call` is a list of paths with blanks between. It asks for one after the other
//! with a checkpoint behind each, and goes on where a run before it was ended. One behind a `!` it
//! posts to, whatever the mode of its run. Whoever switches it
//! off has it ask for `/clean`. Its budget is two requests in four minutes.

use tenon_ledger_guests::said;
use tenon_sdk::http::{Api, Method};
use tenon_sdk::model::{
    Account, Budget, Cause, Choice, ConnectorManifest, Directive, Endpoint, Fault, Job, Outcome,
    Progress, Request, Webhook,
};
use tenon_sdk::runtime::{run, storage};
use tenon_sdk::text;

/// How many of the paths are done.
const DONE: &str = "done";

/// The connector that the head of this file describes.
pub struct Caller;

impl tenon_sdk::Connector for Caller {
    fn describe() -> ConnectorManifest {
        ConnectorManifest {
            name: "caller".to_owned(),
            version: "1.0.0".to_owned(),
            title: text!(en: "Caller", uk: "Дзвінок", ru: "Звонок"),
            settings_schema: r#"{
                "type": "object",
                "required": ["url"],
                "properties": { "url": { "type": "string" } },
                "additionalProperties": false
            }"#
            .to_owned(),
            credentials: Vec::new(),
            endpoints: vec![Endpoint {
                origin: "{settings.url}".to_owned(),
                credentials: Vec::new(),
                budgets: vec![Budget {
                    units: 2,
                    setting: None,
                    window_ms: 240_000,
                    credential: None,
                }],
                parallel: 10,
                costs: Vec::new(),
                reads: Vec::new(),
                redirects: false,
            }],
            jobs: vec![Job {
                id: "call".to_owned(),
                title: text!(en: "Call", uk: "Подзвонити", ru: "Позвонить"),
                schedule: None,
                listens_to: Vec::new(),
            }],
            actions: Vec::new(),
            state_version: 1,
            options: Vec::new(),
            webhooks: None,
            reasons: Vec::new(),
        }
    }

    fn choices(_option: &str) -> Result<Vec<Choice>, Fault> {
        Ok(Vec::new())
    }

    fn check() -> Result<Account, Fault> {
        Ok(Account {
            id: Some("1".to_owned()),
            name: "the counterpart".to_owned(),
            facts: Vec::new(),
            notes: Vec::new(),
        })
    }

    fn enable(_callback: &str) -> Result<(), Fault> {
        Ok(())
    }

    fn disable() -> Result<(), Fault> {
        api().call(Method::Delete, "/clean").send()?;
        Ok(())
    }

    fn receive(_webhook: &Webhook) -> Result<Vec<Request>, Fault> {
        Ok(Vec::new())
    }

    fn migrate(_from_version: u32) -> Result<(), Fault> {
        Ok(())
    }

    fn run(_job: &str, argument: Option<&str>, _cause: &Cause) -> Result<Outcome, Fault> {
        let paths: Vec<&str> = argument.unwrap_or_default().split_whitespace().collect();
        let begun = storage::get(&[DONE.to_owned()]).pop().flatten();
        let done = begun.and_then(|done| done.first().copied()).unwrap_or(0);
        for (number, path) in (1u8..).zip(&paths).skip(done.into()) {
            let api = api();
            let call = match path.strip_prefix('!') {
                Some(path) => api.call(Method::Post, path),
                None => api.get(path),
            };
            call.send()?;
            keep(&[number])?;
            let progress = Progress {
                done: number.into(),
                total: Some(paths.len() as u64),
                ..Progress::default()
            };
            if run::checkpoint(progress) == Directive::Stop && usize::from(number) < paths.len() {
                return Ok(Outcome::Suspended);
            }
        }
        keep(&[0])?;
        Ok(Outcome::Done)
    }
}

tenon_sdk::export!(Caller);

fn api() -> Api {
    let settings: serde_json::Value = serde_json::from_str(&run::settings()).unwrap_or_default();
    Api::new(settings["url"].as_str().unwrap_or_default(), "none")
}

fn keep(done: &[u8]) -> Result<(), Fault> {
    storage::set(&[(DONE.to_owned(), done.to_vec())])
        .map_err(|_| Fault::Rejected(said("the storage is full")))
}
