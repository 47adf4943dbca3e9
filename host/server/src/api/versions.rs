//! `/v1/connectors` and `/v1/versions`: the components that are installed.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenon_host::HostPattern;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::reason::Reason;
use utoipa::ToSchema;

use super::access::{Access, Caller, Platform, Read};
use super::checks::CheckedJson;
use super::extract::{Json, Path, Query, unreadable};
use super::page::{self, Page, PageQuery};
use super::problem::{Problem, Refused, not_found};
use super::words::Why;
use super::{Created, Reply, created, reply};
use crate::control::versions::{self, Version};
use crate::service::{Component, Error, Service, What, Which};

/// The header with the minisign signature of a component that is sent.
const SIGNATURE: &str = "tenon-signature";

/// A connector of which a version is installed.
#[derive(Serialize, ToSchema)]
#[schema(as = Connector)]
pub struct ConnectorView {
    /// Its name.
    name: String,
    /// Its title by language.
    title: BTreeMap<String, String>,
    /// Its versions, newest first.
    versions: Vec<VersionOfConnector>,
    /// The version that new connections run.
    current: String,
    /// The hosts that its connections may go to; null for any.
    hosts: Option<Vec<String>>,
}

/// The hosts that connections of a connector may go to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConnectorHosts)]
pub struct HostsBody {
    /// `api.example.com`; `*.example.com` for all names below it; with `:PORT` at that port alone. Null
    /// for any host.
    #[schema(required = true, max_items = 100)]
    hosts: Option<Vec<HostText>>,
}

/// Names hosts.
#[derive(Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, min_length = 1, max_length = 300)]
pub struct HostText(String);

/// A version of a connector.
#[derive(Serialize, ToSchema)]
pub struct VersionOfConnector {
    /// SHA-256 of the component.
    digest: String,
    /// The version in its manifest.
    version: String,
    /// When it was installed.
    installed_at: Timestamp,
}

/// An installed version of a connector.
#[derive(Serialize, ToSchema)]
#[schema(as = Version)]
pub struct VersionView {
    /// SHA-256 of the component.
    digest: String,
    /// Name of the connector.
    connector: String,
    /// The version in its manifest.
    version: String,
    /// Size of the component in bytes.
    size: u64,
    /// When it was installed.
    installed_at: Timestamp,
    /// Where it came from; shown only to tokens of the platform.
    source: Option<String>,
    /// The trusted key that signed it.
    signed_by: Option<String>,
    /// What the component says about itself: settings schema, credentials, endpoints, jobs, actions.
    #[schema(value_type = Object)]
    manifest: Value,
    /// Interfaces that it imports.
    imports: Vec<String>,
}

/// Where a component is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ComponentSource)]
pub struct SourceBody {
    /// A file or folder on the server, or `oci://registry.example/name:tag`.
    #[schema(min_length = 1, max_length = 2000)]
    source: String,
}

/// Which connections move to a version: exactly one member.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Upgrade, min_properties = 1, max_properties = 1)]
pub struct UpgradeBody {
    /// `true` for all connections of the connector.
    #[schema(nullable = false)]
    all: Option<bool>,
    /// All of these tenants.
    #[schema(required = false, nullable = false, max_items = 10_000)]
    tenants: Option<Vec<TenantName>>,
    /// These connections.
    #[schema(required = false, nullable = false, max_items = 10_000)]
    connections: Option<Vec<ConnectionName>>,
}

/// Names a tenant.
#[derive(Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
pub struct TenantName(TenantId);

/// Names a connection.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionName {
    /// The tenant.
    #[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
    tenant: TenantId,
    /// The connection.
    #[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
    connection: ConnectionId,
}

/// What came of moving connections.
#[derive(Serialize, ToSchema)]
#[schema(as = Upgraded)]
pub struct UpgradedView {
    /// How many run the version now.
    upgraded: u64,
    /// Those that stay on their version.
    failed: Vec<NotUpgraded>,
}

/// A connection that was not moved.
#[derive(Serialize, ToSchema)]
pub struct NotUpgraded {
    /// The tenant.
    #[schema(value_type = String)]
    tenant: TenantId,
    /// The connection.
    #[schema(value_type = String)]
    connection: ConnectionId,
    /// Why.
    reason: String,
    /// The same for programs and for who is to mend it.
    why: Option<Why>,
}

