//! What a client may send within a stretch of time, as vendors count it.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::lock;

/// How many units a key may spend within a window of time. A request costs one or more of them.
#[derive(Debug)]
pub struct Limit {
    units: u32,
    window: Duration,
    windows: Windows,
    spent: Mutex<HashMap<String, VecDeque<(Instant, u32)>>>,
}

/// Which windows are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Windows {
    /// Every window there is: a unit comes back one window after it was spent.
    Sliding,
    /// One after another: all units come back one window after the first of them was spent.
    Fixed,
}

/// What the limit says of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass.
    Pass {
        /// Units left in the window.
        remaining: u32,
        /// Time until the oldest spent unit comes back.
        reset: Duration,
    },
    /// It is one too many.
    Wait {
        /// Time until the same request may pass.
        wait: Duration,
    },
}

impl Limit {
    /// At most so many units within any window of this length.
    pub fn new(units: u32, window: Duration) -> Self {
        Self {
            units,
            window,
            windows: Windows::Sliding,
            spent: Mutex::default(),
        }
    }

    /// Looks at other windows.
    pub fn windows(mut self, windows: Windows) -> Self {
        self.windows = windows;
        self
    }

    /// The number of units the window holds.
    pub fn units(&self) -> u32 {
        self.units
    }

    /// The length of the window.
    pub fn window(&self) -> Duration {
        self.window
    }

    /// Judges a request of `key` that costs `cost` units at `now`, and counts it when it passes.
    pub fn judge(&self, key: &str, cost: u32, now: Instant) -> Verdict {
        let mut keys = lock(&self.spent);
        let spent = keys.entry(key.to_owned()).or_default();
        let left = |since: Instant| self.window.saturating_sub(now.duration_since(since));
        match self.windows {
            Windows::Sliding => {
                while spent
                    .front()
                    .is_some_and(|(first, _)| left(*first).is_zero())
                {
                    spent.pop_front();
                }
            }
            Windows::Fixed => {
                if spent
                    .front()
                    .is_some_and(|(first, _)| left(*first).is_zero())
                {
                    spent.clear();
                }
            }
        }
        let total: u32 = spent.iter().map(|(_, units)| units).sum();
        if total + cost <= self.units {
            spent.push_back((now, cost));
            return Verdict::Pass {
                remaining: self.units - total - cost,
                reset: spent.front().map_or(self.window, |(first, _)| left(*first)),
            };
        }
        let mut missing = total + cost - self.units;
        let enough = spent.iter().find(|(_, units)| {
            missing = missing.saturating_sub(*units);
            missing == 0 || self.windows == Windows::Fixed
        });
        Verdict::Wait {
            wait: enough.map_or(self.window, |(since, _)| left(*since)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn remaining(verdict: Verdict) -> Option<u32> {
        match verdict {
            Verdict::Pass { remaining, .. } => Some(remaining),
            Verdict::Wait { .. } => None,
        }
    }

    #[test]
    fn a_sliding_window_gives_units_back_one_by_one() {
        let limit = Limit::new(2, seconds(60));
        let start = Instant::now();
        let judge = |at| limit.judge("a", 1, start + seconds(at));
        assert_eq!(remaining(judge(0)), Some(1));
        assert_eq!(remaining(judge(50)), Some(0));
        assert_eq!(judge(59), Verdict::Wait { wait: seconds(1) });
        assert_eq!(remaining(judge(60)), Some(0));
        assert_eq!(judge(61), Verdict::Wait { wait: seconds(49) });
    }

    #[test]
    fn a_fixed_window_gives_all_units_back_at_once() {
        let limit = Limit::new(2, seconds(60)).windows(Windows::Fixed);
        let start = Instant::now();
        let judge = |at| limit.judge("a", 1, start + seconds(at));
        assert_eq!(remaining(judge(0)), Some(1));
        assert_eq!(remaining(judge(50)), Some(0));
        assert_eq!(judge(59), Verdict::Wait { wait: seconds(1) });
        assert_eq!(remaining(judge(60)), Some(1));
        assert_eq!(remaining(judge(61)), Some(0));
    }

    #[test]
    fn a_dear_request_waits_for_all_the_units_it_costs() {
        let limit = Limit::new(10, seconds(60));
        let start = Instant::now();
        let judge = |cost, at| limit.judge("a", cost, start + seconds(at));
        assert_eq!(remaining(judge(4, 0)), Some(6));
        assert_eq!(remaining(judge(4, 10)), Some(2));
        assert_eq!(judge(7, 20), Verdict::Wait { wait: seconds(50) });
        assert_eq!(remaining(judge(2, 20)), Some(0));
    }

    #[test]
    fn keys_do_not_share_a_window() {
        let limit = Limit::new(1, seconds(60));
        let now = Instant::now();
        assert_eq!(remaining(limit.judge("a", 1, now)), Some(0));
        assert_eq!(remaining(limit.judge("b", 1, now)), Some(0));
    }
}
