//! Retention: what is old goes, what is kept in all is bounded, and sums stay what they were.

use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use posthorn_domain::step::Step;
use posthorn_store::{EventFilter, Interval, Janitor, Span, Store};

use crate::{
    fixtures::{actor, attempted, entry, event, now, record, rejected, routed, webhook},
    installation::{Installation, eventually},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Becomes the janitor. The one before may still be about to go.
async fn janitor(store: &Store) -> Janitor<'_> {
    eventually("nobody else is the janitor", async || store.housekeeping.janitor().await.expect("it answers"))
        .await
}

async fn events(store: &Store) -> usize {
    store.history.events(&EventFilter::default(), None, 100).await.expect("a page").rows.len()
}

pub(crate) async fn what_is_older_than_the_retention_goes_and_nothing_else(installation: &Installation) {
    let store = &installation.store;
    let (webhook, at) = (webhook(store).await, now());
    let received = |id: &str, at: Timestamp| routed(&event(id, "todo.created", "{}"), at, &[webhook]);
    let old = at - (40 * 24).hours();
    record(store, &[received("old", old), received("recent", at - (20 * 24).hours()), received("new", at)])
        .await;
    assert_eq!(events(store).await, 3);

    janitor(store).await.maintain_partitions(at, 30 * DAY).await.expect("it is maintained");
    assert_eq!(events(store).await, 2);

    // What comes late finds its place again.
    record(store, &[received("late", old)]).await;
    assert_eq!(events(store).await, 3);
}

pub(crate) async fn minutes_that_become_hours_count_the_same(installation: &Installation) {
    let store = &installation.store;
    let (webhook, at) = (webhook(store).await, now());
    let old = at - (10 * 24).hours();
    let message = event("e1", "todo.created", "{}");
    let entries: Vec<_> = (0..20)
        .map(|number| entry(attempted(&message, webhook, 1, old + (number * 10).minutes(), Step::Succeed)))
        .collect();
    record(store, &entries).await;
    let span = Span { since: old - 24.hours(), until: at };
    let hours = async || store.history.statistics(webhook, span, Interval::Hour).await.expect("it answers");
    let before = hours().await;
    assert_eq!(before.iter().map(|point| point.tally.accepted).sum::<u64>(), 20);

    let folded =
        janitor(store).await.maintain_statistics(at, 7 * DAY, 365 * DAY).await.expect("it is maintained");

    assert!(!folded.is_empty());
    assert_eq!(hours().await, before);
    let minutes = store.history.statistics(webhook, span, Interval::Minute).await.expect("it answers");
    assert!(minutes.is_empty(), "those minutes are gone: {minutes:?}");
    janitor(store).await.maintain_statistics(at, 7 * DAY, 7 * DAY).await.expect("it is maintained");
    assert!(hours().await.is_empty(), "old hours go, too");
}

pub(crate) async fn the_bytes_of_rejected_messages_are_bounded_and_their_rows_stay(
    installation: &Installation,
) {
    let store = &installation.store;
    let at = now();
    let messages: Vec<_> = (0..8).map(|number| rejected(at + number.seconds(), 100)).collect();
    record(store, &messages).await;
    let kept = async || {
        let mut kept = 0;
        for row in store.history.rejected_events(None, None, 100).await.expect("a page") {
            let (_, bytes) =
                store.history.rejected_event(row.id).await.expect("it answers").expect("it is there");
            kept += bytes.len();
        }
        kept
    };
    assert_eq!(kept().await, 800);

    assert_eq!(janitor(store).await.make_room_for_rejected(10_000).await.expect("it answers"), 0);
    assert_eq!(kept().await, 800, "there is room");
    assert_eq!(janitor(store).await.make_room_for_rejected(1_000).await.expect("it answers"), 3);
    assert_eq!(kept().await, 500, "three quarters were used: now it is half");
    assert_eq!(store.history.rejected_events(None, None, 100).await.expect("a page").len(), 8);
}

pub(crate) async fn a_deleted_webhook_is_forgotten_after_its_grace(installation: &Installation) {
    let store = &installation.store;
    let (deleted, kept) = (webhook(store).await, webhook(store).await);
    store.webhooks.delete(deleted, &actor("webhook.delete")).await.expect("it is deleted");
    assert!(store.webhooks.get(deleted).await.is_err(), "nobody sees it any more");
    let janitor = janitor(store).await;
    assert!(janitor.deleted_webhooks(DAY).await.expect("it answers").is_empty(), "its grace is not over");
    assert_eq!(janitor.deleted_webhooks(Duration::ZERO).await.expect("it answers"), [deleted]);

    for id in [deleted, kept] {
        janitor.forget_webhook(id).await.expect("it answers");
    }

    assert!(janitor.deleted_webhooks(Duration::ZERO).await.expect("it answers").is_empty());
    assert!(store.webhooks.get(kept).await.is_ok(), "only what is deleted is forgotten");
}
