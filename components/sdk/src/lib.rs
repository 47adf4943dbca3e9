//! What every Tenon connector is written with.
//!
//! A connector is sync logic for one counterpart system, compiled to a WebAssembly component that
//! reaches the host ERP, its own state and the counterpart only through the contract in `wit/`.
//! This crate gives that contract a plain Rust face:
//!
//! - [`erp`] and [`runtime`]: the host's services, the same functions on wasm and natively;
//! - [`model`]: the records of the ERP; [`decimal`]: exact numbers; [`time`]: instants;
//! - [`http`]: requests to the counterpart, JSON in and out, failures as [`model::Fault`]s;
//!   [`paging`]: which page comes next;
//! - [`lenient`]: JSON as it is really met: numbers as strings, objects as `[]`, missing keys;
//! - [`reason`]: what people are told, in their language; [`texts`]: where the words stand;
//! - [`settings`], [`state`], [`manifest`] and the log macros;
//! - [`brake`]: asks before much is removed that seems to be gone;
//! - [`declare`]: settings, manifest and records by macros; `testing`: a host for tests;
//! - [`flow`]: how records go from one side to the other; [`import`]: the steps that every importing
//!   job is composed of; [`rejected`]: what it could not take, to be tried again;
//! - [`push`]: what is sent, in batches, by fields and by lines; [`identity`]: who is who;
//!   [`hooks`]: webhooks; [`ids`]: kept sets of ids.
//!
//! A connector implements [`Connector`] and says `tenon_sdk::export!(ItsType);` once.
//!
//! Natively everything that leaves the connector goes to a [`native::World`] that was installed for
//! the thread, so one and the same logic runs inside the sandbox, in unit tests and in benchmarks.

pub mod brake;
mod connector;
#[doc(hidden)]
pub mod contract;
pub mod decimal;
pub mod declare;
pub mod flow;
pub mod hooks;
pub mod http;
pub mod identity;
pub mod ids;
pub mod import;
pub mod lenient;
#[doc(hidden)]
pub mod log;
pub mod manifest;
pub mod model;
#[cfg(not(target_family = "wasm"))]
pub mod native;
pub mod origin;
pub mod paging;
pub mod push;
pub mod reason;
pub mod rejected;
mod seam;
pub mod settings;
pub mod state;
#[cfg(all(feature = "testing", not(target_family = "wasm")))]
pub mod testing;
pub mod text;
pub mod texts;
pub mod time;

pub use connector::{Connector, unknown_job, unknown_option};
pub use declare::{Call, Settings};
pub use seam::{erp, runtime};
pub use tenon_sdk_macros::{Settings, connector, record};

// What the macros write names this crate, here as anywhere.
extern crate self as tenon_sdk;
