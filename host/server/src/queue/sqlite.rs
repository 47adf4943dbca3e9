//! The queue in the control database.
//!
//! Claims stay fast however many requests wait, because no claim ever looks for one among them. The
//! table `line` has a row for each connection that could run something at once: one that is on, is
//! idle and has a ready request. The table `turns` has a row for each tenant, and those with something
//! in the line stand in order there. A claim takes the first tenant, of that one the first connection,
//! and asks the index for its next request. Requests behind one that runs, and those of connections
//! that are off, are not in its way.
//!
//! Tenants take turns (start-time fair queueing): each run costs its tenant a turn, and one that comes
//! anew begins at the turn that was claimed last. So a tenant with a thousand connections in the line
//! lets one with a single connection go second. A tenant that holds its share of the places is passed
//! over while others are in the line: there are never more of those than shares in all places.
//!
//! [`line_up`] derives the place of a connection, and runs after whatever may change it. Only the
//! switch of a connection is written elsewhere: a claim notices one that was switched off,
//! [`Queue::switched`] tells of one that was switched on, and a server looks at all when it starts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tenon_host::Mode;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::reason::Reason;
use tokio::sync::watch;

use super::rules::{self, Head, Wish};
use super::{
    Also, Claim, Counts, Ended, Fence, Figures, Leases, NewRequest, Next, Priority, Queue,
    QueueFailure, Recovered, RequestId, State, Suspension, Waiting, cause,
};
use crate::control::{Failure, SharedControl, columns};
use crate::told::Told;

/// Attempts before a request is given up.
const ATTEMPTS: u32 = 8;

/// Requests that become ready, and connections that rise, within one step of a claim.
const AT_ONCE: u32 = 64;

/// Ready requests of connections that are off, paused or held for maintenance. They are few for each
/// connection that there is, or many of few.
const HELD: &str = "
    SELECT coalesce(sum(waiting.number), 0)
    FROM (SELECT tenant, connection, count(*) AS number FROM requests
          WHERE state = 'ready' GROUP BY tenant, connection) AS waiting
    WHERE NOT EXISTS (SELECT 1 FROM at_work
                      WHERE at_work.tenant = waiting.tenant AND at_work.id = waiting.connection)";

const PRIORITIES: [Priority; 4] = [
    Priority::Action,
    Priority::Webhook,
    Priority::Schedule,
    Priority::Backfill,
];

type Outcome<T> = Result<T, QueueFailure>;

/// The queue of a server. Clones share it; a process has one, because [`Queue::changed`] tells of the
/// changes that it made.
#[derive(Clone)]
pub struct SqliteQueue {
    control: SharedControl,
    changed: Arc<watch::Sender<()>>,
    attempts: u32,
    /// Claims that a tenant may hold while others wait.
    share: u32,
}

impl SqliteQueue {
    /// The queue in a control database.
    pub fn new(control: SharedControl) -> SqliteQueue {
        SqliteQueue {
            control,
            changed: Arc::new(watch::Sender::new(())),
            attempts: ATTEMPTS,
            share: u32::MAX,
        }
    }

    /// Shares so many places out: a tenant holds no more than half of them while others wait.
    pub fn sharing(self, places: u32) -> SqliteQueue {
        let share = rules::share(places);
        SqliteQueue { share, ..self }
    }

    /// Gives requests up after so many attempts instead of 8.
    pub fn giving_up_after(self, attempts: u32) -> SqliteQueue {
        SqliteQueue { attempts, ..self }
    }

    /// Writes what may let a worker go on.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let done = self.control.write(work).await?;
        self.changed.send_replace(());
        Ok(done)
    }
}

#[async_trait]
impl Queue for SqliteQueue {
    async fn ask(&self, requests: Vec<NewRequest>, now: Timestamp) -> Outcome<Vec<RequestId>> {
        let now = now.as_millisecond();
        self.change(move |db| ask(db, requests, now)).await
    }

    async fn ask_with(
        &self,
        requests: Vec<NewRequest>,
        also: Also,
        now: Timestamp,
    ) -> Outcome<Vec<RequestId>> {
        let now = now.as_millisecond();
        self.change(move |db| {
            let ids = ask(db, requests, now)?;
            also(db)?;
            Ok(ids)
        })
        .await
    }

    async fn claim(&self, now: Timestamp, lease: Duration) -> Outcome<Option<Claim>> {
        let (now, share) = (now.as_millisecond(), self.share);
        self.control
            .write(move |db| claim(db, now, lease, share))
            .await
    }

    async fn gives_way(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        priority: Priority,
        full: bool,
        now: Timestamp,
    ) -> Outcome<bool> {
        let (whose, now) = (Whose::new(tenant, connection), now.as_millisecond());
        // A write, because what comes due meanwhile counts and no claim sees to that while no place
        // is free. It seldom changes anything, and then there is no wait for the disk.
        self.control
            .write(move |db| {
                ready(db, now)?;
                let waiting = ready_heads(db, &whose)?;
                Ok(rules::gives_way(priority, &waiting, now) || (full && anything_waits(db)?))
            })
            .await
    }

