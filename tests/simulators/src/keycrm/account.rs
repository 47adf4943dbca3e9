//! The account behind the API: its records, and what people do to them.
//!
//! The records are open to tests. Changes with consequences (a status change moves dates, a
//! deletion may only mark) are methods, so that they happen as KeyCRM would let them happen.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use super::builders::{NewBuyer, NewOrder, NewProduct};
use super::config::{Behaviour, DeletedOrders};
use super::records::{
    Buyer, Category, Company, CustomField, DeliveryService, ExpenseType, Offer, Order, Payment,
    PaymentMethod, PaymentState, Product, ProductStatus, Purpose, Source, Status, Tag, Totals,
    User, Warehouse,
};

/// One KeyCRM account.
#[derive(Debug)]
pub struct Account {
    /// The key that is let in. A changed key is refused from the next request on.
    pub api_key: String,
    /// How the API behaves where its documents leave a choice.
    pub behaviour: Behaviour,
    /// Order statuses.
    pub statuses: BTreeMap<i64, Status>,
    /// Order sources.
    pub sources: BTreeMap<i64, Source>,
    /// Ways to pay.
    pub payment_methods: BTreeMap<i64, PaymentMethod>,
    /// Kinds of expenses.
    pub expense_types: BTreeMap<i64, ExpenseType>,
    /// Carriers.
    pub delivery_services: BTreeMap<i64, DeliveryService>,
    /// Tags.
    pub tags: BTreeMap<i64, Tag>,
    /// Statuses of lines.
    pub product_statuses: BTreeMap<i64, ProductStatus>,
    /// Users.
    pub users: BTreeMap<i64, User>,
    /// Warehouses.
    pub warehouses: BTreeMap<i64, Warehouse>,
    /// Categories.
    pub categories: BTreeMap<i64, Category>,
    /// Product cards.
    pub products: BTreeMap<i64, Product>,
    /// Variants.
    pub offers: BTreeMap<i64, Offer>,
    /// Customers.
    pub buyers: BTreeMap<i64, Buyer>,
    /// Companies.
    pub companies: BTreeMap<i64, Company>,
    /// Custom fields.
    pub custom_fields: BTreeMap<i64, CustomField>,
    /// Orders.
    pub orders: BTreeMap<i64, Order>,
    /// Orders over which the API breaks: every answer that would show one is a 500.
    pub broken_orders: BTreeSet<i64>,
    /// When the account was opened: the date of everything that has no date of its own.
    pub opened_at: Timestamp,
    now: Timestamp,
    next_line_id: i64,
    next_payment_id: i64,
    /// Keys of the orders that a filter and a sort choose, kept while nothing changes: a pull asks
    /// for page after page of one choice.
    pub(super) choices: HashMap<String, Arc<[i64]>>,
    /// Number of the request being answered, by which volatile figures move.
    pub(super) tick: u64,
}

