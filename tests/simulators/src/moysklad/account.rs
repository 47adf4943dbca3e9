//! The account behind the API: its objects, the ways to find them, and its clock.
//!
//! Objects change only through the account, so that what is found by code, by reference or by time
//! is always true, and so that every change leaves its trace: a new `updated`, an entry of the
//! audit, notices to webhooks, other figures of stock.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use super::access::Access;
use super::audit::{Act, Action, Entry, Event};
use super::config::Behaviour;
use super::id::Id;
use super::journal;
use super::kind::Kind;
use super::moscow;
use super::record::Record;
use super::report::Figures;
use super::rules;
use super::stock::Stock;
use super::value::{Ref, Value};
use super::webhook::{self, Notice};

/// Fields by which objects are found at once.
const INDEXED: &[&str] = &[
    "name",
    "code",
    "externalCode",
    "syncId",
    "article",
    "email",
    "phone",
    "inn",
];

/// How many choices of a list are kept.
const MOST_CHOICES: usize = 32;

/// What the account's administrator may switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether codes of the assortment have to differ.
    pub unique_codes: bool,
    /// Whether the assortment gets codes when clients send none.
    pub filled_codes: bool,
    /// Whether codes of counterparties have to differ.
    pub unique_counterparty_codes: bool,
    /// Whether documents can be put into the bin.
    pub recycle_bin: bool,
}

/// What every account has from its first day.
#[derive(Clone, Copy, Debug)]
pub struct Home {
    /// The administrator.
    pub employee: Id,
    /// The department.
    pub group: Id,
    /// The currency of account.
    pub currency: Id,
    /// The first type of price.
    pub price_type: Id,
    /// The unit "piece".
    pub piece: Id,
    /// The legal entity.
    pub organization: Id,
    /// The warehouse.
    pub store: Id,
}

/// One MoySklad account.
#[derive(Debug)]
pub struct Account {
    /// Who is let in.
    pub access: Access,
    /// How the API behaves where its documents leave a choice.
    pub behaviour: Behaviour,
    /// What the administrator may switch.
    pub settings: Settings,
    /// What the account has from its first day.
    pub home: Home,
    /// Objects that the rights of whoever asks do not show: lists leave them out, and by itself none is
    /// answered.
    pub hidden: BTreeSet<Id>,
    pub(super) id: Id,
    /// Address of the API.
    pub(super) base: String,
    /// Addresses of the file storage: pictures of one account lie on several hosts.
    pub(super) storage: [String; 2],
    pub(super) stock: Stock,
    pub(super) figures: HashMap<Id, Figures>,
    pub(super) audit: Vec<Entry>,
    pub(super) notices: Vec<Notice>,
    /// Requests, when they are written down.
    pub(super) journal: Option<Vec<journal::Entry>>,
    /// Who is changing the account, for the traces of the changes.
    pub(super) act: Act,
    /// JSON texts of objects, kept while they do not change.
    pub(super) texts: RefCell<HashMap<Id, Arc<str>>>,
    /// Keys of the objects that a list's filter and order choose, kept while nothing in the list
    /// changes: a pull asks for page after page of one choice.
    pub(super) choices: HashMap<(Vec<Kind>, String), Arc<[Id]>>,
    /// How long a receiver of webhooks may take.
    pub(super) patience: Duration,
    /// Key and expiry of the addresses that the file storage was told of.
    pub(super) links: HashMap<String, (Id, Timestamp)>,
    records: HashMap<Id, Record>,
    listed: BTreeMap<Kind, BTreeSet<Id>>,
    found: HashMap<(Kind, &'static str), HashMap<String, BTreeSet<Id>>>,
    referrers: HashMap<Id, BTreeSet<Id>>,
    owners: HashMap<Id, Id>,
    price_types: Vec<Id>,
    events: Vec<Event>,
    moment: Option<Timestamp>,
    now: Timestamp,
    /// How far the account's running clock is ahead of the machine's; none when it stands.
    ahead: Option<SignedDuration>,
    rng: Rng,
    sequence: u64,
    numbers: BTreeMap<Kind, u64>,
}

impl Account {
    /// An account as on its first day, and nothing else: an administrator, a legal entity, a
    /// warehouse, roubles, a type of price, a unit, and the statuses of orders. Its clock stands at
    /// noon of 1 March 2026, UTC.
    pub fn empty() -> Self {
        Self::numbered(1)
    }

    /// The account's own id.
    pub fn id(&self) -> Id {
        self.id
    }

