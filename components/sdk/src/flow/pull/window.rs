//! Which windows of time a run reads, and in which order. Pure: the clock and what earlier runs
//! have seen come in, windows come out.

use serde::{Deserialize, Serialize};

use crate::model::Instant;
use crate::time::{DAY, MINUTE, SECOND};

/// How far a window reaches back behind what was seen: a counterpart's clocks and transactions
/// are never quite in order.
pub const OVERLAP: Instant = 10 * MINUTE;

/// How far a window reaches ahead of the clock: clocks and time zones differ, and some records are
/// dated ahead.
const AHEAD: Instant = 2 * DAY;

/// Which records are read, by time.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub enum Span {
    /// All placed in a fixed period, in every run.
    Period {
        /// First moment.
        from: Instant,
        /// Last moment.
        to: Instant,
    },
    /// All of so many days at first, then what changes.
    LastDays(u32),
}

impl Span {
    /// Whether a record that was placed then is meant. One that does not tell may be.
    pub fn holds(self, placed: Option<Instant>) -> bool {
        match self {
            Span::Period { from, to } => placed.is_none_or(|at| (from..=to).contains(&at)),
            Span::LastDays(_) => true,
        }
    }
}

/// One leg of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    /// Everything placed in the span of the settings.
    Whole,
    /// What changed since shortly before the last run's end. Where that is more than a page, the two
    /// legs that follow read it apart.
    Recent,
    /// What changed since the last run.
    Changed,
    /// What changed shortly before, in case some of it came to light only now. Apart from
    /// [`Leg::Changed`], because here it can be told from one page that nothing is new, even
    /// after a change of very many records at once.
    Late,
    /// What was placed since the last run.
    Placed,
    /// Records that may have changed unnoticed, because not every change counts as one with every
    /// counterpart, those that seem to be gone, and those that could not be taken before.
    Again,
}

impl Leg {
    /// Where a run begins.
    pub fn first(span: Span, cursor: Option<&Cursor>) -> Leg {
        match (span, cursor) {
            (Span::LastDays(_), Some(_)) => Leg::Recent,
            _ => Leg::Whole,
        }
    }

    /// What follows, unless the run is at its end.
    pub fn next(self) -> Option<Leg> {
        match self {
            Leg::Changed => Some(Leg::Late),
            Leg::Recent | Leg::Late => Some(Leg::Placed),
            Leg::Whole | Leg::Placed => Some(Leg::Again),
            Leg::Again => None,
        }
    }
}

/// The latest moments that records have shown so far. Never the clock: what the counterpart has not
/// shown yet may still come with an earlier time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    /// Of changes.
    pub changed: Option<Instant>,
    /// Of records placed.
    pub placed: Option<Instant>,
}

impl Newest {
    /// Takes note of one record, or of what another run has seen.
    pub fn note(&mut self, changed: Option<Instant>, placed: Option<Instant>) {
        self.changed = self.changed.max(changed);
        self.placed = self.placed.max(placed);
    }
}

/// Where the next run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Changes up to here were read.
    pub changed: Instant,
    /// Records placed up to here were read.
    pub placed: Instant,
}

impl Cursor {
    /// The cursor after a run that saw `newest`; none while no record was seen at all. It lies never
    /// behind the beginning of the run: a record may have changed right after it was read, and one
    /// that is dated far ahead must not blind all later runs.
    pub fn after(before: Option<Cursor>, mut newest: Newest, started: Instant) -> Option<Cursor> {
        if let Some(cursor) = before {
            newest.note(Some(cursor.changed), Some(cursor.placed));
        }
        Some(Cursor {
            changed: newest.changed?.min(started),
            placed: newest.placed?.min(started),
        })
    }

    /// The first whole second after all changes that were read: filters know no fractions.
    fn next_second(&self) -> Instant {
        self.changed - self.changed.rem_euclid(SECOND) + SECOND
    }
}

/// What a window goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// When records were placed.
    Placed,
    /// When they changed last.
    Changed,
}

/// A window of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// What it goes by.
    pub by: By,
    /// First moment.
    pub from: Instant,
    /// Last moment.
    pub to: Instant,
}

impl Window {
    /// By the time a record was placed.
    pub fn placed(from: Instant, to: Instant) -> Window {
        let by = By::Placed;
        Window { by, from, to }
    }

    fn changed(from: Instant, to: Instant) -> Window {
        let by = By::Changed;
        Window { by, from, to }
    }

    /// The window of a leg of a run begun at `started`. None for [`Leg::Again`], which is no
    /// window but a list, and for a leg that needs a cursor where there is none.
    pub fn of(leg: Leg, span: Span, cursor: Option<&Cursor>, started: Instant) -> Option<Window> {
        let ahead = started + AHEAD;
        match leg {
            Leg::Whole => Some(match span {
                Span::Period { from, to } => Window::placed(from, to),
                Span::LastDays(days) => Window::placed(started - Instant::from(days) * DAY, ahead),
            }),
            Leg::Recent => cursor.map(|seen| Window::changed(seen.next_second() - OVERLAP, ahead)),
            Leg::Changed => cursor.map(|seen| Window::changed(seen.next_second(), ahead)),
            // One second of both windows is the same, should their ends not count in.
            Leg::Late => cursor.map(|seen| {
                let end = seen.next_second();
                Window::changed(end - OVERLAP, end + SECOND)
            }),
            Leg::Placed => cursor.map(|seen| Window::placed(seen.placed - OVERLAP, ahead)),
            Leg::Again => None,
        }
    }

