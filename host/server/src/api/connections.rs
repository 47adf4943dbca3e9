//! `/v1/tenants/{tenant}/connections`: connectors switched on in tenants.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use rusqlite::Connection;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use tenon_host::ids::{ConnectionId, TenantId};
use utoipa::ToSchema;

use super::access::{Manage, Operate, Read, ToConnection, ToTenant};
use super::extract::{Json, Query};
use super::page::{self, Page, PageQuery};
use super::problem::{Problem, not_found};
use super::repeats::HoldsSecret;
use super::runs::RunView;
use super::{Created, Reply, created, reply};
use crate::control::connections::{
    self, State as Switched, Stored, Window, time_of_day, time_of_day_text,
};
use crate::control::runs::{self, Run};
use crate::control::versions::{self, Version};
use crate::control::{credentials, failed};
use crate::service::{ConnectionChange, Error, NewConnection, Running, Service, What};

/// A connector switched on in a tenant.
#[derive(Serialize, ToSchema)]
#[schema(as = Connection)]
pub struct ConnectionView {
    /// Its name within the tenant.
    #[schema(value_type = String)]
    id: ConnectionId,
    /// Whose it is.
    #[schema(value_type = String)]
    tenant: TenantId,
    /// Name of the connector.
    connector: String,
    /// Its name for people.
    title: String,
    /// The version that it runs.
    version: VersionName,
    /// The version that a rollback goes back to.
    previous: Option<VersionName>,
    /// The first runs of a new version, while they are watched.
    trial: Option<TrialView>,
    /// Whether it runs.
    state: ConnectionState,
    /// Why the host stopped it.
    paused_reason: Option<String>,
    /// When it was made.
    created_at: Timestamp,
    /// When it was switched on last.
    enabled_at: Option<Timestamp>,
    /// Origins that an admin opened although the defaults refuse them.
    grants: Vec<String>,
    /// Whether the manifest's request budget is lifted.
    no_budget: bool,
    /// The limits that differ from the defaults.
    limits: BTreeMap<String, u64>,
    /// Hours of the tenant's day in which scheduled runs begin; at any time when none.
    window: Option<WindowView>,
    /// The run that is under way.
    running: Option<RunningView>,
    /// The run that finished last.
    last_run: Option<RunView>,
    /// Requests that wait.
    waiting: u64,
    /// Requests that were given up.
    dead: u64,
    /// Records that the last run which met them could not take.
    failed_records: u64,
    /// Credentials that are needed and not set: one of each list is.
    missing_credentials: Vec<Vec<String>>,
}

/// A version, as connections name it.
#[derive(Serialize, ToSchema)]
pub struct VersionName {
    /// SHA-256 of the component.
    digest: String,
    /// The version that it gives itself.
    version: String,
}

/// The first runs of a new version.
#[derive(Serialize, ToSchema)]
#[schema(as = Trial)]
pub struct TrialView {
    /// Runs that are still watched.
    left: u32,
    /// Watched runs that failed.
    failed: u32,
}

/// Whether a connection runs.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// Made, and not running.
    Off,
    /// Running.
    On,
    /// Stopped by the host until it is switched on again.
    Paused,
}

/// Hours of a day; one that ends before it begins goes over midnight.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Window)]
pub struct WindowView {
    /// The first minute.
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$", example = "08:00")]
    from: String,
    /// The minute after the last.
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$", example = "20:00")]
    to: String,
}

/// A run that is under way.
#[derive(Serialize, ToSchema)]
#[schema(as = Running)]
pub struct RunningView {
    /// The run.
    run: String,
    /// Its job.
    job: String,
    /// When it began.
    started_at: Timestamp,
    /// How far it is.
    progress: ProgressView,
}

/// How far a run is, as of its last checkpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = Progress)]
pub struct ProgressView {
    /// Records handled.
    done: u64,
    /// Records in all, where that is known.
    total: Option<u64>,
    /// New records.
    created: u64,
    /// Changed records.
    updated: u64,
    /// Records that were right already.
    unchanged: u64,
    /// Records that could not be taken.
    failed: u64,
}

