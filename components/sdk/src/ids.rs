//! Sets of a counterpart's ids in storage, a few hundred kilobytes at most: the records that the
//! platform has from there, and those that a full pass under way has met.
//!
//! A set lies in blocks by the first byte of its ids, and only blocks that changed are written.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::model::Fault;
use crate::runtime::storage;
use crate::state;

/// A set of ids under a prefix.
#[derive(Debug)]
pub struct Ids {
    prefix: String,
    blocks: BTreeMap<u8, BTreeSet<Uuid>>,
    changed: BTreeSet<u8>,
}

impl Ids {
    /// Reads a set.
    pub fn load(prefix: &str) -> Ids {
        let mut known = Ids {
            prefix: prefix.to_owned(),
            blocks: BTreeMap::new(),
            changed: BTreeSet::new(),
        };
        state::each(prefix, |_, ids| {
            let (ids, _) = ids.as_chunks();
            for id in ids {
                known.block(*id).insert(Uuid::from_bytes(*id));
            }
        });
        known
    }

    fn block(&mut self, id: [u8; 16]) -> &mut BTreeSet<Uuid> {
        self.blocks.entry(id[0]).or_default()
    }

    /// Adds an id.
    pub fn insert(&mut self, id: Uuid) {
        if self.block(id.into_bytes()).insert(id) {
            self.changed.insert(id.as_bytes()[0]);
        }
    }

    /// Takes an id out.
    pub fn remove(&mut self, id: Uuid) {
        if self.block(id.into_bytes()).remove(&id) {
            self.changed.insert(id.as_bytes()[0]);
        }
    }

    /// Whether an id is in it.
    pub fn contains(&self, id: Uuid) -> bool {
        self.blocks
            .get(&id.as_bytes()[0])
            .is_some_and(|block| block.contains(&id))
    }

    /// All ids.
    pub fn iter(&self) -> impl Iterator<Item = Uuid> {
        self.blocks.values().flatten().copied()
    }

    /// Empties the set.
    pub fn clear(&mut self) {
        self.changed.extend(self.blocks.keys());
        self.blocks.clear();
    }

    /// Writes what has changed.
    ///
    /// # Errors
    /// `configuration` when storage is full.
    pub fn save(&mut self) -> Result<(), Fault> {
        let mut writes = Vec::new();
        let mut deletes = Vec::new();
        for first in std::mem::take(&mut self.changed) {
            let key = format!("{}{first:02x}", self.prefix);
            match self.blocks.get(&first) {
                Some(ids) if !ids.is_empty() => {
                    let bytes = ids.iter().flat_map(|id| *id.as_bytes()).collect();
                    writes.push((key, bytes));
                }
                _ => deletes.push(key),
            }
        }
        if !deletes.is_empty() {
            storage::delete(&deletes);
        }
        state::set(&writes)
    }
}
