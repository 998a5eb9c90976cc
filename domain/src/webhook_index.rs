//! The index of webhooks by the events they want.

use jiff::Timestamp;
use posthorn_matching::{index::Index, pattern::TooCostly, rule::Rule};

use crate::{event::Event, id::WebhookId};

/// The rules of all enabled webhooks. Reading waits for no change.
#[derive(Debug, Default)]
pub struct WebhookIndex(Index);

impl WebhookIndex {
    /// Puts the rules of webhooks in place of those they had; none takes a webhook out. Readers see all
    /// changes at once.
    pub fn apply<'r>(&self, changes: impl IntoIterator<Item = (WebhookId, &'r [Rule])>) {
        self.0.apply(changes.into_iter().map(|(id, rules)| (id.0, rules)));
    }

    /// The webhooks that want the event, each once, in the order of their ids; without the webhook that a
    /// notification is about. `received_at` is the time in its body if the producer gave none.
    ///
    /// # Errors
    /// If finding them would take more than `most_steps`.
    pub fn wanting(
        &self,
        event: &Event,
        received_at: Timestamp,
        most_steps: u64,
    ) -> Result<Vec<WebhookId>, TooCostly> {
        let found = self.0.wanting(&event.received_at(received_at), most_steps)?;
        let subject = event.about();
        Ok(found.into_iter().map(WebhookId).filter(|id| Some(*id) != subject).collect())
    }
}

#[cfg(test)]
mod tests {
    use posthorn_matching::pattern::MOST_STEPS;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::event::tests::event_with;

    #[test]
    fn a_webhook_does_not_get_the_event_that_is_about_itself() {
        let [one, other] = [7, 8].map(|number| WebhookId(Uuid::from_u128(number)));
        let index = WebhookIndex::default();
        let rules = [Rule { event_types: Some(vec!["webhook.*".parse().unwrap()]), ..Rule::default() }];
        index.apply([(one, &rules[..]), (other, &rules[..])]);
        let about = event_with("webhook.disabled", "c1", "", &json!({ "webhook": { "id": one } }));
        assert_eq!(index.wanting(&about, Timestamp::UNIX_EPOCH, MOST_STEPS).unwrap(), [other]);
    }
}