    /// The narrowest window that holds all records placed at these times, with a second to spare
    /// for ends that do not count in. None without any.
    pub fn around(placed: &[Instant]) -> Option<Window> {
        let from = placed.iter().min()?;
        let to = placed.iter().max()?;
        Some(Window::placed(from - SECOND, to + SECOND))
    }

    /// Whether a moment lies in it.
    pub fn holds(&self, at: Instant) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

#[cfg(test)]
mod tests {
    use super::{By, Cursor, Leg, Newest, Span, Window};
    use crate::model::Instant;
    use crate::time::{parse, utc_text};

    fn at(text: &str) -> Instant {
        parse(text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn legs(span: Span, cursor: Option<&Cursor>) -> Vec<Leg> {
        std::iter::successors(Some(Leg::first(span, cursor)), |leg| leg.next()).collect()
    }

    fn cursor() -> Cursor {
        Cursor {
            changed: at("2026-03-10 12:00:00"),
            placed: at("2026-03-10 09:00:00"),
        }
    }

    fn ends(window: Option<Window>) -> Option<(By, String)> {
        window.map(|window| {
            let ends = format!("{},{}", utc_text(window.from), utc_text(window.to));
            (window.by, ends)
        })
    }

    #[test]
    fn a_fixed_period_is_read_whole_in_every_run() {
        let span = Span::Period {
            from: at("2026-03-01"),
            to: at("2026-03-31 23:59:59"),
        };
        for cursor in [None, Some(&cursor())] {
            assert_eq!(legs(span, cursor), [Leg::Whole, Leg::Again]);
            let window = Window::of(Leg::Whole, span, cursor, at("2026-06-01"));
            let whole = "2026-03-01 00:00:00,2026-03-31 23:59:59".to_owned();
            assert_eq!(ends(window), Some((By::Placed, whole)));
        }
    }

    #[test]
    fn later_runs_of_the_last_days_read_what_came_since_with_an_overlap() {
        let span = Span::LastDays(30);
        let started = at("2026-03-11 08:00:00");
        assert_eq!(legs(span, None), [Leg::Whole, Leg::Again]);
        let first = Window::of(Leg::Whole, span, None, started);
        let whole = "2026-02-09 08:00:00,2026-03-13 08:00:00".to_owned();
        assert_eq!(ends(first), Some((By::Placed, whole)));

        let cursor = cursor();
        assert_eq!(
            legs(span, Some(&cursor)),
            [Leg::Recent, Leg::Placed, Leg::Again]
        );
        for (leg, by, expected) in [
            (
                Leg::Recent,
                By::Changed,
                "2026-03-10 11:50:01,2026-03-13 08:00:00",
            ),
            (
                Leg::Changed,
                By::Changed,
                "2026-03-10 12:00:01,2026-03-13 08:00:00",
            ),
            (
                Leg::Late,
                By::Changed,
                "2026-03-10 11:50:01,2026-03-10 12:00:02",
            ),
            (
                Leg::Placed,
                By::Placed,
                "2026-03-10 08:50:00,2026-03-13 08:00:00",
            ),
        ] {
            let window = Window::of(leg, span, Some(&cursor), started);
            assert_eq!(ends(window), Some((by, expected.to_owned())), "{leg:?}");
        }
    }

    #[test]
    fn the_cursor_is_what_was_seen_and_never_goes_back() {
        let started = at("2026-03-11 08:00:00");
        let mut newest = Newest::default();
        assert_eq!(Cursor::after(None, newest, started), None);
        assert_eq!(
            Cursor::after(Some(cursor()), newest, started),
            Some(cursor())
        );
        newest.note(Some(at("2026-03-11 07:00:00")), Some(at("2026-03-09")));
        newest.note(None, None);
        assert_eq!(
            Cursor::after(Some(cursor()), newest, started),
            Some(Cursor {
                changed: at("2026-03-11 07:00:00"),
                placed: cursor().placed,
            })
        );
    }

    #[test]
    fn the_cursor_lies_never_behind_the_beginning_of_the_run() {
        let started = at("2026-03-11 08:00:00");
        let newest = Newest {
            changed: Some(at("2099-01-01")),
            placed: Some(at("2026-03-11 08:20:00")),
        };
        assert_eq!(
            Cursor::after(None, newest, started),
            Some(Cursor {
                changed: started,
                placed: started,
            })
        );
    }

    #[test]
    fn a_window_around_records_holds_the_first_and_the_last() {
        let placed = [at("2026-03-02 10:00:00"), at("2026-03-01 10:00:00")];
        let around = "2026-03-01 09:59:59,2026-03-02 10:00:01".to_owned();
        assert_eq!(ends(Window::around(&placed)), Some((By::Placed, around)));
        assert_eq!(Window::around(&[]), None);
    }
}
