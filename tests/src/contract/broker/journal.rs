//! The journal, and events of our own.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use jiff::Timestamp;
use posthorn_broker::{Outgoing, Queue};
use posthorn_domain::{
    id::EventId,
    journal::{Dropped, Entry, decode},
};
use tokio::time::timeout;

use super::{
    BrokerEngine, Seam,
    seam::{consume, next},
};
use crate::{PATIENCE, broker::identified, event, eventually_is};

fn entry<E: BrokerEngine>(seam: &Seam<E>, number: u32) -> Entry {
    Entry::Dropped(Dropped {
        event_id: EventId(number.to_string()),
        company_id: "acme".to_owned(),
        webhook_id: seam.webhook(),
        dropped_at: Timestamp::UNIX_EPOCH,
        reason: "a test".to_owned(),
    })
}

pub async fn entries_come_in_batches_that_lose_none<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let journal = session.journal().await.unwrap();
    let written = Arc::new(AtomicU32::new(0));
    for number in 0..1000 {
        let written = written.clone();
        let then = move || _ = written.fetch_add(1, SeqCst);
        journal.write_then(vec![entry(&seam, number)], then).await.unwrap();
    }
    eventually_is("entries that are safe", 1000, async || written.load(SeqCst)).await;

    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Journal, 10).await;
    let (mut ids, mut batches) = (Vec::new(), 0);
    while ids.len() < 1000 {
        let received = next(&mut source).await;
        batches += 1;
        for entry in decode(received.message.body).expect("it is a batch") {
            let Entry::Dropped(dropped) = entry else { panic!("another entry was written") };
            ids.push(dropped.event_id.0);
        }
        received.receipt.finish();
    }

    assert_eq!(ids, (0..1000).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(batches < 500, "{batches} batches");
    pool.flush().await.unwrap();
    session.close().await;
}

pub async fn what_follows_an_entry_happens_once_it_is_safe<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let journal = session.journal().await.unwrap();

    journal.write(entry(&seam, 1)).await.unwrap();
    assert_eq!(session.backlog().await.unwrap().journal, 1);

    session.fail("a test ends it");
    let late = journal.write(entry(&seam, 2)).await;
    assert!(late.is_err(), "nothing is safe on a session that has ended");
    session.close().await;
}

/// Deliveries wait for the journal, and only for the session beside it: if its task dies unseen, they wait for
/// ever.
pub async fn a_panic_in_what_follows_an_entry_ends_the_session<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let journal = session.journal().await.unwrap();

    journal.write_then(vec![entry(&seam, 1)], || panic!("injected by a test")).await.unwrap();

    timeout(PATIENCE, session.ended()).await.expect("the session ends");
    session.close().await;
}

pub async fn own_events_are_told_from_those_of_services<E: BrokerEngine>() {
    let seam = Seam::<E>::open().await;
    let session = seam.session().await;
    let own = event("posthorn.webhook.disabled");
    let publisher = session.publisher().await.unwrap();
    publisher.send(Outgoing::OwnEvent(own.clone())).await.unwrap();
    seam.hand.publish(&seam.name("events"), "todo.created", identified("theirs"), b"not even an event").await;

    let pool = session.consumer_pool(1);
    let mut source = consume(&pool, Queue::Events, 2).await;
    let (first, second) = (next(&mut source).await.message, next(&mut source).await.message);

    assert_eq!((first.message_id.as_str(), first.routing_key.as_str()), (&*own.id, &*own.r#type));
    assert!(first.is_own());
    assert_eq!((second.message_id.as_str(), second.is_own()), ("theirs", false));
    session.close().await;
}
