//! `tenon:erp`: the platform's records, passed through to the run's unit of work.
//!
//! The threat: a guest makes the host hold gigabytes by asking for one large record thousands of
//! times in one call, or by saving records of many megabytes. So a call carries so many records and no
//! more, a record that is saved has a largest size, and what one call answers has one, too.

use wasmtime::Result;

use super::{RunState, admit_names};
use crate::contract::tenon::erp::{catalog, directories, orders, partners, stock};
use crate::model::{
    Category, Cursor, Directory, Effect, Entry, Fault, Image, Keep, Key, LinkedDocument, Money,
    Order, OrderDirection, OrderFields, OrderLookup, OrderPage, Origin, Partner, PartnerFields,
    PartnerLookup, PartnerPage, Product, ProductFields, ProductLookup, ProductPage, Reason,
    RecordKind, Saved, StockLevel, StockPage,
};
use crate::observe::{Change, Side, Written, tidy};
use crate::reason::Told;

type Answer<T> = Result<std::result::Result<T, Fault>>;
type Each<T> = Answer<Vec<std::result::Result<T, Fault>>>;

/// Bytes of what people know a record by.
const LABEL: usize = 200;

/// Records that are asked of the platform at a time. A page of changes holds no more.
const PAGE: usize = 100;

impl RunState {
    /// Passes texts that together are no larger than a record.
    fn admit_weight(&self, weight: usize) -> std::result::Result<(), Fault> {
        let most = self.limits.record;
        if weight > most {
            return Err(too_large(weight, most));
        }
        Ok(())
    }
}

/// What the host notes of a record that is saved.
struct Noted {
    /// What is counted: a kind of records, or what is put on one of them.
    kind: &'static str,
    /// Tells it from all others of that kind, beside the record's key.
    part: String,
    /// The kind of the record that is written, or the directory of an entry.
    record: &'static str,
    origin: String,
    label: Option<String>,
}

impl Noted {
    /// A record of a kind, and what people know it by.
    fn record(kind: RecordKind, origin: Option<&Origin>, label: Option<&str>) -> Noted {
        let label = label.filter(|label| !label.is_empty()).map(|label| {
            let mut label = label.to_owned();
            tidy(&mut label, LABEL);
            label
        });
        Noted {
            kind: kind.name(),
            part: String::new(),
            record: kind.name(),
            origin: origin.cloned().unwrap_or_default(),
            label,
        }
    }

    /// What is put on a record of a kind.
    fn on(record: RecordKind, kind: &'static str, part: impl Into<String>) -> Noted {
        Noted {
            kind,
            part: part.into(),
            ..Noted::record(record, None, None)
        }
    }
}

impl RunState {
    /// Notes what became of a record that was given to the platform.
    fn note(&mut self, noted: Noted, saved: &std::result::Result<Saved, Fault>) -> Result<()> {
        let Ok(saved) = saved else { return Ok(()) };
        let name = [saved.key.as_str(), &noted.part];
        self.run()?.seen.saved(noted.kind, &name, saved.effect);
        self.observer.agreed(noted.kind, &saved.key, &noted.origin);
        let change = match saved.effect {
            Effect::Created => Change::Created,
            Effect::Updated => Change::Updated,
            Effect::Unchanged => return Ok(()),
        };
        self.hold(Written {
            side: Side::Platform,
            record_kind: noted.record.to_owned(),
            origin: noted.origin,
            key: Some(saved.key.clone()),
            label: noted.label,
            change,
            changes: saved.changes.clone(),
        })
    }
}

fn too_large(weight: usize, most: usize) -> Fault {
    let reason = Reason::new("host.record-too-large");
    Fault::Rejected(reason.arg("bytes", weight).arg("most", most))
}

/// Records of which some are too large to be saved.
struct Weighed<T> {
    fit: Vec<T>,
    /// Positions and sizes of the others.
    heavy: Vec<(usize, usize)>,
}

fn weigh<T: Keep>(records: Vec<T>, most: usize) -> Weighed<T> {
    let mut heavy = Vec::new();
    let mut position = 0;
    let mut fit = records;
    fit.retain(|record| {
        let weight = record.weight();
        if weight > most {
            heavy.push((position, weight));
        }
        position += 1;
        weight <= most
    });
    Weighed { fit, heavy }
}

/// The results in the order of the records given, with a reason for each that was too large.
fn merge<T>(
    saved: Vec<std::result::Result<T, Fault>>,
    heavy: &[(usize, usize)],
    most: usize,
) -> Vec<std::result::Result<T, Fault>> {
    let mut results = saved;
    for (position, weight) in heavy {
        let place = results.len().min(*position);
        results.insert(place, Err(too_large(*weight, most)));
    }
    results
}

