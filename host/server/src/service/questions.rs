//! What people answer to questions.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::json;
use tenon_host::Mode;
use tenon_host::ids::{ConnectionId, TenantId};

use super::switching::go_on;
use super::{Error, Service, What, note, nothing};
use crate::control::audit::{self, Note};
use crate::control::questions::{self, State, Stored};
use crate::control::{Failure, connections};
use crate::queue::{NewRequest, Priority};

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is to be done.
    Yes,
    /// It is not to be done, for as long as the facts are the same.
    No,
}

impl Service {
    /// A question of a connection.
    pub async fn question(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        id: &str,
    ) -> Result<Stored, Error> {
        let (tenant, connection, id) = (tenant.clone(), connection.clone(), id.to_owned());
        self.control()
            .read(move |db| find(db, &tenant, &connection, &id))
            .await
    }

    /// Answers a question. A yes to one of a run asks for the job at once, which is told of it, and lets a connection
    /// go on that was paused because of the question; all of it is kept as one with the answer. A
    /// yes to one that was asked before the connection is switched on, or before its webhooks got another
    /// address, does that, and answers with the address; where that cannot be done, the question is
    /// open again. Who said no may still say yes.
    pub async fn answer(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
        id: &str,
        answer: Answer,
    ) -> Result<Option<String>, Error> {
        let stored = self.question(tenant, connection, id).await?;
        admit(&stored, answer)?;
        let note = note_of(actor, &stored, answer);
        match (answer, &stored.job) {
            (Answer::Yes, Some(job)) => {
                let job = job.clone();
                self.agree(stored, job, note).await?;
                Ok(None)
            }
            (Answer::Yes, None) => {
                self.decide(stored.clone(), answer, note).await?;
                let done = match self.stored(tenant, connection).await?.state {
                    connections::State::Off => {
                        (self.enable(actor, tenant, connection).await).map(|()| None)
                    }
                    _ => self.set_up_on(actor, tenant, connection).await,
                };
                if done.is_err() {
                    self.control()
                        .write(move |db| Ok::<_, Error>(questions::open_again(db, &stored)?))
                        .await?;
                }
                done
            }
            (Answer::No, _) => {
                self.decide(stored, answer, note).await?;
                Ok(None)
            }
        }
    }

    async fn decide(&self, stored: Stored, answer: Answer, note: Note) -> Result<(), Error> {
        let now = self.now();
        self.control()
            .write(move |db| decide(db, &stored, answer, &note, now))
            .await
    }

    /// After a change that may lead to another account: a connection that was paused because of whose
    /// its account is goes on, and its next run finds out.
    pub(super) async fn ask_whose_it_is_again(
        &self,
        actor: &str,
        stored: &connections::Stored,
    ) -> Result<(), Error> {
        let (tenant, connection) = (&stored.tenant, &stored.id);
        if !matches!(stored.state, connections::State::Paused { .. }) {
            return Ok(());
        }
        let manifest = self.connector(&stored.digest).await?.manifest.clone();
        let place = (Some(tenant), Some(connection));
        let note = note(actor, place, "connection.enable", nothing());
        let (owner, id) = (tenant.clone(), connection.clone());
        let now = self.now();
        let goes_on = (self.control())
            .write(move |db| {
                let goes_on = questions::doubt_no_account(db, &owner, &id)?;
                if goes_on {
                    go_on(db, &manifest, &owner, &id, now)?;
                    audit::note(db, &note, now)?;
                }
                Ok::<_, Error>(goes_on)
            })
            .await?;
        if goes_on {
            self.gone_on(tenant, connection).await?;
        }
        Ok(())
    }

    async fn agree(&self, stored: Stored, job: String, note: Note) -> Result<(), Error> {
        let (tenant, connection) = (stored.tenant.clone(), stored.connection.clone());
        let (actor, of_account) = (note.actor.clone(), stored.question.is_of_account());
        let request = NewRequest {
            tenant: tenant.clone(),
            connection: connection.clone(),
            job,
            argument: stored.argument.clone(),
            mode: Mode::Live,
            cause: stored.cause.clone(),
            priority: Priority::Action,
            due: None,
        };
        let pauses = stored.pauses;
        let manifest = if pauses {
            let digest = self.stored(&tenant, &connection).await?.digest;
            Some(self.connector(&digest).await?.manifest.clone())
        } else {
            None
        };
        let now = self.now();
        let refused = Arc::new(Mutex::new(None));
        let why = Arc::clone(&refused);
        let also = Box::new(move |db: &rusqlite::Connection| {
            let done = decide(db, &stored, Answer::Yes, &note, now).and_then(|()| {
                let (tenant, connection) = (&stored.tenant, &stored.connection);
                (manifest.as_ref()).map_or(Ok(()), |manifest| {
                    go_on(db, manifest, tenant, connection, now)
                })
            });
            done.map_err(|error| {
                let failure = Failure::new(&error);
                *why.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                failure
            })
        });
        let asked = self.queue().ask_with(vec![request], also, now).await;
        if let Err(failure) = asked {
            let refused = (refused.lock().unwrap_or_else(PoisonError::into_inner)).take();
            return Err(refused.unwrap_or_else(|| failure.into()));
        }
        if pauses && of_account {
            self.set_up_anew(&actor, &tenant, &connection).await?;
        }
        if pauses {
            self.gone_on(&tenant, &connection).await?;
        }
        Ok(())
    }
}

fn find(
    db: &rusqlite::Connection,
    tenant: &TenantId,
    connection: &ConnectionId,
    id: &str,
) -> Result<Stored, Error> {
    let missing = || Error::not_found(What::Question, id);
    questions::get(db, tenant, connection, id)?.ok_or_else(missing)
}

/// Refuses an answer that nothing waits for.
fn admit(stored: &Stored, answer: Answer) -> Result<(), Error> {
    match (stored.state, answer) {
        (State::Open, _) | (State::Declined, Answer::Yes) => Ok(()),
        (State::Expired, _) => Err(Error::QuestionExpired),
        (State::Agreed | State::Declined | State::Done, _) => Err(Error::QuestionAnswered),
    }
}

/// Keeps an answer, unless it came too late meanwhile.
fn decide(
    db: &rusqlite::Connection,
    seen: &Stored,
    answer: Answer,
    note: &Note,
    now: Timestamp,
) -> Result<(), Error> {
    let (tenant, connection) = (&seen.tenant, &seen.connection);
    if !connections::is_there(db, tenant, connection)? {
        return Err(Error::not_found(What::Connection, connection));
    }
    let stored = find(db, tenant, connection, &seen.question.id)?;
    admit(&stored, answer)?;
    let state = match answer {
        Answer::Yes => State::Agreed,
        Answer::No => State::Declined,
    };
    questions::answer(db, &stored, state, &note.actor, now)?;
    Ok(audit::note(db, note, now)?)
}

fn note_of(actor: &str, stored: &Stored, answer: Answer) -> Note {
    let question = &stored.question;
    let detail = json!({
        "question": question.id,
        "answer": match answer { Answer::Yes => "yes", Answer::No => "no" },
        "job": stored.job,
        "kind": question.kind,
        "affected": question.affected,
        "total": question.total,
    });
    let place = (Some(&stored.tenant), Some(&stored.connection));
    note(actor, place, "question.answer", detail)
}