/// A connection that is to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewConnection)]
pub struct NewConnectionBody {
    /// Its name within the tenant.
    #[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
    id: ConnectionId,
    /// Name of the connector.
    #[schema(pattern = "^[a-z0-9][a-z0-9_-]{0,62}$")]
    connector: String,
    /// Its name for people; the connector's when absent.
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    title: Option<String>,
    /// The version; the newest when absent.
    #[schema(pattern = "^[0-9a-f]{64}$", nullable = false)]
    digest: Option<String>,
    /// What the connector reads; may be filled in later.
    #[serde(default)]
    #[schema(value_type = Object, required = false)]
    settings: Map<String, Value>,
    /// Origins that the defaults refuse, such as `http://127.0.0.1:8080`.
    #[serde(default)]
    #[schema(required = false, max_items = 20)]
    grants: Vec<Origin>,
    /// Whether the manifest's request budget is lifted.
    #[serde(default)]
    #[schema(required = false)]
    no_budget: bool,
    /// Limits that differ from the defaults, by their names.
    #[serde(default)]
    #[schema(required = false)]
    limits: LimitsBody,
}

/// An origin, such as `https://api.example.com`.
#[derive(Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, min_length = 1, max_length = 500)]
pub struct Origin(String);

/// Limits by their names; sizes in bytes, times in milliseconds.
#[derive(Default, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = BTreeMap<String, Whole>)]
pub struct LimitsBody(BTreeMap<String, Whole>);

/// A whole number. In JSON `5.0` is one, too.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(try_from = "f64")]
#[schema(value_type = u64, maximum = 9007199254740991_u64)]
pub struct Whole(u64);

/// Not a number that JSON can hold exactly.
#[derive(Debug, thiserror::Error)]
#[error("is not a whole number from 0 to {MOST}")]
pub struct NotWhole;

/// The largest whole number of which every smaller one is exact in JSON.
const MOST: u64 = (1 << 53) - 1;

impl TryFrom<f64> for Whole {
    type Error = NotWhole;

    fn try_from(number: f64) -> Result<Self, NotWhole> {
        let whole = number.fract() == 0.0 && (0.0..=MOST as f64).contains(&number);
        whole.then_some(Whole(number as u64)).ok_or(NotWhole)
    }
}

impl LimitsBody {
    fn read(self) -> BTreeMap<String, u64> {
        let limits = self.0.into_iter();
        limits.map(|(name, Whole(limit))| (name, limit)).collect()
    }
}

/// What changes of a connection; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConnectionChange)]
pub struct ConnectionChangeBody {
    /// Its name for people.
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    title: Option<String>,
    /// Origins that the defaults refuse.
    #[schema(required = false, nullable = false, max_items = 20)]
    grants: Option<Vec<Origin>>,
    /// Whether the manifest's request budget is lifted.
    #[schema(nullable = false)]
    no_budget: Option<bool>,
    /// Limits that differ from the defaults.
    limits: Option<LimitsBody>,
    /// Hours in which scheduled runs begin; null for the whole day.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<WindowView>)]
    window: Option<Option<WindowView>>,
}

/// The name of the account at the counterpart.
#[derive(Serialize, ToSchema)]
pub struct Account {
    /// As the counterpart calls it.
    account: String,
}

/// The address of a connection's webhooks.
#[derive(Serialize, ToSchema)]
pub struct HookAddress {
    /// Shown this once.
    url: String,
}

/// A version to move to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpgradeTo {
    /// SHA-256 of the component.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    digest: String,
}

/// Tells a member that is null from one that is absent.
fn present<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(from).map(Some)
}

impl From<Window> for WindowView {
    fn from(window: Window) -> Self {
        WindowView {
            from: time_of_day_text(window.from),
            to: time_of_day_text(window.to),
        }
    }
}

impl WindowView {
    fn read(&self) -> Result<Window, Error> {
        let time = |name, text| {
            time_of_day(text).map_err(|error| Error::invalid(format!("/window/{name}"), error))
        };
        Ok(Window {
            from: time("from", &self.from)?,
            to: time("to", &self.to)?,
        })
    }
}

