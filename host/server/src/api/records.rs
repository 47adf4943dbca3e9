//! `/v1/tenants/{tenant}/records` and `/events`: the platform's side of a tenant.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenon_erp::{EmbeddedErp, Kind};
use tenon_host::RecordRef;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::model::RecordKind;
use utoipa::{IntoParams, ToSchema};

use super::access::{Manage, Operate, Read, ToTenant};
use super::extract::{Json, Path, Query};
use super::page::{self, Page, PageQuery};
use super::problem::{Problem, not_found};
use super::{Reply, reply};
use crate::control::Failure;
use crate::control::search::Sought;
use crate::service::{Error, Event, Service, What};

/// Which records are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RecordFilter {
    /// The one with this key.
    #[param(min_length = 1, max_length = 500, nullable = false)]
    key: Option<String>,
    /// With this in the key, number, name, SKU, code, origin, product, warehouse, a phone or an email,
    /// ignoring case.
    #[param(min_length = 1, max_length = 200, nullable = false)]
    q: Option<String>,
}

/// A record of the embedded ERP.
#[derive(Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct Record(Value);

/// The kind of a path.
#[derive(Deserialize)]
pub struct KindPath {
    kind: String,
}

/// Names a record of the platform.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordName {
    /// Kind of record.
    #[schema(value_type = String, pattern = "^(product|category|stock|partner|order|warehouse)$")]
    pub kind: RecordKind,
    /// Its key.
    #[schema(min_length = 1, max_length = 500)]
    pub key: String,
}

/// Something that happened on the platform.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = Event)]
pub enum EventBody {
    /// Records changed.
    Changed {
        /// Which.
        #[schema(min_items = 1, max_items = 10_000)]
        records: Vec<RecordName>,
    },
    /// A button of a connector was pressed.
    Pressed {
        /// The connection.
        #[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
        connection: ConnectionId,
        /// Its action.
        #[schema(pattern = "^[a-z0-9][a-z0-9_-]{0,62}$")]
        action: String,
        /// The record.
        target: RecordName,
    },
    /// Somebody is looking at a record, such as a customer at their account.
    Visited {
        /// The record.
        record: RecordName,
    },
}

/// How many runs were requested.
#[derive(Serialize, ToSchema)]
pub struct Asked {
    /// How many.
    requests: u64,
}

impl From<RecordName> for RecordRef {
    fn from(name: RecordName) -> Self {
        RecordRef {
            kind: name.kind,
            key: name.key,
        }
    }
}

impl From<RecordRef> for RecordName {
    fn from(record: RecordRef) -> Self {
        RecordName {
            kind: record.kind,
            key: record.key,
        }
    }
}

impl From<EventBody> for Event {
    fn from(event: EventBody) -> Self {
        match event {
            EventBody::Changed { records } => Event::Changed {
                records: records.into_iter().map(RecordRef::from).collect(),
            },
            EventBody::Pressed {
                connection,
                action,
                target,
            } => Event::Pressed {
                connection,
                action,
                target: target.into(),
            },
            EventBody::Visited { record } => Event::Visited {
                record: record.into(),
            },
        }
    }
}

/// Tells the tenant's connections what happened on the platform.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/events", tag = "work", request_body = EventBody,
    responses((status = 202, description = "The runs that this calls for are requested",
        body = Asked)))]
pub async fn tell_event(
    State(service): State<Service>,
    access: ToTenant<Operate>,
    Json(body): Json<EventBody>,
) -> Result<(StatusCode, axum::Json<Asked>), Problem> {
    let (actor, tenant) = (access.actor(), &access.tenant);
    let requests = service.event(actor, tenant, body.into()).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(Asked { requests })))
}

/// Records of the embedded ERP.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/records/{kind}", tag = "records",
    params(RecordFilter, PageQuery),
    responses((status = 200, description = "Records", body = Page<Record>)))]
