//! Retries: delivered after their delay, by time-to-live and dead-lettering.

use std::time::Instant;

use posthorn_broker::{DeliveryHeaders, Outgoing, Queue};

use super::{
    BrokerEngine, Seam, bytes_of, headers, message,
    seam::{LONG, SHORT, consume, finish, next, number_of},
};

pub async fn a_retry_comes_after_its_delay_with_its_headers<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let (id, publisher) = (seam.accepted_webhook(&session).await, session.publisher().await.unwrap());
    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Webhook(id), 1).await;
    let mut delivery = message(id, 8);
    delivery.headers = headers();
    let event = delivery.event;

    let sent = Instant::now();
    publisher.send(Outgoing::Retry { delay: SHORT, delivery }).await.unwrap();
    let received = next(&mut source).await;

    assert!(sent.elapsed() >= SHORT, "it came after {:?}", sent.elapsed());
    assert_eq!((number_of(&received), &received.message.headers), (8, &headers()));
    assert_eq!((received.message.webhook_id(), received.message.message_id.parse()), (Some(id), Ok(event)));
    assert_eq!(received.message.returns, 0);
    received.receipt.finish();
    pool.flush().await.unwrap();
    session.close().await;
}

/// Brokers drop a message that goes round in a circle unless somebody publishes it anew.
pub async fn a_retry_may_be_delayed_again_and_again<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let (id, publisher) = (seam.accepted_webhook(&session).await, session.publisher().await.unwrap());
    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Webhook(id), 1).await;

    let mut delivery = message(id, 1);
    for attempt in 2..6 {
        delivery.headers = DeliveryHeaders { attempt: Some(attempt), ..delivery.headers };
        publisher.send(Outgoing::Retry { delay: SHORT, delivery: delivery.clone() }).await.unwrap();
        let received = next(&mut source).await;
        assert_eq!(received.message.headers.attempt, Some(attempt));
        delivery.headers = received.message.headers.clone();
        received.receipt.finish();
    }
    pool.flush().await.unwrap();
    session.close().await;
}

pub async fn a_shorter_delay_waits_behind_no_longer_one<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let (id, publisher) = (seam.accepted_webhook(&session).await, session.publisher().await.unwrap());

    for (delay, number) in [(LONG, 1), (SHORT, 2)] {
        publisher.send(Outgoing::Retry { delay, delivery: message(id, number) }).await.unwrap();
    }
    assert!(session.backlog().await.unwrap().retries >= 1);

    let pool = session.consumer_pool(1);
    assert_eq!(finish(&mut consume(&pool, Queue::Webhook(id), 1).await, 2).await, [2, 1]);
    pool.flush().await.unwrap();
    session.close().await;
}

pub async fn a_delayed_batch_comes_to_the_dispatchers<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let publisher = session.publisher().await.unwrap();
    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Batches, 1).await;

    let batch = Outgoing::DelayedBatch { delay: SHORT, batch: bytes_of(6), headers: headers() };
    publisher.send(batch).await.unwrap();

    let received = next(&mut source).await;
    assert_eq!((number_of(&received), &received.message.headers), (6, &headers()));
    received.receipt.finish();
    pool.flush().await.unwrap();
    session.close().await;
}
