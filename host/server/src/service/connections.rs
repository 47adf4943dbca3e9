//! Connections: a connector, its settings and its credentials in one tenant.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::manifest::{Manifest, check_settings};
use tenon_host::platform::Binding;
use tenon_host::reason::Reason;
use tenon_host::{BudgetUse, CredentialPlace, FoundAccount, HostPattern, Limits, Secret};

use super::opening::{Completeness, origin};
use super::switching::pointer;
use super::{Error, Service, Violation, What, note, nothing};
use crate::belonging::Belongs;
use crate::control::connections::{self, State, Stored, Window};
use crate::control::{Failure, audit, credentials, tenants, versions};
use crate::vault;

/// A connection that is to be made.
#[derive(Clone, Debug)]
pub struct NewConnection {
    /// Its name within the tenant.
    pub id: ConnectionId,
    /// Name of the connector.
    pub connector: String,
    /// Its name for people; its connector's when none.
    pub title: Option<String>,
    /// The version; the newest when none.
    pub digest: Option<String>,
    /// What the connector reads; may be filled in later.
    pub settings: Value,
    /// Origins that the defaults refuse.
    pub grants: Vec<String>,
    /// Whether the manifest's request budget is lifted.
    pub no_budget: bool,
    /// Limits that differ from the defaults.
    pub limits: BTreeMap<String, u64>,
}

/// What changes of a connection; none stays as it is.
#[derive(Clone, Debug, Default)]
pub struct ConnectionChange {
    /// Its name for people.
    pub title: Option<String>,
    /// Origins that the defaults refuse.
    pub grants: Option<Vec<String>>,
    /// Whether the manifest's request budget is lifted.
    pub no_budget: Option<bool>,
    /// Limits that differ from the defaults.
    pub limits: Option<BTreeMap<String, u64>>,
    /// Hours in which scheduled runs begin; none inside is the whole day.
    pub window: Option<Option<Window>>,
}

impl Service {
    /// Makes a connection that is off.
    pub async fn create_connection(
        &self,
        actor: &str,
        tenant: &TenantId,
        new: NewConnection,
    ) -> Result<(), Error> {
        check_grants(&new.grants)?;
        check_limits(&new.limits)?;
        if !new.settings.is_object() {
            return Err(Error::invalid(
                "/settings",
                Reason::new("server.settings-no-object"),
            ));
        }
        let connector = new.connector.clone();
        let installed = self
            .control()
            .read(move |db| Ok::<_, Error>(versions::of_connector(db, &connector)?))
            .await?;
        let version = match &new.digest {
            None => installed.into_iter().next(),
            Some(digest) => {
                let mut found = installed.into_iter().filter(|one| one.digest == *digest);
                let version = found.next();
                Some(version.ok_or_else(|| Error::not_found(What::Version, digest))?)
            }
        };
        let version = version.ok_or_else(|| Error::not_found(What::Connector, &new.connector))?;
        let connection = Stored {
            tenant: tenant.clone(),
            title: new.title.unwrap_or_else(|| new.connector.clone()),
            id: new.id,
            connector: new.connector,
            digest: version.digest,
            previous: None,
            trial: None,
            state: State::Off,
            settings: new.settings,
            revision: 1,
            grants: new.grants,
            no_budget: new.no_budget,
            limits: new.limits,
            schedules: BTreeMap::new(),
            window: None,
            hook: None,
            hook_before: None,
            created_at: Timestamp::now(),
            enabled_at: None,
            wake_at: None,
            fallback: None,
        };
        let detail = json!({ "connector": connection.connector, "version": version.version });
        let place = (Some(tenant), Some(&connection.id));
        let note = note(actor, place, "connection.create", detail);
        self.control()
            .write(move |db| {
                if tenants::get(db, &connection.tenant)?.is_none() {
                    return Err(Error::not_found(What::Tenant, &connection.tenant));
                }
                if !connections::insert(db, &connection)? {
                    return Err(Error::Exists {
                        what: What::Connection,
                        name: connection.id.to_string(),
                    });
                }
                // Who stored one before may not have meant the address that somebody chooses now.
                let (tenant, id) = (&connection.tenant, &connection.id);
                for stored in credentials::of_connection(db, tenant, id)? {
                    let place = CredentialPlace {
                        tenant,
                        connection: id,
                        name: &stored.name,
                    };
                    credentials::set_belongs(db, place, &Belongs::to_manifest())?;
                }
                Ok(audit::note(db, &note, connection.created_at)?)
            })
            .await
    }

