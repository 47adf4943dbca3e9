//! Loads orders. What is read when, again, or in smaller pages is the SDK's to know; here is what
//! KeyCRM's list is like, and how a page of its orders becomes orders of the ERP: those that have not
//! changed are dropped, KeyCRM is asked for what is missing, what the orders point at is found or made,
//! then they are saved and bound.

use std::collections::{BTreeMap, HashMap, HashSet};

use tenon_sdk::erp::{directories, orders};
use tenon_sdk::flow::pull::{self, Facts, Fate, Feed, Page, Unreadable, Window};
use tenon_sdk::http::Answer;
use tenon_sdk::import::{self, Verdict, bound, fingerprint};
use tenon_sdk::model::{
    self, Binding, Directory, Effect, Entry, Fault, Instant, Key, OrderFields, OrderLookup, Origin,
    Outcome, Reason,
};
use tenon_sdk::runtime::bindings;
use tenon_sdk::time::{DAY, Zone};
use tenon_sdk::{Call, info, reason, warn};

use crate::api::{self, Crm, Order};
use crate::directories::Directories;
use crate::goods::Goods;
use crate::map::{self, Booked, Places, origin};
use crate::partners::Partners;
use crate::settings::Chosen;

const ORDER: &str = "order";

/// Bound with the order of the ERP once people were told that it was deleted in KeyCRM.
const DELETED: &[u8] = b"deleted";

/// Runs the job, or goes on with it.
///
/// # Errors
/// The fault that keeps it from going on.
pub fn run(call: &Call<'_, Chosen>) -> Result<Outcome, Fault> {
    let settings = &call.settings;
    let span = settings.span(&Zone::named(&call.context.time_zone))?;
    let crm = Crm::open()?;
    pull::run(
        Orders::new(call, &crm)?,
        span,
        &settings.digest(map::MAPPING_VERSION, span),
        &call.retry,
    )
}

/// The orders of the account, and all that a run has learned about what they point at.
struct Orders<'s> {
    settings: &'s Chosen,
    crm: &'s Crm,
    language: String,
    directories: Directories,
    partners: Partners,
    goods: Goods,
    /// Users of the ERP, where the settings name any.
    users: HashMap<Key, Entry>,
    unmapped_managers: HashSet<i64>,
    fee_without_product: bool,
}

/// An order on its way into the ERP.
struct Draft<'o> {
    /// Its place among those that were read.
    place: usize,
    order: &'o Order<'o>,
    origin: String,
    key: Option<Key>,
    was_deleted: bool,
}

