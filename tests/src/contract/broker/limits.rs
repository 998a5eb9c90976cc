//! What comes back again and again: events are moved out of the way, deliveries are not dropped.

use std::sync::Arc;

use posthorn_broker::{Outgoing, Quarantine, Queue, Session};
use posthorn_proto::v1;

use super::{
    BrokerEngine, Seam,
    seam::{consume, next, number_of, send},
};
use crate::{event, eventually_is};

/// Takes the event of a queue in session after session, each of which ends with it, until the queue is
/// without it; tells how often.
async fn ends_sessions<E: BrokerEngine>(seam: &Seam<E>, queue: Queue, id: &str) -> u32 {
    let mut ended = 0;
    loop {
        let session = seam.session().await;
        if waits_in(&session, queue).await == 0 {
            session.close().await;
            return ended;
        }
        let pool = session.consumer_pool(1);
        let received = next(&mut consume(&pool, queue, 1).await).await;
        assert_eq!(received.message.message_id, id);
        session.close().await;
        ended += 1;
    }
}

/// How many events wait in a queue, once the broker has put what was held back into one of the three.
async fn waits_in(session: &Arc<Session>, queue: Queue) -> u32 {
    let lengths = async || {
        let backlog = session.backlog().await.expect("the queues can be looked at");
        (backlog.events, backlog.suspect_events, backlog.quarantine)
    };
    let sum = async || {
        let (events, suspects, quarantine) = lengths().await;
        events + suspects + quarantine
    };
    eventually_is("the event is somewhere", 1, sum).await;
    match queue {
        Queue::SuspectEvents => lengths().await.1,
        _ => lengths().await.0,
    }
}

async fn publish<E: BrokerEngine>(seam: &Seam<E>) -> v1::Event {
    let session = seam.session().await;
    let event = event("todo.created");
    session.publisher().await.unwrap().send(Outgoing::OwnEvent(event.clone())).await.unwrap();
    session.close().await;
    event
}

pub async fn an_event_that_ends_session_after_session_goes_to_quarantine<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let event = publish(&seam).await;

    assert_eq!(ends_sessions(&seam, Queue::Events, &event.id).await, 4);
    assert_eq!(ends_sessions(&seam, Queue::SuspectEvents, &event.id).await, 4);

    let session = seam.session().await;
    assert_eq!(session.backlog().await.unwrap().quarantine, 1);
    session.close().await;
}

pub async fn what_is_released_from_quarantine_is_tried_again<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let event = publish(&seam).await;
    ends_sessions(&seam, Queue::Events, &event.id).await;
    ends_sessions(&seam, Queue::SuspectEvents, &event.id).await;

    let mut quarantine = Quarantine::open(seam.engine.url(), seam.prefix()).await.unwrap();
    let quarantined = quarantine.next().await.unwrap().expect("it is there");
    assert_eq!(quarantined.routing_key(), b"todo.created");
    quarantine.release(&quarantined).await.unwrap();
    assert!(quarantine.next().await.unwrap().is_none());
    quarantine.close().await.unwrap();

    let session = seam.session().await;
    let pool = session.consumer_pool(1);
    let again = next(&mut consume(&pool, Queue::SuspectEvents, 1).await).await;
    assert_eq!((again.message.message_id, again.message.returns), (event.id, 0));
    again.receipt.finish();
    pool.flush().await.unwrap();
    session.close().await;
}

/// Brokers from 4.0 drop at 20 unless a queue says otherwise.
pub async fn a_delivery_may_come_back_more_often_than_brokers_allow_by_default<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let (id, publisher) = (seam.accepted_webhook(&session).await, session.publisher().await.unwrap());
    send(&publisher, id, [2]).await;

    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Webhook(id), 1).await;
    for _ in 0..30 {
        next(&mut source).await.receipt.give_back().await;
    }

    let still_there = next(&mut source).await;
    assert_eq!(number_of(&still_there), 2);
    still_there.receipt.finish();
    pool.flush().await.unwrap();
    session.close().await;
}
