//! Orders of the shop, with their buyers and what they bought.

use tenon_sdk::flow::follow::{self, List, Source};
use tenon_sdk::flow::needs::Needs;
use tenon_sdk::model::{
    Directory, Fault, Order, OrderFields, OrderLine, Origin, Outcome, Partner, Product, Reason,
};
use tenon_sdk::{Call, reason};

use crate::api::{self, Customer, Item};
use crate::products::PRODUCT;
use crate::{Shop, Shoplite};

/// Loads orders.
pub fn run(call: &Call<'_, Shop>) -> Result<Outcome, Fault> {
    follow::run(&Orders(call), &call.retry)
}

struct Orders<'c>(&'c Call<'c, Shop>);

impl Source for Orders<'_> {
    type Row<'a> = api::Order<'a>;
    type Connector = Shoplite;
    type Record = Order;

    const KIND: &'static str = "order";
    const LIST: List = List::changed_since("/orders", "updated_since", "updated_at").rows("data");

    fn owned(&self) -> OrderFields {
        OrderFields::NUMBER
            | OrderFields::STAGE
            | OrderFields::PARTNER
            | OrderFields::CURRENCY
            | OrderFields::LINES
    }

    fn wants(&self, order: &api::Order<'_>) -> bool {
        let chosen = &self.0.settings.statuses;
        chosen.is_empty()
            || order
                .status
                .get()
                .is_some_and(|status| chosen.contains(status))
    }

    fn needs(&self, order: &api::Order<'_>, needs: &mut Needs) {
        if let Some(status) = order.status.get() {
            needs.entry(Directory::OrderStages, status, stage(status));
        }
        if let Some(customer) = order.customer.get() {
            needs.partner(partner(customer));
        }
        for item in order.items.iter() {
            needs.product(product(item));
        }
    }

    fn map(&self, order: &api::Order<'_>, needs: &Needs) -> Result<Order, Reason> {
        let customer = order.customer.get();
        let customer = customer.ok_or_else(|| reason!("order.no-buyer"))?;
        let lines = order.items.iter().enumerate();
        Ok(Order {
            number: order.number.owned(),
            stage: order
                .status
                .get()
                .and_then(|status| needs.entry_of(&stage(status))),
            partner: Some(needs.partner_of(&buyer(customer))?),
            currency: self.0.context.currency.clone(),
            lines: lines
                .map(|(place, item)| line(place, item, needs))
                .collect::<Result<_, _>>()?,
            ..Order::default()
        })
    }
}

fn stage(status: &str) -> Origin {
    Shoplite::origin("status", status)
}

/// A buyer has no id: the phone, else the e-mail, else the name tells who it is.
fn buyer(customer: &Customer<'_>) -> Origin {
    let known = customer.phone.get().or(customer.email.get());
    let known = known.or(customer.name.get()).unwrap_or("nobody");
    Shoplite::origin("customer", known)
}

fn partner(customer: &Customer<'_>) -> Partner {
    let name = customer.name.get().or(customer.email.get());
    Partner {
        origin: Some(buyer(customer)),
        name: name.or(customer.phone.get()).unwrap_or("?").to_owned(),
        phones: customer.phone.owned().into_iter().collect(),
        emails: customer.email.owned().into_iter().collect(),
        ..Partner::default()
    }
}

/// What was bought: a product by its SKU, or a one-off by its name.
fn bought(item: &Item<'_>) -> Origin {
    match item.sku.get() {
        Some(sku) => Shoplite::origin(PRODUCT, sku),
        None => Shoplite::origin("one-off", item.name.get().unwrap_or("?")),
    }
}

fn product(item: &Item<'_>) -> Product {
    Product {
        origin: Some(bought(item)),
        name: item.name.get().or(item.sku.get()).unwrap_or("?").to_owned(),
        sku: item.sku.owned(),
        ..Product::default()
    }
}

fn line(place: usize, item: &Item<'_>, needs: &Needs) -> Result<OrderLine, Reason> {
    let pick = needs.product_of(&bought(item))?;
    Ok(OrderLine {
        id: (place + 1).to_string(),
        product: Some(pick.key),
        product_variant: pick.variant,
        name: item.name.owned().unwrap_or_default(),
        sku: item.sku.owned(),
        quantity: item.qty.or_zero().try_into()?,
        price: item.price.or_zero().try_into()?,
        ..OrderLine::default()
    })
}
