//! A server at work, as operators and platforms use it: real processes, real HTTP, real components.

mod budgets;
mod changes;
mod counterpart;
mod crashes;
mod failures;
mod fairness;
mod hooks;
mod ledger;
mod maintenance;
mod night;
mod previews;
mod questions;
mod queueing;
mod starting;
mod step_by_step;
mod stopping;
mod versions;
mod webhooks;
