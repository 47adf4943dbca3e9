//! MoySklad and a shop of car parts: what the integration promises to its users, each promise
//! through the real component, real HTTP and a real ERP file.

mod balance;
mod categories;
mod figures;
mod images;
mod matching;
mod orders;
mod partners;
mod products;
mod refusals;
mod setup;
mod stock;
mod trouble;
mod world;
