//! The embedded ERP: a platform of its own, on SQLite, for those who have none to embed the host in.
//!
//! Each tenant is one file, `tenants/TENANT.sqlite`, with its records and with all that its
//! connections keep. So a checkpoint is one transaction, tenants cannot see each other, and a
//! tenant is copied or deleted as a file, while no program has it open.
//!
//! [`EmbeddedErp`] is the [`Platform`] that connectors see, and offers people and tools what the
//! contract has no word for: loading, listing and removing records.

mod book;
mod catalog;
mod check;
mod directories;
mod feed;
mod kind;
mod load;
mod normal;
mod orders;
mod partners;
mod reading;
mod reasons;
mod record;
mod said;
mod schema;
mod settings;
mod sql;
pub mod sqlite_file;
mod state;
mod stock;
mod tenant;
mod unit;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::model::{Category, Fault, Order, Partner, Product, Reason};
use tenon_host::platform::{Answer, Platform, UnitOfWork};
use tenon_host::reason::Catalogue;

use book::{Book, refuse};
pub use kind::Kind;
pub use load::Loaded;
pub use reading::Page;
pub use reasons::TEXTS;
use sqlite_file::Unsound;
use tenant::Folder;
use unit::Unit;

/// Why the embedded ERP cannot do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder or file cannot be made or read.
    #[error("{}: {source}", path.display())]
    Folder {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// SQLite cannot open a tenant's file.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// What is in a tenant's file contradicts itself, or is none of SQLite's.
    #[error("{} is damaged: {source}; put the tenant's file back from a backup", path.display())]
    Damaged {
        /// Which one.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A tenant has lost its file, or all that was in it.
    #[error("{} is missing or empty; put the tenant's file back from a backup", .0.display())]
    Lost(PathBuf),
    /// An earlier version of this program has written the file, which is to be read only.
    #[error("{} was written by an older version of this program; open it once where it can be \
             written", .0.display())]
    Older(PathBuf),
    /// The tables of a tenant's file cannot be brought up to date.
    #[error("{}: {source}", path.display())]
    Migration {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: rusqlite_migration::Error,
    },
    /// A later version of this program has written the file, and only it knows the tables.
    #[error("{} was written by a newer version of this program; update it", .0.display())]
    Newer(PathBuf),
    /// No file of this tenant.
    #[error("there is no tenant `{0}`")]
    NoTenant(TenantId),
    /// Its file cannot be removed now.
    #[error("the tenant `{0}` is in use; stop its runs and try again")]
    InUse(TenantId),
    /// Not a kind of record.
    #[error("`{name}` is no kind of record; there are {all}", name = .0, all = kinds())]
    UnknownKind(String),
    /// Only connectors write these.
    #[error("{0} come from connectors and cannot be put in or taken out by hand")]
    NotForPeople(Kind),
    /// Not a country.
    #[error("`{0}` is no country; use two capital letters of ISO 3166, such as UA")]
    UnknownCountry(String),
    /// A record of a load; nothing of the load was written.
    #[error("record {number}: {}", reasons::english(reason))]
    Record {
        /// Its place, counted from 1.
        number: usize,
        /// What is wrong with it.
        reason: Reason,
    },
    /// What a connector would be answered.
    #[error("{}", reasons::english(&.0.reason()))]
    Fault(#[from] Fault),
}

impl Error {
    /// What it means that SQLite cannot work with a file.
    pub(crate) fn of_file(path: &Path, source: rusqlite::Error) -> Error {
        let path = path.to_owned();
        match sqlite_file::is_damage(&source) {
            true => Error::Damaged { path, source },
            false => Error::File { path, source },
        }
    }

    /// Why, for people. Where a tenant's file lies, and what the system says of it, is for the log of
    /// who runs the host, and not in it.
    pub fn reason(&self) -> Reason {
        match self {
            Error::Folder { .. }
            | Error::File { .. }
            | Error::Migration { .. }
            | Error::Older(_) => Reason::new("platform.file-unusable"),
            Error::Damaged { .. } => Reason::new("platform.file-damaged"),
            Error::Lost(_) => Reason::new("platform.file-lost"),
            Error::Newer(_) => Reason::new("platform.newer"),
            Error::NoTenant(tenant) => Reason::new("platform.no-tenant").arg("tenant", tenant),
            Error::InUse(tenant) => Reason::new("platform.in-use").arg("tenant", tenant),
            Error::UnknownKind(name) => {
                let reason = Reason::new("platform.unknown-kind").arg("name", name);
                reason.arg("kinds", kinds())
            }
            Error::NotForPeople(kind) => Reason::new("platform.not-for-people").arg("kind", kind),
            Error::UnknownCountry(code) => {
                Reason::new("platform.unknown-country").arg("code", code)
            }
            Error::Record { reason, .. } => reason.clone(),
            Error::Fault(fault) => fault.reason(),
        }
    }
}

fn kinds() -> String {
    let names: Vec<&str> = Kind::all().map(Kind::name).collect();
    names.join(", ")
}

/// A fault reaches the tenant's people; the log gets what is not for them.
impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        let reason = error.reason();
        match error {
            Error::Fault(fault) => fault,
            Error::Folder { .. } | Error::File { .. } | Error::Migration { .. } => {
                tracing::error!("{error}");
                Fault::Transient(reason)
            }
            Error::Newer(_) | Error::Older(_) | Error::Damaged { .. } | Error::Lost(_) => {
                tracing::error!("{error}");
                Fault::Configuration(reason)
            }
            Error::InUse(_) => Fault::Transient(reason),
            Error::NoTenant(_) => Fault::Configuration(reason),
            Error::UnknownKind(_)
            | Error::NotForPeople(_)
            | Error::UnknownCountry(_)
            | Error::Record { .. } => Fault::Rejected(reason),
        }
    }
}