pub async fn list_records(
    State(service): State<Service>,
    access: ToTenant<Read>,
    Path(path): Path<KindPath>,
    Query(filter): Query<RecordFilter>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<Record>> {
    let erp = service.erp().cloned();
    let erp = erp.ok_or_else(|| Problem::new("no_embedded_erp"))?;
    let kind: Kind = (path.kind.parse()).map_err(|_| not_found(What::Kind, &path.kind))?;
    let after: Option<String> = page::place(query.after.as_deref())?;
    let tenant = access.tenant;
    let limit = query.limit.unwrap_or(page::USUAL);
    let read = move || match (&filter.key, &filter.q) {
        (Some(key), _) => with_key(&erp, &tenant, kind, key),
        (None, Some(text)) => with_text(&erp, &tenant, kind, text, after, limit),
        (None, None) => {
            let page = erp.page(&tenant, kind, after.as_deref(), limit)?;
            Ok((page.records, page.next))
        }
    };
    let (records, next) = match tokio::task::spawn_blocking(read).await {
        Ok(Ok(found)) => found,
        // Nothing was written for the tenant yet.
        Ok(Err(tenon_erp::Error::NoTenant(_))) => (Vec::new(), None),
        Ok(Err(error)) => return Err(Error::from(error).into()),
        Err(panic) => return Err(Failure::new(panic).into()),
    };
    reply(Page {
        items: records.into_iter().map(Record).collect(),
        next: next.map(|place| page::cursor(&place)),
    })
}

/// What a load did.
#[derive(Serialize, ToSchema)]
pub struct LoadedView {
    /// New records.
    #[schema(minimum = 0)]
    created: u64,
    /// Changed records.
    #[schema(minimum = 0)]
    updated: u64,
    /// Records that were right already.
    #[schema(minimum = 0)]
    unchanged: u64,
}

/// Puts records into the embedded ERP: all, or none when one is bad.
///
/// A record with a key keeps it, created or replaced; without one it is known by its origin; without
/// both it is new.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/records/{kind}", tag = "records",
    extensions(("x-most-bytes" = json!(MOST_BYTES))),
    request_body = Vec<Record>,
    responses((status = 200, description = "They are there", body = LoadedView)))]
pub async fn load_records(
    State(service): State<Service>,
    access: ToTenant<Manage>,
    Path(path): Path<KindPath>,
    Json(body): Json<Vec<Value>>,
) -> Reply<LoadedView> {
    if service.erp().is_none() {
        return Err(Problem::new("no_embedded_erp"));
    }
    let kind: Kind = (path.kind.parse()).map_err(|_| not_found(What::Kind, &path.kind))?;
    let (actor, tenant) = (access.actor(), &access.tenant);
    let loaded = service.load_records(actor, tenant, kind, body).await?;
    reply(LoadedView {
        created: loaded.created,
        updated: loaded.updated,
        unchanged: loaded.unchanged,
    })
}

/// Most bytes of records that are put in at one time.
const MOST_BYTES: u32 = 32 << 20;

/// What people know a record by, whatever its kind.
const NAMES: [&str; 10] = [
    "key",
    "number",
    "name",
    "sku",
    "code",
    "origin",
    "product",
    "warehouse",
    "phones",
    "emails",
];

fn names(record: &Value) -> Vec<&str> {
    let named = NAMES.iter().flat_map(|name| match &record[*name] {
        Value::Array(several) => several.as_slice(),
        one => std::slice::from_ref(one),
    });
    named.filter_map(Value::as_str).collect()
}

/// Records with a text in one of their names, looked for a page at a time until there are enough, and
/// the place of the last one.
fn with_text(
    erp: &EmbeddedErp,
    tenant: &TenantId,
    kind: Kind,
    text: &str,
    mut after: Option<String>,
    limit: u32,
) -> Result<(Vec<Value>, Option<String>), tenon_erp::Error> {
    const AT_ONCE: u32 = 500;
    let sought = Sought::new(Some(text));
    let mut found = Vec::new();
    loop {
        let page = erp.page(tenant, kind, after.as_deref(), AT_ONCE)?;
        for (place, record) in (1..).zip(page.records) {
            if !sought.is_in(&names(&record)) {
                continue;
            }
            found.push(record);
            if found.len() == limit as usize {
                // Where a page ends that has this record as its last.
                let page = erp.page(tenant, kind, after.as_deref(), place)?;
                return Ok((found, page.next));
            }
        }
        after = match page.next {
            Some(next) => Some(next),
            None => return Ok((found, None)),
        };
    }
}

fn with_key(
    erp: &EmbeddedErp,
    tenant: &TenantId,
    kind: Kind,
    key: &str,
) -> Result<(Vec<Value>, Option<String>), tenon_erp::Error> {
    for record in erp.records(tenant, kind)? {
        let record = record?;
        if record["key"] == key {
            return Ok((vec![record], None));
        }
    }
    Ok((Vec::new(), None))
}
