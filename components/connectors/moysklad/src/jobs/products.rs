//! The full pass over all products, once a day: what MoySklad has is saved again where people changed
//! the card in the shop, and what it does not have any more is archived there.

use serde::{Deserialize, Serialize};
use tenon_sdk::erp::catalog;
use tenon_sdk::import::Tally;
use tenon_sdk::model::{Directive, Fault, Key, Outcome};
use tenon_sdk::rejected::Retry;
use tenon_sdk::runtime::bindings;
use tenon_sdk::{info, reason, state};
use uuid::Uuid;

use super::importer::{self, Importer};
use super::{Context, PRODUCT, changes, images};
use crate::api::meta::Kind;
use crate::api::records::PRODUCTS;
use crate::api::walk::Place;
use crate::known::Known;

/// The products that the shop has from MoySklad.
pub const KNOWN: &str = "known/";
/// Those that the pass under way has met.
const SEEN: &str = "seen/";
/// How far the pass has come.
const PASS: &str = "pass";
/// Up to where changes in the shop were read.
const SHOP: &str = "shop-products";

/// Cards in a page of changes.
const CARDS: u32 = 100;

#[derive(Default, Serialize, Deserialize)]
struct Pass {
    /// Whether people asked for it.
    is_asked: bool,
    place: Place,
    done: u64,
    newest: Option<String>,
}

/// Runs the job, or goes on with it: from the beginning, when people ask for it who want products
/// tried again that the pass under way has rejected already.
///
/// # Errors
/// The fault that keeps it from going on.
pub fn run(context: &Context, retry: &Retry) -> Result<Outcome, Fault> {
    let mut known = Known::load(KNOWN);
    let mut seen = Known::load(SEEN);
    let cut: Option<Pass> = state::load(PASS);
    let mut pass = match cut.filter(|pass| pass.is_asked || !retry.is_of_all()) {
        Some(pass) => pass,
        None => {
            // What a pass that never came to its end has met is in the shop nevertheless.
            for id in seen.iter() {
                known.insert(id);
            }
            seen.clear();
            read_edits()?;
            Pass {
                is_asked: retry.is_of_all(),
                ..Pass::default()
            }
        }
    };
    let mut tally = Tally::after(pass.done);
    let mut importer = Importer::open(context, retry);
    let mut next = Some(pass.place.clone());
    while let Some(place) = next {
        let answer = context.api.page(&PRODUCTS, &place)?;
        let page = context.api.rows(&PRODUCTS, &place, &answer)?;
        if let Some(left) = page.left {
            tally.expect(tally.done() + left);
        }
        importer.import(&page.rows, &mut tally)?;
        for id in page.rows.iter().filter_map(|row| row.id) {
            seen.insert(id);
        }
        pass.newest = pass.newest.max(page.newest);
        next = page.next;
        if let Some(place) = &next {
            pass.place = place.clone();
            pass.done = tally.done();
            seen.save()?;
            known.save()?;
            importer.rejected.save()?;
            state::save(PASS, &pass)?;
            if tally.checkpoint() == Directive::Stop {
                return Ok(Outcome::Suspended);
            }
        }
    }
    let missed: Vec<Uuid> = known.iter().filter(|id| !seen.contains(*id)).collect();
    let alive = context.api.alive(Kind::Product, &missed)?;
    let gone: Vec<Uuid> = missed
        .into_iter()
        .filter(|id| !alive.contains(id))
        .collect();
    // What people have not agreed to stays known, so that the next pass asks again.
    if importer::archive(&gone, known.iter().count(), &mut tally)? {
        for id in &gone {
            known.remove(*id);
            importer.rejected.settle(&id.to_string());
        }
    }
    for id in seen.iter() {
        known.insert(id);
    }
    seen.clear();
    known.save()?;
    seen.save()?;
    importer.rejected.name_untried();
    importer.rejected.save()?;
    state::forget(PASS);
    changes::read_up_to(pass.newest)?;
    images::start_over();
    info!("products.passed", number = tally.done(), gone = gone.len());
    tell_of_others(context)?;
    // There is nothing left that a stop could cut.
    tally.checkpoint();
    Ok(Outcome::Done)
}

/// Tells what else is in MoySklad's assortment. A card is one part of one brand and has a level of
/// stock: a service and a set have none, and modifications of a product share its brand and article.
fn tell_of_others(context: &Context) -> Result<(), Fault> {
    for path in ["/entity/service", "/entity/bundle", "/entity/variant"] {
        if let Some(number) = context.api.count(path)?.filter(|number| *number > 0) {
            info!(match path {
                "/entity/service" => reason!("assortment.services", number = number),
                "/entity/bundle" => reason!("assortment.sets", number = number),
                _ => reason!("assortment.modifications", number = number),
            });
        }
    }
    Ok(())
}

/// Reads what people changed in the shop since the last pass.
fn read_edits() -> Result<(), Fault> {
    let mut cursor: Option<String> = state::load(SHOP);
    loop {
        let page = catalog::changed(cursor.as_deref(), CARDS)?;
        let changed: Vec<(Key, String)> = page
            .products
            .into_iter()
            .filter_map(|card| Some((card.key?, card.version?)))
            .collect();
        importer::doubt(&changed);
        if !page.removed.is_empty() {
            bindings::unbind(PRODUCT, &page.removed);
        }
        cursor = Some(page.next);
        if !page.more {
            return state::save(SHOP, &cursor);
        }
    }
}
