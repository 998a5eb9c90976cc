//! Pages: each row once, in one order, however many rows share a moment.

use jiff::{Timestamp, ToSpan};
use posthorn_domain::{
    id::{EventRef, WebhookId},
    outcome::OutcomeKind,
    step::Step,
    token::{Scope, TokenHash},
};
use posthorn_store::{DeliveryFilter, EventFilter, NewToken, Place, Store};
use uuid::Uuid;

use crate::{
    fixtures::{actor, attempted, decoded, entry, event, now, record, retry_at, routed, webhook},
    installation::Installation,
};

const PAGE: usize = 7;

/// Follows pages to their end.
async fn all<Row, Id>(page: impl AsyncFn(Option<&Place<Id>>) -> posthorn_store::Page<Row, Id>) -> Vec<Row> {
    let (mut rows, mut place) = (Vec::new(), None);
    loop {
        let found = page(place.as_ref()).await;
        assert!(found.rows.len() <= PAGE);
        rows.extend(found.rows);
        match found.next {
            Some(next) => place = Some(next),
            None => return rows,
        }
    }
}

pub(crate) async fn pages_of_events_hold_each_once_the_latest_first(installation: &Installation) {
    let store = &installation.store;
    let (webhook, base) = (webhook(store).await, now() - 1.hour());
    // Five events to a moment: a page ends in the middle of some.
    let entries: Vec<_> = (0..30)
        .map(|number| {
            let event_type = if number % 3 == 0 { "todo.created" } else { "todo.moved" };
            let message = event(&format!("e{number}"), event_type, "{}");
            routed(&message, base + (i64::from(number) / 5).seconds(), &[webhook])
        })
        .collect();
    record(store, &entries).await;

    let every = EventFilter::default();
    let found = all(async |place| store.history.events(&every, place, PAGE).await.expect("a page")).await;
    let order: Vec<(Timestamp, EventRef)> =
        found.iter().map(|row| (row.received_at, row.event_ref)).collect();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.reverse();
    assert_eq!((order.len(), &order), (30, &sorted));

    let some =
        EventFilter { event_type: Some("*.created".parse().expect("a pattern")), ..EventFilter::default() };
    let found = all(async |place| store.history.events(&some, place, PAGE).await.expect("a page")).await;
    assert_eq!(found.len(), 10);
    let other = EventFilter { company: Some("c2".to_owned()), ..EventFilter::default() };
    assert!(
        all(async |place| store.history.events(&other, place, PAGE).await.expect("a page")).await.is_empty()
    );
    let early = EventFilter { until: Some(base + 2.seconds()), ..EventFilter::default() };
    assert_eq!(
        all(async |place| store.history.events(&early, place, PAGE).await.expect("a page")).await.len(),
        10
    );
}

pub(crate) async fn a_page_of_deliveries_shows_each_by_its_latest_attempt(installation: &Installation) {
    let store = &installation.store;
    let (webhook, at) = (webhook(store).await, now() - 1.hour());
    let mut entries = Vec::new();
    for number in 0..20 {
        let message = event(&format!("e{number}"), "todo.created", "{}");
        entries.push(entry(attempted(&message, webhook, 1, at, retry_at(at))));
        let last = if number % 2 == 0 { Step::Succeed } else { retry_at(at + 5.seconds()) };
        entries.push(entry(attempted(&message, webhook, 2, at + 5.seconds(), last)));
    }
    record(store, &entries).await;

    let deliveries = async |filter: &DeliveryFilter| {
        all(async |place| store.history.deliveries(webhook, filter, place, PAGE).await.expect("a page")).await
    };
    let every = deliveries(&DeliveryFilter::default()).await;
    assert_eq!(every.len(), 20);
    assert!(every.iter().all(|attempt| attempt.attempt == 2), "{every:?}");
    let refused = DeliveryFilter { outcomes: Some(vec![OutcomeKind::Refused]), ..DeliveryFilter::default() };
    assert_eq!(deliveries(&refused).await.len(), 10, "those accepted since are not among them");

    let first = decoded(&event("e0", "todo.created", "{}")).event_ref();
    let attempts = store.history.attempts(first, webhook).await.expect("it answers");
    assert_eq!(attempts.iter().map(|attempt| attempt.attempt).collect::<Vec<_>>(), [1, 2]);
}

async fn token(store: &Store, number: u8) -> Uuid {
    let token = NewToken {
        id: Uuid::now_v7(),
        name: format!("token {number}"),
        hash: TokenHash([number; 32]),
        scopes: vec![Scope::Read],
        companies: None,
        expires_at: None,
    };
    store.access.add_token(&token, &actor("token.add")).await.expect("the token is added").id
}

pub(crate) async fn webhooks_and_tokens_come_in_pages_the_oldest_first(installation: &Installation) {
    let store = &installation.store;
    let (mut webhooks, mut tokens) = (Vec::new(), Vec::new());
    for number in 0..10 {
        webhooks.push(webhook(store).await);
        tokens.push(token(store, number).await);
    }

    let (mut found, mut after): (Vec<WebhookId>, _) = (Vec::new(), None);
    loop {
        let page = store.webhooks.after(after, PAGE as i64, None).await.expect("a page");
        found.extend(page.iter().map(|webhook| webhook.described.id));
        after = found.last().copied();
        if page.len() < PAGE {
            break;
        }
    }
    assert_eq!(found, webhooks);
    let first = store.access.tokens(None, PAGE as i64).await.expect("a page");
    let rest = store.access.tokens(first.last().map(|last| last.id), PAGE as i64).await.expect("a page");
    assert_eq!(first.iter().chain(&rest).map(|token| token.id).collect::<Vec<_>>(), tokens);
}

pub(crate) async fn the_audit_log_comes_in_pages_the_latest_first(installation: &Installation) {
    let store = &installation.store;
    let first = webhook(store).await;
    for _ in 0..9 {
        webhook(store).await;
    }
    let page = store.access.audit_log(None, None, PAGE as i64).await.expect("a page");
    let rest =
        store.access.audit_log(page.last().map(|last| last.id), None, PAGE as i64).await.expect("a page");
    let ids: Vec<_> = page.iter().chain(&rest).map(|entry| entry.id).collect();
    assert_eq!(ids.len(), 10);
    assert!(ids.is_sorted_by(|one, other| one > other), "{ids:?}");
    let of_one = store.access.audit_log(None, Some(&first.to_string()), PAGE as i64).await.expect("a page");
    assert_eq!(of_one.len(), 1);
}
