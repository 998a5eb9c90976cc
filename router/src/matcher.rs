//! Decides what becomes of a message: which webhooks want its event, or why it is none.

use std::sync::Arc;

use jiff::Timestamp;
use posthorn_broker::Message;
use posthorn_domain::{
    event::{Event, Field, Rejection},
    id::WebhookId,
};
use posthorn_matching::event_type::{RESERVED, is_reserved};

use crate::directory::Directory;

/// What an event may be and cost; one that is or costs more is rejected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    pub(crate) bytes: usize,
    /// Steps that matching it takes.
    pub(crate) steps: u64,
}

/// Matches events with the webhooks that are known.
#[derive(Clone)]
pub(crate) struct Matcher {
    pub(crate) directory: Arc<Directory>,
    pub(crate) most: Most,
}

/// An event, and all webhooks that want it.
#[derive(Debug)]
pub(crate) struct Matched {
    pub(crate) event: Event,
    pub(crate) webhook_ids: Vec<WebhookId>,
}

impl Matcher {
    /// Matches a message that was `received_at`.
    ///
    /// # Errors
    /// If it is no event, or one that is not let through. An event that costs too much is matched with no
    /// webhook at all, not with some.
    pub(crate) fn judge(&self, message: &Message, received_at: Timestamp) -> Result<Matched, Rejection> {
        let event = Event::decode(&message.body, self.most.bytes)?;
        if is_reserved(&event.event_type) && !message.is_own() {
            let reason =
                format!("{:?} begins with {RESERVED:?}: such events are Posthorn's own", event.event_type);
            return Err(Rejection { field: Field::Type, reason });
        }
        let found = self.directory.wanting(&event, received_at, self.most.steps);
        let webhook_ids =
            found.map_err(|costly| Rejection { field: Field::Data, reason: costly.to_string() })?;
        Ok(Matched { event, webhook_ids })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use posthorn_broker::DeliveryHeaders;
    use posthorn_domain::{
        tenant::Tenant,
        webhook::{DisablePolicy, State, Webhook, updates::Change},
    };
    use posthorn_matching::rule::{Limits, Rule};
    use posthorn_proto::v1::{self, event::Data};
    use prost::Message as _;
    use uuid::Uuid;

    use super::*;

    const MOST: Most = Most { bytes: 1000, steps: 1000 };

    /// A matcher that knows one webhook with these rules.
    fn matcher(rules: &str, state: State) -> Matcher {
        let webhook = Webhook {
            id: WebhookId(Uuid::from_u128(1)),
            url: "https://example.com".to_owned(),
            rules: Rule::read_list(rules, &Limits::default()).unwrap(),
            tenant: Tenant::Installation,
            state,
            epoch: 1,
            timeout: Duration::from_secs(1),
            max_in_flight: 1,
            disable_policy: DisablePolicy::Exhausted,
            http2: false,
            headers: Default::default(),
            secrets: Vec::new(),
        };
        let directory = Arc::new(Directory::default());
        directory.apply(&[Change::Put(Arc::new(webhook))]);
        Matcher { directory, most: MOST }
    }

    fn message(event_type: &str, data: &str, app_id: &str) -> Message {
        let event = v1::Event {
            id: "e1".to_owned(),
            r#type: event_type.to_owned(),
            company_id: "c1".to_owned(),
            data: Some(Data::Json(data.to_owned().into())),
            ..v1::Event::default()
        };
        Message {
            body: event.encode_to_vec().into(),
            routing_key: event_type.to_owned(),
            message_id: "e1".to_owned(),
            headers: DeliveryHeaders::default(),
            app_id: app_id.to_owned(),
            returns: 0,
        }
    }

    /// How many want it, or the field at fault.
    fn judged(matcher: &Matcher, message: &Message) -> Result<usize, Field> {
        let judged = matcher.judge(message, Timestamp::UNIX_EPOCH);
        judged.map(|matched| matched.webhook_ids.len()).map_err(|rejection| rejection.field)
    }

    #[test]
    fn enabled_webhooks_whose_rules_match_want_an_event() {
        let rules = r#"[{"event_types": ["todo.*"]}]"#;
        let enabled = matcher(rules, State::Enabled);
        assert_eq!(judged(&enabled, &message("todo.created", "{}", "")), Ok(1));
        assert_eq!(judged(&enabled, &message("user.created", "{}", "")), Ok(0));
        let paused = matcher(rules, State::Paused);
        assert_eq!(judged(&paused, &message("todo.created", "{}", "")), Ok(0));
        assert!(paused.directory.knows(WebhookId(Uuid::from_u128(1))), "its queue is kept");
    }

    #[test]
    fn reserved_types_are_for_posthorns_own_events() {
        let matcher = matcher(r#"[{"event_types": ["webhook.disabled"]}]"#, State::Enabled);
        assert_eq!(judged(&matcher, &message("webhook.disabled", "{}", "a service")), Err(Field::Type));
        let own = message(
            "webhook.disabled",
            r#"{"webhook": {"id": "whk_00000000000000000000000000000002"}}"#,
            "posthorn",
        );
        assert_eq!(judged(&matcher, &own), Ok(1));
    }

    #[test]
    fn what_is_too_large_or_costs_too_much_is_rejected_as_a_whole() {
        let pattern = r#"[{"pattern": {"data": {"a": [{"prefix": "x"}]}}}]"#;
        let list = message("todo.created", &format!(r#"{{"a": [{}]}}"#, [r#""b""#; 1000].join(",")), "");
        let of = |most, rules| Matcher { most, ..matcher(rules, State::Enabled) };
        let (bytes, steps) = (10_000, 100_000);
        assert_eq!(judged(&of(Most { bytes, steps }, pattern), &list), Ok(0));
        assert_eq!(judged(&of(Most { bytes, steps: 10 }, pattern), &list), Err(Field::Data));
        assert_eq!(judged(&of(Most { bytes: 1000, steps }, "[{}]"), &list), Err(Field::Message));
    }
}
