//! `/v1/tokens` and `/v1/me`: who may use the API.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tenon_host::ids::TenantId;
use tenon_host::reason::Reason;
use utoipa::ToSchema;

use super::access::{Access, Caller, Platform};
use super::extract::{Json, Path, Query};
use super::page::{self, Page, PageQuery};
use super::problem::{Problem, not_found};
use super::repeats::HoldsSecret;
use super::{Reply, reply};
use crate::control::tokens::{self, NewToken, Scope, Token};
use crate::control::{audit, tenants};
use crate::service::{Error, Service, What};

/// A token, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenView {
    /// Identifier.
    id: String,
    /// Its name for people, also in the audit.
    name: String,
    /// The tenant that it is limited to; null for a token of the platform.
    #[schema(value_type = Option<String>)]
    tenant: Option<TenantId>,
    /// What it may do.
    scopes: Vec<Scope>,
    /// When it was created.
    created_at: Timestamp,
    /// When it expires; null for never.
    expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    last_used_at: Option<Timestamp>,
}

/// A new token.
#[derive(Serialize, ToSchema)]
#[schema(as = IssuedToken)]
pub struct IssuedView {
    /// The token.
    #[serde(flatten)]
    token: TokenView,
    /// What is sent as `Authorization: Bearer`. It is shown only this once.
    secret: String,
}

/// A token to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewToken)]
pub struct NewTokenBody {
    /// Its name for people.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// The tenant that it is limited to; absent or null for a token of the platform.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
    tenant: Option<TenantId>,
    /// What it may do. Each scope includes those before it: `read`, `operate`, `manage`, `platform`;
    /// the last is for tokens of the platform.
    #[schema(min_items = 1, max_items = 4)]
    scopes: Vec<Scope>,
    /// When it expires; absent or null for never.
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

/// The token that asks.
#[derive(Serialize, ToSchema)]
pub struct Me {
    /// Name of the token.
    name: String,
    /// The tenant that it is limited to.
    #[schema(value_type = Option<String>)]
    tenant: Option<TenantId>,
    /// What it may do, with all that its scopes include.
    scopes: Vec<Scope>,
}

/// The token of a path.
#[derive(Deserialize)]
pub struct TokenPath {
    token: String,
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        TokenView {
            id: token.id,
            name: token.name,
            tenant: token.tenant,
            scopes: token.scopes,
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
        }
    }
}

/// The token that asks.
#[utoipa::path(get, path = "/v1/me", tag = "tokens",
    responses((status = 200, description = "The token that asks", body = Me)))]
pub async fn get_me(Caller(token): Caller) -> Reply<Me> {
    reply(Me {
        name: token.name.clone(),
        tenant: token.tenant.clone(),
        scopes: (Scope::ALL.into_iter())
            .filter(|scope| token.may(*scope))
            .collect(),
    })
}

/// The tokens, oldest first.
#[utoipa::path(get, path = "/v1/tokens", tag = "tokens", params(PageQuery),
    responses((status = 200, description = "Tokens", body = Page<TokenView>)))]
pub async fn list_tokens(
    State(service): State<Service>,
    _: Access<Platform>,
    Query(query): Query<PageQuery>,
) -> Reply<Page<TokenView>> {
    let after: Option<String> = page::place(query.after.as_deref())?;
    let rows = service
        .control()
        .read(move |db| {
            Ok::<_, Problem>(tokens::list(db, after.as_deref(), page::rows(query.limit))?)
        })
        .await?;
    reply(page::page(
        query.limit,
        rows,
        |token| token.id.clone(),
        TokenView::from,
    ))
}

/// Creates a token. Its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/v1/tokens", tag = "tokens", request_body = NewTokenBody,
    responses((status = 201, description = "The new token with its secret", body = IssuedView)))]
pub async fn create_token(
    State(service): State<Service>,
    access: Access<Platform>,
    Json(mut body): Json<NewTokenBody>,
) -> Result<(StatusCode, Extension<HoldsSecret>, axum::Json<IssuedView>), Problem> {
    if body.tenant.is_some() && body.scopes.contains(&Scope::Platform) {
        let reason = Reason::new("server.platform-token-of-tenant");
        return Err(Error::invalid("/scopes", reason).into());
    }
    if body.expires_at.is_some_and(|at| at <= Timestamp::now()) {
        let reason = Reason::new("server.expired-already");
        return Err(Error::invalid("/expires_at", reason).into());
    }
    body.scopes.sort_unstable();
    body.scopes.dedup();
    let new = NewToken {
        name: body.name,
        tenant: body.tenant,
        scopes: body.scopes,
        expires_at: body.expires_at,
    };
    let actor = access.actor().to_owned();
    let issued = service
        .control()
        .write(move |db| {
            if let Some(tenant) = &new.tenant
                && tenants::get(db, tenant)?.is_none()
            {
                let missing = Error::not_found(What::Tenant, tenant);
                return Err(Problem::from(Error::invalid("/tenant", missing.reason())));
            }
            let now = Timestamp::now();
            let issued = tokens::issue(db, &new, now)?;
            audit::note(
                db,
                &tokens::note(&actor, "token.create", &issued.token),
                now,
            )?;
            Ok(issued)
        })
        .await?;
    let view = IssuedView {
        token: issued.token.into(),
        secret: issued.secret,
    };
    Ok((
        StatusCode::CREATED,
        Extension(HoldsSecret),
        axum::Json(view),
    ))
}

/// Revokes a token. The last one that may change the platform stays.
#[utoipa::path(delete, path = "/v1/tokens/{token}", tag = "tokens",
    responses((status = 204, description = "The token is revoked")))]
pub async fn delete_token(
    State(service): State<Service>,
    access: Access<Platform>,
    Path(TokenPath { token }): Path<TokenPath>,
) -> Result<StatusCode, Problem> {
    let actor = access.actor().to_owned();
    service
        .control()
        .write(move |db| {
            let now = Timestamp::now();
            if tokens::is_last_of_platform(db, &token, now)? {
                return Err(Problem::new("last_platform_token"));
            }
            let removed = tokens::remove(db, &token)?;
            let removed = removed.ok_or_else(|| not_found(What::Token, &token))?;
            let note = tokens::note(&actor, "token.delete", &removed);
            Ok::<_, Problem>(audit::note(db, &note, now)?)
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