    /// The same of another customer of MoySklad for each number: with other ids of all.
    pub fn numbered(number: u64) -> Self {
        let noon = Timestamp::from_second(1_772_366_400).unwrap_or(Timestamp::UNIX_EPOCH);
        let nobody = Id::new(0);
        let mut account = Self {
            access: Access::default(),
            behaviour: Behaviour::default(),
            settings: Settings {
                unique_codes: false,
                filled_codes: false,
                unique_counterparty_codes: false,
                recycle_bin: true,
            },
            home: Home {
                employee: nobody,
                group: nobody,
                currency: nobody,
                price_type: nobody,
                piece: nobody,
                organization: nobody,
                store: nobody,
            },
            id: nobody,
            base: "http://localhost/api/remap/1.2".to_owned(),
            storage: ["http://localhost", "http://localhost:8080"].map(str::to_owned),
            stock: Stock::default(),
            figures: HashMap::new(),
            audit: Vec::new(),
            notices: Vec::new(),
            journal: None,
            act: Act::default(),
            texts: RefCell::default(),
            choices: HashMap::new(),
            patience: Duration::from_millis(1500),
            links: HashMap::new(),
            hidden: BTreeSet::new(),
            records: HashMap::new(),
            listed: BTreeMap::new(),
            found: HashMap::new(),
            referrers: HashMap::new(),
            owners: HashMap::new(),
            price_types: Vec::new(),
            events: Vec::new(),
            moment: None,
            now: noon,
            ahead: None,
            rng: Rng::with_seed(number),
            sequence: 0,
            numbers: BTreeMap::new(),
        };
        account.id = account.allot_id();
        account.furnish();
        account
    }

    /// The account's clock.
    pub fn now(&self) -> Timestamp {
        match self.ahead {
            Some(ahead) => moscow::millisecond(
                Timestamp::now()
                    .saturating_add(ahead)
                    .unwrap_or(Timestamp::MAX),
            )
            .max(self.now),
            None => self.now,
        }
    }

    /// Sets the clock. A running one goes on from there.
    pub fn set_now(&mut self, now: Timestamp) {
        self.now = moscow::millisecond(now);
        if self.ahead.is_some() {
            self.ahead = Some(now.duration_since(Timestamp::now()));
        }
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: SignedDuration) {
        let later = self.now().saturating_add(time).unwrap_or(Timestamp::MAX);
        self.set_now(later);
    }

    /// Lets the clock run from where it stands.
    pub(super) fn run_clock(&mut self) {
        self.ahead = Some(self.now.duration_since(Timestamp::now()));
    }

    /// The moment of the changes under way: later than any before, and one for all that a request
    /// changes.
    pub fn stamp(&mut self) -> Timestamp {
        if let Some(moment) = self.moment {
            return moment;
        }
        let millisecond = SignedDuration::from_millis(1);
        let next = self
            .now
            .saturating_add(millisecond)
            .unwrap_or(Timestamp::MAX);
        self.now = next.max(self.now());
        self.moment = Some(self.now);
        self.now
    }

    /// Ends the changes under way: they are entered into the audit, and webhooks are told.
    pub(super) fn settle(&mut self) {
        self.moment = None;
        let events = mem::take(&mut self.events);
        let act = mem::take(&mut self.act);
        if events.is_empty() {
            return;
        }
        let entry = Entry {
            id: self.allot_id(),
            act,
            moment: self.now,
            events,
        };
        let notices = webhook::notices(self, &entry);
        self.notices.extend(notices);
        self.audit.push(entry);
    }

    /// Forgets what was prepared for answers.
    pub(super) fn forget(&mut self) {
        self.texts.get_mut().clear();
        self.choices.clear();
    }

    /// A key that nothing has yet.
    pub(super) fn allot_id(&mut self) -> Id {
        Id::new(self.rng.u128(..))
    }

    /// An external code as the vendor makes them up.
    pub(super) fn allot_code(&mut self) -> String {
        (0..22).map(|_| self.rng.alphanumeric()).collect()
    }

    /// The next number in the account's own count of a kind.
    pub(super) fn allot_number(&mut self, kind: Kind) -> u64 {
        let number = self.numbers.entry(kind).or_default();
        *number += 1;
        *number
    }

    /// An object without any fields, not yet part of the account.
    pub(super) fn blank(&mut self, kind: Kind) -> Record {
        self.sequence += 1;
        let id = self.allot_id();
        Record::new(kind, id, self.sequence)
    }

    /// An object by its key.
    pub fn peek(&self, id: Id) -> Option<&Record> {
        self.records.get(&id)
    }

    /// An object by its key.
    ///
    /// # Panics
    /// When there is no such object.
    pub fn get(&self, id: Id) -> &Record {
        self.peek(id)
            .unwrap_or_else(|| panic!("the account has no object {id}"))
    }

