//! Lets connectors read the webhooks that were stored, and asks for the runs that they want.
//!
//! The threats: a connector that is slow to read, one that asks for the impossible, and one that
//! takes the process down by reading. The first holds back its own webhooks alone: several
//! connections read at one time, one webhook each, and tenants take turns. The last is given up: an
//! attempt is counted durably before it is made.
//!
//! Each write to the control database waits for the disk, so they are shared. The write that stores a
//! webhook also takes it when its connection reads none, and the one that has read a webhook takes
//! the next. So a webhook costs two writes, however many wait, and nobody looks for one in between.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::model::Fault;
use tenon_host::reason::Reason;
use tenon_host::{CallError, Cause, Mode, Webhook};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::control::{Failure, maintenance, webhooks};
use crate::observe;
use crate::queue::{NewRequest, Priority};
use crate::service::{Error, Service};
use crate::told::Told;

/// Webhooks that are read at one time, of a connection each.
const AT_ONCE: usize = 8;

/// Attempts after which a webhook waits for people.
const ATTEMPTS: u32 = 6;

/// Longest sleep: the clock of the machine may be set meanwhile.
const SLEEP: Duration = Duration::from_secs(1);

/// A connection of a tenant.
pub type Place = (TenantId, ConnectionId);

/// Which connections read a webhook, and when somebody has to look for more. Clones are one.
#[derive(Clone, Default)]
pub(crate) struct Inbox(Arc<Shared>);

#[derive(Default)]
struct Shared {
    clock: Clock,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Whether webhooks are read: only while the server runs.
    open: bool,
    busy: HashSet<Place>,
    /// Whose turn it was last.
    tenant: String,
    look_at: Option<Timestamp>,
}

impl Inbox {
    /// That goes by a clock.
    pub fn by(clock: Clock) -> Inbox {
        Inbox(Arc::new(Shared {
            clock,
            ..Shared::default()
        }))
    }

    /// The present moment, by that clock.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Wakes who looks for webhooks: one may wait that nobody takes on the way.
    pub fn look(&self) {
        self.look_at(self.now());
    }

    fn look_at(&self, at: Timestamp) {
        {
            let mut state = self.state();
            state.look_at = Some(state.look_at.map_or(at, |known| known.min(at)));
        }
        self.0.changed.notify_one();
    }

    /// Waits until it is time to look.
    async fn time_to_look(&self) {
        loop {
            let wait = match self.state().look_at {
                Some(at) => self.now().duration_until(at),
                None => SignedDuration::MAX,
            };
            let Ok(wait) = Duration::try_from(wait) else {
                return;
            };
            if wait.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(wait.min(SLEEP)) => {}
                () = self.0.changed.notified() => {}
            }
        }
    }

    fn open(&self, open: bool) {
        self.state().open = open;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        (self.0.state.lock()).unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self) -> bool {
        self.open && self.busy.len() < AT_ONCE
    }
}

/// A webhook that is being read, with the place that it takes.
pub struct Taken {
    id: i64,
    attempt: u32,
    webhook: Webhook,
    turn: Turn,
}

/// Keeps all others of a connection from being read, for as long as it is held.
struct Turn {
    inbox: Inbox,
    place: Place,
    /// Whether who ends it looks for the next webhook.
    looked_after: bool,
}

impl Turn {
    /// The place must be idle.
    fn new(inbox: &Inbox, state: &mut State, place: Place) -> Turn {
        state.busy.insert(place.clone());
        Turn {
            inbox: inbox.clone(),
            place,
            looked_after: false,
        }
    }

    /// Ends it and takes the next webhook.
    fn pass_on(mut self, db: &Connection, now: Timestamp) -> Result<Option<Taken>, Failure> {
        self.looked_after = true;
        let inbox = self.inbox.clone();
        drop(self);
        take(db, &inbox, now)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.inbox.state().busy.remove(&self.place);
        if !self.looked_after {
            self.inbox.look();
        }
    }
}

/// Takes a webhook that was just stored, when its connection reads none. Otherwise whoever ends a
/// turn takes it.
pub fn take_new(
    db: &Connection,
    inbox: &Inbox,
    id: i64,
    due_at: Timestamp,
    place: Place,
    webhook: Webhook,
    now: Timestamp,
) -> Result<Option<Taken>, Failure> {
    if due_at > now {
        inbox.look_at(due_at);
        return Ok(None);
    }
    let mut state = inbox.state();
    if !state.has_room()
        || state.busy.contains(&place)
        || maintenance::holds(db, &place.0, &place.1)?
    {
        return Ok(None);
    }
    let attempt = count_attempt(db, id, now, fastrand::f64())?;
    Ok(attempt.map(|attempt| Taken {
        id,
        attempt,
        webhook,
        turn: Turn::new(inbox, &mut state, place),
    }))
}

