//! Which windows of time a run reads, and in which order. Pure: the clock and what earlier runs
//! have seen come in, windows come out.

use serde::{Deserialize, Serialize};
use tenon_sdk::model::Instant;
use tenon_sdk::time::{DAY, MINUTE, SECOND, utc_text};

use crate::settings::Span;

/// How far a window reaches back behind what was seen: a counterpart's clocks and transactions
/// are never quite in order.
pub const OVERLAP: Instant = 10 * MINUTE;

/// How far a window reaches ahead of the clock: clocks and time zones differ, and some orders are
/// dated ahead.
const AHEAD: Instant = 2 * DAY;

/// One leg of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    /// Everything placed in the span of the settings.
    Whole,
    /// What changed since the last run.
    Changed,
    /// What changed shortly before, in case some of it came to light only now. Apart from
    /// [`Leg::Changed`], because here it can be told from one page that nothing is new, even
    /// after a change of very many orders at once.
    Late,
    /// What was placed since the last run.
    Placed,
    /// Orders that may have changed unnoticed, because KeyCRM does not promise that a new status
    /// counts as a change, and those that could not be taken before.
    Again,
}

impl Leg {
    /// Where a run begins.
    pub fn first(span: Span, cursor: Option<&Cursor>) -> Leg {
        match (span, cursor) {
            (Span::LastDays(_), Some(_)) => Leg::Changed,
            _ => Leg::Whole,
        }
    }

    /// What follows, unless the run is at its end.
    pub fn next(self) -> Option<Leg> {
        match self {
            Leg::Changed => Some(Leg::Late),
            Leg::Late => Some(Leg::Placed),
            Leg::Whole | Leg::Placed => Some(Leg::Again),
            Leg::Again => None,
        }
    }
}

/// The latest moments that orders have shown so far. Never the clock: what KeyCRM has not shown
/// yet may still come with an earlier time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    /// Of changes.
    pub updated_at: Option<Instant>,
    /// Of orders placed.
    pub ordered_at: Option<Instant>,
}

impl Newest {
    /// Takes note of one order, or of what another run has seen.
    pub fn note(&mut self, updated_at: Option<Instant>, ordered_at: Option<Instant>) {
        self.updated_at = self.updated_at.max(updated_at);
        self.ordered_at = self.ordered_at.max(ordered_at);
    }
}

/// Where the next run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Changes up to here were read.
    pub updated_at: Instant,
    /// Orders placed up to here were read.
    pub ordered_at: Instant,
}

impl Cursor {
    /// The cursor after a run that saw `newest`; none while no order was seen at all. It lies never
    /// behind the beginning of the run: an order may have changed right after it was read, and one
    /// that is dated far ahead must not blind all later runs.
    pub fn after(before: Option<Cursor>, mut newest: Newest, started: Instant) -> Option<Cursor> {
        if let Some(cursor) = before {
            newest.note(Some(cursor.updated_at), Some(cursor.ordered_at));
        }
        Some(Cursor {
            updated_at: newest.updated_at?.min(started),
            ordered_at: newest.ordered_at?.min(started),
        })
    }

    /// The first whole second after all changes that were read: filters know no fractions.
    fn next_second(&self) -> Instant {
        self.updated_at - self.updated_at.rem_euclid(SECOND) + SECOND
    }
}

/// A window of time, as KeyCRM filters by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The filter: by when orders were placed, or changed.
    pub filter: &'static str,
    /// First moment.
    pub from: Instant,
    /// Last moment.
    pub to: Instant,
}

impl Window {
    /// By the time an order was placed, which is what KeyCRM means by "created".
    pub fn placed(from: Instant, to: Instant) -> Window {
        Window {
            filter: "filter[created_between]",
            from,
            to,
        }
    }

