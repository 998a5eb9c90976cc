//! Events: listed, and shown with what became of them.

use axum::{
    Json,
    extract::{Path, State},
};
use posthorn_manage::{
    PageOf, Read,
    events::{self, EventDetail, EventSummary},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{caller::By, problem::Problem, query::Query, state::Shared};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// List events
///
/// The latest first. A page looks at a bounded number of events: with filters it may hold few, or none,
/// though more follow. They are recorded a moment after they were routed, and kept for
/// `POSTHORN_RETENTION`.
#[utoipa::path(get, path = "/v1/events", tag = "events", params(events::List),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<EventSummary>)))]
async fn list(
    By(by): By<Read>,
    State(api): State<Shared>,
    Query(asked): Query<events::List>,
) -> Result<Json<PageOf<EventSummary>>, Problem> {
    Ok(Json(events::list(&api.manage, &by, asked).await?))
}

/// Show an event
///
/// By its reference, or by its producer's id: 409 if several companies have used that. With its data, what
/// became of it for each webhook that wanted it, and what else came with its id.
#[utoipa::path(get, path = "/v1/events/{event}", tag = "events", params(("event" = String, Path)),
    security(("token" = ["read"])), responses((status = 200, body = EventDetail),
    (status = 409, description = "The id is that of several events")))]
async fn show(
    By(by): By<Read>,
    State(api): State<Shared>,
    Path(event): Path<String>,
) -> Result<Json<EventDetail>, Problem> {
    Ok(Json(events::show(&api.manage, &by, &event).await?))
}
