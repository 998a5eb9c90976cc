//! Webhooks: made, shown, listed, changed, deleted.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use posthorn_domain::{
    id::WebhookId,
    keyring::KeyRing,
    signature::Secret,
    token::Scope,
    webhook::{Condition, DisablePolicy, DisabledReason},
};
use posthorn_matching::{event_type::is_event_type, rule::Rule};
use posthorn_store::{Charge, NewWebhook, Tenant, WebhookRecord};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    body::{Body, Patch},
    caller::{Caller, May, Read, Write},
    id,
    once::{Answer, Once},
    problem::{Kind, Problem, Wrong},
    query::{PageOf, Query, limit, read_cursor, write_cursor},
    routes::webhook_input::{WebhookInput, patched},
    schema,
    state::{Api, Shared},
    version,
};

/// How many webhooks a page looks at.
const MOST_SCANNED: i64 = 1000;
/// How long a change waits for others of the same webhook.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, update, remove))
}

/// A webhook.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Webhook {
    /// `whk_…`
    #[schema(value_type = String, example = "whk_0192f0c1d2e37a4bb5c6d7e8f9a0b1c2")]
    id: WebhookId,
    /// What people call it.
    name: String,
    /// What people say about it.
    description: String,
    /// Where deliveries go.
    url: String,
    /// Which events it wants.
    #[schema(value_type = Vec<schema::Rule>)]
    rules: Vec<Rule>,
    /// Headers of its own for every request; without the scope `write` their values are null.
    headers: BTreeMap<String, Option<String>>,
    /// Whether attempts may speak HTTP/2, if the receiver offers it.
    http2: bool,
    /// The deadline of an attempt.
    timeout_ms: u64,
    /// How many attempts each dispatcher makes at a time.
    max_in_flight: u16,
    /// What disables it.
    #[schema(value_type = schema::DisablePolicy)]
    disable_policy: DisablePolicy,
    /// What its owner wants to remember of it.
    metadata: BTreeMap<String, String>,
    /// The e-mail address that is told when it fails.
    contact: Option<String>,
    /// Its state.
    #[schema(value_type = schema::Condition)]
    state: Condition,
    /// Why and since when it is disabled; null unless it is.
    disabled: Option<Disabled>,
    /// Rises when it is enabled again: attempts count from 1 in each epoch.
    epoch: u32,
    /// Deliveries in its queue; null if RabbitMQ does not tell.
    waiting: Option<u32>,
    /// Since when the delivery waits that has waited longest, of those that have failed and will be tried
    /// again and, of the latest 1,000 events, of those that were never tried; only where one webhook is
    /// shown.
    oldest_waiting_at: Option<Timestamp>,
    /// When an attempt was accepted last.
    last_accepted_at: Option<Timestamp>,
    /// When an attempt failed last.
    last_failed_at: Option<Timestamp>,
    /// When it was made.
    created_at: Timestamp,
    /// When it was changed last.
    updated_at: Timestamp,
    /// The secret that signs; only in the answer to the request that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false, example = "whsec_…")]
    secret: Option<String>,
}

/// Why and since when a webhook is disabled.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Disabled {
    /// `exhausted`: a delivery's last retry failed; `gone`: the receiver answered 410; `operator`: a person.
    #[schema(value_type = String)]
    reason: DisabledReason,
    /// Since when.
    at: Option<Timestamp>,
    /// The outcome of the attempt that disabled it; null if a person did.
    #[schema(value_type = Option<Object>)]
    outcome: Option<Value>,
}

impl Webhook {
    /// A webhook as this caller sees it.
    pub(crate) fn of(webhook: WebhookRecord, waiting: Option<u32>, caller: &Caller, keys: &KeyRing) -> Self {
        let state = webhook.condition();
        let headers = headers(&webhook.described, caller, keys);
        Self {
            id: webhook.described.id,
            name: webhook.described.name,
            description: webhook.described.description,
            url: webhook.described.url,
            rules: webhook.described.rules,
            headers,
            http2: webhook.described.http2,
            timeout_ms: webhook.described.timeout.as_millis() as u64,
            max_in_flight: webhook.described.max_in_flight,
            disable_policy: webhook.described.disable_policy,
            metadata: webhook.described.metadata,
            contact: webhook.described.contact,
            state,
            disabled: webhook.disabled_reason.map(|reason| Disabled {
                reason,
                at: webhook.disabled_at,
                outcome: webhook.disabled_outcome,
            }),
            epoch: webhook.epoch,
            waiting,
            oldest_waiting_at: None,
            last_accepted_at: webhook.last_accepted_at,
            last_failed_at: webhook.last_failed_at,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
            secret: None,
        }
    }

