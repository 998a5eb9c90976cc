//! What was confirmed is safe, whatever happens to the broker.

use posthorn_broker::{Outgoing, Queue};
use tokio::time::timeout;

use super::{
    BrokerEngine, Seam, bytes_of, message,
    seam::{LONG, consume, finish, next, send},
};
use crate::{PATIENCE, event, eventually_is};

pub async fn what_was_confirmed_survives_a_kill<E: BrokerEngine>() {
    let seam = Seam::<E>::private().await;
    let session = seam.session().await;
    let (id, publisher) = (seam.accepted_webhook(&session).await, session.publisher().await.unwrap());
    // RabbitMQ writes a new queue down within half a second after it has said that it is there: one that is
    // killed sooner has its messages, and cannot start the queue. A retry takes longer than that.
    publisher.send(Outgoing::Retry { delay: LONG, delivery: message(id, 7) }).await.unwrap();
    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Webhook(id), 10).await;
    assert_eq!(finish(&mut source, 1).await, [7]);
    pool.flush().await.unwrap();

    send(&publisher, id, 0..100).await;
    for outgoing in [
        Outgoing::Batch(bytes_of(1)),
        Outgoing::Journal(bytes_of(2)),
        Outgoing::Suspect(message(id, 3)),
        Outgoing::Delivery(message(seam.webhook(), 4)),
        Outgoing::OwnEvent(event("todo.created")),
        Outgoing::Retry { delay: LONG, delivery: message(id, 100) },
    ] {
        publisher.send(outgoing).await.unwrap();
    }
    let _held = next(&mut source).await;

    seam.engine.kill_and_start().await;

    timeout(PATIENCE, session.ended()).await.expect("the session learns of it");
    session.close().await;
    let session = seam.session().await;
    let lengths = async || {
        let backlog = session.backlog().await.unwrap();
        [backlog.batches, backlog.journal, backlog.suspect_deliveries, backlog.orphans, backlog.events]
    };
    eventually_is("batches, journal, suspects, orphans, events", [1; 5], lengths).await;
    eventually_is("deliveries, the retry with them", Some(101), async || seam.waiting(id).await).await;
    let pool = session.consumer_pool(1);
    let mut all = finish(&mut consume(&pool, Queue::Webhook(id), 20).await, 101).await;
    all.sort_unstable();
    assert_eq!(all, Vec::from_iter(0..101));
    pool.flush().await.unwrap();
    session.close().await;
}
