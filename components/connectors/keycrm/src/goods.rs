//! Lines as products. An item of KeyCRM is found by its binding, then by SKU, then by its whole
//! name, and is made where it is not there; from then on its card belongs to people. The only
//! later change is a new variant of a product that came from here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use tenon_sdk::erp::catalog;
use tenon_sdk::import::{always, bound, bound_and_there, match_by, pair, saved, split_rivals};
use tenon_sdk::model::{
    Binding, Fault, Key, Product, ProductFields, ProductKind, ProductLookup, ProductVariant, Reason,
};
use tenon_sdk::runtime::bindings;
use tenon_sdk::{debug, identity, info, reason, warn};

use crate::api::{Crm, Line, Order};
use crate::catalogue::{Catalogue, ListedOffer};
use crate::map::{self, Pick, origin};

const PRODUCT: &str = "product";
const VARIANT: &str = "variant";

/// What tells one sold thing from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// An offer of the catalogue.
    Offer(i64),
    /// A one-off line with this SKU.
    Sku(String),
    /// A one-off line with nothing but this name.
    Name(String),
}

impl Item {
    /// The item of a line; none when nothing tells what it is.
    pub fn of(line: &Line<'_>) -> Option<Item> {
        if let Some(id) = line.offer.get().and_then(|offer| offer.id.get()) {
            return Some(Item::Offer(id));
        }
        if let Some(sku) = map::line_sku(line) {
            return Some(Item::Sku(sku.to_owned()));
        }
        Some(Item::Name(identity::name(line.name.get()?)))
    }

    fn origin(&self) -> String {
        match self {
            Item::Offer(id) => origin::offer(*id),
            Item::Sku(sku) => origin::of("item:sku", sku),
            Item::Name(name) => origin::of("item:name", name),
        }
    }
}

/// An item that is looked for.
pub struct Wanted<'o> {
    item: Item,
    line: &'o Line<'o>,
}

impl Wanted<'_> {
    fn product_id(&self) -> Option<i64> {
        self.line.offer.get()?.product_id.get()
    }

    /// Origin of the product that the item belongs to.
    fn product_origin(&self) -> String {
        self.product_id()
            .map_or_else(|| self.item.origin(), origin::product)
    }
}

/// What people are told of a match, by the name of the item.
type Told = fn(&str) -> Reason;

/// Products that this run knows, by item, or why the ERP does not take one.
#[derive(Debug)]
pub struct Goods {
    known: HashMap<Item, Result<Pick, Reason>>,
    catalogue: Catalogue,
    additions: BTreeMap<Key, Addition>,
    pairs: Vec<Binding>,
}

/// Variants that a product of ours still lacks.
#[derive(Debug)]
struct Addition {
    product: Product,
    offers: Vec<ListedOffer>,
}

impl Goods {
    /// Nothing known yet.
    pub fn new(service_categories: BTreeSet<i64>) -> Goods {
        Goods {
            known: HashMap::new(),
            catalogue: Catalogue::new(service_categories),
            additions: BTreeMap::new(),
            pairs: Vec::new(),
        }
    }

