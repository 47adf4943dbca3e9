//! Passes a thousand elements in one call where the contract says list; the job's argument names
//! the call.

use tenon_hostile_guests::{Attack, guest};
use tenon_sdk::erp::{catalog, orders, partners, stock};
use tenon_sdk::model::{
    Binding, Category, Change, Decimal, DocumentKind, Fault, LinkedDocument, Money, Order,
    OrderFields, OrderLookup, Partner, PartnerFields, PartnerLookup, Product, ProductFields,
    ProductLookup, StockLevel, Written,
};
use tenon_sdk::runtime::{bindings, run, storage};

guest!(Guest);

const COUNT: usize = 1_000;

fn many<T: Clone>(one: T) -> Vec<T> {
    vec![one; COUNT]
}

fn keys() -> Vec<String> {
    many("1".to_owned())
}

impl Attack for Guest {
    fn run(argument: &str) -> Result<(), Fault> {
        match argument {
            "products" => drop(catalog::find(&many(ProductLookup::Key("1".to_owned())))?),
            "save-products" => {
                drop(catalog::save(
                    &many(Product::default()),
                    ProductFields::NAME,
                )?);
            }
            "save-categories" => {
                let category = Category {
                    key: None,
                    origin: None,
                    name: "folder".to_owned(),
                    parent: None,
                    archived: false,
                };
                drop(catalog::save_categories(&many(category))?);
            }
            "stock" => {
                let level = StockLevel {
                    product: "1".to_owned(),
                    product_variant: None,
                    warehouse: "1".to_owned(),
                    on_hand: Decimal::default(),
                    reserved: Decimal::default(),
                    available: Decimal::default(),
                };
                drop(stock::set(&many(level))?);
            }
            "partners" => drop(partners::find(&many(PartnerLookup::Key("1".to_owned())))?),
            "save-partners" => {
                drop(partners::save(
                    &many(Partner::default()),
                    PartnerFields::NAME,
                )?);
            }
            "balances" => {
                let owed = Money {
                    amount: Decimal::default(),
                    currency: "UAH".to_owned(),
                };
                drop(partners::set_balances(&many(("1".to_owned(), owed)))?);
            }
            "orders" => drop(orders::find(&many(OrderLookup::Key("1".to_owned())))?),
            "save-orders" => drop(orders::save(&many(Order::default()), OrderFields::NUMBER)?),
            "annotate" => {
                let document = LinkedDocument {
                    kind: DocumentKind::Invoice,
                    origin: "invoice".to_owned(),
                    number: None,
                    url: None,
                };
                orders::annotate("1", &many(document), None)?;
            }
            "get" => drop(storage::get(&keys())),
            "set" => drop(storage::set(&many(("1".to_owned(), Vec::new())))),
            "delete" => storage::delete(&keys()),
            "by-origin" => drop(bindings::by_origin("order", &keys())),
            "by-key" => drop(bindings::by_key("order", &keys())),
            "bind" => bindings::bind(&many(Binding {
                kind: "order".to_owned(),
                key: "1".to_owned(),
                origin: "1".to_owned(),
                fingerprint: None,
            })),
            "unbind" => bindings::unbind("order", &keys()),
            "wrote" => run::wrote(&many(Written {
                record_kind: "order".to_owned(),
                origin: "1".to_owned(),
                key: None,
                label: None,
                change: Change::Updated,
                fields: Vec::new(),
            })),
            other => panic!("no call `{other}`"),
        }
        Ok(())
    }
}
