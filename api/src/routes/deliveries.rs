//! Deliveries: a webhook's, listed; one with all its attempts; and once more.

use std::net::IpAddr;

use axum::{
    Json,
    extract::{Path, State as Extract},
    http::StatusCode,
    response::Response,
};
use jiff::Timestamp;
use posthorn_domain::{
    delivery,
    event::ContentDigest,
    id::{EventRef, WebhookId},
    outcome::{self, Outcome, OutcomeKind, UnreachableClass},
    step::StepKind,
    webhook,
    words::UnknownWord,
};
use posthorn_matching::{pattern::Steps, rule::Rule};
use posthorn_store::{AttemptRecord, DeliveryFilter, EventRecord, WebhookRecord};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    body::OptionalBody,
    caller::{Caller, May, Read, Write},
    id,
    once::{Answer, Once},
    problem::{Kind, Problem, Wrong},
    query::{Moment, PageOf, Query, limit, read_place, write_place},
    routes::{events, naming},
    state::{Api, Shared},
};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(redeliver))
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It waits for its first attempt.
    Waiting,
    /// It waits for its next attempt.
    Retrying,
    /// The receiver has accepted it.
    Succeeded,
    /// Its last retry failed, or the receiver wants no more.
    Failed,
}

impl State {
    /// What the step of its latest attempt says.
    pub(crate) fn after(step: Option<StepKind>) -> Self {
        match delivery::State::after(step) {
            delivery::State::Waiting => Self::Waiting,
            delivery::State::Retrying => Self::Retrying,
            delivery::State::Succeeded => Self::Succeeded,
            delivery::State::Failed => Self::Failed,
        }
    }
}

/// How long the parts of an attempt took, one after the other, in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Phases {
    /// Looking up the host's name; null if there was no need to.
    dns_ms: Option<i64>,
    /// Connecting, with the TLS handshake; null on a connection that was there.
    connect_ms: Option<i64>,
    /// From then to the answer's headers, or to the end without an answer.
    first_byte_ms: Option<i64>,
}

/// A header of an answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Header {
    name: String,
    value: String,
}

impl From<(String, String)> for Header {
    fn from((name, value): (String, String)) -> Self {
        Self { name, value }
    }
}

impl From<outcome::Phases> for Phases {
    fn from(phases: outcome::Phases) -> Self {
        let millis = |time: std::time::Duration| time.as_millis() as i64;
        Self {
            dns_ms: phases.dns.map(millis),
            connect_ms: phases.connect.map(millis),
            first_byte_ms: Some(millis(phases.first_byte)),
        }
    }
}

/// A delivery, with its latest attempt.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Delivery {
    /// The event: the `webhook-id` that receivers see.
    #[schema(value_type = String)]
    event_ref: EventRef,
    /// Its producer's id, unique within its company.
    event_id: String,
    /// Its company.
    company_id: String,
    /// Its type.
    event_type: String,
    /// The webhook.
    #[schema(value_type = String)]
    webhook_id: WebhookId,
    /// How far it is.
    state: State,
    /// The latest attempt.
    last_attempt: Attempt,
}

/// A delivery with all its attempts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryDetail {
    /// The event: the `webhook-id` that receivers see.
    #[schema(value_type = String)]
    event_ref: EventRef,
    /// Its producer's id, unique within its company.
    event_id: String,
    /// Its company.
    company_id: String,
    /// Its type.
    event_type: String,
    /// The webhook.
    #[schema(value_type = String)]
    webhook_id: WebhookId,
    /// How far it is.
    state: State,
    /// Its attempts, the first first; of very many the latest 200.
    attempts: Vec<Attempt>,
}

/// One HTTP request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Attempt {
    /// Counted from 1; again from 1 after the webhook was enabled, and after a redelivery.
    attempt: i32,
    /// The webhook's epoch.
    epoch: i32,
    /// When it began.
    started_at: Timestamp,
    /// How long it took.
    duration_ms: i32,
    /// How long its parts took.
    phases: Phases,
    /// `accepted`, `refused`, `gone`, `unreachable` or `interrupted`.
    #[schema(value_type = String)]
    outcome: OutcomeKind,
    /// The HTTP status.
    status: Option<u16>,
    /// Why there was no answer: dns, connect, tls, timeout, reset, blocked, invalid_reply.
    #[schema(value_type = Option<String>)]
    unreachable_class: Option<UnreachableClass>,
    /// The same in words; where a receiver redirects, where to.
    error: Option<String>,
    /// Where it went, if there was no answer; only for tokens that see all companies.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    address: Option<IpAddr>,
    /// The answer's headers, as far as they are kept: 32, each at most 512 bytes, and 4 KiB in all.
    response_headers: Vec<Header>,
    /// The beginning of the answer, at most 4 KiB.
    response_body: Option<String>,
    /// Which content was sent: `digest` of the event, or of one of its conflicts.
    digest: String,
    /// What followed: `succeed`, `retry`, `give_up`, or `disable` if the webhook was disabled because of it.
    #[schema(value_type = String)]
    step: StepKind,
    /// When the next one was due.
    next_attempt_at: Option<Timestamp>,
}