    async fn renew(
        &self,
        id: RequestId,
        fence: Fence,
        now: Timestamp,
        lease: Duration,
    ) -> Outcome<()> {
        let until = lease_until(now.as_millisecond(), lease);
        self.control
            .write(move |db| {
                let sql = "UPDATE requests SET lease_until = ?3
                           WHERE id = ?1 AND fence = ?2 AND state = 'running'";
                match db
                    .prepare_cached(sql)?
                    .execute(params![id.0, fence.0, until])?
                {
                    0 => Err(QueueFailure::Superseded),
                    _ => Ok(()),
                }
            })
            .await
    }

    async fn finish(
        &self,
        id: RequestId,
        fence: Fence,
        ended: Ended,
        now: Timestamp,
    ) -> Outcome<Next> {
        let (now, most, chance) = (now.as_millisecond(), self.attempts, fastrand::f64());
        self.change(move |db| finish(db, id, fence, ended, Retries { most, chance }, now))
            .await
    }

    async fn recover(&self, leases: Leases, now: Timestamp) -> Outcome<Vec<Recovered>> {
        let (now, most) = (now.as_millisecond(), self.attempts);
        self.change(move |db| recover(db, leases, most, now)).await
    }

    async fn switched(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        now: Timestamp,
    ) -> Outcome<()> {
        let (whose, now) = (Whose::new(tenant, connection), now.as_millisecond());
        self.change(move |db| line_up(db, &whose, now).map(drop))
            .await
    }

    async fn resumed(&self, now: Timestamp) -> Outcome<()> {
        let now = now.as_millisecond();
        self.change(move |db| look_at_all(db, now)).await
    }

    async fn retry(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        only: Option<RequestId>,
        now: Timestamp,
    ) -> Outcome<u64> {
        let (whose, now) = (Whose::new(tenant, connection), now.as_millisecond());
        self.change(move |db| retry(db, &whose, only, now)).await
    }

    async fn remove(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        id: RequestId,
        now: Timestamp,
    ) -> Outcome<bool> {
        let (whose, now) = (Whose::new(tenant, connection), now.as_millisecond());
        self.change(move |db| {
            let sql = "DELETE FROM requests
                       WHERE id = ?1 AND tenant = ?2 AND connection = ?3 AND state <> 'running'";
            let (tenant, connection) = whose.names();
            let removed = db
                .prepare_cached(sql)?
                .execute(params![id.0, tenant, connection])?;
            line_up(db, &whose, now)?;
            Ok(removed > 0)
        })
        .await
    }

    async fn list(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        state: Option<State>,
        after: Option<RequestId>,
        limit: u32,
    ) -> Outcome<Vec<Waiting>> {
        let whose = Whose::new(tenant, connection);
        let after = after.map_or(0, |id| id.0);
        self.control
            .read(move |db| list(db, &whose, state, after, limit))
            .await
    }

    async fn get(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        id: RequestId,
    ) -> Outcome<Option<Waiting>> {
        let whose = Whose::new(tenant, connection);
        self.control
            .read(move |db| {
                let stored = select(db, "id = ?1", [id.0])?;
                let own = stored.into_iter().find(|stored| stored.whose == whose);
                Ok(own.map(Waiting::from))
            })
            .await
    }

    async fn counts(&self, tenant: &TenantId, connection: &ConnectionId) -> Outcome<Counts> {
        let whose = Whose::new(tenant, connection);
        self.control
            .read(move |db| {
                count(|state| {
                    let sql = "SELECT count(*) FROM requests
                               WHERE tenant = ?1 AND connection = ?2 AND state = ?3";
                    let (tenant, connection) = whose.names();
                    Ok(db
                        .prepare_cached(sql)?
                        .query_row(params![tenant, connection, state], |row| row.get(0))?)
                })
            })
            .await
    }

    async fn figures(&self, now: Timestamp) -> Outcome<Figures> {
        self.control
            .read(move |db| {
                let counts = count(|state| {
                    // Written out, so that each is counted in the small index of its state.
                    let sql = format!("SELECT count(*) FROM requests WHERE state = '{state}'");
                    Ok(db.prepare_cached(&sql)?.query_row([], |row| row.get(0))?)
                })?;
                let held: i64 = db.prepare_cached(HELD)?.query_row([], |row| row.get(0))?;
                let since: Option<i64> =
                    db.query_row("SELECT min(since) FROM line", [], |row| row.get(0))?;
                let waited = |since: i64| now.as_millisecond().saturating_sub(since).max(0);
                Ok(Figures {
                    counts,
                    held: held.unsigned_abs(),
                    oldest: since.map(|since| Duration::from_millis(waited(since).unsigned_abs())),
                })
            })
            .await
    }

    async fn next_due(&self) -> Outcome<Option<Timestamp>> {
        self.control
            .read(|db| {
                let sql = "SELECT min(due_at) FROM requests WHERE state = 'later'";
                let due: Option<i64> = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
                Ok(due.map(time))
            })
            .await
    }

    fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

impl From<rusqlite::Error> for QueueFailure {
    fn from(error: rusqlite::Error) -> Self {
        QueueFailure::Database(error.into())
    }
}

/// A connection and its tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Whose {
    tenant: TenantId,
    connection: ConnectionId,
}

