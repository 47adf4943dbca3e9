//! Saves records too large for any list or form, between two ordinary ones.

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::erp::catalog;
use tenon_sdk::info;
use tenon_sdk::model::{Attribute, Fault, Product, ProductFields};

guest!(Guest);

fn product(name: &str) -> Product {
    Product {
        origin: Some(name.to_owned()),
        name: name.to_owned(),
        ..Product::default()
    }
}

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        let one_large_field = Product {
            description: Some("x".repeat(5 << 20)),
            ..product("one large field")
        };
        let attribute = Attribute {
            origin: None,
            name: "note".to_owned(),
            value: "x".repeat(1 << 10),
        };
        let many_small_ones = Product {
            attributes: vec![attribute; 5 << 10],
            ..product("many small ones")
        };
        let products = [
            product("first"),
            one_large_field,
            many_small_ones,
            product("last"),
        ];
        for (product, saved) in products
            .iter()
            .zip(catalog::save(&products, ProductFields::all())?)
        {
            match saved {
                Ok(saved) => info!("{}: {:?}", product.name, saved.effect),
                Err(fault) => info!("{}: {fault:?}", product.name),
            }
        }
        Ok(())
    }
}
