//! Recording: whatever is delivered twice is recorded once, and a webhook is disabled once.

use jiff::{Timestamp, ToSpan};
use posthorn_domain::{
    id::WebhookId,
    notification::Kind,
    step::Step,
    webhook::{DisablePolicy, DisabledReason, State},
};
use posthorn_store::{ALL_WEBHOOKS, EventFilter, NewWebhook, Span, Store};

use crate::{
    fixtures::{
        RECORDING, actor, add, attempted, content, decoded, described, dropped, entry, event, exhausted, now,
        record, rejected, retry_at, routed, webhook,
    },
    installation::Installation,
};

fn span() -> Span {
    Span { since: now() - 24.hours(), until: now() + 1.hour() }
}

/// All that a batch may change, told apart by its numbers.
#[derive(Debug, PartialEq)]
struct Seen {
    events: usize,
    attempts: usize,
    rejected: usize,
    conflicts: usize,
    counted: u64,
    routed: u64,
    notifications: usize,
    state: State,
}

async fn seen(store: &Store, webhook: WebhookId, message: &bytes::Bytes) -> Seen {
    let events = store.history.events(&EventFilter::default(), None, 100).await.expect("events are listed");
    let attempts =
        store.history.attempts(decoded(message).event_ref(), webhook).await.expect("attempts are listed");
    let rejected =
        store.history.rejected_events(None, None, 100).await.expect("rejected messages are listed");
    let conflicts = store
        .history
        .conflicts_of(decoded(message).event_ref(), content(message))
        .await
        .expect("conflicts are listed");
    let totals =
        store.history.statistics_totals(&[webhook, ALL_WEBHOOKS], span()).await.expect("totals are told");
    let all = totals.get(&ALL_WEBHOOKS).cloned().unwrap_or_default();
    Seen {
        events: events.rows.len(),
        attempts: attempts.len(),
        rejected: rejected.len(),
        conflicts: conflicts.len(),
        counted: all.attempts(),
        routed: all.events,
        notifications: store.notifications.due().await.expect("notifications are given").len(),
        state: store.webhooks.get(webhook).await.expect("the webhook is there").state,
    }
}

pub(crate) async fn the_same_batch_twice_changes_nothing(installation: &Installation) {
    let store = &installation.store;
    let (webhook, at) = (webhook(store).await, now());
    let message = event("e1", "todo.created", "{}");
    let batch = [
        routed(&message, at, &[webhook]),
        entry(attempted(&message, webhook, 1, at, retry_at(at))),
        entry(attempted(&message, webhook, 2, at + 5.seconds(), Step::Succeed)),
        rejected(at, 10),
        dropped(&message, webhook, at),
    ];

    record(store, &batch).await;
    let first = seen(store, webhook, &message).await;
    assert_eq!((first.events, first.attempts, first.rejected, first.conflicts), (1, 2, 1, 0));
    assert_eq!((first.counted, first.routed), (2, 1));
    for store in [store, &installation.another()] {
        let again = record(store, &batch).await;
        assert!(again.disabled.is_empty() && again.conflicts.is_empty(), "{again:?}");
        assert_eq!(seen(store, webhook, &message).await, first);
    }
}

pub(crate) async fn an_event_that_is_routed_again_gains_the_webhooks_found_then(installation: &Installation) {
    let store = &installation.store;
    let (one, other, at) = (webhook(store).await, webhook(store).await, now());
    let message = event("e1", "todo.created", "{}");
    record(store, &[routed(&message, at, &[one])]).await;
    record(store, &[routed(&message, at + 1.second(), &[other, one])]).await;

    let found =
        store.history.event(decoded(&message).event_ref()).await.expect("it answers").expect("it is there");
    assert_eq!((found.webhook_ids, found.received_at), (vec![one, other], at));
}