impl Whose {
    fn new(tenant: &TenantId, connection: &ConnectionId) -> Whose {
        Whose {
            tenant: tenant.clone(),
            connection: connection.clone(),
        }
    }

    /// From two columns.
    fn read(row: &Row<'_>, tenant: &str, connection: &str) -> Outcome<Whose> {
        let bad = |error: tenon_host::ids::BadName| Failure::new(error);
        Ok(Whose {
            tenant: row.get::<_, String>(tenant)?.parse().map_err(bad)?,
            connection: row.get::<_, String>(connection)?.parse().map_err(bad)?,
        })
    }

    fn names(&self) -> (&str, &str) {
        (self.tenant.as_str(), self.connection.as_str())
    }
}

/// A row of `requests`.
struct Stored {
    id: i64,
    whose: Whose,
    job: String,
    argument: Option<String>,
    mode: Mode,
    key: Vec<u8>,
    state: State,
    wish: Wish,
    fence: Option<i64>,
}

impl Stored {
    fn read(row: &Row<'_>) -> Outcome<Stored> {
        Ok(Stored {
            id: row.get("id")?,
            whose: Whose::read(row, "tenant", "connection")?,
            job: row.get("job")?,
            argument: row.get("argument")?,
            mode: columns::word(row, "mode")?,
            key: row.get("merge_key")?,
            state: state(&row.get::<_, String>("state")?)?,
            wish: Wish {
                cause: cause::from_text(&row.get::<_, String>("cause")?).map_err(Failure::from)?,
                priority: priority(row.get("priority")?)?,
                due_at: row.get("due_at")?,
                created_at: row.get("created_at")?,
                began_at: row.get("began_at")?,
                attempts: row.get("attempts")?,
                error: Told::read(row, "error", "why")?,
            },
            fence: row.get("fence")?,
        })
    }
}

impl From<Stored> for Waiting {
    fn from(stored: Stored) -> Self {
        Waiting {
            id: RequestId(stored.id),
            job: stored.job,
            argument: stored.argument,
            mode: stored.mode,
            cause: stored.wish.cause,
            state: stored.state,
            priority: stored.wish.priority,
            due_at: time(stored.wish.due_at),
            attempts: stored.wish.attempts,
            error: stored.wish.error,
            created_at: time(stored.wish.created_at),
        }
    }
}

/// The requests that a condition is true of, by id.
fn select(
    db: &Connection,
    condition: &str,
    parameters: impl rusqlite::Params,
) -> Outcome<Vec<Stored>> {
    let sql = format!("SELECT * FROM requests WHERE {condition}");
    let mut select = db.prepare_cached(&sql)?;
    select.query_and_then(parameters, Stored::read)?.collect()
}

fn ask(db: &Connection, requests: Vec<NewRequest>, now: i64) -> Outcome<Vec<RequestId>> {
    let mut touched = BTreeSet::new();
    let mut ids = Vec::with_capacity(requests.len());
    for request in requests {
        let whose = Whose::new(&request.tenant, &request.connection);
        if !touched.contains(&whose) {
            switch(db, &whose)?.ok_or_else(|| QueueFailure::NoConnection {
                tenant: whose.tenant.clone(),
                connection: whose.connection.clone(),
            })?;
        }
        let key = rules::merge_key(&request);
        let due_at = request.due.map_or(now, |due| due.as_millisecond().max(now));
        let wish = Wish {
            cause: request.cause,
            priority: request.priority,
            due_at,
            created_at: now,
            began_at: None,
            attempts: 0,
            error: None,
        };
        let shelf = Shelf::of(due_at, now);
        let id = match join(db, &whose, &key, &wish, shelf, None, now)? {
            Some((id, _)) => id,
            None => {
                let sql = "INSERT INTO requests (tenant, connection, job, argument, mode, cause,
                               merge_key, state, priority, due_at, created_at)
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
                let (tenant, connection) = whose.names();
                db.prepare_cached(sql)?.insert(params![
                    tenant,
                    connection,
                    request.job,
                    request.argument,
                    columns::to_word(&request.mode)?,
                    cause::to_text(&wish.cause).map_err(Failure::from)?,
                    key,
                    shelf.state(),
                    wish.priority as u8,
                    wish.due_at,
                    wish.created_at,
                ])?
            }
        };
        ids.push(RequestId(id));
        touched.insert(whose);
    }
    line_up_all(db, &touched, now)?;
    Ok(ids)
}

/// Where a request is put that does not run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shelf {
    Ready,
    Later,
    Dead,
}

impl Shelf {
    fn of(due_at: i64, now: i64) -> Shelf {
        if due_at <= now {
            Shelf::Ready
        } else {
            Shelf::Later
        }
    }

    fn state(self) -> &'static str {
        match self {
            Shelf::Ready => "ready",
            Shelf::Later => "later",
            Shelf::Dead => "dead",
        }
    }
}

