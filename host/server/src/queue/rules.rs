//! What the queue decides, apart from where it keeps requests. Times are milliseconds since 1970.
//!
//! Five things would go wrong with a plain list, and each has its rule here. Work that is asked for
//! faster than it is done would pile up: equal requests merge. A counterpart that is down would be
//! called by every connection at the same moment again and again: attempts are spread at random, ever
//! further apart. Important work would keep the rest from running for good: waiting raises, and what
//! is important to one tenant comes no more than a few turns before what another one has. A tenant
//! with many connections would hold every place: it has a share of them while others wait. And what
//! takes the process down would take along what ran beside it: those are spread, too.

use std::collections::HashSet;

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tenon_host::{Cause, Mode, RecordRef};

use super::{NewRequest, Priority};
use crate::told::Told;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;

/// Waiting so long raises a request by one priority.
const RISE: i64 = 5 * MINUTE;

/// Between two attempts there is at least so much,
const SHORTEST: i64 = 30 * SECOND;
/// and at most so much.
const LONGEST: i64 = 60 * MINUTE;

/// Rest of a run that stopped although nobody asked it to, so that one which gets nowhere does not
/// keep a place busy with beginning.
pub const REST: i64 = 10 * SECOND;

/// How many turns later a tenant comes, by the class of what it runs next. Within a tenant the class
/// decides; between tenants the important goes first, but a tenant that had so many turns more has
/// had its share.
const BEHIND: [i64; 4] = [0, 1, 2, 4];

/// A request with so many changed records takes no more: the next ones make a new request, so that
/// what is read and written for one change does not grow with those that wait.
const FULL: usize = 1000;

/// What equal requests of a connection have in common: all but priority, time and changed records.
pub fn merge_key(request: &NewRequest) -> [u8; 32] {
    let record = |record: &RecordRef| json!([record.kind.name(), record.key]);
    let cause = match &request.cause {
        Cause::Scheduled => json!(["scheduled"]),
        Cause::Asked => json!(["asked"]),
        Cause::Action { action, target } => json!(["action", action, record(target)]),
        Cause::Webhook => json!(["webhook"]),
        Cause::Changed(_) => json!(["changed"]),
        Cause::Visited(visited) => json!(["visited", record(visited)]),
    };
    // Kept with requests that wait: what a request was before there were three modes stays its key.
    let mode = match request.mode {
        Mode::Live => json!(false),
        Mode::Preview => json!(true),
        Mode::Compare => json!("compare"),
    };
    let whole = json!([request.job, request.argument, mode, cause]);
    Sha256::digest(whole.to_string()).into()
}

/// The key of a full request: no other has it.
pub fn own_key(key: &[u8], id: i64) -> [u8; 32] {
    Sha256::new_with_prefix(key)
        .chain_update(id.to_be_bytes())
        .finalize()
        .into()
}

/// Whether a request takes no more changed records.
pub fn is_full(cause: &Cause) -> bool {
    matches!(cause, Cause::Changed(records) if records.len() >= FULL)
}

/// In what equal requests differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub cause: Cause,
    pub priority: Priority,
    pub due_at: i64,
    pub created_at: i64,
    /// When it was first claimed.
    pub began_at: Option<i64>,
    pub attempts: u32,
    pub error: Option<Told>,
}

/// One wish for both.
///
/// It is due when the sooner one is. But where one failed and is to wait before its next attempt, the
/// other one waits with it, unless a person asked: otherwise a counterpart that is down and sends
/// webhooks all the same would use up all attempts within seconds.
pub fn merge(kept: Wish, more: Wish) -> Wish {
    let backs_off =
        |one: &Wish, other: &Wish| one.attempts > 0 && other.priority != Priority::Action;
    let due_at = match (backs_off(&kept, &more), backs_off(&more, &kept)) {
        (true, true) => kept.due_at.max(more.due_at),
        (true, false) => kept.due_at,
        (false, true) => more.due_at,
        (false, false) => kept.due_at.min(more.due_at),
    };
    Wish {
        cause: union(kept.cause, more.cause),
        priority: kept.priority.min(more.priority),
        due_at,
        created_at: kept.created_at.min(more.created_at),
        began_at: kept.began_at.into_iter().chain(more.began_at).min(),
        attempts: kept.attempts.max(more.attempts),
        error: more.error.or(kept.error),
    }
}

