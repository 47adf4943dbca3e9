//! What lies where: the ledger of stock, and the reports on it.
//!
//! The vendor recalculates reports some time after a change. The ledger therefore knows both what
//! is true and what reports show, and they part when the account is told not to recalculate.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use super::account::Account;
use super::endpoints::{Answer, Call, Reply};
use super::filter::{Condition, Operator};
use super::id::Id;
use super::kind::Kind;
use super::moscow;
use super::query::Page;
use super::record::Record;
use super::refusal::Refusal;
use super::value::Ref;
use super::wire::Wire;
use crate::json::{self, Double, Object, object};

/// Figures of one thing in one warehouse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// What lies there.
    pub stock: Decimal,
    /// What of it is promised to customers.
    pub reserve: Decimal,
    /// What is ordered from suppliers.
    pub in_transit: Decimal,
}

impl Level {
    /// What a customer could get, sooner or later.
    pub fn available(self) -> Decimal {
        self.stock - self.reserve + self.in_transit
    }

    /// What a customer could get now.
    pub fn free(self) -> Decimal {
        self.stock - self.reserve
    }

    /// The change that undoes this one.
    pub fn negated(self) -> Self {
        Self {
            stock: -self.stock,
            reserve: -self.reserve,
            in_transit: -self.in_transit,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            stock: self.stock + other.stock,
            reserve: self.reserve + other.reserve,
            in_transit: self.in_transit + other.in_transit,
        }
    }