/// Makes a wish part of an equal request: of a waiting one, or of a dead one when it is given up.
/// Answers which one it was, and when that is due; none when there is none.
fn join(
    db: &Connection,
    whose: &Whose,
    key: &[u8],
    wish: &Wish,
    shelf: Shelf,
    itself: Option<i64>,
    now: i64,
) -> Outcome<Option<(i64, i64)>> {
    // As the indexes have it.
    let equal = match shelf {
        Shelf::Ready | Shelf::Later => "state IN ('ready', 'later')",
        Shelf::Dead => "state = 'dead'",
    };
    let condition = format!("tenant = ?1 AND connection = ?2 AND merge_key = ?3 AND {equal}");
    let (tenant, connection) = whose.names();
    let found = select(db, &condition, params![tenant, connection, key])?;
    let Some(other) = found.into_iter().find(|other| Some(other.id) != itself) else {
        return Ok(None);
    };
    if rules::is_full(&other.wish.cause) {
        let sql = "UPDATE requests SET merge_key = ?2 WHERE id = ?1";
        db.prepare_cached(sql)?
            .execute(params![other.id, rules::own_key(key, other.id)])?;
        return Ok(None);
    }
    let merged = rules::merge(other.wish, wish.clone());
    let shelf = match shelf {
        Shelf::Dead => Shelf::Dead,
        Shelf::Ready | Shelf::Later => Shelf::of(merged.due_at, now),
    };
    write(db, other.id, &merged, shelf)?;
    Ok(Some((other.id, merged.due_at)))
}

fn write(db: &Connection, id: i64, wish: &Wish, shelf: Shelf) -> Outcome<()> {
    let sql = "UPDATE requests SET cause = ?2, state = ?3, priority = ?4, due_at = ?5,
                   created_at = ?6, attempts = ?7, error = ?8, began_at = ?9, fence = NULL,
                   lease_until = NULL, why = ?10
               WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![
        id,
        cause::to_text(&wish.cause).map_err(Failure::from)?,
        shelf.state(),
        wish.priority as u8,
        wish.due_at,
        wish.created_at,
        wish.attempts,
        wish.error.as_ref().map(|told| &told.text),
        wish.began_at,
        wish.error
            .as_ref()
            .map(Told::why_json)
            .transpose()?
            .flatten(),
    ])?;
    Ok(())
}

/// Puts a request that ran, or was dead, where it belongs now. Answers when it is due.
fn put(db: &Connection, stored: &Stored, shelf: Shelf, now: i64) -> Outcome<i64> {
    let Stored {
        id,
        whose,
        key,
        wish,
        ..
    } = stored;
    match join(db, whose, key, wish, shelf, Some(*id), now)? {
        Some((_, due_at)) => {
            delete(db, *id)?;
            Ok(due_at)
        }
        None => {
            write(db, *id, wish, shelf)?;
            Ok(wish.due_at)
        }
    }
}

