//! Brings a page of orders into the ERP: drops what has not changed, asks KeyCRM for what is
//! missing, finds or makes what the orders point at, saves and binds.

use std::collections::{BTreeMap, HashMap, HashSet};

use tenon_sdk::erp::orders;
use tenon_sdk::import::{self, Verdict, bound, fingerprint};
use tenon_sdk::model::{self, Binding, Effect, Fault, Key, OrderFields, OrderLookup, Reason};
use tenon_sdk::runtime::bindings;
use tenon_sdk::{info, reason, warn};

use crate::api::{Crm, Order};
use crate::directories::Directories;
use crate::goods::Goods;
use crate::map::{self, Booked, Places, origin};
use crate::partners::Partners;
use crate::settings::Settings;

const ORDER: &str = "order";

/// What became of an order.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It stands in the ERP.
    Taken(Effect),
    /// Its status is not among the chosen ones.
    Passed,
    /// It cannot be taken, for this reason.
    Refused(Reason),
}

/// All that a run has learned about what orders point at.
pub struct Importer<'s> {
    settings: &'s Settings,
    crm: &'s Crm,
    /// Of the settings that decide what an order looks like.
    booking_digest: Vec<u8>,
    directories: Directories,
    partners: Partners,
    goods: Goods,
    unmapped_managers: HashSet<i64>,
    fee_without_product: bool,
}

/// An order on its way into the ERP.
struct Draft<'o> {
    /// Its place in the page.
    place: usize,
    order: &'o Order<'o>,
    origin: String,
    fingerprint: Vec<u8>,
    key: Option<Key>,
}

