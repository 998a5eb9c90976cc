//! The audit log: who changed what.

use axum::{Json, extract::State};
use jiff::Timestamp;
use posthorn_store::AuditEntry;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::{Admin, May},
    id::TokenId,
    problem::Problem,
    query::{PageOf, Query, limit, next_page, no_nul, read_cursor},
    state::Shared,
};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

/// One thing that somebody did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Entry {
    /// Rises.
    id: i64,
    /// When.
    at: Timestamp,
    /// With which token; null for a command, for Posthorn itself, and for POSTHORN_ADMIN_TOKEN.
    token_id: Option<String>,
    /// Who.
    actor: String,
    /// The id of the request.
    request_id: Option<String>,
    /// What, such as `webhook.pause`.
    action: String,
    /// To what kind of thing: `webhook`, `token`, `replay`, `delivery`, `rejected_event`.
    subject: String,
    /// To which.
    subject_id: String,
    /// What it was, without secrets.
    #[schema(value_type = Option<Object>)]
    before: Option<Box<RawValue>>,
    /// What it is, without secrets.
    #[schema(value_type = Option<Object>)]
    after: Option<Box<RawValue>>,
}

impl From<AuditEntry> for Entry {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            token_id: entry.token_id.map(|id| TokenId(id).to_string()),
            actor: entry.actor,
            request_id: entry.request_id,
            action: entry.action,
            subject: entry.subject,
            subject_id: entry.subject_id,
            before: entry.before,
            after: entry.after,
        }
    }
}

/// What the audit log may be asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    cursor: Option<String>,
    /// Only what was done to this: the id of a webhook, a token, …
    subject_id: Option<String>,
}

/// Read the audit log
///
/// The latest first. It tells of changes by the API, by commands and by Posthorn itself.
#[utoipa::path(get, path = "/v1/audit-log", tag = "audit log", params(ListQuery),
    security(("token" = ["admin"])), responses((status = 200, body = PageOf<Entry>)))]
async fn list(
    _: May<Admin>,
    State(api): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Json<PageOf<Entry>>, Problem> {
    let limit = limit(query.limit)?;
    let before = read_cursor::<i64>(query.cursor.as_deref())?;
    let subject = query.subject_id.as_deref().map(|text| no_nul("subject_id", text)).transpose()?;
    let entries = api.store.access.audit_log(before, subject.as_deref(), limit as i64).await?;
    let next_cursor = next_page(&entries, limit, |entry| entry.id);
    Ok(Json(PageOf { data: entries.into_iter().map(Entry::from).collect(), next_cursor }))
}
