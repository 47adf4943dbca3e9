//! The request budgets of one credential at one counterpart, shared by all connections that use it.
//!
//! A vendor counts requests in windows (KeyCRM: 60 in any minute; Planfix: 1 a second and 20,000 a
//! day), and answers 429 or bans an account that goes over one. A [`Meter`] for each remembers when units
//! were spent, and a request goes once it fits all of them. A plain token bucket would not do: a full
//! one that is emptied at once and refills meanwhile lets nearly twice its size through in one window.
//!
//! What the counterpart itself says is left counts more than the manifest ([`Book::hear`]). When it is
//! less, as somebody else spends, too, no more is sent than that. When it is more, because the
//! customer pays for more, that is believed only for a window whose length the counterpart names, and
//! only as far as what the same answer says of what was spent so far bears it out: some count a
//! request as several units.
//!
//! Waiting is in order of arrival and costs no CPU. A connection joins the queue with one request at
//! a time (see [`Turnstile`]), so connections that share a budget take turns, however many requests
//! one of them has at hand. Nobody waits for hours: when there is no room for so long, such as for
//! the rest of a day, whoever asks is told until when ([`UsedUp`]).
//!
//! What is spent is noted in a [`Ledger`] before the request goes, and so is how long the counterpart
//! wants to be left alone: another process, and the next one, begin with that. What the counterpart said
//! of its windows is known to this process alone; it is said again soon.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::hints::Hint;
use super::ledger::{Ledger, Noted};

/// So many units in any window of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub units: u32,
    pub window: Duration,
}

/// What a vendor allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    /// A request needs room in all of them.
    pub rates: Vec<Rate>,
    /// Requests under way at once.
    pub parallel: u32,
}

/// There is no room for so long that nobody waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UsedUp {
    /// How long.
    pub wait: Duration,
}

/// How much of a rate is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Use {
    /// What the window holds, by the counterpart's word if it names it.
    pub units: u64,
    pub window: Duration,
    /// Spent within the window.
    pub used: u64,
    /// Left for now.
    pub left: u64,
    /// Whether that is the counterpart's word.
    pub told: bool,
    /// How long until a request may be sent.
    pub wait: Duration,
}

/// Who waits for an allowance.
#[derive(Debug)]
pub(super) struct Budget {
    /// Held by the one that waits at the head of the queue.
    head: tokio::sync::Mutex<()>,
    book: Mutex<Book>,
    /// A request has come to its end, or the counterpart has said something.
    freed: Notify,
    account: Option<Account>,
}

/// Where a budget is kept, under which name.
#[derive(Debug)]
pub(super) struct Account {
    pub ledger: Arc<dyn Ledger>,
    pub name: String,
}

/// How long a request waits at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For room.
    pub turn: Duration,
    /// For a counterpart that wants to be left alone.
    pub silence: Duration,
}

/// Lets the requests of one connection into the queue of a budget, one after the other.
#[derive(Debug, Default)]
pub(super) struct Turnstile(tokio::sync::Mutex<()>);

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Permit {
    budget: Arc<Budget>,
    cost: u32,
}

impl Permit {
    /// Takes note of what the answer says of the counterpart's limits.
    pub fn hear(&self, hints: &[Hint]) {
        let now = Instant::now();
        let mut book = self.budget.book();
        let others = book.under_way.units - u64::from(self.cost);
        let before = book.silent_until;
        for hint in hints {
            book.hear(hint, others, now);
        }
        if book.silent_until != before {
            self.budget.noting(&mut book, |book, now| {
                (Some(Noted::silence(book.silence(now))), ())
            });
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut book = self.budget.book();
        book.under_way.requests -= 1;
        book.under_way.units -= u64::from(self.cost);
        drop(book);
        self.budget.freed.notify_one();
    }
}

impl Budget {
    pub fn new(allowance: Allowance, account: Option<Account>) -> Budget {
        let mut book = Book::default();
        book.allow(&allowance);
        Budget {
            head: tokio::sync::Mutex::default(),
            book: Mutex::new(book),
            freed: Notify::new(),
            account,
        }
    }

    /// Another version of the connector, or another admin's setting, knows the limits better.
    pub fn allow(&self, allowance: &Allowance) {
        self.book().allow(allowance);
    }

