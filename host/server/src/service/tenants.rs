//! The customers of the platform.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use serde_json::json;
use tenon_host::PlacePart;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::reason::Reason;

use super::{Error, Service, What, note, nothing};
use crate::control::tenants::Keep;
use crate::control::{Failure, audit, connections, credentials, tenants};

/// Languages that people's texts are in.
pub const LANGUAGES: [&str; 3] = ["en", "uk", "ru"];

/// A tenant that is to be made.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// Its name in addresses and files.
    pub id: TenantId,
    /// Its name for people.
    pub name: String,
    /// IANA name of its time zone.
    pub time_zone: String,
    /// `en`, `uk` or `ru`.
    pub language: String,
    /// ISO 4217 code of its home currency.
    pub currency: String,
    /// How long what goes on in it is kept.
    pub keep: Keep,
}

/// What changes of a tenant; none stays as it is.
#[derive(Clone, Debug, Default)]
pub struct TenantChange {
    /// Its name for people.
    pub name: Option<String>,
    /// IANA name of its time zone.
    pub time_zone: Option<String>,
    /// `en`, `uk` or `ru`.
    pub language: Option<String>,
    /// ISO 4217 code of its home currency. Records that are there keep theirs.
    pub currency: Option<String>,
    /// How many days what went on in it is kept.
    pub keep_days: Option<u32>,
    /// How many lines of its log.
    pub keep_log_lines: Option<u32>,
}

impl Service {
    /// Makes a tenant.
    pub async fn create_tenant(&self, actor: &str, new: NewTenant) -> Result<(), Error> {
        check(PlacePart::TimeZone, &new.time_zone)?;
        check(PlacePart::Language, &new.language)?;
        check(PlacePart::Currency, &new.currency)?;
        check_keep(Some(new.keep.days), Some(new.keep.log_lines))?;
        let tenant = tenants::Tenant {
            id: new.id,
            name: new.name,
            time_zone: new.time_zone,
            language: new.language,
            currency: new.currency,
            keep: new.keep,
            created_at: Timestamp::now(),
        };
        let id = tenant.id.clone();
        let note = note(actor, (Some(&id), None), "tenant.create", nothing());
        let erp = self.erp().cloned();
        self.control()
            .write(move |db| {
                let name = tenant.id.to_string();
                if !tenants::insert(db, &tenant)? {
                    let what = What::Tenant;
                    return Err(Error::Exists { what, name });
                }
                // What was put there by hand, or for another one of the name, is none of its own.
                let kept = credentials::list(db, &tenant.id)
                    .map_err(|error| Failure::new(format!("{error:#}")))?;
                if erp.is_some_and(|erp| erp.has_file(&tenant.id)) || !kept.is_empty() {
                    return Err(Error::Leftover { name });
                }
                Ok(audit::note(db, &note, tenant.created_at)?)
            })
            .await?;
        if let Err(error) = self.make_file(&id).await {
            let made = self
                .control()
                .write(move |db| Ok::<_, Error>(tenants::remove(db, &id)?))
                .await;
            return made.and(Err(error));
        }
        Ok(())
    }

    /// Makes the file of a new tenant, and takes note of that.
    async fn make_file(&self, tenant: &TenantId) -> Result<(), Error> {
        let Some(erp) = self.erp().cloned() else {
            return Ok(());
        };
        let id = tenant.clone();
        tokio::task::spawn_blocking(move || erp.create(&id))
            .await
            .map_err(Failure::new)??;
        let id = tenant.clone();
        self.control()
            .write(move |db| Ok::<_, Error>(tenants::has_file(db, &id)?))
            .await
    }

    /// Makes the files of tenants that a dead process had not come to. Where something ran already, a
    /// file that is not there was lost, and none is made.
    pub(super) async fn finish_tenants(&self) -> Result<(), Error> {
        let Some(erp) = self.erp().cloned() else {
            return Ok(());
        };
        let mut begun = (self.control())
            .read(|db| Ok::<_, Error>(tenants::without_file(db)?))
            .await?;
        begun.retain(|(tenant, ran)| {
            let made = match *ran || erp.has_file(tenant) {
                true => Ok(()),
                false => erp.create(tenant),
            };
            // It is tried again with the next start; the others have nothing to do with it.
            made.inspect_err(|error| tracing::error!("{error}")).is_ok()
        });
        self.control()
            .write(move |db| {
                for (tenant, _) in &begun {
                    tenants::has_file(db, tenant)?;
                }
                Ok::<_, Error>(())
            })
            .await
    }

