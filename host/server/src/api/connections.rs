//! `/v1/tenants/{tenant}/connections`: connectors with their settings in tenants.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use rusqlite::Connection;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use tenon_host::ids::{ConnectionId, TenantId};
use utoipa::{IntoParams, ToSchema};

use super::access::{Access, Caller, Manage, Operate, Read, ToConnection, ToTenant};
use super::extract::{Json, Query};
use super::maintenance::MaintenanceView;
use super::page::{self, Page, PageQuery};
use super::problem::{Problem, Refused, not_found};
use super::repeats::HoldsSecret;
use super::runs::{RunView, WarningView};
use super::settings::unfit;
use super::words::{Spoken, Why};
use super::{Created, Reply, created, reply};
use crate::belonging::Belongs;
use crate::control::connections::{
    self, State as Switched, Stored, Wanted, Window, time_of_day, time_of_day_text,
};
use crate::control::credentials::{self, Listed};
use crate::control::maintenance::{self, Maintenance};
use crate::control::runs::{self, Run};
use crate::control::tokens::Scope;
use crate::control::versions::{self, Version};
use crate::control::{failed, questions, webhooks};
use crate::service::{ConnectionChange, Error, NewConnection, Running, Service, UnderWay, What};

/// A connector with its settings in a tenant.
#[derive(Serialize, ToSchema)]
#[schema(as = Connection)]
pub struct ConnectionView {
    /// Identifier within the tenant.
    #[schema(value_type = String)]
    id: ConnectionId,
    /// The tenant that it belongs to.
    #[schema(value_type = String)]
    tenant: TenantId,
    /// Name of the connector.
    connector: String,
    /// Its name for people.
    title: String,
    /// The version that it runs.
    version: VersionName,
    /// The version that a rollback returns to.
    previous: Option<VersionName>,
    /// The first runs of a new version, while they are watched.
    trial: Option<TrialView>,
    /// Whether it runs.
    state: ConnectionState,
    /// The maintenance that holds it: it stays on and runs nothing.
    maintenance: Option<MaintenanceView>,
    /// Why the host paused it.
    paused_reason: Option<String>,
    /// The same for programs and for who is to mend it.
    paused_why: Option<Why>,
    /// When it was created.
    created_at: Timestamp,
    /// When it was last switched on.
    enabled_at: Option<Timestamp>,
    /// Origins that are allowed although the defaults refuse them.
    grants: Vec<String>,
    /// Whether the manifest's request budget is lifted.
    no_budget: bool,
    /// The limits that differ from the defaults.
    limits: BTreeMap<String, u64>,
    /// Hours of the tenant's day in which scheduled runs begin; null for the whole day.
    window: Option<WindowView>,
    /// The run that is under way.
    running: Option<RunningView>,
    /// The run that finished last, previews aside.
    last_run: Option<RunView>,
    /// Requests that are waiting.
    waiting: u64,
    /// Requests that were given up.
    dead: u64,
    /// Webhooks that were given up.
    given_up_webhooks: u64,
    /// Records that failed in the latest run that processed them.
    failed_records: u64,
    /// Questions of runs that wait for an answer.
    open_questions: u64,
    /// Credentials that are missing: of each list one is needed.
    missing_credentials: Vec<Vec<String>>,
}

/// A version, as connections name it.
#[derive(Serialize, ToSchema)]
pub struct VersionName {
    /// SHA-256 of the component.
    digest: String,
    /// The version in its manifest.
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
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// Switched off.
    Off,
    /// Switched on.
    On,
    /// Stopped by the host until an admin switches it on again.
    Paused,
}

/// Which connections are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ConnectionFilter {
    /// With this in the identifier, the title or the connector, and of all tenants also in the
    /// tenant's identifier, ignoring case.
    #[param(min_length = 1, max_length = 200, nullable = false)]
    q: Option<String>,
    /// In this state.
    #[param(inline, nullable = false)]
    state: Option<ConnectionState>,
}

/// Which connections of all tenants are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfVersion {
    /// Of this connector.
    #[param(pattern = "^[a-z0-9][a-z0-9_-]{0,62}$", nullable = false)]
    connector: Option<String>,
    /// On this version.
    #[param(pattern = "^[0-9a-f]{64}$", nullable = false)]
    digest: Option<String>,
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
    /// Its progress.
    progress: ProgressView,
}

