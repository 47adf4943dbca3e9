//! What a platform gives to connectors: its records, and a place for their state.
//!
//! A platform embeds the host over its own database by implementing [`Platform`]. Everything that
//! one run writes goes through one [`UnitOfWork`]; [`UnitOfWork::commit`] makes it durable as one,
//! and dropping the unit without it leaves no trace. So a process that dies at any instant loses
//! and doubles nothing: the next run goes on from what the last checkpoint left.
//!
//! Every call that takes a list answers with a list of the same length, in the same order; one bad
//! record never stops the others. A [`Fault`] in the outer result means that the call as a whole
//! failed.
//!
//! What a save does to a record that is there:
//!
//! - It writes the owned fields only, and leaves the parts of others and of people alone; see
//!   [`parts`](crate::parts). `adopt` of a record, such as [`Order::adopt`], does that.
//! - It writes only what changed at its source since the same account saved the record last. A platform
//!   that keeps a [`Said`](crate::parts::Said) for each record and account has that from
//!   [`Order::reconcile`] and [`Order::replace`]; one that keeps none resets what people changed
//!   whenever the connector saves.
//! - It answers every field that it changed, before and after; `adopt` and `replace` answer them.
//!   Where that is nothing the effect is unchanged. A new record has no changes to tell: its parts are
//!   claimed, see [`Order::claim`], and all of it is new.
//!
//! While a component runs, its calls come from threads of the host's own, within a tokio runtime of
//! theirs: what holds such a thread up holds up other components, and not the platform's requests.
//!
//! A run that is stopped, or takes too long, ends wherever it waits. A call that is under way is then
//! dropped and [`UnitOfWork::rollback`] comes next; a [`UnitOfWork::commit`] is always waited for.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::ids::{ConnectionId, TenantId};
use crate::model::{
    Capabilities, Category, Cursor, Directory, Entry, Fault, Image, Key, LinkedDocument, Money,
    Order, OrderDirection, OrderFields, OrderLookup, OrderPage, Origin, Partner, PartnerFields,
    PartnerLookup, PartnerPage, Product, ProductFields, ProductLookup, ProductPage, Reason, Saved,
    StockLevel, StockPage,
};
use crate::reason::{Catalogue, Told};
use crate::report::RunReport;

/// The answer of a call on the whole.
pub type Answer<T> = Result<T, Fault>;
/// The answer of a call with one result for each record given.
pub type Each<T> = Result<Vec<Result<T, Fault>>, Fault>;

/// An ERP or shop that runs connectors over its own database.
#[async_trait]
pub trait Platform: Send + Sync {
    /// Opens a unit of work for a connection of a tenant. Nothing is locked before its first write.
    async fn begin(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Answer<Box<dyn UnitOfWork>>;

    /// The texts of the reasons that the platform gives. Their codes begin with `platform.`.
    fn catalogue(&self) -> Catalogue {
        Catalogue::default()
    }

    /// Removes all that a connection keeps, or all of the tenant, records included, when none is
    /// given. Their runs are over by then; what is not there counts as removed.
    async fn forget(&self, tenant: &TenantId, connection: Option<&ConnectionId>) -> Answer<()> {
        let _ = (tenant, connection);
        unsupported("host.unsupported.forgetting")
    }
}

/// All that a run reads and writes at the platform, committed as one.
#[async_trait]
pub trait UnitOfWork: Erp + State + Send {
    /// Makes everything since the last commit visible and durable, as one. The unit can be used on.
    async fn commit(&mut self) -> Answer<()>;

    /// Forgets everything since the last commit. The unit can be used on.
    async fn rollback(&mut self) -> Answer<()>;

    /// From now on a save of this unit answers all that differs from what is given, whatever the account
    /// said before. Nothing of it will be committed. A platform that keeps no
    /// [`Said`](crate::parts::Said) does so in any case.
    async fn compare(&mut self) -> Answer<()> {
        Ok(())
    }

    /// Keeps how a run went: with the next commit, replacing what was kept for the same run. A
    /// platform that shows no reports leaves it out.
    async fn keep_report(&mut self, report: &RunReport) -> Answer<()> {
        let _ = report;
        Ok(())
    }

    /// The report that was kept of the run of the connection with this fence; none without one. The
    /// run did not begin before `begun`.
    async fn kept_report(
        &mut self,
        begun: jiff::Timestamp,
        fence: u64,
    ) -> Answer<Option<RunReport>> {
        let _ = (begun, fence);
        Ok(None)
    }
}

/// The records of the platform: `tenon:erp`. A platform implements what it has; the rest answers
/// [`Fault::Unsupported`], which a connector meets as any other answer: it goes without, or says that
/// it needs it.
#[async_trait]
pub trait Erp {
    /// The books on the whole. They are the same for every unit of work of a tenant.
    async fn about(&mut self) -> Answer<Books>;

