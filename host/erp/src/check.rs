//! What can be said of a record without looking anything up. Pure; a reason begins with the field.

use std::fmt::Display;

use tenon_host::model::{Decimal, Instant, Money, Price};

use crate::book::{Halt, refuse};

/// Names are what people choose by.
pub(crate) fn name(name: &str) -> Result<(), Halt> {
    if name.trim().is_empty() {
        return refuse("name: it is empty");
    }
    Ok(())
}

/// Beyond this scale a number can be neither computed with nor written as text.
pub(crate) fn decimal(value: Decimal, field: impl Display) -> Result<(), Halt> {
    if value.exact().is_none() {
        return refuse(format_args!(
            "{field}: {} digits after the decimal point are more than 28",
            value.scale
        ));
    }
    Ok(())
}

pub(crate) fn currency(code: &str, field: impl Display) -> Result<(), Halt> {
    if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_uppercase()) {
        return refuse(format_args!(
            "{field}: `{code}` is not an ISO 4217 code of three capital letters"
        ));
    }
    Ok(())
}

pub(crate) fn money(money: &Money, field: impl Display) -> Result<(), Halt> {
    decimal(money.amount, format_args!("{field}.amount"))?;
    currency(&money.currency, format_args!("{field}.currency"))
}

pub(crate) fn prices(prices: &[Price], field: impl Display) -> Result<(), Halt> {
    for (i, price) in prices.iter().enumerate() {
        money(&price.value, format_args!("{field}[{i}].value"))?;
    }
    Ok(())
}

/// Instants beyond the years that a calendar can write would be lost in the document.
pub(crate) fn instant(at: Option<Instant>, field: impl Display) -> Result<(), Halt> {
    match at.map(jiff::Timestamp::from_millisecond) {
        Some(Err(_)) => refuse(format_args!("{field}: no calendar has such an instant")),
        _ => Ok(()),
    }
}
