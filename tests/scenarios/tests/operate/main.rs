//! A server at work, as operators and platforms use it: real processes, real HTTP, real components.

mod backups;
mod budgets;
mod changes;
mod counterpart;
mod crashes;
mod disk;
mod door;
mod failures;
mod fairness;
mod hooks;
mod keys;
mod ledger;
mod maintenance;
mod night;
mod previews;
mod questions;
mod queueing;
mod starting;
mod step_by_step;
mod stopping;
mod strangers;
mod tokens;
mod versions;
mod webhooks;
