//! MoySklad and a shop of car parts: what the integration promises to its users, each promise
//! through the real component, real HTTP and a real ERP file.

mod assortment;
mod balance;
mod brake;
mod categories;
mod charges;
mod figures;
mod images;
mod log;
mod matching;
mod orders;
mod partners;
mod positions;
mod products;
mod refusals;
mod rejected;
mod setup;
mod stock;
mod trouble;
mod vendor;
mod world;
