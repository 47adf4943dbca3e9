//! Versions of connectors: installing them, moving connections between them, and going back.
//!
//! A version is bytes known by their digest; a connection points at one. Moving is a change of that
//! pointer: a run that is under way is ended on its version, and the next one goes on from its last
//! checkpoint on the new. Where the new version keeps its state in another form, it brings the state over
//! while nothing runs, in one transaction with a snapshot of what was before.
//!
//! Both kinds are done by who is alone with the connection, on what it then is: of two who move it at
//! the same time the second one moves what the first one left.
//!
//! A process may die between the tenant's state and the pointer, which lie in two databases, and
//! either may fail. So the pointer that the connection shall have in that case is written down first
//! ([`Stored::fallback`]). Whoever is alone with a connection that has one ends what was begun, before
//! anything else ([`Service::settled`]): the snapshot of that version's state is put back if there is
//! one, and the pointer with it. An older snapshot is of an older state and stays where it is.

use jiff::Timestamp;
use serde_json::json;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::reason::Reason;
use tenon_host::{Connection, HostPattern};
use tokio::task::JoinSet;

use super::opening::Completeness;
use super::{Alone, Error, Service, What, note};
use crate::control::audit::HOST;
use crate::control::connections::{State, Stored, Trial};
use crate::control::{Failure, audit, connections, versions};
use crate::told::Told;
use crate::versions::source::{Source, SourceOptions};

/// A component that is to be installed.
#[derive(Clone, Debug)]
pub enum Component {
    /// Its bytes, and the text of its minisign signature.
    Bytes {
        /// The component.
        wasm: Vec<u8>,
        /// The signature.
        signature: Option<String>,
    },
    /// Where it is: a file, a folder or a reference of a registry.
    Source(String),
}

/// Which connections move to a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of the connector.
    All,
    /// Those of some tenants.
    Tenants(Vec<TenantId>),
    /// These.
    Connections(Vec<(TenantId, ConnectionId)>),
}

/// How moving many connections went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upgraded {
    /// Connections that run the version now.
    pub upgraded: u64,
    /// Those that stay where they were, with the reason.
    pub failed: Vec<(TenantId, ConnectionId, Told)>,
}

impl Service {
    /// Checks, compiles and keeps a component; answers with its digest. One that is there stays.
    pub async fn install(&self, actor: &str, component: Component) -> Result<String, Error> {
        let signatures = &self.options().signatures;
        let (wasm, signed_by, source) = match component {
            Component::Bytes { wasm, signature } => {
                let signed_by = signatures
                    .check(&wasm, signature.as_deref())
                    .map_err(|error| {
                        let why = Reason::new("server.bad-signature").detail(error);
                        Error::BadComponent(why.into())
                    })?;
                (wasm, signed_by, "upload".to_owned())
            }
            Component::Source(source) => {
                let bad = |error: &dyn std::fmt::Display| {
                    let reason = Reason::new("server.bad-source").detail(error);
                    Error::invalid("/source", reason)
                };
                let source: Source = source.parse().map_err(|error| bad(&error))?;
                let options = SourceOptions {
                    signatures: signatures.clone(),
                    plain_http: self.options().plain_registries.clone(),
                    logins: self.options().registry_logins.clone(),
                    registries: self.options().registries.clone(),
                    root: self.options().source_root.clone(),
                    ..SourceOptions::default()
                };
                let fetched = source.fetch(&options).await.map_err(|error| bad(&error))?;
                (fetched.bytes, fetched.signed_by, fetched.source)
            }
        };
        let signed_by = signed_by.map(|key| key.to_string());
        let connector = self.host().install(&wasm).await?;
        self.store().keep(&connector.digest, &wasm)?;
        let manifest = &connector.manifest;
        let version = versions::Version {
            digest: connector.digest.clone(),
            connector: manifest.name.clone(),
            version: manifest.version.clone(),
            size: wasm.len() as u64,
            manifest: json!(manifest),
            imports: connector.imports.clone(),
            source,
            signed_by,
            installed_at: Timestamp::now(),
        };
        let detail = json!({
            "connector": version.connector,
            "version": version.version,
            "digest": version.digest,
            "source": version.source,
        });
        let note = note(actor, (None, None), "version.install", detail);
        self.control()
            .write(move |db| {
                if versions::insert(db, &version)? {
                    audit::note(db, &note, version.installed_at)?;
                }
                Ok::<_, Error>(version.digest)
            })
            .await
    }

