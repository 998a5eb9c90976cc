//! A delivery, once more.

use posthorn_domain::{
    id::{EventRef, WebhookId},
    webhook,
};
use posthorn_matching::{pattern::Steps, rule::Rule};
use posthorn_store::{EventRecord, WebhookRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    error::{Error, Kind},
    events::{naming, recorded::decode},
    ids,
    manage::{Manage, Shared},
    once::{Done, Once},
    principal::{May, Write},
};

/// A delivery that was put into its webhook's queue.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Redelivered {
    /// The event: the `webhook-id` that receivers see.
    #[schema(value_type = String)]
    pub event_ref: EventRef,
    /// Its producer's id, unique within its company.
    pub event_id: String,
    /// The webhook.
    #[schema(value_type = String)]
    pub webhook_id: WebhookId,
}

/// Nothing needs to be said.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Nothing {}

/// Puts a delivery into its webhook's queue, with the same `webhook-id` and the content that was recorded
/// first; attempts count from 1 again. Also for an event that the webhook's rules match only now.
///
/// It is promised in PostgreSQL, together with its audit entry, before it is sent.
///
/// # Errors
/// If there is no such event or webhook, or the webhook is not enabled or does not want the event.
pub async fn redeliver(
    manage: &Shared,
    by: &May<Write>,
    event: &str,
    webhook: &str,
    once: Once,
) -> Result<Done<Redelivered>, Error> {
    let webhook = manage.webhook(by, ids::webhook(webhook)?).await?;
    let found = naming::event(manage, by, event).await?;
    let (shared, actor) = (manage.clone(), by.acts("delivery.redeliver"));
    let act = async move {
        must_be_enabled(&webhook)?;
        must_be_wanted(&shared, &webhook, &found)?;
        let EventRecord { event_ref, id: event_id, message, received_at, .. } = found;
        let webhook_id = webhook.described.id;
        let promised = shared
            .store
            .background
            .add_redelivery(webhook_id, event_ref, message, received_at, &actor)
            .await?;
        shared.send(promised).await;
        Ok(Redelivered { event_ref, event_id: event_id.0, webhook_id })
    };
    manage.once(by, once, act).await
}

/// Nothing reaches a webhook that its rules keep from it.
fn must_be_wanted(manage: &Manage, webhook: &WebhookRecord, found: &EventRecord) -> Result<(), Error> {
    let event = decode(found)?;
    if found.webhook_ids.contains(&webhook.described.id) {
        return Ok(());
    }
    let steps = Steps::new(manage.settings.most_match_steps);
    match Rule::any_matches(&webhook.described.rules, &event.received_at(found.received_at), &steps) {
        Ok(true) => Ok(()),
        Err(costly) => Err(Error::new(Kind::Conflict, costly.to_string())),
        Ok(false) => Err(Error::new(Kind::Conflict, "the webhook did not want this event, and does not now")),
    }
}

/// Nothing is put into the queue of a webhook that gets nothing.
pub(crate) fn must_be_enabled(webhook: &WebhookRecord) -> Result<(), Error> {
    match webhook.state {
        webhook::State::Enabled => Ok(()),
        state => {
            let detail = format!("the webhook is {state}: enable or resume it first");
            Err(Error::new(Kind::Conflict, detail))
        }
    }
}
