use posthorn_matching::rule::Limits;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::event::Event;

fn rules(json: serde_json::Value) -> Vec<Rule> {
    Rule::read_list(&json.to_string(), &Limits::default()).unwrap()
}

fn disabled() -> Notification {
    let outcome = json!({
        "outcome": "refused", "status": 503, "unreachable_class": null, "error": null,
        "event_ref": EventRef::new("c1", "e1"), "event_id": "e1", "attempt": 6, "response_body": "busy"
    });
    Notification {
        kind: Kind::Disabled,
        happened_at: "2026-11-23T09:30:00.123Z".parse().unwrap(),
        webhook_id: WebhookId(Uuid::from_u128(7)),
        sequence: 12,
        name: "orders".to_owned(),
        url: "https://example.com/hook?key=secret".to_owned(),
        rules: rules(json!([{"companies": ["c1"]}])),
        epoch: 3,
        reason: Some(DisabledReason::Exhausted),
        outcome: serde_json::from_value(outcome).unwrap(),
    }
}

#[test]
fn a_notification_is_an_event_about_its_webhook() {
    let notification = disabled();
    let event = notification.event();
    assert_eq!(event.id, "webhook_disabled_whk_00000000000000000000000000000007_12");
    let event = Event::decode(&prost::Message::encode_to_vec(&event).into(), usize::MAX).unwrap();
    assert_eq!((&*event.event_type, &*event.company_id, &*event.project_id), ("webhook.disabled", "c1", ""));
    assert_eq!(event.about(), Some(notification.webhook_id));
    let body: serde_json::Value = serde_json::from_slice(&event.body(Timestamp::UNIX_EPOCH)).unwrap();
    assert_eq!(body["timestamp"], "2026-11-23T09:30:00.123Z");
    assert_eq!(body["data"]["webhook"]["url"], "https://example.com/hook?…");
    assert_eq!((&body["data"]["sequence"], &body["data"]["epoch"]), (&json!(12), &json!(3)));
    assert_eq!(body["data"]["reason"], "exhausted");
    assert_eq!(body["data"]["outcome"]["status"], 503);
}

#[test]
fn a_mail_says_what_happened_and_what_to_do() {
    let mail = Notification { name: "orders\r\nBcc: all@example.com".to_owned(), ..disabled() }.mail();
    assert_eq!(mail.subject, "Webhook orders  Bcc: all@example.com was disabled");
    for part in [
        "the last retry of a delivery failed",
        "URL: https://example.com/hook?…\n",
        "Since: 2026-11-23T09:30:00.123Z\n",
        "Notification: number 12 about this webhook\n",
        "Last outcome: the receiver answered 503 (attempt 6 of the event e1)\n",
        "mend the receiver, then enable",
    ] {
        assert!(mail.text.contains(part), "no {part:?} in {}", mail.text);
    }
    assert!(!mail.text.contains("secret"));
}
