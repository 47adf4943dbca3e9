//! KeyCRM → ERP: orders with their buyers, products, delivery and payments.
//!
//! KeyCRM is the master of orders; people own the cards of partners and products once they exist.
//! How the pieces meet: [`jobs::orders`] brings what the SDK's flow reads into the ERP, and `map` holds
//! every rule about one record, without any I/O.

mod account;
mod api;
mod catalogue;
mod directories;
mod goods;
mod jobs;
mod keys;
mod manifest;
mod map;
mod partners;
mod settings;

use tenon_sdk::model::{Account, Cause, Choice, ConnectorManifest, Fault, Outcome};
use tenon_sdk::rejected::Retry;
use tenon_sdk::{Connector, unknown_job};

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
        account::check()
    }

    fn run(job: &str, argument: Option<&str>, cause: &Cause) -> Result<Outcome, Fault> {
        match job {
            jobs::ORDERS => {
                let retry = Retry::of(job, argument, cause);
                retry.end(jobs::orders::run(&retry)?)
            }
            other => Err(unknown_job(other)),
        }
    }
}

tenon_sdk::export!(KeyCrm);
