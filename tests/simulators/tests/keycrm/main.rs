//! The simulated KeyCRM, tried from outside over HTTP.

mod client;
mod lists;
mod records;
mod trouble;
