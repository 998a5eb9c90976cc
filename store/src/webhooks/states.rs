//! What stops a webhook and lets it go on.

use posthorn_domain::{id::WebhookId, webhook::State};

use super::record::WebhookRecord;
use crate::{actor::Actor, columns::word, error::StoreError, store::Webhooks};

impl Webhooks {
    /// Enables a disabled webhook in a new epoch: attempts of what waits count from 1. An enabled one
    /// stays as it is.
    ///
    /// # Errors
    /// If it is unknown or paused.
    pub async fn enable(&self, id: WebhookId, actor: &Actor) -> Result<WebhookRecord, StoreError> {
        let update = "UPDATE webhooks SET state = 'enabled', epoch = epoch + 1, disabled_reason = NULL,
                      disabled_at = NULL, disabled_outcome = NULL WHERE id = $1 AND state = 'disabled'";
        self.change(id, actor, update, State::Enabled, "resume it instead").await
    }

    /// Disables a webhook because an operator says so.
    ///
    /// # Errors
    /// If it is unknown.
    pub async fn disable(&self, id: WebhookId, actor: &Actor) -> Result<WebhookRecord, StoreError> {
        let update =
            "UPDATE webhooks SET state = 'disabled', disabled_reason = 'operator', disabled_at = now()
                      WHERE id = $1 AND state IN ('enabled', 'paused')";
        self.change(id, actor, update, State::Disabled, "nothing to do").await
    }

    /// Pauses an enabled webhook.
    ///
    /// # Errors
    /// If it is unknown or disabled.
    pub async fn pause(&self, id: WebhookId, actor: &Actor) -> Result<WebhookRecord, StoreError> {
        let update = "UPDATE webhooks SET state = 'paused' WHERE id = $1 AND state = 'enabled'";
        self.change(id, actor, update, State::Paused, "it gets nothing, there is no need to pause it").await
    }

    /// Resumes a paused webhook.
    ///
    /// # Errors
    /// If it is unknown or disabled.
    pub async fn resume(&self, id: WebhookId, actor: &Actor) -> Result<WebhookRecord, StoreError> {
        let update = "UPDATE webhooks SET state = 'enabled' WHERE id = $1 AND state = 'paused'";
        self.change(id, actor, update, State::Enabled, "enable it instead").await
    }

    /// Deletes a webhook. Its queue goes after a grace, see [`Janitor`](crate::Janitor).
    ///
    /// # Errors
    /// If it is unknown.
    pub async fn delete(&self, id: WebhookId, actor: &Actor) -> Result<WebhookRecord, StoreError> {
        let was = self.get(id).await?;
        let update = "UPDATE webhooks SET state = 'deleted', deleted_at = now(), disabled_reason = NULL,
                      disabled_at = NULL, disabled_outcome = NULL WHERE id = $1 AND state <> 'deleted'";
        self.act(actor, "delete the webhook", update, id).await?;
        Ok(was)
    }

    async fn act(
        &self,
        actor: &Actor,
        task: &'static str,
        update: &str,
        id: WebhookId,
    ) -> Result<(), StoreError> {
        let mut client = self.pool.client().await?;
        let acted = async {
            let transaction = actor.begin(&mut client).await?;
            transaction.execute(update, &[&id.0]).await?;
            transaction.commit().await
        };
        acted.await.map_err(StoreError::query(task))
    }

    /// Runs a change of state and tells what became of it: done, already so, or not possible.
    async fn change(
        &self,
        id: WebhookId,
        actor: &Actor,
        update: &str,
        wanted: State,
        advice: &'static str,
    ) -> Result<WebhookRecord, StoreError> {
        let task = "change the webhook";
        let mut client = self.pool.client().await?;
        let changed = async {
            let transaction = actor.begin(&mut client).await?;
            // Locked, so that what is told of the change is true whoever else changes it.
            let lock = "SELECT state FROM webhooks WHERE id = $1 AND state <> 'deleted' FOR UPDATE";
            let was = transaction.query_opt(lock, &[&id.0]).await?;
            let has_changed = transaction.execute(update, &[&id.0]).await? == 1;
            transaction.commit().await?;
            Ok((was, has_changed))
        };
        let (was, has_changed) = changed.await.map_err(StoreError::query(task))?;
        drop(client);
        let was = was.ok_or(StoreError::UnknownWebhook(id))?;
        let state = word(&was, "state").map_err(StoreError::unreadable(format!("webhook {id}")))?;
        match has_changed || state == wanted {
            true => self.get(id).await,
            false => Err(StoreError::WrongState { id, state, advice }),
        }
    }
}
