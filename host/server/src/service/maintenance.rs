//! Holding connections for maintenance, and letting them go on.
//!
//! What is held stands in the control database, where `tenon maintenance` may write it, too. So the
//! server looks there once a second: it ends the runs of what is held at once, and they go on from their
//! last checkpoints when the maintenance has ended.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tenon_host::ids::{ConnectionId, TenantId};

use super::{Error, Service, What, note};
use crate::control::maintenance::{self, Held, Maintenance};
use crate::control::{audit, tenants, versions};

/// Between two looks at what is held.
const LOOK: Duration = Duration::from_secs(1);

/// Begins a maintenance, in the transaction that the caller has begun, and notes who did.
pub fn hold(db: &rusqlite::Connection, new: &Maintenance) -> Result<(), Error> {
    match &new.held {
        Held::All => {}
        Held::Connector(name) => {
            if versions::of_connector(db, name)?.is_empty() {
                return Err(Error::not_found(What::Connector, name));
            }
        }
        Held::Tenant(tenant) => {
            if tenants::get(db, tenant)?.is_none() {
                return Err(Error::not_found(What::Tenant, tenant));
            }
        }
    }
    if let Some(known) = maintenance::begin(db, new)? {
        // Who asks once more for the same has it.
        return match (known.actor == new.actor) && (known.note == new.note) {
            true => Ok(()),
            false => Err(Error::Held {
                since: known.since,
                actor: known.actor,
            }),
        };
    }
    let (place, mut detail) = told(&new.held);
    detail["note"] = json!(new.note);
    let note = note(&new.actor, place, "maintenance.begin", detail);
    audit::note(db, &note, new.since)?;
    Ok(())
}

/// Ends one in the same way.
pub fn let_go(
    db: &rusqlite::Connection,
    held: &Held,
    actor: &str,
    now: Timestamp,
) -> Result<(), Error> {
    if !maintenance::end(db, held)? {
        return Err(Error::not_found(What::Maintenance, held));
    }
    let (place, detail) = told(held);
    let note = note(actor, place, "maintenance.end", detail);
    audit::note(db, &note, now)?;
    Ok(())
}

/// What the audit says of it.
fn told(held: &Held) -> ((Option<&TenantId>, Option<&ConnectionId>), Value) {
    let tenant = match held {
        Held::Tenant(tenant) => Some(tenant),
        Held::All | Held::Connector(_) => None,
    };
    let (scope, name) = held.parts();
    ((tenant, None), json!({ "scope": scope, "name": name }))
}

impl Service {
    /// What is held.
    pub async fn maintenance(&self) -> Result<Vec<Maintenance>, Error> {
        self.control()
            .read(|db| Ok::<_, Error>(maintenance::list(db)?))
            .await
    }

    /// Holds connections: none of their runs begins, and those under way end at their last checkpoints,
    /// until [`Service::let_go`].
    pub async fn hold(&self, actor: &str, held: Held, text: String) -> Result<Maintenance, Error> {
        let new = Maintenance {
            held,
            note: text,
            actor: actor.to_owned(),
            since: Timestamp::now(),
        };
        let held = new.held.clone();
        let all = self
            .control()
            .write(move |db| {
                hold(db, &new)?;
                Ok::<_, Error>(maintenance::list(db)?)
            })
            .await?;
        self.0.maintained.notify_one();
        let begun = all.into_iter().find(|one| one.held == held);
        begun.ok_or_else(|| Error::not_found(What::Maintenance, held))
    }

    /// Lets them go on. What came due meanwhile runs once.
    pub async fn let_go(&self, actor: &str, held: Held) -> Result<(), Error> {
        let actor = actor.to_owned();
        self.control()
            .write(move |db| let_go(db, &held, &actor, Timestamp::now()))
            .await?;
        self.0.maintained.notify_one();
        Ok(())
    }

    /// Whether a connection is held.
    pub(crate) async fn is_held(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<bool, Error> {
        let (tenant, connection) = (tenant.clone(), connection.clone());
        self.control()
            .read(move |db| Ok::<_, Error>(maintenance::holds(db, &tenant, &connection)?))
            .await
    }

    /// Sees to it that what is held stands still and nothing else does, until the service stops.
    pub(crate) async fn keep_still(&self) {
        let mut known = Vec::new();
        while !self.stopping() {
            match self.maintenance().await {
                Ok(all) => {
                    if all != known {
                        if let Err(error) = self.queue().resumed(self.now()).await {
                            tracing::error!("what is held for maintenance: {error}");
                        } else {
                            known = all;
                        }
                        self.inbox().look();
                    }
                    self.interrupt(&known);
                }
                Err(error) => tracing::error!("what is held for maintenance: {error}"),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.0.maintained.notified() => {}
                () = self.stopped() => {}
            }
        }
    }

    /// Ends the runs of what is held.
    fn interrupt(&self, all: &[Maintenance]) {
        for ((tenant, _), watched) in self.all_running().iter() {
            if (all.iter()).any(|one| one.held.covers(tenant, &watched.connector)) {
                watched.held.send_replace(true);
            }
        }
    }
}
