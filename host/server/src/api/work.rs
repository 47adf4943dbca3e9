//! What a connection is asked to do, and what became of it: jobs, actions, requests and the records
//! that failed.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tenon_host::Cause;
use tenon_host::reason::Reason;
use tenon_host::report::Subject;
use utoipa::{IntoParams, ToSchema};

use super::access::{Operate, Read, ToConnection};
use super::extract::{Json, Path, Query};
use super::page::{self, Page, PageQuery};
use super::problem::{Problem, not_found};
use super::records::RecordName;
use super::runs::{RunMode, SideView};
use super::words::{Why, Words};
use super::{Reply, reply};
use crate::control::failed::{self, FailedRecord};
use crate::queue::{Priority, RequestId, State as RequestStands, Waiting};
use crate::service::{Asked, Error, Named, Service, What};

/// How a job is to run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunJob {
    /// Argument of the job.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 10_000)]
    argument: Option<String>,
    /// What the run is for.
    #[serde(default)]
    #[schema(required = false)]
    mode: RunMode,
}

/// What came of requesting a run: one of the two.
#[derive(Serialize, ToSchema)]
pub struct Requested {
    /// The new request, or an equal one that was waiting already.
    request: Option<i64>,
    /// The run that has begun: one that writes nothing, of a connection that is not on, does not wait
    /// for its turn.
    run: Option<String>,
}

/// The job of a path.
#[derive(Deserialize)]
pub struct JobPath {
    job: String,
}

/// The action of a path.
#[derive(Deserialize)]
pub struct ActionPath {
    action: String,
}

/// The request of a path.
#[derive(Deserialize)]
pub struct RequestPath {
    request: i64,
}

/// A run that was requested.
#[derive(Serialize, ToSchema)]
#[schema(as = Request)]
pub struct RequestView {
    /// Identifier.
    id: i64,
    /// The job.
    job: String,
    /// Its argument.
    argument: Option<String>,
    /// What it is for.
    mode: RunMode,
    /// Why it was requested.
    cause: CauseView,
    /// Its state.
    state: RequestState,
    /// Its priority; 0 comes first.
    priority: u8,
    /// When it became or becomes ready.
    due_at: Timestamp,
    /// How often it was tried since it last made progress.
    attempts: u32,
    /// Why the last attempt failed.
    error: Option<String>,
    /// The same for programs and for who is to mend it.
    why: Option<Why>,
    /// When it was first requested.
    created_at: Timestamp,
}

/// Why a job runs.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schema(as = Cause)]
pub enum CauseView {
    /// It was due on its schedule.
    Scheduled,
    /// A person or a program requested it.
    Asked,
    /// A button on a record was pressed.
    Action {
        /// The action.
        action: String,
        /// The record.
        target: RecordName,
    },
    /// A webhook of the counterpart called for it.
    Webhook,
    /// Records changed on the platform.
    Changed {
        /// Which.
        records: Vec<RecordName>,
    },
    /// Somebody is looking at a record.
    Visited {
        /// The record.
        record: RecordName,
    },
}

/// The state of a request.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// Runs as soon as its connection is on and idle, and a worker is free.
    Ready,
    /// Becomes ready later.
    Later,
    /// Is running.
    Running,
    /// Given up until somebody retries it.
    Dead,
}

/// Which requests are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RequestFilter {
    /// In this state.
    #[param(inline, nullable = false)]
    state: Option<RequestState>,
}

/// How many are tried again.
#[derive(Serialize, ToSchema)]
pub struct Retried {
    /// How many.
    pub retried: u64,
}

/// Whether a run was asked to stop.
#[derive(Serialize, ToSchema)]
pub struct Stopping {
    /// False when none is under way.
    stopping: bool,
}

