//! What the queue promises, on files of their own.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex};

use rusqlite::params;
use tempfile::TempDir;
use tenon_host::{Mode, RecordRef};

use super::*;
use crate::control::SharedControl;

const LEASE: Duration = Duration::from_secs(60);
const MINUTE: i64 = 60;
const RAN_OUT: Leases = Leases::RanOut { but: Vec::new() };

/// A queue on a file, with a tenant of each name that is used.
struct Desk {
    folder: TempDir,
    control: SharedControl,
    queue: SqliteQueue,
}

impl Desk {
    fn new() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let control = SharedControl::open(folder.path()).unwrap();
        let queue = SqliteQueue::new(control.clone());
        Desk {
            folder,
            control,
            queue,
        }
    }

    /// With connections that are on, such as `shop/crm`.
    async fn with(connections: impl IntoIterator<Item = impl AsRef<str>>) -> Desk {
        let desk = Desk::new();
        for connection in connections {
            desk.connect(connection.as_ref()).await;
        }
        desk
    }

    async fn connect(&self, place: &str) {
        let (tenant, connection) = names(place);
        self.write(move |db| {
            db.execute_batch(
                "INSERT OR IGNORE INTO versions
                 VALUES ('d', 'crm', '1', 1, '{}', '[]', 'file', NULL, 0);",
            )?;
            db.execute(
                "INSERT OR IGNORE INTO tenants (id, name, time_zone, language, created_at)
                 VALUES (?1, '', 'UTC', 'en', 0)",
                [tenant.as_str()],
            )?;
            db.execute(
                "INSERT INTO connections
                     (tenant, id, title, connector, digest, state, settings, created_at)
                 VALUES (?1, ?2, '', 'crm', 'd', 'on', '{}', 0)",
                [tenant.as_str(), connection.as_str()],
            )
        })
        .await;
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> T {
        let work = |db: &rusqlite::Connection| work(db).map_err(Failure::from);
        self.control.write(work).await.unwrap()
    }

    /// Writes the state of a connection, and tells the queue.
    async fn switch(&self, place: &str, state: &'static str, now: i64) {
        self.switch_silently(place, state).await;
        let (tenant, connection) = names(place);
        let switched = self.queue.switched(&tenant, &connection, at(now));
        switched.await.unwrap();
    }

    async fn switch_silently(&self, place: &str, state: &'static str) {
        let (tenant, connection) = names(place);
        self.write(move |db| {
            db.execute(
                "UPDATE connections SET state = ?3 WHERE tenant = ?1 AND id = ?2",
                params![tenant.as_str(), connection.as_str(), state],
            )
        })
        .await;
    }

    /// State of a connection, and why it is paused.
    async fn state(&self, place: &str) -> (String, Option<Told>) {
        let (tenant, connection) = names(place);
        self.write(move |db| {
            db.query_row(
                "SELECT state, paused_reason, paused_why FROM connections WHERE tenant = ?1 AND id = ?2",
                [tenant.as_str(), connection.as_str()],
                |row| Ok((row.get(0)?, Told::read(row, "paused_reason", "paused_why")?)),
            )
        })
        .await
    }

    async fn ask(&self, request: NewRequest, now: i64) -> RequestId {
        self.queue.ask(vec![request], at(now)).await.unwrap()[0]
    }

    async fn claim(&self, now: i64) -> Option<Claim> {
        self.queue.claim(at(now), LEASE).await.unwrap()
    }

    async fn finish(&self, claim: &Claim, ended: Ended, now: i64) -> Next {
        let finished = self.queue.finish(claim.id, claim.fence, ended, at(now));
        finished.await.unwrap()
    }

    async fn list(&self, place: &str) -> Vec<Waiting> {
        let (tenant, connection) = names(place);
        let list = self.queue.list(&tenant, &connection, None, None, 10_000);
        list.await.unwrap()
    }

    async fn states(&self, place: &str) -> Vec<State> {
        let rows = self.list(place).await;
        rows.into_iter().map(|row| row.state).collect()
    }

    async fn retry(&self, place: &str, now: i64) -> u64 {
        let (tenant, connection) = names(place);
        let retried = self.queue.retry(&tenant, &connection, None, at(now));
        retried.await.unwrap()
    }

    async fn recover(&self, leases: Leases, now: i64) -> Vec<Recovered> {
        self.queue.recover(leases, at(now)).await.unwrap()
    }

    /// What another process finds that opens the file.
    fn reopened(self) -> Desk {
        let control = SharedControl::open(self.folder.path()).unwrap();
        let queue = SqliteQueue::new(control.clone());
        Desk {
            folder: self.folder,
            control,
            queue,
        }
    }
}

/// So many seconds after the start of the test.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn names(place: &str) -> (TenantId, ConnectionId) {
    let (tenant, connection) = place.split_once('/').unwrap();
    (tenant.parse().unwrap(), connection.parse().unwrap())
}

fn wanted(place: &str, job: &str) -> NewRequest {
    let (tenant, connection) = names(place);
    NewRequest {
        tenant,
        connection,
        job: job.to_owned(),
        argument: None,
        mode: Mode::Live,
        cause: Cause::Scheduled,
        priority: Priority::Schedule,
        due: None,
    }
}

fn changed(keys: impl IntoIterator<Item = u32>) -> Cause {
    let record = |key: u32| RecordRef {
        kind: tenon_host::model::RecordKind::Order,
        key: key.to_string(),
    };
    Cause::Changed(keys.into_iter().map(record).collect())
}

fn changes(place: &str, job: &str, keys: impl IntoIterator<Item = u32>) -> NewRequest {
    NewRequest {
        cause: changed(keys),
        priority: Priority::Webhook,
        ..wanted(place, job)
    }
}

fn failed(retry: bool) -> Ended {
    Ended::Failed {
        error: Told::by_connector("the counterpart is down"),
        retry,
    }
}

const SUSPENDED: Ended = Ended::Suspended(Suspension::SliceOver);

#[tokio::test]
async fn equal_requests_that_wait_are_one_with_the_records_of_both() {
    let desk = Desk::with(["shop/crm"]).await;
    let first = desk.ask(changes("shop/crm", "orders", [1, 2]), 0).await;
    let both = desk.ask(changes("shop/crm", "orders", [2, 3]), 1).await;
    assert_eq!(first, both);
    let other = desk.ask(changes("shop/crm", "partners", [1]), 2).await;
    assert_ne!(first, other);
    let claim = desk.claim(3).await.unwrap();
    assert_eq!((first, changed([1, 2, 3])), (claim.id, claim.cause.clone()));
    assert_eq!((at(0), at(0)), (claim.created_at, claim.due_at));
}

