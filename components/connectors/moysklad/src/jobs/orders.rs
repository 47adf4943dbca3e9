//! Orders of the shop as documents of MoySklad: made once, later changed in place, up to a hundred
//! with each request.
//!
//! An order's `syncId` follows from its key, so a request whose outcome nobody knows can be sent
//! again, and an order whose binding was lost is found before it is made. Positions have nothing
//! like it: before any is added, those that are there are read. Documents belong to their keepers,
//! too: only what changed in the shop is written over, and positions that people added stay.
//!
//! An order that was moved to another region is, for this one, an order of which nothing is wanted any
//! more: its reserve is freed, and what else the settings say of refused lines is done.

mod moves;

use std::collections::{HashMap, HashSet};

use tenon_sdk::erp::orders;
use tenon_sdk::flow::cards::variant_key;
use tenon_sdk::flow::notes;
use tenon_sdk::flow::send::{self, Page};
use tenon_sdk::import::{Tally, bind_all, by_key, fingerprint, pair, unique};
use tenon_sdk::model::{
    Binding, Cause, Change, Directive, DocumentKind, Effect, Fault, FieldChange, Key,
    LinkedDocument, Order, OrderLookup, Outcome, Reason, RecordKind, Subject, Written,
};
use tenon_sdk::push::lines;
use tenon_sdk::rejected::{Rejected, Retry};
use tenon_sdk::runtime::{bindings, run, storage};
use tenon_sdk::{Call, info, reason, state, warn};
use uuid::Uuid;

use moves::Moves;

use super::currency::Currencies;
use super::{Context, PARTNER, PRODUCT, VARIANT, partners};
use crate::api::fields::{Fields, changes};
use crate::api::meta::{self, Kind, origin};
use crate::api::records::Doc;
use crate::api::{EXPANDED_PAGE, NAMED, PAGE as ROWS, Refusal};
use crate::map::order::{self, Draft, Flow, Given, ON_TOP, Places};
use crate::settings::{AllRefused, Settings};

/// A value that has to be unique is not (Remap 1.2, "Errors").
const NOT_UNIQUE: u32 = 3006;

/// Runs the job.
pub fn run(context: &Context, retry: &Retry) -> Result<Outcome, Fault> {
    let organization = context.settings.organization()?;
    let mut tally = Tally::default();
    if partners::send(context, retry, &mut tally)? == Directive::Stop {
        return Ok(Outcome::Suspended);
    }
    let mut rejected = Vec::new();
    for flow in flows(context) {
        let mut sender = Sender::open(context, retry, flow, organization);
        sender.heed_settings()?;
        if send::run(&mut sender, &mut tally)? == Directive::Stop {
            return Ok(Outcome::Suspended);
        }
        rejected.extend([sender.rejected, sender.deleted]);
    }
    rejected.push(partners::rejected(retry));
    for list in &rejected {
        list.name_untried();
    }
    // There is nothing left that a stop could cut.
    tally.checkpoint();
    Ok(Outcome::Done)
}

/// Makes the document of an order again that people deleted in MoySklad: the order that the button was
/// pressed on, or that the argument names.
///
/// # Errors
/// `rejected` where the document is still there; else the fault that keeps it from being made.
pub fn again(context: &Context, call: &Call<'_, Settings>) -> Result<Outcome, Fault> {
    let organization = context.settings.organization()?;
    let key = match (call.argument, call.cause) {
        (Some(key), _) => key,
        (None, Cause::Action(action)) => &action.target.key,
        _ => return Ok(Outcome::Done),
    };
    let mut tally = Tally::default();
    for flow in flows(context) {
        let mut sender = Sender::open(context, &call.retry, flow, organization);
        sender.make_again(key, &mut tally)?;
    }
    tally.checkpoint();
    Ok(Outcome::Done)
}

fn flows(context: &Context) -> Vec<Flow> {
    match context.settings.supplier_orders {
        true => vec![Flow::Sale, Flow::Purchase],
        false => vec![Flow::Sale],
    }
}

