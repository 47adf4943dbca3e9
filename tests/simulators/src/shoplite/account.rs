//! The account of the shop: what it holds, and what tests change in it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// Statuses of orders, with their titles.
pub const STATUSES: [(&str, &str); 5] = [
    ("new", "New"),
    ("paid", "Paid"),
    ("packed", "Packed"),
    ("shipped", "Shipped"),
    ("cancelled", "Cancelled"),
];

/// The seeded order whose first price is no number.
pub const BAD_ORDER: u64 = 77;

/// What the shop holds.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Products, by ascending id.
    pub products: Vec<Product>,
    /// Orders, by ascending id.
    pub orders: Vec<Order>,
    /// Addresses of webhooks, by their ids.
    pub webhooks: BTreeMap<String, String>,
    hooks_made: u64,
    notices: Vec<Notice>,
}

/// A product.
#[derive(Clone, Debug)]
pub struct Product {
    /// Id.
    pub id: u64,
    /// Name.
    pub name: String,
    /// SKU.
    pub sku: String,
    /// Price, as it is sent.
    pub price: String,
    /// Pieces that it shows.
    pub stock: u64,
    /// Not sold any more.
    pub deleted: bool,
    /// When it changed last.
    pub updated_at: Timestamp,
}

impl Product {
    /// As it is sent.
    pub fn json(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "sku": self.sku, "price": self.price,
            "stock": self.stock, "deleted": self.deleted, "updated_at": moment(self.updated_at),
        })
    }
}

/// An order.
#[derive(Clone, Debug)]
pub struct Order {
    /// Id.
    pub id: u64,
    /// Status.
    pub status: String,
    /// Lines.
    pub items: Vec<Item>,
    /// Which of the buyers it is.
    pub buyer: u64,
    /// When it changed last.
    pub updated_at: Timestamp,
}

/// A line of an order.
#[derive(Clone, Debug)]
pub struct Item {
    /// SKU.
    pub sku: String,
    /// Name.
    pub name: String,
    /// Pieces.
    pub qty: u64,
    /// For one piece, as it is sent.
    pub price: String,
}

impl Order {
    fn json(&self) -> Value {
        let items = self.items.iter();
        let items: Vec<Value> = items
            .map(|item| {
                json!({
                    "sku": item.sku, "name": item.name, "qty": item.qty, "price": item.price,
                })
            })
            .collect();
        let buyer = self.buyer;
        json!({
            "id": self.id, "number": format!("S-{}", self.id), "status": self.status, "items": items,
            "total": self.total().unwrap_or_default().to_string(),
            "customer": {
                "name": format!("Buyer {buyer}"), "phone": format!("+380501{buyer:06}"),
                "email": format!("b{buyer}@shop.example"),
            },
            "updated_at": moment(self.updated_at),
        })
    }

    /// The sum of its lines; none where a price is no number.
    pub fn total(&self) -> Option<Decimal> {
        let items = self.items.iter();
        let each =
            items.map(|item| Some(item.price.parse::<Decimal>().ok()? * Decimal::from(item.qty)));
        each.sum()
    }
}

/// A webhook on its way.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Where it goes.
    pub url: String,
    /// The JSON text.
    pub body: String,
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Account {
    /// An account that is always the same for the same numbers, up to its clock: the last forty days.
    pub fn seeded(products: usize, orders: usize) -> Account {
        let begin = Timestamp::now() - SignedDuration::from_hours(40 * 24);
        let products: Vec<Product> = (1..=products as u64)
            .map(|id| Product {
                id,
                name: format!("Thing {id}"),
                sku: format!("SKU-{id:04}"),
                price: format!("{id}.{:02}", id % 100),
                stock: id % 30,
                deleted: id % 50 == 0,
                updated_at: begin + SignedDuration::from_mins(id as i64),
            })
            .collect();
        let orders = (1..=orders as u64).map(|id| order(id, begin, &products));
        Account {
            orders: orders.collect(),
            products,
            ..Account::default()
        }
    }

    /// Orders that changed at this moment or later, as they are sent, oldest change first.
    pub fn orders_since(&self, since: &str) -> Vec<Value> {
        let mut orders: Vec<&Order> = self.orders.iter().collect();
        orders.sort_by_key(|order| (moment(order.updated_at), order.id));
        let orders = orders.into_iter();
        let orders = orders.filter(|order| moment(order.updated_at).as_str() >= since);
        orders.map(Order::json).collect()
    }

    /// An order.
    ///
    /// # Panics
    /// When it is not there.
    pub fn order(&self, id: u64) -> &Order {
        let mut orders = self.orders.iter();
        orders.find(|order| order.id == id).expect("an order")
    }

    /// Changes an order now, which webhooks tell of.
    ///
    /// # Panics
    /// When it is not there.
    pub fn touch(&mut self, id: u64, change: impl FnOnce(&mut Order)) {
        let order = self.order_mut(id);
        order.updated_at = Timestamp::now();
        change(order);
        for url in self.webhooks.values() {
            self.notices.push(Notice {
                url: url.clone(),
                body: json!({ "event": "order.updated", "order": { "id": id } }).to_string(),
            });
        }
    }

    /// Mends the price of the bad order, which counts as no change.
    ///
    /// # Panics
    /// When it is not there.
    pub fn mend(&mut self) {
        self.order_mut(BAD_ORDER).items[0].price = "10.00".to_owned();
    }

    /// The webhooks on their way, which are then a test's to deliver.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    pub(super) fn add_webhook(&mut self, url: &str) -> String {
        self.hooks_made += 1;
        let id = self.hooks_made.to_string();
        self.webhooks.insert(id.clone(), url.to_owned());
        id
    }

    fn order_mut(&mut self, id: u64) -> &mut Order {
        let mut orders = self.orders.iter_mut();
        orders.find(|order| order.id == id).expect("an order")
    }
}

/// A seeded order: one to three products, and now and then a thing that is sold once.
fn order(id: u64, begin: Timestamp, products: &[Product]) -> Order {
    let mut items: Vec<Item> = (1..=1 + id % 3)
        .zip(1..)
        .filter_map(|(step, qty)| {
            let product = products.get((id * step) as usize % products.len().max(1))?;
            Some(Item {
                sku: product.sku.clone(),
                name: product.name.clone(),
                qty,
                price: product.price.clone(),
            })
        })
        .collect();
    if id.is_multiple_of(40) {
        items.push(Item {
            sku: format!("ONCE-{id}"),
            name: format!("One-off {id}"),
            qty: 1,
            price: "9.90".to_owned(),
        });
    }
    if id == BAD_ORDER {
        items[0].price = "ten".to_owned();
    }
    Order {
        id,
        status: STATUSES[id as usize % STATUSES.len()].0.to_owned(),
        items,
        buyer: id % 90,
        updated_at: begin + SignedDuration::from_hours(id as i64),
    }
}