    /// Changes a connection in one transaction with its note.
    pub(super) async fn change(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        note: audit::Note,
        edit: impl FnOnce(&mut Stored) -> Result<(), Error> + Send + 'static,
    ) -> Result<Stored, Error> {
        let (tenant, connection) = (tenant.clone(), connection.clone());
        self.control()
            .write(move |db| {
                let changed = connections::change(db, &tenant, &connection, edit)?;
                let changed =
                    changed.ok_or_else(|| Error::not_found(What::Connection, &connection))?;
                audit::note(db, &note, Timestamp::now())?;
                Ok(changed)
            })
            .await
    }

    /// Changes what surrounds the settings.
    pub async fn change_connection(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
        change: ConnectionChange,
    ) -> Result<(), Error> {
        if let Some(grants) = &change.grants {
            check_grants(grants)?;
        }
        if let Some(limits) = &change.limits {
            check_limits(limits)?;
        }
        let moved = change.window.is_some();
        let detail = json!({
            "title": change.title,
            "grants": change.grants,
            "no_budget": change.no_budget,
            "limits": change.limits,
            "window": change.window.map(|window| window.map(|window| window.to_string())),
        });
        let place = (Some(tenant), Some(connection));
        let note = note(actor, place, "connection.change", detail);
        self.change(tenant, connection, note, move |stored| {
            if let Some(title) = change.title {
                stored.title = title;
            }
            if let Some(grants) = change.grants {
                stored.grants = grants;
            }
            if let Some(no_budget) = change.no_budget {
                stored.no_budget = no_budget;
            }
            if let Some(limits) = change.limits {
                stored.limits = limits;
            }
            if let Some(window) = change.window {
                stored.window = window;
            }
            Ok(())
        })
        .await?;
        if moved {
            self.reschedule(tenant, connection).await?;
        }
        Ok(())
    }

    /// Puts settings in place of those at `revision`; answers with the new revision. The connection is
    /// given as it was read.
    ///
    /// A connection that is on takes only settings that are complete.
    pub async fn put_settings(
        &self,
        actor: &str,
        seen: Stored,
        revision: u64,
        settings: Value,
    ) -> Result<u64, Error> {
        let mut seen = seen;
        loop {
            if seen.revision != revision {
                return Err(Error::Changed {
                    revision: seen.revision,
                });
            }
            self.check_put(&seen, &settings).await?;
            if let Some(revision) = self.put_checked(actor, &seen, &settings).await? {
                self.ask_whose_it_is_again(actor, &seen).await?;
                return Ok(revision);
            }
            // It was changed, switched or upgraded meanwhile, so what was checked may not hold.
            seen = self.stored(&seen.tenant, &seen.id).await?;
        }
    }

