//! Every rule about one record, without any I/O.

pub mod brand;
pub mod order;
pub mod partner;
pub mod product;
