//! Switching connections on and off, and when their jobs run.
//!
//! Setting up a counterpart takes a while, and what is set up there has to be what is written down
//! here in the end. So who does it is alone with the connection from reading it to the last change,
//! but for those who switch it off: that is done at once, and makes the last change impossible.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::manifest::Manifest;
use tenon_host::model::Fault;
use tenon_host::reason::Reason;
use tenon_host::report::Question;
use tenon_host::schedule::Cron;
use tenon_host::{CallError, Cause, Connector, Mode};

use super::opening::Completeness;
use super::{Alone, Error, Service, What, note, nothing};
use crate::control::audit::HOST;
use crate::control::connections::{State, Stored};
use crate::control::{Failure, audit, connections, questions, schedules, tenants, webhooks};
use crate::hooks;
use crate::queue::{NewRequest, Priority};
use crate::scheduler::next_run;
use crate::told::Explained;

/// How long an operation waits for what is done with its connection: a run ends within moments, another
/// operation may take its time.
const STOPPING: Duration = Duration::from_secs(30);

/// How long cleaning up a counterpart may take,
const CLEANING: Duration = Duration::from_secs(30);
/// and how much of that who switches off waits for.
const MOMENT: Duration = Duration::from_secs(1);

impl Service {
    /// Switches a connection on: sets up the counterpart, plans its jobs and runs each of them once.
    /// One that is paused goes on with what waits.
    pub async fn enable(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<(), Error> {
        if self.stored(tenant, connection).await?.state == State::On {
            return Ok(());
        }
        self.look_at_records(tenant).await?;
        let alone = self.occupy(tenant, connection).await?;
        let mut seen = self.settled(&alone, tenant, connection).await?;
        let first = seen.state == State::Off;
        let mut open = Vec::new();
        match seen.state {
            State::On => return Ok(()),
            // What is still missing is said now and not by the next run.
            State::Paused { .. } => {
                drop(self.open_stored(&seen, Completeness::Whole).await?);
                self.check_nothing_is_asked_first(&seen).await?;
            }
            State::Off => {
                let (hook, asked) = self.set_up(actor, &seen).await?;
                (seen.hook, open) = (Some(hook), asked);
            }
        }
        let connector = self.connector(&seen.digest).await?;
        if first {
            // They wait until it is on: a process that dies in between has left nothing out.
            let planned = plan(&connector.manifest, &seen);
            let requests = planned.into_iter().map(|(job, _)| NewRequest {
                tenant: tenant.clone(),
                connection: connection.clone(),
                job,
                argument: None,
                mode: Mode::Live,
                cause: Cause::Scheduled,
                priority: Priority::Schedule,
                due: None,
            });
            let now = self.now();
            self.queue().ask(requests.collect(), now).await?;
        }
        let place = (Some(tenant), Some(connection));
        let note = note(actor, place, "connection.enable", nothing());
        let (owner, id) = (tenant.clone(), connection.clone());
        let now = self.now();
        self.control()
            .write(move |db| {
                let on = connections::change(db, &owner, &id, |stored| {
                    check_unchanged(stored, &seen)?;
                    stored.state = State::On;
                    stored.hook_before = None;
                    stored.enabled_at = Some(now);
                    Ok::<_, Error>(())
                })?;
                let on = on.ok_or_else(|| Error::not_found(What::Connection, &id))?;
                audit::note(db, &note, now)?;
                questions::switched_on(db, &owner, &id, &open, now)?;
                webhooks::retry(db, &owner, &id, None)?;
                plan_anew(db, &connector.manifest, &on, Keeps::Due, now)
            })
            .await?;
        self.gone_on(tenant, connection).await
    }

    /// Refuses to let a connection go on while people are asked whose its account is: its next run would
    /// pause it again.
    async fn check_nothing_is_asked_first(&self, seen: &Stored) -> Result<(), Error> {
        let (tenant, connection) = (seen.tenant.clone(), seen.id.clone());
        let asked = (self.control())
            .read(move |db| Ok::<_, Error>(questions::of_account(db, &tenant, &connection)?))
            .await?;
        match asked {
            Some(asked) => {
                let connector = self.connector(&seen.digest).await?;
                let why = Explained::new(asked.question.why, &connector.catalogue);
                Err(Error::Refused(why))
            }
            None => Ok(()),
        }
    }

    /// Lets what waits for a connection run that was switched on.
    pub(super) async fn gone_on(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<(), Error> {
        self.inbox().look();
        self.note_timers(tenant, connection).await;
        let now = self.now();
        Ok(self.queue().switched(tenant, connection, now).await?)
    }

    /// Sets up the counterpart of a connection that is off; answers with what its webhooks are known
    /// by, and what was asked and is not done.
    async fn set_up(
        &self,
        actor: &str,
        stored: &Stored,
    ) -> Result<([u8; 32], Vec<Question>), Error> {
        let opened = self.open_stored(stored, Completeness::Whole).await?;
        let _room = self.room(&stored.tenant).await?;
        if stored.hook.is_some() {
            // Left by a process that died: its address must not stay there.
            let cleaned = self.host().disable(&opened).await;
            cleaned.map_err(|error| Error::called(opened.connector(), &error))?;
        }
        let (callback, hook) = self.new_hook(actor, stored).await?;
        let agreed = self.agreed_to_switch_on(stored).await?;
        let told = callback.as_deref().unwrap_or_default();
        let error = match self.host().enable(&opened, told, &agreed).await {
            Ok(asked) => return Ok((hook, asked)),
            Err(error) => error,
        };
        Err(self
            .not_set_up(stored, hook, opened.connector(), &error)
            .await?)
    }

    /// Why a counterpart is not set up. What is asked first waits for an answer from now on. Nobody was
    /// told the new address.
    async fn not_set_up(
        &self,
        stored: &Stored,
        hook: [u8; 32],
        connector: &Connector,
        error: &CallError,
    ) -> Result<Error, Error> {
        let (tenant, connection) = (stored.tenant.clone(), stored.id.clone());
        let asked = match error {
            CallError::Question(question) => Some(question.clone()),
            _ => None,
        };
        let now = self.now();
        self.control()
            .write(move |db| {
                connections::change(db, &tenant, &connection, |stored| {
                    if stored.hook == Some(hook) {
                        (stored.hook, stored.hook_before) = (stored.hook_before, None);
                    }
                    Ok::<_, Error>(())
                })?;
                if let Some(question) = asked {
                    questions::asked_to_switch_on(db, &tenant, &connection, &question, now)?;
                }
                Ok::<_, Error>(())
            })
            .await?;
        Ok(Error::called(connector, error))
    }

    /// Gives the webhooks of a connection an address; answers with it and what it is known by. The one
    /// that they had is good as well until they are set up at the new one.
    ///
    /// A connector that takes no webhooks gets no address; what it set up is known by a secret that
    /// nobody has.
    async fn new_hook(
        &self,
        actor: &str,
        seen: &Stored,
    ) -> Result<(Option<String>, [u8; 32]), Error> {
        let (secret, hook) = new_secret()?;
        let takes_webhooks = (self.connector(&seen.digest).await?.manifest.webhooks).is_some();
        let callback = takes_webhooks.then(|| self.callback(&secret)).transpose()?;
        let place = (Some(&seen.tenant), Some(&seen.id));
        let note = note(actor, place, "connection.hook", nothing());
        let before = seen.clone();
        self.change(&seen.tenant, &seen.id, note, move |stored| {
            check_unchanged(stored, &before)?;
            (stored.hook, stored.hook_before) = (Some(hook), stored.hook);
            Ok(())
        })
        .await?;
        Ok((callback, hook))
    }

    /// Switches a connection off. What waits is kept; a run is ended at once, and goes on from its last
    /// checkpoint when the connection is on again. That the counterpart cannot be cleaned up, because
    /// it does not answer, keeps nobody from switching off, and is noted in the audit.
    pub async fn disable(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<(), Error> {
        let before = self.stored(tenant, connection).await?;
        if before.state == State::Off && before.hook.is_none() {
            return Ok(());
        }
        let place = (Some(tenant), Some(connection));
        let note_off = note(actor, place, "connection.disable", nothing());
        self.change(tenant, connection, note_off, |stored| {
            stored.state = State::Off;
            (stored.hook, stored.hook_before) = (None, None);
            stored.trial = None;
            Ok(())
        })
        .await?;
        self.reschedule(tenant, connection).await?;
        let now = self.now();
        self.queue().switched(tenant, connection, now).await?;
        let (service, owner, id) = (self.clone(), tenant.clone(), connection.clone());
        let cleaning = async move { service.clean_up(&owner, &id).await };
        let failed = note(actor, place, "connection.cleanup_failed", nothing());
        self.beside(failed, cleaning).await
    }

    /// Sets up the counterpart of a connection that is another account's now. That it cannot be done,
    /// because the counterpart does not answer, is noted in the audit.
    pub(super) async fn set_up_anew(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<(), Error> {
        let (service, owner, id) = (self.clone(), tenant.clone(), connection.clone());
        let who = actor.to_owned();
        let setting_up = async move { service.set_up_on(&who, &owner, &id).await.map(drop) };
        let place = (Some(tenant), Some(connection));
        let failed = note(actor, place, "connection.setup_failed", nothing());
        self.beside(failed, setting_up).await
    }

    /// Waits a moment for work at the counterpart, which goes on by itself after that. Its failure is
    /// noted in the audit like this, with the reason, and is nobody else's.
    async fn beside(
        &self,
        failed: audit::Note,
        work: impl Future<Output = Result<(), Error>> + Send + 'static,
    ) -> Result<(), Error> {
        let service = self.clone();
        let work = tokio::spawn(async move {
            let Err(error) = work.await else {
                return Ok(());
            };
            let told = error.told();
            let detail = json!({ "reason": told.text, "why": told.why });
            service.audit(audit::Note { detail, ..failed }).await
        });
        match tokio::time::timeout(MOMENT, work).await {
            Ok(Ok(noted)) => noted,
            Ok(Err(panic)) => Err(Failure::new(panic).into()),
            Err(_) => Ok(()),
        }
    }

    /// Lets the connector undo what it set up at the counterpart.
    async fn clean_up(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<(), Error> {
        let alone = self.occupy(tenant, connection).await?;
        let stored = self.settled(&alone, tenant, connection).await?;
        if stored.state != State::Off {
            // Somebody has switched it on again: what is set up by now is wanted.
            return Ok(());
        }
        let opened = self.open_stored(&stored, Completeness::Whole).await?;
        let _room = self.room(tenant).await?;
        let disabling = self.host().disable(&opened);
        match tokio::time::timeout(CLEANING, disabling).await {
            Ok(disabled) => disabled.map_err(|error| Error::called(opened.connector(), &error)),
            Err(_) => {
                let why = Reason::new("server.not-cleaned-up");
                let why = why.arg("seconds", CLEANING.as_secs());
                Err(Error::Unavailable(why.into()))
            }
        }
    }

    /// Says in the audit why a connection was stopped until an admin has mended something.
    pub(crate) async fn paused(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<(), Error> {
        let (owner, id) = (tenant.clone(), connection.clone());
        self.control()
            .write(move |db| {
                let stored = connections::get(db, &owner, &id)?;
                // Who switched it off meanwhile did not want it paused.
                if let Some(State::Paused { reason }) = stored.map(|stored| stored.state) {
                    let place = (Some(&owner), Some(&id));
                    let note = note(
                        HOST,
                        place,
                        "connection.pause",
                        json!({ "reason": reason.text, "why": reason.why }),
                    );
                    audit::note(db, &note, Timestamp::now())?;
                }
                Ok::<_, Error>(())
            })
            .await?;
        self.reschedule(tenant, connection).await
    }

    /// Gives the webhooks of a connection another address and answers with it. The old one is void at
    /// once.
    pub async fn rotate_hook(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<String, Error> {
        let stored = self.stored(tenant, connection).await?;
        let manifest = &self.connector(&stored.digest).await?.manifest;
        if manifest.webhooks.is_none() {
            return Err(Error::NoWebhooks);
        }
        let url = self.set_up_on(actor, tenant, connection).await?;
        url.ok_or(Error::NoWebhooks)
    }

    /// Sets up the counterpart of a connection that is on anew; answers with the address of its
    /// webhooks, if its connector takes any. Until that is done the one that they had is good.
    pub(super) async fn set_up_on(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Option<String>, Error> {
        if self.stored(tenant, connection).await?.state == State::Off {
            return Err(Error::ConnectionNotOn);
        }
        let alone = self.occupy(tenant, connection).await?;
        let stored = self.settled(&alone, tenant, connection).await?;
        if stored.state == State::Off {
            return Err(Error::ConnectionNotOn);
        }
        let opened = self.open_stored(&stored, Completeness::Whole).await?;
        let _room = self.room(tenant).await?;
        let (callback, hook) = self.new_hook(actor, &stored).await?;
        let agreed = self.agreed_to_switch_on(&stored).await?;
        let told = callback.as_deref().unwrap_or_default();
        let open = match self.host().enable(&opened, told, &agreed).await {
            Ok(asked) => asked,
            Err(error) => {
                let why = self
                    .not_set_up(&stored, hook, opened.connector(), &error)
                    .await?;
                return Err(why);
            }
        };
        let (owner, id) = (tenant.clone(), connection.clone());
        let now = self.now();
        self.control()
            .write(move |db| {
                connections::change(db, &owner, &id, |stored| {
                    stored.hook_before = None;
                    Ok::<_, Error>(())
                })?;
                Ok::<_, Error>(questions::switched_on(db, &owner, &id, &open, now)?)
            })
            .await?;
        self.note_timers(tenant, connection).await;
        Ok(callback)
    }

    /// The questions that people have agreed to and that are asked before it is switched on.
    async fn agreed_to_switch_on(&self, stored: &Stored) -> Result<HashSet<String>, Error> {
        let (tenant, connection) = (stored.tenant.clone(), stored.id.clone());
        self.control()
            .read(move |db| {
                let agreed = questions::agreed_to_switch_on(db, &tenant, &connection)?;
                Ok::<_, Error>(agreed.into_iter().collect())
            })
            .await
    }

    fn callback(&self, secret: &str) -> Result<String, Error> {
        let mut base = self.options().public_url.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let url = base.join(&format!("hooks/{secret}/"));
        url.map(String::from)
            .map_err(|error| Failure::new(error).into())
    }

    /// Sets when the jobs of a connection run: by job, a cron expression or none to run only when
    /// asked. A job that is not named runs as its manifest says.
    pub async fn put_schedules(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
        given: BTreeMap<String, Option<String>>,
    ) -> Result<(), Error> {
        let stored = self.stored(tenant, connection).await?;
        let connector = self.connector(&stored.digest).await?;
        let jobs = &connector.manifest.jobs;
        for (job, cron) in &given {
            if !jobs.iter().any(|known| known.id == *job) {
                return Err(Error::invalid(
                    format!("/{}", pointer(job)),
                    Reason::new("server.no-such-job").arg("job", job),
                ));
            }
            if let Some(Err(error)) = cron.as_ref().map(|cron| cron.parse::<Cron>()) {
                let reason = Reason::new("server.bad-schedule").detail(error);
                return Err(Error::invalid(format!("/{}", pointer(job)), reason));
            }
        }
        let place = (Some(tenant), Some(connection));
        let note = note(actor, place, "schedules.put", json!(given));
        self.change(tenant, connection, note, move |stored| {
            stored.schedules = given;
            Ok(())
        })
        .await?;
        self.reschedule(tenant, connection).await
    }

    /// Plans the next runs of a connection anew.
    pub(super) async fn reschedule(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<(), Error> {
        self.plan_keeping(tenant, connection, Keeps::Due).await
    }

    /// Makes good what a process that died left undone between the state of a connection and what
    /// follows from it: plans that are missing, and when the next timer comes due. What is planned
    /// stays.
    pub(crate) async fn take_up_plans(&self) {
        let on = (self.control())
            .read(|db| Ok::<_, Error>(connections::that_are_on(db)?))
            .await;
        let on = on.unwrap_or_else(|error| {
            tracing::error!("taking up what connections planned: {error}");
            Vec::new()
        });
        for (tenant, connection) in on {
            if self.stopping() {
                return;
            }
            let planned = self.plan_keeping(&tenant, &connection, Keeps::All).await;
            if let Err(error) = planned {
                tracing::error!("planning connection {connection} of tenant {tenant}: {error}");
            }
            // When a run has begun already, this is done at its end.
            if let Some(_alone) = self.place(&tenant, &connection).try_take() {
                self.note_timers(&tenant, &connection).await;
            }
        }
    }

    async fn plan_keeping(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        keeps: Keeps,
    ) -> Result<(), Error> {
        let stored = self.stored(tenant, connection).await?;
        let connector = self.connector(&stored.digest).await?;
        let (tenant, connection) = (tenant.clone(), connection.clone());
        let now = self.now();
        self.control()
            .write(move |db| {
                // What was read before may have changed.
                let Some(stored) = connections::get(db, &tenant, &connection)? else {
                    return Ok(());
                };
                plan_anew(db, &connector.manifest, &stored, keeps, now)
            })
            .await
    }

    /// Plans the next runs of all connections of a tenant anew.
    pub(super) async fn reschedule_tenant(&self, tenant: &TenantId) -> Result<(), Error> {
        for connection in self.connections_of(tenant).await? {
            self.reschedule(tenant, &connection.id).await?;
        }
        Ok(())
    }

    /// All connections of a tenant.
    pub(super) async fn connections_of(&self, tenant: &TenantId) -> Result<Vec<Stored>, Error> {
        let tenant = tenant.clone();
        self.control()
            .read(move |db| {
                let wanted = connections::Wanted {
                    tenant: Some(&tenant),
                    limit: u32::MAX,
                    ..connections::Wanted::default()
                };
                Ok::<_, Error>(connections::list(db, wanted)?)
            })
            .await
    }

    /// Asks for the timers of a connection that came due. Tells whether it could: while something else
    /// is done with the connection, such as a run, they wait.
    pub(crate) async fn wake(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        const AT_ONCE: u32 = 100;
        // Alone, because a run that sets a timer meanwhile would be overlooked.
        let Some(_alone) = self.place(tenant, connection).try_take() else {
            return Ok(false);
        };
        let timers = (self.host())
            .due_timers(tenant, connection, now, AT_ONCE)
            .await?;
        let requests = timers.iter().map(|timer| NewRequest {
            tenant: tenant.clone(),
            connection: connection.clone(),
            job: timer.job.clone(),
            argument: timer.argument.clone(),
            mode: Mode::Live,
            cause: Cause::Scheduled,
            priority: Priority::Schedule,
            due: None,
        });
        // The requests are durable before the timers are gone.
        self.queue().ask(requests.collect(), now).await?;
        self.host().drop_timers(tenant, connection, &timers).await?;
        self.note_next_timer(tenant, connection).await?;
        Ok(true)
    }

    /// Remembers when the next timer of a connection comes due, for who is alone with it. What was done before that is done
    /// whether or not this succeeds, and after the next run it is looked at again.
    pub(crate) async fn note_timers(&self, tenant: &TenantId, connection: &ConnectionId) {
        if let Err(error) = self.note_next_timer(tenant, connection).await {
            tracing::error!("the timers of connection {connection} of tenant {tenant}: {error}");
        }
    }

    async fn note_next_timer(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<(), Error> {
        let next = match self.host().next_timer(tenant, connection).await {
            // A platform without timers.
            Err(Fault::Unsupported(_)) => return Ok(()),
            next => next?,
        };
        let (tenant, connection) = (tenant.clone(), connection.clone());
        self.control()
            .write(move |db| Ok::<_, Error>(connections::set_wake(db, &tenant, &connection, next)?))
            .await
    }

    /// Waits until nothing of a connection runs, and keeps it so. A run that is under way is ended; it
    /// goes on from its last checkpoint afterwards.
    pub(super) async fn occupy(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Alone, Error> {
        let place = self.place(tenant, connection);
        tokio::time::timeout(STOPPING, place.claim())
            .await
            .map_err(|_| Error::Busy)
    }
}

/// Lets a connection that is paused go on, in the transaction that the caller has begun. What belongs
/// to it beyond that is done by [`Service::gone_on`].
pub(super) fn go_on(
    db: &rusqlite::Connection,
    manifest: &Manifest,
    tenant: &TenantId,
    connection: &ConnectionId,
    now: Timestamp,
) -> Result<(), Error> {
    let on = connections::change(db, tenant, connection, |stored| {
        if let State::Paused { .. } = stored.state {
            stored.state = State::On;
            stored.enabled_at = Some(now);
        }
        Ok::<_, Error>(())
    })?;
    if let Some(on) = on {
        webhooks::retry(db, tenant, connection, None)?;
        plan_anew(db, manifest, &on, Keeps::Due, now)?;
    }
    Ok(())
}

/// Which planned runs stay when a connection is planned anew, as long as their schedule is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    /// Those that are due and were not asked for yet: none may be skipped.
    Due,
    /// All.
    All,
}

/// Plans the next runs of a connection anew, in the transaction that the caller has begun.
fn plan_anew(
    db: &rusqlite::Connection,
    manifest: &Manifest,
    stored: &Stored,
    keeps: Keeps,
    now: Timestamp,
) -> Result<(), Error> {
    let (tenant, connection) = (&stored.tenant, &stored.id);
    let Some(owner) = tenants::get(db, tenant)? else {
        return Ok(());
    };
    let zone = TimeZone::get(&owner.time_zone).map_err(Failure::new)?;
    let before = schedules::of(db, tenant, connection)?;
    let mut planned = BTreeMap::new();
    if stored.state == State::On {
        for (job, cron) in plan(manifest, stored) {
            let stays = |next: Timestamp| keeps == Keeps::All || next <= now;
            let kept = (before.get(&job))
                .filter(|(before, next)| *before == cron.to_string() && stays(*next))
                .map(|(_, next)| *next);
            let seed = schedules::seed(tenant, connection, &job);
            let next = || next_run(&cron, &zone, stored.window, seed, now);
            if let Some(next) = kept.or_else(next) {
                planned.insert(job, (cron.to_string(), next));
            }
        }
    }
    if planned != before {
        schedules::replace(db, tenant, connection, &planned)?;
    }
    Ok(())
}

/// The jobs that run by themselves, in the order of the manifest.
pub fn plan(manifest: &Manifest, stored: &Stored) -> Vec<(String, Cron)> {
    let planned = manifest.jobs.iter().filter_map(|job| {
        let given = stored.schedules.get(&job.id);
        let cron = match given {
            Some(given) => given.as_ref(),
            None => job.schedule.as_ref(),
        };
        // What was stored was checked; a manifest is checked when it is installed.
        Some((job.id.clone(), cron?.parse().ok()?))
    });
    planned.collect()
}

/// Refuses a change of what is not any more as it was seen: it was switched off meanwhile.
fn check_unchanged(stored: &Stored, seen: &Stored) -> Result<(), Error> {
    let same = (stored.state == State::Off) == (seen.state == State::Off)
        && stored.digest == seen.digest
        && stored.hook == seen.hook;
    same.then_some(()).ok_or(Error::ConnectionNotOn)
}

/// A new secret for the address of webhooks, and what is kept of it.
fn new_secret() -> Result<(String, [u8; 32]), Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(Failure::new)?;
    let secret = URL_SAFE_NO_PAD.encode(bytes);
    let hook = hooks::digest(&secret);
    Ok((secret, hook))
}

/// A member's name in a JSON Pointer.
pub(super) fn pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
