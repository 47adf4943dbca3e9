//! The jobs, one file for each.

mod balance;
mod categories;
mod currency;
mod images;
mod importer;
mod matching;
mod orders;
mod partners;
mod products;
mod stock;
mod who;

use tenon_sdk::flow::cards::{PRODUCT, VARIANT};
use tenon_sdk::model::{Fault, Instant, Outcome};
use tenon_sdk::time::{MINUTE, Zone};
use tenon_sdk::{Call, info, reason};

use crate::api::MoySklad;
use crate::settings::Settings;

/// Kind of bindings and reports.
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
    /// Orders placed earlier are not sent.
    orders_from: Option<Instant>,
}

impl Context {
    fn of(call: &Call<'_, Settings>) -> Result<Context, Fault> {
        call.settings.judge()?;
        let zone = Zone::named(&call.context.time_zone);
        Ok(Context {
            settings: call.settings.clone(),
            api: MoySklad::open()?,
            books: call.context.books.clone(),
            orders_from: call.settings.orders_from(&zone)?,
        })
    }
}

type Done = Result<Outcome, Fault>;

/// Does nothing while the connection is switched off, which people are told.
fn active(call: &Call<'_, Settings>, work: impl FnOnce(&Context) -> Done) -> Done {
    let context = Context::of(call)?;
    if !context.settings.active {
        info!(reason!("inactive").setting("active"));
        return Ok(Outcome::Done);
    }
    work(&context)
}

/// The tree of categories.
pub fn categories(call: &Call<'_, Settings>) -> Done {
    active(call, categories::run)
}

/// Cards of all products.
pub fn products(call: &Call<'_, Settings>) -> Done {
    active(call, |context| products::run(context, &call.retry))
}

/// Cards of products that changed or are gone.
pub fn changes(call: &Call<'_, Settings>) -> Done {
    active(call, |context| {
        products::changes(context, call.argument, &call.retry)
    })
}

/// Pictures.
pub fn images(call: &Call<'_, Settings>) -> Done {
    active(call, |context| images::run(context, &call.retry))
}

/// Levels of stock.
pub fn stock(call: &Call<'_, Settings>) -> Done {
    active(call, |context| stock::run(context, call))
}

/// Counterparties.
pub fn partners(call: &Call<'_, Settings>) -> Done {
    active(call, |context| partners::run(context, &call.retry))
}

/// Orders of customers and to suppliers.
pub fn orders(call: &Call<'_, Settings>) -> Done {
    active(call, |context| orders::run(context, &call.retry))
}

/// The document of an order that was deleted in MoySklad, made again.
pub fn order_again(call: &Call<'_, Settings>) -> Done {
    active(call, |context| orders::again(context, call))
}

/// Balances of customers.
pub fn balance(call: &Call<'_, Settings>) -> Done {
    active(call, |context| {
        balance::run(context, call.argument, call.cause)
    })
}

/// What would be matched with what: a look before anything is switched on.
pub fn compare(call: &Call<'_, Settings>) -> Done {
    matching::run(&Context::of(call)?)
}
