//! `…/runs`: what ran, how it went and what it wrote.

use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenon_host::Mode;
use tenon_host::observe::{self, FieldChange, Side};
use tenon_host::report::{Outcome, WrittenRecords};
use utoipa::{IntoParams, ToSchema};

use super::access::{Read, ToConnection};
use super::extract::{Path, Query};
use super::page::{self, Page, PageQuery};
use super::problem::{Problem, not_found};
use super::questions::AskedView;
use super::words::{Why, Words};
use super::work::CauseView;
use super::{Reply, reply};
use crate::control::runs::{self, Change, Run, Wanted};
use crate::service::{Service, What};
use tenon_host::reason::Reason;

/// A run, under way or finished.
#[derive(Serialize, ToSchema)]
#[schema(as = Run)]
pub struct RunView {
    /// Identifier; sorts by start.
    id: String,
    /// The job.
    job: String,
    /// Its argument.
    argument: Option<String>,
    /// Why it ran.
    #[schema(value_type = CauseView)]
    cause: Value,
    /// What it was for.
    mode: RunMode,
    /// The request that it came from; null for a run that did not wait for its turn.
    request: Option<i64>,
    /// The version of the connector.
    version: String,
    /// SHA-256 of the component.
    digest: String,
    /// When it began.
    started_at: Timestamp,
    /// When it ended; null while it is under way.
    finished_at: Option<Timestamp>,
    /// How it ended.
    outcome: RunOutcome,
    /// New records.
    created: u64,
    /// Changed records.
    updated: u64,
    /// Records that needed no change.
    unchanged: u64,
    /// Records that failed.
    failed: u64,
    /// Requests sent to the counterpart, retries included.
    requests: u64,
    /// Why it could not go on.
    error: Option<String>,
    /// The same for programs and for who is to mend it.
    why: Option<Why>,
}

/// A run with the records that failed in it.
#[derive(Serialize, ToSchema)]
pub struct RunWithRecords {
    /// The run.
    #[serde(flatten)]
    run: RunView,
    /// All that was written, as the host saw it, by side and kind.
    written: Vec<WrittenView>,
    /// What to know although the run went on.
    warnings: Vec<WarningView>,
    /// Records that failed.
    records: Vec<RejectedView>,
    /// What it asked before it would have gone on, and did not do.
    questions: Vec<AskedView>,
}

/// How many records of a kind were written on one side, each counted once.
#[derive(Serialize, ToSchema)]
#[schema(as = WrittenRecords)]
pub struct WrittenView {
    /// On the platform or at the counterpart.
    side: SideView,
    /// Kind of record.
    kind: String,
    /// New ones.
    created: u64,
    /// Those that are other than before.
    updated: u64,
    /// Those that are gone.
    removed: u64,
}

/// A side of an integration.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Side)]
pub enum SideView {
    /// The platform.
    Platform,
    /// The other system.
    Counterpart,
}

/// Something to know of a run.
#[derive(Serialize, ToSchema)]
#[schema(as = Warning)]
pub struct WarningView {
    /// For people.
    text: String,
    /// The same for programs and for who is to mend it.
    why: Why,
}

impl WarningView {
    /// A reason that was not told before.
    pub fn new(why: Reason, words: &Words) -> WarningView {
        WarningView {
            text: words.said(&why),
            why: why.into(),
        }
    }
}

/// A record that failed in a run.
#[derive(Serialize, ToSchema)]
#[schema(as = RejectedRecord)]
pub struct RejectedView {
    /// Kind of record, as the connector names it.
    kind: String,
    /// Number or id that people know it by.
    id: String,
    /// What is wrong with it.
    reason: String,
    /// The same for programs and for who is to mend it.
    why: Why,
}

/// How a run ended.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Outcome)]
pub enum RunOutcome {
    /// Under way.
    Running,
    /// Came to the end of its work.
    Done,
    /// Ended before its work was done; the next run goes on from its last checkpoint.
    Suspended,
    /// Something outside failed; it may succeed later.
    Transient,
    /// An admin has to change something first.
    Configuration,
    /// The component trapped or exceeded a limit, or the server was killed.
    Crashed,
}

/// Which runs are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RunFilter {
    /// Of this job.
    #[param(pattern = "^[a-z0-9][a-z0-9_-]{0,62}$", nullable = false)]
    job: Option<String>,
    /// With this outcome.
    #[param(inline, nullable = false)]
    outcome: Option<RunOutcome>,
    /// Of this mode.
    #[param(inline, nullable = false)]
    mode: Option<RunMode>,
}

