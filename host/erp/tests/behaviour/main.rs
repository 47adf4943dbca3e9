//! What connectors and people may rely on, shown on real files.

mod changes;
mod durability;
mod finding;
mod loading;
mod orders;
mod products;
mod reading;
mod saving;
mod state;
mod support;
mod units;
