//! The line to RabbitMQ: events and deliveries go out on it, with confirms, and queues are looked at.
//!
//! While it is down, requests that need it are answered 503, and all others go on.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_broker::{Broker, BrokerError, DeliveryHeaders, Names, Publisher, Role, Session, Viewer};
use posthorn_domain::{
    error_chain::error_chain,
    id::{EventRef, WebhookId},
};
use posthorn_proto::v1;
use tokio::{
    sync::{Mutex, OnceCell, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::problem::{Kind, Problem};

/// How long a delivery's confirm may take before a request is answered without it.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(20);

/// The line to RabbitMQ.
pub(crate) struct Line {
    url: String,
    names: Names,
    events: OnceCell<posthorn_publisher::Publisher>,
    viewer: Mutex<Option<Viewer>>,
    open: watch::Sender<Option<Open>>,
}

#[derive(Clone)]
struct Open {
    session: Arc<Session>,
    publisher: Publisher,
}

impl Line {
    pub(crate) fn new(url: String, names: Names) -> Self {
        let (events, viewer) = (OnceCell::new(), Mutex::new(None));
        Self { url, names, events, viewer, open: watch::Sender::new(None) }
    }

    /// Keeps a session open until `stop`.
    ///
    /// # Errors
    /// Those of the broker that trying again cannot mend.
    pub(crate) async fn keep(&self, broker: &Broker, stop: &CancellationToken) -> Result<(), BrokerError> {
        while let Some(session) = broker.session(Role::Api, stop).await? {
            match session.publisher().await {
                Ok(publisher) => {
                    self.open.send_replace(Some(Open { session: session.clone(), publisher }));
                    stop.run_until_cancelled(session.ended()).await;
                }
                Err(error) => session.fail(error_chain(&error)),
            }
            if stop.is_cancelled() {
                // Requests that run may still need it: it is closed at the very end.
                return Ok(());
            }
            self.open.send_replace(None);
            session.close().await;
        }
        Ok(())
    }

    /// Closes the session.
    pub(crate) async fn close(&self) {
        let open = self.open.send_replace(None);
        if let Some(Open { session, publisher }) = open {
            drop(publisher);
            session.close().await;
        }
    }

    /// Publishes an event and waits for the confirm.
    pub(crate) async fn publish(&self, event: &v1::Event) -> Result<(), Problem> {
        let connect = || posthorn_publisher::Publisher::connect(&self.url, self.names.prefix());
        let publisher = self.events.get_or_try_init(connect).await.map_err(|error| {
            tracing::warn!("cannot publish an event: {}", error_chain(&error));
            unavailable()
        })?;
        Ok(publisher.publish(event).await?)
    }

    /// Puts a delivery into its webhook's queue, as a queued delivery is, and waits for the confirm.
    /// Attempts count from 1 again; the `webhook-id` stays the same.
    pub(crate) async fn deliver(
        &self,
        webhook: WebhookId,
        event: EventRef,
        message: Bytes,
        received_at: Timestamp,
    ) -> Result<(), Problem> {
        let Some(Open { publisher, .. }) = self.open.borrow().clone() else { return Err(unavailable()) };
        let headers = DeliveryHeaders { received_at: Some(received_at), ..DeliveryHeaders::default() };
        let delivery = self.names.delivery(webhook, event, message, &headers);
        let publishing = async { publisher.publish(delivery).await?.wait().await };
        match timeout(CONFIRM_TIMEOUT, publishing).await {
            Ok(confirmed) => Ok(confirmed?),
            Err(_) => Err(unavailable()),
        }
    }

    /// How many deliveries wait in each webhook's queue; `None` where it cannot be told.
    pub(crate) async fn waiting(&self, ids: &[WebhookId]) -> Vec<Option<u32>> {
        match self.look(ids).await {
            // A webhook without a queue has had no delivery yet.
            Ok(waiting) => waiting.into_iter().map(|waiting| Some(waiting.unwrap_or(0))).collect(),
            Err(error) => {
                tracing::warn!("cannot tell how many deliveries wait: {}", error_chain(&error));
                vec![None; ids.len()]
            }
        }
    }

    async fn look(&self, ids: &[WebhookId]) -> Result<Vec<Option<u32>>, BrokerError> {
        let mut kept = self.viewer.lock().await;
        // What was there may have been cut off meanwhile: then a fresh one is asked.
        if let Some(viewer) = kept.take()
            && let Ok(waiting) = viewer.waiting(ids).await
        {
            *kept = Some(viewer);
            return Ok(waiting);
        }
        let viewer = Viewer::connect(&self.url, self.names.clone()).await?;
        let waiting = viewer.waiting(ids).await?;
        *kept = Some(viewer);
        Ok(waiting)
    }
}

fn unavailable() -> Problem {
    Problem::new(Kind::Unavailable, "RabbitMQ does not answer: try again later").after(5)
}
