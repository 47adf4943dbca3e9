//! Stages, sources and carriers: found or made by name once, then known by their pair, so that
//! renaming one on either side breaks nothing and an admin can mend a wrong pair.

use std::collections::{BTreeMap, HashMap, HashSet};

use tenon_sdk::erp::directories;
use tenon_sdk::flow::pull::Facts;
use tenon_sdk::import::{bound, pair};
use tenon_sdk::model::{Directory, Fault, Key};
use tenon_sdk::runtime::bindings;
use tenon_sdk::{reason, state, warn};

use crate::api::{Crm, Named, Order};
use crate::map::origin;
use crate::settings::Chosen;

/// Where the currencies of sources are kept.
const CURRENCIES: &str = "currencies";

/// What is known of directories in this run.
#[derive(Debug)]
pub struct Directories {
    stages: Shelf,
    services: Shelf,
    sources: Shelf,
    /// KeyCRM's own list of sources.
    listed: HashMap<i64, Named>,
    /// Currency of every source that was ever listed; empty where it had none of its own.
    currencies: BTreeMap<i64, String>,
    /// Whether the currencies are yet to be kept.
    is_new: bool,
}

impl Directories {
    /// Begins with the pairs of the settings, which win over everything.
    pub fn new(booking: &Chosen) -> Directories {
        let chosen = booking.stages.iter();
        let mut stages = Shelf::new(Directory::OrderStages, "stage", "status");
        stages.known = chosen.map(|(id, key)| (*id, Some(key.clone()))).collect();
        Directories {
            stages,
            services: Shelf::new(
                Directory::DeliveryServices,
                "delivery-service",
                "delivery-service",
            ),
            sources: Shelf::new(Directory::OrderSources, "source", "source"),
            listed: HashMap::new(),
            currencies: BTreeMap::new(),
            is_new: false,
        }
    }

    /// Asks KeyCRM for its sources: orders tell neither their names nor their currencies. Gives the
    /// currency of each.
    ///
    /// # Errors
    /// The fault of the request.
    pub fn learn_sources(&mut self, crm: &Crm) -> Result<Facts, Fault> {
        let sources = crm.sources()?.into_iter();
        self.listed = sources
            .filter_map(|source| Some((source.id.get()?, source)))
            .collect();
        // A source that is not listed any more has the currency that it had.
        let known: BTreeMap<i64, String> = state::load(CURRENCIES).unwrap_or_default();
        self.currencies.clone_from(&known);
        let listed = self.listed.iter();
        self.currencies
            .extend(listed.map(|(id, source)| (*id, currency_of(source))));
        self.is_new = self.currencies != known;
        let facts = self.currencies.iter();
        Ok(facts
            .map(|(id, code)| (format!("currency of source {id}"), code.clone()))
            .collect())
    }

