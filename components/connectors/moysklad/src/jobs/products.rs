//! The full pass over all products and sets, once a day: what MoySklad has is saved, and what it does
//! not have any more is archived in the shop.

use serde::{Deserialize, Serialize};
use tenon_sdk::erp::catalog;
use tenon_sdk::ids::Ids;
use tenon_sdk::import::Tally;
use tenon_sdk::model::{Directive, Fault, Outcome};
use tenon_sdk::rejected::Retry;
use tenon_sdk::runtime::bindings;
use tenon_sdk::{info, reason, state, warn};
use uuid::Uuid;

use super::importer::Importer;
use super::{Context, PRODUCT, changes, images};
use crate::api::TOKEN;
use crate::api::meta::{Kind, id_of, item_of, origin};
use crate::api::records::{Listed, PRODUCTS, SETS};
use crate::api::walk::Place;
use crate::webhooks;

/// The lists of a pass, one after the other, and where is kept what the shop has of each.
pub const LISTS: [(Listed<'static>, &str, &str); 2] = [
    (PRODUCTS, "known/", "seen/"),
    (SETS, "known-sets/", "seen-sets/"),
];
/// How far the pass has come.
const PASS: &str = "pass";
/// The folder that the last pass took products from.
const ROOT: &str = "root";

/// Up to where changes in the shop were read.
const SHOP: &str = "shop-products";

/// Cards in a page of changes.
const CARDS: u32 = 100;

/// So many that seem to be gone are asked for one by one where a list is empty.
const FEW: usize = 10;

#[derive(Default, Serialize, Deserialize)]
struct Pass {
    /// Whether people asked for it.
    is_asked: bool,
    /// Which of the lists is read.
    list: usize,
    place: Place,
    done: u64,
    newest: [Option<String>; 2],
    /// Origins of what lies outside the chosen folder, and of what MoySklad has archived.
    aside: [Vec<String>; 2],
    /// Origins of what is gone.
    gone: Vec<String>,
}

/// Whether the settings name another folder than that of the last pass.
pub fn is_outdated(context: &Context) -> bool {
    let last: Option<Option<Uuid>> = state::load(ROOT);
    last.is_some_and(|last| last != context.settings.root_category)
}

/// Runs the job, or goes on with it: from the beginning, when people ask for it who want products
/// tried again that the pass under way has rejected already.
pub fn run(context: &Context, retry: &Retry) -> Result<Outcome, Fault> {
    let cut: Option<Pass> = state::load(PASS);
    let mut pass = match cut.filter(|pass| pass.is_asked || !retry.is_of_all()) {
        Some(pass) => pass,
        None => {
            webhooks::tend(&context.api)?;
            begin(retry)?
        }
    };
    let mut tally = Tally::after(pass.done);
    let mut importer = Importer::open(context, retry);
    [importer.outside, importer.archived] = std::mem::take(&mut pass.aside);
    while let Some((list, known, seen)) = LISTS.get(pass.list) {
        let (mut known, mut seen) = (Ids::load(known), Ids::load(seen));
        let mut next = Some(pass.place.clone());
        let mut is_shown = true;
        while let Some(place) = next {
            let Some(answer) = context.api.page_if_shown(list, &place)? else {
                is_shown = false;
                break;
            };
            let page = context.api.rows(list, &place, &answer)?;
            if let Some(left) = page.left {
                tally.expect(tally.done() + left);
            }
            for id in importer.import(list, &page.rows, &mut tally)? {
                seen.insert(id);
            }
            pass.newest[pass.list] = pass.newest[pass.list].take().max(page.newest);
            next = page.next;
            if let Some(place) = &next {
                pass.place = place.clone();
                pass.done = tally.done();
                pass.aside = [importer.outside.clone(), importer.archived.clone()];
                seen.save()?;
                importer.rejected.save()?;
                state::save(PASS, &pass)?;
                if tally.checkpoint() == Directive::Stop {
                    return Ok(Outcome::Suspended);
                }
            }
        }
        if is_shown {
            let gone = missing(context, list.kind, &known, &seen)?;
            pass.gone
                .extend(gone.into_iter().map(|id| origin(list.kind.word(), id)));
        }
        for id in seen.iter() {
            known.insert(id);
        }
        seen.clear();
        known.save()?;
        seen.save()?;
        pass.place = Place::default();
        pass.list += 1;
    }
    let gone = pass.gone.len();
    let aside = importer.outside.iter().cloned();
    let goes: Vec<String> = pass.gone.iter().cloned().chain(aside).collect();
    let of = LISTS.map(|(_, known, _)| Ids::load(known).iter().count());
    let stays = importer.archive(pass.gone, of.iter().sum(), &mut tally)?;
    forget(
        goes.into_iter().filter(|origin| !stays.contains(origin)),
        &mut importer,
    )?;
    importer.rejected.name_untried();
    importer.rejected.save()?;
    state::forget(PASS);
    state::save(ROOT, &context.settings.root_category)?;
    changes::read_up_to(pass.newest)?;
    images::start_over();
    info!("products.passed", number = tally.done(), gone = gone);
    // There is nothing left that a stop could cut.
    tally.checkpoint();
    Ok(Outcome::Done)
}

/// A pass from the beginning. What one that never came to its end has met is in the shop nevertheless.
fn begin(retry: &Retry) -> Result<Pass, Fault> {
    for (_, known, seen) in LISTS {
        let (mut known, mut seen) = (Ids::load(known), Ids::load(seen));
        for id in seen.iter() {
            known.insert(id);
        }
        seen.clear();
        known.save()?;
        seen.save()?;
    }
    unbind_removed()?;
    Ok(Pass {
        is_asked: retry.is_of_all(),
        ..Pass::default()
    })
}

/// Cards that people removed from the shop are made again, or found.
fn unbind_removed() -> Result<(), Fault> {
    let mut cursor: Option<String> = state::load(SHOP);
    loop {
        let page = catalog::changed(cursor.as_deref(), CARDS)?;
        if !page.removed.is_empty() {
            bindings::unbind(PRODUCT, &page.removed);
        }
        cursor = Some(page.next);
        if !page.more {
            return state::save(SHOP, &cursor);
        }
    }
}

/// What the shop has of a list and the pass has not met, and what is really not there any more. An
/// empty list is doubted: the few that it had are asked for one by one.
fn missing(context: &Context, kind: Kind, known: &Ids, seen: &Ids) -> Result<Vec<Uuid>, Fault> {
    let missed: Vec<Uuid> = known.iter().filter(|id| !seen.contains(*id)).collect();
    let alive = context.api.alive(kind, &missed)?;
    let mut gone = Vec::new();
    let is_doubted = seen.iter().next().is_none() && missed.len() <= FEW;
    for id in missed.into_iter().filter(|id| !alive.contains(id)) {
        if !is_doubted || context.api.is_gone(kind, id)? {
            gone.push(id);
        } else {
            warn!(reason!("products.hidden").credential(TOKEN));
        }
    }
    Ok(gone)
}

/// Knows products no longer whose cards went into the archive.
pub fn forget(
    origins: impl Iterator<Item = String>,
    importer: &mut Importer<'_>,
) -> Result<(), Fault> {
    let mut all = LISTS.map(|(_, known, _)| Ids::load(known));
    for origin in origins {
        let Some(id) = id_of(&origin) else { continue };
        let place = usize::from(item_of(&origin).is_some_and(|(kind, _)| kind == Kind::Bundle));
        all[place].remove(id);
        importer.rejected.settle(&id.to_string());
    }
    all.iter_mut().try_for_each(Ids::save)
}