/// A record that failed in the latest run that processed it.
#[derive(Serialize, ToSchema)]
#[schema(as = FailedRecord)]
pub struct FailedView {
    /// Kind of record, as the connector names it.
    kind: String,
    /// The side that it comes from.
    side: SideView,
    /// Its key on the platform, or its origin at the counterpart.
    id: String,
    /// Number or name that people know it by.
    label: String,
    /// What is wrong with it.
    reason: String,
    /// The same for programs and for who is to mend it.
    why: Option<Why>,
    /// The job that processed it.
    job: String,
    /// The run that processed it.
    run: String,
    /// When it failed.
    at: Timestamp,
}

/// Which failed records are to be tried again: exactly one member.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 1, max_properties = 1)]
pub struct RetryFailed {
    /// `true` for all of the connection.
    #[schema(nullable = false)]
    all: Option<bool>,
    /// These records.
    #[schema(required = false, nullable = false, min_items = 1, max_items = 1000)]
    records: Option<Vec<FailedName>>,
}

/// Names a failed record.
#[derive(Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FailedName {
    /// Kind of record.
    #[schema(min_length = 1, max_length = 200)]
    #[param(min_length = 1, max_length = 200)]
    kind: String,
    /// The side that it comes from; either where it is left out.
    #[schema(nullable = false)]
    #[param(inline, nullable = false)]
    side: Option<SideView>,
    /// Its key on the platform, or its origin at the counterpart.
    #[schema(min_length = 1, max_length = 500)]
    #[param(min_length = 1, max_length = 500)]
    id: String,
}

impl From<Cause> for CauseView {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Scheduled => CauseView::Scheduled,
            Cause::Asked => CauseView::Asked,
            Cause::Action { action, target } => CauseView::Action {
                action,
                target: target.into(),
            },
            Cause::Webhook => CauseView::Webhook,
            Cause::Changed(records) => CauseView::Changed {
                records: records.into_iter().map(RecordName::from).collect(),
            },
            Cause::Visited(record) => CauseView::Visited {
                record: record.into(),
            },
        }
    }
}

impl From<RequestState> for RequestStands {
    fn from(state: RequestState) -> Self {
        match state {
            RequestState::Ready => RequestStands::Ready,
            RequestState::Later => RequestStands::Later,
            RequestState::Running => RequestStands::Running,
            RequestState::Dead => RequestStands::Dead,
        }
    }
}

impl From<RequestStands> for RequestState {
    fn from(state: RequestStands) -> Self {
        match state {
            RequestStands::Ready => RequestState::Ready,
            RequestStands::Later => RequestState::Later,
            RequestStands::Running => RequestState::Running,
            RequestStands::Dead => RequestState::Dead,
        }
    }
}

impl RequestView {
    fn new(waiting: Waiting, words: &Words) -> Self {
        let (error, why) = words.told(waiting.error);
        RequestView {
            id: waiting.id.0,
            job: waiting.job,
            argument: waiting.argument,
            mode: waiting.mode.into(),
            cause: waiting.cause.into(),
            state: waiting.state.into(),
            priority: match waiting.priority {
                Priority::Action => 0,
                Priority::Webhook => 1,
                Priority::Schedule => 2,
                Priority::Backfill => 3,
            },
            due_at: waiting.due_at,
            attempts: waiting.attempts,
            error,
            why,
            created_at: waiting.created_at,
        }
    }
}

impl From<FailedName> for Named {
    fn from(name: FailedName) -> Self {
        let sides = match name.side {
            Some(SideView::Platform) => vec![Subject::Key(name.id)],
            Some(SideView::Counterpart) => vec![Subject::Origin(name.id)],
            None => vec![Subject::Key(name.id.clone()), Subject::Origin(name.id)],
        };
        Named {
            kind: name.kind,
            subjects: sides,
        }
    }
}

impl FailedView {
    fn new(record: FailedRecord, words: &Words) -> Self {
        let (side, id) = failed::place(&record.subject);
        let (reason, why) = words.told(Some(record.reason));
        FailedView {
            side: side.into(),
            id: id.to_owned(),
            kind: record.kind,
            label: record.label,
            reason: reason.unwrap_or_default(),
            why,
            job: record.job,
            run: record.run,
            at: record.at,
        }
    }
}

