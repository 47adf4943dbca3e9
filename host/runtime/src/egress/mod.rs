//! Outgoing HTTP: what stands behind `wasi:http` for a guest.
//!
//! The guest names a URL; the host decides whether it may ([`policy`], [`address`], and [`reads`] while
//! nothing is to be changed, and [`redirects`]), when ([`budget`], [`breaker`]), signs it ([`signature`]), sends it over sockets that only this connection
//! uses ([`network`]), repeats it where that is safe ([`retry`], [`hints`]), decodes the body and
//! hands over the whole answer ([`exchange`]). Redirects go to the guest as they are: following one
//! with a credential would give the credential away.

mod account;
mod address;
mod breaker;
mod budget;
mod exchange;
mod hints;
mod hosts;
mod ledger;
mod network;
mod policy;
mod reads;
mod redirects;
mod retry;
mod signature;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use url::Url;

use crate::ids::TenantId;
use crate::manifest::{self, BadOrigin, Manifest};
use crate::reason::{Mend, Reason};
use crate::secret::Secret;

pub(crate) use account::Accounts;
pub use address::Forbidden;
pub use breaker::BreakerPolicy;
pub(crate) use exchange::RunEgress;
pub use hosts::{BadHostPattern, HostPattern};
pub use ledger::{Ledger, LedgerError, Noted};
pub(crate) use network::Network;
pub use network::{GuardedResolver, NetworkError, check_literal};
pub use policy::Refusal;
pub use retry::RetryPolicy;

/// The origins that an admin opened although the defaults refuse them.
pub type Grants = Vec<url::Origin>;

/// How requests of a connection are sent.
#[derive(Clone, Debug, Default)]
pub struct EgressSettings {
    /// Origins opened beyond the defaults.
    pub grants: Grants,
    /// The hosts that it may go to; all of those that the host may go to when none.
    pub hosts: Option<Vec<HostPattern>>,
    /// Lifts the request budget of the manifest.
    pub no_budget: bool,
    /// How often and how long failed requests are repeated.
    pub retry: RetryPolicy,
    /// When a counterpart that keeps failing is left alone.
    pub breaker: BreakerPolicy,
}

/// The connection cannot talk to its counterpart as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// An endpoint has no address.
    #[error(transparent)]
    BadOrigin(#[from] BadOrigin),
    /// An endpoint is at none of the hosts that connections may go to.
    #[error("{origin} is not among the hosts that this connection may go to")]
    HostNotAllowed {
        /// The endpoint.
        origin: String,
        /// The setting that its address is in, where it is in one.
        setting: Option<String>,
    },
    /// The secret of a credential cannot stand in a header.
    #[error("the credential `{0}` holds characters that cannot be sent in a header")]
    UnsendableCredential(String),
    /// The manifest names a header that cannot exist.
    #[error("the credential `{0}` names a header that is not a header name")]
    BadHeaderName(String),
    /// The manifest names a place of tokens that cannot exist.
    #[error("`{0}` is not a path at which tokens can be got")]
    BadTokenPath(String),
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made: {0}")]
    Client(#[from] reqwest::Error),
}

impl EgressError {
    /// Why, for people.
    pub fn reason(&self) -> Reason {
        match self {
            EgressError::BadOrigin(error) => error.reason(),
            EgressError::HostNotAllowed { origin, setting } => {
                let reason = Reason::new("host.endpoint.host-not-allowed").arg("origin", origin);
                match setting {
                    Some(setting) => reason.mend(Mend::Setting(setting.clone())),
                    None => reason,
                }
            }
            EgressError::UnsendableCredential(name) => Reason::new("host.credential.unsendable")
                .arg("name", name)
                .mend(Mend::Credential(name.clone())),
            EgressError::BadHeaderName(name) => {
                Reason::new("host.credential.bad-header").arg("name", name)
            }
            EgressError::BadTokenPath(path) => {
                Reason::new("host.credential.bad-token-path").arg("path", path)
            }
            EgressError::Client(error) => Reason::new("host.no-http-client").detail(error),
        }
    }
}

/// An endpoint with all that the host needs to talk to it.
struct Endpoint {
    address: Url,
    /// For people.
    origin: String,
    /// In the words of the manifest, for who counts requests.
    declared: Arc<str>,
    client: reqwest::Client,
    /// The name of the credential that it is signed with.
    credential: Option<String>,
    signer: Option<signature::Signer>,
    account: Arc<account::Account>,
    turnstile: budget::Turnstile,
    costs: Vec<(String, u32)>,
    reads: Vec<reads::Declared>,
    /// Whether its answers name other hosts that may be read from.
    redirects: bool,
}

/// How much is spent of what a counterpart allows within a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BudgetUse {
    /// The origin of the endpoint.
    pub endpoint: String,
    /// The name of the credential whose budget it is; none where nothing is signed.
    pub credential: Option<String>,
    /// Length of the window in milliseconds.
    pub window_ms: u64,
    /// Units that it holds. A request takes one, or what the manifest says that its path costs.
    pub units: u64,
    /// Units that this host spent within the window.
    pub used: u64,
    /// Units that may be spent now.
    pub left: u64,
    /// Whether the counterpart itself said how much is left. Else it is the manifest that says so.
    pub told: bool,
    /// When a request may be sent; none when that is now.
    pub free_at: Option<Timestamp>,
}

