//! Asking for runs, and what people do with those that wait or failed.

use serde_json::json;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::reason::Reason;
use tenon_host::report::Subject;
use tenon_host::{Cause, Mode, RecordRef};

use super::opening::Completeness;
use super::{Error, Service, What, note};
use crate::control::audit::{self, Note};
use crate::control::connections::{State, Stored};
use crate::control::failed::{self, FailedRecord};
use crate::control::{Failure, webhooks};
use crate::queue::{NewRequest, Priority, RequestId};
use crate::worker::{self, Work};

/// What came of asking for a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It waits for its turn.
    Request(RequestId),
    /// It has begun.
    Run(String),
}

impl Service {
    /// Asks for a run of a job. A connection that is not on takes only runs that change nothing, which
    /// begin at once and of which there is one at a time.
    pub async fn run(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
        job: &str,
        argument: Option<String>,
        mode: Mode,
    ) -> Result<Asked, Error> {
        let detail = json!({ "job": job, "argument": argument, "mode": mode });
        let stored = self.stored(tenant, connection).await?;
        if !mode.writes() && stored.state != State::On {
            let place = (Some(tenant), Some(connection));
            let note = note(actor, place, "job.run", detail);
            return self.look(&stored, job, argument, mode, note).await;
        }
        let request = self
            .wanted(tenant, connection, job, argument, mode, Cause::Asked)
            .await?;
        let place = (Some(tenant), Some(connection));
        let note = note(actor, place, "job.run", detail);
        self.ask_one(request, note).await.map(Asked::Request)
    }

    /// Begins a run that changes nothing, of a connection that is not on.
    async fn look(
        &self,
        seen: &Stored,
        job: &str,
        argument: Option<String>,
        mode: Mode,
        note: Note,
    ) -> Result<Asked, Error> {
        let place = self.place(&seen.tenant, &seen.id);
        let alone = place.try_take().ok_or(Error::Busy)?;
        let stored = self.settled(&alone, &seen.tenant, &seen.id).await?;
        let opened = self.open_stored(&stored, Completeness::Whole).await?;
        if !opened
            .connector()
            .manifest
            .jobs
            .iter()
            .any(|known| known.id == job)
        {
            return Err(Error::not_found(What::Job, job));
        }
        let room = self.room(&stored.tenant).await?;
        self.audit(note).await?;
        let work = Work {
            run: worker::new_run(),
            job: job.to_owned(),
            argument,
            mode,
            cause: Cause::Asked,
            claim: None,
        };
        let run = work.run.clone();
        let service = self.clone();
        tokio::spawn(async move {
            if let Err(error) = worker::go(&service, &alone, &stored, &opened, work).await {
                tracing::error!("a {} of connection {}: {error}", mode.as_str(), stored.id);
            }
            drop((alone, room));
        });
        Ok(Asked::Run(run))
    }

    /// Presses a button of a connector on a record.
    pub async fn press(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
        action: &str,
        target: RecordRef,
    ) -> Result<RequestId, Error> {
        let stored = self.stored(tenant, connection).await?;
        let connector = self.connector(&stored.digest).await?;
        let known = (connector.manifest.actions.iter())
            .find(|known| known.id == action)
            .ok_or_else(|| Error::not_found(What::Action, action))?;
        if known.record_kind != target.kind {
            let kind = known.record_kind.name();
            let reason = Reason::new("server.action-of-other-kind").arg("kind", kind);
            return Err(Error::invalid("/kind", reason));
        }
        let detail = json!({ "action": action, "kind": target.kind, "key": target.key });
        let cause = Cause::Action {
            action: action.to_owned(),
            target,
        };
        let request = self
            .wanted(tenant, connection, action, None, Mode::Live, cause)
            .await?;
        let place = (Some(tenant), Some(connection));
        self.ask_one(request, note(actor, place, "action.press", detail))
            .await
    }

