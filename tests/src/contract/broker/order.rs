//! Order, where it is promised: from one publisher through one queue to one consumer, while nothing comes back.

use posthorn_broker::Queue;

use super::{
    BrokerEngine, Seam,
    seam::{consume, finish, next, number_of, send},
};

pub async fn messages_of_one_publisher_come_in_their_order<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let (id, publisher) = (seam.accepted_webhook(&session).await, session.publisher().await.unwrap());

    send(&publisher, id, 0..2000).await;

    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Webhook(id), 100).await;
    assert_eq!(finish(&mut source, 2000).await, Vec::from_iter(0..2000));
    pool.flush().await.unwrap();
    session.close().await;
}

pub async fn what_comes_back_comes_before_what_is_behind_it<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let (id, publisher) = (seam.accepted_webhook(&session).await, session.publisher().await.unwrap());
    send(&publisher, id, 0..3).await;

    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Webhook(id), 1).await;
    let first = next(&mut source).await;
    assert_eq!(number_of(&first), 0);
    first.receipt.give_back().await;

    assert_eq!(finish(&mut source, 3).await, [0, 1, 2]);
    pool.flush().await.unwrap();
    session.close().await;
}