/// The connector of a path.
#[derive(Deserialize)]
pub struct ConnectorPath {
    connector: String,
}

/// The version of a path.
#[derive(Deserialize)]
pub struct DigestPath {
    digest: String,
}

fn show(version: Version, caller: &Caller) -> VersionView {
    VersionView {
        digest: version.digest,
        connector: version.connector,
        version: version.version,
        size: version.size,
        installed_at: version.installed_at,
        source: caller.0.tenant.is_none().then_some(version.source),
        signed_by: version.signed_by,
        manifest: version.manifest,
        imports: version.imports,
    }
}

async fn find(service: &Service, digest: &str) -> Result<Version, Problem> {
    let digest = digest.to_owned();
    service
        .control()
        .read(move |db| {
            versions::get(db, &digest)?.ok_or_else(|| not_found(What::Version, &digest))
        })
        .await
}

/// The connectors, ordered by name.
#[utoipa::path(get, path = "/v1/connectors", tag = "versions", params(PageQuery),
    responses((status = 200, description = "Connectors", body = Page<ConnectorView>)))]
pub async fn list_connectors(
    State(service): State<Service>,
    _: Access<Read>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<ConnectorView>> {
    let after: Option<String> = page::place(query.after.as_deref())?;
    let rows = service
        .control()
        .read(move |db| {
            let names = versions::connectors(db, after.as_deref(), page::rows(query.limit))?;
            let looked = names.into_iter().map(|name| look_at(db, name));
            looked.collect::<Result<Vec<_>, _>>()
        })
        .await?;
    reply(page::page(
        query.limit,
        rows,
        |one| one.name.clone(),
        |one| one,
    ))
}

/// Fixes the hosts that connections of a connector may go to, whatever their settings say. It holds
/// from the next run of each connection on; one that would go elsewhere is paused.
#[utoipa::path(put, path = "/v1/connectors/{connector}/hosts", tag = "versions",
    request_body = HostsBody,
    responses((status = 200, description = "The connector", body = ConnectorView)))]
pub async fn put_hosts(
    State(service): State<Service>,
    access: Access<Platform>,
    Path(path): Path<ConnectorPath>,
    Json(body): Json<HostsBody>,
) -> Reply<ConnectorView> {
    let read = |(number, text): (usize, HostText)| {
        text.0.parse::<HostPattern>().map_err(|error| {
            let reason = Reason::new("server.not-a-host").arg("text", &text.0);
            Error::invalid(format!("/hosts/{number}"), reason.detail(error))
        })
    };
    let hosts = body
        .hosts
        .map(|hosts| hosts.into_iter().enumerate().map(read).collect());
    service
        .fix_hosts(access.actor(), &path.connector, hosts.transpose()?)
        .await?;
    let name = path.connector;
    let shown = service.control().read(move |db| look_at(db, name)).await?;
    reply(shown)
}

fn look_at(db: &Connection, name: String) -> Result<ConnectorView, Problem> {
    let versions = versions::of_connector(db, &name)?;
    let hosts = versions::hosts(db, &name)?;
    let newest = versions.first();
    let title = newest.and_then(|version| version.manifest["title"].as_object());
    let title = title
        .into_iter()
        .flatten()
        .filter_map(|(language, text)| Some((language.clone(), text.as_str()?.to_owned())));
    Ok(ConnectorView {
        name,
        hosts: hosts.map(|hosts| hosts.iter().map(HostPattern::to_string).collect()),
        title: title.collect(),
        current: newest
            .map(|version| version.digest.clone())
            .unwrap_or_default(),
        versions: (versions.into_iter())
            .map(|version| VersionOfConnector {
                digest: version.digest,
                version: version.version,
                installed_at: version.installed_at,
            })
            .collect(),
    })
}

/// The installed versions, newest first.
#[utoipa::path(get, path = "/v1/versions", tag = "versions", params(PageQuery),
    responses((status = 200, description = "Versions", body = Page<VersionView>)))]
