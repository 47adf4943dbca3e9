//! What connectors and people may rely on, shown on real files.

mod agreed;
mod changes;
mod durability;
mod fence;
mod files;
mod finding;
mod forgetting;
mod identities;
mod loading;
mod orders;
mod owners;
mod products;
mod reading;
mod saving;
mod search;
mod snapshot;
mod state;
mod support;
mod timers;
mod told;
mod units;