#[tokio::test]
async fn a_merged_request_is_as_soon_and_as_important_as_either() {
    let desk = Desk::with(["shop/crm"]).await;
    let later = NewRequest {
        due: Some(at(100)),
        ..wanted("shop/crm", "orders")
    };
    let id = desk.ask(later.clone(), 0).await;
    assert_eq!(None, desk.claim(1).await);
    let urgent = NewRequest {
        priority: Priority::Action,
        ..wanted("shop/crm", "orders")
    };
    assert_eq!(id, desk.ask(urgent, 2).await);
    assert_eq!(id, desk.ask(later, 3).await);
    let claim = desk.claim(3).await.unwrap();
    assert_eq!((id, Priority::Action), (claim.id, claim.priority));
}

#[tokio::test]
async fn what_is_asked_while_an_equal_one_runs_runs_after_it() {
    let desk = Desk::with(["shop/crm"]).await;
    desk.ask(changes("shop/crm", "orders", [1]), 0).await;
    let first = desk.claim(0).await.unwrap();
    let second = desk.ask(changes("shop/crm", "orders", [2]), 1).await;
    assert_ne!(first.id, second);
    assert_eq!(None, desk.claim(2).await);
    assert_eq!(Next::Gone, desk.finish(&first, Ended::Done, 3).await);
    let claim = desk.claim(4).await.unwrap();
    assert_eq!((second, changed([2])), (claim.id, claim.cause));
}

#[tokio::test]
async fn a_connection_runs_one_request_at_a_time() {
    let desk = Desk::with(["shop/crm", "shop/store"]).await;
    desk.ask(wanted("shop/crm", "orders"), 0).await;
    desk.ask(wanted("shop/crm", "stock"), 0).await;
    let first = desk.claim(0).await.unwrap();
    assert_eq!(None, desk.claim(0).await);
    desk.ask(wanted("shop/store", "orders"), 0).await;
    let other = desk.claim(0).await.unwrap();
    assert_eq!("store", other.connection.as_str());
    desk.finish(&first, Ended::Done, 1).await;
    assert_eq!("stock", desk.claim(1).await.unwrap().job);
}

#[tokio::test]
async fn a_failed_run_becomes_one_with_an_equal_request_and_keeps_its_distance() {
    let desk = Desk::with(["shop/crm"]).await;
    desk.ask(changes("shop/crm", "orders", [1]), 0).await;
    let first = desk.claim(0).await.unwrap();
    desk.ask(changes("shop/crm", "orders", [2]), 1).await;
    let Next::Again(due) = desk.finish(&first, failed(true), 2).await else {
        panic!("it is to be tried again");
    };
    assert!(at(2 + 30) <= due && due <= at(2 + 60), "{due}");
    // A webhook does not make it sooner.
    desk.ask(changes("shop/crm", "orders", [3]), 3).await;
    assert_eq!(vec![State::Later], desk.states("shop/crm").await);
    assert_eq!(None, desk.claim(3).await);
    assert_eq!(Some(due), desk.queue.next_due().await.unwrap());
    let claim = desk.claim(2 + 60).await.unwrap();
    let Cause::Changed(records) = &claim.cause else {
        panic!("{:?}", claim.cause);
    };
    assert_eq!((3, 2), (records.len(), claim.attempts));
}

#[tokio::test]
async fn a_person_does_not_wait_for_the_next_attempt() {
    let desk = Desk::with(["shop/crm"]).await;
    desk.ask(wanted("shop/crm", "orders"), 0).await;
    let first = desk.claim(0).await.unwrap();
    desk.finish(&first, failed(true), 1).await;
    assert_eq!(None, desk.claim(2).await);
    let urgent = NewRequest {
        priority: Priority::Action,
        ..wanted("shop/crm", "orders")
    };
    desk.ask(urgent, 2).await;
    assert_eq!(2, desk.claim(2).await.unwrap().attempts);
}

#[tokio::test]
async fn a_claim_that_another_took_over_is_refused() {
    let desk = Desk::with(["shop/crm"]).await;
    desk.ask(wanted("shop/crm", "orders"), 0).await;
    let old = desk.claim(0).await.unwrap();
    assert!(desk.recover(RAN_OUT, 59).await.is_empty());
    let recovered = desk.recover(RAN_OUT, 60).await;
    assert_eq!(1, recovered.len());
    assert_eq!((old.id, old.fence), (recovered[0].id, recovered[0].fence));
    assert_eq!(Next::Again(at(60)), recovered[0].next);
    let renew = || desk.queue.renew(old.id, old.fence, at(61), LEASE);
    assert!(matches!(renew().await, Err(QueueFailure::Superseded)));

    let new = desk.claim(61).await.unwrap();
    assert_eq!((old.id, 2), (new.id, new.attempts));
    assert!(new.fence > old.fence);
    assert!(matches!(renew().await, Err(QueueFailure::Superseded)));
    let ended = desk.queue.finish(old.id, old.fence, Ended::Done, at(61));
    assert!(matches!(ended.await, Err(QueueFailure::Superseded)));
    assert_eq!(vec![State::Running], desk.states("shop/crm").await);
    assert_eq!(Next::Gone, desk.finish(&new, Ended::Done, 62).await);
    let again = desk.queue.finish(new.id, new.fence, Ended::Done, at(62));
    assert!(matches!(again.await, Err(QueueFailure::Superseded)));
}

#[tokio::test]
async fn a_claim_that_is_held_is_not_taken_back_although_its_lease_could_not_be_renewed() {
    let desk = Desk::with(["shop/crm"]).await;
    desk.ask(wanted("shop/crm", "orders"), 0).await;
    let claim = desk.claim(0).await.unwrap();
    let held = Leases::RanOut {
        but: vec![claim.fence],
    };
    assert!(desk.recover(held, 600).await.is_empty());
    assert_eq!(Next::Gone, desk.finish(&claim, Ended::Done, 601).await);
}

