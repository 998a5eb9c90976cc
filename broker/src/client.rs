//! A client of RabbitMQ for those who answer people: it publishes events and deliveries with confirms, and
//! looks at queues.
//!
//! While RabbitMQ is away, what needs it fails at once or after a deadline, and all else goes on.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use posthorn_domain::{
    error_chain::error_chain,
    id::{EventRef, WebhookId},
};
use posthorn_publisher::{PublishError, v1};
use posthorn_timing::within;
use tokio::sync::{Mutex, OnceCell, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    broker::Broker,
    config::Role,
    error::BrokerError,
    message::{DeliveryHeaders, DeliveryMessage, Outgoing},
    publish::Publisher,
    session::Session,
    viewer::Viewer,
};

/// How long the confirm of a delivery may take.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(20);

/// A client of RabbitMQ.
pub struct Client {
    url: String,
    prefix: String,
    events: OnceCell<posthorn_publisher::Publisher>,
    viewer: Mutex<Option<Viewer>>,
    open: watch::Sender<Option<Open>>,
}

#[derive(Clone)]
struct Open {
    session: Arc<Session>,
    publisher: Publisher,
}

impl Client {
    /// A client of the broker at `url`, for the installation whose names begin with `prefix`; connects to
    /// nothing yet.
    pub fn new(url: String, prefix: String) -> Self {
        let (events, viewer) = (OnceCell::new(), Mutex::new(None));
        Self { url, prefix, events, viewer, open: watch::Sender::new(None) }
    }

    /// Keeps a session for deliveries open until `stop`.
    ///
    /// # Errors
    /// Those of the broker that trying again cannot mend.
    pub async fn keep(&self, broker: &Broker, stop: &CancellationToken) -> Result<(), BrokerError> {
        while let Some(session) = broker.session(Role::Api, stop).await? {
            match session.publisher().await {
                Ok(publisher) => {
                    self.open.send_replace(Some(Open { session: session.clone(), publisher }));
                    stop.run_until_cancelled(session.ended()).await;
                }
                Err(error) => session.fail(error_chain(&error)),
            }
            if stop.is_cancelled() {
                // Requests that run may still need it: `close` is called at the very end.
                return Ok(());
            }
            self.open.send_replace(None);
            session.close().await;
        }
        Ok(())
    }

    /// Closes the session.
    pub async fn close(&self) {
        let open = self.open.send_replace(None);
        if let Some(Open { session, publisher }) = open {
            drop(publisher);
            session.close().await;
        }
    }

    /// Publishes an event and waits for the confirm.
    ///
    /// # Errors
    /// If it is not confirmed in time; the broker may have it all the same.
    pub async fn publish(&self, event: &v1::Event) -> Result<(), PublishError> {
        let connect = || posthorn_publisher::Publisher::connect(&self.url, &self.prefix);
        self.events.get_or_try_init(connect).await?.publish(event).await
    }

    /// Puts a delivery into its webhook's queue and waits for the confirm. Attempts count from 1; the
    /// `webhook-id` is that of all attempts for the event.
    ///
    /// # Errors
    /// If it is not confirmed in time; the queue may have it all the same.
    pub async fn deliver(
        &self,
        webhook: WebhookId,
        event: EventRef,
        message: Bytes,
        received_at: Timestamp,
    ) -> Result<(), BrokerError> {
        let open = self.open.borrow().clone();
        let Open { publisher, .. } = open.ok_or(BrokerError::SessionEnded)?;
        let headers = DeliveryHeaders { received_at: Some(received_at), ..DeliveryHeaders::default() };
        let delivery = DeliveryMessage { webhook_id: webhook, event, message, headers };
        let sending = publisher.send(Outgoing::Delivery(delivery));
        within(CONFIRM_TIMEOUT, sending, || BrokerError::NoAnswer { task: "publish a delivery" }).await
    }

    /// How many deliveries wait in each webhook's queue; `None` where it cannot be told.
    pub async fn waiting(&self, ids: &[WebhookId]) -> Vec<Option<u32>> {
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
        let viewer = Viewer::connect(&self.url, &self.prefix).await?;
        let waiting = viewer.waiting(ids).await?;
        *kept = Some(viewer);
        Ok(waiting)
    }
}
