//! How many requests a token may send.
//!
//! The threat: a program that asks without end, or somebody with the token of one tenant, takes the
//! server from all others. So each token has so many requests a second, and may save up those of some
//! seconds for when it has much to do at once.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

/// Seconds whose requests may be saved up.
const SAVED: u32 = 10;

/// Tokens that are remembered before those that have saved up all are forgotten.
const REMEMBERED: usize = 1_000;

/// Counts the requests of each token.
pub struct Rates(RateLimiter<String, HashMapStateStore<String>, DefaultClock>);

impl Rates {
    /// So many requests a second for each token.
    pub fn new(per_second: NonZeroU32) -> Rates {
        let saved = per_second.saturating_mul(NonZeroU32::new(SAVED).unwrap_or(NonZeroU32::MIN));
        let quota = Quota::per_second(per_second).allow_burst(saved);
        Rates(RateLimiter::hashmap(quota))
    }

    /// Counts a request of a token; refuses it with how long to wait.
    pub fn admit(&self, token: &str) -> Result<(), Duration> {
        if self.0.len() > REMEMBERED {
            self.0.retain_recent();
        }
        self.0
            .check_key(&token.to_owned())
            .map_err(|refused| refused.wait_time_from(self.0.clock().now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_asks_without_end_is_told_to_wait_and_keeps_nobody_else_waiting() {
        let rates = Rates::new(NonZeroU32::MIN);
        let admitted = (0..100).filter(|_| rates.admit("a").is_ok()).count();
        assert!((10..20).contains(&admitted), "{admitted}");
        let wait = rates.admit("a").unwrap_err();
        assert!(
            wait > Duration::ZERO && wait <= Duration::from_secs(1),
            "{wait:?}"
        );
        assert_eq!(Ok(()), rates.admit("b"));
    }
}
