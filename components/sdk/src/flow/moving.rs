//! Walking through a list that changes meanwhile: oldest change first, each page from the last
//! change of the page before. Numbered pages would skip a row for each one that moves to the end.
//!
//! Of the rows of one moment those that were read are skipped by their number. So that none is
//! skipped when one of them goes meanwhile, a page begins with the last row that was read; where
//! another row stands there, the moment is read again.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// Where a page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The time of change from which on it is read, in the counterpart's words; none is the beginning.
    pub updated: Option<String>,
    /// Rows of just that time that were read already.
    pub skip: usize,
    /// The last of these.
    #[serde(default)]
    pub last: Option<Uuid>,
}

impl Place {
    /// From a time of change on.
    pub fn since(updated: String) -> Place {
        Place {
            updated: Some(updated),
            ..Place::default()
        }
    }

    /// How many rows are skipped: all that were read but the last.
    pub fn offset(&self) -> usize {
        self.skip - usize::from(self.skip > 0 && self.last.is_some())
    }

    /// After rows that changed at these times, of which the last has this id.
    fn after(&self, times: &[Option<&str>], id: Option<Uuid>) -> Place {
        let last = times.iter().rev().find_map(|time| *time);
        match last {
            Some(last) if self.updated.as_deref() != Some(last) => Place {
                updated: Some(last.to_owned()),
                skip: times.iter().filter(|time| **time == Some(last)).count(),
                last: id,
            },
            // More rows of one moment than a page holds, or rows that do not tell theirs.
            _ => Place {
                updated: self.updated.clone(),
                skip: self.skip + times.len(),
                last: id,
            },
        }
    }
}

/// A row, to be read as what it is.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Its id, where that much can be read.
    pub id: Option<Uuid>,
    /// Its JSON.
    pub json: &'a RawValue,
}

/// The rows of a page.
#[derive(Debug)]
pub struct Walked<'a> {
    /// The rows.
    pub rows: Vec<Row<'a>>,
    /// Where the next page begins; none when this was the last.
    pub next: Option<Place>,
    /// Rows that this page and those after it have in all.
    pub left: Option<u64>,
    /// The latest change on the page.
    pub newest: Option<String>,
}

/// A page as it came.
#[derive(Debug)]
pub struct Sheet<'a> {
    /// Its rows, each with its id and when it changed, where that much can be read.
    pub rows: Vec<(Row<'a>, Option<Cow<'a, str>>)>,
    /// How many rows it has at most.
    pub limit: usize,
    /// How many rows there are from where it was asked for on, those that [`Place::offset`] skips
    /// included, where the counterpart tells.
    pub size: Option<u64>,
}

impl<'a> Walked<'a> {
    /// What a page comes to that was asked for from `place` on.
    pub fn of(sheet: Sheet<'a>, place: &Place) -> Walked<'a> {
        let Sheet { rows, limit, size } = sheet;
        let left = size.map(|size| size.saturating_sub(place.offset() as u64));
        let full = rows.len() >= limit;
        let last = !full || left.is_some_and(|left| left <= rows.len() as u64);
        let mut rows = &rows[..];
        if let Some(known) = place.last
            && place.skip > 0
        {
            if rows.first().and_then(|(row, _)| row.id) != Some(known) {
                return Walked {
                    rows: Vec::new(),
                    next: Some(Place {
                        updated: place.updated.clone(),
                        ..Place::default()
                    }),
                    left: None,
                    newest: None,
                };
            }
            rows = &rows[1..];
        }
        let times: Vec<Option<&str>> = rows.iter().map(|(_, time)| time.as_deref()).collect();
        let id = rows.last().and_then(|(row, _)| row.id);
        Walked {
            next: (!last).then(|| place.after(&times, id)),
            left: size.map(|size| size.saturating_sub(place.skip as u64)),
            newest: times.iter().flatten().max().map(|time| (*time).to_owned()),
            rows: rows.iter().map(|(row, _)| *row).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Row, Sheet, Walked};
    use serde_json::value::RawValue;
    use uuid::Uuid;

    /// Numbers of the rows of a page, and where the next one begins.
    fn walk(rows: &[(&'static str, u128)], size: u64, place: &Place) -> (Vec<u128>, Option<Place>) {
        let row = |(time, id): &(&'static str, u128)| {
            let id = Some(Uuid::from_u128(*id));
            let json = RawValue::NULL;
            (Row { id, json }, Some((*time).into()))
        };
        let sheet = Sheet {
            rows: rows.iter().map(row).collect(),
            limit: 3,
            size: Some(size),
        };
        let walked = Walked::of(sheet, place);
        let ids = walked.rows.iter().filter_map(|row| row.id);
        (ids.map(|id| id.as_u128()).collect(), walked.next)
    }

    fn place(updated: &str, skip: usize, last: u128) -> Place {
        Place {
            updated: Some(updated.to_owned()),
            skip,
            last: Some(Uuid::from_u128(last)),
        }
    }

    #[test]
    fn the_next_page_begins_with_the_last_row_that_was_read() {
        let (read, next) = walk(&[("a", 1), ("b", 2), ("b", 3)], 9, &Place::default());
        assert_eq!(read, [1, 2, 3]);
        assert_eq!(next, Some(place("b", 2, 3)));
        assert_eq!(place("b", 2, 3).offset(), 1);
        let (read, next) = walk(&[("b", 3), ("b", 4), ("c", 5)], 8, &place("b", 2, 3));
        assert_eq!(read, [4, 5]);
        assert_eq!(next, Some(place("c", 1, 5)));
    }

    #[test]
    fn a_moment_of_which_a_row_is_gone_is_read_again() {
        let (read, next) = walk(&[("b", 4), ("c", 5)], 3, &place("b", 2, 3));
        assert!(read.is_empty());
        assert_eq!(next, Some(Place::since("b".to_owned())));
        let (read, next) = walk(&[], 0, &place("b", 1, 3));
        assert!(read.is_empty());
        assert_eq!(next, Some(Place::since("b".to_owned())));
    }

    #[test]
    fn a_moment_with_more_rows_than_a_page_is_walked_through() {
        let (read, next) = walk(&[("a", 3), ("a", 4), ("a", 5)], 9, &place("a", 3, 3));
        assert_eq!(read, [4, 5]);
        assert_eq!(next, Some(place("a", 5, 5)));
    }

    #[test]
    fn no_page_is_asked_for_behind_the_last() {
        let start = Place::default();
        assert_eq!(walk(&[("a", 1), ("b", 2)], 2, &start).1, None);
        assert_eq!(walk(&[("a", 1), ("b", 2), ("c", 3)], 3, &start).1, None);
        let later = place("b", 2, 3);
        let rows = [("b", 3), ("d", 4), ("e", 5)];
        assert_eq!(walk(&rows, 4, &later).1, None);
        assert!(walk(&rows, 5, &later).1.is_some());
    }
}
