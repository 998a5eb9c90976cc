//! Deliveries: a webhook's, listed; one with all its attempts; and once more.

mod list;
mod redeliver;
pub(crate) mod view;

use crate::{
    error::Error,
    events::{naming, recorded::decode},
    ids,
    manage::Manage,
    principal::{May, Read},
};

pub use list::{List, list};
pub(crate) use redeliver::must_be_enabled;
pub use redeliver::{Nothing, Redelivered, redeliver};
use view::latest;
pub use view::{Attempt, Delivery, DeliveryDetail, Header, Phases, State};

/// Shows one event to one webhook, with all its attempts.
///
/// # Errors
/// If there is no such event or webhook, or the webhook did not want the event.
pub async fn show(
    manage: &Manage,
    by: &May<Read>,
    event: &str,
    webhook: &str,
) -> Result<DeliveryDetail, Error> {
    let webhook = manage.webhook(by, ids::webhook(webhook)?).await?.described.id;
    let found = naming::event(manage, by, event).await?;
    let event = decode(&found)?;
    let attempts = manage.store.history.attempts(found.event_ref, webhook).await?;
    let is_wanted = found.webhook_ids.contains(&webhook);
    if attempts.is_empty() && !is_wanted {
        return Err(Error::not_found("delivery: the webhook did not want the event"));
    }
    let latest = latest(&attempts, found.digest).or(attempts.last().filter(|_| !is_wanted));
    Ok(DeliveryDetail {
        event_ref: found.event_ref,
        event_id: found.id.0,
        company_id: event.company_id,
        event_type: event.event_type,
        webhook_id: webhook,
        state: State::after(latest.map(|attempt| attempt.step.kind())),
        attempts: attempts.into_iter().map(|row| view::told(row, by).into()).collect(),
    })
}
