//! No attack: it uses every import of the contract once, and checks each answer. So the contract
//! works as it says, also for whoever runs beside an attacker.
//!
//! All that it writes carries the settings `mark` (records of the ERP), `secret` (what the
//! connection keeps for itself) and `id` (origins and names of entries), so that a test can tell
//! whose it is.

use tenon_hostile_guests::{Attack, guest, info, reject, said, settings};
use tenon_sdk::contract::wasi::clocks::{monotonic_clock, wall_clock};
use tenon_sdk::contract::wasi::random::random::get_random_bytes;
use tenon_sdk::erp::{catalog, directories, orders, partners, stock};
use tenon_sdk::http::{Api, Method};
use tenon_sdk::model::{
    Attribute, Binding, Category, Change, Decimal, Directive, Directory, DocumentKind, Effect,
    Fault, FieldChange, Image, LinkedDocument, Money, Order, OrderDirection, OrderFields,
    OrderLine, OrderLookup, Partner, PartnerFields, PartnerLookup, Payment, Product, ProductFields,
    ProductLookup, Progress, RunMode, Saved, StockLevel, Written,
};
use tenon_sdk::runtime::{bindings, run, schedule, storage};
use tenon_sdk::time;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        let settings = settings();
        let text = |name: &str| settings[name].as_str().unwrap_or("good").to_owned();
        let shop = Shop {
            mark: text("mark"),
            secret: text("secret"),
            id: text("id"),
        };
        shop.ask_the_counterpart(&text("url"))?;
        shop.look_at_clock_and_dice();
        let warehouse = shop.keep_directories()?;
        let product = shop.keep_catalog()?;
        shop.keep_stock(&product, &warehouse)?;
        let partner = shop.keep_partners()?;
        shop.keep_orders(&product, &partner)?;
        shop.keep_state(&product);
        shop.tell();
        Ok(())
    }
}

struct Shop {
    mark: String,
    secret: String,
    id: String,
}

fn only<T>(mut answers: Vec<T>) -> T {
    assert_eq!(1, answers.len(), "one answer for one record");
    answers.remove(0)
}

fn number(units: i64) -> Decimal {
    Decimal { units, scale: 2 }
}

impl Shop {
    fn origin(&self, what: &str) -> String {
        format!("{}:{what}", self.id)
    }

    fn marked(&self, what: &str) -> String {
        format!("{what} {}", self.mark)
    }

    fn ask_the_counterpart(&self, url: &str) -> Result<(), Fault> {
        let api = Api::new(url, "api_key");
        let answer = api.get("/").query("name", &self.id).send()?;
        assert_eq!("hello", answer.text()?);
        let note = serde_json::json!({ "name": self.id });
        api.call(Method::Post, "/").json(&note)?.send()?;
        Ok(())
    }

    fn look_at_clock_and_dice(&self) {
        let started = monotonic_clock::now();
        monotonic_clock::subscribe_duration(1_000).block();
        assert!(monotonic_clock::now() > started);
        let seconds = i64::try_from(wall_clock::now().seconds).expect("a year before 292277026596");
        assert!((time::now() / time::SECOND - seconds).abs() <= 1);
        assert_ne!(get_random_bytes(16), get_random_bytes(16));
    }

    fn keep_directories(&self) -> Result<String, Fault> {
        let (name, origin) = (self.marked("Warehouse"), self.origin("warehouse"));
        let key = directories::ensure(Directory::Warehouses, &name, &origin)?.key;
        assert_eq!(
            key,
            directories::ensure(Directory::Warehouses, &name, &origin)?.key
        );
        let listed = directories::list(Directory::Warehouses)?;
        assert!(
            listed
                .iter()
                .any(|entry| entry.key == key && entry.name == name)
        );
        Ok(key)
    }

