//! Somebody on this machine who must not be disturbed: a port that counts who connects to it.

use std::net::{SocketAddr, TcpListener};

/// A port that is listened on and never served. The system completes connections to it by itself,
/// so that none goes uncounted, however late it is looked for.
pub struct Bystander(TcpListener);

impl Bystander {
    /// Listens on a free port of an address of this machine.
    ///
    /// # Panics
    /// When there is no port.
    pub fn on(address: &str) -> Bystander {
        let listener = TcpListener::bind((address, 0)).expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        Bystander(listener)
    }

    /// Where it listens.
    ///
    /// # Panics
    /// When the system does not know.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("an address")
    }

    /// How many have connected since this was asked last.
    pub fn connections(&self) -> usize {
        std::iter::from_fn(|| self.0.accept().ok()).count()
    }
}
