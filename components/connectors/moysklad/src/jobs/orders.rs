//! Orders of the shop as documents of MoySklad: made once, later changed in place, up to a hundred
//! with each request.
//!
//! An order's `syncId` follows from its key, so a request whose outcome nobody knows can be sent
//! again, and an order whose binding was lost is found before it is made. Positions have nothing
//! like it: before any is added, those that are there are read. Documents belong to their keepers,
//! too: only what changed in the shop is written over, and positions that people added stay.

mod moves;

use std::collections::{HashMap, HashSet};

use tenon_sdk::erp::orders;
use tenon_sdk::import::{Tally, pair};
use tenon_sdk::model::{
    Binding, Change, Directive, DocumentKind, Effect, Fault, FieldChange, Key, LinkedDocument,
    Order, OrderLookup, Outcome, Reason, Written,
};
use tenon_sdk::rejected::{Rejected, Retry};
use tenon_sdk::runtime::{bindings, run, storage};
use tenon_sdk::{info, state, warn};
use uuid::Uuid;

use moves::Moves;

use super::currency::Currencies;
use super::{Context, PARTNER, PRODUCT, partners};
use crate::api::fields::Fields;
use crate::api::meta::{self, Kind, origin};
use crate::api::records::{Doc, Position};
use crate::api::{PAGE as ROWS, Refusal};
use crate::map::order::{self, Agreed, Draft, Flow, Given, ON_TOP, Pairing, Places};
use crate::settings::AllRefused;

/// Orders in a page of changes, in a request, and of those that are tried again.
const PAGE: u32 = 100;

/// Bindings in one call.
const BATCH: usize = 5_000;

/// A value that has to be unique is not (Remap 1.2, "Errors").
const NOT_UNIQUE: u32 = 3006;

