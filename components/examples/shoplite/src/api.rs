//! What the shop sends. Only what the mapping uses is read.

use tenon_sdk::lenient::{Aside, Flag, Id, List, Number, Object, Rounded, Text};
use tenon_sdk::record;

/// An order.
#[record]
pub struct Order<'a> {
    pub number: Text<'a>,
    pub status: Text<'a>,
    pub items: List<Item<'a>>,
    pub customer: Object<Customer<'a>>,
}

/// A line of an order. Only its place tells it from others.
#[record]
pub struct Item<'a> {
    pub sku: Text<'a>,
    pub name: Text<'a>,
    pub qty: Number,
    pub price: Rounded<2>,
}

/// Who buys.
#[record]
pub struct Customer<'a> {
    pub name: Text<'a>,
    pub phone: Text<'a>,
    pub email: Text<'a>,
}

/// A product. Its stock is what the ERP has sent: a change of it alone is none.
#[record]
pub struct Product<'a> {
    pub id: Id,
    pub name: Text<'a>,
    pub sku: Text<'a>,
    pub price: Rounded<2>,
    pub stock: Aside<Number>,
    pub deleted: Flag,
}

/// A page of products.
#[record]
pub struct Page<'a> {
    pub data: List<Product<'a>>,
}

/// A status of orders.
#[record]
pub struct Status<'a> {
    pub id: Text<'a>,
    pub title: Text<'a>,
}

/// A webhook that was asked for.
#[record]
pub struct Webhook<'a> {
    pub id: Text<'a>,
}
