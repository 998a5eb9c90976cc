//! Tokens: made, listed, revoked.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use posthorn_manage::{
    Admin, PageOf,
    tokens::{self, TokenInput, TokenView},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    answer::created, body::Body, caller::By, once::Keyed, problem::Problem, query::Query, state::Shared,
};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, revoke))
}

/// Make a token
///
/// The answer holds the token itself, which is not shown again: only its hash is kept.
#[utoipa::path(post, path = "/v1/tokens", tag = "tokens", request_body = TokenInput,
    security(("token" = ["admin"])), extensions(("x-idempotent" = json!(true))),
    responses((status = 201, body = TokenView)))]
async fn create(
    By(by): By<Admin>,
    State(api): State<Shared>,
    keyed: Keyed,
    Body { value, sent }: Body<TokenInput>,
) -> Result<Response, Problem> {
    let made = tokens::create(&api.manage, &by, keyed.once(sent)?, value).await?;
    let location = format!("/v1/tokens/{}", made.value.id);
    let answer = Json(made.value).into_response();
    Ok(created(StatusCode::CREATED, &location, made.is_repeated, answer))
}

/// List tokens
///
/// The oldest first, revoked ones too.
#[utoipa::path(get, path = "/v1/tokens", tag = "tokens", params(tokens::List),
    security(("token" = ["admin"])), responses((status = 200, body = PageOf<TokenView>)))]
async fn list(
    By(by): By<Admin>,
    State(api): State<Shared>,
    Query(asked): Query<tokens::List>,
) -> Result<Json<PageOf<TokenView>>, Problem> {
    Ok(Json(tokens::list(&api.manage, &by, asked).await?))
}

/// Show a token
#[utoipa::path(get, path = "/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    security(("token" = ["admin"])), responses((status = 200, body = TokenView)))]
async fn show(
    By(by): By<Admin>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<TokenView>, Problem> {
    Ok(Json(tokens::show(&api.manage, &by, &id).await?))
}

/// Revoke a token
///
/// For ever; at once here, within a second at every other process of the API.
#[utoipa::path(delete, path = "/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    security(("token" = ["admin"])), responses((status = 204, description = "It opens nothing any more")))]
async fn revoke(
    By(by): By<Admin>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    tokens::revoke(&api.manage, &by, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
