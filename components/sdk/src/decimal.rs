//! Exact numbers. The contract's [`model::Decimal`](crate::model::Decimal) crosses the boundary;
//! [`rust_decimal::Decimal`] does the arithmetic; a counterpart's JSON is read by its text.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::model;

/// The number has more digits than the contract's 64 bits hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the number {0} has too many digits")]
pub struct OutOfRange(pub(crate) Decimal);

impl TryFrom<Decimal> for model::Decimal {
    type Error = OutOfRange;

    fn try_from(exact: Decimal) -> Result<Self, OutOfRange> {
        let fit = |value: Decimal| {
            Some(model::Decimal {
                units: value.mantissa().try_into().ok()?,
                scale: value.scale().try_into().ok()?,
            })
        };
        fit(exact)
            .or_else(|| fit(exact.normalize()))
            .ok_or(OutOfRange(exact))
    }
}

impl TryFrom<model::Decimal> for Decimal {
    type Error = rust_decimal::Error;

    fn try_from(wire: model::Decimal) -> Result<Self, rust_decimal::Error> {
        Decimal::try_from_i128_with_scale(wire.units.into(), wire.scale.into())
    }
}

/// Rounds to hundredths, halves away from zero: what money is rounded by.
pub fn round_money(exact: Decimal) -> Decimal {
    round(exact, 2)
}

/// Rounds to so many decimals, halves away from zero.
pub fn round(exact: Decimal, decimals: u32) -> Decimal {
    if exact.scale() <= decimals {
        return exact;
    }
    exact.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero)
}

/// Reads a number by its text: `12`, `-0.50`, `1.5e3`. None when it is not a number, or has more
/// digits than can be kept exactly.
pub fn parse(text: &str) -> Option<Decimal> {
    plain(text).or_else(|| {
        if text.contains(['e', 'E']) {
            Decimal::from_scientific(text).ok()
        } else {
            Decimal::from_str_exact(text).ok()
        }
    })
}

/// Nearly all amounts are up to 18 plain digits with a point somewhere: one pass, no division.
fn plain(text: &str) -> Option<Decimal> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if digits.len() > 19 {
        return None;
    }
    let mut units: i64 = 0;
    let mut point = None;
    for (place, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => units = units * 10 + i64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(place),
            _ => return None,
        }
    }
    let scale = point.map_or(0, |place| digits.len() - place - 1);
    let whole = digits.len() - scale - usize::from(point.is_some());
    if whole == 0 || whole + scale > 18 || (point.is_some() && scale == 0) {
        return None;
    }
    let units = if negative { -units } else { units };
    Some(Decimal::new(units, u32::try_from(scale).ok()?))
}

#[cfg(test)]
mod tests {
    use super::{model, parse, round_money};
    use rust_decimal::Decimal;

    fn exact(text: &str) -> Decimal {
        parse(text).unwrap_or_else(|| panic!("{text} is a number"))
    }

    #[test]
    fn numbers_are_read_by_their_text_without_any_loss() {
        for (text, units, scale) in [
            ("0", 0, 0),
            ("1130", 1130, 0),
            ("2.00", 200, 2),
            ("-0.50", -50, 2),
            ("0.1", 1, 1),
            ("999999999999999999", 999_999_999_999_999_999, 0),
            ("9223372036854775807", i64::MAX, 0),
        ] {
            let wire = model::Decimal::try_from(exact(text));
            assert_eq!(wire, Ok(model::Decimal { units, scale }), "{text}");
        }
        assert_eq!(exact("1.5e3"), exact("1500"));
        assert_eq!(exact("12E-2"), exact("0.12"));
        assert_eq!(exact("0.1") + exact("0.2"), exact("0.3"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", ".", ".5x", "1,50", "12 грн", "NaN", "1.2.3", "--1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_beyond_64_bits_does_not_cross_the_boundary() {
        let huge = exact("123456789012345678901234567");
        assert!(model::Decimal::try_from(huge).is_err());
        let padded = exact("1.000000000000000000000000000");
        assert_eq!(
            model::Decimal::try_from(padded),
            Ok(model::Decimal { units: 1, scale: 0 })
        );
    }

    #[test]
    fn money_is_rounded_with_halves_away_from_zero() {
        for (given, rounded) in [("0.125", "0.13"), ("-0.125", "-0.13"), ("2.674", "2.67")] {
            assert_eq!(round_money(exact(given)), exact(rounded));
        }
    }
}