    /// Waits until a request of this cost may be sent, if that is not too far away; it is under way
    /// while the permit lives.
    pub async fn acquire(
        self: &Arc<Self>,
        turnstile: &Turnstile,
        cost: u32,
        patience: Patience,
    ) -> Result<Permit, UsedUp> {
        let _turn = turnstile.0.lock().await;
        let _head = self.head.lock().await;
        loop {
            let entry = self.noting(&mut self.book(), |book, now| match book.enter(now, cost) {
                Entry::Now => (book.spending(cost), Entry::Now),
                entry => (None, entry),
            });
            let wait = match entry {
                Entry::Now => {
                    return Ok(Permit {
                        budget: Arc::clone(self),
                        cost,
                    });
                }
                Entry::After(wait) if wait > patience.turn => return Err(UsedUp { wait }),
                Entry::Silent(wait) if wait > patience.silence => return Err(UsedUp { wait }),
                Entry::After(wait) | Entry::Silent(wait) => wait,
                Entry::WhenFreed => {
                    self.freed.notified().await;
                    continue;
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.freed.notified() => {}
            }
        }
    }

    /// Takes note of a request that waits for no room, but as long as the counterpart wants to be left
    /// alone. Answers how long that was.
    pub async fn pass(&self, cost: u32, longest: Duration) -> Result<Duration, UsedUp> {
        let mut waited = Duration::ZERO;
        loop {
            let wait = self.noting(&mut self.book(), |book, now| {
                let wait = book.silence(now);
                if !wait.is_zero() {
                    return (None, wait);
                }
                book.spend(now, cost);
                (book.spending(cost), wait)
            });
            if wait.is_zero() {
                return Ok(waited);
            }
            if wait > longest {
                return Err(UsedUp { wait });
            }
            tokio::time::sleep(wait).await;
            waited += wait;
        }
    }

    /// Sends nothing for a while, whoever asks. Answers for how long: no counterpart is left alone for
    /// more than a day without being asked again.
    pub fn pause(&self, duration: Duration) -> Duration {
        self.noting(&mut self.book(), |book, now| {
            book.be_silent(now, duration);
            let silence = book.silence(now);
            (Some(Noted::silence(silence)), silence)
        })
    }

    /// How much longer the counterpart wants to be left alone.
    pub fn silence(&self) -> Duration {
        self.noting(&mut self.book(), |book, now| (None, book.silence(now)))
    }

    /// What was spent and is left, by window, the shortest first.
    pub fn used(&self) -> Vec<Use> {
        self.noting(&mut self.book(), |book, now| (None, book.used(now)))
    }

    /// Whether all that was spent has left its windows.
    pub fn is_at_rest(&self) -> bool {
        let now = Instant::now();
        let mut book = self.book();
        book.forget(now);
        let rests = |meter: &Meter| meter.spent.is_empty() && meter.word.is_none();
        book.meters.iter().all(rests) && book.silent_until.is_none_or(|until| until <= now)
    }

    /// Does something with the book after it has learnt what others noted, and notes what comes of it.
    /// Where that cannot be kept, this process still knows it.
    fn noting<T>(
        &self,
        book: &mut Book,
        work: impl FnOnce(&mut Book, Instant) -> (Option<Noted>, T),
    ) -> T {
        let now = Instant::now();
        let Some(Account { ledger, name }) = &self.account else {
            return work(book, now).1;
        };
        let (mut work, mut done) = (Some(work), None);
        let noted = ledger.note(name, book.seen, &mut |others| {
            book.learn(others, now);
            let (note, answer) = work.take()?(book, now);
            done = Some(answer);
            note
        });
        match noted {
            Ok(seen) => book.seen = seen,
            Err(error) => tracing::error!("{error}"),
        }
        match (done, work) {
            (Some(done), _) => done,
            (None, Some(work)) => work(book, now).1,
            (None, None) => unreachable!("work that is gone was done"),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a request may be sent.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Now,
    /// There is room then.
    After(Duration),
    /// The counterpart wants to be left alone so long.
    Silent(Duration),
    WhenFreed,
}

impl Noted {
    fn silence(wait: Duration) -> Noted {
        let at = Timestamp::now();
        Noted {
            at,
            units: 0,
            until: at.saturating_add(wait).unwrap_or(at),
        }
    }
}

#[derive(Debug, Default)]
struct Book {
    parallel: u32,
    /// The shortest window first.
    meters: Vec<Meter>,
    under_way: UnderWay,
    /// The counterpart asked for silence until then.
    silent_until: Option<Instant>,
    /// The most that the counterpart ever said of a window that it did not name.
    most_said: u64,
    /// The last entry of the ledger that is in here.
    seen: i64,
}

#[derive(Debug, Default)]
struct UnderWay {
    requests: u32,
    units: u64,
}

/// A rate and what was spent of it.
#[derive(Debug)]
struct Meter {
    rate: Rate,
    /// Whether the counterpart alone knows this window, and not the manifest.
    learnt: bool,
    spent: VecDeque<Spent>,
    used: u64,
    word: Option<Word>,
    /// The most units that the counterpart ever counted for how many of ours.
    weight: (u128, u128),
}

/// Units that were spent within one grain of time.
#[derive(Clone, Copy, Debug)]
struct Spent {
    first: Instant,
    last: Instant,
    units: u64,
}

/// What the counterpart said of a window.
#[derive(Clone, Copy, Debug)]
struct Word {
    said: u64,
    /// What the window holds, if it names window and size.
    limit: Option<u64>,
    /// Left of that by now; no more is sent.
    left: u64,
    /// So much may be spent even beyond the manifest.
    beyond: u64,
    /// When it is worth nothing any more.
    until: Instant,
}

/// A window is remembered in so many grains: enough to be exact, and few enough to keep a day.
const GRAINS: u32 = 1_000;

/// A counterpart whose window is at least this long may tell what is left with a delay.
const LONG: Duration = Duration::from_secs(60 * 60);

/// How long it is believed that nothing is left when the counterpart names neither the window nor its
/// end.
const DOUBT: Duration = Duration::from_secs(60);

/// The clock may be set back by so much, and what was noted before still counts. What comes from a later
/// time than that says nothing.
const SET_BACK: SignedDuration = SignedDuration::from_mins(1);

/// However long a counterpart wants to be left alone, it is asked again after this.
const LONGEST_SILENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// Windows that are learnt from a counterpart.
const LEARNT: usize = 8;

impl Book {
    fn allow(&mut self, allowance: &Allowance) {
        self.parallel = allowance.parallel;
        let known = std::mem::take(&mut self.meters);
        let of = |window| {
            known
                .iter()
                .find(|meter: &&Meter| meter.rate.window == window)
        };
        // What was spent counts in a new window, too.
        let longest = known.last();
        let mut meters: Vec<Meter> = (allowance.rates.iter())
            .map(|rate| match of(rate.window).or(longest) {
                Some(before) => before.like(*rate),
                None => Meter::new(*rate, false),
            })
            .collect();
        let given =
            |meter: &Meter| (allowance.rates.iter()).any(|rate| rate.window == meter.rate.window);
        meters.extend(
            known
                .into_iter()
                .filter(|meter| meter.learnt && !given(meter)),
        );
        meters.sort_by_key(|meter| meter.rate.window);
        self.meters = meters;
    }

    fn enter(&mut self, now: Instant, cost: u32) -> Entry {
        if self.under_way.requests >= self.parallel {
            return Entry::WhenFreed;
        }
        let silence = self.silence(now);
        let wait = self.wait(now, cost);
        if !wait.is_zero() {
            let silent = silence >= wait;
            return if silent {
                Entry::Silent(wait)
            } else {
                Entry::After(wait)
            };
        }
        self.spend(now, cost);
        self.under_way.requests += 1;
        self.under_way.units += u64::from(cost);
        Entry::Now
    }

    fn be_silent(&mut self, now: Instant, duration: Duration) {
        let until = now + duration.min(LONGEST_SILENCE);
        self.silent_until = self.silent_until.max(Some(until));
    }

    /// How much longer the counterpart wants to be left alone.
    fn silence(&self, now: Instant) -> Duration {
        self.silent_until.map_or(now, |until| until.max(now)) - now
    }

    /// What others noted.
    fn learn(&mut self, others: &[Noted], now: Instant) {
        let clock = Timestamp::now();
        for noted in others {
            let ago = clock.duration_since(noted.at);
            if ago < -SET_BACK {
                continue;
            }
            let ago = Duration::try_from(ago).unwrap_or_default();
            let lasts = noted.until.duration_since(noted.at);
            let lasts = Duration::try_from(lasts).unwrap_or_default();
            match noted.units {
                0 => self.be_silent(now, lasts.saturating_sub(ago)),
                units if ago < lasts => {
                    let at = now.checked_sub(ago).unwrap_or(now);
                    for meter in &mut self.meters {
                        meter.spend(at, units.into());
                    }
                }
                _ => {}
            }
        }
        self.forget(now);
    }

    /// What is noted of units that are spent now; nothing where no window has to remember them.
    fn spending(&self, units: u32) -> Option<Noted> {
        let at = Timestamp::now();
        let longest = self.meters.last()?.rate.window;
        Some(Noted {
            at,
            units,
            until: at.saturating_add(longest).unwrap_or(at),
        })
    }

    fn spend(&mut self, now: Instant, cost: u32) {
        self.forget(now);
        for meter in &mut self.meters {
            meter.spend(now, cost.into());
        }
    }

    fn forget(&mut self, now: Instant) {
        for meter in &mut self.meters {
            meter.forget(now);
        }
    }

    /// How long until `cost` more units fit all windows.
    fn wait(&mut self, now: Instant, cost: u32) -> Duration {
        self.forget(now);
        let silence = self.silence(now);
        let waits = self.meters.iter().map(|meter| meter.wait(now, cost.into()));
        waits.max().unwrap_or_default().max(silence)
    }

    /// Takes note of what the counterpart says. `others` are the units of requests under way: it may not
    /// have counted them yet.
    fn hear(&mut self, hint: &Hint, others: u64, now: Instant) {
        self.forget(now);
        if hint.left == 0
            && let Some(resets) = hint.resets
        {
            self.be_silent(now, resets);
        }
        let Some((place, sure)) = self.meter_of(hint) else {
            return;
        };
        let meter = &mut self.meters[place];
        let window = meter.rate.window;
        // Without a word about it there is more when the first of what was spent leaves the window.
        let frees = (meter.spent.front()).map_or(window, |first| first.last + window - now);
        let worth = match (hint.resets, sure) {
            (Some(resets), _) => resets.min(window),
            (None, true) => frees.min(LONG),
            (None, false) => frees.min(DOUBT),
        };
        let before = meter
            .word
            .filter(|word| window >= LONG && word.said == hint.left);
        let left = match before {
            // It says the same again because it tells late: what was spent since still counts.
            Some(word) => word.left,
            None => hint.left.saturating_sub(others),
        };
        let beyond = meter.beyond(hint, others).min(left);
        meter.word = Some(Word {
            said: hint.left,
            limit: hint.limit.filter(|_| hint.window.is_some()),
            left,
            beyond,
            until: now + worth,
        });
    }

    /// The place of the window that a hint is about, and whether that is beyond doubt.
    fn meter_of(&mut self, hint: &Hint) -> Option<(usize, bool)> {
        if let Some(window) = hint.window {
            return Some((self.meter_named(window, hint.limit)?, true));
        }
        let units = |meter: &Meter| u64::from(meter.rate.units);
        let exact = |meter: &Meter| hint.limit == Some(units(meter));
        if let Some(place) = self.meters.iter().position(exact) {
            return Some((place, true));
        }
        self.most_said = self.most_said.max(hint.limit.unwrap_or(hint.left));
        let most = self.most_said;
        // The smallest that so much can be left of, or else the largest.
        let rank = |(_, meter): &(usize, &Meter)| match units(meter) {
            fitting if fitting >= most => (false, fitting),
            less => (true, u64::MAX - less),
        };
        let (place, meter) = self.meters.iter().enumerate().min_by_key(rank)?;
        Some((place, most.saturating_mul(2) >= units(meter)))
    }

    /// The place of the window of this length, which is made when the counterpart tells its size.
    fn meter_named(&mut self, window: Duration, limit: Option<u64>) -> Option<usize> {
        let named = |meter: &Meter| meter.is_named(window);
        if let Some(place) = self.meters.iter().position(named) {
            return Some(place);
        }
        let learnt = self.meters.iter().filter(|meter| meter.learnt).count();
        let units = u32::try_from(limit?).ok()?;
        if learnt >= LEARNT || window.is_zero() {
            return None;
        }
        self.meters.push(Meter::new(Rate { units, window }, true));
        self.meters.sort_by_key(|meter| meter.rate.window);
        self.meters.iter().position(named)
    }

    fn used(&mut self, now: Instant) -> Vec<Use> {
        self.forget(now);
        let silence = self.silence(now);
        let used = self.meters.iter().map(|meter| {
            let limit = meter.word.and_then(|word| word.limit);
            Use {
                units: limit.unwrap_or(meter.rate.units.into()),
                window: meter.rate.window,
                used: meter.used,
                left: meter.left(),
                told: meter.word.is_some(),
                wait: meter.wait(now, 1).max(silence),
            }
        });
        used.collect()
    }
}

impl Meter {
    fn new(rate: Rate, learnt: bool) -> Meter {
        Meter {
            rate,
            learnt,
            spent: VecDeque::new(),
            used: 0,
            word: None,
            weight: (1, 1),
        }
    }

    /// Another rate of which the same was spent.
    fn like(&self, rate: Rate) -> Meter {
        Meter {
            rate,
            learnt: false,
            spent: self.spent.clone(),
            used: self.used,
            word: self.word.filter(|_| self.rate.window == rate.window),
            weight: self.weight,
        }
    }

    fn spend(&mut self, now: Instant, cost: u64) {
        let grain = self.rate.window / GRAINS;
        // In order, also what another process noted in between.
        let now = self.spent.back().map_or(now, |last| now.max(last.last));
        match self.spent.back_mut() {
            Some(last) if now <= last.first + grain => {
                last.last = now;
                last.units += cost;
            }
            _ => self.spent.push_back(Spent {
                first: now,
                last: now,
                units: cost,
            }),
        }
        self.used += cost;
        if let Some(word) = &mut self.word {
            word.left = word.left.saturating_sub(cost);
            word.beyond = word.beyond.saturating_sub(cost);
        }
    }

    fn forget(&mut self, now: Instant) {
        while let Some(first) = self.spent.front()
            && first.last + self.rate.window <= now
        {
            self.used -= first.units;
            self.spent.pop_front();
        }
        self.word = self.word.filter(|word| now < word.until);
    }

    /// How long until `cost` more units fit the window.
    fn wait(&self, now: Instant, cost: u64) -> Duration {
        let units = u64::from(self.rate.units);
        // A request dearer than the whole budget goes when the window is empty.
        let cost = cost.min(units);
        match self.word {
            Some(word) if word.left < cost => word.until - now,
            Some(word) if word.beyond >= cost => Duration::ZERO,
            Some(_) | None => self.own_wait(now, units - cost),
        }
    }

    /// How long until no more than `room` units are spent.
    fn own_wait(&self, now: Instant, room: u64) -> Duration {
        let mut used = self.used;
        let mut until = now;
        for spent in &self.spent {
            if used <= room {
                break;
            }
            used -= spent.units;
            until = spent.last + self.rate.window;
        }
        until - now
    }

    /// Units that may be spent now.
    fn left(&self) -> u64 {
        let own = u64::from(self.rate.units).saturating_sub(self.used);
        match self.word {
            Some(word) => own.max(word.beyond).min(word.left),
            None => own,
        }
    }

    /// Whether the counterpart means this window by one of that length: a manifest may leave a margin.
    fn is_named(&self, window: Duration) -> bool {
        let own = self.rate.window;
        window <= own && own <= window + window / 10
    }

    /// How much may be spent by the counterpart's word even beyond the manifest: what it says is left,
    /// in units of ours. How many of its units one of ours is, is seen by what it says was spent; the
    /// worst that was ever seen counts. Nothing, when it has not counted what was spent here.
    fn beyond(&mut self, hint: &Hint, others: u64) -> u64 {
        let (Some(limit), Some(true)) = (hint.limit, hint.window.map(|one| self.is_named(one)))
        else {
            return 0;
        };
        let theirs = u128::from(limit.saturating_sub(hint.left));
        let ours = u128::from(self.used.saturating_sub(others));
        if theirs * 5 < ours * 4 {
            return 0;
        }
        let (of_theirs, of_ours) = self.weight;
        if theirs * of_ours > of_theirs * ours && ours > 0 {
            self.weight = (theirs, ours);
        }
        let left = u128::from(hint.left) * self.weight.1 / self.weight.0;
        u64::try_from(left)
            .unwrap_or(u64::MAX)
            .saturating_sub(others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// Longer than any test waits.
    const LONGEST: Duration = MINUTE;

    const PATIENCE: Patience = Patience {
        turn: LONGEST,
        silence: LONGEST,
    };

    fn allowance(rates: &[(u32, Duration)], parallel: u32) -> Allowance {
        let rate = |&(units, window)| Rate { units, window };
        Allowance {
            rates: rates.iter().map(rate).collect(),
            parallel,
        }
    }

    /// For tests that wait.
    fn short(units: u32, parallel: u32) -> Allowance {
        allowance(&[(units, Duration::from_millis(10))], parallel)
    }

    fn book(rates: &[(u32, Duration)]) -> Book {
        let mut book = Book::default();
        book.allow(&allowance(rates, 4));
        book
    }

    /// Sends a request; it is answered at once.
    fn send(book: &mut Book, now: Instant, cost: u32) {
        assert_eq!(Entry::Now, book.enter(now, cost));
        book.under_way = UnderWay::default();
    }

    async fn pass(budget: &Arc<Budget>, turnstile: &Turnstile) -> Permit {
        budget.acquire(turnstile, 1, PATIENCE).await.unwrap()
    }

    #[test]
    fn no_window_ever_holds_more_than_the_budget() {
        let start = Instant::now();
        let rates = [(10, SECOND), (60, MINUTE)];
        let mut book = book(&rates);
        let mut now = start;
        let mut sent = Vec::new();
        for _ in 0..200 {
            now += book.wait(now, 1);
            send(&mut book, now, 1);
            sent.push(now);
        }
        for (units, window) in rates {
            for (index, at) in sent.iter().enumerate() {
                let in_window = sent[index..]
                    .iter()
                    .take_while(|later| **later < *at + window)
                    .count();
                assert!(in_window <= units as usize, "{in_window} in {window:?}");
            }
        }
        // 60 in five seconds, three times, and 20 in the second after that.
        assert_eq!(start + 3 * MINUTE + SECOND, now);
    }

    #[test]
    fn a_dear_request_waits_for_as_many_units_as_it_costs() {
        let start = Instant::now();
        let mut book = book(&[(60, MINUTE)]);
        send(&mut book, start, 50);
        let now = start + MINUTE / 2;
        send(&mut book, now, 10);
        assert_eq!(MINUTE / 2, book.wait(now, 5));
        assert_eq!(MINUTE, book.wait(now, 100));
        assert_eq!(Duration::ZERO, book.wait(now + MINUTE, 100));
    }

    #[test]
    fn no_more_requests_are_under_way_than_allowed() {
        let now = Instant::now();
        let mut book = book(&[(60, MINUTE)]);
        for _ in 0..4 {
            assert_eq!(Entry::Now, book.enter(now, 1));
        }
        assert_eq!(Entry::WhenFreed, book.enter(now, 1));
    }

    #[test]
    fn a_day_of_many_requests_takes_little_to_remember() {
        let start = Instant::now();
        let mut book = book(&[(1, SECOND), (20_000, DAY)]);
        for second in 0..20_000 {
            send(&mut book, start + SECOND * second, 1);
        }
        let now = start + SECOND * 20_000;
        let wait = book.wait(now, 1);
        // The first of them leave the day together, never too early.
        assert!(wait >= DAY - SECOND * 20_000 && wait <= DAY - SECOND * 19_800);
        assert!(book.meters[1].spent.len() < 300);
    }

    fn hint(left: u64, limit: Option<u64>, window: Option<Duration>) -> Hint {
        Hint {
            left,
            limit,
            window,
            resets: None,
        }
    }

    #[test]
    fn no_more_is_sent_than_the_counterpart_says_is_left() {
        let now = Instant::now();
        let mut book = book(&[(60, MINUTE)]);
        send(&mut book, now, 1);
        // Others spend as well.
        book.hear(&hint(2, Some(60), None), 0, now);
        send(&mut book, now, 1);
        send(&mut book, now, 1);
        assert_eq!(MINUTE, book.wait(now, 1));
        // Of two requests one may not be counted yet.
        book.hear(&hint(2, Some(60), None), 1, now);
        send(&mut book, now, 1);
        assert_eq!(MINUTE, book.wait(now, 1));
        assert_eq!(Duration::ZERO, book.wait(now + MINUTE, 1));
    }

    #[test]
    fn nothing_left_means_silence_until_the_moment_that_the_counterpart_names() {
        let now = Instant::now();
        let mut book = book(&[(60, MINUTE)]);
        let resets = Some(3 * MINUTE);
        let none = hint(0, None, None);
        book.hear(&Hint { resets, ..none }, 0, now);
        assert_eq!(3 * MINUTE, book.wait(now, 1));
    }

    #[test]
    fn more_than_the_manifest_says_is_believed_of_a_window_that_the_counterpart_names() {
        let now = Instant::now();
        for (window, left, more) in [
            (Some(3 * SECOND), 34, 34),
            // The manifest's window is a little longer.
            (Some(3 * SECOND - 3 * SECOND / 20), 34, 34),
            (None, 34, 0),
            (Some(MINUTE), 34, 0),
            (Some(2 * SECOND), 34, 0),
            // It does not count what was spent here.
            (Some(3 * SECOND), 44, 0),
        ] {
            let mut book = book(&[(11, 3 * SECOND)]);
            for _ in 0..11 {
                send(&mut book, now, 1);
            }
            book.hear(&hint(left, Some(45), window), 0, now);
            for _ in 0..more {
                send(&mut book, now, 1);
            }
            assert!(!book.wait(now, 1).is_zero(), "{window:?}");
        }
    }

    #[test]
    fn more_is_believed_only_as_far_as_what_was_spent_bears_it_out() {
        // MoySklad, to some: 45 units, of which each request takes 4.
        let now = Instant::now();
        let mut book = book(&[(2, 3 * SECOND)]);
        let mut left = 45;
        let mut sent = 0;
        while book.wait(now, 1).is_zero() {
            send(&mut book, now, 1);
            sent += 1;
            left -= 4;
            book.hear(&hint(left, Some(45), Some(3 * SECOND)), 0, now);
        }
        assert_eq!((11, 1), (sent, left));
    }

    #[test]
    fn what_is_left_of_a_window_without_a_name_is_of_the_one_that_can_hold_it() {
        // Planfix: 1 a second, and so many a day, of which alone it tells.
        let now = Instant::now();
        let mut book = book(&[(1, SECOND), (20_000, DAY)]);
        for (left, later) in [(15_000, SECOND), (2, 2 * SECOND)] {
            send(&mut book, now + later, 1);
            book.hear(&hint(left, None, None), 0, now + later);
        }
        let now = now + 3 * SECOND;
        send(&mut book, now, 1);
        // It tells late: the same again means that nothing was counted meanwhile.
        book.hear(&hint(2, None, None), 0, now);
        send(&mut book, now + SECOND, 1);
        book.hear(&hint(2, None, None), 0, now + SECOND);
        let wait = book.wait(now + 2 * SECOND, 1);
        assert!(wait > MINUTE && wait <= LONG, "{wait:?}");
    }

    #[test]
    fn a_counterpart_that_was_always_short_of_units_is_asked_again_soon() {
        let now = Instant::now();
        let mut book = book(&[(1, SECOND), (20_000, DAY)]);
        book.hear(&hint(3, None, None), 0, now);
        book.hear(&hint(0, None, None), 0, now);
        assert!(book.wait(now, 1) <= MINUTE);
    }

    #[test]
    fn a_window_that_only_the_counterpart_knows_is_learnt() {
        let now = Instant::now();
        let mut book = book(&[(60, MINUTE)]);
        book.hear(&hint(5, Some(1_000), Some(DAY)), 0, now);
        for _ in 0..5 {
            send(&mut book, now, 1);
        }
        assert!(book.wait(now, 1) > MINUTE);
        let uses = book.used(now);
        let shown: Vec<_> = uses.iter().map(|one| (one.units, one.left)).collect();
        assert_eq!(vec![(60, 55), (1_000, 0)], shown);
        assert_eq!([false, true], [uses[0].told, uses[1].told]);
    }

    #[test]
    fn another_allowance_keeps_what_was_spent() {
        let now = Instant::now();
        let mut book = book(&[(60, MINUTE)]);
        for _ in 0..20 {
            send(&mut book, now, 1);
        }
        book.allow(&allowance(&[(20, MINUTE), (25, DAY)], 4));
        assert_eq!(MINUTE, book.wait(now, 1));
        let later = now + MINUTE;
        for _ in 0..5 {
            send(&mut book, later, 1);
        }
        assert!(book.wait(later, 1) > MINUTE);
    }

    #[tokio::test]
    async fn a_pause_holds_back_everybody() {
        let budget = Arc::new(Budget::new(short(60, 2), None));
        let start = Instant::now();
        budget.pause(Duration::from_millis(50));
        drop(pass(&budget, &Turnstile::default()).await);
        assert!(start.elapsed() >= Duration::from_millis(50));
    }

    #[tokio::test]
    async fn nobody_waits_for_a_day() {
        let budget = Arc::new(Budget::new(allowance(&[(1, DAY)], 1), None));
        let turnstile = Turnstile::default();
        drop(pass(&budget, &turnstile).await);
        let used_up = budget.acquire(&turnstile, 1, PATIENCE).await.unwrap_err();
        assert!(used_up.wait > LONGEST && used_up.wait <= DAY);
        assert_eq!(1, budget.used()[0].used);
    }

    #[tokio::test]
    async fn connections_take_turns_however_many_requests_one_has_at_hand() {
        let budget = Arc::new(Budget::new(short(1, 1), None));
        let sent = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for (name, requests) in [("greedy", 50), ("modest", 3)] {
            let turnstile = Arc::new(Turnstile::default());
            for _ in 0..requests {
                let (budget, sent) = (Arc::clone(&budget), Arc::clone(&sent));
                let turnstile = Arc::clone(&turnstile);
                tasks.spawn(async move {
                    let _permit = pass(&budget, &turnstile).await;
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
        let budget = Arc::new(Budget::new(short(10, 1), None));
        let first = pass(&budget, &Turnstile::default()).await;
        let turnstile = Turnstile::default();
        let second = pass(&budget, &turnstile);
        assert!(
            tokio::time::timeout(Duration::from_millis(30), second)
                .await
                .is_err()
        );
        drop(first);
        drop(pass(&budget, &turnstile).await);
    }

    #[tokio::test]
    async fn a_new_allowance_counts_at_once() {
        let budget = Arc::new(Budget::new(allowance(&[(1, MINUTE)], 1), None));
        let turnstile = Turnstile::default();
        drop(pass(&budget, &turnstile).await);
        assert!(!budget.is_at_rest());
        budget.allow(&short(2, 1));
        drop(pass(&budget, &turnstile).await);
        tokio::time::sleep(Duration::from_millis(15)).await;
        assert!(budget.is_at_rest());
    }

    /// A ledger that the budgets of several processes keep.
    #[derive(Debug, Default)]
    struct Shared(Mutex<Vec<Noted>>);

    impl Ledger for Shared {
        fn note(
            &self,
            _: &str,
            after: i64,
            decide: &mut dyn FnMut(&[Noted]) -> Option<Noted>,
        ) -> Result<i64, super::super::LedgerError> {
            let mut all = self.0.lock().unwrap();
            let behind = usize::try_from(after).unwrap();
            let new = decide(&all[behind..]);
            all.extend(new);
            Ok(i64::try_from(all.len()).unwrap())
        }
    }

    fn kept(allowance: Allowance, ledger: &Arc<Shared>) -> Arc<Budget> {
        let account = Account {
            ledger: Arc::clone(ledger) as Arc<dyn Ledger>,
            name: "shop".to_owned(),
        };
        Arc::new(Budget::new(allowance, Some(account)))
    }

    #[tokio::test]
    async fn several_processes_and_the_next_one_spend_one_budget() {
        let ledger = Arc::default();
        let open = || kept(allowance(&[(4, MINUTE)], 4), &ledger);
        let (serve, run) = (open(), open());
        let turnstile = Turnstile::default();
        for budget in [&serve, &run, &serve] {
            drop(pass(budget, &turnstile).await);
        }
        let next = open();
        for budget in [&serve, &run, &next] {
            assert_eq!((3, 1), (budget.used()[0].used, budget.used()[0].left));
        }
        drop(pass(&next, &turnstile).await);
        let impatient = Patience {
            turn: SECOND,
            silence: SECOND,
        };
        for budget in [&serve, &run, &next, &open()] {
            let used_up = budget.acquire(&turnstile, 1, impatient).await.unwrap_err();
            assert!(used_up.wait > SECOND && used_up.wait <= MINUTE);
        }
    }

    #[tokio::test]
    async fn every_process_leaves_a_counterpart_alone_that_told_one_of_them() {
        let ledger = Arc::default();
        let open = || kept(allowance(&[], 4), &ledger);
        let (serve, run) = (open(), open());
        assert_eq!(DAY, serve.pause(DAY * 30), "it is asked once a day");
        let turnstile = Turnstile::default();
        for budget in [&run, &open()] {
            assert!(budget.silence() > DAY - MINUTE);
            assert!(budget.acquire(&turnstile, 1, PATIENCE).await.is_err());
            assert!(budget.pass(1, LONGEST).await.is_err());
        }
    }

    #[test]
    fn what_was_noted_counts_by_its_age_whatever_became_of_the_clock() {
        let now = Instant::now();
        let clock = Timestamp::now();
        let noted = |seconds: i64, units| {
            let at = clock + SignedDuration::from_secs(seconds);
            Noted {
                at,
                units,
                until: at + SignedDuration::from_secs(60),
            }
        };
        let mut book = book(&[(60, MINUTE)]);
        // Over, half over, noted just before the clock was set back a little, and in no past.
        let others = [noted(-61, 1), noted(-30, 2), noted(20, 4), noted(3_600, 8)];
        book.learn(&others, now);
        assert_eq!(6, book.used(now)[0].used);
        assert_eq!(4, book.used(now + MINUTE / 2 + SECOND)[0].used);
        book.learn(&[noted(-50, 0), noted(3_600, 0)], now);
        let silence = book.silence(now);
        assert!(
            silence > 9 * SECOND && silence <= 10 * SECOND,
            "{silence:?}"
        );
    }
}
