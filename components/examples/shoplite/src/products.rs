//! Products of the shop.

use tenon_sdk::Call;
use tenon_sdk::flow::follow::{self, List, Source};
use tenon_sdk::flow::needs::Needs;
use tenon_sdk::model::{Fault, Money, Outcome, Price, Product, ProductFields, Reason};

use crate::{Shop, Shoplite, api};

/// Kind of the pairs of products. Orders and stock know one by its SKU alone, so its origin has that.
pub const PRODUCT: &str = "product";

/// Loads products.
pub fn run(call: &Call<'_, Shop>) -> Result<Outcome, Fault> {
    follow::run(&Products(call), &call.retry)
}

/// The shop's products.
pub struct Products<'c>(&'c Call<'c, Shop>);

impl Source for Products<'_> {
    type Row<'a> = api::Product<'a>;
    type Connector = Shoplite;
    type Record = Product;

    const KIND: &'static str = PRODUCT;
    const LIST: List = List::whole("/products").rows("data").known_by("sku");

    fn owned(&self) -> ProductFields {
        ProductFields::NAME | ProductFields::PRICES | ProductFields::ARCHIVED
    }

    fn wants(&self, product: &api::Product<'_>) -> bool {
        !product.deleted.is_set()
    }

    fn needs(&self, product: &api::Product<'_>, needs: &mut Needs) {
        needs.same_product(card(product));
    }

    fn map(&self, product: &api::Product<'_>, needs: &Needs) -> Result<Product, Reason> {
        let card = card(product);
        let known = card
            .origin
            .as_ref()
            .and_then(|origin| needs.product_of(origin).ok());
        let price_type = self.0.settings.price_type.iter();
        let price = |price_type: &String| -> Result<Price, Reason> {
            Ok(Price {
                origin: None,
                price_type: price_type.clone(),
                value: Money {
                    amount: product.price.or_zero().try_into()?,
                    currency: self.0.context.currency.clone(),
                },
            })
        };
        Ok(Product {
            key: known.map(|pick| pick.key),
            prices: price_type.map(price).collect::<Result<_, _>>()?,
            archived: product.deleted.is_set(),
            ..card
        })
    }
}

fn card(product: &api::Product<'_>) -> Product {
    let sku = product.sku.get().unwrap_or_default();
    Product {
        origin: Some(Shoplite::origin(PRODUCT, sku)),
        name: product.name.get().unwrap_or(sku).to_owned(),
        sku: product.sku.owned(),
        ..Product::default()
    }
}
