//! What is counted, by minute and by hour.

use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use posthorn_domain::{
    event::ContentDigest,
    id::{AttemptId, WebhookId},
    journal::{Attempted, Entry, Routed},
    outcome::{Outcome, Phases, UnreachableClass},
    statistics::Tally,
    step::Step,
};
use posthorn_store::{ALL_WEBHOOKS, Interval, Recording, Span, Store};
use posthorn_tests::{App, Receiver, Reply, event, eventually, eventually_is, statuses};
use prost::Message;
use uuid::Uuid;

const RECORDING: Recording = Recording { retries: 5, most_seen: 100, most_rejected_bytes: 1 << 20 };

fn today() -> Span {
    let now = Timestamp::now();
    Span { since: now - 24.hours(), until: now + 1.hour() }
}

fn id_of(webhook: &posthorn_tests::Webhook) -> WebhookId {
    webhook.id.parse().expect("it is a webhook's id")
}

#[tokio::test]
async fn events_and_attempts_are_counted_for_each_webhook_and_in_all() {
    let app = App::create().await;
    let flaky = Receiver::start(statuses([503, 200])).await;
    let dead = Receiver::start(|_| Reply::status(500)).await;
    let flaky = app.add_webhook(&flaky.url("/"), &[]).await;
    let dead = app.add_webhook(&dead.url("/"), &["--projects", "p1"]).await;
    let _roles = app.start().await;
    app.publish(&event("todo.created")).await;
    app.publish(&posthorn_tests::Event { project_id: "p2".to_owned(), ..event("todo.created") }).await;
    let store = Store::new(&app.database.url, 2).expect("the URL is good");

    let of = async |webhook: WebhookId| {
        let totals =
            store.history.statistics_totals(&[webhook], today()).await.expect("the database answers");
        totals.get(&webhook).cloned().unwrap_or_default()
    };
    eventually_is("failed deliveries", 1, async || of(id_of(&dead)).await.failed).await;
    eventually_is("accepted", 2, async || of(id_of(&flaky)).await.accepted).await;
    let (flaky, dead, all) = (of(id_of(&flaky)).await, of(id_of(&dead)).await, of(ALL_WEBHOOKS).await);
    assert_eq!((flaky.events, flaky.refused, flaky.failed), (2, 2, 0));
    assert_eq!((dead.events, dead.refused, dead.accepted), (1, 6, 0));
    assert_eq!((all.accepted, all.refused, all.failed), (2, 8, 1));
    assert!((2..=4).contains(&all.events), "and perhaps those that tell of the dead one: {}", all.events);
    let attempts = app.database.count("SELECT count(*) FROM attempts", &[]).await;
    assert_eq!(all.attempts(), attempts.unsigned_abs());
    assert!(all.latency.percentile(0.99).is_some_and(|latency| latency < Duration::from_secs(30)));
}

/// An attempt and its event, a second apart from the next.
fn entries(number: i64, webhooks: &[WebhookId], base: Timestamp) -> Vec<Entry> {
    let at = base + number.seconds();
    let event = event("todo.created");
    let mut entries = vec![Entry::Routed(Routed {
        message: event.encode_to_vec().into(),
        received_at: at,
        webhook_ids: webhooks.to_vec(),
    })];
    entries.extend(webhooks.iter().map(|webhook| {
        let timeout = Outcome::Unreachable { class: UnreachableClass::Timeout, error: "late".to_owned() };
        let is_good = number % 2 == 0;
        Entry::Attempted(Box::new(Attempted {
            id: AttemptId(Uuid::now_v7()),
            event_id: event.id.as_str().into(),
            event_type: event.r#type.clone(),
            company_id: event.company_id.clone(),
            digest: ContentDigest(Uuid::nil()),
            webhook_id: *webhook,
            epoch: 1,
            attempt: 1,
            started_at: at,
            duration: Duration::from_millis(100),
            outcome: if is_good { Outcome::Accepted { status: 200 } } else { timeout },
            phases: Phases::default(),
            address: None,
            response_headers: Vec::new(),
            response_body: String::new(),
            step: if is_good { Step::Succeed } else { Step::Retry(at + 5.seconds()) },
            first_attempt_at: at,
        }))
    }));
    entries
}