    /// Recalls by their pairs all that the orders point at.
    ///
    /// # Errors
    /// The fault of a look-up as a whole.
    pub fn recall(&mut self, orders: &[&Order<'_>]) -> Result<(), Fault> {
        let orders = orders.iter();
        self.stages
            .recall(orders.clone().filter_map(|order| order.status_id.get()))?;
        self.services
            .recall(orders.clone().filter_map(|order| delivery_service(order)))?;
        self.sources
            .recall(orders.filter_map(|order| order.source_id.get()))
    }

    /// Finds or makes all that the orders point at and that was not recalled.
    ///
    /// # Errors
    /// The fault of a call as a whole.
    pub fn ensure(&mut self, orders: &[&Order<'_>]) -> Result<(), Fault> {
        if std::mem::take(&mut self.is_new) {
            state::save(CURRENCIES, &self.currencies)?;
        }
        let mut stages = Wanted::default();
        let mut services = Wanted::default();
        let mut sources = Wanted::default();
        for order in orders {
            if let Some(id) = order.status_id.get() {
                let name = order.status.get().and_then(|status| status.name.owned());
                stages.add(id, name);
            }
            if let Some(id) = delivery_service(order) {
                let service = order.shipping.get().and_then(|s| s.delivery_service.get());
                services.add(id, service.and_then(|service| service.name.owned()));
            }
            if let Some(id) = order.source_id.get() {
                sources.add(id, self.listed.get(&id).and_then(Named::label));
            }
        }
        self.stages.ensure(stages)?;
        self.services.ensure(services)?;
        self.sources.ensure(sources)
    }

    /// Stage of an order.
    pub fn stage(&self, order: &Order<'_>) -> Option<Key> {
        self.stages.get(order.status_id.get()?)
    }

    /// Stage of a status, where there is one.
    ///
    /// # Errors
    /// The fault of the look-up.
    pub fn stage_of(&mut self, status: i64) -> Result<Option<Key>, Fault> {
        self.stages.recall([status].into_iter())?;
        Ok(self.stages.get(status))
    }

    /// Source of an order.
    pub fn source(&self, order: &Order<'_>) -> Option<Key> {
        self.sources.get(order.source_id.get()?)
    }

    /// Carrier of an order.
    pub fn service(&self, order: &Order<'_>) -> Option<Key> {
        self.services.get(delivery_service(order)?)
    }

    /// Currency of an order, unless its source has none.
    pub fn currency(&self, order: &Order<'_>) -> Option<String> {
        let code = self.currencies.get(&order.source_id.get()?)?;
        (!code.is_empty()).then(|| code.clone())
    }
}

fn delivery_service(order: &Order<'_>) -> Option<i64> {
    let shipping = order.shipping.get()?;
    let nested = shipping.delivery_service.get();
    shipping
        .delivery_service_id
        .get()
        .or_else(|| nested?.id.get())
}

/// Empty where the source has none of its own.
fn currency_of(source: &Named) -> String {
    let code = source.currency_code.as_deref().unwrap_or_default();
    code.trim().to_uppercase()
}

/// Entries that orders ask for, with a name where one of them gives it.
#[derive(Default)]
struct Wanted(BTreeMap<i64, Option<String>>);

impl Wanted {
    fn add(&mut self, id: i64, name: Option<String>) {
        let known = self.0.entry(id).or_default();
        if known.is_none() {
            *known = name;
        }
    }
}

/// One directory.
#[derive(Debug)]
struct Shelf {
    directory: Directory,
    /// Kind of its pairs.
    kind: &'static str,
    /// What KeyCRM calls such a record.
    word: &'static str,
    /// A key of none stands for an entry that the ERP does not take: orders go without it.
    known: HashMap<i64, Option<Key>>,
    /// All keys of the ERP, once they are needed.
    there: Option<HashSet<Key>>,
}

impl Shelf {
    fn new(directory: Directory, kind: &'static str, word: &'static str) -> Shelf {
        Shelf {
            directory,
            kind,
            word,
            known: HashMap::new(),
            there: None,
        }
    }

    fn get(&self, id: i64) -> Option<Key> {
        self.known.get(&id).cloned().flatten()
    }

    /// One that was removed in the ERP is not recalled: it is looked for again.
    fn recall(&mut self, ids: impl Iterator<Item = i64>) -> Result<(), Fault> {
        let mut ids: Vec<i64> = ids.filter(|id| !self.known.contains_key(id)).collect();
        ids.sort_unstable();
        ids.dedup();
        let origins: Vec<String> = ids.iter().map(|id| origin::of(self.word, id)).collect();
        let paired = bound(self.kind, &origins);
        if paired.is_empty() {
            return Ok(());
        }
        if self.there.is_none() {
            let entries = directories::list(self.directory)?.into_iter();
            self.there = Some(entries.map(|entry| entry.key).collect());
        }
        let there = self.there.get_or_insert_default();
        for (id, origin) in ids.into_iter().zip(origins) {
            if let Some(binding) = paired.get(&origin)
                && there.contains(&binding.key)
            {
                self.known.insert(id, Some(binding.key.clone()));
            }
        }
        Ok(())
    }

    fn ensure(&mut self, wanted: Wanted) -> Result<(), Fault> {
        let mut made = Vec::new();
        for (id, name) in wanted.0 {
            if self.known.contains_key(&id) {
                continue;
            }
            let word = self.word.replace('-', " ");
            let name = name.unwrap_or_else(|| format!("KeyCRM {word} {id}"));
            let origin = origin::of(self.word, id);
            let key = match directories::ensure(self.directory, &name, &origin) {
                Ok(saved) => {
                    made.push(pair(self.kind, &saved.key, &origin));
                    Some(saved.key)
                }
                Err(Fault::Unsupported(reason) | Fault::Rejected(reason)) => {
                    warn!(reason!("directory.left-out", name = name).because(&reason));
                    None
                }
                Err(fault) => return Err(fault),
            };
            if let (Some(there), Some(key)) = (&mut self.there, &key) {
                there.insert(key.clone());
            }
            self.known.insert(id, key);
        }
        if !made.is_empty() {
            bindings::bind(&made);
        }
        Ok(())
    }
}