/// Finds page by page, and no more in all than one call may answer.
macro_rules! find {
    ($state:ident, $find:ident, $lookups:ident) => {{
        $state.admit(&$lookups)?;
        let mut found = Vec::with_capacity($lookups.len());
        let mut weight = 0;
        let mut left = $lookups.into_iter();
        loop {
            let page: Vec<_> = left.by_ref().take(PAGE).collect();
            if page.is_empty() {
                return Ok(Ok(found));
            }
            match $state.work()?.$find(page).await {
                Ok(page) => found.extend(page.into_iter().inspect(|it| weight += it.weight())),
                Err(fault) => return Ok(Err(fault)),
            }
            $state.admit_answer(weight)?;
        }
    }};
}

/// Saves the records that are not too large, and says so of the others. Notes what became of each.
/// It saves page by page, since what a save changed is no more in all than one call may answer.
macro_rules! save {
    ($state:ident, $save:ident, $records:ident $(, $owned:ident)?; $noted:expr) => {{
        $state.admit(&$records)?;
        let most = $state.limits.record;
        let Weighed { fit, heavy } = weigh($records, most);
        let mut saved = Vec::with_capacity(fit.len());
        let mut weight = 0;
        let mut left = fit.into_iter();
        loop {
            let page: Vec<_> = left.by_ref().take(PAGE).collect();
            if page.is_empty() {
                return Ok(Ok(merge(saved, &heavy, most)));
            }
            let noted: Vec<Noted> = page.iter().map($noted).collect();
            let answers = match $state.work()?.$save(page $(, $owned)?).await {
                Ok(answers) => answers,
                Err(fault) => return Ok(Err(fault)),
            };
            for (noted, answer) in noted.into_iter().zip(&answers) {
                weight += answer.as_ref().map_or(0, Keep::weight);
                $state.note(noted, answer)?;
            }
            saved.extend(answers);
            $state.admit_answer(weight)?;
        }
    }};
}

/// Notes what became of one record, and passes that on.
macro_rules! noted {
    ($state:ident, $saved:expr, $noted:expr) => {{
        let saved = $saved;
        $state.note($noted, &saved)?;
        weigh_answer!($state, saved)
    }};
}

/// Passes an answer that is no larger than one call may answer.
macro_rules! weigh_answer {
    ($state:ident, $answer:ident) => {{
        if let Ok(answer) = &$answer {
            $state.admit_answer(answer.weight())?;
        }
        Ok($answer)
    }};
}

/// No more than a page.
fn page(limit: u32) -> u32 {
    limit.min(PAGE as u32)
}

impl directories::Host for RunState {
    async fn list(&mut self, directory: Directory) -> Answer<Vec<Entry>> {
        let entries = self.work()?.list(directory).await;
        weigh_answer!(self, entries)
    }

    async fn ensure(
        &mut self,
        directory: Directory,
        name: String,
        origin: Origin,
    ) -> Answer<Saved> {
        admit_names("host.limit.name.directory-entry", [&name, &origin])?;
        let noted = Noted {
            kind: "entry",
            part: directory.name().to_owned(),
            record: directory.name(),
            origin: origin.clone(),
            label: Some(name.clone()),
        };
        noted!(
            self,
            self.work()?.ensure(directory, name, origin).await,
            noted
        )
    }
}

impl catalog::Host for RunState {
    async fn find(&mut self, lookups: Vec<ProductLookup>) -> Answer<Vec<Option<Product>>> {
        find!(self, find_products, lookups)
    }

    async fn save(&mut self, products: Vec<Product>, owned: ProductFields) -> Each<Saved> {
        save!(self, save_products, products, owned; |product| {
            Noted::record(RecordKind::Product, product.origin.as_ref(), Some(&product.name))
        })
    }

    async fn changed(&mut self, after: Option<Cursor>, limit: u32) -> Answer<ProductPage> {
        let products = self.work()?.changed_products(after, page(limit)).await;
        weigh_answer!(self, products)
    }

    async fn categories(&mut self) -> Answer<Vec<Category>> {
        let categories = self.work()?.categories().await;
        weigh_answer!(self, categories)
    }

    async fn save_categories(&mut self, categories: Vec<Category>) -> Each<Saved> {
        save!(self, save_categories, categories; |category| {
            Noted::record(RecordKind::Category, category.origin.as_ref(), Some(&category.name))
        })
    }

    async fn read_image(&mut self, product: Key, digest: String) -> Answer<Vec<u8>> {
        Ok(self.work()?.read_image(product, digest).await)
    }

    async fn save_image(&mut self, product: Key, image: Image, content: Vec<u8>) -> Answer<Saved> {
        if let Err(fault) = self.admit_weight(image.weight()) {
            return Ok(Err(fault));
        }
        let noted = Noted::on(RecordKind::Product, "image", &image.file_name);
        noted!(
            self,
            self.work()?.save_image(product, image, content).await,
            noted
        )
    }
}

