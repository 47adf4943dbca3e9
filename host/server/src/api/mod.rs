//! The HTTP API: `/v1/…` and its description, `/openapi.json`.
//!
//! A request passes, from the outside in: [`problem::speak`], which words refusals in the language of
//! the one who asks; [`access::authenticate`]; [`checks::check`], which holds it against the
//! description; [`repeats::once`]; and its handler, which calls the
//! [`Service`]. Nothing here decides what an operation does.

mod access;
mod audit;
mod bindings;
mod budgets;
mod checks;
mod connections;
mod document;
mod extract;
mod log;
mod maintenance;
mod page;
mod problem;
mod questions;
mod rates;
mod records;
mod repeats;
mod runs;
mod settings;
mod tenants;
mod texts;
mod tokens;
mod usage;
mod versions;
mod waits;
mod webhooks;
mod words;
mod work;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, OriginalUri, State};
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::problem::Problem;
pub(crate) use self::rates::Rates;
pub use self::texts::STATUSES;
use crate::service::Service;

/// The address of the description.
const DESCRIPTION: &str = "/openapi.json";

type Reply<T> = Result<axum::Json<T>, Problem>;
type Created<T> = Result<(StatusCode, axum::Json<T>), Problem>;

fn reply<T>(value: T) -> Reply<T> {
    Ok(axum::Json(value))
}

fn created<T>(value: T) -> Created<T> {
    Ok((StatusCode::CREATED, axum::Json(value)))
}

/// The API over a service. A server of one's own merges it, or nests it under a prefix; addresses
/// below that which are not there are answered with a problem.
pub fn router(service: Service) -> Router {
    let (routes, openapi) = operations().split_for_parts();
    let description = document::complete(&openapi);
    let checks = checks::Checks::new(&description).unwrap_or_else(|error| panic!("{error}"));
    let operations = routes
        .method_not_allowed_fallback(|| async { Problem::new("method_not_allowed") })
        .layer(from_fn_with_state(service.clone(), repeats::once))
        .layer(from_fn_with_state(Arc::new(checks), checks::check))
        .layer(from_fn_with_state(service.clone(), access::authenticate))
        .with_state(service);
    let description = get(describe)
        .fallback(|| async { Problem::new("method_not_allowed") })
        .with_state(Arc::new(description));
    Router::new()
        .route(DESCRIPTION, description)
        .merge(operations)
        .route("/v1/{*rest}", axum::routing::any(no_such_path))
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(problem::speak))
}

/// Answers that there is nothing at an address.
async fn no_such_path() -> Problem {
    Problem::new("no_such_path")
}

async fn describe(
    State(description): State<Arc<Value>>,
    OriginalUri(uri): OriginalUri,
) -> impl IntoResponse {
    let prefix = uri.path().strip_suffix(DESCRIPTION).unwrap_or_default();
    axum::Json(document::below(&description, prefix))
}

fn operations() -> OpenApiRouter<Service> {
    OpenApiRouter::with_openapi(document::base())
        .routes(routes!(tokens::get_me))
        .routes(routes!(tokens::list_tokens, tokens::create_token))
        .routes(routes!(tokens::delete_token))
        .routes(routes!(tenants::list_tenants, tenants::create_tenant))
        .routes(routes!(
            tenants::get_tenant,
            tenants::change_tenant,
            tenants::delete_tenant
        ))
        .routes(routes!(versions::list_connectors))
        .routes(routes!(versions::put_hosts))
        .routes(routes!(versions::list_versions, versions::install_version))
        .routes(routes!(versions::get_version, versions::delete_version))
        .routes(routes!(versions::upgrade_many))
        .routes(routes!(connections::list_all_connections))
        .routes(routes!(
            connections::list_connections,
            connections::create_connection
        ))
        .routes(routes!(
            connections::get_connection,
            connections::change_connection,
            connections::delete_connection
        ))
        .routes(routes!(budgets::list_budgets))
        .routes(routes!(connections::check_connection))
        .routes(routes!(connections::enable_connection))
        .routes(routes!(connections::disable_connection))
        .routes(routes!(connections::rotate_hook))
        .routes(routes!(connections::upgrade_connection))
        .routes(routes!(connections::roll_back_connection))
        .routes(routes!(settings::get_settings, settings::put_settings))
        .routes(routes!(settings::list_choices))
        .routes(routes!(settings::list_credentials))
        .routes(routes!(
            settings::put_credential,
            settings::delete_credential
        ))
        .routes(routes!(settings::get_schedules, settings::put_schedules))
        .routes(routes!(
            maintenance::list_maintenance,
            maintenance::begin_maintenance,
            maintenance::end_maintenance
        ))
        .routes(routes!(usage::list_usage))
        .routes(routes!(waits::list_waits))
        .routes(routes!(work::run_job))
        .routes(routes!(work::press_action))
        .routes(routes!(work::stop_run))
        .routes(routes!(work::list_requests))
        .routes(routes!(work::retry_requests))
        .routes(routes!(work::get_request, work::delete_request))
        .routes(routes!(work::retry_request))
        .routes(routes!(webhooks::list_webhooks))
        .routes(routes!(webhooks::retry_webhooks))
        .routes(routes!(webhooks::delete_webhook))
        .routes(routes!(webhooks::retry_webhook))
        .routes(routes!(work::list_failed, work::remove_failed))
        .routes(routes!(work::retry_failed))
        .routes(routes!(runs::list_runs))
        .routes(routes!(runs::get_run))
        .routes(routes!(runs::list_changes))
        .routes(routes!(questions::list_all_questions))
        .routes(routes!(questions::list_tenant_questions))
        .routes(routes!(questions::list_questions))
        .routes(routes!(questions::get_question))
        .routes(routes!(questions::answer_question))
        .routes(routes!(log::list_log))
        .routes(routes!(log::list_tenant_log))
        .routes(routes!(
            bindings::list_bindings,
            bindings::put_binding,
            bindings::delete_binding
        ))
        .routes(routes!(records::tell_event))
        .routes(routes!(records::list_records, records::load_records))
        .routes(routes!(audit::list_audit))
        .routes(routes!(audit::list_tenant_audit))
}