    /// Removes a version that no connection runs.
    pub async fn remove_version(&self, actor: &str, digest: &str) -> Result<(), Error> {
        let id = digest.to_owned();
        let detail = json!({ "digest": digest });
        let note = note(actor, (None, None), "version.remove", detail);
        self.control()
            .write(move |db| {
                let connections = versions::pins(db, &id)?;
                if connections > 0 {
                    return Err(Error::VersionInUse { connections });
                }
                if !versions::remove(db, &id)? {
                    return Err(Error::not_found(What::Version, &id));
                }
                Ok(audit::note(db, &note, Timestamp::now())?)
            })
            .await?;
        self.unload(digest);
        Ok(self.store().remove(digest)?)
    }

    /// The hosts that connections of a connector may go to; any when none.
    pub(super) async fn hosts_of(
        &self,
        connector: &str,
    ) -> Result<Option<Vec<HostPattern>>, Error> {
        let connector = connector.to_owned();
        self.control()
            .read(move |db| Ok::<_, Error>(versions::hosts(db, &connector)?))
            .await
    }

    /// Fixes the hosts that connections of a connector may go to; none frees them. It holds from the
    /// next run of each connection on.
    pub async fn fix_hosts(
        &self,
        actor: &str,
        connector: &str,
        hosts: Option<Vec<HostPattern>>,
    ) -> Result<(), Error> {
        let texts = (hosts.as_ref())
            .map(|hosts| hosts.iter().map(HostPattern::to_string).collect::<Vec<_>>());
        let detail = json!({ "connector": connector, "hosts": texts });
        let note = note(actor, (None, None), "connector.hosts", detail);
        let connector = connector.to_owned();
        self.control()
            .write(move |db| {
                if versions::of_connector(db, &connector)?.is_empty() {
                    return Err(Error::not_found(What::Connector, &connector));
                }
                versions::set_hosts(db, &connector, hosts.as_deref())?;
                Ok(audit::note(db, &note, Timestamp::now())?)
            })
            .await
    }

    async fn version(&self, digest: &str) -> Result<versions::Version, Error> {
        let id = digest.to_owned();
        self.control()
            .read(move |db| {
                versions::get(db, &id)?.ok_or_else(|| Error::not_found(What::Version, &id))
            })
            .await
    }

    /// Moves several connections to a version. One that cannot be moved keeps nobody back.
    pub async fn upgrade_many(
        &self,
        actor: &str,
        digest: &str,
        which: Which,
    ) -> Result<Upgraded, Error> {
        let version = self.version(digest).await?;
        let all = self
            .control()
            .read(move |db| Ok::<_, Error>(connections::of_connector(db, &version.connector)?))
            .await?;
        let chosen = match which {
            Which::All => all,
            Which::Tenants(tenants) => {
                let mut all = all;
                all.retain(|(tenant, _)| tenants.contains(tenant));
                all
            }
            Which::Connections(connections) => connections,
        };
        let mut upgraded = Upgraded::default();
        let mut moving = JoinSet::new();
        let mut chosen = chosen.into_iter();
        loop {
            // Several at once: one whose run does not stop keeps the others waiting otherwise.
            while moving.len() < AT_ONCE
                && let Some((tenant, connection)) = chosen.next()
            {
                let service = self.clone();
                let (actor, digest) = (actor.to_owned(), digest.to_owned());
                moving.spawn(async move {
                    let moved = service.upgrade(&actor, &tenant, &connection, &digest).await;
                    (tenant, connection, moved)
                });
            }
            match moving.join_next().await {
                None => break,
                Some(Ok((_, _, Ok(())))) => upgraded.upgraded += 1,
                Some(Ok((tenant, connection, Err(error)))) => {
                    (upgraded.failed).push((tenant, connection, error.told()));
                }
                Some(Err(panic)) => return Err(Failure::new(panic).into()),
            }
        }
        (upgraded.failed).sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
        Ok(upgraded)
    }

    /// Moves a connection to another version of its connector. Its settings and credentials have to
    /// fit that version. The first runs on it are watched.
    pub async fn upgrade(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
        digest: &str,
    ) -> Result<(), Error> {
        let version = self.version(digest).await?;
        let stored = self.stored(tenant, connection).await?;
        if stored.digest == digest {
            return Ok(());
        }
        // What cannot be is said before a run has to stop for it.
        self.on_version(&stored, &version).await?;
        let alone = self.occupy(tenant, connection).await?;
        let stored = self.settled(&alone, tenant, connection).await?;
        if stored.digest == digest {
            return Ok(());
        }
        let moved = self.on_version(&stored, &version).await?;
        let detail = json!({ "from": stored.digest, "to": digest, "version": version.version });
        let place = (Some(tenant), Some(connection));
        let done = note(actor, place, "version.upgrade", detail);
        if let Some((opened, kept)) = moved {
            let _room = self.room(tenant).await?;
            let fallback = stored.digest.clone();
            self.set_fallback(&stored, Some(fallback.clone())).await?;
            let moved = match self.host().migrate(&opened, kept).await {
                Ok(()) => self.point(&stored, digest, done).await,
                Err(error) => Err(Error::called(opened.connector(), &error)),
            };
            if let Err(error) = moved {
                if let Err(left) = self.fall_back(&stored, fallback).await {
                    tracing::error!(
                        "connection {connection} of tenant {tenant} is not back on its version yet: \
                         {left}"
                    );
                }
                return Err(error);
            }
            self.note_timers(tenant, connection).await;
        } else {
            self.point(&stored, digest, done).await?;
        }
        drop(alone);
        self.retry_webhooks(tenant, connection).await?;
        self.reschedule(tenant, connection).await
    }

