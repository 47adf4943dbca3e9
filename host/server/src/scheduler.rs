//! When jobs run by themselves: cron in the tenant's time zone, within the hours of exchange.
//!
//! A job that should have run while the server was down runs once, not once for each time missed:
//! only the next time is kept, and it is always reckoned from now. If the hours are over by then, it
//! waits until they begin again. The request is in the queue before the next time is written; a
//! process that dies in between asks twice, and equal requests merge.
//!
//! Timers lie with the state of their connection, in the file of its tenant. Whoever writes there may
//! hold it for long, so tenants are woken side by side and none waits for another.

use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use tenon_host::ids::TenantId;
use tenon_host::schedule::Cron;
use tenon_host::{Cause, Mode};

use crate::control::Failure;
use crate::control::connections::Window;
use crate::control::schedules::{self, Due};
use crate::one_each::OneEach;
use crate::queue::{NewRequest, Priority};
use crate::service::{Error, Service};

/// Longest shift of a start, so that the connections of many tenants do not all start at the full
/// minute.
const JITTER: SignedDuration = SignedDuration::from_secs(60);

/// Schedules, or connections of a tenant with timers, that are looked at together.
const BATCH: u32 = 500;

/// Tenants whose connections are woken at one time.
const AT_ONCE: usize = 16;

/// A start that comes so much later than planned is still in time, also when the hours end meanwhile.
const LATE: SignedDuration = SignedDuration::from_mins(1);

/// Longest sleep: so soon it is noticed that the clock of the machine was set.
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
    let start = match window {
        Some(window) => opens_at(window, zone, next).unwrap_or(next),
        None => next,
    };
    Some(start + shift)
}

/// When the hours begin that a moment is outside of; none when it is within.
pub(crate) fn opens_at(window: Window, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    let local = at.to_zoned(zone.clone());
    if window.contains(local.time()) {
        return None;
    }
    let today = local.date().to_datetime(window.from);
    let start = |day| zone.to_ambiguous_timestamp(day).compatible().ok();
    match start(today) {
        Some(start) if start > at => Some(start),
        _ => start(today.checked_add(1.day()).ok()?),
    }
}

/// To when a job that is due only now is put off, because the hours are over.
fn put_off(
    cron: &Cron,
    zone: &TimeZone,
    window: Option<Window>,
    seed: u64,
    now: Timestamp,
) -> Option<Timestamp> {
    let window = window?;
    opens_at(window, zone, now - LATE)?;
    Some(opens_at(window, zone, now)? + shift(cron, seed))
}

/// The same for a connection's job each time: up to a twentieth of the time between two runs.
fn shift(cron: &Cron, seed: u64) -> SignedDuration {
    let first = cron.next_after(Timestamp::UNIX_EPOCH, &TimeZone::UTC);
    let second = first.and_then(|first| cron.next_after(first, &TimeZone::UTC));
    let (Some(first), Some(second)) = (first, second) else {
        return SignedDuration::ZERO;
    };
    let most = JITTER.min(first.duration_until(second) / 20).as_millis();
    let most = u64::try_from(most).unwrap_or(0).max(1);
    SignedDuration::from_millis(i64::try_from(seed % most).unwrap_or(0))
}

/// Asks for what is due, until the service stops.
pub async fn run(service: Service) {
    tokio::join!(
        ask_for_due(&service),
        wake_all(&service),
        service.take_up_plans()
    );
}