#[tokio::test]
async fn a_lease_that_is_renewed_does_not_run_out() {
    let desk = Desk::with(["shop/crm"]).await;
    desk.ask(wanted("shop/crm", "orders"), 0).await;
    let claim = desk.claim(0).await.unwrap();
    let renewed = desk.queue.renew(claim.id, claim.fence, at(50), LEASE);
    renewed.await.unwrap();
    assert!(desk.recover(RAN_OUT, 109).await.is_empty());
    assert_eq!(1, desk.recover(RAN_OUT, 110).await.len());
}

#[tokio::test]
async fn what_fails_each_time_is_given_up_and_runs_again_when_a_person_says_so() {
    let desk = Desk::with(["shop/crm"]).await;
    let id = desk.ask(wanted("shop/crm", "orders"), 0).await;
    let mut now = 0;
    for attempt in 1..=8 {
        let claim = desk.claim(now).await.unwrap();
        assert_eq!(attempt, claim.attempts);
        match desk.finish(&claim, failed(true), now).await {
            Next::Again(due) if attempt < 8 => now = due.as_second() + 1 - at(0).as_second(),
            Next::Dead if attempt == 8 => {}
            next => panic!("{next:?} after attempt {attempt}"),
        }
    }
    assert_eq!(None, desk.claim(now + 10_000).await);
    let (tenant, connection) = names("shop/crm");
    let dead = desk.queue.get(&tenant, &connection, id).await.unwrap();
    let dead = dead.unwrap();
    assert_eq!(State::Dead, dead.state);
    assert_eq!(
        Some(Told::by_connector("the counterpart is down")),
        dead.error
    );

    let other = desk
        .queue
        .retry(&tenant, &connection, Some(RequestId(77)), at(now));
    assert_eq!(0, other.await.unwrap());
    assert_eq!(1, desk.retry("shop/crm", now).await);
    assert_eq!(0, desk.retry("shop/crm", now).await);
    let claim = desk.claim(now).await.unwrap();
    assert_eq!((id, 1), (claim.id, claim.attempts));
}

#[tokio::test]
async fn what_cannot_succeed_is_given_up_at_once_and_equal_ones_are_one() {
    let desk = Desk::with(["shop/crm"]).await;
    for record in [1, 2] {
        desk.ask(changes("shop/crm", "orders", [record]), 0).await;
        let claim = desk.claim(0).await.unwrap();
        assert_eq!(Next::Dead, desk.finish(&claim, failed(false), 0).await);
    }
    let dead = desk.list("shop/crm").await;
    assert_eq!(1, dead.len());
    assert_eq!(changed([1, 2]), dead[0].cause);
    // And they join what waits when they are retried.
    desk.ask(changes("shop/crm", "orders", [3]), 1).await;
    assert_eq!(1, desk.retry("shop/crm", 1).await);
    assert_eq!(vec![State::Ready], desk.states("shop/crm").await);
    let Cause::Changed(records) = desk.claim(1).await.unwrap().cause else {
        panic!("records changed");
    };
    assert_eq!(3, records.len());
}

#[tokio::test]
async fn the_important_goes_first_and_waiting_raises() {
    let desk = Desk::with(["a/crm", "b/crm", "c/crm", "d/crm", "e/crm"]).await;
    let ask = async |place: &str, priority, now| {
        let request = wanted(place, "orders");
        desk.ask(
            NewRequest {
                priority,
                ..request
            },
            now,
        )
        .await;
    };
    ask("a/crm", Priority::Backfill, 0).await;
    ask("b/crm", Priority::Schedule, 1).await;
    ask("c/crm", Priority::Webhook, 2).await;
    ask("d/crm", Priority::Action, 3).await;
    let tenant = async |now| desk.claim(now).await.map(|claim| claim.tenant.to_string());
    assert_eq!(Some("d".to_owned()), tenant(4).await);
    assert_eq!(Some("c".to_owned()), tenant(4).await);
    // By now the backfill counts as a webhook, and it is the older one.
    ask("e/crm", Priority::Webhook, 10 * MINUTE).await;
    assert_eq!(Some("b".to_owned()), tenant(10 * MINUTE + 1).await);
    assert_eq!(Some("a".to_owned()), tenant(10 * MINUTE + 1).await);
    assert_eq!(Some("e".to_owned()), tenant(10 * MINUTE + 1).await);
    assert_eq!(None, tenant(10 * MINUTE + 1).await);
}

#[tokio::test]
async fn within_a_connection_too_the_important_goes_first_and_waiting_raises() {
    let desk = Desk::with(["shop/crm"]).await;
    let ask = async |job: &str, priority, now| {
        let request = wanted("shop/crm", job);
        desk.ask(
            NewRequest {
                priority,
                ..request
            },
            now,
        )
        .await;
    };
    ask("products", Priority::Backfill, 0).await;
    ask("orders", Priority::Webhook, 1).await;
    let first = desk.claim(1).await.unwrap();
    assert_eq!("orders", first.job);
    ask("orders", Priority::Webhook, 11 * MINUTE).await;
    desk.finish(&first, Ended::Done, 11 * MINUTE).await;
    assert_eq!("products", desk.claim(11 * MINUTE).await.unwrap().job);
}

#[tokio::test]
async fn a_tenant_with_one_request_is_second_behind_a_tenant_with_a_thousand() {
    for before in [true, false] {
        let many: Vec<_> = (0..1000).map(|number| format!("a/{number}")).collect();
        let desk = Desk::with(&many).await;
        desk.connect("b/crm").await;
        let mut requests: Vec<_> = many.iter().map(|place| wanted(place, "orders")).collect();
        if before {
            requests.push(wanted("b/crm", "orders"));
        }
        desk.queue.ask(requests, at(0)).await.unwrap();
        if !before {
            for _ in 0..10 {
                assert_eq!("a", desk.claim(1).await.unwrap().tenant.as_str());
            }
            desk.ask(wanted("b/crm", "orders"), 1).await;
        }
        let two = [desk.claim(2).await.unwrap(), desk.claim(2).await.unwrap()];
        assert!(
            two.iter().any(|claim| claim.tenant.as_str() == "b"),
            "{two:?}"
        );
    }
}

#[tokio::test]
async fn tenants_take_turns_when_each_has_more_than_one_can_run() {
    let desk = Desk::with([
        "a/1", "a/2", "a/3", "b/1", "b/2", "b/3", "c/1", "c/2", "c/3",
    ])
    .await;
    for place in [
        "a/1", "a/2", "a/3", "b/1", "b/2", "b/3", "c/1", "c/2", "c/3",
    ] {
        desk.ask(wanted(place, "orders"), 0).await;
    }
    for _ in 0..3 {
        let mut round = BTreeSet::new();
        for _ in 0..3 {
            round.insert(desk.claim(1).await.unwrap().tenant.to_string());
        }
        assert_eq!(3, round.len());
    }
}