    /// Recalls the items of all lines by their pairs. One that was removed or merged in the ERP is not
    /// recalled: it is looked for again.
    ///
    /// # Errors
    /// The fault of the look-up as a whole.
    pub fn recall(&mut self, orders: &[&Order<'_>]) -> Result<(), Fault> {
        let wanted = self.unknown(orders);
        let origins: Vec<String> = wanted.iter().map(|wanted| wanted.item.origin()).collect();
        let products = bound_and_there(PRODUCT, &origins, |keys| {
            let lookups: Vec<_> = keys.iter().cloned().map(ProductLookup::Key).collect();
            catalog::find(&lookups)
        })?;
        if products.is_empty() {
            return Ok(());
        }
        let variants = bound(VARIANT, &origins);
        for (wanted, origin) in wanted.into_iter().zip(origins) {
            if let Some(product) = products.get(&origin) {
                let pick = Pick {
                    product: product.key.clone(),
                    variant: variants.get(&origin).map(|variant| variant.key.clone()),
                };
                self.known.insert(wanted.item, Ok(pick));
            }
        }
        Ok(())
    }

    /// The items of orders that are not known yet, each once.
    fn unknown<'o>(&self, orders: &[&'o Order<'o>]) -> Vec<Wanted<'o>> {
        let mut asked = HashSet::new();
        let mut open = Vec::new();
        for line in orders.iter().flat_map(|order| order.products.iter()) {
            if let Some(item) = Item::of(line)
                && !self.known.contains_key(&item)
                && asked.insert(item.clone())
            {
                open.push(Wanted { item, line });
            }
        }
        open
    }

    /// Finds the items that were not recalled, and reads from the catalogue what is needed to make
    /// the others. Makes requests, but writes nothing.
    ///
    /// # Errors
    /// The fault of a call as a whole.
    pub fn survey<'o>(
        &mut self,
        crm: &Crm,
        orders: &[&'o Order<'o>],
    ) -> Result<Vec<Wanted<'o>>, Fault> {
        let open = self.unknown(orders);
        let open = self.match_rules(open)?;
        let needed = open
            .iter()
            .filter_map(|wanted| self.catalogue.needed_for(wanted.line))
            .collect();
        self.catalogue.read(crm, needed)?;
        Ok(open)
    }

    /// Makes the items that were not found, and binds all.
    ///
    /// # Errors
    /// The fault of a call as a whole.
    pub fn make(&mut self, mut open: Vec<Wanted<'_>>) -> Result<(), Fault> {
        self.add_variants()?;
        // Of two new items with one SKU or name, the second is looked up again once the first is
        // saved, as if their orders had come one after the other.
        while !open.is_empty() {
            let (now, later) = split_rivals(self.plan(open), Creation::claims);
            self.create(now)?;
            let later = later.into_iter().flat_map(|creation| creation.wanted);
            open = self.match_rules(later.collect())?;
            self.add_variants()?;
        }
        if !self.pairs.is_empty() {
            bindings::bind(&std::mem::take(&mut self.pairs));
        }
        Ok(())
    }

    /// What a line is in the ERP.
    ///
    /// # Errors
    /// The reason why it is nothing.
    pub fn pick(&self, line: &Line<'_>) -> Result<Pick, Reason> {
        let item = Item::of(line).ok_or_else(|| reason!("order.line-empty"))?;
        let name = map::line_name(line).unwrap_or_default();
        match self.known.get(&item) {
            Some(Ok(pick)) => Ok(pick.clone()),
            Some(Err(reason)) => {
                Err(reason!("order.product-refused", product = name).because(reason))
            }
            None => Err(reason!("order.product-missing", product = name)),
        }
    }

    /// Tries the rules in their order; returns what none of them found.
    fn match_rules<'o>(&mut self, open: Vec<Wanted<'o>>) -> Result<Vec<Wanted<'o>>, Fault> {
        let mut hits: Vec<(Wanted<'o>, Product, Told)> = Vec::new();
        let open = match_by(
            open,
            |wanted| {
                let sku = map::line_sku(wanted.line);
                sku.map(|sku| ProductLookup::Sku(sku.to_owned()))
                    .into_iter()
                    .collect()
            },
            catalog::find,
            always,
            |wanted, product| {
                let told: Told = |name| reason!("product.matched-sku", name = name);
                hits.push((wanted, product, told));
            },
        )?;
        // A new offer of a product that is bound already.
        let parents: Vec<String> = open
            .iter()
            .filter_map(|wanted| wanted.product_id().map(origin::product))
            .collect();
        let parents = bound(PRODUCT, &parents);
        let open = match_by(
            open,
            |wanted| {
                let parent = parents.get(&wanted.product_origin());
                parent
                    .map(|binding| ProductLookup::Key(binding.key.clone()))
                    .into_iter()
                    .collect()
            },
            catalog::find,
            always,
            |wanted, product| {
                let told: Told = |name| reason!("product.matched-offer", name = name);
                hits.push((wanted, product, told));
            },
        )?;
        let open = match_by(
            open,
            |wanted| {
                let name = map::line_name(wanted.line);
                name.map(|name| ProductLookup::Name(name.to_owned()))
                    .into_iter()
                    .collect()
            },
            catalog::find,
            |wanted, product| identity::may_be(product, map::line_sku(wanted.line)),
            |wanted, product| {
                let told: Told = |name| reason!("product.matched-name", name = name);
                hits.push((wanted, product, told));
            },
        )?;
        for (wanted, product, told) in hits {
            self.take(wanted, product, told);
        }
        Ok(open)
    }

    /// Takes a product that a rule found for an item.
    fn take(&mut self, wanted: Wanted<'_>, product: Product, told: Told) {
        let Some(key) = product.key.clone() else {
            return;
        };
        let name = map::line_name(wanted.line).unwrap_or_default();
        let offer = ListedOffer::of(wanted.line);
        let sku = map::line_sku(wanted.line);
        let variant = match fit(&product, sku, offer.as_ref()) {
            Fit::Whole => {
                info!(record = key, told(name));
                None
            }
            Fit::Variant(variant) => {
                info!(record = key, told(&format!("{name}, {}", variant.name)));
                variant.key.clone()
            }
            Fit::None => {
                let ours = product.origin.as_deref().is_some_and(origin::is_ours);
                if ours && let Some(offer) = offer {
                    info!(record = key, "product.new-variant", name = name);
                    let addition = self.additions.entry(key).or_insert_with(|| Addition {
                        product,
                        offers: Vec::new(),
                    });
                    addition.offers.push(offer);
                    return;
                }
                warn!(record = key, "product.no-variant", name = name);
                None
            }
        };
        self.learn(wanted.item, key, variant);
    }

    fn learn(&mut self, item: Item, product: Key, variant: Option<Key>) {
        let origin = item.origin();
        self.pairs.push(pair(PRODUCT, &product, &origin));
        if let Some(variant) = &variant {
            self.pairs.push(pair(VARIANT, variant, &origin));
        }
        self.known.insert(item, Ok(Pick { product, variant }));
    }

    /// Adds the variants that products of ours lack.
    fn add_variants(&mut self) -> Result<(), Fault> {
        let additions: Vec<Addition> = std::mem::take(&mut self.additions).into_values().collect();
        if additions.is_empty() {
            return Ok(());
        }
        let extended: Vec<Product> = additions
            .iter()
            .map(|addition| {
                let mut product = addition.product.clone();
                product
                    .variants
                    .extend(addition.offers.iter().map(map::variant));
                product
            })
            .collect();
        let outcomes = catalog::save(&extended, ProductFields::VARIANTS)?;
        let mut written = Vec::new();
        for (addition, outcome) in additions.into_iter().zip(outcomes) {
            match saved(outcome)? {
                Ok(saved) => written.push((saved.key, addition.offers)),
                Err(reason) => self.refuse(
                    addition.offers.iter().map(|offer| Item::Offer(offer.id)),
                    &reason,
                ),
            }
        }
        self.learn_offers(written)
    }

    fn refuse(&mut self, items: impl Iterator<Item = Item>, reason: &Reason) {
        self.known
            .extend(items.map(|item| (item, Err(reason.clone()))));
    }

    /// Learns offers of products that were just written, with the keys that their variants got.
    fn learn_offers(&mut self, written: Vec<(Key, Vec<ListedOffer>)>) -> Result<(), Fault> {
        if written.is_empty() {
            return Ok(());
        }
        let lookups: Vec<ProductLookup> = written
            .iter()
            .map(|(key, _)| ProductLookup::Key(key.clone()))
            .collect();
        for ((key, offers), product) in written.into_iter().zip(catalog::find(&lookups)?) {
            let variants = product.map(|product| product.variants).unwrap_or_default();
            for offer in offers {
                let origin = origin::offer(offer.id);
                let variant = variants
                    .iter()
                    .find(|variant| variant.origin.as_deref() == Some(&origin))
                    .and_then(|variant| variant.key.clone());
                self.learn(Item::Offer(offer.id), key.clone(), variant);
            }
        }
        Ok(())
    }

    /// Gathers items into the products to be made.
    fn plan<'o>(&self, open: Vec<Wanted<'o>>) -> Vec<Creation<'o>> {
        let mut creations: Vec<Creation<'o>> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for wanted in open {
            match places.get(&wanted.product_origin()) {
                Some(place) => creations[*place].wanted.push(wanted),
                None => {
                    places.insert(wanted.product_origin(), creations.len());
                    creations.push(Creation {
                        product: Product::default(),
                        offers: Vec::new(),
                        wanted: vec![wanted],
                    });
                }
            }
        }
        for creation in &mut creations {
            creation.draw(&self.catalogue);
        }
        creations
    }

    fn create(&mut self, creations: Vec<Creation<'_>>) -> Result<(), Fault> {
        if creations.is_empty() {
            return Ok(());
        }
        let products: Vec<Product> = creations
            .iter()
            .map(|creation| creation.product.clone())
            .collect();
        // Nothing is owned: a card that stands there already keeps what people have written.
        let outcomes = catalog::save(&products, ProductFields::empty())?;
        let mut with_variants = Vec::new();
        for (creation, outcome) in creations.into_iter().zip(outcomes) {
            let key = match saved(outcome)? {
                Ok(saved) => saved.key,
                Err(reason) => {
                    let items = creation.wanted.into_iter().map(|wanted| wanted.item);
                    self.refuse(items, &reason);
                    continue;
                }
            };
            debug!("{key} is made for {}", creation.origin());
            self.pairs.push(pair(PRODUCT, &key, creation.origin()));
            if creation.product.kind == ProductKind::GoodWithVariants {
                with_variants.push((key, creation.offers));
                continue;
            }
            let offers = creation.offers.iter().map(|offer| Item::Offer(offer.id));
            let items = creation.wanted.into_iter().map(|wanted| wanted.item);
            for item in offers.chain(items) {
                if !self.known.contains_key(&item) {
                    self.learn(item, key.clone(), None);
                }
            }
        }
        self.learn_offers(with_variants)
    }
}

