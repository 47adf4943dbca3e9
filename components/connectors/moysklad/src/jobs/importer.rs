//! Brings products into the shop: drops what has not changed, matches what is new by brand and
//! article, saves and binds. MoySklad speaks for its fields; people keep the rest.

use std::collections::HashMap;

use tenon_sdk::erp::{catalog, directories};
use tenon_sdk::import::{
    Tally, Verdict, always, bound, fingerprint, match_by, pair, split_rivals, verdict,
};
use tenon_sdk::model::{
    Binding, Directory, Effect, Fault, Key, Product, ProductFields, ProductLookup, Reason, Subject,
};
use tenon_sdk::rejected::{Rejected, Retry};
use tenon_sdk::runtime::bindings;
use tenon_sdk::{brake, info, reason, state, warn};
use uuid::Uuid;

use super::{CATEGORY, Context, MOST_REJECTED, PRODUCT};
use crate::api::NAMED;
use crate::api::TOKEN;
use crate::api::meta::{self, Kind, origin};
use crate::api::records::{self, Currency, Named};
use crate::api::walk::Row;
use crate::map::brand::{self, Part};
use crate::map::product::{self, MAPPING_VERSION, OWNED, Places};

/// How many cards were ever bound.
const CARDS: &str = "cards";

/// Products that could not be taken.
const REJECTED: &str = "failed/product/";

/// A product that does not tell which one it is.
const UNKNOWN: &str = "moysklad:product:?";

/// Digests have so many bytes; behind one stands the version of the card it was written to.
const DIGEST: usize = 17;

/// What a run has learned about what products point at.
pub struct Importer<'c> {
    context: &'c Context,
    owned: ProductFields,
    places: Places,
    /// Whether the dictionaries were read.
    is_informed: bool,
    /// Products that could not be taken.
    pub rejected: Rejected,
}

/// A product on its way.
struct Draft<'r> {
    id: Uuid,
    read: records::Product<'r>,
    part: Part,
    key: Option<Key>,
    /// Whether the two are known to be one.
    bound: bool,
    digest: Vec<u8>,
}