/// Takes the webhook whose turn it is; none when there is no room or none is due.
fn take(db: &Connection, inbox: &Inbox, now: Timestamp) -> Result<Option<Taken>, Failure> {
    let mut state = inbox.state();
    while state.has_room() {
        let is_busy = |tenant: &TenantId, connection: &ConnectionId| {
            state.busy.contains(&(tenant.clone(), connection.clone()))
        };
        let Some(due) = webhooks::next(db, now, &state.tenant, is_busy)? else {
            break;
        };
        state.tenant = due.tenant.to_string();
        if let Some(attempt) = count_attempt(db, due.id, now, fastrand::f64())?
            && let Some(webhook) = webhooks::content(db, due.id)?
        {
            return Ok(Some(Taken {
                id: due.id,
                attempt,
                webhook,
                turn: Turn::new(inbox, &mut state, (due.tenant, due.connection)),
            }));
        }
    }
    Ok(None)
}

/// Counts an attempt, before it is made; answers which one it is. None when the webhook was given up,
/// because the process ended each time that the connector read it, or is gone.
fn count_attempt(
    db: &Connection,
    id: i64,
    now: Timestamp,
    chance: f64,
) -> Result<Option<u32>, Failure> {
    match webhooks::begin(db, id)? {
        Some(attempt) if attempt > ATTEMPTS => {
            let reason = Told::new(Reason::new("server.webhook-ends-server"));
            webhooks::give_up(db, id, &reason, now)?;
            Ok(None)
        }
        // Should the process end once more, those that were read together come at different times,
        // so that the one which ends it is alone.
        Some(attempt) if attempt > 1 => {
            webhooks::put_off(db, id, now + pause(attempt, chance))?;
            Ok(Some(attempt))
        }
        attempt => Ok(attempt),
    }
}

/// How long a webhook waits for its next attempt. `chance` is a random number from 0 to 1.
fn pause(attempt: u32, chance: f64) -> SignedDuration {
    // From 20 seconds to six hours.
    let most = 5_000_i64 << (2 * attempt.clamp(1, 6));
    // At least half of it; the product is below the other half.
    let more = (most as f64 / 2.0 * chance.clamp(0.0, 1.0)) as i64;
    SignedDuration::from_millis(most / 2 + more)
}

/// Looks for webhooks that nobody takes on the way, until the service stops: those that a process left
/// behind, and those that are tried again. What is under way in the end is read again by the next
/// server.
pub async fn run(service: Service) {
    let inbox = service.inbox();
    inbox.open(true);
    inbox.look();
    loop {
        tokio::select! {
            () = inbox.time_to_look() => {}
            () = service.stopped() => break,
        }
        if let Err(error) = look(&service).await {
            tracing::error!("webhooks: {error}");
            inbox.look_at(inbox.now() + SLEEP);
        }
    }
    inbox.open(false);
}

/// Begins with all webhooks that are due and that there is room for.
async fn look(service: &Service) -> Result<(), Failure> {
    service.inbox().state().look_at = None;
    loop {
        let inbox = service.inbox().clone();
        let taken = (service.control())
            .write(move |db| {
                let now = inbox.now();
                let taken = take(db, &inbox, now)?;
                if taken.is_none()
                    && let Some(due_at) = webhooks::next_due(db, now)?
                {
                    inbox.look_at(due_at);
                }
                Ok::<_, Failure>(taken)
            })
            .await?;
        match taken {
            Some(taken) => begin(service, taken),
            None => return Ok(()),
        }
    }
}

/// Reads a webhook, and what waits behind it, until the service stops.
pub fn begin(service: &Service, taken: Taken) {
    let service = service.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = read(&service, taken) => {}
            () = service.stopped() => {}
        }
    });
}

async fn read(service: &Service, taken: Taken) {
    let mut next = Some(taken);
    while let Some(taken) = next {
        next = match work_off(service, taken).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!("webhooks: {error}");
                // The database failed, so it would be this one's turn again at once.
                service.inbox().look_at(service.now() + SLEEP);
                None
            }
        };
    }
}