/// So many requests of one priority, of a connection each.
fn asked(tenant: &str, count: usize, priority: Priority) -> Vec<NewRequest> {
    let request = |number| NewRequest {
        priority,
        ..wanted(&format!("{tenant}/{number}"), "orders")
    };
    (0..count).map(request).collect()
}

#[tokio::test]
async fn many_actions_of_one_tenant_hold_back_nothing_of_another_for_long() {
    let many: Vec<_> = (0..100).map(|number| format!("a/{number}")).collect();
    let desk = Desk::with(&many).await;
    let queue = &desk.queue;
    queue
        .ask(asked("a", 100, Priority::Action), at(0))
        .await
        .unwrap();
    for (tenant, priority) in [
        ("b", Priority::Webhook),
        ("c", Priority::Schedule),
        ("d", Priority::Backfill),
    ] {
        desk.connect(&format!("{tenant}/0")).await;
        queue.ask(asked(tenant, 1, priority), at(1)).await.unwrap();
    }
    let mut order = String::new();
    for _ in 0..8 {
        order.push_str(desk.claim(2).await.unwrap().tenant.as_str());
    }
    // Each of them comes in its order, and none behind more than a few.
    assert_eq!("aabacaad", order);
}

#[tokio::test]
async fn within_a_tenant_the_important_goes_first_whatever_else_waits() {
    let desk = Desk::with(["a/0", "a/1", "a/2", "a/3", "b/0"]).await;
    let priorities = [
        Priority::Backfill,
        Priority::Schedule,
        Priority::Webhook,
        Priority::Action,
    ];
    for (number, priority) in priorities.into_iter().enumerate() {
        let request = asked("a", number + 1, priority).pop().unwrap();
        desk.ask(request, 0).await;
    }
    for connection in ["3", "2", "1", "0"] {
        assert_eq!(connection, desk.claim(1).await.unwrap().connection.as_str());
    }
}

#[tokio::test]
async fn a_tenant_that_holds_its_share_of_the_places_waits_while_others_do() {
    let many: Vec<_> = (0..8).map(|number| format!("a/{number}")).collect();
    let mut desk = Desk::with(&many).await;
    desk.queue = desk.queue.sharing(4);
    desk.connect("b/0").await;
    let queue = &desk.queue;
    queue
        .ask(asked("a", 5, Priority::Action), at(0))
        .await
        .unwrap();
    queue
        .ask(asked("b", 1, Priority::Backfill), at(0))
        .await
        .unwrap();
    let tenant = async || desk.claim(1).await.map(|claim| claim.tenant.to_string());
    let mut order = Vec::new();
    while let Some(tenant) = tenant().await {
        order.push(tenant);
    }
    // While nobody else waits it may have them all.
    assert_eq!(vec!["a", "a", "b", "a", "a", "a"], order);
}

#[tokio::test]
async fn a_run_whose_slice_is_over_goes_behind_others_of_other_tenants() {
    let desk = Desk::with(["a/crm", "b/crm", "c/crm"]).await;
    let ask = async |place: &str, now| {
        let (priority, request) = (Priority::Backfill, wanted(place, "orders"));
        desk.ask(
            NewRequest {
                priority,
                ..request
            },
            now,
        )
        .await;
    };
    for (now, place) in (0..).zip(["a/crm", "b/crm", "c/crm"]) {
        ask(place, now).await;
    }
    let mut order = String::new();
    for now in 3..9 {
        let claim = desk.claim(now).await.unwrap();
        assert_eq!(1, claim.attempts, "getting on is no failed attempt");
        order.push_str(claim.tenant.as_str());
        assert_eq!(
            Next::Again(at(now)),
            desk.finish(&claim, SUSPENDED, now).await
        );
    }
    assert_eq!("abcabc", order);
}

#[tokio::test]
async fn a_run_that_was_stopped_keeps_its_priority_and_one_that_used_up_its_slice_does_not() {
    let desk = Desk::with(["shop/crm"]).await;
    desk.ask(wanted("shop/crm", "orders"), 0).await;
    for (why, priority) in [
        (Suspension::Interrupted, Priority::Schedule),
        (Suspension::SliceOver, Priority::Backfill),
    ] {
        let claim = desk.claim(1).await.unwrap();
        let next = desk.finish(&claim, Ended::Suspended(why), 1).await;
        assert_eq!(Next::Again(at(1)), next);
        assert_eq!(priority, desk.list("shop/crm").await[0].priority);
    }
}

#[tokio::test]
async fn what_goes_on_began_with_its_first_run_and_what_is_asked_anew_begins_anew() {
    let desk = Desk::with(["shop/crm"]).await;
    desk.ask(wanted("shop/crm", "orders"), 0).await;
    desk.ask(wanted("shop/crm", "orders"), 5).await;
    let first = desk.claim(10).await.unwrap();
    assert_eq!((at(0), at(10)), (first.created_at, first.began_at));
    // The rest of it becomes one with what was asked for meanwhile.
    desk.ask(wanted("shop/crm", "orders"), 15).await;
    desk.finish(&first, SUSPENDED, 20).await;
    let second = desk.claim(30).await.unwrap();
    assert_eq!(at(10), second.began_at);
    desk.ask(wanted("shop/crm", "orders"), 35).await;
    desk.finish(&second, Ended::Done, 40).await;
    assert_eq!(at(50), desk.claim(50).await.unwrap().began_at);
}

#[tokio::test]
async fn a_run_that_stops_unasked_goes_on_behind_others_after_a_rest() {
    let desk = Desk::with(["shop/crm"]).await;
    desk.ask(wanted("shop/crm", "orders"), 0).await;
    let claim = desk.claim(0).await.unwrap();
    let unasked = Ended::Suspended(Suspension::Unasked);
    assert_eq!(Next::Again(at(11)), desk.finish(&claim, unasked, 1).await);
    assert_eq!(None, desk.claim(10).await);
    let again = desk.claim(11).await.unwrap();
    assert_eq!((Priority::Backfill, 1), (again.priority, again.attempts));
}