/// A product to be made, with all items that it stands for.
struct Creation<'o> {
    product: Product,
    /// Every offer of the product, ordered or not.
    offers: Vec<ListedOffer>,
    wanted: Vec<Wanted<'o>>,
}

impl Creation<'_> {
    /// Fills in the product: from the catalogue, or from the first line where it is not needed
    /// or does not know the product.
    fn draw(&mut self, catalogue: &Catalogue) {
        let Some(first) = self.wanted.first() else {
            return;
        };
        let needed = self
            .wanted
            .iter()
            .find_map(|wanted| catalogue.needed_for(wanted.line));
        let Some((id, listed)) = needed.and_then(|id| Some((id, catalogue.get(id)?))) else {
            self.product = map::line_product(first.line, first.product_origin());
            return;
        };
        let mut listed = listed.clone();
        if listed.name.is_empty() {
            listed.name = map::line_name(first.line).unwrap_or_default().to_owned();
        }
        for offer in self
            .wanted
            .iter()
            .filter_map(|wanted| ListedOffer::of(wanted.line))
        {
            if listed.offers.iter().all(|known| known.id != offer.id) {
                listed.offers.push(offer);
            }
        }
        self.product = map::listed_product(id, &listed, catalogue.is_service(&listed));
        self.offers = listed.offers;
    }

    fn origin(&self) -> &str {
        self.product.origin.as_deref().unwrap_or_default()
    }

    /// What another new product must not share to be certainly another one: where it does, the
    /// rules find the first.
    fn claims(&self) -> Vec<(&'static str, String)> {
        let variants = self.product.variants.iter();
        let skus = variants
            .filter_map(|variant| variant.sku.as_deref())
            .chain(self.product.sku.as_deref())
            .chain(
                self.wanted
                    .iter()
                    .filter_map(|wanted| map::line_sku(wanted.line)),
            )
            .map(|sku| ("SKU", sku.to_lowercase()));
        let names = self
            .wanted
            .iter()
            .filter_map(|wanted| map::line_name(wanted.line))
            .chain([self.product.name.as_str()])
            .map(|name| ("name", identity::name(name)));
        skus.chain(names).collect()
    }
}

