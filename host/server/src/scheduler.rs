//! When jobs run by themselves: cron in the tenant's time zone, within the hours of exchange.
//!
//! A job that should have run while the server was down runs once, not once for each time missed:
//! only the next time is kept, and it is always reckoned from now. The request is in the queue before
//! the next time is written; a process that dies in between asks twice, and equal requests merge.

use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use tenon_host::Cause;
use tenon_host::schedule::Cron;

use crate::control::connections::Window;
use crate::control::schedules::{self, Due};
use crate::control::{Failure, connections};
use crate::queue::{NewRequest, Priority};
use crate::service::{Error, Service};

/// Longest shift of a start, so that the connections of many tenants do not all start at the full
/// minute.
const JITTER: SignedDuration = SignedDuration::from_secs(60);

/// Schedules and timers that are looked at together.
const BATCH: u32 = 500;

/// Longest sleep: the clock of the machine may be set meanwhile.
const SLEEP: Duration = Duration::from_secs(1);

/// When a job runs next: the first time of its schedule after `after`. A time outside the hours waits
/// until they begin. `seed` tells connections apart.
pub fn next_run(
    cron: &Cron,
    zone: &TimeZone,
    window: Option<Window>,
    seed: u64,
    after: Timestamp,
) -> Option<Timestamp> {
    let shift = shift(cron, seed);
    let next = cron.next_after(after - shift, zone)?;
    let local = next.to_zoned(zone.clone());
    let start = match window {
        Some(window) if !window.contains(local.time()) => {
            let today = local.date().to_datetime(window.from);
            let start = |day| zone.to_ambiguous_timestamp(day).compatible().ok();
            match start(today) {
                Some(start) if start > next => start,
                _ => start(today.checked_add(1.day()).ok()?)?,
            }
        }
        _ => next,
    };
    Some(start + shift)
}

/// The same for a connection's job each time: up to a tenth of the time between two runs.
fn shift(cron: &Cron, seed: u64) -> SignedDuration {
    let first = cron.next_after(Timestamp::UNIX_EPOCH, &TimeZone::UTC);
    let second = first.and_then(|first| cron.next_after(first, &TimeZone::UTC));
    let (Some(first), Some(second)) = (first, second) else {
        return SignedDuration::ZERO;
    };
    let most = JITTER.min(first.duration_until(second) / 10).as_millis();
    let most = u64::try_from(most).unwrap_or(0).max(1);
    SignedDuration::from_millis(i64::try_from(seed % most).unwrap_or(0))
}

/// Asks for what is due, until the service stops.
pub async fn run(service: Service) {
    while !service.stopping() {
        let more = match tick(&service, Timestamp::now()).await {
            Ok(more) => more,
            Err(error) => {
                tracing::error!("the scheduler: {error}");
                false
            }
        };
        if !more {
            tokio::select! {
                () = tokio::time::sleep(SLEEP) => {}
                () = service.stopped() => {}
            }
        }
    }
}

/// Asks for what is due at this moment; tells whether there may be more.
pub(crate) async fn tick(service: &Service, now: Timestamp) -> Result<bool, Error> {
    let due = (service.control())
        .read(move |db| schedules::due(db, now, BATCH))
        .await?;
    let scheduled = due.len();
    let requests = due.iter().map(|due| NewRequest {
        tenant: due.tenant.clone(),
        connection: due.connection.clone(),
        job: due.job.clone(),
        argument: None,
        preview: false,
        cause: Cause::Scheduled,
        priority: Priority::Schedule,
        due: None,
    });
    service.queue().ask(requests.collect(), now).await?;
    (service.control())
        .write(move |db| {
            for due in &due {
                schedules::advance(db, due, next_of(due, now))?;
            }
            Ok::<_, Failure>(())
        })
        .await?;
    let woken = (service.control())
        .read(move |db| Ok::<_, Error>(connections::to_wake(db, now, BATCH)?))
        .await?;
    let timers = woken.len();
    for (tenant, connection) in woken {
        if let Err(error) = service.wake(&tenant, &connection, now).await {
            tracing::error!("the timers of connection {connection} of tenant {tenant}: {error}");
        }
    }
    Ok(scheduled.max(timers) >= BATCH as usize)
}

fn next_of(due: &Due, now: Timestamp) -> Option<Timestamp> {
    let cron = Cron::from_str(&due.cron).ok()?;
    next_run(&cron, &due.zone, due.window, due.seed(), now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::connections::time_of_day;

    fn kyiv() -> TimeZone {
        TimeZone::get("Europe/Kyiv").unwrap()
    }

    fn cron(text: &str) -> Cron {
        text.parse().unwrap()
    }

    /// The next runs, as local times, without the shift.
    fn runs(schedule: &str, hours: Option<(&str, &str)>, after: &str, count: usize) -> Vec<String> {
        let (cron, zone) = (cron(schedule), kyiv());
        let hours = hours.map(|(from, to)| Window {
            from: time_of_day(from).unwrap(),
            to: time_of_day(to).unwrap(),
        });
        let mut at: Timestamp = after.parse().unwrap();
        let next = |_| {
            at = next_run(&cron, &zone, hours, 0, at).unwrap();
            let local = at.to_zoned(zone.clone());
            local.strftime("%d %H:%M").to_string()
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn a_daily_job_runs_after_midnight_of_the_tenant() {
        let next = runs("10 0 * * *", None, "2026-07-01T12:00:00Z", 2);
        assert_eq!(vec!["02 00:10", "03 00:10"], next);
    }

    #[test]
    fn a_time_outside_the_hours_waits_for_their_start() {
        let next = runs(
            "*/30 * * * *",
            Some(("08:00", "09:00")),
            "2026-07-01T00:00:00Z",
            4,
        );
        assert_eq!(vec!["01 08:00", "01 08:30", "02 08:00", "02 08:30"], next);
        let nightly = runs(
            "10 0 * * *",
            Some(("08:00", "20:00")),
            "2026-07-01T12:00:00Z",
            2,
        );
        assert_eq!(vec!["02 08:00", "03 08:00"], nightly);
    }

    #[test]
    fn hours_may_span_midnight() {
        let next = runs(
            "0 */2 * * *",
            Some(("22:00", "03:00")),
            "2026-07-01T15:30:00Z",
            4,
        );
        assert_eq!(vec!["01 22:00", "02 00:00", "02 02:00", "02 22:00"], next);
    }

    #[test]
    fn connections_start_at_different_moments_and_each_always_at_its_own() {
        let (cron, zone) = (cron("*/5 * * * *"), TimeZone::UTC);
        // A minute into the five.
        let minute = Timestamp::from_second(1_800_000_060).unwrap();
        let mut starts = std::collections::BTreeSet::new();
        for seed in 0..500 {
            let start = next_run(&cron, &zone, None, seed * 7919, minute).unwrap();
            let again = next_run(&cron, &zone, None, seed * 7919, start).unwrap();
            assert_eq!(SignedDuration::from_mins(5), start.duration_until(again));
            starts.insert(start);
        }
        assert!(starts.len() > 100);
        let (first, last) = (starts.first().unwrap(), starts.last().unwrap());
        assert!(first.duration_until(*last) <= SignedDuration::from_secs(30));
    }
}