/// The run of a path.
#[derive(Deserialize)]
pub struct RunPath {
    run: String,
}

/// A record that was written, or would have been where a run was to write nothing.
#[derive(Serialize, ToSchema)]
#[schema(as = Change)]
pub struct ChangeView {
    /// Where.
    side: SideView,
    /// Kind of record: of the platform's, a kind of the contract or the directory of an entry; of the
    /// counterpart's, as the connector names it.
    record_kind: String,
    /// The counterpart's record; empty where it has none.
    origin: String,
    /// The platform's record.
    key: Option<String>,
    /// Number or name that people know it by.
    label: Option<String>,
    /// What happened to it.
    change: ChangeKind,
    /// Every field that changed.
    changes: Vec<FieldView>,
}

/// What happened to a record.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Created,
    /// Some of its fields changed.
    Updated,
    /// It is gone.
    Removed,
}

/// What a run is for.
#[derive(Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunMode {
    /// It does its work.
    #[default]
    Live,
    /// It tells what it would do, and changes neither side.
    Preview,
    /// It goes over everything, whatever was exchanged before, and tells where the sides differ. It
    /// changes neither side.
    Compare,
}

impl From<observe::Change> for ChangeKind {
    fn from(change: observe::Change) -> Self {
        match change {
            observe::Change::Created => ChangeKind::Created,
            observe::Change::Updated => ChangeKind::Updated,
            observe::Change::Removed => ChangeKind::Removed,
        }
    }
}

impl From<Mode> for RunMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Live => RunMode::Live,
            Mode::Preview => RunMode::Preview,
            Mode::Compare => RunMode::Compare,
        }
    }
}

impl From<RunMode> for Mode {
    fn from(mode: RunMode) -> Self {
        match mode {
            RunMode::Live => Mode::Live,
            RunMode::Preview => Mode::Preview,
            RunMode::Compare => Mode::Compare,
        }
    }
}

/// Which changes are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ChangeFilter {
    /// On this side.
    #[param(inline, nullable = false)]
    side: Option<SideView>,
}

/// One field of a record, before and after.
#[derive(Serialize, ToSchema)]
#[schema(as = FieldChange)]
pub struct FieldView {
    /// Name of the field.
    field: String,
    /// Value before, lists and parts as JSON; null where it was empty.
    before: Option<String>,
    /// Value after; null where it is empty now.
    after: Option<String>,
}

impl From<Side> for SideView {
    fn from(side: Side) -> Self {
        match side {
            Side::Platform => SideView::Platform,
            Side::Counterpart => SideView::Counterpart,
        }
    }
}

impl From<SideView> for Side {
    fn from(side: SideView) -> Self {
        match side {
            SideView::Platform => Side::Platform,
            SideView::Counterpart => Side::Counterpart,
        }
    }
}

impl From<WrittenRecords> for WrittenView {
    fn from(written: WrittenRecords) -> Self {
        WrittenView {
            side: written.side.into(),
            kind: written.kind,
            created: written.created,
            updated: written.updated,
            removed: written.removed,
        }
    }
}

impl From<Outcome> for RunOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Running => RunOutcome::Running,
            Outcome::Done => RunOutcome::Done,
            Outcome::Suspended => RunOutcome::Suspended,
            Outcome::Transient => RunOutcome::Transient,
            Outcome::Configuration => RunOutcome::Configuration,
            Outcome::Crashed => RunOutcome::Crashed,
        }
    }
}

impl From<RunOutcome> for Outcome {
    fn from(outcome: RunOutcome) -> Self {
        match outcome {
            RunOutcome::Running => Outcome::Running,
            RunOutcome::Done => Outcome::Done,
            RunOutcome::Suspended => Outcome::Suspended,
            RunOutcome::Transient => Outcome::Transient,
            RunOutcome::Configuration => Outcome::Configuration,
            RunOutcome::Crashed => Outcome::Crashed,
        }
    }
}

impl RunView {
    /// As it is told.
    pub fn new(run: Run, words: &Words) -> Self {
        let (error, why) = words.told(run.error);
        RunView {
            id: run.begun.id,
            job: run.begun.job,
            argument: run.begun.argument,
            cause: run.begun.cause,
            mode: run.begun.mode.into(),
            request: (run.begun.request > 0).then_some(run.begun.request),
            version: run.begun.version,
            digest: run.begun.digest,
            started_at: run.begun.started_at,
            finished_at: run.finished_at,
            outcome: run.outcome.into(),
            created: run.created,
            updated: run.updated,
            unchanged: run.unchanged,
            failed: run.failed,
            requests: run.requests,
            error,
            why,
        }
    }
}