/// Runs the job.
///
/// # Errors
/// The fault that keeps it from going on.
pub fn run(context: &Context, retry: &Retry) -> Result<Outcome, Fault> {
    let organization = context.settings.organization()?;
    let mut tally = Tally::default();
    if partners::send(context, retry, &mut tally)? == Directive::Stop {
        return Ok(Outcome::Suspended);
    }
    let mut flows = vec![Flow::Sale];
    if context.settings.supplier_orders {
        flows.push(Flow::Purchase);
    }
    let mut rejected = Vec::new();
    for flow in flows {
        let list = |name: &str| {
            let prefix = format!("{name}/{}/", flow.name());
            Rejected::load(flow.name(), &prefix, retry)
        };
        let mut sender = Sender {
            context,
            retry,
            flow,
            organization,
            rejected: list("failed"),
            deleted: list("deleted"),
        };
        if sender.send_all(&mut tally)? == Directive::Stop {
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
    /// What was agreed on.
    print: Option<Vec<u8>>,
    /// What was agreed on its lines.
    agreed: HashMap<String, Agreed>,
    /// What is written: all of a new document, else what differs.
    fields: Fields,
    /// What people are told of that, and of the positions.
    changes: Vec<FieldChange>,
    moves: Moves,
    /// Whether the lines ask for other positions, whose ids are learnt once they are there.
    positions: bool,
    is_new: bool,
}

/// What a batch of orders points at.
struct Known {
    documents: HashMap<Key, Binding>,
    partners: HashMap<Key, Uuid>,
    products: HashMap<Key, Uuid>,
    lines: HashMap<Key, Agreed>,
    again: HashMap<Key, String>,
    currencies: Currencies,
}

impl Sender<'_> {
    /// Where changes were read up to.
    fn cursor(&self) -> String {
        format!("cursor/{}", self.flow.name())
    }

    fn again(&self, key: &str) -> String {
        format!("again/{}/{key}", self.flow.name())
    }

    fn send_all(&mut self, tally: &mut Tally) -> Result<Directive, Fault> {
        if self.try_again(tally)? == Directive::Stop {
            return Ok(Directive::Stop);
        }
        let mut cursor: Option<String> = state::load(&self.cursor());
        loop {
            let page = orders::changed(self.flow.direction(), cursor.as_deref(), PAGE)?;
            if page.orders.is_empty() && page.removed.is_empty() && !page.more {
                return Ok(Directive::Proceed);
            }
            for key in by_key(self.flow.name(), page.removed).into_keys() {
                warn!(
                    record = key,
                    "deleted in the shop; its document stays in MoySklad"
                );
            }
            self.send(page.orders, tally)?;
            self.save()?;
            state::save(&self.cursor(), &page.next)?;
            let directive = tally.checkpoint();
            if directive == Directive::Stop || !page.more {
                return Ok(directive);
            }
            cursor = Some(page.next);
        }
    }

    /// Tries orders again that could not be sent: some, or all when people asked for it.
    fn try_again(&mut self, tally: &mut Tally) -> Result<Directive, Fault> {
        let mut due = self.rejected.due(PAGE as usize, 0);
        due.extend(self.deleted.due(0, 0));
        for some in due.chunks(PAGE as usize) {
            let lookups: Vec<OrderLookup> = some
                .iter()
                .map(|key| OrderLookup::Key(key.clone()))
                .collect();
            let found: Vec<Order> = orders::find(&lookups)?.into_iter().flatten().collect();
            // Those that are not there any more are tried no more.
            for key in some {
                self.forget(key);
            }
            self.send(found, tally)?;
            self.save()?;
            // In a run of the schedule there is one such page, which goes along with the next.
            if self.retry.is_of_all() && tally.checkpoint() == Directive::Stop {
                return Ok(Directive::Stop);
            }
        }
        Ok(Directive::Proceed)
    }

    /// Takes note that nothing keeps an order back, unless it turns out otherwise.
    fn forget(&mut self, key: &str) {
        self.rejected.settle(key);
        self.deleted.settle(key);
    }

    fn save(&mut self) -> Result<(), Fault> {
        self.rejected.save()?;
        self.deleted.save()
    }

    /// Whether an order is one of this region and of our time.
    fn is_ours(&self, order: &Order) -> bool {
        let settings = &self.context.settings;
        let here = settings.region.is_none() || order.organization == settings.region;
        let placed = order.created_at.or(order.changed_at);
        let in_time = match (settings.orders_from, placed) {
            (Some(from), Some(placed)) => placed >= from,
            _ => true,
        };
        here && in_time
    }

    fn send(&mut self, orders: Vec<Order>, tally: &mut Tally) -> Result<(), Fault> {
        for key in orders.iter().filter_map(|order| order.key.as_ref()) {
            self.forget(key);
        }
        let (ours, others): (Vec<Order>, Vec<Order>) =
            orders.into_iter().partition(|order| self.is_ours(order));
        for _ in others {
            tally.passed();
        }
        let ours: Vec<(Key, Order)> = ours
            .into_iter()
            .filter_map(|order| Some((order.key.clone()?, order)))
            .collect();
        if ours.is_empty() {
            return Ok(());
        }
        let mut known = self.look_up(&ours)?;
        let mut parcels = Vec::new();
        for (key, order) in ours {
            match self.draw(&key, &order, &known) {
                Ok(draft) => parcels.extend(self.sort(key, order, draft, &mut known, tally)?),
                Err(reason) => self.refuse(&key, &order, &reason, tally)?,
            }
        }
        let parcels = self.meet(parcels, tally)?;
        let written = self.write(parcels, tally)?;
        self.settle(written)
    }

    fn look_up(&self, orders: &[(Key, Order)]) -> Result<Known, Fault> {
        let codes = orders.iter().map(|(_, order)| order.currency.as_str());
        let currencies = Currencies::learn(self.context, codes)?;
        let keys: Vec<Key> = orders.iter().map(|(key, _)| key.clone()).collect();
        let lines = orders
            .iter()
            .flat_map(|(key, order)| line_ids(order).map(move |line| line_key(key, line)));
        let products = orders
            .iter()
            .flat_map(|(_, order)| order.lines.iter().filter_map(|line| line.product.clone()));
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
            documents: by_key(self.flow.name(), keys),
            partners: ids(PARTNER, unique(partners)),
            products: ids(PRODUCT, unique(products)),
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
        })
    }

    /// Maps an order.
    fn draw(&self, key: &str, order: &Order, known: &Known) -> Result<Draft, String> {
        let agent = match &order.partner {
            Some(partner) => known.partners.get(partner).copied().ok_or_else(|| {
                format!("its partner {partner} is not in MoySklad; see what keeps the partner back")
            })?,
            None => return Err("it has no partner".to_owned()),
        };
        let settings = &self.context.settings;
        let places = Places {
            base: &settings.base_url,
            agent,
            products: &known.products,
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
            warn!(record = key, "{remark}");
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
        if !draft.is_wanted() {
            match id {
                // Nobody wants anything of it, and nobody ever learnt of it.
                None => {
                    tally.passed();
                    return Ok(None);
                }
                Some(id)
                    if settings.delete_refused && settings.all_refused == AllRefused::Delete =>
                {
                    self.delete(&key, &order, id, known, tally)?;
                    return Ok(None);
                }
                Some(_) => {}
            }
        }
        let agreed: HashMap<String, Agreed> = line_ids(&order)
            .filter_map(|line| {
                let agreed = known.lines.remove(&line_key(&key, line))?;
                Some((line.to_owned(), agreed))
            })
            .collect();
        let print = document.and_then(|document| document.fingerprint);
        let differs = draft.kept().since(print.as_deref());
        let lines = order::lines_differ(&draft, &agreed, settings.delete_refused);
        if id.is_some() && differs.is_empty() && !lines {
            tally.count(Effect::Unchanged);
            return Ok(None);
        }
        let again = known.again.get(&key).map_or("", String::as_str);
        let organization = self.organization.to_string();
        let sync_id = meta::sync_id(&[self.flow.name(), &organization, &key, again]);
        let lines = lines || differs.has("lines");
        Ok(Some(Parcel {
            changes: Vec::new(),
            moves: Moves::default(),
            fields: differs.without("lines"),
            positions: lines,
            is_new: false,
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
    /// positions change; then decides what is written.
    fn meet(&mut self, parcels: Vec<Parcel>, tally: &mut Tally) -> Result<Vec<Parcel>, Fault> {
        let unknown = parcels.iter().filter(|parcel| parcel.id.is_none());
        let unknown: Vec<Uuid> = unknown.map(|parcel| parcel.sync_id).collect();
        let found = self.documents("syncId", &unknown)?;
        let mut found: HashMap<Uuid, Doc> = found
            .into_iter()
            .filter_map(|document| Some((document.sync_id?, document)))
            .collect();
        let known = parcels.iter().filter(|parcel| parcel.positions);
        let known: Vec<Uuid> = known.filter_map(|parcel| parcel.id).collect();
        let mut present = by_id(self.documents("id", &known)?);
        let mut met = Vec::new();
        for mut parcel in parcels {
            match parcel.id {
                None => match found.remove(&parcel.sync_id) {
                    Some(document) => {
                        info!(
                            record = parcel.key,
                            "found in MoySklad as {}", document.name
                        );
                        parcel.id = Some(document.id);
                        self.change(&mut parcel, &document.positions.rows);
                    }
                    None => self.begin(&mut parcel),
                },
                Some(id) if parcel.positions => match present.remove(&id) {
                    Some(document) => self.change(&mut parcel, &document.positions.rows),
                    None => {
                        let reason = "somebody deleted it in MoySklad; it is not made again";
                        self.deleted.reject(&parcel.key, reason, tally);
                        annotate(&parcel.key, &parcel.order.documents, Some(reason))?;
                        continue;
                    }
                },
                Some(_) => parcel.changes = parcel.fields.changes(parcel.print.as_deref()),
            }
            met.push(parcel);
        }
        Ok(met)
    }

    fn documents(&self, field: &str, values: &[Uuid]) -> Result<Vec<Doc>, Fault> {
        self.context.api.documents(self.flow.kind(), field, values)
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
            &settings.base_url,
            self.organization,
            parcel.sync_id,
            &given,
        ));
        fields.set("positions", &positions);
        parcel.changes = fields.changes(None);
        fields.set("positions", &positions[..positions.len().min(ROWS)]);
        parcel.fields = fields;
        parcel.positions = true;
        parcel.is_new = true;
    }

    /// A document that is there, with these positions.
    fn change(&self, parcel: &mut Parcel, rows: &[Position]) {
        // Lines that the order does not have any more are known by their positions alone.
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
        parcel.changes = parcel.fields.changes(parcel.print.as_deref());
        let changes = self.plan(parcel, rows);
        parcel.changes.extend(changes);
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
                    self.refuse(&parcel.key, &parcel.order, &refusal.to_string(), tally)?;
                }
            }
        }
        Ok(done)
    }

    /// Writes documents without a look at positions that are there, and answers with those taken.
    fn write_fields(
        &mut self,
        parcels: Vec<Parcel>,
        tally: &mut Tally,
    ) -> Result<Vec<Parcel>, Fault> {
        let path = self.flow.kind().path();
        let fields = |parcels: &[Parcel]| -> Vec<Fields> {
            let fields = parcels.iter().map(|parcel| match parcel.id {
                Some(id) => {
                    let meta = self.context.api.meta(self.flow.kind(), id);
                    parcel.fields.clone().of(&meta)
                }
                None => parcel.fields.clone(),
            });
            fields.collect()
        };
        let outcomes = self.context.api.write(path, &fields(&parcels))?;
        let mut written = Vec::new();
        let mut numbered = Vec::new();
        for (mut parcel, outcome) in parcels.into_iter().zip(outcomes) {
            match outcome {
                Ok(document) => {
                    parcel.id = parcel.id.or(Some(document.id));
                    written.push(parcel);
                }
                Err(refusal) if is_number_taken(&refusal, &parcel) => numbered.push(parcel),
                Err(refusal) => {
                    if refusal.is_not_found() {
                        self.doubt_partner(&parcel)?;
                    }
                    self.refuse(&parcel.key, &parcel.order, &refusal.to_string(), tally)?;
                }
            }
        }
        if numbered.is_empty() {
            return Ok(written);
        }
        for parcel in &mut numbered {
            let number = parcel.order.number.as_deref().unwrap_or_default();
            warn!(
                record = parcel.key,
                "the number {number} is taken in MoySklad, which gives it another"
            );
            parcel.fields = std::mem::take(&mut parcel.fields).without("name");
        }
        written.extend(self.write_fields(numbered, tally)?);
        Ok(written)
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
            warn!(
                record = partner,
                "its counterparty was deleted in MoySklad; the next run looks for it anew"
            );
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

    /// Binds what was written: the documents, and their positions, whose ids are read for that.
    fn settle(&mut self, parcels: Vec<Parcel>) -> Result<(), Fault> {
        let preview = self.context.api.is_preview();
        let asked: Vec<Uuid> = parcels
            .iter()
            .filter(|parcel| parcel.positions && !preview)
            .filter_map(|parcel| parcel.id)
            .collect();
        let documents = by_id(self.documents("id", &asked)?);
        let position = self.flow.position();
        let mut pairs = Vec::new();
        let mut gone = Vec::new();
        for parcel in &parcels {
            let Some(id) = parcel.id else { continue };
            pairs.push(Binding {
                fingerprint: Some(parcel.draft.kept().print()),
                ..pair(
                    self.flow.name(),
                    &parcel.key,
                    &origin(self.flow.kind().word(), id),
                )
            });
            let moves = &parcel.moves;
            gone.extend(moves.gone.iter().map(|line| line_key(&parcel.key, line)));
            let Some(document) = documents.get(&id) else {
                annotate(&parcel.key, &parcel.order.documents, None)?;
                continue;
            };
            let rows = &document.positions.rows;
            let pairing = Pairing::Product(&moves.others);
            let places = order::pair(&parcel.draft.lines, &parcel.agreed, rows, pairing);
            for (line, place) in parcel.draft.lines.iter().zip(places) {
                let row = place.map(|place| &rows[place]);
                if let Some(row) = row
                    && !line.refused
                {
                    let agreed = parcel.agreed.get(&line.id);
                    let before = agreed.and_then(|agreed| agreed.position);
                    if before.is_some_and(|before| before != row.id) {
                        // People took the position away, and it came back as another one.
                        gone.push(line_key(&parcel.key, &line.id));
                    }
                    let fingerprint = match moves.left.contains(&line.id) {
                        true => agreed.and_then(|agreed| agreed.print.clone()),
                        false => Some(line.fields.print()),
                    };
                    pairs.push(Binding {
                        fingerprint,
                        ..pair(
                            position,
                            &line_key(&parcel.key, &line.id),
                            &origin(position, row.id),
                        )
                    });
                }
            }
            if !moves.left.is_empty() {
                info!(
                    record = parcel.key,
                    "{} of its lines change with the next run",
                    moves.left.len()
                );
                self.rejected.wait(&parcel.key);
            }
            self.tell(&parcel.key, &parcel.order, Some(document))?;
        }
        if !gone.is_empty() {
            bindings::unbind(position, &gone);
        }
        for some in pairs.chunks(BATCH) {
            bindings::bind(some);
        }
        Ok(())
    }

    /// Deletes a document that nobody wants anything of. Should somebody want something later, it
    /// is made anew, under another `syncId`.
    fn delete(
        &mut self,
        key: &Key,
        order: &Order,
        id: Uuid,
        known: &Known,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        let path = format!("{}/{id}", self.flow.kind().path());
        match self.context.api.delete(&path)? {
            Ok(()) => {}
            Err(refusal) => return self.refuse(key, order, &refusal.to_string(), tally),
        }
        info!(
            record = key,
            "deleted in MoySklad: all of its lines are refused"
        );
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
        let again = known.again.get(key).and_then(|count| count.parse().ok());
        let again: u32 = again.unwrap_or(0) + 1;
        state::set(&[(self.again(key), again.to_string().into_bytes())])?;
        let lines: Vec<Key> = line_ids(order).map(|line| line_key(key, line)).collect();
        bindings::unbind(self.flow.name(), std::slice::from_ref(key));
        bindings::unbind(self.flow.position(), &lines);
        tally.count(Effect::Updated);
        self.tell(key, order, None)
    }

    /// Lists an order that cannot be sent, tells people on it, and tries it again next time.
    fn refuse(
        &mut self,
        key: &Key,
        order: &Order,
        reason: &str,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        self.rejected.reject(key, reason, tally);
        annotate(key, &order.documents, Some(reason))
    }

    /// Shows people the document of an order, beside those of other counterparts.
    fn tell(&self, key: &Key, order: &Order, document: Option<&Doc>) -> Result<(), Fault> {
        let word = self.flow.kind().word();
        let ours = format!("moysklad:{word}:");
        let mut documents: Vec<LinkedDocument> = order.documents.clone();
        documents.retain(|document| !document.origin.starts_with(&ours));
        documents.extend(document.map(|document| LinkedDocument {
            kind: DocumentKind::Order,
            origin: origin(word, document.id),
            number: (!document.name.is_empty()).then(|| document.name.clone()),
            url: document.meta.uuid_href.clone(),
        }));
        annotate(key, &documents, None)
    }
}

