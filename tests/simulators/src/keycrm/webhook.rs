//! The webhooks that an account's automation sends.
//!
//! KeyCRM neither signs nor numbers them, and they come late, twice or out of order. So a webhook
//! here is a value: it holds the order as it was when the event happened, and a test posts it when
//! and as often as it likes.

use std::time::Duration;

use super::account::Account;
use super::builders::NewOrder;
use super::records::Order;
use super::wire::Wire;

/// What a webhook tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An order went to another status.
    OrderStatus,
    /// An order is paid more or less than before.
    PaymentStatus,
}

impl Event {
    fn name(self) -> &'static str {
        match self {
            Self::OrderStatus => "order.change_order_status",
            Self::PaymentStatus => "order.change_payment_status",
        }
    }
}

/// A webhook ready to be posted.
#[derive(Clone, Debug)]
pub struct Webhook {
    body: String,
}

impl Webhook {
    /// The webhook of an event, with the order as it is now.
    ///
    /// # Panics
    /// When there is no such order.
    pub fn of(account: &Account, event: Event, order: i64) -> Self {
        match account.orders.get(&order) {
            Some(order) => Self::with(account, event, order),
            None => panic!("the account has no order {order}"),
        }
    }

    /// The webhook of an event of an order that the account does not have, as comes for orders
    /// deleted since.
    pub fn of_unknown_order(account: &mut Account, event: Event, order: i64) -> Self {
        let order = NewOrder::new().id(order).enter(account);
        Self::with(account, event, &order)
    }

    fn with(account: &Account, event: Event, order: &Order) -> Self {
        Self {
            body: Wire::new(account).webhook(event.name(), order),
        }
    }

    /// The JSON text.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Posts it and answers the receiver's status.
    ///
    /// # Errors
    /// When the receiver cannot be reached or does not answer within ten seconds.
    pub fn post(&self, url: &str) -> Result<u16, Box<ureq::Error>> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)))
            .build()
            .into();
        let answer = agent
            .post(url)
            .header("Content-Type", "application/json")
            .send(&self.body)
            .map_err(Box::new)?;
        Ok(answer.status().as_u16())
    }
}
