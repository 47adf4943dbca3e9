//! Who is at MoySklad: a kept index of all counterparties, however many, by digests of what identifies
//! them.
//!
//! Phones are free text there, so no filter finds them. The list is read once, page by page; from
//! then on only what changed is. Nothing but digests and ids is kept, as an entry for each page and
//! each first byte of a digest, so that a page is written and a digest looked up without the rest in
//! memory. A hit is no more than a hint: the counterparty is read before it counts.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use tenon_sdk::import::{Tally, fingerprint};
use tenon_sdk::model::{Directive, Fault, Instant};
use tenon_sdk::runtime::storage;
use tenon_sdk::state;
use tenon_sdk::time::{self, MINUTE};
use uuid::Uuid;

use super::Context;
use crate::api::NAMED;
use crate::api::moscow;
use crate::api::records::{COUNTERPARTIES, Counterparty};
use crate::api::walk::{Place, Row};
use crate::map::partner::{Index, Word};

/// How far the list was read.
const PROGRESS: &str = "who";

/// Entries: `who/` and the first byte of the digests, `/` and the number of the page.
const ENTRIES: &str = "who/";

/// The index is made anew after so long: entries of what was changed or is gone pile up.
const LIFE: Instant = 30 * 24 * 60 * MINUTE;

/// Bytes of a digest and of an id.
const DIGEST: usize = 8;
const ENTRY: usize = DIGEST + 16;

#[derive(Default, Serialize, Deserialize)]
struct Progress {
    begun: Instant,
    pages: u64,
    /// The latest change that was seen, in MoySklad's words.
    seen: Option<String>,
    /// Where a run that was cut goes on.
    under_way: Option<Place>,
}

/// Brings the index up to date.
///
/// # Errors
/// The fault of a request; `configuration` when storage is full.
pub fn refresh(context: &Context, tally: &Tally) -> Result<Directive, Fault> {
    let now = time::now();
    let kept: Option<Progress> = state::load(PROGRESS);
    let young = |progress: &Progress| (0..LIFE).contains(&(now - progress.begun));
    let mut progress = match kept.filter(young) {
        Some(progress) => progress,
        None => {
            clear();
            Progress {
                begun: now,
                ..Progress::default()
            }
        }
    };
    let since = progress.seen.as_deref().and_then(moscow::before);
    let since = since.map(Place::since).unwrap_or_default();
    let mut next = Some(progress.under_way.take().unwrap_or(since));
    while let Some(place) = next {
        let answer = context.api.page(&COUNTERPARTIES, &place)?;
        let page = context.api.rows(&COUNTERPARTIES, &place, &answer)?;
        let mut entries = Entries::default();
        for (id, read) in page.rows.iter().filter_map(read) {
            entries.add(id, read.words());
        }
        entries.save(&mut progress)?;
        progress.seen = progress.seen.max(page.newest);
        next = page.next;
        progress.under_way.clone_from(&next);
        state::save(PROGRESS, &progress)?;
        if next.is_some() && tally.checkpoint() == Directive::Stop {
            return Ok(Directive::Stop);
        }
    }
    Ok(Directive::Proceed)
}

/// Takes note of counterparties that were just made, by what identifies them.
///
/// # Errors
/// `configuration` when storage is full.
pub fn remember(made: impl IntoIterator<Item = (Uuid, Vec<Word>)>) -> Result<(), Fault> {
    let mut entries = Entries::default();
    for (id, words) in made {
        entries.add(id, words);
    }
    if entries.0.is_empty() {
        return Ok(());
    }
    let mut progress: Progress = state::load(PROGRESS).unwrap_or_default();
    entries.save(&mut progress)?;
    state::save(PROGRESS, &progress)
}

/// The counterparties that have one of these, as they are now; those in the archive included.
///
/// # Errors
/// The fault of a request.
pub fn find(context: &Context, words: impl IntoIterator<Item = Word>) -> Result<Index, Fault> {
    let wanted: HashSet<[u8; DIGEST]> = words.into_iter().map(|word| digest(&word)).collect();
    let blocks: HashSet<u8> = wanted.iter().map(|digest| digest[0]).collect();
    let mut ids: Vec<Uuid> = Vec::new();
    for block in blocks {
        state::each(&format!("{ENTRIES}{block:02x}/"), |_, entries| {
            let (entries, _) = entries.as_chunks::<ENTRY>();
            for entry in entries {
                let (digest, id) = entry.split_at(DIGEST);
                let known = digest
                    .first_chunk()
                    .is_some_and(|digest| wanted.contains(digest));
                if let (true, Ok(id)) = (known, Uuid::from_slice(id)) {
                    ids.push(id);
                }
            }
        });
    }
    ids.sort_unstable();
    ids.dedup();
    let mut index = Index::default();
    for some in ids.chunks(NAMED) {
        let answer = context.api.named(&COUNTERPARTIES, some)?;
        let page = context
            .api
            .rows(&COUNTERPARTIES, &Place::default(), &answer)?;
        for (id, read) in page.rows.iter().filter_map(read) {
            index.add(id, &read);
        }
    }
    Ok(index)
}

fn read<'r>(row: &Row<'r>) -> Option<(Uuid, Counterparty<'r>)> {
    Some((row.id?, serde_json::from_str(row.json.get()).ok()?))
}

fn clear() {
    let mut keys = Vec::new();
    state::each(ENTRIES, |rest, _| keys.push(format!("{ENTRIES}{rest}")));
    if !keys.is_empty() {
        storage::delete(&keys);
    }
}

fn digest(word: &Word) -> [u8; DIGEST] {
    let mut digest = [0; DIGEST];
    for (byte, given) in digest
        .iter_mut()
        .zip(fingerprint(0, word).into_iter().skip(1))
    {
        *byte = given;
    }
    digest
}

/// Entries of one page, by the first byte of their digests.
#[derive(Default)]
struct Entries(BTreeMap<u8, Vec<u8>>);

impl Entries {
    fn add(&mut self, id: Uuid, words: Vec<Word>) {
        for word in words {
            let digest = digest(&word);
            let block = self.0.entry(digest[0]).or_default();
            block.extend(digest);
            block.extend(id.as_bytes());
        }
    }

    fn save(self, progress: &mut Progress) -> Result<(), Fault> {
        let page = progress.pages;
        progress.pages += 1;
        let entries = self.0.into_iter();
        let entries =
            entries.map(|(block, bytes)| (format!("{ENTRIES}{block:02x}/{page:x}"), bytes));
        state::set(&entries.collect::<Vec<_>>())
    }
}