fn union(kept: Cause, more: Cause) -> Cause {
    match (kept, more) {
        (Cause::Changed(mut records), Cause::Changed(more)) => {
            let name = |record: &RecordRef| (record.kind, record.key.clone());
            let mut named: HashSet<_> = records.iter().map(name).collect();
            records.extend(more.into_iter().filter(|record| named.insert(name(record))));
            Cause::Changed(records)
        }
        (kept, _) => kept,
    }
}

/// How long to wait after so many failed attempts. `chance` is a random number from 0 to 1.
pub fn backoff(attempts: u32, chance: f64) -> i64 {
    let bound = 2i64
        .checked_pow(attempts)
        .and_then(|times| SHORTEST.checked_mul(times))
        .map_or(LONGEST, |bound| bound.min(LONGEST));
    // The product is between 0 and an hour of milliseconds.
    SHORTEST + ((bound - SHORTEST) as f64 * chance.clamp(0.0, 1.0)) as i64
}

/// How long a request waits whose process ended before its run did. Once is nothing: something else
/// may have ended the process. From then on those that ran together are spread at random, so that
/// the one which ends the process is soon alone when it does.
pub fn after_crash(attempts: u32, chance: f64) -> i64 {
    match attempts {
        0 | 1 => 0,
        more => backoff(more - 1, chance),
    }
}

/// How many places a tenant may hold while others wait.
pub fn share(places: u32) -> u32 {
    (places / 2).max(1)
}

/// The oldest ready request of a priority of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub id: i64,
    pub priority: Priority,
    pub due_at: i64,
}

/// Where a connection stands in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it runs next.
    pub next: i64,
    /// The priority of that, raised by waiting.
    pub class: u8,
    /// When that became ready.
    pub since: i64,
    /// When waiting raises one of its requests next.
    pub rises_at: Option<i64>,
}

/// The place of a connection with these ready requests; none without any.
pub fn place(heads: &[Head], now: i64) -> Option<Place> {
    let rank = |head: &&Head| (class(head, now), head.due_at, head.id);
    let next = heads.iter().min_by_key(rank)?;
    Some(Place {
        next: next.id,
        class: class(next, now),
        since: next.due_at,
        rises_at: heads.iter().filter_map(|head| rises_at(head, now)).min(),
    })
}

/// Where a tenant stands whose turn this is, and which runs something of this class next.
pub fn standing(turn: i64, class: u8) -> i64 {
    let behind = BEHIND.get(usize::from(class)).or(BEHIND.last());
    turn.saturating_add(behind.copied().unwrap_or_default())
}

/// Whether a run of this priority lets go of its connection for what waits for that.
pub fn gives_way(priority: Priority, waiting: &[Head], now: i64) -> bool {
    (waiting.iter()).any(|head| class(head, now) <= priority as u8)
}

fn class(head: &Head, now: i64) -> u8 {
    let rises = now.saturating_sub(head.due_at).max(0) / RISE;
    (head.priority as u8).saturating_sub(rises.try_into().unwrap_or(u8::MAX))
}

