//! What a counterpart's answer says about when to ask again.
//!
//! | header | meaning | who sends it |
//! |---|---|---|
//! | `Retry-After` | seconds, or a date (RFC 9110, 10.2.3) | most |
//! | `X-Lognex-Retry-After` | milliseconds | MoySklad, Remap 1.2 "Restrictions" |
//! | `X-RateLimit-Remaining` with `X-Lognex-Reset` | units left, milliseconds until there are more | MoySklad |
//! | `X-RateLimit-Remaining` with `X-RateLimit-Reset` | units left, and seconds until there are more or the second since 1970 when there are | many |

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;

/// Larger values of `X-RateLimit-Reset` are moments, smaller ones are spans.
const LONGEST_SPAN: u64 = 366 * 24 * 3600;

/// How long the counterpart wants to be left alone after an answer that it refused for haste.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    if let Some(millis) = number(headers, "x-lognex-retry-after") {
        return Some(Duration::from_millis(millis));
    }
    let value = headers
        .get(http::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Some(until(at, now))
}

/// How long no unit is left, told by an answer that was still given.
pub(super) fn used_up(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    if number(headers, "x-ratelimit-remaining")? > 0 {
        return None;
    }
    if let Some(millis) = number(headers, "x-lognex-reset") {
        return Some(Duration::from_millis(millis));
    }
    match number(headers, "x-ratelimit-reset")? {
        span @ ..=LONGEST_SPAN => Some(Duration::from_secs(span)),
        moment => Some(until(
            Timestamp::from_second(moment.try_into().ok()?).ok()?,
            now,
        )),
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    at.duration_since(now).try_into().unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (name.parse().unwrap(), value.parse().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn now() -> Timestamp {
        "2026-03-01T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_wait_is_read_in_seconds_as_a_date_and_in_milliseconds() {
        let wait = |name, value| retry_after(&headers(&[(name, value)]), now());
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(ms(12_000), wait("retry-after", "12"));
        assert_eq!(
            ms(30_000),
            wait("retry-after", "Sun, 01 Mar 2026 10:00:30 GMT")
        );
        assert_eq!(ms(0), wait("retry-after", "Sun, 01 Mar 2026 09:00:30 GMT"));
        assert_eq!(None, wait("retry-after", "soon"));
        assert_eq!(ms(1_500), wait("x-lognex-retry-after", "1500"));
        assert_eq!(None, retry_after(&headers(&[]), now()));
    }

    #[test]
    fn the_finer_wait_counts_when_there_are_two() {
        let both = headers(&[("retry-after", "3"), ("x-lognex-retry-after", "2100")]);
        assert_eq!(Some(Duration::from_millis(2100)), retry_after(&both, now()));
    }

    #[test]
    fn an_answer_that_leaves_no_unit_says_when_there_are_more() {
        let wait = |pairs: &[_]| used_up(&headers(pairs), now());
        let left = ("x-ratelimit-remaining", "0");
        let s = |s| Some(Duration::from_secs(s));
        assert_eq!(s(2), wait(&[left, ("x-lognex-reset", "2000")]));
        assert_eq!(s(7), wait(&[left, ("x-ratelimit-reset", "7")]));
        assert_eq!(s(40), wait(&[left, ("x-ratelimit-reset", "1772359240")]));
        assert_eq!(None, wait(&[left]));
        assert_eq!(
            None,
            wait(&[("x-ratelimit-remaining", "1"), ("x-lognex-reset", "2000")])
        );
    }
}
