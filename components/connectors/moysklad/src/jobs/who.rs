//! Who is at MoySklad: all counterparties, by the kept index of what identifies them.

use tenon_sdk::identity::index::{self, Page};
use tenon_sdk::identity::who::{Index, Word};
use tenon_sdk::import::Tally;
use tenon_sdk::model::{Directive, Fault};
use uuid::Uuid;

use super::Context;
use crate::api::records::{COUNTERPARTIES, Counterparty};
use crate::api::walk::{Place, Row};
use crate::api::{NAMED, moscow};

/// Brings the index up to date.
pub fn refresh(context: &Context, tally: &Tally) -> Result<Directive, Fault> {
    index::refresh(tally, moscow::before, |place| {
        let answer = context.api.page(&COUNTERPARTIES, place)?;
        let page = context.api.rows(&COUNTERPARTIES, place, &answer)?;
        let rows = page.rows.iter().filter_map(read);
        Ok(Page {
            rows: rows.map(|(id, read)| (id, read.words())).collect(),
            next: page.next,
            newest: page.newest,
        })
    })
}

/// The counterparties that have one of these, as they are now; those in the archive included.
pub fn find(context: &Context, words: impl IntoIterator<Item = Word>) -> Result<Index, Fault> {
    let mut index = Index::default();
    for some in index::hints(words).chunks(NAMED) {
        let answer = context.api.named(&COUNTERPARTIES, some)?;
        let page = context
            .api
            .rows(&COUNTERPARTIES, &Place::default(), &answer)?;
        for (id, read) in page.rows.iter().filter_map(read) {
            index.add(read.candidate(id), read.words());
        }
    }
    Ok(index)
}

fn read<'r>(row: &Row<'r>) -> Option<(Uuid, Counterparty<'r>)> {
    Some((row.id?, serde_json::from_str(row.json.get()).ok()?))
}