struct Sender<'c> {
    context: &'c Context,
    retry: &'c Retry,
    flow: Flow,
    organization: Uuid,
    /// Orders that could not be sent.
    rejected: Rejected,
    /// Orders whose document somebody deleted in MoySklad. It comes back from the bin at most, and
    /// then people ask for another try.
    deleted: Rejected,
}

/// An order on its way.
struct Parcel {
    order: Order,
    key: Key,
    draft: Draft,
    sync_id: Uuid,
    /// The document, once it is known.
    id: Option<Uuid>,
    /// The document as it was read or answered; none where nobody looked at it.
    document: Option<Doc>,
    /// What was agreed on.
    print: Option<Vec<u8>>,
    /// What was agreed on its lines.
    agreed: HashMap<String, Agreed>,
    /// What is written: all of a new document, else what differs.
    fields: Fields,
    /// What people are told of that, and of the positions.
    changes: Vec<FieldChange>,
    moves: Moves,
    /// Whether the lines ask for other positions.
    positions: bool,
    is_new: bool,
    /// Nothing of it is wanted, and the settings say that the document goes.
    goes: bool,
}

/// What a batch of orders points at.
struct Known {
    documents: HashMap<Key, Binding>,
    partners: HashMap<Key, Uuid>,
    products: HashMap<Key, (Kind, Uuid)>,
    variants: HashMap<Key, Uuid>,
    lines: HashMap<Key, Agreed>,
    again: HashMap<Key, String>,
    currencies: Currencies,
    /// Orders that were moved to another region.
    moved: HashSet<Key>,
}

impl send::Sender for Sender<'_> {
    type Record = Order;

    /// As many as one request can ask for.
    const TOGETHER: usize = NAMED;

    fn cursor(&self) -> String {
        format!("cursor/{}", self.flow.name())
    }

    fn changed(&self, after: Option<&str>, limit: u32) -> Result<Page<Order>, Fault> {
        let page = orders::changed(self.flow.direction(), after, limit)?;
        Ok(Page {
            records: page.orders,
            removed: page.removed,
            next: page.next,
            more: page.more,
        })
    }

    fn find(&self, keys: &[Key]) -> Result<Vec<Order>, Fault> {
        let lookups: Vec<OrderLookup> = keys.iter().cloned().map(OrderLookup::Key).collect();
        Ok(orders::find(&lookups)?.into_iter().flatten().collect())
    }

    fn key(order: &Order) -> Option<&Key> {
        order.key.as_ref()
    }

    fn rejected(&mut self) -> Vec<&mut Rejected> {
        vec![&mut self.rejected, &mut self.deleted]
    }

    fn removed(&self, keys: Vec<Key>) {
        for key in by_key(self.flow.name(), keys).into_keys() {
            warn!(record = key, "order.gone-in-shop");
        }
    }

    fn send(&mut self, orders: Vec<Order>, tally: &mut Tally) -> Result<Directive, Fault> {
        self.send_some(orders, tally)?;
        Ok(Directive::Proceed)
    }
}

impl<'c> Sender<'c> {
    fn open(context: &'c Context, retry: &'c Retry, flow: Flow, organization: Uuid) -> Self {
        let list = |name: &str| {
            let prefix = format!("{name}/{}/", flow.name());
            Rejected::load(flow.name(), &prefix, retry)
        };
        Sender {
            context,
            retry,
            flow,
            organization,
            rejected: list("failed"),
            deleted: list("deleted"),
        }
    }

    fn again(&self, key: &str) -> String {
        format!("again/{}/{key}", self.flow.name())
    }

    /// After a change of what decides on documents, all orders are looked at again: those that are
    /// there already, and those that were left aside.
    fn heed_settings(&self) -> Result<(), Fault> {
        let key = format!("settings/{}", self.flow.name());
        let now = digest(&self.context.settings);
        match state::load::<Vec<u8>>(&key) {
            Some(before) if before == now => return Ok(()),
            Some(_) => {
                info!("order.settings-changed");
                state::forget(&send::Sender::cursor(self));
            }
            None => {}
        }
        state::save(&key, &now)
    }

    /// Whether an order is one of this region.
    fn is_here(&self, order: &Order) -> bool {
        let region = &self.context.settings.region;
        region.is_none() || order.organization == *region
    }