    fn of(self, figure: Figure) -> Decimal {
        match figure {
            Figure::Stock => self.stock,
            Figure::FreeStock => self.free(),
            Figure::Quantity => self.available(),
            Figure::Reserve => self.reserve,
            Figure::InTransit => self.in_transit,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    truth: Level,
    shown: Level,
    changed: Timestamp,
}

/// A warehouse, or none for what no warehouse answers for.
type Place = Option<Id>;

/// The ledger.
#[derive(Debug, Default)]
pub struct Stock {
    cells: BTreeMap<Id, BTreeMap<Place, Cell>>,
    pending: BTreeSet<(Id, Place)>,
    /// When webhooks on stock were last told.
    pub told: Option<Timestamp>,
}

impl Stock {
    /// What reports say of a thing in a place.
    pub fn level(&self, item: Id, place: Place) -> Level {
        let places = self.cells.get(&item);
        places
            .and_then(|places| places.get(&place))
            .map_or(Level::default(), |cell| cell.shown)
    }

    /// What reports say of a thing in all places.
    pub fn total(&self, item: Id) -> Level {
        let places = self.cells.get(&item).into_iter().flatten();
        places.fold(Level::default(), |sum, (_, cell)| sum.plus(cell.shown))
    }

    /// Adds to what is true of a thing in a place.
    pub fn change(&mut self, item: Id, place: Place, change: Level, moment: Timestamp) {
        let cell = self.cell(item, place, moment);
        cell.truth = cell.truth.plus(change);
        cell.changed = moment;
        self.pending.insert((item, place));
    }

    /// Says what really lies in a place.
    pub fn set(&mut self, item: Id, place: Place, stock: Decimal, moment: Timestamp) {
        let cell = self.cell(item, place, moment);
        cell.truth.stock = stock;
        cell.changed = moment;
        self.pending.insert((item, place));
    }

    fn cell(&mut self, item: Id, place: Place, moment: Timestamp) -> &mut Cell {
        let places = self.cells.entry(item).or_default();
        places.entry(place).or_insert(Cell {
            truth: Level::default(),
            shown: Level::default(),
            changed: moment,
        })
    }

    /// Reports show from now on what is true.
    pub fn recalculate(&mut self) {
        for (item, place) in std::mem::take(&mut self.pending) {
            if let Some(cell) = self
                .cells
                .get_mut(&item)
                .and_then(|one| one.get_mut(&place))
            {
                cell.shown = cell.truth;
            }
        }
    }

    /// A thing or a warehouse is gone: reports show noughts under its key.
    pub fn vanish(&mut self, id: Id, moment: Timestamp) {
        let mut emptied = Vec::new();
        for (item, places) in &mut self.cells {
            for (place, cell) in places {
                if *item == id || *place == Some(id) {
                    cell.truth = Level::default();
                    cell.changed = moment;
                    emptied.push((*item, *place));
                }
            }
        }
        self.pending.extend(emptied);
        self.recalculate();
    }

    /// Whether what lies in the warehouses changed after a moment.
    pub fn changed_after(&self, moment: Timestamp) -> bool {
        let mut cells = self.cells.values().flat_map(BTreeMap::values);
        cells.any(|cell| cell.changed > moment)
    }
}

/// One of the figures that a short report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    Stock,
    FreeStock,
    Quantity,
    Reserve,
    InTransit,
}

impl Figure {
    const ALL: [(&'static str, Self); 5] = [
        ("stock", Self::Stock),
        ("freeStock", Self::FreeStock),
        ("quantity", Self::Quantity),
        ("reserve", Self::Reserve),
        ("inTransit", Self::InTransit),
    ];
}

/// What a short report was asked for.
struct Short {
    name: &'static str,
    figure: Figure,
    zeros: bool,
    since: Option<Timestamp>,
    items: BTreeSet<Id>,
    stores: BTreeSet<Id>,
}

const DAY: SignedDuration = SignedDuration::from_hours(24);

impl Short {
    fn parse(call: &Call<'_>, now: Timestamp) -> Result<Self, Refusal> {
        let wanted = call.parameter("stockType").unwrap_or("stock");
        let (name, figure) = Figure::ALL
            .into_iter()
            .find(|(name, _)| *name == wanted)
            .ok_or_else(|| Refusal::about(1040, "stockType"))?;
        let since = match call.parameter("changedSince") {
            None => None,
            Some(text) => {
                let moment = moscow::read(text).ok_or_else(|| Refusal::about(1035, text))?;
                if moment > now || now.duration_since(moment) > DAY {
                    return Err(Refusal::about(1040, "changedSince"));
                }
                Some(moment)
            }
        };
        let mut short = Self {
            name,
            figure,
            zeros: since.is_some() || call.parameter("include") == Some("zeroLines"),
            since,
            items: BTreeSet::new(),
            stores: BTreeSet::new(),
        };
        for filter in call.parameters("filter") {
            for condition in Condition::parse_all(filter)? {
                let chosen = match condition.field.as_str() {
                    "assortmentId" => &mut short.items,
                    "storeId" => &mut short.stores,
                    other => return Err(Refusal::about(1034, other)),
                };
                if condition.operator != Operator::Equal {
                    return Err(Refusal::about(1034, condition.field));
                }
                for id in condition.value.split(',') {
                    let id = id.trim().parse();
                    chosen.insert(id.map_err(|_| Refusal::about(1052, &condition.value))?);
                }
            }
        }
        Ok(short)
    }

    fn wants(&self, item: Id, cell: &Cell) -> bool {
        (self.items.is_empty() || self.items.contains(&item))
            && self.since.is_none_or(|since| cell.changed >= since)
    }

