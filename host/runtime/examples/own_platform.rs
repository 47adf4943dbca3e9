//! A platform in under a hundred lines of code: a shop in memory that takes orders from a connector.
//!
//! ```text
//! API_KEY=… own_platform keycrm.wasm orders '{"base_url": "http://127.0.0.1:8080/v1", "last_days": 7}'
//! ```
//!
//! It has products without variants, partners and orders. For stages, stock and the rest the traits answer that there
//! is no such thing here, and the connector goes without. It serves one connection, whose runs come
//! one after the other, so that no commit overwrites another's.

use std::{collections::BTreeMap, sync::Arc, sync::Mutex};

use async_trait::async_trait;
use tenon_host::kept::{Keeping, Kept};
use tenon_host::model::*;
use tenon_host::platform::{Answer, Books as BooksOf, Each, Erp, UnitOfWork};
use tenon_host::{
    Compiler, ConnectionSpec, Host, HostOptions, JobRequest, Place, Platform, Secret,
};
use tenon_host::{EgressSettings, Limits, ids::ConnectionId, ids::TenantId, observe::NoObserver};

/// The books of the shop as the last commit left them.
#[derive(Clone, Default)]
struct Shop(Arc<Mutex<Books>>);

/// A unit of work is a copy of the books, which a commit puts in their place.
struct Work(Shop, Books);

impl Keeping for Work {
    fn kept(&mut self) -> &mut Kept {
        &mut self.1.kept
    }
}

#[async_trait]
impl Platform for Shop {
    async fn begin(&self, _: &TenantId, _: &ConnectionId) -> Answer<Box<dyn UnitOfWork>> {
        let books = self.0.lock().expect("books").clone();
        Ok(Box::new(Work(self.clone(), books)))
    }
}

#[async_trait]
impl UnitOfWork for Work {
    async fn commit(&mut self) -> Answer<()> {
        *self.0.0.lock().expect("books") = self.1.clone();
        Ok(())
    }
    async fn rollback(&mut self) -> Answer<()> {
        self.1 = self.0.0.lock().expect("books").clone();
        Ok(())
    }
}

/// The shop has no records but those of the connector, so their origins are their keys.
macro_rules! shelves {
    ($($shelf:ident: $record:ident $fields:ident $lookup:ident $find:ident $save:ident;)*) => {
        #[derive(Clone, Default)]
        struct Books { kept: Kept, $($shelf: BTreeMap<Key, $record>,)* }

        #[async_trait]
        impl Erp for Work {
            async fn about(&mut self) -> Answer<BooksOf> {
                let supports = Capabilities::PRODUCTS | Capabilities::PARTNERS | Capabilities::ORDERS;
                Ok(BooksOf { id: "the-shop".to_owned(), supports })
            }
            $(
            async fn $find(&mut self, lookups: Vec<$lookup>) -> Answer<Vec<Option<$record>>> {
                let find = |lookup| match lookup {
                    $lookup::Key(key) | $lookup::Origin(key) => self.1.$shelf.get(&key).cloned(),
                    _ => None,
                };
                Ok(lookups.into_iter().map(find).collect())
            }
            async fn $save(&mut self, given: Vec<$record>, owned: $fields) -> Each<Saved> {
                let save = |mut record: $record| {
                    let key = record.key.take().or(record.origin.clone());
                    let key = key.ok_or_else(|| Fault::Rejected(Reason::new("platform.no-origin")))?;
                    let mut changes = Vec::new();
                    let effect = if let Some(known) = self.1.$shelf.get_mut(&key) {
                        changes = known.adopt(record, owned)?;
                        if changes.is_empty() { Effect::Unchanged } else { Effect::Updated }
                    } else {
                        record.claim(record.origin.clone().as_deref());
                        record.key = Some(key.clone());
                        self.1.$shelf.insert(key.clone(), record);
                        Effect::Created
                    };
                    Ok(Saved { key, effect, version: String::new(), changes })
                };
                Ok(given.into_iter().map(save).collect())
            }
        )* }
    };
}
shelves! {
    products: Product ProductFields ProductLookup find_products save_products;
    partners: Partner PartnerFields PartnerLookup find_partners save_partners;
    orders: Order OrderFields OrderLookup find_orders save_orders;
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [component, job, settings] = <[String; 3]>::try_from(arguments).expect("three arguments");
    let settings: serde_json::Value = settings.parse()?;
    let address: url::Url = settings["base_url"].as_str().unwrap_or_default().parse()?;
    let mut egress = EgressSettings::default();
    egress.grants.push(address.origin());
    let (shop, cache) = (Shop::default(), tempfile::tempdir()?);
    let options = HostOptions::new(cache.path(), Compiler::InProcess);
    let host = Host::new(Arc::new(shop.clone()), options)?;
    let connector = host.install(&std::fs::read(component)?).await?;
    let spec = ConnectionSpec {
        tenant: "shop".parse()?,
        id: "crm".parse()?,
        settings,
        credentials: [("api_key".into(), Secret::new(std::env::var("API_KEY")?))].into(),
        place: Place::default(),
        egress,
        limits: Limits::default(),
    };
    let connection = host.connect(connector, spec)?;
    let request = JobRequest::asked(job);
    let report = host.run(&connection, &request, Arc::new(NoObserver)).await;
    let orders = &shop.0.lock().expect("books").orders;
    let answer = serde_json::json!({ "report": report, "orders": orders });
    println!("{answer}");
    Ok(())
}
