//! Balances of customers, from MoySklad's report on counterparties.

use std::collections::HashMap;

use rust_decimal::Decimal;
use serde_json::json;
use tenon_sdk::flow::balances::{self, Source};
use tenon_sdk::model::{Cause, Fault, Money, Origin, Outcome, Reason};
use tenon_sdk::push::bisected;
use tenon_sdk::{info, reason};
use uuid::Uuid;

use super::{Context, PARTNER, currency};
use crate::api::Refusal;
use crate::api::meta::{self, Kind};
use crate::api::records::{BalanceRow, List};
use crate::map::product::from_minor;

/// Runs the job: for the customer who looks or is named by the argument, else for all.
pub fn run(context: &Context, argument: Option<&str>, cause: &Cause) -> Result<Outcome, Fault> {
    if !context.settings.balance {
        info!(reason!("balance.off").setting("balance"));
        return Ok(Outcome::Done);
    }
    balances::run(&Report(context), argument, cause)
}

struct Report<'c>(&'c Context);

impl Source for Report<'_> {
    const PARTNER: &'static str = PARTNER;

    fn read(&self, partners: &[Origin]) -> Result<Vec<Result<Option<Money>, Reason>>, Fault> {
        let Report(context) = self;
        let ids = partners
            .iter()
            .map(|one| meta::id_of(one).unwrap_or_default());
        let ids: Vec<Uuid> = ids.collect();
        let told = bisected(&ids, &mut |some: &[Uuid]| read(context, some))?;
        let currency = currency::of_books(context)?;
        let money = |minor: Decimal| -> Result<Money, Reason> {
            let minor = match context.settings.balance_is_debt {
                true => -minor,
                false => minor,
            };
            Ok(Money {
                amount: from_minor(minor).try_into()?,
                currency: currency.clone(),
            })
        };
        let balance = |told: Result<Option<Decimal>, Refusal>| match told {
            Ok(minor) => minor.map(money).transpose(),
            Err(refusal) => Err(*refusal.reason),
        };
        Ok(told.into_iter().map(balance).collect())
    }
}

/// A balance for each of the customers, where MoySklad tells one.
type Balances = Vec<Result<Option<Decimal>, Refusal>>;

/// Reads balances. The inner error says that one of the customers is not there, and of all that are
/// asked for together MoySklad tells none then.
fn read(context: &Context, ids: &[Uuid]) -> Result<Result<Balances, Refusal>, Fault> {
    let named: Vec<_> = ids
        .iter()
        .map(|id| json!({ "counterparty": context.api.meta(Kind::Counterparty, *id) }))
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
    Ok(Ok(ids.iter().map(|id| Ok(told.get(id).copied())).collect()))
}
