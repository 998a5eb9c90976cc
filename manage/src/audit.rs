//! The audit log: who changed what.

use jiff::Timestamp;
use posthorn_store::AuditEntry;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::{
    error::Error,
    ids::TokenId,
    manage::Manage,
    page::{PageOf, Paging, text},
    principal::{Admin, May},
};

/// One thing that somebody did.
#[derive(Debug, Serialize, ToSchema)]
pub struct Entry {
    /// Rises.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// With which token; null for a command, for Posthorn itself, and for POSTHORN_ADMIN_TOKEN.
    pub token_id: Option<String>,
    /// Who.
    pub actor: String,
    /// The id of the request.
    pub request_id: Option<String>,
    /// What, such as `webhook.pause`.
    pub action: String,
    /// To what kind of thing: `webhook`, `token`, `replay`, `delivery`, `rejected_event`.
    pub subject: String,
    /// To which.
    pub subject_id: String,
    /// What it was, without secrets.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Box<RawValue>>,
    /// What it is, without secrets.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Box<RawValue>>,
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
pub struct List {
    /// How many at most.
    #[param(minimum = 1, maximum = 250, default = 50)]
    pub limit: Option<usize>,
    /// Where the page begins: `next_cursor` of the last.
    pub cursor: Option<String>,
    /// Only what was done to this: the id of a webhook, a token, …
    pub subject_id: Option<String>,
}

/// The audit log, the latest first.
///
/// # Errors
/// If what is asked for cannot be.
pub async fn list(manage: &Manage, _: &May<Admin>, asked: List) -> Result<PageOf<Entry>, Error> {
    let paging = Paging::<i64>::read(asked.limit, asked.cursor.as_deref())?;
    let subject = text("subject_id", asked.subject_id.as_deref())?;
    let rows = manage.store.access.audit_log(paging.behind, subject.as_deref(), paging.limit as i64).await?;
    Ok(paging.page(rows, |entry| entry.id, Entry::from))
}
