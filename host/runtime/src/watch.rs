//! Ends a call into a guest from outside: at its deadline, or when it is to stop.
//!
//! The threat: a guest waits for a counterpart that holds its request, for a clock, or for its turn in a
//! budget, and comes to no checkpoint at which it could be told that nobody wants it any longer. So
//! its call is dropped, as it would be if the process ended then: what was under way is given up,
//! what was written since the last checkpoint is undone, and the next run goes on from there.
//!
//! A guest that waits for its counterpart is cut at once. One that computes, or writes to the
//! platform, is probably close to a checkpoint and gets a moment to come to it, so that less is done
//! again. A commit that is under way is never cut: what became of it would be unknown.
//!
//! A call ends in the same way when its counterpart takes no more requests for hours: whatever the
//! guest made of an error then, it would get no further, and might list every record as refused.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::engine;
use crate::limits::Breach;
use crate::observe::{Observer, Stop};
use crate::reason::Reason;

/// How long a guest that does not wait for its counterpart may go on after it is to stop.
const GRACE: Duration = Duration::from_secs(1);

/// What a run shows to who watches it from outside its store, and is told by them.
#[derive(Debug)]
pub(crate) struct Pulse {
    passed_at: Mutex<Instant>,
    exchanges: AtomicUsize,
    commits: AtomicUsize,
    stopping: AtomicBool,
    exhausted: watch::Sender<Option<Exhausted>>,
}

impl Pulse {
    /// Of a call that begins.
    pub fn begin() -> Arc<Pulse> {
        Arc::new(Pulse {
            passed_at: Mutex::new(Instant::now()),
            exchanges: AtomicUsize::new(0),
            commits: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            exhausted: watch::Sender::new(None),
        })
    }