    fn wants_place(&self, place: Place) -> bool {
        self.stores.is_empty() || place.is_some_and(|store| self.stores.contains(&store))
    }
}

/// `GET /report/stock/all/current`.
pub fn short(account: &mut Account, call: &Call<'_>) -> Answer {
    let asked = Short::parse(call, account.now())?;
    let mut rows = Vec::new();
    for (item, places) in &account.stock.cells {
        if !places.values().any(|cell| asked.wants(*item, cell)) {
            continue;
        }
        let places = places
            .iter()
            .filter(|(place, _)| asked.wants_place(**place));
        let total = places.fold(Level::default(), |sum, (_, cell)| sum.plus(cell.shown));
        let figure = visible(account, *item, total).of(asked.figure);
        if asked.zeros || !figure.is_zero() {
            rows.push((*item, figure));
        }
    }
    let mut out = String::new();
    json::objects(&mut out, rows, |out, (item, figure)| {
        out.put("assortmentId", item.to_string());
        out.put(asked.name, figure.normalize());
    });
    Ok(Reply::json(out))
}

/// `GET /report/stock/bystore/current`.
pub fn short_by_store(account: &mut Account, call: &Call<'_>) -> Answer {
    let asked = Short::parse(call, account.now())?;
    let recalculated = call.parameter("withRecalculate") == Some("true");
    let mut rows = Vec::new();
    for (item, places) in &account.stock.cells {
        for (place, cell) in places {
            if !asked.wants(*item, cell) || !asked.wants_place(*place) {
                continue;
            }
            // What is being recalculated is left out, unless it is asked for: then without a figure.
            let pending = account.stock.pending.contains(&(*item, *place));
            let figure = match (pending, recalculated) {
                (true, false) => continue,
                (true, true) => None,
                (false, _) => Some(visible(account, *item, cell.shown).of(asked.figure)),
            };
            if figure.is_some_and(|figure| figure.is_zero()) && !asked.zeros {
                continue;
            }
            let figure = figure.map(|figure| figure.normalize());
            rows.push((*item, *place, figure));
        }
    }
    let mut out = String::new();
    json::objects(&mut out, rows, |out, (item, place, figure)| {
        out.put("assortmentId", item.to_string());
        out.put("storeId", place.map(|store| store.to_string()));
        out.put(asked.name, figure);
    });
    Ok(Reply::json(out))
}

/// What a short report shows of a thing: noughts when it is in the archive.
fn visible(account: &Account, item: Id, level: Level) -> Level {
    match account.peek(item) {
        Some(record) if record.flag("archived") => Level::default(),
        _ => level,
    }
}

/// What an extended report was asked for.
struct Extended {
    stores: Chosen,
    items: Chosen,
    folders: BTreeSet<Id>,
    sub_folders: bool,
    suppliers: Chosen,
    archived: BTreeSet<bool>,
    search: Option<String>,
    stock_mode: Mode,
    quantity_mode: Mode,
    products_only: bool,
}

/// Objects that are wanted, or unwanted.
#[derive(Default)]
struct Chosen {
    wanted: BTreeSet<Id>,
    unwanted: BTreeSet<Id>,
}

impl Chosen {
    fn add(&mut self, account: &Account, condition: &Condition) -> Result<(), Refusal> {
        let id = condition.reference(account)?.id;
        match condition.operator {
            Operator::Equal => self.wanted.insert(id),
            Operator::NotEqual => self.unwanted.insert(id),
            _ => return Err(Refusal::about(1034, &condition.field)),
        };
        Ok(())
    }

    fn has(&self, id: Id) -> bool {
        (self.wanted.is_empty() || self.wanted.contains(&id)) && !self.unwanted.contains(&id)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    All,
    Positive,
    Negative,
    Empty,
    NonEmpty,
    UnderMinimum,
}

impl Mode {
    fn parse(condition: &Condition) -> Result<Self, Refusal> {
        Ok(match condition.value.as_str() {
            "all" => Self::All,
            "positiveOnly" => Self::Positive,
            "negativeOnly" => Self::Negative,
            "empty" => Self::Empty,
            "nonEmpty" => Self::NonEmpty,
            "underMinimum" => Self::UnderMinimum,
            _ => return Err(Refusal::about(1041, &condition.field)),
        })
    }

