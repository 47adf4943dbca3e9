//! Who asks, and whether they may.
//!
//! The threat: somebody without a token, with one that was withdrawn, or with that of another tenant
//! sees or changes something. So every address below `/v1` is behind [`authenticate`], and a handler
//! gets at a tenant or a connection only through [`ToTenant`] and [`ToConnection`], which check the
//! token's tenant and scope first. To a token of one tenant the others are not there: 404, not 403.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tenon_host::ids::{ConnectionId, TenantId};

use super::problem::{Problem, Refused, not_found};
use super::words::{Spoken, Words};
use crate::control::Failure;
use crate::control::connections::Stored;
use crate::control::tokens::{self, Scope, Token};
use crate::service::{Service, What};

/// Who asks.
#[derive(Clone)]
pub struct Caller(pub Arc<Token>);

impl Caller {
    /// The name in the audit.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Refuses who lacks a scope.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.0.may(scope) {
            Ok(())
        } else {
            Err(Problem::scope_missing(scope))
        }
    }

    /// Refuses who is limited to one tenant.
    pub fn require_all_tenants(&self) -> Result<(), Problem> {
        match self.0.tenant {
            None => Ok(()),
            Some(_) => Err(Problem::scope_missing(Scope::Platform)),
        }
    }
}

/// A scope, as a type: a handler says in its signature what it needs.
pub trait Needs: Send + Sync + 'static {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident)*) => { $(
        $(#[$doc])*
        pub struct $name;

        impl Needs for $name {
            const SCOPE: Scope = Scope::$name;
        }
    )* };
}

scopes! {
    /// To see.
    Read
    /// To run.
    Operate
    /// To change connections.
    Manage
    /// To change the platform.
    Platform
}

/// Access to what belongs to no tenant.
pub struct Access<S> {
    /// Who asks.
    pub caller: Caller,
    /// In which language.
    pub spoken: Spoken,
    scope: PhantomData<S>,
}

/// Access to a tenant that is there.
pub struct ToTenant<S> {
    /// Who asks.
    pub caller: Caller,
    /// The tenant.
    pub tenant: TenantId,
    /// The language of the answer.
    pub spoken: Spoken,
    scope: PhantomData<S>,
}

/// Access to a connection that is there.
pub struct ToConnection<S> {
    /// Who asks.
    pub caller: Caller,
    /// Whose it is.
    pub tenant: TenantId,
    /// The connection.
    pub connection: ConnectionId,
    /// The same as it is stored, so that no handler reads it again.
    pub stored: Stored,
    /// The language of the answer.
    pub spoken: Spoken,
    scope: PhantomData<S>,
}

impl<S> Access<S> {
    /// The name in the audit.
    pub fn actor(&self) -> &str {
        self.caller.name()
    }
}

impl<S> ToTenant<S> {
    /// The name in the audit.
    pub fn actor(&self) -> &str {
        self.caller.name()
    }
}

impl<S> ToConnection<S> {
    /// What tells things of the connection.
    pub async fn words(&self, service: &Service) -> Result<Words, Problem> {
        Ok(self
            .spoken
            .words(service.texts_of(&self.stored.digest).await?))
    }

    /// The name in the audit.
    pub fn actor(&self) -> &str {
        self.caller.name()
    }
}

