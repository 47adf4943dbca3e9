//! MoySklad and a shop: products, pictures, categories and stock come from MoySklad; partners and
//! orders go there.
//!
//! MoySklad is the master of goods and money, the shop of its customers and what they order. How
//! the pieces meet: each file in `jobs` reads one stream, decides by the pure functions in `map`,
//! and acts through `api`; what a run must remember is kept beside its job.

mod api;
mod jobs;
mod manifest;
mod map;
mod settings;
mod webhooks;

use tenon_sdk::Connector;
use tenon_sdk::model::{
    Account, Cause, Choice, ConnectorManifest, Fault, Outcome, Request, Webhook,
};

/// The connector.
pub struct MoySklad;

impl Connector for MoySklad {
    fn describe() -> ConnectorManifest {
        manifest::manifest()
    }

    fn choices(option: &str) -> Result<Vec<Choice>, Fault> {
        manifest::choices(option)
    }

    fn check() -> Result<Account, Fault> {
        manifest::check()
    }

    fn run(job: &str, argument: Option<&str>, cause: &Cause) -> Result<Outcome, Fault> {
        jobs::run(job, argument, cause)
    }

    fn enable(callback: &str) -> Result<(), Fault> {
        webhooks::enable(callback)
    }

    fn disable() -> Result<(), Fault> {
        webhooks::disable()
    }

    fn receive(webhook: &Webhook) -> Result<Vec<Request>, Fault> {
        webhooks::receive(webhook)
    }
}

tenon_sdk::export!(MoySklad);