/// The progress of a run, as of its last checkpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = Progress)]
pub struct ProgressView {
    /// Records processed.
    done: u64,
    /// Records in total, where that is known.
    total: Option<u64>,
    /// New records.
    created: u64,
    /// Changed records.
    updated: u64,
    /// Records that needed no change.
    unchanged: u64,
    /// Records that failed.
    failed: u64,
}

/// A connection to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewConnection)]
pub struct NewConnectionBody {
    /// Identifier within the tenant.
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
    /// The connector's settings; may be completed later.
    #[serde(default)]
    #[schema(value_type = Object, required = false)]
    settings: Map<String, Value>,
    /// Origins that the defaults refuse, such as `http://127.0.0.1:8080`. Needs the scope `platform`.
    #[serde(default)]
    #[schema(required = false, max_items = 20)]
    grants: Vec<Origin>,
    /// Whether the manifest's request budget is lifted. Needs the scope `platform`.
    #[serde(default)]
    #[schema(required = false)]
    no_budget: bool,
    /// Limits that differ from the defaults, by their names. Needs the scope `platform`.
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

impl Whole {
    /// The number, of which the description says that it is no larger.
    pub(super) fn small(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }
}

impl LimitsBody {
    fn read(self) -> BTreeMap<String, u64> {
        let limits = self.0.into_iter();
        limits.map(|(name, Whole(limit))| (name, limit)).collect()
    }
}

/// Changes to a connection; absent members stay as they are.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConnectionChange)]
pub struct ConnectionChangeBody {
    /// Its name for people.
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    title: Option<String>,
    /// Origins that the defaults refuse. Needs the scope `platform`.
    #[schema(required = false, nullable = false, max_items = 20)]
    grants: Option<Vec<Origin>>,
    /// Whether the manifest's request budget is lifted. Needs the scope `platform`.
    #[schema(nullable = false)]
    no_budget: Option<bool>,
    /// Limits that differ from the defaults. Needs the scope `platform`.
    limits: Option<LimitsBody>,
    /// Hours in which scheduled runs begin; null for the whole day.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<WindowView>)]
    window: Option<Option<WindowView>>,
}

/// The account at the counterpart.
#[derive(Serialize, ToSchema)]
pub struct Account {
    /// Its name, as the counterpart calls it.
    account: String,
    /// What to know before the connection is switched on, such as that it exchanged the records of
    /// another account before.
    notes: Vec<WarningView>,
}

/// The address of a connection's webhooks.
#[derive(Serialize, ToSchema)]
pub struct HookAddress {
    /// Shown only this once.
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

impl ConnectionState {
    /// Its name where connections are kept.
    fn name(self) -> &'static str {
        match self {
            ConnectionState::Off => "off",
            ConnectionState::On => "on",
            ConnectionState::Paused => "paused",
        }
    }
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
            time_of_day(text)
                .map_err(|error| Error::invalid(format!("/window/{name}"), error.reason()))
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
    given_up_webhooks: u64,
    failed_records: u64,
    open_questions: u64,
    missing_credentials: Vec<Vec<String>>,
    maintenance: Option<Maintenance>,
}

fn sketch(db: &Connection, stored: Stored) -> Result<Sketch, Problem> {
    let (tenant, id) = (&stored.tenant, &stored.id);
    let version = versions::get(db, &stored.digest)?;
    let previous = match &stored.previous {
        Some(digest) => versions::get(db, digest)?.map(name_of),
        None => None,
    };
    let listed = credentials::list(db, tenant).map_err(crate::control::Failure::new)?;
    let is_good = |one: &Listed| {
        let wanted = |manifest| Belongs::by_stored(manifest, &stored.settings, &one.name);
        match (&one.belongs, &version) {
            (Some(belongs), Some(version)) => belongs.covers(&wanted(&version.manifest)),
            _ => true,
        }
    };
    let set: BTreeSet<String> = (listed.into_iter())
        .filter(|credential| credential.connection == id.as_str() && is_good(credential))
        .map(|credential| credential.name)
        .collect();
    let missing = (version.as_ref())
        .map(|version| missing_credentials(&version.manifest, &set))
        .unwrap_or_default();
    Ok(Sketch {
        last_run: runs::last(db, tenant, id)?,
        maintenance: maintenance::of(db, tenant, &stored.connector)?,
        given_up_webhooks: webhooks::count_given_up(db, tenant, id)?,
        failed_records: failed::count(db, tenant, id)?,
        open_questions: questions::count_open(db, tenant, id)?,
        missing_credentials: missing,
        version,
        previous,
        stored,
    })
}

fn sketches(db: &Connection, wanted: Wanted<'_>) -> Result<Vec<Sketch>, Problem> {
    let stored = connections::list(db, wanted)?.into_iter();
    stored.map(|stored| sketch(db, stored)).collect()
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

async fn fill(
    service: &Service,
    under_way: &UnderWay,
    sketch: Sketch,
    spoken: &Spoken,
) -> Result<ConnectionView, Problem> {
    let stored = sketch.stored;
    let words = spoken.words(service.texts_of(&stored.digest).await?);
    let (paused_reason, paused_why) = words.told(stored.state.reason().cloned());
    let counts = service.queue().counts(&stored.tenant, &stored.id).await;
    let counts = counts.map_err(Error::from)?;
    Ok(ConnectionView {
        running: (under_way.of(&stored.tenant, &stored.id)).map(RunningView::from),
        last_run: sketch.last_run.map(|run| RunView::new(run, &words)),
        waiting: counts.ready + counts.later,
        dead: counts.dead,
        given_up_webhooks: sketch.given_up_webhooks,
        failed_records: sketch.failed_records,
        open_questions: sketch.open_questions,
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
        maintenance: sketch.maintenance.map(MaintenanceView::from),
        paused_reason,
        paused_why,
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
    spoken: &Spoken,
) -> Result<ConnectionView, Problem> {
    let (owner, connection) = (tenant.clone(), id.clone());
    let under_way = service.under_way();
    let found = service
        .control()
        .read(move |db| {
            let stored = connections::get(db, &owner, &connection)?;
            let stored = stored.ok_or_else(|| not_found(What::Connection, &connection))?;
            sketch(db, stored)
        })
        .await?;
    fill(service, &under_way, found, spoken).await
}

async fn show_page(
    service: &Service,
    under_way: &UnderWay,
    page: Page<Sketch>,
    spoken: &Spoken,
) -> Reply<Page<ConnectionView>> {
    let mut items = Vec::with_capacity(page.items.len());
    for sketch in page.items {
        items.push(fill(service, under_way, sketch, spoken).await?);
    }
    let next = page.next;
    reply(Page { items, next })
}

/// Refuses members that are given by who may not decide what the host allows a connector beyond the
/// defaults: that is the platform's matter, and tenants share what it costs.
fn only_platform(caller: &Caller, members: [(&'static str, bool); 3]) -> Result<(), Problem> {
    let given = members.into_iter().filter(|(_, given)| *given);
    let scope = Scope::Platform;
    let refused: Vec<_> = given
        .map(|(path, _)| Refused::rule(path, "scope", scope.name()))
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    let lacking = caller.require(scope);
    lacking.map_err(|problem| refused.into_iter().fold(problem, Problem::refusing))
}

async fn answer<S>(service: &Service, access: &ToConnection<S>) -> Reply<ConnectionView> {
    let spoken = &access.spoken;
    reply(show(service, &access.tenant, &access.connection, spoken).await?)
}

/// The connections of a tenant, ordered by identifier.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections", tag = "connections",
    params(ConnectionFilter, PageQuery),
    responses((status = 200, description = "Connections", body = Page<ConnectionView>)))]
pub async fn list_connections(
    State(service): State<Service>,
    access: ToTenant<Read>,
    Query(filter): Query<ConnectionFilter>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<ConnectionView>> {
    let after: Option<ConnectionId> = page::place(query.after.as_deref())?;
    let limit = query.limit;
    let under_way = service.under_way();
    let rows = service
        .control()
        .read(move |db| {
            let wanted = Wanted {
                tenant: Some(&access.tenant),
                state: filter.state.map(ConnectionState::name),
                text: filter.q.as_deref(),
                after: after.as_ref().map(|id| (&access.tenant, id)),
                limit: page::rows(limit),
                ..Wanted::default()
            };
            sketches(db, wanted)
        })
        .await?;
    let page = page::page(limit, rows, |one| one.stored.id.clone(), |one| one);
    show_page(&service, &under_way, page, &access.spoken).await
}

/// The connections of all tenants, ordered by tenant and identifier, for tokens that are not limited to
/// one.
#[utoipa::path(get, path = "/v1/connections", tag = "connections",
    params(ConnectionFilter, OfVersion, PageQuery),
    responses((status = 200, description = "Connections", body = Page<ConnectionView>)))]
pub async fn list_all_connections(
    State(service): State<Service>,
    access: Access<Read>,
    Query(filter): Query<ConnectionFilter>,
    Query(of): Query<OfVersion>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<ConnectionView>> {
    access.caller.require_all_tenants()?;
    let after: Option<(TenantId, ConnectionId)> = page::place(query.after.as_deref())?;
    let limit = query.limit;
    let under_way = service.under_way();
    let rows = service
        .control()
        .read(move |db| {
            let wanted = Wanted {
                tenant: None,
                connector: of.connector.as_deref(),
                digest: of.digest.as_deref(),
                state: filter.state.map(ConnectionState::name),
                text: filter.q.as_deref(),
                after: after.as_ref().map(|(tenant, id)| (tenant, id)),
                limit: page::rows(limit),
            };
            sketches(db, wanted)
        })
        .await?;
    let place = |one: &Sketch| (one.stored.tenant.clone(), one.stored.id.clone());
    let page = page::page(limit, rows, place, |one| one);
    show_page(&service, &under_way, page, &access.spoken).await
}

/// Creates a connection, which is off until it is switched on.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/connections", tag = "connections",
    request_body = NewConnectionBody,
    responses((status = 201, description = "The new connection", body = ConnectionView)))]
pub async fn create_connection(
    State(service): State<Service>,
    access: ToTenant<Manage>,
    Json(body): Json<NewConnectionBody>,
) -> Created<ConnectionView> {
    let members = [
        ("/grants", !body.grants.is_empty()),
        ("/no_budget", body.no_budget),
        ("/limits", !body.limits.0.is_empty()),
    ];
    only_platform(&access.caller, members)?;
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
    created(show(&service, tenant, &id, &access.spoken).await?)
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

/// Changes the title, hours, grants, budget or limits of a connection.
#[utoipa::path(patch, path = "/v1/tenants/{tenant}/connections/{connection}", tag = "connections",
    request_body = ConnectionChangeBody,
    responses((status = 200, description = "The connection as it is now", body = ConnectionView)))]
pub async fn change_connection(
    State(service): State<Service>,
    access: ToConnection<Manage>,
    Json(body): Json<ConnectionChangeBody>,
) -> Reply<ConnectionView> {
    let members = [
        ("/grants", body.grants.is_some()),
        ("/no_budget", body.no_budget.is_some()),
        ("/limits", body.limits.is_some()),
    ];
    only_platform(&access.caller, members)?;
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

/// Removes a connection that is off, with everything that it kept.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/connections/{connection}",
    tag = "connections", responses((status = 204, description = "It is removed")))]
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
    responses((status = 200, description = "They are accepted", body = Account)))]
pub async fn check_connection(
    State(service): State<Service>,
    access: ToConnection<Manage>,
) -> Reply<Account> {
    let checked = service.check(&access.tenant, &access.connection).await;
    let account =
        checked.map_err(|error| Problem::from(error).known_as("refused", "check_failed"))?;
    let words = access.words(&service).await?;
    reply(Account {
        account: account.name,
        notes: (account.notes.into_iter())
            .map(|why| WarningView::new(why, &words))
            .collect(),
    })
}

/// Switches a connection on: its webhooks get a new address, and its jobs run on their schedules.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/connections/{connection}/enable",
    tag = "connections",
    responses((status = 200, description = "The connection", body = ConnectionView)))]
pub async fn enable_connection(
    State(service): State<Service>,
    access: ToConnection<Operate>,
) -> Reply<ConnectionView> {
    let (tenant, connection) = (&access.tenant, &access.connection);
    let enabled = service.enable(access.actor(), tenant, connection).await;
    enabled.map_err(unfit)?;
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

/// Gives the connection's webhooks a new address; the old one stops working.
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