/// How an item fits a product that was found for it.
#[derive(Debug, PartialEq)]
enum Fit<'p> {
    /// It is the product.
    Whole,
    /// It is this variant.
    Variant(&'p ProductVariant),
    /// It is none of the product's variants.
    None,
}

fn fit<'p>(product: &'p Product, sku: Option<&str>, offer: Option<&ListedOffer>) -> Fit<'p> {
    if product.kind != ProductKind::GoodWithVariants {
        return Fit::Whole;
    }
    let same_sku = |variant: &&ProductVariant| {
        let own = variant.sku.as_deref().map(|own| own.trim().to_lowercase());
        own.is_some() && own == sku.map(|sku| sku.trim().to_lowercase())
    };
    let same_characteristics = |variant: &&ProductVariant| {
        offer.is_some_and(|offer| {
            !offer.properties.is_empty()
                && map::same_characteristics(&variant.characteristics, &offer.properties)
        })
    };
    let mut variants = product.variants.iter();
    variants
        .clone()
        .find(same_sku)
        .or_else(|| variants.find(same_characteristics))
        .map_or(Fit::None, Fit::Variant)
}

#[cfg(test)]
mod tests {
    use super::{Creation, Fit, Goods, Item, Wanted, fit};
    use crate::api::Line;
    use crate::catalogue::ListedOffer;
    use std::collections::BTreeSet;
    use tenon_sdk::import::split_rivals;
    use tenon_sdk::model::{Attribute, Product, ProductKind, ProductVariant};

