//! What a record points at: partners and products, found or made.
//!
//! A card is found by its pair first, while the platform still has what it is paired with; then by the
//! rules of its kind, each for all cards at once; else it is made, and from then on belongs to people.
//! Of two new cards that may be one, the second is looked up again once the first is saved.

use std::collections::{HashMap, HashSet};

use crate::erp::{catalog, directories, partners};
use crate::import::{bound, match_by, pair, saved, split_rivals};
use crate::model::{
    Binding, Directory, Fault, Key, Origin, Partner, PartnerFields, PartnerLookup, Product,
    ProductFields, ProductLookup, Reason, Saved,
};
use crate::runtime::bindings;
use crate::{identity, info, reason, warn};

/// So many cards are kept in memory.
const MOST: usize = 20_000;

/// What a card stands for on the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Its key.
    pub key: Key,
    /// The variant, where the card is one of a product's.
    pub variant: Option<Key>,
}

/// All that the records of a page point at.
#[derive(Debug, Default)]
pub struct Needs {
    partners: Cards<Partner>,
    products: Cards<Product>,
    entries: HashMap<Origin, Option<Key>>,
    wanted_entries: Vec<(Directory, String, Origin)>,
}

impl Needs {
    /// A partner of this origin is needed: one of its role with its tax id, one of its phones or one of
    /// its e-mails, else a new one like this. Words that stand in for a phone or an e-mail find nobody.
    pub fn partner(&mut self, card: Partner) {
        self.partners.want(card);
    }

    /// A product of this origin is needed: one with its SKU, or one of its name whose SKU does not speak
    /// against it, else a new one like this.
    pub fn product(&mut self, card: Product) {
        self.products.want(card);
    }

    /// A product as [`Needs::product`] takes it, which is not made where it is not found: the record
    /// itself becomes it.
    pub fn same_product(&mut self, card: Product) {
        self.products.found_only.extend(card.origin.clone());
        self.products.want(card);
    }

    /// An entry of a directory is needed: the one of this origin or name, else a new one.
    pub fn entry(&mut self, directory: Directory, name: &str, origin: Origin) {
        let mut wanted = self.wanted_entries.iter();
        if !self.entries.contains_key(&origin) && !wanted.any(|(_, _, known)| *known == origin) {
            self.wanted_entries
                .push((directory, name.to_owned(), origin));
        }
    }

    /// The entry of an origin; none where the platform does not take it, which people were told.
    pub fn entry_of(&self, origin: &str) -> Option<Key> {
        self.entries.get(origin).cloned().flatten()
    }

    /// The partner of an origin.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn partner_of(&self, origin: &str) -> Result<Key, Reason> {
        self.partners.of(origin).map(|pick| pick.key)
    }

    /// The product of an origin.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn product_of(&self, origin: &str) -> Result<Pick, Reason> {
        self.products.of(origin)
    }

    /// Forgets what is known once it is much; it is found again by its pair.
    pub(super) fn forget_much(&mut self) {
        if self.partners.known.len() + self.products.known.len() > MOST {
            *self = Needs::default();
        }
    }

    /// Finds or makes all that is needed.
    ///
    /// # Errors
    /// The fault of a call as a whole.
    pub fn settle(&mut self) -> Result<(), Fault> {
        for (directory, name, origin) in std::mem::take(&mut self.wanted_entries) {
            let key = match directories::ensure(directory, &name, &origin) {
                Ok(saved) => Some(saved.key),
                Err(Fault::Unsupported(reason) | Fault::Rejected(reason)) => {
                    warn!(reason!("sdk.need.left-out", name = name).because(&reason));
                    None
                }
                Err(fault) => return Err(fault),
            };
            self.entries.insert(origin, key);
        }
        self.partners.settle()?;
        self.products.settle()
    }
}

/// A rule by which a card is found.
struct Rule<T: Card> {
    lookups: fn(&T) -> Vec<T::Lookup>,
    told: fn(&str) -> Reason,
}

/// A record that others point at.
trait Card: Clone + 'static {
    /// Kind of its pairs.
    const KIND: &'static str;
    /// How it is found.
    type Lookup;

    fn origin(&self) -> Option<&Origin>;
    fn key(&self) -> Option<&Key>;
    fn name(&self) -> &str;
    fn by_key(key: Key) -> Self::Lookup;
    fn rules() -> &'static [Rule<Self>];
    /// Whether a hit of a rule may be it.
    fn may_be(&self, hit: &Self) -> bool;
    /// What no two cards share that are made at once.
    fn claims(&self) -> Vec<String>;
    fn find(lookups: &[Self::Lookup]) -> Result<Vec<Option<Self>>, Fault>;
    fn make(cards: &[Self]) -> Result<Vec<Result<Saved, Fault>>, Fault>;
    /// Its variant that the wanted one is.
    fn variant(&self, _wanted: &Self) -> Option<Key> {
        None
    }
}

