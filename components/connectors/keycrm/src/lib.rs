//! KeyCRM → ERP: orders with their buyers, products, delivery and payments.
//!
//! KeyCRM is the master of orders; people own the cards of partners and products once they exist.
//! How the pieces meet: [`jobs::orders`] decides what to read and when to stop, `importer` brings a
//! page of orders into the ERP, and `map` holds every rule about one record, without any I/O.

mod api;
mod catalogue;
mod directories;
mod goods;
mod importer;
mod jobs;
mod keys;
mod manifest;
mod map;
mod partners;
mod plan;
mod settings;
mod state;

use tenon_sdk::Connector;
use tenon_sdk::model::{Account, Cause, Choice, ConnectorManifest, Fault, Outcome};
use tenon_sdk::rejected::Retry;

/// The connector.
pub struct KeyCrm;

impl Connector for KeyCrm {
    fn describe() -> ConnectorManifest {
        manifest::manifest()
    }

    fn choices(option: &str) -> Result<Vec<Choice>, Fault> {
        manifest::choices(option)
    }

    fn check() -> Result<Account, Fault> {
        let statuses = settings::crm()?.count("/order/status")?;
        Ok(Account {
            id: None,
            name: format!("KeyCRM, {statuses} order statuses"),
            facts: Vec::new(),
            notes: Vec::new(),
        })
    }

    fn run(job: &str, argument: Option<&str>, cause: &Cause) -> Result<Outcome, Fault> {
        match job {
            jobs::ORDERS => {
                let retry = Retry::of(job, argument, cause);
                retry.end(jobs::orders::run(&retry)?)
            }
            other => Err(Fault::Unsupported(
                format!("there is no job `{other}`").into(),
            )),
        }
    }
}

tenon_sdk::export!(KeyCrm);
