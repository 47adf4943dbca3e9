//! What a connector reaches in a test.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::panic::resume_unwind;

use super::books::Books;
use super::run::Run;
use crate::http::{Method, Request, Response, Unsent};
use crate::model::*;
use crate::{native, time};

/// Thrown where a run is killed.
pub struct Killed;

type Counterpart = Box<dyn FnMut(&Request) -> Response>;

/// What a checkpoint commits.
#[derive(Clone, Default)]
struct Kept {
    books: Books,
    storage: BTreeMap<String, Vec<u8>>,
    bindings: Vec<Binding>,
    timers: BTreeMap<String, (String, Option<String>)>,
}

struct State {
    settings: String,
    mode: RunMode,
    kept: Kept,
    committed: Kept,
    run: Run,
    calls: u64,
    kill_at: Option<u64>,
    stop_at: Option<u64>,
    killed: bool,
}

/// The host, for as long as a test lasts.
pub struct World {
    reads: Vec<Read>,
    counterpart: RefCell<Counterpart>,
    state: RefCell<State>,
}

impl World {
    pub fn new(settings: String, reads: Vec<Read>, counterpart: Counterpart) -> World {
        World {
            reads,
            counterpart: RefCell::new(counterpart),
            state: RefCell::new(State {
                settings,
                mode: RunMode::Live,
                kept: Kept::default(),
                committed: Kept::default(),
                run: Run::new(),
                calls: 0,
                kill_at: None,
                stop_at: None,
                killed: false,
            }),
        }
    }

    pub fn set(&self, settings: String) {
        self.state.borrow_mut().settings = settings;
    }

    pub fn kill_at(&self, call: u64) {
        self.state.borrow_mut().kill_at = Some(call);
    }

    pub fn stop_at(&self, checkpoint: u64) {
        self.state.borrow_mut().stop_at = Some(checkpoint);
    }

    pub fn was_killed(&self) -> bool {
        self.state.borrow().killed
    }

    pub fn with_books<R>(&self, work: impl FnOnce(&mut Books) -> R) -> R {
        let mut state = self.state.borrow_mut();
        let result = work(&mut state.kept.books);
        state.committed = state.kept.clone();
        result
    }

    /// A run begins. A comparison begins with nothing in storage.
    pub fn begin(&self, mode: RunMode) {
        // No two runs begin at one moment, which is what they are told apart by.
        let now = time::now();
        while time::now() <= now {
            std::thread::sleep(std::time::Duration::from_micros(200));
        }
        let mut state = self.state.borrow_mut();
        state.mode = mode;
        state.run = Run::new();
        state.calls = 0;
        if mode == RunMode::Compare {
            state.kept.storage.clear();
        }
    }

    /// A run ends; without an outcome it was killed.
    pub fn end(&self, outcome: Option<Result<Outcome, Fault>>) -> Run {
        let mut state = self.state.borrow_mut();
        let is_good = matches!(outcome, Some(Ok(_)));
        state.killed = outcome.is_none();
        if let Some(outcome) = outcome {
            state.run.outcome = outcome;
        }
        (state.kill_at, state.stop_at) = (None, None);
        drop(state);
        self.keep(is_good);
        self.state.borrow().run.clone()
    }

    /// What was written since the last checkpoint is kept, or undone.
    pub fn keep(&self, is_good: bool) {
        let mut state = self.state.borrow_mut();
        if is_good && state.mode == RunMode::Live {
            state.committed = state.kept.clone();
        } else {
            state.kept = state.committed.clone();
        }
        state.mode = RunMode::Live;
    }

    /// Each call of the host passes here.
    fn called(&self) {
        let mut state = self.state.borrow_mut();
        state.calls += 1;
        if state.kill_at == Some(state.calls) {
            drop(state);
            resume_unwind(Box::new(Killed));
        }
    }

    fn state(&self) -> RefMut<'_, State> {
        self.called();
        self.state.borrow_mut()
    }

    fn books(&self) -> RefMut<'_, Books> {
        RefMut::map(self.state(), |state| &mut state.kept.books)
    }

    fn look(&self) -> Ref<'_, Books> {
        self.called();
        Ref::map(self.state.borrow(), |state| &state.kept.books)
    }

    /// Whether a request changes nothing at the counterpart.
    fn only_reads(&self, request: &Request) -> bool {
        let url = &request.url;
        let path = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let path = path.find('/').map_or("/", |start| &path[start..]);
        let path = path.split('?').next().unwrap_or(path);
        let fits = |read: &Read| {
            let mut given = path.split('/');
            let mut declared = read.path.split('/');
            read.method == request.method.name()
                && declared.all(|part| given.next().is_some_and(|own| part == "*" || part == own))
                && given.next().is_none()
        };
        request.method == Method::Get || self.reads.iter().any(fits)
    }
}

fn no_such_record(key: &str) -> Fault {
    Fault::Rejected(Reason::new("testing.no-record").detail(key))
}

fn unchanged(key: &str) -> Saved {
    Saved {
        key: key.to_owned(),
        ..Saved::default()
    }
}

