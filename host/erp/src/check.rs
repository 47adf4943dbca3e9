//! What can be said of a record without looking anything up. Pure; a reason begins with the field.

use std::fmt::Display;

use tenon_host::model::{Decimal, Instant, Money, Price, Reason};

use crate::book::{Halt, refuse};
use crate::reasons;

/// Names are what people choose by.
pub(crate) fn name(name: &str) -> Result<(), Halt> {
    if name.trim().is_empty() {
        return refuse(reasons::empty("name"));
    }
    Ok(())
}

/// Beyond this scale a number can be neither computed with nor written as text.
pub(crate) fn decimal(value: Decimal, field: impl Display) -> Result<(), Halt> {
    if value.exact().is_none() {
        return refuse(
            Reason::new("platform.too-many-digits")
                .arg("field", field)
                .arg("digits", value.scale),
        );
    }
    Ok(())
}

pub(crate) fn currency(code: &str, field: impl Display) -> Result<(), Halt> {
    if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_uppercase()) {
        return refuse(
            Reason::new("platform.not-a-currency")
                .arg("field", field)
                .arg("code", code),
        );
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
        Some(Err(_)) => refuse(Reason::new("platform.no-such-instant").arg("field", field)),
        _ => Ok(()),
    }
}
