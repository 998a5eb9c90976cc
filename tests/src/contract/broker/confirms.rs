//! A confirm means that the message is safe; none means nothing.

use posthorn_broker::{BrokerError, Outgoing, Queue};

use super::{
    BrokerEngine, Seam, message,
    seam::{consume, finish, next, send},
};
use crate::eventually_is;

pub async fn what_is_confirmed_is_in_its_queue<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let (id, publisher) = (seam.accepted_webhook(&session).await, session.publisher().await.unwrap());

    send(&publisher, id, 0..3).await;

    assert_eq!(seam.waiting(id).await, Some(3));
    session.close().await;
}

pub async fn two_thousand_in_flight_are_all_confirmed<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let publisher = session.publisher().await.unwrap();
    let webhooks = [seam.accepted_webhook(&session).await, seam.accepted_webhook(&session).await];

    let mut confirms = Vec::new();
    for number in 0..2000 {
        let delivery = message(webhooks[number as usize % 2], number);
        confirms.push(publisher.publish(Outgoing::Delivery(delivery)).await.unwrap());
    }
    for confirm in confirms {
        confirm.wait().await.unwrap();
    }

    for id in webhooks {
        eventually_is("deliveries that wait", Some(1000), async || seam.waiting(id).await).await;
    }
    session.close().await;
}

pub async fn a_large_message_comes_whole<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let (id, publisher) = (seam.accepted_webhook(&session).await, session.publisher().await.unwrap());
    let body: Vec<u8> = (0..8 << 20).map(|position: u32| (position % 251) as u8).collect();

    let mut large = message(id, 0);
    large.message = body.clone().into();
    publisher.send(Outgoing::Delivery(large)).await.unwrap();

    let pool = session.consumer_pool(1);
    let received = next(&mut consume(&pool, Queue::Webhook(id), 1).await).await;
    assert!(received.message.body == body, "{} bytes came", received.message.body.len());
    session.close().await;
}

/// Where neither the queue nor that of the orphans is there, the broker returns the message. Its confirm must
/// not be taken for success, whichever of those in flight the return is told with.
pub async fn what_no_queue_takes_is_never_confirmed<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    for lost in [0, 17, 49] {
        let session = seam.session().await;
        let (id, publisher) = (seam.accepted_webhook(&session).await, session.publisher().await.unwrap());
        let nowhere = seam.webhook();
        seam.hand.delete_queue(&seam.name("orphans")).await;

        let mut confirms = Vec::new();
        for number in 0..50 {
            let to = if number == lost { nowhere } else { id };
            // Those behind it may find that the session has ended.
            confirms.push(publisher.publish(Outgoing::Delivery(message(to, number))).await);
        }
        let mut confirmed = Vec::new();
        for confirm in confirms {
            confirmed.push(match confirm {
                Ok(confirm) => confirm.wait().await.is_ok(),
                Err(_) => false,
            });
        }

        assert!(!confirmed[lost as usize], "{confirmed:?}");
        session.ended().await;
        let count = confirmed.iter().filter(|is_confirmed| **is_confirmed).count() as u32;
        assert!(seam.waiting(id).await.unwrap() >= count, "what was confirmed is there");
        session.close().await;
    }
    // The next session declares the orphans again.
    let session = seam.session().await;
    session.publisher().await.unwrap().send(Outgoing::Delivery(message(seam.webhook(), 7))).await.unwrap();
    let pool = session.consumer_pool(1);
    assert_eq!(finish(&mut consume(&pool, Queue::Orphans, 1).await, 1).await, [7]);
    pool.flush().await.unwrap();
    session.close().await;
}

pub async fn a_session_that_has_ended_confirms_nothing<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let (id, publisher) = (seam.accepted_webhook(&session).await, session.publisher().await.unwrap());

    session.fail("a test ends it");

    let sent = publisher.send(Outgoing::Delivery(message(id, 0))).await;
    assert!(matches!(sent, Err(BrokerError::SessionEnded)), "{sent:?}");
    session.close().await;
}
