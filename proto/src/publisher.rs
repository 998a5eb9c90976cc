//! A small publisher of events: confirms, pipelining and reconnection.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lapin::{BasicProperties, Connection, ConnectionProperties, types::ShortString};
use prost::Message;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{
    CONTENT_TYPE, EVENT_TYPE,
    confirm::{ConfirmChannel, Publication, Unconfirmed},
    v1::Event,
};

const MOST_IN_FLIGHT: usize = 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
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
    #[error("RabbitMQ did not confirm the event within {} s: publish it again with the same id", PUBLISH_TIMEOUT.as_secs())]
    Unconfirmed,
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
    _owner: Arc<JoinSet<()>>,
}

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
        owner.spawn(own(url, connection, queue));
        Ok(Self { requests, exchange: format!("{prefix}.events").into(), _owner: Arc::new(owner) })
    }

    /// Publishes an event and waits until the broker has it safely.
    ///
    /// Cheap to call concurrently: events are pipelined. Waits while 1024 are in flight.
    ///
    /// # Errors
    /// [`PublishError::Unconfirmed`] if there was no confirm within 30 seconds, and
    /// [`PublishError::TooLong`].
    pub async fn publish(&self, event: &Event) -> Result<(), PublishError> {
        let deadline = Instant::now() + PUBLISH_TIMEOUT;
        let (confirmed, answer) = oneshot::channel();
        let request = Request { event: self.publication(event)?, deadline, confirmed };
        let sent = timeout_at(deadline, self.requests.send(request)).await;
        if !matches!(sent, Ok(Ok(()))) {
            return Err(PublishError::Unconfirmed);
        }
        match timeout_at(deadline, answer).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(PublishError::Unconfirmed),
        }
    }

    fn publication(&self, event: &Event) -> Result<Publication, PublishError> {
        let short = |text: &str, field| ShortString::try_new(text).map_err(|_| PublishError::TooLong(field));
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type(CONTENT_TYPE.into())
            .with_type(EVENT_TYPE.into())
            .with_message_id(short(&event.id, "id")?);
        Ok(Publication {
            exchange: self.exchange.clone(),
            routing_key: short(&event.r#type, "type")?,
            properties,
            body: event.encode_to_vec().into(),
            mandatory: true,
        })
    }
}

async fn connect(url: &str) -> Result<Connection, PublishError> {
    let properties = ConnectionProperties::default().with_connection_name("posthorn publisher".into());
    match timeout(CONNECT_TIMEOUT, Connection::connect(url, properties)).await {
        Ok(connection) => connection.map_err(PublishError::Connect),
        Err(_) => Err(PublishError::NoAnswer),
    }
}

/// Owns the connection: serves requests until the last publisher is gone.
async fn own(url: String, first: Connection, mut requests: mpsc::Receiver<Request>) {
    let mut unconfirmed = Vec::new();
    let mut connection = Some(first);
    let mut pause = Duration::from_millis(100);
    loop {
        let failure = match connection.take() {
            Some(open) => match serve(&open, &mut requests, &mut unconfirmed).await {
                Ok(()) => return,
                Err(failure) => {
                    pause = Duration::from_millis(100);
                    failure
                }
            },
            None => "cannot connect".to_owned(),
        };
        tracing::warn!(%failure, "lost RabbitMQ, connecting again");
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
        unconfirmed.retain(|request: &Request| !request.confirmed.is_closed());
        if requests.is_closed() && requests.is_empty() && unconfirmed.is_empty() {
            return;
        }
        connection = connect(&url).await.ok();
    }
}

/// Publishes until the last publisher is gone and all is confirmed. On failure `unconfirmed` holds
/// what must be published again.
async fn serve(
    connection: &Connection,
    requests: &mut mpsc::Receiver<Request>,
    unconfirmed: &mut Vec<Request>,
) -> Result<(), String> {
    let opened = timeout(CONFIRM_TIMEOUT, ConfirmChannel::open(connection)).await;
    let mut channel = opened.map_err(|_| "no answer")?.map_err(|error| error.to_string())?;
    let mut sequence = 0u64;
    let mut waiting = BTreeMap::new();
    for request in unconfirmed.drain(..) {
        channel.publish(request.event.clone(), sequence);
        waiting.insert(sequence, request);
        sequence += 1;
    }
    let result = loop {
        tokio::select! {
            request = requests.recv(), if waiting.len() < MOST_IN_FLIGHT => match request {
                Some(request) => {
                    channel.publish(request.event.clone(), sequence);
                    waiting.insert(sequence, request);
                    sequence += 1;
                }
                None if waiting.is_empty() => break Ok(()),
                None => match settle(&mut channel, &mut waiting).await {
                    Ok(()) => {}
                    Err(failure) => break Err(failure),
                },
            },
            settled = settle(&mut channel, &mut waiting), if channel.in_flight() > 0 => {
                if let Err(failure) = settled {
                    break Err(failure);
                }
            }
        }
    };
    unconfirmed.extend(waiting.into_values().filter(|request| Instant::now() < request.deadline));
    result
}

async fn settle(
    channel: &mut ConfirmChannel<u64>,
    waiting: &mut BTreeMap<u64, Request>,
) -> Result<(), String> {
    let confirmed = timeout(CONFIRM_TIMEOUT, channel.confirmed()).await;
    let tokens =
        confirmed.map_err(|_| "no confirm in time")?.map_err(|error: Unconfirmed| error.to_string())?;
    for request in tokens.iter().filter_map(|token| waiting.remove(token)) {
        let _ = request.confirmed.send(());
    }
    Ok(())
}
