//! When a job is due: cron expressions in the time zone of a tenant.
//!
//! The clock of most tenants jumps twice a year, and an exchange must neither be left out nor made
//! twice for that. So an expression with hours, such as `30 3 * * *` or `0 */3 * * *`, means times of
//! the day, as people read them: one that the clock leaves out counts as so much later, one that the
//! clock shows twice counts once. An expression for every hour, such as `*/10 * * * *`, means steps of
//! real time and goes on through both.

use std::fmt;
use std::str::FromStr;

use cronexpr::{Crontab, FallbackTimezoneOption, ParseOptions};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::manifest::one_line;

/// Longer than any clock was ever put forward.
const LONGEST_GAP: SignedDuration = SignedDuration::from_hours(25);

/// A cron expression: minute, hour, day of the month, month and day of the week.
#[derive(Clone, Debug)]
pub struct Cron {
    text: String,
    /// In UTC, which never jumps; the times of a zone are brought there and back.
    table: Crontab,
    every_hour: bool,
}

/// The text is no cron expression that is ever due.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no schedule: {reason}; write minute, hour, day, month and weekday, such as \
     `*/10 * * * *` or `30 3 * * MON-FRI`"
)]
pub struct BadCron {
    text: String,
    reason: String,
}

impl Cron {
    /// The first time after a moment that it is due in a time zone; none when there is no such time
    /// in the years that a calendar has.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.every_hour {
            self.next_of_steps(after, zone)
        } else {
            self.next_of_day(after, zone)
        }
    }

    /// Reads the clock of the zone between two of its jumps, where it goes as UTC does.
    fn next_of_steps(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut jumps = zone.following(after);
        let (mut from, mut offset) = (after, zone.to_offset(after));
        loop {
            let due = real(self.next_in_utc(shown(from, offset)?)?, offset)?;
            match jumps.next() {
                Some(jump) if jump.timestamp() <= due => {
                    // The moment of the jump may be due itself.
                    from = jump.timestamp() - SignedDuration::from_nanos(1);
                    offset = jump.offset();
                }
                _ => return Some(due),
            }
        }
    }

    /// Reads the times of the day that the zone's calendar has.
    fn next_of_day(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let jump = zone.preceding(after).next();
        let jumped = jump.is_some_and(|jump| after.duration_since(jump.timestamp()) < LONGEST_GAP);
        // A time that the clock has just left out may still be ahead.
        let from = if jumped {
            after.checked_sub(LONGEST_GAP).ok()?
        } else {
            after
        };
        let mut time = shown(from, zone.to_offset(from))?;
        loop {
            time = self.next_in_utc(time)?;
            let day = Offset::UTC.to_datetime(time);
            let due = zone.to_ambiguous_timestamp(day).compatible().ok()?;
            if due > after {
                return Some(due);
            }
        }
    }

    fn next_in_utc(&self, after: Timestamp) -> Option<Timestamp> {
        Some(self.table.find_next(after).ok()?.timestamp())
    }
}

/// The moment at which UTC shows what a clock with this offset shows at `at`.
fn shown(at: Timestamp, offset: Offset) -> Option<Timestamp> {
    Offset::UTC.to_timestamp(offset.to_datetime(at)).ok()
}

/// The moment at which a clock with this offset shows what UTC shows at `at`.
fn real(at: Timestamp, offset: Offset) -> Option<Timestamp> {
    offset.to_timestamp(Offset::UTC.to_datetime(at)).ok()
}

impl FromStr for Cron {
    type Err = BadCron;

