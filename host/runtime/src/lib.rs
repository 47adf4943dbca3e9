//! The library that a platform embeds to run connectors: WebAssembly components that exchange
//! goods, stock, partners and orders with another system, and see the world only through the
//! contract in `wit/`.

//! A platform implements [`Platform`] over its own database, makes one [`Host`], installs
//! components and opens connections; [`Host::run`] does the rest. `examples/own_platform.rs` is a whole
//! platform in under a hundred lines.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use tenon_host::observe::NoObserver;
//! use tenon_host::{
//!     Compiler, CompilerProcess, ConnectionSpec, EgressSettings, Host, HostOptions, JobRequest,
//!     Limits, Place, Platform, Secret,
//! };
//!
//! # async fn embed(my_platform: impl Platform + 'static, key: String) -> anyhow::Result<()> {
//! let compiler = CompilerProcess::new("/usr/lib/tenon/tenon-compile");
//! let options = HostOptions::new("/var/lib/tenon/compiled", Compiler::Child(compiler));
//! let host = Host::new(Arc::new(my_platform), options)?;
//! let connector = host.install(&std::fs::read("keycrm.wasm")?).await?;
//! let connection = host.connect(connector, ConnectionSpec {
//!     tenant: "shop-1".parse()?,
//!     id: "keycrm".parse()?,
//!     settings: serde_json::json!({ "last_days": 7 }),
//!     credentials: [("api_key".to_owned(), Secret::new(key))].into(),
//!     place: Place::default(),
//!     egress: EgressSettings::default(),
//!     limits: Limits::default(),
//! })?;
//! let request = JobRequest::asked("orders");
//! let report = host.run(&connection, &request, Arc::new(NoObserver)).await;
//! # Ok(())
//! # }
//! ```

mod account;
mod brake;
mod capability;
mod compiler;
mod connector;
mod contract;
mod egress;
pub mod engine;
mod host;
pub mod ids;
pub mod kept;
mod limits;
pub mod manifest;
pub mod model;
pub mod observe;
mod options;
pub mod parts;
mod place;
pub mod platform;
pub mod proposals;
pub mod reason;
pub mod report;
mod request;
pub mod rules;
pub mod schedule;
pub mod seal;
mod secret;
mod seen;
mod settings_schema;
mod signed;
mod threads;
mod watch;

pub use account::FoundAccount;
pub use compiler::{CompileError, Compiler, CompilerProcess, compile_stdin};
pub use connector::{CONTRACT, Connector, InstallError};
pub use egress::{
    BadHostPattern, BreakerPolicy, BudgetUse, EgressError, EgressSettings, Forbidden, Grants,
    GuardedResolver, HostPattern, Ledger, LedgerError, NetworkError, Noted, Refusal, RetryPolicy,
    check_literal,
};
pub use host::{CallError, ConnectError, Connection, ConnectionSpec, Host, StartError};
pub use limits::{BadLimit, Limits};
pub use options::{HostOptions, NetworkOptions};
pub use place::{BadPlace, Place, PlacePart};
pub use platform::Platform;
pub use reason::{Mend, Reason};
pub use request::{Cause, JobRequest, Mode, RecordRef, WantedJob, Webhook};
pub use seal::{CredentialPlace, SealingKeys};
pub use secret::Secret;