impl From<AttemptRecord> for Attempt {
    fn from(row: AttemptRecord) -> Self {
        let status = row.outcome.status();
        let (class, error) =
            row.outcome.unreachable().map(|(class, error)| (class, error.to_owned())).unzip();
        let moved = status.and_then(|status| Outcome::moved(status, &row.response_headers));
        let phases = Phases {
            dns_ms: row.dns_ms.map(Into::into),
            connect_ms: row.connect_ms.map(Into::into),
            first_byte_ms: row.first_byte_ms.map(Into::into),
        };
        Self {
            attempt: row.attempt,
            epoch: row.epoch,
            started_at: row.started_at,
            duration_ms: row.duration_ms,
            phases,
            outcome: row.outcome.kind(),
            status,
            unreachable_class: class,
            error: error.or(moved),
            address: row.address,
            response_headers: row.response_headers.into_iter().map(Header::from).collect(),
            response_body: row.response_body,
            digest: row.digest.to_string(),
            step: row.step.kind(),
            next_attempt_at: row.step.next_attempt(),
        }
    }
}

/// An attempt as this caller may see it.
pub(crate) fn told(row: AttemptRecord, caller: &Caller) -> AttemptRecord {
    let address = row.address.filter(|_| caller.sees_addresses());
    AttemptRecord { address, ..row }
}

impl From<AttemptRecord> for Delivery {
    fn from(row: AttemptRecord) -> Self {
        Self {
            event_ref: row.event_ref,
            event_id: row.event_id.to_string(),
            company_id: row.company_id.clone(),
            event_type: row.event_type.clone(),
            webhook_id: row.webhook_id,
            state: State::after(Some(row.step.kind())),
            last_attempt: row.into(),
        }
    }
}

/// What a list of deliveries may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    cursor: Option<String>,
    /// Only those whose latest attempt came to this, or to one of these: accepted, refused, gone,
    /// unreachable, interrupted.
    #[param(example = "refused,unreachable")]
    outcome: Option<String>,
    /// Only those whose latest attempt began since then.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Moment>,
    /// Only those whose latest attempt began before.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Moment>,
    /// Only of this event type; `*` stands for any run of characters.
    event_type: Option<String>,
}

fn outcomes(text: &str) -> Result<Vec<OutcomeKind>, Problem> {
    let outcomes: Result<Vec<OutcomeKind>, UnknownWord> = text.split(',').map(str::parse).collect();
    outcomes.map_err(|unknown| {
        let detail = format!("`{}` is not one of {}", unknown.word, unknown.known.join(", "));
        Problem::parameters(vec![Wrong::parameter("outcome", "unknown_outcome", detail)])
    })
}

/// List a webhook's deliveries
///
/// Those of which an attempt was made, each with its latest; the latest first. A page looks at a bounded
/// number of attempts: with filters it may hold few, or none, though more follow.
#[utoipa::path(get, path = "/v1/webhooks/{id}/deliveries", tag = "deliveries", params(("id" = String, Path), ListQuery),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<Delivery>)))]
async fn list(
    May { caller, .. }: May<Read>,
    Extract(api): Extract<Shared>,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageOf<Delivery>>, Problem> {
    let limit = limit(query.limit)?;
    let place = read_place(query.cursor.as_deref())?;
    let event_type = query.event_type.as_deref();
    let filter = DeliveryFilter {
        outcomes: query.outcome.as_deref().map(outcomes).transpose()?,
        since: query.since.map(|Moment(at)| at),
        until: query.until.map(|Moment(at)| at),
        event_type: event_type.map(|text| events::event_type("event_type", text)).transpose()?,
        companies: caller.companies.clone(),
    };
    let webhook = api.webhook(&caller, id::webhook(&id)?).await?;
    let page = api.store.history.deliveries(webhook.described.id, &filter, place.as_ref(), limit).await?;
    Ok(Json(PageOf {
        data: page.rows.into_iter().map(|row| told(row, &caller).into()).collect(),
        next_cursor: page.next.map(write_place),
    }))
}

/// Show a delivery
///
/// One event to one webhook, with all its attempts.
#[utoipa::path(get, path = "/v1/deliveries/{event}/{webhook}", tag = "deliveries",
    params(("event" = String, Path), ("webhook" = String, Path)),
    security(("token" = ["read"])), responses((status = 200, body = DeliveryDetail)))]