    fn from_str(text: &str) -> Result<Cron, BadCron> {
        let bad = |reason: &str| BadCron {
            text: one_line(text),
            reason: one_line(reason),
        };
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [_, hour, ..] = fields[..] else {
            return Err(bad("it has too few fields"));
        };
        if fields.len() != 5 {
            return Err(bad(&format!(
                "it has {} fields, and a time zone is none of them",
                fields.len()
            )));
        }
        // The extensions of the syntax, such as `L`, mean something else in every scheduler.
        let mut parts = fields.iter().flat_map(|field| field.split([',', '-', '/']));
        if let Some(part) = parts.find(|part| !is_plain(part)) {
            return Err(bad(&format!(
                "`{part}` is neither a number, a name nor `*`"
            )));
        }
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::UTC;
        let text = fields.join(" ");
        let table = cronexpr::parse_crontab_with(&text, options).map_err(|error| {
            // The library draws an arrow below the text; what it points at is said behind it.
            let error = error.to_string();
            bad(error
                .rsplit_once("^ ")
                .map_or(error.as_str(), |(_, reason)| reason))
        })?;
        let cron = Cron {
            every_hour: matches!(hour, "*" | "*/1"),
            table,
            text,
        };
        if cron.next_in_utc(Timestamp::UNIX_EPOCH).is_none() {
            return Err(bad("no month has such a day"));
        }
        Ok(cron)
    }
}