/// How long a unit waits for others who write, before it answers that the file is locked.
const PATIENCE: Duration = Duration::from_secs(30);

/// The tenants of one folder. Clones share their connections.
#[derive(Clone)]
pub struct EmbeddedErp {
    folder: Arc<Folder>,
}

impl EmbeddedErp {
    /// Opens the tenants below `dir`, which is made when it is not there.
    pub fn open(dir: &Path) -> Result<EmbeddedErp, Error> {
        EmbeddedErp::open_with_patience(dir, PATIENCE)
    }

    /// Opens the tenants below `dir`; a unit waits no longer than `patience` for others who write.
    pub fn open_with_patience(dir: &Path, patience: Duration) -> Result<EmbeddedErp, Error> {
        let folder = Arc::new(Folder::open(dir, patience)?);
        Ok(EmbeddedErp { folder })
    }

    /// Opens the tenants below `dir` to read alone: it may lie where nothing can be written.
    pub fn open_to_read(dir: &Path) -> EmbeddedErp {
        let folder = Arc::new(Folder::open_to_read(dir, PATIENCE));
        EmbeddedErp { folder }
    }

    /// From now on a tenant's file is made by [`EmbeddedErp::create`] alone. One that is not there, or
    /// has nothing in it, was lost: units over it are refused, and no new one takes its place.
    pub fn expect_files(&self) {
        self.folder.expect_files();
    }

    /// Keeps no more than so many connections open for the next unit, over all tenants; 64 by default,
    /// and never more. Each holds three file descriptors.
    pub fn keep_open(&self, connections: usize) {
        self.folder.keep_open(connections);
    }

    /// Makes the file of a tenant; one that is there stays as it is.
    pub fn create(&self, tenant: &TenantId) -> Result<(), Error> {
        self.folder.create(tenant)
    }

    /// Whether a tenant has a file with something in it.
    pub fn has_file(&self, tenant: &TenantId) -> bool {
        !schema::is_empty(&self.folder.file(tenant))
    }

    /// Opens the file of a tenant to read, whichever version of this program wrote it, and tells why
    /// nothing could be done with it. Only what lies at its beginning is looked at.
    pub fn look(&self, tenant: &TenantId) -> Result<(), Error> {
        schema::look(&self.folder.file(tenant), self.folder.patience)
    }

    /// Where the file of a tenant is, or would be.
    pub fn file(&self, tenant: &TenantId) -> PathBuf {
        self.folder.file(tenant)
    }

    /// The highest token of [`UnitOfWork::fence`] that any file knows; 0 when none knows one. A server
    /// that gives out tokens begins above it: its own count may be older than the files.
    pub fn highest_fence(&self) -> Result<i64, Error> {
        self.folder.highest_fence()
    }

    /// Reads the file of a tenant from its beginning to its end, wherever it lies, and tells what is
    /// wrong with it.
    pub fn check_file(path: &Path) -> Result<(), Unsound> {
        schema::check(path, PATIENCE)
    }

    /// The tenants that have a file, by name.
    pub fn tenants(&self) -> Result<Vec<TenantId>, Error> {
        self.folder.names()
    }