impl From<Running> for RunningView {
    fn from(running: Running) -> Self {
        let progress = running.progress;
        RunningView {
            run: running.run,
            job: running.job,
            started_at: running.started_at,
            progress: ProgressView {
                done: progress.done,
                total: progress.total,
                created: progress.created,
                updated: progress.updated,
                unchanged: progress.unchanged,
                failed: progress.failed,
            },
        }
    }
}

/// What the control database knows of a connection.
struct Sketch {
    stored: Stored,
    version: Option<Version>,
    previous: Option<VersionName>,
    last_run: Option<Run>,
    failed_records: u64,
    missing_credentials: Vec<Vec<String>>,
}

fn sketch(db: &Connection, stored: Stored) -> Result<Sketch, Problem> {
    let (tenant, id) = (&stored.tenant, &stored.id);
    let version = versions::get(db, &stored.digest)?;
    let previous = match &stored.previous {
        Some(digest) => versions::get(db, digest)?.map(name_of),
        None => None,
    };
    let listed = credentials::list(db, tenant).map_err(crate::control::Failure::new)?;
    let set: BTreeSet<String> = (listed.into_iter())
        .filter(|credential| credential.connection == id.as_str())
        .map(|credential| credential.name)
        .collect();
    let missing = (version.as_ref())
        .map(|version| missing_credentials(&version.manifest, &set))
        .unwrap_or_default();
    Ok(Sketch {
        last_run: runs::last(db, tenant, id)?,
        failed_records: failed::count(db, tenant, id)?,
        missing_credentials: missing,
        version,
        previous,
        stored,
    })
}

/// For each endpoint that is signed, its credentials when none of them is set.
fn missing_credentials(manifest: &Value, set: &BTreeSet<String>) -> Vec<Vec<String>> {
    let endpoints = manifest["endpoints"].as_array().into_iter().flatten();
    let mut missing: Vec<Vec<String>> = endpoints
        .map(|endpoint| {
            let names = endpoint["credentials"].as_array().into_iter().flatten();
            names
                .filter_map(|name| Some(name.as_str()?.to_owned()))
                .collect()
        })
        .filter(|names: &Vec<String>| {
            !names.is_empty() && !names.iter().any(|name| set.contains(name))
        })
        .collect();
    missing.sort();
    missing.dedup();
    missing
}

fn name_of(version: Version) -> VersionName {
    VersionName {
        digest: version.digest,
        version: version.version,
    }
}

async fn fill(service: &Service, sketch: Sketch) -> Result<ConnectionView, Problem> {
    let stored = sketch.stored;
    let counts = service.queue().counts(&stored.tenant, &stored.id).await;
    let counts = counts.map_err(Error::from)?;
    Ok(ConnectionView {
        running: service
            .running(&stored.tenant, &stored.id)
            .map(RunningView::from),
        last_run: sketch.last_run.map(RunView::from),
        waiting: counts.ready + counts.later,
        dead: counts.dead,
        failed_records: sketch.failed_records,
        missing_credentials: sketch.missing_credentials,
        version: VersionName {
            version: sketch
                .version
                .map(|version| version.version)
                .unwrap_or_default(),
            digest: stored.digest,
        },
        previous: sketch.previous,
        trial: stored.trial.map(|trial| TrialView {
            left: trial.left,
            failed: trial.failed,
        }),
        paused_reason: stored.state.reason().map(str::to_owned),
        state: match stored.state {
            Switched::Off => ConnectionState::Off,
            Switched::On => ConnectionState::On,
            Switched::Paused { .. } => ConnectionState::Paused,
        },
        id: stored.id,
        tenant: stored.tenant,
        connector: stored.connector,
        title: stored.title,
        created_at: stored.created_at,
        enabled_at: stored.enabled_at,
        grants: stored.grants,
        no_budget: stored.no_budget,
        limits: stored.limits,
        window: stored.window.map(WindowView::from),
    })
}

