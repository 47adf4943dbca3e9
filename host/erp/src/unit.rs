//! The unit of work of one connection: the calls of the contract, on the book of its tenant.
//!
//! SQLite is called right here and not on a thread of its own: a call takes microseconds, as long
//! as a switch of threads would, and a commit waits for one write of the disk. Waiting for others
//! who write is the only long wait, and it yields.

use async_trait::async_trait;
use tenon_host::ids::ConnectionId;
use tenon_host::model::{
    Capabilities, Category, Cursor, Directory, Entry, Fault, Image, Key, LinkedDocument, Money,
    Order, OrderDirection, OrderFields, OrderLookup, OrderPage, Origin, Partner, PartnerFields,
    PartnerLookup, PartnerPage, Product, ProductFields, ProductLookup, ProductPage, Saved,
    StockLevel, StockPage,
};
use tenon_host::platform::{Account, Answer, Binding, Books, Each, Erp, State, Timer, UnitOfWork};
use tenon_host::reason::{Reason, Told};
use tenon_host::report::RunReport;

use crate::book::{Book, Halt, Writer, each};
use crate::feed::{self, Page, Stream};
use crate::record::{self, By};
use crate::state::Search;
use crate::{catalog, directories, orders, partners, settings, state, stock};

pub(crate) struct Unit {
    pub(crate) book: Book,
    pub(crate) connection: String,
    /// The token it holds, where somebody may take its work over.
    fence: Option<i64>,
}

impl Unit {
    pub(crate) fn new(book: Book, connection: &ConnectionId) -> Unit {
        Unit {
            book,
            connection: connection.to_string(),
            fence: None,
        }
    }

    /// Writes each of a list. Nothing to write waits for nobody.
    async fn write_each<I: Send, T: Send>(
        &mut self,
        list: Vec<I>,
        mut act: impl FnMut(&mut Writer<'_>, I) -> Result<T, Halt> + Send,
    ) -> Each<T> {
        if list.is_empty() {
            return Ok(Vec::new());
        }
        self.book
            .write(move |writer| each(list, |one| act(writer, one)))
            .await
    }
}

#[async_trait]
impl UnitOfWork for Unit {
    async fn commit(&mut self) -> Answer<()> {
        if self.fence.is_some() {
            let connection = &self.connection;
            // Within the transaction that is to be committed, where nobody else raises it.
            let kept = self.book.read(|db| state::fence(db, connection))?;
            if kept != self.fence {
                self.book.rollback()?;
                return Err(state::taken_over());
            }
        }
        self.book.commit()
    }

    async fn rollback(&mut self) -> Answer<()> {
        self.book.rollback()
    }

    async fn compare(&mut self) -> Answer<()> {
        self.book.compares = true;
        Ok(())
    }

    async fn keep_report(&mut self, report: &RunReport) -> Answer<()> {
        let connection = &self.connection;
        self.book
            .write(|writer| state::keep_report(writer.db, connection, report))
            .await
    }

    async fn kept_report(
        &mut self,
        begun: jiff::Timestamp,
        fence: u64,
    ) -> Answer<Option<RunReport>> {
        let connection = &self.connection;
        self.book
            .read(|db| state::kept_report(db, connection, begun, fence))
    }
}

#[async_trait]
impl Erp for Unit {
    async fn about(&mut self) -> Answer<Books> {
        let id = self.book.read(settings::books)?;
        Ok(Books {
            id,
            supports: Capabilities::all(),
        })
    }

    async fn list(&mut self, directory: Directory) -> Answer<Vec<Entry>> {
        self.book.read(|db| directories::list(db, directory))
    }

    async fn ensure(
        &mut self,
        directory: Directory,
        name: String,
        origin: Origin,
    ) -> Answer<Saved> {
        // Most entries are there: looking first spares the wait for others who write.
        let found = self
            .book
            .read(|db| directories::ensured(db, directory, &name, &origin))?;
        match found {
            Some(key) => Ok(key),
            None => {
                self.book
                    .write(|writer| directories::ensure(writer, directory, &name, &origin))
                    .await
            }
        }
    }

    async fn find_products(&mut self, lookups: Vec<ProductLookup>) -> Answer<Vec<Option<Product>>> {
        self.book.read(|db| catalog::find(db, &lookups))
    }

    async fn save_products(&mut self, products: Vec<Product>, owned: ProductFields) -> Each<Saved> {
        self.write_each(products, |writer, product| {
            record::save(writer, product, owned, By::Connector)
        })
        .await
    }

    async fn changed_products(&mut self, after: Option<Cursor>, limit: u32) -> Answer<ProductPage> {
        let page: Page<Product> = self
            .book
            .read(|db| feed::changed(db, Stream::Products, after.as_deref(), limit))?;
        Ok(ProductPage {
            products: page.records,
            removed: page.removed,
            next: page.next,
            more: page.more,
        })
    }

