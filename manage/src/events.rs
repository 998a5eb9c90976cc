//! Events: published, listed, shown with what became of them, explained.

mod conflicts;
mod explain;
mod list;
pub(crate) mod naming;
mod publish;
pub(crate) mod recorded;
mod view;

use std::collections::{HashMap, HashSet};

use posthorn_domain::id::WebhookId;
use posthorn_store::{AttemptRecord, EventRecord};

use crate::{
    deliveries::view::State,
    error::Error,
    manage::Manage,
    principal::{May, Principal, Read},
};

pub use conflicts::{Conflict, ListConflicts, list_conflicts};
pub use explain::{Explain, Explained, explain};
pub use list::{List, list};
pub use publish::{Batch, BatchResult, EventInput, ItemResult, Published, publish, publish_batch};
use recorded::{data, decode};
use view::summary;
pub use view::{DeliverySummary, EventDetail, EventSummary};

/// The most deliveries of an event that are shown with it.
const MOST_DELIVERIES: usize = 1000;

/// Shows an event, by its reference or by its producer's id.
///
/// # Errors
/// If there is none, or several companies have used the id.
pub async fn show(manage: &Manage, by: &May<Read>, event: &str) -> Result<EventDetail, Error> {
    let found = naming::event(manage, by, event).await?;
    let event = decode(&found)?;
    let attempts = manage.store.history.latest_attempts(found.event_ref, found.digest).await?;
    let conflicts = manage.store.history.conflicts_of(found.event_ref, found.digest).await?;
    let visible = visible(manage, by, &found, &attempts).await?;
    Ok(EventDetail {
        data: data(&event)?,
        digest: found.digest.to_string(),
        conflicts: conflicts.into_iter().map(Conflict::read).collect::<Result<_, _>>()?,
        deliveries: deliveries(&found, attempts, visible.as_ref()),
        event: summary(&found)?,
    })
}

/// The webhooks of an event that the principal sees; `None` for all.
async fn visible(
    manage: &Manage,
    by: &Principal,
    found: &EventRecord,
    attempts: &[AttemptRecord],
) -> Result<Option<HashSet<WebhookId>>, Error> {
    let Some(companies) = &by.companies else { return Ok(None) };
    let ids = found.webhook_ids.iter().copied().chain(attempts.iter().map(|attempt| attempt.webhook_id));
    let ids: Vec<_> = ids.collect();
    Ok(Some(manage.store.webhooks.within(&ids, companies).await?.into_iter().collect()))
}

fn deliveries(
    found: &EventRecord,
    attempts: Vec<AttemptRecord>,
    visible: Option<&HashSet<WebhookId>>,
) -> Vec<DeliverySummary> {
    let mut latest: HashMap<_, _> =
        attempts.into_iter().map(|attempt| (attempt.webhook_id, attempt)).collect();
    // Those that got it though they had not wanted it, by a replay, come last.
    let mut ids = found.webhook_ids.clone();
    let mut others: Vec<_> = latest.keys().filter(|id| !ids.contains(id)).copied().collect();
    others.sort_unstable();
    ids.extend(others);
    let shown = ids.into_iter().filter(|id| visible.is_none_or(|visible| visible.contains(id)));
    let of = |webhook_id| {
        let attempt = latest.remove(&webhook_id);
        DeliverySummary {
            webhook_id,
            state: State::after(attempt.as_ref().map(|attempt| attempt.step.kind())),
            attempts: attempt.as_ref().map_or(0, |attempt| attempt.attempt),
            status: attempt.as_ref().and_then(|attempt| attempt.outcome.status()),
            last_attempt_at: attempt.as_ref().map(|attempt| attempt.started_at),
            next_attempt_at: attempt.as_ref().and_then(|attempt| attempt.step.next_attempt()),
        }
    };
    shown.take(MOST_DELIVERIES).map(of).collect()
}
