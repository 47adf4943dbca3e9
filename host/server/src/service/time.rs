//! Keeping time while the clock of the machine is set, forward or back.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Unit};
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::model::Fault;

use super::{Error, Service};
use crate::control::{connections, moments, schedules};
use crate::scheduler::next_run;

/// How long nothing old is forgotten after the clock was set: it may be wrong, and what it calls old is
/// gone then.
const DOUBT: Duration = Duration::from_secs(60 * 60);

/// A server that was away for longer than this, or whose clock shows so.
const LONG: SignedDuration = SignedDuration::from_hours(24);

/// Between two times that a server keeps that it is at work.
const ALIVE: Duration = Duration::from_secs(10);

impl Service {
    /// The moment that everything here goes by that waits.
    pub fn now(&self) -> Timestamp {
        self.0.options.clock.now()
    }

    /// Makes good what the clock was set by since a server was last at work here. That it was set
    /// forward cannot be told from a server that was away.
    pub(super) async fn take_up_time(&self) -> Result<(), Error> {
        let last = (self.control())
            .read(|db| Ok::<_, Error>(moments::last_alive(db)?))
            .await?;
        let away = last.map_or(SignedDuration::ZERO, |last| self.now().duration_since(last));
        if away.is_negative() {
            tracing::warn!(
                "the clock is {} since a server was last at work here; what waits is moved by that",
                way(away)
            );
            self.move_moments(away, None).await?;
        } else if away > LONG {
            self.doubt_clock();
        }
        self.plan_what_is_too_far().await
    }

    /// Follows the clock of the machine, if it was set.
    pub(crate) async fn keep_time(&self) -> Result<(), Error> {
        let clock = &self.0.options.clock;
        let Some(by) = clock.ahead() else {
            return self.keep_alive().await;
        };
        tracing::warn!(
            "the clock of this machine was set {}; what waits is moved by that",
            way(by)
        );
        clock.follow(by);
        if let Err(error) = self.move_moments(by, Some(self.now())).await {
            // It is tried again.
            clock.follow(-by);
            return Err(error);
        }
        self.plan_what_is_too_far().await
    }

    /// Keeps that this server is at work, now and then.
    async fn keep_alive(&self) -> Result<(), Error> {
        let passed = self.0.options.clock.passed();
        {
            let mut kept = (self.0.alive.lock()).unwrap_or_else(PoisonError::into_inner);
            if kept.is_some_and(|kept| passed.saturating_sub(kept) < ALIVE) {
                return Ok(());
            }
            *kept = Some(passed);
        }
        let now = self.now();
        (self.control())
            .write(move |db| Ok::<_, Error>(moments::keep_alive(db, now)?))
            .await
    }

    /// Moves all that is due after a span.
    async fn move_moments(&self, by: SignedDuration, now: Option<Timestamp>) -> Result<(), Error> {
        self.doubt_clock();
        let now = now.unwrap_or_else(|| self.now());
        let timed = (self.control())
            .write(move |db| {
                moments::shift(db, by)?;
                moments::keep_alive(db, now)?;
                Ok::<_, Error>(connections::with_timers(db)?)
            })
            .await?;
        self.inbox().look();
        let service = self.clone();
        // The file of a tenant may be held by a run for long.
        tokio::spawn(async move {
            for (tenant, connection) in timed {
                service.move_timers(&tenant, &connection, by).await;
            }
        });
        Ok(())
    }

    async fn move_timers(&self, tenant: &TenantId, connection: &ConnectionId, by: SignedDuration) {
        match self.host().move_timers(tenant, connection, by).await {
            Ok(()) => self.note_timers(tenant, connection).await,
            Err(Fault::Unsupported(_)) => {}
            Err(error) => {
                tracing::error!(
                    "the timers of connection {connection} of tenant {tenant}: {error}"
                );
            }
        }
    }

    /// Plans jobs anew whose next time lies beyond the next one of their schedule: it was reckoned while
    /// the clock was ahead.
    async fn plan_what_is_too_far(&self) -> Result<(), Error> {
        let now = self.now();
        let planned = (self.control())
            .read(move |db| {
                let mut sooner = Vec::new();
                for planned in schedules::all(db)? {
                    let next = planned.cron.parse().ok().and_then(|cron| {
                        let (zone, window) = (&planned.zone, planned.window);
                        next_run(&cron, zone, window, planned.seed(), now)
                    });
                    if next.is_some_and(|next| planned.is_after(next)) {
                        sooner.push((planned, next));
                    }
                }
                Ok::<_, Error>(sooner)
            })
            .await?;
        if planned.is_empty() {
            return Ok(());
        }
        self.control()
            .write(move |db| {
                for (planned, next) in &planned {
                    schedules::advance(db, planned, *next)?;
                }
                Ok(())
            })
            .await
    }

    fn doubt_clock(&self) {
        let until = self.0.options.clock.passed() + DOUBT;
        *self.doubted() = Some(until);
    }

    /// Whether the clock was set lately, so that nothing is forgotten because it is old.
    pub(crate) fn doubts_clock(&self) -> bool {
        let passed = self.0.options.clock.passed();
        self.doubted().is_some_and(|until| passed < until)
    }

    fn doubted(&self) -> MutexGuard<'_, Option<Duration>> {
        (self.0.doubted.lock()).unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a clock was set, for people.
fn way(by: SignedDuration) -> String {
    let way = match by.is_negative() {
        true => "back",
        false => "forward",
    };
    let whole = by.abs().round(Unit::Second).unwrap_or(by.abs());
    format!("{way} by {whole:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_the_clock_was_set_is_told_in_seconds() {
        let day = SignedDuration::new(86_399, 999_999_123);
        assert_eq!("forward by 24h", way(day));
        assert_eq!("back by 24h", way(-day));
        assert_eq!("back by 1m 5s", way(SignedDuration::from_secs(-65)));
    }
}
