//! The secrets of webhooks.

use std::time::Duration;

use posthorn_domain::{id::WebhookId, keyring::Sealed};
use uuid::Uuid;

use super::{
    record::WebhookRecord,
    rows::{one, read},
};
use crate::{actor::Actor, error::StoreError, store::Webhooks};

impl Webhooks {
    /// Gives a webhook a new secret. The current one goes on signing beside it for `overlap`; one
    /// from an earlier rotation ends now. The webhook is read back before the commit, as when it is made:
    /// a rotation that is tried again ends the secret that receivers know.
    ///
    /// # Errors
    /// If the webhook is unknown.
    pub async fn rotate_secret(
        &self,
        id: WebhookId,
        secret: &Sealed,
        overlap: Duration,
        actor: &Actor,
    ) -> Result<WebhookRecord, StoreError> {
        let mut client = self.pool.client().await?;
        let rotated = async {
            let transaction = actor.begin(&mut client).await?;
            // The update comes first: its lock makes rotations of one webhook wait for each other.
            let update = "UPDATE webhooks SET updated_at = now() WHERE id = $1 AND state <> 'deleted'";
            if transaction.execute(update, &[&id.0]).await? == 0 {
                return Ok(None);
            }
            let end = "DELETE FROM webhook_secrets WHERE webhook_id = $1 AND expires_at IS NOT NULL";
            transaction.execute(end, &[&id.0]).await?;
            let expire = "UPDATE webhook_secrets SET expires_at = now() + $2 * interval '1 second'
                          WHERE webhook_id = $1";
            transaction.execute(expire, &[&id.0, &overlap.as_secs_f64()]).await?;
            let insert =
                "INSERT INTO webhook_secrets (id, webhook_id, key_id, sealed) VALUES ($1, $2, $3, $4)";
            transaction.execute(insert, &[&Uuid::now_v7(), &id.0, &secret.key_id, &secret.bytes]).await?;
            let row = transaction.query_one(&one(), &[&id.0]).await?;
            transaction.commit().await?;
            Ok(Some(row))
        };
        let rotated = rotated.await.map_err(StoreError::query("rotate the secret"))?;
        read(&rotated.ok_or(StoreError::UnknownWebhook(id))?)
    }
}
