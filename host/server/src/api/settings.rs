//! What an admin gives a connection: settings, credentials and schedules.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tenon_host::Secret;
use tenon_host::reason::Reason;
use utoipa::ToSchema;

use super::access::{Manage, Read, ToConnection};
use super::extract::{Json, Path};
use super::problem::{Problem, ProblemBody};
use super::{Reply, reply};
use crate::belonging::Belongs;
use crate::control::connections::Stored;
use crate::control::{credentials, schedules};
use crate::service::{Error, Service};
use crate::vault;

/// The settings of a connection, as the schema of its connector's manifest describes them.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct Settings(Map<String, Value>);

/// A credential that is stored. Nobody can read its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Credential)]
pub struct CredentialView {
    /// Its name in the connector's manifest.
    name: String,
    /// When it was stored.
    changed_at: Timestamp,
    /// Whether the settings lead to another address than when it was stored: it is not sent there, and
    /// has to be stored again.
    again: bool,
}

/// The credentials that are stored.
#[derive(Serialize, ToSchema)]
#[schema(as = Credentials)]
pub struct CredentialsView {
    /// By name.
    items: Vec<CredentialView>,
}

/// A credential to store.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// The secret, such as an API key, or `login:password`.
    #[schema(min_length = 1, max_length = 10_000, write_only)]
    secret: String,
}

/// The credential of a path.
#[derive(Deserialize)]
pub struct CredentialPath {
    credential: String,
}

/// The choice of a path.
#[derive(Deserialize)]
pub struct OptionPath {
    option: String,
}

/// Values that the counterpart offers for a setting.
#[derive(Serialize, ToSchema)]
pub struct Choices {
    /// In the counterpart's order.
    items: Vec<Choice>,
}

/// A value for a setting.
#[derive(Serialize, ToSchema)]
pub struct Choice {
    /// What to put into the settings.
    value: String,
    /// What people see.
    label: String,
}

/// The schedules of a connection.
#[derive(Serialize, ToSchema)]
#[schema(as = Schedules)]
pub struct SchedulesView {
    /// In the manifest's order.
    items: Vec<ScheduleView>,
}

/// When a job runs.
#[derive(Serialize, ToSchema)]
#[schema(as = Schedule)]
pub struct ScheduleView {
    /// The job.
    job: String,
    /// Its title by language.
    title: BTreeMap<String, String>,
    /// Its cron expression in the tenant's time zone; null when it runs only on request.
    cron: Option<String>,
    /// The manifest's cron expression.
    default_cron: Option<String>,
    /// When it runs next; null while the connection is off.
    next_at: Option<Timestamp>,
}

/// Schedules by job: a cron expression of five fields, or null to run only on request. A job that is
/// absent has the manifest's schedule.
#[derive(Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = BTreeMap<String, Option<String>>)]
pub struct SchedulesBody(BTreeMap<String, Option<String>>);

type WithTag = ([(HeaderName, String); 1], axum::Json<Settings>);

fn with_tag(revision: u64, settings: Settings) -> WithTag {
    ([(ETAG, format!("\"{revision}\""))], axum::Json(settings))
}

fn object(settings: Value) -> Settings {
    match settings {
        Value::Object(members) => Settings(members),
        _ => Settings(Map::new()),
    }
}

/// The settings of a connection.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}/settings",
    tag = "settings",
    responses((status = 200, description = "The settings", body = Settings,
        headers(("etag" = String, description = "The revision of the settings.")))))]
pub async fn get_settings(access: ToConnection<Read>) -> WithTag {
    let stored = access.stored;
    with_tag(stored.revision, object(stored.settings))
}

