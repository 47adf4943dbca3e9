//! Sending: what changed on the platform goes to the counterpart.
//!
//! The changes are read from where the last run ended, and after each batch the place is kept. A record
//! that could not be sent is kept by its key and tried again with each run, some at a time, or all when
//! people ask for it; one that is not there any more is tried no more.

use crate::import::Tally;
use crate::model::{Directive, Fault, Key};
use crate::rejected::Rejected;
use crate::state;

/// Records in a page of changes.
const PAGE: u32 = 100;

/// Records that are tried again with a run of the schedule.
const AGAIN: usize = 100;

/// A page of what changed on the platform.
#[derive(Debug)]
pub struct Page<R> {
    /// The records.
    pub records: Vec<R>,
    /// Keys of those that are not there any more.
    pub removed: Vec<Key>,
    /// Where the next page begins.
    pub next: String,
    /// Whether there is one.
    pub more: bool,
}

/// What is sent, and how.
pub trait Sender {
    /// A record of the platform.
    type Record;

    /// So many at least are sent together, where there are as many.
    const TOGETHER: usize;

    /// Where it is kept up to where changes were read.
    fn cursor(&self) -> String;

    /// What changed.
    ///
    /// # Errors
    /// The fault of the look-up.
    fn changed(&self, after: Option<&str>, limit: u32) -> Result<Page<Self::Record>, Fault>;

    /// Those records that are there.
    ///
    /// # Errors
    /// The fault of the look-up.
    fn find(&self, keys: &[Key]) -> Result<Vec<Self::Record>, Fault>;

    /// The key of a record.
    fn key(record: &Self::Record) -> Option<&Key>;

    /// What could not be sent. Of the first list some are tried again with each run; those of others
    /// wait for people.
    fn rejected(&mut self) -> Vec<&mut Rejected>;

    /// Sends records; each that it cannot send it keeps. [`Directive::Stop`] ends the run before it is
    /// noted that these were read.
    ///
    /// # Errors
    /// A fault that has nothing to do with one record.
    fn send(&mut self, records: Vec<Self::Record>, tally: &mut Tally) -> Result<Directive, Fault>;

    /// Takes note of records that were removed from the platform.
    fn removed(&self, _keys: Vec<Key>) {}
}

/// Sends what changed, and what could not be sent before.
///
/// # Errors
/// The fault that keeps it from going on.
pub fn run<S: Sender>(sender: &mut S, tally: &mut Tally) -> Result<Directive, Fault> {
    if try_again(sender, tally)? == Directive::Stop {
        return Ok(Directive::Stop);
    }
    let mut cursor: Option<String> = state::load(&sender.cursor());
    loop {
        let mut page = sender.changed(cursor.as_deref(), PAGE)?;
        while page.more && page.records.len() < S::TOGETHER {
            let next = sender.changed(Some(&page.next), PAGE)?;
            page.records.extend(next.records);
            page.removed.extend(next.removed);
            (page.next, page.more) = (next.next, next.more);
        }
        if page.records.is_empty() && page.removed.is_empty() && !page.more {
            return Ok(Directive::Proceed);
        }
        sender.removed(page.removed);
        if send(sender, page.records, tally)? == Directive::Stop {
            return Ok(Directive::Stop);
        }
        state::save(&sender.cursor(), &page.next)?;
        let directive = tally.checkpoint();
        if directive == Directive::Stop || !page.more {
            return Ok(directive);
        }
        cursor = Some(page.next);
    }
}

fn try_again<S: Sender>(sender: &mut S, tally: &mut Tally) -> Result<Directive, Fault> {
    let lists = sender.rejected();
    let is_of_all = lists.iter().any(|list| list.is_of_all());
    let due: Vec<Key> = (lists.iter().enumerate())
        .flat_map(|(place, list)| list.due(if place == 0 { AGAIN } else { 0 }, 0))
        .collect();
    for some in due.chunks(AGAIN) {
        let found = sender.find(some)?;
        settle(sender, some.iter());
        if send(sender, found, tally)? == Directive::Stop {
            return Ok(Directive::Stop);
        }
        // In a run of the schedule there is one such page, which goes along with the next.
        if is_of_all && tally.checkpoint() == Directive::Stop {
            return Ok(Directive::Stop);
        }
    }
    Ok(Directive::Proceed)
}

/// Sends records, of which nothing counts any more that kept them back before.
///
/// # Errors
/// A fault that has nothing to do with one record.
pub fn send<S: Sender>(
    sender: &mut S,
    records: Vec<S::Record>,
    tally: &mut Tally,
) -> Result<Directive, Fault> {
    let keys: Vec<Key> = records.iter().filter_map(S::key).cloned().collect();
    settle(sender, keys.iter());
    let directive = sender.send(records, tally)?;
    if directive == Directive::Proceed {
        for list in sender.rejected() {
            list.save()?;
        }
    }
    Ok(directive)
}

fn settle<'k, S: Sender>(sender: &mut S, keys: impl Iterator<Item = &'k Key> + Clone) {
    for list in sender.rejected() {
        keys.clone().for_each(|key| list.settle(key));
    }
}
