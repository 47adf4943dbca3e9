//! Switching connections on and off, and when their jobs run.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use tenon_host::Cause;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::manifest::Manifest;
use tenon_host::schedule::Cron;
use tokio::sync::OwnedMutexGuard;

use super::opening::Completeness;
use super::{Error, Service, note, nothing};
use crate::control::connections::{State, Stored};
use crate::control::{Failure, connections, schedules, tenants};
use crate::hooks;
use crate::queue::{NewRequest, Priority};
use crate::scheduler::next_run;

/// How long an operation waits for a run to stop at a checkpoint.
const STOPPING: Duration = Duration::from_secs(30);

impl Service {
    /// Switches a connection on: sets up the counterpart, plans its jobs and runs each of them once.
    /// One that is paused goes on with what waits.
    pub async fn enable(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<(), Error> {
        let stored = self.stored(tenant, connection).await?;
        let place = (Some(tenant), Some(connection));
        let first = match stored.state {
            State::On => return Ok(()),
            State::Paused { .. } => {
                // What is still missing is said now and not by the next run.
                self.open_stored(&stored, Completeness::Whole).await?;
                false
            }
            State::Off => {
                let _alone = self.occupy(tenant, connection).await?;
                let opened = self.open_stored(&stored, Completeness::Whole).await?;
                if stored.hook.is_some() {
                    // Left by an attempt that broke off: its address must not stay there.
                    self.host().disable(&opened).await?;
                }
                let (secret, hook) = new_secret()?;
                self.change(
                    tenant,
                    connection,
                    note(actor, place, "connection.hook", nothing()),
                    move |stored| {
                        stored.hook = Some(hook);
                        Ok(())
                    },
                )
                .await?;
                let callback = self.callback(&secret)?;
                self.host().enable(&opened, &callback).await?;
                true
            }
        };
        let note = note(actor, place, "connection.enable", nothing());
        let stored = self
            .change(tenant, connection, note, |stored| {
                stored.state = State::On;
                stored.enabled_at = Some(Timestamp::now());
                Ok(())
            })
            .await?;
        self.reschedule(tenant, connection).await?;
        let now = Timestamp::now();
        self.queue().switched(tenant, connection, now).await?;
        if first {
            let connector = self.connector(&stored.digest).await?;
            let planned = plan(&connector.manifest, &stored);
            let requests = planned.into_iter().map(|(job, _)| NewRequest {
                tenant: tenant.clone(),
                connection: connection.clone(),
                job,
                argument: None,
                preview: false,
                cause: Cause::Scheduled,
                priority: Priority::Schedule,
                due: None,
            });
            self.queue().ask(requests.collect(), now).await?;
        }
        Ok(())
    }

    /// Switches a connection off. What waits is kept; a run stops at its next checkpoint. That the
    /// counterpart cannot be cleaned up, because it does not answer, keeps nobody from switching off.
    pub async fn disable(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<(), Error> {
        let before = self.stored(tenant, connection).await?;
        if before.state == State::Off {
            return Ok(());
        }
        let place = (Some(tenant), Some(connection));
        let note_off = note(actor, place, "connection.disable", nothing());
        self.change(tenant, connection, note_off, |stored| {
            stored.state = State::Off;
            stored.hook = None;
            stored.trial = None;
            Ok(())
        })
        .await?;
        self.reschedule(tenant, connection).await?;
        let now = Timestamp::now();
        self.queue().switched(tenant, connection, now).await?;
        if let Err(error) = self.clean_up(&before).await {
            let reason = error.to_string();
            let detail = json!({ "reason": reason });
            self.audit(note(actor, place, "connection.cleanup_failed", detail))
                .await?;
        }
        Ok(())
    }

    /// Lets the connector undo what it set up at the counterpart.
    async fn clean_up(&self, stored: &Stored) -> Result<(), Error> {
        let _alone = self.occupy(&stored.tenant, &stored.id).await?;
        let opened = self.open_stored(stored, Completeness::Whole).await?;
        Ok(self.host().disable(&opened).await?)
    }

    /// Stops a connection until an admin has mended something.
    pub(crate) async fn paused(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        reason: &str,
    ) -> Result<(), Error> {
        let place = (Some(tenant), Some(connection));
        let detail = json!({ "reason": reason });
        let host = crate::control::audit::HOST;
        self.audit(note(host, place, "connection.pause", detail))
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
        if stored.state == State::Off {
            return Err(Error::ConnectionNotOn);
        }
        let _alone = self.occupy(tenant, connection).await?;
        let opened = self.open_stored(&stored, Completeness::Whole).await?;
        self.host().disable(&opened).await?;
        let (secret, hook) = new_secret()?;
        let place = (Some(tenant), Some(connection));
        let note = note(actor, place, "connection.hook", nothing());
        self.change(tenant, connection, note, move |stored| {
            stored.hook = Some(hook);
            Ok(())
        })
        .await?;
        let callback = self.callback(&secret)?;
        self.host().enable(&opened, &callback).await?;
        Ok(callback)
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
                    format!("the connector has no job `{job}`"),
                ));
            }
            if let Some(Err(error)) = cron.as_ref().map(|cron| cron.parse::<Cron>()) {
                return Err(Error::invalid(format!("/{}", pointer(job)), error));
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
        let stored = self.stored(tenant, connection).await?;
        let connector = self.connector(&stored.digest).await?;
        let (tenant, connection) = (tenant.clone(), connection.clone());
        self.control()
            .write(move |db| {
                let now = Timestamp::now();
                // What was read before may have changed.
                let Some(stored) = connections::get(db, &tenant, &connection)? else {
                    return Ok(());
                };
                let Some(owner) = tenants::get(db, &tenant)? else {
                    return Ok(());
                };
                let zone = TimeZone::get(&owner.time_zone).map_err(Failure::new)?;
                let before = schedules::of(db, &tenant, &connection)?;
                let mut planned = BTreeMap::new();
                if stored.state == State::On {
                    for (job, cron) in plan(&connector.manifest, &stored) {
                        // One that is due and was not asked for yet must not be skipped.
                        let due = (before.get(&job))
                            .filter(|(before, next)| *before == cron.to_string() && *next <= now)
                            .map(|(_, next)| *next);
                        let seed = schedules::seed(&tenant, &connection, &job);
                        let next = || next_run(&cron, &zone, stored.window, seed, now);
                        if let Some(next) = due.or_else(next) {
                            planned.insert(job, (cron.to_string(), next));
                        }
                    }
                }
                Ok::<_, Error>(schedules::replace(db, &tenant, &connection, &planned)?)
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
            .read(move |db| Ok::<_, Error>(connections::list(db, &tenant, None, u32::MAX)?))
            .await
    }

    /// Asks for the timers of a connection that came due.
    pub(crate) async fn wake(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        now: Timestamp,
    ) -> Result<(), Error> {
        const AT_ONCE: u32 = 100;
        let timers = (self.host())
            .due_timers(tenant, connection, now, AT_ONCE)
            .await?;
        let requests = timers.iter().map(|timer| NewRequest {
            tenant: tenant.clone(),
            connection: connection.clone(),
            job: timer.job.clone(),
            argument: timer.argument.clone(),
            preview: false,
            cause: Cause::Scheduled,
            priority: Priority::Schedule,
            due: None,
        });
        // The requests are durable before the timers are gone.
        self.queue().ask(requests.collect(), now).await?;
        self.host().drop_timers(tenant, connection, &timers).await?;
        self.note_timers(tenant, connection).await
    }

    /// Remembers when the next timer of a connection comes due.
    pub(crate) async fn note_timers(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<(), Error> {
        let next = self.host().next_timer(tenant, connection).await?;
        let (tenant, connection) = (tenant.clone(), connection.clone());
        self.control()
            .write(move |db| Ok::<_, Error>(connections::set_wake(db, &tenant, &connection, next)?))
            .await
    }

    /// Waits until nothing of a connection runs, and keeps it so. A run that is under way is asked to
    /// stop.
    pub(super) async fn occupy(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<OwnedMutexGuard<()>, Error> {
        self.ask_to_stop(tenant, connection);
        let place = self.place(tenant, connection);
        tokio::time::timeout(STOPPING, place.lock_owned())
            .await
            .map_err(|_| Error::Busy)
    }

    /// Asks the run of a connection to stop at its next checkpoint; tells whether there is one.
    pub(super) fn ask_to_stop(&self, tenant: &TenantId, connection: &ConnectionId) -> bool {
        let watched = self.watched(tenant, connection);
        if let Some(watched) = &watched {
            watched.stop.store(true, Ordering::Relaxed);
        }
        watched.is_some()
    }
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

/// A new secret for the address of webhooks, and what is kept of it.
fn new_secret() -> Result<(String, [u8; 32]), Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(Failure::new)?;
    let secret = URL_SAFE_NO_PAD.encode(bytes);
    let hook = hooks::digest(&secret);
    Ok((secret, hook))
}

/// A member's name in a JSON Pointer.
fn pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