#[derive(Debug)]
struct Cards<T> {
    wanted: Vec<T>,
    /// Origins of those that are not made.
    found_only: HashSet<Origin>,
    known: HashMap<Origin, Result<Pick, Reason>>,
}

impl<T> Default for Cards<T> {
    fn default() -> Self {
        Cards {
            wanted: Vec::new(),
            found_only: HashSet::new(),
            known: HashMap::new(),
        }
    }
}

impl<T: Card> Cards<T> {
    fn want(&mut self, card: T) {
        let is_new = |origin: &Origin| {
            let mut wanted = self.wanted.iter();
            !self.known.contains_key(origin) && !wanted.any(|one| one.origin() == Some(origin))
        };
        if card.origin().is_some_and(is_new) {
            self.wanted.push(card);
        }
    }

    fn of(&self, origin: &str) -> Result<Pick, Reason> {
        match self.known.get(origin) {
            Some(known) => known.clone(),
            None => Err(reason!("sdk.need.unasked", origin = origin)),
        }
    }

    fn settle(&mut self) -> Result<(), Fault> {
        let wanted = std::mem::take(&mut self.wanted);
        let mut pairs = Vec::new();
        let mut open = self.by_pair(wanted)?;
        while !open.is_empty() {
            open = self.by_rules(open, &mut pairs)?;
            open.retain(|card| {
                card.origin()
                    .is_some_and(|origin| !self.found_only.contains(origin))
            });
            let (now, later) = split_rivals(open, T::claims);
            self.make(now, &mut pairs)?;
            open = later;
        }
        if !pairs.is_empty() {
            bindings::bind(&pairs);
        }
        Ok(())
    }

    fn know(&mut self, card: &T, pick: Result<Pick, Reason>) {
        if let Some(origin) = card.origin() {
            self.known.insert(origin.clone(), pick);
        }
    }

    /// Takes those whose pair leads to a record that is still there.
    fn by_pair(&mut self, wanted: Vec<T>) -> Result<Vec<T>, Fault> {
        let origins: Vec<Origin> = wanted
            .iter()
            .filter_map(|card| card.origin().cloned())
            .collect();
        let known = bound(T::KIND, &origins);
        let key = |card: &T| card.origin().and_then(|origin| known.get(origin));
        let mut hits = Vec::new();
        let open = match_by(
            wanted,
            |card| {
                key(card)
                    .map(|pair| T::by_key(pair.key.clone()))
                    .into_iter()
                    .collect()
            },
            T::find,
            |_, _| true,
            |card, hit| hits.push((card, hit)),
        )?;
        for (card, hit) in hits {
            let pick = pick(&card, &hit);
            self.know(
                &card,
                pick.ok_or_else(|| reason!("sdk.need.gone", name = card.name())),
            );
        }
        Ok(open)
    }

    fn by_rules(&mut self, mut open: Vec<T>, pairs: &mut Vec<Binding>) -> Result<Vec<T>, Fault> {
        for rule in T::rules() {
            let mut hits = Vec::new();
            open = match_by(open, rule.lookups, T::find, T::may_be, |card, hit| {
                hits.push((card, hit));
            })?;
            for (card, hit) in hits {
                let (Some(pick), Some(origin)) = (pick(&card, &hit), card.origin()) else {
                    continue;
                };
                info!(record = pick.key, (rule.told)(card.name()));
                pairs.push(pair(T::KIND, &pick.key, origin));
                self.know(&card, Ok(pick));
            }
        }
        Ok(open)
    }

    fn make(&mut self, new: Vec<T>, pairs: &mut Vec<Binding>) -> Result<(), Fault> {
        if new.is_empty() {
            return Ok(());
        }
        let outcomes = T::make(&new)?;
        for (card, outcome) in new.into_iter().zip(outcomes) {
            let made = saved(outcome)?.map(|saved| Pick {
                key: saved.key,
                variant: None,
            });
            if let (Ok(pick), Some(origin)) = (&made, card.origin()) {
                pairs.push(pair(T::KIND, &pick.key, origin));
            }
            let refused =
                |reason: Reason| reason!("sdk.need.refused", name = card.name()).because(&reason);
            self.know(&card, made.map_err(refused));
        }
        Ok(())
    }
}

