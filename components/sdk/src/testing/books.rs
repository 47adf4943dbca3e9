//! The records of the platform, in memory.

use std::collections::{BTreeMap, HashMap};

use super::records::{Given, Record};
use crate::identity;
use crate::model::{
    Category, Directory, Effect, Entry, Fault, Key, LinkedDocument, Money, Order, OrderDirection,
    OrderFields, OrderLookup, OrderPage, Partner, PartnerFields, PartnerLookup, PartnerPage,
    Product, ProductFields, ProductLookup, ProductPage, ProductVariant, Reason, RecordKind, Saved,
    StockLevel, StockPage,
};

/// The books of a tenant. Tests look into them, and do in them what people do.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// Entries by directory.
    pub directories: BTreeMap<Directory, Vec<Entry>>,
    /// Categories of products.
    pub categories: Vec<Category>,
    /// Products.
    pub products: Vec<Product>,
    /// Levels of stock.
    pub levels: Vec<StockLevel>,
    /// Partners.
    pub partners: Vec<Partner>,
    /// Balances of partners.
    pub balances: BTreeMap<Key, Money>,
    /// Orders.
    pub orders: Vec<Order>,
    /// What people see on orders.
    pub notes: BTreeMap<Key, (Vec<LinkedDocument>, Option<Reason>)>,
    /// Files, by the record's key and the file's name.
    pub files: BTreeMap<(Key, String), Vec<u8>>,
    made: u64,
    changes: Vec<(RecordKind, Key)>,
    given: HashMap<Key, Given>,
}

type Each = Result<Vec<Result<Saved, Fault>>, Fault>;

/// Writes one kind of records.
macro_rules! save {
    ($books:ident, $list:ident, $given:ident, $owned:ident, $kind:ident, $prefix:literal) => {
        Ok($given
            .iter()
            .map(|new| {
                let mut new = new.clone();
                new.own_parts();
                let place = $books.$list.iter().position(|old| match &new.key {
                    Some(key) => old.key.as_ref() == Some(key),
                    None => new.origin.is_some() && old.origin == new.origin,
                });
                let (place, effect, changes) = match (place, &new.key) {
                    (Some(place), _) => {
                        let old = &mut $books.$list[place];
                        if let (Some(ours), Some(theirs)) = (&new.version, &old.version)
                            && ours != theirs
                        {
                            return Err(Fault::Conflict(theirs.clone()));
                        }
                        let key = old.key.clone().unwrap_or_default();
                        let given = $books.given.entry(key).or_default();
                        let changes = old.take(&new, $owned, given);
                        match changes.is_empty() {
                            true => (place, Effect::Unchanged, changes),
                            false => (place, Effect::Updated, changes),
                        }
                    }
                    (None, Some(key)) => {
                        let reason = Reason::new("testing.no-record").detail(key);
                        return Err(Fault::Rejected(reason));
                    }
                    (None, None) => {
                        $books.made += 1;
                        let key = format!("{}-{}", $prefix, $books.made);
                        new.note($books.given.entry(key.clone()).or_default());
                        new.key = Some(key);
                        $books.$list.push(new);
                        ($books.$list.len() - 1, Effect::Created, Vec::new())
                    }
                };
                Ok($books.saved(RecordKind::$kind, effect, changes, |books| {
                    let record = &mut books.$list[place];
                    (record.key.clone().unwrap_or_default(), record.version())
                }))
            })
            .collect())
    };
}

/// A page of the changes of one kind.
macro_rules! changed {
    ($books:ident, $after:ident, $limit:ident, $kind:ident, $find:expr) => {{
        let from = $after.and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut seen: Vec<&Key> = Vec::new();
        let mut next = $books.changes.len();
        let mut more = false;
        for (place, (kind, key)) in $books.changes.iter().enumerate().skip(from) {
            if *kind != RecordKind::$kind || seen.contains(&key) {
                continue;
            }
            if seen.len() == $limit as usize {
                (next, more) = (place, true);
                break;
            }
            seen.push(key);
        }
        let found: Vec<_> = seen.into_iter().flat_map($find).collect();
        (found, next.to_string(), more)
    }};
}