/// Lets only those through that have a token.
pub async fn authenticate(
    State(service): State<Service>,
    mut request: Request,
    next: Next,
) -> Response {
    match token(&service, request.headers()).await {
        Ok(token) => {
            let spoken = request.extensions().get::<Spoken>().cloned();
            speak_for(&service, spoken, &token).await;
            request.extensions_mut().insert(Caller(Arc::new(token)));
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// Who asks with the token of a tenant and names no language is answered in that of the tenant.
async fn speak_for(service: &Service, spoken: Option<Spoken>, token: &Token) {
    if let Some(spoken) = spoken.filter(|spoken| !spoken.is_known())
        && let Some(tenant) = &token.tenant
        && let Ok(known) = service.tenant(tenant).await
    {
        spoken.speak_of_tenant(&known.language);
    }
}

async fn token(service: &Service, headers: &HeaderMap) -> Result<Token, Problem> {
    let challenge =
        |code, value| Problem::new(code).header(WWW_AUTHENTICATE, HeaderValue::from_static(value));
    let invalid = || {
        challenge(
            "token_invalid",
            r#"Bearer realm="tenon", error="invalid_token""#,
        )
    };
    let given = (headers.get(AUTHORIZATION))
        .ok_or_else(|| challenge("token_missing", r#"Bearer realm="tenon""#))?;
    let hash = given
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .and_then(|(_, text)| tokens::hash(text.trim()))
        .ok_or_else(invalid)?;
    if service.is_door(&hash) {
        return Ok(Token::of_commands());
    }
    let now = service.now();
    let token = service
        .control()
        .read(move |db| Ok::<_, Problem>(tokens::by_hash(db, &hash, now)?))
        .await?
        .ok_or_else(invalid)?;
    if let Err(wait) = service.rates().admit(&token.id) {
        let seconds = HeaderValue::from(wait.as_secs() + 1);
        return Err(Problem::new("too_many_requests").header(RETRY_AFTER, seconds));
    }
    if tokens::is_use_news(&token, now) {
        let id = token.id.clone();
        let noted = (service.control())
            .write(move |db| Ok::<_, Failure>(tokens::note_use(db, &id, now)?))
            .await;
        // Who may read can do so on a full disk, too.
        if let Err(error) = noted {
            tracing::warn!("when a token was used: {error}");
        }
    }
    Ok(token)
}

impl FromRequestParts<Service> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Service) -> Result<Self, Problem> {
        // Without it the layer that checks tokens is missing: nobody gets in.
        (parts.extensions.get().cloned()).ok_or_else(|| Problem::new("token_missing"))
    }
}

impl<S: Needs> FromRequestParts<Service> for Access<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, service).await?;
        caller.require(S::SCOPE)?;
        Ok(Access {
            caller,
            spoken: Spoken::of(parts),
            scope: PhantomData,
        })
    }
}

impl<S: Needs> FromRequestParts<Service> for ToTenant<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let (caller, tenant) = visible(parts, service).await?;
        caller.require(S::SCOPE)?;
        let found = service.tenant(&tenant).await?;
        let spoken = Spoken::of(parts);
        spoken.speak_of_tenant(&found.language);
        Ok(ToTenant {
            caller,
            tenant,
            spoken,
            scope: PhantomData,
        })
    }
}

impl<S: Needs> FromRequestParts<Service> for ToConnection<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let (caller, tenant) = visible(parts, service).await?;
        caller.require(S::SCOPE)?;
        let connection: ConnectionId = from_path(parts, service, "connection").await?;
        let found = service.stored_with_language(&tenant, &connection);
        let (stored, language) = found.await?;
        let spoken = Spoken::of(parts);
        spoken.speak_of_tenant(&language);
        Ok(ToConnection {
            caller,
            tenant,
            connection,
            stored,
            spoken,
            scope: PhantomData,
        })
    }
}

/// The tenant of the path, unless the token is another tenant's.
async fn visible(parts: &mut Parts, service: &Service) -> Result<(Caller, TenantId), Problem> {
    let caller = Caller::from_request_parts(parts, service).await?;
    let tenant: TenantId = from_path(parts, service, "tenant").await?;
    match &caller.0.tenant {
        Some(own) if *own != tenant => Err(not_found(What::Tenant, &tenant)),
        _ => Ok((caller, tenant)),
    }
}

async fn from_path<T: std::str::FromStr>(
    parts: &mut Parts,
    service: &Service,
    name: &str,
) -> Result<T, Problem> {
    let bad = || Problem::refused(vec![Refused::rule(name, "required", "")]);
    let given = RawPathParams::from_request_parts(parts, service).await;
    let given = given.map_err(|_| bad())?;
    let value = given.iter().find(|(known, _)| *known == name);
    value
        .and_then(|(_, value)| value.parse().ok())
        .ok_or_else(bad)
}
