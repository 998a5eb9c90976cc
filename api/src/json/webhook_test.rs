//! Tests of webhooks: a real attempt at once.

use axum::{
    Json,
    extract::{Path, State},
};
use posthorn_manage::{
    Write,
    webhooks::{self, Tested},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{caller::By, problem::Problem, state::Shared};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(test))
}

/// Test a webhook
///
/// Makes a real, signed attempt at once with an event of the type `webhook.test`, whatever the webhook's
/// rules and state are, and tells what it came to. It is not recorded and changes nothing. Of the webhooks of
/// one company, or with one token, four run at a time.
#[utoipa::path(post, path = "/v1/webhooks/{id}/test", tag = "webhooks", params(("id" = String, Path)),
    security(("token" = ["write"])),
    responses((status = 200, body = Tested), (status = 409, description = "Its secret does not open")))]
async fn test(
    By(by): By<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Tested>, Problem> {
    Ok(Json(webhooks::test(&api.manage, &by, &id).await?))
}
