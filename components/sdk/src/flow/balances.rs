//! What a customer owes or has paid ahead, as one number, when somebody looks: at most once in half an
//! hour for each customer.

use crate::erp::partners;
use crate::import::Tally;
use crate::model::{
    Cause, Directive, Fault, Instant, Key, Money, Origin, Outcome, PartnerRole, Reason, Subject,
};
use crate::runtime::{bindings, storage};
use crate::time::{self, MINUTE};
use crate::{info, state};

/// The shortest time between two looks at one customer.
const PAUSE: Instant = 30 * MINUTE;

/// When a customer was looked at last.
const LOOKED: &str = "balance/";

/// Partners in a page.
const PAGE: u32 = 100;

/// Kind of the records, as people see it in lists.
const BALANCE: &str = "balance";

/// Where balances are read.
pub trait Source {
    /// Kind of the pairs of partners.
    const PARTNER: &'static str;

    /// The balances of partners, each at its place: above zero is what the customer has paid ahead;
    /// none where nobody tells one. The inner error is why one cannot be read.
    ///
    /// # Errors
    /// A fault that has nothing to do with one partner.
    fn read(&self, partners: &[Origin]) -> Result<Vec<Result<Option<Money>, Reason>>, Fault>;
}

/// Runs the job: for the customer who looks or is named by the argument, else for all.
///
/// # Errors
/// The fault that keeps it from going on.
pub fn run<S: Source>(source: &S, argument: Option<&str>, cause: &Cause) -> Result<Outcome, Fault> {
    let mut tally = Tally::default();
    let named = match (cause, argument) {
        (Cause::Visited(partner), _) => Some(vec![partner.key.clone()]),
        (_, Some(keys)) => Some(keys.split(',').map(str::to_owned).collect()),
        _ => None,
    };
    if let Some(keys) = named {
        show(source, keys, &mut tally)?;
        tally.checkpoint();
        return Ok(Outcome::Done);
    }
    let mut cursor: Option<String> = None;
    loop {
        let page = partners::changed(cursor.as_deref(), PAGE)?;
        let customers = page.partners.into_iter();
        let customers = customers.filter(|partner| partner.role == PartnerRole::Customer);
        let keys: Vec<Key> = customers.filter_map(|partner| partner.key).collect();
        show(source, keys, &mut tally)?;
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
fn show<S: Source>(source: &S, keys: Vec<Key>, tally: &mut Tally) -> Result<(), Fault> {
    let now = time::now();
    let looked: Vec<String> = keys.iter().map(|key| format!("{LOOKED}{key}")).collect();
    let due: Vec<Key> = keys
        .into_iter()
        .zip(storage::get(&looked))
        .filter(|(_, at)| is_due(at.as_deref(), now))
        .map(|(key, _)| key)
        .collect();
    let (mut known, mut origins) = (Vec::new(), Vec::new());
    for (key, binding) in due.iter().zip(bindings::by_key(S::PARTNER, &due)) {
        match binding {
            Some(binding) => {
                known.push(key);
                origins.push(binding.origin);
            }
            None => info!(record = key, "sdk.balances.no-partner"),
        }
    }
    if origins.is_empty() {
        return Ok(());
    }
    let mut balances = Vec::new();
    for (key, told) in known.into_iter().zip(source.read(&origins)?) {
        match told {
            Ok(Some(balance)) => balances.push((key.clone(), balance)),
            Ok(None) => info!(record = key, "sdk.balances.untold"),
            Err(reason) => reject(key, reason, tally),
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
    tally.reject(BALANCE, Subject::Key(key.clone()), key, reason);
}

fn is_due(looked: Option<&[u8]>, now: Instant) -> bool {
    let at = looked.and_then(|at| std::str::from_utf8(at).ok()?.parse::<Instant>().ok());
    // A clock that was set back must not keep customers waiting.
    at.is_none_or(|at| now - at >= PAUSE || at > now)
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
