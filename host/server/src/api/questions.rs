//! `…/questions`: what people were asked before something was done, and the answers.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::report::Question;
use utoipa::{IntoParams, ToSchema};

use super::access::{Access, Operate, Platform, Read, ToConnection, ToTenant};
use super::extract::{Json, Path, Query};
use super::page::{self, Page, PageQuery};
use super::problem::Problem;
use super::repeats::HoldsSecret;
use super::words::{Spoken, Why, Words};
use super::{Reply, reply};
use crate::control::questions::{self, Place, State as Stands, Stored, Wanted};
use crate::control::tokens::Scope;
use crate::service::{Answer, Service};

/// Something that would be done and that cannot easily be undone.
#[derive(Serialize, ToSchema)]
#[schema(as = AskedQuestion)]
pub struct AskedView {
    /// Identifier; the same while what is asked is the same.
    id: String,
    /// What is about to happen and why that may be wrong.
    text: String,
    /// The same for programs and for who is to mend it.
    why: Why,
    /// Kind of record, as the connector names it.
    kind: String,
    /// How many records are concerned.
    affected: u64,
    /// Of how many.
    total: u64,
    /// Up to 20 of them by name.
    samples: Vec<String>,
}

/// A question and where it stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Question)]
pub struct QuestionView {
    /// What is asked.
    #[serde(flatten)]
    asked: AskedView,
    /// The tenant.
    #[schema(value_type = String)]
    tenant: TenantId,
    /// The connection.
    #[schema(value_type = String)]
    connection: ConnectionId,
    /// The job that asks; none when it is asked before the connection is switched on.
    job: Option<String>,
    /// The run that asked last; none when no run did.
    run: Option<String>,
    /// When it was asked first.
    asked_at: Timestamp,
    /// Where it stands.
    state: QuestionState,
    /// Whether the connection was paused because of it: a yes lets it go on.
    pauses: bool,
    /// When it was answered.
    answered_at: Option<Timestamp>,
    /// Name of the token that answered.
    answered_by: Option<String>,
}

/// Where a question stands.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuestionState {
    /// Waits for an answer.
    Open,
    /// Answered with yes; a run is to do it.
    Agreed,
    /// Answered with no, and not asked again while the facts are the same.
    Declined,
    /// Answered with yes, and the run that was told so has ended.
    Done,
    /// Not asked any more, because the facts have changed.
    Expired,
}

/// Which questions are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct QuestionFilter {
    /// In this state.
    #[param(inline, nullable = false)]
    state: Option<QuestionState>,
}

/// The question of a path.
#[derive(Deserialize)]
pub struct QuestionPath {
    question: String,
}

/// An answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerBody {
    /// `yes`: it is done, by a run that is requested at once, or by switching the connection on when
    /// that asked. `no`: it is not done.
    answer: YesOrNo,
}

/// An answer.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Answer)]
pub enum YesOrNo {
    /// It is to be done.
    Yes,
    /// It is not to be done.
    No,
}

/// A question that was answered.
#[derive(Serialize, ToSchema)]
pub struct Answered {
    /// As it stands now.
    #[serde(flatten)]
    question: QuestionView,
    /// The new address of the connection's webhooks, where the answer gave them one; it is told this
    /// once.
    hook_url: Option<String>,
}

impl AskedView {
    /// As it is told.
    pub fn new(question: Question, words: &Words) -> Self {
        AskedView {
            id: question.id,
            text: words.text(&question.text, Some(&question.why)),
            why: question.why.into(),
            kind: question.kind,
            affected: question.affected,
            total: question.total,
            samples: question.samples,
        }
    }
}

impl QuestionView {
    fn new(stored: Stored, words: &Words) -> Self {
        let (answered_by, answered_at) = stored.answered.unzip();
        QuestionView {
            asked: AskedView::new(stored.question, words),
            tenant: stored.tenant,
            connection: stored.connection,
            job: stored.job,
            run: stored.run,
            asked_at: stored.asked_at,
            state: stored.state.into(),
            pauses: stored.pauses,
            answered_at,
            answered_by,
        }
    }
}

impl From<Stands> for QuestionState {
    fn from(state: Stands) -> Self {
        match state {
            Stands::Open => QuestionState::Open,
            Stands::Agreed => QuestionState::Agreed,
            Stands::Declined => QuestionState::Declined,
            Stands::Done => QuestionState::Done,
            Stands::Expired => QuestionState::Expired,
        }
    }
}

impl From<QuestionState> for Stands {
    fn from(state: QuestionState) -> Self {
        match state {
            QuestionState::Open => Stands::Open,
            QuestionState::Agreed => Stands::Agreed,
            QuestionState::Declined => Stands::Declined,
            QuestionState::Done => Stands::Done,
            QuestionState::Expired => Stands::Expired,
        }
    }
}