    async fn wanted(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        job: &str,
        argument: Option<String>,
        mode: Mode,
        cause: Cause,
    ) -> Result<NewRequest, Error> {
        let stored = self.stored(tenant, connection).await?;
        let connector = self.connector(&stored.digest).await?;
        if !connector.manifest.jobs.iter().any(|known| known.id == job) {
            return Err(Error::not_found(What::Job, job));
        }
        if stored.state != State::On {
            return Err(Error::ConnectionNotOn);
        }
        Ok(NewRequest {
            tenant: tenant.clone(),
            connection: connection.clone(),
            job: job.to_owned(),
            argument,
            mode,
            cause,
            priority: Priority::Action,
            due: None,
        })
    }

    async fn ask_one(&self, request: NewRequest, note: Note) -> Result<RequestId, Error> {
        let asked = self.queue().ask(vec![request], self.now()).await?;
        self.audit(note).await?;
        let missing = || Error::Failure(Failure::new("no request was made"));
        asked.first().copied().ok_or_else(missing)
    }

    /// Ends the run that is under way, which keeps what its last checkpoint committed and does not go
    /// on from there by itself; tells whether there is one.
    pub async fn stop_run(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<bool, Error> {
        self.stored(tenant, connection).await?;
        let watched = self.watched(tenant, connection);
        if let Some(watched) = &watched {
            watched.enough.send_replace(true);
            let place = (Some(tenant), Some(connection));
            self.audit(note(actor, place, "run.stop", super::nothing()))
                .await?;
        }
        Ok(watched.is_some())
    }

    /// Lets requests that were given up run again, on the present version; also webhooks that no run
    /// came of. Answers how many.
    pub async fn retry_dead(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
        only: Option<RequestId>,
    ) -> Result<u64, Error> {
        self.stored(tenant, connection).await?;
        let now = self.now();
        let requests = self.queue().retry(tenant, connection, only, now).await?;
        if let (Some(request), 0) = (only, requests) {
            return Err(Error::not_found(What::Request, request.0));
        }
        let (actor, owner, id) = (actor.to_owned(), tenant.clone(), connection.clone());
        let retried = self
            .control()
            .write(move |db| {
                let webhooks = match only {
                    None => webhooks::retry(db, &owner, &id, None)?,
                    Some(_) => 0,
                };
                let retried = requests + webhooks;
                let detail = json!({ "retried": retried });
                let note = note(&actor, (Some(&owner), Some(&id)), "request.retry", detail);
                audit::note(db, &note, now)?;
                Ok::<_, Error>(retried)
            })
            .await?;
        self.inbox().look();
        Ok(retried)
    }

    /// Lets webhooks be read again that were given up, all or one. Answers how many.
    pub async fn retry_given_up(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
        only: Option<i64>,
    ) -> Result<u64, Error> {
        self.stored(tenant, connection).await?;
        let now = self.now();
        let (actor, owner, id) = (actor.to_owned(), tenant.clone(), connection.clone());
        let retried = self
            .control()
            .write(move |db| {
                let retried = webhooks::retry(db, &owner, &id, only)?;
                if let (Some(webhook), 0) = (only, retried) {
                    return Err(Error::not_found(What::Webhook, webhook));
                }
                let detail = json!({ "retried": retried });
                let note = note(&actor, (Some(&owner), Some(&id)), "webhook.retry", detail);
                audit::note(db, &note, now)?;
                Ok(retried)
            })
            .await?;
        self.inbox().look();
        Ok(retried)
    }

    /// Forgets a webhook that was given up.
    pub async fn remove_given_up(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
        webhook: i64,
    ) -> Result<(), Error> {
        self.stored(tenant, connection).await?;
        let now = self.now();
        let (actor, owner, id) = (actor.to_owned(), tenant.clone(), connection.clone());
        self.control()
            .write(move |db| {
                if !webhooks::drop_given_up(db, &owner, &id, webhook)? {
                    return Err(Error::not_found(What::Webhook, webhook));
                }
                let detail = json!({ "webhook": webhook });
                let note = note(&actor, (Some(&owner), Some(&id)), "webhook.remove", detail);
                audit::note(db, &note, now)?;
                Ok(())
            })
            .await
    }

    /// Gives webhooks another chance that were given up: another version is to read them now.
    pub(super) async fn retry_webhooks(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<(), Error> {
        let (owner, id) = (tenant.clone(), connection.clone());
        self.control()
            .write(move |db| Ok::<_, Error>(webhooks::retry(db, &owner, &id, None)?))
            .await?;
        self.inbox().look();
        Ok(())
    }

    /// Forgets a request that does not run.
    pub async fn remove_request(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
        request: RequestId,
    ) -> Result<(), Error> {
        self.stored(tenant, connection).await?;
        let now = self.now();
        let queue = self.queue();
        if !queue.remove(tenant, connection, request, now).await? {
            return Err(Error::not_found(What::Request, request.0));
        }
        let place = (Some(tenant), Some(connection));
        let detail = json!({ "request": request });
        self.audit(note(actor, place, "request.remove", detail))
            .await
    }

    /// Asks anew for records that could not be taken: the jobs that met them run again, as a whole and
    /// because people asked, which is when connectors try again what they could not take. Answers how
    /// many records that is about. Each stays listed until a run takes it or says that nothing is wanted
    /// of it any more.
    pub async fn retry_failed(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
        only: Option<Vec<Named>>,
    ) -> Result<u64, Error> {
        let stored = self.stored(tenant, connection).await?;
        if stored.state != State::On {
            return Err(Error::ConnectionNotOn);
        }
        let (owner, id) = (tenant.clone(), connection.clone());
        let mut records = self
            .control()
            .read(move |db| Ok::<_, Error>(failed::list(db, &owner, &id, None, u32::MAX)?))
            .await?;
        if let Some(only) = &only {
            if let Some(missing) = only
                .iter()
                .find(|one| !records.iter().any(|r| one.names(r)))
            {
                return Err(Error::not_found(What::Record, missing.id()));
            }
            records.retain(|record| only.iter().any(|one| one.names(record)));
        }
        let mut jobs: Vec<&str> = records.iter().map(|record| record.job.as_str()).collect();
        jobs.sort_unstable();
        jobs.dedup();
        let requests = jobs.iter().map(|job| NewRequest {
            tenant: tenant.clone(),
            connection: connection.clone(),
            job: (*job).to_owned(),
            argument: None,
            mode: Mode::Live,
            cause: Cause::Asked,
            priority: Priority::Action,
            due: None,
        });
        let requests = requests.collect();
        self.queue().ask(requests, self.now()).await?;
        let detail = json!({ "records": records.len(), "jobs": jobs });
        let place = (Some(tenant), Some(connection));
        self.audit(note(actor, place, "record.retry", detail))
            .await?;
        Ok(records.len() as u64)
    }

    /// Takes a record off the list of those that could not be taken: people know of it.
    pub async fn remove_failed(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
        record: Named,
    ) -> Result<(), Error> {
        self.stored(tenant, connection).await?;
        let detail = json!({ "kind": record.kind, "id": record.id() });
        let place = (Some(tenant), Some(connection));
        let note = note(actor, place, "record.remove", detail);
        let (owner, own) = (tenant.clone(), connection.clone());
        let now = self.now();
        self.control()
            .write(move |db| {
                let mut removed = false;
                for subject in &record.subjects {
                    removed |= failed::remove(db, &owner, &own, &record.kind, subject)?;
                }
                if !removed {
                    return Err(Error::not_found(What::Record, record.id()));
                }
                Ok(audit::note(db, &note, now)?)
            })
            .await
    }
}

/// Names a failed record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Kind of record, as the connector names it.
    pub kind: String,
    /// Which one it is; several where its side is not said.
    pub subjects: Vec<Subject>,
}

impl Named {
    fn names(&self, record: &FailedRecord) -> bool {
        record.kind == self.kind && self.subjects.contains(&record.subject)
    }

    fn id(&self) -> &str {
        let first = self.subjects.first();
        first.map_or("", |subject| failed::place(subject).1)
    }
}