/// When the account of this number was opened: always the same, unless what happened in it first is
/// earlier.
pub(super) fn opened(first: Timestamp, number: u64) -> Timestamp {
    // Noon of 1 April 2024, UTC.
    let latest = Timestamp::from_second(1_711_972_800).unwrap_or(Timestamp::UNIX_EPOCH);
    let apart = i64::try_from(number % 10_000).unwrap_or_default() * 3_607;
    first
        .min(latest)
        .saturating_sub(SignedDuration::from_secs(apart))
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

impl Account {
    /// An account with what KeyCRM itself puts there and nothing else: the reserved status 1
    /// `new`, a source 1, a way to pay 1, an expense type 1 and a warehouse 1. Its clock stands at
    /// noon of 1 March 2026, UTC.
    pub fn empty() -> Self {
        Self::numbered(1)
    }

    /// The same of another customer of KeyCRM for each number: opened at another time, and so with
    /// other dates on all that is there from the first day.
    pub fn numbered(number: u64) -> Self {
        let noon = Timestamp::from_second(1_772_366_400).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut account = Self {
            api_key: String::new(),
            behaviour: Behaviour::default(),
            statuses: BTreeMap::new(),
            sources: BTreeMap::new(),
            payment_methods: BTreeMap::new(),
            expense_types: BTreeMap::new(),
            delivery_services: BTreeMap::new(),
            tags: BTreeMap::new(),
            product_statuses: BTreeMap::new(),
            users: BTreeMap::new(),
            warehouses: BTreeMap::new(),
            categories: BTreeMap::new(),
            products: BTreeMap::new(),
            offers: BTreeMap::new(),
            buyers: BTreeMap::new(),
            companies: BTreeMap::new(),
            custom_fields: BTreeMap::new(),
            orders: BTreeMap::new(),
            broken_orders: BTreeSet::new(),
            opened_at: opened(noon, number),
            now: noon,
            next_line_id: 5001,
            next_payment_id: 901,
            choices: HashMap::new(),
            tick: 0,
        };
        account.add_status("new", 1);
        account.add_source("Вручну", "other");
        account.add_payment_method("Готівка");
        account.add_expense_type("Доставка");
        account.add_warehouse("Основний склад");
        account
    }

    /// The account's clock. It moves only when something changes or when told to.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Sets the clock.
    pub fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// The moment of a change: one second after the last one, so that no two are equal.
    pub fn next_moment(&mut self) -> Timestamp {
        self.now = self
            .now
            .saturating_add(SignedDuration::from_secs(1))
            .unwrap_or(Timestamp::MAX);
        self.now
    }

    /// What KeyCRM computes of an order; none when there is no such order.
    pub fn totals(&self, order: i64) -> Option<Totals> {
        Some(self.orders.get(&order)?.totals(&self.behaviour))
    }

    /// The amount to pay of every order.
    pub fn grand_totals(&self) -> BTreeMap<i64, Decimal> {
        self.orders
            .values()
            .map(|order| (order.id, order.totals(&self.behaviour).grand_total))
            .collect()
    }

    /// An order to change, without moving its `updated_at`.
    ///
    /// # Panics
    /// When there is no such order.
    pub fn order_mut(&mut self, order: i64) -> &mut Order {
        self.orders
            .get_mut(&order)
            .unwrap_or_else(|| panic!("the account has no order {order}"))
    }

    /// An order to change, with `updated_at` moved.
    ///
    /// # Panics
    /// When there is no such order.
    pub fn change_order(&mut self, order: i64) -> &mut Order {
        let now = self.next_moment();
        let order = self.order_mut(order);
        order.updated_at = now;
        order
    }

    /// Moves an order to a status. `updated_at` follows or stays as [`Behaviour`] says.
    ///
    /// # Panics
    /// When there is no such order or status.
    pub fn set_status(&mut self, order: i64, status: i64) {
        let now = self.next_moment();
        let closes = self
            .statuses
            .get(&status)
            .unwrap_or_else(|| panic!("the account has no status {status}"))
            .is_closing_order;
        let bump = self.behaviour.status_bumps_updated_at;
        let order = self.order_mut(order);
        order.status_id = status;
        order.status_changed_at = now;
        order.closed_at = closes.then_some(now);
        if bump {
            order.updated_at = now;
        }
    }

    /// Enters a paid payment by the first way to pay and answers its key.
    ///
    /// # Panics
    /// When there is no such order.
    pub fn add_payment(&mut self, order: i64, amount: Decimal) -> i64 {
        let id = self.allot_payment_id();
        let method_id = self.payment_methods.keys().next().copied().unwrap_or(1);
        let order = self.change_order(order);
        order.payments.push(Payment {
            id,
            purpose: Purpose::Receipt { method_id },
            amount,
            status: Some(PaymentState::Paid),
            paid_at: Some(order.updated_at),
            description: None,
            transaction_uuid: None,
            created_at: order.updated_at,
        });
        id
    }

    /// Deletes an order, or marks it, as [`Behaviour`] says.
    ///
    /// # Panics
    /// When there is no such order.
    pub fn delete_order(&mut self, order: i64) {
        match self.behaviour.deleted_orders {
            DeletedOrders::Marked => {
                let order = self.change_order(order);
                order.deleted_at = Some(order.updated_at);
            }
            DeletedOrders::Gone => {
                self.order_mut(order);
                self.orders.remove(&order);
            }
        }
    }

    /// Replaces a top-level key of an order by other JSON text, right or wrong for its place.
    ///
    /// # Panics
    /// When there is no such order, or `json` is not JSON at all.
    pub fn spoil_order(&mut self, order: i64, key: &str, json: &str) {
        assert!(
            serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok(),
            "`{json}` is not JSON"
        );
        self.order_mut(order)
            .spoiled
            .insert(key.to_owned(), json.to_owned());
    }

    /// Takes a status out of use. It vanishes from the list and stays on orders.
    ///
    /// # Panics
    /// When there is no such status.
    pub fn deactivate_status(&mut self, status: i64) {
        self.statuses
            .get_mut(&status)
            .unwrap_or_else(|| panic!("the account has no status {status}"))
            .is_active = false;
    }

    /// A product card to change, with `updated_at` moved.
    ///
    /// # Panics
    /// When there is no such product.
    pub fn change_product(&mut self, product: i64) -> &mut Product {
        let now = self.next_moment();
        let product = self
            .products
            .get_mut(&product)
            .unwrap_or_else(|| panic!("the account has no product {product}"));
        product.updated_at = now;
        product
    }

    /// An offer to change, with `updated_at` moved on it and on its product.
    ///
    /// # Panics
    /// When there is no such offer.
    pub fn change_offer(&mut self, offer: i64) -> &mut Offer {
        let now = self.next_moment();
        let offer = self
            .offers
            .get_mut(&offer)
            .unwrap_or_else(|| panic!("the account has no offer {offer}"));
        offer.updated_at = now;
        if let Some(product) = self.products.get_mut(&offer.product_id) {
            product.updated_at = now;
        }
        offer
    }

    /// Takes an offer out of the catalogue.
    ///
    /// # Panics
    /// When there is no such offer.
    pub fn archive_offer(&mut self, offer: i64) {
        self.change_offer(offer).is_archived = true;
    }

    /// Takes a product with all its offers out of the catalogue.
    ///
    /// # Panics
    /// When there is no such product.
    pub fn archive_product(&mut self, product: i64) {
        let product = self.change_product(product);
        product.is_archived = true;
        for offer in product.offer_ids.clone() {
            self.archive_offer(offer);
        }
    }

    /// A buyer to change, with `updated_at` moved.
    ///
    /// # Panics
    /// When there is no such buyer.
    pub fn change_buyer(&mut self, buyer: i64) -> &mut Buyer {
        let now = self.next_moment();
        let buyer = self
            .buyers
            .get_mut(&buyer)
            .unwrap_or_else(|| panic!("the account has no buyer {buyer}"));
        buyer.updated_at = now;
        buyer
    }

    /// Enters an order and answers its key.
    pub fn add_order(&mut self, order: NewOrder) -> i64 {
        let order = order.enter(self);
        let id = order.id;
        self.orders.insert(id, order);
        id
    }

    /// Enters a product with its offers and answers its key.
    pub fn add_product(&mut self, product: NewProduct) -> i64 {
        product.enter(self)
    }

    /// The only offer of a product without variants, or the first of one with them.
    ///
    /// # Panics
    /// When there is no such product.
    pub fn offer_of(&self, product: i64) -> i64 {
        self.products
            .get(&product)
            .and_then(|product| product.offer_ids.first().copied())
            .unwrap_or_else(|| panic!("the account has no product {product}"))
    }

    /// Enters a buyer and answers its key.
    pub fn add_buyer(&mut self, buyer: NewBuyer) -> i64 {
        let buyer = buyer.enter(self);
        let id = buyer.id;
        self.buyers.insert(id, buyer);
        id
    }

    /// Adds an active status to one of the groups 1 to 6 and answers its key. Statuses of the
    /// groups 5 and 6 close the order.
    pub fn add_status(&mut self, name: &str, group_id: i64) -> i64 {
        let id = next_key(&self.statuses);
        self.statuses.insert(
            id,
            Status {
                id,
                name: name.to_owned(),
                alias: format!("status_{id}"),
                group_id,
                is_active: true,
                is_closing_order: group_id >= 5,
                is_reserved: group_id == 1,
                expiration_period: None,
            },
        );
        id
    }

    /// Adds a source in hryvnias and answers its key.
    pub fn add_source(&mut self, name: &str, driver: &str) -> i64 {
        let id = next_key(&self.sources);
        self.sources.insert(
            id,
            Source {
                id,
                name: name.to_owned(),
                alias: format!("source_{id}"),
                driver: driver.to_owned(),
                source_uuid: None,
                source_name: None,
                currency_code: "UAH".to_owned(),
            },
        );
        id
    }

    /// Adds a way to pay and answers its key.
    pub fn add_payment_method(&mut self, name: &str) -> i64 {
        let id = next_key(&self.payment_methods);
        self.payment_methods.insert(
            id,
            PaymentMethod {
                id,
                name: Some(name.to_owned()),
                alias: Some(format!("method_{id}")),
                is_active: true,
            },
        );
        id
    }

    /// Adds a kind of expense on orders and answers its key.
    pub fn add_expense_type(&mut self, name: &str) -> i64 {
        let id = next_key(&self.expense_types);
        self.expense_types.insert(
            id,
            ExpenseType {
                id,
                name: Some(name.to_owned()),
                alias: Some(format!("expense_{id}")),
                is_active: true,
                is_reserved: false,
                by_order: true,
            },
        );
        id
    }

    /// Adds a carrier and answers its key.
    pub fn add_delivery_service(&mut self, name: &str, source_name: &str) -> i64 {
        let id = next_key(&self.delivery_services);
        self.delivery_services.insert(
            id,
            DeliveryService {
                id,
                name: name.to_owned(),
                source_name: source_name.to_owned(),
                alias: format!("service_{id}"),
            },
        );
        id
    }

    /// Adds a tag and answers its key.
    pub fn add_tag(&mut self, name: &str) -> i64 {
        let id = next_key(&self.tags);
        self.tags.insert(
            id,
            Tag {
                id,
                name: name.to_owned(),
                alias: format!("tag_{id}"),
                color: "#FF0000".to_owned(),
            },
        );
        id
    }

    /// Adds a status of lines and answers its key.
    pub fn add_product_status(&mut self, name: &str) -> i64 {
        let id = next_key(&self.product_statuses);
        self.product_statuses.insert(
            id,
            ProductStatus {
                id,
                name: name.to_owned(),
                alias: format!("product_status_{id}"),
                position: id,
                is_active: true,
                is_reserved: false,
            },
        );
        id
    }

    /// Adds an active manager and answers its key.
    pub fn add_user(&mut self, first_name: &str, last_name: &str) -> i64 {
        let id = next_key(&self.users);
        self.users.insert(
            id,
            User {
                id,
                first_name: first_name.to_owned(),
                last_name: Some(last_name.to_owned()),
                username: format!("user{id}"),
                email: format!("user{id}@shop.example"),
                phone: None,
                role_id: 2,
                status: "active".to_owned(),
                last_logged_at: None,
            },
        );
        id
    }

    /// Adds a warehouse and answers its key.
    pub fn add_warehouse(&mut self, name: &str) -> i64 {
        let id = next_key(&self.warehouses);
        self.warehouses.insert(
            id,
            Warehouse {
                id,
                name: name.to_owned(),
                description: String::new(),
                is_active: true,
            },
        );
        id
    }

    /// Adds a category and answers its key.
    pub fn add_category(&mut self, name: &str, parent_id: Option<i64>) -> i64 {
        let id = next_key(&self.categories);
        self.categories.insert(
            id,
            Category {
                id,
                name: name.to_owned(),
                parent_id,
            },
        );
        id
    }

    /// Adds a custom field and answers its key. `model` is `order`, `lead`, `client` or
    /// `crm_product`.
    pub fn add_custom_field(&mut self, name: &str, model: &str, kind: &str) -> i64 {
        let id = next_key(&self.custom_fields);
        let prefix = match model {
            "order" => "OR",
            "lead" => "LD",
            _ => "CT",
        };
        self.custom_fields.insert(
            id,
            CustomField {
                id,
                uuid: format!("{prefix}_{}", 1000 + id),
                name: name.to_owned(),
                model: model.to_owned(),
                kind: kind.to_owned(),
                required: false,
                position: id,
                options: Vec::new(),
            },
        );
        id
    }

    /// Adds a company and answers its key.
    pub fn add_company(&mut self, name: &str) -> i64 {
        let id = next_key(&self.companies);
        let now = self.now;
        self.companies.insert(
            id,
            Company {
                id,
                name: name.to_owned(),
                title: None,
                notes: None,
                bank_account: None,
                manager_id: None,
                created_at: now,
                updated_at: now,
            },
        );
        id
    }

    pub(super) fn allot_line_id(&mut self) -> i64 {
        self.next_line_id += 1;
        self.next_line_id - 1
    }

    pub(super) fn allot_payment_id(&mut self) -> i64 {
        self.next_payment_id += 1;
        self.next_payment_id - 1
    }
}

/// The key after the greatest one in use.
pub(super) fn next_key<T>(records: &BTreeMap<i64, T>) -> i64 {
    records.last_key_value().map_or(1, |(last, _)| last + 1)
}
