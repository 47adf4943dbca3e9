//! What operations leave behind when the platform fails, or when they are cut off in the middle.

use std::path::Path;

use async_trait::async_trait;
use tempfile::TempDir;
use tenon_host::model::Fault;
use tenon_host::platform::{Answer, UnitOfWork};
use tenon_host::reason::Reason;

use super::*;
use crate::clock::by_hand::Hands;
use crate::control::connections::{self, State, Stored};
use crate::control::schedules;
use crate::control::versions::{self, Version};
use crate::queue::{Ended, NewRequest, Priority};
use crate::scheduler;
use crate::told::Told;

/// The embedded ERP, which fails when it is told to.
struct Moody {
    erp: EmbeddedErp,
    fails: AtomicBool,
}

impl Moody {
    fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }

    fn answer(&self) -> Answer<()> {
        match self.fails.load(Ordering::Relaxed) {
            true => Err(Fault::Transient(Reason::new("platform.down"))),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Platform for Moody {
    async fn begin(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Answer<Box<dyn UnitOfWork>> {
        self.answer()?;
        self.erp.begin(tenant, connection).await
    }

    async fn forget(&self, tenant: &TenantId, connection: Option<&ConnectionId>) -> Answer<()> {
        self.answer()?;
        self.erp.forget(tenant, connection).await
    }
}

/// A server with a connection, on a folder of its own.
struct World {
    folder: TempDir,
    platform: Arc<Moody>,
    service: Service,
    tenant: TenantId,
    connection: ConnectionId,
}

/// Digests of two versions of one connector, which keep their state in different forms.
const FIRST: &str = "d1";
const SECOND: &str = "d2";

const ACTOR: &str = "test";

impl World {
    async fn new() -> World {
        World::by(Clock::default()).await
    }

    async fn by(clock: Clock) -> World {
        let folder = tempfile::tempdir().unwrap();
        let platform = Arc::new(Moody {
            erp: EmbeddedErp::open(folder.path()).unwrap(),
            fails: AtomicBool::new(false),
        });
        let service = open(folder.path(), &platform, clock).await;
        let insert = |db: &rusqlite::Connection| {
            for (digest, state_version) in [(FIRST, 1), (SECOND, 2)] {
                let version = Version {
                    digest: digest.to_owned(),
                    connector: "crm".to_owned(),
                    version: format!("{state_version}.0.0"),
                    size: 1,
                    manifest: json!({ "state_version": state_version }),
                    imports: Vec::new(),
                    source: "upload".to_owned(),
                    signed_by: None,
                    installed_at: Timestamp::UNIX_EPOCH,
                };
                versions::insert(db, &version)?;
            }
            Ok::<_, Error>(())
        };
        service.control().write(insert).await.unwrap();
        let world = World {
            folder,
            platform,
            service,
            tenant: "shop".parse().unwrap(),
            connection: "crm".parse().unwrap(),
        };
        world.make_tenant().await;
        world.make_connection().await;
        world
    }

    async fn make_tenant(&self) {
        let new = NewTenant {
            id: self.tenant.clone(),
            name: "Shop".to_owned(),
            time_zone: "UTC".to_owned(),
            language: "en".to_owned(),
            currency: "UAH".to_owned(),
            keep: Default::default(),
        };
        self.service.create_tenant(ACTOR, new).await.unwrap();
    }

    async fn make_connection(&self) {
        let new = NewConnection {
            id: self.connection.clone(),
            connector: "crm".to_owned(),
            title: None,
            digest: Some(SECOND.to_owned()),
            settings: json!({}),
            grants: Vec::new(),
            no_budget: false,
            limits: Default::default(),
        };
        let made = self.service.create_connection(ACTOR, &self.tenant, new);
        made.await.unwrap();
    }

    /// The server on the same folder after a crash.
    async fn restarted(self) -> World {
        self.restarted_by(Clock::default()).await
    }

    async fn restarted_by(mut self, clock: Clock) -> World {
        self.service = open(self.folder.path(), &self.platform, clock).await;
        self
    }

    async fn unit(&self) -> Box<dyn UnitOfWork> {
        let unit = self.platform.erp.begin(&self.tenant, &self.connection);
        unit.await.unwrap()
    }

    /// Leaves something in the connection's storage.
    async fn keep(&self, value: &str) {
        let mut unit = self.unit().await;
        let entry = ("cursor".to_owned(), value.as_bytes().to_vec());
        unit.set(vec![entry]).await.unwrap();
        unit.commit().await.unwrap();
    }

    async fn kept(&self) -> Option<String> {
        let found = self.unit().await.get(vec!["cursor".to_owned()]).await;
        let value = found.unwrap().remove(0)?;
        Some(String::from_utf8(value).unwrap())
    }

    async fn snapshot(&self, state_version: u32) {
        let mut unit = self.unit().await;
        unit.snapshot(state_version).await.unwrap();
        unit.commit().await.unwrap();
    }

    async fn stored(&self) -> Stored {
        let stored = self.service.stored(&self.tenant, &self.connection);
        stored.await.unwrap()
    }

    async fn change(&self, edit: impl FnOnce(&mut Stored) + Send + 'static) {
        let (tenant, connection) = (self.tenant.clone(), self.connection.clone());
        let changed = self.service.control().write(move |db| {
            connections::change(db, &tenant, &connection, |stored| {
                edit(stored);
                Ok::<_, Error>(())
            })
        });
        changed.await.unwrap();
    }

    async fn delete_connection(&self) -> Result<(), Error> {
        let (tenant, connection) = (&self.tenant, &self.connection);
        self.service
            .delete_connection(ACTOR, tenant, connection)
            .await
    }
}

async fn open(folder: &Path, platform: &Arc<Moody>, clock: Clock) -> Service {
    let public = "http://127.0.0.1/".parse().unwrap();
    let options = ServiceOptions {
        runs: 1,
        clock,
        ..ServiceOptions::new(folder, Compiler::InProcess, public)
    };
    let platform = Arc::clone(platform);
    Service::open(platform, None, options).await.unwrap()
}

#[tokio::test]
async fn what_could_not_be_removed_stays_and_is_removed_by_asking_again() {
    let world = World::new().await;
    world.keep("of the connection").await;
    world.platform.fail(true);
    let failed = world.delete_connection().await;
    assert!(matches!(failed, Err(Error::Unavailable(_))), "{failed:?}");
    let failed = world.service.delete_tenant(ACTOR, &world.tenant).await;
    assert!(matches!(failed, Err(Error::Unavailable(_))), "{failed:?}");
    world.stored().await;

    world.platform.fail(false);
    world.delete_connection().await.unwrap();
    world.make_connection().await;
    assert_eq!(None, world.kept().await);

    world.keep("of the tenant").await;
    let deleted = world.service.delete_tenant(ACTOR, &world.tenant).await;
    deleted.unwrap();
    world.make_tenant().await;
    world.make_connection().await;
    assert_eq!(None, world.kept().await);
}

#[tokio::test]
async fn what_is_on_is_not_removed() {
    let world = World::new().await;
    world.change(|stored| stored.state = State::On).await;
    world.keep("of the connection").await;
    let refused = world.delete_connection().await;
    assert!(matches!(refused, Err(Error::ConnectionOn)), "{refused:?}");
    let refused = world.service.delete_tenant(ACTOR, &world.tenant).await;
    let on = Error::TenantInUse { connections: 1 };
    assert_eq!(on.to_string(), refused.unwrap_err().to_string());
    assert!(world.kept().await.is_some());
}

/// A connection on the second version, with the first one before it, that is being moved.
async fn moving(snapshot_of: Option<u32>, fallback: Option<&'static str>) -> World {
    let world = World::new().await;
    world.keep("before").await;
    if let Some(state_version) = snapshot_of {
        world.snapshot(state_version).await;
    }
    world.keep("after").await;
    let edit = move |stored: &mut Stored| {
        stored.state = State::On;
        stored.previous = Some(FIRST.to_owned());
        stored.fallback = fallback.map(str::to_owned);
    };
    world.change(edit).await;
    world
}

#[tokio::test]
async fn an_upgrade_that_was_cut_off_is_taken_back_if_it_had_changed_the_state() {
    let world = moving(Some(2), Some(SECOND)).await.restarted().await;
    let stored = world.stored().await;
    assert_eq!((SECOND, None), (stored.digest.as_str(), stored.fallback));
    assert_eq!(Some("before".to_owned()), world.kept().await);
}

#[tokio::test]
async fn the_snapshot_of_an_older_upgrade_is_left_for_going_back_that_far() {
    let world = moving(Some(1), Some(SECOND)).await.restarted().await;
    let stored = world.stored().await;
    assert_eq!((SECOND, None), (stored.digest.as_str(), stored.fallback));
    assert_eq!(Some("after".to_owned()), world.kept().await);
    let back = world.unit().await.restore(1).await;
    assert_eq!(Ok(true), back);
}

#[tokio::test]
async fn a_rollback_that_was_cut_off_comes_to_its_end() {
    let world = moving(Some(1), Some(FIRST)).await.restarted().await;
    let stored = world.stored().await;
    assert_eq!((FIRST, None), (stored.digest.as_str(), stored.fallback));
    assert_eq!(None, stored.previous);
    assert_eq!(Some("before".to_owned()), world.kept().await);
}

#[tokio::test]
async fn a_rollback_to_a_version_whose_state_is_gone_is_refused() {
    let world = moving(None, None).await;
    let (tenant, connection) = (&world.tenant, &world.connection);
    let refused = world.service.rollback(ACTOR, tenant, connection).await;
    assert!(matches!(refused, Err(Error::NoPrevious)), "{refused:?}");
    let stored = world.stored().await;
    assert_eq!((SECOND, None), (stored.digest.as_str(), stored.fallback));
    assert_eq!(Some("after".to_owned()), world.kept().await);
}

#[tokio::test]
async fn what_cannot_be_taken_back_yet_keeps_no_server_from_starting_and_runs_nothing() {
    let world = moving(Some(2), Some(SECOND)).await;
    world.platform.fail(true);
    let world = world.restarted().await;
    let stored = world.stored().await;
    assert!(matches!(stored.state, State::Paused { .. }), "{stored:?}");
    let (tenant, connection) = (&world.tenant, &world.connection);
    let alone = world.service.occupy(tenant, connection).await.unwrap();
    let settled = world.service.settled(&alone, tenant, connection).await;
    assert!(matches!(settled, Err(Error::Unavailable(_))), "{settled:?}");

    world.platform.fail(false);
    let settled = world.service.settled(&alone, tenant, connection).await;
    assert_eq!(None, settled.unwrap().fallback);
    assert_eq!(Some("before".to_owned()), world.kept().await);
}

#[tokio::test]
async fn one_tenant_leaves_room_for_the_calls_of_others() {
    let world = World::new().await;
    let (own, other) = (&world.tenant, "other".parse().unwrap());
    let mut rooms = Vec::new();
    for _ in 0..LOOKS_OF_TENANT {
        rooms.push(world.service.room(own).await.unwrap());
    }
    let mut waiting = std::pin::pin!(world.service.room(own));
    let at_once = tokio::time::timeout(Duration::ZERO, &mut waiting).await;
    assert!(at_once.is_err(), "the tenant has more than its part");
    world.service.room(&other).await.unwrap();
    rooms.pop();
    waiting.await.unwrap();
}

const DAY: SignedDuration = SignedDuration::from_hours(24);
const LEASE: Duration = Duration::from_secs(60);

impl World {
    /// A connection that is on, with a job each minute.
    async fn each_minute(hands: &Hands) -> World {
        let world = World::by(Clock::of(hands.clone())).await;
        world.change(|stored| stored.state = State::On).await;
        let (tenant, connection) = (world.tenant.clone(), world.connection.clone());
        let next = world.service.now() + SignedDuration::from_secs(60);
        let plan = move |db: &rusqlite::Connection| {
            let planned = [("orders".to_owned(), ("* * * * *".to_owned(), next))];
            schedules::replace(db, &tenant, &connection, &planned.into())?;
            Ok::<_, Error>(())
        };
        world.service.control().write(plan).await.unwrap();
        world
    }

    /// Lets the scheduler go round once.
    async fn go_round(&self) {
        scheduler::go_round(&self.service).await.unwrap();
    }

    /// In how many seconds the job is due.
    async fn due_in(&self) -> i64 {
        let (tenant, connection) = (self.tenant.clone(), self.connection.clone());
        let read = move |db: &rusqlite::Connection| {
            Ok::<_, Error>(schedules::of(db, &tenant, &connection)?)
        };
        let planned = self.service.control().read(read).await.unwrap();
        (planned["orders"].1.duration_since(self.service.now())).as_secs()
    }

    async fn ask(&self, due: Option<Timestamp>) {
        let request = NewRequest {
            tenant: self.tenant.clone(),
            connection: self.connection.clone(),
            job: "orders".to_owned(),
            argument: None,
            mode: tenon_host::Mode::Live,
            cause: tenon_host::Cause::Asked,
            priority: Priority::Action,
            due,
        };
        let now = self.service.now();
        self.service.queue().ask(vec![request], now).await.unwrap();
    }

    async fn claim(&self) -> Option<crate::queue::Claim> {
        let now = self.service.now();
        self.service.queue().claim(now, LEASE).await.unwrap()
    }

    async fn recovered(&self) -> usize {
        let ran_out = Leases::RanOut { but: Vec::new() };
        let recovered = self.service.queue().recover(ran_out, self.service.now());
        recovered.await.unwrap().len()
    }
}

#[tokio::test]
async fn a_clock_that_was_a_day_ahead_for_a_while_stops_no_schedule() {
    let hands = Hands::at("2026-07-01T12:00:00Z");
    let world = World::each_minute(&hands).await;
    world.go_round().await;
    hands.set(DAY);
    world.go_round().await;
    for _ in 0..70 {
        hands.pass(1);
        world.go_round().await;
    }
    assert!((0..=60).contains(&world.due_in().await));
    hands.set(-DAY);
    world.go_round().await;
    let due_in = world.due_in().await;
    assert!((0..=60).contains(&due_in), "{due_in}");
}

#[tokio::test]
async fn a_clock_that_is_set_back_holds_back_neither_schedules_nor_attempts_nor_timers() {
    let hands = Hands::at("2026-07-01T12:00:00Z");
    let world = World::each_minute(&hands).await;
    world.ask(None).await;
    let claim = world.claim().await.unwrap();
    let failed = Ended::Failed {
        error: Told::by_connector("the counterpart is down"),
        retry: true,
    };
    let now = world.service.now();
    let queue = world.service.queue();
    queue
        .finish(claim.id, claim.fence, failed, now)
        .await
        .unwrap();
    let mut unit = world.unit().await;
    let timer = tenon_host::platform::Timer {
        name: "later".to_owned(),
        job: "orders".to_owned(),
        due: now + SignedDuration::from_secs(90),
        argument: None,
    };
    unit.set_timer(timer).await.unwrap();
    unit.commit().await.unwrap();
    drop(unit);
    world
        .service
        .note_timers(&world.tenant, &world.connection)
        .await;

    hands.set(-DAY);
    world.go_round().await;
    assert!((0..=60).contains(&world.due_in().await));
    let due = queue.next_due().await.unwrap().unwrap();
    // The first attempt after a failure comes within a minute.
    let wait = due.duration_since(world.service.now()).as_secs();
    assert!((0..=60).contains(&wait), "{wait}");
    // Timers move in a task of their own.
    loop {
        let next = (world.service.host())
            .next_timer(&world.tenant, &world.connection)
            .await;
        let wait = next.unwrap().unwrap().duration_since(world.service.now());
        if wait.as_secs() == 90 {
            break;
        }
        assert_eq!(DAY.as_secs() + 90, wait.as_secs());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_lease_lasts_as_long_whatever_the_clock_is_set_to() {
    let hands = Hands::at("2026-07-01T12:00:00Z");
    let world = World::each_minute(&hands).await;
    world.ask(None).await;
    world.claim().await.unwrap();
    for set in [DAY, -DAY, -DAY] {
        hands.set(set);
        assert_eq!(0, world.recovered().await, "before anybody noticed");
        world.go_round().await;
        assert_eq!(0, world.recovered().await);
    }
    hands.pass(59);
    assert_eq!(0, world.recovered().await);
    hands.pass(1);
    assert_eq!(1, world.recovered().await);
}

#[tokio::test]
async fn a_restart_heals_what_was_planned_while_the_clock_was_ahead() {
    let hands = Hands::at("2026-07-02T12:00:00Z");
    let world = World::each_minute(&hands).await;
    world.go_round().await;
    world
        .ask(Some(world.service.now() + SignedDuration::from_secs(30)))
        .await;
    // It is set right while no server is there.
    let right = Hands::at("2026-07-01T12:00:20Z");
    let world = world.restarted_by(Clock::of(right.clone())).await;
    assert!((0..=60).contains(&world.due_in().await));
    assert!(world.claim().await.is_none());
    right.pass(30);
    assert!(world.claim().await.is_some());
}

#[tokio::test]
async fn nothing_is_forgotten_as_old_while_the_clock_may_be_wrong() {
    let hands = Hands::at("2026-07-01T12:00:00Z");
    let world = World::each_minute(&hands).await;
    world.go_round().await;
    assert!(!world.service.doubts_clock());
    hands.set(400 * DAY);
    world.go_round().await;
    assert!(world.service.doubts_clock());
    hands.pass(60 * 60);
    assert!(!world.service.doubts_clock());
    let away = Hands::at("2028-07-01T12:00:00Z");
    let world = world.restarted_by(Clock::of(away)).await;
    assert!(world.service.doubts_clock());
}

#[tokio::test]
async fn a_server_is_ready_while_it_writes_opens_goes_round_and_keeps_up() {
    let hands = Hands::at("2026-07-01T12:00:00Z");
    let world = World::each_minute(&hands).await;
    let ready = async |seconds| {
        hands.pass(seconds);
        world.service.ready().await
    };
    assert_eq!(Ok(()), ready(2).await);
    assert_eq!(Err(NotReady::Scheduler(61)), ready(59).await);
    world.service.beat();
    assert_eq!(Ok(()), ready(2).await);

    // A request that any place could run, and none does.
    world.ask(None).await;
    world.service.beat();
    assert_eq!(Ok(()), ready(2).await);
    hands.pass(10 * 60);
    world.service.beat();
    let overdue = ready(2).await;
    assert!(
        matches!(overdue, Err(NotReady::Overdue(604))),
        "{overdue:?}"
    );
    // One of a connection that is off waits for people.
    world.change(|stored| stored.state = State::Off).await;
    let queue = world.service.queue();
    let (tenant, connection) = (&world.tenant, &world.connection);
    let now = world.service.now();
    queue.switched(tenant, connection, now).await.unwrap();
    assert_eq!(Ok(()), ready(2).await);

    world.service.stop();
    assert_eq!(Err(NotReady::Stopping), ready(0).await);
}

#[tokio::test]
async fn a_server_whose_key_is_gone_is_not_ready_and_names_nobody() {
    let hands = Hands::at("2026-07-01T12:00:00Z");
    let world = World::each_minute(&hands).await;
    let place = tenon_host::CredentialPlace {
        tenant: &world.tenant,
        connection: &world.connection,
        name: "api_key",
    };
    let secret = tenon_host::Secret::new("s3cret".to_owned());
    let mut vault = crate::vault::Vault::open(world.folder.path()).unwrap();
    vault.set(place, &secret).unwrap();
    assert_eq!(Ok(()), world.service.ready().await);
    hands.pass(2);
    std::fs::remove_file(world.folder.path().join("key")).unwrap();
    let why = world.service.ready().await.unwrap_err();
    assert_eq!(NotReady::Key, why);
    assert!(!why.to_string().contains("shop"), "{why}");
}

#[tokio::test]
async fn a_server_that_cannot_write_into_its_folder_is_not_ready() {
    let hands = Hands::at("2026-07-01T12:00:00Z");
    let world = World::each_minute(&hands).await;
    assert_eq!(Ok(()), world.service.ready().await);
    hands.pass(2);
    std::fs::remove_dir_all(world.folder.path()).unwrap();
    let why = world.service.ready().await.unwrap_err();
    assert!(matches!(why, NotReady::Disk(_)), "{why}");
}