    /// Whether settings fit the version of a connection.
    async fn check_put(&self, seen: &Stored, settings: &Value) -> Result<(), Error> {
        let connector = self.connector(&seen.digest).await?;
        let off = seen.state == State::Off;
        let mut broken: Vec<Violation> = check_settings(&connector.manifest, settings)
            .into_iter()
            .filter(|error| !(off && error.missing))
            .map(Violation::from)
            .collect();
        let moved = moved(&connector.manifest, &seen.settings, settings);
        if !moved.is_empty() {
            let of_connector = self.hosts_of(&seen.connector).await?;
            broken.extend(elsewhere(
                moved,
                [&self.options().network.hosts, &of_connector],
            ));
        }
        if broken.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid(broken))
        }
    }

    /// None when the connection is not as it was seen.
    async fn put_checked(
        &self,
        actor: &str,
        seen: &Stored,
        settings: &Value,
    ) -> Result<Option<u64>, Error> {
        let detail = json!({ "changed": changed_names(&seen.settings, settings) });
        let place = (Some(&seen.tenant), Some(&seen.id));
        let note = note(actor, place, "settings.put", detail);
        let (seen, settings) = (seen.clone(), settings.clone());
        self.control()
            .write(move |db| {
                let put = connections::put_settings(db, &seen, &settings)?;
                if put.is_some() {
                    audit::note(db, &note, Timestamp::now())?;
                }
                Ok(put)
            })
            .await
    }

    /// Stores a credential in place of the one that is there.
    pub async fn put_credential(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
        name: &str,
        secret: Secret,
    ) -> Result<(), Error> {
        let stored = self.stored(tenant, connection).await?;
        let connector = self.connector(&stored.digest).await?;
        let known = &connector.manifest.credentials;
        if !known.iter().any(|known| known.name == name) {
            return Err(Error::not_found(What::Credential, name));
        }
        let place = (Some(tenant), Some(connection));
        let note = note(actor, place, "credential.put", json!({ "name": name }));
        let (owner, id) = (tenant.clone(), connection.clone());
        let (name, data) = (name.to_owned(), self.options().data.clone());
        self.control()
            .write(move |db| {
                if !connections::is_there(db, &owner, &id)? {
                    return Err(Error::not_found(What::Connection, &id));
                }
                let place = CredentialPlace {
                    tenant: &owner,
                    connection: &id,
                    name: &name,
                };
                vault::put(db, &data, place, &secret)?;
                Ok::<_, Error>(audit::note(db, &note, Timestamp::now())?)
            })
            .await?;
        self.ask_whose_it_is_again(actor, &stored).await
    }

    /// Removes a credential.
    pub async fn remove_credential(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
        name: &str,
    ) -> Result<(), Error> {
        self.stored(tenant, connection).await?;
        let place = (Some(tenant), Some(connection));
        let note = note(actor, place, "credential.remove", json!({ "name": name }));
        let (tenant, connection) = (tenant.clone(), connection.clone());
        let name = name.to_owned();
        self.control()
            .write(move |db| {
                let place = CredentialPlace {
                    tenant: &tenant,
                    connection: &connection,
                    name: &name,
                };
                if !credentials::remove(db, place)? {
                    return Err(Error::not_found(What::Credential, &name));
                }
                Ok(audit::note(db, &note, Timestamp::now())?)
            })
            .await
    }

    /// Removes a connection that is off, with all that it kept.
    pub async fn delete_connection(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<(), Error> {
        let place = (Some(tenant), Some(connection));
        let note = note(actor, place, "connection.delete", nothing());
        self.check_off(tenant, connection).await?;
        let _alone = self.occupy(tenant, connection).await?;
        // It may have been switched on while this waited; from here on it is not.
        self.check_off(tenant, connection).await?;
        // What it keeps at the platform goes first: when that fails, it is there to be removed again.
        self.host().forget(tenant, Some(connection)).await?;
        let (owner, id) = (tenant.clone(), connection.clone());
        self.control()
            .write(move |db| {
                if !connections::remove(db, &owner, &id)? {
                    return Err(Error::not_found(What::Connection, &id));
                }
                Ok(audit::note(db, &note, Timestamp::now())?)
            })
            .await
    }

    async fn check_off(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<(), Error> {
        let stored = self.stored(tenant, connection).await?;
        let off = stored.state == State::Off;
        off.then_some(()).ok_or(Error::ConnectionOn)
    }

    /// Tries the credentials; answers with the account at the counterpart.
    pub async fn check(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<FoundAccount, Error> {
        let stored = self.stored(tenant, connection).await?;
        let opened = self.open_stored(&stored, Completeness::Begun).await?;
        let _room = self.room(tenant).await?;
        let found = self.host().check(&opened).await;
        found.map_err(|error| Error::called(opened.connector(), &error))
    }

    /// Values for a setting that only the counterpart knows, with their labels.
    pub async fn choices(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        option: &str,
    ) -> Result<Vec<(String, String)>, Error> {
        let stored = self.stored(tenant, connection).await?;
        let opened = self.open_stored(&stored, Completeness::Begun).await?;
        let offered = &opened.connector().manifest.options;
        if !offered.iter().any(|offered| offered == option) {
            return Err(Error::not_found(What::Choice, option));
        }
        let _room = self.room(tenant).await?;
        let choices = self.host().choices(&opened, option).await;
        choices.map_err(|error| Error::called(opened.connector(), &error))
    }

    /// How much is spent of what the counterparts of a connection allow; nothing while it is not set
    /// up far enough to say whose budgets it has.
    pub async fn budgets(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Vec<BudgetUse>, Error> {
        let stored = self.stored(tenant, connection).await?;
        match self.open_stored(&stored, Completeness::Begun).await {
            Ok(opened) => Ok(self.host().budgets(&opened)),
            Err(Error::MissingCredential(_) | Error::CredentialAgain(_) | Error::Invalid(_)) => {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Makes a counterpart's record another record of the platform from now on.
    pub async fn rebind(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
        binding: Binding,
    ) -> Result<(), Error> {
        let alone = self.occupy(tenant, connection).await?;
        self.settled(&alone, tenant, connection).await?;
        let detail = json!({
            "kind": binding.kind,
            "origin": binding.origin,
            "key": binding.key,
        });
        self.host().rebind(tenant, connection, binding).await?;
        let place = (Some(tenant), Some(connection));
        self.audit(note(actor, place, "binding.put", detail)).await
    }

    /// Forgets that a counterpart's record is one of the platform.
    pub async fn unbind(
        &self,
        actor: &str,
        tenant: &TenantId,
        connection: &ConnectionId,
        kind: &str,
        origin: &str,
    ) -> Result<(), Error> {
        let alone = self.occupy(tenant, connection).await?;
        self.settled(&alone, tenant, connection).await?;
        self.host()
            .unbind_origin(tenant, connection, kind.to_owned(), origin.to_owned())
            .await?;
        let detail = json!({ "kind": kind, "origin": origin });
        let place = (Some(tenant), Some(connection));
        self.audit(note(actor, place, "binding.remove", detail))
            .await
    }

    pub(super) async fn audit(&self, note: audit::Note) -> Result<(), Error> {
        self.control()
            .write(move |db| Ok::<_, Error>(audit::note(db, &note, Timestamp::now())?))
            .await
    }
}

/// The settings that lead to another origin than before, with that.
fn moved<'a>(manifest: &'a Manifest, before: &Value, after: &Value) -> Vec<(&'a str, url::Origin)> {
    let endpoints = manifest.endpoints.iter();
    let moved = endpoints.filter_map(|endpoint| {
        let origin = |settings| {
            let address = endpoint.address(settings, &manifest.settings_schema);
            address.ok().map(|address| address.origin())
        };
        let now = origin(after)?;
        (origin(before).as_ref() != Some(&now)).then_some((endpoint.setting()?, now))
    });
    moved.collect()
}

/// Those that lead to hosts that are not on all of these lists.
fn elsewhere(
    moved: Vec<(&str, url::Origin)>,
    lists: [&Option<Vec<HostPattern>>; 2],
) -> Vec<Violation> {
    let refused = moved.into_iter().filter(|(_, origin)| {
        let holds = |list: &Vec<HostPattern>| list.iter().any(|host| host.holds(origin));
        !(lists.iter().all(|list| list.as_ref().is_none_or(holds)))
    });
    refused
        .map(|(setting, origin)| Violation {
            path: format!("/{}", pointer(setting)),
            why: Reason::new("host.endpoint.host-not-allowed")
                .arg("origin", origin.ascii_serialization()),
            rules: Vec::new(),
        })
        .collect()
}

/// Names of the settings that differ. Their values may be personal.
fn changed_names(before: &Value, after: &Value) -> Vec<String> {
    let names = |value: &Value| {
        let members = value.as_object().into_iter().flatten();
        members.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let mut all = names(before);
    all.extend(names(after));
    all.sort();
    all.dedup();
    all.retain(|name| before.get(name) != after.get(name));
    all
}

fn check_grants(grants: &[String]) -> Result<(), Error> {
    grants.iter().try_for_each(|grant| {
        let address: url::Url = (origin(grant)?.ascii_serialization().parse())
            .map_err(|error| Error::Failure(Failure::new(error)))?;
        tenon_host::check_literal(&address, true)
            .map_err(|forbidden| Error::invalid("/grants", forbidden.reason(grant)))
    })
}

/// What the host cannot keep is said now and does not pause the connection later.
fn check_limits(limits: &BTreeMap<String, u64>) -> Result<(), Error> {
    let limits = Limits::with(limits);
    let limits = limits.map_err(|error| Error::invalid("/limits", error.reason()))?;
    (limits.check()).map_err(|error| Error::invalid("/limits/memory", error.reason()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audit_names_settings_that_changed_without_their_values() {
        let before = json!({ "days": 7, "shop": "a", "same": [1] });
        let after = json!({ "days": 8, "same": [1], "new": true });
        assert_eq!(vec!["days", "new", "shop"], changed_names(&before, &after));
    }

    #[test]
    fn a_limit_that_the_host_cannot_keep_is_refused_by_its_name() {
        let checked = |name: &str, limit| match check_limits(&[(name.to_owned(), limit)].into()) {
            Err(Error::Invalid(violations)) => violations[0].path.clone(),
            Err(other) => panic!("{other}"),
            Ok(()) => String::new(),
        };
        let most = tenon_host::engine::MAX_MEMORY as u64;
        assert_eq!("", checked("memory", most));
        assert_eq!("/limits/memory", checked("memory", most + 1));
        assert_eq!("/limits", checked("memmory", 1));
    }
}
