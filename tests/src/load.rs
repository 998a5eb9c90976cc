//! A steady stream of events in the background, and which of them the broker confirmed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use posthorn_publisher::Publisher;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{interval, timeout},
};

use crate::{App, event, eventually};

/// The type of a load's events.
pub const LOAD_TYPE: &str = "load.tick";

const FINISH_WITHIN: Duration = Duration::from_secs(120);

/// Events that are being published; what is not confirmed is published again under the same id.
pub struct Load {
    confirmed: Arc<Mutex<Vec<String>>>,
    enough: watch::Sender<bool>,
    publishing: JoinSet<()>,
}

impl Load {
    /// Starts to publish `total` events, so many per second.
    pub async fn start(app: &App, per_second: u32, total: usize) -> Self {
        let publisher = app.publisher().await;
        let confirmed = Arc::new(Mutex::new(Vec::new()));
        let (enough, stop) = watch::channel(false);
        let mut publishing = JoinSet::new();
        publishing.spawn(publish(publisher, per_second, total, confirmed.clone(), stop));
        Self { confirmed, enough, publishing }
    }

    /// How many events the broker has confirmed.
    pub fn confirmed(&self) -> usize {
        self.confirmed_ids().len()
    }

    /// The ids of the events that the broker has confirmed.
    pub fn confirmed_ids(&self) -> Vec<String> {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the broker has confirmed so many.
    pub async fn reaches(&self, count: usize) {
        let what = format!("{count} events are confirmed");
        eventually(&what, async || (self.confirmed() >= count).then_some(())).await;
    }

    /// Waits until all are confirmed and returns their ids.
    pub async fn finish(mut self) -> Vec<String> {
        let done = timeout(FINISH_WITHIN, self.publishing.join_next()).await;
        let published = done.unwrap_or_else(|_| panic!("only {} events are confirmed", self.confirmed()));
        published.expect("it is the only task").expect("publishing does not panic");
        self.confirmed_ids()
    }

    /// Starts no further event, waits until those started are confirmed and returns their ids.
    pub async fn stop(self) -> Vec<String> {
        self.enough.send_replace(true);
        self.finish().await
    }
}

async fn publish(
    publisher: Publisher,
    per_second: u32,
    total: usize,
    confirmed: Arc<Mutex<Vec<String>>>,
    stop: watch::Receiver<bool>,
) {
    let mut pace = interval(Duration::from_secs(1) / per_second);
    let mut events = JoinSet::new();
    for _ in 0..total {
        pace.tick().await;
        if *stop.borrow() {
            break;
        }
        events.spawn(publish_until_confirmed(publisher.clone(), confirmed.clone()));
    }
    events.join_all().await;
}

async fn publish_until_confirmed(publisher: Publisher, confirmed: Arc<Mutex<Vec<String>>>) {
    let event = event(LOAD_TYPE);
    while publisher.publish(&event).await.is_err() {}
    confirmed.lock().unwrap_or_else(PoisonError::into_inner).push(event.id);
}
