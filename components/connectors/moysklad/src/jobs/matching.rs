//! A look before the first synchronisation: which products and partners of the two sides are one,
//! which are new, and what nobody can decide. Nothing is written on either side, nothing is bound.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tenon_sdk::erp::{catalog, partners};
use tenon_sdk::identity::who::{Decision, words};
use tenon_sdk::import::{Tally, always, bound, match_by};
use tenon_sdk::model::{Directive, Fault, Key, Outcome, Product, Reason, Subject};
use tenon_sdk::runtime::bindings;
use tenon_sdk::{info, reason, state};
use uuid::Uuid;

use super::importer::{claim, label, lookups, twin};
use super::partners::{sync_id, tags};
use super::{Context, PARTNER, PRODUCT, who};
use crate::api::meta::origin;
use crate::api::records::{self, PRODUCTS};
use crate::api::walk::{Place, Row};
use crate::map::brand::{self, Part};
use crate::map::partner::{matched, other_role, several};

/// How far a run that was cut has come.
const PROGRESS: &str = "match";

/// Partners in a page.
const PAGE: u32 = 100;

#[derive(Default, Serialize, Deserialize)]
struct Progress {
    /// None once all products were looked at.
    products: Option<Place>,
    partners: Option<String>,
    counts: [Counts; 2],
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Counts {
    bound: u64,
    matched: u64,
    new: u64,
    open: u64,
}

/// Runs the job, or goes on with it.
pub fn run(context: &Context) -> Result<Outcome, Fault> {
    let mut progress: Progress = state::load(PROGRESS).unwrap_or_else(|| Progress {
        products: Some(Place::default()),
        ..Progress::default()
    });
    let mut tally = Tally::default();
    let mut claimed: HashMap<(String, String), Uuid> = HashMap::new();
    while let Some(place) = progress.products.take() {
        let answer = context.api.page(&PRODUCTS, &place)?;
        let page = context.api.rows(&PRODUCTS, &place, &answer)?;
        products(
            &page.rows,
            &mut claimed,
            &mut progress.counts[0],
            &mut tally,
        )?;
        progress.products = page.next;
        state::save(PROGRESS, &progress)?;
        if tally.checkpoint() == Directive::Stop {
            return Ok(Outcome::Suspended);
        }
    }
    if who::refresh(context, &tally)? == Directive::Stop {
        return Ok(Outcome::Suspended);
    }
    let tags = tags(context);
    loop {
        let page = partners::changed(progress.partners.as_deref(), PAGE)?;
        let keys: Vec<Key> = page
            .partners
            .iter()
            .filter_map(|one| one.key.clone())
            .collect();
        let known = bindings::by_key(PARTNER, &keys);
        let index = who::find(context, page.partners.iter().flat_map(words))?;
        let counts = &mut progress.counts[1];
        let with_keys = page.partners.iter().filter(|one| one.key.is_some());
        for ((partner, key), binding) in with_keys.zip(keys).zip(known) {
            if binding.is_some() {
                counts.bound += 1;
                tally.passed();
                continue;
            }
            let sync_id = sync_id(context, partner, &key);
            match index.decide(partner, sync_id, &tags) {
                Decision::Own(_) => {
                    counts.matched += 1;
                    tally.passed();
                }
                Decision::Is(found, rule) => {
                    counts.matched += 1;
                    tally.passed();
                    info!(record = key, matched(rule, partner, found));
                }
                Decision::New => {
                    counts.new += 1;
                    tally.passed();
                    info!(record = key, "partner.new", name = partner.name);
                }
                Decision::OtherRole(found) => {
                    counts.open += 1;
                    let reason = other_role(partner, found, &tags);
                    tally.reject(PARTNER, Subject::Key(key), &partner.name, reason);
                }
                Decision::Several(rule, found) => {
                    counts.open += 1;
                    let reason = several(rule, &found);
                    tally.reject(PARTNER, Subject::Key(key), &partner.name, reason);
                }
            }
        }
        progress.partners = Some(page.next);
        if !page.more {
            break;
        }
        state::save(PROGRESS, &progress)?;
        if tally.checkpoint() == Directive::Stop {
            return Ok(Outcome::Suspended);
        }
    }
    state::forget(PROGRESS);
    let [products, partners] = progress.counts;
    info!(
        "match.products",
        bound = products.bound,
        matched = products.matched,
        new = products.new,
        open = products.open
    );
    info!(
        "match.partners",
        bound = partners.bound,
        matched = partners.matched,
        new = partners.new,
        open = partners.open
    );
    tally.checkpoint();
    Ok(Outcome::Done)
}

fn products(
    rows: &[Row<'_>],
    claimed: &mut HashMap<(String, String), Uuid>,
    counts: &mut Counts,
    tally: &mut Tally,
) -> Result<(), Fault> {
    let origins: Vec<String> = rows
        .iter()
        .map(|row| origin(PRODUCT, row.id.unwrap_or_default()))
        .collect();
    let known = bound(PRODUCT, &origins);
    let mut open = Vec::new();
    for (row, origin) in rows.iter().zip(&origins) {
        let Some(id) = row.id else { continue };
        let read: records::Product<'_> = match serde_json::from_str(row.json.get()) {
            Ok(read) => read,
            Err(error) => {
                let reason = reason!("product.unreadable").detail(error);
                reject(id, &id.to_string(), reason, counts, tally);
                continue;
            }
        };
        match brand::part(read.code.get(), read.article.get()) {
            Err(reason) => reject(id, &label(&read, id), reason, counts, tally),
            Ok(_) if known.contains_key(origin) => {
                counts.bound += 1;
                tally.passed();
            }
            Ok(_) if read.archived.is_set() => tally.passed(),
            Ok(part) => match claimed.insert(claim(&part), id) {
                Some(other) => {
                    let reason = twin(&part, other);
                    reject(id, &label(&read, id), reason, counts, tally);
                }
                None => open.push((id, part)),
            },
        }
    }
    let mut found = Vec::new();
    let new = match_by(
        open,
        |(_, part)| lookups(part),
        catalog::find,
        always,
        |one, card: Product| found.push((one, card.key.unwrap_or_default())),
    )?;
    let keys: Vec<Key> = found.iter().map(|(_, key)| key.clone()).collect();
    let name = |part: &Part| format!("{} {}", part.brand, part.sku);
    for (((id, part), key), owner) in found.iter().zip(bindings::by_key(PRODUCT, &keys)) {
        let name = name(part);
        match owner {
            Some(owner) => {
                let reason = reason!("match.taken", name = name).detail(owner.origin);
                reject(*id, &name, reason, counts, tally);
            }
            None => {
                counts.matched += 1;
                tally.passed();
                info!(record = key, "match.found", name = name);
            }
        }
    }
    for (_, part) in &new {
        counts.new += 1;
        tally.passed();
        info!("match.new", name = name(part));
    }
    Ok(())
}

/// Lists a product that people have to decide on.
fn reject(id: Uuid, label: &str, reason: Reason, counts: &mut Counts, tally: &mut Tally) {
    counts.open += 1;
    tally.reject(PRODUCT, Subject::Origin(origin(PRODUCT, id)), label, reason);
}
