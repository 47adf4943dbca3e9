//! When a request is sent again, and after how long.
//!
//! The threat on one side: a shop's order is lost because a counterpart hiccuped. On the other: the
//! same order is made twice because a request that had arrived was sent again. So only what is safe
//! to repeat is repeated: idempotent methods always (RFC 9110, 9.2.2), others only when nothing was
//! sent, when the counterpart says that it did nothing (429), or when the guest says that the
//! counterpart recognises a repetition.

use std::time::Duration;

use http::{Method, StatusCode};

/// How often and how long.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Requests in all, the first included.
    pub attempts: u32,
    /// Wait before the second; doubles from there, with jitter of up to half.
    pub first_wait: Duration,
    /// The longest wait, also for a counterpart that asks for one. A run whose counterpart asks for more
    /// ends, and can go on then.
    pub longest_wait: Duration,
    /// The longest wait for room in the request budget. A run that would wait longer ends, and can go
    /// on when there is room.
    pub longest_turn: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            attempts: 5,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(65),
            // The longest window of a few hundred requests that a vendor is known to have.
            longest_turn: Duration::from_secs(5 * 60),
        }
    }
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection came about: nothing was sent.
    NotSent,
    /// The connection broke or timed out after something was sent.
    Broken,
    /// An answer that may be another one next time.
    Status(StatusCode),
}

impl Failure {
    /// The failure that an answer of this status is, if it is one that may pass.
    pub fn of(status: StatusCode) -> Option<Failure> {
        matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504).then_some(Failure::Status(status))
    }
}

/// Whether a request can be repeated without doing a thing twice. `said` is the guest's word for it.
pub(super) fn is_repeatable(method: &Method, said: bool) -> bool {
    said || method.is_idempotent()
}

/// Whether what failed so can be sent once more.
pub(super) fn is_safe(repeatable: bool, failure: Failure) -> bool {
    let undone = matches!(
        failure,
        Failure::NotSent | Failure::Status(StatusCode::TOO_MANY_REQUESTS)
    );
    repeatable || undone
}

/// The wait before the next attempt of what is safe to repeat; none when the failure is final. `jitter`
/// is in 0..1.
pub(super) fn next(
    policy: &RetryPolicy,
    safe: bool,
    attempt: u32,
    retry_after: Option<Duration>,
    jitter: f64,
) -> Option<Duration> {
    if !safe || attempt >= policy.attempts {
        return None;
    }
    let longest = policy.longest_wait;
    // At once is no time to wait: it would be asked as fast as it answers.
    let retry_after = retry_after.filter(|wanted| !wanted.is_zero());
    let doubled = policy.first_wait * 2u32.saturating_pow(attempt.saturating_sub(1));
    let wait = retry_after.unwrap_or_else(|| doubled.mul_f64(1.0 + jitter / 2.0));
    match retry_after {
        Some(_) => (wait <= longest).then_some(wait),
        None => Some(wait.min(longest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESET: Failure = Failure::Broken;
    const BUSY: Failure = Failure::Status(StatusCode::TOO_MANY_REQUESTS);

    fn ask(method: Method, failure: Failure, attempt: u32) -> Option<Duration> {
        let repeatable = is_repeatable(&method, false);
        let safe = is_safe(repeatable, failure);
        next(&RetryPolicy::default(), safe, attempt, None, 0.0)
    }

    #[test]
    fn reading_is_repeated_with_growing_waits_and_then_given_up() {
        let waits: Vec<_> = (1..=5).map(|n| ask(Method::GET, RESET, n)).collect();
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(vec![ms(500), ms(1000), ms(2000), ms(4000), None], waits);
    }

    #[test]
    fn writing_is_repeated_only_when_nothing_was_done() {
        let gateway = Failure::Status(StatusCode::BAD_GATEWAY);
        assert_eq!(None, ask(Method::POST, RESET, 1));
        assert_eq!(None, ask(Method::POST, gateway, 1));
        assert!(ask(Method::POST, Failure::NotSent, 1).is_some());
        assert!(ask(Method::POST, BUSY, 1).is_some());
    }

    #[test]
    fn replacing_and_deleting_may_be_repeated_and_what_the_guest_vouches_for() {
        let gateway = Failure::Status(StatusCode::BAD_GATEWAY);
        assert!(ask(Method::PUT, gateway, 1).is_some());
        assert!(ask(Method::DELETE, RESET, 1).is_some());
        assert_eq!(None, ask(Method::PATCH, gateway, 1));
        assert!(is_repeatable(&Method::POST, true));
        assert!(!is_repeatable(&Method::POST, false));
    }

    #[test]
    fn the_counterparts_own_wait_counts_and_one_too_long_is_not_waited_for() {
        let policy = RetryPolicy::default();
        let ask = |s| {
            let wait = Some(Duration::from_secs(s));
            next(&policy, true, 1, wait, 0.9)
        };
        assert_eq!(Some(Duration::from_secs(30)), ask(30));
        assert_eq!(None, ask(3600));
    }

    #[test]
    fn a_refusal_is_not_repeated() {
        assert_eq!(None, Failure::of(StatusCode::UNAUTHORIZED));
        assert_eq!(None, Failure::of(StatusCode::UNPROCESSABLE_ENTITY));
    }
}