    async fn categories(&mut self) -> Answer<Vec<Category>> {
        self.book.read(catalog::categories)
    }

    async fn save_categories(&mut self, categories: Vec<Category>) -> Each<Saved> {
        self.write_each(categories, |writer, category| {
            catalog::save_category(writer, category, By::Connector)
        })
        .await
    }

    async fn read_image(&mut self, product: Key, digest: String) -> Answer<Vec<u8>> {
        self.book
            .read(|db| catalog::read_image(db, &product, &digest))
    }

    async fn save_image(&mut self, product: Key, image: Image, content: Vec<u8>) -> Answer<Saved> {
        self.book
            .write(|writer| catalog::save_image(writer, &product, image, &content))
            .await
    }

    async fn set_stock(&mut self, levels: Vec<StockLevel>) -> Each<Saved> {
        self.write_each(levels, |writer, level| stock::set(writer, &level))
            .await
    }

    async fn stock_levels(
        &mut self,
        products: Vec<Key>,
        warehouse: Option<Key>,
    ) -> Answer<Vec<Vec<StockLevel>>> {
        self.book
            .read(|db| stock::of(db, &products, warehouse.as_deref()))
    }

    async fn changed_stock(&mut self, after: Option<Cursor>, limit: u32) -> Answer<StockPage> {
        self.book
            .read(|db| stock::changed(db, after.as_deref(), limit))
    }

    async fn find_partners(&mut self, lookups: Vec<PartnerLookup>) -> Answer<Vec<Option<Partner>>> {
        self.book.read(|db| partners::find(db, &lookups))
    }

    async fn save_partners(&mut self, partners: Vec<Partner>, owned: PartnerFields) -> Each<Saved> {
        self.write_each(partners, |writer, partner| {
            record::save(writer, partner, owned, By::Connector)
        })
        .await
    }

    async fn changed_partners(&mut self, after: Option<Cursor>, limit: u32) -> Answer<PartnerPage> {
        let page: Page<Partner> = self
            .book
            .read(|db| feed::changed(db, Stream::Partners, after.as_deref(), limit))?;
        // The contract does not tell of removed partners.
        Ok(PartnerPage {
            partners: page.records,
            next: page.next,
            more: page.more,
        })
    }

    async fn set_balances(&mut self, balances: Vec<(Key, Money)>) -> Each<Saved> {
        self.write_each(balances, |writer, (partner, balance)| {
            partners::set_balance(writer, &partner, &balance)
        })
        .await
    }

    async fn find_orders(&mut self, lookups: Vec<OrderLookup>) -> Answer<Vec<Option<Order>>> {
        self.book.read(|db| orders::find(db, &lookups))
    }

    async fn save_orders(&mut self, orders: Vec<Order>, owned: OrderFields) -> Each<Saved> {
        self.write_each(orders, |writer, order| {
            record::save(writer, order, owned, By::Connector)
        })
        .await
    }

    async fn changed_orders(
        &mut self,
        direction: OrderDirection,
        after: Option<Cursor>,
        limit: u32,
    ) -> Answer<OrderPage> {
        let stream = Stream::Orders(direction);
        let page: Page<Order> = self
            .book
            .read(|db| feed::changed(db, stream, after.as_deref(), limit))?;
        Ok(OrderPage {
            orders: page.records,
            removed: page.removed,
            next: page.next,
            more: page.more,
        })
    }

    async fn annotate_order(
        &mut self,
        order: Key,
        documents: Vec<LinkedDocument>,
        error: Option<Told>,
    ) -> Answer<Saved> {
        self.book
            .write(|writer| orders::annotate(writer, &order, documents, error.as_ref()))
            .await
    }

    async fn attach_to_order(
        &mut self,
        order: Key,
        file_name: String,
        content: Vec<u8>,
    ) -> Answer<Saved> {
        self.book
            .write(|writer| orders::attach(writer, &order, &file_name, &content))
            .await
    }
}

#[async_trait]
impl State for Unit {
    async fn account(&mut self) -> Answer<Option<Account>> {
        let connection = &self.connection;
        self.book.read(|db| state::account(db, connection))
    }

    async fn set_account(&mut self, account: Account) -> Answer<()> {
        let connection = &self.connection;
        self.book
            .write(|writer| state::set_account(writer.db, connection, &account))
            .await
    }

    async fn accounts(&mut self) -> Answer<Vec<Account>> {
        self.book.read(state::accounts)
    }

    async fn get(&mut self, keys: Vec<String>) -> Answer<Vec<Option<Vec<u8>>>> {
        let connection = &self.connection;
        self.book.read(|db| state::get(db, connection, &keys))
    }

    async fn set(&mut self, entries: Vec<(String, Vec<u8>)>) -> Answer<()> {
        let connection = &self.connection;
        self.book
            .write(|writer| state::set(writer.db, connection, &entries))
            .await
    }