/// Where a request goes.
enum Way<'e> {
    /// An endpoint of the manifest.
    Declared(&'e Endpoint),
    /// A host that an answer named.
    Named(Arc<Endpoint>),
}

impl std::ops::Deref for Way<'_> {
    type Target = Endpoint;

    fn deref(&self) -> &Endpoint {
        match self {
            Way::Declared(endpoint) => endpoint,
            Way::Named(endpoint) => endpoint,
        }
    }
}

/// The way out of one connection.
pub(crate) struct Egress {
    allowed: Vec<policy::AllowedOrigin>,
    endpoints: Vec<Endpoint>,
    /// Where answers of an endpoint lead that says so.
    onward: Option<redirects::Onward>,
    no_budget: bool,
    retry: RetryPolicy,
    breaker: BreakerPolicy,
}

impl Egress {
    pub fn new(
        tenant: &TenantId,
        manifest: &Manifest,
        settings: &serde_json::Value,
        credentials: &HashMap<String, Secret>,
        egress: EgressSettings,
        network: &Network,
        accounts: &Accounts,
    ) -> Result<Egress, EgressError> {
        let mut allowed = Vec::with_capacity(manifest.endpoints.len());
        let mut endpoints = Vec::with_capacity(manifest.endpoints.len());
        for endpoint in &manifest.endpoints {
            let address = endpoint.address(settings, &manifest.settings_schema)?;
            let origin = address.origin();
            if !network.admits(&origin) || !hosts::admits(egress.hosts.as_deref(), &origin) {
                return Err(EgressError::HostNotAllowed {
                    origin: origin.ascii_serialization(),
                    setting: endpoint.setting().map(str::to_owned),
                });
            }
            let given = endpoint.credentials.iter().find_map(|name| {
                let credential = manifest
                    .credentials
                    .iter()
                    .find(|known| known.name == *name)?;
                Some((credential, credentials.get(name)?))
            });
            let signer = given
                .map(|(credential, secret)| signature::Signer::new(credential, secret, &origin))
                .transpose()?;
            let name = origin.ascii_serialization();
            let credential = given.map(|(credential, _)| credential.name.clone());
            let counts = |budget: &&manifest::Budget| {
                budget.credential.is_none() || budget.credential == credential
            };
            let rates = endpoint.budgets.iter().filter(counts);
            let allowance = budget::Allowance {
                rates: rates
                    .map(|budget| budget::Rate {
                        units: budget.units(settings),
                        window: Duration::from_millis(budget.window_ms),
                    })
                    .collect(),
                parallel: endpoint.parallel,
            };
            let secret = given.map(|(_, secret)| secret);
            let account = accounts.of(tenant, &name, secret, allowance);
            let granted = egress.grants.contains(&origin);
            let client = network.client(granted)?;
            allowed.push(policy::AllowedOrigin {
                origin,
                granted,
                signed_with: signer.as_ref().map(|signer| signer.header().clone()),
                token_path: match &signer {
                    Some(signature::Signer::Token { url, .. }) => Some(url.path().to_owned()),
                    _ => None,
                },
            });
            endpoints.push(Endpoint {
                address,
                origin: name,
                declared: Arc::from(endpoint.origin.as_str()),
                client,
                credential,
                signer,
                account,
                turnstile: budget::Turnstile::default(),
                costs: endpoint.costs.clone(),
                reads: (endpoint.reads.iter())
                    .filter_map(reads::Declared::new)
                    .collect(),
                redirects: endpoint.redirects,
            });
        }
        let onward = if endpoints.iter().any(|endpoint| endpoint.redirects) {
            let hosts = egress.hosts.as_deref();
            Some(redirects::Onward::new(network, &egress.grants, hosts)?)
        } else {
            None
        };
        Ok(Egress {
            allowed,
            endpoints,
            onward,
            no_budget: egress.no_budget,
            retry: egress.retry,
            breaker: egress.breaker,
        })
    }