impl stock::Host for RunState {
    async fn set(&mut self, levels: Vec<StockLevel>) -> Each<Saved> {
        save!(self, set_stock, levels; |level| {
            let place = match &level.product_variant {
                Some(variant) => format!("{}/{variant}", level.warehouse),
                None => level.warehouse.clone(),
            };
            Noted {
                part: place.clone(),
                ..Noted::record(RecordKind::Stock, None, Some(&place))
            }
        })
    }

    async fn levels(
        &mut self,
        products: Vec<Key>,
        warehouse: Option<Key>,
    ) -> Answer<Vec<Vec<StockLevel>>> {
        self.admit(&products)?;
        let levels = self.work()?.stock_levels(products, warehouse).await;
        weigh_answer!(self, levels)
    }

    async fn changed(&mut self, after: Option<Cursor>, limit: u32) -> Answer<StockPage> {
        let stock = self.work()?.changed_stock(after, page(limit)).await;
        weigh_answer!(self, stock)
    }
}

impl partners::Host for RunState {
    async fn find(&mut self, lookups: Vec<PartnerLookup>) -> Answer<Vec<Option<Partner>>> {
        find!(self, find_partners, lookups)
    }

    async fn save(&mut self, partners: Vec<Partner>, owned: PartnerFields) -> Each<Saved> {
        save!(self, save_partners, partners, owned; |partner| {
            Noted::record(RecordKind::Partner, partner.origin.as_ref(), Some(&partner.name))
        })
    }

    async fn changed(&mut self, after: Option<Cursor>, limit: u32) -> Answer<PartnerPage> {
        let partners = self.work()?.changed_partners(after, page(limit)).await;
        weigh_answer!(self, partners)
    }

    async fn set_balances(&mut self, balances: Vec<(Key, Money)>) -> Each<Saved> {
        self.admit(&balances)?;
        let saved = self.work()?.set_balances(balances).await;
        for saved in saved.iter().flatten() {
            self.note(Noted::on(RecordKind::Partner, "balance", ""), saved)?;
        }
        Ok(saved)
    }
}

impl orders::Host for RunState {
    async fn find(&mut self, lookups: Vec<OrderLookup>) -> Answer<Vec<Option<Order>>> {
        find!(self, find_orders, lookups)
    }

    async fn save(&mut self, orders: Vec<Order>, owned: OrderFields) -> Each<Saved> {
        save!(self, save_orders, orders, owned; |order| {
            Noted::record(RecordKind::Order, order.origin.as_ref(), order.number.as_deref())
        })
    }

    async fn changed(
        &mut self,
        direction: OrderDirection,
        after: Option<Cursor>,
        limit: u32,
    ) -> Answer<OrderPage> {
        let limit = page(limit);
        let orders = self.work()?.changed_orders(direction, after, limit).await;
        weigh_answer!(self, orders)
    }

    async fn annotate(
        &mut self,
        order: Key,
        documents: Vec<LinkedDocument>,
        error: Option<Reason>,
    ) -> Answer<Saved> {
        self.admit(&documents)?;
        if let Err(fault) = self.admit_weight(documents.weight()) {
            return Ok(Err(fault));
        }
        let language = self.run()?.place.language.clone();
        let error = error.map(|mut why| {
            why.tidy(self.limits.log_line);
            let text = self.log.text(&why, &language);
            Told { text, why }
        });
        let work = self.work()?;
        noted!(
            self,
            work.annotate_order(order, documents, error).await,
            Noted::on(RecordKind::Order, "note", "")
        )
    }

    async fn attach(&mut self, order: Key, file_name: String, content: Vec<u8>) -> Answer<Saved> {
        admit_names("host.limit.name.file-name", [&file_name])?;
        let noted = Noted::on(RecordKind::Order, "file", &file_name);
        let work = self.work()?;
        noted!(
            self,
            work.attach_to_order(order, file_name, content).await,
            noted
        )
    }
}

impl crate::contract::tenon::connector::manifest::Host for RunState {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_are_too_large_are_rejected_in_their_places() {
        let product = |bytes| Product {
            description: Some("x".repeat(bytes)),
            ..Product::default()
        };
        let records = vec![product(5_000), product(1), product(6_000), product(2)];
        let Weighed { fit, heavy } = weigh(records, 4_000);
        assert_eq!(vec![product(1), product(2)], fit);
        let results = merge(vec![Ok(1), Ok(2)], &heavy, 4_000);
        assert_eq!((Ok(1), Ok(2)), (results[1].clone(), results[3].clone()));
        for position in [0, 2] {
            let reason = results[position].as_ref().unwrap_err().to_string();
            assert!(reason.contains("4000"), "{reason}");
        }
    }
}
