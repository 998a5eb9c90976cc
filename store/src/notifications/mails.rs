//! Mails that must be sent.

use posthorn_domain::{id::EventId, notification::mail::Mail};

use crate::{error::StoreError, store::Notifications};

/// A mail that is due.
#[derive(Debug, Clone)]
pub struct DueMail {
    /// Its number.
    pub number: i64,
    /// To whom.
    pub recipient: String,
    /// What to send.
    pub mail: Mail,
}

impl Notifications {
    /// Takes a mail that is due. It is due again after a minute, and after pauses that double up to an
    /// hour, until [`Notifications::mail_sent`]: whoever falls while sending leaves it to be sent again.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn due_mail(&self) -> Result<Option<DueMail>, StoreError> {
        let query = "UPDATE mails
                     SET due_at = now() + least(greatest(now() - created_at, interval '1 minute'), interval '1 hour')
                     WHERE number = (SELECT number FROM mails WHERE due_at <= now()
                                     ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
                     RETURNING number, recipient, event_id, subject, text";
        let client = self.pool.client().await?;
        let row = client.query_opt(query, &[]).await.map_err(StoreError::query("look for mails"))?;
        Ok(row.map(|row| DueMail {
            number: row.get(0),
            recipient: row.get(1),
            mail: Mail { event_id: EventId(row.get(2)), subject: row.get(3), text: row.get(4) },
        }))
    }

    /// Forgets a mail: it was sent, or can never be.
    ///
    /// # Errors
    /// If the database refuses or is gone; then it is sent again.
    pub async fn mail_sent(&self, number: i64) -> Result<(), StoreError> {
        let client = self.pool.client().await?;
        let deleted = client.execute("DELETE FROM mails WHERE number = $1", &[&number]).await;
        deleted.map(|_| ()).map_err(StoreError::query("forget a mail"))
    }
}
