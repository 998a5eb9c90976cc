//! What is not finished comes again; what is, never.

use std::collections::BTreeSet;

use posthorn_broker::{Outgoing, Queue};

use super::{
    BrokerEngine, Seam, headers, message,
    seam::{consume, finish, next, number_of, send},
};
use crate::eventually_is;

pub async fn what_is_given_back_comes_again_with_its_headers<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let (id, publisher) = (seam.accepted_webhook(&session).await, session.publisher().await.unwrap());
    let mut delivery = message(id, 5);
    delivery.headers = headers();
    let event = delivery.event;
    publisher.send(Outgoing::Delivery(delivery)).await.unwrap();

    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Webhook(id), 1).await;
    let first = next(&mut source).await;
    assert_eq!(first.message.returns, 0);
    first.receipt.give_back().await;

    let again = next(&mut source).await;
    assert_eq!((number_of(&again), &again.message.headers), (5, &headers()));
    assert_eq!((again.message.webhook_id(), again.message.message_id.parse()), (Some(id), Ok(event)));
    session.close().await;
}

pub async fn what_a_lost_session_held_comes_again_and_counts<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let id = seam.accepted_webhook(&session).await;
    send(&session.publisher().await.unwrap(), id, [9]).await;
    session.close().await;

    for returns in 0..5 {
        let session = seam.session().await;
        let pool = session.consumer_pool(1);
        let mut source = consume(&pool, Queue::Webhook(id), 1).await;
        let received = next(&mut source).await;
        assert_eq!((number_of(&received), received.message.returns), (9, returns));
        session.close().await;
    }
}

pub async fn what_is_finished_never_comes_again<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let (id, publisher) = (seam.accepted_webhook(&session).await, session.publisher().await.unwrap());
    send(&publisher, id, 0..500).await;

    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Webhook(id), 100).await;
    assert_eq!(finish(&mut source, 400).await, Vec::from_iter(0..400));
    pool.flush().await.unwrap();
    source.cancel().await;
    session.close().await;

    eventually_is("what is left", Some(100), async || seam.waiting(id).await).await;
    let session = seam.session().await;
    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Webhook(id), 100).await;
    let left = BTreeSet::from_iter(finish(&mut source, 100).await);
    assert_eq!(left, BTreeSet::from_iter(400..500));
    pool.flush().await.unwrap();
    session.close().await;
}

/// Acknowledgements go out for whole runs, and pass over what was given back in between: neither may overtake
/// the other on its way.
pub async fn acknowledgements_of_finished_runs_leave_out_what_was_given_back<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let (id, publisher) = (seam.accepted_webhook(&session).await, session.publisher().await.unwrap());
    send(&publisher, id, 0..300).await;

    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Webhook(id), 300).await;
    let mut taken = Vec::new();
    for _ in 0..300 {
        taken.push(next(&mut source).await);
    }
    source.cancel().await;
    for received in taken {
        match number_of(&received) % 7 {
            0 => received.receipt.give_back().await,
            _ => received.receipt.finish(),
        }
    }
    pool.flush().await.unwrap();
    assert!(session.is_open(), "the broker found no fault with the acknowledgements");

    let mut source = consume(&pool, Queue::Webhook(id), 300).await;
    let again = BTreeSet::from_iter(finish(&mut source, 43).await);
    assert_eq!(again, BTreeSet::from_iter((0..300).step_by(7)));
    pool.flush().await.unwrap();
    eventually_is("what is left", Some(0), async || seam.waiting(id).await).await;
    session.close().await;
}