#[tokio::test]
async fn many_recorders_that_record_the_same_at_once_count_it_once() {
    let app = App::create().await;
    let store = Store::new(&app.database.url, 8).expect("the URL is good");
    let webhooks: Vec<_> = (1..=40).map(|number| WebhookId(Uuid::from_u128(number))).collect();
    let minute = Timestamp::now().as_second() / 60 * 60;
    let base = Timestamp::from_second(minute + 30).expect("it is a time") - 10.minutes();
    let forward: Vec<_> = (0..60).flat_map(|number| entries(number, &webhooks, base)).collect();
    let mut backward = forward.clone();
    backward.reverse();

    let record = async |entries: &[Entry], first: usize| {
        // Batches that overlap, from different places.
        for chunk in entries[first..].chunks(300).chain(entries.chunks(170)) {
            store.recorder.record(chunk, RECORDING).await.expect("nobody deadlocks");
        }
    };
    tokio::join!(record(&forward, 0), record(&backward, 100), record(&forward, 500), record(&backward, 900));

    let totals =
        store.history.statistics_totals(&[webhooks[0], ALL_WEBHOOKS], today()).await.expect("it answers");
    let counts = |tally: &Tally| (tally.events, tally.accepted, tally.unreachable, tally.failed);
    assert_eq!(counts(&totals[&webhooks[0]]), (60, 30, 30, 0));
    assert_eq!(counts(&totals[&ALL_WEBHOOKS]), (60, 1200, 1200, 0));
    assert_eq!(totals[&webhooks[0]].latency.0.iter().sum::<u64>(), 30, "of what was answered");
    let minutes = store.history.statistics(webhooks[0], today(), Interval::Minute).await.expect("it answers");
    let hours = store.history.statistics(webhooks[0], today(), Interval::Hour).await.expect("it answers");
    for points in [&minutes, &hours] {
        let mut sum = Tally::default();
        points.iter().for_each(|point| sum += &point.tally);
        assert_eq!(sum, totals[&webhooks[0]]);
    }
    assert_eq!(minutes.len(), 2, "sixty seconds that do not begin with a minute");
    assert!(hours.len() <= minutes.len());
}

#[tokio::test]
async fn old_minutes_become_hours_and_nothing_is_lost() {
    let app = App::with(&[("POSTHORN_STATISTICS_BY_HOUR", "10000d")]).await;
    let store = Store::new(&app.database.url, 2).expect("the URL is good");
    let webhook = WebhookId(Uuid::from_u128(7));
    let base: Timestamp = "2020-01-01T10:00:30Z".parse().expect("it is a time");
    let span = Span { since: base - 1.hour(), until: base + 10.hours() };
    let old = (0..90).flat_map(|minute| entries(minute * 60, &[webhook], base));
    store.recorder.record(&Vec::from_iter(old), RECORDING).await.expect("it records");
    let before = store.history.statistics(webhook, span, Interval::Hour).await.expect("it answers");
    assert_eq!(before.iter().map(|point| point.tally.events).collect::<Vec<_>>(), [60, 30]);

    let recorder = app.start_role("recorder").await;
    let minutes = "SELECT count(*) FROM pg_tables WHERE tablename = 'statistics_minutes_20200101'";
    eventually_is("partitions of minutes", 0, async || app.database.count(minutes, &[]).await).await;
    assert_eq!(store.history.statistics(webhook, span, Interval::Hour).await.expect("it answers"), before);
    assert_eq!(store.history.statistics(webhook, span, Interval::Minute).await.expect("it answers"), []);
    drop(recorder);

    // What comes late is added. The store of another process has not seen the partition go.
    let store = Store::new(&app.database.url, 2).expect("the URL is good");
    store.recorder.record(&entries(0, &[webhook], base), RECORDING).await.expect("it records");
    let _recorder = app.start_role("recorder").await;
    eventually("the late one is in its hour", async || {
        let gone = app.database.count(minutes, &[]).await == 0;
        let hours = store.history.statistics(webhook, span, Interval::Hour).await.expect("it answers");
        (gone && hours[0].tally.events == 61).then_some(())
    })
    .await;
}
