//! What people make of rejected messages.

use bytes::Bytes;
use deadpool_postgres::Transaction;
use posthorn_domain::rejected::Resolution;
use tokio_postgres::Error;
use uuid::Uuid;

use super::outbox::{Destination, Outgoing};
use crate::{access::audit, actor::Actor, error::StoreError, store::Background};

impl Background {
    /// Discards a message. One that was resolved before stays as it is; answers whether it was not.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn discard_rejected_event(&self, id: Uuid, actor: &Actor) -> Result<bool, StoreError> {
        let mut client = self.pool.client().await?;
        let discarded = async {
            let transaction = client.transaction().await?;
            let is_open = resolve(&transaction, id, Resolution::Discarded, actor).await?;
            transaction.commit().await?;
            Ok(is_open)
        };
        discarded.await.map_err(StoreError::query("discard the rejected event"))
    }

    /// Promises that a message is published as this event: what is answered is to be sent. `None` if it was
    /// resolved before.
    ///
    /// # Errors
    /// If the database refuses or is gone; then nothing is promised.
    pub async fn publish_rejected_event(
        &self,
        id: Uuid,
        event: Bytes,
        actor: &Actor,
    ) -> Result<Option<Outgoing>, StoreError> {
        let outgoing = Outgoing::new(Destination::Router, event);
        let mut client = self.pool.client().await?;
        let promised = async {
            let transaction = client.transaction().await?;
            if !resolve(&transaction, id, Resolution::Published, actor).await? {
                return Ok(None);
            }
            outgoing.add(&transaction).await?;
            transaction.commit().await?;
            Ok(Some(outgoing))
        };
        promised.await.map_err(StoreError::query("publish the rejected event"))
    }
}

/// Notes what somebody makes of a message, unless it was resolved before; answers whether it was not.
async fn resolve(
    transaction: &Transaction<'_>,
    id: Uuid,
    resolution: Resolution,
    actor: &Actor,
) -> Result<bool, Error> {
    let update = "UPDATE rejected_events SET resolution = $2, resolved_at = now()
                  WHERE id = $1 AND resolution IS NULL";
    let is_open = transaction.execute(update, &[&id, &resolution.label()]).await? == 1;
    if is_open {
        let subject = format!("rej_{}", id.simple());
        audit::note(transaction, actor, "rejected_event", &subject, None).await?;
    }
    Ok(is_open)
}
