//! Stages, sources and carriers: found or made by name once, then known by their binding, so that
//! renaming one on either side breaks nothing and an admin can mend a wrong pair.

use std::collections::{BTreeMap, HashMap};

use tenon_sdk::erp::directories;
use tenon_sdk::import::{bound, pair};
use tenon_sdk::model::{Directory, Fault, Key};
use tenon_sdk::runtime::{bindings, storage};
use tenon_sdk::{state, warn};

use crate::api::{Crm, Named, Order};
use crate::map::origin;
use crate::settings::Booking;

const STAGE: &str = "stage";
const SOURCE: &str = "source";
const DELIVERY_SERVICE: &str = "delivery-service";

/// What is known of directories in this run. A key of none stands for an entry that the ERP does
/// not take: orders go without it.
#[derive(Debug, Default)]
pub struct Directories {
    stages: HashMap<i64, Option<Key>>,
    services: HashMap<i64, Option<Key>>,
    sources: HashMap<i64, Option<Key>>,
    currencies: HashMap<i64, Option<String>>,
    dictionary: Option<HashMap<i64, Named>>,
}

impl Directories {
    /// Begins with the pairs of the settings, which win over everything.
    pub fn new(booking: &Booking) -> Directories {
        Directories {
            stages: booking
                .stages
                .iter()
                .map(|(id, key)| (*id, Some(key.clone())))
                .collect(),
            ..Directories::default()
        }
    }

    /// Learns the currency of the orders' sources. KeyCRM is asked for its sources at most once a
    /// run, and only for one that is not known from before.
    ///
    /// # Errors
    /// The fault of the request.
    pub fn survey(&mut self, crm: &Crm, orders: &[&Order<'_>]) -> Result<(), Fault> {
        let mut ids: Vec<i64> = orders
            .iter()
            .filter_map(|order| order.source_id.get())
            .filter(|id| !self.currencies.contains_key(id))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(());
        }
        let keys: Vec<String> = ids.iter().map(|id| currency_key(*id)).collect();
        let stored = storage::get(&keys);
        for (id, currency) in ids.into_iter().zip(stored) {
            let currency = match currency {
                Some(stored) => String::from_utf8(stored)
                    .ok()
                    .filter(|code| !code.is_empty()),
                None => self.dictionary(crm)?.get(&id).and_then(currency_of),
            };
            self.currencies.insert(id, currency);
        }
        Ok(())
    }

    /// Finds or makes all that the orders point at.
    ///
    /// # Errors
    /// The fault of a call as a whole.
    pub fn ensure(&mut self, orders: &[&Order<'_>]) -> Result<(), Fault> {
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
                let known = self.dictionary.as_ref().and_then(|names| names.get(&id));
                sources.add(id, known.and_then(Named::label));
            }
        }
        stages.ensure(Directory::OrderStages, STAGE, "status", &mut self.stages)?;
        services.ensure(
            Directory::DeliveryServices,
            DELIVERY_SERVICE,
            "delivery-service",
            &mut self.services,
        )?;
        let fresh = sources.unknown(&self.sources);
        sources.ensure(Directory::OrderSources, SOURCE, "source", &mut self.sources)?;
        let currencies: Vec<_> = fresh
            .into_iter()
            .map(|id| {
                let code = self.currencies.get(&id).cloned().flatten();
                (currency_key(id), code.unwrap_or_default().into_bytes())
            })
            .collect();
        state::set(&currencies)
    }

    /// Stage of an order.
    pub fn stage(&self, order: &Order<'_>) -> Option<Key> {
        self.stages.get(&order.status_id.get()?).cloned().flatten()
    }

    /// Source of an order.
    pub fn source(&self, order: &Order<'_>) -> Option<Key> {
        self.sources.get(&order.source_id.get()?).cloned().flatten()
    }

    /// Carrier of an order.
    pub fn service(&self, order: &Order<'_>) -> Option<Key> {
        self.services
            .get(&delivery_service(order)?)
            .cloned()
            .flatten()
    }

    /// Currency of an order, unless its source has none.
    pub fn currency(&self, order: &Order<'_>) -> Option<&str> {
        self.currencies.get(&order.source_id.get()?)?.as_deref()
    }

    fn dictionary(&mut self, crm: &Crm) -> Result<&HashMap<i64, Named>, Fault> {
        if self.dictionary.is_none() {
            let sources: Vec<Named> = crm.all("/order/source", &[])?;
            let by_id = sources
                .into_iter()
                .filter_map(|source| Some((source.id.get()?, source)))
                .collect();
            self.dictionary = Some(by_id);
        }
        Ok(self.dictionary.get_or_insert_default())
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

fn currency_of(source: &Named) -> Option<String> {
    let code = source.currency_code.as_deref()?.trim().to_uppercase();
    (!code.is_empty()).then_some(code)
}

fn currency_key(source: i64) -> String {
    format!("source/{source}")
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

    fn unknown(&self, known: &HashMap<i64, Option<Key>>) -> Vec<i64> {
        let ids = self.0.keys().copied();
        ids.filter(|id| !known.contains_key(id)).collect()
    }

    /// `word` is what KeyCRM calls such a record.
    fn ensure(
        &mut self,
        directory: Directory,
        kind: &str,
        word: &str,
        known: &mut HashMap<i64, Option<Key>>,
    ) -> Result<(), Fault> {
        self.0.retain(|id, _| !known.contains_key(id));
        let origins: Vec<String> = self.0.keys().map(|id| origin::of(word, id)).collect();
        let paired = bound(kind, &origins);
        let mut made = Vec::new();
        for ((id, name), origin) in self.0.iter().zip(origins) {
            if let Some(binding) = paired.get(&origin) {
                known.insert(*id, Some(binding.key.clone()));
                continue;
            }
            let name = name
                .clone()
                .unwrap_or_else(|| format!("KeyCRM {} {id}", word.replace('-', " ")));
            let key = match directories::ensure(directory, &name, &origin) {
                Ok(key) => {
                    made.push(pair(kind, &key.key, &origin));
                    Some(key)
                }
                Err(Fault::Unsupported(reason) | Fault::Rejected(reason)) => {
                    warn!("{origin} is left out of orders: {}", reason.text());
                    None
                }
                Err(fault) => return Err(fault),
            };
            known.insert(*id, key.map(|saved| saved.key));
        }
        if !made.is_empty() {
            bindings::bind(&made);
        }
        Ok(())
    }
}
