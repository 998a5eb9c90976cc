//! What stops a webhook and lets it go on, and its secrets.

use std::time::Duration;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use posthorn_domain::id::WebhookId;
use posthorn_store::{Actor, StoreError, WebhookRecord};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    body::{Body, OptionalBody},
    caller::{Caller, May, Write},
    id,
    once::{Answer, Once},
    problem::{Problem, Wrong},
    routes::webhooks::{Webhook, answer, waiting},
    state::{Api, Shared},
    version,
};

/// How long the old secret signs beside the new one unless something else is asked for.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);
/// The longest that can be asked for.
const LONGEST_OVERLAP_S: u32 = 30 * 24 * 3600;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(enable))
        .routes(routes!(disable))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(rotate_secret))
}

async fn change(
    api: &Api,
    caller: &Caller,
    id: &str,
    action: &'static str,
    act: impl AsyncFnOnce(WebhookId, Actor) -> Result<WebhookRecord, StoreError>,
) -> Result<Response, Problem> {
    let webhook = api.webhook(caller, id::webhook(id)?).await?;
    let webhook = act(webhook.described.id, caller.acts(action)).await?;
    answer(api, caller, webhook).await
}

/// Enable a webhook
///
/// A disabled webhook begins a new epoch: what waits in its queue is attempted, counted from 1 again. One
/// that is enabled stays as it is.
#[utoipa::path(post, path = "/v1/webhooks/{id}/enable", tag = "webhooks", params(("id" = String, Path)),
    security(("token" = ["write"])),
    responses((status = 200, body = Webhook), (status = 409, description = "It is paused")))]
async fn enable(
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let act = async |id, actor: Actor| api.store.webhooks.enable(id, &actor).await;
    change(&api, &caller, &id, "webhook.enable", act).await
}

/// Disable a webhook
///
/// It gets nothing until it is enabled again; its queue keeps what it holds.
#[utoipa::path(post, path = "/v1/webhooks/{id}/disable", tag = "webhooks", params(("id" = String, Path)),
    security(("token" = ["write"])), responses((status = 200, body = Webhook)))]
async fn disable(
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let act = async |id, actor: Actor| api.store.webhooks.disable(id, &actor).await;
    change(&api, &caller, &id, "webhook.disable", act).await
}

/// Pause a webhook
///
/// Its queue keeps what it holds; events that come meanwhile do not reach it.
#[utoipa::path(post, path = "/v1/webhooks/{id}/pause", tag = "webhooks", params(("id" = String, Path)),
    security(("token" = ["write"])),
    responses((status = 200, body = Webhook), (status = 409, description = "It is disabled")))]
async fn pause(
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let act = async |id, actor: Actor| api.store.webhooks.pause(id, &actor).await;
    change(&api, &caller, &id, "webhook.pause", act).await
}

/// Resume a paused webhook
#[utoipa::path(post, path = "/v1/webhooks/{id}/resume", tag = "webhooks", params(("id" = String, Path)),
    security(("token" = ["write"])),
    responses((status = 200, body = Webhook), (status = 409, description = "It is disabled")))]
async fn resume(
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let act = async |id, actor: Actor| api.store.webhooks.resume(id, &actor).await;
    change(&api, &caller, &id, "webhook.resume", act).await
}

/// How a secret is rotated.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Rotation {
    /// How long the old secret signs beside the new one, in seconds; at most 30 days.
    #[schema(default = 86400, maximum = 2592000)]
    overlap_seconds: Option<u32>,
    /// The old secret ends at once.
    #[schema(default = false)]
    expire_old_now: Option<bool>,
}

impl Rotation {
    fn overlap(&self) -> Result<Duration, Problem> {
        match (self.expire_old_now.unwrap_or_default(), self.overlap_seconds) {
            (true, None | Some(0)) => Ok(Duration::ZERO),
            (true, Some(_)) => {
                let detail = "`expire_old_now` leaves no time to overlap: give one of the two";
                Err(Problem::invalid(vec![Wrong::at("/overlap_seconds", "contradiction", detail)]))
            }
            (false, None) => Ok(OVERLAP),
            (false, Some(seconds @ ..=LONGEST_OVERLAP_S)) => Ok(Duration::from_secs(seconds.into())),
            (false, Some(_)) => {
                let detail = format!("at most {LONGEST_OVERLAP_S} (30 days) are allowed");
                Err(Problem::invalid(vec![Wrong::at("/overlap_seconds", "out_of_range", detail)]))
            }
        }
    }
}

/// Give a webhook a new secret
///
/// The answer holds it; it is not shown again. The old one goes on signing beside it for a day, or as long
/// as is asked for.
#[utoipa::path(post, path = "/v1/webhooks/{id}/rotate-secret", tag = "webhooks", params(("id" = String, Path)),
    request_body(content = Option<Rotation>), security(("token" = ["write"])), extensions(("x-idempotent" = json!(true))),
    responses((status = 200, body = Webhook)))]
async fn rotate_secret(
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    once: Once,
    OptionalBody(body): OptionalBody<Rotation>,
) -> Result<Response, Problem> {
    let id = api.webhook(&caller, id::webhook(&id)?).await?.described.id;
    let (shared, by, Body { value, sent }) = (api.clone(), caller.clone(), body);
    let act = async move {
        let (api, caller) = (shared, by);
        let overlap = value.overlap()?;
        let (secret, sealed) = api.keys.fresh_secret(id, rand::random(), rand::random());
        let actor = caller.acts("webhook.rotate_secret");
        let webhook = api.store.webhooks.rotate_secret(id, &sealed, overlap, &actor).await?;
        let tag = version::etag(webhook.revision);
        let shown = Webhook::of(webhook, waiting(&api, id).await, &caller, &api.keys).with_secret(&secret);
        Ok(Answer::new(StatusCode::OK, &shown).with("etag", tag))
    };
    once.perform(&api, &caller, sent, act).await
}