    /// Whether an order was placed in our time.
    fn is_in_time(&self, order: &Order) -> bool {
        let placed = order.created_at.or(order.changed_at);
        match (self.context.orders_from, placed) {
            (Some(from), Some(placed)) => placed >= from,
            _ => true,
        }
    }

    fn send_some(&mut self, orders: Vec<Order>, tally: &mut Tally) -> Result<(), Fault> {
        let keys = orders.iter().filter_map(|order| order.key.clone());
        let documents = by_key(self.flow.name(), keys.collect());
        let mut moved = HashSet::new();
        let mut ours: Vec<(Key, Order)> = Vec::new();
        for mut order in orders {
            let Some(key) = order.key.clone() else {
                continue;
            };
            let is_sent = documents.contains_key(&key);
            if self.is_here(&order) && (is_sent || self.is_in_time(&order)) {
                ours.push((key, order));
            } else if is_sent {
                for line in &mut order.lines {
                    line.refused = true;
                }
                moved.insert(key.clone());
                ours.push((key, order));
            } else {
                if order.organization.is_none() && !self.is_here(&order) {
                    warn!(record = key, "order.no-region");
                }
                tally.passed();
            }
        }
        if ours.is_empty() {
            return Ok(());
        }
        let mut known = self.look_up(&ours, documents, moved)?;
        let mut parcels = Vec::new();
        for (key, order) in ours {
            match self.draw(&key, &order, &known) {
                Ok(draft) => parcels.extend(self.sort(key, order, draft, &mut known, tally)?),
                Err(reason) => self.refuse(&key, &order, reason, tally)?,
            }
        }
        let parcels = self.meet(parcels, tally)?;
        let written = self.write(parcels, tally)?;
        self.settle(written)
    }

    fn look_up(
        &self,
        orders: &[(Key, Order)],
        documents: HashMap<Key, Binding>,
        moved: HashSet<Key>,
    ) -> Result<Known, Fault> {
        let codes = orders.iter().map(|(_, order)| order.currency.as_str());
        let currencies = Currencies::learn(self.context, codes)?;
        let keys: Vec<Key> = orders.iter().map(|(key, _)| key.clone()).collect();
        let lines = orders
            .iter()
            .flat_map(|(key, order)| line_ids(order).map(move |line| line_key(key, line)));
        let products = orders
            .iter()
            .flat_map(|(_, order)| order.lines.iter().filter_map(|line| line.product.clone()));
        let lines_of = || orders.iter().flat_map(|(_, order)| &order.lines);
        let variants = lines_of().filter_map(|line| {
            let (product, variant) = (line.product.as_ref()?, line.product_variant.as_ref()?);
            Some(variant_key(product, variant))
        });
        let partners = orders.iter().filter_map(|(_, order)| order.partner.clone());
        let ids = |kind: &str, keys: Vec<Key>| -> HashMap<Key, Uuid> {
            by_key(kind, keys)
                .into_iter()
                .filter_map(|(key, binding)| Some((key, meta::id_of(&binding.origin)?)))
                .collect()
        };
        let again: Vec<Key> = keys.iter().map(|key| self.again(key)).collect();
        let again = keys
            .iter()
            .cloned()
            .zip(storage::get(&again))
            .filter_map(|(key, count)| Some((key, String::from_utf8(count?).ok()?)))
            .collect();
        Ok(Known {
            documents,
            partners: ids(PARTNER, unique(partners)),
            products: by_key(PRODUCT, unique(products))
                .into_iter()
                .filter_map(|(key, binding)| Some((key, meta::item_of(&binding.origin)?)))
                .collect(),
            variants: ids(VARIANT, unique(variants)),
            lines: by_key(self.flow.position(), lines.collect())
                .into_iter()
                .map(|(key, binding)| {
                    let agreed = Agreed {
                        position: meta::id_of(&binding.origin),
                        print: binding.fingerprint,
                    };
                    (key, agreed)
                })
                .collect(),
            again,
            currencies,
            moved,
        })
    }

