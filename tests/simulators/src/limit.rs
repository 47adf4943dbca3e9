//! A sliding window per key, as vendors count requests.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::lock;

/// How many requests a key may send within a window of time.
#[derive(Debug)]
pub struct Limit {
    requests: usize,
    window: Duration,
    sent: Mutex<HashMap<String, VecDeque<Instant>>>,
}

/// What the limit says of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass, and so many more may follow at once.
    Pass {
        /// Requests left in the window.
        remaining: usize,
    },
    /// It is one too many; whole seconds to wait.
    Wait {
        /// Seconds until the next request may pass, rounded up.
        seconds: u64,
    },
}

impl Limit {
    /// At most `requests` within any `window`.
    pub fn new(requests: u32, window: Duration) -> Self {
        Self {
            requests: requests as usize,
            window,
            sent: Mutex::default(),
        }
    }

    /// The number of requests the window holds.
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// Judges a request of `key` sent at `now`, and counts it when it passes.
    pub fn judge(&self, key: &str, now: Instant) -> Verdict {
        let mut keys = lock(&self.sent);
        let sent = keys.entry(key.to_owned()).or_default();
        while sent
            .front()
            .is_some_and(|first| now.duration_since(*first) >= self.window)
        {
            sent.pop_front();
        }
        if sent.len() < self.requests {
            sent.push_back(now);
            return Verdict::Pass {
                remaining: self.requests - sent.len(),
            };
        }
        let waited = sent
            .front()
            .map_or(Duration::ZERO, |first| now.duration_since(*first));
        let left = self.window.saturating_sub(waited);
        Verdict::Wait {
            seconds: (left.as_secs_f64().ceil() as u64).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides_rather_than_starting_anew() {
        let limit = Limit::new(2, Duration::from_secs(60));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(limit.judge("a", at(0)), Verdict::Pass { remaining: 1 });
        assert_eq!(limit.judge("a", at(50)), Verdict::Pass { remaining: 0 });
        assert_eq!(limit.judge("a", at(59)), Verdict::Wait { seconds: 1 });
        assert_eq!(limit.judge("a", at(60)), Verdict::Pass { remaining: 0 });
        assert_eq!(limit.judge("a", at(61)), Verdict::Wait { seconds: 49 });
    }

    #[test]
    fn keys_do_not_share_a_window() {
        let limit = Limit::new(1, Duration::from_secs(60));
        let now = Instant::now();
        assert_eq!(limit.judge("a", now), Verdict::Pass { remaining: 0 });
        assert_eq!(limit.judge("b", now), Verdict::Pass { remaining: 0 });
    }
}