    /// Checks that the connector, the state, the settings and the credentials of a connection fit a
    /// version. Answers with the connection as it would run on that, and with the version of its state,
    /// when that has to be brought over.
    ///
    /// What is off and keeps its state as it is may be unfinished: it is checked when it is switched on.
    async fn on_version(
        &self,
        stored: &Stored,
        version: &versions::Version,
    ) -> Result<Option<(Connection, u32)>, Error> {
        if version.connector != stored.connector {
            return Err(Error::OtherConnector {
                found: version.connector.clone(),
                wanted: stored.connector.clone(),
            });
        }
        let to = self.connector(&version.digest).await?;
        let kept = self.state_version(&stored.digest).await?;
        let known = to.manifest.state_version;
        if known < kept {
            return Err(Error::OlderState { kept, known });
        }
        let completeness = match stored.state {
            State::Off if known == kept => return Ok(None),
            State::Off => Completeness::Begun,
            State::On | State::Paused { .. } => Completeness::Whole,
        };
        let opened = self.open_with(stored, to, completeness).await?;
        Ok((known > kept).then_some((opened, kept)))
    }

    /// The version of the state that a component knows, also of one that cannot be loaded any more.
    async fn state_version(&self, digest: &str) -> Result<u32, Error> {
        let manifest = self.version(digest).await?.manifest;
        Ok(serde_json::from_value(manifest["state_version"].clone())?)
    }

    /// Points a connection at another version and watches its first runs.
    async fn point(&self, before: &Stored, digest: &str, note: audit::Note) -> Result<(), Error> {
        let (from, to) = (before.digest.clone(), digest.to_owned());
        let trial = Trial {
            left: self.options().trial_runs,
            failed: 0,
        };
        self.change(&before.tenant, &before.id, note, move |stored| {
            if stored.digest != from {
                return Err(Error::Busy);
            }
            stored.previous = Some(std::mem::replace(&mut stored.digest, to));
            stored.trial = (trial.left > 0 && stored.state == State::On).then_some(trial);
            stored.fallback = None;
            Ok(())
        })
        .await
        .map(drop)
    }