    fn holds(self, figure: Decimal, minimum: Decimal) -> bool {
        match self {
            Self::All => true,
            Self::Positive => figure > Decimal::ZERO,
            Self::Negative => figure < Decimal::ZERO,
            Self::Empty => figure.is_zero(),
            Self::NonEmpty => !figure.is_zero(),
            Self::UnderMinimum => figure < minimum,
        }
    }
}

impl Extended {
    fn parse(
        account: &Account,
        call: &Call<'_>,
        stock_mode: Mode,
        quantity_mode: Mode,
    ) -> Result<Self, Refusal> {
        let mut asked = Self {
            stores: Chosen::default(),
            items: Chosen::default(),
            folders: BTreeSet::new(),
            sub_folders: true,
            suppliers: Chosen::default(),
            archived: BTreeSet::new(),
            search: None,
            stock_mode,
            quantity_mode,
            products_only: match call.parameter("groupBy") {
                None | Some("variant" | "consignment") => false,
                Some("product") => true,
                Some(_) => return Err(Refusal::about(1040, "groupBy")),
            },
        };
        for filter in call.parameters("filter") {
            for condition in Condition::parse_all(filter)? {
                match condition.field.as_str() {
                    "store" => asked.stores.add(account, &condition)?,
                    "product" | "variant" => asked.items.add(account, &condition)?,
                    "supplier" => asked.suppliers.add(account, &condition)?,
                    "productFolder" => {
                        asked.folders.insert(condition.reference(account)?.id);
                    }
                    "withSubFolders" => asked.sub_folders = condition.value == "true",
                    "archived" => {
                        asked.archived.insert(condition.value == "true");
                    }
                    "search" => asked.search = Some(condition.value.to_lowercase()),
                    "stockMode" => asked.stock_mode = Mode::parse(&condition)?,
                    "quantityMode" => asked.quantity_mode = Mode::parse(&condition)?,
                    "moment" if moscow::read_filter(&condition.value).is_none() => {
                        return Err(Refusal::about(1035, condition.value));
                    }
                    // Figures of the past are not kept: the present stands for any moment.
                    "moment" => {}
                    other => return Err(Refusal::about(1034, other)),
                }
            }
        }
        if asked.archived.is_empty() {
            asked.archived.insert(false);
        }
        Ok(asked)
    }

    /// The level of a thing in the places asked for, when the thing is asked for.
    fn level(&self, account: &Account, item: &Record) -> Option<Level> {
        let product = item.refers("product").and_then(|one| account.peek(one.id));
        let card = product.unwrap_or(item);
        let wanted = self.archived.contains(&item.flag("archived"))
            && (self.items.has(item.id)
                || product.is_some_and(|one| self.items.wanted.contains(&one.id)))
            && (self.suppliers.wanted.is_empty() && self.suppliers.unwanted.is_empty()
                || card
                    .refers("supplier")
                    .is_some_and(|one| self.suppliers.has(one.id)))
            && (self.folders.is_empty() || account.lies_in(card, &self.folders, self.sub_folders))
            && self
                .search
                .as_ref()
                .is_none_or(|text| item.name().to_lowercase().contains(text));
        if !wanted {
            return None;
        }
        let places = account.stock.cells.get(&item.id).into_iter().flatten();
        let level = places
            .filter(|(place, _)| match place {
                Some(store) => self.stores.has(*store),
                None => self.stores.wanted.is_empty(),
            })
            .fold(Level::default(), |sum, (_, cell)| sum.plus(cell.shown));
        let minimum = item.number("minimumBalance");
        let holds = self.stock_mode.holds(level.stock, minimum)
            && self.quantity_mode.holds(level.available(), minimum);
        holds.then_some(level)
    }

