//! A small publisher of events: confirms, pipelining and reconnection.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    types::{AMQPValue, FieldTable, ShortString},
};
use posthorn_timing::{Backoff, within};
use prost::Message;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

use crate::{
    CONTENT_TYPE, EVENT_TYPE,
    confirm::{ConfirmChannel, Publication},
    error_chain::error_chain,
    v1::Event,
};

const MOST_IN_FLIGHT: usize = 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an event is tried before [`Publisher::publish`] gives up.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(30);

/// Why an event is not known to be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The event's id or type does not fit into AMQP, which allows 255 bytes.
    #[error("the event's {0} is longer than 255 bytes")]
    TooLong(&'static str),
    /// The broker could not be reached at start.
    #[error("cannot reach RabbitMQ")]
    Connect(#[source] lapin::Error),
    /// The broker did not answer at start.
    #[error("RabbitMQ does not answer")]
    NoAnswer,
    /// The broker did not confirm in time. It may have the event: publish again with the same id.
    #[error("RabbitMQ did not confirm the event within {} s{reason}; publish it again with the same id", PUBLISH_TIMEOUT.as_secs())]
    Unconfirmed {
        /// What went wrong last, in brackets; empty if nothing but time has passed.
        reason: String,
    },
}

struct Request {
    event: Publication,
    deadline: Instant,
    confirmed: oneshot::Sender<()>,
}

/// Publishes events with confirms. Clones share one connection; the last one to go closes it.
///
/// When the connection is lost, what was in flight is published again, with the same ids, on the
/// next one: receivers may see an event twice, never not at all.
#[derive(Clone)]
pub struct Publisher {
    requests: mpsc::Sender<Request>,
    exchange: ShortString,
    failure: Failure,
    _owner: Arc<JoinSet<()>>,
}

/// What went wrong last with the connection.
type Failure = Arc<Mutex<Option<String>>>;

impl Publisher {
    /// Connects to the broker at `amqp_url`; `prefix` is that of the Posthorn installation
    /// (`posthorn` if it was not changed).
    ///
    /// # Errors
    /// If the broker cannot be reached now. Later losses are mended by reconnecting.
    pub async fn connect(amqp_url: &str, prefix: &str) -> Result<Self, PublishError> {
        let url = amqp_url.to_owned();
        let connection = connect(&url).await?;
        let (requests, queue) = mpsc::channel(MOST_IN_FLIGHT);
        let mut owner = JoinSet::new();
        let failure = Failure::default();
        owner.spawn(own(url, connection, queue, failure.clone()));
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

    /// The same as a part of a trace: `traceparent` and `tracestate`, as W3C Trace Context writes them,
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

async fn connect(url: &str) -> Result<Connection, PublishError> {
    let properties = ConnectionProperties::default().with_connection_name("posthorn publisher".into());
    let connecting = async { Connection::connect(url, properties).await.map_err(PublishError::Connect) };
    within(CONNECT_TIMEOUT, connecting, || PublishError::NoAnswer).await
}

/// Owns the connection: serves requests until it is dropped with the last publisher.
async fn own(url: String, first: Connection, mut requests: mpsc::Receiver<Request>, last_failure: Failure) {
    let mut unconfirmed = Vec::new();
    let mut connection = Ok(first);
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let failure = match connection {
            Ok(open) => match serve(&open, &mut requests, &mut unconfirmed, &mut backoff).await {
                Ok(()) => return,
                Err(failure) => failure,
            },
            Err(error) => error_chain(&error),
        };
        let pause = backoff.pause(rand::random());
        tracing::warn!("cannot publish to RabbitMQ ({failure}), trying again in {} ms", pause.as_millis());
        *last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        sleep(pause).await;
        unconfirmed.retain(|request: &Request| !request.confirmed.is_closed());
        connection = connect(&url).await;
    }
}

/// Publishes until the last publisher is gone. On failure `unconfirmed` holds what must be published
/// again; once something was confirmed, the next pause is short again.
async fn serve(
    connection: &Connection,
    requests: &mut mpsc::Receiver<Request>,
    unconfirmed: &mut Vec<Request>,
    backoff: &mut Backoff,
) -> Result<(), String> {
    let opening = async { ConfirmChannel::open(connection).await.map_err(|error| error_chain(&error)) };
    let mut channel = within(CONFIRM_TIMEOUT, opening, || "it does not answer".to_owned()).await?;
    let mut sequence = 0u64;
    let mut waiting = BTreeMap::new();
    for request in unconfirmed.drain(..) {
        channel.publish(request.event.clone(), sequence);
        waiting.insert(sequence, request);
        sequence += 1;
    }
    let mut progress = Instant::now();
    let failure = loop {
        tokio::select! {
            request = requests.recv(), if waiting.len() < MOST_IN_FLIGHT => {
                let Some(request) = request else { return Ok(()) };
                if waiting.is_empty() {
                    progress = Instant::now();
                }
                channel.publish(request.event.clone(), sequence);
                waiting.insert(sequence, request);
                sequence += 1;
            }
            confirmed = timeout_at(progress + CONFIRM_TIMEOUT, channel.confirmed()), if !waiting.is_empty() => {
                match confirmed {
                    Ok(Ok(tokens)) => {
                        progress = Instant::now();
                        backoff.reset();
                        for request in tokens.iter().filter_map(|token| waiting.remove(token)) {
                            // Who published may have given up waiting: the event is there all the same.
                            let _ = request.confirmed.send(());
                        }
                    }
                    Ok(Err(error)) => break error_chain(&error),
                    Err(_) => break "it does not confirm".to_owned(),
                }
            }
        }
    };
    unconfirmed.extend(waiting.into_values().filter(|request| Instant::now() < request.deadline));
    Err(failure)
}
