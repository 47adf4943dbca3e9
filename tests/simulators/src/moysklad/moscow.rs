//! The API's only notion of time: Moscow's, without a zone in the text.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

const MOSCOW: Offset = Offset::constant(3);

/// A moment as answers have it, with milliseconds.
pub fn written(moment: Timestamp) -> String {
    let local = MOSCOW.to_datetime(moment);
    local.strftime("%Y-%m-%d %H:%M:%S.%3f").to_string()
}

/// A moment without milliseconds, as webhooks and audits have it.
pub fn to_the_second(moment: Timestamp) -> String {
    MOSCOW
        .to_datetime(moment)
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// Reads a moment of a request: seconds are required, milliseconds are not.
pub fn read(text: &str) -> Option<Timestamp> {
    let fraction = match text.get(19..) {
        None => return None,
        Some("") => "",
        Some(rest) => rest.strip_prefix('.').filter(|digits| !digits.is_empty())?,
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if fraction.len() > 3 || !digits(fraction) || text.as_bytes().get(10) != Some(&b' ') {
        return None;
    }
    let local: DateTime = text.parse().ok()?;
    MOSCOW.to_timestamp(local).ok()
}

/// Reads a moment of a filter: seconds may be left out as well.
pub fn read_filter(text: &str) -> Option<Timestamp> {
    match text.len() {
        16 => read(&format!("{text}:00")),
        _ => read(text),
    }
}

/// The beginning of the minute.
pub fn minute(moment: Timestamp) -> Timestamp {
    let past = moment.as_millisecond().rem_euclid(60_000);
    Timestamp::from_millisecond(moment.as_millisecond() - past).unwrap_or(moment)
}

/// The moment cut to the milliseconds that the API can tell.
pub fn millisecond(moment: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(moment.as_millisecond()).unwrap_or(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read_three_hours_ahead_of_utc() {
        let noon: Timestamp = "2026-05-04T09:30:00.125Z".parse().expect("a moment");
        assert_eq!(written(noon), "2026-05-04 12:30:00.125");
        assert_eq!(read("2026-05-04 12:30:00.125"), Some(noon));
        assert_eq!(written(minute(noon)), "2026-05-04 12:30:00.000");
        assert_eq!(read_filter("2026-05-04 12:30"), Some(minute(noon)));
        for broken in [
            "2026-05-04",
            "2026-05-04 12:30",
            "2026-05-04T12:30:00",
            "2026-05-04 12:30:00Z",
            "2026-05-04 12:30:00.1234",
            "2026-05-04 12:30:00+03",
            "2026-13-04 12:30:00",
        ] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }
}
