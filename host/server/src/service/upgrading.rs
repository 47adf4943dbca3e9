//! Versions of connectors: installing them, moving connections between them, and going back.
//!
//! A version is bytes known by their digest; a connection points at one. Moving is a change of that
//! pointer: a run that is under way ends on its version, at its next checkpoint, and the next one
//! begins on the new. Where the new version keeps its state in another form, it brings the state over
//! while nothing runs, in one transaction with a snapshot of what was before.
//!
//! A process may die between the tenant's state and the pointer, which lie in two databases. So the
//! pointer that the connection shall have if that happens is written down first ([`Stored::fallback`])
//! and the snapshot is put back when the server starts again.

use serde_json::json;
use std::sync::Arc;

use jiff::Timestamp;
use tenon_host::Connector;
use tenon_host::ids::{ConnectionId, TenantId};

use super::opening::Completeness;
use super::{Error, Service, What, note};
use crate::control::audit::HOST;
use crate::control::connections::{State, Stored, Trial};
use crate::control::{audit, connections, versions};
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
    pub failed: Vec<(TenantId, ConnectionId, String)>,
}

impl Service {
    /// Checks, compiles and keeps a component; answers with its digest. One that is there stays.
    pub async fn install(&self, actor: &str, component: Component) -> Result<String, Error> {
        let signatures = &self.options().signatures;
        let (wasm, signed_by, source) = match component {
            Component::Bytes { wasm, signature } => {
                let signed_by = signatures
                    .check(&wasm, signature.as_deref())
                    .map_err(|error| Error::BadComponent(error.to_string()))?;
                (wasm, signed_by, "upload".to_owned())
            }
            Component::Source(source) => {
                let bad = |error: &dyn std::fmt::Display| Error::invalid("/source", error);
                let source: Source = source.parse().map_err(|error| bad(&error))?;
                let options = SourceOptions {
                    signatures: signatures.clone(),
                    plain_http: self.options().plain_registries.clone(),
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
        self.unload(digest).await;
        Ok(self.store().remove(digest)?)
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
        for (tenant, connection) in chosen {
            match self.upgrade(actor, &tenant, &connection, digest).await {
                Ok(()) => upgraded.upgraded += 1,
                Err(error) => upgraded
                    .failed
                    .push((tenant, connection, error.to_string())),
            }
        }
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
        let stored = self.stored(tenant, connection).await?;
        if stored.digest == digest {
            return Ok(());
        }
        let version = self.version(digest).await?;
        if version.connector != stored.connector {
            return Err(Error::OtherConnector {
                found: version.connector,
                wanted: stored.connector,
            });
        }
        let from = self.connector(&stored.digest).await?;
        let to = self.connector(digest).await?;
        let completeness = match stored.state {
            State::Off => Completeness::Begun,
            State::On | State::Paused { .. } => Completeness::Whole,
        };
        let opened = self
            .open_with(&stored, Arc::clone(&to), completeness)
            .await?;
        let (kept, known) = (from.manifest.state_version, to.manifest.state_version);
        if known < kept {
            return Err(Error::OlderState { kept, known });
        }
        let detail = json!({ "from": stored.digest, "to": digest, "version": version.version });
        let place = (Some(tenant), Some(connection));
        let done = note(actor, place, "version.upgrade", detail);
        if known == kept {
            self.ask_to_stop(tenant, connection);
            self.point(&stored, digest, done).await?;
        } else {
            let _alone = self.occupy(tenant, connection).await?;
            self.host().drop_snapshot(tenant, connection).await?;
            self.fall_back_to(&stored, &stored.digest).await?;
            if let Err(error) = self.host().migrate(&opened, kept).await {
                self.clear_fallback(&stored).await?;
                return Err(error.into());
            }
            self.point(&stored, digest, done).await?;
        }
        self.reschedule(tenant, connection).await
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
        let stored = self.stored(tenant, connection).await?;
        let previous = stored.previous.clone().ok_or(Error::NoPrevious)?;
        let (from, to) = (
            self.connector(&stored.digest).await?,
            self.connector(&previous).await?,
        );
        let detail = json!({ "from": stored.digest, "to": previous });
        let place = (Some(tenant), Some(connection));
        let done = note(actor, place, "version.rollback", detail);
        let _alone;
        if same_state(&from, &to) {
            self.ask_to_stop(tenant, connection);
        } else {
            _alone = self.occupy(tenant, connection).await?;
            self.fall_back_to(&stored, &previous).await?;
            self.host().restore(tenant, connection).await?;
        }
        self.change(tenant, connection, done, move |stored| {
            stored.digest = previous;
            stored.previous = None;
            stored.trial = None;
            stored.fallback = None;
            Ok(())
        })
        .await?;
        self.reschedule(tenant, connection).await
    }

    /// Takes note of how a watched run went; goes back by itself when too many failed.
    pub(crate) async fn judge(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        digest: &str,
        failed: bool,
    ) -> Result<(), Error> {
        let (owner, id, digest) = (tenant.clone(), connection.clone(), digest.to_owned());
        let judged = self
            .control()
            .write(move |db| {
                connections::change(db, &owner, &id, |stored| {
                    if let Some(trial) = &mut stored.trial
                        && stored.digest == digest
                    {
                        trial.left = trial.left.saturating_sub(1);
                        trial.failed += u32::from(failed);
                    }
                    Ok::<_, Error>(())
                })
            })
            .await?;
        let bad = |trial: Trial| trial.failed >= self.options().trial_failures;
        if failed && judged.and_then(|stored| stored.trial).is_some_and(bad) {
            self.rollback(HOST, tenant, connection).await?;
        }
        Ok(())
    }

    async fn fall_back_to(&self, stored: &Stored, digest: &str) -> Result<(), Error> {
        self.set_fallback(stored, Some(digest.to_owned())).await
    }

    async fn clear_fallback(&self, stored: &Stored) -> Result<(), Error> {
        self.set_fallback(stored, None).await
    }

    async fn set_fallback(&self, stored: &Stored, to: Option<String>) -> Result<(), Error> {
        let (tenant, connection) = (stored.tenant.clone(), stored.id.clone());
        self.control()
            .write(move |db| {
                connections::change(db, &tenant, &connection, |stored| {
                    stored.fallback = to;
                    Ok::<_, Error>(())
                })
            })
            .await
            .map(drop)
    }

    /// Ends what a process that died had begun: the state is put back, and the pointer with it.
    pub(super) async fn end_broken_upgrades(&self) -> Result<(), Error> {
        let broken = self
            .control()
            .read(|db| Ok::<_, Error>(connections::with_fallback(db)?))
            .await?;
        for stored in broken {
            let Some(digest) = stored.fallback.clone() else {
                continue;
            };
            self.host().restore(&stored.tenant, &stored.id).await?;
            let place = (Some(&stored.tenant), Some(&stored.id));
            let detail = json!({ "to": digest });
            let note = note(HOST, place, "version.restore", detail);
            self.change(&stored.tenant, &stored.id, note, move |stored| {
                if stored.digest != digest {
                    stored.digest = digest;
                    stored.previous = None;
                }
                stored.trial = None;
                stored.fallback = None;
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}

fn same_state(one: &Connector, other: &Connector) -> bool {
    one.manifest.state_version == other.manifest.state_version
}
