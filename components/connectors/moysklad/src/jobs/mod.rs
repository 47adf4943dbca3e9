//! The jobs, one file for each.

mod balance;
mod categories;
mod changes;
mod currency;
mod images;
mod importer;
mod matching;
mod orders;
mod partners;
mod products;
mod stock;

use tenon_sdk::info;
use tenon_sdk::model::{Cause, Fault, Instant, Outcome};
use tenon_sdk::rejected::Retry;
use tenon_sdk::time::MINUTE;

use crate::api::MoySklad;
use crate::settings::Settings;

/// Cards of all products.
pub const PRODUCTS: &str = "products";
/// Cards of products that changed or are gone.
pub const CHANGES: &str = "changes";
/// Pictures.
pub const IMAGES: &str = "images";
/// The tree of categories.
pub const CATEGORIES: &str = "categories";
/// Levels of stock.
pub const STOCK: &str = "stock";
/// Counterparties.
pub const PARTNERS: &str = "partners";
/// Orders of customers and to suppliers.
pub const ORDERS: &str = "orders";
/// Balances of customers.
pub const BALANCE: &str = "balance";
/// What would be matched with what.
pub const MATCH: &str = "match";

/// Kinds of bindings and reports.
const PRODUCT: &str = "product";
const CATEGORY: &str = "category";
const PARTNER: &str = "partner";

/// As many rejected products are kept to be tried again between two full passes, which meet all.
const MOST_REJECTED: usize = 10_000;

/// So long a rejected product rests until a scheduled run tries it again: webhooks start such runs
/// many times an hour.
const REST: Instant = 60 * MINUTE;

/// What all jobs work with.
struct Context {
    settings: Settings,
    api: MoySklad,
}

/// Does a job.
///
/// # Errors
/// The fault that keeps it from going on.
pub fn run(job: &str, argument: Option<&str>, cause: &Cause) -> Result<Outcome, Fault> {
    let settings = Settings::load()?;
    let api = MoySklad::new(&settings.base_url);
    // A look before anything is switched on is what this one is for.
    let context = Context { settings, api };
    if job == MATCH {
        return matching::run(&context);
    }
    if !context.settings.active {
        info!("the integration is not active; switch settings.active on");
        return Ok(Outcome::Done);
    }
    let retry = Retry::of(job, argument, cause);
    let outcome = match job {
        PRODUCTS => products::run(&context, &retry),
        CHANGES => changes::run(&context, argument, &retry),
        IMAGES => images::run(&context, &retry),
        CATEGORIES => categories::run(&context),
        STOCK => stock::run(&context, argument, cause, &retry),
        PARTNERS => partners::run(&context, &retry),
        ORDERS => orders::run(&context, &retry),
        BALANCE => balance::run(&context, argument, cause),
        other => Err(Fault::Unsupported(
            format!("there is no job `{other}`").into(),
        )),
    };
    retry.end(outcome?)
}
