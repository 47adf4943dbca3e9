//! Orders of the shop.

use tenon_sdk::flow::follow::{self, List, Source};
use tenon_sdk::flow::needs::Needs;
use tenon_sdk::lenient::{List as Several, Number, Object, Rounded, Text};
use tenon_sdk::model::{
    Fault, Order, OrderFields, OrderLine, Origin, Outcome, Partner, Product, Reason,
};
use tenon_sdk::{Call, reason, record};

use crate::{Chosen, MyShop};

/// An order, as the shop sends it.
#[record]
pub struct Sent<'a> {
    number: Text<'a>,
    status: Text<'a>,
    items: Several<Item<'a>>,
    customer: Object<Customer<'a>>,
}

/// A line of an order.
#[record]
struct Item<'a> {
    sku: Text<'a>,
    name: Text<'a>,
    qty: Number,
    price: Rounded<2>,
}

/// Who buys.
#[record]
struct Customer<'a> {
    name: Text<'a>,
    phone: Text<'a>,
    email: Text<'a>,
}

/// Loads orders.
pub fn run(call: &Call<'_, Chosen>) -> Result<Outcome, Fault> {
    follow::run(&Orders(call), &call.retry)
}

struct Orders<'c>(&'c Call<'c, Chosen>);

impl Source for Orders<'_> {
    type Row<'a> = Sent<'a>;
    type Connector = MyShop;
    type Record = Order;

    const KIND: &'static str = "order";
    const LIST: List = List::changed_since("/orders", "updated_since", "updated_at").rows("data");

    fn owned(&self) -> OrderFields {
        OrderFields::NUMBER | OrderFields::PARTNER | OrderFields::CURRENCY | OrderFields::LINES
    }

    fn wants(&self, order: &Sent<'_>) -> bool {
        let chosen = &self.0.settings.statuses;
        let status = order.status.get();
        chosen.is_empty() || status.is_some_and(|status| chosen.contains(status))
    }

    fn needs(&self, order: &Sent<'_>, needs: &mut Needs) {
        if let Some(customer) = order.customer.get() {
            needs.partner(partner(customer));
        }
        for item in order.items.iter() {
            needs.product(product(item));
        }
    }

    fn map(&self, order: &Sent<'_>, needs: &Needs) -> Result<Order, Reason> {
        let customer = order.customer.get();
        let customer = customer.ok_or_else(|| reason!("order.no-buyer"))?;
        let lines = order.items.iter().enumerate();
        let lines = lines.map(|(place, item)| line(place, item, needs));
        Ok(Order {
            number: order.number.owned(),
            partner: Some(needs.partner_of(&buyer(customer))?),
            currency: self.0.context.currency.clone(),
            lines: lines.collect::<Result<_, _>>()?,
            ..Order::default()
        })
    }
}

/// A buyer has no id here: the phone, else the e-mail tells who it is.
fn buyer(customer: &Customer<'_>) -> Origin {
    let known = customer.phone.get().or(customer.email.get());
    MyShop::origin("customer", known.unwrap_or("nobody"))
}

fn partner(customer: &Customer<'_>) -> Partner {
    Partner {
        origin: Some(buyer(customer)),
        name: customer.name.get().unwrap_or("?").to_owned(),
        phones: customer.phone.owned().into_iter().collect(),
        emails: customer.email.owned().into_iter().collect(),
        ..Partner::default()
    }
}

fn sold(item: &Item<'_>) -> Origin {
    MyShop::origin("product", item.sku.get().or(item.name.get()).unwrap_or("?"))
}

fn product(item: &Item<'_>) -> Product {
    Product {
        origin: Some(sold(item)),
        name: item.name.get().or(item.sku.get()).unwrap_or("?").to_owned(),
        sku: item.sku.owned(),
        ..Product::default()
    }
}

fn line(place: usize, item: &Item<'_>, needs: &Needs) -> Result<OrderLine, Reason> {
    let pick = needs.product_of(&sold(item))?;
    Ok(OrderLine {
        id: (place + 1).to_string(),
        product: Some(pick.key),
        product_variant: pick.variant,
        name: item.name.owned().unwrap_or_default(),
        quantity: item.qty.or_zero().try_into()?,
        price: item.price.or_zero().try_into()?,
        ..OrderLine::default()
    })
}
