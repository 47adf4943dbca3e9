//! The counterparts' web APIs, served on loopback, for tests, demos and benchmarks.
//!
//! A connector is only as good as the server it was tried against. The simulators here behave like
//! the vendors' servers down to their oddities, hold an account that tests change while the
//! connector reads it, fail on demand, and tell afterwards what they were asked.
//!
//! Everything that is the same for every vendor is in [`tenon_simulator`]. One module per vendor
//! describes its account and its answers: [`keycrm`], [`moysklad`], and [`shoplite`], which is invented. A
//! [`registry`] of components is served in the same way.

pub mod description;
pub mod keycrm;
pub mod moysklad;
pub mod registry;
pub mod shoplite;

mod json;

use std::io;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use axum::Router;

pub use tenon_simulator::{Counterpart, faults, limit, traffic};
use tenon_simulator::{Shared, lock};

/// A running simulator of one of them. It stops when dropped.
pub struct Simulator<A: Counterpart>(tenon_simulator::Simulator<A>);

impl<A: Counterpart> Simulator<A> {
    fn start(
        listen: SocketAddr,
        shared: Arc<Shared<A>>,
        router: impl FnOnce(&str) -> Router,
    ) -> io::Result<Self> {
        tenon_simulator::Simulator::start(listen, shared, router).map(Simulator)
    }
}

impl<A: Counterpart> Deref for Simulator<A> {
    type Target = tenon_simulator::Simulator<A>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<A: Counterpart> DerefMut for Simulator<A> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}