    /// All entries of a directory, in the order they were made.
    async fn list(&mut self, directory: Directory) -> Answer<Vec<Entry>> {
        let _ = directory;
        unsupported("host.unsupported.directories")
    }
    /// Finds the entry by origin, then by name ignoring case; makes it when neither is there.
    async fn ensure(
        &mut self,
        directory: Directory,
        name: String,
        origin: Origin,
    ) -> Answer<Saved> {
        let _ = (directory, name, origin);
        unsupported("host.unsupported.directories")
    }

    /// Of several matches, the one made first.
    async fn find_products(&mut self, lookups: Vec<ProductLookup>) -> Answer<Vec<Option<Product>>> {
        let _ = lookups;
        unsupported("host.unsupported.products")
    }
    /// Writes the owned fields only, as the module says; a new record takes all that is given. The
    /// record is found by its key, else by its origin.
    async fn save_products(&mut self, products: Vec<Product>, owned: ProductFields) -> Each<Saved> {
        let _ = (products, owned);
        unsupported("host.unsupported.products")
    }
    /// Products changed after the cursor, oldest change first; none reads from the start.
    async fn changed_products(&mut self, after: Option<Cursor>, limit: u32) -> Answer<ProductPage> {
        let _ = (after, limit);
        unsupported("host.unsupported.products")
    }
    /// All categories.
    async fn categories(&mut self) -> Answer<Vec<Category>> {
        unsupported("categories")
    }
    /// Writes categories, found by key, else by origin.
    async fn save_categories(&mut self, categories: Vec<Category>) -> Each<Saved> {
        let _ = categories;
        unsupported("categories")
    }
    /// The content of a picture.
    async fn read_image(&mut self, product: Key, digest: String) -> Answer<Vec<u8>> {
        let _ = (product, digest);
        unsupported("host.unsupported.pictures")
    }
    /// Adds a picture to a product, or replaces the one of the same file name, which keeps its owner.
    async fn save_image(&mut self, product: Key, image: Image, content: Vec<u8>) -> Answer<Saved> {
        let _ = (product, image, content);
        unsupported("host.unsupported.pictures")
    }

    /// Replaces levels by absolute ones.
    async fn set_stock(&mut self, levels: Vec<StockLevel>) -> Each<Saved> {
        let _ = levels;
        unsupported("host.unsupported.stock")
    }
    /// The levels of products and of their variants, in one warehouse or in all; a list for each
    /// product.
    async fn stock_levels(
        &mut self,
        products: Vec<Key>,
        warehouse: Option<Key>,
    ) -> Answer<Vec<Vec<StockLevel>>> {
        let _ = (products, warehouse);
        unsupported("host.unsupported.stock")
    }
    /// Levels changed after the cursor, oldest change first.
    async fn changed_stock(&mut self, after: Option<Cursor>, limit: u32) -> Answer<StockPage> {
        let _ = (after, limit);
        unsupported("host.unsupported.stock")
    }

    /// Of several matches, the one made first.
    async fn find_partners(&mut self, lookups: Vec<PartnerLookup>) -> Answer<Vec<Option<Partner>>> {
        let _ = lookups;
        unsupported("host.unsupported.partners")
    }
    /// Writes the owned fields only, as the module says; a new record takes all that is given.
    async fn save_partners(&mut self, partners: Vec<Partner>, owned: PartnerFields) -> Each<Saved> {
        let _ = (partners, owned);
        unsupported("host.unsupported.partners")
    }
    /// Partners changed after the cursor, oldest change first.
    async fn changed_partners(&mut self, after: Option<Cursor>, limit: u32) -> Answer<PartnerPage> {
        let _ = (after, limit);
        unsupported("host.unsupported.partners")
    }
    /// What a partner owes (negative) or has paid ahead (positive).
    async fn set_balances(&mut self, balances: Vec<(Key, Money)>) -> Each<Saved> {
        let _ = balances;
        unsupported("host.unsupported.balances")
    }