async fn show(
    service: &Service,
    tenant: &TenantId,
    id: &ConnectionId,
) -> Result<ConnectionView, Problem> {
    let (owner, connection) = (tenant.clone(), id.clone());
    let found = service
        .control()
        .read(move |db| {
            let stored = connections::get(db, &owner, &connection)?;
            let stored = stored.ok_or_else(|| not_found(What::Connection, &connection))?;
            sketch(db, stored)
        })
        .await?;
    fill(service, found).await
}

async fn answer<S>(service: &Service, access: &ToConnection<S>) -> Reply<ConnectionView> {
    reply(show(service, &access.tenant, &access.connection).await?)
}

/// The connections of a tenant, by their names.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections", tag = "connections",
    params(PageQuery),
    responses((status = 200, description = "Connections", body = Page<ConnectionView>)))]
pub async fn list_connections(
    State(service): State<Service>,
    access: ToTenant<Read>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<ConnectionView>> {
    let after: Option<ConnectionId> = page::place(query.after.as_deref())?;
    let rows = service
        .control()
        .read(move |db| {
            let rows = page::rows(query.limit);
            let stored = connections::list(db, &access.tenant, after.as_ref(), rows)?;
            let sketches = stored.into_iter().map(|stored| sketch(db, stored));
            sketches.collect::<Result<Vec<_>, _>>()
        })
        .await?;
    let sketches = page::page(query.limit, rows, |one| one.stored.id.clone(), |one| one);
    let mut items = Vec::with_capacity(sketches.items.len());
    for sketch in sketches.items {
        items.push(fill(&service, sketch).await?);
    }
    reply(Page {
        items,
        next: sketches.next,
    })
}

/// Makes a connection that is off.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/connections", tag = "connections",
    request_body = NewConnectionBody,
    responses((status = 201, description = "The new connection", body = ConnectionView)))]
pub async fn create_connection(
    State(service): State<Service>,
    access: ToTenant<Manage>,
    Json(body): Json<NewConnectionBody>,
) -> Created<ConnectionView> {
    let id = body.id.clone();
    let new = NewConnection {
        id: body.id,
        connector: body.connector,
        title: body.title,
        digest: body.digest,
        settings: Value::Object(body.settings),
        grants: body.grants.into_iter().map(|origin| origin.0).collect(),
        no_budget: body.no_budget,
        limits: body.limits.read(),
    };
    let (actor, tenant) = (access.actor(), &access.tenant);
    service.create_connection(actor, tenant, new).await?;
    created(show(&service, tenant, &id).await?)
}

/// A connection.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}", tag = "connections",
    responses((status = 200, description = "The connection", body = ConnectionView)))]
pub async fn get_connection(
    State(service): State<Service>,
    access: ToConnection<Read>,
) -> Reply<ConnectionView> {
    answer(&service, &access).await
}

/// Changes what surrounds the settings of a connection.
#[utoipa::path(patch, path = "/v1/tenants/{tenant}/connections/{connection}", tag = "connections",
    request_body = ConnectionChangeBody,
    responses((status = 200, description = "The connection as it is now", body = ConnectionView)))]
pub async fn change_connection(
    State(service): State<Service>,
    access: ToConnection<Manage>,
    Json(body): Json<ConnectionChangeBody>,
) -> Reply<ConnectionView> {
    let grants = |grants: Vec<Origin>| grants.into_iter().map(|origin| origin.0).collect();
    let window = body
        .window
        .map(|window| window.as_ref().map(WindowView::read).transpose());
    let change = ConnectionChange {
        title: body.title,
        grants: body.grants.map(grants),
        no_budget: body.no_budget,
        limits: body.limits.map(LimitsBody::read),
        window: window.transpose()?,
    };
    service
        .change_connection(access.actor(), &access.tenant, &access.connection, change)
        .await?;
    answer(&service, &access).await
}

/// Removes a connection that is off, with all that it kept.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/connections/{connection}",
    tag = "connections", responses((status = 204, description = "It is gone")))]