async fn ask_for_due(service: &Service) {
    while !service.stopping() {
        let more = match go_round(service).await {
            Ok(more) => {
                service.beat();
                more
            }
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

pub(crate) async fn go_round(service: &Service) -> Result<bool, Error> {
    service.keep_time().await?;
    tick(service, service.now()).await
}

/// Asks for the jobs that are due at this moment; tells whether there may be more.
async fn tick(service: &Service, now: Timestamp) -> Result<bool, Error> {
    let due = (service.control())
        .read(move |db| schedules::due(db, now, BATCH))
        .await?;
    if due.is_empty() {
        return Ok(false);
    }
    let more = due.len() >= BATCH as usize;
    let mut requests = Vec::new();
    let mut planned = Vec::new();
    for due in due {
        let cron = Cron::from_str(&due.cron).ok();
        let (zone, window, seed) = (&due.zone, due.window, due.seed());
        let waits = (cron.as_ref()).and_then(|cron| put_off(cron, zone, window, seed, now));
        if waits.is_none() {
            requests.push(request(&due));
        }
        let next = waits.or_else(|| next_run(&cron?, zone, window, seed, now));
        planned.push((due, next));
    }
    service.queue().ask(requests, now).await?;
    (service.control())
        .write(move |db| {
            for (due, next) in &planned {
                schedules::advance(db, due, *next)?;
            }
            Ok::<_, Failure>(())
        })
        .await?;
    Ok(more)
}

fn request(due: &Due) -> NewRequest {
    NewRequest {
        tenant: due.tenant.clone(),
        connection: due.connection.clone(),
        job: due.job.clone(),
        argument: None,
        mode: Mode::Live,
        cause: Cause::Scheduled,
        priority: Priority::Schedule,
        due: None,
    }
}

/// Asks for the timers that come due, until the service stops.
async fn wake_all(service: &Service) {
    let mut waking: OneEach<TenantId> = OneEach::at_most(AT_ONCE);
    while !service.stopping() {
        let now = service.now();
        let due = (service.control())
            .read(move |db| Ok::<_, Failure>(schedules::tenants_to_wake(db, now)?))
            .await;
        let tenants = due.unwrap_or_else(|error| {
            tracing::error!("timers: {error}");
            Vec::new()
        });
        for tenant in tenants {
            if !waking.is_full() && !waking.keys().any(|other| *other == tenant) {
                waking.begin(tenant.clone(), wake(service.clone(), tenant, now));
            }
        }
        tokio::select! {
            () = waking.ended() => {}
            () = tokio::time::sleep(SLEEP) => {}
            () = service.stopped() => {}
        }
    }
}

/// Wakes the connections of a tenant, one after the other.
async fn wake(service: Service, tenant: TenantId, now: Timestamp) {
    match wake_due(&service, &tenant, now).await {
        Ok(true) => return,
        Ok(false) => {}
        Err(error) => tracing::error!("the timers of tenant {tenant}: {error}"),
    }
    // Some are due still, and would be tried again at once.
    tokio::time::sleep(SLEEP).await;
}

/// Tells whether all could be woken.
async fn wake_due(service: &Service, tenant: &TenantId, now: Timestamp) -> Result<bool, Error> {
    let owner = tenant.clone();
    let connections = (service.control())
        .read(move |db| Ok::<_, Failure>(schedules::to_wake(db, &owner, now, BATCH)?))
        .await?;
    let (mut all, mut ended) = (true, Ok(()));
    for connection in connections {
        if service.stopping() {
            break;
        }
        match service.wake(tenant, &connection, now).await {
            Ok(woken) => all &= woken,
            // It keeps none of the others back.
            Err(error) => ended = Err(error),
        }
    }
    ended.map(|()| all)
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
    fn hours_begin_when_the_clock_shows_it_also_when_it_jumps() {
        let hours = Some(("03:00", "05:00"));
        // The clock goes from 03:00 to 04:00: the hours begin and are an hour shorter.
        let spring = runs("30 * * * *", hours, "2026-03-28T22:00:00Z", 2);
        assert_eq!(vec!["29 04:00", "29 04:30"], spring);
        // It shows 03:00 twice: the hours begin with the first and are an hour longer.
        let autumn = runs("0 * * * *", hours, "2026-10-24T22:00:00Z", 4);
        assert_eq!(vec!["25 03:00", "25 03:00", "25 04:00", "26 03:00"], autumn);
    }

    #[test]
    fn what_is_due_after_the_hours_waits_until_they_begin_again() {
        let cron = cron("*/30 * * * *");
        let window = Window {
            from: time_of_day("08:00").unwrap(),
            to: time_of_day("20:00").unwrap(),
        };
        let put_off_at = |now: &str, window| {
            let next = put_off(&cron, &kyiv(), window, 0, now.parse().unwrap());
            next.map(|next| next.to_string())
        };
        let late = "2026-07-01T20:30:00Z";
        let morning = Some("2026-07-02T05:00:00Z".to_owned());
        assert_eq!(morning, put_off_at(late, Some(window)));
        assert_eq!(None, put_off_at(late, None));
        assert_eq!(None, put_off_at("2026-07-01T16:59:59Z", Some(window)));
        // One that was planned for the last minute runs.
        assert_eq!(None, put_off_at("2026-07-01T17:00:30Z", Some(window)));
        assert_eq!(morning, put_off_at("2026-07-01T17:01:30Z", Some(window)));
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
        assert!(first.duration_until(*last) <= SignedDuration::from_secs(15));
    }
}