pub async fn list_versions(
    State(service): State<Service>,
    access: Access<Read>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<VersionView>> {
    let after: Option<versions::Place> = page::place(query.after.as_deref())?;
    let rows = service
        .control()
        .read(move |db| {
            Ok::<_, Problem>(versions::list(db, after.as_ref(), page::rows(query.limit))?)
        })
        .await?;
    reply(page::page(
        query.limit,
        rows,
        |version| (version.installed_at, version.digest.clone()),
        |version| show(version, &access.caller),
    ))
}

/// Installs a component that is sent or fetched. One that is installed already stays as it is.
#[utoipa::path(post, path = "/v1/versions", tag = "versions",
    params(("tenon-signature" = Option<String>, Header,
        description = "The minisign signature file of the component that is sent, in base64.",
        max_length = 4000, pattern = "^[A-Za-z0-9+/=]+$", nullable = false)),
    request_body(content((SourceBody = "application/json"), (String = "application/wasm"))),
    responses((status = 201, description = "The installed version", body = VersionView)))]
pub async fn install_version(
    State(service): State<Service>,
    access: Access<Platform>,
    headers: HeaderMap,
    json: Option<axum::Extension<CheckedJson>>,
    bytes: Bytes,
) -> Created<VersionView> {
    let component = match json {
        Some(axum::Extension(CheckedJson(value))) => {
            let body: SourceBody = serde_json::from_value((*value).clone())
                .map_err(|error| Problem::refused(vec![Refused::reason("", unreadable(error))]))?;
            Component::Source(body.source)
        }
        None => Component::Bytes {
            wasm: bytes.to_vec(),
            signature: signature(&headers)?,
        },
    };
    let digest = service.install(access.actor(), component).await?;
    created(show(find(&service, &digest).await?, &access.caller))
}

fn signature(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(SIGNATURE) else {
        return Ok(None);
    };
    let text = STANDARD.decode(value).ok();
    let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
    let reason = || Reason::new("server.not-a-signature");
    text.map(Some)
        .ok_or_else(|| Error::invalid(SIGNATURE, reason()).into())
}

/// An installed version.
#[utoipa::path(get, path = "/v1/versions/{digest}", tag = "versions",
    responses((status = 200, description = "The version", body = VersionView)))]
pub async fn get_version(
    State(service): State<Service>,
    access: Access<Read>,
    Path(path): Path<DigestPath>,
) -> Reply<VersionView> {
    reply(show(find(&service, &path.digest).await?, &access.caller))
}

/// Removes a version that no connection runs. Connections that could roll back to it no longer can.
#[utoipa::path(delete, path = "/v1/versions/{digest}", tag = "versions",
    responses((status = 204, description = "It is removed")))]
pub async fn delete_version(
    State(service): State<Service>,
    access: Access<Platform>,
    Path(path): Path<DigestPath>,
) -> Result<StatusCode, Problem> {
    service.remove_version(access.actor(), &path.digest).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Moves connections of the connector to this version.
#[utoipa::path(post, path = "/v1/versions/{digest}/upgrade", tag = "versions",
    request_body = UpgradeBody,
    responses((status = 200, description = "What came of it", body = UpgradedView)))]
pub async fn upgrade_many(
    State(service): State<Service>,
    access: Access<Platform>,
    Path(path): Path<DigestPath>,
    Json(body): Json<UpgradeBody>,
) -> Reply<UpgradedView> {
    let which = match body {
        UpgradeBody {
            tenants: Some(tenants),
            ..
        } => Which::Tenants(tenants.into_iter().map(|name| name.0).collect()),
        UpgradeBody {
            connections: Some(connections),
            ..
        } => {
            let names = connections.into_iter();
            Which::Connections(names.map(|name| (name.tenant, name.connection)).collect())
        }
        UpgradeBody {
            all: Some(true), ..
        } => Which::All,
        UpgradeBody { .. } => {
            let reason = Reason::new("server.name-connections");
            return Err(Error::invalid("/all", reason).into());
        }
    };
    let done = service
        .upgrade_many(access.actor(), &path.digest, which)
        .await?;
    let failed = done.failed.into_iter();
    let words = access.spoken.words(Arc::clone(service.texts()));
    reply(UpgradedView {
        upgraded: done.upgraded,
        failed: failed
            .map(|(tenant, connection, told)| {
                let (reason, why) = words.told(Some(told));
                NotUpgraded {
                    tenant,
                    connection,
                    reason: reason.unwrap_or_default(),
                    why,
                }
            })
            .collect(),
    })
}