    fn line(json: &str) -> Line<'_> {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    #[test]
    fn an_item_is_known_by_its_offer_then_its_sku_then_its_name() {
        for (json, origin) in [
            (
                r#"{"sku":"A","name":"Cup","offer":{"id":310}}"#,
                Some("keycrm:any:offer:310"),
            ),
            (
                r#"{"sku":" A ","name":"Cup","offer":null}"#,
                Some("keycrm:any:item:sku:A"),
            ),
            (
                r#"{"sku":"","name":"Big  CUP "}"#,
                Some("keycrm:any:item:name:big cup"),
            ),
            (r#"{"sku":null,"name":null,"offer":[]}"#, None),
        ] {
            let item = Item::of(&line(json));
            assert_eq!(item.map(|item| item.origin()).as_deref(), origin, "{json}");
        }
    }

    fn property(name: &str, value: &str) -> Attribute {
        Attribute {
            origin: None,
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn a_variant_is_found_by_its_sku_before_its_characteristics() {
        let variant = |key: &str, sku: Option<&str>, size: &str| ProductVariant {
            key: Some(key.to_owned()),
            sku: sku.map(str::to_owned),
            characteristics: vec![property("Size", size)],
            ..ProductVariant::default()
        };
        let product = Product {
            kind: ProductKind::GoodWithVariants,
            variants: vec![variant("m", Some("S-M"), "M"), variant("l", None, "L")],
            ..Product::default()
        };
        let offer = |size: &str| ListedOffer {
            id: 1,
            sku: None,
            barcode: None,
            properties: vec![property("size", size)],
        };
        let key = |fit: Fit<'_>| match fit {
            Fit::Variant(variant) => variant.key.clone(),
            Fit::Whole | Fit::None => None,
        };
        let (large, other) = (offer("l"), offer("XL"));
        assert_eq!(
            key(fit(&product, Some("s-m"), Some(&large))).as_deref(),
            Some("m")
        );
        assert_eq!(
            key(fit(&product, Some("new"), Some(&large))).as_deref(),
            Some("l")
        );
        assert_eq!(fit(&product, Some("new"), Some(&other)), Fit::None);
        assert_eq!(fit(&product, None, None), Fit::None);
        let plain = Product::default();
        assert_eq!(fit(&plain, Some("S-M"), Some(&large)), Fit::Whole);
    }

    fn planned<'o>(lines: &'o [Line<'o>]) -> Vec<Creation<'o>> {
        let wanted = lines
            .iter()
            .filter_map(|line| {
                let item = Item::of(line)?;
                Some(Wanted { item, line })
            })
            .collect();
        Goods::new(BTreeSet::new()).plan(wanted)
    }

    #[test]
    fn two_new_items_with_one_sku_or_name_are_not_made_at_once() {
        let lines = [
            line(r#"{"sku":"A","name":"Cup","offer":{"id":1,"product_id":1,"is_default":true}}"#),
            line(r#"{"sku":"a","name":"Mug","offer":{"id":2,"product_id":2,"is_default":true}}"#),
            line(r#"{"sku":"B","name":"cup "}"#),
            line(r#"{"sku":"C","name":"Plate"}"#),
        ];
        let (now, later) = split_rivals(planned(&lines), Creation::claims);
        let names = |creations: &[Creation<'_>]| -> Vec<String> {
            creations
                .iter()
                .map(|creation| creation.product.name.clone())
                .collect()
        };
        assert_eq!(names(&now), ["Cup", "Plate"]);
        assert_eq!(names(&later), ["Mug", "cup"]);
    }

    #[test]
    fn offers_of_one_product_are_made_as_one() {
        let lines = [
            line(r#"{"name":"Cup","sku":"A","offer":{"id":1,"product_id":9,"is_default":true}}"#),
            line(r#"{"name":"Cup","sku":"A","offer":{"id":2,"product_id":9,"is_default":true}}"#),
        ];
        let creations = planned(&lines);
        assert_eq!(creations.len(), 1);
        assert_eq!(creations[0].origin(), "keycrm:any:product:9");
        assert_eq!(creations[0].wanted.len(), 2);
    }
}