    /// All objects of a kind, oldest first.
    pub fn all(&self, kind: Kind) -> Vec<&Record> {
        let mut all: Vec<_> = self.ids(kind).filter_map(|id| self.peek(id)).collect();
        all.sort_by_key(|record| record.sequence);
        all
    }

    /// The only object of a kind with this text in a field, or the oldest of several.
    pub fn find(&self, kind: Kind, field: &'static str, text: &str) -> Option<&Record> {
        match self.indexed(kind, field, text) {
            Some(ids) => ids
                .iter()
                .filter_map(|id| self.peek(*id))
                .min_by_key(|record| record.sequence),
            None => self
                .all(kind)
                .into_iter()
                .find(|record| record.text(field) == text),
        }
    }

    /// How many objects of a kind there are.
    pub fn count(&self, kind: Kind) -> usize {
        self.listed.get(&kind).map_or(0, BTreeSet::len)
    }

    /// The keys of the objects of a kind.
    pub(super) fn ids(&self, kind: Kind) -> impl Iterator<Item = Id> + '_ {
        self.listed.get(&kind).into_iter().flatten().copied()
    }

    /// The keys of the objects with this text in a field; none when the field is not indexed.
    pub(super) fn indexed(
        &self,
        kind: Kind,
        field: &'static str,
        text: &str,
    ) -> Option<&BTreeSet<Id>> {
        const NOBODY: &BTreeSet<Id> = &BTreeSet::new();
        INDEXED.contains(&field).then(|| {
            self.found
                .get(&(kind, field))
                .and_then(|texts| texts.get(text))
                .unwrap_or(NOBODY)
        })
    }

    /// The object that a reference leads to: one with a list of its own, or a row of its owner.
    pub(super) fn resolve(&self, reference: Ref) -> Option<&Record> {
        if let Some(collection) = reference.kind.collection() {
            let owner = self.peek(self.owner_of(reference.id)?)?;
            let mut rows = owner.rows(collection).iter();
            return rows.find(|row| row.id == reference.id);
        }
        self.peek(reference.id)
            .filter(|record| record.kind == reference.kind)
    }

    /// The object that owns a row.
    pub(super) fn owner_of(&self, row: Id) -> Option<Id> {
        self.owners.get(&row).copied()
    }

    /// The objects that refer to one.
    pub(super) fn referrers(&self, id: Id) -> impl Iterator<Item = &Record> {
        let ids = self.referrers.get(&id).into_iter().flatten();
        ids.filter_map(|id| self.peek(*id))
    }

    /// The definitions of a kind's additional fields, oldest first.
    pub(super) fn definitions(&self, kind: Kind) -> impl Iterator<Item = &Record> {
        let word = kind.attributes().map_or("", Kind::word);
        self.all(Kind::AttributeMetadata)
            .into_iter()
            .filter(move |definition| definition.text("entityType") == word)
    }

    /// The statuses of a kind, oldest first.
    pub fn states(&self, kind: Kind) -> Vec<&Record> {
        let all = self.all(Kind::State).into_iter();
        all.filter(|state| state.text("entityType") == kind.word())
            .collect()
    }

    /// The types of price, the usual one first.
    pub fn price_types(&self) -> &[Id] {
        &self.price_types
    }

    pub(super) fn set_price_types(&mut self, price_types: Vec<Id>) {
        self.price_types = price_types;
        self.texts.get_mut().clear();
    }

    /// What a unit of something costs the company: its purchase price.
    pub(super) fn cost(&self, item: Id) -> Decimal {
        match self.peek(item).and_then(|record| record.get("buyPrice")) {
            Some(Value::Price(price)) => price.value,
            _ => Decimal::ZERO,
        }
    }

    /// The address of an object.
    pub(super) fn href(&self, reference: Ref) -> String {
        let (base, id, word) = (&self.base, reference.id, reference.kind.word());
        let defined_for = || {
            self.peek(id)
                .map_or("", |definition| definition.text("entityType"))
        };
        match reference.kind {
            Kind::PriceType => format!("{base}/context/companysettings/pricetype/{id}"),
            Kind::State => format!("{base}/entity/{}/metadata/states/{id}", defined_for()),
            Kind::AttributeMetadata => {
                format!("{base}/entity/{}/metadata/attributes/{id}", defined_for())
            }
            Kind::Characteristic => {
                format!("{base}/entity/variant/metadata/characteristics/{id}")
            }
            kind => match (kind.collection(), self.owner_of(id)) {
                (Some(collection), Some(owner)) => {
                    let owner = self.peek(owner).map(Record::reference);
                    let owner = owner.map_or_else(String::new, |owner| self.href(owner));
                    format!("{owner}/{collection}/{id}")
                }
                _ => format!("{base}/entity/{word}/{id}"),
            },
        }
    }

