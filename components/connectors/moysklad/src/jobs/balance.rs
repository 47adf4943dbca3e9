//! What a customer owes or has paid ahead, as one number, when somebody looks: at most once in half
//! an hour for each customer.

use std::collections::HashMap;

use rust_decimal::Decimal;
use serde_json::json;
use tenon_sdk::erp::partners;
use tenon_sdk::import::Tally;
use tenon_sdk::model::{
    self, Cause, Directive, Fault, Instant, Key, Money, Outcome, PartnerRole, Reason, Subject,
};
use tenon_sdk::push::bisected;
use tenon_sdk::runtime::{bindings, storage};
use tenon_sdk::time::{self, MINUTE};
use tenon_sdk::{info, reason, state};
use uuid::Uuid;

use super::{Context, PARTNER, currency};
use crate::api::Refusal;
use crate::api::meta::{self, Kind};
use crate::api::records::{BalanceRow, List};
use crate::map::product::from_minor;

/// The shortest time between two looks at one customer.
const PAUSE: Instant = 30 * MINUTE;

/// When a customer was looked at last.
const LOOKED: &str = "balance/";

/// Partners in a page.
const PAGE: u32 = 100;

/// Runs the job: for the customer who looks or is named by the argument, else for all.
pub fn run(context: &Context, argument: Option<&str>, cause: &Cause) -> Result<Outcome, Fault> {
    if !context.settings.balance {
        info!(reason!("balance.off").setting("balance"));
        return Ok(Outcome::Done);
    }
    let mut tally = Tally::default();
    let named = match (cause, argument) {
        (Cause::Visited(partner), _) => Some(vec![partner.key.clone()]),
        (_, Some(keys)) => Some(keys.split(',').map(str::to_owned).collect()),
        _ => None,
    };
    if let Some(keys) = named {
        show(context, keys, &mut tally)?;
        tally.checkpoint();
        return Ok(Outcome::Done);
    }
    let mut cursor: Option<String> = None;
    loop {
        let page = partners::changed(cursor.as_deref(), PAGE)?;
        let customers = page.partners.into_iter();
        let customers = customers.filter(|partner| partner.role == PartnerRole::Customer);
        let keys: Vec<Key> = customers.filter_map(|partner| partner.key).collect();
        show(context, keys, &mut tally)?;
        // What was shown is not due again, so a run that is cut goes on where it was.
        if tally.checkpoint() == Directive::Stop && page.more {
            return Ok(Outcome::Suspended);
        }
        if !page.more {
            return Ok(Outcome::Done);
        }
        cursor = Some(page.next);
    }
}

/// Shows the balances of those customers who were not looked at lately.
fn show(context: &Context, keys: Vec<Key>, tally: &mut Tally) -> Result<(), Fault> {
    let now = time::now();
    let looked: Vec<String> = keys.iter().map(|key| format!("{LOOKED}{key}")).collect();
    let due: Vec<Key> = keys
        .into_iter()
        .zip(storage::get(&looked))
        .filter(|(_, at)| is_due(at.as_deref(), now))
        .map(|(key, _)| key)
        .collect();
    let mut ids: Vec<(Key, Uuid)> = Vec::new();
    for (key, binding) in due.iter().zip(bindings::by_key(PARTNER, &due)) {
        match binding.and_then(|binding| meta::id_of(&binding.origin)) {
            Some(id) => ids.push((key.clone(), id)),
            None => info!(record = key, "balance.no-partner"),
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    let read = bisected(&ids, &mut |some: &[(Key, Uuid)]| read(context, some))?;
    let currency = currency::of_books(context)?;
    let mut balances = Vec::new();
    for ((key, _), told) in ids.iter().zip(read) {
        let minor = match told {
            Ok(Some(minor)) if context.settings.balance_is_debt => -minor,
            Ok(Some(minor)) => minor,
            Ok(None) => {
                info!(record = key, "balance.untold");
                continue;
            }
            Err(refusal) => {
                reject(key, *refusal.reason, tally);
                continue;
            }
        };
        match model::Decimal::try_from(from_minor(minor)) {
            Ok(amount) => {
                let currency = currency.clone();
                balances.push((key.clone(), Money { amount, currency }));
            }
            Err(error) => reject(key, error.into(), tally),
        }
    }
    let set = partners::set_balances(&balances)?;
    let mut looked = Vec::new();
    for ((key, _), outcome) in balances.iter().zip(set) {
        match outcome {
            Ok(saved) => {
                tally.count(saved.effect);
                looked.push((format!("{LOOKED}{key}"), now.to_string().into_bytes()));
            }
            Err(Fault::Rejected(reason)) => reject(key, reason, tally),
            Err(fault) => return Err(fault),
        }
    }
    state::set(&looked)
}

fn reject(key: &Key, reason: Reason, tally: &mut Tally) {
    tally.reject("balance", Subject::Key(key.clone()), key, reason);
}

fn is_due(looked: Option<&[u8]>, now: Instant) -> bool {
    let at = looked.and_then(|at| std::str::from_utf8(at).ok()?.parse::<Instant>().ok());
    // A clock that was set back must not keep customers waiting.
    at.is_none_or(|at| now - at >= PAUSE || at > now)
}

/// A balance for each of the customers, where MoySklad tells one.
type Balances = Vec<Result<Option<Decimal>, Refusal>>;

/// Reads balances. The inner error says that one of the customers is not there, and of all that are
/// asked for together MoySklad tells none then.
fn read(context: &Context, ids: &[(Key, Uuid)]) -> Result<Result<Balances, Refusal>, Fault> {
    let named: Vec<_> = ids
        .iter()
        .map(|(_, id)| json!({ "counterparty": context.api.meta(Kind::Counterparty, *id) }))
        .collect();
    let body = json!({ "counterparties": named });
    let answer = match context.api.ask("/report/counterparty", &body)? {
        Ok(answer) => answer,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let rows = answer.json::<List<BalanceRow<'_>>>()?.rows;
    let told: HashMap<Uuid, Decimal> = (rows.iter())
        .filter_map(|row| Some((row.counterparty.id()?, row.balance.get()?)))
        .collect();
    Ok(Ok(ids
        .iter()
        .map(|(_, id)| Ok(told.get(id).copied()))
        .collect()))
}

#[cfg(test)]
mod tests {
    use super::{PAUSE, is_due};

    #[test]
    fn a_customer_is_looked_at_no_more_than_twice_an_hour() {
        let now = 10 * PAUSE;
        let at = |at: i64| at.to_string().into_bytes();
        assert!(is_due(None, now));
        assert!(!is_due(Some(&at(now - PAUSE + 1)), now));
        assert!(is_due(Some(&at(now - PAUSE)), now));
        assert!(is_due(Some(&at(now + 1)), now), "the clock was set back");
    }
}
