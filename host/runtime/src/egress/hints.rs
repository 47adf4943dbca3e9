//! What a counterpart's answer says about when to ask again.
//!
//! | header | meaning | who sends it |
//! |---|---|---|
//! | `Retry-After` | seconds, or a date (RFC 9110, 10.2.3) | most |
//! | `X-Lognex-Retry-After` | milliseconds | MoySklad, Remap 1.2 "Restrictions" |
//! | `X-RateLimit-Limit`, `-Remaining`, `-Reset` | units in all and left; seconds until there are more, or the second since 1970 when there are | many |
//! | `X-Lognex-Retry-TimeInterval`, `X-Lognex-Reset` | with those: length of the window, and until there are more, both in milliseconds; 0 when nothing is held back | MoySklad |
//! | `RateLimit-Limit`, `-Remaining`, `-Reset` | the same as with `X-`, in seconds | drafts of the IETF until 07 |
//! | `RateLimit`, `RateLimit-Policy` | by name of a policy: units left and seconds until there are more; units in all and length of the window | the IETF's present draft |
//! | `API-Usage-Limit` | `USED/ALL` in five minutes | inSales |

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use sfv::{BareItem, Dictionary, Item, List, ListEntry, Parser};

/// Larger values of `X-RateLimit-Reset` are moments, smaller ones are spans.
const LONGEST_SPAN: u64 = 366 * 24 * 3600;

/// The window of `API-Usage-Limit`.
const INSALES: Duration = Duration::from_secs(5 * 60);

/// What an answer says of one of the counterpart's limits, in the counterpart's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    /// What is left.
    pub left: u64,
    /// What there is in all.
    pub limit: Option<u64>,
    /// In which window.
    pub window: Option<Duration>,
    /// How long until there is more.
    pub resets: Option<Duration>,
}

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
    match date(value) {
        // By the counterpart's own clock, where it tells that.
        Some(at) => {
            let now = text(headers, "date").and_then(date).unwrap_or(now);
            Some(until(at, now))
        }
        None => seconds(value),
    }
}

fn date(value: &str) -> Option<Timestamp> {
    let at = httpdate::parse_http_date(value).ok();
    let at = at.and_then(|at| Timestamp::try_from(at).ok());
    // Not all of them write it as they should.
    at.or_else(|| Some(jiff::fmt::rfc2822::parse(value).ok()?.timestamp()))
}

/// Seconds, of which whole ones are the standard. Where several answers were made one, as some proxies
/// do, the first counts.
fn seconds(value: &str) -> Option<Duration> {
    let first = value.split(',').next()?.trim();
    let (whole, part) = first.split_once('.').unwrap_or((first, ""));
    let is_number = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let begun = u64::from(part.bytes().any(|digit| digit != b'0'));
    let whole = whole.parse().unwrap_or(u64::MAX);
    Some(Duration::from_secs(whole.saturating_add(begun)))
}

/// All that an answer says about limits.
pub(super) fn allowances(headers: &HeaderMap, now: Timestamp) -> Vec<Hint> {
    let mut hints = policies(headers);
    for names in PLAIN {
        if hints.is_empty() {
            hints.extend(plain(headers, names, now));
        }
    }
    hints.extend(insales(headers));
    hints
}

/// Headers for what there is in all, what is left, and when there is more.
const PLAIN: [[&str; 3]; 2] = [
    [
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ],
    ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"],
];

fn plain(headers: &HeaderMap, names: [&str; 3], now: Timestamp) -> Option<Hint> {
    let [limit, remaining, reset] = names;
    let left = number(headers, remaining)?;
    let millis = |name| number(headers, name).map(Duration::from_millis);
    let resets = match number(headers, reset) {
        None => millis("x-lognex-reset"),
        Some(span @ ..=LONGEST_SPAN) => Some(Duration::from_secs(span)),
        Some(moment) => (i64::try_from(moment).ok())
            .and_then(|moment| Timestamp::from_second(moment).ok())
            .map(|at| until(at, now)),
    };
    Some(Hint {
        left,
        limit: number(headers, limit),
        window: millis("x-lognex-retry-timeinterval").filter(|window| !window.is_zero()),
        resets: resets.filter(|resets| !resets.is_zero()),
    })
}