/// Lets the connector read a webhook, and asks for what it wants. Answers with the next one.
async fn work_off(service: &Service, taken: Taken) -> Result<Option<Taken>, Error> {
    let Taken {
        id,
        attempt,
        webhook,
        turn,
    } = taken;
    match ask(service, &turn.place, webhook).await {
        Ok(requests) => {
            let next = Arc::new(Mutex::new(None));
            let passed = Arc::clone(&next);
            let now = service.now();
            // Its requests take its place, or nothing changes.
            let also = Box::new(move |db: &Connection| {
                webhooks::remove(db, id)?;
                let taken = turn.pass_on(db, now)?;
                *passed.lock().unwrap_or_else(PoisonError::into_inner) = taken;
                Ok(())
            });
            let queue = service.queue();
            queue.ask_with(requests, also, now).await?;
            let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(next.take())
        }
        Err(Trouble { reason, passes }) => {
            let (tenant, connection) = &turn.place;
            let again_later = passes && attempt < ATTEMPTS;
            tracing::warn!(
                %tenant,
                %connection,
                webhook = id,
                attempt,
                reason = reason.code(),
                again_later,
                "a webhook could not be read"
            );
            let again = again_later.then(|| service.now() + pause(attempt, fastrand::f64()));
            let (inbox, now) = (service.inbox().clone(), service.now());
            let next = (service.control())
                .write(move |db| {
                    match again {
                        Some(again) => {
                            webhooks::put_off(db, id, again)?;
                            inbox.look_at(again);
                        }
                        None => webhooks::give_up(db, id, &reason, now)?,
                    }
                    turn.pass_on(db, inbox.now())
                })
                .await?;
            Ok(next)
        }
    }
}

/// Why a webhook did not become requests.
struct Trouble {
    reason: Told,
    passes: bool,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble {
            passes: true,
            reason: error.told(),
        }
    }
}

