//! Walking through a list that changes meanwhile: oldest change first, each page from the last
//! change of the page before. Numbered pages would skip a row for each one that moves to the end.

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
}

impl Place {
    /// From a time of change on.
    pub fn since(updated: String) -> Place {
        Place {
            updated: Some(updated),
            skip: 0,
        }
    }

    /// After rows that changed at these times.
    fn after(&self, times: &[Option<&str>]) -> Place {
        let last = times.iter().rev().find_map(|time| *time);
        match last {
            Some(last) if self.updated.as_deref() != Some(last) => Place {
                updated: Some(last.to_owned()),
                skip: times.iter().filter(|time| **time == Some(last)).count(),
            },
            // More rows of one moment than a page holds, or rows that do not tell theirs.
            _ => Place {
                updated: self.updated.clone(),
                skip: self.skip + times.len(),
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
        let times: Vec<Option<&str>> = stamps
            .iter()
            .map(|stamp| stamp.updated.as_deref())
            .collect();
        let left = meta.size.map(|size| size.saturating_sub(place.skip as u64));
        let full = rows.len() >= meta.limit.unwrap_or(limit).min(limit);
        let last = !full || left.is_some_and(|left| left <= rows.len() as u64);
        Ok(Walked {
            next: (!last).then(|| place.after(&times)),
            left,
            newest: times.iter().flatten().max().map(|time| (*time).to_owned()),
            rows: rows
                .iter()
                .zip(&stamps)
                .map(|(json, stamp)| Row { id: stamp.id, json })
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Walked};

    fn page(times: &[&str], size: u64) -> String {
        let rows: Vec<String> = times
            .iter()
            .map(|time| format!(r#"{{"updated":"{time}"}}"#))
            .collect();
        format!(
            r#"{{"meta":{{"size":{size},"limit":3}},"rows":[{}]}}"#,
            rows.join(",")
        )
    }

    fn next(times: &[&str], size: u64, place: &Place) -> Option<Place> {
        Walked::read(&page(times, size), place, 3)
            .expect("a page")
            .next
    }

    #[test]
    fn the_next_page_begins_with_the_last_moment_behind_its_rows_that_were_read() {
        let start = Place::default();
        assert_eq!(
            next(&["a", "b", "b"], 9, &start),
            Some(Place {
                updated: Some("b".into()),
                skip: 2
            })
        );
        let second = Place {
            updated: Some("b".into()),
            skip: 2,
        };
        assert_eq!(
            next(&["b", "b", "c"], 7, &second),
            Some(Place {
                updated: Some("c".into()),
                skip: 1
            })
        );
    }

    #[test]
    fn a_moment_with_more_rows_than_a_page_is_walked_through() {
        let first = Place {
            updated: Some("a".into()),
            skip: 3,
        };
        assert_eq!(
            next(&["a", "a", "a"], 9, &first),
            Some(Place {
                updated: Some("a".into()),
                skip: 6
            })
        );
    }

    #[test]
    fn no_page_is_asked_for_behind_the_last() {
        let start = Place::default();
        assert_eq!(next(&["a", "b"], 2, &start), None);
        assert_eq!(next(&["a", "b", "c"], 3, &start), None);
        let later = Place {
            updated: Some("b".into()),
            skip: 1,
        };
        assert_eq!(next(&["c", "d", "e"], 4, &later), None);
        assert!(next(&["c", "d", "e"], 5, &later).is_some());
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