impl<'c> Importer<'c> {
    /// Knows nothing yet.
    pub fn open(context: &'c Context, retry: &Retry) -> Importer<'c> {
        let owned = if context.settings.categories {
            OWNED | ProductFields::CATEGORY
        } else {
            OWNED
        };
        Importer {
            context,
            owned,
            places: Places::default(),
            is_informed: false,
            rejected: Rejected::load(PRODUCT, REJECTED, retry).at_most(MOST_REJECTED),
        }
    }

    fn reject(&mut self, id: Uuid, label: &str, reason: Reason, tally: &mut Tally) {
        let subject = Subject::Origin(origin(PRODUCT, id));
        (self.rejected).reject(&id.to_string(), subject, label, reason, tally);
    }

    /// Reads the dictionaries, once.
    fn inform(&mut self) -> Result<(), Fault> {
        if self.is_informed {
            return Ok(());
        }
        let api = &self.context.api;
        let currencies: Vec<Currency> =
            api.all("/entity/currency", "archived=true;archived=false")?;
        let units: Vec<Named> = api.all("/entity/uom", "")?;
        self.places.currencies = currencies
            .into_iter()
            .map(|currency| (currency.id, currency.iso_code))
            .collect();
        self.places.units = units.into_iter().map(|unit| (unit.id, unit.name)).collect();
        self.is_informed = true;
        Ok(())
    }

    /// Imports rows of the list of products.
    ///
    /// # Errors
    /// The fault of a call as a whole.
    pub fn import(&mut self, rows: &[Row<'_>], tally: &mut Tally) -> Result<(), Fault> {
        for id in rows.iter().filter_map(|row| row.id) {
            self.rejected.settle(&id.to_string());
        }
        let drafts = self.changed(rows, tally)?;
        let (known, open): (Vec<_>, Vec<_>) =
            drafts.into_iter().partition(|draft| draft.key.is_some());
        // A product that is out of sale and not in the shop need not be there.
        let (open, passed): (Vec<_>, Vec<_>) = open
            .into_iter()
            .partition(|draft| !draft.read.archived.is_set());
        for _ in passed {
            tally.passed();
        }
        self.save(known, tally)?;
        let mut open = open;
        while !open.is_empty() {
            let (now, later) = split_rivals(open, |draft| vec![claim(&draft.part)]);
            let matched = self.matched(now, tally)?;
            self.save(matched, tally)?;
            open = later;
        }
        Ok(())
    }

    /// The products that are to be written.
    fn changed<'r>(
        &mut self,
        rows: &[Row<'r>],
        tally: &mut Tally,
    ) -> Result<Vec<Draft<'r>>, Fault> {
        let mut read = Vec::with_capacity(rows.len());
        for row in rows {
            let product: Result<records::Product<'r>, _> = serde_json::from_str(row.json.get());
            let (id, product) = match (row.id, product) {
                (Some(id), Ok(product)) => (id, product),
                (id, product) => {
                    let reason = match product {
                        Ok(_) => reason!("product.no-id"),
                        Err(error) => reason!("product.unreadable").detail(error),
                    };
                    match id {
                        Some(id) => self.reject(id, &id.to_string(), reason, tally),
                        None => tally.reject(PRODUCT, Subject::Origin(UNKNOWN.into()), "?", reason),
                    }
                    continue;
                }
            };
            match brand::part(product.code.get(), product.article.get()) {
                Ok(part) => read.push((id, product, part)),
                Err(reason) => self.reject(id, &label(&product, id), reason, tally),
            }
        }
        if read.is_empty() {
            return Ok(Vec::new());
        }
        self.inform()?;
        self.learn(read.iter().map(|(_, product, _)| product))?;
        let origins: Vec<String> = read.iter().map(|(id, ..)| origin(PRODUCT, *id)).collect();
        let mut known = bound(PRODUCT, &origins);
        let mut drafts = Vec::new();
        for ((id, read, part), origin) in read.into_iter().zip(origins) {
            let digest = self.digest(&read);
            let binding = known.remove(&origin);
            let print = binding.as_ref().and_then(|one| one.fingerprint.as_deref());
            if print.is_some_and(|print| print.starts_with(&digest)) {
                tally.count(Effect::Unchanged);
                continue;
            }
            drafts.push(Draft {
                id,
                read,
                part,
                bound: binding.is_some(),
                key: binding.map(|binding| binding.key),
                digest,
            });
        }
        Ok(drafts)
    }

    /// Of the product and of what it points at under other names in the shop.
    fn digest(&self, read: &records::Product<'_>) -> Vec<u8> {
        let folder = read.product_folder.get().and_then(records::Ref::id);
        let category = folder.and_then(|id| self.places.categories.get(&id));
        let unit = read.uom.get().and_then(records::Ref::id);
        let unit = unit.and_then(|id| self.places.units.get(&id));
        fingerprint(MAPPING_VERSION, &(read, unit, category, self.owned.bits()))
    }

    /// Finds the price types and categories that products point at.
    fn learn<'p, 'r: 'p>(
        &mut self,
        products: impl Iterator<Item = &'p records::Product<'r>> + Clone,
    ) -> Result<(), Fault> {
        for (id, name) in products.clone().flat_map(product::price_types) {
            if !self.places.price_types.contains_key(&id)
                && let Some(name) = name.get()
            {
                let origin = origin(Kind::PriceType.word(), id);
                let key = directories::ensure(Directory::PriceTypes, name, &origin)?;
                self.places.price_types.insert(id, key.key);
            }
        }
        if !self.context.settings.categories {
            return Ok(());
        }
        let mut folders: Vec<Uuid> = products
            .filter_map(|product| product.product_folder.get()?.id())
            .filter(|id| !self.places.categories.contains_key(id))
            .collect();
        folders.sort_unstable();
        folders.dedup();
        let origins: Vec<String> = folders
            .iter()
            .map(|id| origin(Kind::ProductFolder.word(), *id))
            .collect();
        for binding in bound(CATEGORY, &origins).into_values() {
            if let Some(id) = meta::id_of(&binding.origin) {
                self.places.categories.insert(id, binding.key);
            }
        }
        Ok(())
    }