    async fn delete(&mut self, keys: Vec<String>) -> Answer<()> {
        let connection = &self.connection;
        self.book
            .write(|writer| state::delete(writer.db, connection, &keys))
            .await
    }

    async fn scan(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Answer<Vec<(String, Vec<u8>)>> {
        let connection = &self.connection;
        self.book
            .read(|db| state::scan(db, connection, &prefix, after.as_deref(), limit))
    }

    async fn stored_bytes(&mut self) -> Answer<u64> {
        let connection = &self.connection;
        self.book.read(|db| state::stored_bytes(db, connection))
    }

    async fn bindings_by_origin(
        &mut self,
        kind: String,
        origins: Vec<Origin>,
    ) -> Answer<Vec<Option<Binding>>> {
        let connection = &self.connection;
        self.book
            .read(|db| state::bindings_by_origin(db, connection, &kind, &origins))
    }

    async fn bindings_by_key(
        &mut self,
        kind: String,
        keys: Vec<Key>,
    ) -> Answer<Vec<Option<Binding>>> {
        let connection = &self.connection;
        self.book
            .read(|db| state::bindings_by_key(db, connection, &kind, &keys))
    }

    async fn bind(&mut self, bindings: Vec<Binding>) -> Answer<()> {
        let connection = &self.connection;
        self.book
            .write(|writer| state::bind(writer.db, connection, &bindings))
            .await
    }

    async fn unbind(&mut self, kind: String, keys: Vec<Key>) -> Answer<()> {
        let connection = &self.connection;
        self.book
            .write(|writer| state::unbind(writer.db, connection, &kind, &keys))
            .await
    }

    async fn set_timer(&mut self, timer: Timer) -> Answer<()> {
        let connection = &self.connection;
        self.book
            .write(|writer| state::set_timer(writer.db, connection, &timer))
            .await
    }

    async fn timers(&mut self) -> Answer<u64> {
        let connection = &self.connection;
        self.book.read(|db| state::timers(db, connection))
    }

    async fn cancel_timer(&mut self, name: String) -> Answer<()> {
        let connection = &self.connection;
        self.book
            .write(|writer| state::cancel_timer(writer.db, connection, &name))
            .await
    }

    async fn search_bindings(
        &mut self,
        kind: Option<String>,
        text: Option<String>,
        after: Option<String>,
        limit: u32,
    ) -> Answer<(Vec<Binding>, Option<String>)> {
        let connection = &self.connection;
        let search = Search {
            kind,
            text: text.unwrap_or_default(),
            after,
            limit,
        };
        self.book
            .read(|db| state::search_bindings(db, connection, &search))
    }

    async fn unbind_origins(&mut self, kind: String, origins: Vec<Origin>) -> Answer<()> {
        let connection = &self.connection;
        self.book
            .write(|writer| state::unbind_origins(writer.db, connection, &kind, &origins))
            .await
    }

    async fn due_timers(&mut self, now: jiff::Timestamp, limit: u32) -> Answer<Vec<Timer>> {
        let connection = &self.connection;
        self.book
            .read(|db| state::due_timers(db, connection, now, limit))
    }

    async fn next_timer(&mut self) -> Answer<Option<jiff::Timestamp>> {
        let connection = &self.connection;
        self.book.read(|db| state::next_timer(db, connection))
    }

    async fn move_timers(&mut self, by: jiff::SignedDuration) -> Answer<()> {
        let connection = &self.connection;
        self.book
            .write(|writer| state::move_timers(writer.db, connection, by))
            .await
    }

    async fn drop_timers(&mut self, timers: Vec<Timer>) -> Answer<()> {
        let connection = &self.connection;
        self.book
            .write(|writer| state::drop_timers(writer.db, connection, &timers))
            .await
    }

    async fn snapshot(&mut self, state_version: u32) -> Answer<()> {
        let connection = &self.connection;
        self.book
            .write(|writer| state::snapshot(writer.db, connection, state_version))
            .await
    }

    async fn restore(&mut self, state_version: u32) -> Answer<bool> {
        let connection = &self.connection;
        self.book
            .write(|writer| state::restore(writer.db, connection, state_version))
            .await
    }

    async fn fence(&mut self, token: u64) -> Answer<()> {
        let token = i64::try_from(token).map_err(|_| {
            Fault::Rejected(Reason::new("platform.fence-too-large").arg("fence", token))
        })?;
        // Kept even when it is refused: a unit that was told to stop commits nothing later either.
        self.fence = Some(token);
        let connection = &self.connection;
        let raised = self
            .book
            .write(|writer| state::raise_fence(writer.db, connection, token))
            .await;
        if raised.is_err() {
            self.book.rollback()?;
            return raised;
        }
        self.book.commit()
    }
}
