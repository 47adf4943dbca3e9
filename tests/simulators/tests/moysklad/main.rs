//! The simulated MoySklad, tried from outside over HTTP.

mod access;
mod catalogue;
mod client;
mod documents;
mod images;
mod lists;
mod partners;
mod stock;
mod trouble;
mod webhooks;
mod writing;