    /// Enters a new object, or one in place of its former self.
    pub(super) fn put(&mut self, record: Record) {
        let before = self.records.get(&record.id).cloned();
        let action = match &before {
            None => Some(Action::Created),
            Some(before) => Action::between(before, &record),
        };
        if let Some(action) = action {
            self.note(&record, action, before.as_ref());
        }
        if let Some(before) = before {
            self.unlink(&before);
        }
        self.link(&record);
        self.records.insert(record.id, record);
    }

    /// Takes an object out of the account. Other objects that refer to it keep their references.
    pub(super) fn take(&mut self, id: Id) {
        self.stamp();
        if let Some(record) = self.records.get(&id).cloned() {
            self.note(&record, Action::Deleted, None);
            self.unlink(&record);
            self.records.remove(&id);
            if record.kind.is_stored() || record.kind == Kind::Store {
                let moment = self.stamp();
                self.stock.vanish(id, moment);
            }
        }
    }

    fn note(&mut self, record: &Record, action: Action, before: Option<&Record>) {
        if record.kind.is_entity() {
            self.events.push(Event::new(record, action, before));
        }
    }

    fn link(&mut self, record: &Record) {
        let id = record.id;
        self.listed.entry(record.kind).or_default().insert(id);
        for field in INDEXED {
            if let Some(text) = index_key(record, field) {
                let texts = self.found.entry((record.kind, field)).or_default();
                texts.entry(text).or_default().insert(id);
            }
        }
        for reference in record.all_references() {
            self.referrers.entry(reference.id).or_default().insert(id);
        }
        for (collection, _) in record.kind.collections() {
            for row in record.rows(collection) {
                self.owners.insert(row.id, id);
            }
        }
        if record.kind == Kind::PriceType && !self.price_types.contains(&id) {
            self.price_types.push(id);
        }
        self.expect(record, true);
        self.outdate(record);
    }

    fn unlink(&mut self, record: &Record) {
        let id = record.id;
        if let Some(ids) = self.listed.get_mut(&record.kind) {
            ids.remove(&id);
        }
        for field in INDEXED {
            if let Some(text) = index_key(record, field)
                && let Some(texts) = self.found.get_mut(&(record.kind, *field))
                && let Some(ids) = texts.get_mut(&text)
            {
                ids.remove(&id);
                if ids.is_empty() {
                    texts.remove(&text);
                }
            }
        }
        for reference in record.all_references() {
            if let Some(ids) = self.referrers.get_mut(&reference.id) {
                ids.remove(&id);
            }
        }
        for (collection, _) in record.kind.collections() {
            for row in record.rows(collection) {
                self.owners.remove(&row.id);
            }
        }
        self.expect(record, false);
        self.outdate(record);
    }

    /// Counts what a document reserves and lets expect, or ceases to.
    fn expect(&mut self, record: &Record, counts: bool) {
        let expectations = rules::expectations(self, record);
        if expectations.is_empty() {
            return;
        }
        let moment = self.stamp();
        let store = record.refers("store").map(|store| store.id);
        for (item, mut change) in expectations {
            if !counts {
                change = change.negated();
            }
            self.stock.change(item, store, change, moment);
        }
        if self.behaviour.stock_at_once {
            self.stock.recalculate();
        }
    }

    /// Forgets prepared answers in which an object occurs.
    fn outdate(&mut self, record: &Record) {
        let texts = self.texts.get_mut();
        if matches!(
            record.kind,
            Kind::ProductFolder | Kind::PriceType | Kind::AttributeMetadata | Kind::Characteristic
        ) {
            texts.clear();
            self.choices.clear();
            return;
        }
        texts.remove(&record.id);
        for reference in record.all_references() {
            texts.remove(&reference.id);
        }
        for referrer in self.referrers.get(&record.id).into_iter().flatten() {
            texts.remove(referrer);
        }
        self.choices
            .retain(|(kinds, _), _| !kinds.contains(&record.kind));
    }

    /// Keeps what a list's filter and order chose.
    pub(super) fn keep_choice(&mut self, choice: (Vec<Kind>, String), chosen: Arc<[Id]>) {
        // A client that asks for "until now" again and again never asks the same twice.
        if self.choices.len() == MOST_CHOICES {
            self.choices.clear();
        }
        self.choices.insert(choice, chosen);
    }
}

/// The text by which an object is found.
fn index_key(record: &Record, field: &str) -> Option<String> {
    match record.get(field)? {
        Value::Text(text) => Some(text.clone()),
        Value::Id(id) => Some(id.to_string()),
        _ => None,
    }
}