impl<'s> Importer<'s> {
    /// Knows nothing yet.
    pub fn new(settings: &'s Settings, crm: &'s Crm) -> Importer<'s> {
        Importer {
            settings,
            crm,
            booking_digest: fingerprint(map::MAPPING_VERSION, &settings.booking),
            directories: Directories::new(&settings.booking),
            partners: Partners::default(),
            goods: Goods::new(settings.service_categories.clone()),
            unmapped_managers: HashSet::new(),
            fee_without_product: false,
        }
    }

    /// Imports orders, all of which have an id; answers with the fate of each, in their order.
    ///
    /// # Errors
    /// The fault of a call as a whole; nothing of the page is kept then.
    pub fn import(&mut self, page: &[&Order<'_>]) -> Result<Vec<Fate>, Fault> {
        let mut fates = vec![Fate::Passed; page.len()];
        let drafts = self.changed(page, &mut fates);
        if drafts.is_empty() {
            return Ok(fates);
        }
        let changed: Vec<&Order<'_>> = drafts.iter().map(|draft| draft.order).collect();

        // Requests first, writes afterwards.
        self.directories.survey(self.crm, &changed)?;
        let missing = self.goods.survey(self.crm, &changed)?;
        let present = read_present(&drafts)?;

        self.directories.ensure(&changed)?;
        self.partners.ensure(&changed)?;
        self.goods.make(missing)?;

        let mut batches: BTreeMap<OrderFields, Vec<(Draft<'_>, Booked)>> = BTreeMap::new();
        for draft in drafts {
            match self.book(&draft, draft.key.as_ref().and_then(|key| present.get(key))) {
                Ok(booked) => batches
                    .entry(booked.owned)
                    .or_default()
                    .push((draft, booked)),
                Err(reason) => fates[draft.place] = Fate::Refused(reason),
            }
        }
        let mut bound = Vec::new();
        for (owned, batch) in batches {
            self.save(owned, batch, &mut fates, &mut bound)?;
        }
        if !bound.is_empty() {
            bindings::bind(&bound);
        }
        Ok(fates)
    }

    /// The orders that are to be written. The others have not changed, or are not wanted.
    fn changed<'o>(&self, page: &[&'o Order<'o>], fates: &mut [Fate]) -> Vec<Draft<'o>> {
        let origins: Vec<String> = page
            .iter()
            .map(|order| origin::order(order.id.get().unwrap_or_default()))
            .collect();
        let mut known = bound(ORDER, &origins);
        let mut drafts = Vec::new();
        for (place, (order, origin)) in page.iter().zip(origins).enumerate() {
            let binding = known.remove(&origin);
            // The choice of statuses is for entry only: what was loaded once is kept up to date.
            if binding.is_none() && !self.is_chosen(order) {
                continue;
            }
            let fingerprint = fingerprint(map::MAPPING_VERSION, &(&self.booking_digest, order));
            let key = match binding {
                Some(binding) if binding.fingerprint.as_ref() == Some(&fingerprint) => {
                    fates[place] = Fate::Taken(Effect::Unchanged);
                    continue;
                }
                binding => binding.map(|binding| binding.key),
            };
            drafts.push(Draft {
                place,
                order,
                origin,
                fingerprint,
                key,
            });
        }
        drafts
    }

    fn is_chosen(&self, order: &Order<'_>) -> bool {
        let chosen = &self.settings.statuses;
        chosen.is_empty() || order.status_id.get().is_some_and(|id| chosen.contains(&id))
    }

    /// Maps an order, once all that it points at is known.
    fn book(
        &mut self,
        draft: &Draft<'_>,
        present: Option<&model::Order>,
    ) -> Result<Booked, Reason> {
        let order = draft.order;
        let booking = &self.settings.booking;
        let places = Places {
            partner: self.partners.of(order, booking.default_partner.as_ref())?,
            stage: self.directories.stage(order),
            source: self.directories.source(order),
            service: self.directories.service(order),
            currency: self
                .directories
                .currency(order)
                .unwrap_or(&booking.currency)
                .to_owned(),
            picks: order
                .products
                .iter()
                .map(|line| self.goods.pick(line))
                .collect::<Result<_, _>>()?,
            manager: self.manager(order),
        };
        let booked = map::order(order, &places, booking, present)?;
        let delivery = booked.order.delivery.as_ref();
        let fee = delivery.is_some_and(|delivery| delivery.cost.is_some());
        if fee && booking.delivery_product.is_none() && !self.fee_without_product {
            self.fee_without_product = true;
            warn!(reason!("order.no-delivery-product").setting("delivery_product"));
        }
        Ok(booked)
    }

    /// The user who answers for an order. One that the settings do not know is told of once.
    fn manager(&mut self, order: &Order<'_>) -> Option<Key> {
        let manager = order.manager.get()?;
        let id = manager.id.get()?;
        let user = self.settings.booking.users.get(&id).cloned();
        if user.is_none() && self.unmapped_managers.insert(id) {
            let name = manager.full_name.owned().unwrap_or_else(|| id.to_string());
            info!(reason!("order.manager-unknown", name = name).setting("users"));
        }
        user
    }

    /// Saves orders that own the same fields.
    fn save(
        &mut self,
        owned: OrderFields,
        batch: Vec<(Draft<'_>, Booked)>,
        fates: &mut [Fate],
        bound: &mut Vec<Binding>,
    ) -> Result<(), Fault> {
        let mut given = Vec::with_capacity(batch.len());
        let mut drafts = Vec::with_capacity(batch.len());
        for (draft, booked) in batch {
            given.push(booked.order);
            drafts.push((draft, booked.remarks));
        }
        let saved = orders::save(&given, owned)?;
        for ((draft, remarks), outcome) in drafts.into_iter().zip(saved) {
            let verdict = match import::verdict(outcome)? {
                Verdict::Changed => self.save_again(&draft)?,
                verdict => verdict,
            };
            fates[draft.place] = match verdict {
                Verdict::Saved(saved) => {
                    for remark in remarks {
                        warn!(record = saved.key, remark);
                    }
                    bound.push(Binding {
                        kind: ORDER.to_owned(),
                        key: saved.key,
                        origin: draft.origin,
                        fingerprint: Some(draft.fingerprint),
                    });
                    Fate::Taken(saved.effect)
                }
                Verdict::Refused(reason) => Fate::Refused(reason),
                Verdict::Changed => Fate::Refused(reason!("sdk.changed-meanwhile")),
            };
        }
        Ok(())
    }

    /// Saves an order that somebody changed between reading and saving, from its present state.
    fn save_again(&mut self, draft: &Draft<'_>) -> Result<Verdict, Fault> {
        let present = match &draft.key {
            Some(key) => orders::find(&[OrderLookup::Key(key.clone())])?
                .pop()
                .flatten(),
            None => None,
        };
        let booked = match self.book(draft, present.as_ref()) {
            Ok(booked) => booked,
            Err(reason) => return Ok(Verdict::Refused(reason)),
        };
        match orders::save(&[booked.order], booked.owned)?.pop() {
            Some(outcome) => import::verdict(outcome),
            None => Ok(Verdict::Changed),
        }
    }
}

/// The orders of the ERP that are about to be updated, by key. One that is gone there, though it
/// is bound, is made anew.
fn read_present(drafts: &[Draft<'_>]) -> Result<HashMap<Key, model::Order>, Fault> {
    let lookups: Vec<OrderLookup> = drafts
        .iter()
        .filter_map(|draft| draft.key.clone())
        .map(OrderLookup::Key)
        .collect();
    if lookups.is_empty() {
        return Ok(HashMap::new());
    }
    let found = orders::find(&lookups)?.into_iter().flatten();
    Ok(found
        .filter_map(|order| Some((order.key.clone()?, order)))
        .collect())
}
