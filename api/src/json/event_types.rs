//! Event types, as people describe them.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use posthorn_manage::{
    PageOf, Read, Write,
    catalogue::{self, EventTypeInput, EventTypeView, ListEventTypes},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::versioned, body::Body, caller::By, problem::Problem, query::Query, state::Shared,
    version::IfMatch,
};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, describe, remove))
}

/// List event types
///
/// By name: those that were seen in events, and those that were described.
#[utoipa::path(get, path = "/v1/event-types", tag = "catalogue", params(ListEventTypes),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<EventTypeView>)))]
async fn list(
    By(by): By<Read>,
    State(api): State<Shared>,
    Query(asked): Query<ListEventTypes>,
) -> Result<Json<PageOf<EventTypeView>>, Problem> {
    Ok(Json(catalogue::list_event_types(&api.manage, &by, asked).await?))
}

/// Show an event type
#[utoipa::path(get, path = "/v1/event-types/{type}", tag = "catalogue", params(("type" = String, Path)),
    security(("token" = ["read"])), responses((status = 200, body = EventTypeView)))]
async fn show(
    By(by): By<Read>,
    State(api): State<Shared>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    Ok(versioned(catalogue::show_event_type(&api.manage, &by, &name).await?))
}

/// Describe an event type
///
/// Seen or not. What is left out is empty. With a schema, events of this type that are published over HTTP
/// are refused unless their data fits; those over AMQP are not looked at.
#[utoipa::path(put, path = "/v1/event-types/{type}", tag = "catalogue",
    params(("type" = String, Path), ("if-match" = Option<String>, Header)),
    request_body = EventTypeInput, security(("token" = ["write"])),
    responses((status = 200, body = EventTypeView), (status = 409, description = "It is one of Posthorn's own"), (status = 412, description = "It was changed meanwhile")))]
async fn describe(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(name): Path<String>,
    IfMatch(expected): IfMatch,
    body: Body<EventTypeInput>,
) -> Result<Response, Problem> {
    let described = catalogue::describe_event_type(&api.manage, &by, &name, &expected, body.value).await?;
    Ok(versioned(described))
}

/// Forget an event type
///
/// With its description and schema. It comes back when an event of this type is seen again.
#[utoipa::path(delete, path = "/v1/event-types/{type}", tag = "catalogue", params(("type" = String, Path)),
    security(("token" = ["write"])),
    responses((status = 204, description = "It is forgotten"), (status = 409, description = "It is one of Posthorn's own")))]
async fn remove(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    catalogue::delete_event_type(&api.manage, &by, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