    /// Of several matches, the one made first.
    async fn find_orders(&mut self, lookups: Vec<OrderLookup>) -> Answer<Vec<Option<Order>>> {
        let _ = lookups;
        unsupported("host.unsupported.orders")
    }
    /// Writes the owned fields only, as the module says; an order that carries a `version` is saved only while that is
    /// still its version, else it answers [`Fault::Conflict`].
    async fn save_orders(&mut self, orders: Vec<Order>, owned: OrderFields) -> Each<Saved> {
        let _ = (orders, owned);
        unsupported("host.unsupported.orders")
    }
    /// Orders changed after the cursor, oldest change first.
    async fn changed_orders(
        &mut self,
        direction: OrderDirection,
        after: Option<Cursor>,
        limit: u32,
    ) -> Answer<OrderPage> {
        let _ = (direction, after, limit);
        unsupported("host.unsupported.orders")
    }
    /// What people see on the order: the documents, and the last error or none.
    async fn annotate_order(
        &mut self,
        order: Key,
        documents: Vec<LinkedDocument>,
        error: Option<Told>,
    ) -> Answer<Saved> {
        let _ = (order, documents, error);
        unsupported("host.unsupported.notes")
    }
    /// Puts a file on the order.
    async fn attach_to_order(
        &mut self,
        order: Key,
        file_name: String,
        content: Vec<u8>,
    ) -> Answer<Saved> {
        let _ = (order, file_name, content);
        unsupported("host.unsupported.files")
    }
}

/// The books of one tenant, on the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Books {
    /// Their identity: made at random once, kept in their backups, new in new books. At most 64
    /// letters, digits and hyphens.
    pub id: String,
    /// What the platform can do.
    pub supports: Capabilities,
}

/// The account at the counterpart whose records a connection exchanges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Name of the connector that found it: the first part of its origins.
    pub connector: String,
    /// Its identity, the second part of its origins: the counterpart's own, or made up.
    pub id: String,
    /// For people.
    pub name: String,
    /// By which it is known again where the counterpart tells no id: names, and digests of values.
    pub facts: std::collections::BTreeMap<String, String>,
    /// Whether the counterpart told no id when it was found first.
    pub made_up: bool,
    /// Tells whether the connection still has the credentials and addresses that it was found with,
    /// and nothing else of them.
    pub mark: u16,
}

/// A pair of an ERP record and a counterpart record. Several origins may share one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Kind of record, as the connector names it.
    pub kind: String,
    /// Key in the ERP.
    pub key: Key,
    /// The counterpart's record; unique within its kind and connection.
    pub origin: Origin,
    /// What both sides looked like when they last agreed.
    pub fingerprint: Option<Vec<u8>>,
}

/// Work that should happen later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// The same name again replaces the timer.
    pub name: String,
    /// Job to run.
    pub job: String,
    /// Earliest start.
    pub due: jiff::Timestamp,
    /// Argument of the job.
    pub argument: Option<String>,
}

/// The durable state of one connection: `tenon:runtime`. A platform that keeps it as one value
/// implements [`Keeping`](crate::kept::Keeping) instead. What has a default answers
/// [`Fault::Unsupported`] until a platform implements it; the runs of a connector that needs none of
/// that go without.
#[async_trait]
pub trait State {
    /// The account whose records the bindings are; none before the first run.
    async fn account(&mut self) -> Answer<Option<Account>>;
    /// Keeps the account.
    ///
    /// Storage, bindings and timers are those of an account. When it is another one, by its id, they
    /// are put aside, and what was put aside for the new one comes back: an account that is returned
    /// to is gone on with. A snapshot is dropped.
    async fn set_account(&mut self, account: Account) -> Answer<()>;
    /// The accounts that connections of the tenant have or had, also those of connections that were
    /// removed since: their records are still there. By this an account of a counterpart that tells
    /// no id is known in a second connection, and in one that is made anew.
    async fn accounts(&mut self) -> Answer<Vec<Account>>;

