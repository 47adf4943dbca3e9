//! Brings products and sets into the shop: drops what has not changed, matches what is new by brand
//! and article, saves and binds. MoySklad speaks for its fields; people keep the rest. Modifications
//! come with their product. What lies outside the chosen folder has no card; cards that should go into
//! the archive are gathered, so that people can be asked about many.

use std::collections::{HashMap, HashSet};

use rust_decimal::Decimal;
use tenon_sdk::erp::{catalog, directories};
use tenon_sdk::flow::keep::Aside;
use tenon_sdk::flow::{cards, tree};
use tenon_sdk::import::{
    Tally, Verdict, always, bound, fingerprint, match_by, pair, split_rivals, verdict,
};
use tenon_sdk::lenient::List as Many;
use tenon_sdk::model::{
    Binding, Directory, Effect, Fault, Key, Product, ProductFields, ProductKind, ProductLookup,
    ProductVariant, Reason, Subject,
};
use tenon_sdk::rejected::Retry;
use tenon_sdk::runtime::bindings;
use tenon_sdk::{info, reason, warn};
use uuid::Uuid;

use super::{Context, PRODUCT, categories};
use crate::api::meta::{self, Kind, origin};
use crate::api::records::{self, Currency, Listed, Named, VARIANTS};
use crate::api::walk::{Place, Row};
use crate::api::{NAMED, any_of};
use crate::map::brand::{self, Part};
use crate::map::product::{self, MAPPING_VERSION, OWNED, Places};

/// A product that does not tell which one it is.
const UNKNOWN: &str = "moysklad:product:?";

/// What a run has learned about what products point at.
pub struct Importer<'c> {
    pub context: &'c Context,
    owned: ProductFields,
    places: Places,
    /// Whether the dictionaries were read.
    is_informed: bool,
    /// The chosen folder and those below it, once they were read.
    branch: Option<Option<HashSet<Uuid>>>,
    /// What could not be taken, or goes.
    pub aside: Aside,
}

