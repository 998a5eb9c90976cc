//! What services use: [`Publisher`] and its errors.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};
use posthorn_proto::{CONTENT_TYPE, EVENT_TYPE, v1::Event};
use prost::Message;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, timeout_at},
};

use crate::{
    confirm::Publication,
    connection::{self, ConnectError, Failure, MOST_IN_FLIGHT, Request},
};

/// How long an event is tried before [`Publisher::publish`] returns an error.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(30);

/// Why an event is not known to be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The event's id or type does not fit into AMQP, which allows 255 bytes.
    #[error("the event's {0} is longer than 255 bytes")]
    TooLong(&'static str),
    /// The broker could not be reached at start.
    #[error("cannot reach RabbitMQ")]
    Connect(#[source] ConnectError),
    /// The broker did not confirm in time. It may have the event: publish again with the same id.
    #[error("RabbitMQ did not confirm the event within {} s{reason}; publish it again with the same id", PUBLISH_TIMEOUT.as_secs())]
    Unconfirmed {
        /// The last failure of the connection, in brackets; empty if there was none.
        reason: String,
    },
}

/// Publishes events with confirms. Clones share one connection; the last one to go closes it.
///
/// When the connection is lost, events in flight are published again with the same ids on the next one:
/// an event may be published twice, and none is lost.
#[derive(Clone)]
pub struct Publisher {
    requests: mpsc::Sender<Request>,
    exchange: ShortString,
    failure: Failure,
    _owner: Arc<JoinSet<()>>,
}

impl Publisher {
    /// Connects to the broker at `amqp_url`; `prefix` is that of the Posthorn installation
    /// (`posthorn` if it was not changed).
    ///
    /// # Errors
    /// If the broker cannot be reached now. Connections lost later are made again.
    pub async fn connect(amqp_url: &str, prefix: &str) -> Result<Self, PublishError> {
        let url = amqp_url.to_owned();
        let connection = connection::connect(&url).await.map_err(PublishError::Connect)?;
        let (requests, queue) = mpsc::channel(MOST_IN_FLIGHT);
        let mut owner = JoinSet::new();
        let failure = Failure::default();
        owner.spawn(connection::keep(url, connection, queue, failure.clone()));
        Ok(Self { requests, exchange: format!("{prefix}.events").into(), failure, _owner: Arc::new(owner) })
    }

    /// Publishes an event and waits until the broker has it safely.
    ///
    /// Cheap to call concurrently: events are pipelined. Waits while 1024 are in flight.
    ///
    /// # Errors
    /// [`PublishError::Unconfirmed`] if there was no confirm within 30 seconds, and
    /// [`PublishError::TooLong`].
    pub async fn publish(&self, event: &Event) -> Result<(), PublishError> {
        self.publish_traced(event, None, None).await
    }

    /// As [`publish`](Self::publish), as part of a trace: `traceparent` and `tracestate`, as W3C Trace Context writes them,
    /// name the parent of what Posthorn and the receivers do with the event.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn publish_traced(
        &self,
        event: &Event,
        traceparent: Option<&str>,
        tracestate: Option<&str>,
    ) -> Result<(), PublishError> {
        let deadline = Instant::now() + PUBLISH_TIMEOUT;
        let (confirmed, answer) = oneshot::channel();
        let event = self.publication(event, headers(traceparent, tracestate))?;
        let request = Request { event, deadline, confirmed };
        let published = async {
            self.requests.send(request).await.ok()?;
            answer.await.ok()
        };
        match timeout_at(deadline, published).await {
            Ok(Some(())) => Ok(()),
            Ok(None) | Err(_) => Err(PublishError::Unconfirmed { reason: self.last_failure() }),
        }
    }

    fn last_failure(&self) -> String {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().map(|failure| format!(" ({failure})")).unwrap_or_default()
    }

    fn publication(&self, event: &Event, headers: FieldTable) -> Result<Publication, PublishError> {
        let short = |text: &str, field| ShortString::try_new(text).map_err(|_| PublishError::TooLong(field));
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type(CONTENT_TYPE.into())
            .with_type(EVENT_TYPE.into())
            .with_message_id(short(&event.id, "id")?)
            .with_headers(headers);
        Ok(Publication {
            exchange: self.exchange.clone(),
            routing_key: short(&event.r#type, "type")?,
            properties,
            body: event.encode_to_vec().into(),
            mandatory: true,
        })
    }
}

/// When it is published, under the name that RabbitMQ itself uses, and the trace.
fn headers(traceparent: Option<&str>, tracestate: Option<&str>) -> FieldTable {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut headers = FieldTable::default();
    headers.insert("timestamp_in_ms".into(), AMQPValue::LongLongInt(since_epoch.as_millis() as i64));
    for (name, value) in [("traceparent", traceparent), ("tracestate", tracestate)] {
        if let Some(value) = value {
            headers.insert(name.into(), AMQPValue::LongString(value.into()));
        }
    }
    headers
}
