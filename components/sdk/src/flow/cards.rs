//! Cards of the platform that a counterpart keeps: their modifications, how many there are, and how they
//! go into the archive when they seem to be gone.

use std::collections::{BTreeSet, HashSet};

use crate::erp::catalog;
use crate::import::{Tally, Verdict, bound, pair, verdict};
use crate::model::{Binding, Fault, Key, Product, ProductFields, ProductLookup, Reason};
use crate::runtime::bindings;
use crate::{brake, info, state};

/// Kind of the pairs of products.
pub const PRODUCT: &str = "product";

/// Kind of the pairs of modifications, which are bound by [`variant_key`].
pub const VARIANT: &str = "variant";

/// How many cards were ever bound.
const CARDS: &str = "cards";

/// Cards that have modifications.
const VARIED: &str = "varied";

/// Cards that are read at a time.
const PAGE: usize = 150;

/// How many cards were ever bound: when there are more, their stock has not been read yet.
pub fn ever_bound() -> u64 {
    state::load(CARDS).unwrap_or(0)
}

/// Takes note that so many more were bound.
///
/// # Errors
/// `configuration` when storage is full.
pub fn count_bound(new: u64) -> Result<(), Fault> {
    match new {
        0 => Ok(()),
        new => state::save(CARDS, &(ever_bound() + new)),
    }
}

/// Learns the keys of modifications, which a save does not tell; answers with how many are new.
///
/// # Errors
/// The fault of the look-up as a whole.
pub fn bind_variants(cards: &[ProductLookup], pairs: &mut Vec<Binding>) -> Result<u64, Fault> {
    if cards.is_empty() {
        return Ok(0);
    }
    let mut new = 0;
    let mut varied = varied();
    for some in cards.chunks(PAGE) {
        let found = catalog::find(some)?.into_iter().flatten();
        let mut variants: Vec<(Key, String)> = Vec::new();
        for card in found {
            let Some(product) = card.key else { continue };
            for variant in card.variants {
                if let (Some(key), Some(origin)) = (variant.key, variant.origin) {
                    variants.push((variant_key(&product, &key), origin));
                }
            }
            varied.insert(product);
        }
        let origins: Vec<String> = variants.iter().map(|(_, origin)| origin.clone()).collect();
        let known = bound(VARIANT, &origins);
        for (key, origin) in variants {
            if known.get(&origin).is_none_or(|known| known.key != key) {
                new += 1;
                pairs.push(pair(VARIANT, &key, &origin));
            }
        }
    }
    state::save(VARIED, &varied)?;
    Ok(new)
}

/// Cards that have modifications.
pub fn varied() -> BTreeSet<Key> {
    state::load(VARIED).unwrap_or_default()
}

/// The key that a modification is bound by.
pub fn variant_key(product: &str, variant: &str) -> Key {
    format!("{product}/{variant}")
}

/// Archives cards, of so many that the platform has from the counterpart; tells whether it could: beyond a few,
/// people are asked first. They are not deleted: orders know them.
///
/// # Errors
/// The fault of a call as a whole.
pub fn archive(
    origins: &[String],
    why: impl FnOnce(usize) -> Reason,
    of: usize,
    tally: &mut Tally,
) -> Result<bool, Fault> {
    let known: Vec<Binding> = bound(PRODUCT, origins).into_values().collect();
    let mut live = live(&known)?;
    if live.is_empty() {
        return Ok(true);
    }
    let reason = why(live.len());
    if !brake::confirmed(PRODUCT, reason, &mut live, of as u64) {
        return Ok(false);
    }
    let names: HashSet<&String> = live.iter().map(|(origin, _)| origin).collect();
    let known: Vec<Binding> = (known.into_iter())
        .filter(|binding| names.contains(&binding.origin))
        .collect();
    let cards: Vec<Product> = known
        .iter()
        .map(|binding| Product {
            key: Some(binding.key.clone()),
            origin: Some(binding.origin.clone()),
            archived: true,
            ..Product::default()
        })
        .collect();
    let saved = catalog::save(&cards, ProductFields::ARCHIVED)?;
    let mut pairs = Vec::new();
    for (binding, outcome) in known.into_iter().zip(saved) {
        match verdict(outcome)? {
            Verdict::Saved(saved) => {
                info!(record = binding.key, "sdk.cards.archived");
                tally.count(saved.effect);
                pairs.push(Binding {
                    fingerprint: None,
                    ..binding
                });
            }
            Verdict::Refused(_) | Verdict::Changed => tally.passed(),
        }
    }
    bindings::bind(&pairs);
    Ok(true)
}

/// The cards that are not archived yet: their origins and names.
fn live(known: &[Binding]) -> Result<Vec<(String, String)>, Fault> {
    let mut live = Vec::new();
    for some in known.chunks(PAGE) {
        let lookups: Vec<ProductLookup> = (some.iter())
            .map(|binding| ProductLookup::Key(binding.key.clone()))
            .collect();
        let cards = some.iter().zip(catalog::find(&lookups)?);
        live.extend(cards.filter_map(|(binding, card)| {
            let card = card.filter(|card| !card.archived)?;
            Some((binding.origin.clone(), card.name))
        }));
    }
    Ok(live)
}