fn pick<T: Card>(wanted: &T, hit: &T) -> Option<Pick> {
    Some(Pick {
        key: hit.key()?.clone(),
        variant: hit.variant(wanted),
    })
}

/// What all cards have by the same names.
macro_rules! fields {
    () => {
        fn origin(&self) -> Option<&Origin> {
            self.origin.as_ref()
        }

        fn key(&self) -> Option<&Key> {
            self.key.as_ref()
        }

        fn name(&self) -> &str {
            &self.name
        }
    };
}

impl Card for Partner {
    const KIND: &'static str = "partner";
    type Lookup = PartnerLookup;

    fields!();

    fn by_key(key: Key) -> PartnerLookup {
        PartnerLookup::Key(key)
    }

    fn rules() -> &'static [Rule<Partner>] {
        &[
            Rule {
                lookups: |card| {
                    card.tax_id
                        .clone()
                        .map(PartnerLookup::TaxId)
                        .into_iter()
                        .collect()
                },
                told: |name| reason!("sdk.need.by-tax-id", name = name),
            },
            Rule {
                lookups: |card| phones(card).map(PartnerLookup::Phone).collect(),
                told: |name| reason!("sdk.need.by-phone", name = name),
            },
            Rule {
                lookups: |card| emails(card).map(PartnerLookup::Email).collect(),
                told: |name| reason!("sdk.need.by-email", name = name),
            },
        ]
    }

    fn may_be(&self, hit: &Partner) -> bool {
        let other = |own: &Option<String>, theirs: &Option<String>| {
            own.is_some() && theirs.is_some() && own != theirs
        };
        self.role == hit.role && !other(&self.tax_id, &hit.tax_id)
    }

    fn claims(&self) -> Vec<String> {
        let phones = phones(self).map(|phone| identity::phone_key(&phone));
        phones
            .chain(emails(self))
            .chain(self.tax_id.clone())
            .collect()
    }

    fn find(lookups: &[PartnerLookup]) -> Result<Vec<Option<Partner>>, Fault> {
        partners::find(lookups)
    }

    fn make(cards: &[Partner]) -> Result<Vec<Result<Saved, Fault>>, Fault> {
        // Nothing is owned: a card that stands there already keeps what people have written.
        partners::save(cards, PartnerFields::empty())
    }
}

fn phones(card: &Partner) -> impl Iterator<Item = String> {
    card.phones.iter().flat_map(|phone| identity::phones(phone))
}

fn emails(card: &Partner) -> impl Iterator<Item = String> {
    card.emails
        .iter()
        .filter_map(|email| identity::email(email))
}

impl Card for Product {
    const KIND: &'static str = "product";
    type Lookup = ProductLookup;

    fields!();

    fn by_key(key: Key) -> ProductLookup {
        ProductLookup::Key(key)
    }

    fn rules() -> &'static [Rule<Product>] {
        &[
            Rule {
                lookups: |card| {
                    card.sku
                        .clone()
                        .map(ProductLookup::Sku)
                        .into_iter()
                        .collect()
                },
                told: |name| reason!("sdk.need.by-sku", name = name),
            },
            Rule {
                lookups: |card| vec![ProductLookup::Name(card.name.clone())],
                told: |name| reason!("sdk.need.by-name", name = name),
            },
        ]
    }

    fn may_be(&self, hit: &Product) -> bool {
        hit.variant(self).is_some() || identity::may_be(hit, self.sku.as_deref())
    }

    fn claims(&self) -> Vec<String> {
        let mut claims: HashSet<String> = self.sku.iter().map(|sku| format!("sku {sku}")).collect();
        claims.insert(format!("name {}", identity::name(&self.name)));
        claims.into_iter().collect()
    }

    fn find(lookups: &[ProductLookup]) -> Result<Vec<Option<Product>>, Fault> {
        catalog::find(lookups)
    }

    fn make(cards: &[Product]) -> Result<Vec<Result<Saved, Fault>>, Fault> {
        catalog::save(cards, ProductFields::empty())
    }

    fn variant(&self, wanted: &Product) -> Option<Key> {
        let sku = wanted.sku.as_ref()?;
        let mut variants = self.variants.iter();
        let variant = variants.find(|variant| variant.sku.as_ref() == Some(sku));
        variant?.key.clone()
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests;
