//! Instants: milliseconds since the Unix epoch, UTC, as the contract has them.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};

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
    let parsed = if is_zoned(text) {
        text.parse::<jiff::Timestamp>()
    } else {
        text.parse::<DateTime>()
            .and_then(|civil| Offset::UTC.to_timestamp(civil))
    };
    parsed
        .map(|at| at.as_millisecond())
        .map_err(|_| NotATime(crate::text::one_line(text)))
}

/// A time zone, such as the tenant's: where no zone is written, its clock is meant.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// By its IANA name; UTC where nobody knows it.
    pub fn named(name: &str) -> Zone {
        Zone(TimeZone::get(name).unwrap_or(TimeZone::UTC))
    }

    /// The first moment that a text means: that of a day, or the one that is written.
    ///
    /// # Errors
    /// [`NotATime`] for what [`parse`] would not take.
    pub fn first(&self, text: &str) -> Result<Instant, NotATime> {
        match text.parse::<DateTime>() {
            Ok(civil) if !is_zoned(text) => self.at(civil, text),
            _ => parse(text),
        }
    }

    /// The last moment that a text means: that of a day, or the one that is written.
    ///
    /// # Errors
    /// [`NotATime`] for what [`parse`] would not take.
    pub fn last(&self, text: &str) -> Result<Instant, NotATime> {
        let day = text.parse::<Date>().ok().filter(|_| is_date(text));
        match day.and_then(|day| day.tomorrow().ok()) {
            Some(next) => Ok(self.at(next.into(), text)? - 1),
            None => self.first(text),
        }
    }

    fn at(&self, civil: DateTime, text: &str) -> Result<Instant, NotATime> {
        let at = self.0.to_timestamp(civil);
        at.map(|at| at.as_millisecond())
            .map_err(|_| NotATime(crate::text::one_line(text)))
    }
}

fn is_zoned(text: &str) -> bool {
    text.ends_with(['Z', 'z']) || text.get(10..).is_some_and(|t| t.contains(['+', '-']))
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
    use super::{DAY, Zone, is_date, now, parse, parse_http, utc_text};

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
    fn a_day_begins_and_ends_by_the_clock_of_its_zone() {
        let kyiv = Zone::named("Europe/Kyiv");
        for (text, first, last) in [
            ("2026-11-01", "2026-10-31 22:00:00", "2026-11-01 21:59:59"),
            // The night in which clocks are set forward, and the one in which they are set back.
            ("2026-03-29", "2026-03-28 22:00:00", "2026-03-29 20:59:59"),
            ("2026-10-25", "2026-10-24 21:00:00", "2026-10-25 21:59:59"),
        ] {
            assert_eq!(kyiv.first(text).map(utc_text).as_deref(), Ok(first));
            assert_eq!(kyiv.last(text).map(utc_text).as_deref(), Ok(last));
        }
        let noon = parse("2026-11-01 10:00:00");
        assert_eq!(kyiv.first("2026-11-01 12:00"), noon);
        assert_eq!(kyiv.last("2026-11-01T10:00:00Z"), noon);
        assert_eq!(
            Zone::named("Nowhere/At all").first("2026-11-01 10:00"),
            noon
        );
        assert!(kyiv.first("soon").is_err() && kyiv.last("soon").is_err());
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
