//! Stops asking a counterpart that keeps giving the same bad answer.
//!
//! The threat: a connector that asks the same wrong question again and again, or a credential that was
//! withdrawn, gets the shop's whole account banned (MoySklad takes API access away after 200 identical
//! failing requests in a minute, Remap 1.2 "Restrictions"; only its support gives it back). So after
//! a row of identical failures with no success between them nothing is sent for a while, and whoever
//! asks is told until when and why. Then one request tries; if it fails in the same way, the
//! silence doubles.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::Instant;
use url::Url;

use crate::reason::Reason;

/// When the breaker opens and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Identical failures in a row that open it.
    pub failures: u32,
    /// The first silence; it doubles with each failed trial.
    pub first_pause: Duration,
    /// The longest silence.
    pub longest_pause: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        BreakerPolicy {
            failures: 20,
            first_pause: Duration::from_secs(60),
            longest_pause: Duration::from_secs(15 * 60),
        }
    }
}

/// What went wrong. Failures that say nothing about the single request are equal whatever it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No answer came.
    NoAnswer,
    /// The counterpart is down, or does not take the credential.
    Refused(StatusCode),
    /// This very request is wrong; the number tells requests apart.
    Mistake(StatusCode, u64),
}

impl Trouble {
    /// The trouble that an answer of this status means for this request; none for a success, and for
    /// 429, which the budget takes care of.
    pub fn of(status: StatusCode, method: &Method, url: &Url) -> Option<Trouble> {
        match status.as_u16() {
            429 => None,
            401 | 403 | 500.. => Some(Trouble::Refused(status)),
            400..500 => {
                let mut hasher = DefaultHasher::new();
                (method, url).hash(&mut hasher);
                Some(Trouble::Mistake(status, hasher.finish()))
            }
            _ => None,
        }
    }
}

/// Nothing is sent for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open {
    /// How much longer.
    pub wait: Duration,
    trouble: Trouble,
    failures: u32,
}

impl Open {
    /// For people; `now` is the moment that `wait` counts from.
    pub fn explain(&self, origin: &str, now: jiff::Timestamp) -> Reason {
        let until = now.checked_add(self.wait).unwrap_or(now);
        let until = until.strftime("%Y-%m-%d %H:%M:%S UTC");
        let Open {
            trouble, failures, ..
        } = self;
        let reason = match trouble {
            Trouble::NoAnswer => Reason::new("host.silence.no-answer"),
            Trouble::Refused(status) => {
                Reason::new("host.silence.answered").arg("status", status.as_u16())
            }
            Trouble::Mistake(status, _) => {
                Reason::new("host.silence.same-request").arg("status", status.as_u16())
            }
        };
        let reason = reason.arg("origin", origin).arg("until", until);
        reason.arg("failures", failures)
    }
}

/// The breaker of one account.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    row: Option<Row>,
}

/// Identical failures without a success between them.
#[derive(Debug)]
struct Row {
    trouble: Trouble,
    failures: u32,
    /// Nothing is sent before.
    open_until: Option<Instant>,
    /// The silence that is under way or was last.
    pause: Duration,
    /// One request is under way to see whether it is over.
    trial: bool,
}

impl Breaker {
    /// Whether a request may be sent now.
    pub fn admit(&self, now: Instant) -> Result<(), Open> {
        self.state().admit(now)
    }

    /// Takes note of how a request went; answers with the silence that it leads to.
    pub fn record(
        &self,
        policy: &BreakerPolicy,
        trouble: Option<Trouble>,
        now: Instant,
    ) -> Option<Open> {
        self.state().record(policy, trouble, now)
    }

