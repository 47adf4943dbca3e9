//! Reading a page row by row: one that is malformed spoils no other, and is told with its path and what
//! was expected there.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::List;
use crate::http::Answer;
use crate::lenient::Text;
use crate::model::{Fault, Instant, Reason};
use crate::{reason, time};

/// A row of a page.
pub struct Row<R> {
    /// Its id, where at least that can be read.
    pub id: Option<String>,
    /// When it changed last, where that can be read.
    pub changed: Option<Instant>,
    /// The record, or what is wrong with it.
    pub record: Result<R, Reason>,
}

type Members<'a> = HashMap<Cow<'a, str>, &'a RawValue>;

/// The rows of a page, and how many there are in all.
///
/// # Errors
/// `transient` when it is no list.
pub fn read<'a, R: Deserialize<'a>>(
    answer: &'a Answer,
    like: &List,
) -> Result<(Vec<Row<R>>, Option<u64>), Fault> {
    let misread = |error: serde_json::Error| answer.misread(&error);
    let (list, total) = match like.rows {
        None => (answer.json::<&RawValue>()?, None),
        Some(member) => {
            let members: Members<'a> = answer.json()?;
            let missing = || {
                let error = serde::de::Error::missing_field(member);
                answer.misread(&error)
            };
            let total = members.get(like.total);
            let total = total.and_then(|total| total.get().parse().ok());
            (*members.get(member).ok_or_else(missing)?, total)
        }
    };
    let rows: Vec<&'a RawValue> = serde_json::from_str(list.get()).map_err(misread)?;
    Ok((
        rows.into_iter()
            .map(|row| read_row(row.get(), like))
            .collect(),
        total,
    ))
}

fn read_row<'a, R: Deserialize<'a>>(json: &'a str, like: &List) -> Row<R> {
    let members: Members<'_> = serde_json::from_str(json).unwrap_or_default();
    let text = |member: &str| {
        let raw = members.get(member)?;
        serde_json::from_str::<Text<'_>>(raw.get()).ok()?.owned()
    };
    let mut reader = serde_json::Deserializer::from_str(json);
    let record = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        match error.path().to_string().as_str() {
            "." => reason!("sdk.follow.broken"),
            path => reason!("sdk.follow.unreadable", field = path),
        }
        .detail(error.inner())
    });
    Row {
        id: text(like.id),
        changed: like
            .changed
            .and_then(text)
            .and_then(|at| time::parse(&at).ok()),
        record,
    }
}