impl native::World for World {
    fn http(&self, request: Request) -> Result<Response, Unsent> {
        let mut state = self.state();
        if state.mode != RunMode::Live && !self.only_reads(&request) {
            state.run.forbidden.push(request);
            return Err(Unsent::Refused);
        }
        state.run.sent.push(request.clone());
        drop(state);
        Ok((self.counterpart.borrow_mut())(&request))
    }

    fn list_directory(&self, directory: Directory) -> Result<Vec<Entry>, Fault> {
        let listed = self.look().directories.get(&directory).cloned();
        Ok(listed.unwrap_or_default())
    }

    fn ensure_entry(&self, directory: Directory, name: &str, origin: &str) -> Result<Saved, Fault> {
        Ok(self.books().ensure(directory, name, origin))
    }

    fn find_products(&self, lookups: &[ProductLookup]) -> Result<Vec<Option<Product>>, Fault> {
        Ok(self.look().find_products(lookups))
    }

    fn save_products(
        &self,
        products: &[Product],
        owned: ProductFields,
    ) -> Result<Vec<Result<Saved, Fault>>, Fault> {
        self.books().save_products(products, owned)
    }

    fn changed_products(&self, after: Option<&str>, limit: u32) -> Result<ProductPage, Fault> {
        Ok(self.look().changed_products(after, limit))
    }

    fn categories(&self) -> Result<Vec<Category>, Fault> {
        Ok(self.look().categories.clone())
    }

    fn save_categories(&self, categories: &[Category]) -> Result<Vec<Result<Saved, Fault>>, Fault> {
        self.books().save_categories(categories)
    }

    fn read_image(&self, product: &str, digest: &str) -> Result<Vec<u8>, Fault> {
        let books = self.look();
        let mut products = books.products.iter();
        let images = products.find(|one| one.key.as_deref() == Some(product));
        let image = images.and_then(|one| one.images.iter().find(|image| image.digest == digest));
        let content = image.and_then(|image| {
            let place = (product.to_owned(), image.file_name.clone());
            books.files.get(&place).cloned()
        });
        content.ok_or_else(|| no_such_record(product))
    }

    fn save_image(&self, product: &str, image: &Image, content: &[u8]) -> Result<Saved, Fault> {
        let mut books = self.books();
        let mut products = books.products.iter_mut();
        let Some(card) = products.find(|one| one.key.as_deref() == Some(product)) else {
            return Err(no_such_record(product));
        };
        let origin = image.origin.clone().or_else(|| card.origin.clone());
        let mut known = card.images.iter_mut();
        match known.find(|known| known.file_name == image.file_name) {
            Some(known) => known.digest.clone_from(&image.digest),
            None => card.images.push(Image {
                origin,
                ..image.clone()
            }),
        }
        let place = (product.to_owned(), image.file_name.clone());
        books.files.insert(place, content.to_vec());
        Ok(Saved {
            effect: Effect::Updated,
            ..unchanged(product)
        })
    }

    fn set_stock(&self, levels: &[StockLevel]) -> Result<Vec<Result<Saved, Fault>>, Fault> {
        self.books().set_stock(levels)
    }

    fn stock_levels(
        &self,
        products: &[String],
        warehouse: Option<&str>,
    ) -> Result<Vec<Vec<StockLevel>>, Fault> {
        Ok(self.look().levels_of(products, warehouse))
    }

    fn changed_stock(&self, after: Option<&str>, limit: u32) -> Result<StockPage, Fault> {
        Ok(self.look().changed_stock(after, limit))
    }

    fn find_partners(&self, lookups: &[PartnerLookup]) -> Result<Vec<Option<Partner>>, Fault> {
        Ok(self.look().find_partners(lookups))
    }

    fn save_partners(
        &self,
        partners: &[Partner],
        owned: PartnerFields,
    ) -> Result<Vec<Result<Saved, Fault>>, Fault> {
        self.books().save_partners(partners, owned)
    }

    fn changed_partners(&self, after: Option<&str>, limit: u32) -> Result<PartnerPage, Fault> {
        Ok(self.look().changed_partners(after, limit))
    }

    fn set_balances(&self, balances: &[(Key, Money)]) -> Result<Vec<Result<Saved, Fault>>, Fault> {
        let mut books = self.books();
        let set = balances.iter().map(|(key, money)| {
            let before = books.balances.insert(key.clone(), money.clone());
            let effect = match before.as_ref() == Some(money) {
                true => Effect::Unchanged,
                false => Effect::Updated,
            };
            Ok(Saved {
                effect,
                ..unchanged(key)
            })
        });
        Ok(set.collect())
    }

    fn find_orders(&self, lookups: &[OrderLookup]) -> Result<Vec<Option<Order>>, Fault> {
        Ok(self.look().find_orders(lookups))
    }

    fn save_orders(
        &self,
        orders: &[Order],
        owned: OrderFields,
    ) -> Result<Vec<Result<Saved, Fault>>, Fault> {
        self.books().save_orders(orders, owned)
    }

