//! The time that schedules, leases and attempts go by.
//!
//! The clock of a machine may be wrong and be set right, by years. What measures a span must not notice:
//! an attempt in a minute is in a minute, and a lease of a minute lasts one. So everything that waits
//! goes by [`Clock::now`], which only ever goes on as time passes. Where the clock of the machine has
//! come away from it, [`Clock::ahead`] tells by how much, and whoever keeps moments moves them by that
//! before [`Clock::follow`] does: what was due in a minute is due in a minute still, by the new clock.
//! What is due at a time of day is reckoned anew then.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// So much is no setting of a clock: it is set right by such steps all the time.
const STEP: SignedDuration = SignedDuration::from_secs(1);

/// Where a clock has the time from.
pub trait Source: Send + Sync {
    /// What the clock of the machine shows.
    fn shown(&self) -> Timestamp;
    /// How long this source has been there, whatever the clock shows.
    fn passed(&self) -> Duration;
}

/// The time that everything in a server goes by that waits. Clones are one.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    source: Box<dyn Source>,
    /// A moment and what had passed by then.
    anchor: Mutex<(Timestamp, Duration)>,
}

impl Default for Clock {
    /// That of the machine.
    fn default() -> Clock {
        Clock::of(Machine(Instant::now()))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

impl Clock {
    /// By a source of time.
    pub fn of(source: impl Source + 'static) -> Clock {
        let anchor = (source.shown(), source.passed());
        Clock(Arc::new(Inner {
            source: Box::new(source),
            anchor: Mutex::new(anchor),
        }))
    }

    /// The present moment. It goes on as time passes, whatever becomes of the machine's clock.
    pub fn now(&self) -> Timestamp {
        let (at, passed) = *self.anchor();
        let since = self.0.source.passed().saturating_sub(passed);
        at.saturating_add(since).unwrap_or(at)
    }

    /// How long this clock has gone: for spans within one process.
    pub fn passed(&self) -> Duration {
        self.0.source.passed()
    }

    /// By how much the machine's clock was set, forward or back; none while it shows [`Clock::now`]. Small
    /// steps are followed on the way.
    pub fn ahead(&self) -> Option<SignedDuration> {
        let ahead = self.0.source.shown().duration_since(self.now());
        if ahead.abs() >= STEP {
            return Some(ahead);
        }
        self.follow(ahead);
        None
    }

    /// Goes by the clock of the machine again, which was set by so much.
    pub fn follow(&self, set: SignedDuration) {
        let mut anchor = self.anchor();
        anchor.0 = anchor.0.saturating_add(set).unwrap_or(anchor.0);
    }

    fn anchor(&self) -> std::sync::MutexGuard<'_, (Timestamp, Duration)> {
        (self.0.anchor.lock()).unwrap_or_else(PoisonError::into_inner)
    }
}

/// The machine.
struct Machine(Instant);

impl Source for Machine {
    fn shown(&self) -> Timestamp {
        Timestamp::now()
    }

    fn passed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
pub(crate) mod by_hand {
    //! A clock that tests move.

    use super::*;

    /// Its hands. Clones are those of one clock.
    #[derive(Clone)]
    pub struct Hands(Arc<Mutex<(Timestamp, Duration)>>);

    impl Hands {
        /// That show a moment.
        pub fn at(moment: &str) -> Hands {
            Hands(Arc::new(Mutex::new((
                moment.parse().unwrap(),
                Duration::ZERO,
            ))))
        }

        /// Lets time pass.
        pub fn pass(&self, seconds: u64) {
            let mut hands = self.0.lock().unwrap();
            let span = Duration::from_secs(seconds);
            *hands = (hands.0 + span, hands.1 + span);
        }

        /// Sets the clock, in no time.
        pub fn set(&self, by: SignedDuration) {
            self.0.lock().unwrap().0 += by;
        }
    }

    impl Source for Hands {
        fn shown(&self) -> Timestamp {
            self.0.lock().unwrap().0
        }

        fn passed(&self) -> Duration {
            self.0.lock().unwrap().1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::by_hand::Hands;
    use super::*;

    #[test]
    fn time_passes_evenly_whatever_the_clock_of_the_machine_is_set_to() {
        let hands = Hands::at("2026-07-01T12:00:00Z");
        let clock = Clock::of(hands.clone());
        hands.pass(60);
        assert_eq!("2026-07-01T12:01:00Z", clock.now().to_string());
        assert_eq!(None, clock.ahead());
        let day = SignedDuration::from_hours(24);
        for set in [day, -day, -day] {
            let before = clock.now();
            hands.set(set);
            assert_eq!(before, clock.now());
            assert_eq!(Some(set), clock.ahead());
            clock.follow(set);
            assert_eq!((before + set, None), (clock.now(), clock.ahead()));
        }
    }

    #[test]
    fn small_steps_are_followed_and_told_to_nobody() {
        let hands = Hands::at("2026-07-01T12:00:00Z");
        let clock = Clock::of(hands.clone());
        for step in [999, -999, 500] {
            hands.set(SignedDuration::from_millis(step));
            assert_eq!(None, clock.ahead());
            assert_eq!(hands.shown(), clock.now());
        }
        hands.set(SignedDuration::from_millis(-1000));
        assert!(clock.ahead().is_some());
    }
}