    /// A checkpoint is passed: the time between two begins anew.
    pub fn pass_checkpoint(&self) {
        *self
            .passed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn passed_at(&self) -> Instant {
        *self
            .passed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A request is on its way, or waits for that, while the answer lives.
    pub fn exchanging(self: &Arc<Self>) -> Beat {
        Beat::of(self, |pulse| &pulse.exchanges)
    }

    /// A commit is under way while the answer lives.
    pub fn committing(self: &Arc<Self>) -> Beat {
        Beat::of(self, |pulse| &pulse.commits)
    }

    /// A request cannot be sent for so long that the call is to end. Nothing comes back from here.
    pub async fn exhaust<T>(&self, exhausted: Exhausted) -> T {
        self.exhausted.send_replace(Some(exhausted));
        std::future::pending().await
    }

    /// Comes to its end when [`Pulse::exhaust`] is called.
    pub async fn exhausted(&self) -> Exhausted {
        let mut told = self.exhausted.subscribe();
        // The sender lives as long as `self`.
        let found = told.wait_for(Option::is_some).await;
        match found.ok().and_then(|found| found.clone()) {
            Some(exhausted) => exhausted,
            None => std::future::pending().await,
        }
    }

    /// Whether the run is to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// The counterpart takes no more requests for so long that nobody waits for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.reason())]
pub(crate) struct Exhausted {
    pub origin: String,
    pub until: Timestamp,
}

impl Exhausted {
    /// Why the call ended, for people.
    pub fn reason(&self) -> Reason {
        let until = self.until.strftime("%Y-%m-%d %H:%M:%S UTC");
        let reason = Reason::new("host.budget-used-up").arg("endpoint", &self.origin);
        reason.arg("until", until)
    }
}

/// Something that is under way, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Beat {
    pulse: Arc<Pulse>,
    count: fn(&Pulse) -> &AtomicUsize,
}

impl Beat {
    fn of(pulse: &Arc<Pulse>, count: fn(&Pulse) -> &AtomicUsize) -> Beat {
        count(pulse).fetch_add(1, Ordering::Relaxed);
        Beat {
            pulse: Arc::clone(pulse),
            count,
        }
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        (self.count)(&self.pulse).fetch_sub(1, Ordering::Relaxed);
    }
}

/// A run that was ended between two checkpoints because it was to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.reason())]
pub(crate) struct Cut {
    pub stop: Stop,
    pub stage: Stage,
}

impl Cut {
    /// Why it ended, for people.
    pub fn reason(self) -> Reason {
        Reason::new(match (self.stop, self.stage) {
            (Stop::Person, Stage::Waiting) => "host.stopped.person.waiting",
            (Stop::Person, Stage::Exchanging) => "host.stopped.person.exchanging",
            (Stop::Person, Stage::Working) => "host.stopped.person.working",
            (Stop::Change, Stage::Waiting) => "host.stopped.change.waiting",
            (Stop::Change, Stage::Exchanging) => "host.stopped.change.exchanging",
            (Stop::Change, Stage::Working) => "host.stopped.change.working",
            (Stop::Shutdown, Stage::Waiting) => "host.stopped.shutdown.waiting",
            (Stop::Shutdown, Stage::Exchanging) => "host.stopped.shutdown.exchanging",
            (Stop::Shutdown, Stage::Working) => "host.stopped.shutdown.working",
        })
    }
}

/// What a run was at when it was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It had not begun: it waited for a place, or for the platform.
    Waiting,
    /// A request was under way, or waited for its turn or its repetition.
    Exchanging,
    /// It did something else and came to no checkpoint in time.
    Working,
}

/// Watches one call.
pub(crate) struct Watch {
    pub pulse: Arc<Pulse>,
    pub observer: Arc<dyn Observer>,
    /// Time between two checkpoints.
    pub most: Duration,
}

impl Watch {
    /// The call's answer, or why it has none: [`Breach::Elapsed`], [`Cut`] or [`Exhausted`].
    pub async fn within<T>(
        &self,
        call: impl Future<Output = wasmtime::Result<T>>,
    ) -> wasmtime::Result<T> {
        let mut call = std::pin::pin!(call);
        let mut stopped = self.observer.stopped();
        let mut exhausted = std::pin::pin!(self.pulse.exhausted());
        let (mut stopping, mut spent) = (None, None);
        let mut look = self.deadline();
        loop {
            tokio::select! {
                biased;
                answer = &mut call => return answer,
                stop = &mut stopped, if stopping.is_none() => {
                    self.pulse.stopping.store(true, Ordering::Relaxed);
                    stopping = Some((stop, Instant::now() + GRACE));
                }
                end = &mut exhausted, if spent.is_none() => spent = Some(end),
                () = tokio::time::sleep_until(look) => {}
            }
            let now = Instant::now();
            let committing = self.pulse.commits.load(Ordering::Relaxed) > 0;
            if let Some((stop, end)) = stopping
                && let Some(stage) = self.stage(now, end)
                && !committing
            {
                return Err(Cut { stop, stage }.into());
            }
            if let Some(exhausted) = &spent
                && !committing
            {
                return Err(exhausted.clone().into());
            }
            let deadline = self.deadline();
            if deadline <= now && !committing {
                return Err(Breach::Elapsed(self.most).into());
            }
            look = if stopping.is_some() || committing {
                now + engine::TICK
            } else {
                deadline
            };
        }
    }

    fn deadline(&self) -> Instant {
        self.pulse.passed_at() + self.most
    }

    /// What a run that is to stop is at, when it may be cut there.
    fn stage(&self, now: Instant, end: Instant) -> Option<Stage> {
        if self.pulse.exchanges.load(Ordering::Relaxed) > 0 {
            return Some(Stage::Exchanging);
        }
        (now >= end).then_some(Stage::Working)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::{HOST, LANGUAGES};

    #[test]
    fn why_a_run_was_ended_is_told_in_every_language() {
        for stop in [Stop::Person, Stop::Change, Stop::Shutdown] {
            for stage in [Stage::Waiting, Stage::Exchanging, Stage::Working] {
                let code = Cut { stop, stage }.reason().code;
                for language in LANGUAGES {
                    assert!(
                        HOST.pattern(&code, language).is_some(),
                        "{code}: {language}"
                    );
                }
            }
        }
    }
}
