//! The library that a platform embeds to run connectors: WebAssembly components that exchange
//! goods, stock, partners and orders with another system, and see the world only through the
//! contract in `wit/`.

//! A platform implements [`Platform`] over its own database, makes one [`Host`], installs
//! components and opens connections; [`Host::run`] does the rest.

mod capability;
mod connector;
mod contract;
mod egress;
pub mod engine;
mod host;
pub mod ids;
mod limits;
pub mod manifest;
pub mod model;
pub mod observe;
pub mod platform;
pub mod report;
mod secret;

pub use connector::{Connector, InstallError};
pub use egress::{EgressError, EgressSettings, Grants, Refusal, RetryPolicy};
pub use host::{CallError, ConnectError, Connection, ConnectionSpec, Host, JobRequest};
pub use limits::Limits;
pub use platform::Platform;
pub use secret::Secret;
