//! An installation's names on a broker, seen through the seam alone; and a hand in it, for what an operator
//! could do.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use posthorn_broker::{
    Broker, BrokerError, Config, ConsumerPool, DeliveryHeaders, DeliveryMessage, Outgoing, Publisher, Queue,
    QueueType, Received, Role, Session, Source, Viewer,
};
use posthorn_domain::id::{EventRef, WebhookId};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::engine::BrokerEngine;
use crate::{PATIENCE, broker::Broker as Hand};

/// The delays of the tests' installations.
pub(super) const SHORT: Duration = Duration::from_millis(300);
pub(super) const LONG: Duration = Duration::from_secs(3);

/// An installation without roles. Dropping it removes what it made.
pub struct Seam<E> {
    /// The implementation.
    pub engine: E,
    /// What an operator could do.
    pub hand: Hand,
    config: Config,
    prefix: String,
    webhooks: Mutex<BTreeSet<String>>,
}

impl<E: BrokerEngine> Seam<E> {
    /// An installation on a broker that others use as well.
    pub async fn open() -> Self {
        Self::on(E::shared().await)
    }

    /// An installation on a broker of its own.
    pub async fn private() -> Self {
        Self::on(E::private().await)
    }

    fn on(engine: E) -> Self {
        let prefix = format!("c{}", Uuid::now_v7().simple());
        let config = Config {
            url: engine.url().to_owned(),
            prefix: prefix.clone(),
            queue_type: QueueType::Quorum,
            retry_delays: vec![SHORT, LONG],
        };
        Self { hand: Hand::new(engine.url()), engine, config, prefix, webhooks: Mutex::default() }
    }

    /// A session of a role that may all.
    pub async fn session(&self) -> Arc<Session> {
        // A broker that has seen no session before: it makes none wait that follows a short one.
        let broker = Broker::new(self.config.clone()).expect("the engine's URL is one");
        let stop = CancellationToken::new();
        let opening = timeout(PATIENCE, broker.session(Role::Dispatcher, &stop));
        opening.await.expect("a session opens in time").expect("and for good").expect("nobody stops it")
    }

    /// A new webhook; it has no queue yet.
    pub fn webhook(&self) -> WebhookId {
        let id = WebhookId(Uuid::now_v7());
        self.webhooks.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_string());
        id
    }

    /// A new webhook with its queue.
    pub async fn accepted_webhook(&self, session: &Session) -> WebhookId {
        let id = self.webhook();
        let refused = session.accept_deliveries(&[id]).await.expect("the broker is there");
        assert!(refused.is_empty(), "{refused:?}");
        id
    }

    /// How many messages wait in a webhook's queue, if it has one.
    pub async fn waiting(&self, id: WebhookId) -> Option<u32> {
        let viewer = Viewer::connect(self.engine.url(), &self.prefix).await.expect("the broker is there");
        viewer.waiting(&[id]).await.expect("the broker answers")[0]
    }

    /// The full name of a queue or an exchange, for the hand.
    pub fn name(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// What its names begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl<E> Drop for Seam<E> {
    fn drop(&mut self) {
        let webhooks = self.webhooks.lock().unwrap_or_else(PoisonError::into_inner);
        let delays = [SHORT, LONG].map(|delay| format!("retry.{}", delay.as_millis()));
        let pairs = ["orphans", "quarantine", "suspects.events", "suspects.deliveries", "journal", "batches"];
        let pairs: Vec<_> = pairs.map(str::to_owned).into_iter().chain(delays).collect();
        let (url, prefix) = (self.hand.url.clone(), self.prefix.clone());
        let queues = webhooks.iter().map(|id| format!("webhook.{id}")).chain(["router".to_owned()]);
        let queues: Vec<_> = queues.chain(pairs.clone()).collect();
        let exchanges: Vec<_> =
            pairs.into_iter().chain(["events", "deliveries"].map(str::to_owned)).collect();
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be built").block_on(async {
                let hand = Hand::new(&url);
                for queue in queues {
                    hand.delete_queue(&format!("{prefix}.{queue}")).await;
                }
                for exchange in exchanges {
                    hand.delete_exchange(&format!("{prefix}.{exchange}")).await;
                }
            });
        });
        if cleaning.join().is_err() {
            eprintln!("note: could not clean up {}", self.prefix);
        }
    }
}

/// A delivery of an event that bears a number.
pub fn message(webhook_id: WebhookId, number: u32) -> DeliveryMessage {
    let event = EventRef::new("acme", &number.to_string());
    DeliveryMessage { webhook_id, event, message: bytes_of(number), headers: DeliveryHeaders::default() }
}

/// A body that bears a number.
pub fn bytes_of(number: u32) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

/// The number that a message bears.
pub(super) fn number_of(received: &Received) -> u32 {
    let bytes: [u8; 4] = received.message.body[..].try_into().expect("it bears a number");
    u32::from_be_bytes(bytes)
}

/// Headers with a value in each field.
pub fn headers() -> DeliveryHeaders {
    let at = |text: &str| Some(text.parse().expect("it is a time"));
    DeliveryHeaders {
        attempt: Some(3),
        epoch: Some(2),
        published_at: at("2026-11-23T09:30:00.120Z"),
        received_at: at("2026-11-23T09:30:00.123Z"),
        first_attempt_at: at("2026-11-23T09:30:01Z"),
        is_canary: true,
        forgiven: 2,
        trace: None,
    }
}

/// Sends deliveries that bear these numbers and waits for all confirms.
pub(super) async fn send(publisher: &Publisher, id: WebhookId, numbers: impl IntoIterator<Item = u32>) {
    let mut confirms = Vec::new();
    for number in numbers {
        let sent = publisher.publish(Outgoing::Delivery(message(id, number))).await;
        confirms.push(sent.expect("the session lives"));
    }
    for confirm in confirms {
        confirm.wait().await.expect("the broker confirms");
    }
}

/// Starts to consume in time.
pub(super) async fn consume(pool: &ConsumerPool, queue: Queue, prefetch: u16) -> Source {
    let started: Result<Source, BrokerError> =
        timeout(PATIENCE, pool.consume(queue, prefetch)).await.expect("a consumer starts in time");
    started.unwrap_or_else(|error| panic!("{queue}: {error}"))
}

/// The next message.
pub(super) async fn next(source: &mut Source) -> Received {
    let next = timeout(PATIENCE, source.next()).await.expect("a message comes in time");
    next.expect("the consumer lives")
}

/// The numbers of the next messages, which are finished.
pub(super) async fn finish(source: &mut Source, count: usize) -> Vec<u32> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        let received = next(source).await;
        numbers.push(number_of(&received));
        received.receipt.finish();
    }
    numbers
}