    /// Maps an order.
    fn draw(&self, key: &str, order: &Order, known: &Known) -> Result<Draft, Reason> {
        let agent = match &order.partner {
            Some(partner) => known
                .partners
                .get(partner)
                .copied()
                .ok_or_else(|| reason!("order.partner").record(RecordKind::Partner, partner))?,
            None => return Err(reason!("order.no-partner")),
        };
        let settings = &self.context.settings;
        let places = Places {
            base: self.context.api.base(),
            agent,
            products: &known.products,
            variants: &known.variants,
            reserve: settings.reserve,
            delivery: settings.delivery_service,
            currency: known.currencies.named(&order.currency)?,
        };
        let mut draft = order::draft(order, self.flow, &places)?;
        let to_state = settings.delete_refused && settings.all_refused == AllRefused::State;
        if to_state
            && !draft.is_wanted()
            && self.flow == Flow::Sale
            && let Some(state) = settings.refused_state
        {
            let state = self.context.api.meta(self.flow.state_kind(), state);
            draft.header = draft.header.with_raw("state", state);
        }
        for remark in &draft.remarks {
            warn!(record = key, remark);
        }
        Ok(draft)
    }

    /// Decides whether an order has to be sent.
    fn sort(
        &mut self,
        key: Key,
        order: Order,
        draft: Draft,
        known: &mut Known,
        tally: &mut Tally,
    ) -> Result<Option<Parcel>, Fault> {
        let settings = &self.context.settings;
        let document = known.documents.remove(&key);
        let id = document.as_ref().and_then(|one| meta::id_of(&one.origin));
        if !draft.is_wanted() && id.is_none() {
            // Nobody wants anything of it, and nobody ever learnt of it.
            tally.passed();
            return Ok(None);
        }
        let goes = !draft.is_wanted()
            && settings.delete_refused
            && settings.all_refused == AllRefused::Delete;
        let agreed: HashMap<String, Agreed> = line_ids(&order)
            .filter_map(|line| {
                let agreed = known.lines.remove(&line_key(&key, line))?;
                Some((line.to_owned(), agreed))
            })
            .collect();
        let print = document.and_then(|document| document.fingerprint);
        let differs = draft.kept().since(print.as_deref());
        let lines = lines::differ(&draft.lines, &agreed, settings.delete_refused);
        if id.is_some() && differs.is_empty() && !lines && !goes {
            tally.count(Effect::Unchanged);
            return Ok(None);
        }
        if known.moved.contains(&key) {
            warn!(record = key, "order.moved");
        }
        let again = known.again.get(&key).map_or("", String::as_str);
        let organization = self.organization.to_string();
        let books = &self.context.books;
        let sync_id = meta::sync_id(&[books, self.flow.name(), &organization, &key, again]);
        let lines = lines || differs.has("lines");
        Ok(Some(Parcel {
            changes: Vec::new(),
            moves: Moves::default(),
            fields: differs.without("lines"),
            positions: lines,
            is_new: false,
            goes,
            document: None,
            order,
            key,
            draft,
            sync_id,
            id,
            print,
            agreed,
        }))
    }

    /// Reads the documents that are new, to learn whether they are there already, and those whose
    /// positions change or that go; then decides what is written.
    fn meet(&mut self, parcels: Vec<Parcel>, tally: &mut Tally) -> Result<Vec<Parcel>, Fault> {
        let api = &self.context.api;
        let unknown = parcels.iter().filter(|parcel| parcel.id.is_none());
        let unknown: Vec<Uuid> = unknown.map(|parcel| parcel.sync_id).collect();
        let found: Vec<Doc> = api.named_by(self.flow.kind(), "syncId", &unknown)?;
        let found: HashMap<Uuid, Uuid> = (found.into_iter())
            .filter_map(|document| Some((document.sync_id?, document.id)))
            .collect();
        let known = parcels.iter();
        let known = known.filter(|parcel| parcel.positions || parcel.goes);
        let known = known.filter_map(|parcel| parcel.id);
        let known: Vec<Uuid> = known.chain(found.values().copied()).collect();
        let mut present = self.documents(&known)?;
        let mut met = Vec::new();
        for mut parcel in parcels {
            let id = parcel.id.or(found.get(&parcel.sync_id).copied());
            let Some(id) = id else {
                self.begin(&mut parcel);
                met.push(parcel);
                continue;
            };
            if parcel.id.is_some() && !parcel.positions && !parcel.goes {
                parcel.changes = changes(&parcel.fields, parcel.print.as_deref());
                met.push(parcel);
                continue;
            }
            let document = match present.remove(&id) {
                Some(document) if !document.is_binned() => document,
                gone => {
                    self.gone(&parcel, gone.is_some(), tally)?;
                    continue;
                }
            };
            if parcel.id.is_none() {
                info!(record = parcel.key, "order.found", number = document.name);
                parcel.id = Some(id);
            } else if parcel.goes && document.is_in_use() {
                warn!(record = parcel.key, "order.document-in-use");
            } else if parcel.goes {
                self.delete(&parcel, tally)?;
                continue;
            }
            self.change(&mut parcel, document);
            met.push(parcel);
        }
        Ok(met)
    }

