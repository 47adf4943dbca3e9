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
mod who;

use tenon_sdk::model::{Cause, Fault, Instant, Outcome};
use tenon_sdk::rejected::Retry;
use tenon_sdk::runtime::run;
use tenon_sdk::time::MINUTE;
use tenon_sdk::{info, reason, unknown_job};

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
/// The document of an order that was deleted in MoySklad, made again.
pub const AGAIN: &str = "order-again";
/// Balances of customers.
pub const BALANCE: &str = "balance";
/// What would be matched with what.
pub const MATCH: &str = "match";

/// Kinds of bindings and reports.
const PRODUCT: &str = "product";
const VARIANT: &str = "variant";
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
    /// Identity of the shop's books: what is made for a record of others is another thing.
    books: String,
}

/// Does a job.
///
/// # Errors
/// The fault that keeps it from going on.
pub fn run(job: &str, argument: Option<&str>, cause: &Cause) -> Result<Outcome, Fault> {
    let settings = Settings::load()?;
    let api = MoySklad::new(&settings.base_url);
    // A look before anything is switched on is what this one is for.
    let context = Context {
        settings,
        api,
        books: run::context().books,
    };
    if job == MATCH {
        return matching::run(&context);
    }
    if !context.settings.active {
        info!(reason!("inactive").setting("active"));
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
        AGAIN => orders::again(&context, argument, cause, &retry),
        BALANCE => balance::run(&context, argument, cause),
        other => Err(unknown_job(other)),
    };
    retry.end(outcome?)
}