fn insales(headers: &HeaderMap) -> Option<Hint> {
    let (used, limit) = text(headers, "api-usage-limit")?.split_once('/')?;
    let (used, limit): (u64, u64) = (used.trim().parse().ok()?, limit.trim().parse().ok()?);
    Some(Hint {
        left: limit.saturating_sub(used),
        limit: Some(limit),
        window: Some(INSALES),
        resets: None,
    })
}

/// The structured fields of the IETF's draft. An earlier one had all of it in one dictionary.
fn policies(headers: &HeaderMap) -> Vec<Hint> {
    let list = |name| -> List {
        let lines = headers.get_all(name).iter();
        let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
        Parser::new(&lines.join(", ")).parse().unwrap_or_default()
    };
    let told = list("ratelimit");
    let known = list("ratelimit-policy");
    let named = |name: &BareItem| items(&known).find(|policy| policy.bare_item == *name);
    let hints: Vec<Hint> = items(&told)
        .filter_map(|item| {
            let policy = named(&item.bare_item);
            let of_policy = |key| policy.and_then(|policy| parameter(policy, key));
            Some(Hint {
                left: parameter(item, "r")?,
                limit: of_policy("q"),
                window: of_policy("w").map(Duration::from_secs),
                resets: parameter(item, "t").map(Duration::from_secs),
            })
        })
        .collect();
    if !hints.is_empty() {
        return hints;
    }
    let parsed = text(headers, "ratelimit").map(|value| Parser::new(value).parse::<Dictionary>());
    let Some(Ok(told)) = parsed else {
        return Vec::new();
    };
    let value = |name| match told.get(name) {
        Some(ListEntry::Item(item)) => integer(&item.bare_item),
        _ => None,
    };
    let hint = value("remaining").map(|left| Hint {
        left,
        limit: value("limit"),
        window: None,
        resets: value("reset").map(Duration::from_secs),
    });
    hint.into_iter().collect()
}

fn items(list: &List) -> impl Iterator<Item = &Item> {
    list.iter().filter_map(|entry| match entry {
        ListEntry::Item(item) => Some(item),
        ListEntry::InnerList(_) => None,
    })
}

fn parameter(item: &Item, key: &str) -> Option<u64> {
    integer(item.params.get(key)?)
}

