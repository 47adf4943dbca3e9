//! The work this connector offers, one module each.

pub mod orders;

/// Loads orders.
pub const ORDERS: &str = "orders";