/// Puts documents and an error on an order, unless the platform has no place for them.
fn annotate(key: &str, documents: &[LinkedDocument], error: Option<&str>) -> Result<(), Fault> {
    match orders::annotate(key, documents, error.map(Reason::from).as_ref()) {
        Err(fault @ (Fault::Transient(_) | Fault::Configuration(_))) => Err(fault),
        _ => Ok(()),
    }
}

/// Whether a document is refused for its number alone.
fn is_number_taken(refusal: &Refusal, parcel: &Parcel) -> bool {
    let about_name = refusal.field.as_deref().is_none_or(|field| field == "name");
    refusal.code == Some(NOT_UNIQUE) && about_name && parcel.fields.has("name")
}

/// The key that a line is bound by.
fn line_key(order: &str, line: &str) -> Key {
    format!("{order}/{line}")
}

/// The lines of an order, and that of what comes on top.
fn line_ids(order: &Order) -> impl Iterator<Item = &str> {
    let own = order.lines.iter().map(|line| line.id.as_str());
    own.chain([ON_TOP])
}

fn by_id(documents: Vec<Doc>) -> HashMap<Uuid, Doc> {
    let documents = documents.into_iter();
    documents.map(|document| (document.id, document)).collect()
}

fn unique(keys: impl Iterator<Item = Key>) -> Vec<Key> {
    let keys: HashSet<Key> = keys.collect();
    keys.into_iter().collect()
}

fn by_key(kind: &str, keys: Vec<Key>) -> HashMap<Key, Binding> {
    let mut known = HashMap::new();
    for some in keys.chunks(BATCH) {
        let found = bindings::by_key(kind, some).into_iter().flatten();
        known.extend(found.map(|binding| (binding.key.clone(), binding)));
    }
    known
}