/// Replaces the settings of a connection. While it is off, required ones may still be missing.
#[utoipa::path(put, path = "/v1/tenants/{tenant}/connections/{connection}/settings",
    tag = "settings", request_body = Settings,
    params(("if-match" = String, Header,
        description = "The `ETag` of the settings that were read.", max_length = 100)),
    responses(
        (status = 200, description = "The settings as they are now", body = Settings,
            headers(("etag" = String, description = "The revision of the settings."))),
        (status = 412, description = "`etag_mismatch`: they were changed meanwhile",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 428, description = "`etag_missing`: there is no `If-Match`",
            body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub async fn put_settings(
    State(service): State<Service>,
    access: ToConnection<Manage>,
    headers: HeaderMap,
    Json(body): Json<Settings>,
) -> Result<WithTag, Problem> {
    let expected = headers.get(IF_MATCH);
    let expected = expected.ok_or_else(|| Problem::new("etag_missing"))?;
    let present = access.stored.revision;
    let revision = match expected.to_str().unwrap_or_default().trim() {
        "*" => present,
        // A proxy that compresses answers makes their tags weak.
        tag => (tag.strip_prefix("W/").unwrap_or(tag))
            .strip_prefix('"')
            .and_then(|tag| tag.strip_suffix('"'))
            .and_then(|tag| tag.parse().ok())
            .ok_or(Error::Changed { revision: present })?,
    };
    let settings = Value::Object(body.0);
    let actor = access.caller.name();
    let put = service
        .put_settings(actor, access.stored, revision, settings.clone())
        .await;
    let revision = put.map_err(unfit)?;
    Ok(with_tag(revision, object(settings)))
}

/// Why settings do not fit their connector, or what else went wrong.
pub fn unfit(error: Error) -> Problem {
    Problem::from(error).known_as("invalid", "settings_invalid")
}

/// Values that the counterpart offers for a setting.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}/choices/{option}",
    tag = "settings",
    responses(
        (status = 200, description = "The values", body = Choices),
        (status = 422, description = "The counterpart or the connector refused",
            body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub async fn list_choices(
    State(service): State<Service>,
    access: ToConnection<Manage>,
    Path(path): Path<OptionPath>,
) -> Reply<Choices> {
    let choices = service
        .choices(&access.tenant, &access.connection, &path.option)
        .await?;
    let choices = choices.into_iter();
    reply(Choices {
        items: choices
            .map(|(value, label)| Choice { value, label })
            .collect(),
    })
}

/// The credentials that are stored, without their secrets.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}/credentials",
    tag = "settings",
    responses((status = 200, description = "The credentials", body = CredentialsView)))]
pub async fn list_credentials(
    State(service): State<Service>,
    access: ToConnection<Read>,
) -> Reply<CredentialsView> {
    let Stored {
        settings, digest, ..
    } = access.stored;
    let listed = service
        .control()
        .read(move |db| {
            let listed = credentials::list(db, &access.tenant);
            let listed = listed.map_err(crate::control::Failure::new)?;
            let own = listed.into_iter();
            let own = own.filter(|one| one.connection == access.connection.as_str());
            Ok::<_, Problem>(own.collect::<Vec<_>>())
        })
        .await?;
    let manifest = &service.connector(&digest).await?.manifest;
    let items = listed.into_iter().map(|credential| {
        let wanted = Belongs::of(manifest, &settings, &credential.name);
        CredentialView {
            again: (credential.belongs).is_some_and(|belongs| !belongs.covers(&wanted)),
            name: credential.name,
            changed_at: credential.changed_at,
        }
    });
    reply(CredentialsView {
        items: items.collect(),
    })
}

/// Stores a credential; one that is there is replaced.
#[utoipa::path(put,
    path = "/v1/tenants/{tenant}/connections/{connection}/credentials/{credential}",
    tag = "settings", request_body = NewSecret,
    responses((status = 204, description = "It is stored")))]
pub async fn put_credential(
    State(service): State<Service>,
    access: ToConnection<Manage>,
    Path(path): Path<CredentialPath>,
    Json(body): Json<NewSecret>,
) -> Result<StatusCode, Problem> {
    if body.secret.contains(['\r', '\n', '\0']) {
        let reason = Reason::new("server.secret-of-several-lines");
        return Err(Error::invalid("/secret", reason).into());
    }
    if vault::is_placeholder(&body.secret) {
        let reason = Reason::new("server.secret-placeholder");
        return Err(Error::invalid("/secret", reason).into());
    }
    let (tenant, connection) = (&access.tenant, &access.connection);
    let secret = Secret::new(body.secret);
    service
        .put_credential(access.actor(), tenant, connection, &path.credential, secret)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a credential.
#[utoipa::path(delete,
    path = "/v1/tenants/{tenant}/connections/{connection}/credentials/{credential}",
    tag = "settings", responses((status = 204, description = "It is removed")))]
pub async fn delete_credential(
    State(service): State<Service>,
    access: ToConnection<Manage>,
    Path(path): Path<CredentialPath>,
) -> Result<StatusCode, Problem> {
    let (tenant, connection) = (&access.tenant, &access.connection);
    service
        .remove_credential(access.actor(), tenant, connection, &path.credential)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// When each job of a connection runs.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}/schedules",
    tag = "settings",
    responses((status = 200, description = "The schedules", body = SchedulesView)))]
pub async fn get_schedules(
    State(service): State<Service>,
    access: ToConnection<Read>,
) -> Reply<SchedulesView> {
    show_schedules(&service, access.stored).await
}

/// Replaces the schedules of a connection.
#[utoipa::path(put, path = "/v1/tenants/{tenant}/connections/{connection}/schedules",
    tag = "settings", request_body = SchedulesBody,
    responses((status = 200, description = "The schedules as they are now",
        body = SchedulesView)))]
pub async fn put_schedules(
    State(service): State<Service>,
    access: ToConnection<Manage>,
    Json(body): Json<SchedulesBody>,
) -> Reply<SchedulesView> {
    let (tenant, connection) = (&access.tenant, &access.connection);
    service
        .put_schedules(access.actor(), tenant, connection, body.0)
        .await?;
    let stored = service.stored(tenant, connection).await?;
    show_schedules(&service, stored).await
}

async fn show_schedules(service: &Service, stored: Stored) -> Reply<SchedulesView> {
    let connector = service.connector(&stored.digest).await?;
    let (tenant, connection) = (stored.tenant, stored.id);
    let mut planned = service
        .control()
        .read(move |db| Ok::<_, Problem>(schedules::of(db, &tenant, &connection)?))
        .await?;
    let items = connector.manifest.jobs.iter().map(|job| {
        let titles = serde_json::to_value(&job.title).and_then(serde_json::from_value);
        let given = stored.schedules.get(&job.id).cloned();
        ScheduleView {
            job: job.id.clone(),
            title: titles.unwrap_or_default(),
            cron: given.unwrap_or_else(|| job.schedule.clone()),
            default_cron: job.schedule.clone(),
            next_at: planned.remove(&job.id).map(|(_, next)| next),
        }
    });
    reply(SchedulesView {
        items: items.collect(),
    })
}