    /// Values by key.
    async fn get(&mut self, keys: Vec<String>) -> Answer<Vec<Option<Vec<u8>>>>;
    /// Writes values.
    async fn set(&mut self, entries: Vec<(String, Vec<u8>)>) -> Answer<()>;
    /// Deletes values.
    async fn delete(&mut self, keys: Vec<String>) -> Answer<()>;
    /// Entries whose key begins with `prefix`, in key order, after the key `after`.
    async fn scan(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Answer<Vec<(String, Vec<u8>)>>;
    /// Bytes of all keys and values of the connection.
    async fn stored_bytes(&mut self) -> Answer<u64>;

    /// Bindings by counterpart record.
    async fn bindings_by_origin(
        &mut self,
        kind: String,
        origins: Vec<Origin>,
    ) -> Answer<Vec<Option<Binding>>>;
    /// Bindings by ERP record; of several, the one made first.
    async fn bindings_by_key(
        &mut self,
        kind: String,
        keys: Vec<Key>,
    ) -> Answer<Vec<Option<Binding>>>;
    /// Makes or replaces bindings, known by kind and origin.
    async fn bind(&mut self, bindings: Vec<Binding>) -> Answer<()>;
    /// Removes all bindings of the keys.
    async fn unbind(&mut self, kind: String, keys: Vec<Key>) -> Answer<()>;

    /// Bindings for people: of one kind or of all, whose key or origin has `text` in it, by kind and
    /// origin. Answers with where the next page begins, which only its issuer reads; none after the
    /// last.
    async fn search_bindings(
        &mut self,
        kind: Option<String>,
        text: Option<String>,
        after: Option<String>,
        limit: u32,
    ) -> Answer<(Vec<Binding>, Option<String>)> {
        let _ = (kind, text, after, limit);
        unsupported("host.unsupported.searching-bindings")
    }
    /// Removes the bindings of the origins.
    async fn unbind_origins(&mut self, kind: String, origins: Vec<Origin>) -> Answer<()> {
        let _ = (kind, origins);
        unsupported("host.unsupported.removing-bindings")
    }

    /// Sets a timer.
    async fn set_timer(&mut self, timer: Timer) -> Answer<()> {
        let _ = timer;
        unsupported("host.unsupported.timers")
    }
    /// How many timers the connection has set.
    async fn timers(&mut self) -> Answer<u64> {
        unsupported("host.unsupported.timers")
    }
    /// Removes a timer.
    async fn cancel_timer(&mut self, name: String) -> Answer<()> {
        let _ = name;
        unsupported("host.unsupported.timers")
    }
    /// Timers that have come due, the earliest first.
    async fn due_timers(&mut self, now: jiff::Timestamp, limit: u32) -> Answer<Vec<Timer>> {
        let _ = (now, limit);
        unsupported("host.unsupported.timers")
    }
    /// When the earliest timer comes due; none without timers.
    async fn next_timer(&mut self) -> Answer<Option<jiff::Timestamp>> {
        unsupported("host.unsupported.timers")
    }
    /// Moves when each timer comes due by a span: the clock was set by that.
    async fn move_timers(&mut self, by: jiff::SignedDuration) -> Answer<()> {
        let _ = by;
        unsupported("host.unsupported.timers")
    }
    /// Removes timers that are still exactly these: one that was set anew meanwhile stays.
    async fn drop_timers(&mut self, timers: Vec<Timer>) -> Answer<()> {
        let _ = timers;
        unsupported("host.unsupported.timers")
    }

    /// Keeps a copy of storage, bindings and timers as they stand, instead of an older one: all of
    /// them are of this state version.
    async fn snapshot(&mut self, state_version: u32) -> Answer<()> {
        let _ = state_version;
        unsupported("host.unsupported.snapshots")
    }
    /// Goes back to the snapshot if it is of this state version, which uses it up; answers whether it
    /// was. One of another version stays as it is.
    ///
    /// Storage and timers come back as they were: a cursor in them makes the next run read again what
    /// it has read since. Bindings are what keeps that run from making records twice, so none is
    /// lost, whichever of the two states has it:
    ///
    /// - every pair that is there stays, with the key that it has now;
    /// - a pair of the snapshot whose origin is in none now comes back, behind the others of its key;
    /// - only a pair that is the same in both keeps its fingerprint. The others are compared anew:
    ///   the fingerprint may be of a form that only the newer version reads.
    ///
    /// So a connector keeps what tells it that a thing is done in bindings, or makes it follow from
    /// keys; and a new state version goes on using the kinds and origins of the one before.
    async fn restore(&mut self, state_version: u32) -> Answer<bool> {
        let _ = state_version;
        unsupported("host.unsupported.snapshots")
    }
    /// Called first, before the unit reads or writes: from now on the work of the connection belongs
    /// to who holds `token`, a number that only grows. It is kept durably at once, and refused with
    /// [`Fault::Transient`] when a higher one is known. A unit that called this commits only while
    /// its token is the one that is kept, which the transaction of the commit itself makes sure of:
    /// so a host whose lease ran out, and which does not know it yet, changes nothing any more.
    async fn fence(&mut self, token: u64) -> Answer<()> {
        let _ = token;
        unsupported("host.unsupported.fencing")
    }
}

fn unsupported<T>(code: &str) -> Answer<T> {
    Err(Fault::Unsupported(Reason::new(code)))
}