    /// Whether there is nothing to remember.
    pub fn is_at_rest(&self) -> bool {
        self.state().row.is_none()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn admit(&mut self, now: Instant) -> Result<(), Open> {
        let Some(row) = &mut self.row else {
            return Ok(());
        };
        match row.open_until {
            Some(until) if now < until => Err(Open {
                wait: until - now,
                trouble: row.trouble,
                failures: row.failures,
            }),
            // One request tries; the others wait for what comes of it.
            Some(_) => {
                row.open_until = Some(now + row.pause);
                row.trial = true;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn record(
        &mut self,
        policy: &BreakerPolicy,
        trouble: Option<Trouble>,
        now: Instant,
    ) -> Option<Open> {
        let Some(trouble) = trouble else {
            self.row = None;
            return None;
        };
        let row = match self.row.take() {
            Some(mut row) if row.trouble == trouble => {
                row.failures += 1;
                row
            }
            _ => Row {
                trouble,
                failures: 1,
                open_until: None,
                pause: Duration::ZERO,
                trial: false,
            },
        };
        let row = self.row.insert(row);
        // What was under way when it opened does not make the silence longer.
        let late = row.open_until.is_some() && !row.trial;
        if row.failures < policy.failures || late {
            return None;
        }
        row.trial = false;
        row.pause = match row.pause {
            Duration::ZERO => policy.first_pause,
            last => (last * 2).min(policy.longest_pause),
        };
        row.open_until = Some(now + row.pause);
        Some(Open {
            wait: row.pause,
            trouble,
            failures: row.failures,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: BreakerPolicy = BreakerPolicy {
        failures: 3,
        first_pause: Duration::from_secs(60),
        longest_pause: Duration::from_secs(150),
    };
    const DOWN: Option<Trouble> = Some(Trouble::Refused(StatusCode::UNAUTHORIZED));

    fn mistake(path: &str) -> Option<Trouble> {
        let url = Url::parse("https://api.example")
            .unwrap()
            .join(path)
            .unwrap();
        Trouble::of(StatusCode::NOT_FOUND, &Method::GET, &url)
    }

    #[test]
    fn identical_failures_in_a_row_open_it_and_it_says_until_when() {
        let (mut state, now) = (State::default(), Instant::now());
        for _ in 0..2 {
            assert_eq!(Ok(()), state.admit(now));
            assert_eq!(None, state.record(&POLICY, DOWN, now));
        }
        assert!(state.record(&POLICY, DOWN, now).is_some());
        let open = state.admit(now + Duration::from_secs(10)).unwrap_err();
        assert_eq!(Duration::from_secs(50), open.wait);
        let text = open.explain(
            "https://api.example",
            "2026-03-01T10:00:00Z".parse().unwrap(),
        );
        assert_eq!(
            "nothing is sent to https://api.example until 2026-03-01 10:00:50 UTC: it answered 401 \
             3 times in a row",
            text.to_string()
        );
    }

    #[test]
    fn one_request_tries_after_the_silence_and_a_failed_trial_doubles_it() {
        let (mut state, mut now) = (State::default(), Instant::now());
        for _ in 0..3 {
            state.record(&POLICY, DOWN, now);
        }
        for pause in [60, 120, 150, 150] {
            now += Duration::from_secs(pause);
            assert_eq!(Ok(()), state.admit(now));
            assert!(state.admit(now).is_err(), "only one tries");
            state.record(&POLICY, DOWN, now);
        }
        now += Duration::from_secs(150);
        assert_eq!(Ok(()), state.admit(now));
        state.record(&POLICY, None, now);
        assert_eq!(Ok(()), state.admit(now));
        assert!(state.row.is_none());
    }

    #[test]
    fn requests_that_were_under_way_do_not_make_the_silence_longer() {
        let (mut state, now) = (State::default(), Instant::now());
        for _ in 0..10 {
            state.record(&POLICY, DOWN, now);
        }
        assert_eq!(POLICY.first_pause, state.admit(now).unwrap_err().wait);
    }

    #[test]
    fn a_success_or_another_failure_begins_the_row_anew() {
        let (mut state, now) = (State::default(), Instant::now());
        for trouble in [
            DOWN,
            DOWN,
            None,
            DOWN,
            DOWN,
            Some(Trouble::NoAnswer),
            DOWN,
            DOWN,
        ] {
            assert_eq!(None, state.record(&POLICY, trouble, now));
        }
    }

    #[test]
    fn different_records_that_are_not_found_are_different_failures() {
        let (mut state, now) = (State::default(), Instant::now());
        for path in ["/a", "/b", "/c", "/a?x=1", "/a?x=2"] {
            assert_eq!(None, state.record(&POLICY, mistake(path), now));
        }
        assert_eq!(None, state.record(&POLICY, mistake("/z"), now));
        assert_eq!(None, state.record(&POLICY, mistake("/z"), now));
        assert!(state.record(&POLICY, mistake("/z"), now).is_some());
    }

    #[test]
    fn haste_is_no_failure() {
        let url = Url::parse("https://api.example").unwrap();
        let of = |status| Trouble::of(status, &Method::GET, &url);
        assert_eq!(None, of(StatusCode::TOO_MANY_REQUESTS));
        assert_eq!(None, of(StatusCode::FOUND));
        assert!(of(StatusCode::BAD_GATEWAY).is_some());
    }
}