/// Whether it is a number, a name of three letters, or all.
fn is_plain(part: &str) -> bool {
    let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let name = part.len() == 3 && part.bytes().all(|b| b.is_ascii_alphabetic());
    part == "*" || digits || name
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::Cron;

    /// Europe/Kyiv, which in 2026 jumps from 03:00 to 04:00 on 29 March and from 04:00 back to 03:00
    /// on 25 October: written out, so that the tests need no data of the machine.
    fn kyiv() -> TimeZone {
        TimeZone::posix("EET-2EEST,M3.5.0/3,M10.5.0/4").unwrap()
    }

    /// The next `count` times after a moment, as the clock shows them.
    fn due(cron: &str, after: &str, count: usize) -> Vec<String> {
        let cron: Cron = cron.parse().unwrap();
        let mut after: Timestamp = after.parse().unwrap();
        let mut times = Vec::new();
        for _ in 0..count {
            let next = cron.next_after(after, &kyiv()).unwrap();
            assert!(next > after, "{next} after {after}");
            after = next;
            let shown = after.to_zoned(kyiv());
            times.push(shown.strftime("%m-%d %H:%M %Z").to_string());
        }
        times
    }

    #[test]
    fn times_are_those_of_the_zone_and_come_after_the_moment() {
        assert_eq!(
            due("30 3 * * *", "2026-01-10T01:29:59.999Z", 2),
            ["01-10 03:30 EET", "01-11 03:30 EET"]
        );
        assert_eq!(
            due("30 3 * * *", "2026-01-10T01:30:00Z", 1),
            ["01-11 03:30 EET"]
        );
        assert_eq!(
            due("*/15 1-23 * * *", "2026-07-10T20:40:00Z", 3),
            ["07-10 23:45 EEST", "07-11 01:00 EEST", "07-11 01:15 EEST"]
        );
        assert_eq!(
            due("0 9 * * MON", "2026-07-10T00:00:00Z", 1),
            ["07-13 09:00 EEST"]
        );
    }

    #[test]
    fn a_daily_time_that_the_clock_leaves_out_comes_as_much_later_and_once() {
        assert_eq!(
            due("30 3 * * *", "2026-03-27T22:00:00Z", 3),
            ["03-28 03:30 EET", "03-29 04:30 EEST", "03-30 03:30 EEST"]
        );
        // Also for who asks in between, such as after a restart at 04:10.
        assert_eq!(
            due("30 3 * * *", "2026-03-29T01:10:00Z", 1),
            ["03-29 04:30 EEST"]
        );
        // Two times that become one are one.
        assert_eq!(
            due("30 3,4 * * *", "2026-03-29T00:00:00Z", 2),
            ["03-29 04:30 EEST", "03-30 03:30 EEST"]
        );
    }

    #[test]
    fn a_daily_time_that_the_clock_shows_twice_comes_once() {
        assert_eq!(
            due("30 3 * * *", "2026-10-23T22:00:00Z", 3),
            ["10-24 03:30 EEST", "10-25 03:30 EEST", "10-26 03:30 EET"]
        );
        // Between the two, and within the hour that is shown again.
        for between in ["2026-10-25T00:45:00Z", "2026-10-25T01:10:00Z"] {
            assert_eq!(
                due("30 3 * * *", between, 1),
                ["10-26 03:30 EET"],
                "{between}"
            );
        }
    }

    #[test]
    fn steps_of_several_hours_leave_none_out_and_make_none_twice() {
        assert_eq!(
            due("0 */3 * * *", "2026-03-29T00:00:00Z", 3),
            ["03-29 04:00 EEST", "03-29 06:00 EEST", "03-29 09:00 EEST"]
        );
        assert_eq!(
            due("0 */3 * * *", "2026-10-24T23:00:00Z", 2),
            ["10-25 03:00 EEST", "10-25 06:00 EET"]
        );
        // That is every hour in other words.
        assert_eq!(
            due("0 */1 * * *", "2026-10-24T23:00:00Z", 3),
            ["10-25 03:00 EEST", "10-25 03:00 EET", "10-25 04:00 EET"]
        );
    }

    #[test]
    fn steps_of_every_hour_go_on_through_both_jumps() {
        assert_eq!(
            due("*/30 * * * *", "2026-03-29T00:10:00Z", 3),
            ["03-29 02:30 EET", "03-29 04:00 EEST", "03-29 04:30 EEST"]
        );
        assert_eq!(
            due("*/30 * * * *", "2026-10-25T00:10:00Z", 5),
            [
                "10-25 03:30 EEST",
                "10-25 03:00 EET",
                "10-25 03:30 EET",
                "10-25 04:00 EET",
                "10-25 04:30 EET"
            ]
        );
        // A day that is months and two jumps away.
        assert_eq!(
            due("0 * 1 12 *", "2026-02-01T00:00:00Z", 1),
            ["12-01 00:00 EET"]
        );
        assert_eq!(
            due("0 * 25 10 *", "2026-02-01T00:00:00Z", 1),
            ["10-25 00:00 EEST"]
        );
    }

    #[test]
    fn a_zone_without_jumps_is_read_in_both_ways() {
        let after: Timestamp = "2026-10-25T00:10:00Z".parse().unwrap();
        for (cron, next) in [
            ("30 3 * * *", "2026-10-25T03:30:00Z"),
            ("*/30 * * * *", "2026-10-25T00:30:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
        ] {
            let due = cron
                .parse::<Cron>()
                .unwrap()
                .next_after(after, &TimeZone::UTC);
            assert_eq!(due, Some(next.parse().unwrap()), "{cron}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused_in_one_line_that_says_why() {
        for (text, why) in [
            ("", "too few fields"),
            ("@daily", "too few fields"),
            ("* * * *", "4 fields"),
            ("30 3 * * * Europe/Kyiv", "time zone"),
            ("0 30 3 * * *", "6 fields"),
            ("60 3 * * *", "60"),
            ("* 24 * * *", "24"),
            ("*/0 * * * *", "0"),
            ("5-1 * * * *", "5-1"),
            ("0 0 L * *", "`L`"),
            ("0 0 15W * *", "`15W`"),
            ("0 0 * * 5#3", "`5#3`"),
            ("H * * * *", "`H`"),
            ("0 0 31 2 *", "no month has such a day"),
            ("0 0 * * \u{1b}[31m", "neither a number"),
        ] {
            let error = text.parse::<Cron>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
            assert!(!error.contains(char::is_control), "{error:?}");
        }
    }

    #[test]
    fn a_schedule_is_written_as_it_was_given() {
        let cron: Cron = "  */10\t8-20 * JAN-jun  Mon,FRI ".parse().unwrap();
        assert_eq!(cron.to_string(), "*/10 8-20 * JAN-jun Mon,FRI");
    }
}
