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
use super::budget::{Allowance, Budget};
use super::signature::Signature;
use crate::ids::TenantId;
use crate::secret::Secret;

/// The accounts of a host.
#[derive(Debug, Default)]
pub(crate) struct Accounts(Mutex<HashMap<Key, Arc<Account>>>);

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
    /// The account, with what its vendor allows by the word of this connection.
    pub(super) fn of(
        &self,
        tenant: &TenantId,
        origin: &str,
        secret: Option<&Secret>,
        allowance: Allowance,
    ) -> Arc<Account> {
        let digest = secret.map(|secret| sha2::Sha256::digest(secret.expose()).into());
        let key = (tenant.clone(), origin.to_owned(), digest);
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.get(&key) {
            account.budget.allow(&allowance);
            return Arc::clone(account);
        }
        // Whoever is neither in use nor has anything to remember would begin like new.
        accounts.retain(|_, account| Arc::strong_count(account) > 1 || !account.is_at_rest());
        let account = Arc::new(Account {
            budget: Arc::new(Budget::new(allowance)),
            breaker: Breaker::default(),
            token: tokio::sync::Mutex::default(),
        });
        accounts.insert(key, Arc::clone(&account));
        account
    }
}

impl Account {
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
    fn an_account_that_nobody_uses_is_forgotten() {
        let accounts = Accounts::default();
        drop(of(&accounts, "a", "https://api.example", "key"));
        drop(of(&accounts, "b", "https://api.example", "key"));
        assert_eq!(1, accounts.0.lock().unwrap().len());
    }
}