    /// The things in the report, by folder and name.
    fn items<'a>(&self, account: &'a Account) -> Vec<(&'a Record, Level)> {
        let kinds: &[Kind] = if self.products_only {
            &[Kind::Product]
        } else {
            &[Kind::Product, Kind::Variant]
        };
        let mut items = Vec::new();
        for kind in kinds {
            for record in account.ids(*kind).filter_map(|id| account.peek(id)) {
                if let Some(level) = self.level(account, record) {
                    items.push((record, level));
                }
            }
        }
        items.sort_by_cached_key(|(record, _)| {
            (
                account.path_name(record),
                record.name().to_owned(),
                record.id,
            )
        });
        items
    }
}

/// `GET /report/stock/all`.
pub fn extended(account: &mut Account, call: &Call<'_>) -> Answer {
    let asked = Extended::parse(account, call, Mode::All, Mode::NonEmpty)?;
    let page = Page::usual(call, account.behaviour.limit_over_max)?;
    let items = asked.items(account);
    let wire = Wire::new(account, call.precise, None);
    let shown = page.of(&items);
    Ok(Reply::json(report(
        account,
        call,
        &page,
        items.len(),
        "stock",
        |out| {
            out.objects("rows", shown, |out, (record, level)| {
                item_meta(out, account, record);
                out.put("stock", level.stock.normalize());
                out.put("inTransit", level.in_transit.normalize());
                out.put("reserve", level.reserve.normalize());
                out.put("quantity", level.available().normalize());
                out.put("name", record.name());
                for field in ["code", "article"] {
                    if !record.text(field).is_empty() {
                        out.put(field, record.text(field));
                    }
                }
                out.put("price", Double(account.cost(record.id)));
                let price = account.price_types().first();
                let price = price.and_then(|one| record.sale_price(*one));
                out.put(
                    "salePrice",
                    Double(price.map_or(Decimal::ZERO, |price| price.value)),
                );
                let card = record
                    .refers("product")
                    .map_or(*record, |one| account.get(one.id));
                for (field, name) in [("uom", "uom"), ("productFolder", "folder")] {
                    if let Some(target) = card.refers(field).and_then(|one| account.peek(one.id)) {
                        out.object(name, |out| {
                            out.object("meta", |meta| wire.meta(meta, target.reference()));
                            out.put("name", target.name());
                            if name == "folder" {
                                out.put("pathName", account.path_name(target));
                            }
                        });
                    }
                }
                if let Some(image) = record.images().first() {
                    out.object("image", |out| {
                        wire.image(out, record.reference(), image);
                    });
                }
                out.put("externalCode", record.text("externalCode"));
                out.put("stockDays", 0_usize);
            });
        },
    )))
}

/// `GET /report/stock/bystore`.
pub fn extended_by_store(account: &mut Account, call: &Call<'_>) -> Answer {
    let asked = Extended::parse(account, call, Mode::NonEmpty, Mode::All)?;
    let page = Page::usual(call, account.behaviour.limit_over_max)?;
    let items = asked.items(account);
    let wire = Wire::new(account, call.precise, None);
    let stores: Vec<&Record> = account
        .all(Kind::Store)
        .into_iter()
        .filter(|store| !store.flag("archived") && asked.stores.has(store.id))
        .collect();
    let shown = page.of(&items);
    let total = items.len();
    Ok(Reply::json(report(
        account,
        call,
        &page,
        total,
        "stockbystore",
        |out| {
            out.objects("rows", shown, |out, (record, _)| {
                item_meta(out, account, record);
                out.objects("stockByStore", &stores, |out, store| {
                    let level = account.stock.level(record.id, Some(store.id));
                    out.object("meta", |meta| wire.meta(meta, store.reference()));
                    out.put("name", store.name());
                    out.put("stock", level.stock.normalize());
                    out.put("reserve", level.reserve.normalize());
                    out.put("inTransit", level.in_transit.normalize());
                });
            });
        },
    )))
}

/// The reports' way to refer to goods: with a query behind the key.
fn item_meta(out: &mut Object<'_>, account: &Account, record: &Record) {
    let reference: Ref = record.reference();
    out.object("meta", |meta| {
        let word = reference.kind.word();
        meta.put(
            "href",
            format!("{}?expand=supplier", account.href(reference)),
        );
        meta.put(
            "metadataHref",
            format!("{}/entity/{word}/metadata", account.base),
        );
        meta.put("type", word);
        meta.put("mediaType", "application/json");
    });
}

/// The envelope of a report, which tells who asked in its own way.
fn report(
    account: &Account,
    call: &Call<'_>,
    page: &Page,
    total: usize,
    kind: &str,
    rows: impl FnOnce(&mut Object<'_>),
) -> String {
    let mut out = String::new();
    object(&mut out, |out| {
        out.object("context", |out| {
            out.object("employee", |out| {
                out.put("href", format!("{}/context/employee", account.base));
                out.put("type", "employee");
                out.put("mediaType", "application/json");
            });
        });
        page.meta(out, call, total, kind);
        rows(out);
    });
    out
}

/// The figures that the older form of the assortment has beside the goods.
pub fn beside(out: &mut Object<'_>, account: &Account, item: Id) {
    let level = account.stock.total(item);
    out.put("stock", Double(level.stock));
    out.put("reserve", Double(level.reserve));
    out.put("inTransit", Double(level.in_transit));
    out.put("quantity", Double(level.available()));
}
