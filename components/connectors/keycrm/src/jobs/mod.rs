//! The work this connector offers, one module each.

pub mod orders;