#[tokio::test]
async fn what_cannot_be_done_before_a_time_is_never_given_up_and_equal_wishes_wait_with_it() {
    let desk = Desk::with(["shop/crm"]).await;
    desk.ask(wanted("shop/crm", "orders"), 0).await;
    let mut now = 0;
    for _ in 0..20 {
        let claim = desk.claim(now).await.unwrap();
        let deferred = Ended::Deferred {
            error: Told::by_connector("the day is used up"),
            until: at(now + 1_000),
        };
        let next = desk.finish(&claim, deferred, now + 1).await;
        assert_eq!(Next::Again(at(now + 1_000)), next);
        // Its schedule asks for it again meanwhile.
        desk.ask(wanted("shop/crm", "orders"), now + 10).await;
        assert_eq!(None, desk.claim(now + 20).await);
        now += 1_000;
    }
    let waiting = desk.list("shop/crm").await;
    assert_eq!(1, waiting.len());
    let told = Told::by_connector("the day is used up");
    assert_eq!(Some(&told), waiting[0].error.as_ref());
}

#[tokio::test]
async fn a_run_gives_way_when_something_waits_for_its_place_or_its_connection_and_not_else() {
    let desk = Desk::with(["a/crm", "b/crm"]).await;
    desk.ask(wanted("a/crm", "orders"), 0).await;
    let claim = desk.claim(0).await.unwrap();
    let gives_way = async |full, now| {
        let (tenant, connection) = (&claim.tenant, &claim.connection);
        (desk.queue)
            .gives_way(tenant, connection, claim.priority, full, at(now))
            .await
            .unwrap()
    };
    assert!(!gives_way(true, 1).await);
    let later = |place: &str, job: &str, priority, due| NewRequest {
        priority,
        due: Some(at(due)),
        ..wanted(place, job)
    };
    let stock = later("b/crm", "stock", Priority::Backfill, 5);
    desk.ask(stock, 1).await;
    assert!(!gives_way(true, 4).await);
    // It came due while all places were taken, so that nobody claimed anything.
    assert!(gives_way(true, 5).await);
    assert!(!gives_way(false, 5).await);
    desk.claim(5).await.unwrap();
    assert!(!gives_way(true, 5).await);
    let stock = later("a/crm", "stock", Priority::Backfill, 6);
    desk.ask(stock, 5).await;
    assert!(!gives_way(true, 6).await);
    let partners = later("a/crm", "partners", Priority::Webhook, 7);
    desk.ask(partners, 6).await;
    assert!(!gives_way(false, 6).await);
    assert!(gives_way(false, 7).await);
}

#[tokio::test]
async fn a_connection_that_is_off_runs_nothing_until_it_is_on() {
    let desk = Desk::with(["a/crm", "b/crm"]).await;
    desk.switch("a/crm", "off", 0).await;
    desk.ask(wanted("a/crm", "orders"), 0).await;
    desk.ask(wanted("b/crm", "orders"), 1).await;
    // Switched off behind the queue's back, which is noticed in time.
    desk.switch_silently("b/crm", "off").await;
    assert_eq!(None, desk.claim(2).await);
    assert_eq!(None, desk.queue.figures(at(9)).await.unwrap().oldest);
    let mut changed = desk.queue.changed();
    desk.switch("a/crm", "on", 3).await;
    assert!(changed.has_changed().unwrap());
    changed.mark_unchanged();
    assert_eq!("a", desk.claim(3).await.unwrap().tenant.as_str());
    assert_eq!(None, desk.claim(3).await);
    // Switched on behind its back: found by the next start.
    desk.switch_silently("b/crm", "on").await;
    desk.recover(Leases::All, 4).await;
    assert_eq!("b", desk.claim(4).await.unwrap().tenant.as_str());
}

#[tokio::test]
async fn a_fault_of_the_configuration_pauses_the_connection_and_keeps_the_request() {
    let desk = Desk::with(["shop/crm"]).await;
    let id = desk.ask(wanted("shop/crm", "orders"), 0).await;
    desk.ask(wanted("shop/crm", "stock"), 0).await;
    let claim = desk.claim(1).await.unwrap();
    let reason = Told::by_connector("the API key is wrong");
    let paused = Ended::Paused {
        reason: reason.clone(),
    };
    assert_eq!(Next::Waits, desk.finish(&claim, paused.clone(), 2).await);
    let state = desk.state("shop/crm").await;
    assert_eq!(("paused".to_owned(), Some(reason)), state);
    assert_eq!(None, desk.claim(2).await);
    desk.switch("shop/crm", "on", 3).await;
    let mut ids = HashSet::new();
    for _ in 0..2 {
        let claim = desk.claim(3).await.unwrap();
        assert_eq!(1, claim.attempts);
        ids.insert(claim.id);
        if ids.len() == 1 {
            desk.finish(&claim, Ended::Done, 3).await;
        } else {
            // Off is what an admin wanted while it ran.
            desk.switch("shop/crm", "off", 3).await;
            desk.finish(&claim, paused.clone(), 4).await;
            assert_eq!("off", desk.state("shop/crm").await.0);
        }
    }
    assert!(ids.contains(&id));
}

#[tokio::test]
async fn what_is_asked_of_a_connection_that_is_not_there_is_refused_as_a_whole() {
    let desk = Desk::with(["shop/crm"]).await;
    let requests = vec![wanted("shop/crm", "orders"), wanted("shop/gone", "orders")];
    let refused = desk.queue.ask(requests, at(0)).await.unwrap_err();
    assert_eq!(
        "the tenant shop has no connection gone",
        refused.to_string()
    );
    assert!(desk.list("shop/crm").await.is_empty());
}

#[tokio::test]
async fn a_full_request_takes_no_more_changes() {
    let desk = Desk::with(["shop/crm"]).await;
    let mut ids = BTreeSet::new();
    for start in (0..2500).step_by(500) {
        let request = changes("shop/crm", "orders", start..start + 500);
        ids.insert(desk.ask(request, 0).await);
    }
    assert_eq!(3, ids.len());
    let mut seen = HashSet::new();
    for id in &ids {
        // The first ends by failing once: that loses nothing either.
        let claim = desk.claim(1).await.unwrap();
        assert_eq!(*id, claim.id);
        let Cause::Changed(records) = claim.cause.clone() else {
            panic!("records changed");
        };
        seen.extend(records.into_iter().map(|record| record.key));
        desk.finish(&claim, failed(true), 1).await;
    }
    assert_eq!(2500, seen.len());
    assert_eq!(3, desk.list("shop/crm").await.len());
}