fn delete(db: &Connection, id: i64) -> Outcome<()> {
    db.prepare_cached("DELETE FROM requests WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}

/// Whether a connection is on and not held for maintenance; none when there is no such connection.
fn switch(db: &Connection, whose: &Whose) -> Outcome<Option<bool>> {
    let sql = "SELECT EXISTS (SELECT 1 FROM at_work WHERE tenant = ?1 AND id = ?2)
               FROM connections WHERE tenant = ?1 AND id = ?2";
    let on = db
        .prepare_cached(sql)?
        .query_row(whose.names(), |row| row.get(0))
        .optional()?;
    Ok(on)
}

/// Gives a connection the place in the line that it has now, if any. Answers what it runs next.
fn line_up(db: &Connection, whose: &Whose, now: i64) -> Outcome<Option<i64>> {
    let next = enter(db, whose, now)?;
    stand(db, &whose.tenant)?;
    Ok(next)
}

/// The same for several, each tenant of which takes its stand once.
fn line_up_all<'w>(
    db: &Connection,
    all: impl IntoIterator<Item = &'w Whose>,
    now: i64,
) -> Outcome<()> {
    let mut tenants = BTreeSet::new();
    for whose in all {
        enter(db, whose, now)?;
        tenants.insert(&whose.tenant);
    }
    for tenant in tenants {
        stand(db, tenant)?;
    }
    Ok(())
}

/// Puts a connection where it belongs among those of its tenant. Answers what it runs next.
fn enter(db: &Connection, whose: &Whose, now: i64) -> Outcome<Option<i64>> {
    let Some(place) = rules::place(&heads(db, whose)?, now) else {
        let sql = "DELETE FROM line WHERE tenant = ?1 AND connection = ?2";
        db.prepare_cached(sql)?.execute(whose.names())?;
        return Ok(None);
    };
    let sql = "INSERT INTO line (tenant, connection, class, since, rises_at)
               VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (tenant, connection) DO UPDATE SET class = excluded.class,
                   since = excluded.since, rises_at = excluded.rises_at";
    let (tenant, connection) = whose.names();
    db.prepare_cached(sql)?.execute(params![
        tenant,
        connection,
        place.class,
        place.since,
        place.rises_at
    ])?;
    Ok(Some(place.next))
}

/// Puts a tenant where it belongs among all. One that was in no line begins at the present turn.
fn stand(db: &Connection, tenant: &TenantId) -> Outcome<()> {
    let sql = "SELECT class, since FROM line WHERE tenant = ?1 ORDER BY class, since LIMIT 1";
    let first: Option<(u8, i64)> = db
        .prepare_cached(sql)?
        .query_row([tenant.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((class, since)) = first else {
        let sql = "UPDATE turns SET place = NULL, since = NULL
                   WHERE tenant = ?1 AND place IS NOT NULL";
        db.prepare_cached(sql)?.execute([tenant.as_str()])?;
        return Ok(());
    };
    let sql = "SELECT turn, place IS NOT NULL FROM turns WHERE tenant = ?1";
    let known: Option<(i64, bool)> = db
        .prepare_cached(sql)?
        .query_row([tenant.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let present = || -> rusqlite::Result<i64> {
        db.prepare_cached("SELECT turn FROM clock")?
            .query_row([], |row| row.get(0))
    };
    let turn = match known {
        Some((turn, true)) => turn,
        Some((turn, false)) => turn.max(present()?),
        None => present()?,
    };
    let sql = "INSERT INTO turns (tenant, turn, place, since) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (tenant) DO UPDATE SET turn = excluded.turn,
                   place = excluded.place, since = excluded.since";
    let place = rules::standing(turn, class);
    db.prepare_cached(sql)?
        .execute(params![tenant.as_str(), turn, place, since])?;
    Ok(())
}

/// The oldest ready request of each priority, of a connection that is on and idle.
fn heads(db: &Connection, whose: &Whose) -> Outcome<Vec<Head>> {
    let sql = "SELECT 1 FROM requests WHERE tenant = ?1 AND connection = ?2 AND state = 'running'";
    let runs = db.prepare_cached(sql)?.exists(whose.names())?;
    if runs || switch(db, whose)? != Some(true) {
        return Ok(Vec::new());
    }
    ready_heads(db, whose)
}

/// The oldest ready request of each priority, of any connection.
fn ready_heads(db: &Connection, whose: &Whose) -> Outcome<Vec<Head>> {
    let (tenant, connection) = whose.names();
    let sql = "SELECT id, due_at FROM requests
               WHERE tenant = ?1 AND connection = ?2 AND state = 'ready' AND priority = ?3
               ORDER BY due_at, id LIMIT 1";
    let mut first = db.prepare_cached(sql)?;
    let mut heads = Vec::new();
    for priority in PRIORITIES {
        let head = first
            .query_row(params![tenant, connection, priority as u8], |row| {
                Ok(Head {
                    id: row.get(0)?,
                    priority,
                    due_at: row.get(1)?,
                })
            })
            .optional()?;
        heads.extend(head);
    }
    Ok(heads)
}

/// Whether some connection could run something at once.
fn anything_waits(db: &Connection) -> Outcome<bool> {
    let sql = "SELECT 1 FROM turns WHERE place IS NOT NULL ORDER BY place, since LIMIT 1";
    Ok(db.prepare_cached(sql)?.exists([])?)
}

/// The tenant whose turn it is, with that: the first one that holds less than its share of the
/// claims, or else the first one.
fn next_tenant(db: &Connection, share: u32) -> Outcome<Option<(TenantId, i64)>> {
    // By itself SQLite would look through all requests of the tenant.
    let running = "SELECT count(*) FROM requests INDEXED BY requests_running
                   WHERE tenant = ?1 AND state = 'running'";
    let mut running = db.prepare_cached(running)?;
    let sql = "SELECT tenant, turn FROM turns WHERE place IS NOT NULL ORDER BY place, since";
    let mut in_order = db.prepare_cached(sql)?;
    let mut rows = in_order.query([])?;
    let mut first = None;
    while let Some(row) = rows.next()? {
        let (tenant, turn): (String, i64) = (row.get(0)?, row.get(1)?);
        let held: u32 = running.query_row([&tenant], |row| row.get(0))?;
        let tenant: TenantId = tenant.parse().map_err(Failure::new)?;
        if held < share {
            return Ok(Some((tenant, turn)));
        }
        first = first.or(Some((tenant, turn)));
    }
    Ok(first)
}

fn claim(db: &Connection, now: i64, lease: Duration, share: u32) -> Outcome<Option<Claim>> {
    rise(db, now)?;
    let mut all_ready = ready(db, now)?;
    loop {
        let Some((tenant, turn)) = next_tenant(db, share)? else {
            if all_ready {
                return Ok(None);
            }
            all_ready = ready(db, now)?;
            continue;
        };
        let sql = "SELECT tenant, connection FROM line WHERE tenant = ?1
                   ORDER BY class, since LIMIT 1";
        let first = db
            .prepare_cached(sql)?
            .query_and_then([tenant.as_str()], |row| {
                Whose::read(row, "tenant", "connection")
            })?
            .next()
            .transpose()?;
        let Some(whose) = first else {
            // Its connections were removed.
            stand(db, &tenant)?;
            continue;
        };
        // It may have been switched off; then it is not in the line any more.
        if let Some(id) = line_up(db, &whose, now)? {
            db.prepare_cached("UPDATE clock SET turn = max(turn, ?1)")?
                .execute([turn])?;
            db.prepare_cached("UPDATE turns SET turn = ?2 WHERE tenant = ?1")?
                .execute(params![tenant.as_str(), turn.saturating_add(1)])?;
            return take(db, id, &whose, now, lease).map(Some);
        }
    }
}

fn take(db: &Connection, id: i64, whose: &Whose, now: i64, lease: Duration) -> Outcome<Claim> {
    let fence: i64 = db
        .prepare_cached("UPDATE fence SET last = last + 1 RETURNING last")?
        .query_row([], |row| row.get(0))?;
    let sql = "UPDATE requests SET state = 'running', attempts = attempts + 1, fence = ?2,
                   lease_until = ?3, began_at = coalesce(began_at, ?4)
               WHERE id = ?1";
    db.prepare_cached(sql)?
        .execute(params![id, fence, lease_until(now, lease), now])?;
    line_up(db, whose, now)?;
    let stored = select(db, "id = ?1", [id])?
        .pop()
        .ok_or_else(|| Failure::new(format!("the request {id} is not there")))?;
    Ok(Claim {
        id: RequestId(id),
        fence: Fence(fence),
        tenant: stored.whose.tenant,
        connection: stored.whose.connection,
        job: stored.job,
        argument: stored.argument,
        mode: stored.mode,
        cause: stored.wish.cause,
        attempts: stored.wish.attempts,
        priority: stored.wish.priority,
        created_at: time(stored.wish.created_at),
        began_at: time(stored.wish.began_at.unwrap_or(now)),
        due_at: time(stored.wish.due_at),
    })
}

/// Makes requests ready whose time has come, the first ones first. Answers whether those were all.
fn ready(db: &Connection, now: i64) -> Outcome<bool> {
    let sql = "SELECT id, tenant, connection FROM requests WHERE state = 'later' AND due_at <= ?1
               ORDER BY due_at LIMIT ?2";
    let due = db
        .prepare_cached(sql)?
        .query_and_then(params![now, AT_ONCE], |row| {
            let whose = Whose::read(row, "tenant", "connection")?;
            Ok::<_, QueueFailure>((row.get::<_, i64>("id")?, whose))
        })?
        .collect::<Outcome<Vec<_>>>()?;
    let all = due.len() < AT_ONCE as usize;
    let mut touched = BTreeSet::new();
    for (id, whose) in due {
        db.prepare_cached("UPDATE requests SET state = 'ready' WHERE id = ?1")?
            .execute([id])?;
        touched.insert(whose);
    }
    line_up_all(db, &touched, now)?;
    Ok(all)
}

/// Lets connections rise that waited for long, the longest first.
fn rise(db: &Connection, now: i64) -> Outcome<()> {
    let sql = "SELECT tenant, connection FROM line WHERE rises_at <= ?1
               ORDER BY rises_at LIMIT ?2";
    let rising = db
        .prepare_cached(sql)?
        .query_and_then(params![now, AT_ONCE], |row| {
            Whose::read(row, "tenant", "connection")
        })?
        .collect::<Outcome<Vec<_>>>()?;
    line_up_all(db, &rising, now)
}

/// When a failed request is tried again, and when no more.
#[derive(Clone, Copy)]
struct Retries {
    most: u32,
    /// A random number from 0 to 1.
    chance: f64,
}

fn finish(
    db: &Connection,
    id: RequestId,
    fence: Fence,
    ended: Ended,
    retries: Retries,
    now: i64,
) -> Outcome<Next> {
    let condition = "id = ?1 AND fence = ?2 AND state = 'running'";
    let mut stored = select(db, condition, [id.0, fence.0])?
        .pop()
        .ok_or(QueueFailure::Superseded)?;
    let wish = &mut stored.wish;
    let next = match ended {
        Ended::Done => {
            delete(db, id.0)?;
            Next::Gone
        }
        Ended::Suspended(why) => {
            (wish.attempts, wish.due_at, wish.error) = (0, now, None);
            if why != Suspension::Interrupted {
                wish.priority = Priority::Backfill;
            }
            if why == Suspension::Unasked {
                wish.due_at = now.saturating_add(rules::REST);
            }
            let shelf = Shelf::of(wish.due_at, now);
            Next::Again(time(put(db, &stored, shelf, now)?))
        }
        Ended::Deferred { error, until } => {
            // As if it had failed once, so that equal requests wait with it, and never more than that.
            wish.attempts = wish.attempts.saturating_sub(1).max(1);
            wish.due_at = until.as_millisecond();
            wish.error = Some(error);
            let shelf = Shelf::of(wish.due_at, now);
            Next::Again(time(put(db, &stored, shelf, now)?))
        }
        Ended::Failed { error, retry } if retry && wish.attempts < retries.most => {
            let wait = rules::backoff(wish.attempts, retries.chance);
            wish.due_at = now.saturating_add(wait);
            wish.error = Some(error);
            Next::Again(time(put(db, &stored, Shelf::Later, now)?))
        }
        Ended::Failed { error, .. } => {
            wish.error = Some(error);
            put(db, &stored, Shelf::Dead, now)?;
            Next::Dead
        }
        Ended::Paused { reason } => {
            // Who switched it off meanwhile does not want it paused.
            let sql = "UPDATE connections SET state = 'paused', paused_reason = ?3,
                           paused_why = ?4
                       WHERE tenant = ?1 AND id = ?2 AND state = 'on'";
            let (tenant, connection) = stored.whose.names();
            db.prepare_cached(sql)?.execute(params![
                tenant,
                connection,
                reason.text,
                reason.why_json()?
            ])?;
            (wish.attempts, wish.due_at, wish.error) = (0, now, Some(reason));
            put(db, &stored, Shelf::Ready, now)?;
            Next::Waits
        }
    };
    line_up(db, &stored.whose, now)?;
    Ok(next)
}

fn recover(db: &Connection, leases: Leases, most: u32, now: i64) -> Outcome<Vec<Recovered>> {
    let (until, held) = match &leases {
        Leases::RanOut { but } => (now, but.as_slice()),
        Leases::All => (i64::MAX, [].as_slice()),
    };
    let mut recovered = Vec::new();
    for mut stored in select(db, "state = 'running' AND lease_until <= ?1", [until])? {
        if (held.iter()).any(|fence| Some(fence.0) == stored.fence) {
            continue;
        }
        let wish = &mut stored.wish;
        let why = Reason::new("server.process-ended").arg("attempt", wish.attempts);
        wish.error = Some(Told::new(why));
        let next = if wish.attempts < most {
            let wait = rules::after_crash(wish.attempts, fastrand::f64());
            wish.due_at = now.saturating_add(wait);
            let shelf = Shelf::of(wish.due_at, now);
            Next::Again(time(put(db, &stored, shelf, now)?))
        } else {
            put(db, &stored, Shelf::Dead, now)?;
            Next::Dead
        };
        line_up(db, &stored.whose, now)?;
        recovered.push(Recovered {
            id: RequestId(stored.id),
            fence: Fence(stored.fence.unwrap_or_default()),
            tenant: stored.whose.tenant,
            connection: stored.whose.connection,
            next,
        });
    }
    if leases == Leases::All {
        look_at_all(db, now)?;
    }
    Ok(recovered)
}

/// Gives all connections the place in the line that they have now.
fn look_at_all(db: &Connection, now: i64) -> Outcome<()> {
    let sql = "SELECT tenant, connection FROM line UNION
                   SELECT tenant, connection FROM requests WHERE state = 'ready'";
    let all = db
        .prepare(sql)?
        .query_and_then([], |row| Whose::read(row, "tenant", "connection"))?
        .collect::<Outcome<Vec<_>>>()?;
    line_up_all(db, &all, now)
}

fn retry(db: &Connection, whose: &Whose, only: Option<RequestId>, now: i64) -> Outcome<u64> {
    let condition = "tenant = ?1 AND connection = ?2 AND state = 'dead'
                     AND (?3 IS NULL OR id = ?3) ORDER BY id";
    let (tenant, connection) = whose.names();
    let only = only.map(|id| id.0);
    let dead = select(db, condition, params![tenant, connection, only])?;
    let mut retried = 0;
    for mut stored in dead {
        (stored.wish.attempts, stored.wish.due_at) = (0, now);
        put(db, &stored, Shelf::Ready, now)?;
        retried += 1;
    }
    line_up(db, whose, now)?;
    Ok(retried)
}

fn list(
    db: &Connection,
    whose: &Whose,
    only: Option<State>,
    after: i64,
    limit: u32,
) -> Outcome<Vec<Waiting>> {
    let (tenant, connection) = whose.names();
    let states = [State::Ready, State::Later, State::Running, State::Dead];
    let mut found = Vec::new();
    // State by state, as the index has them, so that a page costs as much as a page.
    for state in states
        .into_iter()
        .filter(|state| only.is_none_or(|only| only == *state))
    {
        let condition = "tenant = ?1 AND connection = ?2 AND state = ?3 AND id > ?4
                         ORDER BY id LIMIT ?5";
        let values = params![tenant, connection, name(state), after, limit];
        found.extend(select(db, condition, values)?);
    }
    found.sort_unstable_by_key(|stored| stored.id);
    found.truncate(limit as usize);
    Ok(found.into_iter().map(Waiting::from).collect())
}

fn count(mut of: impl FnMut(&'static str) -> Outcome<i64>) -> Outcome<Counts> {
    let mut of = |state| of(name(state)).map(i64::unsigned_abs);
    Ok(Counts {
        ready: of(State::Ready)?,
        later: of(State::Later)?,
        running: of(State::Running)?,
        dead: of(State::Dead)?,
    })
}

fn name(state: State) -> &'static str {
    match state {
        State::Ready => "ready",
        State::Later => "later",
        State::Running => "running",
        State::Dead => "dead",
    }
}

fn state(name: &str) -> Outcome<State> {
    match name {
        "ready" => Ok(State::Ready),
        "later" => Ok(State::Later),
        "running" => Ok(State::Running),
        "dead" => Ok(State::Dead),
        other => Err(Failure::new(format!("a request is in the unknown state {other}")).into()),
    }
}

fn priority(number: u8) -> Outcome<Priority> {
    let known = PRIORITIES.get(usize::from(number)).copied();
    known.ok_or_else(|| Failure::new(format!("there is no priority {number}")).into())
}

fn lease_until(now: i64, lease: Duration) -> i64 {
    now.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}

fn time(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::ffi::{c_int, c_void};

    use rusqlite::ffi;
    use tenon_host::Cause;

    use super::*;
    use crate::control::Control;

    const LEASE: Duration = Duration::from_secs(60);
    const SHARE: u32 = 8;

    unsafe extern "C" fn step(steps: *mut c_void) -> c_int {
        // SAFETY: `steps` is the counter that `counted` registered, which it still borrows.
        unsafe { *steps.cast::<u64>() += 1 };
        0
    }

    /// What some work answers, and how many steps the database's machine made for it: those of a
    /// scan grow with the table, on every computer alike.
    fn counted<T>(db: &Connection, work: impl FnOnce() -> Outcome<T>) -> (T, u64) {
        let mut steps = 0u64;
        // SAFETY: the handler is removed below, before `steps` goes.
        unsafe {
            let counter = (&raw mut steps).cast();
            ffi::sqlite3_progress_handler(db.handle(), 1, Some(step), counter);
        }
        let done = work();
        // SAFETY: the connection is open.
        unsafe { ffi::sqlite3_progress_handler(db.handle(), 0, None, std::ptr::null_mut()) };
        (done.unwrap(), steps)
    }

    fn wanted(connection: usize, argument: usize, due: Option<i64>) -> NewRequest {
        NewRequest {
            tenant: format!("tenant-{}", connection % 100).parse().unwrap(),
            connection: format!("connection-{connection}").parse().unwrap(),
            job: "orders".to_owned(),
            argument: Some(argument.to_string()),
            mode: Mode::Live,
            cause: Cause::Scheduled,
            priority: Priority::Schedule,
            due: due.map(time),
        }
    }

    /// 10,000 connections of 100 tenants. All but the first 5,000 are off.
    fn connections(folder: &std::path::Path) -> Connection {
        drop(Control::open(folder).unwrap());
        let db = Connection::open(folder.join("control.sqlite")).unwrap();
        db.execute_batch(
            "PRAGMA synchronous = OFF;
             BEGIN;
             INSERT INTO versions VALUES ('d', 'crm', '1', 1, '{}', '[]', 'file', NULL, 0);
             INSERT INTO tenants (id, name, time_zone, language, created_at)
                 WITH RECURSIVE n (n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM n WHERE n < 99)
                 SELECT 'tenant-' || n, '', 'UTC', 'en', 0 FROM n;
             INSERT INTO connections
                     (tenant, id, title, connector, digest, state, settings, created_at)
                 WITH RECURSIVE n (n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM n WHERE n < 9999)
                 SELECT 'tenant-' || (n % 100), 'connection-' || n, '', 'crm', 'd',
                     iif(n < 5000, 'on', 'off'), '{}', 0
                 FROM n;",
        )
        .unwrap();
        db
    }

    #[test]
    fn what_a_claim_costs_does_not_grow_with_what_waits() {
        const FEW: u64 = 2_000;
        let folder = tempfile::tempdir().unwrap();
        let db = connections(folder.path());
        let hour = 60 * 60 * 1000;
        // 10 requests of each connection, all but one for later, and 10,000 of one that runs.
        ask(&db, vec![wanted(0, 0, None)], 0).unwrap();
        let running = claim(&db, 0, LEASE, SHARE).unwrap().unwrap();
        let each = |number: usize| {
            let later = (1..=9).map(move |later| wanted(number, later, Some(hour)));
            later.chain([wanted(number, 0, None)])
        };
        ask(&db, (0..10_000).flat_map(each).collect(), 0).unwrap();
        let more = (100..10_100).map(|n| wanted(0, n, None));
        ask(&db, more.collect(), 0).unwrap();

        let retries = Retries {
            most: 8,
            chance: 0.5,
        };
        let failed = || Ended::Failed {
            error: Told::by_connector("no"),
            retry: true,
        };
        for _ in 0..100 {
            let (claim, steps) = counted(&db, || claim(&db, 1, LEASE, SHARE));
            assert!(steps < FEW, "a claim took {steps} steps");
            let claim = claim.unwrap();
            let (_, steps) = counted(&db, || {
                finish(&db, claim.id, claim.fence, failed(), retries, 1)
            });
            assert!(steps < FEW, "the end of a run took {steps} steps");
        }
        let end = || finish(&db, running.id, running.fence, failed(), retries, 1);
        let (_, steps) = counted(&db, end);
        assert!(steps < FEW, "a busy connection took {steps} steps");
        let (_, steps) = counted(&db, || ask(&db, vec![wanted(0, 20_000, None)], 1));
        assert!(steps < FEW, "a request took {steps} steps");

        // Here 90,000 come due at once and 4,900 connections rise: some of them with each claim.
        for _ in 0..100 {
            let (claim, steps) = counted(&db, || claim(&db, hour, LEASE, SHARE));
            assert!(claim.is_some());
            assert!(steps < 25 * FEW, "a claim of many took {steps} steps");
        }
    }
}
