//! Stock of one warehouse of the ERP, for the shop.

use std::collections::HashMap;

use rust_decimal::Decimal;
use serde_json::json;
use tenon_sdk::flow::follow;
use tenon_sdk::flow::levels::{self, Shelf};
use tenon_sdk::http::{Error, Method};
use tenon_sdk::model::{Fault, Outcome};
use tenon_sdk::{Call, info};

use crate::products::{PRODUCT, Products};
use crate::{Shop, Shoplite};

/// Sends stock.
pub fn run(call: &Call<'_, Shop>) -> Result<Outcome, Fault> {
    match &call.settings.warehouse {
        Some(warehouse) => levels::run(&Shown, warehouse, &call.retry),
        None => {
            info!("stock.no-warehouse");
            Ok(Outcome::Done)
        }
    }
}

struct Shown;

impl Shelf for Shown {
    type Connector = Shoplite;

    const PRODUCT: &'static str = PRODUCT;

    fn shown(&self) -> Result<HashMap<String, Decimal>, Fault> {
        let mut shown = HashMap::new();
        follow::each::<Products<'_>>(|product| {
            let sku = product.sku.owned();
            shown.extend(sku.map(|sku| (sku, product.stock.0.or_zero())));
        })?;
        Ok(shown)
    }

    fn put(&self, sku: &str, number: Decimal) -> Result<(), Error> {
        let shop = Shoplite::shop()?;
        let call = shop.call(Method::Put, &format!("/products/{sku}/stock"));
        let number: u64 = number.try_into().unwrap_or_default();
        call.json(&json!({ "stock": number }))?.send().map(drop)
    }
}
