//! What all connections of a tenant share towards one account of a counterpart: its request budget,
//! its breaker and its token.
//!
//! An account is known by tenant, origin and credential. Nothing is shared between tenants, even
//! when they use one credential: what one does must not show in the other's timing. The token is
//! shared because some counterparts withdraw a user's earlier tokens when they issue a new one
//! (MoySklad, Remap 1.2 "Authentication").

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::Digest as _;

use super::breaker::Breaker;
use super::budget::{self, Allowance, Budget};
use super::ledger::Ledger;
use super::signature::Signature;
use crate::ids::TenantId;
use crate::secret::Secret;

/// The accounts of a host.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    known: Mutex<HashMap<Key, Arc<Account>>>,
    ledger: Option<Arc<dyn Ledger>>,
}

/// Tenant, origin, and the digest of the credential.
type Key = (TenantId, String, Option<[u8; 32]>);

/// One account of a counterpart.
#[derive(Debug)]
pub(super) struct Account {
    pub budget: Arc<Budget>,
    pub breaker: Breaker,
    /// The token got for the credential; held while a new one is asked for.
    pub token: tokio::sync::Mutex<Option<Signature>>,
}

impl Accounts {
    /// Accounts whose budgets are kept, where there is a ledger for them.
    pub fn new(ledger: Option<Arc<dyn Ledger>>) -> Accounts {
        Accounts {
            known: Mutex::default(),
            ledger,
        }
    }

    /// The account, with what its vendor allows by the word of this connection.
    pub(super) fn of(
        &self,
        tenant: &TenantId,
        origin: &str,
        secret: Option<&Secret>,
        allowance: Allowance,
    ) -> Arc<Account> {
        let digest: Option<[u8; 32]> =
            secret.map(|secret| sha2::Sha256::digest(secret.expose()).into());
        let kept = self.ledger.as_ref().map(|ledger| budget::Account {
            ledger: Arc::clone(ledger),
            name: name(tenant, origin, digest),
        });
        let key = (tenant.clone(), origin.to_owned(), digest);
        let mut accounts = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.get(&key) {
            account.budget.allow(&allowance);
            return Arc::clone(account);
        }
        // Whoever is neither in use nor has anything to remember would begin like new.
        accounts.retain(|_, account| Arc::strong_count(account) > 1 || !account.is_at_rest());
        let account = Arc::new(Account {
            budget: Arc::new(Budget::new(allowance, kept)),
            breaker: Breaker::default(),
            token: tokio::sync::Mutex::default(),
        });
        accounts.insert(key, Arc::clone(&account));
        account
    }
}

/// What an account is called in the ledger. One byte tells the accounts of a tenant at one origin apart
/// nearly always, and helps nobody to guess a credential: where two share it, they count each other's
/// requests.
fn name(tenant: &TenantId, origin: &str, digest: Option<[u8; 32]>) -> String {
    match digest {
        Some([first, ..]) => format!("{tenant} {origin} {first:02x}"),
        None => format!("{tenant} {origin}"),
    }
}

impl Account {
    /// One that nothing is shared of.
    pub(super) fn alone(allowance: Allowance) -> Account {
        Account {
            budget: Arc::new(Budget::new(allowance, None)),
            breaker: Breaker::default(),
            token: tokio::sync::Mutex::default(),
        }
    }

    fn is_at_rest(&self) -> bool {
        // A token would be got again.
        self.budget.is_at_rest() && self.breaker.is_at_rest()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::egress::budget::Rate;

    fn of(accounts: &Accounts, tenant: &str, origin: &str, secret: &str) -> Arc<Account> {
        let secret = Secret::new(secret.to_owned());
        let rate = Rate {
            units: 1,
            window: Duration::from_secs(1),
        };
        let allowance = Allowance {
            rates: vec![rate],
            parallel: 1,
        };
        accounts.of(&tenant.parse().unwrap(), origin, Some(&secret), allowance)
    }

    #[test]
    fn one_account_is_shared_within_a_tenant_and_never_between_tenants() {
        let accounts = Accounts::default();
        let account = of(&accounts, "a", "https://api.example", "key");
        let same = |other: Arc<Account>| Arc::ptr_eq(&account, &other);
        assert!(same(of(&accounts, "a", "https://api.example", "key")));
        assert!(!same(of(&accounts, "b", "https://api.example", "key")));
        assert!(!same(of(&accounts, "a", "https://api.example", "other")));
        assert!(!same(of(&accounts, "a", "https://other.example", "key")));
    }

    #[test]
    fn the_name_in_the_ledger_tells_accounts_apart_and_hardly_anything_of_a_credential() {
        let (shop, origin) = ("shop".parse().unwrap(), "https://api.example");
        let named = |first| {
            let mut digest = [7; 32];
            digest[0] = first;
            name(&shop, origin, Some(digest))
        };
        assert_eq!("shop https://api.example 0a", named(10));
        assert_ne!(named(10), named(11));
        assert_eq!("shop https://api.example", name(&shop, origin, None));
    }

    #[test]
    fn an_account_that_nobody_uses_is_forgotten() {
        let accounts = Accounts::default();
        drop(of(&accounts, "a", "https://api.example", "key"));
        drop(of(&accounts, "b", "https://api.example", "key"));
        assert_eq!(1, accounts.known.lock().unwrap().len());
    }
}