type Accepted<T> = Result<(StatusCode, axum::Json<T>), Problem>;

fn requested(asked: Asked) -> Accepted<Requested> {
    let (request, run) = match asked {
        Asked::Request(RequestId(request)) => (Some(request), None),
        Asked::Run(run) => (None, Some(run)),
    };
    let body = Requested { request, run };
    Ok((StatusCode::ACCEPTED, axum::Json(body)))
}

/// Requests a run of a job. A connection that is not on takes only runs that write nothing.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/connections/{connection}/jobs/{job}/run",
    tag = "work", request_body = RunJob,
    responses((status = 202, description = "It is requested", body = Requested)))]
pub async fn run_job(
    State(service): State<Service>,
    access: ToConnection<Operate>,
    Path(path): Path<JobPath>,
    Json(body): Json<RunJob>,
) -> Accepted<Requested> {
    let (tenant, connection) = (&access.tenant, &access.connection);
    let (job, argument, mode) = (&path.job, body.argument, body.mode.into());
    let asked = service
        .run(access.actor(), tenant, connection, job, argument, mode)
        .await?;
    requested(asked)
}

/// Runs a connector's action on a record.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/connections/{connection}/actions/{action}",
    tag = "work", request_body = RecordName,
    responses((status = 202, description = "It is requested", body = Requested)))]
pub async fn press_action(
    State(service): State<Service>,
    access: ToConnection<Operate>,
    Path(path): Path<ActionPath>,
    Json(target): Json<RecordName>,
) -> Accepted<Requested> {
    let (tenant, connection) = (&access.tenant, &access.connection);
    let (action, target) = (&path.action, target.into());
    let request = service
        .press(access.actor(), tenant, connection, action, target)
        .await?;
    requested(Asked::Request(request))
}

/// Ends the run that is under way. What its last checkpoint committed stays, the rest is undone.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/connections/{connection}/stop", tag = "work",
    responses((status = 200, description = "Whether there was one", body = Stopping)))]
pub async fn stop_run(
    State(service): State<Service>,
    access: ToConnection<Operate>,
) -> Reply<Stopping> {
    let stopping = service
        .stop_run(access.actor(), &access.tenant, &access.connection)
        .await?;
    reply(Stopping { stopping })
}

/// The requests of a connection, oldest first.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}/requests",
    tag = "work", params(RequestFilter, PageQuery),
    responses((status = 200, description = "Requests", body = Page<RequestView>)))]
pub async fn list_requests(
    State(service): State<Service>,
    access: ToConnection<Read>,
    Query(filter): Query<RequestFilter>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<RequestView>> {
    let after: Option<RequestId> = page::place(query.after.as_deref())?;
    let state = filter.state.map(RequestStands::from);
    let words = access.words(&service).await?;
    let limit = page::rows(query.limit);
    let rows = service
        .queue()
        .list(&access.tenant, &access.connection, state, after, limit)
        .await
        .map_err(Error::from)?;
    reply(page::page(
        query.limit,
        rows,
        |request| request.id,
        |request| RequestView::new(request, &words),
    ))
}

/// Retries all dead requests of a connection, and webhooks that no run came of.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/connections/{connection}/requests/retry",
    tag = "work",
    responses((status = 200, description = "How many requests and webhooks are tried again",
        body = Retried)))]
pub async fn retry_requests(
    State(service): State<Service>,
    access: ToConnection<Operate>,
) -> Reply<Retried> {
    let retried = service
        .retry_dead(access.actor(), &access.tenant, &access.connection, None)
        .await?;
    reply(Retried { retried })
}

/// Retries a dead request.
#[utoipa::path(post,
    path = "/v1/tenants/{tenant}/connections/{connection}/requests/{request}/retry",
    tag = "work",
    responses((status = 200, description = "It is tried again", body = Retried)))]