    /// Gives products the cards that have their brand and article. A card that is synchronised with
    /// another product is taken over only when that one is gone.
    fn matched<'r>(
        &mut self,
        drafts: Vec<Draft<'r>>,
        tally: &mut Tally,
    ) -> Result<Vec<Draft<'r>>, Fault> {
        let mut found = Vec::new();
        let mut matched = match_by(
            drafts,
            |draft| vec![lookup(&draft.part)],
            catalog::find,
            always,
            |draft, card: Product| found.push((draft, card)),
        )?;
        let keys: Vec<Key> = found
            .iter()
            .filter_map(|(_, card)| card.key.clone())
            .collect();
        let owners: HashMap<Key, Uuid> = bindings::by_key(PRODUCT, &keys)
            .into_iter()
            .flatten()
            .filter_map(|binding| Some((binding.key, meta::id_of(&binding.origin)?)))
            .collect();
        let alive = if owners.is_empty() {
            Vec::new()
        } else {
            let owners: Vec<Uuid> = owners.values().copied().collect();
            self.context.api.alive(Kind::Product, &owners)?
        };
        for (mut draft, card) in found {
            let Some(key) = card.key else { continue };
            if let Some(owner) = owners.get(&key) {
                if alive.contains(owner) {
                    let reason = twin(&draft.part, *owner);
                    self.reject(draft.id, &label(&draft.read, draft.id), reason, tally);
                    continue;
                }
                bindings::unbind(PRODUCT, std::slice::from_ref(&key));
            }
            let code = draft.read.code.get().unwrap_or_default();
            info!(record = key, "product.matched", code = code);
            draft.key = Some(key);
            matched.push(draft);
        }
        Ok(matched)
    }

    fn save(&mut self, drafts: Vec<Draft<'_>>, tally: &mut Tally) -> Result<(), Fault> {
        let mut cards = Vec::with_capacity(drafts.len());
        let mut given = Vec::with_capacity(drafts.len());
        for draft in drafts {
            match product::product(&draft.read, draft.part.clone(), &self.places) {
                Ok(mut card) => {
                    card.key.clone_from(&draft.key);
                    card.origin = Some(origin(PRODUCT, draft.id));
                    cards.push(card);
                    given.push(draft);
                }
                Err(reason) => self.reject(draft.id, &label(&draft.read, draft.id), reason, tally),
            }
        }
        if cards.is_empty() {
            return Ok(());
        }
        let mut pairs = Vec::with_capacity(cards.len());
        let mut new = 0;
        for (draft, outcome) in given.into_iter().zip(catalog::save(&cards, self.owned)?) {
            match verdict(outcome)? {
                Verdict::Saved(saved) => {
                    tally.count(saved.effect);
                    new += u64::from(!draft.bound);
                    let mut print = draft.digest;
                    print.extend_from_slice(saved.version.as_bytes());
                    pairs.push(Binding {
                        fingerprint: Some(print),
                        ..pair(PRODUCT, &saved.key, &origin(PRODUCT, draft.id))
                    });
                }
                Verdict::Refused(reason) => {
                    self.reject(draft.id, &label(&draft.read, draft.id), reason, tally);
                }
                Verdict::Changed => {
                    let name = label(&draft.read, draft.id);
                    warn!("product.changed-meanwhile", name = name);
                    self.rejected.wait(&draft.id.to_string());
                    tally.passed();
                }
            }
        }
        bindings::bind(&pairs);
        if new > 0 {
            state::save(CARDS, &(cards_bound() + new))?;
        }
        Ok(())
    }
}

/// What people know a product by.
pub fn label(read: &records::Product<'_>, id: Uuid) -> String {
    let known = read.name.owned().or_else(|| read.code.owned());
    known.unwrap_or_else(|| id.to_string())
}

/// That two products have one brand and article.
pub fn twin(part: &Part, other: Uuid) -> Reason {
    reason!("product.twin", brand = part.brand, article = part.sku).detail(other)
}

/// How many cards were ever bound: when there are more, their stock has not been read yet.
pub fn cards_bound() -> u64 {
    state::load(CARDS).unwrap_or(0)
}

/// How a card is looked for.
pub fn lookup(part: &Part) -> ProductLookup {
    ProductLookup::BrandAndSku((part.brand.clone(), part.sku.clone()))
}

/// What two products must not share to be certainly two.
pub fn claim(part: &Part) -> (String, String) {
    (part.brand.to_lowercase(), part.sku.clone())
}

/// Forgets what was agreed on cards that people have changed in the shop, so that they are written
/// anew. `changed` are cards with their present versions.
pub fn doubt(changed: &[(Key, String)]) {
    let keys: Vec<Key> = changed.iter().map(|(key, _)| key.clone()).collect();
    let known = bindings::by_key(PRODUCT, &keys);
    let doubted: Vec<Binding> = changed
        .iter()
        .zip(known)
        .filter_map(|((_, version), binding)| {
            let binding = binding?;
            let print = binding.fingerprint.as_deref()?;
            let agreed = print.get(DIGEST..).unwrap_or_default();
            (agreed != version.as_bytes()).then_some(Binding {
                fingerprint: None,
                ..binding
            })
        })
        .collect();
    if !doubted.is_empty() {
        bindings::bind(&doubted);
    }
}

/// Archives the cards of products that are gone in MoySklad, of so many that the shop has from there;
/// tells whether it could: beyond a few, people are asked first. They are not deleted: orders know them.
///
/// # Errors
/// The fault of a call as a whole.
pub fn archive(gone: &[Uuid], of: usize, tally: &mut Tally) -> Result<bool, Fault> {
    let origins: Vec<String> = gone.iter().map(|id| origin(PRODUCT, *id)).collect();
    let known: Vec<Binding> = bound(PRODUCT, &origins).into_values().collect();
    if known.is_empty() {
        return Ok(true);
    }
    let mut live = live(&known)?;
    let reason = reason!("products.gone", number = live.len(), total = of).credential(TOKEN);
    if !brake::confirmed(PRODUCT, reason, &mut live, of as u64) {
        return Ok(false);
    }
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
                info!(record = binding.key, "product.archived");
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
    for some in known.chunks(NAMED) {
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