    fn changed(from: Instant, to: Instant) -> Window {
        Window {
            filter: "filter[updated_between]",
            from,
            to,
        }
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
            Leg::Changed => cursor.map(|seen| Window::changed(seen.next_second(), ahead)),
            // One second of both windows is the same, should their ends not count in.
            Leg::Late => cursor.map(|seen| {
                let end = seen.next_second();
                Window::changed(end - OVERLAP, end + SECOND)
            }),
            Leg::Placed => cursor.map(|seen| Window::placed(seen.ordered_at - OVERLAP, ahead)),
            Leg::Again => None,
        }
    }

    /// The narrowest window that holds all orders placed at these times, with a second to spare
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

    /// Both ends, as the filter takes them.
    pub fn value(&self) -> String {
        format!("{},{}", utc_text(self.from), utc_text(self.to))
    }
}

#[cfg(test)]
mod tests {
    use super::{Cursor, Leg, Newest, Window};
    use crate::settings::Span;
    use tenon_sdk::model::Instant;
    use tenon_sdk::time::parse;

    fn at(text: &str) -> Instant {
        parse(text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn legs(span: Span, cursor: Option<&Cursor>) -> Vec<Leg> {
        std::iter::successors(Some(Leg::first(span, cursor)), |leg| leg.next()).collect()
    }

    fn cursor() -> Cursor {
        Cursor {
            updated_at: at("2026-03-10 12:00:00"),
            ordered_at: at("2026-03-10 09:00:00"),
        }
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
            assert_eq!(
                window.map(|window| (window.filter, window.value())),
                Some((
                    "filter[created_between]",
                    "2026-03-01 00:00:00,2026-03-31 23:59:59".to_owned()
                ))
            );
        }
    }

    #[test]
    fn later_runs_of_the_last_days_read_what_came_since_with_an_overlap() {
        let span = Span::LastDays(30);
        let started = at("2026-03-11 08:00:00");
        assert_eq!(legs(span, None), [Leg::Whole, Leg::Again]);
        let first = Window::of(Leg::Whole, span, None, started).map(|window| window.value());
        assert_eq!(
            first.as_deref(),
            Some("2026-02-09 08:00:00,2026-03-13 08:00:00")
        );

        let cursor = cursor();
        assert_eq!(
            legs(span, Some(&cursor)),
            [Leg::Changed, Leg::Late, Leg::Placed, Leg::Again]
        );
        let window = |leg| Window::of(leg, span, Some(&cursor), started);
        assert_eq!(
            window(Leg::Changed).map(|window| (window.filter, window.value())),
            Some((
                "filter[updated_between]",
                "2026-03-10 12:00:01,2026-03-13 08:00:00".to_owned()
            ))
        );
        assert_eq!(
            window(Leg::Late).map(|window| (window.filter, window.value())),
            Some((
                "filter[updated_between]",
                "2026-03-10 11:50:01,2026-03-10 12:00:02".to_owned()
            ))
        );
        assert_eq!(
            window(Leg::Placed).map(|window| (window.filter, window.value())),
            Some((
                "filter[created_between]",
                "2026-03-10 08:50:00,2026-03-13 08:00:00".to_owned()
            ))
        );
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
                updated_at: at("2026-03-11 07:00:00"),
                ordered_at: cursor().ordered_at,
            })
        );
    }

    #[test]
    fn the_cursor_lies_never_behind_the_beginning_of_the_run() {
        let started = at("2026-03-11 08:00:00");
        let newest = Newest {
            updated_at: Some(at("2099-01-01")),
            ordered_at: Some(at("2026-03-11 08:20:00")),
        };
        assert_eq!(
            Cursor::after(None, newest, started),
            Some(Cursor {
                updated_at: started,
                ordered_at: started,
            })
        );
    }

    #[test]
    fn a_window_around_orders_holds_the_first_and_the_last() {
        let placed = [at("2026-03-02 10:00:00"), at("2026-03-01 10:00:00")];
        assert_eq!(
            Window::around(&placed).map(|window| window.value()),
            Some("2026-03-01 09:59:59,2026-03-02 10:00:01".to_owned())
        );
        assert_eq!(Window::around(&[]), None);
    }
}
