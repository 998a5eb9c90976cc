//! Replays: deliveries of a time made again, in the background.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use jiff::Timestamp;
use posthorn_domain::{
    id::WebhookId,
    replay::{self, Kind},
};
use posthorn_matching::event_type::TypePattern;
use posthorn_store::{NewReplay, ReplayRecord};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    body::Body,
    caller::{Caller, May, Read, Write},
    id::{self, ReplayId},
    once::{Answer, Once},
    problem::{Problem, Wrong},
    query::{Moment, PageOf, Query, limit, next_page, read_cursor},
    routes::deliveries::must_be_enabled,
    state::{Api, Shared},
};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(begin))
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(cancel))
}

/// Which deliveries are made again.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Which {
    /// Those whose last retry failed, or whose receiver wanted no more.
    Failed,
    /// Those of events that matched while the webhook was paused or disabled.
    Missed,
    /// Those, and all that were delivered.
    All,
}

/// What is to be delivered again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ReplayInput {
    /// Of events received since then,
    #[schema(required = true, nullable = false, value_type = String, format = DateTime)]
    since: Option<Moment>,
    /// and before. Left out: until now.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Moment>,
    /// Of these types; `*` stands for any run of characters. Left out: of all.
    #[schema(max_items = 200)]
    event_types: Option<Vec<String>>,
    /// Which of them.
    #[schema(required = true, nullable = false, value_type = Which)]
    only: Option<Which>,
    /// Only count them.
    #[schema(default = false)]
    dry_run: Option<bool>,
}

/// A replay and how far it has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Replay {
    /// `rpl_…`
    id: String,
    /// The webhook.
    #[schema(value_type = String)]
    webhook_id: WebhookId,
    /// Of events received since then,
    since: Timestamp,
    /// and before.
    until: Timestamp,
    /// Of these types; null for all.
    #[schema(value_type = Option<Vec<String>>)]
    event_types: Option<Vec<TypePattern>>,
    /// `failed`, `missed` or `all`.
    #[schema(value_type = String)]
    only: Kind,
    /// Whether they are only counted.
    dry_run: bool,
    /// `running`, `finished`, `canceled`, or `stopped` because the webhook gets nothing any more.
    #[schema(value_type = String)]
    state: replay::State,
    /// Why it stopped.
    error: Option<String>,
    /// Events received up to then are done.
    done_until: Option<Timestamp>,
    /// How many events were looked at.
    examined: i64,
    /// How many of them are to be delivered again.
    found: i64,
    /// How many of these were put into the webhook's queue.
    published: i64,
    /// When it was asked for.
    created_at: Timestamp,
    /// When it came further last.
    updated_at: Timestamp,
    /// When it ended.
    finished_at: Option<Timestamp>,
}

impl From<ReplayRecord> for Replay {
    fn from(replay: ReplayRecord) -> Self {
        Self {
            id: ReplayId(replay.asked.id).to_string(),
            webhook_id: replay.asked.webhook_id,
            since: replay.asked.since,
            until: replay.asked.until,
            event_types: replay.asked.event_types,
            only: replay.asked.kind,
            dry_run: replay.asked.dry_run,
            state: replay.state,
            error: replay.error,
            done_until: replay.done.map(|done| done.at),
            examined: replay.examined,
            found: replay.found,
            published: replay.published,
            created_at: replay.created_at,
            updated_at: replay.updated_at,
            finished_at: replay.finished_at,
        }
    }
}

impl ReplayInput {
    fn check(self, webhook: WebhookId, caller: &Caller, now: Timestamp) -> Result<NewReplay, Problem> {
        let mut wrong = Vec::new();
        let until = self.until.map_or(now, |Moment(at)| at);
        if self.since.is_none() {
            wrong.push(Wrong::at("/since", "required", "say since when"));
        }
        if self.only.is_none() {
            wrong.push(Wrong::at("/only", "required", "say which: failed, missed or all"));
        }
        if self.since.is_some_and(|Moment(since)| since >= until) {
            wrong.push(Wrong::at("/since", "contradiction", "it is not before `until`"));
        }
        let types = self.event_types;
        if types.as_ref().is_some_and(|types| types.is_empty() || types.len() > 200) {
            let detail = "give 1 to 200 event types, or leave it out for all";
            wrong.push(Wrong::at("/event_types", "out_of_range", detail));
        }
        let mut read = Vec::new();
        for (place, text) in types.iter().flatten().enumerate() {
            match text.parse::<TypePattern>() {
                Ok(pattern) => read.push(pattern),
                Err(error) => {
                    let pointer = format!("/event_types/{place}");
                    wrong.push(Wrong::at(pointer, "bad_event_type", error.to_string()));
                }
            }
        }
        let (Some(Moment(since)), Some(only), true) = (self.since, self.only, wrong.is_empty()) else {
            return Err(Problem::invalid(wrong));
        };
        let kind = match only {
            Which::Failed => Kind::Failed,
            Which::Missed => Kind::Missed,
            Which::All => Kind::All,
        };
        Ok(NewReplay {
            id: Uuid::now_v7(),
            webhook_id: webhook,
            since,
            until,
            event_types: types.map(|_| read),
            kind,
            dry_run: self.dry_run.unwrap_or_default(),
            companies: caller.companies.clone(),
        })
    }
}