/// A product on its way.
struct Draft<'r> {
    id: Uuid,
    origin: String,
    read: records::Product<'r>,
    part: Part,
    variants: Vec<ProductVariant>,
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
            branch: None,
            aside: Aside::open(retry),
        }
    }

    fn reject(&mut self, draft: &Draft<'_>, reason: Reason, tally: &mut Tally) {
        let label = label(&draft.read, draft.id);
        let subject = Subject::Origin(draft.origin.clone());
        (self.aside.rejected).reject(&draft.id.to_string(), subject, &label, reason, tally);
    }

    /// The chosen folder and those below it; none where all are taken.
    fn branch(&mut self) -> Result<Option<&HashSet<Uuid>>, Fault> {
        if self.branch.is_none() {
            self.branch = Some(categories::branch(self.context)?);
        }
        Ok(self.branch.as_ref().and_then(Option::as_ref))
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

    /// Imports rows of a list; answers with the ids of those that belong into the shop.
    pub fn import(
        &mut self,
        list: &Listed<'_>,
        rows: &[Row<'_>],
        tally: &mut Tally,
    ) -> Result<Vec<Uuid>, Fault> {
        for id in rows.iter().filter_map(|row| row.id) {
            self.aside.rejected.settle(&id.to_string());
        }
        let (drafts, met) = self.changed(list, rows, tally)?;
        let (known, open): (Vec<_>, Vec<_>) =
            drafts.into_iter().partition(|draft| draft.key.is_some());
        // A product that is out of sale and not in the shop need not be there.
        let (mut open, passed): (Vec<_>, Vec<_>) = open
            .into_iter()
            .partition(|draft| !draft.read.archived.is_set());
        for _ in passed {
            tally.passed();
        }
        let known = self.put_aside(known, tally)?;
        self.save(list, known, tally)?;
        while !open.is_empty() {
            let (now, later) = split_rivals(open, |draft| vec![claim(&draft.part)]);
            let matched = self.matched(now, tally)?;
            self.save(list, matched, tally)?;
            open = later;
        }
        Ok(met)
    }

    /// Gathers those whose cards are live and go into the archive; answers with the others.
    fn put_aside<'r>(
        &mut self,
        drafts: Vec<Draft<'r>>,
        tally: &mut Tally,
    ) -> Result<Vec<Draft<'r>>, Fault> {
        let asked: Vec<ProductLookup> = (drafts.iter())
            .filter(|draft| draft.read.archived.is_set())
            .filter_map(|draft| Some(ProductLookup::Key(draft.key.clone()?)))
            .collect();
        if asked.is_empty() {
            return Ok(drafts);
        }
        let cards = catalog::find(&asked)?.into_iter().flatten();
        let live: HashSet<Key> = cards
            .filter(|card| !card.archived)
            .filter_map(|card| card.key)
            .collect();
        let goes = |draft: &Draft<'_>| {
            draft.read.archived.is_set() && draft.key.as_ref().is_some_and(|key| live.contains(key))
        };
        let (gone, stay): (Vec<_>, Vec<_>) = drafts.into_iter().partition(goes);
        for draft in gone {
            tally.passed();
            self.aside.archived.push(draft.origin);
        }
        Ok(stay)
    }

    /// The products that are to be written, and all that belong into the shop.
    fn changed<'r>(
        &mut self,
        list: &Listed<'_>,
        rows: &[Row<'r>],
        tally: &mut Tally,
    ) -> Result<(Vec<Draft<'r>>, Vec<Uuid>), Fault> {
        let mut read: Vec<Draft<'r>> = Vec::with_capacity(rows.len());
        let mut met = Vec::with_capacity(rows.len());
        let mut outside = Vec::new();
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
                        Some(id) => {
                            met.push(id);
                            let subject = Subject::Origin(origin(list.kind.word(), id));
                            let id = id.to_string();
                            (self.aside.rejected).reject(&id, subject, &id, reason, tally);
                        }
                        None => tally.reject(PRODUCT, Subject::Origin(UNKNOWN.into()), "?", reason),
                    }
                    continue;
                }
            };
            let origin = origin(list.kind.word(), id);
            let folder = product.product_folder.get().and_then(records::Ref::id);
            if let Some(branch) = self.branch()?
                && !folder.is_some_and(|folder| branch.contains(&folder))
            {
                outside.push(origin);
                tally.passed();
                continue;
            }
            let is_unmarked = product.code.get().is_none() && product.article.get().is_none();
            if list.kind == Kind::Bundle && is_unmarked {
                // People keep such sets for themselves.
                tally.passed();
                continue;
            }
            met.push(id);
            let draft = Draft {
                id,
                origin,
                part: Part::default(),
                variants: Vec::new(),
                key: None,
                bound: false,
                digest: Vec::new(),
                read: product,
            };
            match brand::part(draft.read.code.get(), draft.read.article.get()) {
                Ok(part) => read.push(Draft { part, ..draft }),
                Err(reason) => self.reject(&draft, reason, tally),
            }
        }
        // A card that was archived for that before is people's from then on.
        let known = bound(PRODUCT, &outside).into_values();
        let known = known.filter(|binding| binding.fingerprint.is_some());
        self.aside
            .outside
            .extend(known.map(|binding| binding.origin));
        if read.is_empty() {
            return Ok((Vec::new(), met));
        }
        self.inform()?;
        self.learn(&read)?;
        let mut variants = self.variants(&read)?;
        let origins: Vec<String> = read.iter().map(|draft| draft.origin.clone()).collect();
        let mut known = bound(PRODUCT, &origins);
        let mut drafts = Vec::new();
        for mut draft in read {
            let own = variants.remove(&draft.id).unwrap_or_default();
            draft.digest = self.digest(&draft.read, &own);
            let binding = known.remove(&draft.origin);
            let print = binding.as_ref().and_then(|one| one.fingerprint.as_deref());
            if print == Some(&draft.digest) {
                tally.count(Effect::Unchanged);
                continue;
            }
            match own.into_iter().map(|(.., variant)| variant).collect() {
                Ok(variants) => draft.variants = variants,
                Err(reason) => {
                    self.reject(&draft, reason, tally);
                    continue;
                }
            }
            draft.bound = binding.is_some();
            draft.key = binding.map(|binding| binding.key);
            drafts.push(draft);
        }
        Ok((drafts, met))
    }

    /// The modifications of those products that have some, with their digests.
    fn variants(&mut self, drafts: &[Draft<'_>]) -> Result<HashMap<Uuid, Vec<Modified>>, Fault> {
        let some = |draft: &&Draft<'_>| draft.read.variants_count.or_zero() > Decimal::ZERO;
        let products: Vec<Uuid> = (drafts.iter().filter(some)).map(|draft| draft.id).collect();
        let mut all: HashMap<Uuid, Vec<Modified>> = HashMap::new();
        for some in products.chunks(NAMED) {
            let filter = any_of("productid", some);
            let mut next = Some(Place::default());
            while let Some(place) = next {
                let list = Listed {
                    filter: &filter,
                    ..VARIANTS
                };
                let Some(answer) = self.context.api.page_if_shown(&list, &place)? else {
                    // What may not be seen is not gone.
                    self.owned = self.owned.difference(ProductFields::VARIANTS);
                    return Ok(HashMap::new());
                };
                let page = self.context.api.rows(&list, &place, &answer)?;
                for row in &page.rows {
                    let read: Result<records::Variant<'_>, _> =
                        serde_json::from_str(row.json.get());
                    let Ok(read) = read else { continue };
                    let Some(product) = read.product.get().and_then(records::Ref::id) else {
                        continue;
                    };
                    self.learn_prices(&read.sale_prices)?;
                    let origin = origin(Kind::Variant.word(), read.id);
                    let digest = fingerprint(MAPPING_VERSION, &read);
                    let variant = product::variant(&read, origin, &self.places);
                    all.entry(product)
                        .or_default()
                        .push((read.id, digest, variant));
                }
                next = page.next;
            }
        }
        for variants in all.values_mut() {
            variants.sort_by_key(|(id, ..)| *id);
        }
        Ok(all)
    }

    /// Of the product and of what it points at under other names in the shop.
    fn digest(&self, read: &records::Product<'_>, variants: &[Modified]) -> Vec<u8> {
        let folder = read.product_folder.get().and_then(records::Ref::id);
        let category = folder.and_then(|id| self.places.categories.get(&id));
        let unit = read.uom.get().and_then(records::Ref::id);
        let unit = unit.and_then(|id| self.places.units.get(&id));
        let variants: Vec<&[u8]> = variants.iter().map(|(_, digest, _)| &digest[..]).collect();
        let all = (read, unit, category, self.owned.bits(), variants);
        fingerprint(MAPPING_VERSION, &all)
    }

    /// Finds the price types that prices are of.
    fn learn_prices(&mut self, prices: &Many<records::SalePrice<'_>>) -> Result<(), Fault> {
        for (id, name) in product::price_types(prices) {
            if !self.places.price_types.contains_key(&id)
                && let Some(name) = name.get()
            {
                let origin = origin(Kind::PriceType.word(), id);
                let key = directories::ensure(Directory::PriceTypes, name, &origin)?;
                self.places.price_types.insert(id, key.key);
            }
        }
        Ok(())
    }

    /// Finds the price types and categories that products point at.
    fn learn(&mut self, drafts: &[Draft<'_>]) -> Result<(), Fault> {
        let products = drafts.iter().map(|draft| &draft.read);
        for product in products.clone() {
            self.learn_prices(&product.sale_prices)?;
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
        for binding in bound(tree::CATEGORY, &origins).into_values() {
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
            |draft| lookups(&draft.part),
            catalog::find,
            always,
            |draft, card: Product| found.push((draft, card)),
        )?;
        let keys: Vec<Key> = found
            .iter()
            .filter_map(|(_, card)| card.key.clone())
            .collect();
        let owners: HashMap<Key, (Kind, Uuid)> = bindings::by_key(PRODUCT, &keys)
            .into_iter()
            .flatten()
            .filter_map(|binding| Some((binding.key, meta::item_of(&binding.origin)?)))
            .collect();
        let mut alive = Vec::new();
        for kind in [Kind::Product, Kind::Bundle] {
            let of_kind = owners.values().filter(|(owner, _)| *owner == kind);
            let ids: Vec<Uuid> = of_kind.map(|(_, id)| *id).collect();
            alive.extend(self.context.api.alive(kind, &ids)?);
        }
        for (mut draft, card) in found {
            let Some(key) = card.key else { continue };
            if let Some((_, owner)) = owners.get(&key) {
                if alive.contains(owner) {
                    let reason = twin(&draft.part, *owner);
                    self.reject(&draft, reason, tally);
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

    fn save(
        &mut self,
        list: &Listed<'_>,
        drafts: Vec<Draft<'_>>,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        let kind = match list.kind {
            Kind::Bundle => ProductKind::Bundle,
            _ => ProductKind::Good,
        };
        let mut written = Vec::with_capacity(drafts.len());
        let mut given = Vec::with_capacity(drafts.len());
        for mut draft in drafts {
            let (part, variants) = (draft.part.clone(), std::mem::take(&mut draft.variants));
            match product::product(&draft.read, kind, part, variants, &self.places) {
                Ok(mut card) => {
                    card.key.clone_from(&draft.key);
                    card.origin = Some(draft.origin.clone());
                    written.push(card);
                    given.push(draft);
                }
                Err(reason) => self.reject(&draft, reason, tally),
            }
        }
        if written.is_empty() {
            return Ok(());
        }
        let mut pairs = Vec::with_capacity(written.len());
        let mut with_variants = Vec::new();
        let mut new = 0;
        for ((draft, card), outcome) in given
            .into_iter()
            .zip(&written)
            .zip(catalog::save(&written, self.owned)?)
        {
            match verdict(outcome)? {
                Verdict::Saved(saved) => {
                    tally.count(saved.effect);
                    new += u64::from(!draft.bound);
                    if !card.variants.is_empty() {
                        with_variants.push(ProductLookup::Key(saved.key.clone()));
                    }
                    pairs.push(Binding {
                        fingerprint: Some(draft.digest),
                        ..pair(PRODUCT, &saved.key, &draft.origin)
                    });
                }
                Verdict::Refused(reason) => self.reject(&draft, reason, tally),
                Verdict::Changed => {
                    let name = label(&draft.read, draft.id);
                    warn!("product.changed-meanwhile", name = name);
                    self.aside.rejected.wait(&draft.id.to_string());
                    tally.passed();
                }
            }
        }
        new += cards::bind_variants(&with_variants, &mut pairs)?;
        bindings::bind(&pairs);
        cards::count_bound(new)
    }
}

/// A modification with its digest; the inner error is why its product cannot be a card.
type Modified = (Uuid, Vec<u8>, Result<ProductVariant, Reason>);

/// What people know a product by.
pub fn label(read: &records::Product<'_>, id: Uuid) -> String {
    let known = read.name.owned().or_else(|| read.code.owned());
    known.unwrap_or_else(|| id.to_string())
}

/// That two products have one brand and article.
pub fn twin(part: &Part, other: Uuid) -> Reason {
    reason!("product.twin", brand = part.brand, article = part.sku).detail(other)
}

/// How a card is looked for: with the article as it is written, and without spaces in it.
pub fn lookups(part: &Part) -> Vec<ProductLookup> {
    let lookup = |sku: String| ProductLookup::BrandAndSku((part.brand.clone(), sku));
    let glued = brand::glued(&part.sku);
    let other = (glued != part.sku).then(|| lookup(glued));
    std::iter::once(lookup(part.sku.clone()))
        .chain(other)
        .collect()
}

/// What two products must not share to be certainly two.
pub fn claim(part: &Part) -> (String, String) {
    (part.brand.to_lowercase(), brand::glued(&part.sku))
}