    fn keep_catalog(&self) -> Result<String, Fault> {
        let category = Category {
            key: None,
            origin: Some(self.origin("category")),
            name: self.marked("Cups"),
            parent: None,
            archived: false,
        };
        let category: Saved = only(catalog::save_categories(&[category])?)?;
        assert!(
            catalog::categories()?
                .iter()
                .any(|known| known.key.as_ref() == Some(&category.key))
        );

        let product = Product {
            origin: Some(self.origin("product")),
            name: self.marked("Cup"),
            sku: Some(self.marked("SKU")),
            brand: Some(self.marked("Brand")),
            category: Some(category.key),
            attributes: vec![Attribute {
                origin: None,
                name: "colour".to_owned(),
                value: self.marked("red"),
            }],
            ..Product::default()
        };
        let saved = only(catalog::save(
            std::slice::from_ref(&product),
            ProductFields::NAME | ProductFields::SKU,
        )?)?;
        let lookups = [
            ProductLookup::Key(saved.key.clone()),
            ProductLookup::Origin(self.origin("product")),
            ProductLookup::Sku(self.marked("SKU")),
            ProductLookup::BrandAndSku((self.marked("Brand"), self.marked("SKU"))),
            ProductLookup::Name(self.marked("Cup")),
        ];
        for found in catalog::find(&lookups)? {
            assert_eq!(product.name, found.expect("the product just saved").name);
        }
        let image = Image {
            origin: None,
            file_name: "cup.png".to_owned(),
            digest: self.origin("digest"),
        };
        let picture = self.marked("a picture").into_bytes();
        catalog::save_image(&saved.key, &image, &picture)?;
        assert_eq!(picture, catalog::read_image(&saved.key, &image.digest)?);
        let page = catalog::changed(None, 1_000)?;
        assert!(
            page.products
                .iter()
                .any(|known| known.key.as_ref() == Some(&saved.key))
        );
        Ok(saved.key)
    }

    fn keep_stock(&self, product: &str, warehouse: &str) -> Result<(), Fault> {
        let level = StockLevel {
            product: product.to_owned(),
            product_variant: None,
            warehouse: warehouse.to_owned(),
            on_hand: number(1_500),
            reserved: number(500),
            available: number(1_000),
        };
        only(stock::set(std::slice::from_ref(&level))?)?;
        assert!(stock::changed(None, 1_000)?.levels.contains(&level));
        Ok(())
    }

    fn keep_partners(&self) -> Result<String, Fault> {
        let email = format!("{}@example.test", self.mark);
        let partner = Partner {
            origin: Some(self.origin("partner")),
            name: self.marked("Olena"),
            tax_id: Some(self.marked("tax")),
            emails: vec![email.clone()],
            phones: vec!["+380501112233".to_owned()],
            address: Some(self.marked("Kyiv")),
            ..Partner::default()
        };
        let name = partner.name.clone();
        let saved = only(partners::save(&[partner], PartnerFields::all())?)?;
        let lookups = [
            PartnerLookup::Key(saved.key.clone()),
            PartnerLookup::Origin(self.origin("partner")),
            PartnerLookup::TaxId(self.marked("tax")),
            PartnerLookup::Email(email),
            PartnerLookup::Phone("050 111-22-33".to_owned()),
        ];
        for found in partners::find(&lookups)? {
            assert_eq!(name, found.expect("the partner just saved").name);
        }
        let owed = Money {
            amount: number(-12_345),
            currency: "UAH".to_owned(),
        };
        only(partners::set_balances(&[(saved.key.clone(), owed)])?)?;
        let page = partners::changed(None, 1_000)?;
        assert!(
            page.partners
                .iter()
                .any(|known| known.key.as_ref() == Some(&saved.key))
        );
        Ok(saved.key)
    }

