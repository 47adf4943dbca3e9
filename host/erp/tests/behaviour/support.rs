//! A folder of tenants that lives as long as its test, and records with few words.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_erp::{EmbeddedErp, Kind, Loaded};
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::model::{
    Directory, Effect, Fault, Order, OrderFields, OrderLine, Partner, PartnerFields, Product,
    ProductFields, Reason, Saved,
};
use tenon_host::platform::{Each, Platform, UnitOfWork};
use tenon_host::{Compiler, CompilerProcess, Host, HostOptions};

pub struct Shop {
    pub dir: TempDir,
    pub erp: EmbeddedErp,
}

pub fn tenant() -> TenantId {
    "shop".parse().unwrap()
}

pub fn connection() -> ConnectionId {
    "crm".parse().unwrap()
}

impl Shop {
    pub fn new() -> Shop {
        let dir = tempfile::tempdir().unwrap();
        let erp = EmbeddedErp::open(dir.path()).unwrap();
        Shop { dir, erp }
    }

    pub async fn unit(&self) -> Box<dyn UnitOfWork> {
        self.erp.begin(&tenant(), &connection()).await.unwrap()
    }

    /// A host over this shop. It has no compiler that works, so nothing can be installed.
    pub fn host(&self) -> Host {
        let compiler = Compiler::Child(CompilerProcess::new("no-compiler"));
        let options = HostOptions::new(self.dir.path().join("compiled"), compiler);
        Host::new(Arc::new(self.erp.clone()), options).unwrap()
    }

    pub fn file(&self) -> std::path::PathBuf {
        self.dir.path().join("tenants/shop.sqlite")
    }

    pub async fn load(&self, kind: &str, records: Value) -> Loaded {
        let kind: Kind = kind.parse().unwrap();
        self.erp.load(&tenant(), kind, records).await.unwrap()
    }

    /// Why a load is refused.
    pub async fn refused(&self, kind: &str, records: Value) -> String {
        let kind: Kind = kind.parse().unwrap();
        let error = self.erp.load(&tenant(), kind, records).await.unwrap_err();
        error.to_string()
    }

    pub fn all(&self, kind: &str) -> Vec<Value> {
        let kind: Kind = kind.parse().unwrap();
        let records = self.erp.records(&tenant(), kind).unwrap();
        records.collect::<Result<_, _>>().unwrap()
    }

    pub async fn save_order(&self, order: Order) -> Result<Saved, Fault> {
        self.save_order_fields(order, OrderFields::all()).await
    }

    pub async fn save_order_fields(
        &self,
        order: Order,
        owned: OrderFields,
    ) -> Result<Saved, Fault> {
        let mut unit = self.unit().await;
        let saved = only(unit.save_orders(vec![order], owned).await);
        unit.commit().await.unwrap();
        saved
    }

    pub async fn save_product(&self, product: Product) -> Result<Saved, Fault> {
        self.save_product_fields(product, ProductFields::all())
            .await
    }

    pub async fn save_product_fields(
        &self,
        product: Product,
        owned: ProductFields,
    ) -> Result<Saved, Fault> {
        let mut unit = self.unit().await;
        let saved = only(unit.save_products(vec![product], owned).await);
        unit.commit().await.unwrap();
        saved
    }

    pub async fn save_partner(&self, partner: Partner) -> Result<Saved, Fault> {
        let mut unit = self.unit().await;
        let saved = only(
            unit.save_partners(vec![partner], PartnerFields::all())
                .await,
        );
        unit.commit().await.unwrap();
        saved
    }

    pub async fn ensure(&self, directory: Directory, name: &str, origin: &str) -> String {
        let mut unit = self.unit().await;
        let key = unit.ensure(directory, name.into(), origin.into()).await;
        unit.commit().await.unwrap();
        key.unwrap().key
    }
}

/// The one result of a call with one record.
pub fn only<T: std::fmt::Debug>(each: Each<T>) -> Result<T, Fault> {
    let mut results = each.unwrap();
    assert_eq!(results.len(), 1, "{results:?}");
    results.remove(0)
}

/// As people read it.
pub fn english(reason: &Reason) -> String {
    let texts = tenon_erp::TEXTS.clone().with(&tenon_host::reason::HOST);
    texts.text(reason, "en")
}

/// Why a record was refused.
pub fn reason<T: std::fmt::Debug>(result: Result<T, Fault>) -> String {
    match result {
        Err(Fault::Rejected(reason)) => english(&reason),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

pub fn effect(saved: &Result<Saved, Fault>) -> Effect {
    saved.as_ref().unwrap().effect
}

pub fn product(origin: &str, name: &str) -> Product {
    Product {
        origin: Some(origin.into()),
        name: name.into(),
        ..Product::default()
    }
}

pub fn partner(origin: &str, name: &str) -> Partner {
    Partner {
        origin: Some(origin.into()),
        name: name.into(),
        ..Partner::default()
    }
}

pub fn order(origin: &str) -> Order {
    Order {
        origin: Some(origin.into()),
        currency: "UAH".into(),
        lines: vec![line("1", "2", "12.50")],
        ..Order::default()
    }
}

pub fn line(id: &str, quantity: &str, price: &str) -> OrderLine {
    OrderLine {
        id: id.into(),
        name: format!("Line {id}"),
        quantity: quantity.parse().unwrap(),
        price: price.parse().unwrap(),
        ..OrderLine::default()
    }
}

/// A minimal order as people write it.
pub fn order_json(key: &str) -> Value {
    json!({ "key": key, "currency": "UAH" })
}