impl Books {
    /// Puts an entry into a directory, as people do; answers with its key.
    pub fn enter(&mut self, directory: Directory, name: &str) -> Key {
        self.made += 1;
        let key = format!("entry-{}", self.made);
        let entries = self.directories.entry(directory).or_default();
        entries.push(entry(&key, name, None));
        key
    }

    /// Puts a product into the books, as people do; answers with its key.
    pub fn put_product(&mut self, product: Product) -> Key {
        self.put(RecordKind::Product, product, |books| &mut books.products)
    }

    /// Puts a partner into the books, as people do; answers with its key.
    pub fn put_partner(&mut self, partner: Partner) -> Key {
        self.put(RecordKind::Partner, partner, |books| &mut books.partners)
    }

    /// Puts an order into the books, as people do; answers with its key.
    pub fn put_order(&mut self, order: Order) -> Key {
        self.put(RecordKind::Order, order, |books| &mut books.orders)
    }

    fn put<R: Record>(
        &mut self,
        kind: RecordKind,
        mut record: R,
        list: impl FnOnce(&mut Books) -> &mut Vec<R>,
    ) -> Key {
        self.made += 1;
        let made = format!("record-{}", self.made);
        let key = record.key().get_or_insert(made).clone();
        if let Some(version) = record.version() {
            *version = Some("1".to_owned());
        }
        list(self).push(record);
        self.changes.push((kind, key.clone()));
        key
    }

    /// Sets a level, as people do, and tells of it.
    pub fn put_level(&mut self, level: StockLevel) {
        self.changes
            .push((RecordKind::Stock, level.product.clone()));
        let known = self
            .levels
            .iter_mut()
            .find(|known| same_place(known, &level));
        match known {
            Some(known) => *known = level,
            None => self.levels.push(level),
        }
    }

    /// Everything, without what depends on how often something was written.
    pub fn shown(&self) -> String {
        let mut plain = self.clone();
        for record in &mut plain.products {
            (record.version, record.changed_at) = (None, None);
        }
        for record in &mut plain.partners {
            (record.version, record.changed_at) = (None, None);
        }
        for record in &mut plain.orders {
            (record.version, record.changed_at) = (None, None);
        }
        (plain.changes, plain.given) = (Vec::new(), HashMap::new());
        format!("{plain:#?}")
    }

    /// What a save answers.
    fn saved(
        &mut self,
        kind: RecordKind,
        effect: Effect,
        changes: Vec<crate::model::FieldChange>,
        record: impl FnOnce(&mut Books) -> (Key, Option<&mut Option<String>>),
    ) -> Saved {
        let mut version = (self.changes.len() + 1).to_string();
        let (key, place) = record(self);
        if let Some(place) = place {
            match place {
                Some(known) if effect == Effect::Unchanged => version.clone_from(known),
                place => *place = Some(version.clone()),
            }
        }
        if effect != Effect::Unchanged {
            self.changes.push((kind, key.clone()));
        }
        Saved {
            key,
            effect,
            version,
            changes,
        }
    }

    pub(super) fn ensure(&mut self, directory: Directory, name: &str, origin: &str) -> Saved {
        let entries = self.directories.entry(directory).or_default();
        let by_origin = entries.iter();
        let mut by_origin = by_origin.filter(|entry| entry.origin.as_deref() == Some(origin));
        let by_name = |entry: &&Entry| identity::name(&entry.name) == identity::name(name);
        let known = by_origin.next().or_else(|| entries.iter().find(by_name));
        let (key, effect) = match known {
            Some(entry) => (entry.key.clone(), Effect::Unchanged),
            None => {
                self.made += 1;
                let key = format!("entry-{}", self.made);
                entries.push(entry(&key, name, Some(origin)));
                (key, Effect::Created)
            }
        };
        Saved {
            key,
            effect,
            version: String::new(),
            changes: Vec::new(),
        }
    }

