//! The server around the host: what a platform's operators run, and what its admins use.
//!
//! It keeps tenants, connections, component versions, requests and runs in a control database, runs
//! connectors when it is time or when somebody asks, takes the counterparts' webhooks, and offers all
//! of it over HTTP. The program `tenon` is this library over the embedded ERP.

pub mod api;
mod backup;
mod belonging;
pub mod cli;
pub mod clock;
pub mod console;
pub mod control;
mod failures;
mod hooks;
mod journal;
mod key;
pub mod listener;
pub mod observe;
mod one_each;
mod origin;
pub mod queue;
mod scheduler;
mod serve;
pub mod service;
mod spending;
pub mod told;
mod vault;
pub mod versions;
mod worker;

pub use serve::{router, serve};
