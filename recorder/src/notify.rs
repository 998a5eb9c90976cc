//! Tells what has happened to webhooks: publishes an event for each notification, with confirm, and
//! leaves a mail for the webhook's contact.
//!
//! A notification is deleted only after the broker has its event. A crash in between publishes it
//! again, with the same id.

use std::{sync::Arc, time::Duration};

use posthorn_broker::{BrokerError, Outgoing, Publisher, Session};
use posthorn_domain::{
    error_chain::error_chain,
    notification::{Kind, Notification, mail::Mail},
};
use posthorn_store::{DueNotification, Store};
use posthorn_timing::Backoff;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{LONGEST_PAUSE, metrics};

const EVERY: Duration = Duration::from_secs(1);

/// Tells until the session ends or `halt`.
pub(crate) async fn run(
    session: &Arc<Session>,
    store: &Store,
    sends_mails: bool,
    halt: &CancellationToken,
) -> Result<(), BrokerError> {
    let publisher = session.publisher().await?;
    let telling = async {
        let mut backoff = Backoff::new(EVERY, LONGEST_PAUSE);
        loop {
            match store.notifications.due().await {
                Ok(due) => {
                    backoff.reset();
                    if !due.is_empty() {
                        tell(due, store, &publisher, sends_mails).await?;
                    }
                }
                Err(error) => tracing::debug!("cannot look for notifications: {}", error_chain(&error)),
            }
            sleep(backoff.pause(rand::random())).await;
        }
    };
    tokio::select! {
        told = telling => told,
        () = session.ended() => Ok(()),
        () = halt.cancelled() => Ok(()),
    }
}

async fn tell(
    due: Vec<DueNotification>,
    store: &Store,
    publisher: &Publisher,
    sends_mails: bool,
) -> Result<(), BrokerError> {
    let mut confirms = Vec::new();
    for notification in due.iter().filter_map(|due| due.notification.as_ref()) {
        confirms.push(publisher.publish(Outgoing::OwnEvent(notification.event())).await?);
    }
    for confirm in confirms {
        confirm.wait().await?;
    }
    let numbers: Vec<_> = due.iter().map(|due| due.number).collect();
    match store.notifications.told(&numbers, &mails(&due, sends_mails)).await {
        Ok(()) => due.iter().filter_map(|due| due.notification.as_ref()).for_each(told),
        Err(error) => tracing::warn!("some notifications will be told twice: {}", error_chain(&error)),
    }
    Ok(())
}

/// The mails that go with notifications: to the contacts of their webhooks, if mails are sent at all.
fn mails(due: &[DueNotification], sends_mails: bool) -> Vec<(String, Mail)> {
    let mail = |due: &DueNotification| {
        let notification = due.notification.as_ref()?;
        Some((due.contact.clone()?, notification.mail()))
    };
    due.iter().filter(|_| sends_mails).filter_map(mail).collect()
}

fn told(notification: &Notification) {
    metrics::notified(notification.kind);
    let (id, kind) = (notification.webhook_id, notification.kind);
    match kind {
        Kind::Failing => tracing::warn!(webhook.id = %id, "a webhook is failing"),
        Kind::Recovered | Kind::Disabled | Kind::Enabled => {
            tracing::info!(webhook.id = %id, "told that a webhook was {kind}");
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use posthorn_domain::id::WebhookId;
    use uuid::Uuid;

    use super::*;

    fn due(number: i64, contact: Option<&str>, is_there: bool) -> DueNotification {
        let notification = is_there.then(|| Notification {
            kind: Kind::Enabled,
            happened_at: Timestamp::UNIX_EPOCH,
            webhook_id: WebhookId(Uuid::nil()),
            sequence: 1,
            name: "orders".to_owned(),
            url: "https://example.com/hook".to_owned(),
            rules: Vec::new(),
            epoch: 1,
            reason: None,
            outcome: None,
        });
        DueNotification { number, notification, contact: contact.map(str::to_owned) }
    }

    #[test]
    fn a_mail_goes_to_each_contact_whose_webhook_is_there() {
        let due = [
            due(1, Some("ops@example.com"), true),
            due(2, None, true),
            due(3, Some("gone@example.com"), false),
        ];
        let recipients = |sends_mails| {
            let mails = mails(&due, sends_mails);
            mails.into_iter().map(|(recipient, _)| recipient).collect::<Vec<_>>()
        };
        assert_eq!(recipients(true), ["ops@example.com"]);
        assert!(recipients(false).is_empty());
    }
}