pub async fn delete_connection(
    State(service): State<Service>,
    access: ToConnection<Manage>,
) -> Result<StatusCode, Problem> {
    service
        .delete_connection(access.actor(), &access.tenant, &access.connection)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tries the credentials at the counterpart.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/connections/{connection}/check",
    tag = "connections",
    responses((status = 200, description = "They are good", body = Account)))]
pub async fn check_connection(
    State(service): State<Service>,
    access: ToConnection<Manage>,
) -> Reply<Account> {
    let checked = service.check(&access.tenant, &access.connection).await;
    let account = checked.map_err(|error| {
        Problem::from(error)
            .known_as("refused", "check_failed")
            .known_as("unavailable", "check_failed")
    })?;
    reply(Account { account })
}

/// Switches a connection on: its webhooks get a new address, and its jobs run when it is time.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/connections/{connection}/enable",
    tag = "connections",
    responses((status = 200, description = "The connection", body = ConnectionView)))]
pub async fn enable_connection(
    State(service): State<Service>,
    access: ToConnection<Operate>,
) -> Reply<ConnectionView> {
    let switched = service
        .enable(access.actor(), &access.tenant, &access.connection)
        .await;
    switched.map_err(|error| Problem::from(error).known_as("invalid", "settings_invalid"))?;
    answer(&service, &access).await
}

/// Switches a connection off.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/connections/{connection}/disable",
    tag = "connections",
    responses((status = 200, description = "The connection", body = ConnectionView)))]
pub async fn disable_connection(
    State(service): State<Service>,
    access: ToConnection<Operate>,
) -> Reply<ConnectionView> {
    service
        .disable(access.actor(), &access.tenant, &access.connection)
        .await?;
    answer(&service, &access).await
}

/// Gives the connection's webhooks another address; the one that they had is no longer taken.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/connections/{connection}/hook/rotate",
    tag = "connections",
    responses((status = 200, description = "The new address", body = HookAddress)))]
pub async fn rotate_hook(
    State(service): State<Service>,
    access: ToConnection<Manage>,
) -> Result<(axum::Extension<HoldsSecret>, axum::Json<HookAddress>), Problem> {
    let url = service
        .rotate_hook(access.actor(), &access.tenant, &access.connection)
        .await?;
    Ok((
        axum::Extension(HoldsSecret),
        axum::Json(HookAddress { url }),
    ))
}

/// Moves a connection to another version of its connector.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/connections/{connection}/upgrade",
    tag = "connections", request_body = UpgradeTo,
    responses((status = 200, description = "The connection", body = ConnectionView)))]
pub async fn upgrade_connection(
    State(service): State<Service>,
    access: ToConnection<Manage>,
    Json(body): Json<UpgradeTo>,
) -> Reply<ConnectionView> {
    let (tenant, connection) = (&access.tenant, &access.connection);
    service
        .upgrade(access.actor(), tenant, connection, &body.digest)
        .await?;
    answer(&service, &access).await
}

/// Moves a connection back to the version that it ran before.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/connections/{connection}/rollback",
    tag = "connections",
    responses((status = 200, description = "The connection", body = ConnectionView)))]
pub async fn roll_back_connection(
    State(service): State<Service>,
    access: ToConnection<Manage>,
) -> Reply<ConnectionView> {
    service
        .rollback(access.actor(), &access.tenant, &access.connection)
        .await?;
    answer(&service, &access).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_credential_of_each_signed_endpoint_is_needed() {
        let manifest = json!({ "endpoints": [
            { "credentials": ["token", "login"] },
            { "credentials": ["key"] },
            { "credentials": [] },
            { "credentials": ["key"] },
        ] });
        let missing = |set: &[&str]| {
            let set = set.iter().map(|name| (*name).to_owned()).collect();
            missing_credentials(&manifest, &set)
        };
        assert_eq!(vec![vec!["key"], vec!["token", "login"]], missing(&[]));
        assert_eq!(vec![vec!["key"]], missing(&["login"]));
        assert!(missing(&["token", "key"]).is_empty());
    }
}