impl Feed for Orders<'_> {
    type Row<'a> = Order<'a>;

    const KIND: &'static str = ORDER;
    const SIZES: &'static [u64] = &[api::PAGE_SIZE, 25, 5, 1];

    fn origin(&self, id: &str) -> Origin {
        origin::of(ORDER, id)
    }

    /// An order does not tell its currency, but its source does; names are in the tenant's language.
    fn facts(&mut self) -> Result<Facts, Fault> {
        let mut facts = self.directories.learn_sources(self.crm)?;
        facts.insert("language".to_owned(), self.language.clone());
        Ok(facts)
    }

    fn page(&self, window: &Window, page: u64, size: u64) -> Result<Answer, Fault> {
        self.crm.orders(window, page, size)
    }

    fn one(&self, id: &str) -> Result<Option<Answer>, Fault> {
        self.crm.order(id)
    }

    fn read_page<'a>(
        &self,
        answer: &'a Answer,
        page: u64,
        size: u64,
    ) -> Result<Page<Order<'a>>, Fault> {
        api::order_page(answer, page, size)
    }

    fn read_one<'a>(
        &self,
        id: &str,
        answer: &'a Answer,
    ) -> Result<Result<Order<'a>, Unreadable>, Fault> {
        api::single_order(id, answer)
    }

    fn take(&mut self, read: &[&Order<'_>]) -> Result<Vec<Fate>, Fault> {
        let mut fates = vec![Fate::Passed; read.len()];
        let origins: Vec<String> = read.iter().map(|order| order_origin(order)).collect();
        let known = bound(ORDER, &origins);
        let present = present(known.values())?;

        let mut drafts = Vec::new();
        for (place, (order, origin)) in read.iter().zip(origins).enumerate() {
            let binding = known.get(&origin);
            // The choice of statuses is for entry only: what was loaded once is kept up to date.
            if binding.is_none() && !self.is_chosen(order) {
                continue;
            }
            if binding.is_some_and(|binding| !present.contains_key(&binding.key)) {
                fates[place] = Fate::Refused(reason!("order.removed-here"));
                continue;
            }
            drafts.push(Draft {
                place,
                order,
                origin,
                key: binding.map(|binding| binding.key.clone()),
                was_deleted: binding.is_some_and(was_deleted),
            });
        }
        self.recall(&drafts)?;
        drafts.retain(|draft| {
            let agreed = known
                .get(&draft.origin)
                .and_then(|one| one.fingerprint.as_ref());
            let is_agreed = agreed.is_some() && agreed == self.print(draft.order).as_ref();
            if is_agreed {
                fates[draft.place] = Fate::Taken(Effect::Unchanged);
            }
            !is_agreed
        });
        if drafts.is_empty() {
            return Ok(fates);
        }

        // Requests first, writes afterwards.
        let changed: Vec<&Order<'_>> = drafts.iter().map(|draft| draft.order).collect();
        let missing = self.goods.survey(self.crm, &changed)?;
        self.directories.ensure(&changed)?;
        self.partners.ensure(&changed)?;
        self.goods.make(missing)?;
        self.save(drafts, &present, &mut fates)?;
        Ok(fates)
    }

    fn mark_deleted(&mut self, id: &str) -> Result<Option<Reason>, Fault> {
        let known = bound(ORDER, &[self.origin(id)]);
        let present = present(known.values())?;
        let Some(binding) = known.into_values().find(|binding| !was_deleted(binding)) else {
            return Ok(None);
        };
        let Some(order) = present.get(&binding.key) else {
            return Ok(None);
        };
        let reason = reason!("order.deleted", number = id);
        annotate(&binding.key, order, Some(&reason))?;
        warn!(record = binding.key, reason.clone());
        bindings::bind(&[Binding {
            fingerprint: Some(DELETED.to_vec()),
            ..binding
        }]);
        Ok(Some(reason))
    }

    /// Orders that people removed from the ERP stay removed until they remove the pair, too.
    fn held_back(&mut self, ids: &[String]) -> Result<HashSet<String>, Fault> {
        let origins: Vec<String> = ids.iter().map(|id| self.origin(id)).collect();
        let known = bound(ORDER, &origins);
        let present = present(known.values())?;
        let is_removed = |origin: &String| {
            let binding = known.get(origin);
            binding.is_some_and(|binding| !present.contains_key(&binding.key))
        };
        let ids = ids.iter().zip(&origins);
        Ok(ids
            .filter(|(_, origin)| is_removed(origin))
            .map(|(id, _)| id.clone())
            .collect())
    }

    /// Orders that were cancelled after they were closed: KeyCRM does not promise that this counts as
    /// a change.
    fn look_back(&mut self, now: Instant) -> Result<Vec<(String, Option<Instant>)>, Fault> {
        let days = Instant::from(self.settings.look_back_days);
        let window = Window::placed(now - days * DAY, now);
        let mut found = Vec::new();
        for status in self.crm.statuses()? {
            if status.group_id.get() == Some(map::CANCELLED)
                && let Some(status) = status.id.get()
            {
                let cancelled = self.crm.orders_of(status, &window)?;
                found.extend(self.elsewhere(status, cancelled)?);
            }
        }
        Ok(found)
    }
}

