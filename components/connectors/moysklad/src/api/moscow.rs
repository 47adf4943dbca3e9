//! MoySklad's only notion of time: Moscow's, three hours ahead of UTC all year, without a zone in
//! the text.

use tenon_sdk::model::Instant;
use tenon_sdk::time::{self, MINUTE};

const AHEAD: Instant = 3 * 60 * MINUTE;

/// How far a reader goes back behind what it has seen: changes become visible late and in another
/// order, and clocks differ.
pub const OVERLAP: Instant = 10 * MINUTE;

/// A moment as requests have it, to the second.
pub fn text(at: Instant) -> String {
    time::utc_text(at + AHEAD)
}

/// A moment of an answer, with or without milliseconds.
pub fn read(text: &str) -> Option<Instant> {
    Some(time::parse(text.trim()).ok()? - AHEAD)
}

/// Where to read on after a moment that was seen.
pub fn before(seen: &str) -> Option<String> {
    Some(text(read(seen)? - OVERLAP))
}

#[cfg(test)]
mod tests {
    use super::{before, read, text};
    use tenon_sdk::time;

    #[test]
    fn a_moment_is_the_same_on_both_clocks() {
        let at = time::parse("2026-03-01T21:30:00Z").expect("a moment");
        assert_eq!(text(at), "2026-03-02 00:30:00");
        assert_eq!(read("2026-03-02 00:30:00.000"), Some(at));
        assert_eq!(read("2026-03-02 00:30:00"), Some(at));
        assert_eq!(read("later"), None);
    }

    #[test]
    fn reading_goes_on_some_minutes_before_what_was_seen() {
        assert_eq!(
            before("2026-03-02 00:05:00.999").as_deref(),
            Some("2026-03-01 23:55:00")
        );
    }
}