    /// Changes a tenant. A new time zone moves the next times of its jobs.
    pub async fn change_tenant(
        &self,
        actor: &str,
        tenant: &TenantId,
        change: TenantChange,
    ) -> Result<(), Error> {
        if let Some(zone) = &change.time_zone {
            check(PlacePart::TimeZone, zone)?;
        }
        if let Some(language) = &change.language {
            check(PlacePart::Language, language)?;
        }
        if let Some(currency) = &change.currency {
            check(PlacePart::Currency, currency)?;
        }
        check_keep(change.keep_days, change.keep_log_lines)?;
        let moved = change.time_zone.is_some();
        let keeps = change.keep_days.is_some() || change.keep_log_lines.is_some();
        let detail = json!({
            "name": change.name,
            "time_zone": change.time_zone,
            "language": change.language,
            "currency": change.currency,
            "keep_days": change.keep_days,
            "keep_log_lines": change.keep_log_lines,
        });
        let note = note(actor, (Some(tenant), None), "tenant.change", detail);
        let id = tenant.clone();
        self.control()
            .write(move |db| {
                let changed = tenants::change(db, &id, |tenant| {
                    let TenantChange {
                        name,
                        time_zone,
                        language,
                        currency,
                        keep_days,
                        keep_log_lines,
                    } = change;
                    let put = |place: &mut String, value: Option<String>| {
                        if let Some(value) = value {
                            *place = value;
                        }
                    };
                    put(&mut tenant.name, name);
                    put(&mut tenant.time_zone, time_zone);
                    put(&mut tenant.language, language);
                    put(&mut tenant.currency, currency);
                    tenant.keep.days = keep_days.unwrap_or(tenant.keep.days);
                    tenant.keep.log_lines = keep_log_lines.unwrap_or(tenant.keep.log_lines);
                    Ok::<_, Error>(())
                })?;
                changed.ok_or_else(|| Error::not_found(What::Tenant, &id))?;
                Ok::<_, Error>(audit::note(db, &note, Timestamp::now())?)
            })
            .await?;
        if moved {
            self.reschedule_tenant(tenant).await?;
        }
        if keeps {
            self.0.kept.notify_one();
        }
        Ok(())
    }

    /// Waits until somebody changes how long things are kept.
    pub(crate) async fn less_is_kept(&self) {
        self.0.kept.notified().await;
    }

    /// Removes a tenant whose connections are off, with all that is known of it.
    pub async fn delete_tenant(&self, actor: &str, tenant: &TenantId) -> Result<(), Error> {
        self.tenant(tenant).await?;
        let note = note(actor, (Some(tenant), None), "tenant.delete", nothing());
        let known = self.unused_connections(tenant).await?;
        let mut alone = Vec::with_capacity(known.len());
        for connection in &known {
            alone.push(self.occupy(tenant, connection).await?);
        }
        // Some may have been switched on or made while this waited; from here on none is switched on.
        if self.unused_connections(tenant).await? != known {
            return Err(Error::Busy);
        }
        // What it keeps at the platform goes first: when that fails, it is there to be removed again.
        self.host().forget(tenant, None).await?;
        let id = tenant.clone();
        self.control()
            .write(move |db| {
                if unused(db, &id)? != known {
                    // One that was made since then may keep something at the platform.
                    return Err(Error::Busy);
                }
                if !tenants::remove(db, &id)? {
                    return Err(Error::not_found(What::Tenant, &id));
                }
                Ok(audit::note(db, &note, Timestamp::now())?)
            })
            .await
    }

    async fn unused_connections(&self, tenant: &TenantId) -> Result<Vec<ConnectionId>, Error> {
        let tenant = tenant.clone();
        self.control().read(move |db| unused(db, &tenant)).await
    }
}

/// The connections of a tenant, all of which have to be off.
fn unused(db: &rusqlite::Connection, tenant: &TenantId) -> Result<Vec<ConnectionId>, Error> {
    match tenants::active_connections(db, tenant)? {
        0 => Ok(connections::of_tenant(db, tenant)?),
        connections => Err(Error::TenantInUse { connections }),
    }
}

/// How many days of what went on may be kept.
pub const KEEP_DAYS: RangeInclusive<u32> = 1..=3_650;

/// How many lines of a log may be kept.
pub const KEEP_LOG_LINES: RangeInclusive<u32> = 1_000..=100_000_000;

fn check_keep(days: Option<u32>, log_lines: Option<u32>) -> Result<(), Error> {
    for (path, given, range) in [
        ("/keep_days", days, KEEP_DAYS),
        ("/keep_log_lines", log_lines, KEEP_LOG_LINES),
    ] {
        if given.is_some_and(|given| !range.contains(&given)) {
            let reason = Reason::new("server.not-between");
            let reason = reason.arg("from", range.start()).arg("to", range.end());
            return Err(Error::invalid(path, reason));
        }
    }
    Ok(())
}

fn check(part: PlacePart, value: &str) -> Result<(), Error> {
    part.check(value).map_err(|error| {
        let place = match error.part {
            PlacePart::TimeZone => "/time_zone",
            PlacePart::Language => "/language",
            PlacePart::Currency => "/currency",
        };
        Error::invalid(place, error.reason())
    })
}