#[tokio::test]
async fn removed_requests_are_gone_and_running_ones_stay() {
    let desk = Desk::with(["shop/crm", "shop/other"]).await;
    let running = desk.ask(wanted("shop/crm", "orders"), 0).await;
    desk.claim(0).await.unwrap();
    let waiting = desk.ask(wanted("shop/crm", "orders"), 0).await;
    let (tenant, connection) = names("shop/crm");
    let other = names("shop/other").1;
    let remove = async |connection, id| {
        let removed = desk.queue.remove(&tenant, connection, id, at(1));
        removed.await.unwrap()
    };
    assert!(!remove(&other, waiting).await);
    assert!(!remove(&connection, running).await);
    assert!(remove(&connection, waiting).await);
    assert!(!remove(&connection, waiting).await);
    assert_eq!(vec![State::Running], desk.states("shop/crm").await);
    // The last one of the line, too.
    let only = desk.ask(wanted("shop/other", "orders"), 1).await;
    assert!(remove(&other, only).await);
    assert_eq!(None, desk.claim(2).await);
}

#[tokio::test]
async fn people_see_pages_and_numbers() {
    let desk = Desk::with(["shop/crm", "shop/other"]).await;
    desk.ask(wanted("shop/other", "orders"), 0).await;
    let mut ids = Vec::new();
    for job in ["a", "b", "c", "d", "e"] {
        ids.push(desk.ask(wanted("shop/crm", job), 10).await);
    }
    let later = NewRequest {
        due: Some(at(500)),
        ..wanted("shop/crm", "f")
    };
    ids.push(desk.ask(later, 10).await);
    let mut changed = desk.queue.changed();
    for dead in [true, false] {
        let claim = loop {
            let claim = desk.claim(11).await.unwrap();
            if claim.connection.as_str() == "crm" {
                break claim;
            }
        };
        if dead {
            desk.finish(&claim, failed(false), 11).await;
        }
    }
    assert!(changed.has_changed().unwrap());
    changed.mark_unchanged();
    let (tenant, connection) = names("shop/crm");
    let page = async |state, after, limit| {
        let page = desk.queue.list(&tenant, &connection, state, after, limit);
        let page = page.await.unwrap();
        page.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(ids[..4], page(None, None, 4).await);
    assert_eq!(ids[4..], page(None, Some(ids[3]), 4).await);
    assert_eq!(ids[..1], page(Some(State::Dead), None, 4).await);
    assert_eq!(ids[1..2], page(Some(State::Running), None, 4).await);
    assert_eq!(ids[3..5], page(Some(State::Ready), Some(ids[2]), 4).await);
    let counts = Counts {
        ready: 3,
        later: 1,
        running: 1,
        dead: 1,
    };
    let own = desk.queue.counts(&tenant, &connection).await.unwrap();
    assert_eq!(counts, own);
    let figures = desk.queue.figures(at(20)).await.unwrap();
    assert_eq!(2, figures.counts.running);
    // All that is ready waits behind what runs.
    assert_eq!(None, figures.oldest);
    let waits = desk.recover(Leases::All, 15).await;
    assert_eq!(2, waits.len());
    let figures = desk.queue.figures(at(20)).await.unwrap();
    assert_eq!(Some(Duration::from_secs(10)), figures.oldest);
    assert_eq!(5, figures.counts.ready);
    assert_eq!(Some(at(500)), desk.queue.next_due().await.unwrap());
}

#[tokio::test]
async fn a_request_becomes_ready_when_it_is_due() {
    let desk = Desk::with(["shop/crm"]).await;
    let mut changed = desk.queue.changed();
    let later = NewRequest {
        due: Some(at(100)),
        ..wanted("shop/crm", "orders")
    };
    desk.ask(later, 0).await;
    changed.changed().await.unwrap();
    assert_eq!(Some(at(100)), desk.queue.next_due().await.unwrap());
    assert_eq!(None, desk.claim(99).await);
    assert_eq!(at(100), desk.claim(100).await.unwrap().due_at);
    assert_eq!(None, desk.queue.next_due().await.unwrap());
}

#[tokio::test]
async fn more_than_a_few_that_come_due_at_once_hide_nothing() {
    let desk = Desk::with(["a/crm", "b/crm"]).await;
    desk.switch("a/crm", "off", 0).await;
    let later = |place: &str, job: String, due| NewRequest {
        due: Some(at(due)),
        ..wanted(place, &job)
    };
    let mut requests: Vec<_> = (0..500)
        .map(|job| later("a/crm", job.to_string(), 10))
        .collect();
    requests.push(later("b/crm", "orders".to_owned(), 20));
    desk.queue.ask(requests, at(0)).await.unwrap();
    assert_eq!("b", desk.claim(30).await.unwrap().tenant.as_str());
}

#[tokio::test]
async fn a_process_that_dies_loses_nothing_and_what_kills_it_is_given_up() {
    let mut desk = Desk::with(["shop/crm", "shop/calm"]).await;
    let id = desk.ask(changes("shop/crm", "orders", [1, 2]), 0).await;
    let mut now = 0;
    for attempt in 1..=8 {
        let claim = desk.claim(now).await.unwrap();
        assert_eq!((id, attempt), (claim.id, claim.attempts));
        assert_eq!(changed([1, 2]), claim.cause);
        // Here the process is gone, with the claim.
        desk = desk.reopened();
        let recovered = desk.recover(Leases::All, now).await;
        match recovered[0].next {
            // It may have been anybody's doing.
            Next::Again(due) if attempt == 1 => assert_eq!(at(now), due),
            Next::Again(due) if attempt < 8 => {
                assert!(at(now + 30) <= due, "{due}");
                now = due.as_second() + 1 - at(0).as_second();
            }
            Next::Dead if attempt == 8 => {}
            next => panic!("{next:?} after attempt {attempt}"),
        }
    }
    assert_eq!(None, desk.claim(now + 10_000).await);
    let dead = desk.list("shop/crm").await;
    assert_eq!((1, State::Dead), (dead.len(), dead[0].state));
    assert!(dead[0].error.as_ref().unwrap().text.contains("attempt 8"));
    desk.ask(wanted("shop/calm", "orders"), now + 10_001).await;
    assert!(desk.claim(now + 10_001).await.is_some());
}

#[tokio::test]
async fn what_ends_the_process_again_and_again_is_given_up_and_nothing_that_ran_beside_it() {
    const AT_ONCE: usize = 16;
    const TAKES: i64 = 20;
    let innocent: Vec<_> = (1..AT_ONCE)
        .map(|number| format!("tenant-{number}/crm"))
        .collect();
    let mut desk = Desk::with(&innocent).await;
    desk.connect("killer/crm").await;
    let places = innocent.iter().map(String::as_str).chain(["killer/crm"]);
    let requests = places.map(|place| wanted(place, "orders")).collect();
    desk.queue.ask(requests, at(0)).await.unwrap();
    let (mut now, mut done, mut deaths) = (0, 0, 0);
    let mut running: Vec<(Claim, i64)> = Vec::new();
    loop {
        while running.len() < AT_ONCE
            && let Some(claim) = desk.claim(now).await
        {
            running.push((claim, now + TAKES));
        }
        if (running.iter()).any(|(claim, _)| claim.tenant.as_str() == "killer") {
            now += 1;
            deaths += 1;
            running.clear();
            desk = desk.reopened();
            desk.recover(Leases::All, now).await;
            continue;
        }
        let due = desk.queue.next_due().await.unwrap();
        let due = due.map(|due| due.as_second() + 1 - at(0).as_second());
        let ends = running.iter().map(|(_, end)| *end).min();
        let Some(next) = due.into_iter().chain(ends).min() else {
            break;
        };
        now = next;
        let (ended, goes_on): (Vec<_>, Vec<_>) =
            running.into_iter().partition(|(_, end)| *end <= now);
        running = goes_on;
        for (claim, _) in ended {
            assert_eq!(Next::Gone, desk.finish(&claim, Ended::Done, now).await);
            done += 1;
        }
    }
    assert_eq!((AT_ONCE - 1, 8), (done, deaths));
    assert_eq!(vec![State::Dead], desk.states("killer/crm").await);
    for place in &innocent {
        assert!(desk.list(place).await.is_empty(), "{place}");
    }
}

#[tokio::test]
async fn the_number_of_attempts_can_be_chosen() {
    let desk = Desk::with(["shop/crm"]).await;
    let queue = SqliteQueue::new(desk.control.clone()).giving_up_after(1);
    desk.ask(wanted("shop/crm", "orders"), 0).await;
    let claim = desk.claim(0).await.unwrap();
    let next = queue.finish(claim.id, claim.fence, failed(true), at(0));
    assert_eq!(Next::Dead, next.await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_workers_never_run_two_of_a_connection_and_leave_nothing_over() {
    let places: Vec<_> = (0..40)
        .map(|number| format!("tenant-{}/{number}", number % 7))
        .collect();
    let desk = Arc::new(Desk::with(&places).await);
    let jobs = ["orders", "stock", "products", "partners"];
    let requests = places
        .iter()
        .flat_map(|place| jobs.map(|job| wanted(place, job)));
    desk.queue.ask(requests.collect(), at(0)).await.unwrap();
    let busy = Arc::new(Mutex::new(HashSet::new()));
    let done = Arc::new(Mutex::new(Vec::new()));
    let workers: Vec<_> = (0..16)
        .map(|_| {
            let (desk, busy, done) = (Arc::clone(&desk), Arc::clone(&busy), Arc::clone(&done));
            tokio::spawn(async move {
                loop {
                    let Some(claim) = desk.claim(1).await else {
                        let left = desk.queue.figures(at(1)).await.unwrap().counts;
                        if left.ready == 0 {
                            break;
                        }
                        tokio::task::yield_now().await;
                        continue;
                    };
                    let place = (claim.tenant.clone(), claim.connection.clone());
                    assert!(
                        busy.lock().unwrap().insert(place.clone()),
                        "two of {place:?}"
                    );
                    tokio::task::yield_now().await;
                    done.lock().unwrap().push((claim.id, claim.fence));
                    busy.lock().unwrap().remove(&place);
                    desk.finish(&claim, Ended::Done, 1).await;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let done = done.lock().unwrap();
    let ids: HashSet<_> = done.iter().map(|(id, _)| id).collect();
    let fences: HashSet<_> = done.iter().map(|(_, fence)| fence).collect();
    assert_eq!((160, 160, 160), (done.len(), ids.len(), fences.len()));
}

/// What must be true of requests whatever happens, kept in the plainest way: which changed records
/// wait, run, or were given up, by connection and job.
#[derive(Default)]
struct Model {
    off: BTreeSet<&'static str>,
    waiting: BTreeMap<(&'static str, String), BTreeSet<u32>>,
    dead: BTreeMap<(&'static str, String), BTreeSet<u32>>,
    running: BTreeMap<&'static str, (Claim, i64)>,
    void: Vec<Claim>,
}

const PLACES: [&str; 4] = ["a/1", "a/2", "b/1", "c/1"];
const MOST: u32 = 3;

impl Model {
    fn waits(&mut self, place: &'static str, claim: &Claim) {
        let records = keys(&claim.cause);
        let waiting = self.waiting.entry((place, claim.job.clone()));
        waiting.or_default().extend(records);
    }

    fn dies(&mut self, place: &'static str, claim: &Claim) {
        let dead = self.dead.entry((place, claim.job.clone()));
        dead.or_default().extend(keys(&claim.cause));
    }

    fn taken_back(&mut self, recovered: &[Recovered], due: impl Fn(i64) -> bool) {
        let places: Vec<_> = self
            .running
            .iter()
            .filter(|(_, (_, until))| due(*until))
            .map(|(place, _)| *place)
            .collect();
        assert_eq!(places.len(), recovered.len());
        for place in places {
            let (claim, _) = self.running.remove(place).unwrap();
            let next = recovered
                .iter()
                .find(|recovered| recovered.fence == claim.fence)
                .map(|recovered| recovered.next)
                .unwrap();
            if claim.attempts >= MOST {
                assert_eq!(Next::Dead, next);
                self.dies(place, &claim);
            } else {
                assert!(matches!(next, Next::Again(_)));
                self.waits(place, &claim);
            }
            self.void.push(claim);
        }
    }

    async fn agrees(&self, desk: &Desk) {
        let (mut waiting, mut dead) = (BTreeMap::new(), BTreeMap::new());
        for place in PLACES {
            let mut running = None;
            for row in desk.list(place).await {
                let shelf = match row.state {
                    State::Ready | State::Later => &mut waiting,
                    State::Dead => &mut dead,
                    State::Running => {
                        assert_eq!(None, running.replace(row.id), "two of {place} run");
                        continue;
                    }
                };
                let records = keys(&row.cause).collect::<BTreeSet<_>>();
                let twice = shelf.insert((place, row.job), records);
                assert_eq!(None, twice, "equal requests are one");
            }
            assert_eq!(self.running.get(place).map(|(claim, _)| claim.id), running);
        }
        assert_eq!(self.waiting, waiting);
        assert_eq!(self.dead, dead);
    }
}

fn keys(cause: &Cause) -> impl Iterator<Item = u32> {
    let Cause::Changed(records) = cause else {
        panic!("{cause:?}");
    };
    records.iter().map(|record| record.key.parse().unwrap())
}

fn place_of(claim: &Claim) -> &'static str {
    let place = format!("{}/{}", claim.tenant, claim.connection);
    PLACES.into_iter().find(|known| *known == place).unwrap()
}

#[tokio::test]
async fn whatever_happens_no_request_is_lost_and_a_connection_runs_one() {
    for seed in 0..12 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut desk = Desk::with(PLACES).await;
        desk.queue = desk.queue.giving_up_after(MOST);
        let mut model = Model::default();
        let mut now = 0;
        for record in 0..200 {
            now += random.i64(0..40);
            step(&mut desk, &mut model, &mut random, record, now).await;
            model.agrees(&desk).await;
        }
    }
}

async fn step(
    desk: &mut Desk,
    model: &mut Model,
    random: &mut fastrand::Rng,
    record: u32,
    now: i64,
) {
    let place = PLACES[random.usize(..PLACES.len())];
    let (tenant, connection) = names(place);
    let job = ["orders", "stock"][random.usize(..2)];
    match random.u32(..100) {
        0..30 => {
            let priorities = [Priority::Action, Priority::Webhook, Priority::Backfill];
            let request = NewRequest {
                priority: priorities[random.usize(..3)],
                due: random.bool().then(|| at(now + random.i64(-50..200))),
                ..changes(place, job, [record])
            };
            desk.ask(request, now).await;
            let waiting = model.waiting.entry((place, job.to_owned()));
            waiting.or_default().insert(record);
        }
        30..60 => match desk.claim(now).await {
            Some(claim) => {
                let place = place_of(&claim);
                assert!(!model.off.contains(place), "{place} is off");
                assert!(claim.due_at <= at(now));
                let records = model.waiting.remove(&(place, claim.job.clone()));
                assert_eq!(records, Some(keys(&claim.cause).collect()));
                let twice = model.running.insert(place, (claim, now + 60));
                assert_eq!(None, twice, "two of {place} run");
            }
            None => {
                for place in PLACES {
                    let idle = !model.off.contains(place) && !model.running.contains_key(place);
                    let due = |row: &Waiting| row.state != State::Dead && row.due_at <= at(now);
                    assert!(!idle || !desk.list(place).await.iter().any(due));
                }
            }
        },
        60..80 => {
            let Some((claim, _)) = model.running.remove(place) else {
                return;
            };
            let ended = match random.u32(..6) {
                0 | 1 => Ended::Done,
                2 => Ended::Suspended(
                    [
                        Suspension::Interrupted,
                        Suspension::SliceOver,
                        Suspension::Unasked,
                    ][random.usize(..3)],
                ),
                3 => failed(true),
                4 => failed(false),
                _ => Ended::Paused {
                    reason: Told::by_connector("no key"),
                },
            };
            let next = desk.finish(&claim, ended.clone(), now).await;
            let dead = matches!(&ended, Ended::Failed { retry, .. }
                if !retry || claim.attempts >= MOST);
            match ended {
                Ended::Done => assert_eq!(Next::Gone, next),
                _ if dead => {
                    assert_eq!(Next::Dead, next);
                    model.dies(place, &claim);
                }
                Ended::Paused { .. } => {
                    assert_eq!(Next::Waits, next);
                    model.off.insert(place);
                    model.waits(place, &claim);
                }
                _ => {
                    assert!(matches!(next, Next::Again(_)));
                    model.waits(place, &claim);
                }
            }
            model.void.push(claim);
        }
        80..84 => {
            let recovered = desk.recover(RAN_OUT, now).await;
            model.taken_back(&recovered, |until| until <= now);
        }
        84..86 => {
            let control = SharedControl::open(desk.folder.path()).unwrap();
            desk.queue = SqliteQueue::new(control.clone()).giving_up_after(MOST);
            desk.control = control;
            let recovered = desk.recover(Leases::All, now).await;
            model.taken_back(&recovered, |_| true);
        }
        86..90 => {
            if let Some((claim, until)) = model.running.get_mut(place) {
                let renewed = desk.queue.renew(claim.id, claim.fence, at(now), LEASE);
                renewed.await.unwrap();
                *until = now + 60;
            }
        }
        90..92 => {
            let dead = model.dead.extract_if(.., |(of, _), _| *of == place);
            let dead: Vec<_> = dead.collect();
            assert_eq!(dead.len() as u64, desk.retry(place, now).await);
            for (key, records) in dead {
                model.waiting.entry(key).or_default().extend(records);
            }
        }
        92..94 => {
            let rows = desk.list(place).await;
            let Some(row) = rows.get(random.usize(..rows.len().max(1))) else {
                return;
            };
            let removed = desk.queue.remove(&tenant, &connection, row.id, at(now));
            let removed = removed.await.unwrap();
            let key = (place, row.job.clone());
            let known = match row.state {
                State::Ready | State::Later => model.waiting.remove(&key).is_some(),
                State::Dead => model.dead.remove(&key).is_some(),
                State::Running => false,
            };
            assert_eq!(known, removed);
        }
        94..98 => {
            let on = model.off.remove(place);
            if !on {
                model.off.insert(place);
            }
            desk.switch(place, if on { "on" } else { "off" }, now).await;
        }
        _ => {
            for claim in &model.void {
                let ended = desk
                    .queue
                    .finish(claim.id, claim.fence, Ended::Done, at(now));
                assert!(matches!(ended.await, Err(QueueFailure::Superseded)));
            }
        }
    }
}
