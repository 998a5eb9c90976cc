//! What a webhook was at a time. A trigger writes it, whoever changes the webhook.

use jiff::Timestamp;
use posthorn_domain::{id::WebhookId, webhook::State};
use posthorn_matching::rule::Rule;
use tokio_postgres::Row;

use super::rows::read_rules;
use crate::{columns::word, error::StoreError, store::Webhooks};

/// What a webhook was for some time.
#[derive(Debug, Clone)]
pub struct Version {
    /// From then.
    pub since: Timestamp,
    /// Until then; `None` for the current one.
    pub until: Option<Timestamp>,
    /// Its state.
    pub state: State,
    /// Its rules; none if this version cannot read them.
    pub rules: Vec<Rule>,
}

impl Webhooks {
    /// What a webhook was between two times, in order.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn versions(
        &self,
        webhook: WebhookId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Version>, StoreError> {
        let query = "SELECT since, until, state, rules FROM webhook_versions
                     WHERE webhook_id = $1 AND since <= $3 AND (until IS NULL OR until > $2) ORDER BY since";
        let client = self.pool.client().await?;
        let rows = client.query(query, &[&webhook.0, &since, &until]).await;
        let rows = rows.map_err(StoreError::query("look at what the webhook was"))?;
        rows.iter().map(|row| read(row, webhook)).collect()
    }
}

fn read(row: &Row, id: WebhookId) -> Result<Version, StoreError> {
    Ok(Version {
        since: row.get("since"),
        until: row.get("until"),
        state: word(row, "state").map_err(StoreError::unreadable(format!("what webhook {id} was")))?,
        rules: read_rules(row).unwrap_or_default(),
    })
}
