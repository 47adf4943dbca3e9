//! How the host finds and trusts counterparts: its own resolver, and clients that dial nothing but
//! what it has checked.
//!
//! Each endpoint of a connection has a client of its own, with its own sockets and TLS sessions, so
//! that nothing of one tenant's conversations is ever at hand for another's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;
use reqwest::dns::{Addrs, Resolve, Resolving};

use super::address::{self, Forbidden};
use super::hosts::{self, HostPattern};
use crate::options::NetworkOptions;

/// Longest wait for a TCP and TLS connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A socket that nobody used for so long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// The network options cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A trusted root is not a certificate.
    #[error("a trusted root certificate cannot be read: {0}")]
    Root(reqwest::Error),
    /// The resolver could not be made.
    #[error("the DNS resolver cannot be made: {0}")]
    Resolver(String),
}

/// The way to the network that all connections of a host share.
pub(crate) struct Network {
    resolver: Arc<TokioResolver>,
    roots: Vec<reqwest::Certificate>,
    hosts: Option<Vec<HostPattern>>,
}

impl Network {
    pub fn new(options: &NetworkOptions) -> Result<Network, NetworkError> {
        // Fails only when a provider is in place already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut roots = Vec::new();
        for pem in &options.trusted_roots {
            roots.extend(reqwest::Certificate::from_pem_bundle(pem).map_err(NetworkError::Root)?);
        }
        Ok(Network {
            resolver: Arc::new(resolver(&options.name_servers)?),
            roots,
            hosts: options.hosts.clone(),
        })
    }

    /// Whether any connection of this host may go there.
    pub fn admits(&self, origin: &url::Origin) -> bool {
        hosts::admits(self.hosts.as_deref(), origin)
    }

    /// The hosts that any connection of this host may go to; none for all.
    pub fn hosts(&self) -> Option<&[HostPattern]> {
        self.hosts.as_deref()
    }

    /// A client with an empty pool, for one endpoint.
    pub fn client(&self, granted: bool) -> Result<reqwest::Client, reqwest::Error> {
        let resolver = CheckedResolver {
            resolver: Arc::clone(&self.resolver),
            granted,
        };
        reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .dns_resolver(Arc::new(resolver))
            .tls_certs_merge(self.roots.iter().cloned())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_nodelay(true)
            .build()
    }
}

fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, NetworkError> {
    let system = || {
        hickory_resolver::system_conf::read_system_conf().unwrap_or_else(|error| {
            tracing::warn!("the system's DNS settings cannot be read: {error}");
            (ResolverConfig::default(), ResolverOpts::default())
        })
    };
    let (config, options) = if servers.is_empty() {
        system()
    } else {
        let servers = servers.iter().map(name_server).collect();
        (
            ResolverConfig::from_name_servers(servers),
            ResolverOpts::default(),
        )
    };
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .build()
        .map_err(|error| NetworkError::Resolver(error.to_string()))
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

/// Resolves the names of one endpoint and lets through only answers without a forbidden address.
struct CheckedResolver {
    resolver: Arc<TokioResolver>,
    /// Whether an admin opened the endpoint.
    granted: bool,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> Resolving {
        let resolver = Arc::clone(&self.resolver);
        let granted = self.granted;
        Box::pin(async move {
            let mut name = Name::from_ascii(name.as_str())?;
            // The whole name, never one completed from the machine's search list.
            name.set_fqdn(true);
            let found = resolver.lookup_ip(name).await?;
            // The port is put in by the client.
            let answer: Vec<SocketAddr> = found.iter().map(|ip| (ip, 0).into()).collect();
            for address in &answer {
                address::check(address.ip(), granted)?;
            }
            Ok(Box::new(answer.into_iter()) as Addrs)
        })
    }
}

/// Resolves the names of hosts that are no counterparts, such as a registry, and lets through only what
/// a connection could reach as well.
///
/// It sees names alone: an address that stands in a URL itself is for [`check_literal`].
pub struct GuardedResolver {
    resolver: Arc<TokioResolver>,
    open: Vec<String>,
}

impl GuardedResolver {
    /// One that asks the system's DNS servers. `open` are the names at which private addresses are
    /// fine.
    pub fn new(open: Vec<String>) -> Result<GuardedResolver, NetworkError> {
        let resolver = Arc::new(resolver(&[])?);
        Ok(GuardedResolver { resolver, open })
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: reqwest::dns::Name) -> Resolving {
        let resolver = CheckedResolver {
            resolver: Arc::clone(&self.resolver),
            granted: self.open.iter().any(|open| open == name.as_str()),
        };
        resolver.resolve(name)
    }
}

/// Passes a URL with a name, and one with an address that may be dialled. `granted` opens all but
/// metadata services.
pub fn check_literal(url: &url::Url, granted: bool) -> Result<(), Forbidden> {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => address::check(ip.into(), granted),
        Some(url::Host::Ipv6(ip)) => address::check(ip.into(), granted),
        Some(url::Host::Domain(_)) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_points_at_this_machine_is_refused_unless_granted() {
        let resolver = Arc::new(resolver(&[]).unwrap());
        let resolve = |granted| {
            let resolver = Arc::clone(&resolver);
            CheckedResolver { resolver, granted }.resolve("localhost".parse().unwrap())
        };
        let Err(error) = resolve(false).await else {
            panic!("localhost was resolved");
        };
        assert!(
            error.downcast_ref::<address::Forbidden>().is_some(),
            "{error}"
        );
        assert!(resolve(true).await.unwrap().count() > 0);
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let options = NetworkOptions {
            trusted_roots: vec![
                b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec(),
            ],
            ..NetworkOptions::default()
        };
        let network = Network::new(&options)
            .and_then(|network| network.client(false).map_err(NetworkError::Root).map(drop));
        assert!(network.is_err());
    }
}
