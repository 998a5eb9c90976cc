//! Replays: deliveries of a time made again, in the background.

use jiff::Timestamp;
use posthorn_domain::{
    id::WebhookId,
    replay::{self, Kind as ReplayKind},
};
use posthorn_matching::event_type::TypePattern;
use posthorn_store::{NewReplay, ReplayRecord};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    deliveries::must_be_enabled,
    error::{Error, Kind, Wrong},
    ids::{self, ReplayId},
    manage::{Manage, Shared},
    moment::Moment,
    once::{Done, Once},
    page::{PageOf, Paging},
    principal::{May, Principal, Read, Write},
};

/// Which deliveries are made again.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Which {
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
pub struct ReplayInput {
    /// Of events received since then,
    #[schema(required = true, nullable = false, value_type = String, format = DateTime)]
    pub since: Option<Moment>,
    /// and before. Left out: until now.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Moment>,
    /// Of these types; `*` stands for any run of characters. Left out: of all.
    #[schema(max_items = 200)]
    pub event_types: Option<Vec<String>>,
    /// Which of them.
    #[schema(required = true, nullable = false, value_type = Which)]
    pub only: Option<Which>,
    /// Only count them.
    #[schema(default = false)]
    pub dry_run: Option<bool>,
}

/// A replay and how far it has come.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Replay {
    /// `rpl_…`
    pub id: String,
    /// The webhook.
    #[schema(value_type = String)]
    pub webhook_id: WebhookId,
    /// Of events received since then,
    pub since: Timestamp,
    /// and before.
    pub until: Timestamp,
    /// Of these types; null for all.
    #[schema(value_type = Option<Vec<String>>)]
    pub event_types: Option<Vec<TypePattern>>,
    /// `failed`, `missed` or `all`.
    #[schema(value_type = String)]
    pub only: ReplayKind,
    /// Whether they are only counted.
    pub dry_run: bool,
    /// `running`, `finished`, `canceled`, or `stopped` because the webhook gets nothing any more.
    #[schema(value_type = String)]
    pub state: replay::State,
    /// Why it stopped.
    pub error: Option<String>,
    /// Events received up to then are done.
    pub done_until: Option<Timestamp>,
    /// How many events were looked at.
    pub examined: i64,
    /// How many of them are to be delivered again.
    pub found: i64,
    /// How many of these were put into the webhook's queue.
    pub published: i64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it came further last.
    pub updated_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
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
    fn check(self, webhook: WebhookId, by: &Principal, now: Timestamp) -> Result<NewReplay, Error> {
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
            return Err(Error::invalid(wrong));
        };
        let kind = match only {
            Which::Failed => ReplayKind::Failed,
            Which::Missed => ReplayKind::Missed,
            Which::All => ReplayKind::All,
        };
        Ok(NewReplay {
            id: Uuid::now_v7(),
            webhook_id: webhook,
            since,
            until,
            event_types: types.map(|_| read),
            kind,
            dry_run: self.dry_run.unwrap_or_default(),
            companies: by.companies.clone(),
        })
    }
}

/// What a list of replays may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct List {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    pub limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    pub cursor: Option<String>,
}

/// Begins a replay: deliveries go into the webhook's queue, a few at a time and behind what comes anew, with the
/// same `webhook-id`; attempts count from 1 again.
///
/// # Errors
/// If the input is wrong, there is no such webhook, or it is not enabled; a dry run is always possible.
pub async fn begin(
    manage: &Shared,
    by: &May<Write>,
    webhook: &str,
    once: Once,
    input: ReplayInput,
) -> Result<Done<Replay>, Error> {
    let webhook = manage.webhook(by, ids::webhook(webhook)?).await?;
    let (shared, may) = (manage.clone(), by.clone());
    let act = async move {
        let replay = input.check(webhook.described.id, &may, Timestamp::now())?;
        if !replay.dry_run {
            must_be_enabled(&webhook)?;
        }
        let begun = shared.store.background.add_replay(&replay, &may.acts("webhook.replay")).await?;
        Ok(Replay::from(begun))
    };
    manage.once(by, once, act).await
}

/// A webhook's replays, the latest first.
///
/// # Errors
/// If what is asked for cannot be, or there is no such webhook.
pub async fn list(
    manage: &Manage,
    by: &May<Read>,
    webhook: &str,
    asked: List,
) -> Result<PageOf<Replay>, Error> {
    let paging = Paging::<Uuid>::read(asked.limit, asked.cursor.as_deref())?;
    let webhook = manage.webhook(by, ids::webhook(webhook)?).await?.described.id;
    let rows = manage.store.background.replays(webhook, paging.behind, paging.limit as i64).await?;
    Ok(paging.page(rows, |replay| replay.asked.id, Replay::from))
}

/// Shows a replay.
///
/// # Errors
/// If there is none.
pub async fn show(manage: &Manage, by: &May<Read>, id: &str) -> Result<Replay, Error> {
    Ok(find(manage, by, id).await?.into())
}

/// Cancels a replay: what it has put into the webhook's queue is delivered all the same. One that has ended
/// stays as it is.
///
/// # Errors
/// If there is none.
pub async fn cancel(manage: &Manage, by: &May<Write>, id: &str) -> Result<Replay, Error> {
    let replay = find(manage, by, id).await?;
    let canceled = manage.store.background.cancel_replay(replay.asked.id, &by.acts("replay.cancel")).await?;
    Ok(canceled.ok_or_else(not_found)?.into())
}

/// A replay of a webhook that the principal may see.
async fn find(manage: &Manage, by: &Principal, id: &str) -> Result<ReplayRecord, Error> {
    let replay = manage.store.background.replay(ReplayId::read(id)?.0).await?.ok_or_else(not_found)?;
    match manage.webhook(by, replay.asked.webhook_id).await {
        Ok(_) => Ok(replay),
        // It tells nothing of the webhook. Any other error is told as it is.
        Err(error) if error.kind == Kind::NotFound => Err(not_found()),
        Err(error) => Err(error),
    }
}

fn not_found() -> Error {
    Error::not_found("replay")
}
