//! A kept index of who is at a counterpart, however many, by digests of what identifies them.
//!
//! Phones are free text almost everywhere, so no filter finds them. The list is read once, page by page;
//! from then on only what changed is. Nothing but digests and ids is kept, as an entry for each page and
//! each first byte of a digest, so that a page is written and a digest looked up without the rest in
//! memory. A hit is no more than a hint: the record is read before it counts.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::who::Word;
use crate::flow::moving::Place;
use crate::import::{Tally, fingerprint};
use crate::model::{Directive, Fault, Instant};
use crate::runtime::storage;
use crate::state;
use crate::time::{self, MINUTE};

/// How far the list was read.
const PROGRESS: &str = "who";

/// Entries: `who/` and the first byte of the digests, `/` and the number of the page.
const ENTRIES: &str = "who/";

/// The index is made anew after so long: entries of what was changed or is gone pile up.
const LIFE: Instant = 30 * 24 * 60 * MINUTE;

/// Bytes of a digest and of an id.
const DIGEST: usize = 8;
const ENTRY: usize = DIGEST + 16;

/// A page of the list: who is on it, where the next one begins, and the latest change on it.
#[derive(Debug, Default)]
pub struct Page {
    /// Each with what identifies it.
    pub rows: Vec<(Uuid, Vec<Word>)>,
    /// None after the last page.
    pub next: Option<Place>,
    /// In the counterpart's words.
    pub newest: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct Progress {
    begun: Instant,
    pages: u64,
    /// The latest change that was seen, in the counterpart's words.
    seen: Option<String>,
    /// Where a run that was cut goes on.
    under_way: Option<Place>,
}

/// Brings the index up to date. `read` reads a page, oldest change first; `before` tells where to read on
/// after a change that was seen: changes become visible late, and clocks differ.
///
/// # Errors
/// The fault of a request; `configuration` when storage is full.
pub fn refresh(
    tally: &Tally,
    before: impl Fn(&str) -> Option<String>,
    mut read: impl FnMut(&Place) -> Result<Page, Fault>,
) -> Result<Directive, Fault> {
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
    let since = progress.seen.as_deref().and_then(before);
    let since = since.map(Place::since).unwrap_or_default();
    let mut next = Some(progress.under_way.take().unwrap_or(since));
    while let Some(place) = next {
        let page = read(&place)?;
        let mut entries = Entries::default();
        for (id, words) in page.rows {
            entries.add(id, words);
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

/// Takes note of those that were just made, by what identifies them.
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

/// Those who may have one of these, by the index: an id may be out of date.
pub fn hints(words: impl IntoIterator<Item = Word>) -> Vec<Uuid> {
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
    ids
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
