//! A server at work, as operators and platforms use it: real processes, real HTTP, real components.

mod changes;
mod crashes;
mod failures;
mod fairness;
mod hooks;
mod ledger;
mod queueing;
mod starting;
mod versions;
mod webhooks;