/// Begin a replay
///
/// Deliveries go into the webhook's queue, a few at a time and behind what comes anew, with the same
/// `webhook-id`; attempts count from 1 again. The replay goes on in the background, also when the API is
/// started anew. 409 unless the webhook is enabled; a dry run is always possible.
#[utoipa::path(post, path = "/v1/webhooks/{id}/replay", tag = "deliveries", params(("id" = String, Path)),
    request_body = ReplayInput, security(("token" = ["write"])), extensions(("x-idempotent" = json!(true))),
    responses((status = 202, body = Replay), (status = 409, description = "The webhook is not enabled")))]
async fn begin(
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    once: Once,
    body: Body<ReplayInput>,
) -> Result<Response, Problem> {
    let webhook = api.webhook(&caller, id::webhook(&id)?).await?;
    let (shared, by, Body { value, sent }) = (api.clone(), caller.clone(), body);
    let act = async move {
        let (api, caller) = (shared, by);
        let replay = value.check(webhook.described.id, &caller, Timestamp::now())?;
        if !replay.dry_run {
            must_be_enabled(&webhook)?;
        }
        let replay = api.store.background.add_replay(&replay, &caller.acts("webhook.replay")).await?;
        let location = format!("/v1/replays/{}", ReplayId(replay.asked.id));
        Ok(Answer::new(StatusCode::ACCEPTED, &Replay::from(replay)).with("location", location))
    };
    once.perform(&api, &caller, sent, act).await
}

/// What a list of replays may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    cursor: Option<String>,
}

/// List a webhook's replays
///
/// The latest first.
#[utoipa::path(get, path = "/v1/webhooks/{id}/replays", tag = "deliveries", params(("id" = String, Path), ListQuery),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<Replay>)))]
async fn list(
    May { caller, .. }: May<Read>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageOf<Replay>>, Problem> {
    let limit = limit(query.limit)?;
    let before = read_cursor::<Uuid>(query.cursor.as_deref())?;
    let webhook = api.webhook(&caller, id::webhook(&id)?).await?;
    let replays = api.store.background.replays(webhook.described.id, before, limit as i64).await?;
    let next_cursor = next_page(&replays, limit, |replay| replay.asked.id);
    Ok(Json(PageOf { data: replays.into_iter().map(Replay::from).collect(), next_cursor }))
}

/// Show a replay
#[utoipa::path(get, path = "/v1/replays/{id}", tag = "deliveries", params(("id" = String, Path)),
    security(("token" = ["read"])), responses((status = 200, body = Replay)))]
async fn show(
    May { caller, .. }: May<Read>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Replay>, Problem> {
    Ok(Json(find(&api, &caller, &id).await?.into()))
}

/// Cancel a replay
///
/// What it has put into the webhook's queue is delivered all the same. One that has ended stays as it is.
#[utoipa::path(post, path = "/v1/replays/{id}/cancel", tag = "deliveries", params(("id" = String, Path)),
    security(("token" = ["write"])), responses((status = 200, body = Replay)))]
async fn cancel(
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Replay>, Problem> {
    let replay = find(&api, &caller, &id).await?;
    let canceled = api.store.background.cancel_replay(replay.asked.id, &caller.acts("replay.cancel")).await?;
    Ok(Json(canceled.ok_or_else(|| Problem::not_found("replay"))?.into()))
}

/// A replay of a webhook that the caller may see.
async fn find(api: &Api, caller: &Caller, id: &str) -> Result<ReplayRecord, Problem> {
    let not_found = || Problem::not_found("replay");
    let replay = api.store.background.replay(ReplayId::read(id)?.0).await?.ok_or_else(not_found)?;
    match api.webhook(caller, replay.asked.webhook_id).await {
        Ok(_) => Ok(replay),
        // It tells nothing of the webhook. Any other problem is told as it is.
        Err(problem) if problem.status() == 404 => Err(not_found()),
        Err(problem) => Err(problem),
    }
}