    pub(super) fn save_products(&mut self, products: &[Product], owned: ProductFields) -> Each {
        save!(self, products, products, owned, Product, "product")
    }

    pub(super) fn save_partners(&mut self, partners: &[Partner], owned: PartnerFields) -> Each {
        save!(self, partners, partners, owned, Partner, "partner")
    }

    pub(super) fn save_orders(&mut self, orders: &[Order], owned: OrderFields) -> Each {
        save!(self, orders, orders, owned, Order, "order")
    }

    pub(super) fn save_categories(&mut self, categories: &[Category]) -> Each {
        Ok(categories
            .iter()
            .map(|new| {
                let known = self.categories.iter_mut().find(|old| match &new.key {
                    Some(key) => old.key.as_ref() == Some(key),
                    None => new.origin.is_some() && old.origin == new.origin,
                });
                let (key, effect) = match known {
                    Some(old) => {
                        let (key, before) = (old.key.clone(), old.clone());
                        *old = Category {
                            key: key.clone(),
                            ..new.clone()
                        };
                        match *old == before {
                            true => (key, Effect::Unchanged),
                            false => (key, Effect::Updated),
                        }
                    }
                    None => {
                        self.made += 1;
                        let key = Some(format!("category-{}", self.made));
                        self.categories.push(Category {
                            key: key.clone(),
                            ..new.clone()
                        });
                        (key, Effect::Created)
                    }
                };
                let key = key.unwrap_or_default();
                Ok(self.saved(RecordKind::Category, effect, Vec::new(), |_| (key, None)))
            })
            .collect())
    }

    pub(super) fn set_stock(&mut self, levels: &[StockLevel]) -> Each {
        Ok(levels
            .iter()
            .map(|level| {
                let known = self.levels.iter().find(|known| same_place(known, level));
                let effect = match known {
                    None => Effect::Created,
                    Some(known) if known == level => Effect::Unchanged,
                    Some(_) => Effect::Updated,
                };
                if effect != Effect::Unchanged {
                    self.put_level(level.clone());
                }
                Ok(Saved {
                    key: level.product.clone(),
                    effect,
                    version: String::new(),
                    changes: Vec::new(),
                })
            })
            .collect())
    }

    pub(super) fn find_products(&self, lookups: &[ProductLookup]) -> Vec<Option<Product>> {
        let all = |fits: &dyn Fn(&Product) -> bool| {
            let mut hits: Vec<&Product> = self.products.iter().filter(|one| fits(one)).collect();
            hits.sort_by_key(|one| one.archived);
            hits.first().map(|one| (*one).clone())
        };
        let find = |lookup: &ProductLookup| match lookup {
            ProductLookup::Key(key) => all(&|one| one.key.as_ref() == Some(key)),
            ProductLookup::Origin(origin) => all(&|one| one.origin.as_ref() == Some(origin)),
            ProductLookup::Sku(sku) => {
                let is = |own: &Option<String>| own.as_ref() == Some(sku);
                let variant = |one: &ProductVariant| is(&one.sku);
                all(&|one| one.variants.iter().any(variant)).or_else(|| all(&|one| is(&one.sku)))
            }
            ProductLookup::BrandAndSku((brand, sku)) => {
                all(&|one| one.brand.as_ref() == Some(brand) && one.sku.as_ref() == Some(sku))
            }
            ProductLookup::Name(name) => {
                all(&|one| identity::name(&one.name) == identity::name(name))
            }
        };
        lookups.iter().map(find).collect()
    }