    /// Documents with all of their positions, those in the bin included.
    fn documents(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Doc>, Fault> {
        let documents = self.context.api.documents(self.flow.kind(), ids)?;
        Ok((documents.into_iter())
            .map(|document| (document.id, document))
            .collect())
    }

    /// Tells people once that somebody deleted a document in MoySklad: out of the bin it comes by
    /// their hand alone, and it is made again when they ask for it.
    fn gone(&mut self, parcel: &Parcel, is_binned: bool, tally: &mut Tally) -> Result<(), Fault> {
        let reason = match is_binned {
            true => reason!("order.document-binned"),
            false => reason!("order.document-gone"),
        };
        reject(&mut self.deleted, &parcel.key, &parcel.order, reason, tally)
    }

    /// A document that is made, with as many positions as one request can have.
    fn begin(&self, parcel: &mut Parcel) {
        let settings = &self.context.settings;
        let given = Given {
            store: settings.store,
            owner: settings.owner,
            state: match self.flow {
                Flow::Sale => settings.state,
                Flow::Purchase => settings.supplier_state,
            },
        };
        let lines = parcel.draft.lines.iter().filter(|line| !line.refused);
        let positions: Vec<&Fields> = lines.map(|line| &line.fields).collect();
        let mut fields = parcel.draft.header.clone();
        fields.extend(order::birth(
            &parcel.order,
            self.flow,
            self.context.api.base(),
            self.organization,
            parcel.sync_id,
            &given,
        ));
        fields.set("positions", &positions);
        parcel.changes = changes(&fields, None);
        fields.set("positions", &positions[..positions.len().min(ROWS)]);
        parcel.fields = fields;
        parcel.positions = true;
        parcel.is_new = true;
    }

    /// A document that is there.
    fn change(&self, parcel: &mut Parcel, document: Doc) {
        // Lines that the order does not have any more are known by their positions alone.
        let rows = &document.positions.rows;
        let origins: Vec<String> = rows
            .iter()
            .map(|row| origin(self.flow.position(), row.id))
            .collect();
        for (row, binding) in rows
            .iter()
            .zip(bindings::by_origin(self.flow.position(), &origins))
        {
            let Some(binding) = binding else { continue };
            let line = binding.key.strip_prefix(&parcel.key);
            if let Some(line) = line.and_then(|rest| rest.strip_prefix('/')) {
                parcel.agreed.entry(line.to_owned()).or_insert(Agreed {
                    position: Some(row.id),
                    print: binding.fingerprint,
                });
            }
        }
        parcel.changes = changes(&parcel.fields, parcel.print.as_deref());
        parcel.document = Some(document);
        let moved = self.plan(parcel);
        parcel.changes.extend(moved);
        for remark in &parcel.moves.remarks {
            warn!(record = parcel.key, remark);
        }
    }

    /// Writes, and answers with what was taken.
    fn write(&mut self, parcels: Vec<Parcel>, tally: &mut Tally) -> Result<Vec<Parcel>, Fault> {
        // One whose document was right all along has nothing to write.
        let (open, mut done): (Vec<Parcel>, Vec<Parcel>) = parcels
            .into_iter()
            .partition(|parcel| !parcel.changes.is_empty());
        for _ in &done {
            tally.count(Effect::Unchanged);
        }
        let (fields, only_positions): (Vec<Parcel>, Vec<Parcel>) = open
            .into_iter()
            .partition(|parcel| !parcel.fields.is_empty());
        let mut written = self.write_fields(fields, tally)?;
        written.extend(only_positions);
        for mut parcel in written {
            match self.write_positions(&mut parcel)? {
                Ok(()) => done.push(self.taken(parcel, tally)),
                // A document that was made is found by the next run, which goes on with it.
                Err(refusal) => {
                    self.refuse(&parcel.key, &parcel.order, *refusal.reason, tally)?;
                }
            }
        }
        self.give_way(&mut done)?;
        Ok(done)
    }

    /// Writes documents without a look at positions that are there, and answers with those taken.
    fn write_fields(
        &mut self,
        parcels: Vec<Parcel>,
        tally: &mut Tally,
    ) -> Result<Vec<Parcel>, Fault> {
        let api = &self.context.api;
        let fields = |parcel: &Parcel| match parcel.id {
            // The account of one partner is not another's.
            Some(id) if parcel.fields.has("agent") => {
                let fields = parcel.fields.clone().with("agentAccount", ());
                api.of(self.flow.kind(), id, fields)
            }
            Some(id) => api.of(self.flow.kind(), id, parcel.fields.clone()),
            None => parcel.fields.clone(),
        };
        let fields: Vec<Fields> = parcels.iter().map(fields).collect();
        let mut outcomes = Vec::with_capacity(fields.len());
        for some in fields.chunks(EXPANDED_PAGE) {
            let path = self.flow.kind().path();
            outcomes.extend(api.write(path, Some("positions"), some)?);
        }
        let (mut written, mut numbered, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for (mut parcel, outcome) in parcels.into_iter().zip(outcomes) {
            match outcome {
                Ok(None) => written.push(parcel),
                Ok(Some(document)) => {
                    let document: Doc = document;
                    if document.is_binned() {
                        self.gone(&parcel, true, tally)?;
                        continue;
                    }
                    parcel.id = parcel.id.or(Some(document.id));
                    parcel.document.get_or_insert(document);
                    written.push(parcel);
                }
                Err(refusal) if is_number_taken(&refusal, &parcel) => numbered.push(parcel),
                Err(refusal) if refusal.is_not_found() => missing.push((parcel, refusal)),
                Err(refusal) => {
                    self.refuse(&parcel.key, &parcel.order, *refusal.reason, tally)?;
                }
            }
        }
        self.judge_missing(missing, tally)?;
        if numbered.is_empty() {
            return Ok(written);
        }
        for parcel in &mut numbered {
            let number = parcel.order.number.as_deref().unwrap_or_default();
            warn!(record = parcel.key, "order.number-taken", number = number);
            parcel.fields = std::mem::take(&mut parcel.fields).without("name");
        }
        written.extend(self.write_fields(numbered, tally)?);
        Ok(written)
    }

    /// Looks what is not there of orders that MoySklad refused for that: the document, or what it
    /// refers to.
    fn judge_missing(
        &mut self,
        missing: Vec<(Parcel, Refusal)>,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        let ids = missing.iter().filter_map(|(parcel, _)| parcel.id);
        let present = self.documents(&ids.collect::<Vec<Uuid>>())?;
        for (parcel, refusal) in missing {
            let document = parcel.id.map(|id| present.get(&id));
            match document {
                Some(None) => self.gone(&parcel, false, tally)?,
                Some(Some(document)) if document.is_binned() => self.gone(&parcel, true, tally)?,
                _ => {
                    self.doubt_partner(&parcel)?;
                    self.refuse(&parcel.key, &parcel.order, *refusal.reason, tally)?;
                }
            }
        }
        Ok(())
    }

    /// Forgets who the partner of an order is at MoySklad when that one is gone: the next run looks
    /// for the partner anew before it sends the order.
    fn doubt_partner(&self, parcel: &Parcel) -> Result<(), Fault> {
        let Some(partner) = &parcel.order.partner else {
            return Ok(());
        };
        let known = by_key(PARTNER, vec![partner.clone()]);
        let id = known.get(partner).and_then(|one| meta::id_of(&one.origin));
        let Some(id) = id else { return Ok(()) };
        if self
            .context
            .api
            .alive(Kind::Counterparty, &[id])?
            .is_empty()
        {
            warn!(record = partner, "partner.gone");
            bindings::unbind(PARTNER, std::slice::from_ref(partner));
            let mut partners = partners::rejected(self.retry);
            partners.wait(partner);
            partners.save()?;
        }
        Ok(())
    }

    fn taken(&self, mut parcel: Parcel, tally: &mut Tally) -> Parcel {
        tally.count(if parcel.is_new {
            Effect::Created
        } else {
            Effect::Updated
        });
        if parcel.is_new && self.context.api.is_preview() {
            parcel.id = Some(parcel.sync_id);
        }
        run::wrote(&[Written {
            record_kind: self.flow.name().to_owned(),
            origin: origin(self.flow.kind().word(), parcel.id.unwrap_or(parcel.sync_id)),
            key: Some(parcel.key.clone()),
            label: None,
            change: if parcel.is_new {
                Change::Created
            } else {
                Change::Updated
            },
            fields: std::mem::take(&mut parcel.changes),
        }]);
        parcel
    }

    /// Binds what was written: the documents and their positions.
    fn settle(&mut self, parcels: Vec<Parcel>) -> Result<(), Fault> {
        let position = self.flow.position();
        let mut pairs = Vec::new();
        let mut gone = Vec::new();
        for parcel in &parcels {
            let Some(id) = parcel.id else { continue };
            let document = origin(self.flow.kind().word(), id);
            pairs.push(Binding {
                fingerprint: Some(parcel.draft.kept().print()),
                ..pair(self.flow.name(), &parcel.key, &document)
            });
            let moves = &parcel.moves;
            gone.extend(moves.gone.iter().map(|line| line_key(&parcel.key, line)));
            for (line, row) in &moves.placed {
                let agreed = parcel.agreed.get(line);
                let before = agreed.and_then(|agreed| agreed.position);
                if before.is_some_and(|before| before != *row) {
                    // People took the position away, and it came back as another one.
                    gone.push(line_key(&parcel.key, line));
                }
                let sent = parcel.draft.lines.iter().find(|one| one.id == *line);
                let fingerprint = match moves.left.contains(line) {
                    true => agreed.and_then(|agreed| agreed.print.clone()),
                    false => sent.map(|line| line.fields.print()),
                };
                pairs.push(Binding {
                    fingerprint,
                    ..pair(
                        position,
                        &line_key(&parcel.key, line),
                        &origin(position, *row),
                    )
                });
            }
            if !moves.left.is_empty() {
                let number = moves.left.len();
                info!(record = parcel.key, "order.lines-left", number = number);
                self.rejected.wait(&parcel.key);
            }
            match &parcel.document {
                Some(document) => self.tell(&parcel.key, &parcel.order, Some(document))?,
                None => notes::annotate(&parcel.key, &parcel.order.documents, None)?,
            }
        }
        if !gone.is_empty() {
            bindings::unbind(position, &gone);
        }
        bind_all(&pairs);
        Ok(())
    }

    /// Deletes a document that nobody wants anything of. Should somebody want something later, it
    /// is made anew.
    fn delete(&mut self, parcel: &Parcel, tally: &mut Tally) -> Result<(), Fault> {
        let (key, order) = (&parcel.key, &parcel.order);
        let Some(id) = parcel.id else { return Ok(()) };
        let path = format!("{}/{id}", self.flow.kind().path());
        match self.context.api.delete(&path)? {
            Ok(()) => {}
            Err(refusal) => return self.refuse(key, order, *refusal.reason, tally),
        }
        info!(record = key, "order.document-deleted");
        run::wrote(&[Written {
            record_kind: self.flow.name().to_owned(),
            origin: origin(self.flow.kind().word(), id),
            key: Some(key.clone()),
            label: order.number.clone(),
            change: Change::Removed,
            fields: vec![FieldChange {
                field: "document".to_owned(),
                before: order.number.clone().or_else(|| Some(key.clone())),
                after: None,
            }],
        }]);
        self.begin_again(key, order)?;
        tally.count(Effect::Updated);
        self.tell(key, order, None)
    }

    /// Forgets the document of an order. The next one is another, with a `syncId` of its own.
    fn begin_again(&self, key: &Key, order: &Order) -> Result<(), Fault> {
        let kept = self.again(key);
        let again = storage::get(std::slice::from_ref(&kept)).pop().flatten();
        let again = again.and_then(|count| String::from_utf8(count).ok()?.parse().ok());
        let again: u32 = again.unwrap_or(0) + 1;
        state::set(&[(kept, again.to_string().into_bytes())])?;
        let lines: Vec<Key> = line_ids(order).map(|line| line_key(key, line)).collect();
        bindings::unbind(self.flow.name(), std::slice::from_ref(key));
        bindings::unbind(self.flow.position(), &lines);
        Ok(())
    }

    /// Makes the document of an order again that people deleted.
    fn make_again(&mut self, key: &str, tally: &mut Tally) -> Result<(), Fault> {
        let key = key.to_owned();
        let known = by_key(self.flow.name(), vec![key.clone()]);
        let Some(id) = known.get(&key).and_then(|one| meta::id_of(&one.origin)) else {
            return Ok(());
        };
        if let Some(document) = self.documents(&[id])?.get(&id) {
            return Err(Fault::Rejected(match document.is_binned() {
                true => reason!("order.document-binned"),
                false => reason!("order.document-there", number = document.name),
            }));
        }
        let order = orders::find(&[OrderLookup::Key(key.clone())])?.pop();
        let Some(order) = order.flatten() else {
            return Ok(());
        };
        self.begin_again(&key, &order)?;
        send::send(self, vec![order], tally)?;
        Ok(())
    }

    /// Lists an order that cannot be sent, tells people on it, and tries it again next time.
    fn refuse(
        &mut self,
        key: &Key,
        order: &Order,
        reason: Reason,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        reject(&mut self.rejected, key, order, reason, tally)
    }

    /// Shows people the document of an order, beside those of other counterparts.
    fn tell(&self, key: &Key, order: &Order, document: Option<&Doc>) -> Result<(), Fault> {
        let word = self.flow.kind().word();
        let document = document.map(|document| LinkedDocument {
            kind: DocumentKind::Order,
            origin: origin(word, document.id),
            number: (!document.name.is_empty()).then(|| document.name.clone()),
            url: document.meta.uuid_href.clone(),
        });
        let is_ours = |origin: &str| meta::is_ours(origin, word);
        notes::show(key, &order.documents, is_ours, document)
    }
}

/// Keeps an order to be tried again, and tells people on it why.
fn reject(
    list: &mut Rejected,
    key: &Key,
    order: &Order,
    reason: Reason,
    tally: &mut Tally,
) -> Result<(), Fault> {
    notes::annotate(key, &order.documents, Some(&reason))?;
    let label = order.number.as_ref().unwrap_or(key);
    list.reject(key, Subject::Key(key.clone()), label, reason, tally);
    Ok(())
}

/// Whether a document is refused for its number alone.
fn is_number_taken(refusal: &Refusal, parcel: &Parcel) -> bool {
    let about_name = refusal.field.as_deref().is_none_or(|field| field == "name");
    refusal.code == Some(NOT_UNIQUE) && about_name && parcel.fields.has("name")
}

/// A line as a document was last given it.
type Agreed = lines::Agreed<Uuid>;

/// The key that a line is bound by.
fn line_key(order: &str, line: &str) -> Key {
    format!("{order}/{line}")
}

/// The lines of an order, and that of what comes on top.
fn line_ids(order: &Order) -> impl Iterator<Item = &str> {
    let own = order.lines.iter().map(|line| line.id.as_str());
    own.chain([ON_TOP])
}

/// What of the settings decides on documents that are there, and on orders that are not sent.
fn digest(settings: &Settings) -> Vec<u8> {
    let refused = (settings.delete_refused, settings.all_refused as u8);
    let chosen = [
        settings.organization,
        settings.refused_state,
        settings.delivery_service,
    ];
    let which = (&settings.region, &settings.orders_from);
    fingerprint(0, &(refused, settings.reserve, chosen, which))
}
