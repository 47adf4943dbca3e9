//! The request budget of one credential at one counterpart, shared by all connections that use it.
//!
//! A vendor counts requests in a sliding window (KeyCRM: 60 in any minute), and answers 429 or bans
//! an account that goes over it. The budget remembers when units were spent and lets a request go
//! once it fits the window. Waiting is in order of arrival and costs no CPU.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// A budget of `units` in any window.
#[derive(Debug)]
pub(super) struct Budget {
    units: u32,
    window: Duration,
    parallel: Semaphore,
    spent: Mutex<VecDeque<(Instant, u32)>>,
    /// The counterpart asked for silence until then.
    silent_until: std::sync::Mutex<Option<Instant>>,
}

impl Budget {
    pub fn new(units: u32, window: Duration, parallel: u32) -> Budget {
        Budget {
            units,
            window,
            parallel: Semaphore::new(parallel as usize),
            spent: Mutex::default(),
            silent_until: std::sync::Mutex::default(),
        }
    }

    /// Waits until a request of this cost may be sent; it is under way while the permit lives.
    pub async fn acquire(&self, cost: u32) -> SemaphorePermit<'_> {
        let permit = (self.parallel.acquire().await)
            .unwrap_or_else(|_| unreachable!("the semaphore is never closed"));
        // Held while waiting: who comes later waits for who came first.
        let mut spent = self.spent.lock().await;
        loop {
            let now = Instant::now();
            let silence = self
                .silence()
                .map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
            let wait = silence.max(wait(&mut spent, now, self.units, self.window, cost));
            if wait.is_zero() {
                spent.push_back((now, cost));
                return permit;
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends nothing for a while, whoever asks.
    pub fn pause(&self, duration: Duration) {
        let until = Instant::now() + duration;
        let mut silent = self
            .silent_until
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        *silent = Some(silent.map_or(until, |earlier| earlier.max(until)));
    }

    fn silence(&self) -> Option<Instant> {
        *self
            .silent_until
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// How long until `cost` more units fit the window; forgets what has left it.
fn wait(
    spent: &mut VecDeque<(Instant, u32)>,
    now: Instant,
    units: u32,
    window: Duration,
    cost: u32,
) -> Duration {
    while spent.front().is_some_and(|(at, _)| *at + window <= now) {
        spent.pop_front();
    }
    let mut used: u32 = spent.iter().map(|(_, cost)| cost).sum();
    // A request dearer than the whole budget goes when the window is empty.
    let room = units.saturating_sub(cost);
    let mut until = now;
    for (at, cost) in spent.iter() {
        if used <= room {
            break;
        }
        used -= cost;
        until = *at + window;
    }
    until.saturating_duration_since(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn no_window_ever_holds_more_than_the_budget() {
        let start = Instant::now();
        let mut spent = VecDeque::new();
        let mut now = start;
        let mut sent = Vec::new();
        for _ in 0..200 {
            now += wait(&mut spent, now, 60, MINUTE, 1);
            spent.push_back((now, 1));
            sent.push(now);
        }
        for (index, at) in sent.iter().enumerate() {
            let in_window = sent[index..]
                .iter()
                .take_while(|later| **later < *at + MINUTE)
                .count();
            assert!(in_window <= 60, "{in_window} requests in one minute");
        }
        assert_eq!(start + 3 * MINUTE, now);
    }

    #[test]
    fn a_dear_request_waits_for_as_many_units_as_it_costs() {
        let start = Instant::now();
        let mut spent = VecDeque::from([(start, 50), (start + MINUTE / 2, 10)]);
        let now = start + MINUTE / 2;
        assert_eq!(MINUTE / 2, wait(&mut spent, now, 60, MINUTE, 5));
        assert_eq!(MINUTE, wait(&mut spent, now, 60, MINUTE, 100));
        assert_eq!(
            Duration::ZERO,
            wait(&mut VecDeque::new(), now, 60, MINUTE, 100)
        );
    }

    #[tokio::test]
    async fn a_pause_holds_back_everybody() {
        let budget = Budget::new(60, MINUTE, 2);
        let start = Instant::now();
        budget.pause(Duration::from_millis(100));
        drop(budget.acquire(1).await);
        assert!(start.elapsed() >= Duration::from_millis(100));
    }
}
