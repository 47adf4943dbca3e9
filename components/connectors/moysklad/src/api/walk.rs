//! Pages of MoySklad's lists, oldest change first.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use tenon_sdk::flow::moving::Sheet;
use uuid::Uuid;

pub use tenon_sdk::flow::moving::{Place, Row, Walked};

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

/// Reads a page that was asked for from `place` on, with at most `limit` rows.
pub fn read<'a>(
    text: &'a str,
    place: &Place,
    limit: usize,
) -> Result<Walked<'a>, serde_json::Error> {
    let List { meta, rows } = serde_json::from_str(text)?;
    let row = |json: &'a RawValue| {
        let Stamp { id, updated } = serde_json::from_str(json.get()).unwrap_or_default();
        (Row { id, json }, updated)
    };
    let sheet = Sheet {
        rows: rows.into_iter().map(row).collect(),
        limit: meta.limit.unwrap_or(limit).min(limit),
        size: meta.size,
    };
    Ok(Walked::of(sheet, place))
}

#[cfg(test)]
mod tests {
    use super::{Place, read};

    #[test]
    fn a_row_that_cannot_be_read_spoils_no_other() {
        let text = r#"{"rows":["oops",{"id":"7d6f8c02-1f4c-4a4b-9d0e-000000000001"}]}"#;
        let page = read(text, &Place::default(), 3).expect("a page");
        assert_eq!(page.rows.len(), 2);
        assert!(page.rows[0].id.is_none());
        assert!(page.rows[1].id.is_some());
    }
}