async fn show(
    May { caller, .. }: May<Read>,
    Extract(api): Extract<Shared>,
    Path((event, webhook)): Path<(String, String)>,
) -> Result<Json<DeliveryDetail>, Problem> {
    let webhook = api.webhook(&caller, id::webhook(&webhook)?).await?.described.id;
    let found = naming::event(&api, &caller, &event).await?;
    let event = events::decode(&found)?;
    let attempts = api.store.history.attempts(found.event_ref, webhook).await?;
    let is_wanted = found.webhook_ids.contains(&webhook);
    if attempts.is_empty() && !is_wanted {
        return Err(Problem::not_found("delivery: the webhook did not want the event"));
    }
    let latest = latest(&attempts, found.digest).or(attempts.last().filter(|_| !is_wanted));
    Ok(Json(DeliveryDetail {
        event_ref: found.event_ref,
        event_id: found.id.0,
        company_id: event.company_id,
        event_type: event.event_type,
        webhook_id: webhook,
        state: State::after(latest.map(|attempt| attempt.step.kind())),
        attempts: attempts.into_iter().map(|row| told(row, &caller).into()).collect(),
    }))
}

/// The latest attempt to send this content.
pub(crate) fn latest(attempts: &[AttemptRecord], content: ContentDigest) -> Option<&AttemptRecord> {
    attempts.iter().rev().find(|attempt| attempt.digest == content)
}

/// A delivery that was put into its webhook's queue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Redelivered {
    /// The event: the `webhook-id` that receivers see.
    #[schema(value_type = String)]
    event_ref: EventRef,
    /// Its producer's id, unique within its company.
    event_id: String,
    /// The webhook.
    #[schema(value_type = String)]
    webhook_id: WebhookId,
}

/// Nothing needs to be said.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Deliver once more
///
/// Puts the delivery into the webhook's queue, with the same `webhook-id` and the content that was recorded
/// first; attempts count from 1 again. Also for an event that the webhook's rules match only now. 409 unless
/// the webhook is enabled and wants the event.
#[utoipa::path(post, path = "/v1/deliveries/{event}/{webhook}/redeliver", tag = "deliveries",
    params(("event" = String, Path), ("webhook" = String, Path)), request_body(content = Option<Nothing>),
    security(("token" = ["write"])), extensions(("x-idempotent" = json!(true))),
    responses((status = 202, body = Redelivered), (status = 409, description = "The webhook is not enabled")))]
async fn redeliver(
    May { caller, .. }: May<Write>,
    Extract(api): Extract<Shared>,
    Path((event, webhook)): Path<(String, String)>,
    once: Once,
    OptionalBody(body): OptionalBody<Nothing>,
) -> Result<Response, Problem> {
    let webhook = api.webhook(&caller, id::webhook(&webhook)?).await?;
    let found = naming::event(&api, &caller, &event).await?;
    let (shared, actor) = (api.clone(), caller.acts("delivery.redeliver"));
    let act = async move {
        must_be_enabled(&webhook)?;
        must_be_wanted(&shared, &webhook, &found)?;
        let EventRecord { event_ref, id: event_id, message, received_at, .. } = found;
        let webhook_id = webhook.described.id;
        let promised = shared
            .store
            .background
            .add_redelivery(webhook_id, event_ref, message, received_at, &actor)
            .await?;
        shared.send(promised).await;
        let redelivered = Redelivered { event_ref, event_id: event_id.to_string(), webhook_id };
        Ok(Answer::new(StatusCode::ACCEPTED, &redelivered))
    };
    once.perform(&api, &caller, body.sent, act).await
}

/// Nothing reaches a webhook that its rules keep from it.
fn must_be_wanted(api: &Api, webhook: &WebhookRecord, found: &EventRecord) -> Result<(), Problem> {
    let event = events::decode(found)?;
    if found.webhook_ids.contains(&webhook.described.id) {
        return Ok(());
    }
    let steps = Steps::new(api.settings.most_match_steps);
    match Rule::any_matches(&webhook.described.rules, &event.received_at(found.received_at), &steps) {
        Ok(true) => Ok(()),
        Err(costly) => Err(Problem::new(Kind::Conflict, costly.to_string())),
        Ok(false) => {
            Err(Problem::new(Kind::Conflict, "the webhook did not want this event, and does not now"))
        }
    }
}

/// Nothing is put into the queue of a webhook that gets nothing.
pub(crate) fn must_be_enabled(webhook: &WebhookRecord) -> Result<(), Problem> {
    match webhook.state {
        webhook::State::Enabled => Ok(()),
        state => {
            let detail = format!("the webhook is {state}: enable or resume it first");
            Err(Problem::new(Kind::Conflict, detail))
        }
    }
}