fn integer(value: &BareItem) -> Option<u64> {
    value.as_integer()?.try_into().ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    // Some put the policies behind it: `100, 100;w=60`.
    let first = text(headers, name)?.split([',', ';']).next()?;
    first.trim().parse().ok()
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
        // The older forms of a date, and what is no number of whole seconds.
        for (value, millis) in [
            ("Sunday, 01-Mar-26 10:00:30 GMT", 30_000),
            ("Sun Mar  1 10:00:30 2026", 30_000),
            ("70.5", 71_000),
            ("70.0", 70_000),
            ("100, 100", 100_000),
        ] {
            assert_eq!(ms(millis), wait("retry-after", value), "{value}");
        }
        let by_its_clock = headers(&[
            ("date", "Sun, 01 Mar 2026 09:00:00 GMT"),
            ("retry-after", "Sun, 01 Mar 2026 09:00:30 GMT"),
        ]);
        assert_eq!(ms(30_000), retry_after(&by_its_clock, now()));
        let endless = "9".repeat(40);
        let mut many = HeaderMap::new();
        many.insert("retry-after", endless.parse().unwrap());
        let wanted = retry_after(&many, now()).unwrap();
        assert!(wanted > Duration::from_secs(1 << 40), "{wanted:?}");
        for value in ["soon", "-5", "1e9", ".5"] {
            assert_eq!(None, wait("retry-after", value), "{value}");
        }
        assert_eq!(ms(1_500), wait("x-lognex-retry-after", "1500"));
        assert_eq!(None, retry_after(&headers(&[]), now()));
    }

    #[test]
    fn the_finer_wait_counts_when_there_are_two() {
        let both = headers(&[("retry-after", "3"), ("x-lognex-retry-after", "2100")]);
        assert_eq!(Some(Duration::from_millis(2100)), retry_after(&both, now()));
    }

    fn hint(left: u64) -> Hint {
        Hint {
            left,
            limit: None,
            window: None,
            resets: None,
        }
    }

    fn told(pairs: &[(&'static str, &'static str)]) -> Vec<Hint> {
        allowances(&headers(pairs), now())
    }

    #[test]
    fn what_is_left_and_until_when_is_read_in_every_vendors_words() {
        let s = |s| Some(Duration::from_secs(s));
        let left = ("x-ratelimit-remaining", "0");
        assert_eq!(vec![hint(0)], told(&[left]));
        for (name, value, resets) in [
            ("x-lognex-reset", "2000", s(2)),
            ("x-lognex-reset", "0", None),
            ("x-ratelimit-reset", "7", s(7)),
            ("x-ratelimit-reset", "1772359240", s(40)),
            ("x-ratelimit-reset", "1772359100", None),
        ] {
            let expected = Hint { resets, ..hint(0) };
            assert_eq!(
                vec![expected],
                told(&[left, (name, value)]),
                "{name}: {value}"
            );
        }
        let moysklad = told(&[
            ("x-ratelimit-limit", "45"),
            ("x-ratelimit-remaining", "41"),
            ("x-lognex-retry-timeinterval", "3000"),
            ("x-lognex-reset", "0"),
        ]);
        let expected = Hint {
            limit: Some(45),
            window: s(3),
            ..hint(41)
        };
        assert_eq!(vec![expected], moysklad);
        let expected = Hint {
            limit: Some(500),
            window: s(300),
            ..hint(488)
        };
        assert_eq!(vec![expected], told(&[("api-usage-limit", "12/500")]));
        assert_eq!(0, told(&[("api-usage-limit", "501/500")])[0].left);
    }

    #[test]
    fn the_drafts_of_the_ietf_are_read_the_present_one_with_its_policies() {
        let s = |s| Some(Duration::from_secs(s));
        let present = told(&[
            (
                "ratelimit-policy",
                r#""burst";q=100;w=60,"day";q=5000;w=86400"#,
            ),
            (
                "ratelimit",
                r#""burst";r=50;t=30, "day";r=4000;pk=:sdfjLJUOUH==:"#,
            ),
        ]);
        let burst = Hint {
            left: 50,
            limit: Some(100),
            window: s(60),
            resets: s(30),
        };
        let day = Hint {
            left: 4000,
            limit: Some(5000),
            window: s(86400),
            resets: None,
        };
        assert_eq!(vec![burst, day], present);
        let earlier = Hint {
            window: None,
            ..burst
        };
        for pairs in [
            &[("ratelimit", "limit=100, remaining=50, reset=30")][..],
            &[
                ("ratelimit-limit", "100, 100;w=60"),
                ("ratelimit-remaining", "50"),
                ("ratelimit-reset", "30"),
            ],
        ] {
            assert_eq!(vec![earlier], told(pairs), "{pairs:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_says_nothing() {
        for pair in [
            ("x-ratelimit-remaining", "many"),
            ("x-ratelimit-remaining", "-1"),
            ("x-ratelimit-limit", "60"),
            ("api-usage-limit", "12"),
            ("api-usage-limit", "a/b"),
            ("ratelimit", r#""burst";t=30"#),
            ("ratelimit", r#""burst;r=1"#),
            ("ratelimit", r#""burst";r=-1"#),
            ("ratelimit", "(1 2);r=5"),
        ] {
            assert_eq!(Vec::<Hint>::new(), told(&[pair]), "{pair:?}");
        }
    }
}