    /// Goes back to the version that the connection ran before.
    pub async fn rollback(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<(), Error> {
        if self.stored(tenant, connection).await?.previous.is_none() {
            return Err(Error::NoPrevious);
        }
        let alone = self.occupy(tenant, connection).await?;
        let stored = self.settled(&alone, tenant, connection).await?;
        self.roll_back(&alone, actor, &stored).await
    }

    /// The same, by who is alone with the connection.
    async fn roll_back(&self, _: &Alone, actor: &str, stored: &Stored) -> Result<(), Error> {
        let (tenant, connection) = (&stored.tenant, &stored.id);
        let from = stored.digest.clone();
        let previous = stored.previous.clone().ok_or(Error::NoPrevious)?;
        let detail = json!({ "from": from, "to": previous });
        let place = (Some(tenant), Some(connection));
        let done = note(actor, place, "version.rollback", detail);
        if self.state_version(&from).await? != self.state_version(&previous).await? {
            self.set_fallback(stored, Some(previous.clone())).await?;
            if !self.restore(stored, &previous).await? {
                // Its state is gone, and the state that there is means nothing to that version.
                self.set_fallback(stored, None).await?;
                return Err(Error::NoPrevious);
            }
        }
        self.change(tenant, connection, done, move |stored| {
            if stored.digest != from || stored.previous.as_ref() != Some(&previous) {
                return Err(Error::NoPrevious);
            }
            stored.digest = previous;
            stored.previous = None;
            stored.trial = None;
            stored.fallback = None;
            Ok(())
        })
        .await?;
        self.note_timers(tenant, connection).await;
        self.retry_webhooks(tenant, connection).await?;
        self.reschedule(tenant, connection).await
    }

    /// Takes note of how a watched run went; goes back by itself when too many failed. Answers with
    /// the connection as it is then.
    pub(crate) async fn judge(
        &self,
        alone: &Alone,
        ran: &Stored,
        failed: bool,
    ) -> Result<Stored, Error> {
        let (tenant, connection) = (ran.tenant.clone(), ran.id.clone());
        let digest = ran.digest.clone();
        let judged = self
            .control()
            .write(move |db| {
                let judged = connections::change(db, &tenant, &connection, |stored| {
                    if let Some(trial) = &mut stored.trial
                        && stored.digest == digest
                    {
                        trial.left = trial.left.saturating_sub(1);
                        trial.failed += u32::from(failed);
                    }
                    Ok::<_, Error>(())
                })?;
                judged.ok_or_else(|| Error::not_found(What::Connection, &connection))
            })
            .await?;
        let bad = |trial: Trial| trial.failed >= self.options().trial_failures;
        if failed && judged.trial.is_some_and(bad) {
            self.roll_back(alone, HOST, &judged).await?;
        }
        self.stored(&ran.tenant, &ran.id).await
    }

    async fn set_fallback(&self, seen: &Stored, fallback: Option<String>) -> Result<(), Error> {
        let (tenant, connection) = (seen.tenant.clone(), seen.id.clone());
        let digest = seen.digest.clone();
        self.control()
            .write(move |db| {
                let changed = connections::change(db, &tenant, &connection, |stored| {
                    if stored.digest != digest {
                        return Err(Error::Busy);
                    }
                    stored.fallback = fallback;
                    Ok(())
                })?;
                changed.ok_or_else(|| Error::not_found(What::Connection, &connection))
            })
            .await
            .map(drop)
    }

    /// Puts back what a connection kept when it ran a version; answers whether that was still there.
    async fn restore(&self, stored: &Stored, digest: &str) -> Result<bool, Error> {
        let state = self.state_version(digest).await?;
        let restored = self.host().restore(&stored.tenant, &stored.id, state);
        Ok(restored.await?)
    }

    /// A connection as it is stored, for who is alone with it: what was begun with it and not ended
    /// is ended first.
    pub(crate) async fn settled(
        &self,
        _: &Alone,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Stored, Error> {
        let stored = self.stored(tenant, connection).await?;
        match stored.fallback.clone() {
            Some(fallback) => self.fall_back(&stored, fallback).await,
            None => Ok(stored),
        }
    }

    /// Ends an upgrade or a rollback that did not come to its end: the state is put back, and the
    /// pointer with it. Where the state was not changed yet, or is back already, none is found.
    async fn fall_back(&self, stored: &Stored, fallback: String) -> Result<Stored, Error> {
        self.restore(stored, &fallback).await?;
        let (tenant, connection) = (&stored.tenant, &stored.id);
        let place = (Some(tenant), Some(connection));
        let note = note(HOST, place, "version.restore", json!({ "to": fallback }));
        let stored = self
            .change(tenant, connection, note, move |stored| {
                if stored.digest != fallback {
                    stored.digest = fallback;
                    stored.previous = None;
                    stored.trial = None;
                }
                stored.fallback = None;
                Ok(())
            })
            .await?;
        self.note_timers(tenant, connection).await;
        if let Err(error) = self.reschedule(tenant, connection).await {
            tracing::error!("planning connection {connection} of tenant {tenant}: {error}");
        }
        Ok(stored)
    }

    /// Ends what a process that died had begun. A connection of which that does not succeed waits for
    /// an admin, and keeps nobody from starting the server.
    pub(super) async fn end_broken_upgrades(&self) -> Result<(), Error> {
        let broken = self
            .control()
            .read(|db| Ok::<_, Error>(connections::with_fallback(db)?))
            .await?;
        for stored in broken {
            let (tenant, connection) = (&stored.tenant, &stored.id);
            let Some(fallback) = stored.fallback.clone() else {
                continue;
            };
            let Err(error) = self.fall_back(&stored, fallback).await else {
                continue;
            };
            tracing::error!(%tenant, %connection, "an upgrade broke off, and the connection is paused: {error}");
            let reason = Told::new(Reason::new("server.upgrade-broke-off"));
            let place = (Some(tenant), Some(connection));
            let note = note(
                HOST,
                place,
                "connection.pause",
                json!({ "reason": reason.text, "why": reason.why }),
            );
            self.change(tenant, connection, note, move |stored| {
                if stored.state == State::On {
                    stored.state = State::Paused { reason };
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}

/// Connections that are moved at one time.
const AT_ONCE: usize = 4;
