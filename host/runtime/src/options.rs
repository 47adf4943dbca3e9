//! How a platform sets up its host.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::compiler::Compiler;
use crate::egress::HostPattern;

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
        }
    }
}
