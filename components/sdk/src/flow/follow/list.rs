//! What a list is like.

use crate::http::{Answer, Api};
use crate::model::{Fault, Instant};
use crate::time;

/// A list in numbered pages. `List::changed_since("/orders", "updated_since", "updated_at")` tells what
/// changed; `List::whole("/products")` is read as a whole.
#[derive(Clone, Copy, Debug)]
pub struct List {
    path: &'static str,
    since: Option<&'static str>,
    number: &'static str,
    /// Rows of a full page.
    pub(super) size: u64,
    /// The member of an answer that holds the rows; none where the answer is the list.
    pub(super) rows: Option<&'static str>,
    /// The member that holds their number in all.
    pub(super) total: &'static str,
    /// The member of a row that is its id.
    pub(super) id: &'static str,
    /// The member of a row that tells when it changed, by which the list is sorted.
    pub(super) changed: Option<&'static str>,
}

impl List {
    /// A list at this path of the API, in pages of 100 that `page` numbers, read as a whole.
    pub const fn whole(path: &'static str) -> List {
        List {
            path,
            since: None,
            number: "page",
            size: 100,
            rows: None,
            total: "total",
            id: "id",
            changed: None,
        }
    }

    /// A list of what changed since the moment in the query's member `since`, or at it, sorted by the
    /// rows' member `changed`.
    pub const fn changed_since(
        path: &'static str,
        since: &'static str,
        changed: &'static str,
    ) -> List {
        List {
            since: Some(since),
            changed: Some(changed),
            ..List::whole(path)
        }
    }

    /// Pages of another size, or numbered by another member of the query.
    #[must_use]
    pub const fn pages(self, number: &'static str, size: u64) -> List {
        List {
            number,
            size,
            ..self
        }
    }

    /// Its rows stand in this member of an answer.
    #[must_use]
    pub const fn rows(self, member: &'static str) -> List {
        List {
            rows: Some(member),
            ..self
        }
    }

    /// Its rows are known by this member instead of `id`.
    #[must_use]
    pub const fn known_by(self, member: &'static str) -> List {
        List { id: member, ..self }
    }

    /// A page, counted from one.
    ///
    /// # Errors
    /// The fault that the answer came to.
    pub(super) fn page(
        &self,
        api: &Api,
        since: Option<Instant>,
        page: u64,
    ) -> Result<Answer, Fault> {
        let mut call = api.get(self.path).query(self.number, &page.to_string());
        if let (Some(member), Some(since)) = (self.since, since) {
            let since = time::utc_text(since).replace(' ', "T");
            call = call.query(member, &format!("{since}Z"));
        }
        Ok(call.send()?)
    }
}
