//! Asks small questions with huge answers: one large record many times over, or all of a list that
//! has no pages. The host would have to hold the answer before the guest runs out of memory.

use tenon_hostile_guests::{Attack, guest, no_answer};
use tenon_sdk::erp::{catalog, directories, orders, partners};
use tenon_sdk::model::{
    Category, Directory, Fault, Order, OrderDirection, OrderFields, OrderLookup, Partner,
    PartnerFields, PartnerLookup, Product, ProductFields, ProductLookup, Saved,
};
use tenon_sdk::runtime::storage;

guest!(Guest);

/// How often it asks for one record.
const TIMES: usize = 1_000;
/// How many records it makes where it must make them all.
const RECORDS: usize = 100;

fn large() -> String {
    "x".repeat(256 << 10)
}

fn only(saved: Vec<Result<Saved, Fault>>) -> Result<String, Fault> {
    Ok(saved.into_iter().next().ok_or_else(no_answer)??.key)
}

fn save_product() -> Result<String, Fault> {
    let product = Product {
        name: "large".to_owned(),
        description: Some(large()),
        ..Product::default()
    };
    only(catalog::save(&[product], ProductFields::DESCRIPTION)?)
}

fn store(key: &str) -> Result<(), Fault> {
    let stored = storage::set(&[(key.to_owned(), large().into_bytes())]);
    stored.map_err(|_| Fault::Rejected("no room in storage".to_owned().into()))
}

impl Attack for Guest {
    fn run(argument: &str) -> Result<(), Fault> {
        match argument {
            "get" => {
                store("large")?;
                drop(storage::get(&vec!["large".to_owned(); TIMES]));
            }
            "scan" => {
                for number in 0..RECORDS {
                    store(&format!("large{number}"))?;
                }
                drop(storage::scan("", None, u32::MAX));
            }
            "products" => {
                let lookup = ProductLookup::Key(save_product()?);
                drop(catalog::find(&vec![lookup; TIMES])?);
            }
            "changed" => {
                for _ in 0..RECORDS {
                    save_product()?;
                }
                drop(catalog::changed(None, u32::MAX)?);
            }
            "partners" => {
                let partner = Partner {
                    name: "large".to_owned(),
                    address: Some(large()),
                    ..Partner::default()
                };
                let saved = partners::save(&[partner], PartnerFields::ADDRESS)?;
                let lookup = PartnerLookup::Key(only(saved)?);
                drop(partners::find(&vec![lookup; TIMES])?);
            }
            "orders" => {
                let order = Order {
                    currency: "UAH".to_owned(),
                    comment: Some(large()),
                    ..Order::default()
                };
                let saved = orders::save(&[order], OrderFields::COMMENT)?;
                let lookup = OrderLookup::Key(only(saved)?);
                drop(orders::find(&vec![lookup; TIMES])?);
                drop(orders::changed(OrderDirection::Sale, None, u32::MAX)?);
            }
            "categories" => {
                for number in 0..RECORDS {
                    let category = Category {
                        key: None,
                        origin: Some(number.to_string()),
                        name: large(),
                        parent: None,
                        archived: false,
                    };
                    catalog::save_categories(&[category])?;
                }
                drop(catalog::categories()?);
            }
            "directory" => {
                for number in 0..100 * RECORDS {
                    let name = format!("{number}{}", "x".repeat(1_000));
                    directories::ensure(Directory::Units, &name, &number.to_string())?;
                }
                drop(directories::list(Directory::Units)?);
            }
            other => panic!("no question `{other}`"),
        }
        Ok(())
    }
}