pub(crate) async fn other_content_under_one_id_is_a_conflict_and_is_told_once(installation: &Installation) {
    let store = &installation.store;
    let (webhook, at) = (webhook(store).await, now());
    let (first, other) = (event("e1", "todo.created", "{}"), event("e1", "todo.created", r#"{"n":1}"#));
    let event_ref = decoded(&first).event_ref();
    assert!(record(store, &[routed(&first, at, &[webhook])]).await.conflicts.is_empty());
    let conflict = [routed(&other, at + 1.second(), &[webhook])];
    assert_eq!(record(store, &conflict).await.conflicts, [event_ref]);
    assert!(record(store, &conflict).await.conflicts.is_empty(), "it is not new any more");

    let kept = store.history.event(event_ref).await.expect("it answers").expect("it is there");
    assert_eq!(kept.digest, content(&first), "what came first stays");
    let conflicts = store.history.conflicts_of(event_ref, kept.digest).await.expect("it answers");
    assert_eq!(conflicts.iter().map(|it| it.digest).collect::<Vec<_>>(), [content(&other)]);
}

pub(crate) async fn a_webhook_is_disabled_exactly_once_however_many_record_it(installation: &Installation) {
    let store = &installation.store;
    let (webhook, at) = (webhook(store).await, now());
    // Each recorder has the failure of another delivery, and all have that of one.
    let batches = (0..4).map(|number| {
        let mut entries = exhausted("shared", webhook, at);
        entries.extend(exhausted(&format!("e{number}"), webhook, at));
        entries
    });
    let batches: Vec<_> = batches.collect();
    let stores: Vec<_> = batches.iter().map(|_| installation.another()).collect();
    let recording = stores.iter().zip(&batches).map(|(store, entries)| record(store, entries));
    let recorded = futures_util::future::join_all(recording).await;

    let disabled: Vec<_> = recorded.iter().flat_map(|recorded| &recorded.disabled).collect();
    assert_eq!(disabled.len(), 1, "{disabled:?}");
    assert_eq!((disabled[0].webhook_id, disabled[0].reason), (webhook, DisabledReason::Exhausted));
    let found = store.webhooks.get(webhook).await.expect("it is there");
    assert_eq!((found.state, found.disabled_reason), (State::Disabled, Some(DisabledReason::Exhausted)));
    let told = store.notifications.due().await.expect("it answers");
    assert_eq!(told.len(), 1, "{told:?}");
    let attempts = store.history.attempts(disabled[0].event, webhook).await.expect("it answers");
    assert!(
        attempts.iter().any(|attempt| attempt.step == Step::Disable),
        "the attempt says so: {attempts:?}"
    );
}

pub(crate) async fn an_attempt_of_an_earlier_epoch_disables_nothing(installation: &Installation) {
    let store = &installation.store;
    let (webhook, at) = (webhook(store).await, now());
    store.webhooks.disable(webhook, &actor("webhook.disable")).await.expect("it is disabled");
    store.webhooks.enable(webhook, &actor("webhook.enable")).await.expect("it is enabled");

    let recorded = record(store, &exhausted("e1", webhook, at)).await;

    assert!(recorded.disabled.is_empty(), "{recorded:?}");
    let found = store.webhooks.get(webhook).await.expect("it is there");
    assert_eq!((found.state, found.epoch), (State::Enabled, 2));
    let attempts =
        store.history.attempts(decoded(&event("e1", "todo.created", "{}")).event_ref(), webhook).await;
    assert_eq!(attempts.expect("it answers")[0].step, Step::GiveUp, "the delivery has failed all the same");
}

pub(crate) async fn a_webhook_that_accepts_something_is_not_disabled_if_its_policy_says_so(
    installation: &Installation,
) {
    let store = &installation.store;
    let policy = DisablePolicy::Failing;
    let patient = NewWebhook { disable_policy: policy, ..described("patient") };
    let webhook = add(store, &patient).await.described.id;
    let at = now();
    let accepted = event("good", "todo.created", "{}");
    let poison = event("poison", "todo.created", "{}");
    let last = |first_attempt_at: Timestamp| {
        let last = attempted(&poison, webhook, 6, at, Step::GiveUp);
        entry(posthorn_domain::journal::Attempted { first_attempt_at, ..last })
    };
    record(store, &[entry(attempted(&accepted, webhook, 1, at - 1.minute(), Step::Succeed))]).await;

    let spared = record(store, &[last(at - 2.minutes())]).await;
    assert!(spared.disabled.is_empty(), "something was accepted meanwhile: {spared:?}");
    let disabled = record(store, &[last(at - 30.seconds())]).await;
    assert_eq!(disabled.disabled.len(), 1, "nothing was accepted since");

    let gone = webhook_with(store, policy).await;
    record(store, &[entry(attempted(&accepted, gone, 1, at, Step::Succeed))]).await;
    let recorded = record(store, &[entry(attempted(&poison, gone, 1, at, Step::Disable))]).await;
    assert_eq!(recorded.disabled[0].reason, DisabledReason::Gone, "a 410 disables whatever else is accepted");
}

async fn webhook_with(store: &Store, disable_policy: DisablePolicy) -> WebhookId {
    add(store, &NewWebhook { disable_policy, ..described("other") }).await.described.id
}

pub(crate) async fn a_batch_is_recorded_as_a_whole_or_not_at_all(installation: &Installation) {
    let store = &installation.store;
    let (webhook, at) = (webhook(store).await, now());
    let message = event("e1", "todo.created", "{}");
    // There is no attempt 0.
    let impossible = entry(attempted(&message, webhook, 0, at, Step::Succeed));

    let refused = store.recorder.record(&[routed(&message, at, &[webhook]), impossible], RECORDING).await;

    assert!(refused.expect_err("attempt 0 is refused").is_about_the_data());
    assert!(store.history.event(decoded(&message).event_ref()).await.expect("it answers").is_none());
}

pub(crate) async fn recorders_that_write_the_same_rows_wait_for_each_other(installation: &Installation) {
    let (webhook, at) = (webhook(&installation.store).await, now());
    let messages: Vec<_> = (0..20).map(|number| event(&format!("e{number}"), "todo.created", "{}")).collect();
    let mut forwards: Vec<_> = messages.iter().map(|message| routed(message, at, &[webhook])).collect();
    forwards.extend(messages.iter().map(|message| entry(attempted(message, webhook, 1, at, Step::Succeed))));
    let backwards: Vec<_> = forwards.iter().rev().cloned().collect();
    let (one, other) = (installation.another(), installation.another());

    for _ in 0..5 {
        tokio::join!(record(&one, &forwards), record(&other, &backwards));
    }

    let totals = one.history.statistics_totals(&[webhook], span()).await.expect("it answers");
    assert_eq!((totals[&webhook].events, totals[&webhook].accepted), (20, 20));
}

pub(crate) async fn a_failing_webhook_is_told_of_once_and_again_when_it_has_recovered(
    installation: &Installation,
) {
    let store = &installation.store;
    let (webhook, at) = (webhook(store).await, now() - 1.hour());
    let message = event("e1", "todo.created", "{}");
    // Half of five retries is used with the fourth attempt.
    record(store, &[entry(attempted(&message, webhook, 4, at, retry_at(at)))]).await;
    record(store, &[entry(attempted(&message, webhook, 5, at + 1.second(), retry_at(at)))]).await;
    assert_eq!(told(store).await, [Kind::Failing]);
    record(store, &[entry(attempted(&message, webhook, 6, at + 1.minute(), Step::Succeed))]).await;
    assert_eq!(told(store).await, [Kind::Recovered]);
}

/// The kinds of all notifications that wait, which are told with this.
async fn told(store: &Store) -> Vec<Kind> {
    let due = store.notifications.due().await.expect("it answers");
    let numbers: Vec<_> = due.iter().map(|due| due.number).collect();
    store.notifications.told(&numbers, &[]).await.expect("it answers");
    due.into_iter().filter_map(|due| due.notification).map(|notification| notification.kind).collect()
}
