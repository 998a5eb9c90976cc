//! Webhooks: made, shown, listed, changed, deleted.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use posthorn_manage::{
    PageOf, Read, Write,
    webhooks::{self, Webhook, WebhookInput},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::{created, versioned},
    body::{Body, Patch},
    caller::By,
    once::Keyed,
    problem::Problem,
    query::Query,
    state::Shared,
    version::IfMatch,
};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, update, remove))
}

/// List webhooks
///
/// The oldest first. A page looks at 1,000 webhooks at most: with filters it may hold few, or none, though
/// more follow.
#[utoipa::path(get, path = "/v1/webhooks", tag = "webhooks", params(webhooks::List),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<Webhook>)))]
async fn list(
    By(by): By<Read>,
    State(api): State<Shared>,
    Query(asked): Query<webhooks::List>,
) -> Result<Json<PageOf<Webhook>>, Problem> {
    Ok(Json(webhooks::list(&api.manage, &by, asked).await?))
}

/// Make a webhook
///
/// The answer holds its secret, which is not shown again.
#[utoipa::path(post, path = "/v1/webhooks", tag = "webhooks", request_body = WebhookInput,
    security(("token" = ["write"])), extensions(("x-idempotent" = json!(true))),
    responses((status = 201, body = Webhook)))]
async fn create(
    By(by): By<Write>,
    State(api): State<Shared>,
    keyed: Keyed,
    Body { value, sent }: Body<WebhookInput>,
) -> Result<Response, Problem> {
    let done = webhooks::create(&api.manage, &by, keyed.once(sent)?, value).await?;
    let location = format!("/v1/webhooks/{}", done.value.view.id);
    Ok(created(StatusCode::CREATED, &location, done.is_repeated, versioned(done.value)))
}

/// Show a webhook
#[utoipa::path(get, path = "/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)),
    security(("token" = ["read"])), responses((status = 200, body = Webhook)))]
async fn show(
    By(by): By<Read>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(versioned(webhooks::show(&api.manage, &by, &id).await?))
}

/// Change a webhook
///
/// A JSON merge patch (RFC 7396): null takes a field back to its default, and in `headers` and `metadata`
/// an entry away; lists are replaced as a whole. With `If-Match`, the `etag` of the version that the
/// change is based on, a webhook that was changed meanwhile is left alone: 412. Without it, changes made at once
/// are made one after the other.
#[utoipa::path(patch, path = "/v1/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path), ("if-match" = Option<String>, Header)),
    request_body(content = WebhookInput, content_type = "application/merge-patch+json"),
    security(("token" = ["write"])), responses((status = 200, body = Webhook), (status = 409, description = "A company's quota is used up"), (status = 412, description = "It was changed meanwhile")))]
async fn update(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    IfMatch(expected): IfMatch,
    patch: Patch,
) -> Result<Response, Problem> {
    Ok(versioned(webhooks::update(&api.manage, &by, &id, &expected, &patch.fields).await?))
}

/// Delete a webhook
///
/// It gets nothing more; what is in its queue goes with it. Its deliveries stay in the history.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path), ("if-match" = Option<String>, Header)),
    security(("token" = ["write"])), responses((status = 204, description = "It is deleted"), (status = 412, description = "It was changed meanwhile")))]
async fn remove(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    IfMatch(expected): IfMatch,
) -> Result<StatusCode, Problem> {
    webhooks::delete(&api.manage, &by, &id, &expected).await?;
    Ok(StatusCode::NO_CONTENT)
}