    /// The endpoint that a request goes to, or the rule that it breaks. `named` is where answers have led
    /// to.
    fn way(
        &self,
        method: &http::Method,
        url: &Url,
        headers: &http::HeaderMap,
        named: &redirects::Named,
    ) -> Result<Way<'_>, Refusal> {
        match (policy::admit(&self.allowed, url, headers), &self.onward) {
            (Ok(index), _) => Ok(Way::Declared(&self.endpoints[index])),
            (Err(Refusal::NotAnEndpoint(name)), Some(onward)) => {
                let from = self.endpoints.iter().find(|endpoint| endpoint.redirects);
                match from {
                    Some(from) if named.admits(method, url) => {
                        onward.to(from, url, headers).map(Way::Named)
                    }
                    _ => Err(Refusal::NotAnEndpoint(name)),
                }
            }
            (Err(refusal), _) => Err(refusal),
        }
    }

    /// The addresses of its endpoints, in the order of the manifest.
    pub fn addresses(&self) -> impl Iterator<Item = &Url> {
        self.endpoints.iter().map(|endpoint| &endpoint.address)
    }

    /// Until when a counterpart wants to be left alone, with its origin: the longest such time. None when
    /// that is shorter than a request waits.
    pub fn silent_until(&self) -> Option<(String, Timestamp)> {
        let now = Timestamp::now();
        let waits = self.endpoints.iter().map(|endpoint| {
            let wait = endpoint.account.budget.silence();
            (wait, &endpoint.origin)
        });
        let (wait, origin) = waits.max()?;
        let until = now.saturating_add(wait).unwrap_or(now);
        (wait > self.retry.longest_wait).then(|| (origin.clone(), until))
    }

    /// How much of its budgets is spent, endpoint by endpoint.
    pub fn budgets(&self) -> Vec<BudgetUse> {
        let now = Timestamp::now();
        let mut all = Vec::new();
        for endpoint in &self.endpoints {
            let uses = endpoint.account.budget.used().into_iter();
            all.extend(uses.map(|one| BudgetUse {
                endpoint: endpoint.origin.clone(),
                credential: endpoint.credential.clone(),
                window_ms: one.window.as_millis().try_into().unwrap_or(u64::MAX),
                units: one.units,
                used: one.used,
                left: one.left,
                told: one.told,
                free_at: (!one.wait.is_zero()).then(|| now.saturating_add(one.wait).unwrap_or(now)),
            }));
        }
        all
    }
}