impl<'s> Orders<'s> {
    fn new(call: &'s Call<'_, Chosen>, crm: &'s Crm) -> Result<Orders<'s>, Fault> {
        let settings = &call.settings;
        let services = settings.service_categories.iter();
        Ok(Orders {
            users: users(settings)?,
            settings,
            crm,
            language: call.context.language.clone(),
            directories: Directories::new(settings),
            partners: Partners::default(),
            goods: Goods::new(services.filter_map(|id| id.get()).collect()),
            unmapped_managers: HashSet::new(),
            fee_without_product: false,
        })
    }

    fn is_chosen(&self, order: &Order<'_>) -> bool {
        let chosen = &self.settings.statuses;
        chosen.is_empty() || chosen.contains(&order.status_id)
    }

    /// Recalls by their pairs what the orders point at, as far as it is there still.
    fn recall(&mut self, drafts: &[Draft<'_>]) -> Result<(), Fault> {
        let orders: Vec<&Order<'_>> = drafts.iter().map(|draft| draft.order).collect();
        self.directories.recall(&orders)?;
        self.partners.recall(&orders)?;
        self.goods.recall(&orders)
    }

    /// The orders among these whose stage in the ERP is not that of the status.
    fn elsewhere(
        &mut self,
        status: i64,
        orders: Vec<api::Placed>,
    ) -> Result<Vec<(String, Option<Instant>)>, Fault> {
        let stage = self.directories.stage_of(status)?;
        let ids = orders.iter().filter_map(|order| order.id.get());
        let origins: Vec<String> = ids.map(origin::order).collect();
        let known = bound(ORDER, &origins);
        let present = present(known.values())?;
        let found = orders.into_iter().filter_map(|order| {
            let id = order.id.get()?;
            let own = present.get(&known.get(&origin::order(id))?.key)?;
            let differs = stage.is_none() || own.stage != stage;
            differs.then(|| (id.to_string(), order.placed()))
        });
        Ok(found.collect())
    }

    /// What an order points at, once all of it is known.
    fn places(&self, order: &Order<'_>) -> Result<Places, Reason> {
        let booking = self.settings;
        let lines = order.products.iter();
        // Who has a user of their own in the ERP is the author of their orders.
        let manager = self.manager(order);
        let author = manager.clone().or_else(|| booking.author.clone());
        let user = author.as_ref().and_then(|author| self.users.get(author));
        Ok(Places {
            partner: self.partners.of(order, booking.default_partner.as_ref())?,
            stage: self.directories.stage(order),
            source: self.directories.source(order),
            service: self.directories.service(order),
            currency: self
                .directories
                .currency(order)
                .unwrap_or_else(|| booking.currency.clone()),
            picks: lines
                .map(|line| self.goods.pick(line))
                .collect::<Result<_, _>>()?,
            organization: user.and_then(|user| user.organization.clone()),
            warehouse: user.and_then(|user| user.warehouse.clone()),
            manager,
            author,
        })
    }

    /// Digest of an order, of what it points at and of how it is written. A pair that was mended by hand
    /// makes it another one.
    fn print(&self, order: &Order<'_>) -> Option<Vec<u8>> {
        let places = self.places(order).ok()?;
        let how = (self.settings.booking(), &self.language);
        Some(fingerprint(map::MAPPING_VERSION, &(how, order, places)))
    }

    /// The user who answers for an order.
    fn manager(&self, order: &Order<'_>) -> Option<Key> {
        let id = order.manager.get()?.id.get()?;
        self.settings.users.get(&id).cloned()
    }

    /// Maps an order, and tells what its settings lack.
    fn book(
        &mut self,
        order: &Order<'_>,
        present: Option<&model::Order>,
    ) -> Result<Booked, Reason> {
        let places = self.places(order)?;
        let booking = self.settings;
        let booked = map::order(order, &places, booking, &self.language, present)?;
        let delivery = booked.order.delivery.as_ref();
        let fee = delivery.is_some_and(|delivery| delivery.cost.is_some());
        if fee && booking.delivery_product.is_none() && !self.fee_without_product {
            self.fee_without_product = true;
            warn!(reason!("order.no-delivery-product").setting("delivery_product"));
        }
        if places.manager.is_none()
            && let Some(manager) = order.manager.get()
            && let Some(id) = manager.id.get()
            && self.unmapped_managers.insert(id)
        {
            let name = manager.full_name.owned().unwrap_or_else(|| id.to_string());
            info!(reason!("order.manager-unknown", name = name).setting("users"));
        }
        Ok(booked)
    }

    /// Saves orders, those together that own the same fields, and binds them.
    fn save(
        &mut self,
        drafts: Vec<Draft<'_>>,
        present: &HashMap<Key, model::Order>,
        fates: &mut [Fate],
    ) -> Result<(), Fault> {
        let mut batches: BTreeMap<OrderFields, Vec<(Draft<'_>, Booked)>> = BTreeMap::new();
        for draft in drafts {
            let own = draft.key.as_ref().and_then(|key| present.get(key));
            match self.book(draft.order, own) {
                Ok(booked) => {
                    let batch = batches.entry(booked.owned).or_default();
                    batch.push((draft, booked));
                }
                Err(reason) => fates[draft.place] = Fate::Refused(reason),
            }
        }
        let mut pairs = Vec::new();
        for (owned, batch) in batches {
            let given: Vec<model::Order> = batch
                .iter()
                .map(|(_, booked)| booked.order.clone())
                .collect();
            let saved = orders::save(&given, owned)?;
            for ((draft, booked), outcome) in batch.into_iter().zip(saved) {
                let verdict = match import::verdict(outcome)? {
                    Verdict::Changed => self.save_again(&draft)?,
                    verdict => verdict,
                };
                fates[draft.place] = match verdict {
                    Verdict::Saved(saved) => {
                        for remark in booked.remarks {
                            warn!(record = saved.key, remark);
                        }
                        if draft.was_deleted {
                            annotate(&saved.key, &booked.order, None)?;
                        }
                        pairs.push(Binding {
                            kind: ORDER.to_owned(),
                            key: saved.key,
                            fingerprint: self.print(draft.order),
                            origin: draft.origin,
                        });
                        Fate::Taken(saved.effect)
                    }
                    Verdict::Refused(reason) => Fate::Refused(reason),
                    Verdict::Changed => Fate::Refused(reason!("sdk.changed-meanwhile")),
                };
            }
        }
        if !pairs.is_empty() {
            bindings::bind(&pairs);
        }
        Ok(())
    }

    /// Saves an order that somebody changed between reading and saving, from its present state.
    fn save_again(&mut self, draft: &Draft<'_>) -> Result<Verdict, Fault> {
        let lookups: Vec<OrderLookup> = draft.key.iter().cloned().map(OrderLookup::Key).collect();
        let present = orders::find(&lookups)?.pop().flatten();
        let booked = match self.book(draft.order, present.as_ref()) {
            Ok(booked) => booked,
            Err(reason) => return Ok(Verdict::Refused(reason)),
        };
        match orders::save(&[booked.order], booked.owned)?.pop() {
            Some(outcome) => import::verdict(outcome),
            None => Ok(Verdict::Changed),
        }
    }
}

/// The users of the ERP, where the settings name any.
fn users(settings: &Chosen) -> Result<HashMap<Key, Entry>, Fault> {
    if settings.author.is_none() && settings.users.is_empty() {
        return Ok(HashMap::new());
    }
    let entries = directories::list(Directory::Users)?.into_iter();
    Ok(entries.map(|entry| (entry.key.clone(), entry)).collect())
}

fn order_origin(order: &Order<'_>) -> Origin {
    origin::order(order.id.get().unwrap_or_default())
}

fn was_deleted(binding: &Binding) -> bool {
    binding.fingerprint.as_deref() == Some(DELETED)
}

/// The orders of the ERP that are bound, by key. One that is not among them was removed there.
fn present<'b>(
    known: impl Iterator<Item = &'b Binding>,
) -> Result<HashMap<Key, model::Order>, Fault> {
    let lookups: Vec<OrderLookup> = known
        .map(|binding| OrderLookup::Key(binding.key.clone()))
        .collect();
    if lookups.is_empty() {
        return Ok(HashMap::new());
    }
    let found = orders::find(&lookups)?.into_iter().flatten();
    Ok(found
        .filter_map(|order| Some((order.key.clone()?, order)))
        .collect())
}

/// Shows people on the order what is wrong with it, or that it is right again.
fn annotate(key: &str, order: &model::Order, reason: Option<&Reason>) -> Result<(), Fault> {
    match orders::annotate(key, &order.documents, reason) {
        // Not every platform has a place for it; the list of failed records tells it, too.
        Ok(_) | Err(Fault::Unsupported(_)) => Ok(()),
        Err(fault) => Err(fault),
    }
}