    /// The same with its secret, which is shown once.
    pub(crate) fn with_secret(self, secret: &Secret) -> Self {
        Self { secret: Some(secret.reveal()), ..self }
    }
}

/// Headers by name, with their values if the caller may see them, and if they open.
fn headers(webhook: &NewWebhook, caller: &Caller, keys: &KeyRing) -> BTreeMap<String, Option<String>> {
    let told =
        caller.may(Scope::Write).then(|| keys.open_headers(&webhook.headers, webhook.id).ok()).flatten();
    let value = |name: &String| told.as_ref().and_then(|values| values.get(name).cloned());
    webhook.headers.names.iter().map(|name| (name.clone(), value(name))).collect()
}

/// A webhook with all that is known of it, and its version.
pub(crate) async fn answer(api: &Api, caller: &Caller, webhook: WebhookRecord) -> Result<Response, Problem> {
    let tag = version::etag(webhook.revision);
    let shown = shown(api, caller, webhook).await?;
    Ok(([(header::ETAG, tag)], Json(shown)).into_response())
}

async fn shown(api: &Api, caller: &Caller, webhook: WebhookRecord) -> Result<Webhook, Problem> {
    let id = webhook.described.id;
    let (waiting, oldest) = tokio::join!(waiting(api, id), api.store.history.oldest_waiting(id));
    Ok(Webhook { oldest_waiting_at: oldest?, ..Webhook::of(webhook, waiting, caller, &api.keys) })
}

pub(crate) async fn waiting(api: &Api, id: WebhookId) -> Option<u32> {
    api.client.waiting(&[id]).await.into_iter().next().flatten()
}

/// What a list of webhooks may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    cursor: Option<String>,
    /// Only those in this state.
    #[param(value_type = Option<schema::Condition>)]
    state: Option<Condition>,
    /// Only those whose URL holds this text.
    url: Option<String>,
    /// Only those that may get events of this company.
    company: Option<String>,
    /// Only those that may get events of this type.
    event_type: Option<String>,
}

impl ListQuery {
    fn wants(&self, webhook: &WebhookRecord) -> bool {
        let described = &webhook.described;
        let any_rule = |fits: &dyn Fn(&Rule) -> bool| described.rules.iter().any(fits);
        self.state.is_none_or(|state| webhook.condition() == state)
            && self.url.as_ref().is_none_or(|text| described.url.contains(text))
            && any_rule(&|rule| {
                self.company.as_ref().is_none_or(|company| rule.may_want_company(company))
                    && self.event_type.as_ref().is_none_or(|wanted| rule.may_want_type(wanted))
            })
    }

    fn check(&self) -> Result<(), Problem> {
        match &self.event_type {
            Some(text) if !is_event_type(text) => {
                let detail = "an event type is dot-separated parts of [A-Za-z0-9_], such as todo.created";
                Err(Problem::parameters(vec![Wrong::parameter("event_type", "bad_event_type", detail)]))
            }
            _ => Ok(()),
        }
    }
}

/// List webhooks
///
/// The oldest first. A page looks at 1,000 webhooks at most: with filters it may hold few, or none, though
/// more follow.
#[utoipa::path(get, path = "/v1/webhooks", tag = "webhooks", params(ListQuery),
    security(("token" = ["read"])), responses((status = 200, body = PageOf<Webhook>)))]
async fn list(
    May { caller, .. }: May<Read>,
    State(api): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageOf<Webhook>>, Problem> {
    let limit = limit(query.limit)?;
    query.check()?;
    let after = read_cursor::<WebhookId>(query.cursor.as_deref())?;
    let companies = caller.companies.as_deref();
    let is_filtered =
        query.state.is_some() || query.url.is_some() || query.company.is_some() || query.event_type.is_some();
    let scanned = if is_filtered { MOST_SCANNED } else { limit as i64 };
    let webhooks = api.store.webhooks.after(after, scanned, companies).await?;
    let is_whole_scan = webhooks.len() as i64 == scanned;
    let last_scanned = webhooks.last().map(|webhook| webhook.described.id);
    let found: Vec<_> = webhooks.into_iter().filter(|webhook| query.wants(webhook)).take(limit).collect();
    let next = match found.last().map(|webhook| webhook.described.id) {
        Some(last) if found.len() == limit => Some(last),
        _ => last_scanned.filter(|_| is_whole_scan),
    };
    let ids: Vec<_> = found.iter().map(|webhook| webhook.described.id).collect();
    let waiting = api.client.waiting(&ids).await;
    let data = found.into_iter().zip(waiting);
    Ok(Json(PageOf {
        data: data.map(|(webhook, waiting)| Webhook::of(webhook, waiting, &caller, &api.keys)).collect(),
        next_cursor: next.as_ref().map(write_cursor),
    }))
}

/// Make a webhook
///
/// The answer holds its secret, which is not shown again.
#[utoipa::path(post, path = "/v1/webhooks", tag = "webhooks", request_body = WebhookInput,
    security(("token" = ["write"])), extensions(("x-idempotent" = json!(true))),
    responses((status = 201, body = Webhook)))]
