//! Consumers: how much they hold, how they pause, how they end.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use posthorn_broker::{Outgoing, Queue};
use tokio::time::timeout;

use super::{
    BrokerEngine, Seam, bytes_of, message,
    seam::{consume, finish, next, number_of, send},
};
use crate::{PATIENCE, eventually_is};

pub async fn a_consumer_holds_no_more_than_its_prefetch<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let (id, publisher) = (seam.accepted_webhook(&session).await, session.publisher().await.unwrap());
    send(&publisher, id, 0..50).await;

    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Webhook(id), 7).await;
    eventually_is("what waits behind it", Some(43), async || seam.waiting(id).await).await;
    let mut held = Vec::new();
    for _ in 0..7 {
        held.push(next(&mut source).await);
    }
    held.pop().expect("there are seven").receipt.finish();
    pool.flush().await.unwrap();
    held.push(next(&mut source).await);
    eventually_is("what waits behind it", Some(42), async || seam.waiting(id).await).await;
    assert!(source.ready().is_none(), "it holds seven again");
    session.close().await;
}

/// Prefetch is set for the whole channel before a consumer starts: those that start beside each other must
/// not get each other's.
pub async fn consumers_of_one_channel_hold_each_its_own_number<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let publisher = session.publisher().await.unwrap();
    let webhooks: Vec<_> = (0..24).map(|_| seam.webhook()).collect();
    session.accept_deliveries(&webhooks).await.unwrap();
    for id in &webhooks {
        send(&publisher, *id, 0..10).await;
    }

    let pool = session.consumer_pool(1);
    pool.prepare(&webhooks).await.unwrap();
    let prefetch = |position: usize| 1 + (position % 5) as u16;
    let starting = webhooks.iter().enumerate();
    let starting = starting.map(|(position, id)| consume(&pool, Queue::Webhook(*id), prefetch(position)));
    let sources = join_all(starting).await;

    for (position, id) in webhooks.iter().enumerate() {
        let left = Some(10 - u32::from(prefetch(position)));
        eventually_is("what waits behind a consumer", left, async || seam.waiting(*id).await).await;
    }
    assert_eq!(sources.len(), 24);
    session.close().await;
}

/// Pausing a webhook is cancelling its consumer.
pub async fn a_paused_webhook_keeps_its_deliveries<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let (id, publisher) = (seam.accepted_webhook(&session).await, session.publisher().await.unwrap());
    send(&publisher, id, 0..10).await;

    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Webhook(id), 5).await;
    assert_eq!(finish(&mut source, 2).await, [0, 1]);
    let running = next(&mut source).await;
    source.cancel().await;
    send(&publisher, id, 10..12).await;
    eventually_is("what waits", Some(9), async || seam.waiting(id).await).await;
    assert_eq!(number_of(&running), 2);
    running.receipt.finish(); // what ran is finished all the same
    pool.flush().await.unwrap();

    let mut source = consume(&pool, Queue::Webhook(id), 20).await;
    let resumed = BTreeSet::from_iter(finish(&mut source, 9).await);
    assert_eq!(resumed, BTreeSet::from_iter(3..12));
    pool.flush().await.unwrap();
    session.close().await;
}

pub async fn a_consumer_learns_that_its_queue_is_gone<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let id = seam.accepted_webhook(&session).await;
    let other = seam.accepted_webhook(&session).await;
    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Webhook(id), 1).await;
    let mut beside = consume(&pool, Queue::Webhook(other), 1).await;

    seam.hand.delete_queue(&seam.name(&format!("webhook.{id}"))).await;

    let ended = timeout(PATIENCE, source.next()).await.expect("it learns in time");
    assert!(ended.is_none());
    assert!(source.next().await.is_none(), "asked again it says the same");
    send(&session.publisher().await.unwrap(), other, [1]).await;
    assert_eq!(finish(&mut beside, 1).await, [1], "the others of its channel live on");
    pool.flush().await.unwrap();
    session.close().await;
}

pub async fn a_webhook_whose_queue_is_missing_gets_one_when_it_is_consumed<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let id = seam.webhook();

    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Webhook(id), 1).await;

    session.publisher().await.unwrap().send(Outgoing::Delivery(message(id, 3))).await.unwrap();
    assert_eq!(finish(&mut source, 1).await, [3]);
    pool.flush().await.unwrap();
    session.close().await;
}

pub async fn lengths_leave_out_what_somebody_holds<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let publisher = session.publisher().await.unwrap();
    for number in 0..3 {
        publisher.send(Outgoing::Batch(bytes_of(number))).await.unwrap();
    }
    publisher.send(Outgoing::Suspect(message(seam.webhook(), 4))).await.unwrap();
    publisher.send(Outgoing::Delivery(message(seam.webhook(), 5))).await.unwrap();

    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Batches, 1).await;
    let _held = next(&mut source).await;

    let lengths = async || {
        let backlog = session.backlog().await.unwrap();
        (backlog.batches, backlog.suspect_deliveries, backlog.orphans, backlog.events)
    };
    eventually_is("batches, suspects, orphans, events", (2, 1, 1, 0), lengths).await;
    session.close().await;
}
