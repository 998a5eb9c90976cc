//! Notifications that must be told: an outbox, written with the change that they tell of.
//!
//! Whoever takes some moves their time on, so that nobody else takes them meanwhile, and deletes them
//! once they are told. A process that falls in between leaves them to be told again, with the same ids.

use std::time::Duration;

use posthorn_domain::{
    error_chain::error_chain,
    id::WebhookId,
    notification::{LastOutcome, Notification, mail::Mail},
};
use tokio_postgres::{Row, types::Json};

use crate::{
    columns::{optional_word, word},
    error::StoreError,
    store::Notifications,
    webhooks::rows::read_rules,
};

/// The most that are taken together.
const MOST: i64 = 100;
/// How long whoever takes some has for telling: longer than the broker's confirm takes.
const TURN: Duration = Duration::from_secs(35);

/// A notification that is due.
#[derive(Debug, Clone)]
pub struct DueNotification {
    /// Its number in the outbox.
    pub number: i64,
    /// What to tell; `None` if its webhook is gone.
    pub notification: Option<Notification>,
    /// Whom to tell by mail.
    pub contact: Option<String>,
}

impl Notifications {
    /// Takes notifications that are due, the oldest first. One that this version cannot read stays, for a
    /// later one; the log names what it is that cannot be read.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn due(&self) -> Result<Vec<DueNotification>, StoreError> {
        let query = "WITH due AS (
                         SELECT number FROM notifications WHERE due_at <= now()
                         ORDER BY number LIMIT $1 FOR UPDATE SKIP LOCKED),
                     taken AS (
                         UPDATE notifications SET due_at = now() + $2 * interval '1 second'
                         FROM due WHERE notifications.number = due.number RETURNING notifications.*)
                     SELECT taken.*, name, url, rules, contact FROM taken
                     LEFT JOIN webhooks ON id = webhook_id AND state <> 'deleted' ORDER BY number";
        let task = StoreError::query("look for notifications");
        let client = self.pool.client().await?;
        let statement = client.prepare_cached(query).await;
        let statement = statement.map_err(StoreError::query("look for notifications"))?;
        let rows = client.query(&statement, &[&MOST, &TURN.as_secs_f64()]).await.map_err(task)?;
        let readable = |row| read(row).map_err(|error| tracing::error!("{}", error_chain(&error))).ok();
        Ok(rows.iter().filter_map(readable).collect())
    }

    /// Deletes notifications whose events the broker has, and leaves mails to be sent: all or nothing.
    ///
    /// # Errors
    /// If the database refuses or is gone; then they are told again.
    pub async fn told(&self, numbers: &[i64], mails: &[(String, Mail)]) -> Result<(), StoreError> {
        let statement = "WITH told AS (DELETE FROM notifications WHERE number = ANY ($1))
                         INSERT INTO mails (recipient, event_id, subject, text)
                         SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[])";
        let recipients: Vec<_> = mails.iter().map(|(recipient, _)| recipient.as_str()).collect();
        let event_ids: Vec<_> = mails.iter().map(|(_, mail)| mail.event_id.as_str()).collect();
        let subjects: Vec<_> = mails.iter().map(|(_, mail)| mail.subject.as_str()).collect();
        let texts: Vec<_> = mails.iter().map(|(_, mail)| mail.text.as_str()).collect();
        let client = self.pool.client().await?;
        let told = client.execute(statement, &[&numbers, &recipients, &event_ids, &subjects, &texts]).await;
        told.map(|_| ()).map_err(StoreError::query("note that people were told"))
    }
}

fn read(row: &Row) -> Result<DueNotification, StoreError> {
    let number = row.get("number");
    Ok(DueNotification {
        number,
        notification: notification(row).map_err(StoreError::unreadable(format!("notification {number}")))?,
        contact: row.get::<_, Option<String>>("contact").filter(|contact| !contact.is_empty()),
    })
}

fn notification(row: &Row) -> Result<Option<Notification>, String> {
    // Without a URL there is no webhook any more.
    let Some(url) = row.get::<_, Option<String>>("url") else { return Ok(None) };
    let outcome: Option<Json<LastOutcome>> =
        row.try_get("outcome").map_err(|error| format!("column `outcome`: {}", error_chain(&error)))?;
    Ok(Some(Notification {
        kind: word(row, "kind")?,
        happened_at: row.get("happened_at"),
        webhook_id: WebhookId(row.get("webhook_id")),
        sequence: row.get::<_, i64>("sequence").unsigned_abs(),
        name: row.get("name"),
        url,
        // Of rules that cannot be read, nobody is the only company.
        rules: read_rules(row).unwrap_or_default(),
        epoch: row.get::<_, i32>("epoch").unsigned_abs(),
        reason: optional_word(row, "reason")?,
        outcome: outcome.map(|Json(outcome)| outcome),
    }))
}