async fn create(
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    once: Once,
    body: Body<WebhookInput>,
) -> Result<Response, Problem> {
    let (shared, by, Body { value, sent }) = (api.clone(), caller.clone(), body);
    let act = async move {
        let (api, caller) = (shared, by);
        let id = WebhookId(Uuid::now_v7());
        let webhook = value.check(id, &api, &caller)?;
        let (secret, sealed) = api.keys.fresh_secret(id, rand::random(), rand::random());
        let (charge, actor) = (charge(&api, &caller, &webhook.rules), caller.acts("webhook.create"));
        let webhook = api.store.webhooks.add(&webhook, &sealed, charge.as_ref(), &actor).await?;
        let tag = version::etag(webhook.revision);
        // Nothing waits yet. The broker is not asked: a router declares the queue a little later.
        let shown = Webhook::of(webhook, Some(0), &caller, &api.keys).with_secret(&secret);
        let answer = Answer::new(StatusCode::CREATED, &shown);
        Ok(answer.with("etag", tag).with("location", format!("/v1/webhooks/{id}")))
    };
    once.perform(&api, &caller, sent, act).await
}

/// Show a webhook
#[utoipa::path(get, path = "/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path)),
    security(("token" = ["read"])), responses((status = 200, body = Webhook)))]
async fn show(
    May { caller, .. }: May<Read>,
    State(api): State<Shared>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let webhook = api.webhook(&caller, id::webhook(&id)?).await?;
    answer(&api, &caller, webhook).await
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
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    patch: Patch,
) -> Result<Response, Problem> {
    let id = id::webhook(&id)?;
    let busy = || Problem::new(Kind::Unavailable, "it is being changed all the time: try again").after(1);
    let _turn = api.changes.take(id, PATIENCE).await.ok_or_else(busy)?;
    let began = Instant::now();
    // Only other processes can be quicker now; each time that one is, a change has been made.
    while began.elapsed() < PATIENCE {
        let was = api.webhook(&caller, id).await?;
        version::check(&headers, was.revision)?;
        let described = patched(&was, &patch.fields, &api.keys)?.check(id, &api, &caller)?;
        let (charge, actor) = (charge(&api, &caller, &described.rules), caller.acts("webhook.update"));
        let changed = api.store.webhooks.update(&described, was.revision, charge.as_ref(), &actor).await?;
        if let Some(webhook) = changed {
            return answer(&api, &caller, webhook).await;
        }
    }
    Err(busy())
}

/// Whose quotas a webhook is charged to: the company that all its rules name. One that sees several counts
/// for the installation, unless it is made with a token for these.
fn charge(api: &Api, caller: &Caller, rules: &[Rule]) -> Option<Charge> {
    let of = match (Rule::only_company(rules), &caller.companies) {
        (Some(company), _) => Tenant::Company(company.to_owned()),
        (None, Some(companies)) => Tenant::Several(companies.clone()),
        (None, None) => return None,
    };
    Some(Charge { of, quotas: api.settings.quotas })
}

/// Delete a webhook
///
/// It gets nothing more; what is in its queue goes with it. Its deliveries stay in the history.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path), ("if-match" = Option<String>, Header)),
    security(("token" = ["write"])), responses((status = 204, description = "It is deleted"), (status = 412, description = "It was changed meanwhile")))]
async fn remove(
    May { caller, .. }: May<Write>,
    State(api): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let webhook = api.webhook(&caller, id::webhook(&id)?).await?;
    version::check(&headers, webhook.revision)?;
    api.store.webhooks.delete(webhook.described.id, &caller.acts("webhook.delete")).await?;
    Ok(StatusCode::NO_CONTENT)
}
