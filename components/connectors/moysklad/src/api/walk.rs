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
    /// The time of change from which on it is read, in MoySklad's words; none is the beginning.
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
#[derive(Debug)]
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

#[derive(Deserialize)]
struct List<'a> {
    #[serde(default)]
    meta: Size,
    #[serde(borrow)]
    rows: Vec<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Size {
    size: Option<u64>,
    limit: Option<usize>,
}

#[derive(Default, Deserialize)]
struct Stamp<'a> {
    #[serde(default)]
    id: Option<Uuid>,
    #[serde(borrow, default)]
    updated: Option<Cow<'a, str>>,
}

impl<'a> Walked<'a> {
    /// Reads a page that was asked for from `place` on, with at most `limit` rows.
    pub fn read(
        text: &'a str,
        place: &Place,
        limit: usize,
    ) -> Result<Walked<'a>, serde_json::Error> {
        let List { meta, rows } = serde_json::from_str(text)?;
        let stamps: Vec<Stamp<'a>> = rows
            .iter()
            .map(|row| serde_json::from_str(row.get()).unwrap_or_default())
            .collect();
        let full = rows.len() >= meta.limit.unwrap_or(limit).min(limit);
        let left = meta
            .size
            .map(|size| size.saturating_sub(place.offset() as u64));
        let last = !full || left.is_some_and(|left| left <= rows.len() as u64);
        let (mut rows, mut stamps) = (&rows[..], &stamps[..]);
        if let Some(known) = place.last
            && place.skip > 0
        {
            if stamps.first().and_then(|stamp| stamp.id) != Some(known) {
                return Ok(Walked {
                    rows: Vec::new(),
                    next: Some(Place {
                        updated: place.updated.clone(),
                        ..Place::default()
                    }),
                    left: None,
                    newest: None,
                });
            }
            (rows, stamps) = (&rows[1..], &stamps[1..]);
        }
        let times: Vec<Option<&str>> = stamps
            .iter()
            .map(|stamp| stamp.updated.as_deref())
            .collect();
        let id = stamps.last().and_then(|stamp| stamp.id);
        Ok(Walked {
            next: (!last).then(|| place.after(&times, id)),
            left: meta.size.map(|size| size.saturating_sub(place.skip as u64)),
            newest: times.iter().flatten().max().map(|time| (*time).to_owned()),
            rows: rows
                .iter()
                .zip(stamps)
                .map(|(json, stamp)| Row { id: stamp.id, json })
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Walked};
    use uuid::Uuid;

    /// A page of rows, each given by its time and number.
    fn page(rows: &[(&str, u128)], size: u64) -> String {
        let rows: Vec<String> = rows
            .iter()
            .map(|(time, id)| format!(r#"{{"id":"{}","updated":"{time}"}}"#, Uuid::from_u128(*id)))
            .collect();
        format!(
            r#"{{"meta":{{"size":{size},"limit":3}},"rows":[{}]}}"#,
            rows.join(",")
        )
    }

    /// Numbers of the rows, and where the next page begins.
    fn walk(rows: &[(&str, u128)], size: u64, place: &Place) -> (Vec<u128>, Option<Place>) {
        let text = page(rows, size);
        let walked = Walked::read(&text, place, 3).expect("a page");
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

    #[test]
    fn a_row_that_cannot_be_read_spoils_no_other() {
        let text = r#"{"rows":["oops",{"id":"7d6f8c02-1f4c-4a4b-9d0e-000000000001"}]}"#;
        let page = Walked::read(text, &Place::default(), 3).expect("a page");
        assert_eq!(page.rows.len(), 2);
        assert!(page.rows[0].id.is_none());
        assert!(page.rows[1].id.is_some());
    }
}
