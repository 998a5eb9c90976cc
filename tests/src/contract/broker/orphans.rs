//! Deliveries whose webhook has no queue are kept, by an alternate exchange.

use posthorn_broker::{Outgoing, Queue};

use super::{
    BrokerEngine, Seam, headers, message,
    seam::{SHORT, consume, finish, next, number_of, send},
};
use crate::eventually_is;

pub async fn a_delivery_without_a_queue_is_an_orphan_until_its_webhook_is_restored<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let (id, publisher) = (seam.webhook(), session.publisher().await.unwrap());
    let mut delivery = message(id, 4);
    delivery.headers = headers();
    publisher.send(Outgoing::Delivery(delivery)).await.unwrap();

    let pool = session.consumer_pool(1);
    let orphan = next(&mut consume(&pool, Queue::Orphans, 1).await).await;
    assert_eq!((number_of(&orphan), orphan.message.webhook_id()), (4, Some(id)));
    assert_eq!(orphan.message.headers, headers());
    assert_eq!(seam.waiting(id).await, None);
    session.restore_webhook(id).await.unwrap();
    send(&publisher, id, [4]).await;
    orphan.receipt.finish();
    pool.flush().await.unwrap();

    assert_eq!(seam.waiting(id).await, Some(1));
    session.close().await;
}

pub async fn a_retry_that_finds_no_queue_is_an_orphan<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let id = seam.webhook();
    let retry = Outgoing::Retry { delay: SHORT, delivery: message(id, 4) };
    session.publisher().await.unwrap().send(retry).await.unwrap();

    let pool = session.consumer_pool(1);
    let orphan = next(&mut consume(&pool, Queue::Orphans, 1).await).await;
    assert_eq!((number_of(&orphan), orphan.message.webhook_id()), (4, Some(id)));
    orphan.receipt.finish();
    pool.flush().await.unwrap();
    session.close().await;
}

pub async fn the_queue_of_a_deleted_webhook_is_removed<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let publisher = session.publisher().await.unwrap();
    let (deleted, other) = (seam.accepted_webhook(&session).await, seam.accepted_webhook(&session).await);
    send(&publisher, deleted, 0..3).await;
    send(&publisher, other, 0..3).await;

    let never_made = seam.webhook();
    for (id, removed) in session.remove_webhooks(&[deleted, never_made]).await {
        // What has no queue has nothing to unbind: some brokers say so, others don't.
        assert!(id == never_made || removed.is_ok(), "{removed:?}");
    }

    assert_eq!((seam.waiting(deleted).await, seam.waiting(other).await), (None, Some(3)));
    publisher.send(Outgoing::Delivery(message(deleted, 9))).await.unwrap();
    let pool = session.consumer_pool(1);
    assert_eq!(finish(&mut consume(&pool, Queue::Orphans, 1).await, 1).await, [9]);
    pool.flush().await.unwrap();
    session.close().await;
}

pub async fn webhooks_that_are_accepted_together_all_have_a_queue<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let ids: Vec<_> = (0..120).map(|_| seam.webhook()).collect();
    // Declared with other properties by somebody else: refused, and no harm to the others.
    let taken = seam.name(&format!("webhook.{}", ids[60]));
    seam.hand.declare_queue(&taken, Default::default()).await;

    let refused = session.accept_deliveries(&ids).await.unwrap();

    assert_eq!(refused.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [ids[60]]);
    let publisher = session.publisher().await.unwrap();
    for id in [ids[0], ids[59], ids[61], ids[119]] {
        send(&publisher, id, [1]).await;
        eventually_is("its delivery", Some(1), async || seam.waiting(id).await).await;
    }
    session.close().await;
}
