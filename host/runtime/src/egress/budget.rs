//! The request budget of one credential at one counterpart, shared by all connections that use it.
//!
//! A vendor counts requests in a sliding window (KeyCRM: 60 in any minute), and answers 429 or bans
//! an account that goes over it. The budget remembers when units were spent and lets a request go
//! once it fits the window. A plain token bucket would not do: a full one that is emptied at once and
//! refills meanwhile lets nearly twice its size through in one window.
//!
//! Waiting is in order of arrival and costs no CPU. A connection joins the queue with one request at
//! a time (see [`Turnstile`]), so connections that share a budget take turns, however many requests
//! one of them has at hand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// What a vendor allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Units in any window.
    pub units: u32,
    /// Length of the window.
    pub window: Duration,
    /// Requests under way at once.
    pub parallel: u32,
}

/// Who waits for an allowance.
#[derive(Debug)]
pub(super) struct Budget {
    /// Held by the one that waits at the head of the queue.
    head: tokio::sync::Mutex<()>,
    book: Mutex<Book>,
    /// A request has come to its end.
    freed: Notify,
}

#[derive(Debug)]
struct Book {
    allowance: Allowance,
    spent: VecDeque<(Instant, u32)>,
    under_way: u32,
    /// The counterpart asked for silence until then.
    silent_until: Option<Instant>,
}

/// Lets the requests of one connection into the queue of a budget, one after the other.
#[derive(Debug, Default)]
pub(super) struct Turnstile(tokio::sync::Mutex<()>);

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Permit(Arc<Budget>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.book().under_way -= 1;
        self.0.freed.notify_one();
    }
}

impl Budget {
    pub fn new(allowance: Allowance) -> Budget {
        Budget {
            head: tokio::sync::Mutex::default(),
            book: Mutex::new(Book {
                allowance,
                spent: VecDeque::new(),
                under_way: 0,
                silent_until: None,
            }),
            freed: Notify::new(),
        }
    }

    /// Another version of the connector, or another admin's setting, knows the limits better.
    pub fn allow(&self, allowance: Allowance) {
        self.book().allowance = allowance;
    }

    /// Waits until a request of this cost may be sent; it is under way while the permit lives.
    pub async fn acquire(self: &Arc<Self>, turnstile: &Turnstile, cost: u32) -> Permit {
        let _turn = turnstile.0.lock().await;
        let _head = self.head.lock().await;
        loop {
            let entry = self.book().enter(Instant::now(), cost);
            match entry {
                Entry::Now => return Permit(Arc::clone(self)),
                Entry::After(wait) => tokio::time::sleep(wait).await,
                Entry::WhenFreed => self.freed.notified().await,
            }
        }
    }

    /// Sends nothing for a while, whoever asks.
    pub fn pause(&self, duration: Duration) {
        let until = Instant::now() + duration;
        let mut book = self.book();
        book.silent_until = book.silent_until.max(Some(until));
    }

    /// Whether all that was spent has left the window.
    pub fn is_at_rest(&self) -> bool {
        let mut book = self.book();
        let now = Instant::now();
        book.forget(now);
        book.spent.is_empty() && book.silent_until.is_none_or(|until| until <= now)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a request may be sent.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Now,
    After(Duration),
    WhenFreed,
}

impl Book {
    fn enter(&mut self, now: Instant, cost: u32) -> Entry {
        if self.under_way >= self.allowance.parallel {
            return Entry::WhenFreed;
        }
        let silence = self.silent_until.map_or(now, |until| until.max(now)) - now;
        let wait = silence.max(self.wait(now, cost));
        if !wait.is_zero() {
            return Entry::After(wait);
        }
        self.spent.push_back((now, cost));
        self.under_way += 1;
        Entry::Now
    }

    fn forget(&mut self, now: Instant) {
        let window = self.allowance.window;
        while (self.spent.front()).is_some_and(|(at, _)| *at + window <= now) {
            self.spent.pop_front();
        }
    }

