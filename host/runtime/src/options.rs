//! How a platform sets up its host.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::compiler::Compiler;
use crate::egress::{HostPattern, Ledger};

/// What a host needs to know about the machine and the network it stands in.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// Folder of the host's own for compiled code; nobody else may write to it.
    pub cache: PathBuf,
    /// Where components are compiled.
    pub compiler: Compiler,
    /// Most runs under way at once; more wait for a place.
    pub runs: u32,
    /// Most bytes of a component.
    pub component_size: usize,
    /// How counterparts are found and trusted.
    pub network: NetworkOptions,
    /// Where it is kept what was spent of request budgets. Without it that is known to this process
    /// alone.
    pub ledger: Option<Arc<dyn Ledger>>,
}

/// How counterparts are found and trusted.
#[derive(Clone, Debug, Default)]
pub struct NetworkOptions {
    /// DNS servers that are asked instead of the system's; the system's when empty.
    pub name_servers: Vec<SocketAddr>,
    /// Certificates in PEM that are trusted as roots beside the system's, such as a company's own.
    pub trusted_roots: Vec<Vec<u8>>,
    /// The hosts that connections may go to at all; any when none.
    pub hosts: Option<Vec<HostPattern>>,
}

impl HostOptions {
    /// The defaults, with a folder for compiled code and what compiles it.
    pub fn new(cache: impl Into<PathBuf>, compiler: Compiler) -> HostOptions {
        HostOptions {
            cache: cache.into(),
            compiler,
            runs: 100,
            component_size: 32 << 20,
            network: NetworkOptions::default(),
            ledger: None,
        }
    }
}
