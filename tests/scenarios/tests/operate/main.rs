//! A server at work, as operators and platforms use it: real processes, real HTTP, real components.

mod crashes;
mod ledger;
mod queueing;
mod versions;
mod webhooks;