impl From<YesOrNo> for Answer {
    fn from(answer: YesOrNo) -> Self {
        match answer {
            YesOrNo::Yes => Answer::Yes,
            YesOrNo::No => Answer::No,
        }
    }
}

/// The questions of all tenants, those that were asked last first.
#[utoipa::path(get, path = "/v1/questions", tag = "questions", params(QuestionFilter, PageQuery),
    responses((status = 200, description = "Questions", body = Page<QuestionView>)))]
pub async fn list_all_questions(
    State(service): State<Service>,
    access: Access<Platform>,
    Query(filter): Query<QuestionFilter>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<QuestionView>> {
    list(&service, &access.spoken, None, None, filter, query).await
}

/// The questions of a tenant, those that were asked last first.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/questions", tag = "questions",
    params(QuestionFilter, PageQuery),
    responses((status = 200, description = "Questions", body = Page<QuestionView>)))]
pub async fn list_tenant_questions(
    State(service): State<Service>,
    access: ToTenant<Read>,
    Query(filter): Query<QuestionFilter>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<QuestionView>> {
    let tenant = Some(access.tenant);
    list(&service, &access.spoken, tenant, None, filter, query).await
}

/// The questions of a connection, those that were asked last first.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}/questions",
    tag = "questions", params(QuestionFilter, PageQuery),
    responses((status = 200, description = "Questions", body = Page<QuestionView>)))]
pub async fn list_questions(
    State(service): State<Service>,
    access: ToConnection<Read>,
    Query(filter): Query<QuestionFilter>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<QuestionView>> {
    let (tenant, connection) = (Some(access.tenant), Some(access.connection));
    list(&service, &access.spoken, tenant, connection, filter, query).await
}

async fn list(
    service: &Service,
    spoken: &Spoken,
    tenant: Option<TenantId>,
    connection: Option<ConnectionId>,
    filter: QuestionFilter,
    query: PageQuery,
) -> Reply<Page<QuestionView>> {
    let after: Option<Place> = page::place(query.after.as_deref())?;
    let rows = service
        .control()
        .read(move |db| {
            let wanted = Wanted {
                tenant: tenant.as_ref(),
                connection: connection.as_ref(),
                state: filter.state.map(Stands::from),
                after: after.as_ref(),
                limit: page::rows(query.limit),
            };
            Ok::<_, Problem>(questions::list(db, wanted)?)
        })
        .await?;
    let mut words = HashMap::new();
    for digest in rows.iter().flat_map(|stored| &stored.digest) {
        if !words.contains_key(digest) {
            let texts = service.texts_of(digest).await?;
            words.insert(digest.clone(), spoken.words(texts));
        }
    }
    let other = spoken.words(Arc::clone(service.texts()));
    reply(page::page(query.limit, rows, Stored::place, |stored| {
        let known = stored.digest.as_ref().and_then(|digest| words.get(digest));
        QuestionView::new(stored, known.unwrap_or(&other))
    }))
}

/// A question.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/connections/{connection}/questions/{question}",
    tag = "questions",
    responses((status = 200, description = "The question", body = QuestionView)))]
pub async fn get_question(
    State(service): State<Service>,
    access: ToConnection<Read>,
    Path(path): Path<QuestionPath>,
) -> Reply<QuestionView> {
    let (tenant, connection) = (&access.tenant, &access.connection);
    let stored = service.question(tenant, connection, &path.question).await?;
    reply(QuestionView::new(stored, &access.words(&service).await?))
}

/// Answers a question. With yes the job runs at once, or the connection is switched on; one that keeps
/// the connection from going on, because it asks whose records these are, needs the scope `manage`.
#[utoipa::path(post,
    path = "/v1/tenants/{tenant}/connections/{connection}/questions/{question}/answer",
    tag = "questions", request_body = AnswerBody,
    responses((status = 200, description = "The question as it stands now", body = Answered)))]
pub async fn answer_question(
    State(service): State<Service>,
    access: ToConnection<Operate>,
    Path(path): Path<QuestionPath>,
    Json(body): Json<AnswerBody>,
) -> Result<(Option<Extension<HoldsSecret>>, axum::Json<Answered>), Problem> {
    let (tenant, connection, id) = (&access.tenant, &access.connection, &path.question);
    let question = service.question(tenant, connection, id).await?;
    if question.pauses {
        access.caller.require(Scope::Manage)?;
    }
    let answer = body.answer.into();
    let hook_url = service
        .answer(access.actor(), tenant, connection, id, answer)
        .await?;
    let stored = service.question(tenant, connection, id).await?;
    let question = QuestionView::new(stored, &access.words(&service).await?);
    Ok((
        hook_url.as_ref().map(|_| Extension(HoldsSecret)),
        axum::Json(Answered { question, hook_url }),
    ))
}