    pub(super) fn find_partners(&self, lookups: &[PartnerLookup]) -> Vec<Option<Partner>> {
        let find = |lookup: &PartnerLookup| {
            let fits = |one: &&Partner| match lookup {
                PartnerLookup::Key(key) => one.key.as_ref() == Some(key),
                PartnerLookup::Origin(origin) => one.origin.as_ref() == Some(origin),
                PartnerLookup::TaxId(tax_id) => one.tax_id.as_ref() == Some(tax_id),
                PartnerLookup::Email(email) => {
                    let mut own = one.emails.iter();
                    own.any(|own| own.trim().to_lowercase() == email.trim().to_lowercase())
                }
                PartnerLookup::Phone(phone) => {
                    let mut own = one.phones.iter();
                    own.any(|own| identity::phone_key(own) == identity::phone_key(phone))
                }
            };
            self.partners.iter().find(fits).cloned()
        };
        lookups.iter().map(find).collect()
    }

    pub(super) fn find_orders(&self, lookups: &[OrderLookup]) -> Vec<Option<Order>> {
        let find = |lookup: &OrderLookup| {
            let fits = |one: &&Order| match lookup {
                OrderLookup::Key(key) => one.key.as_ref() == Some(key),
                OrderLookup::Origin(origin) => one.origin.as_ref() == Some(origin),
                OrderLookup::Number(number) => one.number.as_ref() == Some(number),
            };
            self.orders.iter().find(fits).cloned()
        };
        lookups.iter().map(find).collect()
    }

    pub(super) fn levels_of(
        &self,
        products: &[Key],
        warehouse: Option<&str>,
    ) -> Vec<Vec<StockLevel>> {
        let of = |product: &Key| {
            let own = self.levels.iter().filter(|level| {
                level.product == *product
                    && warehouse.is_none_or(|warehouse| level.warehouse == warehouse)
            });
            own.cloned().collect()
        };
        products.iter().map(of).collect()
    }

    pub(super) fn changed_products(&self, after: Option<&str>, limit: u32) -> ProductPage {
        let (products, next, more) = changed!(self, after, limit, Product, |key| {
            self.find_products(&[ProductLookup::Key(key.clone())])
                .pop()?
        });
        ProductPage {
            products,
            removed: Vec::new(),
            next,
            more,
        }
    }

    pub(super) fn changed_partners(&self, after: Option<&str>, limit: u32) -> PartnerPage {
        let (partners, next, more) = changed!(self, after, limit, Partner, |key| {
            self.find_partners(&[PartnerLookup::Key(key.clone())])
                .pop()?
        });
        PartnerPage {
            partners,
            next,
            more,
        }
    }

    pub(super) fn changed_orders(
        &self,
        direction: OrderDirection,
        after: Option<&str>,
        limit: u32,
    ) -> OrderPage {
        let (orders, next, more) = changed!(self, after, limit, Order, |key| {
            let found = self.find_orders(&[OrderLookup::Key(key.clone())]).pop()?;
            found.filter(|order| order.direction == direction)
        });
        OrderPage {
            orders,
            removed: Vec::new(),
            next,
            more,
        }
    }

    pub(super) fn changed_stock(&self, after: Option<&str>, limit: u32) -> StockPage {
        let (levels, next, more) = changed!(self, after, limit, Stock, |key| {
            self.levels_of(std::slice::from_ref(key), None).pop()
        });
        StockPage {
            levels: levels.into_iter().flatten().collect(),
            next,
            more,
        }
    }
}

fn entry(key: &str, name: &str, origin: Option<&str>) -> Entry {
    Entry {
        key: key.to_owned(),
        name: name.to_owned(),
        code: None,
        origin: origin.map(str::to_owned),
        archived: false,
        organization: None,
        warehouse: None,
    }
}

fn same_place(known: &StockLevel, level: &StockLevel) -> bool {
    (&known.product, &known.product_variant, &known.warehouse)
        == (&level.product, &level.product_variant, &level.warehouse)
}