    fn keep_orders(&self, product: &str, partner: &str) -> Result<(), Fault> {
        let order = Order {
            origin: Some(self.origin("order")),
            number: Some(self.marked("No")),
            partner: Some(partner.to_owned()),
            currency: "UAH".to_owned(),
            lines: vec![OrderLine {
                id: "1".to_owned(),
                product: Some(product.to_owned()),
                name: self.marked("Cup"),
                quantity: number(200),
                price: number(12_050),
                ..OrderLine::default()
            }],
            payments: vec![Payment {
                amount: number(24_100),
                ..Payment::default()
            }],
            comment: Some(self.marked("as ordered")),
            ..Order::default()
        };
        let fields = OrderFields::all().difference(OrderFields::DOCUMENTS);
        let saved = only(orders::save(std::slice::from_ref(&order), fields)?)?;
        let again = only(orders::save(std::slice::from_ref(&order), fields)?)?;
        assert_eq!((&saved.key, Effect::Unchanged), (&again.key, again.effect));
        let stale = Order {
            version: Some("no version".to_owned()),
            ..order.clone()
        };
        let refused = only(orders::save(&[stale], fields)?);
        assert!(matches!(refused, Err(Fault::Conflict(_))), "{refused:?}");

        let lookups = [
            OrderLookup::Key(saved.key.clone()),
            OrderLookup::Origin(self.origin("order")),
            OrderLookup::Number(self.marked("No")),
        ];
        // A line that is given without an origin is of the same account as its order.
        let mut lines = order.lines.clone();
        for line in &mut lines {
            line.origin.clone_from(&order.origin);
        }
        for found in orders::find(&lookups)? {
            assert_eq!(lines, found.expect("the order just saved").lines);
        }
        let invoice = LinkedDocument {
            kind: DocumentKind::Invoice,
            origin: self.origin("invoice"),
            number: Some(self.marked("No")),
            url: None,
        };
        orders::annotate(&saved.key, &[invoice], Some(&said(self.marked("late"))))?;
        let scan = self.marked("a scan").into_bytes();
        orders::attach(&saved.key, "invoice.pdf", &scan)?;
        let page = orders::changed(OrderDirection::Sale, None, 1_000)?;
        assert!(
            page.orders
                .iter()
                .any(|known| known.key.as_ref() == Some(&saved.key))
        );
        assert!(
            orders::changed(OrderDirection::Purchase, None, 1)?
                .orders
                .is_empty()
        );
        Ok(())
    }

    fn keep_state(&self, product: &str) {
        let (key, gone) = (self.origin("key"), self.origin("gone"));
        let secret = self.secret.as_bytes().to_vec();
        let entries = [(key.clone(), secret.clone()), (gone.clone(), Vec::new())];
        assert!(storage::set(&entries).is_ok());
        storage::delete(std::slice::from_ref(&gone));
        assert_eq!(
            vec![Some(secret.clone()), None],
            storage::get(&[key.clone(), gone])
        );
        let scanned = storage::scan(&key, None, 10);
        assert_eq!(vec![(key.clone(), secret.clone())], scanned);
        assert!(storage::scan(&key, Some(&key), 10).is_empty());

        let pair = |what: &str| Binding {
            kind: "product".to_owned(),
            key: product.to_owned(),
            origin: self.origin(what),
            fingerprint: Some(secret.clone()),
        };
        bindings::bind(&[pair("product")]);
        let (origins, keys) = ([self.origin("product")], [product.to_owned()]);
        assert_eq!(
            Some(pair("product")),
            only(bindings::by_origin("product", &origins))
        );
        assert_eq!(
            Some(pair("product")),
            only(bindings::by_key("product", &keys))
        );
        let other = Binding {
            kind: "other".to_owned(),
            ..pair("product")
        };
        bindings::bind(&[other]);
        bindings::unbind("other", &keys);
        assert_eq!(None, only(bindings::by_key("other", &keys)));

        let (timer, cancelled) = (self.origin("timer"), self.origin("cancelled"));
        schedule::after(&timer, "run", 0, Some(&self.secret));
        schedule::after(&cancelled, "run", 0, None);
        schedule::cancel(&cancelled);
    }

    fn tell(&self) {
        assert_eq!(RunMode::Live, run::mode());
        run::wrote(&[Written {
            record_kind: "order".to_owned(),
            origin: self.origin("order"),
            key: None,
            label: None,
            change: Change::Created,
            fields: vec![FieldChange {
                field: "stage".to_owned(),
                before: None,
                after: Some("done".to_owned()),
            }],
        }]);
        reject(
            "order",
            &self.origin("bad"),
            "a record that cannot be taken",
        );
        info!(record = self.origin("order"), "all is well");
        let progress = Progress {
            done: 2,
            total: Some(2),
            created: 1,
            failed: 1,
            ..Progress::default()
        };
        assert_eq!(Directive::Proceed, run::checkpoint(progress));
    }
}