pub async fn retry_request(
    State(service): State<Service>,
    access: ToConnection<Operate>,
    Path(path): Path<RequestPath>,
) -> Reply<Retried> {
    let (tenant, connection) = (&access.tenant, &access.connection);
    let only = Some(RequestId(path.request));
    let retried = service
        .retry_dead(access.actor(), tenant, connection, only)
        .await?;
    reply(Retried { retried })
}

/// Removes a request that is not running.
#[utoipa::path(delete,
    path = "/v1/tenants/{tenant}/connections/{connection}/requests/{request}", tag = "work",
    responses((status = 204, description = "It is removed")))]
pub async fn delete_request(
    State(service): State<Service>,
    access: ToConnection<Operate>,
    Path(path): Path<RequestPath>,
) -> Result<StatusCode, Problem> {
    let (tenant, connection) = (&access.tenant, &access.connection);
    let request = RequestId(path.request);
    service
        .remove_request(access.actor(), tenant, connection, request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Records that failed in the latest run that processed them.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}/failed", tag = "work",
    params(PageQuery),
    responses((status = 200, description = "Records", body = Page<FailedView>)))]
pub async fn list_failed(
    State(service): State<Service>,
    access: ToConnection<Read>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<FailedView>> {
    let after: Option<(String, Subject)> = page::place(query.after.as_deref())?;
    let words = access.words(&service).await?;
    let rows = service
        .control()
        .read(move |db| {
            let after = (after.as_ref()).map(|(kind, subject)| (kind.as_str(), subject));
            let rows = page::rows(query.limit);
            Ok::<_, Problem>(failed::list(
                db,
                &access.tenant,
                &access.connection,
                after,
                rows,
            )?)
        })
        .await?;
    reply(page::page(
        query.limit,
        rows,
        |record| (record.kind.clone(), record.subject.clone()),
        |record| FailedView::new(record, &words),
    ))
}

/// Tries failed records again, by running the jobs that processed them.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/connections/{connection}/failed/retry",
    tag = "work", request_body = RetryFailed,
    responses((status = 202, description = "How many records are tried again", body = Retried)))]
pub async fn retry_failed(
    State(service): State<Service>,
    access: ToConnection<Operate>,
    Json(body): Json<RetryFailed>,
) -> Accepted<Retried> {
    let only = match body {
        RetryFailed {
            records: Some(records),
            ..
        } => Some(records.into_iter().map(Named::from).collect()),
        RetryFailed {
            all: Some(true), ..
        } => None,
        RetryFailed { .. } => {
            let reason = Reason::new("server.name-records");
            return Err(Error::invalid("/all", reason).into());
        }
    };
    let (tenant, connection) = (&access.tenant, &access.connection);
    let retried = service
        .retry_failed(access.actor(), tenant, connection, only)
        .await?;
    Ok((StatusCode::ACCEPTED, axum::Json(Retried { retried })))
}

/// Takes a failed record off the list without trying it again.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/connections/{connection}/failed", tag = "work",
    params(FailedName), responses((status = 204, description = "It is removed from the list")))]
pub async fn remove_failed(
    State(service): State<Service>,
    access: ToConnection<Operate>,
    Query(name): Query<FailedName>,
) -> Result<StatusCode, Problem> {
    let (tenant, connection) = (&access.tenant, &access.connection);
    service
        .remove_failed(access.actor(), tenant, connection, name.into())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A request of a connection.
#[utoipa::path(get,
    path = "/v1/tenants/{tenant}/connections/{connection}/requests/{request}", tag = "work",
    responses((status = 200, description = "The request", body = RequestView)))]
pub async fn get_request(
    State(service): State<Service>,
    access: ToConnection<Read>,
    Path(path): Path<RequestPath>,
) -> Reply<RequestView> {
    let id = RequestId(path.request);
    let found = service
        .queue()
        .get(&access.tenant, &access.connection, id)
        .await
        .map_err(Error::from)?;
    let found = found.ok_or_else(|| not_found(What::Request, path.request))?;
    reply(RequestView::new(found, &access.words(&service).await?))
}