/// What the connector wants after it has read a webhook.
async fn ask(
    service: &Service,
    (tenant, connection): &Place,
    webhook: Webhook,
) -> Result<Vec<NewRequest>, Trouble> {
    let opened = service.opened(tenant, connection).await?;
    let reading = service.host().receive(&opened, webhook);
    let manifest = &opened.connector().manifest;
    let wanted = observe::receive(service.metrics(), manifest, reading)
        .await
        .map_err(|error| Trouble {
            passes: matches!(error, CallError::Fault(Fault::Transient(_))),
            reason: Error::called(opened.connector(), &error).told(),
        })?;
    let requests = wanted.into_iter().map(|wanted| NewRequest {
        tenant: tenant.clone(),
        connection: connection.clone(),
        job: wanted.job,
        argument: wanted.argument,
        mode: Mode::Live,
        cause: Cause::Webhook,
        priority: Priority::Webhook,
        due: None,
    });
    Ok(requests.collect())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::control::Control;
    use crate::control::webhooks::{Kept, Sameness};

    /// A control database with webhooks of connections that nobody made.
    struct World {
        db: Connection,
        inbox: Inbox,
        _folder: TempDir,
    }

    impl World {
        fn new() -> World {
            let folder = tempfile::tempdir().unwrap();
            drop(Control::open(folder.path()).unwrap());
            let db = Connection::open(folder.path().join("control.sqlite")).unwrap();
            db.pragma_update(None, "foreign_keys", false).unwrap();
            let inbox = Inbox::default();
            inbox.open(true);
            World {
                db,
                inbox,
                _folder: folder,
            }
        }

        /// Stores the webhook of a number for a connection, and takes it when that can be.
        fn store(&self, place: &Place, number: u8, second: i64) -> Option<Taken> {
            let (webhook, now) = (webhook(number), at(second));
            let sameness = Sameness::Content([number; 32]);
            let kept = webhooks::keep(&self.db, &place.0, &place.1, &webhook, sameness, now);
            let Kept::New { id, due_at } = kept.unwrap() else {
                panic!("it is new");
            };
            let (db, place) = (&self.db, place.clone());
            take_new(db, &self.inbox, id, due_at, place, webhook, now).unwrap()
        }

        /// Ends a turn after its webhook was read; answers with the next one.
        fn pass_on(&self, taken: Taken, second: i64) -> Option<Taken> {
            webhooks::remove(&self.db, taken.id).unwrap();
            taken.turn.pass_on(&self.db, at(second)).unwrap()
        }
    }

    fn webhook(number: u8) -> Webhook {
        Webhook {
            topic: "orders".to_owned(),
            headers: Vec::new(),
            query: String::new(),
            body: vec![number],
        }
    }

    fn place(tenant: &str, connection: &str) -> Place {
        (tenant.parse().unwrap(), connection.parse().unwrap())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn number(taken: &Option<Taken>) -> Option<u8> {
        taken.as_ref().map(|taken| taken.webhook.body[0])
    }

    #[test]
    fn a_webhook_is_taken_as_it_is_stored_and_the_ones_behind_it_by_who_ends_a_turn() {
        let world = World::new();
        let (crm, other) = (place("shop", "crm"), place("depot", "crm"));
        let first = world.store(&crm, 1, 0);
        assert_eq!(Some(1), number(&first));
        assert_eq!(None, number(&world.store(&crm, 2, 1)));
        // Another connection does not wait for it.
        let beside = world.store(&other, 3, 2);
        assert_eq!(Some(3), number(&beside));
        let second = world.pass_on(first.unwrap(), 3);
        assert_eq!(Some(2), number(&second));
        assert_eq!(None, number(&world.pass_on(second.unwrap(), 4)));
        assert_eq!(None, number(&world.pass_on(beside.unwrap(), 4)));
        assert!(world.inbox.state().busy.is_empty());
        assert_eq!(None, world.inbox.state().look_at);
    }

    #[test]
    fn no_more_are_read_at_one_time_than_there_is_room_for_and_tenants_take_turns() {
        let world = World::new();
        let mut taken: Vec<Taken> = (0..AT_ONCE as u8)
            .map(|number| {
                world
                    .store(&place("a", &format!("c{number}")), number, 0)
                    .unwrap()
            })
            .collect();
        for (number, tenant) in [(100, "a"), (101, "a"), (102, "b")] {
            let one = world.store(&place(tenant, &format!("n{number}")), number, 1);
            assert!(one.is_none());
        }
        world.inbox.state().tenant = "a".to_owned();
        let next = world.pass_on(taken.pop().unwrap(), 2);
        assert_eq!(Some(102), number(&next));
        let after = world.pass_on(next.unwrap(), 2);
        assert_eq!(Some(100), number(&after));
    }

    #[test]
    fn a_turn_that_ends_in_the_middle_is_looked_after() {
        let world = World::new();
        let crm = place("shop", "crm");
        drop(world.store(&crm, 1, 0).unwrap());
        assert!(world.inbox.state().busy.is_empty());
        assert!(world.inbox.state().look_at.is_some());
        let again = take(&world.db, &world.inbox, at(1)).unwrap().unwrap();
        assert_eq!((2, 1), (again.attempt, again.webhook.body[0]));
    }

    #[test]
    fn a_webhook_that_is_due_later_is_looked_for_then() {
        let world = World::new();
        let crm = place("shop", "crm");
        let taken = world.store(&crm, 1, 0).unwrap();
        assert!(world.pass_on(taken, 0).is_none());
        assert_eq!(None, world.inbox.state().look_at);
        // The same content in a short while, which is looked at at its end.
        assert!(world.store(&crm, 1, 1).is_none());
        assert_eq!(Some(at(10)), world.inbox.state().look_at);
    }

    #[test]
    fn while_no_server_runs_webhooks_are_stored_and_none_is_taken() {
        let world = World::new();
        world.inbox.open(false);
        assert!(world.store(&place("shop", "crm"), 1, 0).is_none());
        assert!(take(&world.db, &world.inbox, at(1)).unwrap().is_none());
        world.inbox.open(true);
        let taken = take(&world.db, &world.inbox, at(1)).unwrap().unwrap();
        assert_eq!(1, taken.attempt);
    }

    #[test]
    fn attempts_are_ever_further_apart_and_at_different_times() {
        let seconds = |attempt, chance| pause(attempt, chance).as_secs();
        assert_eq!((10, 20), (seconds(1, 0.0), seconds(1, 1.0)));
        assert_eq!((40, 80), (seconds(2, 0.0), seconds(2, 1.0)));
        assert_eq!(20_480, seconds(u32::MAX, 1.0));
    }

    #[test]
    fn a_webhook_that_ends_the_process_each_time_is_given_up() {
        let world = World::new();
        world.inbox.open(false);
        let start = at(0);
        assert!(world.store(&place("shop", "crm"), 1, 0).is_none());
        let db = &world.db;
        let due = |at| webhooks::next(db, at, "", |_, _| false).unwrap();
        let id = due(start).unwrap().id;
        let mut now = start;
        for attempt in 1..=ATTEMPTS {
            assert_eq!(Some(attempt), count_attempt(db, id, now, 1.0).unwrap());
            // Here the process is gone. The first time it is read again at once, then later.
            let next = match attempt {
                1 => now,
                attempt => now + pause(attempt, 1.0),
            };
            assert_eq!(attempt == 1, due(now).is_some());
            assert!(due(next).is_some());
            now = next;
        }
        assert_eq!(None, count_attempt(db, id, now, 1.0).unwrap());
        assert_eq!(None, due(now + SignedDuration::from_hours(24)));
        assert_eq!(1, webhooks::counts(db).unwrap().given_up);
    }
}
