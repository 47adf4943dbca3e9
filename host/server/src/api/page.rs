//! Lists come in pages. A cursor names the last entry of a page, so entries that come or go meanwhile
//! shift nothing; it is opaque, so what it names can change with a release.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::{Problem, Refused};

/// Entries of a page when nobody says how many.
pub const USUAL: u32 = 50;

/// Which page is wanted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Maximum number of entries on the page.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    pub limit: Option<u32>,
    /// `next` of the previous page.
    #[param(min_length = 1, max_length = 1000, nullable = false)]
    pub after: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// For `after` of the next page; null when this is the last one.
    pub next: Option<String>,
}

/// How many rows to ask for, so that it is seen whether there are more than a page.
pub fn rows(limit: Option<u32>) -> u32 {
    limit.unwrap_or(USUAL).saturating_add(1)
}

/// The place that a cursor names.
pub fn place<K: DeserializeOwned>(after: Option<&str>) -> Result<Option<K>, Problem> {
    let bad = || Problem::new("invalid").refusing(Refused::rule("after", "cursor", ""));
    let read = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    after.map(|text| read(text).ok_or_else(bad)).transpose()
}

/// A page of the rows that [`rows`] asked for.
pub fn page<R, T, K: Serialize>(
    limit: Option<u32>,
    mut rows: Vec<R>,
    key: impl FnOnce(&R) -> K,
    show: impl FnMut(R) -> T,
) -> Page<T> {
    let most = limit.unwrap_or(USUAL) as usize;
    let more = rows.len() > most;
    rows.truncate(most);
    let next = rows.last().filter(|_| more).map(|last| cursor(&key(last)));
    Page {
        items: rows.into_iter().map(show).collect(),
        next,
    }
}

/// The cursor of a place.
pub fn cursor(key: &impl Serialize) -> String {
    // Keys are texts and numbers, which always become JSON.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_page_by_page_and_ends() {
        let list = |after: Option<u8>| -> Vec<u8> { (after.map_or(0, |n| n + 1)..5).collect() };
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let from: Option<u8> = place(after.as_deref()).unwrap();
            let taken = list(from)
                .into_iter()
                .take(rows(Some(2)) as usize)
                .collect();
            let page = page(Some(2), taken, |n| *n, |n| n);
            assert!(page.items.len() <= 2);
            seen.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(vec![0, 1, 2, 3, 4], seen);
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let other = cursor(&"text");
        for bad in [other.as_str(), "%%%", "bm9uc2Vuc2U"] {
            assert_eq!("invalid", place::<u8>(Some(bad)).unwrap_err().code);
        }
    }
}
