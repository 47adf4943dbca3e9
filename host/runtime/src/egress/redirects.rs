//! Where a counterpart's own answers lead: files and pictures lie on other hosts, and vendors change
//! which.
//!
//! The threat: a host that no manifest names is one to which data could be carried off. So a guest gets
//! no further than to exactly the address that an answer of such an endpoint named in this run, to read
//! it, and without the credential. Plain http, addresses that are not global and hosts that are not
//! among the allowed ones need what an endpoint needs.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::LOCATION;
use http::{HeaderMap, Method, StatusCode};
use url::{Origin, Url};

use super::account::Account;
use super::hosts::{self, HostPattern};
use super::network::Network;
use super::policy::{self, AllowedOrigin, Refusal};
use super::{Endpoint, Grants, budget};

/// Addresses that a run remembers; the earliest is forgotten first.
const REMEMBERED: usize = 1_000;

/// Hosts that are known at one time.
const HOSTS: usize = 64;

/// Requests to one host at one time.
const PARALLEL: u32 = 4;

/// The addresses that answers of a run led to.
#[derive(Debug, Default)]
pub(super) struct Named(Mutex<VecDeque<Url>>);

impl Named {
    /// Takes note of where an answer leads.
    pub fn hear(&self, asked: &Url, status: StatusCode, headers: &HeaderMap) {
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(Ok(mut to)) = location.map(|location| asked.join(location)) else {
            return;
        };
        if !status.is_redirection() {
            return;
        }
        to.set_fragment(None);
        let mut named = locked(&self.0);
        if named.len() == REMEMBERED {
            named.pop_front();
        }
        named.push_back(to);
    }

    /// Whether a request goes where an answer led to, and only reads.
    pub fn admits(&self, method: &Method, url: &Url) -> bool {
        matches!(*method, Method::GET | Method::HEAD) && locked(&self.0).contains(url)
    }
}

/// The way to hosts that answers name.
pub(super) struct Onward {
    plain: reqwest::Client,
    granted: reqwest::Client,
    grants: Grants,
    /// Those of this machine, and those of the connection.
    allowed: [Option<Vec<HostPattern>>; 2],
    hosts: Mutex<HashMap<Origin, Arc<Endpoint>>>,
}

impl Onward {
    pub fn new(
        network: &Network,
        grants: &Grants,
        hosts: Option<&[HostPattern]>,
    ) -> Result<Onward, reqwest::Error> {
        Ok(Onward {
            plain: network.client(false)?,
            granted: network.client(true)?,
            grants: grants.clone(),
            allowed: [network.hosts().map(<[_]>::to_vec), hosts.map(<[_]>::to_vec)],
            hosts: Mutex::default(),
        })
    }

    /// The host of an address to which an answer of `from` led, or the rule that going there breaks.
    pub fn to(
        &self,
        from: &Endpoint,
        url: &Url,
        headers: &HeaderMap,
    ) -> Result<Arc<Endpoint>, Refusal> {
        let origin = url.origin();
        let name = origin.ascii_serialization();
        let is_allowed = |all: &Option<Vec<_>>| hosts::admits(all.as_deref(), &origin);
        if !self.allowed.iter().all(is_allowed) {
            return Err(Refusal::HostNotAllowed(name));
        }
        let granted = self.grants.contains(&origin);
        let known = AllowedOrigin {
            origin: origin.clone(),
            granted,
            signed_with: None,
            token_path: None,
        };
        policy::admit(&[known], url, headers)?;
        let mut hosts = locked(&self.hosts);
        if hosts.len() >= HOSTS && !hosts.contains_key(&origin) {
            hosts.clear();
        }
        let client = if granted { &self.granted } else { &self.plain };
        let host = hosts.entry(origin).or_insert_with(|| {
            Arc::new(Endpoint {
                address: url.clone(),
                origin: name,
                declared: Arc::clone(&from.declared),
                client: client.clone(),
                credential: None,
                signer: None,
                account: Arc::new(Account::alone(budget::Allowance {
                    rates: Vec::new(),
                    parallel: PARALLEL,
                })),
                turnstile: budget::Turnstile::default(),
                costs: Vec::new(),
                reads: Vec::new(),
                redirects: true,
            })
        });
        Ok(Arc::clone(host))
    }
}

/// What these locks guard is whole between any two statements.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