impl From<Change> for ChangeView {
    fn from(change: Change) -> Self {
        let written = change.written;
        ChangeView {
            side: written.side.into(),
            record_kind: written.record_kind,
            origin: written.origin,
            key: written.key,
            label: written.label,
            change: written.change.into(),
            changes: written.changes.into_iter().map(FieldView::from).collect(),
        }
    }
}

impl From<FieldChange> for FieldView {
    fn from(field: FieldChange) -> Self {
        FieldView {
            field: field.field,
            before: field.before,
            after: field.after,
        }
    }
}

/// The runs of a connection, newest first.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}/runs", tag = "runs",
    params(RunFilter, PageQuery),
    responses((status = 200, description = "Runs", body = Page<RunView>)))]
pub async fn list_runs(
    State(service): State<Service>,
    access: ToConnection<Read>,
    Query(filter): Query<RunFilter>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<RunView>> {
    let after: Option<String> = page::place(query.after.as_deref())?;
    let limit = query.limit;
    let words = access.words(&service).await?;
    let rows = service
        .control()
        .read(move |db| {
            let wanted = Wanted {
                tenant: &access.tenant,
                connection: &access.connection,
                job: filter.job.as_deref(),
                outcome: filter.outcome.map(Outcome::from),
                mode: filter.mode.map(Mode::from),
                after: after.as_deref(),
                limit: page::rows(limit),
            };
            Ok::<_, Problem>(runs::list(db, wanted)?)
        })
        .await?;
    reply(page::page(
        limit,
        rows,
        |run| run.begun.id.clone(),
        |run| RunView::new(run, &words),
    ))
}

/// A run, with the records that failed in it.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}/runs/{run}",
    tag = "runs",
    responses((status = 200, description = "The run", body = RunWithRecords)))]
pub async fn get_run(
    State(service): State<Service>,
    access: ToConnection<Read>,
    Path(path): Path<RunPath>,
) -> Reply<RunWithRecords> {
    let mut run = find(&service, &access, path.run).await?;
    let words = access.words(&service).await?;
    let questions = std::mem::take(&mut run.questions).into_iter();
    let records = std::mem::take(&mut run.records).into_iter();
    let records = records.map(|record| RejectedView {
        kind: record.kind,
        id: record.id,
        reason: words.text(&record.reason, Some(&record.why)),
        why: record.why.into(),
    });
    let warnings = std::mem::take(&mut run.warnings).into_iter();
    let warnings = warnings.map(|warning| WarningView {
        text: words.text(&warning.text, Some(&warning.why)),
        why: warning.why.into(),
    });
    let written = std::mem::take(&mut run.written).into_iter();
    reply(RunWithRecords {
        written: written.map(WrittenView::from).collect(),
        warnings: warnings.collect(),
        records: records.collect(),
        questions: questions.map(|one| AskedView::new(one, &words)).collect(),
        run: RunView::new(run, &words),
    })
}

/// What a run wrote on both sides, or would have written where it was to write nothing. Of what a run
/// writes on a side, the first 10,000 records are kept, and the first 8 MiB of their values.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}/runs/{run}/changes",
    tag = "runs", params(ChangeFilter, PageQuery),
    responses((status = 200, description = "Changes", body = Page<ChangeView>)))]
pub async fn list_changes(
    State(service): State<Service>,
    access: ToConnection<Read>,
    Path(path): Path<RunPath>,
    Query(filter): Query<ChangeFilter>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<ChangeView>> {
    let after: Option<i64> = page::place(query.after.as_deref())?;
    let run = find(&service, &access, path.run).await?.begun.id;
    let side = filter.side.map(Side::from);
    let rows = service
        .control()
        .read(move |db| {
            let (after, rows) = (after.unwrap_or(0), page::rows(query.limit));
            Ok::<_, Problem>(runs::changes(db, &run, side, after, rows)?)
        })
        .await?;
    reply(page::page(
        query.limit,
        rows,
        |change| change.number,
        ChangeView::from,
    ))
}

async fn find(service: &Service, access: &ToConnection<Read>, id: String) -> Result<Run, Problem> {
    let (tenant, connection) = (access.tenant.clone(), access.connection.clone());
    service
        .control()
        .read(move |db| {
            let run = runs::get(db, &tenant, &connection, &id)?;
            run.ok_or_else(|| not_found(What::Run, &id))
        })
        .await
}