    /// How long until `cost` more units fit the window.
    fn wait(&mut self, now: Instant, cost: u32) -> Duration {
        self.forget(now);
        let mut used: u32 = self.spent.iter().map(|(_, cost)| cost).sum();
        // A request dearer than the whole budget goes when the window is empty.
        let room = self.allowance.units.saturating_sub(cost);
        let mut until = now;
        for (at, cost) in &self.spent {
            if used <= room {
                break;
            }
            used -= cost;
            until = *at + self.allowance.window;
        }
        until - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// For tests that wait.
    fn short(units: u32, parallel: u32) -> Allowance {
        Allowance {
            units,
            window: Duration::from_millis(10),
            parallel,
        }
    }

    fn book(spent: impl Into<VecDeque<(Instant, u32)>>) -> Book {
        Book {
            allowance: Allowance {
                units: 60,
                window: MINUTE,
                parallel: 4,
            },
            spent: spent.into(),
            under_way: 0,
            silent_until: None,
        }
    }

    #[test]
    fn no_window_ever_holds_more_than_the_budget() {
        let start = Instant::now();
        let mut book = book([]);
        let mut now = start;
        let mut sent = Vec::new();
        for _ in 0..200 {
            now += book.wait(now, 1);
            assert_eq!(Entry::Now, book.enter(now, 1));
            book.under_way = 0;
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
        let mut spent = book([(start, 50), (start + MINUTE / 2, 10)]);
        let now = start + MINUTE / 2;
        assert_eq!(MINUTE / 2, spent.wait(now, 5));
        assert_eq!(MINUTE, spent.wait(now, 100));
        assert_eq!(Duration::ZERO, book([]).wait(now, 100));
    }

    #[test]
    fn no_more_requests_are_under_way_than_allowed() {
        let now = Instant::now();
        let mut book = book([]);
        for _ in 0..4 {
            assert_eq!(Entry::Now, book.enter(now, 1));
        }
        assert_eq!(Entry::WhenFreed, book.enter(now, 1));
    }

    #[tokio::test]
    async fn a_pause_holds_back_everybody() {
        let budget = Arc::new(Budget::new(short(60, 2)));
        let start = Instant::now();
        budget.pause(Duration::from_millis(50));
        drop(budget.acquire(&Turnstile::default(), 1).await);
        assert!(start.elapsed() >= Duration::from_millis(50));
    }

    #[tokio::test]
    async fn connections_take_turns_however_many_requests_one_has_at_hand() {
        let budget = Arc::new(Budget::new(short(1, 1)));
        let sent = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for (name, requests) in [("greedy", 50), ("modest", 3)] {
            let turnstile = Arc::new(Turnstile::default());
            for _ in 0..requests {
                let (budget, sent) = (Arc::clone(&budget), Arc::clone(&sent));
                let turnstile = Arc::clone(&turnstile);
                tasks.spawn(async move {
                    let _permit = budget.acquire(&turnstile, 1).await;
                    sent.lock().unwrap().push(name);
                });
            }
        }
        tasks.join_all().await;
        let sent = sent.lock().unwrap();
        let last = sent.iter().rposition(|name| *name == "modest").unwrap();
        assert!(last < 8, "the last of three requests was number {last}");
    }

    #[tokio::test]
    async fn a_waiter_that_gives_up_leaves_its_place_to_the_next() {
        let budget = Arc::new(Budget::new(short(10, 1)));
        let first = budget.acquire(&Turnstile::default(), 1).await;
        let turnstile = Turnstile::default();
        let second = budget.acquire(&turnstile, 1);
        assert!(
            tokio::time::timeout(Duration::from_millis(30), second)
                .await
                .is_err()
        );
        drop(first);
        drop(budget.acquire(&turnstile, 1).await);
    }

    #[tokio::test]
    async fn a_new_allowance_counts_at_once() {
        let budget = Arc::new(Budget::new(Allowance {
            units: 1,
            window: MINUTE,
            parallel: 1,
        }));
        let turnstile = Turnstile::default();
        drop(budget.acquire(&turnstile, 1).await);
        assert!(!budget.is_at_rest());
        budget.allow(short(2, 1));
        drop(budget.acquire(&turnstile, 1).await);
        tokio::time::sleep(Duration::from_millis(15)).await;
        assert!(budget.is_at_rest());
    }
}