    /// Sets the country, as two letters of ISO 3166, whose phone numbers the tenant's people write
    /// without a country code. Phones that are there already are read anew.
    pub async fn set_country(&self, tenant: &TenantId, country: &str) -> Result<(), Error> {
        let country = country
            .parse()
            .map_err(|_| Error::UnknownCountry(country.to_owned()))?;
        let mut book = Book::new(self.folder.lease(tenant)?);
        book.write(|writer| {
            writer.set_country(country)?;
            partners::reindex(writer)
        })
        .await?;
        Ok(book.commit()?)
    }

    /// Puts one record or a list of them into a tenant's file: all, or none when one is bad.
    ///
    /// A record with a key keeps it, created or replaced; without one it is known by its origin;
    /// without both it is new. Absent fields are none or empty, but an origin stays. A category
    /// comes after the one above it.
    pub async fn load(
        &self,
        tenant: &TenantId,
        kind: Kind,
        records: Value,
    ) -> Result<Loaded, Error> {
        let mut book = Book::new(self.folder.lease(tenant)?);
        load::load(&mut book, kind, records).await
    }

    /// Removes a record for good, with its own stock, contacts and files. What points at it goes on
    /// naming its key.
    pub async fn remove(&self, tenant: &TenantId, kind: Kind, key: &str) -> Result<(), Error> {
        let mut book = Book::new(self.folder.lease_existing(tenant)?);
        book.write(|writer| match kind {
            Kind::Orders => record::remove::<Order>(writer, key, sql::REMOVE_ORDER),
            Kind::Products => record::remove::<Product>(writer, key, sql::REMOVE_PRODUCT),
            Kind::Partners => record::remove::<Partner>(writer, key, sql::REMOVE_PARTNER),
            Kind::Categories => record::remove::<Category>(writer, key, sql::REMOVE_CATEGORY),
            Kind::Entries(directory) => directories::remove(writer, directory, key),
            Kind::Stock => refuse(Reason::new("platform.stock-stays")),
            Kind::Bindings | Kind::Runs => refuse(Error::NotForPeople(kind).reason()),
        })
        .await?;
        Ok(book.commit()?)
    }

    /// Up to `limit` records of a kind, as JSON, after the place where an earlier page ended.
    ///
    /// Orders have a `total`, the last `error` that a connector put on them and the names of their
    /// `attachments`; partners have a `balance`; fingerprints of bindings are hexadecimal.
    pub fn page(
        &self,
        tenant: &TenantId,
        kind: Kind,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page, Error> {
        let mut book = Book::new(self.folder.lease_existing(tenant)?);
        Ok(book.read(|db| reading::page(db, kind, after, limit))?)
    }

    /// All records of a kind, as [`EmbeddedErp::page`] gives them, read as they are asked for.
    pub fn records(
        &self,
        tenant: &TenantId,
        kind: Kind,
    ) -> Result<impl Iterator<Item = Result<Value, Error>> + use<>, Error> {
        const PAGE: u32 = 500;
        let mut book = Book::new(self.folder.lease_existing(tenant)?);
        let mut next = Some(None);
        let pages = std::iter::from_fn(move || {
            let after: Option<String> = next.take()?;
            let page = book.read(|db| reading::page(db, kind, after.as_deref(), PAGE));
            Some(match page {
                Ok(page) => {
                    next = page.next.map(Some);
                    Ok(page.records)
                }
                Err(fault) => Err(Error::from(fault)),
            })
        });
        Ok(pages.flat_map(|page| match page {
            Ok(records) => records.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        }))
    }

    /// The content of a file that a connector put on an order.
    pub fn attachment(
        &self,
        tenant: &TenantId,
        order: &str,
        file_name: &str,
    ) -> Result<Vec<u8>, Error> {
        let mut book = Book::new(self.folder.lease_existing(tenant)?);
        Ok(book.read(|db| reading::attachment(db, order, file_name))?)
    }
}

#[async_trait]
impl Platform for EmbeddedErp {
    async fn begin(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Answer<Box<dyn UnitOfWork>> {
        let book = Book::new(self.folder.lease(tenant)?);
        Ok(Box::new(Unit::new(book, connection)))
    }

    fn catalogue(&self) -> Catalogue {
        reasons::TEXTS.clone()
    }

    /// The file of a tenant is removed once no unit of this process uses it; no other process may.
    async fn forget(&self, tenant: &TenantId, connection: Option<&ConnectionId>) -> Answer<()> {
        let Some(connection) = connection else {
            return Ok(self.folder.remove(tenant).await?);
        };
        let mut book = match self.folder.lease_existing(tenant) {
            Ok(lease) => Book::new(lease),
            // With its file all is gone that the connection kept.
            Err(Error::NoTenant(_) | Error::Lost(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        book.write(|writer| state::forget(writer.db, connection.as_str()))
            .await?;
        book.commit()
    }
}
