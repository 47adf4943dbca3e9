//! The keys of the platform that an admin has put into the settings, checked before anything is read.

use std::collections::HashSet;

use super::Source;
use crate::erp::{catalog, directories, orders, partners};
use crate::model::{Directory, Fault, Key, OrderLookup, PartnerLookup, ProductLookup, RecordKind};
use crate::reason;

/// A key in settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// Where it stands, such as `stages.21`.
    pub path: String,
    /// The key.
    pub key: &'a str,
    /// What it is a key of.
    pub source: Source,
}

/// The path of a member.
pub fn member(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

/// Checks keys, with one look-up for each source.
///
/// # Errors
/// `configuration`, naming the first setting whose key the platform does not have.
pub fn verify(named: &[Named<'_>]) -> Result<(), Fault> {
    let mut sources: Vec<Source> = Vec::new();
    for one in named {
        if !sources.contains(&one.source) {
            sources.push(one.source);
        }
    }
    for source in sources {
        let own = named.iter().filter(|one| one.source == source);
        let known = known(source, own.clone().map(|one| one.key))?;
        for Named { path, key, .. } in own {
            if !known.contains(*key) {
                let reason = reason!("sdk.setting-gone", setting = path, key = key);
                return Err(Fault::Configuration(reason.setting(path)));
            }
        }
    }
    Ok(())
}

/// Those of the keys that are there, possibly among others.
fn known<'a>(source: Source, keys: impl Iterator<Item = &'a str>) -> Result<HashSet<Key>, Fault> {
    let keys: Vec<&str> = keys.collect();
    let own = |index: usize| keys[index].to_owned();
    let found = match source {
        Source::Directory(directory, _) => return listed(directory),
        Source::Record(RecordKind::Warehouse, _) => return listed(Directory::Warehouses),
        Source::Record(RecordKind::Category, _) => {
            let categories = catalog::categories()?.into_iter();
            return Ok(categories.filter_map(|category| category.key).collect());
        }
        Source::Record(RecordKind::Partner, _) => {
            let lookups = lookups(&keys, PartnerLookup::Key);
            there(&partners::find(&lookups)?)
        }
        Source::Record(RecordKind::Order, _) => {
            let lookups = lookups(&keys, OrderLookup::Key);
            there(&orders::find(&lookups)?)
        }
        Source::Record(RecordKind::Product | RecordKind::Stock, _) => {
            let lookups = lookups(&keys, ProductLookup::Key);
            there(&catalog::find(&lookups)?)
        }
    };
    Ok(found.into_iter().map(own).collect())
}

fn listed(directory: Directory) -> Result<HashSet<Key>, Fault> {
    let entries = directories::list(directory)?.into_iter();
    Ok(entries.map(|entry| entry.key).collect())
}

fn lookups<L>(keys: &[&str], lookup: impl Fn(Key) -> L) -> Vec<L> {
    keys.iter().map(|key| lookup((*key).to_owned())).collect()
}

/// The places of the records that were found.
fn there<R>(found: &[Option<R>]) -> Vec<usize> {
    let found = found.iter().enumerate();
    found
        .filter_map(|(index, record)| record.as_ref().map(|_| index))
        .collect()
}