    fn changed_orders(
        &self,
        direction: OrderDirection,
        after: Option<&str>,
        limit: u32,
    ) -> Result<OrderPage, Fault> {
        Ok(self.look().changed_orders(direction, after, limit))
    }

    fn annotate_order(
        &self,
        order: &str,
        documents: &[LinkedDocument],
        error: Option<&Reason>,
    ) -> Result<Saved, Fault> {
        let note = (documents.to_vec(), error.cloned());
        self.books().notes.insert(order.to_owned(), note);
        Ok(unchanged(order))
    }

    fn attach_to_order(
        &self,
        order: &str,
        file_name: &str,
        content: &[u8],
    ) -> Result<Saved, Fault> {
        let place = (order.to_owned(), file_name.to_owned());
        self.books().files.insert(place, content.to_vec());
        Ok(unchanged(order))
    }

    fn stored(&self, keys: &[String]) -> Vec<Option<Vec<u8>>> {
        let state = self.state();
        let storage = &state.kept.storage;
        keys.iter().map(|key| storage.get(key).cloned()).collect()
    }

    fn store(&self, entries: &[(String, Vec<u8>)]) -> Result<(), Quota> {
        self.state().kept.storage.extend(entries.iter().cloned());
        Ok(())
    }

    fn delete_stored(&self, keys: &[String]) {
        let mut state = self.state();
        for key in keys {
            state.kept.storage.remove(key);
        }
    }

    fn scan_stored(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<(String, Vec<u8>)> {
        let state = self.state();
        let entries = state.kept.storage.range(prefix.to_owned()..);
        let entries = entries.take_while(|(key, _)| key.starts_with(prefix));
        let entries = entries.filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
        let entries = entries.take(limit as usize);
        entries
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    fn bindings_by_origin(&self, kind: &str, origins: &[String]) -> Vec<Option<Binding>> {
        let state = self.state();
        let find = |origin: &String| {
            let mut all = state.kept.bindings.iter();
            all.find(|one| one.kind == kind && one.origin == *origin)
                .cloned()
        };
        origins.iter().map(find).collect()
    }

    fn bindings_by_key(&self, kind: &str, keys: &[String]) -> Vec<Option<Binding>> {
        let state = self.state();
        let find = |key: &String| {
            let mut all = state.kept.bindings.iter();
            all.find(|one| one.kind == kind && one.key == *key).cloned()
        };
        keys.iter().map(find).collect()
    }

    fn bind(&self, bindings: &[Binding]) {
        let mut state = self.state();
        for new in bindings {
            let mut all = state.kept.bindings.iter_mut();
            match all.find(|one| one.kind == new.kind && one.origin == new.origin) {
                Some(known) => known.clone_from(new),
                None => state.kept.bindings.push(new.clone()),
            }
        }
    }

    fn unbind(&self, kind: &str, keys: &[String]) {
        let mut state = self.state();
        let bindings = &mut state.kept.bindings;
        bindings.retain(|one| one.kind != kind || !keys.contains(&one.key));
    }

    fn run_after(&self, name: &str, job: &str, _delay_ms: u64, argument: Option<&str>) {
        let asked = (job.to_owned(), argument.map(str::to_owned));
        self.state().kept.timers.insert(name.to_owned(), asked);
    }

    fn cancel_timer(&self, name: &str) {
        self.state().kept.timers.remove(name);
    }

    fn mode(&self) -> RunMode {
        self.state().mode
    }

    fn context(&self) -> RunContext {
        self.called();
        RunContext {
            time_zone: "Europe/Kyiv".to_owned(),
            language: "uk".to_owned(),
            currency: "UAH".to_owned(),
            books: "books".to_owned(),
            account: Some("account".to_owned()),
            supports: Capabilities::all(),
        }
    }

    fn settings(&self) -> String {
        self.state().settings.clone()
    }

    fn checkpoint(&self, progress: Progress) -> Directive {
        let mut state = self.state();
        state.run.progress = progress;
        state.run.checkpoints += 1;
        if state.mode == RunMode::Live {
            state.committed = state.kept.clone();
        }
        match state.stop_at == Some(state.run.checkpoints) {
            true => Directive::Stop,
            false => Directive::Proceed,
        }
    }

    fn wrote(&self, written: &[Written]) {
        self.state().run.written.extend_from_slice(written);
    }

    fn confirmed(&self, question: &Question) -> bool {
        self.state().run.questions.push(question.clone());
        // What people have not been asked they have not agreed to.
        false
    }

    fn reject(&self, rejections: &[Rejection]) {
        self.state().run.rejected.extend_from_slice(rejections);
    }

    fn settle(&self, record_kind: &str, subjects: &[Subject]) {
        let settled = subjects.iter();
        let settled = settled.map(|subject| (record_kind.to_owned(), subject.clone()));
        self.state().run.settled.extend(settled);
    }

    fn log(&self, level: Level, reason: &Reason, record_key: Option<&str>) {
        let line = (level, reason.clone(), record_key.map(str::to_owned));
        self.state().run.log.push(line);
    }

    fn debug(&self, _message: &str) {
        self.called();
    }
}