fn rises_at(head: &Head, now: i64) -> Option<i64> {
    let rises = i64::from(head.priority as u8 - class(head, now));
    (class(head, now) > 0).then(|| head.due_at.saturating_add((rises + 1) * RISE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(keys: std::ops::Range<usize>) -> Cause {
        Cause::Changed(
            keys.map(|key| RecordRef {
                kind: tenon_host::model::RecordKind::Order,
                key: key.to_string(),
            })
            .collect(),
        )
    }

    fn wish(priority: Priority, due_at: i64, attempts: u32) -> Wish {
        Wish {
            cause: Cause::Scheduled,
            priority,
            due_at,
            created_at: 0,
            began_at: None,
            attempts,
            error: None,
        }
    }

    fn request(job: &str, argument: Option<&str>, cause: Cause) -> NewRequest {
        NewRequest {
            tenant: "shop".parse().unwrap(),
            connection: "crm".parse().unwrap(),
            job: job.to_owned(),
            argument: argument.map(str::to_owned),
            mode: Mode::Live,
            cause,
            priority: Priority::Schedule,
            due: None,
        }
    }

    #[test]
    fn requests_are_equal_whatever_records_changed_and_differ_in_all_else() {
        let plain = request("orders", None, changed(0..1));
        let key = merge_key(&plain);
        assert_eq!(key, merge_key(&request("orders", None, changed(5..9))));
        let visit = |key: &str| {
            Cause::Visited(RecordRef {
                kind: tenon_host::model::RecordKind::Partner,
                key: key.to_owned(),
            })
        };
        let press = |action: &str, key: &str| Cause::Action {
            action: action.to_owned(),
            target: RecordRef {
                kind: tenon_host::model::RecordKind::Partner,
                key: key.to_owned(),
            },
        };
        let mut different = vec![
            key,
            merge_key(&request("stock", None, changed(0..1))),
            merge_key(&request("orders", Some(""), changed(0..1))),
            merge_key(&request("orders", Some("1"), changed(0..1))),
            merge_key(&NewRequest {
                mode: Mode::Preview,
                ..plain
            }),
        ];
        let causes = [
            Cause::Scheduled,
            Cause::Asked,
            Cause::Webhook,
            visit("1"),
            visit("2"),
            press("send", "1"),
            press("send", "2"),
            press("check", "1"),
        ];
        different.extend(causes.map(|cause| merge_key(&request("orders", None, cause))));
        different.sort_unstable();
        different.dedup();
        assert_eq!(13, different.len());
    }

    #[test]
    fn records_that_changed_twice_are_named_once() {
        assert_eq!(changed(0..7), union(changed(0..5), changed(3..7)));
        assert!(!is_full(&changed(0..FULL - 1)));
        assert!(is_full(&changed(0..FULL)));
    }

    #[test]
    fn one_wish_is_as_soon_and_as_important_as_the_sooner_and_the_more_important_one() {
        let merged = merge(
            wish(Priority::Backfill, 5, 0),
            wish(Priority::Webhook, 9, 0),
        );
        assert_eq!((Priority::Webhook, 5), (merged.priority, merged.due_at));
    }

    #[test]
    fn only_a_person_makes_a_failed_attempt_wait_less() {
        let failed = wish(Priority::Schedule, 900, 3);
        let webhook = wish(Priority::Webhook, 5, 0);
        for merged in [
            merge(failed.clone(), webhook.clone()),
            merge(webhook, failed.clone()),
        ] {
            assert_eq!((900, 3), (merged.due_at, merged.attempts));
        }
        let person = wish(Priority::Action, 5, 0);
        for merged in [merge(failed.clone(), person.clone()), merge(person, failed)] {
            assert_eq!((5, 3), (merged.due_at, merged.attempts));
        }
    }

    #[test]
    fn attempts_are_spread_between_half_a_minute_and_ever_more_up_to_an_hour() {
        for attempts in [1, 2, 7, 8, 62, 63, u32::MAX] {
            assert_eq!(SHORTEST, backoff(attempts, 0.0));
        }
        assert_eq!(MINUTE, backoff(1, 1.0));
        assert_eq!(2 * MINUTE, backoff(2, 1.0));
        assert_eq!(32 * MINUTE, backoff(6, 1.0));
        for attempts in [7, 8, 62, 63, u32::MAX] {
            assert_eq!(LONGEST, backoff(attempts, 1.0));
        }
        assert_eq!((SHORTEST + MINUTE) / 2, backoff(1, 0.5));
    }

    #[test]
    fn waiting_raises_a_request_up_to_the_first_class() {
        let head = Head {
            id: 1,
            priority: Priority::Schedule,
            due_at: 1000,
        };
        let at = |waited: i64| {
            let place = place(&[head], 1000 + waited).unwrap();
            (place.class, place.rises_at.map(|at| at - 1000))
        };
        assert_eq!((2, Some(RISE)), at(-5));
        assert_eq!((2, Some(RISE)), at(RISE - 1));
        assert_eq!((1, Some(2 * RISE)), at(RISE));
        assert_eq!((1, Some(2 * RISE)), at(2 * RISE - 1));
        assert_eq!((0, None), at(2 * RISE));
        assert_eq!((0, None), at(i64::MAX - 1000));
    }

    #[test]
    fn a_connection_runs_what_is_most_important_and_then_what_waited_longest() {
        let head = |id, priority, due_at| Head {
            id,
            priority,
            due_at,
        };
        assert_eq!(None, place(&[], 0));
        let new = head(2, Priority::Webhook, RISE);
        let old = head(1, Priority::Backfill, 0);
        assert_eq!(2, place(&[new, old], RISE).unwrap().next);
        let place = place(&[new, old], 2 * RISE - 1).unwrap();
        assert_eq!((2, 1, RISE), (place.next, place.class, place.since));
        assert_eq!(Some(2 * RISE), place.rises_at);
        let both_at_one = super::place(&[head(2, Priority::Webhook, 2 * RISE), old], 2 * RISE);
        assert_eq!(1, both_at_one.unwrap().next);
    }

    #[test]
    fn a_first_crash_costs_nothing_and_later_ones_spread_what_ran_together() {
        assert_eq!(0, after_crash(1, 1.0));
        assert_eq!(
            (SHORTEST, MINUTE),
            (after_crash(2, 0.0), after_crash(2, 1.0))
        );
        assert_eq!(2 * MINUTE, after_crash(3, 1.0));
        assert_eq!(LONGEST, after_crash(u32::MAX, 1.0));
    }

    #[test]
    fn the_important_goes_first_between_tenants_until_one_has_had_a_few_turns_more() {
        let ahead =
            |turns: i64, action: u8, other: u8| standing(turns, action) < standing(0, other);
        for (more, class) in [(1, Priority::Webhook), (2, Priority::Schedule)] {
            assert!(ahead(more - 1, Priority::Action as u8, class as u8));
            assert!(!ahead(more, Priority::Action as u8, class as u8));
        }
        assert!(ahead(3, Priority::Action as u8, Priority::Backfill as u8));
        assert!(!ahead(4, Priority::Action as u8, Priority::Backfill as u8));
    }

    #[test]
    fn a_tenant_holds_half_of_the_places_and_at_least_one_while_others_wait() {
        let shares = [0, 1, 2, 3, 16].map(share);
        assert_eq!([1, 1, 1, 1, 8], shares);
    }

    #[test]
    fn a_run_gives_way_on_its_connection_to_what_is_as_important_and_to_nothing_else() {
        let head = |priority, due_at| Head {
            id: 1,
            priority,
            due_at,
        };
        let webhook = head(Priority::Webhook, 0);
        assert!(!gives_way(Priority::Backfill, &[], 0));
        assert!(gives_way(Priority::Backfill, &[webhook], 0));
        assert!(gives_way(Priority::Webhook, &[webhook], 0));
        assert!(!gives_way(Priority::Action, &[webhook], 0));
        // Until that has waited for so long that it counts as much.
        assert!(gives_way(Priority::Action, &[webhook], RISE));
    }
}
