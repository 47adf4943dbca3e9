//! Instants: milliseconds since the Unix epoch, UTC, as the contract has them.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::model::Instant;

/// One second.
pub const SECOND: Instant = 1_000;
/// One minute.
pub const MINUTE: Instant = 60 * SECOND;
/// One day.
pub const DAY: Instant = 24 * 60 * MINUTE;

/// The text is no moment in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a date and time")]
pub struct NotATime(pub(crate) String);

/// The wall clock.
pub fn now() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        Instant::try_from(since.as_millis()).unwrap_or(Instant::MAX)
    })
}

/// Reads `2026-03-01T10:00:00.000000Z`, `2026-03-01 10:00:00` or `2026-03-01`. Without a zone it
/// is UTC, without a time midnight.
///
/// # Errors
/// [`NotATime`] for anything else.
pub fn parse(text: &str) -> Result<Instant, NotATime> {
    let zoned =
        text.ends_with(['Z', 'z']) || text.get(10..).is_some_and(|t| t.contains(['+', '-']));
    let parsed = if zoned {
        text.parse::<jiff::Timestamp>()
    } else {
        text.parse::<DateTime>()
            .and_then(|civil| Offset::UTC.to_timestamp(civil))
    };
    parsed
        .map(|at| at.as_millisecond())
        .map_err(|_| NotATime(crate::text::one_line(text)))
}

/// Reads the moment of an HTTP header: `Sun, 22 Nov 2026 04:54:00 GMT`.
pub fn parse_http(text: &str) -> Option<Instant> {
    let parsed = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some(parsed.timestamp().as_millisecond())
}

/// Whether [`parse`] would take the text for a day without a time.
pub fn is_date(text: &str) -> bool {
    text.parse::<jiff::civil::Date>().is_ok() && text.len() == "2026-03-01".len()
}

/// Writes `2026-03-01 10:00:00`, in UTC, without the fraction of the second.
pub fn utc_text(at: Instant) -> String {
    let at = jiff::Timestamp::from_millisecond(at).unwrap_or(if at < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    });
    let civil = Offset::UTC.to_datetime(at);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        civil.year(),
        civil.month(),
        civil.day(),
        civil.hour(),
        civil.minute(),
        civil.second()
    )
}

#[cfg(test)]
mod tests {
    use super::{DAY, is_date, now, parse, parse_http, utc_text};

    #[test]
    fn all_ways_to_write_one_moment_are_equal() {
        let at = parse("2026-03-01T10:00:00.000000Z");
        assert_eq!(at, Ok(1_772_359_200_000));
        assert_eq!(parse("2026-03-01 10:00:00"), at);
        assert_eq!(parse("2026-03-01T12:00:00+02:00"), at);
        assert_eq!(parse("2026-03-01T05:00:00-05:00"), at);
        assert_eq!(parse("2026-03-01").map(|day| day + 10 * 3_600_000), at);
    }

    #[test]
    fn a_moment_is_written_as_it_was_read() {
        for text in ["2026-03-01 10:00:00", "1969-12-31 23:59:59"] {
            assert_eq!(parse(text).map(utc_text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "soon",
            "2026-13-01",
            "2026-02-30 10:00:00",
            "1772359200",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_moment_of_a_header_is_read() {
        assert_eq!(
            parse_http("Sun, 01 Mar 2026 10:00:00 GMT"),
            parse("2026-03-01 10:00:00").ok()
        );
        assert_eq!(parse_http("soon"), None);
    }

    #[test]
    fn a_day_is_told_from_a_moment() {
        assert!(is_date("2026-03-01"));
        assert!(!is_date("2026-03-01 00:00:00"));
        assert!(!is_date("yesterday"));
    }

    #[test]
    fn the_clock_runs_after_the_first_release() {
        assert!(now() > parse("2026-01-01").unwrap_or(0) - 365 * DAY);
    }
}
