//! The state diagrams of ARCHITECTURE.md, held against what the store does.

use std::collections::BTreeSet;

use posthorn_domain::{
    delivery,
    id::WebhookId,
    step::{Step, StepKind},
    webhook::State,
};
use posthorn_store::Store;

use crate::{
    fixtures::{actor, attempted, entry, event, exhausted, now, record, webhook},
    installation::Installation,
};

const ARCHITECTURE: &str = include_str!("../../../ARCHITECTURE.md");

/// From one state to another; `*` is before the first and after the last.
type Arrow = (String, String);

/// The arrows of the diagram under this heading.
pub(crate) fn diagram(heading: &str) -> BTreeSet<Arrow> {
    let (_, section) = ARCHITECTURE.split_once(&format!("### {heading}\n")).expect("the section is there");
    let (_, diagram) = section.split_once("stateDiagram-v2\n").expect("it has a diagram");
    let (diagram, _) = diagram.split_once("```").expect("the diagram ends");
    let arrow = |line: &str| {
        let (arrow, _who) = line.split_once(':').unwrap_or_else(|| panic!("who does this: {line}?"));
        let (from, to) = arrow.split_once("-->").unwrap_or_else(|| panic!("no arrow: {line}"));
        let name = |state: &str| state.trim().replace("[*]", "*");
        (name(from), name(to))
    };
    diagram.lines().filter(|line| !line.trim().is_empty()).map(arrow).collect()
}

/// What is done to a webhook, by a person or by a recorder. Whether it is refused shows in its state.
async fn act(store: &Store, id: WebhookId, action: &str) {
    let by = actor("webhook.change");
    match action {
        "pause" => drop(store.webhooks.pause(id, &by).await),
        "resume" => drop(store.webhooks.resume(id, &by).await),
        "disable" => drop(store.webhooks.disable(id, &by).await),
        "enable" => drop(store.webhooks.enable(id, &by).await),
        "delete" => drop(store.webhooks.delete(id, &by).await),
        "exhaust" => drop(record(store, &exhausted(&id.to_string(), id, now())).await),
        "410" => {
            let message = event(&id.to_string(), "todo.created", "{}");
            record(store, &[entry(attempted(&message, id, 1, now(), Step::Disable))]).await;
        }
        unknown => panic!("nothing is called {unknown}"),
    }
}

async fn state(store: &Store, id: WebhookId) -> String {
    match store.webhooks.get(id).await {
        Ok(webhook) => webhook.state.to_string(),
        Err(_) => State::Deleted.to_string(),
    }
}

pub(crate) async fn a_webhook_goes_from_state_to_state_as_the_diagram_says(installation: &Installation) {
    let store = &installation.store;
    let mut seen = BTreeSet::from([("*".to_owned(), State::Enabled.to_string())]);
    // What leads to each state.
    let ways = [
        (State::Enabled, None),
        (State::Paused, Some("pause")),
        (State::Disabled, Some("disable")),
        (State::Deleted, Some("delete")),
    ];
    for (from, way) in ways {
        for action in ["pause", "resume", "disable", "enable", "delete", "exhaust", "410"] {
            let id = webhook(store).await;
            if let Some(way) = way {
                act(store, id, way).await;
            }
            assert_eq!(state(store, id).await, from.to_string());
            act(store, id, action).await;
            let to = state(store, id).await;
            if to != from.to_string() {
                seen.insert((from.to_string(), to));
            }
        }
    }
    let janitor =
        store.housekeeping.janitor().await.expect("it answers").expect("nobody else is the janitor");
    let deleted = janitor.deleted_webhooks(std::time::Duration::ZERO).await.expect("it answers");
    janitor.forget_webhook(deleted[0]).await.expect("it answers");
    seen.insert((State::Deleted.to_string(), "*".to_owned()));
    assert_eq!(seen, diagram("A webhook"));
}

#[test]
fn a_delivery_goes_from_state_to_state_as_the_diagram_says() {
    let arrow = |from: &str, to: delivery::State| (from.to_owned(), to.to_string());
    let mut possible = BTreeSet::from([arrow("*", delivery::State::after(None))]);
    for from in [delivery::State::Waiting, delivery::State::Retrying] {
        let after = StepKind::ALL.map(|step| arrow(from.label(), delivery::State::after(Some(step))));
        possible.extend(after);
    }
    for from in [delivery::State::Succeeded, delivery::State::Failed] {
        possible.insert((from.to_string(), "*".to_owned()));
    }
    assert_eq!(possible, diagram("A delivery"));
}
